/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options: the table, where each may stand, its values, defaults, and what must go together.
 */
#include "policy_test.h"

#include "policy/rule.h"

static void the_table_is_sorted_and_complete(void **state)
{
	const char *before = "";

	(void)state;
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option_spec *spec = options_at(i);

		assert_true(strcmp(before, options_keyword(spec)) < 0);
		before = options_keyword(spec);
		assert_ptr_equal(options_find(before), spec);
		assert_true(strlen(options_syntax(spec)) > 0 && strlen(options_help(spec)) > 0);
	}
	assert_null(options_at(N_OPTIONS));
	assert_null(options_find(""));
	assert_null(options_find("zzz"));
	assert_null(options_find("Verify"));
}

static void what_is_not_honoured_yet_is_refused(void **state)
{
	static const char *const rows[] = {
		"profile modern",
		"suites TLS_AES_128_GCM_SHA256",
		"groups x25519",
		"signature-algorithms ed25519",
		"session-cache 100",
		"session-lifetime 60",
		"crl x.pem",
		"pin sha256/AAAA",
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(text, sizeof(text), "connect a:1 tls { %s }", rows[i]);
		parse_bad(text, 1, "is not supported by this version");
	}
	parse_bad("accept *:1 tls { certificate a; key b; ticket-keys t }", 1, "not supported by this version");
	parse_bad("default { crl x }", 1, "not supported by this version");
}

static void options_stand_where_they_belong(void **state)
{
	(void)state;
	parse_bad("connect a:1 tls { client-auth require }", 1,
		  "t.policy:1:19: error: 'client-auth' is for accept rules only, and this is a connect rule");
	parse_bad("connect a:1 tls { allow-peer x }", 1, "'allow-peer' is for accept rules only");
	parse_bad("accept *:1 tls { certificate a; key b; server-name x }", 1,
		  "'server-name' is for connect rules only, and this is an accept rule");
	parse_bad("connect a:1 deny { trust x }", 1, "'trust' has no meaning in a rule with action deny");
	policy_unref(parse_good("connect a:1 plain { }\nconnect a:2 deny {\n}\n"));
}

static void each_option_once_and_with_values(void **state)
{
	(void)state;
	parse_bad("connect a:1 tls {\n verify full\n verify none\n}", 1,
		  "t.policy:3:2: error: 'verify' is given twice; it was first given in line 2, column 2");
	parse_bad("default { verify full; verify full }", 1, "given twice");
	parse_bad("connect a:1 tls { verify }", 1, "'verify' needs a value: expected verify full|chain|none");
	parse_bad("connect a:1 tls { verify full none }", 1, "'verify' takes at most 1 value, found 2");
	parse_bad("connect a:1 tls { alpn a b c d e f g h i }", 1, "'alpn' takes at most 8 values, found 9");
	parse_bad("connect a:1 tls { certificate \"\"; key k }", 1, "expected the name of a file");
	policy_unref(parse_good("connect a:1 tls { trust a; trust b c; trust system }"));
}

