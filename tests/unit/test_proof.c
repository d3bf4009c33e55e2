/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim/cli/probe.c, guard.c, hold.c and shim/report.c: a program in which the library is not active is found out,
 * and whoever reports is let go. Each with a guard that holds the program and with one that may only watch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../shim/cli/elf.h"
#include "../../shim/cli/proof.h"
#include "../../shim/report.h"

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

/* As containers of the stricter kind do. */
static void forbid_tracing(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = 4, .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
		_exit(97);
	}
}

static bool may_trace;

/* In a child: start the guard for library, do act, and give the wait status. */
static int with_guard(const char *library, void (*act)(struct proof_guard *guard))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		const struct proof_subject subject = {
			.name = "the program",
			.interp = loader,
			.program = "/bin/sleep",
			.library = library,
		};
		struct proof_guard guard;
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 2);
		alarm(20);
		if (!may_trace) {
			forbid_tracing();
		}
		if (!proof_guard_start(&guard, &subject)) {
			_exit(99);
		}
		if (guard.holds != may_trace) {
			_exit(96);
		}
		act(&guard);
		_exit(98);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Is there any child, now or later? */
static bool has_children(void)
{
	usleep(20000);
	return waitpid(-1, NULL, WNOHANG | __WALL) != -1 || errno != ECHILD;
}

static void exec_sleep(struct proof_guard *guard)
{
	(void)guard;
	execl("/bin/sleep", "sleep", "10", NULL);
}

/* As the library does. */
static void report(void)
{
	report_presence(getenv(REPORT_VARIABLE));
	unsetenv(REPORT_VARIABLE);
}

static void report_and_exit(struct proof_guard *guard)
{
	if (!guard->holds && (fcntl(guard->proof_fd, F_GETFD) & FD_CLOEXEC) != 0) {
		_exit(1);
	}
	report();
	_exit(has_children() ? 2 : 0);
}

static void report_then_live_on(struct proof_guard *guard)
{
	(void)guard;
	report();
	execl("/bin/sleep", "sleep", "0.3", NULL);
}

static void report_with_blocked_signals(struct proof_guard *guard)
{
	sigset_t all, pending;

	(void)guard;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	report();
	sigpending(&pending);
	_exit(sigismember(&pending, SIGCHLD) || sigismember(&pending, SIGTRAP) ? 1 : 0);
}

static void report_with_ignored_signals(struct proof_guard *guard)
{
	(void)guard;
	signal(SIGCHLD, SIG_IGN);
	signal(SIGTRAP, SIG_IGN);
	report();
	_exit(has_children() ? 1 : 0);
}

/* The guard's own end must not be taken for a child's of the program, nor the other way round. */
static void report_beside_a_dead_child(struct proof_guard *guard)
{
	sigset_t set, pending;
	pid_t child;

	(void)guard;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	child = fork();
	if (child == 0) {
		_exit(5);
	}
	waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT);
	report();
	sigpending(&pending);
	_exit(sigismember(&pending, SIGCHLD) && waitpid(-1, NULL, 0) == child ? 0 : 1);
}

static void report_as_subreaper(struct proof_guard *guard)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	report_and_exit(guard);
}

static void dismiss_and_live_on(struct proof_guard *guard)
{
	proof_guard_dismiss(guard);
	_exit(has_children() ? 1 : 0);
}

static void fail_to_exec(struct proof_guard *guard)
{
	execl("/nonexistent/program", "x", NULL);
	proof_guard_dismiss(guard);
	_exit(errno == ENOENT && !has_children() ? 0 : 1);
}

static void stop_and_go_on(struct proof_guard *guard)
{
	pid_t self = getpid(), helper = fork();

	if (helper == 0) {
		usleep(100000);
		kill(self, SIGCONT);
		_exit(0);
	}
	raise(SIGSTOP);
	waitpid(helper, NULL, 0);
	report_and_exit(guard);
}

static void signals_are_passed_on(struct proof_guard *guard)
{
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	(void)guard;
	raise(SIGTERM);
}

static void close_without_report(struct proof_guard *guard)
{
	char command[64];

	snprintf(command, sizeof(command), "exec %d>&-; sleep 10", guard->proof_fd < 10 ? guard->proof_fd : 9);
	fcntl(guard->proof_fd, F_SETFD, FD_CLOEXEC);
	execl("/bin/sh", "sh", "-c", command, NULL);
}

static void lie_about_the_guard(struct proof_guard *guard)
{
	proof_guard_dismiss(guard);
	/* None of these is a child of ours: nothing is to happen. */
	report_presence("1");
	report_presence("1:2");
	report_presence("999999999999999999999");
	report_presence("");
	report_presence("x");
	report_presence("-1:5");
	_exit(0);
}

static void program_without_the_library_does_not_run(void **state)
{
	int status;

	(void)state;
	may_trace = true;
	status = with_guard("/nonexistent/libtlshim.so", exec_sleep);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 126);
}

static void program_without_the_library_is_killed_if_it_could_not_be_held(void **state)
{
	int status;

	(void)state;
	may_trace = false;
	status = with_guard("/nonexistent/libtlshim.so", exec_sleep);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void guard_kills_a_program_that_closes_the_pipe(void **state)
{
	int status;

	(void)state;
	may_trace = false;
	status = with_guard(find_library(), close_without_report);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void both_ways(void (*act)(struct proof_guard *guard))
{
	may_trace = true;
	assert_int_equal(with_guard("/nonexistent/libtlshim.so", act), 0);
	may_trace = false;
	assert_int_equal(with_guard("/nonexistent/libtlshim.so", act), 0);
}

static void guard_is_content_with_the_report(void **state)
{
	(void)state;
	both_ways(report_and_exit);
	both_ways(report_then_live_on);
}

static void guard_leaves_no_trace(void **state)
{
	(void)state;
	both_ways(report_with_blocked_signals);
	both_ways(report_with_ignored_signals);
	both_ways(report_beside_a_dead_child);
	both_ways(report_as_subreaper);
}

static void guard_can_be_dismissed(void **state)
{
	(void)state;
	both_ways(dismiss_and_live_on);
	both_ways(fail_to_exec);
}

static void signals_reach_who_is_held(void **state)
{
	int status;

	(void)state;
	both_ways(stop_and_go_on);
	may_trace = true;
	status = with_guard("/nonexistent/libtlshim.so", signals_are_passed_on);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void strangers_are_not_reported_to(void **state)
{
	(void)state;
	both_ways(lie_about_the_guard);
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
		cmocka_unit_test(program_without_the_library_does_not_run),
		cmocka_unit_test(program_without_the_library_is_killed_if_it_could_not_be_held),
		cmocka_unit_test(guard_kills_a_program_that_closes_the_pipe),
		cmocka_unit_test(guard_is_content_with_the_report),
		cmocka_unit_test(guard_leaves_no_trace),
		cmocka_unit_test(guard_can_be_dismissed),
		cmocka_unit_test(signals_reach_who_is_held),
		cmocka_unit_test(strangers_are_not_reported_to),
	};

	return cmocka_run_group_tests_name("proof", tests, set_up, NULL);
}
