/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which listeners this process has whose connections may be put under TLS, so that connect() knows when it is this very
 * process, or one of its family, that has to accept.
 */
#ifndef SHIM_LISTENERS_H
#define SHIM_LISTENERS_H

#include <stdbool.h>

#include "address.h"

/*
 * fd listens, and its connections may be put under TLS. Nothing is to be told when it is closed or duplicated: whether
 * it is still there is looked up when it matters. Keeps errno, takes no lock.
 */
void listeners_note(int fd);

/* Was ever one noted? One load. */
bool listeners_are_noted(void);

enum listeners_answer {
	LISTENERS_NONE,	  /* no listener that is known of */
	LISTENERS_OURS,	  /* this process has it, and no other */
	LISTENERS_SHARED, /* a process of the same family has it (too): one that forked this one, or was forked */
};
/*
 * Who accepts connections that come to `to`, from `from` (the local end of a socket that has been connected)? Keeps errno,
 * takes no lock.
 */
enum listeners_answer listeners_find(const struct address_end *to, const struct address_end *from);

/* In a new process, after fork: what it was born with is shared. */
void listeners_fork_child(void);

#endif
