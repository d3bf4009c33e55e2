# SPDX-License-Identifier: GPL-2.0-or-later
"""The interoperability matrix: OpenSSL's s_client and s_server.

timeout: 600
"""

import base64
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import interop as it  # noqa: E402
from interop import PAYLOAD, PAYLOAD_SHUTDOWN, PHASES, PKI, REPLY, Process  # noqa: E402
from interop import base, both, check, client, fail, row, server, trust  # noqa: E402

LINES = subprocess.run(
    ["openssl", "ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
    capture_output=True,
    text=True,
    check=True,
).stdout.splitlines()
NAME_OF = {words[0]: words[2] for words in map(str.split, LINES)}
STANDARD_NAME_OF = {name: standard for standard, name in NAME_OF.items()}
GROUP_NAMES = {"x25519": "X25519", "secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
GROUP_OF = {
    "X25519": "x25519",
    "prime256v1": "secp256r1",
    "secp256r1": "secp256r1",
    "secp384r1": "secp384r1",
    "secp521r1": "secp521r1",
    "x25519": "x25519",
    "X25519MLKEM768": "X25519MLKEM768",
}
GROUP_NUMBERS = {b"\x1d": "x25519", b"\x17": "secp256r1", b"\x18": "secp384r1", b"\x19": "secp521r1"}
SIGNATURES = {
    "ecdsa_secp256r1_sha256": "SHA256 ECDSA",
    "ecdsa_secp384r1_sha384": "SHA384 ECDSA",
    "ed25519": " ed25519",
    "rsa_pss_rsae_sha256": "SHA256 RSA-PSS",
    "rsa_pss_rsae_sha384": "SHA384 RSA-PSS",
    "rsa_pss_rsae_sha512": "SHA512 RSA-PSS",
    "rsa_pkcs1_sha256": "SHA256 RSA",
    "rsa_pkcs1_sha384": "SHA384 RSA",
    "rsa_pkcs1_sha512": "SHA512 RSA",
}


def narrow(want):
    """Options that let nothing happen but what is wanted."""
    options = [{"1.0": "-tls1", "1.1": "-tls1_1", "1.2": "-tls1_2", "1.3": "-tls1_3"}[want.version]]
    if want.group in GROUP_NAMES:
        options += ["-groups", ":".join(GROUP_NAMES[group] for group in it.groups_of(want))]
    if want.version == "1.3":
        options += ["-ciphersuites", want.suite]
    else:
        options += ["-cipher", NAME_OF[want.suite] + (":@SECLEVEL=0" if want.version < "1.2" else "")]
    if want.scheme:
        options += ["-sigalgs", want.scheme]
    return options


# ---- s_client ----


def s_client_report(out, want):
    kind, version, cipher = re.findall(rb"^(New|Reused), (\S+), Cipher is (\S+)", out, re.M)[-1]
    version = re.findall(rb"^    Protocol  : TLSv(\S+)", out, re.M)[-1:] or [version.replace(b"TLSv", b"")]
    got = {
        "version": version[0].decode(),
        "suite": STANDARD_NAME_OF[cipher.decode()],
        "resumed": kind == b"Reused",
    }
    if got["version"] == "1":
        got["version"] = "1.0"
    # The second is how OpenSSL 3.5 has it, which calls signatures by their right name too.
    match = re.search(rb"(?:Server|Peer) Temp Key: (?:ECDH, )?(\w+)|Negotiated TLS1.3 group: (\w+)", out)
    if match and match[1] is None:
        got["group"] = GROUP_OF[match[2].decode()]
    elif match and match[1] != b"DH":
        got["group"] = GROUP_OF[match[1].decode()]
    if want.scheme and not got["resumed"]:
        digest = re.search(rb"Peer signing digest: (\w+)", out)
        kind = re.search(rb"Peer signature type: ([\w-]+)", out)
        if kind[1].decode() == want.scheme:
            return got
        said = (digest[1].decode() if digest else "") + " " + kind[1].decode().replace("Ed25519", "ed25519")
        if said != SIGNATURES[want.scheme]:
            fail(f"s_client says signature {said}")
    return got


def s_client(port, *options, host="127.0.0.1", quiet=False):
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Process(
        "openssl",
        "s_client",
        "-connect",
        address,
        "-servername",
        "localhost",
        "-verify_hostname",
        "localhost",
        "-CAfile",
        trust(),
        "-verify_return_error",
        *options,
    )


def talk_as_client(process, text):
    """Send text, have it back, see the end that text asks for."""
    process.write(text)
    process.expect_text(text, "the echo")
    if text == PAYLOAD_SHUTDOWN:
        if process.finish() or b"closed" not in process.out:
            fail("s_client saw no close_notify")
    else:
        process.write(b"Q\n")
        process.finish()


def against_s_client(want, port, options, phases=PHASES, host="127.0.0.1"):
    session = it.scratch() / "session"
    session.unlink(missing_ok=True)
    if want.client:
        options = [*options, "-cert", PKI / f"{want.client}.pem", "-key", PKI / f"{want.client}.key"]
    for resumed in phases:
        text = PAYLOAD if resumed else PAYLOAD_SHUTDOWN
        with s_client(port, *options, "-sess_in" if resumed else "-sess_out", session, host=host) as process:
            talk_as_client(process, text)
            got = s_client_report(process.out, want)
        server.served(text)
        check("s_client", got, server.connections(1)[0], want, resumed)
        yield


def commands_of_s_client(port, options, letters, expected):
    """Commands in between; after each, data still goes both ways, and s_client has said what is expected."""
    with s_client(port, *options) as process:
        process.write(PAYLOAD)
        process.expect_text(PAYLOAD, "the echo")
        for letter in letters:
            start, said = len(process.out), len(process.err)
            process.write_now(letter + b"\n")
            process.expect(expected, "err", said)
            process.write(REPLY)
            process.expect_text(REPLY, "the echo after a command", start)
        process.write(b"Q\n")
        process.finish()
    report = server.report()
    if report["end"] != "clean" or report["size"] != len(PAYLOAD) + len(letters) * len(REPLY):
        fail(f"our server: {report}")
    yield


def refused_s_client(port, options, said, logged=""):
    """s_client is turned away: it says so, and so does our log."""
    with s_client(port, *options) as process:
        # In TLS 1.3 a client is done before the server has judged its certificate.
        process.write(PAYLOAD)
        if process.finish() == 0:
            fail("s_client was satisfied")
        if not re.search(said, process.text()):
            fail(f"s_client did not say {said}")
        if PAYLOAD in process.out:
            fail("there was an echo")
    if logged:
        server.process.wait(lambda: re.search(logged, server.log_text()), f"a line with {logged}", 5)
    yield


# ---- s_server ----


def s_server(port, want, *options):
    return Process(
        "openssl",
        "s_server",
        "-accept",
        port,
        "-cert",
        PKI / f"{want.cert}.pem",
        "-key",
        PKI / f"{want.cert}.key",
        *options,
    )


def s_server_report(out, want):
    """From what s_server prints, version and group from the session that it prints."""
    pem = re.search(rb"-----BEGIN SSL SESSION PARAMETERS-----(.*?)-----END", out, re.S)[1]
    session = base64.b64decode(pem)
    version = re.search(rb"\x02\x01\x01\x02\x02\x03(.)\x04\x02", session, re.S)[1][0]
    subject = re.search(rb"^subject=.*CN = (\S+)", out, re.M)
    got = {
        "version": f"1.{version - 1}",
        "suite": STANDARD_NAME_OF[re.search(rb"^CIPHER is (\S+)", out, re.M)[1].decode()],
        "resumed": b"Reused session-id" in out,
        "client": subject[1].decode() if subject else "",
    }
    match = re.search(rb"\xb3\x03\x02\x01(.)$", session, re.S)
    if match and match[1] in GROUP_NUMBERS:
        got["group"] = GROUP_NUMBERS[match[1]]
    return got


def against_s_server(want, host, options, phases=PHASES, port=None):
    port = port or it.free_port()
    if want.client:
        options = [*options, "-Verify", 3, "-verify_return_error", "-CAfile", trust()]
    with s_server(port, want, *options) as process:
        process.expect("^ACCEPT")
        for resumed in phases:
            start = len(process.out)
            client.call(host, port, expect=REPLY)
            process.expect_text(PAYLOAD, "what our client sent", start)
            process.write(REPLY)
            client.answer()
            process.expect("^DONE|^ERROR", start=start)
            if b"ERROR" in process.out or b"error" in process.err:
                fail("s_server saw no close_notify")
            got = s_server_report(process.out[start:], want)
            check("s_server", got, client.connections(1)[0], want, resumed)
            yield


def commands_of_s_server(want, host, options, letters):
    port = it.free_port()
    with s_server(port, want, *options) as process:
        process.expect("^ACCEPT")
        client.call(host, port, expect=REPLY * (1 + len(letters)))
        process.expect_text(PAYLOAD, "what our client sent")
        process.write_now(REPLY)
        for letter in letters:
            # What s_server reads at once is a command or data: give it time to tell them apart.
            client.process.wait(lambda: it.time.sleep(0.2) or True, "")
            process.write_now(letter + b"\n")
            client.process.wait(lambda: it.time.sleep(0.2) or True, "")
            process.write_now(REPLY)
        client.answer()
        process.expect("^DONE|^ERROR")
        if b"ERROR" in process.out or b"error" in process.err:
            fail("s_server had an error")
    yield


def reversing_s_server(want, host, options):
    """It sends back each line reversed, and closes first when it has had the line CLOSE."""
    port = it.free_port()
    lines = PAYLOAD.splitlines()
    with s_server(port, want, "-rev", *options) as process:
        process.expect("^ACCEPT")
        expected = b"".join(line[::-1] + b"\n" for line in lines)
        client.call(host, port, send=PAYLOAD + b"CLOSE\n", expect=expected, first=False)
        client.answer()
        process.expect("CONNECTION CLOSED", "err")
        if b"error" in process.err:
            fail("s_server had an error")
    yield


def refused_s_server(want, host, options, reason, logged):
    """Our client turns s_server away, or is turned away."""
    port = it.free_port()
    with s_server(port, want, *options) as process:
        process.expect("^ACCEPT")
        client.call(host, port)
        report = client.report()
        if report["end"] != f"connect: {reason}":
            fail(f"our client: {report}")
        if not re.search(logged, client.log_text()):
            fail(f"our log does not say {logged}: {client.log_text()}")
    yield


def early_data_of_s_client(port):
    """With a session of another server it sends early data, which ours has to pass over."""
    other, session, early = it.free_port(), it.scratch() / "early-session", it.scratch() / "early"
    early.write_bytes(PAYLOAD[:5000])
    session.unlink(missing_ok=True)
    want = it.as_they_like("1.3")
    with s_server(other, want, "-tls1_3", "-early_data") as process:
        process.expect("^ACCEPT")
        with s_client(other, "-tls1_3", "-sess_out", session) as theirs:
            theirs.wait(lambda: session.exists() and session.stat().st_size, "a session")
            theirs.write(b"Q\n")
            theirs.finish()
    with s_client(port, "-tls1_3", "-sess_in", session, "-early_data", early) as process:
        process.expect("^Early data was rejected")
        talk_as_client(process, PAYLOAD)
        got = s_client_report(process.out, want)
    server.served(PAYLOAD)
    check("s_client", got, server.connections(1)[0], want, False)
    yield


def named_s_client(port, options):
    with s_client(port, *options) as process:
        talk_as_client(process, PAYLOAD)
        if not re.search(rb"^subject=.*CN = upper", process.out, re.M):
            fail("s_client had the certificate of another name")
    server.served(PAYLOAD)
    yield


def chopped_s_client(want, port, options):
    """Through a relay that passes on a few bytes at a time."""
    yield from against_s_client(want, it.chopped(port), options)


def chopped_s_server(want, host, options):
    port = it.free_port()
    with s_server(port, want, "-rev", *options) as process:
        process.expect("^ACCEPT")
        client.call(host, it.chopped(port), send=b"abc\nCLOSE\n", expect=b"cba\n", first=False)
        client.answer()
        process.expect("CONNECTION CLOSED", "err")
    yield


# ---- renegotiation, status ----


def renegotiating_s_client(port, allowed):
    """It begins to renegotiate in the midst of data."""
    with s_client(port, "-tls1_2") as process:
        process.write(PAYLOAD)
        process.expect_text(PAYLOAD, "the echo")
        start = len(process.out)
        process.write_now(b"R\n")
        process.expect("RENEGOTIATING", "err")
        if not allowed:
            if process.finish() == 0 or b"no renegotiation" not in process.err:
                fail("s_client is not told that there is no renegotiation")
            yield
            return
        process.expect("verify return:1(.*\n)+.*verify return:1", "err", process.err.find(b"RENEGOTIATING"))
        process.write(REPLY)
        process.expect_text(REPLY, "the echo after it", start)
        process.write(b"Q\n")
        process.finish()
    report = server.report()
    if report["end"] != "clean" or report["size"] != len(PAYLOAD) + len(REPLY):
        fail(f"our server: {report}")
    yield


def renegotiating_s_server(want, host, letter, allowed):
    """It asks for a new handshake, with R for our certificate too."""
    port = it.free_port()
    with s_server(port, want, "-tls1_2", "-CAfile", trust()) as process:
        process.expect("^ACCEPT")
        client.call(host, port, expect=REPLY * 2 if allowed else REPLY)
        process.expect_text(PAYLOAD, "what our client sent")
        it.time.sleep(0.1)
        process.write_now(letter + b"\n")
        if not allowed:
            process.expect("no renegotiation", "err")
            client.report()
            yield
            return
        process.expect("^SSL_do_handshake -> 1")
        process.write_now(REPLY * 2)
        client.answer()
        process.expect("^DONE|^ERROR")
        if b"ERROR" in process.out or b"error" in process.err:
            fail("s_server had an error")
        if letter == b"R" and b"depth=0 O = tlshim test, CN = client" not in process.err:
            fail("s_server has not seen our certificate")
    yield


def stapled_to_s_client(port, options, status):
    with s_client(port, *options, "-status") as process:
        talk_as_client(process, PAYLOAD)
        if f"Cert Status: {status}".encode() not in process.out:
            fail(f"s_client does not say that the status is {status}")
    server.served(PAYLOAD)
    yield


# ---- the rows ----


def parameters():
    """Diffie-Hellman with a group of RFC 7919."""
    path = it.scratch() / "ffdhe2048.pem"
    if not path.exists():
        subprocess.run(
            [
                "openssl",
                "genpkey",
                "-genparam",
                "-algorithm",
                "DH",
                "-pkeyopt",
                "group:ffdhe2048",
                "-out",
                path,
            ],
            check=True,
        )
    return path


def to_us(what, version, function, *arguments, phases=None):
    title = f"s_client to us, TLS {version}, {what}"
    row(function, *arguments, titles=both(title) if phases is None else [title])


def to_them(what, version, function, *arguments, phases=None):
    title = f"us to s_server, TLS {version}, {what}"
    row(function, *arguments, titles=both(title) if phases is None else [title])


def identity(name):
    return ["-cert", PKI / f"{name}.pem", "-key", PKI / f"{name}.key"]


ONCE = (False,)
TRUST = f"trust {trust()}"
for version in it.VERSIONS:
    usual, flag = it.as_they_like(version), [f"-tls1_{version[2]}"]
    port = server.for_want(usual)
    for what, want in it.variations(version):
        to_us(what, version, against_s_client, want, server.for_want(want), narrow(want))
        to_them(what, version, against_s_server, want, client.for_want(want), narrow(want))
    for what in [["-max_send_frag", 512], ["-split_send_frag", 600]] + [["-record_padding", 4096]] * (
        version == "1.3"
    ):
        title = " ".join(map(str, what))
        to_us(title, version, against_s_client, usual, port, flag + what, ONCE, phases=ONCE)
        to_them(title, version, against_s_server, usual, client.address(), flag + what, ONCE, phases=ONCE)
    to_us("IPv6", version, against_s_client, usual, port, flag, PHASES, "::1")
    to_them("IPv6", version, against_s_server, usual, "::1", flag, PHASES, client.port_of_ipv6())
    # The same variations once more, settled by what our rule says.
    for what, want in it.variations(version, clients=[]):
        ours = it.by_us(want, "suite" if what == want.suite else "scheme" if want.scheme else "group")
        free = want._replace(
            suite=want.suite if what == want.suite else "", group=want.group if what == want.group else ""
        )
        to_us(f"{what} by our policy", version, against_s_client, free, server.for_want(want, *ours), flag)
        to_them(f"{what} by our policy", version, against_s_server, free, client.for_want(want, *ours), flag)
    if version == "1.3":
        padded = server.for_want(usual, "padding 1024")
        to_us("records of ours padded", version, against_s_client, usual, padded, flag)
        to_them(
            "records of ours padded", version, against_s_server, usual, client.address("padding 1024"), flag
        )
    alpn = server.for_want(usual, "alpn http/1.1 h2")
    to_us("ALPN", version, against_s_client, usual, alpn, [*flag, "-alpn", "h2,foo"])
    to_them(
        "ALPN",
        version,
        reversing_s_server,
        usual,
        client.address("alpn foo h2"),
        [*flag, "-alpn", "h2"],
        phases=ONCE,
    )
    to_them("it closes first", version, reversing_s_server, usual, client.address(), flag, phases=ONCE)

    long = usual._replace(cert="long-chain")
    to_us("a chain of ten certificates", version, against_s_client, long, server.for_want(long), flag)
    chain = [*flag, "-cert_chain", it.cert_file("long-chain")]
    to_them("a chain of ten certificates", version, against_s_server, long, client.address(), chain)

    # Client certificates that are missing, or not good enough.
    asks = server.for_want(usual, "client-auth request", TRUST)
    to_us("no certificate where one is requested", version, against_s_client, usual, asks, flag)
    verify = [*flag, "-verify", 3, "-CAfile", trust()]
    to_them(
        "no certificate where one is requested", version, against_s_server, usual, client.address(), verify
    )
    must = server.for_want(usual._replace(client="client"))
    said = "certificate required" if version == "1.3" else "handshake failure"
    to_us(
        "no certificate where one is required",
        version,
        refused_s_client,
        must,
        flag,
        said,
        "no certificate",
        phases=ONCE,
    )
    for bad, said in (
        ("client-other", "unknown ca"),
        ("client-expired", "certificate expired"),
        ("server", "unsupported certificate|bad certificate"),
    ):
        options = flag + identity(bad)
        to_us(
            f"certificate {bad} is refused",
            version,
            refused_s_client,
            must,
            options,
            said,
            "certificate",
            phases=ONCE,
        )

# A share in a group that we do not have, and HelloRetryRequest.
for group, theirs in GROUP_NAMES.items():
    want = base("1.3", group=group)._replace(suite="")
    options = ["-groups", f"X448:{theirs}"]
    to_us(f"HelloRetryRequest to {group}", "1.3", against_s_client, want, server.for_want(want), options)

# Small segments, and early data that nobody asked for.
for version in it.VERSIONS:
    usual, flag = it.as_they_like(version), [f"-tls1_{version[2]}"]
    to_us("in segments of 7 bytes", version, chopped_s_client, usual, server.for_want(usual), flag)
    to_them("in segments of 7 bytes", version, chopped_s_server, usual, client.address(), flag, phases=ONCE)
row(
    early_data_of_s_client,
    server.for_want(base("1.3")),
    titles=["s_client to us, TLS 1.3, early data is skipped"],
)

# Of several certificates, by what the client can verify and by the name that it asks for.
several = server.listener(
    *(
        f"certificate {PKI}/{name}.pem; key {PKI}/{name}.key"
        for name in ("server", "rsa-both", "server-ed25519", "upper")
    )
)
for version in it.VERSIONS:
    flag = [f"-tls1_{version[2]}"]
    for scheme in "ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", "ed25519":
        want = it.as_they_like(version)._replace(scheme=scheme)
        options = [*flag, "-sigalgs", scheme]
        to_us(f"of several certificates that for {scheme}", version, against_s_client, want, several, options)
    options = [*flag, "-servername", "upper.example.com", "-verify_hostname", "upper.example.com"]
    to_us("of several certificates that for the name", version, named_s_client, several, options, phases=ONCE)

LETTERS = [b"K", b"k", b"K"]
port, usual = server.for_want(base("1.3")), it.as_they_like("1.3")
to_us("KeyUpdate", "1.3", commands_of_s_client, port, ["-tls1_3"], LETTERS, "KEYUPDATE", phases=ONCE)
to_them("KeyUpdate", "1.3", commands_of_s_server, usual, client.address(), ["-tls1_3"], LETTERS, phases=ONCE)
for tickets in 0, 1, 5:
    options = ["-tls1_3", "-num_tickets", tickets]
    to_them(
        f"{tickets} tickets", "1.3", against_s_server, usual, client.address(), options, ONCE, phases=ONCE
    )
to_them(
    "stateful tickets",
    "1.3",
    against_s_server,
    usual,
    client.address("verify chain"),
    ["-tls1_3", "-no_ticket"],
)

# TLS 1.2: sessions without tickets, status of certificates, falling back, renegotiation.
usual, port = it.as_they_like("1.2"), server.for_want(it.as_they_like("1.2"))
to_us("session ids", "1.2", against_s_client, usual, port, ["-tls1_2", "-no_ticket"])
to_them("session ids", "1.2", against_s_server, usual, client.address(), ["-tls1_2", "-no_ticket"])
options = ["-tls1_2", "-fallback_scsv"]
to_us(
    "a client that fell back is told so",
    "1.2",
    refused_s_client,
    port,
    options,
    "inappropriate fallback",
    phases=ONCE,
)
options = ["-tls1_2", "-client_renegotiation"]
to_us("renegotiation is refused", "1.2", renegotiating_s_client, port, False, phases=ONCE)
to_us(
    "renegotiation in profile legacy",
    "1.2",
    renegotiating_s_client,
    server.for_want(usual, *it.LEGACY),
    True,
    phases=ONCE,
)
to_them(
    "renegotiation is refused",
    "1.2",
    renegotiating_s_server,
    usual,
    client.address(),
    b"r",
    False,
    phases=ONCE,
)
for letter, what in (b"r", ""), (b"R", ", with a certificate"):
    want = usual._replace(client="client") if letter == b"R" else usual
    address = client.for_want(want, *it.LEGACY)
    to_them(
        f"renegotiation in profile legacy{what}",
        "1.2",
        renegotiating_s_server,
        usual,
        address,
        letter,
        True,
        phases=ONCE,
    )

# The certificate's status, stapled.
for version in it.VERSIONS:
    usual, flag = it.as_they_like(version), [f"-tls1_{version[2]}"]
    ours = server.for_want(usual, f"ocsp-response {PKI}/good.ocsp")
    to_us("stapled status", version, stapled_to_s_client, ours, flag, "good", phases=ONCE)
    theirs = [*flag, "-status_file", PKI / "good.ocsp"]
    to_them(
        "stapled status good", version, against_s_server, usual, client.address("require-ocsp yes"), theirs
    )
    theirs = [*flag, "-status_file", PKI / "revoked.ocsp"]
    said = (theirs, "EKEYREJECTED", "revoked")
    to_them("stapled status revoked", version, refused_s_server, usual, client.address(), *said, phases=ONCE)

# What is old: one by one, and the CBC suites with and without encrypt-then-mac.
for want in it.legacy_variations():
    options = narrow(want)
    to_us(
        f"{want.suite}, legacy",
        want.version,
        against_s_client,
        want,
        server.for_want(want, *it.LEGACY),
        options,
    )
    theirs = client.for_want(want, *it.LEGACY)
    to_them(
        f"{want.suite}, legacy",
        want.version,
        against_s_server,
        want,
        theirs,
        [*options, "-dhparam", parameters()],
    )
    if "CBC" in want.suite and it.SUITE[want.suite].exchange == "RSA":
        what = f"{want.suite}, legacy, no encrypt-then-mac"
        options = [*options, "-no_etm"]
        to_us(
            what,
            want.version,
            against_s_client,
            want,
            server.for_want(want, *it.LEGACY),
            options,
            ONCE,
            phases=ONCE,
        )
        to_them(
            what,
            want.version,
            against_s_server,
            want,
            client.for_want(want, *it.LEGACY),
            options,
            ONCE,
            phases=ONCE,
        )

# Diffie-Hellman in each of the groups of RFC 7919, by our policy.
for group in "ffdhe2048", "ffdhe3072", "ffdhe4096":
    want = base("1.2", "rsa-both")._replace(suite="TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", group=group)
    ours = server.for_want(want, "profile legacy", *it.by_us(want, "suite", "group"))
    to_us(f"{group} by our policy", "1.2", against_s_client, want, ours, ["-tls1_2"])

# What is never done.
usual, port = it.as_they_like("1.3"), server.for_want(it.as_they_like("1.3"))
for cipher in "aNULL", "eNULL", "CAMELLIA", "AESCCM":
    options = ["-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0"]
    ours = server.for_want(it.as_they_like("1.2", "rsa-both"), *it.LEGACY)
    to_us(
        f"{cipher}, even with legacy",
        "1.2",
        refused_s_client,
        ours,
        options,
        "handshake failure",
        phases=ONCE,
    )
for version, flag in (("1.1", "-tls1_1"), ("1.0", "-tls1")):
    options = [flag, "-cipher", "ALL:@SECLEVEL=0"]
    ours = server.for_want(it.as_they_like("1.2", "rsa-both"), "profile legacy")
    to_us("profile legacy alone", version, refused_s_client, ours, options, "protocol version", phases=ONCE)
for version, flag in (("1.1", "-tls1_1"), ("1.0", "-tls1")):
    options = [flag, "-cipher", "ALL:@SECLEVEL=0"]
    to_us(
        "refused",
        version,
        refused_s_client,
        port,
        options,
        "protocol version",
        f"at most TLS {version}",
        phases=ONCE,
    )
    to_them(
        "refused",
        version,
        refused_s_server,
        usual,
        client.address(),
        options,
        "EPROTO",
        "protocol.version",
        phases=ONCE,
    )

it.main()
