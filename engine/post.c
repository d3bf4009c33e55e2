/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cutting the records behind the handshake into messages.
 *
 * Implementation notes
 *
 *   Bodies are not collected. Of a message that is split over records, type and length are kept: hs_head, hs_head_len
 *   (4: the body is coming), hs_left.
 */
#include "post.h"

#include "handshake.h"

bool post_in_header(const struct engine_conn *conn)
{
	return conn->hs_head_len < HS_HEADER_LEN;
}

bool post_take_header(struct engine_conn *conn, struct rd *in)
{
	struct rd len;

	if (!rd_u8(in, &conn->hs_head[conn->hs_head_len]) || ++conn->hs_head_len < HS_HEADER_LEN) {
		return false;
	}
	len = rd_of(conn->hs_head + 1, HS_HEADER_LEN - 1);
	return rd_u24(&len, &conn->hs_left);
}

struct rd post_take_body(struct engine_conn *conn, struct rd *in)
{
	struct rd piece = rd_of(NULL, 0);

	if (rd_bytes(in, &piece, conn->hs_left < in->left ? conn->hs_left : in->left)) {
		conn->hs_left -= (uint32_t)piece.left;
	}
	if (conn->hs_left == 0) {
		conn->hs_head_len = 0;
	}
	return piece;
}
