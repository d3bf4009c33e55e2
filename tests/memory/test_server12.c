/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ClientHellos of TLS 1.2 and older, good and bad, and what a server makes of them. RFC 5246 7.4.1,
 * RFC 8422, RFC 7919.
 */
#include "tests/memory/server12_test.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))

#define ECDSA "server"
#define RSA   "rsa-both"

#define DEFAULT ENGINE_PROFILE_DEFAULT
#define LEGACY  ENGINE_PROFILE_LEGACY

/* ---- refusals ---- */

struct refused {
	const char *what;
	enum engine_profile profile;
	const char *credentials;
	struct raw12_hello hello;
	uint8_t alert;
};

/* clang-format off */
static const struct refused refused[] = {
	/* RFC 5246 7.4.1.2 */
	{ "compression without null", DEFAULT, ECDSA, { .compression = "01" }, ALERT_ILLEGAL_PARAMETER },
	{ "compressions without null", DEFAULT, ECDSA, { .compression = "01 40 ff" }, ALERT_ILLEGAL_PARAMETER },
	{ "no compression methods", DEFAULT, ECDSA, { .compression = "" }, ALERT_DECODE_ERROR },
	{ "no cipher suites", DEFAULT, ECDSA, { .suites = "" }, ALERT_DECODE_ERROR },
	{ "half a cipher suite", DEFAULT, ECDSA, { .suites = "c02b c0" }, ALERT_DECODE_ERROR },
	{ "a long session id", DEFAULT, ECDSA,
	  { .session_id = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00" }, ALERT_DECODE_ERROR },
	{ "unknown suites", DEFAULT, ECDSA, { .suites = "0a0a 1234 ffff 00ff" }, ALERT_HANDSHAKE_FAILURE },
	{ "suites of TLS 1.3", DEFAULT, ECDSA, { .suites = "1301 1302 1303" }, ALERT_HANDSHAKE_FAILURE },
	{ "NULL, export, RC4, DES, 3DES and anonymous suites", LEGACY, RSA " " ECDSA,
	  { .suites = "0001 0002 003b 0003 0006 0008 0004 0005 0009 000a c012 c006 c010 0018 001b 0034 c015 c018 006c" },
	  ALERT_HANDSHAKE_FAILURE },
	{ "suites of another profile", DEFAULT, RSA, { .suites = "c013 c014 009e 009c 002f 0033" },
	  ALERT_HANDSHAKE_FAILURE },
	{ "suites of RSA with a certificate of ECDSA", DEFAULT, ECDSA, { .suites = "c02f c030 cca8" },
	  ALERT_HANDSHAKE_FAILURE },
	{ "suites of ECDSA with a certificate of RSA", DEFAULT, RSA, { .suites = "c02b c02c cca9" },
	  ALERT_HANDSHAKE_FAILURE },
	{ "key transport with a key that is for signatures", LEGACY, "server-rsa2048", { .suites = "009c 002f 003c" },
	  ALERT_HANDSHAKE_FAILURE },
	{ "signatures with a key that is for encryption", LEGACY, "rsa-encipher", { .suites = "c02f 009e" },
	  ALERT_HANDSHAKE_FAILURE },

	/* versions: RFC 5246 E.1, RFC 7507, RFC 8446 D.5 */
	{ "TLS 1.1", DEFAULT, ECDSA, { .version = 0x0302 }, ALERT_PROTOCOL_VERSION },
	{ "TLS 1.0", DEFAULT, ECDSA, { .version = 0x0301 }, ALERT_PROTOCOL_VERSION },
	{ "SSL 3.0", LEGACY, RSA, { .version = 0x0300, .suites = "002f" }, ALERT_PROTOCOL_VERSION },
	{ "SSL 2.0", LEGACY, RSA, { .version = 0x0002, .suites = "002f" }, ALERT_PROTOCOL_VERSION },
	{ "version 0.0", LEGACY, RSA, { .version = 0x0000 + 1, .suites = "002f" }, ALERT_PROTOCOL_VERSION },
	{ "supported_versions without one of ours", DEFAULT, ECDSA,
	  { .extensions = RAW12_EXTENSIONS "002b 0005 04 0302 0301" }, ALERT_PROTOCOL_VERSION },
	{ "a fallback that is not needed", DEFAULT, ECDSA, { .suites = RAW12_ECDHE_SUITES "5600" },
	  ALERT_INAPPROPRIATE_FALLBACK },

	/* forms: RFC 5246 7.4.1.4 */
	{ "extensions cut short", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "0a0a 0001" }, ALERT_DECODE_ERROR },
	{ "an extension twice", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS RAW12_EMS }, ALERT_ILLEGAL_PARAMETER },
	{ "an unknown extension twice", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "4444 0000 4444 0000" },
	  ALERT_ILLEGAL_PARAMETER },

	/* signature_algorithms: RFC 5246 7.4.1.4.1, RFC 9155 2 */
	{ "no signature_algorithms", DEFAULT, ECDSA, { .extensions = RAW12_GROUPS RAW12_POINTS },
	  ALERT_HANDSHAKE_FAILURE },
	{ "no extensions", DEFAULT, RSA, { .extensions = "-" }, ALERT_HANDSHAKE_FAILURE },
	{ "signature_algorithms with SHA-1 and MD5", DEFAULT, RSA " " ECDSA,
	  { .extensions = RAW12_GROUPS "000d 0008 0006 0201 0203 0101" }, ALERT_HANDSHAKE_FAILURE },
	{ "signature_algorithms without our kind of key", DEFAULT, ECDSA,
	  { .extensions = RAW12_GROUPS "000d 0006 0004 0804 0401" }, ALERT_HANDSHAKE_FAILURE },
	{ "no signature_algorithms, and a key for RSASSA-PSS", LEGACY, "server-pss",
	  { .suites = "c02f 009c", .extensions = RAW12_GROUPS }, ALERT_HANDSHAKE_FAILURE },
	{ "signature_algorithms with SHA-224 and MD5", LEGACY, RSA " " ECDSA,
	  { .extensions = RAW12_GROUPS "000d 0008 0006 0301 0303 0101" }, ALERT_HANDSHAKE_FAILURE },
	{ "signature_algorithms_cert alone", LEGACY, RSA,
	  { .suites = "c02f 002f", .extensions = RAW12_GROUPS "0032 0004 0002 0401" }, ALERT_HANDSHAKE_FAILURE },
	{ "empty signature_algorithms", DEFAULT, ECDSA, { .extensions = RAW12_GROUPS "000d 0002 0000" },
	  ALERT_DECODE_ERROR },
	{ "signature_algorithms without a list", DEFAULT, ECDSA, { .extensions = RAW12_GROUPS "000d 0000" },
	  ALERT_DECODE_ERROR },
	{ "half a signature algorithm", DEFAULT, ECDSA, { .extensions = RAW12_GROUPS "000d 0005 0003 0403 05" },
	  ALERT_DECODE_ERROR },
	{ "signature_algorithms and a byte", DEFAULT, ECDSA, { .extensions = RAW12_GROUPS "000d 0005 0002 0403 00" },
	  ALERT_DECODE_ERROR },
	{ "signature_algorithms longer than they are", DEFAULT, ECDSA,
	  { .extensions = RAW12_GROUPS "000d 0006 0006 0403 0503" }, ALERT_DECODE_ERROR },
	{ "malformed signature_algorithms_cert", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "0032 0003 0001 04" },
	  ALERT_DECODE_ERROR },

	/* supported_groups: RFC 8422 5.1 */
	{ "empty supported_groups", DEFAULT, ECDSA, { .extensions = RAW12_SCHEMES "000a 0002 0000" },
	  ALERT_DECODE_ERROR },
	{ "half a group", DEFAULT, ECDSA, { .extensions = RAW12_SCHEMES "000a 0005 0003 001d 00" },
	  ALERT_DECODE_ERROR },
	{ "supported_groups and a byte", DEFAULT, ECDSA, { .extensions = RAW12_SCHEMES "000a 0005 0002 001d 00" },
	  ALERT_DECODE_ERROR },
	{ "unknown groups", DEFAULT, RSA, { .extensions = RAW12_SCHEMES "000a 0006 0004 0a0a 2bc0" },
	  ALERT_HANDSHAKE_FAILURE },
	{ "a KEM, which is for TLS 1.3", DEFAULT, RSA, { .extensions = RAW12_SCHEMES "000a 0004 0002 11ec" },
	  ALERT_HANDSHAKE_FAILURE },
	{ "groups without that of our certificate", DEFAULT, ECDSA,
	  { .extensions = RAW12_SCHEMES "000a 0004 0002 001d" },
	  ALERT_HANDSHAKE_FAILURE },
	{ "FFDHE groups and no other", DEFAULT, RSA, { .extensions = RAW12_SCHEMES "000a 0004 0002 0100" },
	  ALERT_HANDSHAKE_FAILURE },
	/* RFC 7919 4 */
	{ "unknown FFDHE groups", LEGACY, RSA, { .suites = "009e 0033 c02b",
	  .extensions = RAW12_SCHEMES "000a 0006 0004 01ff 0104" },
	  ALERT_INSUFFICIENT_SECURITY },
	{ "an FFDHE group from the reserved range, and a suite that nobody knows", LEGACY, RSA,
	  { .suites = "0002 0033", .extensions = RAW12_SCHEMES "000a 0004 0002 01fc" }, ALERT_INSUFFICIENT_SECURITY },

	/* ec_point_formats: RFC 8422 5.1.2 */
	{ "empty ec_point_formats", DEFAULT, ECDSA, { .extensions = RAW12_GROUPS RAW12_SCHEMES "000b 0001 00" },
	  ALERT_DECODE_ERROR },
	{ "ec_point_formats without a list", DEFAULT, ECDSA, { .extensions = RAW12_GROUPS RAW12_SCHEMES "000b 0000" },
	  ALERT_DECODE_ERROR },
	{ "ec_point_formats and a byte", DEFAULT, ECDSA,
	  { .extensions = RAW12_GROUPS RAW12_SCHEMES "000b 0003 01 00 00" },
	  ALERT_DECODE_ERROR },
	{ "ec_point_formats without the uncompressed one", DEFAULT, ECDSA,
	  { .extensions = RAW12_GROUPS RAW12_SCHEMES "000b 0003 02 01 02" }, ALERT_ILLEGAL_PARAMETER },

	/* RFC 7627 5.1, RFC 7366 2, RFC 5746 3.2, 3.6, RFC 8449 4 */
	{ "extended_master_secret with a body", DEFAULT, ECDSA,
	  { .extensions = RAW12_GROUPS RAW12_SCHEMES "0017 0001 00" }, ALERT_DECODE_ERROR },
	{ "encrypt_then_mac with a body", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "0016 0001 00" },
	  ALERT_DECODE_ERROR },
	{ "renegotiation_info that renegotiates", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "ff01 0002 01 00" },
	  ALERT_HANDSHAKE_FAILURE },
	{ "renegotiation_info of 12 bytes", DEFAULT, ECDSA,
	  { .extensions = RAW12_EXTENSIONS "ff01 000d 0c 000102030405060708090a0b" }, ALERT_HANDSHAKE_FAILURE },
	{ "renegotiation_info without a vector", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "ff01 0000" },
	  ALERT_DECODE_ERROR },
	{ "renegotiation_info shorter than it says", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "ff01 0001 01" },
	  ALERT_DECODE_ERROR },
	{ "renegotiation_info longer than it says", DEFAULT, ECDSA,
	  { .extensions = RAW12_EXTENSIONS "ff01 0002 00 00" },
	  ALERT_DECODE_ERROR },
	{ "record_size_limit of 63", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "001c 0002 003f" },
	  ALERT_ILLEGAL_PARAMETER },
	{ "record_size_limit of 0", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "001c 0002 0000" },
	  ALERT_ILLEGAL_PARAMETER },
	{ "record_size_limit of one byte", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "001c 0001 40" },
	  ALERT_DECODE_ERROR },
	{ "record_size_limit of three bytes", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "001c 0003 004000" },
	  ALERT_DECODE_ERROR },

	/* RFC 6066 3, 8; RFC 7301 */
	{ "malformed server_name", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "0000 0003 0001 00" },
	  ALERT_DECODE_ERROR },
	{ "a server_name that is no name", DEFAULT, ECDSA,
	  { .extensions = RAW12_EXTENSIONS "0000 0008 0006 00 0003 61 00 62" }, ALERT_ILLEGAL_PARAMETER },
	{ "status_request without a type", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "0005 0000" },
	  ALERT_DECODE_ERROR },
	{ "status_request cut short", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "0005 0003 01 0000" },
	  ALERT_DECODE_ERROR },
	{ "status_request and a byte", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "0005 0006 01 0000 0000 00" },
	  ALERT_DECODE_ERROR },
	{ "malformed ALPN", DEFAULT, ECDSA, { .extensions = RAW12_EXTENSIONS "0010 0003 0001 00" },
	  ALERT_DECODE_ERROR },
};
/* clang-format on */

