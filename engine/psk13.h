/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resumption in TLS 1.3: sessions as pre-shared keys with a Diffie-Hellman exchange (psk_dhe_ke), no early data.
 * RFC 8446 2.2, 4.2.9, 4.2.11, 4.6.1
 */
#ifndef ENGINE_PSK13_H
#define ENGINE_PSK13_H

#include "ext.h"
#include "session.h"

/* ---- client ---- */

/* Take a session for this server from the store, if there is one that can be offered: hs->session. */
void psk13_load(struct engine_hs *hs);
/* Build psk_key_exchange_modes if sessions are kept: it says what tickets will be good for, too. */
void psk13_build_modes(struct engine_hs *hs, struct wr *out);
/*
 * Build pre_shared_key, which must be the last extension, if there is a session to offer; behind a HelloRetryRequest,
 * one with another hash than the suite's is given up.
 */
void psk13_build_offer(struct engine_hs *hs, struct wr *out);
/* End the ClientHello, in place of hs_end(): computes the binder. */
must_check bool psk13_end_hello(struct engine_hs *hs);
/* The ServerHello's choice among what was offered, if it makes one: hs->resumed. hs->suite is set.  RFC 8446 4.2.11 */
must_check bool psk13_judge_answer(struct engine_hs *hs, const struct ext_block *block);
/* Our Finished is in the transcript: let the connection know what tickets to come stand for. */
must_check bool psk13_expect_tickets(struct engine_hs *hs);

/* ---- server ---- */

/* Are pre_shared_key and psk_key_exchange_modes of a ClientHello as they must be? What else it says is for later. */
must_check bool psk13_judge_form(struct engine_hs *hs, const struct ext_block *block);
/*
 * Choose a session among those that the ClientHello msg offers: hs->session (NULL: none) and *index. hs->suite and
 * hs->server_name are set. False, with hs failed, if the chosen one's binder is wrong.
 */
must_check bool psk13_choose(struct engine_hs *hs, const struct hs_message *msg,
			     const struct ext_block *block, uint16_t *index);
/* The client's Finished is in the transcript, and the send keys are those of application data: send it tickets. */
must_check bool psk13_send_tickets(struct engine_hs *hs);

#endif
