/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records: their header, and protecting and unprotecting one of them.  RFC 8446 5
 *
 * This layer knows keys and sequence numbers, nothing of handshakes, connections or sticking errors.
 */
#ifndef ENGINE_RECORD_H
#define ENGINE_RECORD_H

#include "alert.h"
#include "suites.h"

enum content_type {
	CONTENT_CHANGE_CIPHER_SPEC = 20,
	CONTENT_ALERT = 21,
	CONTENT_HANDSHAKE = 22,
	CONTENT_APPLICATION_DATA = 23,
};

#define RECORD_VERSION          0x0303
#define RECORD13_MAX_INNER      (ENGINE_MAX_PLAINTEXT + 1)   /* TLSInnerPlaintext, RFC 8446 5.4 */
#define RECORD13_MAX_CIPHERTEXT (ENGINE_MAX_PLAINTEXT + 256) /* TLSCiphertext, RFC 8446 5.2 */
/* What protecting adds: header, content type, tag. */
#define RECORD13_OVERHEAD       (ENGINE_RECORD_HEADER_LEN + 1 + CRYPTO_AEAD_TAG_LEN)

struct record_header {
	uint8_t type;
	uint16_t version;
	size_t length; /* of what follows */
};

void record_parse_header(const uint8_t wire[static ENGINE_RECORD_HEADER_LEN], struct record_header *header);
void record_build_header(uint8_t wire[static ENGINE_RECORD_HEADER_LEN], uint8_t type, uint16_t version,
			 size_t length);

/* What a protected record held. */
struct record_opened {
	uint8_t type; /* content type, not 0 */
	uint8_t *data;
	size_t len; /* at most ENGINE_MAX_PLAINTEXT */
};

/*
 * Unprotect one record: record[0..len) with its header, to record itself or, if out is not NULL, to out, which has
 * room for len - ENGINE_RECORD_HEADER_LEN bytes. The sequence number moves on if it was authentic.
 *
 * REASON_NONE, or what is wrong with it: nothing of its content is left then. The outer type must be
 * application_data; the version in the header is authenticated, not judged.  RFC 8446 5.2, 5.4
 */
must_check enum reason record13_open(const struct suite *suite, struct engine_keys *keys,
				     struct engine_cipher *cipher, uint8_t *record, size_t len, uint8_t *out,
				     struct record_opened *opened);

/*
 * Protect the slices, together 0..ENGINE_MAX_PLAINTEXT bytes, as one record of an inner content type. out has room
 * for RECORD13_OVERHEAD more than that and does not overlap the slices.
 *
 * False if room, the key's lifetime or a primitive does not allow it.  RFC 8446 5.2
 */
must_check bool record13_seal(const struct suite *suite, struct engine_keys *keys,
			      struct engine_cipher *cipher, uint8_t type, const struct engine_slice *slices,
			      size_t n_slices, uint8_t *out, size_t out_size, size_t *out_len);

#endif
