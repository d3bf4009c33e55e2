/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * poll and ppoll on wrapped sockets, with a play session.
 */
#include "shim/hook_poll.c"
#include "play.h"

static void test_poll_handshake(void **state)
{
	struct pair pair = make(SESSION_CONNECTING, 2);
	struct pollfd pfd = { .fd = pair.fd, .events = POLLOUT };
	int64_t start = sys_now_ms();
	(void)state;

	assert_int_equal(poll(&pfd, 1, 100), 0);
	assert_took(start, 100);
	assert_int_equal(pfd.revents, 0);
	assert_int_equal(pfd.events, POLLOUT);
	put(pair.peer, "h");
	assert_int_equal(poll(&pfd, 1, 0), 0);
	put(pair.peer, "h");
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_int_equal(pfd.revents, POLLOUT);

	wrap(pair.fd, SESSION_CONNECTING, 2);
	put_later(pair.peer, 50, "h");
	put_later(pair.peer, 100, "h");
	start = sys_now_ms();
	assert_int_equal(poll(&pfd, 1, -1), 1);
	assert_took(start, 100);
	assert_in_range(plays[pair.fd].n_progress, 2, 8);
	reap();
	drop(pair);
}

static void test_poll_failed(void **state)
{
	struct pair pair = make(SESSION_CONNECTING, 2), plain = make(SESSION_NONE, 0);
	struct pollfd pfds[] = {
		{ .fd = plain.fd, .events = POLLOUT },
		{ .fd = -1, .events = POLLIN, .revents = 77 },
		{ .fd = pair.fd, .events = POLLIN },
		{ .fd = 1000, .events = 0 },
	};
	(void)state;

	put(pair.peer, "hf");
	assert_int_equal(poll(pfds, 4, -1), 3);
	assert_int_equal(pfds[0].revents, POLLOUT);
	assert_int_equal(pfds[1].revents, 0);
	assert_int_equal(pfds[2].revents, POLLIN | POLLERR | POLLHUP);
	assert_int_equal(pfds[3].revents, POLLNVAL);
	drop(pair);
	drop(plain);
}

/* A blocking socket is reported when there is data, not when a ticket has come. */
static void test_poll_blocking(void **state)
{
	struct pair pair = make(SESSION_OPEN, 0);
	struct pollfd pfd = { .fd = pair.fd, .events = POLLIN | POLLPRI };
	int64_t start = sys_now_ms();
	(void)state;

	plays[pair.fd].is_blocking = true;
	put(pair.peer, "tt");
	assert_int_equal(poll(&pfd, 1, 60), 0);
	assert_took(start, 60);
	assert_int_equal(plays[pair.fd].n_ready, 1);
	put(pair.peer, "td");
	assert_int_equal(poll(&pfd, 1, -1), 1);
	assert_int_equal(pfd.revents, POLLIN);
	plays[pair.fd].is_blocking = false;
	drop(pair);

	pair = make(SESSION_OPEN, 0);
	pfd.fd = pair.fd;
	put(pair.peer, "t");
	assert_int_equal(poll(&pfd, 1, 20), 0); /* a program that does not block may take EAGAIN for the end */
	put(pair.peer, "d");
	assert_int_equal(poll(&pfd, 1, -1), 1);
	drop(pair);
}

/* A handshake whose time is up fails, also when nothing comes. */
static void test_poll_late(void **state)
{
	struct pair pair = make(SESSION_CONNECTING, 1);
	struct pollfd pfd = { .fd = pair.fd, .events = POLLIN };
	int64_t start = sys_now_ms();
	(void)state;

	plays[pair.fd].deadline_ms = start + 60;
	assert_int_equal(poll(&pfd, 1, 20), 0);
	assert_took(start, 20);
	assert_int_equal(poll(&pfd, 1, -1), 1);
	assert_took(start, 60);
	assert_int_equal(pfd.revents, POLLIN | POLLERR | POLLHUP);
	drop(pair);
}

static void test_poll_flush(void **state)
{
	struct pair pair = make(SESSION_OPEN, 0);
	struct pollfd pfd = { .fd = pair.fd, .events = POLLIN };
	int64_t start = sys_now_ms();
	(void)state;

	plays[pair.fd].flush_due = true;
	assert_int_equal(poll(&pfd, 1, 40), 0);
	assert_took(start, 40);
	assert_int_equal(plays[pair.fd].n_flush, 1);
	drop(pair);
}

static void test_poll_many(void **state)
{
	struct pair pair = make(SESSION_CONNECTING, 1);
	static struct pollfd pfds[600];
	(void)state;

	for (int i = 0; i < 600; i++) {
		pfds[i] = (struct pollfd){ .fd = i == 500 ? pair.fd : -1, .events = POLLOUT };
	}
	assert_int_equal(poll(pfds, 600, 10), 0);
	put(pair.peer, "h");
	assert_int_equal(poll(pfds, 600, 10), 1);
	assert_int_equal(pfds[500].revents, POLLOUT);
	drop(pair);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void test_poll_signals(void **state)
{
	struct pair pair = make(SESSION_CONNECTING, 1);
	struct pollfd pfd = { .fd = pair.fd, .events = POLLIN };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	const struct timespec second = { .tv_sec = 1 };
	const struct timespec bad = { .tv_nsec = -1 };
	sigset_t block, none;
	struct pollfd *volatile nowhere = NULL;
	volatile nfds_t too_many __attribute__((unused)) = 1u << 30;
	(void)state;

	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	assert_int_equal(poll(&pfd, 1, 10), 0);
	assert_int_equal(ppoll(&pfd, 1, &second, &none), -1);
	assert_int_equal(errno, EINTR);
	sigprocmask(SIG_UNBLOCK, &block, NULL);
	assert_int_equal(ppoll(&pfd, 1, &bad, NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(poll(nowhere, 1, 0), -1);
	assert_int_equal(errno, EFAULT);
#ifndef __SANITIZE_ADDRESS__ /* it looks at the array before the kernel does */
	assert_int_equal(poll(&pfd, too_many, 0), -1);
	assert_int_equal(errno, EINVAL);
#endif
	drop(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_poll_handshake), cmocka_unit_test(test_poll_failed),
		cmocka_unit_test(test_poll_blocking),  cmocka_unit_test(test_poll_late),
		cmocka_unit_test(test_poll_flush),     cmocka_unit_test(test_poll_many),
		cmocka_unit_test(test_poll_signals),
	};

	return run_play(tests);
}
