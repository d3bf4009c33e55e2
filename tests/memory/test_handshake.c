/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client against server in one process: whole, in pieces, with every byte flipped, cut at every byte, with memory
 * running out at every allocation, and what must not lead to a connection.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/alert.h"
#include "engine/handshake.h"
#include "tests/lib/pair.h"

/* Both sides agree, and data goes both ways. */
static void check_connection(struct pair *pair)
{
	static const char *const words[2] = {"from the client", "from the server"};
	uint8_t record[ENGINE_MAX_RECORD];

	assert_int_equal(engine_hs_error(pair->hs[ENGINE_CLIENT]), ENGINE_OK);
	assert_int_equal(engine_hs_error(pair->hs[ENGINE_SERVER]), ENGINE_OK);
	assert_true(pair_is_done(pair));
	assert_int_equal(pair->conn[0].version, ENGINE_TLS13);
	assert_int_equal(pair->conn[0].suite, pair->conn[1].suite);
	assert_int_equal(pair->conn[0].group, pair->conn[1].group);
	assert_memory_equal(&pair->conn[0].recv.key, &pair->conn[1].send.key, 32);
	assert_memory_equal(&pair->conn[0].send.key, &pair->conn[1].recv.key, 32);
	assert_memory_not_equal(&pair->conn[0].send.key, &pair->conn[0].recv.key, 32);
	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		struct engine_opened opened;
		size_t len =
			pair_seal(pair, (enum engine_role)role, words[role], strlen(words[role]), record);

		assert_true(len > strlen(words[role]));
		assert_int_equal(pair_open(pair, (enum engine_role)(1 - role), record, len, &opened),
				 ENGINE_OK);
		assert_int_equal(opened.event, ENGINE_EVENT_DATA);
		assert_int_equal(opened.data_len, strlen(words[role]));
		assert_memory_equal(opened.data, words[role], opened.data_len);
	}
}

static void test_a_handshake_in_one_piece(void **unused)
{
	struct pair pair;

	(void)unused;
	assert_true(pair_connect(&pair));
	check_connection(&pair);
	assert_int_equal(pair.conn[ENGINE_CLIENT].scheme, 0x0403);
	assert_int_equal(pair.conn[ENGINE_SERVER].scheme, 0);
	assert_string_equal(engine_hs_server_name(pair.hs[ENGINE_SERVER]), "localhost");
	assert_string_equal(engine_hs_peer_subject(pair.hs[ENGINE_CLIENT]), "CN=localhost");
	assert_string_equal(engine_hs_peer_subject(pair.hs[ENGINE_SERVER]), "");
	pair_end(&pair);
}

static void test_a_handshake_byte_by_byte_and_in_odd_pieces(void **unused)
{
	static const size_t chunks[] = {1, 2, 3, 5, 7, 64, 333};

	(void)unused;
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		struct pair pair;

		assert_true(pair_begin_default(&pair));
		pair_pump(&pair, chunks[i]);
		check_connection(&pair);
		pair_end(&pair);
	}
}

static void test_nothing_behind_the_last_record_is_taken(void **unused)
{
	struct pair pair;
	uint8_t wire[4096];
	const uint8_t *bytes;
	size_t len;
	size_t used;

	(void)unused;
	assert_true(pair_begin_default(&pair));
	bytes = pair_take(&pair, ENGINE_CLIENT, &len);
	assert_int_equal(pair_give(&pair, ENGINE_SERVER, bytes, len), ENGINE_OK);
	bytes = pair_take(&pair, ENGINE_SERVER, &len);
	memcpy(wire, bytes, len);
	memset(wire + len, 0x17, 100);
	assert_int_equal(engine_hs_recv(pair.hs[ENGINE_CLIENT], wire, len + 100, &used), ENGINE_OK);
	assert_int_equal(used, len);
	assert_true(engine_hs_is_done(pair.hs[ENGINE_CLIENT]));
	pair_end(&pair);
}

