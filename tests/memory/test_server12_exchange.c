/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client of TLS 1.2 and older sends behind its ClientHello, right and wrong: key exchange,
 * proof of its certificate, ChangeCipherSpec, Finished. RFC 5246 7.1, 7.4.6 to 7.4.9; RFC 8422 5.7.
 */
#include "tests/memory/server12_test.h"

#include "engine/secret.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))

#define ECDSA "server"
#define RSA   "rsa-both"

#define DEFAULT ENGINE_PROFILE_DEFAULT
#define LEGACY  ENGINE_PROFILE_LEGACY

/* A group and suites for it. */
#define GROUP(hex) RAW12_SCHEMES RAW12_EMS "000a 0004 0002 " hex

static void begin(struct raw12 *raw, enum engine_profile profile, const char *credentials,
		  const struct raw12_hello *hello)
{
	raw12_begin(raw, server_config(profile, credentials));
	raw12_send_hello(raw, hello);
	raw12_read(raw);
	if (!raw->got_hello_done) {
		fail_msg("%s", engine_hs_reason(raw->hs));
	}
}

/* ---- key exchange ---- */

struct bad_exchange {
	const char *what;
	struct raw12_hello hello;
	const char *body; /* "+x": of what would be right, and x */
	uint8_t alert;
};

#define ZEROS_32 "0000000000000000000000000000000000000000000000000000000000000000"
#define P256                                                                                                 \
	{                                                                                                    \
		.extensions = GROUP("0017")                                                                  \
	}
#define X25519                                                                                               \
	{                                                                                                    \
		.extensions = GROUP("001d")                                                                  \
	}
#define DHE                                                                                                  \
	{                                                                                                    \
		.suites = "009e", .extensions = GROUP("0100")                                                \
	}
#define KT                                                                                                   \
	{                                                                                                    \
		.suites = "009c"                                                                             \
	}

