/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the client of TLS 1.2 and older shares between its files: key exchange and resumption.
 */
#ifndef ENGINE_CLIENT12_H
#define ENGINE_CLIENT12_H

#include "ext.h"

/* ---- client12_kex.c ---- */

/*
 * Judge the server's ServerKeyExchange: its parameters, its signature. Answers it: our share goes to
 * hs->shares[0], the premaster secret to hs->hs12.  RFC 5246 7.4.3, RFC 8422 5.4
 */
must_check bool client12_take_key_exchange(struct engine_hs *hs, struct rd body);
/* Build ClientKeyExchange and make the master secret.  RFC 5246 7.4.7, RFC 8422 5.7 */
must_check bool client12_send_key_exchange(struct engine_hs *hs);

/* ---- client12_session.c ---- */

/*
 * Offer a session of the store's, if there is one: hs->session, hs->session_id. False if random numbers are
 * out.
 */
must_check bool client12_offer_session(struct engine_hs *hs);
/* Build session_ticket, if sessions are kept: it is what asks for tickets.  RFC 5077 3.2 */
void client12_build_session_ticket(struct engine_hs *hs, struct wr *out);
/* The server takes the session up: is it the one that was offered? Then hs is what it says.  RFC 7627 5.3 */
must_check bool client12_judge_resumption(struct engine_hs *hs);
/* The body of NewSessionTicket; an empty ticket takes the announcement back.  RFC 5077 3.3 */
must_check bool client12_take_ticket(struct engine_hs *hs, struct rd in);
/* All is proven: keep what a later handshake can resume, the new session or the new ticket of the old one. */
void client12_keep_session(const struct engine_hs *hs);

#endif
