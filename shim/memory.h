/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is there memory where the program says there is? The kernel answers EFAULT where a program's pointer is
 * wrong; here the bytes are touched by ourselves, so the kernel is asked first.
 *
 * All are async-signal-safe and leave errno and the memory alone. The first and the last byte are looked
 * at: a hole in between is not found, nor what a program has protected within its stack or heap.
 */
#ifndef SHIM_MEMORY_H
#define SHIM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

/* Can these addresses be a program's at all? What the kernel looks at before all else; no system call. */
bool memory_is_possible(const void *at, size_t len);

/* Can len bytes be read there, or written? True if len is 0. */
bool memory_can_read(const void *at, size_t len);
bool memory_can_write(void *at, size_t len);

/*
 * Of the first len bytes that iovecs describe, behind offset bytes of the first: how many come before one
 * that is not there?
 */
size_t memory_reach(const struct iovec *iov, int n_iov, size_t offset, size_t len, bool for_writing);

#endif
