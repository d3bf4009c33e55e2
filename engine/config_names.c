/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Suites, groups and signature schemes by name: what a user writes, and narrowing a configuration to it.
 */
#include <stdio.h>
#include <string.h>

#include "config.h"

#define NAME_MAX_LEN 64

enum kind { SUITES, GROUPS, SCHEMES };

/* How each kind is called, and how its names are found. */
static const struct {
	const char *what;
	const char *(*at)(size_t i);
	const char *(*name)(uint16_t id);
	const char *(*find)(const char *name, const char **nearest);
} kinds[] = {
	[SUITES] = {"cipher suite", engine_suite_at, engine_suite_name, engine_suite_find},
	[GROUPS] = {"group", engine_group_at, engine_group_name, engine_group_find},
	[SCHEMES] = {"signature scheme", engine_scheme_at, engine_scheme_name, engine_scheme_find},
};

/* The numbers of one kind, as struct algorithms holds them. */
struct list {
	uint16_t *ids;
	size_t *n;
};

static struct list list_of(struct algorithms *algorithms, enum kind kind)
{
	switch (kind) {
	case SUITES:
		return (struct list){algorithms->suites, &algorithms->n_suites};
	case GROUPS:
		return (struct list){algorithms->groups, &algorithms->n_groups};
	default:
		return (struct list){algorithms->schemes, &algorithms->n_schemes};
	}
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_name(const char *a, const char *b)
{
	while (*a != '\0' && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return *a == *b;
}

/* How many characters of the longer name lie between what both begin and end with. */
static size_t difference(const char *a, const char *b)
{
	const size_t a_len = strlen(a), b_len = strlen(b);
	const size_t shorter = a_len < b_len ? a_len : b_len;
	const size_t longer = a_len < b_len ? b_len : a_len;
	size_t head = 0, tail = 0;

	while (head < shorter && lower(a[head]) == lower(b[head])) {
		head++;
	}
	while (tail < shorter - head && lower(a[a_len - 1 - tail]) == lower(b[b_len - 1 - tail])) {
		tail++;
	}
	return longer - head - tail;
}

static const char *find_name(const char *const *aliases, const char *(*at)(size_t), const char *name,
			     const char **nearest)
{
	size_t least = strlen(name) / 2 + 1;
	const char *known;

	*nearest = NULL;
	for (size_t i = 0; (known = at(i)) != NULL; i++) {
		if (same_name(known, name)) {
			return known;
		}
		if (difference(known, name) < least) {
			least = difference(known, name);
			*nearest = known;
		}
	}
	for (size_t i = 0; aliases != NULL && aliases[i] != NULL; i += 2) {
		if (same_name(aliases[i], name)) {
			return find_name(NULL, at, aliases[i + 1], nearest);
		}
	}
	return NULL;
}

/* Put with in place of the first what in text; with is not longer. */
static void replace(char *text, const char *what, const char *with)
{
	char *at = strstr(text, what);

	if (at != NULL) {
		memcpy(at, with, strlen(with));
		memmove(at + strlen(with), at + strlen(what), strlen(at + strlen(what)) + 1);
	}
}

/*
 * As OpenSSL spells a suite of TLS 1.2: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is ECDHE-RSA-AES128-GCM-SHA256,
 * TLS_RSA_WITH_AES_128_CBC_SHA is AES128-SHA. Those of TLS 1.3 have one name.
 */
static void openssl_name(const char *name, char out[static NAME_MAX_LEN])
{
	(void)snprintf(out, NAME_MAX_LEN, "%s", name);
	if (strstr(out, "_WITH_") == NULL) {
		return;
	}
	replace(out, strncmp(out, "TLS_RSA_", 8) == 0 ? "TLS_RSA_WITH_" : "TLS_", "");
	replace(out, "WITH_", "");
	replace(out, "AES_", "AES");
	replace(out, "CBC_", "");
	replace(out, "POLY1305_SHA256", "POLY1305");
	for (char *c = out; *c != '\0'; c++) {
		*c = *c == '_' ? '-' : *c;
	}
}

const char *engine_suite_find(const char *name, const char **nearest)
{
	const char *found = find_name(NULL, engine_suite_at, name, nearest), *known;
	char spelling[NAME_MAX_LEN];

	for (size_t i = 0; found == NULL && (known = engine_suite_at(i)) != NULL; i++) {
		openssl_name(known, spelling);
		if (same_name(spelling, name)) {
			found = known;
		} else if (*nearest == NULL && difference(spelling, name) < 4) {
			*nearest = known;
		}
	}
	return found;
}

const char *engine_group_find(const char *name, const char **nearest)
{
	static const char *const aliases[] = {
		"P-256",     "secp256r1", "prime256v1", "secp256r1", "P-384",
		"secp384r1", "P-521",     "secp521r1",  NULL,
	};

	return find_name(aliases, engine_group_at, name, nearest);
}

const char *engine_scheme_find(const char *name, const char **nearest)
{
	return find_name(NULL, engine_scheme_at, name, nearest);
}

/* The number that goes by this name in a profile; false if the profile has it not. */
static bool find_in_profile(enum kind kind, enum engine_profile profile, const char *name, uint16_t *id)
{
	struct algorithms all;
	struct list list;

	algorithms_of_profile(profile, &all);
	list = list_of(&all, kind);
	for (size_t i = 0; i < *list.n; i++) {
		if (strcmp(kinds[kind].name(list.ids[i]), name) == 0) {
			*id = list.ids[i];
			return true;
		}
	}
	return false;
}

/* The number of what name stands for, if cfg's profile has it; else a sentence in why. */
static bool read_name(const struct engine_config *cfg, enum kind kind, const char *name, uint16_t *id,
		      char why[static ENGINE_REASON_MAX])
{
	const char *nearest, *known = kinds[kind].find(name, &nearest);

	if (known == NULL) {
		(void)snprintf(why, ENGINE_REASON_MAX, "there is no %s '%.60s'%s%s%s", kinds[kind].what, name,
			       nearest != NULL ? " (did you mean '" : "", nearest != NULL ? nearest : "",
			       nearest != NULL ? "'?)" : "");
		return false;
	}
	if (find_in_profile(kind, cfg->profile, known, id)) {
		return true;
	}
	if (find_in_profile(kind, ENGINE_PROFILE_DEFAULT, known, id)) {
		(void)snprintf(why, ENGINE_REASON_MAX,
			       "%s is not in profile modern, which is TLS 1.3 alone: it needs profile "
			       "default or legacy",
			       known);
	} else if (find_in_profile(kind, ENGINE_PROFILE_LEGACY, known, id)) {
		(void)snprintf(why, ENGINE_REASON_MAX, "%s needs profile legacy", known);
	} else {
		(void)snprintf(why, ENGINE_REASON_MAX,
			       "%s is not in the wolfSSL release that this was built with", known);
	}
	return false;
}

static enum engine_err set_names(struct engine_config *cfg, enum kind kind, const char *const *names,
				 size_t n, char why[static ENGINE_REASON_MAX])
{
	struct algorithms chosen;
	struct list list = list_of(&chosen, kind), own = list_of(&cfg->algorithms, kind);

	algorithms_of_profile(cfg->profile, &chosen);
	for (size_t i = 0; i < n; i++) {
		uint16_t id;

		if (!read_name(cfg, kind, names[i], &id, why)) {
			return ENGINE_ERR_CONFIG;
		}
		for (size_t k = 0; k < i; k++) {
			if (list.ids[k] == id) {
				(void)snprintf(why, ENGINE_REASON_MAX, "%s is named twice",
					       kinds[kind].name(id));
				return ENGINE_ERR_CONFIG;
			}
		}
		list.ids[i] = id; /* no name twice, so there is room for all */
	}
	*list.n = n > 0 ? n : *list.n;
	memcpy(own.ids, list.ids, *list.n * sizeof(*list.ids));
	*own.n = *list.n;
	return ENGINE_OK;
}

enum engine_err engine_config_set_suites(struct engine_config *cfg, const char *const *names, size_t n,
					 char why[static ENGINE_REASON_MAX])
{
	enum engine_err err = set_names(cfg, SUITES, names, n, why);

	if (err == ENGINE_OK) {
		cfg->algorithms.suites_are_ordered = n > 0;
	}
	return err;
}

enum engine_err engine_config_set_groups(struct engine_config *cfg, const char *const *names, size_t n,
					 char why[static ENGINE_REASON_MAX])
{
	return set_names(cfg, GROUPS, names, n, why);
}

enum engine_err engine_config_set_schemes(struct engine_config *cfg, const char *const *names, size_t n,
					  char why[static ENGINE_REASON_MAX])
{
	enum engine_err err = set_names(cfg, SCHEMES, names, n, why);

	if (err == ENGINE_OK) {
		/* who names schemes means these */
		cfg->algorithms.may_sign_sha1 = n == 0 && cfg->profile == ENGINE_PROFILE_LEGACY;
	}
	return err;
}
