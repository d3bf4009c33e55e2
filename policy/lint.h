/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of `tlshim check`: what is under way, and how findings are told.
 */
#ifndef POLICY_LINT_H
#define POLICY_LINT_H

#include "rule.h"

struct lint {
	const struct policy *policy;
	const struct diag *diag;
	int64_t now;
	enum policy_lint_depth depth;
	unsigned long n_comparisons;
	/* What has been told: an option of the default block comes back with every rule that uses it. */
	uint64_t *told;
	size_t n_told, told_room;
};

/* Report, unless the same has been said of the same place. */
void lint_tell(struct lint *lint, enum policy_severity severity, struct place at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* lint_options.c: what a rule's options say, before any file is read */
void lint_options(struct lint *lint, const struct policy_rule *rule);

#endif
