/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Name constraints, RFC 5280 4.2.1.10.
 *
 * Implementation notes: for each name, the permitted subtrees of its kind must hold it if there are any, and
 * no excluded one may. Matching errs on the side of refusal, so it takes which of the two questions is asked:
 * a wildcard is permitted only if all names that it stands for are, and excluded as soon as one is.
 */
#include <stdio.h>
#include <string.h>

#include "verify_constraints.h"
#include "verify_name.h"
#include "x509_name.h"

#define OID_EMAIL_ADDRESS "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"

enum question { IS_PERMITTED, IS_EXCLUDED };
enum answer { NO, YES, UNKNOWN }; /* UNKNOWN: cannot be told, to be refused */

static enum answer match_name(uint8_t tag, struct view name, struct view base, enum question question);

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static struct view last_bytes(struct view v, size_t n)
{
	return view_of(v.data + (v.len - n), n);
}

static bool ends_without_case(struct view name, struct view end)
{
	if (name.len < end.len) {
		return false;
	}
	struct view tail = last_bytes(name, end.len);
	for (size_t i = 0; i < end.len; i++) {
		if (lower(tail.data[i]) != lower(end.data[i])) {
			return false;
		}
	}
	return true;
}

static bool equal_without_case(struct view a, struct view b)
{
	return a.len == b.len && ends_without_case(a, b);
}

/*
 * The answer for one name and one list of subtrees: YES if one holds it, NO if none does; *applies: there was
 * one of its kind.
 */
static enum answer ask_list(struct view list, uint8_t tag, struct view name, enum question question,
			    bool *applies, size_t *budget)
{
	struct view subtree, base;
	uint8_t base_tag;
	enum answer best = NO;
	*applies = false;
	while (!der_end(&list)) {
		if (*budget == 0) {
			return UNKNOWN;
		}
		--*budget;
		/* minimum and maximum must not be there, RFC 5280 */
		if (!der_take(&list, DER_SEQUENCE, &subtree) || !der_any(&subtree, &base_tag, &base, NULL) ||
		    !der_end(&subtree)) {
			return UNKNOWN;
		}
		if (base_tag != tag) {
			continue;
		}
		*applies = true;
		enum answer answer = match_name(tag, name, base, question);
		if (answer == UNKNOWN) {
			return UNKNOWN;
		}
		best = answer == YES ? YES : best;
	}
	return best;
}

bool constraints_allow_name(const struct certificate *ca, uint8_t tag, struct view name, size_t *budget,
			    char *what, size_t what_size)
{
	bool applies;
	enum answer permitted = ask_list(ca->permitted, tag, name, IS_PERMITTED, &applies, budget);
	bool ok = permitted == YES || (permitted == NO && !applies);
	if (ok) {
		ok = ask_list(ca->excluded, tag, name, IS_EXCLUDED, &applies, budget) == NO;
	}
	if (!ok) {
		char text[64];
		bool directory = tag == GENERAL_NAME_DIRECTORY;
		if (directory) {
			name_text(name, text, sizeof(text));
		} else {
			general_name_text(tag, name, text, sizeof(text));
		}
		(void)snprintf(what, what_size, "the %s %s is outside of the names that it is confined to",
			       directory ? "subject" : "name", text);
	}
	return ok;
}

/* Mail addresses in the subject are bound by rfc822Name constraints too, RFC 5280 4.2.1.10. */
static bool allow_subject_emails(const struct certificate *ca, const struct certificate *cert, size_t *budget,
				 char *what, size_t what_size)
{
	struct view name = cert->subject;
	struct view rdns, set, attribute, oid, value;
	uint8_t tag;
	if (!der_take(&name, DER_SEQUENCE, &rdns)) {
		return false;
	}
	while (!der_end(&rdns)) {
		if (!der_take(&rdns, DER_SET, &set)) {
			return false;
		}
		while (!der_end(&set)) {
			if (!der_take(&set, DER_SEQUENCE, &attribute) ||
			    !der_take(&attribute, DER_OID, &oid) ||
			    !der_any(&attribute, &tag, &value, NULL)) {
				return false;
			}
			if (view_is(oid, OID_EMAIL_ADDRESS) &&
			    !constraints_allow_name(ca, GENERAL_NAME_EMAIL, value, budget, what, what_size)) {
				return false;
			}
		}
	}
	return true;
}

bool constraints_allow(const struct certificate *ca, const struct certificate *cert, size_t *budget,
		       char *what, size_t what_size)
{
	struct view names = cert->alt_names;
	struct view value;
	uint8_t tag;
	(void)snprintf(what, what_size, "the subject cannot be held against its name constraints");
	if (!ca->has_name_constraints) {
		return true;
	}
	struct view subject = cert->subject;
	struct view rdns;
	if (!der_take(&subject, DER_SEQUENCE, &rdns)) {
		return false;
	}
	/* an empty subject is no name */
	if (rdns.len > 0 &&
	    !constraints_allow_name(ca, GENERAL_NAME_DIRECTORY, cert->subject, budget, what, what_size)) {
		return false;
	}
	if (!allow_subject_emails(ca, cert, budget, what, what_size)) {
		return false;
	}
	while (!der_end(&names)) {
		if (!der_any(&names, &tag, &value, NULL) ||
		    !constraints_allow_name(ca, tag, value, budget, what, what_size)) {
			return false;
		}
	}
	return true;
}

