/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells the guard of `tlshim run` that the library is active.
 */
#include "report.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "sys.h"

/* The kernel's signal set: libc's is longer, and its functions pass over the signals that libc keeps to itself. */
static uint64_t change_mask(int how, uint64_t set)
{
	uint64_t old = 0;

	sys_call6(SYS_rt_sigprocmask, how, (long)&set, (long)&old, sizeof(set), 0, 0);
	return old;
}

static uint64_t set_of(int signal)
{
	return (uint64_t)1 << (signal - 1);
}

static int wait_for(pid_t pid, int options)
{
	siginfo_t info;

	/* The guard has no signal for its end: only who asks for such children sees it. */
	return (int)sys_call6(SYS_waitid, P_PID, pid, (long)&info, WEXITED | __WALL | options, 0, 0);
}

/* A program that is started with SIGCHLD blocked would find that of the guard. */
static void take_back_sigchld(pid_t guard)
{
	const struct timespec at_once = { 0, 0 };
	uint64_t set = set_of(SIGCHLD);
	siginfo_t info;

	if ((change_mask(SIG_BLOCK, 0) & set) != 0 &&
	    sys_call6(SYS_rt_sigtimedwait, (long)&set, (long)&info, (long)&at_once, sizeof(set), 0, 0) == SIGCHLD &&
	    info.si_pid != guard) {
		sys_call(SYS_kill, sys_getpid(), SIGCHLD, 0); /* another child's */
	}
}

void report_presence(const char *value)
{
	char *end;
	long pid = strtol(value, &end, 10), fd = -1;

	if (*end == ':') {
		fd = strtol(end + 1, &end, 10);
	}
	if (*end != '\0' || pid <= 0 || pid > INT_MAX || fd > INT_MAX || (fd >= 0 && fd < 3) ||
	    wait_for((pid_t)pid, WNOHANG | WNOWAIT) != 0) {
		return;
	}
	if (fd >= 0) {
		sys_call(SYS_write, fd, (char[]){ REPORT_BYTE }, 1);
		sys_close((int)fd);
	} else {
		uint64_t old = change_mask(SIG_UNBLOCK, set_of(SIGTRAP));

		sys_call(SYS_tgkill, sys_getpid(), sys_gettid(), SIGTRAP);
		change_mask(SIG_SETMASK, old);
	}
	while (wait_for((pid_t)pid, 0) == -EINTR) {
	}
	take_back_sigchld((pid_t)pid);
}
