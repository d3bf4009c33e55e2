/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks the state tables of TLS 1.2 with both roles: every state is reached, and every message that a state has no row
 * for is refused with unexpected_message, and nothing else happens.  RFC 5246 7.4
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/alert.h"
#include "tests/lib/fake12.h"
#include "tests/lib/raw12.h"
#include "tests/pki/pki.h"

/* Types that exist, some that do not, and ChangeCipherSpec. */
static const uint16_t types[] = {
	0,  1,  2,  3,  4,  5,  6,   7,   8,   9,   10,
	11, 12, 13, 14, 15, 16, 17,  18,  19,  20,  21,
	22, 23, 24, 25, 26, 64, 128, 253, 254, 255, HS_CHANGE_CIPHER_SPEC,
};

static uint64_t reached;
static struct engine_config *ec_server, *rsa_server, *asking_server, *client, *with_certificate;

static struct engine_config *make(enum engine_role role, const char *credential, const char *trust)
{
	struct engine_config *config = engine_config_new(role);
	char cert[64], key[64], why[ENGINE_REASON_MAX];

	engine_config_set_profile(config, ENGINE_PROFILE_LEGACY);
	assert_true(engine_config_set_versions(config, ENGINE_TLS12, ENGINE_TLS12));
	if (credential != NULL) {
		(void)snprintf(cert, sizeof(cert), "%s.pem", credential);
		(void)snprintf(key, sizeof(key), "%s.key", credential);
		if (!pki_add_credential(config, cert, key, why)) {
			fail_msg("%s: %s", credential, why);
		}
	}
	if (trust != NULL) {
		struct engine_trust *anchors = pki_trust(trust);

		engine_config_set_trust(config, anchors);
		engine_trust_unref(anchors);
	}
	return config;
}

static int setup(void **state)
{
	if (pki_setup(state) != 0 || !fake12_init()) {
		return -1;
	}
	ec_server = make(ENGINE_SERVER, "server", NULL);
	rsa_server = make(ENGINE_SERVER, "rsa-both", NULL);
	asking_server = make(ENGINE_SERVER, "server", "ca.pem");
	engine_config_set_client_auth(asking_server, ENGINE_CLIENT_AUTH_REQUEST);
	client = make(ENGINE_CLIENT, NULL, "ca.pem ca-rsa.pem");
	with_certificate = make(ENGINE_CLIENT, "client", "ca.pem");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	engine_config_unref(ec_server);
	engine_config_unref(rsa_server);
	engine_config_unref(asking_server);
	engine_config_unref(client);
	engine_config_unref(with_certificate);
	return 0;
}

/* Has the state that hs is in a row for this? */
static bool is_allowed(const struct engine_hs *hs, uint16_t type)
{
	for (size_t i = 0; i < hs->n_rows; i++) {
		if (hs->rows[i].state == hs->state && hs->rows[i].type == type) {
			return true;
		}
	}
	return false;
}

/* The one alert is out, sealed if it must be, and the connection is as it was or gone. */
static void check_refused(const struct engine_hs *hs, const struct engine_conn *conn, bool is_protected,
			  enum hs_state state, uint16_t type)
{
	size_t len;
	const uint8_t *bytes = engine_hs_pending(hs, &len);

	if (engine_hs_error(hs) != ENGINE_ERR_PROTOCOL || engine_hs_alert(hs) != ALERT_UNEXPECTED_MESSAGE) {
		fail_msg("state %d, message %d: %s (%s)", state, type, engine_alert_name(engine_hs_alert(hs)),
			 engine_hs_reason(hs));
	}
	assert_int_equal(hs->state, HS_FAILED);
	assert_true(len > ENGINE_RECORD_HEADER_LEN);
	assert_int_equal(bytes[0], CONTENT_ALERT);
	assert_int_equal(len, ENGINE_RECORD_HEADER_LEN + (size_t)(bytes[3] << 8 | bytes[4]));
	if (is_protected) {
		assert_true(len > ENGINE_RECORD_HEADER_LEN + ALERT_LEN);
	} else {
		assert_int_equal(bytes[5], ALERT_LEVEL_FATAL);
		assert_int_equal(bytes[6], ALERT_UNEXPECTED_MESSAGE);
	}
	if (conn->version != 0) {
		assert_true(conn->send_closed && conn->recv_err != ENGINE_OK);
	}
}

/* ---- client ---- */

struct client_path {
	const char *name;
	struct engine_config **server;
	struct fake12_choice choice;
	bool renegotiates;
};

