# SPDX-License-Identifier: GPL-2.0-or-later
"""A TLS peer for the tests, with Python's ssl: it verifies certificates and notices truncated connections.

usage: peer.py --pki DIR [options] MODE PORT [FILE]

servers:  sink    reads to the end, says "VERSION clean|truncated BYTES SHA256" on stdout and to the peer
          source  sends FILE and a close_notify
          ragged  sends FILE and closes TCP without a close_notify
          echo    sends back what comes, says "clean" or "truncated" on stdout
clients:  get     sends what is on stdin if --send, reads to the end: stdout
          calls   --count connections one after the other: says hello, reads to the end, which must be clean
          many    --count connections at once, each of them a message of another size, echoed and compared
"""

import argparse
import hashlib
import pathlib
import selectors
import socket
import ssl
import sys
import threading
import time


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode")
    parser.add_argument("port", type=int)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--pki", type=pathlib.Path, required=True)
    parser.add_argument("--cert", default="server", help="a server's certificate")
    parser.add_argument("--client-cert", help="a client's")
    parser.add_argument("--client-ca", help="servers: require a certificate of this CA")
    parser.add_argument("--tls12", action="store_true")
    parser.add_argument("--alpn", action="append", default=[])
    parser.add_argument("--send", action="store_true")
    parser.add_argument("--tell", action="store_true", help="get: say so on stderr when all is sent")
    parser.add_argument("--late", type=float, help="sink, get: has a small buffer and reads so many seconds late")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--big", type=int, default=1 << 20)
    return parser.parse_args()


def context_for(options, is_server):
    pki = options.pki
    if is_server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / f"{options.cert}.pem", pki / f"{options.cert}.key")
        if options.client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(pki / f"{options.client_ca}.pem")
    else:
        context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
        if options.client_cert:
            context.load_cert_chain(pki / f"{options.client_cert}.pem", pki / f"{options.client_cert}.key")
    if options.tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if options.alpn:
        context.set_alpn_protocols(options.alpn)
    return context


def say(*words):
    print(*words, flush=True)


def read_to_end(tls, take):
    """True if the end was a close_notify."""
    try:
        while True:
            data = tls.recv(1 << 16)
            if not data:
                return True
            take(data)
    except (ssl.SSLEOFError, ConnectionResetError):
        return False


def close_cleanly(tls):
    try:
        tls.settimeout(10)
        tls.unwrap().close()
    except OSError:
        tls.close()


def serve_one(options, tls):
    if options.mode == "sink":
        digest, size = hashlib.sha256(), [0]

        def take(data):
            digest.update(data)
            size[0] += len(data)

        time.sleep(options.late or 0)
        end = "clean" if read_to_end(tls, take) else "truncated"
        line = f"{tls.version()} {end} {size[0]} {digest.hexdigest()}"
        try:
            tls.sendall(line.encode() + b"\n")
        except OSError:
            pass
        say(line)
        close_cleanly(tls)
    elif options.mode == "echo":
        if read_to_end(tls, tls.sendall):
            say("clean")
            close_cleanly(tls)
        else:
            say("truncated")
            tls.close()
    else:
        with open(options.file, "rb") as file:
            while data := file.read(1 << 16):
                tls.sendall(data)
        if options.mode == "ragged":
            # The tickets' answer, if any, is not waited for; no reset is caused, as nothing is unread.
            tls.shutdown(socket.SHUT_WR)
            tls.close()
        else:
            close_cleanly(tls)


def serve(options):
    context = context_for(options, True)
    listener = socket.create_server(("127.0.0.1", options.port), backlog=512)
    if options.late:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)

    def run(connection):
        try:
            tls = context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False)
        except OSError as error:
            say("handshake failed:", type(error).__name__, error)
            connection.close()
            return
        if options.alpn:
            say("alpn", tls.selected_alpn_protocol())
        if options.client_ca:
            say("client", dict(part[0] for part in tls.getpeercert()["subject"])["commonName"])
        try:
            serve_one(options, tls)
        except OSError as error:
            say("failed:", type(error).__name__, error)

    while True:
        connection = listener.accept()[0]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=run, args=(connection,), daemon=True).start()


