/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resumption in TLS 1.3 with a peer that does it wrong, in either role: what is refused with which alert, and what
 * leads to a full handshake.  RFC 8446 4.2.9, 4.2.11, 4.6.1
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/alert.h"
#include "engine/handshake.h"
#include "engine/session.h"
#include "tests/lib/pair.h"

#define B(text) text, sizeof(text) - 1

enum { SERVER_NAME = 0, GROUPS = 10, SCHEMES = 13, PSK = 41, EARLY_DATA = 42, MODES = 45, KEY_SHARE = 51 };

static struct pair pair;
static uint8_t wire[65536];

static int begin(void **unused)
{
	(void)unused;
	return pair_init() && pair_set_resumption(true) ? 0 : -1;
}

static int end(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

/* A client that has a session, and its ClientHello: the message, without its record. */
static struct rd begin_with_session(void)
{
	static uint8_t hello[4096];
	const uint8_t *bytes;
	size_t len;

	assert_true(pair_set_resumption(true));
	assert_true(pair_connect(&pair));
	pair_end(&pair);
	assert_true(pair_begin_default(&pair));
	assert_non_null(pair.hs[ENGINE_CLIENT]->session);
	bytes = pair_take(&pair, ENGINE_CLIENT, &len);
	assert_true(len > ENGINE_RECORD_HEADER_LEN && len - ENGINE_RECORD_HEADER_LEN <= sizeof(hello));
	memcpy(hello, bytes + ENGINE_RECORD_HEADER_LEN, len - ENGINE_RECORD_HEADER_LEN);
	return rd_of(hello, len - ENGINE_RECORD_HEADER_LEN);
}

/* ---- ClientHellos ---- */

/* How a ClientHello differs from what the client sent. */
struct change {
	int type; /* an extension to replace, or with body NULL to leave out; -1: none */
	const char *body;
	size_t len;
	unsigned junk_before, junk_behind; /* identities that are no tickets */
	int binder_len;                    /* of the good identity; 0: as it should be */
	int binder_flip;                   /* a byte of it that is wrong, counted from 1; 0: none */
	int more_binders;                  /* than identities */
	bool not_last;                     /* pre_shared_key stands in front of another extension */
	bool no_psk;
};

static void put_extensions(struct rd hello_extensions, const struct change *change, struct wr *out)
{
	bool done = change->type < 0 || change->body == NULL;
	struct rd body;
	uint16_t type;

	while (!rd_end(&hello_extensions)) {
		assert_true(rd_u16(&hello_extensions, &type) && rd_vec16(&hello_extensions, &body, 0, 65535));
		if (type == PSK || (type == change->type && change->body == NULL)) {
			continue;
		}
		if (type == change->type) {
			body = rd_of((const uint8_t *)change->body, change->len);
			done = true;
		}
		wr_u16(out, type);
		wr_u16(out, (uint16_t)body.left);
		wr_bytes(out, body.p, body.left);
	}
	if (!done) {
		wr_u16(out, (uint16_t)change->type);
		wr_u16(out, (uint16_t)change->len);
		wr_bytes(out, change->body, change->len);
	}
}

static void put_identity(struct wr *out, const void *ticket, size_t len)
{
	wr_u16(out, (uint16_t)len);
	wr_bytes(out, ticket, len);
	wr_u32(out, 0x12345678);
}

/* The binder of the client's session. */
static void put_binder(struct wr *out, const struct change *change, struct rd truncated)
{
	const struct session *session = pair.hs[ENGINE_CLIENT]->session;
	const struct suite *suite = suite_find(session->suite);
	struct keysched13 ks = {.stage = KEYSCHED13_NONE};
	uint8_t hash[CRYPTO_MAX_HASH_LEN], binder[64] = {0};
	size_t len = crypto_hash_len(suite->hash);

	assert_true(crypto_digest(suite->hash, truncated.p, truncated.left, hash) &&
		    keysched13_init(&ks, suite, session->secret, session->secret_len) &&
		    keysched13_binder(&ks, hash, binder));
	if (change->binder_flip != 0) {
		binder[change->binder_flip - 1] ^= 0x10;
	}
	if (change->binder_len != 0) {
		len = (size_t)change->binder_len;
	}
	wr_u8(out, (uint8_t)len);
	wr_bytes(out, binder, len);
}

static void put_junk_binders(struct wr *out, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		wr_bytes(out, "\x20junkjunkjunkjunkjunkjunkjunkjunk", 33);
	}
}

