/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the server of TLS 1.2 and older.
 *
 *   server12.c           the table, the handlers, our flights
 *   server12_hello.c     ClientHello: what it offers, and what is chosen of it
 *   server12_kex.c       ServerKeyExchange and ClientKeyExchange
 *   server12_session.c   resumption
 */
#ifndef ENGINE_SERVER12_H
#define ENGINE_SERVER12_H

#include "ext.h"
#include "flight12.h"
#include "hello.h"
#include "ticket.h"

/* What a ClientHello says, as far as TLS 1.2 and older care. Views into the message. */
struct offer12 {
	const struct client_hello *hello;
	const struct ext_block *block;
	struct rd schemes;       /* signature_algorithms; empty: it did not come */
	struct rd chain_schemes; /* signature_algorithms_cert, else the same as schemes */
	struct rd groups;        /* supported_groups; empty: it did not come */
	bool has_scsv;           /* TLS_EMPTY_RENEGOTIATION_INFO_SCSV, RFC 5746 3.3 */
	bool wants_ocsp;         /* status_request of type ocsp */
	uint16_t size_limit;     /* record_size_limit; 0: it did not come */
};

/* Take the offer apart and hold it against the rules, whatever we then choose. */
must_check bool server12_take_offer(struct engine_hs *hs, const struct client_hello *hello,
				    const struct ext_block *block, struct offer12 *offer);
/* Choose for a full handshake: suite, group, credential and its scheme. */
must_check bool server12_negotiate(struct engine_hs *hs, const struct offer12 *offer);

/* ServerKeyExchange, for suites that have one. */
must_check bool server12_send_key_exchange(struct engine_hs *hs);
/* The premaster secret of a ClientKeyExchange, for which out has CRYPTO_MAX_SHARED_LEN bytes. */
must_check bool server12_read_key_exchange(struct engine_hs *hs, struct rd in, uint8_t *out, size_t *len);

/*
 * Look for the session that the client offers to resume. *found: it is taken up, what it says is in
 * hs. False after hs_fail().
 */
must_check bool server12_resume(struct engine_hs *hs, const struct offer12 *offer, bool *found);
/* Choose how a full handshake can be resumed: by a ticket, by a session id, or not at all. */
must_check bool server12_plan_session(struct engine_hs *hs, const struct offer12 *offer);
/* NewSessionTicket */
must_check bool server12_send_ticket(struct engine_hs *hs);
/* A full handshake is complete: keep its session if it has an id. */
void server12_keep_session(struct engine_hs *hs);

#endif
