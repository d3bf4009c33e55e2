# SPDX-License-Identifier: GPL-2.0-or-later
"""The interoperability matrix: mbedTLS, a stack for small devices.

timeout: 300
"""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import interop as it  # noqa: E402

program = it.scratch() / "mbedtls"
build = subprocess.run(
    [
        "cc",
        "-O1",
        "-D_GNU_SOURCE",
        "-o",
        program,
        it.PEERS / "mbedtls.c",
        "-lmbedtls",
        "-lmbedx509",
        "-lmbedcrypto",
    ],
    capture_output=True,
    text=True,
    check=False,
)
if build.returncode != 0:
    if pathlib.Path("/usr/include/mbedtls/ssl.h").exists():
        sys.exit(build.stderr)
    it.skip_all("mbedTLS is not installed")
mbedtls = it.lazily(program)
header = pathlib.Path("/usr/include/mbedtls/build_info.h")  # of version 3
is_3 = header.exists()
# Version 2 has no TLS 1.3, version 3 nothing before TLS 1.2; neither has Ed25519.
CERTS = ["server-p384", "rsa-both", "rsa3072-both", "rsa4096-both"]
CLIENTS = ["client", "client-p384", "client-rsa"]
it.agent_rows("mbedTLS", mbedtls, "1.2", schemes=[], certs=CERTS, clients=CLIENTS)
usual = it.as_they_like("1.2")
words = it.wants_of(usual, narrow=False)
for what, more in ("session ids", {"tickets": "no"}), ("no extended master secret", {"ems": "no"}):
    # A session without an extended master secret is not offered again: RFC 7627 5.3.
    phases = it.PHASES[:1] if "ems" in more else it.PHASES
    it.agent_to_us("mbedTLS", what, mbedtls, usual, it.server.for_want(usual), {**words, **more})
    it.agent_to_them("mbedTLS", what, mbedtls, usual, it.client.for_want(usual), {**words, **more}, phases)
what, more = "fragments of 512 bytes", {"fragment": "512"}
it.agent_to_us("mbedTLS", what, mbedtls, usual, it.server.for_want(usual), {**words, **more})
what, more = "renegotiation in profile legacy", {"renegotiate": "yes"}
ours = it.server.for_want(usual, *it.LEGACY)
it.agent_to_us("mbedTLS", what, mbedtls, usual, ours, {**words, **more}, it.PHASES[:1])
for want in it.legacy_variations():
    if want.version == "1.2" and "RSA_WITH_AES_128_CBC" in want.suite:
        what, more = f"{want.suite}, legacy, no encrypt-then-mac", {"etm": "no"}
        ours, theirs = it.server.for_want(want, *it.LEGACY), it.client.for_want(want, *it.LEGACY)
        it.agent_to_us("mbedTLS", what, mbedtls, want, ours, {**it.wants_of(want), **more})
        it.agent_to_them("mbedTLS", what, mbedtls, want, theirs, {**it.wants_of(want), **more})
it.legacy_agent_rows("mbedTLS", mbedtls, lambda want: is_3 and want.version != "1.2")
it.main()