/* The list of binders, without its length; those of junk are junk. */
static void put_binders(struct wr *out, const struct change *change, struct rd truncated)
{
	if (change->more_binders < 0) {
		return;
	}
	put_junk_binders(out, change->junk_before);
	put_binder(out, change, truncated);
	put_junk_binders(out, change->junk_behind + (unsigned)change->more_binders);
}

/* Everything in front of the extensions. */
static void copy_front(struct rd *hello, struct wr *out)
{
	struct rd view;

	assert_true(rd_bytes(hello, &view, 4) && rd_bytes(hello, &view, 34));
	wr_bytes(out, view.p, view.left);
	assert_true(rd_vec8(hello, &view, 0, 32));
	wr_u8(out, (uint8_t)view.left);
	wr_bytes(out, view.p, view.left);
	assert_true(rd_vec16(hello, &view, 2, 65534));
	wr_u16(out, (uint16_t)view.left);
	wr_bytes(out, view.p, view.left);
	assert_true(rd_bytes(hello, &view, 2));
	wr_bytes(out, view.p, view.left);
}

static void put_identities(struct wr *out, const struct change *change)
{
	const struct session *session = pair.hs[ENGINE_CLIENT]->session;
	const size_t list = wr_open16(out);

	for (unsigned i = 0; i < change->junk_before; i++) {
		put_identity(out, "junk", 4);
	}
	put_identity(out, session->ticket.p, session->ticket.left);
	for (unsigned i = 0; i < change->junk_behind; i++) {
		put_identity(out, "junk", 4);
	}
	wr_close16(out, list);
}

/* The ClientHello with a change, as a message; binders as they should be unless the change says otherwise. */
static size_t build_hello(struct rd hello, const struct change *change, uint8_t *room, size_t size)
{
	uint8_t binders_room[8192];
	struct wr out, binders = {.failed = false};
	struct rd extensions;
	size_t message, mark, psk = 0, tail;

	wr_init(&out, room, size);
	wr_u8(&out, HS_CLIENT_HELLO);
	message = wr_open24(&out);
	copy_front(&hello, &out);
	assert_true(rd_vec16(&hello, &extensions, 0, 65535) && rd_end(&hello));
	mark = wr_open16(&out);
	put_extensions(extensions, change, &out);
	if (!change->no_psk) {
		wr_u16(&out, PSK);
		psk = wr_open16(&out);
		put_identities(&out, change);
	}
	/* once for the lengths, which count the binders, and once for the hash, which does not see them */
	for (int round = 0; !change->no_psk && round < 2; round++) {
		wr_init(&binders, binders_room, sizeof(binders_room));
		put_binders(&binders, change, rd_of(out.data, out.len));
		wr_u16(&out, (uint16_t)binders.len);
		wr_bytes(&out, binders.data, binders.len);
		wr_close16(&out, psk);
		tail = 2 + binders.len;
		if (change->not_last) {
			wr_bytes(&out, "\x12\x34\0\0", 4);
			tail += 4;
		}
		wr_close16(&out, mark);
		wr_close24(&out, message);
		if (round == 0) {
			wr_unroom(&out, tail);
		}
	}
	wr_close16(&out, mark);
	wr_close24(&out, message);
	assert_false(out.failed || binders.failed);
	return out.len;
}

static enum engine_err give_hello(const uint8_t *message, size_t len)
{
	record_build_header(wire, CONTENT_HANDSHAKE, 0x0301, len);
	memcpy(wire + ENGINE_RECORD_HEADER_LEN, message, len);
	return pair_give(&pair, ENGINE_SERVER, wire, ENGINE_RECORD_HEADER_LEN + len);
}

enum outcome { RESUMED, FULL, REFUSED };