/* clang-format off */
static const struct bad_exchange bad_exchanges[] = {
	{ "an empty message", P256, "", ALERT_DECODE_ERROR },
	{ "an empty point", P256, "00", ALERT_DECODE_ERROR },
	{ "a point that is cut", P256, "41 04" ZEROS_32, ALERT_DECODE_ERROR },
	{ "a byte behind the point", P256, "+00", ALERT_DECODE_ERROR },
	{ "the point at infinity", P256, "01 00", ALERT_ILLEGAL_PARAMETER },
	{ "a point without its form", P256, "40" ZEROS_32 ZEROS_32, ALERT_ILLEGAL_PARAMETER },
	{ "the point (0, 0)", P256, "41 04" ZEROS_32 ZEROS_32, ALERT_ILLEGAL_PARAMETER },
	{ "a point off the curve", P256,
	  "41 04" "0000000000000000000000000000000000000000000000000000000000000000"
	  "0000000000000000000000000000000000000000000000000000000000000001", ALERT_ILLEGAL_PARAMETER },
	{ "coordinates that are no residues", P256,
	  "41 04" "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
	  "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4", ALERT_ILLEGAL_PARAMETER },
	{ "a compressed point", P256, "21 03" "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
	  ALERT_ILLEGAL_PARAMETER },
	{ "a hybrid point", P256,
	  "41 07" "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
	  "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5", ALERT_ILLEGAL_PARAMETER },
	{ "a point of another curve", P256, "20" ZEROS_32, ALERT_ILLEGAL_PARAMETER },

	{ "an empty share of x25519", X25519, "00", ALERT_DECODE_ERROR },
	{ "x25519: zero", X25519, "20" ZEROS_32, ALERT_ILLEGAL_PARAMETER },
	{ "x25519: one", X25519, "20" "0100000000000000000000000000000000000000000000000000000000000000",
	  ALERT_ILLEGAL_PARAMETER },
	{ "x25519: of order 8", X25519, "20" "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	  ALERT_ILLEGAL_PARAMETER },
	{ "x25519: of order 8, the other", X25519, "20" "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	  ALERT_ILLEGAL_PARAMETER },
	{ "x25519: p - 1", X25519, "20" "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	  ALERT_ILLEGAL_PARAMETER },
	{ "x25519: p", X25519, "20" "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	  ALERT_ILLEGAL_PARAMETER },
	{ "x25519: p + 1, with the top bit", X25519, "20" "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	  ALERT_ILLEGAL_PARAMETER },
	{ "x25519: 31 bytes", X25519, "1f" "00000000000000000000000000000000000000000000000000000000000009",
	  ALERT_ILLEGAL_PARAMETER },
	{ "x25519: 33 bytes", X25519, "21" "09" ZEROS_32, ALERT_ILLEGAL_PARAMETER },
	{ "x25519: a byte behind", X25519, "+09", ALERT_DECODE_ERROR },

	{ "DHE: an empty message", DHE, "", ALERT_DECODE_ERROR },
	{ "DHE: half a length", DHE, "01", ALERT_DECODE_ERROR },
	{ "DHE: cut", DHE, "0002 02", ALERT_DECODE_ERROR },
	{ "DHE: a byte behind", DHE, "+00", ALERT_DECODE_ERROR },
	{ "DHE: nothing", DHE, "0000", ALERT_ILLEGAL_PARAMETER },
	{ "DHE: 0", DHE, "0001 00", ALERT_ILLEGAL_PARAMETER },
	{ "DHE: 1", DHE, "0001 01", ALERT_ILLEGAL_PARAMETER },
	{ "DHE: 1, with zeros", DHE, "0004 00000001", ALERT_ILLEGAL_PARAMETER },
	{ "DHE: p - 1", DHE, "p-1", ALERT_ILLEGAL_PARAMETER },
	{ "DHE: p", DHE, "p", ALERT_ILLEGAL_PARAMETER },
	{ "DHE: p + 1", DHE, "p+1", ALERT_ILLEGAL_PARAMETER },
	{ "DHE: 2^2048", DHE, "2^2048", ALERT_ILLEGAL_PARAMETER },

	{ "key transport: an empty message", KT, "", ALERT_DECODE_ERROR },
	{ "key transport: half a length", KT, "01", ALERT_DECODE_ERROR },
	{ "key transport: cut", KT, "0100" ZEROS_32, ALERT_DECODE_ERROR },
	{ "key transport: a byte behind", KT, "+00", ALERT_DECODE_ERROR },
	{ "key transport without a length, as SSL 3.0 had it", KT, "a" ZEROS_32 ZEROS_32 "0", ALERT_DECODE_ERROR },
};
/* clang-format on */

/* A number near the prime, with the length in front. */
static void put_near_p(struct wr *body, const char *what)
{
	const size_t len = crypto_group_share_len(CRYPTO_FFDHE2048);
	uint8_t number[257] = {0};
	size_t start = 1;

	memcpy(number + 1, crypto_ffdhe_prime(CRYPTO_FFDHE2048), len);
	if (strcmp(what, "p-1") == 0) {
		number[len]--;
	} else if (strcmp(what, "p+1") == 0) {
		/* the last 64 bits of the prime are ones */
		for (size_t i = len; ++number[i] == 0; i--) {
		}
	} else if (strcmp(what, "2^2048") == 0) {
		memset(number + 1, 0, len);
		number[0] = 1;
		start = 0;
	}
	wr_u16(body, (uint16_t)(len + 1 - start));
	wr_bytes(body, number + start, len + 1 - start);
}

static void test_bad_key_exchanges_get_the_alert_that_the_rfc_names(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N(bad_exchanges); i++) {
		const struct bad_exchange *bad = &bad_exchanges[i];
		uint8_t bytes[600];
		struct wr body;
		struct raw12 raw;

		begin(&raw, LEGACY, RSA, &bad->hello);
		raw12_key_exchange(&raw, &body);
		if (bad->body[0] == '+') {
			wr_bytes(&body, bytes, raw12_hex(bytes, sizeof(bytes), bad->body + 1));
		} else {
			wr_reset(&body);
			if (bad->body[0] == 'p' || strchr(bad->body, '^') != NULL) {
				put_near_p(&body, bad->body);
			} else {
				wr_bytes(&body, bytes, raw12_hex(bytes, sizeof(bytes), bad->body));
			}
		}
		raw12_send(&raw, HS_CLIENT_KEY_EXCHANGE, body.data, body.len);
		raw12_expect_alert(&raw, bad->alert, bad->what);
		wr_free(&body);
		raw12_end(&raw);
	}
}

/* RFC 5246 8.1.2: as a number, a share may be written with zeros in front or without. */
static void test_a_dh_share_may_have_zeros_in_front(void **unused)
{
	const struct raw12_hello hello = {.suites = "009e"};

	(void)unused;
	for (size_t zeros = 0; zeros <= 300; zeros += 100) {
		struct wr right, body;
		struct raw12 raw;

		begin(&raw, LEGACY, RSA, &hello);
		raw12_key_exchange(&raw, &right);
		wr_init_heap(&body);
		wr_u16(&body, (uint16_t)(right.len - 2 + zeros));
		for (size_t i = 0; i < zeros; i++) {
			wr_u8(&body, 0);
		}
		wr_bytes(&body, right.data + 2, right.len - 2);
		raw12_send(&raw, HS_CLIENT_KEY_EXCHANGE, body.data, body.len);
		raw12_derive(&raw);
		raw12_send_ccs(&raw);
		raw12_send_finished(&raw, 0);
		raw12_read(&raw);
		assert_true(raw12_talks(&raw));
		wr_free(&right);
		wr_free(&body);
		raw12_end(&raw);
	}
}

/* Secrets and shares that begin with zeros come up once in 256 times: so do many. */
static void test_secrets_of_all_lengths_are_agreed_on(void **unused)
{
	static const char *const suites[] = {"009e", "c02f"};

	(void)unused;
	for (size_t i = 0; i < N(suites); i++) {
		const struct raw12_hello hello = {.suites = suites[i], .extensions = RAW12_SCHEMES};
		bool had_zero = false;

		for (size_t n = 0; n < 3000 && !had_zero; n++) {
			struct raw12 raw;
			struct wr body;

			/* finishing is what costs, so only what is of interest is finished */
			begin(&raw, LEGACY, RSA, &hello);
			raw12_key_exchange(&raw, &body);
			had_zero = suites[i][0] == 'c' ? raw.premaster[0] == 0 : raw.premaster_len < 256;
			if (had_zero) {
				raw12_send(&raw, HS_CLIENT_KEY_EXCHANGE, body.data, body.len);
				raw12_derive(&raw);
				raw12_send_ccs(&raw);
				raw12_send_finished(&raw, 0);
				raw12_read(&raw);
				assert_true(raw12_talks(&raw));
			}
			wr_free(&body);
			raw12_end(&raw);
		}
	}
}

/* ---- key transport: RFC 5246 7.4.7.1 ---- */

static struct public_key *public_part(const char *name)
{
	struct engine_config *own = client_with(name);
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	const struct der *leaf = &own->credentials[0].chain[0];
	const uint8_t *certs[] = {leaf->data};
	const size_t lens[] = {leaf->len};
	struct verify_result result = {.key = NULL};
	const struct verify_request request = {.config = config,
					       .peer_role = ENGINE_SERVER,
					       .certs = certs,
					       .cert_lens = lens,
					       .n_certs = 1,
					       .now = raw12_now()};

	engine_config_set_verify(config, ENGINE_VERIFY_NONE);
	assert_int_equal(verify_chain(&request, &result), ENGINE_OK);
	engine_config_unref(config);
	engine_config_unref(own);
	return result.key;
}

/* A ClientKeyExchange with a premaster secret that has been spoiled, before or behind the encryption. */
static void spoil(struct raw12 *raw, size_t how, struct wr *body)
{
	struct public_key *key;
	uint8_t out[512];
	size_t len = 0;

	raw12_key_exchange(raw, body);
	switch (how) {
	case 0: /* another secret */
		raw->premaster[47] ^= 1;
		break;
	case 1: /* the version of the fallback that somebody forced: 7.4.7.1 */
	case 2:
		key = public_part(RSA);
		raw->premaster[1] = (uint8_t)(raw->premaster[1] + (how == 1 ? -1 : 1));
		assert_true(public_key_encrypt_premaster(key, raw->premaster, out, sizeof(out), &len));
		wr_reset(body);
		wr_u16(body, (uint16_t)len);
		wr_bytes(body, out, len);
		public_key_free(key);
		break;
	case 3: /* no block of PKCS #1 */
		body->data[100] ^= 1;
		break;
	case 4:
		memset(body->data + 2, 0, body->len - 2);
		break;
	case 5: /* more than the modulus */
		memset(body->data + 2, 0xff, body->len - 2);
		break;
	case 6: /* a byte less, a byte more, none, many */
		wr_unroom(body, 1);
		body->data[0] = 0;
		body->data[1] = 0xff;
		break;
	case 7:
		wr_u8(body, 0);
		body->data[1]++;
		break;
	case 8:
		wr_reset(body);
		wr_u16(body, 0);
		break;
	default:
		wr_reset(body);
		wr_u16(body, 16000);
		for (size_t i = 0; i < 16000; i++) {
			wr_u8(body, (uint8_t)i);
		}
	}
	assert_false(body->failed);
}

static void test_whatever_is_wrong_with_a_premaster_secret_looks_the_same(void **unused)
{
	static const char *const suites[] = {"009c", "009d", "003c", "002f"};
	static const uint16_t versions[] = {0x0303, 0x0302, 0x0301};

	(void)unused;
	for (size_t s = 0; s < N(suites); s++) {
		for (size_t v = 0; v < N(versions) && (v == 0 || s == 3); v++) {
			for (size_t how = 0; how < 10; how++) {
				const struct raw12_hello hello = {.version = versions[v],
								  .suites = suites[s]};
				struct wr body;
				struct raw12 raw;

				begin(&raw, LEGACY, RSA, &hello);
				spoil(&raw, how, &body);
				raw12_send(&raw, HS_CLIENT_KEY_EXCHANGE, body.data, body.len);
				raw12_read(&raw);
				assert_int_equal(raw.n_records, 0);
				raw12_derive(&raw);
				raw12_send_ccs(&raw);
				raw12_read(&raw);
				assert_int_equal(raw.n_records, 0);
				raw12_send_finished(&raw, 0);
				raw12_expect_alert(&raw, ALERT_BAD_RECORD_MAC, suites[s]);
				assert_int_equal(raw.n_records, 1);
				wr_free(&body);
				raw12_end(&raw);
			}
		}
	}
}

static void test_the_premaster_secret_begins_with_what_the_client_offered(void **unused)
{
	static const uint16_t versions[] = {0x0303, 0x0304, 0x03ff, 0x0400};

	(void)unused;
	for (size_t i = 0; i < N(versions); i++) {
		const struct raw12_hello hello = {.version = versions[i], .suites = "009c"};
		struct raw12 raw;

		raw12_begin(&raw, server_config(LEGACY, RSA));
		raw12_connect(&raw, &hello);
		raw12_end(&raw);
	}
}

/* ---- ChangeCipherSpec: RFC 5246 7.1 ---- */

static void test_change_cipher_spec_has_one_form_and_one_place(void **unused)
{
	static const struct {
		const char *what, *body;
		uint8_t alert;
	} forms[] = {
		{"empty", "", ALERT_UNEXPECTED_MESSAGE},
		{"two bytes", "01 01", ALERT_UNEXPECTED_MESSAGE},
		{"type 0", "00", ALERT_ILLEGAL_PARAMETER},
		{"type 2", "02", ALERT_ILLEGAL_PARAMETER},
	};
	const struct raw12_hello hello = {.version = 0};
	const uint8_t one = 1;
	uint8_t bytes[4];
	struct raw12 raw;

	(void)unused;
	for (size_t i = 0; i < N(forms); i++) {
		begin(&raw, DEFAULT, ECDSA, &hello);
		raw12_key_exchange(&raw, NULL);
		raw12_send_record(&raw, CONTENT_CHANGE_CIPHER_SPEC, bytes,
				  raw12_hex(bytes, sizeof(bytes), forms[i].body));
		raw12_expect_alert(&raw, forms[i].alert, forms[i].what);
		raw12_end(&raw);
	}
	/* CVE-2014-0224: before there is a key */
	begin(&raw, DEFAULT, ECDSA, &hello);
	raw12_send_record(&raw, CONTENT_CHANGE_CIPHER_SPEC, &one, 1);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "before ClientKeyExchange");
	raw12_end(&raw);
	/* twice */
	begin(&raw, DEFAULT, ECDSA, &hello);
	raw12_key_exchange(&raw, NULL);
	raw12_derive(&raw);
	raw12_send_ccs(&raw);
	raw12_send_record(&raw, CONTENT_CHANGE_CIPHER_SPEC, &one, 1);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "twice");
	raw12_end(&raw);
	/* in the middle of a message */
	begin(&raw, DEFAULT, ECDSA, &hello);
	struct wr body;

	raw12_key_exchange(&raw, &body);
	const uint8_t head[] = {HS_CLIENT_KEY_EXCHANGE, 0, 0, (uint8_t)body.len};

	raw12_send_record(&raw, CONTENT_HANDSHAKE, head, sizeof(head));
	raw12_send_record(&raw, CONTENT_CHANGE_CIPHER_SPEC, &one, 1);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "within ClientKeyExchange");
	wr_free(&body);
	raw12_end(&raw);
	/* not at all */
	begin(&raw, DEFAULT, ECDSA, &hello);
	raw12_key_exchange(&raw, NULL);
	raw12_derive(&raw);
	raw12_send_finished(&raw, 0);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "none before Finished");
	raw12_end(&raw);
}

