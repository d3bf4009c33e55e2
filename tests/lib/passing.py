# SPDX-License-Identifier: GPL-2.0-or-later
"""A plain echo server that does not serve its connections itself, for tests of descriptor passing.

passing.py pair PORT          to a child over a socketpair, made before the first connection
passing.py exec PORT          to a child that has been executed anew
passing.py stranger PORT PATH to whoever listens on the Unix socket PATH
passing.py receive PATH       that stranger: writes a line of plaintext into what it gets
passing.py begun PORT         the echo server again: it looks for bytes before it passes a connection on, and does not wait for them
passing.py launch PORT COMMAND…  accepts, and passes connections to COMMAND, whose standard input is the socket to get them from
passing.py dial PORT          a client: a process connects without blocking and passes that on at once, another one talks
"""
import errno
import os
import select
import socket
import subprocess
import sys


def serve(channel):
    while True:
        _, fds, _, _ = socket.recv_fds(channel, 16, 4)
        if not fds:
            return
        for fd in fds:
            with socket.socket(fileno=fd) as conn:
                try:
                    while data := conn.recv(4096):
                        conn.sendall(b'got ' + data)
                except ConnectionError:
                    pass  # the client was killed


def listen(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(('127.0.0.1', int(port)))
    listener.listen(16)
    return listener


def channel_to_child(mode, listener):
    ours, theirs = socket.socketpair()
    if mode == 'exec':
        theirs.set_inheritable(True)
        subprocess.Popen([sys.executable, __file__, 'serve', str(theirs.fileno())], close_fds=False)
    elif os.fork() == 0:
        ours.close()
        listener.close()
        serve(theirs)
        os._exit(0)
    theirs.close()
    return ours


def talk(channel):
    conn = socket.socket(fileno=socket.recv_fds(channel, 16, 1)[1][0])
    if not select.select([], [conn], [], 15)[1]:
        print('not writable', flush=True)
        return
    error = conn.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    print('connect:', errno.errorcode.get(error, error), flush=True)
    if not error:
        conn.setblocking(True)
        conn.sendall(b'hello!')
        print('echo:', conn.recv(100).decode(), flush=True)


def dial(port):
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        talk(theirs)
        os._exit(0)
    conn = socket.socket()
    conn.setblocking(False)
    conn.connect_ex(('127.0.0.1', int(port)))
    socket.send_fds(ours, [b'x'], [conn.fileno()])
    conn.close()
    os.waitpid(pid, 0)


def main():
    mode, where = sys.argv[1:3]
    if mode == 'serve':
        serve(socket.socket(fileno=int(where)))
        return
    if mode == 'receive':
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(where)
        listener.listen(1)
        conn, _ = listener.accept()
        _, fds, _, _ = socket.recv_fds(conn, 16, 4)
        for fd in fds:
            os.write(fd, b'plaintext that must not be seen\n')
        return
    if mode == 'launch':
        listener = listen(where)
        ours, theirs = socket.socketpair()
        subprocess.Popen(sys.argv[3:], stdin=theirs)
        while True:
            conn, _ = listener.accept()
            socket.send_fds(ours, [b'x'], [conn.fileno()])
            conn.close()
    if mode == 'dial':
        dial(where)
        return
    listener = listen(where)
    if mode == 'stranger':
        channel = socket.socket(socket.AF_UNIX)
        channel.connect(sys.argv[3])
    else:
        channel = channel_to_child(mode, listener)
    while True:
        conn, _ = listener.accept()
        # The first bytes are read here, so that the connection is passed in mid-life.
        first = select.select([conn], [], [], 0) if mode == 'begun' else conn.recv(6)
        try:
            socket.send_fds(channel, [b'x'], [conn.fileno()])
        except OSError as err:
            print('refused:', err.strerror, flush=True)
        else:
            print('passed on after', first, flush=True)
        conn.close()


main()