static void values_are_judged(void **state)
{
	static const struct {
		const char *option, *message;
	} rows[] = {
		{"verify ful", "found 'ful', expected full, chain or none (did you mean 'full'?)"},
		{"verify FULL", "expected full, chain or none"},
		{"truncation maybe", "expected error or ignore"},
		{"versions 1.4", "expected a version or a range"},
		{"versions 1.3-1.2", "expected the lower version first"},
		{"versions 1.2-", "expected a version or a range"},
		{"versions TLSv1.3", "expected a version or a range"},
		{"versions 1.2 - 1.3", "takes at most 1 value"},
		{"handshake-timeout 3601", "expected a number of seconds from 1 to 3600, or none"},
		{"handshake-timeout -1", "expected a number of seconds"},
		{"handshake-timeout 30s", "expected a number of seconds"},
		{"handshake-timeout 99999999999999999999", "expected a number of seconds"},
		{"handshake-timeout \"\"", "expected a number of seconds"},
		{"alpn \"\"", "expected a protocol name of 1 to 32 bytes"},
		{"alpn 123456789012345678901234567890123", "expected a protocol name of 1 to 32 bytes"},
		{"alpn h2 h2", "expected each protocol once"},
		{"server-name *.example.org", "expected a host name without wildcards"},
		{"server-name \"a b\"", "expected a host name"},
		{"server-name 10.0.0", "expected a host name"},
	};
	char text[300];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(text, sizeof(text), "connect a:1 tls { %s }", rows[i].option);
		parse_bad(text, 1, rows[i].message);
	}
	parse_bad("accept *:1 tls { certificate a; key b; trust t; client-auth yes }", 1,
		  "expected none, request or require");
	parse_bad("accept *:1 tls { certificate a; key b; trust t; client-auth require; allow-peer a*b }", 1,
		  "expected a DNS name, *.SUFFIX or a URI");
	parse_bad("accept *:1 tls { certificate a; key b; trust t; client-auth require; allow-peer \"spiffe: x\" }", 1,
		  "expected a DNS name, *.SUFFIX or a URI");
}

static void accessors_give_values_or_defaults(void **state)
{
	struct policy *policy =
		parse_good("connect a:1 tls\n"
			   "connect a:2 tls { server-name WWW.Example.org.; verify chain; truncation ignore;\n"
			   "  handshake-timeout 5; versions 1.0-1.3; alpn \"h2\" http/1.1 }\n"
			   "connect a:3 tls { server-name 0:0:0:0:0:0:0:1; handshake-timeout none; verify none }\n"
			   "connect a:4 tls { server-name 10.0.0.1; handshake-timeout 0 }\n");
	const struct policy_rule *rule = policy->rules[0];

	(void)state;
	assert_null(policy_rule_server_name(rule));
	assert_int_equal(policy_rule_verify(rule), ENGINE_VERIFY_FULL);
	assert_int_equal(policy_rule_handshake_timeout_ms(rule), 30000);
	assert_true(policy_rule_truncation_is_error(rule));
	assert_null(rule_option(rule, OPTION_VERSIONS));
	rule = policy->rules[1];
	assert_string_equal(policy_rule_server_name(rule), "www.example.org");
	assert_int_equal(policy_rule_verify(rule), ENGINE_VERIFY_CHAIN);
	assert_int_equal(policy_rule_handshake_timeout_ms(rule), 5000);
	assert_false(policy_rule_truncation_is_error(rule));
	assert_int_equal(rule_number(rule, OPTION_VERSIONS, 0), 0x0301L << 16 | 0x0304);
	assert_string_equal(rule_option(rule, OPTION_ALPN)->values->next->text, "http/1.1");
	rule = policy->rules[2];
	assert_string_equal(policy_rule_server_name(rule), "::1");
	assert_int_equal(policy_rule_handshake_timeout_ms(rule), 0);
	assert_int_equal(policy_rule_verify(rule), ENGINE_VERIFY_NONE);
	assert_string_equal(policy_rule_server_name(policy->rules[3]), "10.0.0.1");
	assert_int_equal(policy_rule_handshake_timeout_ms(policy->rules[3]), 0);
	policy_unref(policy);
}

