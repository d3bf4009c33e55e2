/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz an established connection of any version, with any kind of protection. The input begins with a byte of flags and
 * the number of the protection; then comes a run of steps: type, padding, length of two bytes, content. Each becomes a
 * record under the right keys, so that what stands behind authentication is reached. Two types are special:
 *
 *   255  raw bytes for the wire
 *   254  CBC suites: raw bytes to be encrypted, MAC and padding included
 */
#include <stdlib.h>
#include <string.h>

#include "engine/handshake.h"
#include "engine/record_protect.h"
#include "tests/lib/established.h"
#include "tests/lib/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FLAG_SERVER      1
#define FLAG_RENEGOTIATE 2
#define FLAG_LIMIT       4
#define FLAG_OUT         8 /* to a buffer of its own, not in place */

#define LIMIT 200

static struct established both;
static uint8_t flags;
static enum engine_role to;

static void check(bool ok)
{
	if (!ok) {
		abort();
	}
}

static struct record_cipher_spec peer_spec(uint8_t padding)
{
	const struct engine_conn *conn = &both.conn[1 - to];

	return (struct record_cipher_spec){
		.suite = suite_find(conn->suite),
		.version = conn->version,
		.encrypt_then_mac = conn->encrypt_then_mac,
		.padding = padding,
	};
}

/* What was opened is something that may be. */
static void judge(enum engine_err err, const struct engine_opened *opened, size_t record_len)
{
	const struct engine_conn *conn = &both.conn[to];

	if (err != ENGINE_OK) {
		check(opened->data_len == 0 && engine_conn_reason(conn)[0] != '\0');
		check((engine_alert_due(conn) == 0) == (err == ENGINE_ERR_PEER_ALERT));
		return;
	}
	check(conn->flood <= 32);
	switch (opened->event) {
	case ENGINE_EVENT_DATA:
		check(opened->data_len != 0 && opened->data_len <= record_len);
		check(conn->recv_limit == 0 || opened->data_len <= conn->recv_limit);
		break;
	case ENGINE_EVENT_RENEGOTIATE:
		check(conn->may_renegotiate && conn->version != ENGINE_TLS13 && opened->data_len != 0);
		break;
	default:
		check(opened->data_len == 0);
		break;
	}
}

/* Open it, in memory of its exact size; true if the connection goes on. */
static bool open_record(const uint8_t *wire, size_t len, struct engine_opened *opened)
{
	static uint8_t out[ENGINE_MAX_RECORD];
	uint8_t control[ENGINE_CONTROL_MAX];
	uint8_t *record = malloc(len);
	enum engine_err err;
	size_t control_len;

	check(record != NULL);
	memcpy(record, wire, len);
	err = engine_open(&both.conn[to], both.cipher[to], record, len, out,
			  (flags & FLAG_OUT) != 0 ? sizeof(out) : 0, opened);
	judge(err, opened, len);
	free(record);
	if (err != ENGINE_OK) {
		return false;
	}
	check(engine_control(&both.conn[to], both.cipher[to], control, &control_len) == ENGINE_OK);
	return opened->event != ENGINE_EVENT_CLOSED;
}

/* A caller asks for the length first. Returns how many bytes were taken, 0 if it is over. */
static size_t open_first(const uint8_t *wire, size_t len, struct engine_opened *opened)
{
	size_t n;

	if (len < ENGINE_RECORD_HEADER_LEN) {
		return 0;
	}
	n = engine_record_len(&both.conn[to], wire);
	if (n > len) {
		return 0;
	}
	return open_record(wire, n != 0 ? n : ENGINE_RECORD_HEADER_LEN, opened) ? n : 0;
}

