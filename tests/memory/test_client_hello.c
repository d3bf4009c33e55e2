/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ClientHellos that a server must refuse, and with which alert; and odd ones that it must take. RFC 8446
 * 4.1.2, 4.2, 9.2
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/alert.h"
#include "engine/handshake.h"
#include "tests/lib/pair.h"

/* An extension of the hello under test; body NULL: left out. */
struct ext {
	uint16_t type;
	const char *body;
	size_t len;
};

#define E(type, text)                                                                                        \
	{                                                                                                    \
		type, text, sizeof(text) - 1                                                                 \
	}

/* A client's x25519 key pair, made once, so that its share is a real one. */
static uint8_t share[CRYPTO_MAX_SHARE_LEN];
static char key_share_x25519[2 + 4 + 32];

static struct ext defaults[] = {
	E(43, "\x02\x03\x04"),                            /* supported_versions */
	E(13, "\0\x06\x04\x03\x08\x04\x08\x07"),          /* signature_algorithms */
	E(10, "\0\x04\0\x1d\0\x17"),                      /* supported_groups */
	{51, key_share_x25519, sizeof(key_share_x25519)}, /* key_share */
};
#define N_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

struct hello {
	uint16_t legacy_version;
	size_t session_id_len;
	const char *suites;
	size_t suites_len;
	const char *compression;
	size_t compression_len;
	/* replaced or added extensions; body NULL takes one of the defaults out */
	struct ext changes[4];
	bool no_extensions;
	const char *tail; /* bytes behind the message's end, within it */
	size_t tail_len;
};

#define BASE                                                                                                 \
	.legacy_version = 0x0303, .suites = "\x13\x01\x13\x02\x13\x03", .suites_len = 6,                     \
	.compression = "\0", .compression_len = 1

static void put_ext(struct wr *out, const struct ext *ext)
{
	wr_u16(out, ext->type);
	wr_u16(out, (uint16_t)ext->len);
	wr_bytes(out, ext->body, ext->len);
}

static size_t build(const struct hello *hello, uint8_t *room, size_t size)
{
	bool used[4] = {false};
	struct wr out;
	size_t record, message, mark;

	wr_init(&out, room, size);
	wr_u8(&out, 22);
	wr_u16(&out, 0x0301);
	record = wr_open16(&out);
	wr_u8(&out, HS_CLIENT_HELLO);
	message = wr_open24(&out);
	wr_u16(&out, hello->legacy_version);
	for (uint8_t i = 0; i < 32; i++) {
		wr_u8(&out, i);
	}
	wr_u8(&out, (uint8_t)hello->session_id_len);
	for (size_t i = 0; i < hello->session_id_len; i++) {
		wr_u8(&out, 0x5a);
	}
	wr_u16(&out, (uint16_t)hello->suites_len);
	wr_bytes(&out, hello->suites, hello->suites_len);
	wr_u8(&out, (uint8_t)hello->compression_len);
	wr_bytes(&out, hello->compression, hello->compression_len);
	if (!hello->no_extensions) {
		mark = wr_open16(&out);
		for (size_t i = 0; i < N_DEFAULTS; i++) {
			const struct ext *ext = &defaults[i];

			for (size_t j = 0; j < 4; j++) {
				if (hello->changes[j].type == ext->type && !used[j]) {
					ext = &hello->changes[j];
					used[j] = true;
					break;
				}
			}
			if (ext->body != NULL) {
				put_ext(&out, ext);
			}
		}
		for (size_t j = 0; j < 4; j++) {
			if (!used[j] && hello->changes[j].body != NULL) {
				put_ext(&out, &hello->changes[j]);
			}
		}
		wr_close16(&out, mark);
	}
	wr_bytes(&out, hello->tail, hello->tail_len);
	wr_close24(&out, message);
	wr_close16(&out, record);
	assert_false(out.failed);
	return out.len;
}

static struct engine_config *config;
static struct engine_conn conn;

static struct engine_hs *new_server(void)
{
	const struct engine_hs_params params = {.config = config};
	char why[ENGINE_REASON_MAX];
	struct engine_hs *hs;