/* The selected_identity of the ServerHello that the server has pending; -1: it has no pre_shared_key. */
static int selected_identity(void)
{
	size_t len;
	const uint8_t *bytes = pair_take(&pair, ENGINE_SERVER, &len);
	struct rd in = rd_of(bytes, len), record, view, extensions, body;
	uint16_t type, value;
	uint8_t u8;
	int found = -1;

	assert_true(rd_bytes(&in, &view, 3) && rd_vec16(&in, &record, 4, 65535));
	assert_true(rd_u8(&record, &u8) && u8 == HS_SERVER_HELLO && rd_bytes(&record, &view, 3 + 34) &&
		    rd_vec8(&record, &view, 0, 32) && rd_bytes(&record, &view, 3) &&
		    rd_vec16(&record, &extensions, 0, 65535));
	while (rd_u16(&extensions, &type) && rd_vec16(&extensions, &body, 0, 65535)) {
		if (type == PSK) {
			assert_true(rd_u16(&body, &value) && rd_end(&body));
			found = value;
		}
	}
	return found;
}

static void try_hello(const char *name, const struct change *change, enum outcome outcome, unsigned detail)
{
	uint8_t message[8192];
	const struct rd hello = begin_with_session();
	const size_t len = build_hello(hello, change, message, sizeof(message));
	const enum engine_err err = give_hello(message, len);
	const struct engine_hs *server = pair.hs[ENGINE_SERVER];

	if (outcome == REFUSED) {
		if (err == ENGINE_OK || engine_hs_alert(server) != detail) {
			fail_msg("%s: got %s (%s), wanted %s", name,
				 engine_alert_name(engine_hs_alert(server)), engine_hs_reason(server),
				 engine_alert_name((uint8_t)detail));
		}
	} else if (err != ENGINE_OK || server->resumed != (outcome == RESUMED)) {
		fail_msg("%s: %s (%s)", name, server->resumed ? "resumed" : "not resumed",
			 engine_hs_reason(server));
	} else {
		assert_int_equal(selected_identity(), outcome == RESUMED ? (int)detail : -1);
	}
	pair_end(&pair);
}

