#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# `tlshim doctor`: what it says about programs that can be wrapped, and about all the others.

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() {
	e2e_setup_file
	cd "$BATS_FILE_TMPDIR" || return 1
	echo 'int main(void) { return 0; }' >empty.c
	cc -o plain empty.c
	cc -static -o static empty.c
}
setup() {
	e2e_setup
	cp "$BATS_FILE_TMPDIR"/{plain,static} .
}
teardown() { e2e_teardown; }

doctor() { limited "$TLSHIM" doctor "$@"; }
# refuses PROGRAM TEXT…: the verdict is no, on the first line; the texts stand somewhere.
refuses() {
	local program=$1 text
	shift
	run -1 doctor "$program"
	assert_line --index 0 --partial "$program cannot be wrapped: it"
	for text in "$@"; do
		unfolded | grep -qF -- "$text" || fail "no '$text' in: $output"
	done
}
# The output with its folded lines joined.
unfolded() { sed -z 's/\n  */ /g; s/  */ /g' <<<"$output"; }
says() { unfolded | grep -qE -- "$1" || fail "no '$1' in: $output"; }
says_not() { ! unfolded | grep -E -- "$1" || fail "'$1' in: $output"; }
# compile NAME OPTION… <source
compile() { cc -D_GNU_SOURCE -x c -o "$1" - "${@:2}"; }

@test "a program without peculiarities can be wrapped, on the first line, with exit status 0" {
	run -0 doctor nc.openbsd
	assert_line --index 0 "nc.openbsd can be wrapped"
	says '^path /.*bin/nc.openbsd$'
	says '^handled .*\baccept4\b.*\bconnect\b.*\bpoll\b.*\bread\b'
	says '^harmless .*\bgetpeername\b'
	says_not '^NOTE'
}

@test "real servers and clients can be wrapped, and their own TLS is named" {
	for program in nginx curl redis-server; do
		PATH=$PATH:/usr/sbin run -0 doctor "$program"
		assert_line --index 0 "$program can be wrapped, with notes"
		says '^NOTE it has TLS of its own: .*OpenSSL'
		says '^handled .*\bconnect\b'
	done
	PATH=$PATH:/usr/sbin run -0 doctor nginx
	says '^handled .*\bepoll_wait\b.*\bsendfile64?\b.*\bwritev\b'
	says '^fine it can change its user or root \(setuid\): keys and certificates are read before'
}

@test "the libraries are those that the loader maps" {
	for program in curl bash python3-config nginx "$PYTHON"; do
		program=$(PATH=$PATH:/usr/sbin command -v "$program") || continue
		file -b "$program" 2>/dev/null | grep -q script && continue
		run -0 doctor "$program"
		unfolded | sed -n 's/^libraries //p' | tr ' ' '\n' | grep '\.so' | sort -u >ours || true
		# not glibc's own, not the kernel's
		ldd "$program" | awk '/=>|^\t\// { n = split($1, part, "/"); print part[n] }' |
			grep -vE '^(lib(c|m|dl|pthread|rt|util|resolv|anl|mvec)\.so|ld-linux|linux-vdso)' | sort -u >theirs || true
		assert_same theirs ours
	done
}

@test "nothing of the program is executed" {
	compile constructor <<-'END'
		#include <fcntl.h>
		#include <unistd.h>
		__attribute__((constructor)) static void run(void) { close(open("ran", O_CREAT | O_WRONLY, 0600)); }
		int main(void) { return 0; }
	END
	# a loader that leaves a trace when somebody asks it
	printf '#!/bin/sh\ntouch "%s/ran"\n' "$PWD" >ld-linux-trap.so
	chmod 755 ld-linux-trap.so
	cc -o trapped "$BATS_FILE_TMPDIR/empty.c" "-Wl,--dynamic-linker=$PWD/ld-linux-trap.so"
	run -0 doctor ./constructor
	run doctor ./trapped
	assert [ ! -e ran ]
}

@test "static programs cannot be wrapped" {
	refuses ./static "is statically linked" "dynamically linked build"
	if busybox=$(command -v busybox) && ! ldd "$busybox" >/dev/null 2>&1; then
		refuses "$busybox" "is statically linked"
	fi
}

