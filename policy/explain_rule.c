/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `tlshim explain`: what a rule that has won asks for.
 */
#include "explain.h"

static void explain_connect(const struct policy_rule *rule, const char *asked, const char *host, FILE *out);
static void explain_accept(const struct policy_rule *rule, FILE *out);
static void explain_verification(const struct policy_rule *rule, FILE *out);
static void explain_algorithms(const struct policy_rule *rule, FILE *out);
static void explain_common(const struct policy_rule *rule, FILE *out);
static void print_values(const struct policy_rule *rule, enum option_id id, const char *title, FILE *out);

void explain_outcome(const struct policy_rule *rule, const char *name, const char *host, FILE *out)
{
	(void)fprintf(out, "\nResult: %s%s%s", rule_action_name(rule->action), rule->protocol ? " " : "",
		      rule->protocol ? rule->protocol : "");
	if (rule->action == POLICY_DENY) {
		(void)fprintf(out, ": %s\n",
			      rule->direction == POLICY_CONNECT
				      ? "connect() fails with EACCES"
				      : "the connection is closed before the program sees a byte");
		return;
	}
	if (rule->action == POLICY_PLAIN) {
		(void)fprintf(out, ": tlshim does not touch the connection\n");
		return;
	}
	(void)fputc('\n', out);
	if (rule_unavailable(rule)) {
		(void)fprintf(out, "    ERROR: %s\n", rule_unavailable(rule));
	}
	if (rule->direction == POLICY_CONNECT) {
		explain_connect(rule, name, host, out);
	} else {
		explain_accept(rule, out);
	}
	explain_common(rule, out);
}

/* Who the server must prove to be. */
static void explain_connect(const struct policy_rule *rule, const char *asked, const char *host, FILE *out)
{
	const char *server_name = policy_rule_server_name(rule);
	const char *name = server_name ? server_name : asked;
	enum engine_verify verify = policy_rule_verify(rule);

	if (verify == ENGINE_VERIFY_FULL && name) {
		(void)fprintf(out,
			      "    verify         full: the server's certificate must be valid, lead to the "
			      "trust below\n"
			      "                   and carry the name %s (%s)\n",
			      name,
			      server_name ? "server-name of the rule"
					  : "the name that the program looked up");
	} else if (verify == ENGINE_VERIFY_FULL) {
		(void)fprintf(out,
			      "    verify         full: the server's certificate must be valid, lead to the "
			      "trust below\n"
			      "                   and carry the name that the program looked up; when none "
			      "is known (an\n"
			      "                   address literal), the address %s itself, else the "
			      "connection fails\n",
			      host);
	} else if (verify == ENGINE_VERIFY_CHAIN) {
		(void)fprintf(out, "    verify         chain: the server's certificate must be valid and "
				   "lead to the trust\n"
				   "                   below; its name is NOT verified\n");
	} else {
		(void)fprintf(out, "    verify         none: the server may be ANYONE%s\n",
			      rule_option(rule, OPTION_PIN) ? " with the key below" : "");
	}
	explain_verification(rule, out);
	if (rule_option(rule, OPTION_CERTIFICATE)) {
		print_values(rule, OPTION_CERTIFICATE, "certificate", out);
		print_values(rule, OPTION_KEY, "key", out);
	}
}

/* Who we prove to be, and what clients must show. */
static void explain_accept(const struct policy_rule *rule, FILE *out)
{
	static const char *const modes[] = {
		[ENGINE_CLIENT_AUTH_NONE] = "none: clients are not asked for a certificate",
		[ENGINE_CLIENT_AUTH_REQUEST] =
			"request: a certificate that a client shows must be valid; none is fine too",
		[ENGINE_CLIENT_AUTH_REQUIRE] = "require: clients without a valid certificate are refused",
	};
	long mode = rule_number(rule, OPTION_CLIENT_AUTH, ENGINE_CLIENT_AUTH_NONE);

	print_values(rule, OPTION_CERTIFICATE, "certificate", out);
	print_values(rule, OPTION_KEY, "key", out);
	print_values(rule, OPTION_OCSP_RESPONSE, "ocsp-response", out);
	(void)fprintf(out, "    client-auth    %s\n", modes[mode]);
	if (mode == ENGINE_CLIENT_AUTH_NONE) {
		return;
	}
	if (policy_rule_verify(rule) == ENGINE_VERIFY_NONE) {
		(void)fprintf(out, "    verify         none: ANY client certificate is accepted%s\n",
			      rule_option(rule, OPTION_PIN) ? " that has the key below" : "");
	} else {
		print_values(rule, OPTION_ALLOW_PEER, "allow-peer", out);
	}
	explain_verification(rule, out);
}

