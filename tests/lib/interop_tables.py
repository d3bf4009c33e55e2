# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of the interoperability matrix: what there is, and which conversations try it all."""

from typing import NamedTuple

VERSIONS = ("1.3", "1.2")


class Suite(NamedTuple):
    """A cipher suite, by the parts of its name."""

    code: int
    name: str
    exchange: str  # ECDHE, DHE, RSA; "" in TLS 1.3
    auth: str  # ECDSA, RSA; "" in TLS 1.3
    cipher: str  # AES_128_GCM
    digest: str  # SHA256


def suite(code, name):
    exchange = auth = ""
    rest = name[4:]
    if "_WITH_" in rest:
        exchange, rest = rest.split("_WITH_")
        exchange, _, auth = exchange.partition("_")
        auth = auth or exchange
    cipher, _, digest = rest.rpartition("_")
    return Suite(code, name, exchange, auth, cipher, digest)


SUITES_13 = [
    suite(0x1301, "TLS_AES_128_GCM_SHA256"),
    suite(0x1302, "TLS_AES_256_GCM_SHA384"),
    suite(0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
]
SUITES_12 = [
    suite(0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    suite(0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    suite(0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    suite(0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    suite(0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    suite(0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
]
SUITES_LEGACY = [
    suite(0x009E, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    suite(0x009F, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    suite(0xCCAA, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    suite(0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    suite(0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    suite(0xC023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    suite(0xC024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    suite(0xC009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    suite(0xC00A, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    suite(0xC027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    suite(0xC028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    suite(0xC013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    suite(0xC014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    suite(0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"),
    suite(0x006B, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"),
    suite(0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    suite(0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
    suite(0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    suite(0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
    suite(0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    suite(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
]
SUITE = {one.name: one for one in SUITES_13 + SUITES_12 + SUITES_LEGACY}

GROUPS = ["x25519", "secp256r1", "secp384r1", "secp521r1"]

# The certificate that a signature scheme needs.
SCHEMES_13 = {
    "ecdsa_secp256r1_sha256": "server",
    "ecdsa_secp384r1_sha384": "server-p384",
    "ed25519": "server-ed25519",
    "rsa_pss_rsae_sha256": "rsa-both",
    "rsa_pss_rsae_sha384": "rsa3072-both",
    "rsa_pss_rsae_sha512": "rsa4096-both",
}
SCHEMES_12 = {
    **SCHEMES_13,
    "rsa_pkcs1_sha256": "rsa-both",
    "rsa_pkcs1_sha384": "rsa-both",
    "rsa_pkcs1_sha512": "rsa-both",
}
CLIENTS = ["client", "client-p384", "client-ed25519", "client-rsa"]


class Want(NamedTuple):
    """What a conversation is to come to; "" where it is not of interest."""

    version: str = "1.3"
    suite: str = "TLS_AES_128_GCM_SHA256"
    group: str = "x25519"
    cert: str = "server"
    scheme: str = ""
    client: str = ""  # its certificate

    def auth(self):
        return "RSA" if "rsa" in self.cert else "ECDSA"


def base(version, cert="server", **other):
    """A conversation in which everything is as usual."""
    name = "TLS_AES_128_GCM_SHA256"
    if version == "1.2":
        name = f"TLS_ECDHE_{'RSA' if 'rsa' in cert else 'ECDSA'}_WITH_AES_128_GCM_SHA256"
    return Want(version=version, suite=name, cert=cert, **other)


def as_they_like(version, cert="server", **other):
    """A conversation whose suite and group are settled by the two sides."""
    return base(version, cert, **other)._replace(suite="", group="")


def variations(version, suites=None, groups=GROUPS, schemes=None, certs=(), clients=CLIENTS):
    """Each suite, each group, each kind of signature, each client certificate: (what varies, Want)."""
    for one in SUITES_13 if version == "1.3" else SUITES_12:
        cert = "rsa-both" if one.auth == "RSA" else "server"
        if suites is None or one.name in suites:
            yield one.name, base(version, cert)._replace(suite=one.name)
    for group in groups:
        if group != "x25519":
            yield group, base(version, "server" if version == "1.3" else "rsa-both", group=group)
    for scheme, cert in (SCHEMES_13 if version == "1.3" else SCHEMES_12).items():
        if schemes is None or scheme in schemes:
            yield scheme, base(version, cert, scheme=scheme)
    for cert in certs:
        yield f"server certificate {cert}", base(version, cert)
    for client in clients:
        yield f"client certificate {client}", base(version, client=client)


# The loud opt-in for everything old.
LEGACY = ("profile legacy", "versions 1.0-1.3")


def legacy_variations():
    """Each suite of the legacy profile in TLS 1.2; one for each key exchange in TLS 1.0 and 1.1."""
    for one in SUITES_LEGACY:
        cert = "rsa-both" if one.auth == "RSA" else "server"
        group = "x25519" if one.exchange == "ECDHE" else ""
        yield base("1.2", cert)._replace(suite=one.name, group=group)
        if one.cipher.endswith("CBC") and one.digest == "SHA":
            yield base("1.1", cert)._replace(suite=one.name, group=group)
            yield base("1.0", cert)._replace(suite=one.name, group=group)


def groups_of(want):
    """The groups to offer, the wanted one first: up to TLS 1.2 they are for the certificates' curves too."""
    groups = [want.group] if want.group else []
    if want.version < "1.3" and groups:
        for name in want.cert, want.client:
            curve = {
                "server": "secp256r1",
                "client": "secp256r1",
                "server-p384": "secp384r1",
                "client-p384": "secp384r1",
                "long-chain": "secp256r1",
            }.get(name)
            if curve and curve not in groups:
                groups.append(curve)
    return groups
