#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a wrapped program executes keeps the shim, or does not get the TLS connections.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() {
	e2e_setup_file
	gcc -static -O1 -o "$BATS_FILE_TMPDIR/static_child" "$BATS_TEST_DIRNAME/../progs/exec_child.c" 2>/dev/null || true
}
setup() {
	e2e_setup
	STATIC=$BATS_FILE_TMPDIR/static_child
	free_port port tapped
}
teardown() { e2e_teardown; }

ALL_WAYS="execve execv execvp execvpe execl execle execlp fexecve execveat vfork spawn spawnp"

start_sink() {
	start_peer peer sink "$port"
	start_tap "$tapped" "$port"
	connect_tls "$tapped"
}
has_lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }
exec_run() { shim "$PROGS/exec_run" "$@"; }

@test "a program started with an empty environment keeps the shim, by every way to start it" {
	connect_tls "$port"
	export TLSHIM_LOG=info
	for how in $ALL_WAYS; do
		run -0 exec_run "$how" "$PROGS/exec_child"
		assert_line "LD_PRELOAD=$BUILD_DIR/libtlshim.so"
		assert_line "TLSHIM_POLICY=$POLICY"
		assert_line "TLSHIM_LOG=info"
		assert_line "OTHER=(none)"
		assert_line 'done'
	done
}

@test "system() and popen() pass the shim on" {
	connect_tls "$port"
	for how in system popen; do
		run -0 exec_run "$how" "$PROGS/exec_child"
		assert_line "LD_PRELOAD=$BUILD_DIR/libtlshim.so"
		assert_line 'done'
	done
}

@test "env -i keeps the shim and what the environment says besides" {
	connect_tls "$port"
	run -0 shim env -i OTHER=this "$PROGS/exec_child"
	assert_line "LD_PRELOAD=$BUILD_DIR/libtlshim.so"
	assert_line "TLSHIM_POLICY=$POLICY"
	assert_line "OTHER=this"
}

@test "other libraries in LD_PRELOAD stay, in their order" {
	connect_tls "$port"
	for how in execve spawn; do
		run -0 exec_run -e LD_PRELOAD="libm.so.6 libdl.so.2" "$how" "$PROGS/exec_child"
		assert_line "LD_PRELOAD=$BUILD_DIR/libtlshim.so:libm.so.6 libdl.so.2"
		run -0 exec_run -e LD_PRELOAD="libm.so.6:$BUILD_DIR/libtlshim.so" "$how" "$PROGS/exec_child"
		assert_line "LD_PRELOAD=libm.so.6:$BUILD_DIR/libtlshim.so"
	done
}

@test "another policy that the program passes on is left alone" {
	connect_tls "$port"
	cp "$POLICY" other-policy
	run -0 exec_run -e TLSHIM_POLICY="$PWD/other-policy" execve "$PROGS/exec_child"
	assert_line "TLSHIM_POLICY=$PWD/other-policy"
}

@test "python's subprocess with an empty environment keeps the shim" {
	connect_tls "$port"
	run -0 shim "$PYTHON" -c "import subprocess; subprocess.run(['$PROGS/exec_child'], env={}, check=True)"
	assert_line "LD_PRELOAD=$BUILD_DIR/libtlshim.so"
	assert_line 'done'
}

@test "a missing program gives ENOENT, one without permission EACCES, as without the shim" {
	start_sink
	touch plain-file
	run -127 exec_run -c "$tapped" execve ./missing
	run -126 exec_run -c "$tapped" execve ./plain-file
	run -127 exec_run -c "$tapped" execvp missing-program-name
	run -99 exec_run -c "$tapped" spawnp missing-program-name
	assert_line "spawnp: ENOENT"
	assert_protected
}

@test "execvp() gives a file without #! to the shell, with the shim" {
	connect_tls "$port"
	echo "$PROGS/exec_child" >script
	chmod +x script
	run -0 exec_run execvp ./script
	assert_line "LD_PRELOAD=$BUILD_DIR/libtlshim.so"
}

@test "a program that can load the shim goes on with the TLS connection, by every way to start it" {
	start_sink
	n=0
	for how in $ALL_WAYS; do
		run -0 exec_run -c "$tapped" "$how" "$PROGS/exec_child" "child by $how "
		assert_line "socket 100"
		n=$((n + 1))
		until_true 15 has_lines peer.out "$n"
		expected="child by $how parent: $how 0"
		assert_equal "$(tail -n 1 peer.out)" \
			"TLSv1.3 clean $((${#expected} + 1)) $(sha256sum <<<"$expected" | cut -d' ' -f1)"
	done
	assert_protected
}

@test "a connection moved to standard input reaches a program that can load the shim" {
	start_sink
	n=0
	for how in execve vfork spawn; do
		run -0 exec_run -c "$tapped" -s "$how" "$PROGS/exec_child" x
		assert_line "socket 0"
		assert_line "socket 100"
		n=$((n + 1))
		until_true 15 has_lines peer.out "$n"
		assert_equal "$(tail -n 1 peer.out)" \
			"TLSv1.3 clean $((2 + 11 + ${#how})) $(sha256sum <<<"xxparent: $how 0" | cut -d' ' -f1)"
	done
	assert_protected
}

@test "a static program never gets a TLS connection, and the log says so; the parent's goes on" {
	[ -x "$STATIC" ] || skip "this system cannot link static programs"
	start_sink
	n=0
	for how in $ALL_WAYS; do
		run -0 exec_run -c "$tapped" "$how" "$STATIC" "$MARKER"
		assert_line 'done'
		refute_line --partial socket
		assert_line --partial "statically linked"
		n=$((n + 1))
		until_true 15 has_lines peer.out "$n"
		expected="parent: $how 0"
		assert_equal "$(tail -n 1 peer.out)" \
			"TLSv1.3 clean $((${#expected} + 1)) $(sha256sum <<<"$expected" | cut -d' ' -f1)"
	done
	assert_protected
}

@test "a static program under a script or env does not get the connection either" {
	[ -x "$STATIC" ] || skip "this system cannot link static programs"
	start_sink
	printf '#!%s\n' "$STATIC" >script
	chmod +x script
	run -0 exec_run -c "$tapped" execve ./script "$MARKER"
	assert_line 'done'
	refute_line --partial socket
	assert_protected
}
