/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resumption at a client of TLS 1.2 and older: what it keeps, offers and takes up again.
 * RFC 5246 7.3, RFC 5077, RFC 7627 5.3
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

#define ID              "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
#define WITH_TICKET     FAKE12_EMS FAKE12_RENEGOTIATION FAKE12_TICKET
#define TICKET          35
#define ECDHE_ECDSA_256 0xc02c
#define ECDHE_CBC       0xc009

static struct engine_config *server;
static struct engine_config *client, *legacy;
static struct fake12 fake;
static uint8_t master[48];

static struct engine_config *make_client(bool is_legacy)
{
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	struct engine_trust *trust = pki_trust("ca.pem");

	engine_config_set_trust(config, trust);
	engine_trust_unref(trust);
	if (is_legacy) {
		engine_config_set_profile(config, ENGINE_PROFILE_LEGACY);
		assert_true(engine_config_set_versions(config, ENGINE_TLS10, ENGINE_TLS13));
	}
	return config;
}

static int setup(void **state)
{
	char why[ENGINE_REASON_MAX];

	if (pki_setup(state) != 0 || !fake12_init()) {
		return -1;
	}
	server = engine_config_new(ENGINE_SERVER);
	client = make_client(false);
	legacy = make_client(true);
	return pki_add_credential(server, "server.pem", "server.key", why) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	engine_config_unref(server);
	engine_config_unref(client);
	engine_config_unref(legacy);
	return 0;
}

static void begin(struct engine_config *config)
{
	engine_config_ref(config);
	fake12_begin(&fake, config, &server->credentials[0]);
}

/* A full handshake that leaves a session or not; remembers its master secret. */
static void make_session(struct engine_config *config, const struct fake12_choice *choice)
{
	fake12_forget_sessions();
	fake12_seconds_later = 0;
	begin(config);
	fake12_handshake(&fake, choice, NULL);
	fake12_expect(&fake, 0, "full");
	assert_false(fake.conn.resumed);
	memcpy(master, fake.master, sizeof(master));
	fake12_end(&fake);
}

static const struct fake12_choice by_id = {.session_id = ID};
static const struct fake12_choice by_ticket = {.extensions = WITH_TICKET, .ticket = true};

/* Take it up, with this choice. */
static void resume(struct engine_config *config, const struct fake12_choice *choice,
		   const struct fake12_wrong *wrong, unsigned alert, const char *what)
{
	struct fake12_choice resumed = *choice;

	begin(config);
	memcpy(fake.master, master, sizeof(master));
	resumed.resume = true;
	resumed.session_id = resumed.session_id != NULL ? resumed.session_id : "echo";
	fake12_handshake(&fake, &resumed, wrong);
	fake12_expect(&fake, alert, what);
	if (alert == 0) {
		assert_true(fake.conn.resumed);
		assert_string_equal(fake.conn.peer_subject, "CN=server");
	}
}

static bool offers_ticket(const char *text)
{
	struct rd body;

	return fake12_offers(&fake, TICKET, &body) &&
	       rd_equal(body, rd_of((const uint8_t *)text, strlen(text)));
}

static void test_a_session_id_is_offered_and_resumed(void **unused)
{
	uint8_t id[32];

	(void)unused;
	make_session(client, &by_id);
	assert_int_equal(fake12_n_sessions(), 1);
	for (int i = 0; i < 3; i++) {
		resume(client, &(struct fake12_choice){.version = 0}, NULL, 0, "by id");
		assert_true(rd_equal(fake.session_id, rd_of(id, fake12_hex(id, sizeof(id), ID))));
		assert_true(offers_ticket(""));
		fake12_end(&fake);
	}
}

static void test_a_ticket_is_offered_and_resumed(void **unused)
{
	(void)unused;
	make_session(client, &by_ticket);
	for (int i = 0; i < 3; i++) {
		resume(client, &(struct fake12_choice){.version = 0}, NULL, 0, "by ticket");
		assert_true(offers_ticket("ticket 1"));
		assert_int_equal(fake.session_id.left, 32);
		fake12_end(&fake);
	}
	/* one that is renewed takes its place: RFC 5077 3.3 */
	resume(client, &by_ticket, NULL, 0, "renewed");
	fake12_end(&fake);
	resume(client, &(struct fake12_choice){.version = 0}, NULL, 0, "with the new one");
	fake12_end(&fake);
}

