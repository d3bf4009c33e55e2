/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of TLS 1.2 and older that does as it is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "tests/lib/raw12.h"

#include "engine/secret.h"

#define VERIFY_DATA_LEN 12

/* ---- the engine's surroundings ---- */

int64_t raw12_seconds_later;
bool raw12_server_works;

static struct {
	uint8_t id[ENGINE_SESSION_ID_LEN], data[ENGINE_SESSION_MAX];
	size_t len;
} sessions[8];
static size_t n_sessions;

static void store_put(const uint8_t id[static ENGINE_SESSION_ID_LEN], const uint8_t *data, size_t len,
		      int64_t expires)
{
	const size_t at = n_sessions++ % 8;

	(void)expires;
	memcpy(sessions[at].id, id, ENGINE_SESSION_ID_LEN);
	memcpy(sessions[at].data, data, len);
	sessions[at].len = len;
}

static size_t store_get(const uint8_t id[static ENGINE_SESSION_ID_LEN], bool take, uint8_t *out)
{
	for (size_t i = 0; i < 8; i++) {
		const size_t len = sessions[i].len;

		if (len != 0 && memcmp(sessions[i].id, id, ENGINE_SESSION_ID_LEN) == 0) {
			memcpy(out, sessions[i].data, len);
			sessions[i].len = take ? 0 : len;
			return len;
		}
	}
	return 0;
}

static void store_drop(const uint8_t id[static ENGINE_SESSION_ID_LEN])
{
	for (size_t i = 0; i < 8; i++) {
		if (memcmp(sessions[i].id, id, ENGINE_SESSION_ID_LEN) == 0) {
			sessions[i].len = 0;
		}
	}
}

const struct engine_session_store raw12_store = {.put = store_put, .get = store_get, .drop = store_drop};

void raw12_forget_sessions(void)
{
	memset(sessions, 0, sizeof(sessions));
}

int64_t raw12_now(void)
{
	return (int64_t)time(NULL) + raw12_seconds_later;
}

bool raw12_random(uint8_t *out, size_t len)
{
	return getrandom(out, len, 0) == (ssize_t)len;
}

/* ---- beginning and ending ---- */

size_t raw12_hex(uint8_t *out, size_t room, const char *hex)
{
	size_t n = 0;

	for (; *hex != '\0'; hex++) {
		if (*hex != ' ') {
			const char digits[3] = {hex[0], hex[1], '\0'};

			assert_true(n < room);
			out[n++] = (uint8_t)strtoul(digits, NULL, 16);
			hex++;
		}
	}
	return n;
}

static const uint8_t *keep(struct raw12 *raw, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len + 1);

	assert_non_null(copy);
	assert_true(raw->n_kept < sizeof(raw->kept) / sizeof(raw->kept[0]));
	memcpy(copy, bytes, len);
	raw->kept[raw->n_kept++] = copy;
	return copy;
}

void raw12_begin(struct raw12 *raw, struct engine_config *config)
{
	const struct engine_hs_params params = {.config = config};
	char why[ENGINE_REASON_MAX];

	memset(raw, 0, sizeof(*raw));
	raw->alert = RAW12_NO_ALERT;
	raw->config = config;
	raw->conn.id = 1;
	raw12_server_works = true;
	raw->hs = engine_hs_new(&params, &raw->conn, why);
	raw12_server_works = false;
	if (raw->hs == NULL) {
		fail_msg("no handshake: %s", why);
	}
	wr_init_heap(&raw->messages);
	raw->server_cipher[0] = engine_cipher_new();
	raw->server_cipher[1] = engine_cipher_new();
}

void raw12_end(struct raw12 *raw)
{
	engine_hs_free(raw->hs);
	engine_config_unref(raw->config);
	engine_cipher_free(raw->server_cipher[0]);
	engine_cipher_free(raw->server_cipher[1]);
	engine_cipher_free(raw->send_cipher);
	engine_cipher_free(raw->recv_cipher);
	crypto_hash_wipe(&raw->transcript);
	wr_free(&raw->messages);
	for (size_t i = 0; i < raw->n_kept; i++) {
		free(raw->kept[i]);
	}
	engine_conn_wipe(&raw->conn);
	memset(raw, 0, sizeof(*raw));
}

