#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sendfile() and splice() on wrapped sockets: the kernel would copy past the shim.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() { e2e_setup; }
teardown() { e2e_teardown; }

start_sink() {
	free_port port tapped
	start_peer peer sink "$port"
	start_tap "$tapped" "$port"
	connect_tls "$tapped"
}
client() { shim "$PROGS/copy_client" "$tapped" "$@"; }

arrives_whole() {
	start_sink
	random_file data 10485761
	run -0 client "$1" data
	assert_output "10485761 bytes"
	wait_text peer.out .
	run -0 cat peer.out
	assert_output "TLSv1.3 clean 10485761 $(checksum data)"
	assert_protected
}

@test "by sendfile() on a blocking socket 10 MiB arrive whole" {
	arrives_whole sendfile
}

@test "by sendfile() on a non-blocking socket 10 MiB arrive whole" {
	arrives_whole sendfile-nb
}

@test "by splice() through a pipe on a blocking socket 10 MiB arrive whole" {
	arrives_whole splice
}

@test "by splice() through a pipe on a non-blocking socket 10 MiB arrive whole" {
	arrives_whole splice-nb
}

@test "sendfile() with an offset sends that part and leaves the file's position alone" {
	start_sink
	random_file data 100000
	run -0 client offset data
	assert_output "50000 bytes"
	wait_text peer.out .
	run -0 cat peer.out
	assert_output "TLSv1.3 clean 50000 $(tail -c +1001 data | head -c 50000 | sha256sum | cut -d' ' -f1)"
	assert_protected
}

@test "splice() to a pipe takes 3 MiB of plaintext out of the connection" {
	random_file data 3145729
	free_port port tapped
	start_peer peer source "$port" data
	start_tap "$tapped" "$port"
	connect_tls "$tapped"
	run -0 client receive received
	assert_output "3145729 bytes"
	assert_same data received
	assert_protected
}

@test "calls that cannot work say what they say without TLS" {
	free_port port
	start_peer peer echo "$port"
	echo some text >data
	connect_tls "$port"
	shim "$PROGS/copy_client" "$port" errors data >wrapped
	free_port plain
	start plain socat "tcp-listen:$plain,fork,reuseaddr,bind=127.0.0.1" exec:cat
	wait_listen "$plain"
	limited "$PROGS/copy_client" "$plain" errors data >unwrapped
	run -0 diff unwrapped wrapped
}
