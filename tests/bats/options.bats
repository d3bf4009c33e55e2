#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# What a policy's options do on the wire, with OpenSSL on the other side.

bats_require_minimum_version 1.5.0
load ../lib/e2e
setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
}
teardown() { e2e_teardown; }

# start_echo PORT: a wrapped server.
start_echo() {
	start_shim "echo$1" "$PROGS/echo_server" epoll "$1"
	wait_listen "$1"
}

# start_openssl [OPTION…]: a server that answers with a page.
start_openssl() {
	local certificate=${CERTIFICATE:-server}
	start server openssl s_server -accept "127.0.0.1:$port" -cert "$PKI/$certificate.pem" -key "$PKI/$certificate.key" -www "$@"
	wait_listen "$port"
}

# asked [OPTION…]: what OpenSSL's client says of a connection to the wrapped server, in $output. It stays until its line
# comes back, so that it has seen the tickets in front of that.
asked() {
	rm -f line asked.out
	mkfifo line
	IN=line start asked openssl s_client -connect "127.0.0.1:$port" -servername localhost -CAfile "$PKI/ca.pem" "$@"
	exec 4>line
	echo hello >&4
	answered() { grep -q '^hello' asked.out || is_gone "$pid_asked"; }
	until_true 15 answered
	exec 4>&-
	wait_exit asked
	output=$(cat asked.out asked.err)
}

# fetch: a wrapped client's request, in $output.
fetch() { run shim curl -sS --max-time 20 "http://127.0.0.1:$port/"; }
fetched() { assert_output --partial "s_server"; }
# refused SENTENCE: the connection failed, and the log says why.
refused() {
	[ "$status" -ne 0 ]
	refute_output --partial "s_server"
	assert_output --partial "$1"
}

# pin_of CERTIFICATE: as the manual says.
pin_of() {
	printf 'sha256/'
	openssl x509 -in "$PKI/$1.pem" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64
}

# ---- profiles, versions, suites ----

@test "without options a server speaks TLS 1.2 and 1.3, and nothing older" {
	accept_tls "$port"
	start_echo "$port"
	asked -tls1_3
	assert_output --partial "New, TLSv1.3"
	asked -tls1_2
	assert_output --partial "New, TLSv1.2"
	asked -tls1_1 -cipher ALL:@SECLEVEL=0
	assert_output --partial "alert protocol version"
}

@test "profile modern refuses a client of TLS 1.2" {
	accept_tls "$port" 'profile modern'
	start_echo "$port"
	asked -tls1_3
	assert_output --partial "New, TLSv1.3"
	asked -tls1_2
	assert_output --partial "alert protocol version"
	wait_text "echo$port.err" "version"
}

@test "profile legacy accepts RSA key exchange and CBC, which the default refuses" {
	accept_rule "$port" "certificate $PKI/rsa-both.pem" "key $PKI/rsa-both.key" 'profile legacy'
	start_echo "$port"
	asked -tls1_2 -cipher AES128-SHA
	assert_output --partial "Cipher is AES128-SHA"
	asked -tls1_1 -cipher ALL:@SECLEVEL=0
	assert_output --partial "alert protocol version"
	stop "echo$port"
	sed -i '/profile/d' "$POLICY"
	start_echo "$port"
	asked -tls1_2 -cipher AES128-SHA
	assert_output --partial "alert handshake failure"
}

@test "TLS 1.0 is spoken only by a legacy rule that says versions 1.0-1.3" {
	accept_rule "$port" "certificate $PKI/rsa-both.pem" "key $PKI/rsa-both.key" 'profile legacy' 'versions 1.0-1.3'
	start_echo "$port"
	asked -tls1 -cipher ALL:@SECLEVEL=0
	assert_output --partial "New, TLSv1.0"
	asked
	assert_output --partial "New, TLSv1.3"
	grep -q "TLS 1.0 and 1.1 rest on MD5 and SHA-1" "echo$port.err"
}

