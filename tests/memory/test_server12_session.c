/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Coming back to a server of TLS 1.2 and older, and renegotiating with it. RFC 5246 7.3, RFC 5077,
 * RFC 7627 5.3, RFC 5746.
 */
#include "tests/memory/server12_test.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))

#define ECDSA "server"
#define RSA   "rsa-both"

#define DEFAULT ENGINE_PROFILE_DEFAULT
#define LEGACY  ENGINE_PROFILE_LEGACY

#define NO_EMS        RAW12_GROUPS RAW12_POINTS RAW12_SCHEMES
#define SNI_LOCALHOST "0000 000e 000c 00 0009 6c6f63616c686f7374 "
#define SNI_OTHER     "0000 000a 0008 00 0005 6f74686572 "

static const struct engine_ticket_key ticket_keys[2] = {{.name = {1}, .key = {2}}, {.name = {3}, .key = {4}}};

/* A server whose sessions have this identity; with tickets or without. */
static struct engine_config *resuming_config(enum engine_profile profile, bool tickets, uint8_t identity)
{
	const uint8_t id[ENGINE_SESSION_ID_LEN] = {identity};
	struct engine_config *config = server_config(profile, RSA " " ECDSA);

	assert_true(engine_config_set_sessions(config, 7200, id));
	if (tickets) {
		assert_true(engine_config_set_ticket_keys(config, ticket_keys, 1));
	}
	return config;
}

/* What a client remembers. */
struct memory {
	uint8_t master[48];
	uint16_t suite;
	char session_id[65];
	uint8_t ticket[1024];
	size_t ticket_len;
	uint32_t lifetime_hint;
};

static void remember(const struct raw12 *raw, struct memory *memory)
{
	struct rd in = raw->ticket;
	struct rd ticket = rd_of(NULL, 0);

	memset(memory, 0, sizeof(*memory));
	memcpy(memory->master, raw->master, 48);
	memory->suite = raw->suite->id;
	for (size_t i = 0; i < raw->session_id_len; i++) {
		(void)snprintf(memory->session_id + 2 * i, 3, "%02x", raw->session_id[i]);
	}
	if (in.p != NULL) {
		assert_true(rd_u32(&in, &memory->lifetime_hint) && rd_vec16(&in, &ticket, 0, 1024) &&
			    rd_end(&in));
		memory->ticket_len = ticket.left;
		assert_true(rd_copy(&ticket, memory->ticket, ticket.left));
	}
}

/* A full handshake whose session is remembered. */
static void connect_first(struct engine_config *config, const struct raw12_hello *hello,
			  struct memory *memory)
{
	struct raw12 raw;

	raw12_begin(&raw, config);
	raw12_connect(&raw, hello);
	assert_false(raw.conn.resumed);
	remember(&raw, memory);
	raw12_end(&raw);
}

/* Offer the session. */
static void come_back(struct raw12 *raw, struct engine_config *config, const struct raw12_hello *hello,
		      const struct memory *memory)
{
	struct raw12_hello again = *hello;

	if (again.session_id == NULL) {
		again.session_id = memory->session_id;
	}
	if (memory->ticket_len != 0 && again.ticket == NULL) {
		again.ticket = memory->ticket;
		again.ticket_len = memory->ticket_len;
	}
	raw12_begin(raw, config);
	memcpy(raw->master, memory->master, 48);
	raw12_send_hello(raw, &again);
	raw12_read(raw);
}

static void expect_resumed(struct raw12 *raw, const char *what)
{
	if (raw->got_hello_done || !raw->got_finished) {
		fail_msg("%s: not resumed %s", what, engine_hs_reason(raw->hs));
	}
	raw12_finish(raw);
	assert_true(raw12_talks(raw));
	assert_true(raw->conn.resumed);
	assert_null(raw->certificate.p);
}

static void expect_full(struct raw12 *raw, const char *what)
{
	if (!raw->got_hello_done || raw->got_finished) {
		fail_msg("%s: no full handshake %s", what, engine_hs_reason(raw->hs));
	}
	raw12_finish(raw);
	assert_true(raw12_talks(raw));
	assert_false(raw->conn.resumed);
}

/* ---- resumption ---- */

static const struct way {
	const char *what;
	bool tickets;
	const char *extension;
} ways[] = {{"by id", false, ""}, {"by ticket", true, RAW12_TICKET}};

