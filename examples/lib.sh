# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the examples share: a directory of their own, free ports, servers that are stopped at the end.
#
# Sourced with the working directory anywhere. Sets $root, $tlshim and $work; on exit everything that start() started
# is stopped by its process id and $work is removed (KEEP=1 keeps it).
set -euo pipefail

# shellcheck disable=SC2034
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$root/$build ;; esac
tlshim=$build/tlshim
python=/usr/bin/python3
[ -x $python ] || python=$(command -v python3 || true)
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
export no_proxy='*' NO_PROXY='*'
unset TLSHIM_POLICY TLSHIM_LOG TLSHIM_LOG_FILE LD_PRELOAD

work=$(mktemp -d "${TMPDIR:-/tmp}/tlshim-example.XXXXXX")
chmod 755 "$work" # servers that give up root still read their files here
started=()

cleanup() {
	local status=$? pid
	trap - EXIT INT TERM HUP
	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in "${started[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
	[ -n "${KEEP:-}" ] || rm -rf "$work"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

fail() {
	printf 'FAILED: %s\n' "$*" >&2
	exit 1
}

# need COMMAND…: all of them, or say which is missing
need() {
	local command
	[ -x "$tlshim" ] || fail "$tlshim is not there: run make first"
	for command in "$@"; do
		command -v "$command" >/dev/null || fail "this needs $command, which is not installed (make deps installs it)"
	done
	[ -n "$python" ] || fail "this needs python3, which is not installed (make deps installs it)"
}

# free_ports N: prints N ports on which nobody listens, outside the range that the kernel gives to clients
free_ports() {
	"$python" - "$1" <<-'PYTHON'
		import random, socket, sys
		held = []
		while len(held) < int(sys.argv[1]):
		    s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
		    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
		    try:
		        s.bind(("::", random.randrange(10240, 32000)))
		        held.append(s)
		    except OSError:
		        s.close()
		print(*[s.getsockname()[1] for s in held])
	PYTHON
}

# start NAME COMMAND…: in the background, its output in $work/NAME.log; $! is its process id
start() {
	local name=$1
	shift
	"$@" </dev/null >"$work/$name.log" 2>&1 &
	started+=($!)
}

# stop PID: one of those that start() started
stop() {
	kill "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

listens() {
	local hex
	hex=$(printf ':%04X ' "$1")
	# address:port, peer, state 0A: the connections are left alone, so that no server sees a probe
	grep -qhE "^ *[0-9]+: [0-9A-F]+${hex}[0-9A-F]+:[0-9A-F]+ 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# wait_for PORT NAME: until somebody listens there; the log of NAME tells why nobody does
wait_for() {
	local i
	for ((i = 0; i < 200; i++)); do
		listens "$1" && return 0
		kill -0 "${started[-1]}" 2>/dev/null || break
		sleep 0.05
	done
	listens "$1" && return 0
	sed 's/^/    /' "$work/$2.log" >&2
	fail "$2 does not listen on port $1"
}

# policy FILE [NAME=VALUE…]: copy a policy into $work, its ports written as @NAME@ filled in; fails unless tlshim check is content
policy() {
	local file=$1 to script='' pair
	to=$work/$(basename "$file")
	shift
	for pair in "$@"; do
		script+="s|@${pair%%=*}@|${pair#*=}|g;"
	done
	sed "$script" "$file" >"$to"
	"$tlshim" check "$to" >"$work/check.out" 2>&1 || { cat "$work/check.out" >&2 && fail "tlshim check"; }
}
