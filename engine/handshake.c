/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes in: bytes to records, records to messages, messages to the role's table.
 *
 * Implementation notes
 *
 *   A record is collected in memory of exactly its size, decrypted in place and given back at once; a message that
 *   lies in one record is handled there, without a copy. A message that is split over records is collected in
 *   hs->message, which grows with what has come, not with what the peer announces, and only for a type that the
 *   present state allows.
 */
#include "handshake.h"

#include <string.h>

#include "secret.h"
#include "session.h"

/* Weights of records that move nothing, and how much of it in a row is borne; as behind the handshake, engine.c. */
#define FLOOD_LIMIT         32
#define FLOOD_RECORD        1
#define FLOOD_USER_CANCELED 7
/* Application data that is kept while a connection renegotiates. */
#define APP_DATA_MAX        (64 * 1024)
/* Bytes of a peer that does not speak TLS that go to the reason. */
#define QUOTE_MAX           16

static bool fail_reason(struct engine_hs *hs, enum reason reason)
{
	return hs_fail(hs, reason_alert(reason), reason_text(reason));
}

static bool count_flood(struct engine_hs *hs, uint32_t weight)
{
	hs->flood += weight;
	return hs->flood <= FLOOD_LIMIT || fail_reason(hs, REASON_FLOOD);
}

static bool is_old(const struct engine_hs *hs)
{
	return hs->version != 0 && hs->version < ENGINE_TLS13;
}

/* Can it be nothing but TLS 1.2 or older, whatever the peer chooses? */
static bool will_be_old(const struct engine_hs *hs)
{
	return is_old(hs) || hs->config->max_version < ENGINE_TLS13;
}

/* ---- dispatch ---- */

static const struct hs_row *row_find(const struct engine_hs *hs, uint16_t type)
{
	for (size_t i = 0; i < hs->n_rows; i++) {
		if (hs->rows[i].state == hs->state && hs->rows[i].type == type) {
			return &hs->rows[i];
		}
	}
	return NULL;
}

/* A notice that the client has no use for while it negotiates: not part of the transcript. RFC 5246 7.4.1.1 */
static bool ignore_hello_request(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	(void)msg;
	*next = hs->state;
	return count_flood(hs, FLOOD_RECORD);
}

static const struct hs_row hello_request_row = {
	.type = HS_HELLO_REQUEST, .max_len = 0, .on = ignore_hello_request, .next = UINT64_MAX};

/* In TLS 1.2 and older it may come at any time, and the version may still be open. */
static bool may_ignore_hello_request(const struct engine_hs *hs)
{
	return hs->role == ENGINE_CLIENT &&
	       (is_old(hs) || (hs->version == 0 && hs->config->min_version < ENGINE_TLS13 && !hs->retried));
}

/*
 * Does nothing but HelloRequests follow in the record? Behind Finished they may (RFC 5246 6.2.1), and the client still
 * negotiates.
 */
static bool ends_in_hello_requests(const struct engine_hs *hs, struct rd rest)
{
	uint8_t type = HS_HELLO_REQUEST;
	uint32_t len = 0;

	while (type == HS_HELLO_REQUEST && len == 0 && !rd_end(&rest)) {
		if (!rd_u8(&rest, &type) || !rd_u24(&rest, &len)) {
			return false;
		}
	}
	return type == HS_HELLO_REQUEST && len == 0 && may_ignore_hello_request(hs);
}

/* What can be said when a message's four bytes of header are there. */
static const struct hs_row *judge_message(struct engine_hs *hs, uint8_t type, size_t len)
{
	const struct hs_row *row = row_find(hs, type);

	if (row == NULL && type == HS_HELLO_REQUEST && may_ignore_hello_request(hs)) {
		row = &hello_request_row;
	}
	if (row == NULL) {
		hs_fail(hs, ALERT_UNEXPECTED_MESSAGE, "a handshake message out of order");
		return NULL;
	}
	if (len > row->max_len) {
		hs_fail(hs, type == HS_CERTIFICATE ? ALERT_ILLEGAL_PARAMETER : ALERT_DECODE_ERROR,
			"a handshake message larger than any that makes sense");
		return NULL;
	}
	return row;
}

