/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client must refuse of a server: ServerHello and HelloRetryRequest in clear, then the protected flight,
 * message by message under the right keys. And a server of a client's flight. RFC 8446 4.1.3, 4.1.4, 4.2 to 4.4
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

static struct pair pair;
static uint8_t wire[65536];

/* ---- ServerHello ---- */

enum field { F_NONE, F_VERSION, F_RANDOM, F_SESSION_ID, F_SUITE, F_COMPRESSION, F_EXTENSIONS, F_TAIL };

/* A ServerHello that fits the client's ClientHello, but for one field. */
struct server_hello_case {
	const char *name;
	enum field field;
	const char *bytes; /* NULL: leave the field out */
	size_t len;
	uint8_t alert;
};

#define B(text)    text, sizeof(text) - 1
#define SV         "\0\x2b\0\x02\x03\x04"
/* x25519, the base point as share: as good as any */
#define SHARE      "\0\x33\0\x24\0\x1d\0\x20\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ZERO_SHARE "\0\x33\0\x24\0\x1d\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define HRR_RANDOM                                                                                           \
	"\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"                                   \
	"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

static size_t build_server_hello(const struct server_hello_case *c, const char *random,
				 const char *extensions, size_t extensions_len, uint8_t *room, size_t size)
{
	const struct engine_hs *client = pair.hs[ENGINE_CLIENT];
	struct wr out;
	size_t record, message;

	wr_init(&out, room, size);
	wr_u8(&out, 22);
	wr_u16(&out, 0x0303);
	record = wr_open16(&out);
	wr_u8(&out, HS_SERVER_HELLO);
	message = wr_open24(&out);
	for (int field = F_VERSION; field <= F_TAIL; field++) {
		if ((int)c->field == field) {
			if (field == F_EXTENSIONS && c->bytes != NULL) {
				wr_u16(&out, (uint16_t)c->len);
			}
			wr_bytes(&out, c->bytes, c->len);
			continue;
		}
		switch (field) {
		case F_VERSION:
			wr_u16(&out, 0x0303);
			break;
		case F_RANDOM:
			wr_bytes(&out, random, 32);
			break;
		case F_SESSION_ID:
			wr_u8(&out, (uint8_t)client->session_id_len);
			wr_bytes(&out, client->session_id, client->session_id_len);
			break;
		case F_SUITE:
			wr_u16(&out, 0x1301);
			break;
		case F_COMPRESSION:
			wr_u8(&out, 0);
			break;
		case F_EXTENSIONS:
			wr_u16(&out, (uint16_t)extensions_len);
			wr_bytes(&out, extensions, extensions_len);
			break;
		default:
			break;
		}
	}
	wr_close24(&out, message);
	wr_close16(&out, record);
	assert_false(out.failed);
	return out.len;
}

#define RANDOM "RANDOMRANDOMRANDOMRANDOMRANDOM42"

