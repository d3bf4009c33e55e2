/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client of TLS 1.2 and older: its table and its handlers.  RFC 5246 7.3
 *
 *   WAIT_SERVER_HELLO (client13.c)
 *      | full                     | abbreviated
 *   WAIT_SERVER_CERTIFICATE       |
 *   [WAIT_CERTIFICATE_STATUS]     |
 *   [WAIT_SERVER_KEY_EXCHANGE]    |
 *   WAIT_REQUEST_OR_DONE          |
 *   [WAIT_SERVER_HELLO_DONE]      |
 *      | our second flight        |
 *   [WAIT_NEW_SESSION_TICKET] <---+
 *   WAIT_SERVER_CCS -> WAIT_SERVER_FINISHED -> DONE
 *
 *   WAIT_HELLO_REQUEST is where a server's wish to renegotiate is heard, on top of an established connection.
 *
 * The server's certificate is verified when its stapled OCSP response is there, or when it is known not to
 * come (RFC 6066 8): until then it is kept. The key exchange is computed in client12_kex.c.
 */
#include <string.h>

#include "cert.h"
#include "client12.h"
#include "ext.h"
#include "flight12.h"
#include "hello.h"

/* ClientCertificateType, RFC 5246 7.4.4, RFC 8422 5.5 */
#define CERTIFICATE_TYPE_RSA_SIGN   1
#define CERTIFICATE_TYPE_ECDSA_SIGN 64
/* CertificateStatusType, RFC 6066 8 */
#define STATUS_TYPE_OCSP            1
/* The scheme that every key makes which RSA key transport can use. */
#define RSA_PKCS1_SHA256            0x0401
/* RFC 8449 4 */
#define RECORD_SIZE_LIMIT_MIN       64

