/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primitives and the environment: everything the engine takes from wolfCrypt and from engine_init()'s
 * caller.
 *
 * Outside this file's .c nobody knows how an AEAD, a hash or a key agreement is computed (X.509 has its
 * own corner). All functions return false when a primitive failed; outputs are then wiped or untouched,
 * never half made.
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
/* Where sessions are kept; NULL: nowhere. */
const struct engine_session_store *engine_sessions(void);
/* The environment's ticket keys, the one that seals first; returns how many. The caller wipes them. */
size_t engine_ticket_keys(struct engine_ticket_key keys[static ENGINE_TICKET_KEYS]);
/* The random source of wolfCrypt (CUSTOM_RAND_GENERATE_BLOCK): engine_random() by wolfCrypt's rules, 0 or -1. */
int tlshim_wolfcrypt_random(unsigned char *out, unsigned int len);

/* ---- hashes ---- */

/*
 * MD5 and SHA-1 serve TLS 1.0 and 1.1 and the MAC of CBC suites, nothing else; CRYPTO_MD5_SHA1 is both
 * digests, one behind the other: the transcript hash of TLS 1.0 and 1.1. It has no HMAC.
 */
enum crypto_hash { CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA1, CRYPTO_MD5, CRYPTO_MD5_SHA1 };

#define CRYPTO_MAX_HASH_LEN 48
/* Room for a running hash of any kind. */
#define CRYPTO_HASH_ROOM    512

/* A running hash. Not to be copied by assignment. */
struct crypto_hash_ctx {
	enum crypto_hash hash;
	bool live;
	_Alignas(16) uint8_t room[CRYPTO_HASH_ROOM];
};

/* Bytes of a digest. */
size_t crypto_hash_len(enum crypto_hash hash);
must_check bool crypto_hash_init(struct crypto_hash_ctx *ctx, enum crypto_hash hash);
must_check bool crypto_hash_update(struct crypto_hash_ctx *ctx, const uint8_t *data, size_t len);
/* The digest of what went in so far; ctx runs on. */
must_check bool crypto_hash_peek(struct crypto_hash_ctx *ctx, uint8_t out[static CRYPTO_MAX_HASH_LEN]);
/* Make to, which is not live, run on from where from is. */
must_check bool crypto_hash_copy(struct crypto_hash_ctx *to, struct crypto_hash_ctx *from);
/* Wipe; a ctx of zeros is allowed. */
void crypto_hash_wipe(struct crypto_hash_ctx *ctx);
/* Digest of one piece. */
must_check bool crypto_digest(enum crypto_hash hash, const uint8_t *data, size_t len,
			      uint8_t out[static CRYPTO_MAX_HASH_LEN]);

/* HMAC, RFC 2104; out has crypto_hash_len(hash) bytes. */
must_check bool crypto_hmac(enum crypto_hash hash, const uint8_t *key, size_t key_len, const uint8_t *data,
			    size_t len, uint8_t out[static CRYPTO_MAX_HASH_LEN]);
/* The same over pieces of data, one behind the other. */
must_check bool crypto_hmac_pieces(enum crypto_hash hash, const uint8_t *key, size_t key_len,
				   const struct engine_slice *pieces, size_t n_pieces,
				   uint8_t out[static CRYPTO_MAX_HASH_LEN]);
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
 * The same for a text in pieces, with a tail behind the last one; out overlaps none of them. Long texts
 * in one piece are not copied first.
 */
must_check bool crypto_aead_seal_pieces(struct crypto_aead_ctx *ctx,
					const uint8_t nonce[static CRYPTO_AEAD_NONCE_LEN],
					const uint8_t *aad, size_t aad_len, const struct engine_slice *pieces,
					size_t n_pieces, const uint8_t *tail, size_t tail_len, uint8_t *out);
/*
 * in has len bytes of ciphertext and a tag behind them; out gets len bytes, same place or no overlap.
 * False if the tag is wrong: out[0..len) is then wiped.
 */
must_check bool crypto_aead_open(struct crypto_aead_ctx *ctx,
				 const uint8_t nonce[static CRYPTO_AEAD_NONCE_LEN], const uint8_t *aad,
				 size_t aad_len, const uint8_t *in, size_t len, uint8_t *out);
/* Forget the key. */
void crypto_aead_wipe(struct crypto_aead_ctx *ctx);
void crypto_aead_free(struct crypto_aead_ctx *ctx);

/* ---- CBC and what checks its padding in constant time ---- */

#define CRYPTO_CBC_BLOCK_LEN 16

/* AES in CBC mode, one direction; heap, process-private. */
struct crypto_cbc_ctx;
struct crypto_cbc_ctx *crypto_cbc_new(void);
/* key_len: 16 or 32. */
must_check bool crypto_cbc_set_key(struct crypto_cbc_ctx *ctx, bool encrypt, const uint8_t *key,
				   size_t key_len);
/* len is a multiple of the block; in and out are the same or do not overlap. */
must_check bool crypto_cbc_encrypt(struct crypto_cbc_ctx *ctx, const uint8_t iv[static CRYPTO_CBC_BLOCK_LEN],
				   const uint8_t *in, size_t len, uint8_t *out);
