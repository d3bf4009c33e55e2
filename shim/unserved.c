/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accepted connections that the program has not begun to serve.
 *
 * Implementation notes: a place belongs to who moves its entry from 0 or back. What is left in it may be out of date: a
 * descriptor that is not this connection any more, or one that somebody serves, drops out when it is looked at.
 */
#include "unserved.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "fdtab.h"
#include "real.h"
#include "session.h"
#include "sys.h"

/* Whoever accepts and serves at once, or gives the connection to a thread, is not to be disturbed. */
#define LEFT_ALONE_MS 20
/* Programs that wait for more are loops, which serve what they accept. */
#define N_POLLED_MAX 64

struct place {
	_Atomic fdtab_entry entry; /* 0: free */
	_Atomic int fd;
	_Atomic int64_t accepted_ms;
	_Atomic short events; /* what its handshake waits for */
};

_Atomic unsigned unserved_n;
static struct place places[UNSERVED_ROOM];

static void drop(struct place *place, fdtab_entry entry)
{
	if (atomic_compare_exchange_strong(&place->entry, &entry, 0)) {
		atomic_fetch_sub(&unserved_n, 1);
	}
}

static struct place *oldest(void)
{
	struct place *found = &places[0];

	for (size_t i = 1; i < UNSERVED_ROOM; i++) {
		if (atomic_load(&places[i].accepted_ms) < atomic_load(&found->accepted_ms)) {
			found = &places[i];
		}
	}
	return found;
}

static struct place *find_room(void)
{
	struct place *place;

	for (size_t i = 0; i < UNSERVED_ROOM; i++) {
		if (atomic_load(&places[i].entry) == 0) {
			return &places[i];
		}
	}
	place = oldest();
	drop(place, atomic_load(&place->entry));
	return place;
}

void unserved_add(int fd)
{
	fdtab_entry entry = fdtab_get(fd), none = 0;
	struct place *place;

	if (entry == 0) {
		return;
	}
	place = find_room();
	/* These first: who finds the entry takes them for its own. */
	atomic_store(&place->accepted_ms, sys_now_ms());
	atomic_store(&place->fd, fd);
	atomic_store(&place->events, POLLIN);
	if (atomic_compare_exchange_strong(&place->entry, &none, entry)) {
		atomic_fetch_add(&unserved_n, 1);
	}
}

void unserved_forget_all(void)
{
	for (size_t i = 0; unserved_any() && i < UNSERVED_ROOM; i++) {
		drop(&places[i], atomic_load(&places[i].entry));
	}
}

size_t unserved_gather(struct pollfd room[static UNSERVED_ROOM], struct ready_deadline *until)
{
	int64_t now = sys_now_ms();
	size_t n = 0;

	for (size_t i = 0; i < UNSERVED_ROOM; i++) {
		struct place *place = &places[i];
		fdtab_entry entry = atomic_load(&place->entry);
		int fd = atomic_load(&place->fd);
		int64_t ripe_ms = atomic_load(&place->accepted_ms) + LEFT_ALONE_MS;

		if (entry == 0) {
			continue;
		}
		if (fdtab_get(fd) != entry || !session_is_unserved(fd)) {
			drop(place, entry);
		} else if (now < ripe_ms) {
			ready_not_after(until, ripe_ms);
		} else {
			room[n++] = (struct pollfd){ .fd = fd, .events = atomic_load(&place->events) };
			ready_not_after(until, session_deadline_ms(fd));
		}
	}
	return n;
}

/* Its time is up: the next step finds that out. */
static bool is_late(int fd)
{
	int64_t deadline_ms = session_deadline_ms(fd);

	return deadline_ms != 0 && sys_now_ms() >= deadline_ms;
}

void unserved_move(const struct pollfd *set, size_t n)
{
	for (size_t i = 0; i < UNSERVED_ROOM; i++) {
		fdtab_entry entry = atomic_load(&places[i].entry);
		int fd = atomic_load(&places[i].fd);

		for (size_t j = 0; j < n; j++) {
			short events = POLLIN;
			if (entry == 0 || set[j].fd != fd || fdtab_get(fd) != entry ||
			    (set[j].revents == 0 && !is_late(fd))) {
				continue;
			}
			if (session_move_unserved(fd, &events) != SESSION_CONNECTING) {
				drop(&places[i], entry);
			}
			atomic_store(&places[i].events, events);
		}
	}
}

static nfds_t count_ready(struct pollfd *fds, const struct pollfd *asked, nfds_t n_fds)
{
	nfds_t n = 0;

	for (nfds_t i = 0; i < n_fds; i++) {
		fds[i].revents = asked[i].revents;
		n += fds[i].revents != 0;
	}
	return n;
}

int unserved_ppoll(struct pollfd *fds, nfds_t n_fds, const struct timespec *timeout, const sigset_t *mask)
{
	struct pollfd asked[N_POLLED_MAX + UNSERVED_ROOM];
	struct ready_deadline deadline = ready_deadline(timeout);

	if (!unserved_any() || n_fds > N_POLLED_MAX) {
		return REAL(ppoll)(fds, n_fds, timeout, mask);
	}
	for (nfds_t i = 0; i < n_fds; i++) {
		asked[i] = fds[i];
	}
	for (;;) {
		struct ready_deadline until = deadline;
		struct timespec left;
		size_t n_ours = unserved_gather(asked + n_fds, &until);
		int n_ready = REAL(ppoll)(asked, n_fds + n_ours, ready_time_left(&until, &left), mask);

		if (n_ready < 0) {
			return -1;
		}
		unserved_move(asked + n_fds, n_ours);
		n_ready = (int)count_ready(fds, asked, n_fds);
		if (n_ready > 0 || ready_time_is_up(&deadline)) {
			return n_ready;
		}
	}
}

int unserved_before_accept(int fd)
{
	struct pollfd listener = { .fd = fd, .events = POLLIN };
	int flags = sys_fcntl(fd, F_GETFL, 0);
	struct timeval limit = { 0, 0 };
	socklen_t len = sizeof(limit);

	/* A limit of time is the kernel's to keep. */
	if (flags < 0 || (flags & O_NONBLOCK) ||
	    sys_getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &len) != 0 || limit.tv_sec != 0 || limit.tv_usec != 0) {
		return 0;
	}
	while (unserved_any()) {
		int n = unserved_ppoll(&listener, 1, NULL, NULL);

		if (n >= 0) {
			return 0;
		}
		if (errno != EINTR) {
			return 0; /* accept() says what is wrong */
		}
		if (!sys_handlers_restart()) {
			return -EINTR;
		}
	}
	return 0;
}
