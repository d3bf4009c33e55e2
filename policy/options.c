/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of a policy: ONE table says which there are, where each may stand and what values it takes.
 */
#include "options.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "rule.h"

/* Judges the values of an option and sets its number; reports what is wrong. */
typedef bool option_parser(const struct option_block *block, struct option *option);

struct option_spec {
	const char *keyword;
	unsigned where;
	unsigned max_values; /* 0: not honoured by this version, refused */
	bool repeatable;
	option_parser *parse;
	const char *syntax;
	const char *help;
};

static option_parser parse_alpn, parse_client_auth, parse_files, parse_peers, parse_server_name,
	parse_timeout, parse_truncation, parse_trust, parse_verify, parse_versions;

#define ALL        (OPTION_IN_RULES | OPTION_IN_DEFAULT)
#define ON_CONNECT (OPTION_IN_CONNECT | OPTION_IN_DEFAULT)
#define ON_ACCEPT  (OPTION_IN_ACCEPT | OPTION_IN_DEFAULT)

/* clang-format off */
static const struct option_spec table[N_OPTIONS] = {
	[OPTION_ALLOW_PEER] = { "allow-peer", ON_ACCEPT, 16, true, parse_peers,
		"NAME...", "client certificates must carry one of these DNS names or URIs" },
	[OPTION_ALPN] = { "alpn", ALL, 8, false, parse_alpn,
		"PROTOCOL...", "application protocols to offer or choose from, best first" },
	[OPTION_CERTIFICATE] = { "certificate", ALL, 1, false, parse_files,
		"FILE", "our certificate chain in PEM, leaf first" },
	[OPTION_CLIENT_AUTH] = { "client-auth", ON_ACCEPT, 1, false, parse_client_auth,
		"none|request|require", "whether clients are asked for a certificate" },
	[OPTION_CRL] = { "crl", ALL, 0, false, NULL,
		"FILE", "revocation list" },
	[OPTION_GROUPS] = { "groups", ALL, 0, false, NULL,
		"GROUP...", "key exchange groups" },
	[OPTION_HANDSHAKE_TIMEOUT] = { "handshake-timeout", ALL, 1, false, parse_timeout,
		"SECONDS|none", "how long a handshake may take, 1 to 3600 seconds" },
	[OPTION_KEY] = { "key", ALL, 1, false, parse_files,
		"FILE", "the private key of the certificate in PEM, unencrypted" },
	[OPTION_PIN] = { "pin", ON_CONNECT, 0, false, NULL,
		"sha256/BASE64...", "public keys to insist on" },
	[OPTION_PROFILE] = { "profile", ALL, 0, false, NULL,
		"modern|default|legacy", "a set of versions and algorithms" },
	[OPTION_SERVER_NAME] = { "server-name", ON_CONNECT, 1, false, parse_server_name,
		"NAME", "the name to ask for and to verify, whatever the program looked up" },
	[OPTION_SESSION_CACHE] = { "session-cache", ALL, 0, false, NULL,
		"SIZE", "how many sessions to keep for resumption" },
	[OPTION_SESSION_LIFETIME] = { "session-lifetime", ALL, 0, false, NULL,
		"SECONDS", "how long a session may be resumed" },
	[OPTION_SIGNATURE_ALGORITHMS] = { "signature-algorithms", ALL, 0, false, NULL,
		"SCHEME...", "signature schemes" },
	[OPTION_SUITES] = { "suites", ALL, 0, false, NULL,
		"SUITE...", "cipher suites" },
	[OPTION_TICKET_KEYS] = { "ticket-keys", ON_ACCEPT, 0, false, NULL,
		"FILE", "keys for session tickets" },
	[OPTION_TRUNCATION] = { "truncation", ALL, 1, false, parse_truncation,
		"error|ignore", "what the end of a connection without close_notify is" },
	[OPTION_TRUST] = { "trust", ALL, OPTION_MAX_VALUES, true, parse_trust,
		"system|FILE|DIRECTORY...", "certificate authorities that peers are verified against" },
	[OPTION_VERIFY] = { "verify", ALL, 1, false, parse_verify,
		"full|chain|none", "how much of the peer's certificate is verified" },
	[OPTION_VERSIONS] = { "versions", ALL, 1, false, parse_versions,
		"LOWEST-HIGHEST", "TLS versions to speak" },
};
/* clang-format on */

static bool bad_value(const struct option_block *block, const struct option_value *value,
		      const char *expected);
static long choose(const struct option_block *block, const struct option *option, const char *const *words,
		   const char *expected);