#define TRY(outcome, detail, ...)                                                                            \
	do {                                                                                                 \
		const struct change change = {.type = -1, __VA_ARGS__};                                      \
		try_hello(#__VA_ARGS__, &change, outcome, detail);                                           \
	} while (0)

/* the macro's default is there to be overridden */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif
#define EXT(number, text) .type = (number), .body = (text), .len = sizeof(text) - 1
#define WITHOUT(number)   .type = (number), .body = NULL

/* 4.2.11: the first identity that is of use, and its binder alone. */
static void test_identities(void **unused)
{
	(void)unused;
	TRY(RESUMED, 0, .junk_before = 0);
	TRY(RESUMED, 1, .junk_before = 1);
	TRY(RESUMED, 7, .junk_before = 7);
	TRY(RESUMED, 0, .junk_behind = 1);
	TRY(RESUMED, 2, .junk_before = 2, .junk_behind = 20);
	/* no client has so many */
	TRY(FULL, 0, .junk_before = 100);
	TRY(FULL, 0, .no_psk = true);
}

static void test_binders(void **unused)
{
	(void)unused;
	for (int i = 1; i <= 32; i++) {
		TRY(REFUSED, ALERT_DECRYPT_ERROR, .binder_flip = i);
	}
	TRY(REFUSED, ALERT_DECRYPT_ERROR, .binder_flip = 1, .junk_before = 1);
	TRY(REFUSED, ALERT_DECRYPT_ERROR, .binder_len = 33);
	TRY(REFUSED, ALERT_DECRYPT_ERROR, .binder_len = 48);
	TRY(REFUSED, ALERT_DECODE_ERROR, .binder_len = 31);
	TRY(REFUSED, ALERT_ILLEGAL_PARAMETER, .more_binders = 1);
	TRY(REFUSED, ALERT_DECODE_ERROR, .more_binders = -1);
}

/* A binder that a flipped byte of the ClientHello has made wrong. 4.2.11.2 */
static void test_every_byte_of_the_hello_is_bound(void **unused)
{
	const struct change plain = {.type = -1};
	size_t len = 100;

	(void)unused;
	for (size_t i = 6; i < len; i += 3) {
		uint8_t message[8192];
		const struct rd hello = begin_with_session();

		len = build_hello(hello, &plain, message, sizeof(message)) - 35;
		message[i] ^= 1;
		(void)give_hello(message, len + 35);
		/* refused, or full because the change means that nothing fits any more; never resumed */
		if (pair.hs[ENGINE_SERVER]->resumed) {
			fail_msg("byte %zu of %zu is not bound", i, len);
		}
		pair_end(&pair);
	}
	assert_true(len > 300);
}

/* 4.2.9, 9.2 */
static void test_what_must_come_with_a_pre_shared_key(void **unused)
{
	(void)unused;
	TRY(REFUSED, ALERT_MISSING_EXTENSION, WITHOUT(MODES));
	TRY(REFUSED, ALERT_DECODE_ERROR, EXT(MODES, "\0"));
	TRY(REFUSED, ALERT_DECODE_ERROR, EXT(MODES, "\x02\x01"));
	TRY(FULL, 0, EXT(MODES, "\x01\0"));
	TRY(FULL, 0, EXT(MODES, "\x02\x0b\x2a"));
	TRY(RESUMED, 0, EXT(MODES, "\x02\0\x01"));
	TRY(RESUMED, 0, EXT(MODES, "\x03\x0b\x01\x2a"));
	TRY(REFUSED, ALERT_ILLEGAL_PARAMETER, .not_last = true);
	TRY(REFUSED, ALERT_MISSING_EXTENSION, WITHOUT(KEY_SHARE));
	TRY(REFUSED, ALERT_MISSING_EXTENSION, WITHOUT(GROUPS));
	/* certificates are of no concern */
	TRY(RESUMED, 0, WITHOUT(SCHEMES));
	TRY(RESUMED, 0, EXT(SCHEMES, "\0\x02\xfe\xfe"));
	TRY(REFUSED, ALERT_DECODE_ERROR, EXT(SCHEMES, "\0\x01\x04"));
	/* unless the session is not taken */
	TRY(REFUSED, ALERT_MISSING_EXTENSION, WITHOUT(SCHEMES), .junk_before = 8);
	TRY(REFUSED, ALERT_HANDSHAKE_FAILURE, EXT(SCHEMES, "\0\x02\xfe\xfe"), .junk_before = 8);
}

/* RFC 6066 3, RFC 8446 4.6.1 */
static void test_another_server_name(void **unused)
{
	(void)unused;
	TRY(RESUMED, 0, EXT(SERVER_NAME, "\0\x0c\0\0\x09localhost"));
	TRY(FULL, 0, EXT(SERVER_NAME, "\0\x0c\0\0\x09localhosT"));
	TRY(FULL, 0, EXT(SERVER_NAME, "\0\x08\0\0\x05other"));
	TRY(FULL, 0, WITHOUT(SERVER_NAME));
}

/* ---- early data ---- */

static struct engine_cipher *cipher;
static struct engine_keys keys; /* of the side that is played */

static void take_keys(enum engine_role sender)
{
	const struct engine_hs *server = pair.hs[ENGINE_SERVER];

	cipher = engine_cipher_new();
	memset(&keys, 0, sizeof(keys));
	assert_true(keysched13_traffic_keys(server->suite,
					    sender == ENGINE_SERVER
						    ? server->ks.server_handshake_traffic_secret.data
						    : server->ks.client_handshake_traffic_secret.data,
					    &keys));
}

static enum engine_err give_message(enum engine_role to, uint8_t type, const void *body, size_t body_len)
{
	uint8_t message[2048] = {type, 0, (uint8_t)(body_len >> 8), (uint8_t)body_len};
	const struct engine_slice slice = {message, 4 + body_len};
	size_t len;

	if (body_len != 0) {
		memcpy(message + 4, body, body_len);
	}
	assert_true(record13_seal(pair.hs[ENGINE_SERVER]->suite, &keys, cipher, CONTENT_HANDSHAKE, &slice, 1,
				  wire, sizeof(wire), &len));
	return pair_give(&pair, to, wire, len);
}

/* Early data is skipped behind a session that is resumed as behind one that is not. 4.2.10 */
static void test_early_data_is_skipped(void **unused)
{
	static const struct change with_early_data = {.type = EARLY_DATA, .body = "", .len = 0};
	uint8_t message[8192], early[5 + 200] = {23, 3, 3, 0, 200}, verify_data[CRYPTO_MAX_HASH_LEN];
	const struct rd hello = begin_with_session();
	struct engine_hs *server = pair.hs[ENGINE_SERVER];
	uint8_t hash[CRYPTO_MAX_HASH_LEN];

	(void)unused;
	assert_int_equal(give_hello(message, build_hello(hello, &with_early_data, message, sizeof(message))),
			 ENGINE_OK);
	assert_true(server->resumed);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(pair_give(&pair, ENGINE_SERVER, early, sizeof(early)), ENGINE_OK);
	}
	take_keys(ENGINE_CLIENT);
	assert_true(hs_transcript_hash(server, hash) &&
		    keysched13_finished(server->suite, &server->ks.client_handshake_traffic_secret, hash,
					verify_data));
	assert_int_equal(give_message(ENGINE_SERVER, HS_FINISHED, verify_data, 32), ENGINE_OK);
	assert_true(engine_hs_is_done(server));
	engine_cipher_free(cipher);
	pair_end(&pair);
}

