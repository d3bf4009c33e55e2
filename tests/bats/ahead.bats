#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Servers that accept late: the handshake on a data connection is answered before the program accepts.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port data
	accept_tls "$port"
	accept_tls "$data" 'handshake-timeout 10'
}
teardown() {
	e2e_teardown
	rm -rf "${SHARED:-}"
}

# start_late STYLE [ADDRESS]: its log names the helpers.
start_late() {
	TLSHIM_LOG=debug start_shim server "$PROGS/late_server" "$1" "$port" "$data" "${@:2}"
	wait_listen "$port"
}
late() { limited "$PYTHON" "$LIB/late.py" "$PKI/ca.pem" "$port" "$data" "$@"; }
helpers() { sed -n 's/.*debug: process \([0-9]*\) accepts from listener.*/\1/p' server.err; }
# Not its parent's fault: who has ended and waits to be reaped by init is gone as well.
has_ended() { [ ! -e "/proc/$1/stat" ] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }
all_helpers_ended() {
	for helper in $(helpers); do
		has_ended "$helper" || return 1
	done
}
scenarios() {
	run -0 late "$@"
	assert_output --partial "ok ${*: -1}"
	assert [ -n "$(helpers)" ]
	until_true 5 all_helpers_ended
}

@test "a server that blocks in accept gets connections whose handshake came first, or comes later" {
	start_late block
	scenarios first after at-once silent many wrong unused
}
@test "a server that waits in select does" {
	start_late select
	scenarios first after at-once silent many wrong unused
}
@test "a server that waits in poll does" {
	start_late poll
	scenarios first after at-once many unused
}
@test "a server that waits in epoll does" {
	start_late epoll
	scenarios first after at-once many unused
}
@test "a server with a non-blocking listener does, and gets what accept4 was asked for" {
	start_late nonblock
	scenarios first after at-once silent many unused
	assert_output --regexp '^accepted: 150 [0-9]+ [0-9]+ nonblock cloexec'
}
@test "a server with a time limit on accept does" {
	start_late timeout
	scenarios first after at-once silent many wrong unused
}
@test "a process that accepts for another one and passes the connection on does" {
	start_late broker
	scenarios first after at-once silent many wrong unused
}
@test "a server of one process does" {
	start_late alone
	scenarios first after at-once silent many wrong unused
}

@test "the descriptor of such a connection is the lowest that is free" {
	start_late block
	run -0 late first
	with=$(sed -n 's/^accepted: 150 [0-9]* \([0-9]*\) block$/\1/p' <<<"$output")
	stop server
	start bare "$PROGS/late_server" block "$port" "$data"
	wait_listen "$port"
	exec {control}<>"/dev/tcp/127.0.0.1/$port"
	printf 'LISTEN\nGET x\n' >&"$control"
	read -r _ <&"$control"
	exec {conn}<>"/dev/tcp/127.0.0.1/$data"
	read -r _ _ without _ <&"$control"
	assert_equal "$with" "$without"
}

@test "the port can be listened on again at once, fifty times, and wait() sees no children" {
	for style in block broker; do
		start_late "$style"
		scenarios again
		assert_equal "$(helpers | wc -l)" 50
		stop server
	done
}

