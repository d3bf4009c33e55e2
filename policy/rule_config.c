/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a rule's options to the engine's configuration: put together when a rule first becomes live.
 *
 * Implementation notes: a configuration is looked up without the lock and made under it. While the lock is
 * held the thread can neither be cancelled nor take a signal, since a handler that connects would come
 * back here.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include "rule_config.h"

static struct engine_config *build(const struct policy_rule *rule, struct rule_complaints *complaints);
static void set_options(const struct policy_rule *rule, struct engine_config *config,
			struct rule_complaints *complaints);
static void set_versions(const struct policy_rule *rule, struct engine_config *config,
			 struct rule_complaints *complaints);
static void check(const struct policy_rule *rule, const struct engine_config *config,
		  struct rule_complaints *complaints);

struct engine_config *policy_rule_config(const struct policy_rule *rule, char why[static 512])
{
	struct rule_complaints complaints;
	struct engine_config *config = rule_load_config(rule, &complaints);

	if (!config) {
		const struct rule_complaint *first = &complaints.list[0];
		char line[512];

		(void)snprintf(line, sizeof(line), "%.100s:%u:%u: %s", rule->policy->file, first->at.line,
			       first->at.column, first->text);
		diag_escape(why, 512, line);
	}
	return config;
}

struct engine_config *rule_load_config(const struct policy_rule *rule, struct rule_complaints *complaints)
{
	struct engine_config *config = atomic_load_explicit(&rule->cache->config, memory_order_acquire);
	sigset_t all, old_mask;
	int old_cancel;

	complaints->n = 0;
	if (config) {
		return config;
	}
	(void)sigfillset(&all);
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old_cancel);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old_mask);
	policy_lock(rule->policy);
	config = atomic_load_explicit(&rule->cache->config, memory_order_relaxed);
	if (!config) {
		config = build(rule, complaints);
		atomic_store_explicit(&rule->cache->config, config, memory_order_release);
	}
	policy_unlock(rule->policy);
	(void)pthread_sigmask(SIG_SETMASK, &old_mask, NULL);
	(void)pthread_setcancelstate(old_cancel, NULL);
	return config;
}

bool rule_issuer_is_known(const struct policy_rule *rule)
{
	const struct option_value system_value = {.text = "system", .at = rule->at};
	struct engine_config *scratch = engine_config_new(ENGINE_SERVER);
	struct rule_complaints complaints = {.n = 0};
	struct engine_credential_info info;
	bool known = false;

	if (!scratch) {
		return false;
	}
	policy_lock(rule->policy);
	rule_add_credentials(rule, scratch, &complaints, NULL);
	(void)rule_find_trust(rule->policy, &system_value, &complaints);
	for (struct rule_trust *trust = rule->policy->trusts; trust && !known; trust = trust->next) {
		engine_config_set_trust(scratch, trust->trust);
		known = engine_config_describe_credential(scratch, 0, &info) && info.chain_complete;
	}
	policy_unlock(rule->policy);
	engine_config_unref(scratch);
	return known;
}

struct engine_config *rule_algorithms(const struct policy_rule *rule, struct rule_complaints *complaints)
{
	struct engine_config *config = engine_config_new(ENGINE_CLIENT); /* which needs no certificate */

	complaints->n = 0;
	if (!config) {
		rule_complain(complaints, rule->at, "out of memory");
		return NULL;
	}
	rule_set_algorithms(rule, config, complaints);
	check(rule, config, complaints);
	if (complaints->n > 0) {
		engine_config_unref(config);
		return NULL;
	}
	return config;
}

static struct engine_config *build(const struct policy_rule *rule, struct rule_complaints *complaints)
{
	bool is_accept = rule->direction == POLICY_ACCEPT;
	struct rule_digest digest = {.failed = false};
	struct engine_config *config;

	if (!rule_is_wrapped(rule)) {
		rule_complain(complaints, rule->at, "a rule with action %s has no credentials",
			      rule_action_name(rule->action));
		return NULL;
	}
	if (rule_unavailable(rule)) {
		rule_complain(complaints, rule->at, "%s", rule_unavailable(rule));
		return NULL;
	}
	config = engine_config_new(is_accept ? ENGINE_SERVER : ENGINE_CLIENT);
	if (!config) {
		rule_complain(complaints, rule->at, "out of memory");
		return NULL;
	}
	/* All of it is tried, so that all mistakes come out at once. */
	rule_set_algorithms(rule, config, complaints);
	set_options(rule, config, complaints);
	/* A client that resumes is taken for who it was. */
	rule_add_credentials(rule, config, complaints, is_accept ? NULL : &digest);
	rule_set_ticket_keys(rule, config, complaints);
	rule_set_trust(rule, config, complaints, &digest);
	rule_set_sessions(rule, config, complaints, &digest);
	check(rule, config, complaints);
	if (complaints->n == 0) {
		return config;
	}
	engine_config_unref(config);
	return NULL;
}