/* ---- servers ---- */

#define SV    "\0\x2b\0\x02\x03\x04"
#define SHARE "\0\x33\0\x24\0\x1d\0\x20\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define KEY   "\0\x29\0\x02\0\0"

static const uint8_t retry_random[32] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

static enum engine_err give_server_hello(bool is_retry, uint16_t suite, const char *extensions, size_t len)
{
	const struct engine_hs *client = pair.hs[ENGINE_CLIENT];
	struct wr out;
	size_t record, message;

	wr_init(&out, wire, sizeof(wire));
	wr_u8(&out, CONTENT_HANDSHAKE);
	wr_u16(&out, 0x0303);
	record = wr_open16(&out);
	wr_u8(&out, HS_SERVER_HELLO);
	message = wr_open24(&out);
	wr_u16(&out, 0x0303);
	wr_bytes(&out, is_retry ? retry_random : (const uint8_t *)"RANDOMRANDOMRANDOMRANDOMRANDOM42", 32);
	wr_u8(&out, (uint8_t)client->session_id_len);
	wr_bytes(&out, client->session_id, client->session_id_len);
	wr_u16(&out, suite);
	wr_u8(&out, 0);
	wr_u16(&out, (uint16_t)len);
	wr_bytes(&out, extensions, len);
	wr_close24(&out, message);
	wr_close16(&out, record);
	assert_false(out.failed);
	return pair_give(&pair, ENGINE_CLIENT, wire, out.len);
}

static void test_answers_of_a_server(void **unused)
{
	static const struct {
		const char *name;
		bool is_retry;
		uint16_t suite;
		const char *extensions;
		size_t len;
		uint8_t alert;
	} rows[] = {
		{"the session", false, 0x1301, B(SV SHARE KEY), 0},
		{"in front", false, 0x1301, B(KEY SV SHARE), 0},
		{"with another suite of its hash", false, 0x1303, B(SV SHARE KEY), 0},
		{"none", false, 0x1301, B(SV SHARE), 0},
		{"another hash, no session", false, 0x1302, B(SV SHARE), 0},
		{"an identity that was not offered", false, 0x1301, B(SV SHARE "\0\x29\0\x02\0\x01"),
		 ALERT_ILLEGAL_PARAMETER},
		{"identity 65535", false, 0x1301, B(SV SHARE "\0\x29\0\x02\xff\xff"),
		 ALERT_ILLEGAL_PARAMETER},
		{"an empty identity", false, 0x1301, B(SV SHARE "\0\x29\0\0"), ALERT_DECODE_ERROR},
		{"an identity of a byte", false, 0x1301, B(SV SHARE "\0\x29\0\x01\0"), ALERT_DECODE_ERROR},
		{"an identity of three bytes", false, 0x1301, B(SV SHARE "\0\x29\0\x03\0\0\0"),
		 ALERT_DECODE_ERROR},
		{"a suite of another hash", false, 0x1302, B(SV SHARE KEY), ALERT_ILLEGAL_PARAMETER},
		{"without a key exchange", false, 0x1301, B(SV KEY), ALERT_ILLEGAL_PARAMETER},
		{"neither session nor key exchange", false, 0x1301, B(SV), ALERT_MISSING_EXTENSION},
		{"in a HelloRetryRequest", true, 0x1301, B(SV "\0\x33\0\x02\0\x17" KEY),
		 ALERT_ILLEGAL_PARAMETER},
		{"twice", false, 0x1301, B(SV SHARE KEY KEY), ALERT_ILLEGAL_PARAMETER},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct engine_hs *client;
		enum engine_err err;

		(void)begin_with_session();
		client = pair.hs[ENGINE_CLIENT];
		err = give_server_hello(rows[i].is_retry, rows[i].suite, rows[i].extensions, rows[i].len);
		if (engine_hs_alert(client) != rows[i].alert || (err == ENGINE_OK) != (rows[i].alert == 0)) {
			fail_msg("%s: got %s (%s), wanted %s", rows[i].name,
				 engine_alert_name(engine_hs_alert(client)), engine_hs_reason(client),
				 engine_alert_name(rows[i].alert));
		}
		pair_end(&pair);
	}
}

