/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of descriptors: the highest numbers that a kernel gives out, what lies beyond, and walks over it.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../shim/fdtab.h"

#define MILLION 1000000

static void test_descriptor_one_million_is_like_any_other(void **state)
{
	(void)state;
	assert_true(fdtab_size > MILLION);
	assert_false(fdtab_is_wrapped(MILLION));
	assert_int_equal(fdtab_swap(MILLION, 0x100000001), 0);
	assert_true(fdtab_is_wrapped(MILLION));
	assert_int_equal(fdtab_get(MILLION), 0x100000001);
	assert_false(fdtab_is_wrapped(MILLION - 1));
	assert_false(fdtab_is_wrapped(MILLION + 1));
	assert_int_equal(fdtab_swap(MILLION, 0x200000002), 0x100000001);
	assert_int_equal(fdtab_swap(MILLION, 0), 0x200000002);
	assert_false(fdtab_is_wrapped(MILLION));
	assert_int_equal(fdtab_n_used, 0);
}

static void test_the_last_number_fits_and_what_is_beyond_is_never_wrapped(void **state)
{
	const int last = (int)fdtab_size - 1;
	const int beyond[] = { last + 1, last + 2, INT_MAX, -1, INT_MIN };

	(void)state;
	assert_int_equal(fdtab_swap(last, 5), 0);
	assert_true(fdtab_is_wrapped(last));
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		assert_false(fdtab_is_wrapped(beyond[i]));
		assert_int_equal(fdtab_swap(beyond[i], 0), 0);
	}
	assert_int_equal(fdtab_swap(last, 0), 5);
}

static void test_an_entry_is_replaced_only_if_it_is_what_was_expected(void **state)
{
	(void)state;
	assert_true(fdtab_replace(7, 0, FDTAB_SHARED));
	assert_false(fdtab_replace(7, 0, 99));
	assert_int_equal(fdtab_get(7), FDTAB_SHARED);
	assert_int_equal(fdtab_n_used, 1);
	assert_true(fdtab_replace(7, FDTAB_SHARED, 99));
	assert_true(fdtab_is_wrapped(7));
	assert_false(fdtab_replace(7, FDTAB_ASKED, 0));
	assert_true(fdtab_replace(7, 99, 0));
	assert_int_equal(fdtab_n_used, 0);
	assert_false(fdtab_replace((int)fdtab_size, 0, 1));
}

static void count(int fd, fdtab_entry entry, void *ctx)
{
	long *sum = ctx;

	assert_int_equal(entry, (fdtab_entry)fd + 1000);
	*sum += fd;
}

static void test_a_walk_finds_all_between_two_numbers(void **state)
{
	static const int fds[] = { 0, 3, 1023, 1024, 65536, MILLION };
	long sum = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		fdtab_swap(fds[i], (fdtab_entry)fds[i] + 1000);
	}
	fdtab_each(0, UINT_MAX, count, &sum);
	assert_int_equal(sum, 3 + 1023 + 1024 + 65536 + MILLION);
	sum = 0;
	fdtab_each(1024, 65536, count, &sum);
	assert_int_equal(sum, 1024 + 65536);
	sum = 0;
	fdtab_each(65537, MILLION - 1, count, &sum);
	assert_int_equal(sum, 0);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		fdtab_swap(fds[i], 0);
	}
	assert_int_equal(fdtab_n_used, 0);
}

static void test_what_nobody_can_look_for_is_not_wrapped(void **state)
{
	(void)state;
	/* Without anything that could find it, what may be another process's is not wrapped. */
	assert_int_equal(fdtab_swap(MILLION, FDTAB_SHARED), 0);
	assert_false(fdtab_is_wrapped(MILLION));
	assert_int_equal(fdtab_swap(MILLION, 0), FDTAB_SHARED);
}

static int setup(void **state)
{
	(void)state;
	return fdtab_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptor_one_million_is_like_any_other),
		cmocka_unit_test(test_the_last_number_fits_and_what_is_beyond_is_never_wrapped),
		cmocka_unit_test(test_an_entry_is_replaced_only_if_it_is_what_was_expected),
		cmocka_unit_test(test_a_walk_finds_all_between_two_numbers),
		cmocka_unit_test(test_what_nobody_can_look_for_is_not_wrapped),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
