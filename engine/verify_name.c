/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in certificates, RFC 9525.
 *
 * Implementation notes: a presented name is never turned into a C string, so that a NUL in it is a byte like
 * any other, which no name that was asked for contains.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "verify_name.h"

#define MAX_NAME_LEN  253
#define MAX_LABEL_LEN 63

static struct view view_of_string(const char *s)
{
	return view_of((const uint8_t *)s, strlen(s));
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool equal_without_case(struct view a, struct view b)
{
	if (a.len != b.len) {
		return false;
	}
	for (size_t i = 0; i < a.len; i++) {
		if (lower(a.data[i]) != lower(b.data[i])) {
			return false;
		}
	}
	return true;
}

/* What follows the first label and its dot; empty if there is only one label. */
static struct view parent_of(struct view name)
{
	const uint8_t *dot = name.len == 0 ? NULL : memchr(name.data, '.', name.len);
	if (dot == NULL) {
		return view_of(NULL, 0);
	}
	size_t skipped = (size_t)(dot - name.data) + 1;
	return view_of(name.data + skipped, name.len - skipped);
}

static bool is_wildcard(struct view name)
{
	return name.len > 2 && name.data[0] == '*' && name.data[1] == '.';
}

/* Does pattern, which may be a wildcard, stand for name, which is none?  RFC 9525 6.3 */
static bool dns_matches(struct view pattern, struct view name)
{
	if (!is_wildcard(pattern)) {
		return pattern.len > 0 && equal_without_case(pattern, name);
	}
	struct view suffix = parent_of(pattern);
	bool two_labels = parent_of(suffix).len > 0;
	bool first_label_is_empty = name.len > 0 && name.data[0] == '.';
	return two_labels && !first_label_is_empty && equal_without_case(suffix, parent_of(name));
}

/*
 * Labels of letters, digits, hyphens and underscores, with single dots between them, the last one not all digits? That
 * would be some spelling of an address ("127.1", "0177.0.0.1").
 */
static bool is_dns_name(struct view name)
{
	size_t label_len = 0;
	bool all_digits = true;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = lower(name.data[i]);
		bool is_digit = c >= '0' && c <= '9';
		if (c == '.' && label_len > 0) {
			label_len = 0;
			all_digits = true;
			continue;
		}
		if (!is_digit && !(c >= 'a' && c <= 'z') && c != '-' && c != '_') {
			return false;
		}
		all_digits &= is_digit;
		if (++label_len > MAX_LABEL_LEN) {
			return false;
		}
	}
	return name.len <= MAX_NAME_LEN && label_len > 0 && !all_digits;
}

bool dns_name_is_valid(const char *name)
{
	struct view v = view_of_string(name);
	return is_dns_name(is_wildcard(v) ? parent_of(v) : v);
}

static bool has_entry(const struct certificate *cert, uint8_t wanted_tag, struct view wanted)
{
	struct view names = cert->alt_names;
	struct view value;
	uint8_t tag;
	while (der_any(&names, &tag, &value, NULL)) {
		if (tag == wanted_tag && view_equal(value, wanted)) {
			return true;
		}
	}
	return false;
}

