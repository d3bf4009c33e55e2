#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 240
#
# When it cannot be TLS, it is an errno that a legacy program understands and one line in the log, never plaintext.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() { e2e_setup; }
teardown() { e2e_teardown; }

# logged ERE: exactly one line of the shim's is in the output, and it matches.
logged() {
	assert_line --regexp "^tlshim\[[0-9]+\]: (warn|error): .*$1"
	assert_equal "$(grep -cE '^tlshim\[[0-9]+\]: (warn|error)' <<<"$output")" 1
}
# Nothing but TLS passed the tap, if anything did; the marker in no case.
assert_nothing_in_clear() {
	[ -z "$(cat tap/*.up tap/*.down)" ] || assert_protected
}
client() { run -1 shim "$PROGS/tcp_client" "${options[@]}" localhost "$1" anyway "write=$MARKER" read; }

# refuses_server CERTIFICATE ERRNO ERE: for a blocking and for a non-blocking connect().
refuses_server() {
	free_port port tapped
	connect_tls "$tapped"
	start_peer sink sink "$port" --cert "$1"
	start_tap "$tapped" "$port"
	options=()
	client "$tapped"
	assert_line "connect: $2"
	refute_line "write: ${#MARKER}"
	logged "$3"
	options=(-n)
	client "$tapped"
	assert_line "connect: $2"
	refute_line "write: ${#MARKER}"
	assert_nothing_in_clear
}

@test "an expired certificate makes connect() fail with EKEYREJECTED" { refuses_server expired EKEYREJECTED expired; }
@test "a certificate for another name makes connect() fail with EKEYREJECTED" {
	refuses_server wrong-name EKEYREJECTED localhost
}
@test "a certificate of an unknown CA makes connect() fail with EKEYREJECTED" {
	refuses_server by-other EKEYREJECTED 'trust'
}
@test "a certificate that is not valid yet makes connect() fail with EKEYREJECTED" {
	refuses_server future EKEYREJECTED 'not.* valid'
}

@test "verify chain accepts another name, verify none an unknown CA, and only they" {
	free_port port other
	start_peer one sink "$port" --cert wrong-name
	start_peer two sink "$other" --cert by-other
	connect_tls "$port" 'verify chain'
	connect_tls "$other" 'verify none'
	run -0 shim "$PROGS/tcp_client" localhost "$port" "write=$MARKER" shut slurp
	assert_line 'connect: 0'
	run -0 shim "$PROGS/tcp_client" localhost "$other" "write=$MARKER" shut slurp
	assert_line 'connect: 0'
	: >"$POLICY"
	connect_tls "$other" 'verify chain'
	run -1 shim "$PROGS/tcp_client" localhost "$other" "write=$MARKER"
	assert_line 'connect: EKEYREJECTED'
}

@test "a server that speaks none of the rule's versions makes connect() fail with EPROTO, and the log says why" {
	free_port port
	connect_tls "$port" 'versions 1.3'
	start server openssl s_server -accept "$port" -cert "$PKI/server.pem" -key "$PKI/server.key" -tls1_2 -quiet
	wait_listen "$port"
	client "$port"
	assert_line 'connect: EPROTO'
	logged 'protocol_version; the two sides have no version of TLS in common'
}

@test "a server that speaks plaintext makes connect() fail with EPROTO" {
	free_port port tapped
	connect_tls "$tapped"
	start plain "$PROGS/tcp_server" "$port" 'write=220 plain here' slurp
	wait_listen "$port"
	start_tap "$tapped" "$port"
	options=()
	client "$tapped"
	assert_line 'connect: EPROTO'
	logged 'no TLS'
	options=(-n)
	client "$tapped"
	assert_line 'connect: EPROTO'
	# What the client said was TLS, and no data.
	refute grep -rqaF "$MARKER" tap
}

