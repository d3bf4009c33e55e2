/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What poll, select and epoll share: translated interest, filtered answers, time left.
 */
#include "ready.h"

#include <dlfcn.h>
#include <limits.h>
#include <poll.h>

#include "session.h"
#include "sys.h"

#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS  INT64_C(1000000)

/* TLS has no urgent data, so a wrapped socket never has any of these. */
#define URGENT (POLLPRI | POLLRDBAND)

#define READABLE (POLLIN | POLLRDNORM)
#define WRITABLE (POLLOUT | POLLWRNORM)

/*
 * A thread that sleeps until a handshake moves on is not woken when another thread of the program ends it. It
 * looks by itself then.
 */
#define LOOK_MS 50
static const char *is_single; /* libc's word about the process; NULL: it has none */

__attribute__((constructor)) static void find_word(void)
{
	is_single = dlsym(RTLD_DEFAULT, "__libc_single_threaded"); /* since glibc 2.32 */
}

static bool has_threads(void)
{
	return !is_single || !*is_single;
}

short ready_failed(short events)
{
	int wanted = events & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP);

	return (short)(wanted | POLLERR | POLLHUP);
}

/* One step of a handshake. */
static enum session_phase progress(int fd, short *interest)
{
	enum session_phase phase = session_progress(fd, interest);

	if (phase != SESSION_CONNECTING) {
		ready_settled(fd);
	}
	return phase;
}

short ready_ask(int fd, short events, short *now, struct ready_deadline *until)
{
	enum session_phase phase = session_phase(fd);
	short interest = 0;

	*now = 0;
	if (phase == SESSION_CONNECTING) {
		phase = progress(fd, &interest);
	}
	switch (phase) {
	case SESSION_CONNECTING:
		ready_not_after(until, session_deadline_ms(fd));
		if (has_threads()) {
			ready_not_after(until, sys_now_ms() + LOOK_MS);
		}
		if ((events & WRITABLE) && session_is_writable_early(fd)) {
			interest = (short)(interest | (events & WRITABLE));
		}
		return interest;
	case SESSION_FAILED:
		*now = ready_failed(events);
		return 0;
	case SESSION_OPEN:
		if (session_flush_due(fd)) {
			events = (short)(events | POLLOUT);
		}
		if ((events & POLLRDHUP) && !(events & READABLE) && !session_recv_ready(fd)) {
			events = (short)(events | POLLIN); /* close_notify is data to the kernel */
		}
		return (short)(events & ~URGENT);
	case SESSION_NONE:
		break;
	}
	return events;
}

short ready_answer(int fd, short events, short said, bool *again)
{
	short seen = (short)(said & (events | POLLERR | POLLHUP | POLLNVAL));
	short interest;

	if (!said || (said & POLLNVAL)) {
		return seen;
	}
	switch (session_phase(fd)) {
	case SESSION_CONNECTING:
		if (progress(fd, &interest) != SESSION_CONNECTING) {
			*again = true;
			return 0;
		}
		return session_is_writable_early(fd) ? (short)(seen & WRITABLE) : 0;
	case SESSION_FAILED:
		return ready_failed(events);
	case SESSION_OPEN:
		if ((said & POLLOUT) && session_flush_due(fd)) {
			session_flush(fd);
		}
		if ((said & READABLE) && (events & POLLRDHUP) && session_recv_ready(fd) && session_has_ended(fd)) {
			seen |= POLLRDHUP;
		} else if ((seen & READABLE) && session_brings_nothing(fd)) {
			seen = (short)(seen & ~READABLE);
		}
		return (short)(seen & ~URGENT);
	case SESSION_NONE:
		break;
	}
	return seen;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

bool ready_is_valid_timeout(const struct timespec *timeout)
{
	return !timeout ||
	       (timeout->tv_sec >= 0 && timeout->tv_nsec >= 0 && timeout->tv_nsec < NS_PER_SEC);
}

struct ready_deadline ready_deadline(const struct timespec *timeout)
{
	/* A century is as good as for ever, and sums stay in range. */
	if (!timeout || timeout->tv_sec > INT64_C(3155760000)) {
		return (struct ready_deadline){ .forever = true };
	}
	if (timeout->tv_sec == 0 && timeout->tv_nsec == 0) {
		return (struct ready_deadline){ .at_ns = 0 }; /* long ago: no need to ask the clock */
	}
	return (struct ready_deadline){
		.at_ns = now_ns() + timeout->tv_sec * NS_PER_SEC + timeout->tv_nsec,
	};
}

struct ready_deadline ready_deadline_ms(int timeout_ms)
{
	struct timespec timeout = {
		.tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * NS_PER_MS,
	};

	return ready_deadline(timeout_ms < 0 ? NULL : &timeout);
}

static int64_t ns_left(const struct ready_deadline *deadline)
{
	int64_t left = deadline->at_ns ? deadline->at_ns - now_ns() : 0;

	return left > 0 ? left : 0;
}

struct timespec *ready_time_left(const struct ready_deadline *deadline, struct timespec *left)
{
	int64_t ns;

	if (deadline->forever) {
		return NULL;
	}
	ns = ns_left(deadline);
	left->tv_sec = ns / NS_PER_SEC;
	left->tv_nsec = ns % NS_PER_SEC;
	return left;
}

int ready_ms_left(const struct ready_deadline *deadline)
{
	int64_t ms;

	if (deadline->forever) {
		return -1;
	}
	ms = (ns_left(deadline) + NS_PER_MS - 1) / NS_PER_MS;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

void ready_not_after(struct ready_deadline *deadline, int64_t at_ms)
{
	if (at_ms > 0 && (deadline->forever || at_ms * NS_PER_MS < deadline->at_ns)) {
		deadline->forever = false;
		deadline->at_ns = at_ms * NS_PER_MS;
	}
}

bool ready_time_is_up(const struct ready_deadline *deadline)
{
	return !deadline->forever && ns_left(deadline) == 0;
}
