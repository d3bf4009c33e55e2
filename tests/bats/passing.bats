#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# Connections that a program passes to another process (SCM_RIGHTS).

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
	accept_tls "$port"
}
teardown() { e2e_teardown; }

# echoes MODE: five clients, each served by the process that the connection was passed to.
echoes() {
	start_shim server "$PYTHON" "$LIB/passing.py" "$1" "$port"
	wait_listen "$port"
	for turn in {1..5}; do
		run -0 gnutls "$port" < <(echo first; sleep 0.3; echo "number $turn")
		assert_output --partial "got number $turn"
	done
}

@test "a connection goes on in a forked child that gets it over a socketpair" { echoes pair; }
@test "a connection goes on in an executed child that gets it over a socketpair" { echoes exec; }


# A handshake is private to the process that has begun it, so one of the shim's own goes on with it.
@test "a connection that is passed on in the midst of its handshake goes on in the other process" {
	start_shim server "$PYTHON" "$LIB/passing.py" begun "$port"
	wait_listen "$port"
	for turn in {1..3}; do
		run -0 limited "$PYTHON" "$LIB/segments.py" "$PKI/ca.pem" "$port" byte-by-byte
		assert_output --partial "got hello "
	done
}

# dialled CERTIFICATE: the client, of a server that takes half a second to answer.
dialled() {
	free_port to
	connect_tls "$to"
	start slow "$PYTHON" "$LIB/segments.py" "$PKI/$1" "$to" serve-slow
	wait_listen "$to"
	run -0 shim "$PYTHON" "$LIB/passing.py" dial "$to"
}
@test "a client's connection that is passed on before it is connected is connected in the other process" {
	dialled server
	assert_line "connect: 0"
	assert_line "echo: hello!"
}
@test "a wrong certificate is refused for a connection that was passed on before it was connected" {
	dialled wrong-name
	assert_line "connect: EKEYREJECTED"
	refute_output --partial echo
}

@test "connections that a launcher without the shim accepts and passes on are protected, too" {
	start launcher "$PYTHON" "$LIB/passing.py" launch "$port" \
		"$TLSHIM" run --policy "$POLICY" -- "$PYTHON" "$LIB/passing.py" serve 0
	wait_listen "$port"
	for turn in {1..3}; do
		run -0 gnutls "$port" < <(echo "number $turn")
		assert_output --partial "got number $turn"
	done
}

@test "a process without the shim is not given a connection, and nothing is sent in clear" {
	start stranger "$PYTHON" "$LIB/passing.py" receive "$PWD/channel"
	until_true 10 test -S channel
	free_port tapped
	start_shim server "$PYTHON" "$LIB/passing.py" stranger "$port" "$PWD/channel"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	echo first | s_client "$tapped" >got || true
	wait_text server.out 'refused: Operation not permitted'
	wait_text server.err 'not passed on'
	refute grep -qa 'plaintext that must not' got
	assert_protected
}
