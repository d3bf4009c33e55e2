#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
#
# Web servers: event loops, thread pools, processes, and servers that are started for each connection.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load lib

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	open_folder
	mkdir site
	echo "$MARKER" >site/page
	random_file site/large 3000000
}
teardown() { e2e_teardown; }

# Both files, twice on one connection each, come whole to curl; the wire is TLS.
fetched_whole() { # [PATH-PREFIX]
	run -0 tls_curl "https://localhost:$tapped/${1:-}page" -o got.page "https://localhost:$tapped/${1:-}large" -o got.large
	assert_same site/page got.page
	assert_same site/large got.large
	run -0 limited wget -q --ca-certificate "$PKI/ca.pem" -O again "https://localhost:$tapped/${1:-}large"
	assert_same site/large again
	assert_protected
}

@test "nginx: as a daemon with two workers that serve, take uploads and are reloaded" {
	needs nginx
	server_ports
	[ "$(id -u)" != 0 ] || user='user root;'
	cat >nginx.conf <<-END
		${user:-} worker_processes 2; pid $PWD/nginx.pid; error_log $PWD/nginx.log;
		events { worker_connections 256; }
		http {
			access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u;
			scgi_temp_path s; sendfile on; dav_methods PUT;
			server { listen 127.0.0.1:$port; root $PWD/site; client_max_body_size 10m; }
		}
	END
	run -0 shim nginx -p "$PWD" -e "$PWD/nginx.log" -c "$PWD/nginx.conf"
	server_is_up
	fetched_whole
	run -0 tls_curl -T site/large "https://localhost:$tapped/put"
	assert_same site/large site/put
	kill -HUP "$(cat nginx.pid)"
	run -0 tls_curl "https://localhost:$tapped/page"
	assert_output "$MARKER"
	pid=$(cat nginx.pid)
	kill "$pid"
	until_true 10 is_gone "$pid"
}

# apache MPM: starts it on $port.
start_apache() {
	local modules=/usr/lib/apache2/modules
	cat >apache.conf <<-END
		ServerName localhost
		ServerRoot $PWD
		PidFile $PWD/apache.pid
		ErrorLog $PWD/apache.log
		DefaultRuntimeDir $PWD
		LoadModule mpm_$1_module $modules/mod_mpm_$1.so
		LoadModule authz_core_module $modules/mod_authz_core.so
		LoadModule alias_module $modules/mod_alias.so
		LoadModule mime_module $modules/mod_mime.so
		LoadModule cgid_module $modules/mod_cgid.so
		TypesConfig /dev/null
		ScriptSock $PWD/cgi.sock
		Listen 127.0.0.1:$port
		DocumentRoot $PWD/site
		ScriptAlias /cgi/ $PWD/cgi/
		StartServers 2
	END
	[ "$(id -u)" != 0 ] || printf 'User www-data\nGroup www-data\n' >>apache.conf
	mkdir -p cgi
	printf '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n"; sha256sum\n' >cgi/sum
	chmod 755 cgi/sum
	start_shim apache apache2 -d "$PWD" -f "$PWD/apache.conf" -D FOREGROUND
}

@test "Apache event: serves files and runs a CGI program that reads a POST" {
	needs apache2
	server_ports
	start_apache event
	server_is_up
	fetched_whole
	run -0 tls_curl --data-binary @site/large "https://localhost:$tapped/cgi/sum"
	assert_output --partial "$(checksum site/large)"
	run -0 limited ab -q -n 200 -c 20 -k -f TLS1.3 "https://127.0.0.1:$tapped/page"
	assert_line --regexp '^Complete requests: +200$'
	assert_line --regexp '^Failed requests: +0$'
}

@test "Apache prefork: processes that accept in turn serve 200 requests" {
	needs apache2 ab
	server_ports
	start_apache prefork
	server_is_up
	fetched_whole
	run -0 limited ab -q -n 200 -c 10 -f TLS1.3 "https://127.0.0.1:$tapped/page"
	assert_line --regexp '^Complete requests: +200$'
	assert_line --regexp '^Failed requests: +0$'
}

@test "lighttpd: serves files, and a CGI program's output" {
	needs lighttpd
	server_ports
	mkdir site/cgi
	printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"; sha256sum\n' >site/cgi/sum
	chmod 755 site/cgi/sum
	cat >lighttpd.conf <<-END
		server.document-root = "$PWD/site"
		server.bind = "127.0.0.1"
		server.port = $port
		server.errorlog = "$PWD/lighttpd.log"
		server.modules = ( "mod_cgi" )
		cgi.assign = ( "/cgi/sum" => "" )
	END
	start_shim lighttpd lighttpd -D -f "$PWD/lighttpd.conf"
	server_is_up
	fetched_whole
	run -0 tls_curl --data-binary @site/large "https://localhost:$tapped/cgi/sum"
	assert_output --partial "$(checksum site/large)"
}

@test "mini-httpd: a process for each connection" {
	needs mini_httpd
	server_ports 'truncation ignore'
	user=()
	[ "$(id -u)" != 0 ] || user=(-u root)
	start_shim mini mini_httpd -D -h 127.0.0.1 -p "$port" -d "$PWD/site" -i "$PWD/pid" "${user[@]}"
	server_is_up
	fetched_whole
}

# The service that is started for each connection.
micro_service() { printf '%s\n' "$(command -v micro-httpd || command -v micro_httpd)"; }

