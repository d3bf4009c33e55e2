/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds a program at its first instruction until the library has reported.
 */
#include "hold.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
typedef struct user_regs_struct registers;
#define BREAKPOINT "\xcc"     /* int3 */
#define SYSTEM_CALL "\x0f\x05" /* syscall */
#define AFTER_BREAKPOINT 1    /* the processor has gone past it */

static uint64_t program_counter(const registers *regs)
{
	return regs->rip;
}

static void set_exit_call(registers *regs, uint64_t at, int status)
{
	regs->rip = at;
	regs->rax = SYS_exit_group;
	regs->orig_rax = (unsigned long long)-1;
	regs->rdi = (unsigned long long)status;
}
#elif defined(__aarch64__)
typedef struct user_regs_struct registers;
#define BREAKPOINT "\x00\x00\x20\xd4"  /* brk #0 */
#define SYSTEM_CALL "\x01\x00\x00\xd4" /* svc #0 */
#define AFTER_BREAKPOINT 0

static uint64_t program_counter(const registers *regs)
{
	return regs->pc;
}

static void set_exit_call(registers *regs, uint64_t at, int status)
{
	regs->pc = at;
	regs->regs[8] = SYS_exit_group;
	regs->regs[0] = (unsigned long long)status;
}
#endif

struct breakpoint {
	uint64_t entry; /* 0: none */
	long word;	/* what stood there */
};

bool hold_seize(pid_t pid)
{
	return ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) == 0;
}

/* The kernel has told the loader where the program begins. */
static uint64_t find_entry(pid_t pid)
{
	Elf64_auxv_t auxv[64];
	char path[40];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%ld/auxv", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, auxv, sizeof(auxv)) : -1;
	if (fd >= 0) {
		close(fd);
	}
	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(auxv[0]); i++) {
		if (auxv[i].a_type == AT_ENTRY) {
			return auxv[i].a_un.a_val;
		}
	}
	return 0;
}

/* Put code over the word that stood at the entry. */
static bool put(pid_t pid, const struct breakpoint *at, const char *code, size_t len)
{
	long word = at->word;

	memcpy(&word, code, len);
	return ptrace(PTRACE_POKETEXT, pid, at->entry, word) == 0;
}

static bool plant(pid_t pid, struct breakpoint *at)
{
	at->entry = find_entry(pid);
	if (at->entry == 0) {
		return false;
	}
	errno = 0;
	at->word = ptrace(PTRACE_PEEKTEXT, pid, at->entry, NULL);
	if (errno == 0 && put(pid, at, BREAKPOINT, sizeof(BREAKPOINT) - 1)) {
		return true;
	}
	at->entry = 0;
	return false;
}

static bool transfer_registers(pid_t pid, enum __ptrace_request request, registers *regs)
{
	struct iovec room = { .iov_base = regs, .iov_len = sizeof(*regs) };

	return ptrace(request, pid, NT_PRSTATUS, &room) == 0;
}

static bool is_at(pid_t pid, const struct breakpoint *at)
{
	registers regs;

	return at->entry != 0 && transfer_registers(pid, PTRACE_GETREGSET, &regs) &&
	       program_counter(&regs) == at->entry + AFTER_BREAKPOINT;
}

/* The library sends itself a SIGTRAP; so does `tlshim run` if exec fails. */
static bool is_report(pid_t pid)
{
	siginfo_t info;

	return ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) == 0 && info.si_code == SI_TKILL && info.si_pid == pid;
}

static void let_go(pid_t pid, const struct breakpoint *at)
{
	if (at->entry != 0) {
		(void)ptrace(PTRACE_POKETEXT, pid, at->entry, at->word);
	}
	(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static bool is_group_stop(int event, int sig)
{
	return event == PTRACE_EVENT_STOP && (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU);
}

enum hold_end hold_until_report(pid_t pid)
{
	struct breakpoint at = { .entry = 0 };

	for (;;) {
		int status, event, sig;

		if (waitpid(pid, &status, __WALL) < 0) {
			if (errno == EINTR) {
				continue;
			}
			return HOLD_GONE;
		}
		if (!WIFSTOPPED(status)) {
			return HOLD_GONE;
		}
		event = status >> 16;
		sig = WSTOPSIG(status);
		if (event == 0 && sig == SIGTRAP && is_report(pid)) {
			let_go(pid, &at);
			return HOLD_REPORTED;
		}
		if (event == 0 && sig == SIGTRAP && is_at(pid, &at)) {
			return HOLD_MISSING;
		}
		if (event == PTRACE_EVENT_EXEC && !plant(pid, &at)) {
			let_go(pid, &at);
			return HOLD_LOST;
		}
		/* Signals are the program's; of stops of its whole group we only hear. */
		(void)ptrace(is_group_stop(event, sig) ? PTRACE_LISTEN : PTRACE_CONT, pid, NULL, event == 0 ? sig : 0);
	}
}

void hold_refuse(pid_t pid, int status)
{
	struct breakpoint at = { .entry = find_entry(pid) };
	registers regs;

	if (at.entry != 0 && put(pid, &at, SYSTEM_CALL, sizeof(SYSTEM_CALL) - 1) &&
	    transfer_registers(pid, PTRACE_GETREGSET, &regs)) {
		set_exit_call(&regs, at.entry, status);
		if (transfer_registers(pid, PTRACE_SETREGSET, &regs)) {
			(void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
			return;
		}
	}
	(void)kill(pid, SIGKILL);
}
