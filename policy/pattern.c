/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Matching a socket against a HOST:PORT pattern; host names; globs. pattern_read.c reads patterns.
 *
 * Implementation notes: everything here is async-signal-safe and keeps off the locale, so it brings its
 * own comparison of names and its own glob.
 */
#include "pattern.h"

#include <string.h>

static bool network_holds(const struct pattern *network, const struct pattern_address *address);
static bool name_fits(const struct pattern *pattern, const char *name);
static bool glob_one(const char **glob, char c);
static char lower(char c);

/* RFC 6761 6.3 */
static const struct pattern v4_loopback = {
	.address = {true, {[10] = 0xff, [11] = 0xff, [12] = 127}},
	.prefix_len = 104,
};
static const struct pattern v6_loopback = {
	.address = {false, {[15] = 1}},
	.prefix_len = 128,
};

bool pattern_read_name(struct pattern_name *name, const char *text)
{
	size_t len = strlen(text), label = 0;

	if (len > 0 && text[len - 1] == '.') {
		len--;
	}
	if (len == 0 || len > PATTERN_MAX_NAME) {
		return false;
	}
	for (size_t i = 0; i <= len; i++) {
		char c = i < len ? lower(text[i]) : '.';

		if (c == '.') {
			if (label == 0 || label > 63 || text[i - 1] == '-') {
				return false;
			}
			label = 0;
		} else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
			   (c == '-' && label > 0)) {
			label++;
		} else {
			return false;
		}
		name->text[i] = c;
	}
	name->text[len] = 0;
	return pattern_is_usable_name(name->text);
}

enum pattern_match pattern_match(const struct pattern *pattern, const struct pattern_subject *subject,
				 const char **name)
{
	bool usable = false;

	if (subject->port < pattern->low_port || subject->port > pattern->high_port) {
		return PATTERN_NO_PORT;
	}
	switch (pattern->kind) {
	case PATTERN_ANY:
		return PATTERN_YES;
	case PATTERN_NETWORK:
		if (!subject->has_address) {
			return PATTERN_NEEDS_ADDRESS;
		}
		return network_holds(pattern, &subject->address) ? PATTERN_YES : PATTERN_NO_HOST;
	case PATTERN_LOOPBACK:
		if (!subject->has_address) {
			return PATTERN_NEEDS_ADDRESS;
		}
		return network_holds(&v4_loopback, &subject->address) ||
				       network_holds(&v6_loopback, &subject->address)
			       ? PATTERN_YES
			       : PATTERN_NO_HOST;
	default:
		break;
	}
	for (size_t i = 0; i < subject->n_names; i++) {
		if (!subject->names[i] || !pattern_is_usable_name(subject->names[i])) {
			continue;
		}
		usable = true;
		if (name_fits(pattern, subject->names[i])) {
			*name = subject->names[i];
			return PATTERN_YES;
		}
	}
	return usable ? PATTERN_NO_HOST : PATTERN_NEEDS_NAME;
}

bool pattern_is_usable_name(const char *name)
{
	size_t len = strlen(name), start;

	if (len > 0 && name[len - 1] == '.') {
		len--;
	}
	if (len == 0 || strchr(name, ':')) {
		return false;
	}
	/*
	 * Resolvers read 10.1, 0x7f000001 and 2130706433 as addresses: a last label in digits is no
	 * top-level domain.
	 */
	for (start = len; start > 0 && name[start - 1] != '.'; start--) {
	}
	if (name[start] == '0' && lower(name[start + 1]) == 'x') {
		return false;
	}
	for (size_t i = start; i < len; i++) {
		if (name[i] < '0' || name[i] > '9') {
			return true;
		}
	}
	return false;
}

