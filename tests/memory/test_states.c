/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks the state tables of both roles with real records: every state is reached, every message that a state does not
 * allow is refused with unexpected_message (RFC 8446 4), every path ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/handshake.h"
#include "tests/lib/pair.h"

#define MAX_MESSAGES 8
#define MAX_RECORDS  12

/* Ways through the tables. */
struct path {
	const char *name;
	bool retry;       /* the client sends no share, so that the server asks for one */
	bool client_cert; /* the server asks for a certificate and the client has one */
	bool empty_cert;  /* the server asks and the client has none */
};

static const struct path paths[] = {
	{"plain", false, false, false},
	{"retry", true, false, false},
	{"client certificate", false, true, false},
	{"empty client certificate", false, false, true},
};

/* One record for every message that role receives, in order. */
struct steps {
	uint8_t room[64 * 1024];
	struct rd record[MAX_RECORDS];
	size_t n;
};

static uint64_t reached;

static void add_step(struct steps *steps, const uint8_t *record, size_t len)
{
	size_t used = steps->n == 0 ? 0
				    : (size_t)(steps->record[steps->n - 1].p +
					       steps->record[steps->n - 1].left - steps->room);

	assert_true(steps->n < MAX_RECORDS && used + len <= sizeof(steps->room));
	memcpy(steps->room + used, record, len);
	steps->record[steps->n++] = rd_of(steps->room + used, len);
}

/* Cut a protected flight into one record for each message, under the same keys from number 0 on. */
static void split_flight(struct steps *steps, const struct suite *suite, const struct secret *secret,
			 uint8_t *wire, size_t len)
{
	struct engine_cipher *cipher = engine_cipher_new();
	struct engine_keys in_keys = {.seq = 0};
	struct engine_keys out_keys = {.seq = 0};
	struct rd in = rd_of(wire, len);

	assert_true(keysched13_traffic_keys(suite, secret->data, &in_keys));
	assert_true(keysched13_traffic_keys(suite, secret->data, &out_keys));
	while (!rd_end(&in)) {
		struct record_opened opened;
		struct record_header header;
		struct rd record;
		struct rd content;

		record_parse_header(in.p, &header);
		assert_true(rd_bytes(&in, &record, ENGINE_RECORD_HEADER_LEN + header.length));
		if (header.type != CONTENT_APPLICATION_DATA) {
			continue; /* ServerHello is a step already, ChangeCipherSpec is none */
		}
		assert_int_equal(record13_open(suite, &in_keys, cipher, wire + (record.p - wire), record.left,
					       NULL, &opened),
				 REASON_NONE);
		assert_int_equal(opened.type, CONTENT_HANDSHAKE);
		content = rd_of(opened.data, opened.len);
		while (!rd_end(&content)) {
			uint8_t out[ENGINE_MAX_PLAINTEXT];
			struct rd peek = content;
			struct rd message;
			uint8_t type;
			uint32_t body = 0;
			size_t out_len;

			assert_true(rd_u8(&peek, &type) && rd_u24(&peek, &body));
			assert_true(rd_bytes(&content, &message, 4 + (size_t)body));
			const struct engine_slice slice = {message.p, message.left};

			assert_true(record13_seal(suite, &out_keys, cipher, CONTENT_HANDSHAKE, &slice, 1, out,
						  sizeof(out), &out_len));
			add_step(steps, out, out_len);
		}
	}
	engine_cipher_free(cipher);
}

static void add_first_record(struct steps *steps, const uint8_t *wire, size_t len)
{
	struct record_header header;

	assert_true(len > ENGINE_RECORD_HEADER_LEN);
	record_parse_header(wire, &header);
	assert_int_equal(header.type, CONTENT_HANDSHAKE);
	add_step(steps, wire, ENGINE_RECORD_HEADER_LEN + header.length);
}

static void begin(struct pair *pair, const struct path *path)
{
	struct engine_config *client = pair_config(ENGINE_CLIENT);
	struct engine_config *server = pair_config(ENGINE_SERVER);

	pair_seed(7);
	if (path->client_cert || path->empty_cert) {
		engine_config_set_client_auth(server, ENGINE_CLIENT_AUTH_REQUEST);
		assert_true(pair_add_trust(server));
	}
	if (path->client_cert) {
		assert_true(pair_add_credential(client));
	}
	assert_true(pair_begin(pair, client, server));
	if (path->retry) {
		wr_free(&pair->hs[ENGINE_CLIENT]->out);
		wr_free(&pair->hs[ENGINE_CLIENT]->held);
		assert_true(client_start(pair->hs[ENGINE_CLIENT], NULL));
	}
}

