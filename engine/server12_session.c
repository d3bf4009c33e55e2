/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resumption at a server of TLS 1.2 and older: which session a client gets, and which it may come
 * back to. RFC 5246 7.3, F.1.4; RFC 5077; RFC 7627 5.3
 *
 * A client that knows tickets gets one, if there is a key for it; any other gets a session id, if
 * there is a store.
 */
#include <string.h>

#include "secret.h"
#include "server12.h"

/*
 * A ticket is replaced when this part of its life is over: so a client that keeps coming needs no
 * full handshake.
 */
#define RENEW_AFTER_PART 2

/* ---- looking ---- */

/* The session that the client names by ticket or id; a ticket rules an id out. RFC 5077 3.4 */
static bool find(struct engine_hs *hs, const struct offer12 *offer, struct session *session)
{
	const struct rd ticket = offer->block->body[EXT_SESSION_TICKET];

	if (ext_has(offer->block, EXT_SESSION_TICKET) && ticket.left != 0) {
		return ticket_open(hs->config, ticket, session);
	}
	return session_server_name(hs->config, offer->hello->legacy_session_id, hs->session_name12) &&
	       session_get(hs->session_name12, false, session);
}

/* May this handshake take the session up at all? If not, a full one follows. RFC 5246 F.1.4, RFC 6066 3 */
static bool fits(const struct engine_hs *hs, const struct session *session)
{
	if (session->version != hs->version || !suite_is_allowed(&hs->config->algorithms, session->suite) ||
	    strcmp(session->server_name, hs->server_name) != 0) {
		return false;
	}
	if (!session_has_peer(hs->config, session)) {
		return false;
	}
	/* RFC 7627 5.3: a session without the extension is not continued by a client that has it */
	return session->extended_master_secret || !hs->hs12.extended_master_secret;
}

static void take_up(struct engine_hs *hs, const struct session *session)
{
	hs->resumed = true;
	hs->suite = suite_find(session->suite);
	hs->group = NULL;
	hs->resumable_until = session->resumable_until;
	hs->peer_is_authenticated = session->peer_is_authenticated;
	memcpy(hs->peer_subject, session->peer_subject, sizeof(hs->peer_subject));
	memcpy(hs->hs12.master_secret, session->secret, HS12_MASTER_SECRET_LEN);
}

/* RFC 5077 3.3: the client that came with a ticket may get a newer one. */
static bool is_due_for_renewal(const struct session *session)
{
	return engine_now() - session->issued >= (int64_t)(session->lifetime / RENEW_AFTER_PART);
}

static bool judge(struct engine_hs *hs, const struct offer12 *offer, const struct session *session)
{
	struct rd session_id = offer->hello->legacy_session_id;

	/* RFC 7627 5.3 */
	if (session->extended_master_secret && !hs->hs12.extended_master_secret) {
		return hs_fail(hs, ALERT_HANDSHAKE_FAILURE,
			       "the client resumes a session without its extended_master_secret");
	}
	/* RFC 5246 7.4.1.2 */
	if (!rd_has_u16(offer->hello->cipher_suites, session->suite)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the client resumes a session without offering its cipher suite");
	}
	take_up(hs, session);
	hs->hs12.ticket_expected = ext_has(offer->block, EXT_SESSION_TICKET) && is_due_for_renewal(session) &&
				   ticket_may_issue(hs->config);
	hs->session_id_len = session_id.left;
	return rd_copy(&session_id, hs->session_id, session_id.left) || hs_fail_internal(hs, "session id");
}

bool server12_resume(struct engine_hs *hs, const struct offer12 *offer, bool *found)
{
	struct session session;
	bool ok = true;

	*found = false;
	if (!find(hs, offer, &session)) {
		return true;
	}
	if (fits(hs, &session)) {
		ok = judge(hs, offer, &session);
		*found = ok;
	}
	session_wipe(&session);
	return ok;
}

/* ---- keeping ---- */

bool server12_plan_session(struct engine_hs *hs, const struct offer12 *offer)
{
	const struct rd id = rd_of(hs->session_id, sizeof(hs->session_id));

	hs->session_id_len = 0;
	memset(hs->session_name12, 0, sizeof(hs->session_name12));
	hs->hs12.ticket_expected = ext_has(offer->block, EXT_SESSION_TICKET) && ticket_may_issue(hs->config);
	if (hs->hs12.ticket_expected) {
		return true;
	}
	if (!engine_random(hs->session_id, sizeof(hs->session_id))) {
		return hs_fail_internal(hs, "random numbers");
	}
	if (session_server_name(hs->config, id, hs->session_name12)) {
		hs->session_id_len = sizeof(hs->session_id);
	}
	return true;
}

static bool make_session(const struct engine_hs *hs, struct session *session)
{
	if (!session_begin(hs, session)) {
		return false;
	}
	session->secret_len = HS12_MASTER_SECRET_LEN;
	memcpy(session->secret, hs->hs12.master_secret, HS12_MASTER_SECRET_LEN);
	return true;
}

/* RFC 5077 3.3; an empty ticket takes the promise of one back. */
bool server12_send_ticket(struct engine_hs *hs)
{
	struct wr *out = hs_begin(hs, HS_NEW_SESSION_TICKET);
	struct session session;
	struct wr ticket;
	size_t mark;

	wr_init_heap(&ticket);
	if (!make_session(hs, &session) || !ticket_seal(hs->config, &session, &ticket) || ticket.failed) {
		wr_free(&ticket);
	}
	session_wipe(&session);
	wr_u32(out, ticket.len != 0 ? hs->config->session_lifetime : 0);
	mark = wr_open16(out);
	wr_bytes(out, ticket.data, ticket.len);
	wr_close16(out, mark);
	wr_free(&ticket);
	return hs_end(hs);
}

void server12_keep_session(struct engine_hs *hs)
{
	struct session session;

	if (hs->session_id_len != 0 && make_session(hs, &session)) {
		session_put(hs->session_name12, &session);
		session_wipe(&session);
	}
}