/* What certificates of peers are held against. */
static void explain_verification(const struct policy_rule *rule, FILE *out)
{
	print_values(rule, OPTION_PIN, "pin", out);
	if (!rule_verifies(rule)) {
		return;
	}
	print_values(rule, OPTION_TRUST, "trust", out);
	print_values(rule, OPTION_CRL, "crl", out);
	print_values(rule, OPTION_REQUIRE_OCSP, "require-ocsp", out);
	print_values(rule, OPTION_COMMON_NAME, "common-name", out);
}

static const char *version_number(uint16_t version)
{
	const char *name = engine_version_name(version); /* "TLS 1.3" */

	return name + 4;
}

/* "versions       1.2-1.3", "suites         9, TLS_AES_128_GCM_SHA256 first" */
static void explain_algorithms(const struct policy_rule *rule, FILE *out)
{
	static const char *const profiles[] = {
		[ENGINE_PROFILE_DEFAULT] = "default: forward secrecy and authenticated encryption alone",
		[ENGINE_PROFILE_MODERN] = "modern: TLS 1.3 alone",
		[ENGINE_PROFILE_LEGACY] =
			"legacy: OLD algorithms too: RSA key exchange, DHE, CBC, renegotiation",
	};
	struct rule_complaints complaints;
	struct engine_config *config = rule_algorithms(rule, &complaints);
	uint16_t min, max;
	size_t n;

	(void)fprintf(out, "    profile        %s\n", profiles[rule_profile(rule)]);
	if (!config) {
		for (size_t i = 0; i < complaints.n; i++) {
			(void)fprintf(out, "    ERROR: %s\n", complaints.list[i].text);
		}
		return;
	}
	engine_config_versions(config, &min, &max);
	(void)fprintf(out, "    versions       %s%s%s\n", version_number(min), min == max ? "" : "-",
		      min == max ? "" : version_number(max));
	n = engine_config_n_suites(config);
	(void)fprintf(out, "    suites         %zu%s%s%s\n", n, n > 1 ? ", " : ": ",
		      engine_config_suite(config, 0), n > 1 ? " first" : "");
	engine_config_unref(config);
	print_values(rule, OPTION_GROUPS, "groups", out);
	print_values(rule, OPTION_SIGNATURE_ALGORITHMS, "signatures", out);
}

static void explain_common(const struct policy_rule *rule, FILE *out)
{
	int timeout_ms = policy_rule_handshake_timeout_ms(rule);
	long lifetime = rule_number(rule, OPTION_SESSION_LIFETIME, OPTION_DEFAULT_LIFETIME);

	explain_algorithms(rule, out);
	print_values(rule, OPTION_ALPN, "alpn", out);
	print_values(rule, OPTION_PADDING, "padding", out);
	if (rule_keeps_sessions(rule)) {
		(void)fprintf(out, "    sessions       resumed for %ld seconds\n", lifetime);
		print_values(rule, OPTION_TICKET_KEYS, "ticket-keys", out);
	} else {
		(void)fprintf(out, "    sessions       never resumed\n");
	}
	if (timeout_ms > 0) {
		(void)fprintf(out, "    handshake      within %d seconds\n", timeout_ms / 1000);
	} else {
		(void)fprintf(out, "    handshake      without time limit\n");
	}
	(void)fprintf(out, "    truncation     %s\n",
		      policy_rule_truncation_is_error(rule)
			      ? "error: an end without close_notify fails the read"
			      : "ignore: an end without close_notify is an end of file");
}

/* "    trust          /etc/x.pem, /etc/y.pem (default block, line 2)" */
static void print_values(const struct policy_rule *rule, enum option_id id, const char *title, FILE *out)
{
	static const struct option_value system_value = {.text = "system"};
	const struct option *option = rule_option(rule, id);
	const struct option_value *value = option ? option->values : NULL;
	const char *separator = "", *store = rule_system_trust();

	if (!option && id == OPTION_TRUST) {
		value = &system_value;
	}
	if (!value) {
		return;
	}
	(void)fprintf(out, "    %-14s ", title);
	for (; value; value = value->next) {
		char shown[512];

		diag_escape(shown, sizeof(shown), value->path ? value->path : value->text);
		(void)fprintf(out, "%s%s", separator, shown);
		if (id == OPTION_TRUST && !value->path) {
			(void)fprintf(out, " (%s)", store ? store : "NOT FOUND");
		}
		separator = ", ";
	}
	if (option == &rule->policy->defaults[id]) {
		(void)fprintf(out, " (default block, line %u)", option->at.line);
	}
	(void)fputc('\n', out);
}