static void test_a_client_that_comes_back_needs_no_full_handshake(void **unused)
{
	static const struct {
		uint16_t version;
		const char *suites, *extensions;
	} cases[] = {
		{0x0303, "c02b", RAW12_EXTENSIONS},
		{0x0303, "c030", RAW12_EXTENSIONS},
		{0x0303, "c013", RAW12_EXTENSIONS RAW12_ETM},
		{0x0303, "c013", RAW12_EXTENSIONS},
		{0x0303, "009d", RAW12_EXTENSIONS SNI_LOCALHOST},
		{0x0303, "009e", RAW12_EXTENSIONS},
		{0x0303, "c02f", NO_EMS},
		{0x0302, "c013", RAW12_EXTENSIONS},
		{0x0301, "c00a", RAW12_EXTENSIONS},
		{0x0301, "002f", ""},
	};

	(void)unused;
	for (size_t w = 0; w < N(ways); w++) {
		for (size_t i = 0; i < N(cases); i++) {
			char first[300];
			const struct raw12_hello hello = {
				.version = cases[i].version, .suites = cases[i].suites, .extensions = first};
			const struct raw12_hello again = {.version = cases[i].version,
							  .suites = cases[i].suites,
							  .extensions = cases[i].extensions};
			struct memory memory;
			struct raw12 raw;

			(void)snprintf(first, sizeof(first), "%s%s", cases[i].extensions, ways[w].extension);
			connect_first(resuming_config(LEGACY, ways[w].tickets, 1), &hello, &memory);
			assert_int_equal(strlen(memory.session_id), ways[w].tickets ? 0 : 64);
			assert_int_equal(memory.ticket_len != 0, ways[w].tickets);
			for (size_t n = 0; n < 2; n++) {
				come_back(&raw, resuming_config(LEGACY, ways[w].tickets, 1), &again, &memory);
				expect_resumed(&raw, ways[w].what);
				assert_int_equal(raw.suite->id, memory.suite);
				assert_int_equal(raw.version, cases[i].version);
				/* RFC 6066 3 */
				assert_false(raw12_has(&raw, 0, NULL));
				/* RFC 7366 3.1: it is negotiated anew */
				assert_int_equal(raw.conn.encrypt_then_mac, raw.encrypt_then_mac);
				/* young tickets are not replaced */
				assert_null(raw.ticket.p);
				raw12_end(&raw);
			}
		}
	}
}

/*
 * RFC 5077 3.4: with a ticket, the id is the client's to choose, and its echo says that the ticket
 * was taken.
 */
