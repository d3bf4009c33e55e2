/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the handlers of TLS 1.2 and older build on, in both roles.
 */
#include "flight12.h"

#include <string.h>

#include "cert.h"
#include "secret.h"

#define SIGNATURE_MAX           512
/* Schemes of TLS 1.2 that any key can use that can sign in TLS 1.0 and 1.1. */
#define SCHEME_RSA_PKCS1_SHA256 0x0401
#define SCHEME_ECDSA_SHA256     0x0403
/* Where the SHA-1 half of a transcript hash of TLS 1.0 and 1.1 begins. */
#define MD5_LEN                 16
#define MD5_SHA1_LEN            36

/* ---- secrets and keys ---- */

enum crypto_hash hs12_transcript_kind(const struct engine_hs *hs)
{
	return hs->version >= ENGINE_TLS12 ? hs->suite->hash : CRYPTO_MD5_SHA1;
}

bool hs12_set_premaster(struct engine_hs *hs, uint8_t *premaster, size_t len)
{
	struct hs12 *hs12 = &hs->hs12;
	uint8_t hash[CRYPTO_MAX_HASH_LEN];
	bool ok;

	if (hs12->extended_master_secret) {
		ok = hs_transcript_hash(hs, hash) &&
		     keysched12_extended_master_secret(hs->version, hs->suite->hash, premaster, len, hash,
						       crypto_hash_len(hs12_transcript_kind(hs)),
						       hs12->master_secret);
	} else {
		ok = keysched12_master_secret(hs->version, hs->suite->hash, premaster, len,
					      hs12->client_random, hs12->server_random, hs12->master_secret);
	}
	secret_wipe(premaster, len);
	return ok || hs_fail_internal(hs, "master secret");
}

bool hs12_make_keys(struct engine_hs *hs)
{
	struct hs12 *hs12 = &hs->hs12;
	const bool is_client = hs->role == ENGINE_CLIENT;

	hs12->next_spec = (struct record_cipher_spec){
		.suite = hs->suite,
		.version = hs->version,
		.encrypt_then_mac = hs12->encrypt_then_mac,
	};
	hs12->next_recv.epoch = hs->recv.epoch;
	hs12->next_send.epoch = hs->send.epoch;
	return keysched12_traffic_keys(&hs12->next_spec, hs12->master_secret, hs12->client_random,
				       hs12->server_random, is_client ? &hs12->next_send : &hs12->next_recv,
				       is_client ? &hs12->next_recv : &hs12->next_send) ||
	       hs_fail_internal(hs, "traffic keys");
}

/* ---- ChangeCipherSpec ---- */

/* In clear, or under the keys of the connection that is renegotiated. */
static bool write_ccs(struct engine_hs *hs)
{
	static const uint8_t body[] = {1};
	const struct engine_slice slice = {body, sizeof(body)};
	uint8_t record[ENGINE_SEAL_OVERHEAD + sizeof(body)];
	size_t len = ENGINE_RECORD_HEADER_LEN + sizeof(body);

	if (hs->send_cipher == NULL) {
		record_build_header(record, CONTENT_CHANGE_CIPHER_SPEC, hs->version, sizeof(body));
		memcpy(record + ENGINE_RECORD_HEADER_LEN, body, sizeof(body));
	} else if (!record_seal(&hs->send_spec, &hs->send, hs->send_cipher, CONTENT_CHANGE_CIPHER_SPEC,
				&slice, 1, record, sizeof(record), &len)) {
		return hs_fail_internal(hs, "ChangeCipherSpec");
	}
	wr_bytes(&hs->out, record, len);
	return !hs->out.failed || hs_fail_internal(hs, "ChangeCipherSpec");
}

/* The context for a direction: a new one unless it has one. NULL: no memory, or no keys to change to. */
static struct engine_cipher *cipher_for(struct engine_hs *hs, struct engine_cipher *cipher)
{
	if (hs->hs12.next_spec.suite == NULL) {
		(void)hs_fail_internal(hs, "a change to keys that are not made yet");
		return NULL;
	}
	if (cipher == NULL) {
		cipher = engine_cipher_new();
	}
	if (cipher == NULL) {
		(void)hs_fail_internal(hs, "cipher");
	}
	return cipher;
}

