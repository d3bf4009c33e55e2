#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Servers that fork: every child's connection is its own, whole, and ends with a close_notify.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
	accept_tls "$port"
}
teardown() { e2e_teardown; }

# serves STYLE COUNT: that many clients, each of which insists on a close_notify at the end.
serves() {
	start_shim server "$PROGS/fork_server" "$1" "$port"
	wait_listen "$port"
	run -0 peer calls "$port" --count "$2"
	assert_output "$2 answers of [4096] bytes"
	refute [ -s server.out ]
}

@test "a server whose parent closes and whose child serves: 1,000 connections, none truncated" { serves child 1000; }
@test "a child that ends with _exit() without closing still ends its connection cleanly" { serves _exit 100; }
@test "four preforked children that accept on one listener serve 200 connections" { serves prefork 200; }
@test "a child whose parent has gone before it serves" { serves orphan 50; }
@test "a child that is forked after the parent has read goes on with the connection" { serves early 100; }

# say_hello OPTION…: a connection of OpenSSL's client, with what it says of it.
say_hello() {
	(echo hello && sleep 0.2) | limited openssl s_client -connect "127.0.0.1:$port" -CAfile "$PKI/ca.pem" "$@" 2>&1
}
# count_resumed OPTION…: of 12 connections made with the session of one before them, how many were resumed.
count_resumed() {
	local n=0 turn
	rm -f session
	say_hello "$@" -sess_out session >first.log
	for turn in {1..12}; do
		n=$((n + $(say_hello "$@" -sess_in session | grep -c "^Reused")))
	done
	echo "$n"
}

@test "what one worker began, any other resumes: by ticket, and by session id" {
	start_shim server "$PROGS/fork_server" prefork "$port"
	wait_listen "$port"
	assert_equal "$(count_resumed -tls1_3)" 12
	assert_equal "$(count_resumed -tls1_2)" 12
	assert_equal "$(count_resumed -tls1_2 -no_ticket)" 12
}

@test "OpenSSL and GnuTLS both see a clean end of a child's 100 kB answer" {
	start_shim server "$PROGS/fork_server" child "$port" 100000
	wait_listen "$port"
	for turn in {1..10}; do
		s_client "$port" <<<hello >got
		assert_equal "$(stat -c %s got)" 100000
		gnutls "$port" <<<hello >got
		assert_equal "$(stat -c %s got)" 100000
	done
	refute grep -q 'unexpected eof' s_client.log
	refute grep -qi 'fatal' gnutls.log
}

@test "child and parent share a connection: one reads, the other writes" {
	start_shim server "$PROGS/fork_server" shared "$port"
	wait_listen "$port"
	for i in {1..500}; do echo "line $i"; done >lines
	run -0 gnutls "$port" <lines
	assert_equal "$(grep -cE '^[0-9]+ line [0-9]+$' <<<"$output")" 500
	assert_equal "$(sed -n 's/^[0-9]* line /line /p' <<<"$output")" "$(cat lines)"
}

@test "20 clients at once keep a forking server's children apart" {
	start_shim socat socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" EXEC:cat
	wait_listen "$port"
	run -0 peer many "$port" --count 20 --big 50000
	assert_output --partial '20 connections'
}

@test "a Python server that forks serves 50 clients" {
	start_shim server "$PYTHON" -c "
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline() * 1000)
class Server(socketserver.ForkingTCPServer):
    allow_reuse_address = True
    request_queue_size = 64
Server(('127.0.0.1', $port), Echo).serve_forever()"
	wait_listen "$port"
	run -0 peer calls "$port" --count 50
	assert_output '50 answers of [6000] bytes'
}

@test "a client that forks: parent and child write to the connection in turn" {
	free_port port
	: >"$POLICY"
	connect_tls "$port"
	start_peer sink sink "$port"
	run -0 shim "$PYTHON" -c "
import os, socket
s = socket.create_connection(('127.0.0.1', $port))
for turn in range(20):
    pid = os.fork()
    if pid == 0:
        s.sendall(b'child\n')
        os._exit(0)
    os.waitpid(pid, 0)
    s.sendall(b'parent\n')
s.shutdown(socket.SHUT_WR)
print(s.makefile().read())"
	assert_line --regexp "clean $((20 * 13)) $(for i in {1..20}; do printf 'child\nparent\n'; done | sha256sum | cut -d' ' -f1)"
}