	memset(&conn, 0, sizeof(conn));
	conn.id = 1;
	hs = engine_hs_new(&params, &conn, why);
	assert_non_null(hs);
	return hs;
}

/* Feed the hello; returns the alert, 0 if it was taken. The alert is on the wire, in clear. */
static uint8_t try_hello(const struct hello *hello, char reason[static ENGINE_REASON_MAX])
{
	static uint8_t wire[16384];
	const size_t len = build(hello, wire, sizeof(wire));
	struct engine_hs *hs = new_server();
	enum engine_err err;
	const uint8_t *out;
	size_t used, out_len;
	uint8_t alert;

	err = engine_hs_recv(hs, wire, len, &used);
	alert = engine_hs_alert(hs);
	memcpy(reason, engine_hs_reason(hs), ENGINE_REASON_MAX);
	out = engine_hs_pending(hs, &out_len);
	if (err != ENGINE_OK) {
		assert_int_equal(out_len, 7);
		assert_memory_equal(out, "\x15\x03\x03\x00\x02\x02", 6);
		assert_int_equal(out[6], alert);
		assert_int_not_equal(alert, 0);
	} else {
		assert_true(out_len > 60);
		assert_int_equal(out[0], 22);
	}
	engine_hs_free(hs);
	return alert;
}

static void check(const struct hello *hello, uint8_t alert, const char *what)
{
	char reason[ENGINE_REASON_MAX];
	const uint8_t got = try_hello(hello, reason);

	if (got != alert) {
		fail_msg("%s: got %s (%s), wanted %s", what, engine_alert_name(got), reason,
			 engine_alert_name(alert));
	}
}

#define REFUSE(alert, ...)                                                                                   \
	do {                                                                                                 \
		const struct hello hello = {BASE, __VA_ARGS__};                                              \
		check(&hello, alert, #__VA_ARGS__);                                                          \
	} while (0)
#define TAKE(...)   REFUSE(0, __VA_ARGS__)
#define CHANGE(...) .changes = {__VA_ARGS__}

/* BASE is there to be overridden */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

static void test_plain_hellos_are_taken(void **unused)
{
	(void)unused;
	TAKE(.session_id_len = 0);
	TAKE(.session_id_len = 32);
	TAKE(.session_id_len = 7);
	/* a version that does not exist yet: only supported_versions counts, 4.2.1 */
	TAKE(.legacy_version = 0x0304);
	TAKE(.legacy_version = 0x03ff);
	TAKE(.legacy_version = 0x0301);
}

/* RFC 8701: unknown values everywhere are ignored. */
static void test_grease_is_ignored(void **unused)
{
	(void)unused;
	TAKE(.suites = "\x0a\x0a\xc0\x2f\x13\x02", .suites_len = 6);
	TAKE(CHANGE(E(0x1a1a, ""), E(0xfafa, "\0"), E(43, "\x06\x2a\x2a\x03\x04\x03\x03")));
	TAKE(CHANGE(E(10, "\0\x06\x3a\x3a\0\x17\0\x1d")));
	TAKE(CHANGE(E(13, "\0\x04\x4a\x4a\x04\x03")));
	TAKE(CHANGE(E(16, "\0\x0c\x02\xda\xda\x08http/1.1")));
	TAKE(CHANGE(E(45, "\x02\x01\x8b")));
}

static void test_versions(void **unused)
{
	char reason[ENGINE_REASON_MAX];
	const struct hello old = {BASE, CHANGE({43, NULL, 0})};

	(void)unused;
	assert_int_equal(try_hello(&old, reason), ALERT_PROTOCOL_VERSION);
	assert_string_equal(reason, "the peer offers at most TLS 1.2, the policy wants TLS 1.3");
	REFUSE(ALERT_PROTOCOL_VERSION, .no_extensions = true);
	REFUSE(ALERT_PROTOCOL_VERSION, .no_extensions = true, .legacy_version = 0x0301);
	REFUSE(ALERT_PROTOCOL_VERSION, CHANGE(E(43, "\x02\x03\x03")));
	REFUSE(ALERT_PROTOCOL_VERSION, CHANGE(E(43, "\x04\x7f\x1c\x03\x05")));
	REFUSE(ALERT_PROTOCOL_VERSION, .legacy_version = 0x0300);
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(43, "\x03\x03\x04\x03")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(43, "\x00")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(43, "")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(43, "\x02\x03\x04\x00")));
}

