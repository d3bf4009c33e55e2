/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primitives over wolfCrypt, and the environment that engine_init() was given.
 *
 * Implementation notes
 *
 *   The environment is the one global of the engine: written once by engine_init() and only read after.
 *   Every return code of wolfCrypt is checked. wolfCrypt's random source is our own (no DRBG state to survive a
 *   fork), and its memory comes from the environment. engine_env.alloc must align like malloc, to 16 bytes.
 *   Constant time: AES-GCM and ChaCha20-Poly1305, X25519 and the curves run in wolfCrypt's timing-resistant code
 *   (AES-NI, SP assembly); nothing here branches on or indexes by a secret.
 */
#include "crypto.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/memory.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/sha256.h>
#include <wolfssl/wolfcrypt/sha512.h>
#include <wolfssl/wolfcrypt/wc_port.h>

#include <stdlib.h>
#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "secret.h"

static struct engine_env environment;

/* ---- environment ---- */

void *engine_alloc(size_t size)
{
	return environment.alloc != NULL ? environment.alloc(size) : malloc(size);
}

void engine_release(void *ptr)
{
	if (ptr == NULL) {
		return;
	}
	if (environment.release != NULL) {
		environment.release(ptr);
	} else {
		free(ptr);
	}
}

static void *engine_resize(void *ptr, size_t size)
{
	return environment.resize != NULL ? environment.resize(ptr, size) : realloc(ptr, size);
}

bool engine_random(uint8_t *out, size_t len)
{
	return environment.random != NULL && environment.random(out, len);
}

int64_t engine_now(void)
{
	return environment.now();
}

int tlshim_wolfcrypt_random(unsigned char *out, unsigned int len)
{
	return engine_random(out, len) ? 0 : -1;
}

/* SHA-256 and AES-128-GCM with known answers, and a random source that answers. */
static bool self_test(void)
{
	/* FIPS 180-2 B.1: SHA-256 of "abc" */
	static const uint8_t abc_digest[32] = {
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
		0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
		0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
	};
	/* AES-GCM test case 2 of the GCM specification: zero key, zero nonce, one zero block */
	static const uint8_t gcm_answer[32] = {
		0x03, 0x88, 0xda, 0xce, 0x60, 0xb6, 0xa3, 0x92, 0xf3, 0x28, 0xc2,
		0xb9, 0x71, 0xb2, 0xfe, 0x78, 0xab, 0x6e, 0x47, 0xd4, 0x2c, 0xec,
		0x13, 0xbd, 0xf5, 0x3a, 0x67, 0xb2, 0x12, 0x57, 0xbd, 0xdf,
	};
	static const uint8_t zeros[16];
	uint8_t digest[CRYPTO_MAX_HASH_LEN];
	uint8_t sealed[32];
	struct crypto_aead_ctx *aead = crypto_aead_new();
	bool ok;

	ok = aead != NULL && crypto_digest(CRYPTO_SHA256, (const uint8_t *)"abc", 3, digest) &&
	     memcmp(digest, abc_digest, sizeof(abc_digest)) == 0 &&
	     crypto_aead_set_key(aead, CRYPTO_AES_128_GCM, zeros) &&
	     crypto_aead_seal(aead, zeros, zeros, 0, zeros, sizeof(zeros), sealed) &&
	     memcmp(sealed, gcm_answer, sizeof(gcm_answer)) == 0 && engine_random(digest, sizeof(digest));
	crypto_aead_free(aead);
	return ok;
}

bool engine_init(const struct engine_env *env)
{
	if (env->random == NULL || env->now == NULL) {
		return false;
	}
	/* all or none: memory from one allocator cannot go back to another */
	if ((env->alloc == NULL) != (env->release == NULL) || (env->alloc == NULL) != (env->resize == NULL)) {
		return false;
	}
	environment = *env;
	return wolfSSL_SetAllocators(engine_alloc, engine_release, engine_resize) == 0 &&
	       wolfCrypt_Init() == 0 && self_test();
}

/* ---- hashes ---- */

_Static_assert(sizeof(wc_Sha256) <= CRYPTO_HASH_ROOM, "CRYPTO_HASH_ROOM holds a SHA-256");
_Static_assert(sizeof(wc_Sha384) <= CRYPTO_HASH_ROOM, "CRYPTO_HASH_ROOM holds a SHA-384");

