/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wrapped sockets in epoll sets: what epoll_ctl and the waits do about them.
 */
#ifndef SHIM_EPOLL_H
#define SHIM_EPOLL_H

#include <stdbool.h>
#include <sys/epoll.h>

#include "ready.h"

/* epoll_ctl() for a wrapped descriptor, or one with registrations. */
int epoll_change(int epfd, int op, int fd, struct epoll_event *event);
/*
 * An unwrapped fd was added to epfd: remember that if it is a socket that may be connected to a TLS
 * server later.
 */
void epoll_track(int epfd, int fd, const struct epoll_event *event);
/*
 * The kernel reported event from epfd: make it what the program may see. False: nothing; the kernel
 * has been asked anew. Sets *again if a handshake has ended, so that another look is due even when
 * the time is up.
 */
bool epoll_translate(int epfd, struct epoll_event *event, bool *again);
/* Give up handshakes whose time is up, and bring until forward to when the next one's is. */
void epoll_give_up_late(struct ready_deadline *until);

#endif
