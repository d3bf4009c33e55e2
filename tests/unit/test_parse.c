/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar: what is accepted, and for each mistake one message in the right place.
 */
#include "policy_test.h"

#include "policy/rule.h"

static const char *text_of(const char *policy_text, size_t i)
{
	static char out[512];
	struct policy *policy = parse_good(policy_text);

	assert_true(i < policy->n_rules);
	(void)snprintf(out, sizeof(out), "%s", policy_rule_text(policy->rules[i]));
	policy_unref(policy);
	return out;
}

static void the_designs_example_parses(void **state)
{
	static const char text[] =
		"# /etc/tlshim/policy\n"
		"default {\n"
		"    trust system                 # CA bundle\n"
		"    versions 1.2-1.3\n"
		"}\n"
		"accept *:8443 tls {\n"
		"    certificate server.pem       # relative to the policy file\n"
		"    key         server.key\n"
		"    client-auth require          # none | request | require\n"
		"    trust       clients-ca.pem\n"
		"    allow-peer  \"spiffe://example.org/reporting\" \"*.batch.example.org\"\n"
		"}\n"
		"connect *.redis.internal:6379, 10.1.0.0/16:6379 tls {\n"
		"    trust ca.pem\n"
		"    certificate me.pem; key me.key\n"
		"}\n"
		"connect mail.example.org:25 starttls smtp\n"
		"accept *:8080 permissive { certificate server.pem; key server.key }\n"
		"connect *:23 deny\n";
	struct policy *policy = parse_good(text);
	const struct policy_rule *rule;

	(void)state;
	assert_int_equal(policy->n_rules, 5);
	rule = policy->rules[0];
	assert_int_equal(rule->direction, POLICY_ACCEPT);
	assert_int_equal(rule->action, POLICY_TLS);
	assert_string_equal(rule_option(rule, OPTION_CERTIFICATE)->values->path, "/p/server.pem");
	assert_string_equal(rule_option(rule, OPTION_TRUST)->values->path, "/p/clients-ca.pem");
	assert_int_equal(rule_option(rule, OPTION_ALLOW_PEER)->n_values, 2);
	assert_int_equal(rule_number(rule, OPTION_VERSIONS, 0), 0x0303L << 16 | 0x0304);
	assert_string_equal(policy_rule_text(policy->rules[1]),
			    "/p/t.policy:13: connect *.redis.internal:6379, 10.1.0.0/16:6379 tls");
	assert_string_equal(policy->rules[2]->protocol, "smtp");
	assert_null(rule_option(policy->rules[2], OPTION_TRUST)->values->path); /* system, from the default */
	assert_int_equal(policy->rules[3]->action, POLICY_PERMISSIVE);
	assert_int_equal(policy->rules[4]->action, POLICY_DENY);
	assert_int_equal(policy_rule_line(policy->rules[4]), 19);
	assert_string_equal(policy_rule_file(policy->rules[4]), "/p/t.policy");
	policy_unref(policy);
}

static void an_empty_policy_is_a_policy(void **state)
{
	(void)state;
	policy_unref(parse_good(""));
	policy_unref(parse_good("# nothing\n\n;;\n"));
	policy_unref(parse_good("default { }\n"));
}

static void layout_is_free(void **state)
{
	(void)state;
	assert_string_equal(text_of("connect a:1 tls{verify none}connect b:2 plain", 1),
			    "/p/t.policy:1: connect b:2 plain");
	assert_string_equal(text_of("connect\n a:1\n ,\n b:2\n program\n x\n tls\n\n{\n\n}\n", 0),
			    "/p/t.policy:1: connect a:1, b:2 program x tls");
	assert_string_equal(text_of("connect a:1 user 7 program \"a b\" plain;connect b:2 deny;", 0),
			    "/p/t.policy:1: connect a:1 program a b user 7 plain");
	assert_string_equal(text_of("connect a:1 tls { verify none;; ; alpn h2;}\r\n", 0),
			    "/p/t.policy:1: connect a:1 tls");
	assert_string_equal(text_of("connect a:1,b:1,c:1,d:1,e:1,f:1 deny", 0),
			    "/p/t.policy:1: connect a:1, b:1, c:1, d:1 and 2 more deny");
}

