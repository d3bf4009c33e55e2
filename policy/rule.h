/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a policy snapshot: rules, the options given to them, and the memory they live in.
 *
 * Implementation notes: everything that parsing makes lies in the snapshot's own blocks and is freed with
 * it; nothing but the two caches (engine configurations and trust sets, under policy->lock) changes after
 * policy_parse().
 */
#ifndef POLICY_RULE_H
#define POLICY_RULE_H

#include <pthread.h>

#include "options.h"
#include "pattern.h"
#include "policy.h"

#define RULE_MAX_RULES    4096
#define RULE_MAX_PATTERNS 256

/* Where a rule's engine configuration is kept once it is loaded. */
struct rule_cache {
	_Atomic(struct engine_config *) config;
};

struct policy_rule {
	struct policy *policy;
	struct place at;
	bool is_broken;   /* errors were reported in it; such a policy is never handed out */
	const char *text; /* for policy_rule_text() */
	enum policy_direction direction;
	enum policy_action action;
	const char *protocol;           /* of starttls, else NULL */
	const struct pattern *patterns; /* a list in the order written */
	const char *program;            /* glob, NULL: any */
	const char *user;               /* as written, NULL: any */
	uint32_t uid;
	struct option own[N_OPTIONS]; /* what its own block says */
	struct rule_cache *cache;
};

/* What the files that decide who the peer may be hold: sessions must not outlive a change of them. */
struct rule_digest {
	uint8_t sum[32];
	bool failed; /* it is not known */
};

/* A trust set that several rules share: key is the list of its sources. */
struct rule_trust {
	struct rule_trust *next;
	char *key;
	struct engine_trust *trust;
	struct rule_digest digest;
};

struct rule_block;

struct policy {
	_Atomic unsigned refs;
	const char *file;      /* as given, for messages */
	const char *directory; /* absolute, for relative paths */
	struct policy_rule **rules;
	size_t n_rules, rules_room;
	struct option defaults[N_OPTIONS];
	struct place defaults_at; /* line 0: there is no default block */
	struct rule_block *blocks;
	pthread_mutex_t lock; /* guards trusts and the filling of rule caches */
	struct rule_trust *trusts;
};

/* A new empty snapshot with one reference, NULL if out of memory. */
struct policy *rule_new_policy(const char *file, const char *directory);
/* Zeroed memory that lives as long as the snapshot, NULL if there is none. */
void *rule_alloc(struct policy *policy, size_t size);
char *rule_strdup(struct policy *policy, const char *text);
/* Append an empty rule; NULL if out of memory. */
struct policy_rule *rule_add(struct policy *policy);

/* Make what policy_rule_text() gives, once the rule is complete: "FILE:LINE: accept *:8443 tls". */
bool rule_write_text(struct policy_rule *rule);

/*
 * The option in force for rule: its own, else the default block's where it may stand in this kind of rule,
 * else NULL. A rule with a certificate or key of its own inherits neither, nor an OCSP response; one with a profile of
 * its own no versions, suites, groups and signature algorithms.
 */
const struct option *rule_option(const struct policy_rule *rule, enum option_id id);
/* Its number (see options.c), or fallback if the option is not in force. */
long rule_number(const struct policy_rule *rule, enum option_id id, long fallback);

/* May connections of this rule be resumed? */
bool rule_keeps_sessions(const struct policy_rule *rule);
/* The profile in force. */
enum engine_profile rule_profile(const struct policy_rule *rule);
/* True for the actions that put TLS on a connection. */
bool rule_is_wrapped(const struct policy_rule *rule);
/* "tls", "starttls smtp", … */
const char *rule_action_name(enum policy_action action);
/* The sentence on actions that this version parses but cannot perform; NULL if it can. */
const char *rule_unavailable(const struct policy_rule *rule);

/* What kept a rule's configuration from being loaded, and where in the policy each of it is to be mended. */
#define RULE_MAX_COMPLAINTS 8
struct rule_complaints {
	size_t n;
	struct rule_complaint {
		struct place at;
		char text[400];
	} list[RULE_MAX_COMPLAINTS];
};
/* As policy_rule_config(), with the places. The caller does not hold policy->lock. */
struct engine_config *rule_load_config(const struct policy_rule *rule, struct rule_complaints *complaints);
/*
 * A configuration with the rule's profile, versions and algorithms alone, to ask for what can be negotiated; the caller
 * releases it. NULL with complaints if they do not go together.
 */
struct engine_config *rule_algorithms(const struct policy_rule *rule, struct rule_complaints *complaints);
/* Where that is to be mended. */
struct place rule_place_of_algorithms(const struct policy_rule *rule);
/* Does the rule verify certificates of peers? */
bool rule_verifies(const struct policy_rule *rule);
/*
 * Is the rule's certificate issued by an authority of the system's, or one that a rule loaded so far
 * trusts? For lint.
 */
bool rule_issuer_is_known(const struct policy_rule *rule);
/* The path that `trust system` means here, NULL if no store is found. */
const char *rule_system_trust(void);

#endif