/* ---- what reaches the server ---- */

static void server_renegotiates(struct raw12 *raw, const struct engine_opened *opened)
{
	const struct engine_hs_params params = {.config = raw->config};
	char why[ENGINE_REASON_MAX];

	engine_hs_free(raw->hs);
	raw12_server_works = true;
	raw->hs = engine_hs_renegotiate(&params, &raw->conn, opened->data, opened->data_len, why);
	raw12_server_works = false;
	if (raw->hs == NULL) {
		fail_msg("no renegotiation: %s", why);
	}
}

/* What an established server answers with, in clear for our parser: only its alert, if it owes one. */
static void server_takes_record(struct raw12 *raw, const uint8_t *record, size_t len)
{
	static uint8_t copy[ENGINE_MAX_RECORD];
	struct engine_opened opened;

	assert_true(len <= sizeof(copy));
	memcpy(copy, record, len);
	if (engine_open(&raw->conn, raw->server_cipher[0], copy, len, NULL, 0, &opened) != ENGINE_OK) {
		raw->alert = engine_alert_due(&raw->conn);
		raw->alert_level = ALERT_LEVEL_FATAL;
		return;
	}
	if (opened.event == ENGINE_EVENT_RENEGOTIATE) {
		server_renegotiates(raw, &opened);
	} else if (opened.event == ENGINE_EVENT_DATA) {
		assert_true(raw->data_len + opened.data_len <= sizeof(raw->data));
		memcpy(raw->data + raw->data_len, opened.data, opened.data_len);
		raw->data_len += opened.data_len;
	}
}

/* Record by record, for the server may change from handshake to connection behind any of them. */
void raw12_send_bytes(struct raw12 *raw, const void *bytes, size_t len)
{
	struct rd in = rd_of(bytes, len);

	while (!rd_end(&in)) {
		struct rd piece = in;
		enum engine_err err;
		size_t used = 0;

		if (engine_hs_is_done(raw->hs)) {
			struct record_header header;

			assert_true(in.left >= ENGINE_RECORD_HEADER_LEN);
			record_parse_header(in.p, &header);
			assert_true(rd_bytes(&in, &piece, ENGINE_RECORD_HEADER_LEN + header.length));
			server_takes_record(raw, piece.p, piece.left);
			continue;
		}
		raw12_server_works = true;
		err = engine_hs_recv(raw->hs, in.p, in.left, &used);
		raw12_server_works = false;
		if (err != ENGINE_OK) {
			return;
		}
		assert_true(used != 0 && rd_bytes(&in, &piece, used));
	}
}

void raw12_send_record(struct raw12 *raw, uint8_t type, const void *content, size_t len)
{
	static uint8_t out[ENGINE_MAX_RECORD];
	const struct engine_slice slice = {content, len};
	const uint16_t version = raw->version != 0 ? raw->version : ENGINE_TLS10;
	size_t out_len = ENGINE_RECORD_HEADER_LEN + len;

	if (raw->send_cipher != NULL) {
		assert_true(record_seal(&raw->send_spec, &raw->send, raw->send_cipher, type, &slice, 1, out,
					sizeof(out), &out_len));
	} else {
		assert_true(out_len <= sizeof(out));
		record_build_header(out, type, version, len);
		if (len != 0) {
			memcpy(out + ENGINE_RECORD_HEADER_LEN, content, len);
		}
	}
	raw12_send_bytes(raw, out, out_len);
}

static void remember(struct raw12 *raw, struct rd message)
{
	wr_bytes(&raw->messages, message.p, message.left);
	assert_false(raw->messages.failed);
	if (raw->transcript.live) {
		assert_true(crypto_hash_update(&raw->transcript, message.p, message.left));
	}
}

static void build_message(struct wr *message, uint8_t type, const void *body, size_t len)
{
	wr_init_heap(message);
	wr_u8(message, type);
	wr_u24(message, (uint32_t)len);
	wr_bytes(message, body, len);
	assert_false(message->failed);
}

