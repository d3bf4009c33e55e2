#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
#
# Proxies: TLS on both of their legs, curl on one side and a server with TLS of its own on the other.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load lib

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	open_folder
	echo "$MARKER" >page
	random_file large 3000000
}
teardown() { e2e_teardown; }

# Ports for both legs: $port of the proxy, $origin of the server behind it.
proxy_ports() {
	free_port origin
	server_ports "$@"
	connect_tls "$origin" truncation\ ignore
	start_https "$origin"
}

# proxied WAY: GET and PUT through the proxy, several at once.
proxied() {
	run -0 tls_curl -Z -o 1 "https://localhost:$tapped/large" -o 2 "https://localhost:$tapped/large" \
		-o 3 "https://localhost:$tapped/page"
	assert_same large 1
	assert_same large 2
	assert_same page 3
	run -0 tls_curl -T large "https://localhost:$tapped/put"
	assert_output "$(checksum large)"
	assert_protected
}

@test "nginx as a proxy: keeps TLS connections to its server alive" {
	needs nginx
	proxy_ports
	[ "$(id -u)" != 0 ] || user='user root;'
	cat >nginx.conf <<-END
		daemon off; ${user:-} worker_processes 1; pid $PWD/nginx.pid; error_log $PWD/nginx.log;
		events { worker_connections 256; }
		http {
			access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u;
			scgi_temp_path s; client_max_body_size 10m;
			upstream origin { server 127.0.0.1:$origin; keepalive 4; }
			server { listen 127.0.0.1:$port;
				location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; } }
		}
	END
	start_shim nginx nginx -p "$PWD" -e "$PWD/nginx.log" -c "$PWD/nginx.conf"
	server_is_up
	proxied
}

@test "haproxy: mode http with threads, and mode tcp with splicing" {
	needs haproxy
	proxy_ports
	free_port raw
	accept_tls "$raw"
	cat >haproxy.cfg <<-END
		global
			nbthread 2
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
	server_is_up
	proxied
	run -0 tls_curl "https://localhost:$raw/large" -o raw
	assert_same large raw
}

@test "varnish: a cache with thread pools answers twice what it fetched once" {
	needs varnishd
	proxy_ports
	mkdir work
	cat >backend.vcl <<-END
		vcl 4.1;
		backend default { .host = "127.0.0.1"; .port = "$origin"; }
	END
	jail=(-j none)
	start_shim varnish varnishd -F -n "$PWD/work" "${jail[@]}" -a "127.0.0.1:$port" -f "$PWD/backend.vcl" -s malloc,32m
	server_is_up
	proxied
	run -0 tls_curl "https://localhost:$tapped/page" -D headers
	assert_output "$MARKER"
	# two ids: the object came from the cache
	assert file_has headers '^[Xx]-[Vv]arnish: [0-9]+ [0-9]+'
}

@test "tinyproxy: a forward proxy that is spoken to by TLS and speaks TLS" {
	needs tinyproxy
	proxy_ports
	cat >tinyproxy.conf <<-END
		Port $port
		Listen 127.0.0.1
		Timeout 20
		MaxClients 20
		Allow 127.0.0.1
		LogFile "$PWD/tinyproxy.log"
		PidFile "$PWD/tinyproxy.pid"
	END
	start_shim tinyproxy tinyproxy -d -c "$PWD/tinyproxy.conf"
	server_is_up
	through=(--proxy "https://localhost:$tapped" --proxy-cacert "$PKI/ca.pem" --noproxy '')
	run -0 tls_curl "${through[@]}" "http://127.0.0.1:$origin/large" -o got
	assert_same large got
	run -0 tls_curl "${through[@]}" -T large "http://127.0.0.1:$origin/put"
	assert_output "$(checksum large)"
	assert_protected
}

@test "squid: a forward proxy with TLS on both legs" {
	needs squid
	proxy_ports
	mkdir -m 777 var
	cat >squid.conf <<-END
		http_port 127.0.0.1:$port
		http_access allow all
		pid_filename $PWD/var/squid.pid
		access_log none
		cache_log $PWD/var/cache.log
		cache_store_log none
		coredump_dir $PWD/var
		cache_mem 8 MB
		maximum_object_size_in_memory 4 MB
		pinger_enable off
		netdb_filename none
		visible_hostname localhost
		shutdown_lifetime 0 seconds
	END
	start_shim squid squid -N -f "$PWD/squid.conf"
	server_is_up
	through=(--proxy "https://localhost:$tapped" --proxy-cacert "$PKI/ca.pem" --noproxy '')
	for turn in 1 2; do
		run -0 tls_curl "${through[@]}" "http://127.0.0.1:$origin/large" -o "got$turn"
		assert_same large "got$turn"
	done
	run -0 tls_curl "${through[@]}" -T large "http://127.0.0.1:$origin/put"
	assert_output "$(checksum large)"
	assert_protected
}

@test "rinetd: a relay by select" {
	needs rinetd
	proxy_ports
	echo "127.0.0.1 $port 127.0.0.1 $origin" >rinetd.conf
	start_shim rinetd rinetd -f -c "$PWD/rinetd.conf"
	server_is_up
	proxied
}

@test "socat: a relay with a process for each connection" {
	proxy_ports
	start_shim socat socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" "TCP:127.0.0.1:$origin"
	server_is_up
	proxied
}

# The request process connects without blocking and passes both connections to the process that transfers.
@test "dante: a SOCKS server passes its connections from process to process, before they are connected too" {
	needs danted
	needs_root
	proxy_ports
	cat >sockd.conf <<-END
		logoutput: $PWD/sockd.log
		internal: 127.0.0.1 port = $port
		external: lo
		clientmethod: none
		socksmethod: none
		user.privileged: root
		user.unprivileged: nobody
		client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
		socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 command: connect }
	END
	start_shim danted danted -f "$PWD/sockd.conf" -p "$PWD/danted.pid"
	server_is_up
	free_port plain
	start_back "$plain" "$tapped"
	run -0 limited curl -sSf --socks5 "127.0.0.1:$plain" -Z -o 1 "http://127.0.0.1:$origin/large" \
		-o 2 "http://127.0.0.1:$origin/large" -o 3 "http://127.0.0.1:$origin/page"
	assert_same large 1
	assert_same large 2
	assert_same page 3
	run -0 limited curl -sSf --socks5 "127.0.0.1:$plain" -T large "http://127.0.0.1:$origin/put"
	assert_output "$(checksum large)"
	assert_protected
}