/* Give, with random numbers that depend on who is given the how-manieth piece: a replay draws the same. */
static enum engine_err give(struct pair *pair, enum engine_role role, size_t index, const uint8_t *bytes,
			    size_t len)
{
	pair_seed(100 + 50 * (uint64_t)role + index);
	return pair_give(pair, role, bytes, len);
}

/* Run the handshake once and note what role is given. With the same numbers, it can be given the same again. */
static void record_steps(const struct path *path, enum engine_role role, struct steps *steps)
{
	static uint8_t wire[64 * 1024];
	struct pair pair;
	struct engine_hs *server;
	const uint8_t *bytes;
	struct secret client_secret, server_secret;
	const struct suite *suite;
	size_t len;

	steps->n = 0;
	begin(&pair, path);
	server = pair.hs[ENGINE_SERVER];
	bytes = pair_take(&pair, ENGINE_CLIENT, &len);
	if (role == ENGINE_SERVER) {
		add_first_record(steps, bytes, len);
	}
	assert_int_equal(give(&pair, ENGINE_SERVER, 0, bytes, len), ENGINE_OK);
	bytes = pair_take(&pair, ENGINE_SERVER, &len);
	if (role == ENGINE_CLIENT) {
		add_first_record(steps, bytes, len);
	}
	if (path->retry) {
		assert_int_equal(give(&pair, ENGINE_CLIENT, 0, bytes, len), ENGINE_OK);
		bytes = pair_take(&pair, ENGINE_CLIENT, &len);
		/* ChangeCipherSpec stands in front */
		if (role == ENGINE_SERVER) {
			add_first_record(steps, bytes + 6, len - 6);
		}
		assert_int_equal(give(&pair, ENGINE_SERVER, 1, bytes, len), ENGINE_OK);
		bytes = pair_take(&pair, ENGINE_SERVER, &len);
		if (role == ENGINE_CLIENT) {
			add_first_record(steps, bytes, len);
		}
	}
	client_secret = server->ks.client_handshake_traffic_secret;
	server_secret = server->ks.server_handshake_traffic_secret;
	suite = server->suite;
	memcpy(wire, bytes, len);
	if (role == ENGINE_CLIENT) {
		split_flight(steps, suite, &server_secret, wire, len);
	} else {
		assert_int_equal(pair_give(&pair, ENGINE_CLIENT, wire, len), ENGINE_OK);
		bytes = pair_take(&pair, ENGINE_CLIENT, &len);
		memcpy(wire, bytes, len);
		split_flight(steps, suite, &client_secret, wire, len);
	}
	pair_end(&pair);
}

/* Bring role to its n-th state. */
static void advance(struct pair *pair, enum engine_role role, const struct steps *steps, size_t n)
{
	struct engine_hs *hs = pair->hs[role];

	for (size_t i = 0; i < n; i++) {
		size_t len;

		reached |= TO(hs->state);
		assert_int_equal(give(pair, role, i, steps->record[i].p, steps->record[i].left), ENGINE_OK);
		(void)pair_take(pair, role, &len);
		/* the peer's ChangeCipherSpec may stand between any two records */
		if (!engine_hs_is_done(hs)) {
			static const uint8_t ccs[] = {20, 3, 3, 0, 1, 1};

			assert_int_equal(pair_give(pair, role, ccs, sizeof(ccs)), ENGINE_OK);
		}
	}
	reached |= TO(hs->state);
}

/* A record with an empty message of this type, as the peer would send it now. */
static size_t build_message(struct engine_hs *hs, uint8_t type, uint8_t out[static 64])
{
	const uint8_t message[4] = {type, 0, 0, 0};
	const struct engine_slice slice = {message, sizeof(message)};
	struct engine_cipher *cipher;
	struct engine_keys keys = hs->recv;
	size_t len = 0;

	if (hs->recv_cipher == NULL) {
		record_build_header(out, CONTENT_HANDSHAKE, 0x0303, sizeof(message));
		memcpy(out + ENGINE_RECORD_HEADER_LEN, message, sizeof(message));
		return ENGINE_RECORD_HEADER_LEN + sizeof(message);
	}
	cipher = engine_cipher_new();
	assert_true(record13_seal(hs->suite, &keys, cipher, CONTENT_HANDSHAKE, &slice, 1, out, 64, &len));
	engine_cipher_free(cipher);
	return len;
}

