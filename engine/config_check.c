/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judging a configuration as a whole: can each version be spoken, and does our key fit what is negotiated?
 */
#include <stdio.h>

#include "config.h"
#include "x509.h"

/* What is missing for a version to be spoken. */
enum missing { NOTHING, SUITE, GROUP, SCHEME };

static enum suite_auth auth_of_scheme(uint16_t scheme)
{
	/* ECDSA, RFC 8446 4.2.3; EdDSA, RFC 8422 5.10 */
	return (scheme & 0xff) == 0x03 || scheme == 0x0807 || scheme == 0x0808 ? AUTH_ECDSA : AUTH_RSA;
}

static bool has_group(const struct engine_config *cfg, const struct suite *suite, uint16_t version)
{
	const struct group *groups[GROUPS_MAX];
	const size_t n = groups_preferred(&cfg->algorithms, version, groups);

	if (suite->kx == KX_RSA || (suite->kx == KX_DHE && cfg->role == ENGINE_CLIENT)) {
		return true; /* a server's own parameters will do for DHE */
	}
	for (size_t i = 0; i < n; i++) {
		if (suite->kx == KX_TLS13 || groups[i]->is_ffdhe == (suite->kx == KX_DHE)) {
			return true;
		}
	}
	return false;
}

static bool scheme_fits(uint16_t id, const struct suite *suite, uint16_t version)
{
	const struct scheme *scheme = scheme_find(id);

	return version == ENGINE_TLS13 ? scheme->tls13 : scheme->tls12 && auth_of_scheme(id) == suite->auth;
}

/* Is there a scheme to sign the key exchange with? TLS 1.0 and 1.1 negotiate none. */
static bool has_scheme(const struct engine_config *cfg, const struct suite *suite, uint16_t version)
{
	if (version < ENGINE_TLS12 || suite->kx == KX_RSA) {
		return true;
	}
	for (size_t i = 0; i < cfg->algorithms.n_schemes; i++) {
		if (scheme_fits(cfg->algorithms.schemes[i], suite, version)) {
			return true;
		}
	}
	return false;
}

static enum missing find_missing(const struct engine_config *cfg, uint16_t version)
{
	const struct suite *suites[SUITES_MAX];
	const size_t n = suites_preferred(&cfg->algorithms, version, false, suites);
	enum missing missing = SUITE;

	for (size_t i = 0; i < n; i++) {
		if (!has_group(cfg, suites[i], version)) {
			missing = missing == SUITE ? GROUP : missing;
		} else if (!has_scheme(cfg, suites[i], version)) {
			missing = SCHEME;
		} else {
			return NOTHING;
		}
	}
	return missing;
}

/* Ed25519 and RSASSA-PSS keys are of TLS 1.2 and later, RFC 8422 5.1.1, RFC 8446 4.2.3 */
static bool scheme_is_old(uint16_t scheme)
{
	return scheme != 0x0807 && !(scheme >= 0x0809 && scheme <= 0x080b);
}

/* May and can the key sign with a scheme that goes with this suite? */
static bool can_sign(const struct engine_config *cfg, const struct credential *credential,
		     const struct suite *suite, uint16_t version)
{
	uint16_t schemes[SCHEMES_MAX];
	const size_t n =
		private_key_schemes(credential->key, version == ENGINE_TLS13, schemes, SCHEMES_MAX);

	for (size_t i = 0; i < n && credential_may_sign(credential); i++) {
		if (version < ENGINE_TLS12) {
			if (scheme_is_old(schemes[i]) && auth_of_scheme(schemes[i]) == suite->auth) {
				return true;
			}
		} else if (scheme_is_allowed(&cfg->algorithms, schemes[i]) &&
			   scheme_fits(schemes[i], suite, version)) {
			return true;
		}
	}
	return false;
}

static bool is_rsa(const struct credential *credential)
{
	uint16_t schemes[SCHEMES_MAX];

	return private_key_schemes(credential->key, false, schemes, SCHEMES_MAX) > 0 &&
	       auth_of_scheme(schemes[0]) == AUTH_RSA;
}

/* A client signs with whatever key it has, RFC 5246 7.4.8. */
static bool client_fits(const struct engine_config *cfg, const struct credential *credential,
			const struct suite *suite, uint16_t version)
{
	struct suite any = *suite;

	any.auth = is_rsa(credential) ? AUTH_RSA : AUTH_ECDSA;
	return can_sign(cfg, credential, &any, version);
}

static bool server_fits(const struct engine_config *cfg, const struct credential *credential,
			const struct suite *suite, uint16_t version)
{
	if (suite->kx == KX_RSA) {
		return credential_may_encipher(credential);
	}
	return has_group(cfg, suite, version) && can_sign(cfg, credential, suite, version);
}

