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
#include "engine/suites.h"
#include "tests/lib/pair.h"

static void test_suites_are_found_and_ordered(void **unused)
{
	const struct suite *suites[SUITES_MAX];
	struct algorithms algorithms;
	size_t n;

	(void)unused;
	algorithms_of_profile(ENGINE_PROFILE_DEFAULT, &algorithms);
	n = suites_preferred(&algorithms, ENGINE_TLS13, false, suites);
	assert_int_equal(n, 3);
	assert_int_equal(suites[0]->id, crypto_has_aes_hardware() ? 0x1301 : 0x1303);
	n = suites_preferred(&algorithms, ENGINE_TLS13, true, suites);
	assert_int_equal(n, 3);
	assert_int_equal(suites[0]->id, 0x1303);
	assert_int_equal(suites[1]->id, 0x1301);
	assert_int_equal(suites[2]->id, 0x1302);
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(suite_find(suites[i]->id), suites[i]);
		assert_true(suites[i]->soft_limit < suites[i]->hard_limit);
	}
	assert_int_equal(suites_preferred(&algorithms, ENGINE_TLS11, false, suites), 0);
	assert_null(suite_find(0x1304));
	assert_null(suite_find(0x0a0a));
	assert_int_equal(suite_find(0x1302)->hash, CRYPTO_SHA384);
}

static void test_groups_and_schemes(void **unused)
{
	const struct group *groups[GROUPS_MAX];
	struct algorithms algorithms;
	size_t n;

	(void)unused;
	algorithms_of_profile(ENGINE_PROFILE_DEFAULT, &algorithms);
	n = groups_preferred(&algorithms, ENGINE_TLS13, groups);
	assert_true(n >= 3);
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(group_find(groups[i]->id), groups[i]);
		assert_true(crypto_group_share_len(groups[i]->group) <= CRYPTO_MAX_SHARE_LEN);
	}
	assert_null(group_find(0x001e));
	for (size_t i = 0; i < algorithms.n_schemes; i++) {
		assert_non_null(scheme_find(algorithms.schemes[i]));
		/* neither SHA-1 nor MD5, RFC 8446 4.2.3 */
		assert_int_not_equal(algorithms.schemes[i] >> 8, 2);
		assert_int_not_equal(algorithms.schemes[i] >> 8, 1);
	}
	assert_false(scheme_find(0x0401)->tls13);
	assert_true(scheme_find(0x0804)->tls13);
	assert_null(scheme_find(0x0201));
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
		cmocka_unit_test(test_suites_are_found_and_ordered),
		cmocka_unit_test(test_groups_and_schemes),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_alerts),
	};

	return cmocka_run_group_tests_name("suites", tests, NULL, NULL);
}
