#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The same random sequences of calls over plain TCP and under the shim must have the same results: tests/progs/equiv.
# TLSHIM_EQUIV_SEEDS=N runs N sequences (with BATS_TEST_TIMEOUT=SECONDS for many: 25 a second), TLSHIM_EQUIV_FIRST=SEED
# those from SEED on instead of new ones.

# shellcheck disable=SC2154 # port, plain and closed are set by free_port
bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	free_port port plain closed
	accept_tls "$port"
	connect_tls "$port"
	connect_tls "$closed"
}
teardown() { e2e_teardown; }

# compare PROGRAM FIRST COUNT
compare() {
	echo "# seeds from $2 on" >&3
	within $((60 + $3 / 2)) "$PYTHON" -B "$LIB/equiv.py" --first "$2" --count "$3" "$plain" "$port" "$closed" "$PROGS/$1" -- \
		"$TLSHIM" run --policy "$POLICY" --
}

@test "sequences of calls that are always the same do the same with TLS as without" {
	compare equiv 1 $((${TLSHIM_EQUIV_SEEDS:-240} / 2))
}

@test "random sequences of calls do the same with TLS as without" {
	local first=${TLSHIM_EQUIV_FIRST:-$((RANDOM * 32768 + RANDOM))}
	compare equiv.fortify "$first" $((${TLSHIM_EQUIV_SEEDS:-240} / 2))
}
