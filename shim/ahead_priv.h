/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program's side (ahead.c) and the helper (ahead_helper.c) share; nobody else includes it.
 *
 * The two have a socketpair, the channel, over which the helper sends each connection that it has
 * accepted, and then makes the program's listener readable by a poke: a connection of its own to
 * the same port. Who accepts a poke may take one connection from the channel, whichever it is. Any
 * process that inherited the listener has inherited the channel too, and the page in which the
 * ports of pokes on their way are noted. The end of the channel is the helper's.
 */
#ifndef SHIM_AHEAD_PRIV_H
#define SHIM_AHEAD_PRIV_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "holders.h"

/* Connections that one helper holds at most. */
#define AHEAD_TAKEN_MAX 32

/* Shared between all of them. */
struct ahead_shared {
	struct holders holders; /* the program's processes that have the listener */
	/*
	 * From which port each poke comes; 0: none, or the program has accepted it. It comes from
	 * the address that it goes to.
	 */
	_Atomic uint32_t ports[AHEAD_TAKEN_MAX];
};

/* With each connection. */
struct ahead_message {
	struct sockaddr_in6 peer; /* or sockaddr_in */
	socklen_t peer_len;
};

/* What the helper begins with. */
struct ahead_start {
	int listener;
	int channel; /* its end */
	struct ahead_shared *shared;
};

/* The helper's life: for helper_start(). Under the policy's lock, which it releases in its copy. */
void ahead_helper(void *start);

#endif