/* From here on, next is in use, and nowhere else. */
static void switch_keys(struct engine_keys *keys, struct engine_keys *next)
{
	*keys = *next;
	secret_wipe(next, sizeof(*next));
}

bool hs12_send_ccs(struct engine_hs *hs)
{
	/*
	 * all that can fail comes first: an alert behind ChangeCipherSpec would have to be under
	 * the new keys
	 */
	struct engine_cipher *cipher = cipher_for(hs, hs->send_cipher);

	if (cipher == NULL) {
		return false;
	}
	if (!hs_flush(hs) || !write_ccs(hs)) {
		if (hs->send_cipher == NULL) {
			engine_cipher_free(cipher);
		}
		return false;
	}
	hs->send_cipher = cipher;
	switch_keys(&hs->send, &hs->hs12.next_send);
	hs->sent_ccs = true;
	hs->send_spec = hs->hs12.next_spec;
	hs->send_spec.limit = hs->send_limit;
	return true;
}

bool hs12_take_ccs(struct engine_hs *hs)
{
	struct engine_cipher *cipher = cipher_for(hs, hs->recv_cipher);

	if (cipher == NULL) {
		return false;
	}
	hs->recv_cipher = cipher;
	switch_keys(&hs->recv, &hs->hs12.next_recv);
	hs->recv_spec = hs->hs12.next_spec;
	return true;
}

/* ---- Finished ---- */

/* The verify_data of who, over the transcript so far. */
static bool make_verify_data(struct engine_hs *hs, enum engine_role who,
			     uint8_t out[static HS12_VERIFY_DATA_LEN])
{
	uint8_t hash[CRYPTO_MAX_HASH_LEN];

	if (!hs_transcript_hash(hs, hash)) {
		return false;
	}
	return keysched12_finished(hs->version, hs->suite->hash, hs->hs12.master_secret, who == ENGINE_CLIENT,
				   hash, crypto_hash_len(hs12_transcript_kind(hs)), out) ||
	       hs_fail_internal(hs, "Finished");
}

/* Where the verify_data of who is kept. */
static uint8_t *verify_data_of(struct engine_hs *hs, enum engine_role who)
{
	return who == ENGINE_CLIENT ? hs->hs12.client_verify_data : hs->hs12.server_verify_data;
}

bool hs12_send_finished(struct engine_hs *hs)
{
	uint8_t *verify_data = verify_data_of(hs, hs->role);
	struct wr *out;

	if (!make_verify_data(hs, hs->role, verify_data)) {
		return false;
	}
	out = hs_begin(hs, HS_FINISHED);
	wr_bytes(out, verify_data, HS12_VERIFY_DATA_LEN);
	return hs_end(hs);
}

bool hs12_check_finished(struct engine_hs *hs, const struct hs_message *msg)
{
	const enum engine_role peer = hs->role == ENGINE_CLIENT ? ENGINE_SERVER : ENGINE_CLIENT;
	uint8_t *verify_data = verify_data_of(hs, peer);

	if (msg->body.left != HS12_VERIFY_DATA_LEN) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "Finished of wrong length");
	}
	if (!make_verify_data(hs, peer, verify_data)) {
		return false;
	}
	/* ct: a peer that guesses must not learn how far it was right */
	if (!secret_equal(msg->body.p, verify_data, HS12_VERIFY_DATA_LEN)) {
		return hs_fail_finished(hs);
	}
	return hs_transcript_add(hs, msg->whole);
}

/* ---- Certificate ---- */

