/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What handlers build on: transcript, sending messages in flights, changing keys, Finished, failing.
 *
 * Implementation notes
 *
 *   Messages are built into hs->flight and put into records by hs_flush(), which is called before every change of
 *   the send keys and at the end of a flight: so a flight takes as few records as possible, and no message crosses
 *   a key change. Sealed bytes wait in hs->out until the caller has sent them.
 */
#include <string.h>

#include "handshake.h"
#include "session.h"

/* ---- failing ---- */

static void copy_text(char *out, size_t size, size_t at, const char *text)
{
	size_t len = strlen(text);

	if (at >= size) {
		return;
	}
	if (len > size - 1 - at) {
		len = size - 1 - at;
	}
	memcpy(out + at, text, len);
	out[at + len] = '\0';
}

bool hs_fail_detail(struct engine_hs *hs, uint8_t alert, const char *why, const char *detail)
{
	if (hs->err == ENGINE_OK) {
		hs->err = alert_to_err(alert);
		hs->alert = alert;
		copy_text(hs->reason, sizeof(hs->reason), 0, why);
		if (detail != NULL) {
			copy_text(hs->reason, sizeof(hs->reason), strlen(hs->reason), ": ");
			copy_text(hs->reason, sizeof(hs->reason), strlen(hs->reason), detail);
		}
	}
	return false;
}

bool hs_fail(struct engine_hs *hs, uint8_t alert, const char *why)
{
	return hs_fail_detail(hs, alert, why, NULL);
}

bool hs_fail_internal(struct engine_hs *hs, const char *what)
{
	return hs_fail_detail(hs, ALERT_INTERNAL_ERROR, "out of memory, or a primitive failed", what);
}

void hs_describe_versions(const struct engine_hs *hs, struct wr *out)
{
	const struct engine_config *config = hs->config;

	wr_text(out, engine_version_name(config->min_version));
	if (config->max_version != config->min_version) {
		wr_text(out, " to ");
		wr_text(out, engine_version_name(config->max_version));
	}
}

/* ---- transcript ---- */

bool hs_transcript_add(struct engine_hs *hs, struct rd message)
{
	if (hs->transcript.live && !crypto_hash_update(&hs->transcript, message.p, message.left)) {
		return hs_fail_internal(hs, "transcript");
	}
	if (!hs->transcript.live || hs->keep_messages) {
		wr_bytes(&hs->held, message.p, message.left);
	}
	return !hs->held.failed || hs_fail_internal(hs, "transcript");
}

bool hs_transcript_start(struct engine_hs *hs, enum crypto_hash hash)
{
	bool ok = crypto_hash_init(&hs->transcript, hash) &&
		  crypto_hash_update(&hs->transcript, hs->held.data, hs->held.len);

	if (!hs->keep_messages) {
		wr_free(&hs->held);
	}
	return ok || hs_fail_internal(hs, "transcript");
}

bool hs_transcript_hash(struct engine_hs *hs, uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	return crypto_hash_peek(&hs->transcript, out) || hs_fail_internal(hs, "transcript");
}

bool hs_transcript_hash_with(struct engine_hs *hs, enum crypto_hash hash, struct rd more,
			     uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	struct crypto_hash_ctx ctx = {.live = false};
	bool ok;

	if (hs->transcript.live) {
		ok = hs->transcript.hash == hash && crypto_hash_copy(&ctx, &hs->transcript);
	} else {
		ok = crypto_hash_init(&ctx, hash) && crypto_hash_update(&ctx, hs->held.data, hs->held.len);
	}
	ok = ok && crypto_hash_update(&ctx, more.p, more.left) && crypto_hash_peek(&ctx, out);
	crypto_hash_wipe(&ctx);
	return ok || hs_fail_internal(hs, "transcript");
}

/* RFC 8446 4.4.1: ClientHello1 becomes message_hash || 00 00 Hash.length || Hash(ClientHello1). */
bool hs_transcript_retry(struct engine_hs *hs)
{
	enum crypto_hash hash = hs->transcript.hash;
	uint8_t digest[CRYPTO_MAX_HASH_LEN];
	uint8_t header[HS_HEADER_LEN] = {HS_MESSAGE_HASH, 0, 0, (uint8_t)crypto_hash_len(hash)};

	if (!hs_transcript_hash(hs, digest)) {
		return false;
	}
	if (!crypto_hash_init(&hs->transcript, hash)) {
		return hs_fail_internal(hs, "transcript");
	}
	return hs_transcript_add(hs, rd_of(header, sizeof(header))) &&
	       hs_transcript_add(hs, rd_of(digest, crypto_hash_len(hash)));
}

/* ---- sending ---- */

struct wr *hs_begin(struct engine_hs *hs, uint8_t type)
{
	hs->flight_mark = hs->flight.len;
	wr_u8(&hs->flight, type);
	(void)wr_open24(&hs->flight);
	return &hs->flight;
}