static bool handle(struct engine_hs *hs, const struct hs_row *row, const struct hs_message *msg)
{
	enum hs_state next = HS_FAILED;

	if (!row->on(hs, msg, &next)) {
		return hs_fail_internal(hs, "handler");
	}
	if ((row->next & TO(next)) == 0) {
		return hs_fail_internal(hs, "state");
	}
	if (next != hs->state) {
		hs->flood = 0;
	}
	hs->state = next;
	return true;
}

/* rest: what follows in the record. */
static bool dispatch(struct engine_hs *hs, const struct hs_row *row, struct rd whole, struct rd rest)
{
	struct hs_message msg = {.type = row->type,
				 .whole = whole,
				 .at_record_end = rd_end(&rest) || ends_in_hello_requests(hs, rest)};
	struct rd in = whole;
	struct rd header;

	if (row->ends_record && !msg.at_record_end) {
		return hs_fail(hs, ALERT_UNEXPECTED_MESSAGE,
			       "a handshake message behind one that ends its record");
	}
	if (!rd_bytes(&in, &header, HS_HEADER_LEN) || !rd_bytes(&in, &msg.body, in.left)) {
		return hs_fail_internal(hs, "dispatch");
	}
	return handle(hs, row, &msg);
}

/* Type and body length of the message that starts here; false if its header is not there in full. */
static bool peek_header(struct rd in, uint8_t *type, uint32_t *len)
{
	return rd_u8(&in, type) && rd_u24(&in, len);
}

/* Add to the split message what is still missing up to want bytes. */
static bool collect(struct engine_hs *hs, struct rd *in, size_t want)
{
	struct rd piece;
	size_t missing = want > hs->message.len ? want - hs->message.len : 0;

	if (!rd_bytes(in, &piece, missing < in->left ? missing : in->left)) {
		return hs_fail_internal(hs, "reassembly");
	}
	wr_bytes(&hs->message, piece.p, piece.left);
	return !hs->message.failed || hs_fail_internal(hs, "reassembly");
}

/* Go on with a message of which a part has come before. */
static bool on_split_message(struct engine_hs *hs, struct rd *in)
{
	const struct hs_row *row;
	struct wr message;
	uint8_t type;
	uint32_t len;
	bool ok;

	if (hs->message.len < HS_HEADER_LEN && !collect(hs, in, HS_HEADER_LEN)) {
		return false;
	}
	if (!peek_header(rd_of(hs->message.data, hs->message.len), &type, &len)) {
		return true;
	}
	row = judge_message(hs, type, len);
	if (row == NULL || !collect(hs, in, HS_HEADER_LEN + (size_t)len)) {
		return false;
	}
	if (hs->message.len < HS_HEADER_LEN + (size_t)len) {
		return true;
	}
	message = hs->message;
	wr_init_heap(&hs->message);
	ok = dispatch(hs, row, rd_of(message.data, message.len), *in);
	wr_free(&message);
	return ok;
}

/* The content of a handshake record. RFC 8446 5.1 */
bool hs_take_messages(struct engine_hs *hs, struct rd in)
{
	if (rd_end(&in)) {
		return fail_reason(hs, REASON_EMPTY_FRAGMENT);
	}
	while (!rd_end(&in) && hs->state != HS_DONE) {
		const struct hs_row *row;
		struct rd whole;
		uint8_t type;
		uint32_t len;

		if (hs->message.len == 0 && peek_header(in, &type, &len)) {
			row = judge_message(hs, type, len);
			if (row == NULL) {
				return false;
			}
			if (rd_bytes(&in, &whole, HS_HEADER_LEN + (size_t)len)) {
				if (!dispatch(hs, row, whole, in)) {
					return false;
				}
				continue;
			}
		}
		if (!on_split_message(hs, &in)) {
			return false;
		}
	}
	return true;
}

