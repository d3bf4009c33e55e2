/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's first look at a ClientHello: which version, for which name, for which protocol. Shared by all versions.
 */
#include <string.h>

#include "ext.h"
#include "hello.h"

/* TLS_FALLBACK_SCSV, RFC 7507 2 */
#define FALLBACK_SCSV 0x5600

/* ---- version ---- */

/* The newest version that the client offers, of those that ever were. RFC 8446 4.2.1 */
static uint16_t newest_offer(const struct client_hello *hello, struct rd versions)
{
	uint16_t newest = 0;
	uint16_t version;

	while (rd_u16(&versions, &version)) {
		if (version >= 0x0300 && version <= ENGINE_TLS13 && version > newest) {
			newest = version;
		}
	}
	if (newest == 0) {
		newest = hello->legacy_version < ENGINE_TLS12 ? hello->legacy_version : ENGINE_TLS12;
	}
	return newest;
}

/* The newest version of ours that the client offers; 0 if there is none. */
static uint16_t common_version(const struct engine_hs *hs, const struct client_hello *hello, bool has_list,
			       struct rd versions)
{
	const uint16_t min = hs->renegotiating ? hs->conn->version : hs->config->min_version;
	const uint16_t max = hs->renegotiating ? hs->conn->version : hs->config->max_version;

	for (uint16_t version = max; version >= min; version--) {
		/* without the list, legacy_version names the newest, and TLS 1.3 is out of reach: RFC 8446 D.2 */
		if (has_list ? rd_has_u16(versions, version)
			     : version < ENGINE_TLS13 && version <= hello->legacy_version) {
			return version;
		}
	}
	return 0;
}

static bool fail_version(struct engine_hs *hs, uint16_t newest)
{
	char text[ENGINE_REASON_MAX];
	struct wr out;

	wr_init(&out, (uint8_t *)text, sizeof(text) - 1);
	wr_text(&out, "the peer offers at most ");
	wr_text(&out, engine_version_name(newest));
	wr_text(&out, ", the policy wants ");
	hs_describe_versions(hs, &out);
	text[out.len] = '\0';
	return hs_fail(hs, ALERT_PROTOCOL_VERSION, text);
}

/* RFC 8446 4.2.1, D.2, D.5; RFC 7507 3 */
static bool choose_version(struct engine_hs *hs, const struct client_hello *hello,
			   const struct ext_block *block)
{
	const bool has_list = ext_has(block, EXT_SUPPORTED_VERSIONS);
	struct rd versions = rd_of(NULL, 0);

	if (has_list && !ext_parse_supported_versions(block->body[EXT_SUPPORTED_VERSIONS], &versions)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed supported_versions");
	}
	hs->offered_version = newest_offer(hello, versions);
	/* D.5: SSL 3.0 and what came before it must not be negotiated, nor hinted at */
	if (hello->legacy_version <= 0x0300) {
		return fail_version(hs, hello->legacy_version);
	}
	hs->version = common_version(hs, hello, has_list, versions);
	if (hs->version == 0) {
		return fail_version(hs, hs->offered_version);
	}
	if (rd_has_u16(hello->cipher_suites, FALLBACK_SCSV) && hs->offered_version < hs->config->max_version) {
		return hs_fail(hs, ALERT_INAPPROPRIATE_FALLBACK,
			       "the client fell back to an older version than it would need to");
	}
	if (hs->retried && hs->version != ENGINE_TLS13) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the second ClientHello takes TLS 1.3 back");
	}
	return true;
}

/* ---- names ---- */

/* A host name that may go to logs and into comparisons. */
static bool is_plain_name(struct rd host)
{
	uint8_t byte;

	while (rd_u8(&host, &byte)) {
		const bool is_alnum = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
				      (byte >= 'A' && byte <= 'Z');

		if (!is_alnum && byte != '-' && byte != '.' && byte != '_' && byte != ':') {
			return false;
		}
	}
	return true;
}

/* RFC 6066 3 */
static bool take_server_name(struct engine_hs *hs, const struct ext_block *block)
{
	struct rd host;
	bool is_repeated;

	if (!ext_has(block, EXT_SERVER_NAME)) {
		return true;
	}
	if (!ext_parse_server_name(block->body[EXT_SERVER_NAME], &host, &is_repeated)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed server_name");
	}
	if (is_repeated) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "a server_name with more than one host name");
	}
	if (rd_end(&host)) {
		return true;
	}
	if (host.left > HS_SERVER_NAME_MAX || !is_plain_name(host)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "a server_name that is no host name");
	}
	memcpy(hs->server_name, host.p, host.left);
	hs->server_name[host.left] = '\0';
	return true;
}

/* RFC 7301 3.2: our order decides. */
static bool choose_alpn(struct engine_hs *hs, const struct ext_block *block)
{
	const struct engine_config *config = hs->config;
	struct rd list;

	if (!ext_has(block, EXT_ALPN)) {
		return true;
	}
	if (!ext_parse_alpn(block->body[EXT_ALPN], &list)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed application_layer_protocol_negotiation");
	}
	for (size_t i = 0; i < config->n_alpn; i++) {
		const struct rd ours = rd_of((const uint8_t *)config->alpn[i], strlen(config->alpn[i]));
		struct rd walk = list;
		struct rd name;

		while (rd_vec8(&walk, &name, 1, UINT8_MAX)) {
			if (rd_equal(name, ours)) {
				memcpy(hs->alpn, ours.p, ours.left);
				hs->alpn_len = (uint8_t)ours.left;
				return true;
			}
		}
	}
	return config->n_alpn == 0 || hs_fail(hs, ALERT_NO_APPLICATION_PROTOCOL,
					      "no application protocol in common with the client");
}

/* ---- the rest ---- */

bool server_prefers_chacha(const struct client_hello *hello, uint16_t version)
{
	struct rd ids = hello->cipher_suites;
	uint16_t id;

	while (rd_u16(&ids, &id)) {
		const struct suite *suite = suite_find(id);

		if (suite != NULL && !suite->is_cbc &&
		    (suite->version == ENGINE_TLS13) == (version == ENGINE_TLS13)) {
			return suite->aead == CRYPTO_CHACHA20_POLY1305;
		}
	}
	return false;
}

bool server_on_client_hello(struct engine_hs *hs, const struct hs_message *msg, enum hs_state *next)
{
	struct client_hello hello;
	struct ext_block block;

	if (!hello_parse_client(msg->body, &hello)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed ClientHello");
	}
	if (!ext_parse(hs, EXT_IN_CLIENT_HELLO, hello.extensions, 0, &block) ||
	    !choose_version(hs, &hello, &block) || !take_server_name(hs, &block) || !choose_alpn(hs, &block)) {
		return false;
	}
	if (hs->version == ENGINE_TLS13) {
		return server13_on_client_hello(hs, msg, &hello, &block, next);
	}
	hs->rows = server12_rows;
	hs->n_rows = server12_n_rows;
	return server12_on_client_hello(hs, msg, &hello, &block, next);
}
