# SPDX-License-Identifier: GPL-2.0-or-later
"""The interoperability matrix: the examples of the pinned wolfSSL release, with X25519MLKEM768.

timeout: 900
"""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import interop as it  # noqa: E402
from interop import (
    PAYLOAD,
    PHASES,
    PKI,
    Process,
    base,
    both,
    check,
    client,
    fail,
    row,
    server,
    trust,
)  # noqa: E402

EXAMPLES = it.BUILD / "deps" / "wolfssl-examples"
GROUP_OF = {"X25519": "x25519", "SECP256R1": "secp256r1", "SECP384R1": "secp384r1", "SECP521R1": "secp521r1"}
LINES = subprocess.run(
    ["openssl", "ciphers", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
    capture_output=True,
    text=True,
    check=True,
).stdout.splitlines()
NAME_OF = {words[0]: words[2] for words in map(str.split, LINES)}
FLAG = {"1.2": ["-v", 3], "1.3": ["-v", 4]}


def wolfssl_name(suite):
    if suite.startswith("TLS_ECDHE"):
        return NAME_OF[suite]
    return suite.replace("TLS_AES_", "TLS13-AES").replace("TLS_CHACHA", "TLS13-CHACHA").replace("_", "-")


def options_of(want):
    return [*FLAG[want.version], *(["-l", wolfssl_name(want.suite)] if want.suite else [])]


def reports(text):
    """One for each connection."""
    found = []
    for part in re.split(r"(?=SSL version is)", text)[1:]:
        got = {
            "version": re.search(r"SSL version is TLSv(\S+)", part)[1],
            "suite": re.search(r"SSL cipher suite is (\S+)", part)[1],
            "resumed": "SSL reused session" in part,
        }
        if group := re.search(r"SSL curve name is (\w+)", part):
            got["group"] = GROUP_OF.get(group[1], group[1])
        found.append(got)
    return found


def wolfssl_client(want, port, *options):
    identity = ["-c", PKI / f"{want.client}.pem", "-k", PKI / f"{want.client}.key"] if want.client else ["-x"]
    return Process(
        EXAMPLES / "client",
        "-h",
        "localhost",
        "-p",
        port,
        "-A",
        trust(),
        "-S",
        "localhost",
        "-m",
        *options_of(want),
        *identity,
        *options,
        cwd=EXAMPLES,
    )


def against_client(want, port, options, phases=PHASES):
    """A greeting in full and one that resumes; and 80,000 bytes, which it compares itself."""
    resume = ["-r"] if True in phases else []
    with wolfssl_client(want, port, *options, *resume) as process:
        if process.finish() or b"hello wolfssl!" not in process.out:
            fail("the client failed")
        found = reports(process.out.decode(errors="replace"))
    ours = server.connections(len(phases))
    # With -B, TLS 1.3 knows secp256r1 alone.
    much = want.version == "1.2" or want.group in ("", "secp256r1")
    if much:
        with wolfssl_client(want, port, *options, "-B", len(PAYLOAD)) as process:
            if process.finish() or b"RX" not in process.out:
                fail("the client failed with much data")
    if len(found) != len(phases):
        fail(f"it tells of {len(found)} connections")
    for resumed, theirs, mine in zip(phases, found, ours):
        if server.report()["end"] != "clean":
            fail("our server saw no clean end")
        check("the client", theirs, mine, want, resumed)
    if much:
        server.served(PAYLOAD)
    for _ in phases:
        yield


def against_server(want, host, options, phases=PHASES):
    port = it.free_port()
    identity = ["-A", trust()] + (["-F"] if want.client else ["-d"])
    with Process(
        EXAMPLES / "server",
        "-b",
        "-e",
        "-C",
        len(phases),
        "-p",
        port,
        "-c",
        it.cert_file(want.cert),
        "-k",
        PKI / f"{want.cert}.key",
        *identity,
        *options_of(want),
        *options,
        cwd=EXAMPLES,
    ) as process:
        it.wait_listen(port, process)
        for _ in phases:
            client.call(host, port)
            client.answer()
        if process.finish():
            fail("the server failed")
        found = reports(process.out.decode(errors="replace"))
        if len(found) != len(phases):
            fail(f"it tells of {len(found)} connections")
        for resumed, theirs, mine in zip(phases, found, client.connections(len(phases))):
            check("the server", theirs, mine, want, resumed)
    for _ in phases:
        yield


def to_us(what, version, *arguments):
    row(against_client, *arguments, titles=both(f"wolfSSL's client to us, TLS {version}, {what}"))


def to_them(what, version, *arguments):
    row(against_server, *arguments, titles=both(f"us to wolfSSL's server, TLS {version}, {what}"))


status = subprocess.run(
    [it.ROOT / "tests" / "interop" / "wolfssl-examples", EXAMPLES], check=False
).returncode
if status == 3:
    it.skip_all("the wolfSSL release is not to be had")
if status != 0:
    sys.exit("wolfSSL's examples could not be built")
usage = subprocess.run(
    [EXAMPLES / "client", "-?"], capture_output=True, text=True, cwd=EXAMPLES, check=False
).stdout
CERTS = ["server-p384", "server-ed25519", "rsa-both", "rsa3072-both", "rsa4096-both"]
for version in it.VERSIONS:
    for what, want in it.variations(version, groups=[], schemes=[], certs=CERTS):
        want = want._replace(group="")
        to_us(what, version, want, server.for_want(want), [])
        to_them(what, version, want, client.for_want(want), [])
    # One of the sides settles the group: we by the policy.
    for group in it.GROUPS:
        want = it.as_they_like(version, "rsa-both")._replace(group=group)
        ours = it.by_us(want, "group")
        to_us(group, version, want, server.for_want(want, *ours), [])
        to_them(group, version, want, client.for_want(want, *ours), [])
    usual = it.as_they_like(version)
    for options in ["-f"], ["-F", "1"]:
        to_us(" ".join(options), version, usual, server.for_want(usual), options)
    to_us("ALPN", version, usual, server.for_want(usual, "alpn http/1.1 h2"), ["-L", "F:h2,foo"])

usual = it.as_they_like("1.3")
to_us("HelloRetryRequest", "1.3", usual, server.for_want(usual), ["-J"])
to_us("KeyUpdate", "1.3", usual, server.for_want(usual), ["-I"])
to_them("KeyUpdate", "1.3", usual, client.address(), ["-U"])
if "X25519MLKEM768" in usage:
    want = usual._replace(group="X25519MLKEM768")
    kem = ["--pqc", "X25519MLKEM768"]
    to_us("X25519MLKEM768", "1.3", want, server.for_want(want), kem)
    to_us(
        "HelloRetryRequest to X25519MLKEM768",
        "1.3",
        want,
        server.for_want(want, *it.by_us(want, "group")),
        ["-J"],
    )
    chopped = it.chopped(server.for_want(want))
    to_us("X25519MLKEM768 in segments of 7 bytes", "1.3", want, chopped, kem)
    to_them("X25519MLKEM768", "1.3", want, client.address(), kem)
    to_them("X25519MLKEM768 by default", "1.3", want, client.address(), [])
    other = usual._replace(group="x25519")
    to_them("X25519MLKEM768 offered, x25519 taken", "1.3", other, client.address(), ["-t"])
it.main()
