/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forks that are made by number.
 */
#ifndef SHIM_PROC_H
#define SHIM_PROC_H

/* A system call that makes a process with memory of its own (fork, clone without CLONE_VM): as syscall(). */
long proc_raw_fork(long number, const long a[static 6]);

#endif
