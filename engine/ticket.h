/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tickets: a server's sessions, sealed and given to the client to keep.  RFC 5077 4, RFC 8446 4.6.1
 *
 *   key name (16)  salt (16)  nonce (12)  sealed session  tag (16)
 *
 * The session is sealed with AES-256-GCM under HMAC-SHA256(ticket key, salt): a key may live as long as its owner
 * likes, since no number of tickets makes random nonces meet. The configuration's session_id is authenticated with it,
 * so that a ticket of one rule is none to another.
 */
#ifndef ENGINE_TICKET_H
#define ENGINE_TICKET_H

#include "session.h"

/* Longest ticket of ours; what is longer cannot be one. */
#define TICKET_MAX 768

/* Does this server issue tickets: has it a lifetime for them, and a key? */
must_check bool ticket_may_issue(const struct engine_config *config);
/* Write the ticket to out, which is not cleared first. False if there is no key, or if something failed. */
must_check bool ticket_seal(const struct engine_config *config, const struct session *session,
			    struct wr *out);
/* Open one. False if it is not ours, damaged, or no longer fresh: then there is no session. */
must_check bool ticket_open(const struct engine_config *config, struct rd ticket, struct session *session);

#endif
