/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions at rest, their age and names, and tickets: what goes in comes out, and nothing else does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/ticket.h"
#include "tests/lib/pair.h"

static struct engine_config *server;
static const uint8_t filler[SESSION_TICKET_MAX] = {0x44};

static struct session sample(uint16_t version)
{
	struct session session;

	memset(&session, 0, sizeof(session));
	session.version = version;
	session.suite = version == ENGINE_TLS13 ? 0x1301 : 0xc02b;
	session.secret_len = version == ENGINE_TLS13 ? 32 : 48;
	memset(session.secret, 0xa5, session.secret_len);
	session.extended_master_secret = version != ENGINE_TLS13;
	session.peer_is_authenticated = true;
	session.issued = PAIR_NOW;
	session.resumable_until = PAIR_NOW + 86400;
	session.lifetime = 7200;
	session.age_add = 0xdeadbeef;
	session.alpn_len = 2;
	memcpy(session.alpn, "h2", 2);
	memcpy(session.server_name, "www.example.org", 16);
	memcpy(session.peer_subject, "CN=somebody", 12);
	return session;
}

static size_t pack(const struct session *session, uint8_t *room, size_t size)
{
	struct wr out;

	wr_init(&out, room, size);
	return session_pack(session, &out) ? out.len : 0;
}

static void check_same(const struct session *a, const struct session *b)
{
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->suite, b->suite);
	assert_int_equal(a->secret_len, b->secret_len);
	assert_memory_equal(a->secret, b->secret, a->secret_len);
	assert_int_equal(a->extended_master_secret, b->extended_master_secret);
	assert_int_equal(a->peer_is_authenticated, b->peer_is_authenticated);
	assert_int_equal(a->issued, b->issued);
	assert_int_equal(a->resumable_until, b->resumable_until);
	assert_int_equal(a->lifetime, b->lifetime);
	assert_int_equal(a->age_add, b->age_add);
	assert_int_equal(a->alpn_len, b->alpn_len);
	assert_memory_equal(a->alpn, b->alpn, a->alpn_len);
	assert_string_equal(a->server_name, b->server_name);
	assert_string_equal(a->peer_subject, b->peer_subject);
	assert_int_equal(a->session_id_len, b->session_id_len);
	assert_memory_equal(a->session_id, b->session_id, sizeof(a->session_id));
	assert_true(rd_equal(a->ticket, b->ticket));
}

static void test_what_is_packed_is_unpacked(void **unused)
{
	static const uint16_t versions[] = {ENGINE_TLS10, ENGINE_TLS12, ENGINE_TLS13};
	uint8_t room[ENGINE_SESSION_MAX];
	struct session session, again;

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		size_t len;

		session = sample(versions[i]);
		session.suite = versions[i] == ENGINE_TLS10 ? 0xc009 : session.suite;
		session.session_id_len = 32;
		memset(session.session_id, 0x33, 32);
		session.ticket = rd_of(filler, 200);
		len = pack(&session, room, sizeof(room));
		assert_int_not_equal(len, 0);
		assert_true(session_unpack(rd_of(room, len), &again));
		check_same(&session, &again);
	}
}

static void test_the_longest_session_fits_a_ticket(void **unused)
{
	uint8_t room[ENGINE_SESSION_MAX], ticket_room[TICKET_MAX];
	struct session session = sample(ENGINE_TLS12), again;
	struct wr ticket;

	(void)unused;
	memset(session.server_name, 'n', HS_SERVER_NAME_MAX);
	memset(session.peer_subject, 's', SESSION_SUBJECT_MAX);
	session.alpn_len = ENGINE_ALPN_MAX;
	session.session_id_len = 32;
	assert_int_not_equal(pack(&session, room, sizeof(room)), 0);
	wr_init(&ticket, ticket_room, sizeof(ticket_room));
	assert_true(ticket_seal(server, &session, &ticket));
	assert_true(ticket_open(server, rd_of(ticket.data, ticket.len), &again));
	check_same(&session, &again);
	/* a client's with the longest ticket and names of usual length */
	session = sample(ENGINE_TLS13);
	session.ticket = rd_of(filler, SESSION_TICKET_MAX);
	assert_int_not_equal(pack(&session, room, sizeof(room)), 0);
	/* what does not fit is not kept */
	session = sample(ENGINE_TLS12);
	session.ticket = rd_of(filler, SESSION_TICKET_MAX);
	session.alpn_len = ENGINE_ALPN_MAX;
	session.session_id_len = 32;
	memset(session.server_name, 'n', HS_SERVER_NAME_MAX);
	memset(session.peer_subject, 's', SESSION_SUBJECT_MAX);
	assert_int_equal(pack(&session, room, sizeof(room)), 0);
}

