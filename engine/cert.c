/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificates in the handshake: choosing ours, judging the peer's, and the proofs of possession.
 */
#include "cert.h"

#include <string.h>

#include "ext.h"
#include "secret.h"

#define SIGNATURE_MAX       512
#define CONTEXT_PADDING_LEN 64
#define CONTEXT_TEXT_LEN    33
#define AUTHORITIES_MAX     4096

/* ---- ours ---- */

bool cert_take_wishes(struct engine_hs *hs, const struct ext_block *block, struct cert_wishes *wishes)
{
	*wishes = (struct cert_wishes){.names = rd_of(NULL, 0)};
	if (!ext_has(block, EXT_SIGNATURE_ALGORITHMS)) {
		return hs_fail(hs, ALERT_MISSING_EXTENSION, "signature_algorithms is missing");
	}
	if (!ext_parse_u16_list(block->body[EXT_SIGNATURE_ALGORITHMS], &wishes->schemes)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed signature_algorithms");
	}
	wishes->cert_schemes = wishes->schemes;
	if (ext_has(block, EXT_SIGNATURE_ALGORITHMS_CERT) &&
	    !ext_parse_u16_list(block->body[EXT_SIGNATURE_ALGORITHMS_CERT], &wishes->cert_schemes)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed signature_algorithms_cert");
	}
	if (ext_has(block, EXT_CERTIFICATE_AUTHORITIES) &&
	    !ext_parse_authorities(block->body[EXT_CERTIFICATE_AUTHORITIES], &wishes->names)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed certificate_authorities");
	}
	return true;
}

/* The best scheme of this key that both sides take; 0 if there is none. */
static uint16_t common_scheme(const struct engine_hs *hs, const struct private_key *key, struct rd schemes)
{
	uint16_t ours[SCHEMES_MAX];
	const size_t n = private_key_schemes(key, true, ours, SCHEMES_MAX);

	for (size_t i = 0; i < n; i++) {
		const struct scheme *scheme = scheme_find(ours[i]);

		if (scheme != NULL && scheme->tls13 && scheme_is_allowed(&hs->config->algorithms, ours[i]) &&
		    rd_has_u16(schemes, ours[i])) {
			return ours[i];
		}
	}
	return 0;
}

/* How well a credential serves, more is better; 0: not at all. */
static unsigned judge_credential(const struct credential *credential, const struct cert_wishes *wishes,
				 const char *name)
{
	if (!credential_may_sign(credential)) {
		return 0;
	}
	return 1 + (name[0] != '\0' && credential_matches_name(credential, name) ? 4U : 0U) +
	       (credential_fits_schemes(credential, wishes->cert_schemes) ? 2U : 0U) +
	       (credential_is_from(credential, wishes->names) ? 1U : 0U);
}

bool cert_choose(struct engine_hs *hs, const struct cert_wishes *wishes, const char *name)
{
	const struct engine_config *config = hs->config;
	unsigned best = 0;

	for (size_t i = 0; i < config->n_credentials; i++) {
		const struct credential *credential = &config->credentials[i];
		const uint16_t scheme = common_scheme(hs, credential->key, wishes->schemes);
		/* nothing to compare: not worth taking certificates apart in every handshake */
		const bool is_only = config->n_credentials == 1;
		const unsigned worth = scheme == 0 ? 0
				       : is_only   ? 1
						   : judge_credential(credential, wishes, name);

		if (worth > best) {
			best = worth;
			hs->credential = credential;
			hs->credential_scheme = scheme;
		}
	}
	return hs->credential != NULL;
}

/* The extensions of the leaf's CertificateEntry: its OCSP response. RFC 8446 4.4.2.1 */
static void build_status(struct engine_hs *hs, struct wr *out)
{
	const struct rd ocsp =
		hs->status_wanted ? credential_ocsp(hs->credential, engine_now()) : rd_of(NULL, 0);
	size_t ext;
	size_t response;

	if (ocsp.left == 0) {
		return;
	}
	ext = ext_begin(out, EXT_STATUS_REQUEST, NULL);
	wr_u8(out, STATUS_TYPE_OCSP);
	response = wr_open24(out);
	wr_bytes(out, ocsp.p, ocsp.left);
	wr_close24(out, response);
	ext_end(out, ext);
}

bool cert_send_certificate(struct engine_hs *hs)
{
	struct wr *out = hs_begin(hs, HS_CERTIFICATE);
	size_t list;

	wr_u8(out, 0); /* certificate_request_context: empty in the handshake */
	list = wr_open24(out);
	for (size_t i = 0; hs->credential != NULL && i < hs->credential->n_chain; i++) {
		const size_t cert = wr_open24(out);
		size_t extensions;

		wr_bytes(out, hs->credential->chain[i].data, hs->credential->chain[i].len);
		wr_close24(out, cert);
		extensions = wr_open16(out);
		if (i == 0) {
			build_status(hs, out);
		}
		wr_close16(out, extensions);
	}
	wr_close24(out, list);
	return hs_end(hs);
}

