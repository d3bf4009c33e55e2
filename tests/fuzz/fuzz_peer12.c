/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz one role of TLS 1.2 and older with a peer that holds the keys: the input says, message by message, whether the
 * real one passes, and what else comes in its place or in front of it, in records of any type.
 *
 * The first byte chooses who is attacked (1), the version (2, 4), whether the server asks for a certificate (8) and the
 * client has one (16), a session that is resumed (32), a connection that is renegotiated (64). Then for each message
 * steps of: 0 pass it, 1 a record (type, length, content), 2 a body in its place (length, content), 3 leave it out.
 * Behind the end of the input nothing comes.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/middle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PASS, RECORD, BODY, SKIP, N_OPS };

static struct pair pair;

struct attack {
	struct rd in;
	bool touched; /* what the role has got is not what its peer sent */
};

static void check(bool ok)
{
	if (!ok) {
		abort();
	}
}

static struct engine_config *make(enum engine_role role, uint8_t mode)
{
	static const uint16_t versions[] = {ENGINE_TLS12, ENGINE_TLS12, ENGINE_TLS11, ENGINE_TLS10};
	const uint16_t version = versions[mode >> 1 & 3];
	const bool is_legacy = (mode & 64) != 0 || (mode >> 1 & 3) != 0;
	struct engine_config *config = pair_config(role);

	check(config != NULL);
	engine_config_set_profile(config, is_legacy ? ENGINE_PROFILE_LEGACY : ENGINE_PROFILE_DEFAULT);
	check(engine_config_set_versions(config, version, version));
	if (role == ENGINE_SERVER && (mode & 8) != 0) {
		engine_config_set_client_auth(config, ENGINE_CLIENT_AUTH_REQUEST);
		check(pair_add_trust(config));
	}
	if (role == ENGINE_CLIENT && (mode & 16) != 0) {
		check(pair_add_credential(config));
	}
	return config;
}

static bool begin(uint8_t mode)
{
	static struct engine_config *configs[2][128];

	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		struct engine_config **config = &configs[role][mode & 0x7e];

		if (*config == NULL) {
			*config = make((enum engine_role)role, mode);
		}
		engine_config_ref(*config);
	}
	return pair_begin(&pair, configs[ENGINE_CLIENT][mode & 0x7e], configs[ENGINE_SERVER][mode & 0x7e]);
}

/* The client begins anew, and its hello has come to the server; or the server waits for one. */
static void renegotiate(enum engine_role attacked)
{
	const struct engine_hs_params client = {.config = pair.config[ENGINE_CLIENT],
						.server_name = "localhost"};
	const struct engine_hs_params server = {.config = pair.config[ENGINE_SERVER]};
	static uint8_t record[ENGINE_MAX_RECORD];
	struct engine_opened opened;
	char why[ENGINE_REASON_MAX];
	const uint8_t *bytes;
	size_t len;

	engine_hs_free(pair.hs[ENGINE_CLIENT]);
	engine_hs_free(pair.hs[ENGINE_SERVER]);
	pair.hs[ENGINE_CLIENT] = engine_hs_renegotiate(&client, &pair.conn[ENGINE_CLIENT], NULL, 0, why);
	check(pair.hs[ENGINE_CLIENT] != NULL);
	if (attacked == ENGINE_SERVER) {
		pair.hs[ENGINE_SERVER] =
			engine_hs_renegotiate(&server, &pair.conn[ENGINE_SERVER], NULL, 0, why);
		check(pair.hs[ENGINE_SERVER] != NULL);
		(void)pair_take(&pair, ENGINE_SERVER, &len); /* the HelloRequest is lost */
		pair.hs[ENGINE_CLIENT]->recv.seq++;
		return;
	}
	bytes = pair_take(&pair, ENGINE_CLIENT, &len);
	memcpy(record, bytes, len);
	check(pair_open(&pair, ENGINE_SERVER, record, len, &opened) == ENGINE_OK);
	check(opened.event == ENGINE_EVENT_RENEGOTIATE);
	pair.hs[ENGINE_SERVER] =
		engine_hs_renegotiate(&server, &pair.conn[ENGINE_SERVER], opened.data, opened.data_len, why);
	check(pair.hs[ENGINE_SERVER] != NULL);
}