static void keywords_are_no_reserved_words(void **state)
{
	struct policy *policy = parse_good("connect tls:1 program tls tls { server-name deny; trust key }");

	(void)state;
	assert_string_equal(policy_rule_server_name(policy->rules[0]), "deny");
	assert_string_equal(policy->rules[0]->program, "tls");
	policy_unref(policy);
}

static void relative_paths_start_at_the_policy(void **state)
{
	static const char text[] = "connect a:1 tls { trust /abs/x.pem y.pem \"sub dir/z.pem\" ./system }";
	struct policy *policy = policy_parse(text, strlen(text), "/etc/tls/p", NULL);
	const struct option_value *value;

	(void)state;
	assert_non_null(policy);
	value = rule_option(policy->rules[0], OPTION_TRUST)->values;
	assert_string_equal(value->path, "/abs/x.pem");
	assert_string_equal(value->next->path, "/etc/tls/y.pem");
	assert_string_equal(value->next->next->path, "/etc/tls/sub dir/z.pem");
	assert_string_equal(value->next->next->next->path, "/etc/tls/./system");
	policy_unref(policy);
	/* A policy named relatively is found from where the program started, even after chdir. */
	policy = policy_parse(text, strlen(text), "some/p", NULL);
	assert_non_null(policy);
	value = rule_option(policy->rules[0], OPTION_TRUST)->values->next;
	assert_int_equal(value->path[0], '/');
	assert_non_null(strstr(value->path, "/some/y.pem"));
	policy_unref(policy);
}

