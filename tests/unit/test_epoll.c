/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoll on wrapped sockets, with a play session.
 */
#include "shim/hook_epoll.c"
#include "play.h"

#include <netinet/in.h>

#define DATA UINT64_C(0x1122334455667788)

static int add(int epfd, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
}

static int mod(int epfd, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	return epoll_ctl(epfd, EPOLL_CTL_MOD, fd, &event);
}

/* Wait for one event; its bits, 0 if none came. It must carry data. */
static uint32_t wait_for(int epfd, int timeout_ms, uint64_t data)
{
	struct epoll_event events[4];
	int n = epoll_wait(epfd, events, 4, timeout_ms);

	assert_in_range(n, 0, 1);
	if (n == 1) {
		assert_true(events[0].data.u64 == data);
	}
	return n ? events[0].events : 0;
}

static void test_handshake_level(void **state)
{
	int epfd = epoll_create1(0);
	struct pair pair = make(SESSION_CONNECTING, 2);
	int64_t start = sys_now_ms();
	(void)state;

	assert_int_equal(add(epfd, pair.fd, EPOLLIN | EPOLLOUT, DATA), 0);
	assert_int_equal(wait_for(epfd, 60, DATA), 0);
	assert_took(start, 60);
	put(pair.peer, "h");
	assert_int_equal(wait_for(epfd, 0, DATA), 0);
	put(pair.peer, "h");
	assert_int_equal(wait_for(epfd, 0, DATA), EPOLLOUT);
	put(pair.peer, "d");
	assert_int_equal(wait_for(epfd, 0, DATA), EPOLLIN | EPOLLOUT);
	assert_false(registry_has(pair.fd));
	assert_int_equal(mod(epfd, pair.fd, EPOLLIN, 7), 0);
	assert_int_equal(wait_for(epfd, 0, 7), EPOLLIN);
	drop(pair);
	close(epfd);
}

/* An edge or a one-shot is reported once, after the handshake, and not before. */
static void test_handshake_modes(void **state)
{
	const uint32_t modes[] = { EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT, EPOLLEXCLUSIVE,
				   EPOLLEXCLUSIVE | EPOLLET };
	(void)state;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		int epfd = epoll_create1(0);
		struct pair pair = make(SESSION_CONNECTING, 1);
		uint32_t expect = modes[i] == EPOLLEXCLUSIVE ? EPOLLOUT : 0;
		assert_int_equal(add(epfd, pair.fd, EPOLLOUT | EPOLLIN | modes[i], DATA), 0);
		assert_int_equal(wait_for(epfd, 10, DATA), 0);
		put_later(pair.peer, 20, "h");
		assert_int_equal(wait_for(epfd, -1, DATA), EPOLLOUT);
		assert_int_equal(wait_for(epfd, 0, DATA), expect);
		assert_false(registry_has(pair.fd));
		if (modes[i] & EPOLLEXCLUSIVE) {
			assert_int_equal(mod(epfd, pair.fd, EPOLLIN, 1), -1);
			assert_int_equal(errno, EINVAL);
		} else {
			assert_int_equal(mod(epfd, pair.fd, EPOLLOUT | modes[i], 9), 0);
			assert_int_equal(wait_for(epfd, 0, 9), EPOLLOUT);
		}
		reap();
		drop(pair);
		close(epfd);
	}
}

static void test_failed(void **state)
{
	int epfd = epoll_create1(0);
	struct pair pair = make(SESSION_CONNECTING, 2);
	(void)state;

	assert_int_equal(add(epfd, pair.fd, EPOLLOUT, DATA), 0);
	put(pair.peer, "hf");
	assert_int_equal(wait_for(epfd, -1, DATA), EPOLLOUT | EPOLLERR | EPOLLHUP);
	assert_int_equal(wait_for(epfd, -1, DATA), EPOLLOUT | EPOLLERR | EPOLLHUP);
	assert_int_equal(mod(epfd, pair.fd, EPOLLIN | EPOLLONESHOT, 5), 0);
	assert_int_equal(wait_for(epfd, -1, 5), EPOLLIN | EPOLLERR | EPOLLHUP);
	assert_int_equal(wait_for(epfd, 0, 5), 0);
	assert_int_equal(mod(epfd, pair.fd, EPOLLIN | EPOLLET, 6), 0);
	assert_int_equal(wait_for(epfd, -1, 6), EPOLLIN | EPOLLERR | EPOLLHUP);
	assert_int_equal(wait_for(epfd, 0, 6), 0);
	drop(pair);

	/* It had failed when it was added. */
	pair = make(SESSION_CONNECTING, 1);
	put(pair.peer, "f");
	assert_int_equal(add(epfd, pair.fd, EPOLLIN | EPOLLET, DATA), 0);
	assert_int_equal(wait_for(epfd, -1, DATA), EPOLLIN | EPOLLERR | EPOLLHUP);
	assert_int_equal(wait_for(epfd, 0, DATA), 0);
	drop(pair);
	close(epfd);
}