static void test_cut_or_longer_it_is_none(void **unused)
{
	uint8_t room[ENGINE_SESSION_MAX] = {0};
	const struct session session = sample(ENGINE_TLS13);
	const size_t len = pack(&session, room, sizeof(room));
	struct session again;

	(void)unused;
	for (size_t i = 0; i < len; i++) {
		assert_false(session_unpack(rd_of(room, i), &again));
		assert_true(secret_is_zero(&again, sizeof(again)));
	}
	assert_false(session_unpack(rd_of(room, len + 1), &again));
}

static void test_what_does_not_go_together_is_none(void **unused)
{
	struct session session, again;
	uint8_t room[ENGINE_SESSION_MAX];

#define REFUSE(change)                                                                                       \
	do {                                                                                                 \
		session = sample(ENGINE_TLS13);                                                              \
		change;                                                                                      \
		assert_false(session_unpack(rd_of(room, pack(&session, room, sizeof(room))), &again));       \
	} while (0)
	(void)unused;
	REFUSE(session.version = 0x0300);
	REFUSE(session.version = 0x0305);
	REFUSE(session.version = ENGINE_TLS12);
	REFUSE(session.suite = 0x1302); /* a hash of 48 bytes */
	REFUSE(session.suite = 0xc02b);
	REFUSE(session.suite = 0x0000);
	REFUSE(session.secret_len = 0);
	REFUSE(session.secret_len = 48);
	REFUSE(session.lifetime = 0);
	REFUSE(session.lifetime = ENGINE_SESSION_LIFETIME_MAX + 1);
	/* GCM in TLS 1.0 */
	session = sample(ENGINE_TLS12);
	session.version = ENGINE_TLS10;
	assert_false(session_unpack(rd_of(room, pack(&session, room, sizeof(room))), &again));
}

static void test_age(void **unused)
{
	struct session session = sample(ENGINE_TLS13);

	(void)unused;
	assert_true(session_is_fresh(&session, PAIR_NOW));
	assert_true(session_is_fresh(&session, PAIR_NOW + 7199));
	assert_false(session_is_fresh(&session, PAIR_NOW + 7200));
	/* clocks that differ a little, and more */
	assert_true(session_is_fresh(&session, PAIR_NOW - 5));
	assert_false(session_is_fresh(&session, PAIR_NOW - 6));
	/* renewed again and again */
	session.issued = PAIR_NOW + 6 * 86400;
	session.resumable_until = PAIR_NOW + 7 * 86400;
	session.lifetime = 2 * 86400;
	assert_true(session_is_fresh(&session, PAIR_NOW + 7 * 86400 - 1));
	assert_false(session_is_fresh(&session, PAIR_NOW + 7 * 86400));
	/* nonsense, and the ends of what numbers can say */
	session = sample(ENGINE_TLS13);
	session.resumable_until = PAIR_NOW + 7 * 86400 + 1;
	assert_false(session_is_fresh(&session, PAIR_NOW));
	session.resumable_until = INT64_MAX;
	assert_false(session_is_fresh(&session, PAIR_NOW));
	session.resumable_until = INT64_MIN;
	assert_false(session_is_fresh(&session, PAIR_NOW));
	session = sample(ENGINE_TLS13);
	session.issued = INT64_MAX;
	assert_false(session_is_fresh(&session, PAIR_NOW));
	session.issued = INT64_MIN;
	assert_false(session_is_fresh(&session, PAIR_NOW));
	session = sample(ENGINE_TLS13);
	assert_false(session_is_fresh(&session, INT64_MIN));
}

static size_t make_ticket(uint8_t *room)
{
	const struct session session = sample(ENGINE_TLS13);
	struct wr out;

	wr_init(&out, room, TICKET_MAX);
	assert_true(ticket_seal(server, &session, &out));
	return out.len;
}

static void test_tickets_say_nothing_and_differ(void **unused)
{
	uint8_t first[TICKET_MAX], second[TICKET_MAX];
	const size_t len = make_ticket(first);

	(void)unused;
	assert_int_equal(make_ticket(second), len);
	assert_memory_equal(first, pair_ticket_keys[0].name, 16);
	assert_memory_not_equal(first + 16, second + 16, 16);
	assert_memory_not_equal(first + 44, second + 44, 16);
	for (size_t i = 0; i + 7 < len; i++) {
		assert_memory_not_equal(first + i, "example", 7);
		assert_memory_not_equal(first + i, "\xa5\xa5\xa5\xa5\xa5\xa5\xa5", 7);
	}
}