static void test_behind_change_cipher_spec_nothing_is_in_clear(void **unused)
{
	const struct raw12_hello hello = {.version = 0};
	const uint8_t one = 1;
	struct raw12 raw;

	(void)unused;
	begin(&raw, DEFAULT, ECDSA, &hello);
	raw12_key_exchange(&raw, NULL);
	raw12_derive(&raw);
	raw12_send_record(&raw, CONTENT_CHANGE_CIPHER_SPEC, &one, 1);
	raw12_send_finished(&raw, 0);
	raw12_expect_alert(&raw, ALERT_BAD_RECORD_MAC, "Finished in clear");
	raw12_end(&raw);
}

/* ---- Finished: RFC 5246 7.4.9 ---- */

static void to_finished(struct raw12 *raw, enum engine_profile profile, const struct raw12_hello *hello)
{
	begin(raw, profile, RSA, hello);
	raw12_key_exchange(raw, NULL);
	raw12_derive(raw);
	raw12_send_ccs(raw);
}

static void test_a_wrong_finished_is_refused(void **unused)
{
	static const struct raw12_hello hellos[] = {{.suites = "c02f"},
						    {.suites = "c030"},
						    {.suites = "c013"},
						    {.suites = "c013", .version = 0x0301}};
	static const size_t lengths[] = {0, 1, 11, 13, 32, 48};
	const uint8_t zeros[64] = {0};
	struct raw12 raw;

	(void)unused;
	for (size_t i = 0; i < N(hellos); i++) {
		for (unsigned bit = 1; bit < 256; bit *= 2) {
			to_finished(&raw, LEGACY, &hellos[i]);
			raw12_send_finished(&raw, (uint8_t)bit);
			raw12_expect_alert(&raw, ALERT_DECRYPT_ERROR, "a bit");
			assert_int_equal(raw.conn.version, 0);
			raw12_end(&raw);
		}
		for (size_t k = 0; k < N(lengths); k++) {
			to_finished(&raw, LEGACY, &hellos[i]);
			raw12_send(&raw, HS_FINISHED, zeros, lengths[k]);
			raw12_expect_alert(&raw, ALERT_DECODE_ERROR, "a length");
			raw12_end(&raw);
		}
		to_finished(&raw, LEGACY, &hellos[i]);
		raw12_send(&raw, HS_FINISHED, zeros, 12);
		raw12_expect_alert(&raw, ALERT_DECRYPT_ERROR, "zeros");
		raw12_end(&raw);
	}
}

