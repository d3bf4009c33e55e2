/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process of the shim's own, detached from the program in whose middle it is started.
 *
 * Implementation notes: two steps. A first child shares our memory while we stand still, as a vfork child does, so that
 * only one copy of the page tables is made; its exit signal is 0, which hides it from the program's SIGCHLD
 * and wait(). It opens a session and forks the helper by _Fork(), which gives it what libc must know of
 * itself: the thread id and the list of robust locks. All signals are blocked meanwhile: the program's
 * handlers must run in neither. The helper waits at a futex until it is written down as a holder of its
 * connections, so that it cannot end them before that.
 */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "arena.h"
#include "log.h"
#include "names.h"
#include "openfds.h"
#include "ready.h"
#include "real.h"
#include "session.h"
#include "sandbox.h"
#include "sys.h"

#define STACK_LEN ((size_t)512 << 10)
#define GUARD_LEN 65536 /* a page of any size */
#define SHARED_LEN 4096
#define N_SIGNALS 64
#define SIGSET_LEN 8 /* the kernel's */
/* keep[], arena, log */
#define FDS_MAX (HELPER_KEEP_MAX + 2)

/*
 * ThreadSanitizer takes the first child, which shares our memory, for a process of its own, and writes down there that
 * it has forked: from then on it misses what locks do.
 */
#if defined(__SANITIZE_THREAD__)
#define CAN_BE_STARTED false
#else
#define CAN_BE_STARTED true
#endif

struct start {
	void (*run)(void *ctx);
	void *ctx;
	const int *keep;
	size_t n_keep;
	_Atomic uint32_t *is_holder; /* shared */
	int result;		     /* pid or -errno */
};

static bool is_helper;	       /* this process is one */
static long seccomp_at_start; /* mode */

/* ---- where none is wanted ---- */

void helper_init(void)
{
	seccomp_at_start = sys_call(SYS_prctl, PR_GET_SECCOMP, 0, 0);
}

/*
 * A program that is init, as in a container, would find each helper among its children, and some do not put
 * up with that.
 */
static bool is_init_wrapped(void)
{
	static _Atomic int known; /* 1: it is; 2: it is not */

	if (atomic_load(&known) == 0) {
		atomic_store(&known, arena_is_mapped_by(1) ? 1 : 2);
	}
	return atomic_load(&known) == 1;
}

bool helper_is_welcome(void)
{
	int adopts = 0;

	if (sandbox_is_on()) {
		return false;
	}
	sys_call(SYS_prctl, PR_GET_CHILD_SUBREAPER, &adopts, 0);
	return CAN_BE_STARTED && !is_helper && !adopts && !is_init_wrapped() &&
	       sys_call(SYS_prctl, PR_GET_SECCOMP, 0, 0) == seccomp_at_start;
}

/* ---- in the helper ---- */

/* As the kernel has it; longer than any architecture's. */
struct disposition {
	unsigned long handler, rest[7];
};

static void reset_signals(void)
{
	for (int sig = 1; sig <= N_SIGNALS; sig++) {
		const struct disposition wanted = {
			.handler = (unsigned long)(sig == SIGPIPE ? SIG_IGN : SIG_DFL),
		};
		sys_call6(SYS_rt_sigaction, sig, (long)&wanted, 0, SIGSET_LEN, 0, 0);
	}
}

struct fd_list {
	size_t n;
	int fds[FDS_MAX];
};

static bool list_has(const struct fd_list *list, int fd)
{
	for (size_t i = 0; i < list->n; i++) {
		if (list->fds[i] == fd) {
			return true;
		}
	}
	return false;
}

/* Keep the list sorted and without doubles. */
static void list_add(struct fd_list *list, int fd)
{
	size_t at = list->n;

	if (fd < 0 || list_has(list, fd)) {
		return;
	}
	for (; at > 0 && list->fds[at - 1] > fd; at--) {
		list->fds[at] = list->fds[at - 1];
	}
	list->fds[at] = fd;
	list->n++;
}

static void close_unless_listed(int fd, void *list)
{
	if (!list_has(list, fd)) {
		sys_close(fd);
	}
}

static void close_others(struct fd_list *list)
{
	unsigned first = 0;
	long rc = 0;

	for (size_t i = 0; i < list->n && rc == 0; i++) {
		unsigned fd = (unsigned)list->fds[i];
		if (fd > first) {
			rc = sys_call(SYS_close_range, first, fd - 1, 0);
		}
		first = fd + 1;
	}
	if (rc == 0) {
		rc = sys_call(SYS_close_range, first, ~0u, 0);
	}
	if (rc != 0) {
		openfds_each(close_unless_listed, list); /* a kernel before 5.9, or a seccomp filter */
	}
}

