/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The values of options: each parser judges what one kind of option may be given.
 */
#include "options_values.h"

#include <arpa/inet.h>
#include <string.h>

#include "rule.h"

#define MAX_TIMEOUT 3600

static bool bad_value(const struct option_block *block, const struct option_value *value,
		      const char *expected);
static long choose(const struct option_block *block, const struct option *option, const char *const *words,
		   const char *expected);
static bool choose_number(const struct option_block *block, struct option *option, const char *const *words,
			  const char *expected);
static bool resolve(const struct option_block *block, struct option_value *value);
static bool read_number(const char *text, long max, long *number);
static bool read_version(const char *text, size_t len, long *version);
static bool is_uri(const char *text);

bool option_parse_files(const struct option_block *block, struct option *option)
{
	for (struct option_value *value = option->values; value; value = value->next) {
		if (!resolve(block, value)) {
			return false;
		}
	}
	return true;
}

/* `trust system` is the system's store; a file of that name is written ./system. */
bool option_parse_trust(const struct option_block *block, struct option *option)
{
	for (struct option_value *value = option->values; value; value = value->next) {
		if (strcmp(value->text, "system") != 0 && !resolve(block, value)) {
			return false;
		}
	}
	return true;
}

bool option_parse_alpn(const struct option_block *block, struct option *option)
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

bool option_parse_peers(const struct option_block *block, struct option *option)
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

bool option_parse_server_name(const struct option_block *block, struct option *option)
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

bool option_parse_client_auth(const struct option_block *block, struct option *option)
{
	static const char *const words[] = {
		[ENGINE_CLIENT_AUTH_NONE] = "none",
		[ENGINE_CLIENT_AUTH_REQUEST] = "request",
		[ENGINE_CLIENT_AUTH_REQUIRE] = "require",
		NULL,
	};

	return choose_number(block, option, words, "none, request or require");
}

bool option_parse_verify(const struct option_block *block, struct option *option)
{
	static const char *const words[] = {
		[ENGINE_VERIFY_FULL] = "full",
		[ENGINE_VERIFY_CHAIN] = "chain",
		[ENGINE_VERIFY_NONE] = "none",
		NULL,
	};

	return choose_number(block, option, words, "full, chain or none");
}

bool option_parse_truncation(const struct option_block *block, struct option *option)
{
	static const char *const words[] = {"ignore", "error", NULL};

	return choose_number(block, option, words, "error or ignore");
}

bool option_parse_common_name(const struct option_block *block, struct option *option)
{
	static const char *const words[] = {"refuse", "allow", NULL};

	return choose_number(block, option, words, "allow or refuse");
}

bool option_parse_require_ocsp(const struct option_block *block, struct option *option)
{
	static const char *const words[] = {"no", "yes", NULL};

	return choose_number(block, option, words, "yes or no");
}

/* What weakens a connection is asked for where it is needed, never for all rules. */
bool option_parse_profile(const struct option_block *block, struct option *option)
{
	static const char *const words[] = {
		[ENGINE_PROFILE_DEFAULT] = "default",
		[ENGINE_PROFILE_MODERN] = "modern",
		[ENGINE_PROFILE_LEGACY] = "legacy",
		NULL,
	};

	if (!choose_number(block, option, words, "modern, default or legacy")) {
		return false;
	}
	if (option->number == ENGINE_PROFILE_LEGACY && block->where == OPTION_IN_DEFAULT) {
		diag_error(block->diag, option->values->at,
			   "'profile legacy' is for single rules: give it in each rule that needs it");
		return false;
	}
	return true;
}

bool option_parse_timeout(const struct option_block *block, struct option *option)
{
	long seconds = 0;

	if (strcmp(option->values->text, "none") != 0 &&
	    !read_number(option->values->text, MAX_TIMEOUT, &seconds)) {
		return bad_value(block, option->values, "a number of seconds from 1 to 3600, or none");
	}
	option->number = seconds * 1000;
	return true;
}

bool option_parse_session_lifetime(const struct option_block *block, struct option *option)
{
	if (!read_number(option->values->text, ENGINE_SESSION_LIFETIME_MAX, &option->number) ||
	    option->number == 0) {
		return bad_value(
			block, option->values,
			"a number of seconds from 1 to 604800 ('session-cache off' turns resumption off)");
	}
	return true;
}

