/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key schedule of TLS 1.2 and older against what another implementation of the RFCs' formulas (Python's hmac and
 * hashlib) made of the same inputs: byte i of an input that starts with s is s + 7 i.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/keysched12.h"
#include "engine/secret.h"
#include "tests/lib/hex.h"
#include "tests/lib/pair.h"

static void fill(uint8_t *out, size_t len, uint8_t start)
{
	for (size_t i = 0; i < len; i++) {
		out[i] = (uint8_t)(start + 7 * i);
	}
}

static void test_prf_agrees_with_other_implementations(void **unused)
{
	/* clang-format off */
	static const struct {
		uint16_t version;
		enum crypto_hash hash;
		size_t secret_len;
		uint8_t secret_start;
		const char *expected;
	} vectors[] = {
		{ENGINE_TLS12, CRYPTO_SHA256, 48, 1,
		 "70c3a5780daad603cdd0fdc94e64ad17e2ff5dfa40b847a328d9a63af501d00d"
		 "365520d3779f8f481ab603d637c23d3540408b0ba4c0c66471da115f1262d6f0"
		 "d8f6d690286997c5c6abef29ab0daae73c42ce6a70105f24b3edaf103635819e"
		 "f8a12a7a"},
		{ENGINE_TLS12, CRYPTO_SHA256, 33, 9,
		 "3ec09a56f79de51767928d919509c544cb893bc546087cc2b3d777345f2fcb31"
		 "91683cde67f7e829cb533f09869c9873a1b4679bdab21fda547d3daeb88e844f"
		 "a4032d98f6782b2fbf9cd3efae56dda8cc023bac9895b7a5c1ff4e51b8f45e9d"
		 "2a0e2c2e"},
		{ENGINE_TLS12, CRYPTO_SHA256, 0, 0,
		 "86fc3425b31a2bfd55c5576b69ad48299fcd70db"},
		{ENGINE_TLS12, CRYPTO_SHA384, 48, 1,
		 "679ec65f5538d66e81878b75341286f94f1519500cf095f709ee1de636a5ab26"
		 "08e031c9afd7ef98cad98ce27c64281bc5ec4657265ef0fa5048ce36459523fc"
		 "6b3cf7cd37ca11e53bf50309bc9fe760df09e8afcc4fa3c3d9d28662c1a236b9"
		 "73cc0605"},
		{ENGINE_TLS12, CRYPTO_SHA384, 33, 9,
		 "41e5d6e7f8bc7311e4fe4ee4e903cf43161957bcce15d76ac0ee1d8c7683cf98"
		 "5c9152407c45575bb457402df251981867c0f1506ad55c2ae55e2adde138e89f"
		 "45184de4aa690ca299d90987a79942fe5071047ebfd806cec1b397ea75b50aeb"
		 "1f9d9f3a"},
		{ENGINE_TLS12, CRYPTO_SHA384, 0, 0,
		 "0e3d7038f55f9052eb7455d284586fb36e682af7"},
		{ENGINE_TLS11, CRYPTO_SHA256, 48, 1,
		 "d4e82b19fe3534c23cefacf334e59f4ccc82df455b1fec21c3decf7c1915ac70"
		 "99a9864e819e11ba7683d94ff2504bd30814c21807948387395f8abbfeb241f8"
		 "32d678ed4b896d35f846369b34f2ceb009573f366154899df21360140daf47bd"
		 "afe78adb"},
		{ENGINE_TLS11, CRYPTO_SHA256, 33, 9,
		 "19e5d84e5f4474af3125994020bbfba69039b747728a77ab18ff232d8dd350ec"
		 "b2f61d231662fa1cf08e3d4735bfa1bfac5c75491b013a82daa444d7ca71c808"
		 "4fadac638b1137c74f3a3d870ea78bafde71156bd662421ce5442be49d15d40e"
		 "584001d3"},
		{ENGINE_TLS11, CRYPTO_SHA256, 0, 0,
		 "bbdfd194f6f7d379a9d06295dfb7be83dc071fad"},
		{ENGINE_TLS10, CRYPTO_SHA256, 48, 1,
		 "d4e82b19fe3534c23cefacf334e59f4ccc82df455b1fec21c3decf7c1915ac70"
		 "99a9864e819e11ba7683d94ff2504bd30814c21807948387395f8abbfeb241f8"
		 "32d678ed4b896d35f846369b34f2ceb009573f366154899df21360140daf47bd"
		 "afe78adb"},
		{ENGINE_TLS10, CRYPTO_SHA256, 33, 9,
		 "19e5d84e5f4474af3125994020bbfba69039b747728a77ab18ff232d8dd350ec"
		 "b2f61d231662fa1cf08e3d4735bfa1bfac5c75491b013a82daa444d7ca71c808"
		 "4fadac638b1137c74f3a3d870ea78bafde71156bd662421ce5442be49d15d40e"
		 "584001d3"},
		{ENGINE_TLS10, CRYPTO_SHA256, 0, 0,
		 "bbdfd194f6f7d379a9d06295dfb7be83dc071fad"},
	};
	/* clang-format on */
	uint8_t secret[48], seed[64], out[100];

	(void)unused;
	fill(seed, sizeof(seed), 77);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const size_t len = strlen(vectors[i].expected) / 2;

		fill(secret, vectors[i].secret_len, vectors[i].secret_start);
		memset(out, 0xee, sizeof(out));
		/* every length is a beginning of the longest */
		for (size_t n = 0; n <= len; n++) {
			char start[201];

			memcpy(start, vectors[i].expected, 2 * n);
			start[2 * n] = '\0';
			assert_true(keysched12_prf(vectors[i].version, vectors[i].hash, secret,
						   vectors[i].secret_len, "test label", seed, sizeof(seed),
						   out, n));
			hex_check(out, start);
			assert_true(n == sizeof(out) || out[n] == 0xee);
		}
	}
}

