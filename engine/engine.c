/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The established connection: opening and sealing records, what peers say behind the handshake, alerts.
 *
 * Implementation notes
 *
 *   struct engine_conn may lie in memory that two processes share, one of which receives and one sends. The receive
 *   functions touch only the fields under `recv`, the send functions only those under `send`, with one exception: a
 *   peer's request for a KeyUpdate crosses over through key_update_due, which is atomic.
 *
 *   Messages behind the handshake may be split over records. NewSessionTicket is checked and dropped as it comes; of
 *   any message only type, length and a KeyUpdate's one byte are kept: hs_head, hs_head_len (4: the body is coming),
 *   hs_left; of a ticket, the place in it: ticket_field, ticket_head, ticket_left.
 */
#include "engine.h"

#include <string.h>

#include "handshake.h"
#include "keysched13.h"
#include "record.h"
#include "secret.h"

_Static_assert(sizeof(struct engine_conn) < 512, "an established connection stays small");

/*
 * Weights of records without data, and how much of it in a row is borne. 32 empty records or KeyUpdates, 4 times
 * user_canceled; a peer that means well sends one or two.
 */
#define FLOOD_LIMIT         32
#define FLOOD_RECORD        1
#define FLOOD_USER_CANCELED 8

#define HANDSHAKE_HEADER_LEN 4
/* Three vectors of at most 2^16 bytes, two numbers: RFC 8446 4.6.1. */
#define MIN_TICKET_LEN       (4 + 4 + 1 + 2 + 1 + 2)
#define MAX_TICKET_LEN       (4 + 4 + 1 + 255 + 2 + 65535 + 2 + 65534)

/* ---- receiving ---- */

static enum engine_err recv_fail(struct engine_conn *conn, enum reason reason)
{
	conn->recv_reason = (uint8_t)reason;
	conn->recv_alert = reason_alert(reason);
	if (conn->recv_alert == ALERT_BAD_RECORD_MAC) {
		conn->recv_err = ENGINE_ERR_BAD_RECORD;
	} else if (conn->recv_alert == ALERT_INTERNAL_ERROR) {
		conn->recv_err = ENGINE_ERR_INTERNAL;
	} else {
		conn->recv_err = ENGINE_ERR_PROTOCOL;
	}
	return conn->recv_err;
}

/* What is wrong with a record's header, if anything. RFC 8446 5.2 */
static enum reason judge_header(const struct record_header *header)
{
	if (header->type != CONTENT_APPLICATION_DATA) {
		return REASON_RECORD_TYPE;
	}
	if (header->version != RECORD_VERSION) {
		return REASON_RECORD_VERSION;
	}
	if (header->length > RECORD13_MAX_CIPHERTEXT) {
		return REASON_RECORD_OVERFLOW;
	}
	return REASON_NONE;
}

size_t engine_record_len(const struct engine_conn *conn, const uint8_t wire[static ENGINE_RECORD_HEADER_LEN])
{
	struct record_header header;

	(void)conn; /* TLS 1.2 will have other bounds */
	record_parse_header(wire, &header);
	if (judge_header(&header) != REASON_NONE) {
		return 0;
	}
	return ENGINE_RECORD_HEADER_LEN + header.length;
}

/* RFC 8446 6 */
static enum reason on_alert(struct engine_conn *conn, const struct record_opened *in, uint32_t *weight)
{
	if (in->len != ALERT_LEN) {
		return in->len == 0 ? REASON_EMPTY_FRAGMENT : REASON_ALERT_LENGTH;
	}
	switch (in->data[1]) {
	case ALERT_CLOSE_NOTIFY:
		conn->recv_closed = 1;
		return REASON_NONE;
	case ALERT_USER_CANCELED:
		*weight = FLOOD_USER_CANCELED;
		return REASON_NONE;
	default:
		/* the level is of no concern, RFC 8446 6.2 */
		return REASON_PEER_ALERT;
	}
}

/* The first four bytes of a message behind the handshake are there. RFC 8446 4.6 */
static enum reason judge_message(const struct engine_conn *conn, uint32_t len)
{
	switch (conn->hs_head[0]) {
	case HS_NEW_SESSION_TICKET:
		if (conn->role != ENGINE_CLIENT) {
			return REASON_POST_HANDSHAKE_TYPE;
		}
		return len < MIN_TICKET_LEN || len > MAX_TICKET_LEN ? REASON_POST_HANDSHAKE_LENGTH
								    : REASON_NONE;
	case HS_KEY_UPDATE:
		return len != 1 ? REASON_KEY_UPDATE_LENGTH : REASON_NONE;
	default:
		/* post_handshake_auth is never offered, so CertificateRequest is as wrong as the rest */
		return REASON_POST_HANDSHAKE_TYPE;
	}
}