@test "a plaintext client gets an end, the server ECONNRESET, and the next client is served" {
	free_port port
	accept_tls "$port"
	start_shim server "$PROGS/tcp_server" "$port" read "write=$MARKER"
	wait_listen "$port"
	printf 'GET / HTTP/1.0\r\n\r\n' | limited nc.openbsd -N 127.0.0.1 "$port" >answer
	refute grep -qaF "$MARKER" answer
	wait_text server.out 'write'
	assert_equal "$(sed -n 2,3p server.out)" $'read: ECONNRESET\nwrite: EPIPE'
	run -0 cat server.err
	logged 'no TLS'
	run -0 s_client "$port" <<<hello
	assert_output "$MARKER"
}

@test "a TLS client at a port without a rule sees no TLS, and a plain one is served" {
	free_port port
	start_shim server "$PROGS/tcp_server" "$port" read "write=$MARKER"
	wait_listen "$port"
	run ! s_client "$port" <<<hello
	run -0 limited nc.openbsd -N 127.0.0.1 "$port" <<<hello
	assert_output "$MARKER"
}

@test "a server that says nothing makes connect() fail with ETIMEDOUT after the handshake-timeout" {
	free_port port
	connect_tls "$port" 'handshake-timeout 1'
	start silent "$PROGS/tcp_server" "$port" slurp
	wait_listen "$port"
	options=()
	client "$port"
	assert_line 'connect: ETIMEDOUT'
	logged 'handshake'
}

@test "a client that goes without a word is an end to the server, as it is without TLS, and nothing to warn of" {
	free_port port
	accept_tls "$port"
	start_shim server "$PYTHON" -uc "
import select, socket
listener = socket.create_server(('127.0.0.1', $port))
for way in ('read', 'poll'):
    connection, poll = listener.accept()[0], select.poll()
    if way == 'poll':
        poll.register(connection, select.POLLIN)
        poll.poll(10000)
    print(way, connection.recv(10), connection.recv(10))
"
	wait_listen "$port"
	for _ in read poll; do
		"$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', $port)).close()"
	done
	wait_exit server
	assert_equal "$(cat server.out)" $'read b\'\' b\'\'\npoll b\'\' b\'\''
	assert_equal "$(cat server.err)" ''
}

@test "a client that says nothing costs the server ECONNRESET after the handshake-timeout" {
	free_port port
	accept_tls "$port" 'handshake-timeout 1'
	start_shim server "$PROGS/tcp_server" "$port" read
	wait_listen "$port"
	start silent nc.openbsd -d 127.0.0.1 "$port"
	wait_text server.out '^read: ECONNRESET'
}

@test "a port that nobody listens on is ECONNREFUSED as ever" {
	free_port port
	connect_tls "$port"
	options=()
	client "$port"
	assert_line 'connect: ECONNREFUSED'
	options=(-n)
	client "$port"
	assert_line 'connect: ECONNREFUSED'
}

@test "deny makes connect() fail with EACCES and nothing reaches the server" {
	free_port port tapped
	start_peer sink sink "$port"
	start_tap "$tapped" "$port"
	printf 'connect *:%s deny\n' "$tapped" >"$POLICY"
	options=()
	client "$tapped"
	assert_line 'connect: EACCES'
	logged "policy:1: connect .*refused"
	options=(-n)
	client "$tapped"
	assert_line 'connect: EACCES'
	assert_equal "$(ls tap)" ''
}

@test "deny on accept serves nobody" {
	free_port port
	printf 'accept *:%s deny\n' "$port" >"$POLICY"
	start_shim server "$PROGS/tcp_server" "$port" "write=$MARKER"
	until_true 10 eval "is_listening $port || is_gone $pid_server"
	run limited nc.openbsd -N 127.0.0.1 "$port" <<<hello
	refute_output --partial "$MARKER"
	run ! s_client "$port" <<<hello
	refute_output --partial "$MARKER"
}

