/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache of cipher contexts: a fixed number of cells; a connection prefers one, and takes a neighbour
 * when that is busy.
 */
#include "cipher_cache.h"

#include <stdatomic.h>
#include <stddef.h>

#define N_CELLS 256
#define N_TRIES 16

struct cipher_cell {
	_Atomic int busy;
	_Atomic uint32_t owner; /* slot * 2 + direction + 1 */
	struct engine_cipher *cipher;
};

static struct cipher_cell cells[N_CELLS];

static struct cipher_cell *try_cell(uint32_t i)
{
	struct cipher_cell *cell = &cells[i % N_CELLS];

	if (atomic_exchange(&cell->busy, 1)) {
		return NULL;
	}
	if (!cell->cipher) {
		cell->cipher = engine_cipher_new();
	}
	if (!cell->cipher) {
		atomic_store(&cell->busy, 0);
		return NULL;
	}
	return cell;
}

struct engine_cipher *cipher_get(uint32_t slot, int direction, struct cipher_cell **cell)
{
	uint32_t home = slot * 2 + (uint32_t)direction;

	for (uint32_t i = 0; i < N_TRIES; i++) {
		*cell = try_cell(home + i * 2);
		if (*cell) {
			atomic_store(&(*cell)->owner, home + 1);
			return (*cell)->cipher;
		}
	}
	/* More threads inside than neighbours: any cell will do. */
	*cell = NULL;
	for (uint32_t i = 0; i < N_CELLS; i++) {
		*cell = try_cell(i);
		if (*cell) {
			atomic_store(&(*cell)->owner, home + 1);
			return (*cell)->cipher;
		}
	}
	return NULL;
}

void cipher_put(struct cipher_cell *cell)
{
	atomic_store(&cell->busy, 0);
}

void cipher_forget(uint32_t slot)
{
	for (uint32_t direction = 0; direction < 2; direction++) {
		uint32_t home = slot * 2 + direction;
		for (uint32_t i = 0; i < N_TRIES; i++) {
			struct cipher_cell *cell = &cells[(home + i * 2) % N_CELLS];
			if (atomic_load(&cell->owner) != home + 1 || atomic_exchange(&cell->busy, 1)) {
				continue;
			}
			if (atomic_load(&cell->owner) == home + 1) {
				engine_cipher_wipe(cell->cipher);
				atomic_store(&cell->owner, 0);
			}
			atomic_store(&cell->busy, 0);
		}
	}
}

void cipher_fork_child(void)
{
	for (uint32_t i = 0; i < N_CELLS; i++) {
		if (atomic_load(&cells[i].busy)) {
			/* It may be half keyed; its memory stays with the dead thread. */
			cells[i].cipher = NULL;
			atomic_store(&cells[i].owner, 0);
			atomic_store(&cells[i].busy, 0);
		}
	}
}
