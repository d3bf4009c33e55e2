/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that keeps a TLS connection for a program that cannot load the shim, and gives it one end of a
 * socketpair.
 *
 * Usable in a vfork child, in one thread of many and in a signal handler, as helper.h is.
 */
#ifndef SHIM_RELAY_H
#define SHIM_RELAY_H

#include <stdbool.h>
#include <sys/types.h>

#include "../engine/engine.h"

/* A relay that waits for its program to begin. The descriptors are close-on-exec and above 2. */
struct relay {
	int pid;
	int end; /* what the program is to get for the connection, with the modes and timeouts of its socket */
	int conn; /* the connection itself, to put it back */
	int gate; /* our end of what it waits at */
};

/*
 * Start a relay for the connection behind fd; until the gate opens it touches nothing. has_input: what the
 * peer sends goes to the program; false for one that gets the connection as its output alone, so that the
 * data stay for others.
 *
 * Returns 0 or -errno: of helper_start(), or -EMFILE, -ENFILE, -ENOMEM for its descriptors.
 */
must_check int relay_start(struct relay *relay, int fd, bool has_input);

/*
 * The gate opens by itself when all copies of relay->gate are closed, as exec does. After a spawn: the
 * program runs as that process, so open it and close our descriptors.
 */
void relay_go(struct relay *relay, pid_t program);
/* The program does not run: the relay goes away, and the connection is as before. Closes our descriptors. */
void relay_cancel(struct relay *relay);

#endif
