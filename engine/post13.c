/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Behind the handshake in TLS 1.3: NewSessionTicket, KeyUpdate, alerts.  RFC 8446 4.6, 6
 *
 * Implementation notes
 *
 *   A NewSessionTicket is checked as it comes; the place in it is kept in ticket_field, ticket_head, ticket_left. One
 *   that is split over records is not made a session of: that would need a buffer. Nor is an extension noticed
 *   then that comes twice.
 *
 *   A peer's request for a KeyUpdate crosses over to the send direction through control_due, which is atomic.
 */
#include "post.h"

#include "ext.h"
#include "handshake.h"
#include "keysched13.h"
#include "session.h"

/* Three vectors of at most 2^16 bytes, two numbers: RFC 8446 4.6.1. */
#define MIN_TICKET_LEN (4 + 4 + 1 + 2 + 1 + 2)
#define MAX_TICKET_LEN (4 + 4 + 1 + 255 + 2 + 65535 + 2 + 65534)

/* The header of a message is there. RFC 8446 4.6 */
static enum reason judge_message(const struct engine_conn *conn)
{
	switch (conn->hs_head[0]) {
	case HS_NEW_SESSION_TICKET:
		if (conn->role != ENGINE_CLIENT) {
			return REASON_POST_HANDSHAKE_TYPE;
		}
		return conn->hs_left < MIN_TICKET_LEN || conn->hs_left > MAX_TICKET_LEN
			       ? REASON_POST_HANDSHAKE_LENGTH
			       : REASON_NONE;
	case HS_KEY_UPDATE:
		return conn->hs_left != 1 ? REASON_KEY_UPDATE_LENGTH : REASON_NONE;
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
	{2, 2, 4, 4},              /* the same, and it is early_data: max_early_data_size */
};
#define TICKET_EXTENSIONS 2
#define TICKET_EXTENSION  3
#define TICKET_EARLY_DATA 4
#define TYPE_EARLY_DATA   42

static void next_ticket_field(struct engine_conn *conn)
{
	conn->ticket_field =
		(uint8_t)(conn->ticket_field < TICKET_EXTENSION ? conn->ticket_field + 1 : TICKET_EXTENSION);
	conn->ticket_head = 0;
	conn->ticket_left = 0;
}

/* extension_type is there, in ticket_left, where the length comes next. False if it may not stand here: RFC 8446 4.2 */
static bool take_extension_type(struct engine_conn *conn)
{
	const uint16_t type = conn->ticket_left;

	conn->ticket_left = 0;
	if (type == TYPE_EARLY_DATA) {
		conn->ticket_field = TICKET_EARLY_DATA;
	}
	return ext_may_stand(EXT_IN_NEW_SESSION_TICKET, type);
}

/* The next bytes of a NewSessionTicket, behind which hs_left bytes are to come: what is wrong with them. */
static enum reason on_ticket(struct engine_conn *conn, struct rd in)
{
	while (!rd_end(&in)) {
		const struct ticket_field *field = &ticket_fields[conn->ticket_field];
		struct rd body;
		uint8_t byte;

		if (conn->ticket_head == field->skip + field->length_len) {
			if (!rd_bytes(&in, &body,
				      conn->ticket_left < in.left ? conn->ticket_left : in.left)) {
				return REASON_INTERNAL;
			}
			conn->ticket_left = (uint16_t)(conn->ticket_left - body.left);
			if (conn->ticket_left == 0) {
				next_ticket_field(conn);
			}
			continue;
		}
		if (!rd_u8(&in, &byte)) {
			return REASON_INTERNAL;
		}
		/* what is skipped in front of an extension is its type */
		if (++conn->ticket_head > field->skip || conn->ticket_field >= TICKET_EXTENSION) {
			conn->ticket_left = (uint16_t)(conn->ticket_left << 8 | byte);
		}
		if (conn->ticket_head < field->skip + field->length_len) {
			if (conn->ticket_field == TICKET_EXTENSION && conn->ticket_head == field->skip &&
			    !take_extension_type(conn)) {
				return REASON_TICKET_EXTENSION;
			}
			continue;
		}
		if (conn->ticket_left < field->min || conn->ticket_left > field->max ||
		    (conn->ticket_field == TICKET_EXTENSIONS &&
		     conn->ticket_left != in.left + conn->hs_left)) {
			return REASON_POST_HANDSHAKE_LENGTH;
		}
		if (conn->ticket_left == 0 || conn->ticket_field == TICKET_EXTENSIONS) {
			next_ticket_field(conn);
		}
	}
	return conn->hs_left != 0 || (conn->ticket_field == TICKET_EXTENSION && conn->ticket_head == 0)
		       ? REASON_NONE
		       : REASON_POST_HANDSHAKE_LENGTH;
}

/* RFC 8446 4.6.3 */
static enum reason take_key_update(struct engine_conn *conn, const struct suite *suite, struct rd body)
{
	uint8_t request_update;

	if (!rd_u8(&body, &request_update)) {
		return REASON_INTERNAL;
	}
	if (request_update > 1) {
		return REASON_KEY_UPDATE_VALUE;
	}
	if (!keysched13_update_keys(suite, &conn->recv)) {
		return REASON_INTERNAL;
	}
	if (request_update == 1) {
		__atomic_store_n(&conn->control_due, 1, __ATOMIC_RELEASE);
	}
	return REASON_NONE;
}

enum reason post13_on_handshake(struct engine_conn *conn, const struct suite *suite, struct rd in,
				uint32_t *weight)
{
	enum reason reason = REASON_NONE;

	if (rd_end(&in)) {
		return REASON_EMPTY_FRAGMENT;
	}
	while (reason == REASON_NONE && !rd_end(&in)) {
		struct rd piece;
		bool is_start;

		if (post_in_header(conn)) {
			if (post_take_header(conn, &in)) {
				reason = judge_message(conn);
				conn->ticket_field = 0;
				conn->ticket_head = 0;
				conn->ticket_left = 0;
			}
			continue;
		}
		is_start = conn->ticket_field == 0 && conn->ticket_head == 0;
		piece = post_take_body(conn, &in);
		if (conn->hs_head[0] == HS_KEY_UPDATE) {
			*weight = POST_FLOOD_RECORD;
			/* RFC 8446 5.1: what precedes a key change ends its record */
			reason = rd_end(&in) ? take_key_update(conn, suite, piece)
					     : REASON_KEY_UPDATE_BOUNDARY;
		} else {
			reason = on_ticket(conn, piece);
			if (reason == REASON_NONE && is_start && conn->hs_left == 0) {
				reason = session13_take_ticket(conn, piece);
			}
		}
	}
	return reason;
}

enum reason post13_on_alert(struct engine_conn *conn, uint8_t level, uint8_t description, uint32_t *weight)
{
	/* of no concern, RFC 8446 6.2 */
	(void)level;
	switch (description) {
	case ALERT_CLOSE_NOTIFY:
		conn->recv_closed = 1;
		return REASON_NONE;
	case ALERT_USER_CANCELED:
		*weight = POST_FLOOD_WARNING;
		return REASON_NONE;
	default:
		return REASON_PEER_ALERT;
	}
}