/* What a CertificateVerify signs: 64 spaces, who signs, a zero, the transcript hash. RFC 8446 4.4.3 */
static bool build_content(struct engine_hs *hs, enum engine_role signer, struct wr *content)
{
	const char *text = signer == ENGINE_SERVER ? "TLS 1.3, server CertificateVerify"
						   : "TLS 1.3, client CertificateVerify";
	uint8_t hash[CRYPTO_MAX_HASH_LEN];

	if (!hs_transcript_hash(hs, hash)) {
		return false;
	}
	for (size_t i = 0; i < CONTEXT_PADDING_LEN; i++) {
		wr_u8(content, 0x20);
	}
	wr_bytes(content, text, CONTEXT_TEXT_LEN);
	wr_u8(content, 0);
	wr_bytes(content, hash, crypto_hash_len(hs->suite->hash));
	return !content->failed || hs_fail_internal(hs, "CertificateVerify");
}

bool cert_send_verify(struct engine_hs *hs)
{
	uint8_t room[CONTEXT_PADDING_LEN + CONTEXT_TEXT_LEN + 1 + CRYPTO_MAX_HASH_LEN];
	uint8_t signature[SIGNATURE_MAX];
	size_t signature_len = 0;
	struct wr content;
	struct wr *out;
	size_t mark;

	wr_init(&content, room, sizeof(room));
	if (!build_content(hs, hs->role, &content)) {
		return false;
	}
	if (private_key_sign(hs->credential->key, hs->credential_scheme, content.data, content.len, signature,
			     sizeof(signature), &signature_len) != ENGINE_OK) {
		return hs_fail_internal(hs, "signing with our key");
	}
	out = hs_begin(hs, HS_CERTIFICATE_VERIFY);
	wr_u16(out, hs->credential_scheme);
	mark = wr_open16(out);
	wr_bytes(out, signature, signature_len);
	wr_close16(out, mark);
	return hs_end(hs);
}

/* Whom we trust, unless they are so many that naming them would not help. RFC 8446 4.2.4 */
static void build_authorities(struct engine_hs *hs, struct wr *out)
{
	uint8_t room[AUTHORITIES_MAX];
	struct wr names;
	size_t ext;

	wr_init(&names, room, sizeof(room));
	if (!trust_write_names(hs->config->trust, &names, sizeof(room)) || names.failed || names.len == 0) {
		return;
	}
	ext = ext_begin(out, EXT_CERTIFICATE_AUTHORITIES, NULL);
	wr_u16(out, (uint16_t)names.len);
	wr_bytes(out, names.data, names.len);
	ext_end(out, ext);
}

bool cert_send_request(struct engine_hs *hs)
{
	struct wr *out = hs_begin(hs, HS_CERTIFICATE_REQUEST);
	size_t extensions;

	wr_u8(out, 0); /* certificate_request_context: empty in the handshake */
	extensions = wr_open16(out);
	ext_build_signature_algorithms(out, &hs->config->algorithms, NULL);
	build_authorities(hs, out);
	wr_close16(out, extensions);
	hs->certificate_wanted = true;
	return hs_end(hs);
}

/* ---- the peer's ---- */

/* The status in a CertificateEntry; kept is the leaf's. RFC 8446 4.4.2.1 */
static bool take_status(struct engine_hs *hs, const struct ext_block *block, struct cert_chain *chain)
{
	struct rd response;
	uint8_t type;

	if (!ext_has(block, EXT_STATUS_REQUEST)) {
		return true;
	}
	if (!ext_parse_certificate_status(block->body[EXT_STATUS_REQUEST], &type, &response)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed CertificateStatus");
	}
	if (type != STATUS_TYPE_OCSP) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "a CertificateStatus of a type that was not asked for");
	}
	if (chain->n == 0) {
		chain->ocsp = response;
	}
	return true;
}

/*
 * struct CertificateEntry, RFC 8446 4.4.2. The chain's surplus behind CONFIG_MAX_CHAIN is parsed and passed over:
 * a path that needs it is longer than any that is accepted.
 */