static void test_a_ticket_comes_with_any_session_id(void **unused)
{
	static const char *const ids[] = {"", "01",
					  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"};
	const struct raw12_hello hello = {.extensions = RAW12_EXTENSIONS RAW12_TICKET};
	struct memory memory;

	(void)unused;
	connect_first(resuming_config(DEFAULT, true, 1), &hello, &memory);
	assert_int_equal(memory.lifetime_hint, 7200);
	for (size_t i = 0; i < N(ids); i++) {
		const struct raw12_hello again = {.session_id = ids[i]};
		struct raw12 raw;

		come_back(&raw, resuming_config(DEFAULT, true, 1), &again, &memory);
		expect_resumed(&raw, ids[i]);
		assert_int_equal(raw.session_id_len, strlen(ids[i]) / 2);
		raw12_end(&raw);
	}
}

/*
 * RFC 5077 3.4: no stateful resumption beside a ticket; 3.3: a bad one leads to a full handshake
 * and a new one.
 */
static void test_a_ticket_that_cannot_be_read_leads_to_a_new_one(void **unused)
{
	const struct raw12_hello by_id = {.version = 0};
	const struct raw12_hello hello = {.extensions = RAW12_EXTENSIONS RAW12_TICKET};
	struct memory with_id, memory, damaged;
	struct raw12 raw;

	(void)unused;
	connect_first(resuming_config(DEFAULT, true, 1), &by_id, &with_id);
	assert_int_equal(strlen(with_id.session_id), 64);
	connect_first(resuming_config(DEFAULT, true, 1), &hello, &memory);
	for (size_t i = 0; i < memory.ticket_len; i += 7) {
		const struct raw12_hello again = {.session_id = with_id.session_id};

		damaged = memory;
		damaged.ticket[i] ^= 1;
		come_back(&raw, resuming_config(DEFAULT, true, 1), &again, &damaged);
		expect_full(&raw, "damaged");
		assert_non_null(raw.ticket.p);
		assert_int_equal(raw.session_id_len, 0);
		raw12_end(&raw);
	}
	for (size_t len = 1; len < memory.ticket_len; len += 13) {
		damaged = memory;
		damaged.ticket_len = len;
		come_back(&raw, resuming_config(DEFAULT, true, 1), &by_id, &damaged);
		expect_full(&raw, "cut");
		raw12_end(&raw);
	}
}

static void test_keys_of_tickets_can_be_exchanged(void **unused)
{
	const struct raw12_hello hello = {.extensions = RAW12_EXTENSIONS RAW12_TICKET};
	const struct raw12_hello again = {.version = 0};
	const struct engine_ticket_key turned[2] = {ticket_keys[1], ticket_keys[0]};
	struct engine_config *config = resuming_config(DEFAULT, false, 1);
	struct memory memory;
	struct raw12 raw;

	(void)unused;
	connect_first(resuming_config(DEFAULT, true, 1), &hello, &memory);
	assert_true(engine_config_set_ticket_keys(config, turned, 2));
	come_back(&raw, config, &again, &memory);
	expect_resumed(&raw, "behind the new key");
	raw12_end(&raw);
	config = resuming_config(DEFAULT, false, 1);
	assert_true(engine_config_set_ticket_keys(config, turned, 1));
	come_back(&raw, config, &again, &memory);
	expect_full(&raw, "without its key");
	raw12_end(&raw);
}

/* Each case changes one thing between the two handshakes. */
struct change {
	const char *what;
	const char *first, *second; /* extensions */
	const char *first_suites, *second_suites;
	uint16_t first_version, second_version;
	int64_t later;
	uint8_t identity;
	int alert; /* -1: a full handshake, -2: resumed */
};

#define FULL    (-1)
#define RESUMED (-2)

/* clang-format off */
static const struct change changes[] = {
	{ "nothing", RAW12_EXTENSIONS, RAW12_EXTENSIONS, NULL, NULL, 0, 0, 0, 1, RESUMED },
	/* RFC 7627 5.3 */
	{ "EMS taken back", RAW12_EXTENSIONS, NO_EMS, NULL, NULL, 0, 0, 0, 1, ALERT_HANDSHAKE_FAILURE },
	{ "EMS added", NO_EMS, RAW12_EXTENSIONS, NULL, NULL, 0, 0, 0, 1, FULL },
	{ "never EMS", NO_EMS, NO_EMS, NULL, NULL, 0, 0, 0, 1, RESUMED },
	/* RFC 5246 7.4.1.2 */
	{ "its suite is not offered", RAW12_EXTENSIONS, RAW12_EXTENSIONS, "c02b c02f", "c02f", 0, 0, 0, 1,
	  ALERT_ILLEGAL_PARAMETER },
	{ "only unknown suites are offered", RAW12_EXTENSIONS, RAW12_EXTENSIONS, "c02b", "0002", 0, 0, 0, 1,
	  ALERT_ILLEGAL_PARAMETER },
	{ "its suite is no longer the best", RAW12_EXTENSIONS, RAW12_EXTENSIONS, "c014", "c02f c02b c014", 0, 0, 0, 1,
	  RESUMED },
	/* RFC 6066 3 */
	{ "another name", RAW12_EXTENSIONS SNI_LOCALHOST, RAW12_EXTENSIONS SNI_OTHER, NULL, NULL, 0, 0, 0, 1, FULL },
	{ "a name taken back", RAW12_EXTENSIONS SNI_LOCALHOST, RAW12_EXTENSIONS, NULL, NULL, 0, 0, 0, 1, FULL },
	{ "a name added", RAW12_EXTENSIONS, RAW12_EXTENSIONS SNI_LOCALHOST, NULL, NULL, 0, 0, 0, 1, FULL },
	{ "the same name", RAW12_EXTENSIONS SNI_LOCALHOST, RAW12_EXTENSIONS SNI_LOCALHOST, NULL, NULL, 0, 0, 0, 1,
	  RESUMED },
	/* RFC 5246 F.1.4 */
	{ "an older version", RAW12_EXTENSIONS, RAW12_EXTENSIONS, "c013", "c013", 0x0303, 0x0302, 0, 1, FULL },
	{ "a newer version", RAW12_EXTENSIONS, RAW12_EXTENSIONS, "c013", "c013", 0x0301, 0x0303, 0, 1, FULL },
	{ "just before the end of its life", RAW12_EXTENSIONS, RAW12_EXTENSIONS, NULL, NULL, 0, 0, 7190, 1, RESUMED },
	{ "behind the end of its life", RAW12_EXTENSIONS, RAW12_EXTENSIONS, NULL, NULL, 0, 0, 7210, 1, FULL },
	{ "before it was issued", RAW12_EXTENSIONS, RAW12_EXTENSIONS, NULL, NULL, 0, 0, -600, 1, FULL },
	{ "another rule", RAW12_EXTENSIONS, RAW12_EXTENSIONS, NULL, NULL, 0, 0, 0, 2, FULL },
};
/* clang-format on */

static void test_what_may_change_before_a_client_comes_back(void **unused)
{
	(void)unused;
	for (size_t w = 0; w < N(ways); w++) {
		for (size_t i = 0; i < N(changes); i++) {
			const struct change *c = &changes[i];
			char first[300];
			const struct raw12_hello hello = {
				.version = c->first_version, .suites = c->first_suites, .extensions = first};
			const struct raw12_hello again = {.version = c->second_version,
							  .suites = c->second_suites,
							  .extensions = c->second};
			struct memory memory;
			struct raw12 raw;

			raw12_seconds_later = 0;
			(void)snprintf(first, sizeof(first), "%s%s", c->first, ways[w].extension);
			connect_first(resuming_config(LEGACY, ways[w].tickets, 1), &hello, &memory);
			raw12_seconds_later = c->later;
			come_back(&raw, resuming_config(LEGACY, ways[w].tickets, c->identity), &again,
				  &memory);
			if (c->alert == FULL) {
				expect_full(&raw, c->what);
			} else if (c->alert == RESUMED) {
				expect_resumed(&raw, c->what);
			} else {
				raw12_expect_alert(&raw, (unsigned)c->alert, c->what);
			}
			raw12_end(&raw);
		}
	}
	raw12_seconds_later = 0;
}

/* RFC 5077 3.3 */
static void test_old_tickets_are_replaced_but_no_session_lives_for_ever(void **unused)
{
	const struct raw12_hello hello = {.extensions = RAW12_EXTENSIONS RAW12_TICKET};
	const struct raw12_hello again = {.version = 0};
	struct memory memory;
	int64_t resumed_for = 0;
	struct raw12 raw;

	(void)unused;
	raw12_seconds_later = 0;
	connect_first(resuming_config(DEFAULT, true, 1), &hello, &memory);
	for (raw12_seconds_later = 5000; raw12_seconds_later < 2 * ENGINE_SESSION_LIFETIME_MAX;
	     raw12_seconds_later += 5000) {
		come_back(&raw, resuming_config(DEFAULT, true, 1), &again, &memory);
		if (raw.got_hello_done) {
			raw12_end(&raw);
			break;
		}
		expect_resumed(&raw, "renewed");
		assert_non_null(raw.ticket.p);
		assert_true(raw12_has(&raw, 35, NULL));
		remember(&raw, &memory);
		raw12_end(&raw);
		resumed_for = raw12_seconds_later;
	}
	assert_in_range(resumed_for, ENGINE_SESSION_LIFETIME_MAX - 5001, ENGINE_SESSION_LIFETIME_MAX);
	raw12_seconds_later = 0;
}

static void test_without_a_lifetime_nothing_is_kept(void **unused)
{
	const uint8_t id[ENGINE_SESSION_ID_LEN] = {1};
	const struct raw12_hello hello = {.extensions = RAW12_EXTENSIONS RAW12_TICKET};
	struct engine_config *config = resuming_config(DEFAULT, true, 1);
	struct memory memory;

	(void)unused;
	assert_true(engine_config_set_sessions(config, 0, id));
	connect_first(config, &hello, &memory);
	assert_int_equal(memory.ticket_len, 0);
	assert_string_equal(memory.session_id, "");
}

static void test_a_store_may_forget(void **unused)
{
	const struct raw12_hello hello = {.version = 0};
	struct memory memory, again;
	struct raw12 raw;

	(void)unused;
	connect_first(resuming_config(DEFAULT, false, 1), &hello, &memory);
	raw12_forget_sessions();
	come_back(&raw, resuming_config(DEFAULT, false, 1), &hello, &memory);
	expect_full(&raw, "forgotten");
	remember(&raw, &again);
	assert_string_not_equal(memory.session_id, again.session_id);
	raw12_end(&raw);
}

/* Either side of the abbreviated handshake proves that it knows the master secret. */
static void test_a_client_that_does_not_know_the_secret_gets_nowhere(void **unused)
{
	const struct raw12_hello hello = {.version = 0};
	struct memory memory;
	struct raw12 raw;

	(void)unused;
	connect_first(resuming_config(DEFAULT, false, 1), &hello, &memory);
	come_back(&raw, resuming_config(DEFAULT, false, 1), &hello, &memory);
	assert_true(raw.got_finished);
	raw12_send_ccs(&raw);
	raw12_send_finished(&raw, 1);
	raw12_expect_alert(&raw, ALERT_DECRYPT_ERROR, "a wrong Finished");
	assert_int_equal(raw.conn.version, 0);
	raw12_end(&raw);
	come_back(&raw, resuming_config(DEFAULT, false, 1), &hello, &memory);
	raw12_send_finished(&raw, 0);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "no ChangeCipherSpec");
	raw12_end(&raw);
	/* it asks for the long way in the middle of the short one */
	come_back(&raw, resuming_config(DEFAULT, false, 1), &hello, &memory);
	raw12_send_stray(&raw, HS_CLIENT_KEY_EXCHANGE, "\1\4", 2);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "ClientKeyExchange");
	raw12_end(&raw);
}

