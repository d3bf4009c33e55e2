# SPDX-License-Identifier: GPL-2.0-or-later
"""What testssl.sh and sslscan say of a web server without TLS that we wrap.

Its rule has nothing but two certificates: this is the default profile.

timeout: 600
"""

import json
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import interop as it  # noqa: E402
from interop import PKI, Process, fail, row, server, trust  # noqa: E402



def is_of_the_server(finding):
    if finding["id"] == "sessionresumption_ticket" and "connect problem" in finding["finding"]:
        # Its client leaves when the handshake is done, often before the ticket is there, and then finds no session.
        return False
    return finding["id"] != "engine_problem"


def testssl(port):
    report = it.scratch() / "testssl.json"
    with Process(
        "testssl",
        "--color",
        0,
        "--warnings",
        "off",
        "--nodns",
        "none",
        "--add-ca",
        trust(),
        "--jsonfile",
        report,
        "--openssl",
        "/usr/bin/openssl",
        "--protocols",
        "--std",
        "--pfs",
        "--server-preference",
        "--server-defaults",
        "--vulnerable",
        f"localhost:{port}",
    ) as process:
        process.process.stdin.close()
        process.finish(500)
        text = process.out
    if os.environ.get("INTEROP_SHOW"):
        pathlib.Path(os.environ["INTEROP_SHOW"]).write_bytes(text)
    findings = json.loads(report.read_text())
    said = {one["id"]: one["finding"] for one in findings}
    for name, expected in (
        ("SSLv2", "not offered"),
        ("SSLv3", "not offered"),
        ("TLS1", "not offered"),
        ("TLS1_1", "not offered"),
        ("TLS1_2", "offered"),
        ("TLS1_3", "offered"),
        ("fallback_SCSV", "no fallback possible|no protocol below|supported"),
        ("secure_client_renego", "not vulnerable"),
        ("secure_renego", "supported"),
        ("cert_chain_of_trust", "passed"),
    ):
        # With two certificates, some names come twice and have a number.
        for key in [key for key in said if key.split(" ")[0] == name] or [name]:
            if not re.match(expected, said.get(key, "missing")):
                fail(f"{key}: {said.get(key)}")
    yield
    bad = [one for one in findings if one["severity"] not in ("OK", "INFO") and is_of_the_server(one)]
    if bad:
        fail(f"{bad}")
    yield


# What sslscan would say in red or yellow, and what is to be there.
BAD = [
    "SSLv[23] +enabled",
    "TLSv1.[01] +enabled",
    "vulnerable to heartbleed",
    "Insecure",
    "RC4",
    "DES",
    "NULL",
    "EXP",
    "CBC",
]
GOOD = [
    "TLSv1.2 +enabled",
    "TLSv1.3 +enabled",
    "supports TLS Fallback SCSV",
    "Session renegotiation not supported",
]


def sslscan(port, host):
    with Process("sslscan", "--no-colour", "--sni-name=localhost", f"{host}:{port}") as process:
        if process.finish(100):
            fail("sslscan failed")
        text = process.out.decode().replace("not vulnerable to heartbleed", "")
    for pattern in BAD:
        if re.search(pattern, text):
            fail(f"it says {pattern}")
    for pattern in GOOD:
        if not re.search(pattern, text):
            fail(f"it does not say {pattern}")
    suites = re.findall(r"^(?:Preferred|Accepted) +TLSv1\.(\d) +(\d+) bits +(\S+)", text, re.M)
    if (
        len([one for one in suites if one[0] == "3"]) != 3
        or len([one for one in suites if one[0] == "2"]) != 6
    ):
        fail(f"it found {suites}")
    yield


port = server.listener(
    f"certificate {PKI}/scanned.pem",
    f"key {PKI}/scanned.key",
    f"certificate {PKI}/scanned-rsa.pem",
    f"key {PKI}/scanned-rsa.key",
)
if it.have("sslscan"):
    for family, host in (("IPv4", "127.0.0.1"), ("IPv6", "[::1]")):
        row(sslscan, port, host, titles=[f"sslscan finds nothing but what should be there, {family}"])
if it.have("testssl"):
    row(
        testssl,
        port,
        titles=["testssl.sh sees TLS 1.2 and 1.3 alone", "testssl.sh finds nothing above informational"],
    )
if not it.rows:
    it.skip_all("neither testssl.sh nor sslscan is installed")
it.main("web")
