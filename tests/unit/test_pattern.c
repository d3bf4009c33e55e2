/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HOST:PORT patterns: reading, matching, covering, and globs.
 */
#include "policy_test.h"

#include <arpa/inet.h>

#include "policy/rule.h"

static uint16_t find_service(const char *name)
{
	return strcmp(name, "from-a-file") == 0 ? 4711 : 0;
}

static struct policy *owner;

static int set_up(void **state)
{
	(void)state;
	owner = rule_new_policy("t", "/");
	return owner ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	policy_unref(owner);
	return 0;
}

static bool read_one(enum policy_direction direction, const char *text, struct pattern *pattern)
{
	struct messages *m = messages_reset();
	const struct diag diag = {&m->diag, "t"};
	const struct pattern_reader reader = {owner, &diag, direction, find_service};
	bool ok;

	*pattern = (struct pattern){0};
	ok = pattern_read(&reader, (struct place){1, 1}, text, pattern);
	assert_int_equal(!ok, m->diag.n_errors > 0);
	return ok;
}

static struct pattern *good(enum policy_direction direction, const char *text)
{
	static struct pattern patterns[2];
	static unsigned turn;
	struct pattern *pattern = &patterns[turn++ % 2];

	if (!read_one(direction, text, pattern)) {
		fail_msg("'%s' was refused: %s", text, messages_reset()->text);
	}
	return pattern;
}

static void bad(enum policy_direction direction, const char *text, const char *message)
{
	struct messages *m = messages_reset();
	const struct diag diag = {&m->diag, "t"};
	const struct pattern_reader reader = {owner, &diag, direction, find_service};
	struct pattern pattern = {0};

	if (pattern_read(&reader, (struct place){1, 1}, text, &pattern) || !strstr(m->text, message)) {
		fail_msg("'%s': wanted '%s', got '%s'", text, message, m->text);
	}
}

/* Match "ADDRESS" with port 443, or a name when it is none, against a pattern. */
static enum pattern_match match(const struct pattern *pattern, const char *host, uint16_t port)
{
	struct pattern_subject subject = {.port = port};
	struct pattern_address *address = &subject.address;
	const char *name = NULL;

	if (inet_pton(AF_INET, host, address->bytes + 12) == 1) {
		address->bytes[10] = address->bytes[11] = 0xff;
		address->is_ipv4 = true;
		subject.has_address = true;
	} else if (inet_pton(AF_INET6, host, address->bytes) == 1) {
		subject.has_address = true;
	} else {
		subject.names = &host;
		subject.n_names = 1;
	}
	return pattern_match(pattern, &subject, &name);
}

