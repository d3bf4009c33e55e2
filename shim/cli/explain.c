/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `tlshim explain`: which rule decides about a connection, and why.
 */
#include "cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

int cli_explain(int argc, char **argv)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = cli_default_policy();
	enum policy_direction direction;
	struct policy *policy;
	char why[512];
	bool done;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":p:", options, NULL)) != -1) {
		if (opt == ':') {
			return cli_usage_error("explain", "--policy needs a file");
		}
		if (opt != 'p') {
			return cli_usage_error("explain", "unknown option '%s'", argv[optind - 1]);
		}
		path = optarg;
	}
	if (argc - optind != 2) {
		return cli_usage_error("explain", "it needs a direction and a HOST:PORT");
	}
	if (strcmp(argv[optind], "connect") == 0) {
		direction = POLICY_CONNECT;
	} else if (strcmp(argv[optind], "accept") == 0) {
		direction = POLICY_ACCEPT;
	} else {
		return cli_usage_error("explain", "'%s' is neither connect nor accept", argv[optind]);
	}
	if (!cli_start_engine()) {
		return CLI_FAILED;
	}
	policy = cli_load_policy(path, CLI_LINT_NONE, NULL);
	if (policy == NULL) {
		return CLI_FAILED;
	}
	done = policy_explain(policy, direction, argv[optind + 1], stdout, why);
	policy_unref(policy);
	if (!done) {
		return cli_usage_error("explain", "%s", why);
	}
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}
