#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# Calls that are interrupted in unusual ways, and system calls that fail under the shim: the program sees what it would see
# without TLS, or an error; the wire sees no plaintext, and nothing hangs.

# shellcheck disable=SC2154 # variables that free_port and start set
bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port plain
}
teardown() { e2e_teardown; }

@test "jumps out of handlers, cancelled threads, small stacks, resets and second connections do as without TLS" {
	accept_tls "$port"
	connect_tls "$port"
	start server "$PROGS/echo_server" threads "$plain"
	start_shim wrapped "$PROGS/echo_server" threads "$port"
	wait_listen "$plain"
	wait_listen "$port"
	ulimit -n "$(ulimit -H -n)"
	for mode in jump restart handler storm cancel high reset again small stop; do
		limited "$PROGS/odd" "$mode" "$plain" >expected
		run -0 shim "$PROGS/odd" "$mode" "$port"
		assert_output "$(cat expected)"
	done
}

# inject CALL ERROR N: the client's N-th CALL fails with ERROR.
inject() {
	limited strace -f -o strace.log -e "trace=$1" -e "inject=$1:error=$2:when=$3" -E "LD_PRELOAD=$BUILD_DIR/libtlshim.so" \
		-E "TLSHIM_POLICY=$POLICY" "$PROGS/tcp_client" -t 3 127.0.0.1 "$port" "write=$MARKER" fill=30000 shut slurp
}

@test "whichever system call of a connection fails, no plaintext leaves and nothing hangs" {
	strace -o /dev/null true || skip "strace cannot trace here"
	free_port server
	accept_tls "$server"
	connect_tls "$port"
	start_shim echo "$PROGS/echo_server" threads "$server"
	wait_listen "$server"
	mkdir tap
	start tap "$PROGS/tap" "$port" "$server" tap
	wait_listen "$port"
	for fault in getsockopt:ENOBUFS:5 recvfrom:ENOMEM:6 recvfrom:EINTR:6 sendto:ENOBUFS:4 sendto:EINTR:4 fcntl:EINVAL:4 \
		poll:EINTR:2 memfd_create:EMFILE:1 ftruncate:ENOSPC:2 getrandom:ENOSYS:2 setsockopt:ENOMEM:2; do
		IFS=: read -r call error last <<<"$fault"
		for ((n = 1; n <= last; n++)); do
			status=0
			inject "$call" "$error" "$n" >out 2>err || status=$?
			echo "$fault $n: $status $(tr '\n' ' ' <out)"
			assert [ "$status" -lt 124 ]
		done
	done
	run ! grep -rqF "$MARKER" tap
}

@test "whichever malloc() is the first to fail, a program ends with an error or not at all, and nothing leaves in clear" {
	local n status ended=0 went=0
	cat >failing.c <<-'END'
		#include <errno.h>
		#include <stdatomic.h>
		#include <stdlib.h>
		void *__libc_malloc(size_t size);
		void *__libc_calloc(size_t n, size_t size);
		void *__libc_realloc(void *p, size_t size);
		static int fails(void)
		{
			static _Atomic long left = -1;
			const char *text;
			if (left < 0) {
				text = getenv("FAIL_AFTER");
				left = text ? atol(text) : 1 << 30;
			}
			if (left == 0) {
				errno = ENOMEM;
				return 1;
			}
			left--;
			return 0;
		}
		void *malloc(size_t size) { return fails() ? 0 : __libc_malloc(size); }
		void *calloc(size_t n, size_t size) { return fails() ? 0 : __libc_calloc(n, size); }
		void *realloc(void *p, size_t size) { return fails() ? 0 : __libc_realloc(p, size); }
	END
	cc -shared -fPIC -O1 -o libfailing.so failing.c
	free_port server
	accept_tls "$server"
	connect_tls "$port"
	start_shim echo "$PROGS/echo_server" threads "$server"
	wait_listen "$server"
	start_tap "$port" "$server"
	for n in {0..40} 50 60 80 100 150 200 300 500; do
		status=0
		limited env FAIL_AFTER=$n TLSHIM_POLICY="$POLICY" LD_PRELOAD="$BUILD_DIR/libtlshim.so:$PWD/libfailing.so" \
			"$PROGS/tcp_client" -t 3 127.0.0.1 "$port" "write=$MARKER" fill=30000 shut slurp >out 2>err || status=$?
		echo "$n: $status $(tr '\n' ' ' <out)"
		assert [ "$status" -lt 124 ]
		if [ "$status" = 0 ]; then went=$((went + 1)); else ended=$((ended + 1)); fi
	done
	assert [ "$ended" -gt 0 ]
	assert [ "$went" -gt 0 ]
	run ! grep -rqF "$MARKER" tap
}
