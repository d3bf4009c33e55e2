/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key agreement against published answers, and the shares that must be refused.
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

static const enum crypto_group all_groups[] = {CRYPTO_X25519,    CRYPTO_SECP256R1,     CRYPTO_SECP384R1,
					       CRYPTO_SECP521R1, CRYPTO_FFDHE2048,     CRYPTO_FFDHE3072,
					       CRYPTO_FFDHE4096, CRYPTO_X25519MLKEM768};

static size_t n_groups(void)
{
	return sizeof(all_groups) / sizeof(all_groups[0]) - (crypto_has_mlkem() ? 0 : 1);
}

static bool is_curve(enum crypto_group group)
{
	return group == CRYPTO_SECP256R1 || group == CRYPTO_SECP384R1 || group == CRYPTO_SECP521R1;
}

static void test_both_sides_get_the_same_secret(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < n_groups(); i++) {
		uint8_t mine[CRYPTO_MAX_SHARE_LEN], theirs[CRYPTO_MAX_SHARE_LEN];
		uint8_t a[CRYPTO_MAX_SHARED_LEN], b[CRYPTO_MAX_SHARED_LEN];
		const size_t len = crypto_group_share_len(all_groups[i]);
		const size_t answer_len = crypto_group_answer_len(all_groups[i]);
		struct crypto_kex *kex = crypto_kex_begin(all_groups[i], mine);
		size_t a_len = 0, b_len = 0;

		assert_non_null(kex);
		assert_true(len <= CRYPTO_MAX_SHARE_LEN && answer_len <= CRYPTO_MAX_SHARE_LEN);
		assert_true(crypto_kex_answer(all_groups[i], mine, len, theirs, a, &a_len));
		assert_true(crypto_kex_finish(kex, theirs, answer_len, b, &b_len));
		assert_int_equal(a_len, b_len);
		assert_memory_equal(a, b, a_len);
		crypto_kex_free(kex);
	}
	crypto_kex_free(NULL);
}

static void test_shares_of_wrong_length_are_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < n_groups(); i++) {
		uint8_t mine[CRYPTO_MAX_SHARE_LEN + 1], theirs[CRYPTO_MAX_SHARE_LEN + 1];
		uint8_t a[CRYPTO_MAX_SHARED_LEN];
		const size_t len = crypto_group_share_len(all_groups[i]);
		const size_t answer_len = crypto_group_answer_len(all_groups[i]);
		struct crypto_kex *kex = crypto_kex_begin(all_groups[i], mine);
		const size_t lens[] = {0, 1, len - 1, len + 1},
			     answer_lens[] = {0, 1, answer_len - 1, answer_len + 1};
		size_t a_len;

		assert_non_null(kex);
		assert_true(crypto_kex_answer(all_groups[i], mine, len, theirs, a, &a_len));
		for (size_t j = 0; j < 4; j++) {
			memset(a, 1, sizeof(a));
			assert_false(crypto_kex_answer(all_groups[i], mine, lens[j], theirs, a, &a_len));
			assert_true(secret_is_zero(a, sizeof(a)));
			memset(a, 1, sizeof(a));
			assert_false(crypto_kex_finish(kex, theirs, answer_lens[j], a, &a_len));
			assert_true(secret_is_zero(a, sizeof(a)));
		}
		crypto_kex_free(kex);
	}
}

