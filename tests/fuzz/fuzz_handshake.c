/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the protected flights: a real handshake whose messages go through the input's hands, under the right keys.
 *
 * The first byte chooses who is attacked, whether the server asks for a certificate and whether the client has one.
 * Then one step for each message: 0 deliver, 1 change a byte, 2 replace the body, 3 leave out, 4 send twice, 5 split,
 * 6 put into one record with the next.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/handshake.h"
#include "tests/lib/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct engine_config *configs[2][2]; /* role, with a certificate of the client's */
static struct pair pair;

static void begin(void)
{
	if (!pair_init()) {
		abort();
	}
	for (int with = 0; with < 2; with++) {
		configs[ENGINE_CLIENT][with] = pair_config(ENGINE_CLIENT);
		configs[ENGINE_SERVER][with] = pair_config(ENGINE_SERVER);
		if (configs[0][with] == NULL || configs[1][with] == NULL) {
			abort();
		}
	}
	engine_config_set_client_auth(configs[ENGINE_SERVER][1], ENGINE_CLIENT_AUTH_REQUEST);
	if (!pair_add_trust(configs[ENGINE_SERVER][1]) || !pair_add_credential(configs[ENGINE_CLIENT][1])) {
		abort();
	}
}

struct sender {
	enum engine_role to;
	const struct suite *suite;
	struct engine_keys keys;
	struct engine_cipher *cipher;
	struct wr held; /* messages that wait for the next */
	bool touched;
};

static bool send_record(struct sender *s, const uint8_t *content, size_t len)
{
	static uint8_t record[ENGINE_MAX_RECORD];
	const struct engine_slice slice = {content, len};
	size_t record_len;

	if (!record13_seal(s->suite, &s->keys, s->cipher, CONTENT_HANDSHAKE, &slice, 1, record,
			   sizeof(record), &record_len)) {
		return false;
	}
	return pair_give(&pair, s->to, record, record_len) == ENGINE_OK && !engine_hs_is_done(pair.hs[s->to]);
}

static bool release(struct sender *s)
{
	bool ok = s->held.len == 0 || send_record(s, s->held.data, s->held.len);

	wr_free(&s->held);
	return ok;
}

/* One message through the input's hands. */
static bool step(struct sender *s, struct rd message, struct rd *in)
{
	uint8_t op = 0, at = 0, value = 0;
	struct rd body;
	uint8_t *bytes;

	(void)!(rd_u8(in, &op) && rd_u8(in, &at) && rd_u8(in, &value));
	op %= 7;
	s->touched = s->touched || op == 1 || op == 3 || op == 4;
	if (op == 3) {
		return true;
	}
	if (op == 2) {
		const size_t mark = s->held.len;

		if (!rd_bytes(in, &body, value < in->left ? value : in->left)) {
			return false;
		}
		wr_u8(&s->held, message.p[0]);
		wr_u24(&s->held, (uint32_t)body.left);
		wr_bytes(&s->held, body.p, body.left);
		/* the input may have hit upon what was there */
		s->touched = s->touched || !rd_equal(message, rd_of(s->held.data + mark, s->held.len - mark));
		return release(s);
	}
	bytes = wr_room(&s->held, message.left);
	if (bytes == NULL) {
		abort();
	}
	memcpy(bytes, message.p, message.left);
	if (op == 1) {
		bytes[((size_t)at << 2 | value >> 6) % message.left] ^= (uint8_t)(value | 1);
	} else if (op == 4) {
		wr_bytes(&s->held, message.p, message.left);
	} else if (op == 5) {
		const size_t first = at % s->held.len;
		const bool ok = (first == 0 || send_record(s, s->held.data, first)) &&
				send_record(s, s->held.data + first, s->held.len - first);

		wr_free(&s->held);
		return ok;
	} else if (op == 6) {
		return true;
	}
	return release(s);
}

/* Walk the real flight, opening its records. */
static void attack(struct sender *s, uint8_t *wire, size_t len, struct rd in)
{
	struct engine_keys open_keys = s->keys;
	struct engine_cipher *cipher = engine_cipher_new();
	struct rd left = rd_of(wire, len);

	while (!rd_end(&left)) {
		struct record_opened opened;
		struct record_header header;
		struct rd record, content;

		record_parse_header(left.p, &header);
		if (!rd_bytes(&left, &record, 5 + header.length)) {
			abort();
		}
		if (header.type != CONTENT_APPLICATION_DATA) {
			continue;
		}
		if (record13_open(s->suite, &open_keys, cipher, wire + (record.p - wire), record.left, NULL,
				  &opened) != REASON_NONE) {
			abort();
		}
		content = rd_of(opened.data, opened.len);
		while (!rd_end(&content)) {
			struct rd peek = content;
			struct rd message;
			uint8_t type;
			uint32_t body;

			if (!rd_u8(&peek, &type) || !rd_u24(&peek, &body) ||
			    !rd_bytes(&content, &message, 4 + (size_t)body)) {
				abort();
			}
			if (!step(s, message, &in)) {
				goto out;
			}
		}
	}
	(void)release(s);
out:
	engine_cipher_free(cipher);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t wire[65536];
	struct rd in = rd_of(data, size);
	struct sender s = {.touched = false};
	struct keysched13 ks;
	const uint8_t *bytes;
	uint8_t mode;
	size_t len, first;

	if (!rd_u8(&in, &mode)) {
		return 0;
	}
	if (configs[0][0] == NULL) {
		begin();
	}
	pair_seed(1);
	wr_init_heap(&s.held);
	s.to = (enum engine_role)(mode & 1);
	engine_config_ref(configs[ENGINE_CLIENT][mode >> 1 & 1]);
	engine_config_ref(configs[ENGINE_SERVER][mode >> 2 & 1]);
	if (!pair_begin(&pair, configs[ENGINE_CLIENT][mode >> 1 & 1],
			configs[ENGINE_SERVER][mode >> 2 & 1])) {
		abort();
	}
	bytes = pair_take(&pair, ENGINE_CLIENT, &len);
	if (pair_give(&pair, ENGINE_SERVER, bytes, len) != ENGINE_OK) {
		abort();
	}
	ks = pair.hs[ENGINE_SERVER]->ks;
	s.suite = pair.hs[ENGINE_SERVER]->suite;
	s.cipher = engine_cipher_new();
	bytes = pair_take(&pair, ENGINE_SERVER, &len);
	memcpy(wire, bytes, len);
	if (s.to == ENGINE_CLIENT) {
		first = 5 + ((size_t)wire[3] << 8) + wire[4];
		if (!keysched13_traffic_keys(s.suite, ks.server_handshake_traffic_secret.data, &s.keys) ||
		    pair_give(&pair, ENGINE_CLIENT, wire, first) != ENGINE_OK) {
			abort();
		}
		attack(&s, wire + first, len - first, in);
	} else {
		if (!keysched13_traffic_keys(s.suite, ks.client_handshake_traffic_secret.data, &s.keys) ||
		    pair_give(&pair, ENGINE_CLIENT, wire, len) != ENGINE_OK) {
			abort();
		}
		bytes = pair_take(&pair, ENGINE_CLIENT, &len);
		memcpy(wire, bytes, len);
		attack(&s, wire, len, in);
	}
	/* whatever was changed, left out or repeated must not end in a connection */
	if (s.touched && pair.conn[s.to].version != 0) {
		abort();
	}
	wr_free(&s.held);
	engine_cipher_free(s.cipher);
	pair_end(&pair);
	return 0;
}