static bool has_row(const struct engine_hs *hs, uint8_t type)
{
	for (size_t i = 0; i < hs->n_rows; i++) {
		if (hs->rows[i].state == hs->state && hs->rows[i].type == type) {
			return true;
		}
	}
	return false;
}

/* In the state behind n steps, try every type of message. */
static void refuse_others(const struct path *path, enum engine_role role, const struct steps *steps, size_t n)
{
	for (unsigned type = 0; type < 256; type++) {
		struct pair pair;
		struct engine_hs *hs;
		uint8_t record[64];
		size_t len;

		/* the unassigned ones behave alike */
		if (type > 26 && type != 67 && type != HS_MESSAGE_HASH && type != 255) {
			continue;
		}
		begin(&pair, path);
		hs = pair.hs[role];
		(void)pair_take(&pair, role, &len);
		advance(&pair, role, steps, n);
		if (!engine_hs_is_done(hs) && !has_row(hs, (uint8_t)type)) {
			len = build_message(hs, (uint8_t)type, record);
			assert_int_equal(pair_give(&pair, role, record, len), ENGINE_ERR_PROTOCOL);
			assert_int_equal(engine_hs_alert(hs), ALERT_UNEXPECTED_MESSAGE);
			assert_int_equal(hs->state, HS_FAILED);
			assert_int_equal(pair.conn[role].version, 0);
			(void)pair_take(&pair, role, &len);
			assert_true(len >= 7);
			reached |= TO(HS_FAILED);
		}
		pair_end(&pair);
	}
}

static void test_every_state_refuses_all_but_its_messages(void **unused)
{
	static struct steps steps;

	(void)unused;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
			record_steps(&paths[i], (enum engine_role)role, &steps);
			for (size_t n = 0; n <= steps.n; n++) {
				refuse_others(&paths[i], (enum engine_role)role, &steps, n);
			}
		}
	}
}

static const uint64_t old_states =
	(TO(HS12_WAIT_CLIENT_FINISHED) << 1) - TO(HS12_WAIT_HELLO_REQUEST);

static void check_table(const struct hs_row *rows, size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++) {
		assert_true((reached & TO(rows[i].state)) != 0);
		/* the first row leads to TLS 1.2 as well, which has a walk of its own */
		assert_true((rows[i].next & ~reached & ~old_states) == 0);
		assert_true(rows[i].next != 0);
		assert_non_null(rows[i].on);
		/* no two rows for the same */
		for (size_t j = 0; j < i; j++) {
			assert_false(rows[i].state == rows[j].state && rows[i].type == rows[j].type);
		}
	}
}

/* Runs behind the walk, which notes the states. */
static void test_every_state_is_reached_and_every_path_ends(void **unused)
{
	(void)unused;
	check_table(client13_rows, client13_n_rows);
	check_table(server13_rows, server13_n_rows);
	assert_true((reached | old_states) == TO(HS_STATE_COUNT) - 1);
}

/* RFC 8446 5.1: what precedes a key change stands at the end of its record. */
static void test_a_message_behind_a_key_change_is_refused(void **unused)
{
	static struct steps steps;
	struct pair pair;
	struct engine_hs *hs;
	uint8_t record[2048];
	size_t len;

	(void)unused;
	record_steps(&paths[0], ENGINE_CLIENT, &steps);
	begin(&pair, &paths[0]);
	hs = pair.hs[ENGINE_CLIENT];
	len = steps.record[0].left;
	memcpy(record, steps.record[0].p, len);
	/* an EncryptedExtensions in clear, in the ServerHello's record */
	memcpy(record + len, "\x08\x00\x00\x02\x00\x00", 6);
	len += 6;
	record_build_header(record, CONTENT_HANDSHAKE, 0x0303, len - ENGINE_RECORD_HEADER_LEN);
	assert_int_equal(pair_give(&pair, ENGINE_CLIENT, record, len), ENGINE_ERR_PROTOCOL);
	assert_int_equal(engine_hs_alert(hs), ALERT_UNEXPECTED_MESSAGE);
	pair_end(&pair);
}

static int setup(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_refuses_all_but_its_messages),
		cmocka_unit_test(test_every_state_is_reached_and_every_path_ends),
		cmocka_unit_test(test_a_message_behind_a_key_change_is_refused),
	};

	return cmocka_run_group_tests_name("states", tests, setup, NULL);
}
