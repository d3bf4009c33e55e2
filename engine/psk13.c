/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resumption in TLS 1.3: tickets become sessions, sessions become pre-shared keys.
 *
 * Implementation notes
 *
 *   A ticket goes to the server once: the client takes it out of the store when it offers it, whatever becomes of it
 *   (RFC 8446 C.4). A server gives two for a full handshake and one for a resumed one, so that a client that opens
 *   connections side by side has a few, and their number does not grow.
 *
 *   The age that a client tells is not held against the ticket's: it protects early data, which is never taken. What
 *   counts is the server's own clock, in the ticket.
 */
#include "psk13.h"

#include <string.h>

#include "ticket.h"

#define MODE_PSK_DHE_KE 1

/* Identities that are looked at: a client has a handful of tickets, not thousands to decrypt. */
#define IDENTITIES_MAX 8

/* Extensions of a NewSessionTicket that are held against each other. */
#define TICKET_EXTENSIONS_MAX 32
#define TYPE_EARLY_DATA       42

#define TICKETS_FULL    2
#define TICKETS_RESUMED 1

/* Bytes of a binders list with one binder. */
static size_t binders_len(const struct suite *suite)
{
	return 2 + 1 + crypto_hash_len(suite->hash);
}

/* The binder of a session over the truncated ClientHello. RFC 8446 4.2.11.2 */
static bool make_binder(struct engine_hs *hs, const struct suite *suite, const struct session *session,
			struct rd truncated, uint8_t binder[static CRYPTO_MAX_HASH_LEN])
{
	uint8_t hash[CRYPTO_MAX_HASH_LEN];

	if (!hs_transcript_hash_with(hs, suite->hash, truncated, hash)) {
		return false;
	}
	return (keysched13_init(&hs->ks, suite, session->secret, session->secret_len) &&
		keysched13_binder(&hs->ks, hash, binder)) ||
	       hs_fail_internal(hs, "binder");
}

/* ---- client ---- */

/* Does our ClientHello offer a suite with this hash? */
static bool offers_hash(const struct engine_hs *hs, enum crypto_hash hash)
{
	const struct suite *suites[SUITES_MAX];
	const size_t n = suites_preferred(&hs->config->algorithms, ENGINE_TLS13, false, suites);

	for (size_t i = 0; i < n; i++) {
		if (suites[i]->hash == hash) {
			return true;
		}
	}
	return false;
}

static void give_up(struct engine_hs *hs)
{
	session_free(hs->session);
	hs->session = NULL;
}

void psk13_load(struct engine_hs *hs)
{
	struct session *session = session_load(hs->session_name13, true);

	if (session != NULL && session->version == ENGINE_TLS13 && session->ticket.left != 0 &&
	    offers_hash(hs, suite_find(session->suite)->hash) && session_has_peer(hs->config, session)) {
		hs->session = session;
	} else {
		session_free(session);
	}
}

void psk13_build_modes(struct engine_hs *hs, struct wr *out)
{
	size_t ext;

	if (!session_is_kept(hs->session_name13)) {
		return; /* no ticket would be of use */
	}
	ext = ext_begin(out, EXT_PSK_KEY_EXCHANGE_MODES, &hs->offered);
	wr_u8(out, 1);
	wr_u8(out, MODE_PSK_DHE_KE);
	ext_end(out, ext);
}

/* RFC 8446 4.2.11.1: milliseconds since the ticket came, blurred by what came with it. */
static uint32_t obfuscated_age(const struct session *session)
{
	const int64_t now = engine_now();
	const uint64_t age = now > session->issued ? (uint64_t)(now - session->issued) : 0;

	return (uint32_t)(age * 1000 + session->age_add);
}

static const struct suite *offered_suite(const struct engine_hs *hs)
{
	const bool is_psk = hs->session != NULL && hs->session->version == ENGINE_TLS13;

	return is_psk ? suite_find(hs->session->suite) : NULL;
}

