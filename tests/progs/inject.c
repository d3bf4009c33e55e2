/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lets one system call of a program fail, to see what becomes of it.
 *
 *   inject SECONDS list PROGRAM ARGUMENT…               says which calls are made, from where and how often
 *   inject SECONDS CALL SITE N FAULT PROGRAM ARGUMENT…  the N-th CALL fails
 *
 * SITE is `shim` for calls that libtlshim.so makes itself, `libc` for all others; those count once the program
 * has called close(-77). FAULT is an errno as a number, or `short`: the call transfers half of what it could.
 * INJECT_PRELOAD becomes the program's LD_PRELOAD. Exit status: the program's; 124 if its time is up, 128 + N if
 * signal N ended it. The last line on standard error says how many calls were made to fail. x86-64 only (77).
 */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
int main(void)
{
	return 77;
}
#else

#define BEGINS    -77 /* close() of this says that the program's own calls count from now on */
#define MAX_TASKS 64
#define MAX_CALLS 512

static const struct {
	int number;
	const char *name;
} names[] = {
#define CALL(name)                                                                                           \
	{                                                                                                    \
		SYS_##name, #name                                                                            \
	}
	CALL(read),
	CALL(write),
	CALL(readv),
	CALL(writev),
	CALL(pread64),
	CALL(recvfrom),
	CALL(recvmsg),
	CALL(sendto),
	CALL(sendmsg),
	CALL(poll),
	CALL(ppoll),
	CALL(select),
	CALL(pselect6),
	CALL(epoll_wait),
	CALL(epoll_pwait),
	CALL(epoll_ctl),
	CALL(epoll_create1),
	CALL(connect),
	CALL(accept),
	CALL(accept4),
	CALL(socket),
	CALL(socketpair),
	CALL(shutdown),
	CALL(close),
	CALL(fcntl),
	CALL(ioctl),
	CALL(getsockopt),
	CALL(setsockopt),
	CALL(getsockname),
	CALL(getpeername),
	CALL(mmap),
	CALL(munmap),
	CALL(madvise),
	CALL(brk),
	CALL(memfd_create),
	CALL(ftruncate),
	CALL(prlimit64),
	CALL(getrandom),
	CALL(openat),
	CALL(newfstatat),
	CALL(fstat),
	CALL(lseek),
	CALL(dup),
	CALL(dup2),
	CALL(dup3),
	CALL(pipe2),
	CALL(tee),
	CALL(splice),
	CALL(sendfile),
	CALL(close_range),
	CALL(nanosleep),
	CALL(kill),
	CALL(getdents64),
	CALL(readlink),
	CALL(futex),
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(process_vm_readv),
	CALL(epoll_pwait2),
	CALL(readlinkat),
	CALL(execve),
	CALL(execveat),
	CALL(clone),
	CALL(clone3),
	CALL(vfork),
#undef CALL
};

/* A thread of the program. */
static struct task {
	pid_t tid;
	bool has_begun, to_fail;
	uint64_t low, high; /* where libtlshim.so lies; 0: not known yet */
} tasks[MAX_TASKS];

static long counts[2][MAX_CALLS]; /* site, system call */
static struct {
	int number, error; /* error 0: list only; -1: short */
	bool of_shim;
	long at, n_hit;
} fault = {.number = -1};

static struct task *task_of(pid_t tid)
{
	struct task *free_one = NULL;

	for (int i = 0; i < MAX_TASKS; i++) {
		if (tasks[i].tid == tid) {
			return &tasks[i];
		}
		free_one = !free_one && tasks[i].tid == 0 ? &tasks[i] : free_one;
	}
	if (!free_one) {
		errx(2, "too many tasks");
	}
	*free_one = (struct task){.tid = tid};
	return free_one;
}

static void find_library(struct task *task)
{
	char path[64], line[512];
	unsigned long low, high;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", task->tid);
	maps = fopen(path, "r");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (strstr(line, "libtlshim.so") && sscanf(line, "%lx-%lx", &low, &high) == 2) {
			task->low = task->low ? task->low : low;
			task->high = high;
		}
	}
	if (maps) {
		fclose(maps);
	}
}

static bool is_of_shim(struct task *task, uint64_t at)
{
	if (!task->low) {
		find_library(task);
	}
	return at >= task->low && at < task->high;
}

/* Give a call half of what it asks for. */
static void shorten(struct user_regs_struct *regs)
{
	unsigned long long *len = regs->orig_rax == SYS_getrandom ? &regs->rsi : &regs->rdx;

	*len -= *len / 2;
}