@test "a rule by name refuses a program that looked no name up, and serves one that did" {
	free_port port tapped
	start_peer echo echo "$port"
	start_tap "$tapped" "$port"
	printf 'connect localhost:%s tls { trust %s }\n' "$tapped" "$PKI/ca.pem" >"$POLICY"
	run -1 shim "$PROGS/tcp_client" 127.0.0.1 "$tapped" "write=$MARKER"
	assert_line 'connect: EACCES'
	logged 'name'
	assert_equal "$(ls tap)" ''
	run -0 shim "$PROGS/tcp_client" localhost "$tapped" "write=$MARKER" read
	assert_line "read: ${#MARKER} $MARKER"
	assert_protected
}

# ---- the policy and its files ----

@test "tlshim run does not start a program with a missing, a broken or an unreadable policy" {
	run -1 "$TLSHIM" run --policy nowhere -- echo running
	refute_output --partial running
	echo 'connect *:80 tlz' >broken
	run -1 "$TLSHIM" run --policy broken -- echo running
	assert_output --partial 'broken:1:14: error'
	refute_output --partial running
}

# under_bare_preload POLICY: connect() and accept() give EACCES, and nothing passes.
under_bare_preload() {
	local library=$BUILD_DIR/libtlshim.so
	free_port port tapped
	start_peer sink sink "$port"
	start_tap "$tapped" "$port"
	run -1 limited env LD_PRELOAD="$library" TLSHIM_POLICY="$1" "$PROGS/tcp_client" localhost "$tapped" "write=$MARKER"
	assert_line 'connect: EACCES'
	assert_line --regexp '^tlshim\[[0-9]+\]: error: .*policy'
	run -1 limited env LD_PRELOAD="$library" TLSHIM_POLICY="$1" "$PROGS/tcp_client" -n localhost "$tapped" "write=$MARKER"
	assert_line 'connect: EACCES'
	assert_equal "$(ls tap)" ''
	free_port port
	start server env LD_PRELOAD="$library" TLSHIM_POLICY="$1" "$PROGS/tcp_server" "$port" "write=$MARKER"
	until_true 10 eval "is_listening $port || is_gone $pid_server"
	run limited nc.openbsd -N -w 2 127.0.0.1 "$port" <<<hello
	refute_output --partial "$MARKER"
	wait_text server.out '(accept|listen|bind): EACCES'
}

@test "under a bare LD_PRELOAD a broken policy makes connect() and accept() fail with EACCES" {
	echo 'connect *:80 tlz' >broken
	under_bare_preload broken
}
@test "under a bare LD_PRELOAD a missing policy makes connect() and accept() fail with EACCES" {
	under_bare_preload nowhere
}

# With the library alone: `tlshim run` would have refused the policy before.
listens_not() { # ERE: a server with this policy cannot serve
	start server env LD_PRELOAD="$BUILD_DIR/libtlshim.so" TLSHIM_POLICY="$POLICY" "$PROGS/tcp_server" "$port" "write=$MARKER"
	wait_text server.out '^(bind|listen): E'
	assert file_has server.err "^tlshim\[[0-9]+\]: error: .*$1"
	refute is_listening "$port"
}

