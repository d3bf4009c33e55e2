# SPDX-License-Identifier: GPL-2.0-or-later
"""The interoperability matrix: Python's ssl.

timeout: 300
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import interop as it  # noqa: E402

python = it.lazily(sys.executable, "-B", it.PEERS / "python.py")

CERTS = ["server-p384", "server-ed25519", "rsa-both", "rsa3072-both", "rsa4096-both"]
for version in it.VERSIONS:
    # Python has no say in TLS 1.3's suites, in x25519 and in signature schemes.
    suites = [] if version == "1.3" else None
    unknown = ("suite", "group") if version == "1.3" else ("group",)
    it.agent_rows("Python", python, version, unknown, suites=suites, schemes=[], certs=CERTS)
    usual = it.as_they_like(version)
    alpn = {**it.wants_of(usual, narrow=False), "alpn": "foo h2"}
    it.row(it.agent_is_client, python, usual, it.server.for_want(usual, "alpn h2 http/1.1"), alpn,
           titles=it.both(f"Python to us, TLS {version}, ALPN"))  # fmt: skip
    it.row(it.agent_is_server, python, usual, it.client.address("alpn h2 http/1.1"), alpn,
           titles=it.both(f"us to Python, TLS {version}, ALPN"))  # fmt: skip
# Without parameters that it is given it has no DHE as a server.
it.legacy_agent_rows("Python", python, lambda want: "DHE_RSA" in want.suite and "ECDHE" not in want.suite)
it.main()
