#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An echo server, one client after the other, that a SIGPIPE kills: fragile_echo.py PORT"""
import signal
import socket
import sys

signal.signal(signal.SIGPIPE, signal.SIG_DFL)
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    while True:
        client, _ = listener.accept()
        with client:
            try:
                while words := client.recv(100):
                    client.send(words)
            except OSError:
                pass