static void test_fields_in_front_of_the_extensions(void **unused)
{
	(void)unused;
	REFUSE(ALERT_DECODE_ERROR, .session_id_len = 33);
	REFUSE(ALERT_DECODE_ERROR, .suites = "\x13\x01\x13", .suites_len = 3);
	REFUSE(ALERT_DECODE_ERROR, .suites_len = 0);
	REFUSE(ALERT_HANDSHAKE_FAILURE, .suites = "\x13\x04\xc0\x2b", .suites_len = 4);
	REFUSE(ALERT_DECODE_ERROR, .compression_len = 0);
	REFUSE(ALERT_ILLEGAL_PARAMETER, .compression = "\x01", .compression_len = 1);
	REFUSE(ALERT_ILLEGAL_PARAMETER, .compression = "\x01\x00", .compression_len = 2);
	REFUSE(ALERT_ILLEGAL_PARAMETER, .compression = "\x00\x00", .compression_len = 2);
	REFUSE(ALERT_DECODE_ERROR, .tail = "\0", .tail_len = 1);
	REFUSE(ALERT_DECODE_ERROR, .no_extensions = true, .tail = "\0\x04\0", .tail_len = 3);
}

static void test_missing_extensions(void **unused)
{
	(void)unused;
	REFUSE(ALERT_MISSING_EXTENSION, CHANGE({13, NULL, 0}));
	REFUSE(ALERT_MISSING_EXTENSION, CHANGE({10, NULL, 0}));
	REFUSE(ALERT_MISSING_EXTENSION, CHANGE({51, NULL, 0}));
}

static void test_repeated_and_misplaced_extensions(void **unused)
{
	(void)unused;
	REFUSE(ALERT_ILLEGAL_PARAMETER, CHANGE(E(0x1a1a, ""), E(0x1a1a, "")));
	REFUSE(ALERT_ILLEGAL_PARAMETER, CHANGE(E(43, "\x02\x03\x04"), E(43, "\x02\x03\x04")));
	/* oid_filters belongs in CertificateRequest alone */
	REFUSE(ALERT_ILLEGAL_PARAMETER, CHANGE(E(48, "\0\0")));
}

