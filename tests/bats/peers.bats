#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What peers may do besides sending data: key updates, client certificates, server names, ALPN.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
}
teardown() { e2e_teardown; }

start_echo() {
	start_shim echo "$PROGS/echo_server" "${1:-epoll}" "$port"
	wait_listen "$port"
}

# ---- key updates ----

@test "OpenSSL's client updates its keys, and asks for ours, in the middle of a conversation" {
	accept_tls "$port"
	start_echo
	mkfifo input
	IN=input start client openssl s_client -connect "127.0.0.1:$port" -CAfile "$PKI/ca.pem" -verify_return_error -tls1_3
	exec 4>input
	for turn in {1..5}; do
		echo "$MARKER-$turn" >&4
		wait_text client.out "^$MARKER-$turn"
		echo K >&4
		wait_text client.err "KEYUPDATE"
		echo "after K $turn" >&4
		wait_text client.out "^after K $turn"
		echo k >&4
		wait_text client.err "KEYUPDATE"
		: >client.err
	done
	exec 4>&-
}

@test "OpenSSL's server updates its keys in the middle of a conversation" {
	connect_tls "$port"
	mkfifo input
	IN=input start server openssl s_server -accept "127.0.0.1:$port" -cert "$PKI/server.pem" -key "$PKI/server.key"
	exec 4>input
	wait_listen "$port"
	mkfifo lines
	IN=lines start_shim client nc.openbsd 127.0.0.1 "$port"
	exec 5>lines
	for turn in {1..5}; do
		echo "from client $turn" >&5
		wait_text server.out "^from client $turn"
		echo "from server $turn" >&4
		wait_text client.out "^from server $turn"
		echo K >&4
		updated() { [ "$(grep -c SSL_do_handshake server.out)" = "$turn" ]; }
		until_true 10 updated
	done
	exec 4>&- 5>&-
}

@test "GnuTLS rekeys a connection and goes on" {
	accept_tls "$port"
	start_echo
	mkfifo input
	IN=input start client gnutls-cli --x509cafile "$PKI/ca.pem" --inline-commands --port "$port" localhost
	exec 4>input
	for word in one two three; do
		echo "$MARKER-$word" >&4
		wait_text client.out "^$MARKER-$word"
		echo '^rekey^' >&4
	done
	exec 4>&-
}

# ---- client certificates ----

@test "client-auth require serves a client with a good certificate" {
	accept_tls "$port" 'client-auth require' "trust $PKI/ca.pem"
	start_shim server "$PROGS/tcp_server" "$port" read "write=$MARKER"
	wait_listen "$port"
	run -0 s_client "$port" -cert "$PKI/client.pem" -key "$PKI/client.key" <<<hello
	assert_output "$MARKER"
	run -0 peer calls "$port" --client-cert client-plain
}

refuses_client() { # OPTION… of openssl s_client
	accept_tls "$port" 'client-auth require' "trust $PKI/ca.pem"
	start_shim server "$PROGS/tcp_server" "$port" read "write=$MARKER"
	wait_listen "$port"
	run ! s_client "$port" "$@" <<<hello
	refute_output --partial "$MARKER"
	wait_text server.out '^read: ECONNRESET'
	assert file_has server.err '^tlshim.*(certificate|verif|trust)'
}
@test "client-auth require refuses a client without a certificate" { refuses_client; }
@test "client-auth require refuses a certificate of another CA" {
	refuses_client -cert "$PKI/client-other.pem" -key "$PKI/client-other.key"
}
@test "client-auth require refuses an expired certificate" {
	refuses_client -cert "$PKI/client-expired.pem" -key "$PKI/client-expired.key"
}
@test "client-auth require refuses a server's certificate" {
	refuses_client -cert "$PKI/server.pem" -key "$PKI/server.key"
}

