/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records that the peer wants smaller, or that we pad: RFC 8449 4, RFC 8446 5.4
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/established.h"
#include "tests/lib/pair.h"

static struct established both;
static struct engine_opened opened;
static uint8_t record[ENGINE_MAX_RECORD + 256];
static uint8_t data[ENGINE_MAX_PLAINTEXT + 1];

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

/* As application data, by the connection's own rules. */
static size_t seal(size_t len, size_t room)
{
	const struct engine_slice slice = {data, len};
	size_t sealed = 0;

	if (engine_seal(&both.conn[0], both.cipher[0], &slice, 1, record, room, &sealed) != ENGINE_OK) {
		assert_int_equal(sealed, 0);
	}
	return sealed;
}

/* Open all that was sealed; the bytes that came. */
static size_t open_all(size_t sealed)
{
	size_t got = 0;

	for (size_t done = 0; done < sealed;) {
		const size_t n = engine_record_len(&both.conn[1], record + done);

		assert_true(n != 0 && n <= sealed - done);
		assert_int_equal(established_open(&both, ENGINE_SERVER, record + done, n, &opened),
				 ENGINE_OK);
		got += opened.data_len;
		done += n;
	}
	return got;
}

/* conn->recv_limit and send_limit are plaintext without the content type, in all versions. */
static void test_a_record_may_be_as_large_as_the_limit_and_no_larger(void **unused)
{
	static const uint16_t limits[] = {63, 64, 65, 512, 4096, 16383, 16384};

	(void)unused;
	for (size_t i = 0; i < n_protections; i++) {
		for (size_t l = 0; l < sizeof(limits) / sizeof(limits[0]); l++) {
			size_t len;

			established_begin(&both, &protections[i]);
			assert_int_equal(engine_max_plaintext(&both.conn[0]), ENGINE_MAX_PLAINTEXT);
			both.conn[0].send_limit = both.conn[1].recv_limit = limits[l];
			assert_int_equal(engine_max_plaintext(&both.conn[0]), limits[l]);
			assert_int_equal(open_all(seal(limits[l], sizeof(record))), limits[l]);
			assert_int_equal(seal((size_t)limits[l] + 1, sizeof(record)), 0);
			if (limits[l] == ENGINE_MAX_PLAINTEXT) {
				continue;
			}
			/* the peer does not keep to it; not as application data, which may be two records */
			len = established_seal(&both, ENGINE_CLIENT, CONTENT_ALERT, data,
					       (size_t)limits[l] + 1, record, sizeof(record));
			assert_int_equal(established_open(&both, ENGINE_SERVER, record, len, &opened),
					 ENGINE_ERR_PROTOCOL);
			assert_int_equal(engine_alert_due(&both.conn[1]), ALERT_RECORD_OVERFLOW);
			assert_null(memmem(record, len, "dddddddd", 8));
		}
	}
}

static const struct protection tls13 = {ENGINE_TLS13, 0x1301, false};

/* As the client would with this padding, if it did not know of the peer's limit. */
static size_t seal_padded(size_t len, uint16_t padding)
{
	const struct record_cipher_spec spec = {
		.suite = suite_find(tls13.suite), .version = ENGINE_TLS13, .padding = padding};
	const struct engine_slice slice = {data, len};
	size_t sealed = 0;

	assert_true(record_seal(&spec, &both.conn[0].send, both.cipher[0], CONTENT_APPLICATION_DATA, &slice,
				1, record, sizeof(record), &sealed));
	return sealed;
}

/* RFC 8449 4: in TLS 1.3 the limit covers TLSInnerPlaintext, with padding. */
static void test_padding_counts_in_the_limit(void **unused)
{
	(void)unused;
	established_begin(&both, &tls13);
	both.conn[1].recv_limit = 100;
	assert_int_equal(open_all(seal_padded(1, 100)), 1);
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, seal_padded(1, 101), &opened),
			 ENGINE_ERR_PROTOCOL);
	assert_int_equal(engine_alert_due(&both.conn[1]), ALERT_RECORD_OVERFLOW);
}

