/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the server of TLS 1.2 share: its configurations.
 */
#ifndef TESTS_MEMORY_SERVER12_TEST_H
#define TESTS_MEMORY_SERVER12_TEST_H

#include "tests/pki/pki.h"

#include "engine/ext.h"
#include "tests/lib/raw12.h"

#define TEST_UNUSED __attribute__((unused))

/* Group setup: certificates, and an engine with a store and a clock that can be put forward. */
static TEST_UNUSED int server12_setup(void **state)
{
	static const struct engine_env env = {
		.random = raw12_random, .now = raw12_now, .sessions = &raw12_store};

	return pki_setup(state) == 0 && engine_init(&env) ? 0 : -1;
}

static TEST_UNUSED void add_credential(struct engine_config *config, const char *name)
{
	char cert[64], key[64], why[ENGINE_REASON_MAX];

	(void)snprintf(cert, sizeof(cert), "%s.pem", name);
	(void)snprintf(key, sizeof(key), "%s.key", name);
	if (!pki_add_credential(config, cert, key, why)) {
		fail_msg("%s: %s", name, why);
	}
}

/* A server with these credentials, separated by blanks, for all versions up to 1.3 that the profile has. */
static TEST_UNUSED struct engine_config *server_config(enum engine_profile profile, const char *credentials)
{
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	char list[200];
	char *rest = NULL;

	assert_non_null(config);
	engine_config_set_profile(config, profile);
	if (profile == ENGINE_PROFILE_LEGACY) {
		assert_true(engine_config_set_versions(config, ENGINE_TLS10, ENGINE_TLS13));
	}
	(void)snprintf(list, sizeof(list), "%s", credentials);
	for (char *name = strtok_r(list, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
		add_credential(config, name);
	}
	return config;
}

/* The same that also asks for client certificates. */
static TEST_UNUSED struct engine_config *asking_config(enum engine_profile profile, const char *credentials,
						       enum engine_client_auth mode)
{
	struct engine_config *config = server_config(profile, credentials);
	struct engine_trust *trust = pki_trust("ca.pem");

	engine_config_set_trust(config, trust);
	engine_trust_unref(trust);
	engine_config_set_client_auth(config, mode);
	return config;
}

/* Somebody's certificate and key, as part of a configuration that the caller gives back. */
static TEST_UNUSED struct engine_config *client_with(const char *name)
{
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);

	add_credential(config, name);
	return config;
}

#endif