static wc_Sha256 *as_sha256(struct crypto_hash_ctx *ctx)
{
	return (wc_Sha256 *)(void *)ctx->room;
}

static wc_Sha384 *as_sha384(struct crypto_hash_ctx *ctx)
{
	return (wc_Sha384 *)(void *)ctx->room;
}

size_t crypto_hash_len(enum crypto_hash hash)
{
	return hash == CRYPTO_SHA256 ? WC_SHA256_DIGEST_SIZE : WC_SHA384_DIGEST_SIZE;
}

bool crypto_hash_init(struct crypto_hash_ctx *ctx, enum crypto_hash hash)
{
	crypto_hash_wipe(ctx);
	ctx->hash = hash;
	if (hash == CRYPTO_SHA256) {
		ctx->live = wc_InitSha256(as_sha256(ctx)) == 0;
	} else {
		ctx->live = wc_InitSha384(as_sha384(ctx)) == 0;
	}
	return ctx->live;
}

bool crypto_hash_update(struct crypto_hash_ctx *ctx, const uint8_t *data, size_t len)
{
	if (!ctx->live || len > UINT32_MAX) {
		return false;
	}
	if (len == 0) {
		return true;
	}
	if (ctx->hash == CRYPTO_SHA256) {
		return wc_Sha256Update(as_sha256(ctx), data, (word32)len) == 0;
	}
	return wc_Sha384Update(as_sha384(ctx), data, (word32)len) == 0;
}

bool crypto_hash_peek(struct crypto_hash_ctx *ctx, uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	if (!ctx->live) {
		return false;
	}
	if (ctx->hash == CRYPTO_SHA256) {
		return wc_Sha256GetHash(as_sha256(ctx), out) == 0;
	}
	return wc_Sha384GetHash(as_sha384(ctx), out) == 0;
}