static void test_bad_hellos_get_the_alert_that_the_rfc_names(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N(refused); i++) {
		struct raw12 raw;

		raw12_begin(&raw, server_config(refused[i].profile, refused[i].credentials));
		raw12_send_hello(&raw, &refused[i].hello);
		raw12_expect_alert(&raw, refused[i].alert, refused[i].what);
		assert_int_equal(raw.n_records, 1); /* and nothing else */
		raw12_end(&raw);
	}
}

/* ---- choices ---- */

struct chosen {
	const char *what;
	enum engine_profile profile;
	const char *credentials;
	struct raw12_hello hello;
	uint16_t version, suite, group, scheme;
};

/* clang-format off */
static const struct chosen chosen[] = {
	{ "the usual", DEFAULT, ECDSA, { .version = 0 }, 0x0303, 0xc02b, 0x001d, 0x0403 },
	{ "the usual with RSA", DEFAULT, RSA, { .version = 0 }, 0x0303, 0xc02f, 0x001d, 0x0804 },
	{ "a version that nobody knows", DEFAULT, ECDSA, { .version = 0x03ff }, 0x0303, 0xc02b, 0x001d, 0x0403 },
	{ "version 4.0", DEFAULT, ECDSA, { .version = 0x0400 }, 0x0303, 0xc02b, 0x001d, 0x0403 },
	{ "supported_versions without 1.3 rules over legacy_version", DEFAULT, ECDSA,
	  { .version = 0x0304, .extensions = RAW12_EXTENSIONS "002b 0007 06 0a0a 0303 0302" },
	  0x0303, 0xc02b, 0x001d, 0x0403 },
	{ "AES-256 alone", DEFAULT, ECDSA, { .suites = "c02c" }, 0x0303, 0xc02c, 0x001d, 0x0403 },
	{ "ChaCha20 by a client that has no AES", DEFAULT, ECDSA, { .suites = "cca9 c02b c02c" },
	  0x0303, 0xcca9, 0x001d, 0x0403 },
	{ "null among other compressions", DEFAULT, ECDSA, { .compression = "ff 40 01 00" },
	  0x0303, 0xc02b, 0x001d, 0x0403 },
	{ "GREASE everywhere", DEFAULT, ECDSA,
	  { .suites = "0a0a c02b 1a1a", .extensions = "2a2a 0000 000a 0008 0006 3a3a 001d 0017 "
	    "000d 0008 0006 4a4a 0403 5a5a 6a6a 0001 00" }, 0x0303, 0xc02b, 0x001d, 0x0403 },
	{ "no supported_groups", DEFAULT, RSA, { .extensions = RAW12_SCHEMES }, 0x0303, 0xc02f, 0x0017, 0x0804 },
	{ "no supported_groups, ECDSA", DEFAULT, ECDSA, { .extensions = RAW12_SCHEMES }, 0x0303, 0xc02b, 0x0017,
	  0x0403 },
	{ "our order of groups", DEFAULT, ECDSA, { .extensions = RAW12_SCHEMES "000a 0008 0006 0018 0017 001d" },
	  0x0303, 0xc02b, 0x001d, 0x0403 },
	{ "P-384", DEFAULT, RSA, { .extensions = RAW12_SCHEMES "000a 0004 0002 0018" }, 0x0303, 0xc02f, 0x0018,
	  0x0804 },
	{ "P-256 with a certificate on it", DEFAULT, ECDSA, { .extensions = RAW12_SCHEMES "000a 0004 0002 0017" },
	  0x0303, 0xc02b, 0x0017, 0x0403 },
	{ "Ed25519, whose curve is no group", DEFAULT, "server-ed25519",
	  { .extensions = RAW12_SCHEMES "000a 0004 0002 001d" }, 0x0303, 0xc02b, 0x001d, 0x0807 },
	{ "a P-384 key may sign with SHA-256", DEFAULT, "server-p384",
	  { .extensions = "000a 0006 0004 001d 0018 000d 0004 0002 0403" }, 0x0303, 0xc02b, 0x001d, 0x0403 },
	{ "RSA as PKCS #1 has it", DEFAULT, RSA, { .extensions = RAW12_GROUPS "000d 0006 0004 0201 0501" },
	  0x0303, 0xc02f, 0x001d, 0x0501 },
	{ "the client's schemes decide the kind of key", DEFAULT, ECDSA " " RSA,
	  { .extensions = RAW12_GROUPS "000d 0004 0002 0804" }, 0x0303, 0xc02f, 0x001d, 0x0804 },
	{ "the client's suites decide the kind of key", DEFAULT, RSA " " ECDSA, { .suites = "c02b" },
	  0x0303, 0xc02b, 0x001d, 0x0403 },
	{ "the client's groups decide the kind of key", DEFAULT, ECDSA " " RSA,
	  { .extensions = RAW12_SCHEMES "000a 0004 0002 001d" }, 0x0303, 0xc02f, 0x001d, 0x0804 },

	/* legacy */
	{ "key transport", LEGACY, RSA, { .suites = "009c" }, 0x0303, 0x009c, 0, 0 },
	{ "key transport without any extension", LEGACY, RSA, { .suites = "002f", .extensions = "-" },
	  0x0303, 0x002f, 0, 0 },
	{ "no supported_groups of use: key transport", LEGACY, RSA,
	  { .suites = "c02f 003c", .extensions = RAW12_SCHEMES "000a 0004 0002 0a0a" }, 0x0303, 0x003c, 0, 0 },
	/* RFC 5246 7.4.1.4.1: a client that names no schemes takes SHA-1 */
	{ "no signature_algorithms", LEGACY, RSA, { .suites = "c02f 009e 003c", .extensions = RAW12_GROUPS },
	  0x0303, 0xc02f, 0x001d, 0x0201 },
	{ "no signature_algorithms, DHE", LEGACY, RSA, { .suites = "002f 0033", .extensions = "-" },
	  0x0303, 0x0033, 0x0100, 0x0201 },
	{ "no signature_algorithms, ECDSA", LEGACY, ECDSA, { .suites = "c02b", .extensions = RAW12_GROUPS },
	  0x0303, 0xc02b, 0x001d, 0x0203 },
	{ "no signature_algorithms, and a key that knows no SHA-1", LEGACY, "server-ed25519 " RSA,
	  { .suites = "c02b c02f", .extensions = RAW12_GROUPS }, 0x0303, 0xc02f, 0x001d, 0x0201 },
	{ "no signature_algorithms, and a key for encryption", LEGACY, "rsa-encipher",
	  { .suites = "c02f 003c", .extensions = RAW12_GROUPS }, 0x0303, 0x003c, 0, 0 },
	{ "SHA-1 and MD5", LEGACY, RSA, { .extensions = RAW12_GROUPS "000d 0006 0004 0101 0201" },
	  0x0303, 0xc02f, 0x001d, 0x0201 },
	{ "SHA-1 for the other kind of key", LEGACY, RSA, { .suites = "c02f 009c",
	  .extensions = RAW12_GROUPS "000d 0004 0002 0203" },
	  0x0303, 0x009c, 0, 0 },
	{ "SHA-1 before what is better", LEGACY, RSA, { .extensions = RAW12_GROUPS "000d 0006 0004 0201 0601" },
	  0x0303, 0xc02f, 0x001d, 0x0601 },
	{ "SHA-1 for one kind of key, better for the other", LEGACY, RSA " " ECDSA,
	  { .suites = "c02f c02b", .extensions = RAW12_GROUPS "000d 0006 0004 0201 0403" }, 0x0303, 0xc02b, 0x001d, 0x0403 },
	/* RFC 8446 4.2.3: the extension is of no matter before TLS 1.2 */
	{ "signature_algorithms_cert alone in TLS 1.1", LEGACY, RSA,
	  { .version = 0x0302, .suites = "002f", .extensions = "0032 0004 0002 0401" }, 0x0302, 0x002f, 0, 0 },
	{ "a key for encryption alone", LEGACY, "rsa-encipher", { .suites = "c02f 009c" }, 0x0303, 0x009c, 0, 0 },
	{ "ECDHE before DHE before key transport", LEGACY, RSA, { .suites = "009c 009e c02f" },
	  0x0303, 0xc02f, 0x001d, 0x0804 },
	{ "DHE for a client that knows no FFDHE groups", LEGACY, RSA, { .suites = "009e" }, 0x0303, 0x009e, 0x0100,
	  0x0804 },
	{ "DHE for a client without groups", LEGACY, RSA, { .suites = "0033", .extensions = RAW12_SCHEMES },
	  0x0303, 0x0033, 0x0100, 0x0804 },
	{ "DHE with the client's group", LEGACY, RSA,
	  { .suites = "009e", .extensions = RAW12_SCHEMES "000a 0008 0006 001d 01ff 0101" },
	  0x0303, 0x009e, 0x0101, 0x0804 },
	{ "DHE where no curve is known", LEGACY, RSA,
	  { .suites = "c02f 009e", .extensions = RAW12_SCHEMES "000a 0004 0002 0001" }, 0x0303, 0x009e, 0x0100, 0x0804 },
	{ "no FFDHE group in common: key transport", LEGACY, RSA,
	  { .suites = "009e 002f", .extensions = RAW12_SCHEMES "000a 0004 0002 01ff" }, 0x0303, 0x002f, 0, 0 },
	{ "no FFDHE group in common: ECDHE", LEGACY, RSA,
	  { .suites = "009e c013", .extensions = RAW12_SCHEMES "000a 0006 0004 01ff 0018" },
	  0x0303, 0xc013, 0x0018, 0x0804 },
	{ "TLS 1.1", LEGACY, RSA, { .version = 0x0302, .suites = "c02f c013" }, 0x0302, 0xc013, 0x001d, 0 },
	{ "TLS 1.0", LEGACY, RSA, { .version = 0x0301, .suites = "c02f c027 002f" }, 0x0301, 0x002f, 0, 0 },
	{ "TLS 1.0 with ECDSA", LEGACY, ECDSA, { .version = 0x0301, .suites = "c009 c02b" }, 0x0301, 0xc009, 0x001d,
	  0 },
	{ "TLS 1.0 cannot sign with Ed25519", LEGACY, "server-ed25519 " RSA, { .version = 0x0301,
	  .suites = "c009 c013" },
	  0x0301, 0xc013, 0x001d, 0 },
	{ "TLS 1.0 cannot sign with RSASSA-PSS", LEGACY, "server-pss " ECDSA, { .version = 0x0301,
	  .suites = "c009 c013" },
	  0x0301, 0xc009, 0x001d, 0 },
	{ "TLS 1.0 with DHE, and neither groups nor schemes", LEGACY, RSA,
	  { .version = 0x0301, .suites = "0039", .extensions = "-" }, 0x0301, 0x0039, 0x0100, 0 },
};
/* clang-format on */

