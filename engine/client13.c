/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client of TLS 1.3: its table, which is also the one that every client begins with, and its handlers.
 * RFC 8446 A.1
 *
 *   WAIT_SERVER_HELLO --HelloRetryRequest--> WAIT_SERVER_HELLO_AGAIN
 *          |                                        |
 *          +----------------ServerHello-------------+
 *                               v
 *   WAIT_ENCRYPTED_EXTENSIONS -> WAIT_CERTIFICATE_OR_REQUEST [-> WAIT_SERVER_CERTIFICATE]
 *          |                         -> WAIT_SERVER_CERTIFICATE_VERIFY
 *          |resumed                           v
 *          +-----------------------> WAIT_SERVER_FINISHED -> DONE
 */
#include <string.h>

#include "cert.h"
#include "ext.h"
#include "hello.h"
#include "psk13.h"
#include "secret.h"

static bool on_encrypted_extensions(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_certificate_request(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_certificate(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_certificate_verify(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_finished(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);

/* clang-format off */
const struct hs_row client13_rows[] = {
	{ HS_WAIT_SERVER_HELLO, HS_SERVER_HELLO, false, HS_MAX_SERVER_HELLO, client_on_server_hello,
	  TO(HS_WAIT_SERVER_HELLO_AGAIN) | TO(HS_WAIT_ENCRYPTED_EXTENSIONS) | TO(HS12_WAIT_SERVER_CERTIFICATE) |
	  TO(HS12_WAIT_NEW_SESSION_TICKET) | TO(HS12_WAIT_SERVER_CCS) },
	{ HS_WAIT_SERVER_HELLO_AGAIN, HS_SERVER_HELLO, false, HS_MAX_SERVER_HELLO, client_on_server_hello,
	  TO(HS_WAIT_ENCRYPTED_EXTENSIONS) },
	{ HS_WAIT_ENCRYPTED_EXTENSIONS, HS_ENCRYPTED_EXTENSIONS, false, HS_MAX_ENCRYPTED_EXTENSIONS,
	  on_encrypted_extensions,
	  TO(HS_WAIT_CERTIFICATE_OR_REQUEST) | TO(HS_WAIT_SERVER_FINISHED) },
	{ HS_WAIT_CERTIFICATE_OR_REQUEST, HS_CERTIFICATE_REQUEST, false, HS_MAX_CERTIFICATE_REQUEST,
	  on_certificate_request,
	  TO(HS_WAIT_SERVER_CERTIFICATE) },
	{ HS_WAIT_CERTIFICATE_OR_REQUEST, HS_CERTIFICATE, false, HS_MAX_CERTIFICATE, on_certificate,
	  TO(HS_WAIT_SERVER_CERTIFICATE_VERIFY) },
	{ HS_WAIT_SERVER_CERTIFICATE, HS_CERTIFICATE, false, HS_MAX_CERTIFICATE, on_certificate,
	  TO(HS_WAIT_SERVER_CERTIFICATE_VERIFY) },
	{ HS_WAIT_SERVER_CERTIFICATE_VERIFY, HS_CERTIFICATE_VERIFY, false, HS_MAX_CERTIFICATE_VERIFY,
	  on_certificate_verify,
	  TO(HS_WAIT_SERVER_FINISHED) },
	{ HS_WAIT_SERVER_FINISHED, HS_FINISHED, true, HS_MAX_FINISHED, on_finished,
	  TO(HS_DONE) },
};
/* clang-format on */
const size_t client13_n_rows = sizeof(client13_rows) / sizeof(client13_rows[0]);

/* ---- ServerHello and HelloRetryRequest ---- */

/* What ServerHello and HelloRetryRequest have in common. RFC 8446 4.1.3, 4.1.4 */
static bool judge_server_hello(struct engine_hs *hs, const struct server_hello *hello,
			       struct ext_block *block)
{
	const enum ext_message message = hello->is_retry ? EXT_IN_HELLO_RETRY_REQUEST : EXT_IN_SERVER_HELLO;
	const struct suite *suite = suite_find(hello->cipher_suite);
	uint16_t version;

	if (!hello->has_supported_versions) {
		return hs_fail(hs, ALERT_MISSING_EXTENSION, "HelloRetryRequest without supported_versions");
	}
	if (!ext_parse(hs, message, hello->extensions, hs->offered, block)) {
		return false;
	}
	if (!ext_parse_u16(block->body[EXT_SUPPORTED_VERSIONS], &version)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed supported_versions");
	}
	/* legacy_version is to be ignored then: RFC 8446 4.2.1 */
	if (version != ENGINE_TLS13) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server chose a version that it was not offered");
	}
	if (!rd_equal(hello->legacy_session_id_echo, rd_of(hs->session_id, hs->session_id_len))) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the server did not echo legacy_session_id");
	}
	if (hello->legacy_compression_method != 0) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the server chose to compress");
	}
	if (suite == NULL || suite->version != ENGINE_TLS13 ||
	    !suite_is_allowed(&hs->config->algorithms, suite->id)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server chose a cipher suite that it was not offered");
	}
	if (hs->retried && suite != hs->suite) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server changed the cipher suite behind its HelloRetryRequest");
	}
	hs->suite = suite;
	return true;
}

