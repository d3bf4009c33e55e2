# SPDX-License-Identifier: GPL-2.0-or-later
"""The interoperability matrix: NSS's tstclnt, strsclnt and selfserv.

timeout: 600
"""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import interop as it  # noqa: E402
from interop import (
    PAYLOAD_SHUTDOWN,
    PHASES,
    PKI,
    SUITE,
    Process,
    both,
    check,
    client,
    fail,
    row,
    server,
)  # noqa: E402

GROUP_NAMES = {"x25519": "x25519", "secp256r1": "P256", "secp384r1": "P384", "secp521r1": "P521"}
GROUP_OF_BITS = {"255": "x25519", "256": "secp256r1", "384": "secp384r1", "521": "secp521r1"}
# What NSS knows: no Ed25519 in TLS.
SCHEMES = [name for name in it.SCHEMES_12 if name != "ed25519"]
CLIENTS = ["client", "client-p384", "client-rsa"]
SERVERS = ["server", "server-p384", "rsa-both", "rsa3072-both", "rsa4096-both"]


def run(*command):
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


def database():
    """A database with the authorities and all the keys that the rows need."""
    path = it.scratch() / "nss"
    path.mkdir()
    run("certutil", "-N", "-d", f"sql:{path}", "--empty-password")
    for name in "ca", "ca-rsa":
        run("certutil", "-A", "-d", f"sql:{path}", "-n", name, "-t", "CT,C,", "-i", PKI / f"{name}.pem")
    for name in [*CLIENTS, *SERVERS, "long-chain"]:
        bundle = path / f"{name}.p12"
        run(
            "openssl",
            "pkcs12",
            "-export",
            "-in",
            it.cert_file(name),
            "-inkey",
            PKI / f"{name}.key",
            "-name",
            name,
            "-passout",
            "pass:",
            "-out",
            bundle,
        )
        run("pk12util", "-i", bundle, "-d", f"sql:{path}", "-W", "")
    return f"sql:{path}"


def narrow(want):
    """Options that let nothing happen but what is wanted."""
    options = ["-V", f"tls{want.version}:tls{want.version}"]
    if want.suite:
        options += ["-c", f":{SUITE[want.suite].code:04X}"]
    if want.group in GROUP_NAMES:
        options += ["-I", ",".join(GROUP_NAMES[group] for group in it.groups_of(want))]
    if want.scheme:
        options += ["-J", want.scheme]
    return options


def cipher_of(suite):
    """As NSS prints it."""
    name, bits = suite.cipher.split("_")[0], suite.cipher.split("_")[1]
    if name == "CHACHA20":
        return "256-bit CHACHA20POLY1305 with 128-bit AEAD MAC"
    if suite.cipher.endswith("GCM"):
        return f"{bits}-bit AES-GCM with 128-bit AEAD MAC"
    digest = {"SHA": "160-bit SHA1", "SHA256": "256-bit SHA256", "SHA384": "384-bit SHA384"}[suite.digest]
    return f"{bits}-bit AES with {digest} MAC"


def reports(text, want):
    """One for each connection that NSS tells of."""
    found = []
    for part in re.split(r"(?=SSL version 3)", text)[1:]:
        # Other threads may say something in between.
        version, cipher = re.search(r"version 3\.(\d) using (.*)", part).groups()
        bits = re.search(r"Key Exchange: (\d+)-bit", part)[1]
        got = {"version": f"1.{int(version) - 1}"}
        if bits in GROUP_OF_BITS and want.group in GROUP_NAMES:
            got["group"] = GROUP_OF_BITS[bits]
        if want.suite and cipher.replace("HMAC-", "") != cipher_of(SUITE[want.suite]):
            fail(f"NSS says {cipher}, expected {cipher_of(SUITE[want.suite])}")
        if scheme := re.search(r"Signature Scheme: (\w+)", part):
            got["scheme"] = scheme[1]
        hits = re.search(r"(\d+) cache hits", part)
        stateless = re.search(r"(\d+) stateless resumes", part)
        got["hits"] = max(int(hits[1]), int(stateless[1]) if stateless else 0)
        subject = re.search(r"subject DN: CN=([^,\n]+)", part)
        got["subject"] = subject[1] if subject else ""
        found.append(got)
    return found


def take(got, before):
    """Whether a connection was resumed, from counters that only grow."""
    hits = got.pop("hits")
    got["resumed"] = hits > before
    return hits


# ---- tstclnt, strsclnt ----


