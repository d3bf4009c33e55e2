/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling what a rule asks for.
 */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "rule.h"

/*
 * Print what a connection for which rule wins gets. name: the host name, NULL if it is not known; host: name or
 * address as it was given.
 */
void explain_outcome(const struct policy_rule *rule, const char *name, const char *host, FILE *out);

#endif
