/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's ClientHello, and the ServerHello that chooses among what it offers: shared by all versions.
 */
#include <string.h>

#include "client12.h"
#include "ext.h"
#include "hello.h"
#include "psk13.h"
#include "secret.h"

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

/* The oldest and the newest version that we speak here; a renegotiation keeps the version that there is. */
static uint16_t min_version(const struct engine_hs *hs)
{
	return hs->renegotiating ? hs->conn->version : hs->config->min_version;
}

static uint16_t max_version(const struct engine_hs *hs)
{
	return hs->renegotiating ? hs->conn->version : hs->config->max_version;
}

static bool offers_tls13(const struct engine_hs *hs)
{
	return max_version(hs) == ENGINE_TLS13;
}

/* The newest of the versions that are negotiated by legacy_version. */
static uint16_t max_old_version(const struct engine_hs *hs)
{
	return offers_tls13(hs) ? ENGINE_TLS12 : max_version(hs);
}

static bool offers_old(const struct engine_hs *hs)
{
	return min_version(hs) < ENGINE_TLS13;
}

/* ECDHE needs a group of ours; for DHE, a server's own group will do. */
static bool has_group_for(const struct engine_hs *hs, enum suite_kx kx)
{
	const struct group *groups[GROUPS_MAX];
	const size_t n = groups_preferred(&hs->config->algorithms, ENGINE_TLS12, groups);

	for (size_t i = 0; i < n; i++) {
		if (!groups[i]->is_ffdhe) {
			return true;
		}
	}
	return kx != KX_ECDHE;
}

bool client_offers_suite(const struct engine_hs *hs, const struct suite *suite)
{
	return offers_old(hs) && suite->version != ENGINE_TLS13 && suite->min_version <= max_old_version(hs) &&
	       suite_is_allowed(&hs->config->algorithms, suite->id) && has_group_for(hs, suite->kx);
}

/* Is there a suite of TLS 1.2 or older in our offer with this key exchange? */
static bool offers_kx(const struct engine_hs *hs, enum suite_kx kx)
{
	const struct algorithms *algorithms = &hs->config->algorithms;

	for (size_t i = 0; i < algorithms->n_suites; i++) {
		const struct suite *suite = suite_find(algorithms->suites[i]);

		if (suite->kx == kx && client_offers_suite(hs, suite)) {
			return true;
		}
	}
	return false;
}

static bool offers_cbc(const struct engine_hs *hs)
{
	const struct algorithms *algorithms = &hs->config->algorithms;

	for (size_t i = 0; i < algorithms->n_suites; i++) {
		const struct suite *suite = suite_find(algorithms->suites[i]);

		if (suite->is_cbc && client_offers_suite(hs, suite)) {
			return true;
		}
	}
	return false;
}