@test "a missing certificate file: the program is not started, and cannot listen under a bare LD_PRELOAD" {
	free_port port
	accept_rule "$port" 'certificate nowhere.pem' "key $PKI/server.key"
	run -1 shim "$PROGS/tcp_server" "$port"
	assert_output --partial nowhere.pem
	listens_not nowhere.pem
}
@test "a key of another certificate: not started, and no listening under a bare LD_PRELOAD" {
	free_port port
	accept_rule "$port" "certificate $PKI/server.pem" "key $PKI/ca.key"
	run -1 shim "$PROGS/tcp_server" "$port"
	assert_output --regexp 'key'
	listens_not key
}
@test "a certificate file without a certificate: not started, and no listening under a bare LD_PRELOAD" {
	free_port port
	echo nonsense >bad.pem
	accept_rule "$port" "certificate $PWD/bad.pem" "key $PKI/server.key"
	run -1 shim "$PROGS/tcp_server" "$port"
	assert_output --partial bad.pem
	listens_not bad.pem
}
@test "a missing trust file makes connect() fail with EACCES under a bare LD_PRELOAD" {
	free_port port tapped
	start_peer sink sink "$port"
	start_tap "$tapped" "$port"
	connect_rule "$tapped" "trust $PWD/nowhere.pem" 'server-name localhost'
	run -1 shim "$PROGS/tcp_client" localhost "$tapped" "write=$MARKER"
	refute_output --partial connect:
	run -1 limited env LD_PRELOAD="$BUILD_DIR/libtlshim.so" TLSHIM_POLICY="$POLICY" \
		"$PROGS/tcp_client" localhost "$tapped" "write=$MARKER"
	assert_line 'connect: EACCES'
	logged nowhere.pem
	assert_equal "$(ls tap)" ''
}

# ---- connections that break ----

@test "an end without close_notify is ECONNRESET after the data, for a client" {
	free_port port
	connect_tls "$port"
	echo "$MARKER" >page
	start_peer ragged ragged "$port" page
	run -0 shim "$PROGS/tcp_client" localhost "$port" read read read
	assert_line "read: $((${#MARKER} + 1)) $MARKER"
	assert_line 'read: ECONNRESET'
	logged 'close_notify'
}

@test "truncation ignore makes an end without close_notify an end" {
	free_port port
	connect_tls "$port" 'truncation ignore'
	echo "$MARKER" >page
	start_peer ragged ragged "$port" page
	run -0 shim "$PROGS/tcp_client" localhost "$port" read read read
	assert_line "read: $((${#MARKER} + 1)) $MARKER"
	assert_line 'read: end'
	refute_line --partial ECONNRESET
}

@test "an end without close_notify is ECONNRESET after the data, for a server" {
	free_port port tapped
	accept_tls "$port"
	start_shim server "$PROGS/tcp_server" "$port" slurp
	wait_listen "$port"
	start_tap "$tapped" "$port" --cut-up 3000
	head -c 4000 /dev/zero | peer get "$tapped" --send || true
	wait_text server.out 'slurp: [0-9]+ ECONNRESET'
}

@test "an end without close_notify is an end for a server whose rule says truncation ignore, and else ECONNRESET" {
	local truncation
	for truncation in 'ignore end' 'error ECONNRESET'; do
		free_port port
		accept_tls "$port" "truncation ${truncation% *}"
		start_shim "server$port" "$PROGS/tcp_server" "$port" slurp
		wait_listen "$port"
		"$PYTHON" -c "
import socket, ssl
context = ssl.create_default_context(cafile='$PKI/ca.pem')
with context.wrap_socket(socket.create_connection(('127.0.0.1', $port)), server_hostname='localhost') as s:
    s.sendall(bytes(4000))
    socket.socket.shutdown(s, socket.SHUT_WR)
    socket.socket.recv(s, 100, socket.MSG_PEEK)"
		wait_text "server$port.out" "^slurp: 4000 ${truncation#* }\$"
	done
}

# cut_within OPTION…: the tap cuts a download of 1,000,000 bytes in the middle of a record.
cut_within() {
	free_port port tapped
	connect_tls "$tapped" "$truncation"
	random_file page 1000000
	start_peer source source "$port" page
	start_tap "$tapped" "$port" "$@"
	run -0 shim "$PROGS/tcp_client" localhost "$tapped" slurp read
}

