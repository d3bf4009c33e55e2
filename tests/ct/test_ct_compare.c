/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparing of secrets: tags, Finished, and the masks that constant-time code is made of. The first tests see that
 * leaks are found at all.
 */
#include "tests/ct/ct.h"

#include "engine/crypto.h"
#include "engine/ct.h"
#include "engine/keysched13.h"
#include "engine/secret.h"

#define LEN 48

static uint8_t a[LEN], b[LEN];

static void make_secrets(void)
{
	memset(a, 'a', sizeof(a));
	memcpy(b, a, sizeof(b));
	ct_secret(a, sizeof(a));
}

/* ---- negative controls ---- */

static bool leaky_equal(const uint8_t *x, const uint8_t *y, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (x[i] != y[i]) {
			return false;
		}
	}
	return true;
}

static void test_a_compare_that_stops_early_is_found(void **unused)
{
	const unsigned before = ct_leaks();
	volatile bool same;

	(void)unused;
	make_secrets();
	same = leaky_equal(a, b, LEN);
	ct_public((void *)(uintptr_t)&same, sizeof(same));
	assert_true(same);
	assert_true(ct_leaks() > before);
}

static void test_a_table_indexed_by_a_secret_is_found(void **unused)
{
	static const uint8_t table[256] = {1, 2, 3};
	const unsigned before = ct_leaks();
	volatile uint8_t entry;

	(void)unused;
	make_secrets();
	entry = table[a[3]];
	(void)entry;
	assert_true(ct_leaks() > before);
}

/* ---- ours ---- */

static void test_secrets_are_compared_without_a_branch(void **unused)
{
	const unsigned before = ct_leaks();
	bool same;

	(void)unused;
	for (size_t len = 1; len <= LEN; len++) {
		for (size_t at = 0; at <= len; at++) {
			make_secrets();
			if (at < len) {
				b[at] ^= 1;
			}
			same = secret_equal(a, b, len);
			ct_public(&same, sizeof(same));
			assert_int_equal(same, at == len);
			same = secret_is_zero(a, len);
			ct_public(&same, sizeof(same));
			assert_false(same);
		}
	}
	assert_int_equal(ct_leaks(), before);
}

/* Finished, from a secret of the key schedule to the verdict.  RFC 8446 4.4.4 */
static void test_a_finished_is_computed_and_compared_without_a_branch(void **unused)
{
	const unsigned before = ct_leaks();
	uint8_t digest[CRYPTO_MAX_HASH_LEN] = {7};
	uint8_t expected[CRYPTO_MAX_HASH_LEN];
	bool same;

	(void)unused;
	for (size_t i = 0; i < 2; i++) {
		const struct suite *suite = suite_find(i == 0 ? 0x1301 : 0x1302);
		struct secret base = {.len = crypto_hash_len(suite->hash)};

		memset(base.data, 's', sizeof(base.data));
		ct_secret(base.data, sizeof(base.data));
		assert_true(keysched13_finished(suite, &base, digest, expected));
		same = secret_equal(expected, digest, base.len);
		ct_public(&same, sizeof(same));
		assert_false(same);
	}
	assert_int_equal(ct_leaks(), before);
}

/*
 * The tag of an AEAD is compared by wolfCrypt. That a record was refused is no secret, so there are branches; but as
 * many wherever the tag is wrong.
 */
static void test_a_tag_is_compared_as_a_whole(void **unused)
{
	const enum crypto_aead aeads[] = {CRYPTO_AES_128_GCM, CRYPTO_AES_256_GCM, CRYPTO_CHACHA20_POLY1305};
	static const uint8_t key[CRYPTO_MAX_KEY_LEN], nonce[CRYPTO_AEAD_NONCE_LEN], aad[13];

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		struct crypto_aead_ctx *ctx = crypto_aead_new();
		unsigned expected = 0;

		assert_true(crypto_aead_set_key(ctx, aeads[i], key));
		for (size_t at = 0; at < CRYPTO_AEAD_TAG_LEN; at++) {
			uint8_t text[100 + CRYPTO_AEAD_TAG_LEN] = {0};
			const unsigned before = ct_leaks();
			bool ok;

			assert_true(crypto_aead_seal(ctx, nonce, aad, sizeof(aad), text, 100, text));
			text[100 + at] ^= 1;
			ct_secret(text + 100, CRYPTO_AEAD_TAG_LEN);
			ok = crypto_aead_open(ctx, nonce, aad, sizeof(aad), text, 100, text);
			ct_public(&ok, sizeof(ok));
			assert_false(ok);
			if (at == 0) {
				expected = ct_leaks() - before;
			}
			assert_int_equal(ct_leaks() - before, expected);
			assert_true(expected <= 4);
		}
		crypto_aead_free(ctx);
	}
}

static void test_masks_are_made_without_a_branch(void **unused)
{
	static const uint32_t values[] = {0, 1, 2, 255, 256, 16384, 0x7fffffff};
	const unsigned before = ct_leaks();

	(void)unused;
	for (size_t i = 0; i < 7; i++) {
		for (size_t j = 0; j < 7; j++) {
			uint32_t x = values[i], y = values[j];
			uint32_t masks[4];

			ct_secret(&x, sizeof(x));
			ct_secret(&y, sizeof(y));
			masks[0] = ct_less(x, y);
			masks[1] = ct_equal(x, y);
			masks[2] = ct_is_zero(x);
			masks[3] = ct_select(ct_less(x, y), x, y);
			ct_public(masks, sizeof(masks));
			assert_int_equal(masks[0], values[i] < values[j] ? UINT32_MAX : 0);
			assert_int_equal(masks[1], i == j ? UINT32_MAX : 0);
			assert_int_equal(masks[2], values[i] == 0 ? UINT32_MAX : 0);
			assert_int_equal(masks[3], values[i] < values[j] ? values[i] : values[j]);
		}
	}
	assert_int_equal(ct_leaks(), before);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_compare_that_stops_early_is_found),
		cmocka_unit_test(test_a_table_indexed_by_a_secret_is_found),
		cmocka_unit_test(test_secrets_are_compared_without_a_branch),
		cmocka_unit_test(test_a_finished_is_computed_and_compared_without_a_branch),
		cmocka_unit_test(test_a_tag_is_compared_as_a_whole),
		cmocka_unit_test(test_masks_are_made_without_a_branch),
	};

	return cmocka_run_group_tests_name("constant time: comparing", tests, ct_set_up, NULL);
}

int main(int argc, char **argv)
{
	(void)argc;
	return ct_main(argv, run);
}