static const struct server_hello_case server_hellos[] = {
	{"as it should be", F_NONE, NULL, 0, 0},
	/* RFC 8446 4.2.1: it is ignored; D.5: but for SSL 3.0 */
	{"legacy_version of TLS 1.3", F_VERSION, B("\x03\x04"), 0},
	{"legacy_version of TLS 1.0", F_VERSION, B("\x03\x01"), 0},
	{"legacy_version of no TLS", F_VERSION, B("\x05\x05"), 0},
	{"legacy_version of SSL 3.0", F_VERSION, B("\x03\x00"), ALERT_PROTOCOL_VERSION},
	{"legacy_version of SSL 2.0", F_VERSION, B("\x00\x02"), ALERT_PROTOCOL_VERSION},
	{"short session id", F_SESSION_ID, B("\0"), ALERT_ILLEGAL_PARAMETER},
	{"another session id", F_SESSION_ID, B("\x20yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"),
	 ALERT_ILLEGAL_PARAMETER},
	{"session id too long", F_SESSION_ID, B("\x21yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"), ALERT_DECODE_ERROR},
	{"unknown suite", F_SUITE, B("\x13\x04"), ALERT_ILLEGAL_PARAMETER},
	{"suite of TLS 1.2", F_SUITE, B("\xc0\x2f"), ALERT_ILLEGAL_PARAMETER},
	{"compression", F_COMPRESSION, B("\1"), ALERT_ILLEGAL_PARAMETER},
	{"bytes behind", F_TAIL, B("\0"), ALERT_DECODE_ERROR},
	{"no extensions at all", F_EXTENSIONS, NULL, 0, ALERT_PROTOCOL_VERSION},
	{"no supported_versions", F_EXTENSIONS, B(SHARE), ALERT_PROTOCOL_VERSION},
	{"no key_share", F_EXTENSIONS, B(SV), ALERT_MISSING_EXTENSION},
	{"selects TLS 1.2", F_EXTENSIONS, B("\0\x2b\0\x02\x03\x03" SHARE), ALERT_ILLEGAL_PARAMETER},
	{"selects what is not there", F_EXTENSIONS, B("\0\x2b\0\x02\x03\x05" SHARE), ALERT_ILLEGAL_PARAMETER},
	{"version of three bytes", F_EXTENSIONS, B("\0\x2b\0\x03\x03\x04\0" SHARE), ALERT_DECODE_ERROR},
	{"twice supported_versions", F_EXTENSIONS, B(SV SV SHARE), ALERT_ILLEGAL_PARAMETER},
	{"unknown extension", F_EXTENSIONS, B(SV SHARE "\x12\x34\0\0"), ALERT_UNSUPPORTED_EXTENSION},
	{"server_name here", F_EXTENSIONS, B(SV SHARE "\0\0\0\0"), ALERT_ILLEGAL_PARAMETER},
	{"cookie here", F_EXTENSIONS, B(SV SHARE "\0\x2c\0\x03\0\x01x"), ALERT_ILLEGAL_PARAMETER},
	{"a pre-shared key", F_EXTENSIONS, B(SV SHARE "\0\x29\0\x02\0\0"), ALERT_UNSUPPORTED_EXTENSION},
	{"group without a share", F_EXTENSIONS, B(SV "\0\x33\0\x05\0\x17\0\x01\x04"),
	 ALERT_ILLEGAL_PARAMETER},
	{"short share", F_EXTENSIONS, B(SV "\0\x33\0\x05\0\x1d\0\x01\x04"), ALERT_ILLEGAL_PARAMETER},
	{"empty share", F_EXTENSIONS, B(SV "\0\x33\0\x04\0\x1d\0\0"), ALERT_DECODE_ERROR},
	{"share of zeros", F_EXTENSIONS, B(SV ZERO_SHARE), ALERT_ILLEGAL_PARAMETER},
	{"bytes behind the share", F_EXTENSIONS, B(SV "\0\x33\0\x06\0\x1d\0\x01\x04\0"), ALERT_DECODE_ERROR},
	{"extension cut short", F_EXTENSIONS, B(SV SHARE "\0"), ALERT_DECODE_ERROR},
	{"downgrade sentinel", F_NONE, NULL, 0, 0}, /* means nothing in TLS 1.3 */
};

static void check_alert(enum engine_role role, enum engine_err err, uint8_t alert, const char *name)
{
	const uint8_t got = engine_hs_alert(pair.hs[role]);

	if (got != alert || (err == ENGINE_OK) != (alert == 0)) {
		fail_msg("%s: got %s (%s), wanted %s", name, engine_alert_name(got),
			 engine_hs_reason(pair.hs[role]), engine_alert_name(alert));
	}
	assert_int_equal(pair.conn[role].version, 0);
}

static void test_server_hellos(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(server_hellos) / sizeof(server_hellos[0]); i++) {
		size_t len;
		enum engine_err err;

		assert_true(pair_begin_default(&pair));
		len = build_server_hello(&server_hellos[i], RANDOM, SV SHARE, sizeof(SV SHARE) - 1, wire,
					 sizeof(wire));
		err = pair_give(&pair, ENGINE_CLIENT, wire, len);
		check_alert(ENGINE_CLIENT, err, server_hellos[i].alert, server_hellos[i].name);
		pair_end(&pair);
	}
}

