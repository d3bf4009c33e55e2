/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The established connection, record by record: RFC 8446 5, 6 and 4.6.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/alert.h"
#include "engine/handshake.h"
#include "engine/record.h"
#include "engine/secret.h"
#include "tests/lib/pair.h"

static struct pair pair;
static uint8_t record[ENGINE_MAX_RECORD + 64];
static uint8_t zeros[ENGINE_MAX_PLAINTEXT + 512];

/* A record of any inner type and content, with padding, as `from` would seal it. */
static size_t seal_raw(enum engine_role from, uint8_t type, const void *content, size_t len, size_t padding)
{
	const struct suite *suite = suite_find(pair.conn[from].suite);
	struct engine_keys *keys = &pair.conn[from].send;
	struct crypto_aead_ctx *aead = crypto_aead_new();
	uint8_t nonce[CRYPTO_AEAD_NONCE_LEN];
	size_t inner = len + 1 + padding;

	if (len != 0) {
		memcpy(record + 5, content, len);
	}
	record[5 + len] = type;
	memset(record + 5 + len + 1, 0, padding);
	record_build_header(record, CONTENT_APPLICATION_DATA, 0x0303, inner + CRYPTO_AEAD_TAG_LEN);
	memcpy(nonce, keys->iv, sizeof(nonce));
	for (size_t i = 0; i < 8; i++) {
		nonce[11 - i] ^= (uint8_t)(keys->seq >> (8 * i));
	}
	assert_true(crypto_aead_set_key(aead, suite->aead, keys->key));
	assert_true(crypto_aead_seal(aead, nonce, record, 5, record + 5, inner, record + 5));
	crypto_aead_free(aead);
	keys->seq++;
	return 5 + inner + CRYPTO_AEAD_TAG_LEN;
}

static struct engine_opened opened;

static enum engine_err open_at(enum engine_role to, size_t len)
{
	return pair_open(&pair, to, record, len, &opened);
}

/* The record breaks the connection with this alert, and for good. */
static void check_refused(enum engine_role to, size_t len, enum engine_err err, uint8_t alert)
{
	assert_int_equal(open_at(to, len), err);
	assert_int_equal(pair.conn[to].recv_err, err);
	assert_int_equal(engine_alert_due(&pair.conn[to]), alert);
	assert_true(strlen(engine_conn_reason(&pair.conn[to])) > 10);
	assert_int_equal(opened.data_len, 0);
	len = pair_seal(&pair, (enum engine_role)(1 - to), "x", 1, record);
	assert_int_equal(open_at(to, len), err);
}

static int connect_pair(void **unused)
{
	(void)unused;
	return pair_init() && pair_connect(&pair) ? 0 : -1;
}

static int end_pair(void **unused)
{
	(void)unused;
	pair_end(&pair);
	return 0;
}

static void test_sizes_from_nothing_to_the_largest(void **unused)
{
	static const size_t sizes[] = {1, 2, 15, 16, 17, 1000, 4096, 16383, 16384};

	(void)unused;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t len = pair_seal(&pair, ENGINE_CLIENT, zeros, sizes[i], record);

		assert_int_equal(len, sizes[i] + 22);
		assert_int_equal(engine_record_len(&pair.conn[ENGINE_SERVER], record), len);
		assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_DATA);
		assert_int_equal(opened.data_len, sizes[i]);
	}
	assert_int_equal(pair_seal(&pair, ENGINE_CLIENT, zeros, 16385, record), 0);
}

static void test_slices_are_gathered(void **unused)
{
	const struct engine_slice slices[] = {
		{(const uint8_t *)"ab", 2}, {NULL, 0}, {(const uint8_t *)"cde", 3}};
	size_t len;
	uint8_t out[64];

	(void)unused;
	assert_int_equal(engine_seal(&pair.conn[0], pair.cipher[0], slices, 3, record, sizeof(record), &len),
			 ENGINE_OK);
	/* into a buffer of the caller's; one that is too small is not used */
	assert_int_equal(engine_open(&pair.conn[1], pair.cipher[1], record, len, out, len - 5, &opened),
			 ENGINE_OK);
	assert_ptr_equal(opened.data, out);
	assert_memory_equal(opened.data, "abcde", 5);
	assert_int_equal(engine_seal(&pair.conn[0], pair.cipher[0], slices, 3, record, sizeof(record), &len),
			 ENGINE_OK);
	assert_int_equal(engine_open(&pair.conn[1], pair.cipher[1], record, len, out, len - 6, &opened),
			 ENGINE_OK);
	assert_ptr_equal(opened.data, record + 5);
	/* room that is short by one byte */
	assert_int_equal(engine_seal(&pair.conn[0], pair.cipher[0], slices, 3, record, 5 + 22 - 1, &len),
			 ENGINE_ERR_INTERNAL);
}