/* RFC 5246 7.2.2 */
static void test_a_connection_that_fails_leaves_no_session(void **unused)
{
	const struct raw12_hello hello = {.version = 0};
	struct memory memory;
	struct raw12 raw;
	uint8_t damaged[64] = {CONTENT_APPLICATION_DATA, 3, 3, 0, 59};

	(void)unused;
	raw12_begin(&raw, resuming_config(DEFAULT, false, 1));
	raw12_connect(&raw, &hello);
	remember(&raw, &memory);
	raw12_send_bytes(&raw, damaged, sizeof(damaged));
	raw12_expect_alert(&raw, ALERT_BAD_RECORD_MAC, "a forged record");
	raw12_end(&raw);
	come_back(&raw, resuming_config(DEFAULT, false, 1), &hello, &memory);
	expect_full(&raw, "behind a failure");
	raw12_end(&raw);
	/* nor does one that was resumed */
	connect_first(resuming_config(DEFAULT, false, 1), &hello, &memory);
	come_back(&raw, resuming_config(DEFAULT, false, 1), &hello, &memory);
	expect_resumed(&raw, "once");
	raw12_send_record(&raw, CONTENT_ALERT, "\2\x50", 2);
	raw12_end(&raw);
	come_back(&raw, resuming_config(DEFAULT, false, 1), &hello, &memory);
	expect_full(&raw, "behind the peer's alert");
	raw12_end(&raw);
}

