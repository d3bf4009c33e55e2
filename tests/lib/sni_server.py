# SPDX-License-Identifier: GPL-2.0-or-later
"""A TLS server with one certificate for each name: answers with the name that the client sent.

usage: sni_server.py PORT NAME...   with NAME.pem and NAME.key for the name NAME.test; others get the first's
"""

import socket
import ssl
import sys
import threading


def main():
    contexts = {}
    for name in sys.argv[2:]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{name}.pem", f"{name}.key")
        contexts[f"{name}.test"] = context
    first = next(iter(contexts.values()))
    asked = {}

    def choose(tls, name, _):
        asked[tls] = name
        if name in contexts:
            tls.context = contexts[name]

    first.sni_callback = choose
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)

    def serve(connection):
        try:
            tls = first.wrap_socket(connection, server_side=True)
            tls.sendall(str(asked.pop(tls, None)).encode())
            tls.unwrap().close()
        except OSError:
            connection.close()

    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


main()
