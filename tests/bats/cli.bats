#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# The command: what it refuses, what it hands on to the program, and what it says.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert

setup_file() {
	export BUILD_DIR
	BUILD_DIR=$(cd "$BATS_TEST_DIRNAME/../.." && cd "${BUILD:-build}" && pwd)
	export TLSHIM=$BUILD_DIR/tlshim
	# Readable by every user, unlike bats' own folders.
	export SHARED
	SHARED=$(mktemp -d /tmp/tlshim-cli.XXXXXX)
	chmod 755 "$SHARED"
	cp "$BUILD_DIR/tlshim" "$BUILD_DIR/libtlshim.so" "$SHARED"
	echo 'connect 192.0.2.1:9 deny' >"$SHARED/deny.policy"
	echo 'int main(void) { return 0; }' >"$SHARED/static.c"
	cc -static -o "$SHARED/static" "$SHARED/static.c"
	cc -static-pie -o "$SHARED/static-pie" "$SHARED/static.c"
}

teardown_file() {
	rm -rf "$SHARED"
}

setup() {
	export TLSHIM_POLICY=$SHARED/deny.policy
	unset LD_PRELOAD TLSHIM_LOG TLSHIM_LOG_FILE
	cd "$BATS_TEST_TMPDIR" || return 1
}

as_nobody() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}

# refused CODE SENTENCE: the last run ended with CODE, said SENTENCE and did not start the program.
refused() {
	assert_equal "$status" "$1"
	assert_output --partial "$2"
	refute_output --partial started-it
}

# ---- usage ----

@test "without arguments it shows its commands and exits 2" {
	run -2 "$TLSHIM"
	assert_output --partial "usage: tlshim COMMAND"
	for command in run check explain doctor dev-cert version help; do
		assert_line --regexp "^  $command +"
	done
}

@test "help exits 0, for every command in both forms" {
	run -0 "$TLSHIM" --help
	run -0 "$TLSHIM" help
	for command in run check explain doctor dev-cert version help; do
		run -0 "$TLSHIM" help "$command"
		assert_line --partial "usage: tlshim $command"
		run -0 "$TLSHIM" "$command" --help
		assert_line --partial "usage: tlshim $command"
	done
}

@test "version names tlshim's and wolfSSL's" {
	run -0 "$TLSHIM" --version
	assert_output --regexp '^tlshim 0\.[0-9]+\.[0-9]+ \(wolfSSL 5\.[0-9]+\.[0-9]+\)$'
	run -0 "$TLSHIM" version
}

@test "wrong arguments exit 2 and show the usage" {
	local -a wrong=(
		"frobnicate" "help frobnicate" "help run check" "version now"
		"run" "run --" "run --policy" "run --frobnicate /bin/true"
		"check a b" "check --frobnicate"
		"explain" "explain connect" "explain sideways localhost:1" "explain connect localhost:1 more"
		"explain connect localhost" "explain --policy"
		"dev-cert" "dev-cert --days 0 d" "dev-cert --days x d" "dev-cert --frobnicate d" "dev-cert --days"
		"dev-cert d 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"
	)
	for arguments in "${wrong[@]}"; do
		# shellcheck disable=SC2086
		run "$TLSHIM" $arguments
		assert_equal "$arguments: $status" "$arguments: 2"
		assert_output --partial tlshim
	done
	assert [ ! -e d ]
}

# ---- what run refuses ----

@test "a program that does not exist is exit status 127" {
	run -127 "$TLSHIM" run -- no-such-program-anywhere
	assert_output --partial "command not found"
	run -127 "$TLSHIM" run -- ./no-such-file
	run -127 "$TLSHIM" run -- /nonexistent/program
}

@test "a file that cannot be executed is exit status 126" {
	echo data >file
	run "$TLSHIM" run -- ./file
	refused 126 "cannot be executed: it may not be executed: see its permissions (chmod +x)"
	run "$TLSHIM" run -- "$PWD"
	refused 126 "cannot be executed: it is a directory"
	printf '\177ELF' >damaged
	chmod 755 damaged
	run "$TLSHIM" run -- ./damaged
	refused 126 "cannot be executed: it is damaged, or its #! line leads nowhere"
}

@test "a static program is refused with one clear sentence" {
	for program in static static-pie; do
		run "$TLSHIM" run -- "$SHARED/$program"
		refused 126 "$SHARED/$program is statically linked"
		assert_equal "${#lines[@]}" 1
	done
}

