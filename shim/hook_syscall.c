/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * syscall(), through which some programs make by number the calls that are hooked by name. Numbers that
 * concern no socket are passed on as they are.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>

#include "fdtab.h"
#include "log.h"
#include "memory.h"
#include "proc.h"
#include "real.h"
#include "sandbox.h"
#include "session.h"
#include "shim.h"
#include "sys.h"

static long set_filter(const struct sock_fprog *program, void *ctx)
{
	const long *a = ctx;

	return real.syscall(SYS_seccomp, a[0], a[1], program);
}

/* In <sys/pidfd.h> since glibc 2.36. */
int pidfd_getfd(int pidfd, int target_fd, unsigned flags);

/* Would the kernel's asynchronous I/O, which passes by all hooks, read or write a wrapped socket? */
static bool aio_is_on_wrapped(long n, struct iocb *const *list)
{
	for (long i = 0; fdtab_n_used > 0 && i < n; i++) {
		if (!memory_can_read(&list[i], sizeof(list[i])) || !memory_can_read(list[i], sizeof(*list[i]))) {
			return false;
		}
		if (fdtab_is_wrapped((int)list[i]->aio_fildes) && list[i]->aio_lio_opcode != IOCB_CMD_POLL) {
			log_error("io_submit on a TLS connection is refused: the kernel would carry it out past the shim");
			return true;
		}
	}
	return false;
}

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
		return close(INT(0));
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
	case SYS_pidfd_getfd:
		return pidfd_getfd(INT(0), INT(1), (unsigned)a[2]);
	case SYS_socketpair:
		return socketpair(INT(0), INT(1), INT(2), PTR(3));
	case SYS_getsockopt:
		return getsockopt(INT(0), INT(1), INT(2), PTR(3), PTR(4));
	case SYS_setsockopt:
		return setsockopt(INT(0), INT(1), INT(2), PTR(3), (socklen_t)a[4]);
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
#ifdef SYS_select
	case SYS_select:
		return select(INT(0), PTR(1), PTR(2), PTR(3), PTR(4));
#endif
	case SYS_ppoll:
		return ppoll(PTR(0), (nfds_t)a[1], PTR(2), PTR(3));
	case SYS_pselect6:
		/* The last argument points at the mask's address and size. */
		return pselect(INT(0), PTR(1), PTR(2), PTR(3), PTR(4), a[5] ? *(sigset_t **)a[5] : NULL);
	case SYS_epoll_ctl:
		return epoll_ctl(INT(0), INT(1), INT(2), PTR(3));
	case SYS_epoll_pwait:
		return epoll_pwait(INT(0), PTR(1), INT(2), INT(3), PTR(4));
#ifdef SYS_epoll_pwait2
	case SYS_epoll_pwait2:
		return epoll_pwait2(INT(0), PTR(1), INT(2), PTR(3), PTR(4));
#endif
	/* The offset comes in two words, of which the first has it all where it fits. */
	case SYS_preadv2:
		return preadv64v2(INT(0), PTR(1), INT(2), (off64_t)a[3], INT(5));
	case SYS_pwritev2:
		return pwritev64v2(INT(0), PTR(1), INT(2), (off64_t)a[3], INT(5));
	case SYS_io_submit:
		if (aio_is_on_wrapped(a[1], PTR(2))) {
			errno = EINVAL;
			return -1;
		}
		break;
	case SYS_execve:
		return execve(PTR(0), PTR(1), PTR(2));
	case SYS_execveat:
		return execveat(INT(0), PTR(1), PTR(2), PTR(3), INT(4));
	case SYS_prctl:
		return prctl(INT(0), a[1], a[2], a[3], a[4]);
	case SYS_seccomp:
		if (a[0] == SECCOMP_SET_MODE_FILTER) {
			return sandbox_set_filter(PTR(2), set_filter, a);
		}
		break;
	case SYS_exit_group:
		if (fdtab_n_used > 0) {
			session_exit();
		}
		break;
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
