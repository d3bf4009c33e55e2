# SPDX-License-Identifier: GPL-2.0-or-later
"""The plain program that the interoperability tests wrap: it knows no TLS.

usage: talk.py serve PORT...    echoes what comes
       talk.py web PORT...      web servers: GET gives a text, POST what was posted, /page the file $TALK_PAGE
       talk.py call             reads orders from stdin, one JSON object a line, and follows them in turn

The echo closes first when a text ends with the line "shutdown", and a second later with "and later". It gives a
text of its own when asked by the line "give" alone, or by an HTTP/1.0 request.

Both say on stdout, one JSON object a line, what became of each connection.
"""

import errno
import hashlib
import http.server
import json
import os
import socket
import sys
import threading
import time

SHUTDOWN = b"\nshutdown\n"
LATER = b"\nand later\n"
END_OF_REQUEST = b"\r\n\r\n"


def payload(size, tail=b"end"):
    """Text of about size bytes, no piece of which begins with a letter that is a command to OpenSSL's tools."""
    lines, digest, length = [], b"", 0
    while length < size:
        digest = hashlib.sha256(digest).digest()
        lines.append(digest.hex().encode().translate(bytes.maketrans(b"abcdef", b"uvwxyz")))
        length += 65
    return b"\n".join(lines) + b"\n" + tail + b"\n"


def name_of(error):
    return errno.errorcode.get(error.errno, str(error)) if isinstance(error, OSError) else repr(error)


lock = threading.Lock()


def say(**what):
    with lock:
        print(json.dumps(what), flush=True)


def read_to_end(connection):
    rest = 0
    while data := connection.recv(1 << 16):
        rest += len(data)
    return rest


def echo(connection, port):
    digest, size, tail, end = hashlib.sha256(), 0, b"", "clean"
    try:
        while data := connection.recv(1 << 16):
            digest.update(data)
            size += len(data)
            tail = (tail + data)[-len(LATER) :]
            request = tail.endswith(END_OF_REQUEST)
            if request:
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            connection.sendall(payload(80000) if request or tail == b"give\n" else data)
            if tail == LATER:
                time.sleep(1)
            if request or tail == LATER or tail.endswith(SHUTDOWN):
                connection.shutdown(socket.SHUT_WR)
                if read_to_end(connection):
                    end = "more"
                break
    except OSError as error:
        end = name_of(error)
    connection.close()
    say(port=port, size=size, sha256=digest.hexdigest(), end=end)


def accept(listener):
    port = listener.getsockname()[1]
    while True:
        connection = listener.accept()[0]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=echo, args=(connection, port), daemon=True).start()


def serve(ports):
    listeners = [
        socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) for port in ports
    ]
    for listener in listeners:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
    say(listening=ports)
    sys.stdin.read()


class Web(http.server.BaseHTTPRequestHandler):
    """A web server of few words."""

    protocol_version = "HTTP/1.1"

    def answer(self, text, kind="text/plain"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        # To a client that wants it so, the end of the text is the end of the connection.
        if self.headers["Connection"] == "close" or "?close" in self.path:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):  # pylint: disable=invalid-name
        if self.path == "/page":
            with open(os.environ["TALK_PAGE"], "rb") as file:
                self.answer(file.read(), "text/html")
        else:
            self.answer(payload(80000))

    def do_POST(self):  # pylint: disable=invalid-name
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_):
        pass


class WebServer(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 50

    def handle_error(self, *_):
        pass


def web(ports):
    for port in ports:
        threading.Thread(target=WebServer(("::", port), Web).serve_forever, daemon=True).start()
    say(listening=ports)
    sys.stdin.read()


def call_one(order):
    """An order: host, port, send, expect (default: what was sent), first (we close first; the default)."""
    text = order["send"].encode()
    expected = order.get("expect", order["send"]).encode()
    received, end = bytearray(), "clean"
    step = "connect"
    try:
        with socket.create_connection((order["host"], order["port"]), timeout=20) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            step = "send"
            sender = threading.Thread(target=connection.sendall, args=(text,))
            sender.start()
            step = "receive"
            while len(received) < len(expected):
                data = connection.recv(1 << 16)
                if not data:
                    break
                received += data
            sender.join()
            step = "close"
            if order.get("first", True):
                connection.shutdown(socket.SHUT_WR)
            if order.get("wait", True):
                received += b"." * read_to_end(connection)
    except OSError as error:
        end = f"{step}: {name_of(error)}"
    say(end=end, same=bytes(received) == expected, received=len(received))


def call():
    say(ready=True)
    for line in sys.stdin:
        call_one(json.loads(line))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve([int(port) for port in sys.argv[2:]])
    elif sys.argv[1] == "web":
        web([int(port) for port in sys.argv[2:]])
    else:
        call()