/* Our share of a group; NULL if none was sent. */
static struct hs_share *find_share(struct engine_hs *hs, uint16_t group)
{
	for (size_t i = 0; i < HS_MAX_SHARES && hs->shares[i].group != NULL; i++) {
		if (hs->shares[i].group->id == group) {
			return &hs->shares[i];
		}
	}
	return NULL;
}

/* The group that a HelloRetryRequest asks for, RFC 8446 4.2.8. */
static bool judge_selected_group(struct engine_hs *hs, struct rd body, const struct group **group)
{
	uint16_t selected;

	if (!ext_parse_u16(body, &selected)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed key_share");
	}
	*group = group_find(selected);
	if (*group == NULL || !group_is_allowed(&hs->config->algorithms, selected) ||
	    find_share(hs, selected) != NULL) {
		return hs_fail(
			hs, ALERT_ILLEGAL_PARAMETER,
			"HelloRetryRequest asks for a group that was not offered, or was sent already");
	}
	return true;
}

static bool on_hello_retry_request(struct engine_hs *hs, const struct hs_message *msg,
				   const struct ext_block *block)
{
	const struct group *group = NULL;
	struct rd cookie;

	/* RFC 8446 4.1.4: a second one, or one that changes nothing */
	if (hs->retried) {
		return hs_fail(hs, ALERT_UNEXPECTED_MESSAGE, "a second HelloRetryRequest");
	}
	if (!ext_has(block, EXT_KEY_SHARE) && !ext_has(block, EXT_COOKIE)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "a HelloRetryRequest that asks for no change");
	}
	if (ext_has(block, EXT_KEY_SHARE) && !judge_selected_group(hs, block->body[EXT_KEY_SHARE], &group)) {
		return false;
	}
	if (ext_has(block, EXT_COOKIE)) {
		if (!ext_parse_cookie(block->body[EXT_COOKIE], &cookie)) {
			return hs_fail(hs, ALERT_DECODE_ERROR, "malformed cookie");
		}
		wr_bytes(&hs->cookie, cookie.p, cookie.left);
		if (hs->cookie.failed) {
			return hs_fail_internal(hs, "cookie");
		}
	}
	hs->retried = true;
	if (!hs_transcript_start(hs, hs->suite->hash) || !hs_transcript_retry(hs) ||
	    !hs_transcript_add(hs, msg->whole)) {
		return false;
	}
	/* with a cookie alone, the shares stay as they are */
	if (group != NULL && !client_new_shares(hs, group)) {
		return false;
	}
	return hs_send_ccs(hs) && client_send_hello(hs);
}

/* The server's share, RFC 8446 4.2.8: of the group that our ClientHello had one of. */
static bool agree(struct engine_hs *hs, const struct ext_block *block, const struct hs_message *msg)
{
	uint8_t shared[CRYPTO_MAX_SHARED_LEN];
	size_t shared_len = 0;
	struct rd entry;
	struct rd key_exchange;
	struct hs_share *share;
	uint16_t group;
	bool ok;

	if (!ext_has(block, EXT_KEY_SHARE)) {
		return hs_fail(hs, ALERT_MISSING_EXTENSION, "ServerHello without key_share");
	}
	entry = block->body[EXT_KEY_SHARE];
	if (!ext_next_key_share(&entry, &group, &key_exchange) || !rd_end(&entry)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed key_share");
	}
	share = find_share(hs, group);
	if (share == NULL) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the server chose a group without a share");
	}
	hs->group = share->group;
	/* what was sent is not needed any more, and a KEM wants much memory for a moment */
	for (size_t i = 0; i < HS_MAX_SHARES; i++) {
		wr_free(&hs->shares[i].bytes);
		if (&hs->shares[i] != share) {
			crypto_kex_free(hs->shares[i].kex);
			hs->shares[i].kex = NULL;
		}
	}
	if (!(hs->transcript.live || hs_transcript_start(hs, hs->suite->hash)) ||
	    !hs_transcript_add(hs, msg->whole)) {
		return false;
	}
	if (!crypto_kex_finish(share->kex, key_exchange.p, key_exchange.left, shared, &shared_len)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the server's key share is no valid point");
	}
	hs_shares_free(hs);
	ok = hs_enter_handshake_keys(hs, shared, shared_len);
	secret_wipe(shared, sizeof(shared));
	return ok;
}

