/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `tlshim explain`: the rule that wins, why others do not, and what the winner asks for.
 */
#include "policy_test.h"

static char out[16384];

static const char *explain(const char *text, enum policy_direction direction, const char *target)
{
	struct policy *policy = parse_good(text);
	char why[512] = "";
	FILE *file = fmemopen(out, sizeof(out), "w");

	assert_non_null(file);
	assert_true(policy_explain(policy, direction, target, file, why));
	assert_int_equal(fclose(file), 0);
	policy_unref(policy);
	return out;
}

static void says(const char *part)
{
	if (!strstr(out, part)) {
		fail_msg("no '%s' in:\n%s", part, out);
	}
}

static void says_not(const char *part)
{
	if (strstr(out, part)) {
		fail_msg("'%s' in:\n%s", part, out);
	}
}

static void refuses(enum policy_direction direction, const char *target, const char *message)
{
	struct policy *policy = parse_good("connect *:1 tls");
	char why[512] = "";

	assert_false(policy_explain(policy, direction, target, stderr, why));
	if (!strstr(why, message)) {
		fail_msg("'%s': wanted '%s', got '%s'", target, message, why);
	}
	policy_unref(policy);
}

#define RULES                                                                                                \
	"connect other.example.org:443 plain\n"                                                              \
	"connect *.example.org:80 tls\n"                                                                     \
	"connect www.example.org:443, *.cdn.example:443 tls { trust ca.pem; alpn h2 }\n"                     \
	"connect *:443 deny\n"

static void tells_the_winner_and_why_others_lose(void **state)
{
	(void)state;
	explain(RULES, POLICY_CONNECT, "WWW.example.org:https");
	says("connect www.example.org:443\n");
	says("t.policy:1: connect other.example.org:443 plain\n    does not match: the port fits, but www.example.org");
	says("t.policy:2: connect *.example.org:80 tls\n    does not match: port 443");
	says("t.policy:3: connect www.example.org:443, *.cdn.example:443 tls\n    wins, by pattern www.example.org:443");
	says("Result: tls\n");
	says("carry the name www.example.org (the name that the program looked up)");
	says("/p/ca.pem");
	says("alpn           h2");
	says_not("t.policy:4");
}

static void tells_of_deny_and_plain(void **state)
{
	(void)state;
	explain(RULES, POLICY_CONNECT, "x.example.net:443");
	says("Result: deny: connect() fails with EACCES");
	explain(RULES, POLICY_CONNECT, "other.example.org:443");
	says("Result: plain: tlshim does not touch");
	explain(RULES, POLICY_CONNECT, "x.example.net:9");
	says("No rule matches for certain");
	explain("", POLICY_ACCEPT, "*:9");
	says("No rule matches");
}

static void tells_what_an_unknown_name_does(void **state)
{
	(void)state;
	explain(RULES, POLICY_CONNECT, "10.0.0.1:443");
	says("needs a name");
	says("Result: deny: no name is known");
	says_not("t.policy:4");
}

static void tells_what_depends_on_the_address(void **state)
{
	(void)state;
	explain("connect 10.0.0.0/8:443 tls\nconnect *:443 plain\n", POLICY_CONNECT, "www.example.org:443");
	says("depends on the address");
	says("unless a rule above applies that depends");
	says("Result: plain");
	explain("accept 10.0.0.1:443 deny\naccept *:443 plain\n", POLICY_ACCEPT, "*:443");
	says("depends on the address: wins if the local address is in its patterns");
	says("Result: plain");
}

static void tells_what_is_verified_for_an_address(void **state)
{
	(void)state;
	explain("connect 10.0.0.0/8:443 tls", POLICY_CONNECT, "10.0.0.1:443");
	says("the address 10.0.0.1 itself, else the connection fails");
	says("trust          system (");
	explain("connect [fd00::]/8:443 tls { server-name db.example }", POLICY_CONNECT, "[fd00::1]:443");
	says("connect [fd00::1]:443\n");
	says("carry the name db.example (server-name of the rule)");
	explain("connect *:443 tls { verify chain }", POLICY_CONNECT, "10.0.0.1:443");
	says("its name is NOT verified");
	explain("connect *:443 tls { verify none }", POLICY_CONNECT, "a:443");
	says("the server may be ANYONE");
	says_not("trust  ");
	explain("connect 127.0.0.1:443 tls", POLICY_CONNECT, "0.0.0.0:443");
	says("wins");
}

static void tells_whose_rule_it_is(void **state)
{
	(void)state;
	explain("connect *:443 program curl user 0 tls\nconnect *:443 plain\n", POLICY_CONNECT, "a:443");
	says("would win, by pattern *:443, for its program and user");
	says("only for programs whose name fits 'curl'");
	says("only for user 0 (uid 0)");
	says("Result: plain");
	explain("connect a:443 program /bin/x tls\nconnect *:443 plain\n", POLICY_CONNECT, "10.0.0.1:443");
	says("needs a name");
	says("whose path fits '/bin/x'");
	says("Result: plain");
}

static void tells_what_servers_ask_of_clients(void **state)
{
#define SERVER "default { certificate s.pem; key s.key }\naccept localhost:443 tls { "
	(void)state;
	explain(SERVER "}", POLICY_ACCEPT, "localhost:443");
	says("certificate    /p/s.pem (default block, line 1)");
	says("client-auth    none");
	explain(SERVER "client-auth require; trust ca.pem; allow-peer a.b *.c; handshake-timeout none; "
		       "truncation ignore; versions 1.3 }",
		POLICY_ACCEPT, "[::1]:443");
	says("client-auth    require");
	says("trust          /p/ca.pem");
	says("allow-peer     a.b, *.c");
	says("without time limit");
	says("truncation     ignore");
	says("versions       1.3");
}

