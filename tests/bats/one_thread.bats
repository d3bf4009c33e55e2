#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Programs that are client and server at once, most of them in one thread: connect() must not wait for an accept() that
# comes after it.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	accept_tls '*' 'handshake-timeout 3'
	connect_tls '*' 'handshake-timeout 3'
	free_port port
}
teardown() { e2e_teardown; }

need() { command -v "$1" >/dev/null || skip "$1 is not installed"; }

# same_as_plain COMMAND…: its output, wrapped, is what it is without the shim; TLS was spoken.
same_as_plain() {
	run -0 --separate-stderr limited "$@"
	plain=$output
	assert [ -n "$plain" ]
	TLSHIM_LOG=info run -0 --separate-stderr shim "$@"
	assert_equal "$output" "$plain"
	[[ $stderr =~ "TLS 1.3" ]]
}

@test "calls on both ends in one thread have the same outcome as over TCP, in every order and way of waiting" {
	for style in block poll select level edge; do
		limited "$PROGS/one_thread" 0 orders "$style" >plain
		shim "$PROGS/one_thread" 0 orders "$style" >wrapped 2>wrapped.err
		run -0 diff plain wrapped
		assert [ "$(wc -l <plain)" -gt 200 ]
	done
}

@test "the listener is known by whatever address and descriptor it has" {
	same_as_plain "$PROGS/one_thread" 0 addresses
}

@test "a megabyte goes both ways at once, and much of it before anybody accepts" {
	same_as_plain "$PROGS/one_thread" 0 bulk
}

@test "what a client wrote before a handshake that fails is never sent, and its next call says why" {
	: >"$POLICY"
	accept_tls '*'
	connect_rule '*' "trust $PKI/ca-twin.pem" 'server-name localhost'
	run -0 --separate-stderr shim "$PROGS/one_thread" 0 wrong "$MARKER"
	assert_output " connect:0 write:${#MARKER} s.read:ECONNRESET c.read:EKEYREJECTED c.write:EKEYREJECTED c.write:EPIPE"
}

@test "where a thread serves, a wrong certificate still is connect()'s error" {
	: >"$POLICY"
	accept_tls '*'
	connect_rule '*' "trust $PKI/ca-twin.pem" 'server-name localhost'
	cat >both.py <<-'EOF'
		import socket, threading
		listener = socket.create_server(("127.0.0.1", 0))
		def serve():
		    try:
		        listener.accept()[0].recv(1)
		    except OSError:
		        pass
		thread = threading.Thread(target=serve)
		thread.start()
		try:
		    socket.create_connection(listener.getsockname())
		except OSError as error:
		    print("connect:", error.errno)
		thread.join()
	EOF
	run -0 --separate-stderr shim "$PYTHON" both.py
	assert_output 'connect: 129'
}

@test "clients and servers in threads of one process" {
	same_as_plain "$PROGS/one_thread" 0 threads
}

# Each in a process of its own: who has accepted a connection before has a helper for its listeners.
family() { same_as_plain "$PYTHON" "$LIB/family.py" "$1"; }

@test "a child connects, and its parent accepts when it has heard of that" { family told; }
@test "so it is if the child has closed its copy of the listener" { family told-closed; }
@test "and if it connects without blocking" { family told-nonblock; }
@test "a child connects, writes, and turns to other things" { family turns; }
@test "a child has written and is gone before its parent accepts" { family gone; }
@test "a parent connects, and then has a child to serve it" { family before; }
@test "a parent writes to a server that it has started, and then waits for it" { family waits; }

@test "a child whose server does not accept yet sleeps" {
	cat >sleeper.py <<-'EOF'
		import os, select, socket, time
		listener = socket.create_server(("127.0.0.1", 0))
		if os.fork() == 0:
		    client = socket.create_connection(listener.getsockname())
		    begin = time.process_time()
		    print(select.select([client], [], [], 1.5)[0], time.process_time() - begin < 0.1, flush=True)
		    os._exit(0)
		os.wait()
	EOF
	run -0 --separate-stderr shim "$PYTHON" sleeper.py
	assert_output '[] True'
}

