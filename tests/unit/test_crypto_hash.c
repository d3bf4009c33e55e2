/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hashes, HMAC and HKDF against published answers.
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

static const enum crypto_hash all_hashes[] = {CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA1, CRYPTO_MD5,
					      CRYPTO_MD5_SHA1};

#define N_HASHES (sizeof(all_hashes) / sizeof(all_hashes[0]))

struct digest_case {
	enum crypto_hash hash;
	const char *text, *digest;
};

#define ABC_448 "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

/* FIPS 180-2 A to C, RFC 1321 A.5 */
static const struct digest_case digests[] = {
	{CRYPTO_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{CRYPTO_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{CRYPTO_SHA256, ABC_448, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{CRYPTO_SHA384, "abc",
	 "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"},
	{CRYPTO_SHA1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
	{CRYPTO_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
	{CRYPTO_SHA1, ABC_448, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
	{CRYPTO_MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
	{CRYPTO_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
	{CRYPTO_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
	{CRYPTO_MD5_SHA1, "abc",
	 "900150983cd24fb0d6963f7d28e17f72"
	 "a9993e364706816aba3e25717850c26c9cd0d89d"},
};

static void test_hashes_give_the_published_digests(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		const struct digest_case *c = &digests[i];
		uint8_t digest[CRYPTO_MAX_HASH_LEN];

		assert_int_equal(crypto_hash_len(c->hash), strlen(c->digest) / 2);
		assert_true(crypto_digest(c->hash, (const uint8_t *)c->text, strlen(c->text), digest));
		hex_check(digest, c->digest);
	}
}

static void test_looking_at_a_running_hash_leaves_it_running(void **unused)
{
	uint8_t text[300], whole[CRYPTO_MAX_HASH_LEN], pieces[CRYPTO_MAX_HASH_LEN];

	(void)unused;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < N_HASHES; i++) {
		struct crypto_hash_ctx ctx = {.live = false};
		const size_t len = crypto_hash_len(all_hashes[i]);

		assert_false(crypto_hash_peek(&ctx, pieces));
		assert_false(crypto_hash_update(&ctx, text, 1));
		assert_true(crypto_hash_init(&ctx, all_hashes[i]));
		for (size_t at = 0; at < sizeof(text); at += 1 + at / 7) {
			const size_t step = at + 1 + at / 7 <= sizeof(text) ? 1 + at / 7 : sizeof(text) - at;

			assert_true(crypto_hash_update(&ctx, text + at, step));
			assert_true(crypto_hash_peek(&ctx, pieces));
			assert_true(crypto_digest(all_hashes[i], text, at + step, whole));
			assert_memory_equal(whole, pieces, len);
		}
		assert_true(crypto_hash_update(&ctx, NULL, 0));
		crypto_hash_wipe(&ctx);
		assert_true(secret_is_zero(&ctx, sizeof(ctx)));
	}
}

struct hmac_case {
	enum crypto_hash hash;
	const char *key, *text, *mac;
};

#define FOR_NOTHING "7768617420646f2079612077616e7420666f72206e6f7468696e673f"
#define TEN(x)      x x x x x x x x x x
/* "Test Using Larger Than Block-Size Key - Hash Key First" */
#define LARGER                                                                                               \
	"54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b657920" \
	"46"                                                                                                 \
	"69727374"

/* RFC 4231 4.3, 4.7; RFC 2202 2, 3 */
static const struct hmac_case hmacs[] = {
	{CRYPTO_SHA256, "4a656665", FOR_NOTHING,
	 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{CRYPTO_SHA384, "4a656665", FOR_NOTHING,
	 "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"},
	{CRYPTO_SHA256, TEN("aaaaaaaaaaaaaaaaaaaaaaaaaa") "aa", LARGER,
	 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{CRYPTO_SHA384, TEN("aaaaaaaaaaaaaaaaaaaaaaaaaa") "aa", LARGER,
	 "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952"},
	{CRYPTO_MD5, "4a656665", FOR_NOTHING, "750c783e6ab0b503eaa86e310a5db738"},
	{CRYPTO_MD5, TEN("aaaaaaaaaaaaaaaa"), LARGER, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"},
	{CRYPTO_SHA1, "4a656665", FOR_NOTHING, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
	{CRYPTO_SHA1, TEN("aaaaaaaaaaaaaaaa"), LARGER, "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
};

static void test_hmac_gives_the_published_answers(void **unused)
{
	uint8_t out[CRYPTO_MAX_HASH_LEN];

	(void)unused;
	for (size_t i = 0; i < sizeof(hmacs) / sizeof(hmacs[0]); i++) {
		const struct hmac_case *c = &hmacs[i];
		uint8_t key[160], text[80];
		const size_t key_len = hex_read(key, sizeof(key), c->key);
		const size_t len = hex_read(text, sizeof(text), c->text);
		const struct engine_slice pieces[] = {{text, 5}, {NULL, 0}, {text + 5, len - 5}};

		assert_true(crypto_hmac(c->hash, key, key_len, text, len, out));
		hex_check(out, c->mac);
		memset(out, 0, sizeof(out));
		assert_true(crypto_hmac_pieces(c->hash, key, key_len, pieces, 3, out));
		hex_check(out, c->mac);
	}
	assert_false(crypto_hmac(CRYPTO_MD5_SHA1, out, 16, out, 16, out));
}

/* RFC 2104: a key is padded with zeros, so none is the same as one of a zero. */
static void test_hmac_takes_an_empty_key(void **unused)
{
	uint8_t a[CRYPTO_MAX_HASH_LEN], b[CRYPTO_MAX_HASH_LEN];
	static const uint8_t zeros[64];

	(void)unused;
	for (size_t i = 0; all_hashes[i] != CRYPTO_MD5_SHA1; i++) {
		assert_true(crypto_hmac(all_hashes[i], NULL, 0, zeros, 3, a));
		assert_true(crypto_hmac(all_hashes[i], zeros, 64, zeros, 3, b));
		assert_memory_equal(a, b, crypto_hash_len(all_hashes[i]));
	}
	/* HMAC-SHA256 of nothing under nothing */
	assert_true(crypto_hmac(CRYPTO_SHA256, NULL, 0, NULL, 0, a));
	hex_check(a, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 5869 A.1, A.3 */
static void test_hkdf_gives_the_published_answers(void **unused)
{
	uint8_t prk[CRYPTO_MAX_HASH_LEN], ikm[22], salt[13], info[10], okm[42];

	(void)unused;
	memset(ikm, 0x0b, sizeof(ikm));
	hex_read(salt, sizeof(salt), "000102030405060708090a0b0c");
	hex_read(info, sizeof(info), "f0f1f2f3f4f5f6f7f8f9");
	assert_true(crypto_hkdf_extract(CRYPTO_SHA256, salt, sizeof(salt), ikm, sizeof(ikm), prk));
	hex_check(prk, "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
	assert_true(crypto_hkdf_expand(CRYPTO_SHA256, prk, 32, info, sizeof(info), okm, sizeof(okm)));
	hex_check(okm,
		  "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
	assert_true(crypto_hkdf_extract(CRYPTO_SHA256, NULL, 0, ikm, sizeof(ikm), prk));
	hex_check(prk, "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
	assert_true(crypto_hkdf_expand(CRYPTO_SHA256, prk, 32, NULL, 0, okm, sizeof(okm)));
	hex_check(okm,
		  "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

/* RFC 5869 2.3: L <= 255 * HashLen */
static void test_hkdf_expand_has_an_end(void **unused)
{
	static uint8_t out[255 * 32 + 1];
	const uint8_t prk[32] = {1};

	(void)unused;
	assert_true(crypto_hkdf_expand(CRYPTO_SHA256, prk, 32, NULL, 0, out, sizeof(out) - 1));
	assert_false(crypto_hkdf_expand(CRYPTO_SHA256, prk, 32, NULL, 0, out, sizeof(out)));
	assert_true(secret_is_zero(out, sizeof(out)));
}

static int setup(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hashes_give_the_published_digests),
		cmocka_unit_test(test_looking_at_a_running_hash_leaves_it_running),
		cmocka_unit_test(test_hmac_gives_the_published_answers),
		cmocka_unit_test(test_hmac_takes_an_empty_key),
		cmocka_unit_test(test_hkdf_gives_the_published_answers),
		cmocka_unit_test(test_hkdf_expand_has_an_end),
	};

	return cmocka_run_group_tests_name("crypto hashes", tests, setup, NULL);
}