/* ---- resumption and client certificates ---- */

static struct engine_config *resuming_and_asking(enum engine_client_auth mode, bool tickets)
{
	const uint8_t id[ENGINE_SESSION_ID_LEN] = {9};
	struct engine_config *config = asking_config(DEFAULT, ECDSA, mode);

	assert_true(engine_config_set_sessions(config, 7200, id));
	if (tickets) {
		assert_true(engine_config_set_ticket_keys(config, ticket_keys, 1));
	}
	return config;
}

static void test_a_session_knows_who_the_client_is(void **unused)
{
	struct engine_config *own = client_with("client");

	(void)unused;
	for (size_t w = 0; w < N(ways); w++) {
		char extensions[300];
		const struct raw12_hello hello = {.extensions = extensions};
		const struct raw12_hello again = {.version = 0};
		struct memory memory;
		struct raw12 raw;

		(void)snprintf(extensions, sizeof(extensions), "%s%s", RAW12_EXTENSIONS, ways[w].extension);
		raw12_begin(&raw, resuming_and_asking(ENGINE_CLIENT_AUTH_REQUIRE, ways[w].tickets));
		raw12_send_hello(&raw, &hello);
		raw12_read(&raw);
		raw12_send_certificate(&raw, &own->credentials[0]);
		raw12_key_exchange(&raw, NULL);
		raw12_derive(&raw);
		raw12_send_certificate_verify(&raw, &own->credentials[0], 0x0403);
		raw12_send_ccs(&raw);
		raw12_send_finished(&raw, 0);
		raw12_read(&raw);
		assert_true(raw12_talks(&raw));
		remember(&raw, &memory);
		raw12_end(&raw);
		come_back(&raw, resuming_and_asking(ENGINE_CLIENT_AUTH_REQUIRE, ways[w].tickets), &again,
			  &memory);
		expect_resumed(&raw, ways[w].what);
		assert_string_equal(engine_hs_peer_subject(raw.hs), "CN=client");
		assert_true(raw.conn.peer_is_authenticated);
		raw12_end(&raw);
	}
	engine_config_unref(own);
}