/* The fields of a NewSessionTicket: bytes to skip, then a length, then a body of that length. RFC 8446 4.6.1 */
static const struct ticket_field {
	uint8_t skip, length_len;
	uint16_t min, max;
} ticket_fields[] = {
	{8, 1, 0, UINT8_MAX},      /* ticket_lifetime, ticket_age_add; ticket_nonce */
	{0, 2, 1, UINT16_MAX},     /* ticket */
	{0, 2, 0, UINT16_MAX - 1}, /* extensions: the body is taken apart by the next row */
	{2, 2, 0, UINT16_MAX},     /* extension_type; extension_data; as often as it comes */
};
#define TICKET_EXTENSIONS 2
#define TICKET_EXTENSION  3

static void next_ticket_field(struct engine_conn *conn)
{
	if (conn->ticket_field < TICKET_EXTENSION) {
		conn->ticket_field++;
	}
	conn->ticket_head = 0;
	conn->ticket_left = 0;
}

/* The next bytes of a NewSessionTicket, behind which hs_left bytes are to come. False if they cannot be right. */
static bool on_ticket(struct engine_conn *conn, struct rd in)
{
	while (!rd_end(&in)) {
		const struct ticket_field *field = &ticket_fields[conn->ticket_field];
		struct rd body;
		uint8_t byte;

		if (conn->ticket_head == field->skip + field->length_len) {
			if (!rd_bytes(&in, &body,
				      conn->ticket_left < in.left ? conn->ticket_left : in.left)) {
				return false;
			}
			conn->ticket_left = (uint16_t)(conn->ticket_left - body.left);
			if (conn->ticket_left == 0) {
				next_ticket_field(conn);
			}
			continue;
		}
		if (!rd_u8(&in, &byte)) {
			return false;
		}
		if (++conn->ticket_head > field->skip) {
			conn->ticket_left = (uint16_t)(conn->ticket_left << 8 | byte);
		}
		if (conn->ticket_head < field->skip + field->length_len) {
			continue;
		}
		if (conn->ticket_left < field->min || conn->ticket_left > field->max ||
		    (conn->ticket_field == TICKET_EXTENSIONS &&
		     conn->ticket_left != in.left + conn->hs_left)) {
			return false;
		}
		if (conn->ticket_left == 0 || conn->ticket_field == TICKET_EXTENSIONS) {
			next_ticket_field(conn);
		}
	}
	return conn->hs_left != 0 || (conn->ticket_field == TICKET_EXTENSION && conn->ticket_head == 0);
}

/* RFC 8446 4.6.3 */
static enum reason on_key_update(struct engine_conn *conn, const struct suite *suite, uint8_t request_update)
{
	if (request_update > 1) {
		return REASON_KEY_UPDATE_VALUE;
	}
	if (!keysched13_update_keys(suite, &conn->recv)) {
		return REASON_INTERNAL;
	}
	if (request_update == 1) {
		__atomic_store_n(&conn->key_update_due, 1, __ATOMIC_RELEASE);
	}
	return REASON_NONE;
}

/* A handshake record: pieces of messages, in order. */
static enum reason on_handshake(struct engine_conn *conn, const struct suite *suite, struct rd in,
				uint32_t *weight)
{
	if (rd_end(&in)) {
		return REASON_EMPTY_FRAGMENT;
	}
	while (!rd_end(&in)) {
		struct rd piece;

		if (conn->hs_head_len < HANDSHAKE_HEADER_LEN) {
			struct rd head;
			uint32_t len = 0;
			enum reason reason;

			if (!rd_u8(&in, &conn->hs_head[conn->hs_head_len])) {
				return REASON_INTERNAL;
			}
			if (++conn->hs_head_len < HANDSHAKE_HEADER_LEN) {
				continue;
			}
			head = rd_of(conn->hs_head + 1, 3);
			if (!rd_u24(&head, &len)) {
				return REASON_INTERNAL;
			}
			reason = judge_message(conn, len);
			if (reason != REASON_NONE) {
				return reason;
			}
			conn->hs_left = len;
			conn->ticket_field = 0;
			conn->ticket_head = 0;
			conn->ticket_left = 0;
			continue;
		}
		if (!rd_bytes(&in, &piece, conn->hs_left < in.left ? conn->hs_left : in.left)) {
			return REASON_INTERNAL;
		}
		conn->hs_left -= (uint32_t)piece.left;
		if (conn->hs_head[0] == HS_NEW_SESSION_TICKET && !on_ticket(conn, piece)) {
			return REASON_POST_HANDSHAKE_LENGTH;
		}
		if (conn->hs_left != 0) {
			break;
		}
		conn->hs_head_len = 0;
		if (conn->hs_head[0] == HS_KEY_UPDATE) {
			*weight = FLOOD_RECORD;
			/* RFC 8446 5.1: what precedes a key change ends its record */
			return rd_end(&in) ? on_key_update(conn, suite, piece.p[0])
					   : REASON_KEY_UPDATE_BOUNDARY;
		}
	}
	return REASON_NONE;
}

