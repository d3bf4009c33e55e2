/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the policy language: whatever the text, parsing ends with a policy or with an error, and what parses can be
 * matched and explained.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

static void check_message(void *ctx, enum policy_severity severity, const char *text)
{
	(void)ctx;
	(void)severity;
	for (const char *s = text; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f) {
			abort(); /* a message is one line that a terminal may show */
		}
	}
}

static void match_some(const struct policy *policy)
{
	static const char *const names[] = { "a.example.org", "LOCALHOST.", "127.0.0.1", "", NULL, "x.y.z" };
	struct policy_verdict verdict;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(443) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(443) };
	struct policy_query query = { .program = "/usr/bin/curl" };

	for (int i = 0; i < 16; i++) {
		query.direction = i & 1 ? POLICY_ACCEPT : POLICY_CONNECT;
		query.names = i & 2 ? names : NULL;
		query.n_names = i & 2 ? sizeof(names) / sizeof(names[0]) : 0;
		query.addr = i & 4 ? (const struct sockaddr *)&in6 : (const struct sockaddr *)&in;
		query.addr_len = i & 4 ? sizeof(in6) : sizeof(in);
		if (i & 8) {
			in.sin_addr.s_addr = htonl(0x0a010203);
			in6.sin6_addr = in6addr_loopback;
		}
		policy_match(policy, &query, &verdict);
		if (verdict.rule && (!policy_rule_text(verdict.rule) || policy_rule_line(verdict.rule) == 0)) {
			abort();
		}
		if (verdict.rule && !policy_may_match(policy, query.direction, 443)) {
			abort(); /* the quick filter must never hide a rule */
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const targets[] = { "a.example.org:443", "10.1.2.3:https", "[::1]:25" };
	struct policy_diag diag = { .report = check_message };
	struct policy *policy = policy_parse((const char *)data, size, "/etc/tlshim/policy", &diag);
	char why[512], *text = NULL;
	size_t len = 0;
	FILE *out;

	if (!policy != (diag.n_errors > 0)) {
		abort();
	}
	if (!policy) {
		return 0;
	}
	if (policy_session_cache_size(policy) > POLICY_MAX_SESSIONS) {
		abort();
	}
	match_some(policy);
	out = open_memstream(&text, &len);
	for (size_t i = 0; out && i < sizeof(targets) / sizeof(targets[0]); i++) {
		(void)policy_explain(policy, POLICY_CONNECT, targets[i], out, why);
		(void)policy_explain(policy, POLICY_ACCEPT, targets[i], out, why);
	}
	/* The text itself as HOST:PORT. */
	if (out && size < 512) {
		char target[512];

		memcpy(target, data, size);
		target[size] = 0;
		(void)policy_explain(policy, POLICY_CONNECT, target, out, why);
	}
	if (out) {
		(void)fclose(out);
	}
	free(text);
	policy_unref(policy);
	return 0;
}
