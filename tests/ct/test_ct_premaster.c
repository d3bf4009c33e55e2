/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RSA key transport: what becomes of a decrypted block does not show whether it was well-formed.  RFC 5246 7.4.7.1
 */
#include "tests/ct/ct.h"

#include "engine/x509.h"
#include "tests/pki/pki.h"

#define BLOCK_LEN 256

static uint8_t block[BLOCK_LEN], drawn[PREMASTER_LEN], premaster[PREMASTER_LEN];

/* 00 02, padding, 00, version and 46 bytes. */
static void make_block(void)
{
	memset(block, 0x5a, sizeof(block));
	block[0] = 0;
	block[1] = 2;
	block[BLOCK_LEN - PREMASTER_LEN - 1] = 0;
	memset(block + BLOCK_LEN - PREMASTER_LEN, 'p', PREMASTER_LEN);
	block[BLOCK_LEN - PREMASTER_LEN] = 3;
	block[BLOCK_LEN - PREMASTER_LEN + 1] = 3;
	memset(drawn, 'r', sizeof(drawn));
}

/* The choice, with the block and the random bytes secret; which it was. */
static uint8_t chosen(void)
{
	ct_secret(block, sizeof(block));
	ct_secret(drawn, sizeof(drawn));
	premaster_select(block, sizeof(block), 0x0303, drawn, premaster);
	ct_public(premaster, sizeof(premaster));
	ct_public(block, sizeof(block));
	assert_int_equal(premaster[0], 3);
	assert_int_equal(premaster[1], 3);
	for (size_t i = 3; i < PREMASTER_LEN; i++) {
		assert_int_equal(premaster[i], premaster[2]);
	}
	return premaster[2];
}

static void test_a_block_is_judged_without_a_branch(void **unused)
{
	const unsigned before = ct_leaks();

	(void)unused;
	make_block();
	assert_int_equal(chosen(), 'p');
	/* each byte that must be zero, and each that must not */
	for (size_t i = 0; i < BLOCK_LEN - PREMASTER_LEN; i++) {
		make_block();
		block[i] = block[i] == 0 || i == 1 ? 1 : 0;
		assert_int_equal(chosen(), 'r');
	}
	/* the version in it is not told either */
	make_block();
	block[BLOCK_LEN - PREMASTER_LEN] = 2;
	assert_int_equal(chosen(), 'p');
	assert_int_equal(ct_leaks(), before);
}

/* The public half of a configuration's own key. */
static struct public_key *public_half(const struct engine_config *config)
{
	struct engine_config *anyone = engine_config_new(ENGINE_CLIENT);
	const uint8_t *certs[] = {config->credentials[0].chain[0].data};
	const size_t lens[] = {config->credentials[0].chain[0].len};
	const struct verify_request request = {.config = anyone,
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

/*
 * All of it, with the key of a server: a ciphertext that is secret, and with it what becomes of it. Its
 * first byte stays public, and is small: that it is no number above the modulus may be seen.
 */
static void test_a_premaster_secret_is_decrypted_without_a_branch(void **unused)
{
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	uint8_t sealed[512], out[PREMASTER_LEN], expected[PREMASTER_LEN];
	char why[ENGINE_REASON_MAX];
	struct public_key *public_key;
	unsigned before;
	size_t len = 0;

	(void)unused;
	assert_true(pki_add_credential(config, "server-rsa2048.pem", "server-rsa2048.key", why));
	public_key = public_half(config);
	memset(expected, 3, sizeof(expected));
	before = ct_leaks();
	for (int is_good = 0; is_good < 2; is_good++) {
		do {
			assert_true(public_key_encrypt_premaster(public_key, expected, sealed, sizeof(sealed),
								 &len));
		} while (sealed[0] >= 0x80);
		sealed[len - 1] ^= (uint8_t)!is_good;
		ct_secret(sealed + 1, len - 1);
		assert_int_equal(private_key_decrypt_premaster(config->credentials[0].key, sealed, len,
							       0x0303, out),
				 ENGINE_OK);
		ct_public(out, sizeof(out));
		assert_int_equal(memcmp(out, expected, sizeof(out)) == 0, is_good);
	}
	assert_int_equal(ct_leaks(), before);
	public_key_free(public_key);
	engine_config_unref(config);
}

/* The same with branches, as a textbook has it. */
static bool leaky_select(const uint8_t *in, size_t len)
{
	size_t i = 2;

	if (in[0] != 0 || in[1] != 2) {
		return false;
	}
	while (i < len && in[i] != 0) {
		i++;
	}
	return len - i == PREMASTER_LEN + 1;
}

static void test_a_textbook_decoder_is_found(void **unused)
{
	const unsigned before = ct_leaks();
	volatile bool good;

	(void)unused;
	make_block();
	ct_secret(block, sizeof(block));
	good = leaky_select(block, sizeof(block));
	(void)good;
	assert_true(ct_leaks() > before);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_textbook_decoder_is_found),
		cmocka_unit_test(test_a_block_is_judged_without_a_branch),
		cmocka_unit_test(test_a_premaster_secret_is_decrypted_without_a_branch),
	};

	return cmocka_run_group_tests_name("constant time: premaster secrets", tests, pki_setup, NULL);
}

int main(int argc, char **argv)
{
	(void)argc;
	return ct_main(argv, run);
}
