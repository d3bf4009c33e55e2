/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim/memory.c: memory that is there, and memory that is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "shim/memory.h"

#define PAGE ((size_t)4096)

/* Four pages: to be read and written, to be read, not to be touched, to be read and written. */
static uint8_t *pages;

static int set_up(void **ctx)
{
	(void)ctx;
	pages = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED) {
		return -1;
	}
	memset(pages, 7, 4 * PAGE);
	return mprotect(pages + PAGE, PAGE, PROT_READ) || mprotect(pages + 2 * PAGE, PAGE, PROT_NONE);
}

static void addresses_are_judged_before_the_memory(void **ctx)
{
	(void)ctx;
	assert_true(memory_is_possible(NULL, 10));
	assert_true(memory_is_possible(pages, SIZE_MAX / 4));
	assert_false(memory_is_possible((void *)-1, 1));
	assert_false(memory_is_possible(pages, SIZE_MAX));
	assert_true(memory_can_read((void *)-1, 0));
}

static void what_cannot_be_touched_is_found(void **ctx)
{
	(void)ctx;
	assert_false(memory_can_read(NULL, 1));
	assert_false(memory_can_write(NULL, 1));
	assert_false(memory_can_read((void *)7, 1));
	assert_true(memory_can_read(pages, PAGE));
	assert_true(memory_can_write(pages, PAGE));
	assert_true(memory_can_read(pages + PAGE, PAGE));
	assert_false(memory_can_write(pages + PAGE, PAGE));
	assert_false(memory_can_write(pages + PAGE - 1, 2));
	assert_true(memory_can_write(pages + PAGE - 1, 1));
	assert_false(memory_can_read(pages + 2 * PAGE, 1));
	assert_false(memory_can_read(pages + 2 * PAGE - 1, 2));
	assert_false(memory_can_read(pages + 3 * PAGE - 1, 2));
}

static void nothing_is_changed(void **ctx)
{
	(void)ctx;
	assert_true(memory_can_write(pages + 1, PAGE - 2));
	for (size_t i = 0; i < PAGE; i++) {
		assert_int_equal(pages[i], 7);
	}
}

static void heap_and_stack_are_there(void **ctx)
{
	uint8_t on_stack[300];
	uint8_t *on_heap = malloc(300);

	(void)ctx;
	assert_true(memory_can_write(on_stack, sizeof(on_stack)));
	assert_true(memory_can_write(on_heap, 300));
	assert_true(memory_can_read("a constant", 10));
	assert_false(memory_can_write((void *)(uintptr_t)"a constant", 10));
	free(on_heap);
}

static void vectors_reach_as_far_as_memory_does(void **ctx)
{
	struct iovec iov[] = {
		{ pages, 10 }, { NULL, 0 }, { pages + 10, PAGE - 10 }, { pages + 2 * PAGE - 5, 10 }, { pages, 1 },
	};

	(void)ctx;
	assert_int_equal(memory_reach(iov, 5, 0, 10, true), 10);
	assert_int_equal(memory_reach(iov, 5, 0, PAGE, true), PAGE);
	assert_int_equal(memory_reach(iov, 5, 4, PAGE - 4, true), PAGE - 4);
	/* 5 bytes that can be read, not written, before the hole */
	assert_int_equal(memory_reach(iov, 5, 0, PAGE + 10, true), PAGE);
	assert_int_equal(memory_reach(iov, 5, 0, PAGE + 10, false), PAGE + 5);
	assert_int_equal(memory_reach(iov + 3, 2, 5, 5, false), 0);
	assert_int_equal(memory_reach(NULL, 0, 0, 0, false), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_judged_before_the_memory),
		cmocka_unit_test(what_cannot_be_touched_is_found),
		cmocka_unit_test(nothing_is_changed),
		cmocka_unit_test(heap_and_stack_are_there),
		cmocka_unit_test(vectors_reach_as_far_as_memory_does),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
