/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libc writes to a descriptor on its own, past stdio and past the hooks: where that is a wrapped
 * connection, the text goes through the session.
 *
 * Implementation notes: syslog() with LOG_PERROR writes to descriptor 2. When that is a connection for the
 * first time, libc's own log is opened again without LOG_PERROR, for good, and the text is written here.
 */
#include <errno.h>
#include <execinfo.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>

#include "fdtab.h"
#include "real.h"
#include "session.h"
#include "shim.h"
#include "sys.h"

#define NO_FLAG (-1)

/* In headers of fortified builds alone. */
int __vasprintf_chk(char **text, int flag, const char *format, va_list args);

/* ---- the system log ---- */

/* What openlog() was told last; libc keeps the pointer, too. */
static const char *_Atomic log_ident;
static _Atomic int log_option, log_facility;
static _Atomic bool is_echoing;

EXPORT void openlog(const char *ident, int option, int facility)
{
	if (ident) {
		log_ident = ident;
	}
	log_option = option;
	log_facility = facility;
	REAL(openlog)(ident, is_echoing ? option & ~LOG_PERROR : option, facility);
}

EXPORT void closelog(void)
{
	log_ident = NULL;
	REAL(closelog)();
}

static void echo(int flag, const char *format, va_list args)
{
	const char *ident = log_ident;
	char *text = NULL;
	char pid[24] = "";
	int n = flag == NO_FLAG ? vasprintf(&text, format, args) : __vasprintf_chk(&text, flag, format, args);

	if (n < 0) {
		return;
	}
	if (log_option & LOG_PID) {
		snprintf(pid, sizeof(pid), "[%d]", (int)sys_getpid());
	}
	dprintf(2, "%s%s: %s%s", ident ? ident : program_invocation_short_name, pid, text,
		n > 0 && text[n - 1] == '\n' ? "" : "\n");
	free(text);
}

static void log_text(int priority, int flag, const char *format, va_list args)
{
	int saved = errno;
	va_list copy;

	if ((log_option & LOG_PERROR) && fdtab_is_wrapped(2) && !atomic_exchange(&is_echoing, true)) {
		REAL(openlog)(log_ident, log_option & ~LOG_PERROR, log_facility);
	}
	if (is_echoing && (log_option & LOG_PERROR) && (LOG_MASK(LOG_PRI(priority)) & setlogmask(0))) {
		va_copy(copy, args);
		errno = saved; /* %m */
		echo(flag, format, copy);
		va_end(copy);
	}
	errno = saved;
	if (flag == NO_FLAG) {
		REAL(vsyslog)(priority, format, args);
	} else {
		REAL(__vsyslog_chk)(priority, flag, format, args);
	}
}

EXPORT void vsyslog(int priority, const char *format, va_list args)
{
	log_text(priority, NO_FLAG, format, args);
}

EXPORT void __vsyslog_chk(int priority, int flag, const char *format, va_list args)
{
	log_text(priority, flag, format, args);
}

EXPORT void syslog(int priority, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_text(priority, NO_FLAG, format, args);
	va_end(args);
}

EXPORT void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_text(priority, flag, format, args);
	va_end(args);
}

/* ---- messages ---- */

static const char *colon(const char *prefix)
{
	return prefix && *prefix ? ": " : "";
}

EXPORT void herror(const char *prefix)
{
	if (!fdtab_is_wrapped(2)) {
		REAL(herror)(prefix);
		return;
	}
	dprintf(2, "%s%s%s\n", prefix ? prefix : "", colon(prefix), hstrerror(h_errno));
}

/* libc describes the code of each signal in words; here it is its number. */
EXPORT void psiginfo(const siginfo_t *info, const char *prefix)
{
	if (!fdtab_is_wrapped(2)) {
		REAL(psiginfo)(info, prefix);
		return;
	}
	dprintf(2, "%s%s%s (code %d, process %d, user %d)\n", prefix ? prefix : "", colon(prefix),
		strsignal(info->si_signo), info->si_code, (int)info->si_pid, (int)info->si_uid);
}

/* ---- a backtrace: libc writes it to a file, which is then copied ---- */

static void copy_file(int from, int to)
{
	char bytes[1024];
	long n;

	sys_call(SYS_lseek, from, 0, SEEK_SET);
	while ((n = sys_call(SYS_read, from, bytes, sizeof(bytes))) > 0) {
		struct iovec iov = { bytes, (size_t)n };
		if (session_send(to, &iov, 1, 0) != n) {
			return;
		}
	}
}

EXPORT void backtrace_symbols_fd(void *const *addresses, int n, int fd)
{
	int file;

	if (!fdtab_is_wrapped(fd)) {
		REAL(backtrace_symbols_fd)(addresses, n, fd);
		return;
	}
	file = (int)sys_call(SYS_memfd_create, "backtrace", MFD_CLOEXEC, 0);
	if (file < 0) {
		return;
	}
	REAL(backtrace_symbols_fd)(addresses, n, file);
	copy_file(file, fd);
	sys_close(file);
}
