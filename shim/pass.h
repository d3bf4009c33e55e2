/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that travel between processes over Unix sockets (SCM_RIGHTS).
 *
 * A wrapped connection may be passed to a process that shares our arena: one that descends from the same
 * start of the shim and has it loaded. Any other receiver would speak plaintext into it, so that is
 * refused.
 */
#ifndef SHIM_PASS_H
#define SHIM_PASS_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Before sendmsg() of msg on unix_fd: false (logged) if it must not be sent. *n_passed: how many wrapped descriptors go
 * along; they count as held by somebody until they arrive.
 */
bool pass_out(int unix_fd, const struct msghdr *msg, int *n_passed);
/* The sendmsg() failed. */
void pass_undo(const struct msghdr *msg);
/*
 * After recvmsg() on unix_fd: what the received descriptors are. Connections from a process without the shim come under
 * the rules as if they were made now.
 */
void pass_in(int unix_fd, const struct msghdr *msg);
/*
 * fd was taken out of another process by pidfd_getfd(2). False (logged) with errno, and fd closed, if it may be a TLS
 * connection whose state is not in our arena.
 */
bool pass_fetched(int fd);

#endif
