#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Traps into which preloaded libraries fall; tests/PITFALLS.md lists all of them, with where the others are tested.

# shellcheck disable=SC2154 # variables that free_port and start set
bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port tapped plain
}
teardown() { e2e_teardown; }

# start_echo: an independent TLS echo server on $port, seen through the tap on $tapped.
start_echo() {
	start_peer peer echo "$port"
	start_tap "$tapped" "$port"
	connect_tls "$tapped"
}
start_plain() {
	start plain socat "TCP-LISTEN:$plain,bind=127.0.0.1,reuseaddr,fork" EXEC:cat
	wait_listen "$plain"
}
# The C source on standard input as a program or, with -shared, a library.
compile() { cc -D_GNU_SOURCE -O1 -x c -o "$1" - "${@:2}"; }

# A source for libraries: connects to $tapped by itself, sends the marker and wants it back.
client_source() {
	cat <<-END
		#include <arpa/inet.h>
		#include <string.h>
		#include <sys/socket.h>
		#include <unistd.h>
		int talked;
		$1 void talk(void)
		{
			struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons($tapped) };
			char got[100] = "";
			int fd = socket(AF_INET, SOCK_STREAM, 0);
			at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
			if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && write(fd, "$MARKER", ${#MARKER}) == ${#MARKER} &&
			    recv(fd, got, ${#MARKER}, MSG_WAITALL) == ${#MARKER} && strcmp(got, "$MARKER") == 0) {
				talked = 1;
			}
			close(fd);
		}
	END
}

# ---- loading ----

@test "a library's constructor that runs before all others connects with TLS" {
	start_echo
	client_source '__attribute__((constructor(101)))' | compile libearly.so -shared -fPIC
	echo 'extern int talked; int main(void) { return talked == 1 ? 0 : 3; }' | compile early -L. -learly -Wl,-rpath,"$PWD"
	run -0 shim ./early
	run -0 limited env LD_PRELOAD="$BUILD_DIR/libtlshim.so:$PWD/libearly.so" TLSHIM_POLICY="$POLICY" ./early
	run -0 limited env LD_PRELOAD="$PWD/libearly.so:$BUILD_DIR/libtlshim.so" TLSHIM_POLICY="$POLICY" ./early
	assert_protected
}

@test "a plugin that is opened with RTLD_DEEPBIND is protected all the same" {
	start_echo
	client_source '' | compile plugin.so -shared -fPIC
	compile host -ldl <<-'END'
		#include <dlfcn.h>
		#include <stdio.h>
		int main(void)
		{
			void *plugin = dlopen("./plugin.so", RTLD_NOW | RTLD_DEEPBIND);
			void (*talk)(void) = plugin ? (void (*)(void))dlsym(plugin, "talk") : 0;
			if (!talk) {
				puts(dlerror());
				return 2;
			}
			talk();
			return *(int *)dlsym(plugin, "talked") == 1 ? 0 : 3;
		}
	END
	run -0 shim ./host
	assert_protected
}

@test "dlopen() finds libraries by the RUNPATH of who calls it, and reports errors, as without the shim" {
	start_echo
	mkdir folder
	echo 'int found(void) { return 7; }' | compile folder/libfound.so -shared -fPIC
	compile caller -ldl -Wl,-rpath,'$ORIGIN/folder' <<-'END'
		#include <dlfcn.h>
		#include <errno.h>
		#include <stdio.h>
		int main(void)
		{
			void *library = dlopen("libfound.so", RTLD_LAZY);
			int (*found)(void) = library ? (int (*)(void))dlsym(library, "found") : 0;
			printf("%d %d\n", found ? found() : -1, dlopen(0, RTLD_LAZY) != 0);
			printf("%d %s\n", dlopen("libmissing.so", RTLD_NOW | RTLD_DEEPBIND) == 0, dlerror());
			return library ? dlclose(library) : 1;
		}
	END
	run -0 ./caller
	expected=$output
	assert_line "7 1"
	run -0 shim ./caller
	assert_output "$expected"
}

@test "an allocator that makes system calls while it starts does not hang the program" {
	start_echo
	cat >allocator.c <<-'END'
		/* The worst of jemalloc and tcmalloc: calls libc's functions, which are hooked, from within the first malloc(). */
		#include <fcntl.h>
		#include <string.h>
		#include <sys/mman.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		static char *next, *end;
		static int begun;
		static void begin(void)
		{
			char bytes[64];
			int fd = open("/proc/self/maps", O_RDONLY);
			begun = 1;
			(void)!read(fd, bytes, sizeof(bytes));
			fcntl(fd, F_SETFD, FD_CLOEXEC);
			(void)syscall(SYS_gettid);
			(void)!write(-1, bytes, 0);
			close(fd);
		}
		void *malloc(size_t size)
		{
			size_t *at;
			if (!begun) {
				begin();
			}
			size = (size + 31) & ~(size_t)15;
			if (end - next < (long)size) {
				next = mmap(0, size + (8 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
				end = next + size + (8 << 20);
			}
			at = (size_t *)(void *)next;
			*at = size - 16;
			next += size;
			return at + 2;
		}
		void free(void *p) { (void)p; }
		void *calloc(size_t n, size_t size) { return malloc(n * size); }
		void *realloc(void *p, size_t size)
		{
			void *new = malloc(size);
			size_t old = p ? ((size_t *)p)[-2] : 0;
			return p ? memcpy(new, p, old < size ? old : size) : new;
		}
		void *memalign(size_t align, size_t size) { return (void *)(((size_t)malloc(size + align) + align) & ~(align - 1)); }
		void *aligned_alloc(size_t align, size_t size) { return memalign(align, size); }
		int posix_memalign(void **p, size_t align, size_t size) { return (*p = memalign(align, size)) == 0; }
	END
	compile liballocator.so -shared -fPIC <allocator.c
	{
		cat allocator.c
		client_source ''
		echo 'int main(void) { talk(); return talked == 1 ? 0 : 3; }'
	} | compile exported -Wl,--export-dynamic
	begin=$(date +%s%N)
	run -0 shim ./exported
	LD_PRELOAD=$PWD/liballocator.so run -0 shim "$PROGS/traps" wait "$tapped" true
	LD_PRELOAD=$BUILD_DIR/libtlshim.so:$PWD/liballocator.so TLSHIM_POLICY=$POLICY run -0 limited "$PROGS/traps" wait "$tapped" true
	assert [ $((($(date +%s%N) - begin) / 1000000)) -lt 10000 ]
	assert_protected
}

@test "jemalloc and libfaketime work before and behind the shim in LD_PRELOAD" {
	start_echo
	local n=0 other
	for other in "$(ldconfig -p | sed -n 's/.*=> \(.*libjemalloc\.so\.2\)$/\1/p' | head -n 1)" \
		"$(ldconfig -p | sed -n 's/.*=> \(.*libtcmalloc_minimal\.so\.4\)$/\1/p' | head -n 1)" \
		"$(find /usr/lib -name libfaketime.so.1 2>/dev/null | head -n 1)"; do
		[ -n "$other" ] || continue
		n=$((n + 1))
		for list in "$other:$BUILD_DIR/libtlshim.so" "$BUILD_DIR/libtlshim.so:$other"; do
			LD_PRELOAD=$list TLSHIM_POLICY=$POLICY run -0 limited "$PROGS/traps" wait "$tapped" true
			assert_output "the connection is as it was"
		done
		LD_PRELOAD=$other run -0 shim "$PROGS/traps" wait "$tapped" true
	done
	[ "$n" -gt 0 ] || skip "neither jemalloc nor libfaketime here"
	assert_protected
}

@test "programs with jemalloc or tcmalloc linked in, statically and exported, start within a second" {
	start_echo
	local n=0 library begin best took turn
	client_source '' >client.c
	echo 'int main(void) { talk(); return talked == 1 ? 0 : 3; }' >>client.c
	for library in jemalloc tcmalloc_minimal; do
		for how in -Bstatic -Bdynamic; do
			compile "with$how$library" -Wl,--export-dynamic -Wl,--no-as-needed "-Wl,$how" "-l$library" -Wl,-Bdynamic \
				-lstdc++ -lm -lpthread -ldl <client.c 2>/dev/null || continue
			n=$((n + 1))
			best=100000
			for turn in 1 2 3; do
				begin=$(date +%s%N)
				run -0 shim "./with$how$library"
				took=$((($(date +%s%N) - begin) / 1000000))
				best=$((took < best ? took : best))
			done
			assert [ "$best" -lt 1000 ]
		done
	done
	[ "$n" -gt 0 ] || skip "neither of them can be linked here"
	assert_protected
}

@test "calls that succeed leave errno alone, on pipes, files and TLS connections" {
	start_echo
	for build in traps traps.fortify; do
		run -0 shim "$PROGS/$build" errno "$tapped"
		assert_output --regexp '^[0-9]+ calls$'
	done
}

@test "threads that open and close descriptors never lose one to the shim" {
	start_echo
	run -0 shim "$PROGS/traps" churn "$tapped"
	assert_output "nobody lost a descriptor"
	assert_protected
}

# ---- coverage ----

# TLSHIM_FORTIFIED=1 runs all other tests with the programs that were built with -D_FORTIFY_SOURCE=3.
@test "the fortified test programs call every fortified function that is hooked, and the others call none" {
	imports() { nm -D --undefined-only "$@" | sed -n 's/.* U \([^@]*\).*/\1/p' | sort -u; }
	local plain name
	imports "$BUILD_DIR"/progs/*.fortify >fortified
	# No program here calls vsyslog(); syslog() goes the same way.
	for name in $("$BATS_TEST_DIRNAME/../../.build/hooks.sh" | grep '_chk$' | grep -v '^__vsyslog_chk$'); do
		grep -qx "$name" fortified || fail "no fortified program calls $name"
	done
	for plain in "$BUILD_DIR"/progs/*.fortify; do
		run imports "${plain%.fortify}"
		refute_output --partial _chk
	done
}

@test "every function of libc that installed programs import is hooked or classified" {
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	{
		.build/hooks.sh
		sed -n 's/^SURFACE(\([A-Za-z0-9_]*\),.*/\1/p' shim/cli/surface.def
	} | sort -u >"$BATS_TEST_TMPDIR/known"
	grep -vE '^(#|$)' tests/surface/families | sed 's/^[a-z0-9]* *//' >"$BATS_TEST_TMPDIR/families"
	for name in ssh sshd curl wget redis-server nginx memcached haproxy python3.11 python3.13 python3 node nc.openbsd ncat socat \
		bash dash rsync git perl php ruby; do
		PATH=$PATH:/usr/sbin command -v "$name" || true
	done | xargs -r -n 1 readlink -f | sort -u >"$BATS_TEST_TMPDIR/corpus"
	assert [ "$(wc -l <"$BATS_TEST_TMPDIR/corpus")" -ge 6 ]
	run -0 bash -c 'xargs nm -D --undefined-only --with-symbol-versions <"$1/corpus" 2>/dev/null | sed -n "s/.* [Uw] \(.*\)@GLIBC_[0-9].*/\1/p" |
		sort -u | comm -23 - "$1/known" | grep -vxEf "$1/families" >"$1/rest"; cat "$1/rest"' - "$BATS_TEST_TMPDIR"
	# Not libm's functions, whose versions look the same, nor libc's variables.
	{
		nm -D --defined-only "$(ldd "$PYTHON" | sed -n 's/.*libm\.so\.6 => \([^ ]*\).*/\1/p')"
		nm -D --defined-only "$(ldd "$PYTHON" | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')" | grep -E ' [BDVR] '
	} | awk '{ sub(/@.*/, "", $3); print $3 }' | sort -u >"$BATS_TEST_TMPDIR/others"
	run -0 comm -23 "$BATS_TEST_TMPDIR/rest" "$BATS_TEST_TMPDIR/others"
	[ -z "$output" ] || fail "not in hooks.def, surface.def or families: $output"
}

@test "system calls by number that have nothing to do with sockets are passed on as they are" {
	connect_tls "$tapped"
	run -0 limited "$PROGS/traps" numbers
	expected=$output
	assert_output "$(printf 'gettid 1\ngetrandom 8\nstatx 0\nmembarrier 1\nfutex 1\nfutex 1\nunknown 1')"
	run -0 shim "$PROGS/traps" numbers
	assert_output "$expected"
}

@test "a number whose connection was closed in whatever way is an ordinary descriptor afterwards" {
	start_echo
	for build in traps traps.fortify; do
		run -0 shim "$PROGS/$build" reuse "$tapped"
		assert_equal "${#lines[@]}" 8
		assert_line "an instruction: plain"
	done
	assert_protected
}

@test "descriptors that are closed in random ways and come back as connections or files stay what they are" {
	start_echo
	for build in traps traps.fortify; do
		run -0 shim "$PROGS/$build" shuffle "$tapped"
		assert_line "each stayed what it was"
	done
	assert_protected
}

@test "a module of the name service that talks over a stream of its own, within getpwnam(), does so by TLS" {
	start_echo
	cat >module.c <<-END
		#include <arpa/inet.h>
		#include <nss.h>
		#include <pwd.h>
		#include <stdio.h>
		#include <string.h>
		#include <unistd.h>
		#include <errno.h>
		enum nss_status _nss_test_getpwnam_r(const char *name, struct passwd *found, char *buffer, size_t size, int *error)
		{
			struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons($tapped) };
			int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
			FILE *stream;
			at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
			(void)error;
			if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || !(stream = fdopen(fd, "r+"))) {
				return NSS_STATUS_UNAVAIL;
			}
			if (fprintf(stream, "%s\n", name) < 0 || fflush(stream) != 0 || !fgets(buffer, (int)size, stream) ||
			    fclose(stream) != 0 || close(fd) != -1 || errno != EBADF) {
				return NSS_STATUS_UNAVAIL;
			}
			buffer[strcspn(buffer, "\n")] = '\0';
			*found = (struct passwd){ buffer, "x", 4711, 4711, "", "/", "/bin/sh" };
			return NSS_STATUS_SUCCESS;
		}
	END
	compile libnss_test.so.2 -shared -fPIC <module.c
	compile user <<-'END'
		#include <nss.h>
		#include <pwd.h>
		#include <stdio.h>
		int __nss_configure_lookup(const char *database, const char *service);
		int main(int argc, char **argv)
		{
			struct passwd *entry;
			__nss_configure_lookup("passwd", "test");
			for (int turn = 0; turn < 5; turn++) {
				entry = getpwnam(argv[argc - 1]);
				printf("%s %d\n", entry ? entry->pw_name : "nobody", entry ? (int)entry->pw_uid : -1);
			}
			return 0;
		}
	END
	LD_LIBRARY_PATH=$PWD run -0 shim ./user "$MARKER"
	assert_output "$(for turn in 1 2 3 4 5; do echo "$MARKER 4711"; done)"
	assert_protected
}

@test "accept() and accept4() treat flags and addresses as without TLS" {
	run -0 limited "$PROGS/traps" accept "$plain"
	expected=$output
	accept_tls "$port"
	run -0 shim "$PROGS/traps" accept "$port"
	assert_output "$expected"
}

# ---- processes ----

@test "a set-user-ID child does not get the connection, nor a child with file capabilities" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	start_peer peer sink "$port"
	start_tap "$tapped" "$port"
	connect_tls "$tapped"
	cp "$PROGS/exec_child" suid
	cp "$PROGS/exec_child" capable
	chmod 755 . && chown 65534 suid && chmod 4755 suid
	PATH=$PATH:/sbin:/usr/sbin setcap cap_net_raw+ep capable 2>/dev/null || rm capable
	for program in suid capable; do
		[ -e "$program" ] || continue
		run shim "$PROGS/traps" inherit "$tapped" "./$program" "$MARKER"
		refute_output --partial "socket 9"
	done
	assert_protected
}

