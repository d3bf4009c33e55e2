#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Unmodified programs from the distribution, wrapped, against independent TLS peers and against each other. The tap
# between them sees TLS records only, and never what the program sent.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() { e2e_setup; }
teardown() { e2e_teardown; }

tls_redis_cli() { limited redis-cli --tls --cacert "$PKI/ca.pem" -h localhost -p "$1" "${@:2}"; }
start_redis() { start_shim redis redis-server --port "$1" --bind 127.0.0.1 --save '' --appendonly no "${@:2}"; }

@test "a plain redis-server speaks TLS to redis-cli --tls" {
	free_port port tapped
	accept_tls "$port" 'truncation ignore'
	start_redis "$port"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	run -0 tls_redis_cli "$tapped" set key "$MARKER"
	assert_output OK
	run -0 tls_redis_cli "$tapped" get key
	assert_output "$MARKER"
	assert_protected
}

@test "redis-server answers 2,000 pipelined commands in order" {
	free_port port
	accept_tls "$port" 'truncation ignore'
	start_redis "$port"
	wait_listen "$port"
	for i in {1..2000}; do echo "RPUSH list $MARKER-$i"; done >commands
	run -0 tls_redis_cli "$port" --pipe <commands
	assert_output --partial "errors: 0, replies: 2000"
	run -0 tls_redis_cli "$port" lrange list 0 -1
	assert_equal "$(tail -n 1 <<<"$output")" "$MARKER-2000"
	assert_equal "$(wc -l <<<"$output")" 2000
}

@test "a plain redis-cli speaks TLS to the TLS port of redis-server" {
	free_port port tapped
	start redis redis-server --port 0 --tls-port "$port" --bind 127.0.0.1 --save '' --tls-auth-clients no \
		--tls-cert-file "$PKI/server.pem" --tls-key-file "$PKI/server.key" --tls-ca-cert-file "$PKI/ca.pem"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	connect_tls "$tapped"
	run -0 shim redis-cli -h localhost -p "$tapped" set key "$MARKER"
	assert_output OK
	run -0 shim redis-cli -h 127.0.0.1 -p "$tapped" get key
	assert_output "$MARKER"
	assert_protected
}

