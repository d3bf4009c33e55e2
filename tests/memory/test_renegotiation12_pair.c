/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our client renegotiates with our server: whoever begins, in any pieces, with memory running out; and servers whose
 * wish is not granted.  RFC 5246 7.4.1.1, 7.2.2
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

#define WIRE_MAX (512 * 1024)

static struct pair pair;
static uint8_t data[2][WIRE_MAX]; /* that came to a role */
static size_t data_len[2];

static int setup(void **state)
{
	(void)state;
	return pair_init() ? 0 : -1;
}

static enum engine_role other(enum engine_role role)
{
	return role == ENGINE_CLIENT ? ENGINE_SERVER : ENGINE_CLIENT;
}

/* ---- a pair that renegotiates ---- */

static struct engine_config *make(enum engine_role role, bool is_legacy, const char *suite, uint16_t version)
{
	struct engine_config *config = pair_config(role);
	char why[ENGINE_REASON_MAX];

	assert_non_null(config);
	engine_config_set_profile(config, is_legacy ? ENGINE_PROFILE_LEGACY : ENGINE_PROFILE_DEFAULT);
	assert_true(engine_config_set_versions(config, version, version));
	if (suite != NULL) {
		assert_int_equal(engine_config_set_suites(config, &suite, 1, why), ENGINE_OK);
	}
	return config;
}

static void take_data(enum engine_role role, const uint8_t *bytes, size_t len)
{
	assert_true(data_len[role] + len <= WIRE_MAX);
	if (len != 0) {
		memcpy(data[role] + data_len[role], bytes, len);
	}
	data_len[role] += len;
}

/* Begin, or answer; the handshake before is over. */
static bool renegotiate(enum engine_role role, const uint8_t *bytes, size_t len)
{
	const struct engine_hs_params params = {.config = pair.config[role],
						.server_name = role == ENGINE_CLIENT ? "localhost" : NULL};
	char why[ENGINE_REASON_MAX];

	engine_hs_free(pair.hs[role]);
	pair.hs[role] = engine_hs_renegotiate(&params, &pair.conn[role], bytes, len, why);
	return pair.hs[role] != NULL;
}

/* A whole record for an established connection; what it owes goes out. */
static void take_record(enum engine_role role, uint8_t *record, size_t len, struct wr *out)
{
	struct engine_opened opened;
	uint8_t control[ENGINE_CONTROL_MAX];
	size_t control_len = 0;

	if (pair_open(&pair, role, record, len, &opened) != ENGINE_OK) {
		return;
	}
	if (opened.event == ENGINE_EVENT_DATA) {
		take_data(role, opened.data, opened.data_len);
	} else if (opened.event == ENGINE_EVENT_RENEGOTIATE) {
		(void)renegotiate(role, opened.data, opened.data_len);
	}
	if (engine_control_due(&pair.conn[role])) {
		assert_int_equal(engine_control(&pair.conn[role], pair.cipher[role], control, &control_len),
				 ENGINE_OK);
		wr_bytes(out, control, control_len);
	}
}

/* Bytes for role, in pieces; answers that are not its handshake's go to out. */
static void give(enum engine_role role, uint8_t *bytes, size_t len, size_t chunk, struct wr *out)
{
	while (len != 0 && pair.hs[role] != NULL) {
		size_t used = 0;

		if (engine_hs_is_done(pair.hs[role])) {
			used = ENGINE_RECORD_HEADER_LEN + (size_t)(bytes[3] << 8 | bytes[4]);
			assert_true(used <= len);
			take_record(role, bytes, used, out);
		} else {
			size_t n;
			const uint8_t *view;

			if (engine_hs_recv(pair.hs[role], bytes, chunk != 0 && chunk < len ? chunk : len,
					   &used) != ENGINE_OK) {
				return;
			}
			view = engine_hs_data(pair.hs[role], &n);
			take_data(role, view, n);
			engine_hs_data_taken(pair.hs[role]);
		}
		bytes += used;
		len -= used;
	}
}

