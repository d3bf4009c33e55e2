/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CBC records, MAC-then-encrypt: what a decrypted record holds, how long its padding is and where its MAC
 * stands does not show in time, only whether all of it was right.  RFC 5246 6.2.3.2
 */
#include "tests/ct/ct.h"

#include "engine/record_protect.h"
#include "engine/secret.h"

static uint8_t plain[ENGINE_MAX_PLAINTEXT + 1024];
static struct engine_keys keys;

static const struct record_cipher_spec specs[] = {
	{.version = ENGINE_TLS12}, {.version = ENGINE_TLS12}, {.version = ENGINE_TLS12}};
/* HMAC with SHA-1, SHA-256, SHA-384 */
static const uint16_t suites[] = {0x002f, 0x003c, 0xc028};

static struct record_cipher_spec spec_of(size_t i)
{
	struct record_cipher_spec spec = specs[i];

	spec.suite = suite_find(suites[i]);
	assert_non_null(spec.suite);
	return spec;
}

/* Content, MAC, padding: len bytes in plain, of which n + 1 are padding. Returns the content's length. */
static size_t make_plain(const struct record_cipher_spec *spec, size_t len, size_t n)
{
	const size_t mac_len = crypto_hash_len(spec->suite->mac);
	const size_t content_len = len - mac_len - n - 1;
	uint8_t head[RECORD12_PSEUDO_HEADER_LEN];
	const struct engine_slice pieces[] = {{head, sizeof(head)}, {plain, content_len}};
	uint8_t mac[CRYPTO_MAX_HASH_LEN];

	memset(keys.secret, 'k', sizeof(keys.secret));
	memset(plain, 'p', content_len);
	record12_pseudo_header(keys.seq, CONTENT_APPLICATION_DATA, spec->version, content_len, head);
	assert_true(crypto_hmac_pieces(spec->suite->mac, keys.secret, mac_len, pieces, 2, mac));
	memcpy(plain + content_len, mac, mac_len);
	memset(plain + content_len + mac_len, (int)n, n + 1);
	return content_len;
}

/* Judge plain[0..len) as a secret under a secret key. */
static bool judge(const struct record_cipher_spec *spec, size_t len, size_t *content_len)
{
	uint32_t authentic = 1, found = 0;

	ct_secret(plain, len);
	ct_secret(keys.secret, sizeof(keys.secret));
	assert_true(
		record12_cbc_judge(spec, &keys, CONTENT_APPLICATION_DATA, plain, len, &authentic, &found));
	ct_public(plain, len);
	ct_public(keys.secret, sizeof(keys.secret));
	ct_public(&authentic, sizeof(authentic));
	ct_public(&found, sizeof(found));
	*content_len = found;
	return authentic != 0;
}

static void test_padding_and_mac_are_judged_without_a_branch(void **unused)
{
	static const size_t lens[] = {64, 80, 96, 272, 320, 336, 1024, 4096, 16416};
	const unsigned before = ct_leaks();

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		const struct record_cipher_spec spec = spec_of(i);
		const size_t mac_len = crypto_hash_len(spec.suite->mac);

		for (size_t l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
			const size_t most = lens[l] - mac_len - 1 < 255 ? lens[l] - mac_len - 1 : 255;
			const size_t paddings[] = {0, 1, most / 2, most - 1, most};
			size_t content_len, found;

			for (size_t p = 0; p < 5; p++) {
				content_len = make_plain(&spec, lens[l], paddings[p]);
				assert_true(judge(&spec, lens[l], &found));
				assert_int_equal(found, content_len);
				/* a wrong MAC, a wrong padding, a padding longer than all */
				(void)make_plain(&spec, lens[l], paddings[p]);
				plain[content_len] ^= 1;
				assert_false(judge(&spec, lens[l], &found));
				(void)make_plain(&spec, lens[l], paddings[p]);
				plain[lens[l] - 1] ^= 1;
				assert_false(judge(&spec, lens[l], &found));
			}
			(void)make_plain(&spec, lens[l], 0);
			plain[lens[l] - 1] = 255;
			assert_false(judge(&spec, lens[l], &found));
		}
	}
	assert_int_equal(ct_leaks(), before);
}

static void test_an_hmac_over_a_secret_length_has_no_branch(void **unused)
{
	const enum crypto_hash hashes[] = {CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA384};
	static const size_t max_lens[] = {0, 1, 51, 52, 115, 116, 300, 5000};
	const unsigned before = ct_leaks();
	uint8_t key[CRYPTO_MAX_HASH_LEN], head[RECORD12_PSEUDO_HEADER_LEN];

	(void)unused;
	memset(key, 'k', sizeof(key));
	memset(head, 'h', sizeof(head));
	memset(plain, 'p', sizeof(plain));
	for (size_t i = 0; i < 3; i++) {
		for (size_t m = 0; m < sizeof(max_lens) / sizeof(max_lens[0]); m++) {
			for (size_t less = 0; less <= max_lens[m] && less < 300; less += 60) {
				const size_t len = max_lens[m] - less;
				const struct engine_slice pieces[] = {{head, sizeof(head)}, {plain, len}};
				uint8_t expected[CRYPTO_MAX_HASH_LEN], mac[CRYPTO_MAX_HASH_LEN];
				size_t secret_len = len;

				assert_true(crypto_hmac_pieces(hashes[i], key, crypto_hash_len(hashes[i]),
							       pieces, 2, expected));
				ct_secret(&secret_len, sizeof(secret_len));
				ct_secret(key, sizeof(key));
				ct_secret(head, sizeof(head));
				ct_secret(plain, max_lens[m]);
				assert_true(crypto_hmac_ct(hashes[i], key, crypto_hash_len(hashes[i]), head,
							   sizeof(head), plain, secret_len, max_lens[m],
							   mac));
				ct_public(mac, sizeof(mac));
				ct_public(key, sizeof(key));
				ct_public(head, sizeof(head));
				ct_public(plain, max_lens[m]);
				assert_memory_equal(mac, expected, crypto_hash_len(hashes[i]));
			}
		}
	}
	assert_int_equal(ct_leaks(), before);
}

