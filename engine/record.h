/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records: their header, and protecting and unprotecting one of them.  RFC 8446 5, RFC 5246 6
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
#define RECORD13_MAX_CIPHERTEXT (ENGINE_MAX_PLAINTEXT + 256) /* TLSCiphertext, RFC 8446 5.2 */
/* What protecting adds: header, content type, tag. */
#define RECORD13_OVERHEAD       (ENGINE_RECORD_HEADER_LEN + 1 + CRYPTO_AEAD_TAG_LEN)
/* TLSCiphertext.length, RFC 5246 6.2.3 */
#define RECORD12_MAX_CIPHERTEXT (ENGINE_MAX_PLAINTEXT + 2048)

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
	uint8_t type; /* content type, not judged */
	uint8_t *data;
	size_t len; /* at most spec->limit */
};

/*
 * How the records of one direction are protected: of a connection, or of a handshake that has changed its keys.
 *
 * limit    longest plaintext of a record, without the content type of TLS 1.3 but with its padding; 0: the usual
 *          ENGINE_MAX_PLAINTEXT. One that was negotiated is conn->recv_limit or send_limit.  RFC 8449 4
 * padding  sealing in TLS 1.3: plaintext is padded to a multiple of this, as far as limit and room allow; 0 and 1: it
 *          is not.  RFC 8446 5.4
 */
struct record_cipher_spec {
	const struct suite *suite;
	uint16_t version;      /* the negotiated one, ENGINE_TLS10 to ENGINE_TLS13 */
	bool encrypt_then_mac; /* RFC 7366; of CBC suites */
	uint16_t limit;
	uint16_t padding;
};

/* Largest length that the header of a protected record may announce. */
size_t record_max_ciphertext(const struct record_cipher_spec *spec);

/*
 * Unprotect one whole record: record[0..len) with its header, to record itself or, if out is not NULL, to out, which
 * has room for len - ENGINE_RECORD_HEADER_LEN bytes. The sequence number moves on if it was authentic.
 *
 * REASON_NONE, or what is wrong with it: nothing of its content is left then.
 *
 * TLS 1.3: the outer type must be application_data, the version in the header is authenticated, not judged. Older
 * ones: the type is the header's, its version must be spec->version. What the content is, and whether it may be empty,
 * is for the caller to judge.  RFC 8446 5.2, 5.4; RFC 5246 6.2.3
 */
must_check enum reason record_open(const struct record_cipher_spec *spec, struct engine_keys *keys,
				   struct engine_cipher *cipher, uint8_t *record, size_t len, uint8_t *out,
				   struct record_opened *opened);

/*
 * Protect the slices, together 0..limit bytes, as one record of a content type; application data in CBC suites of
 * TLS 1.0 as two, the first with one byte, for its chained IV must not be foreseen. out has room for the plaintext and
 * ENGINE_SEAL_OVERHEAD and does not overlap the slices.
 *
 * False if room, limit, the key's lifetime or a primitive does not allow it: then the keys have not moved on. At the
 * end of a key's lifetime everything but application data can still be sealed.  RFC 8446 5.2, RFC 5246 6.2.3
 */
must_check bool record_seal(const struct record_cipher_spec *spec, struct engine_keys *keys,
			    struct engine_cipher *cipher, uint8_t type, const struct engine_slice *slices,
			    size_t n_slices, uint8_t *out, size_t out_size, size_t *out_len);

/* The same in TLS 1.3 with the usual limit and no padding. */
must_check enum reason record13_open(const struct suite *suite, struct engine_keys *keys,
				     struct engine_cipher *cipher, uint8_t *record, size_t len, uint8_t *out,
				     struct record_opened *opened);
must_check bool record13_seal(const struct suite *suite, struct engine_keys *keys,
			      struct engine_cipher *cipher, uint8_t type, const struct engine_slice *slices,
			      size_t n_slices, uint8_t *out, size_t out_size, size_t *out_len);

#endif
