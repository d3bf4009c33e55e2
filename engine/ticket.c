/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sealing a server's sessions into tickets, and opening them.
 */
#include "ticket.h"

#include <string.h>

/* Authenticated with every ticket; another form of tickets or of what is in them gets another number. */
#define FORM "tlshim ticket 1"

#define NAME_LEN sizeof(((struct engine_ticket_key *)NULL)->name)
#define SALT_LEN 16
#define AAD_LEN  (sizeof(FORM) - 1 + NAME_LEN + ENGINE_SESSION_ID_LEN)

/* The keys that this configuration goes by, best first; wipe them. */
static size_t get_keys(const struct engine_config *config,
		       struct engine_ticket_key keys[static ENGINE_TICKET_KEYS])
{
	if (config->n_ticket_keys != 0) {
		memcpy(keys, config->ticket_keys, config->n_ticket_keys * sizeof(keys[0]));
		return config->n_ticket_keys;
	}
	return engine_ticket_keys(keys);
}

bool ticket_may_issue(const struct engine_config *config)
{
	struct engine_ticket_key keys[ENGINE_TICKET_KEYS];
	bool has_key;

	if (config->role != ENGINE_SERVER || config->session_lifetime == 0) {
		return false;
	}
	has_key = get_keys(config, keys) != 0;
	secret_wipe(keys, sizeof(keys));
	return has_key;
}

static void build_aad(const struct engine_config *config, struct rd key_name, struct wr *aad)
{
	wr_bytes(aad, FORM, sizeof(FORM) - 1);
	wr_bytes(aad, key_name.p, key_name.left);
	wr_bytes(aad, config->session_id, sizeof(config->session_id));
}

/* A cipher under the key that belongs to salt; NULL on failure. */
static struct crypto_aead_ctx *new_cipher(const struct engine_ticket_key *key, const uint8_t *salt)
{
	struct crypto_aead_ctx *ctx = crypto_aead_new();
	uint8_t derived[CRYPTO_MAX_HASH_LEN];

	if (ctx == NULL) {
		return NULL;
	}
	if (!crypto_hmac(CRYPTO_SHA256, key->key, sizeof(key->key), salt, SALT_LEN, derived) ||
	    !crypto_aead_set_key(ctx, CRYPTO_AES_256_GCM, derived)) {
		crypto_aead_free(ctx);
		ctx = NULL;
	}
	secret_wipe(derived, sizeof(derived));
	return ctx;
}

static bool seal(const struct engine_config *config, const struct engine_ticket_key *key, struct rd plain,
		 struct wr *out)
{
	uint8_t head[SALT_LEN + CRYPTO_AEAD_NONCE_LEN];
	uint8_t aad_room[AAD_LEN];
	struct crypto_aead_ctx *ctx;
	struct wr aad;
	uint8_t *sealed;
	bool ok;

	if (!engine_random(head, sizeof(head))) {
		return false;
	}
	wr_init(&aad, aad_room, sizeof(aad_room));
	build_aad(config, rd_of(key->name, NAME_LEN), &aad);
	wr_bytes(out, key->name, NAME_LEN);
	wr_bytes(out, head, sizeof(head));
	sealed = wr_room(out, plain.left + CRYPTO_AEAD_TAG_LEN);
	ctx = new_cipher(key, head);
	ok = !aad.failed && sealed != NULL && ctx != NULL &&
	     crypto_aead_seal(ctx, head + SALT_LEN, aad.data, aad.len, plain.p, plain.left, sealed);
	crypto_aead_free(ctx);
	return ok;
}

bool ticket_seal(const struct engine_config *config, const struct session *session, struct wr *out)
{
	struct engine_ticket_key keys[ENGINE_TICKET_KEYS];
	uint8_t room[TICKET_MAX - NAME_LEN - SALT_LEN - CRYPTO_AEAD_NONCE_LEN - CRYPTO_AEAD_TAG_LEN];
	struct wr plain;
	bool ok;

	wr_init(&plain, room, sizeof(room));
	ok = get_keys(config, keys) != 0 && session_pack(session, &plain) &&
	     seal(config, &keys[0], rd_of(plain.data, plain.len), out);
	secret_wipe(room, sizeof(room));
	secret_wipe(keys, sizeof(keys));
	return ok;
}

static const struct engine_ticket_key *find_key(const struct engine_ticket_key *keys, size_t n,
						struct rd name)
{
	for (size_t i = 0; i < n; i++) {
		if (rd_equal(name, rd_of(keys[i].name, NAME_LEN))) {
			return &keys[i];
		}
	}
	return NULL;
}

static bool open_with(const struct engine_config *config, const struct engine_ticket_key *key, struct rd salt,
		      struct rd nonce, struct rd sealed, struct session *session)
{
	const size_t len = sealed.left - CRYPTO_AEAD_TAG_LEN;
	struct crypto_aead_ctx *ctx = new_cipher(key, salt.p);
	uint8_t aad_room[AAD_LEN];
	uint8_t plain[TICKET_MAX];
	struct wr aad;
	bool ok;

	wr_init(&aad, aad_room, sizeof(aad_room));
	build_aad(config, rd_of(key->name, NAME_LEN), &aad);
	ok = !aad.failed && ctx != NULL &&
	     crypto_aead_open(ctx, nonce.p, aad.data, aad.len, sealed.p, len, plain) &&
	     session_unpack(rd_of(plain, len), session);
	session->ticket = rd_of(NULL, 0); /* a session in a ticket has none, least of all one in plain[] */
	crypto_aead_free(ctx);
	secret_wipe(plain, sizeof(plain));
	return ok;
}

bool ticket_open(const struct engine_config *config, struct rd ticket, struct session *session)
{
	struct engine_ticket_key keys[ENGINE_TICKET_KEYS];
	const struct engine_ticket_key *key;
	struct rd name;
	struct rd salt;
	struct rd nonce;
	bool ok;

	if (config->session_lifetime == 0 || ticket.left > TICKET_MAX ||
	    !rd_bytes(&ticket, &name, NAME_LEN) || !rd_bytes(&ticket, &salt, SALT_LEN) ||
	    !rd_bytes(&ticket, &nonce, CRYPTO_AEAD_NONCE_LEN) || ticket.left <= CRYPTO_AEAD_TAG_LEN) {
		return false;
	}
	key = find_key(keys, get_keys(config, keys), name);
	ok = key != NULL && open_with(config, key, salt, nonce, ticket, session);
	secret_wipe(keys, sizeof(keys));
	if (ok && session->lifetime > config->session_lifetime) {
		session->lifetime = config->session_lifetime;
	}
	if (ok && !session_is_fresh(session, engine_now())) {
		session_wipe(session);
		ok = false;
	}
	return ok;
}
