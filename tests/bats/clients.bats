#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Client programs that are told http:// or a bare port, wrapped, against TLS servers.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	echo "$MARKER" >page
}
teardown() { e2e_teardown; }

@test "curl http:// reaches openssl s_server" {
	free_port port tapped
	connect_tls "$tapped"
	start_s_server www "$port" -WWW
	start_tap "$tapped" "$port"
	run -0 shim curl -sS --fail "http://localhost:$tapped/page"
	assert_output "$MARKER"
	assert_protected
}

@test "wget http:// fetches 10 MB" {
	free_port port tapped
	connect_tls "$tapped"
	random_file large 10000000
	start_s_server www "$port" -WWW
	start_tap "$tapped" "$port"
	run -0 shim wget -q -O got "http://127.0.0.1:$tapped/large"
	assert_same large got
	run -0 shim wget -q -O - "http://127.0.0.1:$tapped/page"
	assert_protected
}

@test "curl's uploads and parallel downloads reach Python's ssl server" {
	free_port port
	connect_tls "$port"
	random_file large 3000000
	start https "$PYTHON" "$LIB/https.py" "$PKI" "$port"
	wait_listen "$port"
	run -0 shim curl -sS --fail -Z -o 1 "http://localhost:$port/large" -o 2 "http://localhost:$port/large" \
		-o 3 "http://localhost:$port/page"
	assert_same large 1
	assert_same large 2
	assert_same page 3
	run -0 shim curl -sS --fail -T large "http://localhost:$port/"
	assert_output "$(checksum large)"
}

@test "Python's urllib and http.client speak TLS to http:// addresses" {
	free_port port tapped
	connect_tls "$tapped"
	start_s_server www "$port" -WWW
	start_tap "$tapped" "$port"
	run -0 shim "$PYTHON" -c "
import urllib.request
print(urllib.request.urlopen('http://localhost:$tapped/page').read().decode())"
	assert_output "$MARKER"
	assert_protected
}

@test "asyncio's client connects without blocking and speaks TLS" {
	free_port port tapped
	connect_tls "$tapped"
	start_peer echo echo "$port"
	start_tap "$tapped" "$port"
	run -0 shim "$PYTHON" -c "
import asyncio
async def one(n):
    reader, writer = await asyncio.open_connection('127.0.0.1', $tapped)
    writer.write(b'$MARKER %d\n' % n)
    line = await reader.readline()
    writer.close()
    return line
async def main():
    print(b''.join(await asyncio.gather(*[one(n) for n in range(20)])).decode())
asyncio.run(main())"
	assert_line "$MARKER 0"
	assert_line "$MARKER 19"
	assert_protected
}

for_netcat() { # NETCAT: one exchange as a client, the echo's answer
	free_port port tapped
	connect_tls "$tapped"
	start_peer echo echo "$port"
	start_tap "$tapped" "$port"
	run -0 shim "$@" 127.0.0.1 "$tapped" <<<"$MARKER"
	assert_output "$MARKER"
	assert_protected
}

@test "netcat-openbsd is a TLS client" { for_netcat nc.openbsd -N; }
@test "netcat-traditional is a TLS client" { for_netcat nc.traditional -q 1; }
@test "ncat is a TLS client" { for_netcat ncat; }
@test "socat is a TLS client" {
	free_port port tapped
	connect_tls "$tapped"
	start_peer echo echo "$port"
	start_tap "$tapped" "$port"
	run -0 shim socat -t 10 - "TCP:127.0.0.1:$tapped" <<<"$MARKER"
	assert_output "$MARKER"
	assert_protected
}

served_by() { # NETCAT: it listens, sends its input and gets the client's
	free_port port tapped
	accept_tls "$port"
	echo "$MARKER-from-server" >greeting
	IN=greeting start_shim netcat "$@" "$port"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	run -0 gnutls "$tapped" <<<"$MARKER-from-client"
	assert_line --partial "$MARKER-from-server"
	wait_text netcat.out "$MARKER-from-client"
	wait_exit netcat
	assert_equal "$status" 0
	assert_protected
}

@test "netcat-openbsd is a TLS server" { served_by nc.openbsd -N -l 127.0.0.1; }
@test "netcat-traditional is a TLS server" { served_by nc.traditional -q 1 -l -s 127.0.0.1 -p; }
@test "ncat is a TLS server" { served_by ncat -l 127.0.0.1; }

@test "ncat --sh-exec gives each connection its own shell" {
	free_port port
	accept_tls "$port"
	start_shim ncat ncat -k -l 127.0.0.1 "$port" --sh-exec 'read -r line; echo "you said $line"'
	wait_listen "$port"
	for turn in 1 2 3; do
		run -0 s_client "$port" <<<"$MARKER-$turn"
		assert_output "you said $MARKER-$turn"
	done
}

@test "two netcats, both wrapped, talk TLS to each other" {
	free_port port tapped
	accept_tls "$port"
	connect_tls "$tapped"
	random_file down 500000
	random_file up 700000
	echo "$MARKER" >>up
	IN=down start_shim server nc.openbsd -N -l 127.0.0.1 "$port"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	IN=up start_shim client nc.openbsd -N 127.0.0.1 "$tapped"
	wait_exit client
	assert_equal "$status" 0
	wait_exit server
	assert_same up server.out
	assert_same down client.out
	assert_protected
}

@test "a client finds IPv6 servers as well" {
	[ -e /proc/net/if_inet6 ] || skip "no IPv6 here"
	free_port port
	connect_tls "$port"
	start echo openssl s_server -accept "[::1]:$port" -cert "$PKI/server.pem" -key "$PKI/server.key" -WWW
	wait_listen "$port"
	run -0 shim curl -sS --fail "http://[::1]:$port/page"
	assert_output "$MARKER"
}
