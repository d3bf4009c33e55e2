#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes record12.h: protected records of TLS 1.0 to 1.2, computed without the engine.

usage: record12.py >record12.h        (needs the package python3-cryptography)

Each row is a short run of records under one key. RFC 5246 6.2.3, RFC 5288, RFC 7905, RFC 7366.
"""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

HANDSHAKE, DATA, ALERT = 22, 23, 21


def bytes_of(name, n):
    """n bytes that look random and are always the same."""
    return hashlib.shake_128(name.encode()).digest(n)


def header(kind, version, length):
    return struct.pack(">BHH", kind, version, length)


def seal_gcm(row, seq, kind, plain, _iv, _padding):
    explicit = struct.pack(">Q", seq)
    aad = explicit + header(kind, row["version"], len(plain))
    sealed = AESGCM(row["key"]).encrypt(row["iv"][:4] + explicit, plain, aad)
    return header(kind, row["version"], len(explicit + sealed)) + explicit + sealed, b""


def seal_chacha(row, seq, kind, plain, _iv, _padding):
    aad = struct.pack(">Q", seq) + header(kind, row["version"], len(plain))
    mask = int.from_bytes(row["iv"][:12], "big") ^ seq
    sealed = ChaCha20Poly1305(row["key"]).encrypt(mask.to_bytes(12, "big"), plain, aad)
    return header(kind, row["version"], len(sealed)) + sealed, b""


def seal_cbc(row, seq, kind, plain, iv, padding):
    """padding: its length without the byte that tells it; None: as little as possible."""
    version = row["version"]
    explicit = iv if version > 0x0301 else b""

    def mac(data):
        head = struct.pack(">Q", seq) + header(kind, version, len(data))
        return hmac.new(row["mac_key"], head + data, row["hash"]).digest()

    inner = plain if row["etm"] else plain + mac(plain)
    if padding is None:
        padding = 15 - len(inner) % 16
    inner += bytes([padding]) * (padding + 1)
    cipher = Cipher(algorithms.AES(row["key"]), modes.CBC(iv)).encryptor()
    sealed = explicit + cipher.update(inner) + cipher.finalize()
    last = sealed[-16:]
    if row["etm"]:
        sealed += mac(sealed)
    return header(kind, version, len(sealed)) + sealed, last


KINDS = {
    0xC02F: (seal_gcm, 16, None), 0xC030: (seal_gcm, 32, None), 0xCCA8: (seal_chacha, 32, None),
    0x002F: (seal_cbc, 16, "sha1"), 0x0035: (seal_cbc, 32, "sha1"), 0x003C: (seal_cbc, 16, "sha256"),
    0x003D: (seal_cbc, 32, "sha256"), 0xC027: (seal_cbc, 16, "sha256"), 0xC028: (seal_cbc, 32, "sha384"),
}
# What is said in a row: content type, plaintext, padding (None: as the engine does it).
TALK = [(HANDSHAKE, b"\x14\x00\x00\x0c" + bytes_of("finished", 12), None), (DATA, b"G", None),
        (DATA, b"attack at dawn, and bring the horses with you", None), (ALERT, b"\x01\x00", None)]
PADDED = [(DATA, b"padded more than it needs", extra) for extra in (6, 22, 38)]


def literal(data):
    text = data.hex()
    return "\n\t\t\t".join('"%s"' % text[i:i + 96] for i in range(0, len(text), 96)) or '""'


def fit(row, padding):
    """The padding nearest to this one that ends a block."""
    inner = 25 + (0 if row["etm"] else hashlib.new(row["hash"]).digest_size)
    return next(p for p in range(padding, 256) if (inner + p + 1) % 16 == 0)


def write_row(suite, version, etm, padded):
    seal, key_len, digest = KINDS[suite]
    name = "%04x %04x %d %d" % (suite, version, etm, padded)
    row = {"version": version, "etm": etm, "hash": digest, "key": bytes_of("key" + name, key_len),
           "iv": bytes_of("iv" + name, 16), "mac_key": b""}
    if digest:
        row["mac_key"] = bytes_of("mac" + name, hashlib.new(digest).digest_size)
    seq = first = 0 if suite != 0xC030 else 0x010203
    randoms, records = b"", []
    chain = row["iv"]
    for kind, plain, padding in PADDED if padded else TALK:
        # TLS 1.0 sends application data in two: the first byte, the rest
        split = digest and version == 0x0301 and kind == DATA and len(plain) > 1 and not padded
        wire = b""
        for piece in [plain[:1], plain[1:]] if split else [plain]:
            iv = chain
            if digest and version > 0x0301:
                iv = bytes_of("explicit" + name + str(seq), 16)
                randoms += iv
            record, chain = seal(row, seq, kind, piece, iv, None if padding is None else fit(row, padding))
            wire += record
            seq += 1
        records.append((kind, plain, wire))
    print("\t{\n\t\t.version = 0x%04x, .suite = 0x%04x, .encrypt_then_mac = %s, .open_only = %s, .seq = %d,"
          % (version, suite, str(bool(etm)).lower(), str(bool(padded)).lower(), first))
    for field in ("key", "iv", "mac_key"):
        print("\t\t.%s = %s," % (field, literal(row[field])))
    print("\t\t.randoms =\n\t\t\t%s," % literal(randoms))
    print("\t\t.records = {")
    for kind, plain, wire in records:
        print("\t\t\t{%d, %s,\n\t\t\t%s},"
              % (kind, literal(plain).replace("\n\t\t\t", " "), literal(wire)))
    print("\t\t},\n\t},")


def main():
    print("""/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protected records of TLS 1.0 to 1.2, written by record12.py: do not edit.
 */
#ifndef TESTS_RECORD12_H
#define TESTS_RECORD12_H

#include <stdbool.h>
#include <stdint.h>

struct record12_vector {
	uint16_t version, suite;
	bool encrypt_then_mac;
	bool open_only; /* padded in a way that the engine does not */
	uint64_t seq;
	const char *key, *iv, *mac_key;
	const char *randoms; /* that the engine draws: explicit IVs */
	struct {
		uint8_t type;
		const char *plain, *wire; /* wire: two records if TLS 1.0 splits */
	} records[4];
};

/* clang-format off */
static const struct record12_vector record12_vectors[] = {""")
    for suite in (0xC02F, 0xC030, 0xCCA8):
        write_row(suite, 0x0303, 0, 0)
    for etm in (0, 1):
        for padded in (0, 1):
            for version in (0x0301, 0x0302, 0x0303):
                for suite in (0x002F, 0x0035):
                    write_row(suite, version, etm, padded)
            for suite in (0x003C, 0x003D, 0xC027, 0xC028):
                write_row(suite, 0x0303, etm, padded)
    print("};\n/* clang-format on */\n\n#endif")


main()