bool hs12_send_certificate(struct engine_hs *hs)
{
	struct wr *out = hs_begin(hs, HS_CERTIFICATE);
	const size_t list = wr_open24(out);

	for (size_t i = 0; hs->credential != NULL && i < hs->credential->n_chain; i++) {
		const size_t cert = wr_open24(out);

		wr_bytes(out, hs->credential->chain[i].data, hs->credential->chain[i].len);
		wr_close24(out, cert);
	}
	wr_close24(out, list);
	return hs_end(hs);
}

/*
 * ASN.1Cert certificate_list<0..2^24-1>, RFC 5246 7.4.2; the surplus behind CONFIG_MAX_CHAIN is
 * passed over.
 */
static bool parse_certificate(struct rd in, struct cert_chain *chain)
{
	struct rd list;
	struct rd cert;

	if (!rd_vec24(&in, &list, 0, HS_MAX_CERTIFICATE) || !rd_end(&in)) {
		return false;
	}
	while (!rd_end(&list)) {
		if (!rd_vec24(&list, &cert, 1, HS_MAX_CERTIFICATE)) {
			return false;
		}
		if (chain->n < CONFIG_MAX_CHAIN) {
			chain->certs[chain->n] = cert.p;
			chain->lens[chain->n++] = cert.left;
		}
	}
	return true;
}

/* TLS 1.3 has an ECDSA scheme for each curve: what a key can make there tells where it is. */
static uint16_t curve_of_scheme(uint16_t scheme)
{
	switch (scheme) {
	case 0x0403:
		return 0x0017; /* secp256r1 */
	case 0x0503:
		return 0x0018; /* secp384r1 */
	case 0x0603:
		return 0x0019; /* secp521r1 */
	default:
		return 0;
	}
}

uint16_t hs12_private_key_curve(const struct private_key *key)
{
	uint16_t scheme;

	return private_key_schemes(key, true, &scheme, 1) == 1 ? curve_of_scheme(scheme) : 0;
}

uint16_t hs12_public_key_curve(const struct public_key *key)
{
	static const uint16_t schemes[] = {0x0403, 0x0503, 0x0603};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (public_key_fits(key, schemes[i], true)) {
			return curve_of_scheme(schemes[i]);
		}
	}
	return 0;
}

/*
 * Is the server's key for this suite, and on a curve that we offered? RFC 5246 7.4.2, RFC 8422 5.3.
 * Clients are never told curves; their keys are bound by the schemes alone.
 */
static bool judge_server_key(struct engine_hs *hs)
{
	const uint16_t curve = hs12_public_key_curve(hs->peer_key);

	if (public_key_auth(hs->peer_key) != hs->suite->auth) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the key in the server's certificate does not fit the cipher suite");
	}
	if (curve != 0 && !group_is_allowed(&hs->config->algorithms, curve)) {
		return hs_fail_detail(
			hs, ALERT_ILLEGAL_PARAMETER,
			"the key in the server's certificate is on a curve that was not offered",
			engine_group_name(curve));
	}
	return true;
}

/* TLS 1.0 and 1.1 know neither Ed25519 nor RSA keys that are for RSASSA-PSS only. RFC 8422 5.10 */
static bool judge_age(struct engine_hs *hs)
{
	return hs->version >= ENGINE_TLS12 || public_key_fits(hs->peer_key, SCHEME_RSA_PKCS1_SHA256, false) ||
	       public_key_fits(hs->peer_key, SCHEME_ECDSA_SHA256, false) ||
	       hs_fail(hs, ALERT_UNSUPPORTED_CERTIFICATE,
		       "the key in the peer's certificate is of a kind that needs TLS 1.2");
}

bool hs12_judge_certificate(struct engine_hs *hs, struct rd body, struct rd ocsp, bool *is_empty)
{
	struct cert_chain chain = {.ocsp = ocsp};

	if (!parse_certificate(body, &chain)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed Certificate");
	}
	*is_empty = chain.n == 0;
	if (*is_empty) {
		return hs->role == ENGINE_SERVER ||
		       hs_fail(hs, ALERT_DECODE_ERROR, "the server sent no certificate");
	}
	return cert_judge_chain(hs, &chain) && (hs->role == ENGINE_SERVER || judge_server_key(hs)) &&
	       judge_age(hs);
}

