/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What RFC 8446 demands at the edges, each row named by its clause: real hellos and flights of the other role, changed
 * in one place. The plain cases of a message stand in test_client_hello.c and test_server_flight.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/alert.h"
#include "engine/handshake.h"
#include "engine/hello.h"
#include "tests/lib/pair.h"

#define B(text) text, sizeof(text) - 1

static struct pair pair;
static uint8_t wire[256 * 1024];
static uint8_t room[256 * 1024];

/* ---- hellos, changed ---- */

/* One change; type -1: none. body NULL takes the extension out. */
struct change {
	int type;
	const char *body;
	size_t len;
};

/* The first message of a record of role's, without its record; copied. */
static struct rd take_message(enum engine_role role)
{
	static uint8_t copy[4096];
	size_t len;
	const uint8_t *bytes = pair_take(&pair, role, &len);
	size_t skip = bytes[0] == CONTENT_CHANGE_CIPHER_SPEC ? 6 : 0;
	const size_t record_len = ((size_t)bytes[skip + 3] << 8) + bytes[skip + 4];

	assert_true(len >= skip + 5 + record_len && record_len <= sizeof(copy));
	assert_int_equal(bytes[skip], CONTENT_HANDSHAKE);
	memcpy(copy, bytes + skip + 5, record_len);
	return rd_of(copy, record_len);
}

/* The hello with one extension replaced, taken out or put at the end, as a message. */
static size_t edit_hello(struct rd hello, const struct change *change, uint8_t *out_room, size_t size)
{
	const bool is_client = hello.p[0] == HS_CLIENT_HELLO;
	struct rd view, extensions, body;
	bool done = change->body == NULL;
	struct wr out;
	size_t message, mark;
	uint16_t type;

	wr_init(&out, out_room, size);
	wr_u8(&out, hello.p[0]);
	message = wr_open24(&out);
	assert_true(rd_bytes(&hello, &view, 4));
	assert_true(rd_bytes(&hello, &view, 2 + 32));
	wr_bytes(&out, view.p, view.left);
	assert_true(rd_vec8(&hello, &view, 0, 32));
	mark = wr_open8(&out);
	wr_bytes(&out, view.p, view.left);
	wr_close8(&out, mark);
	if (is_client) {
		assert_true(rd_vec16(&hello, &view, 2, 65534));
		mark = wr_open16(&out);
		wr_bytes(&out, view.p, view.left);
		wr_close16(&out, mark);
	}
	assert_true(rd_bytes(&hello, &view, is_client ? 2 : 3));
	wr_bytes(&out, view.p, view.left);
	assert_true(rd_vec16(&hello, &extensions, 0, 65535) && rd_end(&hello));
	mark = wr_open16(&out);
	while (!rd_end(&extensions)) {
		assert_true(rd_u16(&extensions, &type) && rd_vec16(&extensions, &body, 0, 65535));
		if (type == change->type) {
			if (change->body == NULL) {
				continue;
			}
			body = rd_of((const uint8_t *)change->body, change->len);
			done = true;
		}
		wr_u16(&out, type);
		wr_u16(&out, (uint16_t)body.left);
		wr_bytes(&out, body.p, body.left);
	}
	if (!done && change->type >= 0) {
		wr_u16(&out, (uint16_t)change->type);
		wr_u16(&out, (uint16_t)change->len);
		wr_bytes(&out, change->body, change->len);
	}
	wr_close16(&out, mark);
	wr_close24(&out, message);
	assert_false(out.failed);
	return out.len;
}

static const struct change no_change = {-1, NULL, 0};

/* Give a message in plaintext records of at most piece bytes. */
static enum engine_err give_plain(enum engine_role to, uint16_t version, const uint8_t *message, size_t len,
				  size_t piece)
{
	enum engine_err err = ENGINE_OK;

	for (size_t done = 0; done < len && err == ENGINE_OK; done += piece) {
		const size_t n = piece < len - done ? piece : len - done;

		record_build_header(wire, CONTENT_HANDSHAKE, version, n);
		memcpy(wire + 5, message + done, n);
		err = pair_give(&pair, to, wire, 5 + n);
	}
	return err;
}

static void begin_retried(void)
{
	struct engine_hs *client;

	assert_true(pair_begin_default(&pair));
	client = pair.hs[ENGINE_CLIENT];
	wr_free(&client->out);
	wr_free(&client->held);
	assert_true(client_start(client, NULL));
}

static void check(enum engine_role role, enum engine_err err, uint8_t alert, const char *name)
{
	const uint8_t got = engine_hs_alert(pair.hs[role]);

	if (got != alert || (err == ENGINE_OK) != (alert == 0)) {
		fail_msg("%s: got %s (%s), wanted %s", name, engine_alert_name(got),
			 engine_hs_reason(pair.hs[role]), engine_alert_name(alert));
	}
	assert_int_equal(pair.conn[role].version, 0);
}

/* ---- records ---- */

/* RFC 8446 5.1: legacy_record_version "MUST be ignored for all purposes". */
static void test_5_1_the_version_of_plaintext_records_is_ignored(void **unused)
{
	static const uint16_t versions[] = {0x0000, 0x0002, 0x0200, 0x0300, 0x0301, 0x0302,
					    0x0304, 0x03ff, 0x0505, 0x7f1c, 0xffff};

	(void)unused;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		for (size_t piece = 3; piece < 4096; piece += 1500) {
			struct rd hello;

			assert_true(pair_begin_default(&pair));
			hello = take_message(ENGINE_CLIENT);
			assert_int_equal(give_plain(ENGINE_SERVER, versions[i], hello.p, hello.left, piece),
					 ENGINE_OK);
			hello = take_message(ENGINE_SERVER);
			assert_int_equal(give_plain(ENGINE_CLIENT, versions[i], hello.p, hello.left, piece),
					 ENGINE_OK);
			assert_int_equal(pair.hs[ENGINE_CLIENT]->state, HS_WAIT_ENCRYPTED_EXTENSIONS);
			pair_end(&pair);
		}
	}
}

