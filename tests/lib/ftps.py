# SPDX-License-Identifier: GPL-2.0-or-later
"""An FTP client with TLS from the first byte on all its connections.

ftps.py CA PORT before|after FILE GOT   lists, fetches `file` to GOT, 20 times in part, and stores FILE as up/sent-WHEN
before, after: when the handshake on a data connection is made, of the command or of its reply
"""
import ftplib
import socket
import ssl
import sys

ca, port, when, name, got = sys.argv[1:6]
context = ssl.create_default_context(cafile=ca)


def wrap(sock):
    return context.wrap_socket(sock, server_hostname='localhost')


class Ftps(ftplib.FTP):
    def connect(self):
        self.host = '127.0.0.1'
        self.sock = wrap(socket.create_connection((self.host, int(port)), 20))
        self.af = socket.AF_INET
        self.file = self.sock.makefile('r', encoding='latin-1')
        self.welcome = self.getresp()

    def ntransfercmd(self, cmd, rest=None):
        conn = socket.create_connection(self.makepasv(), 20)
        if when == 'before':
            conn = wrap(conn)
        if not self.sendcmd(cmd).startswith('1'):
            raise AssertionError('no transfer')
        if when == 'after':
            conn = wrap(conn)
        return conn, None


ftp = Ftps()
ftp.connect()
ftp.login()
if 'file' not in ftp.nlst():
    raise AssertionError('no file in the list')
with open(got, 'wb') as out:
    ftp.retrbinary('RETR file', out.write)
for turn in range(20):
    if ftp.nlst('up') is None:
        raise AssertionError('no list')
ftp.voidcmd('TYPE I')
with open(name, 'rb') as data:
    conn, _ = ftp.ntransfercmd('STOR up/sent-' + when)
    conn.sendfile(data)
    conn.unwrap().close()
    ftp.voidresp()
ftp.quit()