static void test_a_session_without_certificate_is_not_enough_where_one_is_required(void **unused)
{
	const struct raw12_hello hello = {.version = 0};
	struct memory memory;
	struct raw12 raw;

	(void)unused;
	connect_first(resuming_and_asking(ENGINE_CLIENT_AUTH_REQUEST, false), &hello, &memory);
	come_back(&raw, resuming_and_asking(ENGINE_CLIENT_AUTH_REQUEST, false), &hello, &memory);
	expect_resumed(&raw, "requested");
	assert_string_equal(engine_hs_peer_subject(raw.hs), "");
	raw12_end(&raw);
	come_back(&raw, resuming_and_asking(ENGINE_CLIENT_AUTH_REQUIRE, false), &hello, &memory);
	assert_true(raw.got_hello_done);
	assert_non_null(raw.certificate_request.p);
	raw12_end(&raw);
}

/* ---- renegotiation: RFC 5746 ---- */

/* A ClientHello on the established connection; verify_data of both, or what the case says. */
static void renegotiate(struct raw12 *raw, const char *extensions, const char *suites, int wrong)
{
	char all[600];
	char proof[64];
	const struct raw12_hello hello = {.suites = suites, .extensions = all};
	size_t at = 0;

	for (size_t i = 0; i < 12; i++) {
		at += (size_t)snprintf(proof + at, sizeof(proof) - at, "%02x",
				       (raw->verify_data[ENGINE_CLIENT][i] ^ (i == 11 ? wrong : 0)) & 0xff);
	}
	(void)snprintf(all, sizeof(all), "%s ff01 000d 0c %s", extensions, proof);
	raw12_send_hello(raw, &hello);
	raw12_read(raw);
}

static const char *const renegotiable[] = {"c02f", "c013", "009e", "002f"};

static void test_a_connection_can_be_renegotiated(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N(renegotiable); i++) {
		const struct raw12_hello hello = {.suites = renegotiable[i],
						  .extensions = RAW12_EXTENSIONS RAW12_RENEGOTIATION};
		uint8_t expected[25] = {24};
		struct rd body = rd_of(NULL, 0);
		struct raw12 raw;

		raw12_begin(&raw, server_config(LEGACY, RSA));
		raw12_connect(&raw, &hello);
		for (size_t n = 0; n < 3; n++) {
			memcpy(expected + 1, raw.verify_data, 24);
			renegotiate(&raw, RAW12_EXTENSIONS, renegotiable[(i + n) % N(renegotiable)], 0);
			if (!raw.got_hello_done) {
				fail_msg("%s", engine_hs_reason(raw.hs));
			}
			assert_true(raw12_has(&raw, 0xff01, &body));
			assert_int_equal(body.left, 25);
			assert_memory_equal(body.p, expected, 25);
			raw12_finish(&raw);
			assert_true(raw12_talks(&raw));
		}
		raw12_end(&raw);
	}
}

static void test_a_renegotiation_proves_which_connection_it_is(void **unused)
{
	static const struct {
		const char *what, *suites, *extensions;
	} cases[] = {
		{"no renegotiation_info", "c02f", RAW12_EXTENSIONS},
		{"an empty one", "c02f", RAW12_EXTENSIONS RAW12_RENEGOTIATION},
		{"the SCSV instead", "c02f 00ff", RAW12_EXTENSIONS},
		{"zeros", "c02f", RAW12_EXTENSIONS "ff01 000d 0c 000000000000000000000000"},
		{"a byte", "c02f", RAW12_EXTENSIONS "ff01 0002 01 00"},
	};
	struct raw12 raw;

	(void)unused;
	for (size_t i = 0; i < N(cases); i++) {
		const struct raw12_hello first = {.suites = "c02f 00ff"};
		const struct raw12_hello hello = {.suites = cases[i].suites,
						  .extensions = cases[i].extensions};

		raw12_begin(&raw, server_config(LEGACY, RSA));
		raw12_connect(&raw, &first);
		raw12_send_hello(&raw, &hello);
		raw12_expect_alert(&raw, ALERT_HANDSHAKE_FAILURE, cases[i].what);
		raw12_end(&raw);
	}
	const struct raw12_hello first = {.suites = "c02f 00ff"};

	raw12_begin(&raw, server_config(LEGACY, RSA));
	raw12_connect(&raw, &first);
	renegotiate(&raw, RAW12_EXTENSIONS, "c02f", 1);
	raw12_expect_alert(&raw, ALERT_HANDSHAKE_FAILURE, "one bit");
	raw12_end(&raw);
	/* 3.7: the SCSV is wrong even beside a right proof */
	raw12_begin(&raw, server_config(LEGACY, RSA));
	raw12_connect(&raw, &first);
	renegotiate(&raw, RAW12_EXTENSIONS, "c02f 00ff", 0);
	raw12_expect_alert(&raw, ALERT_HANDSHAKE_FAILURE, "the SCSV, too");
	raw12_end(&raw);
}

