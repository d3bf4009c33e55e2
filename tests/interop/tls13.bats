#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The engine against OpenSSL and GnuTLS, over sockets, in both roles. TLS 1.3.
# timeout: 300

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	export BUILD=${BUILD:-build} WOLFSSL=${WOLFSSL:-build/deps/wolfssl}
	export DIR=$BATS_FILE_TMPDIR
	export CLI=$DIR/engine_cli
	cc -std=gnu11 -D_GNU_SOURCE -O1 -I. -o "$CLI" tests/interop/engine_cli.c "$BUILD/libcore.a" \
		"$WOLFSSL/lib/libwolfssl.a" -lm -lpthread
	cd "$DIR" || return 1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 \
		-subj "/CN=Test CA" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.pem -days 30 \
		-subj "/CN=Another CA" -addext basicConstraints=critical,CA:TRUE
	printf '%s\n' subjectAltName=DNS:localhost,IP:127.0.0.1 basicConstraints=CA:FALSE keyUsage=digitalSignature \
		extendedKeyUsage=serverAuth,clientAuth >ext
	leaf p256 ec -pkeyopt ec_paramgen_curve:P-256
	leaf p384 ec -pkeyopt ec_paramgen_curve:P-384
	leaf rsa rsa:2048
	leaf ed25519 ed25519
}

leaf() {
	local name=$1 kind=$2
	shift 2
	openssl req -new -newkey "$kind" "$@" -nodes -keyout "$name.key" -out "$name.csr" -subj /CN=localhost
	openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 20 -extfile ext -out "$name.pem"
}

setup() {
	cd "$DIR" || return 1
	PEER=
}

teardown() {
	[ -z "$PEER" ] || kill "$PEER" 2>/dev/null || true
}

free_port() {
	local port
	while :; do
		port=$((RANDOM % 12000 + 20000)) # below the ephemeral ones
		ss -Hltn "sport = :$port" | grep -q . || break
	done
	echo $port
}

wait_listening() {
	for _ in $(seq 100); do
		ss -Hltn "sport = :$1" | grep -q . && return 0
		sleep 0.05
	done
	echo "nobody listens on port $1"
	cat server.log
	return 1
}

# Our client against `openssl s_server` with these options, "--", our options. Output in $output, our log in client.log.
against_s_server() {
	local options=() port
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	port=$(free_port)
	openssl s_server -accept "$port" -naccept 1 -tls1_3 -rev "${options[@]}" </dev/null >server.log 2>&1 3>&- &
	PEER=$!
	wait_listening "$port"
	output=$( (echo hello && sleep 0.3) |
		timeout 20 "$CLI" client -n localhost -C ca.pem -w "$@" "127.0.0.1:$port" 2>client.log) || true
	cat client.log
}

# `openssl s_client` with these options against our server, which has the options behind "--".
against_s_client() {
	local options=() port
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	port=$(free_port)
	"$CLI" server "$@" "$port" 2>server.log 3>&- &
	PEER=$!
	wait_listening "$port"
	output=$( (echo hello && sleep 0.3) | timeout 20 openssl s_client -connect "127.0.0.1:$port" -servername localhost \
		-CAfile ca.pem -verify_return_error -quiet -no_ign_eof "${options[@]}" 2>client.log) || true
	cat server.log client.log
}

@test "our client talks to servers with each kind of key" {
	for key in p256 p384 rsa ed25519; do
		against_s_server -cert $key.pem -key $key.key --
		[ "$output" = olleh ]
	done
}

@test "our server talks to clients with each kind of key" {
	for key in p256 p384 rsa ed25519; do
		against_s_client -tls1_3 -- -c $key.pem -k $key.key
		[ "$output" = hello ]
	done
}

@test "each cipher suite works in both roles" {
	for suite in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
		against_s_server -cert p256.pem -key p256.key -ciphersuites $suite --
		[ "$output" = olleh ]
		grep -q "$suite" client.log
		against_s_client -ciphersuites $suite -- -c p256.pem -k p256.key
		[ "$output" = hello ]
		grep -q "$suite" server.log
	done
}

@test "each group works in both roles, by HelloRetryRequest where the first share does not fit" {
	for group in X25519:x25519 P-256:secp256r1 P-384:secp384r1; do
		against_s_server -cert p256.pem -key p256.key -groups ${group%:*} --
		[ "$output" = olleh ]
		grep -q "${group#*:}" client.log
		against_s_client -groups X448:${group%:*} -- -c p256.pem -k p256.key
		[ "$output" = hello ]
		grep -q "${group#*:}" server.log
	done
}

@test "client certificates of each kind are accepted in both roles" {
	for key in p256 p384 rsa ed25519; do
		against_s_server -cert p256.pem -key p256.key -Verify 2 -CAfile ca.pem -verify_return_error -- \
			-c $key.pem -k $key.key
		[ "$output" = olleh ]
		against_s_client -cert $key.pem -key $key.key -- -c p256.pem -k p256.key -Q -C ca.pem
		[ "$output" = hello ]
		grep -q "peer=CN=localhost" server.log
	done
}

