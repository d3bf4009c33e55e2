# SPDX-License-Identifier: GPL-2.0-or-later
"""Many TLS clients with small buffers that all ask, and read only when every one has: slow_clients.py PKI PORT COUNT

Says how many ended with a close_notify, and how many bytes came in all.
"""

import socket
import ssl
import sys
import time


def connect(context, port):
    plain = socket.socket()
    plain.settimeout(50)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    plain.connect(("127.0.0.1", port))
    return plain


def read_to_end(tls):
    total = 0
    while data := tls.recv(1 << 16):
        total += len(data)
    return total


def main():
    pki, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    context = ssl.create_default_context(cafile=f"{pki}/ca.pem")
    plain = [connect(context, port) for _ in range(count)]
    clients = []
    for each in plain:
        tls = context.wrap_socket(each, server_hostname="localhost", suppress_ragged_eofs=False)
        tls.sendall(b"hello\n")
        clients.append(tls)
    time.sleep(1)
    sizes = [read_to_end(tls) for tls in clients]
    print(f"{len(sizes)} clean, {sum(sizes)} bytes")


main()
