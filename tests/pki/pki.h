/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The certificates of tests/pki/make for C tests: makes them when they are missing, reads them, and asks the
 * engine about them. Each function fails the test (cmocka) on any error.
 */
#ifndef TESTS_PKI_PKI_H
#define TESTS_PKI_PKI_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "engine/crypto.h"
#include "engine/x509.h"

#define PKI_UNUSED __attribute__((unused))

static int64_t pki_now_offset; /* what tests add to the clock, in seconds */

static bool pki_random(uint8_t *out, size_t len)
{
	return getrandom(out, len, 0) == (ssize_t)len;
}

static int64_t pki_now(void)
{
	return (int64_t)time(NULL) + pki_now_offset;
}

static const char *pki_dir(void)
{
	static char dir[512];
	if (dir[0] == '\0') {
		/* one set for all builds, for it takes seconds to make */
		(void)snprintf(dir, sizeof(dir), "%s",
			       getenv("TLSHIM_PKI") != NULL ? getenv("TLSHIM_PKI") : "build/pki");
	}
	return dir;
}

/* Group setup: start the engine, make the certificates. */
static PKI_UNUSED int pki_setup(void **state)
{
	(void)state;
	const struct engine_env env = {.random = pki_random, .now = pki_now};
	char command[600];
	(void)snprintf(command, sizeof(command), "tests/pki/make %s", pki_dir());
	return engine_init(&env) && system(command) == 0 ? 0 : -1;
}

/* When the set was made: what it holds for minutes or days is judged by that. */
static PKI_UNUSED int64_t pki_made(void)
{
	char path[700];
	struct stat st;
	(void)snprintf(path, sizeof(path), "%s/stamp", pki_dir());
	if (stat(path, &st) != 0) {
		fail_msg("no %s", path);
	}
	return (int64_t)st.st_mtime;
}

/* The text of a file of the set, NUL-terminated; the caller frees it. */
static PKI_UNUSED char *pki_text(const char *name, size_t *len)
{
	char path[700];
	(void)snprintf(path, sizeof(path), "%s/%s", pki_dir(), name);
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		fail_msg("no test file %s", path);
	}
	char *text = malloc(1 << 20);
	assert_non_null(text);
	*len = fread(text, 1, (1 << 20) - 1, file);
	text[*len] = '\0';
	(void)fclose(file);
	return text;
}

/* Trust in these files, separated by blanks; "" for none. */
static PKI_UNUSED struct engine_trust *pki_trust(const char *names)
{
	char list[200];
	char *rest = NULL;
	char why[ENGINE_REASON_MAX];
	struct engine_trust *trust = engine_trust_new();
	assert_non_null(trust);
	(void)snprintf(list, sizeof(list), "%s", names);
	for (char *name = strtok_r(list, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
		size_t len, n;
		char *text = pki_text(name, &len);
		assert_int_equal(engine_trust_add_pem(trust, (const uint8_t *)text, len, false, &n, why),
				 ENGINE_OK);
		assert_true(n > 0);
		free(text);
	}
	return trust;
}

/* Add a credential; false with a sentence in why. */
static PKI_UNUSED bool pki_add_credential(struct engine_config *config, const char *cert, const char *key,
					  char why[static ENGINE_REASON_MAX])
{
	size_t cert_len, key_len;
	char *cert_text = pki_text(cert, &cert_len);
	char *key_text = pki_text(key, &key_len);
	why[0] = '\0';
	enum engine_err err = engine_config_add_credential(config, (const uint8_t *)cert_text, cert_len,
							   (const uint8_t *)key_text, key_len, why);
	free(cert_text);
	free(key_text);
	return err == ENGINE_OK;
}

/* The DER of every certificate in these files, in order. */
struct pki_chain {
	uint8_t *der[CONFIG_MAX_CHAIN];
	size_t len[CONFIG_MAX_CHAIN];
	size_t n;
};

static PKI_UNUSED int pki_sextet(char c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);
	return at == NULL ? -1 : (int)(at - alphabet);
}

static PKI_UNUSED void pki_chain_add(struct pki_chain *chain, const char *names)
{
	char list[300];
	char *rest = NULL;
	(void)snprintf(list, sizeof(list), "%s", names);
	for (char *name = strtok_r(list, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
		size_t len;
		char *text = pki_text(name, &len);
		for (char *p = text; (p = strstr(p, "-----BEGIN CERTIFICATE-----")) != NULL;) {
			assert_true(chain->n < CONFIG_MAX_CHAIN);
			uint8_t *der = malloc(len);
			assert_non_null(der);
			uint8_t *to = der;
			uint32_t bits = 0;
			int n_bits = 0;
			for (p += strlen("-----BEGIN CERTIFICATE-----"); *p != '-'; p++) {
				int value = pki_sextet(*p);
				if (value < 0) {
					continue;
				}
				bits = bits << 6 | (uint32_t)value;
				n_bits += 6;
				if (n_bits >= 8) {
					n_bits -= 8;
					*to++ = (uint8_t)(bits >> n_bits);
				}
			}
			chain->der[chain->n] = der;
			chain->len[chain->n++] = (size_t)(to - der);
		}
		free(text);
	}
}

static PKI_UNUSED void pki_chain_free(struct pki_chain *chain)
{
	for (size_t i = 0; i < chain->n; i++) {
		free(chain->der[i]);
	}
	chain->n = 0;
}

#endif