bool client13_on_server_hello(struct engine_hs *hs, const struct hs_message *msg,
			      const struct server_hello *hello, enum hs_state *next)
{
	struct ext_block block;

	/* a key change follows, RFC 8446 5.1 */
	if (!msg->at_record_end) {
		return hs_fail(hs, ALERT_UNEXPECTED_MESSAGE,
			       "a handshake message behind one that ends its record");
	}
	if (!judge_server_hello(hs, hello, &block)) {
		return false;
	}
	if (hello->is_retry) {
		*next = HS_WAIT_SERVER_HELLO_AGAIN;
		return on_hello_retry_request(hs, msg, &block);
	}
	if (!psk13_judge_answer(hs, &block)) {
		return false;
	}
	*next = HS_WAIT_ENCRYPTED_EXTENSIONS;
	return agree(hs, &block, msg);
}

/* ---- the protected flight ---- */

static bool on_encrypted_extensions(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	struct ext_block block;
	struct rd in = msg->body;
	struct rd extensions;
	struct rd list;

	if (!rd_vec16(&in, &extensions, 0, UINT16_MAX) || !rd_end(&in)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed EncryptedExtensions");
	}
	if (!ext_parse(hs, EXT_IN_ENCRYPTED_EXTENSIONS, extensions, hs->offered, &block)) {
		return false;
	}
	if (ext_has(&block, EXT_SERVER_NAME) && block.body[EXT_SERVER_NAME].left != 0) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed server_name");
	}
	/* the server's groups are of no use before the next connection */
	if (ext_has(&block, EXT_SUPPORTED_GROUPS) &&
	    !ext_parse_u16_list(block.body[EXT_SUPPORTED_GROUPS], &list)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed supported_groups");
	}
	if (ext_has(&block, EXT_ALPN) && !client_judge_alpn(hs, block.body[EXT_ALPN])) {
		return false;
	}
	if (!ext_take_record_size_limit(hs, &block)) {
		return false;
	}
	*next = hs->resumed ? HS_WAIT_SERVER_FINISHED : HS_WAIT_CERTIFICATE_OR_REQUEST;
	return hs_transcript_add(hs, msg->whole);
}

/* RFC 8446 4.3.2 */
static bool on_certificate_request(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	struct ext_block block;
	struct rd in = msg->body;
	struct rd context;
	struct rd extensions;
	struct cert_wishes wishes;

	if (!rd_vec8(&in, &context, 0, UINT8_MAX) || !rd_vec16(&in, &extensions, 2, UINT16_MAX) ||
	    !rd_end(&in)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed CertificateRequest");
	}
	if (context.left != 0) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "a CertificateRequest with a context in the handshake");
	}
	if (!ext_parse(hs, EXT_IN_CERTIFICATE_REQUEST, extensions, 0, &block) ||
	    !ext_judge_unused(hs, &block)) {
		return false;
	}
	if (!cert_take_wishes(hs, &block, &wishes)) {
		return false;
	}
	hs->certificate_wanted = true;
	/* without a credential that fits, an empty Certificate will say so */
	(void)!cert_choose(hs, &wishes, "");
	*next = HS_WAIT_SERVER_CERTIFICATE;
	return hs_transcript_add(hs, msg->whole);
}

static bool on_certificate(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	bool is_empty;

	*next = HS_WAIT_SERVER_CERTIFICATE_VERIFY;
	return cert_check_certificate(hs, msg, &is_empty) && hs_transcript_add(hs, msg->whole);
}

static bool on_certificate_verify(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	*next = HS_WAIT_SERVER_FINISHED;
	return cert_check_verify(hs, msg) && hs_transcript_add(hs, msg->whole);
}

/* Our second flight, RFC 8446 4.4. */
static bool send_second_flight(struct engine_hs *hs)
{
	if (!hs_send_ccs(hs)) {
		return false;
	}
	if (hs->certificate_wanted && !cert_send_certificate(hs)) {
		return false;
	}
	if (hs->credential != NULL && !cert_send_verify(hs)) {
		return false;
	}
	return hs_send_finished(hs) && hs_flush(hs);
}

static bool on_finished(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	uint8_t hash[CRYPTO_MAX_HASH_LEN];

	if (!hs_check_finished(hs, msg) || !hs_transcript_hash(hs, hash)) {
		return false;
	}
	if (!keysched13_derive_application(&hs->ks, hash)) {
		return hs_fail_internal(hs, "key schedule");
	}
	/* the last step is the one that leaves something in conn */
	if (!send_second_flight(hs) || !hs_set_recv_secret(hs, &hs->ks.server_application_traffic_secret) ||
	    !hs_set_send_secret(hs, &hs->ks.client_application_traffic_secret) || !psk13_expect_tickets(hs)) {
		return false;
	}
	hs_complete(hs);
	*next = HS_DONE;
	return true;
}