/* The plaintext of a record that was sealed, with padding. */
static size_t padded_len(size_t sealed)
{
	return sealed == 0 ? 0 : sealed - ENGINE_RECORD_HEADER_LEN - CRYPTO_AEAD_TAG_LEN - 1;
}

static void test_records_are_padded_to_a_multiple(void **unused)
{
	static const uint16_t multiples[] = {0, 1, 2, 16, 255, 256, 1000, 4096, 16384};
	static const size_t lens[] = {1, 2, 255, 256, 257, 1000, 4097, 16383, 16384};

	(void)unused;
	for (size_t m = 0; m < sizeof(multiples) / sizeof(multiples[0]); m++) {
		const size_t multiple = multiples[m] == 0 ? 1 : multiples[m];

		for (size_t l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
			size_t expected = (lens[l] + multiple - 1) / multiple * multiple;
			size_t sealed;

			established_begin(&both, &tls13);
			both.conn[0].padding = multiples[m];
			sealed = seal(lens[l], ENGINE_MAX_PLAINTEXT + ENGINE_SEAL_OVERHEAD);
			expected = expected > ENGINE_MAX_PLAINTEXT ? ENGINE_MAX_PLAINTEXT : expected;
			assert_int_equal(padded_len(sealed), expected);
			assert_int_equal(open_all(sealed), lens[l]);
		}
	}
}

static void test_padding_keeps_to_the_limit(void **unused)
{
	(void)unused;
	established_begin(&both, &tls13);
	both.conn[0].padding = 256;
	both.conn[0].send_limit = both.conn[1].recv_limit = 300;
	assert_int_equal(padded_len(seal(10, 300 + ENGINE_SEAL_OVERHEAD)), 256);
	assert_int_equal(padded_len(seal(257, 300 + ENGINE_SEAL_OVERHEAD)), 300);
	/* padding that was asked for is not left out for want of room */
	assert_int_equal(seal(10, 300 + ENGINE_SEAL_OVERHEAD - 1), 0);
}

/* Alerts and KeyUpdate as well, as far as ENGINE_CONTROL_MAX goes. */
static void test_control_records_are_padded(void **unused)
{
	size_t len;

	(void)unused;
	established_begin(&both, &tls13);
	both.conn[0].padding = 128;
	both.conn[0].control_due = 1;
	assert_int_equal(engine_control(&both.conn[0], both.cipher[0], record, &len), ENGINE_OK);
	assert_int_equal(padded_len(len), 128);
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, len, &opened), ENGINE_OK);
	both.conn[0].padding = 16384;
	assert_int_equal(engine_seal_alert(&both.conn[0], both.cipher[0], 0, record, &len), ENGINE_OK);
	assert_int_equal(len, ENGINE_CONTROL_MAX);
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, len, &opened), ENGINE_OK);
	assert_int_equal(opened.event, ENGINE_EVENT_CLOSED);
}

/* What TLS 1.2 and older cannot do is not tried. */
static void test_older_versions_are_not_padded(void **unused)
{
	size_t sealed;

	(void)unused;
	established_begin(&both, &(struct protection){ENGINE_TLS12, 0xc02f, false});
	both.conn[0].padding = 4096;
	sealed = seal(10, sizeof(record));
	assert_int_equal(sealed, 5 + 8 + 10 + 16);
	assert_int_equal(open_all(sealed), 10);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_record_may_be_as_large_as_the_limit_and_no_larger),
		TEST(test_padding_counts_in_the_limit),
		TEST(test_records_are_padded_to_a_multiple),
		TEST(test_padding_keeps_to_the_limit),
		TEST(test_control_records_are_padded),
		TEST(test_older_versions_are_not_padded),
	};

	return cmocka_run_group_tests_name("record_limits", tests, set_up, NULL);
}
