# SPDX-License-Identifier: GPL-2.0-or-later
# poll, select and epoll: a wrapped socket is ready when, and only when, it would be without TLS.

# shellcheck disable=SC2154 # variables that free_port and start set
bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() { e2e_setup; }
teardown() { e2e_teardown; }

segments() { limited "$PYTHON" "$LIB/segments.py" "$@"; }

# echo_server PROGRAM ARGUMENTS…: wrapped, on $port.
echo_server() {
	free_port port
	accept_tls "$port"
	start_shim server "$PROGS/$1" "$port" "${@:2}"
	wait_listen "$port"
}
# Each kind of echo server, with one byte per read.
EVENT_LOOPS=(
	"poll_echo block 1" "poll_echo nonblock 1" "select_echo block 1" "select_echo nonblock 1"
	"epoll_echo block 1 level" "epoll_echo nonblock 1 level" "epoll_echo nonblock 1 edge"
	"epoll_echo block 1 oneshot" "epoll_echo nonblock 1 oneshot" "epoll_echo nonblock 1 nested"
	"epoll_echo nonblock 1 threads" "poll_echo.fortify block 1" "select_echo.fortify block 1"
)

switches() { awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$1/task/$1/status"; }
cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
# The process waits without being woken, for a second.
assert_sleeps() {
	local before
	sleep 0.3
	before=$(switches "$1") ticks=$(cpu_ticks "$1")
	sleep 1
	assert_equal "$(switches "$1")" "$before"
	assert_equal "$(cpu_ticks "$1")" "$ticks"
}

# ---- servers ----

@test "two records in one segment, read one byte at a time, come out of every kind of event loop" {
	for loop in "${EVENT_LOOPS[@]}"; do
		# shellcheck disable=SC2086
		echo_server $loop
		run -0 segments "$PKI/ca.pem" "$port" two-records
		assert_output "hello world"
		assert_sleeps "$pid_server"
		stop server
	done
}

@test "segments of one byte, from the ClientHello on, are served by every kind of event loop" {
	for loop in "${EVENT_LOOPS[@]}"; do
		# shellcheck disable=SC2086
		echo_server $loop
		run -0 segments "$PKI/ca.pem" "$port" byte-by-byte
		assert_output "hello world"
		stop server
	done
}

@test "half a record does not stop a server that reads blocking sockets when they are reported" {
	for loop in "poll_echo block" "select_echo block" "epoll_echo block 4096 level" "epoll_echo block 4096 oneshot"; do
		# shellcheck disable=SC2086
		echo_server $loop
		mkfifo go
		IN=go start half "$PYTHON" "$LIB/segments.py" "$PKI/ca.pem" "$port" half
		exec 7>go
		wait_text half.out half
		run -0 segments "$PKI/ca.pem" "$port" two-records
		assert_output "hello world"
		assert_sleeps "$pid_server"
		echo >&7
		wait_text half.out "hello world"
		exec 7>&-
		rm go half.out
		stop server
	done
}

@test "a stream that ends within a record has ended for every kind of event loop" {
	for loop in "poll_echo block" "select_echo nonblock" "epoll_echo nonblock 1 edge" "epoll_echo nonblock 4096 edge" \
		"epoll_echo nonblock 4096 level" "epoll_echo block 4096 oneshot" "epoll_echo nonblock 4096 threads"; do
		# shellcheck disable=SC2086
		echo_server $loop
		run -0 segments "$PKI/ca.pem" "$port" cut
		assert_output closed
		stop server
	done
}

@test "a hundred silent clients do not keep a server from the next one, nor awake" {
	for loop in "poll_echo block" "select_echo nonblock" "epoll_echo nonblock 4096 edge" "epoll_echo block 4096 level"; do
		# shellcheck disable=SC2086
		echo_server $loop
		mkfifo end
		IN=end start silent "$PYTHON" "$LIB/segments.py" "$PKI/ca.pem" "$port" silent 100
		exec 7>end
		wait_text silent.out 100
		begin=$(date +%s%N)
		run -0 segments "$PKI/ca.pem" "$port" two-records
		assert_output "hello world"
		assert [ $(($(date +%s%N) - begin)) -lt 2000000000 ]
		assert_sleeps "$pid_server"
		exec 7>&-
		rm end silent.out
		stop server
	done
}

@test "clients that leave in the middle of a handshake leave nothing behind that keeps a server awake" {
	for loop in "poll_echo block" "select_echo nonblock" "epoll_echo nonblock 4096 edge" "epoll_echo nonblock 4096 level"; do
		# shellcheck disable=SC2086
		echo_server $loop
		printf 'GET / HTTP/1.0\r\n\r\n' | limited socat -t1 - "TCP:127.0.0.1:$port"
		printf '\x16\x03\x01\x02' | limited socat -t1 - "TCP:127.0.0.1:$port"
		limited socat -u /dev/null "TCP:127.0.0.1:$port"
		run -0 segments "$PKI/ca.pem" "$port" two-records
		assert_output "hello world"
		assert_sleeps "$pid_server"
		# The listener is left.
		assert_equal "$(sockets_of "$pid_server")" 1
		stop server
	done
}

sockets_of() { find "/proc/$1/fd" -lname 'socket:*' | wc -l; }
has_sockets() { [ "$(sockets_of "$1")" -eq "$2" ]; }

@test "silent clients are dropped when handshake-timeout has passed, whatever the event loop waits with" {
	for loop in "poll_echo nonblock" "poll_echo block" "select_echo nonblock" "epoll_echo nonblock 4096 level" \
		"epoll_echo nonblock 4096 edge" "epoll_echo block 4096 oneshot" "epoll_echo nonblock 4096 threads"; do
		free_port port
		accept_tls "$port" "handshake-timeout 1"
		# shellcheck disable=SC2086
		start_shim server "$PROGS"/${loop/ / $port }
		wait_listen "$port"
		run -0 segments "$PKI/ca.pem" "$port" dropped 20
		assert_output dropped
		until_true 5 has_sockets "$pid_server" 1
		stop server
	done
}

# ---- clients ----

# plain_echo: without TLS and shim, on $plain.
plain_echo() {
	free_port plain
	start plain socat "TCP-LISTEN:$plain,bind=127.0.0.1,reuseaddr,fork" EXEC:cat
	wait_listen "$plain"
}

@test "a non-blocking connect goes through the same steps as without TLS, with every way to wait" {
	plain_echo
	echo_server epoll_echo nonblock
	connect_tls "$port"
	for api in poll select epoll edge early; do
		"$PROGS/poll_connect" $api "$plain" >expected
		run -0 shim "$PROGS/poll_connect" $api "$port"
		assert_output "$(cat expected)"
		assert_line "connect Operation now in progress"
	done
}

@test "a handshake that another call than the wait has ended is reported by epoll" {
	free_port port
	start server "$PYTHON" "$LIB/segments.py" "$PKI/server" "$port" serve-slow
	wait_listen "$port"
	connect_tls "$port"
	run -0 shim "$PROGS/poll_connect" late "$port"
	assert_line "wait 1 out"
	assert_line "read 6"
}

@test "a refused non-blocking connect is told as without TLS" {
	free_port port
	connect_tls "$port"
	for api in poll select epoll edge early; do
		"$PROGS/poll_connect" $api "$port" >expected || assert [ $? -eq 3 ]
		run -3 shim "$PROGS/poll_connect" $api "$port"
		assert_output "$(cat expected)"
	done
}

@test "a server with the wrong certificate fails a non-blocking connect: ready, SO_ERROR once, then end" {
	free_port port
	echo_server epoll_echo nonblock
	connect_rule "$port" "trust $PKI/ca.pem" "server-name other.example"
	for api in poll epoll edge early; do
		run -3 --separate-stderr shim "$PROGS/poll_connect" $api "$port"
		assert_line "wait 1 out err hup"
		assert_line "SO_ERROR Key was rejected by service"
		assert_line "SO_ERROR none"
	done
	run -3 --separate-stderr shim "$PROGS/poll_connect" select "$port"
	assert_line "wait 1 out"
	assert_line "SO_ERROR Key was rejected by service"
}

@test "tickets and half a record do not end a wait for a blocking socket, which lasts as long as asked for" {
	for api in poll ppoll select pselect epoll edge; do
		free_port port
		start server "$PYTHON" "$LIB/segments.py" "$PKI/server" "$port" serve-half
		wait_listen "$port"
		connect_tls "$port"
		run -0 --separate-stderr shim "$PROGS/poll_quiet" $api "$port"
		assert_output "first wait 0, 300 ms
second wait 1
read 11"
		wait_exit server
		assert_equal "$(cat server.out)" "hello world"
	done
}

@test "half a record behind a small one is not announced to a server or client that reads without blocking" {
	for api in poll select; do
		free_port port
		accept_tls "$port"
		start_shim server "$PYTHON" "$LIB/in_vain.py" accept "$port" $api
		wait_listen "$port"
		run -0 segments "$PKI/ca.pem" "$port" growing
		wait_exit server
		assert_equal "$(cat server.out)" "8006 bytes, 0 in vain"

		free_port port
		start server "$PYTHON" "$LIB/segments.py" "$PKI/server" "$port" serve-growing
		wait_listen "$port"
		connect_tls "$port"
		run -0 --separate-stderr shim "$PYTHON" "$LIB/in_vain.py" connect "$port" $api
		assert_output "8006 bytes, 0 in vain"
		stop server
	done
}

@test "epoll, poll and select say the same as without TLS in every state of a connection" {
	plain_echo
	echo_server epoll_echo nonblock
	connect_tls "$port"
	run -0 "$PROGS/epoll_rules" "$plain"
	expected=$output
	run -0 shim "$PROGS/epoll_rules" "$port"
	assert_output "$expected"
}

@test "an established connection with half a record waits without being woken" {
	for loop in "poll_echo nonblock" "select_echo block" "epoll_echo nonblock 4096 level"; do
		# shellcheck disable=SC2086
		echo_server $loop
		mkfifo end
		IN=end start idle "$PYTHON" "$LIB/segments.py" "$PKI/ca.pem" "$port" idle
		exec 7>end
		wait_text idle.out idle
		assert_sleeps "$pid_server"
		exec 7>&-
		rm end idle.out
		stop server
	done
}

@test "who waits for the peer's end alone is told of a close_notify, though TCP stays open" {
	local modes=(poll ppoll epoll edge once nested)
	free_port port
	accept_tls "$port"
	start_shim server "$PROGS/wait_end" "$port" "${modes[@]}" poll_in
	wait_listen "$port"
	run -0 limited "$PYTHON" "$LIB/half_end.py" "$PKI" "$port" 7
	wait_exit server
	assert_equal "$(grep -c ':  rdhup, .* read $' server.out)" 6
	refute grep -q busy server.out
	assert grep -q '^once:  rdhup, nothing, read $' server.out
	assert grep -q '^poll_in:  in rdhup,  in rdhup, read $' server.out
}

@test "data before the end, which nobody reads, wake nobody who waits for the end alone" {
	local modes=(poll ppoll epoll edge once nested)
	free_port port
	accept_tls "$port"
	start_shim server "$PROGS/wait_end" "$port" "${modes[@]}"
	wait_listen "$port"
	run -0 limited "$PYTHON" "$LIB/half_end.py" "$PKI" "$port" 6 hello
	wait_exit server
	assert_equal "$(grep -c ': nothing, nothing, read 5$' server.out)" 6
	assert_equal "$(grep -c '^then:  rdhup,$' server.out)" 6
}

@test "a thread asleep in poll() wakes when another one has ended the handshake" {
	free_port port
	connect_tls "$port"
	start_peer sink sink "$port" --tls12 # no tickets, which would wake it
	run -0 shim "$PYTHON" - "$port" <<-'END'
		import select, socket, sys, threading
		late = 0
		for _ in range(20):
		    client = socket.socket()
		    client.setblocking(False)
		    client.connect_ex(("127.0.0.1", int(sys.argv[1])))
		    seen = []
		    poll = select.poll()
		    poll.register(client, select.POLLOUT)
		    sleeper = threading.Thread(target=lambda: seen.extend(poll.poll(1500)))
		    sleeper.start()
		    for _ in range(100000):
		        try:
		            client.recv(1, socket.MSG_PEEK)
		        except BlockingIOError:
		            pass
		        if not sleeper.is_alive():
		            break
		    sleeper.join()
		    late += not seen
		    client.close()
		print(late, "late")
	END
	assert_output '0 late'
}

# asleep PID: how often it was woken and how many ticks of processor time it took in a second, as "N M".
asleep() {
	local before ticks
	before=$(switches "$1") ticks=$(cpu_ticks "$1")
	sleep 1
	echo "$(($(switches "$1") - before)) $(($(cpu_ticks "$1") - ticks))"
}

@test "who waits for a handshake that does not go on is not woken, and at most ten times a second in a blocking call" {
	local way variable woken
	free_port silent port
	accept_tls "$port" "handshake-timeout 30"
	connect_tls "$silent" "handshake-timeout 30"
	start silent "$PYTHON" -c "
import socket
listener, connections = socket.create_server(('127.0.0.1', $silent)), []
while True:
    connections.append(listener.accept()[0])"
	wait_listen "$silent"
	for way in connect poll select epoll; do
		start_shim "$way" "$PYTHON" -c "
import select, socket
s = socket.socket()
s.setblocking('$way' == 'connect')
try:
    s.connect(('127.0.0.1', $silent))
except BlockingIOError:
    pass
if '$way' == 'poll':
    poll = select.poll()
    poll.register(s, select.POLLOUT)
    poll.poll()
elif '$way' == 'select':
    select.select([s], [s], [])
else:
    poll = select.epoll()
    poll.register(s, select.EPOLLIN | select.EPOLLOUT)
    poll.poll()"
	done
	start_shim read "$PYTHON" -c "
import socket
socket.create_server(('127.0.0.1', $port)).accept()[0].recv(100)"
	wait_listen "$port"
	exec 7<>"/dev/tcp/127.0.0.1/$port"
	sleep 1.5
	for way in connect read poll select epoll; do
		variable=pid_$way
		woken=$(asleep "${!variable}")
		echo "$way: woken and ticks: $woken"
		assert [ "${woken#* }" -le 1 ]
		case $way in
		connect | read) assert [ "${woken% *}" -le 13 ] ;;
		*) assert_equal "${woken% *}" 0 ;;
		esac
	done
	exec 7>&-
}

@test "a server that asks for room and the peer's end alone, level-triggered, is told of room again and again" {
	free_port port
	accept_tls "$port"
	start_shim server "$PYTHON" -c "
import select, socket
listener = socket.create_server(('127.0.0.1', $port))
connection = listener.accept()[0]
connection.recv(100)
connection.setblocking(False)
epoll = select.epoll()
epoll.register(connection, select.EPOLLOUT | select.EPOLLRDHUP)
left = 3000000
while left:
    for _, events in epoll.poll():
        if events & select.EPOLLOUT:
            # Less than there is room for: no EAGAIN, so no edge, follows.
            left -= connection.send(b'x' * min(left, 30000))
connection.close()"
	wait_listen "$port"
	run -0 bash -c "{ echo go; sleep 8; } | timeout 8 openssl s_client -quiet -connect localhost:$port -CAfile $PKI/ca.pem 2>/dev/null | wc -c"
	assert_output 3000000
}
