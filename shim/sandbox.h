/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that lock themselves up with a seccomp filter and go on using their connections, as OpenSSH's server does
 * before a user has logged in.
 *
 * Their filters let through what plain TCP needs, read() and write() say, and kill for what the shim needs on the same
 * descriptors. So the shim puts a prologue of its own in front of each filter: it allows the system calls that data on
 * an existing connection takes, and leaves the judgement of all others to the program's filter as it is. None of
 * these calls opens a file or a socket, names an address, passes a descriptor, starts a process or makes memory
 * executable.
 */
#ifndef SHIM_SANDBOX_H
#define SHIM_SANDBOX_H

#include <linux/filter.h>
#include <stdbool.h>

/*
 * prctl(PR_SET_SECCOMP) and seccomp(SECCOMP_SET_MODE_FILTER) of the program: calls set(program, ctx) with the program's
 * filter behind our prologue; or as it is, where nothing can be wrapped in this process, the filter cannot be read or
 * would become too long. Returns what set() does, and leaves errno as set() does.
 */
long sandbox_set_filter(const struct sock_fprog *program, long (*set)(const struct sock_fprog *program, void *ctx),
			void *ctx);

/* Has this process, or the one that it was forked from, set a filter? Then processes cannot be made for it. */
bool sandbox_is_on(void);

#endif