static void send_in_records(struct raw12 *raw, const struct wr *message)
{
	struct rd in = rd_of(message->data, message->len);
	struct rd piece;

	while (!rd_end(&in)) {
		assert_true(rd_bytes(&in, &piece,
				     in.left < ENGINE_MAX_PLAINTEXT ? in.left : ENGINE_MAX_PLAINTEXT));
		raw12_send_record(raw, CONTENT_HANDSHAKE, piece.p, piece.left);
	}
}

void raw12_send(struct raw12 *raw, uint8_t type, const void *body, size_t len)
{
	struct wr message;

	build_message(&message, type, body, len);
	remember(raw, rd_of(message.data, message.len));
	send_in_records(raw, &message);
	wr_free(&message);
}

void raw12_send_stray(struct raw12 *raw, uint8_t type, const void *body, size_t len)
{
	struct wr message;

	build_message(&message, type, body, len);
	send_in_records(raw, &message);
	wr_free(&message);
}

/* ---- ClientHello ---- */

static void put_hex(struct wr *out, const char *hex)
{
	static uint8_t room[80 * 1024];

	wr_bytes(out, room, raw12_hex(room, sizeof(room), hex));
}

static const char *or_usual(const char *given, const char *usual)
{
	return given != NULL ? given : usual;
}

void raw12_build_hello(struct raw12 *raw, const struct raw12_hello *hello, struct wr *body)
{
	const char *extensions = or_usual(hello->extensions, RAW12_EXTENSIONS);
	size_t mark;

	assert_true(raw12_random(raw->client_random, sizeof(raw->client_random)));
	wr_u16(body, hello->version != 0 ? hello->version : ENGINE_TLS12);
	wr_bytes(body, raw->client_random, sizeof(raw->client_random));
	mark = wr_open8(body);
	put_hex(body, or_usual(hello->session_id, ""));
	wr_close8(body, mark);
	mark = wr_open16(body);
	put_hex(body, or_usual(hello->suites, RAW12_ECDHE_SUITES));
	wr_close16(body, mark);
	mark = wr_open8(body);
	put_hex(body, or_usual(hello->compression, "00"));
	wr_close8(body, mark);
	if (strcmp(extensions, "-") == 0) {
		return;
	}
	mark = wr_open16(body);
	put_hex(body, extensions);
	if (hello->ticket != NULL) {
		wr_u16(body, 35);
		wr_u16(body, (uint16_t)hello->ticket_len);
		wr_bytes(body, hello->ticket, hello->ticket_len);
	}
	wr_close16(body, mark);
	assert_false(body->failed);
}

void raw12_send_hello(struct raw12 *raw, const struct raw12_hello *hello)
{
	struct wr body;

	crypto_hash_wipe(&raw->transcript);
	wr_reset(&raw->messages);
	raw->got_hello_done = raw->got_ccs = raw->got_finished = false;
	raw->server_hello = raw->certificate = raw->certificate_status = raw->key_exchange =
		raw->certificate_request = raw->ticket = rd_of(NULL, 0);
	wr_init_heap(&body);
	raw12_build_hello(raw, hello, &body);
	raw12_send(raw, HS_CLIENT_HELLO, body.data, body.len);
	wr_free(&body);
}

/* ---- what the server sends ---- */

/* The transcript's hash is known as soon as version and suite are. */
static void start_transcript(struct raw12 *raw)
{
	assert_true(crypto_hash_init(&raw->transcript,
				     raw->version >= ENGINE_TLS12 ? raw->suite->hash : CRYPTO_MD5_SHA1));
	assert_true(crypto_hash_update(&raw->transcript, raw->messages.data, raw->messages.len));
}