static void test_the_same_in_tls_1_0(void **unused)
{
	static const struct fake12_choice choice = {
		.version = ENGINE_TLS10, .suite = ECDHE_CBC, .extensions = WITH_TICKET, .ticket = true};

	(void)unused;
	make_session(legacy, &choice);
	resume(legacy, &(struct fake12_choice){.version = ENGINE_TLS10, .suite = ECDHE_CBC}, NULL, 0,
	       "TLS 1.0");
	fake12_end(&fake);
}

/* A server that does not know the session goes on as if none had been offered. */
static void test_a_full_handshake_in_its_place(void **unused)
{
	(void)unused;
	make_session(client, &by_ticket);
	begin(client);
	assert_true(offers_ticket("ticket 1"));
	fake12_handshake(&fake, &by_id, NULL);
	fake12_expect(&fake, 0, "another id");
	assert_false(fake.conn.resumed);
	fake12_end(&fake);
	begin(client);
	fake12_handshake(&fake, &(struct fake12_choice){.session_id = ""}, NULL);
	fake12_expect(&fake, 0, "no id");
	assert_false(fake.conn.resumed);
	fake12_end(&fake);
}

struct row {
	const char *name;
	bool is_legacy;
	struct fake12_choice session; /* zeros: by_ticket */
	struct fake12_choice resumed;
	struct fake12_wrong wrong;
	unsigned alert;
};

