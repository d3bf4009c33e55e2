/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stdio over wrapped sockets: fdopen, fclose, freopen, dprintf, and the three standard streams.
 *
 * Implementation notes: stdio inside libc reads and writes past every hook. A stream over a wrapped
 * socket is therefore a cookie stream, which calls us. Its functions go by the descriptor, as a
 * real FILE does: when the program puts another file at that number, the stream follows. The
 * _fileno member makes fileno() work, and freopen(), which gives the FILE libc's own functions and
 * puts the new file at the old number.
 *
 * A FILE that libc made before its descriptor was wrapped must never be flushed by libc: the bytes
 * that it holds are taken out of it and sent through the session.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio_ext.h>
#include <string.h>
#include <wchar.h>

#include "fdtab.h"
#include "iostream.h"
#include "real.h"
#include "session.h"
#include "shim.h"
#include "stdio_adopt.h"
#include "sys.h"

/* _IO_UNBUFFERED of <libio.h>, which glibc no longer installs. */
#define UNBUFFERED 0x0002

int __vsnprintf_chk(char *buf, size_t len, int flag, size_t buf_size, const char *format, va_list args);

/* ---- the functions of our cookie streams; the cookie is the descriptor ---- */

static int cookie_fd(void *cookie)
{
	return (int)(intptr_t)cookie;
}

static ssize_t read_once(int fd, char *buf, size_t len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };

	return fdtab_is_wrapped(fd) ? session_recv(fd, &iov, 1, 0) : real.read(fd, buf, len);
}

static ssize_t write_once(int fd, const char *buf, size_t len)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };

	return fdtab_is_wrapped(fd) ? session_send(fd, &iov, 1, 0) : real.write(fd, buf, len);
}

/* Write all of it, as far as there is no error: the count. */
static size_t write_all(int fd, const char *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write_once(fd, buf + done, len - done);
		if (n <= 0) {
			break;
		}
		done += (size_t)n;
	}
	return done;
}

static ssize_t cookie_read(void *cookie, char *buf, size_t len)
{
	return read_once(cookie_fd(cookie), buf, len);
}

/* A count below len sets the stream's error flag; negative values are not allowed (fopencookie(3)). */
static ssize_t cookie_write(void *cookie, const char *buf, size_t len)
{
	return (ssize_t)write_all(cookie_fd(cookie), buf, len);
}

static int cookie_seek(void *cookie, off64_t *offset, int whence)
{
	off64_t pos;

	if (fdtab_is_wrapped(cookie_fd(cookie))) {
		errno = ESPIPE;
		return -1;
	}
	pos = lseek64(cookie_fd(cookie), *offset, whence);
	if (pos < 0) {
		return -1;
	}
	*offset = pos;
	return 0;
}

static int cookie_close(void *cookie)
{
	int fd = cookie_fd(cookie);

	return fdtab_is_wrapped(fd) ? session_close(fd) : real.close(fd);
}

/* glibc's functions for cookie streams, as found in the first one that we made. */
static _Atomic(const void *) cookie_functions;

static const void *functions_of(const FILE *stream)
{
	const void *functions;

	/* struct _IO_FILE_plus: the table's address follows the public part. */
	memcpy(&functions, (const char *)stream + sizeof(FILE), sizeof(functions));
	return functions;
}

static bool is_cookie(const FILE *stream)
{
	const void *functions = atomic_load(&cookie_functions);

	return functions && functions_of(stream) == functions;
}

bool stdio_is_ours(const FILE *stream)
{
	return is_cookie(stream);
}

static FILE *open_cookie(int fd, const char *mode)
{
	const cookie_io_functions_t functions = {
		.read = cookie_read,
		.write = cookie_write,
		.seek = cookie_seek,
		.close = cookie_close,
	};
	FILE *stream = fopencookie((void *)(intptr_t)fd, mode, functions);

	if (stream) {
		stream->_fileno = fd;
		/*
		 * Cookie streams are for bytes only, and the mark of that makes putwc() crash: with NULL it
		 * writes bytes.
		 */
		stream->_wide_data = NULL;
		atomic_store(&cookie_functions, functions_of(stream));
	}
	return stream;
}

