#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The event loops of others: Node's and uvloop's, which would use io_uring if they could, and haproxy's.

# shellcheck disable=SC2153,SC2154 # variables that e2e_setup_file, free_port and start set
bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port tapped
	PROGRAMS=$BATS_TEST_DIRNAME/../compat/programs
}
teardown() { e2e_teardown; }

# echoes COMMAND…: a wrapped server on $port, which must send back what 30 clients at once have to say. Behind the tap.
echoes() {
	start_shim server "$@"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	run -0 peer many "$tapped" --count 30 --big 200000
	assert_output --partial '30 connections'
	for turn in 1 2 3; do
		run -0 gnutls "$tapped" <<<"$MARKER $turn"
		assert_line "$MARKER $turn"
	done
	assert_protected
	stop server
	stop tap
	rm -r tap
}

@test "Node's server and client are the same with io_uring asked for and not, and the log names io_uring" {
	command -v node >/dev/null || skip "node is not installed"
	accept_tls "$port"
	for use in 0 1; do
		TLSHIM_LOG=debug UV_USE_IO_URING=$use echoes node "$PROGRAMS/echo.js" "$port"
		! file_has server.err 'NOT protected' || fail "a ring was set up"
		! { [ $use = 1 ] && strings -a "$(readlink -f "$(command -v node)")" | grep -q UV_USE_IO_URING; } ||
			file_has server.err io_uring
	done
	: >"$POLICY"
	connect_tls "$tapped"
	free_port port
	start_peer peer echo "$port"
	random_file question 1000000
	for use in 0 1; do
		start_tap "$tapped" "$port"
		UV_USE_IO_URING=$use shim node "$PROGRAMS/call.js" "$tapped" <question >answer
		assert_same question answer
		assert_protected
		stop tap
		rm -r tap
	done
}

@test "uvloop's server and client are the same with io_uring asked for and not" {
	local python
	for python in "$PYTHON" /usr/bin/python3 ''; do
		[ -n "$python" ] || skip "uvloop is not installed"
		! "$python" -c 'import uvloop' 2>/dev/null || break
	done
	cat >loop.py <<-'END'
		import asyncio, sys
		import uvloop

		async def serve(reader, writer):
		    while data := await reader.read(20000):
		        writer.write(data)
		        await writer.drain()
		    writer.close()

		async def server(port):
		    async with await asyncio.start_server(serve, "127.0.0.1", port) as listener:
		        await listener.serve_forever()

		async def client(port):
		    reader, writer = await asyncio.open_connection("127.0.0.1", port)
		    question = bytes(range(256)) * 2000
		    writer.write(question)
		    assert await reader.readexactly(len(question)) == question
		    writer.close()
		    await writer.wait_closed()
		    print("the same came back")

		uvloop.install()
		asyncio.run(globals()[sys.argv[1]](int(sys.argv[2])))
	END
	accept_tls "$port"
	connect_tls "$tapped"
	for use in 0 1; do
		export UV_USE_IO_URING=$use
		echoes "$python" loop.py server "$port"
		start_peer peer echo "$port"
		start_tap "$tapped" "$port"
		run -0 shim "$python" loop.py client "$tapped"
		assert_output "the same came back"
		stop peer
		stop tap
		rm -r tap
	done
}

@test "haproxy serves by TLS, says so when its server is gone, and uses no processor time either way" {
	PATH=$PATH:/usr/sbin
	command -v haproxy >/dev/null || skip "haproxy is not installed"
	free_port raw origin
	accept_tls "$port"
	accept_tls "$raw"
	mkdir site
	random_file site/large 3000000
	start origin "$PYTHON" -m http.server --bind 127.0.0.1 --directory site "$origin"
	wait_listen "$origin"
	cat >haproxy.cfg <<-END
		global
			maxconn 200
		defaults
			timeout connect 5s
			timeout client 20s
			timeout server 20s
		frontend web
			mode http
			bind 127.0.0.1:$port
			default_backend web
		backend web
			mode http
			server one 127.0.0.1:$origin
		listen raw
			mode tcp
			option splice-auto
			bind 127.0.0.1:$raw
			server one 127.0.0.1:$origin
	END
	start_shim haproxy haproxy -db -f "$PWD/haproxy.cfg"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	for from in "$tapped" "$raw"; do
		run -0 tls_curl "https://localhost:$from/large" -o got
		assert_same site/large got
	done
	# One client that stays, with its server and without it.
	IN=/dev/zero start silent openssl s_client -connect "127.0.0.1:$raw" -CAfile "$PKI/ca.pem" -quiet
	assert_idle
	stop origin
	run -22 tls_curl "https://localhost:$tapped/large" -o got
	assert_output --partial 503
	run ! tls_curl "https://localhost:$raw/large" -o got
	assert_idle
	assert_protected
}

# The kernel's ticks of a hundredth of a second, in a second and a half.
assert_idle() {
	local pid before
	stop silent
	pid=$(pgrep -g "$pid_haproxy" -f haproxy.cfg | tail -n 1)
	sleep 0.3
	before=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
	sleep 1.5
	assert [ $(($(awk '{ print $14 + $15 }' "/proc/$pid/stat") - before)) -le 3 ]
}