static bool resolve(const struct option_block *block, struct option_value *value);
static bool read_number(const char *text, long max, long *number);
static bool read_version(const char *text, size_t len, long *version);
static bool is_uri(const char *text);
static void check_accept(const struct policy_rule *rule, const struct diag *diag);

const struct option_spec *options_find(const char *keyword)
{
	size_t low = 0, high = N_OPTIONS;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(keyword, table[middle].keyword);

		if (order == 0) {
			return &table[middle];
		}
		if (order < 0) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	return NULL;
}

const struct option_spec *options_at(size_t i)
{
	return i < N_OPTIONS ? &table[i] : NULL;
}

const char *options_keyword(const struct option_spec *spec)
{
	return spec->keyword;
}

const char *options_syntax(const struct option_spec *spec)
{
	return spec->syntax;
}

const char *options_help(const struct option_spec *spec)
{
	return spec->help;
}

bool options_is_supported(const struct option_spec *spec)
{
	return spec->max_values > 0;
}

bool options_may_stand(enum option_id id, unsigned where)
{
	return (table[id].where & where) != 0;
}

void options_give(const struct option_block *block, const struct option_spec *spec, struct place at,
		  struct option_value *values, size_t n_values)
{
	const struct diag *diag = block->diag;
	struct option *slot = &block->options[spec - table];
	struct option_value **end = &slot->values;
	struct option given = {.at = at, .values = values, .n_values = n_values};

	if (!(spec->where & block->where)) {
		bool in_accept = spec->where & OPTION_IN_ACCEPT;

		diag_error(diag, at, "'%s' is for %s rules only, and this is %s rule", spec->keyword,
			   in_accept ? "accept" : "connect", in_accept ? "a connect" : "an accept");
		return;
	}
	if (!options_is_supported(spec)) {
		diag_error(diag, at, "'%s' is not supported by this version of tlshim; remove the line",
			   spec->keyword);
		return;
	}
	if (slot->at.line && !spec->repeatable) {
		diag_error(diag, at, "'%s' is given twice; it was first given in line %u, column %u",
			   spec->keyword, slot->at.line, slot->at.column);
		return;
	}
	if (n_values == 0) {
		diag_error(diag, at, "'%s' needs a value: expected %s %s", spec->keyword, spec->keyword,
			   spec->syntax);
		return;
	}
	if (n_values + slot->n_values > spec->max_values) {
		diag_error(diag, at, "'%s' takes at most %u value%s, found %zu", spec->keyword,
			   spec->max_values, spec->max_values == 1 ? "" : "s", n_values + slot->n_values);
		return;
	}
	if (!spec->parse(block, &given)) {
		return;
	}
	while (*end) {
		end = &(*end)->next;
	}
	*end = given.values;
	slot->n_values += n_values;
	slot->number = given.number;
	if (slot->at.line == 0) {
		slot->at = at;
	}
}

void options_check_rule(const struct policy_rule *rule, const struct diag *diag)
{
	const struct option *certificate = rule_option(rule, OPTION_CERTIFICATE);
	const struct option *key = rule_option(rule, OPTION_KEY);

	if (!rule_is_wrapped(rule)) {
		for (size_t i = 0; i < N_OPTIONS; i++) {
			if (rule->own[i].at.line) {
				diag_error(diag, rule->own[i].at,
					   "'%s' has no meaning in a rule with action %s", table[i].keyword,
					   rule_action_name(rule->action));
			}
		}
		return;
	}
	if (certificate && !key) {
		diag_error(diag, certificate->at,
			   "'certificate' without 'key': expected the file of its private key");
	} else if (key && !certificate) {
		diag_error(diag, key->at,
			   "'key' without 'certificate': expected the file of its certificate");
	}
	if (rule->direction == POLICY_ACCEPT) {
		if (!certificate && !key) {
			diag_error(diag, rule->at,
				   "an accept rule with action %s needs 'certificate' and 'key'",
				   rule_action_name(rule->action));
		}
		check_accept(rule, diag);
	}
}