/* The hash of another suite, the master secret without what was negotiated. RFC 7627 */
static void test_both_sides_must_have_the_same_master_secret(void **unused)
{
	const struct raw12_hello with = {.suites = "c013"};
	const struct raw12_hello without = {.suites = "c013", .extensions = RAW12_GROUPS RAW12_SCHEMES};
	struct raw12 raw;

	(void)unused;
	begin(&raw, LEGACY, RSA, &with);
	raw.extended_master_secret = false;
	raw12_finish(&raw);
	raw12_expect_alert(&raw, ALERT_BAD_RECORD_MAC, "without extended_master_secret");
	raw12_end(&raw);
	begin(&raw, LEGACY, RSA, &without);
	raw.extended_master_secret = true;
	raw12_finish(&raw);
	raw12_expect_alert(&raw, ALERT_BAD_RECORD_MAC, "with extended_master_secret");
	raw12_end(&raw);
	/* RFC 7366 */
	begin(&raw, LEGACY, RSA, &with);
	raw.encrypt_then_mac = true;
	raw12_finish(&raw);
	raw12_expect_alert(&raw, ALERT_BAD_RECORD_MAC, "encrypt_then_mac that was not negotiated");
	raw12_end(&raw);
}

static void test_nothing_stands_behind_finished_in_its_record(void **unused)
{
	const struct raw12_hello hello = {.version = 0};
	uint8_t two[2 * 16] = {HS_FINISHED, 0, 0, 12, [16] = HS_FINISHED, 0, 0, 12};
	struct raw12 raw;

	(void)unused;
	to_finished(&raw, DEFAULT, &hello);
	raw12_send_record(&raw, CONTENT_HANDSHAKE, two, sizeof(two));
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "two");
	raw12_end(&raw);
}

/* ---- other content in the middle ---- */

static void test_application_data_has_to_wait_for_finished(void **unused)
{
	const struct raw12_hello hello = {.version = 0};
	struct raw12 raw;

	(void)unused;
	begin(&raw, DEFAULT, RSA, &hello);
	raw12_send_record(&raw, CONTENT_APPLICATION_DATA, "early", 5);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "before ClientKeyExchange");
	raw12_end(&raw);
	to_finished(&raw, DEFAULT, &hello);
	raw12_send_record(&raw, CONTENT_APPLICATION_DATA, "early", 5);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "before Finished");
	raw12_end(&raw);
	to_finished(&raw, DEFAULT, &hello);
	raw12_send_record(&raw, CONTENT_APPLICATION_DATA, "", 0);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "empty, before Finished");
	raw12_end(&raw);
}

static void test_warnings_are_borne_and_fatal_alerts_are_not(void **unused)
{
	const struct raw12_hello hello = {.version = 0};
	struct raw12 raw;

	(void)unused;
	begin(&raw, DEFAULT, ECDSA, &hello);
	raw12_send_record(&raw, CONTENT_ALERT, "\1\x29", 2); /* no_certificate, of SSL 3.0 */
	raw12_send_record(&raw, CONTENT_ALERT, "\1\x5a", 2); /* user_canceled */
	raw12_finish(&raw);
	assert_true(raw12_talks(&raw));
	raw12_end(&raw);
	begin(&raw, DEFAULT, ECDSA, &hello);
	raw12_send_record(&raw, CONTENT_ALERT, "\2\x28", 2);
	raw12_read(&raw);
	assert_int_equal(raw.n_records, 0);
	assert_int_equal(engine_hs_error(raw.hs), ENGINE_ERR_PEER_ALERT);
	assert_int_equal(engine_hs_alert(raw.hs), 40);
	raw12_end(&raw);
	begin(&raw, DEFAULT, ECDSA, &hello);
	raw12_send_record(&raw, CONTENT_ALERT, "\1\0", 2);
	assert_int_equal(engine_hs_error(raw.hs), ENGINE_ERR_PEER_ALERT);
	raw12_end(&raw);
	begin(&raw, DEFAULT, ECDSA, &hello);
	for (size_t i = 0; i < 100 && engine_hs_error(raw.hs) == ENGINE_OK; i++) {
		raw12_send_record(&raw, CONTENT_ALERT, "\1\x5a", 2);
	}
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "a flood");
	raw12_end(&raw);
	begin(&raw, DEFAULT, ECDSA, &hello);
	raw12_send_record(&raw, CONTENT_ALERT, "\3\x28", 2);
	raw12_expect_alert(&raw, ALERT_ILLEGAL_PARAMETER, "a level that does not exist");
	raw12_end(&raw);
	begin(&raw, DEFAULT, ECDSA, &hello);
	raw12_send_record(&raw, CONTENT_ALERT, "\2", 1);
	raw12_expect_alert(&raw, ALERT_DECODE_ERROR, "half an alert");
	raw12_end(&raw);
}