/* Ways in which a record can be wrong: plain[0..len) is spoilt accordingly. */
static void spoil(const struct record_cipher_spec *spec, size_t len, int way)
{
	switch (way) {
	case 0: /* MAC, no padding to speak of */
		plain[make_plain(spec, len, 0)] ^= 1;
		break;
	case 1: /* MAC, long padding */
		plain[make_plain(spec, len, 15)] ^= 1;
		break;
	case 2: /* content */
		(void)make_plain(spec, len, 15);
		plain[0] ^= 1;
		break;
	case 3: /* padding */
		(void)make_plain(spec, len, 15);
		plain[len - 5] ^= 1;
		break;
	default: /* padding longer than the record */
		(void)make_plain(spec, len, 0);
		plain[len - 1] = 255;
		break;
	}
}

/*
 * A whole record, decrypted from a secret ciphertext. That it is refused is told, by one branch; it is the same one
 * whatever is wrong.
 */
static void test_a_refused_record_tells_no_more_than_that(void **unused)
{
	static const size_t lens[] = {96, 512};
	static uint8_t record[ENGINE_RECORD_HEADER_LEN + CRYPTO_CBC_BLOCK_LEN + 512];
	struct engine_cipher *cipher = engine_cipher_new();
	struct crypto_cbc_ctx *cbc = crypto_cbc_new();

	(void)unused;
	for (size_t i = 0; i < 3 * 2 * 5; i++) {
		const struct record_cipher_spec spec = spec_of(i % 3);
		const size_t len = lens[i / 3 % 2];
		uint8_t *iv = record + ENGINE_RECORD_HEADER_LEN;
		const unsigned before = ct_leaks();
		struct record_opened opened;
		enum reason reason;

		spoil(&spec, len, (int)(i / 6));
		record_build_header(record, CONTENT_APPLICATION_DATA, spec.version,
				    CRYPTO_CBC_BLOCK_LEN + len);
		assert_true(crypto_cbc_set_key(cbc, true, keys.key, spec.suite->key_len));
		assert_true(crypto_cbc_encrypt(cbc, iv, plain, len, iv + CRYPTO_CBC_BLOCK_LEN));
		ct_secret(iv, CRYPTO_CBC_BLOCK_LEN + len);
		reason = record_open(&spec, &keys, cipher, record,
				     ENGINE_RECORD_HEADER_LEN + CRYPTO_CBC_BLOCK_LEN + len, NULL, &opened);
		ct_public(&reason, sizeof(reason));
		ct_public(record, sizeof(record));
		assert_int_equal(reason, REASON_RECORD_MAC);
		assert_int_equal(ct_leaks() - before, 1);
	}
	crypto_cbc_free(cbc);
	engine_cipher_free(cipher);
}

/* ---- negative control: the decoder of the RFC's text ---- */

static bool leaky_judge(const struct record_cipher_spec *spec, const uint8_t *text, size_t len)
{
	const size_t mac_len = crypto_hash_len(spec->suite->mac);
	const size_t n = text[len - 1];

	if (n + 1 + mac_len > len) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (text[len - 2 - i] != n) {
			return false;
		}
	}
	return true;
}

static void test_a_decoder_with_branches_is_found(void **unused)
{
	const struct record_cipher_spec spec = spec_of(0);
	const unsigned before = ct_leaks();
	volatile bool good;

	(void)unused;
	(void)make_plain(&spec, 64, 20);
	ct_secret(plain, 64);
	good = leaky_judge(&spec, plain, 64);
	ct_public((void *)(uintptr_t)&good, sizeof(good));
	ct_public(plain, 64);
	assert_true(good);
	assert_true(ct_leaks() > before);
}

static void test_an_hmac_with_a_length_that_is_known_is_found(void **unused)
{
	const unsigned before = ct_leaks();
	uint8_t mac[CRYPTO_MAX_HASH_LEN];
	size_t len = 100;

	(void)unused;
	ct_secret(&len, sizeof(len));
	assert_true(crypto_hmac(CRYPTO_SHA256, keys.secret, 32, plain, len, mac));
	assert_true(ct_leaks() > before);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_decoder_with_branches_is_found),
		cmocka_unit_test(test_an_hmac_with_a_length_that_is_known_is_found),
		cmocka_unit_test(test_an_hmac_over_a_secret_length_has_no_branch),
		cmocka_unit_test(test_padding_and_mac_are_judged_without_a_branch),
		cmocka_unit_test(test_a_refused_record_tells_no_more_than_that),
	};

	return cmocka_run_group_tests_name("constant time: CBC records", tests, ct_set_up, NULL);
}

int main(int argc, char **argv)
{
	(void)argc;
	return ct_main(argv, run);
}