/* RFC 8446 4.1.3: TLS 1.2 by a server that knows better. */
static void test_downgrade_sentinels(void **unused)
{
	static const struct server_hello_case old = {"old", F_EXTENSIONS, NULL, 0, 0};
	static const struct {
		const char *random;
		uint8_t alert;
	} rows[] = {
		{"RANDOMRANDOMRANDOMRANDOMDOWNGRD\x01", ALERT_ILLEGAL_PARAMETER},
		{"RANDOMRANDOMRANDOMRANDOMDOWNGRD\x00", ALERT_ILLEGAL_PARAMETER},
		{"RANDOMRANDOMRANDOMRANDOMDOWNGRD\x02", ALERT_PROTOCOL_VERSION},
	};

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		size_t len;
		enum engine_err err;

		assert_true(pair_begin_default(&pair));
		len = build_server_hello(&old, rows[i].random, "", 0, wire, sizeof(wire));
		err = pair_give(&pair, ENGINE_CLIENT, wire, len);
		check_alert(ENGINE_CLIENT, err, rows[i].alert, rows[i].random);
		pair_end(&pair);
	}
	assert_true(pair_begin_default(&pair));
	(void)pair_give(&pair, ENGINE_CLIENT, wire,
			build_server_hello(&old, RANDOM, "", 0, wire, sizeof(wire)));
	assert_string_equal(engine_hs_reason(pair.hs[ENGINE_CLIENT]),
			    "the policy wants TLS 1.3, the peer chose TLS 1.2");
	pair_end(&pair);
}

/* RFC 8446 4.1.4 */
static void test_hello_retry_requests(void **unused)
{
	static const struct server_hello_case rows[] = {
		{"another group", F_EXTENSIONS, B(SV "\0\x33\0\x02\0\x17"), 0},
		{"the third group", F_EXTENSIONS, B(SV "\0\x33\0\x02\0\x18"), 0},
		{"a cookie alone", F_EXTENSIONS, B(SV "\0\x2c\0\x05\0\x03yum"), 0},
		{"both", F_EXTENSIONS, B(SV "\0\x2c\0\x05\0\x03yum\0\x33\0\x02\0\x17"), 0},
		{"nothing", F_EXTENSIONS, B(SV), ALERT_ILLEGAL_PARAMETER},
		{"what we sent", F_EXTENSIONS, B(SV "\0\x33\0\x02\0\x1d"), ALERT_ILLEGAL_PARAMETER},
		{"what we do not have", F_EXTENSIONS, B(SV "\0\x33\0\x02\0\x1e"), ALERT_ILLEGAL_PARAMETER},
		{"a whole share", F_EXTENSIONS, B(SV SHARE), ALERT_DECODE_ERROR},
		{"an empty cookie", F_EXTENSIONS, B(SV "\0\x2c\0\x02\0\0"), ALERT_DECODE_ERROR},
		{"no version", F_EXTENSIONS, B("\0\x33\0\x02\0\x17"), ALERT_MISSING_EXTENSION},
		{"an unknown extension", F_EXTENSIONS, B(SV "\0\x33\0\x02\0\x17\x12\x34\0\0"),
		 ALERT_UNSUPPORTED_EXTENSION},
		{"ALPN", F_EXTENSIONS, B(SV "\0\x33\0\x02\0\x17\0\x10\0\0"), ALERT_ILLEGAL_PARAMETER},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t *out;
		size_t len;
		enum engine_err err;

		assert_true(pair_begin_default(&pair));
		(void)pair_take(&pair, ENGINE_CLIENT, &len);
		err = pair_give(&pair, ENGINE_CLIENT, wire,
				build_server_hello(&rows[i], HRR_RANDOM, "", 0, wire, sizeof(wire)));
		check_alert(ENGINE_CLIENT, err, rows[i].alert, rows[i].name);
		out = pair_take(&pair, ENGINE_CLIENT, &len);
		if (rows[i].alert == 0) {
			/* ChangeCipherSpec, then the second ClientHello, RFC 8446 D.4 */
			assert_memory_equal(out, "\x14\x03\x03\0\x01\x01\x16\x03\x03", 9);
			/* a second request is one too many */
			err = pair_give(&pair, ENGINE_CLIENT, wire,
					build_server_hello(&rows[i], HRR_RANDOM, "", 0, wire, sizeof(wire)));
			check_alert(ENGINE_CLIENT, err, ALERT_UNEXPECTED_MESSAGE, rows[i].name);
		}
		pair_end(&pair);
	}
}