/* RFC 8446 5: "an unexpected record type [...] MUST [...] unexpected_message"; text is no record. */
static void test_5_unknown_record_types(void **unused)
{
	(void)unused;
	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		for (unsigned type = 0; type < 256; type++) {
			const uint8_t record[] = {(uint8_t)type, 3, (uint8_t)(type % 5), 0, 1, 0};
			const uint8_t text[] = {(uint8_t)type, 'E', 'T', ' ', '/', ' '};
			size_t len;

			if (type >= CONTENT_CHANGE_CIPHER_SPEC && type <= CONTENT_APPLICATION_DATA) {
				continue;
			}
			assert_true(pair_begin_default(&pair));
			(void)pair_take(&pair, (enum engine_role)role, &len);
			check((enum engine_role)role,
			      pair_give(&pair, (enum engine_role)role, record, sizeof(record)),
			      ALERT_UNEXPECTED_MESSAGE, "unknown type");
			(void)pair_take(&pair, (enum engine_role)role, &len);
			assert_int_equal(len, 7);
			pair_end(&pair);
			assert_true(pair_begin_default(&pair));
			assert_int_equal(pair_give(&pair, (enum engine_role)role, text, sizeof(text)),
					 ENGINE_ERR_NOT_TLS);
			pair_end(&pair);
		}
	}
}

/* RFC 8446 5: whatever version such a record claims, its type is what is wrong with it. */
static void test_5_application_data_before_a_hello(void **unused)
{
	(void)unused;
	for (uint8_t minor = 0; minor < 5; minor++) {
		const uint8_t record[] = {CONTENT_APPLICATION_DATA, 3, minor, 0, 1, 'x'};

		assert_true(pair_begin_default(&pair));
		check(ENGINE_SERVER, pair_give(&pair, ENGINE_SERVER, record, sizeof(record)),
		      ALERT_UNEXPECTED_MESSAGE, "application data first");
		pair_end(&pair);
	}
}

/* RFC 8446 D.5: SSL 2.0, and its form for newer versions, is told that the version is at fault. */
static void test_d_5_hellos_in_the_form_of_ssl_2(void **unused)
{
	static const char *const hellos[] = {"\x80\x2e\x01\x00\x02", "\x80\x2e\x01\x03\x01",
					     "\x81\x04\x01\x03\x04"};

	(void)unused;
	for (size_t i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
		for (size_t piece = 1; piece <= 5; piece++) {
			enum engine_err err = ENGINE_OK;
			size_t len;

			assert_true(pair_begin_default(&pair));
			for (size_t done = 0; done < 5; done += piece) {
				err = pair_give(&pair, ENGINE_SERVER, (const uint8_t *)hellos[i] + done,
						piece < 5 - done ? piece : 5 - done);
			}
			check(ENGINE_SERVER, err, ALERT_PROTOCOL_VERSION, "SSL 2.0");
			assert_memory_equal(pair_take(&pair, ENGINE_SERVER, &len),
					    "\x15\x03\x03\0\x02\x02\x46", 7);
			pair_end(&pair);
		}
	}
}

/* RFC 8446 4.2.8: any number of shares, each for a supported group, none twice. */
static void test_4_2_8_thousands_of_shares(void **unused)
{
	static char groups[65536], shares[65536];
	struct rd hello;
	struct wr g, s;
	size_t g_mark, s_mark, len;

	(void)unused;
	for (int variant = 0; variant < 4; variant++) {
		const uint8_t alert = variant < 2 ? 0 : ALERT_ILLEGAL_PARAMETER;

		wr_init(&g, (uint8_t *)groups, sizeof(groups));
		wr_init(&s, (uint8_t *)shares, sizeof(shares));
		g_mark = wr_open16(&g);
		s_mark = wr_open16(&s);
		for (uint16_t i = 0; i < 5000; i++) {
			wr_u16(&g, (uint16_t)(0x4000 + i));
			wr_u16(&s, (uint16_t)(0x4000 + i));
			wr_u16(&s, 1);
			wr_u8(&s, 0);
		}
		wr_u16(&g, 0x17);
		if (variant >= 2) {
			/* the first once more, or one that is not supported */
			wr_u16(&s, variant == 2 ? 0x4000 : 0x3fff);
			wr_u16(&s, 1);
			wr_u8(&s, 0);
		}
		wr_close16(&g, g_mark);
		wr_close16(&s, s_mark);
		assert_true(!g.failed && !s.failed);
		const struct change change_groups = {10, groups, g.len};
		const struct change change_shares = {51, shares, s.len};

		assert_true(pair_begin_default(&pair));
		hello = take_message(ENGINE_CLIENT);
		len = edit_hello(hello, &change_groups, room, sizeof(room) / 2);
		len = edit_hello(rd_of(room, len), &change_shares, room + sizeof(room) / 2, sizeof(room) / 2);
		check(ENGINE_SERVER, give_plain(ENGINE_SERVER, 0x0301, room + sizeof(room) / 2, len, 16384),
		      alert, "shares");
		assert_true(alert != 0 || pair.hs[ENGINE_SERVER]->state == HS_WAIT_CLIENT_HELLO_AGAIN);
		pair_end(&pair);
	}
}

