#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# speed: fast
#
# The policy language as users meet it: tlshim check and tlshim explain.

bats_require_minimum_version 1.5.0
load ../lib/e2e
setup_file() { e2e_setup_file; }
setup() {
	e2e_setup
	cp "$PKI"/{server,client,ca,under-inter,chain-under-inter,expired,client-plain}.pem .
	cp "$PKI"/{server,client,under-inter,expired,client-plain}.key .
	chmod 600 ./*.key
}
teardown() { e2e_teardown; }

# policy: the policy is what comes in.
policy() { cat >"$POLICY"; }

check() { run --separate-stderr "$TLSHIM" check "$POLICY"; }

# Messages on stderr begin with the file's name as it was given.
says() { grep -qF -- "$1" <<<"$stderr" || { echo "not said: $1" && echo "$stderr" && return 1; }; }
silent() { [ -z "$stderr" ] || { echo "$stderr" && return 1; }; }

explain() { run --separate-stderr "$TLSHIM" explain --policy "$POLICY" "$@"; }

@test "a good policy with its files passes without a word on stderr" {
	policy <<-'END'
		# comment
		default {
		    trust ca.pem
		    versions 1.2-1.3
		}
		accept *:8443 tls {
		    certificate chain-under-inter.pem
		    key         under-inter.key
		    client-auth require
		    allow-peer  "spiffe://example.org/reporting" "*.batch.example.org"
		}
		connect *.redis.internal:6379, [fd00::]/8:6379 tls { certificate client.pem; key client.key }
		connect *:23 deny
	END
	check
	assert_success
	silent
}

@test "check exits 1 and reports every mistake with file, line and column" {
	policy <<-'END'
		connect example.org:70000 tls
		accept *:443 tsl {
		    certficate server.pem
		}
		connect [::1:25 deny
	END
	check
	assert_equal "$status" 1
	says "$POLICY:1:9: error: found port '70000'"
	says "$POLICY:2:14: error: found 'tsl', expected an action"
	says "(did you mean 'tls'?)"
	says "$POLICY:3:5: error: found 'certficate'"
	says "(did you mean 'certificate'?)"
	says "$POLICY:5:9: error: found '[::1:25'"
	[ "$(grep -c error: <<<"$stderr")" = 4 ]
}

@test "a missing file is named with its place, its whole path and the reason" {
	printf 'accept *:443 tls {\n\tcertificate no.pem\n\tkey server.key\n}\n' | policy
	check
	assert_equal "$status" 1
	says "$POLICY:2:14: error: cannot read certificate $PWD/no.pem: No such file or directory"
}

@test "files are looked for beside the policy, not in the current directory" {
	mkdir sub
	echo 'connect *:443 tls { trust ca.pem }' >sub/policy
	run --separate-stderr "$TLSHIM" check sub/policy
	assert_equal "$status" 1
	says "$PWD/sub/ca.pem: No such file"
	mv ca.pem sub
	run --separate-stderr "$TLSHIM" check sub/policy
	assert_success
}

@test "a key that belongs to another certificate is refused" {
	echo 'accept *:443 tls { certificate server.pem; key client.key }' | policy
	check
	assert_equal "$status" 1
	says "the private key does not belong to the certificate"
}

@test "an expired certificate is an error that says for how long" {
	echo 'accept *:443 tls { certificate expired.pem; key expired.key }' | policy
	check
	assert_equal "$status" 1
	says "expired 10 days ago"
}

@test "a key that others can read earns a warning and the policy still passes" {
	chmod 644 under-inter.key
	echo 'accept *:443 tls { certificate chain-under-inter.pem; key under-inter.key }' | policy
	check
	assert_success
	says "warning: key $PWD/under-inter.key can be read by others (mode 0644)"
}

@test "verify none, shadowed rules and a lone certificate earn warnings" {
	policy <<-'END'
		connect *:443 tls { verify none }
		connect example.org:443 deny
		accept *:443 tls { certificate under-inter.pem; key under-inter.key }
	END
	check
	assert_success
	says "$POLICY:1:21: warning: verify none"
	says "$POLICY:2:1: warning: this rule can never win: the rule in line 1"
	says "$POLICY:3:32: note: the chain in $PWD/under-inter.pem may be incomplete"
}

@test "starttls and permissive are refused by check, since they would protect nothing yet" {
	policy <<-'END'
		connect mail.example.org:25 starttls smtp
		accept *:8080 permissive { certificate server.pem; key server.key }
	END
	check
	assert_equal "$status" 1
	says "$POLICY:1:1: error: starttls is not available in this version"
	says "$POLICY:2:1: error: permissive is not available in this version"
}

@test "TLS 1.0 and 1.1 need profile legacy in the same rule, and are told loudly even then" {
	printf 'connect *:443 tls {\n    trust ca.pem\n    versions 1.0-1.3\n}\n' | policy
	check
	assert_equal "$status" 1
	says "$POLICY:3:14: error: TLS 1.0 and 1.1 need 'profile legacy' in the same rule"
	echo 'default { profile legacy }' | policy
	check
	assert_equal "$status" 1
	says "'profile legacy' is for single rules"
	echo 'connect *:443 tls { trust ca.pem; profile legacy; versions 1.0-1.3 }' | policy
	check
	assert_success
	assert_output --partial "OK, 1 rule, 2 warnings"
	says "$POLICY:1:35: warning: profile legacy: allows key exchange without forward secrecy"
	says "$POLICY:1:51: warning: versions 1.0-1.3: TLS 1.0 and 1.1 rest on MD5 and SHA-1"
}

@test "a cipher suite that is misspelt, unknown to the profile or without its version is refused at its place" {
	echo 'connect *:443 tls { trust ca.pem; suites TLS_AES_128_GCM_SHA265 }' | policy
	check
	assert_equal "$status" 1
	says "$POLICY:1:42: error: found 'TLS_AES_128_GCM_SHA265', expected the name of a cipher suite"
	says "(did you mean 'TLS_AES_128_GCM_SHA256'?)"
	echo 'connect *:443 tls { trust ca.pem; versions 1.2; suites AES128-SHA }' | policy
	check
	assert_equal "$status" 1
	says "$POLICY:1:56: error: TLS_RSA_WITH_AES_128_CBC_SHA needs profile legacy"
	echo 'connect *:443 tls { trust ca.pem; suites ECDHE-RSA-AES128-GCM-SHA256 }' | policy
	check
	assert_equal "$status" 1
	says "$POLICY:1:35: error: no cipher suite is left for TLS 1.3: name one of that version, or leave the version out"
	echo 'accept *:443 tls { certificate server.pem; key server.key; versions 1.2; suites ECDHE-RSA-AES128-GCM-SHA256 }' | policy
	check
	assert_equal "$status" 1
	says "the certificate of CN=server (EC P-256) can never be used"
}

@test "a program is not started with suites that cannot work" {
	echo 'connect *:443 tls { trust ca.pem; versions 1.3; suites ECDHE-RSA-AES128-GCM-SHA256 }' | policy
	run --separate-stderr "$TLSHIM" run --policy "$POLICY" -- echo started
	assert_equal "$status" 1
	refute_output --partial started
	says "no cipher suite is left for TLS 1.3"
}

@test "ticket keys are 48 random bytes, or as many in hexadecimal, that nobody else may read" {
	head -c 48 /dev/urandom >ticket.key
	head -c 48 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >old.key
	chmod 600 ticket.key old.key
	echo 'accept *:443 tls { certificate chain-under-inter.pem; key under-inter.key; ticket-keys ticket.key old.key }' | policy
	check
	assert_success
	silent
	chmod 644 old.key
	check
	assert_success
	says "warning: ticket key $PWD/old.key can be read by others"
	echo 'short' >old.key
	check
	assert_equal "$status" 1
	says "found 6 bytes in ticket key $PWD/old.key, expected 48 random bytes or 96 hexadecimal digits"
	says "head -c 48 /dev/urandom"
}

@test "as many keys as certificates, each with its own" {
	cp "$PKI"/server-rsa2048.{pem,key} "$PKI"/ca-rsa.pem .
	chmod 600 ./*.key
	cat >pair <<-'END'
		connect *:1 tls { trust ca.pem ca-rsa.pem }
		accept *:443 tls {
		    certificate server.pem; key server.key
		    certificate server-rsa2048.pem; key server-rsa2048.key
		}
	END
	policy <pair
	check
	assert_success
	silent
	sed '3s/server.key/server-rsa2048.key/; 4s/server-rsa2048.key/server.key/' pair | policy
	check
	assert_equal "$status" 1
	says "$POLICY:3:17: error: cannot use certificate $PWD/server.pem with key $PWD/server-rsa2048.key"
	says "$POLICY:4:17: error: cannot use certificate $PWD/server-rsa2048.pem with key $PWD/server.key"
	sed 's/; key server-rsa2048.key//' pair | policy
	check
	assert_equal "$status" 1
	says "$POLICY:3:5: error: found 2 certificates and 1 key, expected a key for each certificate, in the same order"
}

@test "control characters in a policy reach the terminal escaped" {
	printf 'connect \033[31m:443 tls\n' | policy
	check
	assert_equal "$status" 1
	run ! grep -q $'\033' <<<"$stderr"
}

@test "binary rubbish, an endless line and an unclosed block end in errors, not in crashes" {
	head -c 100000 /dev/urandom | policy
	check
	assert_equal "$status" 1
	head -c 900000 /dev/zero | tr '\0' 'a' | policy
	check
	assert_equal "$status" 1
	says "longer than 4096 bytes"
	printf 'connect *:443 tls {' | policy
	check
	assert_equal "$status" 1
	says "expected '}' for the block opened in line 1, column 19"
	head -c 1100000 /dev/zero | tr '\0' '\n' | policy
	check
	assert_equal "$status" 1
	says "larger than the limit"
}

@test "a policy that is not there or is a directory is said so" {
	run --separate-stderr "$TLSHIM" check nowhere/policy
	assert_equal "$status" 1
	says "nowhere/policy: error: cannot read the policy: No such file or directory"
	run --separate-stderr "$TLSHIM" check .
	assert_equal "$status" 1
	says "is a directory"
}

@test "explain names the rule that wins and why earlier ones do not" {
	policy <<-'END'
		connect other.example.org:443 plain
		connect *.example.org:443 tls { trust ca.pem }
		connect *:443 deny
	END
	explain connect www.example.org:443
	assert_success
	assert_output --partial "$POLICY:1: connect other.example.org:443 plain
    does not match: the port fits, but www.example.org"
	assert_output --partial "$POLICY:2: connect *.example.org:443 tls
    wins"
	assert_output --partial "Result: tls"
	assert_output --partial "carry the name www.example.org"
	assert_output --partial "$PWD/ca.pem"
	refute_output --partial "policy:3"
}

@test "explain says that an address without a name is refused by a rule by name" {
	printf 'connect example.org:443 tls\nconnect *:443 plain\n' | policy
	explain connect 10.0.0.1:443
	assert_success
	assert_output --partial "Result: deny"
	assert_output --partial "no name is known"
}

@test "explain says plain when no rule matches, and deny when one does" {
	echo 'connect *:23 deny' | policy
	explain connect example.org:80
	assert_output --partial "plain"
	explain connect '[fd00::1]:telnet'
	assert_output --partial "Result: deny"
}

@test "explain shows what a server asks of its clients" {
	policy <<-'END'
		accept localhost:8443 tls { certificate server.pem; key server.key; client-auth require; trust ca.pem }
	END
	explain accept 127.0.0.1:8443
	assert_success
	assert_output --partial "client-auth    require"
	assert_output --partial "certificate    $PWD/server.pem"
	explain accept 10.0.0.1:8443
	assert_output --partial "No rule matches"
}

@test "explain shows versions, suites and resumption" {
	policy <<-'END'
		default { profile modern; session-lifetime 600 }
		connect *:443 tls
		connect *:444 tls { profile legacy; versions 1.0-1.2; session-cache off }
	END
	explain connect example.org:443
	assert_success
	assert_output --partial "profile        modern: TLS 1.3 alone"
	assert_output --partial "versions       1.3"
	assert_output --regexp 'suites +3, TLS_[A-Z0-9_]+ first'
	assert_output --partial "sessions       resumed for 600 seconds"
	explain connect example.org:444
	assert_output --partial "profile        legacy: OLD algorithms too"
	assert_output --partial "versions       1.0-1.2"
	assert_output --partial "sessions       never resumed"
}

@test "explain refuses a malformed target" {
	: | policy
	for target in example.org ::1:443 a:0 a:nosuchservice '[::1'; do
		explain connect "$target"
		[ "$status" -ne 0 ]
		[ -n "$stderr" ]
	done
}

@test "every example in the manual page parses" {
	local n=0 file
	awk '/^\.RS 4/ { block = 1 } /^\.RE/ { block = 0 }
		block && /^\.fi/ { close(out); out = "" }
		out != "" { gsub(/\\-/, "-"); print >out }
		block && /^\.nf/ { out = "example" ++n }' "$BATS_TEST_DIRNAME/../../policy/tlshim-policy.5"
	for file in example*; do
		n=$((n + 1))
		run "$TLSHIM" explain --policy "$file" connect example.org:443
		assert_success
	done
	[ "$n" -ge 5 ]
}

@test "the manual page and the README tell of every option, group and profile" {
	local root=$BATS_TEST_DIRNAME/../.. word words
	words=$(sed -n 's/^\t\[OPTION_[A-Z_]*\] = { "\([a-z-]*\)".*/\1/p' "$root/policy/options.c")
	[ "$(wc -w <<<"$words")" -ge 24 ]
	words+=" $(sed -n '/^static const struct group groups/,/^};/s/.*"\(.*\)".*/\1/p' "$root/engine/suites.c")"
	[ "$(wc -w <<<"$words")" -ge 31 ]
	for word in $words modern default legacy; do
		grep -qF -- "$word" "$root/policy/tlshim-policy.5" || fail "not in the manual page: $word"
		grep -qF -- "$word" "$root/README.md" || fail "not in the README: $word"
	done
}
