#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# Libc's functions against our tables: each is hooked (shim/hooks.def), classified by name (shim/cli/surface.def) or of a
# family that has nothing to do with sockets (tests/surface/families). A new libc with a new call fails here.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert

setup_file() {
	export ROOT BUILD_DIR LIBC
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	BUILD_DIR=$(cd "$ROOT" && cd "${BUILD:-build}" && pwd)
	LIBC=$(ldd "$(command -v bash)" | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')
	cd "$BATS_FILE_TMPDIR" || return 1
	"$ROOT/.build/hooks.sh" | sort -u >hooks
	sed -n 's/^SURFACE(\([A-Za-z0-9_]*\),.*/\1/p' "$ROOT/shim/cli/surface.def" | sort >classified
	grep -vE '^(#|$)' "$ROOT/tests/surface/families" | sed 's/^[a-z0-9]* *//' >families
	# Functions (indirect ones too) that programs may bind to.
	nm -D --defined-only --with-symbol-versions "$LIBC" | awk '$2 ~ /[TtWi]/ && $3 !~ /@GLIBC_PRIVATE/ { sub(/@.*/, "", $3); print $3 }' |
		sort -u >libc
}
setup() { cd "$BATS_FILE_TMPDIR" || return 1; }

# unclassified <NAMES
unclassified() { sort -u | comm -23 - <(sort -u hooks classified) | grep -vxEf families || true; }

@test "every function of this libc is hooked, classified or of a family" {
	assert [ "$(wc -l <libc)" -gt 1500 ]
	run -0 unclassified <libc
	[ -z "$output" ] || fail "not in hooks.def, surface.def or families: $output"
}

@test "every function that newer libcs have is, too" {
	run -0 unclassified < <(grep -v '^#' "$ROOT/tests/surface/newer" | cut -d' ' -f2- | tr ' ' '\n')
	[ -z "$output" ] || fail "not in hooks.def, surface.def or families: $output"
}

@test "a call that libc might get next year is not swallowed by a family" {
	tr ' ' '\n' >invented <<-'END'
		accept5 accept6 acceptx connectx connect2 socketat socket2 sendmsg2 sendv recvv sendfilev send_zc recv_zc sendto64
		read2 readv2 preadv3 pwritev3 __write_chk __send_chk __readv_chk __writev_chk __sendto_chk __recvmsg_chk write64
		poll2 ppoll2 pollv select64 pselect2 epoll_pwait3 epoll_wait2 epoll_create2 epoll_ctlv kqueue
		close2 close_fds closefd dup4 dupfd dup_range fdup fcntl2 ioctl64 fd_reopen splice2 splicev tee2
		fork2 forkat rfork clone3 __clone2 vforkx execveat2 execvat posix_spawn2 posix_spawnat pidfd_fork pidfd_dup
		io_uring_setup io_uring_enter io_submit aio_readv aio_writev getaddrinfo2 gethostbyname3 resolve_name
		fdopenat fdopen2 shutdown2 setsockopt2 getsockopt64 recvmmsg64 sendmmsg64 dprintf_l vdprintf_l popen2 system2
	END
	sed -i '/^$/d' invented
	run -0 unclassified <invented
	assert_equal "$output" "$(sort -u invented)"
}

@test "no name is classified twice, every family is at work, and every line has the form that the test expects" {
	run -0 uniq -d classified
	assert_output ""
	run -0 comm -12 hooks classified
	[ -z "$output" ] || fail "hooked now, take it out of surface.def: $output"
	assert_equal "$(grep -c '^SURFACE(' "$ROOT/shim/cli/surface.def")" \
		"$(grep -cE '^SURFACE\([A-Za-z0-9_]+, (HARMLESS|COVERED|LIMITED), "' "$ROOT/shim/cli/surface.def")"
	assert_equal "$(wc -l <hooks)" "$(grep -c '^HOOK(' "$ROOT/shim/hooks.def")"
	while read -r family; do
		grep -qxE -- "$family" libc || fail "no function of this libc is of the family $family"
	done <families
}

@test "the library exports the names of shim/hooks.def, and nothing else" {
	nm -D --defined-only "$BUILD_DIR/libtlshim.so" | awk '{ print $3 }' | sed 's/@.*//' | sort >exported
	run -0 diff hooks exported
}

@test "the calls that every shim has to see are hooked, or it is said why not" {
	# sockets and data, with fortified, 64-bit and internal twins; descriptors; waiting; streams; processes; names
	for name in socket connect __connect accept accept4 shutdown close __close close_range closefrom dup dup2 __dup2 dup3 \
		fcntl fcntl64 __fcntl ioctl getsockopt setsockopt sockatmark read __read __read_chk readv preadv2 preadv64v2 \
		recv __recv_chk recvfrom __recvfrom_chk recvmsg recvmmsg write __write writev pwritev2 pwritev64v2 send __send \
		sendto sendmsg sendmmsg sendfile sendfile64 splice dprintf vdprintf __dprintf_chk __vdprintf_chk poll __poll \
		__poll_chk ppoll __ppoll_chk select __select pselect epoll_ctl epoll_wait epoll_pwait epoll_pwait2 fdopen fclose \
		fcloseall freopen freopen64 fork __fork _Fork daemon clone __clone posix_spawn posix_spawnp execve execv execvp execvpe \
		execl execle execlp fexecve execveat system popen _exit _Exit getaddrinfo gethostbyname gethostbyname2 \
		gethostbyname_r gethostbyname2_r getaddrinfo_a gai_error aio_read aio_read64 aio_write aio_write64 lio_listio \
		lio_listio64 syscall setuid chroot pidfd_spawn pidfd_spawnp dlopen; do
		grep -qx "$name" hooks || fail "$name is not hooked"
	done
	for name in vfork __vfork quick_exit epoll_create epoll_create1 getpeername getsockname pread lseek tee vmsplice \
		copy_file_range freeaddrinfo getnameinfo dlmopen; do
		grep -qx "$name" classified || grep -qxE -f families <<<"$name" || fail "$name is not explained"
	done
}

@test "the library needs no function that glibc 2.31 lacks" {
	# Where a newer version of a name is bound, glibc 2.31 must have had an older one. Not counted: what the C compiler's
	# own support code takes if it is there, the names that headers give to old functions, and what log.h and ready.c do without.
	objdump -T "$BUILD_DIR/libtlshim.so" | sed -n 's/.*UND.*(\{0,1\}GLIBC_\([0-9.]*\))\{0,1\} *\(.*\)/\1 \2/p' >needed
	assert [ "$(wc -l <needed)" -gt 50 ]
	nm -D --with-symbol-versions "$LIBC" | awk '{ sub(/@+GLIBC_/, " ", $3); print $3 }' >versions
	while read -r version name; do
		[ "$(printf '%s\n2.31\n' "$version" | sort -V | tail -n 1)" != 2.31 ] || continue
		case $name in
		_dl_find_object | __isoc23_* | stat | fstat | lstat | strerrordesc_np | __libc_single_threaded) continue ;;
		esac
		older=$(awk -v name="$name" '$1 == name { print $2 }' versions | sort -V | head -n 1)
		[ "$(printf '%s\n2.31\n' "${older:-99}" | sort -V | tail -n 1)" = 2.31 ] ||
			echo "$name is of glibc $version"
	done <needed >too-new
	run -0 cat too-new
	assert_output ""
}

@test "every test that tests/PITFALLS.md names exists, and every pitfall has one" {
	cd "$ROOT/tests" || return 1
	local n=0 section='' named=1 file title
	while IFS= read -r line; do
		case $line in
		'### '*)
			[ "$named" -gt 0 ] || fail "no test for: $section"
			n=$((n + 1)) section=${line#'### '} named=0
			[[ $section == "$n. "* ]] || fail "not number $n: $section"
			;;
		'- `'*)
			file=${line#'- `'} && title=${file#*'`: '} && file=${file%%'`'*}
			named=$((named + 1))
			case $file in
			*.bats) grep -qF -- "@test \"${title//\"/\\\"}\" {" "$file" || fail "$file has no test '$title'" ;;
			*.c) grep -qE "cmocka_unit_test[a-z_]*\\($title[,)]" "$file" || fail "$file has no test '$title'" ;;
			*) fail "what kind of test is $file?" ;;
			esac
			;;
		esac
	done <PITFALLS.md
	[ "$named" -gt 0 ] || fail "no test for: $section"
	assert_equal "$n" 40
}
