/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that libc carries out where no hook sees it. They are refused where they would concern a wrapped
 * connection, or one that should be: with ENOSYS where programs know another way.
 *
 * POSIX asynchronous input and output runs in threads of libc that read and write by themselves: ciphertext
 * would come in and plaintext would go out. pidfd_spawn() executes a program, and does not say which
 * process it has become.
 */
#include <arpa/inet.h>
#include <errno.h>

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

/* ---- the r commands ---- */

/* Libc makes the connection by itself: only to ports (in network order) that no rule is about. */
static bool may_call(const char *call, int port)
{
	enum shim_state state = shim_ready();

	if (state != SHIM_BROKEN && (state != SHIM_ARMED || !policy_may_match(shim_policy(), POLICY_CONNECT,
									      ntohs((uint16_t)port)))) {
		return true;
	}
	log_error("%s to port %u is refused: libc would make the connection past the shim", call,
		  ntohs((uint16_t)port));
	errno = EACCES;
	return false;
}

EXPORT int rcmd(char **host, unsigned short port, const char *local, const char *remote, const char *command,
		int *error_fd)
{
	return may_call("rcmd", port) ? REAL(rcmd)(host, port, local, remote, command, error_fd) : -1;
}

EXPORT int rcmd_af(char **host, unsigned short port, const char *local, const char *remote,
		   const char *command, int *error_fd, sa_family_t family)
{
	return may_call("rcmd", port) ? REAL(rcmd_af)(host, port, local, remote, command, error_fd, family)
				      : -1;
}

EXPORT int rexec(char **host, int port, const char *user, const char *password, const char *command,
		 int *error_fd)
{
	return may_call("rexec", port) ? REAL(rexec)(host, port, user, password, command, error_fd) : -1;
}

EXPORT int rexec_af(char **host, int port, const char *user, const char *password, const char *command,
		    int *error_fd, sa_family_t family)
{
	return may_call("rexec", port) ? REAL(rexec_af)(host, port, user, password, command, error_fd, family)
				       : -1;
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