static void test_groups_and_shares(void **unused)
{
	(void)unused;
	/* none: a HelloRetryRequest follows */
	TAKE(CHANGE(E(51, "\0\0")));
	/* a share for a group that is not in supported_groups */
	REFUSE(ALERT_ILLEGAL_PARAMETER, CHANGE(E(51, "\0\x05\0\x18\0\x01\0")));
	/* twice the same group */
	REFUSE(ALERT_ILLEGAL_PARAMETER, CHANGE(E(51, "\0\x0a\0\x17\0\x01\0\0\x17\0\x01\0")));
	/* points that are none */
	REFUSE(ALERT_ILLEGAL_PARAMETER, CHANGE(E(51, "\0\x05\0\x1d\0\x01\0")));
	REFUSE(ALERT_ILLEGAL_PARAMETER, CHANGE(E(51, "\0\x24\0\x1d\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
						     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(51, "")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(51, "\0\x04\0\x1d\0\0")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(51, "\0\x03\0\x1d\0")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(51, "\0\0\0")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(10, "\0\x03\0\x1d\0")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(10, "\0\0")));
	REFUSE(ALERT_HANDSHAKE_FAILURE, CHANGE(E(10, "\0\x02\0\x1e"), E(51, "\0\0")));
}

static void test_signature_schemes(void **unused)
{
	(void)unused;
	/* the server's key is EC P-256 */
	REFUSE(ALERT_HANDSHAKE_FAILURE, CHANGE(E(13, "\0\x04\x08\x04\x05\x03")));
	/* PKCS#1 is for certificates, RFC 8446 4.2.3 */
	REFUSE(ALERT_HANDSHAKE_FAILURE, CHANGE(E(13, "\0\x02\x04\x01")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(13, "\0\x03\x04\x03\x08")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(13, "\0\0")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(13, "")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(50, "\0\0")));
	TAKE(CHANGE(E(50, "\0\x02\x04\x01")));
}

static void test_server_names(void **unused)
{
	(void)unused;
	TAKE(CHANGE(E(0, "\0\x0c\0\0\x09localhost")));
	TAKE(CHANGE(E(0, "\0\x09\0\0\x06"
			 "un-_.1")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(0, "")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(0, "\0\0")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(0, "\0\x03\0\0\0")));
	/* names of types that are still to come mean nothing to us */
	TAKE(CHANGE(E(0, "\0\x04\x01\0\x01x")));
	TAKE(CHANGE(E(0, "\0\x10\x01\0\x01x\0\0\x09localhost")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(0, "\0\x04\x01\0\x02x")));
	/* two names of the same type */
	REFUSE(ALERT_ILLEGAL_PARAMETER, CHANGE(E(0, "\0\x08\0\0\x01x\0\0\x01y")));
	/* what would make a mess of a log */
	REFUSE(ALERT_ILLEGAL_PARAMETER, CHANGE(E(0, "\0\x06\0\0\x03"
						    "a\nb")));
	REFUSE(ALERT_ILLEGAL_PARAMETER, CHANGE(E(0, "\0\x06\0\0\x03"
						    "a\0b")));
}

static void test_application_protocols(void **unused)
{
	(void)unused;
	/* none configured: the extension is checked and ignored */
	TAKE(CHANGE(E(16, "\0\x03\x02h2")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(16, "")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(16, "\0\0")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(16, "\0\x01\0")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(16, "\0\x04\x02h2\x05")));
}

#define BINDER                                                                                               \
	"\x20"                                                                                               \
	"0123456789abcdef0123456789abcdef"

static void test_pre_shared_keys_are_judged_though_not_taken(void **unused)
{
	(void)unused;
	TAKE(CHANGE(E(45, "\x01\x01"), E(41, "\0\x0a\0\x04"
					     "tick\0\0\0\x01\0\x21" BINDER)));
	/* not the last extension */
	REFUSE(ALERT_ILLEGAL_PARAMETER, CHANGE(E(45, "\x01\x01"),
					       E(41, "\0\x0a\0\x04"
						     "tick\0\0\0\x01\0\x21" BINDER),
					       E(21, "\0")));
	REFUSE(ALERT_MISSING_EXTENSION, CHANGE(E(41, "\0\x0a\0\x04"
						     "tick\0\0\0\x01\0\x21" BINDER)));
	REFUSE(ALERT_ILLEGAL_PARAMETER,
	       CHANGE(E(45, "\x01\x01"), E(41, "\0\x0a\0\x04"
					       "tick\0\0\0\x01\0\x42" BINDER BINDER)));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(45, "\x01\x01"), E(41, "\0\x0a\0\x04"
								   "tick\0\0\0\x01\0\0")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(45, "\x01\x01"), E(41, "\0\0\0\x21" BINDER)));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(45, "\x00")));
	REFUSE(ALERT_DECODE_ERROR, CHANGE(E(42, "\0")));
}

/* ---- across records and messages ---- */

static enum engine_err feed(struct engine_hs *hs, const void *bytes, size_t len)
{
	size_t used;

	return engine_hs_recv(hs, bytes, len, &used);
}

static void test_a_hello_split_over_records(void **unused)
{
	static const size_t pieces[] = {1, 2, 3, 4, 5, 40};
	static const struct hello hello = {BASE};
	uint8_t wire[1024];
	const size_t len = build(&hello, wire, sizeof(wire)) - 5;

	(void)unused;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct engine_hs *hs = new_server();

		for (size_t done = 0; done < len; done += pieces[i]) {
			const size_t n = pieces[i] < len - done ? pieces[i] : len - done;
			uint8_t record[64] = {22, 3, 1, 0, (uint8_t)n};

			memcpy(record + 5, wire + 5 + done, n);
			assert_int_equal(feed(hs, record, 5 + n), ENGINE_OK);
		}
		assert_int_equal(hs->state, HS_WAIT_CLIENT_FINISHED);
		engine_hs_free(hs);
	}
}

