#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A program that cannot load the shim gets a relay for the TLS connection that is to be its standard input or output.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() {
	e2e_setup_file
	CHILD=$BATS_FILE_TMPDIR/child
	export CHILD
	gcc -std=gnu11 -D_GNU_SOURCE -static -O1 -o "$CHILD" "$BATS_TEST_DIRNAME/../progs/relay_child.c" 2>/dev/null || true
}
setup() {
	e2e_setup
	[ -x "$CHILD" ] || skip "this system cannot link static programs"
	free_port port tapped
	accept_tls "$port"
	export TLSHIM_LOG=info TLSHIM_LOG_FILE=$PWD/log
	: >log
}
teardown() {
	e2e_teardown
	[ -z "${DIR:-}" ] || rm -rf "$DIR"
}

# serve HOW ARG…: a server that gives each connection to a static child by HOW.
serve() {
	start_shim server "$PYTHON" "$LIB/relay_parent.py" listen "$port" "$1" "$CHILD" "${@:2}"
	wait_listen "$port"
}
inetd_like() {
	if command -v tcpserver >/dev/null; then
		start_shim server tcpserver -R -H -l 0 -c 100 127.0.0.1 "$port" "$CHILD" "$@"
	else
		start_shim server socat "TCP-LISTEN:$port,fork,reuseaddr,bind=127.0.0.1" "EXEC:$CHILD $*,nofork"
	fi
	wait_listen "$port"
}
# The processes that this test's log calls relays and that are still there.
relays() {
	local pid
	for pid in $(sed -n 's/.*; process \([0-9]*\) relays for it$/\1/p' log); do
		if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = tlshim-relay ] && ! grep -q '^State:.*Z' "/proc/$pid/status"; then
			echo "$pid"
		fi
	done
}
no_relays() { [ -z "$(relays)" ]; }
assert_no_relays() { until_true 10 no_relays; }
n_started() { grep -c 'relays for it$' log; }

@test "an inetd child that is static speaks TLS, started by tcpserver, inetd, socat, socket activation and nc -e" {
	random_file file 300000
	start_tap "$tapped" "$port"
	inetd_like echo
	gnutls "$tapped" <file >out
	assert_same file out
	stop server
	start_shim server socat "TCP-LISTEN:$port,fork,reuseaddr,bind=127.0.0.1" "EXEC:$CHILD say $MARKER-socat,nofork"
	wait_listen "$port"
	assert_equal "$(peer get "$tapped")" "$MARKER-socat"
	stop server
	start_shim server socat "TCP-LISTEN:$port,fork,reuseaddr,bind=127.0.0.1" "EXEC:$CHILD say $MARKER-pipes"
	wait_listen "$port"
	assert_equal "$(peer get "$tapped")" "$MARKER-pipes"
	stop server
	if command -v systemd-socket-activate >/dev/null; then
		start_shim server systemd-socket-activate -l "127.0.0.1:$port" --inetd -a \
			-E LD_PRELOAD -E TLSHIM_POLICY -E TLSHIM_LOG -E TLSHIM_LOG_FILE "$CHILD" say "$MARKER-systemd"
		wait_listen "$port"
		assert_equal "$(peer get "$tapped")" "$MARKER-systemd"
		stop server
	fi
	if command -v nc.traditional >/dev/null; then
		printf '#!/bin/sh\nexec %s say %s\n' "$CHILD" "$MARKER-nc" >script
		chmod +x script
		start_shim server nc.traditional -l -p "$port" -s 127.0.0.1 -e ./script
		wait_listen "$port"
		assert_equal "$(peer get "$tapped")" "$MARKER-nc"
		stop server
	fi
	if [ -x /usr/sbin/inetd ] && [ "$(id -u)" = 0 ]; then
		echo "127.0.0.1:$port stream tcp nowait root $CHILD child say $MARKER-inetd" >inetd.conf
		start_shim server /usr/sbin/inetd -i "$PWD/inetd.conf"
		wait_listen "$port"
		run -0 peer get "$tapped"
		assert_output --partial "$MARKER-inetd"
		stop server
	fi
	assert_no_relays
	assert_protected
}