static void test_records_keep_to_the_version(void **unused)
{
	const struct raw12_hello hello = {.version = 0};
	static const uint16_t versions[] = {0x0300, 0x0301, 0x0302, 0x0304, 0x0403};
	struct raw12 raw;

	(void)unused;
	for (size_t i = 0; i < N(versions); i++) {
		begin(&raw, DEFAULT, ECDSA, &hello);
		raw.version = versions[i];
		raw12_send_record(&raw, CONTENT_HANDSHAKE, "\x10\0\0\1\1", 5);
		raw12_expect_alert(&raw, ALERT_PROTOCOL_VERSION, "another version");
		raw12_end(&raw);
	}
	begin(&raw, DEFAULT, ECDSA, &hello);
	raw12_send_record(&raw, CONTENT_HANDSHAKE, "", 0);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "an empty handshake record");
	raw12_end(&raw);
	begin(&raw, DEFAULT, ECDSA, &hello);
	raw12_send_record(&raw, 24, "\1\0\3abc", 6); /* heartbeat, which was not negotiated */
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "an unknown type of record");
	raw12_end(&raw);
}

/* ---- client certificates ---- */

static void begin_asking(struct raw12 *raw, enum engine_profile profile, enum engine_client_auth mode,
			 const struct raw12_hello *hello)
{
	raw12_begin(raw, asking_config(profile, RSA, mode));
	raw12_send_hello(raw, hello);
	raw12_read(raw);
	assert_true(raw->got_hello_done);
	assert_non_null(raw->certificate_request.p);
}

/* From Certificate to the end with this credential and scheme. */
static void finish_with(struct raw12 *raw, const struct credential *credential, uint16_t scheme)
{
	raw12_send_certificate(raw, credential);
	raw12_key_exchange(raw, NULL);
	raw12_derive(raw);
	raw12_send_certificate_verify(raw, credential, scheme);
	raw12_send_ccs(raw);
	raw12_send_finished(raw, 0);
	raw12_read(raw);
}

static void test_clients_prove_their_certificates_in_each_version(void **unused)
{
	static const struct {
		const char *name;
		uint16_t version, scheme;
		const char *subject;
	} cases[] = {
		{"client", 0x0303, 0x0403, "CN=client"},
		{"client", 0x0303, 0x0503, "CN=client"}, /* TLS 1.2 binds no hash to a curve */
		{"client-p384", 0x0303, 0x0503, "CN=client-p384"},
		{"client-p384", 0x0303, 0x0403, "CN=client-p384"},
		{"client-rsa", 0x0303, 0x0804, "CN=client-rsa"},
		{"client-rsa", 0x0303, 0x0806, "CN=client-rsa"},
		{"client-rsa", 0x0303, 0x0401, "CN=client-rsa"},
		{"client-rsa", 0x0303, 0x0601, "CN=client-rsa"},
		{"client-ed25519", 0x0303, 0x0807, "CN=client-ed25519"},
		{"client", 0x0302, SCHEME_SHA1_ECDSA, "CN=client"},
		{"client-rsa", 0x0302, SCHEME_MD5_SHA1_RSA, "CN=client-rsa"},
		{"client", 0x0301, SCHEME_SHA1_ECDSA, "CN=client"},
		{"client-rsa", 0x0301, SCHEME_MD5_SHA1_RSA, "CN=client-rsa"},
	};
	static const char *const suites[] = {"c013", "0033", "002f", "c030"};

	(void)unused;
	for (size_t i = 0; i < N(cases); i++) {
		for (size_t s = 0; s < (cases[i].version == 0x0303 ? 4 : 3); s++) {
			struct engine_config *own = client_with(cases[i].name);
			const struct raw12_hello hello = {.version = cases[i].version, .suites = suites[s]};
			struct raw12 raw;

			begin_asking(&raw, LEGACY, ENGINE_CLIENT_AUTH_REQUIRE, &hello);
			finish_with(&raw, &own->credentials[0], cases[i].scheme);
			if (!raw12_talks(&raw)) {
				fail_msg("%s %x %x: %s", cases[i].name, cases[i].version, cases[i].scheme,
					 engine_hs_reason(raw.hs));
			}
			assert_string_equal(engine_hs_peer_subject(raw.hs), cases[i].subject);
			assert_int_equal(raw.conn.scheme, cases[i].version == 0x0303 ? cases[i].scheme : 0);
			assert_true(raw.conn.peer_is_authenticated);
			raw12_end(&raw);
			engine_config_unref(own);
		}
	}
}

static void test_a_client_without_certificate_is_let_in_or_not(void **unused)
{
	static const uint16_t versions[] = {0x0303, 0x0302, 0x0301};

	(void)unused;
	for (size_t i = 0; i < N(versions); i++) {
		const struct raw12_hello hello = {.version = versions[i], .suites = "c013"};
		struct raw12 raw;

		begin_asking(&raw, LEGACY, ENGINE_CLIENT_AUTH_REQUEST, &hello);
		raw12_finish(&raw);
		assert_true(raw12_talks(&raw));
		assert_string_equal(engine_hs_peer_subject(raw.hs), "");
		assert_false(raw.conn.peer_is_authenticated);
		raw12_end(&raw);
		begin_asking(&raw, LEGACY, ENGINE_CLIENT_AUTH_REQUIRE, &hello);
		raw12_send_certificate(&raw, NULL);
		raw12_expect_alert(&raw, ALERT_HANDSHAKE_FAILURE, "none");
		raw12_end(&raw);
	}
}