static void on_server_hello(struct raw12 *raw, struct rd in)
{
	struct rd session_id = rd_of(NULL, 0);
	uint16_t suite = 0;
	uint8_t compression = 1;

	raw->server_hello = in;
	assert_true(rd_u16(&in, &raw->version) && rd_copy(&in, raw->server_random, 32) &&
		    rd_vec8(&in, &session_id, 0, 32) && rd_u16(&in, &suite) && rd_u8(&in, &compression));
	assert_int_equal(compression, 0);
	raw->suite = suite_find(suite);
	assert_non_null(raw->suite);
	raw->session_id_len = session_id.left;
	assert_true(rd_copy(&session_id, raw->session_id, session_id.left));
	raw->extensions = rd_of(NULL, 0);
	raw->has_extensions = !rd_end(&in);
	if (raw->has_extensions) {
		assert_true(rd_vec16(&in, &raw->extensions, 1, UINT16_MAX) && rd_end(&in));
	}
	raw->extended_master_secret = raw12_has(raw, 23, NULL);
	raw->encrypt_then_mac = raw12_has(raw, 22, NULL);
}

static void make_keys(struct raw12 *raw)
{
	const struct record_cipher_spec spec = {
		.suite = raw->suite, .version = raw->version, .encrypt_then_mac = raw->encrypt_then_mac};

	assert_true(keysched12_traffic_keys(&spec, raw->master, raw->client_random, raw->server_random,
					    &raw->next_send, &raw->next_recv));
}

static void make_verify_data(struct raw12 *raw, enum engine_role who, uint8_t *out)
{
	uint8_t hash[CRYPTO_MAX_HASH_LEN];

	assert_true(crypto_hash_peek(&raw->transcript, hash));
	assert_true(keysched12_finished(raw->version, raw->suite->hash, raw->master, who == ENGINE_CLIENT,
					hash, crypto_hash_len(raw->transcript.hash), out));
}

static void on_finished(struct raw12 *raw, struct rd body)
{
	uint8_t expected[VERIFY_DATA_LEN];

	make_verify_data(raw, ENGINE_SERVER, expected);
	assert_int_equal(body.left, VERIFY_DATA_LEN);
	assert_memory_equal(body.p, expected, VERIFY_DATA_LEN);
	memcpy(raw->verify_data[ENGINE_SERVER], expected, VERIFY_DATA_LEN);
	raw->got_finished = true;
}

static void on_message(struct raw12 *raw, uint8_t type, struct rd whole, struct rd body)
{
	switch (type) {
	case HS_HELLO_REQUEST:
		raw->got_hello_request = true;
		return; /* in no transcript */
	case HS_SERVER_HELLO:
		on_server_hello(raw, body);
		remember(raw, whole);
		start_transcript(raw);
		return;
	case HS_CERTIFICATE:
		raw->certificate = body;
		break;
	case HS_CERTIFICATE_STATUS:
		raw->certificate_status = body;
		break;
	case HS_SERVER_KEY_EXCHANGE:
		raw->key_exchange = body;
		break;
	case HS_CERTIFICATE_REQUEST:
		raw->certificate_request = body;
		break;
	case HS_SERVER_HELLO_DONE:
		assert_int_equal(body.left, 0);
		raw->got_hello_done = true;
		break;
	case HS_NEW_SESSION_TICKET:
		raw->ticket = body;
		break;
	case HS_FINISHED:
		on_finished(raw, body);
		break;
	default:
		fail_msg("a message of type %u from the server", type);
	}
	remember(raw, whole);
}

static void on_handshake(struct raw12 *raw, struct rd in)
{
	while (!rd_end(&in)) {
		struct rd start = in;
		struct rd whole = in;
		struct rd body = rd_of(NULL, 0);
		uint8_t type = 0;
		uint32_t len = 0;

		assert_true(rd_u8(&in, &type) && rd_u24(&in, &len) && rd_bytes(&in, &body, len));
		assert_true(rd_bytes(&start, &whole, HS_HEADER_LEN + (size_t)len));
		on_message(raw, type, whole, body);
	}
}

static void on_ccs(struct raw12 *raw, struct rd content)
{
	uint8_t value;

	assert_true(rd_u8(&content, &value) && rd_end(&content));
	assert_int_equal(value, 1);
	if (!raw->got_hello_done) {
		make_keys(raw); /* an abbreviated handshake: the master secret is there */
	}
	raw->got_ccs = true;
	raw->recv_spec = (struct record_cipher_spec){
		.suite = raw->suite, .version = raw->version, .encrypt_then_mac = raw->encrypt_then_mac};
	raw->recv = raw->next_recv;
	if (raw->recv_cipher == NULL) {
		raw->recv_cipher = engine_cipher_new();
	}
}