@test "the child sees a socketpair, and neither the TLS socket nor the shim's shared memory" {
	inetd_like fds
	run -0 peer get "$port"
	assert_line --regexp '^0 socket:.* unix$'
	assert_line --regexp '^1 socket:.* unix$'
	refute_output --partial inet
	refute_output --partial tlshim
	refute_output --partial memfd
}

@test "however the child is started, it has both directions, and the program sees no other child" {
	for how in fork vfork spawn inherit; do
		serve "$how" say "$MARKER-$how"
		run -0 peer get "$port"
		assert_output --partial "$MARKER-$how"
		wait_text server.err "child 0 others none told 1"
		stop server
		serve "$how" echo
		head -c 100000 /dev/urandom >file
		gnutls "$port" <file >out
		assert_same file out
		wait_text server.err "child 0 others none told 1"
		stop server
	done
	assert_equal "$(n_started)" 8
	assert_no_relays
}

@test "a client's connection reaches the static child, too" {
	connect_tls "$port"
	random_file file 200000
	start_peer peer source "$port" file
	for how in fork vfork spawn inherit; do
		run -0 shim "$PYTHON" "$LIB/relay_parent.py" dial "$port" "$how" "$CHILD" count "$PWD/count-$how"
		assert_output --partial "child 0 others none told 1"
		assert_equal "$(cat "count-$how")" 200000
	done
	assert_no_relays
}

@test "standard error alone is relayed, too" {
	serve vfork say "$MARKER"
	run -0 peer get "$port"
	assert_line --partial "$MARKER"
	assert_output --partial err
}

@test "a child that has the connection as its output alone takes no input away, and the program goes on with it" {
	serve output say "$MARKER "
	for _ in {1..5}; do
		run -0 peer get "$port"
		assert_output "$MARKER after"
	done
	stop server
	serve output flood 3000000
	run -0 peer get "$port"
	assert_equal "${#output}" 3000005
	assert_regex "${output: -10}" '^xxxxxafter$'
	assert_no_relays
}

@test "a shell's static commands write to its connection one behind the other, and leave its input alone" {
	cat >script <<-'END'
		exec 5<>"/dev/tcp/127.0.0.1/$1"
		for i in 1 2 3 4 5 6 7 8 9; do
			"$2" say "$i" >&5 2>/dev/null
			echo -n "-" >&5
		done
		read -r -n 18 -u 5 line
		echo "$line"
	END
	connect_tls "$tapped"
	start_peer peer echo "$tapped"
	for _ in {1..5}; do
		run -0 shim bash script "$tapped" "$CHILD"
		assert_output "1-2-3-4-5-6-7-8-9-"
	done
	assert_no_relays
}

@test "a vfork child that puts another file in the place of the connection hands that on" {
	connect_tls "$port"
	start_peer peer sink "$port"
	run -0 shim "$PYTHON" -c '
import os, socket, subprocess, sys
os.dup2(socket.create_connection(("127.0.0.1", int(sys.argv[1]))).detach(), 0)
subprocess.run([sys.argv[2], "fds"], stdin=subprocess.DEVNULL)
os.write(0, b"x")' "$port" "$CHILD"
	assert_line "0 /dev/null"
	refute_output --partial socket
	wait_text peer.out "^TLSv1.3 clean 1 "
}

@test "where exec or spawn fail, the program goes on with its TLS connection, and no relay stays" {
	for how in wrong missing; do
		serve "$how"
		run -0 peer --send get "$port" <<<"hello"
		assert_line "still here: Argument list too long"
		assert_line "heard hello"
		stop server
	done
	assert_equal "$(n_started)" 2
	assert_no_relays
}

@test "a set-user-ID child gets a relay, which runs as the caller" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	DIR=$(mktemp -d /tmp/tlshim-relay.XXXXXX)
	chmod 755 "$DIR"
	gcc -std=gnu11 -D_GNU_SOURCE -O1 -o "$DIR/suid" "$BATS_TEST_DIRNAME/../progs/relay_child.c"
	chmod 4755 "$DIR/suid"
	install -m 644 "$POLICY" "$DIR/policy"
	install -m 640 -o nobody "$PKI/server.key" "$PKI/server.pem" "$DIR"
	install -m 666 /dev/null "$DIR/log"
	sed -i "s,$PKI,$DIR," "$DIR/policy"
	POLICY=$DIR/policy TLSHIM_LOG_FILE=$DIR/log
	start_shim server "$PYTHON" -c "
