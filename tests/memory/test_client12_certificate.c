/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients of TLS 1.2 and older that are asked for a certificate: which one they show, and that they prove it.
 * RFC 5246 7.4.4, 7.4.6, 7.4.8
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/lib/fake12.h"
#include "tests/pki/pki.h"

static struct engine_config *server;
static struct fake12 fake;

static int setup(void **state)
{
	char why[ENGINE_REASON_MAX];

	if (pki_setup(state) != 0 || !fake12_init()) {
		return -1;
	}
	server = engine_config_new(ENGINE_SERVER);
	return pki_add_credential(server, "server.pem", "server.key", why) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	engine_config_unref(server);
	return 0;
}

/* A client with these certificates, separated by blanks. */
static struct engine_config *make_client(const char *names)
{
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	struct engine_trust *trust = pki_trust("ca.pem");
	char list[100], cert[64], key[64], why[ENGINE_REASON_MAX];
	char *rest = NULL;

	engine_config_set_trust(config, trust);
	engine_trust_unref(trust);
	engine_config_set_profile(config, ENGINE_PROFILE_LEGACY);
	assert_true(engine_config_set_versions(config, ENGINE_TLS10, ENGINE_TLS13));
	(void)snprintf(list, sizeof(list), "%s", names);
	for (char *name = strtok_r(list, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
		(void)snprintf(cert, sizeof(cert), "%s.pem", name);
		(void)snprintf(key, sizeof(key), "%s.key", name);
		if (!pki_add_credential(config, cert, key, why)) {
			fail_msg("%s: %s", name, why);
		}
	}
	return config;
}

/* Which of the client's credentials it has shown; -1: none. */
static int shown(void)
{
	struct rd in = fake.certificate;
	struct rd list, cert;

	assert_true(fake.got_certificate && rd_vec24(&in, &list, 0, 100000) && rd_end(&in));
	if (rd_end(&list)) {
		return -1;
	}
	assert_true(rd_vec24(&list, &cert, 1, 100000));
	for (size_t i = 0; i < fake.config->n_credentials; i++) {
		const struct der *leaf = &fake.config->credentials[i].chain[0];

		if (rd_equal(cert, rd_of(leaf->data, leaf->len))) {
			return (int)i;
		}
	}
	fail_msg("a certificate that nobody gave it");
	return -2;
}

/* The public half of a credential's key. */
static struct public_key *public_half(const struct credential *credential)
{
	const uint8_t *certs[] = {credential->chain[0].data};
	const size_t lens[] = {credential->chain[0].len};
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	const struct verify_request request = {.config = config,
					       .peer_role = ENGINE_CLIENT,
					       .certs = certs,
					       .cert_lens = lens,
					       .n_certs = 1,
					       .now = engine_now()};
	struct verify_result result;

