/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The established connection: opening and sealing records, alerts, what is owed to the peer.
 *
 * Implementation notes
 *
 *   struct engine_conn may lie in memory that two processes share, one of which receives and one sends. The receive
 *   functions touch only the fields under `recv`, the send functions only those under `send`, with one exception: what
 *   a peer's message makes us send, a KeyUpdate or no_renegotiation, crosses over through control_due, which is
 *   atomic.
 */
#include "engine.h"

#include <string.h>

#include "handshake.h"
#include "keysched13.h"
#include "post.h"
#include "record.h"
#include "secret.h"
#include "session.h"

_Static_assert(sizeof(struct engine_conn) < 576, "an established connection stays small");

static struct record_cipher_spec recv_spec(const struct engine_conn *conn)
{
	return (struct record_cipher_spec){
		.suite = suite_find(conn->suite),
		.version = conn->version,
		.encrypt_then_mac = conn->encrypt_then_mac != 0,
		.limit = conn->recv_limit,
	};
}

static struct record_cipher_spec send_spec(const struct engine_conn *conn)
{
	return (struct record_cipher_spec){
		.suite = suite_find(conn->suite),
		.version = conn->version,
		.encrypt_then_mac = conn->encrypt_then_mac != 0,
		.limit = conn->send_limit,
		.padding = conn->padding,
	};
}

/* ---- receiving ---- */

/* The session of a connection that ends with a fatal alert is not resumed.  RFC 5246 7.2.2 */
static void forget_session(const struct engine_conn *conn)
{
	if (conn->version != ENGINE_TLS13) {
		session_drop(conn->session_id);
	}
}

static enum engine_err recv_fail(struct engine_conn *conn, enum reason reason)
{
	forget_session(conn);
	conn->recv_reason = (uint8_t)reason;
	conn->recv_alert = reason_alert(reason);
	if (conn->recv_alert == ALERT_BAD_RECORD_MAC) {
		conn->recv_err = ENGINE_ERR_BAD_RECORD;
	} else if (conn->recv_alert == ALERT_INTERNAL_ERROR) {
		conn->recv_err = ENGINE_ERR_INTERNAL;
	} else {
		conn->recv_err = ENGINE_ERR_PROTOCOL;
	}
	return conn->recv_err;
}

/* What is wrong with a record's header, if anything. RFC 8446 5.2, RFC 5246 6.2.1 */
static enum reason judge_header(const struct record_cipher_spec *spec, const struct record_header *header)
{
	const bool is_13 = spec->version == ENGINE_TLS13;
	const uint8_t first = is_13 ? CONTENT_APPLICATION_DATA : CONTENT_CHANGE_CIPHER_SPEC;

	if (header->type < first || header->type > CONTENT_APPLICATION_DATA) {
		return REASON_RECORD_TYPE;
	}
	if (header->version != (is_13 ? RECORD_VERSION : spec->version)) {
		return REASON_RECORD_VERSION;
	}
	if (header->length > record_max_ciphertext(spec)) {
		return REASON_RECORD_OVERFLOW;
	}
	return REASON_NONE;
}

size_t engine_record_len(const struct engine_conn *conn, const uint8_t wire[static ENGINE_RECORD_HEADER_LEN])
{
	const struct record_cipher_spec spec = {.version = conn->version};
	struct record_header header;

	record_parse_header(wire, &header);
	if (judge_header(&spec, &header) != REASON_NONE) {
		return 0;
	}
	return ENGINE_RECORD_HEADER_LEN + header.length;
}

static enum reason on_alert(struct engine_conn *conn, const struct record_opened *in, uint32_t *weight)
{
	if (in->len != ALERT_LEN) {
		return in->len == 0 ? REASON_EMPTY_FRAGMENT : REASON_ALERT_LENGTH;
	}
	if (conn->version == ENGINE_TLS13) {
		return post13_on_alert(conn, in->data[0], in->data[1], weight);
	}
	return post12_on_alert(conn, in->data[0], in->data[1], weight);
}

/* Act on an authentic record. */
static enum reason on_record(struct engine_conn *conn, const struct suite *suite,
			     const struct record_opened *in, struct engine_opened *opened)
{
	const bool is_13 = conn->version == ENGINE_TLS13;
	const struct rd content = rd_of(in->data, in->len);
	enum reason reason = REASON_NONE;
	uint32_t weight = 0;

	if (is_13 && conn->hs_head_len != 0 && in->type != CONTENT_HANDSHAKE) {
		return REASON_INTERLEAVED;
	}
	switch (in->type) {
	case CONTENT_APPLICATION_DATA:
		if (in->len != 0) {
			opened->event = ENGINE_EVENT_DATA;
			opened->data = in->data;
			opened->data_len = in->len;
			conn->flood = 0;
			return REASON_NONE;
		}
		weight = POST_FLOOD_RECORD;
		break;
	case CONTENT_HANDSHAKE:
		reason = is_13 ? post13_on_handshake(conn, suite, content, &weight)
			       : post12_on_handshake(conn, content, &weight, opened);
		break;
	case CONTENT_ALERT:
		reason = on_alert(conn, in, &weight);
		if (conn->recv_closed) {
			opened->event = ENGINE_EVENT_CLOSED;
		}
		break;
	default:
		return REASON_RECORD_INNER_TYPE;
	}
	if (reason != REASON_NONE) {
		return reason;
	}
	conn->flood += weight;
	return conn->flood > POST_FLOOD_LIMIT ? REASON_FLOOD : REASON_NONE;
}

