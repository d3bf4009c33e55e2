/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Established connections of TLS 1.2 and older: alerts, peers that want to renegotiate, what does not belong.
 * RFC 5246 6.2.1, 7.2, 7.4.1, RFC 5746 4
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/secret.h"
#include "tests/lib/established.h"
#include "tests/lib/pair.h"

#define HELLO_REQUEST "\0\0\0\0"

static struct established both;
static struct engine_opened opened;
static uint8_t record[ENGINE_MAX_RECORD + 256];

/* Of each version and kind of protection one. */
static const struct protection kinds[] = {
	{ENGINE_TLS12, 0xc02f, false}, {ENGINE_TLS12, 0xcca8, false}, {ENGINE_TLS12, 0x002f, false},
	{ENGINE_TLS12, 0x003d, true},  {ENGINE_TLS11, 0x002f, false}, {ENGINE_TLS10, 0x0035, false},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static size_t kind;

static int set_up(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

static int begin(void **unused)
{
	(void)unused;
	kind = (kind + 1) % N_KINDS;
	established_begin(&both, &kinds[kind]);
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	established_end(&both);
	return 0;
}

static enum engine_err give(enum engine_role to, uint8_t type, const void *content, size_t len)
{
	return established_give(&both, to, type, content, len, &opened);
}

static void check_goes_on(enum engine_role to)
{
	assert_int_equal(give(to, CONTENT_APPLICATION_DATA, "more", 4), ENGINE_OK);
	assert_int_equal(opened.event, ENGINE_EVENT_DATA);
}

/* The record breaks the connection with this alert, and for good. */
static void check_refused(enum engine_role to, uint8_t type, const void *content, size_t len, uint8_t alert)
{
	assert_int_equal(give(to, type, content, len), ENGINE_ERR_PROTOCOL);
	assert_int_equal(engine_alert_due(&both.conn[to]), alert);
	assert_true(strlen(engine_conn_reason(&both.conn[to])) > 10);
	assert_int_equal(opened.data_len, 0);
	assert_int_equal(give(to, CONTENT_APPLICATION_DATA, "x", 1), ENGINE_ERR_PROTOCOL);
}

/* Run it for each kind of protection. */
static void for_each_kind(void (*run)(void))
{
	for (size_t i = 0; i < N_KINDS; i++) {
		established_begin(&both, &kinds[i]);
		run();
	}
}

/* ---- alerts, RFC 5246 7.2 ---- */

static void close_notify(void)
{
	const struct engine_slice slice = {(const uint8_t *)"x", 1};
	size_t len;

	assert_int_equal(engine_seal_alert(&both.conn[0], both.cipher[0], ENGINE_ALERT_CLOSE_NOTIFY, record,
					   &len),
			 ENGINE_OK);
	assert_int_equal(record[0], CONTENT_ALERT);
	assert_true(len <= ENGINE_CONTROL_MAX);
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, len, &opened), ENGINE_OK);
	assert_int_equal(opened.event, ENGINE_EVENT_CLOSED);
	assert_int_equal(engine_alert_due(&both.conn[1]), 0);
	/* what follows is ignored; nothing is sealed behind one's own */
	memset(record, 0x41, 100);
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, 100, &opened), ENGINE_OK);
	assert_int_equal(opened.event, ENGINE_EVENT_CLOSED);
	assert_int_equal(engine_seal(&both.conn[0], both.cipher[0], &slice, 1, record, sizeof(record), &len),
			 ENGINE_ERR_INTERNAL);
}

static void test_close_notify_ends_the_data(void **unused)
{
	(void)unused;
	for_each_kind(close_notify);
}

static void fatal_alert(void)
{
	size_t len;

	assert_int_equal(engine_seal_alert(&both.conn[0], both.cipher[0], ALERT_ACCESS_DENIED, record, &len),
			 ENGINE_OK);
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, len, &opened), ENGINE_ERR_PEER_ALERT);
	assert_int_equal(both.conn[1].recv_alert, ALERT_ACCESS_DENIED);
	assert_int_equal(engine_alert_due(&both.conn[1]), 0);
	assert_non_null(strstr(engine_conn_reason(&both.conn[1]), "access_denied"));
}

static void test_a_fatal_alert_ends_the_connection(void **unused)
{
	(void)unused;
	for_each_kind(fatal_alert);
}

