/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec* and posix_spawn*: the new program keeps the shim, or does not get the wrapped sockets.
 *
 * Implementation notes: everything here may run in a vfork child (exec.h), so memory comes from the
 * stack. The `l` and `v` forms end in the same four calls as libc's do. system() and popen() start
 * processes inside libc, with the environment of this one; that they inherit.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "arena.h"
#include "exec.h"
#include "exec_relay.h"
#include "fdtab.h"
#include "log.h"
#include "real.h"
#include "session.h"
#include "shim.h"
#include "sys.h"

/* An environment up to this size is put together on the stack, a longer one in pages of its own. */
#define STACK_ENV_MAX 16384

enum exec_kind { EXECVE, EXECVPE, FEXECVE, EXECVEAT };

struct exec_call {
	enum exec_kind kind;
	struct exec_target target;
	char *const *argv;
	char *const *envp;
	int flags; /* of execveat */
};

static int exec_real(const struct exec_call *call, char *const envp[])
{
	const struct exec_target *target = &call->target;
	long rc;

	switch (call->kind) {
	case EXECVE:
		return REAL(execve)(target->path, call->argv, envp);
	case EXECVPE:
		return REAL(execvpe)(target->path, call->argv, envp);
	case FEXECVE:
		return REAL(fexecve)(target->dir_fd, call->argv, envp);
	case EXECVEAT:
		break;
	}
	/* libc has it since 2.34 only, and it does no more than this. */
	rc = sys_call6(SYS_execveat, target->dir_fd, (long)(target->path ? target->path : ""),
		       (long)call->argv, (long)envp, call->flags, 0);
	errno = (int)-rc;
	return -1;
}

static const char *target_name(const struct exec_target *target)
{
	return target->path ? target->path : "a program given by its descriptor";
}

/* Is there a program, as far as can be told? */
static bool may_run(enum elf_verdict verdict)
{
	return verdict != ELF_NOT_FOUND && verdict != ELF_NOT_EXECUTABLE;
}

/* Listeners are often inherited without a purpose: a warning only of those that the program looks for. */
static void log_listeners(const char *program, const char *why, const struct exec_guard *guard, char *const envp[])
{
	enum log_level level = LOG_LEVEL_INFO;

	for (int i = 0; i < guard->n && i < EXEC_GUARD_MAX; i++) {
		if (exec_fd_is_known(guard->fds[i], envp) && exec_is_listener(guard->fds[i])) {
			level = LOG_LEVEL_WARN;
		}
	}
	log_line(level, "exec: %s %s; it does not get listeners of this process where a rule wants TLS: %d", program, why,
		 guard->n_listeners);
}

/* n_relayed of what is guarded is not withheld. */
static void log_withheld(const struct exec_target *target, enum elf_verdict verdict, const struct exec_guard *guard,
			 int n_relayed, char *const envp[])
{
	int n = guard->n - guard->n_listeners - n_relayed;
	const char *program = target_name(target);

	if (!may_run(verdict)) {
		return;
	}
	if (n > 0) {
		log_warn("exec: %s %s; it does not get the %d open TLS connection%s of this process", program,
			 elf_verdict_text(verdict), n, n == 1 ? "" : "s");
	}
	if (guard->n_listeners > 0) {
		log_listeners(program, elf_verdict_text(verdict), guard, envp);
	}
}

static void hand_on(int fd, void *ctx)
{
	session_hand_on(fd, *(const pid_t *)ctx);
}

/* Execute a program that loads the shim: it finds the connections in the arena. */
static int exec_shimmed(const struct exec_call *call, char *const envp[])
{
	pid_t pid = sys_getpid();
	int rc;

	exec_each_inherited(hand_on, &pid);
	session_exec_prepare();
	ahead_exec(true);
	rc = exec_real(call, envp);
	ahead_exec(false);
	session_exec_failed();
	return rc;
}

