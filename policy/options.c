/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of a policy: ONE table says which there are, where each may stand and what values it takes.
 */
#include "options.h"

#include <string.h>

#include "options_values.h"

struct option_spec {
	const char *keyword;
	unsigned where;
	unsigned max_values;
	bool repeatable;
	option_parser *parse;
	const char *syntax;
	const char *help;
};

#define ALL        (OPTION_IN_RULES | OPTION_IN_DEFAULT)
#define ON_CONNECT (OPTION_IN_CONNECT | OPTION_IN_DEFAULT)
#define ON_ACCEPT  (OPTION_IN_ACCEPT | OPTION_IN_DEFAULT)

/* clang-format off */
static const struct option_spec table[N_OPTIONS] = {
	[OPTION_ALLOW_PEER] = { "allow-peer", ON_ACCEPT, 16, true, option_parse_peers,
		"NAME...", "client certificates must carry one of these DNS names or URIs" },
	[OPTION_ALPN] = { "alpn", ALL, 8, false, option_parse_alpn,
		"PROTOCOL...", "application protocols to offer or choose from, best first" },
	[OPTION_CERTIFICATE] = { "certificate", ALL, OPTION_MAX_CERTIFICATES, true, option_parse_files,
		"FILE...", "our certificate chain in PEM, leaf first; several for several names or kinds of key" },
	[OPTION_CLIENT_AUTH] = { "client-auth", ON_ACCEPT, 1, false, option_parse_client_auth,
		"none|request|require", "whether clients are asked for a certificate" },
	[OPTION_COMMON_NAME] = { "common-name", ON_CONNECT, 1, false, option_parse_common_name,
		"allow|refuse", "whether a common name may stand in for a missing subjectAltName" },
	[OPTION_CRL] = { "crl", ALL, OPTION_MAX_VALUES, true, option_parse_files,
		"FILE...", "revocation lists in PEM or DER: with one, every issuer of the peer's needs one" },
	[OPTION_GROUPS] = { "groups", ALL, 16, true, option_parse_groups,
		"GROUP...", "groups for the key exchange, best first" },
	[OPTION_HANDSHAKE_TIMEOUT] = { "handshake-timeout", ALL, 1, false, option_parse_timeout,
		"SECONDS|none", "how long a handshake may take, 1 to 3600 seconds" },
	[OPTION_KEY] = { "key", ALL, OPTION_MAX_CERTIFICATES, true, option_parse_files,
		"FILE...", "the private key of each certificate, in the same order, in PEM, unencrypted" },
	[OPTION_OCSP_RESPONSE] = { "ocsp-response", ON_ACCEPT, OPTION_MAX_CERTIFICATES, true, option_parse_files,
		"FILE", "an OCSP response in DER to staple to the certificate before it" },
	[OPTION_PADDING] = { "padding", ALL, 1, false, option_parse_padding,
		"BYTES|none", "pad records of TLS 1.3 to a multiple of so many bytes" },
	[OPTION_PIN] = { "pin", ALL, OPTION_MAX_PINS, true, option_parse_pins,
		"sha256/BASE64...", "public keys, one of which the peer's chain must hold" },
	[OPTION_PROFILE] = { "profile", ALL, 1, false, option_parse_profile,
		"modern|default|legacy", "a set of versions and algorithms" },
	[OPTION_REQUIRE_OCSP] = { "require-ocsp", ON_CONNECT, 1, false, option_parse_require_ocsp,
		"yes|no", "whether servers must staple an OCSP response" },
	[OPTION_SERVER_NAME] = { "server-name", ON_CONNECT, 1, false, option_parse_server_name,
		"NAME", "the name to ask for and to verify, whatever the program looked up" },
	[OPTION_SESSION_CACHE] = { "session-cache", ALL, 1, false, option_parse_session_cache,
		"on|off|SIZE", "whether connections are resumed; SIZE, in the default block, is how many sessions are kept" },
	[OPTION_SESSION_LIFETIME] = { "session-lifetime", ALL, 1, false, option_parse_session_lifetime,
		"SECONDS", "how long a session may be resumed, 1 to 604800 seconds" },
	[OPTION_SIGNATURE_ALGORITHMS] = { "signature-algorithms", ALL, 16, true, option_parse_schemes,
		"SCHEME...", "signature schemes, best first" },
	[OPTION_SUITES] = { "suites", ALL, OPTION_MAX_VALUES, true, option_parse_suites,
		"SUITE...", "cipher suites, best first" },
	[OPTION_TICKET_KEYS] = { "ticket-keys", ON_ACCEPT, ENGINE_TICKET_KEYS, false, option_parse_files,
		"FILE...", "keys for session tickets: the first seals, all open" },
	[OPTION_TRUNCATION] = { "truncation", ALL, 1, false, option_parse_truncation,
		"error|ignore", "what the end of a connection without close_notify is" },
	[OPTION_TRUST] = { "trust", ALL, OPTION_MAX_VALUES, true, option_parse_trust,
		"system|FILE|DIRECTORY...", "certificate authorities that peers are verified against" },
	[OPTION_VERIFY] = { "verify", ALL, 1, false, option_parse_verify,
		"full|chain|none", "how much of the peer's certificate is verified" },
	[OPTION_VERSIONS] = { "versions", ALL, 1, false, option_parse_versions,
		"LOWEST-HIGHEST", "TLS versions to speak" },
};
/* clang-format on */

