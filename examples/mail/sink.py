# SPDX-License-Identifier: GPL-2.0-or-later
"""A mail provider in small: SMTP over TLS with Python's own TLS, one mail per connection, written to a file.

usage: sink.py PORT CERTIFICATE KEY FILE
"""
import socket
import ssl
import sys

port, certificate, key, path = int(sys.argv[1]), *sys.argv[2:5]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", port))


def serve(stream, mail):
    """Just enough of RFC 5321 for one mail."""

    def say(line):
        stream.write(line.encode() + b"\r\n")
        stream.flush()

    say("220 localhost ESMTP")
    for line in stream:
        verb = line.split(None, 1)[0].upper().decode() if line.strip() else ""
        if verb == "EHLO":
            say("250-localhost")
            say("250 8BITMIME")
        elif verb == "DATA":
            say("354 go ahead")
            for text in iter(stream.readline, b".\r\n"):
                if not text:
                    return
                mail.write(text)
            mail.flush()
            say("250 accepted")
        elif verb == "QUIT":
            say("221 bye")
            return
        else:
            say("250 OK")


while True:
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as tls, open(path, "ab") as mail:
            mail.write(f"TLS: {tls.version()} {tls.cipher()[0]}\r\n".encode())
            serve(tls.makefile("rwb"), mail)
    except OSError as error:
        print(error, file=sys.stderr, flush=True)
    finally:
        connection.close()
