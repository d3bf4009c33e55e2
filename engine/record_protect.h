/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the record layer: what record.c dispatches to, and what its parts share.
 *
 * A protect function finds its record checked against limit and key lifetime: content_len bytes in all in the slices,
 * room not yet. An unprotect function finds header and length checked. Both leave checking of room, lengths and
 * authenticity that depend on the kind of protection to themselves, and move the keys on if all went well.
 */
#ifndef ENGINE_RECORD_PROTECT_H
#define ENGINE_RECORD_PROTECT_H

#include "record.h"

/* Sequence number, type, version and length: what AEADs and MACs of TLS 1.2 and older cover besides the content. */
#define RECORD12_PSEUDO_HEADER_LEN 13

enum reason record13_unprotect(const struct record_cipher_spec *spec, struct engine_keys *keys,
			       struct engine_cipher *cipher, uint8_t *record, size_t len, uint8_t *out,
			       struct record_opened *opened);
bool record13_protect(const struct record_cipher_spec *spec, struct engine_keys *keys,
		      struct engine_cipher *cipher, uint8_t type, const struct engine_slice *slices,
		      size_t n_slices, size_t content_len, uint8_t *out, size_t out_size, size_t *out_len);

enum reason record12_aead_unprotect(const struct record_cipher_spec *spec, struct engine_keys *keys,
				    struct engine_cipher *cipher, uint8_t *record, size_t len, uint8_t *out,
				    struct record_opened *opened);
bool record12_aead_protect(const struct record_cipher_spec *spec, struct engine_keys *keys,
			   struct engine_cipher *cipher, uint8_t type, const struct engine_slice *slices,
			   size_t n_slices, size_t content_len, uint8_t *out, size_t out_size,
			   size_t *out_len);

enum reason record12_cbc_unprotect(const struct record_cipher_spec *spec, struct engine_keys *keys,
				   struct engine_cipher *cipher, uint8_t *record, size_t len, uint8_t *out,
				   struct record_opened *opened);
bool record12_cbc_protect(const struct record_cipher_spec *spec, struct engine_keys *keys,
			  struct engine_cipher *cipher, uint8_t type, const struct engine_slice *slices,
			  size_t n_slices, size_t content_len, uint8_t *out, size_t out_size,
			  size_t *out_len);

/*
 * ct: MAC and padding of a decrypted record, plain[0..len), where len is more than the MAC. *authentic: all ones or all
 * zeros; *content_len: right if it is ones, else a secret still. False if a primitive failed.
 */
bool record12_cbc_judge(const struct record_cipher_spec *spec, const struct engine_keys *keys, uint8_t type,
			const uint8_t *plain, size_t len, uint32_t *authentic, uint32_t *content_len);

/* The context with this key in it, expanded now if it is not yet; NULL if that fails. */
struct crypto_aead_ctx *record_cipher_aead(struct engine_cipher *cipher, const struct suite *suite,
					   const struct engine_keys *keys);
struct crypto_cbc_ctx *record_cipher_cbc(struct engine_cipher *cipher, const struct suite *suite,
					 const struct engine_keys *keys, bool encrypt);

/* Longest plaintext. */
size_t record_limit(const struct record_cipher_spec *spec);
/* Copy the slices to out, one behind the other. */
void record_gather(const struct engine_slice *slices, size_t n_slices, uint8_t *out);
/* keys->iv with the sequence number in its last bytes: RFC 8446 5.3, RFC 7905 2 */
void record_masked_nonce(const struct engine_keys *keys, uint8_t nonce[static CRYPTO_AEAD_NONCE_LEN]);
/* RFC 5246 6.2.3.1, 6.2.3.3 */
void record12_pseudo_header(uint64_t seq, uint8_t type, uint16_t version, size_t length,
			    uint8_t out[static RECORD12_PSEUDO_HEADER_LEN]);

#endif
