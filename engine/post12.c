/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Behind the handshake in TLS 1.2 and older: peers that want to renegotiate, and warnings.  RFC 5246 7.2, 7.4.1
 *
 * Implementation notes
 *
 *   With conn->may_renegotiate, the record that begins a renegotiation is handed to the caller whole. Else the message
 *   is skipped, and the send direction answers it with the warning no_renegotiation: control_due crosses over, which
 *   is atomic. The connection goes on then, as RFC 5246 7.2.2 and RFC 5746 4.2, 4.4 want it.
 *
 *   Records of other types may stand between the pieces of such a message: RFC 5246 6.2.1 does not forbid it.
 */
#include "post.h"

#include "handshake.h"

#define HELLO_REQUEST 0

/* The one message that a peer may begin with. */
static uint8_t expected_type(const struct engine_conn *conn)
{
	return conn->role == ENGINE_CLIENT ? HELLO_REQUEST : HS_CLIENT_HELLO;
}

static enum reason judge_message(const struct engine_conn *conn)
{
	if (conn->hs_head[0] != expected_type(conn)) {
		return REASON_POST_HANDSHAKE_TYPE;
	}
	if (conn->hs_left > (conn->role == ENGINE_CLIENT ? 0 : HS_MAX_CLIENT_HELLO)) {
		return REASON_HELLO_LENGTH;
	}
	return REASON_NONE;
}

enum reason post12_on_handshake(struct engine_conn *conn, struct rd in, uint32_t *weight,
				struct engine_opened *opened)
{
	const struct rd whole = in;
	uint8_t type;

	if (!rd_u8(&in, &type)) {
		return REASON_EMPTY_FRAGMENT;
	}
	if (conn->may_renegotiate) {
		*weight = POST_FLOOD_WARNING;
		opened->event = ENGINE_EVENT_RENEGOTIATE;
		opened->data = whole.p;
		opened->data_len = whole.left;
		return type == expected_type(conn) ? REASON_NONE : REASON_POST_HANDSHAKE_TYPE;
	}
	in = whole;
	while (!rd_end(&in)) {
		if (post_in_header(conn)) {
			enum reason reason;

			if (!post_take_header(conn, &in)) {
				continue;
			}
			reason = judge_message(conn);
			if (reason != REASON_NONE) {
				return reason;
			}
			*weight += POST_FLOOD_WARNING;
		}
		(void)post_take_body(conn, &in);
		if (conn->hs_head_len == 0) {
			__atomic_store_n(&conn->control_due, 1, __ATOMIC_RELEASE);
		}
	}
	return REASON_NONE;
}

enum reason post12_on_alert(struct engine_conn *conn, uint8_t level, uint8_t description, uint32_t *weight)
{
	/* whatever level it comes with: there is nothing left that a complaint could keep in order */
	if (description == ALERT_CLOSE_NOTIFY) {
		conn->recv_closed = 1;
		return REASON_NONE;
	}
	if (level != ALERT_LEVEL_WARNING && level != ALERT_LEVEL_FATAL) {
		return REASON_ALERT_LEVEL;
	}
	*weight = POST_FLOOD_WARNING;
	return level == ALERT_LEVEL_FATAL ? REASON_PEER_ALERT : REASON_NONE;
}