/* Is host base or, one label or more, below it? ".base": below it only. The empty base holds all. */
static bool host_is_within(struct view host, struct view base)
{
	if (base.len == 0) {
		return true;
	}
	if (base.data[0] == '.') {
		return host.len > base.len && ends_without_case(host, base);
	}
	return equal_without_case(host, base) || (host.len > base.len && ends_without_case(host, base) &&
						  host.data[host.len - base.len - 1] == '.');
}

static enum answer match_dns(struct view name, struct view base, enum question question)
{
	bool wildcard = name.len > 2 && name.data[0] == '*' && name.data[1] == '.';
	if (!wildcard) {
		return host_is_within(name, base) ? YES : NO;
	}
	/* "*.example": all that it stands for ends in ".example" */
	struct view below = last_bytes(name, name.len - 1);
	struct view parent = last_bytes(name, name.len - 2);
	bool all_within = base.len > 0 && base.data[0] == '.' ? ends_without_case(below, base)
							      : host_is_within(parent, base);
	if (question == IS_PERMITTED) {
		return all_within ? YES : NO;
	}
	bool some_within = all_within || host_is_within(base, below);
	return some_within ? YES : NO;
}

/* base: address and mask, RFC 5280 4.2.1.10 */
static enum answer match_address(struct view name, struct view base)
{
	if ((name.len != 4 && name.len != 16) || (base.len != 8 && base.len != 32)) {
		return UNKNOWN;
	}
	if (base.len != 2 * name.len) {
		return NO;
	}
	for (size_t i = 0; i < name.len; i++) {
		if (((name.data[i] ^ base.data[i]) & base.data[name.len + i]) != 0) {
			return NO;
		}
	}
	return YES;
}

/* The part of v behind its last byte c; false if there is none. */
static bool behind_last(struct view v, uint8_t c, struct view *out)
{
	const uint8_t *at = v.len == 0 ? NULL : memrchr(v.data, c, v.len);
	if (at != NULL) {
		*out = last_bytes(v, v.len - (size_t)(at - v.data) - 1);
	}
	return at != NULL;
}

/* base: a mailbox, a host (that host alone) or ".domain" (all hosts below it). Quoted local parts are not
 * taken apart. */
static enum answer match_email(struct view name, struct view base, enum question question)
{
	struct view host, base_host;
	if (!behind_last(name, '@', &host) || memchr(name.data, '"', name.len) != NULL) {
		return UNKNOWN;
	}
	if (behind_last(base, '@', &base_host)) {
		bool same =
			question == IS_PERMITTED ? view_equal(name, base) : equal_without_case(name, base);
		return same ? YES : NO;
	}
	bool below_only = base.len > 0 && base.data[0] == '.';
	return (below_only ? host_is_within(host, base) : base.len == 0 || equal_without_case(host, base))
		       ? YES
		       : NO;
}

/* Nothing but digits and dots: an address, which such constraints cannot be held against. */
static bool is_address_like(struct view host)
{
	for (size_t i = 0; i < host.len; i++) {
		if (host.data[i] != '.' && (host.data[i] < '0' || host.data[i] > '9')) {
			return false;
		}
	}
	return true;
}

/* base: a host or ".domain", held against the host of the URI's authority; without a host there is no
 * telling. */
static enum answer match_uri(struct view name, struct view base)
{
	struct view host, part;
	const uint8_t *authority = memmem(name.data, name.len, "://", 3);
	if (name.len == 0 || authority == NULL) {
		return UNKNOWN;
	}
	host = last_bytes(name, name.len - (size_t)(authority - name.data) - 3);
	for (size_t i = 0; i < host.len; i++) {
		if (host.data[i] == '/' || host.data[i] == '?' || host.data[i] == '#') {
			host.len = i;
		}
	}
	if (behind_last(host, '@', &part)) {
		host = part;
	}
	if (host.len > 0 && host.data[0] == '[') {
		return UNKNOWN;
	}
	if (behind_last(host, ':', &part)) {
		host.len -= part.len + 1;
	}
	if (host.len == 0 || is_address_like(host)) {
		return UNKNOWN;
	}
	bool below_only = base.len > 0 && base.data[0] == '.';
	return (below_only ? host_is_within(host, base) : base.len == 0 || equal_without_case(host, base))
		       ? YES
		       : NO;
}

/* Where it cannot be told for sure, it is refused either way. */
static enum answer match_directory(struct view name, struct view base, enum question question)
{
	switch (name_begins_with(name, base)) {
	case NAME_SAME:
		return YES;
	case NAME_DIFFERENT:
		return NO;
	case NAME_UNSURE:
		break;
	}
	return question == IS_PERMITTED ? NO : UNKNOWN;
}

static enum answer match_name(uint8_t tag, struct view name, struct view base, enum question question)
{
	switch (tag) {
	case GENERAL_NAME_DNS:
		return match_dns(name, base, question);
	case GENERAL_NAME_IP:
		return match_address(name, base);
	case GENERAL_NAME_EMAIL:
		return match_email(name, base, question);
	case GENERAL_NAME_URI:
		return match_uri(name, base);
	case GENERAL_NAME_DIRECTORY:
		return match_directory(name, base, question);
	default:
		return UNKNOWN;
	}
}
