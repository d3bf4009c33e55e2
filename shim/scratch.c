/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pool of scratch buffers: a few cells that threads take from and put back to by atomic exchange.
 */
#include "scratch.h"

#include <stdatomic.h>
#include <string.h>

#include "sys.h"

#define N_CELLS 16

static _Atomic(uint8_t *) cells[N_CELLS];

uint8_t *scratch_get(void)
{
	uint8_t *mem;

	for (int i = 0; i < N_CELLS; i++) {
		if (atomic_load_explicit(&cells[i], memory_order_relaxed)) {
			mem = atomic_exchange(&cells[i], NULL);
			if (mem) {
				return mem;
			}
		}
	}
	mem = sys_mmap(NULL, SCRATCH_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem) {
		sys_madvise(mem, SCRATCH_LEN, MADV_DONTDUMP);
	}
	return mem;
}

void scratch_put(uint8_t *scratch, size_t used)
{
	explicit_bzero(scratch, used);
	for (int i = 0; i < N_CELLS; i++) {
		uint8_t *empty = NULL;
		if (atomic_compare_exchange_strong(&cells[i], &empty, scratch)) {
			return;
		}
	}
	sys_munmap(scratch, SCRATCH_LEN);
}
