/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `tlshim check`: lint a policy with all the files that it names.
 */
#include "cli.h"

#include <stdio.h>

/* For the number of rules. */
#include "../../policy/rule.h"

int cli_check(int argc, char **argv)
{
	const char *path = cli_default_policy();
	struct policy *policy;
	unsigned n_warnings;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1] != '\0') {
			return cli_usage_error("check", "unknown option '%s'", argv[i]);
		}
	}
	if (argc > 2) {
		return cli_usage_error("check", "it checks one file at a time");
	}
	if (argc == 2) {
		path = argv[1];
	}
	if (!cli_start_engine()) {
		return CLI_FAILED;
	}
	policy = cli_load_policy(path, CLI_LINT_ALL, &n_warnings);
	if (policy == NULL) {
		return CLI_FAILED;
	}
	printf("%s: OK, %zu rule%s", path, policy->n_rules, policy->n_rules == 1 ? "" : "s");
	if (n_warnings > 0) {
		printf(", %u warning%s", n_warnings, n_warnings == 1 ? "" : "s");
	}
	putchar('\n');
	policy_unref(policy);
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}