static void test_master_secrets_and_finished_agree(void **unused)
{
	/* clang-format off */
	static const struct {
		uint16_t version;
		enum crypto_hash hash;
		size_t hash_len;
		const char *master, *extended, *client, *server;
	} vectors[] = {
		{ENGINE_TLS12, CRYPTO_SHA256, 32,
		 "23195a2f9e800770a1276bc912d866baf3b6646b7f3fb3f9b6ce17790a39da08"
		 "1799022a103af6925554f8e2f4119d25",
		 "16732e27459ea778ec069d62400066fc2cb7be78e243e8e5c41def4553177a16"
		 "8b1d6b75126db4d61e782b260cb92e01",
		 "71f8e73de9f0ce068c009ca1", "91541e54b1ce53ed28a2cccb"},
		{ENGINE_TLS12, CRYPTO_SHA384, 48,
		 "50b00ee09607247db5616ca78614e4e4372275f5eca52a87d36dcc19119e4f25"
		 "1d56a241389fc53498f7f2a7d4fbc789",
		 "0c4523ef84d04e9637daf736a76eede89d6a2825507311c101cebd2b92cd2003"
		 "ee1126f014a93c36af823889770f6528",
		 "d65e688b01ecdd2f7eeeb447", "e7b9350e06462a7e46dad482"},
		{ENGINE_TLS11, CRYPTO_SHA256, 36,
		 "516fbcad5c9ad77accf9e9f29ac8c8c5cd3ff894106e1b310876b6cb39d3734d"
		 "b89a78b55233d715589865e3bd29996c",
		 "bfec183c65c9ce0be46a6acd8138e6492ce5c109a1c279068fa2e11d5f9ee5f3"
		 "e295444e4e9ae1e16862949409d0f27a",
		 "d9b75c768988f3649d2d3362", "cceb22e051eab44ccf2c8c39"},
		{ENGINE_TLS10, CRYPTO_SHA256, 36,
		 "516fbcad5c9ad77accf9e9f29ac8c8c5cd3ff894106e1b310876b6cb39d3734d"
		 "b89a78b55233d715589865e3bd29996c",
		 "bfec183c65c9ce0be46a6acd8138e6492ce5c109a1c279068fa2e11d5f9ee5f3"
		 "e295444e4e9ae1e16862949409d0f27a",
		 "d9b75c768988f3649d2d3362", "cceb22e051eab44ccf2c8c39"},
	};
	/* clang-format on */
	uint8_t client_random[32], server_random[32], premaster[48], master[48], hash[48];
	uint8_t out[48];

	(void)unused;
	fill(client_random, 32, 3);
	fill(server_random, 32, 200);
	fill(premaster, 48, 50);
	fill(master, 48, 1);
	fill(hash, 48, 5);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const uint16_t version = vectors[i].version;

		assert_true(keysched12_master_secret(version, vectors[i].hash, premaster, 48, client_random,
						     server_random, out));
		hex_check(out, vectors[i].master);
		assert_true(keysched12_extended_master_secret(version, vectors[i].hash, premaster, 48, hash,
							      vectors[i].hash_len, out));
		hex_check(out, vectors[i].extended);
		assert_true(keysched12_finished(version, vectors[i].hash, master, true, hash,
						vectors[i].hash_len, out));
		hex_check(out, vectors[i].client);
		assert_true(keysched12_finished(version, vectors[i].hash, master, false, hash,
						vectors[i].hash_len, out));
		hex_check(out, vectors[i].server);
	}
}

