/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the handshakes of TLS 1.2 and older: our client and our server with the input in between,
 * which opens and seals records under the right keys.
 *
 * The first byte chooses who is attacked (bit 0), how records are protected (bits 1 and 2), whether
 * the server asks for a certificate and the client has one (bit 3), whether sessions are kept, so
 * that there is a second, abbreviated handshake (bit 4), whether that one is a renegotiation (bit
 * 5). Then one step for each message that the one who is attacked is sent, ChangeCipherSpec
 * included: 0 deliver, 1 change a byte, 2 replace the body, 3 leave out, 4 send twice, 5 split, 6
 * put into one record with the next, 7 put a record of any type in front.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/handshake.h"
#include "tests/lib/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct engine_config
	*configs[2][4][2][2]; /* role, protection, certificate of the client's, sessions */
static struct pair pair;

static void begin(void)
{
	static const uint16_t versions[] = {ENGINE_TLS12, ENGINE_TLS12, ENGINE_TLS11, ENGINE_TLS10};
	static const char *const suites[] = {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
					     "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
					     "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
					     "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"};
	static const struct engine_ticket_key key = {.name = {1}, .key = {2}};
	const uint8_t id[ENGINE_SESSION_ID_LEN] = {1};
	char why[ENGINE_REASON_MAX];
	bool ok = pair_init() && pair_set_resumption(true);

	pair_n_ticket_keys = 0;

	for (size_t i = 0; ok && i < 32; i++) {
		const enum engine_role role = (enum engine_role)(i & 1);
		const size_t protection = i >> 1 & 3;
		const bool certificate = (i >> 3 & 1) != 0;
		const bool sessions = (i >> 4 & 1) != 0;
		struct engine_config *config = engine_config_new(role);

		engine_config_set_profile(config, ENGINE_PROFILE_LEGACY);
		ok = engine_config_set_versions(config, versions[protection], versions[protection]) &&
		     engine_config_set_suites(config, &suites[protection], 1, why) == ENGINE_OK &&
		     engine_config_set_sessions(config, sessions ? 3600 : 0, id) &&
		     (role == ENGINE_SERVER ? pair_add_credential(config) : pair_add_trust(config));
		if (role == ENGINE_SERVER && certificate) {
			engine_config_set_client_auth(config, ENGINE_CLIENT_AUTH_REQUEST);
			ok = ok && pair_add_trust(config);
		} else if (certificate) {
			ok = ok && pair_add_credential(config);
		}
		/* tickets where there is a certificate, session ids where there is none */
		if (role == ENGINE_SERVER && sessions && certificate) {
			ok = ok && engine_config_set_ticket_keys(config, &key, 1);
		}
		configs[role][protection][certificate][sessions] = config;
	}
	if (!ok) {
		abort();
	}
}

/* ---- records for the one who is attacked ---- */

struct sender {
	enum engine_role to;
	struct wr held; /* messages that wait for the next */
	bool touched;
};

/* One record, sealed as its receiver expects it. */
static bool send_record(const struct sender *s, uint8_t type, const uint8_t *content, size_t len)
{
	static uint8_t record[2 * ENGINE_MAX_RECORD];
	const struct engine_slice slice = {content, len};
	struct engine_hs *hs = pair.hs[s->to];
	size_t record_len = ENGINE_RECORD_HEADER_LEN + len;

	if (engine_hs_is_done(hs) || engine_hs_error(hs) != ENGINE_OK || len > ENGINE_MAX_PLAINTEXT) {
		return false;
	}
	if (hs->recv_cipher != NULL) {
		struct engine_keys keys = hs->recv;
		struct engine_cipher *cipher = engine_cipher_new();
		const bool ok = record_seal(&hs->recv_spec, &keys, cipher, type, &slice, 1, record,
					    sizeof(record), &record_len);

		engine_cipher_free(cipher);
		if (!ok) {
			return false;
		}
	} else {
		record_build_header(record, type, hs->version != 0 ? hs->version : ENGINE_TLS10, len);
		if (len != 0) {
			memcpy(record + ENGINE_RECORD_HEADER_LEN, content, len);
		}
	}
	return pair_give(&pair, s->to, record, record_len) == ENGINE_OK;
}

static bool release(struct sender *s)
{
	const bool ok = s->held.len == 0 || send_record(s, CONTENT_HANDSHAKE, s->held.data, s->held.len);

	wr_free(&s->held);
	return ok;
}

static void hold(struct sender *s, struct rd message)
{
	wr_bytes(&s->held, message.p, message.left);
	if (s->held.failed) {
		abort();
	}
}