@test "redis-server and redis-cli, both plain and both wrapped, speak TLS to each other" {
	free_port port tapped
	accept_tls "$port"
	connect_tls "$tapped"
	start_redis "$port"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	run -0 shim redis-cli -h localhost -p "$tapped" set key "$MARKER"
	assert_output OK
	run -0 shim redis-cli -h localhost -p "$tapped" get key
	assert_output "$MARKER"
	run -0 shim redis-cli -h localhost -p "$tapped" --raw eval "return string.rep('$MARKER', 20000)" 0
	assert_equal "${#output}" $((${#MARKER} * 20000))
	assert_protected
}

@test "redis-cli's subscription receives what another connection publishes" {
	free_port port
	accept_tls "$port"
	connect_tls "$port"
	start_redis "$port"
	wait_listen "$port"
	start_shim subscriber redis-cli -h localhost -p "$port" subscribe channel
	wait_text subscriber.out subscribe
	run -0 shim redis-cli -h localhost -p "$port" publish channel "$MARKER"
	assert_output --partial 1
	wait_text subscriber.out "$MARKER"
}

@test "redis with I/O threads and a replica behind TLS keep their data whole" {
	free_port master replica
	accept_tls "$master"
	connect_tls "$master"
	start_redis "$master" --io-threads 2 --io-threads-do-reads yes
	wait_listen "$master"
	start_shim replica redis-server --port "$replica" --bind 127.0.0.1 --save '' --replicaof "127.0.0.1 $master"
	run -0 shim redis-cli -h localhost -p "$master" --raw eval \
		"for i=1,200 do redis.call('set', 'k'..i, string.rep('$MARKER'..i, 2000)) end return redis.call('dbsize')" 0
	assert_output 200
	wait_text replica.out 'MASTER <-> REPLICA sync: Finished with success' 20
	has_all() { [ "$(redis-cli -p "$replica" dbsize)" = 200 ]; }
	until_true 10 has_all
	assert_equal "$(redis-cli -p "$replica" get k77 | sha256sum)" \
		"$(shim redis-cli -h localhost -p "$master" get k77 | sha256sum)"
}

@test "redis-benchmark, wrapped, drives 50 connections to a wrapped redis-server" {
	free_port port
	accept_tls "$port"
	connect_tls "$port"
	start_redis "$port"
	wait_listen "$port"
	run -0 shim redis-benchmark -h localhost -p "$port" -c 50 -n 5000 -d 300 -t set,get -q
	assert_output --regexp 'SET: [0-9.]+ requests'
	assert_output --regexp 'GET: [0-9.]+ requests'
}

@test "memcached stores and returns values over TLS" {
	free_port port tapped
	accept_tls "$port"
	user=()
	[ "$(id -u)" != 0 ] || user=(-u root)
	start_shim memcached memcached -l 127.0.0.1 -p "$port" -U 0 "${user[@]}"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	printf 'set key 0 0 %d\r\n%s\r\nget key\r\nquit\r\n' ${#MARKER} "$MARKER" >commands
	run -0 peer get "$tapped" --send <commands
	assert_line --partial STORED
	assert_line --partial "$MARKER"
	assert_protected
}

@test "memcached with four threads serves clients at once" {
	free_port port
	accept_tls "$port"
	user=()
	[ "$(id -u)" != 0 ] || user=(-u root)
	start_shim memcached memcached -l 127.0.0.1 -p "$port" -U 0 -t 4 "${user[@]}"
	wait_listen "$port"
	for i in {1..12}; do
		printf 'set key%d 0 0 %d\r\n%s\r\nget key%d\r\nquit\r\n' "$i" ${#MARKER} "$MARKER" "$i" >"commands$i"
		IN=commands$i start "client$i" "$PYTHON" "$LIB/peer.py" --pki "$PKI" get "$port" --send
	done
	for i in {1..12}; do
		wait_exit "client$i"
		assert_equal "$status" 0
		assert file_has "client$i.out" "^$MARKER"
	done
}

@test "python3 -m http.server serves https to curl and wget" {
	free_port port tapped
	accept_tls "$port"
	mkdir site
	echo "$MARKER" >site/page
	random_file site/large 3000000
	start_shim http "$PYTHON" -m http.server --bind 127.0.0.1 --directory site "$port"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	run -0 tls_curl "https://localhost:$tapped/page"
	assert_output "$MARKER"
	run -0 limited wget -q --ca-certificate "$PKI/ca.pem" -O got "https://localhost:$tapped/large"
	assert_same site/large got
	assert_protected
}

@test "an asyncio server that speaks first is heard at once" {
	free_port port tapped
	accept_tls "$port"
	start_shim smtp "$PYTHON" "$LIB/greeter.py" "$port"
	wait_listen "$port"
	start_tap "$tapped" "$port"
	printf 'EHLO there\r\nNOOP %s\r\nQUIT\r\n' "$MARKER" >dialogue
	run -0 peer get "$tapped" --send <dialogue
	assert_line --index 0 --partial "220 ready"
	assert_output --partial "250 NOOP $MARKER"
	assert_output --partial "221"
	assert_protected
	# And to a client that waits for the greeting before it says a word: nothing but silence from its side.
	start silent openssl s_client -connect "127.0.0.1:$port" -CAfile "$PKI/ca.pem" -quiet
	wait_text silent.out '220 ready'
}

@test "curl's SMTP client talks to the server that speaks first, smtps on one side only" {
	free_port port
	accept_tls "$port"
	start_shim smtp "$PYTHON" "$LIB/greeter.py" "$port"
	wait_listen "$port"
	printf 'Subject: %s\r\n\r\n%s\r\n' test "$MARKER" >mail
	run -0 tls_curl "smtps://localhost:$port" --mail-from a@example.org --mail-rcpt b@example.org -T mail
	wait_text smtp.out "$MARKER"
}

@test "socat's fork-per-connection listener serves each child's connection" {
	free_port port tapped
	accept_tls "$port"
	start_shim socat socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" EXEC:cat
	wait_listen "$port"
	start_tap "$tapped" "$port"
	for turn in {1..10}; do
		run -0 gnutls "$tapped" --logfile g.log <<<"$MARKER-$turn"
		assert_line "$MARKER-$turn"
	done
	assert_protected
}

@test "bash's /dev/tcp speaks TLS" {
	free_port port
	start_peer echo echo "$port"
	connect_tls "$port"
	# shellcheck disable=SC2016
	run -0 shim bash -c 'exec 5<>/dev/tcp/127.0.0.1/$1; echo "$2" >&5; read -r line <&5; echo "got $line"' - "$port" "$MARKER"
	assert_output "got $MARKER"
}

@test "a server that is started anew serves clients again" {
	free_port port
	accept_tls "$port"
	for i in 1 2 3; do
		start_shim "http$i" "$PYTHON" -m http.server --bind 127.0.0.1 "$port"
		wait_listen "$port"
		run -0 tls_curl "https://localhost:$port/" -o /dev/null -w '%{http_code}'
		assert_output 200
		stop "http$i"
	done
}
