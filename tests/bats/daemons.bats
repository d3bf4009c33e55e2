#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Servers that turn into daemons, drop root, and make their epoll sets before or after it; sockets that several
# processes share.

# shellcheck disable=SC2154 # variables that free_port and start set
bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port
}
teardown() {
	[ ! -s pid ] || kill "$(cat pid)" 2>/dev/null || true
	e2e_teardown
}

# A server in Python: daemon WAY EPOLL. It listens as root, leaves its parents, and serves as nobody. WAY is how it turns
# into a daemon, EPOLL whether it makes the epoll set "before" that, and again after it as libev does, or only "after".
server_source() {
	cat <<-'END'
		import ctypes, os, select, socket, sys
		way, when, port = sys.argv[1], sys.argv[2], int(sys.argv[3])

		def leave():
		    if os.fork():
		        os._exit(0)

		def new_set(listener, connections):
		    poll = select.epoll()
		    for each in (listener, *connections.values()):
		        poll.register(each, select.EPOLLIN | select.EPOLLET)
		    return poll

		listener = socket.create_server(("127.0.0.1", port), backlog=64)
		listener.setblocking(False)
		connections = {}
		poll = new_set(listener, connections) if when == "before" else None
		if way == "daemon":
		    assert ctypes.CDLL(None).daemon(1, 0) == 0
		elif way == "double":
		    leave()
		    os.setsid()
		    leave()
		elif way == "closing":
		    leave()
		    os.setsid()
		    os.dup2(listener.fileno(), 3)
		    listener.detach()
		    os.closerange(4, 1024)
		    os.closerange(0, 3)
		    null = os.open("/dev/null", os.O_RDWR)
		    os.dup2(null, 1)
		    os.dup2(null, 2)
		    listener = socket.socket(fileno=3)
		    listener.setblocking(False)
		    poll = None
		with open("pid", "w") as file:
		    file.write(str(os.getpid()))
		if os.getuid() == 0:
		    os.setgroups([])
		    os.setgid(65534)
		    os.setuid(65534)
		if poll:
		    poll.close()
		poll = new_set(listener, connections)
		while True:
		    for number, event in poll.poll():
		        if number == listener.fileno():
		            while True:
		                try:
		                    connection = listener.accept()[0]
		                except BlockingIOError:
		                    break
		                connection.setblocking(False)
		                connections[connection.fileno()] = connection
		                poll.register(connection, select.EPOLLIN | select.EPOLLET)
		            continue
		        try:
		            while data := connections[number].recv(4096):
		                connections[number].send(data)
		        except BlockingIOError:
		            continue
		        except OSError:
		            pass
		        connections.pop(number).close()
	END
}

# Root's key, which nobody else can read.
accept_tls_of_root() {
	install -m 600 "$PKI/server.key" root.key
	accept_rule "$port" "certificate $PKI/server.pem" "key $PWD/root.key"
	chmod 755 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" 2>/dev/null || true
}

@test "servers that turn into daemons in whatever way and drop root serve 40 clients, epoll sets made before or after" {
	accept_tls_of_root
	server_source >server.py
	for way in daemon double closing; do
		for when in before after; do
			shim "$PYTHON" server.py "$way" "$when" "$port" 3>&-
			until_true 10 test -s pid
			wait_listen "$port"
			run -0 peer many "$port" --count 40 --big 50000
			assert_output --partial '40 connections'
			run -0 gnutls "$port" <<<"$MARKER"
			assert_output --partial "$MARKER"
			kill "$(cat pid)"
			until_true 5 is_gone "$(cat pid)"
			rm pid
		done
	done
}

@test "a parent that goes on beside its child, both with the same epoll set's connections, does not disturb it" {
	accept_tls "$port"
	start_shim server "$PYTHON" -c "
import os, select, socket, time
listener = socket.create_server(('127.0.0.1', $port))
connection = listener.accept()[0]
poll = select.epoll()
poll.register(connection, select.EPOLLIN)
poll.poll()
if os.fork():
    connection.close() # it stays in the set, which the child shares, and goes on to be reported here
    for turn in range(20):
        poll.poll(0.05)
    os.wait()
else:
    poll.close()
    own = select.epoll()
    own.register(connection, select.EPOLLIN)
    while own.poll():
        data = connection.recv(100)
        if not data:
            break
        connection.sendall(b'child ' + data)
    connection.close()"
	wait_listen "$port"
	(echo one && sleep 0.7 && echo two && sleep 0.3) | gnutls "$port" >answers
	assert file_has answers '^child one$'
	assert file_has answers '^child two$'
	wait_exit server
	assert_equal "$status" 0
}

@test "two processes with SO_REUSEPORT, and four that wait with EPOLLEXCLUSIVE, serve 100 clients" {
	accept_tls "$port"
	cat >server.py <<-END
		import os, select, socket, sys
		listener = socket.socket()
		listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
		listener.bind(("127.0.0.1", $port))
		listener.listen(128)
		listener.setblocking(False)
		if sys.argv[1] == "exclusive":
		    for child in range(3):
		        if os.fork() == 0:
		            break
		poll = select.epoll()
		poll.register(listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
		while True:
		    poll.poll()
		    try:
		        connection = listener.accept()[0]
		    except BlockingIOError:
		        continue
		    connection.setblocking(True)
		    connection.recv(100)
		    connection.sendall(b"x" * 5000)
		    connection.close()
	END
	start_shim first "$PYTHON" server.py reuse
	start_shim second "$PYTHON" server.py reuse
	has_both() { [ "$(awk -v end="$(printf ':%04X' "$port")" '$4 == "0A" && $2 ~ end "$"' /proc/net/tcp | wc -l)" = 2 ]; }
	until_true 10 has_both
	run -0 peer calls "$port" --count 100
	assert_output '100 answers of [5000] bytes'
	stop first
	stop second
	start_shim exclusive "$PYTHON" server.py exclusive
	wait_listen "$port"
	run -0 peer calls "$port" --count 100
	assert_output '100 answers of [5000] bytes'
}

@test "a listener for IPv6 and IPv4 serves both, and its clients' addresses are their own" {
	accept_tls "$port"
	start_shim server "$PYTHON" -c "
import socket
listener = socket.create_server(('', $port), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    connection, peer = listener.accept()
    connection.recv(100)
    connection.sendall((peer[0] + ' ' + connection.getsockname()[0] + '\n').encode())
    connection.close()"
	wait_listen "$port"
	run -0 s_client "$port" <<<hello
	assert_output "::ffff:127.0.0.1 ::ffff:127.0.0.1"
	run -0 limited openssl s_client -connect "[::1]:$port" -CAfile "$PKI/ca.pem" -verify_return_error -quiet <<<hello
	assert_line "::1 ::1"
}

@test "a client's child reads while its parent writes, and the other way round" {
	connect_tls "$port"
	start_peer echo echo "$port"
	for reader in 0 1; do
		run -0 shim "$PYTHON" -c "
import os, socket, sys
s = socket.create_connection(('127.0.0.1', $port))
text = b''.join(b'line %d\n' % n for n in range(30000))
pid = os.fork()
if (pid == 0) == ($reader == 0):
    got = b''
    while data := s.recv(65536):
        got += data
    ok = got == text
else:
    s.sendall(text)
    s.shutdown(socket.SHUT_WR)
    ok = True
if pid == 0:
    os._exit(0 if ok else 1)
sys.exit(0 if ok and os.wait()[1] == 0 else 1)"
	done
}