static void test_a_client_certificate_is_asked_for_and_proven(void **unused)
{
	struct engine_config *client = pair_config(ENGINE_CLIENT);
	struct engine_config *server = pair_config(ENGINE_SERVER);
	struct pair pair;

	(void)unused;
	engine_config_set_client_auth(server, ENGINE_CLIENT_AUTH_REQUIRE);
	assert_true(pair_add_trust(server) && pair_add_credential(client));
	assert_true(pair_begin(&pair, client, server));
	pair_pump(&pair, 0);
	check_connection(&pair);
	assert_int_equal(pair.conn[ENGINE_SERVER].scheme, 0x0403);
	assert_string_equal(engine_hs_peer_subject(pair.hs[ENGINE_SERVER]), "CN=localhost");
	pair_end(&pair);
}

static void test_a_missing_client_certificate(void **unused)
{
	static const enum engine_client_auth modes[] = {ENGINE_CLIENT_AUTH_REQUEST,
							ENGINE_CLIENT_AUTH_REQUIRE};

	(void)unused;
	for (size_t i = 0; i < 2; i++) {
		struct engine_config *server = pair_config(ENGINE_SERVER);
		struct pair pair;

		engine_config_set_client_auth(server, modes[i]);
		assert_true(pair_add_trust(server));
		assert_true(pair_begin(&pair, pair_config(ENGINE_CLIENT), server));
		pair_pump(&pair, 0);
		if (modes[i] == ENGINE_CLIENT_AUTH_REQUEST) {
			check_connection(&pair);
		} else {
			assert_int_equal(engine_hs_error(pair.hs[ENGINE_SERVER]), ENGINE_ERR_VERIFY);
			assert_int_equal(engine_hs_alert(pair.hs[ENGINE_SERVER]), ALERT_CERTIFICATE_REQUIRED);
			assert_int_equal(pair.conn[ENGINE_SERVER].version, 0);
		}
		pair_end(&pair);
	}
}

/* RFC 7301 */
static void test_application_protocols(void **unused)
{
	static const char *const ours[] = {"h2", "http/1.1"};
	static const char *const theirs[] = {"http/1.1", "spdy/3", "h2"};
	static const char *const others[] = {"imap"};
	struct engine_config *client = pair_config(ENGINE_CLIENT);
	struct engine_config *server = pair_config(ENGINE_SERVER);
	struct pair pair;

	(void)unused;
	assert_true(engine_config_set_alpn(server, ours, 2) && engine_config_set_alpn(client, theirs, 3));
	assert_true(pair_begin(&pair, client, server));
	pair_pump(&pair, 0);
	check_connection(&pair);
	assert_int_equal(pair.conn[ENGINE_CLIENT].alpn_len, 2);
	assert_memory_equal(pair.conn[ENGINE_CLIENT].alpn, "h2", 2);
	assert_memory_equal(pair.conn[ENGINE_SERVER].alpn, "h2", 2);
	pair_end(&pair);

	server = pair_config(ENGINE_SERVER);
	client = pair_config(ENGINE_CLIENT);
	assert_true(engine_config_set_alpn(server, ours, 2) && engine_config_set_alpn(client, others, 1));
	assert_true(pair_begin(&pair, client, server));
	pair_pump(&pair, 0);
	assert_int_equal(engine_hs_error(pair.hs[ENGINE_SERVER]), ENGINE_ERR_NEGOTIATION);
	assert_int_equal(engine_hs_alert(pair.hs[ENGINE_SERVER]), ALERT_NO_APPLICATION_PROTOCOL);
	assert_int_equal(engine_hs_error(pair.hs[ENGINE_CLIENT]), ENGINE_ERR_PEER_ALERT);
	assert_int_equal(engine_hs_alert(pair.hs[ENGINE_CLIENT]), ALERT_NO_APPLICATION_PROTOCOL);
	pair_end(&pair);
}

