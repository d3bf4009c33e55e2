/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Matching sockets against rules: order, names and the lack of them, families, clauses, and the quick filters.
 */
#include "policy_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static struct policy *policy;

struct socket {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len;
};

static struct socket socket_to(const char *address, uint16_t port)
{
	struct socket s;

	memset(&s, 0, sizeof(s));
	if (strchr(address, ':')) {
		s.in6.sin6_family = AF_INET6;
		s.in6.sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, address, &s.in6.sin6_addr), 1);
		s.len = sizeof(s.in6);
	} else {
		s.in.sin_family = AF_INET;
		s.in.sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, address, &s.in.sin_addr), 1);
		s.len = sizeof(s.in);
	}
	return s;
}

static struct policy_verdict ask(enum policy_direction direction, const char *address, uint16_t port,
				 const char *name, const char *program, uint32_t uid)
{
	struct socket s = socket_to(address, port);
	struct policy_query query = {
		.direction = direction,
		.addr = &s.any,
		.addr_len = s.len,
		.names = name ? &name : NULL,
		.n_names = name ? 1 : 0,
		.program = program,
		.uid = uid,
	};
	struct policy_verdict verdict;

	policy_match(policy, &query, &verdict);
	return verdict;
}

static struct policy_verdict ask_connect(const char *address, uint16_t port, const char *name)
{
	return ask(POLICY_CONNECT, address, port, name, "/usr/bin/curl", 1000);
}

/* Line of the rule that wins, 0 for none; negative if it is refused for want of a name. */
static int line(struct policy_verdict verdict)
{
	int number = verdict.rule ? (int)policy_rule_line(verdict.rule) : 0;

	if (verdict.name_unknown) {
		assert_int_equal(verdict.action, POLICY_DENY);
		assert_non_null(verdict.rule);
		return -number;
	}
	if (!verdict.rule) {
		assert_int_equal(verdict.action, POLICY_PLAIN);
	}
	return number;
}

static int tear_down(void **state)
{
	(void)state;
	policy_unref(policy);
	policy = NULL;
	return 0;
}

static void the_first_rule_that_fits_wins(void **state)
{
	(void)state;
	policy = parse_good("connect 10.0.0.1:25 plain\n"
			    "connect 10.0.0.0/8:1-99 deny\n"
			    "connect *:25 tls\n"
			    "accept *:25 deny\n");
	assert_int_equal(line(ask_connect("10.0.0.1", 25, NULL)), 1);
	assert_int_equal(line(ask_connect("10.0.0.2", 25, NULL)), 2);
	assert_int_equal(line(ask_connect("11.0.0.2", 25, NULL)), 3);
	assert_int_equal(line(ask_connect("10.0.0.1", 26, NULL)), 2);
	assert_int_equal(line(ask_connect("10.0.0.1", 443, NULL)), 0);
	assert_int_equal(line(ask(POLICY_ACCEPT, "10.0.0.1", 25, NULL, NULL, 0)), 4);
	assert_int_equal(ask_connect("11.0.0.2", 25, NULL).action, POLICY_TLS);
	assert_int_equal(ask_connect("10.0.0.1", 25, NULL).action, POLICY_PLAIN);
	assert_int_equal(ask_connect("10.0.0.2", 25, NULL).action, POLICY_DENY);
}

static void an_unknown_name_never_falls_through(void **state)
{
	(void)state;
	policy = parse_good("connect 10.9.9.9:443 plain\n"
			    "connect api.example.org:443, 10.8.0.0/16:443 tls\n"
			    "connect *:443 plain\n");
	assert_int_equal(line(ask_connect("10.0.0.1", 443, "api.example.org")), 2);
	assert_int_equal(line(ask_connect("10.0.0.1", 443, "other.example.org")), 3);
	assert_int_equal(line(ask_connect("10.0.0.1", 443, NULL)), -2);
	assert_int_equal(line(ask_connect("::1", 443, NULL)), -2);
	/* An earlier rule by address decides, and so does a pattern by address in the rule itself. */
	assert_int_equal(line(ask_connect("10.9.9.9", 443, NULL)), 1);
	assert_int_equal(line(ask_connect("10.8.1.1", 443, NULL)), 2);
	/* Another port is not concerned. */
	assert_int_equal(line(ask_connect("10.0.0.1", 80, NULL)), 0);
	/* What resolvers take as addresses is no name. */
	assert_int_equal(line(ask_connect("10.0.0.1", 443, "10.0.0.1")), -2);
	assert_int_equal(line(ask_connect("10.0.0.1", 443, "0x0a000001")), -2);
	assert_int_equal(line(ask_connect("10.0.0.1", 443, "")), -2);
}

