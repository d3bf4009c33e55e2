/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `tlshim check` finds beyond the grammar: files that cannot be used, certificates about to expire,
 * rules that can never win, and whatever weakens protection.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lint.h"
#include "load.h"

#define DAY            86400
#define EXPIRY_WARNING (14 * DAY)

/* Comparing every pattern with every other must end: so many comparisons and no more. */
#define MAX_COMPARISONS 20000000

static void lint_rule(struct lint *lint, const struct policy_rule *rule);
static bool may_become(const struct policy_rule *rule);
static void lint_files(struct lint *lint, const struct policy_rule *rule);
static void lint_crls(struct lint *lint, const struct policy_rule *rule);
static void lint_secrets(struct lint *lint, const struct policy_rule *rule, enum option_id id, const char *what);
static void lint_crl(struct lint *lint, const struct option_value *file, const struct engine_crl_info *info);
static void lint_credential(struct lint *lint, const struct policy_rule *rule, size_t i,
			    const struct engine_credential_info *info);
static void lint_chain(struct lint *lint, const struct policy_rule *rule);
static void lint_reach(struct lint *lint, size_t index);
static void lint_order(struct lint *lint, size_t index);
static const struct policy_rule *find_cover(struct lint *lint, size_t index, const struct pattern *pattern);
static bool clauses_cover(const struct policy_rule *a, const struct policy_rule *b);

bool policy_lint(struct policy *policy, int64_t now, enum policy_lint_depth depth, struct policy_diag *out)
{
	struct policy_diag silent = {0};
	struct policy_diag *count = out ? out : &silent;
	const struct diag diag = {count, policy->file};
	struct lint lint = {.policy = policy, .diag = &diag, .now = now, .depth = depth};
	unsigned errors_before = count->n_errors, mode;

	if (policy->n_rules == 0) {
		diag_warning(&diag, (struct place){0, 0}, "the policy has no rules: nothing is protected");
	}
	if (load_mode(policy->file, &mode) && (mode & 02)) {
		diag_warning(&diag, (struct place){0, 0}, "everybody may change the policy (mode %04o)",
			     mode);
	}
	for (size_t i = 0; i < policy->n_rules; i++) {
		lint_rule(&lint, policy->rules[i]);
		if (depth == POLICY_LINT_ALL) {
			lint_reach(&lint, i);
			lint_order(&lint, i);
		}
	}
	for (size_t i = 0; i < policy->n_rules && depth == POLICY_LINT_ALL; i++) {
		lint_chain(&lint, policy->rules[i]);
	}
	if (lint.n_comparisons > MAX_COMPARISONS) {
		diag_note(&diag, (struct place){0, 0},
			  "too many patterns to look for all rules that can never win");
	}
	free(lint.told);
	return count->n_errors == errors_before;
}

static void lint_rule(struct lint *lint, const struct policy_rule *rule)
{
	if (!rule_is_wrapped(rule)) {
		return;
	}
	if (rule_unavailable(rule)) {
		lint_tell(lint, POLICY_ERROR, rule->at, "%s", rule_unavailable(rule));
	}
	lint_options(lint, rule);
	if (!rule_unavailable(rule) && (lint->depth == POLICY_LINT_ALL || may_become(rule))) {
		lint_files(lint, rule);
	}
}

/*
 * May this process, or one that it starts, be the user that the rule is for? If not, it need not be able to read the
 * key: one policy serves root's servers and everybody's clients. A rule that is used all the same loads then, or fails.
 */
static bool may_become(const struct policy_rule *rule)
{
	return !rule->user || load_may_become(rule->uid);
}

/* Load all that the rule names, as the program would. */
static void lint_files(struct lint *lint, const struct policy_rule *rule)
{
	struct engine_credential_info info;
	struct rule_complaints complaints;
	const struct engine_config *config = rule_load_config(rule, &complaints);
	char why[ENGINE_REASON_MAX] = "";

	for (size_t i = 0; i < complaints.n; i++) {
		lint_tell(lint, POLICY_ERROR, complaints.list[i].at, "%s", complaints.list[i].text);
	}
	for (size_t i = 0; config && engine_config_describe_credential(config, i, &info); i++) {
		lint_credential(lint, rule, i, &info);
	}
	if (lint->depth != POLICY_LINT_ALL) {
		return;
	}
	if (config && engine_config_check(config, why) == ENGINE_OK && why[0]) {
		lint_tell(lint, POLICY_WARNING, rule_place_of_algorithms(rule), "%s", why);
	}
	lint_crls(lint, rule);
	lint_secrets(lint, rule, OPTION_KEY, "key");
	lint_secrets(lint, rule, OPTION_TICKET_KEYS, "ticket key");
}