/* Handshake messages may go on in the next record: they are put together first. */
struct reassembly {
	uint8_t bytes[256 * 1024];
	size_t len;
};

static void on_record(struct raw12 *raw, uint8_t type, struct rd content, struct reassembly *messages)
{
	uint8_t level = 0, alert = 0;

	switch (type) {
	case CONTENT_HANDSHAKE:
		assert_true(messages->len + content.left <= sizeof(messages->bytes));
		memcpy(messages->bytes + messages->len, content.p, content.left);
		messages->len += content.left;
		return;
	case CONTENT_CHANGE_CIPHER_SPEC:
		on_ccs(raw, content);
		return;
	case CONTENT_ALERT:
		assert_true(rd_u8(&content, &level) && rd_u8(&content, &alert) && rd_end(&content));
		raw->alert_level = level;
		raw->alert = alert;
		return;
	default:
		assert_true(raw->data_len + content.left <= sizeof(raw->data));
		memcpy(raw->data + raw->data_len, content.p, content.left);
		raw->data_len += content.left;
	}
}

static void flush_messages(struct raw12 *raw, struct reassembly *messages)
{
	if (messages->len != 0) {
		on_handshake(raw, rd_of(keep(raw, messages->bytes, messages->len), messages->len));
		messages->len = 0;
	}
}

static void take_records(struct raw12 *raw, uint8_t *wire, size_t len)
{
	static struct reassembly messages;

	messages.len = 0;
	for (size_t at = 0; at < len;) {
		struct record_header header;
		struct rd content;

		assert_true(len - at >= ENGINE_RECORD_HEADER_LEN);
		record_parse_header(wire + at, &header);
		assert_true(len - at >= ENGINE_RECORD_HEADER_LEN + header.length);
		raw->n_records++;
		if (header.type != CONTENT_HANDSHAKE) {
			flush_messages(raw, &messages);
		}
		if (raw->recv_cipher != NULL) {
			struct record_opened opened;

			assert_int_equal(record_open(&raw->recv_spec, &raw->recv, raw->recv_cipher, wire + at,
						     ENGINE_RECORD_HEADER_LEN + header.length, NULL, &opened),
					 REASON_NONE);
			content = rd_of(opened.data, opened.len);
		} else {
			content = rd_of(wire + at + ENGINE_RECORD_HEADER_LEN, header.length);
		}
		on_record(raw, header.type, content, &messages);
		at += ENGINE_RECORD_HEADER_LEN + header.length;
	}
	flush_messages(raw, &messages);
}

void raw12_read(struct raw12 *raw)
{
	size_t len;
	const uint8_t *pending = engine_hs_pending(raw->hs, &len);
	uint8_t *wire = malloc(len + 1);

	assert_non_null(wire);
	if (len != 0) {
		memcpy(wire, pending, len);
		engine_hs_sent(raw->hs, len);
	}
	raw->n_records = 0;
	take_records(raw, wire, len);
	free(wire);
}

bool raw12_has(const struct raw12 *raw, uint16_t type, struct rd *body)
{
	struct rd in = raw->extensions;
	struct rd view;
	uint16_t found;

	while (rd_u16(&in, &found) && rd_vec16(&in, &view, 0, UINT16_MAX)) {
		if (found == type) {
			if (body != NULL) {
				*body = view;
			}
			return true;
		}
	}
	return false;
}

/* ---- key exchange ---- */

/* ServerKeyExchange taken apart: group (of a curve), its share, and the rest, which is the signature. */
static void parse_ecdh(const struct raw12 *raw, uint16_t *group, struct rd *share, struct rd *rest)
{
	uint8_t type = 0;

	*group = 0;
	*share = rd_of(NULL, 0);
	*rest = raw->key_exchange;
	assert_true(rd_u8(rest, &type) && rd_u16(rest, group) && rd_vec8(rest, share, 1, UINT8_MAX));
	assert_int_equal(type, 3);
}

