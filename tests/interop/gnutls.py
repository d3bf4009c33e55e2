# SPDX-License-Identifier: GPL-2.0-or-later
"""The interoperability matrix: GnuTLS's gnutls-cli and gnutls-serv.

timeout: 600
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import interop as it  # noqa: E402
from interop import (
    PAYLOAD,
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
    trust,
)  # noqa: E402

GROUP_NAMES = {
    "x25519": "X25519",
    "secp256r1": "SECP256R1",
    "secp384r1": "SECP384R1",
    "secp521r1": "SECP521R1",
}
GROUP_OF = {theirs: group for group, theirs in GROUP_NAMES.items()}
SIGNATURES = {
    "ecdsa_secp256r1_sha256": ("ECDSA-SECP256R1-SHA256", "ECDSA-SHA256"),
    "ecdsa_secp384r1_sha384": ("ECDSA-SECP384R1-SHA384", "ECDSA-SHA384"),
    "ed25519": ("EdDSA-Ed25519", "EdDSA-Ed25519"),
    "rsa_pss_rsae_sha256": ("RSA-PSS-RSAE-SHA256", "RSA-PSS-RSAE-SHA256"),
    "rsa_pss_rsae_sha384": ("RSA-PSS-RSAE-SHA384", "RSA-PSS-RSAE-SHA384"),
    "rsa_pss_rsae_sha512": ("RSA-PSS-RSAE-SHA512", "RSA-PSS-RSAE-SHA512"),
    "rsa_pkcs1_sha256": ("RSA-SHA256", "RSA-SHA256"),
    "rsa_pkcs1_sha384": ("RSA-SHA384", "RSA-SHA384"),
    "rsa_pkcs1_sha512": ("RSA-SHA512", "RSA-SHA512"),
}


def signature_of(want):
    return SIGNATURES[want.scheme][want.version != "1.3"]


def cipher_of(suite):
    return suite.cipher.replace("_", "-")


def narrow(want):
    """A priority string that lets nothing happen but what is wanted."""
    words = ["NORMAL", "-VERS-ALL", f"+VERS-TLS{want.version}"]
    if want.suite:
        suite = SUITE[want.suite]
        words += ["-CIPHER-ALL", f"+{cipher_of(suite)}"]
        if suite.exchange:
            kind = "RSA" if suite.exchange == "RSA" else f"{suite.exchange}-{suite.auth}"
            words += ["-KX-ALL", f"+{kind}"]
        if "CBC" in suite.cipher:
            words += ["-MAC-ALL", "+SHA1" if suite.digest == "SHA" else f"+{suite.digest}"]
    if want.group in GROUP_NAMES:
        words += ["-GROUP-ALL"] + [f"+GROUP-{GROUP_NAMES[group]}" for group in it.groups_of(want)]
    if want.scheme:
        words += ["-SIGN-ALL", f"+SIGN-{signature_of(want)}"]
    return ["--priority", ":".join(words)]


def report(text, want):
    """From the last description that either program gives of a connection."""
    words = re.findall(r"^- Description: (.*)$", text, re.M)[-1]
    version, exchange, signature, rest = re.fullmatch(
        r"\(TLS([\d.]+)-X\.509\)-(?:\(([^)]*)\))?-?(?:\(([^)]*)\)-)?\((?=AES|CHACHA)(.*)\)", words
    ).groups()
    got = {"version": version, "resumed": False}
    group = re.search(r"ECDHE-(\w+)", exchange or "")
    if group and group[1] in GROUP_OF:
        got["group"] = GROUP_OF[group[1]]
    if want.suite and not rest.startswith(cipher_of(SUITE[want.suite])):
        fail(f"GnuTLS says {words}, expected {want.suite}")
    if want.scheme and signature and signature != signature_of(want):
        fail(f"GnuTLS says signature {signature}, expected {signature_of(want)}")
    return got


# ---- gnutls-cli ----


def gnutls_cli(port, *options):
    log = it.scratch() / "gnutls-cli.log"
    log.write_text("")
    return Process(
        "gnutls-cli", "--x509cafile", trust(), "--logfile", log, "--port", port, *options, "localhost"
    )


def log_of_cli():
    return (it.scratch() / "gnutls-cli.log").read_text(errors="replace")


def against_gnutls_cli(want, port, options, phases=PHASES, text=PAYLOAD):
    """Once in full; once a connection without data and another that resumes it."""
    if want.client:
        options = [
            *options,
            "--x509certfile",
            PKI / f"{want.client}.pem",
            "--x509keyfile",
            PKI / f"{want.client}.key",
        ]
    for resumed in phases:
        again = ["--resume", "--waitresumption"] if resumed else []
        with gnutls_cli(port, *options, *again) as process:
            process.write(text)
            process.expect_text(PAYLOAD, "the echo")
            process.process.stdin.close()
            if process.finish():
                fail("gnutls-cli failed")
            log = log_of_cli()
            got = report(log, want)
        got["resumed"] = "*** This is a resumed session" in log
        ours = server.connections(2 if resumed else 1)
        if resumed:
            server.served(b"")
            check("gnutls-cli", {}, ours[0], want, False)
        server.served(text)
        check("gnutls-cli", got, ours[-1], want, resumed)
        yield


def commands_of_gnutls_cli(port, options, commands):
    """Inline commands; after each of them data still goes both ways."""
    with gnutls_cli(port, "--inline-commands", *options) as process:
        process.write(PAYLOAD)
        process.expect_text(PAYLOAD, "the echo")
        for command in commands:
            start = len(process.out)
            process.write(command + b"\n")
            it.time.sleep(0.1)
            process.write(it.REPLY)
            process.expect_text(it.REPLY, "the echo after a command", start)
        process.process.stdin.close()
        if process.finish():
            fail("gnutls-cli failed")
    server.served(PAYLOAD + it.REPLY * len(commands))
    yield


def stapled_to_gnutls_cli(port, options):
    with gnutls_cli(port, *options) as process:
        process.write(PAYLOAD)
        process.expect_text(PAYLOAD, "the echo")
        process.process.stdin.close()
        if process.finish() or not re.search(r"Options:.*OCSP status request", log_of_cli()):
            fail("gnutls-cli does not say that there was a status")
    server.served(PAYLOAD)
    yield


# ---- gnutls-serv ----


def against_gnutls_serv(want, host, options, phases=PHASES):
    port = it.free_port()
    if want.client:
        options = [*options, "--require-client-cert", "--verify-client-cert"]
    else:
        options = [*options, "--disable-client-cert"] if "--request" not in options else options[1:]
    chain = it.cert_file(want.cert)
    with Process(
        "gnutls-serv",
        "--echo",
        "--port",
        port,
        "--x509cafile",
        trust(),
        "--x509certfile",
        chain,
        "--x509keyfile",
        PKI / f"{want.cert}.key",
        *options,
    ) as process:
        it.wait_listen(port, process)
        for resumed in phases:
            start = len(process.out)
            client.call(host, port)
            client.answer()
            process.expect("^- Channel bindings", start=start)
            text = process.out[start:].decode(errors="replace")
            got = report(text, want)
            got["resumed"] = "*** This is a resumed session" in text
            subject = re.search(r"^\tSubject: CN=([^,]+)", text, re.M)
            got["client"] = subject[1] if subject else ""
            if "Error" in process.text():
                fail("gnutls-serv had an error")
            check("gnutls-serv", got, client.connections(1)[0], want, resumed)
            yield


# ---- the rows ----


def to_us(what, version, function, *arguments, phases=None):
    title = f"gnutls-cli to us, TLS {version}, {what}"
    row(function, *arguments, titles=both(title) if phases is None else [title])


def to_them(what, version, function, *arguments, phases=None):
    title = f"us to gnutls-serv, TLS {version}, {what}"
    row(function, *arguments, titles=both(title) if phases is None else [title])


if not it.have("gnutls-serv"):
    it.skip_all("GnuTLS is not installed")
ONCE = (False,)
for version in it.VERSIONS:
    usual = it.as_they_like(version)
    priority, port = narrow(usual), server.for_want(usual)
    for what, want in it.variations(version):
        to_us(what, version, against_gnutls_cli, want, server.for_want(want), narrow(want))
        to_them(what, version, against_gnutls_serv, want, client.for_want(want), narrow(want))
    for size in 512, 4096:
        what, options = f"--recordsize {size}", [*priority, "--recordsize", size]
        # gnutls-cli loses what it reads beyond this size.
        to_us(what, version, against_gnutls_cli, usual, port, options, PHASES, b"give\n")
        to_them(what, version, against_gnutls_serv, usual, client.address(), options)
    for what in ["--single-key-share"], ["--compress-cert", "zlib"], ["--post-handshake-auth"]:
        to_us(" ".join(what), version, against_gnutls_cli, usual, port, priority + what, ONCE, phases=ONCE)
    alpn = server.for_want(usual, "alpn http/1.1 h2")
    to_us("ALPN", version, against_gnutls_cli, usual, alpn, [*priority, "--alpn", "foo", "--alpn", "h2"])
    to_them(
        "ALPN",
        version,
        against_gnutls_serv,
        usual,
        client.address("alpn foo h2"),
        [*priority, "--alpn", "h2"],
    )
    long = usual._replace(cert="long-chain")
    to_us("a chain of ten certificates", version, against_gnutls_cli, long, server.for_want(long), priority)
    to_them("a chain of ten certificates", version, against_gnutls_serv, long, client.address(), priority)
    asks = server.for_want(usual, "client-auth request", f"trust {trust()}")
    to_us("no certificate where one is requested", version, against_gnutls_cli, usual, asks, priority)
    asks = ["--request", *priority]
    to_them(
        "no certificate where one is requested", version, against_gnutls_serv, usual, client.address(), asks
    )
    if version == "1.2":
        to_us("no tickets", version, against_gnutls_cli, usual, port, [*priority, "--noticket"])
        to_them(
            "no tickets", version, against_gnutls_serv, usual, client.address(), [*priority, "--noticket"]
        )

port = server.for_want(it.as_they_like("1.3"))
priority = narrow(it.as_they_like("1.3"))
to_us("KeyUpdate", "1.3", commands_of_gnutls_cli, port, priority, [b"^rekey^", b"^rekey1^"], phases=ONCE)

# What is old, and CBC without encrypt-then-mac.
for want in it.legacy_variations():
    if it.SUITE[want.suite].digest == "SHA384" and "CBC" in want.suite:
        continue  # not among GnuTLS's priorities any more
    theirs = narrow(want)
    ours = server.for_want(want, *it.LEGACY)
    to_us(f"{want.suite}, legacy", want.version, against_gnutls_cli, want, ours, theirs)
    to_them(
        f"{want.suite}, legacy",
        want.version,
        against_gnutls_serv,
        want,
        client.for_want(want, *it.LEGACY),
        theirs,
    )
    if "RSA_WITH_AES_128_CBC" in want.suite and "DHE" not in want.suite:
        theirs = [theirs[0], theirs[1] + ":%NO_ETM"]
        what = f"{want.suite}, legacy, no encrypt-then-mac"
        to_us(what, want.version, against_gnutls_cli, want, ours, theirs, ONCE, phases=ONCE)
        address = client.for_want(want, *it.LEGACY)
        to_them(what, want.version, against_gnutls_serv, want, address, theirs, ONCE, phases=ONCE)
usual = it.as_they_like("1.2")
port = server.for_want(usual, *it.LEGACY)
commands = [b"^renegotiate^", b"^renegotiate^"]
to_us(
    "renegotiation in profile legacy",
    "1.2",
    commands_of_gnutls_cli,
    port,
    narrow(usual),
    commands,
    phases=ONCE,
)
for version in it.VERSIONS:
    usual = it.as_they_like(version)
    address, theirs = client.address("require-ocsp yes"), [
        *narrow(usual),
        "--ocsp-response",
        PKI / "good.ocsp",
    ]
    to_them("stapled status", version, against_gnutls_serv, usual, address, theirs, ONCE, phases=ONCE)
    ours = server.for_want(usual, f"ocsp-response {PKI}/good.ocsp")
    to_us("stapled status", version, stapled_to_gnutls_cli, ours, narrow(usual), phases=ONCE)

it.main()
