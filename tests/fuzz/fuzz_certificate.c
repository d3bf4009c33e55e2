/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificates, keys and PEM from anybody.
 *
 * Input: a byte that chooses, then
 *   0  certificates, each behind a length of two bytes; the last one is the anchor
 *   1  PEM, as trust
 *   2  PEM, as chain and key at once
 *   3  a private key in DER, of a form that the next byte chooses
 *   4  SubjectPublicKeyInfo and signature, each behind a length of two bytes
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "engine/crypto.h"
#include "engine/verify_constraints.h"
#include "engine/verify_name.h"
#include "engine/x509_pem.h"

#define NOW     1800000000 /* within the validity of the seeds */
#define MAX_PEM 100000

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

/* Cut the next piece off, whose length is in front of it; what is left when that is too long. */
static struct view cut(struct view *in)
{
	if (in->len < 2) {
		return view_of(NULL, 0);
	}
	size_t len = (size_t)in->data[0] << 8 | in->data[1];
	*in = view_of(in->data + 2, in->len - 2);
	len = len < in->len ? len : in->len;
	struct view piece = view_of(in->data, len);
	*in = view_of(in->data + len, in->len - len);
	return piece;
}

/* A block of its own for each certificate, so that a byte too far is noticed. */
static uint8_t *copy_of(struct view v)
{
	uint8_t *copy = malloc(v.len + (v.len == 0));
	require(copy != NULL);
	if (v.len > 0) {
		memcpy(copy, v.data, v.len);
	}
	return copy;
}

static void try_names(const struct certificate *cert)
{
	static const char *const names[] = {"localhost", "a.example.com", "127.0.0.1", "::1"};
	char text[64];
	for (size_t size = 8; size <= sizeof(text); size += 7) {
		certificate_text(cert, text, size);
		require(strlen(text) < size);
		name_text(cert->issuer, text, size);
		require(strlen(text) < size);
	}
	certificate_names_text(cert, text, sizeof(text));
	require(strlen(text) < sizeof(text));
	bool any = false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		any |= certificate_has_name(cert, names[i], false);
	}
	require(!any || certificate_has_server_name(cert));
	(void)certificate_has_peer_name(cert, "*.example.com");
	(void)certificate_has_peer_name(cert, "spiffe://example.org/reporting");
}

static void add_anchor(struct engine_trust *trust, struct view der)
{
	static char pem[MAX_PEM];
	char why[ENGINE_REASON_MAX];
	size_t n;
	pem[0] = '\0';
	if (der.len > 0 && pem_encode("CERTIFICATE", der.data, der.len, pem, sizeof(pem))) {
		require(engine_trust_add_pem(trust, (const uint8_t *)pem, strlen(pem), true, &n, why) ==
			ENGINE_OK);
	}
}

static void try_chain(struct view in)
{
	uint8_t *certs[CONFIG_MAX_CHAIN];
	size_t lens[CONFIG_MAX_CHAIN];
	size_t n = 0;
	struct certificate parsed, above;
	const char *what;
	char text[100];
	size_t budget = 100000;
	struct view last = view_of(NULL, 0);
	while (n < CONFIG_MAX_CHAIN && in.len >= 2) {
		last = cut(&in);
		certs[n] = copy_of(last);
		lens[n++] = last.len;
	}
	for (size_t i = 0; i < n; i++) {
		if (certificate_parse(view_of(certs[i], lens[i]), &parsed, &what)) {
			try_names(&parsed);
			(void)certificate_is_self_signed(&parsed);
			if (i + 1 < n &&
			    certificate_parse(view_of(certs[i + 1], lens[i + 1]), &above, &what)) {
				require(constraints_allow(&above, &parsed, &budget, text, sizeof(text)) ||
					above.has_name_constraints);
			}
		}
	}
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	struct engine_trust *trust = engine_trust_new();
	require(config != NULL && trust != NULL);
	add_anchor(trust, last);
	engine_config_set_trust(config, trust);
	engine_trust_unref(trust);
	for (int mode = 0; mode < 3; mode++) {
		struct verify_request request = {
			.config = config,
			.peer_role = mode == 1 ? ENGINE_CLIENT : ENGINE_SERVER,
			.certs = (const uint8_t *const *)certs,
			.cert_lens = lens,
			.n_certs = n,
			.name = mode == 0 ? "localhost" : NULL,
			.now = NOW,
		};
		struct verify_result result;
		engine_config_set_verify(config, mode == 2 ? ENGINE_VERIFY_NONE : ENGINE_VERIFY_FULL);
		enum engine_err err = verify_chain(&request, &result);
		require((err == ENGINE_OK) == (result.key != NULL));
		require((err == ENGINE_OK) == (result.alert == 0) &&
			(err == ENGINE_OK) == (result.reason[0] == '\0'));
		public_key_free(result.key);
	}
	engine_config_unref(config);
	for (size_t i = 0; i < n; i++) {
		free(certs[i]);
	}
}