static void test_the_best_that_both_have_is_chosen_and_works(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N(chosen); i++) {
		const struct chosen *want = &chosen[i];
		struct raw12 raw;

		raw12_begin(&raw, server_config(want->profile, want->credentials));
		raw12_send_hello(&raw, &want->hello);
		raw12_read(&raw);
		if (!raw.got_hello_done) {
			fail_msg("%s: %s", want->what, engine_hs_reason(raw.hs));
		}
		if ((want->scheme >> 8) == 2 && !raw12_is_signed_with_sha1(&raw)) {
			fail_msg("%s: not signed with SHA-1 by the certificate's key", want->what);
		}
		if (raw.version != want->version || raw.suite->id != want->suite ||
		    raw12_group(&raw) != want->group || raw12_scheme(&raw) != want->scheme) {
			fail_msg("%s: %x, %s, %s, %s", want->what, raw.version, raw.suite->name,
				 engine_group_name(raw12_group(&raw)),
				 engine_scheme_name(raw12_scheme(&raw)));
		}
		raw12_finish(&raw);
		if (!raw12_talks(&raw)) {
			fail_msg("%s: %s", want->what, engine_hs_reason(raw.hs));
		}
		assert_int_equal(raw.conn.version, want->version);
		assert_int_equal(raw.conn.suite, want->suite);
		assert_int_equal(raw.conn.group, want->group);
		raw12_end(&raw);
	}
}