/* Move bytes until neither has any. */
static void pump(size_t chunk)
{
	static uint8_t wire[WIRE_MAX];
	struct wr out[2];
	bool moved = true;

	wr_init_heap(&out[0]);
	wr_init_heap(&out[1]);
	while (moved) {
		moved = false;
		for (int r = ENGINE_CLIENT; r <= ENGINE_SERVER; r++) {
			const enum engine_role role = (enum engine_role)r;
			size_t len = 0;
			const uint8_t *bytes =
				pair.hs[role] != NULL ? engine_hs_pending(pair.hs[role], &len) : NULL;

			assert_true(len + out[role].len <= sizeof(wire));
			if (len != 0) {
				memcpy(wire, bytes, len);
				engine_hs_sent(pair.hs[role], len);
			}
			if (out[role].len != 0) {
				memcpy(wire + len, out[role].data, out[role].len);
				len += out[role].len;
				wr_reset(&out[role]);
			}
			give(other(role), wire, len, chunk, &out[other(role)]);
			moved = moved || len != 0;
		}
	}
	wr_free(&out[0]);
	wr_free(&out[1]);
}

static void begin(struct engine_config *client, struct engine_config *server)
{
	pair_seed(3);
	data_len[0] = data_len[1] = 0;
	assert_true(pair_begin(&pair, client, server));
	pump(0);
	assert_true(pair_is_done(&pair));
}

static void begin_usual(void)
{
	begin(make(ENGINE_CLIENT, true, NULL, ENGINE_TLS12), make(ENGINE_SERVER, true, NULL, ENGINE_TLS12));
	assert_true(pair.conn[0].may_renegotiate && pair.conn[1].may_renegotiate);
}

/* Seal as role and hand over. */
static void say(enum engine_role role, const void *bytes, size_t len)
{
	static uint8_t record[ENGINE_MAX_RECORD];
	const size_t n = pair_seal(&pair, role, bytes, len, record);
	struct wr out;

	assert_int_not_equal(n, 0);
	wr_init_heap(&out);
	give(other(role), record, n, 0, &out);
	assert_int_equal(out.len, 0);
}

/* Are both done, under the same keys, and does data go both ways? */
static void check_connection(void)
{
	assert_true(pair_is_done(&pair));
	assert_memory_equal(&pair.conn[0].recv.key, &pair.conn[1].send.key, 32);
	assert_memory_equal(&pair.conn[0].send.key, &pair.conn[1].recv.key, 32);
	assert_memory_equal(pair.conn[0].client_verify_data, pair.conn[1].client_verify_data, 12);
	assert_memory_equal(pair.conn[0].server_verify_data, pair.conn[1].server_verify_data, 12);
	data_len[0] = data_len[1] = 0;
	say(ENGINE_CLIENT, "to the server", 13);
	say(ENGINE_SERVER, "to the client", 13);
	assert_int_equal(data_len[ENGINE_SERVER], 13);
	assert_memory_equal(data[ENGINE_SERVER], "to the server", 13);
	assert_int_equal(data_len[ENGINE_CLIENT], 13);
	assert_memory_equal(data[ENGINE_CLIENT], "to the client", 13);
}

/* ---- good ends ---- */