import os, sys, signal, socket, subprocess
os.setuid(65534)
sys.argv = ['x', 'listen', '$port', 'fork', '$DIR/suid', 'hang', '$DIR/pid']
exec(open('$LIB/relay_parent.py').read())"
	wait_listen "$port"
	start client "$PYTHON" "$LIB/peer.py" --pki "$PKI" get "$port"
	wait_text "$DIR/pid" '[0-9]'
	cp "$DIR/log" log
	assert_equal "$(ps -o euser= -p "$(cat "$DIR/pid")")" root
	assert_equal "$(ps -o euser= -p "$(relays)")" nobody
	assert_equal "$(n_started)" 1
	kill "$(cat "$DIR/pid")"
	wait_exit client
	assert_equal "$status" 0
	assert_no_relays
}

@test "a script whose interpreter is static is relayed, too" {
	printf '#!%s echo\n' "$CHILD" >script
	chmod +x script
	start_shim server socat "TCP-LISTEN:$port,fork,reuseaddr,bind=127.0.0.1" "EXEC:./script,nofork"
	wait_listen "$port"
	head -c 100000 /dev/urandom >file
	gnutls "$port" <file >out
	assert_same file out
}

@test "100 MB pass in each direction" {
	inetd_like flood 104857600
	assert_equal "$(peer get "$port" | sha256sum)" "$(head -c 104857600 /dev/zero | tr '\0' x | sha256sum)"
	stop server
	inetd_like sum
	head -c 104857600 /dev/zero | tr '\0' x >file
	run -0 gnutls "$port" <file
	assert_line "104857600 $((104857600 * 120))"
	assert_no_relays
}

@test "the client may end its half first, and then gets the answer" {
	inetd_like sum
	run -0 gnutls "$port" <<<"abc"
	assert_line "4 304"
	assert_no_relays
}

@test "the child may end its half first, and then reads on" {
	inetd_like half "$PWD/count"
	run -0 "$PYTHON" - "$port" "$PKI/ca.pem" <<-'END'
		import socket, ssl, sys
		context = ssl.create_default_context(cafile=sys.argv[2])
		plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		tls = context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
		print(tls.recv(100), tls.recv(100))
		tls.sendall(bytes(3000000))
		tls.unwrap()
	END
	assert_output "b'half\\n' b''"
	wait_text count '^3000000$'
	assert_no_relays
}

@test "what a child sends right before it exits arrives, to the end and with close_notify" {
	inetd_like flood 5000000
	for n in 1 2 3 4 5; do
		assert_equal "$n: $(peer get "$port" | wc -c)" "$n: 5000000"
	done
	assert_no_relays
}

@test "a child that exits at once or is killed ends the connection cleanly" {
	inetd_like quit
	run -0 peer get "$port"
	assert_output ""
	stop server
	inetd_like hang "$PWD/pid"
	start client "$PYTHON" "$LIB/peer.py" --pki "$PKI" get "$port"
	wait_text pid '[0-9]'
	kill -KILL "$(cat pid)"
	wait_exit client
	assert_equal "$status" 0
	assert_no_relays
}

@test "a peer that is killed, or ends without close_notify, ends the child's input and output" {
	inetd_like errors "$PWD/seen"
	start client "$PYTHON" "$LIB/peer.py" --pki "$PKI" --send get "$port"
	wait_text log 'TLS 1.3'
	stop client
	wait_text seen '^write'
	if [ "$(id -u)" = 0 ]; then # who may trace it
		assert_equal "$(head -n 1 seen)" "read: reset"
	fi
	assert_no_relays
}

@test "a client that fails the handshake ends the child's input" {
	inetd_like errors "$PWD/seen"
	echo "no TLS at all" | limited nc -q 1 127.0.0.1 "$port" >/dev/null || true
	wait_text seen '^write'
	assert_no_relays
}

@test "a child that reads nothing stops the client, and the relay's memory stays small" {
	inetd_like hang "$PWD/pid"
	start client bash -c "head -c 200000000 /dev/zero | '$PYTHON' '$LIB/peer.py' --pki '$PKI' --send --tell get $port"
	wait_text pid '[0-9]'
	wait_text log 'TLS 1.3'
	sleep 1.5
	refute grep -q sent client.err
	relay=$(relays)
	assert [ "$(awk '/^RssAnon/ { print $2 }' "/proc/$relay/status")" -lt 4000 ]
	kill "$(cat pid)"
	stop client
	assert_no_relays
}

