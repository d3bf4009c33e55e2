/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client of TLS 1.2 and older takes and refuses, each row named by the clause that demands it: handshakes of a
 * server that does one thing wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/alert.h"
#include "engine/hello.h"
#include "tests/lib/fake12.h"
#include "tests/pki/pki.h"

enum kind {
	NEW,      /* TLS 1.2 and 1.3, the default profile */
	OLD,      /* TLS 1.2 alone, no sessions */
	LEGACY,   /* TLS 1.0 to 1.3, the legacy profile */
	LEGACY12, /* TLS 1.2 alone, the legacy profile */
	ALPN,     /* NEW, offers h2 and http/1.1 */
	CURVES,   /* NEW, with x25519 and secp256r1 alone */
	KIND_COUNT,
};

enum server { EC, RSA, RSA_ENCIPHER, RSA_SIGN, ED25519, P384, PSS, OTHER_NAME, SERVER_COUNT };

static struct engine_config *clients[KIND_COUNT];
static struct engine_config *servers[SERVER_COUNT];
static struct fake12 fake;

static struct engine_config *make_client(enum kind kind)
{
	static const char *const alpn[] = {"h2", "http/1.1"};
	static const char *const groups[] = {"x25519", "secp256r1"};
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	struct engine_trust *trust = pki_trust("ca.pem ca-rsa.pem");
	char why[ENGINE_REASON_MAX];

	engine_config_set_trust(config, trust);
	engine_trust_unref(trust);
	if (kind == LEGACY || kind == LEGACY12) {
		engine_config_set_profile(config, ENGINE_PROFILE_LEGACY);
	}
	if (kind == LEGACY) {
		assert_true(engine_config_set_versions(config, ENGINE_TLS10, ENGINE_TLS13));
	}
	if (kind == OLD || kind == LEGACY12) {
		assert_true(engine_config_set_versions(config, ENGINE_TLS12, ENGINE_TLS12));
	}
	if (kind == OLD) {
		assert_true(engine_config_set_sessions(config, 0, (const uint8_t[32]){0}));
	}
	if (kind == ALPN) {
		assert_true(engine_config_set_alpn(config, alpn, 2));
	}
	if (kind == CURVES) {
		assert_int_equal(engine_config_set_groups(config, groups, 2, why), ENGINE_OK);
	}
	return config;
}

static int setup(void **state)
{
	static const char *const files[SERVER_COUNT][2] = {
		[EC] = {"server.pem", "server.key"},
		[RSA] = {"rsa-both.pem", "rsa-both.key"},
		[RSA_ENCIPHER] = {"rsa-encipher.pem", "rsa-encipher.key"},
		[RSA_SIGN] = {"server-rsa2048.pem", "server-rsa2048.key"},
		[ED25519] = {"server-ed25519.pem", "server-ed25519.key"},
		[P384] = {"server-p384.pem", "server-p384.key"},
		[PSS] = {"server-pss.pem", "server-pss.key"},
		[OTHER_NAME] = {"wrong-name.pem", "wrong-name.key"},
	};
	char why[ENGINE_REASON_MAX];

	if (pki_setup(state) != 0 || !fake12_init()) {
		return -1;
	}
	for (int i = 0; i < KIND_COUNT; i++) {
		clients[i] = make_client((enum kind)i);
	}
	for (int i = 0; i < SERVER_COUNT; i++) {
		servers[i] = engine_config_new(ENGINE_SERVER);
		if (!pki_add_credential(servers[i], files[i][0], files[i][1], why)) {
			print_error("%s: %s\n", files[i][0], why);
			return -1;
		}
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < KIND_COUNT; i++) {
		engine_config_unref(clients[i]);
	}
	for (int i = 0; i < SERVER_COUNT; i++) {
		engine_config_unref(servers[i]);
	}
	return 0;
}

static void begin(enum kind kind, enum server server)
{
	fake12_forget_sessions();
	engine_config_ref(clients[kind]);
	fake12_begin(&fake, clients[kind], &servers[server]->credentials[0]);
}

struct row {
	const char *name;
	enum kind kind;
	enum server server;
	struct fake12_choice choice;
	struct fake12_wrong wrong;
	unsigned alert; /* 0: a connection */
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		begin(rows[i].kind, rows[i].server);
		fake12_handshake(&fake, &rows[i].choice, &rows[i].wrong);
		fake12_expect(&fake, rows[i].alert, rows[i].name);
		fake12_end(&fake);
	}
}
#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

#define ECDHE_RSA_GCM   0xc02f
#define ECDHE_ECDSA_GCM 0xc02b
#define ECDHE_ECDSA_CBC 0xc009
#define ECDHE_RSA_CBC   0xc013
#define DHE_RSA_GCM     0x009e
#define DHE_RSA_CBC     0x0033
#define RSA_GCM         0x009c
#define RSA_CBC         0x002f

/* clang-format off */

