#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# A good guest: programs and sockets that no rule is about notice nothing.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	printf 'connect 192.0.2.1:9 deny\n' >"$POLICY"
}
teardown() { e2e_teardown; }

@test "errno is 0 when main begins" {
	printf '#include <errno.h>\nint main(void) { return errno; }\n' >errno.c
	cc -o errno errno.c
	run -0 shim ./errno
	run -0 env LD_PRELOAD="$BUILD_DIR/libtlshim.so" TLSHIM_POLICY="$POLICY" ./errno
}

@test "output, exit status and arguments of unconcerned programs are their own" {
	run -7 shim sh -c 'echo out; echo err >&2; exit 7'
	assert_output $'out\nerr'
	run -0 shim printf '%s|' 'a b' '' '*'
	assert_output 'a b||*|'
	run -0 shim bash -c 'for i in 1 2 3; do echo $i; done | sort -r | tr "\n" " "; cat <(echo sub)'
	assert_output '3 2 1 sub'
	run -0 shim "$PYTHON" -c 'import subprocess; print(subprocess.check_output(["echo", "x"]))'
	assert_output "b'x\\n'"
	run -143 shim sh -c 'kill -TERM $$'
}

@test "the program runs under the pid that was started, and gets its signals" {
	start_shim sleeper sleep 50
	is_sleep() { [ "$(cat "/proc/$pid_sleeper/comm")" = sleep ]; }
	until_true 10 is_sleep
	kill -TERM "$pid_sleeper"
	wait_exit sleeper
	assert_equal "$status" 143
}

@test "the program inherits no more descriptors than without the shim" {
	plain=$(sh -c 'ls /proc/self/fd' 3>&- | sort)
	wrapped=$(shim sh -c 'ls /proc/self/fd' 3>&- | sort)
	assert_equal "$wrapped" "$plain"
}

@test "sockets without a rule, pipes and files work as before" {
	free_port port
	start_shim server "$PROGS/echo_server" poll "$port"
	wait_listen "$port"
	run -0 shim nc.openbsd -N 127.0.0.1 "$port" <<<"$MARKER"
	assert_output "$MARKER"
	run -0 limited nc.openbsd -N 127.0.0.1 "$port" <<<"$MARKER"
	assert_output "$MARKER"
	start_shim unix socat UNIX-LISTEN:socket,fork EXEC:cat
	until_true 10 test -S socket
	run -0 shim socat - UNIX-CONNECT:socket <<<"$MARKER"
	assert_output "$MARKER"
}

@test "curl, wget and Python do their own TLS through the shim" {
	free_port port
	connect_tls 1
	echo "$MARKER" >page
	start_s_server www "$port" -WWW
	run -0 shim curl -sS --fail --cacert "$PKI/ca.pem" "https://localhost:$port/page"
	assert_output "$MARKER"
	run -0 shim wget -q --ca-certificate "$PKI/ca.pem" -O - "https://localhost:$port/page"
	assert_output "$MARKER"
	run -0 shim "$PYTHON" -c "
import ssl, urllib.request
context = ssl.create_default_context(cafile='$PKI/ca.pem')
print(urllib.request.urlopen('https://localhost:$port/page', context=context).read().decode(), end='')"
	assert_output "$MARKER"
	run -0 shim openssl version
}

@test "programs of GnuTLS and wolfSSL do their own TLS through the shim" {
	free_port port
	connect_tls 1
	start_s_server www "$port" -www
	run -0 shim gnutls-cli --x509cafile "$PKI/ca.pem" --port "$port" localhost <<<$'GET / HTTP/1.0\r\n\r'
	assert_output --partial "HTTP/1.0 200"
	cat >wolf.py <<-END
		import ctypes, ctypes.util, socket, sys
		path = ctypes.util.find_library("wolfssl")
		if not path:
		    sys.exit(77)
		# Its names are there for all, as if the program were linked to it.
		wolf = ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
		for name in ("wolfTLSv1_3_client_method", "wolfSSL_CTX_new", "wolfSSL_new"):
		    getattr(wolf, name).restype = ctypes.c_void_p
		wolf.wolfSSL_Init()
		context = ctypes.c_void_p(wolf.wolfSSL_CTX_new(ctypes.c_void_p(wolf.wolfTLSv1_3_client_method())))
		assert wolf.wolfSSL_CTX_load_verify_locations(context, b"$PKI/ca.pem", None) == 1
		tls = ctypes.c_void_p(wolf.wolfSSL_new(context))
		plain = socket.create_connection(("127.0.0.1", $port))
		wolf.wolfSSL_set_fd(tls, plain.fileno())
		assert wolf.wolfSSL_connect(tls) == 1, wolf.wolfSSL_get_error(tls, 0)
		question = b"GET / HTTP/1.0\r\n\r\n"
		assert wolf.wolfSSL_write(tls, question, len(question)) == len(question)
		answer = ctypes.create_string_buffer(100)
		assert wolf.wolfSSL_read(tls, answer, 99) > 0
		print(answer.value.decode().split("\r")[0])
	END
	run shim "$PYTHON" wolf.py
	[ "$status" != 77 ] || return 0
	assert_output --partial "HTTP/1.0 200"
}

@test "the library exports the names of shim/hooks.def and nothing else" {
	nm -D --defined-only "$BUILD_DIR/libtlshim.so" | awk '{ print $3 }' | sort -u >exported
	"$BATS_TEST_DIRNAME/../../.build/hooks.sh" | sort -u >table
	run -0 diff table exported
	run nm -D --undefined-only "$BUILD_DIR/libtlshim.so"
	refute_output --regexp '(wolf|wc_|SSL_)'
}

@test "the library starts no thread and installs no signal handler" {
	free_port port
	accept_tls "$port"
	start_shim server "$PROGS/tcp_server" "$port" read write=ok
	wait_listen "$port"
	run -0 s_client "$port" <<<hello
	assert_equal "$(ls "/proc/$pid_server/task" | wc -l)" 1
	# SIGPIPE is ignored by the program itself; nothing is caught.
	assert_equal "$(awk '/^SigCgt/ { print $2 }' "/proc/$pid_server/status")" 0000000000000000
}

@test "getpeername and getsockname of a wrapped server are the client's and its own addresses" {
	free_port port
	accept_tls "$port"
	start_shim server "$PYTHON" -c "
import socket
listener = socket.create_server(('127.0.0.1', $port))
while True:
    s, peer = listener.accept()
    s.recv(100)
    s.sendall(('%s %s %s\n' % (peer == s.getpeername(), peer[0], s.getsockname()[1])).encode())
    s.close()"
	wait_listen "$port"
	run -0 s_client "$port" <<<hello
	assert_output "True 127.0.0.1 $port"
}