const struct option_spec *options_find(const char *keyword)
{
	size_t low = 0, high = N_OPTIONS;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(keyword, table[middle].keyword);

		if (order == 0) {
			return &table[middle];
		}
		if (order < 0) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	return NULL;
}

const struct option_spec *options_at(size_t i)
{
	return i < N_OPTIONS ? &table[i] : NULL;
}

const char *options_keyword(const struct option_spec *spec)
{
	return spec->keyword;
}

const char *options_syntax(const struct option_spec *spec)
{
	return spec->syntax;
}

const char *options_help(const struct option_spec *spec)
{
	return spec->help;
}

bool options_may_stand(enum option_id id, unsigned where)
{
	return (table[id].where & where) != 0;
}

void options_give(const struct option_block *block, const struct option_spec *spec, struct place at,
		  struct option_value *values, size_t n_values)
{
	const struct diag *diag = block->diag;
	struct option *slot = &block->options[spec - table];
	struct option_value **end = &slot->values;
	struct option given = {.at = at, .values = values, .n_values = n_values};

	if (!(spec->where & block->where)) {
		bool in_accept = spec->where & OPTION_IN_ACCEPT;

		diag_error(diag, at, "'%s' is for %s rules only, and this is %s rule", spec->keyword,
			   in_accept ? "accept" : "connect", in_accept ? "a connect" : "an accept");
		return;
	}
	if (slot->at.line && !spec->repeatable) {
		diag_error(diag, at, "'%s' is given twice; it was first given in line %u, column %u",
			   spec->keyword, slot->at.line, slot->at.column);
		return;
	}
	if (n_values == 0) {
		diag_error(diag, at, "'%s' needs a value: expected %s %s", spec->keyword, spec->keyword,
			   spec->syntax);
		return;
	}
	if (n_values + slot->n_values > spec->max_values) {
		diag_error(diag, at, "'%s' takes at most %u value%s, found %zu", spec->keyword,
			   spec->max_values, spec->max_values == 1 ? "" : "s", n_values + slot->n_values);
		return;
	}
	if (!spec->parse(block, &given)) {
		return;
	}
	while (*end) {
		end = &(*end)->next;
	}
	*end = given.values;
	slot->n_values += n_values;
	slot->number = given.number;
	if (slot->at.line == 0) {
		slot->at = at;
	}
}