@test "shells, make and the compiler run beside an open connection, which goes on" {
	start_echo
	printf 'all: two\n\ttouch $@\ntwo: one\n\tsleep 0.1; touch $@\none:\n\tdash -c "exec 3>/dev/null; echo $$$$ >one"\n' >Makefile
	echo 'int main(void) { return 0; }' >empty.c
	for child in "make -s -j2 all" "cc -o empty empty.c && ./empty" "dash -c '(exit 0) | cat; true'" \
		"$PYTHON -c 'import subprocess; subprocess.run([\"true\"], check=True, close_fds=True)'"; do
		run -0 shim "$PROGS/traps" wait "$tapped" "$child"
		assert_output "the connection is as it was"
	done
	assert_protected
}

@test "ten thousand threads cancelled in calls on a connection leave it and the others working" {
	start_echo
	run -0 shim "$PROGS/traps" cancel "$tapped"
	assert_output "10000 cancelled, the connection goes on"
}

# TLSHIM_CANCEL_ROUNDS=10000 is ten thousand times each, and takes two minutes.
@test "threads cancelled in every call that waits leave their connections and the others working" {
	local rounds=${TLSHIM_CANCEL_ROUNDS:-700}
	free_port silent
	start silent "$PYTHON" -c "
import select, socket
listener, poll, clients = socket.create_server(('127.0.0.1', $silent), backlog=512), select.epoll(), {}
poll.register(listener, select.EPOLLIN)
while True:
    for number, _ in poll.poll():
        if number == listener.fileno():
            client = listener.accept()[0]
            clients[client.fileno()] = client
            poll.register(client, select.EPOLLRDHUP)
        else:
            poll.unregister(number)
            clients.pop(number).close()"
	accept_tls "$port"
	connect_tls "$port"
	connect_tls "$silent"
	start_shim server "$PROGS/echo_server" threads "$port"
	wait_listen "$port"
	wait_listen "$silent"
	run -0 within $((30 + rounds / 30)) "$TLSHIM" run --policy "$POLICY" -- "$PROGS/cancel" "$port" "$silent" "$rounds"
	assert_output "28 calls, each cancelled $rounds times, and all goes on"
}