	memset(&result, 0, sizeof(result));
	engine_config_set_verify(config, ENGINE_VERIFY_NONE);
	assert_int_equal(verify_chain(&request, &result), ENGINE_OK);
	assert_non_null(result.key);
	engine_config_unref(config);
	return result.key;
}

/* CertificateVerify signs every message up to it. RFC 5246 7.4.8 */
static void check_proof(int credential)
{
	const struct private_key *private = fake.config->credentials[credential].key;
	struct public_key *key = public_half(&fake.config->credentials[credential]);
	uint16_t scheme = fake.verify_scheme;
	uint8_t digest[CRYPTO_MAX_HASH_LEN];
	struct rd signed_bytes = fake.before_verify;

	assert_true(fake.got_verify);
	if (fake.version < ENGINE_TLS12) {
		const bool is_rsa = private_key_auth(private) == AUTH_RSA;

		assert_true(crypto_digest(CRYPTO_MD5_SHA1, signed_bytes.p, signed_bytes.left, digest));
		scheme = is_rsa ? SCHEME_MD5_SHA1_RSA : SCHEME_SHA1_ECDSA;
		signed_bytes = is_rsa ? rd_of(digest, 36) : rd_of(digest + 16, 20);
	}
	assert_true(public_key_verify(key, scheme, false, signed_bytes.p, signed_bytes.left, fake.verify.p,
				      fake.verify.left));
	public_key_free(key);
}

struct row {
	const char *name;
	const char *credentials;
	uint16_t version;
	const char *request; /* NULL: RSA and ECDSA, several schemes, no names */
	int shown;           /* -1: none */
	uint16_t scheme;     /* 0: any */
};

static void check_row(const struct row *row)
{
	const bool is_old = row->version != 0 && row->version < ENGINE_TLS12;
	const struct fake12_choice choice = {
		.version = row->version, .suite = is_old ? 0xc009 : 0xc02b, .request = true};
	const struct fake12_wrong request = {HS_CERTIFICATE_REQUEST, FAKE12_REPLACE, 0, row->request};
	int which;

	fake12_forget_sessions();
	fake12_begin(&fake, make_client(row->credentials), &server->credentials[0]);
	fake12_handshake(&fake, &choice, row->request != NULL ? &request : NULL);
	fake12_expect(&fake, 0, row->name);
	which = shown();
	if (which != row->shown) {
		fail_msg("%s: showed %d", row->name, which);
	}
	assert_int_equal(fake.got_verify, which >= 0);
	if (which >= 0) {
		check_proof(which);
	}
	if (row->scheme != 0) {
		assert_int_equal(fake.verify_scheme, row->scheme);
	}
	fake12_end(&fake);
}

/* clang-format off */
static void test_kinds_of_keys(void **unused)
{
	static const struct row rows[] = {
		{ "none", "", 0, NULL, -1, 0 },
		{ "ECDSA", "client", 0, NULL, 0, 0x0403 },
		{ "RSA", "client-rsa", 0, NULL, 0, 0x0804 },
		{ "Ed25519", "client-ed25519", 0, NULL, 0, 0x0807 },
		{ "P-384", "client-p384", 0, NULL, 0, 0 },
		{ "ECDSA in TLS 1.1", "client", ENGINE_TLS11, NULL, 0, 0 },
		{ "RSA in TLS 1.0", "client-rsa", ENGINE_TLS10, NULL, 0, 0 },
		{ "none in TLS 1.0", "", ENGINE_TLS10, NULL, -1, 0 },
		{ "RFC 8422 5.10: Ed25519 is not for TLS 1.1", "client-ed25519", ENGINE_TLS11, NULL, -1, 0 },
		{ "so another is shown", "client-ed25519 client-rsa", ENGINE_TLS11, NULL, 1, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_row(&rows[i]);
	}
}

static void test_types_and_schemes_choose(void **unused)
{
	static const struct row rows[] = {
		{ "RSA alone is asked for", "client", 0, "01 01 0004 0804 0401 0000", -1, 0 },
		{ "so RSA is shown", "client client-rsa", 0, "01 01 0004 0804 0401 0000", 1, 0x0804 },
		{ "ECDSA alone is asked for", "client-rsa", 0, "01 40 0004 0403 0804 0000", -1, 0 },
		{ "the type of RSA with schemes of ECDSA", "client-rsa client", 0, "01 01 0002 0403 0000", -1, 0 },
		{ "both types, but a scheme of RSA", "client client-rsa", 0, "02 40 01 0002 0601 0000", 1, 0x0601 },
		{ "SHA-1 alone", "client client-rsa", 0, "02 40 01 0004 0201 0203 0000", -1, 0 },
		{ "our order of schemes", "client-rsa", 0, "01 01 0006 0601 0401 0804 0000", 0, 0x0804 },
		{ "a scheme of ours only", "client-rsa", 0, "01 01 0002 0501 0000", 0, 0x0501 },
		{ "ECDSA is also for Ed25519", "client-ed25519", 0, "01 40 0002 0807 0000", 0, 0x0807 },
		{ "P-384 with SHA-256", "client-p384", 0, "01 40 0002 0403 0000", 0, 0x0403 },
		{ "fixed Diffie-Hellman", "client client-rsa", 0, "03 03 04 41 0004 0403 0804 0000", -1, 0 },
		{ "RSA in TLS 1.1", "client client-rsa", ENGINE_TLS11, "01 01 0000", 1, 0 },
		{ "ECDSA in TLS 1.0", "client-rsa client", ENGINE_TLS10, "01 40 0000", 1, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_row(&rows[i]);
	}
}
/* clang-format on */

/* A request with the issuer of a credential as its only name. */
static void request_from(const char *issuer, char *out, size_t size)
{
	struct pki_chain chain = {.n = 0};
	struct rd whole, tbs, skip, name = {NULL, 0};
	size_t at;

	pki_chain_add(&chain, issuer);
	/* Certificate, TBSCertificate, version, serial, signature, issuer: of a root, its own name */
	whole = rd_of(chain.der[0], chain.len[0]);
	assert_true(rd_bytes(&whole, &skip, 4) && rd_bytes(&whole, &skip, 4));
	tbs = whole;
	for (int i = 0; i < 4; i++) {
		struct rd peek = tbs;
		uint8_t tag, len = 0;

		assert_true(rd_u8(&peek, &tag) && rd_u8(&peek, &len) && len < 0x80);
		assert_true(rd_bytes(&tbs, &name, 2 + (size_t)len));
	}
	at = (size_t)snprintf(out, size, "02 40 01 0004 0403 0804 %04zx %04zx ", name.left + 2, name.left);
	for (size_t i = 0; i < name.left; i++) {
		at += (size_t)snprintf(out + at, size - at, "%02x", name.p[i]);
	}
	pki_chain_free(&chain);
}

/* RFC 5246 7.4.4: the names of the server's CAs. */
static void test_names_of_authorities_choose_among_several(void **unused)
{
	char by_ca[2048], by_other[2048];
	const struct row rows[] = {
		{"the one that fits", "client-other client", 0, by_ca, 1, 0},
		{"the other one", "client client-other", 0, by_other, 1, 0},
		{"the only one, though it does not fit", "client-other", 0, by_ca, 0, 0},
		{"the first, if none fits", "client client-rsa", 0, by_other, 0, 0},
	};

	(void)unused;
	request_from("ca.pem", by_ca, sizeof(by_ca));
	request_from("other-ca.pem", by_other, sizeof(by_other));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_row(&rows[i]);
	}
}

/* Without a request, nothing is shown. */
static void test_nothing_is_shown_unasked(void **unused)
{
	(void)unused;
	fake12_begin(&fake, make_client("client"), &server->credentials[0]);
	fake12_handshake(&fake, &(struct fake12_choice){.version = ENGINE_TLS12}, NULL);
	fake12_expect(&fake, 0, "no request");
	assert_false(fake.got_certificate || fake.got_verify);
	fake12_end(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_of_keys),
		cmocka_unit_test(test_types_and_schemes_choose),
		cmocka_unit_test(test_names_of_authorities_choose_among_several),
		cmocka_unit_test(test_nothing_is_shown_unasked),
	};

	return cmocka_run_group_tests_name("client12_certificate", tests, setup, teardown);
}