/* Encrypt these blocks as they are; with encrypt-then-MAC, an authentic MAC goes behind. */
static size_t seal_raw_cbc(struct rd content, uint8_t *record)
{
	const struct record_cipher_spec spec = peer_spec(0);
	const size_t iv_len = spec.version == ENGINE_TLS10 ? 0 : CRYPTO_CBC_BLOCK_LEN;
	const size_t mac_len = spec.encrypt_then_mac ? crypto_hash_len(spec.suite->mac) : 0;
	const size_t len = content.left / CRYPTO_CBC_BLOCK_LEN * CRYPTO_CBC_BLOCK_LEN;
	struct engine_keys *keys = &both.conn[1 - to].send;
	struct crypto_cbc_ctx *cbc = record_cipher_cbc(both.cipher[1 - to], spec.suite, keys, true);
	uint8_t *body = record + ENGINE_RECORD_HEADER_LEN;
	uint8_t head[RECORD12_PSEUDO_HEADER_LEN], mac[CRYPTO_MAX_HASH_LEN];
	const struct engine_slice pieces[] = {{head, sizeof(head)}, {body, iv_len + len}};

	memset(body, 0, iv_len);
	check(cbc != NULL &&
	      crypto_cbc_encrypt(cbc, iv_len != 0 ? body : keys->iv, content.p, len, body + iv_len));
	if (mac_len != 0) {
		record12_pseudo_header(keys->seq, CONTENT_APPLICATION_DATA, spec.version, iv_len + len, head);
		check(crypto_hmac_pieces(spec.suite->mac, keys->secret, mac_len, pieces, 2, mac));
		memcpy(body + iv_len + len, mac, mac_len);
	}
	if (iv_len == 0 && len != 0) {
		memcpy(keys->iv, body + len - CRYPTO_CBC_BLOCK_LEN, CRYPTO_CBC_BLOCK_LEN);
	}
	record_build_header(record, CONTENT_APPLICATION_DATA, spec.version, iv_len + len + mac_len);
	keys->seq++;
	return ENGINE_RECORD_HEADER_LEN + iv_len + len + mac_len;
}

/* A record or two as an honest peer seals them: the content comes out the same. */
static bool pass(uint8_t type, uint8_t padding, struct rd content)
{
	static uint8_t record[ENGINE_MAX_RECORD + ENGINE_SEAL_OVERHEAD];
	const struct record_cipher_spec spec = peer_spec(padding);
	const struct engine_slice slice = {content.p, content.left};
	struct engine_opened opened;
	size_t len, done = 0, got = 0;

	if (!record_seal(&spec, &both.conn[1 - to].send, both.cipher[1 - to], type, &slice, 1, record,
			 sizeof(record), &len)) {
		return false;
	}
	while (done < len) {
		const size_t n = open_first(record + done, len - done, &opened);

		if (n == 0) {
			return false;
		}
		if (opened.event == ENGINE_EVENT_DATA) {
			got += opened.data_len;
		}
		done += n;
	}
	check(type != CONTENT_APPLICATION_DATA || got == content.left);
	/* the sender follows a KeyUpdate of its own */
	if (both.conn[to].recv.epoch != both.conn[1 - to].send.epoch) {
		check(keysched13_update_keys(spec.suite, &both.conn[1 - to].send));
	}
	return true;
}

static bool step(uint8_t type, uint8_t padding, struct rd content)
{
	static uint8_t record[ENGINE_MAX_RECORD];
	struct engine_opened opened;

	if (type == 255) {
		return open_first(content.p, content.left, &opened) != 0;
	}
	if (type == 254 && suite_find(both.conn[to].suite)->is_cbc) {
		return open_first(record, seal_raw_cbc(content, record), &opened) != 0;
	}
	return pass(type, padding, content);
}

static void begin(const struct protection *how)
{
	static bool ready;

	if (!ready) {
		check(pair_init() && pair_set_resumption(true));
		ready = true;
	}
	pair_seed(1);
	established_begin(&both, how);
	to = (flags & FLAG_SERVER) != 0 ? ENGINE_SERVER : ENGINE_CLIENT;
	both.conn[to].may_renegotiate = (flags & FLAG_RENEGOTIATE) != 0;
	both.conn[to].recv_limit = (flags & FLAG_LIMIT) != 0 ? LIMIT : 0;
	/* tickets become sessions */
	memset(both.conn[to].session_id, 's', sizeof(both.conn[to].session_id));
	both.conn[to].session_lifetime = 7200;
	both.conn[to].resumable_until = PAIR_NOW + 86400;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in = rd_of(data, size);
	uint8_t number, type, padding;
	struct rd content;

	if (!rd_u8(&in, &flags) || !rd_u8(&in, &number)) {
		return 0;
	}
	begin(&protections[number % n_protections]);
	while (rd_u8(&in, &type) && rd_u8(&in, &padding) &&
	       rd_vec16(&in, &content, 0, ENGINE_MAX_PLAINTEXT) && step(type, padding, content)) {
	}
	return 0;
}