/* RFC 8446 5.1: fragments of every size, each hello in any number of records. */
static void test_5_1_hellos_in_records_of_every_size(void **unused)
{
	struct rd hello;
	size_t len = 64;

	(void)unused;
	for (size_t piece = 1; piece <= len + 1; piece++) {
		assert_true(pair_begin_default(&pair));
		hello = take_message(ENGINE_CLIENT);
		len = hello.left;
		assert_int_equal(give_plain(ENGINE_SERVER, 0x0301, hello.p, hello.left, piece), ENGINE_OK);
		hello = take_message(ENGINE_SERVER);
		assert_int_equal(give_plain(ENGINE_CLIENT, 0x0303, hello.p, hello.left, piece), ENGINE_OK);
		assert_int_equal(pair.hs[ENGINE_CLIENT]->state, HS_WAIT_ENCRYPTED_EXTENSIONS);
		pair_end(&pair);
	}
}

/* RFC 8446 4.2.10, 5.1: early data is skipped behind a HelloRetryRequest, but not within the second ClientHello. */
static void test_5_1_early_data_within_the_second_hello(void **unused)
{
	static const uint8_t early[] = {23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8,
					9,  0, 1, 2, 3,  4, 5, 6, 7, 8, 9, 0};
	const struct change with_early = {42, "", 0};
	struct rd hello;
	size_t len;

	(void)unused;
	begin_retried();
	hello = take_message(ENGINE_CLIENT);
	len = edit_hello(hello, &with_early, room, sizeof(room));
	assert_int_equal(give_plain(ENGINE_SERVER, 0x0301, room, len, len), ENGINE_OK);
	assert_int_equal(pair.hs[ENGINE_SERVER]->state, HS_WAIT_CLIENT_HELLO_AGAIN);
	assert_int_equal(pair_give(&pair, ENGINE_SERVER, early, sizeof(early)), ENGINE_OK);
	assert_int_equal(give_plain(ENGINE_SERVER, 0x0303, room, 3, 2), ENGINE_OK);
	check(ENGINE_SERVER, pair_give(&pair, ENGINE_SERVER, early, sizeof(early)), ALERT_UNEXPECTED_MESSAGE,
	      "early data within a message");
	pair_end(&pair);
}

/* ---- lengths of messages ---- */

/* RFC 8446 6.2: decode_error, "the length of the message was incorrect"; said as soon as the header is there. */
static void test_6_2_lengths_that_cannot_be(void **unused)
{
	static const struct {
		const char *header;
		enum engine_role to;
		uint8_t alert;
	} rows[] = {
		{"\x01\x02\x01\x44", ENGINE_SERVER, 0},
		{"\x01\x02\x01\x45", ENGINE_SERVER, ALERT_DECODE_ERROR},
		{"\x01\xff\xff\xff", ENGINE_SERVER, ALERT_DECODE_ERROR},
		{"\x02\x01\x00\x47", ENGINE_CLIENT, 0},
		{"\x02\x01\x00\x48", ENGINE_CLIENT, ALERT_DECODE_ERROR},
		{"\x02\xff\xff\xff", ENGINE_CLIENT, ALERT_DECODE_ERROR},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(pair_begin_default(&pair));
		check(rows[i].to, give_plain(rows[i].to, 0x0301, (const uint8_t *)rows[i].header, 4, 4),
		      rows[i].alert, "length");
		pair_end(&pair);
	}
}

/* The largest ClientHello that fits, padded by an unknown extension. RFC 8446 4.1.2 */
static void test_4_1_2_the_largest_client_hello_is_taken(void **unused)
{
	static char filling[65535];
	struct change big = {0x4a4a, filling, 0};
	struct rd hello;
	size_t len;

	(void)unused;
	assert_true(pair_begin_default(&pair));
	hello = take_message(ENGINE_CLIENT);
	/* as much as the extensions vector holds beside what is there */
	big.len = 65535 - 4 - hello.left;
	len = edit_hello(hello, &big, room, sizeof(room));
	assert_int_equal(give_plain(ENGINE_SERVER, 0x0301, room, len, ENGINE_MAX_PLAINTEXT), ENGINE_OK);
	assert_int_equal(pair.hs[ENGINE_SERVER]->state, HS_WAIT_CLIENT_FINISHED);
	pair_end(&pair);
}

/* ---- ClientHello ---- */

