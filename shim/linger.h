/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that their program has closed before they could end.
 *
 * The kernel goes on by itself with what was written before close(). Here a part of it may wait for room in
 * the kernel's buffer, close_notify behind it, and session tickets on their way to a closed socket would make
 * the kernel throw away what has not arrived. So a helper process, one for all connections of a program, takes
 * a duplicate of the socket, sends what is left, reads what comes, and closes when the peer has ended.
 */
#ifndef SHIM_LINGER_H
#define SHIM_LINGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sealed bytes that can be handed on with a connection. */
#define LINGER_MAX_LEN 20480u

/*
 * Hand the connection behind fd to the helper, starting it if need be. Its last len bytes are sealed[]; both
 * are borrowed for the call. rule: for its log lines. SO_LINGER is turned off. The caller closes fd in any
 * case. False if there is no helper: the connection is as it was then. Waits for the helper's start, but not
 * for the peer. Async-signal-safe, keeps errno.
 */
must_check bool linger_hand_on(int fd, const char *rule, const uint8_t *sealed, size_t len);

/* Is a helper at work already, so that handing on costs little? */
bool linger_is_started(void);

/* The shim's own descriptor, -1 if there is none; and get it out of the way of dup2(). */
int linger_fd(void);
void linger_move_fd(void);

#endif