static void tells_what_can_be_negotiated(void **state)
{
	(void)state;
	explain("connect *:443 tls", POLICY_CONNECT, "a:443");
	says("profile        default: forward secrecy and authenticated encryption alone\n");
	says("versions       1.2-1.3\n");
	says("suites         9, TLS_");
	says_not("groups");
	explain("connect *:443 tls { profile modern; suites TLS_AES_256_GCM_SHA384; groups P-384 x25519;\n"
		"  signature-algorithms ed25519; padding 512 }",
		POLICY_CONNECT, "a:443");
	says("profile        modern: TLS 1.3 alone\n");
	says("versions       1.3\n");
	says("suites         1: TLS_AES_256_GCM_SHA384\n");
	says("groups         secp384r1, x25519\n");
	says("signatures     ed25519\n");
	says("padding        512\n");
	explain("connect *:443 tls { profile legacy; versions 1.0-1.1 }", POLICY_CONNECT, "a:443");
	says("profile        legacy: OLD algorithms too: RSA key exchange, DHE, CBC, renegotiation\n");
	says("versions       1.0-1.1\n");
	explain("connect *:443 tls { suites AES128-SHA ECDHE-RSA-AES128-GCM-SHA256 }", POLICY_CONNECT, "a:443");
	says("ERROR: TLS_RSA_WITH_AES_128_CBC_SHA needs profile legacy\n");
	explain("connect *:443 tls { suites ECDHE-RSA-AES128-GCM-SHA256 }", POLICY_CONNECT, "a:443");
	says("ERROR: no cipher suite is left for TLS 1.3");
}

static void tells_of_resumption(void **state)
{
	(void)state;
	explain("connect *:443 tls", POLICY_CONNECT, "a:443");
	says("sessions       resumed for 7200 seconds\n");
	explain("connect *:443 tls { session-cache off }", POLICY_CONNECT, "a:443");
	says("sessions       never resumed\n");
	explain(SERVER "session-lifetime 60; ticket-keys new old }", POLICY_ACCEPT, "localhost:443");
	says("sessions       resumed for 60 seconds\n");
	says("ticket-keys    /p/new, /p/old\n");
}

static void tells_of_pins_and_revocation(void **state)
{
#define PIN "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	(void)state;
	explain("connect *:443 tls { pin " PIN "; crl c.pem; require-ocsp yes; common-name allow }", POLICY_CONNECT, "a:443");
	says("pin            " PIN "\n");
	says("crl            /p/c.pem\n");
	says("require-ocsp   yes\n");
	says("common-name    allow\n");
	explain("connect *:443 tls { pin " PIN "; verify none }", POLICY_CONNECT, "a:443");
	says("verify         none: the server may be ANYONE with the key below\n");
	explain("default { trust t; crl c }\n"
		"accept *:443 tls { certificate a; key a; ocsp-response o; certificate b; key b; client-auth require }",
		POLICY_ACCEPT, "*:443");
	says("certificate    /p/a, /p/b\n");
	says("ocsp-response  /p/o\n");
	says("crl            /p/c (default block, line 1)\n");
}

static void tells_that_starttls_is_not_there(void **state)
{
	(void)state;
	explain("connect *:25 starttls smtp", POLICY_CONNECT, "mx.example:25");
	says("Result: starttls smtp");
	says("ERROR: starttls is not available in this version");
}

static void refuses_what_is_no_target(void **state)
{
	(void)state;
	refuses(POLICY_CONNECT, "", "expected HOST:PORT");
	refuses(POLICY_CONNECT, "a", "expected HOST:PORT");
	refuses(POLICY_CONNECT, ":1", "host of 1 to");
	refuses(POLICY_CONNECT, "a:", "found port ''");
	refuses(POLICY_CONNECT, "a:0", "expected a number from 1 to 65535");
	refuses(POLICY_CONNECT, "a:65536", "expected a number");
	refuses(POLICY_CONNECT, "a:999999999999999999999", "expected a number");
	refuses(POLICY_CONNECT, "a:nosuch", "or a service name");
	refuses(POLICY_CONNECT, "::1:443", "in brackets");
	refuses(POLICY_CONNECT, "[::1:443", "expected HOST:PORT");
	refuses(POLICY_CONNECT, "[]:443", "host of 1 to");
	refuses(POLICY_CONNECT, "*:443", "expected a host name or an address");
	refuses(POLICY_CONNECT, "a b:443", "expected a host name");
	refuses(POLICY_ACCEPT, "www.example.org:443", "expected a local address, localhost or *");
	refuses(POLICY_CONNECT, "\x1b[2J:443", "\\x1b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_winner_and_why_others_lose),
		cmocka_unit_test(tells_of_deny_and_plain),
		cmocka_unit_test(tells_what_an_unknown_name_does),
		cmocka_unit_test(tells_what_depends_on_the_address),
		cmocka_unit_test(tells_what_is_verified_for_an_address),
		cmocka_unit_test(tells_whose_rule_it_is),
		cmocka_unit_test(tells_what_servers_ask_of_clients),
		cmocka_unit_test(tells_what_can_be_negotiated),
		cmocka_unit_test(tells_of_resumption),
		cmocka_unit_test(tells_of_pins_and_revocation),
		cmocka_unit_test(tells_that_starttls_is_not_there),
		cmocka_unit_test(refuses_what_is_no_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
