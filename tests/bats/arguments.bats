#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# Calls with unusual arguments give what they give without TLS, and those that fail leave the connection protected.

# shellcheck disable=SC2154 # variables that free_port sets
bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port plain tapped
	accept_tls "$port"
}
teardown() { e2e_teardown; }

# same_as_plain MODE
same_as_plain() {
	connect_tls "$port"
	limited "$PROGS/arguments" "$1" "$plain" "$plain" >expected
	assert [ -s expected ]
	run -0 shim "$PROGS/arguments" "$1" "$port" "$port"
	assert_output "$(cat expected)"
}

@test "addresses, control data, offsets and counts are judged as without TLS" { same_as_plain wrong; }
@test "MSG_WAITALL and MSG_PEEK wait across records, and signals and times end them, as without TLS" { same_as_plain whole; }
@test "a reset is told once, and then comes the end, as without TLS" { same_as_plain broken; }

@test "wide characters come and go as without TLS" { same_as_plain wide; }
@test "wide characters come out of a standard output that is the connection, as without TLS" { same_as_plain wide_output; }

@test "descriptors that were not closed, or that come by unusual ways, are no way past TLS" {
	connect_tls "$tapped"
	limited "$PROGS/arguments" numbers "$plain" "$plain" "$MARKER" >expected
	start_tap "$tapped" "$port"
	run -0 --separate-stderr shim "$PROGS/arguments" numbers "$port" "$tapped" "$MARKER"
	# The kernel's asynchronous I/O is refused.
	assert_equal "$(grep -v 'server has read' <<<"$output")" "$(grep -v 'server has read' expected)"
	assert_output --partial "the server has read $((5 * ${#MARKER})) bytes, end"
	assert_protected
}

@test "what libc itself writes to descriptor 2 goes through TLS" {
	connect_tls "$tapped"
	limited "$PROGS/arguments" messages "$plain" "$plain" "$MARKER" >expected
	start_tap "$tapped" "$port"
	for build in arguments arguments.fortify; do
		run -0 shim "$PROGS/$build" messages "$port" "$tapped" "$MARKER"
		# The last line is psiginfo's, whose words are not libc's.
		assert_equal "$(head -n -1 <<<"$output")" "$(head -n -1 expected)"
		assert_line --index -1 --partial "$MARKER: Interrupt ("
		assert_protected
	done
}