static bool on_hello_request(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_certificate(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_certificate_status(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_server_key_exchange(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_certificate_request(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_server_hello_done(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_new_session_ticket(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_change_cipher_spec(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_finished(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);

/* clang-format off */
/*
 * A CertificateStatus that was announced need not come: what may follow it may come in its place. RFC 6066
 * 8
 */
const struct hs_row client12_rows[] = {
	{ HS12_WAIT_HELLO_REQUEST, HS_HELLO_REQUEST, false, 0, on_hello_request,
	  TO(HS_WAIT_SERVER_HELLO) },
	{ HS12_WAIT_SERVER_CERTIFICATE, HS_CERTIFICATE, false, HS_MAX_CERTIFICATE, on_certificate,
	  TO(HS12_WAIT_CERTIFICATE_STATUS) | TO(HS12_WAIT_SERVER_KEY_EXCHANGE) | TO(HS12_WAIT_REQUEST_OR_DONE) },
	{ HS12_WAIT_CERTIFICATE_STATUS, HS_CERTIFICATE_STATUS, false, HS_MAX_CERTIFICATE_STATUS,
	  on_certificate_status,
	  TO(HS12_WAIT_SERVER_KEY_EXCHANGE) | TO(HS12_WAIT_REQUEST_OR_DONE) },
	{ HS12_WAIT_CERTIFICATE_STATUS, HS_SERVER_KEY_EXCHANGE, false, HS_MAX_SERVER_KEY_EXCHANGE,
	  on_server_key_exchange,
	  TO(HS12_WAIT_REQUEST_OR_DONE) },
	{ HS12_WAIT_CERTIFICATE_STATUS, HS_CERTIFICATE_REQUEST, false, HS_MAX_CERTIFICATE_REQUEST12,
	  on_certificate_request,
	  TO(HS12_WAIT_SERVER_HELLO_DONE) },
	{ HS12_WAIT_CERTIFICATE_STATUS, HS_SERVER_HELLO_DONE, true, 0, on_server_hello_done,
	  TO(HS12_WAIT_NEW_SESSION_TICKET) | TO(HS12_WAIT_SERVER_CCS) },
	{ HS12_WAIT_SERVER_KEY_EXCHANGE, HS_SERVER_KEY_EXCHANGE, false, HS_MAX_SERVER_KEY_EXCHANGE,
	  on_server_key_exchange,
	  TO(HS12_WAIT_REQUEST_OR_DONE) },
	{ HS12_WAIT_REQUEST_OR_DONE, HS_CERTIFICATE_REQUEST, false, HS_MAX_CERTIFICATE_REQUEST12,
	  on_certificate_request,
	  TO(HS12_WAIT_SERVER_HELLO_DONE) },
	{ HS12_WAIT_REQUEST_OR_DONE, HS_SERVER_HELLO_DONE, true, 0, on_server_hello_done,
	  TO(HS12_WAIT_NEW_SESSION_TICKET) | TO(HS12_WAIT_SERVER_CCS) },
	{ HS12_WAIT_SERVER_HELLO_DONE, HS_SERVER_HELLO_DONE, true, 0, on_server_hello_done,
	  TO(HS12_WAIT_NEW_SESSION_TICKET) | TO(HS12_WAIT_SERVER_CCS) },
	{ HS12_WAIT_NEW_SESSION_TICKET, HS_NEW_SESSION_TICKET, false, HS_MAX_NEW_SESSION_TICKET12,
	  on_new_session_ticket,
	  TO(HS12_WAIT_SERVER_CCS) },
	{ HS12_WAIT_SERVER_CCS, HS_CHANGE_CIPHER_SPEC, false, 0, on_change_cipher_spec,
	  TO(HS12_WAIT_SERVER_FINISHED) },
	{ HS12_WAIT_SERVER_FINISHED, HS_FINISHED, true, HS_MAX_FINISHED, on_finished,
	  TO(HS_DONE) },
};
/* clang-format on */
const size_t client12_n_rows = sizeof(client12_rows) / sizeof(client12_rows[0]);

/* RFC 5246 7.4.1.1 */
static bool on_hello_request(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	(void)msg; /* not part of the transcript */
	*next = HS_WAIT_SERVER_HELLO;
	hs->rows = client13_rows;
	hs->n_rows = client13_n_rows;
	return client_start(hs, NULL);
}

/* ---- ServerHello ---- */

static bool needs_server_key_exchange(const struct engine_hs *hs)
{
	return hs->suite->kx != KX_RSA;
}

/* An answer without content: the presence of the extension is what it says. */
static bool judge_empty(struct engine_hs *hs, const struct ext_block *block, enum ext_index index,
			bool *there)
{
	*there = ext_has(block, index);
	return !*there || block->body[index].left == 0 ||
	       hs_fail(hs, ALERT_DECODE_ERROR, "an extension that should be empty is not");
}

/* RFC 8422 5.1.2, 5.2 */
static bool judge_point_formats(struct engine_hs *hs, struct rd body)
{
	struct rd formats;
	uint8_t format;

	if (!rd_vec8(&body, &formats, 1, UINT8_MAX) || !rd_end(&body)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed ec_point_formats");
	}
	while (rd_u8(&formats, &format)) {
		if (format == 0) {
			return true;
		}
	}
	return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the server does not know uncompressed points");
}

/* RFC 7627: a handshake that proved more than this one would is not displaced by it. */
static bool judge_master_secret(struct engine_hs *hs)
{
	return !hs->renegotiating || !hs->conn->extended_master_secret || hs->hs12.extended_master_secret ||
	       hs_fail(hs, ALERT_HANDSHAKE_FAILURE, "the server renegotiates extended_master_secret away");
}

/* RFC 7366 2, 3.1 */
static bool judge_encrypt_then_mac(struct engine_hs *hs)
{
	if (hs->hs12.encrypt_then_mac && !hs->suite->is_cbc) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "encrypt_then_mac with a cipher suite that has no MAC");
	}
	if (hs->renegotiating && hs->conn->encrypt_then_mac && hs->suite->is_cbc &&
	    !hs->hs12.encrypt_then_mac) {
		return hs_fail(hs, ALERT_HANDSHAKE_FAILURE, "the server renegotiates encrypt_then_mac away");
	}
	return true;
}

/* What was told to the program must not change. */
static bool judge_alpn(struct engine_hs *hs, const struct ext_block *block)
{
	const struct engine_conn *conn = hs->conn;

	if (ext_has(block, EXT_ALPN) && !client_judge_alpn(hs, block->body[EXT_ALPN])) {
		return false;
	}
	if (hs->renegotiating && hs->alpn_len != 0 &&
	    !rd_equal(rd_of((const uint8_t *)hs->alpn, hs->alpn_len),
		      rd_of((const uint8_t *)conn->alpn, conn->alpn_len))) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server renegotiates another application protocol");
	}
	return true;
}

/* RFC 8449 4 */
static bool take_record_size_limit(struct engine_hs *hs, struct rd body)
{
	uint16_t limit;

	if (!ext_parse_u16(body, &limit)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed record_size_limit");
	}
	if (limit < RECORD_SIZE_LIMIT_MIN || limit > ENGINE_MAX_PLAINTEXT) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "a record_size_limit out of bounds");
	}
	hs->send_limit = limit;
	return true;
}

static bool judge_extensions(struct engine_hs *hs, const struct ext_block *block)
{
	const struct rd *renegotiation =
		ext_has(block, EXT_RENEGOTIATION_INFO) ? &block->body[EXT_RENEGOTIATION_INFO] : NULL;
	struct hs12 *hs12 = &hs->hs12;
	struct rd list;
	bool there;

	if (!judge_empty(hs, block, EXT_SERVER_NAME, &there) ||
	    !judge_empty(hs, block, EXT_EXTENDED_MASTER_SECRET, &hs12->extended_master_secret) ||
	    !judge_empty(hs, block, EXT_ENCRYPT_THEN_MAC, &hs12->encrypt_then_mac) ||
	    !judge_empty(hs, block, EXT_SESSION_TICKET, &hs12->ticket_expected) ||
	    !judge_empty(hs, block, EXT_STATUS_REQUEST, &hs12->status_expected) || !judge_master_secret(hs) ||
	    !judge_encrypt_then_mac(hs) || !hs12_judge_renegotiation_info(hs, renegotiation) ||
	    !judge_alpn(hs, block)) {
		return false;
	}
	if (ext_has(block, EXT_SUPPORTED_GROUPS) &&
	    !ext_parse_u16_list(block->body[EXT_SUPPORTED_GROUPS], &list)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed supported_groups");
	}
	if (ext_has(block, EXT_EC_POINT_FORMATS) &&
	    !judge_point_formats(hs, block->body[EXT_EC_POINT_FORMATS])) {
		return false;
	}
	return !ext_has(block, EXT_RECORD_SIZE_LIMIT) ||
	       take_record_size_limit(hs, block->body[EXT_RECORD_SIZE_LIMIT]);
}

/* RFC 5246 7.4.1.3: everything but the extensions. */
static bool judge_server_hello(struct engine_hs *hs, const struct server_hello *hello)
{
	if (hs->got_early_ccs) {
		return hs_fail(hs, ALERT_UNEXPECTED_MESSAGE, "a ChangeCipherSpec in front of ServerHello");
	}
	if (hello->legacy_compression_method != 0) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the server chose to compress");
	}
	hs->suite = suite_find(hello->cipher_suite);
	if (hs->suite == NULL || !client_offers_suite(hs, hs->suite) || hs->suite->version == ENGINE_TLS13 ||
	    hs->suite->min_version > hs->version) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server chose a cipher suite that it was not offered");
	}
	return true;
}

/* The messages that a CertificateVerify of ours would sign are kept while one may be asked for. */
static bool start_transcript(struct engine_hs *hs, const struct hs_message *msg)
{
	hs->keep_messages = !hs->resumed && hs->config->n_credentials != 0;
	return hs_transcript_start(hs, hs12_transcript_kind(hs)) && hs_transcript_add(hs, msg->whole);
}

static void take_session_id(struct engine_hs *hs, struct rd echo)
{
	memset(hs->session_id, 0, sizeof(hs->session_id));
	hs->session_id_len = echo.left;
	if (!rd_copy(&echo, hs->session_id, echo.left)) {
		hs->session_id_len = 0;
	}
}

/* Behind the server's first messages: its ticket, if it announced one, then its ChangeCipherSpec. */
static enum hs_state wait_for_server(const struct engine_hs *hs)
{
	return hs->hs12.ticket_expected ? HS12_WAIT_NEW_SESSION_TICKET : HS12_WAIT_SERVER_CCS;
}

bool client12_on_server_hello(struct engine_hs *hs, const struct hs_message *msg,
			      const struct server_hello *hello, enum hs_state *next)
{
	const struct rd echo = hello->legacy_session_id_echo;
	const bool resumes = echo.left != 0 && rd_equal(echo, rd_of(hs->session_id, hs->session_id_len));
	struct rd random = hello->random;
	struct ext_block block;

	hs_shares_free(hs);
	if (!judge_server_hello(hs, hello) ||
	    !ext_parse(hs, EXT_IN_SERVER_HELLO12, hello->extensions, hs->offered, &block) ||
	    !judge_extensions(hs, &block) || (resumes && !client12_judge_resumption(hs))) {
		return false;
	}
	memcpy(hs->hs12.client_random, hs->random, HS_RANDOM_LEN);
	if (!rd_copy(&random, hs->hs12.server_random, HS_RANDOM_LEN)) {
		return hs_fail_internal(hs, "ServerHello");
	}
	if (resumes) {
		*next = wait_for_server(hs);
		return start_transcript(hs, msg) && hs12_make_keys(hs);
	}
	take_session_id(hs, echo);
	*next = HS12_WAIT_SERVER_CERTIFICATE;
	return start_transcript(hs, msg);
}

/* ---- the server's certificate ---- */

/* RFC 5246 7.4.2: the key must be one for the key exchange. */
static bool verify_certificate(struct engine_hs *hs, struct rd body, struct rd ocsp)
{
	bool is_empty;

	if (!hs12_judge_certificate(hs, body, ocsp, &is_empty)) {
		return false;
	}
	/* a key for RSASSA-PSS alone encrypts nothing */
	if (hs->suite->kx == KX_RSA && !public_key_fits(hs->peer_key, RSA_PKCS1_SHA256, false)) {
		return hs_fail(hs, ALERT_UNSUPPORTED_CERTIFICATE,
			       "the key in the server's certificate does not fit the cipher suite");
	}
	return true;
}

static enum hs_state behind_certificate(const struct engine_hs *hs)
{
	return needs_server_key_exchange(hs) ? HS12_WAIT_SERVER_KEY_EXCHANGE : HS12_WAIT_REQUEST_OR_DONE;
}

static bool on_certificate(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	if (hs->hs12.status_expected) {
		*next = HS12_WAIT_CERTIFICATE_STATUS;
		wr_bytes(&hs->certificate, msg->body.p, msg->body.left);
		if (hs->certificate.failed) {
			return hs_fail_internal(hs, "Certificate");
		}
	} else {
		*next = behind_certificate(hs);
		if (!verify_certificate(hs, msg->body, rd_of(NULL, 0))) {
			return false;
		}
	}
	return hs_transcript_add(hs, msg->whole);
}

/* Verify the certificate that waited for its status. */
static bool verify_kept(struct engine_hs *hs, struct rd ocsp)
{
	const bool ok = verify_certificate(hs, rd_of(hs->certificate.data, hs->certificate.len), ocsp);

	wr_free(&hs->certificate);
	return ok;
}

/* RFC 6066 8 */
static bool on_certificate_status(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	struct rd in = msg->body;
	struct rd response;
	uint8_t type;

	if (!rd_u8(&in, &type)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed CertificateStatus");
	}
	if (type != STATUS_TYPE_OCSP) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "a CertificateStatus of a type that was not asked for");
	}
	if (!rd_vec24(&in, &response, 1, HS_MAX_CERTIFICATE_STATUS) || !rd_end(&in)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed CertificateStatus");
	}
	*next = behind_certificate(hs);
	return verify_kept(hs, response) && hs_transcript_add(hs, msg->whole);
}

