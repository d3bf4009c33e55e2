/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that libc carries out where no hook sees it, and that are answered with ENOSYS where they would concern a wrapped
 * connection: programs that use them know another way.
 *
 * POSIX asynchronous input and output runs in threads of libc that read and write by themselves: ciphertext would come in and
 * plaintext would go out. pidfd_spawn() executes a program, and does not say which process it has become.
 */
#include <errno.h>
#include <stdatomic.h>

#include "fdtab.h"
#include "log.h"
#include "real.h"
#include "session.h"
#include "shim.h"

typedef int aio_fn(struct aiocb *op);
typedef int aio64_fn(struct aiocb64 *op);

static bool is_wrapped(int fd, const char *call)
{
	if (!fdtab_is_wrapped(fd) || session_phase(fd) == SESSION_NONE) {
		return false;
	}
	log_error("%s on a TLS connection is refused: libc would carry it out past the shim", call);
	return true;
}

static int refuse(void)
{
	errno = ENOSYS;
	return -1;
}

static int hook_aio(struct aiocb *op, const char *call, aio_fn *real_aio)
{
	return !real_aio || (op && is_wrapped(op->aio_fildes, call)) ? refuse() : real_aio(op);
}

static int hook_aio64(struct aiocb64 *op, const char *call, aio64_fn *real_aio)
{
	return !real_aio || (op && is_wrapped(op->aio_fildes, call)) ? refuse() : real_aio(op);
}

EXPORT int aio_read(struct aiocb *op)
{
	return hook_aio(op, "aio_read", REAL(aio_read));
}

EXPORT int aio_write(struct aiocb *op)
{
	return hook_aio(op, "aio_write", REAL(aio_write));
}

EXPORT int aio_read64(struct aiocb64 *op)
{
	return hook_aio64(op, "aio_read", REAL(aio_read64));
}

EXPORT int aio_write64(struct aiocb64 *op)
{
	return hook_aio64(op, "aio_write", REAL(aio_write64));
}

/* None of a list is begun if one would pass by the shim. */
EXPORT int lio_listio(int mode, struct aiocb *const list[], int n, struct sigevent *event)
{
	for (int i = 0; i < n; i++) {
		if (list[i] && is_wrapped(list[i]->aio_fildes, "lio_listio")) {
			return refuse();
		}
	}
	return REAL(lio_listio) ? real.lio_listio(mode, list, n, event) : refuse();
}

EXPORT int lio_listio64(int mode, struct aiocb64 *const list[], int n, struct sigevent *event)
{
	for (int i = 0; i < n; i++) {
		if (list[i] && is_wrapped(list[i]->aio_fildes, "lio_listio")) {
			return refuse();
		}
	}
	return REAL(lio_listio64) ? real.lio_listio64(mode, list, n, event) : refuse();
}

/* ---- glibc 2.39 ---- */

typedef int pidfd_spawn_fn(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
			   const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);

/* Of the two errors that it may have where its system calls are missing, this is the one that callers expect. */
static bool may_spawn(pidfd_spawn_fn *real_spawn)
{
	return real_spawn && shim_ready() != SHIM_ARMED;
}

EXPORT int pidfd_spawn(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	return may_spawn(REAL(pidfd_spawn)) ? real.pidfd_spawn(pidfd, path, actions, attr, argv, envp)
					    : ENOSYS;
}

EXPORT int pidfd_spawnp(int *pidfd, const char *file, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	return may_spawn(REAL(pidfd_spawnp)) ? real.pidfd_spawnp(pidfd, file, actions, attr, argv, envp)
					     : ENOSYS;
}
