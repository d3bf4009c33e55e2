/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions: their form at rest, their age, their names in the store.
 */
#include "session.h"

#include <string.h>

/* First byte of a session at rest: another form gets another number. */
#define FORM 1

#define FLAG_EXTENDED_MASTER_SECRET 1
#define FLAG_PEER_IS_AUTHENTICATED  2
#define FLAGS_ALL                   3

/* Clocks of the processes that share sessions differ a little. */
#define CLOCK_SKEW 5

/* ---- at rest ---- */

static void put_i64(struct wr *out, int64_t value)
{
	wr_u32(out, (uint32_t)((uint64_t)value >> 32));
	wr_u32(out, (uint32_t)value);
}

static bool take_i64(struct rd *in, int64_t *value)
{
	uint32_t high;
	uint32_t low;

	if (!rd_u32(in, &high) || !rd_u32(in, &low)) {
		return false;
	}
	*value = (int64_t)((uint64_t)high << 32 | low);
	return true;
}

static void put_vec8(struct wr *out, const void *data, size_t len)
{
	const size_t mark = wr_open8(out);

	wr_bytes(out, data, len);
	wr_close8(out, mark);
}

/* A vector of at most max bytes, copied. */
static bool take_vec8(struct rd *in, void *out, size_t max, uint8_t *len)
{
	struct rd view;

	if (!rd_vec8(in, &view, 0, max)) {
		return false;
	}
	*len = (uint8_t)view.left;
	return rd_copy(&view, out, view.left);
}

/* The same of a text: no zero in it, one behind it, for which out has room. */
static bool take_text(struct rd *in, char *out, size_t max)
{
	uint8_t len;

	if (!take_vec8(in, out, max, &len) || memchr(out, '\0', len) != NULL) {
		return false;
	}
	out[len] = '\0';
	return true;
}

bool session_pack(const struct session *session, struct wr *out)
{
	size_t mark;

	wr_u8(out, FORM);
	wr_u16(out, session->version);
	wr_u16(out, session->suite);
	wr_u8(out, (uint8_t)((session->extended_master_secret ? FLAG_EXTENDED_MASTER_SECRET : 0) |
			     (session->peer_is_authenticated ? FLAG_PEER_IS_AUTHENTICATED : 0)));
	put_i64(out, session->issued);
	put_i64(out, session->resumable_until);
	wr_u32(out, session->lifetime);
	wr_u32(out, session->age_add);
	put_vec8(out, session->secret, session->secret_len);
	put_vec8(out, session->alpn, session->alpn_len);
	put_vec8(out, session->server_name, strlen(session->server_name));
	put_vec8(out, session->peer_subject, strlen(session->peer_subject));
	put_vec8(out, session->session_id, session->session_id_len);
	mark = wr_open16(out);
	wr_bytes(out, session->ticket.p, session->ticket.left);
	wr_close16(out, mark);
	return !out->failed;
}

static bool unpack(struct rd in, struct session *session)
{
	uint8_t form;
	uint8_t flags;

	if (!rd_u8(&in, &form) || form != FORM || !rd_u16(&in, &session->version) ||
	    !rd_u16(&in, &session->suite) || !rd_u8(&in, &flags) || (flags & ~FLAGS_ALL) != 0 ||
	    !take_i64(&in, &session->issued) || !take_i64(&in, &session->resumable_until) ||
	    !rd_u32(&in, &session->lifetime) || !rd_u32(&in, &session->age_add) ||
	    !take_vec8(&in, session->secret, sizeof(session->secret), &session->secret_len) ||
	    !take_vec8(&in, session->alpn, sizeof(session->alpn), &session->alpn_len) ||
	    !take_text(&in, session->server_name, HS_SERVER_NAME_MAX) ||
	    !take_text(&in, session->peer_subject, SESSION_SUBJECT_MAX) ||
	    !take_vec8(&in, session->session_id, sizeof(session->session_id), &session->session_id_len) ||
	    !rd_vec16(&in, &session->ticket, 0, SESSION_TICKET_MAX) || !rd_end(&in)) {
		return false;
	}
	session->extended_master_secret = (flags & FLAG_EXTENDED_MASTER_SECRET) != 0;
	session->peer_is_authenticated = (flags & FLAG_PEER_IS_AUTHENTICATED) != 0;
	return true;
}