/* clang-format off */
static void test_what_a_server_may_not_change(void **unused)
{
	static const struct row rows[] = {
		{ "RFC 7627 5.3: no extended_master_secret", false, { 0 }, { .extensions = FAKE12_RENEGOTIATION },
		  { 0 }, ALERT_HANDSHAKE_FAILURE },
		{ "RFC 5246 7.4.1.3: another suite", false, { 0 }, { .suite = ECDHE_ECDSA_256 }, { 0 },
		  ALERT_ILLEGAL_PARAMETER },
		{ "another version", true, { .suite = ECDHE_CBC, .session_id = ID }, { .version = ENGINE_TLS11,
		  .suite = ECDHE_CBC }, { 0 }, ALERT_ILLEGAL_PARAMETER },
		{ "no ChangeCipherSpec", false, { 0 }, { 0 }, { HS_CHANGE_CIPHER_SPEC, FAKE12_SKIP, 0, NULL },
		  ALERT_UNEXPECTED_MESSAGE },
		{ "a wrong Finished", false, { 0 }, { 0 }, { HS_FINISHED, FAKE12_FLIP, 0, NULL }, ALERT_DECRYPT_ERROR },
		{ "a Certificate all the same", false, { 0 }, { 0 }, { HS_CHANGE_CIPHER_SPEC, FAKE12_BEFORE, 0,
		  "0b 000003 000000" }, ALERT_UNEXPECTED_MESSAGE },
		{ "RFC 5077 3.3: a ticket that was announced and does not come", false, { 0 },
		  { .extensions = WITH_TICKET }, { 0 }, ALERT_UNEXPECTED_MESSAGE },
		{ "one that was not announced", false, { 0 }, { .ticket = true }, { 0 }, ALERT_UNEXPECTED_MESSAGE },
		{ "two", false, { 0 }, { .extensions = WITH_TICKET, .ticket = true }, { HS_NEW_SESSION_TICKET,
		  FAKE12_TWICE, 0, NULL }, ALERT_UNEXPECTED_MESSAGE },
		{ "one without content", false, { 0 }, { .extensions = WITH_TICKET, .ticket = true },
		  { HS_NEW_SESSION_TICKET, FAKE12_REPLACE, 0, "" }, ALERT_DECODE_ERROR },
		{ "one that is cut off", false, { 0 }, { .extensions = WITH_TICKET, .ticket = true },
		  { HS_NEW_SESSION_TICKET, FAKE12_CUT, 1, NULL }, ALERT_DECODE_ERROR },
		{ "one that goes on", false, { 0 }, { .extensions = WITH_TICKET, .ticket = true },
		  { HS_NEW_SESSION_TICKET, FAKE12_APPEND, 0, "00" }, ALERT_DECODE_ERROR },
		{ "an empty one", false, { 0 }, { .extensions = WITH_TICKET, .ticket = true },
		  { HS_NEW_SESSION_TICKET, FAKE12_REPLACE, 0, "00000000 0000" }, 0 },
		{ "session_ticket with content", false, { 0 }, { .extensions = FAKE12_EMS "0023 0001 00" }, { 0 },
		  ALERT_DECODE_ERROR },
		{ "status_request is of no use", false, { 0 }, { .extensions = FAKE12_EMS FAKE12_STATUS }, { 0 }, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct engine_config *config = row->is_legacy ? legacy : client;

		make_session(config, row->session.session_id != NULL ? &row->session : &by_ticket);
		resume(config, &row->resumed, &row->wrong, row->alert, row->name);
		fake12_end(&fake);
		/* RFC 5246 7.2.2: what failed is not tried again */
		assert_int_equal(fake12_n_sessions() != 0, row->alert == 0);
	}
}
/* clang-format on */

static void test_what_is_not_kept(void **unused)
{
	(void)unused;
	/* RFC 7627 5.3 */
	make_session(client, &(struct fake12_choice){.session_id = ID, .extensions = ""});
	assert_int_equal(fake12_n_sessions(), 0);
	/* nothing to know it by */
	make_session(client, &(struct fake12_choice){.version = 0});
	assert_int_equal(fake12_n_sessions(), 0);
	/* before Finished is right, nothing is: RFC 5077 3.3 */
	begin(client);
	fake12_handshake(&fake, &by_ticket, &(struct fake12_wrong){HS_FINISHED, FAKE12_FLIP, 0, NULL});
	fake12_expect(&fake, ALERT_DECRYPT_ERROR, "Finished");
	fake12_end(&fake);
	assert_int_equal(fake12_n_sessions(), 0);
}

static bool is_offered(struct engine_config *config)
{
	bool offered;

	begin(config);
	offered = !offers_ticket("");
	fake12_end(&fake);
	return offered;
}

static void test_what_is_not_offered(void **unused)
{
	static const uint8_t other_id[ENGINE_SESSION_ID_LEN] = {1};
	struct engine_config *other = make_client(false);
	struct engine_config *modern = make_client(false);

	(void)unused;
	make_session(client, &by_ticket);
	assert_true(is_offered(client));
	/* the ticket's own lifetime is an hour */
	fake12_seconds_later = 3599;
	assert_true(is_offered(client));
	fake12_seconds_later = 3601;
	assert_false(is_offered(client));
	fake12_seconds_later = 0;
	/* of another rule */
	assert_true(engine_config_set_sessions(other, 7200, other_id));
	assert_false(is_offered(other));
	/* of a version that is not wanted any more */
	assert_true(engine_config_set_versions(modern, ENGINE_TLS13, ENGINE_TLS13));
	begin(modern);
	assert_false(fake12_offers(&fake, TICKET, NULL));
	fake12_end(&fake);
	engine_config_unref(other);
	engine_config_unref(modern);
}

/* A session that was made without verifying is none for who verifies. */
static void test_who_is_not_authenticated_stays_so(void **unused)
{
	struct engine_config *careless = make_client(false);

	(void)unused;
	engine_config_set_verify(careless, ENGINE_VERIFY_NONE);
	make_session(careless, &by_ticket);
	assert_true(is_offered(careless));
	assert_false(is_offered(client));
	engine_config_unref(careless);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_session_id_is_offered_and_resumed),
		cmocka_unit_test(test_a_ticket_is_offered_and_resumed),
		cmocka_unit_test(test_the_same_in_tls_1_0),
		cmocka_unit_test(test_a_full_handshake_in_its_place),
		cmocka_unit_test(test_what_a_server_may_not_change),
		cmocka_unit_test(test_what_is_not_kept),
		cmocka_unit_test(test_what_is_not_offered),
		cmocka_unit_test(test_who_is_not_authenticated_stays_so),
	};

	return cmocka_run_group_tests_name("client12_session", tests, setup, teardown);
}