/* Any description, also ones that nobody knows; with the level fatal, it is the end. */
static void test_the_level_of_an_alert_counts(void **unused)
{
	const struct engine_conn before[2] = {both.conn[0], both.conn[1]};

	(void)unused;
	for (unsigned description = 1; description < 256; description++) {
		uint8_t alert[ALERT_LEN] = {ALERT_LEVEL_WARNING, (uint8_t)description};

		memcpy(both.conn, before, sizeof(before));
		assert_int_equal(give(ENGINE_SERVER, CONTENT_ALERT, alert, sizeof(alert)), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_NOTHING);
		check_goes_on(ENGINE_SERVER);
		alert[0] = ALERT_LEVEL_FATAL;
		assert_int_equal(give(ENGINE_SERVER, CONTENT_ALERT, alert, sizeof(alert)),
				 ENGINE_ERR_PEER_ALERT);
		assert_int_equal(both.conn[1].recv_alert, description);
	}
}

static void test_an_unknown_level_is_an_illegal_parameter(void **unused)
{
	static const uint8_t levels[] = {0, 3, 42, 255};
	const struct engine_conn before[2] = {both.conn[0], both.conn[1]};

	(void)unused;
	for (size_t i = 0; i < sizeof(levels); i++) {
		const uint8_t alerts[][ALERT_LEN] = {{levels[i], ALERT_USER_CANCELED},
						     {levels[i], ALERT_NO_RENEGOTIATION}};

		memcpy(both.conn, before, sizeof(before));
		check_refused(ENGINE_CLIENT, CONTENT_ALERT, alerts[i % 2], ALERT_LEN,
			      ALERT_ILLEGAL_PARAMETER);
	}
}

/* RFC 5246 7.2.1 */
static void test_close_notify_is_one_whatever_its_level(void **unused)
{
	static const uint8_t levels[] = {0, 1, 2, 3, 255};
	const struct engine_conn before[2] = {both.conn[0], both.conn[1]};

	(void)unused;
	for (size_t i = 0; i < sizeof(levels); i++) {
		const uint8_t alert[ALERT_LEN] = {levels[i], ALERT_CLOSE_NOTIFY};

		memcpy(both.conn, before, sizeof(before));
		assert_int_equal(give(ENGINE_SERVER, CONTENT_ALERT, alert, ALERT_LEN), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_CLOSED);
	}
}

static void test_alerts_of_wrong_length(void **unused)
{
	const struct engine_conn before[2] = {both.conn[0], both.conn[1]};

	(void)unused;
	for (size_t len = 0; len < 5; len++) {
		if (len == ALERT_LEN) {
			continue;
		}
		memcpy(both.conn, before, sizeof(before));
		check_refused(ENGINE_SERVER, CONTENT_ALERT, "\x01\x64\x01\x64\x01", len,
			      len == 0 ? ALERT_UNEXPECTED_MESSAGE : ALERT_DECODE_ERROR);
	}
}

static void test_warnings_are_borne_four_times(void **unused)
{
	(void)unused;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4; i++) {
			assert_int_equal(give(ENGINE_CLIENT, CONTENT_ALERT, "\x01\x5a", 2), ENGINE_OK);
		}
		/* data starts the count anew */
		check_goes_on(ENGINE_CLIENT);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(give(ENGINE_CLIENT, CONTENT_ALERT, "\x01\x64", 2), ENGINE_OK);
	}
	check_refused(ENGINE_CLIENT, CONTENT_ALERT, "\x01\x64", 2, ALERT_UNEXPECTED_MESSAGE);
}

/* ---- records without data ---- */

static void test_empty_records_are_borne_for_a_while(void **unused)
{
	(void)unused;
	for (int i = 0; i < 32; i++) {
		assert_int_equal(give(ENGINE_SERVER, CONTENT_APPLICATION_DATA, "", 0), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_NOTHING);
	}
	check_goes_on(ENGINE_SERVER);
	for (int i = 0; i < 32; i++) {
		assert_int_equal(give(ENGINE_SERVER, CONTENT_APPLICATION_DATA, "", 0), ENGINE_OK);
	}
	check_refused(ENGINE_SERVER, CONTENT_APPLICATION_DATA, "", 0, ALERT_UNEXPECTED_MESSAGE);
}

/* RFC 5246 6.2.1 */
static void test_nothing_else_may_be_empty(void **unused)
{
	const struct engine_conn before[2] = {both.conn[0], both.conn[1]};

	(void)unused;
	check_refused(ENGINE_SERVER, CONTENT_HANDSHAKE, "", 0, ALERT_UNEXPECTED_MESSAGE);
	memcpy(both.conn, before, sizeof(before));
	both.conn[ENGINE_SERVER].may_renegotiate = 1;
	check_refused(ENGINE_SERVER, CONTENT_HANDSHAKE, "", 0, ALERT_UNEXPECTED_MESSAGE);
	memcpy(both.conn, before, sizeof(before));
	check_refused(ENGINE_SERVER, CONTENT_CHANGE_CIPHER_SPEC, "", 0, ALERT_UNEXPECTED_MESSAGE);
}

