/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations: reference counts, defaults, options. config_names.c chooses algorithms by name, config_check.c judges
 * the whole, x509_credential.c reads the credentials.
 */
#include <stdatomic.h>
#include <string.h>

#include "config.h"
#include "crypto.h"
#include "secret.h"
#include "x509.h"

#define DEFAULT_SESSION_LIFETIME 7200

static void free_credential(struct credential *credential);

struct engine_config *engine_config_new(enum engine_role role)
{
	struct engine_config *cfg = engine_alloc(sizeof(*cfg));
	if (cfg == NULL) {
		return NULL;
	}
	memset(cfg, 0, sizeof(*cfg));
	atomic_init(&cfg->refs, 1);
	cfg->role = role;
	cfg->verify = ENGINE_VERIFY_FULL;
	cfg->client_auth = ENGINE_CLIENT_AUTH_NONE;
	cfg->min_version = ENGINE_TLS12;
	cfg->max_version = ENGINE_TLS13;
	cfg->session_lifetime = DEFAULT_SESSION_LIFETIME;
	engine_config_set_profile(cfg, ENGINE_PROFILE_DEFAULT);
	return cfg;
}

void engine_config_ref(struct engine_config *cfg)
{
	atomic_fetch_add_explicit(&cfg->refs, 1, memory_order_relaxed);
}

void engine_config_unref(struct engine_config *cfg)
{
	if (cfg == NULL || atomic_fetch_sub_explicit(&cfg->refs, 1, memory_order_acq_rel) != 1) {
		return;
	}
	for (size_t i = 0; i < cfg->n_credentials; i++) {
		free_credential(&cfg->credentials[i]);
	}
	for (size_t i = 0; i < cfg->n_allowed_peers; i++) {
		engine_release(cfg->allowed_peers[i]);
	}
	engine_trust_unref(cfg->trust);
	crl_free_all(cfg->crls);
	secret_wipe(cfg->ticket_keys, sizeof(cfg->ticket_keys));
	engine_release(cfg);
}

void engine_config_set_trust(struct engine_config *cfg, struct engine_trust *trust)
{
	if (trust != NULL) {
		engine_trust_ref(trust);
	}
	engine_trust_unref(cfg->trust);
	cfg->trust = trust;
}

void engine_config_set_verify(struct engine_config *cfg, enum engine_verify verify)
{
	cfg->verify = verify;
}

void engine_config_set_client_auth(struct engine_config *cfg, enum engine_client_auth mode)
{
	cfg->client_auth = mode;
}

/* The oldest version of a profile. */
static uint16_t oldest_version(enum engine_profile profile)
{
	switch (profile) {
	case ENGINE_PROFILE_LEGACY:
		return ENGINE_TLS10;
	case ENGINE_PROFILE_MODERN:
		return ENGINE_TLS13;
	default:
		return ENGINE_TLS12;
	}
}

bool engine_config_set_versions(struct engine_config *cfg, uint16_t min, uint16_t max)
{
	if (min > max || min < oldest_version(cfg->profile) || max > ENGINE_TLS13) {
		return false;
	}
	cfg->min_version = min;
	cfg->max_version = max;
	return true;
}

void engine_config_versions(const struct engine_config *cfg, uint16_t *min, uint16_t *max)
{
	*min = cfg->min_version;
	*max = cfg->max_version;
}

void engine_config_set_profile(struct engine_config *cfg, enum engine_profile profile)
{
	const uint16_t oldest = oldest_version(profile);

	cfg->profile = profile;
	cfg->min_version = cfg->min_version < oldest ? oldest : cfg->min_version;
	cfg->max_version = cfg->max_version < oldest ? oldest : cfg->max_version;
	algorithms_of_profile(profile, &cfg->algorithms);
}

bool engine_config_set_sessions(struct engine_config *cfg, uint32_t lifetime,
				const uint8_t id[static ENGINE_SESSION_ID_LEN])
{
	if (lifetime > ENGINE_SESSION_LIFETIME_MAX) {
		return false;
	}
	cfg->session_lifetime = lifetime;
	memcpy(cfg->session_id, id, ENGINE_SESSION_ID_LEN);
	return true;
}

bool engine_config_set_ticket_keys(struct engine_config *cfg, const struct engine_ticket_key *keys, size_t n)
{
	if (n < 1 || n > ENGINE_TICKET_KEYS) {
		return false;
	}
	/* A ticket names its key. */
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (memcmp(keys[i].name, keys[k].name, sizeof(keys[i].name)) == 0) {
				return false;
			}
		}
	}
	secret_wipe(cfg->ticket_keys, sizeof(cfg->ticket_keys));
	memcpy(cfg->ticket_keys, keys, n * sizeof(*keys));
	cfg->n_ticket_keys = n;
	return true;
}

bool engine_config_set_padding(struct engine_config *cfg, size_t multiple)
{
	if (multiple > ENGINE_MAX_PLAINTEXT) {
		return false;
	}
	cfg->padding = (uint16_t)multiple;
	return true;
}

bool engine_digest(const void *data, size_t len, uint8_t out[static 32])
{
	uint8_t digest[CRYPTO_MAX_HASH_LEN];

	if (!crypto_digest(CRYPTO_SHA256, data, len, digest)) {
		return false;
	}
	memcpy(out, digest, 32);
	return true;
}

bool engine_config_set_alpn(struct engine_config *cfg, const char *const *protocols, size_t n_protocols)
{
	if (n_protocols > CONFIG_MAX_ALPN) {
		return false;
	}
	for (size_t i = 0; i < n_protocols; i++) {
		size_t len = strlen(protocols[i]);
		if (len < 1 || len > ENGINE_ALPN_MAX) {
			return false;
		}
	}
	for (size_t i = 0; i < n_protocols; i++) {
		memcpy(cfg->alpn[i], protocols[i], strlen(protocols[i]) + 1);
	}
	cfg->n_alpn = n_protocols;
	return true;
}

bool engine_config_set_allowed_peers(struct engine_config *cfg, const char *const *names, size_t n_names)
{
	char *copies[CONFIG_MAX_PEERS];
	size_t n = 0;
	if (n_names > CONFIG_MAX_PEERS) {
		return false;
	}
	while (n < n_names) {
		size_t len = strlen(names[n]);
		copies[n] = len == 0 ? NULL : engine_alloc(len + 1);
		if (copies[n] == NULL) {
			break;
		}
		memcpy(copies[n], names[n], len + 1);
		n++;
	}
	if (n < n_names) {
		while (n > 0) {
			engine_release(copies[--n]);
		}
		return false;
	}
	for (size_t i = 0; i < cfg->n_allowed_peers; i++) {
		engine_release(cfg->allowed_peers[i]);
	}
	for (size_t i = 0; i < n; i++) {
		cfg->allowed_peers[i] = copies[i];
	}
	cfg->n_allowed_peers = n;
	return true;
}

static void free_credential(struct credential *credential)
{
	for (size_t i = 0; i < credential->n_chain; i++) {
		engine_release(credential->chain[i].data);
	}
	engine_release(credential->ocsp.data);
	private_key_free(credential->key);
}
