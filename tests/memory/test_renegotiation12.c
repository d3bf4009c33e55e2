/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that renegotiates: what must be proven, what may come in between, and what becomes of the connection.
 * RFC 5246 7.4.1.1, 7.2.2; RFC 5746 3.5; RFC 7366 3.1
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/alert.h"
#include "tests/lib/fake12.h"
#include "tests/pki/pki.h"

#define ECDHE_ECDSA_GCM    0xc02b
#define ECDHE_ECDSA_CHACHA 0xcca9
#define ECDHE_ECDSA_CBC    0xc009
#define ECDHE_RSA_GCM      0xc02f
#define RSA_GCM            0x009c

enum server { EC, RSA, OTHER_NAME, SERVER_COUNT };

static struct engine_config *client, *default_client;
static struct engine_config *servers[SERVER_COUNT];
static struct fake12 fake;
static char proof[FAKE12_PROOF_MAX];

static struct engine_config *make_client(bool is_legacy)
{
	static const char *const alpn[] = {"one", "two"};
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	struct engine_trust *trust = pki_trust("ca.pem ca-rsa.pem");

	engine_config_set_trust(config, trust);
	engine_trust_unref(trust);
	if (is_legacy) {
		engine_config_set_profile(config, ENGINE_PROFILE_LEGACY);
		assert_true(engine_config_set_versions(config, ENGINE_TLS10, ENGINE_TLS13));
	}
	assert_true(engine_config_set_alpn(config, alpn, 2));
	return config;
}

