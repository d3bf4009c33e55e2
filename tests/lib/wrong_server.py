# SPDX-License-Identifier: GPL-2.0-or-later
"""A TLS server that is wrong in one place at a time, and what a wrapped client makes of it.

    wrong_server.py PORT CERT KEY GROUP COMMAND...

COMMAND connects to PORT, writes SECRET and reads to the end, once for each conversation of GROUP (see the tables
at the end). What has to come back is the one alert of the row, protected when the keys are there, and then the end
of TCP; what COMMAND must say is the errno of the row; and neither side's plaintext may pass where nothing is proven.
The server knows one suite of each version and one group: TLS_AES_128_GCM_SHA256, ECDHE-ECDSA-AES128-GCM-SHA256,
x25519.
"""

import hashlib
import hmac
import os
import re
import socket
import struct
import subprocess
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET = b"SECRET"
ANSWER = b"answer"
CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
RETRY = hashlib.sha256(b"HelloRetryRequest").digest()
TLS13 = b"\x03\x04"
ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
    42: "bad_certificate", 47: "illegal_parameter", 50: "decode_error", 51: "decrypt_error", 70: "protocol_version",
    100: "no_renegotiation", 109: "missing_extension", 110: "unsupported_extension",
}


def u8(n):
    return bytes([n])


def u16(n):
    return struct.pack(">H", n)


def u24(n):
    return struct.pack(">I", n)[1:]


def v8(data):
    return u8(len(data)) + data


def v16(data):
    return u16(len(data)) + data


def v24(data):
    return u24(len(data)) + data


def ext(number, body=b""):
    return u16(number) + v16(body)


def message(number, body):
    return u8(number) + v24(body)


class Ended(Exception):
    """The client has sent an alert or closed the connection."""


# ---- protection ----


def expand_label(secret, label, context, length):
    info = u16(length) + v8(b"tls13 " + label) + v8(context)
    out, block = b"", b""
    for i in range(1, 3):
        block = hmac.new(secret, block + info + u8(i), hashlib.sha256).digest()
        out += block
    return out[:length]


class Protection13:
    """RFC 8446 5.2, one direction."""

    def __init__(self, secret):
        self.secret, self.number = secret, 0
        self.aead, self.iv = AESGCM(expand_label(secret, b"key", b"", 16)), expand_label(secret, b"iv", b"", 12)

    def nonce(self):
        self.number += 1
        return (int.from_bytes(self.iv, "big") ^ (self.number - 1)).to_bytes(12, "big")

    def seal(self, kind, content):
        inner = content + (u8(kind) if kind else b"")
        header = u8(DATA) + b"\x03\x03" + u16(len(inner) + 16)
        return header + self.aead.encrypt(self.nonce(), inner, header)

    def open(self, header, body):
        inner = self.aead.decrypt(self.nonce(), body, header).rstrip(b"\0")
        return inner[-1], inner[:-1]


class Protection12:
    """RFC 5288, one direction."""

    def __init__(self, key, salt):
        self.aead, self.salt, self.number = AESGCM(key), salt, 0

    def extra(self, kind, length):
        self.number += 1
        return struct.pack(">Q", self.number - 1) + u8(kind) + b"\x03\x03" + u16(length)

    def seal(self, kind, content):
        nonce = struct.pack(">Q", self.number)
        sealed = nonce + self.aead.encrypt(self.salt + nonce, content, self.extra(kind, len(content)))
        return u8(kind) + b"\x03\x03" + v16(sealed)

    def open(self, header, body):
        content = self.aead.decrypt(self.salt + body[:8], body[8:], self.extra(header[0], len(body) - 24))
        return header[0], content


# ---- what both versions have in common ----


