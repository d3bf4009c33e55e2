/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for the engine: apart from the program's malloc, which may be a replacement that calls our hooks,
 * may be locked by the thread that a signal handler interrupted, or may be what the program corrupts. Freed
 * memory is wiped and kept out of core dumps.
 */
#ifndef SHIM_HEAP_H
#define SHIM_HEAP_H

#include <stddef.h>

/* As malloc, free and realloc. NULL when there is no memory. */
void *heap_alloc(size_t size);
void heap_free(void *ptr);
void *heap_resize(void *ptr, size_t size);
/* In a fork child. */
void heap_fork_child(void);

#endif
