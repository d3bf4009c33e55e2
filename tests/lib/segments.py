#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A TLS peer that decides how its records are cut into TCP segments.

segments.py CA PORT two-records     two records in one segment; prints the echo
segments.py CA PORT byte-by-byte    everything, also the handshake, in segments of one byte; prints the echo
segments.py CA PORT half            half a record; waits for a line on its input; the other half; prints the echo
segments.py CA PORT cut             half a record and the end of the stream in one segment; until the server has closed it, too
segments.py CA PORT silent N        N connections that say nothing, until its input ends
segments.py CA PORT dropped N       the same, until the server has closed them all
segments.py CA PORT idle            a handshake and half a record, until its input ends
segments.py CA PORT growing         a small record, 8000 bytes in two halves; until the server has closed
segments.py CERT PORT serve-growing server: the same
segments.py CERT PORT serve-slow    server: half a second to think before the handshake, no ticket, echoes 6 bytes
segments.py CERT PORT serve-half    server: tickets, half a record, after a second the rest; prints what comes back
"""
import socket
import ssl
import sys
import time


class Peer:
    """TLS over memory: what goes out is cut by the caller."""

    def __init__(self, sock, context, **kwargs):
        self.sock, self.incoming, self.outgoing = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, **kwargs)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(20)

    def drive(self, step, cut):
        """Call step until it needs nothing more from the network."""
        while True:
            try:
                result = step()
                cut(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                cut(self.outgoing.read())
                data = self.sock.recv(65536)
                if not data:
                    raise SystemExit("the other side closed the connection") from None
                self.incoming.write(data)

    def bytewise(self, data):
        for i in range(len(data)):
            self.sock.sendall(data[i:i + 1])

    def record(self, data):
        self.tls.write(data)
        return self.outgoing.read()

    def echo(self, n):
        data = b""
        while len(data) < n:
            data += self.drive(lambda: self.tls.read(n - len(data)), self.sock.sendall)
        print(data.decode(), flush=True)


def connect(port):
    return socket.create_connection(("127.0.0.1", port))


def client(ca, port, cut=None):
    peer = Peer(connect(port), ssl.create_default_context(cafile=ca), server_hostname="localhost")
    peer.drive(peer.tls.do_handshake, cut(peer) if cut else peer.sock.sendall)
    return peer


def server(cert, port, delay, n_tickets):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert + ".pem", cert + ".key")
    context.num_tickets = n_tickets
    with socket.create_server(("127.0.0.1", port)) as listener:
        peer = Peer(listener.accept()[0], context, server_side=True)
    time.sleep(delay)
    peer.drive(peer.tls.do_handshake, peer.sock.sendall)
    return peer


def until_closed(sock):
    try:
        while sock.recv(1000):
            pass
    except ConnectionResetError:
        pass


def growing(peer):
    peer.sock.sendall(peer.record(b"hello "))
    time.sleep(0.2)
    record = peer.record(b"x" * 8000)
    peer.sock.sendall(record[:4000])
    time.sleep(0.3)
    peer.sock.sendall(record[4000:])
    until_closed(peer.sock)


def main():
    file, port, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if mode == "two-records":
        peer = client(file, port)
        peer.sock.sendall(peer.record(b"hello ") + peer.record(b"world"))
        peer.echo(11)
    elif mode == "byte-by-byte":
        peer = client(file, port, lambda p: p.bytewise)
        peer.bytewise(peer.record(b"hello ") + peer.record(b"world"))
        peer.echo(11)
    elif mode == "half":
        peer = client(file, port)
        record = peer.record(b"hello world")
        peer.sock.sendall(record[:12])
        print("half", flush=True)
        sys.stdin.readline()
        peer.sock.sendall(record[12:])
        peer.echo(11)
    elif mode == "cut":
        peer = client(file, port)
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        peer.sock.sendall(peer.record(b"hello world")[:12])
        peer.sock.shutdown(socket.SHUT_WR)
        until_closed(peer.sock)
        print("closed")
    elif mode == "silent":
        silent = [connect(port) for _ in range(int(sys.argv[4]))]
        print(len(silent), flush=True)
        sys.stdin.read()
    elif mode == "dropped":
        for sock in [connect(port) for _ in range(int(sys.argv[4]))]:
            sock.settimeout(20)
            until_closed(sock)
        print("dropped")
    elif mode == "idle":
        peer = client(file, port)
        peer.sock.sendall(peer.record(b"hello")[:7])
        print("idle", flush=True)
        sys.stdin.read()
    elif mode == "growing":
        growing(client(file, port))
    elif mode == "serve-growing":
        growing(server(file, port, 0, 2))
    elif mode == "serve-slow":
        peer = server(file, port, 0.5, 0)
        peer.sock.sendall(peer.record(peer.drive(lambda: peer.tls.read(6), peer.sock.sendall)))
        peer.sock.recv(1)
    elif mode == "serve-half":
        peer = server(file, port, 0, 2)
        record = peer.record(b"hello world")
        peer.sock.sendall(record[:12])
        time.sleep(1)
        peer.sock.sendall(record[12:])
        peer.echo(11)


main()