static void test_bad_certificates_are_refused(void **unused)
{
	static const struct {
		const char *what, *body;
		uint8_t alert;
	} forms[] = {
		{"an empty message", "", ALERT_DECODE_ERROR},
		{"half a length", "0000", ALERT_DECODE_ERROR},
		{"a byte behind the list", "000000 00", ALERT_DECODE_ERROR},
		{"a list that is cut", "000004 000001", ALERT_DECODE_ERROR},
		{"a certificate of no bytes", "000003 000000", ALERT_DECODE_ERROR},
		{"a certificate that is cut", "000004 000002 30", ALERT_DECODE_ERROR},
		{"a second one that is cut", "000007 000001 30 000001", ALERT_DECODE_ERROR},
		{"no certificate at all", "000005 000002 0000", ALERT_BAD_CERTIFICATE},
		{"nonsense", "000008 000005 3003020101", ALERT_BAD_CERTIFICATE},
	};
	static const struct {
		const char *name;
		uint8_t alert;
	} names[] = {
		{"client-other", ALERT_UNKNOWN_CA},
		{"client-expired", ALERT_CERTIFICATE_EXPIRED},
		{"server", ALERT_UNSUPPORTED_CERTIFICATE}, /* not for clients */
	};
	const struct raw12_hello hello = {.version = 0};
	uint8_t bytes[64];
	struct raw12 raw;

	(void)unused;
	for (size_t i = 0; i < N(forms); i++) {
		begin_asking(&raw, DEFAULT, ENGINE_CLIENT_AUTH_REQUEST, &hello);
		raw12_send(&raw, HS_CERTIFICATE, bytes, raw12_hex(bytes, sizeof(bytes), forms[i].body));
		raw12_expect_alert(&raw, forms[i].alert, forms[i].what);
		raw12_end(&raw);
	}
	for (size_t i = 0; i < N(names); i++) {
		struct engine_config *own = client_with(names[i].name);

		begin_asking(&raw, DEFAULT, ENGINE_CLIENT_AUTH_REQUEST, &hello);
		raw12_send_certificate(&raw, &own->credentials[0]);
		raw12_expect_alert(&raw, names[i].alert, names[i].name);
		assert_int_equal(engine_hs_error(raw.hs), ENGINE_ERR_VERIFY);
		raw12_end(&raw);
		engine_config_unref(own);
	}
}

/* RFC 8422 5.10 */
static void test_old_versions_have_no_keys_that_are_newer(void **unused)
{
	static const uint16_t versions[] = {0x0301, 0x0302};

	(void)unused;
	for (size_t i = 0; i < N(versions); i++) {
		const struct raw12_hello hello = {.version = versions[i], .suites = "c013"};
		struct engine_config *own = client_with("client-ed25519");
		struct raw12 raw;

		begin_asking(&raw, LEGACY, ENGINE_CLIENT_AUTH_REQUEST, &hello);
		raw12_send_certificate(&raw, &own->credentials[0]);
		raw12_expect_alert(&raw, ALERT_UNSUPPORTED_CERTIFICATE, "Ed25519");
		raw12_end(&raw);
		engine_config_unref(own);
	}
}

/* A CertificateVerify that is right but for one thing. */
static void test_bad_proofs_are_refused(void **unused)
{
	static const struct {
		const char *what;
		const char *name;
		const char *body; /* NULL: a right one, changed */
		size_t cut, add;
		size_t flip; /* byte; 0: none */
		uint8_t alert;
	} cases[] = {
		{"an empty message", "client", "", 0, 0, 0, ALERT_DECODE_ERROR},
		{"a byte", "client", "04", 0, 0, 0, ALERT_DECODE_ERROR},
		{"a scheme alone", "client", "0403", 0, 0, 0, ALERT_DECODE_ERROR},
		{"half a length", "client", "0403 00", 0, 0, 0, ALERT_DECODE_ERROR},
		{"cut", "client", NULL, 1, 0, 0, ALERT_DECODE_ERROR},
		{"a byte behind", "client", NULL, 0, 1, 0, ALERT_DECODE_ERROR},
		{"an empty signature", "client", "0403 0000", 0, 0, 0, ALERT_DECRYPT_ERROR},
		{"a short signature", "client-rsa", "0401 0003 ac9622", 0, 0, 0, ALERT_DECRYPT_ERROR},
		{"a bit of the signature", "client", NULL, 0, 0, 40, ALERT_DECRYPT_ERROR},
		{"a bit of the signature", "client-rsa", NULL, 0, 0, 100, ALERT_DECRYPT_ERROR},
		{"a bit of the signature", "client-ed25519", NULL, 0, 0, 20, ALERT_DECRYPT_ERROR},
		{"SHA-1", "client-rsa", "0201 0001 00", 0, 0, 0, ALERT_ILLEGAL_PARAMETER},
		{"MD5", "client-rsa", "0101 0001 00", 0, 0, 0, ALERT_ILLEGAL_PARAMETER},
		{"SHA-1 with ECDSA", "client", "0203 0001 00", 0, 0, 0, ALERT_ILLEGAL_PARAMETER},
		{"DSA", "client", "0402 0001 00", 0, 0, 0, ALERT_ILLEGAL_PARAMETER},
		{"no hash", "client-rsa", "0001 0001 00", 0, 0, 0, ALERT_ILLEGAL_PARAMETER},
		{"no signature", "client-rsa", "0400 0001 00", 0, 0, 0, ALERT_ILLEGAL_PARAMETER},
		{"our own number for TLS 1.0", "client-rsa", "ff01 0001 00", 0, 0, 0,
		 ALERT_ILLEGAL_PARAMETER},
		{"our own number for TLS 1.0", "client", "ff02 0001 00", 0, 0, 0, ALERT_ILLEGAL_PARAMETER},
		{"ECDSA with an RSA key", "client-rsa", "0403 0001 00", 0, 0, 0, ALERT_ILLEGAL_PARAMETER},
		{"RSA with an ECDSA key", "client", "0401 0001 00", 0, 0, 0, ALERT_ILLEGAL_PARAMETER},
		{"RSA-PSS with an ECDSA key", "client", "0804 0001 00", 0, 0, 0, ALERT_ILLEGAL_PARAMETER},
		{"Ed25519 with an ECDSA key", "client", "0807 0001 00", 0, 0, 0, ALERT_ILLEGAL_PARAMETER},
		{"the scheme of other RSA keys", "client-rsa", "0809 0001 00", 0, 0, 0,
		 ALERT_ILLEGAL_PARAMETER},
		{"Ed448", "client-ed25519", "0808 0001 00", 0, 0, 0, ALERT_ILLEGAL_PARAMETER},
	};
	const struct raw12_hello hello = {.version = 0};

	(void)unused;
	for (size_t i = 0; i < N(cases); i++) {
		struct engine_config *own = client_with(cases[i].name);
		const struct credential *credential = &own->credentials[0];
		uint8_t bytes[600], signature[512];
		uint16_t scheme = 0;
		struct wr body;
		struct raw12 raw;
		size_t len;

		begin_asking(&raw, DEFAULT, ENGINE_CLIENT_AUTH_REQUEST, &hello);
		raw12_send_certificate(&raw, credential);
		raw12_key_exchange(&raw, NULL);
		raw12_derive(&raw);
		wr_init(&body, bytes, sizeof(bytes));
		if (cases[i].body != NULL) {
			body.len = raw12_hex(bytes, sizeof(bytes), cases[i].body);
		} else {
			assert_int_equal(private_key_schemes(credential->key, false, &scheme, 1), 1);
			assert_int_equal(private_key_sign(credential->key, scheme, raw.messages.data,
							  raw.messages.len, signature, sizeof(signature),
							  &len),
					 ENGINE_OK);
			wr_u16(&body, scheme);
			wr_u16(&body, (uint16_t)len);
			wr_bytes(&body, signature, len);
			body.len -= cases[i].cut;
			body.len += cases[i].add;
			if (cases[i].flip != 0) {
				bytes[cases[i].flip] ^= 4;
			}
		}
		raw12_send(&raw, HS_CERTIFICATE_VERIFY, bytes, body.len);
		raw12_expect_alert(&raw, cases[i].alert, cases[i].what);
		raw12_end(&raw);
		engine_config_unref(own);
	}
}

