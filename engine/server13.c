/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server of TLS 1.3: its table, which is also the one that every server begins with, and its handlers.
 * RFC 8446 A.2
 *
 *   WAIT_CLIENT_HELLO --HelloRetryRequest sent--> WAIT_CLIENT_HELLO_AGAIN
 *          |                                              |
 *          +----------ServerHello...Finished sent---------+
 *                               v
 *   [WAIT_CLIENT_CERTIFICATE -> [WAIT_CLIENT_CERTIFICATE_VERIFY] ->] WAIT_CLIENT_FINISHED -> DONE
 *
 * Choices: suites in our order, which AES hardware on this side decides, but ChaCha20-Poly1305 for a client that puts
 * it before AES (it has no AES hardware). The first group of ours that the client sent a share for, then one that it
 * merely supports, by HelloRetryRequest. The first ticket that fits all of that is taken; early data is skipped.
 */
#include <string.h>

#include "cert.h"
#include "ext.h"
#include "hello.h"
#include "psk13.h"
#include "secret.h"

/* Early data that is skipped at most, RFC 8446 4.2.10. Servers allow 16 KiB as a rule. */
#define EARLY_DATA_SKIP 131072

static bool on_certificate(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_certificate_verify(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);
static bool on_finished(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next);

/* clang-format off */
const struct hs_row server13_rows[] = {
	{ HS_WAIT_CLIENT_HELLO, HS_CLIENT_HELLO, true, HS_MAX_CLIENT_HELLO, server_on_client_hello,
	  TO(HS_WAIT_CLIENT_HELLO_AGAIN) | TO(HS_WAIT_CLIENT_CERTIFICATE) | TO(HS_WAIT_CLIENT_FINISHED) |
	  TO(HS12_WAIT_CLIENT_CERTIFICATE) | TO(HS12_WAIT_CLIENT_KEY_EXCHANGE) | TO(HS12_WAIT_CLIENT_CCS) },
	{ HS_WAIT_CLIENT_HELLO_AGAIN, HS_CLIENT_HELLO, true, HS_MAX_CLIENT_HELLO, server_on_client_hello,
	  TO(HS_WAIT_CLIENT_CERTIFICATE) | TO(HS_WAIT_CLIENT_FINISHED) },
	{ HS_WAIT_CLIENT_CERTIFICATE, HS_CERTIFICATE, false, HS_MAX_CERTIFICATE, on_certificate,
	  TO(HS_WAIT_CLIENT_CERTIFICATE_VERIFY) | TO(HS_WAIT_CLIENT_FINISHED) },
	{ HS_WAIT_CLIENT_CERTIFICATE_VERIFY, HS_CERTIFICATE_VERIFY, false, HS_MAX_CERTIFICATE_VERIFY,
	  on_certificate_verify,
	  TO(HS_WAIT_CLIENT_FINISHED) },
	{ HS_WAIT_CLIENT_FINISHED, HS_FINISHED, true, HS_MAX_FINISHED, on_finished,
	  TO(HS_DONE) },
};
/* clang-format on */
const size_t server13_n_rows = sizeof(server13_rows) / sizeof(server13_rows[0]);

/* ---- judging a ClientHello ---- */

/* RFC 8446 4.1.2, 9.2 */
static bool judge_form(struct engine_hs *hs, const struct client_hello *hello, const struct ext_block *block)
{
	struct rd methods = hello->legacy_compression_methods;
	uint8_t method;

	if (!rd_u8(&methods, &method) || !rd_end(&methods) || method != 0) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "a ClientHello of TLS 1.3 that offers compression");
	}
	if (!psk13_judge_form(hs, block) || !ext_judge_unused(hs, block)) {
		return false;
	}
	/* sessions are resumed with a key exchange only */
	if (!ext_has(block, EXT_SUPPORTED_GROUPS) || !ext_has(block, EXT_KEY_SHARE)) {
		return hs_fail(hs, ALERT_MISSING_EXTENSION,
			       "a ClientHello without supported_groups or key_share");
	}
	if (!ext_has(block, EXT_SIGNATURE_ALGORITHMS) && !ext_has(block, EXT_PRE_SHARED_KEY)) {
		return hs_fail(hs, ALERT_MISSING_EXTENSION, "a ClientHello without signature_algorithms");
	}
	if (ext_has(block, EXT_STATUS_REQUEST) &&
	    !ext_parse_status_request(block->body[EXT_STATUS_REQUEST], &hs->status_wanted)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed status_request");
	}
	return true;
}