/* One context serves any connection and direction in turn. */
static void test_a_cipher_context_is_only_a_cache(void **unused)
{
	uint8_t other[64];
	struct engine_cipher *cipher = engine_cipher_new();
	const struct engine_slice slice = {(const uint8_t *)"hi", 2};
	size_t len, other_len;

	(void)unused;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(engine_seal(&pair.conn[0], cipher, &slice, 1, record, sizeof(record), &len),
				 ENGINE_OK);
		assert_int_equal(engine_seal(&pair.conn[1], cipher, &slice, 1, other, sizeof(other),
					     &other_len),
				 ENGINE_OK);
		assert_int_equal(engine_open(&pair.conn[1], cipher, record, len, NULL, 0, &opened),
				 ENGINE_OK);
		assert_int_equal(engine_open(&pair.conn[0], cipher, other, other_len, NULL, 0, &opened),
				 ENGINE_OK);
	}
	engine_cipher_wipe(cipher);
	assert_int_equal(engine_seal(&pair.conn[0], cipher, &slice, 1, record, sizeof(record), &len),
			 ENGINE_OK);
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
	engine_cipher_free(cipher);
	engine_cipher_free(NULL);
}

static void test_a_changed_byte_breaks_the_record_and_leaves_nothing(void **unused)
{
	size_t len = pair_seal(&pair, ENGINE_CLIENT, "attack at dawn", 14, record);

	(void)unused;
	record[20] ^= 1;
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_ERR_BAD_RECORD);
	assert_true(secret_is_zero(record + 5, 15));
	assert_int_equal(engine_alert_due(&pair.conn[1]), ALERT_BAD_RECORD_MAC);
	check_refused(ENGINE_SERVER, len, ENGINE_ERR_BAD_RECORD, ALERT_BAD_RECORD_MAC);
}

static void test_a_record_cannot_be_repeated(void **unused)
{
	uint8_t copy[64];
	size_t len = pair_seal(&pair, ENGINE_CLIENT, "once", 4, record);

	(void)unused;
	memcpy(copy, record, len);
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
	memcpy(record, copy, len);
	check_refused(ENGINE_SERVER, len, ENGINE_ERR_BAD_RECORD, ALERT_BAD_RECORD_MAC);
}

static void test_records_of_the_other_direction_are_refused(void **unused)
{
	size_t len = pair_seal(&pair, ENGINE_SERVER, "mirror", 6, record);

	(void)unused;
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_ERR_BAD_RECORD);
}

/* RFC 8446 5.1, 5.2 */
static void test_headers_that_cannot_be(void **unused)
{
	static const struct {
		uint8_t header[5];
		uint8_t alert;
	} rows[] = {
		{{22, 3, 3, 0, 32}, ALERT_UNEXPECTED_MESSAGE}, {{20, 3, 3, 0, 1}, ALERT_UNEXPECTED_MESSAGE},
		{{21, 3, 3, 0, 2}, ALERT_UNEXPECTED_MESSAGE},  {{24, 3, 3, 0, 32}, ALERT_UNEXPECTED_MESSAGE},
		{{23, 3, 1, 0, 32}, ALERT_PROTOCOL_VERSION},   {{23, 2, 0, 0, 32}, ALERT_PROTOCOL_VERSION},
		{{23, 3, 3, 65, 1}, ALERT_RECORD_OVERFLOW},    {{23, 3, 3, 255, 255}, ALERT_RECORD_OVERFLOW},
	};
	const struct engine_conn before = pair.conn[1];

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pair.conn[1] = before;
		memcpy(record, rows[i].header, 5);
		assert_int_equal(engine_record_len(&pair.conn[1], record), 0);
		assert_int_equal(open_at(ENGINE_SERVER, 5), ENGINE_ERR_PROTOCOL);
		assert_int_equal(engine_alert_due(&pair.conn[1]), rows[i].alert);
	}
	pair.conn[1] = before;
	memcpy(record, "\x17\x03\x03\x41\x00", 5);
	assert_int_equal(engine_record_len(&pair.conn[1], record), 5 + 16384 + 256);
}

