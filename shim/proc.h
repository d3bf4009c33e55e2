/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What forks have in common, however they are made.
 */
#ifndef SHIM_PROC_H
#define SHIM_PROC_H

/* A system call that makes a process with memory of its own (fork, clone without CLONE_VM): as syscall(). */
long proc_raw_fork(long number, const long a[static 6]);

/* In the parent, by the fork handlers: inside daemon() it is about to end, and lets go of its connections. */
void proc_fork_parent(void);

#endif