/*
 * A handshake whose time is up fails, also when nothing comes; a little late, so that many fail
 * together.
 */
static void test_late(void **state)
{
	int epfd = epoll_create1(0), other = epoll_create1(0);
	struct pair pairs[50], last = make(SESSION_CONNECTING, 1);
	int64_t start = sys_now_ms();
	int n = 0;
	(void)state;

	for (int i = 0; i < 50; i++) {
		pairs[i] = make(SESSION_CONNECTING, 1);
		plays[pairs[i].fd].deadline_ms = start + 20;
		assert_int_equal(add(epfd, pairs[i].fd, EPOLLIN | EPOLLET, DATA), 0);
	}
	plays[last.fd].deadline_ms = start + 250;
	assert_int_equal(add(other, last.fd, EPOLLIN | EPOLLET, DATA), 0);
	assert_int_equal(wait_for(epfd, 5, DATA), 0);
	while (n < 50) {
		struct epoll_event events[16];
		int got = epoll_wait(epfd, events, 16, -1);
		assert_true(got > 0 && events[0].events == (EPOLLIN | EPOLLERR | EPOLLHUP));
		n += got;
	}
	assert_in_range(sys_now_ms() - start, 20, 220);
	assert_int_equal(wait_for(epfd, 0, DATA), 0);
	/* Whoever waits gives up for all sets. */
	assert_int_equal(wait_for(epfd, 400, DATA), 0);
	assert_int_equal(wait_for(other, 0, DATA), EPOLLIN | EPOLLERR | EPOLLHUP);
	for (int i = 0; i < 50; i++) {
		drop(pairs[i]);
	}
	drop(last);
	assert_int_equal(registry_look_ms, 0);
	close(epfd);
	close(other);
}

