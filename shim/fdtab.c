/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptor -> session, without locks.
 *
 * Implementation notes: 2^20 entries of 8 bytes are reserved, which covers fs.nr_open's default. `top` is one more than
 * the highest descriptor ever wrapped, so that walking the table does not touch pages that nobody used.
 */
#include "fdtab.h"

#include <stddef.h>
#include <sys/mman.h>

#include "sys.h"

#define MAX_FDS (1u << 20)

_Atomic(fdtab_entry) *fdtab_base;
unsigned fdtab_size;
_Atomic unsigned fdtab_n_used;
bool (*fdtab_find_shared)(int fd);
static _Atomic unsigned top;

bool fdtab_init(void)
{
	/* Under a tight RLIMIT_AS a smaller table is better than none. */
	for (unsigned n = MAX_FDS; n >= 4096; n /= 4) {
		void *mem = sys_mmap(NULL, n * sizeof(fdtab_entry), PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (mem) {
			fdtab_base = mem;
			fdtab_size = n;
			return true;
		}
	}
	return false;
}

static void raise_top(unsigned fd)
{
	unsigned seen = atomic_load(&top);

	while (seen <= fd && !atomic_compare_exchange_weak(&top, &seen, fd + 1)) {
	}
}

static void count_change(fdtab_entry old, fdtab_entry entry)
{
	if (entry && !old) {
		atomic_fetch_add(&fdtab_n_used, 1);
	} else if (!entry && old) {
		atomic_fetch_sub(&fdtab_n_used, 1);
	}
}

fdtab_entry fdtab_swap(int fd, fdtab_entry entry)
{
	fdtab_entry old;

	if ((unsigned)fd >= fdtab_size) {
		return 0;
	}
	/* A plain load first: clearing an empty entry must not touch (and so allocate) its page. */
	if (entry == 0 && fdtab_get(fd) == 0) {
		return 0;
	}
	if (entry) {
		raise_top((unsigned)fd);
	}
	old = atomic_exchange(&fdtab_base[fd], entry);
	count_change(old, entry);
	return old;
}

bool fdtab_replace(int fd, fdtab_entry old, fdtab_entry entry)
{
	fdtab_entry seen = old;

	if ((unsigned)fd >= fdtab_size) {
		return false;
	}
	if (entry) {
		raise_top((unsigned)fd);
	}
	if (!atomic_compare_exchange_strong(&fdtab_base[fd], &seen, entry)) {
		return false;
	}
	count_change(old, entry);
	return true;
}

/* Much longer than it takes. */
#define MAX_YIELDS 100000

bool fdtab_ask(int fd)
{
	fdtab_entry entry = FDTAB_SHARED;
	bool is_wrapped = false;

	if (!fdtab_find_shared) {
		return false;
	}
	if (atomic_compare_exchange_strong(&fdtab_base[fd], &entry, FDTAB_ASKED)) {
		is_wrapped = fdtab_find_shared(fd);
	}
	for (int i = 0; fdtab_get(fd) == FDTAB_ASKED && i < MAX_YIELDS; i++) {
		sys_call(SYS_sched_yield, 0, 0, 0);
	}
	/* Still asked, by a thread that a signal handler interrupted: nothing must be sent in clear. */
	entry = fdtab_get(fd);
	return is_wrapped || (entry != 0 && entry != FDTAB_SHARED);
}

void fdtab_each(unsigned first, unsigned last, void (*fn)(int fd, fdtab_entry entry, void *ctx), void *ctx)
{
	unsigned end = atomic_load(&top);

	if (atomic_load(&fdtab_n_used) == 0) {
		return;
	}
	for (unsigned fd = first; fd < end && fd <= last; fd++) {
		fdtab_entry entry = fdtab_is_wrapped((int)fd) ? fdtab_get((int)fd) : 0;
		if (entry != 0 && entry != FDTAB_SHARED && entry != FDTAB_ASKED) {
			fn((int)fd, entry, ctx);
		}
	}
}
