#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The same random sequences of calls over plain TCP and under the shim must have the same results: tests/progs/equiv.c.
# TLSHIM_EQUIV_SEEDS=N runs N sequences (with BATS_TEST_TIMEOUT=SECONDS for many), TLSHIM_EQUIV_FIRST=SEED others than
# those of every day.

# shellcheck disable=SC2154 # port and plain are set by free_port
bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port plain
	accept_tls "$port"
	connect_tls "$port"
}
teardown() { e2e_teardown; }

# Sequences of which a log does not say the same as the other, with the first line that differs.
differences() {
	"$PYTHON" - "$1" "$2" <<-'END'
	import re, sys

	def canonical(line):
	    # HUP with or without ERR: see the list in shim/README.md, as for resets.
	    return re.sub(r"\b(20)?1([89a-f])\b", lambda m: f"{m[1] or ''}1{int(m[2], 16) & 7:x}", line)

	def sequences(path):
	    found, name = {}, None
	    for line in open(path):
	        if line.startswith("== "):
	            name = line.strip()
	            found[name] = []
	        else:
	            found[name].append(line.strip())
	    return found

	plain, tls = (sequences(path) for path in sys.argv[1:])
	for name in plain:
	    for without, with_tls in zip(plain[name], tls.get(name, ["missing"])):
	        if "ECONNRESET" in without + with_tls and without != with_tls:
	            break
	        if canonical(without) != canonical(with_tls):
	            print(f"{name}: plain: {without}; TLS: {with_tls}")
	            break
	END
}

@test "random sequences of calls do the same with TLS as without" {
	local first=${TLSHIM_EQUIV_FIRST:-1} count=${TLSHIM_EQUIV_SEEDS:-300} all
	within $((50 + count / 10)) "$PROGS/equiv" "$plain" "$first" "$count" >without
	within $((50 + count / 10)) "$TLSHIM" run --policy "$POLICY" -- "$PROGS/equiv" "$port" "$first" "$count" >with_tls
	all=$(differences without with_tls)
	# Timers and scheduling differ now and then: what differs twice, differs. After a reset the order of errors may.
	while IFS=: read -r name _; do
		[ -n "$name" ] || continue
		within 30 "$PROGS/equiv" "$plain" "${name##* }" 1 >without
		within 30 "$TLSHIM" run --policy "$POLICY" -- "$PROGS/equiv" "$port" "${name##* }" 1 >with_tls
		differences without with_tls >>again
	done <<<"$all"
	touch again
	echo "$all"
	assert_equal "$(cat again)" ""
}