@test "an idle relay uses no CPU time and does not wake up" {
	inetd_like echo
	start client bash -c "(echo hi; sleep 5) | '$PYTHON' '$LIB/peer.py' --pki '$PKI' --send get $port"
	wait_text log 'TLS 1.3'
	sleep 0.5
	relay=$(relays)
	before=$(awk '/ctxt/ { n += $2 } END { print n }' "/proc/$relay/status")
	sleep 1.5
	assert_equal "$(awk '/ctxt/ { n += $2 } END { print n }' "/proc/$relay/status")" "$before"
	stop client
	assert_no_relays
}

@test "fifty connections at the same time stay apart" {
	inetd_like echo
	run -0 peer many "$port" --count 50 --big 300000
	assert_output --partial "50 connections"
	assert_equal "$(n_started)" 50
	assert_no_relays
}

@test "a connection that LISTEN_FDS or UCSPI names is relayed, and another one is not" {
	connect_tls "$port"
	start_peer peer sink "$port"
	for how in "LISTEN_FDS=2 3" "LISTEN_FDS=2 4" "PROTO=TCP 6" "PROTO=TCP 7" "LISTEN_FDS=2 5" "OTHER=1 3"; do
		run shim "$PYTHON" -c '
import os, socket, sys
variable, fd = sys.argv[1].split()
connection = os.dup2(socket.create_connection(("127.0.0.1", int(sys.argv[2]))).detach(), 50, False)
os.dup2(connection, int(fd))
os.execve(sys.argv[3], [sys.argv[3], "fds"], dict([variable.split("=")]))' "$how" "$port" "$CHILD"
		case $how in
		*5 | OTHER*) refute_line --regexp "^${how##* } socket" ;;
		*) assert_line --regexp "^${how##* } socket:.* unix" ;;
		esac
	done
	assert_equal "$(n_started)" 4
	assert_no_relays
}

@test "a static server does not get a listener whose connections are to speak TLS" {
	for how in execv posix_spawn; do
		run -0 shim "$PYTHON" -c '
import os, socket, sys
tls = os.dup2(socket.create_server(("127.0.0.1", int(sys.argv[1]))).detach(), 50, False)
plain = os.dup2(socket.create_server(("127.0.0.1", int(sys.argv[2]))).detach(), 51, False)
os.dup2(tls, 3)
os.dup2(plain, 4)
os.environ["LISTEN_FDS"] = "2"
if sys.argv[4] == "execv":
    os.execv(sys.argv[3], [sys.argv[3], "fds"])
os.waitpid(os.posix_spawn(sys.argv[3], [sys.argv[3], "fds"], os.environ), 0)
try:
    os.posix_spawn(sys.argv[3], [sys.argv[3], "fds"], {}, file_actions=[(os.POSIX_SPAWN_DUP2, 3, 0)])
except PermissionError:
    print("refused")' "$port" "$tapped" "$CHILD" "$how"
		refute_line --regexp '^3 '
		assert_line --regexp '^4 .* inet'
		assert file_has log "warn: .* does not get listeners"
		: >log
	done
	assert_line refused
}

@test "a static shell of system() and popen() does not get the connections" {
	unshare -m true 2>/dev/null || skip "cannot change what /bin/sh is"
	connect_tls "$port"
	start_peer peer sink "$port"
	run -0 unshare -m bash -c 'mount --bind "$1" "$(readlink -f /bin/sh)" && shift && exec "$@"' _ "$CHILD" \
		"$TLSHIM" run --policy "$POLICY" -- "$PYTHON" -c '
import os, socket, sys
os.dup2(socket.create_connection(("127.0.0.1", int(sys.argv[1]))).detach(), 60)
os.system("x")
sys.stdout.write(os.popen("x").read())' "$port"
	assert_equal "$(grep -c '^1 ' <<<"$output")" 2
	refute_output --partial inet
}

@test "where no process may be started the child does not get the connection" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	inetd_like say "$MARKER"
	# The log says why; the child's standard output is closed.
	prlimit --pid "$pid_server" --nofile=6:6
	run peer get "$port"
	refute_output --partial "$MARKER"
}