/* 4.1.4: the second ClientHello offers only what fits the suite of the HelloRetryRequest. */
static void test_a_retry_with_another_hash_gives_the_session_up(void **unused)
{
	(void)unused;
	(void)begin_with_session();
	assert_int_equal(give_server_hello(true, 0x1302, B(SV "\0\x33\0\x02\0\x17")), ENGINE_OK);
	assert_null(pair.hs[ENGINE_CLIENT]->session);
	assert_int_equal(give_server_hello(false, 0x1302, B(SV SHARE KEY)), ENGINE_ERR_PROTOCOL);
	assert_int_equal(engine_hs_alert(pair.hs[ENGINE_CLIENT]), ALERT_UNSUPPORTED_EXTENSION);
	pair_end(&pair);
	(void)begin_with_session();
	assert_int_equal(give_server_hello(true, 0x1303, B(SV "\0\x33\0\x02\0\x17")), ENGINE_OK);
	assert_non_null(pair.hs[ENGINE_CLIENT]->session);
	pair_end(&pair);
}

/* Without a session there is nothing to resume. */
static void test_an_answer_without_an_offer(void **unused)
{
	(void)unused;
	assert_true(pair_begin_default(&pair));
	assert_null(pair.hs[ENGINE_CLIENT]->session);
	assert_int_equal(give_server_hello(false, 0x1301, B(SV SHARE KEY)), ENGINE_ERR_PROTOCOL);
	assert_int_equal(engine_hs_alert(pair.hs[ENGINE_CLIENT]), ALERT_UNSUPPORTED_EXTENSION);
	pair_end(&pair);
}

/* A resumed handshake has neither CertificateRequest nor Certificate. 2.2, 4.3.2, 4.4.2 */
static void test_messages_of_a_full_handshake(void **unused)
{
	static const struct {
		enum engine_role to;
		uint8_t type;
		const char *body;
		size_t len;
		uint8_t alert;
	} rows[] = {
		{ENGINE_CLIENT, HS_CERTIFICATE_REQUEST, B("\0\0\x08\0\x0d\0\x04\0\x02\x04\x03"),
		 ALERT_UNEXPECTED_MESSAGE},
		{ENGINE_CLIENT, HS_CERTIFICATE, B("\0\0\0\0"), ALERT_UNEXPECTED_MESSAGE},
		{ENGINE_CLIENT, HS_CERTIFICATE_VERIFY, B("\x08\x04\0\0"), ALERT_UNEXPECTED_MESSAGE},
		{ENGINE_CLIENT, HS_NEW_SESSION_TICKET, B("\0\0\0\x09\0\0\0\0\0\0\x01x\0\0"),
		 ALERT_UNEXPECTED_MESSAGE},
		{ENGINE_CLIENT, HS_FINISHED, B("0123456789abcdef0123456789abcdef"), ALERT_DECRYPT_ERROR},
		{ENGINE_SERVER, HS_CERTIFICATE, B("\0\0\0\0"), ALERT_UNEXPECTED_MESSAGE},
		{ENGINE_SERVER, HS_CERTIFICATE_VERIFY, B("\x08\x04\0\0"), ALERT_UNEXPECTED_MESSAGE},
		{ENGINE_SERVER, HS_END_OF_EARLY_DATA, B(""), ALERT_UNEXPECTED_MESSAGE},
		{ENGINE_SERVER, HS_NEW_SESSION_TICKET, B("\0\0\0\x09\0\0\0\0\0\0\x01x\0\0"),
		 ALERT_UNEXPECTED_MESSAGE},
		{ENGINE_SERVER, HS_FINISHED, B("0123456789abcdef0123456789abcdef"), ALERT_DECRYPT_ERROR},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct rd hello = begin_with_session();
		const uint8_t *bytes;
		size_t len, first;

		assert_int_equal(give_hello(hello.p, hello.left), ENGINE_OK);
		bytes = pair_take(&pair, ENGINE_SERVER, &len);
		first = 5 + ((size_t)bytes[3] << 8) + bytes[4];
		assert_int_equal(pair_give(&pair, ENGINE_CLIENT, bytes, first), ENGINE_OK);
		take_keys(rows[i].to == ENGINE_CLIENT ? ENGINE_SERVER : ENGINE_CLIENT);
		if (rows[i].to == ENGINE_CLIENT) {
			assert_int_equal(give_message(ENGINE_CLIENT, HS_ENCRYPTED_EXTENSIONS, "\0\0", 2),
					 ENGINE_OK);
		}
		assert_int_not_equal(give_message(rows[i].to, rows[i].type, rows[i].body, rows[i].len),
				     ENGINE_OK);
		assert_int_equal(engine_hs_alert(pair.hs[rows[i].to]), rows[i].alert);
		engine_cipher_free(cipher);
		pair_end(&pair);
	}
}