@test "a script whose interpreter is static is refused, through env as well" {
	printf '#!%s\n' "$SHARED/static" >script
	printf '#!/usr/bin/env static\n' >env-script
	chmod 755 script env-script
	run "$TLSHIM" run -- ./script
	refused 126 "static is statically linked"
	PATH=$SHARED:$PATH run "$TLSHIM" run -- ./env-script
	refused 126 "static is statically linked"
}

@test "a script whose interpreter is missing is exit status 127" {
	printf '#!/nonexistent/interpreter\n' >script
	chmod 755 script
	run -127 "$TLSHIM" run -- ./script
	assert_output --partial "/nonexistent/interpreter"
}

@test "a program of another architecture is refused" {
	cp /bin/true foreign
	# e_machine: 0x1234 is nobody's.
	printf '\x34\x12' | dd of=foreign bs=1 seek=18 conv=notrunc status=none
	run "$TLSHIM" run -- ./foreign
	refused 126 "another architecture"
}

@test "a program of another libc is refused" {
	cp /bin/true musl
	interp=$(readelf -l /bin/true | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
	fake=/lib/ld-musl-x86_64.so.1
	[ ${#fake} -le ${#interp} ] || skip "the loader's path is too short to be replaced"
	LC_ALL=C sed -i "s,$interp,$(printf '%s' "$fake" | sed 's/$/\\x00/')$(printf 'x%.0s' $(seq $((${#interp} - ${#fake} - 1))))," musl
	run "$TLSHIM" run -- ./musl
	refused 126 "another C library"
}

@test "a set-user-ID program of somebody else is refused" {
	cp /bin/true "$SHARED/suid"
	if [ "$(id -u)" = 0 ]; then
		chown 65534 "$SHARED/suid"
		chmod 4755 "$SHARED/suid"
		run "$TLSHIM" run -- "$SHARED/suid"
	else
		suid=$(find /usr/bin/passwd /usr/bin/su -perm -4000 2>/dev/null | head -n 1)
		[ -n "$suid" ] || skip "no set-user-ID program here"
		run "$TLSHIM" run -- "$suid"
	fi
	refused 126 "set-user-ID"
}

@test "a program with file capabilities is refused" {
	cp /bin/true capable
	PATH=$PATH:/sbin:/usr/sbin
	setcap cap_net_bind_service+ep capable 2>/dev/null || skip "cannot set file capabilities here"
	run "$TLSHIM" run -- ./capable
	refused 126 "file capabilities"
}

@test "--force starts what cannot be wrapped, with a warning" {
	run -0 "$TLSHIM" run --force -- "$SHARED/static"
	assert_output --partial "UNPROTECTED"
}

@test "a library that the user cannot read keeps the program from starting" {
	mkdir "$SHARED/locked"
	cp "$BUILD_DIR/tlshim" "$BUILD_DIR/libtlshim.so" "$SHARED/locked"
	chmod 000 "$SHARED/locked/libtlshim.so"
	run as_nobody "$SHARED/locked/tlshim" run -- /bin/echo started-it
	refused 126 "cannot be read"
}

@test "a library that is missing keeps the program from starting" {
	mkdir "$SHARED/lonely"
	cp "$BUILD_DIR/tlshim" "$SHARED/lonely"
	run "$SHARED/lonely/tlshim" run -- /bin/echo started-it
	refused 126 "libtlshim.so"
}

@test "a library that the loader cannot use keeps the program from starting" {
	mkdir "$SHARED/broken"
	cp "$BUILD_DIR/tlshim" "$SHARED/broken"
	echo "this is no library, but somebody put it there, long enough to hold a header of an ELF file" \
		>"$SHARED/broken/libtlshim.so"
	run "$SHARED/broken/tlshim" run -- /bin/echo started-it
	refused 126 "would run unprotected"
}

@test "a missing policy keeps the program from starting" {
	run "$TLSHIM" run --policy ./nowhere.policy -- /bin/echo started-it
	refused 1 "nowhere.policy"
}

@test "an error in the policy keeps the program from starting and is shown with file, line and column" {
	printf '# fine\nconnect *:443 tsl\n' >bad.policy
	run "$TLSHIM" run --policy bad.policy -- /bin/echo started-it
	refused 1 "bad.policy:2:15: error:"
	assert_output --partial "tls"
}

@test "a certificate that is missing keeps the program from starting" {
	printf 'accept *:8443 tls { certificate gone.pem; key gone.key }\n' >gone.policy
	run "$TLSHIM" run --policy gone.policy -- /bin/echo started-it
	refused 1 "gone.pem"
}

# ---- what run hands on ----

@test "the program's exit status is the one that the caller sees" {
	for code in 0 1 7 126 255; do
		run "-$code" "$TLSHIM" run -- sh -c "exit $code"
	done
}

@test "the program has tlshim's own process id, and no child that it did not make" {
	cat >family <<-'EOF'
		#!/bin/sh
		echo $$
		read -r children </proc/$$/task/$$/children
		echo "children: $children"
	EOF
	chmod 755 family
	run -0 sh -c "echo \$\$; exec '$TLSHIM' run -- ./family"
	assert_equal "${lines[0]}" "${lines[1]}"
	assert_equal "${lines[2]}" "children: "
}

@test "a signal to tlshim's process reaches the program" {
	"$TLSHIM" run -- sh -c 'trap "echo got it >out; exit 3" TERM; : >ready; while :; do sleep 0.05; done' 3>&- &
	for _ in $(seq 100); do
		[ ! -e ready ] || break
		sleep 0.05
	done
	kill -TERM $!
	wait $! || code=$?
	assert_equal "$code" 3
	assert_equal "$(cat out)" "got it"
}

@test "signals that were ignored stay ignored, and blocked ones blocked" {
	run -0 sh -c "trap '' HUP; '$TLSHIM' run -- grep -E '^Sig(Ign|Blk)' /proc/self/status"
	with=$output
	run -0 sh -c "trap '' HUP; grep -E '^Sig(Ign|Blk)' /proc/self/status"
	assert_equal "$with" "$output"
}

@test "the library comes first in LD_PRELOAD and the other entries keep their order" {
	libm=$(ldconfig -p 2>/dev/null | sed -n 's/.*libm\.so\.6.*=> //p' | head -n 1)
	libm=${libm:-/lib/x86_64-linux-gnu/libm.so.6}
	[ -e "$libm" ] || skip "no libm found"
	LD_PRELOAD="$libm libdl.so.2" run -0 --separate-stderr "$TLSHIM" run -- sh -c 'echo "$LD_PRELOAD"'
	assert_output "$(realpath "$BUILD_DIR")/libtlshim.so:$libm:libdl.so.2"
}

@test "the library is listed once in LD_PRELOAD, also when tlshim starts tlshim" {
	run -0 --separate-stderr "$TLSHIM" run -- "$TLSHIM" run -- sh -c 'echo "$LD_PRELOAD"'
	assert_output "$(realpath "$BUILD_DIR")/libtlshim.so"
}

@test "the program learns the policy as an absolute path, and nothing of the proof" {
	cp "$SHARED/deny.policy" here.policy
	run -0 "$TLSHIM" run --policy here.policy -- sh -c 'echo "$TLSHIM_POLICY"; env | grep PROOF || echo none'
	assert_line "$PWD/here.policy"
	assert_line none
}

@test "the program inherits no descriptor that its caller did not have" {
	run -0 sh -c "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ls /proc/self/fd | sort -n | tr '\n' ' '"
	without=$output
	run -0 sh -c "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; '$TLSHIM' run -- ls /proc/self/fd | awk '\$1 < 1000' | sort -n | tr '\n' ' '"
	assert_equal "$output" "$without"
}

@test "scripts run, also those without a first line and those of env" {
	printf '#!/bin/sh\necho one "$@"\n' >one
	printf 'echo two "$@"\n' >two
	printf '#!/usr/bin/env -S A=b sh -e\necho three $A "$@"\n' >three
	chmod 755 one two three
	run -0 "$TLSHIM" run -- ./one x 'y z'
	assert_output "one x y z"
	run -0 "$TLSHIM" run -- ./two x
	assert_output "two x"
	run -0 "$TLSHIM" run -- ./three x
	assert_output "three b x"
}

@test "the double dash may be left out, and the program's options are its own" {
	run -0 "$TLSHIM" run echo --policy --force
	assert_output -- "--policy --force"
}

@test "-p and -f are --policy and --force" {
	cp "$SHARED/deny.policy" short.policy
	run -0 "$TLSHIM" run -f -p short.policy -- sh -c 'echo "$TLSHIM_POLICY"'
	assert_output "$PWD/short.policy"
	run -0 "$TLSHIM" explain -p short.policy connect 127.0.0.1:1
}

@test "an installed tree works: the library is found in ../lib/tlshim" {
	mkdir -p "$SHARED/usr/bin" "$SHARED/usr/lib/tlshim"
	cp "$BUILD_DIR/tlshim" "$SHARED/usr/bin"
	cp "$BUILD_DIR/libtlshim.so" "$SHARED/usr/lib/tlshim"
	run -0 "$SHARED/usr/bin/tlshim" run -- sh -c 'echo "$LD_PRELOAD"'
	assert_output "$SHARED/usr/lib/tlshim/libtlshim.so"
}

@test "a program of another user is wrapped when it can read the library" {
	run -0 as_nobody "$SHARED/tlshim" run -- sh -c 'grep -c libtlshim.so /proc/self/maps'
	[ "$output" -gt 0 ]
}

@test "one policy serves root's server and others' clients: a key of rules for root need not be readable" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir -p "$SHARED/shared"
	(cd "$SHARED/shared" && "$TLSHIM" dev-cert pki localhost >pki.out)
	chmod 700 "$SHARED/shared/pki"
	printf 'accept *:8443 %s tls {\ncertificate pki/server.pem\nkey pki/server.key\n}\n' "user root" >"$SHARED/shared/root"
	printf 'accept *:8443 %s tls {\ncertificate pki/server.pem\nkey pki/server.key\n}\n' "" >"$SHARED/shared/any"
	run -0 as_nobody "$SHARED/tlshim" run --policy "$SHARED/shared/root" -- echo started-it
	assert_output started-it
	run -1 as_nobody "$SHARED/tlshim" run --policy "$SHARED/shared/any" -- echo started-it
	assert_output --partial "Permission denied"
	refute_line started-it
	run -1 as_nobody "$SHARED/tlshim" check "$SHARED/shared/root"
}

# ---- check, explain, dev-cert ----

@test "check says OK with the number of rules" {
	printf 'connect *:23 deny\naccept *:8080 plain\n' >two.policy
	run -0 "$TLSHIM" check two.policy
	assert_output "two.policy: OK, 2 rules"
	TLSHIM_POLICY=two.policy run -0 "$TLSHIM" check
}

@test "check reports every error with file, line and column and exits 1" {
	printf 'connect *:443 tsl\naccept *:99999 tls\n' >bad.policy
	run -1 "$TLSHIM" check bad.policy
	assert_line --regexp '^bad\.policy:1:15: error: '
	assert_line --regexp '^bad\.policy:2:[0-9]+: error: '
	run -1 "$TLSHIM" check ./nowhere
	assert_output --partial nowhere
}

@test "explain names the rule that wins" {
	printf 'connect *:80 plain\nconnect *:23 deny\n' >two.policy
	run -0 "$TLSHIM" explain --policy two.policy connect example.org:23
	assert_output --partial "two.policy:2"
	assert_output --partial deny
	run -0 "$TLSHIM" explain --policy two.policy accept '[::1]:23'
	refute_output --partial EACCES
	run -1 "$TLSHIM" explain --policy nowhere connect example.org:23
}

@test "dev-cert makes a chain that OpenSSL accepts for every name, and for no other" {
	run -0 "$TLSHIM" dev-cert pki localhost '*.example.org' 192.0.2.7 ::1
	for check in "-verify_hostname localhost" "-verify_hostname a.example.org" "-verify_ip 192.0.2.7" "-verify_ip ::1"; do
		# shellcheck disable=SC2086
		run -0 openssl verify -x509_strict -purpose sslserver -CAfile pki/ca.pem $check pki/server.pem
	done
	run ! openssl verify -CAfile pki/ca.pem -verify_hostname example.net pki/server.pem
	run -0 openssl pkey -in pki/server.key -noout -check
	assert_equal "$(openssl pkey -in pki/server.key -pubout)" "$(openssl x509 -in pki/server.pem -pubkey -noout)"
}

@test "dev-cert keeps its key to itself" {
	umask 000
	run -0 "$TLSHIM" dev-cert pki
	assert_equal "$(stat -c %a pki/server.key)" 600
	assert_equal "$(stat -c %a pki/server.pem)" 644
	assert_equal "$(ls -A pki | tr '\n' ' ')" "ca.pem server.key server.pem "
}

@test "dev-cert overwrites only when forced" {
	"$TLSHIM" dev-cert pki
	before=$(sha256sum pki/*)
	run -1 "$TLSHIM" dev-cert pki
	assert_output --partial "exists already"
	assert_equal "$(sha256sum pki/*)" "$before"
	run -0 "$TLSHIM" dev-cert --force pki
	refute [ "$(sha256sum pki/*)" = "$before" ]
}

@test "dev-cert reports a folder that cannot be made, and names that cannot be certified" {
	run -1 "$TLSHIM" dev-cert /proc/nowhere/pki
	assert_output --partial /proc/nowhere
	run -1 "$TLSHIM" dev-cert pki 'not a name'
	assert [ ! -e pki/server.pem ]
}

@test "the policy that dev-cert prints passes check" {
	"$TLSHIM" dev-cert "pk i" | sed -n '/^    /p' >printed.policy
	run -0 "$TLSHIM" check printed.policy
	assert_output --partial "OK, 2 rules"
}
