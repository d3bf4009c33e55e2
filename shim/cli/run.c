/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `tlshim run`: checks policy and program, sets the environment, executes.
 */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "../report.h"
#include "elf.h"
#include "proof.h"

#define LIBRARY "libtlshim.so"

struct run {
	const char *policy;
	bool force;
	char policy_path[PATH_MAX];	/* absolute */
	char library[PATH_MAX];		/* absolute, without symbolic links: as /proc/PID/maps shows it */
	char program[ELF_PATH_MAX];	/* found in PATH */
	struct elf_report report;
};

static bool parse_arguments(int argc, char **argv, struct run *run, int *status)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "force", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	run->policy = cli_default_policy();
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:p:f", options, NULL)) != -1) {
		switch (opt) {
		case 'p':
			run->policy = optarg;
			break;
		case 'f':
			run->force = true;
			break;
		case ':':
			*status = cli_usage_error("run", "--policy needs a file");
			return false;
		default:
			*status = cli_usage_error("run", "unknown option '%s'", argv[optind - 1]);
			return false;
		}
	}
	if (optind >= argc) {
		*status = cli_usage_error("run", "it needs a program to start");
		return false;
	}
	return true;
}

/* Absolute, but with its symbolic links: the policy's own relative paths go by where it was said to be. */
static bool make_absolute(const char *path, char out[static PATH_MAX])
{
	char directory[PATH_MAX];
	int n;

	if (path[0] == '/') {
		n = snprintf(out, PATH_MAX, "%s", path);
	} else {
		if (getcwd(directory, sizeof(directory)) == NULL) {
			return false;
		}
		n = snprintf(out, PATH_MAX, "%s/%s", directory, path);
	}
	if (n >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return false;
	}
	return true;
}

/* The library lies beside the command, or in ../lib/tlshim seen from there. */
static bool find_library(char out[static PATH_MAX])
{
	static const char *const places[] = { "", "/../lib/tlshim" };
	char self[PATH_MAX], path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
	} else if (realpath((const char *)getauxval(AT_EXECFN), self) == NULL) {
		/* Where there is no /proc, the kernel has still told the path. */
		cli_say("cannot find out where %s is: /proc/self/exe: %s", LIBRARY, strerror(errno));
		return false;
	}
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		n = snprintf(path, sizeof(path), "%s%s/" LIBRARY, self, places[i]);
		if (n < PATH_MAX && realpath(path, out) != NULL) {
			return true;
		}
	}
	cli_say("%s is neither in %s nor in %s/../lib/tlshim: nothing was started", LIBRARY, self, self);
	return false;
}

static bool check_library(const char *library)
{
	if (access(library, R_OK) != 0) {
		cli_say("%s cannot be read (%s): the program would run unprotected, so it was not started", library,
			strerror(errno));
		return false;
	}
	/* The loader splits LD_PRELOAD at these, and expands $ORIGIN and the like. */
	if (strpbrk(library, ": \t$") != NULL) {
		cli_say("%s: a path with a blank, a colon or a dollar sign cannot be preloaded", library);
		return false;
	}
	return true;
}

static bool is_our_library(const char *entry, size_t len)
{
	size_t name_len = strlen(LIBRARY);

	return len >= name_len && memcmp(entry + len - name_len, LIBRARY, name_len) == 0 &&
	       (len == name_len || entry[len - name_len - 1] == '/');
}

/* Ours first, then what was there; other copies of our library are left out, or there would be TLS in TLS. */
static bool set_preload(const char *library)
{
	const char *old = getenv("LD_PRELOAD");
	size_t len = strlen(library);
	char *list = malloc(len + (old != NULL ? strlen(old) + 1 : 0) + 1);
	bool good;

	if (list == NULL) {
		return false;
	}
	memcpy(list, library, len);
	while (old != NULL && *old != '\0') {
		size_t entry_len = strcspn(old, ": ");

		if (entry_len > 0 && !is_our_library(old, entry_len)) {
			list[len++] = ':';
			memcpy(list + len, old, entry_len);
			len += entry_len;
		}
		old += entry_len;
		old += *old != '\0';
	}
	list[len] = '\0';
	good = setenv("LD_PRELOAD", list, 1) == 0;
	free(list);
	return good;
}