/* The same answers as the kernel gives without us. */
static void test_errors(void **state)
{
	int epfd = epoll_create1(0);
	enum session_phase phases[] = { SESSION_NONE, SESSION_CONNECTING, SESSION_OPEN };
	(void)state;

	for (int i = 0; i < 3; i++) {
		struct pair pair = make(phases[i], 9);
		assert_int_equal(mod(epfd, pair.fd, EPOLLIN, 1), -1);
		assert_int_equal(errno, ENOENT);
		assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_DEL, pair.fd, NULL), -1);
		assert_int_equal(errno, ENOENT);
		assert_int_equal(add(epfd, pair.fd, EPOLLIN, 1), 0);
		assert_int_equal(add(epfd, pair.fd, EPOLLIN, 1), -1);
		assert_int_equal(errno, EEXIST);
		assert_int_equal(mod(epfd, pair.fd, EPOLLIN | EPOLLEXCLUSIVE, 1), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_ADD, pair.fd, NULL), -1);
		assert_int_equal(errno, EFAULT);
		assert_int_equal(epoll_ctl(epfd, 77, pair.fd, NULL), -1);
		assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_DEL, pair.fd, NULL), 0);
		assert_false(registry_has(pair.fd) && phases[i] != SESSION_NONE);
		assert_int_equal(add(epfd, pair.fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(add(epfd, pair.fd, EPOLLIN | EPOLLEXCLUSIVE, 1), 0);
		assert_int_equal(mod(epfd, pair.fd, EPOLLIN, 1), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(add(1001, pair.fd, EPOLLIN, 1), -1);
		assert_int_equal(errno, EBADF);
		assert_int_equal(add(pair.peer, pair.fd, EPOLLIN, 1), -1);
		assert_int_equal(errno, EINVAL);
		drop(pair);
	}
	assert_int_equal(epoll_wait(epfd, NULL, 0, 0), -1);
	assert_int_equal(errno, EINVAL);
	close(epfd);
}

/* A blocking socket is reported when there is data, not when a ticket has come. */
static void test_blocking(void **state)
{
	const uint32_t modes[] = { 0, EPOLLET, EPOLLONESHOT };
	(void)state;

	for (int i = 0; i < 3; i++) {
		int epfd = epoll_create1(0);
		struct pair pair = make(SESSION_OPEN, 0);
		char byte;
		plays[pair.fd].is_blocking = true;
		assert_int_equal(add(epfd, pair.fd, EPOLLIN | modes[i], DATA), 0);
		put(pair.peer, "t");
		assert_int_equal(wait_for(epfd, 20, DATA), 0);
		put_later(pair.peer, 10, "t");
		put_later(pair.peer, 20, "td");
		assert_int_equal(wait_for(epfd, -1, DATA), EPOLLIN);
		assert_int_equal(wait_for(epfd, 0, DATA), modes[i] ? 0 : EPOLLIN);
		assert_int_equal(recv(pair.fd, &byte, 1, 0), 1);
		reap();
		/* Non-blocking from now on: the kernel's word counts again. */
		plays[pair.fd].is_blocking = false;
		assert_int_equal(mod(epfd, pair.fd, EPOLLIN | modes[i], 3), 0);
		assert_false(registry_has(pair.fd));
		put(pair.peer, "t");
		assert_int_equal(wait_for(epfd, -1, 3), EPOLLIN);
		drop(pair);
		close(epfd);
	}
}

static void test_turns_non_blocking(void **state)
{
	int epfd = epoll_create1(0);
	struct pair pair = make(SESSION_OPEN, 0);
	(void)state;

	plays[pair.fd].is_blocking = true;
	assert_int_equal(add(epfd, pair.fd, EPOLLIN, DATA), 0);
	plays[pair.fd].is_blocking = false;
	put(pair.peer, "t");
	assert_int_equal(wait_for(epfd, -1, DATA), EPOLLIN);
	assert_false(registry_has(pair.fd));
	assert_int_equal(wait_for(epfd, -1, DATA), EPOLLIN);
	drop(pair);
	close(epfd);
}

static void test_flush(void **state)
{
	const uint32_t modes[] = { 0, EPOLLET, EPOLLONESHOT };
	(void)state;

	for (int i = 0; i < 3; i++) {
		int epfd = epoll_create1(0);
		struct pair pair = make(SESSION_CONNECTING, 1);
		plays[pair.fd].flush_due = true;
		assert_int_equal(add(epfd, pair.fd, EPOLLIN | modes[i], DATA), 0);
		put(pair.peer, "h");
		assert_int_equal(wait_for(epfd, 20, DATA), 0);
		assert_int_equal(plays[pair.fd].n_flush, 1);
		put(pair.peer, "d");
		assert_int_equal(wait_for(epfd, -1, DATA), EPOLLIN);
		drop(pair);
		close(epfd);
	}
}

/* In the set before connect() makes it a session. */
static void test_registered_before_connect(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int epfd = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), peer;
	(void)state;

	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(add(epfd, fd, EPOLLIN, 1), 0);
	assert_int_equal(mod(epfd, fd, EPOLLOUT | EPOLLIN | EPOLLET, DATA), 0);
	assert_true(registry_has(fd));
	assert_true(connect(fd, (struct sockaddr *)&addr, len) == 0 || errno == EINPROGRESS);
	wrap(fd, SESSION_CONNECTING, 1);
	ready_connecting(fd);
	peer = accept(listener, NULL, NULL);
	assert_int_equal(wait_for(epfd, 10, DATA), 0);
	put(peer, "h");
	assert_int_equal(wait_for(epfd, -1, DATA), EPOLLOUT);
	assert_int_equal(wait_for(epfd, 0, DATA), 0);
	drop((struct pair){ fd, peer });

	/* Without TLS the next change finds out that there is nothing to remember. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(add(epfd, fd, EPOLLOUT, DATA), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, len), 0);
	assert_true(registry_has(fd));
	assert_int_equal(mod(epfd, fd, EPOLLOUT, 2), 0);
	assert_false(registry_has(fd));
	assert_int_equal(wait_for(epfd, 0, 2), EPOLLOUT);
	drop((struct pair){ fd, listener });
	close(epfd);
}

/*
 * Two numbers of one socket, for reading and for writing: when one ends the handshake, both are
 * handed back.
 */
static void test_duplicates(void **state)
{
	int epfd = epoll_create1(0), other = epoll_create1(0);
	struct pair pair = make(SESSION_CONNECTING, 1);
	struct epoll_event events[4];
	int copy = dup(pair.fd);
	(void)state;

	plays[copy] = plays[pair.fd];
	fdtab_swap(copy, 1);
	assert_int_equal(add(epfd, pair.fd, EPOLLIN, 1), 0);
	assert_int_equal(add(epfd, copy, EPOLLOUT, 2), 0);
	assert_int_equal(add(other, copy, EPOLLOUT | EPOLLET, 3), 0);
	put(pair.peer, "h");
	plays[copy].phase = SESSION_OPEN;
	assert_int_equal(wait_for(epfd, -1, 2), EPOLLOUT);
	assert_int_equal(wait_for(other, -1, 3), EPOLLOUT);
	/* Closing one leaves its registration with the old data, as ever. */
	put(pair.peer, "d");
	drop((struct pair){ pair.fd, dup(0) });
	assert_int_equal(epoll_wait(epfd, events, 4, -1), 2);
	drop((struct pair){ copy, pair.peer });
	close(epfd);
	close(other);
}

/* Closed during the handshake while a duplicate lives. */
static void test_closed_early(void **state)
{
	int epfd = epoll_create1(0);
	struct pair pair = make(SESSION_CONNECTING, 1);
	int copy = dup(pair.fd);
	(void)state;

	assert_int_equal(add(epfd, pair.fd, EPOLLIN, DATA), 0);
	drop((struct pair){ pair.fd, dup(0) });
	put(pair.peer, "d");
	assert_int_equal(wait_for(epfd, -1, DATA), EPOLLIN);
	drop((struct pair){ copy, pair.peer });
	close(epfd);
}

/* A child that closes its copies leaves its parent's registrations alone. */
static void test_fork(void **state)
{
	int epfd = epoll_create1(0);
	struct pair pair = make(SESSION_CONNECTING, 1), settled = make(SESSION_OPEN, 0);
	pid_t pid;
	(void)state;

	plays[settled.fd].is_blocking = true;
	assert_int_equal(add(epfd, pair.fd, EPOLLIN, DATA), 0);
	assert_int_equal(add(epfd, settled.fd, EPOLLIN | EPOLLET, 4), 0);
	ready_fork_prepare();
	pid = fork();
	if (pid == 0) {
		ready_fork_child();
		drop(pair);
		drop(settled);
		_exit(0);
	}
	ready_fork_parent();
	reap();
	put(pair.peer, "h");
	assert_int_equal(wait_for(epfd, 10, DATA), 0);
	put(pair.peer, "d");
	assert_int_equal(wait_for(epfd, -1, DATA), EPOLLIN);
	assert_int_equal(epoll_ctl(epfd, EPOLL_CTL_DEL, pair.fd, NULL), 0);
	put(settled.peer, "t");
	assert_int_equal(wait_for(epfd, 10, 4), 0);
	put(settled.peer, "d");
	assert_int_equal(wait_for(epfd, -1, 4), EPOLLIN);
	drop(pair);
	drop(settled);
	close(epfd);
}

static void test_nested(void **state)
{
	int inner = epoll_create1(0), outer = epoll_create1(0);
	struct pair pair = make(SESSION_CONNECTING, 1);
	(void)state;

	assert_int_equal(add(outer, inner, EPOLLIN, 1), 0);
	assert_int_equal(add(inner, pair.fd, EPOLLIN | EPOLLOUT, DATA), 0);
	assert_int_equal(wait_for(outer, 10, 1), 0);
	put(pair.peer, "h");
	assert_int_equal(wait_for(outer, -1, 1), EPOLLIN);
	assert_int_equal(wait_for(inner, 0, DATA), EPOLLOUT);
	drop(pair);
	close(inner);
	close(outer);
}

/* A token that has just gone is still known as one; others' data never is. */
static void test_tokens(void **state)
{
	struct registry_guard guard = registry_lock();
	struct registration *r = registry_add(900, 10);
	uint64_t token = r->token, again;
	(void)state;

	r->state = REGISTRATION_WAITING;
	assert_ptr_equal(registry_by_token(token), r);
	assert_true(registry_is_token(token));
	assert_false(registry_is_token(token ^ UINT64_C(1) << 63));
	assert_false(registry_is_token(0));
	registry_set_session(r, 99);
	assert_ptr_equal(registry_first_of_session(99), r);
	registry_remove(r);
	assert_null(registry_first_of_session(99));
	assert_null(registry_by_token(token));
	r = registry_add(900, 10);
	again = r->token;
	assert_true(registry_is_token(token) && again != token);
	registry_remove(r);
	registry_unlock(guard);
	assert_false(registry_has(10));
}

static void test_pwait(void **state)
{
	int epfd = epoll_create1(0);
	struct pair pair = make(SESSION_CONNECTING, 2);
	const struct timespec time = { .tv_nsec = 50000000 };
	struct epoll_event event;
	int64_t start = sys_now_ms();
	sigset_t all;
	(void)state;

	sigfillset(&all);
	assert_int_equal(add(epfd, pair.fd, EPOLLOUT, DATA), 0);
	put_later(pair.peer, 20, "h");
	assert_int_equal(epoll_pwait2(epfd, &event, 1, &time, &all), 0);
	assert_took(start, 50);
	put(pair.peer, "h");
	assert_int_equal(epoll_pwait(epfd, &event, 1, 1000, &all), 1);
	assert_true(event.data.u64 == DATA);
	reap();
	drop(pair);
	close(epfd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake_level),
		cmocka_unit_test(test_handshake_modes),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_blocking),
		cmocka_unit_test(test_turns_non_blocking),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_registered_before_connect),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_closed_early),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_pwait),
	};

	return run_play(tests);
}
