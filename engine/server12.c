/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server of TLS 1.2 and older: its table, its handlers, its flights.  RFC 5246 7.3
 *
 *   WAIT_CLIENT_HELLO
 *          |  ServerHello, Certificate, [CertificateStatus], [ServerKeyExchange], [CertificateRequest],
 *          v  ServerHelloDone sent
 *   [WAIT_CLIENT_CERTIFICATE ->] WAIT_CLIENT_KEY_EXCHANGE -> [WAIT_CLIENT_CERTIFICATE_VERIFY ->]
 *          WAIT_CLIENT_CCS -> WAIT_CLIENT_FINISHED
 *          |  [NewSessionTicket], ChangeCipherSpec, Finished sent
 *          v
 *   DONE
 *
 * A session that is resumed:  RFC 5077 3.1
 *
 *   WAIT_CLIENT_HELLO --ServerHello, [NewSessionTicket], ChangeCipherSpec, Finished sent-->
 *          WAIT_CLIENT_CCS -> WAIT_CLIENT_FINISHED -> DONE
 */
#include <string.h>

#include "secret.h"
#include "server12.h"

/* ClientCertificateType, RFC 5246 7.4.4, RFC 8422 5.5 */
#define RSA_SIGN                   1
#define ECDSA_SIGN                 64
#define STATUS_TYPE_OCSP           1
/* Names of authorities in a CertificateRequest, all together; what has more goes without any. */
#define AUTHORITIES_MAX            16384
/* A vector with 16 bits of length at its longest. */
#define HS_MAX_CLIENT_KEY_EXCHANGE 65537

_Static_assert(CRYPTO_MAX_SHARED_LEN >= PREMASTER_LEN, "room for either kind of premaster secret");

