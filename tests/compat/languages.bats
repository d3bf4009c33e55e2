#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 900
#
# The runtimes of languages: each has a way of its own to the socket. A server sends back what comes, a client sends a
# file, half-closes and reads until the end (programs/).

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	e2e_setup_file
	export PROGRAMS=$BATS_TEST_DIRNAME/programs
}
setup() {
	e2e_setup
	open_folder
	export HOME=$PWD
	random_file up 700000
	echo "$MARKER" >text
}
teardown() { e2e_teardown; }

# echoes_by COMMAND…: PORT stands for the port that it serves.
echoes_by() {
	server_ports
	start_shim server "${@//PORT/$port}"
	server_is_up
	duplex "$tapped" <up >got
	assert_same up got
	duplex "$tapped" <text >got
	assert_same text got
	run -0 peer many "$tapped" --count 10 --big 30000
	assert_protected
}

# calls_by COMMAND…: PORT stands for the port that it connects to; standard input goes there, what comes goes to
# standard output.
calls_by() {
	client_ports
	start_peer echo echo "$port"
	start_tap "$tapped" "$port"
	shim "${@//PORT/$tapped}" <up >got
	assert_same up got
	shim "${@//PORT/$tapped}" <text >got
	assert_same text got
	assert_protected
}

# serves_web_by COMMAND…: the folder's files by http.
serves_web_by() {
	server_ports
	start_shim server "${@//PORT/$port}"
	server_is_up
	run -0 tls_curl -o got "https://localhost:$tapped/up" -o got.text "https://localhost:$tapped/text"
	assert_same up got
	assert_same text got.text
	assert_protected
}

@test "Python socket: a server with threads" { echoes_by "$PYTHON" "$PROGRAMS/echo.py" threads PORT; }
@test "Python select: a server with a selector and sockets that do not block" { echoes_by "$PYTHON" "$PROGRAMS/echo.py" selector PORT; }
@test "Python socketserver: a process for each connection" { echoes_by "$PYTHON" "$PROGRAMS/echo.py" forking PORT; }
@test "Python asyncio: a server with streams" { echoes_by "$PYTHON" "$PROGRAMS/echo.py" asyncio PORT; }
@test "Python socket client: makefile, sendfile and shutdown" { calls_by "$PYTHON" "$PROGRAMS/call.py" socket PORT; }
@test "Python asyncio client: a transport with write_eof" { calls_by "$PYTHON" "$PROGRAMS/call.py" asyncio PORT; }
@test "Python http.server: serves a folder" { serves_web_by "$PYTHON" -m http.server --bind 127.0.0.1 PORT; }
@test "Twisted: a reactor with epoll" {
	local python
	python=$(for p in /usr/bin/python3 "$PYTHON"; do "$p" -c 'import twisted' 2>/dev/null && echo "$p" && break; done) || true
	[ -n "$python" ] || skip "no twisted"
	echoes_by "$python" "$PROGRAMS/echo.py" twisted PORT
}

@test "Perl: a server that forks" { needs perl && echoes_by perl "$PROGRAMS/echo.pl" PORT; }
@test "Perl client: IO::Socket with select" { needs perl && calls_by perl "$PROGRAMS/call.pl" PORT; }

@test "Ruby: a server with threads" { needs ruby && echoes_by ruby "$PROGRAMS/echo.rb" PORT; }
@test "Ruby client: TCPSocket with IO.copy_stream" { needs ruby && calls_by ruby "$PROGRAMS/call.rb" PORT; }
@test "Ruby WEBrick: serves a folder" {
	needs ruby
	ruby -e 'require "webrick"' 2>/dev/null || skip "no webrick"
	serves_web_by ruby -run -e httpd -- -b 127.0.0.1 -p PORT .
}

@test "PHP: a server with stream_select" { needs php && echoes_by php "$PROGRAMS/echo.php" PORT; }
@test "PHP client: stream_socket_client" { needs php && calls_by php "$PROGRAMS/call.php" PORT; }
@test "PHP web server: php -S" { needs php && serves_web_by php -S 127.0.0.1:PORT; }

@test "Node: a server with pipes" { needs node && echoes_by node "$PROGRAMS/echo.js" PORT; }
@test "Node client: net.connect with half-open streams" { needs node && calls_by node "$PROGRAMS/call.js" PORT; }

compile_java() {
	needs java javac
	javac -J-XX:+UseSerialGC -d "$PWD" "$PROGRAMS/$1.java"
}
java_run=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto)
@test "Java NIO: a selector and channels" { compile_java Echo && echoes_by "${java_run[@]}" Echo PORT; }
@test "Java client: a blocking Socket, reads and writes in two threads" { compile_java Call && calls_by "${java_run[@]}" Call PORT; }

@test "Tcl: a server with fileevent and fcopy" { needs tclsh && echoes_by tclsh "$PROGRAMS/echo.tcl" PORT; }
@test "Tcl client: socket and a half-close" { needs tclsh && calls_by tclsh "$PROGRAMS/call.tcl" PORT; }

@test "Erlang: a server by gen_tcp" { needs escript && echoes_by escript "$PROGRAMS/echo.erl" PORT; }
@test "Erlang client: gen_tcp with active once" { needs escript && calls_by escript "$PROGRAMS/call.erl" PORT; }

# What is called lua may be another program that speaks the language.
find_lua() {
	for lua in lua5.4 lua5.3 lua; do
		! "$lua" -e 'require "socket"' 2>/dev/null || return 0
	done
	skip "no Lua with LuaSocket"
}

@test "Lua: a server and its client by LuaSocket" {
	find_lua
	echoes_by "$lua" "$PROGRAMS/echo.lua" PORT
}
@test "Lua client: LuaSocket" {
	find_lua
	calls_by "$lua" "$PROGRAMS/call.lua" PORT
}

@test "Guile: a server with ports" { needs guile && echoes_by guile --no-auto-compile "$PROGRAMS/echo.scm" PORT; }
@test "Guile client: a socket port" { needs guile && calls_by guile --no-auto-compile "$PROGRAMS/call.scm" PORT; }
