/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that lock themselves up with a seccomp filter and go on using their connections.
 *
 * Implementation notes: every filter that a process has is run for each call, and the strictest answer counts, so a
 * filter beside the program's could not allow anything. Jumps in a filter are relative: ours may stand in front. A
 * filter finds 0 in the accumulator, and nothing else of ours. `make check` has a program whose filter kills for
 * whatever it does not need itself; a system call that the shim makes on the way of data belongs into the table.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arena.h"
#include "log.h"
#include "memory.h"
#include "shim.h"
#include "sys.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#else
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

/* An argument that has to have a value. */
struct condition {
	int arg;
	uint64_t value;
};
#define ARENA_FD UINT64_MAX /* known at run time */
#define CONDITIONS_MAX 2

#define ANY(nr) { nr, 0, { { 0, 0 }, { 0, 0 } } }
#define ONE(nr, arg, value) { nr, 1, { { arg, value }, { 0, 0 } } }
#define TWO(nr, arg, value, arg2, value2) { nr, 2, { { arg, value }, { arg2, value2 } } }

/* clang-format off */
static const struct {
	uint32_t nr;
	size_t n_conditions;
	struct condition conditions[CONDITIONS_MAX];
} allowed[] = {
	/* the connection: no addresses */
	ONE(SYS_recvfrom, 4, 0),
	ONE(SYS_sendto, 4, 0),
	ANY(SYS_getsockopt),
	TWO(SYS_setsockopt, 1, SOL_SOCKET, 2, SO_RCVLOWAT),
	TWO(SYS_setsockopt, 1, SOL_SOCKET, 2, SO_LINGER),
	ANY(SYS_getsockname),
	ANY(SYS_getpeername),
	ONE(SYS_fcntl, 1, F_GETFL),
	ONE(SYS_fcntl, 1, F_GETFD),
	ONE(SYS_ioctl, 1, FIONREAD),
	ONE(SYS_ioctl, 1, TIOCOUTQ),
#ifdef SYS_poll
	ANY(SYS_poll),
#endif
	ANY(SYS_ppoll),
	ANY(SYS_shutdown),
	ANY(SYS_close),
	/* locks, waiting, who is who */
	ANY(SYS_futex),
	ANY(SYS_nanosleep),
	ANY(SYS_sched_yield),
	ANY(SYS_clock_gettime),
	ANY(SYS_getpid),
	ANY(SYS_gettid),
	ANY(SYS_geteuid),
	ONE(SYS_kill, 1, 0),
	ANY(SYS_getrandom),
	TWO(SYS_prlimit64, 0, 0, 2, 0),
	/* memory */
	ONE(SYS_mmap, 2, PROT_READ | PROT_WRITE),
	ANY(SYS_munmap),
	ANY(SYS_madvise),
	ONE(SYS_ftruncate, 0, ARENA_FD),
	/* the log */
	ANY(SYS_write),
	ANY(SYS_fstat),
	ANY(SYS_rt_sigprocmask),
	ANY(SYS_rt_sigpending),
	ANY(SYS_rt_sigtimedwait),
};
/* clang-format on */
#define N_ALLOWED (sizeof(allowed) / sizeof(allowed[0]))
#define HEAD_LEN 4
/* number; for each condition two halves to load and to compare; allow; the number again */
#define ROW_MAX (1 + 4 * CONDITIONS_MAX + 2)
#define PROLOGUE_MAX (HEAD_LEN + N_ALLOWED * ROW_MAX + 1)

static atomic_bool is_on;

bool sandbox_is_on(void)
{
	return atomic_load_explicit(&is_on, memory_order_relaxed);
}

/* ---- the prologue ---- */

#define LOAD(field) ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(field)))
#define UNLESS(value, skip) \
	((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (uint8_t)(skip)))

static size_t build_row(struct sock_filter *to, size_t row)
{
	const size_t n_conditions = allowed[row].n_conditions;
	size_t left = n_conditions * 4 + 1; /* instructions up to the last, which loads the number again */
	size_t n = 0;

	to[n++] = UNLESS(allowed[row].nr, n_conditions > 0 ? left + 1 : left);
	for (size_t i = 0; i < n_conditions; i++) {
		const struct condition *c = &allowed[row].conditions[i];
		const uint64_t value = c->value == ARENA_FD ? (uint64_t)(unsigned)arena_fd() : c->value;
		const size_t at = offsetof(struct seccomp_data, args) + 8 * (size_t)c->arg;

		/* both machines have the lower half first; the kernel takes int arguments from it alone */
		to[n++] = LOAD(at);
		left -= 2;
		to[n++] = UNLESS(value, left);
		to[n++] = LOAD(at + 4);
		left -= 2;
		to[n++] = UNLESS(value >> 32, left);
	}
	to[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (n_conditions > 0) {
		to[n++] = LOAD(offsetof(struct seccomp_data, nr));
	}
	return n;
}

static size_t build_prologue(struct sock_filter *to)
{
	size_t n = HEAD_LEN;

	for (size_t row = 0; row < N_ALLOWED; row++) {
		n += build_row(to + n, row);
	}
	to[0] = LOAD(offsetof(struct seccomp_data, arch));
	to[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
	to[2] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(n - 3)); /* too far for a conditional jump */
	to[3] = LOAD(offsetof(struct seccomp_data, nr));
	to[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 0);
	return n;
}

/* ---- setting it ---- */

long sandbox_set_filter(const struct sock_fprog *program,
			long (*set)(const struct sock_fprog *program, void *ctx), void *ctx)
{
	const size_t len = (PROLOGUE_MAX + BPF_MAXINSNS) * sizeof(struct sock_filter);
	struct sock_fprog ours;
	struct sock_filter *code;
	size_t n;
	long rc;
	int saved = errno;

	if (!shim_policy() || !memory_can_read(program, sizeof(*program)) || program->len == 0 ||
	    !memory_can_read(program->filter, program->len * sizeof(*code))) {
		return set(program, ctx);
	}
	code = sys_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	n = code ? build_prologue(code) : 0;
	if (!code || n + program->len > BPF_MAXINSNS) {
		log_warn("this program's seccomp filter is too long, or memory too short, to add what TLS needs: it may be killed "
			 "when it uses a connection");
		rc = set(program, ctx);
	} else {
		memcpy(code + n, program->filter, program->len * sizeof(*code));
		ours = (struct sock_fprog){ .len = (unsigned short)(n + program->len), .filter = code };
		errno = saved;
		rc = set(&ours, ctx);
	}
	if (rc >= 0) {
		atomic_store(&is_on, true);
	}
	if (code) {
		sys_munmap(code, len);
	}
	return rc;
}