/* Too short for a tag, or for a content type. */
static void test_records_too_short(void **unused)
{
	const struct engine_conn before = pair.conn[1];

	(void)unused;
	for (uint8_t n = 0; n <= 16; n++) {
		pair.conn[1] = before;
		memset(record, 0, 32);
		record_build_header(record, 23, 0x0303, n);
		assert_int_equal(engine_record_len(&pair.conn[1], record), 5 + n);
		assert_int_equal(open_at(ENGINE_SERVER, 5 + (size_t)n), ENGINE_ERR_BAD_RECORD);
	}
}

/* RFC 8446 5.4 */
static void test_padding(void **unused)
{
	size_t len;

	(void)unused;
	for (size_t padding = 0; padding < 40; padding++) {
		len = seal_raw(ENGINE_CLIENT, CONTENT_APPLICATION_DATA, "data\0\0", 6, padding);
		assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
		assert_int_equal(opened.data_len, 6);
	}
	len = seal_raw(ENGINE_CLIENT, CONTENT_APPLICATION_DATA, "d", 1, ENGINE_MAX_PLAINTEXT - 1);
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
	assert_int_equal(opened.data_len, 1);
	/* one byte more than TLSInnerPlaintext may have */
	len = seal_raw(ENGINE_CLIENT, CONTENT_APPLICATION_DATA, "d", 1, ENGINE_MAX_PLAINTEXT);
	check_refused(ENGINE_SERVER, len, ENGINE_ERR_PROTOCOL, ALERT_RECORD_OVERFLOW);
}

static void test_nothing_but_padding(void **unused)
{
	size_t len = seal_raw(ENGINE_CLIENT, 0, NULL, 0, 20);

	(void)unused;
	check_refused(ENGINE_SERVER, len, ENGINE_ERR_PROTOCOL, ALERT_UNEXPECTED_MESSAGE);
}

static void test_inner_types_that_do_not_belong(void **unused)
{
	static const uint8_t types[] = {1, 20, 24, 25, 255};
	const struct engine_conn before = pair.conn[1];

	(void)unused;
	for (size_t i = 0; i < sizeof(types); i++) {
		size_t len;

		pair.conn[1] = before;
		pair.conn[0].send.seq = before.recv.seq;
		len = seal_raw(ENGINE_CLIENT, types[i], "\x01", 1, 0);
		check_refused(ENGINE_SERVER, len, ENGINE_ERR_PROTOCOL, ALERT_UNEXPECTED_MESSAGE);
	}
}

static void test_empty_records_are_borne_for_a_while(void **unused)
{
	size_t len;

	(void)unused;
	for (int i = 0; i < 32; i++) {
		len = seal_raw(ENGINE_CLIENT, CONTENT_APPLICATION_DATA, NULL, 0, 0);
		assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_NOTHING);
	}
	/* data starts the count anew */
	len = pair_seal(&pair, ENGINE_CLIENT, "x", 1, record);
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
	for (int i = 0; i < 32; i++) {
		len = seal_raw(ENGINE_CLIENT, CONTENT_APPLICATION_DATA, NULL, 0, 0);
		assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
	}
	len = seal_raw(ENGINE_CLIENT, CONTENT_APPLICATION_DATA, NULL, 0, 0);
	check_refused(ENGINE_SERVER, len, ENGINE_ERR_PROTOCOL, ALERT_UNEXPECTED_MESSAGE);
}

/* ---- alerts, RFC 8446 6 ---- */

static void test_close_notify_ends_the_data(void **unused)
{
	size_t len;

	(void)unused;
	assert_int_equal(engine_seal_alert(&pair.conn[0], pair.cipher[0], ENGINE_ALERT_CLOSE_NOTIFY, record,
					   &len),
			 ENGINE_OK);
	assert_int_equal(len, 24);
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
	assert_int_equal(opened.event, ENGINE_EVENT_CLOSED);
	assert_int_equal(engine_alert_due(&pair.conn[1]), 0);
	/* what follows is ignored, whatever it is */
	memset(record, 0x41, 100);
	assert_int_equal(open_at(ENGINE_SERVER, 100), ENGINE_OK);
	assert_int_equal(opened.event, ENGINE_EVENT_CLOSED);
	/* nothing is sealed behind one's own close_notify, a second one is no error */
	assert_int_equal(pair_seal(&pair, ENGINE_CLIENT, "x", 1, record), 0);
	assert_int_equal(engine_seal_alert(&pair.conn[0], pair.cipher[0], ENGINE_ALERT_CLOSE_NOTIFY, record,
					   &len),
			 ENGINE_OK);
	assert_int_equal(len, 0);
	/* the other direction is still open, RFC 8446 6.1 */
	len = pair_seal(&pair, ENGINE_SERVER, "bye", 3, record);
	assert_int_equal(open_at(ENGINE_CLIENT, len), ENGINE_OK);
	assert_memory_equal(opened.data, "bye", 3);
}

