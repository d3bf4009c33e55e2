/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command `tlshim`: the table of subcommands, their help, and what they share.
 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Numbers only: the engine alone calls wolfSSL. */
#include <wolfssl/version.h>

static int command_help(int argc, char **argv);
static int command_version(int argc, char **argv);

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments;
	const char *summary;
	const char *details;
};

/* clang-format off */
static const struct command commands[] = {
	{ "run", cli_run, "[--policy FILE] [--force] [--] PROGRAM [ARGUMENT...]",
	  "start a program with its sockets wrapped as the policy says",
	  "  -p, --policy FILE  the policy; default $TLSHIM_POLICY, else /etc/tlshim/policy\n"
	  "  -f, --force        start programs that cannot be wrapped, too: they then run UNPROTECTED\n"
	  "\n"
	  "The policy is checked first, with all the files that it names: if it has errors, nothing is started.\n"
	  "The program replaces tlshim: same process, same signals, same exit status. Exit status 126 means\n"
	  "that it cannot be wrapped (static, set-user-ID, Go, other libc or architecture), 127 that it was not\n"
	  "found.\n"
	  "\n"
	  "TLSHIM_LOG=error|warn|info|debug and TLSHIM_LOG_FILE=PATH steer the messages of the shim.\n" },
	{ "check", cli_check, "[FILE]",
	  "check a policy with its certificates and keys",
	  "FILE defaults to $TLSHIM_POLICY, else /etc/tlshim/policy. Exit status 1 if there are errors.\n" },
	{ "explain", cli_explain, "[--policy FILE] connect|accept HOST:PORT",
	  "say which rule decides about a connection, and why",
	  "  -p, --policy FILE  the policy; default $TLSHIM_POLICY, else /etc/tlshim/policy\n"
	  "\n"
	  "HOST is a name or an address; IPv6 addresses go into brackets: [::1]:443.\n" },
	{ "doctor", cli_doctor, "[--policy FILE]... PROGRAM",
	  "say whether a program can be wrapped, and what to expect",
	  "  -p, --policy FILE  also say what this policy means for the program\n"
	  "\n"
	  "PROGRAM is looked up in PATH if it has no slash; scripts are judged by their interpreter. Nothing of it is\n"
	  "executed. The first line is the verdict: `can be wrapped`, `can be wrapped, with notes`, or `cannot be\n"
	  "wrapped` with the reason. Below it: the calls that it and its libraries import, as far as they concern\n"
	  "descriptors, processes and names, and notes on what they mean. Exit status 1 if it cannot be wrapped.\n" },
	{ "dev-cert", cli_dev_cert, "[--force] [--days N] DIR [NAME...]",
	  "make a throw-away CA and a server certificate for trying things out",
	  "  --force   overwrite files that exist\n"
	  "  --days N  valid for N days (1 to 3650, default 30)\n"
	  "\n"
	  "Writes DIR/ca.pem, DIR/server.pem and DIR/server.key. NAMEs are DNS names or addresses; default:\n"
	  "localhost 127.0.0.1 ::1. The CA's own key is thrown away, so that it can sign nothing else.\n" },
	{ "version", command_version, "", "print the versions of tlshim and of wolfSSL", "" },
	{ "help", command_help, "[COMMAND]", "explain a command", "" },
};
/* clang-format on */

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

static void print_overview(FILE *out)
{
	fputs("usage: tlshim COMMAND [ARGUMENT...]\n\nTLS for programs that have none, by a policy.\n\n", out);
	for (size_t i = 0; i < N_COMMANDS; i++) {
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	}
	fputs("\n`tlshim help COMMAND` says more; the language of policies is in tlshim-policy(5).\n", out);
}

static void print_usage(FILE *out, const struct command *command)
{
	fprintf(out, "usage: tlshim %s%s%s\n", command->name, command->arguments[0] != '\0' ? " " : "",
		command->arguments);
}

int cli_help(const char *name)
{
	const struct command *command = find_command(name);

	print_usage(stdout, command);
	printf("\n%c%s.\n", command->summary[0] - 'a' + 'A', command->summary + 1);
	if (command->details[0] != '\0') {
		printf("\n%s", command->details);
	}
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

int cli_usage_error(const char *name, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "tlshim %s: ", name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	print_usage(stderr, find_command(name));
	return CLI_USAGE;
}

static bool random_bytes(uint8_t *buf, size_t len)
{
	while (len > 0) {
		ssize_t n = getrandom(buf, len, 0);

		if (n < 0 && errno != EINTR) {
			return false;
		}
		if (n > 0) {
			buf += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static int64_t seconds_now(void)
{
	return (int64_t)time(NULL);
}

bool cli_start_engine(void)
{
	static const struct engine_env env = {
		.alloc = malloc,
		.release = free,
		.resize = realloc,
		.random = random_bytes,
		.now = seconds_now,
	};

	if (!engine_init(&env)) {
		cli_say("the cryptographic library fails its start-up check");
		return false;
	}
	return true;
}

const char *cli_default_policy(void)
{
	const char *path = getenv("TLSHIM_POLICY");

	return path != NULL && path[0] != '\0' ? path : "/etc/tlshim/policy";
}

static void report(void *ctx, enum policy_severity severity, const char *text)
{
	(void)ctx;
	(void)severity;
	fprintf(stderr, "%s\n", text);
}

struct policy *cli_load_policy(const char *path, enum cli_lint lint, unsigned *n_warnings)
{
	struct policy_diag diag = { .report = report };
	struct policy *policy = policy_load(path, &diag);

	if (policy != NULL && lint != CLI_LINT_NONE &&
	    !policy_lint(policy, seconds_now(), lint == CLI_LINT_ALL ? POLICY_LINT_ALL : POLICY_LINT_START, &diag)) {
		policy_unref(policy);
		policy = NULL;
	}
	if (n_warnings != NULL) {
		*n_warnings = diag.n_warnings;
	}
	return policy;
}

static int command_version(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		return cli_usage_error("version", "it takes no arguments");
	}
	printf("tlshim %s (wolfSSL %s)\n", TLSHIM_VERSION, LIBWOLFSSL_VERSION_STRING);
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

static int command_help(int argc, char **argv)
{
	if (argc > 2) {
		return cli_usage_error("help", "it explains one command at a time");
	}
	if (argc == 2) {
		if (find_command(argv[1]) == NULL) {
			return cli_usage_error("help", "there is no command '%s'", argv[1]);
		}
		return cli_help(argv[1]);
	}
	print_overview(stdout);
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_overview(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		return command_version(argc - 1, argv + 1);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		return command_help(argc - 1, argv + 1);
	}
	command = find_command(argv[1]);
	if (command == NULL) {
		cli_say("there is no command '%s'; `tlshim help` lists them", argv[1]);
		return CLI_USAGE;
	}
	if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
		return cli_help(command->name);
	}
	return command->run(argc - 1, argv + 1);
}
