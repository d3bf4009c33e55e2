# SPDX-License-Identifier: GPL-2.0-or-later
"""A TLS 1.3 client that is wrong in one place at a time, and what a wrapped echo server makes of it.

    wrong_client.py PORT GROUP [FORM]

Each conversation of GROUP (see the tables at the end) is held with the server on PORT, with messages and segments cut
as FORM says: whole, records (of one byte) or segments (of one byte). What has to come back is the one alert of the row,
protected when the keys are there, and then the end of TCP, not a reset; or the echo, and the answer to our
close_notify. The client knows one suite and one group: TLS_AES_128_GCM_SHA256, x25519.
"""

import hashlib
import hmac
import os
import socket
import struct
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import x25519

from wrong_server import ALERT, ALERTS, CCS, DATA, HANDSHAKE, RETRY, TLS13
from wrong_server import Protection13, expand_label, ext, message, u8, u16, v8, v16, v24

GET = b"GET / HTTP/1.0\r\n\r\n"
TLS12 = b"\x03\x03"
SERVER_HELLO, KEY_UPDATE, FINISHED = 2, 24, 20
SUITE = u16(0x1301)


class Client:
    """form: how messages are cut into records, and records into segments."""

    def __init__(self, port, form):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(10)
        self.form = form
        self.seal = self.open = None
        self.wire = self.held = self.transcript = b""
        self.random, self.session_id = os.urandom(32), os.urandom(32)
        self.key = x25519.X25519PrivateKey.generate()
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        self.share = self.key.public_key().public_bytes(*raw)

    # ---- sending ----

    def raw(self, data):
        size = 1 if self.form == "segments" else len(data)
        try:
            for at in range(0, len(data), size or 1):
                self.sock.sendall(data[at : at + size])
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has ended it before the last byte

    def plain(self, kind, content):
        self.raw(u8(kind) + TLS12 + v16(content))

    def record(self, kind, content, padding=0):
        if self.seal is None:
            return self.plain(kind, content)
        self.raw(self.seal.seal(0, content + u8(kind) + bytes(padding)))

    def send(self, whole):
        size = 1 if self.form == "records" else 16384
        for at in range(0, len(whole), size):
            self.record(HANDSHAKE, whole[at : at + size])

    def extensions(self, drop=(), **change):
        """In the order of the names; e10=…: another body of extension 10, or one more."""
        bodies = {
            "e43": v8(TLS13),
            "e10": v16(u16(29)),
            "e13": v16(u16(0x0403) + u16(0x0804)),
            "e51": v16(u16(29) + v16(self.share)),
        }
        bodies.update(change)
        return [ext(int(name[1:]), body) for name, body in bodies.items() if int(name[1:]) not in drop]

    def hello(self, extensions=None, version=TLS12, suites=SUITE, methods=b"\0", session_id=None):
        session_id = self.session_id if session_id is None else session_id
        block = v16(b"".join(self.extensions() if extensions is None else extensions))
        whole = message(1, version + self.random + v8(session_id) + v16(suites) + v8(methods) + block)
        self.transcript += whole
        self.send(whole)

    # ---- receiving ----

    def take(self, n):
        while len(self.wire) < n:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError
            self.wire += more
        taken, self.wire = self.wire[:n], self.wire[n:]
        return taken

    def read_record(self):
        header = self.take(5)
        content = self.take(struct.unpack(">H", header[3:])[0])
        if self.open and header[0] == DATA:
            return *self.open.open(header, content), True
        return header[0], content, False

    def read_message(self):
        while len(self.held) < 4 or len(self.held) < 4 + int.from_bytes(self.held[1:4], "big"):
            kind, content, _ = self.read_record()
            assert kind in (HANDSHAKE, CCS), f"a record of type {kind}, {content[:8].hex()}"
            self.held += content if kind == HANDSHAKE else b""
        n = 4 + int.from_bytes(self.held[1:4], "big")
        whole, self.held = self.held[:n], self.held[n:]
        return whole

    def read_data(self, n):
        data = b""
        while len(data) < n:
            kind, content, is_protected = self.read_record()
            assert kind == DATA and is_protected, f"a record of type {kind}, {content[:8].hex()}"
            data += content
        return data

    def hash(self):
        return hashlib.sha256(self.transcript).digest()

    # ---- steps of a conversation ----

    def retry(self):
        """A HelloRetryRequest, since our first hello had no share."""
        self.hello(self.extensions(e51=v16(b"")))
        answer = self.read_message()
        assert answer[0] == SERVER_HELLO and answer[6:38] == RETRY, "no HelloRetryRequest"
        self.transcript = message(254, self.hash()) + answer

    def flight(self):
        """The server's messages up to its Finished."""
        answer = self.read_message()
        assert answer[0] == SERVER_HELLO and answer[6:38] != RETRY, "no ServerHello"
        self.transcript += answer
        share = x25519.X25519PublicKey.from_public_bytes(answer[answer.index(u16(29) + u16(32)) + 4 :][:32])
        empty = hashlib.sha256(b"").digest()

        def extract(salt, key):
            return hmac.new(salt, key, hashlib.sha256).digest()

        derived = expand_label(extract(bytes(32), bytes(32)), b"derived", empty, 32)
        secret = extract(derived, self.key.exchange(share))
        self.from_client = expand_label(secret, b"c hs traffic", self.hash(), 32)
        self.seal = Protection13(self.from_client)
        self.open = Protection13(expand_label(secret, b"s hs traffic", self.hash(), 32))
        while not self.transcript or answer[0] != FINISHED:
            answer = self.read_message()
            self.transcript += answer
        master = extract(expand_label(secret, b"derived", empty, 32), bytes(32))
        self.application = Protection13(expand_label(master, b"c ap traffic", self.hash(), 32))
        self.open = Protection13(expand_label(master, b"s ap traffic", self.hash(), 32))

    def finished(self):
        key = expand_label(self.from_client, b"finished", b"", 32)
        return message(FINISHED, hmac.new(key, self.hash(), hashlib.sha256).digest())

    def greet(self):
        self.hello()
        self.flight()

    def finish(self):
        self.send(self.finished())
        self.seal = self.application

    def shake(self):
        self.greet()
        self.finish()

    def update(self, request):
        self.record(HANDSHAKE, message(KEY_UPDATE, u8(request)))
        self.seal = Protection13(expand_label(self.seal.secret, b"traffic upd", b"", 32))

    def await_update(self):
        assert self.read_message() == message(KEY_UPDATE, b"\0"), "no KeyUpdate"
        self.open = Protection13(expand_label(self.open.secret, b"traffic upd", b"", 32))

    def use(self, data=GET):
        self.record(DATA, data)
        assert self.read_data(len(data)) == data, "the echo is another"
        self.record(ALERT, b"\1\0")

    def outcome(self):
        """What comes until the end: None and the end, or the alert as the rows have it."""
        got = None
        try:
            while True:
                kind, content, is_protected = self.read_record()
                if kind == ALERT and got is None:
                    got = ALERTS.get(content[1], str(content[1]))
                    if content[0] != (1 if content[1] == 0 else 2):
                        return f"{got} of level {content[0]}"
                    if is_protected != (self.open is not None):
                        return f"{got} that is {'' if is_protected else 'not '}protected"
                elif kind not in (CCS, DATA):
                    return f"a record of type {kind}"
        except EOFError:
            return got
        except ConnectionResetError:
            return f"{got} and a reset"
        except socket.timeout:
            return f"{got} and no end"