static void test_whoever_begins_in_any_pieces(void **unused)
{
	static const struct {
		const char *suite;
		uint16_t version;
	} kinds[] = {
		{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", ENGINE_TLS12},
		{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", ENGINE_TLS12},
		{"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", ENGINE_TLS12},
		{"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", ENGINE_TLS11},
		{"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", ENGINE_TLS10},
	};
	static const size_t chunks[] = {0, 1, 7};

	(void)unused;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (size_t c = 0; c < sizeof(chunks) / sizeof(chunks[0]); c++) {
			begin(make(ENGINE_CLIENT, true, kinds[k].suite, kinds[k].version),
			      make(ENGINE_SERVER, true, kinds[k].suite, kinds[k].version));
			for (int round = 0; round < 4; round++) {
				const struct engine_keys before = pair.conn[0].send;

				assert_true(renegotiate((enum engine_role)(round % 2), NULL, 0));
				pump(chunks[c]);
				check_connection();
				assert_memory_not_equal(before.key, pair.conn[0].send.key, 16);
			}
			pair_end(&pair);
		}
	}
}

static void test_a_client_certificate_is_asked_for_later(void **unused)
{
	struct engine_config *client = make(ENGINE_CLIENT, true, NULL, ENGINE_TLS12);
	struct engine_config *server = make(ENGINE_SERVER, true, NULL, ENGINE_TLS12);

	(void)unused;
	assert_true(pair_add_credential(client) && pair_add_trust(server));
	begin(client, server);
	assert_string_equal(pair.conn[ENGINE_SERVER].peer_subject, "");
	/* the configuration of the connection, as it is from now on */
	engine_config_set_client_auth(server, ENGINE_CLIENT_AUTH_REQUIRE);
	assert_true(renegotiate(ENGINE_SERVER, NULL, 0));
	pump(0);
	check_connection();
	assert_string_equal(pair.conn[ENGINE_SERVER].peer_subject, "CN=localhost");
	pair_end(&pair);
}

static void test_both_begin_at_once(void **unused)
{
	(void)unused;
	begin_usual();
	assert_true(renegotiate(ENGINE_CLIENT, NULL, 0));
	assert_true(renegotiate(ENGINE_SERVER, NULL, 0));
	pump(0);
	check_connection();
	pair_end(&pair);
}

static void test_data_that_crosses_the_hello_is_not_lost(void **unused)
{
	static uint8_t record[ENGINE_MAX_RECORD];
	struct wr out;
	size_t len;

	(void)unused;
	begin_usual();
	/* on its way when the client begins */
	len = pair_seal(&pair, ENGINE_SERVER, "crossing", 8, record);
	assert_true(renegotiate(ENGINE_CLIENT, NULL, 0));
	wr_init_heap(&out);
	give(ENGINE_CLIENT, record, len, 0, &out);
	assert_int_equal(data_len[ENGINE_CLIENT], 8);
	pump(0);
	check_connection();
	pair_end(&pair);
}

/* ---- a wish that is not granted ---- */

static void test_a_client_that_does_not_want_to(void **unused)
{
	(void)unused;
	begin(make(ENGINE_CLIENT, false, NULL, ENGINE_TLS12), make(ENGINE_SERVER, true, NULL, ENGINE_TLS12));
	assert_false(pair.conn[ENGINE_CLIENT].may_renegotiate);
	assert_true(renegotiate(ENGINE_SERVER, NULL, 0));
	pump(0); /* the client answers with no_renegotiation */
	check_connection();
	pair_end(&pair);
}

static void test_a_server_that_does_not_want_to(void **unused)
{
	(void)unused;
	begin(make(ENGINE_CLIENT, true, NULL, ENGINE_TLS12), make(ENGINE_SERVER, false, NULL, ENGINE_TLS12));
	assert_false(pair.conn[ENGINE_SERVER].may_renegotiate);
	assert_true(renegotiate(ENGINE_CLIENT, NULL, 0));
	pump(0);
	check_connection();
	pair_end(&pair);
}

/* It goes on sending as if there had been no HelloRequest: then there is no renegotiation. */
static void test_a_client_that_ignores_the_request(void **unused)
{
	static const uint8_t piece[16384] = {1};
	size_t len;

	(void)unused;
	begin_usual();
	assert_true(renegotiate(ENGINE_SERVER, NULL, 0));
	(void)pair_take(&pair, ENGINE_SERVER, &len);
	assert_int_not_equal(len, 0);
	for (int i = 0; i < 4; i++) {
		say(ENGINE_CLIENT, piece, sizeof(piece));
		assert_false(engine_hs_is_done(pair.hs[ENGINE_SERVER]));
	}
	say(ENGINE_CLIENT, piece, sizeof(piece));
	assert_true(engine_hs_is_done(pair.hs[ENGINE_SERVER]));
	assert_int_equal(data_len[ENGINE_SERVER], 5 * sizeof(piece));
	/* the HelloRequest is lost here, so is its number */
	pair.conn[ENGINE_CLIENT].recv.seq++;
	check_connection();
	/* and in the end it renegotiates all the same */
	assert_true(renegotiate(ENGINE_CLIENT, NULL, 0));
	pump(0);
	check_connection();
	pair_end(&pair);
}

static void test_a_server_that_does_not_wait(void **unused)
{
	(void)unused;
	begin_usual();
	assert_true(renegotiate(ENGINE_SERVER, NULL, 0));
	engine_hs_sent(pair.hs[ENGINE_SERVER], 1000);
	pair.conn[ENGINE_CLIENT].recv.seq++;
	engine_hs_free(pair.hs[ENGINE_SERVER]);
	pair.hs[ENGINE_SERVER] = NULL;
	assert_false(pair.conn[ENGINE_SERVER].send_closed);
	say(ENGINE_SERVER, "data", 4);
	assert_int_equal(data_len[ENGINE_CLIENT], 4);
	pair_end(&pair);
	/* unless half a record is gone with the handshake */
	begin_usual();
	assert_true(renegotiate(ENGINE_SERVER, NULL, 0));
	assert_int_equal(pair_give(&pair, ENGINE_SERVER, (const uint8_t *)"\x17\x03", 2), ENGINE_OK);
	engine_hs_free(pair.hs[ENGINE_SERVER]);
	pair.hs[ENGINE_SERVER] = NULL;
	assert_int_not_equal(pair.conn[ENGINE_SERVER].recv_err, ENGINE_OK);
	pair_end(&pair);
}

/* ---- memory ---- */

/* Whatever fails, the connection is whole or gone, and nothing is left behind. */
static void test_memory_that_runs_out_anywhere(void **unused)
{
	(void)unused;
	for (int begins = ENGINE_CLIENT; begins <= ENGINE_SERVER; begins++) {
		bool failed = true;

		for (unsigned n = 1; failed; n++) {
			const size_t before = pair_memory_now();

			begin_usual();
			pair_memory_fail_at(n);
			(void)renegotiate((enum engine_role)begins, NULL, 0);
			pump(0);
			failed = pair_memory_count() >= n;
			pair_memory_fail_at(0);
			for (int role = 0; role < 2; role++) {
				const struct engine_conn *conn = &pair.conn[role];

				if (pair.hs[role] != NULL && !engine_hs_is_done(pair.hs[role]) &&
				    engine_hs_error(pair.hs[role]) != ENGINE_OK) {
					assert_true(conn->send_closed && conn->recv_err != ENGINE_OK);
				}
			}
			if (!failed) {
				check_connection();
			}
			pair_end(&pair);
			assert_int_equal(pair_memory_now(), before);
			assert_true(n < 2000);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whoever_begins_in_any_pieces),
		cmocka_unit_test(test_a_client_certificate_is_asked_for_later),
		cmocka_unit_test(test_both_begin_at_once),
		cmocka_unit_test(test_data_that_crosses_the_hello_is_not_lost),
		cmocka_unit_test(test_a_client_that_does_not_want_to),
		cmocka_unit_test(test_a_server_that_does_not_want_to),
		cmocka_unit_test(test_a_client_that_ignores_the_request),
		cmocka_unit_test(test_a_server_that_does_not_wait),
		cmocka_unit_test(test_memory_that_runs_out_anywhere),
	};

	return cmocka_run_group_tests_name("renegotiation12_pair", tests, setup, NULL);
}