size_t address_parse(const char *text, uint8_t out[static 16])
{
	char copy[INET6_ADDRSTRLEN];
	size_t len = strlen(text);
	if (inet_pton(AF_INET, text, out) == 1) {
		return 4;
	}
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	const char *zone = memchr(text, '%', len);
	len = zone == NULL ? len : (size_t)(zone - text);
	if (len >= sizeof(copy)) {
		return 0;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	return inet_pton(AF_INET6, copy, out) == 1 ? 16 : 0;
}

bool certificate_common_name(const struct certificate *cert, uint8_t *tag, struct view *value,
			     uint8_t room[static 16])
{
	struct view name = cert->subject;
	struct view rdns, set, attribute, oid, text;
	uint8_t type;
	char literal[INET6_ADDRSTRLEN];
	bool found = false;
	if (certificate_has_server_name(cert) || !der_take(&name, DER_SEQUENCE, &rdns)) {
		return false;
	}
	while (der_take(&rdns, DER_SET, &set)) {
		while (der_take(&set, DER_SEQUENCE, &attribute)) {
			if (der_take(&attribute, DER_OID, &oid) && der_any(&attribute, &type, &text, NULL) &&
			    view_is(oid, "\x55\x04\x03")) {
				/* the wide forms hold no name that would match */
				*value = text;
				found = true;
			}
		}
	}
	*tag = GENERAL_NAME_DNS;
	if (found && value->len > 0 && value->len < sizeof(literal) &&
	    memchr(value->data, 0, value->len) == NULL) {
		memcpy(literal, value->data, value->len);
		literal[value->len] = '\0';
		size_t len = address_parse(literal, room);
		if (len > 0) {
			*tag = GENERAL_NAME_IP;
			*value = view_of(room, len);
		}
	}
	return found;
}

/* A presented name and the one that was asked for. */
static bool name_fits(uint8_t tag, struct view presented, uint8_t wanted_tag, struct view wanted)
{
	if (tag != wanted_tag) {
		return false;
	}
	return tag == GENERAL_NAME_DNS ? dns_matches(presented, wanted) : view_equal(presented, wanted);
}

bool certificate_has_name(const struct certificate *cert, const char *name, bool common_name)
{
	uint8_t address[16], room[16];
	size_t address_len = address_parse(name, address);
	uint8_t wanted_tag = address_len > 0 ? GENERAL_NAME_IP : GENERAL_NAME_DNS;
	struct view wanted = address_len > 0 ? view_of(address, address_len) : view_of_string(name);
	struct view names = cert->alt_names;
	struct view value;
	uint8_t tag;
	if (wanted_tag == GENERAL_NAME_DNS) {
		if (wanted.len > 0 && wanted.data[wanted.len - 1] == '.') {
			wanted.len--;
		}
		if (!is_dns_name(wanted)) {
			return false;
		}
	}
	while (der_any(&names, &tag, &value, NULL)) {
		if (name_fits(tag, value, wanted_tag, wanted)) {
			return true;
		}
	}
	return common_name && certificate_common_name(cert, &tag, &value, room) &&
	       name_fits(tag, value, wanted_tag, wanted);
}

bool certificate_has_peer_name(const struct certificate *cert, const char *wanted)
{
	struct view pattern = view_of_string(wanted);
	struct view names = cert->alt_names;
	struct view value;
	uint8_t tag;
	if (strstr(wanted, "://") != NULL) {
		return has_entry(cert, GENERAL_NAME_URI, pattern);
	}
	if (!is_wildcard(pattern)) {
		return certificate_has_name(cert, wanted, false);
	}
	while (der_any(&names, &tag, &value, NULL)) {
		if (tag != GENERAL_NAME_DNS) {
			continue;
		}
		/* a peer that holds the very wildcard has all the names of it; "*.internal" is the user's to
		 * say */
		if (equal_without_case(value, pattern) ||
		    (is_dns_name(value) && equal_without_case(parent_of(value), parent_of(pattern)))) {
			return true;
		}
	}
	return false;
}

bool certificate_has_server_name(const struct certificate *cert)
{
	struct view names = cert->alt_names;
	struct view value;
	uint8_t tag;
	while (der_any(&names, &tag, &value, NULL)) {
		if (tag == GENERAL_NAME_DNS || tag == GENERAL_NAME_IP) {
			return true;
		}
	}
	return false;
}

void general_name_text(uint8_t tag, struct view value, char *out, size_t size)
{
	out[0] = '\0';
	if (tag == GENERAL_NAME_IP && (value.len == 4 || value.len == 16)) {
		if (inet_ntop(value.len == 4 ? AF_INET : AF_INET6, value.data, out, (socklen_t)size) ==
		    NULL) {
			out[0] = '\0';
		}
	} else if (tag == GENERAL_NAME_DNS || tag == GENERAL_NAME_URI || tag == GENERAL_NAME_EMAIL) {
		string_text(value, out, size);
	}
}

void certificate_names_text(const struct certificate *cert, char *out, size_t size)
{
	struct view names = cert->alt_names;
	struct view value;
	uint8_t tag;
	size_t used = 0;
	out[0] = '\0';
	while (der_any(&names, &tag, &value, NULL)) {
		char entry[80];
		general_name_text(tag, value, entry, sizeof(entry));
		if (entry[0] == '\0') {
			continue;
		}
		const char *separator = used > 0 ? ", " : "";
		bool fits = used + strlen(separator) + strlen(entry) + sizeof(", ...") <= size;
		int n = snprintf(out + used, size - used, "%s%s", separator, fits ? entry : "...");
		if (!fits) {
			return;
		}
		used += (size_t)n;
	}
}