# ---- conversations: name, what has to come back, what the client does ----


def hello(**arguments):
    return lambda c: c.hello(**arguments)


def extensions(drop=(), **change):
    return lambda c: c.hello(c.extensions(drop, **change))


def second(drop=(), **change):
    def converse(c):
        c.retry()
        c.hello(c.extensions(drop, **change))

    return converse


def greeted(*steps):
    """Behind the server's Finished, in place of ours."""
    return lambda c: (c.greet(), [step(c) for step in steps])


def shaken(*steps):
    return lambda c: (c.shake(), [step(c) for step in steps])


def good(*steps):
    return lambda c: ([step(c) for step in steps], c.use())


def record(kind, content, padding=0):
    return lambda c: c.record(kind, content, padding)


def plain(kind, content):
    return lambda c: c.plain(kind, content)


def reversed_second(c):
    c.retry()
    c.hello(c.extensions()[::-1])


def share_of(make):
    return lambda c: c.hello(c.extensions(e51=v16(u16(29) + v16(make(c.share)))))


def bent_finished(make):
    return greeted(lambda c: c.send(make(c.finished())))


def early(c):
    psk = v16(v16(os.urandom(99)) + bytes(4)) + v16(v8(bytes(32)))
    c.hello(c.extensions(e42=b"", e45=b"\1\0", e41=psk))
    c.plain(DATA, os.urandom(8192))
    c.plain(CCS, b"\1")
    c.plain(DATA, os.urandom(8192))
    c.flight()


