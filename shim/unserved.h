/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accepted connections that the program has not begun to serve.
 *
 * Their clients may be waiting in connect() for the handshake, while the program waits for something that comes only
 * after that: the next connection, or a word on another one. So whoever waits in a hook moves these handshakes on, once
 * they have been left alone for a moment.
 */
#ifndef SHIM_UNSERVED_H
#define SHIM_UNSERVED_H

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "ready.h"

#define UNSERVED_ROOM 16

extern _Atomic unsigned unserved_n;

/* Is there one? One load. */
static inline bool unserved_any(void)
{
	return __builtin_expect(atomic_load_explicit(&unserved_n, memory_order_relaxed) != 0, 0);
}

/* fd has been accepted, and wrapped. Of more than a few the oldest is forgotten. */
void unserved_add(int fd);
/* fork: parent and child each do what they mean to. */
void unserved_forget_all(void);

/*
 * What to wait for on behalf of those that have been left alone: at most UNSERVED_ROOM entries, how many is returned.
 * *until is brought forward to when the next one has.
 */
size_t unserved_gather(struct pollfd room[static UNSERVED_ROOM], struct ready_deadline *until);
/* Move those of them on whose revents are not 0. */
void unserved_move(const struct pollfd *set, size_t n);

/* ppoll(2), which moves them on meanwhile. A cancellation point; no lock may be held. */
int unserved_ppoll(struct pollfd *fds, nfds_t n_fds, const struct timespec *timeout, const sigset_t *mask);
/*
 * Before a blocking accept() on fd: returns 0 when a connection is there, or there is nothing (more) to move on; -EINTR
 * as accept() would for a signal.
 */
int unserved_before_accept(int fd);

#endif
