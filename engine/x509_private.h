/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of private keys: what x509_private_read.c finds in a key file, and x509_private.c keeps of it.
 */
#ifndef ENGINE_X509_PRIVATE_H
#define ENGINE_X509_PRIVATE_H

#include "x509_rsa.h"

#define ED25519_PART_LEN  32
#define EC_MAX_SCALAR_LEN 66

/* A private key as views into its file. */
struct found_key {
	enum key_kind kind;
	unsigned bits;
	enum signature_hash only_hash; /* KEY_RSA_PSS */
	struct view secret;            /* EC scalar, Ed25519 seed */
	struct rsa_numbers rsa;
};

/* Read one of the forms; ENGINE_OK, or ENGINE_ERR_CONFIG with a sentence in why. */
must_check enum engine_err found_key_parse(struct view der, enum private_key_form form,
					   struct found_key *found, char why[static ENGINE_REASON_MAX]);
/* Bytes of a scalar on the curve. */
static inline size_t found_key_scalar_len(const struct found_key *found)
{
	return (found->bits + 7) / 8;
}

#endif