/* Does what it says go together? */
static bool is_sound(const struct session *session)
{
	const struct suite *suite = suite_find(session->suite);

	if (suite == NULL || session->version < ENGINE_TLS10 || session->version > ENGINE_TLS13 ||
	    session->lifetime == 0 || session->lifetime > ENGINE_SESSION_LIFETIME_MAX) {
		return false;
	}
	if (session->version == ENGINE_TLS13) {
		return suite->version == ENGINE_TLS13 && session->secret_len == crypto_hash_len(suite->hash);
	}
	return suite->version < ENGINE_TLS13 && session->version >= suite->min_version &&
	       session->secret_len == HS12_MASTER_SECRET_LEN;
}

bool session_unpack(struct rd in, struct session *session)
{
	memset(session, 0, sizeof(*session));
	if (unpack(in, session) && is_sound(session)) {
		return true;
	}
	session_wipe(session);
	return false;
}

void session_wipe(struct session *session)
{
	secret_wipe(session, sizeof(*session));
}

static size_t held_size(const struct session *session)
{
	return sizeof(*session) + session->ticket.left;
}

struct session *session_hold(const struct session *session)
{
	struct session *held = engine_alloc(held_size(session));
	uint8_t *behind;

	if (held == NULL) {
		return NULL;
	}
	behind = (uint8_t *)(held + 1);
	*held = *session;
	if (session->ticket.left != 0) {
		memcpy(behind, session->ticket.p, session->ticket.left);
		held->ticket.p = behind;
	}
	return held;
}

void session_free(struct session *session)
{
	if (session != NULL) {
		secret_wipe(session, held_size(session));
		engine_release(session);
	}
}

/* ---- age ---- */

bool session_is_fresh(const struct session *session, int64_t now)
{
	/* numbers that may be anything: bounds before differences */
	if (now < 0 || session->issued < 0 || session->issued > now + CLOCK_SKEW ||
	    session->resumable_until <= now) {
		return false;
	}
	return now - session->issued < (int64_t)session->lifetime &&
	       session->resumable_until - session->issued <= ENGINE_SESSION_LIFETIME_MAX;
}

int64_t session_end(const struct engine_hs *hs, int64_t now)
{
	const int64_t end = now + ENGINE_SESSION_LIFETIME_MAX;

	if (hs->resumed) {
		return hs->resumable_until;
	}
	return hs->peer_is_authenticated && hs->peer_not_after < end ? hs->peer_not_after : end;
}

uint32_t session_lifetime(uint32_t seconds, const struct session *session)
{
	const int64_t most = session->resumable_until - session->issued;

	return most <= 0 ? 0 : most < (int64_t)seconds ? (uint32_t)most : seconds;
}

bool session_begin(const struct engine_hs *hs, struct session *session)
{
	memset(session, 0, sizeof(*session));
	if (hs->config->session_lifetime == 0) {
		return false;
	}
	session->version = hs->version;
	session->suite = hs->suite->id;
	session->extended_master_secret = hs->hs12.extended_master_secret;
	session->peer_is_authenticated = hs->peer_is_authenticated;
	session->issued = engine_now();
	session->resumable_until = session_end(hs, session->issued);
	session->lifetime = session_lifetime(hs->config->session_lifetime, session);
	session->alpn_len = hs->alpn_len;
	memcpy(session->alpn, hs->alpn, sizeof(session->alpn));
	memcpy(session->server_name, hs->server_name, sizeof(session->server_name));
	memcpy(session->peer_subject, hs->peer_subject, sizeof(session->peer_subject));
	return session->lifetime != 0;
}

bool session_has_peer(const struct engine_config *config, const struct session *session)
{
	if (config->role == ENGINE_SERVER && config->client_auth != ENGINE_CLIENT_AUTH_REQUIRE) {
		return true;
	}
	return config->verify == ENGINE_VERIFY_NONE ? session->peer_subject[0] != '\0'
						    : session->peer_is_authenticated;
}

void session_resume(struct engine_hs *hs)
{
	const struct session *session = hs->session;

	hs->resumed = true;
	hs->resumable_until = session->resumable_until;
	hs->peer_is_authenticated = session->peer_is_authenticated;
	memcpy(hs->peer_subject, session->peer_subject, sizeof(hs->peer_subject));
}
_Static_assert(sizeof(((struct engine_hs *)NULL)->peer_subject) == SESSION_SUBJECT_MAX + 1,
	       "a session holds a handshake's peer_subject");

/* ---- the store ---- */

