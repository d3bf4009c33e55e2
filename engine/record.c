/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protection of records in TLS 1.3, and the cache of expanded keys that goes with it.
 *
 * Implementation notes
 *
 *   A protected record on the wire:
 *
 *     0      1         3        5                                       len-16
 *     | type | version | length | AEAD( content | content type | zeros ) | tag |
 *       23     0x0303             additional data: the five bytes in front
 *
 *   A cipher context is matched by the key itself, compared in constant time: whatever became of the connection that
 *   it last served, a stale key is never used. The search for the content type behind the padding takes a time that
 *   depends on the padding; the record is authentic by then, and RFC 8446 5.4 allows it.
 */
#include "record.h"

#include <string.h>

#include "keysched13.h"
#include "secret.h"

struct engine_cipher {
	struct crypto_aead_ctx *aead;
	const struct suite *suite; /* NULL: no key */
	uint8_t key[CRYPTO_MAX_KEY_LEN];
};

struct engine_cipher *engine_cipher_new(void)
{
	struct engine_cipher *cipher = engine_alloc(sizeof(*cipher));

	if (cipher == NULL) {
		return NULL;
	}
	memset(cipher, 0, sizeof(*cipher));
	cipher->aead = crypto_aead_new();
	if (cipher->aead == NULL) {
		engine_release(cipher);
		return NULL;
	}
	return cipher;
}

void engine_cipher_wipe(struct engine_cipher *cipher)
{
	crypto_aead_wipe(cipher->aead);
	secret_wipe(cipher->key, sizeof(cipher->key));
	cipher->suite = NULL;
}

void engine_cipher_free(struct engine_cipher *cipher)
{
	if (cipher != NULL) {
		engine_cipher_wipe(cipher);
		crypto_aead_free(cipher->aead);
		engine_release(cipher);
	}
}

/* Make the context hold this key, if it does not yet. */
static bool cipher_prepare(struct engine_cipher *cipher, const struct suite *suite,
			   const struct engine_keys *keys)
{
	if (cipher->suite == suite && secret_equal(cipher->key, keys->key, sizeof(cipher->key))) {
		return true;
	}
	engine_cipher_wipe(cipher);
	if (!crypto_aead_set_key(cipher->aead, suite->aead, keys->key)) {
		return false;
	}
	memcpy(cipher->key, keys->key, sizeof(cipher->key));
	cipher->suite = suite;
	return true;
}

void record_parse_header(const uint8_t wire[static ENGINE_RECORD_HEADER_LEN], struct record_header *header)
{
	header->type = wire[0];
	header->version = (uint16_t)(wire[1] << 8 | wire[2]);
	header->length = (size_t)wire[3] << 8 | wire[4];
}

void record_build_header(uint8_t wire[static ENGINE_RECORD_HEADER_LEN], uint8_t type, uint16_t version,
			 size_t length)
{
	wire[0] = type;
	wire[1] = (uint8_t)(version >> 8);
	wire[2] = (uint8_t)version;
	wire[3] = (uint8_t)(length >> 8);
	wire[4] = (uint8_t)length;
}

/* RFC 8446 5.3 */
static void build_nonce(const struct engine_keys *keys, uint8_t nonce[static CRYPTO_AEAD_NONCE_LEN])
{
	memcpy(nonce, keys->iv, CRYPTO_AEAD_NONCE_LEN);
	for (size_t i = 0; i < 8; i++) {
		nonce[CRYPTO_AEAD_NONCE_LEN - 1 - i] ^= (uint8_t)(keys->seq >> (8 * i));
	}
}

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

enum reason record13_open(const struct suite *suite, struct engine_keys *keys, struct engine_cipher *cipher,
			  uint8_t *record, size_t len, uint8_t *out, struct record_opened *opened)
{
	uint8_t *body = record + ENGINE_RECORD_HEADER_LEN;
	uint8_t *inner = out != NULL ? out : body;
	uint8_t nonce[CRYPTO_AEAD_NONCE_LEN];
	size_t inner_len;
	size_t used;

	if (len < ENGINE_RECORD_HEADER_LEN + CRYPTO_AEAD_TAG_LEN) {
		return REASON_RECORD_MAC;
	}
	if (len > ENGINE_RECORD_HEADER_LEN + RECORD13_MAX_CIPHERTEXT) {
		return REASON_RECORD_OVERFLOW;
	}
	if (keys->seq == UINT64_MAX) {
		return REASON_RECORD_NUMBER;
	}
	if (!cipher_prepare(cipher, suite, keys)) {
		return REASON_INTERNAL;
	}
	inner_len = len - ENGINE_RECORD_HEADER_LEN - CRYPTO_AEAD_TAG_LEN;
	build_nonce(keys, nonce);
	if (!crypto_aead_open(cipher->aead, nonce, record, ENGINE_RECORD_HEADER_LEN, body, inner_len,
			      inner)) {
		return REASON_RECORD_MAC;
	}
	keys->seq++;
	used = without_padding(inner, inner_len);
	if (inner_len > RECORD13_MAX_INNER || used == 0) {
		secret_wipe(inner, inner_len);
		return used == 0 ? REASON_RECORD_PADDING_ONLY : REASON_RECORD_OVERFLOW;
	}
	opened->type = inner[used - 1];
	opened->data = inner;
	opened->len = used - 1;
	return REASON_NONE;
}

bool record13_seal(const struct suite *suite, struct engine_keys *keys, struct engine_cipher *cipher,
		   uint8_t type, const struct engine_slice *slices, size_t n_slices, uint8_t *out,
		   size_t out_size, size_t *out_len)
{
	uint8_t *inner = out + ENGINE_RECORD_HEADER_LEN;
	uint8_t nonce[CRYPTO_AEAD_NONCE_LEN];
	size_t len = 0;

	for (size_t i = 0; i < n_slices; i++) {
		if (slices[i].len > ENGINE_MAX_PLAINTEXT - len) {
			return false;
		}
		len += slices[i].len;
	}
	if (out_size < len + RECORD13_OVERHEAD || keys->seq >= suite->hard_limit ||
	    !cipher_prepare(cipher, suite, keys)) {
		return false;
	}
	len = 0;
	for (size_t i = 0; i < n_slices; i++) {
		if (slices[i].len != 0) {
			memcpy(inner + len, slices[i].data, slices[i].len);
			len += slices[i].len;
		}
	}
	inner[len++] = type;
	record_build_header(out, CONTENT_APPLICATION_DATA, RECORD_VERSION, len + CRYPTO_AEAD_TAG_LEN);
	build_nonce(keys, nonce);
	if (!crypto_aead_seal(cipher->aead, nonce, out, ENGINE_RECORD_HEADER_LEN, inner, len, inner)) {
		return false;
	}
	keys->seq++;
	*out_len = ENGINE_RECORD_HEADER_LEN + len + CRYPTO_AEAD_TAG_LEN;
	return true;
}
