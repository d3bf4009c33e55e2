# SPDX-License-Identifier: GPL-2.0-or-later
"""The interoperability matrix: Node's tls.

timeout: 300
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import interop as it  # noqa: E402


node = it.lazily("node", it.PEERS / "node.js")

if not it.have("node"):
    it.skip_all("node is not installed")
for version in it.VERSIONS:
    it.agent_rows("Node", node, version)
usual = it.as_they_like("1.2")
words, legacy = it.wants_of(usual, narrow=False), it.server.for_want(usual, *it.LEGACY)
renegotiate, no_tickets = {**words, "renegotiate": "yes"}, {**words, "tickets": "no"}
it.agent_to_us("Node", "renegotiation in profile legacy", node, usual, legacy, renegotiate, it.PHASES[:1])
it.agent_to_us("Node", "session ids", node, usual, it.server.for_want(usual), no_tickets)
it.agent_to_them("Node", "session ids", node, usual, it.client.for_want(usual), no_tickets)
it.legacy_agent_rows("Node", node)
it.main()