/* What stands between or instead of the pieces of a hello. RFC 8446 5, 5.1 */
static void test_records_that_do_not_belong(void **unused)
{
	static const struct {
		const char *first, *second;
		size_t first_len, second_len;
		uint8_t alert;
	} rows[] = {
		{"\x16\x03\x01\0\x02\x01\0", "\x14\x03\x03\0\x01\x01", 7, 6, ALERT_UNEXPECTED_MESSAGE},
		{"\x16\x03\x01\0\x02\x01\0", "\x15\x03\x03\0\x02\x01\x5a", 7, 7, ALERT_UNEXPECTED_MESSAGE},
		{"\x16\x03\x01\0\x02\x01\0", "\x17\x03\x03\0\x01x", 7, 6, ALERT_UNEXPECTED_MESSAGE},
		{"\x16\x03\x01\0\x02\x01\0", "\x16\x03\x03\0\0", 7, 5, ALERT_UNEXPECTED_MESSAGE},
		{"\x16\x03\x01\0\0", "", 5, 0, ALERT_UNEXPECTED_MESSAGE},
		{"\x14\x03\x03\0\x01\x01", "", 6, 0, ALERT_UNEXPECTED_MESSAGE},
		{"\x17\x03\x03\0\x01x", "", 6, 0, ALERT_UNEXPECTED_MESSAGE},
		{"\x15\x03\x03\0\x03\x01\0\0", "", 8, 0, ALERT_DECODE_ERROR},
		{"\x15\x03\x03\0\0", "", 5, 0, ALERT_UNEXPECTED_MESSAGE},
		{"\x16\x03\x01\x40\x01", "", 5, 0, ALERT_RECORD_OVERFLOW},
		{"\x16\x03\x01\0\x04\x01\x7f\0\0", "", 9, 0, ALERT_DECODE_ERROR},
		{"\x16\x03\x01\0\x04\x02\0\0\0", "", 9, 0, ALERT_UNEXPECTED_MESSAGE},
		{"\x16\x03\x01\0\x02\x01\0", "\x17\x03\x01\0\x01x", 7, 6, ALERT_UNEXPECTED_MESSAGE},
		{"\x16\x03\x01\0\x02\x01\0", "\x18\x03\x03\0\x01x", 7, 5, ALERT_UNEXPECTED_MESSAGE},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct engine_hs *hs = new_server();
		enum engine_err err = feed(hs, rows[i].first, rows[i].first_len);

		if (rows[i].second_len != 0) {
			assert_int_equal(err, ENGINE_OK);
			err = feed(hs, rows[i].second, rows[i].second_len);
		}
		assert_int_equal(err, ENGINE_ERR_PROTOCOL);
		assert_int_equal(engine_hs_alert(hs), rows[i].alert);
		/* the error sticks, nothing more is taken */
		assert_int_equal(feed(hs, "x", 1), err);
		engine_hs_free(hs);
	}
}

static void test_a_message_behind_the_hello_in_its_record(void **unused)
{
	static const struct hello hello = {BASE};
	struct engine_hs *hs = new_server();
	uint8_t wire[1024];
	size_t len = build(&hello, wire, sizeof(wire));

	(void)unused;
	memcpy(wire + len, "\x14\0\0\0", 4);
	len += 4;
	wire[3] = (uint8_t)((len - 5) >> 8);
	wire[4] = (uint8_t)(len - 5);
	assert_int_equal(feed(hs, wire, len), ENGINE_ERR_PROTOCOL);
	assert_int_equal(engine_hs_alert(hs), ALERT_UNEXPECTED_MESSAGE);
	engine_hs_free(hs);
}