static void test_every_changed_bit_of_a_ticket_is_seen(void **unused)
{
	uint8_t room[TICKET_MAX + 1];
	const size_t len = make_ticket(room);
	struct session session;

	(void)unused;
	assert_true(ticket_open(server, rd_of(room, len), &session));
	for (size_t i = 0; i < 8 * len; i++) {
		room[i / 8] ^= (uint8_t)(1 << (i % 8));
		assert_false(ticket_open(server, rd_of(room, len), &session));
		room[i / 8] ^= (uint8_t)(1 << (i % 8));
	}
	for (size_t i = 0; i < len; i++) {
		assert_false(ticket_open(server, rd_of(room, i), &session));
	}
	room[len] = 0;
	assert_false(ticket_open(server, rd_of(room, len + 1), &session));
	assert_false(ticket_open(server, rd_of(NULL, 0), &session));
}

static void test_names_in_the_store(void **unused)
{
	static const uint8_t ids[2][4] = {"abc", "abd"};
	const uint8_t rule[ENGINE_SESSION_ID_LEN] = {1};
	struct engine_config *other = pair_config(ENGINE_SERVER);
	struct engine_config *client = pair_config(ENGINE_CLIENT);
	uint8_t names[8][ENGINE_SESSION_ID_LEN];

	(void)unused;
	assert_true(engine_config_set_sessions(other, 7200, rule));
	assert_true(session_server_name(server, rd_of(ids[0], 3), names[0]));
	assert_true(session_server_name(server, rd_of(ids[1], 3), names[1]));
	assert_true(session_server_name(server, rd_of(ids[1], 2), names[2]));
	assert_true(session_server_name(other, rd_of(ids[0], 3), names[3]));
	assert_true(session_client_name(client, "a", "bc", true, names[4]));
	assert_true(session_client_name(client, "ab", "c", true, names[5]));
	assert_true(session_client_name(client, "abc", NULL, true, names[6]));
	assert_true(session_client_name(client, "abc", NULL, false, names[7]));
	for (size_t i = 0; i < 8; i++) {
		assert_true(session_is_kept(names[i]));
		for (size_t j = 0; j < i; j++) {
			assert_memory_not_equal(names[i], names[j], sizeof(names[i]));
		}
	}
	assert_false(session_server_name(server, rd_of(NULL, 0), names[0]));
	assert_false(session_is_kept(names[0]));
	assert_true(engine_config_set_sessions(other, 0, rule));
	assert_false(session_server_name(other, rd_of(ids[0], 3), names[0]));
	assert_true(pair_set_resumption(false));
	assert_false(session_server_name(server, rd_of(ids[0], 3), names[0]));
	assert_false(session_client_name(client, "a", "b", true, names[0]));
	engine_config_unref(other);
	engine_config_unref(client);
}

static void test_the_store(void **unused)
{
	uint8_t name[ENGINE_SESSION_ID_LEN] = {0};
	struct session first = sample(ENGINE_TLS13), second = first, got;

	(void)unused;
	/* zeros are no name */
	session_put(name, &first);
	assert_int_equal(pair_n_sessions(), 0);
	assert_false(session_get(name, true, &got));
	name[0] = 1;
	second.age_add = 2;
	session_put(name, &first);
	session_put(name, &second);
	assert_int_equal(pair_sessions[0].expires, PAIR_NOW + 7200);
	assert_true(session_get(name, false, &got) && got.age_add == 2);
	assert_true(session_get(name, true, &got) && got.age_add == 2);
	assert_true(session_get(name, true, &got));
	check_same(&got, &first);
	assert_false(session_get(name, true, &got));
	assert_true(secret_is_zero(&got, sizeof(got)));
	session_put(name, &first);
	session_drop(name);
	assert_int_equal(pair_n_sessions(), 0);
	/* the store need not look at the clock */
	session_put(name, &first);
	pair_sessions[0].expires = INT64_MAX;
	pair_set_now(PAIR_NOW + 7200);
	assert_false(session_get(name, true, &got));
}

static int begin(void **unused)
{
	(void)unused;
	if (!pair_init() || !pair_set_resumption(true)) {
		return -1;
	}
	server = pair_config(ENGINE_SERVER);
	return server != NULL ? 0 : -1;
}

static int end(void **unused)
{
	(void)unused;
	engine_config_unref(server);
	return pair_init() ? 0 : -1;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_packed_is_unpacked),
		TEST(test_the_longest_session_fits_a_ticket),
		TEST(test_cut_or_longer_it_is_none),
		TEST(test_what_does_not_go_together_is_none),
		TEST(test_age),
		TEST(test_tickets_say_nothing_and_differ),
		TEST(test_every_changed_bit_of_a_ticket_is_seen),
		TEST(test_names_in_the_store),
		TEST(test_the_store),
	};

	return cmocka_run_group_tests_name("sessions and tickets", tests, NULL, NULL);
}
