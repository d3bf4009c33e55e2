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
# Without parameters that it is given it has no DHE as a server.
it.legacy_agent_rows("Python", python, lambda want: "DHE_RSA" in want.suite and "ECDHE" not in want.suite)
it.main()
