/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key schedule of TLS 1.2 and older: the PRF and what is made with it.  RFC 5246 5, 6.3, 8.1; RFC 4346 5;
 * RFC 7627 4
 *
 * version decides the PRF: P_hash with hash in TLS 1.2, P_MD5 xor P_SHA1 before (hash is then of no concern).
 */
#ifndef ENGINE_KEYSCHED12_H
#define ENGINE_KEYSCHED12_H

#include "record.h"

#define KEYSCHED12_MASTER_LEN      48
#define KEYSCHED12_RANDOM_LEN      32
#define KEYSCHED12_VERIFY_DATA_LEN 12

/* PRF(secret, label, seed), the first out_len bytes. */
must_check bool keysched12_prf(uint16_t version, enum crypto_hash hash, const uint8_t *secret,
			       size_t secret_len, const char *label, const uint8_t *seed, size_t seed_len,
			       uint8_t *out, size_t out_len);
/* RFC 5246 8.1 */
must_check bool keysched12_master_secret(uint16_t version, enum crypto_hash hash, const uint8_t *premaster,
					 size_t premaster_len,
					 const uint8_t client_random[static KEYSCHED12_RANDOM_LEN],
					 const uint8_t server_random[static KEYSCHED12_RANDOM_LEN],
					 uint8_t out[static KEYSCHED12_MASTER_LEN]);
/* RFC 7627 4: session_hash is the transcript's up to and with ClientKeyExchange. */
must_check bool keysched12_extended_master_secret(uint16_t version, enum crypto_hash hash,
						  const uint8_t *premaster, size_t premaster_len,
						  const uint8_t *session_hash, size_t session_hash_len,
						  uint8_t out[static KEYSCHED12_MASTER_LEN]);
/*
 * Cut the key block: key, IV or salt, MAC key (in secret), sequence number 0, the next epoch.  RFC
 * 5246 6.3
 */
must_check bool keysched12_traffic_keys(const struct record_cipher_spec *spec,
					const uint8_t master_secret[static KEYSCHED12_MASTER_LEN],
					const uint8_t client_random[static KEYSCHED12_RANDOM_LEN],
					const uint8_t server_random[static KEYSCHED12_RANDOM_LEN],
					struct engine_keys *client_write, struct engine_keys *server_write);
/* verify_data of the client's or the server's Finished.  RFC 5246 7.4.9 */
must_check bool keysched12_finished(uint16_t version, enum crypto_hash hash,
				    const uint8_t master_secret[static KEYSCHED12_MASTER_LEN], bool is_client,
				    const uint8_t *transcript_hash, size_t hash_len,
				    uint8_t out[static KEYSCHED12_VERIFY_DATA_LEN]);

#endif