/* What an accept rule says about its clients must make sense together. */
static void check_accept(const struct policy_rule *rule, const struct diag *diag)
{
	long mode = rule_number(rule, OPTION_CLIENT_AUTH, ENGINE_CLIENT_AUTH_NONE);
	long verify = rule_number(rule, OPTION_VERIFY, ENGINE_VERIFY_FULL);
	const struct option *client_auth = rule_option(rule, OPTION_CLIENT_AUTH);
	const struct option *own_peers = &rule->own[OPTION_ALLOW_PEER];

	if (mode != ENGINE_CLIENT_AUTH_NONE && verify != ENGINE_VERIFY_NONE &&
	    !rule_option(rule, OPTION_TRUST)) {
		bool is_own = rule->own[OPTION_CLIENT_AUTH].at.line != 0;

		diag_error(diag, is_own ? client_auth->at : rule->at,
			   "'client-auth %s' needs 'trust': which authorities may vouch for clients?",
			   client_auth->values->text);
	}
	if (own_peers->at.line && mode == ENGINE_CLIENT_AUTH_NONE) {
		diag_error(diag, own_peers->at,
			   "'allow-peer' needs 'client-auth require': nobody is asked for a "
			   "certificate, so any client would be let in");
	}
	if (verify == ENGINE_VERIFY_NONE && mode != ENGINE_CLIENT_AUTH_NONE &&
	    rule_option(rule, OPTION_ALLOW_PEER)) {
		diag_error(diag, rule_option(rule, OPTION_VERIFY)->at,
			   "'verify none' contradicts 'allow-peer' in line %u: names in certificates that "
			   "nobody verified prove nothing",
			   rule_option(rule, OPTION_ALLOW_PEER)->at.line);
	}
}

/* ---- parsers of values ---- */

static bool parse_files(const struct option_block *block, struct option *option)
{
	for (struct option_value *value = option->values; value; value = value->next) {
		if (!resolve(block, value)) {
			return false;
		}
	}
	return true;
}

/* `trust system` is the system's store; a file of that name is written ./system. */
static bool parse_trust(const struct option_block *block, struct option *option)
{
	for (struct option_value *value = option->values; value; value = value->next) {
		if (strcmp(value->text, "system") != 0 && !resolve(block, value)) {
			return false;
		}
	}
	return true;
}

static bool parse_alpn(const struct option_block *block, struct option *option)
{
	for (struct option_value *value = option->values; value; value = value->next) {
		size_t len = strlen(value->text);

		if (len == 0 || len > ENGINE_ALPN_MAX) {
			return bad_value(block, value,
					 "a protocol name of 1 to 32 bytes, such as h2 or http/1.1");
		}
		for (struct option_value *other = option->values; other != value; other = other->next) {
			if (strcmp(other->text, value->text) == 0) {
				return bad_value(block, value, "each protocol once");
			}
		}
	}
	return true;
}

static bool parse_peers(const struct option_block *block, struct option *option)
{
	for (struct option_value *value = option->values; value; value = value->next) {
		const char *name = strncmp(value->text, "*.", 2) == 0 ? value->text + 2 : value->text;
		struct pattern_name checked;
		char copy[PATTERN_MAX_NAME + 3];

		if (is_uri(value->text)) {
			continue;
		}
		if (!pattern_read_name(&checked, name)) {
			return bad_value(block, value,
					 "a DNS name, *.SUFFIX or a URI such as spiffe://example.org/x");
		}
		/* The engine compares DNS names in lower case without the final dot. */
		(void)snprintf(copy, sizeof(copy), "%s%s", name == value->text ? "" : "*.", checked.text);
		value->text = rule_strdup(block->policy, copy);
		if (!value->text) {
			return bad_value(block, value, "enough memory");
		}
	}
	return true;
}

static bool parse_server_name(const struct option_block *block, struct option *option)
{
	struct option_value *value = option->values;
	struct pattern_name name;
	unsigned char address[16];
	char literal[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET, value->text, address) == 1) {
		return true;
	}
	if (inet_pton(AF_INET6, value->text, address) == 1 &&
	    inet_ntop(AF_INET6, address, literal, sizeof(literal))) {
		value->text = rule_strdup(block->policy, literal);
	} else if (pattern_read_name(&name, value->text)) {
		value->text = rule_strdup(block->policy, name.text);
	} else {
		return bad_value(block, value, "a host name without wildcards, or an address");
	}
	return value->text || bad_value(block, value, "enough memory");
}

static bool parse_client_auth(const struct option_block *block, struct option *option)
{
	static const char *const words[] = {
		[ENGINE_CLIENT_AUTH_NONE] = "none",
		[ENGINE_CLIENT_AUTH_REQUEST] = "request",
		[ENGINE_CLIENT_AUTH_REQUIRE] = "require",
		NULL,
	};

	option->number = choose(block, option, words, "none, request or require");
	return option->number >= 0;
}

