/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process of the shim's own, detached from the program in whose middle it is started.
 *
 * The program does not notice it: it gets no SIGCHLD, and no wait() of its finds a child. The helper is the
 * child of init (or of the nearest subreaper, which then is told of its end, as of any orphan's).
 */
#ifndef SHIM_HELPER_H
#define SHIM_HELPER_H

#include <stdbool.h>
#include <stddef.h>

#include "../engine/engine.h"

#define HELPER_KEEP_MAX 64

/*
 * May a helper be started that the program has not asked for, by accepting or writing say? Not by a helper,
 * which can do things itself; nor where the program would find one among its children, because it, or init,
 * which is wrapped as in a container, adopts orphans; nor behind a seccomp filter that the program has set
 * for itself, which may end it. Async-signal-safe.
 */
bool helper_is_welcome(void);
/* What the program was started with is not what it sets up later: once, from init. */
void helper_init(void);

/*
 * Run run(ctx) in a new process, which ends when run returns.
 *
 * The helper is a copy of this process, as fork makes it, ctx included, but with: a session of its own and
 * no terminal; default signal dispositions (SIGPIPE is ignored) and an empty mask; the name tlshim-relay;
 * the working directory "/"; no core dumps; the descriptors keep[0..n-1] under their numbers, the arena's
 * and the log's, /dev/null for what is free of 0 to 2, and no others; of the connections it holds those
 * behind keep alone, and it counts as a holder of them when this returns. Its stack has 512 KiB.
 *
 * run must not touch the policy, libc's allocator or stdio: threads that stayed behind may have locked
 * them. The session_*() calls, the log and system calls are free.
 *
 * May be called in a vfork child, in one thread of many and in a signal handler; allocates nothing, keeps
 * errno, leaves this process as it was. Returns the helper's pid, or -errno: -EINVAL (n above
 * HELPER_KEEP_MAX), -ENOSYS (libc without _Fork, before 2.34), -ENOMEM, and what clone(2) gives: -EAGAIN at
 * RLIMIT_NPROC, -EPERM or other where a seccomp filter refuses. -EAGAIN too if something killed it before
 * it was detached.
 */
must_check int helper_start(void (*run)(void *ctx), void *ctx, const int keep[], size_t n);

#endif