/* A message behind the certificate: was a status still to come, and does a message lack in between? */
static bool judge_absence(struct engine_hs *hs, bool is_key_exchange)
{
	if (hs->state != HS12_WAIT_CERTIFICATE_STATUS) {
		return true;
	}
	if (is_key_exchange != needs_server_key_exchange(hs)) {
		return hs_fail(hs, ALERT_UNEXPECTED_MESSAGE, "a handshake message out of order");
	}
	return verify_kept(hs, rd_of(NULL, 0));
}

static bool on_server_key_exchange(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	*next = HS12_WAIT_REQUEST_OR_DONE;
	return judge_absence(hs, true) && client12_take_key_exchange(hs, msg->body) &&
	       hs_transcript_add(hs, msg->whole);
}

/* ---- our certificate ---- */

/* What a CertificateRequest asks for, RFC 5246 7.4.4. */
struct request {
	struct rd types;
	struct rd schemes; /* empty before TLS 1.2 */
	struct rd names;
};

static bool parse_request(uint16_t version, struct rd in, struct request *request)
{
	struct rd names;
	struct rd name;

	request->schemes = rd_of(NULL, 0);
	if (!rd_vec8(&in, &request->types, 1, UINT8_MAX)) {
		return false;
	}
	if (version >= ENGINE_TLS12 &&
	    (!rd_vec16(&in, &request->schemes, 2, UINT16_MAX - 1) || request->schemes.left % 2 != 0)) {
		return false;
	}
	if (!rd_vec16(&in, &request->names, 0, UINT16_MAX) || !rd_end(&in)) {
		return false;
	}
	for (names = request->names; !rd_end(&names);) {
		if (!rd_vec16(&names, &name, 1, UINT16_MAX)) {
			return false;
		}
	}
	return true;
}

