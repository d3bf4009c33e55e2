/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What options say together: what is missing in a rule, and what contradicts itself.
 */
#include "rule.h"

static void check_credentials(const struct policy_rule *rule, const struct diag *diag);
static void check_ocsp_responses(const struct policy_rule *rule, const struct diag *diag);
static void check_accept(const struct policy_rule *rule, const struct diag *diag);
static void check_unverified(const struct policy_rule *rule, const struct diag *diag);
static void check_versions(const struct policy_rule *rule, const struct diag *diag);
static void refuse_versions(const struct option *versions, const struct option *profile,
			    const struct diag *diag);

void options_check_rule(const struct policy_rule *rule, const struct diag *diag)
{
	if (!rule_is_wrapped(rule)) {
		for (size_t i = 0; i < N_OPTIONS; i++) {
			if (rule->own[i].at.line) {
				diag_error(diag, rule->own[i].at,
					   "'%s' has no meaning in a rule with action %s",
					   options_keyword(options_at(i)), rule_action_name(rule->action));
			}
		}
		return;
	}
	check_credentials(rule, diag);
	check_ocsp_responses(rule, diag);
	if (rule->direction == POLICY_ACCEPT) {
		check_accept(rule, diag);
	}
	check_unverified(rule, diag);
	check_versions(rule, diag);
}

void options_check_defaults(const struct policy *policy, const struct diag *diag)
{
	refuse_versions(&policy->defaults[OPTION_VERSIONS], &policy->defaults[OPTION_PROFILE], diag);
}

size_t options_certificate_before(const struct option *certificate, struct place at)
{
	size_t n = 0;

	for (const struct option_value *value = certificate->values; value; value = value->next) {
		if (value->at.line < at.line || (value->at.line == at.line && value->at.column < at.column)) {
			n++;
		}
	}
	return n > 0 ? n - 1 : 0;
}

/* As many keys as certificates: they are paired in the order in which they are given. */
static void check_credentials(const struct policy_rule *rule, const struct diag *diag)
{
	const struct option *certificate = rule_option(rule, OPTION_CERTIFICATE);
	const struct option *key = rule_option(rule, OPTION_KEY);

	if (certificate && !key) {
		diag_error(diag, certificate->at,
			   "'certificate' without 'key': expected the file of its private key");
	} else if (key && !certificate) {
		diag_error(diag, key->at,
			   "'key' without 'certificate': expected the file of its certificate");
	} else if (certificate && certificate->n_values != key->n_values) {
		diag_error(diag, certificate->n_values > key->n_values ? certificate->at : key->at,
			   "found %zu certificate%s and %zu key%s, expected a key for each certificate, in "
			   "the same order",
			   certificate->n_values, certificate->n_values == 1 ? "" : "s", key->n_values,
			   key->n_values == 1 ? "" : "s");
	}
	if (rule->direction == POLICY_ACCEPT && !certificate && !key) {
		diag_error(diag, rule->at, "an accept rule with action %s needs 'certificate' and 'key'",
			   rule_action_name(rule->action));
	}
}

/* Each is for the certificate before it, in the same block. */
static void check_ocsp_responses(const struct policy_rule *rule, const struct diag *diag)
{
	const struct option *certificate = rule_option(rule, OPTION_CERTIFICATE);
	const struct option *response = rule_option(rule, OPTION_OCSP_RESPONSE);
	struct place taken[OPTION_MAX_CERTIFICATES] = {{0, 0}};

	if (!response || !certificate) {
		return; /* what is missing has been told */
	}
	if (response == &rule->own[OPTION_OCSP_RESPONSE] && certificate != &rule->own[OPTION_CERTIFICATE]) {
		diag_error(diag, response->at,
			   "'ocsp-response' is for one certificate: expected 'certificate' and 'key' in the "
			   "same rule");
		return;
	}
	for (const struct option_value *value = response->values; value; value = value->next) {
		struct place *place = &taken[options_certificate_before(certificate, value->at)];

		if (place->line) {
			diag_error(diag, value->at,
				   "the certificate before this has its OCSP response in line %u already: "
				   "write each "
				   "'ocsp-response' behind its 'certificate'",
				   place->line);
			return;
		}
		*place = value->at;
	}
}

