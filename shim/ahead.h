/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Servers that accept late.
 *
 * An FTP server opens a port for each transfer, and accepts there only when the client's command
 * has come over the control connection. A client that makes its TLS handshake before it sends the
 * command would wait for ever: before accept() nobody answers. So a helper process accepts from
 * such a listener when the program does not do so at once, drives the handshake, and gives the
 * program the connection when it accepts.
 */
#ifndef SHIM_AHEAD_H
#define SHIM_AHEAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

/* Listeners of this process that have a helper, and such as are just being added. */
extern _Atomic unsigned ahead_n_used;

static inline bool ahead_is_used(void)
{
	return __builtin_expect(atomic_load_explicit(&ahead_n_used, memory_order_relaxed) != 0, 0);
}

/*
 * listen() has succeeded on fd: start a helper for it if it is a further listener of a server that
 * is at work, whose connections a rule may put under TLS. Without one the program accepts alone, as
 * ever. Keeps errno.
 */
void ahead_listen(int fd);

/*
 * The program's accept() on listener gave fd: does it stand for a connection that the helper has?
 */
bool ahead_is_poke(int listener, int fd);
/*
 * Then the connection itself, as accept4() gives it: with flags, its peer's address in addr (room
 * bytes) and that address's length in *len, addr and len may be NULL. fd is closed. It has its
 * session, if the helper has put it under a rule; else that is up to the caller. -1 with errno
 * ECONNABORTED if there is none.
 */
int ahead_take(int listener, int fd, struct sockaddr *addr, socklen_t room, socklen_t *len, int flags);

/*
 * Before fd is closed or replaced. With the last descriptor of the last process the helper goes:
 * when this returns the port is free again, as far as it is the helper's, or a second has passed.
 * Async-signal-safe, keeps errno.
 */
void ahead_closing(int fd);
/* The same for all of first..last. */
void ahead_closing_range(unsigned first, unsigned last);
/* new_fd is a duplicate of fd. */
void ahead_dup(int fd, int new_fd);

/* In a new process: after fork, and at the start of a program image that has inherited connections. */
void ahead_fork_child(void);
void ahead_exec_arrived(void);
/* Before exec this process lets go of its listeners (leaves), after one that failed it takes them back. */
void ahead_exec(bool leaves);

/* The shim's own descriptors: is fd one, the lowest not below first (-1: none), and get it out of the way. */
bool ahead_owns(int fd);
int ahead_next_fd(int first);
void ahead_move_fd(int fd);

#endif
