/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The snapshot: its memory, its reference count, and what others may ask of a rule.
 */
#include "rule.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 16384

struct rule_block {
	struct rule_block *next;
	size_t size, used;
	_Alignas(max_align_t) unsigned char bytes[];
};

/* A rule's line for logs while it is put together. */
#define TEXT_PATTERNS 4
struct text {
	size_t len;
	char raw[1024], escaped[1100];
};

static void add_text(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct policy *rule_new_policy(const char *file, const char *directory)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (!policy) {
		return NULL;
	}
	if (pthread_mutex_init(&policy->lock, NULL) != 0) {
		free(policy);
		return NULL;
	}
	atomic_init(&policy->refs, 1);
	policy->file = rule_strdup(policy, file);
	policy->directory = rule_strdup(policy, directory);
	if (!policy->file || !policy->directory) {
		policy_unref(policy);
		return NULL;
	}
	return policy;
}

void policy_ref(struct policy *policy)
{
	atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
}

void policy_unref(struct policy *policy)
{
	if (!policy || atomic_fetch_sub_explicit(&policy->refs, 1, memory_order_acq_rel) != 1) {
		return;
	}
	for (size_t i = 0; i < policy->n_rules; i++) {
		struct engine_config *config =
			policy->rules[i]->cache ? atomic_load(&policy->rules[i]->cache->config) : NULL;

		if (config) {
			engine_config_unref(config);
		}
	}
	while (policy->trusts) {
		struct rule_trust *trust = policy->trusts;

		policy->trusts = trust->next;
		engine_trust_unref(trust->trust);
		free(trust->key);
		free(trust);
	}
	while (policy->blocks) {
		struct rule_block *block = policy->blocks;

		policy->blocks = block->next;
		free(block);
	}
	free(policy->rules);
	(void)pthread_mutex_destroy(&policy->lock);
	free(policy);
}

void policy_lock(struct policy *policy)
{
	(void)pthread_mutex_lock(&policy->lock);
}

void policy_unlock(struct policy *policy)
{
	(void)pthread_mutex_unlock(&policy->lock);
}

void *rule_alloc(struct policy *policy, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct rule_block *block = policy->blocks;
	void *ptr;

	if (size > SIZE_MAX / 2) {
		return NULL;
	}
	size = (size + align - 1) / align * align;
	if (!block || block->size - block->used < size) {
		size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		block = calloc(1, sizeof(*block) + room);
		if (!block) {
			return NULL;
		}
		block->size = room;
		block->next = policy->blocks;
		policy->blocks = block;
	}
	ptr = block->bytes + block->used;
	block->used += size;
	return ptr;
}

char *rule_strdup(struct policy *policy, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = rule_alloc(policy, size);

	return copy ? memcpy(copy, text, size) : NULL;
}

struct policy_rule *rule_add(struct policy *policy)
{
	struct policy_rule *rule;

	if (policy->n_rules == policy->rules_room) {
		size_t room = policy->rules_room ? policy->rules_room * 2 : 16;
		struct policy_rule **rules = realloc(policy->rules, room * sizeof(struct policy_rule *));

		if (!rules) {
			return NULL;
		}
		policy->rules = rules;
		policy->rules_room = room;
	}
	rule = rule_alloc(policy, sizeof(*rule));
	if (!rule) {
		return NULL;
	}
	rule->policy = policy;
	rule->cache = rule_alloc(policy, sizeof(*rule->cache));
	if (!rule->cache) {
		return NULL;
	}
	atomic_init(&rule->cache->config, NULL);
	policy->rules[policy->n_rules++] = rule;
	return rule;
}

/* Does the rule's own say about `with` leave nothing of the default block's about id? */
static bool goes_with(enum option_id id, enum option_id with)
{
	switch (id) {
	case OPTION_CERTIFICATE:
	case OPTION_KEY:
	case OPTION_OCSP_RESPONSE:
		return with == OPTION_CERTIFICATE || with == OPTION_KEY;
	case OPTION_VERSIONS:
	case OPTION_SUITES:
	case OPTION_GROUPS:
	case OPTION_SIGNATURE_ALGORITHMS:
		return with == OPTION_PROFILE;
	default:
		return false;
	}
}

const struct option *rule_option(const struct policy_rule *rule, enum option_id id)
{
	static const enum option_id leaders[] = {OPTION_CERTIFICATE, OPTION_KEY, OPTION_PROFILE};
	const struct option *inherited = &rule->policy->defaults[id];
	unsigned where = rule->direction == POLICY_ACCEPT ? OPTION_IN_ACCEPT : OPTION_IN_CONNECT;

	if (rule->own[id].at.line) {
		return &rule->own[id];
	}
	if (!inherited->at.line || !rule_is_wrapped(rule) || !options_may_stand(id, where)) {
		return NULL;
	}
	for (size_t i = 0; i < sizeof(leaders) / sizeof(leaders[0]); i++) {
		if (rule->own[leaders[i]].at.line && goes_with(id, leaders[i])) {
			return NULL;
		}
	}
	return inherited;
}

