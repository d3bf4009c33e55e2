/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of suites, groups, schemes and alerts, and the names in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/alert.h"
#include "engine/cpu.h"
#include "engine/suites.h"
#include "tests/lib/pair.h"

/* ---- suites ---- */

struct fact {
	uint16_t id;
	const char *name;
	uint16_t min_version;
	enum crypto_hash prf;
};

/* RFC 8446 B.4; RFC 5289 3.1, 3.2; RFC 8422 6; RFC 7905 2; RFC 5288 3; RFC 5246 A.5; RFC 3268 */
static const struct fact facts[] = {
	{0x1301, "TLS_AES_128_GCM_SHA256", ENGINE_TLS13, CRYPTO_SHA256},
	{0x1302, "TLS_AES_256_GCM_SHA384", ENGINE_TLS13, CRYPTO_SHA384},
	{0x1303, "TLS_CHACHA20_POLY1305_SHA256", ENGINE_TLS13, CRYPTO_SHA256},
	{0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", ENGINE_TLS12, CRYPTO_SHA384},
	{0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", ENGINE_TLS12, CRYPTO_SHA384},
	{0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384", ENGINE_TLS12, CRYPTO_SHA384},
	{0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", ENGINE_TLS12, CRYPTO_SHA384},
	{0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", ENGINE_TLS12, CRYPTO_SHA384},
	{0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", ENGINE_TLS12, CRYPTO_SHA384},
	{0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", ENGINE_TLS10, CRYPTO_SHA256},
	{0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", ENGINE_TLS10, CRYPTO_SHA256},
	{0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", ENGINE_TLS10, CRYPTO_SHA256},
	{0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", ENGINE_TLS10, CRYPTO_SHA256},
	{0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", ENGINE_TLS12, CRYPTO_SHA256},
	{0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA", ENGINE_TLS10, CRYPTO_SHA256},
	{0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", ENGINE_TLS10, CRYPTO_SHA256},
	{0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", ENGINE_TLS10, CRYPTO_SHA256},
	{0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", ENGINE_TLS10, CRYPTO_SHA256},
};

#define N_FACTS (sizeof(facts) / sizeof(facts[0]))

static bool has(const char *name, const char *part)
{
	return strstr(name, part) != NULL;
}

static bool ends(const char *name, const char *end)
{
	return strlen(name) >= strlen(end) && strcmp(name + strlen(name) - strlen(end), end) == 0;
}

/* All else follows from the name of a suite. */
static void check_suite(const struct suite *suite, const char *name)
{
	assert_int_equal(suite->kx, has(name, "_ECDHE_")  ? KX_ECDHE
				    : has(name, "_DHE_")  ? KX_DHE
				    : has(name, "_RSA_W") ? KX_RSA
							  : KX_TLS13);
	assert_int_equal(suite->auth, has(name, "_ECDSA_") ? AUTH_ECDSA
				      : has(name, "_RSA_") ? AUTH_RSA
							   : AUTH_TLS13);
	assert_int_equal(suite->key_len, has(name, "AES_128") ? 16 : 32);
	assert_int_equal(suite->is_cbc, has(name, "_CBC_"));
	if (suite->is_cbc) {
		assert_int_equal(suite->mac, ends(name, "_SHA")      ? CRYPTO_SHA1
					     : ends(name, "_SHA256") ? CRYPTO_SHA256
								     : CRYPTO_SHA384);
	} else {
		assert_int_equal(suite->aead, has(name, "CHACHA")    ? CRYPTO_CHACHA20_POLY1305
					      : has(name, "AES_128") ? CRYPTO_AES_128_GCM
								     : CRYPTO_AES_256_GCM);
		assert_int_equal(suite->key_len, crypto_aead_key_len(suite->aead));
		assert_int_equal(suite->hash, ends(name, "_SHA256") ? CRYPTO_SHA256 : CRYPTO_SHA384);
	}
	assert_true(suite->soft_limit < suite->hard_limit);
	/* RFC 8446 5.5 */
	assert_true(has(name, "CHACHA") || suite->hard_limit < (1ULL << 25) + 1);
}

static void test_suites_are_those_of_the_rfcs(void **unused)
{
	size_t n = 0;

	(void)unused;
	for (size_t i = 0; i < N_FACTS; i++) {
		const struct suite *suite = suite_find(facts[i].id);

		assert_non_null(suite);
		assert_int_equal(suite->id, facts[i].id);
		assert_string_equal(suite->name, facts[i].name);
		assert_int_equal(suite->min_version, facts[i].min_version);
		assert_int_equal(suite->version,
				 facts[i].min_version == ENGINE_TLS13 ? ENGINE_TLS13 : ENGINE_TLS12);
		assert_int_equal(suite->hash, facts[i].prf);
		check_suite(suite, facts[i].name);
	}
	while (engine_suite_at(n) != NULL) {
		n++;
	}
	assert_int_equal(n, N_FACTS);
}

/* NULL, export, DES, 3DES, RC4, anonymous, static DH, GREASE, CCM, SCSVs */
static void test_no_other_suite_is_known(void **unused)
{
	static const uint16_t refused[] = {0x0000, 0x0001, 0x0004, 0x0005, 0x0009, 0x000a, 0x0016,
					   0x0018, 0x001b, 0x0030, 0x0034, 0x003b, 0x008c, 0x00a6,
					   0x00ff, 0x0a0a, 0x1304, 0x1305, 0x5600, 0xc006, 0xc008,
					   0xc011, 0xc012, 0xc018, 0xc09c, 0xc0ac, 0xfafa};
	size_t n = 0;

	(void)unused;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_null(suite_find(refused[i]));
	}
	for (unsigned id = 0; id <= 0xffff; id++) {
		n += suite_find((uint16_t)id) != NULL;
	}
	assert_int_equal(n, N_FACTS);
}

static void check_profile(enum engine_profile profile, uint16_t version, size_t n_expected)
{
	const struct suite *suites[SUITES_MAX];
	struct algorithms algorithms;
	size_t n;

	algorithms_of_profile(profile, &algorithms);
	n = suites_preferred(&algorithms, version, false, suites);
	assert_int_equal(n, n_expected);
	for (size_t i = 0; i < n; i++) {
		assert_true(suite_is_allowed(&algorithms, suites[i]->id));
		assert_true(suites[i]->min_version <= version);
		if (profile != ENGINE_PROFILE_LEGACY) {
			/* RFC 9325 4.1, 4.2 */
			assert_true(!suites[i]->is_cbc && suites[i]->kx != KX_RSA && suites[i]->kx != KX_DHE);
		}
	}
}

static void test_profiles_have_suites_for_their_versions(void **unused)
{
	(void)unused;
	check_profile(ENGINE_PROFILE_MODERN, ENGINE_TLS13, 3);
	check_profile(ENGINE_PROFILE_MODERN, ENGINE_TLS12, 0);
	check_profile(ENGINE_PROFILE_DEFAULT, ENGINE_TLS13, 3);
	check_profile(ENGINE_PROFILE_DEFAULT, ENGINE_TLS12, 6);
	check_profile(ENGINE_PROFILE_DEFAULT, ENGINE_TLS11, 0);
	check_profile(ENGINE_PROFILE_DEFAULT, ENGINE_TLS10, 0);
	check_profile(ENGINE_PROFILE_LEGACY, ENGINE_TLS13, 3);
	check_profile(ENGINE_PROFILE_LEGACY, ENGINE_TLS12, N_FACTS - 3);
	/* those with AES-CBC and HMAC-SHA1 */
	check_profile(ENGINE_PROFILE_LEGACY, ENGINE_TLS11, 8);
	check_profile(ENGINE_PROFILE_LEGACY, ENGINE_TLS10, 8);
}

static void check_order(const struct algorithms *algorithms, uint16_t version, bool chacha_first,
			const uint16_t *expected, size_t n_expected)
{
	const struct suite *suites[SUITES_MAX];

	assert_int_equal(suites_preferred(algorithms, version, chacha_first, suites), n_expected);
	for (size_t i = 0; i < n_expected; i++) {
		assert_int_equal(suites[i]->id, expected[i]);
	}
}

#define CHECK_ORDER(version, chacha_first, ...)                                                              \
	check_order(&algorithms, version, chacha_first, (const uint16_t[]){__VA_ARGS__},                     \
		    sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

static void test_the_faster_cipher_leads(void **unused)
{
	struct algorithms algorithms;

	(void)unused;
	algorithms_of_profile(ENGINE_PROFILE_DEFAULT, &algorithms);
	if (cpu_has_aes()) {
		CHECK_ORDER(ENGINE_TLS13, false, 0x1301, 0x1302, 0x1303);
		CHECK_ORDER(ENGINE_TLS12, false, 0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca9, 0xcca8);
	} else {
		CHECK_ORDER(ENGINE_TLS13, false, 0x1303, 0x1301, 0x1302);
		CHECK_ORDER(ENGINE_TLS12, false, 0xcca9, 0xcca8, 0xc02b, 0xc02c, 0xc02f, 0xc030);
	}
	/* a client without the hardware */
	CHECK_ORDER(ENGINE_TLS13, true, 0x1303, 0x1301, 0x1302);
	CHECK_ORDER(ENGINE_TLS12, true, 0xcca9, 0xcca8, 0xc02b, 0xc02c, 0xc02f, 0xc030);
}

static void test_forward_secrecy_comes_first_and_cbc_last(void **unused)
{
	struct algorithms algorithms;

	(void)unused;
	algorithms_of_profile(ENGINE_PROFILE_LEGACY, &algorithms);
	CHECK_ORDER(ENGINE_TLS12, true, 0xcca9, 0xcca8, 0xc02b, 0xc02c, 0xc02f, 0xc030, 0xccaa, 0x009e,
		    0x009f, 0xc023, 0xc024, 0xc009, 0xc00a, 0xc027, 0xc028, 0xc013, 0xc014, 0x0067, 0x006b,
		    0x0033, 0x0039, 0x009c, 0x009d, 0x003c, 0x003d, 0x002f, 0x0035);
	CHECK_ORDER(ENGINE_TLS10, false, 0xc009, 0xc00a, 0xc013, 0xc014, 0x0033, 0x0039, 0x002f, 0x0035);
	CHECK_ORDER(ENGINE_TLS11, true, 0xc009, 0xc00a, 0xc013, 0xc014, 0x0033, 0x0039, 0x002f, 0x0035);
}

static void test_an_order_from_the_policy_counts(void **unused)
{
	struct algorithms algorithms = {
		.suites = {0x002f, 0x1303, 0xc030, 0x1301, 0xcca9, 0xc013},
		.n_suites = 6,
		.suites_are_ordered = true,
	};

	(void)unused;
	for (int chacha_first = 0; chacha_first < 2; chacha_first++) {
		CHECK_ORDER(ENGINE_TLS13, chacha_first != 0, 0x1303, 0x1301);
		CHECK_ORDER(ENGINE_TLS12, chacha_first != 0, 0x002f, 0xc030, 0xcca9, 0xc013);
		CHECK_ORDER(ENGINE_TLS10, chacha_first != 0, 0x002f, 0xc013);
	}
	assert_true(suite_is_allowed(&algorithms, 0xcca9));
	assert_false(suite_is_allowed(&algorithms, 0xcca8));
}

/* ---- groups and schemes ---- */

struct group_fact {
	uint16_t id;
	const char *name;
	enum crypto_group group;
	bool tls13_only, is_ffdhe;
};

/* RFC 8446 4.2.7; draft-ietf-tls-ecdhe-mlkem 4 */
static const struct group_fact group_facts[] = {
	{0x11ec, "X25519MLKEM768", CRYPTO_X25519MLKEM768, true, false},
	{0x001d, "x25519", CRYPTO_X25519, false, false},
	{0x0017, "secp256r1", CRYPTO_SECP256R1, false, false},
	{0x0018, "secp384r1", CRYPTO_SECP384R1, false, false},
	{0x0019, "secp521r1", CRYPTO_SECP521R1, false, false},
	{0x0100, "ffdhe2048", CRYPTO_FFDHE2048, false, true},
	{0x0101, "ffdhe3072", CRYPTO_FFDHE3072, false, true},
	{0x0102, "ffdhe4096", CRYPTO_FFDHE4096, false, true},
};

#define N_GROUP_FACTS (sizeof(group_facts) / sizeof(group_facts[0]))

static void test_groups_are_those_of_the_rfcs(void **unused)
{
	size_t n = 0;

	(void)unused;
	for (size_t i = 0; i < N_GROUP_FACTS; i++) {
		const struct group *group = group_find(group_facts[i].id);

		assert_non_null(group);
		assert_int_equal(group->id, group_facts[i].id);
		assert_string_equal(group->name, group_facts[i].name);
		assert_int_equal(group->group, group_facts[i].group);
		assert_int_equal(group->tls13_only, group_facts[i].tls13_only);
		assert_int_equal(group->is_ffdhe, group_facts[i].is_ffdhe);
		assert_true(crypto_group_share_len(group->group) <= CRYPTO_MAX_SHARE_LEN);
		assert_true(crypto_group_answer_len(group->group) <= CRYPTO_MAX_SHARE_LEN);
		assert_string_equal(engine_group_at(i), group_facts[i].name);
	}
	assert_null(engine_group_at(N_GROUP_FACTS));
	for (unsigned id = 0; id <= 0xffff; id++) {
		n += group_find((uint16_t)id) != NULL;
	}
	assert_int_equal(n, N_GROUP_FACTS);
}

static void test_profiles_have_groups_for_their_versions(void **unused)
{
	const size_t hybrids = crypto_has_mlkem() ? 1 : 0;
	const struct group *groups[GROUPS_MAX];
	struct algorithms algorithms;

	(void)unused;
	for (int profile = ENGINE_PROFILE_DEFAULT; profile <= ENGINE_PROFILE_LEGACY; profile++) {
		const size_t fields = profile == ENGINE_PROFILE_LEGACY ? 3 : 0;

		algorithms_of_profile((enum engine_profile)profile, &algorithms);
		assert_int_equal(groups_preferred(&algorithms, ENGINE_TLS13, groups), 4 + hybrids + fields);
		assert_int_equal(groups[0]->id, hybrids != 0 ? 0x11ec : 0x001d);
		assert_int_equal(groups[hybrids]->id, 0x001d);
		assert_int_equal(groups_preferred(&algorithms, ENGINE_TLS12, groups), 4 + fields);
		assert_int_equal(groups[0]->id, 0x001d);
		assert_int_equal(group_is_allowed(&algorithms, 0x11ec), hybrids != 0);
		assert_int_equal(group_is_allowed(&algorithms, 0x0100), fields != 0);
		assert_false(group_is_allowed(&algorithms, 0x001e));
	}
}

struct scheme_fact {
	uint16_t id;
	const char *name;
	bool tls13;
};

/* RFC 8446 4.2.3 */
static const struct scheme_fact scheme_facts[] = {
	{0x0401, "rsa_pkcs1_sha256", false},      {0x0501, "rsa_pkcs1_sha384", false},
	{0x0601, "rsa_pkcs1_sha512", false},      {0x0403, "ecdsa_secp256r1_sha256", true},
	{0x0503, "ecdsa_secp384r1_sha384", true}, {0x0603, "ecdsa_secp521r1_sha512", true},
	{0x0804, "rsa_pss_rsae_sha256", true},    {0x0805, "rsa_pss_rsae_sha384", true},
	{0x0806, "rsa_pss_rsae_sha512", true},    {0x0807, "ed25519", true},
	{0x0809, "rsa_pss_pss_sha256", true},     {0x080a, "rsa_pss_pss_sha384", true},
	{0x080b, "rsa_pss_pss_sha512", true},
};

#define N_SCHEME_FACTS (sizeof(scheme_facts) / sizeof(scheme_facts[0]))

static void test_schemes_are_those_of_the_rfcs(void **unused)
{
	struct algorithms algorithms;
	size_t n = 0;

	(void)unused;
	algorithms_of_profile(ENGINE_PROFILE_DEFAULT, &algorithms);
	for (size_t i = 0; i < N_SCHEME_FACTS; i++) {
		const struct scheme *scheme = scheme_find(scheme_facts[i].id);

		assert_non_null(scheme);
		assert_string_equal(scheme->name, scheme_facts[i].name);
		assert_int_equal(scheme->tls13, scheme_facts[i].tls13);
		assert_true(scheme->tls12);
		assert_true(scheme_is_allowed(&algorithms, scheme_facts[i].id));
	}
	/* neither MD5, SHA-1, SHA-224 nor DSA */
	for (unsigned id = 0; id <= 0xffff; id++) {
		n += scheme_find((uint16_t)id) != NULL;
	}
	assert_int_equal(n, N_SCHEME_FACTS);
	assert_int_equal(algorithms.n_schemes, N_SCHEME_FACTS);
	assert_false(scheme_is_allowed(&algorithms, 0x0201));
}

static void test_names(void **unused)
{
	(void)unused;
	assert_string_equal(engine_version_name(ENGINE_TLS13), "TLS 1.3");
	assert_string_equal(engine_version_name(0x0301), "TLS 1.0");
	assert_string_equal(engine_version_name(0), "unknown version");
	assert_string_equal(engine_suite_name(0x1303), "TLS_CHACHA20_POLY1305_SHA256");
	assert_string_equal(engine_suite_name(0), "unknown suite");
	assert_string_equal(engine_group_name(0x001d), "x25519");
	assert_string_equal(engine_group_name(0), "unknown group");
	assert_string_equal(engine_scheme_name(0x0403), "ecdsa_secp256r1_sha256");
	assert_string_equal(engine_scheme_name(0), "unknown scheme");
	for (int err = ENGINE_OK; err <= ENGINE_ERR_INTERNAL; err++) {
		assert_true(strlen(engine_err_name((enum engine_err)err)) > 1);
	}
}

static void test_alerts(void **unused)
{
	(void)unused;
	assert_string_equal(engine_alert_name(0), "close_notify");
	assert_string_equal(engine_alert_name(42), "bad_certificate");
	assert_string_equal(engine_alert_name(120), "no_application_protocol");
	assert_string_equal(engine_alert_name(200), "unknown alert");
	assert_int_equal(alert_to_err(ALERT_BAD_RECORD_MAC), ENGINE_ERR_BAD_RECORD);
	assert_int_equal(alert_to_err(ALERT_UNKNOWN_CA), ENGINE_ERR_VERIFY);
	assert_int_equal(alert_to_err(ALERT_HANDSHAKE_FAILURE), ENGINE_ERR_NEGOTIATION);
	assert_int_equal(alert_to_err(ALERT_INTERNAL_ERROR), ENGINE_ERR_INTERNAL);
	assert_int_equal(alert_to_err(200), ENGINE_ERR_PROTOCOL);
	/* every error has an alert that is one: 0 would be close_notify */
	for (int reason = REASON_INTERNAL; reason < REASON_COUNT; reason++) {
		assert_int_not_equal(reason_alert((enum reason)reason), 0);
		assert_true(strlen(reason_text((enum reason)reason)) > 10);
	}
	assert_int_equal(reason_alert((enum reason)250), ALERT_INTERNAL_ERROR);
	for (unsigned alert = 0; alert < 256; alert++) {
		assert_int_not_equal(alert_to_err((uint8_t)alert), ENGINE_OK);
		assert_true(strlen(alert_from_peer_text((uint8_t)alert)) < ENGINE_REASON_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suites_are_those_of_the_rfcs),
		cmocka_unit_test(test_no_other_suite_is_known),
		cmocka_unit_test(test_profiles_have_suites_for_their_versions),
		cmocka_unit_test(test_the_faster_cipher_leads),
		cmocka_unit_test(test_forward_secrecy_comes_first_and_cbc_last),
		cmocka_unit_test(test_an_order_from_the_policy_counts),
		cmocka_unit_test(test_groups_are_those_of_the_rfcs),
		cmocka_unit_test(test_profiles_have_groups_for_their_versions),
		cmocka_unit_test(test_schemes_are_those_of_the_rfcs),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_alerts),
	};

	return cmocka_run_group_tests_name("suites", tests, NULL, NULL);
}