/* RFC 8446 6.2: what cannot be parsed is decode_error, also where the content would not matter to us. */
static void test_client_hellos(void **unused)
{
	static const struct {
		const char *name;
		struct change change;
		uint8_t alert;
	} rows[] = {
		{"4.2.2 cookie, unasked", {44, B("\0\x01x")}, 0},
		{"4.2.2 cookie, empty", {44, B("\0\0")}, ALERT_DECODE_ERROR},
		{"4.2.2 cookie, no vector", {44, B("")}, ALERT_DECODE_ERROR},
		{"4.2.2 cookie, bytes behind", {44, B("\0\x01xy")}, ALERT_DECODE_ERROR},
		{"4.2.4 authorities", {47, B("\0\x06\0\x01x\0\x01y")}, 0},
		{"4.2.4 authorities, none", {47, B("\0\0")}, ALERT_DECODE_ERROR},
		{"4.2.4 authorities, an empty name", {47, B("\0\x05\0\0\0\x01x")}, ALERT_DECODE_ERROR},
		{"4.2.4 authorities, cut short", {47, B("\0\x03\0\x02x")}, ALERT_DECODE_ERROR},
		{"4.2.5 oid_filters", {48, B("\0\0")}, ALERT_ILLEGAL_PARAMETER},
		{"4.2.6 post_handshake_auth", {49, B("")}, 0},
		{"4.2.6 post_handshake_auth with a body", {49, B("\0")}, ALERT_DECODE_ERROR},
		{"4.2.3 signature_algorithms_cert", {50, B("\0\x02\x04\x01")}, 0},
		{"4.2.3 signature_algorithms_cert, odd", {50, B("\0\x03\x04\x01\0")}, ALERT_DECODE_ERROR},
		{"4.2.9 unknown modes", {45, B("\x02\x0a\xfa")}, 0},
		{"4.2.9 no modes", {45, B("\0")}, ALERT_DECODE_ERROR},
		{"4.2.9 modes, bytes behind", {45, B("\x01\x01\0")}, ALERT_DECODE_ERROR},
		{"4.2.10 early_data", {42, B("")}, 0},
		{"4.2.10 early_data with a body", {42, B("\0\0\0\0")}, ALERT_DECODE_ERROR},
		{"4.2.1 GREASE alone", {43, B("\x04\x0a\x0a\xfa\xfa")}, ALERT_PROTOCOL_VERSION},
		{"4.2.1 drafts alone", {43, B("\x04\x7f\x1c\x7f\x1b")}, ALERT_PROTOCOL_VERSION},
		{"4.2.7 groups without a list", {10, B("")}, ALERT_DECODE_ERROR},
		{"4.2.8 shares cut short", {51, B("\0\x24\0\x1d")}, ALERT_DECODE_ERROR},
		{"9.2 no supported_groups", {10, NULL, 0}, ALERT_MISSING_EXTENSION},
		{"9.2 no key_share", {51, NULL, 0}, ALERT_MISSING_EXTENSION},
		{"9.2 no signature_algorithms", {13, NULL, 0}, ALERT_MISSING_EXTENSION},
		{"RFC 6066 4 max_fragment_length", {1, B("\x01")}, 0},
		{"RFC 8449 record_size_limit", {28, B("\x40\x01")}, 0},
		{"RFC 6066 3 a name with a dot at its end", {0, B("\0\x0d\0\0\x0alocalhost.")}, 0},
		{"RFC 6066 3 an address",
		 {0, B("\0\x0c\0\0\x09"
		       "127.0.0.1")},
		 0},
		{"RFC 7301 3.1 an empty name", {16, B("\0\x04\0\x02h2")}, ALERT_DECODE_ERROR},
		{"RFC 5746, 7627, 5077", {0xff01, B("\0")}, 0},
		{"RFC 8701 an unknown extension", {0xfafa, B("x")}, 0},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rd hello;
		size_t len;

		assert_true(pair_begin_default(&pair));
		hello = take_message(ENGINE_CLIENT);
		len = edit_hello(hello, &rows[i].change, room, sizeof(room));
		check(ENGINE_SERVER, give_plain(ENGINE_SERVER, 0x0301, room, len, 16384), rows[i].alert,
		      rows[i].name);
		pair_end(&pair);
	}
}

/* RFC 8446 4.1.2: every byte of the first 38 must come again, and every extension but those that may change. */
static void test_4_1_2_second_client_hellos(void **unused)
{
	static const struct {
		const char *name;
		struct change first, second;
		uint8_t alert;
	} rows[] = {
		{"the same", {-1, NULL, 0}, {-1, NULL, 0}, 0},
		{"early_data gone", {42, B("")}, {42, NULL, 0}, 0},
		{"a cookie", {-1, NULL, 0}, {44, B("\0\x01x")}, 0},
		{"padding", {21, B("\0\0")}, {21, B("\0\0\0")}, 0},
		{"another inner hello", {0xfe0d, B("one")}, {0xfe0d, B("two")}, 0},
		{"another name", {-1, NULL, 0}, {0, B("\0\x06\0\0\x03one")}, ALERT_ILLEGAL_PARAMETER},
		{"no name", {-1, NULL, 0}, {0, NULL, 0}, ALERT_ILLEGAL_PARAMETER},
		{"other protocols",
		 {16, B("\0\x03\x02h2")},
		 {16, B("\0\x03\x02h3")},
		 ALERT_ILLEGAL_PARAMETER},
		{"other schemes", {-1, NULL, 0}, {13, B("\0\x02\x04\x03")}, ALERT_ILLEGAL_PARAMETER},
		{"other versions", {-1, NULL, 0}, {43, B("\x04\x03\x04\x03\x03")}, ALERT_ILLEGAL_PARAMETER},
		{"no versions", {-1, NULL, 0}, {43, NULL, 0}, ALERT_PROTOCOL_VERSION},
		{"no share", {-1, NULL, 0}, {51, NULL, 0}, ALERT_MISSING_EXTENSION},
		{"an empty list of shares", {-1, NULL, 0}, {51, B("\0\0")}, ALERT_ILLEGAL_PARAMETER},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rd hello;
		size_t len;

		begin_retried();
		hello = take_message(ENGINE_CLIENT);
		len = edit_hello(hello, &rows[i].first, room, sizeof(room));
		assert_int_equal(give_plain(ENGINE_SERVER, 0x0301, room, len, len), ENGINE_OK);
		assert_int_equal(pair.hs[ENGINE_SERVER]->state, HS_WAIT_CLIENT_HELLO_AGAIN);
		/* the client answers as if its own hello had been the first */
		hello = take_message(ENGINE_SERVER);
		assert_int_equal(give_plain(ENGINE_CLIENT, 0x0303, hello.p, hello.left, 16384), ENGINE_OK);
		hello = take_message(ENGINE_CLIENT);
		len = edit_hello(hello, &rows[i].second, room, sizeof(room));
		check(ENGINE_SERVER, give_plain(ENGINE_SERVER, 0x0303, room, len, len), rows[i].alert,
		      rows[i].name);
		pair_end(&pair);
	}
	/* legacy_version, random and session id, byte by byte */
	for (size_t at = 4; at < 4 + 2 + 32 + 1 + 32; at++) {
		struct rd hello;
		size_t len;

		if (at == 4 || at == 4 + 2 + 32) {
			continue; /* SSL, and another length */
		}
		begin_retried();
		hello = take_message(ENGINE_CLIENT);
		assert_int_equal(give_plain(ENGINE_SERVER, 0x0301, hello.p, hello.left, hello.left),
				 ENGINE_OK);
		hello = take_message(ENGINE_SERVER);
		assert_int_equal(give_plain(ENGINE_CLIENT, 0x0303, hello.p, hello.left, 16384), ENGINE_OK);
		hello = take_message(ENGINE_CLIENT);
		len = edit_hello(hello, &no_change, room, sizeof(room));
		room[at] ^= 0x40;
		check(ENGINE_SERVER, give_plain(ENGINE_SERVER, 0x0303, room, len, len),
		      ALERT_ILLEGAL_PARAMETER, "a byte of the second ClientHello");
		pair_end(&pair);
	}
}

