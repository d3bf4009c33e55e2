/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `tlshim explain`: which rule wins for a connection, and why the earlier ones do not; explain_rule.c tells what the
 * winner asks for.
 *
 * Implementation notes: nothing is looked up on the network, and the program and user are not known, so
 * besides yes and no there is "it depends". Such rules are told as what would win if; the winner is the
 * first that is certain.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "load.h"
#include "match.h"

struct target {
	char host[PATTERN_MAX_NAME + 3]; /* "" : any local address */
	const char *name;                /* a host name, NULL if it is an address */
	struct pattern_subject subject;
};

/* Does a rule decide the connection? */
enum answer {
	NO,
	DEPENDS, /* for some processes, or if the address is right */
	YES,
};

static bool read_target(const char *text, enum policy_direction direction, struct target *target, char *why);
static bool read_target_host(enum policy_direction direction, struct target *target, char *why);
static enum answer explain_rule(const struct policy_rule *rule, const struct target *target, FILE *out);
static void explain_clauses(const struct policy_rule *rule, FILE *out);
static void refuse(char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool policy_explain(const struct policy *policy, enum policy_direction direction, const char *text, FILE *out,
		    char why[static 512])
{
	enum answer answer = NO;
	bool depends = false;
	struct target target;

	if (!read_target(text, direction, &target, why)) {
		return false;
	}
	target.subject.names = &target.name;
	target.subject.n_names = target.name ? 1 : 0;
	(void)fprintf(out, "%s %s%s%s:%u\n", direction == POLICY_ACCEPT ? "accept" : "connect",
		      strchr(target.host, ':') ? "[" : "", target.host[0] ? target.host : "*",
		      strchr(target.host, ':') ? "]" : "", target.subject.port);
	for (size_t i = 0; i < policy->n_rules && answer != YES; i++) {
		if (policy->rules[i]->direction == direction) {
			answer = explain_rule(policy->rules[i], &target, out);
			depends = depends || answer == DEPENDS;
		}
	}
	if (answer != YES) {
		(void)fprintf(out,
			      "\nNo rule matches for certain.\n\nResult: plain: tlshim does not touch the "
			      "connection\n");
	}
	if (depends) {
		(void)fprintf(out,
			      "    unless a rule above applies that depends on address, program or user\n");
	}
	return true;
}

static enum answer explain_rule(const struct policy_rule *rule, const struct target *target, FILE *out)
{
	bool for_all = !rule->program && !rule->user;
	const struct pattern *which = NULL;
	const char *name = target->name;
	enum pattern_match match = match_socket(rule, &target->subject, &which, &name);

	(void)fprintf(out, "\n%s\n", rule->text);
	if (match == PATTERN_NO_PORT) {
		(void)fprintf(out, "    does not match: port %u is in none of its patterns\n",
			      target->subject.port);
		return NO;
	}
	if (match == PATTERN_NO_HOST) {
		(void)fprintf(out, "    does not match: the port fits, but %s is in none of its patterns\n",
			      target->host);
		return NO;
	}
	if (match == PATTERN_NEEDS_ADDRESS) {
		(void)fprintf(out,
			      "    depends on the address: wins if %s is in its patterns;\n"
			      "    nothing is looked up here, so ask again with the address\n",
			      target->name ? "the address of that name" : "the local address");
		explain_clauses(rule, out);
		return DEPENDS;
	}
	if (match == PATTERN_NEEDS_NAME) {
		(void)fprintf(
			out,
			"    needs a name: wins if the program looked up one that fits %s;\n"
			"    a connection without any name is refused here: it never falls through to plain\n"
			"    (to decide it by address, put a rule for the address first)\n",
			which->text);
		explain_clauses(rule, out);
		if (for_all) {
			(void)fprintf(out, "\nResult: deny: no name is known, connect() fails with EACCES\n");
		}
		return for_all ? YES : DEPENDS;
	}
	if (!for_all) {
		(void)fprintf(out, "    would win, by pattern %s, for its program and user:\n", which->text);
		explain_clauses(rule, out);
		return DEPENDS;
	}
	(void)fprintf(out, "    wins, by pattern %s\n", which->text);
	explain_outcome(rule, target->name, target->host, out);
	return YES;
}

static void explain_clauses(const struct policy_rule *rule, FILE *out)
{
	char shown[512];

	if (rule->program) {
		diag_escape(shown, sizeof(shown), rule->program);
		(void)fprintf(out, "    only for programs whose %s fits '%s'\n",
			      strchr(rule->program, '/') ? "path" : "name", shown);
	}
	if (rule->user) {
		diag_escape(shown, sizeof(shown), rule->user);
		(void)fprintf(out, "    only for user %s (uid %u)\n", shown, rule->uid);
	}
}

/* ---- HOST:PORT ---- */

static bool read_target(const char *text, enum policy_direction direction, struct target *target, char *why)
{
	const char *colon = strrchr(text, ':'), *host = text, *end = colon;
	unsigned long port = 0;

	*target = (struct target){0};
	if (!colon || (text[0] == '[' && colon[-1] != ']')) {
		refuse(why, "found '%.80s', expected HOST:PORT", text);
		return false;
	}
	if (text[0] == '[') {
		host++;
		end--;
	} else if (strchr(text, ':') != colon) {
		refuse(why, "found '%.80s', expected an IPv6 address in brackets: [ADDRESS]:PORT", text);
		return false;
	}
	if (end <= host || (size_t)(end - host) >= sizeof(target->host)) {
		refuse(why, "found '%.80s', expected HOST:PORT with a host of 1 to %d characters", text,
		       PATTERN_MAX_NAME);
		return false;
	}
	memcpy(target->host, host, (size_t)(end - host));
	if (colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1)) {
		port = strlen(colon + 1) <= 5 ? strtoul(colon + 1, NULL, 10) : 0;
	} else {
		port = pattern_builtin_service(colon + 1);
		port = port ? port : load_find_service(colon + 1);
	}
	if (port == 0 || port > 65535) {
		refuse(why, "found port '%.40s', expected a number from 1 to 65535 or a service name",
		       colon + 1);
		return false;
	}
	target->subject.port = (uint16_t)port;
	return read_target_host(direction, target, why);
}

static bool read_target_host(enum policy_direction direction, struct target *target, char *why)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct pattern_address *address = &target->subject.address;
	struct pattern_name name;

	target->subject.has_address = true;
	if (inet_pton(AF_INET, target->host, address->bytes + 12) == 1) {
		memcpy(address->bytes, mapped, 12);
		match_settle_address(direction, address);
		return true;
	}
	if (inet_pton(AF_INET6, target->host, address->bytes) == 1) {
		match_settle_address(direction, address);
		return true;
	}
	target->subject.has_address = false;
	if (direction == POLICY_ACCEPT) {
		if (strcmp(target->host, "*") == 0) {
			target->host[0] = 0;
			return true;
		}
		if (strcmp(target->host, "localhost") == 0) {
			(void)snprintf(target->host, sizeof(target->host), "127.0.0.1");
			return read_target_host(direction, target, why);
		}
		refuse(why, "found '%.80s', expected a local address, localhost or *", target->host);
		return false;
	}
	if (!pattern_read_name(&name, target->host)) {
		refuse(why, "found '%.80s', expected a host name or an address", target->host);
		return false;
	}
	memcpy(target->host, name.text, strlen(name.text) + 1);
	target->name = target->host;
	return true;
}

static void refuse(char *why, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	diag_escape(why, 512, line);
}