/* RFC 8446 4.1.2: what the second ClientHello may change. */
static bool judge_repetition(struct engine_hs *hs, const struct client_hello *hello,
			     const struct ext_block *block)
{
	uint8_t digest[CRYPTO_MAX_HASH_LEN];

	if (!hello_digest(hello, digest)) {
		return hs_fail_internal(hs, "digest");
	}
	if (!hs->retried) {
		memcpy(hs->hello_digest, digest, sizeof(digest));
		hs->psk_was_offered = ext_has(block, EXT_PRE_SHARED_KEY);
		hs->early_data_left = ext_has(block, EXT_EARLY_DATA) ? EARLY_DATA_SKIP : 0;
		return true;
	}
	if (!secret_equal(digest, hs->hello_digest, crypto_hash_len(CRYPTO_SHA256)) ||
	    (ext_has(block, EXT_PRE_SHARED_KEY) && !hs->psk_was_offered)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the second ClientHello differs from the first");
	}
	if (ext_has(block, EXT_EARLY_DATA)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the second ClientHello still offers early data");
	}
	hs->early_data_left = 0;
	return true;
}

static bool choose_suite(struct engine_hs *hs, const struct client_hello *hello)
{
	const struct suite *suites[SUITES_MAX];
	const size_t n = suites_preferred(&hs->config->algorithms, ENGINE_TLS13,
					  server_prefers_chacha(hello, ENGINE_TLS13), suites);

	for (size_t i = 0; i < n; i++) {
		if (rd_has_u16(hello->cipher_suites, suites[i]->id)) {
			hs->suite = suites[i];
			return true;
		}
	}
	return hs_fail(hs, ALERT_HANDSHAKE_FAILURE, "no cipher suite in common with the client");
}

/* Our certificate, which a resumed session does without. */
static bool choose_credential(struct engine_hs *hs, const struct ext_block *block)
{
	struct cert_wishes wishes;

	hs->credential = NULL;
	if (hs->session != NULL && !ext_has(block, EXT_SIGNATURE_ALGORITHMS)) {
		return true;
	}
	if (!cert_take_wishes(hs, block, &wishes)) {
		return false;
	}
	return hs->session != NULL || cert_choose(hs, &wishes, hs->server_name) ||
	       hs_fail(hs, ALERT_HANDSHAKE_FAILURE,
		       "no signature scheme in common with the client for our key");
}

/* ---- groups ---- */

/* What the client said on groups. */
struct shares {
	struct rd groups;
	const struct group *group; /* our choice */
	struct rd key_exchange;    /* the client's share of it; empty: none */
};

/* Where does a group stand in our preference? Low is better, GROUPS_MAX: nowhere. */
static size_t rank(const struct group *const *ours, size_t n, uint16_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (ours[i]->id == id) {
			return i;
		}
	}
	return GROUPS_MAX;
}

/* A set of all 65,536 groups: a peer may name thousands, and every one is looked at once. */
struct group_set {
	uint64_t bits[65536 / 64];
};

static void add_group(struct group_set *set, uint16_t id)
{
	set->bits[id / 64] |= UINT64_C(1) << (id % 64);
}

/* Take a group out; false if it was not in. */
static bool take_group(struct group_set *set, uint16_t id)
{
	const uint64_t bit = UINT64_C(1) << (id % 64);
	const bool was_in = (set->bits[id / 64] & bit) != 0;

	set->bits[id / 64] &= ~bit;
	return was_in;
}

