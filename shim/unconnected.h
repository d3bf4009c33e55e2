/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets that a process made and had not connected when it forked: one process may connect such a socket, and another
 * use the connection.
 */
#ifndef SHIM_UNCONNECTED_H
#define SHIM_UNCONNECTED_H

#include <stdbool.h>

#include "holders.h"

/* fd is a new socket, for TCP. Nothing is to be told when it is closed, connected or listened on. */
void unconnected_note(int fd);

/* Before a fork: the sockets that are noted and still not connected are shared from now on (FDTAB_SHARED). */
void unconnected_fork_prepare(void);

/*
 * This process is about to connect fd: the process that forked it holds the connection, too, if it still has the
 * socket.
 */
void unconnected_hold(int fd, struct holders *holders);
/* The connection did not come about, and the parent does not hold it any more. */
void unconnected_failed(int fd, struct holders *holders);

#endif