static void hosts_match_as_written(void **state)
{
	static const struct {
		const char *pattern, *host;
		enum pattern_match match;
	} rows[] = {
		{"*:443", "10.0.0.1", PATTERN_YES},
		{"*:443", "a.b", PATTERN_YES},
		{"*:443", "::1", PATTERN_YES},
		{"example.org:443", "example.org", PATTERN_YES},
		{"example.org:443", "EXAMPLE.Org.", PATTERN_YES},
		{"Example.ORG.:443", "example.org", PATTERN_YES},
		{"example.org:443", "www.example.org", PATTERN_NO_HOST},
		{"example.org:443", "example.organ", PATTERN_NO_HOST},
		{"example.org:443", "10.0.0.1", PATTERN_NEEDS_NAME},
		{"*.example.org:443", "www.example.org", PATTERN_YES},
		{"*.example.org:443", "a.b.c.Example.org.", PATTERN_YES},
		{"*.example.org:443", "example.org", PATTERN_NO_HOST},
		{"*.example.org:443", ".example.org", PATTERN_NO_HOST},
		{"*.example.org:443", "badexample.org", PATTERN_NO_HOST},
		{"*.example.org:443", "::1", PATTERN_NEEDS_NAME},
		{"10.1.2.3:443", "10.1.2.3", PATTERN_YES},
		{"10.1.2.3:443", "10.1.2.4", PATTERN_NO_HOST},
		{"10.1.2.3:443", "a.b", PATTERN_NEEDS_ADDRESS},
		{"10.1.0.0/16:443", "10.1.255.255", PATTERN_YES},
		{"10.1.0.0/16:443", "10.2.0.0", PATTERN_NO_HOST},
		{"10.1.2.3/9:443", "10.127.0.1", PATTERN_YES},
		{"10.1.2.3/9:443", "10.128.0.1", PATTERN_NO_HOST},
		{"0.0.0.0/0:443", "255.255.255.255", PATTERN_YES},
		{"0.0.0.0/0:443", "::1", PATTERN_NO_HOST},
		{"10.1.2.3/32:443", "10.1.2.3", PATTERN_YES},
		{"[::1]:443", "::1", PATTERN_YES},
		{"[::1]:443", "::2", PATTERN_NO_HOST},
		{"[fd00::]/8:443", "fdff::1", PATTERN_YES},
		{"[fd00::/8]:443", "fdff::1", PATTERN_YES},
		{"[fd00::]/8:443", "fe00::1", PATTERN_NO_HOST},
		{"[::]/0:443", "fe80::1", PATTERN_YES},
		{"[::]/0:443", "10.0.0.1", PATTERN_NO_HOST},
		{"[::ffff:10.1.2.3]:443", "10.1.2.3", PATTERN_YES},
		{"[::ffff:10.1.0.0]/112:443", "10.1.9.9", PATTERN_YES},
		{"[::ffff:0:0]/96:443", "1.2.3.4", PATTERN_YES},
		{"[2001:db8::8000:0:0:0]/65:443", "2001:db8:0:0:ffff::1", PATTERN_YES},
		{"[2001:db8::8000:0:0:0]/65:443", "2001:db8:0:0:7fff::1", PATTERN_NO_HOST},
		{"0.0.0.0:443", "127.0.0.1", PATTERN_YES}, /* where a connection to it ends */
		{"[::]:443", "::1", PATTERN_YES},
		{"_sip.example.org:443", "_sip.example.org", PATTERN_YES},
		{"1and1.example:443", "1and1.example", PATTERN_YES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pattern *pattern = good(POLICY_CONNECT, rows[i].pattern);

		if (match(pattern, rows[i].host, 443) != rows[i].match) {
			fail_msg("%s against %s", rows[i].pattern, rows[i].host);
		}
		assert_int_equal(match(pattern, rows[i].host, 442), PATTERN_NO_PORT);
		assert_string_equal(pattern->text, rows[i].pattern);
	}
}

static void accept_patterns_are_local_addresses(void **state)
{
	(void)state;
	assert_int_equal(match(good(POLICY_ACCEPT, "localhost:1"), "127.8.8.8", 1), PATTERN_YES);
	assert_int_equal(match(good(POLICY_ACCEPT, "localhost:1"), "::1", 1), PATTERN_YES);
	assert_int_equal(match(good(POLICY_ACCEPT, "LocalHost.:1"), "10.0.0.1", 1), PATTERN_NO_HOST);
	assert_int_equal(match(good(POLICY_ACCEPT, "0.0.0.0:1"), "10.0.0.1", 1), PATTERN_YES);
	assert_int_equal(match(good(POLICY_ACCEPT, "0.0.0.0:1"), "::1", 1), PATTERN_NO_HOST);
	assert_int_equal(match(good(POLICY_ACCEPT, "[::]:1"), "::5", 1), PATTERN_YES);
	assert_int_equal(match(good(POLICY_ACCEPT, "[::]:1"), "10.0.0.1", 1), PATTERN_YES);
	bad(POLICY_ACCEPT, "example.org:1", "accept rules are matched by local address");
	bad(POLICY_ACCEPT, "*.localhost:1", "accept rules are matched by local address");
}

static void ports_are_numbers_ranges_and_services(void **state)
{
	static const struct {
		const char *text;
		uint16_t low, high;
	} rows[] = {
		{"a:1", 1, 1},
		{"a:65535", 65535, 65535},
		{"a:1-65535", 1, 65535},
		{"a:80-80", 80, 80},
		{"a:*", 0, 65535},
		{"a:https", 443, 443},
		{"a:redis", 6379, 6379},
		{"a:xmpp-client", 5222, 5222},
		{"a:from-a-file", 4711, 4711},
		{"a:00080", 80, 80},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pattern *pattern = good(POLICY_CONNECT, rows[i].text);

		assert_int_equal(pattern->low_port, rows[i].low);
		assert_int_equal(pattern->high_port, rows[i].high);
	}
}

static void wrong_patterns_are_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"a", "expected HOST:PORT: the port is missing"},
		{":1", "the host is missing"},
		{"a:", "found port ''"},
		{"a:0", "expected a number from 1 to 65535"},
		{"a:65536", "expected a number from 1 to 65535"},
		{"a:99999999999999999999999", "expected a number from 1 to 65535"},
		{"a:-1", "expected a number from 1"},
		{"a:1-", "expected a number from 1"},
		{"a:0-5", "expected a number from 1"},
		{"a:1-2-3", "expected a number from 1"},
		{"a:9-3", "the lower port first: 3-9"},
		{"a:htpps", "(did you mean 'https'?)"},
		{"a:nosuchservice", "a service name\n"},
		{"::1:443", "expected an IPv6 address in brackets"},
		{"[::1:443", "']' is missing"},
		{"[::1]", "the port is missing"},
		{"[::1]443", "the port is missing"},
		{"[::1]x:443", "expected [ADDRESS], [ADDRESS]/BITS"},
		{"[::1/8]/8:443", "expected [ADDRESS], [ADDRESS]/BITS"},
		{"[]:443", "expected an IPv6 address"},
		{"[fe80::1%eth0]:1", "without a zone"},
		{"[1.2.3.4]:1", "expected an IPv6 address"},
		{"[::1]/129:1", "expected 0 to 128 bits"},
		{"10.0.0.0/33:1", "expected 0 to 32 bits"},
		{"10.0.0.0/:1", "expected 0 to 32 bits"},
		{"10.0.0.0/-1:1", "expected 0 to 32 bits"},
		{"10.0.0.0/4294967304:1", "expected 0 to 32 bits"},
		{"10.0.0:1", "expected an IPv4 address"},
		{"10.0.0.256:1", "expected an IPv4 address"},
		{"10:1", "expected an IPv4 address"},
		{"0x7f000001:1", "expected an IPv4 address"},
		{"example/8:1", "expected an IPv4 address"},
		{"*.10.0.0.1:1", "expected *, a name"},
		{"*foo:1", "'*' stands alone, or first"},
		{"a.*.b:1", "'*' stands alone, or first"},
		{"**:1", "'*' stands alone, or first"},
		{"*.:1", "expected *, a name"},
		{"a..b:1", "labels of 1 to 63"},
		{".a:1", "labels of 1 to 63"},
		{"-a.b:1", "labels of 1 to 63"},
		{"a-.b:1", "labels of 1 to 63"},
		{"a_b!c:1", "labels of 1 to 63"},
		{"b\xc3\xbc" "cher.example:1", "xn--"},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b:1", "labels of 1 to 63"},
	};
	char longest[600];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bad(POLICY_CONNECT, rows[i].text, rows[i].message);
	}
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 10; i < sizeof(longest); i += 10) {
		longest[i] = '.';
	}
	memcpy(longest + 595, "b:1", 4);
	bad(POLICY_CONNECT, longest, "too long");
	memcpy(longest + 275, "b:1", 4);
	bad(POLICY_CONNECT, longest, "expected *, a name");
}