void psk13_build_offer(struct engine_hs *hs, struct wr *out)
{
	const struct suite *suite = offered_suite(hs);
	size_t ext;
	size_t identities;
	size_t ticket;

	if (suite != NULL && hs->retried && suite->hash != hs->suite->hash) {
		give_up(hs);
		return;
	}
	if (suite == NULL) {
		return;
	}
	ext = ext_begin(out, EXT_PRE_SHARED_KEY, &hs->offered);
	identities = wr_open16(out);
	ticket = wr_open16(out);
	wr_bytes(out, hs->session->ticket.p, hs->session->ticket.left);
	wr_close16(out, ticket);
	wr_u32(out, obfuscated_age(hs->session));
	wr_close16(out, identities);
	/* room for the binders: every length in front of them counts them */
	(void)wr_room(out, binders_len(suite));
	ext_end(out, ext);
}

bool psk13_end_hello(struct engine_hs *hs)
{
	const struct suite *suite = offered_suite(hs);
	struct wr *out = &hs->flight;
	uint8_t binder[CRYPTO_MAX_HASH_LEN];
	size_t mark;

	if (suite == NULL) {
		return hs_end(hs);
	}
	wr_close24(out, hs->flight_mark + 1);
	if (out->failed) {
		return hs_fail_internal(hs, "ClientHello");
	}
	wr_unroom(out, binders_len(suite));
	if (!make_binder(hs, suite, hs->session,
			 rd_of(out->data + hs->flight_mark, out->len - hs->flight_mark), binder)) {
		return false;
	}
	mark = wr_open16(out);
	wr_u8(out, (uint8_t)crypto_hash_len(suite->hash));
	wr_bytes(out, binder, crypto_hash_len(suite->hash));
	wr_close16(out, mark);
	return hs_end(hs);
}

bool psk13_judge_answer(struct engine_hs *hs, const struct ext_block *block)
{
	const struct suite *suite = offered_suite(hs);
	uint16_t selected_identity;

	if (!ext_has(block, EXT_PRE_SHARED_KEY)) {
		return true;
	}
	if (!ext_parse_u16(block->body[EXT_PRE_SHARED_KEY], &selected_identity)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed pre_shared_key");
	}
	if (selected_identity != 0) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server chose a session that it was not offered");
	}
	if (suite == NULL || suite->hash != hs->suite->hash) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server resumes a session with a cipher suite that does not fit it");
	}
	if (!ext_has(block, EXT_KEY_SHARE)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server resumes a session without the key exchange that it was asked for");
	}
	session_resume(hs);
	return true;
}

bool psk13_expect_tickets(struct engine_hs *hs)
{
	uint8_t hash[CRYPTO_MAX_HASH_LEN];
	struct secret secret = {.len = 0};
	bool ok;

	if (!session_is_kept(hs->session_name13)) {
		return true;
	}
	if (!hs_transcript_hash(hs, hash)) {
		return false;
	}
	ok = keysched13_resumption_secret(&hs->ks, hash, &secret);
	memcpy(hs->conn->resumption_secret, secret.data, sizeof(hs->conn->resumption_secret));
	secret_wipe(&secret, sizeof(secret));
	return ok || hs_fail_internal(hs, "key schedule");
}

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
	session->resumable_until = conn->resumable_until;
	session->alpn_len = conn->alpn_len;
	memcpy(session->alpn, conn->alpn, sizeof(session->alpn));
	memcpy(session->peer_subject, conn->peer_subject, sizeof(conn->peer_subject));
}
_Static_assert(ENGINE_SUBJECT_MAX <= SESSION_SUBJECT_MAX, "a session holds a connection's peer_subject");

static void keep_ticket(const struct engine_conn *conn, const struct new_session_ticket *message)
{
	const struct suite *suite = suite_find(conn->suite);
	const uint32_t lifetime = message->ticket_lifetime;
	struct session session;

	memset(&session, 0, sizeof(session));
	describe(conn, &session);
	session.lifetime = session_lifetime(
		lifetime < conn->session_lifetime ? lifetime : conn->session_lifetime, &session);
	session.age_add = message->ticket_age_add;
	session.secret_len = (uint8_t)crypto_hash_len(suite->hash);
	session.ticket = message->ticket;
	/* a lifetime of 0: to be thrown away at once */
	if (session.lifetime != 0 &&
	    keysched13_ticket_psk(suite->hash, conn->resumption_secret, message->ticket_nonce.p,
				  message->ticket_nonce.left, session.secret)) {
		session_put(conn->session_id, &session);
	}
	session_wipe(&session);
}

/* max_early_data_size, RFC 8446 4.2.10. Early data is not sent, whatever it allows. */
static bool is_early_data(struct rd in)
{
	uint32_t max_early_data_size;

	return rd_u32(&in, &max_early_data_size) && rd_end(&in);
}

