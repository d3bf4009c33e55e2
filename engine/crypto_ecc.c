/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key agreement on the curves P-256, P-384 and P-521.  RFC 8446 4.2.8.2, 7.4.2
 *
 * Implementation notes
 *
 *   wolfCrypt's keys are 4 KiB each: they live on the heap, and only while needed.
 */
#include <wolfssl/options.h>

#include "crypto_kex.h"

#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

#include "cpu.h"
#include "secret.h"

static ecc_key *key_new(void)
{
	ecc_key *key = engine_alloc(sizeof(*key));

	if (key != NULL && wc_ecc_init(key) != 0) {
		engine_release(key);
		key = NULL;
	}
	return key;
}

static void key_free(void *ptr)
{
	ecc_key *key = ptr;

	if (key != NULL) {
		wc_ecc_free(key);
		secret_wipe(key, sizeof(*key));
		engine_release(key);
	}
}

static bool generate(ecc_key *key, const struct kex_group *group)
{
	WC_RNG rng;
	bool ok;

	if (wc_InitRng(&rng) != 0) {
		return false;
	}
	ok = wc_ecc_make_key_ex(&rng, (int)group->shared_len, key, group->id) == 0;
	return wc_FreeRng(&rng) == 0 && ok;
}

static bool import(ecc_key *key, const struct kex_group *group, const uint8_t *private_key, size_t len)
{
	return len == group->shared_len &&
	       wc_ecc_import_private_key_ex(private_key, (word32)len, NULL, 0, key, group->id) == 0 &&
	       wc_ecc_make_pub(key, NULL) == 0;
}

/*
 * RFC 8446 4.2.8.2: only uncompressed points, with coordinates in the field, and on the curve. The curves
 * have prime order, so such a point is of that order: wc_ecc_import_x963() would multiply by it once
 * more, at the price of a key agreement.
 */
static bool import_point(ecc_key *key, const struct kex_group *group, const uint8_t *point)
{
	const int index = wc_ecc_get_curve_idx(group->id);

	key->type = ECC_PUBLICKEY;
	return point[0] == 4 && wc_ecc_set_curve(key, 0, group->id) == 0 &&
	       wc_ecc_import_point_der_ex(point, (word32)group->answer_len, index, &key->pubkey, 1) == 0 &&
	       wc_ecc_point_is_on_curve(&key->pubkey, index) == 0;
}

static bool make(struct crypto_kex *kex, const uint8_t *private_key, size_t len, uint8_t *share)
{
	ecc_key *key = kex->key = key_new();
	word32 share_len = CRYPTO_MAX_SHARE_LEN;
	bool ok = key != NULL && (private_key != NULL ? import(key, kex->group, private_key, len)
						      : generate(key, kex->group));

	cpu_clear_upper_vectors();
	return ok && wc_ecc_export_x963(key, share, &share_len) == 0 && share_len == kex->group->share_len;
}

static bool finish(struct crypto_kex *kex, const uint8_t *peer, uint8_t *shared)
{
	const struct kex_group *group = kex->group;
	ecc_key *key = kex->key, *peer_key = key_new();
	word32 len = CRYPTO_MAX_SHARED_LEN;
	WC_RNG rng;
	bool ok;

	if (peer_key == NULL || wc_InitRng(&rng) != 0) {
		key_free(peer_key);
		return false;
	}
	ok = import_point(peer_key, group, peer) && wc_ecc_set_rng(key, &rng) == 0 &&
	     wc_ecc_shared_secret(key, peer_key, shared, &len) == 0 && len == group->shared_len;
	cpu_clear_upper_vectors();
	ok = wc_FreeRng(&rng) == 0 && ok;
	key_free(peer_key);
	return ok;
}

const struct kex_kind kex_ecc = {.make = make, .finish = finish, .free_key = key_free};
