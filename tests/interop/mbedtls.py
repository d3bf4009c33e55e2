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
    ["cc", "-O1", "-D_GNU_SOURCE", "-o", program, it.PEERS / "mbedtls.c", "-lmbedtls", "-lmbedx509", "-lmbedcrypto"],
    capture_output=True, text=True, check=False,
)  # fmt: skip
if build.returncode != 0:
    if pathlib.Path("/usr/include/mbedtls/ssl.h").exists():
        sys.exit(build.stderr)
    it.skip_all("mbedTLS is not installed")
mbedtls = it.lazily(program)
major = int(subprocess.run(
    ["cc", "-E", "-P", "-include", "mbedtls/version.h", "-x", "c", "-"], input="MBEDTLS_VERSION_MAJOR",
    capture_output=True, text=True, check=True,
).stdout.split()[-1])  # fmt: skip

CERTS = ["server-p384", "rsa-both", "rsa3072-both", "rsa4096-both"]
CLIENTS = ["client", "client-p384", "client-rsa"]
# Version 2 has no TLS 1.3, version 3 nothing before TLS 1.2; neither has Ed25519.
for version in it.VERSIONS if major >= 3 else ["1.2"]:
    it.agent_rows("mbedTLS", mbedtls, version, schemes=[], certs=CERTS, clients=CLIENTS)
    usual = it.as_they_like(version)
    words = it.wants_of(usual, narrow=False)
    for what, more, options in (
        ("ALPN", {"alpn": "foo h2"}, ["alpn h2 http/1.1"]),
        ("fragments of 512 bytes", {"fragment": "512"}, []),
        ("session ids", {"tickets": "no"}, []),
        ("no extended master secret", {"ems": "no"}, []),
    ):
        if version == "1.3" and what in ("session ids", "no extended master secret"):
            continue
        it.row(it.agent_is_client, mbedtls, usual, it.server.for_want(usual, *options), {**words, **more},
               titles=it.both(f"mbedTLS to us, TLS {version}, {what}"))  # fmt: skip
        if what != "fragments of 512 bytes":
            # A session without an extended master secret is not offered again: RFC 7627 5.3.
            phases = it.PHASES[:1] if "extended" in what else it.PHASES
            it.row(it.agent_is_server, mbedtls, usual, it.client.address(*options), {**words, **more}, phases,
                   titles=it.both(f"us to mbedTLS, TLS {version}, {what}")[: len(phases)])  # fmt: skip
usual = it.as_they_like("1.2")
words = {**it.wants_of(usual, narrow=False), "renegotiate": "yes"}
it.row(it.agent_is_client, mbedtls, usual, it.server.for_want(usual, *it.LEGACY), words, it.PHASES[:1],
       titles=["mbedTLS to us, TLS 1.2, renegotiation in profile legacy"])  # fmt: skip
for want in it.legacy_variations():
    if want.version == "1.2" and "RSA_WITH_AES_128_CBC" in want.suite:
        words = {**it.wants_of(want), "etm": "no"}
        title = f"TLS 1.2, {want.suite}, legacy, no encrypt-then-mac"
        it.row(it.agent_is_client, mbedtls, want, it.server.for_want(want, *it.LEGACY), words,
               titles=it.both(f"mbedTLS to us, {title}"))  # fmt: skip
        it.row(it.agent_is_server, mbedtls, want, it.client.for_want(want, *it.LEGACY), words,
               titles=it.both(f"us to mbedTLS, {title}"))  # fmt: skip
it.legacy_agent_rows("mbedTLS", mbedtls, lambda want: major >= 3 and want.version != "1.2")
it.main()
