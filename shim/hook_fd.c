/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks on descriptors: close, dup and their families, fcntl, ioctl.
 *
 * Implementation notes: the shim has descriptors of its own (arena, log). Loops that close everything must
 * not hit them, and a dup2() onto one moves it away first.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "ahead.h"
#include "arena.h"
#include "fdtab.h"
#include "linger.h"
#include "log.h"
#include "memory.h"
#include "pass.h"
#include "ready.h"
#include "real.h"
#include "session.h"
#include "shim.h"
#include "stdio_adopt.h"
#include "sys.h"
#include "unconnected.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2
#endif

static bool is_ours(int fd)
{
	return fd >= 0 &&
	       (fd == arena_fd() || fd == log_fd() || fd == linger_fd() || (ahead_is_used() && ahead_owns(fd)));
}

static void move_away(int fd)
{
	if (fd < 0) {
		return;
	}
	if (fd == arena_fd()) {
		arena_move_fd();
	}
	if (fd == log_fd()) {
		log_move_fd();
	}
	if (fd == linger_fd()) {
		linger_move_fd();
	}
	ahead_move_fd(fd);
}

static int result(long ret)
{
	if (ret < 0) {
		errno = (int)-ret;
		return -1;
	}
	return (int)ret;
}

/* ---- close ---- */

static int hook_close(int fd)
{
	if (fdtab_is_wrapped(fd)) {
		return session_close(fd);
	}
	if (is_ours(fd)) {
		errno = EBADF;
		return -1;
	}
	if (ahead_is_used()) {
		ahead_closing(fd);
	}
	return real.close(fd);
}

EXPORT int close(int fd)
{
	return hook_close(fd);
}

EXPORT int __close(int fd)
{
	return hook_close(fd);
}

static void release_one(int fd, fdtab_entry entry, void *ctx)
{
	(void)entry;
	(void)ctx;
	session_release(fd);
}

static int raw_close_range(unsigned first, unsigned last, int flags)
{
	return result(sys_call(SYS_close_range, first, last, flags));
}

/* The lowest descriptor of the shim's own that is not below first, -1 if there is none. */
static int next_of_ours(unsigned first)
{
	const int ours[] = { arena_fd(), log_fd(), linger_fd(), first <= INT_MAX ? ahead_next_fd((int)first) : -1 };
	int next = -1;

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
		if (ours[i] >= 0 && (unsigned)ours[i] >= first && (next < 0 || ours[i] < next)) {
			next = ours[i];
		}
	}
	return next;
}

/* close_range() around the shim's own descriptors. */
static int close_around(unsigned first, unsigned last, int flags)
{
	for (int ours; (ours = next_of_ours(first)) >= 0 && (unsigned)ours <= last; first = (unsigned)ours + 1) {
		if ((unsigned)ours > first && raw_close_range(first, (unsigned)ours - 1, flags) != 0) {
			return -1;
		}
		if ((unsigned)ours == last) {
			return 0;
		}
	}
	return raw_close_range(first, last, flags);
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	if (first > last || (flags & (int)CLOSE_RANGE_CLOEXEC)) {
		return raw_close_range(first, last, flags);
	}
	/* What is let go of must be closed then: on an empty range the kernel tells whether it will. */
	if (raw_close_range(~0u, ~0u, flags & ~(int)CLOSE_RANGE_UNSHARE) != 0) {
		return -1;
	}
	fdtab_each(first, last, release_one, NULL);
	ahead_closing_range(first, last);
	return close_around(first, last, flags);
}

EXPORT void closefrom(int first)
{
	unsigned from = first < 0 ? 0 : (unsigned)first;
	int saved = errno;

	fdtab_each(from, ~0u, release_one, NULL);
	ahead_closing_range(from, ~0u);
	if (close_around(from, ~0u, 0) != 0 && REAL(closefrom)) {
		/* A kernel without close_range(2): libc has another way, but it would hit our descriptors too. */
		for (int fd = first; fd < (1 << 20); fd++) {
			if (!is_ours(fd)) {
				sys_close(fd);
			}
		}
	}
	errno = saved;
}

/* ---- dup ---- */