static void test_right_servers_of_all_kinds_are_taken(void **unused)
{
	static const struct row rows[] = {
		{ "ECDHE_ECDSA", NEW, EC, { 0 }, { 0 }, 0 },
		{ "TLS 1.2 alone", OLD, EC, { 0 }, { 0 }, 0 },
		{ "ECDHE_RSA", NEW, RSA, { .suite = ECDHE_RSA_GCM }, { 0 }, 0 },
		{ "ECDHE_RSA with PKCS1 and SHA-512", NEW, RSA, { .suite = ECDHE_RSA_GCM, .scheme = 0x0601 }, { 0 },
		  0 },
		{ "RFC 8446 4.2.3: RSASSA-PSS in TLS 1.2", NEW, RSA, { .suite = ECDHE_RSA_GCM, .scheme = 0x0806 },
		  { 0 }, 0 },
		{ "RSA for RSASSA-PSS alone", NEW, PSS, { .suite = ECDHE_RSA_GCM }, { 0 }, 0 },
		{ "RFC 8422 5.3: Ed25519 in ECDHE_ECDSA", NEW, ED25519, { 0 }, { 0 }, 0 },
		{ "P-384", NEW, P384, { 0 }, { 0 }, 0 },
		{ "RFC 5246 7.4.1.4.1: P-384 with SHA-256", NEW, P384, { .scheme = 0x0403 }, { 0 }, 0 },
		{ "x25519", NEW, EC, { .group = 0x001d }, { 0 }, 0 },
		{ "secp384r1", NEW, EC, { .group = 0x0018 }, { 0 }, 0 },
		{ "no extensions", NEW, EC, { .extensions = "-" }, { 0 }, 0 },
		{ "an empty list of extensions", NEW, EC, { .extensions = "" }, { 0 }, 0 },
		{ "a session id", NEW, EC, { .session_id = "0102030405060708" }, { 0 }, 0 },
		{ "many extensions", NEW, EC,
		  { .extensions = FAKE12_EMS FAKE12_RENEGOTIATION
				 "0000 0000 000b 0004 03 000102 000a 0004 0002 001d 001c 0002 4000 " }, { 0 }, 0 },
		{ "a client certificate is asked for", NEW, EC, { .request = true }, { 0 }, 0 },
		{ "RSA key transport", LEGACY, RSA, { .suite = RSA_GCM }, { 0 }, 0 },
		{ "RSA key transport, no extended master secret", LEGACY, RSA_ENCIPHER, { .suite = RSA_GCM,
		  .extensions = "" }, { 0 }, 0 },
		{ "DHE", LEGACY, RSA, { .suite = DHE_RSA_GCM }, { 0 }, 0 },
		{ "DHE with ffdhe3072", LEGACY12, RSA, { .suite = DHE_RSA_GCM, .group = 0x0101 }, { 0 }, 0 },
		{ "CBC", LEGACY, EC, { .suite = ECDHE_ECDSA_CBC }, { 0 }, 0 },
		{ "CBC, encrypt_then_mac", LEGACY, EC, { .suite = ECDHE_ECDSA_CBC,
		  .extensions = FAKE12_EMS FAKE12_ETM }, { 0 }, 0 },
		{ "TLS 1.1", LEGACY, EC, { .version = ENGINE_TLS11, .suite = ECDHE_ECDSA_CBC }, { 0 }, 0 },
		{ "TLS 1.1, RSA", LEGACY, RSA, { .version = ENGINE_TLS11, .suite = ECDHE_RSA_CBC }, { 0 }, 0 },
		{ "TLS 1.1, request", LEGACY, RSA, { .version = ENGINE_TLS11, .suite = ECDHE_RSA_CBC,
		  .request = true }, { 0 }, 0 },
		{ "TLS 1.0", LEGACY, EC, { .version = ENGINE_TLS10, .suite = ECDHE_ECDSA_CBC }, { 0 }, 0 },
		{ "TLS 1.0, RSA key transport", LEGACY, RSA, { .version = ENGINE_TLS10, .suite = RSA_CBC }, { 0 }, 0 },
		{ "TLS 1.0, DHE, encrypt_then_mac", LEGACY, RSA, { .version = ENGINE_TLS10, .suite = DHE_RSA_CBC,
		  .extensions = FAKE12_EMS FAKE12_ETM }, { 0 }, 0 },
	};

	(void)unused;
	CHECK(rows);
}