/* Lists that are out of date: whoever they are for is refused. Each file is read apart, to tell which it is. */
static void lint_crls(struct lint *lint, const struct policy_rule *rule)
{
	const struct option *option = rule_verifies(rule) ? rule_option(rule, OPTION_CRL) : NULL;
	char why[LOAD_WHY_MAX], reason[ENGINE_REASON_MAX];
	struct engine_crl_info info;
	struct load_bytes text;

	for (const struct option_value *file = option ? option->values : NULL; file; file = file->next) {
		struct engine_config *config = engine_config_new(ENGINE_CLIENT);

		if (config && load_file(file->path, LOAD_MAX_TRUST, &text, why)) {
			bool is_read = engine_config_add_crl(config, text.data, text.len, reason) == ENGINE_OK;

			for (size_t i = 0; is_read && engine_config_describe_crl(config, i, &info); i++) {
				lint_crl(lint, file, &info);
			}
			load_free(&text);
		}
		engine_config_unref(config);
	}
}

static void lint_crl(struct lint *lint, const struct option_value *file, const struct engine_crl_info *info)
{
	long long days = (long long)(lint->now - info->next_update) / DAY;

	if (info->next_update < lint->now) {
		lint_tell(lint, POLICY_WARNING, file->at,
			  "revocation list %s of %s is out of date since %lld day%s: certificates that it issued "
			  "are refused",
			  file->path, info->issuer, days, days == 1 ? "" : "s");
	} else if (info->this_update > lint->now) {
		lint_tell(lint, POLICY_WARNING, file->at,
			  "revocation list %s of %s is not valid yet: certificates that it issued are refused",
			  file->path, info->issuer);
	}
}

/* Files that nobody else may read. */
static void lint_secrets(struct lint *lint, const struct policy_rule *rule, enum option_id id, const char *what)
{
	const struct option *option = rule_option(rule, id);
	unsigned mode;

	for (const struct option_value *file = option ? option->values : NULL; file; file = file->next) {
		if (load_mode(file->path, &mode) && (mode & 026)) {
			lint_tell(lint, POLICY_WARNING, file->at, "%s %s can be %s by others (mode %04o): make it 0600",
				  what, file->path, mode & 022 ? "changed" : "read", mode);
		}
	}
}

static void lint_credential(struct lint *lint, const struct policy_rule *rule, size_t i,
			    const struct engine_credential_info *info)
{
	const struct option_value *file = rule_option(rule, OPTION_CERTIFICATE)->values;

	for (; i > 0 && file->next; i--) {
		file = file->next;
	}
	if (info->not_after < lint->now) {
		long long days = (long long)(lint->now - info->not_after) / DAY;

		lint_tell(lint, POLICY_ERROR, file->at, "certificate %s (%s) expired %lld day%s ago", file->path,
		     info->subject, days, days == 1 ? "" : "s");
	} else if (info->not_before > lint->now) {
		lint_tell(lint, POLICY_ERROR, file->at,
		     "certificate %s (%s) is not valid yet: it begins %lld seconds from now", file->path,
		     info->subject, (long long)(info->not_before - lint->now));
	} else if (info->not_after - lint->now < EXPIRY_WARNING) {
		long long days = (long long)(info->not_after - lint->now) / DAY;

		lint_tell(lint, POLICY_WARNING, file->at, "certificate %s (%s) expires in %lld day%s", file->path,
		     info->subject, days, days == 1 ? "" : "s");
	}
	if (info->ocsp_until && info->ocsp_until < lint->now) {
		lint_tell(lint, POLICY_WARNING, file->at,
			  "the OCSP response for certificate %s (%s) is out of date: it will not be sent", file->path,
			  info->subject);
	}
	if (rule->direction == POLICY_ACCEPT && !info->has_server_name) {
		lint_tell(lint, POLICY_WARNING, file->at,
		     "certificate %s (%s) has no subjectAltName: clients that verify names will refuse it",
		     file->path, info->subject);
	}
}

/*
 * A lone certificate whose issuer nobody here knows, most likely for want of an intermediate. Two in a
 * file are taken for a chain whose root was left out, as it should be. After all rules, so that all trust
 * is loaded.
 */
static void lint_chain(struct lint *lint, const struct policy_rule *rule)
{
	const struct option *certificate = rule_option(rule, OPTION_CERTIFICATE);
	struct rule_complaints complaints;
	struct engine_credential_info info;
	const struct engine_config *config;

	if (!rule_is_wrapped(rule) || rule_unavailable(rule) || !certificate) {
		return;
	}
	config = rule_load_config(rule, &complaints);
	if (!config || !engine_config_describe_credential(config, 0, &info) || info.chain_complete ||
	    load_count(certificate->values->path, "-----BEGIN CERTIFICATE-----") > 1 ||
	    rule_issuer_is_known(rule)) {
		return;
	}
	lint_tell(lint, POLICY_NOTE, certificate->values->at,
	     "the chain in %s may be incomplete: its issuer '%s' is not in the file; unless peers trust that "
	     "issuer "
	     "itself, append the intermediate certificate",
	     certificate->values->path, info.issuer);
}