static void settle_fds(const struct start *start)
{
	struct fd_list list = { .n = 0 };

	for (size_t i = 0; i < start->n_keep; i++) {
		list_add(&list, start->keep[i]);
	}
	list_add(&list, arena_fd());
	list_add(&list, log_fd() >= 0 || !log_is_stderr() ? log_fd() : 2);
	close_others(&list);
	/* What is opened later must not be taken for standard error. */
	for (int fd = 0; fd <= 2; fd++) {
		if (!list_has(&list, fd) &&
		    sys_call6(SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDWR, 0, 0, 0) < 0) {
			sys_call(SYS_eventfd2, 0, EFD_NONBLOCK, 0); /* under another root */
		}
	}
}

static void await_holder(const struct start *start)
{
	/* Whoever is to write it may have been killed. */
	const struct timespec limit = { 10, 0 };

	while (!atomic_load(start->is_holder)) {
		long rc = sys_call6(SYS_futex, (long)start->is_holder, FUTEX_WAIT, 0, (long)&limit, 0, 0);
		if (rc == -ETIMEDOUT || rc == -ENOSYS) {
			break;
		}
	}
	sys_munmap(start->is_holder, SHARED_LEN);
}

__attribute__((noreturn)) static void helper_main(const struct start *start)
{
	const struct rlimit none = { 0, 0 };
	const uint64_t no_signals = 0;

	is_helper = true;
	reset_signals();
	sys_call(SYS_prctl, PR_SET_NAME, "tlshim-relay", 0);
	sys_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0);
	sys_call6(SYS_prlimit64, 0, RLIMIT_CORE, (long)&none, 0, 0, 0);
	sys_call(SYS_chdir, "/", 0, 0);
	settle_fds(start);
	session_keep_only(start->keep, start->n_keep);
	names_fork_child();
	ready_fork_child();
	await_holder(start);
	sys_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&no_signals, 0, SIGSET_LEN, 0, 0);
	start->run(start->ctx);
	for (;;) {
		sys_call(SYS_exit_group, 0, 0, 0);
	}
}

/* ---- in the program's memory ---- */

static int first_child(void *arg)
{
	struct start *start = arg;
	pid_t pid;

	/* Not in the helper: what the terminal sends to the program's group must not reach it at any time. */
	sys_call(SYS_setsid, 0, 0, 0);
	pid = real._Fork();
	if (pid == 0) {
		helper_main(start);
	}
	start->result = pid < 0 ? -errno : pid;
	return 0;
}

static int start_on(void *stack, struct start *start)
{
	const uint64_t all = ~UINT64_C(0);
	uint64_t mask = 0;
	pid_t first;
	int error;

	sys_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&mask, SIGSET_LEN, 0, 0);
	first = clone(first_child, (char *)stack + STACK_LEN, CLONE_VM | CLONE_VFORK, start);
	error = errno;
	while (first > 0 && sys_call6(SYS_wait4, first, 0, __WCLONE, 0, 0, 0) == -EINTR) {
	}
	sys_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, SIGSET_LEN, 0, 0);
	return first < 0 ? -error : start->result;
}

/* Write pid (below 0: there is none) down as a holder of what is kept, and let it go on. */
static void register_holder(struct start *start, int pid)
{
	for (size_t i = 0; pid > 0 && i < start->n_keep; i++) {
		session_hand_on(start->keep[i], pid);
	}
	atomic_store(start->is_holder, 1);
	sys_call6(SYS_futex, (long)start->is_holder, FUTEX_WAKE, 1, 0, 0, 0);
	sys_munmap(start->is_holder, SHARED_LEN);
}

int helper_start(void (*run)(void *ctx), void *ctx, const int keep[], size_t n)
{
	struct start start = { .run = run, .ctx = ctx, .keep = keep, .n_keep = n, .result = -EAGAIN };
	int saved = errno;
	void *stack;
	int pid;

	if (n > HELPER_KEEP_MAX) {
		return -EINVAL;
	}
	if (!CAN_BE_STARTED || !REAL(_Fork)) {
		return -ENOSYS;
	}
	/* The helper goes on in its copy of it. */
	stack = sys_mmap(NULL, STACK_LEN, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	start.is_holder = sys_mmap(NULL, SHARED_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!stack || !start.is_holder) {
		sys_munmap(stack, stack ? STACK_LEN : 0);
		sys_munmap(start.is_holder, start.is_holder ? SHARED_LEN : 0);
		return -ENOMEM;
	}
	sys_call(SYS_mprotect, stack, GUARD_LEN, PROT_NONE);
	pid = start_on(stack, &start);
	sys_munmap(stack, STACK_LEN);
	register_holder(&start, pid);
	errno = saved;
	return pid;
}
