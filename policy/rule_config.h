/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts that rule_config.c puts an engine configuration together from. All are called with policy->lock held.
 */
#ifndef POLICY_RULE_CONFIG_H
#define POLICY_RULE_CONFIG_H

#include "load.h"
#include "rule.h"

/* Add to the list, which is kept in the order of the lines. */
void rule_complain(struct rule_complaints *complaints, struct place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The values of an option that may be missing; returns how many. */
size_t rule_list_texts(const struct option *option, const char *texts[static OPTION_MAX_VALUES]);

/* Add what a file holds, in any order. */
void rule_digest_add(struct rule_digest *digest, const struct load_bytes *bytes);

/* rule_config.c: profile, versions, suites, groups, schemes */
void rule_set_algorithms(const struct policy_rule *rule, struct engine_config *config,
			 struct rule_complaints *complaints);

/*
 * rule_credential.c: our certificates with their keys and OCSP responses, into digest too unless it is NULL; keys for
 * tickets
 */
void rule_add_credentials(const struct policy_rule *rule, struct engine_config *config,
			  struct rule_complaints *complaints, struct rule_digest *digest);
void rule_set_ticket_keys(const struct policy_rule *rule, struct engine_config *config,
			  struct rule_complaints *complaints);

/* rule_trust.c: authorities, pins, revocation, names; with a digest of all files that were read for it */
void rule_set_trust(const struct policy_rule *rule, struct engine_config *config,
		    struct rule_complaints *complaints, struct rule_digest *digest);
/* The set for these values of `trust`, from the snapshot's list or read now. Borrowed; NULL after complaining. */
const struct rule_trust *rule_find_trust(struct policy *policy, const struct option_value *values,
					 struct rule_complaints *complaints);

/* rule_session.c: how long sessions may be resumed, and by which configurations */
void rule_set_sessions(const struct policy_rule *rule, struct engine_config *config,
		       struct rule_complaints *complaints, const struct rule_digest *digest);

#endif