@test "client-auth request serves clients with and without a certificate" {
	accept_tls "$port" 'client-auth request' "trust $PKI/ca.pem"
	start_shim server "$PROGS/tcp_server" "$port" read "write=$MARKER"
	wait_listen "$port"
	run -0 s_client "$port" <<<hello
	assert_output "$MARKER"
	run -0 s_client "$port" -cert "$PKI/client.pem" -key "$PKI/client.key" <<<hello
	assert_output "$MARKER"
}

@test "allow-peer serves the clients that it names, and no others" {
	accept_tls "$port" 'client-auth require' "trust $PKI/ca.pem" 'allow-peer "spiffe://example.org/reporting"'
	start_shim server "$PROGS/tcp_server" "$port" read "write=$MARKER"
	wait_listen "$port"
	run -0 s_client "$port" -cert "$PKI/client.pem" -key "$PKI/client.key" <<<hello
	assert_output "$MARKER"
	run ! s_client "$port" -cert "$PKI/client-plain.pem" -key "$PKI/client-plain.key" <<<hello
	refute_output --partial "$MARKER"
}

@test "a wrapped client shows the certificate of its rule to a server that requires one" {
	connect_tls "$port" "certificate $PKI/client.pem" "key $PKI/client.key"
	start_peer sink sink "$port" --client-ca ca
	run -0 shim nc.openbsd -N 127.0.0.1 "$port" <<<"$MARKER"
	assert_output --partial clean
	assert file_has sink.out '^client client'
}

@test "a wrapped client without a certificate is refused by a server that requires one" {
	connect_tls "$port"
	start_peer sink sink "$port" --client-ca ca
	run shim "$PROGS/tcp_client" localhost "$port" "write=$MARKER" read
	refute_output --partial clean
	assert_line --regexp '(connect|read): (E[A-Z]+)'
	wait_text sink.out 'handshake failed'
}

# ---- names and protocols ----

# start_named NAME: a server that tells the name it hears; it would end with its standard input.
start_named() {
	mkfifo open
	exec 4<>open
	IN=open start_s_server named "$port" -servername "$1" -cert2 "$PKI/server.pem" -key2 "$PKI/server.key"
	exec 4<&-
}

@test "the name that the program looked up reaches the server as server name, an address does not" {
	printf 'connect *:%s tls { trust %s }\n' "$port" "$PKI/ca.pem" >"$POLICY"
	start_named localhost
	run -0 shim "$PROGS/tcp_client" localhost "$port" write=hello
	wait_text named.out 'Hostname in TLS extension: "localhost"'
	run -0 shim "$PROGS/tcp_client" 127.0.0.1 "$port" write=again
	wait_text named.out again
	assert_equal "$(grep -c 'Hostname in TLS extension' named.out)" 1
}

@test "server-name in the policy is the name that the server hears" {
	printf 'connect *:%s tls { trust %s; server-name server.example }\n' "$port" "$PKI/ca.pem" >"$POLICY"
	start_named server.example
	run -0 shim "$PROGS/tcp_client" 127.0.0.1 "$port" write=hello
	wait_text named.out 'Hostname in TLS extension: "server.example"'
}

@test "alpn in a connect rule is offered, in an accept rule chosen from" {
	connect_tls "$port" 'alpn h2 http/1.1'
	start_peer sink sink "$port" --alpn http/1.1 --alpn foo
	run -0 shim nc.openbsd -N 127.0.0.1 "$port" <<<"$MARKER"
	assert file_has sink.out '^alpn http/1.1'
	free_port port
	accept_tls "$port" 'alpn foo http/1.1'
	start_shim server "$PROGS/tcp_server" "$port" read "write=$MARKER"
	wait_listen "$port"
	run -0 s_client "$port" -alpn 'bar,http/1.1' <<<hello
	assert_output "$MARKER"
	run -0 tls_curl -s --http1.1 -o got "https://localhost:$port/" --http0.9
	run ! s_client "$port" -alpn bar <<<hello
}
