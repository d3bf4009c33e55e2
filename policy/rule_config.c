/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a rule's options to the engine's configuration: reads the files when a rule first becomes live.
 *
 * Implementation notes: a configuration is looked up without the lock and made under it. While the lock is
 * held the thread can neither be cancelled nor take a signal, since a handler that connects would come
 * back here. Rules that name the same trust share one set of anchors.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "rule.h"

static const char *const system_stores[] = {
	"/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Alpine, Arch */
	"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
	"/etc/ssl/cert.pem",                  /* Alpine, BSD */
};

static struct engine_config *build(const struct policy_rule *rule, struct rule_complaints *complaints);
static void set_options(const struct policy_rule *rule, struct engine_config *config,
			struct rule_complaints *complaints);
static void set_names(const struct policy_rule *rule, struct engine_config *config,
		      struct rule_complaints *complaints);
static void add_credential(const struct policy_rule *rule, struct engine_config *config,
			   struct rule_complaints *complaints);
static void set_trust(const struct policy_rule *rule, struct engine_config *config,
		      struct rule_complaints *complaints);
static size_t list_texts(const struct option *option, const char *texts[static OPTION_MAX_VALUES]);
static struct engine_trust *find_trust(struct policy *policy, const struct option_value *value,
				       struct rule_complaints *complaints);
static char *trust_key(const struct option_value *values);
static bool add_source(struct engine_trust *trust, const struct option_value *value,
		       struct rule_complaints *complaints);