/* clang-format off */
static const struct client_path client_paths[] = {
	{ "full", &ec_server, { .suite = 0xc02b }, false },
	{ "everything", &ec_server, { .suite = 0xc02b, .request = true, .ticket = true,
	  .extensions = FAKE12_EMS FAKE12_TICKET FAKE12_RENEGOTIATION }, false },
	{ "status", &ec_server, { .suite = 0xc02b, .status = "3000", .extensions = FAKE12_EMS FAKE12_STATUS }, false },
	{ "RSA key transport, request", &rsa_server, { .suite = 0x009c, .request = true }, false },
	{ "DHE", &rsa_server, { .suite = 0x009e }, false },
	{ "abbreviated", &ec_server, { .suite = 0xc02b, .session_id = "echo", .resume = true }, false },
	{ "abbreviated, ticket", &ec_server, { .suite = 0xc02b, .session_id = "echo", .resume = true, .ticket = true,
	  .extensions = FAKE12_EMS FAKE12_TICKET FAKE12_RENEGOTIATION }, false },
	{ "renegotiated", &ec_server, { .suite = 0xc02b, .request = true }, true },
};
/* clang-format on */

static const uint16_t places[] = {HS_SERVER_HELLO,        HS_CERTIFICATE,         HS_CERTIFICATE_STATUS,
				  HS_SERVER_KEY_EXCHANGE, HS_CERTIFICATE_REQUEST, HS_SERVER_HELLO_DONE,
				  HS_NEW_SESSION_TICKET,  HS_CHANGE_CIPHER_SPEC,  HS_FINISHED};

/* What is done in front of the next message of the server's. */
static struct {
	uint16_t type;
	bool done, skipped;
} stray;

static void inject(struct fake12 *fake)
{
	const uint8_t message[4] = {(uint8_t)stray.type};
	const enum hs_state state = fake->hs->state;
	const bool is_protected = fake->hs->send_cipher != NULL;

	if (state == HS_FAILED) {
		return; /* the response was none */
	}
	stray.done = true;
	reached |= TO(state);
	stray.skipped = is_allowed(fake->hs, stray.type);
	if (stray.skipped) {
		return;
	}
	fake12_read(fake);
	if (stray.type == HS_CHANGE_CIPHER_SPEC) {
		fake12_send_record(fake, CONTENT_CHANGE_CIPHER_SPEC, "\1", 1);
	} else {
		fake12_send_record(fake, CONTENT_HANDSHAKE, message, sizeof(message));
	}
	if (stray.type == HS_HELLO_REQUEST) {
		/* RFC 5246 7.4.1.1: ignored */
		assert_int_equal(engine_hs_error(fake->hs), ENGINE_OK);
		assert_int_equal(fake->hs->state, state);
	} else {
		check_refused(fake->hs, &fake->conn, is_protected, state, stray.type);
	}
}

static void make_session(uint8_t master[static 48])
{
	static struct fake12 fake;

	fake12_forget_sessions();
	engine_config_ref(client);
	fake12_begin(&fake, client, &ec_server->credentials[0]);
	fake12_handshake(&fake, &(struct fake12_choice){.suite = 0xc02b, .session_id = "0102030405060708"},
			 NULL);
	fake12_expect(&fake, 0, "a session");
	memcpy(master, fake.master, 48);
	fake12_end(&fake);
}

/* False if the path has no such place. */
static bool try_client(const struct client_path *path, uint16_t place, uint16_t type)
{
	static struct fake12 fake;
	struct fake12_choice choice = path->choice;
	char proof[FAKE12_PROOF_MAX], extensions[200];
	uint8_t master[48];

	fake12_forget_sessions();
	if (choice.resume) {
		make_session(master);
	}
	engine_config_ref(client);
	fake12_begin(&fake, client, &(*path->server)->credentials[0]);
	if (choice.resume) {
		memcpy(fake.master, master, sizeof(master));
	}
	if (path->renegotiates) {
		fake12_handshake(&fake, &(struct fake12_choice){.suite = 0xc02b}, NULL);
		fake12_expect(&fake, 0, "the first handshake");
		fake12_renegotiate(&fake, false);
		fake12_proof(&fake, proof);
		(void)snprintf(extensions, sizeof(extensions), "%s%s", FAKE12_EMS, proof);
		choice.extensions = extensions;
	}
	stray.type = type;
	stray.done = stray.skipped = false;
	fake.before = inject;
	fake.before_type = place;
	fake12_handshake(&fake, &choice, NULL);
	if (stray.done && (stray.skipped || type == HS_HELLO_REQUEST)) {
		/* nothing was wrong: where the response can be none, that ends it */
		fake12_expect(&fake, choice.status != NULL ? ALERT_BAD_CERTIFICATE_STATUS_RESPONSE : 0,
			      path->name);
	}
	if (engine_hs_is_done(fake.hs)) {
		reached |= TO(HS_DONE);
	} else {
		reached |= TO(HS_FAILED);
	}
	fake12_end(&fake);
	return stray.done;
}

