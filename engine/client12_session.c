/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resumption at a client of TLS 1.2 and older: what it offers, and what it keeps.  RFC 5246 7.3, RFC 5077,
 * RFC 7627 5.3
 *
 * Implementation notes
 *
 *   Unlike a ticket of TLS 1.3, a session may be resumed many times: it stays in the store until another
 *   takes its place, or a connection fails. One without extended_master_secret is not worth keeping: RFC
 *   7627 5.3 wants a full handshake in its place.
 */
#include <string.h>

#include "client12.h"
#include "session.h"

/* ---- offering ---- */

static bool may_offer(const struct engine_hs *hs, const struct session *session)
{
	const struct engine_config *config = hs->config;

	return session->version >= config->min_version && session->version <= config->max_version &&
	       session->version < ENGINE_TLS13 && client_offers_suite(hs, suite_find(session->suite)) &&
	       session->extended_master_secret &&
	       (session->ticket.left != 0 || session->session_id_len != 0) &&
	       (session->peer_is_authenticated || config->verify == ENGINE_VERIFY_NONE);
}

bool client12_offer_session(struct engine_hs *hs)
{
	struct session *session = NULL;

	if (hs->session == NULL && !hs->renegotiating) {
		session = session_load(hs->session_name12, false);
	}
	if (session == NULL || !may_offer(hs, session)) {
		session_free(session);
		return true;
	}
	hs->session = session;
	if (session->ticket.left == 0) {
		memcpy(hs->session_id, session->session_id, session->session_id_len);
		hs->session_id_len = session->session_id_len;
	} else if (hs->session_id_len == 0) {
		/* RFC 5077 3.4: by its echo, the server says that it takes the ticket */
		hs->session_id_len = HS_SESSION_ID_MAX;
		return engine_random(hs->session_id, HS_SESSION_ID_MAX) ||
		       hs_fail_internal(hs, "random numbers");
	}
	return true;
}

void client12_build_session_ticket(struct engine_hs *hs, struct wr *out)
{
	const struct session *session = hs->session;
	size_t ext;

	if (!session_is_kept(hs->session_name12)) {
		return; /* no ticket would be of use */
	}
	ext = ext_begin(out, EXT_SESSION_TICKET, &hs->offered);
	if (session != NULL && session->version < ENGINE_TLS13) {
		wr_bytes(out, session->ticket.p, session->ticket.left);
	}
	ext_end(out, ext);
}

/* ---- resuming ---- */

bool client12_judge_resumption(struct engine_hs *hs)
{
	const struct session *session = hs->session;

	if (session == NULL || session->version == ENGINE_TLS13) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server resumes a session that it was not offered");
	}
	if (session->version != hs->version || session->suite != hs->suite->id) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server resumes a session with another version or cipher suite");
	}
	if (session->extended_master_secret != hs->hs12.extended_master_secret) {
		return hs_fail(hs, ALERT_HANDSHAKE_FAILURE,
			       "the server resumes a session with another kind of master secret");
	}
	hs->resumed = true;
	hs->resumable_until = session->resumable_until;
	hs->peer_is_authenticated = session->peer_is_authenticated;
	memcpy(hs->hs12.master_secret, session->secret, HS12_MASTER_SECRET_LEN);
	memcpy(hs->peer_subject, session->peer_subject, sizeof(session->peer_subject));
	return true;
}

/* ---- keeping ---- */

bool client12_take_ticket(struct engine_hs *hs, struct rd in)
{
	struct rd ticket;

	if (!rd_u32(&in, &hs->hs12.ticket_lifetime) || !rd_vec16(&in, &ticket, 0, UINT16_MAX) ||
	    !rd_end(&in)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed NewSessionTicket");
	}
	/* one that is too long to be kept is none */
	if (ticket.left <= SESSION_TICKET_MAX) {
		wr_bytes(&hs->ticket, ticket.p, ticket.left);
	}
	return !hs->ticket.failed || hs_fail_internal(hs, "NewSessionTicket");
}

/* What the server knows the session by: its new ticket, or its id. */
static void take_handle(const struct engine_hs *hs, struct session *session)
{
	const uint32_t lifetime = hs->hs12.ticket_lifetime;

	if (hs->ticket.len == 0) {
		session->session_id_len = (uint8_t)hs->session_id_len;
		memcpy(session->session_id, hs->session_id, hs->session_id_len);
		return;
	}
	session->ticket = rd_of(hs->ticket.data, hs->ticket.len);
	if (lifetime != 0 && lifetime < session->lifetime) {
		session->lifetime = lifetime;
	}
}

void client12_keep_session(const struct engine_hs *hs)
{
	const bool is_new = hs->ticket.len != 0 || (!hs->resumed && hs->session_id_len != 0);
	struct session session;

	if (!is_new || !hs->hs12.extended_master_secret) {
		return;
	}
	if (session_begin(hs, &session)) {
		session.secret_len = HS12_MASTER_SECRET_LEN;
		memcpy(session.secret, hs->hs12.master_secret, HS12_MASTER_SECRET_LEN);
		take_handle(hs, &session);
		session_put(hs->session_name12, &session);
	}
	session_wipe(&session);
}