/* The n-th allocation fails, for every n. */
static void test_running_out_of_memory_is_a_refusal(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < n_groups(); i++) {
		const size_t len = crypto_group_share_len(all_groups[i]);
		const size_t answer_len = crypto_group_answer_len(all_groups[i]);
		const size_t before = pair_memory_now();
		bool ok = false;

		for (unsigned n = 1; !ok; n++) {
			uint8_t mine[CRYPTO_MAX_SHARE_LEN], theirs[CRYPTO_MAX_SHARE_LEN] = {0};
			uint8_t a[CRYPTO_MAX_SHARED_LEN], b[CRYPTO_MAX_SHARED_LEN];
			struct crypto_kex *kex;
			size_t a_len, b_len;

			pair_memory_fail_at(n);
			kex = crypto_kex_begin(all_groups[i], mine);
			ok = kex != NULL && crypto_kex_answer(all_groups[i], mine, len, theirs, a, &a_len) &&
			     crypto_kex_finish(kex, theirs, answer_len, b, &b_len);
			if (ok) {
				assert_memory_equal(a, b, a_len);
			}
			pair_memory_fail_at(0);
			crypto_kex_free(kex);
			assert_int_equal(pair_memory_now(), before);
		}
	}
}

struct curve_case {
	enum crypto_group group;
	const char *a, *share_a, *b, *share_b, *secret;
};

/* RFC 5903 8.1, 8.2, 8.3 */
static const struct curve_case curves[] = {
	{CRYPTO_SECP256R1, "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
	 "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb8252d6"
	 "1f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
	 "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
	 "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf6356fbf3ca366cc23e81"
	 "57854c13c58d6aac23f046ada30f8353e74f33039872ab",
	 "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"},
	{CRYPTO_SECP384R1,
	 "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3fae"
	 "f896783ab194",
	 "04667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c8"
	 "8732aee95f41aa9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcf"
	 "f3c2c947dae69b4c634573a81c",
	 "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2960e"
	 "4bd55a7448fc",
	 "04e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96f"
	 "da41d0774a3571dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa4"
	 "0142209dff5eaad96db9e6386c",
	 "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5"
	 "d4a270f59746"},
	{CRYPTO_SECP521R1,
	 "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa85a30fe1c2952c67"
	 "71d937ba9777f5957b2639bab072462f68c27a57382d4a52",
	 "040015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbee1e3bf42e00b8e380a"
	 "eae57c2d107564941885942af5a7f4601723c4195d176ced3e017cae20b6641d2eeb695786d8c9461462"
	 "39d099e18e1d5a514c739d7cb4a10ad8a788015ac405d7799dc75e7b7d5b6cf2261a6a7f1507438bf01b"
	 "eb6ca3926f9582",
	 "0145ba99a847af43793fdd0e872e7cdfa16be30fdc780f97bccc3f078380201e9c677d600b343757a3bd"
	 "bf2a3163e4c2f869cca7458aa4a4effc311f5cb151685eb9",
	 "0400d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436adc6e95"
	 "bb0352f6be64a6c2912d4ef2d0433ced2b6171640012d9460f015c68226383956e3bd066e797b623c27c"
	 "e0eac2f551a10c2c724d9852077b87220b6536c5c408a1d2aebb8e86d678ae49cb57091f4732296579ab"
	 "44fcd17f0fc56a",
	 "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4baa240a34"
	 "786859810c06b3c715a3a8cc3151f2bee417996d19f3ddea"},
};

static void test_curves_give_the_published_answers(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		const struct curve_case *c = &curves[i];
		uint8_t key[66], share[CRYPTO_MAX_SHARE_LEN], theirs[CRYPTO_MAX_SHARE_LEN];
		uint8_t shared[CRYPTO_MAX_SHARED_LEN];
		const size_t share_len = hex_read(theirs, sizeof(theirs), c->share_b);
		struct crypto_kex *kex;
		size_t len;

		kex = crypto_kex_import(c->group, key, hex_read(key, sizeof(key), c->b), share);
		assert_non_null(kex);
		hex_check(share, c->share_b);
		crypto_kex_free(kex);
		kex = crypto_kex_import(c->group, key, hex_read(key, sizeof(key), c->a), share);
		assert_non_null(kex);
		hex_check(share, c->share_a);
		assert_int_equal(share_len, crypto_group_share_len(c->group));
		assert_true(crypto_kex_finish(kex, theirs, share_len, shared, &len));
		assert_int_equal(len, strlen(c->secret) / 2);
		hex_check(shared, c->secret);
		crypto_kex_free(kex);
		assert_null(crypto_kex_import(c->group, key, len - 1, share));
		/* RFC 8446 4.2.8.2: a private key is in 1..n-1 */
		memset(key, 0, sizeof(key));
		assert_null(crypto_kex_import(c->group, key, len, share));
	}
}