/* ---- messages behind the handshake ---- */

static void test_a_change_cipher_spec_does_not_belong(void **unused)
{
	(void)unused;
	check_refused(ENGINE_CLIENT, CONTENT_CHANGE_CIPHER_SPEC, "\x01", 1, ALERT_UNEXPECTED_MESSAGE);
}

/* Every message but the one that begins a renegotiation; RFC 5077 3.3: no NewSessionTicket behind the handshake. */
static void test_other_messages_do_not_belong(void **unused)
{
	const struct engine_conn before[2] = {both.conn[0], both.conn[1]};

	(void)unused;
	for (int may = 0; may < 2; may++) {
		for (unsigned role = 0; role < 2; role++) {
			for (unsigned type = 0; type < 256; type++) {
				const uint8_t message[4] = {(uint8_t)type, 0, 0, 0};

				if (type == (role == ENGINE_CLIENT ? 0 : 1)) {
					continue;
				}
				memcpy(both.conn, before, sizeof(before));
				both.conn[role].may_renegotiate = (uint8_t)may;
				check_refused(role, CONTENT_HANDSHAKE, message, sizeof(message),
					      ALERT_UNEXPECTED_MESSAGE);
			}
		}
	}
}

/* What engine_control() sends is the warning; the other side bears it. */
static void check_turned_down(enum engine_role role)
{
	const enum engine_role peer = (enum engine_role)(1 - role);
	size_t len;

	assert_true(engine_control_due(&both.conn[role]));
	assert_int_equal(engine_control(&both.conn[role], both.cipher[role], record, &len), ENGINE_OK);
	assert_int_not_equal(len, 0);
	assert_int_equal(record[0], CONTENT_ALERT);
	assert_false(engine_control_due(&both.conn[role]));
	assert_int_equal(established_open(&both, peer, record, len, &opened), ENGINE_OK);
	assert_int_equal(opened.event, ENGINE_EVENT_NOTHING);
	check_goes_on(role);
	check_goes_on(peer);
	assert_int_equal(engine_control(&both.conn[role], both.cipher[role], record, &len), ENGINE_OK);
	assert_int_equal(len, 0);
}

static void hello_request(void)
{
	assert_false(engine_control_due(&both.conn[0]));
	assert_int_equal(give(ENGINE_CLIENT, CONTENT_HANDSHAKE, HELLO_REQUEST, 4), ENGINE_OK);
	assert_int_equal(opened.event, ENGINE_EVENT_NOTHING);
	check_turned_down(ENGINE_CLIENT);
}

static void test_a_hello_request_is_turned_down(void **unused)
{
	(void)unused;
	for_each_kind(hello_request);
}

static void test_a_hello_request_in_pieces_and_several_at_once(void **unused)
{
	(void)unused;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(give(ENGINE_CLIENT, CONTENT_HANDSHAKE, HELLO_REQUEST, 1), ENGINE_OK);
		assert_int_equal(engine_control_due(&both.conn[0]), i == 3);
		/* data may come between, RFC 5246 does not forbid it */
		check_goes_on(ENGINE_CLIENT);
	}
	check_turned_down(ENGINE_CLIENT);
	assert_int_equal(give(ENGINE_CLIENT, CONTENT_HANDSHAKE, HELLO_REQUEST HELLO_REQUEST, 8), ENGINE_OK);
	check_turned_down(ENGINE_CLIENT);
}

static void test_a_flood_of_hello_requests(void **unused)
{
	const struct engine_conn before[2] = {both.conn[0], both.conn[1]};

	(void)unused;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(give(ENGINE_CLIENT, CONTENT_HANDSHAKE, HELLO_REQUEST, 4), ENGINE_OK);
	}
	check_refused(ENGINE_CLIENT, CONTENT_HANDSHAKE, HELLO_REQUEST, 4, ALERT_UNEXPECTED_MESSAGE);
	memcpy(both.conn, before, sizeof(before));
	check_refused(ENGINE_CLIENT, CONTENT_HANDSHAKE,
		      HELLO_REQUEST HELLO_REQUEST HELLO_REQUEST HELLO_REQUEST HELLO_REQUEST, 20,
		      ALERT_UNEXPECTED_MESSAGE);
}