static bool parse_verify(const struct option_block *block, struct option *option)
{
	static const char *const words[] = {
		[ENGINE_VERIFY_FULL] = "full",
		[ENGINE_VERIFY_CHAIN] = "chain",
		[ENGINE_VERIFY_NONE] = "none",
		NULL,
	};

	option->number = choose(block, option, words, "full, chain or none");
	return option->number >= 0;
}

static bool parse_truncation(const struct option_block *block, struct option *option)
{
	static const char *const words[] = {"ignore", "error", NULL};

	option->number = choose(block, option, words, "error or ignore");
	return option->number >= 0;
}

static bool parse_timeout(const struct option_block *block, struct option *option)
{
	long seconds = 0;

	if (strcmp(option->values->text, "none") != 0 && !read_number(option->values->text, 3600, &seconds)) {
		return bad_value(block, option->values, "a number of seconds from 1 to 3600, or none");
	}
	option->number = seconds * 1000;
	return true;
}

/* "1.3" or "1.2-1.3" */
static bool parse_versions(const struct option_block *block, struct option *option)
{
	const char *text = option->values->text, *dash = strchr(text, '-');
	size_t first_len = dash ? (size_t)(dash - text) : strlen(text);
	long lowest, highest;

	if (!read_version(text, first_len, &lowest) ||
	    !(dash ? read_version(dash + 1, strlen(dash + 1), &highest)
		   : read_version(text, first_len, &highest))) {
		return bad_value(block, option->values,
				 "a version or a range of 1.0, 1.1, 1.2, 1.3, such as 1.2-1.3");
	}
	if (lowest > highest) {
		return bad_value(block, option->values, "the lower version first, such as 1.2-1.3");
	}
	option->number = lowest << 16 | highest;
	return true;
}

/* ---- helpers ---- */

static bool bad_value(const struct option_block *block, const struct option_value *value,
		      const char *expected)
{
	diag_error(block->diag, value->at, "found '%.80s', expected %s", value->text ? value->text : "",
		   expected);
	return false;
}

/* Index of the option's value among words, -1 after reporting. */
static long choose(const struct option_block *block, const struct option *option, const char *const *words,
		   const char *expected)
{
	const struct option_value *value = option->values;
	struct diag_nearest nearest;
	char hint[64];

	diag_nearest_init(&nearest, value->text);
	for (long i = 0; words[i]; i++) {
		if (strcmp(words[i], value->text) == 0) {
			return i;
		}
		diag_nearest_try(&nearest, words[i]);
	}
	diag_error(block->diag, value->at, "found '%.80s', expected %s%s", value->text, expected,
		   diag_nearest_hint(&nearest, hint));
	return -1;
}

/* Make the value's path: relative ones count from the directory of the policy file. */
static bool resolve(const struct option_block *block, struct option_value *value)
{
	size_t size = strlen(block->policy->directory) + 1 + strlen(value->text) + 1;
	char *path;

	if (!value->text[0]) {
		return bad_value(block, value, "the name of a file");
	}
	if (value->text[0] == '/') {
		value->path = value->text;
		return true;
	}
	path = rule_alloc(block->policy, size);
	if (!path) {
		return bad_value(block, value, "enough memory");
	}
	(void)snprintf(path, size, "%s/%s", block->policy->directory, value->text);
	value->path = path;
	return true;
}

/* Decimal digits only, 0..max. */
static bool read_number(const char *text, long max, long *number)
{
	*number = 0;
	if (!*text) {
		return false;
	}
	for (; *text; text++) {
		if (*text < '0' || *text > '9') {
			return false;
		}
		*number = *number * 10 + (*text - '0');
		if (*number > max) {
			return false;
		}
	}
	return true;
}

static bool read_version(const char *text, size_t len, long *version)
{
	if (len != 3 || text[0] != '1' || text[1] != '.' || text[2] < '0' || text[2] > '3') {
		return false;
	}
	*version = 0x0301 + (text[2] - '0'); /* RFC 8446 D: TLS 1.0 is 3.1 on the wire */
	return true;
}

/* scheme ":" and something printable, RFC 3986 3; 255 bytes at most. */
static bool is_uri(const char *text)
{
	const char *colon = strchr(text, ':');

	if (!colon || colon == text || !colon[1] || strlen(text) > 255) {
		return false;
	}
	for (const char *s = text; s < colon; s++) {
		bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');

		if (!letter && (s == text || !strchr("0123456789+-.", *s))) {
			return false;
		}
	}
	for (const char *s = colon; *s; s++) {
		if (*s <= 0x20 ||
		    *s == 0x7f) { /* char may be signed: other bytes above 0x7f are refused too */
			return false;
		}
	}
	return true;
}
