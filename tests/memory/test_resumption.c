/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resumption in TLS 1.3, client against server: when a session is taken up again and when not, which never is an error.
 * What a wrong peer does with it is in test_resumption_wrong.c.  RFC 8446 2.2, 4.2.11, 4.6.1
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/handshake.h"
#include "engine/session.h"
#include "engine/ticket.h"
#include "tests/lib/pair.h"

#define HOUR 3600
#define DAY  (24 * HOUR)

static struct pair pair;

/* Handshake with these configurations to the end, tickets and all. */
static void shake_in_pieces(struct engine_config *client, struct engine_config *server, size_t chunk)
{
	assert_true(pair_begin(&pair, client, server));
	pair_pump(&pair, chunk);
	assert_string_equal(engine_hs_reason(pair.hs[ENGINE_CLIENT]), "");
	assert_string_equal(engine_hs_reason(pair.hs[ENGINE_SERVER]), "");
	assert_true(pair_is_done(&pair));
	assert_int_equal(pair.open_err[ENGINE_CLIENT], ENGINE_OK);
	assert_int_equal(pair.conn[ENGINE_CLIENT].resumed, pair.conn[ENGINE_SERVER].resumed);
}

static void shake(struct engine_config *client, struct engine_config *server)
{
	shake_in_pieces(client, server, 0);
}

static void check_data(void)
{
	static const char *const words[2] = {"from the client", "from the server"};
	uint8_t record[ENGINE_MAX_RECORD];

	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		struct engine_opened opened;
		const size_t len =
			pair_seal(&pair, (enum engine_role)role, words[role], strlen(words[role]), record);

		assert_int_equal(pair_open(&pair, (enum engine_role)(1 - role), record, len, &opened),
				 ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_DATA);
		assert_memory_equal(opened.data, words[role], strlen(words[role]));
	}
}

/* Handshake with these; was it resumed? */
static bool is_resumed(struct engine_config *client, struct engine_config *server)
{
	bool resumed;

	shake(client, server);
	check_data();
	resumed = pair.conn[ENGINE_CLIENT].resumed != 0;
	pair_end(&pair);
	return resumed;
}

static bool is_resumed_plainly(void)
{
	return is_resumed(pair_config(ENGINE_CLIENT), pair_config(ENGINE_SERVER));
}

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

/* ---- taken up ---- */

static void test_a_second_handshake_is_resumed(void **unused)
{
	int64_t full, resumed;

	(void)unused;
	shake(pair_config(ENGINE_CLIENT), pair_config(ENGINE_SERVER));
	check_data();
	assert_int_equal(pair_n_sessions(), 2);
	assert_false(pair.conn[ENGINE_CLIENT].resumed);
	full = pair.conn[ENGINE_SERVER].resumable_until;
	pair_end(&pair);
	pair_set_now(PAIR_NOW + 10);
	shake(pair_config(ENGINE_CLIENT), pair_config(ENGINE_SERVER));
	check_data();
	assert_true(pair.conn[ENGINE_CLIENT].resumed);
	/* one taken, one given */
	assert_int_equal(pair_n_sessions(), 2);
	assert_string_equal(engine_hs_peer_subject(pair.hs[ENGINE_CLIENT]), "CN=localhost");
	assert_string_equal(pair.conn[ENGINE_CLIENT].peer_subject, "CN=localhost");
	assert_string_equal(engine_hs_server_name(pair.hs[ENGINE_SERVER]), "localhost");
	assert_int_equal(pair.conn[ENGINE_CLIENT].scheme, 0);
	assert_int_not_equal(pair.conn[ENGINE_CLIENT].group, 0);
	resumed = pair.conn[ENGINE_SERVER].resumable_until;
	assert_int_equal(full, resumed);
	pair_end(&pair);
}

static void test_no_two_connections_share_keys(void **unused)
{
	struct engine_keys keys[4];

	(void)unused;
	for (size_t i = 0; i < 4; i++) {
		shake(pair_config(ENGINE_CLIENT), pair_config(ENGINE_SERVER));
		assert_int_equal(pair.conn[ENGINE_CLIENT].resumed, i != 0);
		keys[i] = pair.conn[ENGINE_CLIENT].send;
		for (size_t j = 0; j < i; j++) {
			assert_memory_not_equal(keys[i].key, keys[j].key, 16);
			assert_memory_not_equal(keys[i].secret, keys[j].secret, 32);
		}
		pair_end(&pair);
	}
}

