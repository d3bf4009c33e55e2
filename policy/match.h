/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two halves of "does this rule fit?", shared by matching and explaining. Async-signal-safe.
 */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include "rule.h"

/* Do the clauses `program` and `user` fit? A program that is not known (NULL) fits no `program` clause. */
bool match_process(const struct policy_rule *rule, const char *program, const char *started_as, uint32_t uid);

/*
 * The best answer of the rule's patterns. *which: the pattern that gave it (unless NULL, or none fits the
 * port); *name: the name that it fits by, untouched otherwise.
 */
enum pattern_match match_socket(const struct policy_rule *rule, const struct pattern_subject *subject,
				const struct pattern **which, const char **name);

/*
 * Given the 16 bytes: IPv4-mapped counts as IPv4, and a connection to 0.0.0.0 or :: ends at the loopback
 * address.
 */
void match_settle_address(enum policy_direction direction, struct pattern_address *address);

#endif