static int exec_unshimmed(const struct exec_call *call, char *const envp[], enum elf_verdict verdict)
{
	struct exec_relays relays = { .n = 0 };
	struct exec_guard guard;
	int n_relayed = 0, rc;

	if (exec_guard_set(&guard) > 0 && may_run(verdict)) {
		n_relayed = exec_relays_swap_in(&relays, &guard, envp, target_name(&call->target), elf_verdict_text(verdict));
	}
	log_withheld(&call->target, verdict, &guard, n_relayed, envp);
	session_exec_leave(true);
	ahead_exec(true);
	rc = exec_real(call, envp);
	ahead_exec(false);
	session_exec_leave(false);
	exec_relays_swap_out(&relays);
	exec_guard_undo(&guard);
	return rc;
}

static int exec_with(const struct exec_call *call, char *const envp[])
{
	enum elf_verdict verdict;

	if (!arena_is_open()) {
		return exec_real(call, envp);
	}
	verdict = exec_judge(&call->target);
	return verdict == ELF_FITS ? exec_shimmed(call, envp) : exec_unshimmed(call, envp, verdict);
}

static int exec_mapped(const struct exec_call *call, size_t size)
{
	void *mem = sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int rc, err;

	if (!mem) {
		errno = E2BIG;
		return -1;
	}
	rc = exec_with(call, exec_env_fill(mem, call->envp));
	err = errno;
	sys_munmap(mem, size);
	errno = err;
	return rc;
}

static bool shim_is_on(void)
{
	enum shim_state state = shim_ready();

	return state == SHIM_ARMED || state == SHIM_BROKEN;
}

static int hook_exec(const struct exec_call *call)
{
	size_t size;

	if (!shim_is_on()) {
		return exec_real(call, call->envp);
	}
	size = exec_env_size(call->envp);
	if (size > STACK_ENV_MAX) {
		return exec_mapped(call, size);
	}
	return exec_with(call, exec_env_fill(__builtin_alloca(size), call->envp));
}

/* ---- exec ---- */

static int exec_path(const char *path, char *const argv[], char *const envp[])
{
	const struct exec_call call = {
		.kind = EXECVE,
		.target = { .dir_fd = AT_FDCWD, .path = path },
		.argv = argv,
		.envp = envp,
	};

	return hook_exec(&call);
}

static int exec_file(const char *file, char *const argv[], char *const envp[])
{
	const struct exec_call call = {
		.kind = EXECVPE,
		.target = { .dir_fd = AT_FDCWD, .path = file, .is_searched = true },
		.argv = argv,
		.envp = envp,
	};

	return hook_exec(&call);
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	return exec_path(path, argv, envp);
}

