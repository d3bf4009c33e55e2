#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Starts a wrapped server whose standard error is a pipe that nobody reads, sends it more failing clients than the
pipe has room for lines, then a good one, closes the pipe, and does it again: unread_log.py PORT CA COMMAND...
"""
import fcntl
import os
import signal
import socket
import ssl
import subprocess
import sys
import time


def connected(port):
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise SystemExit("nobody listens")


def fails(port):
    with connected(port) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        try:
            while plain.recv(100):
                pass
        except ConnectionResetError:
            pass


def is_served(port, trust):
    with trust.wrap_socket(connected(port), server_hostname="localhost") as client:
        client.sendall(b"words")
        return client.recv(100) == b"words"


def main():
    port, trust = int(sys.argv[1]), ssl.create_default_context(cafile=sys.argv[2])
    pipe, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
    server = subprocess.Popen(sys.argv[3:], stderr=theirs,
                              preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL))
    os.close(theirs)
    try:
        for _ in range(60):
            fails(port)
        print("unread: served" if is_served(port, trust) else "unread: not served")
        os.close(pipe)
        for _ in range(3):
            fails(port)
        print("closed: served" if is_served(port, trust) else "closed: not served")
    finally:
        server.kill()
        server.wait()


main()
