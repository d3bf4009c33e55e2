#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# The page shim/COMPAT.md and the cases of the compatibility suite name the same programs.

bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	sed -n 's/^@test "\(\([^:]\|:[^ ]\)*\): .*/\1/p' tests/compat/*.bats | sort -u >"$BATS_TEST_TMPDIR/cases"
	sed -n 's/^| \([^|]*\) | [^|]* | [^|]* |$/\1/p' shim/COMPAT.md | grep -vx program | sort >"$BATS_TEST_TMPDIR/page"
}

@test "every program on the page has a case, and every case is on the page" {
	run -0 diff "$BATS_TEST_TMPDIR/page" "$BATS_TEST_TMPDIR/cases"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/cases")" -ge 60 ]
}

@test "the page says of each program that it works, works with a note, or does not, and why" {
	run sed -n '/^| program /d; /^|---/d; s/^| .* | \([^|]*\) |$/\1/p' shim/COMPAT.md
	[ "${#lines[@]}" -ge 60 ]
	for line in "${lines[@]}"; do
		assert_regex "$line" '^(works|works with a note: .+|does not work: .+)$'
	done
}
