/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RSA key transport: what is well-formed comes through, and of what is not nobody learns anything.
 * RFC 5246 7.4.7.1
 */
#include <unistd.h>

#include "tests/pki/pki.h"

#include "engine/x509_rsa.h"

static const char *const keys[] = {"server-rsa2048", "server-rsa3072", "server-rsa4096", "server-rsa2056",
				   "server-rsa2049"};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static struct engine_config *credential_of(const char *name)
{
	char cert[80], key[80], why[ENGINE_REASON_MAX];
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	assert_non_null(config);
	(void)snprintf(cert, sizeof(cert), "%s.pem", name);
	(void)snprintf(key, sizeof(key), "%s.key", name);
	if (!pki_add_credential(config, cert, key, why)) {
		fail_msg("%s: %s", name, why);
	}
	return config;
}

static struct public_key *public_of(const struct engine_config *config)
{
	struct engine_config *anyone = engine_config_new(ENGINE_CLIENT);
	const uint8_t *certs[] = {config->credentials[0].chain[0].data};
	const size_t lens[] = {config->credentials[0].chain[0].len};
	struct verify_request request = {.config = anyone,
					 .peer_role = ENGINE_SERVER,
					 .certs = certs,
					 .cert_lens = lens,
					 .n_certs = 1};
	struct verify_result result;
	engine_config_set_verify(anyone, ENGINE_VERIFY_NONE);
	assert_int_equal(verify_chain(&request, &result), ENGINE_OK);
	engine_config_unref(anyone);
	return result.key;
}

static void what_is_encrypted_is_decrypted(void **state)
{
	(void)state;
	uint8_t premaster[PREMASTER_LEN], out[PREMASTER_LEN], sealed[512], again[512];
	for (size_t k = 0; k < N_KEYS; k++) {
		struct engine_config *config = credential_of(keys[k]);
		struct public_key *public_key = public_of(config);
		size_t len, again_len;
		assert_true(pki_random(premaster, sizeof(premaster)));
		premaster[0] = 3;
		premaster[1] = 3;
		premaster[47] = 0; /* zeros in it are no end of padding */
		assert_true(
			public_key_encrypt_premaster(public_key, premaster, sealed, sizeof(sealed), &len));
		assert_true(public_key_encrypt_premaster(public_key, premaster, again, sizeof(again),
							 &again_len));
		assert_int_equal(len, again_len);
		assert_memory_not_equal(sealed, again, len);
		assert_false(
			public_key_encrypt_premaster(public_key, premaster, sealed, len - 1, &again_len));
		assert_true(private_key_can_decrypt(config->credentials[0].key));
		assert_int_equal(private_key_decrypt_premaster(config->credentials[0].key, again, len, 0x0303,
							       out),
				 ENGINE_OK);
		assert_memory_equal(out, premaster, sizeof(out));
		/* a wrong version is replaced: the rest stays, and fails in Finished */
		assert_int_equal(private_key_decrypt_premaster(config->credentials[0].key, again, len, 0x0301,
							       out),
				 ENGINE_OK);
		assert_int_equal(out[0] << 8 | out[1], 0x0301);
		assert_memory_equal(out + 2, premaster + 2, sizeof(out) - 2);
		public_key_free(public_key);
		engine_config_unref(config);
	}
}

static void other_kinds_of_keys_transport_nothing(void **state)
{
	(void)state;
	static const char *const others[] = {"server", "server-ed25519", "server-pss", "server-p521"};
	uint8_t buffer[512] = {0}, out[PREMASTER_LEN];
	size_t len;
	for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++) {
		struct engine_config *config = credential_of(others[k]);
		struct public_key *public_key = public_of(config);
		assert_false(private_key_can_decrypt(config->credentials[0].key));
		assert_int_equal(private_key_decrypt_premaster(config->credentials[0].key, buffer, 256,
							       0x0303, out),
				 ENGINE_ERR_INTERNAL);
		assert_false(public_key_encrypt_premaster(public_key, out, buffer, sizeof(buffer), &len));
		public_key_free(public_key);
		engine_config_unref(config);
	}
}

/* A block that is right, for tests to damage. */
static void make_block(uint8_t *block, size_t len)
{
	memset(block, 0xa5, len);
	block[0] = 0;
	block[1] = 2;
	block[len - 49] = 0;
	block[len - 48] = 3;
	block[len - 47] = 3;
}

static bool selects_block(const uint8_t *block, size_t len)
{
	uint8_t random[PREMASTER_LEN], out[PREMASTER_LEN];
	memset(random, 0x17, sizeof(random));
	premaster_select(block, len, 0x0302, random, out);
	assert_int_equal(out[0] << 8 | out[1], 0x0302);
	bool is_block = memcmp(out + 2, block + len - 46, 46) == 0;
	assert_true(is_block || memcmp(out + 2, random + 2, 46) == 0);
	return is_block;
}