/* All rules share one cache, so that its size is no rule's. */
bool option_parse_session_cache(const struct option_block *block, struct option *option)
{
	static const char *const words[] = {"off", "on", NULL};
	const char *text = option->values->text;

	if (strspn(text, "0123456789") == 0) {
		option->number = choose(block, option, words,
					block->where == OPTION_IN_DEFAULT ? "on, off or a number of sessions"
									  : "on or off");
		if (option->number > 0) {
			option->number = OPTION_CACHE_ON;
			return true;
		}
		return option->number == 0;
	}
	if (block->where != OPTION_IN_DEFAULT) {
		return bad_value(
			block, option->values,
			"on or off: all rules share one cache, whose size is set in the default block");
	}
	if (!read_number(text, POLICY_MAX_SESSIONS, &option->number) || option->number == 0) {
		return bad_value(block, option->values, "a number of sessions from 1 to 65536, on or off");
	}
	return true;
}

bool option_parse_padding(const struct option_block *block, struct option *option)
{
	option->number = 0;
	if (strcmp(option->values->text, "none") == 0) {
		return true;
	}
	if (!read_number(option->values->text, ENGINE_MAX_PLAINTEXT, &option->number) || option->number < 2) {
		return bad_value(block, option->values, "a number of bytes from 2 to 16384, or none");
	}
	return true;
}

bool option_parse_pins(const struct option_block *block, struct option *option)
{
	uint8_t digest[32];

	for (struct option_value *value = option->values; value; value = value->next) {
		if (!option_read_pin(value->text, digest)) {
			return bad_value(block, value,
					 "sha256/ and the digest of a public key in base64, 44 characters");
		}
	}
	return true;
}

/* Names of algorithms become what the engine calls them. */
static bool parse_names(const struct option_block *block, struct option *option, const char *what,
			const char *(*find)(const char *name, const char **nearest))
{
	for (struct option_value *value = option->values; value; value = value->next) {
		const char *nearest, *name = find(value->text, &nearest);

		if (!name) {
			diag_error(block->diag, value->at, "found '%.80s', expected the name of %s%s%s%s",
				   value->text, what, nearest ? " (did you mean '" : "",
				   nearest ? nearest : "", nearest ? "'?)" : "");
			return false;
		}
		value->text = name;
	}
	return true;
}

bool option_parse_suites(const struct option_block *block, struct option *option)
{
	return parse_names(block, option, "a cipher suite, such as TLS_AES_128_GCM_SHA256",
			   engine_suite_find);
}

bool option_parse_groups(const struct option_block *block, struct option *option)
{
	return parse_names(block, option, "a group, such as x25519", engine_group_find);
}

bool option_parse_schemes(const struct option_block *block, struct option *option)
{
	return parse_names(block, option, "a signature scheme, such as ecdsa_secp256r1_sha256",
			   engine_scheme_find);
}

/* "1.3" or "1.2-1.3" */
bool option_parse_versions(const struct option_block *block, struct option *option)
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
	if (lowest < ENGINE_TLS12 && block->where == OPTION_IN_DEFAULT) {
		diag_error(
			block->diag, option->values->at,
			"TLS 1.0 and 1.1 need 'profile legacy' in the same rule: they are not for all rules");
		return false;
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

static bool choose_number(const struct option_block *block, struct option *option, const char *const *words,
			  const char *expected)
{
	option->number = choose(block, option, words, expected);
	return option->number >= 0;
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

bool option_read_pin(const char *text, uint8_t digest[static 32])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	size_t n = 0;

	if (strncmp(text, "sha256/", 7) != 0 || strlen(text + 7) != 44 || text[50] != '=') {
		return false;
	}
	for (size_t i = 0; i < 43; i++) {
		const char *at = strchr(alphabet, text[7 + i]);

		if (!at) {
			return false;
		}
		bits = bits << 6 | (uint32_t)(at - alphabet);
		if (i % 4 != 0 && n < 32) {
			digest[n++] = (uint8_t)(bits >> (6 - i % 4 * 2));
		}
	}
	return (bits & 3) == 0;
}