static bool on_certificate(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_client_key_exchange(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_certificate_verify(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_change_cipher_spec(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_finished(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);

/* clang-format off */
const struct hs_row server12_rows[] = {
	/* when a connection is renegotiated; else the table of TLS 1.3 is the one to begin with */
	{ HS_WAIT_CLIENT_HELLO, HS_CLIENT_HELLO, true, HS_MAX_CLIENT_HELLO, server_on_client_hello,
	  TO(HS12_WAIT_CLIENT_CERTIFICATE) | TO(HS12_WAIT_CLIENT_KEY_EXCHANGE) | TO(HS12_WAIT_CLIENT_CCS) },
	{ HS12_WAIT_CLIENT_CERTIFICATE, HS_CERTIFICATE, false, HS_MAX_CERTIFICATE, on_certificate,
	  TO(HS12_WAIT_CLIENT_KEY_EXCHANGE) },
	{ HS12_WAIT_CLIENT_KEY_EXCHANGE, HS_CLIENT_KEY_EXCHANGE, false, HS_MAX_CLIENT_KEY_EXCHANGE,
	  on_client_key_exchange,
	  TO(HS12_WAIT_CLIENT_CERTIFICATE_VERIFY) | TO(HS12_WAIT_CLIENT_CCS) },
	{ HS12_WAIT_CLIENT_CERTIFICATE_VERIFY, HS_CERTIFICATE_VERIFY, false, HS_MAX_CERTIFICATE_VERIFY,
	  on_certificate_verify,
	  TO(HS12_WAIT_CLIENT_CCS) },
	{ HS12_WAIT_CLIENT_CCS, HS_CHANGE_CIPHER_SPEC, true, 1, on_change_cipher_spec,
	  TO(HS12_WAIT_CLIENT_FINISHED) },
	{ HS12_WAIT_CLIENT_FINISHED, HS_FINISHED, true, HS_MAX_FINISHED, on_finished,
	  TO(HS_DONE) },
};
/* clang-format on */
const size_t server12_n_rows = sizeof(server12_rows) / sizeof(server12_rows[0]);

/* ---- ServerHello ---- */

/* RFC 8446 4.1.3: a random number whose end tells a client that could do better that somebody interfered. */
static bool make_random(struct engine_hs *hs)
{
	static const char sentinel[] = {'D', 'O', 'W', 'N', 'G', 'R', 'D'};
	uint8_t *random = hs->hs12.server_random;
	uint8_t *tail = random + HS_RANDOM_LEN - sizeof(sentinel) - 1;

	if (!engine_random(random, HS_RANDOM_LEN)) {
		return hs_fail_internal(hs, "random numbers");
	}
	if (hs->config->max_version > hs->version && hs->config->max_version >= ENGINE_TLS12) {
		memcpy(tail, sentinel, sizeof(sentinel));
		tail[sizeof(sentinel)] = hs->version == ENGINE_TLS12 ? 1 : 0;
	}
	return true;
}

static void write_flag(struct wr *out, enum ext_index index)
{
	ext_end(out, ext_begin(out, index, NULL));
}

/* RFC 5746 3.6, 3.7 */
static void write_renegotiation_info(const struct engine_hs *hs, struct wr *out)
{
	const size_t ext = ext_begin(out, EXT_RENEGOTIATION_INFO, NULL);
	const size_t proof = wr_open8(out);

	if (hs->renegotiating) {
		wr_bytes(out, hs->conn->client_verify_data, hs->conn->verify_data_len);
		wr_bytes(out, hs->conn->server_verify_data, hs->conn->verify_data_len);
	}
	wr_close8(out, proof);
	ext_end(out, ext);
}

/* RFC 7301 3.1 */
static void write_alpn(const struct engine_hs *hs, struct wr *out)
{
	const size_t ext = ext_begin(out, EXT_ALPN, NULL);
	const size_t list = wr_open16(out);
	const size_t name = wr_open8(out);

	wr_bytes(out, hs->alpn, hs->alpn_len);
	wr_close8(out, name);
	wr_close16(out, list);
	ext_end(out, ext);
}

/* We write and read uncompressed points. RFC 8422 5.2 */
static void write_point_formats(struct wr *out)
{
	const size_t ext = ext_begin(out, EXT_EC_POINT_FORMATS, NULL);
	const size_t list = wr_open8(out);

	wr_u8(out, 0);
	wr_close8(out, list);
	ext_end(out, ext);
}

/* Our own limit is the protocol's. RFC 8449 4 */
static void write_size_limit(struct wr *out)
{
	const size_t ext = ext_begin(out, EXT_RECORD_SIZE_LIMIT, NULL);

	wr_u16(out, ENGINE_MAX_PLAINTEXT);
	ext_end(out, ext);
}

/* Answers to what the client asked for, and to nothing else. */
static void write_extensions(const struct engine_hs *hs, const struct offer12 *offer, struct wr *out)
{
	const struct hs12 *hs12 = &hs->hs12;

	if (hs12->secure_renegotiation) {
		write_renegotiation_info(hs, out);
	}
	/* RFC 6066 3: not when a session is resumed */
	if (hs->server_name[0] != '\0' && !hs->resumed) {
		write_flag(out, EXT_SERVER_NAME);
	}
	if (ext_has(offer->block, EXT_EC_POINT_FORMATS) && hs->suite->kx == KX_ECDHE) {
		write_point_formats(out);
	}
	if (hs12->ticket_expected) {
		write_flag(out, EXT_SESSION_TICKET);
	}
	if (hs12->status_expected) {
		write_flag(out, EXT_STATUS_REQUEST);
	}
	if (hs->alpn_len != 0) {
		write_alpn(hs, out);
	}
	if (hs12->encrypt_then_mac) {
		write_flag(out, EXT_ENCRYPT_THEN_MAC);
	}
	if (hs12->extended_master_secret) {
		write_flag(out, EXT_EXTENDED_MASTER_SECRET);
	}
	if (offer->size_limit != 0) {
		write_size_limit(out);
	}
}

/* RFC 5246 7.4.1.3: a message without extensions has no room for them either */
static bool send_server_hello(struct engine_hs *hs, const struct offer12 *offer)
{
	struct wr *out = hs_begin(hs, HS_SERVER_HELLO);
	size_t extensions;
	size_t session_id;

	wr_u16(out, hs->version);
	wr_bytes(out, hs->hs12.server_random, HS_RANDOM_LEN);
	session_id = wr_open8(out);
	wr_bytes(out, hs->session_id, hs->session_id_len);
	wr_close8(out, session_id);
	wr_u16(out, hs->suite->id);
	wr_u8(out, 0); /* compression_method */
	extensions = wr_open16(out);
	write_extensions(hs, offer, out);
	if (out->len == extensions + 2) {
		wr_unroom(out, 2);
	} else {
		wr_close16(out, extensions);
	}
	return hs_end(hs);
}

/* ---- the rest of our flights ---- */

/* RFC 6066 8 */
static bool send_certificate_status(struct engine_hs *hs)
{
	const struct rd ocsp = credential_ocsp(hs->credential, engine_now());
	struct wr *out;
	size_t mark;

	if (!hs->hs12.status_expected) {
		return true;
	}
	out = hs_begin(hs, HS_CERTIFICATE_STATUS);
	wr_u8(out, STATUS_TYPE_OCSP);
	mark = wr_open24(out);
	wr_bytes(out, ocsp.p, ocsp.left);
	wr_close24(out, mark);
	return hs_end(hs);
}

/* RFC 5246 7.4.4 */
static bool send_certificate_request(struct engine_hs *hs)
{
	const struct algorithms *algorithms = &hs->config->algorithms;
	struct wr *out;
	size_t mark;

	if (!hs->certificate_wanted) {
		return true;
	}
	out = hs_begin(hs, HS_CERTIFICATE_REQUEST);
	mark = wr_open8(out);
	wr_u8(out, ECDSA_SIGN);
	wr_u8(out, RSA_SIGN);
	wr_close8(out, mark);
	if (hs->version >= ENGINE_TLS12) {
		mark = wr_open16(out);
		for (size_t i = 0; i < algorithms->n_schemes; i++) {
			if (scheme_find(algorithms->schemes[i])->tls12) {
				wr_u16(out, algorithms->schemes[i]);
			}
		}
		wr_close16(out, mark);
	}
	mark = wr_open16(out);
	/* none at all says that any will do, which is what it says if they are too many */
	(void)!trust_write_names(hs->config->trust, out, AUTHORITIES_MAX);
	wr_close16(out, mark);
	return hs_end(hs);
}

static bool send_server_hello_done(struct engine_hs *hs)
{
	(void)hs_begin(hs, HS_SERVER_HELLO_DONE);
	return hs_end(hs);
}

/*
 * What ends our side of either kind of handshake. RFC 5077 3.3: the ticket is not protected, but is
 * in the transcript.
 */
static bool send_last_flight(struct engine_hs *hs)
{
	return (!hs->hs12.ticket_expected || server12_send_ticket(hs)) && hs12_send_ccs(hs) &&
	       hs12_send_finished(hs) && hs_flush(hs);
}

/* ---- handlers ---- */

/* RFC 7366 3: of use for CBC alone; 3.1: a renegotiation must not take it back. */
static bool choose_encrypt_then_mac(struct engine_hs *hs, const struct offer12 *offer)
{
	const bool is_offered = ext_has(offer->block, EXT_ENCRYPT_THEN_MAC);

	hs->hs12.encrypt_then_mac = is_offered && hs->suite->is_cbc;
	return is_offered || !hs->suite->is_cbc || !hs->renegotiating || !hs->conn->encrypt_then_mac ||
	       hs_fail(hs, ALERT_HANDSHAKE_FAILURE, "the client renegotiates encrypt_then_mac away");
}

/* What both kinds of handshake begin with, once the suite is known. */
static bool begin_flight(struct engine_hs *hs, const struct hs_message *msg, const struct offer12 *offer)
{
	struct rd random = offer->hello->random;

	if (!rd_copy(&random, hs->hs12.client_random, HS_RANDOM_LEN)) {
		return hs_fail_internal(hs, "ClientHello");
	}
	return choose_encrypt_then_mac(hs, offer) && make_random(hs) &&
	       hs_transcript_start(hs, hs12_transcript_kind(hs)) && hs_transcript_add(hs, msg->whole) &&
	       send_server_hello(hs, offer);
}

static bool resume(struct engine_hs *hs, const struct hs_message *msg, const struct offer12 *offer,
		   enum hs_state *next)
{
	*next = HS12_WAIT_CLIENT_CCS;
	return begin_flight(hs, msg, offer) && hs12_make_keys(hs) && send_last_flight(hs);
}

bool server12_on_client_hello(struct engine_hs *hs, const struct hs_message *msg,
			      const struct client_hello *hello, const struct ext_block *block,
			      enum hs_state *next)
{
	struct offer12 offer;
	bool found;

	if (!server12_take_offer(hs, hello, block, &offer) || !server12_resume(hs, &offer, &found)) {
		return false;
	}
	if (found) {
		return resume(hs, msg, &offer, next);
	}
	if (!server12_negotiate(hs, &offer) || !server12_plan_session(hs, &offer)) {
		return false;
	}
	hs->hs12.status_expected =
		offer.wants_ocsp && credential_ocsp(hs->credential, engine_now()).left != 0;
	hs->certificate_wanted = hs->config->client_auth != ENGINE_CLIENT_AUTH_NONE;
	hs->keep_messages = hs->certificate_wanted;
	*next = hs->certificate_wanted ? HS12_WAIT_CLIENT_CERTIFICATE : HS12_WAIT_CLIENT_KEY_EXCHANGE;
	return begin_flight(hs, msg, &offer) && hs12_send_certificate(hs) && send_certificate_status(hs) &&
	       server12_send_key_exchange(hs) && send_certificate_request(hs) && send_server_hello_done(hs) &&
	       hs_flush(hs);
}

static bool on_certificate(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	bool is_empty;

	if (!hs12_check_certificate(hs, msg, &is_empty)) {
		return false;
	}
	/* RFC 5246 7.4.6 */
	if (is_empty && hs->config->client_auth == ENGINE_CLIENT_AUTH_REQUIRE) {
		return hs_fail(hs, ALERT_HANDSHAKE_FAILURE,
			       "the client sent no certificate, the policy requires one");
	}
	if (is_empty) {
		/* there will be no CertificateVerify to need them */
		hs->keep_messages = false;
		wr_free(&hs->held);
	}
	*next = HS12_WAIT_CLIENT_KEY_EXCHANGE;
	return hs_transcript_add(hs, msg->whole);
}

static bool on_client_key_exchange(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	uint8_t premaster[CRYPTO_MAX_SHARED_LEN];
	size_t len = 0;
	bool ok;

	ok = server12_read_key_exchange(hs, msg->body, premaster, &len) &&
	     hs_transcript_add(hs, msg->whole) && hs12_set_premaster(hs, premaster, len) &&
	     hs12_make_keys(hs);
	secret_wipe(premaster, sizeof(premaster));
	*next = hs->peer_key != NULL ? HS12_WAIT_CLIENT_CERTIFICATE_VERIFY : HS12_WAIT_CLIENT_CCS;
	return ok;
}

static bool on_certificate_verify(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	*next = HS12_WAIT_CLIENT_CCS;
	return hs12_check_certificate_verify(hs, msg) && hs_transcript_add(hs, msg->whole);
}

static bool on_change_cipher_spec(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	(void)msg;
	*next = HS12_WAIT_CLIENT_FINISHED;
	return hs12_take_ccs(hs);
}

static bool on_finished(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	*next = HS_DONE;
	if (!hs12_check_finished(hs, msg)) {
		return false;
	}
	if (!hs->resumed) {
		if (!send_last_flight(hs)) {
			return false;
		}
		server12_keep_session(hs);
	}
	hs_complete(hs);
	return true;
}
