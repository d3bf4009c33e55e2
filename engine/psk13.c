/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resumption in TLS 1.3: tickets become sessions, sessions become pre-shared keys.  RFC 8446 2.2, 4.2.11, 4.6.1
 */
#include <string.h>

#include "session.h"

/* ---- the client keeps a ticket ---- */

/* struct NewSessionTicket, RFC 8446 4.6.1 */
struct new_session_ticket {
	uint32_t ticket_lifetime;
	uint32_t ticket_age_add;
	struct rd ticket_nonce;
	struct rd ticket;
	struct rd extensions;
};

static bool parse_ticket(struct rd in, struct new_session_ticket *message)
{
	return rd_u32(&in, &message->ticket_lifetime) && rd_u32(&in, &message->ticket_age_add) &&
	       rd_vec8(&in, &message->ticket_nonce, 0, UINT8_MAX) &&
	       rd_vec16(&in, &message->ticket, 1, UINT16_MAX) &&
	       rd_vec16(&in, &message->extensions, 0, UINT16_MAX - 1) && rd_end(&in);
}

/* What conn knows of the handshake that the ticket stands for. */
static void describe(const struct engine_conn *conn, struct session *session)
{
	session->version = conn->version;
	session->suite = conn->suite;
	session->peer_is_authenticated = conn->peer_is_authenticated != 0;
	session->issued = engine_now();
	session->established = conn->established;
	session->alpn_len = conn->alpn_len;
	memcpy(session->alpn, conn->alpn, sizeof(session->alpn));
	memcpy(session->peer_subject, conn->peer_subject, sizeof(conn->peer_subject) - 1);
}

void session13_keep_ticket(const struct engine_conn *conn, struct rd body)
{
	const struct suite *suite = suite_find(conn->suite);
	struct new_session_ticket message;
	struct session session;

	/* a lifetime of 0: to be thrown away at once */
	if (suite == NULL || !parse_ticket(body, &message) || message.ticket_lifetime == 0 ||
	    message.ticket.left > sizeof(session.ticket)) {
		return;
	}
	memset(&session, 0, sizeof(session));
	describe(conn, &session);
	session.lifetime = message.ticket_lifetime < conn->session_lifetime ? message.ticket_lifetime
									     : conn->session_lifetime;
	session.age_add = message.ticket_age_add;
	session.secret_len = (uint8_t)crypto_hash_len(suite->hash);
	session.ticket_len = (uint16_t)message.ticket.left;
	if (rd_copy(&message.ticket, session.ticket, message.ticket.left) &&
	    keysched13_ticket_psk(suite->hash, conn->resumption_secret, message.ticket_nonce.p,
				  message.ticket_nonce.left, session.secret)) {
		session_put(conn->session_id, &session);
	}
	session_wipe(&session);
}
