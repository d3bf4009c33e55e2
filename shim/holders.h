/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes hold something: a list in memory that they share, without a lock.
 *
 * A process that is killed stays listed; whoever asks passes over those that are gone, and takes them off. All functions
 * are async-signal-safe.
 */
#ifndef SHIM_HOLDERS_H
#define SHIM_HOLDERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HOLDERS_ROOM 16

/* Zeros: nobody. */
struct holders {
	_Atomic int32_t pids[HOLDERS_ROOM];
	_Atomic uint32_t n_more; /* those that found no room; they count as alive */
};

/* Once for each process, however often it is called. */
void holders_add(struct holders *holders, pid_t pid);

/* pid, which was added, holds it no more. */
void holders_remove(struct holders *holders, pid_t pid);

/* The same of a pid that may not have been added. */
bool holders_forget(struct holders *holders, pid_t pid);

/* Is a process that lives listed besides that one (0: any)? */
bool holders_besides(struct holders *holders, pid_t but);

/* Is pid listed, and alive? */
bool holders_has(struct holders *holders, pid_t pid);

#endif
