/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key agreement: x25519 and the curves over wolfCrypt.
 */
#include "crypto.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

#include <string.h>

#include "secret.h"

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
