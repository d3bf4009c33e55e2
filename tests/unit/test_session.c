/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection through session.h: what is read and written, and what the kernel reports meanwhile.
 */
#include "session_pair.h"

#include <sys/ioctl.h>

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 31 + i / 251);
}

/* Until FIONREAD says so many. */
static void wait_for_bytes(int fd, size_t want)
{
	for (int i = 0; i < 5000 && session_readable_bytes(fd) != want; i++) {
		poll(NULL, 0, 1);
	}
	assert_int_equal(session_readable_bytes(fd), want);
}

static void test_small_messages_both_ways(void **state)
{
	struct pair p = pair_open_shaken(0);
	char buf[64];

	(void)state;
	assert_int_equal(put(p.client, "hello", 5, 0), 5);
	assert_int_equal(get(p.server, buf, sizeof(buf), 0), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(put(p.server, "and back", 8, 0), 8);
	assert_int_equal(get(p.client, buf, sizeof(buf), 0), 8);
	assert_memory_equal(buf, "and back", 8);
	pair_close(&p);
}

static void test_a_byte_stays_in_the_kernel_while_plaintext_waits(void **state)
{
	struct pair p = pair_open_shaken(0);
	char c;

	(void)state;
	assert_int_equal(put(p.client, "abc", 3, 0), 3);
	assert_int_equal(put(p.client, "de", 2, 0), 2);
	for (int i = 0; i < 5; i++) {
		assert_true(becomes_readable(p.server));
		assert_int_equal(get(p.server, &c, 1, 0), 1);
		assert_int_equal(c, "abcde"[i]);
	}
	assert_false(is_readable(p.server));
	assert_int_equal(get(p.server, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	pair_close(&p);
}

static void test_two_records_fill_one_read(void **state)
{
	struct pair p = pair_open_shaken(0);
	char buf[4096];

	(void)state;
	assert_int_equal(put(p.client, "abc", 3, 0), 3);
	assert_int_equal(put(p.client, "de", 2, 0), 2);
	wait_for_bytes(p.server, 5);
	assert_int_equal(get(p.server, buf, sizeof(buf), 0), 5);
	assert_memory_equal(buf, "abcde", 5);
	pair_close(&p);
}

static void test_nothing_behind_the_data_is_touched(void **state)
{
	struct pair p = pair_open_shaken(0);
	char buf[32];

	(void)state;
	memset(buf, '#', sizeof(buf));
	assert_int_equal(put(p.client, "word", 4, 0), 4);
	assert_int_equal(get(p.server, buf, sizeof(buf), 0), 4);
	for (size_t i = 4; i < sizeof(buf); i++) {
		assert_int_equal(buf[i], '#');
	}
	pair_close(&p);
}

static void test_peek_leaves_the_data(void **state)
{
	struct pair p = pair_open_shaken(0);
	char buf[16];

	(void)state;
	assert_int_equal(put(p.client, "peekaboo", 8, 0), 8);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(get(p.server, buf, 4, MSG_PEEK), 4);
		assert_memory_equal(buf, "peek", 4);
		assert_true(becomes_readable(p.server));
	}
	assert_int_equal(session_readable_bytes(p.server), 8);
	assert_int_equal(get(p.server, NULL, 4, MSG_TRUNC), 4);
	assert_int_equal(get(p.server, buf, sizeof(buf), 0), 4);
	assert_memory_equal(buf, "aboo", 4);
	pair_close(&p);
}

static void test_peek_sees_more_than_one_record(void **state)
{
	struct pair p = pair_open_shaken(0);
	char buf[16];

	(void)state;
	assert_int_equal(put(p.client, "two", 3, 0), 3);
	assert_int_equal(get(p.server, buf, sizeof(buf), MSG_PEEK), 3);
	assert_int_equal(put(p.client, "parts", 5, 0), 5);
	wait_for_bytes(p.server, 8);
	assert_int_equal(get(p.server, buf, sizeof(buf), MSG_PEEK), 8);
	assert_memory_equal(buf, "twoparts", 8);
	assert_int_equal(get(p.server, buf, sizeof(buf), 0), 8);
	assert_memory_equal(buf, "twoparts", 8);
	assert_false(is_readable(p.server));
	pair_close(&p);
}

static void test_waiting_bytes_count_all_records(void **state)
{
	struct pair p = pair_open_shaken(0);
	char buf[16];

	(void)state;
	assert_int_equal(session_readable_bytes(p.server), 0);
	assert_int_equal(put(p.client, "0123456789", 10, 0), 10);
	assert_int_equal(put(p.client, "abc", 3, 0), 3);
	wait_for_bytes(p.server, 13);
	assert_int_equal(get(p.server, buf, 4, 0), 4);
	assert_int_equal(session_readable_bytes(p.server), 9);
	pair_close(&p);
}

/* A full kernel buffer: write as much as goes, read it all, compare. */
static void run_full(int buffer_size, size_t chunk)
{
	struct pair p = pair_open_shaken(buffer_size);
	size_t total = 300000, sent = 0, got = 0;
	uint8_t *data = malloc(total), *back = malloc(total);

	for (size_t i = 0; i < total; i++) {
		data[i] = pattern(i);
	}
	pair_nonblocking(p.client);
	pair_nonblocking(p.server);
	for (int idle = 0; got < total && idle < 10000;) {
		ssize_t n = sent < total ? put(p.client, data + sent, total - sent, 0) : 0;
		ssize_t m = get(p.server, back + got, chunk < total - got ? chunk : total - got, 0);
		assert_true(n >= 0 || errno == EAGAIN);
		assert_true(m > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		got += m > 0 ? (size_t)m : 0;
		idle = n <= 0 && m <= 0 ? idle + 1 : 0;
		if (idle) {
			poll(NULL, 0, 1);
		}
	}
	assert_int_equal(got, total);
	assert_memory_equal(data, back, total);
	free(data);
	free(back);
	pair_close(&p);
}

static void test_partial_writes_lose_nothing(void **state)
{
	static const size_t chunks[] = { 1000, 4096, 16384, 16385, 65536, 300000 };

	(void)state;
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		run_full(0, chunks[i]);
		run_full(4096, chunks[i]);
	}
}

static void fill_kernel(int fd)
{
	static const uint8_t zeros[65536];

	for (int i = 0; i < 10000; i++) {
		if (put(fd, zeros, sizeof(zeros), MSG_DONTWAIT) < 0) {
			assert_int_equal(errno, EAGAIN);
			return;
		}
	}
	fail_msg("the kernel takes everything");
}

static size_t drain(int fd, uint8_t *tail, size_t tail_len)
{
	static uint8_t buf[100000];
	size_t total = 0;

	for (int idle = 0; idle < 20;) {
		ssize_t n = get(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0) {
			idle++;
			poll(NULL, 0, 1);
			continue;
		}
		idle = 0;
		total += (size_t)n;
		if ((size_t)n >= tail_len) {
			memcpy(tail, buf + (size_t)n - tail_len, tail_len);
		} else {
			memmove(tail, tail + n, tail_len - (size_t)n);
			memcpy(tail + tail_len - (size_t)n, buf, (size_t)n);
		}
	}
	return total;
}

static void test_other_data_after_a_refused_write_comes_whole(void **state)
{
	struct pair p = pair_open_shaken(4096);
	uint8_t tail[12];

	(void)state;
	fill_kernel(p.client);
	drain(p.server, tail, sizeof(tail));
	assert_int_equal(put(p.client, "NEW MESSAGE.", 12, 0), 12);
	drain(p.server, tail, sizeof(tail));
	assert_memory_equal(tail, "NEW MESSAGE.", 12);
	pair_close(&p);
}

static void test_a_shorter_retry_counts_what_was_sealed(void **state)
{
	struct pair p = pair_open_shaken(4096);
	size_t total = 200000, told = 0, got = 0;
	uint8_t *data = malloc(total), *back = malloc(total);
	unsigned round = 0;

	(void)state;
	for (size_t i = 0; i < total; i++) {
		data[i] = pattern(i);
	}
	pair_nonblocking(p.server);
	while (got < total && round < 200000) {
		/* Each attempt offers another length of the same data. */
		size_t offer = 1 + (round * 7919) % 30000;
		ssize_t n = told < total ? put(p.client, data + told, offer < total - told ? offer : total - told,
					       MSG_DONTWAIT) :
					   0;
		ssize_t m = get(p.server, back + got, total - got < 3000 ? total - got : 3000, 0);
		told += n > 0 ? (size_t)n : 0;
		got += m > 0 ? (size_t)m : 0;
		round++;
	}
	assert_int_equal(told, total);
	assert_int_equal(got, total);
	assert_memory_equal(data, back, total);
	free(data);
	free(back);
	pair_close(&p);
}

static void test_the_end_stays_readable(void **state)
{
	struct pair p = pair_open_shaken(0);
	char buf[8];

	(void)state;
	assert_int_equal(put(p.client, "last", 4, 0), 4);
	assert_int_equal(session_shutdown(p.client, SHUT_WR), 0);
	assert_int_equal(get(p.server, buf, sizeof(buf), 0), 4);
	for (int i = 0; i < 3; i++) {
		assert_true(becomes_readable(p.server));
		assert_int_equal(get(p.server, buf, sizeof(buf), 0), 0);
	}
	/* The other direction goes on. */
	assert_int_equal(put(p.server, "more", 4, 0), 4);
	assert_int_equal(get(p.client, buf, sizeof(buf), 0), 4);
	assert_int_equal(put(p.client, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	pair_close(&p);
}

static void test_a_cut_is_an_error(void **state)
{
	struct pair p = pair_open_shaken(0);
	char buf[8];

	(void)state;
	assert_int_equal(put(p.client, "last", 4, 0), 4);
	assert_int_equal(shutdown(p.client, SHUT_WR), 0); /* the kernel's: no close_notify */
	assert_int_equal(get(p.server, buf, sizeof(buf), 0), 4);
	assert_int_equal(get(p.server, buf, sizeof(buf), 0), -1);
	assert_int_equal(errno, ECONNRESET);
	pair_close(&p);
}

static void test_forged_bytes_end_the_connection(void **state)
{
	static const uint8_t forged[] = { 23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 };
	struct pair p = pair_open_shaken(0);
	char buf[8];

	(void)state;
	assert_int_equal(put(p.client, "good", 4, 0), 4);
	assert_int_equal(send(p.client, forged, sizeof(forged), 0), sizeof(forged));
	assert_int_equal(get(p.server, buf, 4, 0), 4);
	assert_int_equal(get(p.server, buf, sizeof(buf), 0), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(put(p.server, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	pair_close(&p);
}

static void test_a_server_may_speak_first_without_blocking(void **state)
{
	struct pair p = pair_open(0);
	char buf[16];

	(void)state;
	pair_nonblocking(p.server);
	assert_int_equal(put(p.server, "220 ready\r\n", 11, 0), 11);
	assert_int_equal(put(p.server, "more", 4, 0), 4);
	pair_shake(&p);
	assert_int_equal(get(p.client, buf, 15, MSG_WAITALL), 15);
	assert_memory_equal(buf, "220 ready\r\nmore", 15);
	pair_close(&p);
}

static void test_records_are_given_back(void **state)
{
	struct pair p = pair_open_shaken(0);
	uint32_t before;

	(void)state;
	pair_close(&p);
	before = arena_n_slots();
	for (int i = 0; i < 50; i++) {
		p = pair_open_shaken(0);
		assert_int_equal(put(p.client, "x", 1, 0), 1);
		pair_close(&p);
	}
	assert_int_equal(arena_n_slots(), before);
	assert_int_equal(fdtab_n_used, 0);
}

static void test_a_duplicate_keeps_the_connection(void **state)
{
	struct pair p = pair_open_shaken(0);
	int copy = dup(p.client);
	char buf[8];

	(void)state;
	session_dup(p.client, copy);
	assert_int_equal(session_close(p.client), 0);
	assert_int_equal(put(copy, "still", 5, 0), 5);
	assert_int_equal(get(p.server, buf, sizeof(buf), 0), 5);
	p.client = copy;
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_messages_both_ways),
		cmocka_unit_test(test_a_byte_stays_in_the_kernel_while_plaintext_waits),
		cmocka_unit_test(test_two_records_fill_one_read),
		cmocka_unit_test(test_nothing_behind_the_data_is_touched),
		cmocka_unit_test(test_peek_leaves_the_data),
		cmocka_unit_test(test_peek_sees_more_than_one_record),
		cmocka_unit_test(test_waiting_bytes_count_all_records),
		cmocka_unit_test(test_partial_writes_lose_nothing),
		cmocka_unit_test(test_other_data_after_a_refused_write_comes_whole),
		cmocka_unit_test(test_a_shorter_retry_counts_what_was_sealed),
		cmocka_unit_test(test_the_end_stays_readable),
		cmocka_unit_test(test_a_cut_is_an_error),
		cmocka_unit_test(test_forged_bytes_end_the_connection),
		cmocka_unit_test(test_a_server_may_speak_first_without_blocking),
		cmocka_unit_test(test_records_are_given_back),
		cmocka_unit_test(test_a_duplicate_keeps_the_connection),
	};

	return cmocka_run_group_tests(tests, pair_setup, pair_teardown);
}
