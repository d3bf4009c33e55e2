/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OCSP responses made by OpenSSL, good and bad: what becomes of the chains that they are stapled to, and which a server
 * takes for its own.
 */
#include "tests/pki/pki.h"

#include "engine/alert.h"
#include "engine/x509_ocsp.h"

struct options {
	bool required, asked;
	int64_t later; /* than the responses were made, in seconds */
	const char *crls;
	enum engine_verify verify;
};

static uint8_t verify(const char *trust_names, const struct pki_chain *chain, const char *ocsp,
		      size_t ocsp_len, struct options options, char reason[static ENGINE_REASON_MAX])
{
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	struct engine_trust *trust = pki_trust(trust_names);
	engine_config_set_trust(config, trust);
	engine_config_set_verify(config, options.verify);
	engine_config_require_ocsp(config, options.required);
	if (options.crls != NULL) {
		size_t len;
		char *text = pki_text(options.crls, &len);
		assert_int_equal(engine_config_add_crl(config, (const uint8_t *)text, len, reason),
				 ENGINE_OK);
		free(text);
	}
	struct verify_request request = {
		.config = config,
		.peer_role = ENGINE_SERVER,
		.certs = (const uint8_t *const *)chain->der,
		.cert_lens = chain->len,
		.n_certs = chain->n,
		.now = pki_made() + options.later,
		.ocsp = (const uint8_t *)ocsp,
		.ocsp_len = ocsp_len,
		.ocsp_asked = options.asked,
	};
	struct verify_result result;
	enum engine_err err = verify_chain(&request, &result);
	assert_true((err == ENGINE_OK) == (result.alert == 0));
	assert_true(err == ENGINE_OK || err == ENGINE_ERR_VERIFY);
	public_key_free(result.key);
	memcpy(reason, result.reason, ENGINE_REASON_MAX);
	engine_trust_unref(trust);
	engine_config_unref(config);
	return result.alert;
}

struct test_case {
	const char *ocsp, *certs, *trust;
	uint8_t alert;
	const char *reason;
	struct options options;
};

static void run(const struct test_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char why[ENGINE_REASON_MAX] = "";
		struct pki_chain chain = {.n = 0};
		size_t len = 0;
		char *ocsp = cases[i].ocsp == NULL ? NULL : pki_text(cases[i].ocsp, &len);
		pki_chain_add(&chain, cases[i].certs);
		uint8_t alert = verify(cases[i].trust, &chain, ocsp, len, cases[i].options, why);
		if (alert != cases[i].alert || (alert != 0 && strstr(why, cases[i].reason) == NULL)) {
			fail_msg("%zu: %s, %s: alert %u, \"%s\"", i,
				 cases[i].ocsp == NULL ? "none" : cases[i].ocsp, cases[i].certs, alert, why);
		}
		if (getenv("SHOW_REASONS") != NULL) {
			print_message("%-20s %3u %s\n", cases[i].ocsp == NULL ? "none" : cases[i].ocsp, alert,
				      why);
		}
		free(ocsp);
		pki_chain_free(&chain);
	}
}

#define UNUSABLE ALERT_BAD_CERTIFICATE_STATUS_RESPONSE
#define NORMAL                                                                                               \
	{                                                                                                    \
		.required = false                                                                            \
	}

/* clang-format off */
static void good_responses_pass(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "good.ocsp", "server.pem", "ca.pem", 0, NULL, NORMAL },
		{ "good.ocsp", "server.pem", "ca.pem", 0, NULL, { .required = true } },
		{ "good-responder.ocsp", "server.pem", "ca.pem", 0, NULL, NORMAL },
		{ "good-by-key.ocsp", "server.pem", "ca.pem", 0, NULL, NORMAL },
		{ "good-ca-by-key.ocsp", "server.pem", "ca.pem", 0, NULL, NORMAL },
		{ "good-no-certs.ocsp", "server.pem", "ca.pem", 0, NULL, NORMAL },
		{ "good-no-next.ocsp", "server.pem", "ca.pem", 0, NULL, NORMAL },
		{ "good-sha256.ocsp", "server.pem", "ca.pem", 0, NULL, NORMAL },
		{ "both.ocsp", "server.pem", "ca.pem", 0, NULL, NORMAL },
		{ "rsa.ocsp", "server-rsa2048.pem", "ca-rsa.pem", 0, NULL, NORMAL },
		{ "under-inter.ocsp", "chain-under-inter.pem", "ca.pem", 0, NULL, NORMAL },
		{ "must-staple.ocsp", "must-staple.pem", "ca.pem", 0, NULL, { .asked = true } },
		/* clocks differ by minutes */
		{ "good.ocsp", "server.pem", "ca.pem", 0, NULL, { .later = -60 } },
		{ "good.ocsp", "server.pem", "ca.pem", 0, NULL, { .later = 6 * 86400 } },
		/* a responder whose certificate says that it need not be checked, and one that is checked */
		{ "good-responder.ocsp", "server.pem", "ca.pem", 0, NULL, { .crls = "none.crl" } },
		{ "good-checked.ocsp", "server.pem", "ca.pem", 0, NULL, { .crls = "none.crl" } },
		{ NULL, "server.pem", "ca.pem", 0, NULL, { .asked = true } },
		{ NULL, "must-staple.pem", "ca.pem", 0, NULL, NORMAL },
	};
	run(cases, sizeof(cases) / sizeof(cases[0]));
}