/* ---- tickets ---- */

/* Seal a message as the established server; returns what opening it gives. */
static enum engine_err give_ticket(const uint8_t *message, size_t len, size_t piece)
{
	enum engine_err err = ENGINE_OK;

	for (size_t done = 0; done < len && err == ENGINE_OK; done += piece) {
		const size_t n = piece < len - done ? piece : len - done;
		const struct engine_slice slice = {message + done, n};
		struct engine_opened opened;
		size_t record_len;

		assert_true(record13_seal(suite_find(pair.conn[ENGINE_SERVER].suite),
					  &pair.conn[ENGINE_SERVER].send, pair.cipher[ENGINE_SERVER],
					  CONTENT_HANDSHAKE, &slice, 1, wire, sizeof(wire), &record_len));
		err = pair_open(&pair, ENGINE_CLIENT, wire, record_len, &opened);
	}
	return err;
}

static size_t build_ticket(uint8_t *room, size_t size, uint32_t lifetime, size_t nonce_len, size_t ticket_len,
			   const char *extensions, size_t extensions_len)
{
	static const uint8_t filler[70000] = {7};
	struct wr out;
	size_t message;

	wr_init(&out, room, size);
	wr_u8(&out, HS_NEW_SESSION_TICKET);
	message = wr_open24(&out);
	wr_u32(&out, lifetime);
	wr_u32(&out, 0xfffffff0);
	wr_u8(&out, (uint8_t)nonce_len);
	wr_bytes(&out, filler, nonce_len);
	wr_u16(&out, (uint16_t)ticket_len);
	wr_bytes(&out, filler, ticket_len);
	wr_u16(&out, (uint16_t)extensions_len);
	wr_bytes(&out, extensions, extensions_len);
	wr_close24(&out, message);
	assert_false(out.failed);
	return out.len;
}

