/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting as the kernel would wait in the call that the program made: timeouts, signals, cancellation. No
 * lock is held here.
 */
#include <errno.h>
#include <sys/time.h>

#include "real.h"
#include "session_priv.h"
#include "sys.h"
#include "unserved.h"

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
 * poll(2) refuses more entries than RLIMIT_NOFILE allows, and programs that lock themselves up set that to
 * 0. select(2) does not look at it.
 */
#define SELECT_MAX 65536
static int select_one(struct pollfd *pfd, int timeout_ms)
{
	const size_t bits = 8 * sizeof(unsigned long);
	struct timespec timeout = sys_timespec(timeout_ms);
	unsigned long in[SELECT_MAX / (8 * sizeof(unsigned long))] = { 0 };
	unsigned long out[SELECT_MAX / (8 * sizeof(unsigned long))] = { 0 };
	size_t word = (size_t)pfd->fd / bits;
	unsigned long bit = 1ul << ((size_t)pfd->fd % bits);
	int n;

	if (pfd->fd >= SELECT_MAX) {
		errno = EINVAL;
		return -1;
	}
	in[word] = pfd->events & POLLIN ? bit : 0;
	out[word] = pfd->events & POLLOUT ? bit : 0;
	n = REAL(pselect)(pfd->fd + 1, (fd_set *)in, (fd_set *)out, NULL, timeout_ms < 0 ? NULL : &timeout, NULL);
	pfd->revents = n > 0 ? pfd->events : 0;
	return n;
}

static int poll_one(struct pollfd *pfd, int timeout_ms)
{
	struct timespec timeout = sys_timespec(timeout_ms);
	int n = unserved_any() ? unserved_ppoll(pfd, 1, timeout_ms < 0 ? NULL : &timeout, NULL) :
				 REAL(poll)(pfd, 1, timeout_ms);

	return n < 0 && errno == EINVAL ? select_one(pfd, timeout_ms) : n;
}

static int wait_restarting(const struct ref *ref, short events, int timeout_option, int64_t *started_ms,
			   int64_t deadline_ms, bool may_restart)
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
		n = poll_one(&pfd, left > 1000000000 ? 1000000000 : (int)left);
		if (!ref_is_current(ref)) {
			return -EBADF;
		}
		if (n > 0) {
			return 0;
		}
		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		if (n < 0 && (!may_restart || option_ms >= 0 || !sys_handlers_restart())) {
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

int wait_events(const struct ref *ref, short events, int timeout_option, int64_t *started_ms, int64_t deadline_ms)
{
	return wait_restarting(ref, events, timeout_option, started_ms, deadline_ms, true);
}

int wait_events_partial(const struct ref *ref, short events, int timeout_option, int64_t *started_ms)
{
	return wait_restarting(ref, events, timeout_option, started_ms, 0, false);
}

int wait_readable(const struct ref *ref, int64_t *started_ms)
{
	char byte;
	ssize_t n;
	int err;

	if (unserved_any() || (*started_ms != 0 && option_timeout_ms(ref->fd, SO_RCVTIMEO) >= 0)) {
		/* The kernel's wait would be for this one alone, and count its time anew. */
		return wait_events(ref, POLLIN, SO_RCVTIMEO, started_ms, 0);
	}
	if (*started_ms == 0) {
		*started_ms = sys_now_ms();
	}
	n = REAL(recv)(ref->fd, &byte, 1, MSG_PEEK);
	err = n < 0 ? errno : 0;
	if (!ref_is_current(ref)) {
		return -EBADF;
	}
	/* The kernel tells an error once, so it must be passed on. The end of the stream is found by the next look. */
	return -err;
}

int wait_peekable(const struct ref *ref, size_t n_bytes)
{
	ssize_t n = REAL(recv)(ref->fd, NULL, n_bytes, MSG_PEEK | MSG_TRUNC | MSG_WAITALL);

	return n < 0 ? -errno : !ref_is_current(ref) ? -EBADF : (size_t)n < n_bytes ? -EAGAIN : 0;
}
