# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
}

# example NAME: its script ends well, and what it says at the end is there
example() {
	run timeout 60 "examples/$1/run"
	printf '%s\n' "$output"
	[ "$status" -eq 0 ] && [[ "${lines[-1]}" == "$1: "* ]]
}

@test "the redis example runs as it stands" {
	example redis
}

@test "the web example, nginx before another server, runs as it stands" {
	example web
}

@test "the mail example runs as it stands" {
	example mail
}

@test "the memcached example, with client certificates, runs as it stands" {
	example memcached
}

@test "the demo runs, and all is as it claims" {
	run timeout 120 examples/demo/run
	printf '%s\n' "$output"
	[ "$status" -eq 0 ] && [[ "${lines[-1]}" == "All as claimed"* ]]
}

@test "every policy among the examples is run by a test" {
	for file in examples/*/*.policy; do
		grep -qE "(example |examples/)$(basename "$(dirname "$file")")" "$BATS_TEST_FILENAME"
	done
}

@test "an example leaves no directory behind" {
	mkdir "$BATS_TEST_TMPDIR/tmp"
	TMPDIR=$BATS_TEST_TMPDIR/tmp example redis
	[ -z "$(ls -A "$BATS_TEST_TMPDIR/tmp")" ]
}