static void complain(struct rule_complaints *complaints, struct place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

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

const char *rule_system_trust(void)
{
	for (size_t i = 0; i < sizeof(system_stores) / sizeof(system_stores[0]); i++) {
		if (load_is_readable(system_stores[i])) {
			return system_stores[i];
		}
	}
	return NULL;
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
	add_credential(rule, scratch, &complaints);
	(void)find_trust(rule->policy, &system_value, &complaints);
	for (struct rule_trust *trust = rule->policy->trusts; trust && !known; trust = trust->next) {
		engine_config_set_trust(scratch, trust->trust);
		known = engine_config_describe_credential(scratch, 0, &info) && info.chain_complete;
	}
	policy_unlock(rule->policy);
	engine_config_unref(scratch);
	return known;
}

static struct engine_config *build(const struct policy_rule *rule, struct rule_complaints *complaints)
{
	bool is_accept = rule->direction == POLICY_ACCEPT;
	struct engine_config *config;

	if (!rule_is_wrapped(rule)) {
		complain(complaints, rule->at, "a rule with action %s has no credentials",
			 rule_action_name(rule->action));
		return NULL;
	}
	if (rule_unavailable(rule)) {
		complain(complaints, rule->at, "%s", rule_unavailable(rule));
		return NULL;
	}
	config = engine_config_new(is_accept ? ENGINE_SERVER : ENGINE_CLIENT);
	if (!config) {
		complain(complaints, rule->at, "out of memory");
		return NULL;
	}
	/* All of it is tried, so that all mistakes come out at once. */
	set_options(rule, config, complaints);
	set_names(rule, config, complaints);
	add_credential(rule, config, complaints);
	set_trust(rule, config, complaints);
	if (complaints->n == 0) {
		return config;
	}
	engine_config_unref(config);
	return NULL;
}

static void set_options(const struct policy_rule *rule, struct engine_config *config,
			struct rule_complaints *complaints)
{
	const struct option *versions = rule_option(rule, OPTION_VERSIONS);

	engine_config_set_verify(config, policy_rule_verify(rule));
	if (rule->direction == POLICY_ACCEPT) {
		long mode = rule_number(rule, OPTION_CLIENT_AUTH, ENGINE_CLIENT_AUTH_NONE);

		engine_config_set_client_auth(config, (enum engine_client_auth)mode);
	}
	if (versions) {
		uint16_t min = (uint16_t)(versions->number >> 16),
			 max = (uint16_t)(versions->number & 0xffff);

		/*
		 * Older versions are in no engine: a range that begins there begins with the oldest that
		 * is.
		 */
		min = min < ENGINE_TLS12 ? ENGINE_TLS12 : min;
		if (max < ENGINE_TLS12 || !engine_config_set_versions(config, min, max)) {
			complain(complaints, versions->values->at,
				 "'versions %s' holds no version that this tlshim speaks: expected a range "
				 "that "
				 "includes 1.3",
				 versions->values->text);
		}
	}
}

static void set_names(const struct policy_rule *rule, struct engine_config *config,
		      struct rule_complaints *complaints)
{
	const struct option *alpn = rule_option(rule, OPTION_ALPN),
			    *peers = rule_option(rule, OPTION_ALLOW_PEER);
	const char *texts[OPTION_MAX_VALUES];
	size_t n = list_texts(alpn, texts);

	if (n > 0 && !engine_config_set_alpn(config, texts, n)) {
		complain(complaints, alpn->at, "these values of 'alpn' cannot be used");
	}
	n = list_texts(peers, texts);
	if (n > 0 && !engine_config_set_allowed_peers(config, texts, n)) {
		complain(complaints, peers->at, "these values of 'allow-peer' cannot be used");
	}
}

static size_t list_texts(const struct option *option, const char *texts[static OPTION_MAX_VALUES])
{
	size_t n = 0;

	for (const struct option_value *value = option ? option->values : NULL;
	     value && n < OPTION_MAX_VALUES; value = value->next) {
		texts[n++] = value->text;
	}
	return n;
}

static void add_credential(const struct policy_rule *rule, struct engine_config *config,
			   struct rule_complaints *complaints)
{
	const struct option *certificate = rule_option(rule, OPTION_CERTIFICATE),
			    *key = rule_option(rule, OPTION_KEY);
	struct load_bytes chain_pem, key_pem;
	char why[LOAD_WHY_MAX], reason[ENGINE_REASON_MAX] = "";
	bool have_chain, have_key;

	if (!certificate || !key) {
		return; /* the parser has made sure that servers have both */
	}
	have_chain = load_file(certificate->values->path, LOAD_MAX_CERTIFICATE, &chain_pem, why);
	if (!have_chain) {
		complain(complaints, certificate->values->at, "cannot read certificate %s: %s",
			 certificate->values->path, why);
	}
	have_key = load_file(key->values->path, LOAD_MAX_KEY, &key_pem, why);
	if (!have_key) {
		complain(complaints, key->values->at, "cannot read key %s: %s", key->values->path, why);
	}
	if (have_chain && have_key) {
		enum engine_err err = engine_config_add_credential(config, chain_pem.data, chain_pem.len,
								   key_pem.data, key_pem.len, reason);

		if (err != ENGINE_OK) {
			complain(complaints, certificate->values->at,
				 "cannot use certificate %s with key %s: %s", certificate->values->path,
				 key->values->path, reason[0] ? reason : engine_err_name(err));
		}
	}
	load_free(&chain_pem);
	load_free(&key_pem);
}

static void set_trust(const struct policy_rule *rule, struct engine_config *config,
		      struct rule_complaints *complaints)
{
	const struct option_value system_value = {.text = "system", .at = rule->at};
	const struct option *option = rule_option(rule, OPTION_TRUST);
	struct engine_trust *trust;

	if (policy_rule_verify(rule) == ENGINE_VERIFY_NONE) {
		return;
	}
	if (rule->direction == POLICY_ACCEPT &&
	    rule_number(rule, OPTION_CLIENT_AUTH, ENGINE_CLIENT_AUTH_NONE) == ENGINE_CLIENT_AUTH_NONE) {
		return;
	}
	trust = find_trust(rule->policy, option ? option->values : &system_value, complaints);
	if (trust) {
		engine_config_set_trust(config, trust);
	}
}

/* The set for these values of `trust`, from the snapshot's list or read now. Borrowed; NULL after complaining. */
static struct engine_trust *find_trust(struct policy *policy, const struct option_value *value,
				       struct rule_complaints *complaints)
{
	char *key = trust_key(value);
	struct rule_trust *trust;
	bool ok = true;

	for (struct rule_trust *known = policy->trusts; key && known; known = known->next) {
		if (strcmp(known->key, key) == 0) {
			free(key);
			return known->trust;
		}
	}
	trust = calloc(1, sizeof(*trust));
	if (trust) {
		trust->key = key;
		trust->trust = engine_trust_new();
	}
	if (!key || !trust || !trust->trust) {
		complain(complaints, value->at, "out of memory");
		ok = false;
	}
	for (; trust && trust->trust && value; value = value->next) {
		ok = add_source(trust->trust, value, complaints) && ok;
	}
	if (!ok) {
		if (trust && trust->trust) {
			engine_trust_unref(trust->trust);
		}
		free(trust);
		free(key);
		return NULL;
	}
	trust->next = policy->trusts;
	policy->trusts = trust;
	return trust->trust;
}

/* The paths, each with a newline in front, which no path in a policy holds; `system` has none. */
static char *trust_key(const struct option_value *values)
{
	size_t size = 1, len = 0;
	char *key;

	for (const struct option_value *value = values; value; value = value->next) {
		size += 1 + (value->path ? strlen(value->path) : 0);
	}
	key = calloc(1, size);
	for (const struct option_value *value = values; key && value; value = value->next) {
		len += (size_t)snprintf(key + len, size - len, "\n%s", value->path ? value->path : "");
	}
	return key;
}

/* Where the certificates of one value of `trust` go, and what went wrong. */
struct source {
	struct engine_trust *trust;
	const struct option_value *value;
	struct rule_complaints *complaints;
	size_t n_added;
	bool skip_bad; /* where others put certificates, an odd one must not stop us: it is just not trusted
			*/
	bool complained;
};

static bool add_file(void *ctx, const char *path)
{
	struct source *source = ctx;
	struct load_bytes pem;
	char why[LOAD_WHY_MAX], reason[ENGINE_REASON_MAX] = "";
	enum engine_err err;
	size_t n_added = 0;

	if (!load_file(path, LOAD_MAX_TRUST, &pem, why)) {
		complain(source->complaints, source->value->at, "cannot read trusted certificates %s: %s",
			 path, why);
		source->complained = true;
		return false;
	}
	err = engine_trust_add_pem(source->trust, pem.data, pem.len, source->skip_bad, &n_added, reason);
	load_free(&pem);
	if (err != ENGINE_OK) {
		complain(source->complaints, source->value->at, "cannot use trusted certificates %s: %s",
			 path, reason[0] ? reason : engine_err_name(err));
		source->complained = true;
		return false;
	}
	source->n_added += n_added;
	return true;
}

static bool add_source(struct engine_trust *trust, const struct option_value *value,
		       struct rule_complaints *complaints)
{
	struct source source = {.trust = trust, .value = value, .complaints = complaints};
	const char *path = value->path ? value->path : rule_system_trust();
	bool is_directory = path && load_is_directory(path);
	char why[LOAD_WHY_MAX];

	source.skip_bad = is_directory || !value->path;
	if (!path) {
		complain(complaints, value->at,
			 "the system's certificate authorities were not found (%s and others): install "
			 "ca-certificates, or name a file with 'trust'",
			 system_stores[0]);
		return false;
	}
	if (!is_directory && !add_file(&source, path)) {
		return false;
	}
	if (is_directory && !load_directory(path, add_file, &source, why)) {
		if (!source.complained) {
			complain(complaints, value->at, "cannot read directory %s: %s", path, why);
		}
		return false;
	}
	if (source.n_added == 0) {
		complain(complaints, value->at, "no certificate found in %s: expected PEM text%s", path,
			 is_directory ? " in files that end in .pem, .crt or .cer" : "");
		return false;
	}
	return true;
}

/* Add to the list, which is kept in the order of the lines. */
static void complain(struct rule_complaints *complaints, struct place at, const char *format, ...)
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