@test "Go programs cannot be wrapped, linked to libc or not" {
	# its linker's note: owner "Go", type 4
	printf '\004\000\000\000\004\000\000\000\004\000\000\000Go\000\000\001\002\003\004' >note
	for program in plain static; do
		objcopy --add-section .note.go.buildid=note --set-section-flags .note.go.buildid=alloc,readonly "$program" go 2>/dev/null
		objcopy --add-section .go.buildinfo=note "$program" go
		chmod 755 go
		refuses ./go "is a Go program" "crypto/tls" "(cgo)"
	done
}

@test "Free Pascal programs cannot be wrapped, linked to libc or not" {
	echo data >fpcdata
	objcopy --add-section .fpcdata=fpcdata plain pascal
	chmod 755 pascal
	refuses ./pascal "is a Free Pascal program" "TLS proxy"
	run -126 "$TLSHIM" run --policy "$POLICY" -- ./pascal
	assert_output --partial "is a Free Pascal program"
	if command -v fpc >/dev/null; then
		printf 'program p; uses cthreads, sockets; begin writeln(fpSocket(2, 1, 0)); end.\n' >p.pas
		fpc -op p.pas >/dev/null
		strip p
		refuses ./p "is a Free Pascal program"
	fi
}

@test "a library made by Go is told of" {
	echo 'int go_thing(void) { return 1; }' | compile libgo.so -shared -fPIC
	echo go >info
	objcopy --add-section .go.buildinfo=info libgo.so
	echo 'int go_thing(void); int main(void) { return go_thing(); }' | compile user -L. -lgo -Wl,-rpath,'$ORIGIN'
	run -0 doctor ./user
	assert_line --index 0 "./user can be wrapped, with notes"
	says '^NOTE libgo.so is made by Go: what it does with sockets itself passes by every hook'
}

@test "programs of another libc, another machine or 32 bits cannot be wrapped, and what they are is named" {
	cc -o musl "$BATS_FILE_TMPDIR/empty.c" -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1
	refuses ./musl "another C library than glibc" "/lib/ld-musl-x86_64.so.1" "Alpine"
	cp plain arm && printf '\267\000' | dd of=arm bs=1 seek=18 conv=notrunc status=none
	cp plain x86 && printf '\001' | dd of=x86 bs=1 seek=4 conv=notrunc status=none
	printf '\003\000' | dd of=x86 bs=1 seek=18 conv=notrunc status=none
	if [ "$(uname -m)" = x86_64 ]; then
		refuses ./arm "is made for another architecture" arm64
	fi
	refuses ./x86 "is made for another architecture" "32-bit x86"
}

@test "a set-user-ID program can be wrapped by its owner alone" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	run -0 doctor /usr/bin/passwd
	assert_line --index 0 "/usr/bin/passwd can be wrapped, with notes"
	says '^NOTE its file is set-user-ID root: it can be wrapped only when that user starts it'
	open=$(mktemp -d /tmp/tlshim-doctor.XXXXXX)
	chmod 755 "$open"
	cp "$TLSHIM" "$open"
	run -1 setpriv --reuid=65534 --regid=65534 --clear-groups "$open/tlshim" doctor /usr/bin/passwd
	rm -rf "$open"
	assert_line --index 0 --partial "/usr/bin/passwd cannot be wrapped: it is set-user-ID or set-group-ID"
	cp plain setgid
	chown 0:65534 setgid && chmod 2755 setgid
	refuses ./setgid "is set-user-ID or set-group-ID" "TLS proxy"
}

@test "a program with file capabilities cannot be wrapped" {
	PATH=$PATH:/sbin:/usr/sbin
	ping=$(command -v ping) || ping=plain
	cp "$ping" capable
	setcap cap_net_raw+ep capable 2>/dev/null || skip "cannot set file capabilities here"
	refuses ./capable "has file capabilities" "ambient"
}

@test "a script is judged by its interpreter, through env and a chain of scripts as well" {
	printf '#!/usr/bin/env nc.openbsd\n' >env-script
	printf '#!%s/env-script\n' "$PWD" >chain
	printf '#!%s/static\n' "$PWD" >of-static
	printf '#!/nonexistent/interpreter -x\n' >of-nothing
	echo 'echo no first line' >shell-text
	chmod 755 env-script chain of-static of-nothing shell-text
	for script in env-script chain; do
		run -0 doctor "./$script"
		assert_line --index 0 "./$script can be wrapped"
		says '^interpreter /.*/nc.openbsd$'
	done
	run -0 doctor ./shell-text
	says '^interpreter /bin/sh$'
	run -1 doctor ./of-static
	assert_line --index 0 --partial "./of-static cannot be wrapped: its interpreter $PWD/static is statically linked"
	run -1 doctor ./of-nothing
	assert_line --index 0 --partial "its interpreter /nonexistent/interpreter does not exist"
	echo 'print(1)' >module.py && sed -i "1i #!$PYTHON" module.py && chmod 755 module.py
	run -0 doctor ./module.py
	assert_line --index 0 --regexp '^\./module\.py can be wrapped'
}