static void test_a_hello_retry_request(void **unused)
{
	struct pair pair;

	(void)unused;
	for (size_t chunk = 0; chunk < 2; chunk++) {
		assert_true(pair_begin_default(&pair));
		wr_free(&pair.hs[ENGINE_CLIENT]->out);
		wr_free(&pair.hs[ENGINE_CLIENT]->held);
		assert_true(client_start(pair.hs[ENGINE_CLIENT], NULL));
		pair_pump(&pair, chunk);
		check_connection(&pair);
		pair_end(&pair);
	}
}

static void test_an_untrusted_server_is_refused_and_told_why(void **unused)
{
	struct engine_config *client = engine_config_new(ENGINE_CLIENT);
	struct pair pair;

	(void)unused;
	assert_true(pair_begin(&pair, client, pair_config(ENGINE_SERVER)));
	pair_pump(&pair, 0);
	assert_int_equal(engine_hs_error(pair.hs[ENGINE_CLIENT]), ENGINE_ERR_VERIFY);
	assert_int_equal(engine_hs_error(pair.hs[ENGINE_SERVER]), ENGINE_ERR_PEER_ALERT);
	assert_int_equal(engine_hs_alert(pair.hs[ENGINE_SERVER]), engine_hs_alert(pair.hs[ENGINE_CLIENT]));
	assert_int_equal(engine_hs_alert(pair.hs[ENGINE_SERVER]), ALERT_UNKNOWN_CA);
	assert_int_equal(pair.conn[ENGINE_CLIENT].version, 0);
	assert_int_equal(pair.conn[ENGINE_SERVER].version, 0);
	pair_end(&pair);
}

/* RFC 8446 4.4.2.4 for the name: bad_certificate or a kin of it; nothing is established. */
static void test_a_certificate_for_another_name_is_refused(void **unused)
{
	struct engine_config *config = pair_config(ENGINE_CLIENT);
	const struct engine_hs_params params = {.config = config, .server_name = "other.example"};
	struct engine_hs *other;
	struct engine_conn conn = {.id = 9};
	char why[ENGINE_REASON_MAX];
	struct pair pair;

	(void)unused;
	assert_true(pair_begin_default(&pair));
	other = engine_hs_new(&params, &conn, why);
	assert_non_null(other);
	engine_hs_free(pair.hs[ENGINE_CLIENT]);
	pair.hs[ENGINE_CLIENT] = other;
	pair_pump(&pair, 0);
	assert_int_equal(engine_hs_error(other), ENGINE_ERR_VERIFY);
	assert_int_equal(conn.version, 0);
	pair_end(&pair);
	engine_config_unref(config);
}

/* ---- damage ---- */

/* One handshake in which byte `at` of what `role` sends is changed, or it and all behind it is lost (flip 0). */
static size_t run_damaged(struct pair *pair, enum engine_role role, size_t at, uint8_t flip)
{
	size_t total;

	pair_seed(3);
	assert_true(pair_begin_default(pair));
	total = pair_pump_damaged(pair, role, at, flip);
	assert_true(total != 0);
	return total;
}

static void flip_every_byte(enum engine_role role)
{
	static const uint8_t flips[] = {0x01, 0x80, 0xff};
	struct pair pair;
	size_t total = run_damaged(&pair, role, SIZE_MAX, 0);

	check_connection(&pair);
	pair_end(&pair);
	for (size_t at = 0; at < total; at++) {
		const uint8_t flip = flips[at % 3];
		bool both;

		(void)run_damaged(&pair, role, at, flip);
		both = pair_is_done(&pair);
		/* the versions in front of plaintext records count for nothing, RFC 8446 5.1 */
		if (both) {
			check_connection(&pair);
		} else {
			/* whoever ended it, nobody is left with a connection that the other side agreed to */
			assert_false(engine_hs_is_done(pair.hs[1 - role]) &&
				     engine_hs_is_done(pair.hs[role]));
		}
		/* at most the minor version of a plaintext record header may pass */
		if (both) {
			static unsigned passed;

			passed++;
			assert_true(passed <= 8);
		}
		pair_end(&pair);
	}
}

