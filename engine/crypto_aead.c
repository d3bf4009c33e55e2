/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Authenticated encryption: AES-GCM and ChaCha20-Poly1305 over wolfCrypt.
 *
 * Implementation notes
 *
 *   Sealing and opening must be async-signal-safe: no memory is taken but by crypto_aead_new().
 */
#include "crypto.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include <string.h>

#include "secret.h"

/* Bytes from which on seal_stream() pays off. */
#define MIN_STREAM_LEN 2048

struct crypto_aead_ctx {
	Aes aes; /* first: wants 16-byte alignment */
	uint8_t chacha_key[CHACHA20_POLY1305_AEAD_KEYSIZE];
	enum crypto_aead aead;
	bool live;
};

size_t crypto_aead_key_len(enum crypto_aead aead)
{
	return aead == CRYPTO_AES_128_GCM ? 16 : 32;
}

struct crypto_aead_ctx *crypto_aead_new(void)
{
	struct crypto_aead_ctx *ctx = engine_alloc(sizeof(*ctx));

	if (ctx != NULL) {
		memset(ctx, 0, sizeof(*ctx));
	}
	return ctx;
}

bool crypto_aead_set_key(struct crypto_aead_ctx *ctx, enum crypto_aead aead, const uint8_t *key)
{
	bool ok;

	crypto_aead_wipe(ctx);
	ctx->aead = aead;
	if (aead == CRYPTO_CHACHA20_POLY1305) {
		memcpy(ctx->chacha_key, key, sizeof(ctx->chacha_key));
		ctx->live = true;
		return true;
	}
	if (wc_AesInit(&ctx->aes, NULL, INVALID_DEVID) != 0) {
		return false;
	}
	ctx->live = true;
	ok = wc_AesGcmSetKey(&ctx->aes, key, (word32)crypto_aead_key_len(aead)) == 0;
	if (!ok) {
		crypto_aead_wipe(ctx);
	}
	secret_wipe_stack();
	return ok;
}

bool crypto_aead_seal(struct crypto_aead_ctx *ctx, const uint8_t nonce[static CRYPTO_AEAD_NONCE_LEN],
		      const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len, uint8_t *out)
{
	bool ok = ctx->live && len <= UINT32_MAX && aad_len <= UINT32_MAX;

	if (!ok) {
		return false;
	}
	if (ctx->aead == CRYPTO_CHACHA20_POLY1305) {
		ok = wc_ChaCha20Poly1305_Encrypt(ctx->chacha_key, nonce, aad, (word32)aad_len, in,
						 (word32)len, out, out + len) == 0;
		secret_wipe_stack();
	} else {
		ok = wc_AesGcmEncrypt(&ctx->aes, out, in, (word32)len, nonce, CRYPTO_AEAD_NONCE_LEN,
				      out + len, CRYPTO_AEAD_TAG_LEN, aad, (word32)aad_len) == 0;
	}
	if (!ok) {
		/* in place, the plaintext is still there */
		secret_wipe(out, len + CRYPTO_AEAD_TAG_LEN);
	}
	return ok;
}

/*
 * From one place to another in one go, which for a full record costs less than to copy it first. For
 * short ones, it is the other way round.
 */
static bool seal_stream(struct crypto_aead_ctx *ctx, const uint8_t *nonce, const uint8_t *aad, size_t aad_len,
			const struct engine_slice *piece, const uint8_t *tail, size_t tail_len, uint8_t *out)
{
	const size_t len = piece->len + tail_len;
	bool ok = wc_AesGcmEncryptInit(&ctx->aes, NULL, 0, nonce, CRYPTO_AEAD_NONCE_LEN) == 0 &&
		  wc_AesGcmEncryptUpdate(&ctx->aes, out, piece->data, (word32)piece->len, aad,
					 (word32)aad_len) == 0;

	if (tail_len != 0) {
		ok = ok && wc_AesGcmEncryptUpdate(&ctx->aes, out + piece->len, tail, (word32)tail_len, NULL,
						  0) == 0;
	}
	ok = ok && wc_AesGcmEncryptFinal(&ctx->aes, out + len, CRYPTO_AEAD_TAG_LEN) == 0;
	if (!ok) {
		secret_wipe(out, len + CRYPTO_AEAD_TAG_LEN);
	}
	return ok;
}

bool crypto_aead_seal_pieces(struct crypto_aead_ctx *ctx, const uint8_t nonce[static CRYPTO_AEAD_NONCE_LEN],
			     const uint8_t *aad, size_t aad_len, const struct engine_slice *pieces,
			     size_t n_pieces, const uint8_t *tail, size_t tail_len, uint8_t *out)
{
	size_t len = 0;

	if (ctx->live && ctx->aead != CRYPTO_CHACHA20_POLY1305 && n_pieces == 1 &&
	    pieces[0].len >= MIN_STREAM_LEN && pieces[0].len <= UINT32_MAX && tail_len <= UINT32_MAX &&
	    aad_len <= UINT32_MAX) {
		return seal_stream(ctx, nonce, aad, aad_len, pieces, tail, tail_len, out);
	}
	for (size_t i = 0; i < n_pieces; i++) {
		if (pieces[i].len != 0) {
			memcpy(out + len, pieces[i].data, pieces[i].len);
			len += pieces[i].len;
		}
	}
	if (tail_len != 0) {
		memcpy(out + len, tail, tail_len);
	}
	return crypto_aead_seal(ctx, nonce, aad, aad_len, out, len + tail_len, out);
}

bool crypto_aead_open(struct crypto_aead_ctx *ctx, const uint8_t nonce[static CRYPTO_AEAD_NONCE_LEN],
		      const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len, uint8_t *out)
{
	bool ok = ctx->live && len <= UINT32_MAX && aad_len <= UINT32_MAX;

	if (ok && ctx->aead == CRYPTO_CHACHA20_POLY1305) {
		ok = wc_ChaCha20Poly1305_Decrypt(ctx->chacha_key, nonce, aad, (word32)aad_len, in,
						 (word32)len, in + len, out) == 0;
		secret_wipe_stack();
	} else if (ok) {
		ok = wc_AesGcmDecrypt(&ctx->aes, out, in, (word32)len, nonce, CRYPTO_AEAD_NONCE_LEN, in + len,
				      CRYPTO_AEAD_TAG_LEN, aad, (word32)aad_len) == 0;
	}
	if (!ok) {
		secret_wipe(out, len);
	}
	return ok;
}

void crypto_aead_wipe(struct crypto_aead_ctx *ctx)
{
	if (ctx->live && ctx->aead != CRYPTO_CHACHA20_POLY1305) {
		wc_AesFree(&ctx->aes);
	}
	secret_wipe(ctx, sizeof(*ctx));
}

void crypto_aead_free(struct crypto_aead_ctx *ctx)
{
	if (ctx != NULL) {
		crypto_aead_wipe(ctx);
		engine_release(ctx);
	}
}
