#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# close() does not wait for the peer, and nothing that was written before it is lost.
# shellcheck disable=SC2154,SC2034 # variables that free_port and start set; turns

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
}
teardown() { e2e_teardown; }

# The bytes that the program could write, of a line of its output; and how long close() took.
taken_in() { sed -n 's/^\([0-9]*\) bytes.*/\1/p' "$1"; }
# What was taken has come; a record of which the kernel has taken a part is told as unsent, and comes too.
assert_all_came() { assert [ "$1" -ge "$2" ] && assert [ "$1" -le $(($2 + 16384 * ${3:-1})) ]; }
has_lines() { [ "$(grep -c -- "$2" "$3")" = "$1" ]; } # COUNT PATTERN FILE
ms_in() { sed -n 's/.* in \([0-9]*\) ms$/\1/p' "$1"; }

@test "a server that closes on a slow client does not wait, and OpenSSL gets all and a close_notify" {
	accept_tls "$port"
	start_shim server "$PROGS/closer" server "$port" 1
	wait_listen "$port"
	run -0 bash -c "echo hello | timeout 25 '$PYTHON' '$LIB/peer.py' --pki '$PKI' get '$port' --send --late 1 | wc -c"
	wait_exit server
	assert_all_came "$output" "$(taken_in server.out)"
	assert [ "$output" -gt 50000 ]
	assert [ "$(ms_in server.out)" -lt 400 ]
}

@test "the same at GnuTLS, whose output stalls" {
	accept_tls "$port"
	start_shim server "$PROGS/closer" server "$port" 1
	wait_listen "$port"
	printf 'hello\n' >question
	run -0 bash -c "{ cat question; sleep 5; } | timeout 25 gnutls-cli --x509cafile '$PKI/ca.pem' --logfile gnutls.log \
		--port '$port' localhost | { sleep 1; wc -c; }"
	wait_exit server
	assert_all_came "$output" "$(taken_in server.out)"
	assert [ "$(ms_in server.out)" -lt 400 ]
	refute grep -q 'non-properly' gnutls.log
}

@test "a server that exits with slow clients loses nothing either" {
	accept_tls "$port"
	start_shim server "$PROGS/closer" server "$port" 1 exit
	wait_listen "$port"
	run -0 bash -c "echo hello | timeout 25 '$PYTHON' '$LIB/peer.py' --pki '$PKI' get '$port' --send --late 1 | wc -c"
	wait_exit server
	assert_all_came "$output" "$(taken_in server.out)"
}

@test "who stops a service with all its processes by SIGTERM leaves the helper a moment" {
	accept_tls "$port"
	TLSHIM_LOG=debug start_shim server "$PROGS/closer" server "$port" 1 exit
	wait_listen "$port"
	echo hello >question
	IN=question start client bash -c "'$PYTHON' '$LIB/peer.py' --pki '$PKI' get '$port' --send --late 1 | wc -c"
	wait_text server.err 'process [0-9]* finishes connections'
	wait_exit server
	kill -TERM "$(sed -n 's/.*process \([0-9]*\) finishes connections.*/\1/p' server.err)"
	wait_exit client
	assert_all_came "$(cat client.out)" "$(taken_in server.out)"
	refute grep -q truncated client.err
}

@test "a client that sends 1 MiB and closes without having read: a late server gets all" {
	connect_tls "$port"
	start_peer sink sink "$port" --late 0.5
	for options in '' nonblock exit; do
		run -0 shim "$PROGS/closer" client "$port" 1048576 $options
		assert_output --partial '1048576 bytes'
		wait_text sink.out "^TLSv1.3 clean 1048576 "
		refute grep -q truncated sink.out
		if [ -z "$options" ]; then
			assert [ "$(ms_in <(echo "$output"))" -lt 400 ]
		fi
	done
	until_true 10 has_lines 3 'clean' sink.out
}

@test "a client that sends and closes at once through a slow proxy, which a reset would make forget all" {
	free_port proxy
	connect_tls "$proxy"
	start_peer sink sink "$port"
	start proxy "$PYTHON" "$LIB/slow_proxy.py" "$proxy" "$port" 0.03
	wait_listen "$proxy"
	for turn in {1..5}; do
		run -0 shim "$PROGS/closer" client "$proxy" 60000
		run -0 shim "$PROGS/closer" client "$proxy" 60000 nonblock
	done
	until_true 10 has_lines 10 'clean 60000 ' sink.out
	refute grep -q truncated sink.out
}

@test "SO_LINGER: close() waits for the acknowledgement, and no longer than it is to" {
	connect_tls "$port"
	start_peer sink sink "$port" --late 1.5
	run -0 shim "$PROGS/closer" client "$port" 300000 linger=10
	assert [ "$(ms_in <(echo "$output"))" -ge 700 ]
	assert [ "$(ms_in <(echo "$output"))" -lt 5000 ]
	until_true 10 has_lines 1 'clean 300000' sink.out
	stop sink
	start_peer later sink "$port" --late 3
	run -0 shim "$PROGS/closer" client "$port" 300000 linger=1
	assert [ "$(ms_in <(echo "$output"))" -ge 900 ]
	assert [ "$(ms_in <(echo "$output"))" -lt 2500 ]
	until_true 10 has_lines 1 'clean 300000' later.out
}

@test "SO_LINGER with 0 is a reset at once" {
	connect_tls "$port"
	start_peer sink sink "$port" --late 1
	run -0 shim "$PROGS/closer" client "$port" 300000 linger=0
	assert [ "$(ms_in <(echo "$output"))" -lt 400 ]
	wait_text sink.out truncated
}

@test "where no process may be made close() takes its time, but loses nothing" {
	connect_tls "$port"
	chmod -R a+rX "$BATS_TEST_TMPDIR" 2>/dev/null || true
	start_peer sink sink "$port" --late 0.5
	run -0 shim "$PROGS/closer" client "$port" 300000 noproc
	assert [ "$(ms_in <(echo "$output"))" -ge 300 ]
	wait_text sink.out 'clean 300000'
}

@test "300 slow clients at once have one helper" {
	accept_tls "$port"
	TLSHIM_LOG=debug start_shim server "$PROGS/closer" server "$port" 300
	wait_listen "$port"
	start clients "$PYTHON" "$LIB/slow_clients.py" "$PKI" "$port" 300
	wait_text server.out 'bytes'
	until_true 20 has_lines 300 'bytes' server.out
	wait_exit server
	assert_equal "$(grep -c 'process [0-9]* finishes connections' server.err)" 1
	wait_exit clients 60
	assert_equal "$status" 0
	run -0 cut -d' ' -f1 clients.out
	assert_equal "$output" 300
	run -0 awk '{ sum += $1 } END { print sum }' <(taken_in server.out)
	assert_all_came "$(cut -d' ' -f3 clients.out)" "$output" 300
}

@test "the port of a server that has closed slow clients is as free as without TLS" {
	accept_tls "$port"
	start_shim server "$PROGS/closer" server "$port" 1 again
	wait_listen "$port"
	run -0 bash -c "echo hello | timeout 25 '$PYTHON' '$LIB/peer.py' --pki '$PKI' get '$port' --send --late 1 | wc -c"
	wait_exit server
	run -0 grep bind server.out
	free_port plain
	start bare "$PROGS/closer" server "$plain" 1 again
	wait_listen "$plain"
	run -0 bash -c "{ echo hello; sleep 1; } | timeout 25 nc.openbsd 127.0.0.1 '$plain' | wc -c"
	wait_exit bare
	assert_equal "$(grep bind server.out)" "$(grep bind bare.out)"
}
