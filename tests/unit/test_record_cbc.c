/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AES-CBC records of TLS 1.0 to 1.2: paddings and MACs, right and wrong in every way.  RFC 5246 6.2.3.2, RFC 7366
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/record_protect.h"
#include "engine/secret.h"
#include "tests/lib/established.h"
#include "tests/lib/pair.h"

#define BLOCK     16
#define MAX_INNER (ENGINE_MAX_PLAINTEXT + 2048)

static struct established both;
static struct engine_opened opened;
static uint8_t inner[MAX_INNER];
static uint8_t record[ENGINE_MAX_RECORD + 256];
static uint8_t data[ENGINE_MAX_PLAINTEXT + 64];

static int set_up(void **unused)
{
	(void)unused;
	memset(data, 'd', sizeof(data));
	return pair_init() ? 0 : -1;
}

static int tear_down(void **unused)
{
	(void)unused;
	established_end(&both);
	return 0;
}

static const struct suite *suite(void)
{
	return suite_find(both.conn[0].suite);
}

static size_t mac_len(void)
{
	return crypto_hash_len(suite()->mac);
}

static size_t mac(uint8_t type, const uint8_t *what, size_t len, uint8_t *out)
{
	const struct engine_keys *keys = &both.conn[ENGINE_CLIENT].send;
	uint8_t head[RECORD12_PSEUDO_HEADER_LEN];
	uint8_t digest[CRYPTO_MAX_HASH_LEN];
	const struct engine_slice pieces[] = {{head, sizeof(head)}, {what, len}};

	record12_pseudo_header(keys->seq, type, both.conn[0].version, len, head);
	assert_true(crypto_hmac_pieces(suite()->mac, keys->secret, mac_len(), pieces, 2, digest));
	memcpy(out, digest, mac_len());
	return mac_len();
}

/* What is to be encrypted: content, MAC unless encrypt-then-MAC, padding bytes of value n, n. Its length. */
static size_t build_inner(uint8_t type, size_t len, uint8_t n)
{
	memcpy(inner, data, len);
	if (!both.conn[0].encrypt_then_mac) {
		len += mac(type, inner, len, inner + len);
	}
	memset(inner + len, n, (size_t)n + 1);
	return len + n + 1;
}

/* Encrypt it as the client's next record; its length. */
static size_t encrypt_inner(uint8_t type, size_t len)
{
	struct engine_keys *keys = &both.conn[ENGINE_CLIENT].send;
	struct crypto_cbc_ctx *cbc = crypto_cbc_new();
	const uint16_t version = both.conn[0].version;
	const bool explicit_iv = version != ENGINE_TLS10;
	uint8_t *body = record + ENGINE_RECORD_HEADER_LEN;
	const uint8_t *iv = explicit_iv ? body : keys->iv;
	size_t body_len = explicit_iv ? BLOCK : 0;

	assert_int_equal(len % BLOCK, 0);
	memset(body, 0x1f, body_len);
	assert_true(crypto_cbc_set_key(cbc, true, keys->key, suite()->key_len));
	assert_true(crypto_cbc_encrypt(cbc, iv, inner, len, body + body_len));
	crypto_cbc_free(cbc);
	body_len += len;
	if (!explicit_iv && len != 0) {
		memcpy(keys->iv, body + body_len - BLOCK, BLOCK);
	}
	if (both.conn[0].encrypt_then_mac) {
		body_len += mac(type, body, body_len, body + body_len);
	}
	record_build_header(record, type, version, body_len);
	keys->seq++;
	return ENGINE_RECORD_HEADER_LEN + body_len;
}

static enum engine_err give_inner(uint8_t type, size_t len)
{
	return established_open(&both, ENGINE_SERVER, record, encrypt_inner(type, len), &opened);
}