/* Unprotect a record that has a header. */
static enum reason open_record(struct engine_conn *conn, const struct record_cipher_spec *spec,
			       struct engine_cipher *cipher, uint8_t *record, size_t len, uint8_t *out,
			       size_t out_len, struct record_opened *in)
{
	struct record_header header;
	enum reason reason;

	record_parse_header(record, &header);
	reason = judge_header(spec, &header);
	if (reason != REASON_NONE) {
		return reason;
	}
	return record_open(spec, &conn->recv, cipher, record, len, out_len < header.length ? NULL : out, in);
}

enum engine_err engine_open(struct engine_conn *conn, struct engine_cipher *cipher, uint8_t *record,
			    size_t len, uint8_t *out, size_t out_len, struct engine_opened *opened)
{
	const struct record_cipher_spec spec = recv_spec(conn);
	struct record_opened in = {.len = 0};
	enum reason reason;

	*opened = (struct engine_opened){.event = ENGINE_EVENT_NOTHING};
	if (conn->recv_err != ENGINE_OK) {
		return conn->recv_err;
	}
	if (conn->recv_closed) {
		/* RFC 8446 6.1: what comes behind close_notify is ignored */
		opened->event = ENGINE_EVENT_CLOSED;
		return ENGINE_OK;
	}
	if (spec.suite == NULL || len < ENGINE_RECORD_HEADER_LEN) {
		return recv_fail(conn, REASON_INTERNAL);
	}
	reason = open_record(conn, &spec, cipher, record, len, out, out_len, &in);
	if (reason == REASON_NONE) {
		reason = on_record(conn, spec.suite, &in, opened);
		if (reason == REASON_PEER_ALERT) {
			forget_session(conn);
			conn->recv_err = ENGINE_ERR_PEER_ALERT;
			conn->recv_alert = in.data[1];
			conn->recv_reason = REASON_PEER_ALERT;
			return conn->recv_err;
		}
	}
	if (reason != REASON_NONE) {
		secret_wipe(in.data, in.len);
		*opened = (struct engine_opened){.event = ENGINE_EVENT_NOTHING};
		return recv_fail(conn, reason);
	}
	return ENGINE_OK;
}

uint8_t engine_alert_due(const struct engine_conn *conn)
{
	if (conn->recv_err == ENGINE_OK || conn->recv_err == ENGINE_ERR_PEER_ALERT) {
		return 0;
	}
	return conn->recv_alert;
}

const char *engine_conn_reason(const struct engine_conn *conn)
{
	if (conn->recv_reason == REASON_PEER_ALERT) {
		return alert_from_peer_text(conn->recv_alert);
	}
	return reason_text((enum reason)conn->recv_reason);
}

/* ---- sending ---- */

/* Protect what has a content type of its own. */
static bool seal(struct engine_conn *conn, struct engine_cipher *cipher, uint8_t type,
		 const struct engine_slice *plain, size_t n_plain, uint8_t *out, size_t out_size,
		 size_t *out_len)
{
	const struct record_cipher_spec spec = send_spec(conn);

	return spec.suite != NULL &&
	       record_seal(&spec, &conn->send, cipher, type, plain, n_plain, out, out_size, out_len);
}

enum engine_err engine_seal(struct engine_conn *conn, struct engine_cipher *cipher,
			    const struct engine_slice *plain, size_t n_plain, uint8_t *out, size_t out_size,
			    size_t *out_len)
{
	*out_len = 0;
	/* what asks for padding must not go out without */
	if (conn->send_closed ||
	    (conn->padding > 1 && out_size < engine_max_plaintext(conn) + ENGINE_SEAL_OVERHEAD) ||
	    !seal(conn, cipher, CONTENT_APPLICATION_DATA, plain, n_plain, out, out_size, out_len)) {
		return ENGINE_ERR_INTERNAL;
	}
	return ENGINE_OK;
}

size_t engine_max_plaintext(const struct engine_conn *conn)
{
	return conn->send_limit != 0 ? conn->send_limit : ENGINE_MAX_PLAINTEXT;
}