@test "the order of suites and groups is the policy's" {
	accept_tls "$port" 'suites TLS_CHACHA20_POLY1305_SHA256 TLS_AES_256_GCM_SHA384 ECDHE-ECDSA-AES256-GCM-SHA384' \
		'groups secp384r1 x25519'
	start_echo "$port"
	asked -ciphersuites TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256 -groups X25519:P-384
	assert_output --partial "Cipher is TLS_CHACHA20_POLY1305_SHA256"
	asked -groups P-384
	assert_output --partial "Server Temp Key: ECDH, secp384r1"
	asked -ciphersuites TLS_AES_128_GCM_SHA256 -tls1_3
	assert_output --partial "alert handshake failure"
	asked -tls1_2
	assert_output --partial "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384"
}

@test "a client offers the versions and suites of its rule" {
	connect_tls "$port" 'versions 1.2' 'suites ECDHE-ECDSA-AES256-GCM-SHA384'
	start_openssl
	fetch
	fetched
	assert_output --regexp 'New, TLSv1.2, Cipher is ECDHE-ECDSA-AES256-GCM-SHA384'
	stop server
	start_openssl -tls1_3
	fetch
	refused "version"
}

# ---- certificates ----

@test "of two certificates each client gets the one whose signatures it understands" {
	accept_tls "$port" "certificate $PKI/server-rsa2048.pem" "key $PKI/server-rsa2048.key"
	start_echo "$port"
	for version in -tls1_2 -tls1_3; do
		asked "$version" -sigalgs ECDSA+SHA256
		assert_output --partial "Peer signature type: ECDSA"
		asked "$version" -sigalgs RSA-PSS+SHA256
		assert_output --partial "Peer signature type: RSA-PSS"
	done
}

@test "a stapled OCSP response goes with its certificate" {
	accept_tls "$port" "ocsp-response $PKI/good.ocsp" "certificate $PKI/server-rsa2048.pem" "key $PKI/server-rsa2048.key"
	start_echo "$port"
	for version in -tls1_2 -tls1_3; do
		asked "$version" -status
		assert_output --partial "OCSP Response Status: successful"
		asked "$version" -status -sigalgs RSA-PSS+SHA256
		assert_output --partial "OCSP response: no response sent"
	done
}

# ---- who the peer must be ----

@test "a pinned key is let in and any other is refused, with and without further verification" {
	connect_tls "$port" "pin $(pin_of client) $(pin_of server)"
	start_openssl
	fetch
	fetched
	: >"$POLICY"
	connect_tls "$port" "pin $(pin_of client)"
	fetch
	refused "pin"
	: >"$POLICY"
	connect_tls "$port" "pin $(pin_of ca)"
	fetch
	fetched
	for other in ca client; do
		: >"$POLICY"
		connect_rule "$port" 'verify none' "pin $(pin_of $other)"
		fetch
		refused "pin"
	done
	: >"$POLICY"
	connect_rule "$port" 'verify none' "pin $(pin_of server)"
	fetch
	fetched
}

@test "a revoked server is refused, and so is one whose issuer has no current list" {
	start_openssl
	connect_tls "$port" "crl $PKI/none.crl"
	fetch
	fetched
	for list in revoked expired-list none-rsa; do
		: >"$POLICY"
		connect_tls "$port" "crl $PKI/$list.crl"
		fetch
		refused "the server's certificate"
		assert_output --regexp 'revoked|CRL'
	done
}

@test "a client that requires OCSP refuses a server without a good response" {
	connect_tls "$port" 'require-ocsp yes'
	start_openssl
	fetch
	refused "OCSP"
	stop server
	start_openssl -status_file "$PKI/good.ocsp"
	fetch
	fetched
	stop server
	start_openssl -status_file "$PKI/unknown.ocsp"
	fetch
	refused "OCSP"
}