must_check bool crypto_cbc_decrypt(struct crypto_cbc_ctx *ctx, const uint8_t iv[static CRYPTO_CBC_BLOCK_LEN],
				   const uint8_t *in, size_t len, uint8_t *out);
void crypto_cbc_wipe(struct crypto_cbc_ctx *ctx);
void crypto_cbc_free(struct crypto_cbc_ctx *ctx);

/*
 * ct: HMAC over head[0..head_len) and data[0..len) where len is secret: time and memory access depend on
 * head_len and max_len alone. data has max_len readable bytes, len <= max_len. hash: SHA1, SHA256 or
 * SHA384.
 */
must_check bool crypto_hmac_ct(enum crypto_hash hash, const uint8_t *key, size_t key_len, const uint8_t *head,
			       size_t head_len, const uint8_t *data, size_t len, size_t max_len,
			       uint8_t out[static CRYPTO_MAX_HASH_LEN]);

/* ---- key agreement ---- */

/* CRYPTO_X25519MLKEM768 is there only if crypto_has_mlkem(): the fallback release of wolfSSL lacks it. */
enum crypto_group {
	CRYPTO_X25519,
	CRYPTO_SECP256R1,
	CRYPTO_SECP384R1,
	CRYPTO_SECP521R1,
	CRYPTO_X25519MLKEM768,
	CRYPTO_FFDHE2048,
	CRYPTO_FFDHE3072,
	CRYPTO_FFDHE4096,
};
bool crypto_has_mlkem(void);

#define CRYPTO_MAX_SHARE_LEN  1216 /* X25519MLKEM768: 1184 + 32 from the client, 1088 + 32 back */
#define CRYPTO_MAX_SHARED_LEN 512  /* ffdhe4096; 64 for X25519MLKEM768, 32 to 66 for curves */
#define CRYPTO_MAX_DH_LEN     512

/* Our half of a key agreement that the peer has yet to answer; heap. */
struct crypto_kex;

/* Bytes of a share of this group on the wire: the client's, and the server's (which differ for KEMs only). */
size_t crypto_group_share_len(enum crypto_group group);
size_t crypto_group_answer_len(enum crypto_group group);
/*
 * First half (client): make a key pair; share gets crypto_group_share_len() bytes. NULL on failure.
 * RFC 8446 4.2.8
 */
struct crypto_kex *crypto_kex_begin(enum crypto_group group, uint8_t share[static CRYPTO_MAX_SHARE_LEN]);
/*
 * Second half (server): answer the peer's share with our own and compute the secret. False if the peer's
 * share is no point of the curve, has the wrong length or gives an all-zero secret (RFC 8446 7.4.2), or
 * on failure. FFDHE: the share is checked against RFC 8446 4.2.8.1; in TLS 1.3 the secret keeps its
 * leading zeros (7.4.1), which TLS 1.2 strips itself (RFC 5246 8.1.2), as it puts those in front of a short
 * share. The hybrid: also false if the encapsulation key is none (FIPS 203 7.2).
 */
must_check bool crypto_kex_answer(enum crypto_group group, const uint8_t *peer, size_t peer_len,
				  uint8_t share[static CRYPTO_MAX_SHARE_LEN],
				  uint8_t shared[static CRYPTO_MAX_SHARED_LEN], size_t *shared_len);
/* Third half (client): compute the secret from the peer's answer. False as above. */
must_check bool crypto_kex_finish(struct crypto_kex *kex, const uint8_t *peer, size_t peer_len,
				  uint8_t shared[static CRYPTO_MAX_SHARED_LEN], size_t *shared_len);
/* Wipe and free; NULL is allowed. */
void crypto_kex_free(struct crypto_kex *kex);
/* The prime of an FFDHE group, big-endian: crypto_group_share_len() bytes; its generator is 2.  RFC 7919 A */
const uint8_t *crypto_ffdhe_prime(enum crypto_group group);
/*
 * DHE of TLS 1.2 with the server's own parameters (client): checks that p is odd and 2048 to 4096 bits
 * long, g and the peer's share in 2..p-2; makes a key pair; share gets p_len bytes, shared *shared_len
 * bytes without leading zeros.
 */
must_check bool crypto_dh_answer(const uint8_t *p, size_t p_len, const uint8_t *g, size_t g_len,
				 const uint8_t *peer, size_t peer_len,
				 uint8_t share[static CRYPTO_MAX_DH_LEN],
				 uint8_t shared[static CRYPTO_MAX_SHARED_LEN], size_t *shared_len);
/*
 * For tests with published vectors: a key pair from its private key, big-endian for curves (as long as a
 * coordinate) and FFDHE, as in RFC 7748 for x25519, seeds d || z (FIPS 203 7.1) and x25519's for the
 * hybrid. share as for crypto_kex_begin(). NULL on failure.
 */
struct crypto_kex *crypto_kex_import(enum crypto_group group, const uint8_t *private_key, size_t len,
				     uint8_t share[static CRYPTO_MAX_SHARE_LEN]);

#endif
