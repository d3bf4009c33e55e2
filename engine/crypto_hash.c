/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hashes, HMAC and HKDF over wolfCrypt.
 */
#include "crypto.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/md5.h>
#include <wolfssl/wolfcrypt/sha.h>
#include <wolfssl/wolfcrypt/sha256.h>
#include <wolfssl/wolfcrypt/sha512.h>

#include <string.h>

#include "secret.h"

/* What the room of a crypto_hash_ctx holds. */
union state {
	wc_Sha256 sha256;
	wc_Sha384 sha384;
	struct {
		wc_Md5 md5;
		wc_Sha sha1;
	} old; /* SHA1, MD5, or both */
};

_Static_assert(sizeof(union state) <= CRYPTO_HASH_ROOM, "CRYPTO_HASH_ROOM holds a running hash of any kind");

static union state *state_of(struct crypto_hash_ctx *ctx)
{
	return (union state *)(void *)ctx->room;
}

size_t crypto_hash_len(enum crypto_hash hash)
{
	switch (hash) {
	case CRYPTO_SHA256:
		return WC_SHA256_DIGEST_SIZE;
	case CRYPTO_SHA384:
		return WC_SHA384_DIGEST_SIZE;
	case CRYPTO_SHA1:
		return WC_SHA_DIGEST_SIZE;
	case CRYPTO_MD5:
		return WC_MD5_DIGEST_SIZE;
	case CRYPTO_MD5_SHA1:
		return WC_MD5_DIGEST_SIZE + WC_SHA_DIGEST_SIZE;
	}
	return 0;
}

bool crypto_hash_init(struct crypto_hash_ctx *ctx, enum crypto_hash hash)
{
	union state *state = state_of(ctx);

	crypto_hash_wipe(ctx);
	ctx->hash = hash;
	switch (hash) {
	case CRYPTO_SHA256:
		ctx->live = wc_InitSha256(&state->sha256) == 0;
		break;
	case CRYPTO_SHA384:
		ctx->live = wc_InitSha384(&state->sha384) == 0;
		break;
	case CRYPTO_SHA1:
		ctx->live = wc_InitSha(&state->old.sha1) == 0;
		break;
	case CRYPTO_MD5:
		ctx->live = wc_InitMd5(&state->old.md5) == 0;
		break;
	case CRYPTO_MD5_SHA1:
		ctx->live = wc_InitMd5(&state->old.md5) == 0 && wc_InitSha(&state->old.sha1) == 0;
		break;
	}
	return ctx->live;
}

bool crypto_hash_update(struct crypto_hash_ctx *ctx, const uint8_t *data, size_t len)
{
	union state *state = state_of(ctx);
	const word32 n = (word32)len;

	if (!ctx->live || len > UINT32_MAX) {
		return false;
	}
	if (len == 0) {
		return true;
	}
	switch (ctx->hash) {
	case CRYPTO_SHA256:
		return wc_Sha256Update(&state->sha256, data, n) == 0;
	case CRYPTO_SHA384:
		return wc_Sha384Update(&state->sha384, data, n) == 0;
	case CRYPTO_SHA1:
		return wc_ShaUpdate(&state->old.sha1, data, n) == 0;
	case CRYPTO_MD5:
		return wc_Md5Update(&state->old.md5, data, n) == 0;
	case CRYPTO_MD5_SHA1:
		return wc_Md5Update(&state->old.md5, data, n) == 0 &&
		       wc_ShaUpdate(&state->old.sha1, data, n) == 0;
	}
	return false;
}

bool crypto_hash_peek(struct crypto_hash_ctx *ctx, uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	union state *state = state_of(ctx);

	if (!ctx->live) {
		return false;
	}
	switch (ctx->hash) {
	case CRYPTO_SHA256:
		return wc_Sha256GetHash(&state->sha256, out) == 0;
	case CRYPTO_SHA384:
		return wc_Sha384GetHash(&state->sha384, out) == 0;
	case CRYPTO_SHA1:
		return wc_ShaGetHash(&state->old.sha1, out) == 0;
	case CRYPTO_MD5:
		return wc_Md5GetHash(&state->old.md5, out) == 0;
	case CRYPTO_MD5_SHA1:
		return wc_Md5GetHash(&state->old.md5, out) == 0 &&
		       wc_ShaGetHash(&state->old.sha1, out + WC_MD5_DIGEST_SIZE) == 0;
	}
	return false;
}

bool crypto_hash_copy(struct crypto_hash_ctx *to, struct crypto_hash_ctx *from)
{
	union state *source = state_of(from);
	union state *state = state_of(to);

	memset(to, 0, sizeof(*to));
	if (!from->live) {
		return false;
	}
	to->hash = from->hash;
	switch (from->hash) {
	case CRYPTO_SHA256:
		to->live = wc_Sha256Copy(&source->sha256, &state->sha256) == 0;
		break;
	case CRYPTO_SHA384:
		to->live = wc_Sha384Copy(&source->sha384, &state->sha384) == 0;
		break;
	case CRYPTO_SHA1:
		to->live = wc_ShaCopy(&source->old.sha1, &state->old.sha1) == 0;
		break;
	case CRYPTO_MD5:
		to->live = wc_Md5Copy(&source->old.md5, &state->old.md5) == 0;
		break;
	case CRYPTO_MD5_SHA1:
		to->live = wc_Md5Copy(&source->old.md5, &state->old.md5) == 0 &&
			   wc_ShaCopy(&source->old.sha1, &state->old.sha1) == 0;
		break;
	}
	return to->live;
}

