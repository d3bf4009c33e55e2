/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a ClientHello offers to servers of TLS 1.2 and older, by configuration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/lib/fake12.h"

enum {
	SERVER_NAME = 0,
	STATUS_REQUEST = 5,
	SUPPORTED_GROUPS = 10,
	EC_POINT_FORMATS = 11,
	SIGNATURE_ALGORITHMS = 13,
	ENCRYPT_THEN_MAC = 22,
	EXTENDED_MASTER_SECRET = 23,
	RECORD_SIZE_LIMIT = 28,
	SESSION_TICKET = 35,
	SUPPORTED_VERSIONS = 43,
	KEY_SHARE = 51,
	RENEGOTIATION_INFO = 0xff01,
};

static struct fake12 fake;

static int setup(void **state)
{
	(void)state;
	return fake12_init() ? 0 : -1;
}

static struct engine_config *make_config(enum engine_profile profile, uint16_t min, uint16_t max)
{
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);

	engine_config_set_profile(config, profile);
	assert_true(engine_config_set_versions(config, min, max));
	return config;
}

static void set_suites(struct engine_config *config, const char *const *names, size_t n)
{
	char why[ENGINE_REASON_MAX];

	if (engine_config_set_suites(config, names, n, why) != ENGINE_OK) {
		fail_msg("%s", why);
	}
}

/* The extension's body is this. */
static void check_body(uint16_t type, const char *hex)
{
	uint8_t expected[128];
	const size_t len = fake12_hex(expected, sizeof(expected), hex);
	struct rd body;

	assert_true(fake12_offers(&fake, type, &body));
	assert_int_equal(body.left, len);
	assert_memory_equal(body.p, expected, len);
}

static bool offers(uint16_t type)
{
	return fake12_offers(&fake, type, NULL);
}

static void test_the_default(void **unused)
{
	struct rd session_id;
	uint16_t suite;

	(void)unused;
	fake12_begin(&fake, make_config(ENGINE_PROFILE_DEFAULT, ENGINE_TLS12, ENGINE_TLS13), NULL);
	assert_int_equal(fake.client_version, ENGINE_TLS12);
	check_body(SERVER_NAME, "000c 00 0009 6c6f63616c686f7374");
	check_body(STATUS_REQUEST, "01 0000 0000");
	check_body(EC_POINT_FORMATS, "01 00");
	check_body(EXTENDED_MASTER_SECRET, "");
	check_body(RECORD_SIZE_LIMIT, "4001");
	check_body(SESSION_TICKET, "");
	check_body(RENEGOTIATION_INFO, "00");
	check_body(SUPPORTED_VERSIONS, "04 0304 0303");
	assert_true(offers(SIGNATURE_ALGORITHMS) && offers(SUPPORTED_GROUPS) && offers(KEY_SHARE));
	assert_false(offers(ENCRYPT_THEN_MAC));
	/* RFC 8446 D.4 */
	session_id = fake.session_id;
	assert_int_equal(session_id.left, 32);
	/* nothing that RFC 9325 4.1 advises against */
	while (rd_u16(&fake.suites, &suite)) {
		const struct suite *row = suite_find(suite);

		assert_non_null(row);
		assert_true(!row->is_cbc && (row->kx == KX_TLS13 || row->kx == KX_ECDHE));
	}
	fake12_end(&fake);
}

static void test_tls_1_2_alone(void **unused)
{
	(void)unused;
	fake12_begin(&fake, make_config(ENGINE_PROFILE_DEFAULT, ENGINE_TLS12, ENGINE_TLS12), NULL);
	assert_int_equal(fake.client_version, ENGINE_TLS12);
	assert_int_equal(fake.session_id.left, 0);
	check_body(RECORD_SIZE_LIMIT, "4000");
	assert_true(offers(SIGNATURE_ALGORITHMS) && offers(SUPPORTED_GROUPS));
	assert_false(offers(SUPPORTED_VERSIONS) || offers(KEY_SHARE));
	fake12_end(&fake);
}

static void test_tls_1_3_alone(void **unused)
{
	(void)unused;
	fake12_begin(&fake, make_config(ENGINE_PROFILE_MODERN, ENGINE_TLS13, ENGINE_TLS13), NULL);
	assert_false(offers(EC_POINT_FORMATS) || offers(EXTENDED_MASTER_SECRET) ||
		     offers(RENEGOTIATION_INFO) || offers(SESSION_TICKET) || offers(ENCRYPT_THEN_MAC));
	check_body(SUPPORTED_VERSIONS, "02 0304");
	fake12_end(&fake);
}