/* Act on an authentic record. */
static enum reason on_record(struct engine_conn *conn, const struct suite *suite,
			     const struct record_opened *in, struct engine_opened *opened)
{
	enum reason reason = REASON_NONE;
	uint32_t weight = 0;

	opened->event = ENGINE_EVENT_NOTHING;
	if (conn->hs_head_len != 0 && in->type != CONTENT_HANDSHAKE) {
		return REASON_INTERLEAVED;
	}
	switch (in->type) {
	case CONTENT_APPLICATION_DATA:
		if (in->len != 0) {
			opened->event = ENGINE_EVENT_DATA;
			opened->data = in->data;
			opened->data_len = in->len;
			conn->flood = 0;
			return REASON_NONE;
		}
		weight = FLOOD_RECORD;
		break;
	case CONTENT_HANDSHAKE:
		reason = on_handshake(conn, suite, rd_of(in->data, in->len), &weight);
		break;
	case CONTENT_ALERT:
		reason = on_alert(conn, in, &weight);
		if (conn->recv_closed) {
			opened->event = ENGINE_EVENT_CLOSED;
		}
		break;
	default:
		return REASON_RECORD_INNER_TYPE;
	}
	if (reason != REASON_NONE) {
		return reason;
	}
	conn->flood += weight;
	return conn->flood > FLOOD_LIMIT ? REASON_FLOOD : REASON_NONE;
}

enum engine_err engine_open(struct engine_conn *conn, struct engine_cipher *cipher, uint8_t *record,
			    size_t len, uint8_t *out, size_t out_len, struct engine_opened *opened)
{
	const struct suite *suite = suite_find(conn->suite);
	struct record_opened in = {.len = 0};
	struct record_header header;
	enum reason reason;

	*opened = (struct engine_opened){.event = ENGINE_EVENT_NOTHING};
	if (conn->recv_err != ENGINE_OK) {
		return conn->recv_err;
	}
	if (conn->recv_closed) {
		/* RFC 8446 6.1: what comes behind close_notify is ignored */
		opened->event = ENGINE_EVENT_CLOSED;
		return ENGINE_OK;
	}
	if (conn->version != ENGINE_TLS13 || suite == NULL || len < ENGINE_RECORD_HEADER_LEN) {
		return recv_fail(conn, REASON_INTERNAL);
	}
	record_parse_header(record, &header);
	reason = judge_header(&header);
	if (reason == REASON_NONE && header.length != len - ENGINE_RECORD_HEADER_LEN) {
		reason = REASON_INTERNAL;
	}
	if (reason == REASON_NONE) {
		if (out_len < header.length) {
			out = NULL;
		}
		reason = record13_open(suite, &conn->recv, cipher, record, len, out, &in);
	}
	if (reason == REASON_NONE) {
		reason = on_record(conn, suite, &in, opened);
		if (reason == REASON_PEER_ALERT) {
			conn->recv_err = ENGINE_ERR_PEER_ALERT;
			conn->recv_alert = in.data[1];
			conn->recv_reason = REASON_PEER_ALERT;
			return conn->recv_err;
		}
	}
	if (reason != REASON_NONE) {
		secret_wipe(in.data, in.len);
		*opened = (struct engine_opened){.event = ENGINE_EVENT_NOTHING};
		return recv_fail(conn, reason);
	}
	return ENGINE_OK;
}

uint8_t engine_alert_due(const struct engine_conn *conn)
{
	if (conn->recv_err == ENGINE_OK || conn->recv_err == ENGINE_ERR_PEER_ALERT) {
		return 0;
	}
	return conn->recv_alert;
}

const char *engine_conn_reason(const struct engine_conn *conn)
{
	if (conn->recv_reason == REASON_PEER_ALERT) {
		return alert_from_peer_text(conn->recv_alert);
	}
	return reason_text((enum reason)conn->recv_reason);
}