class Server:
    """change: name of a message -> what is sent in its place, by a function of it; before: what comes in front."""

    def __init__(self, sock, identity, change=None, before=None, after=None):
        self.sock, self.identity = sock, identity
        self.change, self.before, self.after = change or {}, before or {}, after
        self.seal = self.open = None
        self.wire, self.handshake, self.transcript = b"", b"", b""
        self.alerts, self.data, self.in_clear, self.end = [], b"", b"", None
        sock.settimeout(10)

    def raw(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def record(self, kind, content, protect=True):
        self.raw(self.seal(kind, content) if self.seal and protect else u8(kind) + b"\x03\x03" + v16(content))

    def emit(self, name, whole):
        if name in self.before:
            self.before[name](self)
        if name in self.change:
            whole = self.change[name](self, whole)
        if whole is not None:
            self.transcript += whole
            self.record(HANDSHAKE, whole)

    def take(self, n):
        while len(self.wire) < n:
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more, self.end = b"", "a reset"
            except socket.timeout:
                more, self.end = b"", "nothing"
            if not more:
                self.end = self.end or "the end"
                raise Ended
            self.wire += more
        taken, self.wire = self.wire[:n], self.wire[n:]
        return taken

    def read_record(self):
        header = self.take(5)
        content = self.take(struct.unpack(">H", header[3:])[0])
        kind, is_protected = header[0], False
        if self.open and (kind == DATA or not isinstance(self, Server13)):
            kind, content = self.open(header, content)
            is_protected = True
        if kind == HANDSHAKE:
            self.handshake += content
        elif kind == DATA and is_protected:
            self.data += content
        elif kind == ALERT:
            self.alerts.append((ALERTS.get(content[1], str(content[1])), content[0], is_protected))
            raise Ended
        elif kind != CCS:
            self.in_clear += content
        return kind

    def read_message(self):
        while len(self.handshake) < 4 or len(self.handshake) < 4 + int.from_bytes(self.handshake[1:4], "big"):
            self.read_record()
        n = 4 + int.from_bytes(self.handshake[1:4], "big")
        whole, self.handshake = self.handshake[:n], self.handshake[n:]
        return whole

    def read_hello(self):
        whole = self.read_message()
        body = whole[4:]
        self.client_random, self.session_id = body[2:34], body[35 : 35 + body[34]]
        at = 35 + body[34]
        at += 2 + struct.unpack(">H", body[at : at + 2])[0] + 2
        at += 2
        self.offered = {}
        while at < len(body):
            number, length = struct.unpack(">HH", body[at : at + 4])
            self.offered[number] = body[at + 4 : at + 4 + length]
            at += 4 + length
        self.transcript += whole

    def hash(self):
        return hashlib.sha256(self.transcript).digest()

    def sign(self, content):
        return u16(0x0403) + v16(self.identity[1].sign(content, ec.ECDSA(hashes.SHA256())))

    def talk(self):
        while len(self.data) < len(SECRET):
            self.read_record()
        if self.after:
            self.after(self)
        self.record(DATA, ANSWER)
        self.record(ALERT, b"\1\0")

    def serve(self):
        try:
            self.run()
        except Ended:
            pass
        while self.end is None:
            try:
                self.read_record()
            except Ended:
                pass
        self.sock.close()


class Server13(Server):
    """RFC 8446; retry: asks for secp256r1 first, which the row's HelloRetryRequest is about."""

    retry = False

    def share(self):
        shares = self.offered[51][2:]
        while shares:
            group, length = struct.unpack(">HH", shares[:4])
            if group == 29:
                return x25519.X25519PublicKey.from_public_bytes(shares[4 : 4 + length])
            shares = shares[4 + length :]
        raise Ended  # the answer to a HelloRetryRequest: all rows that send one are over by now

    def hello(self, random, key_share):
        extensions = ext(43, TLS13) + ext(51, key_share)
        return message(2, b"\x03\x03" + random + v8(self.session_id) + u16(0x1301) + b"\0" + v16(extensions))

    def run(self):
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        self.read_hello()
        if self.retry:
            self.transcript = message(254, self.hash())
            self.emit("HelloRetryRequest", self.hello(RETRY, u16(23)))
            self.read_hello()
        key = x25519.X25519PrivateKey.generate()
        self.emit("ServerHello", self.hello(os.urandom(32), u16(29) + v16(key.public_key().public_bytes(*raw))))
        self.derive(key.exchange(self.share()))
        self.emit("EncryptedExtensions", message(8, v16(b"")))
        self.emit("Certificate", message(11, b"\0" + v24(v24(self.identity[0]) + v16(b""))))
        text = b" " * 64 + b"TLS 1.3, server CertificateVerify\0"
        self.emit("CertificateVerify", message(15, self.sign(text + self.hash())))
        finished = expand_label(self.from_server, b"finished", b"", 32)
        self.emit("Finished", message(20, hmac.new(finished, self.hash(), hashlib.sha256).digest()))
        seal, opening = self.application()
        self.seal = seal.seal
        finished = expand_label(self.from_client, b"finished", b"", 32)
        expected = hmac.new(finished, self.hash(), hashlib.sha256).digest()
        assert self.read_message() == message(20, expected), "the client's Finished"
        self.open, self.keys = opening.open, seal
        self.talk()

    def derive(self, shared):
        def extract(salt, key):
            return hmac.new(salt, key, hashlib.sha256).digest()

        empty = hashlib.sha256(b"").digest()
        derived = expand_label(extract(bytes(32), bytes(32)), b"derived", empty, 32)
        secret = extract(derived, shared)
        self.from_client = expand_label(secret, b"c hs traffic", self.hash(), 32)
        self.from_server = expand_label(secret, b"s hs traffic", self.hash(), 32)
        self.master = extract(expand_label(secret, b"derived", empty, 32), bytes(32))
        self.seal, self.open = Protection13(self.from_server).seal, Protection13(self.from_client).open

    def application(self):
        return (
            Protection13(expand_label(self.master, b"s ap traffic", self.hash(), 32)),
            Protection13(expand_label(self.master, b"c ap traffic", self.hash(), 32)),
        )


class Retry13(Server13):
    retry = True


class Server12(Server):
    """RFC 5246, with the extended master secret."""

    verify_data = b""

    def prf(self, secret, label, seed, length):
        out, a = b"", label + seed
        while len(out) < length:
            a = hmac.new(secret, a, hashlib.sha256).digest()
            out += hmac.new(secret, a + label + seed, hashlib.sha256).digest()
        return out[:length]

    def finished(self, label):
        return message(20, self.prf(self.master, label, self.hash(), 12))

    def run(self):
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        self.transcript = b""
        self.read_hello()
        random = os.urandom(32)
        extensions = ext(0xFF01, v8(self.verify_data)) + ext(23)
        self.emit("ServerHello", message(2, b"\x03\x03" + random + b"\0\xc0\x2b\0" + v16(extensions)))
        self.emit("Certificate", message(11, v24(v24(self.identity[0]))))
        key = x25519.X25519PrivateKey.generate()
        params = b"\x03\0\x1d" + v8(key.public_key().public_bytes(*raw))
        self.emit("ServerKeyExchange", message(12, params + self.sign(self.client_random + random + params)))
        self.emit("ServerHelloDone", message(14, b""))
        exchange = self.read_message()
        self.transcript += exchange
        shared = key.exchange(x25519.X25519PublicKey.from_public_bytes(exchange[5:]))
        self.master = self.prf(shared, b"extended master secret", self.hash(), 48)
        block = self.prf(self.master, b"key expansion", random + self.client_random, 40)
        assert self.read_record() == CCS, "a ChangeCipherSpec"
        self.open = Protection12(block[:16], block[32:36]).open
        expected = self.finished(b"client finished")
        assert self.read_message() == expected, "the client's Finished"
        self.transcript += expected
        if "ChangeCipherSpec" in self.before:
            self.before["ChangeCipherSpec"](self)
        if "ChangeCipherSpec" not in self.change:
            self.record(CCS, b"\1")
        ours = self.finished(b"server finished")
        self.seal = Protection12(block[16:32], block[36:40]).seal
        self.emit("Finished", ours)
        self.verify_data = expected[4:] + ours[4:]
        self.talk()


# ---- changes ----


def with_byte(_, whole):
    return message(whole[0], whole[4:] + b"\0")


def cut(_, whole):
    return message(whole[0], whole[4:-1])


def damaged(_, whole):
    return whole[:-1] + u8(whole[-1] ^ 1)


def omitted(*_):
    return None


def twice(server, whole):
    server.record(HANDSHAKE, whole)
    return whole


def twice_in_a_record(_, whole):
    return whole + whole


def with_extension(number, body=b""):
    """A hello, or an EncryptedExtensions, with one more."""

    def change(_, whole):
        at = 4 + 2 + 32 + 1 + whole[38] + 3 if whole[0] == 2 else 4
        return message(whole[0], whole[4:at] + v16(whole[at + 2 :] + ext(number, body)))

    return change


def replaced(old, new):
    def change(_, whole):
        assert old in whole
        return message(whole[0], whole[4:].replace(old, new))

    return change


def at(offset, value):
    def change(_, whole):
        return whole[:offset] + value + whole[offset + len(value) :]

    return change


def send(kind, content, protect=True):
    return lambda server: server.record(kind, content, protect)


def end_without_close_notify(server):
    server.record(DATA, ANSWER)
    server.sock.shutdown(socket.SHUT_WR)
    raise Ended


def ask_and_forget(server):
    server.record(HANDSHAKE, message(0, b""))
    server.read_message()


def number_skipped(server):
    server.seal(DATA, b"")


# ---- conversations: name, server, its arguments, alert, what the client says ----

FINE, NOTHING = "close_notify", None
OK = f"connect: 0 write: {len(SECRET)} slurp: {len(ANSWER)} end"
REFUSED, UNTRUSTED = "connect: EPROTO", "connect: EKEYREJECTED"
BROKEN = f"connect: 0 write: {len(SECRET)} slurp: 0 ECONNRESET"


def changed(server, name, change, alert):
    is_signature = alert == "decrypt_error" and name != "Finished"
    says = UNTRUSTED if is_signature else REFUSED
    return (f"{name} {change.__name__}", server, {"change": {name: change}}, alert, says)


def in_front(server, name, what, sent, alert, says=REFUSED):
    return (f"{what} in front of {name}", server, {"before": {name: sent}}, alert, says)


def behind(server, what, sent, alert, says=BROKEN):
    return (f"{what} behind the handshake", server, {"after": sent}, alert, says)


FLIGHT13 = ("EncryptedExtensions", "Certificate", "CertificateVerify", "Finished")
FLIGHT12 = ("Certificate", "ServerKeyExchange", "ServerHelloDone")

CONVERSATIONS = {
    "messages13": [("a right one", Server13, {}, FINE, OK)]
    + [changed(Server13, name, with_byte, "decode_error") for name in ("ServerHello", *FLIGHT13)]
    + [changed(Server13, name, cut, "decode_error") for name in ("ServerHello", *FLIGHT13)]
    + [changed(Server13, name, omitted, "unexpected_message") for name in FLIGHT13[:-1]]
    + [
        changed(Server13, "ServerHello", twice_in_a_record, "unexpected_message"),
        changed(Server13, "CertificateVerify", damaged, "decrypt_error"),
        changed(Server13, "Finished", damaged, "decrypt_error"),
        changed(Server13, "Finished", twice_in_a_record, "unexpected_message"),
        ("a certificate of nobody", Server13, {"change": {"Certificate": replaced(b"\x30\x82", b"\x30\x83")}},
         "bad_certificate", UNTRUSTED),
        in_front(Server13, "EncryptedExtensions", "NewSessionTicket", send(HANDSHAKE, message(4, b"x")),
                 "unexpected_message"),
        in_front(Server13, "Finished", "KeyUpdate", send(HANDSHAKE, message(24, b"\0")), "unexpected_message"),
    ],
    "hello13": [
        changed(Server13, "ServerHello", with_extension(0), "illegal_parameter"),
        changed(Server13, "ServerHello", with_extension(0x0A0A), "unsupported_extension"),
        changed(Server13, "ServerHello", with_extension(43, TLS13), "illegal_parameter"),
        changed(Server13, "ServerHello", replaced(ext(43, TLS13), ext(43, b"\x03\x03")), "illegal_parameter"),
        changed(Server13, "ServerHello", at(4, b"\x03\x00"), "protocol_version"),
        changed(Server13, "ServerHello", at(39, b"another session id"), "illegal_parameter"),
        changed(Server13, "ServerHello", replaced(u16(0x1301) + b"\0", u16(0x1304) + b"\0"), "illegal_parameter"),
        changed(Server13, "ServerHello", replaced(u16(0x1301) + b"\0", u16(0x1301) + b"\1"), "illegal_parameter"),
        changed(Server13, "EncryptedExtensions", with_extension(51), "illegal_parameter"),
        changed(Server13, "EncryptedExtensions", with_extension(16, v16(v8(b"h2"))), "unsupported_extension"),
        changed(Retry13, "HelloRetryRequest", replaced(ext(51, u16(23)), ext(51, u16(29))), "illegal_parameter"),
        changed(Retry13, "HelloRetryRequest", replaced(ext(51, u16(23)), ext(51, u16(0x1A1A))), "illegal_parameter"),
        changed(Retry13, "HelloRetryRequest", twice, "unexpected_message"),
    ],
    "records13": [
        in_front(Server13, "ServerHello", "data", send(DATA, ANSWER), "unexpected_message"),
        in_front(Server13, "ServerHello", "a type that there is not", send(99, b"x"), "unexpected_message"),
        in_front(Server13, "Finished", "data", send(DATA, ANSWER), "unexpected_message"),
        in_front(Server13, "Certificate", "a record without type", send(0, b""), "unexpected_message"),
        in_front(Server13, "Certificate", "a skipped number", number_skipped, "bad_record_mac"),
        in_front(Server13, "Certificate", "a clear alert", send(ALERT, b"\2\x28", False), "unexpected_message"),
        in_front(Server13, "Certificate", "an error", send(ALERT, b"\2\x28"), NOTHING),
        in_front(Server13, "Certificate", "an error as a warning", send(ALERT, b"\1\x28"), NOTHING),
        in_front(Server13, "Certificate", "close_notify", send(ALERT, b"\1\0"), FINE),
        in_front(Server13, "Certificate", "half an alert", send(ALERT, b"\2"), "decode_error"),
        behind(Server13, "data in clear", send(DATA, ANSWER * 5, False), "bad_record_mac"),
        behind(Server13, "ChangeCipherSpec", send(CCS, b"\1", False), "unexpected_message"),
        behind(Server13, "a skipped number", number_skipped, "bad_record_mac"),
        behind(Server13, "17 KB", send(DATA, bytes(17000)), "record_overflow"),
        behind(Server13, "a request for a certificate", send(HANDSHAKE, message(13, b"\0\0\0")), "unexpected_message"),
        behind(Server13, "a KeyUpdate of kind 2", send(HANDSHAKE, message(24, b"\2")), "illegal_parameter"),
        behind(Server13, "an empty ticket", send(HANDSHAKE, message(4, bytes(13))), "decode_error"),
        behind(Server13, "an error", send(ALERT, b"\2\x28"), NOTHING),
        behind(Server13, "TCP's end", end_without_close_notify, FINE, OK.replace("end", "ECONNRESET")),
    ],
    "version12": [("a right one", Server12, {}, FINE, OK)]
    + [changed(Server12, name, with_byte, "decode_error") for name in ("ServerHello", *FLIGHT12, "Finished")]
    + [changed(Server12, name, omitted, "unexpected_message") for name in FLIGHT12[:-1]]
    + [
        changed(Server12, "ServerHello", at(4, b"\x03\x04"), "protocol_version"),
        changed(Server12, "ServerHello", at(30, b"DOWNGRD\1"), "illegal_parameter"),
        changed(Server12, "ServerHello", at(39, u16(0x1301)), "illegal_parameter"),
        changed(Server12, "ServerHello", at(41, b"\1"), "illegal_parameter"),
        changed(Server12, "ServerHello", with_extension(22), "unsupported_extension"),
        changed(Server12, "ServerKeyExchange", damaged, "decrypt_error"),
        changed(Server12, "ServerKeyExchange", at(5, b"\0\x16"), "illegal_parameter"),
        changed(Server12, "Finished", damaged, "decrypt_error"),
        ("no ChangeCipherSpec", Server12, {"change": {"ChangeCipherSpec": omitted}}, "unexpected_message", REFUSED),
        in_front(Server12, "Certificate", "ChangeCipherSpec", send(CCS, b"\1"), "unexpected_message"),
        in_front(Server12, "Finished", "data", send(DATA, ANSWER), "unexpected_message"),
        in_front(Server12, "ServerHelloDone", "a warning", send(ALERT, b"\1\x5a"), FINE, OK),
        in_front(Server12, "ServerHelloDone", "an error", send(ALERT, b"\2\x5a"), NOTHING),
        in_front(Server12, "ServerHelloDone", "close_notify", send(ALERT, b"\1\0"), FINE),
        behind(Server12, "HelloRequest", send(HANDSHAKE, message(0, b"")), "no_renegotiation", OK),
        behind(Server12, "a skipped number", number_skipped, "bad_record_mac"),
        behind(Server12, "Finished", send(HANDSHAKE, message(20, bytes(12))), "unexpected_message"),
    ],
    # what comes in place of an answer to the client's ClientHello: data, and the end
    "renegotiation": [behind(Server12, "a renegotiation", ask_and_forget, FINE, OK)],
}


def judge(row, server, said):
    """What is wrong with a conversation, if anything."""
    _, _, _, alert, says = row
    got = server.alerts
    if server.in_clear or (SECRET in server.wire):
        return f"in clear: {server.in_clear!r}"
    if said != says:
        return f"the client says '{said}' and not '{says}'"
    if server.end != "the end":
        return f"{server.end} behind the last record"
    if alert == "no_renegotiation":
        got, alert = got[1:], FINE
    if [name for name, _, _ in got] != ([alert] if alert else []):
        return f"alerts {got}"
    if got and got[0][1] != (1 if alert == FINE else 2):
        return f"an alert of level {got[0][1]}"
    is_early = any("Hello" in name and "Done" not in name for name in (*server.change, *server.before))
    if got and got[0][2] != (server.open is not None and not is_early):
        return "an alert that is protected" if got[0][2] else "an alert that is not protected"
    return None


def main():
    port, cert, key, group = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    with open(cert, "rb") as f:
        der = x509.load_pem_x509_certificate(f.read()).public_bytes(serialization.Encoding.DER)
    with open(key, "rb") as f:
        identity = der, serialization.load_pem_private_key(f.read(), None)
    n_wrong = 0
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(20)
        for row in CONVERSATIONS[group]:
            client = subprocess.Popen(sys.argv[5:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            server = row[1](listener.accept()[0], identity, **row[2])
            server.serve()
            out, err = client.communicate(timeout=20)
            wrong = judge(row, server, re.sub(r"\s+", " ", out).strip())
            print(f"{'not ok' if wrong else 'ok'} {row[0]}" + (f": {wrong}\n{err}" if wrong else ""))
            n_wrong += wrong is not None
    print(f"{len(CONVERSATIONS[group])} conversations, {n_wrong} wrong")
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