static void test_a_resumed_handshake_carries_no_certificates(void **unused)
{
	size_t len[2];

	(void)unused;
	for (size_t i = 0; i < 2; i++) {
		const uint8_t *bytes;
		size_t n;

		assert_true(pair_begin_default(&pair));
		bytes = pair_take(&pair, ENGINE_CLIENT, &n);
		assert_int_equal(pair_give(&pair, ENGINE_SERVER, bytes, n), ENGINE_OK);
		bytes = pair_take(&pair, ENGINE_SERVER, &len[i]);
		assert_int_equal(pair_give(&pair, ENGINE_CLIENT, bytes, len[i]), ENGINE_OK);
		pair_pump(&pair, 0);
		assert_true(pair_is_done(&pair));
		pair_end(&pair);
	}
	assert_true(len[0] > len[1] + 400);
}

static void test_in_pieces(void **unused)
{
	static const size_t chunks[] = {1, 2, 7, 100};

	(void)unused;
	assert_false(is_resumed_plainly());
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		shake_in_pieces(pair_config(ENGINE_CLIENT), pair_config(ENGINE_SERVER), chunks[i]);
		check_data();
		assert_true(pair.conn[ENGINE_SERVER].resumed);
		assert_int_equal(pair_n_sessions(), 2);
		pair_end(&pair);
	}
}

static struct engine_config *with_suites(enum engine_role role, const char *first, const char *second)
{
	struct engine_config *config = pair_config(role);
	const char *names[2] = {first, second};
	char why[ENGINE_REASON_MAX];

	assert_int_equal(engine_config_set_suites(config, names, second != NULL ? 2 : 1, why), ENGINE_OK);
	return config;
}

static const char *const suite_names[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
					  "TLS_CHACHA20_POLY1305_SHA256"};

/* A session goes with suites of its own hash, and with no other. RFC 8446 4.2.11 */
static void test_every_suite_behind_every_other(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 3; j++) {
			const bool fits = (i == 1) == (j == 1);

			assert_true(pair_set_resumption(true));
			assert_false(is_resumed(with_suites(ENGINE_CLIENT, suite_names[i], NULL),
						pair_config(ENGINE_SERVER)));
			/* the client offers both, the server has the other one only */
			assert_int_equal(is_resumed(with_suites(ENGINE_CLIENT, suite_names[i],
								i != j ? suite_names[j] : NULL),
						    with_suites(ENGINE_SERVER, suite_names[j], NULL)),
					 fits);
			/* the client does not offer the session's suite any more */
			assert_true(is_resumed(with_suites(ENGINE_CLIENT, suite_names[j], NULL),
					       pair_config(ENGINE_SERVER)));
		}
	}
}

static struct engine_config *with_groups(enum engine_role role, const char *first, const char *second)
{
	struct engine_config *config = pair_config(role);
	const char *names[2] = {first, second};
	char why[ENGINE_REASON_MAX];

	assert_int_equal(engine_config_set_groups(config, names, second != NULL ? 2 : 1, why), ENGINE_OK);
	return config;
}

static void test_behind_a_hello_retry_request(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		assert_true(pair_set_resumption(true));
		assert_false(is_resumed(with_suites(ENGINE_CLIENT, suite_names[i], NULL),
					pair_config(ENGINE_SERVER)));
		for (size_t chunk = 0; chunk < 2; chunk++) {
			shake_in_pieces(with_groups(ENGINE_CLIENT, "x25519", "secp256r1"),
					with_groups(ENGINE_SERVER, "secp256r1", NULL), chunk);
			check_data();
			assert_true(pair.hs[ENGINE_CLIENT]->retried);
			/* the hash of the suite that the server chose decides, and that was not SHA-384 */
			assert_int_equal(pair.conn[ENGINE_CLIENT].resumed, i != 1 || chunk != 0);
			pair_end(&pair);
		}
	}
	/* with a hash of 48 bytes too */
	assert_true(pair_set_resumption(true));
	assert_false(
		is_resumed(pair_config(ENGINE_CLIENT), with_suites(ENGINE_SERVER, suite_names[1], NULL)));
	{
		struct engine_config *server = with_groups(ENGINE_SERVER, "secp256r1", NULL);
		char why[ENGINE_REASON_MAX];

		assert_int_equal(engine_config_set_suites(server, &suite_names[1], 1, why), ENGINE_OK);
		assert_true(is_resumed(with_groups(ENGINE_CLIENT, "x25519", "secp256r1"), server));
	}
}