/* RFC 5246 7.4.1.4.1: clients that offer nothing newer than TLS 1.1 have no signature_algorithms. */
static void test_tls_1_0_and_1_1(void **unused)
{
	uint16_t suite;

	(void)unused;
	fake12_begin(&fake, make_config(ENGINE_PROFILE_LEGACY, ENGINE_TLS10, ENGINE_TLS11), NULL);
	assert_int_equal(fake.client_version, ENGINE_TLS11);
	assert_false(offers(SIGNATURE_ALGORITHMS));
	assert_true(offers(SUPPORTED_GROUPS) && offers(ENCRYPT_THEN_MAC) && offers(EXTENDED_MASTER_SECRET));
	while (rd_u16(&fake.suites, &suite)) {
		assert_int_equal(suite_find(suite)->min_version, ENGINE_TLS10);
	}
	fake12_end(&fake);
	fake12_begin(&fake, make_config(ENGINE_PROFILE_LEGACY, ENGINE_TLS10, ENGINE_TLS13), NULL);
	assert_int_equal(fake.client_version, ENGINE_TLS12);
	check_body(SUPPORTED_VERSIONS, "08 0304 0303 0302 0301");
	fake12_end(&fake);
}

/* RFC 8422 5.1: curves and point formats with ECDHE alone; RFC 7919 3: FFDHE groups with DHE alone. */
static void test_groups_come_with_suites_that_use_them(void **unused)
{
	static const char *const rsa[] = {"TLS_RSA_WITH_AES_128_GCM_SHA256"};
	static const char *const dhe[] = {"TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"};
	static const char *const ecdhe[] = {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"};
	static const char *const all[] = {"TLS_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256"};
	struct engine_config *config;

	(void)unused;
	config = make_config(ENGINE_PROFILE_LEGACY, ENGINE_TLS12, ENGINE_TLS12);
	set_suites(config, rsa, 1);
	fake12_begin(&fake, config, NULL);
	assert_false(offers(SUPPORTED_GROUPS) || offers(EC_POINT_FORMATS) || offers(ENCRYPT_THEN_MAC));
	fake12_end(&fake);

	config = make_config(ENGINE_PROFILE_LEGACY, ENGINE_TLS12, ENGINE_TLS12);
	set_suites(config, dhe, 1);
	fake12_begin(&fake, config, NULL);
	check_body(SUPPORTED_GROUPS, "0006 0100 0101 0102");
	assert_false(offers(EC_POINT_FORMATS));
	fake12_end(&fake);

	config = make_config(ENGINE_PROFILE_LEGACY, ENGINE_TLS12, ENGINE_TLS12);
	set_suites(config, ecdhe, 1);
	fake12_begin(&fake, config, NULL);
	check_body(SUPPORTED_GROUPS, "0008 001d 0017 0018 0019");
	assert_true(offers(EC_POINT_FORMATS));
	fake12_end(&fake);

	config = make_config(ENGINE_PROFILE_LEGACY, ENGINE_TLS12, ENGINE_TLS13);
	set_suites(config, all, 2);
	fake12_begin(&fake, config, NULL);
	assert_true(offers(SUPPORTED_GROUPS));
	assert_false(offers(EC_POINT_FORMATS));
	fake12_end(&fake);
}

/* A suite that none of our groups goes with is not offered, and not taken either. */
static void test_ecdhe_needs_a_curve(void **unused)
{
	static const char *const groups[] = {"ffdhe2048"};
	struct engine_config *config = make_config(ENGINE_PROFILE_LEGACY, ENGINE_TLS12, ENGINE_TLS12);
	char why[ENGINE_REASON_MAX];
	uint16_t suite;

	(void)unused;
	assert_int_equal(engine_config_set_groups(config, groups, 1, why), ENGINE_OK);
	fake12_begin(&fake, config, NULL);
	check_body(SUPPORTED_GROUPS, "0002 0100");
	assert_false(offers(EC_POINT_FORMATS));
	while (rd_u16(&fake.suites, &suite)) {
		assert_int_not_equal(suite_find(suite)->kx, KX_ECDHE);
	}
	fake12_end(&fake);
}

static void test_without_sessions_no_tickets_are_asked_for(void **unused)
{
	struct engine_config *config = make_config(ENGINE_PROFILE_DEFAULT, ENGINE_TLS12, ENGINE_TLS13);
	static const uint8_t id[ENGINE_SESSION_ID_LEN];

	(void)unused;
	assert_true(engine_config_set_sessions(config, 0, id));
	fake12_begin(&fake, config, NULL);
	assert_false(offers(SESSION_TICKET));
	fake12_end(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_default),
		cmocka_unit_test(test_tls_1_2_alone),
		cmocka_unit_test(test_tls_1_3_alone),
		cmocka_unit_test(test_tls_1_0_and_1_1),
		cmocka_unit_test(test_groups_come_with_suites_that_use_them),
		cmocka_unit_test(test_ecdhe_needs_a_curve),
		cmocka_unit_test(test_without_sessions_no_tickets_are_asked_for),
	};

	return cmocka_run_group_tests_name("client12_offer", tests, setup, NULL);
}
