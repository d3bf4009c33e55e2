/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of all versions and suites: what one side seals the other opens, and nothing else.  RFC 5246 6.2
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/secret.h"
#include "tests/lib/established.h"
#include "tests/lib/pair.h"

static struct established both;
static struct engine_opened opened;
static uint8_t record[ENGINE_MAX_RECORD + 256];
static uint8_t data[ENGINE_MAX_PLAINTEXT + 1];

static int set_up(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] = (uint8_t)(i * 7 + i / 256);
	}
	return pair_init() ? 0 : -1;
}

static int tear_down(void **unused)
{
	(void)unused;
	established_end(&both);
	return 0;
}

/* Seal data[0..len), open all records of it, to out or in place; they hold just that. */
static void pass(enum engine_role from, size_t len, uint8_t *out, size_t out_size)
{
	const struct engine_slice slice = {data, len};
	struct engine_conn *to = &both.conn[1 - from];
	size_t sealed = 0, done = 0, got = 0;

	assert_int_equal(engine_seal(&both.conn[from], both.cipher[from], &slice, 1, record,
				     len + ENGINE_SEAL_OVERHEAD, &sealed),
			 ENGINE_OK);
	while (done < sealed) {
		const size_t n = engine_record_len(to, record + done);

		assert_true(n != 0 && n <= sealed - done);
		assert_int_equal(engine_open(to, both.cipher[1 - from], record + done, n, out, out_size,
					     &opened),
				 ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_DATA);
		assert_true(opened.data_len <= len - got);
		assert_memory_equal(opened.data, data + got, opened.data_len);
		got += opened.data_len;
		done += n;
	}
	assert_int_equal(got, len);
}

static void test_every_length_comes_through(void **unused)
{
	static uint8_t out[ENGINE_MAX_RECORD];

	(void)unused;
	for (size_t i = 0; i < n_protections; i++) {
		established_begin(&both, &protections[i]);
		for (size_t len = 1; len <= 600; len++) {
			pass(len % 2 ? ENGINE_CLIENT : ENGINE_SERVER, len, len % 3 ? out : NULL, sizeof(out));
		}
		for (size_t len = ENGINE_MAX_PLAINTEXT - 70; len <= ENGINE_MAX_PLAINTEXT; len++) {
			pass(ENGINE_CLIENT, len, len % 2 ? out : NULL, sizeof(out));
		}
		assert_int_equal(established_seal(&both, ENGINE_CLIENT, CONTENT_APPLICATION_DATA, data,
						  ENGINE_MAX_PLAINTEXT + 1, record, sizeof(record)),
				 0);
	}
}

/* No eight bytes of what was sealed are in the buffer. */
static void check_nothing_left(const uint8_t *buffer, size_t len, const char *text)
{
	for (size_t at = 0; at + 8 <= strlen(text); at++) {
		assert_null(memmem(buffer, len, text + at, 8));
	}
}

/* Each bit of a record, but those of its length, which the caller goes by. */
static void test_a_changed_bit_breaks_the_record_and_leaves_nothing(void **unused)
{
	static const char text[] = "my voice is my passport, verify me";
	uint8_t original[256], copy[256], out[256];

	(void)unused;
	for (size_t i = 0; i < n_protections; i++) {
		struct engine_conn before;
		size_t len;

		established_begin(&both, &protections[i]);
		/* not application data: TLS 1.0 would send two records */
		len = established_seal(&both, ENGINE_CLIENT, CONTENT_ALERT, text, sizeof(text) - 1, original,
				       sizeof(original));
		before = both.conn[ENGINE_SERVER];
		for (size_t bit = 0; bit < len * 8; bit++) {
			enum engine_err err;

			if (bit / 8 == 3 || bit / 8 == 4) {
				continue;
			}
			both.conn[ENGINE_SERVER] = before;
			memcpy(copy, original, len);
			memset(out, 0, sizeof(out));
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
			err = engine_open(&both.conn[ENGINE_SERVER], both.cipher[ENGINE_SERVER], copy, len,
					  out, bit % 2 ? sizeof(out) : 0, &opened);
			if (bit >= 40) {
				assert_int_equal(err, ENGINE_ERR_BAD_RECORD);
				assert_int_equal(engine_alert_due(&both.conn[ENGINE_SERVER]),
						 ALERT_BAD_RECORD_MAC);
			}
			assert_int_not_equal(err, ENGINE_OK);
			assert_int_equal(opened.data_len, 0);
			assert_int_equal(before.recv.seq, both.conn[ENGINE_SERVER].recv.seq);
			check_nothing_left(copy, len, text);
			check_nothing_left(out, sizeof(out), text);
		}
	}
}

