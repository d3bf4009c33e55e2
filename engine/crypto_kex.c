/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key agreement: the table of groups, and x25519. The other kinds are in crypto_ecc.c, crypto_dh.c and
 * crypto_mlkem.c.
 */
#include <wolfssl/options.h>

#include "crypto_kex.h"

#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/ecc.h>

#include <string.h>

#include "cpu.h"
#include "secret.h"

static const struct kex_group groups[] = {
	[CRYPTO_X25519] = {&kex_x25519, X25519_LEN, X25519_LEN, X25519_LEN, 0},
	/* RFC 8446 4.2.8.2: an uncompressed point; 7.4.2: a coordinate */
	[CRYPTO_SECP256R1] = {&kex_ecc, 1 + 2 * 32, 1 + 2 * 32, 32, ECC_SECP256R1},
	[CRYPTO_SECP384R1] = {&kex_ecc, 1 + 2 * 48, 1 + 2 * 48, 48, ECC_SECP384R1},
	[CRYPTO_SECP521R1] = {&kex_ecc, 1 + 2 * 66, 1 + 2 * 66, 66, ECC_SECP521R1},
	/* draft-ietf-tls-ecdhe-mlkem 4.1 to 4.3 */
	[CRYPTO_X25519MLKEM768] = {&kex_x25519mlkem768, 1184 + 32, 1088 + 32, 32 + 32, 0},
	/* RFC 8446 4.2.8.1, 7.4.1: as long as the prime */
	[CRYPTO_FFDHE2048] = {&kex_ffdhe, 256, 256, 256, 0},
	[CRYPTO_FFDHE3072] = {&kex_ffdhe, 384, 384, 384, 0},
	[CRYPTO_FFDHE4096] = {&kex_ffdhe, 512, 512, 512, 0},
};

bool crypto_has_mlkem(void)
{
	return kex_x25519mlkem768.make != NULL;
}

size_t crypto_group_share_len(enum crypto_group group)
{
	return groups[group].share_len;
}

size_t crypto_group_answer_len(enum crypto_group group)
{
	return groups[group].answer_len;
}

static struct crypto_kex *kex_make(enum crypto_group group, const uint8_t *private_key, size_t len,
				   uint8_t *share)
{
	const struct kex_kind *kind = groups[group].kind;
	struct crypto_kex *kex = kind->make != NULL ? engine_alloc(sizeof(*kex)) : NULL;
	bool ok;

	if (kex == NULL) {
		return NULL;
	}
	memset(kex, 0, sizeof(*kex));
	kex->group = &groups[group];
	ok = kind->make(kex, private_key, len, share);
	secret_wipe_stack();
	if (!ok) {
		crypto_kex_free(kex);
		return NULL;
	}
	return kex;
}

struct crypto_kex *crypto_kex_begin(enum crypto_group group, uint8_t share[static CRYPTO_MAX_SHARE_LEN])
{
	return kex_make(group, NULL, 0, share);
}

struct crypto_kex *crypto_kex_import(enum crypto_group group, const uint8_t *private_key, size_t len,
				     uint8_t share[static CRYPTO_MAX_SHARE_LEN])
{
	return kex_make(group, private_key, len, share);
}

void crypto_kex_free(struct crypto_kex *kex)
{
	if (kex != NULL) {
		if (kex->group->kind->free_key != NULL) {
			kex->group->kind->free_key(kex->key);
		}
		secret_wipe(kex, sizeof(*kex));
		engine_release(kex);
	}
}

bool crypto_kex_finish(struct crypto_kex *kex, const uint8_t *peer, size_t peer_len,
		       uint8_t shared[static CRYPTO_MAX_SHARED_LEN], size_t *shared_len)
{
	bool ok = peer_len == kex->group->answer_len && kex->group->kind->finish(kex, peer, shared);

	secret_wipe_stack();
	if (!ok) {
		secret_wipe(shared, CRYPTO_MAX_SHARED_LEN);
		return false;
	}
	*shared_len = kex->group->shared_len;
	return true;
}

/* Groups whose two shares are alike. */
static bool make_and_finish(enum crypto_group group, const uint8_t *peer, uint8_t *share, uint8_t *shared)
{
	struct crypto_kex *kex = kex_make(group, NULL, 0, share);
	bool ok = kex != NULL && kex->group->kind->finish(kex, peer, shared);

	crypto_kex_free(kex);
	return ok;
}

bool crypto_kex_answer(enum crypto_group group, const uint8_t *peer, size_t peer_len,
		       uint8_t share[static CRYPTO_MAX_SHARE_LEN],
		       uint8_t shared[static CRYPTO_MAX_SHARED_LEN], size_t *shared_len)
{
	const struct kex_kind *kind = groups[group].kind;
	bool ok = kind->make != NULL && peer_len == groups[group].share_len;

	if (ok) {
		ok = kind->answer != NULL ? kind->answer(peer, share, shared)
					  : make_and_finish(group, peer, share, shared);
	}
	secret_wipe_stack();
	if (!ok) {
		secret_wipe(shared, CRYPTO_MAX_SHARED_LEN);
		return false;
	}
	*shared_len = groups[group].shared_len;
	return true;
}

/* ---- x25519: RFC 7748 5, 6.1 ---- */

bool x25519_make(uint8_t private_key[static X25519_LEN], const uint8_t *given, uint8_t *share)
{
	if (given != NULL) {
		memcpy(private_key, given, X25519_LEN);
	} else if (!engine_random(private_key, X25519_LEN)) {
		return false;
	}
	/* decodeScalar25519 */
	private_key[0] &= 248;
	private_key[31] &= 127;
	private_key[31] |= 64;
	cpu_clear_upper_vectors();
	return wc_curve25519_make_pub(X25519_LEN, share, X25519_LEN, private_key) == 0;
}

bool x25519_finish(const uint8_t private_key[static X25519_LEN], const uint8_t *peer, uint8_t *shared)
{
	uint8_t point[X25519_LEN];

	memcpy(point, peer, sizeof(point));
	/* the top bit is ignored */
	point[X25519_LEN - 1] &= 0x7f;
	cpu_clear_upper_vectors();
	/* RFC 8446 7.4.2: a secret of zeros is refused */
	return wc_curve25519_generic(X25519_LEN, shared, X25519_LEN, private_key, X25519_LEN, point) == 0 &&
	       !secret_is_zero(shared, X25519_LEN);
}

static bool make(struct crypto_kex *kex, const uint8_t *private_key, size_t len, uint8_t *share)
{
	return (private_key == NULL || len == X25519_LEN) && x25519_make(kex->x25519, private_key, share);
}

static bool finish(struct crypto_kex *kex, const uint8_t *peer, uint8_t *shared)
{
	return x25519_finish(kex->x25519, peer, shared);
}

const struct kex_kind kex_x25519 = {.make = make, .finish = finish};