bool hs12_check_certificate(struct engine_hs *hs, const struct hs_message *msg, bool *is_empty)
{
	return hs12_judge_certificate(hs, msg->body, rd_of(NULL, 0), is_empty);
}

/* ---- signatures ---- */

/* The SHA-1 half of an MD5_SHA1 digest. */
static struct rd sha1_digest(const uint8_t digest[static CRYPTO_MAX_HASH_LEN])
{
	return rd_of(digest + MD5_LEN, MD5_SHA1_LEN - MD5_LEN);
}

/* What is signed in TLS 1.0 and 1.1 is part of an MD5_SHA1 digest. RFC 4346 7.4.3, RFC 8422 5.4 */
static struct rd old_digest(const uint8_t digest[static CRYPTO_MAX_HASH_LEN], enum suite_auth auth)
{
	return auth == AUTH_RSA ? rd_of(digest, MD5_SHA1_LEN) : sha1_digest(digest);
}

static bool is_sha1(uint16_t scheme)
{
	return scheme == HS12_RSA_PKCS1_SHA1 || scheme == HS12_ECDSA_SHA1;
}

static uint16_t old_scheme(enum suite_auth auth)
{
	return auth == AUTH_RSA ? SCHEME_MD5_SHA1_RSA : SCHEME_SHA1_ECDSA;
}

bool hs12_write_signature(struct engine_hs *hs, struct rd content, struct wr *out)
{
	const struct private_key *key = hs->credential->key;
	const bool is_old = hs->version < ENGINE_TLS12;
	const enum suite_auth auth = private_key_auth(key);
	uint16_t scheme = is_old ? old_scheme(auth) : hs->credential_scheme;
	uint8_t digest[CRYPTO_MAX_HASH_LEN];
	uint8_t signature[SIGNATURE_MAX];
	size_t len = 0;
	size_t mark;

	if (!is_old) {
		wr_u16(out, scheme);
	}
	if (is_old || is_sha1(scheme)) {
		if (!crypto_digest(CRYPTO_MD5_SHA1, content.p, content.left, digest)) {
			return hs_fail_internal(hs, "digest");
		}
		content = is_old ? old_digest(digest, auth) : sha1_digest(digest);
	}
	if (is_sha1(scheme)) {
		scheme = scheme == HS12_RSA_PKCS1_SHA1 ? SCHEME_SHA1_RSA : SCHEME_SHA1_ECDSA;
	}
	if (private_key_sign(key, scheme, content.p, content.left, signature, sizeof(signature), &len) !=
	    ENGINE_OK) {
		return hs_fail_internal(hs, "signing with our key");
	}
	mark = wr_open16(out);
	wr_bytes(out, signature, len);
	wr_close16(out, mark);
	return true;
}

/* Read a Signature up to its end. *scheme is 0 in TLS 1.0 and 1.1, where none is named. */
static bool parse_signature(struct engine_hs *hs, struct rd in, uint16_t *scheme, struct rd *signature)
{
	*scheme = 0;
	if ((hs->version >= ENGINE_TLS12 && !rd_u16(&in, scheme)) ||
	    !rd_vec16(&in, signature, 0, UINT16_MAX) || !rd_end(&in)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed signature");
	}
	return true;
}

/* Was the scheme offered, and does it fit the peer's key? RFC 5246 7.4.3, 7.4.8 */
static bool judge_scheme(struct engine_hs *hs, uint16_t id)
{
	const struct scheme *scheme = scheme_find(id);

	if (scheme == NULL || !scheme->tls12 || !scheme_is_allowed(&hs->config->algorithms, id)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the peer signed with a scheme that it was not offered");
	}
	return public_key_fits(hs->peer_key, id, false) ||
	       hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
		       "the peer signed with a scheme that does not fit its certificate's key");
}