@test "a client certificate that is only requested may be missing" {
	against_s_server -cert p256.pem -key p256.key -verify 2 -CAfile ca.pem --
	[ "$output" = olleh ]
	against_s_client -tls1_3 -- -c p256.pem -k p256.key -q -C ca.pem
	[ "$output" = hello ]
}

@test "a client certificate that is required may not be missing" {
	against_s_client -tls1_3 -- -c p256.pem -k p256.key -Q -C ca.pem
	[ -z "$output" ]
	grep -q "certificate_required" server.log
	grep -q "certificate required" client.log
}

@test "a client certificate of another CA is refused" {
	against_s_client -cert p256.pem -key p256.key -- -c p256.pem -k p256.key -Q -C other.pem
	[ -z "$output" ]
	grep -q "unknown_ca" server.log
	grep -q "unknown ca" client.log
}

@test "a server of another CA is refused, and told why" {
	against_s_server -cert other.pem -key other.key --
	[ -z "$output" ]
	grep -q "failed: certificate refused" client.log
	grep -q "SSL alert number" server.log
}

@test "a server with another name is refused" {
	against_s_server -cert p256.pem -key p256.key -- -n other.example
	[ -z "$output" ]
	grep -q "failed: certificate refused" client.log
}

@test "peers that only speak TLS 1.1 are refused with protocol_version" {
	against_s_client -tls1_1 -cipher ALL:@SECLEVEL=0 -- -c p256.pem -k p256.key
	[ -z "$output" ]
	grep -q "the peer offers at most TLS 1.1" server.log
	grep -q "protocol version" client.log
	local port
	port=$(free_port)
	openssl s_server -accept "$port" -naccept 1 -tls1_1 -cipher ALL:@SECLEVEL=0 -rev -cert p256.pem -key p256.key </dev/null >server.log 2>&1 3>&- &
	PEER=$!
	wait_listening "$port"
	run "$CLI" client -n localhost -C ca.pem "127.0.0.1:$port"
	[ "$status" = 1 ]
	[[ $output == *"protocol_version"* ]]
}

@test "the application protocol is agreed on, or refused" {
	against_s_server -cert p256.pem -key p256.key -alpn h2,foo -- -a foo -a bar
	[ "$output" = olleh ]
	grep -q "alpn=foo" client.log
	against_s_client -alpn h2,foo -- -c p256.pem -k p256.key -a foo -a h2
	[ "$output" = hello ]
	grep -q "alpn=foo" server.log
	against_s_client -alpn imap -- -c p256.pem -k p256.key -a foo
	[ -z "$output" ]
	grep -q "no_application_protocol" server.log
}

@test "tickets are passed over" {
	against_s_server -cert p256.pem -key p256.key -num_tickets 5 --
	[ "$output" = olleh ]
}

@test "keys are updated in both directions" {
	against_s_server -cert p256.pem -key p256.key -- -K
	[ "$output" = olleh ]
	against_s_client -tls1_3 -- -c p256.pem -k p256.key -K
	[ "$output" = hello ]
	local port
	port=$(free_port)
	"$CLI" server -c p256.pem -k p256.key "$port" 2>server.log 3>&- &
	PEER=$!
	wait_listening "$port"
	# K asks for an update of ours in return
	(sleep 0.5 && echo K && sleep 0.3 && echo one && sleep 0.3 && echo k && sleep 0.3 && echo two && sleep 0.3 && echo Q) |
		timeout 20 openssl s_client -connect "127.0.0.1:$port" -tls1_3 -CAfile ca.pem >client.out 2>client.log
	grep -q '^one' client.out
	grep -q '^two' client.out
	grep -q 'sent KeyUpdate' server.log
}

@test "GnuTLS talks to both roles, also with a client certificate" {
	command -v gnutls-serv >/dev/null || skip "gnutls-bin is not installed"
	local port priority=NORMAL:-VERS-ALL:+VERS-TLS1.3
	port=$(free_port)
	gnutls-serv --echo -p "$port" --x509certfile p256.pem --x509keyfile p256.key --x509cafile ca.pem \
		--require-client-cert --priority $priority >server.log 2>&1 3>&- &
	PEER=$!
	wait_listening "$port"
	output=$( (echo hello && sleep 0.3) |
		timeout 20 "$CLI" client -n localhost -C ca.pem -c ed25519.pem -k ed25519.key "127.0.0.1:$port" 2>client.log)
	cat client.log
	[ "$output" = hello ]
	kill "$PEER"
	port=$(free_port)
	"$CLI" server -c rsa.pem -k rsa.key -Q -C ca.pem "$port" 2>server.log 3>&- &
	PEER=$!
	wait_listening "$port"
	output=$( (echo hello && sleep 0.5) | timeout 20 gnutls-cli -p "$port" localhost --x509cafile ca.pem \
		--x509certfile p384.pem --x509keyfile p384.key --priority $priority 2>&1)
	cat server.log
	[[ $output == *"Handshake was completed"*hello* ]]
}
