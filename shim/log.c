/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines: one line, one write(2), which neither blocks the program nor raises a signal in it.
 *
 * Implementation notes: vsnprintf does not allocate for the plain conversions used here. A log file is opened at start,
 * before privileges are dropped, and its descriptor kept high. Descriptor 2 may become something else in a daemon that
 * closed it: a socket that was not there at the start gets no log lines.
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fdtab.h"
#include "sys.h"

#define LINE_MAX_LEN 1000
#define HIGH_FD 200
/* How long a reader of the log may keep the program waiting, and that once until it reads again. */
#define READER_MS 100

static enum log_level threshold = LOG_LEVEL_WARN;
static int fd = -1; /* of the log file; standard error otherwise */
static struct stat first_stderr;
/* Standard error is a TCP socket, and it is not known yet whether it is a TLS connection. */
static bool stderr_is_open_question;
/* Nobody takes from the pipe or terminal that the lines go to. */
static atomic_bool is_stuck;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static bool is_tcp(int socket)
{
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	return sys_getsockopt(socket, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == IPPROTO_TCP;
}

void log_init(const char *level, const char *file)
{
	bool known = !level;

	if (fstat(2, &first_stderr) != 0) {
		memset(&first_stderr, 0, sizeof(first_stderr));
	}
	stderr_is_open_question = is_tcp(2);
	for (int i = LOG_LEVEL_ERROR; level && i <= LOG_LEVEL_DEBUG; i++) {
		if (strcmp(level, level_names[i]) == 0) {
			threshold = (enum log_level)i;
			known = true;
		}
	}
	if (file && *file) {
		/* O_NONBLOCK: a pipe that nobody reads is ENXIO, and no wait for a reader. */
		int got = (int)sys_call6(SYS_openat, AT_FDCWD, (long)file,
					 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK,
					 0600, 0, 0);
		if (got >= 0) {
			fd = sys_fcntl(got, F_DUPFD_CLOEXEC, HIGH_FD);
			if (fd < 0) {
				fd = got;
			} else {
				sys_close(got);
			}
		} else {
			log_warn("TLSHIM_LOG_FILE: cannot open %s: %s; logging to standard error", file,
				 strerrordesc_np(-got));
		}
	}
	if (!known) {
		log_warn("TLSHIM_LOG=%s: expected error, warn, info or debug; using warn", level);
	}
}

void log_connections_known(void)
{
	stderr_is_open_question = false;
}

bool log_enabled(enum log_level level)
{
	return level <= threshold;
}

bool log_is_stderr(void)
{
	struct stat now;

	if (fd >= 0) {
		return false;
	}
	/* Closed at the start: what has number 2 now may be any file of the program's. */
	if (stderr_is_open_question || first_stderr.st_ino == 0 || fdtab_is_wrapped(2) ||
	    sys_call(SYS_fstat, 2, &now, 0) != 0) {
		return false;
	}
	return !S_ISSOCK(now.st_mode) || (now.st_dev == first_stderr.st_dev && now.st_ino == first_stderr.st_ino);
}

/* May a line be written without blocking? A supervisor that does not read its pipe must not stop the program. */
static bool has_room(int to)
{
	struct pollfd pfd = { .fd = to, .events = POLLOUT };
	const struct timespec limit = sys_timespec(atomic_load(&is_stuck) ? 0 : READER_MS);
	int n = sys_ppoll(&pfd, 1, &limit);

	atomic_store(&is_stuck, n == 0);
	return n != 0; /* where poll(2) itself fails, the write has to show */
}

/* Write without the signals that a broken pipe or a limit of file sizes sends: the program has written nothing. */
static void write_line(int to, const char *line, size_t len)
{
	const uint64_t signals = UINT64_C(1) << (SIGPIPE - 1) | UINT64_C(1) << (SIGXFSZ - 1);
	const struct timespec none = { 0, 0 };
	uint64_t before = 0, pending = 0;
	long n;

	if (!has_room(to)) {
		return;
	}
	sys_call6(SYS_rt_sigprocmask, SIG_BLOCK, (long)&signals, (long)&before, sizeof(before), 0, 0);
	sys_call6(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0, 0, 0, 0);
	n = sys_call(SYS_write, to, line, len);
	if ((n == -EPIPE || n == -EFBIG) && !(pending & signals)) {
		sys_call6(SYS_rt_sigtimedwait, (long)&signals, 0, (long)&none, sizeof(signals), 0, 0);
	}
	sys_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof(before), 0, 0);
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_LEN + 2];
	int saved = errno;
	va_list args;
	size_t len;
	int n;

	if (!log_enabled(level)) {
		return;
	}
	if (fd < 0 && !log_is_stderr()) {
		errno = saved;
		return;
	}
	n = snprintf(line, LINE_MAX_LEN, "tlshim[%d]: %s: ", (int)sys_getpid(), level_names[level]);
	len = (size_t)n;
	va_start(args, format);
	n = vsnprintf(line + len, LINE_MAX_LEN - len, format, args);
	va_end(args);
	if (n > 0) {
		len += (size_t)n;
	}
	if (len >= LINE_MAX_LEN) {
		len = LINE_MAX_LEN - 1;
	}
	for (size_t i = 0; i < len; i++) {
		/* What a peer sent may be quoted in it: no line breaks, no terminal control. */
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
			line[i] = '?';
		}
	}
	line[len++] = '\n';
	write_line(fd >= 0 ? fd : 2, line, len);
	errno = saved;
}

int log_fd(void)
{
	return fd;
}

void log_move_fd(void)
{
	int moved = sys_fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);

	if (moved >= 0) {
		fd = moved;
	}
}