/* The extensions of a ClientHello with one of them in front of all others. */
static void move_to_front(uint8_t *message, size_t len, uint16_t type)
{
	static uint8_t moved[4096];
	struct rd in = rd_of(message, len);
	struct rd view, extensions, body;
	size_t at = 0, start;
	uint16_t found;

	assert_true(rd_bytes(&in, &view, 4 + 2 + 32) && rd_vec8(&in, &view, 0, 32) &&
		    rd_vec16(&in, &view, 2, 65534) && rd_bytes(&in, &view, 2 + 2));
	start = len - in.left;
	for (int pass = 0; pass < 2; pass++) {
		for (extensions = in; !rd_end(&extensions);) {
			const uint8_t *from = extensions.p;

			assert_true(rd_u16(&extensions, &found) && rd_vec16(&extensions, &body, 0, 65535));
			if ((found == type) == (pass == 0)) {
				assert_true(at + 4 + body.left <= sizeof(moved));
				memcpy(moved + at, from, 4 + body.left);
				at += 4 + body.left;
			}
		}
	}
	assert_int_equal(at, len - start);
	memcpy(message + start, moved, at);
}

/* RFC 8446 4.1.2: "the same ClientHello without modification", so in the same order; what may change may move. */
static void test_4_1_2_order_in_the_second_client_hello(void **unused)
{
	static const struct {
		uint16_t type;
		uint8_t alert;
	} rows[] = {
		{51, 0}, /* key_share */
		{43, 0}, /* supported_versions: wolfSSL moves it */
		{13, ALERT_ILLEGAL_PARAMETER},
		{0x1234, ALERT_ILLEGAL_PARAMETER},
	};
	static const struct change unknown = {0x1234, B("x")};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rd hello;
		size_t len;

		begin_retried();
		hello = take_message(ENGINE_CLIENT);
		len = edit_hello(hello, &unknown, room, sizeof(room));
		assert_int_equal(give_plain(ENGINE_SERVER, 0x0301, room, len, len), ENGINE_OK);
		hello = take_message(ENGINE_SERVER);
		assert_int_equal(give_plain(ENGINE_CLIENT, 0x0303, hello.p, hello.left, 16384), ENGINE_OK);
		hello = take_message(ENGINE_CLIENT);
		len = edit_hello(hello, &unknown, room, sizeof(room));
		move_to_front(room, len, rows[i].type);
		check(ENGINE_SERVER, give_plain(ENGINE_SERVER, 0x0303, room, len, len), rows[i].alert,
		      "an extension in front of the others");
		pair_end(&pair);
	}
}

/* ---- ServerHello and HelloRetryRequest ---- */

/* Offsets in a message: version 4, random 6, session id 38 with its length, suite 71, compression 73. */
static void test_server_hello_fields(void **unused)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
		uint8_t alert;
	} rows[] = {
		{"D.5 SSL 3.0", 5, 0, ALERT_PROTOCOL_VERSION},
		{"4.2.1 TLS 1.0 is ignored", 5, 1, 0},
		{"4.2.1 TLS 1.3 is ignored", 5, 4, 0},
		{"4.1.3 version 2", 4, 2, ALERT_PROTOCOL_VERSION},
		{"4.1.3 first byte of the session id", 39, 0, ALERT_ILLEGAL_PARAMETER},
		{"4.1.3 last byte of the session id", 70, 0, ALERT_ILLEGAL_PARAMETER},
		{"4.1.3 length of the session id", 38, 33, ALERT_DECODE_ERROR},
		{"4.1.3 suite", 72, 0x05, ALERT_ILLEGAL_PARAMETER},
		{"4.1.3 suite of TLS 1.2", 71, 0xc0, ALERT_ILLEGAL_PARAMETER},
		{"4.1.3 compression", 73, 1, ALERT_ILLEGAL_PARAMETER},
	};

	(void)unused;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct rd hello;
		size_t len;

		/* the same for both kinds */
		if (i % 2 == 0) {
			assert_true(pair_begin_default(&pair));
		} else {
			begin_retried();
		}
		hello = take_message(ENGINE_CLIENT);
		assert_int_equal(give_plain(ENGINE_SERVER, 0x0301, hello.p, hello.left, hello.left),
				 ENGINE_OK);
		hello = take_message(ENGINE_SERVER);
		len = edit_hello(hello, &no_change, room, sizeof(room));
		room[rows[i / 2].at] = rows[i / 2].value;
		check(ENGINE_CLIENT, give_plain(ENGINE_CLIENT, 0x0303, room, len, len), rows[i / 2].alert,
		      rows[i / 2].name);
		pair_end(&pair);
	}
}

