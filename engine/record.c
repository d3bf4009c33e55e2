/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records: their header, the choice of how one is protected, and the cache of expanded keys.
 *
 * Implementation notes
 *
 *   record13.c        TLS 1.3
 *   record12_aead.c   TLS 1.2 with AES-GCM or ChaCha20-Poly1305
 *   record12_cbc.c    TLS 1.0 to 1.2 with AES-CBC and HMAC
 *
 *   A cipher context is matched by the key itself, compared in constant time: whatever became of the connection that
 *   it last served, a stale key is never used. A context of CBC knows one direction: encrypting or decrypting.
 */
#include "record.h"

#include <string.h>

#include "record_protect.h"
#include "secret.h"

struct engine_cipher {
	struct crypto_aead_ctx *aead;
	struct crypto_cbc_ctx *cbc; /* NULL until it is needed */
	const struct suite *suite;  /* NULL: no key */
	bool encrypts;              /* of CBC */
	uint8_t key[CRYPTO_MAX_KEY_LEN];
};

/* ---- the cache of expanded keys ---- */

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
	if (cipher->cbc != NULL) {
		crypto_cbc_wipe(cipher->cbc);
	}
	secret_wipe(cipher->key, sizeof(cipher->key));
	cipher->suite = NULL;
}

void engine_cipher_free(struct engine_cipher *cipher)
{
	if (cipher != NULL) {
		engine_cipher_wipe(cipher);
		crypto_aead_free(cipher->aead);
		crypto_cbc_free(cipher->cbc);
		engine_release(cipher);
	}
}

static bool cipher_holds(const struct engine_cipher *cipher, const struct suite *suite,
			 const struct engine_keys *keys)
{
	return cipher->suite == suite && secret_equal(cipher->key, keys->key, sizeof(cipher->key));
}

static void cipher_remember(struct engine_cipher *cipher, const struct suite *suite,
			    const struct engine_keys *keys)
{
	memcpy(cipher->key, keys->key, sizeof(cipher->key));
	cipher->suite = suite;
}

struct crypto_aead_ctx *record_cipher_aead(struct engine_cipher *cipher, const struct suite *suite,
					   const struct engine_keys *keys)
{
	if (!cipher_holds(cipher, suite, keys)) {
		engine_cipher_wipe(cipher);
		if (!crypto_aead_set_key(cipher->aead, suite->aead, keys->key)) {
			return NULL;
		}
		cipher_remember(cipher, suite, keys);
	}
	return cipher->aead;
}

struct crypto_cbc_ctx *record_cipher_cbc(struct engine_cipher *cipher, const struct suite *suite,
					 const struct engine_keys *keys, bool encrypt)
{
	if (!cipher_holds(cipher, suite, keys) || cipher->encrypts != encrypt) {
		engine_cipher_wipe(cipher);
		if (cipher->cbc == NULL) {
			cipher->cbc = crypto_cbc_new();
		}
		if (cipher->cbc == NULL ||
		    !crypto_cbc_set_key(cipher->cbc, encrypt, keys->key, suite->key_len)) {
			return NULL;
		}
		cipher_remember(cipher, suite, keys);
		cipher->encrypts = encrypt;
	}
	return cipher->cbc;
}

/* ---- headers ---- */

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

void record_gather(const struct engine_slice *slices, size_t n_slices, uint8_t *out)
{
	for (size_t i = 0; i < n_slices; i++) {
		if (slices[i].len != 0) {
			memcpy(out, slices[i].data, slices[i].len);
			out += slices[i].len;
		}
	}
}

void record_masked_nonce(const struct engine_keys *keys, uint8_t nonce[static CRYPTO_AEAD_NONCE_LEN])
{
	memcpy(nonce, keys->iv, CRYPTO_AEAD_NONCE_LEN);
	for (size_t i = 0; i < 8; i++) {
		nonce[CRYPTO_AEAD_NONCE_LEN - 1 - i] ^= (uint8_t)(keys->seq >> (8 * i));
	}
}