/* Can we show this credential with this version? */
static bool credential_fits(const struct engine_config *cfg, const struct credential *credential,
			    uint16_t version)
{
	const struct suite *suites[SUITES_MAX];
	const size_t n = suites_preferred(&cfg->algorithms, version, false, suites);

	for (size_t i = 0; i < n; i++) {
		if (cfg->role == ENGINE_CLIENT ? client_fits(cfg, credential, suites[i], version)
					       : server_fits(cfg, credential, suites[i], version)) {
			return true;
		}
	}
	return false;
}

static bool check_versions(const struct engine_config *cfg, char why[static ENGINE_REASON_MAX])
{
	for (uint16_t version = cfg->min_version; version <= cfg->max_version; version++) {
		const enum missing missing = find_missing(cfg, version);
		const char *name = engine_version_name(version);

		if (missing == SUITE) {
			(void)snprintf(why, ENGINE_REASON_MAX,
				       "no cipher suite is left for %s: name one of that version, or leave "
				       "the version out",
				       name);
		} else if (missing == GROUP) {
			(void)snprintf(why, ENGINE_REASON_MAX, "no group is left for the cipher suites of %s",
				       name);
		} else if (missing == SCHEME) {
			(void)snprintf(why, ENGINE_REASON_MAX,
				       "no signature scheme is left for the cipher suites of %s", name);
		}
		if (missing != NOTHING) {
			return false;
		}
	}
	return true;
}

/* A sentence on credential i that no version can use. */
static void tell_unused(const struct engine_config *cfg, size_t i, char why[static ENGINE_REASON_MAX])
{
	struct engine_credential_info info;

	if (!engine_config_describe_credential(cfg, i, &info)) {
		(void)snprintf(info.subject, sizeof(info.subject), "unknown");
	}
	(void)snprintf(why, ENGINE_REASON_MAX,
		       "the certificate of %.50s (%s) can never be used: no cipher suite with a signature "
		       "scheme fits its key and key usage",
		       info.subject, info.key_kind);
}

enum engine_err engine_config_check(const struct engine_config *cfg, char why[static ENGINE_REASON_MAX])
{
	bool served[ENGINE_TLS13 - ENGINE_TLS10 + 1] = {false};
	size_t n_used = 0;

	why[0] = '\0';
	if (!check_versions(cfg, why)) {
		return ENGINE_ERR_CONFIG;
	}
	for (size_t i = 0; i < cfg->n_credentials; i++) {
		bool used = false;

		for (uint16_t version = cfg->min_version; version <= cfg->max_version; version++) {
			if (credential_fits(cfg, &cfg->credentials[i], version)) {
				served[version - ENGINE_TLS10] = used = true;
			}
		}
		n_used += used;
		if (!used && why[0] == '\0') {
			tell_unused(cfg, i, why);
		}
	}
	if (cfg->role == ENGINE_CLIENT) {
		return ENGINE_OK;
	}
	if (cfg->n_credentials == 0) {
		(void)snprintf(why, ENGINE_REASON_MAX, "a server needs a certificate with its key");
	}
	if (n_used == 0) {
		return ENGINE_ERR_CONFIG;
	}
	for (uint16_t version = cfg->min_version; version <= cfg->max_version && why[0] == '\0'; version++) {
		if (!served[version - ENGINE_TLS10]) {
			(void)snprintf(why, ENGINE_REASON_MAX,
				       "%s will never be spoken: no cipher suite of it with a signature "
				       "scheme fits the key of %s",
				       engine_version_name(version),
				       cfg->n_credentials == 1 ? "the certificate" : "any certificate");
		}
	}
	return ENGINE_OK;
}

/* All that can be negotiated, newest version first; returns how many. */
static size_t list_suites(const struct engine_config *cfg, const struct suite *out[static SUITES_MAX])
{
	const struct suite *some[SUITES_MAX];
	size_t n = 0;

	for (uint16_t version = cfg->max_version; version >= cfg->min_version; version--) {
		const size_t n_some = suites_preferred(&cfg->algorithms, version, false, some);

		for (size_t i = 0; i < n_some; i++) {
			size_t k = 0;

			while (k < n && out[k] != some[i]) {
				k++;
			}
			if (k == n) {
				out[n++] = some[i];
			}
		}
	}
	return n;
}

size_t engine_config_n_suites(const struct engine_config *cfg)
{
	const struct suite *suites[SUITES_MAX];

	return list_suites(cfg, suites);
}

const char *engine_config_suite(const struct engine_config *cfg, size_t i)
{
	const struct suite *suites[SUITES_MAX];

	return i < list_suites(cfg, suites) ? suites[i]->name : NULL;
}
