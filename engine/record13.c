/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protection of records in TLS 1.3.  RFC 8446 5.2 to 5.4
 *
 * Implementation notes
 *
 *   A protected record on the wire:
 *
 *     0      1         3        5                                       len-16
 *     | type | version | length | AEAD( content | content type | zeros ) | tag |
 *       23     0x0303             additional data: the five bytes in front
 *
 *   The search for the content type behind the padding takes a time that depends on the padding; the record is
 *   authentic by then, and RFC 8446 5.4 allows it.
 */
#include "record_protect.h"

#include <string.h>

#include "secret.h"

/* Length without the zeros at the end. */
static size_t without_padding(const uint8_t *inner, size_t len)
{
	uint64_t word;

	while (len >= sizeof(word)) {
		memcpy(&word, inner + len - sizeof(word), sizeof(word));
		if (word != 0) {
			break;
		}
		len -= sizeof(word);
	}
	while (len > 0 && inner[len - 1] == 0) {
		len--;
	}
	return len;
}

enum reason record13_unprotect(const struct record_cipher_spec *spec, struct engine_keys *keys,
			       struct engine_cipher *cipher, uint8_t *record, size_t len, uint8_t *out,
			       struct record_opened *opened)
{
	uint8_t *body = record + ENGINE_RECORD_HEADER_LEN;
	uint8_t *inner = out != NULL ? out : body;
	uint8_t nonce[CRYPTO_AEAD_NONCE_LEN];
	struct crypto_aead_ctx *aead;
	size_t inner_len;
	size_t used;

	if (len < ENGINE_RECORD_HEADER_LEN + CRYPTO_AEAD_TAG_LEN) {
		return REASON_RECORD_MAC;
	}
	aead = record_cipher_aead(cipher, spec->suite, keys);
	if (aead == NULL) {
		return REASON_INTERNAL;
	}
	inner_len = len - ENGINE_RECORD_HEADER_LEN - CRYPTO_AEAD_TAG_LEN;
	record_masked_nonce(keys, nonce);
	if (!crypto_aead_open(aead, nonce, record, ENGINE_RECORD_HEADER_LEN, body, inner_len, inner)) {
		return REASON_RECORD_MAC;
	}
	keys->seq++;
	used = without_padding(inner, inner_len);
	/* the limit is one of content and padding: RFC 8449 4 counts the content type besides */
	if (inner_len > record_limit(spec) + 1 || used == 0) {
		secret_wipe(inner, inner_len);
		return used == 0 ? REASON_RECORD_PADDING_ONLY : REASON_RECORD_OVERFLOW;
	}
	opened->type = inner[used - 1];
	opened->data = inner;
	opened->len = used - 1;
	return REASON_NONE;
}

/* How many zeros go behind a content of this length, if room is that for content and padding. */
static size_t padding_of(const struct record_cipher_spec *spec, size_t content_len, size_t room)
{
	const size_t limit = record_limit(spec);
	size_t padded;

	if (spec->padding <= 1) {
		return 0;
	}
	padded = (content_len + spec->padding - 1) / spec->padding * spec->padding;
	/* an empty content is padded as well */
	padded = padded == 0 ? spec->padding : padded;
	padded = padded < limit ? padded : limit;
	padded = padded < room ? padded : room;
	return padded - content_len;
}

bool record13_protect(const struct record_cipher_spec *spec, struct engine_keys *keys,
		      struct engine_cipher *cipher, uint8_t type, const struct engine_slice *slices,
		      size_t n_slices, size_t content_len, uint8_t *out, size_t out_size, size_t *out_len)
{
	struct crypto_aead_ctx *aead = record_cipher_aead(cipher, spec->suite, keys);
	uint8_t *inner = out + ENGINE_RECORD_HEADER_LEN;
	uint8_t nonce[CRYPTO_AEAD_NONCE_LEN];
	size_t padding, len;
	bool ok;

	if (aead == NULL || out_size < content_len + RECORD13_OVERHEAD) {
		return false;
	}
	padding = padding_of(spec, content_len, out_size - RECORD13_OVERHEAD);
	len = content_len + 1 + padding;
	record_build_header(out, CONTENT_APPLICATION_DATA, RECORD_VERSION, len + CRYPTO_AEAD_TAG_LEN);
	record_masked_nonce(keys, nonce);
	if (padding == 0) {
		ok = crypto_aead_seal_pieces(aead, nonce, out, ENGINE_RECORD_HEADER_LEN, slices, n_slices, &type, 1,
					     inner);
	} else {
		record_gather(slices, n_slices, inner);
		inner[content_len] = type;
		memset(inner + content_len + 1, 0, padding);
		ok = crypto_aead_seal(aead, nonce, out, ENGINE_RECORD_HEADER_LEN, inner, len, inner);
	}
	if (!ok) {
		return false;
	}
	keys->seq++;
	*out_len = ENGINE_RECORD_HEADER_LEN + len + CRYPTO_AEAD_TAG_LEN;
	return true;
}
