#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Clients that are wrong in one place: they read one alert and the end of TCP, however their messages are cut, and the
# server serves the next (tests/lib/wrong_client.py).

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
	accept_tls "$port"
}
teardown() { e2e_teardown; }

# The distribution's, for which the package with the cryptographic primitives is.
PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=python3

# converse GROUP: all conversations of the group, with a thread for each connection and with an event loop.
converse() {
	local kind form
	for kind in threads epoll; do
		start_shim server "$PROGS/echo_server" "$kind" "$port"
		wait_listen "$port"
		for form in $([ $kind = threads ] && echo whole records || echo segments); do
			run -0 within 60 "$PYTHON" "$LIB/wrong_client.py" "$port" "$1" "$form"
			refute_line --partial 'not ok'
		done
		stop server
	done
}

@test "a ClientHello that is wrong in one place is refused with the alert of the RFC" { converse hello; }
@test "what stands in place of a client's Finished ends the handshake" { converse finished; }
@test "records and messages behind the handshake that TLS 1.3 does not allow end the connection" { converse data; }
