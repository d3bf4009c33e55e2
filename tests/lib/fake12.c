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

static void put_hex(struct wr *out, const char *hex)
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

static void make_keys(struct fake12 *fake)
{
	const struct record_cipher_spec spec = {
		.suite = fake->suite, .version = fake->version, .encrypt_then_mac = answers(fake, 22)};

	assert_true(keysched12_traffic_keys(&spec, fake->master, fake->client_random, fake->server_random,
					    &fake->next_recv, &fake->next_send));
	fake->send_spec = fake->recv_spec = spec;
}

static void derive(struct fake12 *fake, const uint8_t *premaster, size_t len)
{
	uint8_t hash[CRYPTO_MAX_HASH_LEN];
	const size_t hash_len = transcript_hash(fake, hash);

	if (answers(fake, 23)) {
		assert_true(keysched12_extended_master_secret(fake->version, fake->suite->hash, premaster, len,
							      hash, hash_len, fake->master));
	} else {
		assert_true(keysched12_master_secret(fake->version, fake->suite->hash, premaster, len,
						     fake->client_random, fake->server_random, fake->master));
	}
	make_keys(fake);
}

static void make_verify_data(struct fake12 *fake, enum engine_role who, uint8_t *out)
{
	uint8_t hash[CRYPTO_MAX_HASH_LEN];
	const size_t len = transcript_hash(fake, hash);

	assert_true(keysched12_finished(fake->version, fake->suite->hash, fake->master, who == ENGINE_CLIENT,
					hash, len, out));
	memcpy(fake->verify_data[who], out, VERIFY_DATA_LEN);
}

/* ---- to the client ---- */