/* ---- the end of the process ---- */

static void (*at_exit_fn)(void);

/*
 * exit() flushes all streams after the last destructor, the newest first. The oldest of ours holds
 * nothing but one byte that is put there when the process ends, so its write function is called
 * when all that matters has been flushed.
 */
static FILE *sentinel;

static ssize_t sentinel_write(void *cookie, const char *buf, size_t len)
{
	void (*fn)(void) = at_exit_fn;

	(void)cookie;
	(void)buf;
	at_exit_fn = NULL;
	if (fn) {
		fn();
	}
	return (ssize_t)len;
}

static void make_sentinel(void)
{
	const cookie_io_functions_t functions = { .write = sentinel_write };

	sentinel = fopencookie(NULL, "w", functions);
}

static void open_sentinel(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_sentinel);
}

void stdio_at_exit(void (*fn)(void))
{
	open_sentinel();
	if (!sentinel) {
		fn();
		return;
	}
	/* The byte first: putting it there must not look like the end. */
	at_exit_fn = NULL;
	if (putc_unlocked('.', sentinel) == EOF) {
		fn();
		return;
	}
	at_exit_fn = fn;
}

/* ---- fdopen ---- */

/*
 * A TCP socket that is not connected yet may become wrapped later, when libc's FILE can no longer
 * be changed: it gets a cookie stream at once.
 */
static bool may_become_wrapped(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int);
	int protocol = 0;

	if (shim_ready() != SHIM_ARMED ||
	    sys_getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) != 0 || protocol != IPPROTO_TCP) {
		return false;
	}
	len = sizeof(peer);
	return sys_call(SYS_getpeername, fd, &peer, &len) == -ENOTCONN;
}

static bool mode_has(const char *mode, char flag)
{
	return memchr(mode, flag, strcspn(mode, ",")) != NULL;
}