/* One message through the input's hands. */
static bool step(struct sender *s, struct rd message, struct rd *in)
{
	uint8_t op = 0, at = 0, value = 0;
	struct rd body;

	(void)!(rd_u8(in, &op) && rd_u8(in, &at) && rd_u8(in, &value));
	op %= 8;
	s->touched = s->touched || op == 1 || op == 3 || op == 4;
	switch (op) {
	case 1:
		hold(s, message);
		s->held.data[s->held.len - message.left + ((size_t)at << 2 | value >> 6) % message.left] ^=
			(uint8_t)(value | 1);
		return release(s);
	case 2: {
		const size_t mark = s->held.len;

		if (!rd_bytes(in, &body, value < in->left ? value : in->left)) {
			return false;
		}
		wr_u8(&s->held, message.p[0]);
		wr_u24(&s->held, (uint32_t)body.left);
		hold(s, body);
		/* the input may have hit upon what was there */
		s->touched = s->touched || !rd_equal(message, rd_of(s->held.data + mark, s->held.len - mark));
		return release(s);
	}
	case 3:
		return true;
	case 4:
		hold(s, message);
		hold(s, message);
		return release(s);
	case 5: {
		hold(s, message);
		const size_t first = at % s->held.len;
		const bool ok = (first == 0 || send_record(s, CONTENT_HANDSHAKE, s->held.data, first)) &&
				send_record(s, CONTENT_HANDSHAKE, s->held.data + first, s->held.len - first);

		wr_free(&s->held);
		return ok;
	}
	case 6:
		hold(s, message);
		return true;
	case 7:
		/*
		 * a warning may be borne, and data in a renegotiation; whatever else it is ends in
		 * an alert
		 */
		if (!release(s) || !rd_bytes(in, &body, value < in->left ? value : in->left) ||
		    !send_record(s, (uint8_t)(CONTENT_CHANGE_CIPHER_SPEC + at % 5), body.p, body.left)) {
			return false;
		}
		break;
	default:
		break;
	}
	hold(s, message);
	return release(s);
}

static bool step_ccs(struct sender *s, struct rd *in)
{
	static const uint8_t one = 1;
	uint8_t op = 0;

	(void)!rd_u8(in, &op);
	op %= 8;
	if (!release(s)) {
		return false;
	}
	s->touched = s->touched || op == 3 || op == 4;
	return op == 3 || (send_record(s, CONTENT_CHANGE_CIPHER_SPEC, &one, 1) &&
			   (op != 4 || send_record(s, CONTENT_CHANGE_CIPHER_SPEC, &one, 1)));
}

/* ---- the way of a flight ---- */

/* The content of a record for the one who is attacked. */
static bool pass_on(struct sender *s, uint8_t type, struct rd content, struct rd *in)
{
	if (type == CONTENT_CHANGE_CIPHER_SPEC) {
		return step_ccs(s, in);
	}
	if (type != CONTENT_HANDSHAKE) {
		return release(s) && send_record(s, type, content.p, content.left);
	}
	while (!rd_end(&content)) {
		struct rd peek = content;
		struct rd message;
		uint8_t message_type;
		uint32_t body;

		if (!rd_u8(&peek, &message_type) || !rd_u24(&peek, &body) ||
		    !rd_bytes(&content, &message, 4 + (size_t)body)) {
			if (!s->touched) {
				abort(); /* our flights take one record */
			}
			return false; /* without its ChangeCipherSpec, it cannot be read */
		}
		if (!step(s, message, in)) {
			return false;
		}
	}
	return true;
}

/* What goes to the one who is attacked, record by record. The sender's own keys are behind it already: */
static bool attack(struct sender *s, struct record_cipher_spec spec, struct engine_keys keys,
		   bool is_protected, uint8_t *wire, size_t len, struct rd *in)
{
	struct engine_cipher *cipher = engine_cipher_new();
	struct rd left = rd_of(wire, len);
	bool ok = true;

	while (ok && !rd_end(&left)) {
		struct record_header header;
		struct record_opened opened;
		struct rd record, content;

		record_parse_header(left.p, &header);
		if (!rd_bytes(&left, &record, ENGINE_RECORD_HEADER_LEN + header.length)) {
			abort();
		}
		content = rd_of(record.p + ENGINE_RECORD_HEADER_LEN, header.length);
		if (is_protected) {
			if (record_open(&spec, &keys, cipher, wire + (record.p - wire), record.left, NULL,
					&opened) != REASON_NONE) {
				break; /* the two are not of one mind any more, which was the aim */
			}
			content = rd_of(opened.data, opened.len);
		}
		ok = pass_on(s, header.type, content, in);
		if (header.type == CONTENT_CHANGE_CIPHER_SPEC) {
			/* what the receiver has just changed to, if it did */
			spec = pair.hs[s->to]->recv_spec;
			keys = pair.hs[s->to]->recv;
			is_protected = pair.hs[s->to]->recv_cipher != NULL;
		}
	}
	ok = ok && release(s);
	engine_cipher_free(cipher);
	return ok;
}