/* RFC 5246 7.4.1.4.1: the last resort is not one where the policy says what to sign with, or the profile. */
static void test_sha1_is_for_legacy_rules_that_name_no_schemes(void **unused)
{
	static const char *const names[] = {"rsa_pkcs1_sha256", "rsa_pss_rsae_sha256"};
	const struct raw12_hello hello = {.suites = "c02f", .extensions = RAW12_GROUPS};

	(void)unused;
	for (int named = 0; named < 3; named++) {
		struct engine_config *config = server_config(LEGACY, RSA);
		char why[ENGINE_REASON_MAX];
		struct raw12 raw;

		assert_int_equal(engine_config_set_schemes(config, names, named != 0 ? 2 : 0, why),
				 ENGINE_OK);
		if (named == 2) {
			assert_int_equal(engine_config_set_schemes(config, names, 0, why), ENGINE_OK);
		}
		raw12_begin(&raw, config);
		raw12_send_hello(&raw, &hello);
		if (named == 1) {
			raw12_expect_alert(&raw, ALERT_HANDSHAKE_FAILURE, "schemes are named");
		} else {
			raw12_read(&raw);
			assert_int_equal(raw12_scheme(&raw), 0x0201);
		}
		raw12_end(&raw);
	}
}

/* Signatures are checked by the engine's client; here, that the randoms are in them. */
static void test_every_suite_of_tls12_works_with_every_group(void **unused)
{
	static const char *const groups[] = {"001d", "0017", "0018", "0019", "0100", "0101", "0102"};
	struct engine_config *all = server_config(LEGACY, ECDSA);
	const size_t n = engine_config_n_suites(all);

	(void)unused;
	for (size_t i = 0; i < n; i++) {
		const struct suite *suite = suite_find(all->algorithms.suites[i]);

		for (size_t g = 0; g < N(groups) && suite->version != ENGINE_TLS13; g++) {
			const bool is_ffdhe = groups[g][1] == '1';
			char suites[8], extensions[200];
			const struct raw12_hello hello = {.suites = suites, .extensions = extensions};
			struct raw12 raw;

			if ((suite->kx == KX_DHE) != is_ffdhe || (suite->kx == KX_RSA && g != 0)) {
				continue;
			}
			(void)snprintf(suites, sizeof(suites), "%04x", suite->id);
			(void)snprintf(extensions, sizeof(extensions),
				       RAW12_SCHEMES RAW12_EMS "000a 0006 0004 0017 %s", groups[g]);
			if (strcmp(groups[g], "0017") == 0) {
				(void)snprintf(extensions, sizeof(extensions),
					       RAW12_SCHEMES "000a 0004 0002 0017");
			}
			raw12_begin(&raw, server_config(LEGACY, ECDSA " " RSA));
			raw12_connect(&raw, &hello);
			assert_int_equal(raw.suite->id, suite->id);
			raw12_end(&raw);
		}
	}
	engine_config_unref(all);
}