@test "a Perl script in one thread" {
	need perl
	cat >both.pl <<-'EOF'
		use strict; use warnings; use IO::Socket::INET; use IO::Select;
		my $l = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp') or die $!;
		my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $l->sockport, Proto => 'tcp', Timeout => 5) or die $!;
		print $c "hello\n"; $c->flush;
		print "acceptable\n" if IO::Select->new($l)->can_read(5);
		my $s = $l->accept or die $!;
		print scalar <$s>; print $s "answer\n"; $s->shutdown(1);
		print <$c>; close $c; print defined(<$s>) ? "more\n" : "end\n";
	EOF
	same_as_plain perl both.pl
}

@test "a Ruby script in one thread" {
	need ruby
	cat >both.rb <<-'EOF'
		require 'socket'
		l = TCPServer.new('127.0.0.1', 0)
		c = TCPSocket.new('127.0.0.1', l.addr[1])
		c.puts 'hello'
		s = l.accept
		puts s.gets
		s.write 'answer'; s.close
		puts c.read; c.close
		l.close
	EOF
	same_as_plain ruby both.rb
}

@test "a Tcl script in one thread, with its event loop" {
	need tclsh
	cat >both.tcl <<-'EOF'
		proc accept {s host port} { fconfigure $s -buffering line; fileevent $s readable [list serve $s] }
		proc serve {s} { if {[gets $s line] >= 0} { puts $s "you said $line" } elseif {[eof $s]} { close $s; set ::done 1 } }
		set l [socket -server accept -myaddr 127.0.0.1 0]
		set c [socket 127.0.0.1 [lindex [fconfigure $l -sockname] 2]]
		fconfigure $c -buffering line
		puts $c hello
		fileevent $c readable { gets $c line; puts $line; close $c }
		vwait done
		set c [socket -async 127.0.0.1 [lindex [fconfigure $l -sockname] 2]]
		fileevent $c writable { puts "writable [fconfigure $c -error]"; close $c }
		vwait done
	EOF
	same_as_plain tclsh both.tcl
}

@test "a Python script in one thread: sockets, selectors, asyncio, wake-up pairs" {
	cat >both.py <<-'EOF'
		import asyncio, selectors, socket
		def pair():
		    with socket.create_server(("127.0.0.1", 0)) as listener:
		        client = socket.create_connection(listener.getsockname())
		        return client, listener.accept()[0]
		a, b = pair()
		a.sendall(b"wake"), print(b.recv(10)), b.sendall(b"up"), print(a.recv(10))
		a, b = pair()
		for s in a, b:
		    s.setblocking(False)
		with selectors.DefaultSelector() as selector:
		    selector.register(b, selectors.EVENT_READ)
		    print(len(selector.select(0.05)), a.send(b"x"), len(selector.select(5)), b.recv(10))
		async def main():
		    async def serve(reader, writer):
		        writer.write(await reader.read()), writer.close()
		    server = await asyncio.start_server(serve, "127.0.0.1", 0)
		    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
		    writer.write(b"loop" * 1000), writer.write_eof()
		    print(len(await reader.read()))
		asyncio.run(main())
	EOF
	same_as_plain "$PYTHON" both.py
}

@test "a PHP script in one thread" {
	need php
	cat >both.php <<-'EOF'
		<?php
		$l = stream_socket_server('tcp://127.0.0.1:0');
		$c = stream_socket_client('tcp://' . stream_socket_get_name($l, false), $e, $s, 5);
		fwrite($c, "hello\n");
		$s = stream_socket_accept($l, 5);
		echo fgets($s); fwrite($s, "answer\n"); fclose($s); echo stream_get_contents($c);
	EOF
	same_as_plain php both.php
}