void crypto_hash_wipe(struct crypto_hash_ctx *ctx)
{
	if (ctx->live) {
		if (ctx->hash == CRYPTO_SHA256) {
			wc_Sha256Free(as_sha256(ctx));
		} else {
			wc_Sha384Free(as_sha384(ctx));
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

bool crypto_hmac_pieces(enum crypto_hash hash, const uint8_t *key, size_t key_len,
			const struct engine_slice *pieces, size_t n_pieces,
			uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	/* wolfCrypt insists on a key, HMAC does not: an empty one is padded with zeros anyway */
	static const uint8_t zero_key[1];
	Hmac hmac;
	bool ok;

	if (key_len > UINT32_MAX || wc_HmacInit(&hmac, NULL, INVALID_DEVID) != 0) {
		return false;
	}
	ok = wc_HmacSetKey(&hmac, hash == CRYPTO_SHA256 ? WC_SHA256 : WC_SHA384,
			   key_len == 0 ? zero_key : key,
			   key_len == 0 ? (word32)sizeof(zero_key) : (word32)key_len) == 0;
	for (size_t i = 0; ok && i < n_pieces; i++) {
		if (pieces[i].len != 0) {
			ok = pieces[i].len <= UINT32_MAX &&
			     wc_HmacUpdate(&hmac, pieces[i].data, (word32)pieces[i].len) == 0;
		}
	}
	ok = ok && wc_HmacFinal(&hmac, out) == 0;
	wc_HmacFree(&hmac);
	secret_wipe(&hmac, sizeof(hmac));
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

/* ---- authenticated encryption ---- */

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
	if (wc_AesGcmSetKey(&ctx->aes, key, (word32)crypto_aead_key_len(aead)) != 0) {
		crypto_aead_wipe(ctx);
		return false;
	}
	return true;
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

bool crypto_aead_open(struct crypto_aead_ctx *ctx, const uint8_t nonce[static CRYPTO_AEAD_NONCE_LEN],
		      const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len, uint8_t *out)
{
	bool ok = ctx->live && len <= UINT32_MAX && aad_len <= UINT32_MAX;

	if (ok && ctx->aead == CRYPTO_CHACHA20_POLY1305) {
		ok = wc_ChaCha20Poly1305_Decrypt(ctx->chacha_key, nonce, aad, (word32)aad_len, in,
						 (word32)len, in + len, out) == 0;
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

bool crypto_has_aes_hardware(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
	return (getauxval(AT_HWCAP) & (1UL << 3)) != 0; /* HWCAP_AES */
#else
	return false;
#endif
}

/* ---- key agreement ---- */

/*
 * x25519 keeps its 32 bytes here; a curve's key is a wolfCrypt object. Both halves of an agreement on a curve need
 * one, which are 4 KiB each: they live on the heap and only while needed.
 */
struct crypto_kex {
	enum crypto_group group;
	uint8_t x25519[CURVE25519_KEYSIZE];
	ecc_key *ecc;
};

struct curve {
	int id;
	int len; /* of a coordinate */
};

static struct curve curve_of(enum crypto_group group)
{
	return group == CRYPTO_SECP256R1 ? (struct curve){ECC_SECP256R1, 32}
					 : (struct curve){ECC_SECP384R1, 48};
}

bool crypto_has_mlkem(void)
{
	return false;
}

size_t crypto_group_share_len(enum crypto_group group)
{
	return group == CRYPTO_X25519 ? CURVE25519_KEYSIZE : 1 + 2 * (size_t)curve_of(group).len;
}

static ecc_key *ecc_new(void)
{
	ecc_key *key = engine_alloc(sizeof(*key));

	if (key != NULL && wc_ecc_init(key) != 0) {
		engine_release(key);
		key = NULL;
	}
	return key;
}

static void ecc_release(ecc_key *key)
{
	if (key != NULL) {
		wc_ecc_free(key);
		secret_wipe(key, sizeof(*key));
		engine_release(key);
	}
}

/*
 * Clear the upper halves of the vector registers, which wolfSSL's SP code leaves dirty. Two things stumble over that:
 * curve25519_base_avx2() of 5.9.2 takes them for zero in fe_invert_nct_avx2(), so that every second key share made
 * behind a P-384 operation is wrong; and SHA-256 by SHA instructions becomes many times slower.
 */
static void settle_vectors(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx")) {
		__asm__ volatile("vzeroupper" ::: "memory");
	}
#endif
}

static struct crypto_kex *kex_new(enum crypto_group group)
{
	struct crypto_kex *kex = engine_alloc(sizeof(*kex));

	if (kex == NULL) {
		return NULL;
	}
	memset(kex, 0, sizeof(*kex));
	kex->group = group;
	if (group != CRYPTO_X25519) {
		kex->ecc = ecc_new();
		if (kex->ecc == NULL) {
			engine_release(kex);
			return NULL;
		}
	}
	return kex;
}

void crypto_kex_free(struct crypto_kex *kex)
{
	if (kex != NULL) {
		ecc_release(kex->ecc);
		secret_wipe(kex, sizeof(*kex));
		engine_release(kex);
	}
}

/* Write the public half to share. */
static bool kex_export(struct crypto_kex *kex, uint8_t share[static CRYPTO_MAX_SHARE_LEN])
{
	word32 len = CRYPTO_MAX_SHARE_LEN;

	if (kex->group == CRYPTO_X25519) {
		settle_vectors();
		return wc_curve25519_make_pub(CURVE25519_KEYSIZE, share, CURVE25519_KEYSIZE, kex->x25519) ==
		       0;
	}
	return wc_ecc_export_x963(kex->ecc, share, &len) == 0 && len == crypto_group_share_len(kex->group);
}

struct crypto_kex *crypto_kex_begin(enum crypto_group group, uint8_t share[static CRYPTO_MAX_SHARE_LEN])
{
	struct crypto_kex *kex = kex_new(group);
	WC_RNG rng;
	bool ok;

	if (kex == NULL || wc_InitRng(&rng) != 0) {
		crypto_kex_free(kex);
		return NULL;
	}
	if (group == CRYPTO_X25519) {
		ok = wc_curve25519_make_priv(&rng, CURVE25519_KEYSIZE, kex->x25519) == 0;
	} else {
		ok = wc_ecc_make_key_ex(&rng, curve_of(group).len, kex->ecc, curve_of(group).id) == 0;
		settle_vectors();
	}
	ok = ok && kex_export(kex, share);
	ok = wc_FreeRng(&rng) == 0 && ok;
	if (!ok) {
		crypto_kex_free(kex);
		return NULL;
	}
	return kex;
}

struct crypto_kex *crypto_kex_import(enum crypto_group group, const uint8_t *private_key, size_t len,
				     uint8_t share[static CRYPTO_MAX_SHARE_LEN])
{
	struct crypto_kex *kex = kex_new(group);
	bool ok = kex != NULL &&
		  len == (group == CRYPTO_X25519 ? CURVE25519_KEYSIZE : (size_t)curve_of(group).len);

	if (ok && group == CRYPTO_X25519) {
		memcpy(kex->x25519, private_key, len);
		/* RFC 7748 5: decodeScalar25519 */
		kex->x25519[0] &= 248;
		kex->x25519[31] &= 127;
		kex->x25519[31] |= 64;
	} else if (ok) {
		ok = wc_ecc_import_private_key_ex(private_key, (word32)len, NULL, 0, kex->ecc,
						  curve_of(group).id) == 0 &&
		     wc_ecc_make_pub(kex->ecc, NULL) == 0;
	}
	if (!ok || !kex_export(kex, share)) {
		crypto_kex_free(kex);
		return NULL;
	}
	return kex;
}

/* RFC 7748 6.1, RFC 8446 7.4.2 */
static bool x25519_shared(const struct crypto_kex *kex, const uint8_t *peer, uint8_t *shared)
{
	uint8_t point[CURVE25519_KEYSIZE];

	memcpy(point, peer, sizeof(point));
	/* RFC 7748 5: the top bit is ignored */
	point[CURVE25519_KEYSIZE - 1] &= 0x7f;
	return wc_curve25519_generic(CURVE25519_KEYSIZE, shared, CURVE25519_KEYSIZE, kex->x25519,
				     CURVE25519_KEYSIZE, point) == 0 &&
	       !secret_is_zero(shared, CURVE25519_KEYSIZE);
}

/* RFC 8446 7.4.2: the shared secret is the x-coordinate; 4.2.8.2: only uncompressed points, on the curve. */
static bool ecc_shared(struct crypto_kex *kex, const uint8_t *peer, size_t peer_len, uint8_t *shared)
{
	const struct curve curve = curve_of(kex->group);
	ecc_key *peer_key = ecc_new();
	word32 len = CRYPTO_MAX_SHARED_LEN;
	WC_RNG rng;
	bool ok;

	if (peer_key == NULL || wc_InitRng(&rng) != 0) {
		ecc_release(peer_key);
		return false;
	}
	ok = peer[0] == 4 && wc_ecc_import_x963_ex2(peer, (word32)peer_len, peer_key, curve.id, 1) == 0 &&
	     wc_ecc_set_rng(kex->ecc, &rng) == 0 &&
	     wc_ecc_shared_secret(kex->ecc, peer_key, shared, &len) == 0 && len == (word32)curve.len;
	settle_vectors();
	ok = wc_FreeRng(&rng) == 0 && ok;
	ecc_release(peer_key);
	return ok;
}

bool crypto_kex_finish(struct crypto_kex *kex, const uint8_t *peer, size_t peer_len,
		       uint8_t shared[static CRYPTO_MAX_SHARED_LEN], size_t *shared_len)
{
	bool ok = peer_len == crypto_group_share_len(kex->group);

	if (ok && kex->group == CRYPTO_X25519) {
		ok = x25519_shared(kex, peer, shared);
		*shared_len = CURVE25519_KEYSIZE;
	} else if (ok) {
		ok = ecc_shared(kex, peer, peer_len, shared);
		*shared_len = (size_t)curve_of(kex->group).len;
	}
	if (!ok) {
		secret_wipe(shared, CRYPTO_MAX_SHARED_LEN);
	}
	return ok;
}

bool crypto_kex_answer(enum crypto_group group, const uint8_t *peer, size_t peer_len,
		       uint8_t share[static CRYPTO_MAX_SHARE_LEN],
		       uint8_t shared[static CRYPTO_MAX_SHARED_LEN], size_t *shared_len)
{
	struct crypto_kex *kex;
	bool ok;

	if (peer_len != crypto_group_share_len(group)) {
		return false;
	}
	kex = crypto_kex_begin(group, share);
	ok = kex != NULL && crypto_kex_finish(kex, peer, peer_len, shared, shared_len);
	crypto_kex_free(kex);
	return ok;
}