/*
 * RFC 8446 4.2, as ext_parse() has it, but with a bound: this runs on the program's stack, which may be small, and a
 * ticket with more extensions than that says nothing to us.
 */
static enum reason judge_extensions(struct rd in)
{
	uint16_t seen[TICKET_EXTENSIONS_MAX];
	size_t n_seen = 0;

	while (!rd_end(&in)) {
		struct rd body;
		uint16_t type;

		if (!rd_u16(&in, &type) || !rd_vec16(&in, &body, 0, UINT16_MAX) ||
		    (type == TYPE_EARLY_DATA && !is_early_data(body))) {
			return REASON_POST_HANDSHAKE_LENGTH;
		}
		for (size_t i = 0; i < n_seen; i++) {
			if (seen[i] == type) {
				return REASON_TICKET_EXTENSION;
			}
		}
		if (!ext_may_stand(EXT_IN_NEW_SESSION_TICKET, type)) {
			return REASON_TICKET_EXTENSION;
		}
		if (n_seen < TICKET_EXTENSIONS_MAX) {
			seen[n_seen++] = type;
		}
	}
	return REASON_NONE;
}

enum reason session13_take_ticket(const struct engine_conn *conn, struct rd body)
{
	struct new_session_ticket message;
	enum reason reason;

	if (!parse_ticket(body, &message)) {
		return REASON_POST_HANDSHAKE_LENGTH;
	}
	reason = judge_extensions(message.extensions);
	if (reason == REASON_NONE && message.ticket.left <= SESSION_TICKET_MAX) {
		keep_ticket(conn, &message);
	}
	return reason;
}

/* ---- server ---- */

bool psk13_judge_form(struct engine_hs *hs, const struct ext_block *block)
{
	struct offered_psks offer;
	struct rd modes;
	uint8_t mode;

	hs->psk_is_useful = false;
	if (ext_has(block, EXT_PSK_KEY_EXCHANGE_MODES)) {
		if (!ext_parse_psk_modes(block->body[EXT_PSK_KEY_EXCHANGE_MODES], &modes)) {
			return hs_fail(hs, ALERT_DECODE_ERROR, "malformed psk_key_exchange_modes");
		}
		while (rd_u8(&modes, &mode)) {
			hs->psk_is_useful = hs->psk_is_useful || mode == MODE_PSK_DHE_KE;
		}
	}
	if (!ext_has(block, EXT_PRE_SHARED_KEY)) {
		return true;
	}
	if (!block->psk_is_last) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "pre_shared_key is not the last extension");
	}
	if (!ext_has(block, EXT_PSK_KEY_EXCHANGE_MODES)) {
		return hs_fail(hs, ALERT_MISSING_EXTENSION, "pre_shared_key without psk_key_exchange_modes");
	}
	if (!ext_parse_offered_psks(block->body[EXT_PRE_SHARED_KEY], &offer)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed pre_shared_key");
	}
	return offer.n_identities == offer.n_binders ||
	       hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "pre_shared_key without a binder for each identity");
}

/* May this session go on here, with what has been negotiated so far? RFC 8446 4.2.11, RFC 6066 3 */
static bool is_acceptable(const struct engine_hs *hs, const struct session *session)
{
	return session->version == ENGINE_TLS13 && suite_find(session->suite)->hash == hs->suite->hash &&
	       strcmp(session->server_name, hs->server_name) == 0 && session_has_peer(hs->config, session);
}

/* The first identity that is a ticket of ours which may be taken; false if there is none. */
static bool find_session(const struct engine_hs *hs, struct rd identities, struct session *session,
			 uint16_t *index)
{
	for (*index = 0; *index < IDENTITIES_MAX && !rd_end(&identities); ++*index) {
		struct rd identity;
		uint32_t age;

		if (!ext_next_psk_identity(&identities, &identity, &age)) {
			return false;
		}
		if (ticket_open(hs->config, identity, session) && is_acceptable(hs, session)) {
			return true;
		}
	}
	return false;
}

