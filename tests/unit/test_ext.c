/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of extensions and messages (RFC 8446 4.2), walked as a whole, and the wire forms of the bodies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/ext.h"
#include "tests/lib/pair.h"

#define CH  EXT_IN_CLIENT_HELLO
#define SH  EXT_IN_SERVER_HELLO
#define HRR EXT_IN_HELLO_RETRY_REQUEST
#define EE  EXT_IN_ENCRYPTED_EXTENSIONS
#define CT  EXT_IN_CERTIFICATE
#define CR  EXT_IN_CERTIFICATE_REQUEST

/* The table of RFC 8446 4.2, written down once more. */
static const struct {
	uint16_t type;
	unsigned where;
} rfc[] = {
	{0, CH | EE},  {1, CH | EE},  {5, CH | CR | CT},   {10, CH | EE},       {13, CH | CR}, {14, CH | EE},
	{15, CH | EE}, {16, CH | EE}, {18, CH | CR | CT},  {19, CH | EE},       {20, CH | EE}, {21, CH},
	{41, CH | SH}, {42, CH | EE}, {43, CH | SH | HRR}, {44, CH | HRR},      {45, CH},      {47, CH | CR},
	{48, CR},      {49, CH},      {50, CH | CR},       {51, CH | SH | HRR},
};

static uint8_t try(enum ext_message message, uint32_t offered, const void *bytes, size_t len,
		   struct ext_block *block)
{
	static struct engine_hs hs;

	memset(&hs, 0, sizeof(hs));
	if (ext_parse(&hs, message, rd_of(bytes, len), offered, block)) {
		assert_int_equal(hs.err, ENGINE_OK);
		return 0;
	}
	assert_int_not_equal(hs.err, ENGINE_OK);
	return hs.alert;
}

static void test_the_table_is_that_of_the_rfc(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(rfc) / sizeof(rfc[0]); i++) {
		for (unsigned message = CH; message <= CR; message <<= 1) {
			const uint8_t bytes[] = {(uint8_t)(rfc[i].type >> 8), (uint8_t)rfc[i].type, 0, 0};
			const bool allowed = (rfc[i].where & message) != 0;
			const bool is_request = message == CH || message == CR;
			struct ext_block block;

			assert_int_equal(try((enum ext_message)message, UINT32_MAX, bytes, 4, &block),
					 allowed ? 0 : ALERT_ILLEGAL_PARAMETER);
			if (allowed) {
				assert_int_not_equal(block.present, 0);
			}
			/* answers want a question, but for the cookie */
			if (allowed && !is_request && rfc[i].type != 44) {
				assert_int_equal(try((enum ext_message)message, 0, bytes, 4, &block),
						 ALERT_UNSUPPORTED_EXTENSION);
			}
		}
	}
}

static void test_unknown_extensions(void **unused)
{
	static const uint8_t bytes[] = {0xba, 0xba, 0, 1, 7, 0xff, 0x02, 0, 0};
	struct ext_block block;

	(void)unused;
	assert_int_equal(try(CH, 0, bytes, sizeof(bytes), &block), 0);
	assert_int_equal(block.present, 0);
	assert_int_equal(try(CR, 0, bytes, sizeof(bytes), &block), 0);
	assert_int_equal(try(EE, UINT32_MAX, bytes, sizeof(bytes), &block), ALERT_UNSUPPORTED_EXTENSION);
	assert_int_equal(try(SH, UINT32_MAX, bytes, sizeof(bytes), &block), ALERT_UNSUPPORTED_EXTENSION);
	assert_int_equal(try(CT, UINT32_MAX, bytes, sizeof(bytes), &block), ALERT_UNSUPPORTED_EXTENSION);
}

static void test_broken_vectors(void **unused)
{
	static const uint8_t bytes[] = {0, 16, 0, 2, 'a', 'b', 0, 21, 0, 1, 0};
	struct ext_block block;

	(void)unused;
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		const bool whole = len == 0 || len == 6 || len == sizeof(bytes);

		assert_int_equal(try(CH, 0, bytes, len, &block), whole ? 0 : ALERT_DECODE_ERROR);
	}
	assert_true(ext_has(&block, EXT_ALPN));
	assert_memory_equal(block.body[EXT_ALPN].p, "ab", 2);
	assert_true(ext_has(&block, EXT_PADDING));
	assert_false(block.psk_is_last);
}