/* ---- records ---- */

/*
 * Is this alert a mere warning? In TLS 1.3 the level says nothing. While the version is open, a server may send
 * unrecognized_name as a warning in front of its ServerHello (RFC 6066 3).
 */
static bool is_warning(const struct engine_hs *hs, uint8_t level)
{
	const bool is_open = hs->version == 0 && hs->role == ENGINE_CLIENT &&
			     hs->config->min_version < ENGINE_TLS13;

	return level == ALERT_LEVEL_WARNING && (is_old(hs) || is_open);
}

/* RFC 8446 6, RFC 5246 7.2 */
static bool on_alert(struct engine_hs *hs, struct rd in)
{
	uint8_t level;
	uint8_t code;

	if (rd_end(&in)) {
		return fail_reason(hs, REASON_EMPTY_FRAGMENT);
	}
	if (!rd_u8(&in, &level) || !rd_u8(&in, &code) || !rd_end(&in)) {
		return fail_reason(hs, REASON_ALERT_LENGTH);
	}
	if (will_be_old(hs) && level != ALERT_LEVEL_WARNING && level != ALERT_LEVEL_FATAL) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "an alert of a level that does not exist");
	}
	if (hs_is_unanswered(hs) && level == ALERT_LEVEL_WARNING &&
	    (code == ALERT_NO_RENEGOTIATION || code == ALERT_CLOSE_NOTIFY)) {
		hs_give_back(hs);
		hs->conn->recv_closed = code == ALERT_CLOSE_NOTIFY;
		return true;
	}
	/* before the version is known, and up to 1.2, a warning is one; in 1.3 the code alone decides */
	if (is_warning(hs, level) ? code != ALERT_CLOSE_NOTIFY
				  : code == ALERT_USER_CANCELED &&
					    (hs->version == ENGINE_TLS13 || level == ALERT_LEVEL_WARNING)) {
		return count_flood(hs, FLOOD_USER_CANCELED);
	}
	(void)hs_fail(hs, code, alert_from_peer_text(code));
	hs->err = ENGINE_ERR_PEER_ALERT;
	return false;
}

/* The ChangeCipherSpec of TLS 1.2 is a step of the state machine. RFC 5246 7.1 */
static bool on_change_cipher_spec12(struct engine_hs *hs, struct rd in)
{
	const struct hs_row *row = row_find(hs, HS_CHANGE_CIPHER_SPEC);
	const struct hs_message msg = {
		.type = HS_CHANGE_CIPHER_SPEC, .whole = in, .body = in, .at_record_end = true};
	uint8_t value;

	if (row == NULL) {
		return hs_fail(hs, ALERT_UNEXPECTED_MESSAGE, "a ChangeCipherSpec out of order");
	}
	if (!rd_u8(&in, &value) || !rd_end(&in)) {
		return hs_fail(hs, ALERT_UNEXPECTED_MESSAGE, "malformed ChangeCipherSpec");
	}
	if (value != 1) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "a ChangeCipherSpec of unknown type");
	}
	return handle(hs, row, &msg);
}

/* RFC 8446 5, D.4 */
static bool on_change_cipher_spec(struct engine_hs *hs, struct rd in)
{
	const bool is_early = hs->version == 0;
	uint8_t value;

	if (is_early && hs->config->max_version < ENGINE_TLS13) {
		return hs_fail(hs, ALERT_UNEXPECTED_MESSAGE, "a ChangeCipherSpec out of order");
	}
	hs->got_early_ccs = hs->got_early_ccs || is_early;
	if (hs->state == HS_WAIT_CLIENT_HELLO || !rd_u8(&in, &value) || !rd_end(&in) || value != 1) {
		return hs_fail(hs, ALERT_UNEXPECTED_MESSAGE,
			       "a ChangeCipherSpec that TLS 1.3 does not allow");
	}
	return count_flood(hs, FLOOD_RECORD);
}

