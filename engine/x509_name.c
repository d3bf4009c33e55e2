/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Distinguished names, compared and hashed.
 *
 * Implementation notes: nothing is converted. Strings are read character by character, and compared or hashed as they
 * come. Nearly all names are the same byte by byte, for issuers copy them, so that is looked at first.
 */
#include "x509_name.h"

#define END       (-1)
#define NOT_ASCII 0x80

#define FNV_START 2166136261U
#define FNV_PRIME 16777619U

/* A string as it is read: spaces at its ends are passed over, several become one. */
struct reader {
	uint8_t tag;
	struct view rest;
	bool started;
};

/* A type of string that is understood? */
static bool is_string(uint8_t tag)
{
	return tag == DER_UTF8_STRING || tag == DER_PRINTABLE_STRING || tag == DER_T61_STRING ||
	       tag == DER_IA5_STRING || tag == DER_VISIBLE_STRING || tag == DER_BMP_STRING;
}

static struct view behind(struct view v, size_t n)
{
	return view_of(v.data + n, v.len - n);
}

/* UTF-8 of two to four bytes; a byte that is out of place stands for itself. */
static int next_utf8(struct view *in)
{
	uint8_t first = in->data[0];
	size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
	int c = n == 1 ? first : first & (0xff >> (n + 1));
	if (n > in->len) {
		n = 1;
		c = first;
	}
	for (size_t i = 1; i < n; i++) {
		if ((in->data[i] & 0xc0) != 0x80) {
			n = 1;
			c = first;
			break;
		}
		c = c << 6 | (in->data[i] & 0x3f);
	}
	*in = behind(*in, n);
	return c;
}

static int next_raw(uint8_t tag, struct view *in)
{
	int c;
	if (in->len == 0) {
		return END;
	}
	if (tag == DER_BMP_STRING && in->len >= 2) {
		c = in->data[0] << 8 | in->data[1];
		*in = behind(*in, 2);
		return c;
	}
	if (tag == DER_UTF8_STRING && in->data[0] >= NOT_ASCII) {
		return next_utf8(in);
	}
	c = in->data[0];
	*in = behind(*in, 1);
	return c;
}

static int next(struct reader *r)
{
	struct view before;
	int c = next_raw(r->tag, &r->rest);
	if (c != ' ') {
		r->started = true;
		return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
	}
	do {
		before = r->rest;
		c = next_raw(r->tag, &r->rest);
	} while (c == ' ');
	if (c == END) {
		return END;
	}
	if (r->started) {
		r->rest = before;
		return ' ';
	}
	r->started = true;
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static enum name_answer compare_strings(uint8_t tag_a, struct view a, uint8_t tag_b, struct view b)
{
	struct reader left = {.tag = tag_a, .rest = a};
	struct reader right = {.tag = tag_b, .rest = b};
	bool unsure = false;
	for (;;) {
		int c = next(&left);
		int d = next(&right);
		unsure |= c >= NOT_ASCII || d >= NOT_ASCII;
		if (c != d) {
			return unsure ? NAME_UNSURE : NAME_DIFFERENT;
		}
		if (c == END) {
			return NAME_SAME;
		}
	}
}

/* AttributeTypeAndValue, header included in neither. */
static enum name_answer compare_attributes(struct view a, struct view b)
{
	struct view oid_a, oid_b, value_a, value_b;
	uint8_t tag_a, tag_b;
	if (view_equal(a, b)) {
		return NAME_SAME;
	}
	if (!der_take(&a, DER_OID, &oid_a) || !der_any(&a, &tag_a, &value_a, NULL) || !der_end(&a) ||
	    !der_take(&b, DER_OID, &oid_b) || !der_any(&b, &tag_b, &value_b, NULL) || !der_end(&b)) {
		return NAME_UNSURE;
	}
	if (!view_equal(oid_a, oid_b)) {
		return NAME_DIFFERENT;
	}
	return is_string(tag_a) && is_string(tag_b) ? compare_strings(tag_a, value_a, tag_b, value_b)
						    : NAME_UNSURE;
}

/* RelativeDistinguishedName: a set, in the order of DER. */
static enum name_answer compare_sets(struct view a, struct view b)
{
	enum name_answer answer = NAME_SAME;
	struct view one, other;
	while (!der_end(&a) && !der_end(&b)) {
		if (!der_take(&a, DER_SEQUENCE, &one) || !der_take(&b, DER_SEQUENCE, &other)) {
			return NAME_UNSURE;
		}
		enum name_answer here = compare_attributes(one, other);
		if (here == NAME_DIFFERENT) {
			return NAME_DIFFERENT;
		}
		answer = here == NAME_UNSURE ? NAME_UNSURE : answer;
	}
	return der_end(&a) && der_end(&b) ? answer : NAME_DIFFERENT;
}

/* all: name may not go on behind base. */
static enum name_answer compare(struct view name, struct view base, bool all)
{
	enum name_answer answer = NAME_SAME;
	struct view rest, base_rest, set, base_set;
	if (!der_take(&name, DER_SEQUENCE, &rest) || !der_take(&base, DER_SEQUENCE, &base_rest)) {
		return NAME_UNSURE;
	}
	while (!der_end(&base_rest)) {
		if (der_end(&rest)) {
			return NAME_DIFFERENT;
		}
		if (!der_take(&rest, DER_SET, &set) || !der_take(&base_rest, DER_SET, &base_set)) {
			return NAME_UNSURE;
		}
		enum name_answer here = compare_sets(set, base_set);
		if (here == NAME_DIFFERENT) {
			return NAME_DIFFERENT;
		}
		answer = here == NAME_UNSURE ? NAME_UNSURE : answer;
	}
	return all && !der_end(&rest) ? NAME_DIFFERENT : answer;
}

bool name_equal(struct view a, struct view b)
{
	return view_equal(a, b) || compare(a, b, true) == NAME_SAME;
}

enum name_answer name_begins_with(struct view name, struct view base)
{
	return compare(name, base, false);
}

bool name_is_empty(struct view name)
{
	struct view contents;
	return der_take(&name, DER_SEQUENCE, &contents) && der_end(&contents);
}

uint32_t name_hash(struct view name)
{
	uint32_t hash = FNV_START;
	struct view rdns, set, attribute, oid, value;
	uint8_t tag;
	if (!der_take(&name, DER_SEQUENCE, &rdns)) {
		return hash;
	}
	while (der_take(&rdns, DER_SET, &set)) {
		while (der_take(&set, DER_SEQUENCE, &attribute)) {
			if (!der_take(&attribute, DER_OID, &oid) ||
			    !der_any(&attribute, &tag, &value, NULL)) {
				return hash;
			}
			for (size_t i = 0; i < oid.len; i++) {
				hash = (hash ^ oid.data[i]) * FNV_PRIME;
			}
			struct reader r = {.tag = tag, .rest = value};
			for (int c; is_string(tag) && (c = next(&r)) != END;) {
				hash = (hash ^ (uint32_t)c) * FNV_PRIME;
			}
		}
	}
	return hash;
}