struct zero_case {
	enum crypto_group group;
	const char *p, *y;
};

#define EIGHT_F "ffffffff"

/* (0, y) is on the curve; (p, y) says the same with a number that is not in the field. */
static const struct zero_case zero_points[] = {
	{CRYPTO_SECP256R1, EIGHT_F "00000001000000000000000000000000" EIGHT_F EIGHT_F EIGHT_F,
	 "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4"},
	{CRYPTO_SECP384R1,
	 EIGHT_F EIGHT_F EIGHT_F EIGHT_F EIGHT_F EIGHT_F EIGHT_F "fffffffe" EIGHT_F
								 "0000000000000000" EIGHT_F,
	 "c306610fb0ae5a159cf45c06069f22a6c5eb3641c602d42dea2c4b4f75550793406d80d2b91ad54f9048bd487af1ade1"},
	{CRYPTO_SECP521R1,
	 "01ff" EIGHT_F EIGHT_F EIGHT_F EIGHT_F EIGHT_F EIGHT_F EIGHT_F EIGHT_F EIGHT_F EIGHT_F EIGHT_F
		 EIGHT_F EIGHT_F EIGHT_F EIGHT_F EIGHT_F,
	 "012df13601594a883ef2d935e44bb90bf4d6619b74e52af7552f97769011c0719eb439cfab2a88d40fe59a2bed1f4355716"
	 "9a2d0"
	 "a2ccd280c607b92bbf51ffe0b078"},
};

static void test_coordinates_out_of_the_field_are_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(zero_points) / sizeof(zero_points[0]); i++) {
		uint8_t point[CRYPTO_MAX_SHARE_LEN] = {4}, mine[CRYPTO_MAX_SHARE_LEN],
			a[CRYPTO_MAX_SHARED_LEN];
		const size_t half = strlen(zero_points[i].y) / 2;
		size_t len;

		hex_read(point + 1 + half, half, zero_points[i].y);
		assert_true(crypto_kex_answer(zero_points[i].group, point, 1 + 2 * half, mine, a, &len));
		assert_int_equal(hex_read(point + 1, half, zero_points[i].p), half);
		assert_false(crypto_kex_answer(zero_points[i].group, point, 1 + 2 * half, mine, a, &len));
	}
}

/* RFC 8446 4.2.8.2: points that are compressed, off the curve, at infinity or out of the field */
static void test_what_is_no_point_is_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < n_groups(); i++) {
		uint8_t share[CRYPTO_MAX_SHARE_LEN], mine[CRYPTO_MAX_SHARE_LEN], a[CRYPTO_MAX_SHARED_LEN];
		const enum crypto_group group = all_groups[i];
		const size_t len = crypto_group_share_len(group);
		size_t a_len;

		if (!is_curve(group)) {
			continue;
		}
		crypto_kex_free(crypto_kex_begin(group, share));
		for (int form = 0; form < 256; form++) {
			share[0] = (uint8_t)form;
			assert_int_equal(crypto_kex_answer(group, share, len, mine, a, &a_len), form == 4);
		}
		share[0] = 4;
		share[len - 1] ^= 1;
		assert_false(crypto_kex_answer(group, share, len, mine, a, &a_len));
		memset(share, 0, len);
		assert_false(crypto_kex_answer(group, share, len, mine, a, &a_len));
		share[0] = 4;
		assert_false(crypto_kex_answer(group, share, len, mine, a, &a_len));
		memset(share + 1, 0xff, len - 1);
		assert_false(crypto_kex_answer(group, share, len, mine, a, &a_len));
		assert_true(secret_is_zero(a, sizeof(a)));
	}
}

