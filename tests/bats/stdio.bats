#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Programs that talk to a wrapped socket through stdio, against independent TLS peers. glibc's stdio calls no hook.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() { e2e_setup; }
teardown() { e2e_teardown; }

# A peer behind a tap; the program connects to $tapped.
start_tapped_peer() {
	free_port port tapped
	start_peer peer "$1" "$port" "${@:2}"
	start_tap "$tapped" "$port"
	connect_tls "$tapped"
}
client() { shim "$PROGS/stdio_client" 127.0.0.1 "$tapped" "$@"; }

@test "one stream of fdopen(\"r+\") sends and receives lines, and fileno() knows its descriptor" {
	start_tapped_peer echo
	run -0 client rplus
	assert_output $'back: hello 42\nback: again'
	assert_protected
}

@test "a stream made before connect() is protected like one made after it" {
	start_tapped_peer echo
	run -0 client early
	assert_output $'back: hello 42\nback: again'
	assert_protected
}

@test "getline() and fprintf() on two streams of one connection, to a clean end" {
	start_tapped_peer echo
	run -0 client two
	assert_output "200 lines"
}

@test "fwrite() of 1 MiB arrives whole, and fclose() ends with close_notify" {
	start_tapped_peer sink
	random_file data 1048577
	run -0 client put data
	wait_text peer.out .
	run -0 cat peer.out
	assert_output "TLSv1.3 clean 1048577 $(checksum data)"
	assert_protected
}

@test "fread() of 1 MiB arrives whole" {
	random_file data 1048577
	start_tapped_peer source data
	run -0 client get received
	assert_same data received
	assert_protected
}

@test "a fortified program's stdio is protected too" {
	start_tapped_peer sink
	run -0 shim "$PROGS/stdio_client.fortify" 127.0.0.1 "$tapped" dprintf
	wait_text peer.out .
	run -0 cat peer.out
	assert_output --partial "clean 100035 "
	assert_protected
}

@test "dprintf() sends short and long texts whole" {
	start_tapped_peer sink
	{
		echo "No such file or directory short"
		echo "7 $(printf '%*s' 100000 '' | tr ' ' d)"
	} >expected
	run -0 client dprintf
	wait_text peer.out .
	run -0 cat peer.out
	assert_output "TLSv1.3 clean 100035 $(checksum expected)"
	assert_protected
}

@test "what a program leaves in a stream's buffer is sent when it exits, before close_notify" {
	start_tapped_peer sink
	run -0 client exit
	wait_text peer.out .
	run -0 cat peer.out
	assert_output "TLSv1.3 clean 16 $(sha256sum <<<"flushed by exit" | cut -d' ' -f1)"
}

@test "freopen() ends the connection cleanly, and what follows goes to the file alone" {
	start_tapped_peer sink
	run -0 client reopen file
	wait_text peer.out .
	run -0 cat peer.out
	assert_output "TLSv1.3 clean 7 $(sha256sum <<<before | cut -d' ' -f1)"
	assert_equal "$(cat file)" after
}

@test "fdopen() takes and refuses modes as without TLS" {
	start_tapped_peer sink
	run -0 client modes
	assert_line "r+: stream 0"
	assert_line "q: none 22"
	assert_line "close-on-exec: 1"
}

# A server whose children talk on 0 and 1.
start_stdio_server() {
	free_port port tapped
	accept_tls "$port"
	accept_tls "$tapped"
	start_shim server "$PROGS/stdio_server" "$port" "$1"
	wait_listen "$port"
	start_tap "$tapped" "$port"
}

@test "a program executed with the connection as its standard streams (inetd) speaks TLS on them" {
	start_stdio_server exec
	printf '%s\nperror\nquit\n' "$MARKER" >input
	run -0 peer --send get "$tapped" <input
	assert_output "0 1 got $MARKER"$'\n..\n0 1 got perror\n..\nstderr: Success\n0 1 got quit\n..\ngoodbye'
	assert_protected
}

@test "a child that moves the connection to 0 and 1 speaks TLS on stdin and stdout" {
	start_stdio_server here
	printf '%s\nquit\n' "$MARKER" >input
	run -0 peer --send get "$tapped" <input
	assert_output "held before; 0 1 got $MARKER"$'\n..\n0 1 got quit\n..\ngoodbye'
	assert_protected
}

@test "stdout that is moved back from the connection is the old one again" {
	start_stdio_server back
	printf '%s\nquit\n' "$MARKER" >input
	run -0 peer --send get "$tapped" <input
	assert_line --partial "goodbye"
	wait_text server.out .
	run -0 cat server.out
	assert_output "back on stdout"
	assert_protected
}

@test "a FILE whose descriptor becomes the connection by dup2() writes nothing in clear, and works again after it" {
	start_tapped_peer echo
	run -0 shim "$PROGS/stdio_file" "$tapped" file "$MARKER"
	assert_output $'over the socket: Bad file descriptor\nover the file: written\nhello'
	run -0 cat file
	assert_line --partial "and back"
	assert_protected
}

@test "the streams of C++ are protected, also those that were there before the connection" {
	g++ -O1 -o iostreams "$LIB/../progs/iostreams.cc"
	free_port plain server tapped
	accept_tls "$server"
	connect_tls "$tapped"
	start plain_server "$PROGS/echo_server" threads "$plain"
	start_shim server "$PROGS/echo_server" threads "$server"
	wait_listen "$plain"
	wait_listen "$server"
	start_tap "$tapped" "$server"
	wait_listen "$tapped"
	MARKER="line 1"
	for mode in here own exec filebuf; do
		limited ./iostreams "$mode" "$plain" >expected
		run -0 shim ./iostreams "$mode" "$tapped"
		assert_output "$(cat expected)"
		assert_line "line 1"
		assert_line 100000
	done
	assert_protected
}
