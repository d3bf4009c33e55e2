#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# A client's connect() returns though the server, which has accepted, waits for something else before it serves.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
	accept_tls "$port"
	connect_tls "$port"
}
teardown() { e2e_teardown; }

server() {
	start_shim server "$PYTHON" "$LIB/unserved.py" server "$port" "$1"
	wait_listen "$port"
}

# More than once, for it is a matter of timing; in far less than any time limit.
is_served() {
	for _ in 1 2 3; do
		run -0 within 8 "$TLSHIM" run --policy "$POLICY" -- "$PYTHON" "$LIB/unserved.py" client "$port"
		assert_output "HELLO 0
HELLO 1
HELLO 2"
	done
}

@test "a server that waits in accept() for the next connection lets the first one's connect() return" {
	server accept
	is_served
}

@test "a server that waits in poll() for the next connection lets the first one's connect() return" {
	server poll
	is_served
}

@test "a server that waits in select() for the next connection lets the first one's connect() return" {
	server select
	is_served
}

@test "a server that waits in epoll_wait() for the next connection lets the first one's connect() return" {
	server epoll
	is_served
}

# shellcheck disable=SC2154 # start_shim sets pid_server
cost() {
	echo "$(awk '{ print $14 + $15 }' "/proc/$pid_server/stat")" \
		"$(awk '/^voluntary/ { print $2 }' "/proc/$pid_server/status")"
}

@test "connections that nobody serves cost a waiting server no processor time" {
	server accept
	# A silent client, and one that stops in the middle of its ClientHello.
	start silent sh -c "sleep 20 | nc.openbsd 127.0.0.1 $port"
	start halting sh -c "{ printf '\026\003\001\002\000\001'; sleep 20; } | nc.openbsd 127.0.0.1 $port"
	sleep 0.5
	before=$(cost)
	sleep 2
	after=$(cost)
	# Ticks of a hundredth of a second, and times that it was woken.
	[ $((${after% *} - ${before% *})) -le 2 ]
	[ $((${after#* } - ${before#* })) -le 5 ]
}
