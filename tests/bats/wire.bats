#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# What is on the wire: TLS records from the first byte to the last, whatever calls the program makes.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port tapped
}
teardown() { e2e_teardown; }

@test "the tap would see the marker of a connection that the policy leaves plain" {
	printf 'connect *:* plain\n' >"$POLICY"
	start plain "$PROGS/tcp_server" "$port" slurp
	wait_listen "$port"
	start_tap "$tapped" "$port"
	run -0 shim "$PROGS/tcp_client" localhost "$tapped" "write=$MARKER" shut
	wait_text tap/1.up "$MARKER"
	run ! "$PYTHON" "$LIB/records.py" tap "$MARKER"
}

@test "every byte of a client's connection is a TLS record, also when it closes at once" {
	connect_tls "$tapped"
	start_peer sink sink "$port"
	start_tap "$tapped" "$port"
	run -0 shim "$PROGS/tcp_client" localhost "$tapped" "write=$MARKER"
	run -0 shim "$PROGS/tcp_client" -n localhost "$tapped" "write=$MARKER" fill=100000 "write=$MARKER" shut slurp
	wait_text sink.out clean
	assert_protected
}

@test "every byte of a server's connection is a TLS record, also when it speaks first" {
	accept_tls "$port"
	start_shim server "$PROGS/tcp_server" "$port" "write=$MARKER" read "write=$MARKER"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	run -0 peer calls "$tapped" --count 20
	assert_output "20 answers of [$((2 * ${#MARKER}))] bytes"
	assert_protected
}

@test "a program that is killed leaves nothing in clear" {
	connect_tls "$tapped"
	start_peer sink sink "$port"
	start_tap "$tapped" "$port"
	mkfifo lines
	yes "$MARKER" >lines 2>/dev/null &
	IN=lines start_shim client nc.openbsd 127.0.0.1 "$tapped"
	wait_size tap/1.up 1000000
	kill -KILL "$pid_client"
	wait_text sink.out .
	assert_protected
}

@test "the lengths on the wire follow the data, so nothing is held back or doubled" {
	connect_tls "$tapped"
	start_peer sink sink "$port"
	start_tap "$tapped" "$port"
	run -0 shim "$PROGS/tcp_client" localhost "$tapped" fill=1000000 shut slurp
	wait_text sink.out 'clean 1000000'
	size=$(stat -c %s tap/1.up)
	assert [ "$size" -gt 1000000 ]
	assert [ "$size" -lt 1010000 ]
}

@test "a data call on a descriptor that was duplicated is protected like the first" {
	connect_tls "$tapped"
	start_peer sink sink "$port"
	start_tap "$tapped" "$port"
	run -0 shim "$PYTHON" -c "
import os, socket
s = socket.create_connection(('127.0.0.1', $tapped))
marker = b'$MARKER'
other = os.dup(s.fileno())
high = os.dup2(s.fileno(), 500)
for fd in (s.fileno(), other, high):
    os.write(fd, marker)
    os.writev(fd, [marker, marker])
    socket.socket(fileno=os.dup(fd)).sendmsg([marker, b'', marker])
with open('page', 'wb') as page: page.write(marker)
with open('page', 'rb') as page: os.sendfile(high, page.fileno(), 0, len(marker))
os.close(s.detach())
os.close(other)
os.write(high, marker)
os.close(high)"
	wait_text sink.out "clean $((17 * ${#MARKER}))"
	assert_protected
}

@test "a program that makes its calls by number is protected, and ends with close_notify" {
	free_port port tapped
	start_peer peer echo "$port"
	start_tap "$tapped" "$port"
	connect_tls "$tapped"
	run -0 shim "$PROGS/by_number" "$tapped" "$MARKER"
	assert_output "$MARKER by number"
	assert_protected
	wait_text peer.out clean
}

@test "a server that accepts, waits, receives and sends by number is protected" {
	free_port port tapped
	accept_tls "$port"
	start_shim server "$PROGS/by_number" -l "$port"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	for n in {1..200}; do echo "$MARKER $n"; done >lines
	run -0 gnutls "$tapped" <lines
	assert_equal "$(grep "^$MARKER" <<<"$output")" "$(cat lines)"
	assert_protected
	wait_exit server
	assert_equal "$status" 0
}