# ---- semantics ----

@test "SIGPIPE comes with the calls that raise it without TLS, and with no others" {
	start_echo
	start_plain
	for build in traps traps.fortify; do
		run -0 limited "$PROGS/$build" sigpipe "$plain"
		expected=$output
		run -0 shim "$PROGS/$build" sigpipe "$tapped"
		assert_output "$expected"
		assert_line --regexp '^write\(fd, "text", 4\): -1 Broken pipe, 1 signals$'
		assert_line --regexp '^read\(fd, &byte, 1\): 0 , 0 signals$'
	done
}

@test "a peer that resets the connection in the midst of the handshake raises no SIGPIPE in read() or connect()" {
	cat >reset.py <<-'END'
		import socket, ssl, struct, sys
		def reset(s):
		    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
		    s.close()
		if sys.argv[1] == "serve":
		    listener = socket.create_server(("127.0.0.1", int(sys.argv[2])))
		    while True:
		        connection = listener.accept()[0]
		        connection.recv(3000)
		        reset(connection)
		incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
		tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
		try:
		    tls.do_handshake()
		except ssl.SSLWantReadError:
		    hello = outgoing.read()
		for turn in range(20):
		    s = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
		    s.sendall(hello)
		    reset(s)
	END
	accept_tls "$port"
	# SIGPIPE would end it, for it has the default action.
	start_shim server "$PYTHON" -c "
import signal, socket
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
listener = socket.create_server(('127.0.0.1', $port))
while True:
    connection = listener.accept()[0]
    try:
        connection.sendall(connection.recv(100))
    except OSError as error:
        print(error.errno, flush=True)
    connection.close()"
	wait_listen "$port"
	"$PYTHON" reset.py connect "$port"
	run -0 gnutls "$port" <<<"$MARKER"
	assert_output --partial "$MARKER"
	assert grep -q '^104$' server.out
	start resetting "$PYTHON" reset.py serve "$tapped"
	wait_listen "$tapped"
	connect_tls "$tapped"
	run -0 shim "$PYTHON" -c "
import signal, socket
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
for turn in range(20):
    try:
        socket.create_connection(('127.0.0.1', $tapped))
    except OSError as error:
        print(error.errno)"
	refute_line 32
	assert_line --regexp '^(104|71)$'
}