static void test_a_suite_that_changes_behind_a_retry(void **unused)
{
	static const struct server_hello_case retry = {"", F_EXTENSIONS, B(SV "\0\x2c\0\x05\0\x03yum"), 0};
	static const struct server_hello_case other = {"", F_SUITE, B("\x13\x03"), 0};
	enum engine_err err;

	(void)unused;
	assert_true(pair_begin_default(&pair));
	assert_int_equal(pair_give(&pair, ENGINE_CLIENT, wire,
				   build_server_hello(&retry, HRR_RANDOM, "", 0, wire, sizeof(wire))),
			 ENGINE_OK);
	err = pair_give(&pair, ENGINE_CLIENT, wire,
			build_server_hello(&other, RANDOM, SV SHARE, sizeof(SV SHARE) - 1, wire,
					   sizeof(wire)));
	check_alert(ENGINE_CLIENT, err, ALERT_ILLEGAL_PARAMETER, "suite");
	pair_end(&pair);
}

/* ---- protected messages ---- */

static struct engine_cipher *cipher;
static struct engine_keys keys; /* of the side that is played */
static const struct suite *suite;

/* Bring both to where `to` waits for the first protected message, whose sender's keys we then hold. */
static void begin_protected(enum engine_role to, bool client_auth)
{
	struct engine_config *client = pair_config(ENGINE_CLIENT);
	struct engine_config *server = pair_config(ENGINE_SERVER);
	static const char *const protocols[] = {"one", "two"};
	struct engine_hs *hs;
	const uint8_t *bytes;
	size_t len, first;

	assert_true(engine_config_set_alpn(client, protocols, 2));
	if (client_auth) {
		engine_config_set_client_auth(server, ENGINE_CLIENT_AUTH_REQUEST);
		assert_true(pair_add_trust(server));
	}
	assert_true(pair_begin(&pair, client, server));
	bytes = pair_take(&pair, ENGINE_CLIENT, &len);
	assert_int_equal(pair_give(&pair, ENGINE_SERVER, bytes, len), ENGINE_OK);
	hs = pair.hs[ENGINE_SERVER];
	bytes = pair_take(&pair, ENGINE_SERVER, &len);
	first = 5 + ((size_t)bytes[3] << 8) + bytes[4];
	assert_int_equal(pair_give(&pair, ENGINE_CLIENT, bytes, first), ENGINE_OK);
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

static enum engine_err give_record(enum engine_role to, uint8_t type, const void *content, size_t content_len)
{
	const struct engine_slice slice = {content, content_len};
	size_t len;

	assert_true(record13_seal(suite, &keys, cipher, type, &slice, 1, wire, sizeof(wire), &len));
	return pair_give(&pair, to, wire, len);
}

/* One message; its transcript is the receiver's affair. */
static enum engine_err give_message(enum engine_role to, uint8_t type, const void *body, size_t body_len)
{
	uint8_t message[2048] = {type, 0, (uint8_t)(body_len >> 8), (uint8_t)body_len};

	memcpy(message + 4, body, body_len);
	return give_record(to, CONTENT_HANDSHAKE, message, 4 + body_len);
}

struct message_case {
	const char *name;
	const char *body;
	size_t len;
	uint8_t alert;
};

static void test_encrypted_extensions(void **unused)
{
	static const struct message_case rows[] = {
		{"none", B("\0\0"), 0},
		{"server_name", B("\0\x04\0\0\0\0"), 0},
		{"supported_groups", B("\0\x08\0\x0a\0\x04\0\x02\0\x1d"), 0},
		{"ALPN", B("\0\x0a\0\x10\0\x06\0\x04\x03two"), 0},
		{"no vector", B(""), ALERT_DECODE_ERROR},
		{"bytes behind", B("\0\0\0"), ALERT_DECODE_ERROR},
		{"cut short", B("\0\x03\0\0\0"), ALERT_DECODE_ERROR},
		{"unknown", B("\0\x04\x12\x34\0\0"), ALERT_UNSUPPORTED_EXTENSION},
		{"not offered", B("\0\x05\0\x01\0\x01\x01"), ALERT_UNSUPPORTED_EXTENSION},
		{"early_data", B("\0\x04\0\x2a\0\0"), ALERT_UNSUPPORTED_EXTENSION},
		{"key_share", B("\0\x06\0\x33\0\x02\0\x17"), ALERT_ILLEGAL_PARAMETER},
		{"supported_versions", B("\0\x06\0\x2b\0\x02\x03\x04"), ALERT_ILLEGAL_PARAMETER},
		{"signature_algorithms", B("\0\x08\0\x0d\0\x04\0\x02\x04\x03"), ALERT_ILLEGAL_PARAMETER},
		{"twice", B("\0\x08\0\0\0\0\0\0\0\0"), ALERT_ILLEGAL_PARAMETER},
		{"server_name with a name", B("\0\x05\0\0\0\x01x"), ALERT_DECODE_ERROR},
		{"a protocol not offered", B("\0\x0c\0\x10\0\x08\0\x06\x05three"), ALERT_ILLEGAL_PARAMETER},
		{"two protocols", B("\0\x0e\0\x10\0\x0a\0\x08\x03one\x03two"), ALERT_DECODE_ERROR},
		{"an empty protocol", B("\0\x07\0\x10\0\x03\0\x01\0"), ALERT_DECODE_ERROR},
		{"odd groups", B("\0\x07\0\x0a\0\x03\0\x01\0"), ALERT_DECODE_ERROR},
		/* RFC 8449 4 */
		{"the least record_size_limit", B("\0\x06\0\x1c\0\x02\0\x40"), 0},
		{"the greatest", B("\0\x06\0\x1c\0\x02\x40\x01"), 0},
		{"one too small", B("\0\x06\0\x1c\0\x02\0\x3f"), ALERT_ILLEGAL_PARAMETER},
		{"one of 0", B("\0\x06\0\x1c\0\x02\0\0"), ALERT_ILLEGAL_PARAMETER},
		{"one beyond the protocol's", B("\0\x06\0\x1c\0\x02\x40\x02"), ALERT_ILLEGAL_PARAMETER},
		{"one of a byte", B("\0\x05\0\x1c\0\x01\x40"), ALERT_DECODE_ERROR},
		{"one of three bytes", B("\0\x07\0\x1c\0\x03\x40\0\0"), ALERT_DECODE_ERROR},
		{"status_request here", B("\0\x04\0\x05\0\0"), ALERT_ILLEGAL_PARAMETER},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_protected(ENGINE_CLIENT, false);
		check_alert(ENGINE_CLIENT,
			    give_message(ENGINE_CLIENT, HS_ENCRYPTED_EXTENSIONS, rows[i].body, rows[i].len),
			    rows[i].alert, rows[i].name);
		if (strcmp(rows[i].name, "the least record_size_limit") == 0) {
			/* without the content type */
			assert_int_equal(pair.hs[ENGINE_CLIENT]->send_limit, 63);
		}
		end_protected();
	}
}

static void test_certificate_requests(void **unused)
{
	static const struct message_case rows[] = {
		{"as it should be", B("\0\0\x08\0\x0d\0\x04\0\x02\x04\x03"), 0},
		{"unknown extensions", B("\0\0\x0c\x12\x34\0\0\0\x0d\0\x04\0\x02\x04\x03"), 0},
		{"authorities", B("\0\0\x11\0\x2f\0\x05\0\x03\0\x01x\0\x0d\0\x04\0\x02\x04\x03"), 0},
		{"a context", B("\x01x\0\x08\0\x0d\0\x04\0\x02\x04\x03"), ALERT_ILLEGAL_PARAMETER},
		{"no schemes", B("\0\0\x04\x12\x34\0\0"), ALERT_MISSING_EXTENSION},
		{"empty schemes", B("\0\0\x06\0\x0d\0\x02\0\0"), ALERT_DECODE_ERROR},
		{"no extensions", B("\0\0\0"), ALERT_DECODE_ERROR},
		{"bytes behind", B("\0\0\x08\0\x0d\0\x04\0\x02\x04\x03\0"), ALERT_DECODE_ERROR},
		{"a status", B("\0\0\x0c\0\x05\0\0\0\x0d\0\x04\0\x02\x04\x03"), 0},
		{"schemes for certificates",
		 B("\0\0\x10\0\x0d\0\x04\0\x02\x04\x03\0\x32\0\x04\0\x02\x04\x03"), 0},
		{"empty schemes for certificates", B("\0\0\x0e\0\x0d\0\x04\0\x02\x04\x03\0\x32\0\x02\0\0"),
		 ALERT_DECODE_ERROR},
		{"an empty authority", B("\0\0\x10\0\x2f\0\x04\0\x02\0\0\0\x0d\0\x04\0\x02\x04\x03"),
		 ALERT_DECODE_ERROR},
		{"misplaced", B("\0\0\x0e\0\x33\0\x02\0\x17\0\x0d\0\x04\0\x02\x04\x03"),
		 ALERT_ILLEGAL_PARAMETER},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_protected(ENGINE_CLIENT, false);
		assert_int_equal(give_message(ENGINE_CLIENT, HS_ENCRYPTED_EXTENSIONS, "\0\0", 2), ENGINE_OK);
		check_alert(ENGINE_CLIENT,
			    give_message(ENGINE_CLIENT, HS_CERTIFICATE_REQUEST, rows[i].body, rows[i].len),
			    rows[i].alert, rows[i].name);
		end_protected();
	}
}

/* The leaf of the test certificates as a CertificateEntry list. */
static size_t build_certificate(uint8_t *body, size_t size, const char *entry_extensions,
				size_t extensions_len)
{
	const struct der *leaf = &pair.config[ENGINE_SERVER]->credentials[0].chain[0];
	struct wr out;
	size_t list, cert;

	wr_init(&out, body, size);
	wr_u8(&out, 0);
	list = wr_open24(&out);
	cert = wr_open24(&out);
	wr_bytes(&out, leaf->data, leaf->len);
	wr_close24(&out, cert);
	wr_u16(&out, (uint16_t)extensions_len);
	wr_bytes(&out, entry_extensions, extensions_len);
	wr_close24(&out, list);
	assert_false(out.failed);
	return out.len;
}

static void test_certificates(void **unused)
{
	static const struct message_case rows[] = {
		{"empty", B("\0\0\0\0"), ALERT_DECODE_ERROR},
		{"a context", B("\x01x\0\0\0"), ALERT_ILLEGAL_PARAMETER},
		{"an empty certificate", B("\0\0\0\x05\0\0\0\0\0"), ALERT_DECODE_ERROR},
		{"no extensions field", B("\0\0\0\x04\0\0\x01x"), ALERT_DECODE_ERROR},
		{"bytes behind", B("\0\0\0\0\0"), ALERT_DECODE_ERROR},
		{"no X.509", B("\0\0\0\x06\0\0\x01x\0\0"), ALERT_BAD_CERTIFICATE},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_protected(ENGINE_CLIENT, false);
		assert_int_equal(give_message(ENGINE_CLIENT, HS_ENCRYPTED_EXTENSIONS, "\0\0", 2), ENGINE_OK);
		check_alert(ENGINE_CLIENT,
			    give_message(ENGINE_CLIENT, HS_CERTIFICATE, rows[i].body, rows[i].len),
			    rows[i].alert, rows[i].name);
		end_protected();
	}
}

/* RFC 8446 4.4.2, 4.4.2.1 */
static void test_extensions_of_a_certificate(void **unused)
{
	static const struct message_case rows[] = {
		{"none", B(""), 0},
		{"an empty status", B("\0\x05\0\0"), ALERT_DECODE_ERROR},
		{"a status without a response", B("\0\x05\0\x04\x01\0\0\0"), ALERT_DECODE_ERROR},
		{"a status with bytes behind", B("\0\x05\0\x06\x01\0\0\x01x\0"), ALERT_DECODE_ERROR},
		{"a status of another type", B("\0\x05\0\x05\x02\0\0\x01x"), ALERT_ILLEGAL_PARAMETER},
		{"a status that is no OCSP response", B("\0\x05\0\x05\x01\0\0\x01x"),
		 ALERT_BAD_CERTIFICATE_STATUS_RESPONSE},
		{"twice", B("\0\x05\0\x05\x01\0\0\x01x\0\x05\0\x05\x01\0\0\x01x"), ALERT_ILLEGAL_PARAMETER},
		{"timestamps that were not asked for", B("\0\x12\0\0"), ALERT_UNSUPPORTED_EXTENSION},
		{"unknown", B("\x12\x34\0\0"), ALERT_UNSUPPORTED_EXTENSION},
		{"server_name here", B("\0\0\0\0"), ALERT_ILLEGAL_PARAMETER},
	};
	uint8_t body[2048];

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len;

		begin_protected(ENGINE_CLIENT, false);
		assert_int_equal(give_message(ENGINE_CLIENT, HS_ENCRYPTED_EXTENSIONS, "\0\0", 2), ENGINE_OK);
		len = build_certificate(body, sizeof(body), rows[i].body, rows[i].len);
		check_alert(ENGINE_CLIENT, give_message(ENGINE_CLIENT, HS_CERTIFICATE, body, len),
			    rows[i].alert, rows[i].name);
		end_protected();
	}
	/* of a client, none is asked for */
	begin_protected(ENGINE_SERVER, true);
	check_alert(ENGINE_SERVER,
		    give_message(ENGINE_SERVER, HS_CERTIFICATE, body,
				 build_certificate(body, sizeof(body), B("\0\x05\0\x05\x01\0\0\x01x"))),
		    ALERT_UNSUPPORTED_EXTENSION, "status of a client");
	end_protected();
}

