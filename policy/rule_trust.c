/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who the peer must be: authorities, names, pins and revocation lists, from a rule's options to the engine.
 *
 * Implementation notes: rules that name the same trust share one set of anchors. What the files hold is
 * summed up for the sessions, which are not resumed once somebody is trusted no longer.
 */
#include <stdlib.h>
#include <string.h>

#include "options_values.h"
#include "rule_config.h"

static const char *const system_stores[] = {
	"/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Alpine, Arch */
	"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
	"/etc/ssl/cert.pem",                  /* Alpine, BSD */
};

static void set_names(const struct policy_rule *rule, struct engine_config *config,
		      struct rule_complaints *complaints);
static void set_pins(const struct policy_rule *rule, struct engine_config *config,
		     struct rule_complaints *complaints);
static void add_crls(const struct policy_rule *rule, struct engine_config *config,
		     struct rule_complaints *complaints, struct rule_digest *digest);
static char *trust_key(const struct option_value *values);
static bool add_source(struct rule_trust *trust, const struct option_value *value,
		       struct rule_complaints *complaints);

const char *rule_system_trust(void)
{
	for (size_t i = 0; i < sizeof(system_stores) / sizeof(system_stores[0]); i++) {
		if (load_is_readable(system_stores[i])) {
			return system_stores[i];
		}
	}
	return NULL;
}

/* A sum, so that the order in which a directory lists its files does not matter. */
static void digest_add(struct rule_digest *digest, const struct rule_digest *other)
{
	for (size_t i = 0; i < sizeof(digest->sum); i++) {
		digest->sum[i] = (uint8_t)(digest->sum[i] + other->sum[i]);
	}
	digest->failed |= other->failed;
}

void rule_digest_add(struct rule_digest *digest, const struct load_bytes *bytes)
{
	struct rule_digest of_file = {.failed = false};

	of_file.failed = !engine_digest(bytes->data, bytes->len, of_file.sum);
	digest_add(digest, &of_file);
}

/* Are certificates of peers asked for? */
static bool asks(const struct policy_rule *rule)
{
	return rule->direction == POLICY_CONNECT ||
	       rule_number(rule, OPTION_CLIENT_AUTH, ENGINE_CLIENT_AUTH_NONE) != ENGINE_CLIENT_AUTH_NONE;
}

bool rule_verifies(const struct policy_rule *rule)
{
	return asks(rule) && policy_rule_verify(rule) != ENGINE_VERIFY_NONE;
}

void rule_set_trust(const struct policy_rule *rule, struct engine_config *config,
		    struct rule_complaints *complaints, struct rule_digest *digest)
{
	const struct option_value system_value = {.text = "system", .at = rule->at};
	const struct option *option = rule_option(rule, OPTION_TRUST);
	const struct rule_trust *trust;

	engine_config_set_verify(config, policy_rule_verify(rule));
	if (!asks(rule)) {
		return;
	}
	set_names(rule, config, complaints);
	set_pins(rule, config, complaints);
	if (!rule_verifies(rule)) {
		return;
	}
	engine_config_require_ocsp(config, rule_number(rule, OPTION_REQUIRE_OCSP, 0) != 0);
	engine_config_set_common_name(config, rule_number(rule, OPTION_COMMON_NAME, 0) != 0);
	add_crls(rule, config, complaints, digest);
	trust = rule_find_trust(rule->policy, option ? option->values : &system_value, complaints);
	if (trust) {
		engine_config_set_trust(config, trust->trust);
		digest_add(digest, &trust->digest);
	}
}

static void set_names(const struct policy_rule *rule, struct engine_config *config,
		      struct rule_complaints *complaints)
{
	const struct option *peers = rule_option(rule, OPTION_ALLOW_PEER);
	const char *texts[OPTION_MAX_VALUES];
	size_t n = rule_list_texts(peers, texts);

	if (n > 0 && !engine_config_set_allowed_peers(config, texts, n)) {
		rule_complain(complaints, peers->at, "these values of 'allow-peer' cannot be used");
	}
}