static void test_each_ticket_is_used_once(void **unused)
{
	struct pair other;

	(void)unused;
	assert_false(is_resumed_plainly());
	/* side by side, before either has got new ones */
	assert_true(pair_begin_default(&other));
	assert_int_equal(pair_n_sessions(), 1);
	assert_true(pair_begin_default(&pair));
	assert_int_equal(pair_n_sessions(), 0);
	assert_memory_not_equal(pair.hs[ENGINE_CLIENT]->session->ticket.p,
				other.hs[ENGINE_CLIENT]->session->ticket.p, 60);
	assert_memory_not_equal(pair.hs[ENGINE_CLIENT]->session->secret,
				other.hs[ENGINE_CLIENT]->session->secret, 32);
	pair_pump(&pair, 0);
	pair_pump(&other, 0);
	assert_true(pair.conn[ENGINE_CLIENT].resumed && other.conn[ENGINE_CLIENT].resumed);
	pair_end(&other);
	pair_end(&pair);
	memset(pair_sessions, 0, sizeof(pair_sessions));
	assert_false(is_resumed_plainly());
}

static void test_application_protocols_are_negotiated_anew(void **unused)
{
	static const char *const first[] = {"one"}, *const second[] = {"two", "one"};
	struct engine_config *client = pair_config(ENGINE_CLIENT);
	struct engine_config *server = pair_config(ENGINE_SERVER);

	(void)unused;
	assert_true(engine_config_set_alpn(client, first, 1) && engine_config_set_alpn(server, first, 1));
	assert_false(is_resumed(client, server));
	client = pair_config(ENGINE_CLIENT);
	server = pair_config(ENGINE_SERVER);
	assert_true(engine_config_set_alpn(client, second, 2) && engine_config_set_alpn(server, second, 2));
	shake(client, server);
	assert_true(pair.conn[ENGINE_CLIENT].resumed);
	assert_memory_equal(pair.conn[ENGINE_CLIENT].alpn, "two", 3);
	assert_int_equal(pair.conn[ENGINE_SERVER].alpn_len, 3);
	pair_end(&pair);
}

/* ---- client certificates ---- */

static struct engine_config *asking_server(enum engine_client_auth mode)
{
	struct engine_config *server = pair_config(ENGINE_SERVER);

	engine_config_set_client_auth(server, mode);
	assert_true(pair_add_trust(server));
	return server;
}

static struct engine_config *known_client(void)
{
	struct engine_config *client = pair_config(ENGINE_CLIENT);

	assert_true(pair_add_credential(client));
	return client;
}

static void test_a_client_certificate_counts_for_the_session(void **unused)
{
	(void)unused;
	assert_false(is_resumed(known_client(), asking_server(ENGINE_CLIENT_AUTH_REQUIRE)));
	shake(known_client(), asking_server(ENGINE_CLIENT_AUTH_REQUIRE));
	assert_true(pair.conn[ENGINE_SERVER].resumed);
	assert_string_equal(engine_hs_peer_subject(pair.hs[ENGINE_SERVER]), "CN=localhost");
	assert_true(pair.conn[ENGINE_SERVER].peer_is_authenticated);
	pair_end(&pair);
}

static void test_a_session_without_a_certificate_is_not_enough(void **unused)
{
	(void)unused;
	/* the client had none to show */
	assert_false(is_resumed(pair_config(ENGINE_CLIENT), asking_server(ENGINE_CLIENT_AUTH_REQUEST)));
	assert_true(is_resumed(pair_config(ENGINE_CLIENT), asking_server(ENGINE_CLIENT_AUTH_REQUEST)));
	/* the same ticket keys, a stricter rule that happens to have the same id */
	shake(known_client(), asking_server(ENGINE_CLIENT_AUTH_REQUIRE));
	assert_false(pair.conn[ENGINE_SERVER].resumed);
	assert_string_equal(engine_hs_peer_subject(pair.hs[ENGINE_SERVER]), "CN=localhost");
	pair_end(&pair);
}