def updates(n):
    def converse(c):
        c.shake()
        for _ in range(n):
            c.update(1)
        c.record(DATA, GET)
        for _ in range(n):
            c.await_update()
        assert c.read_data(len(GET)) == GET, "the echo is another"
        c.record(ALERT, b"\1\0")

    return converse


def bad_tag(c):
    sealed = c.seal.seal(DATA, GET)
    c.raw(sealed[:-1] + u8(sealed[-1] ^ 1))


def and_more(c):
    for _ in range(100):
        c.plain(DATA, bytes(16000))


CONVERSATIONS = {
    "hello": [
        ("as it should be", "close_notify", good(Client.shake)),
        ("no session id", "close_notify", good(lambda c: (c.hello(session_id=b""), c.flight(), c.finish()))),
        ("SSL 3.0", "protocol_version", hello(version=b"\3\0")),
        ("versions of the future alone", "protocol_version", extensions(e43=v8(b"\3\5"))),
        ("half a version", "decode_error", extensions(e43=v8(b"\3\4\3"))),
        ("a session id of 33", "decode_error", hello(session_id=bytes(33))),
        ("compression", "illegal_parameter", hello(methods=b"\1\0")),
        ("no suites", "decode_error", hello(suites=b"")),
        ("suites of TLS 1.2", "handshake_failure", hello(suites=b"\xc0\x2b")),
        ("no groups", "missing_extension", extensions(drop=(10,))),
        ("no shares", "missing_extension", extensions(drop=(51,))),
        ("no schemes", "missing_extension", extensions(drop=(13,))),
        ("shares without a list", "decode_error", extensions(e51=b"")),
        ("an empty share", "decode_error", share_of(lambda share: b"")),
        ("a share cut short", "illegal_parameter", share_of(lambda share: share[:-1])),
        ("a share with a byte more", "illegal_parameter", share_of(lambda share: share + b"\0")),
        ("a share of zeros", "illegal_parameter", share_of(lambda share: bytes(32))),
        ("a share of another group", "illegal_parameter", extensions(e51=v16(u16(23) + v16(b"x")))),
        ("groups of nobody", "handshake_failure", extensions(e10=v16(u16(99)), e51=v16(b""))),
        ("schemes of nobody", "handshake_failure", extensions(e13=v16(u16(0x0A0A)))),
        ("an odd list of schemes", "decode_error", extensions(e13=v16(b"\4\3\4"))),
        ("an extension twice", "illegal_parameter", lambda c: c.hello(c.extensions() + [ext(13, v16(b"\4\3"))])),
        ("bytes behind the extensions", "decode_error", lambda c: c.hello(c.extensions() + [b"\0"])),
        ("a PSK without modes", "missing_extension", extensions(e41=v16(v16(b"x") + bytes(4)) + v16(v8(bytes(32))))),
        ("a PSK in front", "illegal_parameter", lambda c: c.hello([ext(41), *c.extensions(e45=b"\1\1")])),
        ("a limit of 63", "illegal_parameter", extensions(e28=u16(63))),
        ("another message", "unexpected_message", lambda c: c.send(message(2, bytes(40)))),
        ("a message too large", "decode_error", lambda c: c.send(b"\1\xff\xff\xff")),
        ("data", "unexpected_message", plain(DATA, GET)),
        ("a ChangeCipherSpec", "unexpected_message", plain(CCS, b"\1")),
        ("an empty record", "unexpected_message", plain(HANDSHAKE, b"")),
        ("data within", "unexpected_message", lambda c: (c.plain(HANDSHAKE, b"\1\0"), c.plain(DATA, b""))),
        ("early data", "close_notify", good(early, Client.finish)),
        ("early data, and an unreadable record", "bad_record_mac",
         lambda c: (early(c), c.record(HANDSHAKE, c.finished()[:9]), c.plain(DATA, bytes(64)))),
        ("the second as it should be", "close_notify", good(second(), Client.flight, Client.finish)),
        ("the second without a share", "illegal_parameter", second(e51=v16(b""))),
        ("the second with another extension", "illegal_parameter", second(e9999=b"")),
        ("the second with other schemes", "illegal_parameter", second(e13=v16(u16(0x0403)))),
        ("the second reversed", "illegal_parameter", reversed_second),
    ],
    "finished": [
        ("one bit", "decrypt_error", bent_finished(lambda whole: whole[:-1] + u8(whole[-1] ^ 1))),
        ("a byte less", "decode_error", bent_finished(lambda whole: message(FINISHED, whole[4:-1]))),
        ("a byte more", "decode_error", bent_finished(lambda whole: message(FINISHED, whole[4:] + b"\0"))),
        ("nothing", "decode_error", bent_finished(lambda whole: message(FINISHED, b""))),
        ("16 MiB", "decode_error", bent_finished(lambda whole: b"\x14\xff\xff\xff" + whole[4:])),
        ("wrong, and more behind it", "decrypt_error",
         greeted(lambda c: c.send(message(FINISHED, bytes(32))), and_more)),
        ("in clear", "unexpected_message", greeted(lambda c: c.plain(HANDSHAKE, c.finished()))),
        ("another message", "unexpected_message", greeted(lambda c: c.send(message(11, bytes(4))))),
        ("KeyUpdate", "unexpected_message", greeted(lambda c: c.update(0))),
        ("data", "unexpected_message", greeted(record(DATA, b""))),
        ("a wrong tag", "bad_record_mac", greeted(bad_tag)),
        ("nothing but padding", "unexpected_message", greeted(record(0, b"", 30))),
        ("an empty alert", "unexpected_message", greeted(record(ALERT, b""))),
        ("an alert", None, greeted(record(ALERT, b"\2\x30"))),
        ("an alert in clear", None, greeted(plain(ALERT, b"\2\x30"))),
        ("a ChangeCipherSpec of two bytes", "unexpected_message", greeted(plain(CCS, b"\1\1"))),
        ("a ChangeCipherSpec", "close_notify", good(Client.greet, plain(CCS, b"\1"), Client.finish)),
    ],
    "data": [
        ("empty records between", "close_notify", good(Client.shake, record(DATA, b""), record(DATA, b"", 99))),
        ("16384 bytes", "close_notify", lambda c: (c.shake(), c.use(bytes(16384)))),
        ("16385 bytes", "record_overflow", shaken(record(DATA, bytes(16385)))),
        ("16384 bytes of padding and one", "record_overflow", shaken(record(DATA, b"x", 16384))),
        ("a record of 65535", "record_overflow", shaken(lambda c: c.raw(b"\x17\3\3\xff\xff"))),
        ("a wrong tag", "bad_record_mac", shaken(bad_tag)),
        ("an unknown type", "unexpected_message", shaken(record(99, b"x"))),
        ("a record in clear", "unexpected_message", shaken(plain(HANDSHAKE, b"\x18\0\0\1\0"))),
        ("a ChangeCipherSpec", "unexpected_message", shaken(plain(CCS, b"\1"))),
        ("a ClientHello", "unexpected_message", shaken(lambda c: c.send(message(1, bytes(99))))),
        ("an alert of level 1", None, shaken(record(ALERT, b"\1\x28"))),
        ("an alert of one byte", "decode_error", shaken(record(ALERT, b"\2"))),
        ("32 KeyUpdates, each answered", "close_notify", updates(32)),
        ("KeyUpdate, then the old keys", "bad_record_mac",
         shaken(lambda c: c.send(message(KEY_UPDATE, b"\0")), record(DATA, GET))),
        ("KeyUpdate of a value", "illegal_parameter", shaken(lambda c: c.send(message(KEY_UPDATE, b"\2")))),
        ("KeyUpdate of two bytes", "decode_error", shaken(lambda c: c.send(message(KEY_UPDATE, b"\0\0")))),
        ("KeyUpdate with data within", "unexpected_message", shaken(record(HANDSHAKE, b"\x18\0"), record(DATA, GET))),
        ("two KeyUpdates in a record", "unexpected_message", shaken(record(HANDSHAKE, message(KEY_UPDATE, b"\0") * 2))),
    ],
}


def main():
    port, group = int(sys.argv[1]), sys.argv[2]
    form = sys.argv[3] if len(sys.argv) > 3 else "whole"
    n_wrong = 0
    for name, expected, converse in CONVERSATIONS[group]:
        client = Client(port, form)
        try:
            converse(client)
            got = client.outcome()
        except (AssertionError, EOFError, OSError) as error:
            got = f"{type(error).__name__}: {error}"
        client.sock.close()
        wrong = got != expected
        print(f"{'not ok' if wrong else 'ok'} {name}" + (f": {got}, not {expected}" if wrong else ""))
        n_wrong += wrong
    print(f"{len(CONVERSATIONS[group])} conversations, {n_wrong} wrong")
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