static void test_server_hello(void **unused)
{
	static const struct row rows[] = {
		{ "7.4.1.3: TLS 1.1 is not wanted", NEW, EC, { .version = ENGINE_TLS11, .suite = ECDHE_ECDSA_CBC },
		  { 0 }, ALERT_PROTOCOL_VERSION },
		{ "TLS 1.0 is not wanted", LEGACY12, EC, { .version = ENGINE_TLS10, .suite = ECDHE_ECDSA_CBC }, { 0 },
		  ALERT_PROTOCOL_VERSION },
		{ "RFC 8446 D.5: SSL 3.0", LEGACY, EC, { .version = 0x0300, .suite = RSA_CBC }, { 0 },
		  ALERT_PROTOCOL_VERSION },
		{ "SSL 2.0", LEGACY, EC, { .version = 0x0002 }, { 0 }, ALERT_PROTOCOL_VERSION },
		{ "TLS 1.3 as legacy_version", NEW, EC, { .version = ENGINE_TLS13 }, { 0 }, ALERT_PROTOCOL_VERSION },
		{ "TLS 1.3 that was not offered", OLD, EC, { .version = ENGINE_TLS13 }, { 0 }, ALERT_PROTOCOL_VERSION },
		{ "TLS 1.4", NEW, EC, { .version = 0x0305 }, { 0 }, ALERT_PROTOCOL_VERSION },
		{ "DTLS", NEW, EC, { .version = 0xfefd }, { 0 }, ALERT_PROTOCOL_VERSION },
		{ "a suite of the legacy profile", NEW, EC, { .suite = ECDHE_ECDSA_CBC }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "a suite of TLS 1.3", NEW, EC, { .suite = 0x1301 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "a suite that does not exist", NEW, EC, { .suite = 0x5a5a }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "the SCSV of RFC 5746", NEW, EC, { .suite = 0x00ff }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "the SCSV of RFC 7507", NEW, EC, { .suite = 0x5600 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "no encryption", LEGACY, EC, { .suite = 0x0001 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "RC4", LEGACY, EC, { .suite = 0x0005 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "an anonymous suite", LEGACY, EC, { .suite = 0x0034 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "an AEAD in TLS 1.1", LEGACY, EC, { .version = ENGINE_TLS11 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "SHA-256 in TLS 1.0", LEGACY, EC, { .version = ENGINE_TLS10, .suite = 0xc023 }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "compression", NEW, EC, { .compression = 1 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "the echo of a random session id", NEW, EC, { .session_id = "echo" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "a session id of 33 bytes", NEW, EC,
		  { .session_id = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20" }, { 0 },
		  ALERT_DECODE_ERROR },
		{ "a ServerHello that is cut off", NEW, EC, { 0 }, { HS_SERVER_HELLO, FAKE12_CUT, 1, NULL },
		  ALERT_DECODE_ERROR },
		{ "a ServerHello that goes on", NEW, EC, { 0 }, { HS_SERVER_HELLO, FAKE12_APPEND, 0, "00" },
		  ALERT_DECODE_ERROR },
		{ "an empty ServerHello", NEW, EC, { 0 }, { HS_SERVER_HELLO, FAKE12_REPLACE, 0, "" },
		  ALERT_DECODE_ERROR },
		{ "half a list of extensions", NEW, EC, { .extensions = "-" }, { HS_SERVER_HELLO, FAKE12_APPEND, 0,
		  "00" }, ALERT_DECODE_ERROR },
		{ "a second ServerHello", NEW, EC, { 0 }, { HS_SERVER_HELLO, FAKE12_TWICE, 0, NULL },
		  ALERT_UNEXPECTED_MESSAGE },
		{ "RFC 8446 4.1.3: the sentinel of TLS 1.2", NEW, EC, { .sentinel = "444f574e47524401" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "the sentinel of TLS 1.1", NEW, EC, { .sentinel = "444f574e47524400" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "the sentinel of TLS 1.1 in TLS 1.1", LEGACY, EC, { .version = ENGINE_TLS11,
		  .suite = ECDHE_ECDSA_CBC, .sentinel = "444f574e47524400" }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "a sentinel where TLS 1.2 was all that was offered", OLD, EC, { .sentinel = "444f574e47524401" },
		  { 0 }, 0 },
		{ "nearly a sentinel", NEW, EC, { .sentinel = "444f574e47524402" }, { 0 }, 0 },
	};

	(void)unused;
	CHECK(rows);
}

static void test_extensions_of_server_hello(void **unused)
{
	static const struct row rows[] = {
		{ "RFC 5246 7.4.1.4: one that nobody knows", NEW, EC, { .extensions = "1234 0000" }, { 0 },
		  ALERT_UNSUPPORTED_EXTENSION },
		{ "GREASE", NEW, EC, { .extensions = "8a8a 0000" }, { 0 }, ALERT_UNSUPPORTED_EXTENSION },
		{ "max_fragment_length", NEW, EC, { .extensions = "0001 0001 01" }, { 0 },
		  ALERT_UNSUPPORTED_EXTENSION },
		{ "heartbeat", NEW, EC, { .extensions = "000f 0001 01" }, { 0 }, ALERT_UNSUPPORTED_EXTENSION },
		{ "signed_certificate_timestamp", NEW, EC, { .extensions = "0012 0000" }, { 0 },
		  ALERT_UNSUPPORTED_EXTENSION },
		{ "ALPN that was not offered", NEW, EC, { .extensions = "0010 0005 0003 02 6832" }, { 0 },
		  ALERT_UNSUPPORTED_EXTENSION },
		{ "encrypt_then_mac that was not offered", NEW, EC, { .extensions = FAKE12_ETM }, { 0 },
		  ALERT_UNSUPPORTED_EXTENSION },
		{ "session_ticket that was not offered", OLD, EC, { .extensions = FAKE12_TICKET }, { 0 },
		  ALERT_UNSUPPORTED_EXTENSION },
		{ "key_share that was not offered", OLD, EC, { .extensions = "0033 0004 001d 0000" }, { 0 },
		  ALERT_UNSUPPORTED_EXTENSION },
		{ "supported_versions that was not offered", OLD, EC, { .extensions = "002b 0002 0303" }, { 0 },
		  ALERT_UNSUPPORTED_EXTENSION },
		{ "RFC 8446 4.2: key_share of TLS 1.3", NEW, EC, { .extensions = "0033 0004 001d 0000" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "signature_algorithms", NEW, EC, { .extensions = "000d 0004 0002 0403" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "RFC 8446 4.2.1: supported_versions with TLS 1.2", NEW, EC, { .extensions = "002b 0002 0303" },
		  { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "an extension twice", NEW, EC, { .extensions = FAKE12_EMS FAKE12_EMS }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "an extension that is cut off", NEW, EC, { .extensions = "0017 0001" }, { 0 }, ALERT_DECODE_ERROR },
		{ "a type without a length", NEW, EC, { .extensions = FAKE12_EMS "ff" }, { 0 }, ALERT_DECODE_ERROR },
		{ "RFC 6066 3: server_name with a name", NEW, EC,
		  { .extensions = "0000 000e 000c 00 0009 6c6f63616c686f7374" }, { 0 }, ALERT_DECODE_ERROR },
		{ "extended_master_secret with content", NEW, EC, { .extensions = "0017 0001 00" }, { 0 },
		  ALERT_DECODE_ERROR },
		{ "encrypt_then_mac with content", LEGACY, EC, { .suite = ECDHE_ECDSA_CBC,
		  .extensions = "0016 0001 00" }, { 0 }, ALERT_DECODE_ERROR },
		{ "status_request with content", NEW, EC, { .extensions = "0005 0001 01" }, { 0 }, ALERT_DECODE_ERROR },
		{ "RFC 7366 3: encrypt_then_mac with an AEAD", LEGACY, EC, { .extensions = FAKE12_ETM }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "RFC 5746 3.4: a renegotiation", NEW, EC, { .extensions = "ff01 0002 01 00" }, { 0 },
		  ALERT_HANDSHAKE_FAILURE },
		{ "renegotiation_info without its list", NEW, EC, { .extensions = "ff01 0000" }, { 0 },
		  ALERT_DECODE_ERROR },
		{ "renegotiation_info that goes on", NEW, EC, { .extensions = "ff01 0002 00 00" }, { 0 },
		  ALERT_DECODE_ERROR },
		{ "RFC 8422 5.1.2: no uncompressed points", NEW, EC, { .extensions = "000b 0003 02 0102" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "an empty list of point formats", NEW, EC, { .extensions = "000b 0001 00" }, { 0 },
		  ALERT_DECODE_ERROR },
		{ "point formats that go on", NEW, EC, { .extensions = "000b 0003 01 00 00" }, { 0 },
		  ALERT_DECODE_ERROR },
		{ "malformed supported_groups", NEW, EC, { .extensions = "000a 0003 0001 00" }, { 0 },
		  ALERT_DECODE_ERROR },
		{ "RFC 8449 4: record_size_limit 63", NEW, EC, { .extensions = "001c 0002 003f" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "record_size_limit 2^14 + 1", NEW, EC, { .extensions = "001c 0002 4001" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "record_size_limit 64", NEW, EC, { .extensions = "001c 0002 0040" }, { 0 }, 0 },
		{ "record_size_limit of three bytes", NEW, EC, { .extensions = "001c 0003 004000" }, { 0 },
		  ALERT_DECODE_ERROR },
		{ "RFC 7301 3.1: one that was offered", ALPN, EC, { .extensions = "0010 0005 0003 02 6832" }, { 0 },
		  0 },
		{ "one that was not", ALPN, EC, { .extensions = "0010 0005 0003 02 6833" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "two at once", ALPN, EC, { .extensions = "0010 0008 0006 02 6832 02 6832" }, { 0 },
		  ALERT_DECODE_ERROR },
		{ "no name", ALPN, EC, { .extensions = "0010 0003 0001 00" }, { 0 }, ALERT_DECODE_ERROR },
		{ "no list", ALPN, EC, { .extensions = "0010 0000" }, { 0 }, ALERT_DECODE_ERROR },
	};

	(void)unused;
	CHECK(rows);
}

static void test_certificate(void **unused)
{
	static const struct row rows[] = {
		{ "RFC 5246 7.4.2: no certificate", NEW, EC, { 0 }, { HS_CERTIFICATE, FAKE12_REPLACE, 0, "000000" },
		  ALERT_DECODE_ERROR },
		{ "no list", NEW, EC, { 0 }, { HS_CERTIFICATE, FAKE12_REPLACE, 0, "" }, ALERT_DECODE_ERROR },
		{ "an empty certificate", NEW, EC, { 0 }, { HS_CERTIFICATE, FAKE12_REPLACE, 0, "000003 000000" },
		  ALERT_DECODE_ERROR },
		{ "a certificate that is cut off", NEW, EC, { 0 }, { HS_CERTIFICATE, FAKE12_CUT, 1, NULL },
		  ALERT_DECODE_ERROR },
		{ "a list that goes on", NEW, EC, { 0 }, { HS_CERTIFICATE, FAKE12_APPEND, 0, "00" },
		  ALERT_DECODE_ERROR },
		{ "a certificate that is none", NEW, EC, { 0 }, { HS_CERTIFICATE, FAKE12_REPLACE, 0,
		  "000005 000002 3000" }, ALERT_BAD_CERTIFICATE },
		{ "another name", NEW, OTHER_NAME, { 0 }, { 0 }, ALERT_BAD_CERTIFICATE },
		{ "no Certificate", NEW, EC, { 0 }, { HS_CERTIFICATE, FAKE12_SKIP, 0, NULL },
		  ALERT_UNEXPECTED_MESSAGE },
		{ "two", NEW, EC, { 0 }, { HS_CERTIFICATE, FAKE12_TWICE, 0, NULL }, ALERT_UNEXPECTED_MESSAGE },
		{ "an RSA key for ECDHE_ECDSA", NEW, RSA, { .suite = ECDHE_ECDSA_GCM }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "an EC key for ECDHE_RSA", NEW, EC, { .suite = ECDHE_RSA_GCM }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "RFC 8422 5.3: a curve that was not offered", CURVES, P384, { 0 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "keyUsage: a key that must not sign", NEW, RSA_ENCIPHER, { .suite = ECDHE_RSA_GCM }, { 0 },
		  ALERT_UNSUPPORTED_CERTIFICATE },
		{ "the same in DHE", LEGACY, RSA_ENCIPHER, { .suite = DHE_RSA_GCM }, { 0 },
		  ALERT_UNSUPPORTED_CERTIFICATE },
		{ "a key that must not encipher", LEGACY, RSA_SIGN, { .suite = RSA_GCM }, { 0 },
		  ALERT_UNSUPPORTED_CERTIFICATE },
		{ "RSA for RSASSA-PSS alone encrypts nothing", LEGACY, PSS, { .suite = RSA_GCM }, { 0 },
		  ALERT_UNSUPPORTED_CERTIFICATE },
	};

	(void)unused;
	CHECK(rows);
}

/* RFC 6066 8. What the response says is for test_ocsp. */
static void test_certificate_status(void **unused)
{
	static const struct row rows[] = {
		{ "announced and not sent", NEW, EC, { .extensions = FAKE12_EMS FAKE12_STATUS }, { 0 }, 0 },
		{ "announced and not sent, with a request", NEW, EC, { .extensions = FAKE12_EMS FAKE12_STATUS,
		  .request = true }, { 0 }, 0 },
		{ "announced and not sent, RSA key transport", LEGACY, RSA, { .suite = RSA_GCM,
		  .extensions = FAKE12_EMS FAKE12_STATUS }, { 0 }, 0 },
		{ "the same with a request", LEGACY, RSA, { .suite = RSA_GCM, .extensions = FAKE12_STATUS,
		  .request = true }, { 0 }, 0 },
		{ "sent and not announced", NEW, EC, { .status = "00" }, { 0 }, ALERT_UNEXPECTED_MESSAGE },
		{ "an empty response", NEW, EC, { .extensions = FAKE12_STATUS, .status = "" }, { 0 },
		  ALERT_DECODE_ERROR },
		{ "a response that is none", NEW, EC, { .extensions = FAKE12_STATUS, .status = "3000" }, { 0 },
		  ALERT_BAD_CERTIFICATE_STATUS_RESPONSE },
		{ "another type", NEW, EC, { .extensions = FAKE12_STATUS, .status = "3000" }, { HS_CERTIFICATE_STATUS,
		  FAKE12_REPLACE, 0, "02 000002 3000" }, ALERT_ILLEGAL_PARAMETER },
		{ "nothing at all", NEW, EC, { .extensions = FAKE12_STATUS, .status = "3000" },
		  { HS_CERTIFICATE_STATUS, FAKE12_REPLACE, 0, "" }, ALERT_DECODE_ERROR },
		{ "a response that goes on", NEW, EC, { .extensions = FAKE12_STATUS, .status = "3000" },
		  { HS_CERTIFICATE_STATUS, FAKE12_APPEND, 0, "00" }, ALERT_DECODE_ERROR },
		{ "in its place a certificate", NEW, EC, { .extensions = FAKE12_STATUS }, { HS_CERTIFICATE,
		  FAKE12_TWICE, 0, NULL }, ALERT_UNEXPECTED_MESSAGE },
		{ "in its place ServerHelloDone", NEW, EC, { .extensions = FAKE12_STATUS }, { HS_SERVER_KEY_EXCHANGE,
		  FAKE12_SKIP, 0, NULL }, ALERT_UNEXPECTED_MESSAGE },
		{ "in its place a request", NEW, EC, { .extensions = FAKE12_STATUS, .request = true },
		  { HS_SERVER_KEY_EXCHANGE, FAKE12_SKIP, 0, NULL }, ALERT_UNEXPECTED_MESSAGE },
		{ "in its place a ServerKeyExchange of RSA key transport", LEGACY, RSA, { .suite = RSA_GCM,
		  .extensions = FAKE12_STATUS }, { HS_SERVER_HELLO_DONE, FAKE12_BEFORE, 0, "0c 000001 00" },
		  ALERT_UNEXPECTED_MESSAGE },
		{ "a certificate of another name whose status does not come", NEW, OTHER_NAME,
		  { .extensions = FAKE12_STATUS }, { 0 }, ALERT_BAD_CERTIFICATE },
	};

	(void)unused;
	CHECK(rows);
}

#define ON_P256 "04 6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296 4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
#define ZEROS32 "0000000000000000000000000000000000000000000000000000000000000000"

static void test_server_key_exchange_with_curves(void **unused)
{
	static const struct row rows[] = {
		{ "RFC 8422 5.4: a prime curve with parameters", NEW, EC, { 0 }, { HS_SERVER_KEY_EXCHANGE,
		  FAKE12_FLIP, 0, NULL }, ALERT_ILLEGAL_PARAMETER },
		{ "a group that we do not know", NEW, EC, { .group = 0x001a }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "a group that was not offered", CURVES, EC, { .group = 0x0018 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "RFC 7919 2: an FFDHE group", LEGACY, EC, { .group = 0x0100, .share = "04" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "a KEM of TLS 1.3", NEW, EC, { .group = 0x11ec, .share = "04" }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "no point", NEW, EC, { .share = "" }, { 0 }, ALERT_DECODE_ERROR },
		{ "the point at infinity", NEW, EC, { .share = "00" }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "a compressed point", NEW, EC,
		  { .share = "03 6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "a hybrid point", NEW, EC,
		  { .share = "07 6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296 "
			    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5" },
		  { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "a point off the curve", NEW, EC, { .share = "04" ZEROS32 ZEROS32 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "a point that is too short", NEW, EC, { .share = "04" ZEROS32 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "a point that goes on", NEW, EC, { .share = ON_P256 "00" }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "RFC 8422 5.11: an x25519 share that gives zeros", NEW, EC, { .group = 0x001d, .share = ZEROS32 },
		  { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "another one", NEW, EC, { .group = 0x001d,
		  .share = "0100000000000000000000000000000000000000000000000000000000000000" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "an x25519 share of 33 bytes", NEW, EC, { .group = 0x001d, .share = ZEROS32 "09" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "an x25519 share of 31 bytes", NEW, EC, { .group = 0x001d, .share = "09" }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "nothing", NEW, EC, { 0 }, { HS_SERVER_KEY_EXCHANGE, FAKE12_REPLACE, 0, "" }, ALERT_DECODE_ERROR },
		{ "a curve and no more", NEW, EC, { 0 }, { HS_SERVER_KEY_EXCHANGE, FAKE12_REPLACE, 0, "03 0017" },
		  ALERT_DECODE_ERROR },
		{ "no signature", NEW, EC, { 0 }, { HS_SERVER_KEY_EXCHANGE, FAKE12_REPLACE, 0, "03 0017 41" ON_P256 },
		  ALERT_DECODE_ERROR },
		{ "no signature but its scheme", NEW, EC, { 0 }, { HS_SERVER_KEY_EXCHANGE, FAKE12_REPLACE, 0,
		  "03 0017 41" ON_P256 "0403" }, ALERT_DECODE_ERROR },
		{ "an empty signature", NEW, EC, { 0 }, { HS_SERVER_KEY_EXCHANGE, FAKE12_REPLACE, 0,
		  "03 0017 41" ON_P256 "0403 0000" }, ALERT_DECRYPT_ERROR },
		{ "cut off", NEW, EC, { 0 }, { HS_SERVER_KEY_EXCHANGE, FAKE12_CUT, 1, NULL }, ALERT_DECODE_ERROR },
		{ "going on", NEW, EC, { 0 }, { HS_SERVER_KEY_EXCHANGE, FAKE12_APPEND, 0, "00" }, ALERT_DECODE_ERROR },
		{ "7.4.3: a changed share", NEW, EC, { .group = 0x001d }, { HS_SERVER_KEY_EXCHANGE, FAKE12_FLIP, 10,
		  NULL }, ALERT_DECRYPT_ERROR },
		{ "a changed signature", NEW, EC, { 0 }, { HS_SERVER_KEY_EXCHANGE, FAKE12_FLIP, -1, NULL },
		  ALERT_DECRYPT_ERROR },
		{ "a changed signature of RSA", NEW, RSA, { .suite = ECDHE_RSA_GCM }, { HS_SERVER_KEY_EXCHANGE,
		  FAKE12_FLIP, -1, NULL }, ALERT_DECRYPT_ERROR },
		{ "a changed signature of TLS 1.0", LEGACY, RSA, { .version = ENGINE_TLS10, .suite = ECDHE_RSA_CBC },
		  { HS_SERVER_KEY_EXCHANGE, FAKE12_FLIP, -1, NULL }, ALERT_DECRYPT_ERROR },
		{ "a changed signature of TLS 1.1, ECDSA", LEGACY, EC, { .version = ENGINE_TLS11,
		  .suite = ECDHE_ECDSA_CBC }, { HS_SERVER_KEY_EXCHANGE, FAKE12_FLIP, -1, NULL }, ALERT_DECRYPT_ERROR },
		{ "7.4.1.4.1: SHA-1 was not offered", LEGACY, RSA, { .suite = ECDHE_RSA_GCM, .scheme = 0x0201 },
		  { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "nor with ECDSA", LEGACY, EC, { .scheme = 0x0203 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "MD5", LEGACY, RSA, { .suite = ECDHE_RSA_GCM, .scheme = 0x0101 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "no signature algorithm", NEW, EC, { .scheme = 0x0400 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "scheme 0", LEGACY, EC, { .scheme = 0 }, { HS_SERVER_KEY_EXCHANGE, FAKE12_REPLACE, 0,
		  "03 0017 41" ON_P256 "0000 0000" }, ALERT_ILLEGAL_PARAMETER },
		{ "our number for TLS 1.0", LEGACY, RSA, { .suite = ECDHE_RSA_GCM, .scheme = 0xff01 }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "RSA with a key of EC", NEW, EC, { .scheme = 0x0804 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "ECDSA with a key of RSA", NEW, RSA, { .suite = ECDHE_RSA_GCM, .scheme = 0x0403 }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "Ed25519 with a key of ECDSA", NEW, EC, { .scheme = 0x0807 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "ECDSA with a key of Ed25519", NEW, ED25519, { .scheme = 0x0403 }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "PKCS1 with a key for RSASSA-PSS", NEW, PSS, { .suite = ECDHE_RSA_GCM, .scheme = 0x0401 }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "rsa_pss_pss with a plain RSA key", NEW, RSA, { .suite = ECDHE_RSA_GCM, .scheme = 0x0809 }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "no ServerKeyExchange", NEW, EC, { 0 }, { HS_SERVER_KEY_EXCHANGE, FAKE12_SKIP, 0, NULL },
		  ALERT_UNEXPECTED_MESSAGE },
		{ "none, and a request", NEW, EC, { .request = true }, { HS_SERVER_KEY_EXCHANGE, FAKE12_SKIP, 0,
		  NULL }, ALERT_UNEXPECTED_MESSAGE },
		{ "two", NEW, EC, { 0 }, { HS_SERVER_KEY_EXCHANGE, FAKE12_TWICE, 0, NULL }, ALERT_UNEXPECTED_MESSAGE },
		{ "one in RSA key transport", LEGACY, RSA, { .suite = RSA_GCM }, { HS_SERVER_HELLO_DONE,
		  FAKE12_BEFORE, 0, "0c 000004 00000000" }, ALERT_UNEXPECTED_MESSAGE },
	};

	(void)unused;
	CHECK(rows);
}

/* 1024 bits, RFC 2409 6.2 */
#define P1024                                                                                                       \
	"FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"                  \
	"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"                  \
	"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"

static void test_server_key_exchange_with_prime_fields(void **unused)
{
	static const struct row rows[] = {
		{ "RFC 7919 3: 1024 bits", LEGACY, RSA, { .suite = DHE_RSA_GCM, .p = P1024 }, { 0 },
		  ALERT_INSUFFICIENT_SECURITY },
		{ "p is 0", LEGACY, RSA, { .suite = DHE_RSA_GCM, .p = "00" }, { 0 }, ALERT_INSUFFICIENT_SECURITY },
		{ "1024 bits behind zeros", LEGACY, RSA, { .suite = DHE_RSA_GCM,
		  .p = ZEROS32 ZEROS32 ZEROS32 ZEROS32 P1024 }, { 0 }, ALERT_INSUFFICIENT_SECURITY },
		{ "g is 1", LEGACY, RSA, { .suite = DHE_RSA_GCM, .g = "01" }, { 0 }, ALERT_HANDSHAKE_FAILURE },
		{ "g is 0", LEGACY, RSA, { .suite = DHE_RSA_GCM, .g = "00" }, { 0 }, ALERT_HANDSHAKE_FAILURE },
		{ "the share is 0", LEGACY, RSA, { .suite = DHE_RSA_GCM, .share = "00" }, { 0 },
		  ALERT_HANDSHAKE_FAILURE },
		{ "the share is 1", LEGACY, RSA, { .suite = DHE_RSA_GCM, .share = "01" }, { 0 },
		  ALERT_HANDSHAKE_FAILURE },
		{ "the share is 1 behind a zero", LEGACY, RSA, { .suite = DHE_RSA_GCM, .share = "0001" }, { 0 },
		  ALERT_HANDSHAKE_FAILURE },
		{ "no p", LEGACY, RSA, { .suite = DHE_RSA_GCM, .p = "" }, { 0 }, ALERT_DECODE_ERROR },
		{ "no g", LEGACY, RSA, { .suite = DHE_RSA_GCM, .g = "" }, { 0 }, ALERT_DECODE_ERROR },
		{ "no share", LEGACY, RSA, { .suite = DHE_RSA_GCM, .share = "" }, { 0 }, ALERT_DECODE_ERROR },
		{ "a changed share", LEGACY, RSA, { .suite = DHE_RSA_GCM }, { HS_SERVER_KEY_EXCHANGE, FAKE12_FLIP,
		  300, NULL }, ALERT_DECRYPT_ERROR },
		{ "cut off", LEGACY, RSA, { .suite = DHE_RSA_GCM }, { HS_SERVER_KEY_EXCHANGE, FAKE12_CUT, 1, NULL },
		  ALERT_DECODE_ERROR },
		{ "going on", LEGACY, RSA, { .suite = DHE_RSA_GCM }, { HS_SERVER_KEY_EXCHANGE, FAKE12_APPEND, 0,
		  "00" }, ALERT_DECODE_ERROR },
	};
	static char share[3 * 257];

	(void)unused;
	CHECK(rows);
	/* p, p - 1, p - 2 */
	for (int less = 0; less < 3; less++) {
		struct row row = { "a share at the upper end", LEGACY, RSA, { .suite = DHE_RSA_GCM, .share = share }, { 0 }, 0 };
		const uint8_t *p = crypto_ffdhe_prime(CRYPTO_FFDHE2048);

		for (size_t i = 0; i < 256; i++) {
			(void)snprintf(share + 2 * i, 3, "%02x", p[i] - (i == 255 ? less : 0));
		}
		begin(row.kind, row.server);
		fake12_handshake(&fake, &row.choice, NULL);
		if (less < 2) {
			fake12_expect(&fake, ALERT_HANDSHAKE_FAILURE, row.name);
		} else {
			/* in bounds: the client goes on, and the keys do not fit the share that this server knows */
			assert_int_equal(fake.alert, FAKE12_NO_ALERT);
			assert_true(fake.hs->state == HS12_WAIT_SERVER_CCS);
		}
		fake12_end(&fake);
	}
}

static void test_certificate_request_and_server_hello_done(void **unused)
{
	static const struct row rows[] = {
		{ "RFC 5246 7.4.4: no types", NEW, EC, { .request = true }, { HS_CERTIFICATE_REQUEST, FAKE12_REPLACE,
		  0, "00 0002 0403 0000" }, ALERT_DECODE_ERROR },
		{ "no schemes", NEW, EC, { .request = true }, { HS_CERTIFICATE_REQUEST, FAKE12_REPLACE, 0,
		  "01 40 0000 0000" }, ALERT_DECODE_ERROR },
		{ "one and a half", NEW, EC, { .request = true }, { HS_CERTIFICATE_REQUEST, FAKE12_REPLACE, 0,
		  "01 40 0003 040305 0000" }, ALERT_DECODE_ERROR },
		{ "an empty name", NEW, EC, { .request = true }, { HS_CERTIFICATE_REQUEST, FAKE12_REPLACE, 0,
		  "01 40 0002 0403 0002 0000" }, ALERT_DECODE_ERROR },
		{ "a name that is cut off", NEW, EC, { .request = true }, { HS_CERTIFICATE_REQUEST, FAKE12_REPLACE, 0,
		  "01 40 0002 0403 0003 0002 30" }, ALERT_DECODE_ERROR },
		{ "no names", NEW, EC, { .request = true }, { HS_CERTIFICATE_REQUEST, FAKE12_REPLACE, 0,
		  "01 40 0002 0403" }, ALERT_DECODE_ERROR },
		{ "the form of TLS 1.1", NEW, EC, { .request = true }, { HS_CERTIFICATE_REQUEST, FAKE12_REPLACE, 0,
		  "01 40 0000" }, ALERT_DECODE_ERROR },
		{ "the form of TLS 1.2 in TLS 1.1", LEGACY, EC, { .version = ENGINE_TLS11, .suite = ECDHE_ECDSA_CBC,
		  .request = true }, { HS_CERTIFICATE_REQUEST, FAKE12_REPLACE, 0, "01 40 0002 0403 0000" },
		  ALERT_DECODE_ERROR },
		{ "nothing", NEW, EC, { .request = true }, { HS_CERTIFICATE_REQUEST, FAKE12_REPLACE, 0, "" },
		  ALERT_DECODE_ERROR },
		{ "going on", NEW, EC, { .request = true }, { HS_CERTIFICATE_REQUEST, FAKE12_APPEND, 0, "00" },
		  ALERT_DECODE_ERROR },
		{ "types and schemes that nobody knows", NEW, EC, { .request = true }, { HS_CERTIFICATE_REQUEST,
		  FAKE12_REPLACE, 0, "02 2a ff 0004 2a2a 0102 0000" }, 0 },
		{ "a name", NEW, EC, { .request = true }, { HS_CERTIFICATE_REQUEST, FAKE12_REPLACE, 0,
		  "01 40 0002 0403 0004 0002 3000" }, 0 },
		{ "two requests", NEW, EC, { .request = true }, { HS_CERTIFICATE_REQUEST, FAKE12_TWICE, 0, NULL },
		  ALERT_UNEXPECTED_MESSAGE },
		{ "a request in front of ServerKeyExchange", NEW, EC, { 0 }, { HS_SERVER_KEY_EXCHANGE, FAKE12_BEFORE,
		  0, "0d 000008 01 40 0002 0403 0000" }, ALERT_UNEXPECTED_MESSAGE },
		{ "7.4.5: ServerHelloDone with content", NEW, EC, { 0 }, { HS_SERVER_HELLO_DONE, FAKE12_REPLACE, 0,
		  "00" }, ALERT_DECODE_ERROR },
		{ "two", NEW, EC, { 0 }, { HS_SERVER_HELLO_DONE, FAKE12_TWICE, 0, NULL }, ALERT_UNEXPECTED_MESSAGE },
		{ "none", NEW, EC, { 0 }, { HS_SERVER_HELLO_DONE, FAKE12_REPLACE, 0, "" }, 0 },
		{ "more in its record", NEW, EC, { 0 }, { HS_SERVER_HELLO_DONE, FAKE12_BEHIND, 0, "14 000000" },
		  ALERT_UNEXPECTED_MESSAGE },
		{ "a HelloRequest in its record", NEW, EC, { 0 }, { HS_SERVER_HELLO_DONE, FAKE12_BEHIND, 0,
		  "00 000000" }, 0 },
	};

	(void)unused;
	CHECK(rows);
}

static void test_the_end_of_a_handshake(void **unused)
{
	static const struct row rows[] = {
		{ "RFC 5246 7.1: no ChangeCipherSpec", NEW, EC, { 0 }, { HS_CHANGE_CIPHER_SPEC, FAKE12_SKIP, 0,
		  NULL }, ALERT_UNEXPECTED_MESSAGE },
		{ "of another value", NEW, EC, { 0 }, { HS_CHANGE_CIPHER_SPEC, FAKE12_REPLACE, 0, "02" },
		  ALERT_ILLEGAL_PARAMETER },
		{ "of value 0", NEW, EC, { 0 }, { HS_CHANGE_CIPHER_SPEC, FAKE12_REPLACE, 0, "00" },
		  ALERT_ILLEGAL_PARAMETER },
		{ "of two bytes", NEW, EC, { 0 }, { HS_CHANGE_CIPHER_SPEC, FAKE12_REPLACE, 0, "0101" },
		  ALERT_UNEXPECTED_MESSAGE },
		{ "empty", NEW, EC, { 0 }, { HS_CHANGE_CIPHER_SPEC, FAKE12_REPLACE, 0, "" }, ALERT_UNEXPECTED_MESSAGE },
		{ "two: the second is not protected", NEW, EC, { 0 }, { HS_CHANGE_CIPHER_SPEC, FAKE12_TWICE, 0,
		  NULL }, ALERT_BAD_RECORD_MAC },
		{ "7.4.9: a wrong Finished", NEW, EC, { 0 }, { HS_FINISHED, FAKE12_FLIP, 0, NULL },
		  ALERT_DECRYPT_ERROR },
		{ "wrong at its end", NEW, EC, { 0 }, { HS_FINISHED, FAKE12_FLIP, -1, NULL }, ALERT_DECRYPT_ERROR },
		{ "wrong in TLS 1.0", LEGACY, EC, { .version = ENGINE_TLS10, .suite = ECDHE_ECDSA_CBC },
		  { HS_FINISHED, FAKE12_FLIP, -1, NULL }, ALERT_DECRYPT_ERROR },
		{ "too short", NEW, EC, { 0 }, { HS_FINISHED, FAKE12_CUT, 1, NULL }, ALERT_DECODE_ERROR },
		{ "too long", NEW, EC, { 0 }, { HS_FINISHED, FAKE12_APPEND, 0, "00" }, ALERT_DECODE_ERROR },
		{ "empty", NEW, EC, { 0 }, { HS_FINISHED, FAKE12_REPLACE, 0, "" }, ALERT_DECODE_ERROR },
		{ "far too long", NEW, EC, { 0 }, { HS_FINISHED, FAKE12_APPEND, 0, ZEROS32 ZEROS32 },
		  ALERT_DECODE_ERROR },
		{ "another message in its place", NEW, EC, { 0 }, { HS_FINISHED, FAKE12_BEFORE, 0, "0e 000000" },
		  ALERT_UNEXPECTED_MESSAGE },
		{ "more in its record", NEW, EC, { 0 }, { HS_FINISHED, FAKE12_BEHIND, 0, "04 000006 00000000 0000" },
		  ALERT_UNEXPECTED_MESSAGE },
		{ "a HelloRequest in its record", NEW, EC, { 0 }, { HS_FINISHED, FAKE12_BEHIND, 0, "00 000000" }, 0 },
		{ "a wrong one", NEW, EC, { 0 }, { HS_FINISHED, FAKE12_BEHIND, 0, "00 000001 00" },
		  ALERT_UNEXPECTED_MESSAGE },
		{ "RFC 5077 3.3: a ticket that was not announced", NEW, EC, { .ticket = true }, { 0 },
		  ALERT_UNEXPECTED_MESSAGE },
	};

	(void)unused;
	CHECK(rows);
}

/* RFC 5246 7.4.1.1: ignored in a handshake, at any place, and part of no transcript. */
static void test_hello_requests_in_a_handshake_are_ignored(void **unused)
{
	static const struct row rows[] = {
		{ "in front of ServerHello", NEW, EC, { 0 }, { HS_SERVER_HELLO, FAKE12_BEFORE, 0, "00 000000" }, 0 },
		{ "in front of Certificate", NEW, EC, { 0 }, { HS_CERTIFICATE, FAKE12_BEFORE, 0,
		  "00 000000 00 000000" }, 0 },
		{ "in front of ServerHelloDone", NEW, EC, { 0 }, { HS_SERVER_HELLO_DONE, FAKE12_BEFORE, 0,
		  "00 000000" }, 0 },
		{ "in front of Finished", OLD, EC, { 0 }, { HS_FINISHED, FAKE12_BEFORE, 0, "00 000000" }, 0 },
		{ "with content", NEW, EC, { 0 }, { HS_CERTIFICATE, FAKE12_BEFORE, 0, "00 000001 00" },
		  ALERT_DECODE_ERROR },
	};
	static const uint8_t request[4] = { 0 };

	(void)unused;
	CHECK(rows);
	/* not without end */
	begin(NEW, EC);
	for (int i = 0; i < 33; i++) {
		fake12_send_record(&fake, CONTENT_HANDSHAKE, request, sizeof(request));
	}
	fake12_expect(&fake, ALERT_UNEXPECTED_MESSAGE, "a flood");
	fake12_end(&fake);
}

/* clang-format on */

/* ---- records ---- */

/* Messages in any pieces, or all in one. RFC 5246 6.2.1 */
static void test_messages_in_any_pieces(void **unused)
{
	static const size_t pieces[] = {1, 2, 3, 4, 5, 7, 100, 0};

	(void)unused;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		for (int coalesce = 0; coalesce < 2; coalesce++) {
			begin(NEW, EC);
			fake.piece = pieces[i];
			fake.coalesce = coalesce == 1;
			fake12_handshake(&fake, &(struct fake12_choice){.request = true}, NULL);
			fake12_expect(&fake, 0, "pieces");
			fake12_end(&fake);
		}
	}
}

/* One record, in front of a message of the server's: what becomes of it? */
struct stray {
	uint16_t before;
	uint8_t type;
	uint16_t version; /* 0: the right one */
	const char *hex;
	unsigned alert; /* 0: a connection all the same */
	const char *what;
};
static const struct stray *stray_now;

static void send_stray(struct fake12 *f)
{
	uint8_t out[ENGINE_RECORD_HEADER_LEN + 64];
	const size_t len = fake12_hex(out + ENGINE_RECORD_HEADER_LEN, 64, stray_now->hex);

	if (f->send_cipher != NULL || stray_now->version == 0) {
		fake12_send_record(f, stray_now->type, out + ENGINE_RECORD_HEADER_LEN, len);
		return;
	}
	record_build_header(out, stray_now->type, stray_now->version, len);
	fake12_send_bytes(f, out, ENGINE_RECORD_HEADER_LEN + len);
}

static void check_stray(enum kind kind, const struct stray *stray)
{
	begin(kind, EC);
	stray_now = stray;
	fake.before = send_stray;
	fake.before_type = stray->before;
	fake12_handshake(&fake, &(struct fake12_choice){.version = ENGINE_TLS12}, NULL);
	fake12_expect(&fake, stray->alert, stray->what);
	fake12_end(&fake);
}

/* TLS 1.3 lets a ChangeCipherSpec pass in front of ServerHello, TLS 1.2 does not. */
static void test_a_change_cipher_spec_in_front_of_server_hello(void **unused)
{
	static const struct stray stray = {HS_SERVER_HELLO,          CONTENT_CHANGE_CIPHER_SPEC, 0, "01",
					   ALERT_UNEXPECTED_MESSAGE, "in front of ServerHello"};

	(void)unused;
	check_stray(NEW, &stray);
	check_stray(OLD, &stray);
}

static void test_records_that_do_not_belong(void **unused)
{
	static const uint16_t places[] = {HS_SERVER_HELLO,      HS_CERTIFICATE,        HS_SERVER_KEY_EXCHANGE,
					  HS_SERVER_HELLO_DONE, HS_CHANGE_CIPHER_SPEC, HS_FINISHED};
	static const struct stray strays[] = {
		{0, CONTENT_HANDSHAKE, 0, "", ALERT_UNEXPECTED_MESSAGE, "an empty handshake record"},
		{0, CONTENT_ALERT, 0, "", ALERT_UNEXPECTED_MESSAGE, "an empty alert"},
		{0, CONTENT_ALERT, 0, "01", ALERT_DECODE_ERROR, "half an alert"},
		{0, CONTENT_ALERT, 0, "03 64", ALERT_ILLEGAL_PARAMETER, "an alert of level 3"},
		{0, CONTENT_ALERT, 0, "01 70", 0, "the warning unrecognized_name"},
		{0, CONTENT_ALERT, 0, "01 5a", 0, "the warning user_canceled"},
		{0, CONTENT_ALERT, 0, "01 64", 0, "the warning no_renegotiation"},
		{0, CONTENT_APPLICATION_DATA, 0, "01", ALERT_UNEXPECTED_MESSAGE, "application data"},
		{0, CONTENT_APPLICATION_DATA, 0, "", ALERT_UNEXPECTED_MESSAGE, "empty application data"},
		{0, 24, 0, "01", ALERT_UNEXPECTED_MESSAGE, "a record of unknown type"},
		{0, CONTENT_HANDSHAKE, ENGINE_TLS11, "0e000000", ALERT_PROTOCOL_VERSION, "another version"},
		{0, CONTENT_HANDSHAKE, ENGINE_TLS13, "0e000000", ALERT_PROTOCOL_VERSION,
		 "the version TLS 1.3"},
	};

	(void)unused;
	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++) {
			struct stray stray = strays[i];

			stray.before = places[p];
			/* in front of ServerHello any version goes; protected records are made with the right one */
			if ((places[p] == HS_SERVER_HELLO || places[p] == HS_FINISHED) &&
			    stray.version != 0) {
				continue;
			}
			/* nor has an alert a level before TLS 1.3 is ruled out */
			if (places[p] == HS_SERVER_HELLO && stray.alert == ALERT_ILLEGAL_PARAMETER) {
				continue;
			}
			check_stray(NEW, &stray);
		}
	}
}

static void test_change_cipher_spec_at_the_wrong_time(void **unused)
{
	static const uint16_t places[] = {HS_CERTIFICATE, HS_SERVER_KEY_EXCHANGE, HS_SERVER_HELLO_DONE};

	(void)unused;
	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		check_stray(NEW, &(struct stray){places[p], CONTENT_CHANGE_CIPHER_SPEC, 0, "01",
						 ALERT_UNEXPECTED_MESSAGE, "ChangeCipherSpec"});
	}
	check_stray(NEW, &(struct stray){HS_FINISHED, CONTENT_CHANGE_CIPHER_SPEC, 0, "01",
					 ALERT_UNEXPECTED_MESSAGE, "a second one, protected"});
}

static void send_warnings(struct fake12 *f)
{
	static const uint8_t warning[] = {ALERT_LEVEL_WARNING, ALERT_UNRECOGNIZED_NAME};

	for (int i = 0; i < 4; i++) {
		fake12_send_record(f, CONTENT_ALERT, warning, sizeof(warning));
	}
	assert_int_equal(engine_hs_error(f->hs), ENGINE_OK);
	fake12_send_record(f, CONTENT_ALERT, warning, sizeof(warning));
}

/*
 * RFC 5246 7.2: a warning is one, four are borne; fatal ones end the handshake, and so does close_notify, which is
 * answered by one.
 */
static void test_alerts(void **unused)
{
	static const char *const ends[] = {"02 28", "02 5a", "02 64", "02 ff", "01 00", "02 00"};
	static const uint8_t codes[] = {40, 90, 100, 255, 0, 0};

	(void)unused;
	for (size_t i = 0; i < sizeof(codes); i++) {
		const struct stray stray = {HS_CERTIFICATE, CONTENT_ALERT, 0, ends[i], 0, "alert"};

		begin(NEW, EC);
		stray_now = &stray;
		fake.before = send_stray;
		fake.before_type = HS_CERTIFICATE;
		fake12_handshake(&fake, &(struct fake12_choice){.version = ENGINE_TLS12}, NULL);
		assert_int_equal(engine_hs_error(fake.hs), ENGINE_ERR_PEER_ALERT);
		assert_int_equal(engine_hs_alert(fake.hs), codes[i]);
		fake12_read(&fake);
		assert_int_equal(fake.alert,
				 codes[i] == ALERT_CLOSE_NOTIFY ? ALERT_CLOSE_NOTIFY : FAKE12_NO_ALERT);
		assert_true(fake.alert != ALERT_CLOSE_NOTIFY || fake.alert_level == ALERT_LEVEL_WARNING);
		fake12_end(&fake);
	}
	begin(NEW, EC);
	fake.before = send_warnings;
	fake.before_type = HS_CERTIFICATE;
	fake12_handshake(&fake, &(struct fake12_choice){.version = ENGINE_TLS12}, NULL);
	fake12_expect(&fake, ALERT_UNEXPECTED_MESSAGE, "five warnings");
	fake12_end(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_servers_of_all_kinds_are_taken),
		cmocka_unit_test(test_server_hello),
		cmocka_unit_test(test_extensions_of_server_hello),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_certificate_status),
		cmocka_unit_test(test_server_key_exchange_with_curves),
		cmocka_unit_test(test_server_key_exchange_with_prime_fields),
		cmocka_unit_test(test_certificate_request_and_server_hello_done),
		cmocka_unit_test(test_the_end_of_a_handshake),
		cmocka_unit_test(test_hello_requests_in_a_handshake_are_ignored),
		cmocka_unit_test(test_messages_in_any_pieces),
		cmocka_unit_test(test_a_change_cipher_spec_in_front_of_server_hello),
		cmocka_unit_test(test_records_that_do_not_belong),
		cmocka_unit_test(test_change_cipher_spec_at_the_wrong_time),
		cmocka_unit_test(test_alerts),
	};

	return cmocka_run_group_tests_name("client12", tests, setup, teardown);
}