bool hs_end(struct engine_hs *hs)
{
	wr_close24(&hs->flight, hs->flight_mark + 1);
	if (hs->flight.failed) {
		return hs_fail_internal(hs, "building a message");
	}
	return hs_transcript_add(hs,
				 rd_of(hs->flight.data + hs->flight_mark, hs->flight.len - hs->flight_mark));
}

uint16_t hs_record_version(const struct engine_hs *hs)
{
	if (hs->version != 0 && hs->version < ENGINE_TLS13) {
		return hs->version;
	}
	/* RFC 8446 5.1: an initial ClientHello may say 1.0 for the sake of old servers */
	return hs->role == ENGINE_CLIENT && !hs->got_record ? ENGINE_TLS10 : RECORD_VERSION;
}

/* One record of the flight. */
static bool flush_record(struct engine_hs *hs, const uint8_t *data, size_t len)
{
	const uint16_t version = hs_record_version(hs);
	const struct engine_slice slice = {data, len};
	const size_t size = len + hs->send_spec.padding + ENGINE_SEAL_OVERHEAD;
	size_t out_len = 0;
	uint8_t *out;

	if (hs->send_cipher == NULL) {
		out = wr_room(&hs->out, ENGINE_RECORD_HEADER_LEN + len);
		if (out == NULL) {
			return hs_fail_internal(hs, "sending");
		}
		record_build_header(out, CONTENT_HANDSHAKE, version, len);
		memcpy(out + ENGINE_RECORD_HEADER_LEN, data, len);
		return true;
	}
	out = wr_room(&hs->out, size);
	if (out == NULL) {
		return hs_fail_internal(hs, "sending");
	}
	if (!record_seal(&hs->send_spec, &hs->send, hs->send_cipher, CONTENT_HANDSHAKE, &slice, 1, out, size,
			 &out_len)) {
		wr_unroom(&hs->out, size);
		return hs_fail_internal(hs, "sealing");
	}
	wr_unroom(&hs->out, size - out_len);
	return true;
}

/*
 * The longest plaintext of a record: the peer's wish counts for protected ones. In TLS 1.2, it goes with the keys, so
 * that in a renegotiation the old one counts until they change. RFC 8449 4
 */
static size_t flush_limit(const struct engine_hs *hs)
{
	const uint16_t limit = hs->send_cipher != NULL ? hs->send_spec.limit : 0;

	return limit != 0 ? limit : ENGINE_MAX_PLAINTEXT;
}

bool hs_flush(struct engine_hs *hs)
{
	const size_t max = flush_limit(hs);
	struct rd left = rd_of(hs->flight.data, hs->flight.len);
	struct rd piece;

	while (!rd_end(&left)) {
		if (!rd_bytes(&left, &piece, left.left < max ? left.left : max) ||
		    !flush_record(hs, piece.p, piece.left)) {
			return hs_fail_internal(hs, "sending");
		}
	}
	wr_free(&hs->flight);
	return true;
}

bool hs_send_ccs(struct engine_hs *hs)
{
	static const uint8_t record[] = {CONTENT_CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1};

	if (!hs->sent_ccs) {
		hs->sent_ccs = true;
		wr_bytes(&hs->out, record, sizeof(record));
	}
	return !hs->out.failed || hs_fail_internal(hs, "sending");
}

/* ---- keys ---- */

static bool set_secret(struct engine_hs *hs, const struct secret *traffic_secret, struct engine_keys *keys,
		       struct engine_cipher **cipher)
{
	if (*cipher == NULL) {
		*cipher = engine_cipher_new();
	}
	if (*cipher == NULL || !keysched13_traffic_keys(hs->suite, traffic_secret->data, keys)) {
		return hs_fail_internal(hs, "traffic keys");
	}
	return true;
}

bool hs_set_recv_secret(struct engine_hs *hs, const struct secret *traffic_secret)
{
	hs->recv_spec = (struct record_cipher_spec){.suite = hs->suite, .version = ENGINE_TLS13};
	return set_secret(hs, traffic_secret, &hs->recv, &hs->recv_cipher);
}

bool hs_set_send_secret(struct engine_hs *hs, const struct secret *traffic_secret)
{
	hs->send_spec = (struct record_cipher_spec){.suite = hs->suite,
						    .version = ENGINE_TLS13,
						    .limit = hs->send_limit,
						    .padding = hs->config->padding};
	return set_secret(hs, traffic_secret, &hs->send, &hs->send_cipher);
}

bool hs_enter_handshake_keys(struct engine_hs *hs, const uint8_t *shared, size_t shared_len)
{
	const struct secret *client = &hs->ks.client_handshake_traffic_secret;
	const struct secret *server = &hs->ks.server_handshake_traffic_secret;
	const bool is_client = hs->role == ENGINE_CLIENT;
	const struct session *psk = hs->resumed ? hs->session : NULL;
	uint8_t hash[CRYPTO_MAX_HASH_LEN];

	if (!hs_transcript_hash(hs, hash)) {
		return false;
	}
	if (!keysched13_init(&hs->ks, hs->suite, psk != NULL ? psk->secret : NULL,
			     psk != NULL ? psk->secret_len : 0) ||
	    !keysched13_derive_handshake(&hs->ks, shared, shared_len, hash)) {
		return hs_fail_internal(hs, "key schedule");
	}
	return hs_set_recv_secret(hs, is_client ? server : client) &&
	       hs_set_send_secret(hs, is_client ? client : server);
}