static void parse_dh(const struct raw12 *raw, struct rd *p, struct rd *g, struct rd *share, struct rd *rest)
{
	*p = *g = *share = rd_of(NULL, 0);
	*rest = raw->key_exchange;
	assert_true(rd_vec16(rest, p, 1, UINT16_MAX) && rd_vec16(rest, g, 1, UINT16_MAX) &&
		    rd_vec16(rest, share, 1, UINT16_MAX));
}

uint16_t raw12_group(const struct raw12 *raw)
{
	struct rd p, g, share, rest;
	uint16_t group = 0;

	if (raw->key_exchange.p != NULL && raw->suite->kx == KX_ECDHE) {
		parse_ecdh(raw, &group, &share, &rest);
	} else if (raw->key_exchange.p != NULL) {
		parse_dh(raw, &p, &g, &share, &rest);
		for (uint16_t id = 0x100; id <= 0x102; id++) {
			const struct group *ffdhe = group_find(id);

			if (rd_equal(p, rd_of(crypto_ffdhe_prime(ffdhe->group),
					      crypto_group_share_len(ffdhe->group)))) {
				group = id;
			}
		}
	}
	return group;
}

uint16_t raw12_scheme(const struct raw12 *raw)
{
	struct rd p, g, share, rest;
	uint16_t group, scheme = 0;

	if (raw->key_exchange.p == NULL || raw->version < ENGINE_TLS12) {
		return 0;
	}
	if (raw->suite->kx == KX_ECDHE) {
		parse_ecdh(raw, &group, &share, &rest);
	} else {
		parse_dh(raw, &p, &g, &share, &rest);
	}
	assert_true(rd_u16(&rest, &scheme));
	return scheme;
}

/* The leaf's key, nothing verified. */
static struct public_key *server_key(const struct raw12 *raw)
{
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	struct rd in = raw->certificate;
	struct verify_result result = {.key = NULL};
	struct rd list, leaf;

	engine_config_set_verify(config, ENGINE_VERIFY_NONE);
	assert_true(rd_vec24(&in, &list, 1, HS_MAX_CERTIFICATE) && rd_end(&in) &&
		    rd_vec24(&list, &leaf, 1, HS_MAX_CERTIFICATE));
	const struct verify_request request = {.config = config,
					       .peer_role = ENGINE_SERVER,
					       .certs = &leaf.p,
					       .cert_lens = &leaf.left,
					       .n_certs = 1,
					       .now = raw12_now()};

	assert_int_equal(verify_chain(&request, &result), ENGINE_OK);
	engine_config_unref(config);
	return result.key;
}

bool raw12_is_signed_with_sha1(const struct raw12 *raw)
{
	struct public_key *key = server_key(raw);
	uint8_t digest[CRYPTO_MAX_HASH_LEN];
	struct rd p, g, share, rest, signature;
	uint16_t group, scheme;
	struct wr content;
	bool ok;

	if (raw->suite->kx == KX_ECDHE) {
		parse_ecdh(raw, &group, &share, &rest);
	} else {
		parse_dh(raw, &p, &g, &share, &rest);
	}
	wr_init_heap(&content);
	wr_bytes(&content, raw->client_random, sizeof(raw->client_random));
	wr_bytes(&content, raw->server_random, sizeof(raw->server_random));
	wr_bytes(&content, raw->key_exchange.p, raw->key_exchange.left - rest.left);
	assert_true(rd_u16(&rest, &scheme) && rd_vec16(&rest, &signature, 1, UINT16_MAX) && rd_end(&rest));
	assert_true(crypto_digest(CRYPTO_SHA1, content.data, content.len, digest));
	ok = public_key_verify(key, scheme == 0x0201 ? SCHEME_SHA1_RSA : SCHEME_SHA1_ECDSA, false, digest,
			       crypto_hash_len(CRYPTO_SHA1), signature.p, signature.left);
	wr_free(&content);
	public_key_free(key);
	return ok;
}