static bool parse_entries(struct engine_hs *hs, struct rd list, struct cert_chain *chain)
{
	struct ext_block block;
	struct rd extensions;
	struct rd cert;

	while (!rd_end(&list)) {
		if (!rd_vec24(&list, &cert, 1, HS_MAX_CERTIFICATE) ||
		    !rd_vec16(&list, &extensions, 0, UINT16_MAX)) {
			return hs_fail(hs, ALERT_DECODE_ERROR, "malformed Certificate");
		}
		/* a CertificateRequest of ours asks for no extension here, a ClientHello for a status */
		if (!ext_parse(hs, EXT_IN_CERTIFICATE, extensions,
			       hs->role == ENGINE_CLIENT ? hs->offered : 0, &block) ||
		    !take_status(hs, &block, chain)) {
			return false;
		}
		if (chain->n < CONFIG_MAX_CHAIN) {
			chain->certs[chain->n] = cert.p;
			chain->lens[chain->n++] = cert.left;
		}
	}
	return true;
}

bool cert_judge_chain(struct engine_hs *hs, const struct cert_chain *chain)
{
	const bool is_client = hs->role == ENGINE_CLIENT;
	const struct verify_request request = {
		.config = hs->config,
		.peer_role = is_client ? ENGINE_SERVER : ENGINE_CLIENT,
		.certs = chain->certs,
		.cert_lens = chain->lens,
		.n_certs = chain->n,
		.name = is_client && hs->server_name[0] != '\0' ? hs->server_name : NULL,
		.now = engine_now(),
		.for_encipherment = is_client && hs->suite->kx == KX_RSA,
		.ocsp = chain->ocsp.p,
		.ocsp_len = chain->ocsp.left,
		.ocsp_asked = is_client && (hs->offered & EXT_BIT(EXT_STATUS_REQUEST)) != 0,
	};
	struct verify_result result;
	enum engine_err err;

	memset(&result, 0, sizeof(result));
	err = verify_chain(&request, &result);
	memcpy(hs->peer_subject, result.subject, sizeof(hs->peer_subject));
	hs->peer_subject[sizeof(hs->peer_subject) - 1] = '\0';
	if (err == ENGINE_OK && result.key != NULL) {
		hs->peer_key = result.key;
		/* a peer that does not hold the key comes to no end, and leaves no session behind */
		hs->peer_is_authenticated = hs->config->verify != ENGINE_VERIFY_NONE;
		hs->peer_not_after = result.not_after;
		return true;
	}
	public_key_free(result.key);
	if (err != ENGINE_ERR_VERIFY) {
		return hs_fail_internal(hs, "verifying the peer's certificate");
	}
	(void)hs_fail(hs, result.alert, result.reason);
	hs->err = ENGINE_ERR_VERIFY;
	return false;
}

bool cert_check_certificate(struct engine_hs *hs, const struct hs_message *msg, bool *is_empty)
{
	struct cert_chain chain = {.n = 0};
	struct rd in = msg->body;
	struct rd context;
	struct rd list;

	if (!rd_vec8(&in, &context, 0, UINT8_MAX) || !rd_vec24(&in, &list, 0, HS_MAX_CERTIFICATE) ||
	    !rd_end(&in)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed Certificate");
	}
	if (context.left != 0) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "a Certificate that answers no request of ours");
	}
	*is_empty = rd_end(&list);
	if (*is_empty) {
		/* RFC 8446 4.4.2.4 */
		return hs->role == ENGINE_SERVER ||
		       hs_fail(hs, ALERT_DECODE_ERROR, "the server sent no certificate");
	}
	return parse_entries(hs, list, &chain) && cert_judge_chain(hs, &chain);
}

bool cert_check_verify(struct engine_hs *hs, const struct hs_message *msg)
{
	uint8_t room[CONTEXT_PADDING_LEN + CONTEXT_TEXT_LEN + 1 + CRYPTO_MAX_HASH_LEN];
	const struct scheme *scheme;
	struct wr content;
	struct rd in = msg->body;
	struct rd signature;
	uint16_t algorithm;

	if (!rd_u16(&in, &algorithm) || !rd_vec16(&in, &signature, 0, UINT16_MAX) || !rd_end(&in)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed CertificateVerify");
	}
	scheme = scheme_find(algorithm);
	if (scheme == NULL || !scheme->tls13 || !scheme_is_allowed(&hs->config->algorithms, algorithm)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the peer signed with a scheme that it was not offered");
	}
	if (!public_key_fits(hs->peer_key, algorithm, true)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the peer signed with a scheme that does not fit its certificate's key");
	}
	wr_init(&content, room, sizeof(room));
	if (!build_content(hs, hs->role == ENGINE_CLIENT ? ENGINE_SERVER : ENGINE_CLIENT, &content)) {
		return false;
	}
	if (!public_key_verify(hs->peer_key, algorithm, true, content.data, content.len, signature.p,
			       signature.left)) {
		(void)hs_fail(hs, ALERT_DECRYPT_ERROR,
			      "the peer could not prove that it holds its certificate's key");
		return false;
	}
	hs->peer_scheme = algorithm;
	public_key_free(hs->peer_key);
	hs->peer_key = NULL;
	return true;
}
