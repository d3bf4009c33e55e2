/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PEM (RFC 7468): finds the blocks of a text, whatever stands around them, and decodes them.
 */
#ifndef ENGINE_X509_PEM_H
#define ENGINE_X509_PEM_H

#include "x509_der.h"

enum pem_label {
	PEM_CERTIFICATE,
	PEM_PRIVATE_KEY,           /* PKCS#8 */
	PEM_ENCRYPTED_PRIVATE_KEY, /* PKCS#8, or an older form with an encryption header */
	PEM_EC_PRIVATE_KEY,        /* SEC 1 */
	PEM_RSA_PRIVATE_KEY,       /* PKCS#1 */
	PEM_CRL,
	PEM_OTHER,
};
struct pem_block {
	enum pem_label label;
	struct view base64; /* in the text */
	bool damaged;       /* has no end line */
};

/* The next block of *text, which moves behind it. False when there is none left. */
must_check bool pem_next(struct view *text, struct pem_block *block);
/* Most bytes that block can decode to. */
size_t pem_max_len(const struct pem_block *block);
/*
 * Decode block into out, which has room for pem_max_len(). False if it is no base64. Takes the same time for
 * every text of a length: it may be a key.
 */
must_check bool pem_decode(const struct pem_block *block, uint8_t *out, size_t *len);
/* Write DER as a PEM block with this label behind a NUL-terminated out. False if size is short. */
must_check bool pem_encode(const char *label, const uint8_t *der, size_t len, char *out, size_t size);

#endif
