/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server of TLS 1.2 and older that does as it is told.
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

#include "tests/lib/fake12.h"

#define VERIFY_DATA_LEN 12

/* ---- the engine's surroundings ---- */

int64_t fake12_seconds_later;

static struct {
	uint8_t id[ENGINE_SESSION_ID_LEN], data[ENGINE_SESSION_MAX];
	size_t len;
} sessions[8];

static bool is_at(size_t i, const uint8_t id[static ENGINE_SESSION_ID_LEN])
{
	return sessions[i].len != 0 && memcmp(sessions[i].id, id, ENGINE_SESSION_ID_LEN) == 0;
}

static void store_put(const uint8_t id[static ENGINE_SESSION_ID_LEN], const uint8_t *data, size_t len,
		      int64_t expires)
{
	(void)expires;
	memmove(&sessions[1], &sessions[0], 7 * sizeof(sessions[0]));
	memcpy(sessions[0].id, id, ENGINE_SESSION_ID_LEN);
	memcpy(sessions[0].data, data, len);
	sessions[0].len = len;
}

static size_t store_get(const uint8_t id[static ENGINE_SESSION_ID_LEN], bool take, uint8_t *out)
{
	for (size_t i = 0; i < 8; i++) {
		if (is_at(i, id)) {
			const size_t len = sessions[i].len;

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
		if (is_at(i, id)) {
			sessions[i].len = 0;
		}
	}
}

void fake12_forget_sessions(void)
{
	memset(sessions, 0, sizeof(sessions));
}

size_t fake12_n_sessions(void)
{
	size_t n = 0;

	for (size_t i = 0; i < 8; i++) {
		n += sessions[i].len != 0;
	}
	return n;
}

static int64_t now(void)
{
	return (int64_t)time(NULL) + fake12_seconds_later;
}

static bool random_bytes(uint8_t *out, size_t len)
{
	return getrandom(out, len, 0) == (ssize_t)len;
}

bool fake12_init(void)
{
	static const struct engine_session_store store = {store_put, store_get, store_drop};
	static const struct engine_env env = {.random = random_bytes, .now = now, .sessions = &store};

	return engine_init(&env);
}

/* ---- beginning and ending ---- */

size_t fake12_hex(uint8_t *out, size_t room, const char *hex)
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

void fake12_put_hex(struct wr *out, const char *hex)
{
	static uint8_t room[80 * 1024];

	wr_bytes(out, room, fake12_hex(room, sizeof(room), hex));
}

static struct rd keep(struct fake12 *fake, struct rd bytes)
{
	uint8_t *copy = malloc(bytes.left + 1);

	assert_non_null(copy);
	assert_true(fake->n_kept < sizeof(fake->kept) / sizeof(fake->kept[0]));
	memcpy(copy, bytes.p, bytes.left);
	fake->kept[fake->n_kept++] = copy;
	return rd_of(copy, bytes.left);
}

void fake12_begin(struct fake12 *fake, struct engine_config *client, const struct credential *credential)
{
	const struct engine_hs_params params = {.config = client, .server_name = "localhost"};
	char why[ENGINE_REASON_MAX];

	memset(fake, 0, sizeof(*fake));
	fake->alert = FAKE12_NO_ALERT;
	fake->config = client;
	fake->credential = credential;
	fake->conn.id = 1;
	wr_init_heap(&fake->messages);
	wr_init_heap(&fake->pending);
	wr_init_heap(&fake->received);
	fake->client_cipher[0] = engine_cipher_new();
	fake->client_cipher[1] = engine_cipher_new();
	fake->hs = engine_hs_new(&params, &fake->conn, why);
	if (fake->hs == NULL) {
		fail_msg("no handshake: %s", why);
	}
	fake12_read(fake);
	assert_true(fake->got_hello);
}

void fake12_end(struct fake12 *fake)
{
	engine_hs_free(fake->hs);
	engine_config_unref(fake->config);
	engine_cipher_free(fake->client_cipher[0]);
	engine_cipher_free(fake->client_cipher[1]);
	engine_cipher_free(fake->send_cipher);
	engine_cipher_free(fake->recv_cipher);
	crypto_kex_free(fake->kex);
	wr_free(&fake->messages);
	wr_free(&fake->pending);
	wr_free(&fake->received);
	for (size_t i = 0; i < fake->n_kept; i++) {
		free(fake->kept[i]);
	}
	engine_conn_wipe(&fake->conn);
	memset(fake, 0, sizeof(*fake));
}

/* ---- secrets ---- */

static enum crypto_hash transcript_kind(const struct fake12 *fake)
{
	return fake->version >= ENGINE_TLS12 ? fake->suite->hash : CRYPTO_MD5_SHA1;
}

static size_t transcript_hash(const struct fake12 *fake, uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	assert_true(crypto_digest(transcript_kind(fake), fake->messages.data, fake->messages.len, out));
	return crypto_hash_len(transcript_kind(fake));
}

static bool has_extension(struct rd extensions, uint16_t wanted, struct rd *body)
{
	struct rd view;
	uint16_t type;

	while (rd_u16(&extensions, &type) && rd_vec16(&extensions, &view, 0, UINT16_MAX)) {
		if (type == wanted) {
			if (body != NULL) {
				*body = view;
			}
			return true;
		}
	}
	return false;
}

bool fake12_offers(const struct fake12 *fake, uint16_t type, struct rd *body)
{
	return has_extension(fake->extensions, type, body);
}

/* Do our extensions have this one? */
static bool answers(const struct fake12 *fake, uint16_t type)
{
	const char *hex = fake->choice.extensions != NULL ? fake->choice.extensions : FAKE12_EXTENSIONS;
	static uint8_t room[80 * 1024];

	return strcmp(hex, "-") != 0 &&
	       has_extension(rd_of(room, fake12_hex(room, sizeof(room), hex)), type, NULL);
}

void fake12_make_keys(struct fake12 *fake)
{
	const struct record_cipher_spec spec = {
		.suite = fake->suite, .version = fake->version, .encrypt_then_mac = answers(fake, 22)};

	assert_true(keysched12_traffic_keys(&spec, fake->master, fake->client_random, fake->server_random,
					    &fake->next_recv, &fake->next_send));
	fake->next_spec = spec;
}

static void derive(struct fake12 *fake, const uint8_t *premaster, size_t len)
{
	uint8_t hash[CRYPTO_MAX_HASH_LEN];
	const size_t hash_len = transcript_hash(fake, hash);

	if (answers(fake, 23)) {
		assert_true(keysched12_extended_master_secret(fake->version, fake->suite->hash, premaster,
							      len, hash, hash_len, fake->master));
	} else {
		assert_true(keysched12_master_secret(fake->version, fake->suite->hash, premaster, len,
						     fake->client_random, fake->server_random, fake->master));
	}
	fake12_make_keys(fake);
}

void fake12_make_verify_data(struct fake12 *fake, enum engine_role who, uint8_t *out)
{
	uint8_t hash[CRYPTO_MAX_HASH_LEN];
	const size_t len = transcript_hash(fake, hash);

	assert_true(keysched12_finished(fake->version, fake->suite->hash, fake->master, who == ENGINE_CLIENT,
					hash, len, out));
	memcpy(fake->verify_data[who], out, VERIFY_DATA_LEN);
}

/* ---- to the client ---- */

/* The client begins, or answers a HelloRequest. */
void fake12_client_renegotiates(struct fake12 *fake, const uint8_t *data, size_t len)
{
	const struct engine_hs_params params = {.config = fake->config, .server_name = "localhost"};
	char why[ENGINE_REASON_MAX];

	engine_hs_free(fake->hs);
	fake->hs = engine_hs_renegotiate(&params, &fake->conn, data, len, why);
	if (fake->hs == NULL) {
		fail_msg("no renegotiation: %s", why);
	}
}

/* Records to a client that is done go to its connection. */
static void client_takes_record(struct fake12 *fake, struct rd record)
{
	static uint8_t copy[ENGINE_MAX_RECORD];
	struct engine_opened opened;

	assert_true(record.left <= sizeof(copy));
	memcpy(copy, record.p, record.left);
	if (engine_open(&fake->conn, fake->client_cipher[0], copy, record.left, NULL, 0, &opened) !=
	    ENGINE_OK) {
		fake->alert = engine_alert_due(&fake->conn);
		fake->alert_level = ALERT_LEVEL_FATAL;
	} else if (opened.event == ENGINE_EVENT_RENEGOTIATE) {
		fake12_client_renegotiates(fake, opened.data, opened.data_len);
	} else if (opened.event == ENGINE_EVENT_DATA) {
		assert_true(fake->data_len + opened.data_len <= sizeof(fake->data));
		memcpy(fake->data + fake->data_len, opened.data, opened.data_len);
		fake->data_len += opened.data_len;
	}
}

void fake12_send_bytes(struct fake12 *fake, const void *bytes, size_t len)
{
	struct rd in = rd_of(bytes, len);
	struct rd piece;

	while (!rd_end(&in)) {
		size_t used = 0;

		if (engine_hs_is_done(fake->hs)) {
			struct record_header header;

			assert_true(in.left >= ENGINE_RECORD_HEADER_LEN);
			record_parse_header(in.p, &header);
			assert_true(rd_bytes(&in, &piece, ENGINE_RECORD_HEADER_LEN + header.length));
			client_takes_record(fake, piece);
			continue;
		}
		if (engine_hs_recv(fake->hs, in.p, in.left, &used) != ENGINE_OK) {
			return;
		}
		assert_true(used != 0 && rd_bytes(&in, &piece, used));
	}
}

void fake12_send_record(struct fake12 *fake, uint8_t type, const void *content, size_t len)
{
	static uint8_t out[ENGINE_MAX_RECORD];
	const struct engine_slice slice = {content, len};
	size_t out_len = ENGINE_RECORD_HEADER_LEN + len;

	if (fake->send_cipher != NULL) {
		assert_true(record_seal(&fake->send_spec, &fake->send, fake->send_cipher, type, &slice, 1,
					out, sizeof(out), &out_len));
	} else {
		assert_true(out_len <= sizeof(out));
		record_build_header(out, type, fake->version != 0 ? fake->version : ENGINE_TLS12, len);
		if (len != 0) {
			memcpy(out + ENGINE_RECORD_HEADER_LEN, content, len);
		}
	}
	fake12_send_bytes(fake, out, out_len);
}

/* What waits, in records. */
void fake12_flush(struct fake12 *fake)
{
	const size_t max = fake->piece != 0 ? fake->piece : ENGINE_MAX_PLAINTEXT;
	struct rd in = rd_of(fake->pending.data, fake->pending.len);
	struct rd piece;

	while (!rd_end(&in)) {
		assert_true(rd_bytes(&in, &piece, in.left < max ? in.left : max));
		fake12_send_record(fake, CONTENT_HANDSHAKE, piece.p, piece.left);
	}
	wr_reset(&fake->pending);
}

static void put_message(struct fake12 *fake, uint8_t type, struct rd body)
{
	const size_t start = fake->pending.len;

	wr_u8(&fake->pending, type);
	wr_u24(&fake->pending, (uint32_t)body.left);
	wr_bytes(&fake->pending, body.p, body.left);
	assert_false(fake->pending.failed);
	if (type != HS_HELLO_REQUEST) {
		wr_bytes(&fake->messages, fake->pending.data + start, fake->pending.len - start);
	}
}

/* Bytes that are messages of their own. */
static void put_messages(struct fake12 *fake, const char *hex)
{
	static uint8_t room[70 * 1024];
	struct rd in = rd_of(room, fake12_hex(room, sizeof(room), hex));
	struct rd body;
	uint8_t type;

	while (rd_u8(&in, &type)) {
		assert_true(rd_vec24(&in, &body, 0, sizeof(room)));
		put_message(fake, type, body);
	}
}

void fake12_send(struct fake12 *fake, uint16_t type, const void *bytes, size_t len)
{
	const struct fake12_wrong *wrong = &fake->wrong;
	const enum fake12_how how = wrong->type == type ? wrong->how : FAKE12_RIGHT;
	struct wr body;

	if (fake->before_type == type && fake->before != NULL) {
		fake12_flush(fake);
		fake->before(fake);
	}
	wr_init_heap(&body);
	wr_bytes(&body, bytes, len);
	switch (how) {
	case FAKE12_FLIP:
		body.data[wrong->at < 0 ? body.len - (size_t)-wrong->at : (size_t)wrong->at] ^= 1;
		break;
	case FAKE12_CUT:
		wr_unroom(&body, (size_t)wrong->at);
		break;
	case FAKE12_REPLACE:
		wr_reset(&body);
		fake12_put_hex(&body, wrong->bytes);
		break;
	case FAKE12_APPEND:
		fake12_put_hex(&body, wrong->bytes);
		break;
	case FAKE12_BEFORE:
		put_messages(fake, wrong->bytes);
		break;
	default:
		break;
	}
	assert_false(body.failed);
	if (type == HS_CHANGE_CIPHER_SPEC) {
		fake12_flush(fake);
		for (int n = how == FAKE12_SKIP ? 0 : how == FAKE12_TWICE ? 2 : 1; n > 0; n--) {
			fake12_send_record(fake, CONTENT_CHANGE_CIPHER_SPEC, body.data, body.len);
		}
	} else if (how != FAKE12_SKIP) {
		put_message(fake, (uint8_t)type, rd_of(body.data, body.len));
		if (how == FAKE12_TWICE) {
			put_message(fake, (uint8_t)type, rd_of(body.data, body.len));
		}
		if (how == FAKE12_BEHIND) {
			put_messages(fake, wrong->bytes);
		}
	}
	wr_free(&body);
	if (!fake->coalesce) {
		fake12_flush(fake);
	}
}

/* ---- from the client ---- */

static void on_client_hello(struct fake12 *fake, struct rd in)
{
	struct rd compressions;

	in = keep(fake, in);
	assert_true(rd_u16(&in, &fake->client_version) && rd_copy(&in, fake->client_random, 32) &&
		    rd_vec8(&in, &fake->session_id, 0, 32) && rd_vec16(&in, &fake->suites, 2, UINT16_MAX) &&
		    rd_vec8(&in, &compressions, 1, 1) && rd_vec16(&in, &fake->extensions, 0, UINT16_MAX) &&
		    rd_end(&in));
	fake->got_hello = true;
}

/* RSA key transport: what the client encrypted, which must name the version of its hello. */
static size_t decrypt_premaster(struct fake12 *fake, struct rd in, uint8_t *premaster)
{
	struct rd encrypted;

	assert_true(rd_vec16(&in, &encrypted, 1, UINT16_MAX) && rd_end(&in));
	assert_int_equal(private_key_decrypt_premaster(fake->credential->key, encrypted.p, encrypted.left,
						       fake->client_version, premaster),
			 ENGINE_OK);
	return PREMASTER_LEN;
}

static void on_client_key_exchange(struct fake12 *fake, struct rd in)
{
	uint8_t premaster[CRYPTO_MAX_SHARED_LEN];
	struct rd share;
	size_t len = 0;

	if (fake->suite->kx == KX_RSA) {
		len = decrypt_premaster(fake, in, premaster);
		derive(fake, premaster, len);
		return;
	}
	if (fake->suite->kx == KX_ECDHE) {
		assert_true(rd_vec8(&in, &share, 1, 255) && rd_end(&in));
	} else {
		assert_true(rd_vec16(&in, &share, 1, UINT16_MAX) && rd_end(&in));
	}
	if (fake->kex == NULL) {
		fake->is_deaf = true;
		return;
	}
	assert_true(crypto_kex_finish(fake->kex, share.p, share.left, premaster, &len));
	if (fake->suite->kx == KX_DHE) {
		size_t zeros = 0;

		while (premaster[zeros] == 0) {
			zeros++;
		}
		memmove(premaster, premaster + zeros, len - zeros);
		len -= zeros;
	}
	derive(fake, premaster, len);
}

static void on_certificate_verify(struct fake12 *fake, struct rd in)
{
	struct rd signature;

	if (fake->version >= ENGINE_TLS12) {
		assert_true(rd_u16(&in, &fake->verify_scheme));
	}
	assert_true(rd_vec16(&in, &signature, 1, UINT16_MAX) && rd_end(&in));
	fake->verify = keep(fake, signature);
	fake->got_verify = true;
}

static void on_finished(struct fake12 *fake, struct rd body)
{
	uint8_t expected[VERIFY_DATA_LEN];

	fake12_make_verify_data(fake, ENGINE_CLIENT, expected);
	assert_int_equal(body.left, VERIFY_DATA_LEN);
	assert_memory_equal(body.p, expected, VERIFY_DATA_LEN);
	fake->got_finished = true;
}

static void on_message(struct fake12 *fake, uint8_t type, struct rd whole, struct rd body)
{
	if (type == HS_FINISHED) {
		on_finished(fake, body);
	} else if (type == HS_CERTIFICATE_VERIFY) {
		fake->before_verify = keep(fake, rd_of(fake->messages.data, fake->messages.len));
	}
	wr_bytes(&fake->messages, whole.p, whole.left);
	switch (type) {
	case HS_CLIENT_HELLO:
		on_client_hello(fake, body);
		break;
	case HS_CERTIFICATE:
		fake->certificate = keep(fake, body);
		fake->got_certificate = true;
		break;
	case HS_CLIENT_KEY_EXCHANGE:
		on_client_key_exchange(fake, body);
		break;
	case HS_CERTIFICATE_VERIFY:
		on_certificate_verify(fake, body);
		break;
	case HS_FINISHED:
		break;
	default:
		fail_msg("a client sends message %d", type);
	}
}

/* Messages may be split: what is not complete waits. */
static void take_handshake(struct fake12 *fake, struct rd in)
{
	wr_bytes(&fake->received, in.p, in.left);
	while (true) {
		struct rd rest = rd_of(fake->received.data, fake->received.len);
		struct rd peek = rest;
		struct rd whole, body;
		uint8_t type = 0;

		if (!rd_u8(&peek, &type) || !rd_vec24(&peek, &body, 0, UINT16_MAX)) {
			return;
		}
		assert_true(rd_bytes(&rest, &whole, 4 + body.left));
		on_message(fake, type, whole, body);
		wr_drop(&fake->received, 4 + body.left);
	}
}

static void on_ccs(struct fake12 *fake, struct rd in)
{
	assert_true(in.left == 1 && in.p[0] == 1 && !fake->got_ccs);
	fake->got_ccs = true;
	fake->recv = fake->next_recv;
	fake->recv_spec = fake->next_spec;
	if (fake->recv_cipher == NULL) {
		fake->recv_cipher = engine_cipher_new();
	}
}

static void on_record(struct fake12 *fake, uint8_t *record, size_t len)
{
	struct record_opened opened = {.data = record + ENGINE_RECORD_HEADER_LEN,
				       .len = len - ENGINE_RECORD_HEADER_LEN};
	const uint8_t type = record[0];

	if (fake->is_deaf) {
		return;
	}
	if (fake->recv_cipher != NULL) {
		assert_int_equal(record_open(&fake->recv_spec, &fake->recv, fake->recv_cipher, record, len,
					     NULL, &opened),
				 REASON_NONE);
	}
	if (opened.len > fake->longest_record) {
		fake->longest_record = opened.len;
	}
	switch (type) {
	case CONTENT_HANDSHAKE:
		take_handshake(fake, rd_of(opened.data, opened.len));
		break;
	case CONTENT_CHANGE_CIPHER_SPEC:
		on_ccs(fake, rd_of(opened.data, opened.len));
		break;
	case CONTENT_ALERT:
		assert_int_equal(opened.len, ALERT_LEN);
		fake->alert_level = opened.data[0];
		fake->alert = opened.data[1];
		break;
	default:
		fail_msg("a client sends a record of type %d", type);
	}
}

void fake12_read(struct fake12 *fake)
{
	static uint8_t record[ENGINE_MAX_RECORD];
	size_t len;
	const uint8_t *bytes = engine_hs_pending(fake->hs, &len);
	struct rd in = rd_of(bytes, len);

	fake->longest_record = 0;
	while (!rd_end(&in)) {
		struct record_header header;
		struct rd whole;

		assert_true(in.left >= ENGINE_RECORD_HEADER_LEN);
		record_parse_header(in.p, &header);
		assert_true(rd_bytes(&in, &whole, ENGINE_RECORD_HEADER_LEN + header.length));
		memcpy(record, whole.p, whole.left);
		on_record(fake, record, whole.left);
	}
	engine_hs_sent(fake->hs, len);
}
