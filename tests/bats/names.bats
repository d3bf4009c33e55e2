#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The name that a program looks up becomes the name that it sends and verifies.

# shellcheck disable=SC2154 # free_port sets them

bats_require_minimum_version 1.5.0
load ../lib/e2e

setup_file() {
	e2e_setup_file
	can_unshare=
	unshare -rm mount --bind /etc/hosts /etc/hosts 2>/dev/null && can_unshare=yes
	export can_unshare
}
setup() {
	e2e_setup
	for name in one two; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.pem \
			-subj "/CN=$name.test" -addext "subjectAltName=DNS:$name.test" -days 30 2>/dev/null
	done
	cat one.pem two.pem >both.pem
	printf '127.0.0.1 localhost one.test two.test three.test one.test.\n' >hosts
	free_port port
	start names "$PYTHON" -u "$BATS_TEST_DIRNAME/../lib/sni_server.py" "$port" one two
	wait_listen "$port"
}
teardown() { e2e_teardown; }

rule() { connect_rule "$port" "trust $PWD/both.pem" "$@"; }

# In a test itself: a skip within `run` is lost.
needs_hosts() { [ -n "${can_unshare:-}" ] || skip "no user namespaces here: /etc/hosts cannot be replaced"; }
# with_hosts COMMAND…: in a mount namespace of its own, where ./hosts is /etc/hosts.
with_hosts() {
	# shellcheck disable=SC2016
	timeout -k 2 30 unshare -rm sh -c 'mount --bind hosts /etc/hosts && exec "$@"' sh "$@"
}
client() { with_hosts "$TLSHIM" run --policy "$POLICY" -- "$PROGS/name_client" "$port" "$@"; }

@test "two names on one address each get their own name sent and verified" {
	needs_hosts
	rule
	for how in gai host host2 host_r host2_r; do
		run -0 client "$how" one.test two.test one.test
		assert_output $'one.test: one.test\ntwo.test: two.test\none.test: one.test'
	done
}

@test "threads that look names up at the same time each connect by their own" {
	needs_hosts
	rule
	names=()
	for _ in {1..8}; do names+=(one.test two.test); done
	run -0 client late "${names[@]}"
	assert_equal "$(sort -u <<<"$output")" $'one.test: one.test\ntwo.test: two.test'
	assert_equal "${#lines[@]}" 16
}

@test "a name is compared without its final dot and its case" {
	needs_hosts
	rule
	run -0 client gai One.TEST.
	assert_output "One.TEST.: one.test"
}

@test "a certificate for another name than the one looked up is refused" {
	needs_hosts
	rule
	run -0 client gai three.test
	assert_line "three.test: EKEYREJECTED"
	assert_line --partial "three.test"
}

@test "an address without a name fails closed, and the log says why" {
	rule
	run -0 shim "$PROGS/name_client" "$port" literal 127.0.0.1
	refute_line "127.0.0.1: one.test"
	assert_line --partial "127.0.0.1: E"
	assert_line --partial "tlshim["
	assert_line --partial "name"
}

@test "an address without a name is fine where the rule names the server" {
	rule "server-name two.test"
	run -0 shim "$PROGS/name_client" "$port" literal 127.0.0.1
	assert_output "127.0.0.1: two.test"
}

@test "a rule by name decides by the name that the program looked up" {
	needs_hosts
	printf 'connect one.test:%s tls {\n\ttrust %s\n}\nconnect two.test:%s deny\n' "$port" "$PWD/both.pem" "$port" >"$POLICY"
	run -0 client gai one.test two.test
	assert_line "one.test: one.test"
	assert_line "two.test: EACCES"
}

@test "localhost is a name like any other" {
	rule "server-name one.test"
	printf 'connect localhost:%s tls {\n\ttrust %s\n\tserver-name two.test\n}\n' "$port" "$PWD/both.pem" >"$POLICY"
	run -0 shim "$PROGS/name_client" "$port" gai localhost
	assert_output "localhost: two.test"
}