/* ---- credentials ---- */

/* Is the first certificate of the message that of a credential? */
static void expect_certificate(struct raw12 *raw, const char *name)
{
	struct engine_config *config = client_with(name);
	const struct der *leaf = &config->credentials[0].chain[0];
	struct rd in = raw->certificate;
	struct rd list, cert = rd_of(NULL, 0);

	assert_true(rd_vec24(&in, &list, 1, HS_MAX_CERTIFICATE) && rd_end(&in) &&
		    rd_vec24(&list, &cert, 1, HS_MAX_CERTIFICATE));
	if (!rd_equal(cert, rd_of(leaf->data, leaf->len))) {
		fail_msg("it is not the certificate %s", name);
	}
	engine_config_unref(config);
}

#define SNI_LOCALHOST "0000 000e 000c 00 0009 6c6f63616c686f7374 "
#define SNI_OTHER     "0000 0010 000e 00 000b 6f746865722e74657374 2e "

static void test_a_certificate_for_the_server_name_comes_first(void **unused)
{
	static const struct {
		const char *credentials, *suites, *extensions, *expected;
	} cases[] = {
		/* the suite of ECDSA would come first, but its certificate is for somebody else */
		{"wrong-name rsa-both", NULL, RAW12_EXTENSIONS SNI_LOCALHOST, "rsa-both"},
		{"rsa-both wrong-name", NULL, RAW12_EXTENSIONS SNI_LOCALHOST, "rsa-both"},
		{"wrong-name server", NULL, RAW12_EXTENSIONS SNI_LOCALHOST, "server"},
		{"server wrong-name", NULL, RAW12_EXTENSIONS, "server"},
		{"wrong-name server", NULL, RAW12_EXTENSIONS, "wrong-name"},
		/* better a wrong name than no connection */
		{"wrong-name rsa-both", "c02b", RAW12_EXTENSIONS SNI_LOCALHOST, "wrong-name"},
		{"wrong-name", NULL, RAW12_EXTENSIONS SNI_LOCALHOST, "wrong-name"},
		/* signature_algorithms_cert: how the chain is signed */
		{"server server-by-ed25519", NULL, RAW12_EXTENSIONS "0032 0004 0002 0807",
		 "server-by-ed25519"},
		{"server server-by-ed25519", NULL, RAW12_EXTENSIONS "0032 0004 0002 0403", "server"},
	};

	(void)unused;
	for (size_t i = 0; i < N(cases); i++) {
		const struct raw12_hello hello = {.suites = cases[i].suites,
						  .extensions = cases[i].extensions};
		struct raw12 raw;

		raw12_begin(&raw, server_config(DEFAULT, cases[i].credentials));
		raw12_connect(&raw, &hello);
		expect_certificate(&raw, cases[i].expected);
		raw12_end(&raw);
	}
}

