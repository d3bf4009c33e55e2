/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which path is found, how far the search goes, and what a configuration adds: pins, the common name.
 */
#include "tests/pki/pki.h"

#include "engine/alert.h"
#include "engine/x509_parse.h"

struct options {
	const char *pins; /* certificates with pinned keys */
	bool common_name;
	enum engine_verify verify;
};

struct test_case {
	const char *certs, *trust, *name;
	uint8_t alert;
	const char *reason;
	struct options options;
};

static void pin(struct engine_config *config, const char *names)
{
	struct pki_chain chain = {.n = 0};
	uint8_t digests[CONFIG_MAX_PINS][32];
	pki_chain_add(&chain, names);
	for (size_t i = 0; i < chain.n; i++) {
		struct certificate cert;
		const char *what;
		uint8_t digest[CRYPTO_MAX_HASH_LEN];
		assert_true(certificate_parse(view_of(chain.der[i], chain.len[i]), &cert, &what));
		assert_true(crypto_digest(CRYPTO_SHA256, cert.spki.data, cert.spki.len, digest));
		memcpy(digests[i], digest, 32);
	}
	assert_true(engine_config_set_pins(config, (const uint8_t(*)[32])digests, chain.n));
	pki_chain_free(&chain);
}

static void run(const struct test_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct engine_config *config = engine_config_new(ENGINE_CLIENT);
		struct engine_trust *trust = pki_trust(cases[i].trust);
		struct pki_chain chain = {.n = 0};
		struct verify_result result;
		engine_config_set_trust(config, trust);
		engine_config_set_verify(config, cases[i].options.verify);
		engine_config_set_common_name(config, cases[i].options.common_name);
		if (cases[i].options.pins != NULL) {
			pin(config, cases[i].options.pins);
		}
		pki_chain_add(&chain, cases[i].certs);
		struct verify_request request = {
			.config = config,
			.peer_role = ENGINE_SERVER,
			.certs = (const uint8_t *const *)chain.der,
			.cert_lens = chain.len,
			.n_certs = chain.n,
			.name = cases[i].name,
			.now = pki_now(),
		};
		enum engine_err err = verify_chain(&request, &result);
		bool right = result.alert == cases[i].alert && (err == ENGINE_OK) == (result.alert == 0) &&
			     (result.alert == 0 || strstr(result.reason, cases[i].reason) != NULL);
		if (!right) {
			fail_msg("%zu: %s: alert %u, \"%s\"", i, cases[i].certs, result.alert, result.reason);
		}
		if (getenv("SHOW_REASONS") != NULL) {
			print_message("%-20s %3u %s\n", cases[i].certs, result.alert, result.reason);
		}
		public_key_free(result.key);
		pki_chain_free(&chain);
		engine_trust_unref(trust);
		engine_config_unref(config);
	}
}

#define NORMAL                                                                                               \
	{                                                                                                    \
		.pins = NULL                                                                                 \
	}

/* clang-format off */
static void issuers_of_one_name_are_told_apart(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "under-many.pem many-1.pem many-2.pem many-3.pem many-4.pem many-5.pem many-6.pem many-7.pem many-8.pem", "ca.pem",
		  "localhost", 0, NULL, NORMAL },
		{ "under-many.pem many-8.pem many-1.pem", "ca.pem", "localhost", 0, NULL, NORMAL },
		/* without a key identifier to go by */
		{ "under-many-anonymous.pem many-1.pem many-2.pem many-3.pem many-4.pem many-5.pem many-6.pem many-7.pem many-8.pem",
		  "ca.pem", "localhost", 0, NULL, NORMAL },
		{ "under-many.pem many-1.pem many-2.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE,
		  "signature on the certificate of CN=under-many is wrong", NORMAL },
		{ "under-many.pem", "many-1.pem many-2.pem many-3.pem many-8.pem many-4.pem", "localhost", 0, NULL,
		  NORMAL },
		{ "under-many-anonymous.pem", "many-1.pem many-2.pem many-3.pem many-8.pem many-4.pem", "localhost",
		  0, NULL, NORMAL },
		{ "under-many.pem", "many-1.pem many-2.pem", "localhost", ALERT_UNKNOWN_CA,
		  "another CA has the same name", NORMAL },
	};
	run(cases, sizeof(cases) / sizeof(cases[0]));
}