static struct rd take_vector(struct rd *in)
{
	struct rd view = rd_of(NULL, 0);
	uint16_t len = 0;

	if (rd_u16(in, &len)) {
		(void)!rd_bytes(in, &view, len < in->left ? len : in->left);
	}
	return view;
}

static bool is_zeros(struct rd in)
{
	uint8_t byte = 0;

	while (byte == 0 && rd_u8(&in, &byte)) {
	}
	return byte == 0;
}

/* A message with its header, made of the input. */
static bool send_body(struct middle *middle, uint16_t type, struct rd whole)
{
	struct attack *attack = middle->context;
	const struct rd body = take_vector(&attack->in);
	struct wr message;
	bool ok;

	if (type == HS_CHANGE_CIPHER_SPEC) {
		attack->touched = attack->touched || !rd_equal(body, whole);
		return middle_pass(middle, type, body);
	}
	wr_init_heap(&message);
	wr_u8(&message, (uint8_t)type);
	wr_u24(&message, (uint32_t)body.left);
	wr_bytes(&message, body.p, body.left);
	check(!message.failed);
	attack->touched = attack->touched || !rd_equal(rd_of(message.data, message.len), whole);
	ok = middle_pass(middle, type, rd_of(message.data, message.len));
	wr_free(&message);
	return ok;
}

static bool send_record(struct middle *middle)
{
	struct attack *attack = middle->context;
	uint8_t type = 0;
	struct rd content;

	(void)!rd_u8(&attack->in, &type);
	content = take_vector(&attack->in);
	attack->touched = attack->touched || (type % 4 == 2 && !is_zeros(content));
	return middle_send(middle, (uint8_t)(CONTENT_CHANGE_CIPHER_SPEC + type % 4), content.p, content.left);
}

static bool on_message(struct middle *middle, uint16_t type, struct rd whole)
{
	struct attack *attack = middle->context;
	uint8_t op;

	while (rd_u8(&attack->in, &op)) {
		switch (op % N_OPS) {
		case PASS:
			return middle_pass(middle, type, whole);
		case RECORD:
			if (!send_record(middle)) {
				return false;
			}
			break;
		case BODY:
			return send_body(middle, type, whole);
		default:
			attack->touched = true;
			return true;
		}
	}
	return false;
}

static bool pass_message(struct middle *middle, uint16_t type, struct rd whole)
{
	return middle_pass(middle, type, whole);
}

static void run(enum engine_role attacked, struct attack *attack)
{
	const enum engine_role other = attacked == ENGINE_CLIENT ? ENGINE_SERVER : ENGINE_CLIENT;
	struct middle attacker, friend;

	check(middle_init(&attacker, &pair, attacked, on_message, attack));
	check(middle_init(&friend, &pair, other, pass_message, NULL));
	for (int turn = 0; turn < 4; turn++) {
		(void)!middle_turn(&friend);
		if (!middle_turn(&attacker)) {
			break;
		}
	}
	middle_free(&attacker);
	middle_free(&friend);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attack attack = {.in = rd_of(data, size)};
	struct engine_keys before;
	struct engine_conn *conn;
	enum engine_role attacked;
	uint8_t mode;

	if (!rd_u8(&attack.in, &mode)) {
		return 0;
	}
	attacked = (enum engine_role)(mode & 1);
	check(pair_init() && pair_set_resumption(true));
	pair_seed(1);
	check(begin(mode));
	if ((mode & 96) != 0) {
		pair_pump(&pair, 0);
		check(pair_is_done(&pair));
	}
	if ((mode & 64) != 0) {
		before = pair.conn[attacked].recv;
		renegotiate(attacked);
	} else {
		memset(&before, 0, sizeof(before));
		if ((mode & 32) != 0) {
			pair_end(&pair);
			pair_seed(2);
			check(begin(mode));
		}
	}
	run(attacked, &attack);
	conn = &pair.conn[attacked];
	if (engine_hs_is_done(pair.hs[attacked])) {
		/* a lie is at most a refusal to renegotiate: then the old keys go on */
		check(!attack.touched || ((mode & 64) != 0 && memcmp(conn->recv.key, before.key, 32) == 0));
		check(conn->version != 0 && !conn->send_closed);
	} else {
		check((mode & 64) != 0 ? conn->send_closed : conn->version == 0);
	}
	pair_end(&pair);
	return 0;
}
