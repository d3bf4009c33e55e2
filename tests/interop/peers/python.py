# SPDX-License-Identifier: GPL-2.0-or-later
"""A TLS peer for the interoperability matrix, with Python's ssl. Orders: see Agent in tests/lib/interop.py."""

import socket
import ssl
import subprocess
import sys
import threading

SHUTDOWN = b"\nshutdown\n"
CURVES = {"secp256r1": "prime256v1", "secp384r1": "secp384r1", "secp521r1": "secp521r1"}
lock = threading.Lock()


def say(did, **words):
    with lock:
        print("\t".join([f"did={did}"] + [f"{key}={value}" for key, value in words.items()]), flush=True)


def standard_names():
    lines = subprocess.run(
        ["openssl", "ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], capture_output=True, text=True
    )
    return {words[2]: words[0] for words in map(str.split, lines.stdout.splitlines())}


STANDARD_NAME_OF = standard_names()
NAME_OF = {standard: name for name, standard in STANDARD_NAME_OF.items()}


def context_for(order, is_server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = {
        "1.0": ssl.TLSVersion.TLSv1,
        "1.1": ssl.TLSVersion.TLSv1_1,
        "1.2": ssl.TLSVersion.TLSv1_2,
        "1.3": ssl.TLSVersion.TLSv1_3,
    }[order["version"]]
    context.load_verify_locations(order["ca"])
    if "cert" in order:
        context.load_cert_chain(order["cert"], order["key"])
    if order.get("client"):
        context.verify_mode = ssl.CERT_REQUIRED
    if order.get("suite") in NAME_OF and order["version"] != "1.3":
        context.set_ciphers(NAME_OF[order["suite"]] + (":@SECLEVEL=0" if order["version"] < "1.2" else ""))
    if order.get("group") in CURVES:
        context.set_ecdh_curve(CURVES[order["group"]])
    if "alpn" in order:
        context.set_alpn_protocols(order["alpn"].split(" "))
    if order.get("tickets") == "no":
        context.options |= ssl.OP_NO_TICKET
    return context


def report(tls):
    certificate = tls.getpeercert()
    subject = dict(part[0] for part in certificate["subject"]) if certificate else {}
    return {
        "version": {"TLSv1": "1.0"}.get(tls.version(), tls.version()[4:]),
        "suite": STANDARD_NAME_OF[tls.cipher()[0]],
        "resumed": "true" if tls.session_reused else "false",
        "peer": subject.get("commonName", ""),
        "alpn": tls.selected_alpn_protocol() or "",
    }


def read_to_end(tls):
    while tls.recv(1 << 16):
        pass


def serve(connection, context):
    words, size, tail, end = {}, 0, b"", "clean"
    try:
        tls = context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False)
        words = report(tls)
        while data := tls.recv(1 << 16):
            size += len(data)
            tail = (tail + data)[-len(SHUTDOWN) :]
            tls.sendall(data)
            if tail == SHUTDOWN:
                break
        # Our close_notify, and the peer's, if it has not come before.
        tls.unwrap().close()
    except OSError as error:
        end = repr(error)
        connection.close()
    say("served", **words, size=size, end=end)


def listen(order):
    context = context_for(order, True)
    listener = socket.create_server(("::", int(order["port"])), family=socket.AF_INET6, dualstack_ipv6=True)
    say("listen")
    while True:
        connection = listener.accept()[0]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(connection, context), daemon=True).start()


last = {}


def connect(order):
    with open(order["text"], "rb") as file:
        text = file.read()
    words, received, end = {}, bytearray(), "clean"
    if order["resume"] == "yes":
        context = last["context"]
    else:
        context = last["context"] = context_for(order, False)
        last["session"] = None
    try:
        plain = socket.create_connection((order["host"], int(order["port"])), timeout=20)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = context.wrap_socket(
            plain, server_hostname="localhost", suppress_ragged_eofs=False, session=last["session"]
        )
        words = report(tls)
        # In turns: OpenSSL's connections are not for two threads at once, and Python does not see to it.
        for begin in range(0, len(text), 20000):
            piece = text[begin : begin + 20000]
            tls.sendall(piece)
            while len(received) < begin + len(piece):
                data = tls.recv(1 << 16)
                if not data:
                    raise ssl.SSLEOFError("an early end")
                received += data
        last["session"] = tls.session
        if order["first"] != "yes":
            read_to_end(tls)
        tls.unwrap().close()
    except OSError as error:
        end = repr(error)
    say("connect", **words, size=len(received), same="true" if received == text else "false", end=end)


def main():
    for line in sys.stdin:
        what, *words = line.rstrip("\n").split("\t")
        order = dict(word.split("=", 1) for word in words)
        if what == "listen":
            threading.Thread(target=listen, args=(order,), daemon=True).start()
        else:
            connect(order)


main()