static void an_expired_twin_does_no_harm(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "under-twin-inter.pem twin-inter-expired.pem twin-inter.pem", "ca.pem", "localhost", 0, NULL,
		  NORMAL },
		{ "under-twin-inter.pem twin-inter.pem twin-inter-expired.pem", "ca.pem", "localhost", 0, NULL,
		  NORMAL },
		{ "under-twin-inter.pem twin-inter-expired.pem", "ca.pem", "localhost", ALERT_CERTIFICATE_EXPIRED,
		  "CN=twin-inter expired", NORMAL },
		{ "under-twin-inter.pem", "twin-inter-expired.pem twin-inter.pem", "localhost", 0, NULL, NORMAL },
		{ "under-twin-inter.pem twin-inter.pem", "twin-inter-expired.pem ca.pem", "localhost", 0, NULL,
		  NORMAL },
		/* whichever is found, the name has the last word */
		{ "under-twin-inter.pem twin-inter-expired.pem twin-inter.pem", "ca.pem", "other.example", ALERT_BAD_CERTIFICATE,
		  "asked for other.example", NORMAL },
	};
	run(cases, sizeof(cases) / sizeof(cases[0]));
}

static void names_are_compared_without_case_and_spaces(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "under-spaced.pem spaced.pem", "ca.pem", "localhost", 0, NULL, NORMAL },
		{ "under-spaced.pem spaced-twin.pem", "ca.pem", "localhost", 0, NULL, NORMAL },
		{ "under-spaced.pem", "spaced-twin.pem", "localhost", 0, NULL, NORMAL },
		{ "under-spaced.pem spaced-other.pem", "ca.pem", "localhost", ALERT_UNKNOWN_CA,
		  "issuer CN=The  Sub CA of", NORMAL },
	};
	run(cases, sizeof(cases) / sizeof(cases[0]));
}

static void policies_hold_where_they_are_demanded(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "under-policy.pem policy-ca.pem", "ca.pem", "localhost", 0, NULL, NORMAL },
		{ "under-policy-any.pem policy-ca.pem", "ca.pem", "localhost", 0, NULL, NORMAL },
		{ "under-policy-other.pem policy-ca.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE,
		  "certificate of CN=under-policy-other: it has no certificate policy that holds on the whole path", NORMAL },
		{ "under-policy-none.pem policy-ca.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE, "policy",
		  NORMAL },
		{ "under-mapping.pem mapping-ca.pem", "ca.pem", "localhost", 0, NULL, NORMAL },
		{ "under-mapping-unmapped.pem mapping-ca.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE, "policy",
		  NORMAL },
		{ "under-no-any.pem no-any-ca.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE, "policy", NORMAL },
		{ "under-maps-any.pem maps-any-ca.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE,
		  "it maps anyPolicy", NORMAL },
		{ "under-late-policy.pem late-policy-ca.pem", "ca.pem", "localhost", 0, NULL, NORMAL },
		/* an anchor's own word counts for nothing here: the path begins below it */
		{ "under-policy-none.pem", "policy-ca.pem", "localhost", 0, NULL, NORMAL },
	};
	run(cases, sizeof(cases) / sizeof(cases[0]));
}

static void the_search_has_an_end(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "under-maze.pem maze-9.pem maze-8.pem maze-7.pem maze-6.pem maze-5.pem maze-4.pem maze-3.pem maze-2.pem maze-1.pem",
		  "ca.pem", "localhost", ALERT_BAD_CERTIFICATE, "takes too long to check", NORMAL },
		{ "under-maze.pem maze-1.pem maze-2.pem maze-3.pem maze-4.pem maze-5.pem maze-6.pem maze-7.pem maze-8.pem maze-9.pem",
		  "maze-9.pem", "localhost", 0, NULL, NORMAL },
		/* ten certificates, and one more than that */
		{ "chain-under-deep-9.pem", "ca.pem", "localhost", 0, NULL, NORMAL },
		{ "under-deep-10.pem deep-10.pem deep-9.pem deep-8.pem deep-7.pem deep-6.pem deep-5.pem deep-4.pem deep-3.pem deep-2.pem",
		  "ca.pem", "localhost", ALERT_UNKNOWN_CA, "CN=deep-1", NORMAL },
	};
	run(cases, sizeof(cases) / sizeof(cases[0]));
}