static void rsa_exchange(struct raw12 *raw, struct wr *out)
{
	struct public_key *key = server_key(raw);
	uint8_t encrypted[512];
	size_t len, mark;

	assert_true(raw12_random(raw->premaster, PREMASTER_LEN));
	raw->premaster[0] = raw->messages.data[4]; /* legacy_version of our ClientHello */
	raw->premaster[1] = raw->messages.data[5];
	raw->premaster_len = PREMASTER_LEN;
	assert_true(public_key_encrypt_premaster(key, raw->premaster, encrypted, sizeof(encrypted), &len));
	mark = wr_open16(out);
	wr_bytes(out, encrypted, len);
	wr_close16(out, mark);
	public_key_free(key);
}

static void ecdh_exchange(struct raw12 *raw, struct wr *out)
{
	uint8_t share[CRYPTO_MAX_SHARE_LEN];
	struct rd theirs, rest;
	uint16_t id;
	size_t mark;

	parse_ecdh(raw, &id, &theirs, &rest);
	const struct group *group = group_find(id);

	assert_non_null(group);
	assert_true(crypto_kex_answer(group->group, theirs.p, theirs.left, share, raw->premaster,
				      &raw->premaster_len));
	mark = wr_open8(out);
	wr_bytes(out, share, crypto_group_share_len(group->group));
	wr_close8(out, mark);
}

static void dh_exchange(struct raw12 *raw, struct wr *out)
{
	uint8_t share[CRYPTO_MAX_DH_LEN];
	struct rd p, g, theirs, rest;
	size_t mark;

	parse_dh(raw, &p, &g, &theirs, &rest);
	assert_true(crypto_dh_answer(p.p, p.left, g.p, g.left, theirs.p, theirs.left, share, raw->premaster,
				     &raw->premaster_len));
	mark = wr_open16(out);
	wr_bytes(out, share, p.left);
	wr_close16(out, mark);
}

void raw12_key_exchange(struct raw12 *raw, struct wr *body)
{
	struct wr own = {.len = 0};
	struct wr *out = body != NULL ? body : &own;

	wr_init_heap(out);
	if (raw->suite->kx == KX_RSA) {
		rsa_exchange(raw, out);
	} else if (raw->suite->kx == KX_ECDHE) {
		ecdh_exchange(raw, out);
	} else {
		dh_exchange(raw, out);
	}
	assert_false(out->failed);
	if (body == NULL) {
		raw12_send(raw, HS_CLIENT_KEY_EXCHANGE, out->data, out->len);
		wr_free(out);
	}
}

void raw12_derive(struct raw12 *raw)
{
	uint8_t hash[CRYPTO_MAX_HASH_LEN];

	if (raw->extended_master_secret) {
		assert_true(crypto_hash_peek(&raw->transcript, hash));
		assert_true(keysched12_extended_master_secret(
			raw->version, raw->suite->hash, raw->premaster, raw->premaster_len, hash,
			crypto_hash_len(raw->transcript.hash), raw->master));
	} else {
		assert_true(keysched12_master_secret(raw->version, raw->suite->hash, raw->premaster,
						     raw->premaster_len, raw->client_random,
						     raw->server_random, raw->master));
	}
	make_keys(raw);
}

/* ---- the end of a handshake ---- */

void raw12_send_ccs(struct raw12 *raw)
{
	static const uint8_t body[] = {1};

	raw12_send_record(raw, CONTENT_CHANGE_CIPHER_SPEC, body, sizeof(body));
	raw->send_spec = (struct record_cipher_spec){
		.suite = raw->suite, .version = raw->version, .encrypt_then_mac = raw->encrypt_then_mac};
	raw->send = raw->next_send;
	if (raw->send_cipher == NULL) {
		raw->send_cipher = engine_cipher_new();
	}
}

void raw12_send_finished(struct raw12 *raw, uint8_t change)
{
	uint8_t verify_data[VERIFY_DATA_LEN];

	make_verify_data(raw, ENGINE_CLIENT, verify_data);
	verify_data[VERIFY_DATA_LEN - 1] ^= change;
	memcpy(raw->verify_data[ENGINE_CLIENT], verify_data, VERIFY_DATA_LEN);
	raw12_send(raw, HS_FINISHED, verify_data, VERIFY_DATA_LEN);
}

