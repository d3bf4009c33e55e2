/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options: the table, where each may stand, its values, defaults, and what must go together.
 */
#include "policy_test.h"

#include "policy/options_values.h"
#include "policy/rule.h"

#define PIN_A "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

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

static void options_stand_where_they_belong(void **state)
{
	(void)state;
	parse_bad("connect a:1 tls { client-auth require }", 1,
		  "t.policy:1:19: error: 'client-auth' is for accept rules only, and this is a connect rule");
	parse_bad("connect a:1 tls { allow-peer x }", 1, "'allow-peer' is for accept rules only");
	parse_bad("accept *:1 tls { certificate a; key b; server-name x }", 1,
		  "'server-name' is for connect rules only, and this is an accept rule");
	parse_bad("connect a:1 tls { ticket-keys x }", 1, "'ticket-keys' is for accept rules only");
	parse_bad("connect a:1 tls { ocsp-response x }", 1, "'ocsp-response' is for accept rules only");
	parse_bad("accept *:1 tls { certificate a; key b; require-ocsp yes }", 1, "'require-ocsp' is for connect rules only");
	parse_bad("accept *:1 tls { certificate a; key b; common-name allow }", 1, "'common-name' is for connect rules only");
	parse_bad("connect a:1 plain { profile modern; suites TLS_AES_128_GCM_SHA256 }", 2,
		  "'suites' has no meaning in a rule with action plain");
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
	parse_bad("connect a:1 tls { profile modern; profile default }", 1, "'profile' is given twice");
	parse_bad("connect a:1 tls { pin }", 1, "'pin' needs a value: expected pin sha256/BASE64...");
	parse_bad("connect a:1 tls { padding 2 3 }", 1, "'padding' takes at most 1 value, found 2");
	parse_bad("accept *:1 tls { certificate a; key b; ticket-keys 1 2 3 4 5 }", 1,
		  "'ticket-keys' takes at most 4 values, found 5");
	parse_bad("connect a:1 tls { certificate 1 2 3 4 5; certificate 6 7 8 9; key k }", 1,
		  "'certificate' takes at most 8 values, found 9");
	policy_unref(parse_good("connect a:1 tls { trust a; trust b c; trust system }"));
	policy_unref(parse_good("connect a:1 tls { suites TLS_AES_128_GCM_SHA256\n suites TLS_AES_256_GCM_SHA384\n crl a; crl b c }"));
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
		{"profile modem", "found 'modem', expected modern, default or legacy (did you mean 'modern'?)"},
		{"profile intermediate", "expected modern, default or legacy"},
		{"suites TLS_AES_128_GCM_SHA265",
		 "found 'TLS_AES_128_GCM_SHA265', expected the name of a cipher suite, such as TLS_AES_128_GCM_SHA256 "
		 "(did you mean 'TLS_AES_128_GCM_SHA256'?)"},
		{"suites HIGH:!aNULL", "expected the name of a cipher suite"},
		{"suites TLS_AES_128_GCM_SHA256 TLS_RSA_WITH_RC4_128_MD5", "found 'TLS_RSA_WITH_RC4_128_MD5'"},
		{"suites \"\"", "expected the name of a cipher suite"},
		{"groups x25159", "expected the name of a group, such as x25519 (did you mean 'x25519'?)"},
		{"groups X25519:P-256", "found 'X25519:P-256', expected the name of a group"},
		{"signature-algorithms ed448", "expected the name of a signature scheme"},
		{"session-cache 100",
		 "found '100', expected on or off: all rules share one cache, whose size is set in the default block"},
		{"session-cache of", "found 'of', expected on or off (did you mean 'off'?)"},
		{"session-lifetime 0", "expected a number of seconds from 1 to 604800 ('session-cache off' turns"},
		{"session-lifetime 604801", "expected a number of seconds from 1 to 604800"},
		{"session-lifetime 2h", "expected a number of seconds from 1 to 604800"},
		{"padding 1", "expected a number of bytes from 2 to 16384, or none"},
		{"padding 16385", "expected a number of bytes from 2 to 16384, or none"},
		{"padding no", "expected a number of bytes from 2 to 16384, or none"},
		{"require-ocsp true", "found 'true', expected yes or no"},
		{"common-name yes", "found 'yes', expected allow or refuse"},
		{"pin sha256/AAAA",
		  "found 'sha256/AAAA', expected sha256/ and the digest of a public key in base64, 44 characters"},
		{"pin " PIN_A " sha1/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "found 'sha1/47DE"},
		{"pin sha256//7DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU==", "expected sha256/ and"},
		{"pin sha256/47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=", "expected sha256/ and"},
		{"pin sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=", "expected sha256/ and"},
		{"pin sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUU", "expected sha256/ and"},
		{"crl \"\"", "expected the name of a file"},
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

static void pins_are_read_as_base64(void **state)
{
	/* RFC 4648; the first is SHA-256 of nothing */
	static const uint8_t of_nothing[4] = {0xe3, 0xb0, 0xc4, 0x42};
	uint8_t digest[32];

	(void)state;
	assert_true(option_read_pin(PIN_A, digest));
	assert_memory_equal(digest, of_nothing, 4);
	assert_int_equal(digest[31], 0x55);
	assert_true(option_read_pin("sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", digest));
	for (size_t i = 0; i < 32; i++) {
		assert_int_equal(digest[i], 0);
	}
	assert_true(option_read_pin("sha256///////////////////////////////////////////8=", digest));
	for (size_t i = 0; i < 32; i++) {
		assert_int_equal(digest[i], 0xff);
	}
	assert_false(option_read_pin("", digest));
	assert_false(option_read_pin("sha256/", digest));
}

static void names_of_algorithms_are_normalised(void **state)
{
	struct policy *policy = parse_good("connect a:1 tls { suites ECDHE-RSA-AES128-GCM-SHA256 tls_aes_128_gcm_sha256\n"
					   "suites TLS_CHACHA20_POLY1305_SHA256; groups P-256 X25519;\n"
					   "signature-algorithms ED25519 }");
	const struct option_value *suite = rule_option(policy->rules[0], OPTION_SUITES)->values;
	const struct option_value *group = rule_option(policy->rules[0], OPTION_GROUPS)->values;

	(void)state;
	assert_string_equal(suite->text, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
	assert_string_equal(suite->next->text, "TLS_AES_128_GCM_SHA256");
	assert_string_equal(suite->next->next->text, "TLS_CHACHA20_POLY1305_SHA256");
	assert_string_equal(group->text, "secp256r1");
	assert_string_equal(group->next->text, "x25519");
	assert_string_equal(rule_option(policy->rules[0], OPTION_SIGNATURE_ALGORITHMS)->values->text, "ed25519");
	policy_unref(policy);
}

static void old_versions_are_asked_for_twice(void **state)
{
	static const char needs[] = "TLS 1.0 and 1.1 need 'profile legacy' in the same rule";

	(void)state;
	parse_bad("connect a:1 tls {\n versions 1.0-1.3\n}", 1, "t.policy:2:11: error: TLS 1.0 and 1.1 need 'profile legacy'");
	parse_bad("connect a:1 tls { versions 1.1 }", 1, needs);
	parse_bad("connect a:1 tls { versions 1.1-1.2; profile default }", 1, needs);
	parse_bad("connect a:1 tls { versions 1.1-1.2; profile modern }", 1, needs);
	parse_bad("default { versions 1.0-1.3 }\nconnect a:1 tls { profile legacy }", 1,
		  "t.policy:1:20: error: TLS 1.0 and 1.1 need 'profile legacy' in the same rule: they are not for all "
		  "rules");
	parse_bad("default { profile legacy }", 1,
		  "t.policy:1:19: error: 'profile legacy' is for single rules: give it in each rule that needs it");
	policy_unref(parse_good("connect a:1 tls { profile legacy; versions 1.0-1.3 }"));
	policy_unref(parse_good("connect a:1 tls { versions 1.0; profile legacy }"));
	policy_unref(parse_good("default { profile modern }\nconnect a:1 tls { versions 1.1-1.2; profile legacy }"));
}

static void profile_modern_is_tls_1_3(void **state)
{
	(void)state;
	parse_bad("connect a:1 tls { profile modern;\n versions 1.2-1.3 }", 1,
		  "t.policy:2:11: error: 'versions 1.2-1.3' contradicts 'profile modern' in line 1, which is TLS 1.3 alone");
	parse_bad("default { profile modern }\nconnect a:1 tls { versions 1.2 }", 1, "contradicts 'profile modern' in line 1");
	parse_bad("default { profile modern; versions 1.2-1.3 }\nconnect a:1 tls\nconnect b:1 tls", 1,
		  "t.policy:1:36: error: 'versions 1.2-1.3' contradicts");
	policy_unref(parse_good("connect a:1 tls { profile modern; versions 1.3 }"));
	policy_unref(parse_good("default { versions 1.2-1.3 }\nconnect a:1 tls { profile modern }"));
}

/* What narrows one profile is not for another. */
static void a_profile_of_its_own_takes_no_default_algorithms(void **state)
{
	struct policy *policy =
		parse_good("default { profile modern; versions 1.3; suites TLS_AES_128_GCM_SHA256; groups x25519;\n"
			   "  signature-algorithms ed25519; padding 512 }\n"
			   "connect a:1 tls\nconnect a:2 tls { profile legacy }\n"
			   "connect a:3 tls { suites TLS_AES_256_GCM_SHA384 }\n");
	static const enum option_id ids[] = {OPTION_VERSIONS, OPTION_SUITES, OPTION_GROUPS, OPTION_SIGNATURE_ALGORITHMS};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		assert_non_null(rule_option(policy->rules[0], ids[i]));
		assert_null(rule_option(policy->rules[1], ids[i]));
		assert_non_null(rule_option(policy->rules[2], ids[i]));
	}
	assert_int_equal(rule_profile(policy->rules[0]), ENGINE_PROFILE_MODERN);
	assert_int_equal(rule_profile(policy->rules[1]), ENGINE_PROFILE_LEGACY);
	assert_int_equal(rule_number(policy->rules[1], OPTION_PADDING, 0), 512);
	assert_string_equal(rule_option(policy->rules[2], OPTION_SUITES)->values->text, "TLS_AES_256_GCM_SHA384");
	policy_unref(policy);
}

static size_t cache_size(const char *text)
{
	struct policy *policy = parse_good(text);
	size_t size = policy_session_cache_size(policy);

	policy_unref(policy);
	return size;
}

static void the_session_cache_is_one_for_all(void **state)
{
	(void)state;
	assert_int_equal(cache_size("connect a:1 tls"), 1024);
	assert_int_equal(cache_size("connect a:1 tls\ndefault { session-cache 5000 }"), 5000);
	assert_int_equal(cache_size("default { session-cache on }\nconnect a:1 tls"), 1024);
	assert_int_equal(cache_size("default { session-cache off }\nconnect a:1 tls"), 0);
	assert_int_equal(cache_size("default { session-cache off }\nconnect a:1 tls\nconnect b:1 tls { session-cache on }"), 1024);
	assert_int_equal(cache_size("default { session-cache 65536 }\nconnect a:1 tls { session-cache off }"), 0);
	assert_int_equal(cache_size("connect a:1 plain\nconnect b:1 deny"), 0);
	assert_int_equal(cache_size(""), 0);
	parse_bad("default { session-cache 0 }", 1, "found '0', expected a number of sessions from 1 to 65536, on or off");
	parse_bad("default { session-cache 65537 }", 1, "expected a number of sessions from 1 to 65536, on or off");
	parse_bad("default { session-cache 12x }", 1, "expected a number of sessions");
	parse_bad("default { session-cache many }", 1, "found 'many', expected on, off or a number of sessions");
}

static void accessors_give_values_or_defaults(void **state)
{
	struct policy *policy =
		parse_good("connect a:1 tls\n"
			   "connect a:2 tls { server-name WWW.Example.org.; verify chain; truncation ignore;\n"
			   "  handshake-timeout 5; versions 1.0-1.3; profile legacy; alpn \"h2\" http/1.1 }\n"
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

static void several_certificates_have_as_many_keys(void **state)
{
	struct policy *policy = parse_good("accept *:1 tls { certificate a; key ka\n certificate b c; key kb kc }\n"
					   "default { certificate d; key kd; ocsp-response od }\n"
					   "accept *:2 tls\naccept *:3 tls { certificate e; key ke }\n");

	(void)state;
	assert_int_equal(rule_option(policy->rules[0], OPTION_CERTIFICATE)->n_values, 3);
	assert_string_equal(rule_option(policy->rules[0], OPTION_KEY)->values->next->next->path, "/p/kc");
	assert_null(rule_option(policy->rules[0], OPTION_OCSP_RESPONSE));
	assert_string_equal(rule_option(policy->rules[1], OPTION_OCSP_RESPONSE)->values->path, "/p/od");
	assert_null(rule_option(policy->rules[2], OPTION_OCSP_RESPONSE)); /* it is another certificate's */
	policy_unref(policy);
	parse_bad("accept *:1 tls { certificate a; certificate b; key ka }", 1,
		  "t.policy:1:18: error: found 2 certificates and 1 key, expected a key for each certificate, in the same order");
	parse_bad("connect a:1 tls { certificate a; key ka kb }", 1, "found 1 certificate and 2 keys");
}

static void ocsp_responses_go_with_the_certificate_before_them(void **state)
{
	struct policy *policy = parse_good("accept *:1 tls { certificate a; key a\n certificate b; key b; ocsp-response o\n"
					   "certificate c; key c }\n"
					   "accept *:2 tls { ocsp-response o; certificate a; key a }\n");
	const struct policy_rule *rule = policy->rules[0];

	(void)state;
	assert_int_equal(options_certificate_before(rule_option(rule, OPTION_CERTIFICATE),
						    rule_option(rule, OPTION_OCSP_RESPONSE)->values->at), 1);
	rule = policy->rules[1];
	assert_int_equal(options_certificate_before(rule_option(rule, OPTION_CERTIFICATE),
						    rule_option(rule, OPTION_OCSP_RESPONSE)->values->at), 0);
	policy_unref(policy);
	parse_bad("accept *:1 tls { certificate a b; key a b\n ocsp-response oa\n ocsp-response ob }", 1,
		  "t.policy:3:16: error: the certificate before this has its OCSP response in line 2 already: write each "
		  "'ocsp-response' behind its 'certificate'");
	parse_bad("default { certificate a; key a }\naccept *:1 tls { ocsp-response o }", 1,
		  "t.policy:2:18: error: 'ocsp-response' is for one certificate: expected 'certificate' and 'key' in the same rule");
}

static void revocation_needs_verification(void **state)
{
	(void)state;
	parse_bad("connect a:1 tls { verify none; crl c }", 1,
		  "'crl' contradicts 'verify none' in line 1: what nobody verifies cannot be revoked");
	parse_bad("default { verify none }\nconnect a:1 tls { require-ocsp yes }", 1, "'require-ocsp' contradicts 'verify none' in line 1");
	policy_unref(parse_good("default { crl c; require-ocsp yes }\nconnect a:1 tls { verify none }"));
	policy_unref(parse_good("connect a:1 tls { verify none; require-ocsp no; pin " PIN_A " }"));
	policy_unref(parse_good("connect a:1 tls { verify chain; crl c; require-ocsp yes }"));
}

static void client_options_must_make_sense(void **state)
{
#define SERVER "accept *:1 tls { certificate a; key b; "
	(void)state;
	parse_bad(SERVER "client-auth require }", 1, "'client-auth require' needs 'trust'");
	parse_bad(SERVER "client-auth request }", 1, "'client-auth request' needs 'trust'");
	parse_bad("default { client-auth require }\n" SERVER "}", 1, "t.policy:2:1: error: 'client-auth require' needs");
	parse_bad(SERVER "allow-peer a.example }", 1, "'allow-peer' needs 'client-auth require'");
	parse_bad(SERVER "pin " PIN_A " }", 1, "'pin' needs 'client-auth require': nobody is asked for a certificate");
	policy_unref(parse_good("default { pin " PIN_A " }\n" SERVER "}")); /* for the connect rules */
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
		cmocka_unit_test(options_stand_where_they_belong),
		cmocka_unit_test(each_option_once_and_with_values),
		cmocka_unit_test(values_are_judged),
		cmocka_unit_test(pins_are_read_as_base64),
		cmocka_unit_test(names_of_algorithms_are_normalised),
		cmocka_unit_test(old_versions_are_asked_for_twice),
		cmocka_unit_test(profile_modern_is_tls_1_3),
		cmocka_unit_test(a_profile_of_its_own_takes_no_default_algorithms),
		cmocka_unit_test(the_session_cache_is_one_for_all),
		cmocka_unit_test(accessors_give_values_or_defaults),
		cmocka_unit_test(defaults_reach_the_rules_they_fit),
		cmocka_unit_test(credentials_come_in_pairs),
		cmocka_unit_test(several_certificates_have_as_many_keys),
		cmocka_unit_test(ocsp_responses_go_with_the_certificate_before_them),
		cmocka_unit_test(revocation_needs_verification),
		cmocka_unit_test(client_options_must_make_sense),
		cmocka_unit_test(peers_are_normalised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
