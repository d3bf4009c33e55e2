/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * X25519MLKEM768 against published answers, and the shares that must be refused.
 *
 * Implementation notes
 *
 *   The answers are accumulated: keys, messages and ciphertexts come from one SHAKE128 stream, the results
 *   go into another, of which only the end is published: here the one of Go's crypto/mlkem after 100 rounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/sha3.h>

#include "engine/crypto.h"
#include "engine/secret.h"
#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

#define GROUP       CRYPTO_X25519MLKEM768
#define EK_LEN      1184
#define CT_LEN      1088
#define SECRET_LEN  32
#define SEED_LEN    64
#define MESSAGE_LEN 32

#ifdef WOLFSSL_SHAKE128

/* ---- a stream of SHAKE128 ---- */

struct stream {
	wc_Shake shake;
	uint8_t block[WC_SHA3_128_BLOCK_SIZE];
	size_t left;
};

static void stream_begin(struct stream *stream)
{
	assert_int_equal(wc_InitShake128(&stream->shake, NULL, INVALID_DEVID), 0);
	assert_int_equal(wc_Shake128_Absorb(&stream->shake, (const uint8_t *)"", 0), 0);
	stream->left = 0;
}

static void stream_read(struct stream *stream, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (stream->left == 0) {
			assert_int_equal(wc_Shake128_SqueezeBlocks(&stream->shake, stream->block, 1), 0);
			stream->left = sizeof(stream->block);
		}
		out[i] = stream->block[sizeof(stream->block) - stream->left--];
	}
}

static void gather(wc_Shake *shake, const uint8_t *data, size_t len)
{
	assert_int_equal(wc_Shake128_Update(shake, data, (word32)len), 0);
}

static void check_gathered(const wc_Shake *gathered, const char *hex)
{
	wc_Shake copy = *gathered;
	uint8_t digest[32];

	assert_int_equal(wc_Shake128_Final(&copy, digest, sizeof(digest)), 0);
	hex_check(digest, hex);
}

/* One round: a key, a message encapsulated and decapsulated, a random ciphertext decapsulated. */
static void run_round(struct stream *stream, wc_Shake *gathered)
{
	uint8_t keys[SEED_LEN + 32] = {0}, message[MESSAGE_LEN];
	uint8_t share[CRYPTO_MAX_SHARE_LEN], answer[CRYPTO_MAX_SHARE_LEN];
	uint8_t a[CRYPTO_MAX_SHARED_LEN], b[CRYPTO_MAX_SHARED_LEN];
	struct crypto_kex *kex;
	size_t a_len, b_len;

	stream_read(stream, keys, SEED_LEN);
	kex = crypto_kex_import(GROUP, keys, sizeof(keys), share);
	assert_non_null(kex);
	gather(gathered, share, EK_LEN);
	stream_read(stream, message, sizeof(message));
	pair_script_random(message, sizeof(message));
	assert_true(crypto_kex_answer(GROUP, share, EK_LEN + 32, answer, a, &a_len));
	gather(gathered, answer, CT_LEN);
	gather(gathered, a, SECRET_LEN);
	assert_true(crypto_kex_finish(kex, answer, CT_LEN + 32, b, &b_len));
	assert_int_equal(a_len, 64);
	assert_int_equal(b_len, 64);
	assert_memory_equal(a, b, a_len);
	stream_read(stream, answer, CT_LEN);
	assert_true(crypto_kex_finish(kex, answer, CT_LEN + 32, b, &b_len));
	gather(gathered, b, SECRET_LEN);
	/* x25519's half is the same in both */
	assert_memory_equal(a + SECRET_LEN, b + SECRET_LEN, 32);
	crypto_kex_free(kex);
}

static void test_mlkem_gives_the_published_answers(void **unused)
{
	struct stream stream;
	wc_Shake gathered;

	(void)unused;
	stream_begin(&stream);
	assert_int_equal(wc_InitShake128(&gathered, NULL, INVALID_DEVID), 0);
	for (unsigned i = 0; i < 100; i++) {
		run_round(&stream, &gathered);
	}
	check_gathered(&gathered, "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415");
}

#else

static void test_mlkem_gives_the_published_answers(void **unused)
{
	(void)unused;
	skip();
}

#endif