EXPORT FILE *fdopen(int fd, const char *mode)
{
	bool reads = mode[0] == 'r', writes = mode[0] == 'w' || mode[0] == 'a';
	int flags, access, saved = errno;
	FILE *stream;

	if (!fdtab_is_wrapped(fd) && !may_become_wrapped(fd)) {
		return REAL(fdopen)(fd, mode);
	}
	flags = real.fcntl(fd, F_GETFL, 0);
	if (flags < 0) {
		return NULL;
	}
	if (mode_has(mode, '+')) {
		reads = writes = reads || writes;
	}
	access = flags & O_ACCMODE;
	if ((!reads && !writes) || (reads && access == O_WRONLY) || (writes && access == O_RDONLY)) {
		errno = EINVAL;
		return NULL;
	}
	if (mode[0] == 'a' && !(flags & O_APPEND)) {
		real.fcntl(fd, F_SETFL, flags | O_APPEND);
	}
	open_sentinel();
	stream = open_cookie(fd, reads && writes ? "r+" : reads ? "r" : "w");
	if (stream && mode_has(mode, 'e')) {
		real.fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	if (stream) {
		errno = saved;
	}
	return stream;
}

/*
 * Hand the output that stream holds to fd's session, or to another stream, and leave its buffer
 * empty. What was written as wide characters is not converted yet, and is dropped.
 */
static void move_pending(FILE *stream, int fd, FILE *to)
{
	size_t len = __fpending(stream);

	if (len == 0) {
		return;
	}
	if (fwide(stream, 0) <= 0 && to) {
		fwrite_unlocked(stream->_IO_write_base, 1, len, to);
	} else if (fwide(stream, 0) <= 0) {
		write_all(fd, stream->_IO_write_base, len);
	}
	__fpurge(stream);
}

/* ---- the standard streams ---- */

static struct {
	FILE **variable;
	const char *mode;
	FILE *original; /* libc's, while it is replaced */
	FILE *cookie;	/* ours, once made; the program may have kept its address */
} standard[] = {
	{ &stdin, "r", NULL, NULL },
	{ &stdout, "w", NULL, NULL },
	{ &stderr, "w", NULL, NULL },
};

static void replace(int fd)
{
	FILE *old = *standard[fd].variable;

	/* Not libc's stream over this descriptor: the program has reopened or replaced it. */
	if (is_cookie(old) || old->_fileno != fd) {
		return;
	}
	if (!standard[fd].cookie) {
		open_sentinel();
		standard[fd].cookie = open_cookie(fd, standard[fd].mode);
		if (!standard[fd].cookie) {
			/* No stream is better than one that writes between the records. */
			old->_fileno = -1;
			return;
		}
		if (fd == 2) {
			/* As libc's own: setvbuf() would give it a buffer of one byte, and keep that for good. */
			standard[fd].cookie->_flags |= UNBUFFERED;
		} else {
			setvbuf(standard[fd].cookie, NULL, _IOFBF, BUFSIZ);
		}
	}
	move_pending(old, fd, standard[fd].cookie);
	old->_fileno = -1;
	standard[fd].original = old;
	*standard[fd].variable = standard[fd].cookie;
	iostream_follow(old, standard[fd].cookie);
}

static void give_back(int fd)
{
	FILE *original = standard[fd].original;

	/* The stream that the program sees goes on if it is another one, or if it was closed meanwhile. */
	if (!original || *standard[fd].variable != standard[fd].cookie) {
		return;
	}
	original->_fileno = fd;
	standard[fd].original = NULL;
	move_pending(standard[fd].cookie, fd, original);
	*standard[fd].variable = original;
	iostream_follow(standard[fd].cookie, original);
}

/*
 * FILEs over other numbers cannot be replaced, for the program holds their addresses. While a wrapped
 * socket is at such a number, a FILE of libc's over it is cut off: what it writes then fails with EBADF
 * instead of going out in clear.
 */
#define N_PARKED 16
static struct {
	FILE *stream;
	int fd;
} parked[N_PARKED];
static _Atomic int n_parked;

/* libc's list of all streams; exported, but in no header. */
extern FILE *_IO_list_all;
void _IO_list_lock(void);
void _IO_list_unlock(void);

static void park(FILE *stream, int fd)
{
	for (int i = 0; i < N_PARKED; i++) {
		if (!parked[i].stream) {
			parked[i].stream = stream;
			parked[i].fd = fd;
			atomic_fetch_add(&n_parked, 1);
			break;
		}
	}
	/* Without a free place it stays cut off. */
	stream->_fileno = -1;
}

static void unpark(FILE *stream, int fd)
{
	for (int i = 0; i < N_PARKED; i++) {
		if (parked[i].stream == stream && parked[i].fd == fd && stream->_fileno == -1) {
			stream->_fileno = fd;
			parked[i].stream = NULL;
			atomic_fetch_sub(&n_parked, 1);
		}
	}
}

static void cut_off_others(int fd)
{
	bool is_wrapped = fdtab_is_wrapped(fd);

	if (!is_wrapped && atomic_load(&n_parked) == 0) {
		return;
	}
	_IO_list_lock();
	for (FILE *stream = _IO_list_all; stream; stream = stream->_chain) {
		if (!is_wrapped) {
			unpark(stream, fd);
		} else if (stream->_fileno == fd && !is_cookie(stream)) {
			park(stream, fd);
		}
	}
	_IO_list_unlock();
}

/* A stream is freed: its address may come back. */
static void forget_parked(const FILE *stream)
{
	for (int i = 0; atomic_load(&n_parked) > 0 && i < N_PARKED; i++) {
		if (parked[i].stream && parked[i].stream == stream) {
			parked[i].stream = NULL;
			atomic_fetch_sub(&n_parked, 1);
		}
	}
}

void stdio_adopt(int fd)
{
	int saved = errno;

	if (fd > 2) {
		cut_off_others(fd);
	} else if (fd >= 0) {
		if (fdtab_is_wrapped(fd)) {
			replace(fd);
		} else {
			give_back(fd);
		}
	}
	errno = saved;
}

/*
 * The program closes or reopens stream. If it is one of ours for a standard stream: forget it, and
 * when it is going to be freed, leave the variable with libc's closed one.
 */
static void forget_standard(const FILE *stream, bool reopens)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (!stream || stream != standard[fd].cookie) {
			continue;
		}
		if (!reopens && *standard[fd].variable == stream && standard[fd].original) {
			*standard[fd].variable = standard[fd].original;
		}
		standard[fd].cookie = NULL;
		standard[fd].original = NULL;
	}
}