/* ---- ServerHello ---- */

static void test_extensions_are_answered_if_asked_for_and_not_else(void **unused)
{
	static const struct {
		const char *what;
		enum engine_profile profile;
		const char *suites, *extensions;
		uint16_t type;
		const char *answer; /* NULL: none */
	} cases[] = {
		{"server_name", DEFAULT, NULL, RAW12_EXTENSIONS SNI_LOCALHOST, 0, ""},
		{"server_name", DEFAULT, NULL, RAW12_EXTENSIONS, 0, NULL},
		{"max_fragment_length is not ours", DEFAULT, NULL, RAW12_EXTENSIONS "0001 0001 01", 1, NULL},
		{"status_request without a response", DEFAULT, NULL,
		 RAW12_EXTENSIONS "0005 0005 01 0000 0000", 5, NULL},
		{"supported_groups", DEFAULT, NULL, RAW12_EXTENSIONS, 10, NULL},
		{"ec_point_formats", DEFAULT, NULL, RAW12_EXTENSIONS, 11, "01 00"},
		{"ec_point_formats with more", DEFAULT, NULL,
		 RAW12_GROUPS RAW12_SCHEMES "000b 0004 03 02 01 00", 11, "01 00"},
		{"ec_point_formats unasked", DEFAULT, NULL, RAW12_GROUPS RAW12_SCHEMES, 11, NULL},
		{"ec_point_formats without curves", LEGACY, "009e", RAW12_EXTENSIONS, 11, NULL},
		{"signature_algorithms", DEFAULT, NULL, RAW12_EXTENSIONS, 13, NULL},
		{"ALPN", DEFAULT, NULL, RAW12_EXTENSIONS "0010 0005 0003 02 6832", 16, "0003 02 6832"},
		{"ALPN unasked", DEFAULT, NULL, RAW12_EXTENSIONS, 16, NULL},
		{"encrypt_then_mac", LEGACY, "c013", RAW12_EXTENSIONS RAW12_ETM, 22, ""},
		{"encrypt_then_mac unasked", LEGACY, "c013", RAW12_EXTENSIONS, 22, NULL},
		{"encrypt_then_mac with an AEAD", DEFAULT, NULL, RAW12_EXTENSIONS RAW12_ETM, 22, NULL},
		{"extended_master_secret", DEFAULT, NULL, RAW12_EXTENSIONS, 23, ""},
		{"extended_master_secret unasked", DEFAULT, NULL, RAW12_GROUPS RAW12_SCHEMES, 23, NULL},
		{"record_size_limit", DEFAULT, NULL, RAW12_EXTENSIONS "001c 0002 0040", 28, "4000"},
		{"record_size_limit larger than any", DEFAULT, NULL, RAW12_EXTENSIONS "001c 0002 ffff", 28,
		 "4000"},
		{"record_size_limit unasked", DEFAULT, NULL, RAW12_EXTENSIONS, 28, NULL},
		{"record_size_limit rules max_fragment_length out", DEFAULT, NULL,
		 RAW12_EXTENSIONS "0001 0001 01 001c 0002 4001", 1, NULL},
		{"session_ticket without keys", DEFAULT, NULL, RAW12_EXTENSIONS RAW12_TICKET, 35, NULL},
		{"supported_versions", DEFAULT, NULL, RAW12_EXTENSIONS "002b 0003 02 0303", 43, NULL},
		{"key_share", DEFAULT, NULL, RAW12_EXTENSIONS "0033 0002 0000", 51, NULL},
		{"renegotiation_info by SCSV", DEFAULT, NULL, RAW12_EXTENSIONS, 0xff01, "00"},
		{"renegotiation_info", DEFAULT, "c02b c02f", RAW12_EXTENSIONS RAW12_RENEGOTIATION, 0xff01,
		 "00"},
		{"renegotiation_info both ways", DEFAULT, NULL, RAW12_EXTENSIONS RAW12_RENEGOTIATION, 0xff01,
		 "00"},
		{"renegotiation_info unasked", DEFAULT, "c02b c02f", RAW12_EXTENSIONS, 0xff01, NULL},
		{"an unknown extension", DEFAULT, NULL, RAW12_EXTENSIONS "4444 0002 0102", 0x4444, NULL},
	};
	const char *const protocols[] = {"h2"};

	(void)unused;
	for (size_t i = 0; i < N(cases); i++) {
		const struct raw12_hello hello = {.suites = cases[i].suites,
						  .extensions = cases[i].extensions};
		struct engine_config *config = server_config(cases[i].profile, ECDSA " " RSA);
		uint8_t expected[64];
		struct rd body;
		struct raw12 raw;

		assert_true(engine_config_set_alpn(config, protocols, 1));
		raw12_begin(&raw, config);
		raw12_connect(&raw, &hello);
		if (raw12_has(&raw, cases[i].type, &body) != (cases[i].answer != NULL)) {
			fail_msg("%s", cases[i].what);
		}
		if (cases[i].answer != NULL) {
			const size_t len = raw12_hex(expected, sizeof(expected), cases[i].answer);

			assert_int_equal(body.left, len);
			assert_memory_equal(body.p, expected, len);
		}
		raw12_end(&raw);
	}
}

