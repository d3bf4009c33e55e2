/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * system() and popen(): libc starts the shell by itself, with the environment of this process.
 *
 * Implementation notes: the shell may inherit wrapped sockets, so for the time of the call `environ` is one
 * that hands on the shim and the arena. Threads that change the environment meanwhile break the rules of
 * setenv(3) anyway.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "arena.h"
#include "exec.h"
#include "fdtab.h"
#include "log.h"
#include "real.h"
#include "shim.h"
#include "sys.h"

struct handed_on {
	char **environment; /* the program's own */
	void *mem;
	size_t len;
	struct exec_guard guard; /* a shell that cannot load the shim gets no connections */
};

static bool hand_on_begin(struct handed_on *on)
{
	static const struct exec_target shell = { .dir_fd = AT_FDCWD, .path = "/bin/sh" };

	on->environment = environ;
	on->len = exec_env_size(environ);
	on->mem = sys_mmap(NULL, on->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!on->mem) {
		errno = ENOMEM;
		return false;
	}
	environ = exec_env_fill(on->mem, environ);
	on->guard.n = 0;
	if (exec_judge(&shell) != ELF_FITS && exec_guard_set(&on->guard) > 0) {
		log_warn("system, popen: /bin/sh cannot load the shim; it does not get the TLS connections of this process");
	}
	arena_set_inheritable(true);
	return true;
}

static void hand_on_end(const struct handed_on *on)
{
	arena_set_inheritable(false);
	exec_guard_undo(&on->guard);
	environ = on->environment;
	sys_munmap(on->mem, on->len);
}

static bool is_needed(void)
{
	return shim_ready() == SHIM_ARMED && fdtab_n_used > 0;
}

EXPORT int system(const char *command)
{
	struct handed_on on;
	int rc;

	if (!command || !is_needed()) {
		return REAL(system)(command);
	}
	if (!hand_on_begin(&on)) {
		return -1;
	}
	rc = REAL(system)(command);
	hand_on_end(&on);
	return rc;
}

EXPORT FILE *popen(const char *command, const char *type)
{
	struct handed_on on;
	FILE *stream;

	if (!is_needed()) {
		return REAL(popen)(command, type);
	}
	if (!hand_on_begin(&on)) {
		return NULL;
	}
	stream = REAL(popen)(command, type);
	hand_on_end(&on);
	return stream;
}