static void bad_responses_are_refused(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "revoked.ocsp", "server.pem", "ca.pem", ALERT_CERTIFICATE_REVOKED,
		  "CN=server was revoked on 2024-01-02", NORMAL },
		{ "revoked.ocsp", "server.pem", "ca.pem", ALERT_CERTIFICATE_REVOKED, "revoked",
		  { .later = 20 * 86400 } },
		{ "unknown.ocsp", "server.pem", "ca.pem", UNUSABLE, "does not know it", NORMAL },
		{ "other-cert.ocsp", "server.pem", "ca.pem", UNUSABLE, "another certificate", NORMAL },
		{ "good.ocsp", "server-ed25519.pem", "ca.pem", UNUSABLE, "another certificate", NORMAL },
		{ "good.ocsp", "server.pem", "ca.pem", UNUSABLE, "it has expired on 20", { .later = 8 * 86400 } },
		{ "good-no-next.ocsp", "server.pem", "ca.pem", UNUSABLE, "it has expired on", { .later = 2 * 86400 } },
		{ "good.ocsp", "server.pem", "ca.pem", UNUSABLE, "it is not valid before 20", { .later = -1800 } },
		{ "unauthorized.ocsp", "server.pem", "ca.pem", UNUSABLE, "answered with an error", NORMAL },
		{ "sha1.ocsp", "server-rsa2048.pem", "ca-rsa.pem", UNUSABLE, "SHA-1", NORMAL },
		{ "by-server.ocsp", "server.pem", "ca.pem", UNUSABLE, "not fit for it", NORMAL },
		{ "by-no-usage.ocsp", "server.pem", "ca.pem", UNUSABLE, "not fit for it", NORMAL },
		{ "by-other.ocsp", "server.pem", "ca.pem", UNUSABLE, "not fit for it", NORMAL },
		{ "by-inter.ocsp", "server.pem", "ca.pem", UNUSABLE, "not fit for it", NORMAL },
		{ "by-expired.ocsp", "server.pem", "ca.pem", UNUSABLE, "expired", NORMAL },
		{ "responder-no-certs.ocsp", "server.pem", "ca.pem", UNUSABLE, "not signed by the issuer", NORMAL },
		{ "good-checked.ocsp", "server.pem", "ca.pem", UNUSABLE, "responder is revoked",
		  { .crls = "revoked-responder.crl" } },
		/* the twin of its issuer: same name, other key */
		{ "good.ocsp", "by-twin.pem", "ca-twin.pem", UNUSABLE, "another certificate", NORMAL },
		{ "server.pem", "server.pem", "ca.pem", UNUSABLE, "malformed", NORMAL },
		/* none, where one is due */
		{ NULL, "server.pem", "ca.pem", UNUSABLE, "stapled no OCSP response, which is required",
		  { .required = true } },
		{ NULL, "must-staple.pem", "ca.pem", UNUSABLE, "though its certificate says that it would",
		  { .asked = true } },
		/* the certificate is trusted by itself: nobody is asked, unless that is required */
		{ "good.ocsp", "server.pem", "server.pem", UNUSABLE, "trusted by itself", { .required = true } },
		{ "revoked.ocsp", "server.pem", "server.pem", 0, NULL, NORMAL },
		/* the chain comes first */
		{ "good.ocsp", "server.pem", "other-ca.pem", ALERT_UNKNOWN_CA, "not in the trust file",
		  { .required = true } },
		{ "revoked.ocsp", "server.pem", "", 0, NULL, { .verify = ENGINE_VERIFY_NONE } },
	};
	run(cases, sizeof(cases) / sizeof(cases[0]));
}
/* clang-format on */