def against_tstclnt(want, port, options, phases=PHASES, commands=("-u",)):
    """One process does both connections."""
    if want.client:
        options = [*options, "-n", want.client]
    text = it.text_file(PAYLOAD_SHUTDOWN, "text-shutdown")
    with Process(
        "tstclnt",
        "-h",
        "localhost",
        "-p",
        port,
        "-d",
        nss,
        "-v",
        "-A",
        text,
        "-L",
        len(phases),
        *commands,
        *options,
    ) as process:
        if status := process.finish():
            lines = re.findall(
                r"^tstclnt: (?!PR_Poll|about|Read|Writing).*", process.err.decode(errors="replace"), re.M
            )
            fail(f"tstclnt failed with {status}: {lines[-3:]}")
        if process.out != PAYLOAD_SHUTDOWN * len(phases):
            fail(f"tstclnt had {len(process.out)} bytes")
        found = reports(process.err.decode(errors="replace"), want)
        ours, before = server.connections(len(phases)), 0
        for resumed, theirs, mine in zip(phases, found, ours, strict=True):
            before = take(theirs, before)
            if theirs.pop("subject") != want.cert:
                fail("tstclnt names another certificate")
            server.served(PAYLOAD_SHUTDOWN)
            check("tstclnt", theirs, mine, want, resumed)
    for _ in phases:
        yield


def refused_tstclnt(port, options):
    text = it.text_file(PAYLOAD_SHUTDOWN, "text-shutdown")
    with Process("tstclnt", "-h", "localhost", "-p", port, "-d", nss, "-v", "-A", text, *options) as process:
        if process.finish() == 0 or b"SSL_ERROR_INAPPROPRIATE_FALLBACK_ALERT" not in process.err:
            fail("tstclnt is not told that it should not fall back")
    yield


def renegotiating_tstclnt(port, options):
    """It sends its text without waiting for the end of the second handshake, and ends when we do."""
    text = it.talk.payload(2000, b"and later")
    path = it.text_file(text, "short-text")
    with Process(
        "tstclnt", "-h", "localhost", "-p", port, "-d", nss, "-v", "-r", 1, "-A", path, *options
    ) as process:
        if process.finish() or process.out != text or process.err.count(b"SSL version 3") != 2:
            fail("tstclnt has not renegotiated")
    server.served(text)
    if len(server.connections(2)) != 2:
        fail("our log does not tell of two handshakes")
    yield


def stapled_to_tstclnt(port, options):
    text = it.text_file(PAYLOAD_SHUTDOWN, "text-shutdown")
    with Process(
        "tstclnt", "-h", "localhost", "-p", port, "-d", nss, "-v", "-T", "-A", text, *options
    ) as process:
        if process.finish() or b"Received 1 Cert Status items" not in process.err:
            fail("tstclnt does not say that there was a status")
    server.served(PAYLOAD_SHUTDOWN)
    yield


def against_strsclnt(port, options):
    """A hundred connections from four threads. It fails if too few are resumed, unless told not to resume."""
    with Process(
        "strsclnt", "-p", port, "-d", nss, "-c", 100, "-t", 4, "-u", *options, "localhost"
    ) as process:
        failed = process.finish() != 0
        if b"NoReuse - 100 server certificates tested" not in process.out if "-N" in options else failed:
            fail("strsclnt failed")
    for _ in range(100):
        server.served(b"GET /abc HTTP/1.0\r\n\r\n")
    yield


# ---- selfserv ----

ANSWER = (
    b"HTTP/1.0 200 OK\r\nServer: Generic Web Server\r\nDate: Tue, 26 Aug 1997 22:10:05 GMT\r\n"
    b"Content-type: text/plain\r\n\r\n"
)
# Its buffer for a request is one of 10 KiB: larger ones are not given back.
REQUEST = b"GET / HTTP/1.0\r\nText: " + it.REPLY[:9000].replace(b"\n", b" ") + b"\r\n\r\n"