static void set_pins(const struct policy_rule *rule, struct engine_config *config,
		     struct rule_complaints *complaints)
{
	const struct option *option = rule_option(rule, OPTION_PIN);
	uint8_t pins[OPTION_MAX_PINS][32];
	size_t n = 0;

	for (const struct option_value *value = option ? option->values : NULL; value && n < OPTION_MAX_PINS;
	     value = value->next) {
		if (!option_read_pin(value->text, pins[n++])) {
			rule_complain(complaints, value->at, "this pin cannot be used");
			return;
		}
	}
	if (n > 0 && !engine_config_set_pins(config, (const uint8_t(*)[32])pins, n)) {
		rule_complain(complaints, option->at, "these values of 'pin' cannot be used");
	}
}

static void add_crls(const struct policy_rule *rule, struct engine_config *config,
		     struct rule_complaints *complaints, struct rule_digest *digest)
{
	const struct option *option = rule_option(rule, OPTION_CRL);

	for (const struct option_value *value = option ? option->values : NULL; value; value = value->next) {
		char why[LOAD_WHY_MAX], reason[ENGINE_REASON_MAX] = "";
		struct load_bytes text;
		enum engine_err err;

		if (!load_file(value->path, LOAD_MAX_TRUST, &text, why)) {
			rule_complain(complaints, value->at, "cannot read revocation list %s: %s",
				      value->path, why);
			continue;
		}
		err = engine_config_add_crl(config, text.data, text.len, reason);
		if (err != ENGINE_OK) {
			rule_complain(complaints, value->at, "cannot use revocation list %s: %s", value->path,
				      reason[0] ? reason : engine_err_name(err));
		}
		rule_digest_add(digest, &text);
		load_free(&text);
	}
}

const struct rule_trust *rule_find_trust(struct policy *policy, const struct option_value *value,
					 struct rule_complaints *complaints)
{
	char *key = trust_key(value);
	struct rule_trust *trust;
	bool ok = true;

	for (struct rule_trust *known = policy->trusts; key && known; known = known->next) {
		if (strcmp(known->key, key) == 0) {
			free(key);
			return known;
		}
	}
	trust = calloc(1, sizeof(*trust));
	if (trust) {
		trust->key = key;
		trust->trust = engine_trust_new();
	}
	if (!key || !trust || !trust->trust) {
		rule_complain(complaints, value->at, "out of memory");
		ok = false;
	}
	for (; trust && trust->trust && value; value = value->next) {
		ok = add_source(trust, value, complaints) && ok;
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
	return trust;
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
	struct rule_trust *trust;
	const struct option_value *value;
	struct rule_complaints *complaints;
	size_t n_added;
	bool skip_bad; /* where others put certificates, an odd one must not stop us: it is just not trusted */
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
		rule_complain(source->complaints, source->value->at,
			      "cannot read trusted certificates %s: %s", path, why);
		source->complained = true;
		return false;
	}
	err = engine_trust_add_pem(source->trust->trust, pem.data, pem.len, source->skip_bad, &n_added,
				   reason);
	rule_digest_add(&source->trust->digest, &pem);
	load_free(&pem);
	if (err != ENGINE_OK) {
		rule_complain(source->complaints, source->value->at, "cannot use trusted certificates %s: %s",
			      path, reason[0] ? reason : engine_err_name(err));
		source->complained = true;
		return false;
	}
	source->n_added += n_added;
	return true;
}

static bool add_source(struct rule_trust *trust, const struct option_value *value,
		       struct rule_complaints *complaints)
{
	struct source source = {.trust = trust, .value = value, .complaints = complaints};
	const char *path = value->path ? value->path : rule_system_trust();
	bool is_directory = path && load_is_directory(path);
	char why[LOAD_WHY_MAX];

	source.skip_bad = is_directory || !value->path;
	if (!path) {
		rule_complain(complaints, value->at,
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
			rule_complain(complaints, value->at, "cannot read directory %s: %s", path, why);
		}
		return false;
	}
	if (source.n_added == 0) {
		rule_complain(complaints, value->at, "no certificate found in %s: expected PEM text%s", path,
			      is_directory ? " in files that end in .pem, .crt or .cer" : "");
		return false;
	}
	return true;
}