static void test_server_hello_extensions(void **unused)
{
	static const struct {
		const char *name;
		bool retry;
		struct change change;
		uint8_t alert;
	} rows[] = {
		{"as it is", false, {-1, NULL, 0}, 0},
		{"as it is, retry", true, {-1, NULL, 0}, 0},
		{"4.2.1 a version of drafts", false, {43, B("\x7f\x1c")}, ALERT_ILLEGAL_PARAMETER},
		{"4.2.1 a list of versions", false, {43, B("\x02\x03\x04")}, ALERT_DECODE_ERROR},
		{"4.2.1 TLS 1.2 in a retry", true, {43, B("\x03\x03")}, ALERT_ILLEGAL_PARAMETER},
		{"4.2.8 a list of shares", false, {51, B("\0\x04\0\x1d\0\0")}, ALERT_DECODE_ERROR},
		{"4.2.8 GREASE", false, {51, B("\x0a\x0a\0\x01x")}, ALERT_ILLEGAL_PARAMETER},
		{"4.2.8 the group alone", false, {51, B("\0\x1d")}, ALERT_DECODE_ERROR},
		{"4.2.8 GREASE in a retry", true, {51, B("\x0a\x0a")}, ALERT_ILLEGAL_PARAMETER},
		{"4.2.8 no group in a retry", true, {51, B("")}, ALERT_DECODE_ERROR},
		{"4.1.4 a retry for nothing", true, {51, NULL, 0}, ALERT_ILLEGAL_PARAMETER},
		{"4.2 key_share missing", false, {51, NULL, 0}, ALERT_MISSING_EXTENSION},
		{"4.2 status_request", false, {5, B("")}, ALERT_ILLEGAL_PARAMETER},
		{"4.2 supported_groups", false, {10, B("\0\x02\0\x1d")}, ALERT_ILLEGAL_PARAMETER},
		{"4.2 ALPN", false, {16, B("\0\x03\x02h2")}, ALERT_ILLEGAL_PARAMETER},
		{"4.2 early_data in a retry", true, {42, B("")}, ALERT_ILLEGAL_PARAMETER},
		{"4.2 renegotiation_info", false, {0xff01, B("\0")}, ALERT_ILLEGAL_PARAMETER},
		{"4.2 extended_main_secret", false, {23, B("")}, ALERT_ILLEGAL_PARAMETER},
		{"4.2 record_size_limit in a retry", true, {28, B("\x40\x01")}, ALERT_ILLEGAL_PARAMETER},
		{"4.2.11 pre_shared_key", false, {41, B("\0\0")}, ALERT_UNSUPPORTED_EXTENSION},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rd hello;
		size_t len;

		if (rows[i].retry) {
			begin_retried();
		} else {
			assert_true(pair_begin_default(&pair));
		}
		hello = take_message(ENGINE_CLIENT);
		assert_int_equal(give_plain(ENGINE_SERVER, 0x0301, hello.p, hello.left, hello.left),
				 ENGINE_OK);
		hello = take_message(ENGINE_SERVER);
		len = edit_hello(hello, &rows[i].change, room, sizeof(room));
		check(ENGINE_CLIENT, give_plain(ENGINE_CLIENT, 0x0303, room, len, len), rows[i].alert,
		      rows[i].name);
		pair_end(&pair);
	}
}

/* RFC 8446 4.2.8.2: points that are none, and forms that are not allowed, from either side. */
static void test_4_2_8_2_points(void **unused)
{
	static const uint8_t forms[] = {0x00, 0x02, 0x03, 0x05, 0x06, 0x07, 0xff, 0x04};
	static char shares[2 + 4 + 65] = "\0\x45\0\x17\0\x41";

	(void)unused;
	for (size_t i = 0; i < sizeof(forms); i++) {
		const struct change change = {51, shares, sizeof(shares)};
		struct rd hello;
		size_t len;

		/* the last is uncompressed, but (1, 1) is not on the curve */
		memset(shares + 6, 0, 65);
		shares[6] = (char)forms[i];
		shares[6 + 32] = 1;
		shares[6 + 64] = 1;
		assert_true(pair_begin_default(&pair));
		hello = take_message(ENGINE_CLIENT);
		len = edit_hello(hello, &change, room, sizeof(room));
		check(ENGINE_SERVER, give_plain(ENGINE_SERVER, 0x0301, room, len, len),
		      ALERT_ILLEGAL_PARAMETER, "a point");
		pair_end(&pair);
	}
}

/* ---- the protected flight ---- */

static struct engine_cipher *cipher;
static struct engine_keys keys;
static const struct suite *suite;

/* Both are behind ServerHello; we hold the keys that `to` expects. */
static void begin_protected(enum engine_role to, bool client_auth)
{
	struct engine_config *server = pair_config(ENGINE_SERVER);
	const struct engine_hs *hs;
	struct rd hello;

	if (client_auth) {
		engine_config_set_client_auth(server, ENGINE_CLIENT_AUTH_REQUEST);
		assert_true(pair_add_trust(server));
	}
	assert_true(pair_begin(&pair, pair_config(ENGINE_CLIENT), server));
	hello = take_message(ENGINE_CLIENT);
	assert_int_equal(give_plain(ENGINE_SERVER, 0x0301, hello.p, hello.left, 16384), ENGINE_OK);
	hello = take_message(ENGINE_SERVER);
	assert_int_equal(give_plain(ENGINE_CLIENT, 0x0303, hello.p, hello.left, 16384), ENGINE_OK);
	hs = pair.hs[ENGINE_SERVER];
	suite = hs->suite;
	cipher = engine_cipher_new();
	memset(&keys, 0, sizeof(keys));
	assert_true(keysched13_traffic_keys(suite,
					    to == ENGINE_CLIENT ? hs->ks.server_handshake_traffic_secret.data
								: hs->ks.client_handshake_traffic_secret.data,
					    &keys));
}

static void end_protected(void)
{
	engine_cipher_free(cipher);
	pair_end(&pair);
}