static void test_a_fatal_alert_is_named(void **unused)
{
	size_t len;

	(void)unused;
	assert_int_equal(engine_seal_alert(&pair.conn[0], pair.cipher[0], ALERT_ACCESS_DENIED, record, &len),
			 ENGINE_OK);
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_ERR_PEER_ALERT);
	assert_int_equal(pair.conn[1].recv_alert, ALERT_ACCESS_DENIED);
	assert_int_equal(engine_alert_due(&pair.conn[1]), 0);
	assert_non_null(strstr(engine_conn_reason(&pair.conn[1]), "access_denied"));
}

/* RFC 8446 6.2: the level means nothing, unknown alerts are fatal. */
static void test_warnings_are_fatal_too(void **unused)
{
	size_t len = seal_raw(ENGINE_CLIENT, CONTENT_ALERT, "\x01\xc8", 2, 0);

	(void)unused;
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_ERR_PEER_ALERT);
	assert_int_equal(pair.conn[1].recv_alert, 0xc8);
}

static void test_user_canceled_is_ignored_a_few_times(void **unused)
{
	(void)unused;
	for (int i = 0; i < 4; i++) {
		size_t len = seal_raw(ENGINE_CLIENT, CONTENT_ALERT, "\x01\x5a", 2, 0);

		assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_NOTHING);
	}
	check_refused(ENGINE_SERVER, seal_raw(ENGINE_CLIENT, CONTENT_ALERT, "\x01\x5a", 2, 0),
		      ENGINE_ERR_PROTOCOL, ALERT_UNEXPECTED_MESSAGE);
}

static void test_alerts_of_wrong_length(void **unused)
{
	static const size_t lens[] = {0, 1, 3, 4};
	const struct engine_conn before = pair.conn[1];

	(void)unused;
	for (size_t i = 0; i < 4; i++) {
		pair.conn[1] = before;
		pair.conn[0].send.seq = before.recv.seq;
		assert_int_equal(open_at(ENGINE_SERVER, seal_raw(ENGINE_CLIENT, CONTENT_ALERT,
								 "\x02\x28\x02\x28", lens[i], 0)),
				 ENGINE_ERR_PROTOCOL);
		assert_int_equal(engine_alert_due(&pair.conn[1]),
				 lens[i] == 0 ? ALERT_UNEXPECTED_MESSAGE : ALERT_DECODE_ERROR);
	}
}

/* ---- messages behind the handshake, RFC 8446 4.6 ---- */

/* A NewSessionTicket with a ticket of n bytes. */
static size_t build_ticket(uint8_t *out, size_t n)
{
	struct wr w;
	size_t body, ticket;

	wr_init(&w, out, n + 64);
	wr_u8(&w, HS_NEW_SESSION_TICKET);
	body = wr_open24(&w);
	wr_u32(&w, 7200);
	wr_u32(&w, 1);
	wr_u8(&w, 1);
	wr_u8(&w, 0);
	ticket = wr_open16(&w);
	memset(wr_room(&w, n), 0x74, n);
	wr_close16(&w, ticket);
	wr_u16(&w, 0);
	wr_close24(&w, body);
	return w.len;
}

static void test_tickets_are_skipped_whole_and_in_pieces(void **unused)
{
	static const size_t pieces[] = {1, 2, 3, 4, 5, 7, 100, 1000};
	static uint8_t message[2000];
	const size_t message_len = build_ticket(message, 300);

	(void)unused;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		for (size_t done = 0; done < message_len; done += pieces[i]) {
			const size_t n = pieces[i] < message_len - done ? pieces[i] : message_len - done;

			assert_int_equal(open_at(ENGINE_CLIENT, seal_raw(ENGINE_SERVER, CONTENT_HANDSHAKE,
									 message + done, n, 0)),
					 ENGINE_OK);
			assert_int_equal(opened.event, ENGINE_EVENT_NOTHING);
		}
		assert_int_equal(pair.conn[0].hs_head_len, 0);
		assert_int_equal(open_at(ENGINE_CLIENT, pair_seal(&pair, ENGINE_SERVER, "x", 1, record)),
				 ENGINE_OK);
	}
	/* three in one record */
	memcpy(message + message_len, message, message_len);
	memcpy(message + 2 * message_len, message, message_len);
	assert_int_equal(open_at(ENGINE_CLIENT,
				 seal_raw(ENGINE_SERVER, CONTENT_HANDSHAKE, message, 3 * message_len, 3)),
			 ENGINE_OK);
	assert_int_equal(pair.conn[0].hs_head_len, 0);
}

