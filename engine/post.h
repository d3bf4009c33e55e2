/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a peer may say behind the handshake: messages and alerts on an established connection.
 *
 *   post13.c   TLS 1.3: NewSessionTicket, KeyUpdate  RFC 8446 4.6
 *   post12.c   TLS 1.2 and older: HelloRequest, ClientHello  RFC 5246 7.4.1
 *
 * A message may be split over records. All functions belong to the receive direction of a connection.
 */
#ifndef ENGINE_POST_H
#define ENGINE_POST_H

#include "record.h"
#include "wire.h"

/*
 * Weights of records without data, and how much of it in a row is borne: 32 empty records or KeyUpdates, 4 warnings or
 * attempts to renegotiate; a peer that means well sends one or two.
 */
#define POST_FLOOD_LIMIT   32
#define POST_FLOOD_RECORD  1
#define POST_FLOOD_WARNING 7

/* The content of a handshake record: whole messages or pieces of them. *weight: what it counts as. */
enum reason post13_on_handshake(struct engine_conn *conn, const struct suite *suite, struct rd in,
				uint32_t *weight);
/* opened becomes ENGINE_EVENT_RENEGOTIATE if it is one and conn->may_renegotiate. */
enum reason post12_on_handshake(struct engine_conn *conn, struct rd in, uint32_t *weight,
				struct engine_opened *opened);

/*
 * An alert with its level. REASON_PEER_ALERT: it ends the connection; conn->recv_closed is set by close_notify.
 * RFC 8446 6, RFC 5246 7.2
 */
enum reason post13_on_alert(struct engine_conn *conn, uint8_t level, uint8_t description, uint32_t *weight);
enum reason post12_on_alert(struct engine_conn *conn, uint8_t level, uint8_t description, uint32_t *weight);

/*
 * The next byte of a message's header, with which the length of the body is known: true then, and conn->hs_left is
 * set. in must not be empty.
 */
bool post_take_header(struct engine_conn *conn, struct rd *in);
/* As much of the body as the record holds; conn->hs_left is what is missing behind it. */
struct rd post_take_body(struct engine_conn *conn, struct rd *in);
/* Is the next byte one of a header? */
bool post_in_header(const struct engine_conn *conn);

#endif