static void test_alerts_instead_of_a_hello(void **unused)
{
	struct engine_hs *hs = new_server();

	(void)unused;
	assert_int_equal(feed(hs, "\x15\x03\x01\0\x02\x02\x46", 7), ENGINE_ERR_PEER_ALERT);
	assert_int_equal(engine_hs_alert(hs), ALERT_PROTOCOL_VERSION);
	engine_hs_free(hs);
	hs = new_server();
	for (int i = 0; i < 4; i++) {
		assert_int_equal(feed(hs, "\x15\x03\x01\0\x02\x01\x5a", 7), ENGINE_OK);
	}
	assert_int_equal(feed(hs, "\x15\x03\x01\0\x02\x01\x5a", 7), ENGINE_ERR_PROTOCOL);
	engine_hs_free(hs);
}

/* RFC 8446 4.2.10: early data that we did not ask for is passed over, by type or by trial, up to a limit. */
static void test_early_data_is_skipped(void **unused)
{
	static const struct hello with_early = {BASE, CHANGE(E(42, ""))};
	static const struct hello retried = {BASE, CHANGE(E(42, ""), E(51, "\0\0"))};
	static const struct hello without = {BASE};
	static uint8_t early[5 + 1000] = {23, 3, 3, 1000 >> 8, 1000 & 255};
	uint8_t wire[1024];
	struct engine_hs *hs;
	int taken;

	(void)unused;
	for (int variant = 0; variant < 2; variant++) {
		hs = new_server();
		assert_int_equal(feed(hs, wire,
				      build(variant == 0 ? &with_early : &retried, wire, sizeof(wire))),
				 ENGINE_OK);
		for (taken = 0; taken < 1000 && feed(hs, early, sizeof(early)) == ENGINE_OK; taken++) {
		}
		assert_in_range(taken, 64, 200);
		engine_hs_free(hs);
	}
	hs = new_server();
	assert_int_equal(feed(hs, wire, build(&without, wire, sizeof(wire))), ENGINE_OK);
	assert_int_equal(feed(hs, early, sizeof(early)), ENGINE_ERR_BAD_RECORD);
	engine_hs_free(hs);
}

/* RFC 8446 4.1.2: the second ClientHello. */
static void test_second_hellos(void **unused)
{
	static const struct hello first = {BASE, CHANGE(E(51, "\0\0"))};
	static const struct hello good = {BASE};
	static const struct hello padded = {BASE, CHANGE(E(21, "\0\0"))};
	static const struct hello other_suites = {BASE, .suites = "\x13\x01", .suites_len = 2};
	static const struct hello other_groups = {BASE, CHANGE(E(10, "\0\x02\0\x1d"))};
	static const struct hello more = {BASE, CHANGE(E(0x1234, ""))};
	static const struct hello early = {BASE, CHANGE(E(42, ""))};
	static const struct hello other_share = {BASE, CHANGE(E(51, "\0\x05\0\x17\0\x01\x04"))};
	static const struct hello session = {BASE, .session_id_len = 1};
	static const struct {
		const struct hello *hello;
		uint8_t alert;
	} rows[] = {
		{&good, 0},
		{&padded, 0},
		{&first, ALERT_ILLEGAL_PARAMETER},
		{&other_suites, ALERT_ILLEGAL_PARAMETER},
		{&other_groups, ALERT_ILLEGAL_PARAMETER},
		{&more, ALERT_ILLEGAL_PARAMETER},
		{&early, ALERT_ILLEGAL_PARAMETER},
		{&other_share, ALERT_ILLEGAL_PARAMETER},
		{&session, ALERT_ILLEGAL_PARAMETER},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct engine_hs *hs = new_server();
		uint8_t wire[1024];
		enum engine_err err;

		assert_int_equal(feed(hs, wire, build(&first, wire, sizeof(wire))), ENGINE_OK);
		assert_int_equal(hs->state, HS_WAIT_CLIENT_HELLO_AGAIN);
		assert_int_equal(feed(hs, "\x14\x03\x03\0\x01\x01", 6), ENGINE_OK);
		err = feed(hs, wire, build(rows[i].hello, wire, sizeof(wire)));
		assert_int_equal(err, rows[i].alert == 0 ? ENGINE_OK : ENGINE_ERR_PROTOCOL);
		assert_int_equal(engine_hs_alert(hs), rows[i].alert);
		engine_hs_free(hs);
	}
}

