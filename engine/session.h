/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions: what a handshake leaves behind so that a later one can be shorter.  RFC 8446 2.2, RFC 5246 7.3, RFC 5077
 *
 * A session is written by session_pack(): a server puts that into a ticket (ticket.h) or, in TLS 1.2, into the store of
 * the environment under its session id; a client puts it there with the server's ticket, under the server's name.
 * Everything that can be wrong with a session on its way back means that there is none, never an error.
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "handshake.h"

#define SESSION_SUBJECT_MAX 127
/* Longer tickets are not kept: with names of usual length, the session then fits into ENGINE_SESSION_MAX. */
#define SESSION_TICKET_MAX  3584

struct session {
	uint16_t version; /* ENGINE_TLS13: secret is a PSK; older: a master secret */
	uint16_t suite;   /* of TLS 1.3: with its hash; older: this very one */
	uint8_t secret_len;
	uint8_t secret[SECRET_MAX_LEN];
	bool extended_master_secret; /* TLS 1.2 and older, RFC 7627 5.3 */
	bool peer_is_authenticated;  /* by a certificate that was verified */
	int64_t issued;              /* as engine_now() */
	int64_t resumable_until;     /* however often it is renewed */
	uint32_t lifetime;           /* seconds from issued */
	uint32_t age_add;            /* TLS 1.3, RFC 8446 4.6.1 */
	uint8_t alpn_len;
	char alpn[ENGINE_ALPN_MAX];
	char server_name[HS_SERVER_NAME_MAX + 1];
	char peer_subject[SESSION_SUBJECT_MAX + 1];
	/* a client's: what it offers */
	uint8_t session_id_len; /* TLS 1.2 and older: the server's cache knows it by this; 0: a ticket does it */
	uint8_t session_id[HS_SESSION_ID_MAX];
	struct rd ticket; /* empty: none; a view of what the session was read from */
};

/* Write it down. False if out was too small. */
must_check bool session_pack(const struct session *session, struct wr *out);
/* Read what session_pack() wrote. False, session wiped, if it is anything else. */
must_check bool session_unpack(struct rd in, struct session *session);
void session_wipe(struct session *session);
/* A copy in memory of its own, ticket and all, for the time of a handshake; NULL if there is none. */
struct session *session_hold(const struct session *session);
/* Wipe and give back such a copy; NULL is allowed. */
void session_free(struct session *session);

/*
 * Is it valid at this time: not issued in the future, and neither at the end of its lifetime nor of that of
 * all sessions behind the same full handshake?
 */
must_check bool session_is_fresh(const struct session *session, int64_t now);

/*
 * When sessions that descend from this handshake end, however often they are renewed:
 * ENGINE_SESSION_LIFETIME_MAX behind the full handshake, and not later than the peer's certificate.  RFC
 * 8446 4.6.1
 */
int64_t session_end(const struct engine_hs *hs, int64_t now);
/* So many seconds, or fewer if the session ends earlier; issued and resumable_until are set. */
uint32_t session_lifetime(uint32_t seconds, const struct session *session);
/*
 * Begin a session with what the handshake negotiated: version, suite, names, who the peer is, times. secret, ticket and
 * session id are the caller's. False if the configuration wants no resumption, or if its end has come.
 */
must_check bool session_begin(const struct engine_hs *hs, struct session *session);

/*
 * Was the peer then who the configuration wants it to be: with a certificate if it needs one, verified if
 * it verifies?
 */
must_check bool session_has_peer(const struct engine_config *config, const struct session *session);
/* The handshake goes on from hs->session: it is resumed, and the peer is who it was then. */
void session_resume(struct engine_hs *hs);

/* ---- the store of the environment ---- */

/*
 * The name of a client's sessions with a server, apart for TLS 1.3 and what is older, since tickets of TLS 1.3 are used
 * once. False, name of zeros, if none is to be kept: no lifetime, no store, neither server_name nor peer known.
 *
 * server_name, peer: as in struct engine_hs_params; NULL or "": not known.
 */
must_check bool session_client_name(const struct engine_config *config, const char *server_name,
				    const char *peer, bool is_tls13,
				    uint8_t name[static ENGINE_SESSION_ID_LEN]);
/* The name of a server's session of TLS 1.2 or older with this session id. False if none is to be kept. */
must_check bool session_server_name(const struct engine_config *config, struct rd session_id,
				    uint8_t name[static ENGINE_SESSION_ID_LEN]);
/* Is it a name, not zeros? */
bool session_is_kept(const uint8_t name[static ENGINE_SESSION_ID_LEN]);
/* Keep a session; nothing happens if that cannot be, or if name is zeros. */
void session_put(const uint8_t name[static ENGINE_SESSION_ID_LEN], const struct session *session);
/*
 * Get the newest one that is fresh, as session_hold() makes copies; take: nobody else gets it. NULL if
 * there is none, or no memory.
 */
struct session *session_load(const uint8_t name[static ENGINE_SESSION_ID_LEN], bool take);
/* The same into memory of the caller's, without the ticket. False if there is none. */
must_check bool session_get(const uint8_t name[static ENGINE_SESSION_ID_LEN], bool take,
			    struct session *session);
/* Forget those of this name. */
void session_drop(const uint8_t name[static ENGINE_SESSION_ID_LEN]);

/* ---- TLS 1.3 ---- */

/*
 * A NewSessionTicket has come on a client's connection, body: the message behind its header. Keeps a session for
 * conn->session_id, or nothing. REASON_NONE, or what is wrong with the message.  RFC 8446 4.6.1
 */
must_check enum reason session13_take_ticket(const struct engine_conn *conn, struct rd body);

#endif
