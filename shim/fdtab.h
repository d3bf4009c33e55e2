/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptor -> session, without locks. The one table that every hook asks first.
 *
 * An entry is 0 (not wrapped) or an arena slot with its generation. The table is reserved address space: untouched
 * parts cost nothing, and it never moves.
 */
#ifndef SHIM_FDTAB_H
#define SHIM_FDTAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Generation in the upper, slot + 1 in the lower half; 0: none. */
typedef uint64_t fdtab_entry;

/*
 * No connection that is known of, but one that another process may have made: the socket was not connected when this
 * process was forked, or forked the other one.
 */
#define FDTAB_SHARED ((fdtab_entry)UINT32_MAX)
/* A thread is looking for it. */
#define FDTAB_ASKED ((fdtab_entry)UINT32_MAX - 1)

extern _Atomic(fdtab_entry) *fdtab_base;
extern unsigned fdtab_size;	      /* descriptors that fit; 0 before fdtab_init() */
extern _Atomic unsigned fdtab_n_used; /* entries that are not 0; for "nothing is wrapped" shortcuts */

/* Reserve the table. False if there is no address space. */
bool fdtab_init(void);

static inline fdtab_entry fdtab_get(int fd)
{
	return (unsigned)fd < fdtab_size ? atomic_load_explicit(&fdtab_base[fd], memory_order_acquire) : 0;
}

/*
 * Is fd wrapped, whose entry is FDTAB_SHARED or FDTAB_ASKED? Enters the connection in the table, if there is one by now.
 * While fdtab_find_shared is not set there is none.
 */
bool fdtab_ask(int fd);
/* Puts another entry in place of FDTAB_ASKED. True if fd is a connection all the same: not of this table's process. */
extern bool (*fdtab_find_shared)(int fd);

static inline bool fdtab_is_wrapped(int fd)
{
	fdtab_entry entry = fdtab_get(fd);

	return __builtin_expect(entry != 0, 0) && (entry < FDTAB_ASKED || entry > FDTAB_SHARED || fdtab_ask(fd));
}

/* Store entry for fd and return the old one. fd must be below fdtab_size if entry is not 0. */
fdtab_entry fdtab_swap(int fd, fdtab_entry entry);

/* Store entry for fd if old is there still: another thread may have wrapped fd meanwhile. False if not. */
bool fdtab_replace(int fd, fdtab_entry old, fdtab_entry entry);

/* Call fn for each wrapped fd in [first, last]. */
void fdtab_each(unsigned first, unsigned last, void (*fn)(int fd, fdtab_entry entry, void *ctx), void *ctx);

#endif