/* Give content in protected records. */
static enum engine_err give_sealed(enum engine_role to, uint8_t type, const void *content, size_t len)
{
	const uint8_t *bytes = content;
	enum engine_err err = ENGINE_OK;

	for (size_t done = 0; done < len && err == ENGINE_OK;) {
		const size_t n = len - done < ENGINE_MAX_PLAINTEXT ? len - done : ENGINE_MAX_PLAINTEXT;
		const struct engine_slice slice = {bytes + done, n};
		size_t record_len;

		assert_true(record13_seal(suite, &keys, cipher, type, &slice, 1, wire, sizeof(wire),
					  &record_len));
		err = pair_give(&pair, to, wire, record_len);
		done += n;
	}
	return err;
}

static void test_lengths_in_the_protected_flight(void **unused)
{
	static const struct {
		const char *name;
		const char *header;
		enum engine_role to;
		bool client_auth;
		uint8_t alert;
	} rows[] = {
		{"EncryptedExtensions", "\x08\x01\x00\x01", ENGINE_CLIENT, false, 0},
		{"EncryptedExtensions", "\x08\x01\x00\x02", ENGINE_CLIENT, false, ALERT_DECODE_ERROR},
		{"Finished, 16 MiB", "\x14\xff\xff\xff", ENGINE_SERVER, false, ALERT_DECODE_ERROR},
		{"Finished, one byte more", "\x14\x00\x00\x31", ENGINE_SERVER, false, ALERT_DECODE_ERROR},
		{"Finished, empty", "\x14\x00\x00\x00", ENGINE_SERVER, false, ALERT_DECODE_ERROR},
		{"Certificate", "\x0b\x01\x90\x00", ENGINE_SERVER, true, 0},
		{"Certificate", "\x0b\x01\x90\x01", ENGINE_SERVER, true, ALERT_ILLEGAL_PARAMETER},
		{"KeyUpdate before Finished", "\x18\x00\x00\x01", ENGINE_SERVER, false,
		 ALERT_UNEXPECTED_MESSAGE},
		{"EndOfEarlyData", "\x05\x00\x00\x00", ENGINE_SERVER, false, ALERT_UNEXPECTED_MESSAGE},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_protected(rows[i].to, rows[i].client_auth);
		check(rows[i].to, give_sealed(rows[i].to, CONTENT_HANDSHAKE, rows[i].header, 4),
		      rows[i].alert, rows[i].name);
		end_protected();
	}
}

/* RFC 8446 4.3.2: a server that trusts many sends a CertificateRequest of many records. */
static void test_4_3_2_large_and_malformed_certificate_requests(void **unused)
{
	static const struct {
		const char *name;
		const char *body;
		size_t len;
		uint8_t alert;
	} rows[] = {
		{"no name", B("\0\0\x0e\0\x2f\0\x02\0\0\0\x0d\0\x04\0\x02\x04\x03"), ALERT_DECODE_ERROR},
		{"filters", B("\0\0\x12\0\x30\0\x06\0\x04\x01x\0\0\0\x0d\0\x04\0\x02\x04\x03"), 0},
		{"no oid", B("\0\0\x11\0\x30\0\x05\0\x03\0\0\0\0\x0d\0\x04\0\x02\x04\x03"),
		 ALERT_DECODE_ERROR},
		{"for certificates", B("\0\0\x0e\0\x32\0\x02\0\0\0\x0d\0\x04\0\x02\x04\x03"),
		 ALERT_DECODE_ERROR},
	};
	static const uint8_t name[100] = {0, 98};
	struct wr out;
	size_t message, extensions, ext, list;

	(void)unused;
	wr_init(&out, room, sizeof(room));
	wr_u8(&out, HS_CERTIFICATE_REQUEST);
	message = wr_open24(&out);
	wr_u8(&out, 0);
	extensions = wr_open16(&out);
	wr_bytes(&out, "\0\x0d\0\x04\0\x02\x04\x03\0\x2f", 10);
	ext = wr_open16(&out);
	list = wr_open16(&out);
	for (int i = 0; i < 600; i++) {
		wr_bytes(&out, name, sizeof(name));
	}
	wr_close16(&out, list);
	wr_close16(&out, ext);
	wr_close16(&out, extensions);
	wr_close24(&out, message);
	assert_false(out.failed);
	begin_protected(ENGINE_CLIENT, false);
	assert_int_equal(give_sealed(ENGINE_CLIENT, CONTENT_HANDSHAKE, "\x08\0\0\x02\0\0", 6), ENGINE_OK);
	assert_int_equal(give_sealed(ENGINE_CLIENT, CONTENT_HANDSHAKE, out.data, out.len), ENGINE_OK);
	assert_int_equal(pair.hs[ENGINE_CLIENT]->state, HS_WAIT_SERVER_CERTIFICATE);
	end_protected();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_protected(ENGINE_CLIENT, false);
		assert_int_equal(give_sealed(ENGINE_CLIENT, CONTENT_HANDSHAKE, "\x08\0\0\x02\0\0", 6),
				 ENGINE_OK);
		wr_init(&out, room, sizeof(room));
		wr_u8(&out, HS_CERTIFICATE_REQUEST);
		wr_u24(&out, (uint32_t)rows[i].len);
		wr_bytes(&out, rows[i].body, rows[i].len);
		check(ENGINE_CLIENT, give_sealed(ENGINE_CLIENT, CONTENT_HANDSHAKE, out.data, out.len),
		      rows[i].alert, rows[i].name);
		end_protected();
	}
}