bool pattern_covers(const struct pattern *a, const struct pattern *b)
{
	if (a->low_port > b->low_port || a->high_port < b->high_port) {
		return false;
	}
	switch (a->kind) {
	case PATTERN_ANY:
		return true;
	case PATTERN_NAME:
		return b->kind == PATTERN_NAME && strcmp(a->name, b->name) == 0;
	case PATTERN_SUFFIX:
		return (b->kind == PATTERN_NAME && name_fits(a, b->name)) ||
		       (b->kind == PATTERN_SUFFIX &&
			(strcmp(a->name, b->name) == 0 || name_fits(a, b->name)));
	case PATTERN_NETWORK:
		return b->kind == PATTERN_NETWORK && a->prefix_len <= b->prefix_len &&
		       network_holds(a, &b->address);
	case PATTERN_LOOPBACK:
		return b->kind == PATTERN_LOOPBACK ||
		       (b->kind == PATTERN_NETWORK &&
			(network_holds(&v4_loopback, &b->address)
				 ? b->prefix_len >= v4_loopback.prefix_len
				 : b->prefix_len == 128 && network_holds(&v6_loopback, &b->address)));
	}
	return false;
}

bool pattern_ports_meet(const struct pattern *a, const struct pattern *b)
{
	return a->low_port <= b->high_port && b->low_port <= a->high_port;
}

/*
 * Only the last * is ever tried again: whatever an earlier one matched may stay as it is. So no text takes
 * long.
 */
bool pattern_glob(const char *glob, const char *text)
{
	const char *star = NULL, *resume = NULL;

	while (*text) {
		const char *next = glob;

		if (*glob == '*') {
			star = ++glob;
			resume = text;
			continue;
		}
		if (*glob && glob_one(&next, *text)) {
			glob = next;
			text++;
			continue;
		}
		if (!star) {
			return false;
		}
		glob = star;
		text = ++resume;
	}
	while (*glob == '*') {
		glob++;
	}
	return !*glob;
}

/* Does c fit the element of a glob at *glob, which is not '*'? Steps past the element. */
static bool glob_one(const char **glob, char c)
{
	const char *g = *glob;
	bool negate, found = false, closed = false;

	if (*g == '[' && g[1]) {
		g++;
		negate = *g == '!';
		g += negate;
		for (const char *first = g; *g; g++) {
			if (*g == ']' && g != first) {
				closed = true;
				g++;
				break;
			}
			if (g[1] == '-' && g[2] && g[2] != ']') {
				found = found || ((unsigned char)c >= (unsigned char)g[0] &&
						  (unsigned char)c <= (unsigned char)g[2]);
				g += 2;
			} else {
				found = found || c == *g;
			}
		}
		if (closed) {
			*glob = g;
			return found != negate;
		}
		g = *glob; /* a [ without ] stands for itself */
	}
	if (*g == '\\' && g[1]) {
		*glob = g + 2;
		return g[1] == c;
	}
	*glob = g + 1;
	return *g == '?' || *g == c;
}

static bool network_holds(const struct pattern *network, const struct pattern_address *address)
{
	unsigned whole = network->prefix_len / 8, rest = network->prefix_len % 8;

	if (network->address.is_ipv4 != address->is_ipv4) {
		return false;
	}
	for (unsigned i = 0; i < whole; i++) {
		if (network->address.bytes[i] != address->bytes[i]) {
			return false;
		}
	}
	return rest == 0 || (network->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

/* name in any case, with or without the final dot, against a pattern of kind NAME or SUFFIX. */
static bool name_fits(const struct pattern *pattern, const char *name)
{
	size_t want = strlen(pattern->name), len = strlen(name);

	if (len > 0 && name[len - 1] == '.') {
		len--;
	}
	if (pattern->kind == PATTERN_SUFFIX) {
		if (len < want + 2 || name[len - want - 1] != '.') {
			return false;
		}
		name += len - want;
	} else if (len != want) {
		return false;
	}
	for (size_t i = 0; i < want; i++) {
		if (lower(name[i]) != pattern->name[i]) {
			return false;
		}
	}
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}