/* RFC 8446 4.2.8: each share for a supported group, none twice. */
static bool walk_shares(struct engine_hs *hs, struct rd entries, struct shares *shares, size_t *n_shares)
{
	const struct group *ours[GROUPS_MAX];
	const size_t n = groups_preferred(&hs->config->algorithms, ENGINE_TLS13, ours);
	struct rd supported = shares->groups;
	size_t best = GROUPS_MAX;
	struct group_set open; /* supported, without a share so far */
	uint16_t id;

	memset(&open, 0, sizeof(open));
	while (rd_u16(&supported, &id)) {
		add_group(&open, id);
	}
	for (*n_shares = 0; !rd_end(&entries); ++*n_shares) {
		struct rd key_exchange;

		if (!ext_next_key_share(&entries, &id, &key_exchange)) {
			return hs_fail(hs, ALERT_DECODE_ERROR, "malformed key_share");
		}
		if (!take_group(&open, id)) {
			return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
				       "a key share twice, or for a group that is not in supported_groups");
		}
		if (rank(ours, n, id) < best) {
			best = rank(ours, n, id);
			shares->group = ours[best];
			shares->key_exchange = key_exchange;
		}
	}
	return true;
}

/* Choose the group; shares->key_exchange stays empty if a HelloRetryRequest has to ask for a share. */
static bool choose_group(struct engine_hs *hs, const struct ext_block *block, struct shares *shares)
{
	const struct group *ours[GROUPS_MAX];
	const size_t n = groups_preferred(&hs->config->algorithms, ENGINE_TLS13, ours);
	struct rd entries;
	size_t n_shares;

	*shares = (struct shares){.group = NULL};
	if (!ext_parse_u16_list(block->body[EXT_SUPPORTED_GROUPS], &shares->groups)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed supported_groups");
	}
	if (!ext_parse_key_shares(block->body[EXT_KEY_SHARE], &entries)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed key_share");
	}
	if (!walk_shares(hs, entries, shares, &n_shares)) {
		return false;
	}
	if (hs->retried && (n_shares != 1 || shares->group != hs->group)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the second ClientHello does not bring the share that was asked for");
	}
	for (size_t i = 0; i < n && shares->group == NULL; i++) {
		if (rd_has_u16(shares->groups, ours[i]->id)) {
			shares->group = ours[i];
		}
	}
	if (shares->group == NULL) {
		return hs_fail(hs, ALERT_HANDSHAKE_FAILURE, "no group in common with the client");
	}
	hs->group = shares->group;
	return true;
}

/* ---- our flights ---- */

/* What a ClientHello leads to, beside what is kept in hs. */
struct choices {
	struct shares shares;
	uint16_t identity; /* of the session that is resumed */
};

/* ServerHello up to its extensions; a HelloRetryRequest is one with a random of its own. */
static struct wr *begin_server_hello(struct engine_hs *hs, const uint8_t random[static HS_RANDOM_LEN])
{
	struct wr *out = hs_begin(hs, HS_SERVER_HELLO);
	size_t mark;

	wr_u16(out, RECORD_VERSION); /* legacy_version */
	wr_bytes(out, random, HS_RANDOM_LEN);
	mark = wr_open8(out); /* legacy_session_id_echo */
	wr_bytes(out, hs->session_id, hs->session_id_len);
	wr_close8(out, mark);
	wr_u16(out, hs->suite->id);
	wr_u8(out, 0); /* legacy_compression_method */
	return out;
}

static void build_selected_version(struct wr *out)
{
	const size_t ext = ext_begin(out, EXT_SUPPORTED_VERSIONS, NULL);

	wr_u16(out, ENGINE_TLS13);
	ext_end(out, ext);
}

