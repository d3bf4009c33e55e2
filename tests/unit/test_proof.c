/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim/cli/proof.c: a program in which the library is not active is found out, before and after it was started.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../shim/cli/elf.h"
#include "../../shim/cli/proof.h"

static char loader[256];

/* libc stands in for our library: it is surely mapped. */
static char *find_library(void)
{
	static char line[4200];
	FILE *maps = fopen("/proc/self/maps", "re");
	char *path = NULL;

	assert_non_null(maps);
	while (path == NULL && fgets(line, sizeof(line), maps) != NULL) {
		if (strstr(line, "/libc.so.") != NULL) {
			path = strchr(line, '/');
			path[strcspn(path, "\n")] = '\0';
		}
	}
	fclose(maps);
	return path;
}

static void probe_finds_a_library_that_loads(void **state)
{
	const char *library = find_library();
	char why[512];

	(void)state;
	if (library == NULL) {
		skip();
	}
	setenv("LD_PRELOAD", library, 1);
	assert_true(proof_probe(loader, "/bin/true", library, why));
	unsetenv("LD_PRELOAD");
}

static void probe_tells_what_the_loader_says(void **state)
{
	char why[512];

	(void)state;
	setenv("LD_PRELOAD", "/nonexistent/libtlshim.so", 1);
	assert_false(proof_probe(loader, "/bin/true", "/nonexistent/libtlshim.so", why));
	assert_non_null(strstr(why, "/nonexistent/libtlshim.so"));
	assert_non_null(strstr(why, "cannot be preloaded"));
	unsetenv("LD_PRELOAD");
	assert_false(proof_probe(loader, "/bin/true", "/nonexistent/libtlshim.so", why));
	assert_non_null(strstr(why, "passes over"));
}

static void probe_refuses_what_is_no_loader(void **state)
{
	char why[512];

	(void)state;
	assert_false(proof_probe("/nonexistent/ld.so", "/bin/true", "/lib/x.so", why));
	assert_non_null(strstr(why, "/nonexistent/ld.so"));
	assert_false(proof_probe("/bin/true", "/bin/true", "/lib/x.so", why));
}

/* In a child: start the guard for library, do act, and give the wait status. */
static int with_guard(const char *library, void (*act)(struct proof_guard *guard))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct proof_guard guard;
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 2);
		alarm(20);
		if (!proof_guard_start(&guard, "the program", library)) {
			_exit(99);
		}
		act(&guard);
		_exit(98);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void exec_sleep(struct proof_guard *guard)
{
	(void)guard;
	execl("/bin/sleep", "sleep", "10", NULL);
}

static void report_and_exit(struct proof_guard *guard)
{
	const char *number = getenv(PROOF_VARIABLE);

	if (number == NULL || atoi(number) != guard->proof_fd || (fcntl(guard->proof_fd, F_GETFD) & FD_CLOEXEC) != 0) {
		_exit(1);
	}
	_exit(write(guard->proof_fd, "A", 1) == 1 ? 0 : 2);
}

static void report_then_live_on(struct proof_guard *guard)
{
	if (write(guard->proof_fd, "A", 1) == 1) {
		close(guard->proof_fd);
		unsetenv(PROOF_VARIABLE);
		execl("/bin/sleep", "sleep", "0.3", NULL);
	}
}

static void dismiss_and_live_on(struct proof_guard *guard)
{
	proof_guard_dismiss(guard);
	usleep(200000);
	_exit(0);
}

static void close_without_report(struct proof_guard *guard)
{
	char command[64];

	snprintf(command, sizeof(command), "exec %d>&-; sleep 10", guard->proof_fd < 10 ? guard->proof_fd : 9);
	fcntl(guard->proof_fd, F_SETFD, FD_CLOEXEC);
	execl("/bin/sh", "sh", "-c", command, NULL);
}

static void wait_for_strangers(struct proof_guard *guard)
{
	(void)guard;
	/* No child is to be seen, now or later. */
	usleep(50000);
	_exit(waitpid(-1, NULL, WNOHANG) == -1 ? 0 : 1);
}

static void guard_kills_a_program_without_the_library(void **state)
{
	int status = with_guard("/nonexistent/libtlshim.so", exec_sleep);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void guard_kills_a_program_that_closes_the_pipe(void **state)
{
	int status = with_guard(find_library(), close_without_report);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void guard_is_content_with_the_report(void **state)
{
	(void)state;
	assert_int_equal(with_guard("/nonexistent/libtlshim.so", report_and_exit), 0);
	assert_int_equal(with_guard("/nonexistent/libtlshim.so", report_then_live_on), 0);
}

static void guard_can_be_dismissed(void **state)
{
	(void)state;
	assert_int_equal(with_guard("/nonexistent/libtlshim.so", dismiss_and_live_on), 0);
}

static void guard_is_nobodys_child(void **state)
{
	(void)state;
	assert_int_equal(with_guard("/nonexistent/libtlshim.so", wait_for_strangers), 0);
}

static void subreapers_get_no_guard(void **state)
{
	struct proof_guard guard;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_true(proof_guard_start(&guard, "x", "/x"));
	assert_int_equal(guard.proof_fd, -1);
	assert_null(getenv(PROOF_VARIABLE));
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static int set_up(void **state)
{
	struct elf_report report;

	(void)state;
	if (elf_check("/bin/true", NULL, &report) != ELF_FITS) {
		return -1;
	}
	strcpy(loader, report.interp);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probe_finds_a_library_that_loads),
		cmocka_unit_test(probe_tells_what_the_loader_says),
		cmocka_unit_test(probe_refuses_what_is_no_loader),
		cmocka_unit_test(guard_kills_a_program_without_the_library),
		cmocka_unit_test(guard_kills_a_program_that_closes_the_pipe),
		cmocka_unit_test(guard_is_content_with_the_report),
		cmocka_unit_test(guard_can_be_dismissed),
		cmocka_unit_test(guard_is_nobodys_child),
		cmocka_unit_test(subreapers_get_no_guard),
	};

	return cmocka_run_group_tests_name("proof", tests, set_up, NULL);
}
