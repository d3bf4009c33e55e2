#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
#
# Programs that are told http:// and speak https.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load lib

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	open_folder
	export HOME=$PWD
	echo "$MARKER" >page
	printf '<html><head><title>t</title></head><body><p>%s</p></body></html>\n' "$MARKER" >page.html
	random_file large 3000000
	client_ports 'truncation ignore'
}
teardown() { e2e_teardown; }

# The server: nginx, with OpenSSL and keep-alive.
start_nginx_tls() {
	needs nginx
	local user=
	[ "$(id -u)" != 0 ] || user='user root;'
	cat >nginx.conf <<-END
		daemon off; $user worker_processes 1; pid $PWD/nginx.pid; error_log $PWD/nginx.log;
		events { worker_connections 256; }
		http {
			access_log $PWD/access.log; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;
			uwsgi_temp_path u; scgi_temp_path s; keepalive_requests 100000; types { text/html html; }
			server { listen 127.0.0.1:$port ssl; root $PWD; ssl_protocols TLSv1.2 TLSv1.3;
				ssl_certificate $PKI/server.pem; ssl_certificate_key $PKI/server.key; }
		}
	END
	start nginx nginx -p "$PWD" -e "$PWD/nginx.log" -c "$PWD/nginx.conf"
	peer_is_up
}

@test "curl: a large file by several connections, and an upload" {
	start_https "$port"
	peer_is_up
	run -0 shim curl -sS --fail -Z -o 1 "http://127.0.0.1:$tapped/large" -o 2 "http://127.0.0.1:$tapped/large"
	assert_same large 1
	assert_same large 2
	run -0 shim curl -sS --fail -T large "http://127.0.0.1:$tapped/put"
	assert_output "$(checksum large)"
	assert_protected
}

# fetches_by COMMAND…: URL stands for the large file's address, its output is the file.
fetches_by() {
	start_nginx_tls
	shim "${@//URL/http://127.0.0.1:$tapped/large}" >got
	assert_same large got
	shim "${@//URL/http://127.0.0.1:$tapped/page}" >got
	assert_same page got
	assert_protected
}
# shows_by COMMAND…: a browser renders the page.
shows_by() {
	start_nginx_tls
	run -0 shim "${@//URL/http://127.0.0.1:$tapped/page.html}"
	assert_output --partial "$MARKER"
	assert_protected
}

@test "wget: a large file and a small one" { fetches_by wget -q -O - URL; }
@test "aria2: a large file by several connections" {
	needs aria2c
	start_nginx_tls
	run -0 shim aria2c -q --no-conf -x 4 -s 4 -k 1M --allow-overwrite=true -o got "http://127.0.0.1:$tapped/large"
	assert_same large got
	assert_protected
}
@test "lwp-request: a large file by Perl's LWP" { needs lwp-request && fetches_by lwp-request -m GET URL; }
@test "links: shows a page, fetches a file" {
	needs links
	shows_by links -dump URL
	shim links -source "http://127.0.0.1:$tapped/large" >got
	assert_same large got
}
@test "w3m: shows a page" { needs w3m && shows_by w3m -dump URL; }
@test "lynx: shows a page" { needs lynx && shows_by lynx -dump -nolist URL; }

@test "ab: 500 requests, 20 at a time, kept alive and not" {
	needs ab
	start_nginx_tls
	for option in -k -q; do
		run -0 shim ab -q "$option" -n 500 -c 20 "http://127.0.0.1:$tapped/page"
		assert_line --regexp '^Complete requests: +500$'
		assert_line --regexp '^Failed requests: +0$'
		assert_line --regexp "^HTML transferred: +$((500 * ${#MARKER} + 500)) bytes\$"
	done
	assert_protected
}

@test "httperf: 300 requests, 10 a connection" {
	needs httperf
	start_nginx_tls
	run -0 shim httperf --hog --server 127.0.0.1 --port "$tapped" --uri /page --num-conns 30 --num-calls 10 --rate 50
	assert_line --regexp 'replies 300'
	assert_line --regexp '^Errors: total 0 '
	assert_protected
}

@test "wrk: many connections in two threads" {
	needs wrk
	start_nginx_tls
	run -0 shim wrk -t 2 -c 40 -d 2s "http://127.0.0.1:$tapped/page"
	refute_output --partial 'Socket errors'
	refute_output --partial 'Non-2xx'
	assert_line --regexp '[1-9][0-9]* requests in'
	assert_protected
}

@test "siege: 20 users in threads" {
	needs siege
	start_nginx_tls
	run -0 shim siege -q -b -c 20 -r 10 -R /dev/null -j "http://127.0.0.1:$tapped/page"
	run cat access.log
	assert_equal "$(grep -c '"GET /page.* 200' access.log)" 200
	assert_protected
}