/* RFC 7748 5.2 */
static void test_x25519_gives_the_published_answers(void **unused)
{
	uint8_t scalar[32], point[32], share[CRYPTO_MAX_SHARE_LEN], shared[CRYPTO_MAX_SHARED_LEN];
	struct crypto_kex *kex;
	size_t len;

	(void)unused;
	hex_read(scalar, sizeof(scalar), "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
	hex_read(point, sizeof(point), "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
	kex = crypto_kex_import(CRYPTO_X25519, scalar, 32, share);
	assert_non_null(kex);
	assert_true(crypto_kex_finish(kex, point, 32, shared, &len));
	assert_int_equal(len, 32);
	hex_check(shared, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
	/* the top bit of a point is ignored */
	point[31] |= 0x80;
	assert_true(crypto_kex_finish(kex, point, 32, shared, &len));
	hex_check(shared, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
	crypto_kex_free(kex);
	memset(scalar, 0, sizeof(scalar));
	scalar[0] = 9;
	kex = crypto_kex_import(CRYPTO_X25519, scalar, 32, share);
	assert_true(crypto_kex_finish(kex, scalar, 32, shared, &len));
	hex_check(shared, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
	crypto_kex_free(kex);
}

/* RFC 8446 7.4.2: points of small order give a secret of zeros. */
static void test_x25519_refuses_points_of_small_order(void **unused)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t share[CRYPTO_MAX_SHARE_LEN], shared[CRYPTO_MAX_SHARED_LEN], point[32];
	size_t len;

	(void)unused;
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		hex_read(point, sizeof(point), points[i]);
		assert_false(crypto_kex_answer(CRYPTO_X25519, point, 32, share, shared, &len));
	}
}

/*
 * P-384, and other assembly for big numbers, leaves the vector registers in a state that x25519's key generation
 * in wolfSSL 5.9.2 does not expect.
 */
static void test_x25519_comes_right_behind_any_other_group(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < 8 * n_groups(); i++) {
		const enum crypto_group before = all_groups[i % n_groups()];
		uint8_t mine[CRYPTO_MAX_SHARE_LEN], theirs[CRYPTO_MAX_SHARE_LEN], other[CRYPTO_MAX_SHARE_LEN];
		uint8_t a[CRYPTO_MAX_SHARED_LEN], b[CRYPTO_MAX_SHARED_LEN];
		struct crypto_kex *kex;
		size_t len;

		crypto_kex_free(crypto_kex_begin(before, other));
		kex = crypto_kex_begin(CRYPTO_X25519, mine);
		assert_true(
			crypto_kex_answer(before, other, crypto_group_share_len(before), theirs, a, &len));
		assert_true(crypto_kex_answer(CRYPTO_X25519, mine, 32, theirs, a, &len));
		crypto_kex_free(crypto_kex_begin(before, other));
		assert_true(crypto_kex_finish(kex, theirs, 32, b, &len));
		assert_memory_equal(a, b, 32);
		crypto_kex_free(kex);
	}
}

/* ---- finite fields ---- */

struct field_case {
	enum crypto_group group;
	size_t len;
	/* SHA-256 of the prime, of 2^x, of 2^y and of 2^(xy), each as long as the prime */
	const char *prime, *share_x, *share_y, *secret;
};

#define X "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
#define Y "a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa"

/* computed from the formulas of RFC 7919 A.1, A.2 and A.3 */
static const struct field_case fields[] = {
	{CRYPTO_FFDHE2048, 256, "9cd3b7f336872f46c09428d1bbc19877a4d440512cda8d1c1cf0cd6e33698966",
	 "05c961c97d18f4f4aa8f09e83424e10f1c21ff49f75e1655e348311ad9f6581d",
	 "b91cd8bbd03a7da145530d0ad3bee7a2cc6127466313668287bc4c6d75604648",
	 "302b89c0d22de4d039e4537263ff0e1dfbd4cc6907d36f593fd52abd86349708"},
	{CRYPTO_FFDHE3072, 384, "0eaf67db3a839156d5013494a5318a772b5697d270d721f37f092efc69ea5a17",
	 "21339d6973a8a7f27b8a1252cd2b3e29bfdeff78f07331b28b9cd5f33418d00c",
	 "aad9c5950050716e34947321f4222c1e70cc0151929c02508ae35a73bbd202d8",
	 "7acd2275923544873c2d289053b8ba9568f0ec254b4b6983988564a74e34f896"},
	{CRYPTO_FFDHE4096, 512, "4648414224ac881b3d0dc59b466f96d06a558278776807797ecf1f66ff397b3e",
	 "8d6ff07e42f86c426f512fb682a268048152b381994d90342ad4887bb7e60273",
	 "42f91b1c72325f2cf4f18953ed6c6d6aa0983c2c712213f05b2ef943326a0005",
	 "e792200843602545eae65a1c22d115213fe7418a938893bbca43bbf048c865ae"},
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static void check_digest(const uint8_t *data, size_t len, const char *hex)
{
	uint8_t digest[CRYPTO_MAX_HASH_LEN];

	assert_true(crypto_digest(CRYPTO_SHA256, data, len, digest));
	hex_check(digest, hex);
}

static void test_ffdhe_computes_in_the_fields_of_rfc7919(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_FIELDS; i++) {
		const struct field_case *c = &fields[i];
		uint8_t key[32], share[CRYPTO_MAX_SHARE_LEN], theirs[CRYPTO_MAX_SHARE_LEN];
		uint8_t shared[CRYPTO_MAX_SHARED_LEN];
		struct crypto_kex *kex;
		size_t len;

		assert_int_equal(crypto_group_share_len(c->group), c->len);
		check_digest(crypto_ffdhe_prime(c->group), c->len, c->prime);
		hex_read(key, sizeof(key), Y);
		crypto_kex_free(crypto_kex_import(c->group, key, sizeof(key), theirs));
		check_digest(theirs, c->len, c->share_y);
		hex_read(key, sizeof(key), X);
		kex = crypto_kex_import(c->group, key, sizeof(key), share);
		assert_non_null(kex);
		check_digest(share, c->len, c->share_x);
		assert_true(crypto_kex_finish(kex, theirs, c->len, shared, &len));
		assert_int_equal(len, c->len);
		check_digest(shared, c->len, c->secret);
		crypto_kex_free(kex);
		assert_null(crypto_kex_import(c->group, shared, 45, share));
	}
}

/* RFC 8446 7.4.1: the secret is as long as the prime. */
static void test_ffdhe_secrets_keep_leading_zeros(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_FIELDS; i++) {
		const uint8_t one[] = {1};
		uint8_t share[CRYPTO_MAX_SHARE_LEN], theirs[CRYPTO_MAX_SHARE_LEN] = {0};
		uint8_t shared[CRYPTO_MAX_SHARED_LEN];
		struct crypto_kex *kex = crypto_kex_import(fields[i].group, one, sizeof(one), share);
		size_t len;

		/* 2^1, and the peer's share to the power of 1 */
		assert_non_null(kex);
		assert_true(secret_is_zero(share, fields[i].len - 1));
		assert_int_equal(share[fields[i].len - 1], 2);
		theirs[fields[i].len - 2] = 0x12;
		theirs[fields[i].len - 1] = 0x34;
		assert_true(crypto_kex_finish(kex, theirs, fields[i].len, shared, &len));
		assert_int_equal(len, fields[i].len);
		assert_memory_equal(shared, theirs, len);
		crypto_kex_free(kex);
	}
}

/* p plus something small */
static void near_prime(uint8_t *out, const uint8_t *prime, size_t len, int distance)
{
	memcpy(out, prime, len);
	for (size_t i = len; i-- > 0 && distance != 0;) {
		const int sum = out[i] + distance;

		out[i] = (uint8_t)sum;
		distance = sum < 0 ? -1 : sum > 255 ? 1 : 0;
	}
}

/* RFC 8446 4.2.8.1: 1 < Y < p - 1 */
static void test_ffdhe_shares_are_checked_for_their_range(void **unused)
{
	static const int distances[] = {-3, -2, -1, 0, 1};

	(void)unused;
	for (size_t i = 0; i < N_FIELDS; i++) {
		const enum crypto_group group = fields[i].group;
		const size_t len = fields[i].len;
		uint8_t share[CRYPTO_MAX_SHARE_LEN], theirs[CRYPTO_MAX_SHARE_LEN] = {0};
		uint8_t shared[CRYPTO_MAX_SHARED_LEN];
		size_t shared_len;

		for (uint8_t small = 0; small < 4; small++) {
			theirs[len - 1] = small;
			assert_int_equal(crypto_kex_answer(group, theirs, len, share, shared, &shared_len),
					 small > 1);
		}
		for (size_t j = 0; j < sizeof(distances) / sizeof(distances[0]); j++) {
			near_prime(theirs, crypto_ffdhe_prime(group), len, distances[j]);
			assert_int_equal(crypto_kex_answer(group, theirs, len, share, shared, &shared_len),
					 distances[j] < -1);
		}
		memset(theirs, 0xff, len);
		assert_false(crypto_kex_answer(group, theirs, len, share, shared, &shared_len));
		assert_true(secret_is_zero(shared, sizeof(shared)));
	}
}

/* The client's side of DHE in TLS 1.2 against a server that uses a group of RFC 7919 */
static void test_dhe_of_tls12_agrees_with_ffdhe(void **unused)
{
	const uint8_t g[] = {0, 2};

	(void)unused;
	for (size_t i = 0; i < 2 * N_FIELDS; i++) {
		const struct field_case *c = &fields[i / 2];
		uint8_t server[CRYPTO_MAX_SHARE_LEN], client[CRYPTO_MAX_DH_LEN];
		uint8_t a[CRYPTO_MAX_SHARED_LEN], b[CRYPTO_MAX_SHARED_LEN];
		struct crypto_kex *kex = crypto_kex_begin(c->group, server);
		size_t a_len, b_len, zeros = 0;

		assert_true(crypto_dh_answer(crypto_ffdhe_prime(c->group), c->len, g + i % 2, 2 - i % 2,
					     server, c->len, client, a, &a_len));
		assert_true(crypto_kex_finish(kex, client, c->len, b, &b_len));
		while (b[zeros] == 0) {
			zeros++;
		}
		assert_int_equal(a_len, b_len - zeros);
		assert_memory_equal(a, b + zeros, a_len);
		crypto_kex_free(kex);
	}
}

/* With the generator as the server's share, the secret is our own share. Moduli of odd sizes, leading zeros. */
static void test_dhe_of_tls12_takes_any_size(void **unused)
{
	static const size_t bits[] = {2048, 2049, 2056, 2432, 3071, 3072, 3500, 4000, 4095, 4096};

	(void)unused;
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		const size_t len = (bits[i] + 7) / 8, zeros = len < CRYPTO_MAX_DH_LEN ? i % 3 : 0;
		uint8_t p[CRYPTO_MAX_DH_LEN] = {0}, share[CRYPTO_MAX_DH_LEN], shared[CRYPTO_MAX_SHARED_LEN];
		const uint8_t g[] = {0, 0, 5};
		size_t shared_len, skip = 0;

		assert_true(engine_random(p + zeros, len));
		p[zeros] = (uint8_t)((p[zeros] | 0x80) >> (len * 8 - bits[i]));
		p[zeros + len - 1] |= 1;
		assert_true(crypto_dh_answer(p, zeros + len, g, sizeof(g), g, sizeof(g), share, shared,
					     &shared_len));
		while (share[skip] == 0) {
			skip++;
		}
		assert_true(skip >= zeros);
		assert_int_equal(shared_len, zeros + len - skip);
		assert_memory_equal(shared, share + skip, shared_len);
	}
}