/* Whatever is cut off at the end, also if the header says so; in memory of the exact size. */
static void test_short_records_are_refused(void **unused)
{
	uint8_t original[256];

	(void)unused;
	for (size_t i = 0; i < n_protections; i++) {
		struct engine_conn before;
		size_t len;

		established_begin(&both, &protections[i]);
		len = established_seal(&both, ENGINE_CLIENT, CONTENT_ALERT, data, 40, original,
				       sizeof(original));
		before = both.conn[ENGINE_SERVER];
		for (size_t short_len = ENGINE_RECORD_HEADER_LEN; short_len < len; short_len++) {
			uint8_t *copy = malloc(short_len);

			assert_non_null(copy);
			memcpy(copy, original, short_len);
			/* shorter than its header says: a mistake of the caller's */
			both.conn[ENGINE_SERVER] = before;
			assert_int_equal(established_open(&both, ENGINE_SERVER, copy, short_len, &opened),
					 ENGINE_ERR_INTERNAL);
			record_build_header(copy, copy[0], (uint16_t)(copy[1] << 8 | copy[2]),
					    short_len - ENGINE_RECORD_HEADER_LEN);
			both.conn[ENGINE_SERVER] = before;
			assert_int_equal(established_open(&both, ENGINE_SERVER, copy, short_len, &opened),
					 ENGINE_ERR_BAD_RECORD);
			free(copy);
		}
	}
}

static void test_records_come_once_in_order_and_from_the_peer(void **unused)
{
	uint8_t first[256], second[256], copy[256];

	(void)unused;
	for (size_t i = 0; i < n_protections; i++) {
		struct engine_conn before;
		size_t first_len, second_len;

		established_begin(&both, &protections[i]);
		before = both.conn[ENGINE_SERVER];
		first_len = established_seal(&both, ENGINE_CLIENT, CONTENT_APPLICATION_DATA, data, 1, first,
					     sizeof(first));
		second_len = established_seal(&both, ENGINE_CLIENT, CONTENT_APPLICATION_DATA, data, 1, second,
					      sizeof(second));
		memcpy(copy, second, second_len);
		assert_int_equal(established_open(&both, ENGINE_SERVER, copy, second_len, &opened),
				 ENGINE_ERR_BAD_RECORD);
		both.conn[ENGINE_SERVER] = before;
		memcpy(copy, first, first_len);
		assert_int_equal(established_open(&both, ENGINE_SERVER, copy, first_len, &opened), ENGINE_OK);
		memcpy(copy, first, first_len);
		assert_int_equal(established_open(&both, ENGINE_SERVER, copy, first_len, &opened),
				 ENGINE_ERR_BAD_RECORD);
		memcpy(copy, first, first_len);
		assert_int_equal(established_open(&both, ENGINE_CLIENT, copy, first_len, &opened),
				 ENGINE_ERR_BAD_RECORD);
	}
}

/* RFC 5246 6.2.1: the version is the negotiated one; E.1 */
static void test_records_of_another_version_are_refused(void **unused)
{
	static const uint16_t versions[] = {0,      2,      0x0200, 0x0300, 0x0301, 0x0302,
					    0x0303, 0x0304, 0x0403, 0x7f12, 0xffff};

	(void)unused;
	for (size_t i = 0; i < n_protections; i++) {
		const uint16_t right =
			protections[i].version == ENGINE_TLS13 ? 0x0303 : protections[i].version;

		for (size_t v = 0; v < sizeof(versions) / sizeof(versions[0]); v++) {
			size_t len;

			established_begin(&both, &protections[i]);
			len = established_seal(&both, ENGINE_CLIENT, CONTENT_APPLICATION_DATA, data, 1,
					       record, sizeof(record));
			if (versions[v] == right) {
				assert_int_equal(established_open(&both, ENGINE_SERVER, record, len, &opened),
						 ENGINE_OK);
				continue;
			}
			record[1] = (uint8_t)(versions[v] >> 8);
			record[2] = (uint8_t)versions[v];
			assert_int_equal(engine_record_len(&both.conn[ENGINE_SERVER], record), 0);
			assert_int_equal(established_open(&both, ENGINE_SERVER, record, 5, &opened),
					 ENGINE_ERR_PROTOCOL);
			assert_int_equal(engine_alert_due(&both.conn[ENGINE_SERVER]), ALERT_PROTOCOL_VERSION);
		}
	}
}

