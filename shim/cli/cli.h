/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the subcommands of `tlshim` share.
 */
#ifndef SHIM_CLI_CLI_H
#define SHIM_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "../../policy/policy.h"

#define TLSHIM_VERSION "0.1.0"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,	    /* the policy or a file is at fault */
	CLI_USAGE = 2,
	CLI_REFUSED = 126,  /* run: the program cannot be wrapped, or not executed */
	CLI_NOT_FOUND = 127 /* run: no such program */
};

/* Each takes its own argv: argv[0] is the subcommand's name. Returns the exit status. */
int cli_run(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_dev_cert(int argc, char **argv);

/* Say what was wrong with the arguments of `command` and how it is used; returns CLI_USAGE. */
int cli_usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Print the help of `command` on standard output; returns CLI_OK. */
int cli_help(const char *command);

/* "tlshim: TEXT" on standard error. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Start the engine with randomness and time of this system; false with a message if it cannot be. */
bool cli_start_engine(void);

/* The policy that `run`, `check` and `explain` mean if none is named: $TLSHIM_POLICY, else /etc/tlshim/policy. */
const char *cli_default_policy(void);
/* How much of a policy is checked: nothing but its grammar, what a start needs, all. */
enum cli_lint { CLI_LINT_NONE, CLI_LINT_START, CLI_LINT_ALL };
/*
 * Load the policy at path and, check it as far as lint says; messages go to standard error. NULL if an error
 * was reported. The caller drops the reference.
 */
struct policy *cli_load_policy(const char *path, enum cli_lint lint, unsigned *n_warnings);

#endif
