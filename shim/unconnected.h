/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets that were not connected yet when a process forked or duplicated their descriptors: one descriptor may be used
 * to connect, and another for the connection.
 */
#ifndef SHIM_UNCONNECTED_H
#define SHIM_UNCONNECTED_H

#include <stdbool.h>

#include "holders.h"

/* fd is a new socket, for TCP. Nothing is to be told when it is closed, connected or listened on. */
void unconnected_note(int fd);

/* Before a fork: the sockets that are noted and still not connected are shared from now on (FDTAB_SHARED). */
void unconnected_fork_prepare(void);

/* new_fd is a duplicate of fd, which is not wrapped: the same for these two. One load where fd is no socket of ours. */
void unconnected_dup(int fd, int new_fd);

/*
 * This process is about to connect fd: the process that forked it holds the connection, too, if it still has the
 * socket.
 */
void unconnected_hold(int fd, struct holders *holders);
/* The connection did not come about, and the parent does not hold it any more. */
void unconnected_failed(int fd, struct holders *holders);

#endif
