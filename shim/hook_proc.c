/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks on processes: fork and the ends that run no destructors.
 *
 * Implementation notes: our fork handlers (init.c) run for fork(), daemon() and forkpty(), not for _Fork()
 * and clone(). vfork() cannot be wrapped by a C function; its child is recognised where it matters
 * (session.c).
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/prctl.h>

#include "ahead.h"
#include "fdtab.h"
#include "listeners.h"
#include "names.h"
#include "proc.h"
#include "ready.h"
#include "real.h"
#include "sandbox.h"
#include "session.h"
#include "sys.h"
#include "unserved.h"

typedef pid_t fork_fn(void);

static pid_t hook_fork(fork_fn *real_fork)
{
	pid_t pid = real_fork();

	if (pid < 0) {
		session_fork_parent(true);
	}
	return pid;
}

EXPORT pid_t fork(void)
{
	return hook_fork(REAL(fork));
}

EXPORT pid_t __fork(void)
{
	return hook_fork(REAL(__fork));
}

/*
 * daemon() ends the parent within libc, without a word to us. As long as it counted as a holder, the child would not be
 * the last one, and if it ended soon, without close_notify.
 */
static __thread bool is_daemonizing;

void proc_fork_parent(void)
{
	if (is_daemonizing) {
		session_exec_leave(true);
	}
}

EXPORT int daemon(int nochdir, int noclose)
{
	const pid_t parent = sys_getpid();
	int rc, err;

	is_daemonizing = true;
	rc = REAL(daemon)(nochdir, noclose);
	err = errno;
	is_daemonizing = false;
	if (rc != 0 && sys_getpid() == parent) {
		session_exec_leave(false);
		session_fork_parent(true);
	}
	errno = err;
	return rc;
}

/*
 * What libc keeps of a thread for its locks: the id, and the list of robust ones. A child of a bare
 * clone(2) has its parent's id there, so each would take the other's locks for its own.
 */
static __thread struct {
	pid_t id;
	pid_t *place; /* NULL: not known */
	void *robust;
	size_t robust_len;
} self;

static void note_thread(void)
{
	self.id = sys_gettid();
	/* The place that the kernel clears when the thread ends. */
	if (sys_call(SYS_prctl, PR_GET_TID_ADDRESS, &self.place, 0) != 0 || !self.place || *self.place != self.id) {
		self.place = NULL;
	}
	if (sys_call(SYS_get_robust_list, 0, &self.robust, &self.robust_len) != 0) {
		self.robust = NULL;
	}
}

static void renew_thread(void)
{
	if (self.place && *self.place == self.id) {
		*self.place = sys_gettid();
		sys_call(SYS_set_tid_address, self.place, 0, 0);
	}
	if (self.robust) {
		sys_call(SYS_set_robust_list, self.robust, self.robust_len, 0);
	}
}

/* Around ways of forking that run no fork handlers. */
static void before_raw_fork(void)
{
	note_thread();
	session_fork_prepare();
	ready_fork_prepare();
}

static void after_raw_fork(long pid)
{
	int saved = errno;

	unserved_forget_all();
	if (pid == 0) {
		renew_thread();
		session_fork_child();
		names_fork_child();
		ready_fork_child();
		ahead_fork_child();
		listeners_fork_child();
	} else {
		ready_fork_parent();
		session_fork_parent(pid < 0);
	}
	errno = saved;
}

EXPORT pid_t _Fork(void)
{
	pid_t pid;

	if (!REAL(_Fork)) {
		errno = ENOSYS;
		return -1;
	}
	before_raw_fork();
	pid = real._Fork();
	after_raw_fork(pid);
	return pid;
}

long proc_raw_fork(long number, const long a[static 6])
{
	long pid;

	before_raw_fork();
	pid = real.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	after_raw_fork(pid);
	return pid;
}

typedef int clone_fn(int (*start)(void *), void *stack, int flags, void *arg, ...);

struct start {
	int (*function)(void *);
	void *arg;
};

/* The first function of the child, whose end is the child's. */
static int start_clone(void *arg)
{
	const struct start start = *(const struct start *)arg;
	int status;

	after_raw_fork(0);
	status = start.function(start.arg);
	if (fdtab_n_used > 0) {
		session_exit();
	}
	return status;
}

/*
 * A thread, or a child that borrows our memory (and is recognised, as vfork's), passes; one with a copy of
 * it is a fork.
 */
static int hook_clone(const struct start *start, void *stack, int flags, void *const rest[static 3], clone_fn *real_clone)
{
	struct start copied = *start;
	int pid;

	if ((flags & CLONE_VM) != 0 || !start->function || !stack) {
		return real_clone(start->function, stack, flags, start->arg, rest[0], rest[1], rest[2]);
	}
	before_raw_fork();
	pid = real_clone(start_clone, stack, flags, &copied, rest[0], rest[1], rest[2]);
	after_raw_fork(pid);
	return pid;
}

/* What may follow `last`: where to write ids, and the thread's storage. */
#define REST_AFTER(last) \
	void *rest[3]; \
	va_list args; \
	va_start(args, last); \
	for (int i = 0; i < 3; i++) { \
		rest[i] = va_arg(args, void *); \
	} \
	va_end(args)

EXPORT int clone(int (*start)(void *), void *stack, int flags, void *arg, ...)
{
	REST_AFTER(arg);
	return hook_clone(&(struct start){ start, arg }, stack, flags, rest, REAL(clone));
}

EXPORT int __clone(int (*start)(void *), void *stack, int flags, void *arg, ...)
{
	REST_AFTER(arg);
	return hook_clone(&(struct start){ start, arg }, stack, flags, rest, REAL(__clone));
}

EXPORT void _exit(int status)
{
	if (fdtab_n_used > 0) {
		session_exit();
	}
	REAL(_exit)(status);
	__builtin_unreachable();
}

EXPORT void _Exit(int status)
{
	_exit(status);
}

/* ---- seccomp ---- */

struct prctl_args {
	int op;
	long a[4];
};

static int call_prctl(const struct prctl_args *args)
{
	return REAL(prctl)(args->op, args->a[0], args->a[1], args->a[2], args->a[3]);
}

static long set_filter(const struct sock_fprog *program, void *ctx)
{
	struct prctl_args args = *(const struct prctl_args *)ctx;

	args.a[1] = (long)program;
	return call_prctl(&args);
}

EXPORT int prctl(int op, ...)
{
	struct prctl_args args = { .op = op };
	va_list list;

	va_start(list, op);
	for (int i = 0; i < 4; i++) {
		args.a[i] = va_arg(list, long);
	}
	va_end(list);
	if (op == PR_SET_SECCOMP && args.a[0] == SECCOMP_MODE_FILTER) {
		return (int)sandbox_set_filter((const struct sock_fprog *)args.a[1], set_filter, &args);
	}
	return call_prctl(&args);
}