/* However many there are, each pair is compared. */
static void test_duplicates_among_many(void **unused)
{
	static uint8_t bytes[4 * 4000];
	struct ext_block block;

	(void)unused;
	for (unsigned i = 0; i < 4000; i++) {
		const unsigned type = 1000 + 7 * i;

		bytes[4 * i] = (uint8_t)(type >> 8);
		bytes[4 * i + 1] = (uint8_t)type;
	}
	assert_int_equal(try(CH, 0, bytes, sizeof(bytes), &block), 0);
	memcpy(bytes + 4 * 3999, bytes + 4 * 17, 2);
	assert_int_equal(try(CH, 0, bytes, sizeof(bytes), &block), ALERT_ILLEGAL_PARAMETER);
}

#define R(text) rd_of((const uint8_t *)(text), sizeof(text) - 1)

static void test_bodies(void **unused)
{
	struct rd view;
	uint16_t value;
	struct offered_psks offer;
	uint32_t age;
	bool flag;

	(void)unused;
	assert_true(ext_parse_server_name(R("\0\x04\0\0\x01x"), &view, &flag) && view.left == 1 && !flag);
	assert_false(ext_parse_server_name(R("\0\x04\0\0\x01x\0"), &view, &flag));
	/* a name of a type to come is skipped, before and behind ours */
	assert_true(ext_parse_server_name(R("\0\x09\x01\0\x02yz\0\0\x01x"), &view, &flag) && view.left == 1);
	assert_true(ext_parse_server_name(R("\0\x07\0\0\x01x\x01\0\0"), &view, &flag) && view.left == 1 && !flag);
	assert_true(ext_parse_server_name(R("\0\x04\x01\0\x01x"), &view, &flag) && view.left == 0);
	assert_false(ext_parse_server_name(R("\0\x04\x01\0\x02x"), &view, &flag));
	assert_true(ext_parse_server_name(R("\0\x08\0\0\x01x\0\0\x01y"), &view, &flag) && flag);
	assert_true(ext_parse_u16_list(R("\0\x02\0\x1d"), &view) && view.left == 2);
	assert_false(ext_parse_u16_list(R("\0\0"), &view));
	assert_false(ext_parse_u16_list(R("\0\x03\0\x1d\0"), &view));
	assert_false(ext_parse_u16_list(R("\0\x02\0\x1d\0"), &view));
	assert_true(ext_parse_alpn(R("\0\x06\x02h2\x02h3"), &view) && view.left == 6);
	assert_false(ext_parse_alpn(R("\0\x03\x02h2\0"), &view));
	assert_true(ext_parse_supported_versions(R("\x02\x03\x04"), &view));
	assert_false(ext_parse_supported_versions(R("\x01\x03"), &view));
	assert_true(ext_parse_u16(R("\x03\x04"), &value) && value == 0x0304);
	assert_false(ext_parse_u16(R("\x03\x04\0"), &value));
	assert_true(ext_parse_cookie(R("\0\x01x"), &view));
	assert_false(ext_parse_cookie(R("\0\0"), &view));
	assert_true(ext_parse_psk_modes(R("\x01\x01"), &view));
	assert_false(ext_parse_psk_modes(R("\0"), &view));
	assert_true(ext_parse_key_shares(R("\0\0"), &view) && view.left == 0);
	assert_true(ext_parse_offered_psks(R("\0\x0e\0\x01x\0\0\0\0\0\x01y\0\0\0\0\0\x21\x20"
					     "0123456789abcdef0123456789abcdef"),
					   &offer));
	assert_int_equal(offer.n_identities, 2);
	assert_int_equal(offer.n_binders, 1);
	assert_true(ext_next_psk_identity(&offer.identities, &view, &age) && view.left == 1 && view.p[0] == 'x');
	assert_false(ext_parse_offered_psks(R("\0\x06\0\0\0\0\0\0\0\0"), &offer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_table_is_that_of_the_rfc),
		cmocka_unit_test(test_unknown_extensions),
		cmocka_unit_test(test_broken_vectors),
		cmocka_unit_test(test_duplicates_among_many),
		cmocka_unit_test(test_bodies),
	};

	return cmocka_run_group_tests_name("extensions", tests, NULL, NULL);
}
