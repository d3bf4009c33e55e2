# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS clients that send close_notify but leave TCP open: half_end.py PKI PORT COUNT [DATA]

One after the other. DATA goes first, 100 ms before the end; then each stays until the server closes.
"""

import socket
import ssl
import sys
import time


def main():
    pki, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    context = ssl.create_default_context(cafile=f"{pki}/ca.pem")
    for _ in range(count):
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
        tls = context.wrap_socket(plain, server_hostname="localhost")
        if len(sys.argv) > 4:
            tls.sendall(sys.argv[4].encode())
        time.sleep(0.1)
        tls.settimeout(0.05)
        try:
            tls.unwrap()
        except OSError:
            pass  # the server's answer has not come yet
        plain = socket.socket(fileno=tls.detach())
        plain.settimeout(20)
        while plain.recv(1000):
            pass


main()
