# SPDX-License-Identifier: GPL-2.0-or-later
"""A TLS client that sends and receives at once, half-closes, and reads on: duplex.py PKI PORT <IN >OUT

Verifies the server; the end must be a close_notify.
"""

import pathlib
import select
import socket
import ssl
import sys


def main():
    pki, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    wire = socket.create_connection(("127.0.0.1", port), timeout=25)
    wire.setblocking(False)
    data, at, pending, ready, said = sys.stdin.buffer.read(), 0, b"", False, False
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    while True:
        pending += outgoing.read()
        if not pending and ready and not said:
            if at < len(data):
                at += tls.write(data[at : at + 16000])
            elif not incoming.pending:
                try:
                    tls.unwrap()
                except ssl.SSLWantReadError:
                    pass
                said = True
            pending = outgoing.read()
        readable, writable, _ = select.select([wire], [wire] if pending else [], [], 25)
        if not readable and not writable:
            sys.exit("nothing happens")
        if writable:
            pending = pending[wire.send(pending) :]
        if not readable:
            continue
        part = wire.recv(1 << 16)
        if not part:
            sys.exit("the connection ended without a close_notify")
        incoming.write(part)
        try:
            if not ready:
                tls.do_handshake()
                ready = True
            while got := tls.read(1 << 16):
                sys.stdout.buffer.write(got)
            break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            break
    sys.stdout.flush()
    if at < len(data):
        sys.exit("it ended before all was sent")


main()
