/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key schedule beyond what the traces of RFC 8448 show: the longer hash, updates, bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/keysched13.h"
#include "tests/lib/pair.h"

static void test_labels_have_bounds(void **unused)
{
	uint8_t secret[32] = {1}, context[256] = {0}, out[16];

	(void)unused;
	assert_true(keysched13_expand_label(CRYPTO_SHA256, secret, 32, "key", context, 255, out, 16));
	assert_false(
		keysched13_expand_label(CRYPTO_SHA256, secret, 32, "c hs traffic", context, 256, out, 16));
}

static void test_both_directions_differ_and_updates_go_on(void **unused)
{
	static const uint16_t ids[] = {0x1301, 0x1302, 0x1303};
	uint8_t shared[32] = {5}, hash[CRYPTO_MAX_HASH_LEN] = {6};

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		const struct suite *suite = suite_find(ids[i]);
		struct engine_keys client = {.seq = 9}, server = {.seq = 9};
		struct engine_keys before;
		struct keysched13 ks = {.stage = KEYSCHED13_NONE};

		assert_true(keysched13_init(&ks, suite, NULL, 0));
		assert_true(keysched13_derive_handshake(&ks, shared, sizeof(shared), hash));
		assert_true(keysched13_derive_application(&ks, hash));
		assert_int_equal(ks.client_application_traffic_secret.len, crypto_hash_len(suite->hash));
		assert_true(
			keysched13_traffic_keys(suite, ks.client_application_traffic_secret.data, &client));
		assert_true(
			keysched13_traffic_keys(suite, ks.server_application_traffic_secret.data, &server));
		assert_memory_not_equal(client.key, server.key, 16);
		assert_memory_not_equal(client.iv, server.iv, 12);
		for (int n = 0; n < 3; n++) {
			before = client;
			client.seq = 77;
			assert_true(keysched13_update_keys(suite, &client));
			assert_int_equal(client.seq, 0);
			assert_int_equal(client.epoch, before.epoch + 1);
			assert_memory_not_equal(client.key, before.key, 16);
			assert_memory_not_equal(client.iv, before.iv, 12);
			assert_memory_not_equal(client.secret, before.secret, 32);
		}
		keysched13_wipe(&ks);
		assert_true(secret_is_zero(&ks, sizeof(ks)));
	}
}

static void test_finished_depends_on_all_it_is_made_of(void **unused)
{
	const struct suite *suite = suite_find(0x1302);
	struct secret key = {.len = 48, .data = {1}};
	uint8_t hash[CRYPTO_MAX_HASH_LEN] = {2};
	uint8_t a[CRYPTO_MAX_HASH_LEN], b[CRYPTO_MAX_HASH_LEN];

	(void)unused;
	assert_true(keysched13_finished(suite, &key, hash, a));
	assert_true(keysched13_finished(suite, &key, hash, b));
	assert_memory_equal(a, b, 48);
	hash[47] ^= 1;
	assert_true(keysched13_finished(suite, &key, hash, b));
	assert_memory_not_equal(a, b, 48);
	hash[47] ^= 1;
	key.data[47] ^= 1;
	assert_true(keysched13_finished(suite, &key, hash, b));
	assert_memory_not_equal(a, b, 48);
}

static int setup(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels_have_bounds),
		cmocka_unit_test(test_both_directions_differ_and_updates_go_on),
		cmocka_unit_test(test_finished_depends_on_all_it_is_made_of),
	};

	return cmocka_run_group_tests_name("keysched13", tests, setup, NULL);
}
