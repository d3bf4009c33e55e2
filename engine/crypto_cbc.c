/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AES in CBC mode over wolfCrypt.
 *
 * Implementation notes
 *
 *   Both directions must be async-signal-safe, but with AES-NI wolfCrypt encrypts directly only what is
 *   aligned and takes memory for the rest. Hence the aligned buffer through which all goes that is
 *   encrypted. The copying costs next to nothing, as CBC encryption cannot begin a block before the last
 *   one is done.
 */
#include "crypto.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/aes.h>

#include <string.h>

#include "secret.h"

/* Bytes that are encrypted at once. */
#define PIECE_LEN 512

struct crypto_cbc_ctx {
	Aes aes; /* first: wants 16-byte alignment */
	bool encrypt;
	bool live;
};

_Static_assert(PIECE_LEN % CRYPTO_CBC_BLOCK_LEN == 0, "a piece is whole blocks");

struct crypto_cbc_ctx *crypto_cbc_new(void)
{
	struct crypto_cbc_ctx *ctx = engine_alloc(sizeof(*ctx));

	if (ctx != NULL) {
		memset(ctx, 0, sizeof(*ctx));
	}
	return ctx;
}

bool crypto_cbc_set_key(struct crypto_cbc_ctx *ctx, bool encrypt, const uint8_t *key, size_t key_len)
{
	bool ok;

	crypto_cbc_wipe(ctx);
	if ((key_len != 16 && key_len != 32) || wc_AesInit(&ctx->aes, NULL, INVALID_DEVID) != 0) {
		return false;
	}
	ctx->live = true;
	ctx->encrypt = encrypt;
	ok = wc_AesSetKey(&ctx->aes, key, (word32)key_len, NULL, encrypt ? AES_ENCRYPTION : AES_DECRYPTION) ==
	     0;
	if (!ok) {
		crypto_cbc_wipe(ctx);
	}
	secret_wipe_stack();
	return ok;
}

static bool may_process(const struct crypto_cbc_ctx *ctx, bool encrypt, size_t len)
{
	return ctx->live && ctx->encrypt == encrypt && len % CRYPTO_CBC_BLOCK_LEN == 0 && len <= UINT32_MAX;
}

bool crypto_cbc_encrypt(struct crypto_cbc_ctx *ctx, const uint8_t iv[static CRYPTO_CBC_BLOCK_LEN],
			const uint8_t *in, size_t len, uint8_t *out)
{
	_Alignas(CRYPTO_CBC_BLOCK_LEN) uint8_t piece[PIECE_LEN];
	bool ok = may_process(ctx, true, len) && wc_AesSetIV(&ctx->aes, iv) == 0;

	for (size_t done = 0; ok && done < len;) {
		const size_t n = len - done < PIECE_LEN ? len - done : PIECE_LEN;

		memcpy(piece, in + done, n);
		ok = wc_AesCbcEncrypt(&ctx->aes, piece, piece, (word32)n) == 0;
		if (ok) {
			memcpy(out + done, piece, n);
		}
		done += n;
	}
	if (!ok) {
		/* in place, the plaintext is still there */
		secret_wipe(piece, sizeof(piece));
		secret_wipe(out, len);
	}
	return ok;
}

bool crypto_cbc_decrypt(struct crypto_cbc_ctx *ctx, const uint8_t iv[static CRYPTO_CBC_BLOCK_LEN],
			const uint8_t *in, size_t len, uint8_t *out)
{
	bool ok = may_process(ctx, false, len) && wc_AesSetIV(&ctx->aes, iv) == 0 &&
		  (len == 0 || wc_AesCbcDecrypt(&ctx->aes, out, in, (word32)len) == 0);

	if (!ok) {
		secret_wipe(out, len);
	}
	return ok;
}

void crypto_cbc_wipe(struct crypto_cbc_ctx *ctx)
{
	if (ctx->live) {
		wc_AesFree(&ctx->aes);
	}
	secret_wipe(ctx, sizeof(*ctx));
}

void crypto_cbc_free(struct crypto_cbc_ctx *ctx)
{
	if (ctx != NULL) {
		crypto_cbc_wipe(ctx);
		engine_release(ctx);
	}
}