/* A setter that takes names. */
typedef enum engine_err name_setter(struct engine_config *config, const char *const *names, size_t n,
				    char why[static ENGINE_REASON_MAX]);

/* One name at a time, to tell which of them is wrong; then all. */
static void set_list(const struct option *option, name_setter *set, struct engine_config *config,
		     struct rule_complaints *complaints)
{
	const char *texts[OPTION_MAX_VALUES];
	size_t n = rule_list_texts(option, texts), n_before = complaints->n;
	char why[ENGINE_REASON_MAX] = "";

	for (const struct option_value *value = option ? option->values : NULL; value; value = value->next) {
		if (set(config, &value->text, 1, why) != ENGINE_OK) {
			rule_complain(complaints, value->at, "%s", why);
		}
	}
	if (n > 0 && complaints->n == n_before && set(config, texts, n, why) != ENGINE_OK) {
		rule_complain(complaints, option->at, "%s", why);
	}
}

void rule_set_algorithms(const struct policy_rule *rule, struct engine_config *config,
			 struct rule_complaints *complaints)
{
	engine_config_set_profile(config, rule_profile(rule));
	set_versions(rule, config, complaints);
	set_list(rule_option(rule, OPTION_SUITES), engine_config_set_suites, config, complaints);
	set_list(rule_option(rule, OPTION_GROUPS), engine_config_set_groups, config, complaints);
	set_list(rule_option(rule, OPTION_SIGNATURE_ALGORITHMS), engine_config_set_schemes, config,
		 complaints);
}

static void set_versions(const struct policy_rule *rule, struct engine_config *config,
			 struct rule_complaints *complaints)
{
	const struct option *versions = rule_option(rule, OPTION_VERSIONS);

	if (versions && !engine_config_set_versions(config, (uint16_t)(versions->number >> 16),
						    (uint16_t)(versions->number & 0xffff))) {
		rule_complain(complaints, versions->values->at,
			      "'versions %s' cannot be spoken with this profile", versions->values->text);
	}
}

static void set_options(const struct policy_rule *rule, struct engine_config *config,
			struct rule_complaints *complaints)
{
	const struct option *alpn = rule_option(rule, OPTION_ALPN);
	const struct option *padding = rule_option(rule, OPTION_PADDING);
	const char *texts[OPTION_MAX_VALUES];
	size_t n = rule_list_texts(alpn, texts);

	if (rule->direction == POLICY_ACCEPT) {
		long mode = rule_number(rule, OPTION_CLIENT_AUTH, ENGINE_CLIENT_AUTH_NONE);

		engine_config_set_client_auth(config, (enum engine_client_auth)mode);
	}
	if (n > 0 && !engine_config_set_alpn(config, texts, n)) {
		rule_complain(complaints, alpn->at, "these values of 'alpn' cannot be used");
	}
	if (padding && !engine_config_set_padding(config, (size_t)padding->number)) {
		rule_complain(complaints, padding->at, "this value of 'padding' cannot be used");
	}
}

/* Do all the parts go together? Not asked while parts are missing. */
static void check(const struct policy_rule *rule, const struct engine_config *config,
		  struct rule_complaints *complaints)
{
	char why[ENGINE_REASON_MAX] = "";

	if (complaints->n == 0 && engine_config_check(config, why) != ENGINE_OK) {
		rule_complain(complaints, rule_place_of_algorithms(rule), "%s", why);
	}
}

struct place rule_place_of_algorithms(const struct policy_rule *rule)
{
	static const enum option_id narrowing[] = {OPTION_SUITES, OPTION_SIGNATURE_ALGORITHMS, OPTION_GROUPS,
						   OPTION_VERSIONS, OPTION_PROFILE};

	for (size_t i = 0; i < sizeof(narrowing) / sizeof(narrowing[0]); i++) {
		const struct option *option = rule_option(rule, narrowing[i]);

		if (option) {
			return option->at;
		}
	}
	return rule->at;
}

size_t rule_list_texts(const struct option *option, const char *texts[static OPTION_MAX_VALUES])
{
	size_t n = 0;

	for (const struct option_value *value = option ? option->values : NULL;
	     value && n < OPTION_MAX_VALUES; value = value->next) {
		texts[n++] = value->text;
	}
	return n;
}

void rule_complain(struct rule_complaints *complaints, struct place at, const char *format, ...)
{
	struct rule_complaint *slot = &complaints->list[complaints->n];
	va_list args;

	if (complaints->n == RULE_MAX_COMPLAINTS) {
		return;
	}
	for (; slot > complaints->list && slot[-1].at.line > at.line; slot--) {
		*slot = slot[-1];
	}
	slot->at = at;
	va_start(args, format);
	(void)vsnprintf(slot->text, sizeof(slot->text), format, args);
	va_end(args);
	complaints->n++;
}
