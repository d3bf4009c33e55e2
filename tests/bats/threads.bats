#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Threads: two on one connection, many on many, and some that close or fork below the others.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
}
teardown() { e2e_teardown; }

@test "a reader and a writer thread move 100 MiB each way on one connection" {
	mkdir bulk
	random_file bulk/up 104857600
	random_file bulk/down 104857600
	accept_tls "$port"
	IN=bulk/down start_shim server "$PROGS/duplex" listen "$port"
	wait_listen "$port"
	within 50 socat -t 30 - "OPENSSL:localhost:$port,cafile=$PKI/ca.pem" <bulk/up | sha256sum >got
	wait_exit server
	assert_equal "$status" 0
	assert_equal "$(cut -d' ' -f1 <got)" "$(checksum bulk/down)"
	assert_same bulk/up server.out
	rm server.out
}

@test "two threads here, two threads there, both wrapped: 50 MiB each way" {
	mkdir bulk
	random_file bulk/up 52428800
	random_file bulk/down 52428800
	accept_tls "$port"
	connect_tls "$port"
	IN=bulk/down start_shim server "$PROGS/duplex" listen "$port"
	wait_listen "$port"
	within 50 "$TLSHIM" run --policy "$POLICY" -- "$PROGS/duplex" connect "$port" <bulk/up | sha256sum >got
	wait_exit server
	assert_equal "$status" 0
	assert_equal "$(cut -d' ' -f1 <got)" "$(checksum bulk/down)"
	assert_same bulk/up server.out
	rm server.out
}

@test "16 threads with a connection each get back what they sent" {
	connect_tls "$port"
	start_peer echo echo "$port"
	run -0 shim "$PROGS/talk_threads" talk "$port" 16 40
	assert_output '16 threads, 40 rounds'
}

@test "a server with a thread for each connection serves 50 clients at once" {
	accept_tls "$port"
	start_shim server "$PROGS/echo_server" threads "$port"
	wait_listen "$port"
	run -0 peer many "$port" --count 50
	assert_output --partial '50 connections'
}

@test "16 threads of a wrapped client talk to the threads of a wrapped server" {
	accept_tls "$port"
	connect_tls "$port"
	start_shim server "$PROGS/echo_server" threads "$port"
	wait_listen "$port"
	run -0 shim "$PROGS/talk_threads" talk "$port" 16 200
	assert_output '16 threads, 200 rounds'
}

@test "a thread that forks all the time does not disturb the others' connections" {
	accept_tls "$port"
	connect_tls "$port"
	start_shim server "$PROGS/echo_server" threads "$port"
	wait_listen "$port"
	run -0 shim "$PROGS/talk_threads" fork "$port" 8 200
	assert_output '8 threads, 200 rounds'
}

@test "closing a connection while another thread reads it crashes nobody" {
	accept_tls "$port"
	connect_tls "$port"
	start_shim server "$PROGS/echo_server" threads "$port"
	wait_listen "$port"
	run -0 shim "$PROGS/talk_threads" close "$port" 4 50
	assert_line '4 threads, 50 rounds'
	run -0 shim "$PROGS/talk_threads" talk "$port" 2 2
}

@test "Python's threading server over https serves 40 requests at once" {
	accept_tls "$port"
	random_file page 200000
	start_shim http "$PYTHON" -m http.server --bind 127.0.0.1 "$port"
	wait_listen "$port"
	urls=()
	for i in {1..40}; do
		urls+=(-o "got.$i" "https://localhost:$port/page")
	done
	run -0 tls_curl -Z --parallel-max 40 "${urls[@]}"
	for i in {1..40}; do
		assert_same page "got.$i"
	done
}
