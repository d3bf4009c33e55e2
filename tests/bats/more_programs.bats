#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Habits of servers that were met in the wild, each in a few lines of Python.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() { e2e_setup; }
teardown() { e2e_teardown; }

# The program's key is for root's eyes alone, as it should be.
accept_tls_of_root() {
	install -m 600 "$PKI/server.key" root.key
	accept_rule "$1" "certificate $PKI/server.pem" "key $PWD/root.key"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" 2>/dev/null || true
}

@test "a server that is given its listener by exec and then drops root can still use the key" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	free_port port
	accept_tls_of_root "$port"
	for drop in 'setuid(65534)' 'setreuid(65534, 65534)' 'setresuid(65534, 65534, 65534)' 'seteuid(65534)'; do
		cat >server.py <<-END
			import os, socket
			listener = socket.socket(fileno=9)
			os.$drop
			connection, _ = listener.accept()
			connection.sendall(connection.recv(100))
			connection.close()
		END
		cat >activate.py <<-END
			import os, socket, sys
			listener = socket.socket()
			listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
			listener.bind(("127.0.0.1", $port))
			listener.listen()
			os.dup2(listener.fileno(), 9)
			os.execvp(sys.argv[1], sys.argv[1:])
		END
		start server "$PYTHON" activate.py "$TLSHIM" run --policy "$POLICY" -- "$PYTHON" server.py
		wait_listen "$port"
		run -0 s_client "$port" <<<"$MARKER"
		assert_output "$MARKER"
		wait_exit server
		assert_equal "$status" 0
	done
}

@test "a server that drops root or changes its root directory before it binds can still use the key" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	free_port port
	accept_tls_of_root "$port"
	mkdir empty
	for drop in 'setuid(65534)' 'chroot("empty")'; do
		cat >server.py <<-END
			import os, socket
			os.$drop
			listener = socket.socket()
			listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
			listener.bind(("127.0.0.1", $port))
			listener.listen()
			connection, _ = listener.accept()
			connection.sendall(connection.recv(100))
			connection.close()
		END
		start_shim server "$PYTHON" server.py
		wait_listen "$port"
		run -0 s_client "$port" <<<"$MARKER"
		assert_output "$MARKER"
		wait_exit server
		assert_equal "$status" 0
	done
}

@test "a client that drops root or changes its root directory before it connects still knows whom to trust" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	free_port port
	install -m 0600 "$PKI/ca.pem" ca.pem
	connect_rule "$port" "trust $PWD/ca.pem" "server-name localhost"
	start_peer peer echo "$port"
	mkdir empty
	for drop in 'setuid(65534)' 'chroot("empty")'; do
		cat >client.py <<-END
			import os, socket
			os.$drop
			connection = socket.socket()
			connection.connect(("127.0.0.1", $port))
			connection.sendall(b"words")
			print(connection.recv(100))
		END
		run -0 shim "$PYTHON" client.py
		assert_output "b'words'"
	done
}