static void each_mistake_has_its_place(void **state)
{
	static const struct {
		const char *text;
		unsigned n;
		const char *message;
	} rows[] = {
		{"conect a:1 tls", 1,
		 "t.policy:1:1: error: found 'conect', expected accept, connect or default (did you mean 'connect'?)"},
		{"hello world\n", 1, "t.policy:1:1: error: found 'hello', expected accept, connect or default\n"},
		{"connect a:1 tsl", 1, "t.policy:1:13: error: found 'tsl', expected an action: tls, starttls PROTOCOL, "
				       "permissive, plain or deny (did you mean 'tls'?)"},
		{"connect a:1 programm x tls", 1, "(did you mean 'program'?)"},
		{"connect a:1", 1, "t.policy:1:12: error: found the end of the file, expected an action"},
		{"connect a:1\nconnect b:2 tls", 1, "t.policy:2:1: error: found 'connect', expected an action"},
		{"connect tls", 1, "t.policy:1:9: error: found 'tls', expected HOST:PORT: the port is missing"},
		{"connect", 1, "t.policy:1:8: error: found the end of the file, expected HOST:PORT"},
		{"connect a:1, tls", 1, "t.policy:1:14: error: found 'tls', expected HOST:PORT"},
		{"connect \"a:1\" tls", 1, "found \"a:1\", expected HOST:PORT without quotes"},
		{"connect a:1 b:2 tls", 1, "t.policy:1:13: error: found 'b:2', expected an action"},
		{"connect a:1 tls extra", 1,
		  "t.policy:1:17: error: found 'extra', expected '{' or the end of the line"},
		{"connect a:1 starttls smpt", 1, "(did you mean 'smtp'?)"},
		{"connect a:1 starttls gopher", 1,
		 "t.policy:1:22: error: found 'gopher', expected a protocol after starttls: smtp, imap, pop3, ftp"},
		{"connect a:1 starttls\n", 1, "found the end of the line, expected a protocol"},
		{"connect a:1 program tls", 1, "found the end of the file, expected an action"},
		{"connect a:1 program x program y tls", 1, "t.policy:1:23: error: 'program' is given twice"},
		{"connect a:1 user nobody-of-that-name tls", 1,
		 "t.policy:1:18: error: unknown user 'nobody-of-that-name'"},
		{"connect a:1 user 4294967295 tls", 1, "expected a number below 4294967295"},
		{"connect a:1 user 99999999999999999999 tls", 1, "expected a number below"},
		{"connect a:1 tls {\n verify none", 1,
		 "t.policy:2:13: error: found the end of the file, expected '}' for the block opened in line 1, column 17"},
		{"connect a:1 tls {\n verify none\nconnect b:2 plain\n", 1,
		 "t.policy:3:1: error: found 'connect', expected an option or '}': the block opened in line 1 is not closed"},
		{"connect a:1 tls { verfy none }", 1, "t.policy:1:19: error: found 'verfy', expected an option or '}' (did "
						      "you mean 'verify'?)"},
		{"connect a:1 tls { verify { none } }", 1, "options have no blocks"},
		{"connect a:1 tls { alpn h2, http/1.1 }", 1, "t.policy:1:26: error: found ',', expected a blank"},
		{"connect a:1 tls { \"verify\" none }", 1, "found \"verify\", expected an option"},
		{"connect a:1 tls }", 1, "found '}', expected '{' or the end of the line"},
		{"}", 1, "found '}', expected accept, connect or default"},
		{"default trust x", 1, "t.policy:1:9: error: found 'trust', expected '{' after default"},
		{"default { }\ndefault { }", 1, "t.policy:2:1: error: there is already a default block in line 1"},
		{"connect a:1 plain { verify none }", 1, "'verify' has no meaning in a rule with action plain"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse_bad(rows[i].text, rows[i].n, rows[i].message);
	}
}

static void all_mistakes_are_reported(void **state)
{
	struct messages *m = messages_reset();
	static const char text[] = "connect a:99999 tls {\n"
				   "  verfy none\n"
				   "  verify nothing; alpn\n"
				   "}\n"
				   "acept *:1 tsl { key k }\n"
				   "connect \"x\n"
				   "connect b:2 deny\n"
				   "rubbish { more { rubbish } }\n"
				   "accept *:2 tls\n";

	(void)state;
	assert_null(policy_parse(text, strlen(text), "t", &m->diag));
	assert_non_null(strstr(m->text, "t:1:9: error: found port '99999'"));
	assert_non_null(strstr(m->text, "t:2:3: error: found 'verfy'"));
	assert_non_null(strstr(m->text, "t:3:10: error: found 'nothing', expected full, chain or none"));
	assert_non_null(strstr(m->text, "t:3:19: error: 'alpn' needs a value"));
	assert_non_null(strstr(m->text, "t:5:1: error: found 'acept'"));
	assert_non_null(strstr(m->text, "t:5:11: error: found 'tsl'"));
	assert_non_null(strstr(m->text, "t:6:9: error: string is not closed"));
	assert_non_null(strstr(m->text, "t:8:1: error: found 'rubbish'"));
	assert_non_null(strstr(m->text, "t:9:1: error: an accept rule with action tls needs 'certificate' and 'key'"));
	assert_int_equal(m->diag.n_errors, 9);
}

static void a_broken_default_does_not_echo_in_every_rule(void **state)
{
	(void)state;
	parse_bad("default { certficate a; key b }\naccept *:1 tls\naccept *:2 tls\n", 1, "'certficate'");
}

static void messages_hold_no_control_characters(void **state)
{
	struct messages *m = messages_reset();

	(void)state;
	assert_null(policy_parse("connect \x1b[2J:1 tls", 18, "evil\n\x1b.policy", &m->diag));
	for (const char *s = m->text; *s; s++) {
		assert_true((unsigned char)*s >= 0x20 || *s == '\n');
	}
	assert_non_null(strstr(m->text, "evil\\x0a\\x1b.policy:1:9"));
}

static void there_are_limits(void **state)
{
	size_t size = (1 << 20) + 2;
	char *text = malloc(size);
	struct messages *m = messages_reset();
	size_t len = 0;

	(void)state;
	assert_non_null(text);
	memset(text, '\n', size);
	assert_null(policy_parse(text, size, "t", &m->diag));
	assert_non_null(strstr(m->text, "larger than the limit of 1048576 bytes"));
	for (unsigned i = 0; i < 4097; i++) {
		len += (size_t)snprintf(text + len, size - len, "connect a:%u deny\n", i + 1);
	}
	m = messages_reset();
	assert_null(policy_parse(text, len, "t", &m->diag));
	assert_non_null(strstr(m->text, "t:4097:1: error: too many rules"));
	assert_int_equal(m->diag.n_errors, 1);
	len = (size_t)snprintf(text, size, "connect a:1");
	for (unsigned i = 0; i < 256; i++) {
		len += (size_t)snprintf(text + len, size - len, ",a:1");
	}
	m = messages_reset();
	assert_null(policy_parse(text, len, "t", &m->diag));
	assert_non_null(strstr(m->text, "too many patterns"));
	free(text);
}

static void every_prefix_ends_well(void **state)
{
	static const char text[] = "default { trust system; versions 1.2-1.3 }\n"
				   "accept *:8443, [fd00::]/8:1-2 program \"a\\x62*\" user 0 tls {\n"
				   " certificate \"s p\"; key k; client-auth require; trust t\n"
				   " allow-peer spiffe://a/b\n}\nconnect a:25 starttls smtp # end\n";

	(void)state;
	for (size_t len = 0; len <= strlen(text); len++) {
		struct messages *m = messages_reset();
		char *copy = malloc(len + 1); /* exact size, so that a sanitizer sees a read past it */
		struct policy *policy;

		assert_non_null(copy);
		memcpy(copy, text, len);
		policy = policy_parse(copy, len, "t", &m->diag);
		assert_int_equal(!policy, m->diag.n_errors > 0);
		policy_unref(policy);
		free(copy);
	}
}

static void a_file_that_cannot_be_read_is_said_so(void **state)
{
	struct messages *m = messages_reset();

	(void)state;
	assert_null(policy_load("/nonexistent/tlshim.policy", &m->diag));
	assert_string_equal(m->text, "/nonexistent/tlshim.policy: error: cannot read the policy: No such file or directory\n");
	m = messages_reset();
	assert_null(policy_load("/", &m->diag));
	assert_non_null(strstr(m->text, "is a directory, expected a regular file"));
	m = messages_reset();
	assert_null(policy_load("/dev/null", &m->diag));
	assert_non_null(strstr(m->text, "expected a regular file"));
}

static void a_snapshot_lives_as_long_as_its_references(void **state)
{
	struct policy *policy = parse_good("connect a:1 deny");

	(void)state;
	policy_ref(policy);
	policy_unref(policy);
	assert_string_equal(policy_rule_text(policy->rules[0]), "/p/t.policy:1: connect a:1 deny");
	policy_unref(policy);
	policy_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_designs_example_parses),
		cmocka_unit_test(an_empty_policy_is_a_policy),
		cmocka_unit_test(layout_is_free),
		cmocka_unit_test(keywords_are_no_reserved_words),
		cmocka_unit_test(relative_paths_start_at_the_policy),
		cmocka_unit_test(each_mistake_has_its_place),
		cmocka_unit_test(all_mistakes_are_reported),
		cmocka_unit_test(a_broken_default_does_not_echo_in_every_rule),
		cmocka_unit_test(messages_hold_no_control_characters),
		cmocka_unit_test(there_are_limits),
		cmocka_unit_test(every_prefix_ends_well),
		cmocka_unit_test(a_file_that_cannot_be_read_is_said_so),
		cmocka_unit_test(a_snapshot_lives_as_long_as_its_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