static void test_a_hello_request_is_empty(void **unused)
{
	(void)unused;
	check_refused(ENGINE_CLIENT, CONTENT_HANDSHAKE, "\0\0\0\1\0", 5, ALERT_DECODE_ERROR);
}

/* A ClientHello of n bytes in records of at most piece; the server turns it down. */
static void give_client_hello(size_t n, size_t piece)
{
	uint8_t *message = malloc(4 + n);

	assert_non_null(message);
	memset(message, 0x55, 4 + n);
	memcpy(message, "\x01\0", 2);
	message[2] = (uint8_t)(n >> 8);
	message[3] = (uint8_t)n;
	for (size_t done = 0; done < 4 + n; done += piece) {
		assert_false(engine_control_due(&both.conn[1]));
		assert_int_equal(give(ENGINE_SERVER, CONTENT_HANDSHAKE, message + done,
				      piece < 4 + n - done ? piece : 4 + n - done),
				 ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_NOTHING);
	}
	free(message);
	check_turned_down(ENGINE_SERVER);
}

static void test_a_client_hello_is_turned_down(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_KINDS; i++) {
		established_begin(&both, &kinds[i]);
		give_client_hello(200, ENGINE_MAX_PLAINTEXT);
		give_client_hello(200, 1);
		give_client_hello(200, 203);
		give_client_hello(60000, 1000);
	}
}

static void test_a_client_hello_longer_than_any(void **unused)
{
	(void)unused;
	check_refused(ENGINE_SERVER, CONTENT_HANDSHAKE, "\1\x03\0\0", 4, ALERT_DECODE_ERROR);
}

static void test_who_may_renegotiate_gets_the_message(void **unused)
{
	static const char hello[] = "\1\0\0\5hello";

	(void)unused;
	for (size_t i = 0; i < N_KINDS; i++) {
		established_begin(&both, &kinds[i]);
		both.conn[0].may_renegotiate = both.conn[1].may_renegotiate = 1;
		assert_int_equal(give(ENGINE_CLIENT, CONTENT_HANDSHAKE, HELLO_REQUEST, 4), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_RENEGOTIATE);
		assert_int_equal(opened.data_len, 4);
		assert_memory_equal(opened.data, HELLO_REQUEST, 4);
		assert_false(engine_control_due(&both.conn[0]));
		/* whole or in part, as it comes */
		assert_int_equal(give(ENGINE_SERVER, CONTENT_HANDSHAKE, hello, 9), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_RENEGOTIATE);
		assert_memory_equal(opened.data, hello, 9);
		assert_int_equal(give(ENGINE_SERVER, CONTENT_HANDSHAKE, hello, 2), ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_RENEGOTIATE);
		assert_int_equal(opened.data_len, 2);
	}
}

/* ---- the life of a key ---- */

static void test_a_used_up_key_is_renewed_by_renegotiation_or_stops(void **unused)
{
	const struct engine_slice slice = {(const uint8_t *)"x", 1};
	const struct suite *suite = suite_find(both.conn[0].suite);
	size_t len;

	(void)unused;
	both.conn[0].send.seq = both.conn[1].recv.seq = suite->soft_limit - 1;
	both.conn[0].may_renegotiate = 1;
	assert_false(engine_renegotiation_due(&both.conn[0]));
	check_goes_on(ENGINE_SERVER);
	assert_true(engine_renegotiation_due(&both.conn[0]));
	assert_false(engine_control_due(&both.conn[0]));
	both.conn[0].may_renegotiate = 0;
	assert_false(engine_renegotiation_due(&both.conn[0]));
	check_goes_on(ENGINE_SERVER);
	both.conn[0].send.seq = both.conn[1].recv.seq = suite->hard_limit;
	assert_int_equal(engine_seal(&both.conn[0], both.cipher[0], &slice, 1, record, sizeof(record), &len),
			 ENGINE_ERR_INTERNAL);
	assert_int_equal(len, 0);
	/* the peer learns that this is the end */
	assert_int_equal(engine_seal_alert(&both.conn[0], both.cipher[0], ENGINE_ALERT_CLOSE_NOTIFY, record,
					   &len),
			 ENGINE_OK);
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, len, &opened), ENGINE_OK);
	assert_int_equal(opened.event, ENGINE_EVENT_CLOSED);
}

static void test_sequence_numbers_do_not_wrap(void **unused)
{
	size_t len = established_seal(&both, ENGINE_CLIENT, CONTENT_APPLICATION_DATA, "x", 1, record,
				      sizeof(record));

	(void)unused;
	both.conn[1].recv.seq = UINT64_MAX;
	assert_int_equal(established_open(&both, ENGINE_SERVER, record, len, &opened), ENGINE_ERR_INTERNAL);
	for (uint64_t seq = UINT64_MAX; seq >= UINT64_MAX - 1; seq--) {
		both.conn[0].send.seq = seq;
		assert_int_equal(established_seal(&both, ENGINE_CLIENT, CONTENT_ALERT, "\1\0", 2, record,
						  sizeof(record)),
				 0);
	}
}

