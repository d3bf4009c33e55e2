# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the end-to-end tests share. A bats file says
#
#   bats_require_minimum_version 1.5.0
#   load ../lib/e2e
#   setup_file() { e2e_setup_file; }
#   setup() { e2e_setup; }
#   teardown() { e2e_teardown; }
#
# and has in each test: $PKI (certificates of tests/pki/make), $PROGS, $PYTHON, an empty current directory, and the
# functions below. Whatever `start` started is ended after the test, by its process group.

bats_load_library bats-support
bats_load_library bats-assert

e2e_setup_file() {
	local root
	root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
	BUILD_DIR=$(cd "$root" && cd "${BUILD:-build}" && pwd)
	PYTHON=$(python3 -c 'import sys; print(sys.executable)')
	TLSHIM=$BUILD_DIR/tlshim PKI=$BUILD_DIR/pki PROGS=$BUILD_DIR/progs LIB=$root/tests/lib
	export BUILD_DIR PYTHON TLSHIM PKI PROGS LIB
	[ -z "${TLSHIM_FORTIFIED:-}" ] || fortify_progs
	export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-60}
	"$root/tests/pki/make" "$PKI"
}

# TLSHIM_FORTIFIED=1: the programs that are wrapped are those that were built with -D_FORTIFY_SOURCE=3.
fortify_progs() {
	local program built folder=$BUILD_DIR/progs-fortified
	mkdir -p "$folder"
	for program in "$PROGS"/*; do
		program=${program%.fortify}
		built=$program.fortify
		[ -x "$built" ] || built=$program
		ln -sfn "$built" "$folder/${program##*/}"
		ln -sfn "$built" "$folder/${program##*/}.fortify"
	done
	PROGS=$folder
}

e2e_setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	unset LD_PRELOAD TLSHIM_POLICY TLSHIM_LOG TLSHIM_LOG_FILE
	POLICY=$PWD/policy
	: >"$POLICY"
	MARKER=marker-$RANDOM$RANDOM$RANDOM-never-in-clear
	STARTED=() CLAIMED=()
}

# Says what the processes of a failed test said.
e2e_teardown() {
	local name
	for name in "${STARTED[@]}"; do
		kill_group "$name"
	done
	for name in "${CLAIMED[@]}"; do
		rmdir "$name"
	done
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		sed 's/^/policy: /' "$POLICY"
		for name in *.err *.log; do
			[ ! -s "$name" ] || { echo "-- $name:" && tail -c 1500 "$name"; }
		done
	fi
	rm -rf tap bulk
	cd /
}

# ---- waiting ----

# until_true SECONDS COMMAND…: wait until COMMAND succeeds.
until_true() {
	local deadline=$(($(date +%s%N) + $1 * 1000000000))
	shift
	until "$@"; do
		if (($(date +%s%N) >= deadline)); then
			echo "not in time: $*" >&2
			return 1
		fi
		sleep 0.02
	done
}

# Is there a TCP listener on this port? From /proc: a probe would be a connection that the program sees.
is_listening() {
	awk -v end="$(printf ':%04X' "$1")" '
		$4 == "0A" && substr($2, length($2) - 4) == end { found = 1 }
		END { exit !found }' /proc/net/tcp /proc/net/tcp6
}
wait_listen() { until_true "${2:-15}" is_listening "$1"; }

file_has() { grep -qaE -e "$2" -- "$1" 2>/dev/null; }
# wait_text FILE ERE [SECONDS]: until a line of FILE matches.
wait_text() { until_true "${3:-15}" file_has "$1" "$2"; }

size_is() { [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]; }
# wait_size FILE BYTES [SECONDS]
wait_size() { until_true "${3:-15}" size_is "$1" "$2"; }

# ---- ports ----

# free_port VARIABLE…: ports that nobody listens on and no other test has claimed, below the ephemeral ones.
free_port() {
	local variable chosen claims=/tmp/tlshim-ports-$UID
	mkdir -p "$claims"
	# another test may be at the same ones
	find "$claims" -mindepth 1 -maxdepth 1 -mmin +30 -exec rmdir {} + 2>/dev/null || true
	for variable in "$@"; do
		while :; do
			chosen=$((10240 + RANDOM % 22000))
			if mkdir "$claims/$chosen" 2>/dev/null; then
				CLAIMED+=("$claims/$chosen")
				is_listening "$chosen" || break
			fi
		done
		printf -v "$variable" %s "$chosen"
	done
}

# ---- policies ----

# accept_tls PORT [OPTION…]: the program's listener on PORT speaks TLS, with the good certificate.
accept_tls() {
	local port=$1
	shift
	accept_rule "$port" "certificate $PKI/server.pem" "key $PKI/server.key" "$@"
}
# connect_tls PORT [OPTION…]: the program's connections to PORT speak TLS and trust our CA.
connect_tls() {
	local port=$1
	shift
	connect_rule "$port" "trust $PKI/ca.pem" "server-name localhost" "$@"
}
accept_rule() { printf 'accept *:%s tls {\n%s}\n' "$1" "$(printf '\t%s\n' "${@:2}")"$'\n' >>"$POLICY"; }
connect_rule() { printf 'connect *:%s tls {\n%s}\n' "$1" "$(printf '\t%s\n' "${@:2}")"$'\n' >>"$POLICY"; }