/* 4.1.2: a pre_shared_key may be taken back, not added. */
static void test_a_pre_shared_key_in_the_second_hello_alone(void **unused)
{
#define MODES	     E(45, "\x01\x01")
#define JUNK_TICKETS E(41, "\0\x07\0\x01x\0\0\0\0\0\x21\x20" "0123456789abcdef0123456789abcdef")
	static const struct hello firsts[] = {{BASE, CHANGE(E(51, "\0\0"), MODES)},
					      {BASE, CHANGE(E(51, "\0\0"), MODES, JUNK_TICKETS)}};
	static const struct hello seconds[] = {{BASE, CHANGE(MODES)}, {BASE, CHANGE(MODES, JUNK_TICKETS)}};

	(void)unused;
	for (size_t i = 0; i < 4; i++) {
		struct engine_hs *hs = new_server();
		uint8_t wire[1024];
		const bool is_added = i == 2;

		assert_int_equal(feed(hs, wire, build(&firsts[i & 1], wire, sizeof(wire))), ENGINE_OK);
		assert_int_equal(feed(hs, wire, build(&seconds[i >> 1], wire, sizeof(wire))),
				 is_added ? ENGINE_ERR_PROTOCOL : ENGINE_OK);
		assert_int_equal(engine_hs_alert(hs), is_added ? ALERT_ILLEGAL_PARAMETER : 0);
		engine_hs_free(hs);
	}
}

/* The choices that server13.c promises. */
static void test_choices(void **unused)
{
	static const struct hello chacha_first = {BASE, .suites = "\x13\x03\x13\x01", .suites_len = 4};
	static const struct hello aes_256_first = {BASE, .suites = "\x13\x02\x13\x01", .suites_len = 4};
	uint8_t wire[1024];
	struct engine_hs *hs = new_server();

	(void)unused;
	assert_int_equal(feed(hs, wire, build(&chacha_first, wire, sizeof(wire))), ENGINE_OK);
	assert_int_equal(hs->suite->id, 0x1303);
	engine_hs_free(hs);
	hs = new_server();
	assert_int_equal(feed(hs, wire, build(&aes_256_first, wire, sizeof(wire))), ENGINE_OK);
	assert_int_equal(hs->suite->id, 0x1301);
	engine_hs_free(hs);
}

static int setup(void **unused)
{
	struct crypto_kex *kex;

	(void)unused;
	if (!pair_init()) {
		return -1;
	}
	kex = crypto_kex_begin(CRYPTO_X25519, share);
	crypto_kex_free(kex);
	memcpy(key_share_x25519, "\0\x24\0\x1d\0\x20", 6);
	memcpy(key_share_x25519 + 6, share, 32);
	config = pair_config(ENGINE_SERVER);
	return kex != NULL && config != NULL ? 0 : -1;
}

static int teardown(void **unused)
{
	(void)unused;
	engine_config_unref(config);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_hellos_are_taken),
		cmocka_unit_test(test_grease_is_ignored),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_fields_in_front_of_the_extensions),
		cmocka_unit_test(test_missing_extensions),
		cmocka_unit_test(test_repeated_and_misplaced_extensions),
		cmocka_unit_test(test_groups_and_shares),
		cmocka_unit_test(test_signature_schemes),
		cmocka_unit_test(test_server_names),
		cmocka_unit_test(test_application_protocols),
		cmocka_unit_test(test_pre_shared_keys_are_judged_though_not_taken),
		cmocka_unit_test(test_a_hello_split_over_records),
		cmocka_unit_test(test_records_that_do_not_belong),
		cmocka_unit_test(test_a_message_behind_the_hello_in_its_record),
		cmocka_unit_test(test_alerts_instead_of_a_hello),
		cmocka_unit_test(test_early_data_is_skipped),
		cmocka_unit_test(test_second_hellos),
		cmocka_unit_test(test_a_pre_shared_key_in_the_second_hello_alone),
		cmocka_unit_test(test_choices),
	};

	return cmocka_run_group_tests_name("ClientHello", tests, setup, teardown);
}