static void test_a_renegotiation_takes_nothing_back(void **unused)
{
	const struct raw12_hello first = {.suites = "c013 00ff", .extensions = RAW12_EXTENSIONS RAW12_ETM};
	struct raw12 raw;

	(void)unused;
	/* RFC 7627 */
	raw12_begin(&raw, server_config(LEGACY, RSA));
	raw12_connect(&raw, &first);
	renegotiate(&raw, NO_EMS RAW12_ETM, "c013", 0);
	raw12_expect_alert(&raw, ALERT_HANDSHAKE_FAILURE, "without extended_master_secret");
	raw12_end(&raw);
	/* RFC 7366 3.1 */
	raw12_begin(&raw, server_config(LEGACY, RSA));
	raw12_connect(&raw, &first);
	renegotiate(&raw, RAW12_EXTENSIONS, "c013", 0);
	raw12_expect_alert(&raw, ALERT_HANDSHAKE_FAILURE, "without encrypt_then_mac");
	raw12_end(&raw);
	/* an AEAD needs none, and then it may come back */
	raw12_begin(&raw, server_config(LEGACY, RSA));
	raw12_connect(&raw, &first);
	renegotiate(&raw, RAW12_EXTENSIONS, "c02f", 0);
	raw12_finish(&raw);
	assert_true(raw12_talks(&raw));
	renegotiate(&raw, RAW12_EXTENSIONS RAW12_ETM, "c014", 0);
	raw12_finish(&raw);
	assert_true(raw12_talks(&raw));
	assert_true(raw.conn.encrypt_then_mac);
	raw12_end(&raw);
}

/* RFC 5246 7.4.1.2: a session may be resumed there, too. */
static void test_a_renegotiation_may_resume(void **unused)
{
	for (size_t w = 0; w < N(ways); w++) {
		char extensions[300];
		const struct raw12_hello first = {.suites = "c02f 00ff", .extensions = extensions};
		struct memory memory;
		struct raw12_hello again = {.suites = "c02f", .session_id = memory.session_id};
		struct raw12 raw;
		char proof[64];
		size_t at = 0;

		(void)unused;
		(void)snprintf(extensions, sizeof(extensions), "%s%s", RAW12_EXTENSIONS, ways[w].extension);
		raw12_begin(&raw, resuming_config(LEGACY, ways[w].tickets, 1));
		raw12_connect(&raw, &first);
		remember(&raw, &memory);
		for (size_t i = 0; i < 12; i++) {
			at += (size_t)snprintf(proof + at, sizeof(proof) - at, "%02x",
					       raw.verify_data[ENGINE_CLIENT][i]);
		}
		(void)snprintf(extensions, sizeof(extensions), "%s ff01 000d 0c %s", RAW12_EXTENSIONS, proof);
		again.extensions = extensions;
		if (memory.ticket_len != 0) {
			again.ticket = memory.ticket;
			again.ticket_len = memory.ticket_len;
		}
		raw12_send_hello(&raw, &again);
		raw12_read(&raw);
		expect_resumed(&raw, ways[w].what);
		raw12_end(&raw);
	}
}

static void test_the_server_may_ask_for_renegotiation(void **unused)
{
	const struct raw12_hello first = {.suites = "c02f 00ff"};
	const struct engine_hs_params params = {.config = NULL};
	struct engine_hs_params own = params;
	char why[ENGINE_REASON_MAX];
	struct raw12 raw;

	(void)unused;
	raw12_begin(&raw, server_config(LEGACY, RSA));
	raw12_connect(&raw, &first);
	own.config = raw.config;
	engine_hs_free(raw.hs);
	raw.hs = engine_hs_renegotiate(&own, &raw.conn, NULL, 0, why);
	assert_non_null(raw.hs);
	raw12_read(&raw);
	assert_true(raw.got_hello_request);
	renegotiate(&raw, RAW12_EXTENSIONS, "c030", 0);
	assert_true(raw.got_hello_done);
	raw12_finish(&raw);
	assert_true(raw12_talks(&raw));
	assert_int_equal(raw.conn.suite, 0xc030);
	raw12_end(&raw);
}

