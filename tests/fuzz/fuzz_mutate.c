/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our client against our server, all messages both ways through the input's hands, under the right keys: it must end in
 * a connection that both agree on, or not at all for whoever was lied to.
 *
 * The first two bytes choose version, suites, client certificate, resumption. Then one step for each message:
 * 0 deliver, 1 change a byte, 2 replace the body, 3 leave out, 4 send twice, 5 split, 6 put into one record with the
 * next, 7 insert a message in front, 8 insert a record in front, 9 swap with the next.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/middle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_OPS 10

struct mode {
	uint16_t version;
	bool is_legacy, asks, has_certificate, resumes;
};

static struct pair pair;

struct attack {
	struct rd *in;
	struct wr held; /* messages that wait for the next */
	struct wr swapped;
	bool touched; /* the messages are others than were sent */
	bool altered; /* or something else is different than it would be in other pieces */
};

static void check(bool ok)
{
	if (!ok) {
		abort();
	}
}

static struct engine_config *make(enum engine_role role, const struct mode *mode)
{
	struct engine_config *config = pair_config(role);

	check(config != NULL);
	engine_config_set_profile(config, mode->is_legacy ? ENGINE_PROFILE_LEGACY : ENGINE_PROFILE_DEFAULT);
	check(engine_config_set_versions(config, mode->version, mode->version));
	if (role == ENGINE_SERVER && mode->asks) {
		engine_config_set_client_auth(config, ENGINE_CLIENT_AUTH_REQUEST);
		check(pair_add_trust(config));
	}
	if (role == ENGINE_CLIENT && mode->has_certificate) {
		check(pair_add_credential(config));
	}
	return config;
}

/* Two of every kind, made once. */
static struct engine_config *config_of(enum engine_role role, unsigned bits, struct mode *mode)
{
	static struct engine_config *configs[2][64];

	*mode = (struct mode){.version = (bits & 3) == 0   ? ENGINE_TLS13
					 : (bits & 3) == 1 ? ENGINE_TLS10
							   : ENGINE_TLS12,
			      .is_legacy = (bits & 3) == 1 || (bits & 3) == 2,
			      .asks = (bits & 4) != 0,
			      .has_certificate = (bits & 8) != 0,
			      .resumes = (bits & 16) != 0};
	if (configs[role][bits & 63] == NULL) {
		configs[role][bits & 63] = make(role, mode);
	}
	engine_config_ref(configs[role][bits & 63]);
	return configs[role][bits & 63];
}

/* ---- steps ---- */

static bool release(struct middle *middle)
{
	struct attack *attack = middle->context;
	bool ok = true;

	if (attack->held.len != 0) {
		ok = middle_pass(middle, HS_CLIENT_HELLO, rd_of(attack->held.data, attack->held.len));
	}
	wr_free(&attack->held);
	return ok;
}

static void put(struct wr *out, uint8_t type, struct rd body)
{
	wr_u8(out, type);
	wr_u24(out, (uint32_t)body.left);
	wr_bytes(out, body.p, body.left);
	check(!out->failed);
}

static struct rd take(struct rd *in, size_t len)
{
	struct rd view = rd_of(NULL, 0);

	(void)!rd_bytes(in, &view, len < in->left ? len : in->left);
	return view;
}

/* A message of the input's own; HelloRequest is none that would be noticed. */
static void insert_message(struct attack *attack, uint8_t type, uint8_t len)
{
	const struct rd body = take(attack->in, len);

	attack->touched = attack->touched || type != HS_HELLO_REQUEST || body.left != 0;
	put(&attack->held, type, body);
}

static bool is_zeros(struct rd in)
{
	uint8_t byte = 0;

	while (byte == 0 && rd_u8(&in, &byte)) {
	}
	return byte == 0;
}

static bool insert_record(struct middle *middle, uint8_t type, uint8_t len)
{
	struct attack *attack = middle->context;
	const struct rd content = take(attack->in, len);

	/* warnings, HelloRequests and what TLS 1.3 passes over change nothing; all else is a message, or ends it */
	attack->touched = attack->touched || (type % 4 == 2 && !is_zeros(content));
	return release(middle) &&
	       middle_send(middle, (uint8_t)(CONTENT_CHANGE_CIPHER_SPEC + type % 4), content.p, content.left);
}

static bool split(struct middle *middle, uint8_t at)
{
	struct attack *attack = middle->context;
	struct wr all = attack->held;
	const size_t first = at % all.len;
	bool ok;

	wr_init_heap(&attack->held);
	ok = (first == 0 || middle_send(middle, CONTENT_HANDSHAKE, all.data, first)) &&
	     middle_send(middle, CONTENT_HANDSHAKE, all.data + first, all.len - first);
	wr_free(&all);
	return ok;
}

/* The message that was swapped comes behind this one. */
static void put_swapped(struct attack *attack)
{
	wr_bytes(&attack->held, attack->swapped.data, attack->swapped.len);
	wr_free(&attack->swapped);
}

