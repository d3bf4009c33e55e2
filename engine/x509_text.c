/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in certificates for people.
 */
#include <stdio.h>
#include <string.h>

#include "x509_parse.h"

/* Append what is printable of a string; UTF-8 and the wide forms lose what is not ASCII. */
static void append_string(uint8_t tag, struct view value, char *out, size_t size)
{
	size_t used = strlen(out);
	size_t step = tag == DER_BMP_STRING ? 2 : 1;
	for (size_t i = step - 1; i < value.len && used + 1 < size; i += step) {
		uint8_t c = value.data[i];
		out[used++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	out[used] = '\0';
}

/* AttributeTypeAndValue, RFC 5280 4.1.2.4; the first of a set stands for it. */
static bool next_attribute(struct view *rdns, struct view *oid, uint8_t *tag, struct view *value)
{
	struct view set, attribute;
	return der_take(rdns, DER_SET, &set) && der_take(&set, DER_SEQUENCE, &attribute) &&
	       der_take(&attribute, DER_OID, oid) && der_any(&attribute, tag, value, NULL);
}

void name_text(struct view name, char *out, size_t size)
{
	/* the first kind that is there; of several of a kind, the last is the most specific */
	static const struct {
		uint8_t id; /* in 2.5.4 */
		const char *label;
	} kinds[] = {{3, "CN="}, {10, "O="}, {11, "OU="}, {6, "C="}};
	struct view rdns, oid, value;
	uint8_t tag;
	out[0] = '\0';
	if (!der_take(&name, DER_SEQUENCE, &rdns)) {
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && out[0] == '\0'; i++) {
		struct view rest = rdns;
		const uint8_t wanted[] = {0x55, 0x04, kinds[i].id};
		while (next_attribute(&rest, &oid, &tag, &value)) {
			if (view_equal(oid, view_of(wanted, sizeof(wanted)))) {
				(void)snprintf(out, size, "%s", kinds[i].label);
				append_string(tag, value, out, size);
			}
		}
	}
}

void string_text(struct view value, char *out, size_t size)
{
	out[0] = '\0';
	append_string(DER_IA5_STRING, value, out, size);
}

void certificate_text(const struct certificate *cert, char *out, size_t size)
{
	struct view names = cert->alt_names;
	struct view value;
	uint8_t tag;
	name_text(cert->subject, out, size);
	while (out[0] == '\0' && der_any(&names, &tag, &value, NULL)) {
		if (tag == GENERAL_NAME_DNS || tag == GENERAL_NAME_URI || tag == GENERAL_NAME_EMAIL) {
			append_string(DER_IA5_STRING, value, out, size);
		}
	}
	if (out[0] == '\0') {
		(void)snprintf(out, size, "a certificate without a name");
	}
}
