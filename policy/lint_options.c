/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `tlshim check` finds in a rule's options alone: whatever weakens protection, and what has no effect.
 */
#include "lint.h"

static void lint_weaknesses(struct lint *lint, const struct policy_rule *rule);
static void lint_algorithms(struct lint *lint, const struct policy_rule *rule);
static void lint_names(struct lint *lint, const struct policy_rule *rule);
static void lint_sessions(struct lint *lint, const struct policy_rule *rule);
static void lint_clients(struct lint *lint, const struct policy_rule *rule);
static bool trusts_system(const struct policy_rule *rule);

void lint_options(struct lint *lint, const struct policy_rule *rule)
{
	lint_weaknesses(lint, rule);
	lint_algorithms(lint, rule);
	lint_names(lint, rule);
	if (lint->depth == POLICY_LINT_ALL) {
		lint_sessions(lint, rule);
		if (rule->direction == POLICY_ACCEPT) {
			lint_clients(lint, rule);
		}
	}
}

static void lint_weaknesses(struct lint *lint, const struct policy_rule *rule)
{
	const struct option *verify = rule_option(rule, OPTION_VERIFY);
	const struct option *truncation = rule_option(rule, OPTION_TRUNCATION);
	const struct option *own_trust = &rule->own[OPTION_TRUST];
	bool is_connect = rule->direction == POLICY_CONNECT;
	bool asks = is_connect ||
		    rule_number(rule, OPTION_CLIENT_AUTH, ENGINE_CLIENT_AUTH_NONE) != ENGINE_CLIENT_AUTH_NONE;

	if (verify && asks && verify->number == ENGINE_VERIFY_NONE) {
		if (!rule_option(rule, OPTION_PIN)) {
			lint_tell(lint, POLICY_WARNING, verify->at,
				  "verify none: the peer may be anyone, so this protects against listeners "
				  "only");
		}
		if (own_trust->at.line) {
			lint_tell(lint, POLICY_WARNING, own_trust->at,
				  "'trust' has no effect with 'verify none' in line %u", verify->at.line);
		}
	}
	if (verify && is_connect && verify->number == ENGINE_VERIFY_CHAIN && trusts_system(rule)) {
		lint_tell(lint, POLICY_WARNING, verify->at,
			  "verify chain with the system's authorities: whoever has a certificate of any name "
			  "is "
			  "accepted");
	}
	if (truncation && truncation->number == 0) {
		lint_tell(lint, POLICY_NOTE, truncation->at,
			  "truncation ignore: an attacker can cut off the end of what the peer sends");
	}
}

/* Old versions and algorithms are asked for rule by rule, and told each time. */
static void lint_algorithms(struct lint *lint, const struct policy_rule *rule)
{
	const struct option *versions = rule_option(rule, OPTION_VERSIONS);
	const struct option *padding = &rule->own[OPTION_PADDING];

	if (rule_profile(rule) == ENGINE_PROFILE_LEGACY) {
		lint_tell(lint, POLICY_WARNING, rule_option(rule, OPTION_PROFILE)->at,
			  "profile legacy: allows key exchange without forward secrecy (RSA), DHE, CBC "
			  "suites and "
			  "renegotiation%s, for peers that can do no better",
			  rule->direction == POLICY_ACCEPT && !rule_option(rule, OPTION_SIGNATURE_ALGORITHMS)
				  ? ", and signing with SHA-1"
				  : "");
	}
	if (versions && versions->number >> 16 < ENGINE_TLS12) {
		lint_tell(lint, POLICY_WARNING, versions->at,
			  "versions %s: TLS 1.0 and 1.1 rest on MD5 and SHA-1 and MUST NOT be used (RFC "
			  "8996); update the "
			  "peer, and until then trust this connection with nothing that matters",
			  versions->values->text);
	}
	if (padding->number && versions && (versions->number & 0xffff) < ENGINE_TLS13) {
		lint_tell(lint, POLICY_WARNING, padding->at, "'padding' has no effect without TLS 1.3");
	}
}

