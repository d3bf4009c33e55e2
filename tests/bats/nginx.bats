#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nginx with a plain configuration, wrapped: worker processes, edge-triggered epoll, sendfile.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() {
	e2e_setup_file
	export NGINX_PROGRAM
	NGINX_PROGRAM=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx)
}
setup() {
	e2e_setup
	mkdir site temp
	# Workers run as another user when the tests run as root.
	chmod 755 . site
	chmod 777 temp
	echo "$MARKER" >site/page
}
teardown() { e2e_teardown; }

# start_nginx PORT SENDFILE WORKERS [SERVER-DIRECTIVE…]
start_nginx() {
	local user=
	[ "$(id -u)" != 0 ] || user='user root;'
	cat >nginx.conf <<END
daemon off; $user worker_processes $3; pid $PWD/nginx.pid; error_log $PWD/nginx.log;
events { worker_connections 512; multi_accept on; }
http {
	access_log $PWD/access.log; client_body_temp_path temp/body; proxy_temp_path temp/proxy;
	fastcgi_temp_path temp/fastcgi; uwsgi_temp_path temp/uwsgi; scgi_temp_path temp/scgi;
	sendfile $2; tcp_nopush on; keepalive_requests 10000; client_max_body_size 1g;
	server { listen 127.0.0.1:$1; root $PWD/site; ${*:4} }
}
END
	start_shim nginx "$NGINX_PROGRAM" -p "$PWD" -e "$PWD/nginx.log" -c "$PWD/nginx.conf"
	wait_listen "$1"
}

@test "nginx serves a large file with sendfile on, to curl and to wget" {
	free_port port tapped
	accept_tls "$port"
	random_file site/large 20000000
	start_nginx "$port" on 2
	start_tap "$tapped" "$port"
	run -0 tls_curl "https://localhost:$tapped/page" -o page "https://localhost:$tapped/large" -o large
	assert_same site/page page
	assert_same site/large large
	run -0 limited wget -q --ca-certificate "$PKI/ca.pem" -O again "https://localhost:$port/large"
	assert_same site/large again
	assert_protected
}

@test "nginx serves a large file with sendfile off" {
	free_port port tapped
	accept_tls "$port"
	random_file site/large 20000000
	start_nginx "$port" off 1
	start_tap "$tapped" "$port"
	run -0 tls_curl "https://localhost:$tapped/large" -o large "https://localhost:$tapped/page" -o page
	assert_same site/large large
	assert_same site/page page
	assert_protected
}

@test "nginx sends ranges of a file by sendfile to a slow reader" {
	free_port port
	accept_tls "$port"
	random_file site/large 4000000
	start_nginx "$port" on 1
	run -0 tls_curl "https://localhost:$port/large" -r 1000000-2999999 --limit-rate 2M -o part
	assert_equal "$(checksum part)" "$(tail -c +1000001 site/large | head -c 2000000 | sha256sum | cut -d' ' -f1)"
}

@test "nginx keeps a connection for 300 requests of many sizes" {
	free_port port
	accept_tls "$port"
	for i in {1..300}; do
		head -c $((i * i % 70001)) /dev/zero | tr '\0' "$((i % 10))" >"site/$i"
	done
	start_nginx "$port" on 2
	mkdir got
	run -0 tls_curl "https://localhost:$port/[1-300]" -o 'got/#1' -w '%{num_connects}\n'
	assert_equal "$(awk '{ n += $1 } END { print n }' <<<"$output")" 1
	for i in {1..300}; do
		assert_same "site/$i" "got/$i"
	done
}

@test "nginx workers serve 40 clients at the same time" {
	free_port port
	accept_tls "$port"
	random_file site/large 300000
	start_nginx "$port" on 2
	urls=()
	for i in {1..40}; do
		urls+=(-o "got.$i" "https://localhost:$port/large?$i")
	done
	run -0 tls_curl --no-keepalive -Z --parallel-max 40 "${urls[@]}"
	for i in {1..40}; do
		assert_same site/large "got.$i"
	done
}

@test "nginx as a proxy speaks TLS to its clients and TLS to its backend" {
	free_port port backend tapped
	accept_tls "$port"
	connect_tls "$tapped"
	random_file site/large 3000000
	start backend openssl s_server -accept "127.0.0.1:$backend" -cert "$PKI/server.pem" -key "$PKI/server.key" -WWW
	wait_listen "$backend"
	start_tap "$tapped" "$backend"
	start_nginx "$port" on 1 "location / { proxy_pass http://127.0.0.1:$tapped; }"
	cp site/page site/large .
	run -0 tls_curl "https://localhost:$port/page"
	assert_output "$MARKER"
	run -0 tls_curl "https://localhost:$port/large" -o got
	assert_same large got
	assert_protected
}

@test "nginx takes an upload, and an upload with chunks" {
	free_port port tapped
	accept_tls "$port"
	mkdir -m 777 site/up
	random_file upload 5000000
	start_nginx "$port" on 2 'location /up/ { dav_methods PUT; }'
	start_tap "$tapped" "$port"
	run -0 tls_curl -T upload "https://localhost:$tapped/up/one"
	run -0 tls_curl -H 'Transfer-Encoding: chunked' -T - "https://localhost:$tapped/up/two" <upload
	assert_same upload site/up/one
	assert_same upload site/up/two
	run -0 tls_curl -T site/page "https://localhost:$tapped/up/three"
	assert_protected
}

@test "nginx's reload and its graceful end leave a running download whole" {
	free_port port
	accept_tls "$port"
	random_file site/large 6000000
	start_nginx "$port" on 1
	start download curl -sS --fail --cacert "$PKI/ca.pem" --limit-rate 3M -o got "https://localhost:$port/large"
	wait_size got 100000
	kill -HUP "$(cat nginx.pid)"
	run -0 tls_curl "https://localhost:$port/page"
	assert_output "$MARKER"
	kill -QUIT "$(cat nginx.pid)"
	wait_exit download
	assert_equal "$status" 0
	assert_same site/large got
}
