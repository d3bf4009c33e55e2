# SPDX-License-Identifier: GPL-2.0-or-later
"""The interoperability matrix: curl, against a web server that knows no TLS.

timeout: 300
"""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import interop as it  # noqa: E402
from interop import PAYLOAD, PHASES, PKI, Process, check, fail, row, server, trust  # noqa: E402

LINES = subprocess.run(
    ["openssl", "ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
    capture_output=True,
    text=True,
    check=True,
).stdout.splitlines()
STANDARD_NAME_OF = {words[2]: words[0] for words in map(str.split, LINES)}
NAME_OF = {standard: name for name, standard in STANDARD_NAME_OF.items()}
CURVES = {"x25519": "X25519", "secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def narrow(want):
    options = [f"--tlsv{want.version}", "--tls-max", want.version]
    if want.group:
        options += ["--curves", ":".join(CURVES[group] for group in it.groups_of(want))]
    if want.suite and want.version == "1.3":
        options += ["--tls13-ciphers", want.suite]
    elif want.suite:
        options += ["--ciphers", NAME_OF[want.suite]]
    if want.client:
        options += ["--cert", PKI / f"{want.client}.pem", "--key", PKI / f"{want.client}.key"]
    return options


def against_curl(want, port, options, host="127.0.0.1", phases=PHASES):
    """An upload that comes back, and, in a second connection of the same curl, a page.

    There is no Content-Length: without a close_notify curl would complain.
    """
    address = f"[{host}]" if ":" in host else host
    common = ["--cacert", trust(), "--resolve", f"localhost:{port}:{address}", *options]
    url = f"https://localhost:{port}/"
    text, posted, page = it.text_file(PAYLOAD, "text"), it.scratch() / "posted", it.scratch() / "page"
    common += ["-H", "Connection: close"]
    orders = [*common, "-o", posted, "--data-binary", f"@{text}", url]
    if True in phases:
        orders += ["--next", *common, "-o", page, url]
    with Process("curl", "-sSvf", *orders) as process:
        if process.finish():
            fail("curl failed")
        said = re.findall(rb"SSL connection using TLSv(\S+) / (\S+)", process.err)
        reused = re.findall(rb"SSL re-?using session", process.err)
        if len(said) != len(phases) or bool(reused) != (True in phases):
            fail(f"curl tells of {len(said)} connections, {len(reused)} of them resumed")
    for resumed, (version, cipher), ours in zip(phases, said, server.connections(len(phases))):
        file = page if resumed else posted
        if file.read_bytes() != PAYLOAD:
            fail(f"{file} is not what it should be")
        got = {"version": version.decode(), "suite": STANDARD_NAME_OF[cipher.decode()], "resumed": resumed}
        check("curl", got, ours, want, resumed)
        yield


for version in it.VERSIONS:
    usual = it.as_they_like(version)
    certs = ["server-p384", "server-ed25519", "rsa-both", "rsa3072-both", "rsa4096-both"]
    for what, want in it.variations(version, schemes=[], certs=certs):
        row(
            against_curl,
            want,
            server.for_want(want),
            narrow(want),
            titles=it.both(f"curl to us, TLS {version}, {what}"),
        )
    row(
        against_curl,
        usual,
        server.for_want(usual),
        narrow(usual),
        "::1",
        titles=it.both(f"curl to us, TLS {version}, IPv6"),
    )
    # curl needs the issuer's certificate from the server to understand a status.
    below = usual._replace(cert="under-inter")
    stapled = server.for_want(below, f"ocsp-response {PKI}/under-inter.ocsp")
    what = f"curl --cert-status to us, TLS {version}"
    # In a resumed handshake there is no status, which curl does not forgive.
    options = [*narrow(usual), "--cert-status"]
    row(against_curl, below, stapled, options, "127.0.0.1", (False,), titles=[f"{what}, full"])
    alpn = server.for_want(usual, "alpn http/1.1")
    row(against_curl, usual, alpn, narrow(usual), titles=it.both(f"curl to us, TLS {version}, ALPN"))
it.main("web")