static void enter(struct task *task)
{
	struct user_regs_struct regs;
	bool of_shim;

	if (ptrace(PTRACE_GETREGS, task->tid, NULL, &regs) != 0 || regs.orig_rax >= MAX_CALLS) {
		return;
	}
	if (regs.orig_rax == SYS_close && (int)regs.rdi == BEGINS) {
		task->has_begun = true;
		return;
	}
	of_shim = is_of_shim(task, regs.rip);
	if (!of_shim && !task->has_begun) {
		return;
	}
	counts[of_shim][regs.orig_rax]++;
	if ((int)regs.orig_rax != fault.number || of_shim != fault.of_shim ||
	    counts[of_shim][regs.orig_rax] != fault.at || fault.error == 0) {
		return;
	}
	fault.n_hit++;
	if (fault.error < 0) {
		shorten(&regs);
	} else if (regs.orig_rax == SYS_close) {
		task->to_fail = true; /* a close that fails has closed */
		return;
	} else {
		regs.orig_rax = (unsigned long long)-1;
		task->to_fail = true;
	}
	ptrace(PTRACE_SETREGS, task->tid, NULL, &regs);
}

static void leave(struct task *task)
{
	struct user_regs_struct regs;

	if (task->to_fail && ptrace(PTRACE_GETREGS, task->tid, NULL, &regs) == 0) {
		regs.rax = (unsigned long long)-fault.error;
		ptrace(PTRACE_SETREGS, task->tid, NULL, &regs);
	}
	task->to_fail = false;
}

static void at_event(struct task *task, int event)
{
	unsigned long message = 0;

	if (event == PTRACE_EVENT_EXEC) {
		task->low = task->high = 0;
		task->has_begun = false;
	} else if (ptrace(PTRACE_GETEVENTMSG, task->tid, NULL, &message) == 0) {
		struct task *child = task_of((pid_t)message);
		child->has_begun = task->has_begun;
		child->low = task->low;
		child->high = task->high;
	}
}

/* A stop of one task; returns the signal to go on with. */
static int stopped(struct task *task, int status)
{
	int sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80)) {
		struct __ptrace_syscall_info info = {0};

		ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, (void *)sizeof(info), &info);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
			enter(task);
		} else {
			leave(task);
		}
		return 0;
	}
	if (status >> 16) {
		at_event(task, status >> 16);
		return 0;
	}
	return sig == SIGSTOP ? 0 : sig;
}

/* What a task that does not end waits for. */
static void describe(pid_t tid)
{
	char path[64], line[200] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	file = fopen(path, "r");
	if (file) {
		(void)!fgets(line, sizeof(line), file);
		fclose(file);
	}
	fprintf(stderr, "%d is still there: %s\n", tid, line);
}

static volatile sig_atomic_t is_late;

static void on_alarm(int sig)
{
	(void)sig;
	is_late = 1;
}

/* Until all processes have ended; the status of the first. */
static int follow(pid_t first)
{
	int result = 0;

	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (is_late) {
			for (int i = 0; i < MAX_TASKS; i++) {
				if (tasks[i].tid) {
					describe(tasks[i].tid);
					kill(tasks[i].tid, SIGKILL);
				}
			}
			kill(-first, SIGKILL);
			return 124;
		}
		if (tid < 0 && errno == EINTR) {
			continue;
		}
		if (tid < 0) {
			return result;
		}
		if (WIFSTOPPED(status)) {
			int sig = stopped(task_of(tid), status);
			ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(long)sig);
			continue;
		}
		task_of(tid)->tid = 0;
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGPIPE) {
			fprintf(stderr, "process %d ended by signal %d\n", tid, WTERMSIG(status));
			result = 128 + WTERMSIG(status);
		} else if (tid == first && result == 0) {
			result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		}
	}
}

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		if (getenv("INJECT_PRELOAD")) {
			setenv("LD_PRELOAD", getenv("INJECT_PRELOAD"), 1);
		}
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execv(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			   PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) != 0) {
		err(77, "ptrace");
	}
	ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	return pid;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_alarm};
	char **program = argv + 3;
	int status;

	if (argc > 6 && strcmp(argv[2], "list") != 0) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			fault.number = strcmp(names[i].name, argv[2]) == 0 ? names[i].number : fault.number;
		}
		fault.of_shim = strcmp(argv[3], "shim") == 0;
		fault.at = atol(argv[4]);
		fault.error = strcmp(argv[5], "short") == 0 ? -1 : atoi(argv[5]);
		program = argv + 6;
	}
	if (argc < 4 || (program != argv + 3 && fault.number < 0)) {
		return 2;
	}
	sigaction(SIGALRM, &action, NULL);
	alarm((unsigned)atoi(argv[1]));
	status = follow(start(program));
	for (size_t i = 0; program == argv + 3 && i < sizeof(names) / sizeof(names[0]); i++) {
		for (int site = 0; site < 2; site++) {
			if (counts[site][names[i].number]) {
				printf("%s %s %ld\n", names[i].name, site ? "shim" : "libc",
				       counts[site][names[i].number]);
			}
		}
	}
	fprintf(stderr, "%ld calls were made to fail\n", fault.n_hit);
	return status;
}
#endif
