/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls without libc: no cancellation point, no errno, usable before any symbol has been looked up and while a
 * lock is held. Results are the kernel's: a value, or -errno.
 */
#ifndef SHIM_SYS_H
#define SHIM_SYS_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#if defined(__x86_64__)
static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}
#else
#error "tlshim knows the system call convention of x86-64 and aarch64 only"
#endif

#define sys_call(nr, a, b, c) sys_call6((nr), (long)(a), (long)(b), (long)(c), 0, 0, 0)

static inline ssize_t sys_recv(int fd, void *buf, size_t len, int flags)
{
	return sys_call6(SYS_recvfrom, fd, (long)buf, (long)len, flags, 0, 0);
}

static inline ssize_t sys_send(int fd, const void *buf, size_t len, int flags)
{
	return sys_call6(SYS_sendto, fd, (long)buf, (long)len, flags, 0, 0);
}

static inline int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return (int)sys_call6(SYS_getsockopt, fd, level, name, (long)value, (long)len, 0);
}

static inline int sys_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return (int)sys_call6(SYS_setsockopt, fd, level, name, (long)value, (long)len, 0);
}

static inline int sys_fcntl(int fd, int cmd, long arg)
{
	return (int)sys_call(SYS_fcntl, fd, cmd, arg);
}

static inline int sys_close(int fd)
{
	return (int)sys_call(SYS_close, fd, 0, 0);
}

static inline int sys_shutdown(int fd, int how)
{
	return (int)sys_call(SYS_shutdown, fd, how, 0);
}

static inline pid_t sys_getpid(void)
{
	return (pid_t)sys_call(SYS_getpid, 0, 0, 0);
}

static inline pid_t sys_gettid(void)
{
	return (pid_t)sys_call(SYS_gettid, 0, 0, 0);
}

/* NULL on failure. */
static inline void *sys_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	long ret = sys_call6(SYS_mmap, (long)addr, (long)len, prot, flags, fd, offset);
	return ret < 0 && ret > -4096 ? NULL : (void *)ret;
}

static inline int sys_munmap(void *addr, size_t len)
{
	return (int)sys_call(SYS_munmap, addr, len, 0);
}

static inline int sys_madvise(void *addr, size_t len, int advice)
{
	return (int)sys_call(SYS_madvise, addr, len, advice);
}

static inline int sys_ppoll(struct pollfd *fds, size_t n_fds, const struct timespec *timeout)
{
	struct timespec copy; /* the system call writes the time left */

	if (timeout) {
		copy = *timeout;
	}
	return (int)sys_call6(SYS_ppoll, (long)fds, (long)n_fds, timeout ? (long)&copy : 0, 0, 8, 0);
}

/* Unix sockets, close-on-exec. 0 or -errno. */
static inline int sys_socketpair(int type, int fds[static 2])
{
	return (int)sys_call6(SYS_socketpair, AF_UNIX, type | SOCK_CLOEXEC, 0, (long)fds, 0, 0);
}

/*
 * What tells a socket from all others, before and after: its cookie. Kernels before 4.12 and emulators that know no
 * SO_COOKIE number sockets all the same: their inodes come from a counter. 0, or -errno if fd is none or it cannot
 * be told.
 */
static inline int sys_socket_id(int fd, uint64_t *id)
{
	socklen_t len = sizeof(*id);
	int rc = sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, id, &len);
	struct stat st;

	if (rc == -ENOPROTOOPT || rc == -EINVAL) {
		rc = (int)sys_call(SYS_fstat, fd, &st, 0);
		*id = rc == 0 ? (uint64_t)st.st_ino | (uint64_t)1 << 63 : 0;
	}
	return rc;
}

/* The same, and 0 where there is none. */
static inline uint64_t sys_socket_cookie(int fd)
{
	uint64_t cookie = 0;

	return sys_socket_id(fd, &cookie) == 0 ? cookie : 0;
}

/* Is there no process of that id any more? */
static inline bool sys_is_gone(pid_t pid)
{
	return sys_call(SYS_kill, pid, 0, 0) == -ESRCH;
}

/* ms: not negative. */
static inline struct timespec sys_timespec(int64_t ms)
{
	return (struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000L};
}

static inline void sys_sleep_ms(int64_t ms)
{
	const struct timespec time = sys_timespec(ms);

	sys_call(SYS_nanosleep, &time, NULL, 0);
}

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t sys_now_ms(void);

/* Are calls restarted after a signal? By all handlers that the program has installed; which one ran is unknown. */
bool sys_handlers_restart(void);

#endif