/* The record of middlebox compatibility stands behind our first message. RFC 8446 D.4 */
static bool send_ccs_if_asked(struct engine_hs *hs)
{
	return hs->session_id_len == 0 || hs_send_ccs(hs);
}

/* RFC 8446 4.1.4 */
static bool send_hello_retry_request(struct engine_hs *hs)
{
	struct wr *out;
	size_t extensions;
	size_t ext;

	hs->retried = true;
	if (!hs_transcript_retry(hs)) {
		return false;
	}
	out = begin_server_hello(hs, hello_retry_request_random);
	extensions = wr_open16(out);
	build_selected_version(out);
	ext = ext_begin(out, EXT_KEY_SHARE, NULL);
	wr_u16(out, hs->group->id);
	ext_end(out, ext);
	wr_close16(out, extensions);
	return hs_end(hs) && hs_flush(hs) && send_ccs_if_asked(hs);
}

/* RFC 8446 4.1.3; the secret that the key schedule wants goes to shared. */
static bool send_server_hello(struct engine_hs *hs, const struct choices *choices, uint8_t *shared,
			      size_t *shared_len)
{
	uint8_t share[CRYPTO_MAX_SHARE_LEN];
	struct wr *out;
	size_t extensions;
	size_t ext;
	size_t mark;

	if (!engine_random(hs->random, sizeof(hs->random))) {
		return hs_fail_internal(hs, "random numbers");
	}
	if (!crypto_kex_answer(hs->group->group, choices->shares.key_exchange.p,
			       choices->shares.key_exchange.left, share, shared, shared_len)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the client's key share is no valid point");
	}
	out = begin_server_hello(hs, hs->random);
	extensions = wr_open16(out);
	build_selected_version(out);
	ext = ext_begin(out, EXT_KEY_SHARE, NULL);
	wr_u16(out, hs->group->id);
	mark = wr_open16(out);
	wr_bytes(out, share, crypto_group_answer_len(hs->group->group));
	wr_close16(out, mark);
	ext_end(out, ext);
	if (hs->resumed) {
		ext = ext_begin(out, EXT_PRE_SHARED_KEY, NULL);
		wr_u16(out, choices->identity);
		ext_end(out, ext);
	}
	wr_close16(out, extensions);
	return hs_end(hs) && hs_flush(hs) && send_ccs_if_asked(hs);
}

/* RFC 8446 4.3.1 */
static bool send_encrypted_extensions(struct engine_hs *hs)
{
	struct wr *out = hs_begin(hs, HS_ENCRYPTED_EXTENSIONS);
	const size_t extensions = wr_open16(out);

	if (hs->server_name[0] != '\0') {
		ext_end(out, ext_begin(out, EXT_SERVER_NAME, NULL));
	}
	if (hs->alpn_len != 0) {
		const size_t ext = ext_begin(out, EXT_ALPN, NULL);
		const size_t list = wr_open16(out);
		const size_t name = wr_open8(out);

		wr_bytes(out, hs->alpn, hs->alpn_len);
		wr_close8(out, name);
		wr_close16(out, list);
		ext_end(out, ext);
	}
	if (hs->send_limit != 0) {
		ext_build_record_size_limit(out, true, NULL);
	}
	wr_close16(out, extensions);
	return hs_end(hs);
}

static bool send_authentication(struct engine_hs *hs)
{
	if (hs->config->client_auth != ENGINE_CLIENT_AUTH_NONE && !cert_send_request(hs)) {
		return false;
	}
	return cert_send_certificate(hs) && cert_send_verify(hs);
}

/* From EncryptedExtensions to Finished; then we send under the application key. */
static bool send_protected_flight(struct engine_hs *hs)
{
	uint8_t hash[CRYPTO_MAX_HASH_LEN];

	if (!send_encrypted_extensions(hs)) {
		return false;
	}
	if (!hs->resumed && !send_authentication(hs)) {
		return false;
	}
	if (!hs_send_finished(hs) || !hs_flush(hs) || !hs_transcript_hash(hs, hash)) {
		return false;
	}
	if (!keysched13_derive_application(&hs->ks, hash)) {
		return hs_fail_internal(hs, "key schedule");
	}
	return hs_set_send_secret(hs, &hs->ks.server_application_traffic_secret);
}

