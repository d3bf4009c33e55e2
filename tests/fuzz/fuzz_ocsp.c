/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OCSP responses from anybody.
 *
 * Input: a certificate and its issuer, each behind a length of two bytes, and a response about it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "engine/crypto.h"
#include "engine/x509_ocsp.h"

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

static struct view cut(struct view *in)
{
	if (in->len < 2) {
		return view_of(in->data, 0);
	}
	size_t len = (size_t)in->data[0] << 8 | in->data[1];
	*in = view_of(in->data + 2, in->len - 2);
	len = len < in->len ? len : in->len;
	struct view piece = view_of(in->data, len);
	*in = view_of(in->data + len, in->len - len);
	return piece;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct view in = view_of(data, len);
	struct view cert_der = cut(&in);
	struct view issuer_der = cut(&in);
	struct certificate cert, issuer;
	const char *what = NULL;
	int64_t when = 0;
	if (!certificate_parse(cert_der, &cert, &what) || !certificate_parse(issuer_der, &issuer, &what) ||
	    issuer.key_fault != KEY_OK) {
		return 0;
	}
	/* a block of its own, so that a byte too far is noticed */
	uint8_t *copy = malloc(in.len + 1);
	require(copy != NULL);
	memcpy(copy, in.data, in.len);
	struct view response = view_of(copy, in.len);
	enum ocsp_answer peeked = ocsp_peek(response, &cert, &issuer, &when, &what);
	enum ocsp_answer anyone = ocsp_peek(response, &cert, NULL, &when, &what);
	enum ocsp_answer answer = ocsp_ask(response, &cert, &issuer, NOW, NULL, &when, &what);
	require(answer == OCSP_GOOD || answer == OCSP_REVOKED || what != NULL);
	/* the form is the same for all, and what is asked more of it can only make it worse */
	require((peeked == OCSP_MALFORMED) == (anyone == OCSP_MALFORMED));
	require(answer != OCSP_GOOD || peeked == OCSP_GOOD);
	require(answer != OCSP_REVOKED || peeked == OCSP_REVOKED);
	free(copy);
	return 0;
}
