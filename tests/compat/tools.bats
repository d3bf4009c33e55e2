#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
#
# Netcats, relays, measuring tools, and shells that can speak TCP.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load lib

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	open_folder
	random_file down 2000000
	random_file up 2500000
}
teardown() { e2e_teardown; }

# client_of COMMAND…: it sends what is on its standard input, half-closes, and its output is what the echo sent back.
client_of() {
	client_ports
	start_peer echo echo "$port"
	start_tap "$tapped" "$port"
	shim "${@//PORT/$tapped}" <up >got
	assert_same up got
	echo "$MARKER" >text
	shim "${@//PORT/$tapped}" <text >got
	assert_same text got
	assert_protected
}

@test "netcat-openbsd: a client that half-closes, with 2.5 MB each way" { needs nc.openbsd && client_of nc.openbsd -N 127.0.0.1 PORT; }
@test "netcat-traditional: a client, with 2.5 MB each way" { needs nc.traditional && client_of nc.traditional -q 3 127.0.0.1 PORT; }
@test "ncat: a client, with 2.5 MB each way" { needs ncat && client_of ncat 127.0.0.1 PORT; }
@test "socat: a client, with 2.5 MB each way" { client_of socat -t 10 - TCP:127.0.0.1:PORT; }

# Its child copies until the client half-closes, which must come through the exec.
answers_by_cat() {
	server_is_up
	duplex "$tapped" <up >got
	assert_same up got
	echo "$MARKER" >text
	duplex "$tapped" <text >got
	assert_same text got
	assert_protected
}

@test "socat EXEC: a child reads and writes the connection" {
	server_ports
	start_shim socat socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" EXEC:cat
	answers_by_cat
}

@test "socat EXEC,nofork: the child gets the connection itself" {
	server_ports
	start_shim socat sh -c "while socat TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr EXEC:cat,nofork; do :; done"
	server_is_up
	duplex "$tapped" <up >got
	assert_same up got
	assert_protected
}

@test "netcat-traditional -e: becomes the program that serves the connection" {
	needs nc.traditional
	server_ports
	start_shim netcat nc.traditional -l -s 127.0.0.1 -p "$port" -e /bin/cat
	server_is_up
	duplex "$tapped" <up >got
	assert_same up got
	assert_protected
}

@test "ncat --exec: a child for each connection" {
	needs ncat
	server_ports
	# it passes no half-close on to its child
	start_shim ncat ncat -k -l 127.0.0.1 "$port" --sh-exec "read -r line; echo \$line; cat $PWD/up"
	server_is_up
	{ echo "$MARKER" && cat up; } >wanted
	for _ in 1 2; do
		echo "$MARKER" | dialogue "$tapped" >got
		assert_same wanted got
	done
	assert_protected
}

@test "tcpserver: becomes cat for each connection" {
	needs tcpserver
	server_ports
	start_shim tcpserver tcpserver -H -R -l 0 127.0.0.1 "$port" cat
	answers_by_cat
}

@test "inetd: starts cat for each connection" {
	needs inetd
	server_ports
	echo "127.0.0.1:$port stream tcp nowait $(id -un) $(command -v cat) cat" >inetd.conf
	start_shim inetd inetd -i "$PWD/inetd.conf"
	answers_by_cat
}

@test "xinetd: starts cat for each connection" {
	needs xinetd
	server_ports
	cat >xinetd.conf <<-END
		service echo
		{
			type = UNLISTED
			socket_type = stream
			protocol = tcp
			wait = no
			bind = 127.0.0.1
			port = $port
			user = $(id -un)
			server = $(command -v cat)
		}
	END
	start_shim xinetd xinetd -dontfork -f "$PWD/xinetd.conf" -pidfile "$PWD/xinetd.pid" -filelog "$PWD/xinetd.log"
	answers_by_cat
}

@test "systemd-socket-activate: starts cat for each connection" {
	needs systemd-socket-activate
	server_ports
	start_shim activate systemd-socket-activate -E LD_PRELOAD -E TLSHIM_POLICY -l "127.0.0.1:$port" --accept --inetd cat
	answers_by_cat
}

@test "nbdkit: takes its listener by socket activation" {
	needs nbdkit systemd-socket-activate nbdinfo
	server_ports
	free_port plain
	start_shim activate systemd-socket-activate -E LD_PRELOAD -E TLSHIM_POLICY -l "127.0.0.1:$port" \
		nbdkit -f --no-sr file "$PWD/up"
	server_is_up
	start_back "$plain" "$tapped"
	run -0 limited nbdinfo --size "nbd://127.0.0.1:$plain"
	assert_output 2500000
	assert_protected
}

@test "netpipes: hose and its child" {
	needs hose
	client_ports
	start_peer echo echo "$port"
	start_tap "$tapped" "$port"
	# shellcheck disable=SC2016
	run -0 shim hose 127.0.0.1 "$tapped" --fd3 sh -c 'echo "$1" >&3; read -r line <&3; echo "got $line"' - "$MARKER"
	assert_output "got $MARKER"
	assert_protected
}