static int setup(void **state)
{
	static const char *const files[SERVER_COUNT][2] = {[EC] = {"server.pem", "server.key"},
							   [RSA] = {"rsa-both.pem", "rsa-both.key"},
							   [OTHER_NAME] = {"wrong-name.pem",
									   "wrong-name.key"}};
	char why[ENGINE_REASON_MAX];

	if (pki_setup(state) != 0 || !fake12_init()) {
		return -1;
	}
	client = make_client(true);
	default_client = make_client(false);
	for (int i = 0; i < SERVER_COUNT; i++) {
		servers[i] = engine_config_new(ENGINE_SERVER);
		if (!pki_add_credential(servers[i], files[i][0], files[i][1], why)) {
			return -1;
		}
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	engine_config_unref(client);
	engine_config_unref(default_client);
	for (int i = 0; i < SERVER_COUNT; i++) {
		engine_config_unref(servers[i]);
	}
	return 0;
}

/* A connection; the first handshake has this choice. */
static void connect_with(const struct fake12_choice *choice)
{
	fake12_forget_sessions();
	engine_config_ref(client);
	fake12_begin(&fake, client, &servers[EC]->credentials[0]);
	fake12_handshake(&fake, choice, NULL);
	fake12_expect(&fake, 0, "the first handshake");
	assert_true(fake.conn.may_renegotiate);
}

static void connect_usual(void)
{
	connect_with(&(struct fake12_choice){.version = ENGINE_TLS12});
}

/* The second handshake: extensions in front of a right renegotiation_info. */
static void go_on(struct fake12_choice choice, const char *extensions, const struct fake12_wrong *wrong)
{
	static char all[400];

	fake12_proof(&fake, proof);
	(void)snprintf(all, sizeof(all), "%s%s", extensions, proof);
	choice.extensions = all;
	choice.version = choice.version != 0 ? choice.version : fake.version;
	fake12_handshake(&fake, &choice, wrong);
}

/* ---- good ones ---- */

static void test_either_side_begins_and_keys_change(void **unused)
{
	static const struct fake12_choice choices[] = {
		{.suite = ECDHE_ECDSA_GCM},
		{.suite = ECDHE_ECDSA_CHACHA, .group = 0x001d},
		{.suite = ECDHE_ECDSA_CBC},
		{.version = ENGINE_TLS11, .suite = ECDHE_ECDSA_CBC},
		{.version = ENGINE_TLS10, .suite = ECDHE_ECDSA_CBC},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		connect_with(&choices[i]);
		for (int round = 0; round < 4; round++) {
			const struct engine_keys before = fake.conn.send;

			fake12_renegotiate(&fake, round % 2 == 1);
			assert_true(fake.got_hello);
			assert_int_equal(fake.client_version, fake.version);
			go_on(choices[i], FAKE12_EMS, NULL);
			fake12_expect(&fake, 0, "renegotiated");
			assert_memory_not_equal(before.key, fake.conn.send.key, 16);
			assert_int_not_equal(before.epoch, fake.conn.send.epoch);
			assert_int_equal(fake.conn.version, fake.version);
			assert_true(fake.conn.may_renegotiate);
		}
		fake12_end(&fake);
	}
}

static void test_another_suite_and_another_key_may_be_chosen(void **unused)
{
	(void)unused;
	connect_usual();
	fake12_renegotiate(&fake, false);
	go_on((struct fake12_choice){.suite = ECDHE_ECDSA_CBC}, FAKE12_EMS FAKE12_ETM, NULL);
	fake12_expect(&fake, 0, "CBC behind GCM");
	assert_int_equal(fake.conn.suite, ECDHE_ECDSA_CBC);
	fake12_renegotiate(&fake, true);
	fake.credential = &servers[RSA]->credentials[0];
	go_on((struct fake12_choice){.suite = RSA_GCM}, FAKE12_EMS, NULL);
	fake12_expect(&fake, 0, "RSA key transport behind ECDHE");
	assert_string_equal(fake.conn.peer_subject, "CN=rsa-both");
	fake12_end(&fake);
}

/* RFC 5746 3.5: the ClientHello proves which connection it renegotiates. */
static void test_the_hello_proves_the_connection(void **unused)
{
	struct rd body;

	(void)unused;
	connect_usual();
	fake12_renegotiate(&fake, false);
	assert_true(fake12_offers(&fake, 0xff01, &body));
	assert_int_equal(body.left, 13);
	assert_int_equal(body.p[0], 12);
	assert_memory_equal(body.p + 1, fake.verify_data[ENGINE_CLIENT], 12);
	/* no other version, no session, no SCSV */
	assert_false(fake12_offers(&fake, 43, NULL) || fake12_offers(&fake, 51, NULL));
	assert_int_equal(fake.session_id.left, 0);
	assert_false(rd_has_u16(fake.suites, 0x00ff));
	fake12_end(&fake);
}

/* ---- bad ones ---- */

struct row {
	const char *name;
	struct fake12_choice first, second; /* extensions of the second: as they are, or NULL: right ones */
	const char *more;                   /* in front of them */
	int change;                         /* this byte of the right proof, from 1; 0: none */
	enum server server;
	struct fake12_wrong wrong;
	unsigned alert;
};

static void check_row(const struct row *row)
{
	struct fake12_choice second = row->second;

	connect_with(&row->first);
	fake12_renegotiate(&fake, false);
	fake.credential = &servers[row->server]->credentials[0];
	if (row->change != 0) {
		fake.verify_data[(row->change - 1) / 12][(row->change - 1) % 12] ^= 1;
	}
	if (second.extensions != NULL) {
		fake12_handshake(&fake, &second, &row->wrong);
	} else {
		go_on(second, row->more != NULL ? row->more : FAKE12_EMS, &row->wrong);
	}
	fake12_expect(&fake, row->alert, row->name);
	if (row->alert != 0) {
		/* the connection is gone */
		assert_int_not_equal(fake.conn.recv_err, ENGINE_OK);
		assert_true(fake.conn.send_closed);
		assert_int_not_equal(strlen(engine_conn_reason(&fake.conn)), 0);
	}
	fake12_end(&fake);
}

/* clang-format off */
static void test_what_ends_the_connection(void **unused)
{
	static const struct row rows[] = {
		{ "RFC 5746 3.5: no renegotiation_info", { 0 }, { .extensions = FAKE12_EMS }, NULL, 0, EC, { 0 },
		  ALERT_HANDSHAKE_FAILURE },
		{ "an empty one", { 0 }, { .extensions = FAKE12_EMS FAKE12_RENEGOTIATION }, NULL, 0, EC, { 0 },
		  ALERT_HANDSHAKE_FAILURE },
		{ "the client's half is wrong", { 0 }, { 0 }, NULL, 1, EC, { 0 }, ALERT_HANDSHAKE_FAILURE },
		{ "at its end", { 0 }, { 0 }, NULL, 12, EC, { 0 }, ALERT_HANDSHAKE_FAILURE },
		{ "the server's half is wrong", { 0 }, { 0 }, NULL, 13, EC, { 0 }, ALERT_HANDSHAKE_FAILURE },
		{ "at its end", { 0 }, { 0 }, NULL, 24, EC, { 0 }, ALERT_HANDSHAKE_FAILURE },
		{ "another version", { 0 }, { .version = ENGINE_TLS11, .suite = ECDHE_ECDSA_CBC }, NULL, 0, EC, { 0 },
		  ALERT_PROTOCOL_VERSION },
		{ "RFC 7366 3.1: encrypt_then_mac is taken back", { .suite = ECDHE_ECDSA_CBC,
		  .extensions = FAKE12_EMS FAKE12_ETM FAKE12_RENEGOTIATION }, { .suite = ECDHE_ECDSA_CBC }, NULL, 0,
		  EC, { 0 }, ALERT_HANDSHAKE_FAILURE },
		{ "encrypt_then_mac is added", { .suite = ECDHE_ECDSA_CBC }, { .suite = ECDHE_ECDSA_CBC },
		  FAKE12_EMS FAKE12_ETM, 0, EC, { 0 }, 0 },
		{ "encrypt_then_mac goes with CBC", { .suite = ECDHE_ECDSA_CBC,
		  .extensions = FAKE12_EMS FAKE12_ETM FAKE12_RENEGOTIATION }, { 0 }, NULL, 0, EC, { 0 }, 0 },
		{ "RFC 7627: extended_master_secret is taken back", { 0 }, { 0 }, "", 0, EC, { 0 },
		  ALERT_HANDSHAKE_FAILURE },
		{ "it is added", { .extensions = FAKE12_RENEGOTIATION }, { 0 }, NULL, 0, EC, { 0 }, 0 },
		{ "a server of another name", { 0 }, { 0 }, NULL, 0, OTHER_NAME, { 0 }, ALERT_BAD_CERTIFICATE },
		{ "another application protocol",
		  { .extensions = FAKE12_EMS FAKE12_RENEGOTIATION "0010 0006 0004 03 6f6e65" }, { 0 },
		  FAKE12_EMS "0010 0006 0004 03 74776f", 0, EC, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "the same one", { .extensions = FAKE12_EMS FAKE12_RENEGOTIATION "0010 0006 0004 03 6f6e65" }, { 0 },
		  FAKE12_EMS "0010 0006 0004 03 6f6e65", 0, EC, { 0 }, 0 },
		{ "a wrong Finished", { 0 }, { 0 }, NULL, 0, EC, { HS_FINISHED, FAKE12_FLIP, 0, NULL },
		  ALERT_DECRYPT_ERROR },
		{ "no ChangeCipherSpec: the old keys go on", { 0 }, { 0 }, NULL, 0, EC, { HS_CHANGE_CIPHER_SPEC,
		  FAKE12_SKIP, 0, NULL }, ALERT_UNEXPECTED_MESSAGE },
		{ "RFC 5246 7.4.1.1: a HelloRequest meanwhile", { 0 }, { 0 }, NULL, 0, EC, { HS_CERTIFICATE,
		  FAKE12_BEFORE, 0, "00 000000" }, 0 },
		{ "one in front of ServerHello", { 0 }, { 0 }, NULL, 0, EC, { HS_SERVER_HELLO, FAKE12_BEFORE, 0,
		  "00 000000" }, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_row(&rows[i]);
	}
}
/* clang-format on */

/* The HelloRequest comes with more in its record, or wrong. */
static void test_records_with_a_hello_request(void **unused)
{
	static const struct {
		const char *record;
		unsigned alert;
	} rows[] = {
		{"00000000 00000000", 0},
		{"00000001 00", ALERT_DECODE_ERROR},
		{"00000000 01000000", ALERT_UNEXPECTED_MESSAGE},
		{"00000000 02000000", ALERT_DECODE_ERROR},
		{"0000", 0}, /* the rest follows */
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t record[16];
		const size_t len = fake12_hex(record, sizeof(record), rows[i].record);

		connect_usual();
		fake.is_renegotiating = true;
		fake.got_hello = false;
		fake12_send_record(&fake, CONTENT_HANDSHAKE, record, len);
		if (len == 2) {
			fake12_send_record(&fake, CONTENT_HANDSHAKE, record, len);
		}
		fake12_read(&fake);
		if (rows[i].alert == 0) {
			assert_int_equal(engine_hs_error(fake.hs), ENGINE_OK);
			assert_true(fake.got_hello);
		} else {
			fake12_expect(&fake, rows[i].alert, rows[i].record);
		}
		fake12_end(&fake);
	}
}

/* ---- what comes in between ---- */

static void send_data(struct fake12 *f)
{
	fake12_send_record(f, CONTENT_APPLICATION_DATA, "some data", 9);
}

static void check_data(const char *text)
{
	size_t len;
	const uint8_t *data = engine_hs_data(fake.hs, &len);

	assert_int_equal(len, strlen(text));
	assert_memory_equal(data, text, len);
	engine_hs_data_taken(fake.hs);
	assert_null(engine_hs_data(fake.hs, &len));
	assert_int_equal(len, 0);
}

static void test_application_data_is_kept_until_the_keys_change(void **unused)
{
	static const uint16_t places[] = {HS_SERVER_HELLO, HS_CERTIFICATE, HS_SERVER_HELLO_DONE,
					  HS_CHANGE_CIPHER_SPEC};

	(void)unused;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		connect_usual();
		fake12_renegotiate(&fake, false);
		fake.before = send_data;
		fake.before_type = places[i];
		go_on((struct fake12_choice){.suite = 0}, FAKE12_EMS, NULL);
		fake12_expect(&fake, 0, "data in between");
		check_data("some data");
		fake12_end(&fake);
	}
	connect_usual();
	fake12_renegotiate(&fake, false);
	fake.before = send_data;
	fake.before_type = HS_FINISHED;
	go_on((struct fake12_choice){.suite = 0}, FAKE12_EMS, NULL);
	fake12_expect(&fake, ALERT_UNEXPECTED_MESSAGE, "data behind ChangeCipherSpec");
	fake12_end(&fake);
}

/* RFC 5246 6.2.1: records of other types may stand between the pieces of a message. */
static void test_application_data_between_the_pieces_of_a_message(void **unused)
{
	static const uint8_t message[] = {HS_SERVER_HELLO, 0, 0};

	(void)unused;
	connect_usual();
	fake12_renegotiate(&fake, false);
	fake12_send_record(&fake, CONTENT_HANDSHAKE, message, 1);
	send_data(&fake);
	assert_int_equal(engine_hs_error(fake.hs), ENGINE_OK);
	check_data("some data");
	fake12_send_record(&fake, CONTENT_HANDSHAKE, message + 1, 2);
	fake12_send_record(&fake, CONTENT_CHANGE_CIPHER_SPEC, "\1", 1);
	fake12_expect(&fake, ALERT_UNEXPECTED_MESSAGE, "ChangeCipherSpec is none of them");
	fake12_end(&fake);
}

static void test_too_much_data_that_nobody_takes(void **unused)
{
	static uint8_t much[16384];

	(void)unused;
	connect_usual();
	fake12_renegotiate(&fake, false);
	/* as long as it is taken, there may be any amount */
	for (int i = 0; i < 20; i++) {
		fake12_send_record(&fake, CONTENT_APPLICATION_DATA, much, sizeof(much));
		engine_hs_data_taken(fake.hs);
	}
	assert_int_equal(engine_hs_error(fake.hs), ENGINE_OK);
	for (int i = 0; i < 5; i++) {
		fake12_send_record(&fake, CONTENT_APPLICATION_DATA, much, sizeof(much));
	}
	fake12_expect(&fake, ALERT_UNEXPECTED_MESSAGE, "too much");
	fake12_end(&fake);
}

/* ---- the connection goes on ---- */

static void test_a_server_that_does_not_want_to(void **unused)
{
	static const uint8_t no_renegotiation[] = {ALERT_LEVEL_WARNING, ALERT_NO_RENEGOTIATION};
	struct engine_keys before;

	(void)unused;
	connect_usual();
	before = fake.conn.send;
	fake12_renegotiate(&fake, false);
	send_data(&fake);
	fake12_send_record(&fake, CONTENT_ALERT, no_renegotiation, 2);
	assert_true(engine_hs_is_done(fake.hs));
	check_data("some data");
	assert_memory_equal(before.key, fake.conn.send.key, 32);
	fake.got_finished = true;
	assert_true(fake12_talks(&fake));
	/* and another time */
	fake12_renegotiate(&fake, false);
	go_on((struct fake12_choice){.suite = 0}, FAKE12_EMS, NULL);
	fake12_expect(&fake, 0, "renegotiated all the same");
	fake12_end(&fake);
}

/* Behind ServerHello it is too late for that: a mere warning. */
static void send_no_renegotiation(struct fake12 *f)
{
	static const uint8_t alert[] = {ALERT_LEVEL_WARNING, ALERT_NO_RENEGOTIATION};

	fake12_send_record(f, CONTENT_ALERT, alert, 2);
}

static void test_no_renegotiation_behind_server_hello(void **unused)
{
	(void)unused;
	connect_usual();
	fake12_renegotiate(&fake, false);
	fake.before = send_no_renegotiation;
	fake.before_type = HS_CERTIFICATE;
	go_on((struct fake12_choice){.suite = 0}, FAKE12_EMS, NULL);
	fake12_expect(&fake, 0, "a warning");
	fake12_end(&fake);
}

static void test_a_server_that_closes(void **unused)
{
	static const uint8_t close_notify[] = {ALERT_LEVEL_WARNING, ALERT_CLOSE_NOTIFY};
	uint8_t out[ENGINE_CONTROL_MAX];
	size_t len;

	(void)unused;
	connect_usual();
	fake12_renegotiate(&fake, false);
	fake12_send_record(&fake, CONTENT_ALERT, close_notify, 2);
	assert_true(engine_hs_is_done(fake.hs));
	assert_true(fake.conn.recv_closed);
	assert_int_equal(engine_seal_alert(&fake.conn, fake.client_cipher[1], ENGINE_ALERT_CLOSE_NOTIFY, out,
					   &len),
			 ENGINE_OK);
	assert_int_not_equal(len, 0);
	fake12_end(&fake);
	/* in the middle of the handshake it is an end without order */
	connect_usual();
	fake12_renegotiate(&fake, false);
	fake12_send_record(&fake, CONTENT_HANDSHAKE, "\2", 1);
	fake12_send_record(&fake, CONTENT_ALERT, close_notify, 2);
	assert_int_equal(engine_hs_error(fake.hs), ENGINE_ERR_PEER_ALERT);
	assert_int_equal(fake.conn.recv_err, ENGINE_ERR_PEER_ALERT);
	fake12_end(&fake);
}

static void test_a_fatal_alert(void **unused)
{
	static const uint8_t fatal[] = {ALERT_LEVEL_FATAL, ALERT_NO_RENEGOTIATION};

	(void)unused;
	connect_usual();
	fake12_renegotiate(&fake, false);
	fake12_send_record(&fake, CONTENT_ALERT, fatal, 2);
	assert_int_equal(engine_hs_error(fake.hs), ENGINE_ERR_PEER_ALERT);
	assert_int_equal(fake.conn.recv_err, ENGINE_ERR_PEER_ALERT);
	assert_int_equal(engine_alert_due(&fake.conn), 0);
	fake12_end(&fake);
}

/* ---- lending the keys ---- */

static void test_nothing_is_sealed_meanwhile(void **unused)
{
	const struct engine_slice slice = {(const uint8_t *)"data", 4};
	uint8_t out[ENGINE_CONTROL_MAX];
	size_t len;

	(void)unused;
	connect_usual();
	fake12_renegotiate(&fake, false);
	assert_int_equal(engine_seal(&fake.conn, fake.client_cipher[1], &slice, 1, out, sizeof(out), &len),
			 ENGINE_ERR_INTERNAL);
	assert_int_equal(engine_seal_alert(&fake.conn, fake.client_cipher[1], 0, out, &len), ENGINE_OK);
	assert_int_equal(len, 0);
	fake12_end(&fake);
}

static void test_giving_up_in_the_middle(void **unused)
{
	uint8_t out[ENGINE_CONTROL_MAX];
	struct record_opened opened;
	size_t len;

	(void)unused;
	connect_usual();
	fake12_renegotiate(&fake, false);
	engine_hs_free(fake.hs);
	fake.hs = NULL;
	/* the server's answer will come some time: nothing can be received any more, but the end can be told */
	assert_int_not_equal(fake.conn.recv_err, ENGINE_OK);
	assert_int_equal(engine_seal_alert(&fake.conn, fake.client_cipher[1], 0, out, &len), ENGINE_OK);
	assert_int_not_equal(len, 0);
	assert_int_equal(record_open(&fake.recv_spec, &fake.recv, fake.recv_cipher, out, len, NULL, &opened),
			 REASON_NONE);
	assert_int_equal(opened.data[1], ALERT_CLOSE_NOTIFY);
	fake12_end(&fake);
}

static void test_connections_that_cannot(void **unused)
{
	const struct engine_hs_params params = {.config = client, .server_name = "localhost"};
	const struct engine_hs_params server_params = {.config = servers[EC]};
	struct engine_conn conn;
	char why[ENGINE_REASON_MAX];

	(void)unused;
	connect_usual();
	conn = fake.conn;
	assert_null(engine_hs_renegotiate(&server_params, &conn, NULL, 0, why));
	conn.may_renegotiate = 0;
	assert_null(engine_hs_renegotiate(&params, &conn, NULL, 0, why));
	conn = fake.conn;
	conn.version = ENGINE_TLS13;
	assert_null(engine_hs_renegotiate(&params, &conn, NULL, 0, why));
	conn = fake.conn;
	conn.recv_closed = 1;
	assert_null(engine_hs_renegotiate(&params, &conn, NULL, 0, why));
	conn = fake.conn;
	conn.send_closed = 1;
	assert_null(engine_hs_renegotiate(&params, &conn, NULL, 0, why));
	fake12_end(&fake);
	/* RFC 5746 4.2: a server that does not know the extension */
	engine_config_ref(client);
	fake12_begin(&fake, client, &servers[EC]->credentials[0]);
	fake12_handshake(&fake, &(struct fake12_choice){.extensions = FAKE12_EMS}, NULL);
	fake12_expect(&fake, 0, "no renegotiation_info");
	assert_false(fake.conn.may_renegotiate);
	fake12_end(&fake);
	/* the default profile renegotiates with nobody */
	engine_config_ref(default_client);
	fake12_begin(&fake, default_client, &servers[EC]->credentials[0]);
	fake12_handshake(&fake, &(struct fake12_choice){.version = ENGINE_TLS12}, NULL);
	fake12_expect(&fake, 0, "the default profile");
	assert_false(fake.conn.may_renegotiate);
	fake12_end(&fake);
}

/* RFC 8449 4: the limit goes with the keys. */
static void test_record_size_limits_change_with_the_keys(void **unused)
{
	static const char small[] = FAKE12_EMS FAKE12_RENEGOTIATION "001c 0002 0040";

	(void)unused;
	connect_with(&(struct fake12_choice){.extensions = small});
	assert_int_equal(engine_max_plaintext(&fake.conn), 64);
	fake12_renegotiate(&fake, false);
	assert_true(fake.longest_record <= 64);
	go_on((struct fake12_choice){.suite = 0}, FAKE12_EMS, NULL);
	fake12_expect(&fake, 0, "without a limit");
	assert_int_equal(engine_max_plaintext(&fake.conn), ENGINE_MAX_PLAINTEXT);
	fake12_end(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_either_side_begins_and_keys_change),
		cmocka_unit_test(test_another_suite_and_another_key_may_be_chosen),
		cmocka_unit_test(test_the_hello_proves_the_connection),
		cmocka_unit_test(test_what_ends_the_connection),
		cmocka_unit_test(test_records_with_a_hello_request),
		cmocka_unit_test(test_application_data_is_kept_until_the_keys_change),
		cmocka_unit_test(test_application_data_between_the_pieces_of_a_message),
		cmocka_unit_test(test_too_much_data_that_nobody_takes),
		cmocka_unit_test(test_a_server_that_does_not_want_to),
		cmocka_unit_test(test_no_renegotiation_behind_server_hello),
		cmocka_unit_test(test_a_server_that_closes),
		cmocka_unit_test(test_a_fatal_alert),
		cmocka_unit_test(test_nothing_is_sealed_meanwhile),
		cmocka_unit_test(test_giving_up_in_the_middle),
		cmocka_unit_test(test_connections_that_cannot),
		cmocka_unit_test(test_record_size_limits_change_with_the_keys),
	};

	return cmocka_run_group_tests_name("renegotiation12", tests, setup, teardown);
}
