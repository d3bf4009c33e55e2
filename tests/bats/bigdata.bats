#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 100 MiB in each direction, compared by checksum, with OpenSSL, GnuTLS and wrapped programs on the other side.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() {
	e2e_setup_file
	random_file "$BATS_FILE_TMPDIR/big" 104857600
	export BIG=$BATS_FILE_TMPDIR/big SUM
	SUM=$(checksum "$BIG")
}
setup() {
	e2e_setup
	free_port port
}
teardown() { e2e_teardown; }
teardown_file() { rm -f "$BIG"; }

assert_big() { assert_equal "$(cut -d' ' -f1 <"$1")" "$SUM"; }
wrapped() { within 50 "$TLSHIM" run --policy "$POLICY" -- "$@"; }

@test "a wrapped nc sends 100 MiB to OpenSSL" {
	connect_tls "$port"
	start_peer sink sink "$port"
	run -0 wrapped nc.openbsd -N 127.0.0.1 "$port" <"$BIG"
	assert_output --partial "clean 104857600 $SUM"
}

@test "a wrapped nc receives 100 MiB from OpenSSL" {
	connect_tls "$port"
	start_peer source source "$port" "$BIG"
	wrapped nc.openbsd -d 127.0.0.1 "$port" | sha256sum >got
	assert_big got
}

@test "a wrapped listening nc receives 100 MiB from OpenSSL" {
	accept_tls "$port"
	start_shim server sh -c 'nc.openbsd -d -l 127.0.0.1 "$1" | sha256sum' - "$port"
	wait_listen "$port"
	run -0 within 50 socat -u - "OPENSSL:localhost:$port,cafile=$PKI/ca.pem" <"$BIG"
	wait_exit server
	assert_big server.out
}

@test "a wrapped listening nc sends 100 MiB to OpenSSL" {
	accept_tls "$port"
	IN=$BIG start_shim server nc.openbsd -N -l 127.0.0.1 "$port"
	wait_listen "$port"
	within 50 socat -u "OPENSSL:localhost:$port,cafile=$PKI/ca.pem" - | sha256sum >got
	assert_big got
}

@test "a wrapped listening nc receives 100 MiB from GnuTLS" {
	accept_tls "$port"
	start_shim server sh -c 'nc.openbsd -d -l 127.0.0.1 "$1" | sha256sum' - "$port"
	wait_listen "$port"
	run -0 gnutls "$port" <"$BIG"
	wait_exit server
	assert_big server.out
}

@test "a wrapped client sends 30 MiB of text to gnutls-serv and gets as much back" {
	connect_tls "$port"
	start_gnutls_serv echo "$port" --echo
	head -c 23000000 "$BIG" | base64 >text
	run -0 wrapped sh -c '"$1" connect "$2" <text >got' - "$PROGS/duplex" "$port"
	assert_same text got
	rm text got
}

@test "wrapped to wrapped: 100 MiB through nc" {
	accept_tls "$port"
	connect_tls "$port"
	start_shim server sh -c 'nc.openbsd -l 127.0.0.1 "$1" | sha256sum' - "$port"
	wait_listen "$port"
	run -0 wrapped nc.openbsd -N 127.0.0.1 "$port" <"$BIG"
	wait_exit server
	assert_big server.out
}

@test "wrapped to wrapped: 100 MiB through socat and back" {
	accept_tls "$port"
	connect_tls "$port"
	start_shim server socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr" EXEC:cat
	wait_listen "$port"
	wrapped socat -t 30 - "TCP:127.0.0.1:$port" <"$BIG" | sha256sum >got
	assert_big got
}

@test "python3 -m http.server serves 100 MiB to curl, to GnuTLS's wget and to a wrapped wget" {
	accept_tls "$port"
	connect_tls "$port"
	start_shim http "$PYTHON" -m http.server --bind 127.0.0.1 --directory "$BATS_FILE_TMPDIR" "$port"
	wait_listen "$port"
	tls_curl "https://localhost:$port/big" | sha256sum >got
	assert_big got
	within 50 wget -q --ca-certificate "$PKI/ca.pem" -O - "https://localhost:$port/big" | sha256sum >got
	assert_big got
	wrapped wget -q -O - "http://127.0.0.1:$port/big" | sha256sum >got
	assert_big got
}