/* ---- sessions, RFC 5246 7.2.2: one whose connection ends with a fatal alert is not resumed ---- */

/* A connection that has left a session in the store. */
static void begin_with_session(const struct protection *how)
{
	established_begin(&both, how);
	assert_true(pair_set_resumption(true));
	memset(both.conn[ENGINE_SERVER].session_id, 's', ENGINE_SESSION_ID_LEN);
	memset(pair_sessions[0].id, 's', ENGINE_SESSION_ID_LEN);
	pair_sessions[0].len = 1;
}

static void test_a_fatal_alert_of_either_side_forgets_the_session(void **unused)
{
	const struct protection tls13 = {ENGINE_TLS13, 0x1301, false};

	(void)unused;
	begin_with_session(&kinds[kind]);
	assert_int_equal(give(ENGINE_SERVER, CONTENT_ALERT, "\x01\x5a", 2), ENGINE_OK);
	assert_int_equal(give(ENGINE_SERVER, CONTENT_ALERT, "\x01\0", 2), ENGINE_OK);
	assert_int_equal(pair_n_sessions(), 1);
	begin_with_session(&kinds[kind]);
	assert_int_equal(give(ENGINE_SERVER, CONTENT_ALERT, "\x02\x50", 2), ENGINE_ERR_PEER_ALERT);
	assert_int_equal(pair_n_sessions(), 0);
	begin_with_session(&kinds[kind]);
	check_refused(ENGINE_SERVER, CONTENT_CHANGE_CIPHER_SPEC, "\x01", 1, ALERT_UNEXPECTED_MESSAGE);
	assert_int_equal(pair_n_sessions(), 0);
	/* TLS 1.3 has no such rule */
	begin_with_session(&tls13);
	assert_int_equal(give(ENGINE_SERVER, CONTENT_ALERT, "\x02\x50", 2), ENGINE_ERR_PEER_ALERT);
	assert_int_equal(pair_n_sessions(), 1);
	assert_true(pair_set_resumption(false));
}

/* ---- wiping ---- */

static void test_a_wiped_connection_opens_and_seals_nothing(void **unused)
{
	const struct engine_slice slice = {(const uint8_t *)"x", 1};
	size_t len;

	(void)unused;
	engine_conn_wipe(&both.conn[1]);
	assert_true(secret_is_zero(&both.conn[1].recv, sizeof(both.conn[1].recv)));
	assert_true(secret_is_zero(&both.conn[1].send, sizeof(both.conn[1].send)));
	assert_int_equal(give(ENGINE_SERVER, CONTENT_APPLICATION_DATA, "x", 1), ENGINE_ERR_INTERNAL);
	assert_int_equal(engine_seal(&both.conn[1], both.cipher[1], &slice, 1, record, sizeof(record), &len),
			 ENGINE_ERR_INTERNAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_close_notify_ends_the_data),
		TEST(test_a_fatal_alert_ends_the_connection),
		TEST(test_the_level_of_an_alert_counts),
		TEST(test_an_unknown_level_is_an_illegal_parameter),
		TEST(test_close_notify_is_one_whatever_its_level),
		TEST(test_alerts_of_wrong_length),
		TEST(test_warnings_are_borne_four_times),
		TEST(test_empty_records_are_borne_for_a_while),
		TEST(test_nothing_else_may_be_empty),
		TEST(test_a_change_cipher_spec_does_not_belong),
		TEST(test_other_messages_do_not_belong),
		TEST(test_a_hello_request_is_turned_down),
		TEST(test_a_hello_request_in_pieces_and_several_at_once),
		TEST(test_a_flood_of_hello_requests),
		TEST(test_a_hello_request_is_empty),
		TEST(test_a_client_hello_is_turned_down),
		TEST(test_a_client_hello_longer_than_any),
		TEST(test_who_may_renegotiate_gets_the_message),
		TEST(test_a_used_up_key_is_renewed_by_renegotiation_or_stops),
		TEST(test_sequence_numbers_do_not_wrap),
		TEST(test_a_fatal_alert_of_either_side_forgets_the_session),
		TEST(test_a_wiped_connection_opens_and_seals_nothing),
	};

	return cmocka_run_group_tests_name("record_post12", tests, set_up, NULL);
}