/* The server's message in records of `piece` bytes each, as far as the client takes it. */
static enum engine_err open_in_pieces(const uint8_t *message, size_t len, size_t piece)
{
	enum engine_err err = ENGINE_OK;

	for (size_t done = 0; done < len && err == ENGINE_OK; done += piece) {
		const size_t n = piece < len - done ? piece : len - done;

		err = open_at(ENGINE_CLIENT,
			      seal_raw(ENGINE_SERVER, CONTENT_HANDSHAKE, message + done, n, 0));
	}
	return err;
}

/* RFC 8446 4.6.1: lengths that do not fit each other, in records of every size. */
static void test_malformed_tickets(void **unused)
{
#define T(text) text, sizeof(text) - 1
	static const struct {
		const char *name;
		const char *body;
		size_t len;
		bool ok;
	} rows[] = {
		{"plain", T("\0\0\x0e\x10\0\0\0\1\1n\0\2tt\0\0"), true},
		{"no nonce", T("\0\0\x0e\x10\0\0\0\1\0\0\2tt\0\0"), true},
		{"early_data", T("\0\0\x0e\x10\0\0\0\1\0\0\1t\0\x08\0\x2a\0\4\0\0\1\0"), true},
		{"two extensions", T("\0\0\x0e\x10\0\0\0\1\0\0\1t\0\x09\x4a\x4a\0\0\x5a\x5a\0\1x"), true},
		{"an empty ticket", T("\0\0\x0e\x10\0\0\0\1\1n\0\0\0\0"), false},
		{"a nonce too long", T("\0\0\x0e\x10\0\0\0\1\7n\0\2tt\0\0"), false},
		{"a ticket too long", T("\0\0\x0e\x10\0\0\0\1\1n\0\5tt\0\0"), false},
		{"a ticket too short", T("\0\0\x0e\x10\0\0\0\1\1n\0\1tt\0\0"), false},
		{"no extensions field", T("\0\0\x0e\x10\0\0\0\1\1n\0\4tttt"), false},
		{"half an extensions field", T("\0\0\x0e\x10\0\0\0\1\1n\0\3ttt\0"), false},
		{"bytes behind", T("\0\0\x0e\x10\0\0\0\1\1n\0\2tt\0\0x"), false},
		{"extensions too long", T("\0\0\x0e\x10\0\0\0\1\1n\0\1t\0\5\x4a\x4a\0\0"), false},
		{"extensions too short", T("\0\0\x0e\x10\0\0\0\1\1n\0\1t\0\3\x4a\x4a\0\0"), false},
		{"an extension too long", T("\0\0\x0e\x10\0\0\0\1\1n\0\1t\0\4\x4a\x4a\0\1"), false},
		{"half an extension", T("\0\0\x0e\x10\0\0\0\1\1n\0\1t\0\3\x4a\x4a\0"), false},
	};
#undef T
	const struct engine_conn before = pair.conn[0];

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t message[64] = {HS_NEW_SESSION_TICKET, 0, 0, (uint8_t)rows[i].len};
		const size_t len = 4 + rows[i].len;

		memcpy(message + 4, rows[i].body, rows[i].len);
		for (size_t piece = 1; piece <= len; piece++) {
			enum engine_err err;

			pair.conn[0] = before;
			pair.conn[1].send.seq = before.recv.seq;
			err = open_in_pieces(message, len, piece);
			if ((err == ENGINE_OK) != rows[i].ok) {
				fail_msg("%s, %zu bytes a record: %d", rows[i].name, piece, (int)err);
			}
			assert_int_equal(engine_alert_due(&pair.conn[0]),
					 rows[i].ok ? 0 : ALERT_DECODE_ERROR);
		}
	}
}

/*
 * RFC 8446 4.2: extensions that are there twice, or are known to belong elsewhere; unknown ones do no harm. In
 * records of every size; but what is there twice is noticed in a whole message alone.
 */
