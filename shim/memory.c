/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is there memory where the program says there is?
 *
 * Implementation notes: futex(2) is asked, because it touches a word of the caller's memory, does nothing
 * else if told so, and is what sandboxes let through: FUTEX_CMP_REQUEUE reads the word and requeues nobody,
 * FUTEX_WAKE_OP with "or 0" writes it back atomically and wakes nobody. The part of the thread's stack that
 * is in use and the heap below the program break need no question, and hold most programs' message headers
 * and buffers.
 */
#include "memory.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "sys.h"

#define PAGE_MASK  (~(uintptr_t)4095)
#define WORD_MASK  (~(uintptr_t)3)
/* How far up from here memory counts as this thread's stack. */
#define STACK_NEAR 65536u
/* So much of the heap that is there when it is asked about first is looked at. */
#define HEAP_LOOK  (64 * 4096u)

static __thread char in_thread; /* lies at the upper end of a thread's stack, but not of the first thread's */

bool memory_is_possible(const void *at, size_t len)
{
	return (intptr_t)at >= 0 && len <= (size_t)INTPTR_MAX - (size_t)(uintptr_t)at;
}

static bool is_on_stack(uintptr_t from, size_t len)
{
	static _Atomic uintptr_t first_top;
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
	uintptr_t top = (uintptr_t)&in_thread;

	if (from < sp || from - sp > STACK_NEAR) {
		return false;
	}
	if (top < sp) {
		top = atomic_load_explicit(&first_top, memory_order_relaxed);
		if (!top) {
			top = (uintptr_t)getauxval(AT_EXECFN);
			atomic_store_explicit(&first_top, top, memory_order_relaxed);
		}
	}
	return from < top && len <= top - from;
}

/* The page that has this byte. */
static bool is_there(uintptr_t at, bool for_writing)
{
	static uint32_t own;
	const long word = (long)(at & WORD_MASK);
	long rc;

	if (for_writing) {
		rc = sys_call6(SYS_futex, (long)&own, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0, word,
			       FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0));
	} else {
		rc = sys_call6(SYS_futex, word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 0, 0, (long)&own, 0);
	}
	return rc != -EFAULT;
}

/* Where the heap begins, as far as that is known: what lies between here and the program break is there. */
static uintptr_t heap_start(uintptr_t end)
{
	static _Atomic uintptr_t start;
	uintptr_t known = atomic_load_explicit(&start, memory_order_relaxed);

	if (!known) {
		known = end;
		while (known > 4096 && end - known < HEAP_LOOK && is_there(known - 1, true)) {
			known = (known - 1) & PAGE_MASK;
		}
		atomic_store_explicit(&start, known, memory_order_relaxed);
	}
	return known;
}

static bool is_on_heap(uintptr_t from, size_t len)
{
	const uintptr_t end = (uintptr_t)sbrk(0);

	return from < end && len <= end - from && from >= heap_start(end);
}

static bool can_use(const void *at, size_t len, bool for_writing)
{
	const uintptr_t first = (uintptr_t)at, last = first + len - 1;

	if (len == 0 || is_on_stack(first, len) || is_on_heap(first, len)) {
		return true;
	}
	if (!memory_is_possible(at, len) || !is_there(first, for_writing)) {
		return false;
	}
	return ((first ^ last) & PAGE_MASK) == 0 || is_there(last, for_writing);
}

bool memory_can_read(const void *at, size_t len)
{
	return can_use(at, len, false);
}

bool memory_can_write(void *at, size_t len)
{
	return can_use(at, len, true);
}

/* How many of len bytes from at on are there, where the first or the last is not. */
static size_t bytes_before_hole(uintptr_t at, size_t len, bool for_writing)
{
	size_t n = 0;

	while (n < len && memory_is_possible((void *)at, 1) && is_there(at + n, for_writing)) {
		n += 4096 - ((at + n) & ~PAGE_MASK);
	}
	return n < len ? n : len;
}

size_t memory_reach(const struct iovec *iov, int n_iov, size_t offset, size_t len, bool for_writing)
{
	uintptr_t known = 1; /* a page that has been looked at; no page's address is odd */
	size_t reach = 0;

	for (int i = 0; i < n_iov && reach < len; i++, offset = 0) {
		const uintptr_t at = (uintptr_t)iov[i].iov_base + offset;
		size_t n = iov[i].iov_len - offset;

		n = n < len - reach ? n : len - reach;
		if (n == 0) {
			continue;
		}
		/* Pieces of one buffer follow each other. */
		if (((at & PAGE_MASK) != known || ((at + n - 1) & PAGE_MASK) != known) &&
		    !can_use((void *)at, n, for_writing)) {
			return reach + bytes_before_hole(at, n, for_writing);
		}
		known = (at + n - 1) & PAGE_MASK;
		reach += n;
	}
	return reach;
}