/* What an accept rule says about its clients must make sense together. */
static void check_accept(const struct policy_rule *rule, const struct diag *diag)
{
	long mode = rule_number(rule, OPTION_CLIENT_AUTH, ENGINE_CLIENT_AUTH_NONE);
	long verify = rule_number(rule, OPTION_VERIFY, ENGINE_VERIFY_FULL);
	const struct option *client_auth = rule_option(rule, OPTION_CLIENT_AUTH);
	const struct option *own_peers = &rule->own[OPTION_ALLOW_PEER], *own_pins = &rule->own[OPTION_PIN];

	if (mode != ENGINE_CLIENT_AUTH_NONE && verify != ENGINE_VERIFY_NONE &&
	    !rule_option(rule, OPTION_TRUST)) {
		bool is_own = rule->own[OPTION_CLIENT_AUTH].at.line != 0;

		diag_error(diag, is_own ? client_auth->at : rule->at,
			   "'client-auth %s' needs 'trust': which authorities may vouch for clients?",
			   client_auth->values->text);
	}
	if (own_peers->at.line && mode == ENGINE_CLIENT_AUTH_NONE) {
		diag_error(
			diag, own_peers->at,
			"'allow-peer' needs 'client-auth require': nobody is asked for a certificate, so any "
			"client would be let in");
	}
	if (own_pins->at.line && mode == ENGINE_CLIENT_AUTH_NONE) {
		diag_error(
			diag, own_pins->at,
			"'pin' needs 'client-auth require': nobody is asked for a certificate, so any client "
			"would be let in");
	}
	if (verify == ENGINE_VERIFY_NONE && mode != ENGINE_CLIENT_AUTH_NONE &&
	    rule_option(rule, OPTION_ALLOW_PEER)) {
		diag_error(diag, rule_option(rule, OPTION_VERIFY)->at,
			   "'verify none' contradicts 'allow-peer' in line %u: names in certificates that "
			   "nobody "
			   "verified prove nothing",
			   rule_option(rule, OPTION_ALLOW_PEER)->at.line);
	}
}

/* Nobody looks at revocation in certificates that nobody verifies. */
static void check_unverified(const struct policy_rule *rule, const struct diag *diag)
{
	static const enum option_id about_revocation[] = {OPTION_CRL, OPTION_REQUIRE_OCSP};
	const struct option *verify = rule_option(rule, OPTION_VERIFY);

	for (size_t i = 0; verify && verify->number == ENGINE_VERIFY_NONE &&
			   i < sizeof(about_revocation) / sizeof(about_revocation[0]);
	     i++) {
		const struct option *own = &rule->own[about_revocation[i]];

		if (own->at.line && (own->number || about_revocation[i] == OPTION_CRL)) {
			diag_error(diag, own->at,
				   "'%s' contradicts 'verify none' in line %u: what nobody verifies cannot "
				   "be revoked",
				   options_keyword(options_at(about_revocation[i])), verify->at.line);
		}
	}
}

static void check_versions(const struct policy_rule *rule, const struct diag *diag)
{
	const struct option *versions = rule_option(rule, OPTION_VERSIONS);
	const struct option *profile = rule_option(rule, OPTION_PROFILE);

	if (versions != &rule->own[OPTION_VERSIONS]) {
		return; /* judged with the default block, or not in force beside a profile of the rule's own */
	}
	if (versions->number >> 16 < ENGINE_TLS12 && !(profile && profile->number == ENGINE_PROFILE_LEGACY)) {
		diag_error(diag, versions->values->at,
			   "TLS 1.0 and 1.1 need 'profile legacy' in the same rule");
		return;
	}
	if (profile) {
		refuse_versions(versions, profile, diag);
	}
}

static void refuse_versions(const struct option *versions, const struct option *profile,
			    const struct diag *diag)
{
	if (versions->at.line && profile->at.line && profile->number == ENGINE_PROFILE_MODERN &&
	    versions->number >> 16 < ENGINE_TLS13) {
		diag_error(diag, versions->values->at,
			   "'versions %s' contradicts 'profile modern' in line %u, which is TLS 1.3 alone",
			   versions->values->text, profile->at.line);
	}
}