static void test_extensions_of_tickets(void **unused)
{
#define T(text) text, sizeof(text) - 1
	static const struct {
		const char *name;
		const char *extensions;
		size_t len;
		uint8_t alert;
		bool is_repeated;
	} rows[] = {
		{"early_data", T("\0\x2a\0\4\0\0\1\0"), 0, false},
		{"early_data, then another", T("\0\x2a\0\4\0\0\1\0\x4a\x4a\0\1x"), 0, false},
		{"early_data twice", T("\0\x2a\0\4\0\0\1\0\0\x2a\0\4\0\0\1\0"), ALERT_ILLEGAL_PARAMETER,
		 true},
		{"empty early_data", T("\0\x2a\0\0"), ALERT_DECODE_ERROR, false},
		{"long early_data", T("\0\x2a\0\5\0\0\1\0\0"), ALERT_DECODE_ERROR, false},
		{"an unknown one twice", T("\x4a\x4a\0\0\x5a\x5a\0\0\x4a\x4a\0\0"), ALERT_ILLEGAL_PARAMETER,
		 true},
		{"key_share", T("\0\x33\0\0"), ALERT_ILLEGAL_PARAMETER, false},
		{"server_name", T("\0\0\0\0"), ALERT_ILLEGAL_PARAMETER, false},
		{"supported_versions behind others", T("\x4a\x4a\0\0\0\x2b\0\2\3\4"), ALERT_ILLEGAL_PARAMETER,
		 false},
	};
#undef T
	const struct engine_conn before = pair.conn[0];

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t message[64] = {
			HS_NEW_SESSION_TICKET, 0, 0, (uint8_t)(14 + rows[i].len), 0, 0, 0x0e, 0x10};
		const size_t len = 18 + rows[i].len;

		message[14] = 1; /* the ticket's length */
		message[17] = (uint8_t)rows[i].len;
		memcpy(message + 18, rows[i].extensions, rows[i].len);
		for (size_t piece = rows[i].is_repeated ? len : 1; piece <= len; piece++) {
			enum engine_err err;

			pair.conn[0] = before;
			pair.conn[1].send.seq = before.recv.seq;
			err = open_in_pieces(message, len, piece);
			if ((err == ENGINE_OK) != (rows[i].alert == 0) ||
			    engine_alert_due(&pair.conn[0]) != rows[i].alert) {
				fail_msg("%s, %zu bytes a record: alert %u", rows[i].name, piece,
					 engine_alert_due(&pair.conn[0]));
			}
		}
	}
}

static void test_a_ticket_for_a_server(void **unused)
{
	uint8_t message[128];
	const size_t len = build_ticket(message, 20);

	(void)unused;
	check_refused(ENGINE_SERVER, seal_raw(ENGINE_CLIENT, CONTENT_HANDSHAKE, message, len, 0),
		      ENGINE_ERR_PROTOCOL, ALERT_UNEXPECTED_MESSAGE);
}

static void test_data_between_the_pieces_of_a_message(void **unused)
{
	uint8_t message[128];

	(void)unused;
	(void)build_ticket(message, 20);
	assert_int_equal(open_at(ENGINE_CLIENT, seal_raw(ENGINE_SERVER, CONTENT_HANDSHAKE, message, 3, 0)),
			 ENGINE_OK);
	check_refused(ENGINE_CLIENT, pair_seal(&pair, ENGINE_SERVER, "x", 1, record), ENGINE_ERR_PROTOCOL,
		      ALERT_UNEXPECTED_MESSAGE);
}

static void test_messages_that_do_not_belong(void **unused)
{
	static const uint8_t types[] = {0, 1, 2, 5, 8, 11, 13, 15, 20, 67, 254, 255};
	const struct engine_conn before = pair.conn[0];

	(void)unused;
	for (size_t i = 0; i < sizeof(types); i++) {
		const uint8_t message[5] = {types[i], 0, 0, 1, 0};

		pair.conn[0] = before;
		pair.conn[1].send.seq = before.recv.seq;
		check_refused(ENGINE_CLIENT, seal_raw(ENGINE_SERVER, CONTENT_HANDSHAKE, message, 5, 0),
			      ENGINE_ERR_PROTOCOL, ALERT_UNEXPECTED_MESSAGE);
	}
	pair.conn[0] = before;
	pair.conn[1].send.seq = before.recv.seq;
	check_refused(ENGINE_CLIENT, seal_raw(ENGINE_SERVER, CONTENT_HANDSHAKE, NULL, 0, 0),
		      ENGINE_ERR_PROTOCOL, ALERT_UNEXPECTED_MESSAGE);
}

/* ---- KeyUpdate, RFC 8446 4.6.3 ---- */