long rule_number(const struct policy_rule *rule, enum option_id id, long fallback)
{
	const struct option *option = rule_option(rule, id);

	return option ? option->number : fallback;
}

bool rule_is_wrapped(const struct policy_rule *rule)
{
	return rule->action == POLICY_TLS || rule->action == POLICY_STARTTLS ||
	       rule->action == POLICY_PERMISSIVE;
}

const char *rule_action_name(enum policy_action action)
{
	static const char *const names[] = {
		[POLICY_PLAIN] = "plain",           [POLICY_TLS] = "tls",   [POLICY_STARTTLS] = "starttls",
		[POLICY_PERMISSIVE] = "permissive", [POLICY_DENY] = "deny",
	};

	return names[action];
}

const char *rule_unavailable(const struct policy_rule *rule)
{
	if (rule->action == POLICY_STARTTLS) {
		return "starttls is not available in this version of tlshim: connections that match this "
		       "rule are refused";
	}
	if (rule->action == POLICY_PERMISSIVE) {
		return "permissive is not available in this version of tlshim: connections that match this "
		       "rule are refused";
	}
	return NULL;
}

size_t policy_n_rules(const struct policy *policy)
{
	return policy->n_rules;
}

const char *policy_rule_text(const struct policy_rule *rule)
{
	return rule->text;
}

const char *policy_rule_file(const struct policy_rule *rule)
{
	return rule->policy->file;
}

unsigned policy_rule_line(const struct policy_rule *rule)
{
	return rule->at.line;
}

const char *policy_rule_server_name(const struct policy_rule *rule)
{
	const struct option *option = rule_option(rule, OPTION_SERVER_NAME);

	return option ? option->values->text : NULL;
}

enum engine_verify policy_rule_verify(const struct policy_rule *rule)
{
	return (enum engine_verify)rule_number(rule, OPTION_VERIFY, ENGINE_VERIFY_FULL);
}

int policy_rule_handshake_timeout_ms(const struct policy_rule *rule)
{
	return (int)rule_number(rule, OPTION_HANDSHAKE_TIMEOUT, OPTION_DEFAULT_HANDSHAKE_MS);
}

bool policy_rule_truncation_is_error(const struct policy_rule *rule)
{
	return rule_number(rule, OPTION_TRUNCATION, 1) != 0;
}

size_t policy_session_cache_size(const struct policy *policy)
{
	long size = policy->defaults[OPTION_SESSION_CACHE].number;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = policy->rules[i];

		if (rule_is_wrapped(rule) && !rule_unavailable(rule) && rule_keeps_sessions(rule)) {
			return size > 0 ? (size_t)size : POLICY_DEFAULT_SESSIONS;
		}
	}
	return 0;
}

enum engine_profile rule_profile(const struct policy_rule *rule)
{
	return (enum engine_profile)rule_number(rule, OPTION_PROFILE, ENGINE_PROFILE_DEFAULT);
}

bool rule_keeps_sessions(const struct policy_rule *rule)
{
	return rule_number(rule, OPTION_SESSION_CACHE, OPTION_CACHE_ON) != 0;
}

bool rule_write_text(struct policy_rule *rule)
{
	struct text text = {.len = 0};
	unsigned n = 0;

	add_text(&text, "%s:%u: %s", rule->policy->file, rule->at.line,
		 rule->direction == POLICY_ACCEPT ? "accept" : "connect");
	for (const struct pattern *p = rule->patterns; p; p = p->next) {
		if (n++ < TEXT_PATTERNS) {
			add_text(&text, "%s %s", n == 1 ? "" : ",", p->text);
		}
	}
	if (n > TEXT_PATTERNS) {
		add_text(&text, " and %u more", n - TEXT_PATTERNS);
	}
	if (rule->program) {
		add_text(&text, " program %s", rule->program);
	}
	if (rule->user) {
		add_text(&text, " user %s", rule->user);
	}
	add_text(&text, " %s", rule_action_name(rule->action));
	if (rule->protocol) {
		add_text(&text, " %s", rule->protocol);
	}
	diag_escape(text.escaped, sizeof(text.escaped), text.raw);
	rule->text = rule_strdup(rule->policy, text.escaped);
	return rule->text != NULL;
}

static void add_text(struct text *text, const char *format, ...)
{
	size_t room = sizeof(text->raw) - text->len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->raw + text->len, room, format, args);
	va_end(args);
	if (n > 0) {
		text->len += (size_t)n < room ? (size_t)n : room - 1;
	}
}
