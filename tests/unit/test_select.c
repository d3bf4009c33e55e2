/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * select and pselect on wrapped sockets, with a play session.
 */
#include "shim/hook_select.c"
#include "play.h"

static void test_select(void **state)
{
	struct pair pair = make(SESSION_CONNECTING, 2), plain = make(SESSION_NONE, 0);
	struct timeval tv = { .tv_usec = 60000 };
	int max = plain.peer + 1;
	fd_set in, out, except;
	int64_t start = sys_now_ms();
	(void)state;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&except);
	FD_SET(plain.fd, &in);
	FD_SET(pair.fd, &out);
	FD_SET(pair.fd, &except);
	assert_int_equal(select(max, &in, &out, &except, &tv), 0);
	assert_took(start, 60);
	assert_int_equal(tv.tv_sec * 1000000 + tv.tv_usec, 0);
	assert_false(FD_ISSET(pair.fd, &out) || FD_ISSET(plain.fd, &in) || FD_ISSET(pair.fd, &except));

	FD_SET(pair.fd, &out);
	put_later(pair.peer, 20, "hh");
	tv.tv_sec = 10;
	assert_int_equal(select(max, NULL, &out, NULL, &tv), 1);
	assert_true(FD_ISSET(pair.fd, &out));
	assert_in_range(tv.tv_sec * 1000 + tv.tv_usec / 1000, 9500, 9981);
	reap();

	FD_SET(pair.fd, &in);
	put(plain.peer, "x");
	FD_SET(plain.fd, &in);
	assert_int_equal(select(max, &in, &out, NULL, NULL), 2);
	assert_true(FD_ISSET(plain.fd, &in) && FD_ISSET(pair.fd, &out) && !FD_ISSET(pair.fd, &in));

	tv.tv_sec = -1;
	assert_int_equal(select(max, &in, &out, NULL, &tv), -1);
	assert_int_equal(errno, EINVAL);
	FD_SET(60, &in); /* not open; far higher ones the kernel does not look at */
	FD_CLR(pair.fd, &out);
	FD_SET(pair.fd, &in);
	assert_int_equal(pselect(61, &in, NULL, NULL, NULL, NULL), -1);
	assert_int_equal(errno, EBADF);
	assert_true(FD_ISSET(60, &in) && FD_ISSET(pair.fd, &in) && FD_ISSET(plain.fd, &in));
	drop(pair);
	drop(plain);
}

static void test_select_failed(void **state)
{
	struct pair pair = make(SESSION_CONNECTING, 1);
	fd_set in, out;
	(void)state;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(pair.fd, &in);
	FD_SET(pair.fd, &out);
	put(pair.peer, "f");
	assert_int_equal(select(pair.fd + 1, &in, &out, NULL, NULL), 2);
	assert_true(FD_ISSET(pair.fd, &in) && FD_ISSET(pair.fd, &out));
	drop(pair);
}

/*
 * getdtablesize() as n_fds with an ordinary set at the end of memory: the kernel looks at what it
 * has only.
 */
static void test_select_beyond(void **state)
{
	struct pair pair = make(SESSION_OPEN, 0);
	struct timeval tv = { 0, 20000 };
	char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fd_set *in = (fd_set *)(void *)(memory + 4096 - sizeof(fd_set));
	(void)state;

	assert_int_equal(munmap(memory + 4096, 4096), 0);
	plays[pair.fd].is_blocking = true;
	FD_SET(pair.fd, in);
	put(pair.peer, "t");
	assert_int_equal(select(60000, in, NULL, NULL, &tv), 0);
	assert_false(FD_ISSET(pair.fd, in));
	put(pair.peer, "d");
	FD_SET(pair.fd, in);
	assert_int_equal(select(60000, in, NULL, NULL, NULL), 1);
	assert_true(FD_ISSET(pair.fd, in));
	munmap(memory, 4096);
	drop(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_select_failed),
		cmocka_unit_test(test_select_beyond),
	};

	return run_play(tests);
}