static void try_pem(struct view in, bool as_credential)
{
	char why[ENGINE_REASON_MAX];
	size_t n;
	uint8_t *copy = copy_of(in);
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	struct engine_trust *trust = engine_trust_new();
	struct engine_credential_info info;
	require(config != NULL && trust != NULL);
	if (as_credential) {
		if (engine_config_add_credential(config, copy, in.len, copy, in.len, why) == ENGINE_OK) {
			require(engine_config_describe_credential(config, 0, &info));
		}
	} else {
		require(engine_trust_add_pem(trust, copy, in.len, true, &n, why) == ENGINE_OK);
		size_t n_strict;
		require(engine_trust_add_pem(trust, copy, in.len, false, &n_strict, why) ==
				ENGINE_ERR_CONFIG ||
			n_strict == n);
	}
	engine_config_unref(config);
	engine_trust_unref(trust);
	free(copy);
}

static void try_private_key(struct view in)
{
	struct private_key *key;
	char why[ENGINE_REASON_MAX];
	uint8_t sig[KEY_MAX_SIGNATURE];
	uint16_t scheme;
	size_t len;
	if (in.len == 0) {
		return;
	}
	enum private_key_form form = (enum private_key_form)(in.data[0] % 3);
	struct view der = view_of(in.data + 1, in.len - 1);
	uint8_t *copy = copy_of(der);
	if (private_key_parse(view_of(copy, der.len), form, &key, why) == ENGINE_OK &&
	    private_key_schemes(key, true, &scheme, 1) == 1 &&
	    private_key_sign(key, scheme, (const uint8_t *)"m", 1, sig, sizeof(sig), &len) == ENGINE_OK) {
		require(len <= sizeof(sig));
	}
	private_key_free(key);
	free(copy);
}

static void try_signature(struct view in)
{
	struct key_view key = {0};
	struct view spki = cut(&in);
	struct view sig = cut(&in);
	uint8_t *copy = copy_of(spki);
	if (key_view_parse(view_of(copy, spki.len), &key) == KEY_OK) {
		for (int kind = 0; kind < 4; kind++) {
			struct signature_algorithm how = {(enum signature_kind)kind, SIGNATURE_SHA256, 0};
			bool right = key_view_verify(&key, how, (const uint8_t *)"m", 1, sig.data, sig.len);
			require(!right || (how.kind == SIGNATURE_ED25519) == (key.kind == KEY_ED25519));
		}
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 1) {
		return 0;
	}
	struct view in = view_of(data + 1, len - 1);
	switch (data[0]) {
	case 0:
		try_chain(in);
		break;
	case 1:
	case 2:
		try_pem(in, data[0] == 2);
		break;
	case 3:
		try_private_key(in);
		break;
	case 4:
		try_signature(in);
		break;
	default:
		break;
	}
	return 0;
}