/* RFC 8446 4.2.11.2 */
static bool check_binder(struct engine_hs *hs, const struct hs_message *msg, const struct offered_psks *offer,
			 uint16_t index)
{
	const size_t hash_len = crypto_hash_len(hs->suite->hash);
	struct rd whole = msg->whole;
	struct rd binders = offer->binders;
	struct rd binder = rd_of(NULL, 0);
	struct rd truncated;
	uint8_t expected[CRYPTO_MAX_HASH_LEN];
	bool is_right;

	for (uint16_t i = 0; i <= index; i++) {
		if (!rd_vec8(&binders, &binder, 32, UINT8_MAX)) {
			return hs_fail_internal(hs, "binder");
		}
	}
	/* the list of binders, with its length in front, is the end of the message */
	if (!rd_bytes(&whole, &truncated, whole.left - 2 - offer->binders.left)) {
		return hs_fail_internal(hs, "binder");
	}
	if (!make_binder(hs, hs->suite, hs->session, truncated, expected)) {
		return false;
	}
	is_right = binder.left == hash_len && secret_equal(binder.p, expected, hash_len);
	secret_wipe(expected, sizeof(expected));
	return is_right ||
	       hs_fail(hs, ALERT_DECRYPT_ERROR, "the client could not prove that it holds its session's key");
}

bool psk13_choose(struct engine_hs *hs, const struct hs_message *msg, const struct ext_block *block,
		  uint16_t *index)
{
	struct offered_psks offer;
	struct session session;

	give_up(hs); /* of a ClientHello that a HelloRetryRequest answered */
	if (!hs->psk_is_useful || !ext_has(block, EXT_PRE_SHARED_KEY) || hs->config->session_lifetime == 0) {
		return true;
	}
	if (!ext_parse_offered_psks(block->body[EXT_PRE_SHARED_KEY], &offer)) {
		return hs_fail_internal(hs, "pre_shared_key");
	}
	if (find_session(hs, offer.identities, &session, index)) {
		hs->session = session_hold(&session);
		session_wipe(&session);
		return hs->session != NULL ? check_binder(hs, msg, &offer, *index)
					   : hs_fail_internal(hs, "session");
	}
	return true;
}

/* struct NewSessionTicket, RFC 8446 4.6.1. False if there is no ticket to be had, or with hs failed. */
static bool send_ticket(struct engine_hs *hs, const struct secret *resumption_secret, uint8_t nonce,
			struct session *session)
{
	uint8_t ticket_room[TICKET_MAX];
	struct wr ticket;
	struct wr *out;
	size_t mark;

	wr_init(&ticket, ticket_room, sizeof(ticket_room));
	if (!engine_random((uint8_t *)&session->age_add, sizeof(session->age_add)) ||
	    !keysched13_ticket_psk(hs->suite->hash, resumption_secret->data, &nonce, 1, session->secret) ||
	    !ticket_seal(hs->config, session, &ticket)) {
		return false;
	}
	out = hs_begin(hs, HS_NEW_SESSION_TICKET);
	wr_u32(out, session->lifetime);
	wr_u32(out, session->age_add);
	mark = wr_open8(out); /* ticket_nonce */
	wr_u8(out, nonce);
	wr_close8(out, mark);
	mark = wr_open16(out);
	wr_bytes(out, ticket.data, ticket.len);
	wr_close16(out, mark);
	wr_u16(out, 0); /* extensions */
	return hs_end(hs);
}

bool psk13_send_tickets(struct engine_hs *hs)
{
	const uint8_t n = hs->resumed ? TICKETS_RESUMED : TICKETS_FULL;
	uint8_t hash[CRYPTO_MAX_HASH_LEN];
	struct secret resumption_secret = {.len = 0};
	struct session session;

	if (!hs->psk_is_useful || !ticket_may_issue(hs->config) || !session_begin(hs, &session)) {
		return true;
	}
	if (!hs_transcript_hash(hs, hash)) {
		return false;
	}
	if (!keysched13_resumption_secret(&hs->ks, hash, &resumption_secret)) {
		return hs_fail_internal(hs, "key schedule");
	}
	session.secret_len = (uint8_t)resumption_secret.len;
	for (uint8_t nonce = 0; nonce < n; nonce++) {
		if (!send_ticket(hs, &resumption_secret, nonce, &session)) {
			break;
		}
	}
	secret_wipe(&resumption_secret, sizeof(resumption_secret));
	session_wipe(&session);
	/* a ticket that could not be made is none; a message that could not be built is a failure */
	return hs->err == ENGINE_OK && hs_flush(hs);
}