/* It is refused, in the one way that there is, with nothing left; the connection is as before then. */
static void check_refused(uint8_t type, size_t len)
{
	const struct engine_conn before[2] = {both.conn[0], both.conn[1]};
	const size_t record_len = encrypt_inner(type, len);

	assert_int_equal(established_open(&both, ENGINE_SERVER, record, record_len, &opened),
			 ENGINE_ERR_BAD_RECORD);
	assert_int_equal(both.conn[1].recv_alert, ALERT_BAD_RECORD_MAC);
	assert_int_equal(both.conn[1].recv_reason, REASON_RECORD_MAC);
	assert_int_equal(both.conn[1].recv.seq, before[1].recv.seq);
	assert_int_equal(opened.data_len, 0);
	assert_null(memmem(record, record_len, "dddddddd", 8));
	both.conn[0] = before[0];
	both.conn[1] = before[1];
}

/* Run it for each kind of protection. */
static void for_each_cbc(void (*run)(void))
{
	for (size_t i = 0; i < n_protections; i++) {
		if (protection_is_cbc(&protections[i])) {
			established_begin(&both, &protections[i]);
			run();
		}
	}
}

/* RFC 5246 6.2.3.2: up to 255 bytes of padding, as long as blocks are whole. */
static void accept_paddings(void)
{
	const size_t extra = both.conn[0].encrypt_then_mac ? 0 : mac_len();
	unsigned n_good = 0;

	for (size_t len = 1; len <= 33; len++) {
		for (unsigned n = 0; n <= 255; n++) {
			if ((len + extra + n + 1) % BLOCK != 0) {
				continue;
			}
			assert_int_equal(give_inner(23, build_inner(23, len, (uint8_t)n)), ENGINE_OK);
			assert_int_equal(opened.event, ENGINE_EVENT_DATA);
			assert_int_equal(opened.data_len, len);
			assert_memory_equal(opened.data, data, len);
			n_good++;
		}
	}
	assert_int_equal(n_good, 33 * 16);
}

static void test_any_padding_that_fits_is_accepted(void **unused)
{
	(void)unused;
	for_each_cbc(accept_paddings);
}

/* Any bit of any padding byte. */
static void refuse_bad_paddings(void)
{
	const size_t extra = both.conn[0].encrypt_then_mac ? 0 : mac_len();

	for (unsigned n = 0; n <= 255; n++) {
		const size_t len = 48 + BLOCK - (extra + n + 1) % BLOCK;

		/* all places of the short ones; of the long ones a sample, with the first */
		for (unsigned at = n; at <= n; at -= n > 40 && at >= 7 ? 7 : 1) {
			const size_t inner_len = build_inner(23, len, (uint8_t)n);

			inner[inner_len - 1 - at] ^= (uint8_t)(1 << (at + n) % 8);
			check_refused(23, inner_len);
		}
	}
}

static void test_a_wrong_byte_in_any_padding_is_refused(void **unused)
{
	(void)unused;
	for_each_cbc(refuse_bad_paddings);
}

/* All bytes the same: padding that reaches into the MAC, into nothing, beyond the record's beginning. */
static void refuse_uniform_plaintext(void)
{
	for (size_t len = BLOCK; len <= 320; len += BLOCK) {
		for (unsigned value = 0; value <= 255; value++) {
			/* behind an authentic ciphertext, such a padding may be right */
			if (both.conn[0].encrypt_then_mac && value + 1 <= len) {
				continue;
			}
			memset(inner, (int)value, len);
			check_refused(23, len);
		}
	}
}

static void test_plaintext_of_one_value_is_refused(void **unused)
{
	(void)unused;
	for_each_cbc(refuse_uniform_plaintext);
}

/* With encrypt-then-MAC, padding alone is an empty record: legal as application data. */
static void padding_alone(void)
{
	if (!both.conn[0].encrypt_then_mac) {
		return;
	}
	for (unsigned n = BLOCK - 1; n <= 255; n += BLOCK) {
		memset(inner, (int)n, n + 1);
		assert_int_equal(give_inner(23, n + 1), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_NOTHING);
	}
}

static void test_padding_alone_is_an_empty_record(void **unused)
{
	(void)unused;
	for_each_cbc(padding_alone);
}