@test "a program that execs before it accepts what it has connected" {
	cat >execs.py <<-'EOF'
		import os, socket, sys
		if len(sys.argv) > 1:
		    listener, client = (socket.socket(fileno=int(fd)) for fd in sys.argv[1:])
		    client.sendall(b" after")
		else:
		    listener = socket.create_server(("127.0.0.1", 0))
		    client = socket.create_connection(listener.getsockname())
		    client.sendall(b"before")
		    for fd in listener, client:
		        fd.set_inheritable(True)
		    os.execv(sys.executable, [sys.executable, __file__, str(listener.fileno()), str(client.fileno())])
		server = listener.accept()[0]
		print(server.recv(12, socket.MSG_WAITALL), server.sendall(b"answer"), client.recv(10))
		# The listener, which came from the image before, is known.
		client = socket.create_connection(listener.getsockname())
		client.sendall(b"more"), print(listener.accept()[0].recv(10))
	EOF
	same_as_plain "$PYTHON" execs.py
}

@test "shutdown before anybody accepts, of either direction and of both" {
	cat >shuts.py <<-'EOF'
		import socket
		for how in socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR:
		    with socket.create_server(("127.0.0.1", 0)) as listener:
		        client = socket.create_connection(listener.getsockname())
		        client.sendall(b"text"), client.shutdown(how)
		        if how != socket.SHUT_WR:
		            print(client.recv(1))
		        server = listener.accept()[0]
		        print(server.recv(10), how == socket.SHUT_RD and client.close(), server.recv(10))
	EOF
	same_as_plain "$PYTHON" shuts.py
}

@test "a server at work that connects to a new listener of its own, and accepts late" {
	cat >late.py <<-'EOF'
		import socket, time
		def pair(nap):
		    with socket.create_server(("127.0.0.1", 0)) as listener:
		        client = socket.create_connection(listener.getsockname())
		        client.sendall(b"x"), time.sleep(nap)
		        return client, listener.accept()[0]
		first = pair(0)
		for nap in 0, 0.1:
		    client, server = pair(nap)
		    print(server.recv(10), server.sendall(b"y" * 70000), len(client.recv(70000, socket.MSG_WAITALL)))
	EOF
	same_as_plain "$PYTHON" late.py
}

@test "a thread that waits in epoll for ever hears of a connection to the family that is made meanwhile" {
	cat >waiter.py <<-'EOF'
		import os, select, socket, threading, time
		listener = socket.create_server(("127.0.0.1", 0))
		address = listener.getsockname()
		if os.fork() == 0:
		    listener.close()
		    epoll, got = select.epoll(), []
		    thread = threading.Thread(target=lambda: got.extend(epoll.poll()))
		    thread.start(), time.sleep(0.1)
		    client = socket.socket()
		    client.setblocking(False), client.connect_ex(address)
		    epoll.register(client, select.EPOLLOUT)
		    thread.join(5)
		    print(got and got[0][1] == select.EPOLLOUT, flush=True)
		    os._exit(0)
		os.wait()
	EOF
	run -0 --separate-stderr shim "$PYTHON" waiter.py
	assert_output True
}

@test "an Erlang script, whose poller is a thread of its own" {
	need escript
	cat >both.escript <<-'EOF'
		#!/usr/bin/env escript
		main(_) ->
		  {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ip, {127,0,0,1}}]),
		  {ok, P} = inet:port(L),
		  {ok, C} = gen_tcp:connect({127,0,0,1}, P, [binary, {active, false}], 5000),
		  ok = gen_tcp:send(C, <<"hello">>),
		  {ok, S} = gen_tcp:accept(L, 5000),
		  io:format("~p~n", [gen_tcp:recv(S, 0, 5000)]),
		  ok = gen_tcp:send(S, <<"answer">>), gen_tcp:close(S),
		  io:format("~p ~p~n", [gen_tcp:recv(C, 0, 5000), gen_tcp:recv(C, 0, 5000)]).
	EOF
	same_as_plain escript both.escript
}
