# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients of tests/progs/late_server.c, whose data port accepts when it is told to.

late.py CA PORT DATAPORT SCENARIO…   runs them one after the other on one control connection; says "ok SCENARIO"

first    the handshake on the data connection, then the command that makes the server accept (and upload)
after    the command, and the handshake when the server says that it has accepted
at-once  both at the same time, several times
silent   a client that says nothing, and one behind it that makes its handshake
many     eight clients that make their handshakes before the first is accepted
wrong    a client that speaks no TLS, and one that goes in the middle of its handshake
unused   the port is closed while a client waits that has made its handshake
again    the same port 50 times
waiting  handshake done, and no accept for two seconds (for tests that look at the helper meanwhile)
"""
import os
import socket
import ssl
import sys
import threading
import time

HOST = os.environ.get('LATE_HOST', '127.0.0.1')


class Control:
    def __init__(self, context, port, data_port):
        self.context, self.data_port = context, data_port
        sock = socket.create_connection((HOST, port), 15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(sock, server_hostname='localhost')
        self.lines = self.sock.makefile('r')

    def send(self, line):
        self.sock.sendall(line.encode() + b'\n')

    def answer(self, want=None):
        line = self.lines.readline().strip()
        if want is not None and not line.startswith(want):
            raise AssertionError(f'wanted {want}, got {line!r}')
        return line

    def ask(self, line, want=None):
        self.send(line)
        return self.answer(want)

    def connect(self):
        return socket.create_connection((HOST, self.data_port), 15)

    def wrap(self, sock):
        return self.context.wrap_socket(sock, server_hostname='localhost')


def read_all(conn):
    data = b''
    while part := conn.recv(65536):
        data += part
    conn.close()
    return data.decode()


def expect(got, want):
    if got != want:
        raise AssertionError(f'wanted {want!r}, got {got!r}')


def check_port(answer, sock):
    """The server must see the client's own address."""
    expect(int(answer.split()[1]), sock.getsockname()[1])


def get(control, sock, text):
    answer = control.ask('GET ' + text, '150 ')
    check_port(answer, sock)
    expect(read_all(sock), text)
    control.answer('226')
    return answer


def put(control, sock, size):
    check_port(control.ask('PUT', '150 '), sock)
    sock.sendall(b'x' * size)
    sock.unwrap().close()
    expect(control.answer(), f'226 {size}')


def first(control):
    control.ask('LISTEN', '227')
    print('accepted:', get(control, control.wrap(control.connect()), 'the handshake came first'))
    put(control, control.wrap(control.connect()), 1000000)
    control.ask('SHUT', '200')


def after(control):
    control.ask('LISTEN', '227')
    for pause in (0, 0.1):
        sock = control.connect()
        time.sleep(pause)
        check_port(control.ask('GET accepted first', '150 '), sock)
        sock = control.wrap(sock)
        expect(read_all(sock), 'accepted first')
        control.answer('226')
        sock = control.connect()
        time.sleep(pause)
        check_port(control.ask('PUT', '150 '), sock)
        sock = control.wrap(sock)
        sock.sendall(b'y' * 300000)
        sock.unwrap().close()
        control.answer('226 300000')
    control.ask('SHUT', '200')


def at_once(control):
    control.ask('LISTEN', '227')
    for pause in (0, 0.001, 0.005, 0.009, 0.01, 0.011, 0.012, 0.013, 0.015, 0.02):
        sock = control.connect()
        time.sleep(pause)
        control.send('GET both')
        sock = control.wrap(sock)
        expect(read_all(sock), 'both')
        check_port(control.answer('150 '), sock) if sock.fileno() >= 0 else control.answer('150 ')
        control.answer('226')
    control.ask('SHUT', '200')


def silent(control):
    control.ask('LISTEN', '227')
    mute = control.connect()
    time.sleep(0.2)  # the helper has it
    sock = control.wrap(control.connect())
    answer = control.ask('ACCEPT', '200 ')
    check_port(answer, mute)
    get(control, sock, 'behind a silent client')
    mute.close()
    control.ask('SHUT', '200')


def many(control):
    control.ask('LISTEN', '227')
    socks = []
    for _ in range(4):
        socks.append(control.wrap(control.connect()))
    waiting = [control.connect() for _ in range(4)]
    threads = [threading.Thread(target=lambda s=s: socks.append(control.wrap(s))) for s in waiting]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_port = {sock.getsockname()[1]: sock for sock in socks}
    for turn in range(8):
        answer = control.ask(f'GET turn {turn}', '150 ')
        expect(read_all(by_port.pop(int(answer.split()[1]))), f'turn {turn}')
        control.answer('226')
    control.ask('SHUT', '200')


def wrong(control):
    control.ask('LISTEN', '227')
    sock = control.connect()
    sock.sendall(b'GET / HTTP/1.0\r\n\r\n')
    time.sleep(0.1)
    control.ask('GET nothing', '150 ')
    control.answer('426 ')
    got = sock.recv(100)
    if b'nothing' in got or got[:1] not in (b'', b'\x15'):
        raise AssertionError(f'plaintext answered with {got!r}')
    sock.close()
    sock = control.connect()
    sock.sendall(b'\x16\x03\x01\x02')
    time.sleep(0.1)
    sock.close()
    control.ask('PUT', '150 ')
    control.answer('426 ')
    get(control, control.wrap(control.connect()), 'a good one')
    control.ask('SHUT', '200')


def unused(control):
    control.ask('LISTEN', '227')
    sock = control.wrap(control.connect())
    mute = control.connect()
    time.sleep(0.1)
    control.ask('SHUT', '200')
    for one in sock, mute:
        one.settimeout(5)
        try:
            expect(one.recv(1), b'')
        except ConnectionResetError:
            pass
        one.close()
    control.ask('LISTEN', '227')
    get(control, control.wrap(control.connect()), 'the next one')
    control.ask('SHUT', '200')


def again(control):
    for turn in range(50):
        control.ask('LISTEN', '227')
        sock = control.connect()
        if turn % 2:
            sock = control.wrap(sock)
            get(control, sock, f'turn {turn}')
        else:
            control.ask(f'GET turn {turn}', '150 ')
            expect(read_all(control.wrap(sock)), f'turn {turn}')
            control.answer('226')
        control.ask('SHUT', '200')
    expect(control.ask('WAIT'), 'none')


def waiting(control):
    control.ask('LISTEN', '227')
    time.sleep(1.5)
    sock = control.wrap(control.connect())
    print('waiting', flush=True)
    time.sleep(2)
    get(control, sock, 'after a while')
    control.ask('SHUT', '200')


def main():
    ca, port, data_port = sys.argv[1:4]
    context = ssl.create_default_context(cafile=ca)
    control = Control(context, int(port), int(data_port))
    for name in sys.argv[4:]:
        globals()[name.replace('-', '_')](control)
        print('ok', name, flush=True)


main()