@test "clients that send garbage, nothing, half a ClientHello or a reset end no server" {
	printf '\026\003\001\002\000\001\000\001\374\003\003' >half
	random_file garbage 3000
	free_port second third
	accept_tls "$port"
	accept_tls "$second"
	accept_tls "$third"
	start_shim redis redis-server --port "$port" --save '' --bind 127.0.0.1
	start_shim ncat ncat -lk --sh-exec cat 127.0.0.1 "$second"
	start_shim socat socat "TCP-LISTEN:$third,bind=127.0.0.1,backlog=128,reuseaddr,fork" EXEC:cat
	for p in "$port" "$second" "$third"; do
		wait_listen "$p"
		"$PYTHON" - "$p" <<-'END'
			import random, socket, struct, sys
			half, garbage = open("half", "rb").read(), open("garbage", "rb").read()
			random.seed(5)
			for n in range(48):
			    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
			    s.sendall(random.choice((b"", half, garbage, garbage[:random.randrange(400)], b"GET / HTTP/1.0\r\n\r\n",
			        half + garbage, b"\x15\x03\x03\x00\x02\x02\x28", b"\x80\x2e\x01\x03\x01" + garbage[:60])))
			    if n % 3 == 0:
			        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
			    s.close()
		END
	done
	run -0 limited redis-cli --tls --cacert "$PKI/ca.pem" -p "$port" ping
	assert_output PONG
	for p in "$second" "$third"; do
		(echo "$MARKER" && sleep 0.5) | gnutls "$p" >back
		assert_equal "$(cat back)" "$MARKER"
	done
}