/* RFC 5246 7.4.8: it signs all messages, so not those of another handshake, and nobody else's. */
static void test_a_proof_is_for_this_handshake_and_this_key(void **unused)
{
	const struct raw12_hello hello = {.version = 0};
	struct engine_config *own = client_with("client");
	struct engine_config *other = client_with("client-rsa");
	struct raw12 raw;

	(void)unused;
	begin_asking(&raw, DEFAULT, ENGINE_CLIENT_AUTH_REQUEST, &hello);
	raw12_send_certificate(&raw, &own->credentials[0]);
	raw12_key_exchange(&raw, NULL);
	raw.messages.data[10] ^= 1; /* of the client's random number */
	raw12_send_certificate_verify(&raw, &own->credentials[0], 0x0403);
	raw12_expect_alert(&raw, ALERT_DECRYPT_ERROR, "of another handshake");
	raw12_end(&raw);
	begin_asking(&raw, DEFAULT, ENGINE_CLIENT_AUTH_REQUEST, &hello);
	raw12_send_certificate(&raw, &own->credentials[0]);
	raw12_key_exchange(&raw, NULL);
	raw12_send_certificate_verify(&raw, &other->credentials[0], 0x0804);
	raw12_expect_alert(&raw, ALERT_ILLEGAL_PARAMETER, "of another key");
	raw12_end(&raw);
	/* the certificate without its proof is none */
	begin_asking(&raw, DEFAULT, ENGINE_CLIENT_AUTH_REQUEST, &hello);
	raw12_send_certificate(&raw, &own->credentials[0]);
	raw12_key_exchange(&raw, NULL);
	raw12_derive(&raw);
	raw12_send_ccs(&raw);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "no proof");
	raw12_end(&raw);
	/* and a proof without a certificate is too much */
	begin_asking(&raw, DEFAULT, ENGINE_CLIENT_AUTH_REQUEST, &hello);
	raw12_send_certificate(&raw, NULL);
	raw12_key_exchange(&raw, NULL);
	raw12_send_certificate_verify(&raw, &own->credentials[0], 0x0403);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "a proof of nothing");
	raw12_end(&raw);
	engine_config_unref(own);
	engine_config_unref(other);
}

/* RFC 5246 7.4.4 */
static void test_the_request_names_kinds_schemes_and_authorities(void **unused)
{
	static const uint16_t versions[] = {0x0303, 0x0302, 0x0301};

	(void)unused;
	for (size_t i = 0; i < N(versions); i++) {
		const struct raw12_hello hello = {.version = versions[i], .suites = "c013"};
		struct rd in, types, schemes, names, name = rd_of(NULL, 0);
		struct engine_config *own = client_with("client");
		struct raw12 raw;

		begin_asking(&raw, LEGACY, ENGINE_CLIENT_AUTH_REQUEST, &hello);
		in = raw.certificate_request;
		assert_true(rd_vec8(&in, &types, 1, 255));
		assert_true(rd_equal(types, rd_of((const uint8_t *)"\x40\x01", 2)));
		if (versions[i] == 0x0303) {
			uint16_t scheme;

			assert_true(rd_vec16(&in, &schemes, 2, 65534));
			assert_true(rd_has_u16(schemes, 0x0403) && rd_has_u16(schemes, 0x0401) &&
				    rd_has_u16(schemes, 0x0807));
			while (rd_u16(&schemes, &scheme)) {
				/* no SHA-1, nothing that is for certificates of TLS 1.3 alone */
				assert_true(scheme_find(scheme)->tls12);
				assert_int_not_equal(scheme >> 8, 2);
			}
		}
		assert_true(rd_vec16(&in, &names, 0, 65535) && rd_end(&in));
		assert_true(rd_vec16(&names, &name, 1, 65535) && rd_end(&names));
		assert_true(name.p[0] == 0x30);
		assert_true(credential_is_from(&own->credentials[0], rd_of(name.p - 2, name.left + 2)));
		raw12_end(&raw);
		engine_config_unref(own);
	}
}

