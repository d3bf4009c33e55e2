#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# Connections that come about in rare ways: by Fast Open, by inheritance, announced by signals.

# shellcheck disable=SC2154 # variables that free_port sets
bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() { e2e_setup; }
teardown() { e2e_teardown; }

# Each mode of tests/progs/edges says the same with TLS as without, and the wire sees TLS alone.
same_as_plain() {
	local mode
	free_port plain server tapped
	accept_tls "$server"
	connect_tls "$tapped"
	start plain_server "$PROGS/echo_server" threads "$plain"
	start_shim server "$PROGS/echo_server" threads "$server"
	wait_listen "$plain"
	wait_listen "$server"
	start_tap "$tapped" "$server"
	wait_listen "$tapped"
	MARKER=words
	for mode in "$@"; do
		limited "$PROGS/edges" "$mode" "$plain" >expected
		run -0 shim "$PROGS/edges" "$mode" "$tapped"
		assert_output "$(cat expected)"
	done
	assert_protected
}

@test "TCP Fast Open sends no plaintext, whichever call opens the connection" {
	same_as_plain sendto sendmsg sendmmsg number empty fast-connect
}

@test "IPv4 addresses in IPv6 sockets, SIGIO, and questions for urgent data do as without TLS" {
	same_as_plain mapped sigio mark
}

@test "a signal ends a call that has moved bytes, SA_RESTART or not, and SO_RCVTIMEO is for the call as a whole" {
	same_as_plain partial
}

# A client of $tapped sends MARKER and "quit", and gets what the program has to say.
converse() {
	printf '%s\nquit\n' "$MARKER" >input
	limited "$PYTHON" "$LIB/peer.py" --pki "$PKI" --send get "$tapped" <input
}

@test "a connection that a super-server without the shim has accepted speaks TLS" {
	free_port port tapped
	accept_tls "$port"
	start server socat "TCP-LISTEN:$port,bind=127.0.0.1" \
		"EXEC:$TLSHIM run --policy $POLICY -- $PROGS/stdio_server 0 session,nofork"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	wait_listen "$tapped"
	run -0 converse
	assert_output "0 1 got $MARKER"$'\n..\n0 1 got quit\n..\ngoodbye'
	assert_protected
}

@test "log lines never get onto a connection that is standard error" {
	free_port port tapped
	accept_tls "$port"
	TLSHIM_LOG=nonsense start_shim server "$PROGS/stdio_server" "$port" exec
	wait_listen "$port"
	start_tap "$tapped" "$port"
	wait_listen "$tapped"
	run -0 converse
	assert_output "0 1 got $MARKER"$'\n..\n0 1 got quit\n..\ngoodbye'
	assert_protected
}

@test "a program that is executed with a connection, but finds no policy, writes nothing on it" {
	free_port port tapped
	accept_tls "$port"
	start_shim server "$PROGS/stdio_server" "$port" exec
	wait_listen "$port"
	start_tap "$tapped" "$port"
	wait_listen "$tapped"
	mv "$POLICY" elsewhere
	run converse
	refute_output --partial goodbye
	assert_protected
}

@test "a connection that a launcher without the shim has made speaks TLS, whatever its ports" {
	local from
	free_port low port tapped
	start peer "$PYTHON" "$LIB/peer.py" --pki "$PKI" echo "$port"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	wait_listen "$tapped"
	connect_tls "$tapped"
	printf '#!/bin/bash\necho "%s"; read -r line; echo "$line" >answer\n' "$MARKER" >program
	chmod +x program
	# Ports of clients are above those of the tests' services; the second one is not.
	while [ "$low" -ge "$tapped" ]; do
		free_port low
	done
	for from in '' ",sourceport=$low,reuseaddr"; do
		rm -f answer
		run -0 limited socat "TCP:127.0.0.1:$tapped$from" \
			"EXEC:$TLSHIM run --policy $POLICY -- $PWD/program,nofork"
		run -0 cat answer
		assert_output "$MARKER"
		assert_protected
	done
}

@test "a shell's plain connection stays plain in its children, which know no name for it" {
	free_port port
	start server "$PROGS/echo_server" threads "$port"
	wait_listen "$port"
	printf 'connect db.example:%s tls {\n\ttrust %s\n}\n' "$port" "$PKI/ca.pem" >"$POLICY"
	run -0 shim bash -c "exec 3<>/dev/tcp/localhost/$port; cat /dev/null; echo words >&3; head -n 1 <&3"
	assert_output words
}

@test "without /proc programs are wrapped, and executed with their connections, all the same" {
	unshare -m umount -l /proc || skip "/proc cannot be taken away here"
	free_port port tapped
	accept_tls "$port"
	start server unshare -m bash -c 'umount -l /proc; exec "$@"' - \
		"$TLSHIM" run --policy "$POLICY" -- "$PROGS/stdio_server" "$port" exec
	wait_listen "$port"
	start_tap "$tapped" "$port"
	wait_listen "$tapped"
	run -0 converse
	assert_output "0 1 got $MARKER"$'\n..\n0 1 got quit\n..\ngoodbye'
	assert_protected
}

@test "with a full /dev/shm programs are wrapped, and executed with their connections, all the same" {
	unshare -m mount -t tmpfs -o size=4k none /dev/shm || skip "nothing can be mounted here"
	free_port port tapped
	accept_tls "$port"
	start server unshare -m bash -c 'mount -t tmpfs -o size=4k none /dev/shm; head -c 9000 /dev/zero >/dev/shm/full; exec "$@"' - \
		"$TLSHIM" run --policy "$POLICY" -- "$PROGS/stdio_server" "$port" exec
	wait_listen "$port"
	start_tap "$tapped" "$port"
	run -0 converse
	assert_output "0 1 got $MARKER"$'\n..\n0 1 got quit\n..\ngoodbye'
	assert_protected
}