/* Coefficient number i of an encapsulation key: 12 bits, little-endian. */
static void set_coefficient(uint8_t *key, size_t i, unsigned value)
{
	uint8_t *at = key + i / 2 * 3;

	if (i % 2 == 0) {
		at[0] = (uint8_t)value;
		at[1] = (uint8_t)((at[1] & 0xf0) | (value >> 8));
	} else {
		at[1] = (uint8_t)((at[1] & 0x0f) | (value << 4));
		at[2] = (uint8_t)(value >> 4);
	}
}

/* FIPS 203 7.2: a coefficient must be less than 3329; illegal_parameter by draft-ietf-tls-ecdhe-mlkem 4.2 */
static void test_encapsulation_keys_with_a_large_coefficient_are_refused(void **unused)
{
	uint8_t share[CRYPTO_MAX_SHARE_LEN], bad[CRYPTO_MAX_SHARE_LEN], answer[CRYPTO_MAX_SHARE_LEN];
	uint8_t shared[CRYPTO_MAX_SHARED_LEN];
	const uint8_t keys[SEED_LEN + 32] = {1};
	size_t len;

	(void)unused;
	if (!crypto_has_mlkem()) {
		skip();
	}
	crypto_kex_free(crypto_kex_import(GROUP, keys, sizeof(keys), share));
	for (size_t i = 0; i < 768; i++) {
		memcpy(bad, share, sizeof(bad));
		set_coefficient(bad, i, 3328);
		assert_true(crypto_kex_answer(GROUP, bad, EK_LEN + 32, answer, shared, &len));
		set_coefficient(bad, i, i % 3 == 0 ? 4095 : 3329);
		assert_false(crypto_kex_answer(GROUP, bad, EK_LEN + 32, answer, shared, &len));
		assert_true(secret_is_zero(shared, sizeof(shared)));
	}
}

/* RFC 8446 7.4.2, for the hybrid too */
static void test_a_hybrid_share_with_a_point_of_small_order_is_refused(void **unused)
{
	uint8_t share[CRYPTO_MAX_SHARE_LEN], answer[CRYPTO_MAX_SHARE_LEN], shared[CRYPTO_MAX_SHARED_LEN];
	struct crypto_kex *kex;
	size_t len;

	(void)unused;
	if (!crypto_has_mlkem()) {
		skip();
	}
	kex = crypto_kex_begin(GROUP, share);
	assert_non_null(kex);
	assert_true(crypto_kex_answer(GROUP, share, EK_LEN + 32, answer, shared, &len));
	for (uint8_t point = 0; point < 2; point++) {
		memset(share + EK_LEN, 0, 32);
		share[EK_LEN] = point;
		assert_false(crypto_kex_answer(GROUP, share, EK_LEN + 32, answer, shared, &len));
		assert_true(secret_is_zero(shared, sizeof(shared)));
		memset(answer + CT_LEN, 0, 32);
		answer[CT_LEN] = point;
		assert_false(crypto_kex_finish(kex, answer, CT_LEN + 32, shared, &len));
		assert_true(secret_is_zero(shared, sizeof(shared)));
	}
	crypto_kex_free(kex);
}

/* A changed ciphertext is no error of ML-KEM's (FIPS 203 6.3): the secret is another, and Finished tells. */
static void test_a_changed_ciphertext_gives_another_secret(void **unused)
{
	uint8_t share[CRYPTO_MAX_SHARE_LEN], answer[CRYPTO_MAX_SHARE_LEN];
	uint8_t a[CRYPTO_MAX_SHARED_LEN], b[CRYPTO_MAX_SHARED_LEN];
	struct crypto_kex *kex;
	size_t len;

	(void)unused;
	if (!crypto_has_mlkem()) {
		skip();
	}
	kex = crypto_kex_begin(GROUP, share);
	assert_non_null(kex);
	assert_true(crypto_kex_answer(GROUP, share, EK_LEN + 32, answer, a, &len));
	for (size_t i = 0; i < CT_LEN; i++) {
		answer[i] ^= 4;
		assert_true(crypto_kex_finish(kex, answer, CT_LEN + 32, b, &len));
		assert_memory_not_equal(a, b, SECRET_LEN);
		answer[i] ^= 4;
	}
	crypto_kex_free(kex);
}

static int setup(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mlkem_gives_the_published_answers),
		cmocka_unit_test(test_encapsulation_keys_with_a_large_coefficient_are_refused),
		cmocka_unit_test(test_a_hybrid_share_with_a_point_of_small_order_is_refused),
		cmocka_unit_test(test_a_changed_ciphertext_gives_another_secret),
	};

	return cmocka_run_group_tests_name("X25519MLKEM768", tests, setup, NULL);
}
