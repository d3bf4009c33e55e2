# SPDX-License-Identifier: GPL-2.0-or-later
"""The interoperability matrix: Java's JSSE.

timeout: 600
"""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import interop as it  # noqa: E402

if not it.have("javac"):
    it.skip_all("no Java compiler is installed")
classes = it.scratch() / "classes"
subprocess.run(["javac", "-d", classes, it.PEERS / "Peer.java"], check=True)


def java(*options, limits=()):
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
    return it.lazily("java", *quick, *options, "-cp", classes, "Peer", *limits)


usual_java = java()
# Groups and signature schemes can only be set for the whole machine: one for each, with all versions.
special = [(group, java(f"-Djdk.tls.namedGroups={group}"), {"group": group}) for group in it.GROUPS[1:]]
schemes = "rsa_pss_rsae_sha512,rsa_pkcs1_sha256"  # the second for certificates
both = java(f"-Djdk.tls.client.SignatureSchemes={schemes}", f"-Djdk.tls.server.SignatureSchemes={schemes}")
special.append(("rsa_pss_rsae_sha512", both, {"cert": "rsa-both"}))
# Renews its key each 16 KiB.
renewing = java(limits=["AES/GCM/NoPadding KeyUpdate 2^14"])
special.append(("KeyUpdate each 16 KiB", renewing, {}))
CERTS = ["server-p384", "server-ed25519", "rsa-both", "rsa3072-both", "rsa4096-both"]

for version in it.VERSIONS:
    # JSSE puts its own chain into its tickets, and we do not keep tickets that are so long.
    it.agent_rows("JSSE", usual_java, version, ["group"], (False,), groups=[], schemes=[], certs=CERTS)
    chain = it.as_they_like(version, "under-inter-rsa")
    words = it.wants_of(chain, narrow=False)
    it.agent_to_them("JSSE", "an RSA chain", usual_java, chain, it.client.for_want(chain), words)
    for what, agent, members in special:
        if version == "1.2" and what.startswith(("rsa", "KeyUpdate")):
            continue
        want = it.base(version, members.get("cert", "rsa-both" if "group" in members else "server"))
        want = want._replace(group=members.get("group", ""))
        it.agent_to_us("JSSE", what, agent, want, it.server.for_want(want), it.wants_of(want))
        it.agent_to_them("JSSE", what, agent, want, it.client.for_want(want), it.wants_of(want))
usual = it.as_they_like("1.2")
renegotiate = {**it.wants_of(usual, narrow=False), "renegotiate": "yes"}
ours = it.server.for_want(usual, *it.LEGACY)
it.agent_to_us("JSSE", "renegotiation in profile legacy", usual_java, usual, ours, renegotiate)
it.legacy_agent_rows("JSSE", usual_java)
it.main()
