/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primitives against published answers, and what they must refuse.
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

struct aead_case {
	enum crypto_aead aead;
	const char *key, *nonce, *aad, *plain, *sealed;
};

/* The GCM specification's cases 2 and 14, RFC 8439 2.8.2 */
static const struct aead_case aeads[] = {
	{CRYPTO_AES_128_GCM, "00000000000000000000000000000000", "000000000000000000000000", "",
	 "00000000000000000000000000000000",
	 "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
	{CRYPTO_AES_256_GCM, "0000000000000000000000000000000000000000000000000000000000000000",
	 "000000000000000000000000", "", "00000000000000000000000000000000",
	 "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
	{CRYPTO_CHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
	 "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
	 "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f7"
	 "56c64"
	 "206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e2"
	 "0776f"
	 "756c642062652069742e",
	 "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a7"
	 "1de0a"
	 "9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4"
	 "b7a9d"
	 "e576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"},
};

static void test_aeads(void **unused)
{
	struct crypto_aead_ctx *ctx = crypto_aead_new();

	(void)unused;
	for (size_t i = 0; i < sizeof(aeads) / sizeof(aeads[0]); i++) {
		const struct aead_case *c = &aeads[i];
		const size_t len = strlen(c->plain) / 2, aad_len = strlen(c->aad) / 2;
		uint8_t key[32], nonce[12], aad[16], plain[128], work[160];

		hex_read(key, sizeof(key), c->key);
		hex_read(nonce, sizeof(nonce), c->nonce);
		hex_read(aad, sizeof(aad), c->aad);
		hex_read(plain, sizeof(plain), c->plain);
		assert_int_equal(crypto_aead_key_len(c->aead), strlen(c->key) / 2);
		assert_true(crypto_aead_set_key(ctx, c->aead, key));
		/* in place, and from one place to another */
		memcpy(work, plain, len);
		assert_true(crypto_aead_seal(ctx, nonce, aad, aad_len, work, len, work));
		hex_check(work, c->sealed);
		assert_true(crypto_aead_open(ctx, nonce, aad, aad_len, work, len, work));
		assert_memory_equal(work, plain, len);
		assert_true(crypto_aead_seal(ctx, nonce, aad, aad_len, plain, len, work));
		hex_check(work, c->sealed);
		/* every byte counts, and a refusal leaves nothing */
		for (size_t at = 0; at < len + 16; at++) {
			uint8_t bad[160];

			memcpy(bad, work, len + 16);
			bad[at] ^= 0x10;
			assert_false(crypto_aead_open(ctx, nonce, aad, aad_len, bad, len, bad));
			assert_true(secret_is_zero(bad, len));
		}
		nonce[11] ^= 1;
		assert_false(crypto_aead_open(ctx, nonce, aad, aad_len, work, len, work));
	}
	crypto_aead_wipe(ctx);
	assert_false(crypto_aead_seal(ctx, (const uint8_t *)"noncenonceno", NULL, 0, (const uint8_t *)"x", 1,
				      (uint8_t[17]){0}));
	crypto_aead_free(ctx);
	crypto_aead_free(NULL);
}

/* Sealed in pieces, with and without a tail, is sealed at once. */
static void test_aeads_seal_pieces(void **unused)
{
	static const size_t lens[] = {0, 1, 15, 16, 100, 2047, 2048, 2049, 4111, 16384};
	static uint8_t plain[16384 + 40], whole[sizeof(plain) + 16], sealed[sizeof(plain) + 16];
	static const uint8_t key[32] = {1}, nonce[12] = {2}, aad[13] = {3};
	struct crypto_aead_ctx *ctx = crypto_aead_new();

	(void)unused;
	for (size_t i = 0; i < sizeof(plain); i++) {
		plain[i] = (uint8_t)(i * 41 + i / 256);
	}
	for (size_t i = 0; i < 3 * sizeof(lens) / sizeof(lens[0]) * 6; i++) {
		const size_t len = lens[i / 18], tail_len = i / 3 % 3 * 17 / 2, split = i / 9 % 2 * len / 3;
		const struct engine_slice pieces[] = {{plain, split}, {plain + split, len - split}};
		const size_t total = len + tail_len;

		assert_true(crypto_aead_set_key(ctx, (enum crypto_aead)(i % 3), key));
		assert_true(crypto_aead_seal(ctx, nonce, aad, sizeof(aad), plain, total, whole));
		memset(sealed, 0, sizeof(sealed));
		assert_true(crypto_aead_seal_pieces(ctx, nonce, aad, sizeof(aad),
						    split == 0 ? pieces + 1 : pieces, split == 0 ? 1 : 2,
						    plain + len, tail_len, sealed + 5));
		assert_memory_equal(sealed + 5, whole, total + 16);
		assert_true(crypto_aead_open(ctx, nonce, aad, sizeof(aad), sealed + 5, total, sealed + 5));
		assert_memory_equal(sealed + 5, plain, total);
	}
	crypto_aead_wipe(ctx);
	assert_false(crypto_aead_seal_pieces(ctx, nonce, aad, 5, &(struct engine_slice){plain, 4096}, 1, NULL,
					     0, sealed));
	crypto_aead_free(ctx);
}

static void test_an_environment_without_randomness_is_refused(void **unused)
{
	const struct engine_env nothing = {.random = NULL};

	(void)unused;
	assert_false(engine_init(&nothing));
}

static void test_secrets_compare_and_wipe(void **unused)
{
	uint8_t a[33], b[33];

	(void)unused;
	memset(a, 7, sizeof(a));
	memset(b, 7, sizeof(b));
	assert_true(secret_equal(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] ^= 0x80;
		assert_false(secret_equal(a, b, sizeof(a)));
		b[i] ^= 0x80;
	}
	assert_true(secret_equal(a, b, 0));
	secret_wipe(a, sizeof(a));
	assert_true(secret_is_zero(a, sizeof(a)));
	a[32] = 1;
	assert_false(secret_is_zero(a, sizeof(a)));
	secret_wipe(NULL, 0);
}

static int setup(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aeads),
		cmocka_unit_test(test_aeads_seal_pieces),
		cmocka_unit_test(test_an_environment_without_randomness_is_refused),
		cmocka_unit_test(test_secrets_compare_and_wipe),
	};

	return cmocka_run_group_tests_name("crypto", tests, setup, NULL);
}