static int duplicated(int fd, int new_fd)
{
	if (new_fd >= 0 && new_fd != fd && (fdtab_is_wrapped(fd) || fdtab_is_wrapped(new_fd))) {
		session_dup(fd, new_fd);
	} else if (new_fd >= 0 && new_fd != fd) {
		unconnected_dup(fd, new_fd);
	}
	if (new_fd >= 0 && new_fd != fd) {
		stdio_adopt(new_fd);
		ahead_dup(fd, new_fd);
	}
	return new_fd;
}

EXPORT int dup(int fd)
{
	return duplicated(fd, REAL(dup)(fd));
}

/* Before new_fd becomes something else: end what it was, if the call is going to succeed. */
static void make_room(int fd, int new_fd)
{
	struct rlimit limit;

	if (fd == new_fd || sys_fcntl(fd, F_GETFD, 0) < 0) {
		return;
	}
	if (sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0) == 0 && (rlim_t)new_fd >= limit.rlim_cur) {
		return; /* the limit has been lowered below what is open */
	}
	move_away(new_fd);
	if (fdtab_is_wrapped(new_fd)) {
		session_release(new_fd);
	}
	ahead_closing(new_fd);
}

EXPORT int dup2(int fd, int new_fd)
{
	if (fdtab_is_wrapped(new_fd) || is_ours(new_fd) || ahead_is_used()) {
		make_room(fd, new_fd);
	}
	return duplicated(fd, REAL(dup2)(fd, new_fd));
}

EXPORT int __dup2(int fd, int new_fd)
{
	return dup2(fd, new_fd);
}

EXPORT int dup3(int fd, int new_fd, int flags)
{
	if ((fdtab_is_wrapped(new_fd) || is_ours(new_fd) || ahead_is_used()) && !(flags & ~O_CLOEXEC)) {
		make_room(fd, new_fd);
	}
	return duplicated(fd, REAL(dup3)(fd, new_fd, flags));
}

/* ---- fcntl and ioctl: the third argument is passed on as the full word that it may be ---- */

typedef int fcntl_fn(int fd, int cmd, ...);

static int hook_fcntl(fcntl_fn *real_fcntl, int fd, int cmd, void *arg)
{
	int rc = real_fcntl(fd, cmd, arg);

	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? duplicated(fd, rc) : rc;
}

#define FCNTL_ARG(arg, last)               \
	do {                               \
		va_list args;              \
		va_start(args, last);      \
		arg = va_arg(args, void *); \
		va_end(args);              \
	} while (0)

EXPORT int fcntl(int fd, int cmd, ...)
{
	void *arg;

	FCNTL_ARG(arg, cmd);
	return hook_fcntl(real.fcntl, fd, cmd, arg);
}

EXPORT int fcntl64(int fd, int cmd, ...)
{
	void *arg;

	FCNTL_ARG(arg, cmd);
	return hook_fcntl(real.fcntl64, fd, cmd, arg);
}

EXPORT int __fcntl(int fd, int cmd, ...)
{
	void *arg;

	FCNTL_ARG(arg, cmd);
	return hook_fcntl(real.__fcntl, fd, cmd, arg);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	void *arg;

	FCNTL_ARG(arg, request);
	if (!fdtab_is_wrapped(fd)) {
		return real.ioctl(fd, request, arg);
	}
	switch (request) {
	case FIONREAD:
		if (!memory_can_write(arg, sizeof(int))) {
			errno = EFAULT;
			return -1;
		}
		*(int *)arg = (int)session_readable_bytes(fd);
		return 0;
	case SIOCATMARK:
		if (!memory_can_write(arg, sizeof(int))) {
			errno = EFAULT;
			return -1;
		}
		*(int *)arg = 0;
		return 0;
	default:
		return real.ioctl(fd, request, arg);
	}
}

/* ---- out of another process ---- */

EXPORT int pidfd_getfd(int pidfd, int target_fd, unsigned flags)
{
	int fd = result(sys_call(SYS_pidfd_getfd, pidfd, target_fd, flags));

	return fd < 0 || pass_fetched(fd) ? fd : -1;
}
