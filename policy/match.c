/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first rule that fits a socket wins. Everything here but policy_preload() is async-signal-safe.
 */
#include "match.h"

#include <netinet/in.h>
#include <string.h>

static bool subject_init(struct pattern_subject *subject, const struct policy_query *query);

void policy_match(const struct policy *policy, const struct policy_query *query,
		  struct policy_verdict *verdict)
{
	struct pattern_subject subject;

	*verdict = (struct policy_verdict){.action = POLICY_PLAIN};
	if (!subject_init(&subject, query)) {
		return; /* no internet socket: AF_UNIX and the like are none of our business */
	}
	for (size_t i = 0; i < subject.n_names && !verdict->name; i++) {
		if (subject.names[i] && pattern_is_usable_name(subject.names[i])) {
			verdict->name = subject.names[i];
		}
	}
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = policy->rules[i];
		enum pattern_match match;

		if (rule->direction != query->direction ||
		    !match_process(rule, query->program, query->started_as, query->uid)) {
			continue;
		}
		match = match_socket(rule, &subject, NULL, &verdict->name);
		if (match == PATTERN_YES || match == PATTERN_NEEDS_NAME) {
			verdict->rule = rule;
			verdict->name_unknown = match == PATTERN_NEEDS_NAME;
			verdict->action = match == PATTERN_YES ? rule->action : POLICY_DENY;
			return;
		}
	}
}

static bool fits_port(const struct policy_rule *rule, uint16_t port)
{
	for (const struct pattern *p = rule->patterns; p; p = p->next) {
		if (p->low_port <= port && port <= p->high_port) {
			return true;
		}
	}
	return false;
}

bool policy_may_match(const struct policy *policy, enum policy_direction direction, uint16_t port)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = policy->rules[i];

		if (rule->direction != direction) {
			continue;
		}
		if (fits_port(rule, port)) {
			return true;
		}
	}
	return false;
}

bool policy_preload(const struct policy *policy, enum policy_direction direction, uint16_t port,
		    const char *program, const char *started_as, char why[static 512])
{
	bool all = true;
	char another[512] = "";

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = policy->rules[i];

		/* The user may change between listen() and accept(): its clause does not count here. */
		if (rule->direction != direction || !rule_is_wrapped(rule) || rule_unavailable(rule) ||
		    (port != 0 && !fits_port(rule, port)) ||
		    !match_process(rule, program, started_as, rule->uid)) {
			continue;
		}
		if (!policy_rule_config(rule, all ? why : another)) {
			all = false;
		}
	}
	return all;
}

bool policy_has(const struct policy *policy, enum policy_direction direction)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		if (policy->rules[i]->direction == direction) {
			return true;
		}
	}
	return false;
}

static bool fits_program(const char *glob, const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;

	if (slash && !strchr(glob, '/')) {
		program = slash + 1;
	}
	return program && pattern_glob(glob, program);
}

bool match_process(const struct policy_rule *rule, const char *program, const char *started_as, uint32_t uid)
{
	if (rule->program && !fits_program(rule->program, program) && !fits_program(rule->program, started_as)) {
		return false;
	}
	return !rule->user || rule->uid == uid;
}

enum pattern_match match_socket(const struct policy_rule *rule, const struct pattern_subject *subject,
				const struct pattern **which, const char **name)
{
	enum pattern_match best = PATTERN_NO_PORT;

	for (const struct pattern *p = rule->patterns; p && best != PATTERN_YES; p = p->next) {
		enum pattern_match match = pattern_match(p, subject, name);

		if (match > best) {
			best = match;
			if (which) {
				*which = p;
			}
		}
	}
	return best;
}

/*
 * False if the address is not an internet one. Lengths as the kernel demands them, or a call that it takes
 * would slip through here: IPv6 without the scope (24 bytes) is one.
 */
static bool subject_init(struct pattern_subject *subject, const struct policy_query *query)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct pattern_address *address = &subject->address;
	sa_family_t family;

	*subject = (struct pattern_subject){.has_address = true};
	if (query->direction == POLICY_CONNECT && query->names) {
		subject->names = query->names;
		subject->n_names = query->n_names;
	}
	if (!query->addr || query->addr_len < sizeof(family)) {
		return false;
	}
	memcpy(&family, query->addr, sizeof(family));
	if (family == AF_INET && query->addr_len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, query->addr, sizeof(in));
		subject->port = ntohs(in.sin_port);
		memcpy(address->bytes, mapped, 12);
		memcpy(address->bytes + 12, &in.sin_addr, 4);
	} else if (family == AF_INET6 && query->addr_len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
		struct sockaddr_in6 in6;

		memcpy(&in6, query->addr, offsetof(struct sockaddr_in6, sin6_scope_id));
		subject->port = ntohs(in6.sin6_port);
		memcpy(address->bytes, &in6.sin6_addr, 16);
	} else {
		return false;
	}
	match_settle_address(query->direction, address);
	return true;
}

void match_settle_address(enum policy_direction direction, struct pattern_address *address)
{
	static const uint8_t zero[16], mapped[12] = {[10] = 0xff, [11] = 0xff};

	address->is_ipv4 = memcmp(address->bytes, mapped, 12) == 0;
	if (direction == POLICY_CONNECT && memcmp(address->bytes + 12, zero, 4) == 0 &&
	    (address->is_ipv4 || memcmp(address->bytes, zero, 12) == 0)) {
		address->bytes[12] = address->is_ipv4 ? 127 : 0;
		address->bytes[15] = 1;
	}
}