/* How servers may prove who they are. */
static void lint_names(struct lint *lint, const struct policy_rule *rule)
{
	const struct option *common_name = rule_option(rule, OPTION_COMMON_NAME);
	const struct option *pin = rule_option(rule, OPTION_PIN);

	if (common_name && common_name->number && policy_rule_verify(rule) == ENGINE_VERIFY_FULL) {
		lint_tell(
			lint, POLICY_WARNING, common_name->at,
			"common-name allow: certificates without names are taken by their common name, which "
			"authorities need not check (RFC 9525)");
	} else if (rule->own[OPTION_COMMON_NAME].number) {
		lint_tell(lint, POLICY_WARNING, common_name->at,
			  "'common-name' has no effect: names are not verified");
	}
	if (pin && pin->n_values == 1 && lint->depth == POLICY_LINT_ALL) {
		lint_tell(lint, POLICY_NOTE, pin->at,
			  "one pin alone: the peer cannot change its key without being refused; add the pin "
			  "of its "
			  "next key");
	}
}

static void lint_sessions(struct lint *lint, const struct policy_rule *rule)
{
	static const enum option_id idle[] = {OPTION_SESSION_LIFETIME, OPTION_TICKET_KEYS};

	for (size_t i = 0; !rule_keeps_sessions(rule) && i < sizeof(idle) / sizeof(idle[0]); i++) {
		if (rule->own[idle[i]].at.line) {
			lint_tell(lint, POLICY_WARNING, rule->own[idle[i]].at,
				  "'%s' has no effect with 'session-cache off' in line %u",
				  options_keyword(options_at(idle[i])),
				  rule_option(rule, OPTION_SESSION_CACHE)->at.line);
		}
	}
}

static void lint_clients(struct lint *lint, const struct policy_rule *rule)
{
	long mode = rule_number(rule, OPTION_CLIENT_AUTH, ENGINE_CLIENT_AUTH_NONE);
	static const enum option_id idle[] = {OPTION_TRUST, OPTION_VERIFY, OPTION_CRL};
	static const enum option_id naming[] = {OPTION_ALLOW_PEER, OPTION_PIN};
	const struct option *peers = rule_option(rule, OPTION_ALLOW_PEER),
			    *pins = rule_option(rule, OPTION_PIN);

	if (mode == ENGINE_CLIENT_AUTH_NONE) {
		for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++) {
			if (rule->own[idle[i]].at.line) {
				lint_tell(
					lint, POLICY_WARNING, rule->own[idle[i]].at,
					"'%s' has no effect: without 'client-auth' no client is asked for a "
					"certificate",
					options_keyword(options_at(idle[i])));
			}
		}
	} else if (mode == ENGINE_CLIENT_AUTH_REQUEST) {
		for (size_t i = 0; i < sizeof(naming) / sizeof(naming[0]); i++) {
			const struct option *option = rule_option(rule, naming[i]);

			if (option) {
				lint_tell(lint, POLICY_WARNING, option->at,
					  "'%s' with 'client-auth request': clients without a certificate "
					  "are let in",
					  options_keyword(options_at(naming[i])));
			}
		}
	} else if (mode == ENGINE_CLIENT_AUTH_REQUIRE && !peers && !pins && trusts_system(rule) &&
		   policy_rule_verify(rule) != ENGINE_VERIFY_NONE) {
		lint_tell(lint, POLICY_WARNING, rule_option(rule, OPTION_TRUST)->at,
			  "client certificates of any public authority are accepted: name the clients with "
			  "'allow-peer', "
			  "or trust an authority of your own");
	}
}

/* Does the rule verify against the system's authorities? */
static bool trusts_system(const struct policy_rule *rule)
{
	const struct option *trust = rule_option(rule, OPTION_TRUST);

	for (const struct option_value *value = trust ? trust->values : NULL; value; value = value->next) {
		if (!value->path) {
			return true;
		}
	}
	return !trust && rule->direction == POLICY_CONNECT;
}
