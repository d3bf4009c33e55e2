/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sendfile() and splice() with a wrapped socket at one end: the bytes go through here instead of
 * past the shim.
 *
 * Implementation notes: no byte leaves its source before its destination has taken it. A file is
 * read with pread() and its position moved afterwards; a pipe is looked into with tee(), a socket
 * with MSG_PEEK, and only what was accepted is then consumed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>

#include "fdtab.h"
#include "real.h"
#include "scratch.h"
#include "session.h"
#include "sys.h"

/* The most that the kernel moves in one call. */
#define COUNT_MAX 0x7ffff000u
#define STEP_MAX 65536u
/* A pipe that polls writable takes this much without blocking. */
#define PIPE_STEP_MAX PIPE_BUF
#define SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* A thread may be cancelled while it waits in session_send() or session_recv(). */
static void put_scratch(uint8_t **scratch)
{
	if (*scratch) {
		scratch_put(*scratch, STEP_MAX);
	}
}

/* As a system call returns it: what has been moved, or else the error. */
static ssize_t moved_or(size_t moved, long error)
{
	if (moved > 0 || error == 0) {
		return (ssize_t)moved;
	}
	errno = (int)-error;
	return -1;
}

static ssize_t send_bytes(int fd, uint8_t *bytes, size_t len, int flags)
{
	struct iovec iov = { .iov_base = bytes, .iov_len = len };
	int saved = errno;
	ssize_t n = session_send(fd, &iov, 1, flags);

	n = n < 0 ? -errno : n;
	errno = saved;
	return n;
}

static ssize_t recv_bytes(int fd, uint8_t *bytes, size_t len, int flags)
{
	struct iovec iov = { .iov_base = bytes, .iov_len = len };
	int saved = errno;
	ssize_t n = session_recv(fd, &iov, 1, flags);

	n = n < 0 ? -errno : n;
	errno = saved;
	return n;
}

/* ---- sendfile ---- */

static ssize_t send_from(int out_fd, int in_fd, off64_t offset, size_t count)
{
	__attribute__((cleanup(put_scratch))) uint8_t *bytes = scratch_get();
	size_t moved = 0;
	ssize_t n = bytes ? 0 : -ENOMEM;

	while (bytes && moved < count) {
		ssize_t taken;
		n = sys_call6(SYS_pread64, in_fd, (long)bytes, (long)least(count - moved, STEP_MAX),
			      (long)(offset + (off64_t)moved), 0, 0);
		if (n <= 0) {
			n = n == -EISDIR || n == -ESPIPE ? -EINVAL : n;
			break;
		}
		taken = send_bytes(out_fd, bytes, (size_t)n, 0);
		if (taken < 0) {
			n = taken;
			break;
		}
		moved += (size_t)taken;
		if (taken < n) {
			break;
		}
	}
	return moved_or(moved, n < 0 ? n : 0);
}

static ssize_t copy_to_pipe(int in_fd, int out_fd, size_t len, bool nonblocking);

static bool is_pipe(int fd)
{
	return sys_fcntl(fd, F_GETPIPE_SZ, 0) >= 0;
}

static ssize_t copy_file(int out_fd, int in_fd, off64_t *offset, size_t count)
{
	off64_t start;
	ssize_t n;
	long rc;

	/* The kernel checks descriptors, modes and pointers before it finds that there is nothing to move. */
	rc = sys_call6(SYS_sendfile, out_fd, in_fd, (long)offset, 0, 0, 0);
	rc = rc == 0 && (ssize_t)count < 0 ? -EINVAL : rc;
	if (rc < 0) {
		return moved_or(0, rc);
	}
	count = least(count, COUNT_MAX);
	if (fdtab_is_wrapped(in_fd)) {
		/* Kernels since 5.12 take a socket as source if the destination is a pipe. */
		return is_pipe(out_fd) ? copy_to_pipe(in_fd, out_fd, count, false) : moved_or(0, -EINVAL);
	}
	rc = offset ? *offset : sys_call(SYS_lseek, in_fd, 0, SEEK_CUR);
	if (rc < 0) {
		return moved_or(0, -EINVAL);
	}
	start = rc;
	n = send_from(out_fd, in_fd, start, count);
	if (n > 0 && offset) {
		*offset = start + n;
	} else if (n > 0) {
		sys_call(SYS_lseek, in_fd, start + n, SEEK_SET);
	}
	return n;
}

EXPORT ssize_t sendfile(int out_fd, int in_fd, off_t *offset, size_t count)
{
	if (fdtab_is_wrapped(out_fd) || fdtab_is_wrapped(in_fd)) {
		return copy_file(out_fd, in_fd, (off64_t *)offset, count);
	}
	return REAL(sendfile)(out_fd, in_fd, offset, count);
}

EXPORT ssize_t sendfile64(int out_fd, int in_fd, off64_t *offset, size_t count)
{
	if (fdtab_is_wrapped(out_fd) || fdtab_is_wrapped(in_fd)) {
		return copy_file(out_fd, in_fd, offset, count);
	}
	return REAL(sendfile64)(out_fd, in_fd, offset, count);
}

/* ---- splice ---- */

/* A pipe of our own, through which tee() shows what is in the program's. */
struct window {
	int fds[2];
};

static void close_window(struct window *window)
{
	sys_close(window->fds[0]);
	sys_close(window->fds[1]);
}

