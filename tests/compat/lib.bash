# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # free_port sets variables
#
# What the cases of the compatibility suite share, on top of tests/lib/e2e.bash.
#
# A title begins with the program that is wrapped, as the page shim/COMPAT.md names it, and a colon. The program is
# unmodified and told nothing of TLS; the other side is an independent TLS stack that verifies the certificate (or is
# the server whose certificate the shim verifies); between them is the tap, which sees nothing but TLS records.

load ../lib/e2e

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# needs COMMAND…: skip the case where one of them is not installed.
needs() {
	local command
	for command in "$@"; do
		command -v "$command" >/dev/null || skip "$command is not installed"
	done
}
needs_root() { [ "$(id -u)" = 0 ] || skip "needs root"; }

# The case's folder is for programs that change their user as well.
open_folder() {
	chmod 755 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" 2>/dev/null || true
	chmod 755 "$BATS_RUN_TMPDIR"/* 2>/dev/null || true
}

# A server under test: ports $port (its own, TLS) and $tapped (through the tap) with the rule for it.
server_ports() {
	free_port port tapped
	accept_tls "$port" "$@"
}
# The server is up: the tap goes in front of it.
server_is_up() {
	wait_listen "$port" 20
	start_tap "$tapped" "$port"
}
# A client under test: its peer is to listen on $port, and it is to go to $tapped.
client_ports() {
	free_port port tapped
	connect_tls "$tapped" "$@"
}
peer_is_up() {
	wait_listen "$port" 20
	start_tap "$tapped" "$port"
}

# start_front TLSPORT PLAINPORT: OpenSSL, by socat, in front of a plain server: the TLS peer of a client under test.
start_front() {
	start "front$1" socat "OPENSSL-LISTEN:$1,bind=127.0.0.1,reuseaddr,fork,backlog=64,cert=$PKI/server.pem,key=$PKI/server.key,verify=0" \
		"TCP:127.0.0.1:$2"
	wait_listen "$1"
}
# start_back PLAINPORT TLSPORT: OpenSSL, by socat, for a plain client: the TLS peer of a server under test.
start_back() {
	start "back$1" socat "TCP-LISTEN:$1,bind=127.0.0.1,reuseaddr,fork,backlog=64" \
		"OPENSSL:127.0.0.1:$2,cafile=$PKI/ca.pem,commonname=localhost,verify=1"
	wait_listen "$1"
}

# start_https PORT: files of the current folder by GET, the checksum of what is PUT.
start_https() {
	start https "$PYTHON" "$LIB/https.py" "$PKI" "$1"
	wait_listen "$1"
}

# dialogue PORT: says what is on standard input, prints all that it hears; the connection must end cleanly.
dialogue() { peer get "$1" --send; }

# duplex PORT: sends standard input, half-closes and prints what comes, all at once; both ends must be clean.
duplex() { limited "$PYTHON" "$BATS_TEST_DIRNAME/duplex.py" "$PKI" "$1"; }

# What the shim has to say is none of the program's output.
shim() { timeout -k 2 30 "$TLSHIM" run --policy "$POLICY" -- "$@" 2>>shim.err; }