@test "a common name counts only where the rule allows it" {
	CERTIFICATE=no-san start_openssl
	connect_tls "$port"
	fetch
	refused "name"
	: >"$POLICY"
	connect_tls "$port" 'common-name allow'
	fetch
	fetched
}

# ---- resumption ----

# resumed VERSION [OPTION…]: a second connection of OpenSSL's client with the session of the first; Reused or New.
resumed() {
	local port=$port
	rm -f session
	asked "$1" -sess_out session
	if [ ! -s session ]; then
		output="no session"
		return
	fi
	port=${SECOND:-$port}
	asked "$1" -sess_in session
}

@test "a server resumes its sessions, and never with session-cache off" {
	accept_tls "$port"
	start_echo "$port"
	for version in -tls1_2 -tls1_3; do
		resumed "$version"
		assert_output --regexp 'Reused, TLSv1\.[23]'
	done
	stop "echo$port"
	: >"$POLICY"
	accept_tls "$port" 'session-cache off'
	start_echo "$port"
	for version in -tls1_2 -tls1_3; do
		resumed "$version"
		refute_output --partial 'Reused'
	done
}

@test "servers that share a ticket key resume each other's sessions, others do not" {
	local other
	free_port other
	for name in today yesterday stranger; do
		(umask 077 && head -c 48 /dev/urandom >$name.key)
	done
	start_pair() {
		: >"$POLICY"
		accept_rule "$port, *:$other" "certificate $PKI/server.pem" "key $PKI/server.key" "ticket-keys $PWD/$1.key"
		start_echo "$port"
		sed -i "s:$1.key:$2:" "$POLICY"
		start_echo "$other"
	}
	start_pair today "stranger.key $PWD/today.key"
	SECOND=$other resumed -tls1_3
	assert_output --partial "Reused, TLSv1.3"
	SECOND=$other resumed -tls1_2
	assert_output --partial "Reused, TLSv1.2"
	stop "echo$port" && stop "echo$other"
	start_pair today "stranger.key"
	SECOND=$other resumed -tls1_3
	assert_output --partial "New, TLSv1.3"
}

@test "a client resumes, and never with session-cache off" {
	connect_tls "$port"
	start_openssl
	run shim curl -sS --max-time 20 "http://127.0.0.1:$port/" "http://127.0.0.1:$port/"
	assert_success
	assert_output --partial "New, TLSv1.3"
	assert_output --partial "Reused, TLSv1.3"
	: >"$POLICY"
	connect_tls "$port" 'session-cache off'
	run shim curl -sS --max-time 20 "http://127.0.0.1:$port/" "http://127.0.0.1:$port/"
	assert_success
	refute_output --partial "Reused"
}

# ---- records ----

@test "records are padded to a multiple of the rule's size" {
	local listen
	free_port listen
	accept_tls "$port" 'padding 700'
	start_echo "$port"
	start_tap "$listen" "$port"
	"$PYTHON" - "$listen" "$PKI/ca.pem" <<-'END'
		import socket, ssl, sys
		context = ssl.create_default_context(cafile=sys.argv[2])
		for size in 1, 600, 1500:
		    with context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="localhost") as s:
		        s.sendall(b"x" * size)
		        while size:
		            size -= len(s.recv(size))
	END
	stop tap
	# sizes without header and tag: the content, one byte for its type, and the padding
	"$PYTHON" - tap/1.down tap/2.down tap/3.down <<-'END'
		import sys
		for path, size in zip(sys.argv[1:], (1, 600, 1500)):
		    data = open(path, "rb").read()
		    at, sizes = 0, []
		    while at < len(data):
		        length = int.from_bytes(data[at + 3:at + 5], "big")
		        if data[at] == 23:
		            sizes.append(length - 16)
		        at += 5 + length
		    print(path, size, sizes)
		    assert size + 1 not in sizes
		    assert (size + 699) // 700 * 700 + 1 in sizes
	END
}