/* Each bit of the MAC, with short, long and longest padding. */
static void refuse_bad_macs(void)
{
	const size_t extra = both.conn[0].encrypt_then_mac ? 0 : mac_len();
	static const uint8_t paddings[] = {0, 1, 15, 16, 100, 254, 255};

	for (size_t i = 0; i < sizeof(paddings); i++) {
		const size_t len = 32 + BLOCK - (extra + paddings[i] + 1) % BLOCK;

		for (size_t bit = 0; bit < mac_len() * 8; bit++) {
			const size_t inner_len = build_inner(23, len, paddings[i]);

			if (!both.conn[0].encrypt_then_mac) {
				inner[len + bit / 8] ^= (uint8_t)(1 << bit % 8);
				check_refused(23, inner_len);
			} else {
				const struct engine_conn before[2] = {both.conn[0], both.conn[1]};
				const size_t record_len = encrypt_inner(23, inner_len);

				record[record_len - mac_len() + bit / 8] ^= (uint8_t)(1 << bit % 8);
				assert_int_equal(established_open(&both, ENGINE_SERVER, record, record_len,
								  &opened),
						 ENGINE_ERR_BAD_RECORD);
				both.conn[0] = before[0];
				both.conn[1] = before[1];
			}
		}
	}
}

static void test_a_wrong_bit_in_the_mac_is_refused(void **unused)
{
	(void)unused;
	for_each_cbc(refuse_bad_macs);
}

/* The MAC is where the padding says, not one byte off: content and MAC move against each other. */
static void refuse_moved_macs(void)
{
	const size_t extra = both.conn[0].encrypt_then_mac ? 0 : mac_len();

	if (extra == 0) {
		return;
	}
	for (unsigned n = 0; n <= 255; n++) {
		const size_t len = 64 + BLOCK - (extra + n + 1) % BLOCK;

		for (int by = -1; by <= 1; by += 2) {
			const size_t inner_len = build_inner(23, len, (uint8_t)n);

			(void)mac(23, inner, len, inner + (by < 0 ? len - 1 : len + 1));
			inner[inner_len - 1] = (uint8_t)n;
			memset(inner + inner_len - 1 - n, (int)n, n);
			check_refused(23, inner_len);
		}
	}
}

static void test_a_mac_in_another_place_is_refused(void **unused)
{
	(void)unused;
	for_each_cbc(refuse_moved_macs);
}

/* The MAC covers type, number and version. */
static void refuse_macs_of_other_records(void)
{
	struct engine_keys *keys = &both.conn[ENGINE_CLIENT].send;
	const size_t len = 15 + (both.conn[0].encrypt_then_mac ? 0 : BLOCK - mac_len() % BLOCK);
	const struct engine_conn before[2] = {both.conn[0], both.conn[1]};
	size_t record_len;

	/* of the next record */
	keys->seq++;
	record_len = encrypt_inner(23, build_inner(23, len, 0));
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, record_len, &opened),
			 ENGINE_ERR_BAD_RECORD);
	memcpy(both.conn, before, sizeof(before));
	/* of an alert */
	record_len = encrypt_inner(21, build_inner(21, len, 0));
	record[0] = 23;
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, record_len, &opened),
			 ENGINE_ERR_BAD_RECORD);
}

static void test_the_mac_covers_number_and_type(void **unused)
{
	(void)unused;
	for_each_cbc(refuse_macs_of_other_records);
}

/* With encrypt-then-MAC, the IV is covered: it would change the first block unseen. */
static void test_with_encrypt_then_mac_the_iv_is_authentic(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < n_protections; i++) {
		for (size_t bit = 0; bit < BLOCK * 8; bit++) {
			size_t len;

			if (!protections[i].encrypt_then_mac || protections[i].version == ENGINE_TLS10) {
				continue;
			}
			established_begin(&both, &protections[i]);
			len = encrypt_inner(23, build_inner(23, 15, 0));
			record[ENGINE_RECORD_HEADER_LEN + bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(established_open(&both, ENGINE_SERVER, record, len, &opened),
					 ENGINE_ERR_BAD_RECORD);
		}
	}
}