/* Patterns that an earlier rule takes whole. */
static void lint_reach(struct lint *lint, size_t index)
{
	const struct policy_rule *rule = lint->policy->rules[index], *cover = NULL;
	const struct pattern *covered = NULL;
	bool all = true;

	for (const struct pattern *p = rule->patterns; p; p = p->next) {
		const struct policy_rule *found = find_cover(lint, index, p);

		all = all && found;
		if (found && !cover) {
			cover = found;
			covered = p;
		}
	}
	if (cover && all) {
		lint_tell(lint, POLICY_WARNING, rule->at,
		     "this rule can never win: the rule in line %u comes first and covers %s", cover->at.line,
		     rule->patterns->next ? "its patterns, alone or with others" : covered->text);
	} else if (cover) {
		lint_tell(lint, POLICY_WARNING, covered->at,
		     "%s can never win: the rule in line %u comes first and covers it", covered->text,
		     cover->at.line);
	}
}

/*
 * A rule by address behind one by name: the latter refuses connections without a name before the former is
 * asked.
 */
static void lint_order(struct lint *lint, size_t index)
{
	const struct policy_rule *rule = lint->policy->rules[index];

	if (rule->direction != POLICY_CONNECT || rule->action == POLICY_DENY) {
		return;
	}
	for (const struct pattern *p = rule->patterns; p; p = p->next) {
		for (size_t i = 0; p->kind == PATTERN_NETWORK && i < index; i++) {
			const struct policy_rule *earlier = lint->policy->rules[i];

			if (earlier->direction != POLICY_CONNECT || !clauses_cover(earlier, rule)) {
				continue;
			}
			for (const struct pattern *q = earlier->patterns; q; q = q->next) {
				if (++lint->n_comparisons > MAX_COMPARISONS) {
					return;
				}
				if ((q->kind == PATTERN_NAME || q->kind == PATTERN_SUFFIX) &&
				    pattern_ports_meet(p, q)) {
					lint_tell(lint, POLICY_WARNING, p->at,
					     "connections to %s whose name is not known are refused by the "
					     "rule by name "
					     "in line %u; to decide them here, put this rule first",
					     p->text, earlier->at.line);
					return;
				}
			}
		}
	}
}

/* The earlier rule that takes all that pattern, of rule number index, could match. */
static const struct policy_rule *find_cover(struct lint *lint, size_t index, const struct pattern *pattern)
{
	const struct policy_rule *rule = lint->policy->rules[index];

	for (size_t i = 0; i < index; i++) {
		const struct policy_rule *earlier = lint->policy->rules[i];

		if (earlier->direction != rule->direction || !clauses_cover(earlier, rule)) {
			continue;
		}
		for (const struct pattern *q = earlier->patterns; q; q = q->next) {
			if (++lint->n_comparisons > MAX_COMPARISONS) {
				return NULL;
			}
			if (pattern_covers(q, pattern)) {
				return earlier;
			}
		}
	}
	return NULL;
}

/* Does every process that b is for fit a too? Globs are compared as text. */
static bool clauses_cover(const struct policy_rule *a, const struct policy_rule *b)
{
	if (a->program && strcmp(a->program, "*") != 0 &&
	    (!b->program || strcmp(a->program, b->program) != 0)) {
		return false;
	}
	return !a->user || (b->user && a->uid == b->uid);
}

/* Report, unless the same has been said of the same place. */
void lint_tell(struct lint *lint, enum policy_severity severity, struct place at, const char *format, ...)
{
	uint64_t hash = 14695981039346656037u ^ ((uint64_t)at.line << 32 | at.column); /* FNV-1a */
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (const char *s = text; *s; s++) {
		hash = (hash ^ (unsigned char)*s) * 1099511628211u;
	}
	for (size_t i = 0; i < lint->n_told; i++) {
		if (lint->told[i] == hash) {
			return;
		}
	}
	if (lint->n_told == lint->told_room) {
		size_t room = lint->told_room ? lint->told_room * 2 : 64;
		uint64_t *told = realloc(lint->told, room * sizeof(*told));

		if (told) { /* without memory things are told twice, no more */
			lint->told = told;
			lint->told_room = room;
		}
	}
	if (lint->n_told < lint->told_room) {
		lint->told[lint->n_told++] = hash;
	}
	if (severity == POLICY_ERROR) {
		diag_error(lint->diag, at, "%s", text);
	} else if (severity == POLICY_WARNING) {
		diag_warning(lint->diag, at, "%s", text);
	} else {
		diag_note(lint->diag, at, "%s", text);
	}
}