void record12_pseudo_header(uint64_t seq, uint8_t type, uint16_t version, size_t length,
			    uint8_t out[static RECORD12_PSEUDO_HEADER_LEN])
{
	for (size_t i = 0; i < 8; i++) {
		out[7 - i] = (uint8_t)(seq >> (8 * i));
	}
	record_build_header(out + 8, type, version, length);
}

/* ---- one record ---- */

size_t record_limit(const struct record_cipher_spec *spec)
{
	return spec->limit != 0 ? spec->limit : ENGINE_MAX_PLAINTEXT;
}

size_t record_max_ciphertext(const struct record_cipher_spec *spec)
{
	return spec->version == ENGINE_TLS13 ? RECORD13_MAX_CIPHERTEXT : RECORD12_MAX_CIPHERTEXT;
}

enum reason record_open(const struct record_cipher_spec *spec, struct engine_keys *keys,
			struct engine_cipher *cipher, uint8_t *record, size_t len, uint8_t *out,
			struct record_opened *opened)
{
	struct record_header header;

	if (len < ENGINE_RECORD_HEADER_LEN) {
		return REASON_INTERNAL;
	}
	record_parse_header(record, &header);
	if (header.length != len - ENGINE_RECORD_HEADER_LEN) {
		return REASON_INTERNAL;
	}
	if (header.length > record_max_ciphertext(spec)) {
		return REASON_RECORD_OVERFLOW;
	}
	if (keys->seq == UINT64_MAX) {
		return REASON_RECORD_NUMBER;
	}
	if (spec->version == ENGINE_TLS13) {
		return record13_unprotect(spec, keys, cipher, record, len, out, opened);
	}
	if (header.version != spec->version) {
		return REASON_RECORD_VERSION;
	}
	if (spec->suite->is_cbc) {
		return record12_cbc_unprotect(spec, keys, cipher, record, len, out, opened);
	}
	return record12_aead_unprotect(spec, keys, cipher, record, len, out, opened);
}

/* May this key seal another record? RFC 8446 5.5; one that is used up can still be renewed, or the end be told. */
static bool may_seal(const struct record_cipher_spec *spec, const struct engine_keys *keys, uint8_t type)
{
	/* two numbers stay free: application data of TLS 1.0 takes two */
	return keys->seq < UINT64_MAX - 1 &&
	       (keys->seq < spec->suite->hard_limit || type != CONTENT_APPLICATION_DATA);
}

bool record_seal(const struct record_cipher_spec *spec, struct engine_keys *keys,
		 struct engine_cipher *cipher, uint8_t type, const struct engine_slice *slices,
		 size_t n_slices, uint8_t *out, size_t out_size, size_t *out_len)
{
	const size_t limit = record_limit(spec);
	size_t len = 0;

	for (size_t i = 0; i < n_slices; i++) {
		if (slices[i].len > limit - len) {
			return false;
		}
		len += slices[i].len;
	}
	if (!may_seal(spec, keys, type)) {
		return false;
	}
	if (spec->version == ENGINE_TLS13) {
		return record13_protect(spec, keys, cipher, type, slices, n_slices, len, out, out_size,
					out_len);
	}
	if (spec->suite->is_cbc) {
		return record12_cbc_protect(spec, keys, cipher, type, slices, n_slices, len, out, out_size,
					    out_len);
	}
	return record12_aead_protect(spec, keys, cipher, type, slices, n_slices, len, out, out_size, out_len);
}

enum reason record13_open(const struct suite *suite, struct engine_keys *keys, struct engine_cipher *cipher,
			  uint8_t *record, size_t len, uint8_t *out, struct record_opened *opened)
{
	const struct record_cipher_spec spec = {.suite = suite, .version = ENGINE_TLS13};

	return record_open(&spec, keys, cipher, record, len, out, opened);
}

bool record13_seal(const struct suite *suite, struct engine_keys *keys, struct engine_cipher *cipher,
		   uint8_t type, const struct engine_slice *slices, size_t n_slices, uint8_t *out,
		   size_t out_size, size_t *out_len)
{
	const struct record_cipher_spec spec = {.suite = suite, .version = ENGINE_TLS13};

	return record_seal(&spec, keys, cipher, type, slices, n_slices, out, out_size, out_len);
}