# ---- processes ----

# shim COMMAND…: run it wrapped, 30 seconds at most.
shim() { timeout -k 2 30 "$TLSHIM" run --policy "$POLICY" -- "$@"; }
limited() { timeout -k 2 30 "$@"; }
# within SECONDS COMMAND…: for those that need longer.
within() { timeout -k 2 "$@"; }

# start NAME COMMAND…: in the background and in its own process group; input from $IN, output in NAME.out and NAME.err.
# Its pid is in pid_NAME.
start() {
	local name=$1
	shift
	setsid "$@" <"${IN:-/dev/null}" >"$name.out" 2>"$name.err" 3>&- &
	printf -v "pid_$name" %s $!
	STARTED+=("$name")
}
start_shim() { start "$1" "$TLSHIM" run --policy "$POLICY" -- "${@:2}"; }

is_gone() { ! kill -0 "$1" 2>/dev/null; }
# wait_exit NAME [SECONDS]: until it ended by itself; sets $status.
wait_exit() {
	local variable=pid_$1
	until_true "${2:-20}" is_gone "${!variable}"
	status=0
	# shellcheck disable=SC2034 # for the test
	wait "${!variable}" || status=$?
}

# The process and all that it started. Not the group of bats itself: setsid may not have run yet.
kill_group() {
	local variable=pid_$1
	kill -CONT -- "-${!variable}" 2>/dev/null || true
	kill -TERM -- "-${!variable}" 2>/dev/null || kill -TERM "${!variable}" 2>/dev/null || return 0
	until_true 3 is_gone "${!variable}" 2>/dev/null || kill -KILL -- "-${!variable}" 2>/dev/null
	wait "${!variable}" 2>/dev/null || true
}
stop() { kill_group "$1"; }

# ---- data ----

# random_file FILE BYTES: incompressible, without a seek through /dev/random: fast even for 100 MiB.
random_file() {
	openssl enc -aes-128-ctr -pass "pass:$1$RANDOM" -nosalt -md sha256 </dev/zero 2>/dev/null | head -c "$2" >"$1"
}
checksum() { sha256sum <"$1" | cut -d' ' -f1; }
assert_same() {
	assert [ -e "$2" ]
	cmp -- "$1" "$2" || fail "$1 and $2 differ: $(stat -c %s "$1") and $(stat -c %s "$2") bytes"
}

# ---- the wire ----

# start_tap LISTEN TARGET [OPTION…]: a relay that records each connection in tap/N.up and tap/N.down.
start_tap() {
	mkdir -p tap
	start tap "$PROGS/tap" "${@:3}" "$1" "$2" tap
	wait_listen "$1"
}
# All that passed the tap so far is TLS records from the first byte on, in both directions, and MARKER is not among it.
assert_protected() { run -0 "$PYTHON" "$LIB/records.py" tap "$MARKER"; }

# ---- independent TLS peers, each of which verifies the certificate ----

# s_client PORT [OPTION…]: OpenSSL; ends when the server ends the connection.
s_client() {
	limited openssl s_client -connect "127.0.0.1:$1" -servername localhost -verify_hostname localhost \
		-CAfile "$PKI/ca.pem" -verify_return_error -quiet "${@:2}" 2>>s_client.log
}
# gnutls PORT: GnuTLS; half-closes at the end of its input.
gnutls() {
	limited gnutls-cli --x509cafile "$PKI/ca.pem" --logfile gnutls.log --port "$1" "${@:2}" localhost
}
tls_curl() { limited curl -sS --fail --cacert "$PKI/ca.pem" --max-time 25 "$@"; }
# peer MODE…: Python's ssl, see peer.py.
peer() { limited "$PYTHON" "$LIB/peer.py" --pki "$PKI" "$@"; }
# start_peer NAME MODE PORT…: a server of peer.py.
start_peer() {
	start "$1" "$PYTHON" "$LIB/peer.py" --pki "$PKI" "${@:2}"
	wait_listen "$3"
}
# start_s_server NAME PORT [OPTION…]
start_s_server() {
	start "$1" openssl s_server -accept "127.0.0.1:$2" -cert "$PKI/server.pem" -key "$PKI/server.key" "${@:3}"
	wait_listen "$2"
}
# start_gnutls_serv NAME PORT [OPTION…]
start_gnutls_serv() {
	start "$1" gnutls-serv --port "$2" --x509certfile "$PKI/server.pem" --x509keyfile "$PKI/server.key" "${@:3}"
	wait_listen "$2"
}
