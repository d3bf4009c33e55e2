/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scratch memory for one call: records on their way between kernel and program. A pool instead of thread-local arrays,
 * because programs run threads with small stacks, into which the libc puts thread-local storage too.
 */
#ifndef SHIM_SCRATCH_H
#define SHIM_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

/* Four full records with their overhead, and some. */
#define SCRATCH_LEN (5u * 16384u)

/* SCRATCH_LEN bytes, or NULL if there is no memory. Async-signal-safe. */
uint8_t *scratch_get(void);
/* Give it back; wipe the first used bytes if they held plaintext (0: none). */
void scratch_put(uint8_t *scratch, size_t used);

#endif
