# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads 8006 bytes without blocking, and counts reads that brought nothing though they were announced.

in_vain.py accept|connect PORT poll|select
"""
import select
import socket
import sys


def announced(sock, api):
    if api == "select":
        return bool(select.select([sock], [], [], 20)[0])
    waiter = select.poll()
    waiter.register(sock, select.POLLIN)
    return bool(waiter.poll(20000))


def main():
    role, port, api = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if role == "connect":
        sock = socket.create_connection(("127.0.0.1", port))
    else:
        with socket.create_server(("127.0.0.1", port)) as listener:
            sock = listener.accept()[0]
    sock.setblocking(False)
    n_read = in_vain = 0
    while n_read < 8006 and announced(sock, api):
        try:
            data = sock.recv(65536)
        except BlockingIOError:
            in_vain += 1
            continue
        if not data:
            break
        n_read += len(data)
    print(n_read, "bytes,", in_vain, "in vain")


main()
