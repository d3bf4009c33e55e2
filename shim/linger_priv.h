/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program's side (linger.c) and the helper (linger_helper.c) share; nobody else includes it.
 *
 * The two have a pair of SOCK_SEQPACKET sockets. The helper says one byte when it has let go of all that the
 * program has open. A message to it brings one connection, its description and its last bytes. When it has
 * had nothing to do for a while, the helper shuts its end, so that sending fails with EPIPE, and goes.
 */
#ifndef SHIM_LINGER_PRIV_H
#define SHIM_LINGER_PRIV_H

#include <stdint.h>

#include "arena.h"
#include "linger.h"

struct linger_header {
	char rule[ARENA_RULE_MAX];
	uint32_t len; /* sealed bytes that follow */
};

/* The helper's life: for helper_start(). channel: its end, an int. */
void linger_helper(void *channel);

#endif