static void test_a_session_with_an_unverified_server_is_not_enough(void **unused)
{
	struct engine_config *client = pair_config(ENGINE_CLIENT);

	(void)unused;
	engine_config_set_verify(client, ENGINE_VERIFY_NONE);
	assert_false(is_resumed(client, pair_config(ENGINE_SERVER)));
	assert_false(is_resumed_plainly());
	client = pair_config(ENGINE_CLIENT);
	engine_config_set_verify(client, ENGINE_VERIFY_NONE);
	assert_true(is_resumed(client, pair_config(ENGINE_SERVER)));
}

/* Where the ticket of the newest session stands in its data: at the end. */
static uint8_t *newest_ticket(size_t *len)
{
	struct session session;
	struct pair_session *kept = &pair_sessions[0];

	assert_true(session_unpack(rd_of(kept->data, kept->len), &session));
	*len = session.ticket.left;
	return kept->data + kept->len - session.ticket.left;
}

/* ---- not taken up: always a full handshake ---- */

static void test_sessions_end(void **unused)
{
	(void)unused;
	assert_false(is_resumed_plainly());
	pair_set_now(PAIR_NOW + 7199);
	assert_true(is_resumed_plainly());
	/* the second ticket of the first handshake is older, the one of the second as fresh as can be */
	pair_set_now(PAIR_NOW + 7199 + 7200);
	assert_false(is_resumed_plainly());
}

/* A session does not outlive the certificate that it stands for. RFC 8446 4.6.1 */
static void test_a_session_ends_with_the_peers_certificate(void **unused)
{
	const int64_t end = PAIR_NOW + 30 * DAY;
	const uint8_t id[ENGINE_SESSION_ID_LEN] = {0};

	(void)unused;
	for (int client_auth = 0; client_auth < 2; client_auth++) {
		struct engine_config *server =
			asking_server(client_auth ? ENGINE_CLIENT_AUTH_REQUIRE : ENGINE_CLIENT_AUTH_NONE);
		struct engine_config *client = known_client();

		assert_true(pair_set_resumption(true));
		engine_config_set_verify(client, client_auth ? ENGINE_VERIFY_NONE : ENGINE_VERIFY_FULL);
		assert_true(engine_config_set_sessions(client, 604800, id) &&
			    engine_config_set_sessions(server, 604800, id));
		pair_set_now(end - DAY);
		shake(client, server);
		assert_int_equal(pair.conn[ENGINE_SERVER].resumable_until - end, client_auth ? 0 : 6 * DAY);
		assert_int_equal(pair.conn[ENGINE_CLIENT].resumable_until - end, client_auth ? 6 * DAY : 0);
		assert_int_equal(pair_n_sessions(), 2);
		assert_int_equal(pair_sessions[0].expires, end);
		pair_end(&pair);
	}
}

/* However often it is renewed: RFC 8446 4.6.1 */
static void test_seven_days_behind_the_full_handshake_it_is_over(void **unused)
{
	(void)unused;
	assert_false(is_resumed_plainly());
	for (int64_t t = HOUR; t < 7 * DAY; t += HOUR) {
		pair_set_now(PAIR_NOW + t);
		if (!is_resumed_plainly()) {
			fail_msg("full behind %d hours", (int)(t / HOUR));
		}
	}
	pair_set_now(PAIR_NOW + 7 * DAY);
	assert_false(is_resumed_plainly());
}

static void test_the_server_keeps_to_its_own_clock(void **unused)
{
	struct engine_config *server = pair_config(ENGINE_SERVER);
	const uint8_t id[ENGINE_SESSION_ID_LEN] = {0};

	(void)unused;
	assert_false(is_resumed_plainly());
	/* the rule allows less now */
	assert_true(engine_config_set_sessions(server, 60, id));
	pair_set_now(PAIR_NOW + 60);
	assert_false(is_resumed(pair_config(ENGINE_CLIENT), server));
	/* issued in the future */
	assert_true(pair_set_resumption(true));
	pair_set_now(PAIR_NOW + 100);
	assert_false(is_resumed_plainly());
	pair_set_now(PAIR_NOW);
	assert_false(is_resumed_plainly());
}