/* A record of early data that cannot be read: has the peer said that it would come? RFC 8446 4.2.10 */
static bool skip_early_data(struct engine_hs *hs)
{
	if (hs->early_data_left == 0) {
		return false;
	}
	hs->early_data_left =
		hs->record_len < hs->early_data_left ? hs->early_data_left - (uint32_t)hs->record_len : 0;
	return hs->early_data_left != 0;
}

static bool on_protected_record(struct engine_hs *hs)
{
	struct record_opened in;
	enum reason reason;

	if (hs->recv_cipher == NULL) {
		if (hs->message.len != 0) {
			return fail_reason(hs, REASON_INTERLEAVED);
		}
		/* behind a HelloRetryRequest, early data is known by its type alone */
		return (hs->state == HS_WAIT_CLIENT_HELLO_AGAIN && skip_early_data(hs)) ||
		       fail_reason(hs, REASON_RECORD_TYPE);
	}
	reason = record13_open(hs->suite, &hs->recv, hs->recv_cipher, hs->record, hs->record_len, NULL, &in);
	if (reason == REASON_RECORD_MAC && !hs->got_opened && skip_early_data(hs)) {
		return true;
	}
	if (reason != REASON_NONE) {
		return fail_reason(hs, reason);
	}
	hs->got_opened = true;
	hs->early_data_left = 0;
	if (hs->message.len != 0 && in.type != CONTENT_HANDSHAKE) {
		return fail_reason(hs, REASON_INTERLEAVED);
	}
	switch (in.type) {
	case CONTENT_HANDSHAKE:
		return hs_take_messages(hs, rd_of(in.data, in.len));
	case CONTENT_ALERT:
		return on_alert(hs, rd_of(in.data, in.len));
	default:
		return fail_reason(hs, REASON_RECORD_INNER_TYPE);
	}
}

/*
 * Application data is legal only while an established connection renegotiates, and until the peer has changed its
 * cipher. A client that goes on sending instead of answering a HelloRequest does not want to renegotiate.
 */
static bool on_application_data(struct engine_hs *hs, struct rd in)
{
	const bool is_behind_ccs =
		hs->state == HS12_WAIT_CLIENT_FINISHED || hs->state == HS12_WAIT_SERVER_FINISHED;

	if (!hs->renegotiating || is_behind_ccs) {
		return hs_fail(hs, ALERT_UNEXPECTED_MESSAGE, "application data in the middle of a handshake");
	}
	if (rd_end(&in)) {
		return count_flood(hs, FLOOD_RECORD);
	}
	hs->flood = 0;
	wr_bytes(&hs->app_data, in.p, in.left);
	hs->app_data_total += in.left;
	if (hs->app_data.failed) {
		return hs_fail_internal(hs, "application data");
	}
	if (hs->role == ENGINE_SERVER && hs_is_unanswered(hs) && hs->app_data_total > APP_DATA_MAX) {
		hs_give_back(hs);
		return true;
	}
	return hs->app_data.len <= APP_DATA_MAX ||
	       hs_fail(hs, ALERT_UNEXPECTED_MESSAGE, "too much application data in the middle of a handshake");
}

