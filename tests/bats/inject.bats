#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every system call of a connection, the shim's own and libc's, fails in turn: tests/progs/inject.c makes it fail,
# tests/progs/faults is the program, tests/lib/inject.py goes through them. Every day a random part of the some 5,000
# cases; TLSHIM_INJECT_SECONDS=N for longer, 0 for all (with BATS_TEST_TIMEOUT=SECONDS: half an hour is enough).

# shellcheck disable=SC2154 # variables that free_port sets
bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port server port
	accept_tls "$server"
	connect_tls "$port"
	start_tap "$port" "$server"
}
teardown() { e2e_teardown; }

# inject OPTION…
inject() {
	INJECT_PRELOAD=$BUILD_DIR/libtlshim.so TLSHIM_POLICY=$POLICY TLSHIM_LOG=error within "$((${BATS_TEST_TIMEOUT:-60} - 2))" \
		"$PYTHON" -B "$LIB/inject.py" "$@" "$server" "$port" tap "$PROGS/inject" "$PROGS/faults" "$MARKER"
}

@test "whichever system call fails, the program ends with an error that it knows and nothing leaves in clear" {
	run inject --seconds "${TLSHIM_INJECT_SECONDS:-40}"
	[ "$status" != 77 ] || skip "cannot trace here"
	echo "$output"
	echo "# ${lines[-1]}" >&3
	assert_equal "$status" 0
}
