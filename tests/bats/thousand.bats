#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Many connections, and some that do nothing: nobody waits for them.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	ulimit -n "$(ulimit -Hn)"
	free_port port
	accept_tls "$port"
}
teardown() { e2e_teardown; }

# start_idle COUNT KIND: connections that send nothing, half a ClientHello, or TLS and then nothing. Ready when idle.out says so.
start_idle() {
	start "idle$2" "$PYTHON" -c "
import socket, ssl, sys, time
connections = []
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations('$PKI/ca.pem')
for i in range($1):
    s = socket.create_connection(('127.0.0.1', $port))
    if '$2' == 'half':
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname='localhost')
        try: tls.do_handshake()
        except ssl.SSLWantReadError: pass
        hello = outgoing.read()
        s.sendall(hello[:1 + i % (len(hello) - 1)])
    elif '$2' == 'open':
        s = context.wrap_socket(s, server_hostname='localhost')
    connections.append(s)
print('all there', flush=True)
time.sleep(60)"
	wait_text "idle$2.out" 'all there'
}

# answers_quickly MILLISECONDS: one more client is served within the time, its own start-up not counted. The best of ten
# counts, for what else this machine does is not the server's doing.
answers_quickly() {
	run -0 "$PYTHON" -c "
import socket, ssl, time
context = ssl.create_default_context(cafile='$PKI/ca.pem')
def serve():
    start = time.monotonic()
    with context.wrap_socket(socket.create_connection(('127.0.0.1', $port)), server_hostname='localhost') as s:
        s.sendall(b'$MARKER')
        assert s.recv(100) == b'$MARKER'
    return int((time.monotonic() - start) * 1000)
print(min(serve() for turn in range(10)))"
	assert [ "$output" -lt "$1" ]
}

serves_beside_idle() { # STYLE
	start_shim server "$PROGS/echo_server" "$1" "$port"
	wait_listen "$port"
	start_idle 100 silent
	answers_quickly 50
	start_idle 50 half
	answers_quickly 50
	start_idle 50 open
	answers_quickly 50
}

@test "1,000 concurrent connections through one edge-triggered epoll server are echoed whole" {
	start_shim server "$PROGS/echo_server" epoll "$port"
	wait_listen "$port"
	run -0 within 55 "$PYTHON" "$LIB/peer.py" --pki "$PKI" many "$port" --count 1000
	assert_output --partial '1000 connections'
	# And all of them are gone afterwards.
	has_closed() { [ "$(find "/proc/$pid_server/fd" -lname 'socket:*' | wc -l)" -le 2 ]; }
	until_true 10 has_closed
	answers_quickly 50
}

@test "200 connections through a poll server and through a select server are echoed whole" {
	start_shim poll "$PROGS/echo_server" poll "$port"
	wait_listen "$port"
	run -0 peer many "$port" --count 200 --big 300000
	assert_output --partial '200 connections'
	free_port port
	accept_tls "$port"
	start_shim select "$PROGS/echo_server" select "$port"
	wait_listen "$port"
	run -0 peer many "$port" --count 200 --big 300000
	assert_output --partial '200 connections'
}

@test "clients that stall in the handshake delay nobody at an epoll server" { serves_beside_idle epoll; }
@test "clients that stall in the handshake delay nobody at a poll server" { serves_beside_idle poll; }
@test "clients that stall in the handshake delay nobody at a select server" { serves_beside_idle select; }

@test "an idle server with 100 connections in all states uses no processor time" {
	start_shim server "$PROGS/echo_server" epoll "$port"
	wait_listen "$port"
	start_idle 30 silent
	start_idle 30 half
	start_idle 40 open
	ticks() { awk '{ print $14 + $15 }' "/proc/$pid_server/stat"; }
	answers_quickly 50
	before=$(ticks)
	sleep 2
	assert [ $(($(ticks) - before)) -le 4 ]
}

@test "300 connections at once to a wrapped redis-server are all answered" {
	start_shim redis redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no
	wait_listen "$port"
	connect_tls "$port"
	run -0 within 50 "$TLSHIM" run --policy "$POLICY" -- redis-benchmark -h 127.0.0.1 -p "$port" -c 300 -n 6000 -t ping -q
	assert_output --regexp 'PING_INLINE: [0-9.]+ requests'
}
