/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libc's own functions, looked up once.
 *
 * Implementation notes: dlsym() may allocate, and a malloc replacement that initialises itself calls read, close or
 * syscall(), which are ours. So the entries that such code uses start out as bare system calls and stay that until
 * all look-ups are done; the rest is NULL, and REAL() looks up first.
 */
#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "sys.h"

static long fail(long ret)
{
	if (ret < 0 && ret > -4096) {
		errno = (int)-ret;
		return -1;
	}
	return ret;
}

static ssize_t raw_read(int fd, void *buf, size_t len)
{
	return fail(sys_call(SYS_read, fd, buf, len));
}

static ssize_t raw_write(int fd, const void *buf, size_t len)
{
	return fail(sys_call(SYS_write, fd, buf, len));
}

static ssize_t raw_writev(int fd, const struct iovec *iov, int n_iov)
{
	return fail(sys_call(SYS_writev, fd, iov, n_iov));
}

static int raw_close(int fd)
{
	return (int)fail(sys_close(fd));
}

static int raw_fcntl(int fd, int cmd, ...)
{
	va_list args;
	long arg;

	va_start(args, cmd);
	arg = va_arg(args, long);
	va_end(args);
	return (int)fail(sys_fcntl(fd, cmd, arg));
}

static int raw_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	long arg;

	va_start(args, request);
	arg = va_arg(args, long);
	va_end(args);
	return (int)fail(sys_call(SYS_ioctl, fd, request, arg));
}

static long raw_syscall(long number, ...)
{
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++) {
		a[i] = va_arg(args, long);
	}
	va_end(args);
	return fail(sys_call6(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

struct real real = {
	.read = raw_read,
	.__read = raw_read,
	.write = raw_write,
	.__write = raw_write,
	.writev = raw_writev,
	.close = raw_close,
	.__close = raw_close,
	.fcntl = raw_fcntl,
	.fcntl64 = raw_fcntl,
	.__fcntl = raw_fcntl,
	.ioctl = raw_ioctl,
	.syscall = raw_syscall,
};
_Atomic bool real_ready;

static const struct {
	const char *name;
	size_t offset;
} names[] = {
#define HOOK(ret, name, params, args) { #name, offsetof(struct real, name) },
#include "hooks.def"
#undef HOOK
};

void real_init(void)
{
	static _Atomic int state; /* 0 not yet, 1 going on, 2 done */
	struct real found = real;
	int saved = errno;
	int expected = 0;
	bool is_missing = false;

	if (!atomic_compare_exchange_strong(&state, &expected, 1)) {
		/* Re-entered by a malloc replacement, or another thread is at it: what is there must do. */
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *symbol = dlsym(RTLD_NEXT, names[i].name);
		if (symbol) {
			*(void **)((char *)&found + names[i].offset) = symbol;
		} else {
			is_missing = true;
		}
	}
	if (is_missing) {
		(void)dlerror(); /* or the program would take it for an error of its own */
	}
	/* Names that an older libc lacks are NULL now; their hooks make the system call themselves, or say ENOSYS. */
	real = found;
	atomic_store(&state, 2);
	atomic_store(&real_ready, true);
	errno = saved;
}
