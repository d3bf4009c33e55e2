/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PEM: finds and decodes blocks.
 */
#include <stdio.h>
#include <string.h>

#include "x509_pem.h"

#define DASHES   "-----"
#define BEGIN    DASHES "BEGIN "
#define END      DASHES "END "
#define LINE_LEN 64

/* clang-format off */
static const struct {
	const char *text;
	enum pem_label label;
} labels[] = {
	{ "CERTIFICATE", PEM_CERTIFICATE },
	{ "X509 CERTIFICATE", PEM_CERTIFICATE },
	{ "PRIVATE KEY", PEM_PRIVATE_KEY },
	{ "ENCRYPTED PRIVATE KEY", PEM_ENCRYPTED_PRIVATE_KEY },
	{ "EC PRIVATE KEY", PEM_EC_PRIVATE_KEY },
	{ "RSA PRIVATE KEY", PEM_RSA_PRIVATE_KEY },
	{ "X509 CRL", PEM_CRL },
};
/* clang-format on */

/* Where needle begins in text, or NULL. */
static const uint8_t *find(struct view text, const char *needle)
{
	return text.len == 0 ? NULL : memmem(text.data, text.len, needle, strlen(needle));
}

static struct view from(struct view text, const uint8_t *p)
{
	return view_of(p, text.len - (size_t)(p - text.data));
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum pem_label label_of(struct view text)
{
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		if (view_equal(text, view_of((const uint8_t *)labels[i].text, strlen(labels[i].text)))) {
			return labels[i].label;
		}
	}
	return PEM_OTHER;
}

/* Headers of RFC 1421 stand before an empty line; only keys have them, and then because they are encrypted.
 */
static void judge_headers(struct pem_block *block)
{
	const uint8_t *colon = find(block->base64, ":");
	bool is_key = block->label == PEM_EC_PRIVATE_KEY || block->label == PEM_RSA_PRIVATE_KEY ||
		      block->label == PEM_PRIVATE_KEY;
	if (colon != NULL && is_key && find(block->base64, "ENCRYPTED") != NULL) {
		block->label = PEM_ENCRYPTED_PRIVATE_KEY;
	}
}

bool pem_next(struct view *text, struct pem_block *block)
{
	for (;;) {
		const uint8_t *begin = find(*text, BEGIN);
		if (begin == NULL) {
			*text = view_of(NULL, 0);
			return false;
		}
		bool at_line_start = begin == text->data || begin[-1] == '\n' || begin[-1] == '\r';
		*text = from(*text, begin + strlen(BEGIN));
		if (at_line_start) {
			break;
		}
	}
	/* a block that lost its end must not run into the next one */
	const uint8_t *next = find(*text, BEGIN);
	struct view reach = next == NULL ? *text : view_of(text->data, (size_t)(next - text->data));
	const uint8_t *label_end = find(reach, DASHES);
	const uint8_t *line_end = find(reach, "\n");
	const uint8_t *end = find(reach, "\n" END);
	block->base64 = view_of(NULL, 0);
	block->label = PEM_OTHER;
	if (label_end != NULL) {
		block->label = label_of(view_of(text->data, (size_t)(label_end - text->data)));
	}
	block->damaged = label_end == NULL || line_end == NULL || label_end > line_end || end == NULL;
	if (!block->damaged) {
		block->base64 = from(reach, label_end + strlen(DASHES));
		block->base64.len = (size_t)(end - block->base64.data);
		judge_headers(block);
	}
	*text = view_of(text->data + reach.len, text->len - reach.len);
	return true;
}

size_t pem_max_len(const struct pem_block *block)
{
	return block->base64.len / 4 * 3 + 3;
}

/* ct: 0xff where lo <= c <= hi, else 0 */
static unsigned in_range(unsigned c, unsigned lo, unsigned hi)
{
	return (((lo - 1 - c) & (c - hi - 1)) >> 8) & 0xff;
}

/* ct: the six bits of a base64 character; 0xff.. with bit 8 set if it is none */
static unsigned sextet(unsigned c)
{
	unsigned upper = in_range(c, 'A', 'Z');
	unsigned lower = in_range(c, 'a', 'z');
	unsigned digit = in_range(c, '0', '9');
	unsigned plus = in_range(c, '+', '+');
	unsigned slash = in_range(c, '/', '/');
	unsigned known = upper | lower | digit | plus | slash;
	unsigned value = (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (digit & (c - '0' + 52)) |
			 (plus & 62) | (slash & 63);
	return (value & 0x3f) | ((~known & 1) << 8);
}

bool pem_decode(const struct pem_block *block, uint8_t *out, size_t *len)
{
	uint32_t group = 0;
	unsigned n_sextets = 0;
	unsigned n_pads = 0;
	unsigned wrong = 0;
	uint8_t *to = out;
	for (size_t i = 0; i < block->base64.len; i++) {
		uint8_t c = block->base64.data[i];
		if (is_space(c)) {
			continue;
		}
		if (c == '=') {
			n_pads++;
			continue;
		}
		unsigned value = sextet(c);
		wrong |= value >> 8 | n_pads;
		group = group << 6 | (value & 0x3f);
		if (++n_sextets == 4) {
			*to++ = (uint8_t)(group >> 16);
			*to++ = (uint8_t)(group >> 8);
			*to++ = (uint8_t)group;
			n_sextets = 0;
			group = 0;
		}
	}
	if (n_sextets == 3) {
		*to++ = (uint8_t)(group >> 10);
		*to++ = (uint8_t)(group >> 2);
	} else if (n_sextets == 2) {
		*to++ = (uint8_t)(group >> 4);
	}
	*len = (size_t)(to - out);
	unsigned pads_due = n_sextets == 0 ? 0 : 4 - n_sextets;
	return !block->damaged && wrong == 0 && n_sextets != 1 && n_pads == pads_due && *len > 0;
}

bool pem_encode(const char *label, const uint8_t *der, size_t len, char *out, size_t size)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t used = strlen(out);
	size_t text_len = (len + 2) / 3 * 4;
	size_t total = used + strlen(BEGIN DASHES "\n" END DASHES "\n") + 2 * strlen(label) + text_len +
		       (text_len + LINE_LEN - 1) / LINE_LEN + 1;
	if (total > size) {
		return false;
	}
	char *to = out + used;
	to += snprintf(to, size - used, BEGIN "%s" DASHES "\n", label);
	size_t column = 0;
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t group = (uint32_t)der[i] << 16 | (n > 1 ? (uint32_t)der[i + 1] << 8 : 0) |
				 (n > 2 ? der[i + 2] : 0U);
		for (size_t k = 0; k < 4; k++) {
			*to++ = '=';
			if (k <= n) {
				to[-1] = alphabet[group >> (18 - 6 * k) & 0x3f];
			}
		}
		column += 4;
		if (column == LINE_LEN || i + 3 >= len) {
			*to++ = '\n';
			column = 0;
		}
	}
	(void)snprintf(to, size - (size_t)(to - out), END "%s" DASHES "\n", label);
	return true;
}