static void test_ticket_keys_that_change(void **unused)
{
	struct engine_ticket_key old;
	size_t len;

	(void)unused;
	assert_false(is_resumed_plainly());
	/* rotated: the old one still opens, the new one seals */
	old = pair_ticket_keys[0];
	memset(&pair_ticket_keys[0], 0x22, sizeof(pair_ticket_keys[0]));
	pair_ticket_keys[1] = old;
	pair_n_ticket_keys = 2;
	assert_true(is_resumed_plainly());
	assert_memory_equal(newest_ticket(&len), pair_ticket_keys[0].name, 16);
	pair_n_ticket_keys = 1;
	assert_true(is_resumed_plainly());
	/* the same name, another key: must not happen, must not hurt */
	memset(pair_ticket_keys[0].key, 0x33, sizeof(pair_ticket_keys[0].key));
	assert_false(is_resumed_plainly());
	/* all forgotten */
	memset(&pair_ticket_keys[0], 0x44, sizeof(pair_ticket_keys[0]));
	assert_false(is_resumed_plainly());
}

static void test_ticket_keys_of_the_configuration_come_first(void **unused)
{
	struct engine_ticket_key keys[2];
	struct engine_config *server = pair_config(ENGINE_SERVER);

	(void)unused;
	memset(keys, 0x55, sizeof(keys));
	keys[1].name[0] = 0;
	assert_true(engine_config_set_ticket_keys(server, keys, 1));
	assert_false(is_resumed(pair_config(ENGINE_CLIENT), server));
	/* the environment's do not open it */
	assert_false(is_resumed_plainly());
	assert_true(pair_set_resumption(true));
	pair_n_ticket_keys = 0;
	server = pair_config(ENGINE_SERVER);
	assert_true(engine_config_set_ticket_keys(server, &keys[1], 1));
	assert_false(is_resumed(pair_config(ENGINE_CLIENT), server));
	server = pair_config(ENGINE_SERVER);
	assert_true(engine_config_set_ticket_keys(server, keys, 2));
	assert_true(is_resumed(pair_config(ENGINE_CLIENT), server));
}

static void test_without_keys_or_lifetime_there_are_no_tickets(void **unused)
{
	const uint8_t id[ENGINE_SESSION_ID_LEN] = {0};
	struct engine_config *config;

	(void)unused;
	pair_n_ticket_keys = 0;
	assert_false(is_resumed_plainly());
	assert_int_equal(pair_n_sessions(), 0);
	pair_n_ticket_keys = 1;
	config = pair_config(ENGINE_SERVER);
	assert_true(engine_config_set_sessions(config, 0, id));
	assert_false(is_resumed(pair_config(ENGINE_CLIENT), config));
	assert_int_equal(pair_n_sessions(), 0);
	config = pair_config(ENGINE_CLIENT);
	assert_true(engine_config_set_sessions(config, 0, id));
	shake(config, pair_config(ENGINE_SERVER));
	/* it has not said psk_dhe_ke, so it was sent none */
	assert_int_equal(pair.conn[ENGINE_SERVER].send.seq, 0);
	assert_int_equal(pair_n_sessions(), 0);
	pair_end(&pair);
	/* a server that gave some and wants none any more */
	assert_false(is_resumed_plainly());
	config = pair_config(ENGINE_SERVER);
	assert_true(engine_config_set_sessions(config, 0, id));
	assert_false(is_resumed(pair_config(ENGINE_CLIENT), config));
}

static struct engine_config *of_rule(enum engine_role role, uint8_t number)
{
	const uint8_t id[ENGINE_SESSION_ID_LEN] = {number};
	struct engine_config *config = pair_config(role);

	assert_true(engine_config_set_sessions(config, 7200, id));
	return config;
}