/* ---- fclose and freopen ---- */

/*
 * Before libc closes stream's descriptor silently: end the session. Streams of our own end it by
 * themselves when they are closed, but not when they are reopened.
 */
static void end_session(FILE *stream, bool reopens)
{
	int fd = stream ? stream->_fileno : -1;
	int saved = errno;

	if (!fdtab_is_wrapped(fd) || (is_cookie(stream) && !reopens)) {
		return;
	}
	if (is_cookie(stream)) {
		fflush(stream);
	} else {
		flockfile(stream);
		move_pending(stream, fd, NULL);
		funlockfile(stream);
	}
	session_release(fd);
	errno = saved;
}

EXPORT int fclose(FILE *stream)
{
	end_session(stream, false);
	forget_standard(stream, false);
	forget_parked(stream);
	return REAL(fclose)(stream);
}

/* glibc's flushes the streams and leaves their descriptors open. */
EXPORT int fcloseall(void)
{
	return REAL(fcloseall)();
}

typedef FILE *freopen_fn(const char *path, const char *mode, FILE *stream);

static FILE *hook_freopen(freopen_fn *real_freopen, const char *path, const char *mode, FILE *stream)
{
	bool is_ours = stream && is_cookie(stream);

	end_session(stream, true);
	forget_standard(stream, true);
	if (is_ours) {
		/* freopen() takes the mark that a cookie stream is for bytes only for a pointer. */
		stream->_wide_data = NULL;
	}
	stream = real_freopen(path, mode, stream);
	if (is_ours && stream) {
		fwide(stream, -1);
	}
	return stream;
}

EXPORT FILE *freopen(const char *path, const char *mode, FILE *stream)
{
	return hook_freopen(REAL(freopen), path, mode, stream);
}

EXPORT FILE *freopen64(const char *path, const char *mode, FILE *stream)
{
	return hook_freopen(REAL(freopen64), path, mode, stream);
}

/* ---- dprintf ---- */

#define NO_FLAG (-1)

static int format_to(char *buf, size_t len, int flag, const char *format, va_list args)
{
	va_list copy;
	int n;

	va_copy(copy, args);
	n = flag == NO_FLAG ? vsnprintf(buf, len, format, copy)
			    : __vsnprintf_chk(buf, len, flag, len, format, copy);
	va_end(copy);
	return n;
}

/* flag: that of the fortified twins, which decides whether %n is allowed in writable memory. */
static int print_to(int fd, int flag, const char *format, va_list args)
{
	char small[1024];
	char *buf = small;
	size_t len;
	int saved = errno;
	int n = format_to(small, sizeof(small), flag, format, args);

	if (n < 0) {
		return -1;
	}
	len = (size_t)n;
	if (len >= sizeof(small)) {
		buf = sys_mmap(NULL, len + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (!buf) {
			errno = ENOMEM;
			return -1;
		}
		errno = saved; /* for %m */
		n = format_to(buf, len + 1, flag, format, args);
	}
	if (n >= 0 && write_all(fd, buf, len) != len) {
		n = -1;
	}
	if (buf != small) {
		sys_munmap(buf, len + 1);
	}
	return n;
}

EXPORT int vdprintf(int fd, const char *format, va_list args)
{
	return fdtab_is_wrapped(fd) ? print_to(fd, NO_FLAG, format, args) : REAL(vdprintf)(fd, format, args);
}

EXPORT int dprintf(int fd, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vdprintf(fd, format, args);
	va_end(args);
	return n;
}

EXPORT int __vdprintf_chk(int fd, int flag, const char *format, va_list args)
{
	return fdtab_is_wrapped(fd) ? print_to(fd, flag, format, args)
				    : REAL(__vdprintf_chk)(fd, flag, format, args);
}

EXPORT int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = __vdprintf_chk(fd, flag, format, args);
	va_end(args);
	return n;
}
