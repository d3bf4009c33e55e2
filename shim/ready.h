/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Readiness: what the kernel has to be asked about a wrapped socket, and what the program may hear
 * of the answer.
 *
 * An established session needs nearly nothing: undelivered plaintext keeps a byte in the kernel's
 * buffer, so the kernel's own readiness is right. Translated are only handshakes (which wait for
 * other things than the program does), failed ones, bytes of ours that still have to go out, and
 * POLLIN, which half a record or a ticket may have caused: a program would hang in its read, or take
 * EAGAIN for an error. Sets of epoll leave POLLIN to the kernel on a server's non-blocking sockets.
 */
#ifndef SHIM_READY_H
#define SHIM_READY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* ---- for the other hooks ---- */

/*
 * A session begins on fd, which may be in epoll sets already: translate these registrations from
 * now on. Call it after session_attach() for connect(), whether or not the descriptor blocks, with
 * no lock held.
 */
void ready_connecting(int fd);
/*
 * The handshake on fd has ended, well or badly: give its registrations back to the kernel. To be
 * called with no lock held by whoever did the last step; the callers of session_progress() in the
 * readiness hooks do. One load if there never was a registration to translate.
 */
void ready_settled(int fd);
/*
 * fd is about to be closed or replaced, or has been. One load if it has no registrations.
 * Async-signal-safe.
 */
void ready_forget(int fd);
/* Around fork; the registrations are then consistent in the child. */
void ready_fork_prepare(void);
void ready_fork_parent(void);
void ready_fork_child(void);

/* ---- for poll, select and epoll ---- */

/* When a wait ends. */
struct ready_deadline {
	bool forever;
	int64_t at_ns; /* CLOCK_MONOTONIC */
};

/*
 * The poll events to wait for in the kernel on behalf of a program that waits for `events` on fd.
 * Moves a handshake on. If the session has failed, *now is what to report at once, otherwise 0.
 * *until is brought forward to when the handshake's time is up: ask again then.
 */
short ready_ask(int fd, short events, short *now, struct ready_deadline *until);
/*
 * The kernel said `said` about fd: what the program, which waits for `events`, gets to see. Sets
 * *again if a handshake ended, so that another look is due even when the time is up.
 */
short ready_answer(int fd, short events, short said, bool *again);
/* What poll() reports on a session that has failed. */
short ready_failed(short events);

/* timeout must be valid, or NULL for ever. */
struct ready_deadline ready_deadline(const struct timespec *timeout);
/* Milliseconds as poll() and epoll_wait() take them: negative for ever. */
struct ready_deadline ready_deadline_ms(int timeout_ms);
/* The time left, 0 if it is up; NULL for ever. left: where to put it. */
struct timespec *ready_time_left(const struct ready_deadline *deadline, struct timespec *left);
/* The same in milliseconds, rounded up; -1 for ever. */
int ready_ms_left(const struct ready_deadline *deadline);
bool ready_time_is_up(const struct ready_deadline *deadline);
/* Bring deadline forward to at_ms, CLOCK_MONOTONIC; 0 is no time. */
void ready_not_after(struct ready_deadline *deadline, int64_t at_ms);
bool ready_is_valid_timeout(const struct timespec *timeout);

#endif
