/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A man in the middle of a pair who has the keys.
 */
#include "tests/lib/middle.h"

#include <stdlib.h>
#include <string.h>

#define WIRE_MAX (256 * 1024)

bool middle_init(struct middle *middle, struct pair *pair, enum engine_role to,
		 bool (*on)(struct middle *middle, uint16_t type, struct rd whole), void *context)
{
	memset(middle, 0, sizeof(*middle));
	middle->pair = pair;
	middle->to = to;
	middle->on = on;
	middle->context = context;
	middle->in_cipher = engine_cipher_new();
	middle->out_cipher = engine_cipher_new();
	wr_init_heap(&middle->message);
	return middle->in_cipher != NULL && middle->out_cipher != NULL;
}

void middle_free(struct middle *middle)
{
	engine_cipher_free(middle->in_cipher);
	engine_cipher_free(middle->out_cipher);
	wr_free(&middle->message);
}

static struct engine_hs *receiver(const struct middle *middle)
{
	return middle->pair->hs[middle->to];
}

static bool has_ended(const struct middle *middle)
{
	return engine_hs_is_done(receiver(middle)) || engine_hs_error(receiver(middle)) != ENGINE_OK;
}

/* Has the receiver changed its keys? Then the sender has, and begins to count anew. */
static void follow_keys(struct middle *middle)
{
	const struct engine_hs *hs = receiver(middle);

	middle->is_protected = hs->recv_cipher != NULL;
	if (middle->is_protected && memcmp(middle->key, hs->recv.key, sizeof(middle->key)) != 0) {
		memcpy(middle->key, hs->recv.key, sizeof(middle->key));
		middle->in = hs->recv;
	}
}

bool middle_send(struct middle *middle, uint8_t type, const uint8_t *content, size_t len)
{
	static uint8_t out[ENGINE_MAX_RECORD + ENGINE_SEAL_OVERHEAD];
	const struct engine_hs *hs = receiver(middle);
	const struct engine_slice slice = {content, len};
	size_t out_len = ENGINE_RECORD_HEADER_LEN + len;

	if (has_ended(middle)) {
		return false;
	}
	/* ChangeCipherSpec of TLS 1.3 is never protected */
	if (hs->recv_cipher != NULL &&
	    (hs->recv_spec.version != ENGINE_TLS13 || type != CONTENT_CHANGE_CIPHER_SPEC)) {
		struct engine_keys keys = hs->recv;

		if (!record_seal(&hs->recv_spec, &keys, middle->out_cipher, type, &slice, 1, out, sizeof(out),
				 &out_len)) {
			return false;
		}
	} else {
		if (len > ENGINE_MAX_PLAINTEXT) {
			return false;
		}
		record_build_header(
			out, type,
			hs->version != 0 && hs->version < ENGINE_TLS13 ? hs->version : RECORD_VERSION, len);
		if (len != 0) {
			memcpy(out + ENGINE_RECORD_HEADER_LEN, content, len);
		}
	}
	(void)!pair_give(middle->pair, middle->to, out, out_len);
	return !has_ended(middle);
}

bool middle_pass(struct middle *middle, uint16_t type, struct rd whole)
{
	struct rd piece;

	if (type == HS_CHANGE_CIPHER_SPEC) {
		return middle_send(middle, CONTENT_CHANGE_CIPHER_SPEC, whole.p, whole.left);
	}
	while (!rd_end(&whole)) {
		if (!rd_bytes(&whole, &piece,
			      whole.left < ENGINE_MAX_PLAINTEXT ? whole.left : ENGINE_MAX_PLAINTEXT) ||
		    !middle_send(middle, CONTENT_HANDSHAKE, piece.p, piece.left)) {
			return false;
		}
	}
	return true;
}

/* Cut into messages. Each sees the receiver's keys as the one before has left them. */
static bool take_messages(struct middle *middle, struct rd content)
{
	wr_bytes(&middle->message, content.p, content.left);
	while (true) {
		struct rd peek = rd_of(middle->message.data, middle->message.len);
		struct rd whole = peek;
		struct rd body;
		uint8_t type;
		bool ok;

		if (!rd_u8(&peek, &type) || !rd_vec24(&peek, &body, 0, HS_MAX_CLIENT_HELLO)) {
			return true;
		}
		whole.left = HS_HEADER_LEN + body.left;
		ok = middle->on(middle, type, whole);
		wr_drop(&middle->message, whole.left);
		if (!ok) {
			return false;
		}
	}
}

static bool take_record(struct middle *middle, uint8_t *record, size_t len)
{
	const struct engine_hs *hs = receiver(middle);
	struct record_opened opened = {.type = record[0],
				       .data = record + ENGINE_RECORD_HEADER_LEN,
				       .len = len - ENGINE_RECORD_HEADER_LEN};

	follow_keys(middle);
	if (middle->is_protected &&
	    (hs->recv_spec.version != ENGINE_TLS13 || record[0] == CONTENT_APPLICATION_DATA)) {
		const uint8_t type = record[0];

		/* sealed under other keys than the receiver has: behind a change that did not reach it */
		if (record_open(&hs->recv_spec, &middle->in, middle->in_cipher, record, len, NULL, &opened) !=
		    REASON_NONE) {
			return false;
		}
		if (hs->recv_spec.version != ENGINE_TLS13) {
			opened.type = type;
		}
	}
	switch (opened.type) {
	case CONTENT_HANDSHAKE:
		return take_messages(middle, rd_of(opened.data, opened.len));
	case CONTENT_CHANGE_CIPHER_SPEC:
		return middle->on(middle, HS_CHANGE_CIPHER_SPEC, rd_of(opened.data, opened.len));
	default:
		return middle_send(middle, opened.type, opened.data, opened.len);
	}
}

bool middle_turn(struct middle *middle)
{
	static uint8_t wire[WIRE_MAX];
	const enum engine_role from = middle->to == ENGINE_CLIENT ? ENGINE_SERVER : ENGINE_CLIENT;
	struct rd in, record;
	size_t len;
	const uint8_t *bytes = pair_take(middle->pair, from, &len);

	if (len > sizeof(wire)) {
		abort();
	}
	memcpy(wire, bytes, len);
	for (in = rd_of(wire, len); !rd_end(&in);) {
		struct record_header header;

		record_parse_header(in.p, &header);
		if (!rd_bytes(&in, &record, ENGINE_RECORD_HEADER_LEN + header.length)) {
			abort();
		}
		if (has_ended(middle) || !take_record(middle, wire + (record.p - wire), record.left)) {
			return false;
		}
	}
	return true;
}