@test "micro-httpd by inetd: inherits its connection as standard input and output" {
	needs inetd micro-httpd
	[ "$(readlink -f "$(command -v inetd)")" != "$(readlink -f "$(command -v xinetd)")" ] || skip "only xinetd is installed"
	server_ports
	echo "127.0.0.1:$port stream tcp nowait $(id -un) $(micro_service) micro-httpd $PWD/site" >inetd.conf
	start_shim inetd inetd -i "$PWD/inetd.conf"
	server_is_up
	fetched_whole
}

@test "micro-httpd by xinetd: inherits its connection as standard input and output" {
	needs xinetd micro-httpd
	server_ports
	cat >xinetd.conf <<-END
		service web
		{
			type = UNLISTED
			socket_type = stream
			protocol = tcp
			wait = no
			bind = 127.0.0.1
			port = $port
			user = $(id -un)
			server = $(micro_service)
			server_args = $PWD/site
			instances = 20
			cps = 1000 1
		}
	END
	start_shim xinetd xinetd -dontfork -f "$PWD/xinetd.conf" -pidfile "$PWD/xinetd.pid" -filelog "$PWD/xinetd.log"
	server_is_up
	fetched_whole
}

@test "tcpserver: execs a web server with the connection for each client" {
	needs tcpserver micro-httpd
	server_ports
	start_shim tcpserver tcpserver -H -R -l 0 127.0.0.1 "$port" micro-httpd "$PWD/site"
	server_is_up
	fetched_whole
}

@test "systemd-socket-activate: passes an accepted connection, or its listener, to what it starts" {
	needs systemd-socket-activate micro-httpd
	server_ports
	start_shim activate systemd-socket-activate -E LD_PRELOAD -E TLSHIM_POLICY -l "127.0.0.1:$port" \
		--accept --inetd micro-httpd "$PWD/site"
	server_is_up
	fetched_whole
}

@test "uwsgi: an application of two processes reads a POST and answers with its checksum" {
	needs uwsgi_python3
	server_ports
	cat >app.py <<-'END'
		import hashlib
		def application(environment, start_response):
		    body = environment["wsgi.input"].read()
		    start_response("200 OK", [("Content-Type", "text/plain")])
		    return [hashlib.sha256(body).hexdigest().encode()]
	END
	user=()
	start_shim uwsgi uwsgi_python3 --http-socket "127.0.0.1:$port" --wsgi-file app.py --master --processes 2 \
		--need-app --die-on-term
	server_is_up
	for _ in 1 2 3; do
		run -0 tls_curl --data-binary @site/large "https://localhost:$tapped/"
		assert_output "$(checksum site/large)"
	done
	assert_protected
}

@test "twiggy: AnyEvent's loop streams a body back" {
	needs twiggy
	server_ports
	cat >app.psgi <<-'END'
		sub {
			my $env = shift; my $body = '';
			while ($env->{'psgi.input'}->read(my $part, 65536)) { $body .= $part }
			return [200, ['Content-Type' => 'application/octet-stream'], [$body]];
		}
	END
	start_shim twiggy twiggy --listen "127.0.0.1:$port" app.psgi
	server_is_up
	run -0 tls_curl --data-binary @site/large "https://localhost:$tapped/" -o got
	assert_same site/large got
	assert_protected
}

@test "gunicorn: processes with gevent's loop take an upload and answer with its checksum" {
	needs gunicorn
	server_ports
	cat >app.py <<-'END'
		import hashlib
		def application(environment, start_response):
		    body = environment["wsgi.input"].read()
		    start_response("200 OK", [("Content-Type", "text/plain")])
		    return [hashlib.sha256(body).hexdigest().encode()]
	END
	start_shim gunicorn gunicorn -k gevent -w 2 -b "127.0.0.1:$port" app:application
	server_is_up
	for _ in 1 2 3; do
		run -0 tls_curl --data-binary @site/large "https://localhost:$tapped/"
		assert_output "$(checksum site/large)"
	done
	assert_protected
}

@test "puma: a cluster of processes with threads serves files" {
	needs puma
	server_ports
	cat >config.ru <<-END
		run lambda { |env| [200, {}, [File.binread('$PWD/site' + env['PATH_INFO'])]] }
	END
	start_shim puma puma -b "tcp://127.0.0.1:$port" -w 2 -t 2:2 config.ru
	server_is_up
	fetched_whole
}

@test "Node cluster: a process accepts and passes connections to two others" {
	needs node
	server_ports
	cat >cluster.js <<-'END'
		const cluster = require('cluster'), http = require('http'), fs = require('fs');
		if (cluster.isPrimary) {
			cluster.fork(); cluster.fork();
		} else {
			http.createServer((request, response) => response.end(fs.readFileSync('site' + request.url)))
				.listen(+process.argv[2], '127.0.0.1');
		}
	END
	start_shim cluster node cluster.js "$port"
	server_is_up
	fetched_whole
}

@test "nghttpd: HTTP/2 in many streams" {
	needs nghttpd h2load
	server_ports "alpn h2"
	start_shim nghttpd nghttpd --no-tls -a 127.0.0.1 -d "$PWD/site" "$port"
	server_is_up
	run -0 tls_curl --http2 "https://localhost:$tapped/page" -o got.page "https://localhost:$tapped/large" -o got.large
	assert_same site/page got.page
	assert_same site/large got.large
	run -0 limited h2load -n 60 -c 6 -m 10 "https://127.0.0.1:$tapped/large"
	assert_output --partial "60 succeeded"
	assert_protected
}
