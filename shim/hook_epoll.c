/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoll_ctl and the waits.
 *
 * Implementation notes: an event with a token can come out of any wait, also of one that began
 * before the first token was made, so each result is checked; where there never was a token that is
 * one load.
 */
#include <errno.h>

#include "epoll.h"
#include "fdtab.h"
#include "memory.h"
#include "ready.h"
#include "real.h"
#include "registry.h"
#include "shim.h"
#include "sys.h"
#include "unserved.h"

EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	int ret;

	if ((fdtab_is_wrapped(fd) || registry_has(fd)) &&
	    (op == EPOLL_CTL_DEL || memory_can_read(event, sizeof(*event)))) {
		return epoll_change(epfd, op, fd, event);
	}
	ret = REAL(epoll_ctl)(epfd, op, fd, event);
	if (op == EPOLL_CTL_ADD && ret == 0) {
		epoll_track(epfd, fd, event);
	}
	return ret;
}

/* A wait with the arguments of its caller. */
struct wait {
	int epfd;
	struct epoll_event *events;
	int max;
	enum { WAIT, PWAIT, PWAIT2 } kind;
	const sigset_t *mask;
};

/* Older C libraries lack it. */
static int pwait2(const struct wait *wait, const struct timespec *timeout)
{
	int ret;

	if (REAL(epoll_pwait2)) {
		return REAL(epoll_pwait2)(wait->epfd, wait->events, wait->max, timeout, wait->mask);
	}
#ifdef SYS_epoll_pwait2
	ret = (int)sys_call6(SYS_epoll_pwait2, wait->epfd, (long)wait->events, wait->max, (long)timeout,
			     (long)wait->mask, 8);
#else
	ret = -ENOSYS;
#endif
	if (ret < 0) {
		errno = -ret;
		return -1;
	}
	return ret;
}

/* Wait for the set by poll(2), which can wait for others besides. Returns as that. */
static int wait_beside_unserved(const struct wait *wait, const struct ready_deadline *deadline)
{
	struct pollfd set = { .fd = wait->epfd, .events = POLLIN };
	struct timespec left;

	return unserved_ppoll(&set, 1, ready_time_left(deadline, &left), wait->kind == WAIT ? NULL : wait->mask);
}

static int wait_once(const struct wait *wait, const struct ready_deadline *deadline)
{
	struct timespec left;

	if (unserved_any() && wait_beside_unserved(wait, deadline) < 0 && errno == EINTR) {
		return -1;
	}
	switch (wait->kind) {
	case WAIT:
		return REAL(epoll_wait)(wait->epfd, wait->events, wait->max, ready_ms_left(deadline));
	case PWAIT:
		return REAL(epoll_pwait)(wait->epfd, wait->events, wait->max, ready_ms_left(deadline),
					 wait->mask);
	case PWAIT2:
		break;
	}
	return pwait2(wait, ready_time_left(deadline, &left));
}

static int wait_round(const struct wait *wait, const struct ready_deadline *deadline)
{
	struct ready_deadline until = *deadline;

	epoll_give_up_late(&until);
	return wait_once(wait, &until);
}

/* Finish a wait whose first round gave n events. */
static int translate(const struct wait *wait, const struct ready_deadline *deadline, int n)
{
	for (;;) {
		bool again = false;
		int kept = 0;

		for (int i = 0; i < n; i++) {
			if (epoll_translate(wait->epfd, &wait->events[i], &again)) {
				wait->events[kept++] = wait->events[i];
			}
		}
		if (kept > 0 || n < 0 || (!again && ready_time_is_up(deadline))) {
			return n < 0 ? n : kept;
		}
		n = wait_round(wait, deadline);
	}
}

/*
 * One wait by the caller's very arguments. Tokens may come out of it if the first was made
 * meanwhile.
 */
static int wait_plainly(const struct wait *wait, const struct ready_deadline *deadline, int n)
{
	return n > 0 && registry_is_used() ? translate(wait, deadline, n) : n;
}

static inline bool is_armed(void)
{
	return registry_is_used() || shim_policy();
}

static int do_wait(const struct wait *wait, int timeout_ms)
{
	/*
	 * Where nothing can be wrapped, not even the clock is read; an early end is the worst that
	 * can come of it.
	 */
	struct ready_deadline deadline = ready_deadline_ms(is_armed()       ? timeout_ms
							   : timeout_ms < 0 ? -1
									    : 0);

	if (registry_is_used() || unserved_any()) {
		return translate(wait, &deadline, wait_round(wait, &deadline));
	}
	return wait_plainly(wait, &deadline,
			    wait->kind == WAIT
				    ? REAL(epoll_wait)(wait->epfd, wait->events, wait->max, timeout_ms)
				    : REAL(epoll_pwait)(wait->epfd, wait->events, wait->max, timeout_ms,
							wait->mask));
}

EXPORT int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	struct wait wait = { .epfd = epfd, .events = events, .max = max, .kind = WAIT };

	return do_wait(&wait, timeout);
}

EXPORT int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	struct wait wait = { .epfd = epfd, .events = events, .max = max, .kind = PWAIT, .mask = mask };

	return do_wait(&wait, timeout);
}

EXPORT int epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
			const sigset_t *mask)
{
	struct wait wait = { .epfd = epfd, .events = events, .max = max, .kind = PWAIT2, .mask = mask };
	struct ready_deadline deadline = { .forever = !timeout };
	bool is_valid = ready_is_valid_timeout(timeout);

	if (timeout && is_valid && is_armed()) {
		deadline = ready_deadline(timeout);
	}
	if ((registry_is_used() || unserved_any()) && is_valid) {
		return translate(&wait, &deadline, wait_round(&wait, &deadline));
	}
	return wait_plainly(&wait, &deadline, pwait2(&wait, timeout));
}