static void test_key_updates_in_both_directions(void **unused)
{
	uint8_t control[ENGINE_CONTROL_MAX];
	uint8_t old_key[32];
	size_t len;

	(void)unused;
	for (int i = 0; i < 3; i++) {
		memcpy(old_key, pair.conn[1].recv.key, sizeof(old_key));
		pair.conn[0].control_due = 1;
		assert_true(engine_control_due(&pair.conn[0]));
		assert_int_equal(engine_control(&pair.conn[0], pair.cipher[0], record, &len), ENGINE_OK);
		assert_false(engine_control_due(&pair.conn[0]));
		assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_NOTHING);
		assert_memory_not_equal(pair.conn[1].recv.key, old_key, sizeof(old_key));
		assert_int_equal(pair.conn[1].recv.seq, 0);
		len = pair_seal(&pair, ENGINE_CLIENT, "new", 3, record);
		assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
		assert_memory_equal(opened.data, "new", 3);
		/* the other direction keeps its key */
		len = pair_seal(&pair, ENGINE_SERVER, "old", 3, record);
		assert_int_equal(open_at(ENGINE_CLIENT, len), ENGINE_OK);
		assert_false(engine_control_due(&pair.conn[1]));
	}
	assert_int_equal(engine_control(&pair.conn[0], pair.cipher[0], control, &len), ENGINE_OK);
	assert_int_equal(len, 0);
}

/* The peer's side of a KeyUpdate, with any request byte. */
static enum engine_err receive_key_update(const void *message, size_t len)
{
	const struct suite *suite = suite_find(pair.conn[0].suite);
	enum engine_err err =
		open_at(ENGINE_SERVER, seal_raw(ENGINE_CLIENT, CONTENT_HANDSHAKE, message, len, 0));

	assert_true(keysched13_update_keys(suite, &pair.conn[0].send));
	return err;
}

static void test_a_key_update_that_asks_for_one_is_answered(void **unused)
{
	size_t len;

	(void)unused;
	assert_int_equal(receive_key_update("\x18\0\0\1\1", 5), ENGINE_OK);
	assert_true(engine_control_due(&pair.conn[1]));
	/* asked twice before it could answer: once is enough */
	assert_int_equal(receive_key_update("\x18\0\0\1\1", 5), ENGINE_OK);
	assert_int_equal(engine_control(&pair.conn[1], pair.cipher[1], record, &len), ENGINE_OK);
	assert_int_equal(open_at(ENGINE_CLIENT, len), ENGINE_OK);
	assert_false(engine_control_due(&pair.conn[1]));
	assert_false(engine_control_due(&pair.conn[0]));
	len = pair_seal(&pair, ENGINE_SERVER, "fresh", 5, record);
	assert_int_equal(open_at(ENGINE_CLIENT, len), ENGINE_OK);
}

static void test_key_updates_that_are_wrong(void **unused)
{
	static const struct {
		const char *message;
		size_t len;
		uint8_t alert;
	} rows[] = {
		{"\x18\0\0\1\2", 5, ALERT_ILLEGAL_PARAMETER},
		{"\x18\0\0\1\xff", 5, ALERT_ILLEGAL_PARAMETER},
		{"\x18\0\0\0", 4, ALERT_DECODE_ERROR},
		{"\x18\0\0\2\0\0", 6, ALERT_DECODE_ERROR},
		/* something behind it in the same record, RFC 8446 5.1 */
		{"\x18\0\0\1\0\x18\0\0\1\0", 10, ALERT_UNEXPECTED_MESSAGE},
		{"\x18\0\0\1\0\x18", 6, ALERT_UNEXPECTED_MESSAGE},
	};
	const struct engine_conn before[2] = {pair.conn[0], pair.conn[1]};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memcpy(pair.conn, before, sizeof(before));
		assert_int_equal(receive_key_update(rows[i].message, rows[i].len), ENGINE_ERR_PROTOCOL);
		assert_int_equal(engine_alert_due(&pair.conn[1]), rows[i].alert);
	}
}

static void test_a_flood_of_key_updates(void **unused)
{
	(void)unused;
	for (int i = 0; i < 32; i++) {
		assert_int_equal(receive_key_update("\x18\0\0\1\0", 5), ENGINE_OK);
	}
	assert_int_equal(receive_key_update("\x18\0\0\1\0", 5), ENGINE_ERR_PROTOCOL);
	assert_int_equal(engine_alert_due(&pair.conn[1]), ALERT_UNEXPECTED_MESSAGE);
}