static void test_a_hello_without_extensions_is_answered_without(void **unused)
{
	const struct raw12_hello bare = {.suites = "009c", .extensions = "-"};
	const struct raw12_hello empty = {.suites = "009c", .extensions = ""};
	const struct raw12_hello scsv = {.suites = "009c 00ff", .extensions = "-"};
	struct raw12 raw;

	(void)unused;
	raw12_begin(&raw, server_config(LEGACY, RSA));
	raw12_connect(&raw, &bare);
	assert_false(raw.has_extensions);
	raw12_end(&raw);
	raw12_begin(&raw, server_config(LEGACY, RSA));
	raw12_connect(&raw, &empty);
	assert_false(raw.has_extensions);
	raw12_end(&raw);
	raw12_begin(&raw, server_config(LEGACY, RSA));
	raw12_connect(&raw, &scsv);
	assert_true(raw.has_extensions);
	assert_int_equal(raw.extensions.left, 5);
	raw12_end(&raw);
}

/* RFC 8446 4.1.3 */
static void test_the_random_number_tells_what_the_server_could_do(void **unused)
{
	static const struct {
		uint16_t max, client;
		const char *tail; /* NULL: none */
	} cases[] = {
		{0x0304, 0x0303, "444f574e47524401"},
		{0x0304, 0x0302, "444f574e47524400"},
		{0x0304, 0x0301, "444f574e47524400"},
		{0x0303, 0x0303, NULL},
		{0x0303, 0x0302, "444f574e47524400"},
		{0x0303, 0x0301, "444f574e47524400"},
		{0x0302, 0x0302, NULL},
		{0x0302, 0x0301, NULL},
	};

	(void)unused;
	for (size_t i = 0; i < N(cases); i++) {
		const struct raw12_hello hello = {.version = cases[i].client, .suites = "c013"};
		struct engine_config *config = server_config(LEGACY, RSA);
		uint8_t tail[8];
		struct raw12 raw;

		assert_true(engine_config_set_versions(config, ENGINE_TLS10, cases[i].max));
		raw12_begin(&raw, config);
		raw12_connect(&raw, &hello);
		if (cases[i].tail != NULL) {
			assert_int_equal(raw12_hex(tail, sizeof(tail), cases[i].tail), 8);
			assert_memory_equal(raw.server_random + 24, tail, 8);
		} else {
			assert_memory_not_equal(raw.server_random + 24, "DOWNGRD", 7);
		}
		raw12_end(&raw);
	}
}

/* RFC 7507 3 */
static void test_a_fallback_that_is_needed_is_allowed(void **unused)
{
	const struct raw12_hello hello = {.suites = RAW12_ECDHE_SUITES "5600"};
	struct engine_config *config = server_config(DEFAULT, ECDSA);
	struct raw12 raw;

	(void)unused;
	assert_true(engine_config_set_versions(config, ENGINE_TLS12, ENGINE_TLS12));
	raw12_begin(&raw, config);
	raw12_connect(&raw, &hello);
	raw12_end(&raw);
}

/* RFC 7301 3.2 */
static void test_without_a_protocol_in_common_there_is_no_connection(void **unused)
{
	const char *const protocols[] = {"h2", "http/1.1"};
	const struct raw12_hello hello = {.extensions = RAW12_EXTENSIONS "0010 0006 0004 03 666f6f"};
	struct engine_config *config = server_config(DEFAULT, ECDSA);
	struct raw12 raw;

	(void)unused;
	assert_true(engine_config_set_alpn(config, protocols, 2));
	raw12_begin(&raw, config);
	raw12_send_hello(&raw, &hello);
	raw12_expect_alert(&raw, ALERT_NO_APPLICATION_PROTOCOL, "ALPN");
	raw12_end(&raw);
}

