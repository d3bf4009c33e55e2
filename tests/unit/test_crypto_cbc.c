/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AES-CBC against published answers, and HMAC in constant time against plain HMAC.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/crypto.h"
#include "engine/secret.h"
#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

struct cbc_case {
	const char *key, *sealed;
};

#define SP_800_38A_IV "000102030405060708090a0b0c0d0e0f"
#define SP_800_38A_PLAIN                                                                                     \
	"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"                                   \
	"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"

/* NIST SP 800-38A F.2.1, F.2.5 */
static const struct cbc_case cases[] = {
	{"2b7e151628aed2a6abf7158809cf4f3c",
	 "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
	 "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"},
	{"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
	 "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
	 "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"},
};

static void test_cbc_gives_the_published_answers(void **unused)
{
	struct crypto_cbc_ctx *ctx = crypto_cbc_new();
	uint8_t iv[16], plain[64], sealed[64], key[32], work[64];

	(void)unused;
	assert_non_null(ctx);
	hex_read(iv, sizeof(iv), SP_800_38A_IV);
	hex_read(plain, sizeof(plain), SP_800_38A_PLAIN);
	for (size_t i = 0; i < 2; i++) {
		const size_t key_len = hex_read(key, sizeof(key), cases[i].key);

		hex_read(sealed, sizeof(sealed), cases[i].sealed);
		assert_true(crypto_cbc_set_key(ctx, true, key, key_len));
		assert_true(crypto_cbc_encrypt(ctx, iv, plain, sizeof(plain), work));
		assert_memory_equal(work, sealed, sizeof(sealed));
		/* the key knows its direction, and the mode its block */
		assert_false(crypto_cbc_decrypt(ctx, iv, sealed, sizeof(sealed), work));
		assert_true(secret_is_zero(work, sizeof(work)));
		assert_false(crypto_cbc_encrypt(ctx, iv, plain, 17, work));
		assert_true(crypto_cbc_encrypt(ctx, iv, plain, 0, work));
		assert_true(crypto_cbc_set_key(ctx, false, key, key_len));
		assert_true(crypto_cbc_decrypt(ctx, iv, sealed, sizeof(sealed), work));
		assert_memory_equal(work, plain, sizeof(plain));
		assert_false(crypto_cbc_encrypt(ctx, iv, plain, sizeof(plain), work));
	}
	assert_false(crypto_cbc_set_key(ctx, true, key, 24));
	assert_false(crypto_cbc_encrypt(ctx, iv, plain, sizeof(plain), work));
	crypto_cbc_free(ctx);
	crypto_cbc_free(NULL);
}

static void test_cbc_works_in_place_at_any_alignment_and_length(void **unused)
{
	static uint8_t plain[16384 + 304], sealed[sizeof(plain) + 16], work[sizeof(plain) + 16];
	struct crypto_cbc_ctx *seal = crypto_cbc_new(), *open = crypto_cbc_new();
	const uint8_t key[32] = {1, 2, 3}, iv[16] = {4, 5, 6};

	(void)unused;
	for (size_t i = 0; i < sizeof(plain); i++) {
		plain[i] = (uint8_t)(i * 131 + i / 251);
	}
	assert_true(crypto_cbc_set_key(seal, true, key, 32));
	assert_true(crypto_cbc_set_key(open, false, key, 32));
	for (size_t len = 16; len <= sizeof(plain); len = len < 1200 ? len + 16 : len * 2 - len % 32) {
		for (size_t shift = 0; shift < 16; shift += 3) {
			memcpy(work + shift, plain, len);
			assert_true(crypto_cbc_encrypt(seal, iv, plain, len, sealed + shift));
			assert_true(crypto_cbc_encrypt(seal, iv, work + shift, len, work + shift));
			assert_memory_equal(work + shift, sealed + shift, len);
			assert_true(crypto_cbc_decrypt(open, iv, sealed + shift, len, work));
			assert_memory_equal(work, plain, len);
			assert_true(crypto_cbc_decrypt(open, iv, sealed + shift, len, sealed + shift));
			assert_memory_equal(sealed + shift, plain, len);
		}
	}
	crypto_cbc_free(seal);
	crypto_cbc_free(open);
}

static const enum crypto_hash macs[] = {CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA384};

static void compare(enum crypto_hash hash, size_t key_len, size_t head_len, size_t len, size_t max_len)
{
	uint8_t key[256], head[256], text[4096], plain[CRYPTO_MAX_HASH_LEN], ct[CRYPTO_MAX_HASH_LEN];

	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = (uint8_t)(i * 7 + i / 256 + 1);
	}
	memcpy(key, text + 1000, key_len);
	memcpy(head, text + 2000, head_len);
	const struct engine_slice pieces[] = {{head, head_len}, {text, len}};

	assert_true(crypto_hmac_pieces(hash, key, key_len, pieces, 2, plain));
	memset(ct, 0, sizeof(ct));
	assert_true(crypto_hmac_ct(hash, key, key_len, head, head_len, text, len, max_len, ct));
	assert_memory_equal(ct, plain, crypto_hash_len(hash));
}

/* 13: the sequence number and the header of a record */
static void test_hmac_in_constant_time_is_hmac_for_every_length(void **unused)
{
	static const size_t max_lens[] = {0,  1,   42,  43,  50,  51,  52,  63,
					  64, 115, 127, 128, 129, 256, 300, 512};

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		const size_t key_len = crypto_hash_len(macs[i]);

		for (size_t j = 0; j < sizeof(max_lens) / sizeof(max_lens[0]); j++) {
			for (size_t len = 0; len <= max_lens[j]; len++) {
				compare(macs[i], key_len, 13, len, max_lens[j]);
			}
		}
		for (size_t len = 0; len <= 4096; len += 61) {
			compare(macs[i], key_len, 13, len, 4096);
		}
	}
}

static void test_hmac_in_constant_time_takes_any_head_and_key(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		for (size_t head_len = 0; head_len <= 256; head_len++) {
			compare(macs[i], head_len, head_len, head_len % 70, 70);
		}
	}
}

static void test_hmac_in_constant_time_refuses_other_hashes(void **unused)
{
	uint8_t out[CRYPTO_MAX_HASH_LEN] = {0};

	(void)unused;
	assert_false(crypto_hmac_ct(CRYPTO_MD5, out, 16, out, 13, out, 1, 2, out));
	assert_false(crypto_hmac_ct(CRYPTO_MD5_SHA1, out, 16, out, 13, out, 1, 2, out));
	assert_false(crypto_hmac_ct(CRYPTO_SHA1, out, 16, out, 13, out, 1, (size_t)1 << 32, out));
}

static int setup(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cbc_gives_the_published_answers),
		cmocka_unit_test(test_cbc_works_in_place_at_any_alignment_and_length),
		cmocka_unit_test(test_hmac_in_constant_time_is_hmac_for_every_length),
		cmocka_unit_test(test_hmac_in_constant_time_takes_any_head_and_key),
		cmocka_unit_test(test_hmac_in_constant_time_refuses_other_hashes),
	};

	return cmocka_run_group_tests_name("crypto for CBC records", tests, setup, NULL);
}