static void both_halves_of_a_pattern_are_judged(void **state)
{
	struct messages *m = messages_reset();
	const struct diag diag = {&m->diag, "t"};
	const struct pattern_reader reader = {owner, &diag, POLICY_CONNECT, NULL};
	struct pattern pattern = {0};

	(void)state;
	assert_false(pattern_read(&reader, (struct place){1, 1}, "a..b:0", &pattern));
	assert_int_equal(m->diag.n_errors, 2);
}

static void bits_beyond_the_prefix_earn_a_warning(void **state)
{
	struct messages *m = messages_reset();
	const struct diag diag = {&m->diag, "t"};
	const struct pattern_reader reader = {owner, &diag, POLICY_CONNECT, NULL};
	struct pattern pattern = {0};

	(void)state;
	assert_true(pattern_read(&reader, (struct place){1, 1}, "10.1.2.3/16:1", &pattern));
	assert_int_equal(m->diag.n_warnings, 1);
	assert_non_null(strstr(m->text, "prefix of 16"));
	assert_true(pattern_read(&reader, (struct place){1, 1}, "10.1.0.0/16:1", &pattern));
	assert_int_equal(m->diag.n_warnings, 1);
}

static void addresses_in_any_notation_are_no_names(void **state)
{
	static const char *const names[] = {"localhost", "a.b.", "1and1", "10.example", "0xabc.example", "a1"};
	static const char *const others[] = {"",	"10.0.0.1", "10.1",  "2130706433", "0x7f000001", "127.0.0.1.",
					     "1.0x7f", "::1",	    "fe80::1", ".",	   "..",	 "a."
													"1"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_true(pattern_is_usable_name(names[i]));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_false(pattern_is_usable_name(others[i]));
	}
}

