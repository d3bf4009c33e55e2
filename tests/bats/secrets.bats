#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Secrets leave no copies: what a process holds in memory when its connections are over.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
	mkfifo input
}
teardown() { e2e_teardown; }

scan() { run limited "$PYTHON" "$LIB/scan_secrets.py" "$1" keys.log; }

# talk_to_server OPTION…: a conversation with the wrapped server $pid_server, whose memory holds the keys while it lasts and
# not afterwards.
talk_to_server() {
	IN=input start client openssl s_client -connect "127.0.0.1:$port" -CAfile "$PKI/ca.pem" -verify_return_error \
		-keylogfile "$PWD/keys.log" "$@"
	exec 4>input
	echo "$MARKER" >&4
	wait_text client.out "^$MARKER"
	scan "$pid_server"
	assert_equal "$status" 1
	exec 4>&-
	wait_exit client
	until_true 5 no_connection
	scan "$pid_server"
	assert_equal "$status" 0
}
no_connection() { ! ss -Htn "sport = :$port or dport = :$port" | grep -q ESTAB; }

@test "a server's memory holds no key of a connection of TLS 1.3 that is over" {
	accept_tls "$port"
	start_shim server "$PROGS/echo_server" epoll "$port"
	wait_listen "$port"
	talk_to_server -tls1_3
}

@test "a client's memory holds no key of a connection of TLS 1.3 that is over" {
	connect_tls "$port" 
	mkfifo lines
	IN=lines start server openssl s_server -accept "127.0.0.1:$port" -cert "$PKI/server.pem" -key "$PKI/server.key" \
		-keylogfile "$PWD/keys.log" -quiet -tls1_3
	exec 5>lines
	wait_listen "$port"
	# a shell that lives on when its connection is closed
	cat >client.bash <<-END
		exec 3<>/dev/tcp/127.0.0.1/$port
		echo "$MARKER" >&3
		read -r line <&3
		echo "got \$line"
		read -r line <&3
		exec 3>&-
		echo over
		read -r line
	END
	IN=input start_shim client bash client.bash
	exec 4>input
	wait_text server.out "^$MARKER"
	echo answer >&5
	wait_text client.out "got answer"
	scan "$pid_client"
	assert_equal "$status" 1
	echo last >&5
	wait_text client.out over
	scan "$pid_client"
	assert_equal "$status" 0
}