static void pins_are_on_the_path(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "chain-under-inter.pem", "ca.pem", "localhost", 0, NULL, { .pins = "under-inter.pem" } },
		{ "chain-under-inter.pem", "ca.pem", "localhost", 0, NULL, { .pins = "inter.pem" } },
		{ "chain-under-inter.pem", "ca.pem", "localhost", 0, NULL, { .pins = "ca.pem" } },
		{ "chain-under-inter.pem", "ca.pem", "localhost", 0, NULL,
		  { .pins = "other-ca.pem ca-rsa.pem inter.pem" } },
		{ "chain-under-inter.pem", "ca.pem", "localhost", ALERT_CERTIFICATE_UNKNOWN,
		  "no certificate of the server's chain has a pinned key", { .pins = "other-ca.pem inter2.pem" } },
		/* sent along is not on the path */
		{ "chain-under-inter.pem other-ca.pem", "ca.pem", "localhost", ALERT_CERTIFICATE_UNKNOWN, "pinned",
		  { .pins = "other-ca.pem" } },
		/* of two ways the one with the key is gone */
		{ "under-bridge.pem bridge.pem bridge-b.pem", "root-a.pem root-b.pem", "localhost", 0, NULL,
		  { .pins = "root-a.pem" } },
		{ "under-bridge.pem bridge.pem bridge-b.pem", "root-a.pem root-b.pem", "localhost", 0, NULL,
		  { .pins = "root-b.pem" } },
		/* a pin is no trust, and no name */
		{ "chain-under-inter.pem", "other-ca.pem", "localhost", ALERT_UNKNOWN_CA, "", { .pins = "inter.pem" } },
		{ "chain-under-inter.pem", "ca.pem", "other.example", ALERT_BAD_CERTIFICATE, "other.example",
		  { .pins = "inter.pem" } },
		{ "chain-under-inter.pem", "other-ca.pem", "x", 0, NULL, { .pins = "under-inter.pem",
		  .verify = ENGINE_VERIFY_NONE } },
		{ "chain-under-inter.pem", "other-ca.pem", "x", ALERT_CERTIFICATE_UNKNOWN, "pinned",
		  { .pins = "inter.pem", .verify = ENGINE_VERIFY_NONE } },
		{ "server.pem", "server.pem", "localhost", 0, NULL, { .pins = "server.pem" } },
		{ "server.pem", "server.pem", "localhost", ALERT_CERTIFICATE_UNKNOWN, "pinned", { .pins = "ca.pem" } },
	};
	run(cases, sizeof(cases) / sizeof(cases[0]));
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	static const uint8_t digests[CONFIG_MAX_PINS + 1][32];
	assert_false(engine_config_set_pins(config, digests, 0));
	assert_false(engine_config_set_pins(config, digests, CONFIG_MAX_PINS + 1));
	assert_true(engine_config_set_pins(config, digests, CONFIG_MAX_PINS));
	assert_int_equal(config->n_pins, CONFIG_MAX_PINS);
	engine_config_unref(config);
}

#define CN { .common_name = true }
static void the_common_name_counts_where_it_is_asked_for(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "no-san.pem", "ca.pem", "localhost", 0, NULL, CN },
		{ "no-san.pem", "ca.pem", "LOCALHOST.", 0, NULL, CN },
		{ "no-san.pem", "ca.pem", "other.example", ALERT_BAD_CERTIFICATE,
		  "has no subject alternative name; the program asked for", CN },
		{ "no-san.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE, "(a CN does not count)", NORMAL },
		{ "cn-ip.pem", "ca.pem", "127.0.0.1", 0, NULL, CN },
		{ "cn-ip.pem", "ca.pem", "127.0.0.2", ALERT_BAD_CERTIFICATE, "", CN },
		{ "cn-wildcard.pem", "ca.pem", "a.example.com", 0, NULL, CN },
		{ "cn-wildcard.pem", "ca.pem", "a.b.example.com", ALERT_BAD_CERTIFICATE, "", CN },
		{ "cn-several.pem", "ca.pem", "second.example", 0, NULL, CN },
		{ "cn-several.pem", "ca.pem", "first.example", ALERT_BAD_CERTIFICATE, "", CN },
		/* names of other kinds are no names of servers; those that are count alone */
		{ "cn-uri.pem", "ca.pem", "localhost", 0, NULL, CN },
		{ "server.pem", "ca.pem", "server", ALERT_BAD_CERTIFICATE, "", CN },
		{ "ip-only.pem", "ca.pem", "ip-only", ALERT_BAD_CERTIFICATE, "", CN },
		/* where it counts, it is bound as the name that it stands for */
		{ "nc-cn-good.pem nc.pem", "ca.pem", "a.example.com", 0, NULL, CN },
		{ "nc-cn-bad.pem nc.pem", "ca.pem", "a.example.org", ALERT_BAD_CERTIFICATE, "outside", CN },
		{ "nc-cn-ip-bad.pem nc.pem", "ca.pem", "11.1.2.3", ALERT_BAD_CERTIFICATE, "outside", CN },
	};
	run(cases, sizeof(cases) / sizeof(cases[0]));
}
/* clang-format on */

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(issuers_of_one_name_are_told_apart),
		cmocka_unit_test(an_expired_twin_does_no_harm),
		cmocka_unit_test(names_are_compared_without_case_and_spaces),
		cmocka_unit_test(policies_hold_where_they_are_demanded),
		cmocka_unit_test(the_search_has_an_end),
		cmocka_unit_test(pins_are_on_the_path),
		cmocka_unit_test(the_common_name_counts_where_it_is_asked_for),
	};
	return cmocka_run_group_tests(tests, pki_setup, NULL);
}
