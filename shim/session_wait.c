/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting as the kernel would wait in the call that the program made: timeouts, signals, cancellation. No lock is held here.
 */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>

#include "real.h"
#include "session_priv.h"
#include "sys.h"

int64_t sys_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Milliseconds of SO_RCVTIMEO or SO_SNDTIMEO, -1 if none is set. */
static int64_t option_timeout_ms(int fd, int option)
{
	struct timeval tv = { 0, 0 };
	socklen_t len = sizeof(tv);

	if (sys_getsockopt(fd, SOL_SOCKET, option, &tv, &len) != 0 || (tv.tv_sec == 0 && tv.tv_usec == 0)) {
		return -1;
	}
	return (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;
}

/*
 * poll(2) is never restarted after a signal, send(2) is if the handler has SA_RESTART. Which handler ran cannot be known, but
 * if all that are installed restart, so did that one.
 */
static bool all_handlers_restart(void)
{
	for (int sig = 1; sig < NSIG; sig++) {
		struct sigaction action;
		if (sigaction(sig, NULL, &action) != 0) {
			continue;
		}
		if (!(action.sa_flags & SA_SIGINFO) &&
		    (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)) {
			continue;
		}
		if (!(action.sa_flags & SA_RESTART)) {
			return false;
		}
	}
	return true;
}

int wait_events(const struct ref *ref, short events, int timeout_option, int64_t *started_ms, int64_t deadline_ms)
{
	int64_t option_ms = option_timeout_ms(ref->fd, timeout_option);
	int64_t option_end;

	if (*started_ms == 0) {
		*started_ms = sys_now_ms();
	}
	option_end = *started_ms + option_ms;

	for (;;) {
		struct pollfd pfd = { .fd = ref->fd, .events = events };
		int64_t now = sys_now_ms();
		int64_t left = -1;
		int n;

		if (option_ms >= 0) {
			left = option_end > now ? option_end - now : 0;
		}
		if (deadline_ms && (left < 0 || deadline_ms - now < left)) {
			left = deadline_ms > now ? deadline_ms - now : 0;
		}
		n = REAL(poll)(&pfd, 1, left > 1000000000 ? 1000000000 : (int)left);
		if (!ref_is_current(ref)) {
			return -EBADF;
		}
		if (n > 0) {
			return 0;
		}
		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		if (n < 0 && (option_ms >= 0 || !all_handlers_restart())) {
			return -EINTR;
		}
		now = sys_now_ms();
		if (option_ms >= 0 && now >= option_end) {
			return -EAGAIN;
		}
		if (deadline_ms && now >= deadline_ms) {
			return -ETIMEDOUT;
		}
	}
}

int wait_readable(const struct ref *ref)
{
	char byte;
	ssize_t n = REAL(recv)(ref->fd, &byte, 1, MSG_PEEK);
	int err = n < 0 ? errno : 0;

	if (!ref_is_current(ref)) {
		return -EBADF;
	}
	/* The kernel tells an error once, so it must be passed on. The end of the stream is found by the next look. */
	return -err;
}
