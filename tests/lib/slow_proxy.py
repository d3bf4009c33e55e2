# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP proxy that passes on late what it has acknowledged, and drops it all at a reset: slow_proxy.py PORT TARGET SECONDS"""

import socket
import struct
import sys
import threading
import time


def pump(source, sink, delay, is_dead):
    try:
        while True:
            data = source.recv(1 << 13)
            time.sleep(delay)
            if is_dead.is_set():
                return
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(data)
    except OSError:
        is_dead.set()
        for each in (source, sink):
            try:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def main():
    port, target, delay = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    listener = socket.create_server(("127.0.0.1", port), backlog=100)
    while True:
        client = listener.accept()[0]
        server = socket.create_connection(("127.0.0.1", target))
        is_dead = threading.Event()
        for ends in ((client, server), (server, client)):
            threading.Thread(target=pump, args=(*ends, delay, is_dead), daemon=True).start()


main()
