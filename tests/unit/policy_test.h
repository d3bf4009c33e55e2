/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of policy/ share: cmocka's includes, a collector of messages, and shorthand for parsing.
 */
#ifndef TESTS_UNIT_POLICY_TEST_H
#define TESTS_UNIT_POLICY_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

struct messages {
	struct policy_diag diag;
	char text[65536]; /* each message with a newline */
};

static inline void messages_take(void *ctx, enum policy_severity severity, const char *text)
{
	struct messages *m = ctx;
	size_t len = strlen(m->text);

	(void)severity;
	(void)snprintf(m->text + len, sizeof(m->text) - len, "%s\n", text);
}

static inline struct messages *messages_reset(void)
{
	static struct messages m;

	memset(&m, 0, sizeof(m));
	m.diag.report = messages_take;
	m.diag.ctx = &m;
	return &m;
}

/* The text must parse; warnings are allowed. */
static inline struct policy *parse_good(const char *text)
{
	struct messages *m = messages_reset();
	struct policy *policy = policy_parse(text, strlen(text), "/p/t.policy", &m->diag);

	if (!policy) {
		print_message("%s", m->text);
	}
	assert_non_null(policy);
	assert_int_equal(m->diag.n_errors, 0);
	return policy;
}

/* The text must give n errors (0: any number), one of which contains `part`. */
static inline void parse_bad(const char *text, unsigned n, const char *part)
{
	struct messages *m = messages_reset();
	struct policy *policy = policy_parse(text, strlen(text), "t.policy", &m->diag);

	if (policy || !strstr(m->text, part) || (n && m->diag.n_errors != n)) {
		print_message("text: %s\nwanted %u: %s\nmessages: %s\n", text, n, part, m->text);
	}
	assert_null(policy);
	assert_non_null(strstr(m->text, part));
	if (n) {
		assert_int_equal(m->diag.n_errors, n);
	}
}

#endif