/* Records to a client that is done go to its connection. */
static void client_takes_record(struct fake12 *fake, struct rd record)
{
	static uint8_t copy[ENGINE_MAX_RECORD];
	struct engine_opened opened;

	assert_true(record.left <= sizeof(copy));
	memcpy(copy, record.p, record.left);
	if (engine_open(&fake->conn, fake->client_cipher[0], copy, record.left, NULL, 0, &opened) != ENGINE_OK) {
		fake->alert = engine_alert_due(&fake->conn);
		fake->alert_level = ALERT_LEVEL_FATAL;
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
		assert_true(record_seal(&fake->send_spec, &fake->send, fake->send_cipher, type, &slice, 1, out,
					sizeof(out), &out_len));
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
static void flush(struct fake12 *fake)
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
		flush(fake);
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
		put_hex(&body, wrong->bytes);
		break;
	case FAKE12_APPEND:
		put_hex(&body, wrong->bytes);
		break;
	case FAKE12_BEFORE:
		put_messages(fake, wrong->bytes);
		break;
	default:
		break;
	}
	assert_false(body.failed);
	if (type == HS_CHANGE_CIPHER_SPEC) {
		flush(fake);
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
		flush(fake);
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

	make_verify_data(fake, ENGINE_CLIENT, expected);
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

static void on_handshake(struct fake12 *fake, struct rd in)
{
	while (!rd_end(&in)) {
		struct rd peek = in;
		struct rd whole, body;
		uint8_t type = 0;

		assert_true(rd_u8(&peek, &type) && rd_vec24(&peek, &body, 0, UINT16_MAX) &&
			    rd_bytes(&in, &whole, 4 + body.left));
		on_message(fake, type, whole, body);
	}
}

static void on_ccs(struct fake12 *fake, struct rd in)
{
	assert_true(in.left == 1 && in.p[0] == 1 && !fake->got_ccs);
	fake->got_ccs = true;
	fake->recv = fake->next_recv;
	if (fake->recv_cipher == NULL) {
		fake->recv_cipher = engine_cipher_new();
	}
}

static void on_record(struct fake12 *fake, uint8_t *record, size_t len)
{
	struct record_opened opened = {
		.data = record + ENGINE_RECORD_HEADER_LEN, .len = len - ENGINE_RECORD_HEADER_LEN};
	const uint8_t type = record[0];

	if (fake->is_deaf) {
		return;
	}
	if (fake->recv_cipher != NULL) {
		assert_int_equal(record_open(&fake->recv_spec, &fake->recv, fake->recv_cipher, record, len,
					     NULL, &opened),
				 REASON_NONE);
	}
	switch (type) {
	case CONTENT_HANDSHAKE:
		on_handshake(fake, rd_of(opened.data, opened.len));
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

/* ---- messages ---- */

static void send_server_hello(struct fake12 *fake)
{
	const struct fake12_choice *choice = &fake->choice;
	const char *extensions = choice->extensions != NULL ? choice->extensions : FAKE12_EXTENSIONS;
	struct wr body;
	size_t mark;

	assert_true(random_bytes(fake->server_random, 32));
	if (choice->sentinel != NULL) {
		(void)fake12_hex(fake->server_random + 24, 8, choice->sentinel);
	}
	wr_init_heap(&body);
	wr_u16(&body, fake->version);
	wr_bytes(&body, fake->server_random, 32);
	mark = wr_open8(&body);
	if (choice->session_id != NULL && strcmp(choice->session_id, "echo") == 0) {
		wr_bytes(&body, fake->session_id.p, fake->session_id.left);
	} else if (choice->session_id != NULL) {
		put_hex(&body, choice->session_id);
	}
	wr_close8(&body, mark);
	wr_u16(&body, choice->suite);
	wr_u8(&body, choice->compression);
	if (strcmp(extensions, "-") != 0) {
		mark = wr_open16(&body);
		put_hex(&body, extensions);
		wr_close16(&body, mark);
	}
	fake12_send(fake, HS_SERVER_HELLO, body.data, body.len);
	wr_free(&body);
}

static void send_certificate(struct fake12 *fake)
{
	struct wr body;
	size_t list;

	wr_init_heap(&body);
	list = wr_open24(&body);
	for (size_t i = 0; i < fake->credential->n_chain; i++) {
		const size_t cert = wr_open24(&body);

		wr_bytes(&body, fake->credential->chain[i].data, fake->credential->chain[i].len);
		wr_close24(&body, cert);
	}
	wr_close24(&body, list);
	fake12_send(fake, HS_CERTIFICATE, body.data, body.len);
	wr_free(&body);
}

static void send_status(struct fake12 *fake)
{
	struct wr body;
	size_t mark;

	wr_init_heap(&body);
	wr_u8(&body, 1);
	mark = wr_open24(&body);
	put_hex(&body, fake->choice.status);
	wr_close24(&body, mark);
	fake12_send(fake, HS_CERTIFICATE_STATUS, body.data, body.len);
	wr_free(&body);
}

static void write_number(struct wr *body, const char *hex, const uint8_t *bytes, size_t len)
{
	const size_t mark = wr_open16(body);

	if (hex != NULL) {
		put_hex(body, hex);
	} else {
		wr_bytes(body, bytes, len);
	}
	wr_close16(body, mark);
}

static void write_params(struct fake12 *fake, struct wr *body)
{
	const struct group *group = group_find(fake->choice.group);

	if (group != NULL && fake->choice.p == NULL && fake->choice.g == NULL && fake->choice.share == NULL) {
		fake->kex = crypto_kex_begin(group->group, fake->share);
		assert_non_null(fake->kex);
	}
	if (fake->suite->kx == KX_ECDHE) {
		wr_u8(body, 3);
		wr_u16(body, fake->choice.group);
		if (fake->choice.share != NULL || group == NULL) {
			const size_t mark = wr_open8(body);

			put_hex(body, fake->choice.share != NULL ? fake->choice.share : "04");
			wr_close8(body, mark);
		} else {
			wr_u8(body, (uint8_t)crypto_group_share_len(group->group));
			wr_bytes(body, fake->share, crypto_group_share_len(group->group));
		}
		return;
	}
	assert_non_null(group);
	write_number(body, fake->choice.p, crypto_ffdhe_prime(group->group),
		     crypto_group_share_len(group->group));
	write_number(body, fake->choice.g, (const uint8_t[]){2}, 1);
	write_number(body, fake->choice.share, fake->share, crypto_group_share_len(group->group));
}

static uint16_t best_scheme(const struct fake12 *fake)
{
	uint16_t schemes[SCHEMES_MAX];

	assert_true(private_key_schemes(fake->credential->key, false, schemes, SCHEMES_MAX) > 0);
	return schemes[0];
}

static void sign(struct fake12 *fake, struct rd params, struct wr *body)
{
	const bool is_rsa = private_key_auth(fake->credential->key) == AUTH_RSA;
	uint16_t scheme = fake->choice.scheme != 0 ? fake->choice.scheme : best_scheme(fake);
	uint8_t signature[512], digest[CRYPTO_MAX_HASH_LEN];
	struct wr content;
	struct rd what;
	size_t len = 0;
	size_t mark;

	wr_init_heap(&content);
	wr_bytes(&content, fake->client_random, 32);
	wr_bytes(&content, fake->server_random, 32);
	wr_bytes(&content, params.p, params.left);
	what = rd_of(content.data, content.len);
	if (fake->version >= ENGINE_TLS12) {
		wr_u16(body, scheme);
	} else {
		scheme = is_rsa ? SCHEME_MD5_SHA1_RSA : SCHEME_SHA1_ECDSA;
		assert_true(crypto_digest(CRYPTO_MD5_SHA1, content.data, content.len, digest));
		what = is_rsa ? rd_of(digest, 36) : rd_of(digest + 16, 20);
	}
	/* a scheme that the key cannot make goes out with another's signature */
	if (private_key_sign(fake->credential->key, scheme, what.p, what.left, signature, sizeof(signature),
			     &len) != ENGINE_OK) {
		assert_int_equal(private_key_sign(fake->credential->key, best_scheme(fake), what.p, what.left,
						  signature, sizeof(signature), &len),
				 ENGINE_OK);
	}
	wr_free(&content);
	mark = wr_open16(body);
	wr_bytes(body, signature, len);
	wr_close16(body, mark);
}

static void send_key_exchange(struct fake12 *fake)
{
	struct wr body;
	struct wr params;

	wr_init_heap(&params);
	wr_init_heap(&body);
	write_params(fake, &params);
	wr_bytes(&body, params.data, params.len);
	sign(fake, rd_of(params.data, params.len), &body);
	fake12_send(fake, HS_SERVER_KEY_EXCHANGE, body.data, body.len);
	wr_free(&params);
	wr_free(&body);
}

static void send_request(struct fake12 *fake)
{
	static const char types[] = "02 01 40 ";
	static const char schemes[] = "000a 0403 0503 0807 0804 0401 ";
	struct wr body;

	wr_init_heap(&body);
	put_hex(&body, types);
	if (fake->version >= ENGINE_TLS12) {
		put_hex(&body, schemes);
	}
	put_hex(&body, "0000");
	fake12_send(fake, HS_CERTIFICATE_REQUEST, body.data, body.len);
	wr_free(&body);
}

static void send_ticket(struct fake12 *fake)
{
	static const uint8_t body[] = {0, 0, 14, 16, 0, 8, 't', 'i', 'c', 'k', 'e', 't', ' ', '1'};

	fake12_send(fake, HS_NEW_SESSION_TICKET, body, sizeof(body));
}

static void send_end(struct fake12 *fake)
{
	static const uint8_t ccs[] = {1};
	uint8_t verify_data[VERIFY_DATA_LEN];

	if (fake->choice.ticket) {
		send_ticket(fake);
	}
	fake12_send(fake, HS_CHANGE_CIPHER_SPEC, ccs, sizeof(ccs));
	/* without ChangeCipherSpec, in clear: what a skipped key change would allow */
	if (fake->wrong.type != HS_CHANGE_CIPHER_SPEC || fake->wrong.how != FAKE12_SKIP) {
		fake->send = fake->next_send;
		fake->send_cipher = engine_cipher_new();
	}
	make_verify_data(fake, ENGINE_SERVER, verify_data);
	fake12_send(fake, HS_FINISHED, verify_data, sizeof(verify_data));
	flush(fake);
}

/* ---- the course of a handshake ---- */

void fake12_send_first_flight(struct fake12 *fake)
{
	const struct fake12_choice *choice = &fake->choice;

	send_server_hello(fake);
	if (choice->resume) {
		make_keys(fake);
		send_end(fake);
		return;
	}
	send_certificate(fake);
	if (choice->status != NULL) {
		send_status(fake);
	}
	if (fake->suite->kx != KX_RSA) {
		send_key_exchange(fake);
	}
	if (choice->request) {
		send_request(fake);
	}
	fake12_send(fake, HS_SERVER_HELLO_DONE, NULL, 0);
	flush(fake);
}

void fake12_finish(struct fake12 *fake)
{
	fake12_read(fake);
	if (!fake->choice.resume && fake->got_finished) {
		send_end(fake);
		fake12_read(fake);
	}
}

void fake12_handshake(struct fake12 *fake, const struct fake12_choice *choice, const struct fake12_wrong *wrong)
{
	const struct suite *suite;

	fake->choice = *choice;
	if (wrong != NULL) {
		fake->wrong = *wrong;
	}
	if (fake->choice.suite == 0) {
		fake->choice.suite = 0xc02b;
	}
	fake->version = choice->version != 0 ? choice->version : ENGINE_TLS12;
	suite = suite_find(fake->choice.suite);
	/* one that does not exist goes on as another */
	fake->suite = suite != NULL && suite->version != ENGINE_TLS13 ? suite : suite_find(0xc02b);
	if (fake->choice.group == 0) {
		fake->choice.group = fake->suite->kx == KX_DHE ? 0x0100 : 0x0017;
	}
	fake12_send_first_flight(fake);
	fake12_finish(fake);
}

bool fake12_talks(struct fake12 *fake)
{
	static const uint8_t ping[] = "from the server", pong[] = "from the client";
	const struct engine_slice slice = {pong, sizeof(pong)};
	static uint8_t record[ENGINE_MAX_RECORD];
	struct record_opened opened;
	size_t len = 0;

	if (!engine_hs_is_done(fake->hs) || !fake->got_finished) {
		return false;
	}
	fake->data_len = 0;
	fake12_send_record(fake, CONTENT_APPLICATION_DATA, ping, sizeof(ping));
	if (fake->data_len != sizeof(ping) || memcmp(fake->data, ping, sizeof(ping)) != 0 ||
	    engine_seal(&fake->conn, fake->client_cipher[1], &slice, 1, record, sizeof(record), &len) !=
		    ENGINE_OK) {
		return false;
	}
	/* of CBC in TLS 1.0, the first record has one byte */
	if (fake->version == ENGINE_TLS10) {
		len = ENGINE_RECORD_HEADER_LEN + (size_t)(record[3] << 8 | record[4]);
	}
	return record_open(&fake->recv_spec, &fake->recv, fake->recv_cipher, record, len, NULL, &opened) ==
		       REASON_NONE &&
	       opened.len != 0 && memcmp(opened.data, pong, opened.len) == 0;
}

void fake12_expect(struct fake12 *fake, unsigned alert, const char *what)
{
	fake12_read(fake);
	if (alert == 0) {
		if (engine_hs_error(fake->hs) != ENGINE_OK) {
			fail_msg("%s: %s (%s)", what, engine_alert_name(engine_hs_alert(fake->hs)),
				 engine_hs_reason(fake->hs));
		}
		if (!fake12_talks(fake)) {
			fail_msg("%s: no connection", what);
		}
		return;
	}
	if (fake->alert != alert || fake->alert_level != ALERT_LEVEL_FATAL) {
		fail_msg("%s: got %s (%s), wanted %s", what,
			 fake->alert == FAKE12_NO_ALERT ? "none" : engine_alert_name((uint8_t)fake->alert),
			 engine_hs_reason(fake->hs), engine_alert_name((uint8_t)alert));
	}
	assert_false(engine_hs_is_done(fake->hs));
	assert_int_not_equal(engine_hs_error(fake->hs), ENGINE_OK);
	assert_int_equal(fake->conn.version, 0);
}