def dial(options):
    plain = socket.socket()
    plain.settimeout(25)
    if options.late:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    plain.connect(("127.0.0.1", options.port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


def get(options):
    plain = dial(options)
    context = context_for(options, False)
    with context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as tls:
        if options.alpn:
            print("alpn", tls.selected_alpn_protocol(), file=sys.stderr)
        if options.send:
            while data := sys.stdin.buffer.read1(1 << 16):
                tls.sendall(data)
            if options.tell:
                print("sent", file=sys.stderr, flush=True)
        time.sleep(options.late or 0)
        clean = read_to_end(tls, sys.stdout.buffer.write)
        sys.stdout.buffer.flush()
        if not clean:
            sys.exit("truncated")
        tls.unwrap()


def calls(options):
    context = context_for(options, False)
    sizes = set()
    for _ in range(options.count):
        plain = dial(options)
        with context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as tls:
            tls.sendall(b"hello\n")
            answer = bytearray()
            if not read_to_end(tls, answer.extend):
                sys.exit("truncated")
            sizes.add(len(answer))
            close_cleanly(tls)
    say(f"{options.count} answers of {sorted(sizes)} bytes")


class Caller:
    """One of many connections: sends a message and expects it back."""

    def __init__(self, options, context, number):
        size = 1 + (number * 7919) % 4096
        if number % 10 == 3:
            size = 40000 + number
        if number % 100 == 7:
            size = options.big
        self.message = (hashlib.sha256(str(number).encode()).digest() * (size // 32 + 1))[:size]
        self.sent = self.received = 0
        self.ready = False
        plain = dial(options)
        plain.setblocking(False)
        self.tls = context.wrap_socket(plain, server_hostname="localhost", do_handshake_on_connect=False)

    def step(self):
        """Goes as far as it can: returns the events to wait for, 0 when the message is back."""
        try:
            if not self.ready:
                self.tls.do_handshake()
                self.ready = True
            while self.received < len(self.message):
                wants = 0
                try:
                    if self.sent < len(self.message):
                        self.sent += self.tls.send(self.message[self.sent : self.sent + 50000])
                        continue
                except ssl.SSLWantWriteError:
                    wants = selectors.EVENT_WRITE
                except ssl.SSLWantReadError:
                    pass
                data = self.tls.recv(1 << 16)
                if not data or data != self.message[self.received : self.received + len(data)]:
                    sys.exit(f"wrong data after {self.received} bytes")
                self.received += len(data)
            return 0
        except ssl.SSLWantReadError:
            return selectors.EVENT_READ | (wants if self.ready else 0)
        except ssl.SSLWantWriteError:
            return selectors.EVENT_WRITE | selectors.EVENT_READ


def many(options):
    context = context_for(options, False)
    selector = selectors.DefaultSelector()
    callers = [Caller(options, context, number) for number in range(options.count)]
    left = len(callers)
    for caller in callers:
        selector.register(caller.tls, selectors.EVENT_READ | selectors.EVENT_WRITE, caller)
    end = time.monotonic() + 50
    while left:
        events = selector.select(5)
        if time.monotonic() > end:
            sys.exit(f"{left} connections are left")
        for key, _ in events:
            wants = key.data.step()
            if wants:
                selector.modify(key.fileobj, wants, key.data)
            else:
                selector.unregister(key.fileobj)
                left -= 1
    total = sum(caller.received for caller in callers)
    # All of them are still open now.
    for caller in callers:
        caller.tls.close()
    say(f"{len(callers)} connections, {total} bytes")


def main():
    options = arguments()
    if options.mode in ("sink", "source", "ragged", "echo"):
        serve(options)
    elif options.mode == "get":
        get(options)
    elif options.mode == "calls":
        calls(options)
    elif options.mode == "many":
        many(options)
    else:
        sys.exit(f"unknown mode {options.mode}")


main()