static void to_certificate_verify(void)
{
	uint8_t body[2048];

	begin_protected(ENGINE_CLIENT, false);
	assert_int_equal(give_message(ENGINE_CLIENT, HS_ENCRYPTED_EXTENSIONS, "\0\0", 2), ENGINE_OK);
	assert_int_equal(give_message(ENGINE_CLIENT, HS_CERTIFICATE, body,
				      build_certificate(body, sizeof(body), "", 0)),
			 ENGINE_OK);
}

/* RFC 8446 4.4.3 */
static void test_certificate_verifies(void **unused)
{
	static const struct message_case rows[] = {
		{"PKCS#1", B("\x04\x01\0\x02xy"), ALERT_ILLEGAL_PARAMETER},
		{"SHA-1", B("\x02\x03\0\x02xy"), ALERT_ILLEGAL_PARAMETER},
		{"unknown", B("\x4a\x4a\0\x02xy"), ALERT_ILLEGAL_PARAMETER},
		{"for another curve", B("\x05\x03\0\x02xy"), ALERT_ILLEGAL_PARAMETER},
		{"for another kind of key", B("\x08\x04\0\x02xy"), ALERT_ILLEGAL_PARAMETER},
		{"wrong", B("\x04\x03\0\x08\x30\x06\x02\x01\x01\x02\x01\x01"), ALERT_DECRYPT_ERROR},
		{"empty", B("\x04\x03\0\0"), ALERT_DECRYPT_ERROR},
		{"bytes behind", B("\x04\x03\0\x01x\0"), ALERT_DECODE_ERROR},
		{"short", B("\x04\x03\0\x02x"), ALERT_DECODE_ERROR},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		to_certificate_verify();
		check_alert(ENGINE_CLIENT,
			    give_message(ENGINE_CLIENT, HS_CERTIFICATE_VERIFY, rows[i].body, rows[i].len),
			    rows[i].alert, rows[i].name);
		assert_int_equal(engine_hs_error(pair.hs[ENGINE_CLIENT]), alert_to_err(rows[i].alert));
		end_protected();
	}
}