static void defaults_reach_the_rules_they_fit(void **state)
{
	struct policy *policy = parse_good("connect a:1 tls\n"
					   "default { trust d.pem; certificate d.pem; key d.key; client-auth require;\n"
					   "  server-name dd; handshake-timeout 7 }\n"
					   "accept *:1 tls\n"
					   "accept *:2 tls { trust own.pem; certificate own.pem; key own.key }\n"
					   "connect a:2 plain\n");

	(void)state;
	assert_string_equal(policy_rule_server_name(policy->rules[0]), "dd");
	assert_string_equal(rule_option(policy->rules[0], OPTION_TRUST)->values->path, "/p/d.pem");
	assert_null(rule_option(policy->rules[0], OPTION_CLIENT_AUTH)); /* an accept option */
	assert_null(rule_option(policy->rules[1], OPTION_SERVER_NAME)); /* a connect option */
	assert_int_equal(rule_number(policy->rules[1], OPTION_CLIENT_AUTH, -1), ENGINE_CLIENT_AUTH_REQUIRE);
	assert_string_equal(rule_option(policy->rules[1], OPTION_KEY)->values->path, "/p/d.key");
	assert_int_equal(rule_option(policy->rules[2], OPTION_TRUST)->n_values, 1); /* replaced, not added to */
	assert_string_equal(rule_option(policy->rules[2], OPTION_TRUST)->values->path, "/p/own.pem");
	assert_string_equal(rule_option(policy->rules[2], OPTION_KEY)->values->path, "/p/own.key");
	assert_int_equal(policy_rule_handshake_timeout_ms(policy->rules[2]), 7000);
	assert_null(rule_option(policy->rules[3], OPTION_TRUST));
	policy_unref(policy);
}

static void credentials_come_in_pairs(void **state)
{
	(void)state;
	parse_bad("accept *:1 tls", 1, "needs 'certificate' and 'key'");
	parse_bad("accept *:1 starttls smtp", 1, "needs 'certificate' and 'key'");
	parse_bad("accept *:1 permissive", 1, "needs 'certificate' and 'key'");
	parse_bad("accept *:1 tls { certificate a }", 1, "t.policy:1:18: error: 'certificate' without 'key'");
	parse_bad("connect a:1 tls { key a }", 1, "'key' without 'certificate'");
	/* A certificate of the rule's own never meets the default's key. */
	parse_bad("default { certificate d; key d }\naccept *:1 tls { certificate a }", 1, "'certificate' without 'key'");
}

static void client_options_must_make_sense(void **state)
{
#define SERVER "accept *:1 tls { certificate a; key b; "
	(void)state;
	parse_bad(SERVER "client-auth require }", 1, "'client-auth require' needs 'trust'");
	parse_bad(SERVER "client-auth request }", 1, "'client-auth request' needs 'trust'");
	parse_bad("default { client-auth require }\n" SERVER "}", 1, "t.policy:2:1: error: 'client-auth require' needs");
	parse_bad(SERVER "allow-peer a.example }", 1, "'allow-peer' needs 'client-auth require'");
	parse_bad(SERVER "client-auth require; trust t; verify none; allow-peer a.example }", 1,
		  "'verify none' contradicts 'allow-peer'");
	policy_unref(parse_good(SERVER "client-auth require; verify none }"));
	policy_unref(parse_good("default { trust t }\n" SERVER "client-auth require }"));
}

static void peers_are_normalised(void **state)
{
	struct policy *policy = parse_good(SERVER "client-auth require; trust t;\n"
						  "allow-peer A.Example. *.B.example\n allow-peer spiffe://Example/X }");
	const struct option *peers = rule_option(policy->rules[0], OPTION_ALLOW_PEER);

	(void)state;
	assert_int_equal(peers->n_values, 3);
	assert_string_equal(peers->values->text, "a.example");
	assert_string_equal(peers->values->next->text, "*.b.example");
	assert_string_equal(peers->values->next->next->text, "spiffe://Example/X");
	policy_unref(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_sorted_and_complete),
		cmocka_unit_test(what_is_not_honoured_yet_is_refused),
		cmocka_unit_test(options_stand_where_they_belong),
		cmocka_unit_test(each_option_once_and_with_values),
		cmocka_unit_test(values_are_judged),
		cmocka_unit_test(accessors_give_values_or_defaults),
		cmocka_unit_test(defaults_reach_the_rules_they_fit),
		cmocka_unit_test(credentials_come_in_pairs),
		cmocka_unit_test(client_options_must_make_sense),
		cmocka_unit_test(peers_are_normalised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
