#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# io_uring passes by every hook, so it must not be there.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
	accept_tls "$port"
}
teardown() { e2e_teardown; }

@test "io_uring_setup by syscall(2) is answered with ENOSYS, and the log names io_uring" {
	TLSHIM_LOG=debug run -0 shim "$PYTHON" -c 'import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(425, 4, ctypes.create_string_buffer(256)), ctypes.get_errno())'
	assert_output --partial "-1 38"
	assert_output --partial "io_uring is not available"
}

@test "a program with liburing cannot set up a ring, or is warned when that takes privileges" {
	run -0 env LD_PRELOAD=liburing.so.2 "$TLSHIM" run --policy "$POLICY" -- "$PYTHON" -c 'import ctypes
print(ctypes.CDLL("liburing.so.2").io_uring_queue_init(4, ctypes.create_string_buffer(4096), 0))'
	if [ "$UID" = 0 ]; then
		assert_output --partial "-38"
	else
		assert_output --partial "NOT protected"
	fi
}