static void test_finished_of_a_client(void **unused)
{
	uint8_t body[33] = {0};

	(void)unused;
	for (size_t len = 31; len <= 33; len++) {
		begin_protected(ENGINE_SERVER, false);
		check_alert(ENGINE_SERVER, give_message(ENGINE_SERVER, HS_FINISHED, body, len),
			    len == 32 ? ALERT_DECRYPT_ERROR : ALERT_DECODE_ERROR, "Finished");
		end_protected();
	}
}

static void test_certificates_of_a_client(void **unused)
{
	static const struct message_case rows[] = {
		{"empty", B("\0\0\0\0"), 0},
		{"a context", B("\x01x\0\0\0"), ALERT_ILLEGAL_PARAMETER},
		{"malformed", B("\0\0\0\x01\0"), ALERT_DECODE_ERROR},
		{"no X.509", B("\0\0\0\x06\0\0\x01x\0\0"), ALERT_BAD_CERTIFICATE},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_protected(ENGINE_SERVER, true);
		check_alert(ENGINE_SERVER,
			    give_message(ENGINE_SERVER, HS_CERTIFICATE, rows[i].body, rows[i].len),
			    rows[i].alert, rows[i].name);
		end_protected();
	}
}

/* Content of records that has no place in a handshake, and records of the wrong kind. */
static void test_records_in_the_protected_flight(void **unused)
{
	static const uint8_t plain[] = {22, 3, 3, 0, 6, 8, 0, 0, 2, 0, 0};
	static const uint8_t plain_alert[] = {21, 3, 3, 0, 2, 2, 40};
	static const uint8_t bad_ccs[] = {20, 3, 3, 0, 1, 2};
	static const uint8_t long_ccs[] = {20, 3, 3, 0, 2, 1, 1};
	static const uint8_t good_ccs[] = {20, 3, 3, 0, 1, 1};

	(void)unused;
	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		const enum engine_role to = (enum engine_role)role;

		begin_protected(to, false);
		check_alert(to, give_record(to, CONTENT_APPLICATION_DATA, "x", 1), ALERT_UNEXPECTED_MESSAGE,
			    "data");
		end_protected();
		begin_protected(to, false);
		check_alert(to, give_record(to, CONTENT_CHANGE_CIPHER_SPEC, "\1", 1),
			    ALERT_UNEXPECTED_MESSAGE, "ccs");
		end_protected();
		begin_protected(to, false);
		check_alert(to, give_record(to, CONTENT_HANDSHAKE, "", 0), ALERT_UNEXPECTED_MESSAGE, "empty");
		end_protected();
		begin_protected(to, false);
		check_alert(to, pair_give(&pair, to, plain, sizeof(plain)), ALERT_UNEXPECTED_MESSAGE,
			    "in clear");
		end_protected();
		begin_protected(to, false);
		check_alert(to, pair_give(&pair, to, bad_ccs, sizeof(bad_ccs)), ALERT_UNEXPECTED_MESSAGE,
			    "ccs 2");
		end_protected();
		begin_protected(to, false);
		check_alert(to, pair_give(&pair, to, long_ccs, sizeof(long_ccs)), ALERT_UNEXPECTED_MESSAGE,
			    "ccs long");
		end_protected();
		begin_protected(to, false);
		for (int i = 0; i < 32; i++) {
			assert_int_equal(pair_give(&pair, to, good_ccs, sizeof(good_ccs)), ENGINE_OK);
		}
		check_alert(to, pair_give(&pair, to, good_ccs, sizeof(good_ccs)), ALERT_UNEXPECTED_MESSAGE,
			    "ccs flood");
		end_protected();
		begin_protected(to, false);
		assert_int_equal(give_record(to, CONTENT_ALERT, "\x02\x30", 2), ENGINE_ERR_PEER_ALERT);
		assert_int_equal(engine_hs_alert(pair.hs[to]), ALERT_UNKNOWN_CA);
		assert_non_null(strstr(engine_hs_reason(pair.hs[to]), "unknown_ca"));
		end_protected();
		/* in clear, only a client may: it cannot read our ServerHello */
		begin_protected(to, false);
		if (to == ENGINE_SERVER) {
			assert_int_equal(pair_give(&pair, to, plain_alert, 7), ENGINE_ERR_PEER_ALERT);
		} else {
			check_alert(to, pair_give(&pair, to, plain_alert, 7), ALERT_UNEXPECTED_MESSAGE,
				    "alert");
		}
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
		cmocka_unit_test(test_server_hellos),
		cmocka_unit_test(test_downgrade_sentinels),
		cmocka_unit_test(test_hello_retry_requests),
		cmocka_unit_test(test_a_suite_that_changes_behind_a_retry),
		cmocka_unit_test(test_encrypted_extensions),
		cmocka_unit_test(test_certificate_requests),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_extensions_of_a_certificate),
		cmocka_unit_test(test_certificate_verifies),
		cmocka_unit_test(test_finished_of_a_client),
		cmocka_unit_test(test_certificates_of_a_client),
		cmocka_unit_test(test_records_in_the_protected_flight),
	};

	return cmocka_run_group_tests_name("server flight", tests, setup, NULL);
}
