/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRLs from anybody.
 *
 * Input: a byte that chooses, then
 *   0  a file of CRLs: PEM, or DER
 *   1  a certificate, its issuer and the issuer's CRL in DER, each behind a length of two bytes
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "engine/crypto.h"
#include "engine/x509_crl.h"

#define NOW 1795310000 /* within the validity of the seeds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static bool random_bytes(uint8_t *out, size_t len)
{
	return getrandom(out, len, 0) == (ssize_t)len;
}

static int64_t now(void)
{
	return NOW;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct engine_env env = {.random = random_bytes, .now = now};
	(void)argc;
	(void)argv;
	if (!engine_init(&env)) {
		abort();
	}
	return 0;
}

static void require(bool condition)
{
	if (!condition) {
		abort();
	}
}

/*
 * Cut the next piece off, whose length is in front of it, into a block of its own; what is left when that
 * is too long.
 */
static struct view cut(struct view *in, uint8_t **block)
{
	size_t len = 0;
	if (in->len >= 2) {
		len = (size_t)in->data[0] << 8 | in->data[1];
		*in = view_of(in->data + 2, in->len - 2);
		len = len < in->len ? len : in->len;
	}
	*block = malloc(len + 1);
	require(*block != NULL);
	if (len > 0) {
		memcpy(*block, in->data, len);
	}
	*in = view_of(in->data + len, in->len - len);
	return view_of(*block, len);
}

static void try_file(struct view in)
{
	char why[ENGINE_REASON_MAX] = "";
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	require(config != NULL);
	enum engine_err err = engine_config_add_crl(config, in.data, in.len, why);
	require((err == ENGINE_OK) == (config->crls != NULL));
	require((err == ENGINE_OK) == (why[0] == '\0'));
	engine_config_unref(config);
}

static void try_crl(struct view in)
{
	uint8_t *blocks[3];
	struct certificate cert, issuer;
	struct crl *list = NULL;
	const char *what;
	struct view cert_der = cut(&in, &blocks[0]);
	struct view issuer_der = cut(&in, &blocks[1]);
	struct view crl_der = cut(&in, &blocks[2]);
	if (certificate_parse(cert_der, &cert, &what) && certificate_parse(issuer_der, &issuer, &what) &&
	    issuer.key_fault == KEY_OK && crl_add(&list, crl_der, &what) == ENGINE_OK) {
		size_t checks = 1;
		int64_t when = 0;
		enum crl_answer first = crl_ask(list, &cert, &issuer, NOW, &checks, &when);
		enum crl_answer second = crl_ask(list, &cert, &issuer, NOW, &checks, &when);
		/* a signature that was right stays so without another check */
		require(first == second || (first == CRL_WRONG_SIGNATURE && second == CRL_TOO_LONG));
	}
	crl_free_all(list);
	for (size_t i = 0; i < 3; i++) {
		free(blocks[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 1) {
		return 0;
	}
	struct view in = view_of(data + 1, len - 1);
	if (data[0] == 0) {
		try_file(in);
	} else if (data[0] == 1) {
		try_crl(in);
	}
	return 0;
}