static void test_every_byte_of_the_client_flipped(void **unused)
{
	(void)unused;
	flip_every_byte(ENGINE_CLIENT);
}

static void test_every_byte_of_the_server_flipped(void **unused)
{
	(void)unused;
	flip_every_byte(ENGINE_SERVER);
}

static void cut_at_every_byte(enum engine_role role)
{
	struct pair pair;
	size_t total = run_damaged(&pair, role, SIZE_MAX, 0);

	pair_end(&pair);
	for (size_t at = 0; at < total; at++) {
		const size_t before = pair_memory_now();

		(void)run_damaged(&pair, role, at, 0);
		assert_false(engine_hs_is_done(pair.hs[1 - role]));
		assert_int_equal(engine_hs_error(pair.hs[1 - role]), ENGINE_OK);
		assert_int_equal(pair.conn[1 - role].version, 0);
		pair_end(&pair);
		assert_int_equal(pair_memory_now(), before);
	}
}

static void test_cut_at_every_byte(void **unused)
{
	(void)unused;
	cut_at_every_byte(ENGINE_CLIENT);
	cut_at_every_byte(ENGINE_SERVER);
}

/* ---- memory ---- */

static void test_memory_running_out_at_every_allocation(void **unused)
{
	struct engine_config *client = pair_config(ENGINE_CLIENT);
	struct engine_config *server = pair_config(ENGINE_SERVER);
	const size_t before = pair_memory_now();
	unsigned total = 0;

	(void)unused;
	for (unsigned n = 0; n <= total; n++) {
		struct pair pair;
		bool begun;

		pair_seed(5);
		pair_memory_reset();
		engine_config_ref(client);
		engine_config_ref(server);
		pair_memory_fail_at(n);
		begun = pair_begin(&pair, client, server);
		if (begun) {
			pair_pump(&pair, 0);
		}
		if (n == 0) {
			total = pair_memory_count();
			assert_true(total > 10);
			assert_true(pair_is_done(&pair));
		} else if (begun) {
			/* the last allocations may belong to one side's end: then the other is done already */
			assert_true(!pair_is_done(&pair) || n + 2 >= total);
		}
		pair_memory_fail_at(0);
		pair_end(&pair);
		assert_int_equal(pair_memory_now(), before);
	}
	engine_config_unref(client);
	engine_config_unref(server);
}

/* A handshake in flight stays below 24 KiB on either side, with all that it takes from the allocator. */
static void test_memory_of_a_handshake(void **unused)
{
	struct engine_config *client = pair_config(ENGINE_CLIENT);
	struct engine_config *server = pair_config(ENGINE_SERVER);
	struct pair pair;

	(void)unused;
	engine_config_set_client_auth(server, ENGINE_CLIENT_AUTH_REQUIRE);
	assert_true(pair_add_trust(server) && pair_add_credential(client));
	pair_memory_reset();
	assert_true(pair_begin(&pair, client, server));
	pair_pump(&pair, 0);
	assert_true(pair_is_done(&pair));
	print_message("# at most %zu bytes in the client's handshake, %zu in the server's\n",
		      pair_memory_peak(ENGINE_CLIENT), pair_memory_peak(ENGINE_SERVER));
	assert_true(pair_memory_peak(ENGINE_CLIENT) < 24 * 1024);
	assert_true(pair_memory_peak(ENGINE_SERVER) < 24 * 1024);
	pair_end(&pair);
}

/* ---- what is no handshake ---- */

static void check_not_tls(enum engine_role role, const char *text, const char *quote)
{
	struct pair pair;
	size_t len;

	assert_true(pair_begin_default(&pair));
	(void)pair_take(&pair, role, &len);
	assert_int_equal(pair_give(&pair, role, (const uint8_t *)text, strlen(text)), ENGINE_ERR_NOT_TLS);
	assert_non_null(strstr(engine_hs_reason(pair.hs[role]), quote));
	/* records of SSL 2.0 begin with a byte that no text does: such a client is told with an alert */
	(void)pair_take(&pair, role, &len);
	assert_int_equal(len, role == ENGINE_SERVER && (text[0] & 0x80) != 0 ? 7 : 0);
	pair_end(&pair);
}