static bool covers(const char *a, const char *b)
{
	struct pattern *first = good(POLICY_CONNECT, a), *second = good(POLICY_CONNECT, b);

	return pattern_covers(first, second);
}

static void covering_is_by_host_and_port(void **state)
{
	(void)state;
	assert_true(covers("*:*", "a.b:1"));
	assert_true(covers("*:1-5", "10.0.0.1:2-3"));
	assert_false(covers("*:1-5", "10.0.0.1:2-6"));
	assert_true(covers("a.b:1", "A.B.:1"));
	assert_false(covers("a.b:1", "a.c:1"));
	assert_false(covers("a.b:1", "*.b:1"));
	assert_true(covers("*.b:1", "a.b:1"));
	assert_true(covers("*.b:1", "*.b:1"));
	assert_true(covers("*.b:1", "*.a.b:1"));
	assert_false(covers("*.a.b:1", "*.b:1"));
	assert_false(covers("*.b:1", "b:1"));
	assert_true(covers("10.0.0.0/8:1", "10.1.0.0/16:1"));
	assert_false(covers("10.1.0.0/16:1", "10.0.0.0/8:1"));
	assert_false(covers("10.0.0.0/8:1", "*:1"));
	assert_false(covers("10.0.0.0/8:1", "a.b:1"));
	assert_true(covers("[fd00::]/8:1", "[fd00::1]:1"));
	assert_false(covers("[::]/0:1", "10.0.0.1:1"));
}

static void globs_match_whole_texts(void **state)
{
	static const struct {
		const char *glob, *text;
		bool fits;
	} rows[] = {
		{"", "", true},		   {"", "a", false},	       {"nginx", "nginx", true},
		{"nginx", "nginx2", false}, {"nginx", "xnginx", false}, {"*", "", true},
		{"*", "any/thing", true},   {"a*c", "abbbc", true},     {"a*c", "abbb", false},
		{"*a*b*", "xxaxxbxx", true}, {"*ab", "aab", true},      {"*aab", "aaaab", true},
		{"a?c", "abc", true},	   {"a?c", "ac", false},       {"?", "", false},
		{"[abc]x", "bx", true},	   {"[abc]x", "dx", false},    {"[!abc]x", "dx", true},
		{"[!abc]x", "ax", false},   {"[a-c0-9]", "7", true},    {"[a-c0-9]", "d", false},
		{"[]x]", "]", true},	   {"[!]]", "a", true},	       {"[", "[", true},
		{"[abc", "[abc", true},	   {"[abc", "a", false},       {"\\*", "*", true},
		{"\\*", "a", false},	   {"\\", "\\", true},	       {"/usr/*/nginx", "/usr/local/sbin/nginx", true},
		{"[a-]", "-", true},	   {"python3.[0-9]*", "python3.11", true},
	};
	char text[4001], glob[201];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (pattern_glob(rows[i].glob, rows[i].text) != rows[i].fits) {
			fail_msg("%s against %s", rows[i].glob, rows[i].text);
		}
	}
	/* Many stars must not take exponential time. */
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	for (size_t i = 0; i < sizeof(glob) - 1; i++) {
		glob[i] = i % 2 ? 'a' : '*';
	}
	glob[sizeof(glob) - 2] = 'b';
	glob[sizeof(glob) - 1] = 0;
	assert_false(pattern_glob(glob, text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_match_as_written),
		cmocka_unit_test(accept_patterns_are_local_addresses),
		cmocka_unit_test(ports_are_numbers_ranges_and_services),
		cmocka_unit_test(wrong_patterns_are_refused_with_a_reason),
		cmocka_unit_test(both_halves_of_a_pattern_are_judged),
		cmocka_unit_test(bits_beyond_the_prefix_earn_a_warning),
		cmocka_unit_test(addresses_in_any_notation_are_no_names),
		cmocka_unit_test(covering_is_by_host_and_port),
		cmocka_unit_test(globs_match_whole_texts),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
