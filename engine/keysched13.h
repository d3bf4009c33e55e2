/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key schedule of TLS 1.3.  RFC 8446 7.1 to 7.3
 *
 *   init -> EARLY -> derive_handshake -> HANDSHAKE -> derive_application -> APPLICATION
 *
 * Each step wipes what the one before it no longer needs; a step out of order fails.
 */
#ifndef ENGINE_KEYSCHED13_H
#define ENGINE_KEYSCHED13_H

#include "secret.h"
#include "suites.h"

enum keysched13_stage {
	KEYSCHED13_NONE,
	KEYSCHED13_EARLY,
	KEYSCHED13_HANDSHAKE,
	KEYSCHED13_APPLICATION,
};

struct keysched13 {
	enum keysched13_stage stage;
	const struct suite *suite;
	struct secret current; /* Early, Handshake or Master Secret */
	struct secret client_handshake_traffic_secret;
	struct secret server_handshake_traffic_secret;
	struct secret client_application_traffic_secret;
	struct secret server_application_traffic_secret;
};

/*
 * HKDF-Expand-Label, RFC 8446 7.1. label without "tls13 ", at most 12 characters; context at most 255 bytes. out gets
 * out_len bytes.
 */
must_check bool keysched13_expand_label(enum crypto_hash hash, const uint8_t *secret, size_t secret_len,
					const char *label, const uint8_t *context, size_t context_len,
					uint8_t *out, size_t out_len);

/* Early Secret. psk may be NULL with 0: none. */
must_check bool keysched13_init(struct keysched13 *ks, const struct suite *suite, const uint8_t *psk,
				size_t psk_len);
/*
 * Handshake Secret from the (EC)DHE secret, and the two handshake traffic secrets.
 * transcript_hash: of ClientHello...ServerHello.
 */
must_check bool keysched13_derive_handshake(struct keysched13 *ks, const uint8_t *shared, size_t shared_len,
					    const uint8_t *transcript_hash);
/* Master Secret and the application traffic secrets. transcript_hash: of ClientHello...server Finished. */
must_check bool keysched13_derive_application(struct keysched13 *ks, const uint8_t *transcript_hash);
/* What tickets are made of. transcript_hash: of ClientHello...client Finished.  RFC 8446 7.1 */
must_check bool keysched13_resumption_secret(const struct keysched13 *ks, const uint8_t *transcript_hash,
					     struct secret *out);
/* The PSK of one ticket.  RFC 8446 4.6.1 */
must_check bool keysched13_ticket_psk(enum crypto_hash hash, const uint8_t *resumption_secret, const uint8_t *nonce,
				      size_t nonce_len, uint8_t out[static CRYPTO_MAX_HASH_LEN]);
/* A PSK's binder over the hash of the truncated ClientHello; keysched13_init() was given the PSK.  RFC 8446 4.2.11.2 */
must_check bool keysched13_binder(const struct keysched13 *ks, const uint8_t *transcript_hash,
				  uint8_t out[static CRYPTO_MAX_HASH_LEN]);
/* Wipe everything. */
void keysched13_wipe(struct keysched13 *ks);

/* verify_data of a Finished under base_key, over transcript_hash.  RFC 8446 4.4.4 */
must_check bool keysched13_finished(const struct suite *suite, const struct secret *base_key,
				    const uint8_t *transcript_hash, uint8_t out[static CRYPTO_MAX_HASH_LEN]);
/* Fill keys from a traffic secret: key, iv, sequence number 0, the next epoch.  RFC 8446 7.3 */
must_check bool keysched13_traffic_keys(const struct suite *suite, const uint8_t *traffic_secret,
					struct engine_keys *keys);
/* The next generation of application traffic keys.  RFC 8446 7.2 */
must_check bool keysched13_update_keys(const struct suite *suite, struct engine_keys *keys);

#endif