/* Application data that the old keys protect may come until the client changes them. */
static void test_data_may_come_in_the_middle_of_a_renegotiation(void **unused)
{
	const struct raw12_hello first = {.suites = "c02f 00ff"};
	const uint8_t *data;
	struct raw12 raw;
	size_t len;

	(void)unused;
	raw12_begin(&raw, server_config(LEGACY, RSA));
	raw12_connect(&raw, &first);
	renegotiate(&raw, RAW12_EXTENSIONS, "c02f", 0);
	raw12_send_record(&raw, CONTENT_APPLICATION_DATA, "one", 3);
	raw12_key_exchange(&raw, NULL);
	raw12_send_record(&raw, CONTENT_APPLICATION_DATA, "two", 3);
	raw12_derive(&raw);
	raw12_send_ccs(&raw);
	raw12_send_finished(&raw, 0);
	raw12_read(&raw);
	data = engine_hs_data(raw.hs, &len);
	assert_int_equal(len, 6);
	assert_memory_equal(data, "onetwo", 6);
	engine_hs_data_taken(raw.hs);
	assert_true(raw12_talks(&raw));
	raw12_end(&raw);
	/* but not between ChangeCipherSpec and Finished */
	raw12_begin(&raw, server_config(LEGACY, RSA));
	raw12_connect(&raw, &first);
	renegotiate(&raw, RAW12_EXTENSIONS, "c02f", 0);
	raw12_key_exchange(&raw, NULL);
	raw12_derive(&raw);
	raw12_send_ccs(&raw);
	raw12_send_record(&raw, CONTENT_APPLICATION_DATA, "two", 3);
	raw12_expect_alert(&raw, ALERT_UNEXPECTED_MESSAGE, "before Finished");
	raw12_end(&raw);
}

static void test_without_the_legacy_profile_nobody_renegotiates(void **unused)
{
	const struct raw12_hello first = {.version = 0};
	uint8_t out[ENGINE_CONTROL_MAX];
	struct raw12 raw;
	size_t len;

	(void)unused;
	raw12_begin(&raw, server_config(DEFAULT, ECDSA));
	raw12_connect(&raw, &first);
	renegotiate(&raw, RAW12_EXTENSIONS, "c02b", 0);
	assert_int_equal(raw.n_records, 0);
	assert_true(engine_control_due(&raw.conn));
	assert_int_equal(engine_control(&raw.conn, raw.server_cipher[1], out, &len), ENGINE_OK);
	assert_true(len != 0);
	raw12_end(&raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_client_that_comes_back_needs_no_full_handshake),
		cmocka_unit_test(test_a_ticket_comes_with_any_session_id),
		cmocka_unit_test(test_a_ticket_that_cannot_be_read_leads_to_a_new_one),
		cmocka_unit_test(test_keys_of_tickets_can_be_exchanged),
		cmocka_unit_test(test_what_may_change_before_a_client_comes_back),
		cmocka_unit_test(test_old_tickets_are_replaced_but_no_session_lives_for_ever),
		cmocka_unit_test(test_without_a_lifetime_nothing_is_kept),
		cmocka_unit_test(test_a_store_may_forget),
		cmocka_unit_test(test_a_client_that_does_not_know_the_secret_gets_nowhere),
		cmocka_unit_test(test_a_connection_that_fails_leaves_no_session),
		cmocka_unit_test(test_a_session_knows_who_the_client_is),
		cmocka_unit_test(test_a_session_without_certificate_is_not_enough_where_one_is_required),
		cmocka_unit_test(test_a_connection_can_be_renegotiated),
		cmocka_unit_test(test_a_renegotiation_proves_which_connection_it_is),
		cmocka_unit_test(test_a_renegotiation_takes_nothing_back),
		cmocka_unit_test(test_a_renegotiation_may_resume),
		cmocka_unit_test(test_the_server_may_ask_for_renegotiation),
		cmocka_unit_test(test_data_may_come_in_the_middle_of_a_renegotiation),
		cmocka_unit_test(test_without_the_legacy_profile_nobody_renegotiates),
	};

	return cmocka_run_group_tests_name("server12_session", tests, server12_setup, NULL);
}
