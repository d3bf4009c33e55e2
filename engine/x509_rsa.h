/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RSA: the two raw operations, and the blocks that signatures are made of (RFC 8017).
 */
#ifndef ENGINE_X509_RSA_H
#define ENGINE_X509_RSA_H

#include "x509_key.h"

#define RSA_MAX_LEN (KEY_MAX_RSA_BITS / 8)

/* The numbers of a private key, big-endian, without leading zeros. */
struct rsa_numbers {
	struct view n, e, d, p, q, dp, dq, qinv;
};

/* A private key that is ready for use; heap. Only ever read: threads may share it. */
struct rsa_private;
/* NULL if out of memory or if the numbers cannot be used. */
struct rsa_private *rsa_private_new(const struct rsa_numbers *numbers);
void rsa_private_free(struct rsa_private *key); /* wipes; NULL is allowed */
/* Bytes of the modulus: of every block and every result. */
size_t rsa_private_len(const struct rsa_private *key);

/* in^d mod n. Timing does not tell of in, out or the key. False also if in is not below n. */
must_check bool rsa_private_raw(const struct rsa_private *key, const uint8_t *in, uint8_t *out);
/* Is in^e mod n the block expected? The same key's public half: a check of what rsa_private_raw() made. */
must_check bool rsa_private_undoes(const struct rsa_private *key, const uint8_t *in, const uint8_t *expected);
/* in^e mod n for a public key; in and out are as long as n. False also if in is not below n. */
must_check bool rsa_public_raw(const struct key_view *key, const uint8_t *in, uint8_t *out);

/*
 * Build the block that is signed: EMSA-PKCS1-v1_5 or EMSA-PSS.
 *
 * bits  of the modulus; block gets that many, in whole bytes.  RFC 8017 9.1.1, 9.2
 */
must_check bool rsa_block_build(struct signature_algorithm how, const uint8_t *digest, unsigned bits,
				uint8_t *block);
/* Is this the block of such a signature? May change it.  RFC 8017 9.1.2 */
must_check bool rsa_block_check(struct signature_algorithm how, const uint8_t *digest, unsigned bits,
				uint8_t *block);

#endif
