/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between crypto_kex.c and the kinds of key agreement: what each of them does for its groups.
 */
#ifndef ENGINE_CRYPTO_KEX_H
#define ENGINE_CRYPTO_KEX_H

#include "crypto.h"

#define X25519_LEN       32
/* Room for the exponents of FFDHE groups, which are shorter than their primes. */
#define MAX_EXPONENT_LEN 44

struct crypto_kex {
	const struct kex_group *group;
	uint8_t x25519[X25519_LEN];         /* private key: x25519 and the half of a hybrid */
	uint8_t exponent[MAX_EXPONENT_LEN]; /* private key: FFDHE */
	void *key;                          /* an object of wolfCrypt's: curves, ML-KEM */
};

struct kex_group {
	const struct kex_kind *kind;
	size_t share_len, answer_len, shared_len;
	int id; /* wolfCrypt's number of a curve */
};

/*
 * Shares have the group's lengths, which crypto_kex.c has checked. false: failed, or the peer's share is
 * bad; what is in shared is then wiped by the caller.
 */
struct kex_kind {
	/*
	 * Make a key pair; private_key is NULL, or given as for crypto_kex_import(). A kex->key made before
	 * failing is freed by the caller. NULL: wolfCrypt lacks this kind.
	 */
	bool (*make)(struct crypto_kex *kex, const uint8_t *private_key, size_t len, uint8_t *share);
	/* Secret from our private key and the peer's answer. */
	bool (*finish)(struct crypto_kex *kex, const uint8_t *peer, uint8_t *shared);
	/* Answer a share; NULL: make and finish. */
	bool (*answer)(const uint8_t *peer, uint8_t *share, uint8_t *shared);
	/* Wipe and free kex->key, which may be NULL. NULL: there is none. */
	void (*free_key)(void *key);
};

extern const struct kex_kind kex_x25519, kex_ecc, kex_ffdhe, kex_x25519mlkem768;

/* x25519 by itself, for hybrids too: as in struct kex_kind. */
bool x25519_make(uint8_t private_key[static X25519_LEN], const uint8_t *given, uint8_t *share);
bool x25519_finish(const uint8_t private_key[static X25519_LEN], const uint8_t *peer, uint8_t *shared);

#endif
