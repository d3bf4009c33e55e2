/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protection of records in TLS 1.2 by AEADs.  RFC 5246 6.2.3.3, RFC 5288, RFC 7905
 *
 * Implementation notes
 *
 *   A protected record on the wire; the explicit nonce, our sequence number, is there in AES-GCM only:
 *
 *     0      1         3        5                 13                len-16
 *     | type | version | length | explicit nonce | AEAD( content ) | tag |
 *
 *   Additional data: sequence number, type, version and length of the content. The nonce is the salt in keys->iv and
 *   the explicit nonce; of ChaCha20-Poly1305 keys->iv masked by the sequence number.
 */
#include "record_protect.h"

#include <string.h>

#include "secret.h"

#define GCM_SALT_LEN           4
#define GCM_EXPLICIT_NONCE_LEN 8

_Static_assert(GCM_SALT_LEN + GCM_EXPLICIT_NONCE_LEN == CRYPTO_AEAD_NONCE_LEN, "RFC 5288 3");

static size_t explicit_nonce_len(const struct suite *suite)
{
	return suite->aead == CRYPTO_CHACHA20_POLY1305 ? 0 : GCM_EXPLICIT_NONCE_LEN;
}

/* The nonce of a record whose explicit nonce, if it has one, stands at body. */
static void build_nonce(const struct suite *suite, const struct engine_keys *keys, const uint8_t *body,
			uint8_t nonce[static CRYPTO_AEAD_NONCE_LEN])
{
	if (explicit_nonce_len(suite) == 0) {
		record_masked_nonce(keys, nonce);
		return;
	}
	memcpy(nonce, keys->iv, GCM_SALT_LEN);
	memcpy(nonce + GCM_SALT_LEN, body, GCM_EXPLICIT_NONCE_LEN);
}

enum reason record12_aead_unprotect(const struct record_cipher_spec *spec, struct engine_keys *keys,
				    struct engine_cipher *cipher, uint8_t *record, size_t len, uint8_t *out,
				    struct record_opened *opened)
{
	const size_t explicit_len = explicit_nonce_len(spec->suite);
	const size_t overhead = ENGINE_RECORD_HEADER_LEN + explicit_len + CRYPTO_AEAD_TAG_LEN;
	uint8_t *body = record + ENGINE_RECORD_HEADER_LEN;
	uint8_t *content = out != NULL ? out : body + explicit_len;
	uint8_t aad[RECORD12_PSEUDO_HEADER_LEN];
	uint8_t nonce[CRYPTO_AEAD_NONCE_LEN];
	struct crypto_aead_ctx *aead;
	size_t content_len;

	if (len < overhead) {
		return REASON_RECORD_MAC;
	}
	aead = record_cipher_aead(cipher, spec->suite, keys);
	if (aead == NULL) {
		return REASON_INTERNAL;
	}
	content_len = len - overhead;
	build_nonce(spec->suite, keys, body, nonce);
	record12_pseudo_header(keys->seq, record[0], spec->version, content_len, aad);
	if (!crypto_aead_open(aead, nonce, aad, sizeof(aad), body + explicit_len, content_len, content)) {
		return REASON_RECORD_MAC;
	}
	keys->seq++;
	if (content_len > record_limit(spec)) {
		secret_wipe(content, content_len);
		return REASON_RECORD_OVERFLOW;
	}
	opened->type = record[0];
	opened->data = content;
	opened->len = content_len;
	return REASON_NONE;
}

bool record12_aead_protect(const struct record_cipher_spec *spec, struct engine_keys *keys,
			   struct engine_cipher *cipher, uint8_t type, const struct engine_slice *slices,
			   size_t n_slices, size_t content_len, uint8_t *out, size_t out_size,
			   size_t *out_len)
{
	const size_t explicit_len = explicit_nonce_len(spec->suite);
	const size_t overhead = ENGINE_RECORD_HEADER_LEN + explicit_len + CRYPTO_AEAD_TAG_LEN;
	struct crypto_aead_ctx *aead = record_cipher_aead(cipher, spec->suite, keys);
	uint8_t *body = out + ENGINE_RECORD_HEADER_LEN;
	uint8_t *content = body + explicit_len;
	uint8_t aad[RECORD12_PSEUDO_HEADER_LEN];
	uint8_t nonce[CRYPTO_AEAD_NONCE_LEN];

	if (aead == NULL || out_size < content_len + overhead) {
		return false;
	}
	record_gather(slices, n_slices, content);
	record12_pseudo_header(keys->seq, type, spec->version, content_len, aad);
	memcpy(body, aad, explicit_len);
	build_nonce(spec->suite, keys, body, nonce);
	record_build_header(out, type, spec->version, content_len + overhead - ENGINE_RECORD_HEADER_LEN);
	if (!crypto_aead_seal(aead, nonce, aad, sizeof(aad), content, content_len, content)) {
		return false;
	}
	keys->seq++;
	*out_len = content_len + overhead;
	return true;
}