/* ---- sending ---- */

enum engine_err engine_seal(struct engine_conn *conn, struct engine_cipher *cipher,
			    const struct engine_slice *plain, size_t n_plain, uint8_t *out, size_t out_size,
			    size_t *out_len)
{
	const struct suite *suite = suite_find(conn->suite);

	*out_len = 0;
	if (conn->version != ENGINE_TLS13 || suite == NULL || conn->send_closed ||
	    !record13_seal(suite, &conn->send, cipher, CONTENT_APPLICATION_DATA, plain, n_plain, out,
			   out_size, out_len)) {
		return ENGINE_ERR_INTERNAL;
	}
	return ENGINE_OK;
}

size_t engine_max_plaintext(const struct engine_conn *conn)
{
	return conn->send_limit != 0 ? conn->send_limit : ENGINE_MAX_PLAINTEXT;
}

struct engine_send_mark engine_send_mark(const struct engine_conn *conn)
{
	struct engine_send_mark mark = {.seq = conn->send.seq};

	memcpy(mark.iv, conn->send.iv, sizeof(mark.iv));
	return mark;
}

void engine_send_rewind(struct engine_conn *conn, const struct engine_send_mark *mark)
{
	/* only ever back: numbers that were skipped would be records that the peer misses */
	if (mark->seq < conn->send.seq) {
		conn->send.seq = mark->seq;
		memcpy(conn->send.iv, mark->iv, sizeof(mark->iv));
	}
}

bool engine_control_due(const struct engine_conn *conn)
{
	const struct suite *suite = suite_find(conn->suite);

	if (conn->version != ENGINE_TLS13 || suite == NULL || conn->send_closed) {
		return false;
	}
	return __atomic_load_n(&conn->key_update_due, __ATOMIC_ACQUIRE) != 0 ||
	       conn->send.seq >= suite->soft_limit;
}

enum engine_err engine_control(struct engine_conn *conn, struct engine_cipher *cipher,
			       uint8_t out[static ENGINE_CONTROL_MAX], size_t *out_len)
{
	/* KeyUpdate, update_not_requested */
	static const uint8_t key_update[] = {HS_KEY_UPDATE, 0, 0, 1, 0};
	const struct engine_slice slice = {key_update, sizeof(key_update)};
	const struct suite *suite = suite_find(conn->suite);

	*out_len = 0;
	if (!engine_control_due(conn)) {
		return ENGINE_OK;
	}
	/* cleared before: a request that comes meanwhile is answered by the next call */
	__atomic_store_n(&conn->key_update_due, 0, __ATOMIC_RELEASE);
	if (!record13_seal(suite, &conn->send, cipher, CONTENT_HANDSHAKE, &slice, 1, out, ENGINE_CONTROL_MAX,
			   out_len) ||
	    !keysched13_update_keys(suite, &conn->send)) {
		*out_len = 0;
		conn->send_closed = 1;
		return ENGINE_ERR_INTERNAL;
	}
	return ENGINE_OK;
}

enum engine_err engine_seal_alert(struct engine_conn *conn, struct engine_cipher *cipher, uint8_t alert,
				  uint8_t out[static ENGINE_CONTROL_MAX], size_t *out_len)
{
	const uint8_t body[ALERT_LEN] = {
		alert == ALERT_CLOSE_NOTIFY ? ALERT_LEVEL_WARNING : ALERT_LEVEL_FATAL, alert};
	const struct engine_slice slice = {body, sizeof(body)};
	const struct suite *suite = suite_find(conn->suite);

	*out_len = 0;
	if (conn->send_closed) {
		return ENGINE_OK;
	}
	conn->send_closed = 1;
	if (conn->version != ENGINE_TLS13 || suite == NULL ||
	    !record13_seal(suite, &conn->send, cipher, CONTENT_ALERT, &slice, 1, out, ENGINE_CONTROL_MAX,
			   out_len)) {
		return ENGINE_ERR_INTERNAL;
	}
	return ENGINE_OK;
}

void engine_conn_wipe(struct engine_conn *conn)
{
	secret_wipe(&conn->recv, sizeof(conn->recv));
	secret_wipe(&conn->send, sizeof(conn->send));
	conn->send_closed = 1;
	/* keys of zeros must never open anything */
	if (conn->recv_err == ENGINE_OK && !conn->recv_closed) {
		(void)recv_fail(conn, REASON_WIPED);
	}
}