@test "what is no program is said so: missing, a directory, without permission, unreadable, damaged, other files" {
	run -1 doctor no-such-program-anywhere
	assert_line --index 0 "no-such-program-anywhere cannot be wrapped: it does not exist"
	refuses ./missing "does not exist"
	refuses "$PWD" "is a directory"
	refuses /dev/null "is not a regular file"
	cp plain data && chmod 644 data
	refuses ./data "may not be executed"
	printf '\177ELF' >damaged && chmod 755 damaged
	refuses ./damaged "is damaged"
	printf 'a\000b' >binary && chmod 755 binary
	refuses ./binary "neither an ELF program nor a script"
	cc -o orphan "$BATS_FILE_TMPDIR/empty.c" -Wl,--dynamic-linker=/nonexistent/ld-linux.so.9
	refuses ./orphan "asks for a loader that is not there" "/nonexistent/ld-linux.so.9"
}

@test "wrong arguments are exit status 2, and --help explains" {
	for arguments in "" "a b" "--policy" "--frobnicate a" "--policy p"; do
		# shellcheck disable=SC2086
		run -2 doctor $arguments
		assert_output --partial "usage: tlshim doctor [--policy FILE]... PROGRAM"
	done
	run -0 doctor --help
	assert_output --partial "can be wrapped, with notes"
}

@test "calls that pass by the shim are named with what they mean, and who makes them" {
	compile limited <<-'END'
		#include <dlfcn.h>
		int main(void) { return dlmopen(LM_ID_NEWLM, "libm.so.6", RTLD_NOW) == 0; }
	END
	run -0 doctor ./limited
	assert_line --index 0 "./limited can be wrapped, with notes"
	says '^not handled dlmopen$'
	says '^NOTE dlmopen\(\) is not handled \(the program itself calls it\)'
	compile plugins <<-'END'
		#include <dlfcn.h>
		int main(void) { return dlopen("libm.so.6", RTLD_NOW) == 0; }
	END
	run -0 doctor ./plugins
	assert_line --index 0 "./plugins can be wrapped"
	says '^fine it can load further libraries while it runs \(dlopen\)'
}

@test "liburing, and a ring that is made by a system call of the program's own, are told of" {
	compile ring <<-'END'
		static long ring(void *p)
		{
		#if defined(__x86_64__)
			long rc;
			__asm__ volatile("movl $425, %%eax\n\tsyscall" : "=a"(rc) : "D"(1), "S"(p) : "rcx", "r11", "memory");
			return rc;
		#elif defined(__aarch64__)
			register long x0 __asm__("x0") = 1, x1 __asm__("x1") = (long)p;
			__asm__ volatile("mov x8, #425\n\tsvc #0" : "+r"(x0) : "r"(x1) : "x8", "memory");
			return x0;
		#endif
		}
		int main(void) { return (int)ring(0); }
	END
	run -0 doctor ./ring
	assert_line --index 0 "./ring can be wrapped, with notes"
	says '^NOTE it can use io_uring: a system call in its own code \(the program itself\)'
	LD_PRELOAD=$(ldconfig -p | sed -n 's/.*=> \(.*liburing\.so\.2\)$/\1/p' | head -n 1)
	[ -n "$LD_PRELOAD" ] || skip "no liburing here"
	export LD_PRELOAD
	run -0 doctor ./plain
	unset LD_PRELOAD
	says '^NOTE it can use io_uring: .*liburing \('
}