EXPORT int execv(const char *path, char *const argv[])
{
	return exec_path(path, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	return exec_file(file, argv, envp);
}

EXPORT int execvp(const char *file, char *const argv[])
{
	return exec_file(file, argv, environ);
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	const struct exec_call call = {
		.kind = FEXECVE,
		.target = { .dir_fd = fd },
		.argv = argv,
		.envp = envp,
	};

	return hook_exec(&call);
}

EXPORT int execveat(int dir_fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	bool is_fd = !*path && (flags & AT_EMPTY_PATH);
	const struct exec_call call = {
		.kind = EXECVEAT,
		.target = { .dir_fd = dir_fd, .path = is_fd ? NULL : path },
		.argv = argv,
		.envp = envp,
		.flags = flags,
	};

	return hook_exec(&call);
}

/* The number of arguments from args on up to the NULL that ends them. */
static size_t count_args(va_list args)
{
	va_list copy;
	size_t n = 0;

	va_copy(copy, args);
	while (va_arg(copy, char *)) {
		n++;
	}
	va_end(copy);
	return n;
}

static void fill_args(char *argv[], const char *first, size_t n, va_list *args)
{
	argv[0] = (char *)first;
	for (size_t i = 1; i <= n + 1; i++) {
		argv[i] = va_arg(*args, char *);
	}
}

typedef int exec_fn(const char *path, char *const argv[], char *const envp[]);

/* The forms with a list of arguments, behind which an environment may follow. */
static int exec_list(exec_fn *exec, const char *path, const char *first, va_list *args, bool has_env)
{
	size_t n = count_args(*args);
	char *argv[n + 2];

	fill_args(argv, first, n, args);
	return exec(path, argv, has_env ? va_arg(*args, char *const *) : environ);
}

EXPORT int execl(const char *path, const char *arg, ...)
{
	va_list args;
	int rc;

	va_start(args, arg);
	rc = exec_list(exec_path, path, arg, &args, false);
	va_end(args);
	return rc;
}

EXPORT int execlp(const char *file, const char *arg, ...)
{
	va_list args;
	int rc;

	va_start(args, arg);
	rc = exec_list(exec_file, file, arg, &args, false);
	va_end(args);
	return rc;
}

EXPORT int execle(const char *path, const char *arg, ...)
{
	va_list args;
	int rc;

	va_start(args, arg);
	rc = exec_list(exec_path, path, arg, &args, true);
	va_end(args);
	return rc;
}

/* ---- posix_spawn ---- */

struct spawn_call {
	struct exec_target target;
	pid_t *pid;
	const posix_spawn_file_actions_t *actions;
	const posix_spawnattr_t *attr;
	char *const *argv;
	char *const *envp;
};

static int spawn_real(const struct spawn_call *call, pid_t *pid, char *const envp[])
{
	const char *path = call->target.path;

	return call->target.is_searched
		       ? REAL(posix_spawnp)(pid, path, call->actions, call->attr, call->argv, envp)
		       : REAL(posix_spawn)(pid, path, call->actions, call->attr, call->argv, envp);
}

static int spawn_shimmed(const struct spawn_call *call, pid_t *pid, char *const envp[])
{
	int rc;

	arena_set_inheritable(true);
	rc = spawn_real(call, pid, envp);
	arena_set_inheritable(false);
	if (rc == 0) {
		/* Actions that cannot be read are no loss: the child adopts what it got in a moment. */
		exec_each_inherited(hand_on, pid);
		(void)exec_each_spawn_dup(call->actions, hand_on, pid);
	}
	return rc;
}

/* Other threads may execute programs meanwhile: those do not get sockets that they might have got. */
static int spawn_unshimmed(const struct spawn_call *call, pid_t *pid, char *const envp[],
			   enum elf_verdict verdict)
{
	struct spawn_call changed = *call;
	struct exec_relays relays;
	struct exec_guard guard;
	int n_relayed, rc;

	exec_guard_set(&guard);
	n_relayed = exec_relays_for_spawn(&relays, &guard, envp, target_name(&call->target),
					      elf_verdict_text(verdict), call->actions);
	if (n_relayed < 0) {
		exec_guard_undo(&guard);
		return -n_relayed;
	}
	log_withheld(&call->target, verdict, &guard, n_relayed, envp);
	changed.actions = &relays.actions;
	rc = spawn_real(&changed, pid, envp);
	exec_relays_spawned(&relays, rc == 0 ? *pid : 0);
	exec_guard_undo(&guard);
	return rc;
}

static int spawn_with(const struct spawn_call *call, char *const envp[])
{
	enum elf_verdict verdict;
	pid_t pid = 0;
	int rc;

	if (!arena_is_open()) {
		return spawn_real(call, call->pid, envp);
	}
	verdict = exec_judge(&call->target);
	/* A path that is good only after an action has changed the directory cannot be judged: not found. */
	rc = verdict == ELF_FITS ? spawn_shimmed(call, &pid, envp)
				 : spawn_unshimmed(call, &pid, envp, verdict);
	if (rc == 0 && call->pid) {
		*call->pid = pid;
	}
	return rc;
}

static int hook_spawn(const struct spawn_call *call)
{
	int saved = errno;
	size_t size;
	void *mem;
	int rc;

	if (!shim_is_on()) {
		return spawn_real(call, call->pid, call->envp);
	}
	size = exec_env_size(call->envp);
	mem = sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!mem) {
		return ENOMEM;
	}
	rc = spawn_with(call, exec_env_fill(mem, call->envp));
	sys_munmap(mem, size);
	errno = saved;
	return rc;
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	const struct spawn_call call = {
		.target = { .dir_fd = AT_FDCWD, .path = path },
		.pid = pid,
		.actions = actions,
		.attr = attr,
		.argv = argv,
		.envp = envp,
	};

	return hook_spawn(&call);
}

EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	const struct spawn_call call = {
		.target = { .dir_fd = AT_FDCWD, .path = file, .is_searched = true },
		.pid = pid,
		.actions = actions,
		.attr = attr,
		.argv = argv,
		.envp = envp,
	};

	return hook_spawn(&call);
}