/* Move flights to and fro until nobody has anything to say. */
static void run(struct sender *s, struct rd *in)
{
	static uint8_t wire[128 * 1024];
	bool moved = true;

	while (moved) {
		moved = false;
		for (int from = ENGINE_CLIENT; from <= ENGINE_SERVER; from++) {
			const enum engine_role to = (enum engine_role)(1 - from);
			const struct engine_hs *hs = pair.hs[to];
			size_t len;
			const uint8_t *bytes = pair_take(&pair, (enum engine_role)from, &len);

			if (len == 0 || len > sizeof(wire)) {
				continue;
			}
			memcpy(wire, bytes, len);
			if (to != s->to) {
				(void)pair_give(&pair, to, wire, len);
			} else if (!attack(s, hs->recv_spec, hs->recv, hs->recv_cipher != NULL, wire, len,
					   in)) {
				(void)pair_take(&pair, to, &len);
				return;
			}
			moved = true;
		}
	}
}

/* ---- one input ---- */

static void check(const struct sender *s)
{
	/* whatever was changed, left out or repeated must not end in a connection */
	if (s->touched && engine_hs_is_done(pair.hs[s->to])) {
		abort();
	}
	if (!s->touched && engine_hs_is_done(pair.hs[ENGINE_CLIENT]) &&
	    engine_hs_is_done(pair.hs[ENGINE_SERVER]) &&
	    memcmp(pair.conn[0].send.key, pair.conn[1].recv.key, sizeof(pair.conn[0].send.key)) != 0) {
		abort();
	}
}

static bool connect_pair(uint8_t mode, bool sessions)
{
	struct engine_config *client = configs[ENGINE_CLIENT][mode >> 1 & 3][mode >> 3 & 1][sessions];
	struct engine_config *server = configs[ENGINE_SERVER][mode >> 1 & 3][mode >> 3 & 1][sessions];

	engine_config_ref(client);
	engine_config_ref(server);
	return pair_begin(&pair, client, server);
}

/* Both begin anew on the established connection, the client by itself. */
static bool renegotiate(void)
{
	char why[ENGINE_REASON_MAX];
	static uint8_t wire[16384];
	const uint8_t *bytes;
	struct engine_opened opened;
	size_t len;

	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		const struct engine_hs_params params = {.config = pair.config[role],
							.server_name =
								role == ENGINE_CLIENT ? "localhost" : NULL};

		engine_hs_free(pair.hs[role]);
		pair.hs[role] = NULL;
		if (role == ENGINE_CLIENT) {
			pair.hs[role] = engine_hs_renegotiate(&params, &pair.conn[role], NULL, 0, why);
			continue;
		}
		bytes = pair_take(&pair, ENGINE_CLIENT, &len);
		if (len > sizeof(wire)) {
			return false;
		}
		memcpy(wire, bytes, len);
		if (engine_open(&pair.conn[role], pair.cipher[role], wire, len, NULL, 0, &opened) !=
			    ENGINE_OK ||
		    opened.event != ENGINE_EVENT_RENEGOTIATE) {
			abort();
		}
		pair.hs[role] =
			engine_hs_renegotiate(&params, &pair.conn[role], opened.data, opened.data_len, why);
	}
	return pair.hs[ENGINE_CLIENT] != NULL && pair.hs[ENGINE_SERVER] != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_of(data, size);
	struct rd nothing = rd_of(NULL, 0);
	struct sender s = {.touched = false};
	struct sender honest = {.touched = false};
	uint8_t mode;

	if (!rd_u8(&in, &mode)) {
		return 0;
	}
	if (configs[0][0][0][0] == NULL) {
		begin();
	}
	pair_seed(1);
	memset(pair_sessions, 0, sizeof(pair_sessions));
	wr_init_heap(&s.held);
	wr_init_heap(&honest.held);
	s.to = honest.to = (enum engine_role)(mode & 1);
	if (!connect_pair(mode, (mode & 0x10) != 0)) {
		abort();
	}
	if ((mode & 0x30) != 0) {
		/* an undisturbed one first */
		run(&honest, &nothing);
		if (!pair_is_done(&pair)) {
			abort();
		}
		if ((mode & 0x20) != 0) {
			if (!renegotiate()) {
				abort();
			}
		} else {
			pair_end(&pair);
			if (!connect_pair(mode, true)) {
				abort();
			}
		}
	}
	run(&s, &in);
	check(&s);
	wr_free(&s.held);
	pair_end(&pair);
	return 0;
}
