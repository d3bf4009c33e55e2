#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# Programs that lock themselves up with a seccomp filter, and go on using their connections.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() { e2e_setup; }
teardown() { e2e_teardown; }

serve_locked_up() {
	free_port port tapped
	accept_tls "$port"
	start_shim server "$PROGS/sandboxed" "$1" "$port"
	wait_listen "$port"
	start_tap "$tapped" "$port"
}

@test "a child that may only read and write makes the handshake and serves, and its parent goes on with the connection" {
	for way in prctl seccomp number; do
		serve_locked_up "$way"
		run -0 peer get "$tapped" --send <<<"$MARKER"$'\n'"again"$'\n'"end"
		assert_output "child: $MARKER"$'\n'"child: again"$'\n'"exit 0"
		assert_protected
		stop tap
		stop server
	done
}

@test "the filter goes on killing for what the program forbade" {
	serve_locked_up prctl
	run -0 peer get "$tapped" --send <<<"break out"
	assert_output "signal 31"
	serve_locked_up seccomp
	run -0 peer get "$tapped" --send <<<"break out"
	assert_output "signal 31"
}