static void test_tickets_that_are_kept_and_those_that_are_not(void **unused)
{
	static const struct {
		const char *name;
		uint32_t lifetime;
		size_t nonce_len, ticket_len;
		const char *extensions;
		size_t extensions_len;
		size_t piece;
		bool kept;
	} rows[] = {
		{"plain", 7200, 1, 100, B(""), 16384, true},
		{"without a nonce", 7200, 0, 1, B(""), 16384, true},
		{"with a long nonce", 7200, 255, 100, B(""), 16384, true},
		{"with early data and unknown extensions", 1, 1, 100, B("\0\x2a\0\x04\0\0\x40\0\x0a\x0a\0\0"),
		 16384, true},
		{"as long as can be kept", 7200, 1, SESSION_TICKET_MAX, B(""), 16384, true},
		{"for longer than seven days", 0xffffffff, 1, 100, B(""), 16384, true},
		{"to be forgotten at once", 0, 1, 100, B(""), 16384, false},
		{"too long", 7200, 1, SESSION_TICKET_MAX + 1, B(""), 16384, false},
		{"much too long", 7200, 1, 60000, B(""), 16384, false},
		{"split over records", 7200, 1, 100, B(""), 50, false},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t message[65536];
		struct session session;
		size_t len;

		assert_true(pair_set_resumption(true));
		pair_n_ticket_keys = 0;
		assert_true(pair_connect(&pair));
		len = build_ticket(message, sizeof(message), rows[i].lifetime, rows[i].nonce_len,
				   rows[i].ticket_len, rows[i].extensions, rows[i].extensions_len);
		assert_int_equal(give_ticket(message, len, rows[i].piece), ENGINE_OK);
		if (pair_n_sessions() != (rows[i].kept ? 1 : 0)) {
			fail_msg("%s: %zu sessions", rows[i].name, pair_n_sessions());
		}
		if (rows[i].kept) {
			assert_true(
				session_unpack(rd_of(pair_sessions[0].data, pair_sessions[0].len), &session));
			assert_int_equal(session.ticket.left, rows[i].ticket_len);
			assert_int_equal(session.age_add, 0xfffffff0);
			assert_true(session.lifetime <= 7200 && session.lifetime <= rows[i].lifetime);
			assert_int_equal(pair_sessions[0].expires, PAIR_NOW + session.lifetime);
			/* and it can be offered, whatever the age adds up to */
			pair_end(&pair);
			assert_true(pair_begin_default(&pair));
			assert_non_null(pair.hs[ENGINE_CLIENT]->session);
		}
		pair_end(&pair);
	}
}

/* 4.2, 4.2.10, 4.6.1 */
static void test_malformed_tickets(void **unused)
{
	static const struct {
		const char *name;
		const char *extensions;
		size_t len;
		uint8_t alert;
	} rows[] = {
		{"plain", B(""), 0},
		{"early_data twice", B("\0\x2a\0\x04\0\0\0\0\0\x2a\0\x04\0\0\0\0"), ALERT_ILLEGAL_PARAMETER},
		{"what nobody knows twice", B("\x0a\x0a\0\0\x0a\x0a\0\0"), ALERT_ILLEGAL_PARAMETER},
		{"an extension of another message", B("\0\x33\0\0"), ALERT_ILLEGAL_PARAMETER},
		{"early_data of three bytes", B("\0\x2a\0\x03\0\0\0"), ALERT_DECODE_ERROR},
		{"early_data of five bytes", B("\0\x2a\0\x05\0\0\0\0\0"), ALERT_DECODE_ERROR},
		{"an extension cut short", B("\x0a\x0a\0\x01"), ALERT_DECODE_ERROR},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t message[1024];
		enum engine_err err;
		size_t len;

		assert_true(pair_set_resumption(true));
		pair_n_ticket_keys = 0;
		assert_true(pair_connect(&pair));
		len = build_ticket(message, sizeof(message), 7200, 1, 100, rows[i].extensions, rows[i].len);
		err = give_ticket(message, len, 16384);
		if ((err == ENGINE_OK) != (rows[i].alert == 0) ||
		    engine_alert_due(&pair.conn[ENGINE_CLIENT]) != rows[i].alert) {
			fail_msg("%s: %s", rows[i].name, engine_conn_reason(&pair.conn[ENGINE_CLIENT]));
		}
		assert_int_equal(pair_n_sessions(), rows[i].alert == 0);
		pair_end(&pair);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_identities),
		TEST(test_binders),
		TEST(test_every_byte_of_the_hello_is_bound),
		TEST(test_what_must_come_with_a_pre_shared_key),
		TEST(test_another_server_name),
		TEST(test_early_data_is_skipped),
		TEST(test_answers_of_a_server),
		TEST(test_a_retry_with_another_hash_gives_the_session_up),
		TEST(test_an_answer_without_an_offer),
		TEST(test_messages_of_a_full_handshake),
		TEST(test_tickets_that_are_kept_and_those_that_are_not),
		TEST(test_malformed_tickets),
	};

	return cmocka_run_group_tests_name("resumption with wrong peers", tests, NULL, NULL);
}