/* Find the program and judge it. CLI_OK, or the exit status. */
static int check_program(struct run *run, const char *name)
{
	const char *search_path = getenv("PATH");
	enum elf_verdict verdict = elf_look_up(name, search_path, run->program);

	if (verdict == ELF_NOT_FOUND) {
		cli_say("%s: command not found", name);
		return CLI_NOT_FOUND;
	}
	verdict = elf_check(run->program, search_path, &run->report);
	if (verdict == ELF_FITS) {
		return CLI_OK;
	}
	if (verdict == ELF_NOT_FOUND || verdict == ELF_NOT_EXECUTABLE || verdict == ELF_NOT_ELF) {
		const char *what = run->report.program[0] != '\0' ? run->report.program : run->program;
		bool why = verdict == ELF_NOT_EXECUTABLE && run->report.program[0] != '\0';
		const char *stop = why ? ": it " : "";
		const char *reason = why ? elf_why_not_executable(&run->report) : "";

		if (strcmp(what, run->program) == 0) {
			cli_say("%s %s%s%s", what, elf_verdict_text(verdict), stop, reason);
		} else {
			cli_say("%s: its interpreter %s %s%s%s", run->program, what, elf_verdict_text(verdict), stop,
				reason);
		}
		return verdict == ELF_NOT_FOUND ? CLI_NOT_FOUND : CLI_REFUSED;
	}
	if (run->force) {
		cli_say("warning: %s %s; started all the same, UNPROTECTED, because of --force",
			run->report.program, elf_verdict_text(verdict));
		run->report.interp[0] = '\0';
		return CLI_OK;
	}
	cli_say("%s %s, so it was not started (--force starts it unprotected)", run->report.program,
		elf_verdict_text(verdict));
	return CLI_REFUSED;
}

/* Who insists gets the loader's opinion, and is not watched. */
static void warn_if_missing(const struct proof_subject *subject)
{
	char why[512];

	if (!proof_probe(subject->interp, subject->program, subject->library, why)) {
		cli_say("warning: %s runs UNPROTECTED: %s", subject->name, why);
	}
}

/* See to it that the program does not run without the library. */
static bool prove(const struct proof_subject *subject, struct proof_guard *guard)
{
	char why[512];

	if (!proof_guard_start(guard, subject)) {
		cli_say("cannot watch over the start of %s: %s", subject->name, strerror(errno));
		return false;
	}
	if (!guard->holds && !proof_probe(subject->interp, subject->program, subject->library, why)) {
		proof_guard_dismiss(guard);
		cli_say("%s would run unprotected, so it was not started: %s", subject->name, why);
		return false;
	}
	return true;
}

static int execute(struct run *run, char **argv)
{
	const struct proof_subject subject = {
		.name = run->program,
		.interp = run->report.interp,
		.program = run->report.program,
		.library = run->library,
	};
	struct proof_guard guard = { .pid = -1, .proof_fd = -1, .exec_fd = -1 };
	int err;

	if (!set_preload(run->library) || setenv("TLSHIM_POLICY", run->policy_path, 1) != 0 ||
	    unsetenv(REPORT_VARIABLE) != 0) {
		cli_say("%s", strerror(errno));
		return CLI_REFUSED;
	}
	if (run->report.interp[0] != '\0') {
		if (run->force) {
			warn_if_missing(&subject);
		} else if (!prove(&subject, &guard)) {
			return CLI_REFUSED;
		}
	}
	/* With a slash in it, it is not looked up again; text without "#!" goes to the shell. */
	execvp(run->program, argv);
	err = errno;
	proof_guard_dismiss(&guard);
	cli_say("%s: %s", run->program, strerror(err));
	return err == ENOENT ? CLI_NOT_FOUND : CLI_REFUSED;
}

int cli_run(int argc, char **argv)
{
	static struct run run;
	struct policy *policy;
	int status = CLI_OK;

	if (!parse_arguments(argc, argv, &run, &status)) {
		return status;
	}
	if (!make_absolute(run.policy, run.policy_path)) {
		cli_say("%s: %s", run.policy, strerror(errno));
		return CLI_FAILED;
	}
	if (!find_library(run.library) || !check_library(run.library)) {
		return CLI_REFUSED;
	}
	status = check_program(&run, argv[optind]);
	if (status != CLI_OK) {
		return status;
	}
	if (!cli_start_engine()) {
		return CLI_FAILED;
	}
	policy = cli_load_policy(run.policy, CLI_LINT_START, NULL);
	if (policy == NULL) {
		cli_say("the policy has errors, so %s was not started", argv[optind]);
		return CLI_FAILED;
	}
	/* Its keys are wiped before other processes are made. */
	policy_unref(policy);
	return execute(&run, argv + optind);
}