@test "a connection that is cut within a record gives its whole records and then ECONNRESET" {
	truncation='truncation error' cut_within --cut-down 500000
	assert_line --regexp '^slurp: 4[0-9]{5} ECONNRESET$'
	logged 'within a record'
}
@test "truncation ignore does not forgive a cut within a record" {
	truncation='truncation ignore' cut_within --cut-down 500000
	assert_line --regexp '^slurp: 4[0-9]{5} ECONNRESET$'
}
@test "a reset by the peer is ECONNRESET" {
	truncation='truncation error' cut_within --cut-down 500000 --reset
	assert_line --regexp '^slurp: [0-9]+ ECONNRESET$'
}

@test "a connection that is cut within the handshake is EPROTO or ECONNRESET, and nothing was sent in clear" {
	free_port port tapped
	connect_tls "$tapped"
	start_peer sink sink "$port"
	start_tap "$tapped" "$port" --cut-down 100
	options=()
	client "$tapped"
	assert_line --regexp '^connect: (EPROTO|ECONNRESET)$'
	options=(-n)
	client "$tapped"
	assert_line --regexp '^connect: (EPROTO|ECONNRESET)$'
	assert_nothing_in_clear
}

@test "writing to a peer that is gone gives EPIPE or ECONNRESET" {
	free_port port
	connect_tls "$port"
	start_peer sink sink "$port"
	mkfifo go
	IN=go start_shim client "$PROGS/tcp_client" localhost "$port" "write=$MARKER" wait fill=10000000 fill=1000
	exec 4>go
	wait_text client.out '^write:'
	kill -KILL "$pid_sink"
	echo >&4
	exec 4>&-
	wait_exit client
	assert file_has client.out '^fill: [0-9]+ (EPIPE|ECONNRESET)'
	assert file_has client.out '^fill: 0 EPIPE'
}

@test "200 failing connections leave a server with as many descriptors and no more memory" {
	free_port port
	accept_tls "$port"
	start_shim server "$PROGS/tcp_server" "$port" read
	wait_listen "$port"
	for turn in {1..200}; do
		case $((turn % 4)) in
		0) printf 'GET / HTTP/1.0\r\n\r\n' ;;
		1) ;;
		2) printf '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00' ;;
		3) head -c 3000 /dev/urandom ;;
		esac | limited nc.openbsd -N 127.0.0.1 "$port" >answer
	done
	served() { [ "$(grep -c descriptors: server.out)" -ge 200 ]; }
	until_true 10 served
	read -r _ first _ early < <(grep descriptors: server.out | sed -n 20p)
	read -r _ last _ late < <(grep descriptors: server.out | sed -n 200p)
	assert_equal "$last" "$first"
	assert [ $((late - early)) -lt 256 ]
	run -0 s_client "$port" <<<hello
}

@test "200 good connections leave a server with as many descriptors and no more memory" {
	free_port port
	accept_tls "$port"
	start_shim server "$PROGS/tcp_server" "$port" read write=ok
	wait_listen "$port"
	run -0 peer calls "$port" --count 200
	wait_text server.out descriptors
	served() { [ "$(grep -c descriptors: server.out)" -ge 200 ]; }
	until_true 10 served
	read -r _ first _ early < <(grep descriptors: server.out | sed -n 20p)
	read -r _ last _ late < <(grep descriptors: server.out | sed -n 200p)
	assert_equal "$last" "$first"
	assert [ $((late - early)) -lt 256 ]
}

@test "a log that nobody reads does not stop the program, and one that broke does not kill it" {
	free_port port
	accept_tls "$port"
	run -0 limited "$PYTHON" "$LIB/unread_log.py" "$port" "$PKI/ca.pem" \
		"$TLSHIM" run --policy "$POLICY" -- "$PYTHON" "$LIB/fragile_echo.py" "$port"
	assert_line "unread: served"
	assert_line "closed: served"
}

@test "a log file that is a pipe without a reader is told of, and not waited for" {
	free_port port
	accept_tls "$port"
	mkfifo pipe
	TLSHIM_LOG_FILE=pipe run -0 shim true
	assert_line --regexp 'warn: TLSHIM_LOG_FILE: cannot open pipe: '
}
