#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# shutdown(SHUT_WR) is a close_notify and the other direction goes on; close() loses nothing that was written.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
}
teardown() { e2e_teardown; }

@test "a client that has shut its side down still reads the whole answer" {
	connect_tls "$port"
	start_peer sink sink "$port"
	run -0 shim nc.openbsd -N 127.0.0.1 "$port" <<<"$MARKER"
	assert_output --regexp "^TLSv1.[23] clean $((${#MARKER} + 1)) "
}

@test "shutdown(SHUT_WR), then read: the server's end is an end, and writing is EPIPE" {
	connect_tls "$port"
	start_peer echo echo "$port"
	run -0 shim "$PROGS/tcp_client" localhost "$port" "write=$MARKER" shut write=more slurp read
	assert_line 'shut: 0'
	assert_line 'write: EPIPE'
	assert_line "slurp: ${#MARKER} end"
	assert_line 'read: end'
}

@test "a server sees the end of a client that half-closes, and answers it afterwards" {
	accept_tls "$port"
	start_shim server "$PROGS/tcp_server" "$port" slurp fill=300000
	wait_listen "$port"
	head -c 200000 /dev/zero >zeros
	run -0 bash -c "timeout 20 socat -t 20 - OPENSSL:localhost:$port,cafile=$PKI/ca.pem <zeros | wc -c"
	assert_output 300000
	wait_text server.out descriptors
	assert_line_in() { grep -qxF -- "$1" server.out; }
	assert assert_line_in 'slurp: 200000 end'
	assert assert_line_in 'fill: 300000'
}

@test "a server that shuts its side down still reads what the client sends, both wrapped" {
	accept_tls "$port"
	connect_tls "$port"
	start_shim server "$PROGS/tcp_server" "$port" write=first shut slurp
	wait_listen "$port"
	run -0 shim "$PROGS/tcp_client" localhost "$port" read read fill=500000
	assert_line 'read: 5 first'
	assert_line 'read: end'
	wait_text server.out '^slurp: 500000 end'
}

@test "half-closes of both sides at once end the connection cleanly" {
	accept_tls "$port"
	connect_tls "$port"
	start_shim server "$PROGS/tcp_server" "$port" shut slurp
	wait_listen "$port"
	run -0 shim "$PROGS/tcp_client" localhost "$port" shut slurp
	assert_line 'slurp: 0 end'
	wait_text server.out '^slurp: 0 end'
}

@test "a reply of 4 KiB and an immediate close arrive whole, 1,000 times at OpenSSL" {
	accept_tls "$port"
	start_shim server "$PROGS/tcp_server" "$port" read fill=4096
	wait_listen "$port"
	run -0 peer calls "$port" --count 1000
	assert_output '1000 answers of [4096] bytes'
}

@test "a reply of 4 KiB and an immediate close arrive whole, 1,000 times at GnuTLS" {
	accept_tls "$port"
	start_shim server "$PROGS/fork_server" child "$port"
	wait_listen "$port"
	for turn in {1..100}; do echo "https://localhost:$port/$turn"; done >addresses
	mkdir none # the system's certificates, read for each connection, would take most of the time
	for n in {1..10}; do
		start "client$n" wget -q -t 1 --ca-directory none --ca-certificate "$PKI/ca.pem" -i addresses -O -
	done
	for n in {1..10}; do
		wait_exit "client$n" 50
		assert_equal "$(stat -c %s "client$n.out")" $((100 * 4096))
	done
}

@test "a reply of 4 KiB waits whole for clients that read nothing, tickets included, before the server has closed" {
	accept_tls "$port"
	start_shim server "$PROGS/tcp_server" "$port" fill=4096
	wait_listen "$port"
	run -0 limited "$PYTHON" - "$PKI/ca.pem" "$port" <<-'END'
		import select, socket, ssl, sys
		context = ssl.create_default_context(cafile=sys.argv[1])
		for turn in range(300):
		    plain = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
		    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
		    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
		    while True:
		        try:
		            tls.do_handshake()
		            break
		        except ssl.SSLWantReadError:
		            plain.sendall(outgoing.read())
		            # No more than what the handshake is waiting for.
		            header = plain.recv(5, socket.MSG_WAITALL)
		            incoming.write(header + plain.recv(int.from_bytes(header[3:], "big"), socket.MSG_WAITALL))
		    plain.sendall(outgoing.read())
		    ended = select.poll()
		    ended.register(plain, select.POLLRDHUP)
		    assert ended.poll(10000), "the server does not close"
		    while data := plain.recv(65536):
		        incoming.write(data)
		    incoming.write_eof()
		    answer = b""
		    while data := tls.read(65536):
		        answer += data
		    assert len(answer) == 4096, len(answer)
	END
}

@test "4 KiB and an immediate close of a client that reads nothing arrive whole, 1,000 times at OpenSSL" {
	connect_tls "$port"
	start_peer sink sink "$port"
	run -0 within 50 "$TLSHIM" run --policy "$POLICY" -- "$PYTHON" -c "
import socket
for turn in range(1000):
    s = socket.create_connection(('127.0.0.1', $port))
    s.sendall(bytes(4096))
    s.close()"
	count() { [ "$(grep -cE '^TLSv1.[23] clean 4096 ' sink.out)" = 1000 ]; }
	until_true 5 count
}

@test "an answer is whole even if the server closes with the client's data unread" {
	accept_tls "$port"
	mkfifo go
	exec 4<>go
	IN=go start_shim server "$PROGS/tcp_server" "$port" read wait fill=100000
	wait_listen "$port"
	{ echo hello && head -c 50000 /dev/zero; } >question
	for turn in {1..10}; do
		IN=question start "client$turn" "$PYTHON" "$LIB/peer.py" --pki "$PKI" get "$port" --send --tell
		wait_text "client$turn.err" sent
		echo >&4
		wait_exit "client$turn"
		assert_equal "$(stat -c %s "client$turn.out")" 100000
	done
	exec 4<&-
}