@test "resolvers, allocators, sandboxes and TLS that are linked in are told of" {
	compile all -Wl,--export-dynamic <<-'END'
		int ares_getaddrinfo(void) { return 0; }
		int wolfSSL_connect(void) { return 0; }
		void *malloc(unsigned long n) { (void)n; return 0; }
		const char trace[] = "../ssl/" "ssl_lib.c", crate[] = "registry/src/rustix" "-0.38.31/src/net";
		int seccomp_load(void *) __attribute__((weak));
		int main(void) { return seccomp_load ? seccomp_load(0) : trace[0] + crate[0]; }
	END
	run -0 doctor ./all
	says '^NOTE it can ask name servers by itself: c-ares, linked in \(the program itself\).*server-name'
	says '^NOTE it has TLS of its own: .*wolfSSL, linked in \(the program itself\)'
	says '^NOTE it has TLS of its own: .*OpenSSL, linked in \(the program itself\)'
	says '^NOTE it can filter system calls: libseccomp'
	says '^NOTE it can make system calls by itself: rustix'
	says '^fine its memory comes from an allocator linked in'
}

@test "a program that defines a hooked function itself is told of, for its own comes first" {
	compile own -Wl,--export-dynamic <<-'END'
		int connect(int fd, const void *addr, unsigned len) { return fd + (addr != 0) + (int)len; }
		int main(void) { return connect(0, 0, 0); }
	END
	run -0 doctor ./own
	says '^NOTE it defines functions itself that the shim has to see: connect\.'
}

@test "a library that is not found is told of" {
	echo 'int gone(void) { return 1; }' | compile libgone.so -shared -fPIC
	echo 'int gone(void); int main(void) { return gone(); }' | compile user -L. -lgone
	rm libgone.so
	run -0 doctor ./user
	assert_line --index 0 "./user can be wrapped, with notes"
	says '^NOTE libgone.so was not found'
}

@test "names of files reach the terminal escaped" {
	cp plain $'evil\e[31m\nname'
	run -0 doctor $'./evil\e[31m\nname'
	refute_output --partial $'\e'
	assert_line --index 0 './evil\x1b[31m\x0aname can be wrapped'
	cc -o soname "$BATS_FILE_TMPDIR/empty.c" -Wl,--no-as-needed -Wl,--dynamic-linker=$'/nonexistent/ld-linux\e]0;x'
	run -1 doctor ./soname
	refute_output --partial $'\e'
}

@test "a policy is measured against the program" {
	cat >names.policy <<-END
		connect *.example.org:443 tls { trust $PKI/ca.pem; }
		accept *:8443 program other tls { certificate $PKI/server.pem; key $PKI/server.key; }
	END
	sed -i 's/; }/\n}/; s/{ /{\n/; s/; /\n/' names.policy
	compile silent <<-'END'
		#include <sys/socket.h>
		int main(void) { return connect(0, 0, 0); }
	END
	run -0 doctor --policy names.policy ./silent
	assert_line --index 0 "./silent can be wrapped, with notes"
	says 'NOTE .*names.policy:1: connect \*\.example\.org:443 tls: goes by name, and this program looks no names up'
	says '^fine 1 of 2 rules in .*names.policy can hold for it'
	run -0 doctor --policy names.policy nc.openbsd
	says_not 'goes by name'
	printf 'accept *:8443 program other deny\n' >others.policy
	run -0 doctor --policy names.policy --policy others.policy nc.openbsd
	says '^NOTE no rule in .*others.policy can hold for it: all its connections stay plain'
	echo 'accept *:1 frobnicate' >bad.policy
	run -1 doctor --policy bad.policy nc.openbsd
	assert_output --partial "bad.policy:1:"
	refute_output --partial "can be wrapped"
}

@test "damaged files end in a sentence, not in a crash" {
	size=$(stat -c %s plain)
	for at in 1 4 16 20 63 64 200 500 1000 4000 $((size / 2)) $((size - 100)); do
		head -c "$at" plain >cut && chmod 755 cut
		run doctor ./cut
		assert [ "$status" -le 1 ]
		assert_line --index 0 --regexp '^\./cut can(not)? be wrapped'
	done
	"$PYTHON" - plain <<-'END'
		import random, sys
		good = open(sys.argv[1], "rb").read()
		random.seed(1)
		for n in range(40):
		    data = bytearray(good)
		    for _ in range(30):
		        data[random.choice((random.randrange(1024), random.randrange(len(data))))] = random.randrange(256)
		    open(f"flipped-{n}", "wb").write(data)
	END
	for n in $(seq 0 39); do
		chmod 755 "flipped-$n"
		run doctor "./flipped-$n"
		assert [ "$status" -le 1 ]
		assert_line --index 0 --regexp '^\./flipped-[0-9]+ can(not)? be wrapped'
	done
}