/* Digest of a configuration's id, a kind of session, and two fields, each with its length. */
static bool make_name(const struct engine_config *config, const char *kind, struct rd first, struct rd second,
		      uint8_t name[static ENGINE_SESSION_ID_LEN])
{
	const struct rd fields[] = {rd_of((const uint8_t *)kind, strlen(kind)),
				    rd_of(config->session_id, sizeof(config->session_id)), first, second};
	struct crypto_hash_ctx ctx = {.live = false};
	uint8_t digest[CRYPTO_MAX_HASH_LEN];
	bool ok = crypto_hash_init(&ctx, CRYPTO_SHA256);

	for (size_t i = 0; ok && i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint8_t room[2];
		struct wr len;

		wr_init(&len, room, sizeof(room));
		wr_u16(&len, (uint16_t)fields[i].left);
		ok = fields[i].left <= UINT16_MAX && crypto_hash_update(&ctx, room, sizeof(room)) &&
		     crypto_hash_update(&ctx, fields[i].p, fields[i].left);
	}
	ok = ok && crypto_hash_peek(&ctx, digest);
	crypto_hash_wipe(&ctx);
	if (ok) {
		memcpy(name, digest, ENGINE_SESSION_ID_LEN);
	}
	return ok;
}

static struct rd view_of(const char *text)
{
	return text != NULL ? rd_of((const uint8_t *)text, strlen(text)) : rd_of(NULL, 0);
}

bool session_client_name(const struct engine_config *config, const char *server_name, const char *peer,
			 bool is_tls13, uint8_t name[static ENGINE_SESSION_ID_LEN])
{
	const struct rd first = view_of(server_name);
	const struct rd second = view_of(peer);

	memset(name, 0, ENGINE_SESSION_ID_LEN);
	return config->session_lifetime != 0 && engine_sessions() != NULL &&
	       (first.left != 0 || second.left != 0) &&
	       make_name(config, is_tls13 ? "client of TLS 1.3" : "client", first, second, name);
}

bool session_server_name(const struct engine_config *config, struct rd session_id,
			 uint8_t name[static ENGINE_SESSION_ID_LEN])
{
	memset(name, 0, ENGINE_SESSION_ID_LEN);
	return config->session_lifetime != 0 && engine_sessions() != NULL && session_id.left != 0 &&
	       make_name(config, "server", session_id, rd_of(NULL, 0), name);
}

bool session_is_kept(const uint8_t name[static ENGINE_SESSION_ID_LEN])
{
	static const uint8_t zeros[ENGINE_SESSION_ID_LEN];

	return memcmp(name, zeros, sizeof(zeros)) != 0;
}

void session_put(const uint8_t name[static ENGINE_SESSION_ID_LEN], const struct session *session)
{
	const struct engine_session_store *store = engine_sessions();
	uint8_t room[ENGINE_SESSION_MAX];
	struct wr out;

	if (store == NULL || !session_is_kept(name)) {
		return;
	}
	wr_init(&out, room, sizeof(room));
	if (session_pack(session, &out)) {
		store->put(name, out.data, out.len, session->issued + (int64_t)session->lifetime);
	}
	secret_wipe(room, sizeof(room));
}

/* The newest one, read from room, which the caller wipes. */
static bool read_newest(const uint8_t name[static ENGINE_SESSION_ID_LEN], bool take,
			uint8_t room[static ENGINE_SESSION_MAX], struct session *session)
{
	const struct engine_session_store *store = engine_sessions();
	size_t len = 0;

	if (store != NULL && session_is_kept(name)) {
		len = store->get(name, take, room);
	}
	return len != 0 && len <= ENGINE_SESSION_MAX && session_unpack(rd_of(room, len), session) &&
	       session_is_fresh(session, engine_now());
}

struct session *session_load(const uint8_t name[static ENGINE_SESSION_ID_LEN], bool take)
{
	uint8_t room[ENGINE_SESSION_MAX];
	struct session *held = NULL;
	struct session session;

	if (read_newest(name, take, room, &session)) {
		held = session_hold(&session);
	}
	session_wipe(&session);
	secret_wipe(room, sizeof(room));
	return held;
}

bool session_get(const uint8_t name[static ENGINE_SESSION_ID_LEN], bool take, struct session *session)
{
	uint8_t room[ENGINE_SESSION_MAX];
	const bool ok = read_newest(name, take, room, session);

	session->ticket = rd_of(NULL, 0);
	if (!ok) {
		session_wipe(session);
	}
	secret_wipe(room, sizeof(room));
	return ok;
}

void session_drop(const uint8_t name[static ENGINE_SESSION_ID_LEN])
{
	const struct engine_session_store *store = engine_sessions();

	if (store != NULL && session_is_kept(name)) {
		store->drop(name);
	}
}