/* RFC 8446 4.4.4, 4.4.3: every bit of a client's Finished counts. */
static void test_4_4_4_every_byte_of_a_finished(void **unused)
{
	uint8_t message[4 + 48] = {HS_FINISHED, 0, 0, 0};

	(void)unused;
	for (size_t at = 0; at <= 32; at++) {
		struct engine_hs *hs;
		uint8_t hash[CRYPTO_MAX_HASH_LEN];
		size_t len;

		begin_protected(ENGINE_SERVER, false);
		hs = pair.hs[ENGINE_SERVER];
		len = crypto_hash_len(suite->hash);
		message[3] = (uint8_t)len;
		assert_true(hs_transcript_hash(hs, hash));
		assert_true(keysched13_finished(suite, &hs->ks.client_handshake_traffic_secret, hash,
						message + 4));
		if (at < 32) {
			message[4 + at] ^= (uint8_t)(1 << at % 8);
			check(ENGINE_SERVER, give_sealed(ENGINE_SERVER, CONTENT_HANDSHAKE, message, 4 + len),
			      ALERT_DECRYPT_ERROR, "a byte of Finished");
			/* no certificate's fault */
			assert_int_equal(engine_hs_error(hs), ENGINE_ERR_PROTOCOL);
		} else {
			assert_int_equal(give_sealed(ENGINE_SERVER, CONTENT_HANDSHAKE, message, 4 + len),
					 ENGINE_OK);
			assert_true(engine_hs_is_done(hs));
		}
		end_protected();
	}
}

/* RFC 8446 5.2, 5.4: sizes at and above the limits while the handshake runs. */
static void test_5_2_records_too_long_in_the_handshake(void **unused)
{
	static const struct {
		const char *header;
		uint8_t alert;
	} rows[] = {
		{"\x17\x03\x03\x41\x00", 0},
		{"\x17\x03\x03\x41\x01", ALERT_RECORD_OVERFLOW},
		{"\x17\x03\x03\xff\xff", ALERT_RECORD_OVERFLOW},
		{"\x16\x03\x03\x40\x01", ALERT_RECORD_OVERFLOW},
		{"\x17\x03\x04\x00\x20", ALERT_PROTOCOL_VERSION},
		{"\x18\x03\x03\x00\x20", ALERT_UNEXPECTED_MESSAGE},
	};

	(void)unused;
	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			begin_protected((enum engine_role)role, false);
			check((enum engine_role)role,
			      pair_give(&pair, (enum engine_role)role, (const uint8_t *)rows[i].header, 5),
			      rows[i].alert, rows[i].header);
			end_protected();
		}
	}
	/* shorter than a tag: it cannot be authentic */
	begin_protected(ENGINE_SERVER, false);
	check(ENGINE_SERVER, pair_give(&pair, ENGINE_SERVER, (const uint8_t *)"\x17\x03\x03\0\x01x", 6),
	      ALERT_BAD_RECORD_MAC, "one byte");
	end_protected();
}

/* RFC 8446 6.2: no secret outlives a failure, whoever failed and when. */
static void test_nothing_secret_outlives_a_failure(void **unused)
{
	static const struct keysched13 no_secrets;
	static const struct engine_keys no_keys;

	(void)unused;
	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		const struct engine_hs *hs;

		begin_protected((enum engine_role)role, false);
		hs = pair.hs[role];
		assert_memory_not_equal(&hs->ks, &no_secrets, sizeof(no_secrets));
		check((enum engine_role)role,
		      give_sealed((enum engine_role)role, CONTENT_HANDSHAKE, "\x18\0\0\x01\0", 5),
		      ALERT_UNEXPECTED_MESSAGE, "KeyUpdate");
		assert_memory_equal(&hs->ks, &no_secrets, sizeof(no_secrets));
		assert_memory_equal(&hs->recv, &no_keys, sizeof(no_keys));
		assert_memory_equal(&hs->send, &no_keys, sizeof(no_keys));
		assert_memory_equal(&pair.conn[role].recv, &no_keys, sizeof(no_keys));
		assert_memory_equal(&pair.conn[role].send, &no_keys, sizeof(no_keys));
		assert_null(hs->kex);
		assert_null(hs->recv_cipher);
		assert_null(hs->send_cipher);
		assert_null(hs->message.data);
		assert_null(hs->record);
		end_protected();
	}
}

static int setup(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_5_1_the_version_of_plaintext_records_is_ignored),
		cmocka_unit_test(test_5_unknown_record_types),
		cmocka_unit_test(test_5_application_data_before_a_hello),
		cmocka_unit_test(test_d_5_hellos_in_the_form_of_ssl_2),
		cmocka_unit_test(test_4_2_8_thousands_of_shares),
		cmocka_unit_test(test_5_1_hellos_in_records_of_every_size),
		cmocka_unit_test(test_5_1_early_data_within_the_second_hello),
		cmocka_unit_test(test_6_2_lengths_that_cannot_be),
		cmocka_unit_test(test_4_1_2_the_largest_client_hello_is_taken),
		cmocka_unit_test(test_client_hellos),
		cmocka_unit_test(test_4_1_2_second_client_hellos),
		cmocka_unit_test(test_4_1_2_order_in_the_second_client_hello),
		cmocka_unit_test(test_server_hello_fields),
		cmocka_unit_test(test_server_hello_extensions),
		cmocka_unit_test(test_4_2_8_2_points),
		cmocka_unit_test(test_lengths_in_the_protected_flight),
		cmocka_unit_test(test_4_3_2_large_and_malformed_certificate_requests),
		cmocka_unit_test(test_4_4_4_every_byte_of_a_finished),
		cmocka_unit_test(test_5_2_records_too_long_in_the_handshake),
		cmocka_unit_test(test_nothing_secret_outlives_a_failure),
	};

	return cmocka_run_group_tests_name("conformance", tests, setup, NULL);
}
