/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bounded reader and writer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/wire.h"
#include "tests/lib/pair.h"

static void test_numbers_are_big_endian(void **unused)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
	struct rd in = rd_of(bytes, sizeof(bytes));
	uint8_t u8 = 0;
	uint16_t u16 = 0;
	uint32_t u24 = 0, u32 = 0;

	(void)unused;
	assert_true(rd_u8(&in, &u8) && rd_u16(&in, &u16) && rd_u24(&in, &u24) && rd_u32(&in, &u32));
	assert_int_equal(u8, 1);
	assert_int_equal(u16, 0x0203);
	assert_int_equal(u24, 0x040506);
	assert_int_equal(u32, 0x0708090a);
	assert_true(rd_end(&in));
}

static void test_short_reads_take_nothing(void **unused)
{
	static const uint8_t bytes[] = {1, 2, 3};
	struct rd in = rd_of(bytes, sizeof(bytes));
	struct rd view;
	uint32_t u32;
	uint8_t room[4];

	(void)unused;
	assert_false(rd_u32(&in, &u32));
	assert_false(rd_bytes(&in, &view, 4));
	assert_false(rd_copy(&in, room, 4));
	assert_int_equal(in.left, 3);
	assert_ptr_equal(in.p, bytes);
	in = rd_of(NULL, 0);
	assert_true(rd_bytes(&in, &view, 0));
	assert_true(rd_end(&in));
	assert_false(rd_u24(&in, &u32));
}

static void test_vectors_keep_their_bounds(void **unused)
{
	static const uint8_t bytes[] = {3, 'a', 'b', 'c', 0, 2, 'd', 'e', 0, 0, 1, 'f'};
	struct rd in = rd_of(bytes, sizeof(bytes));
	struct rd view;

	(void)unused;
	assert_false(rd_vec8(&in, &view, 4, 255));
	assert_false(rd_vec8(&in, &view, 0, 2));
	assert_int_equal(in.left, sizeof(bytes));
	assert_true(rd_vec8(&in, &view, 3, 3));
	assert_memory_equal(view.p, "abc", 3);
	assert_true(rd_vec16(&in, &view, 0, 65535));
	assert_memory_equal(view.p, "de", 2);
	assert_true(rd_vec24(&in, &view, 1, 1));
	assert_memory_equal(view.p, "f", 1);
	assert_true(rd_end(&in));
}

/* A vector that claims more than there is. */
static void test_a_vector_longer_than_the_rest_is_refused(void **unused)
{
	static const uint8_t bytes[] = {0, 5, 1, 2, 3, 4};

	(void)unused;
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct rd in = rd_of(bytes, len);
		struct rd view;

		assert_false(rd_vec16(&in, &view, 0, 65535));
		assert_int_equal(in.left, len);
	}
}

static void test_lists_of_numbers(void **unused)
{
	static const uint8_t bytes[] = {0x13, 0x01, 0x01, 0x13, 0x03};

	(void)unused;
	assert_true(rd_has_u16(rd_of(bytes, 4), 0x1301));
	assert_true(rd_has_u16(rd_of(bytes, 4), 0x0113));
	/* not across two numbers, not the odd byte at the end */
	assert_false(rd_has_u16(rd_of(bytes, 4), 0x0101));
	assert_false(rd_has_u16(rd_of(bytes, 5), 0x0300));
	assert_true(rd_equal(rd_of(bytes, 2), rd_of(bytes, 2)));
	assert_false(rd_equal(rd_of(bytes, 2), rd_of(bytes, 3)));
	assert_true(rd_equal(rd_of(NULL, 0), rd_of(bytes, 0)));
}

static void test_a_writer_never_leaves_its_room(void **unused)
{
	uint8_t room[4] = {0, 0, 0, 0xee};
	struct wr out;

	(void)unused;
	wr_init(&out, room, 3);
	wr_u16(&out, 0x0102);
	wr_u16(&out, 0x0304);
	assert_true(out.failed);
	assert_int_equal(out.len, 2);
	assert_int_equal(room[3], 0xee);
	/* it sticks */
	wr_u8(&out, 9);
	assert_int_equal(out.len, 2);
	assert_null(wr_room(&out, 0));
}

static void test_open_vectors_get_their_length(void **unused)
{
	uint8_t room[300];
	struct wr out;
	size_t outer, inner;

	(void)unused;
	wr_init(&out, room, sizeof(room));
	outer = wr_open24(&out);
	inner = wr_open16(&out);
	wr_text(&out, "xyz");
	wr_close16(&out, inner);
	inner = wr_open8(&out);
	wr_close8(&out, inner);
	wr_close24(&out, outer);
	assert_false(out.failed);
	assert_int_equal(out.len, 9);
	assert_memory_equal(room, "\0\0\6\0\3xyz\0", 9);
	inner = wr_open8(&out);
	assert_non_null(wr_room(&out, 256));
	wr_close8(&out, inner);
	assert_true(out.failed);
}

static void test_a_heap_writer_grows_and_drops(void **unused)
{
	const size_t before = pair_memory_now();
	struct wr out;

	(void)unused;
	wr_init_heap(&out);
	for (unsigned i = 0; i < 10000; i++) {
		wr_u32(&out, i);
	}
	assert_false(out.failed);
	assert_int_equal(out.len, 40000);
	wr_drop(&out, 39996);
	assert_int_equal(out.len, 4);
	assert_memory_equal(out.data, "\x00\x00\x27\x0f", 4);
	wr_unroom(&out, 2);
	assert_int_equal(out.len, 2);
	wr_drop(&out, 99);
	assert_int_equal(out.len, 0);
	wr_reset(&out);
	wr_u8(&out, 1);
	assert_int_equal(out.len, 1);
	wr_free(&out);
	assert_int_equal(pair_memory_now(), before);
	pair_memory_fail_at(1);
	wr_u8(&out, 1);
	pair_memory_fail_at(0);
	assert_true(out.failed);
	wr_free(&out);
}

static int setup(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_big_endian),
		cmocka_unit_test(test_short_reads_take_nothing),
		cmocka_unit_test(test_vectors_keep_their_bounds),
		cmocka_unit_test(test_a_vector_longer_than_the_rest_is_refused),
		cmocka_unit_test(test_lists_of_numbers),
		cmocka_unit_test(test_a_writer_never_leaves_its_room),
		cmocka_unit_test(test_open_vectors_get_their_length),
		cmocka_unit_test(test_a_heap_writer_grows_and_drops),
	};

	return cmocka_run_group_tests_name("wire", tests, setup, NULL);
}