/* The two ways are not taken for each other. */
static void test_encrypt_then_mac_is_what_was_negotiated(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < n_protections; i++) {
		size_t len;

		if (!protection_is_cbc(&protections[i])) {
			continue;
		}
		established_begin(&both, &protections[i]);
		len = established_seal(&both, ENGINE_CLIENT, 23, data, 1, record, sizeof(record));
		both.conn[ENGINE_SERVER].encrypt_then_mac = !protections[i].encrypt_then_mac;
		assert_int_equal(established_open(&both, ENGINE_SERVER, record, len, &opened),
				 ENGINE_ERR_BAD_RECORD);
	}
}

/* RFC 5246 6.2.1 */
static void overflow(void)
{
	const size_t extra = both.conn[0].encrypt_then_mac ? 0 : mac_len();
	const size_t max = ENGINE_MAX_PLAINTEXT;

	for (size_t len = max - 1; len <= max + 3; len++) {
		const uint8_t n = (uint8_t)(BLOCK - 1 - (len + extra) % BLOCK);
		const enum engine_err err = give_inner(23, build_inner(23, len, n));

		if (len <= max) {
			assert_int_equal(err, ENGINE_OK);
			assert_int_equal(opened.data_len, len);
			continue;
		}
		assert_int_equal(err, ENGINE_ERR_PROTOCOL);
		assert_int_equal(engine_alert_due(&both.conn[1]), ALERT_RECORD_OVERFLOW);
		assert_null(memmem(record, sizeof(record), "dddddddd", 8));
		both.conn[1].recv_err = ENGINE_OK;
	}
	/* the longest record that its header may announce, with a wrong MAC: no overflow before that is known */
	memset(inner, 0, MAX_INNER);
	if (!both.conn[0].encrypt_then_mac) {
		check_refused(23, both.conn[0].version == ENGINE_TLS10 ? MAX_INNER : MAX_INNER - BLOCK);
	}
}

static void test_more_than_2_14_bytes_are_an_overflow(void **unused)
{
	(void)unused;
	for_each_cbc(overflow);
}

/* ---- the chained IV of TLS 1.0 ---- */

static const struct protection tls10 = {ENGINE_TLS10, 0x002f, false};

static void test_application_data_of_tls_1_0_goes_out_in_two_records(void **unused)
{
	const struct engine_slice slice = {data, 100};
	uint8_t first_block[BLOCK];
	size_t len, first;

	(void)unused;
	established_begin(&both, &tls10);
	assert_int_equal(engine_seal(&both.conn[0], both.cipher[0], &slice, 1, record, sizeof(record), &len),
			 ENGINE_OK);
	first = engine_record_len(&both.conn[1], record);
	assert_int_equal(first, 5 + 32);
	assert_int_equal(len, first + engine_record_len(&both.conn[1], record + first));
	memcpy(first_block, record + 5, BLOCK);
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, first, &opened), ENGINE_OK);
	assert_int_equal(opened.data_len, 1);
	assert_int_equal(established_open(&both, ENGINE_SERVER, record + first, len - first, &opened),
			 ENGINE_OK);
	assert_int_equal(opened.data_len, 99);
	/* one byte stays one record; so does what is not application data */
	assert_int_equal(established_seal(&both, ENGINE_CLIENT, 23, data, 1, record, sizeof(record)), 5 + 32);
	assert_int_equal(established_seal(&both, ENGINE_CLIENT, 22, data, 100, record, sizeof(record)),
			 5 + 128);
}

/* What other implementations do against the same attack: an empty record in front. */
static void test_an_empty_record_in_front_is_accepted(void **unused)
{
	(void)unused;
	established_begin(&both, &tls10);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(give_inner(23, build_inner(23, 0, 11)), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_NOTHING);
		assert_int_equal(give_inner(23, build_inner(23, 12, 15)), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_DATA);
	}
}