bool hs_send_finished(struct engine_hs *hs)
{
	const struct secret *base_key = hs->role == ENGINE_CLIENT ? &hs->ks.client_handshake_traffic_secret
								  : &hs->ks.server_handshake_traffic_secret;
	uint8_t hash[CRYPTO_MAX_HASH_LEN];
	uint8_t verify_data[CRYPTO_MAX_HASH_LEN];
	struct wr *out;

	if (!hs_transcript_hash(hs, hash)) {
		return false;
	}
	if (!keysched13_finished(hs->suite, base_key, hash, verify_data)) {
		return hs_fail_internal(hs, "Finished");
	}
	out = hs_begin(hs, HS_FINISHED);
	wr_bytes(out, verify_data, crypto_hash_len(hs->suite->hash));
	secret_wipe(verify_data, sizeof(verify_data));
	return hs_end(hs);
}

bool hs_fail_finished(struct engine_hs *hs)
{
	(void)hs_fail(hs, ALERT_DECRYPT_ERROR,
		      "Finished is wrong: the two sides have not seen the same handshake");
	/* the alert says nothing about a certificate here */
	hs->err = ENGINE_ERR_PROTOCOL;
	return false;
}

bool hs_check_finished(struct engine_hs *hs, const struct hs_message *msg)
{
	const struct secret *base_key = hs->role == ENGINE_CLIENT ? &hs->ks.server_handshake_traffic_secret
								  : &hs->ks.client_handshake_traffic_secret;
	const size_t hash_len = crypto_hash_len(hs->suite->hash);
	uint8_t hash[CRYPTO_MAX_HASH_LEN];
	uint8_t verify_data[CRYPTO_MAX_HASH_LEN];
	bool is_right;

	if (msg->body.left != hash_len) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "Finished of wrong length");
	}
	if (!hs_transcript_hash(hs, hash)) {
		return false;
	}
	if (!keysched13_finished(hs->suite, base_key, hash, verify_data)) {
		return hs_fail_internal(hs, "Finished");
	}
	is_right = secret_equal(msg->body.p, verify_data, hash_len);
	secret_wipe(verify_data, sizeof(verify_data));
	if (!is_right) {
		return hs_fail_finished(hs);
	}
	return hs_transcript_add(hs, msg->whole);
}

void hs_complete(struct engine_hs *hs)
{
	struct engine_conn *conn = hs->conn;

	conn->suite = hs->suite->id;
	conn->group = hs->group != NULL ? hs->group->id : 0;
	conn->scheme = hs->peer_scheme;
	conn->role = (uint8_t)hs->role;
	if (!hs->renegotiating) {
		conn->alpn_len = hs->alpn_len;
		memcpy(conn->alpn, hs->alpn, sizeof(conn->alpn));
	}
	conn->recv = hs->recv;
	conn->send = hs->send;
	conn->resumed = hs->resumed;
	conn->peer_is_authenticated = hs->peer_is_authenticated;
	copy_text(conn->peer_subject, sizeof(conn->peer_subject), 0, hs->peer_subject);
	conn->resumable_until = session_end(hs, engine_now());
	conn->session_lifetime = hs->config->session_lifetime;
	memcpy(conn->session_id, hs->version == ENGINE_TLS13 ? hs->session_name13 : hs->session_name12,
	       sizeof(conn->session_id));
	conn->send_limit = hs->send_limit;
	conn->padding = hs->version == ENGINE_TLS13 ? hs->config->padding : 0;
	if (hs->version < ENGINE_TLS13) {
		const struct hs12 *hs12 = &hs->hs12;

		conn->encrypt_then_mac = hs12->encrypt_then_mac;
		conn->extended_master_secret = hs12->extended_master_secret;
		/* a session without it, resumed, proves nothing about the connection: RFC 7627 5.4 */
		conn->may_renegotiate = hs12->secure_renegotiation &&
					hs->config->profile == ENGINE_PROFILE_LEGACY &&
					(!hs->resumed || hs12->extended_master_secret);
		conn->verify_data_len = HS12_VERIFY_DATA_LEN;
		memcpy(conn->client_verify_data, hs12->client_verify_data, HS12_VERIFY_DATA_LEN);
		memcpy(conn->server_verify_data, hs12->server_verify_data, HS12_VERIFY_DATA_LEN);
	}
	conn->version = hs->version;
	if (hs->renegotiating) {
		conn->send_closed = 0; /* its keys were lent */
	}
}
