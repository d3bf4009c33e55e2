/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primitives and the environment: everything the engine takes from wolfCrypt and from engine_init()'s caller.
 *
 * Outside this file's .c nobody knows how an AEAD, a hash or a key agreement is computed (X.509 has its own corner).
 * All functions return false when a primitive failed; outputs are then wiped or untouched, never half made.
 */
#ifndef ENGINE_CRYPTO_H
#define ENGINE_CRYPTO_H

#include "engine.h"

/* ---- environment, as given to engine_init() ---- */

/* Memory from the environment; contents undefined. NULL if out of memory. */
void *engine_alloc(size_t size);
/* Give back; NULL is allowed. The caller wipes secrets first. */
void engine_release(void *ptr);
/* Fill out[0..len) with random bytes fit for keys. False when there are none: the caller must fail. */
must_check bool engine_random(uint8_t *out, size_t len);
/* Seconds since 1970-01-01 UTC. */
int64_t engine_now(void);
/* The random source of wolfCrypt (CUSTOM_RAND_GENERATE_BLOCK): engine_random() under wolfCrypt's convention, 0 or -1. */
int tlshim_wolfcrypt_random(unsigned char *out, unsigned int len);

/* ---- hashes ---- */

enum crypto_hash { CRYPTO_SHA256, CRYPTO_SHA384 };

#define CRYPTO_MAX_HASH_LEN 48
/* Room for a running hash of any kind. */
#define CRYPTO_HASH_ROOM    512

/* A running hash. Not to be copied by assignment. */
struct crypto_hash_ctx {
	enum crypto_hash hash;
	bool live;
	_Alignas(16) uint8_t room[CRYPTO_HASH_ROOM];
};

/* Bytes of a digest: 32 or 48. */
size_t crypto_hash_len(enum crypto_hash hash);
must_check bool crypto_hash_init(struct crypto_hash_ctx *ctx, enum crypto_hash hash);
must_check bool crypto_hash_update(struct crypto_hash_ctx *ctx, const uint8_t *data, size_t len);
/* The digest of what went in so far; ctx runs on. */
must_check bool crypto_hash_peek(struct crypto_hash_ctx *ctx, uint8_t out[static CRYPTO_MAX_HASH_LEN]);
/* Wipe; a ctx of zeros is allowed. */
void crypto_hash_wipe(struct crypto_hash_ctx *ctx);
/* Digest of one piece. */
must_check bool crypto_digest(enum crypto_hash hash, const uint8_t *data, size_t len,
			      uint8_t out[static CRYPTO_MAX_HASH_LEN]);

/* HMAC, RFC 2104; out has crypto_hash_len(hash) bytes. */
must_check bool crypto_hmac(enum crypto_hash hash, const uint8_t *key, size_t key_len, const uint8_t *data,
			    size_t len, uint8_t out[static CRYPTO_MAX_HASH_LEN]);
/* HKDF-Extract, RFC 5869 2.2. salt may be NULL with 0: a string of zeros. */
must_check bool crypto_hkdf_extract(enum crypto_hash hash, const uint8_t *salt, size_t salt_len,
				    const uint8_t *ikm, size_t ikm_len,
				    uint8_t out[static CRYPTO_MAX_HASH_LEN]);
/* HKDF-Expand, RFC 5869 2.3. */
must_check bool crypto_hkdf_expand(enum crypto_hash hash, const uint8_t *prk, size_t prk_len,
				   const uint8_t *info, size_t info_len, uint8_t *out, size_t out_len);

/* ---- authenticated encryption ---- */

enum crypto_aead { CRYPTO_AES_128_GCM, CRYPTO_AES_256_GCM, CRYPTO_CHACHA20_POLY1305 };

#define CRYPTO_AEAD_TAG_LEN   16
#define CRYPTO_AEAD_NONCE_LEN 12
#define CRYPTO_MAX_KEY_LEN    32

/* An expanded key; heap, process-private. */
struct crypto_aead_ctx;

size_t crypto_aead_key_len(enum crypto_aead aead);
/* A context without a key; NULL if out of memory. */
struct crypto_aead_ctx *crypto_aead_new(void);
/* Expand key for aead, whatever the context held before. */
must_check bool crypto_aead_set_key(struct crypto_aead_ctx *ctx, enum crypto_aead aead, const uint8_t *key);
/* in and out are the same or do not overlap; out gets len + CRYPTO_AEAD_TAG_LEN bytes. */
must_check bool crypto_aead_seal(struct crypto_aead_ctx *ctx,
				 const uint8_t nonce[static CRYPTO_AEAD_NONCE_LEN], const uint8_t *aad,
				 size_t aad_len, const uint8_t *in, size_t len, uint8_t *out);
/*
 * in has len bytes of ciphertext and a tag behind them; out gets len bytes, same place or no overlap. False if the
 * tag is wrong: out[0..len) is then wiped.
 */
must_check bool crypto_aead_open(struct crypto_aead_ctx *ctx,
				 const uint8_t nonce[static CRYPTO_AEAD_NONCE_LEN], const uint8_t *aad,
				 size_t aad_len, const uint8_t *in, size_t len, uint8_t *out);
/* Forget the key. */
void crypto_aead_wipe(struct crypto_aead_ctx *ctx);
void crypto_aead_free(struct crypto_aead_ctx *ctx);
/* True if the processor has AES instructions that wolfCrypt uses. */
bool crypto_has_aes_hardware(void);

/* ---- key agreement ---- */

enum crypto_group { CRYPTO_X25519, CRYPTO_SECP256R1, CRYPTO_SECP384R1 };

#define CRYPTO_MAX_SHARE_LEN  97
#define CRYPTO_MAX_SHARED_LEN 48

/* Our half of a key agreement that the peer has yet to answer; heap. */
struct crypto_kex;

/* Bytes of a share of this group on the wire, both ways. */
size_t crypto_group_share_len(enum crypto_group group);
/*
 * First half (client): make a key pair; share gets crypto_group_share_len() bytes. NULL on failure.
 * RFC 8446 4.2.8
 */
struct crypto_kex *crypto_kex_begin(enum crypto_group group, uint8_t share[static CRYPTO_MAX_SHARE_LEN]);
/*
 * Second half (server): answer the peer's share with our own and compute the secret. False if the peer's share is no
 * point of the curve, has the wrong length or gives an all-zero secret (RFC 8446 7.4.2), or on failure.
 */
must_check bool crypto_kex_answer(enum crypto_group group, const uint8_t *peer, size_t peer_len,
				  uint8_t share[static CRYPTO_MAX_SHARE_LEN],
				  uint8_t shared[static CRYPTO_MAX_SHARED_LEN], size_t *shared_len);
/* Third half (client): compute the secret from the peer's answer. False as above. */
must_check bool crypto_kex_finish(struct crypto_kex *kex, const uint8_t *peer, size_t peer_len,
				  uint8_t shared[static CRYPTO_MAX_SHARED_LEN], size_t *shared_len);
/* Wipe and free; NULL is allowed. */
void crypto_kex_free(struct crypto_kex *kex);
/*
 * For tests with published vectors: a key pair from its private key, big-endian for the curves, as in RFC 7748 for
 * x25519. share as for crypto_kex_begin(). NULL on failure.
 */
struct crypto_kex *crypto_kex_import(enum crypto_group group, const uint8_t *private_key, size_t len,
				     uint8_t share[static CRYPTO_MAX_SHARE_LEN]);

#endif