static bool dh(const uint8_t *p, size_t p_len, const uint8_t *g, size_t g_len, const uint8_t *peer,
	       size_t peer_len)
{
	uint8_t share[CRYPTO_MAX_DH_LEN], shared[CRYPTO_MAX_SHARED_LEN];
	size_t len;

	return crypto_dh_answer(p, p_len, g, g_len, peer, peer_len, share, shared, &len);
}

static void test_dhe_of_tls12_refuses_bad_parameters(void **unused)
{
	const size_t len = 256;
	const uint8_t *p = crypto_ffdhe_prime(CRYPTO_FFDHE2048), two[] = {2}, zeros[300] = {0};
	uint8_t bad[600];

	(void)unused;
	assert_true(dh(p, len, two, 1, two, 1));
	/* generator and share in 2..p-2 */
	for (int distance = -3; distance <= 1; distance++) {
		near_prime(bad, p, len, distance);
		assert_int_equal(dh(p, len, bad, len, two, 1), distance < -1);
		assert_int_equal(dh(p, len, two, 1, bad, len), distance < -1);
	}
	for (uint8_t small = 0; small < 2; small++) {
		assert_false(dh(p, len, &small, 1, two, 1));
		assert_false(dh(p, len, two, 1, &small, 1));
	}
	assert_false(dh(p, len, two, 0, two, 1));
	assert_false(dh(p, len, two, 1, zeros, sizeof(zeros)));
	memset(bad, 0xff, sizeof(bad));
	assert_false(dh(p, len, two, 1, bad, len + 1));
	/* a prime that is even, zero, absent, shorter than 2048 bits, longer than 4096 */
	near_prime(bad, p, len, -1);
	assert_false(dh(bad, len, two, 1, two, 1));
	assert_false(dh(zeros, len, two, 1, two, 1));
	assert_false(dh(zeros, 0, two, 1, two, 1));
	memcpy(bad, p, len);
	bad[0] = 0x7f;
	assert_false(dh(bad, len, two, 1, two, 1));
	assert_false(dh(p + 1, len - 1, two, 1, two, 1));
	memset(bad, 0xff, sizeof(bad));
	assert_false(dh(bad, 513, two, 1, two, 1));
	bad[0] = 1;
	assert_false(dh(bad, 513, two, 1, two, 1));
}

static int setup(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_sides_get_the_same_secret),
		cmocka_unit_test(test_shares_of_wrong_length_are_refused),
		cmocka_unit_test(test_running_out_of_memory_is_a_refusal),
		cmocka_unit_test(test_curves_give_the_published_answers),
		cmocka_unit_test(test_coordinates_out_of_the_field_are_refused),
		cmocka_unit_test(test_what_is_no_point_is_refused),
		cmocka_unit_test(test_x25519_gives_the_published_answers),
		cmocka_unit_test(test_x25519_refuses_points_of_small_order),
		cmocka_unit_test(test_x25519_comes_right_behind_any_other_group),
		cmocka_unit_test(test_ffdhe_computes_in_the_fields_of_rfc7919),
		cmocka_unit_test(test_ffdhe_secrets_keep_leading_zeros),
		cmocka_unit_test(test_ffdhe_shares_are_checked_for_their_range),
		cmocka_unit_test(test_dhe_of_tls12_agrees_with_ffdhe),
		cmocka_unit_test(test_dhe_of_tls12_takes_any_size),
		cmocka_unit_test(test_dhe_of_tls12_refuses_bad_parameters),
	};

	return cmocka_run_group_tests_name("key agreement", tests, setup, NULL);
}