def against_selfserv(want, host, options, phases=PHASES, tickets=("-u",)):
    """The request comes back; then, on the same session, a file is asked for."""
    port = it.free_port()
    kind = "-n" if "rsa" in want.cert else "-e"
    if want.client:
        options = [*options, "-rr"]
    file = it.text_file(PAYLOAD_SHUTDOWN, "text-shutdown")
    with Process("selfserv", "-d", nss, kind, want.cert, "-p", port, "-v", *tickets, *options) as process:
        it.wait_listen(port, process)
        before = 0
        for resumed in phases:
            start = len(process.out), len(process.err)
            if resumed:
                send, expect = f"GET {file} HTTP/1.0\r\n\r\n".encode(), ANSWER + PAYLOAD_SHUTDOWN
            else:
                send, expect = REQUEST, ANSWER + REQUEST + b"EOF\r\n\r\n\r\n"
            client.call(host, port, send=send, expect=expect, first=False)
            client.answer()
            # What it says of a connection goes to standard error, of its cache to standard output.
            process.expect(
                f"Key Exchange(.*\n)+.*subject DN: CN={want.client}"
                if want.client
                else "Key Exchange.*\n.*\n.*",
                "err",
                start[1],
            )
            process.expect("stateless resumes", "out", start[0])
            text = (process.err[start[1] :] + process.out[start[0] :]).decode(errors="replace")
            got = reports(text, want)[-1]
            before = take(got, before)
            # Without a client's certificate it prints its own, or none.
            if got.pop("subject") != want.client and want.client:
                fail("selfserv names another certificate of ours")
            check("selfserv", got, client.connections(1)[0], want, resumed)
            yield


# ---- the rows ----


def to_us(what, version, function, *arguments, phases=None):
    title = f"tstclnt to us, TLS {version}, {what}"
    row(function, *arguments, titles=both(title) if phases is None else [title])


def to_them(what, version, function, *arguments, phases=None):
    title = f"us to selfserv, TLS {version}, {what}"
    row(function, *arguments, titles=both(title) if phases is None else [title])


if not it.have("selfserv"):
    it.skip_all("libnss3-tools with selfserv and tstclnt is not installed")
nss = database()
ONCE = (False,)
for version in it.VERSIONS:
    usual = it.as_they_like(version)
    flag, port = narrow(usual), server.for_want(usual)
    for what, want in it.variations(version, schemes=SCHEMES, clients=CLIENTS):
        # The suite is for us to settle: tstclnt breaks when it is to reconnect with -c.
        ours = server.for_want(want, *it.by_us(want, "suite"))
        to_us(what, version, against_tstclnt, want, ours, narrow(want._replace(suite="")))
        to_them(what, version, against_selfserv, want, client.for_want(want), narrow(want))
    long = usual._replace(cert="long-chain")
    to_us("a chain of ten certificates", version, against_tstclnt, long, server.for_want(long), flag)
    to_them("a chain of ten certificates", version, against_selfserv, long, client.address(), flag)
    asks = server.for_want(usual, "client-auth request", f"trust {it.trust()}")
    to_us("no certificate where one is requested", version, against_tstclnt, usual, asks, flag)
    asks = [*flag, "-r"]
    to_them("no certificate where one is requested", version, against_selfserv, usual, client.address(), asks)
# What is old: NSS has no CBC with SHA-384, and DHE only where it is asked for.
for want in it.legacy_variations():
    suite = SUITE[want.suite]
    if suite.digest == "SHA384" and "CBC" in suite.cipher or suite.exchange == "DHE":
        continue
    theirs = narrow(want)
    # A rule for a range of versions, since our suites are for all of them.
    ours = server.for_want(want, "profile legacy", *it.by_us(want, "suite"))
    to_us(f"{want.suite}, legacy", want.version, against_tstclnt, want, ours, narrow(want._replace(suite="")))
    to_them(
        f"{want.suite}, legacy",
        want.version,
        against_selfserv,
        want,
        client.for_want(want, *it.LEGACY),
        theirs,
    )
usual = it.as_they_like("1.2")
to_us("session ids", "1.2", against_tstclnt, usual, server.for_want(usual), narrow(usual), PHASES, ())
to_them("session ids", "1.2", against_selfserv, usual, client.address(), narrow(usual), PHASES, ())
fallen = ["-V", "tls1.2:tls1.2", "-K"]
to_us(
    "a client that fell back is told so", "1.2", refused_tstclnt, server.for_want(usual), fallen, phases=ONCE
)
ours = server.for_want(usual, *it.LEGACY)
to_us("renegotiation in profile legacy", "1.2", renegotiating_tstclnt, ours, narrow(usual), phases=ONCE)
for version in it.VERSIONS:
    usual = it.as_they_like(version)
    # selfserv signs a status itself, with SHA-1: we refuse that, so the other direction has nothing to test.
    ours = server.for_want(usual, f"ocsp-response {PKI}/good.ocsp")
    to_us("stapled status", version, stapled_to_tstclnt, ours, narrow(usual), phases=ONCE)
port = server.for_want(it.as_they_like("1.3", "rsa-both"))
row(against_strsclnt, port, ["-N"], titles=["strsclnt to us, a hundred connections in full"])
row(against_strsclnt, port, [], titles=["strsclnt to us, a hundred connections that resume"])

it.main()