/* RFC 6066 8 */
static void test_a_stapled_response_comes_to_those_who_ask(void **unused)
{
	const struct raw12_hello asks = {.extensions = RAW12_EXTENSIONS "0005 0005 01 0000 0000"};
	const struct raw12_hello asks_with_ids = {.extensions = RAW12_EXTENSIONS
						  "0005 000b 01 0004 0002 3000 0002 0500"};
	const struct raw12_hello asks_otherwise = {.extensions = RAW12_EXTENSIONS "0005 0002 02 ff"};
	const struct raw12_hello does_not = {.version = 0};
	const struct {
		const struct raw12_hello *hello;
		bool expected;
	} cases[] = {{&asks, true}, {&asks_with_ids, true}, {&asks_otherwise, false}, {&does_not, false}};
	size_t len;
	char *response = pki_text("good.ocsp", &len);
	char why[ENGINE_REASON_MAX];

	(void)unused;
	for (size_t i = 0; i < N(cases); i++) {
		struct engine_config *config = server_config(DEFAULT, ECDSA);
		struct rd status, in;
		uint8_t type = 0;
		struct raw12 raw;

		assert_int_equal(engine_config_set_ocsp_response(config, (const uint8_t *)response, len, why),
				 ENGINE_OK);
		raw12_begin(&raw, config);
		raw12_connect(&raw, cases[i].hello);
		assert_int_equal(raw12_has(&raw, 5, NULL), cases[i].expected);
		assert_int_equal(raw.certificate_status.p != NULL, cases[i].expected);
		if (cases[i].expected) {
			in = raw.certificate_status;
			status = in;
			assert_true(rd_u8(&in, &type) && rd_vec24(&in, &status, 1, 65536) && rd_end(&in));
			assert_int_equal(type, 1);
			assert_int_equal(status.left, len);
			assert_memory_equal(status.p, response, len);
		}
		raw12_end(&raw);
	}
	free(response);
}

/* RFC 8449 4 */
static void test_records_are_no_longer_than_the_client_wants(void **unused)
{
	const struct raw12_hello hello = {.extensions = RAW12_EXTENSIONS "001c 0002 0040"};
	struct engine_config *config = server_config(DEFAULT, ECDSA);
	uint8_t data[65] = {0}, wire[512];
	const struct engine_slice full = {data, 64}, more = {data, 65};
	struct raw12 raw;
	size_t len;

	(void)unused;
	raw12_begin(&raw, config);
	raw12_connect(&raw, &hello);
	assert_int_equal(engine_max_plaintext(&raw.conn), 64);
	assert_int_equal(engine_seal(&raw.conn, raw.server_cipher[1], &more, 1, wire, sizeof(wire), &len),
			 ENGINE_ERR_INTERNAL);
	assert_int_equal(engine_seal(&raw.conn, raw.server_cipher[1], &full, 1, wire, sizeof(wire), &len),
			 ENGINE_OK);
	raw12_end(&raw);
}

/* Ours is a limit that nobody has to keep to more than to the protocol's. */
static void test_hellos_of_any_size_in_any_pieces_are_taken(void **unused)
{
	static const size_t paddings[] = {0, 1000, 16384, 40000, 64000};
	static char extensions[140 * 1024];
	static uint8_t wire[80 * 1024];

	(void)unused;
	for (size_t i = 0; i < N(paddings); i++) {
		for (size_t piece = 1; piece <= ENGINE_MAX_PLAINTEXT; piece *= 2) {
			const struct raw12_hello hello = {.extensions = extensions};
			const size_t n = paddings[i];
			struct wr body;
			struct raw12 raw;
			int at;

			if (n / piece > 4000) {
				continue;
			}
			at = snprintf(extensions, sizeof(extensions), RAW12_EXTENSIONS "0015 %04zx ", n);
			memset(extensions + at, '0', 2 * n);
			extensions[(size_t)at + 2 * n] = '\0';
			raw12_begin(&raw, server_config(DEFAULT, ECDSA));
			wr_init_heap(&body);
			raw12_build_hello(&raw, &hello, &body);
			assert_true(body.len + 4 <= sizeof(wire));
			wire[0] = HS_CLIENT_HELLO;
			wire[1] = (uint8_t)(body.len >> 16);
			wire[2] = (uint8_t)(body.len >> 8);
			wire[3] = (uint8_t)body.len;
			memcpy(wire + 4, body.data, body.len);
			wr_bytes(&raw.messages, wire, body.len + 4);
			for (size_t done = 0; done < body.len + 4; done += piece) {
				const size_t left = body.len + 4 - done;

				raw12_send_record(&raw, CONTENT_HANDSHAKE, wire + done,
						  left < piece ? left : piece);
			}
			raw12_read(&raw);
			if (!raw.got_hello_done) {
				fail_msg("%zu in pieces of %zu: %s", n, piece, engine_hs_reason(raw.hs));
			}
			raw12_finish(&raw);
			assert_true(raw12_talks(&raw));
			wr_free(&body);
			raw12_end(&raw);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_hellos_get_the_alert_that_the_rfc_names),
		cmocka_unit_test(test_the_best_that_both_have_is_chosen_and_works),
		cmocka_unit_test(test_sha1_is_for_legacy_rules_that_name_no_schemes),
		cmocka_unit_test(test_every_suite_of_tls12_works_with_every_group),
		cmocka_unit_test(test_a_certificate_for_the_server_name_comes_first),
		cmocka_unit_test(test_extensions_are_answered_if_asked_for_and_not_else),
		cmocka_unit_test(test_a_hello_without_extensions_is_answered_without),
		cmocka_unit_test(test_the_random_number_tells_what_the_server_could_do),
		cmocka_unit_test(test_a_fallback_that_is_needed_is_allowed),
		cmocka_unit_test(test_without_a_protocol_in_common_there_is_no_connection),
		cmocka_unit_test(test_a_stapled_response_comes_to_those_who_ask),
		cmocka_unit_test(test_records_are_no_longer_than_the_client_wants),
		cmocka_unit_test(test_hellos_of_any_size_in_any_pieces_are_taken),
	};

	return cmocka_run_group_tests_name("server12", tests, server12_setup, NULL);
}