static void test_rules_keep_their_sessions_apart(void **unused)
{
	(void)unused;
	assert_false(is_resumed(of_rule(ENGINE_CLIENT, 1), of_rule(ENGINE_SERVER, 1)));
	assert_true(is_resumed(of_rule(ENGINE_CLIENT, 1), of_rule(ENGINE_SERVER, 1)));
	/* the client's rule is another one: it has nothing to offer */
	assert_false(is_resumed(of_rule(ENGINE_CLIENT, 2), of_rule(ENGINE_SERVER, 1)));
	/* the server's is: it does not take it */
	assert_false(is_resumed(of_rule(ENGINE_CLIENT, 1), of_rule(ENGINE_SERVER, 2)));
}

static void test_a_ticket_changed_in_any_byte_is_none(void **unused)
{
	static struct pair_session saved;
	size_t len = 1;

	(void)unused;
	assert_false(is_resumed_plainly());
	saved = pair_sessions[0];
	for (size_t i = 0; i < len; i++) {
		uint8_t *ticket;

		memset(pair_sessions, 0, sizeof(pair_sessions));
		pair_sessions[0] = saved;
		ticket = newest_ticket(&len);
		ticket[i] ^= (uint8_t)(1 << (i % 8));
		assert_false(is_resumed_plainly());
	}
	assert_true(len > 60 && len < TICKET_MAX);
	memset(pair_sessions, 0, sizeof(pair_sessions));
	pair_sessions[0] = saved;
	assert_true(is_resumed_plainly());
}

static void test_a_damaged_session_is_none(void **unused)
{
	static struct pair_session saved;

	(void)unused;
	assert_false(is_resumed_plainly());
	saved = pair_sessions[0];
	for (size_t len = 1; len < saved.len; len += 7) {
		memset(pair_sessions, 0, sizeof(pair_sessions));
		pair_sessions[0] = saved;
		pair_sessions[0].len = len;
		assert_false(is_resumed_plainly());
	}
	memset(pair_sessions, 0, sizeof(pair_sessions));
	pair_sessions[0] = saved;
	pair_sessions[0].data[0]++;
	assert_false(is_resumed_plainly());
}

static void test_two_servers_of_one_name_are_kept_apart(void **unused)
{
	struct engine_config *config = pair_config(ENGINE_CLIENT);
	uint8_t names[4][ENGINE_SESSION_ID_LEN];

	(void)unused;
	assert_true(session_client_name(config, "localhost", "192.0.2.1:443", true, names[0]));
	assert_true(session_client_name(config, "localhost", "192.0.2.1:444", true, names[1]));
	assert_true(session_client_name(config, "localhost", NULL, true, names[2]));
	assert_true(session_client_name(config, NULL, "192.0.2.1:443", true, names[3]));
	for (size_t i = 0; i < 4; i++) {
		for (size_t j = 0; j < i; j++) {
			assert_memory_not_equal(names[i], names[j], sizeof(names[i]));
		}
	}
	assert_false(session_client_name(config, NULL, NULL, true, names[0]));
	assert_false(session_client_name(config, "", "", true, names[0]));
	engine_config_unref(config);
}

/* ---- damage ---- */

/*
 * A resumed handshake in which a byte that role sends is changed, or is the first that gets lost. Returns
 * how many it sends.
 */
static size_t run_damaged(const struct pair_session *session, enum engine_role role, size_t at, uint8_t flip)
{
	size_t total;

	pair_seed(3);
	memset(pair_sessions, 0, sizeof(pair_sessions));
	pair_sessions[0] = *session;
	assert_true(pair_begin_default(&pair));
	assert_non_null(pair.hs[ENGINE_CLIENT]->session);
	total = pair_pump_damaged(&pair, role, at, flip);
	assert_true(total != 0);
	return total;
}

static void damage_every_byte(enum engine_role role, bool cut)
{
	static const uint8_t flips[] = {0x01, 0x80, 0xff};
	static struct pair_session session;
	unsigned passed = 0;
	size_t total;

	assert_false(is_resumed_plainly());
	session = pair_sessions[0];
	total = run_damaged(&session, role, SIZE_MAX, 1);
	assert_true(pair_is_done(&pair) && pair.conn[ENGINE_CLIENT].resumed);
	/* the server's tickets behind the handshake are not looked at here */
	total -= role == ENGINE_SERVER ? 250 : 0;
	pair_end(&pair);
	for (size_t at = 0; at < total; at += cut ? 3 : 1) {
		(void)run_damaged(&session, role, at, cut ? 0 : flips[at % 3]);
		if (pair_is_done(&pair)) {
			/* the minor version of a plaintext record may be anything, RFC 8446 5.1 */
			assert_false(cut);
			assert_true(++passed <= 8);
			assert_memory_equal(pair.conn[0].send.key, pair.conn[1].recv.key, 32);
			assert_memory_equal(pair.conn[1].send.key, pair.conn[0].recv.key, 32);
		}
		pair_end(&pair);
	}
}