struct engine_send_mark engine_send_mark(const struct engine_conn *conn)
{
	struct engine_send_mark mark = {.seq = conn->send.seq};

	memcpy(mark.iv, conn->send.iv, sizeof(mark.iv));
	return mark;
}

void engine_send_rewind(struct engine_conn *conn, const struct engine_send_mark *mark)
{
	/* only ever back: numbers that were skipped would be records that the peer misses */
	if (mark->seq < conn->send.seq) {
		conn->send.seq = mark->seq;
		memcpy(conn->send.iv, mark->iv, sizeof(mark->iv));
	}
}

/* Has the key sealed as many records as it should? */
static bool key_is_used_up(const struct engine_conn *conn)
{
	const struct suite *suite = suite_find(conn->suite);

	return suite != NULL && conn->send.seq >= suite->soft_limit;
}

bool engine_renegotiation_due(const struct engine_conn *conn)
{
	return conn->version != ENGINE_TLS13 && conn->may_renegotiate && !conn->send_closed &&
	       key_is_used_up(conn);
}

bool engine_control_due(const struct engine_conn *conn)
{
	if (conn->send_closed) {
		return false;
	}
	return __atomic_load_n(&conn->control_due, __ATOMIC_ACQUIRE) != 0 ||
	       (conn->version == ENGINE_TLS13 && key_is_used_up(conn));
}

/* RFC 8446 4.6.3 */
static bool control13(struct engine_conn *conn, struct engine_cipher *cipher, uint8_t *out, size_t *out_len)
{
	/* KeyUpdate, update_not_requested */
	static const uint8_t key_update[] = {HS_KEY_UPDATE, 0, 0, 1, 0};
	const struct engine_slice slice = {key_update, sizeof(key_update)};
	const struct suite *suite = suite_find(conn->suite);

	return suite != NULL &&
	       seal(conn, cipher, CONTENT_HANDSHAKE, &slice, 1, out, ENGINE_CONTROL_MAX, out_len) &&
	       keysched13_update_keys(suite, &conn->send);
}

/* RFC 5246 7.2.2 */
static bool control12(struct engine_conn *conn, struct engine_cipher *cipher, uint8_t *out, size_t *out_len)
{
	static const uint8_t no_renegotiation[ALERT_LEN] = {ALERT_LEVEL_WARNING, ALERT_NO_RENEGOTIATION};
	const struct engine_slice slice = {no_renegotiation, sizeof(no_renegotiation)};

	return seal(conn, cipher, CONTENT_ALERT, &slice, 1, out, ENGINE_CONTROL_MAX, out_len);
}

enum engine_err engine_control(struct engine_conn *conn, struct engine_cipher *cipher,
			       uint8_t out[static ENGINE_CONTROL_MAX], size_t *out_len)
{
	bool ok;

	*out_len = 0;
	if (!engine_control_due(conn)) {
		return ENGINE_OK;
	}
	/* cleared before: a request that comes meanwhile is answered by the next call */
	__atomic_store_n(&conn->control_due, 0, __ATOMIC_RELEASE);
	if (conn->version == ENGINE_TLS13) {
		ok = control13(conn, cipher, out, out_len);
	} else {
		ok = control12(conn, cipher, out, out_len);
	}
	if (!ok) {
		*out_len = 0;
		conn->send_closed = 1;
		return ENGINE_ERR_INTERNAL;
	}
	return ENGINE_OK;
}

enum engine_err engine_seal_alert(struct engine_conn *conn, struct engine_cipher *cipher, uint8_t alert,
				  uint8_t out[static ENGINE_CONTROL_MAX], size_t *out_len)
{
	const uint8_t body[ALERT_LEN] = {
		alert == ALERT_CLOSE_NOTIFY ? ALERT_LEVEL_WARNING : ALERT_LEVEL_FATAL, alert};
	const struct engine_slice slice = {body, sizeof(body)};

	*out_len = 0;
	if (conn->send_closed) {
		return ENGINE_OK;
	}
	conn->send_closed = 1;
	return seal(conn, cipher, CONTENT_ALERT, &slice, 1, out, ENGINE_CONTROL_MAX, out_len)
		       ? ENGINE_OK
		       : ENGINE_ERR_INTERNAL;
}

void engine_conn_wipe(struct engine_conn *conn)
{
	secret_wipe(&conn->recv, sizeof(conn->recv));
	secret_wipe(&conn->send, sizeof(conn->send));
	secret_wipe(conn->resumption_secret, sizeof(conn->resumption_secret));
	conn->send_closed = 1;
	/* keys of zeros must never open anything */
	if (conn->recv_err == ENGINE_OK && !conn->recv_closed) {
		conn->recv_err = ENGINE_ERR_INTERNAL;
		conn->recv_alert = reason_alert(REASON_WIPED);
		conn->recv_reason = REASON_WIPED;
	}
}