static bool has_type(struct rd types, uint8_t wanted)
{
	uint8_t type;

	while (rd_u8(&types, &type)) {
		if (type == wanted) {
			return true;
		}
	}
	return false;
}

/* TLS 1.0 and 1.1 have one way to sign for each kind of key; 0 if this key has none. */
static uint16_t old_scheme(const struct private_key *key)
{
	if (private_key_auth(key) == AUTH_RSA) {
		return private_key_can_decrypt(key) ? SCHEME_MD5_SHA1_RSA : 0; /* not RSASSA-PSS alone */
	}
	return hs12_private_key_curve(key) != 0 ? SCHEME_SHA1_ECDSA : 0; /* not Ed25519 */
}

/* The best scheme of this key that the server takes; 0 if none. */
static uint16_t common_scheme(const struct engine_hs *hs, const struct private_key *key, struct rd schemes)
{
	uint16_t ours[SCHEMES_MAX];
	const size_t n = private_key_schemes(key, false, ours, SCHEMES_MAX);

	if (hs->version < ENGINE_TLS12) {
		return old_scheme(key);
	}
	for (size_t i = 0; i < n; i++) {
		if (rd_has_u16(schemes, ours[i]) && scheme_is_allowed(&hs->config->algorithms, ours[i])) {
			return ours[i];
		}
	}
	return 0;
}