static void every_byte_of_the_padding_counts(void **state)
{
	(void)state;
	static const size_t lens[] = {59, 60, 128, 256, 257, 384, 512};
	uint8_t block[512];
	for (size_t l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
		size_t len = lens[l];
		make_block(block, len);
		assert_true(selects_block(block, len));
		for (int wrong = 1; wrong < 256; wrong++) {
			make_block(block, len);
			block[0] = (uint8_t)wrong;
			assert_false(selects_block(block, len));
			make_block(block, len);
			block[1] = (uint8_t)(2 ^ wrong);
			assert_false(selects_block(block, len));
			make_block(block, len);
			block[len - 49] = (uint8_t)wrong;
			assert_false(selects_block(block, len));
			make_block(block, len);
			memset(block + 2, wrong, len - 51);
			assert_true(selects_block(block, len));
		}
		for (size_t at = 2; at < len - 49; at++) {
			make_block(block, len);
			block[at] = 0;
			assert_false(selects_block(block, len));
		}
		/* what stands in the secret does not */
		make_block(block, len);
		memset(block + len - 48, 0, 48);
		assert_true(selects_block(block, len));
	}
	/* too short for any */
	uint8_t out[PREMASTER_LEN], random[PREMASTER_LEN];
	memset(random, 0x17, sizeof(random));
	for (size_t len = 0; len < 59; len++) {
		memset(block, 0, sizeof(block));
		premaster_select(block, len, 0x0303, random, out);
		assert_memory_equal(out + 2, random + 2, 46);
	}
}

static void malformed_ciphertexts_give_fresh_secrets(void **state)
{
	(void)state;
	struct engine_config *config = credential_of("server-rsa2048");
	struct public_key *public_key = public_of(config);
	const struct private_key *key = config->credentials[0].key;
	const struct key_view *view = public_key_view(public_key);
	uint8_t block[256], sealed[300] = {0}, out[2][PREMASTER_LEN];
	for (int i = 0; i < 12; i++) {
		size_t len = 256;
		make_block(block, sizeof(block));
		switch (i) {
		case 0:
			block[0] = 1;
			break;
		case 1:
			block[1] = 1;
			break;
		case 2:
			block[9] = 0;
			break;
		case 3:
			block[207] = 1;
			break;
		case 4: /* 47 bytes */
			block[207] = 1;
			block[208] = 0;
			break;
		case 5: /* 49 */
			block[206] = 0;
			break;
		case 6: /* no end at all */
			memset(block + 1, 2, 255);
			break;
		default:
			break;
		}
		assert_true(rsa_public_raw(view, block, sealed));
		switch (i) {
		case 7:
			len = 0;
			break;
		case 8:
			len = 255;
			break;
		case 9:
			len = 257;
			break;
		case 10: /* the modulus itself, and above it */
			memcpy(sealed, view->n.data, 256);
			break;
		case 11:
			memset(sealed, 0xff, 256);
			break;
		default:
			break;
		}
		for (int k = 0; k < 2; k++) {
			assert_int_equal(private_key_decrypt_premaster(key, sealed, len, 0x0303, out[k]),
					 ENGINE_OK);
			assert_int_equal(out[k][0] << 8 | out[k][1], 0x0303);
			assert_memory_not_equal(out[k] + 2, block + 210, 46);
		}
		assert_memory_not_equal(out[0], out[1], PREMASTER_LEN);
	}
	/* 0 and 1 encrypt themselves */
	for (uint8_t c = 0; c < 2; c++) {
		memset(sealed, 0, sizeof(sealed));
		sealed[255] = c;
		assert_int_equal(private_key_decrypt_premaster(key, sealed, 256, 0x0303, out[0]), ENGINE_OK);
		assert_int_equal(private_key_decrypt_premaster(key, sealed, 256, 0x0303, out[1]), ENGINE_OK);
		assert_memory_not_equal(out[0], out[1], PREMASTER_LEN);
	}
	public_key_free(public_key);
	engine_config_unref(config);
}

static void openssl_understands_what_is_encrypted(void **state)
{
	(void)state;
	char dir[] = "/tmp/tlshim-test-XXXXXX";
	char command[800];
	uint8_t premaster[PREMASTER_LEN], found[PREMASTER_LEN + 1], sealed[512];
	assert_non_null(mkdtemp(dir));
	for (size_t k = 0; k < N_KEYS; k++) {
		struct engine_config *config = credential_of(keys[k]);
		struct public_key *public_key = public_of(config);
		size_t len;
		char path[80];
		assert_true(pki_random(premaster, sizeof(premaster)));
		assert_true(
			public_key_encrypt_premaster(public_key, premaster, sealed, sizeof(sealed), &len));
		(void)snprintf(path, sizeof(path), "%s/in", dir);
		FILE *file = fopen(path, "wb");
		assert_non_null(file);
		assert_int_equal(fwrite(sealed, 1, len, file), len);
		assert_int_equal(fclose(file), 0);
		(void)snprintf(command, sizeof(command),
			       "openssl pkeyutl -decrypt -inkey %s/%s.key -in %s/in -out %s/out", pki_dir(),
			       keys[k], dir, dir);
		assert_int_equal(system(command), 0);
		(void)snprintf(path, sizeof(path), "%s/out", dir);
		file = fopen(path, "rb");
		assert_non_null(file);
		assert_int_equal(fread(found, 1, sizeof(found), file), PREMASTER_LEN);
		(void)fclose(file);
		assert_memory_equal(found, premaster, PREMASTER_LEN);
		public_key_free(public_key);
		engine_config_unref(config);
	}
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_encrypted_is_decrypted),
		cmocka_unit_test(other_kinds_of_keys_transport_nothing),
		cmocka_unit_test(every_byte_of_the_padding_counts),
		cmocka_unit_test(malformed_ciphertexts_give_fresh_secrets),
		cmocka_unit_test(openssl_understands_what_is_encrypted),
	};
	return cmocka_run_group_tests(tests, pki_setup, NULL);
}
