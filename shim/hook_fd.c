/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks on descriptors: close, dup and their families, fcntl, ioctl, and syscall(), through which some programs make the
 * same calls by number.
 *
 * Implementation notes: the shim has descriptors of its own (arena, log). Loops that close everything must not hit them, and a
 * dup2() onto one moves it away first.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>

#include "arena.h"
#include "fdtab.h"
#include "log.h"
#include "proc.h"
#include "ready.h"
#include "real.h"
#include "session.h"
#include "shim.h"
#include "stdio_adopt.h"
#include "sys.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

static bool is_ours(int fd)
{
	return fd >= 0 && (fd == arena_fd() || fd == log_fd());
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

/* close_range() around the shim's own descriptors. */
static int close_around(unsigned first, unsigned last, int flags)
{
	int ours[2] = { arena_fd(), log_fd() };

	if (ours[0] > ours[1]) {
		int swap = ours[0];
		ours[0] = ours[1];
		ours[1] = swap;
	}
	for (int i = 0; i < 2; i++) {
		if (ours[i] < 0 || (unsigned)ours[i] < first || (unsigned)ours[i] > last) {
			continue;
		}
		if ((unsigned)ours[i] > first && raw_close_range(first, (unsigned)ours[i] - 1, flags) != 0) {
			return -1;
		}
		if ((unsigned)ours[i] == last) {
			return 0;
		}
		first = (unsigned)ours[i] + 1;
	}
	return raw_close_range(first, last, flags);
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	if (first > last || (flags & (int)CLOSE_RANGE_CLOEXEC)) {
		return raw_close_range(first, last, flags);
	}
	fdtab_each(first, last, release_one, NULL);
	return close_around(first, last, flags);
}

EXPORT void closefrom(int first)
{
	unsigned from = first < 0 ? 0 : (unsigned)first;
	int saved = errno;

	fdtab_each(from, ~0u, release_one, NULL);
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
	}
	if (new_fd >= 0 && new_fd != fd) {
		stdio_adopt(new_fd);
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
	if (fd == new_fd || sys_fcntl(fd, F_GETFD, 0) < 0) {
		return;
	}
	move_away(new_fd);
	if (fdtab_is_wrapped(new_fd)) {
		session_release(new_fd);
	}
}

EXPORT int dup2(int fd, int new_fd)
{
	if (fdtab_is_wrapped(new_fd) || is_ours(new_fd)) {
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
	if ((fdtab_is_wrapped(new_fd) || is_ours(new_fd)) && !(flags & ~O_CLOEXEC)) {
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
		if (!arg) {
			errno = EFAULT;
			return -1;
		}
		*(int *)arg = (int)session_readable_bytes(fd);
		return 0;
	case SIOCATMARK:
		if (arg) {
			*(int *)arg = 0;
		}
		return 0;
	default:
		return real.ioctl(fd, request, arg);
	}
}

/* ---- syscall() ---- */

EXPORT long syscall(long number, ...)
{
	long a[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++) {
		a[i] = va_arg(args, long);
	}
	va_end(args);

#define INT(i) ((int)a[i])
#define LEN(i) ((size_t)a[i])
#define PTR(i) ((void *)a[i])
	/* Calls that may concern a wrapped socket go by their names. */
	switch (number) {
	case SYS_read:
		return read(INT(0), PTR(1), LEN(2));
	case SYS_write:
		return write(INT(0), PTR(1), LEN(2));
	case SYS_readv:
		return readv(INT(0), PTR(1), INT(2));
	case SYS_writev:
		return writev(INT(0), PTR(1), INT(2));
	case SYS_close:
		return hook_close(INT(0));
#ifdef SYS_close_range
	case SYS_close_range:
		return close_range((unsigned)a[0], (unsigned)a[1], INT(2));
#endif
	case SYS_dup:
		return dup(INT(0));
#ifdef SYS_dup2
	case SYS_dup2:
		return dup2(INT(0), INT(1));
#endif
	case SYS_dup3:
		return dup3(INT(0), INT(1), INT(2));
	case SYS_fcntl:
		return fcntl(INT(0), INT(1), PTR(2));
	case SYS_ioctl:
		return ioctl(INT(0), (unsigned long)a[1], PTR(2));
	case SYS_socket:
		return socket(INT(0), INT(1), INT(2));
	case SYS_bind:
		return bind(INT(0), PTR(1), (socklen_t)a[2]);
	case SYS_listen:
		return listen(INT(0), INT(1));
	case SYS_connect:
		return connect(INT(0), PTR(1), (socklen_t)a[2]);
	case SYS_accept:
		return accept(INT(0), PTR(1), PTR(2));
	case SYS_accept4:
		return accept4(INT(0), PTR(1), PTR(2), INT(3));
	case SYS_sendto:
		return sendto(INT(0), PTR(1), LEN(2), INT(3), PTR(4), (socklen_t)a[5]);
	case SYS_recvfrom:
		return recvfrom(INT(0), PTR(1), LEN(2), INT(3), PTR(4), PTR(5));
	case SYS_sendmsg:
		return sendmsg(INT(0), PTR(1), INT(2));
	case SYS_recvmsg:
		return recvmsg(INT(0), PTR(1), INT(2));
	case SYS_sendmmsg:
		return sendmmsg(INT(0), PTR(1), (unsigned)a[2], INT(3));
	case SYS_recvmmsg:
		return recvmmsg(INT(0), PTR(1), (unsigned)a[2], INT(3), PTR(4));
	case SYS_shutdown:
		return shutdown(INT(0), INT(1));
	case SYS_sendfile:
		return sendfile64(INT(0), INT(1), PTR(2), LEN(3));
	case SYS_splice:
		return splice(INT(0), PTR(1), INT(2), PTR(3), LEN(4), (unsigned)a[5]);
#ifdef SYS_poll
	case SYS_poll:
		return poll(PTR(0), (nfds_t)a[1], INT(2));
#endif
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
		return epoll_wait(INT(0), PTR(1), INT(2), INT(3));
#endif
	case SYS_epoll_ctl:
		return epoll_ctl(INT(0), INT(1), INT(2), PTR(3));
	case SYS_epoll_pwait:
		return epoll_pwait(INT(0), PTR(1), INT(2), INT(3), PTR(4));
#ifdef SYS_fork
	case SYS_fork:
		return proc_raw_fork(number, a);
#endif
	case SYS_clone:
		if (!(a[0] & CLONE_VM)) {
			return proc_raw_fork(number, a);
		}
		break;
#ifdef SYS_clone3
	case SYS_clone3:
		/* struct clone_args begins with the flags, 64 bits. */
		if (a[0] && !(*(const uint64_t *)a[0] & CLONE_VM)) {
			return proc_raw_fork(number, a);
		}
		break;
#endif
#ifdef SYS_io_uring_setup
	case SYS_io_uring_setup:
		/* Its operations would pass by all hooks; programs fall back to calls that do not. */
		if (shim_policy()) {
			log_debug("io_uring is not available under the shim");
			errno = ENOSYS;
			return -1;
		}
		break;
#endif
	default:
		break;
	}
#undef INT
#undef LEN
#undef PTR
	return real.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