/* MAC key, key and IV of a direction. */
struct parts {
	const char *mac_key, *key, *iv;
};

static void check_keys(const struct engine_keys *keys, const struct parts *parts)
{
	static const struct engine_keys zeros;
	const size_t mac_key_len = strlen(parts->mac_key) / 2;
	const size_t key_len = strlen(parts->key) / 2;
	const size_t iv_len = strlen(parts->iv) / 2;

	hex_check(keys->secret, parts->mac_key);
	hex_check(keys->key, parts->key);
	hex_check(keys->iv, parts->iv);
	assert_memory_equal(keys->secret + mac_key_len, zeros.secret, sizeof(zeros.secret) - mac_key_len);
	assert_memory_equal(keys->key + key_len, zeros.key, sizeof(zeros.key) - key_len);
	assert_memory_equal(keys->iv + iv_len, zeros.iv, sizeof(zeros.iv) - iv_len);
	assert_int_equal(keys->seq, 0);
}

static void test_the_key_block_is_cut_as_each_suite_wants_it(void **unused)
{
	/* clang-format off */
	static const struct {
		uint16_t suite, version;
		struct parts client, server;
	} vectors[] = {
		{0xc02f, ENGINE_TLS12,
		 {"",
		  "d76eddf93f0d91d2782f2e089386510d",
		  "2df7ec59"},
		 {"",
		  "c4ffd239d711bc6afe9bf26d4ef626e9",
		  "337ce0eb"}},
		{0xc030, ENGINE_TLS12,
		 {"",
		  "02e35f91bcd13a4617f89aabc07282da6ac67c4285729f8704df4e65a9c466c8",
		  "a812c008"},
		 {"",
		  "bef17ef6a59943c0b7077d304cb901a36b6a0302f418ea0d28e9c4246a4b494b",
		  "a8827f53"}},
		{0xcca8, ENGINE_TLS12,
		 {"",
		  "d76eddf93f0d91d2782f2e089386510dc4ffd239d711bc6afe9bf26d4ef626e9",
		  "06eeda87bc9bfc842938fd0b"},
		 {"",
		  "2df7ec59337ce0eb878fce64803f8f83f854dd9f87e233577aa28a6d7f0d05bb",
		  "2f8b1c40801e14e662de78f1"}},
		{0xc028, ENGINE_TLS12,
		 {"02e35f91bcd13a4617f89aabc07282da6ac67c4285729f8704df4e65a9c466c8"
		 "bef17ef6a59943c0b7077d304cb901a3",
		  "c2c54e57ba0f16c653a57d3fa4655f63ca7c4649de600dae8d44154c2ea34c83",
		  ""},
		 {"6b6a0302f418ea0d28e9c4246a4b494ba812c008a8827f53276592cc181b7b33"
		 "aa68669abfa7fa8b02067791fcfe267c",
		  "0b12ed7d952645e926fe01b8893a79077503f6d28050ef00d216294af0f974e1",
		  ""}},
		{0xc013, ENGINE_TLS12,
		 {"d76eddf93f0d91d2782f2e089386510dc4ffd239",
		  "878fce64803f8f83f854dd9f87e23357",
		  ""},
		 {"d711bc6afe9bf26d4ef626e92df7ec59337ce0eb",
		  "7aa28a6d7f0d05bb06eeda87bc9bfc84",
		  ""}},
		{0x003d, ENGINE_TLS12,
		 {"d76eddf93f0d91d2782f2e089386510dc4ffd239d711bc6afe9bf26d4ef626e9",
		  "06eeda87bc9bfc842938fd0b2f8b1c40801e14e662de78f1b9348a742e0dfe4f",
		  ""},
		 {"2df7ec59337ce0eb878fce64803f8f83f854dd9f87e233577aa28a6d7f0d05bb",
		  "a0bc20658155c2b993da9f2c618b04d7728b12d3f8afb97552af80762db20774",
		  ""}},
		{0xc014, ENGINE_TLS11,
		 {"02dc91bebbbcc9e6b1d116204f441f28a3255549",
		  "3510ce2caf4111ebfee54ecd3aba927cab4c4d0a5c5598e2622f421f3b454f6d",
		  ""},
		 {"25ff14f18c492552a9400f642cf6734933e4c49b",
		  "961fbffe4bb1a0befe1dbbe77d5a2fb80a7c7130188ae2184d031fcd733a07c2",
		  ""}},
		{0xc013, ENGINE_TLS10,
		 {"02dc91bebbbcc9e6b1d116204f441f28a3255549",
		  "3510ce2caf4111ebfee54ecd3aba927c",
		  "961fbffe4bb1a0befe1dbbe77d5a2fb8"},
		 {"25ff14f18c492552a9400f642cf6734933e4c49b",
		  "ab4c4d0a5c5598e2622f421f3b454f6d",
		  "0a7c7130188ae2184d031fcd733a07c2"}},
	};
	/* clang-format on */
	uint8_t client_random[32], server_random[32], master[48];

	(void)unused;
	fill(client_random, 32, 3);
	fill(server_random, 32, 200);
	fill(master, 48, 1);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct record_cipher_spec spec = {
			.suite = suite_find(vectors[i].suite),
			.version = vectors[i].version,
		};
		struct engine_keys client, server;

		assert_non_null(spec.suite);
		memset(&client, 0xee, sizeof(client));
		memset(&server, 0xee, sizeof(server));
		client.epoch = 7;
		server.epoch = 9;
		assert_true(keysched12_traffic_keys(&spec, master, client_random, server_random, &client,
						    &server));
		check_keys(&client, &vectors[i].client);
		check_keys(&server, &vectors[i].server);
		assert_int_equal(client.epoch, 8);
		assert_int_equal(server.epoch, 10);
	}
}

static void test_what_has_no_hmac_makes_no_secret(void **unused)
{
	uint8_t secret[48] = {1}, out[48];

	(void)unused;
	memset(out, 0xee, sizeof(out));
	assert_false(keysched12_prf(ENGINE_TLS12, CRYPTO_MD5_SHA1, secret, sizeof(secret), "label", secret,
				    32, out, sizeof(out)));
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
		cmocka_unit_test(test_prf_agrees_with_other_implementations),
		cmocka_unit_test(test_master_secrets_and_finished_agree),
		cmocka_unit_test(test_the_key_block_is_cut_as_each_suite_wants_it),
		cmocka_unit_test(test_what_has_no_hmac_makes_no_secret),
	};

	return cmocka_run_group_tests_name("keysched12", tests, setup, NULL);
}