bool hs12_check_signature(struct engine_hs *hs, struct rd in, struct rd content)
{
	const enum suite_auth auth = public_key_auth(hs->peer_key);
	uint8_t digest[CRYPTO_MAX_HASH_LEN];
	struct rd signature = rd_of(NULL, 0);
	uint16_t scheme;

	if (!parse_signature(hs, in, &scheme, &signature)) {
		return false;
	}
	if (hs->version < ENGINE_TLS12) {
		if (!crypto_digest(CRYPTO_MD5_SHA1, content.p, content.left, digest)) {
			return hs_fail_internal(hs, "digest");
		}
		content = old_digest(digest, auth);
	} else if (!judge_scheme(hs, scheme)) {
		return false;
	}
	hs->peer_scheme = scheme;
	return public_key_verify(hs->peer_key, scheme != 0 ? scheme : old_scheme(auth), false, content.p,
				 content.left, signature.p, signature.left) ||
	       hs_fail(hs, ALERT_DECRYPT_ERROR,
		       "the peer could not prove that it holds its certificate's key");
}

/* ---- CertificateVerify ---- */

/* What it signs: every message so far. */
static bool messages_so_far(struct engine_hs *hs, struct rd *messages)
{
	*messages = rd_of(hs->held.data, hs->held.len);
	return hs->keep_messages || hs_fail_internal(hs, "the messages to sign are gone");
}

/* Nobody needs them any more. */
static void forget_messages(struct engine_hs *hs)
{
	hs->keep_messages = false;
	wr_free(&hs->held);
}

bool hs12_send_certificate_verify(struct engine_hs *hs)
{
	struct rd messages;
	struct wr *out;

	if (!messages_so_far(hs, &messages)) {
		return false;
	}
	out = hs_begin(hs, HS_CERTIFICATE_VERIFY);
	if (!hs12_write_signature(hs, messages, out)) {
		return false;
	}
	forget_messages(hs);
	return hs_end(hs);
}

bool hs12_check_certificate_verify(struct engine_hs *hs, const struct hs_message *msg)
{
	struct rd messages;

	if (!messages_so_far(hs, &messages) || !hs12_check_signature(hs, msg->body, messages)) {
		return false;
	}
	forget_messages(hs);
	public_key_free(hs->peer_key);
	hs->peer_key = NULL;
	return true;
}

/* ---- renegotiation_info ---- */

/*
 * What the peer's renegotiation_info must hold while an established connection renegotiates. RFC
 * 5746 3.5, 3.7
 */
static bool proves_connection(const struct engine_hs *hs, struct rd proof)
{
	const struct engine_conn *conn = hs->conn;
	uint8_t room[2 * HS12_VERIFY_DATA_LEN];
	struct wr expected;

	wr_init(&expected, room, sizeof(room));
	wr_bytes(&expected, conn->client_verify_data, conn->verify_data_len);
	if (hs->role == ENGINE_CLIENT) {
		wr_bytes(&expected, conn->server_verify_data, conn->verify_data_len);
	}
	return !expected.failed && conn->verify_data_len != 0 && proof.left == expected.len &&
	       secret_equal(proof.p, room, expected.len);
}

bool hs12_judge_renegotiation_info(struct engine_hs *hs, const struct rd *body)
{
	struct rd proof = rd_of(NULL, 0);

	if (body != NULL) {
		struct rd in = *body;

		if (!rd_vec8(&in, &proof, 0, UINT8_MAX) || !rd_end(&in)) {
			return hs_fail(hs, ALERT_DECODE_ERROR, "malformed renegotiation_info");
		}
		hs->hs12.secure_renegotiation = true;
	}
	if (!hs->renegotiating) {
		return proof.left == 0 ||
		       hs_fail(hs, ALERT_HANDSHAKE_FAILURE,
			       "the peer takes a new connection for one that is renegotiated");
	}
	return (body != NULL && proves_connection(hs, proof)) ||
	       hs_fail(hs, ALERT_HANDSHAKE_FAILURE,
		       "the peer does not prove that it renegotiates this very connection");
}