/* RFC 8446 5.5 */
static void test_a_used_up_key_is_changed_or_stops(void **unused)
{
	size_t len;

	(void)unused;
	assert_int_equal(pair.conn[0].suite, 0x1301);
	pair.conn[0].send.seq = (1 << 24) - 1;
	assert_false(engine_control_due(&pair.conn[0]));
	pair.conn[0].send.seq++;
	assert_true(engine_control_due(&pair.conn[0]));
	pair.conn[1].recv.seq = pair.conn[0].send.seq;
	assert_int_equal(engine_control(&pair.conn[0], pair.cipher[0], record, &len), ENGINE_OK);
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
	assert_int_equal(pair.conn[0].send.seq, 0);
	/* a caller that never asks engine_control_due() */
	pair.conn[0].send.seq = pair.conn[1].recv.seq = 23726566;
	assert_int_equal(pair_seal(&pair, ENGINE_CLIENT, "x", 1, record), 0);
	/* it is not too late */
	assert_int_equal(engine_control(&pair.conn[0], pair.cipher[0], record, &len), ENGINE_OK);
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
	len = pair_seal(&pair, ENGINE_CLIENT, "x", 1, record);
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
}

static void test_records_can_be_taken_back(void **unused)
{
	const struct engine_send_mark mark = engine_send_mark(&pair.conn[0]);
	struct engine_send_mark ahead = mark;
	size_t len;

	(void)unused;
	(void)pair_seal(&pair, ENGINE_CLIENT, "one", 3, record);
	(void)pair_seal(&pair, ENGINE_CLIENT, "two", 3, record);
	assert_int_equal(engine_send_mark(&pair.conn[0]).seq, mark.seq + 2);
	engine_send_rewind(&pair.conn[0], &mark);
	len = pair_seal(&pair, ENGINE_CLIENT, "three", 5, record);
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_OK);
	assert_memory_equal(opened.data, "three", 5);
	/* never forward */
	ahead.seq += 100;
	engine_send_rewind(&pair.conn[0], &ahead);
	assert_int_equal(engine_send_mark(&pair.conn[0]).seq, mark.seq + 1);
}

static void test_a_wiped_connection_opens_and_seals_nothing(void **unused)
{
	size_t len = pair_seal(&pair, ENGINE_CLIENT, "x", 1, record);

	(void)unused;
	engine_conn_wipe(&pair.conn[1]);
	assert_true(secret_is_zero(&pair.conn[1].recv, sizeof(pair.conn[1].recv)));
	assert_int_equal(open_at(ENGINE_SERVER, len), ENGINE_ERR_INTERNAL);
	assert_int_equal(pair_seal(&pair, ENGINE_SERVER, "x", 1, record), 0);
	assert_int_equal(pair.conn[1].version, ENGINE_TLS13);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, connect_pair, end_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sizes_from_nothing_to_the_largest),
		TEST(test_slices_are_gathered),
		TEST(test_a_cipher_context_is_only_a_cache),
		TEST(test_a_changed_byte_breaks_the_record_and_leaves_nothing),
		TEST(test_a_record_cannot_be_repeated),
		TEST(test_records_of_the_other_direction_are_refused),
		TEST(test_headers_that_cannot_be),
		TEST(test_records_too_short),
		TEST(test_padding),
		TEST(test_nothing_but_padding),
		TEST(test_inner_types_that_do_not_belong),
		TEST(test_empty_records_are_borne_for_a_while),
		TEST(test_close_notify_ends_the_data),
		TEST(test_a_fatal_alert_is_named),
		TEST(test_warnings_are_fatal_too),
		TEST(test_user_canceled_is_ignored_a_few_times),
		TEST(test_alerts_of_wrong_length),
		TEST(test_tickets_are_skipped_whole_and_in_pieces),
		TEST(test_malformed_tickets),
		TEST(test_extensions_of_tickets),
		TEST(test_a_ticket_for_a_server),
		TEST(test_data_between_the_pieces_of_a_message),
		TEST(test_messages_that_do_not_belong),
		TEST(test_key_updates_in_both_directions),
		TEST(test_a_key_update_that_asks_for_one_is_answered),
		TEST(test_key_updates_that_are_wrong),
		TEST(test_a_flood_of_key_updates),
		TEST(test_a_used_up_key_is_changed_or_stops),
		TEST(test_records_can_be_taken_back),
		TEST(test_a_wiped_connection_opens_and_seals_nothing),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
