/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * poll, ppoll and their twins.
 *
 * Implementation notes: with a wrapped descriptor among them the caller's entries are copied, the
 * copy is what the kernel gets, and the caller's array is written once at the end. Every wait is a
 * real ppoll with the caller's mask. No lock is held and nothing is allocated but, for many
 * entries, one mapping that a cancelled thread's clean-up frees.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#include "fdtab.h"
#include "memory.h"
#include "ready.h"
#include "real.h"
#include "sys.h"
#include "unserved.h"

#define N_SMALL 256

static bool has_wrapped(const struct pollfd *fds, nfds_t n_fds)
{
	for (nfds_t i = 0; i < n_fds; i++) {
		if (fdtab_is_wrapped(fds[i].fd)) {
			return true;
		}
	}
	return false;
}

/*
 * Is this a call that the kernel refuses before it looks at any entry? Then the array must not be
 * touched: it may be shorter than n_fds says.
 */
static bool is_refused(const struct pollfd *fds, nfds_t n_fds)
{
	struct rlimit limit = { 0 };

	if (!memory_can_read(fds, n_fds < N_SMALL ? n_fds * sizeof(*fds) : 1)) {
		return true;
	}
	return n_fds > N_SMALL &&
	       sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0) == 0 &&
	       n_fds > limit.rlim_cur;
}

/*
 * Fill `asked` for the kernel. Entries that can be answered at once get fd -1. True if there is
 * one.
 */
static bool ask_all(const struct pollfd *fds, struct pollfd *asked, nfds_t n_fds,
		    struct ready_deadline *until)
{
	bool have_news = false;

	memcpy(asked, fds, n_fds * sizeof(*fds));
	for (nfds_t i = 0; i < n_fds; i++) {
		short now;
		if (!fdtab_is_wrapped(fds[i].fd)) {
			continue;
		}
		asked[i].events = ready_ask(fds[i].fd, fds[i].events, &now, until);
		if (now) {
			asked[i].fd = -1;
			have_news = true;
		}
	}
	return have_news;
}

/* Fill in the caller's revents from what the kernel said; returns how many are not 0. */
static int answer_all(struct pollfd *fds, const struct pollfd *asked, nfds_t n_fds, bool *again)
{
	int n_ready = 0;

	for (nfds_t i = 0; i < n_fds; i++) {
		short seen = asked[i].revents;
		if (asked[i].fd != fds[i].fd) {
			seen = ready_failed(fds[i].events);
		} else if (seen && fdtab_is_wrapped(fds[i].fd)) {
			seen = ready_answer(fds[i].fd, fds[i].events, seen, again);
		}
		fds[i].revents = seen;
		n_ready += seen != 0;
	}
	return n_ready;
}

static int wait_translated(struct pollfd *fds, struct pollfd *asked, nfds_t n_fds,
			   const struct timespec *timeout, const sigset_t *mask)
{
	static const struct timespec at_once;
	struct ready_deadline deadline = ready_deadline(timeout);
	struct timespec left;
	int saved = errno;

	for (;;) {
		struct ready_deadline until = deadline;
		bool have_news = ask_all(fds, asked, n_fds, &until);
		bool again = false;
		int said, n_ready;

		said = unserved_ppoll(asked, n_fds, have_news ? &at_once : ready_time_left(&until, &left),
				      mask);
		if (said < 0) {
			if (!have_news || errno != EINTR) {
				return -1;
			}
			/* The news outweighs the signal, as in the kernel. It wrote no revents. */
			for (nfds_t i = 0; i < n_fds; i++) {
				asked[i].revents = 0;
			}
			errno = saved;
		}
		n_ready = answer_all(fds, asked, n_fds, &again);
		if (n_ready > 0 || (!again && ready_time_is_up(&deadline))) {
			return n_ready;
		}
	}
}

struct mapping {
	void *addr;
	size_t len;
};

static void unmap(void *arg)
{
	const struct mapping *mapping = arg;

	sys_munmap(mapping->addr, mapping->len);
}

static int wait_many(struct pollfd *fds, nfds_t n_fds, const struct timespec *timeout,
		     const sigset_t *mask)
{
	struct mapping mapping = { .len = n_fds * sizeof(*fds) };
	int ret;

	mapping.addr =
		sys_mmap(NULL, mapping.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!mapping.addr) {
		errno = ENOMEM;
		return -1;
	}
	pthread_cleanup_push(unmap, &mapping);
	ret = wait_translated(fds, mapping.addr, n_fds, timeout, mask);
	pthread_cleanup_pop(1);
	return ret;
}

static int wait_wrapped(struct pollfd *fds, nfds_t n_fds, const struct timespec *timeout,
			const sigset_t *mask)
{
	struct pollfd small[N_SMALL];

	if (n_fds > N_SMALL) {
		return wait_many(fds, n_fds, timeout, mask);
	}
	return wait_translated(fds, small, n_fds, timeout, mask);
}

static inline bool is_concerned(const struct pollfd *fds, nfds_t n_fds)
{
	return __builtin_expect(fdtab_n_used != 0, 0) && n_fds > 0 && !is_refused(fds, n_fds) &&
	       (has_wrapped(fds, n_fds) || unserved_any());
}

/* Apart from do_poll(), which needs no frame of its own for all others. */
__attribute__((noinline)) static int poll_wrapped(struct pollfd *fds, nfds_t n_fds, int timeout)
{
	struct timespec time = {
		.tv_sec = timeout / 1000,
		.tv_nsec = timeout % 1000 * 1000000L,
	};

	return wait_wrapped(fds, n_fds, timeout < 0 ? NULL : &time, NULL);
}

static int do_poll(struct pollfd *fds, nfds_t n_fds, int timeout)
{
	return is_concerned(fds, n_fds) ? poll_wrapped(fds, n_fds, timeout) : REAL(poll)(fds, n_fds, timeout);
}

static int do_ppoll(struct pollfd *fds, nfds_t n_fds, const struct timespec *timeout,
		    const sigset_t *mask)
{
	if (!is_concerned(fds, n_fds) || !ready_is_valid_timeout(timeout)) {
		return REAL(ppoll)(fds, n_fds, timeout, mask);
	}
	return wait_wrapped(fds, n_fds, timeout, mask);
}

EXPORT int poll(struct pollfd *fds, nfds_t n_fds, int timeout)
{
	return do_poll(fds, n_fds, timeout);
}

EXPORT int __poll(struct pollfd *fds, nfds_t n_fds, int timeout)
{
	return do_poll(fds, n_fds, timeout);
}

EXPORT int ppoll(struct pollfd *fds, nfds_t n_fds, const struct timespec *timeout, const sigset_t *mask)
{
	return do_ppoll(fds, n_fds, timeout, mask);
}

/* The fortified ones: libc's own ends the program when the array is too short. */

EXPORT int __poll_chk(struct pollfd *fds, nfds_t n_fds, int timeout, size_t fds_size)
{
	if (fds_size / sizeof(*fds) < n_fds) {
		return REAL(__poll_chk)(fds, n_fds, timeout, fds_size);
	}
	return do_poll(fds, n_fds, timeout);
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n_fds, const struct timespec *timeout,
		       const sigset_t *mask, size_t fds_size)
{
	if (fds_size / sizeof(*fds) < n_fds) {
		return REAL(__ppoll_chk)(fds, n_fds, timeout, mask, fds_size);
	}
	return do_ppoll(fds, n_fds, timeout, mask);
}
