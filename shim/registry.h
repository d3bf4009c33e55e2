/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which (epoll set, descriptor) pairs the shim has registered in place of the program, under which
 * token.
 *
 * The kernel then holds a random token as the event's data instead of the program's own. A token is
 * never taken for the program's data or for another registration's, also not by a thread that was
 * given an event just before its registration went: a slot rests for a second before it is used
 * again.
 *
 * Everything above the last section needs the lock. Nothing here may wait or
 * call into sessions while it is held.
 */
#ifndef SHIM_REGISTRY_H
#define SHIM_REGISTRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

enum registration_state {
	REGISTRATION_NONE,    /* free or resting */
	REGISTRATION_TRACKED, /* the kernel has the program's own: noted because connect() may come */
	REGISTRATION_WAITING, /* the kernel waits for what the handshake needs, level-triggered */
	REGISTRATION_SETTLED, /* the kernel has the program's modes and our token */
};

struct registration {
	_Atomic uint64_t token; /* stays while the slot rests */
	uint64_t session; /* session_id() that it is for, by registry_set_session(); 0 if TRACKED */
	struct epoll_event user; /* what the program asked for */
	uint32_t kernel_events;  /* what the kernel was asked for */
	int epfd, fd;
	uint32_t process; /* registry_process() of the process that made it */
	uint32_t next;    /* slot + 1 in the chain of fd, or in the row of resting ones */
	uint32_t next_of_session;
	enum registration_state state;
	bool told_early; /* while WAITING: an edge or a one-shot of writability has been reported */
	int64_t deadline_ms; /* while WAITING; by registry_set_deadline() */
	int64_t freed_ms;
};

/*
 * Take and release the lock. All signals are blocked in between, so close() may take it in a signal
 * handler.
 */
struct registry_guard {
	uint64_t signals;
};
struct registry_guard registry_lock(void);
void registry_unlock(struct registry_guard guard);

/*
 * A new registration of fd in epfd; state, session and events are left to the caller. NULL if there
 * is no memory.
 */
struct registration *registry_add(int epfd, int fd);
struct registration *registry_find(int epfd, int fd);
/* The registrations of fd, one after the other: NULL ends. */
struct registration *registry_first(int fd);
struct registration *registry_next(const struct registration *registration);
/* The same for all registrations of a session, whatever descriptors they were made with. */
struct registration *registry_first_of_session(uint64_t session);
struct registration *registry_next_of_session(const struct registration *registration);
void registry_set_session(struct registration *registration, uint64_t session);
/* The registration behind a token that registry_is_token() knows; NULL if it is gone. */
struct registration *registry_by_token(uint64_t token);
void registry_set_deadline(struct registration *registration, int64_t deadline_ms);
/*
 * Copy up to max waiting registrations whose time is up, and stop their clocks; returns how many.
 * Sets anew when it is time to look again.
 */
unsigned registry_collect_late(int64_t now_ms, struct registration *late, unsigned max);
/* Give a registration a new token: events on their way with the old one are over. NULL if there is no memory. */
struct registration *registry_renew(struct registration *registration);
void registry_remove(struct registration *registration);
/* Changes with each fork: tells registrations of this process from those it was born with. */
uint32_t registry_process(void);

void registry_fork_prepare(void);
void registry_fork_parent(void);
void registry_fork_child(void);

/* ---- without the lock ---- */

extern _Atomic(uint32_t) *registry_heads; /* fd -> slot + 1 of its first registration */
extern _Atomic unsigned registry_n_heads; /* 0 as long as there never was a registration */

static inline bool registry_is_used(void)
{
	return __builtin_expect(atomic_load_explicit(&registry_n_heads, memory_order_acquire) != 0, 0);
}

static inline bool registry_has(int fd)
{
	return (unsigned)fd < atomic_load_explicit(&registry_n_heads, memory_order_acquire) &&
	       atomic_load_explicit(&registry_heads[fd], memory_order_acquire) != 0;
}

/*
 * CLOCK_MONOTONIC when registry_collect_late() will have something, 0 for never. A little late, to
 * collect many at once.
 */
extern _Atomic int64_t registry_look_ms;

/* Is data a token, of a live registration or of one that was removed less than a second ago? */
bool registry_is_token(uint64_t data);

#endif