static void any_of_the_names_counts(void **state)
{
	const char *names[] = {"cdn.example.net", NULL, "10.1.1.1", "API.Example.org.", "b.example.org"};
	struct socket s = socket_to("10.0.0.1", 443);
	struct policy_query query = {.addr = &s.any, .addr_len = s.len, .names = names, .n_names = 5};
	struct policy_verdict verdict;

	(void)state;
	policy = parse_good("connect *.example.org:443 tls\nconnect 10.0.0.1:443 deny\n");
	policy_match(policy, &query, &verdict);
	assert_int_equal(line(verdict), 1);
	assert_ptr_equal(verdict.name, names[3]);
	/* By address: the newest name goes with it. */
	names[3] = names[4] = "x.example.net";
	policy_match(policy, &query, &verdict);
	assert_int_equal(line(verdict), 2);
	assert_ptr_equal(verdict.name, names[0]);
	/* Only names that are none. */
	query.names = names + 1;
	query.n_names = 2;
	policy_match(policy, &query, &verdict);
	assert_int_equal(line(verdict), -1);
	assert_null(verdict.name);
}

static void all_forms_of_an_address_are_one(void **state)
{
	struct socket s = socket_to("::1", 443);
	struct policy_query query = {.addr = &s.any, .addr_len = 24};
	struct policy_verdict verdict;

	(void)state;
	policy = parse_good("connect 127.0.0.1:443 tls\nconnect [::1]:443 tls\nconnect [::]/0:443 deny\n");
	assert_int_equal(line(ask_connect("127.0.0.1", 443, NULL)), 1);
	assert_int_equal(line(ask_connect("::ffff:127.0.0.1", 443, NULL)), 1);
	assert_int_equal(line(ask_connect("0.0.0.0", 443, NULL)), 1); /* the kernel connects to loopback */
	assert_int_equal(line(ask_connect("::ffff:0.0.0.0", 443, NULL)), 1);
	assert_int_equal(line(ask_connect("::1", 443, NULL)), 2);
	assert_int_equal(line(ask_connect("::", 443, NULL)), 2);
	assert_int_equal(line(ask_connect("::2", 443, NULL)), 3);
	assert_int_equal(line(ask_connect("10.0.0.1", 443, NULL)), 0);
	/* The kernel takes an IPv6 address without its scope: 24 bytes. */
	policy_match(policy, &query, &verdict);
	assert_int_equal(line(verdict), 2);
}

static void other_families_are_left_alone(void **state)
{
	struct socket s = {.len = sizeof(struct sockaddr_un)};
	struct policy_query query = {.addr = &s.any, .addr_len = s.len};
	struct policy_verdict verdict;

	(void)state;
	policy = parse_good("connect *:* deny\n");
	s.un.sun_family = AF_UNIX;
	policy_match(policy, &query, &verdict);
	assert_int_equal(line(verdict), 0);
	s.un.sun_family = AF_UNSPEC;
	policy_match(policy, &query, &verdict);
	assert_int_equal(line(verdict), 0);
	s = socket_to("127.0.0.1", 1);
	query.addr_len = sizeof(struct sockaddr_in) - 1;
	policy_match(policy, &query, &verdict);
	assert_int_equal(line(verdict), 0);
	query.addr_len = 1;
	policy_match(policy, &query, &verdict);
	assert_int_equal(line(verdict), 0);
	query.addr = NULL;
	policy_match(policy, &query, &verdict);
	assert_int_equal(line(verdict), 0);
}

