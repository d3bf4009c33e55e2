/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's memory: power-of-two classes over mmap'd chunks, large blocks mapped on their own.
 *
 * Implementation notes: one spin lock over a few instructions; a thread never sleeps inside. A signal handler that
 * interrupts its owner in the same thread must not spin for ever, so after some tries it maps a block of its own.
 */
#include "heap.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "sys.h"

#define MIN_SHIFT 5
#define MAX_SHIFT 15
#define CHUNK_LEN (256u * 1024u)
#define SPINS 20000

struct block {
	size_t size;	    /* usable bytes; with `own` the mapping is sizeof(struct block) larger */
	uint32_t shift;	    /* class, 0: a mapping of its own */
	uint32_t pad;
	/* the memory follows; a free block holds the next pointer there */
};
_Static_assert(sizeof(struct block) % 16 == 0, "blocks must keep malloc's alignment");

static _Atomic int lock;
static void *free_lists[MAX_SHIFT + 1];
static uint8_t *chunk;
static size_t chunk_left;

static bool take_lock(void)
{
	for (int i = 0; i < SPINS; i++) {
		if (!atomic_exchange_explicit(&lock, 1, memory_order_acquire)) {
			return true;
		}
		if (i % 64 == 63) {
			sys_call(SYS_sched_yield, 0, 0, 0);
		}
	}
	return false;
}

static void drop_lock(void)
{
	atomic_store_explicit(&lock, 0, memory_order_release);
}

static void *map(size_t len)
{
	void *mem = sys_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem) {
		sys_madvise(mem, len, MADV_DONTDUMP);
	}
	return mem;
}

static void *alloc_own(size_t size)
{
	struct block *block = map(sizeof(*block) + size);

	if (!block) {
		return NULL;
	}
	block->size = size;
	block->shift = 0;
	return block + 1;
}

void *heap_alloc(size_t size)
{
	uint32_t shift = MIN_SHIFT;
	size_t need;
	void *mem;

	while (shift <= MAX_SHIFT && ((size_t)1 << shift) < size) {
		shift++;
	}
	if (shift > MAX_SHIFT || !take_lock()) {
		return size > SIZE_MAX / 2 ? NULL : alloc_own(size);
	}
	mem = free_lists[shift];
	if (mem) {
		memcpy(&free_lists[shift], mem, sizeof(void *));
		drop_lock();
		return mem;
	}
	need = sizeof(struct block) + ((size_t)1 << shift);
	if (chunk_left < need) {
		/* What is left of the old chunk is given up: at most one block's size in each. */
		chunk = map(CHUNK_LEN);
		chunk_left = chunk ? CHUNK_LEN : 0;
	}
	if (chunk_left >= need) {
		struct block *block = (struct block *)(void *)chunk;
		chunk += need;
		chunk_left -= need;
		block->size = (size_t)1 << shift;
		block->shift = shift;
		mem = block + 1;
	}
	drop_lock();
	return mem;
}

void heap_free(void *ptr)
{
	struct block *block;

	if (!ptr) {
		return;
	}
	block = (struct block *)ptr - 1;
	explicit_bzero(ptr, block->size);
	if (block->shift == 0) {
		sys_munmap(block, sizeof(*block) + block->size);
		return;
	}
	if (take_lock()) {
		memcpy(ptr, &free_lists[block->shift], sizeof(void *));
		free_lists[block->shift] = ptr;
		drop_lock();
	}
	/* Else: a signal handler inside the interrupted allocator. One wiped block is lost. */
}

void *heap_resize(void *ptr, size_t size)
{
	struct block *block;
	void *mem;

	if (!ptr) {
		return heap_alloc(size);
	}
	block = (struct block *)ptr - 1;
	if (size <= block->size) {
		return ptr;
	}
	mem = heap_alloc(size);
	if (mem) {
		memcpy(mem, ptr, block->size);
		heap_free(ptr);
	}
	return mem;
}

void heap_fork_child(void)
{
	if (atomic_load(&lock)) {
		/* A thread that is gone was inside: its lists may be half changed. Start anew. */
		memset(free_lists, 0, sizeof(free_lists));
		chunk_left = 0;
		drop_lock();
	}
}