void raw12_send_certificate(struct raw12 *raw, const struct credential *credential)
{
	struct wr body;
	size_t list, cert;

	wr_init_heap(&body);
	list = wr_open24(&body);
	for (size_t i = 0; credential != NULL && i < credential->n_chain; i++) {
		cert = wr_open24(&body);
		wr_bytes(&body, credential->chain[i].data, credential->chain[i].len);
		wr_close24(&body, cert);
	}
	wr_close24(&body, list);
	raw12_send(raw, HS_CERTIFICATE, body.data, body.len);
	wr_free(&body);
}

void raw12_send_certificate_verify(struct raw12 *raw, const struct credential *credential, uint16_t scheme)
{
	struct rd content = rd_of(raw->messages.data, raw->messages.len);
	uint8_t digest[CRYPTO_MAX_HASH_LEN], signature[512];
	size_t len, mark;
	struct wr body;

	wr_init_heap(&body);
	if (raw->version < ENGINE_TLS12) {
		assert_true(crypto_hash_peek(&raw->transcript, digest));
		content = scheme == SCHEME_MD5_SHA1_RSA ? rd_of(digest, 36) : rd_of(digest + 16, 20);
	} else {
		wr_u16(&body, scheme);
	}
	assert_int_equal(private_key_sign(credential->key, scheme, content.p, content.left, signature,
					  sizeof(signature), &len),
			 ENGINE_OK);
	mark = wr_open16(&body);
	wr_bytes(&body, signature, len);
	wr_close16(&body, mark);
	raw12_send(raw, HS_CERTIFICATE_VERIFY, body.data, body.len);
	wr_free(&body);
}

void raw12_finish(struct raw12 *raw)
{
	if (raw->got_hello_done) {
		if (raw->certificate_request.p != NULL) {
			raw12_send_certificate(raw, NULL);
		}
		raw12_key_exchange(raw, NULL);
		raw12_derive(raw);
	}
	raw12_send_ccs(raw);
	raw12_send_finished(raw, 0);
	raw12_read(raw);
}

void raw12_connect(struct raw12 *raw, const struct raw12_hello *hello)
{
	raw12_send_hello(raw, hello);
	raw12_read(raw);
	if (raw->alert != RAW12_NO_ALERT) {
		fail_msg("alert %s: %s", engine_alert_name((uint8_t)raw->alert), engine_hs_reason(raw->hs));
	}
	assert_true(raw->got_hello_done || raw->got_finished);
	raw12_finish(raw);
	if (!raw12_talks(raw)) {
		fail_msg("the handshake did not succeed: %s", engine_hs_reason(raw->hs));
	}
}

bool raw12_talks(struct raw12 *raw)
{
	static const uint8_t ping[] = "ping", pong[] = "pong";
	const struct engine_slice slice = {pong, sizeof(pong)};
	uint8_t wire[512];
	size_t len;

	if (!engine_hs_is_done(raw->hs) || !raw->got_finished) {
		return false;
	}
	raw->data_len = 0;
	raw12_send_record(raw, CONTENT_APPLICATION_DATA, ping, sizeof(ping));
	if (raw->data_len != sizeof(ping) || memcmp(raw->data, ping, sizeof(ping)) != 0 ||
	    engine_seal(&raw->conn, raw->server_cipher[1], &slice, 1, wire, sizeof(wire), &len) !=
		    ENGINE_OK) {
		return false;
	}
	raw->data_len = 0;
	take_records(raw, wire, len);
	return raw->data_len == sizeof(pong) && memcmp(raw->data, pong, sizeof(pong)) == 0;
}

void raw12_expect_alert(struct raw12 *raw, unsigned alert, const char *what)
{
	if (raw->alert == RAW12_NO_ALERT) {
		raw12_read(raw);
	}
	if (raw->alert != alert) {
		fail_msg("%s: alert %u %s (%s) instead of %s", what, raw->alert,
			 raw->alert == RAW12_NO_ALERT ? "none" : engine_alert_name((uint8_t)raw->alert),
			 engine_hs_reason(raw->hs), engine_alert_name((uint8_t)alert));
	}
	assert_int_equal(raw->alert_level, ALERT_LEVEL_FATAL);
	assert_int_not_equal(engine_hs_error(raw->hs) | raw->conn.recv_err, ENGINE_OK);
}