/* Content types, and lengths of a whole record: RFC 5246 6.2.3 */
static void test_headers_that_cannot_be(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < n_protections; i++) {
		const bool is_13 = protections[i].version == ENGINE_TLS13;
		const size_t max = ENGINE_MAX_PLAINTEXT + (is_13 ? 256 : 2048);
		const uint16_t version = is_13 ? 0x0303 : protections[i].version;

		established_begin(&both, &protections[i]);
		record_build_header(record, 23, version, max);
		assert_int_equal(engine_record_len(&both.conn[0], record), 5 + max);
		record_build_header(record, 23, version, max + 1);
		assert_int_equal(engine_record_len(&both.conn[0], record), 0);
		assert_int_equal(established_open(&both, ENGINE_CLIENT, record, 5, &opened),
				 ENGINE_ERR_PROTOCOL);
		assert_int_equal(engine_alert_due(&both.conn[0]), ALERT_RECORD_OVERFLOW);
		for (unsigned type = 0; type < 256; type++) {
			established_begin(&both, &protections[i]);
			record_build_header(record, (uint8_t)type, version, 100);
			if (type == 23 || (!is_13 && type >= 20 && type <= 23)) {
				assert_int_equal(engine_record_len(&both.conn[0], record), 105);
				continue;
			}
			assert_int_equal(engine_record_len(&both.conn[0], record), 0);
			assert_int_equal(established_open(&both, ENGINE_CLIENT, record, 5, &opened),
					 ENGINE_ERR_PROTOCOL);
			assert_int_equal(engine_alert_due(&both.conn[0]), ALERT_UNEXPECTED_MESSAGE);
		}
	}
}

/* One context, given to all directions of connections of all kinds in turn. */
static void test_a_cipher_context_is_only_a_cache(void **unused)
{
	struct engine_cipher *cipher = engine_cipher_new();
	struct established *many = calloc(n_protections, sizeof(*many));

	(void)unused;
	assert_non_null(many);
	for (size_t i = 0; i < n_protections; i++) {
		established_begin(&many[i], &protections[i]);
	}
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < n_protections * 2; i++) {
			struct established *one = &many[i / 2];
			const enum engine_role from = i % 2 ? ENGINE_CLIENT : ENGINE_SERVER;
			const struct engine_slice slice = {data, 1};
			size_t len;

			assert_int_equal(engine_seal(&one->conn[from], cipher, &slice, 1, record,
						     sizeof(record), &len),
					 ENGINE_OK);
			assert_int_equal(engine_open(&one->conn[1 - from], cipher, record, len, NULL, 0,
						     &opened),
					 ENGINE_OK);
			assert_int_equal(opened.data_len, 1);
		}
	}
	for (size_t i = 0; i < n_protections; i++) {
		established_end(&many[i]);
	}
	free(many);
	engine_cipher_free(cipher);
}

static void test_memory_that_runs_out_is_no_disaster(void **unused)
{
	struct engine_cipher *cipher = engine_cipher_new();
	const struct engine_slice slice = {data, 1};
	size_t len = 0;

	(void)unused;
	established_begin(&both, &protections[6]);
	assert_true(protection_is_cbc(&protections[6]));
	pair_memory_fail_at(1);
	assert_int_equal(engine_seal(&both.conn[0], cipher, &slice, 1, record, sizeof(record), &len),
			 ENGINE_ERR_INTERNAL);
	pair_memory_fail_at(0);
	assert_int_equal(engine_seal(&both.conn[0], cipher, &slice, 1, record, sizeof(record), &len),
			 ENGINE_OK);
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, len, &opened), ENGINE_OK);
	engine_cipher_free(cipher);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_length_comes_through),
		TEST(test_a_changed_bit_breaks_the_record_and_leaves_nothing),
		TEST(test_short_records_are_refused),
		TEST(test_records_come_once_in_order_and_from_the_peer),
		TEST(test_records_of_another_version_are_refused),
		TEST(test_headers_that_cannot_be),
		TEST(test_a_cipher_context_is_only_a_cache),
		TEST(test_memory_that_runs_out_is_no_disaster),
	};

	return cmocka_run_group_tests_name("record12", tests, set_up, NULL);
}
