/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `tlshim explain`: which rule wins for a connection, why the earlier ones do not, and what the winner
 * asks for.
 *
 * Implementation notes: nothing is looked up on the network, and the program and user are not known, so
 * besides yes and no there is "it depends". Such rules are told as what would win if; the winner is the
 * first that is certain.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

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
static void explain_winner(const struct policy_rule *rule, const struct target *target, FILE *out);
static void explain_connect(const struct policy_rule *rule, const struct target *target, FILE *out);
static void explain_accept(const struct policy_rule *rule, FILE *out);
static void explain_common(const struct policy_rule *rule, FILE *out);
static void print_values(const struct policy_rule *rule, enum option_id id, const char *title, FILE *out);
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
	explain_winner(rule, target, out);
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

static void explain_winner(const struct policy_rule *rule, const struct target *target, FILE *out)
{
	(void)fprintf(out, "\nResult: %s%s%s", rule_action_name(rule->action), rule->protocol ? " " : "",
		      rule->protocol ? rule->protocol : "");
	if (rule->action == POLICY_DENY) {
		(void)fprintf(out, ": %s\n",
			      rule->direction == POLICY_CONNECT
				      ? "connect() fails with EACCES"
				      : "the connection is closed before the program sees a byte");
		return;
	}
	if (rule->action == POLICY_PLAIN) {
		(void)fprintf(out, ": tlshim does not touch the connection\n");
		return;
	}
	(void)fputc('\n', out);
	if (rule_unavailable(rule)) {
		(void)fprintf(out, "    ERROR: %s\n", rule_unavailable(rule));
	}
	if (rule->direction == POLICY_CONNECT) {
		explain_connect(rule, target, out);
	} else {
		explain_accept(rule, out);
	}
	explain_common(rule, out);
}

/* Who the server must prove to be. */
static void explain_connect(const struct policy_rule *rule, const struct target *target, FILE *out)
{
	const char *server_name = policy_rule_server_name(rule);
	const char *name = server_name ? server_name : target->name;
	enum engine_verify verify = policy_rule_verify(rule);

	if (verify == ENGINE_VERIFY_FULL && name) {
		(void)fprintf(out,
			      "    verify         full: the server's certificate must be valid, lead to the "
			      "trust below\n"
			      "                   and carry the name %s (%s)\n",
			      name,
			      server_name ? "server-name of the rule"
					  : "the name that the program looked up");
	} else if (verify == ENGINE_VERIFY_FULL) {
		(void)fprintf(out,
			      "    verify         full: the server's certificate must be valid, lead to the "
			      "trust below\n"
			      "                   and carry the name that the program looked up; when none "
			      "is known (an\n"
			      "                   address literal), the address %s itself, else the "
			      "connection fails\n",
			      target->host);
	} else if (verify == ENGINE_VERIFY_CHAIN) {
		(void)fprintf(out, "    verify         chain: the server's certificate must be valid and "
				   "lead to the trust\n"
				   "                   below; its name is NOT verified\n");
	} else {
		(void)fprintf(out, "    verify         none: the server may be ANYONE\n");
	}
	if (verify != ENGINE_VERIFY_NONE) {
		print_values(rule, OPTION_TRUST, "trust", out);
	}
	if (rule_option(rule, OPTION_CERTIFICATE)) {
		print_values(rule, OPTION_CERTIFICATE, "certificate", out);
		print_values(rule, OPTION_KEY, "key", out);
	}
}

/* Who we prove to be, and what clients must show. */
static void explain_accept(const struct policy_rule *rule, FILE *out)
{
	static const char *const modes[] = {
		[ENGINE_CLIENT_AUTH_NONE] = "none: clients are not asked for a certificate",
		[ENGINE_CLIENT_AUTH_REQUEST] =
			"request: a certificate that a client shows must be valid; none is fine too",
		[ENGINE_CLIENT_AUTH_REQUIRE] = "require: clients without a valid certificate are refused",
	};
	long mode = rule_number(rule, OPTION_CLIENT_AUTH, ENGINE_CLIENT_AUTH_NONE);

	print_values(rule, OPTION_CERTIFICATE, "certificate", out);
	print_values(rule, OPTION_KEY, "key", out);
	(void)fprintf(out, "    client-auth    %s\n", modes[mode]);
	if (mode == ENGINE_CLIENT_AUTH_NONE) {
		return;
	}
	if (policy_rule_verify(rule) == ENGINE_VERIFY_NONE) {
		(void)fprintf(out, "    verify         none: ANY client certificate is accepted\n");
	} else {
		print_values(rule, OPTION_TRUST, "trust", out);
		print_values(rule, OPTION_ALLOW_PEER, "allow-peer", out);
	}
}

static void explain_common(const struct policy_rule *rule, FILE *out)
{
	int timeout_ms = policy_rule_handshake_timeout_ms(rule);

	print_values(rule, OPTION_VERSIONS, "versions", out);
	print_values(rule, OPTION_ALPN, "alpn", out);
	if (timeout_ms > 0) {
		(void)fprintf(out, "    handshake      within %d seconds\n", timeout_ms / 1000);
	} else {
		(void)fprintf(out, "    handshake      without time limit\n");
	}
	(void)fprintf(out, "    truncation     %s\n",
		      policy_rule_truncation_is_error(rule)
			      ? "error: an end without close_notify fails the read"
			      : "ignore: an end without close_notify is an end of file");
}

/* "    trust          /etc/x.pem, /etc/y.pem (default block, line 2)" */
static void print_values(const struct policy_rule *rule, enum option_id id, const char *title, FILE *out)
{
	static const struct option_value system_value = {.text = "system"};
	const struct option *option = rule_option(rule, id);
	const struct option_value *value = option ? option->values : NULL;
	const char *separator = "", *store = rule_system_trust();

	if (!option && id == OPTION_TRUST) {
		value = &system_value;
	}
	if (!value) {
		return;
	}
	(void)fprintf(out, "    %-14s ", title);
	for (; value; value = value->next) {
		char shown[512];

		diag_escape(shown, sizeof(shown), value->path ? value->path : value->text);
		(void)fprintf(out, "%s%s", separator, shown);
		if (id == OPTION_TRUST && !value->path) {
			(void)fprintf(out, " (%s)", store ? store : "NOT FOUND");
		}
		separator = ", ";
	}
	if (option == &rule->policy->defaults[id]) {
		(void)fprintf(out, " (default block, line %u)", option->at.line);
	}
	(void)fputc('\n', out);
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
