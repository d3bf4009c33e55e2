#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# Functions that few programs use on connections: they work, or they are refused, and nothing leaves in clear.

# shellcheck disable=SC2154 # variables that free_port and start set
bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port tapped
}
teardown() { e2e_teardown; }

# serves MODE COUNT: that many clients, each of which insists on a close_notify at the end.
serves() {
	accept_tls "$port"
	start_shim server "$PROGS/rare" "$1" "$port"
	wait_listen "$port"
	run -0 peer calls "$port" --count "$2"
	assert_output "$2 answers of [4096] bytes"
	refute [ -s server.err ]
}

@test "a child that clone() made serves a connection, and its end is clean" { serves clone 50; }
@test "a thread that clone() made serves a connection of the process" { serves vmclone 50; }
@test "a child that ends by quick_exit() ends its connection cleanly" { serves quick 50; }
@test "a program that turns into a daemon with a connection open goes on with it" { serves daemon 1; }

@test "a program that ends by abort() leaves a cut connection and no plaintext" {
	accept_tls "$port"
	start_tap "$tapped" "$port"
	start_shim server "$PROGS/rare" serial "$port"
	wait_listen "$port"
	run -0 peer calls "$tapped" --count 3
	# OpenSSL calls an end without close_notify an error; the answer before it is whole.
	s_client "$tapped" <<<"abort $MARKER" >got || true
	assert_equal "$(stat -c %s got)" 4096
	wait_exit server
	assert_equal "$status" 134
	assert_protected
}

@test "asynchronous input and output is refused on a TLS connection and works on files, with one line in the log" {
	connect_tls "$tapped"
	start_peer peer echo "$port"
	start_tap "$tapped" "$port"
	for build in rare rare.fortify; do
		run -0 --separate-stderr shim "$PROGS/$build" aio "$tapped"
		assert_output <<-END
			lio_listio of a list: ENOSYS
			aio_write of the connection: ENOSYS
			aio_read of the connection: ENOSYS
			aio_write of a file: begun
			25 bytes
			aio_read of a file: begun
			25 bytes: in clear, if it were sent
			plain calls go on
		END
		grep -q "aio_write on a TLS connection is refused" <<<"$stderr"
	done
	MARKER="in clear" assert_protected
}

@test "a name that getaddrinfo_a() looked up is the one that is verified" {
	printf 'connect localhost:%s tls {\n\ttrust %s\n}\n' "$port" "$PKI/ca.pem" >>"$POLICY"
	start_peer peer echo "$port"
	run -0 shim "$PROGS/rare" names "$port" localhost
	assert_line "waited for: hello"
	assert_line "asked for: hello"
}

@test "a name that res_query() and its kind looked up is the one that is verified" {
	printf 'connect server.test:%s tls {\n\ttrust %s\n\tserver-name localhost\n}\n' "$port" "$PKI/ca.pem" >>"$POLICY"
	start_peer peer echo "$port"
	start names "$PYTHON" "$LIB/name_server.py" "$tapped"
	wait_text names.out ready
	for build in rare rare.fortify; do
		run -0 --separate-stderr shim "$PROGS/$build" resolve "$port" "$tapped"
		assert_output <<-END
			nothing: no answer, Permission denied
			query: answered, connected
			search: answered, connected
			querydomain: answered, connected
			nquery: answered, connected
			nsearch: answered, connected
			damaged: answered, Permission denied
		END
	done
}

@test "pidfd_spawn() is answered as where it is missing, so that programs fall back to posix_spawn()" {
	connect_tls "$port"
	run -0 shim "$PROGS/rare" spawn "$port"
	assert_output ENOSYS
}

@test "rexec() and rcmd() send nothing to a port that a rule is about" {
	connect_tls "$tapped"
	start_peer peer sink "$port"
	start_tap "$tapped" "$port"
	run -0 --separate-stderr shim "$PROGS/rare" rexec "$tapped"
	assert_output $'rexec: -1 Permission denied\nrcmd: -1 Permission denied'
	grep -q "libc would make the connection past the shim" <<<"$stderr"
	assert [ -z "$(ls tap)" ]
}

@test "functions that this libc lacks leave no error of dlopen() behind" {
	connect_tls "$port"
	cat >dlerror.c <<-'END'
		#include <dlfcn.h>
		#include <stdio.h>
		int main(void) { const char *error = dlerror(); return error ? puts(error), 1 : 0; }
	END
	cc -o dlerror dlerror.c -ldl
	run -0 shim ./dlerror
	assert_output ""
}