@test "IPv6 listeners, and wildcard ones of both kinds, have helpers too" {
	for pair in ::1/::1 ::/::1 ::/127.0.0.1 0.0.0.0/127.0.0.1; do
		start_late block "${pair%/*}"
		LATE_HOST=${pair#*/} scenarios first after silent
		stop server
	done
}

@test "a wildcard listener whose connections fall under different rules serves each as its rule says" {
	: >"$POLICY"
	accept_tls "$port"
	printf 'accept 127.0.0.1:%s tls { certificate %s; key %s }\n' "$data" "$PKI/server.pem" "$PKI/server.key" >>"$POLICY"
	printf 'accept 127.0.0.2:%s deny\n' "$data" >>"$POLICY"
	start_late block 0.0.0.0
	start control "$PYTHON" "$LIB/late.py" "$PKI/ca.pem" "$port" "$data" waiting
	wait_text control.out waiting
	run ! limited bash -c "read -r -t 5 line <'/dev/tcp/127.0.0.2/$data'"
	wait_exit control
	assert_equal "$status" 0
}

helper_switches() { sed -n 's/^\(non\)\{0,1\}voluntary_ctxt_switches:\t//p' "/proc/$1/status" | awk '{ n += $1 } END { print n }'; }

@test "a helper sleeps while nobody comes, and looks up a few times a second while the program is late" {
	start_late block
	start control "$PYTHON" "$LIB/late.py" "$PKI/ca.pem" "$port" "$data" waiting
	until_true 10 file_has server.err 'accepts from listener'
	helper=$(helpers)
	sleep 0.5
	before=$(helper_switches "$helper")
	sleep 0.5
	assert_equal "$(helper_switches "$helper")" "$before"
	wait_text control.out waiting
	before=$(helper_switches "$helper")
	sleep 1.5
	now=$(helper_switches "$helper")
	assert [ $((now - before)) -le 20 ]
	wait_exit control
	assert_equal "$status" 0
}

@test "a killed server leaves no helper behind" {
	start_late alone
	start control "$PYTHON" "$LIB/late.py" "$PKI/ca.pem" "$port" "$data" waiting
	wait_text control.out waiting
	refute all_helpers_ended
	# shellcheck disable=SC2154 # by start
	kill -KILL "$pid_server"
	until_true 5 all_helpers_ended
}

@test "a killed helper costs the connections that it had, and no more" {
	start_late alone
	start control "$PYTHON" "$LIB/late.py" "$PKI/ca.pem" "$port" "$data" waiting
	wait_text control.out waiting
	kill -KILL "$(helpers)"
	wait_exit control
	stop control
	run -0 late first
	assert_output --partial 'ok first'
}

@test "without leave to make processes, connections are accepted as without the helper" {
	[ "$(id -u)" = 0 ] || skip "needs root, to run as another user"
	SHARED=$(mktemp -d)
	cp "$TLSHIM" "$BUILD_DIR/libtlshim.so" "$PROGS/late_server" "$PKI"/server.{pem,key} "$SHARED"
	sed "s,$PKI,$SHARED," "$POLICY" >"$SHARED/policy"
	chmod -R a+rX "$SHARED"
	TLSHIM_LOG=debug start server setpriv --reuid 4242 --clear-groups \
		"$SHARED/tlshim" run --policy "$SHARED/policy" -- prlimit --nproc=1 "$SHARED/late_server" alone "$port" "$data"
	wait_listen "$port"
	run -0 late after
	assert_output --partial 'ok after'
	assert file_has server.err 'no helper for the listener'
}

@test "a listener opened by a server that has no client gets no helper, nor does one that no rule protects" {
	free_port plain
	start_late alone
	run -0 late first
	assert_equal "$(helpers | wc -l)" 1
	stop server
	data=$plain start_late alone
	late_plain=$plain
	run -0 limited "$PYTHON" - "$PKI/ca.pem" "$port" "$late_plain" <<-'END'
		import socket, ssl, sys
		context = ssl.create_default_context(cafile=sys.argv[1])
		control = context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[2]))), server_hostname='localhost')
		lines = control.makefile('r')
		control.sendall(b'LISTEN\nGET in clear\n')
		print(lines.readline())
		data = socket.create_connection(('127.0.0.1', int(sys.argv[3])))
		print(data.recv(100))
	END
	assert_output --partial "b'in clear'"
	assert_equal "$(helpers | wc -l)" 0
}

@test "a server that is init of its container finds no helpers among its children" {
	unshare -pf --mount-proc true 2>/dev/null || skip "needs leave to make a PID namespace"
	TLSHIM_LOG=debug start server unshare -pf --mount-proc \
		"$TLSHIM" run --policy "$POLICY" -- "$PROGS/late_server" alone "$port" "$data"
	wait_listen "$port"
	run -0 late after
	assert_output --partial 'ok after'
	assert_equal "$(helpers | wc -l)" 0
}

# As FTP clients do it: CLIENT's data connections make their handshake before the command, or when the reply has come.
@test "vsftpd, its privileged parent accepting, serves implicit FTPS to clients of both kinds" {
	command -v vsftpd >/dev/null || skip "no vsftpd"
	[ "$(id -u)" = 0 ] || skip "needs root"
	SHARED=$(mktemp -d)
	# No tickets: a client that only sends does not read them, and a socket that is closed unread resets the connection.
	: >"$POLICY"
	accept_tls "$port"
	accept_tls "$data" 'session-cache off'
	mkdir "$SHARED"/{ftp,ftp/up,empty}
	random_file "$SHARED/ftp/file" 3000000
	chmod -R a+rX "$SHARED"
	chmod 777 "$SHARED/ftp/up"
	cat >"$SHARED/conf" <<-END
		listen=YES
		background=NO
		listen_address=127.0.0.1
		listen_port=$port
		pasv_min_port=$data
		pasv_max_port=$data
		anonymous_enable=YES
		no_anon_password=YES
		anon_root=$SHARED/ftp
		anon_upload_enable=YES
		write_enable=YES
		anon_umask=022
		ftp_username=daemon
		nopriv_user=nobody
		secure_chroot_dir=$SHARED/empty
		xferlog_enable=NO
		seccomp_sandbox=NO
	END
	start_shim server vsftpd "$SHARED/conf"
	wait_listen "$port"
	for when in before after; do
		run -0 limited "$PYTHON" "$LIB/ftps.py" "$PKI/ca.pem" "$port" "$when" "$SHARED/ftp/file" "$PWD/got"
		assert_same "$SHARED/ftp/file" got
		assert_same "$SHARED/ftp/file" "$SHARED/ftp/up/sent-$when"
	done
	# lftp takes for granted that data are encrypted, as implicit FTPS has it; curl asks first, and vsftpd knows nothing of it.
	if command -v lftp >/dev/null; then
		run -0 limited lftp -c "set ssl:ca-file $PKI/ca.pem; set ftps:initial-prot P; set ssl:check-hostname no;
			open ftps://127.0.0.1:$port; get file -o by-lftp; put by-lftp -o up/by-lftp"
		assert_same "$SHARED/ftp/file" by-lftp
		assert_same "$SHARED/ftp/file" "$SHARED/ftp/up/by-lftp"
	fi
	assert_equal "$(pgrep -P "$pid_server" -c)" 0
}
