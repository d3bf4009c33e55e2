/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client of TLS 1.3: its table and its handlers.  RFC 8446 A.1
 *
 *   WAIT_SERVER_HELLO --HelloRetryRequest--> WAIT_SERVER_HELLO_AGAIN
 *          |                                        |
 *          +----------------ServerHello-------------+
 *                               v
 *   WAIT_ENCRYPTED_EXTENSIONS -> WAIT_CERTIFICATE_OR_REQUEST [-> WAIT_SERVER_CERTIFICATE]
 *          -> WAIT_SERVER_CERTIFICATE_VERIFY -> WAIT_SERVER_FINISHED -> DONE
 */
#include <string.h>

#include "cert.h"
#include "ext.h"
#include "hello.h"
#include "secret.h"

static bool on_server_hello(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_encrypted_extensions(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_certificate_request(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_certificate(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_certificate_verify(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_finished(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);

/* clang-format off */
const struct hs_row client13_rows[] = {
	{ HS_WAIT_SERVER_HELLO, HS_SERVER_HELLO, true, HS_MAX_SERVER_HELLO, on_server_hello,
	  TO(HS_WAIT_SERVER_HELLO_AGAIN) | TO(HS_WAIT_ENCRYPTED_EXTENSIONS) },
	{ HS_WAIT_SERVER_HELLO_AGAIN, HS_SERVER_HELLO, true, HS_MAX_SERVER_HELLO, on_server_hello,
	  TO(HS_WAIT_ENCRYPTED_EXTENSIONS) },
	{ HS_WAIT_ENCRYPTED_EXTENSIONS, HS_ENCRYPTED_EXTENSIONS, false, HS_MAX_ENCRYPTED_EXTENSIONS,
	  on_encrypted_extensions,
	  TO(HS_WAIT_CERTIFICATE_OR_REQUEST) },
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

/* ---- ClientHello ---- */

/* RFC 6066 3: DNS names only. */
static bool is_address_literal(const char *name)
{
	return strchr(name, ':') != NULL || strspn(name, "0123456789.") == strlen(name);
}

static void build_server_name(struct engine_hs *hs, struct wr *out)
{
	size_t ext;
	size_t list;
	size_t name;

	if (hs->server_name[0] == '\0' || is_address_literal(hs->server_name)) {
		return;
	}
	ext = ext_begin(out, EXT_SERVER_NAME, &hs->offered);
	list = wr_open16(out);
	wr_u8(out, 0); /* host_name */
	name = wr_open16(out);
	wr_text(out, hs->server_name);
	wr_close16(out, name);
	wr_close16(out, list);
	ext_end(out, ext);
}

static void build_supported_groups(struct engine_hs *hs, struct wr *out)
{
	const struct group *groups[GROUPS_MAX];
	const size_t n = groups_preferred(&hs->config->algorithms, ENGINE_TLS13, groups);
	const size_t ext = ext_begin(out, EXT_SUPPORTED_GROUPS, &hs->offered);
	const size_t list = wr_open16(out);

	for (size_t i = 0; i < n; i++) {
		wr_u16(out, groups[i]->id);
	}
	wr_close16(out, list);
	ext_end(out, ext);
}

static void build_alpn(struct engine_hs *hs, struct wr *out)
{
	const struct engine_config *config = hs->config;
	size_t ext;
	size_t list;

	if (config->n_alpn == 0) {
		return;
	}
	ext = ext_begin(out, EXT_ALPN, &hs->offered);
	list = wr_open16(out);
	for (size_t i = 0; i < config->n_alpn; i++) {
		const size_t name = wr_open8(out);

		wr_text(out, config->alpn[i]);
		wr_close8(out, name);
	}
	wr_close16(out, list);
	ext_end(out, ext);
}

static void build_supported_versions(struct engine_hs *hs, struct wr *out)
{
	const size_t ext = ext_begin(out, EXT_SUPPORTED_VERSIONS, &hs->offered);
	const size_t list = wr_open8(out);

	wr_u16(out, ENGINE_TLS13);
	wr_close8(out, list);
	ext_end(out, ext);
}

static void build_key_share(struct engine_hs *hs, struct wr *out)
{
	const size_t ext = ext_begin(out, EXT_KEY_SHARE, &hs->offered);
	const size_t list = wr_open16(out);

	if (hs->group != NULL) {
		size_t share;

		wr_u16(out, hs->group->id);
		share = wr_open16(out);
		wr_bytes(out, hs->share, crypto_group_share_len(hs->group->group));
		wr_close16(out, share);
	}
	wr_close16(out, list);
	ext_end(out, ext);
}

static void build_cookie(struct engine_hs *hs, struct wr *out)
{
	size_t ext;
	size_t cookie;

	if (hs->cookie.len == 0) {
		return;
	}
	ext = ext_begin(out, EXT_COOKIE, &hs->offered);
	cookie = wr_open16(out);
	wr_bytes(out, hs->cookie.data, hs->cookie.len);
	wr_close16(out, cookie);
	ext_end(out, ext);
}

/*
 * RFC 8446 4.1.2. The second one differs from the first in key_share and cookie alone, since everything else comes
 * from what does not change in between.
 */
static bool send_client_hello(struct engine_hs *hs)
{
	const struct suite *suites[SUITES_MAX];
	const size_t n_suites = suites_preferred(&hs->config->algorithms, ENGINE_TLS13, false, suites);
	struct wr *out = hs_begin(hs, HS_CLIENT_HELLO);
	size_t mark;

	wr_u16(out, RECORD_VERSION); /* legacy_version */
	wr_bytes(out, hs->random, sizeof(hs->random));
	mark = wr_open8(out); /* legacy_session_id */
	wr_bytes(out, hs->session_id, hs->session_id_len);
	wr_close8(out, mark);
	mark = wr_open16(out);
	for (size_t i = 0; i < n_suites; i++) {
		wr_u16(out, suites[i]->id);
	}
	wr_close16(out, mark);
	wr_u8(out, 1); /* legacy_compression_methods: null */
	wr_u8(out, 0);
	mark = wr_open16(out);
	hs->offered = 0;
	build_server_name(hs, out);
	build_supported_groups(hs, out);
	ext_build_signature_algorithms(out, &hs->config->algorithms, &hs->offered);
	build_alpn(hs, out);
	build_supported_versions(hs, out);
	build_key_share(hs, out);
	build_cookie(hs, out);
	wr_close16(out, mark);
	return hs_end(hs) && hs_flush(hs);
}

/* A fresh share of group, or none. */
static bool new_key_share(struct engine_hs *hs, const struct group *group)
{
	crypto_kex_free(hs->kex);
	hs->kex = NULL;
	hs->group = group;
	if (group == NULL) {
		return true;
	}
	hs->kex = crypto_kex_begin(group->group, hs->share);
	return hs->kex != NULL || hs_fail_internal(hs, "key share");
}

bool client13_start(struct engine_hs *hs, const struct group *group)
{
	/* a session id that is not empty switches middlebox compatibility on, RFC 8446 D.4 */
	hs->session_id_len = HS_SESSION_ID_MAX;
	if (!engine_random(hs->random, sizeof(hs->random)) ||
	    !engine_random(hs->session_id, hs->session_id_len)) {
		return hs_fail_internal(hs, "random numbers");
	}
	return new_key_share(hs, group) && send_client_hello(hs);
}

/* ---- ServerHello and HelloRetryRequest ---- */

/* The server chose an older version: say which, or that somebody in between made it do so. RFC 8446 4.1.3 */
static bool fail_old_version(struct engine_hs *hs, const struct server_hello *hello)
{
	if (hello_has_downgrade_sentinel(hello)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server was made to choose an old version though it speaks TLS 1.3");
	}
	return hs_fail_detail(hs, ALERT_PROTOCOL_VERSION, "the policy wants TLS 1.3, the peer chose",
			      engine_version_name(hello->legacy_version));
}

/* What ServerHello and HelloRetryRequest have in common. RFC 8446 4.1.3, 4.1.4 */
static bool judge_server_hello(struct engine_hs *hs, const struct server_hello *hello,
			       struct ext_block *block)
{
	const enum ext_message message = hello->is_retry ? EXT_IN_HELLO_RETRY_REQUEST : EXT_IN_SERVER_HELLO;
	const struct suite *suite = suite_find(hello->cipher_suite);
	uint16_t version;

	/* RFC 8446 D.5 */
	if (hello->legacy_version <= 0x0300) {
		return hs_fail_detail(hs, ALERT_PROTOCOL_VERSION, "the policy wants TLS 1.3, the peer chose",
				      engine_version_name(hello->legacy_version));
	}
	if (!hello->has_supported_versions) {
		return hello->is_retry ? hs_fail(hs, ALERT_MISSING_EXTENSION,
						 "HelloRetryRequest without supported_versions")
				       : fail_old_version(hs, hello);
	}
	if (!ext_parse(hs, message, hello->extensions, hs->offered, block)) {
		return false;
	}
	if (!ext_parse_u16(block->body[EXT_SUPPORTED_VERSIONS], &version)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed supported_versions");
	}
	if (version != ENGINE_TLS13 || hello->legacy_version != RECORD_VERSION) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server chose a version that it was not offered");
	}
	if (!rd_equal(hello->legacy_session_id_echo, rd_of(hs->session_id, hs->session_id_len))) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the server did not echo legacy_session_id");
	}
	if (hello->legacy_compression_method != 0) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the server chose to compress");
	}
	if (suite == NULL || suite->version != ENGINE_TLS13) {
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

/* The group that a HelloRetryRequest asks for, RFC 8446 4.2.8. */
static bool judge_selected_group(struct engine_hs *hs, struct rd body, const struct group **group)
{
	uint16_t selected;

	if (!ext_parse_u16(body, &selected)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed key_share");
	}
	*group = group_find(selected);
	if (*group == NULL || *group == hs->group) {
		return hs_fail(
			hs, ALERT_ILLEGAL_PARAMETER,
			"HelloRetryRequest asks for a group that was not offered, or was sent already");
	}
	return true;
}

static bool on_hello_retry_request(struct engine_hs *hs, const struct hs_message *msg,
				   const struct ext_block *block)
{
	const struct group *group = hs->group;
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
	if (group != hs->group && !new_key_share(hs, group)) {
		return false;
	}
	return hs_send_ccs(hs) && send_client_hello(hs);
}

/* The server's share, RFC 8446 4.2.8: of the group that our ClientHello had one of. */
static bool agree(struct engine_hs *hs, const struct ext_block *block, const struct hs_message *msg)
{
	uint8_t shared[CRYPTO_MAX_SHARED_LEN];
	size_t shared_len = 0;
	struct rd entry;
	struct rd key_exchange;
	uint16_t group;
	bool ok;

	if (!ext_has(block, EXT_KEY_SHARE)) {
		return hs_fail(hs, ALERT_MISSING_EXTENSION, "ServerHello without key_share");
	}
	entry = block->body[EXT_KEY_SHARE];
	if (!ext_next_key_share(&entry, &group, &key_exchange) || !rd_end(&entry)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed key_share");
	}
	if (hs->group == NULL || group != hs->group->id) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the server chose a group without a share");
	}
	if (!crypto_kex_finish(hs->kex, key_exchange.p, key_exchange.left, shared, &shared_len)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the server's key share is no valid point");
	}
	crypto_kex_free(hs->kex);
	hs->kex = NULL;
	ok = (hs->transcript.live || hs_transcript_start(hs, hs->suite->hash)) &&
	     hs_transcript_add(hs, msg->whole) && hs_enter_handshake_keys(hs, shared, shared_len);
	secret_wipe(shared, sizeof(shared));
	return ok;
}

static bool on_server_hello(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	struct server_hello hello;
	struct ext_block block;

	if (!hello_parse_server(msg->body, &hello)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed ServerHello");
	}
	if (!judge_server_hello(hs, &hello, &block)) {
		return false;
	}
	if (hello.is_retry) {
		*next = HS_WAIT_SERVER_HELLO_AGAIN;
		return on_hello_retry_request(hs, msg, &block);
	}
	*next = HS_WAIT_ENCRYPTED_EXTENSIONS;
	return agree(hs, &block, msg);
}

/* ---- the protected flight ---- */

/* RFC 7301 3.1, 3.2: one protocol, and one that we offered. */
static bool judge_alpn(struct engine_hs *hs, struct rd body)
{
	const struct engine_config *config = hs->config;
	struct rd list;
	struct rd name;

	if (!ext_parse_alpn(body, &list) || !rd_vec8(&list, &name, 1, UINT8_MAX) || !rd_end(&list)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed application_layer_protocol_negotiation");
	}
	for (size_t i = 0; i < config->n_alpn; i++) {
		const size_t len = strlen(config->alpn[i]);

		if (rd_equal(name, rd_of((const uint8_t *)config->alpn[i], len))) {
			memcpy(hs->alpn, config->alpn[i], len);
			hs->alpn_len = (uint8_t)len;
			return true;
		}
	}
	return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
		       "the server chose an application protocol that it was not offered");
}

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
	if (ext_has(&block, EXT_ALPN) && !judge_alpn(hs, block.body[EXT_ALPN])) {
		return false;
	}
	*next = HS_WAIT_CERTIFICATE_OR_REQUEST;
	return hs_transcript_add(hs, msg->whole);
}

/* RFC 8446 4.3.2 */
static bool on_certificate_request(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	struct ext_block block;
	struct rd in = msg->body;
	struct rd context;
	struct rd extensions;
	struct rd schemes;

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
	if (!ext_has(&block, EXT_SIGNATURE_ALGORITHMS)) {
		return hs_fail(hs, ALERT_MISSING_EXTENSION,
			       "CertificateRequest without signature_algorithms");
	}
	if (!ext_parse_u16_list(block.body[EXT_SIGNATURE_ALGORITHMS], &schemes)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed signature_algorithms");
	}
	hs->certificate_wanted = true;
	/* without a credential that fits, an empty Certificate will say so */
	(void)!cert_choose(hs, schemes, "");
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
	if (!send_second_flight(hs) || !hs_set_recv_secret(hs, &hs->ks.server_application_traffic_secret) ||
	    !hs_set_send_secret(hs, &hs->ks.client_application_traffic_secret)) {
		return false;
	}
	hs_complete(hs);
	*next = HS_DONE;
	return true;
}