/* Groups of the key exchanges that we offer; in TLS 1.3 any goes. RFC 8422 5.1, RFC 7919 3 */
static void build_supported_groups(struct engine_hs *hs, struct wr *out)
{
	const bool with_curves = offers_tls13(hs) || offers_kx(hs, KX_ECDHE);
	const bool with_ffdhe = offers_tls13(hs) || offers_kx(hs, KX_DHE);
	const struct group *groups[GROUPS_MAX];
	const size_t n = groups_preferred(&hs->config->algorithms, max_version(hs), groups);
	size_t ext;
	size_t list;
	size_t n_used = 0;

	for (size_t i = 0; i < n; i++) {
		if (groups[i]->is_ffdhe ? with_ffdhe : with_curves) {
			groups[n_used++] = groups[i];
		}
	}
	if (n_used == 0) {
		return;
	}
	ext = ext_begin(out, EXT_SUPPORTED_GROUPS, &hs->offered);
	list = wr_open16(out);
	for (size_t i = 0; i < n_used; i++) {
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

	for (uint16_t version = max_version(hs); version >= min_version(hs); version--) {
		wr_u16(out, version);
	}
	wr_close8(out, list);
	ext_end(out, ext);
}

static void build_key_share(struct engine_hs *hs, struct wr *out)
{
	const size_t ext = ext_begin(out, EXT_KEY_SHARE, &hs->offered);
	const size_t list = wr_open16(out);

	for (size_t i = 0; i < HS_MAX_SHARES && hs->shares[i].group != NULL; i++) {
		const struct hs_share *share = &hs->shares[i];
		size_t bytes;

		wr_u16(out, share->group->id);
		bytes = wr_open16(out);
		wr_bytes(out, share->bytes.data, share->bytes.len);
		wr_close16(out, bytes);
	}
	wr_close16(out, list);
	ext_end(out, ext);
}

/* An extension without content. */
static void build_empty(struct engine_hs *hs, struct wr *out, enum ext_index index)
{
	ext_end(out, ext_begin(out, index, &hs->offered));
}

/* Uncompressed points are all that there is. RFC 8422 5.1.2 */
static void build_ec_point_formats(struct engine_hs *hs, struct wr *out)
{
	const size_t ext = ext_begin(out, EXT_EC_POINT_FORMATS, &hs->offered);

	wr_u8(out, 1);
	wr_u8(out, 0);
	ext_end(out, ext);
}

/* RFC 5746 3.4, 3.5 */
static void build_renegotiation_info(struct engine_hs *hs, struct wr *out)
{
	const size_t ext = ext_begin(out, EXT_RENEGOTIATION_INFO, &hs->offered);
	const size_t list = wr_open8(out);

	if (hs->renegotiating) {
		wr_bytes(out, hs->conn->client_verify_data, hs->conn->verify_data_len);
	}
	wr_close8(out, list);
	ext_end(out, ext);
}

/* OCSP, any responder, no extensions. RFC 6066 8 */
static void build_status_request(struct engine_hs *hs, struct wr *out)
{
	const size_t ext = ext_begin(out, EXT_STATUS_REQUEST, &hs->offered);

	wr_u8(out, 1); /* ocsp */
	wr_u16(out, 0);
	wr_u16(out, 0);
	ext_end(out, ext);
}

/* What only TLS 1.2 and older look at. */
static void build_old_extensions(struct engine_hs *hs, struct wr *out)
{
	if (offers_kx(hs, KX_ECDHE)) {
		build_ec_point_formats(hs, out);
	}
	build_empty(hs, out, EXT_EXTENDED_MASTER_SECRET);
	client12_build_session_ticket(hs, out);
	build_renegotiation_info(hs, out);
	if (offers_cbc(hs)) {
		build_empty(hs, out, EXT_ENCRYPT_THEN_MAC);
	}
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

static void build_cipher_suites(struct engine_hs *hs, struct wr *out)
{
	const size_t mark = wr_open16(out);
	const struct suite *suites[SUITES_MAX];

	if (offers_tls13(hs)) {
		const size_t n = suites_preferred(&hs->config->algorithms, ENGINE_TLS13, false, suites);

		for (size_t i = 0; i < n; i++) {
			wr_u16(out, suites[i]->id);
		}
	}
	if (offers_old(hs)) {
		const size_t n =
			suites_preferred(&hs->config->algorithms, max_old_version(hs), false, suites);

		for (size_t i = 0; i < n; i++) {
			if (client_offers_suite(hs, suites[i])) {
				wr_u16(out, suites[i]->id);
			}
		}
	}
	wr_close16(out, mark);
}

static void build_extensions(struct engine_hs *hs, struct wr *out)
{
	hs->offered = 0;
	build_server_name(hs, out);
	build_supported_groups(hs, out);
	if (max_version(hs) >= ENGINE_TLS12) {
		ext_build_signature_algorithms(out, &hs->config->algorithms, &hs->offered);
	}
	build_alpn(hs, out);
	build_status_request(hs, out);
	ext_build_record_size_limit(out, offers_tls13(hs), &hs->offered);
	if (offers_old(hs)) {
		build_old_extensions(hs, out);
	}
	if (offers_tls13(hs)) {
		build_supported_versions(hs, out);
		build_key_share(hs, out);
		build_cookie(hs, out);
		psk13_build_modes(hs, out);
		psk13_build_offer(hs, out);
	}
}

/*
 * RFC 8446 4.1.2. The second one differs from the first in key_share, cookie and pre_shared_key alone, since
 * everything else comes from what does not change in between.
 */
bool client_send_hello(struct engine_hs *hs)
{
	struct wr *out = hs_begin(hs, HS_CLIENT_HELLO);
	size_t mark;

	wr_u16(out, max_old_version(hs)); /* legacy_version */
	wr_bytes(out, hs->random, sizeof(hs->random));
	mark = wr_open8(out); /* legacy_session_id */
	wr_bytes(out, hs->session_id, hs->session_id_len);
	wr_close8(out, mark);
	build_cipher_suites(hs, out);
	wr_u8(out, 1); /* legacy_compression_methods: null */
	wr_u8(out, 0);
	mark = wr_open16(out);
	build_extensions(hs, out);
	wr_close16(out, mark);
	return psk13_end_hello(hs) && hs_flush(hs);
}

static bool add_share(struct engine_hs *hs, struct hs_share *share, const struct group *group)
{
	uint8_t *bytes = wr_room(&share->bytes, CRYPTO_MAX_SHARE_LEN);

	if (bytes == NULL) {
		return hs_fail_internal(hs, "key share");
	}
	share->group = group;
	share->kex = crypto_kex_begin(group->group, bytes);
	wr_unroom(&share->bytes, CRYPTO_MAX_SHARE_LEN - crypto_group_share_len(group->group));
	return share->kex != NULL || hs_fail_internal(hs, "key share");
}

void hs_shares_free(struct engine_hs *hs)
{
	for (size_t i = 0; i < HS_MAX_SHARES; i++) {
		crypto_kex_free(hs->shares[i].kex);
		wr_free(&hs->shares[i].bytes);
		hs->shares[i].kex = NULL;
		hs->shares[i].group = NULL;
	}
}

bool client_new_shares(struct engine_hs *hs, const struct group *group)
{
	const struct group *groups[GROUPS_MAX];
	const size_t n = groups_preferred(&hs->config->algorithms, ENGINE_TLS12, groups);

	hs_shares_free(hs);
	if (group == NULL) {
		return true;
	}
	if (!add_share(hs, &hs->shares[0], group)) {
		return false;
	}
	/* a server that does not know the KEM yet is answered without another round trip; not when it asked for it */
	if (!group->tls13_only || hs->retried) {
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		if (!groups[i]->is_ffdhe) {
			return add_share(hs, &hs->shares[1], groups[i]);
		}
	}
	return true;
}

bool client_start(struct engine_hs *hs, const struct group *group)
{
	/* a session id that is not empty switches middlebox compatibility on, RFC 8446 D.4 */
	hs->session_id_len = offers_tls13(hs) ? HS_SESSION_ID_MAX : 0;
	hs->offered_version = max_version(hs);
	if (!engine_random(hs->random, sizeof(hs->random)) ||
	    !engine_random(hs->session_id, hs->session_id_len)) {
		return hs_fail_internal(hs, "random numbers");
	}
	if (offers_tls13(hs)) {
		psk13_load(hs);
	}
	if (offers_old(hs) && !client12_offer_session(hs)) {
		return false;
	}
	return (!offers_tls13(hs) || client_new_shares(hs, group)) && client_send_hello(hs);
}

/* ---- ServerHello ---- */

/* "the policy wants TLS 1.2 to TLS 1.3" */
static bool fail_version(struct engine_hs *hs, uint16_t chosen)
{
	char text[ENGINE_REASON_MAX];
	struct wr out;

	wr_init(&out, (uint8_t *)text, sizeof(text) - 1);
	wr_text(&out, "the policy wants ");
	hs_describe_versions(hs, &out);
	wr_text(&out, ", the peer chose ");
	wr_text(&out, engine_version_name(chosen));
	text[out.len] = '\0';
	return hs_fail(hs, ALERT_PROTOCOL_VERSION, text);
}

/* The version that a ServerHello chooses. RFC 8446 4.1.3, 4.2.1, D.1 */
static bool choose_version(struct engine_hs *hs, const struct server_hello *hello, uint16_t *version)
{
	/* RFC 8446 4.1.4: what the HelloRetryRequest chose stays chosen */
	if (hs->retried && !hello->has_supported_versions && !hello->is_retry) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server changed the version behind its HelloRetryRequest");
	}
	/* RFC 8446 D.5 */
	if (hello->legacy_version <= 0x0300) {
		return fail_version(hs, hello->legacy_version);
	}
	if (offers_tls13(hs) && (hello->has_supported_versions || hello->is_retry)) {
		*version = ENGINE_TLS13;
		return true;
	}
	*version = hello->legacy_version;
	if (hello_has_downgrade_sentinel(hello) && hs->offered_version > *version &&
	    hs->offered_version >= ENGINE_TLS12) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server was made to choose an old version though it speaks a newer one");
	}
	/* an answer of TLS 1.3 comes with supported_versions; a number above what was offered is no answer at all */
	if (*version > max_old_version(hs) || *version < min_version(hs)) {
		return fail_version(hs, *version);
	}
	return true;
}

bool client_on_server_hello(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	struct server_hello hello;
	uint16_t version = 0;

	if (!hello_parse_server(msg->body, &hello)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed ServerHello");
	}
	if (!choose_version(hs, &hello, &version)) {
		return false;
	}
	hs->version = version;
	if (version == ENGINE_TLS13) {
		return client13_on_server_hello(hs, msg, &hello, next);
	}
	hs->rows = client12_rows;
	hs->n_rows = client12_n_rows;
	return client12_on_server_hello(hs, msg, &hello, next);
}

/* RFC 7301 3.1, 3.2: one protocol, and one that we offered. */
bool client_judge_alpn(struct engine_hs *hs, struct rd body)
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