static void test_a_client_refuses_what_its_state_has_no_row_for(void **unused)
{
	size_t n = 0;

	(void)unused;
	for (size_t p = 0; p < sizeof(client_paths) / sizeof(client_paths[0]); p++) {
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
				if (!try_client(&client_paths[p], places[i], types[t])) {
					break;
				}
				n++;
			}
		}
	}
	assert_true(n > 1000);
}

/* What a renegotiation begins with, as a whole record. */
static void test_a_client_that_waits_for_a_hello_request(void **unused)
{
	static struct fake12 fake;
	const struct engine_hs_params params = {.config = client, .server_name = "localhost"};
	char why[ENGINE_REASON_MAX];

	(void)unused;
	for (size_t t = 1; t < sizeof(types) / sizeof(types[0]) - 1; t++) {
		const uint8_t message[4] = {(uint8_t)types[t]};

		engine_config_ref(client);
		fake12_forget_sessions();
		fake12_begin(&fake, client, &ec_server->credentials[0]);
		fake12_handshake(&fake, &(struct fake12_choice){.suite = 0xc02b}, NULL);
		fake12_expect(&fake, 0, "the first handshake");
		engine_hs_free(fake.hs);
		/* one byte of a HelloRequest, so that the state can be seen, then something else */
		fake.hs = engine_hs_renegotiate(&params, &fake.conn, message, t == 1 ? 1 : sizeof(message),
						why);
		assert_non_null(fake.hs);
		if (types[t] != HS_HELLO_REQUEST) {
			if (t == 1) {
				assert_int_equal(fake.hs->state, HS12_WAIT_HELLO_REQUEST);
				reached |= TO(HS12_WAIT_HELLO_REQUEST);
				fake12_send_record(&fake, CONTENT_HANDSHAKE, message + 1, 3);
			}
			check_refused(fake.hs, &fake.conn, true, HS12_WAIT_HELLO_REQUEST, types[t]);
		}
		fake12_end(&fake);
	}
}

/* ---- server ---- */

enum step { HELLO, CERTIFICATE, NO_CERTIFICATE, KEY_EXCHANGE, VERIFY, CCS, FINISHED, END };

struct server_path {
	const char *name;
	struct engine_config **server;
	const char *suites;
	bool resumes, renegotiates;
	enum step steps[8];
};

static const struct server_path server_paths[] = {
	{"full", &ec_server, "c02b", false, false, {HELLO, KEY_EXCHANGE, CCS, FINISHED, END}},
	{"RSA", &rsa_server, "009c", false, false, {HELLO, KEY_EXCHANGE, CCS, FINISHED, END}},
	{"DHE", &rsa_server, "009e", false, false, {HELLO, KEY_EXCHANGE, CCS, FINISHED, END}},
	{"certificate",
	 &asking_server,
	 "c02b",
	 false,
	 false,
	 {HELLO, CERTIFICATE, KEY_EXCHANGE, VERIFY, CCS, FINISHED, END}},
	{"no certificate",
	 &asking_server,
	 "c02b",
	 false,
	 false,
	 {HELLO, NO_CERTIFICATE, KEY_EXCHANGE, CCS, FINISHED, END}},
	{"abbreviated", &ec_server, "c02b", true, false, {HELLO, CCS, FINISHED, END}},
	{"renegotiated",
	 &asking_server,
	 "c02b",
	 false,
	 true,
	 {HELLO, CERTIFICATE, KEY_EXCHANGE, VERIFY, CCS, FINISHED, END}},
};

static char hello_session_id[65], hello_extensions[400];

static void send_hello(struct raw12 *raw, const struct server_path *path)
{
	const struct raw12_hello hello = {
		.suites = path->suites, .session_id = hello_session_id, .extensions = hello_extensions};

	raw12_send_hello(raw, &hello);
	raw12_read(raw);
}

static void take_step(struct raw12 *raw, const struct server_path *path, enum step step)
{
	switch (step) {
	case HELLO:
		send_hello(raw, path);
		break;
	case CERTIFICATE:
		raw12_send_certificate(raw, &with_certificate->credentials[0]);
		break;
	case NO_CERTIFICATE:
		raw12_send_certificate(raw, NULL);
		break;
	case KEY_EXCHANGE:
		raw12_key_exchange(raw, NULL);
		raw12_derive(raw);
		break;
	case VERIFY:
		raw12_send_certificate_verify(raw, &with_certificate->credentials[0], 0x0403);
		break;
	case CCS:
		raw12_send_ccs(raw);
		break;
	default:
		raw12_send_finished(raw, 0);
		break;
	}
}