/* A record of TLS 1.2 or older, plain or protected: its type stands in its header. RFC 5246 6.2 */
static bool on_record12(struct engine_hs *hs)
{
	struct rd in =
		rd_of(hs->record + ENGINE_RECORD_HEADER_LEN, hs->record_len - ENGINE_RECORD_HEADER_LEN);
	const uint8_t type = hs->record[0];

	if (hs->recv_cipher != NULL) {
		struct record_opened opened;
		enum reason reason = record_open(&hs->recv_spec, &hs->recv, hs->recv_cipher, hs->record,
						 hs->record_len, NULL, &opened);

		if (reason != REASON_NONE) {
			return fail_reason(hs, reason);
		}
		in = rd_of(opened.data, opened.len);
	}
	/* what stands between the pieces of a message may be data or an alert: RFC 5246 6.2.1 forbids neither */
	if (hs->message.len != 0 && type == CONTENT_CHANGE_CIPHER_SPEC) {
		return fail_reason(hs, REASON_INTERLEAVED);
	}
	switch (type) {
	case CONTENT_HANDSHAKE:
		return hs_take_messages(hs, in);
	case CONTENT_CHANGE_CIPHER_SPEC:
		return on_change_cipher_spec12(hs, in);
	case CONTENT_ALERT:
		return on_alert(hs, in);
	default:
		return on_application_data(hs, in);
	}
}

static bool on_record(struct engine_hs *hs)
{
	struct rd in =
		rd_of(hs->record + ENGINE_RECORD_HEADER_LEN, hs->record_len - ENGINE_RECORD_HEADER_LEN);

	if (is_old(hs)) {
		return on_record12(hs);
	}
	if (hs->record[0] == CONTENT_APPLICATION_DATA) {
		return on_protected_record(hs);
	}
	if (hs->message.len != 0 && hs->record[0] != CONTENT_HANDSHAKE) {
		return fail_reason(hs, REASON_INTERLEAVED);
	}
	switch (hs->record[0]) {
	case CONTENT_CHANGE_CIPHER_SPEC:
		return on_change_cipher_spec(hs, in);
	case CONTENT_ALERT:
		/* a client that cannot read our ServerHello says so in clear, RFC 8446 6 */
		if (hs->recv_cipher == NULL || (hs->role == ENGINE_SERVER && !hs->got_opened)) {
			return on_alert(hs, in);
		}
		return fail_reason(hs, REASON_RECORD_TYPE);
	default:
		return hs->recv_cipher == NULL ? hs_take_messages(hs, in) : fail_reason(hs, REASON_RECORD_TYPE);
	}
}

/* RFC 8446 5.1: the version in a plaintext record is ignored; 5.2: in a protected one, it is always the same. */
static bool judge_record_header(struct engine_hs *hs)
{
	struct record_header header;
	bool is_protected;

	record_parse_header(hs->header, &header);
	is_protected = is_old(hs) ? hs->recv_cipher != NULL : header.type == CONTENT_APPLICATION_DATA;
	if (header.type < CONTENT_CHANGE_CIPHER_SPEC || header.type > CONTENT_APPLICATION_DATA) {
		return fail_reason(hs, REASON_RECORD_TYPE);
	}
	if (is_old(hs) && header.version != hs->version) {
		return hs_fail(hs, ALERT_PROTOCOL_VERSION, "a record of another version than was negotiated");
	}
	if (is_protected && hs->recv_cipher != NULL && !is_old(hs) && header.version != RECORD_VERSION) {
		return fail_reason(hs, REASON_RECORD_VERSION);
	}
	if (header.length > (!is_protected ? ENGINE_MAX_PLAINTEXT
			     : is_old(hs)  ? record_max_ciphertext(&hs->recv_spec)
					   : RECORD13_MAX_CIPHERTEXT)) {
		return fail_reason(hs, REASON_RECORD_OVERFLOW);
	}
	hs->record_len = ENGINE_RECORD_HEADER_LEN + header.length;
	hs->record = engine_alloc(hs->record_len);
	if (hs->record == NULL) {
		return hs_fail_internal(hs, "record");
	}
	memcpy(hs->record, hs->header, ENGINE_RECORD_HEADER_LEN);
	hs->record_got = ENGINE_RECORD_HEADER_LEN;
	return true;
}