/* Everything is signed or checked, but for the certificates that come with a response. */
static void no_bit_of_a_response_can_change(void **state)
{
	(void)state;
	struct pki_chain chain = {.n = 0};
	char why[ENGINE_REASON_MAX];
	size_t len;
	char *ocsp = pki_text("good-no-certs.ocsp", &len);
	pki_chain_add(&chain, "server.pem");
	for (size_t i = 0; i < len; i++) {
		ocsp[i] = (char)(ocsp[i] ^ (1 << (i % 8)));
		if (verify("ca.pem", &chain, ocsp, len, (struct options)NORMAL, why) == 0) {
			fail_msg("byte %zu", i);
		}
		ocsp[i] = (char)(ocsp[i] ^ (1 << (i % 8)));
	}
	for (size_t cut = 1; cut < len; cut++) {
		assert_int_equal(verify("ca.pem", &chain, ocsp, cut, (struct options)NORMAL, why), UNUSABLE);
	}
	assert_int_equal(verify("ca.pem", &chain, ocsp, len, (struct options)NORMAL, why), 0);
	free(ocsp);
	pki_chain_free(&chain);
}

static void servers_staple_what_is_for_them(void **state)
{
	(void)state;
	static const struct {
		const char *cert, *key, *ocsp, *reason;
	} cases[] = {
		{"server.pem", "server.key", "good.ocsp", NULL},
		{"server.pem", "server.key", "good-responder.ocsp", NULL},
		{"server.pem", "server.key", "good-sha256.ocsp", NULL},
		{"server.pem", "server.key", "both.ocsp", NULL},
		{"chain-under-inter.pem", "under-inter.key", "under-inter.ocsp", NULL},
		{"server.pem", "server.key", "revoked.ocsp", "says that the certificate is revoked"},
		{"server.pem", "server.key", "unknown.ocsp", "does not know it"},
		{"server.pem", "server.key", "other-cert.ocsp", "about another certificate"},
		{"server.pem", "server.key", "under-inter.ocsp", "about another certificate"},
		{"server.pem", "server.key", "unauthorized.ocsp", "answered with an error"},
		{"server.pem", "server.key", "server.pem", "malformed"},
	};
	char why[ENGINE_REASON_MAX];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct engine_config *config = engine_config_new(ENGINE_SERVER);
		size_t len;
		char *ocsp = pki_text(cases[i].ocsp, &len);
		assert_int_equal(engine_config_set_ocsp_response(config, (const uint8_t *)ocsp, len, why),
				 ENGINE_ERR_CONFIG);
		assert_non_null(strstr(why, "no certificate"));
		assert_true(pki_add_credential(config, cases[i].cert, cases[i].key, why));
		const struct credential *credential = &config->credentials[0];
		enum engine_err err =
			engine_config_set_ocsp_response(config, (const uint8_t *)ocsp, len, why);
		assert_int_equal(err, cases[i].reason == NULL ? ENGINE_OK : ENGINE_ERR_CONFIG);
		struct rd staple = credential_ocsp(credential, pki_now());
		if (cases[i].reason != NULL) {
			if (strstr(why, cases[i].reason) == NULL) {
				fail_msg("%s: %s", cases[i].ocsp, why);
			}
			assert_int_equal(staple.left, 0);
		} else {
			assert_int_equal(staple.left, len);
			assert_memory_equal(staple.p, ocsp, len);
			/* one that has expired would do harm */
			assert_int_equal(credential_ocsp(credential, pki_now() + 9 * 86400).left, 0);
			/* set again, and taken away */
			assert_int_equal(engine_config_set_ocsp_response(config, (const uint8_t *)ocsp, len,
									 why),
					 ENGINE_OK);
			assert_int_equal(engine_config_set_ocsp_response(config, NULL, 0, why), ENGINE_OK);
			assert_int_equal(credential_ocsp(credential, pki_now()).left, 0);
		}
		free(ocsp);
		engine_config_unref(config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_responses_pass),
		cmocka_unit_test(bad_responses_are_refused),
		cmocka_unit_test(no_bit_of_a_response_can_change),
		cmocka_unit_test(servers_staple_what_is_for_them),
	};
	return cmocka_run_group_tests(tests, pki_setup, NULL);
}