/* Copy what is in the pipe to bytes and leave it there. 0 at its end, or -errno. */
static ssize_t peek_pipe(int fd, const struct window *window, uint8_t *bytes, size_t len, bool nonblocking)
{
	long flags = nonblocking ? SPLICE_F_NONBLOCK : 0;
	ssize_t n = sys_call6(SYS_tee, fd, window->fds[1], (long)len, flags, 0, 0);
	size_t got = 0;

	while (n > 0 && got < (size_t)n) {
		ssize_t part = sys_call(SYS_read, window->fds[0], bytes + got, (size_t)n - got);
		if (part <= 0) {
			return part < 0 ? part : -EIO;
		}
		got += (size_t)part;
	}
	return n;
}

/* Take len bytes that are known to be in the pipe. */
static void drop_from_pipe(int fd, uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = sys_call(SYS_read, fd, bytes, len);
		if (n <= 0) {
			return;
		}
		len -= (size_t)n;
	}
}

static ssize_t copy_from_pipe(int in_fd, int out_fd, size_t len, unsigned flags)
{
	__attribute__((cleanup(put_scratch))) uint8_t *bytes = scratch_get();
	__attribute__((cleanup(close_window))) struct window window = { { -1, -1 } };
	bool nonblocking = flags & SPLICE_F_NONBLOCK;
	size_t moved = 0;
	ssize_t n;

	n = bytes ? sys_call(SYS_pipe2, window.fds, O_CLOEXEC, 0) : -ENOMEM;
	while (n >= 0 && moved < len) {
		ssize_t taken;
		n = peek_pipe(in_fd, &window, bytes, least(len - moved, STEP_MAX), nonblocking || moved > 0);
		if (n <= 0) {
			break;
		}
		taken = send_bytes(out_fd, bytes, (size_t)n, flags & SPLICE_F_MORE ? MSG_MORE : 0);
		if (taken < 0) {
			n = taken;
			break;
		}
		drop_from_pipe(in_fd, bytes, (size_t)taken);
		moved += (size_t)taken;
		if (taken < n) {
			break;
		}
	}
	return moved_or(moved, n < 0 ? n : 0);
}

/* 0 when the pipe takes PIPE_STEP_MAX bytes (or reports that its reader is gone), or -errno. */
static int wait_for_room(int fd, bool nonblocking)
{
	static const struct timespec now = { 0, 0 };
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	int n = sys_ppoll(&pfd, 1, nonblocking ? &now : NULL);

	return n > 0 ? 0 : n < 0 ? n : -EAGAIN;
}

static ssize_t copy_to_pipe(int in_fd, int out_fd, size_t len, bool nonblocking)
{
	__attribute__((cleanup(put_scratch))) uint8_t *bytes = scratch_get();
	size_t moved = 0;
	ssize_t n = bytes ? 0 : -ENOMEM;

	nonblocking = nonblocking || (sys_fcntl(out_fd, F_GETFL, 0) & O_NONBLOCK);
	while (n >= 0 && moved < len) {
		n = wait_for_room(out_fd, nonblocking || moved > 0);
		if (n < 0) {
			break;
		}
		n = recv_bytes(in_fd, bytes, least(len - moved, PIPE_STEP_MAX),
			       MSG_PEEK | (moved > 0 ? MSG_DONTWAIT : 0));
		if (n <= 0) {
			break;
		}
		n = sys_call(SYS_write, out_fd, bytes, n);
		if (n <= 0) {
			break;
		}
		moved += (size_t)n;
		n = recv_bytes(in_fd, bytes, (size_t)n, MSG_DONTWAIT);
	}
	return moved_or(moved, n < 0 ? n : 0);
}

/* What the kernel checks, in its order: 0 or -errno. */
static int check_splice(int in_fd, const off64_t *in_offset, int out_fd, const off64_t *out_offset,
			unsigned flags)
{
	int in_mode = sys_fcntl(in_fd, F_GETFL, 0);
	int out_mode = sys_fcntl(out_fd, F_GETFL, 0);

	if (flags & ~(unsigned)SPLICE_FLAGS) {
		return -EINVAL;
	}
	if (in_mode < 0 || (in_mode & O_ACCMODE) == O_WRONLY || out_mode < 0 ||
	    (out_mode & O_ACCMODE) == O_RDONLY) {
		return -EBADF;
	}
	if (out_mode & O_APPEND) {
		return -EINVAL;
	}
	if (is_pipe(in_fd)) {
		return in_offset ? -ESPIPE : out_offset ? -EINVAL : 0;
	}
	if (is_pipe(out_fd)) {
		return out_offset ? -ESPIPE : in_offset ? -EINVAL : 0;
	}
	return -EINVAL;
}

EXPORT ssize_t splice(int in_fd, off64_t *in_offset, int out_fd, off64_t *out_offset, size_t len,
		      unsigned flags)
{
	int rc;

	if (!fdtab_is_wrapped(in_fd) && !fdtab_is_wrapped(out_fd)) {
		return REAL(splice)(in_fd, in_offset, out_fd, out_offset, len, flags);
	}
	if (len == 0) {
		return 0;
	}
	rc = check_splice(in_fd, in_offset, out_fd, out_offset, flags);
	if (rc != 0) {
		return moved_or(0, rc);
	}
	len = least(len, COUNT_MAX);
	return fdtab_is_wrapped(out_fd) ? copy_from_pipe(in_fd, out_fd, len, flags)
					: copy_to_pipe(in_fd, out_fd, len, flags & SPLICE_F_NONBLOCK);
}