void hs_release_record(struct engine_hs *hs)
{
	if (hs->record != NULL) {
		secret_wipe(hs->record, hs->record_len);
		engine_release(hs->record);
		hs->record = NULL;
	}
	hs->header_len = 0;
}

/*
 * Do these first bytes start a TLS record? Where nobody would take the type for text, the version may be anything
 * (RFC 8446 5.1) unless the length is absurd; where the type is none, the version must tell that TLS is meant, and the
 * peer is then told with an alert. Two bytes of text are enough to say no.
 */
static bool looks_like_tls(const uint8_t *start, size_t len)
{
	const bool major_fits = len < 2 || start[1] == RECORD_VERSION >> 8;

	if (start[0] >= CONTENT_CHANGE_CIPHER_SPEC && start[0] <= CONTENT_APPLICATION_DATA) {
		struct record_header header = {.length = 0};

		if (len == ENGINE_RECORD_HEADER_LEN) {
			record_parse_header(start, &header);
		}
		return major_fits || header.length <= ENGINE_MAX_PLAINTEXT;
	}
	return major_fits && (len < 3 || start[2] <= (ENGINE_TLS13 & 0xff));
}

/*
 * Do these first bytes start a ClientHello in the form of SSL 2.0 (RFC 5246 E.2)? A length with its top bit set, the
 * type, a version. It is refused like any other old version. RFC 8446 D.5. What has TLS's 3 in second place is rather
 * a record of unknown type.
 */
static bool looks_like_ssl2(const struct engine_hs *hs)
{
	return hs->role == ENGINE_SERVER && (hs->header[0] & 0x80) != 0 &&
	       (hs->header_len < 2 || hs->header[1] != RECORD_VERSION >> 8) &&
	       (hs->header_len < 3 || hs->header[2] == HS_CLIENT_HELLO) &&
	       (hs->header_len < 4 || hs->header[3] == 0 || hs->header[3] == RECORD_VERSION >> 8);
}

/*
 * Is the peer that does not speak TLS to be told so with an alert? Not one that may show it to a user as text; records
 * of SSL 2.0 begin with a byte that no text does.
 */
static bool is_worth_an_alert(const struct engine_hs *hs)
{
	return hs->role == ENGINE_SERVER && (hs->header[0] & 0x80) != 0;
}

/* ENGINE_ERR_NOT_TLS, with the peer's first bytes in the reason as far as they can be printed. */
static bool fail_not_tls(struct engine_hs *hs, struct rd more)
{
	char quote[ENGINE_RECORD_HEADER_LEN + QUOTE_MAX + 1];
	size_t len = 0;

	for (size_t i = 0; i < hs->header_len; i++) {
		quote[len++] = (char)hs->header[i];
	}
	while (len < QUOTE_MAX) {
		uint8_t byte;

		if (!rd_u8(&more, &byte)) {
			break;
		}
		quote[len++] = (char)byte;
	}
	for (size_t i = 0; i < len; i++) {
		if (quote[i] < 0x20 || quote[i] > 0x7e) {
			quote[i] = '.';
		}
	}
	quote[len] = '\0';
	(void)hs_fail_detail(hs, ALERT_UNEXPECTED_MESSAGE, "the peer does not speak TLS; its first bytes are",
			     quote);
	hs->err = ENGINE_ERR_NOT_TLS;
	return false;
}