/* A session, or a connection, for what is tried. */
static void prepare(struct raw12 *raw, const struct server_path *path)
{
	static const struct raw12_hello usual = {.suites = "c02b 00ff"};
	static uint8_t master[48];
	size_t at;

	hello_session_id[0] = '\0';
	(void)snprintf(hello_extensions, sizeof(hello_extensions), "%s%s", RAW12_EXTENSIONS,
		       RAW12_RENEGOTIATION);
	if (path->resumes) {
		engine_config_ref(*path->server);
		raw12_begin(raw, *path->server);
		raw12_connect(raw, &usual);
		memcpy(master, raw->master, sizeof(master));
		for (size_t i = 0; i < raw->session_id_len; i++) {
			(void)snprintf(hello_session_id + 2 * i, 3, "%02x", raw->session_id[i]);
		}
		raw12_end(raw);
	}
	engine_config_ref(*path->server);
	raw12_begin(raw, *path->server);
	if (path->resumes) {
		memcpy(raw->master, master, sizeof(master));
	}
	if (path->renegotiates) {
		const struct engine_hs_params params = {.config = *path->server};
		char why[ENGINE_REASON_MAX];

		raw12_connect(raw, &usual);
		at = (size_t)snprintf(hello_extensions, sizeof(hello_extensions), "%sff01 000d 0c ",
				      RAW12_EXTENSIONS);
		for (size_t i = 0; i < 12; i++) {
			at += (size_t)snprintf(hello_extensions + at, sizeof(hello_extensions) - at, "%02x",
					       raw->verify_data[ENGINE_CLIENT][i]);
		}
		engine_hs_free(raw->hs);
		raw->hs = engine_hs_renegotiate(&params, &raw->conn, NULL, 0, why);
		assert_non_null(raw->hs);
		raw12_read(raw);
		assert_true(raw->got_hello_request);
	}
}

static void try_server(const struct server_path *path, size_t n_steps, uint16_t type)
{
	static struct raw12 raw;
	const uint8_t message[4] = {(uint8_t)type};
	enum hs_state state;
	bool is_protected;

	prepare(&raw, path);
	for (size_t i = 0; i < n_steps; i++) {
		take_step(&raw, path, path->steps[i]);
	}
	if (engine_hs_error(raw.hs) != ENGINE_OK) {
		fail_msg("%s: %s", path->name, engine_hs_reason(raw.hs));
	}
	state = raw.hs->state;
	is_protected = raw.hs->send_cipher != NULL;
	reached |= TO(state);
	raw12_read(&raw);
	if (state != HS_DONE && !is_allowed(raw.hs, type)) {
		if (type == HS_CHANGE_CIPHER_SPEC) {
			raw12_send_record(&raw, CONTENT_CHANGE_CIPHER_SPEC, "\1", 1);
		} else {
			raw12_send_record(&raw, CONTENT_HANDSHAKE, message, sizeof(message));
		}
		check_refused(raw.hs, &raw.conn, is_protected, state, type);
	}
	raw12_end(&raw);
}

static void test_a_server_refuses_what_its_state_has_no_row_for(void **unused)
{
	(void)unused;
	for (size_t p = 0; p < sizeof(server_paths) / sizeof(server_paths[0]); p++) {
		const struct server_path *path = &server_paths[p];
		size_t n_steps = 0;

		while (path->steps[n_steps] != END) {
			for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
				try_server(path, n_steps, types[t]);
			}
			n_steps++;
		}
		/* and the path ends */
		try_server(path, n_steps, HS_FINISHED);
	}
}

/* ---- the tables ---- */

static void check_table(const struct hs_row *rows, size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++) {
		if ((reached & TO(rows[i].state)) == 0) {
			fail_msg("state %d was not reached", rows[i].state);
		}
		assert_true((rows[i].next & ~reached) == 0);
		assert_true(rows[i].next != 0);
		assert_non_null(rows[i].on);
		for (size_t j = 0; j < i; j++) {
			assert_false(rows[i].state == rows[j].state && rows[i].type == rows[j].type);
		}
	}
}

/* Last: it looks at what the others have seen. */
static void test_every_state_is_reached(void **unused)
{
	(void)unused;
	check_table(client12_rows, client12_n_rows);
	check_table(server12_rows, server12_n_rows);
	for (int state = HS12_WAIT_HELLO_REQUEST; state <= HS_FAILED; state++) {
		assert_true((reached & TO(state)) != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_client_refuses_what_its_state_has_no_row_for),
		cmocka_unit_test(test_a_client_that_waits_for_a_hello_request),
		cmocka_unit_test(test_a_server_refuses_what_its_state_has_no_row_for),
		cmocka_unit_test(test_every_state_is_reached),
	};

	return cmocka_run_group_tests_name("states12", tests, setup, teardown);
}