static bool step(struct middle *middle, uint16_t type, struct rd whole)
{
	struct attack *attack = middle->context;
	uint8_t op = 0, at = 0, value = 0;
	size_t mark;

	(void)!(rd_u8(attack->in, &op) && rd_u8(attack->in, &at) && rd_u8(attack->in, &value));
	op %= N_OPS;
	/* two messages in one record are right only under the same keys */
	attack->altered =
		attack->altered || (op != 0 && op != 5 && op != 6) || (op == 6 && type == HS_SERVER_HELLO);
	if (op == 8 && !insert_record(middle, at, value)) {
		return false;
	}
	if (type == HS_CHANGE_CIPHER_SPEC) {
		if (!release(middle)) {
			return false;
		}
		/* in TLS 1.3 it counts for nothing */
		if (op == 3) {
			return true;
		}
		return middle_pass(middle, type, whole) && (op != 4 || middle_pass(middle, type, whole));
	}
	if (op == 3) {
		attack->touched = true;
		return true;
	}
	if (op == 7) {
		insert_message(attack, at, value);
	}
	mark = attack->held.len;
	if (op == 2) {
		put(&attack->held, (uint8_t)type, take(attack->in, (size_t)at << 8 | value));
		/* the input may have hit upon what was there */
		attack->touched = attack->touched ||
				  !rd_equal(whole, rd_of(attack->held.data + mark, attack->held.len - mark));
	} else {
		wr_bytes(&attack->held, whole.p, whole.left);
	}
	check(!attack->held.failed);
	if (op == 1) {
		attack->held.data[mark + ((size_t)at << 2 | value >> 6) % whole.left] ^= (uint8_t)(value | 1);
		attack->touched = true;
	} else if (op == 4) {
		wr_bytes(&attack->held, whole.p, whole.left);
		attack->touched = true;
	} else if (op == 9 && attack->swapped.len == 0) {
		wr_bytes(&attack->swapped, whole.p, whole.left);
		wr_unroom(&attack->held, whole.left);
		attack->touched = true;
		return true;
	}
	put_swapped(attack);
	if (op == 5) {
		return split(middle, at);
	}
	return op == 6 || release(middle);
}

/* ---- the whole ---- */

static bool begin(unsigned bits, struct mode *mode)
{
	struct engine_config *client = config_of(ENGINE_CLIENT, bits, mode);
	struct engine_config *server = config_of(ENGINE_SERVER, bits, mode);

	return pair_begin(&pair, client, server);
}

/* Both ways in turn, until nobody says anything. */
static void run(bool (*on)(struct middle *, uint16_t, struct rd), struct attack attacks[2])
{
	struct middle middles[2];
	bool going = true;

	check(middle_init(&middles[0], &pair, ENGINE_SERVER, on, &attacks[ENGINE_SERVER]));
	check(middle_init(&middles[1], &pair, ENGINE_CLIENT, on, &attacks[ENGINE_CLIENT]));
	for (int turn = 0; going && turn < 20; turn++) {
		going = middle_turn(&middles[turn % 2]);
		if (going && on == step &&
		    attacks[turn % 2 == 0 ? ENGINE_SERVER : ENGINE_CLIENT].held.len != 0) {
			going = release(&middles[turn % 2]);
		}
		/* whoever is done may still have told the other something */
		going = going || engine_hs_is_done(pair.hs[middles[turn % 2].to]);
	}
	middle_free(&middles[0]);
	middle_free(&middles[1]);
}

static void check_end(const struct mode *mode, const struct attack attacks[2])
{
	const struct engine_conn *client = &pair.conn[ENGINE_CLIENT], *server = &pair.conn[ENGINE_SERVER];

	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		/* whoever was lied to has no connection */
		check(!attacks[role].touched || pair.conn[role].version == 0);
		check(pair.conn[role].version == 0 || pair.conn[role].version == mode->version);
		check(engine_hs_is_done(pair.hs[role]) == (pair.conn[role].version != 0));
	}
	if (!attacks[0].altered && !attacks[1].altered) {
		check(client->version != 0 && server->version != 0);
	}
	if (client->version != 0 && server->version != 0) {
		check(client->suite == server->suite && client->resumed == server->resumed);
		check(memcmp(client->recv.key, server->send.key, 32) == 0);
		check(memcmp(client->send.key, server->recv.key, 32) == 0);
		check(memcmp(client->client_verify_data, server->client_verify_data, 12) == 0);
		check(memcmp(client->server_verify_data, server->server_verify_data, 12) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_of(data, size);
	struct attack attacks[2] = {{.in = &in}, {.in = &in}};
	struct mode mode;
	uint8_t bits;

	if (!rd_u8(&in, &bits)) {
		return 0;
	}
	check(pair_init() && pair_set_resumption(true));
	for (int i = 0; i < 2; i++) {
		wr_init_heap(&attacks[i].held);
		wr_init_heap(&attacks[i].swapped);
	}
	pair_seed(1);
	check(begin(bits, &mode));
	if (mode.resumes) {
		pair_pump(&pair, 0);
		check(pair_is_done(&pair));
		pair_end(&pair);
		pair_seed(2);
		check(begin(bits, &mode));
	}
	run(step, attacks);
	check_end(&mode, attacks);
	pair_end(&pair);
	for (int i = 0; i < 2; i++) {
		wr_free(&attacks[i].held);
		wr_free(&attacks[i].swapped);
	}
	return 0;
}