# What is still on its way when the sender has had enough is not counted by the receiver.
iperf_bytes() { "$PYTHON" -c 'import json, sys; print(json.load(open("json"))["end"][sys.argv[1]]["bytes"])' "$1"; }

@test "iperf3 client: sends and receives with two streams" {
	needs iperf3
	free_port plain
	client_ports 'truncation ignore'
	start iperf iperf3 -s -B 127.0.0.1 -p "$plain"
	wait_listen "$plain"
	start_front "$port" "$plain"
	wait_listen "$port"
	connect_tls "$port" 'truncation ignore'
	for direction in '' -R; do
		# shellcheck disable=SC2086
		run -0 shim iperf3 -c 127.0.0.1 -p "$port" -n 40M -P 2 -J $direction
		echo "$output" >json
		assert [ "$(iperf_bytes sum_sent)" -ge 41943040 ]
		assert [ "$(iperf_bytes sum_received)" -gt 20000000 ]
	done
}

@test "iperf3 server: takes several streams at once" {
	needs iperf3
	free_port plain
	server_ports 'truncation ignore'
	start_shim iperf iperf3 -s -B 127.0.0.1 -p "$port"
	wait_listen "$port"
	start_back "$plain" "$port"
	run -0 limited iperf3 -c 127.0.0.1 -p "$plain" -n 40M -P 2 -J
	echo "$output" >json
	assert [ "$(iperf_bytes sum_sent)" -ge 41943040 ]
	assert [ "$(iperf_bytes sum_received)" -gt 20000000 ]
}

# A line goes there and comes back, ten times over one connection.
shell_talks() {
	client_ports
	start_peer echo echo "$port"
	start_tap "$tapped" "$port"
	run -0 shim "${@//PORT/$tapped}"
	assert_equal "$output" "$(for i in {1..10}; do echo "got $MARKER $i"; done)"
	assert_protected
}

@test "bash: /dev/tcp, ten lines there and back" {
	# shellcheck disable=SC2016
	shell_talks bash -c 'exec 5<>/dev/tcp/127.0.0.1/$1
		for i in {1..10}; do echo "$2 $i" >&5; read -r line <&5; echo "got $line"; done' - PORT "$MARKER"
}

@test "gawk: a coprocess by /inet/tcp" {
	needs gawk
	# shellcheck disable=SC2016
	shell_talks gawk -v port=PORT -v marker="$MARKER" 'BEGIN {
		s = "/inet/tcp/0/127.0.0.1/" port
		for (i = 1; i <= 10; i++) { print marker, i |& s; s |& getline line; print "got " line }
		close(s)
	}'
}

@test "zsh: ztcp, ten lines there and back" {
	needs zsh
	# shellcheck disable=SC2016
	shell_talks zsh -fc 'zmodload zsh/net/tcp; ztcp 127.0.0.1 $1; fd=$REPLY
		for i in {1..10}; do print -u $fd "$2 $i"; read -r -u $fd line; print "got $line"; done; ztcp -c $fd' - PORT "$MARKER"
}

@test "pv: copies a file from a wrapped standard input" {
	needs pv tcpserver
	server_ports
	start_shim tcpserver tcpserver -H -R -l 0 127.0.0.1 "$port" pv -q
	answers_by_cat
}

# Keys of its own, a server that lets their holder in without a password, and a client's options in $ssh.
make_ssh() {
	needs ssh ssh-keygen
	[ -x /usr/sbin/sshd ] || skip "no sshd"
	needs_root
	mkdir -p -m 755 /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f host_key
	ssh-keygen -q -t ed25519 -N '' -f id
	cat >sshd.conf <<-END
		HostKey $PWD/host_key
		AuthorizedKeysFile $PWD/id.pub
		ListenAddress 127.0.0.1
		StrictModes no
		UsePAM no
		PermitRootLogin yes
		PidFile none
	END
	ssh=(ssh -F /dev/null -i "$PWD/id" -o StrictHostKeyChecking=no -o "UserKnownHostsFile=$PWD/known" -o LogLevel=ERROR)
}

@test "OpenSSH server: before the login a process under seccomp speaks, after it another" {
	make_ssh
	server_ports
	free_port plain
	start_shim sshd /usr/sbin/sshd -D -e -f "$PWD/sshd.conf" -p "$port"
	server_is_up
	start_back "$plain" "$tapped"
	limited "${ssh[@]}" -p "$plain" root@127.0.0.1 cat <up >got
	assert_same up got
	limited "${ssh[@]}" -p "$plain" root@127.0.0.1 "cat $PWD/down" </dev/null >got
	assert_same down got
	assert_protected
}

@test "OpenSSH client: 2.5 MB each way" {
	make_ssh
	client_ports
	free_port plain
	start sshd /usr/sbin/sshd -D -e -f "$PWD/sshd.conf" -p "$plain"
	wait_listen "$plain"
	start_front "$port" "$plain"
	start_tap "$tapped" "$port"
	shim "${ssh[@]}" -p "$tapped" root@127.0.0.1 cat <up >got
	assert_same up got
	assert_protected
}
