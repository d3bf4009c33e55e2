/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading DER. The pointer arithmetic on certificates is in this file alone.
 */
#include <string.h>

#include "x509_der.h"
#include "x509_time.h"

/* Length octets, X.690 8.1.3 with the restrictions of 10.1; three length bytes are more than any limit of
 * ours. */
static bool read_length(struct view *in, size_t *len)
{
	if (in->len < 1) {
		return false;
	}
	uint8_t first = in->data[0];
	size_t n = 0;
	size_t value = first;
	if (first >= 0x80) {
		n = first & 0x7fU;
		if (n < 1 || n > 3 || in->len < 1 + n) {
			return false;
		}
		value = 0;
		for (size_t i = 1; i <= n; i++) {
			value = value << 8 | in->data[i];
		}
		bool shortest = value >= 0x80 && value >> (8 * (n - 1)) != 0;
		if (!shortest) {
			return false;
		}
	}
	in->data += 1 + n;
	in->len -= 1 + n;
	*len = value;
	return true;
}

bool view_equal(struct view a, struct view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool der_any(struct view *in, uint8_t *tag, struct view *contents, struct view *whole)
{
	struct view rest = *in;
	size_t len;
	if (rest.len < 2 || (rest.data[0] & 0x1f) == 0x1f) {
		return false;
	}
	*tag = rest.data[0];
	rest.data++;
	rest.len--;
	if (!read_length(&rest, &len) || len > rest.len) {
		return false;
	}
	*contents = view_of(rest.data, len);
	if (whole != NULL) {
		*whole = view_of(in->data, (size_t)(rest.data - in->data) + len);
	}
	in->data = rest.data + len;
	in->len = rest.len - len;
	return true;
}

bool der_next_is(const struct view *in, uint8_t tag)
{
	return in->len > 0 && in->data[0] == tag;
}

bool der_take_whole(struct view *in, uint8_t tag, struct view *contents, struct view *whole)
{
	uint8_t found;
	return der_next_is(in, tag) && der_any(in, &found, contents, whole);
}

bool der_take(struct view *in, uint8_t tag, struct view *contents)
{
	return der_take_whole(in, tag, contents, NULL);
}

bool der_unsigned(struct view *in, struct view *value)
{
	struct view rest = *in;
	struct view v;
	if (!der_take(&rest, DER_INTEGER, &v) || v.len == 0 || (v.data[0] & 0x80) != 0) {
		return false;
	}
	if (v.data[0] == 0) {
		if (v.len > 1 && (v.data[1] & 0x80) == 0) {
			return false;
		}
		v.data++;
		v.len--;
	}
	*value = v;
	*in = rest;
	return true;
}

bool der_small(struct view *in, uint32_t *value)
{
	struct view rest = *in;
	struct view v;
	if (!der_unsigned(&rest, &v) || v.len > 4 || (v.len == 4 && (v.data[0] & 0x80) != 0)) {
		return false;
	}
	*value = 0;
	for (size_t i = 0; i < v.len; i++) {
		*value = *value << 8 | v.data[i];
	}
	*in = rest;
	return true;
}

bool der_boolean(struct view *in, bool *value)
{
	struct view rest = *in;
	struct view v;
	if (!der_take(&rest, DER_BOOLEAN, &v) || v.len != 1 || (v.data[0] != 0 && v.data[0] != 0xff)) {
		return false;
	}
	*value = v.data[0] != 0;
	*in = rest;
	return true;
}

bool der_bytes_as_bits(struct view *in, struct view *bytes)
{
	struct view rest = *in;
	struct view v;
	if (!der_take(&rest, DER_BIT_STRING, &v) || v.len < 1 || v.data[0] != 0) {
		return false;
	}
	*bytes = view_of(v.data + 1, v.len - 1);
	*in = rest;
	return true;
}

bool der_named_bits(struct view *in, uint16_t *bits)
{
	struct view rest = *in;
	struct view v;
	if (!der_take(&rest, DER_BIT_STRING, &v) || v.len < 1 || v.data[0] > 7 ||
	    (v.len == 1 && v.data[0] != 0)) {
		return false;
	}
	unsigned unused = v.data[0];
	if ((v.data[v.len - 1] & ((1U << unused) - 1)) != 0 && v.len > 1) {
		return false;
	}
	*bits = (uint16_t)((v.len > 1 ? v.data[1] << 8 : 0) | (v.len > 2 ? v.data[2] : 0));
	*in = rest;
	return true;
}

/* n decimal digits at p; false if one is none. */
static bool digits(const uint8_t *p, size_t n, int *value)
{
	*value = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9') {
			return false;
		}
		*value = *value * 10 + (p[i] - '0');
	}
	return true;
}

bool der_time(struct view *in, int64_t *time)
{
	struct view rest = *in;
	struct view v;
	uint8_t tag;
	struct civil_time c;
	if (!der_any(&rest, &tag, &v, NULL)) {
		return false;
	}
	size_t year_len = tag == DER_GENERALIZED_TIME ? 4 : 2;
	if ((tag != DER_UTC_TIME && tag != DER_GENERALIZED_TIME) || v.len != year_len + 11 ||
	    v.data[v.len - 1] != 'Z') {
		return false;
	}
	const uint8_t *p = v.data + year_len;
	if (!digits(v.data, year_len, &c.year) || !digits(p, 2, &c.month) || !digits(p + 2, 2, &c.day) ||
	    !digits(p + 4, 2, &c.hour) || !digits(p + 6, 2, &c.minute) || !digits(p + 8, 2, &c.second)) {
		return false;
	}
	if (tag == DER_UTC_TIME) {
		c.year += c.year < 50 ? 2000 : 1900;
	}
	if (!civil_to_seconds(&c, time)) {
		return false;
	}
	*in = rest;
	return true;
}