/* Take a piece of the record that is coming in. False when the handshake has failed. */
static bool take(struct engine_hs *hs, struct rd *in)
{
	struct rd piece;
	size_t missing;
	bool ok;

	if (hs->header_len < ENGINE_RECORD_HEADER_LEN) {
		if (!rd_u8(in, &hs->header[hs->header_len])) {
			return hs_fail_internal(hs, "header");
		}
		hs->header_len++;
		if (!hs->got_record && looks_like_ssl2(hs)) {
			return hs->header_len < ENGINE_RECORD_HEADER_LEN ||
			       hs_fail(hs, ALERT_PROTOCOL_VERSION,
				       "the peer offers SSL 2.0 or uses its form, which nobody should");
		}
		if (!hs->got_record && !looks_like_tls(hs->header, hs->header_len)) {
			return fail_not_tls(hs, *in);
		}
		if (hs->header_len < ENGINE_RECORD_HEADER_LEN) {
			return true;
		}
		if (!judge_record_header(hs)) {
			return false;
		}
	}
	missing = hs->record_len - hs->record_got;
	if (!rd_bytes(in, &piece, missing < in->left ? missing : in->left)) {
		return hs_fail_internal(hs, "record");
	}
	if (piece.left != 0) {
		memcpy(hs->record + hs->record_got, piece.p, piece.left);
		hs->record_got += piece.left;
	}
	if (hs->record_got < hs->record_len) {
		return true;
	}
	hs->got_record = true;
	ok = on_record(hs);
	hs_release_record(hs);
	return ok;
}

/* Put the alert that we owe behind what is pending. RFC 8446 6 */
static void send_alert(struct engine_hs *hs)
{
	const uint8_t level = hs->alert == ALERT_CLOSE_NOTIFY ? ALERT_LEVEL_WARNING : ALERT_LEVEL_FATAL;
	const uint8_t body[ALERT_LEN] = {level, hs->alert};
	const struct engine_slice slice = {body, sizeof(body)};
	uint8_t record[ENGINE_SEAL_OVERHEAD + ALERT_LEN];
	size_t len = 0;

	if (hs->send_cipher != NULL) {
		if (!record_seal(&hs->send_spec, &hs->send, hs->send_cipher, CONTENT_ALERT, &slice, 1, record,
				   sizeof(record), &len)) {
			return;
		}
	} else {
		record_build_header(record, CONTENT_ALERT, is_old(hs) ? hs->version : RECORD_VERSION,
				    ALERT_LEN);
		memcpy(record + ENGINE_RECORD_HEADER_LEN, body, sizeof(body));
		len = ENGINE_RECORD_HEADER_LEN + ALERT_LEN;
	}
	wr_bytes(&hs->out, record, len);
}

/* An error of the peer's is answered by nothing, its end by ours. RFC 5246 7.2.1, RFC 8446 6.1 */
static bool owes_alert(const struct engine_hs *hs)
{
	if (hs->err == ENGINE_ERR_NOT_TLS) {
		return is_worth_an_alert(hs);
	}
	return hs->err != ENGINE_ERR_PEER_ALERT || hs->alert == ALERT_CLOSE_NOTIFY;
}

enum engine_err hs_fail_finally(struct engine_hs *hs)
{
	hs->state = HS_FAILED;
	hs->out.failed = false; /* an alert may still find room where a message did not */
	if (owes_alert(hs)) {
		send_alert(hs);
	}
	/* RFC 5246 7.2.2; and the next attempt may do better without */
	if (hs->role == ENGINE_CLIENT && hs->session != NULL && hs->session->version < ENGINE_TLS13) {
		session_drop(hs->session_name12);
	}
	if (hs->renegotiating) {
		hs_end_connection(hs);
	}
	hs_wipe_secrets(hs);
	return hs->err;
}

/* ---- the surface ---- */

enum engine_err engine_hs_recv(struct engine_hs *hs, const uint8_t *wire, size_t len, size_t *used)
{
	struct rd in = rd_of(wire, len);

	*used = 0;
	if (hs->err != ENGINE_OK) {
		return hs->err;
	}
	hs->got_any = hs->got_any || len != 0;
	while (hs->state != HS_DONE && !rd_end(&in)) {
		bool ok = take(hs, &in);

		*used = len - in.left;
		if (!ok) {
			return hs_fail_finally(hs);
		}
	}
	if (hs->state == HS_DONE) {
		hs_wipe_secrets(hs);
	}
	return ENGINE_OK;
}
