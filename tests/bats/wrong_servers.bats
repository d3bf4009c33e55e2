#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# Servers that are wrong in one place: they get one alert and the end of TCP, the program an errno, and nobody a byte that
# is not proven (tests/lib/wrong_server.py).

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
}
teardown() { e2e_teardown; }

# The distribution's, for which the package with the cryptographic primitives is.
PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=python3

# converse GROUP [OPTION…]: all conversations of the group, under a rule with these options.
converse() {
	connect_tls "$port" "${@:2}"
	run -0 within 120 "$PYTHON" "$LIB/wrong_server.py" "$port" "$PKI/server.pem" "$PKI/server.key" \
		"$1" "$TLSHIM" run --policy "$POLICY" -- "$PROGS/tcp_client" 127.0.0.1 "$port" write=SECRET slurp
	refute_line --partial 'not ok'
}

@test "a TLS 1.3 server whose messages are cut, damaged, missing or out of order is refused" { converse messages13; }
@test "a TLS 1.3 server that chooses what it was not offered is refused" { converse hello13; }
@test "records that TLS 1.3 does not allow end the connection, before and behind the handshake" { converse records13; }
@test "a TLS 1.2 server that is wrong in one place is refused" { converse version12; }
@test "a server that ends a connection instead of renegotiating it has ended its data" {
	converse renegotiation "profile legacy"
}
