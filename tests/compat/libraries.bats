#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
#
# Event libraries, by small programs that are compiled against the distribution's (programs/). A server sends back what
# comes, a client sends a file, half-closes and reads until the end.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	e2e_setup_file
	export PROGRAMS=$BATS_TEST_DIRNAME/programs
}
setup() {
	e2e_setup
	random_file up 700000
	echo "$MARKER" >text
}
teardown() { e2e_teardown; }

# compile LIBRARY HEADER [OPTION…]: makes ./LIBRARY of programs/LIBRARY.c, if the header is there.
compile() {
	needs cc
	echo "#include <$2>" | cc "${@:3}" -E - >/dev/null 2>&1 || skip "no $2"
	cc -O1 -D_GNU_SOURCE -o "$1" "$PROGRAMS/$1.c" "${@:3}"
}

# echoes_by COMMAND…: PORT stands for the port that it serves.
echoes_by() {
	server_ports
	start_shim server "${@//PORT/$port}"
	server_is_up
	duplex "$tapped" <up >got
	assert_same up got
	run -0 peer many "$tapped" --count 10 --big 30000
	assert_protected
	stop server
	stop tap
	rm -rf tap
}

calls_by() {
	client_ports
	start_peer echo echo "$port"
	start_tap "$tapped" "$port"
	shim "${@//PORT/$tapped}" <up >got
	assert_same up got
	shim "${@//PORT/$tapped}" <text >got
	assert_same text got
	assert_protected
	stop echo
	stop tap
	rm -rf tap
}

@test "libevent: a server of bufferevents, with epoll, its change list and edges, poll and select" {
	compile libevent event2/event.h -levent
	for method in epoll changelist et poll select; do
		echoes_by ./libevent serve PORT "$method"
	done
}
@test "libevent client: a bufferevent that connects, with epoll, its change list, and select" {
	compile libevent event2/event.h -levent
	for method in epoll changelist select; do
		calls_by ./libevent call PORT "$method"
	done
}

@test "libev: a server with epoll and select, and in a child that has inherited its loop" {
	compile libev ev.h -lev
	for method in epoll select; do
		echoes_by ./libev serve PORT "$method"
	done
	echoes_by ./libev fork PORT epoll
}
@test "libev client: a connect that does not block, with epoll and select" {
	compile libev ev.h -lev
	for method in epoll select; do
		calls_by ./libev call PORT "$method"
	done
}

@test "libuv: a server that tries to write at once" {
	compile libuv uv.h -luv
	echoes_by ./libuv serve PORT
}
@test "libuv pass: connections go over a pipe to a child that serves them" {
	compile libuv uv.h -luv
	echoes_by ./libuv pass PORT
}
@test "libuv client: connect, write and shutdown requests" {
	compile libuv uv.h -luv
	calls_by ./libuv call PORT
}

compile_glib() {
	local flags
	needs pkg-config
	read -ra flags < <(pkg-config --cflags --libs gio-2.0 2>/dev/null) || skip "no GLib"
	compile glib gio/gio.h "${flags[@]}"
}
@test "GLib: GSocketService with splices, and with threads" {
	compile_glib
	echoes_by ./glib serve PORT
	echoes_by ./glib threads PORT
}
@test "GLib client: GSocketClient" {
	compile_glib
	calls_by ./glib call PORT
}