void crypto_hash_wipe(struct crypto_hash_ctx *ctx)
{
	union state *state = state_of(ctx);

	if (ctx->live) {
		switch (ctx->hash) {
		case CRYPTO_SHA256:
			wc_Sha256Free(&state->sha256);
			break;
		case CRYPTO_SHA384:
			wc_Sha384Free(&state->sha384);
			break;
		case CRYPTO_SHA1:
			wc_ShaFree(&state->old.sha1);
			break;
		case CRYPTO_MD5:
			wc_Md5Free(&state->old.md5);
			break;
		case CRYPTO_MD5_SHA1:
			wc_Md5Free(&state->old.md5);
			wc_ShaFree(&state->old.sha1);
			break;
		}
	}
	secret_wipe(ctx, sizeof(*ctx));
}

bool crypto_digest(enum crypto_hash hash, const uint8_t *data, size_t len,
		   uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	struct crypto_hash_ctx ctx = {.live = false};
	bool ok = crypto_hash_init(&ctx, hash) && crypto_hash_update(&ctx, data, len) &&
		  crypto_hash_peek(&ctx, out);

	crypto_hash_wipe(&ctx);
	return ok;
}

/* ---- HMAC and HKDF ---- */

#define MAX_BLOCK_LEN WC_SHA384_BLOCK_SIZE

static size_t block_len(enum crypto_hash hash)
{
	return hash == CRYPTO_SHA384 ? WC_SHA384_BLOCK_SIZE : WC_SHA256_BLOCK_SIZE;
}

/* The digest; ctx is begun anew. */
static bool finish(struct crypto_hash_ctx *ctx, uint8_t *out)
{
	union state *state = state_of(ctx);

	switch (ctx->hash) {
	case CRYPTO_SHA256:
		return wc_Sha256Final(&state->sha256, out) == 0;
	case CRYPTO_SHA384:
		return wc_Sha384Final(&state->sha384, out) == 0;
	case CRYPTO_SHA1:
		return wc_ShaFinal(&state->old.sha1, out) == 0;
	case CRYPTO_MD5:
		return wc_Md5Final(&state->old.md5, out) == 0;
	case CRYPTO_MD5_SHA1:
		break;
	}
	return false;
}

static bool update_with_padded_key(struct crypto_hash_ctx *ctx, uint8_t *block, uint8_t pad)
{
	for (size_t i = 0; i < block_len(ctx->hash); i++) {
		block[i] ^= pad;
	}
	return crypto_hash_update(ctx, block, block_len(ctx->hash));
}

/* RFC 2104 2. Not wolfCrypt's, which takes twice as long and much stack. */
bool crypto_hmac_pieces(enum crypto_hash hash, const uint8_t *key, size_t key_len,
			const struct engine_slice *pieces, size_t n_pieces,
			uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	struct crypto_hash_ctx ctx = {.live = false};
	uint8_t block[MAX_BLOCK_LEN] = {0};
	bool ok = hash != CRYPTO_MD5_SHA1;

	if (ok && key_len > block_len(hash)) {
		ok = crypto_digest(hash, key, key_len, block);
	} else if (ok && key_len != 0) {
		memcpy(block, key, key_len);
	}
	ok = ok && crypto_hash_init(&ctx, hash) && update_with_padded_key(&ctx, block, 0x36);
	for (size_t i = 0; ok && i < n_pieces; i++) {
		ok = crypto_hash_update(&ctx, pieces[i].data, pieces[i].len);
	}
	ok = ok && finish(&ctx, out) && update_with_padded_key(&ctx, block, 0x36 ^ 0x5c) &&
	     crypto_hash_update(&ctx, out, crypto_hash_len(hash)) && finish(&ctx, out);
	crypto_hash_wipe(&ctx);
	secret_wipe(block, sizeof(block));
	secret_wipe_stack();
	return ok;
}

bool crypto_hmac(enum crypto_hash hash, const uint8_t *key, size_t key_len, const uint8_t *data, size_t len,
		 uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	const struct engine_slice piece = {data, len};

	return crypto_hmac_pieces(hash, key, key_len, &piece, 1, out);
}

bool crypto_hkdf_extract(enum crypto_hash hash, const uint8_t *salt, size_t salt_len, const uint8_t *ikm,
			 size_t ikm_len, uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	return crypto_hmac(hash, salt, salt_len, ikm, ikm_len, out);
}

bool crypto_hkdf_expand(enum crypto_hash hash, const uint8_t *prk, size_t prk_len, const uint8_t *info,
			size_t info_len, uint8_t *out, size_t out_len)
{
	size_t hash_len = crypto_hash_len(hash);
	uint8_t block[CRYPTO_MAX_HASH_LEN];
	size_t done = 0;
	uint8_t counter = 0;
	bool ok = out_len <= 255 * hash_len;

	while (ok && done < out_len) {
		size_t take = out_len - done < hash_len ? out_len - done : hash_len;
		const uint8_t number = ++counter;
		const struct engine_slice pieces[] = {
			{block, number == 1 ? 0 : hash_len},
			{info, info_len},
			{&number, 1},
		};

		ok = crypto_hmac_pieces(hash, prk, prk_len, pieces, 3, block);
		if (ok) {
			memcpy(out + done, block, take);
			done += take;
		}
	}
	if (!ok) {
		secret_wipe(out, out_len);
	}
	secret_wipe(block, sizeof(block));
	return ok;
}