/* ---- handlers ---- */

/* All choices that a ClientHello leads to. */
static bool negotiate(struct engine_hs *hs, const struct hs_message *msg, const struct client_hello *hello,
		      const struct ext_block *block, struct choices *choices)
{
	const struct suite *retried_with = hs->suite;

	if (!judge_form(hs, hello, block) || !ext_take_record_size_limit(hs, block) ||
	    !judge_repetition(hs, hello, block) || !choose_suite(hs, hello) ||
	    !choose_group(hs, block, &choices->shares) || !psk13_choose(hs, msg, block, &choices->identity) ||
	    !choose_credential(hs, block)) {
		return false;
	}
	return retried_with == NULL || retried_with == hs->suite || hs_fail_internal(hs, "cipher suite");
}

/* ServerHello and all that follows it. */
static bool answer(struct engine_hs *hs, const struct choices *choices)
{
	uint8_t shared[CRYPTO_MAX_SHARED_LEN];
	size_t shared_len = 0;
	bool ok;

	if (hs->session != NULL) {
		session_resume(hs);
	}
	ok = send_server_hello(hs, choices, shared, &shared_len) &&
	     hs_enter_handshake_keys(hs, shared, shared_len) && send_protected_flight(hs);
	secret_wipe(shared, sizeof(shared));
	return ok;
}

bool server13_on_client_hello(struct engine_hs *hs, const struct hs_message *msg,
			      const struct client_hello *hello, const struct ext_block *block,
			      enum hs_state *next)
{
	struct choices choices = {.identity = 0};
	struct rd session_id = hello->legacy_session_id;
	bool ok;

	if (!negotiate(hs, msg, hello, block, &choices)) {
		return false;
	}
	hs->session_id_len = session_id.left;
	if (!rd_copy(&session_id, hs->session_id, hs->session_id_len) ||
	    (!hs->retried && !hs_transcript_start(hs, hs->suite->hash)) ||
	    !hs_transcript_add(hs, msg->whole)) {
		return hs_fail_internal(hs, "ClientHello");
	}
	if (choices.shares.key_exchange.left == 0) {
		*next = HS_WAIT_CLIENT_HELLO_AGAIN;
		return send_hello_retry_request(hs);
	}
	ok = answer(hs, &choices);
	*next = hs->certificate_wanted ? HS_WAIT_CLIENT_CERTIFICATE : HS_WAIT_CLIENT_FINISHED;
	return ok;
}

static bool on_certificate(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	bool is_empty;

	if (!cert_check_certificate(hs, msg, &is_empty)) {
		return false;
	}
	/* RFC 8446 4.4.2.4 */
	if (is_empty && hs->config->client_auth == ENGINE_CLIENT_AUTH_REQUIRE) {
		return hs_fail(hs, ALERT_CERTIFICATE_REQUIRED,
			       "the client sent no certificate, the policy requires one");
	}
	*next = is_empty ? HS_WAIT_CLIENT_FINISHED : HS_WAIT_CLIENT_CERTIFICATE_VERIFY;
	return hs_transcript_add(hs, msg->whole);
}

static bool on_certificate_verify(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	*next = HS_WAIT_CLIENT_FINISHED;
	return cert_check_verify(hs, msg) && hs_transcript_add(hs, msg->whole);
}

static bool on_finished(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	if (!hs_check_finished(hs, msg) || !psk13_send_tickets(hs) ||
	    !hs_set_recv_secret(hs, &hs->ks.client_application_traffic_secret)) {
		return false;
	}
	hs_complete(hs);
	*next = HS_DONE;
	return true;
}
