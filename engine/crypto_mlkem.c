/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * X25519MLKEM768: a secret that falls only with both ML-KEM-768 (FIPS 203) and x25519.
 * draft-ietf-tls-ecdhe-mlkem 4
 *
 * Implementation notes
 *
 *   ML-KEM comes first in shares and in the secret. wolfCrypt's key is 4 KiB, its working memory 10 KiB:
 *   all on the heap. The encapsulation key that a client sends is checked as FIPS 203 7.2 wants it by
 *   wc_MlKemKey_DecodePublicKey(); a ciphertext of the right length is always taken, a wrong one gives
 *   another secret (6.3).
 */
#include <wolfssl/options.h>

#include "crypto_kex.h"

#ifdef WOLFSSL_HAVE_MLKEM

#include <wolfssl/wolfcrypt/wc_mlkem.h>

#include <string.h>

#include "secret.h"

#define EK_LEN     WC_ML_KEM_768_PUBLIC_KEY_SIZE
#define CT_LEN     WC_ML_KEM_768_CIPHER_TEXT_SIZE
#define SEED_LEN   WC_ML_KEM_MAKEKEY_RAND_SZ
#define SECRET_LEN WC_ML_KEM_SS_SZ

_Static_assert(EK_LEN + X25519_LEN <= CRYPTO_MAX_SHARE_LEN, "CRYPTO_MAX_SHARE_LEN holds the client's share");

static MlKemKey *key_new(void)
{
	MlKemKey *key = engine_alloc(sizeof(*key));

	if (key != NULL && wc_MlKemKey_Init(key, WC_ML_KEM_768, NULL, INVALID_DEVID) != 0) {
		engine_release(key);
		key = NULL;
	}
	return key;
}

static void key_free(void *ptr)
{
	MlKemKey *key = ptr;

	if (key != NULL) {
		wc_MlKemKey_Free(key);
		secret_wipe(key, sizeof(*key));
		engine_release(key);
	}
}

/* private_key: the seeds d and z of FIPS 203 7.1, then x25519's */
static bool make(struct crypto_kex *kex, const uint8_t *private_key, size_t len, uint8_t *share)
{
	MlKemKey *key = kex->key = key_new();
	uint8_t seed[SEED_LEN];
	bool ok = key != NULL;

	if (private_key != NULL) {
		ok = ok && len == SEED_LEN + X25519_LEN;
		if (ok) {
			memcpy(seed, private_key, SEED_LEN);
		}
	} else {
		ok = ok && engine_random(seed, SEED_LEN);
	}
	ok = ok && wc_MlKemKey_MakeKeyWithRandom(key, seed, SEED_LEN) == 0 &&
	     wc_MlKemKey_EncodePublicKey(key, share, EK_LEN) == 0 &&
	     x25519_make(kex->x25519, private_key != NULL ? private_key + SEED_LEN : NULL, share + EK_LEN);
	secret_wipe(seed, sizeof(seed));
	return ok;
}

static bool finish(struct crypto_kex *kex, const uint8_t *peer, uint8_t *shared)
{
	return wc_MlKemKey_Decapsulate(kex->key, shared, peer, CT_LEN) == 0 &&
	       x25519_finish(kex->x25519, peer + CT_LEN, shared + SECRET_LEN);
}

static bool encapsulate(const uint8_t *encapsulation_key, uint8_t *ciphertext, uint8_t *shared)
{
	MlKemKey *key = key_new();
	uint8_t m[WC_ML_KEM_ENC_RAND_SZ];
	bool ok = key != NULL && wc_MlKemKey_DecodePublicKey(key, encapsulation_key, EK_LEN) == 0 &&
		  engine_random(m, sizeof(m)) &&
		  wc_MlKemKey_EncapsulateWithRandom(key, ciphertext, shared, m, sizeof(m)) == 0;

	secret_wipe(m, sizeof(m));
	key_free(key);
	return ok;
}

static bool answer(const uint8_t *peer, uint8_t *share, uint8_t *shared)
{
	uint8_t x25519[X25519_LEN];
	bool ok = encapsulate(peer, share, shared) && x25519_make(x25519, NULL, share + CT_LEN) &&
		  x25519_finish(x25519, peer + EK_LEN, shared + SECRET_LEN);

	secret_wipe(x25519, sizeof(x25519));
	return ok;
}

const struct kex_kind kex_x25519mlkem768 = {
	.make = make, .finish = finish, .answer = answer, .free_key = key_free};

#else

/* The fallback release of wolfSSL has no ML-KEM. */
const struct kex_kind kex_x25519mlkem768 = {.make = NULL};

#endif