static void clauses_narrow_a_rule(void **state)
{
	(void)state;
	policy = parse_good("connect *:1 program curl tls\n"
			    "connect *:1 program /opt/*/python3* user 33 deny\n"
			    "connect *:1 user 33 plain\n"
			    "connect named:1 program wget tls\n");
	assert_int_equal(line(ask(POLICY_CONNECT, "10.0.0.1", 1, NULL, "/usr/bin/curl", 0)), 1);
	assert_int_equal(line(ask(POLICY_CONNECT, "10.0.0.1", 1, NULL, "curl", 0)), 1);
	assert_int_equal(line(ask(POLICY_CONNECT, "10.0.0.1", 1, NULL, "/usr/bin/curl2", 0)), 0);
	assert_int_equal(line(ask(POLICY_CONNECT, "10.0.0.1", 1, NULL, "/opt/x/y/python3.11", 33)), 2);
	assert_int_equal(line(ask(POLICY_CONNECT, "10.0.0.1", 1, NULL, "/opt/x/python3", 34)), 0);
	assert_int_equal(line(ask(POLICY_CONNECT, "10.0.0.1", 1, NULL, "python3", 33)), 3);
	assert_int_equal(line(ask(POLICY_CONNECT, "10.0.0.1", 1, NULL, NULL, 33)), 3);
	/* The lack of a name refuses only the processes that the rule is for. */
	assert_int_equal(line(ask(POLICY_CONNECT, "10.0.0.1", 1, NULL, "/usr/bin/wget", 0)), -4);
	assert_int_equal(line(ask(POLICY_CONNECT, "10.0.0.1", 1, NULL, "/usr/bin/other", 0)), 0);
}

static void starttls_and_permissive_keep_their_action(void **state)
{
	(void)state;
	policy = parse_good("connect *:25 starttls smtp\naccept *:80 permissive { certificate a; key b }\n");
	assert_int_equal(ask_connect("10.0.0.1", 25, NULL).action, POLICY_STARTTLS);
	assert_int_equal(ask(POLICY_ACCEPT, "10.0.0.1", 80, NULL, NULL, 0).action, POLICY_PERMISSIVE);
}

static void quick_filters_see_every_rule(void **state)
{
	(void)state;
	policy = parse_good("connect a:25, b:100-200 tls\nconnect *:30 program x plain\n");
	assert_true(policy_has(policy, POLICY_CONNECT));
	assert_false(policy_has(policy, POLICY_ACCEPT));
	assert_true(policy_may_match(policy, POLICY_CONNECT, 25));
	assert_true(policy_may_match(policy, POLICY_CONNECT, 30));
	assert_true(policy_may_match(policy, POLICY_CONNECT, 100));
	assert_true(policy_may_match(policy, POLICY_CONNECT, 200));
	assert_false(policy_may_match(policy, POLICY_CONNECT, 99));
	assert_false(policy_may_match(policy, POLICY_CONNECT, 201));
	assert_false(policy_may_match(policy, POLICY_ACCEPT, 25));
}

static void accept_rules_go_by_the_local_address(void **state)
{
	(void)state;
	policy = parse_good("accept localhost:80 deny\naccept 192.168.0.0/16:80 plain\naccept 0.0.0.0:80 deny\n");
	assert_int_equal(line(ask(POLICY_ACCEPT, "127.1.2.3", 80, NULL, NULL, 0)), 1);
	assert_int_equal(line(ask(POLICY_ACCEPT, "::1", 80, NULL, NULL, 0)), 1);
	assert_int_equal(line(ask(POLICY_ACCEPT, "192.168.3.4", 80, NULL, NULL, 0)), 2);
	assert_int_equal(line(ask(POLICY_ACCEPT, "::ffff:192.168.3.4", 80, NULL, NULL, 0)), 2);
	assert_int_equal(line(ask(POLICY_ACCEPT, "10.0.0.1", 80, NULL, NULL, 0)), 3);
	assert_int_equal(line(ask(POLICY_ACCEPT, "fd00::1", 80, NULL, NULL, 0)), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_first_rule_that_fits_wins),
		TEST(an_unknown_name_never_falls_through),
		TEST(any_of_the_names_counts),
		TEST(all_forms_of_an_address_are_one),
		TEST(other_families_are_left_alone),
		TEST(clauses_narrow_a_rule),
		TEST(starttls_and_permissive_keep_their_action),
		TEST(quick_filters_see_every_rule),
		TEST(accept_rules_go_by_the_local_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