static void test_records_of_tls_1_0_can_be_taken_back(void **unused)
{
	const struct engine_slice slice = {data, 100};
	struct engine_send_mark mark;
	uint8_t again[512];
	size_t len, again_len;

	(void)unused;
	established_begin(&both, &tls10);
	(void)established_give(&both, ENGINE_SERVER, 23, data, 50, &opened);
	mark = engine_send_mark(&both.conn[0]);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(engine_seal(&both.conn[0], both.cipher[0], &slice, 1, record, sizeof(record),
					     &len),
				 ENGINE_OK);
	}
	engine_send_rewind(&both.conn[0], &mark);
	assert_int_equal(engine_seal(&both.conn[0], both.cipher[0], &slice, 1, record, sizeof(record), &len),
			 ENGINE_OK);
	engine_send_rewind(&both.conn[0], &mark);
	assert_int_equal(engine_seal(&both.conn[0], both.cipher[0], &slice, 1, again, sizeof(again),
				     &again_len),
			 ENGINE_OK);
	assert_int_equal(len, again_len);
	assert_memory_equal(record, again, len);
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, 37, &opened), ENGINE_OK);
}

static void test_explicit_ivs_are_never_the_same(void **unused)
{
	uint8_t ivs[64][BLOCK];

	(void)unused;
	established_begin(&both, &(struct protection){ENGINE_TLS12, 0x002f, false});
	for (int i = 0; i < 64; i++) {
		assert_int_not_equal(
			established_seal(&both, ENGINE_CLIENT, 23, data, 1, record, sizeof(record)), 0);
		memcpy(ivs[i], record + ENGINE_RECORD_HEADER_LEN, BLOCK);
		for (int j = 0; j < i; j++) {
			assert_memory_not_equal(ivs[i], ivs[j], BLOCK);
		}
	}
}

/* ---- record12_cbc_judge() ---- */

/* All of a plaintext's lengths and paddings: content_len is right where the verdict is. */
static void test_the_verdict_names_the_content(void **unused)
{
	(void)unused;
	established_begin(&both, &tls10);
	for (unsigned n = 0; n <= 255; n++) {
		for (size_t len = 0; len < 70; len++) {
			const struct record_cipher_spec spec = {
				.suite = suite(),
				.version = ENGINE_TLS10,
			};
			uint32_t authentic = 0, content_len = 0;
			size_t inner_len = build_inner(23, len, (uint8_t)n);

			assert_true(record12_cbc_judge(&spec, &both.conn[1].recv, 23, inner, inner_len,
						       &authentic, &content_len));
			assert_int_equal(authentic, UINT32_MAX);
			assert_int_equal(content_len, len);
			inner[0] ^= 1;
			assert_true(record12_cbc_judge(&spec, &both.conn[1].recv, 23, inner, inner_len,
						       &authentic, &content_len));
			assert_int_equal(authentic, 0);
		}
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_any_padding_that_fits_is_accepted),
		TEST(test_a_wrong_byte_in_any_padding_is_refused),
		TEST(test_plaintext_of_one_value_is_refused),
		TEST(test_padding_alone_is_an_empty_record),
		TEST(test_a_wrong_bit_in_the_mac_is_refused),
		TEST(test_a_mac_in_another_place_is_refused),
		TEST(test_the_mac_covers_number_and_type),
		TEST(test_with_encrypt_then_mac_the_iv_is_authentic),
		TEST(test_encrypt_then_mac_is_what_was_negotiated),
		TEST(test_more_than_2_14_bytes_are_an_overflow),
		TEST(test_application_data_of_tls_1_0_goes_out_in_two_records),
		TEST(test_an_empty_record_in_front_is_accepted),
		TEST(test_records_of_tls_1_0_can_be_taken_back),
		TEST(test_explicit_ivs_are_never_the_same),
		TEST(test_the_verdict_names_the_content),
	};

	return cmocka_run_group_tests_name("record_cbc", tests, set_up, NULL);
}