/*
 * Choose a credential. The names of the server's CAs choose among several, but what fits otherwise is sent
 * all the same: many servers that list no name, or too few, take it.
 */
static void choose_credential(struct engine_hs *hs, const struct request *request)
{
	const struct engine_config *config = hs->config;

	for (size_t i = 0; i < config->n_credentials; i++) {
		const struct credential *credential = &config->credentials[i];
		const uint8_t type = private_key_auth(credential->key) == AUTH_RSA
					     ? CERTIFICATE_TYPE_RSA_SIGN
					     : CERTIFICATE_TYPE_ECDSA_SIGN;
		const uint16_t scheme = common_scheme(hs, credential->key, request->schemes);
		const bool is_from = credential_is_from(credential, request->names);

		if (scheme == 0 || !has_type(request->types, type) || !credential_may_sign(credential)) {
			continue;
		}
		if (hs->credential == NULL || is_from) {
			hs->credential = credential;
			hs->credential_scheme = scheme;
		}
		if (is_from) {
			break;
		}
	}
}

static bool on_certificate_request(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	struct request request;

	if (!judge_absence(hs, false)) {
		return false;
	}
	if (!parse_request(hs->version, msg->body, &request)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed CertificateRequest");
	}
	hs->certificate_wanted = true;
	choose_credential(hs, &request);
	*next = HS12_WAIT_SERVER_HELLO_DONE;
	return hs_transcript_add(hs, msg->whole);
}

/* ---- our flights ---- */

static bool send_last(struct engine_hs *hs)
{
	return hs12_send_ccs(hs) && hs12_send_finished(hs) && hs_flush(hs);
}

static bool on_server_hello_done(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	*next = wait_for_server(hs);
	if (!judge_absence(hs, false) || !hs_transcript_add(hs, msg->whole)) {
		return false;
	}
	if (hs->credential == NULL) {
		hs->keep_messages = false;
		wr_free(&hs->held);
	}
	if (hs->certificate_wanted && !hs12_send_certificate(hs)) {
		return false;
	}
	if (!client12_send_key_exchange(hs) || !hs12_make_keys(hs)) {
		return false;
	}
	return (hs->credential == NULL || hs12_send_certificate_verify(hs)) && send_last(hs);
}

/* ---- the end ---- */

static bool on_new_session_ticket(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	*next = HS12_WAIT_SERVER_CCS;
	return client12_take_ticket(hs, msg->body) && hs_transcript_add(hs, msg->whole);
}

static bool on_change_cipher_spec(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	(void)msg;
	*next = HS12_WAIT_SERVER_FINISHED;
	return hs12_take_ccs(hs);
}

static bool on_finished(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	if (!hs12_check_finished(hs, msg) || (hs->resumed && !send_last(hs))) {
		return false;
	}
	client12_keep_session(hs);
	hs_complete(hs);
	*next = HS_DONE;
	return true;
}
