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
    usual = it.as_they_like(version)
    alpn = {**it.wants_of(usual, narrow=False), "alpn": "foo h2"}
    it.row(it.agent_is_client, node, usual, it.server.for_want(usual, "alpn h2 http/1.1"), alpn,
           titles=it.both(f"Node to us, TLS {version}, ALPN"))  # fmt: skip
    it.row(it.agent_is_server, node, usual, it.client.address("alpn h2 http/1.1"), alpn,
           titles=it.both(f"us to Node, TLS {version}, ALPN"))  # fmt: skip
usual = it.as_they_like("1.2")
renegotiate = {**it.wants_of(usual, narrow=False), "renegotiate": "yes"}
it.row(it.agent_is_client, node, usual, it.server.for_want(usual, *it.LEGACY), renegotiate, it.PHASES[:1],
       titles=["Node to us, TLS 1.2, renegotiation in profile legacy, full"])  # fmt: skip
no_tickets = {**it.wants_of(usual, narrow=False), "tickets": "no"}
it.row(it.agent_is_client, node, usual, it.server.for_want(usual), no_tickets,
       titles=it.both("Node to us, TLS 1.2, session ids"))  # fmt: skip
it.row(it.agent_is_server, node, usual, it.client.for_want(usual), no_tickets,
       titles=it.both("us to Node, TLS 1.2, session ids"))  # fmt: skip
it.legacy_agent_rows("Node", node)
it.main()