@test "a socket that a child connects is protected in its parent, which made it before the fork" {
	free_port port nobody
	: >"$POLICY"
	connect_tls "$port"
	connect_tls "$nobody"
	start_peer sink sink "$port"
	for wait in 'os.waitpid(pid, 0)' 'ready.read(1)' 'ready.read(1); select.select([s], [s], [])'; do
		run -0 shim "$PYTHON" -c "
import os, select, socket
s, (get, put) = socket.socket(), os.pipe()
ready = os.fdopen(get, 'rb')
pid = os.fork()
if pid == 0:
    assert s.connect_ex(('127.0.0.1', $nobody)) != 0
    s.connect(('127.0.0.1', $port))
    os.write(put, b'x')
    os._exit(0)
$wait
s.sendall(b'$MARKER')
s.shutdown(socket.SHUT_WR)
print(s.makefile().read())"
		assert_line --regexp "clean ${#MARKER} $(printf %s "$MARKER" | sha256sum | cut -d' ' -f1)"
	done
}

@test "a duplicate from before connect() is protected like the descriptor that was connected" {
	free_port port
	: >"$POLICY"
	connect_tls "$port"
	start_peer sink sink "$port"
	run -0 shim "$PYTHON" -c "
import os, socket
s = socket.socket()
t, f = s.dup(), os.fdopen(os.dup2(s.fileno(), 60), 'wb', buffering=0)
s.connect(('127.0.0.1', $port))
s.close()
f.write(b'$MARKER')
f.close()
t.shutdown(socket.SHUT_WR)
print(t.makefile().read())"
	assert_line --regexp "clean ${#MARKER} $(printf %s "$MARKER" | sha256sum | cut -d' ' -f1)"
}

@test "a connection that a child makes and passes to its parent is protected there" {
	free_port port
	: >"$POLICY"
	connect_tls "$port"
	start_peer sink sink "$port"
	for kind in STREAM DGRAM; do
		run -0 shim "$PYTHON" -c "
import os, socket
here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_$kind)
pid = os.fork()
if pid == 0:
    c = socket.create_connection(('127.0.0.1', $port))
    socket.send_fds(there, [b'x'], [c.fileno()])
    os._exit(0)
there.close()
s = socket.socket(fileno=socket.recv_fds(here, 1, 1)[1][0])
os.waitpid(pid, 0)
s.sendall(b'$MARKER')
s.shutdown(socket.SHUT_WR)
print(s.makefile().read())"
		assert_line --regexp "clean ${#MARKER} $(printf %s "$MARKER" | sha256sum | cut -d' ' -f1)"
	done
}

@test "a connection on a socket from before the fork ends cleanly, whoever has it last" {
	free_port port
	: >"$POLICY"
	connect_tls "$port"
	start_peer sink sink "$port"
	for parent in 's.close(); put.close(); os.waitpid(pid, 0)' 'put.close(); os.waitpid(pid, 0)' 'os._exit(0)'; do
		run -0 shim "$PYTHON" -c "
import os, socket
s, (get, put) = socket.socket(), os.pipe()
get, put = os.fdopen(get, 'rb'), os.fdopen(put, 'wb')
pid = os.fork()
if pid == 0:
    put.close()
    get.read()
    s.connect(('127.0.0.1', $port))
    s.sendall(b'hello')
    os._exit(0)
$parent"
	done
	until_true 10 eval '[ "$(grep -c "clean 5" sink.out)" = 3 ]'
	refute file_has sink.out truncated
}

@test "system() and subprocess with an open connection leave it alone" {
	free_port port
	: >"$POLICY"
	connect_tls "$port"
	start_peer echo echo "$port"
	run -0 shim "$PYTHON" -c "
import os, socket, subprocess
s = socket.create_connection(('127.0.0.1', $port))
f = s.makefile('rw')
for turn in range(5):
    f.write('$MARKER %d\n' % turn); f.flush()
    os.system('echo sh')
    subprocess.run(['echo', 'spawned'], check=True, close_fds=True)
    subprocess.run(['env', '-i', 'echo', 'bare'], check=True, env={})
    print(f.readline(), end='')"
	assert_equal "$(grep -c "$MARKER" <<<"$output")" 5
	assert_equal "$(grep -cE '^(sh|spawned|bare)$' <<<"$output")" 15
}

@test "what a vfork child writes to the connection before exec does not leave in clear" {
	free_port port
	free_port tapped
	: >"$POLICY"
	connect_tls "$tapped"
	start_peer sink sink "$port"
	start_tap "$tapped" "$port"
	run -0 shim "$PROGS/vfork_write" "$tapped" "$MARKER"
	assert_output --regexp '^child wrote (-1|[1-9][0-9]*)$'
	wait_text sink.out ' clean '
	assert_protected
}