static void test_a_peer_that_does_not_speak_tls(void **unused)
{
	(void)unused;
	check_not_tls(ENGINE_SERVER, "GET / HTTP/1.0\r\nHost: x\r\n\r\n", "GET / HTTP/1.0..");
	check_not_tls(ENGINE_SERVER, "\x80\x2e\x05\x03\x01", ".");
	check_not_tls(ENGINE_SERVER, "\x80\x02\x01\x80\x2e\x01\x03\x01", ".");
	check_not_tls(ENGINE_CLIENT, "\x80\x2e\x01\x03\x01", ".");
	check_not_tls(ENGINE_CLIENT, "220 mail.example ESMTP\r\n", "220 mail.example");
	check_not_tls(ENGINE_CLIENT, "\x16HTTP", ".HTTP");
}

static void test_a_fresh_handshake_says_so(void **unused)
{
	struct pair pair;
	const uint8_t *bytes;
	size_t len;

	(void)unused;
	assert_true(pair_begin_default(&pair));
	assert_true(engine_hs_is_fresh(pair.hs[ENGINE_SERVER]));
	bytes = pair_take(&pair, ENGINE_CLIENT, &len);
	assert_int_equal(pair_give(&pair, ENGINE_SERVER, bytes, 1), ENGINE_OK);
	assert_false(engine_hs_is_fresh(pair.hs[ENGINE_SERVER]));
	pair_end(&pair);
}

static void check_params(enum engine_role role, bool credential, const char *name, uint64_t id,
			 const char *expected)
{
	struct engine_config *config = engine_config_new(role);
	const struct engine_hs_params params = {.config = config, .server_name = name};
	struct engine_conn conn = {.id = id};
	char why[ENGINE_REASON_MAX] = "";

	if (credential) {
		assert_true(pair_add_credential(config));
	}
	assert_null(engine_hs_new(&params, &conn, why));
	assert_non_null(strstr(why, expected));
	engine_config_unref(config);
}

static void test_parameters_that_cannot_work(void **unused)
{
	(void)unused;
	check_params(ENGINE_CLIENT, false, NULL, 1, "name");
	check_params(ENGINE_CLIENT, false, "", 1, "name");
	check_params(ENGINE_CLIENT, false, "localhost", 0, "identity");
	check_params(ENGINE_SERVER, false, NULL, 1, "certificate");
	check_params(ENGINE_SERVER, true, "localhost", 1, "name");
}

static int setup(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_handshake_in_one_piece),
		cmocka_unit_test(test_a_handshake_byte_by_byte_and_in_odd_pieces),
		cmocka_unit_test(test_nothing_behind_the_last_record_is_taken),
		cmocka_unit_test(test_a_client_certificate_is_asked_for_and_proven),
		cmocka_unit_test(test_a_missing_client_certificate),
		cmocka_unit_test(test_application_protocols),
		cmocka_unit_test(test_a_hello_retry_request),
		cmocka_unit_test(test_an_untrusted_server_is_refused_and_told_why),
		cmocka_unit_test(test_a_certificate_for_another_name_is_refused),
		cmocka_unit_test(test_every_byte_of_the_client_flipped),
		cmocka_unit_test(test_every_byte_of_the_server_flipped),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_memory_running_out_at_every_allocation),
		cmocka_unit_test(test_memory_of_a_handshake),
		cmocka_unit_test(test_a_peer_that_does_not_speak_tls),
		cmocka_unit_test(test_a_fresh_handshake_says_so),
		cmocka_unit_test(test_parameters_that_cannot_work),
	};

	return cmocka_run_group_tests_name("handshake", tests, setup, NULL);
}