static void test_every_byte_of_the_client_damaged(void **unused)
{
	(void)unused;
	damage_every_byte(ENGINE_CLIENT, false);
	assert_true(pair_set_resumption(true));
	damage_every_byte(ENGINE_CLIENT, true);
}

static void test_every_byte_of_the_server_damaged(void **unused)
{
	(void)unused;
	damage_every_byte(ENGINE_SERVER, false);
	assert_true(pair_set_resumption(true));
	damage_every_byte(ENGINE_SERVER, true);
}

/* ---- bounds ---- */

static void test_memory_running_out_in_a_resumed_handshake(void **unused)
{
	size_t before;

	(void)unused;
	for (unsigned n = 1;; n++) {
		bool done;

		assert_true(pair_set_resumption(true));
		assert_false(is_resumed_plainly());
		{
			struct engine_config *client = pair_config(ENGINE_CLIENT);
			struct engine_config *server = pair_config(ENGINE_SERVER);

			before = pair_memory_now();
			pair_memory_fail_at(n);
			if (pair_begin(&pair, client, server)) {
				pair_pump(&pair, 0);
			}
			done = pair_memory_count() < n;
			pair_memory_fail_at(0);
			if (done) {
				assert_true(pair_is_done(&pair));
				assert_true(pair.conn[ENGINE_SERVER].resumed);
			}
			/* a pair that could not begin is freed like any other */
			pair_end(&pair);
			assert_true(pair_memory_now() < before);
		}
		if (done) {
			assert_true(n > 10);
			return;
		}
	}
}

static void test_memory_of_a_resumed_handshake(void **unused)
{
	(void)unused;
	assert_false(is_resumed_plainly());
	pair_memory_reset();
	assert_true(is_resumed_plainly());
	print_message("# at most %zu bytes in the client's resumed handshake, %zu in the server's\n",
		      pair_memory_peak(ENGINE_CLIENT), pair_memory_peak(ENGINE_SERVER));
	assert_true(pair_memory_peak(ENGINE_CLIENT) <= 24 * 1024);
	assert_true(pair_memory_peak(ENGINE_SERVER) <= 24 * 1024);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_a_second_handshake_is_resumed),
		TEST(test_no_two_connections_share_keys),
		TEST(test_a_resumed_handshake_carries_no_certificates),
		TEST(test_in_pieces),
		TEST(test_every_suite_behind_every_other),
		TEST(test_behind_a_hello_retry_request),
		TEST(test_each_ticket_is_used_once),
		TEST(test_application_protocols_are_negotiated_anew),
		TEST(test_a_client_certificate_counts_for_the_session),
		TEST(test_a_session_without_a_certificate_is_not_enough),
		TEST(test_a_session_with_an_unverified_server_is_not_enough),
		TEST(test_sessions_end),
		TEST(test_a_session_ends_with_the_peers_certificate),
		TEST(test_seven_days_behind_the_full_handshake_it_is_over),
		TEST(test_the_server_keeps_to_its_own_clock),
		TEST(test_ticket_keys_that_change),
		TEST(test_ticket_keys_of_the_configuration_come_first),
		TEST(test_without_keys_or_lifetime_there_are_no_tickets),
		TEST(test_rules_keep_their_sessions_apart),
		TEST(test_a_ticket_changed_in_any_byte_is_none),
		TEST(test_a_damaged_session_is_none),
		TEST(test_two_servers_of_one_name_are_kept_apart),
		TEST(test_every_byte_of_the_client_damaged),
		TEST(test_every_byte_of_the_server_damaged),
		TEST(test_memory_running_out_in_a_resumed_handshake),
		TEST(test_memory_of_a_resumed_handshake),
	};

	return cmocka_run_group_tests_name("resumption", tests, NULL, NULL);
}
