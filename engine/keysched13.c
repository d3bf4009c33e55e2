/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RFC 8446 7: HKDF-Expand-Label, Derive-Secret, the ladder of secrets, traffic keys.
 */
#include "keysched13.h"

#include <string.h>

#include "wire.h"

#define LABEL_PREFIX "tls13 "
#define INFO_MAX     (2 + 1 + 18 + 1 + 255)

bool keysched13_expand_label(enum crypto_hash hash, const uint8_t *secret, size_t secret_len,
			     const char *label, const uint8_t *context, size_t context_len, uint8_t *out,
			     size_t out_len)
{
	uint8_t room[INFO_MAX];
	struct wr info;
	size_t mark;

	/* struct HkdfLabel */
	wr_init(&info, room, sizeof(room));
	wr_u16(&info, (uint16_t)out_len);
	mark = wr_open8(&info);
	wr_bytes(&info, LABEL_PREFIX, strlen(LABEL_PREFIX));
	wr_bytes(&info, label, strlen(label));
	wr_close8(&info, mark);
	mark = wr_open8(&info);
	wr_bytes(&info, context, context_len);
	wr_close8(&info, mark);
	return !info.failed && out_len <= UINT16_MAX &&
	       crypto_hkdf_expand(hash, secret, secret_len, info.data, info.len, out, out_len);
}

/* Derive-Secret with the transcript hash already taken. */
static bool derive_secret(const struct keysched13 *ks, const char *label, const uint8_t *transcript_hash,
			  struct secret *out)
{
	size_t hash_len = crypto_hash_len(ks->suite->hash);

	out->len = hash_len;
	return keysched13_expand_label(ks->suite->hash, ks->current.data, ks->current.len, label,
				       transcript_hash, hash_len, out->data, hash_len);
}

/* One rung down: current = HKDF-Extract(Derive-Secret(current, "derived", ""), ikm). */
static bool step(struct keysched13 *ks, const uint8_t *ikm, size_t ikm_len)
{
	uint8_t empty_hash[CRYPTO_MAX_HASH_LEN];
	struct secret salt;
	bool ok;

	ok = crypto_digest(ks->suite->hash, NULL, 0, empty_hash) &&
	     derive_secret(ks, "derived", empty_hash, &salt) &&
	     crypto_hkdf_extract(ks->suite->hash, salt.data, salt.len, ikm, ikm_len, ks->current.data);
	secret_wipe(&salt, sizeof(salt));
	return ok;
}

bool keysched13_init(struct keysched13 *ks, const struct suite *suite, const uint8_t *psk, size_t psk_len)
{
	static const uint8_t zeros[CRYPTO_MAX_HASH_LEN];
	size_t hash_len = crypto_hash_len(suite->hash);

	keysched13_wipe(ks);
	ks->suite = suite;
	ks->current.len = hash_len;
	if (!crypto_hkdf_extract(suite->hash, zeros, hash_len, psk != NULL ? psk : zeros,
				 psk != NULL ? psk_len : hash_len, ks->current.data)) {
		return false;
	}
	ks->stage = KEYSCHED13_EARLY;
	return true;
}

bool keysched13_derive_handshake(struct keysched13 *ks, const uint8_t *shared, size_t shared_len,
				 const uint8_t *transcript_hash)
{
	if (ks->stage != KEYSCHED13_EARLY || !step(ks, shared, shared_len) ||
	    !derive_secret(ks, "c hs traffic", transcript_hash, &ks->client_handshake_traffic_secret) ||
	    !derive_secret(ks, "s hs traffic", transcript_hash, &ks->server_handshake_traffic_secret)) {
		return false;
	}
	ks->stage = KEYSCHED13_HANDSHAKE;
	return true;
}

bool keysched13_derive_application(struct keysched13 *ks, const uint8_t *transcript_hash)
{
	static const uint8_t zeros[CRYPTO_MAX_HASH_LEN];

	if (ks->stage != KEYSCHED13_HANDSHAKE || !step(ks, zeros, crypto_hash_len(ks->suite->hash)) ||
	    !derive_secret(ks, "c ap traffic", transcript_hash, &ks->client_application_traffic_secret) ||
	    !derive_secret(ks, "s ap traffic", transcript_hash, &ks->server_application_traffic_secret)) {
		return false;
	}
	ks->stage = KEYSCHED13_APPLICATION;
	return true;
}

bool keysched13_resumption_secret(const struct keysched13 *ks, const uint8_t *transcript_hash,
				  struct secret *out)
{
	return ks->stage == KEYSCHED13_APPLICATION && derive_secret(ks, "res master", transcript_hash, out);
}

bool keysched13_ticket_psk(enum crypto_hash hash, const uint8_t *resumption_secret, const uint8_t *nonce,
			   size_t nonce_len, uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	const size_t hash_len = crypto_hash_len(hash);

	return keysched13_expand_label(hash, resumption_secret, hash_len, "resumption", nonce, nonce_len, out,
				       hash_len);
}

bool keysched13_binder(const struct keysched13 *ks, const uint8_t *transcript_hash,
		       uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	uint8_t empty_hash[CRYPTO_MAX_HASH_LEN];
	struct secret binder_key = {.len = 0};
	bool ok;

	ok = ks->stage == KEYSCHED13_EARLY && crypto_digest(ks->suite->hash, NULL, 0, empty_hash) &&
	     derive_secret(ks, "res binder", empty_hash, &binder_key) &&
	     keysched13_finished(ks->suite, &binder_key, transcript_hash, out);
	secret_wipe(&binder_key, sizeof(binder_key));
	return ok;
}

void keysched13_wipe(struct keysched13 *ks)
{
	secret_wipe(ks, sizeof(*ks));
}

bool keysched13_finished(const struct suite *suite, const struct secret *base_key,
			 const uint8_t *transcript_hash, uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	size_t hash_len = crypto_hash_len(suite->hash);
	uint8_t finished_key[CRYPTO_MAX_HASH_LEN];
	bool ok;

	ok = keysched13_expand_label(suite->hash, base_key->data, base_key->len, "finished", NULL, 0,
				     finished_key, hash_len) &&
	     crypto_hmac(suite->hash, finished_key, hash_len, transcript_hash, hash_len, out);
	secret_wipe(finished_key, sizeof(finished_key));
	return ok;
}

bool keysched13_traffic_keys(const struct suite *suite, const uint8_t *traffic_secret,
			     struct engine_keys *keys)
{
	size_t hash_len = crypto_hash_len(suite->hash);
	struct engine_keys fresh = {.seq = 0, .epoch = keys->epoch + 1};
	bool ok;

	memcpy(fresh.secret, traffic_secret, hash_len);
	ok = keysched13_expand_label(suite->hash, fresh.secret, hash_len, "key", NULL, 0, fresh.key,
				     crypto_aead_key_len(suite->aead)) &&
	     keysched13_expand_label(suite->hash, fresh.secret, hash_len, "iv", NULL, 0, fresh.iv,
				     CRYPTO_AEAD_NONCE_LEN);
	if (ok) {
		*keys = fresh;
	}
	secret_wipe(&fresh, sizeof(fresh));
	return ok;
}

bool keysched13_update_keys(const struct suite *suite, struct engine_keys *keys)
{
	size_t hash_len = crypto_hash_len(suite->hash);
	uint8_t next[CRYPTO_MAX_HASH_LEN];
	bool ok;

	ok = keysched13_expand_label(suite->hash, keys->secret, hash_len, "traffic upd", NULL, 0, next,
				     hash_len) &&
	     keysched13_traffic_keys(suite, next, keys);
	secret_wipe(next, sizeof(next));
	return ok;
}