/* ---- pieces ---- */

/* Each message of the client's flight in pieces, and several in one record. RFC 5246 6.2.1 */
static void test_the_flight_may_be_cut_and_joined_anywhere(void **unused)
{
	const struct raw12_hello hello = {.version = 0};
	struct engine_config *own = client_with("client");

	(void)unused;
	for (size_t piece = 1; piece <= 4096; piece = piece < 8 ? piece + 1 : piece * 2) {
		struct wr flight, body;
		struct raw12 raw;
		size_t mark, list, cert;
		uint8_t signature[512];
		size_t len;

		begin_asking(&raw, DEFAULT, ENGINE_CLIENT_AUTH_REQUIRE, &hello);
		wr_init_heap(&flight);
		wr_u8(&flight, HS_CERTIFICATE);
		mark = wr_open24(&flight);
		list = wr_open24(&flight);
		cert = wr_open24(&flight);
		wr_bytes(&flight, own->credentials[0].chain[0].data, own->credentials[0].chain[0].len);
		wr_close24(&flight, cert);
		wr_close24(&flight, list);
		wr_close24(&flight, mark);
		raw12_key_exchange(&raw, &body);
		wr_u8(&flight, HS_CLIENT_KEY_EXCHANGE);
		wr_u24(&flight, (uint32_t)body.len);
		wr_bytes(&flight, body.data, body.len);
		assert_true(crypto_hash_update(&raw.transcript, flight.data, flight.len));
		wr_bytes(&raw.messages, flight.data, flight.len);
		raw12_derive(&raw);
		assert_int_equal(private_key_sign(own->credentials[0].key, 0x0403, raw.messages.data,
						  raw.messages.len, signature, sizeof(signature), &len),
				 ENGINE_OK);
		mark = flight.len;
		wr_u8(&flight, HS_CERTIFICATE_VERIFY);
		wr_u24(&flight, (uint32_t)len + 4);
		wr_u16(&flight, 0x0403);
		wr_u16(&flight, (uint16_t)len);
		wr_bytes(&flight, signature, len);
		assert_true(crypto_hash_update(&raw.transcript, flight.data + mark, flight.len - mark));
		for (size_t at = 0; at < flight.len; at += piece) {
			raw12_send_record(&raw, CONTENT_HANDSHAKE, flight.data + at,
					  flight.len - at < piece ? flight.len - at : piece);
		}
		raw12_send_ccs(&raw);
		raw12_send_finished(&raw, 0);
		raw12_read(&raw);
		if (!raw12_talks(&raw)) {
			fail_msg("pieces of %zu: %s", piece, engine_hs_reason(raw.hs));
		}
		wr_free(&flight);
		wr_free(&body);
		raw12_end(&raw);
	}
	engine_config_unref(own);
}

/* RFC 5246 6.2.1 allows it, and clients of old did so with the first byte. */
static void test_a_protected_finished_may_be_cut(void **unused)
{
	static const struct raw12_hello hellos[] = {{.suites = "c02f"},
						    {.suites = "c013", .version = 0x0301}};

	(void)unused;
	for (size_t i = 0; i < N(hellos); i++) {
		uint8_t message[16] = {HS_FINISHED, 0, 0, 12};
		uint8_t hash[CRYPTO_MAX_HASH_LEN];
		struct raw12 raw;

		to_finished(&raw, LEGACY, &hellos[i]);
		assert_true(crypto_hash_peek(&raw.transcript, hash));
		assert_true(keysched12_finished(raw.version, raw.suite->hash, raw.master, true, hash,
						crypto_hash_len(raw.transcript.hash), message + 4));
		for (size_t at = 0; at < sizeof(message); at++) {
			raw12_send_record(&raw, CONTENT_HANDSHAKE, message + at, 1);
		}
		assert_true(crypto_hash_update(&raw.transcript, message, sizeof(message)));
		raw12_read(&raw);
		assert_true(raw12_talks(&raw));
		raw12_end(&raw);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_key_exchanges_get_the_alert_that_the_rfc_names),
		cmocka_unit_test(test_a_dh_share_may_have_zeros_in_front),
		cmocka_unit_test(test_secrets_of_all_lengths_are_agreed_on),
		cmocka_unit_test(test_whatever_is_wrong_with_a_premaster_secret_looks_the_same),
		cmocka_unit_test(test_the_premaster_secret_begins_with_what_the_client_offered),
		cmocka_unit_test(test_change_cipher_spec_has_one_form_and_one_place),
		cmocka_unit_test(test_behind_change_cipher_spec_nothing_is_in_clear),
		cmocka_unit_test(test_a_wrong_finished_is_refused),
		cmocka_unit_test(test_both_sides_must_have_the_same_master_secret),
		cmocka_unit_test(test_nothing_stands_behind_finished_in_its_record),
		cmocka_unit_test(test_application_data_has_to_wait_for_finished),
		cmocka_unit_test(test_warnings_are_borne_and_fatal_alerts_are_not),
		cmocka_unit_test(test_records_keep_to_the_version),
		cmocka_unit_test(test_clients_prove_their_certificates_in_each_version),
		cmocka_unit_test(test_a_client_without_certificate_is_let_in_or_not),
		cmocka_unit_test(test_bad_certificates_are_refused),
		cmocka_unit_test(test_old_versions_have_no_keys_that_are_newer),
		cmocka_unit_test(test_bad_proofs_are_refused),
		cmocka_unit_test(test_a_proof_is_for_this_handshake_and_this_key),
		cmocka_unit_test(test_the_request_names_kinds_schemes_and_authorities),
		cmocka_unit_test(test_the_flight_may_be_cut_and_joined_anywhere),
		cmocka_unit_test(test_a_protected_finished_may_be_cut),
	};

	return cmocka_run_group_tests_name("server12_exchange", tests, server12_setup, NULL);
}
