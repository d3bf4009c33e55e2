/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that wait on one epoll set: each one-shot reaches one of them, once, and none ever sees a
 * token.
 */
#include "shim/hook_epoll.c"
#include "play.h"

#include <pthread.h>
#include <sched.h>

#define DATA UINT64_C(0x1122334455667788)

static int add(int epfd, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
}

#define N_WAITERS 3
#define N_ROUNDS  2000

static int shared_epfd;
static _Atomic int n_events;
static _Atomic bool is_over;

static void *wait_and_count(void *arg)
{
	struct epoll_event events[8];
	(void)arg;

	while (!is_over) {
		int n = epoll_wait(shared_epfd, events, 8, 20);
		for (int i = 0; i < n; i++) {
			assert_true(events[i].data.u64 == DATA);
			n_events++;
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[N_WAITERS];
	(void)state;

	shared_epfd = epoll_create1(0);
	for (int i = 0; i < N_WAITERS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, wait_and_count, NULL), 0);
	}
	for (int i = 0; i < N_ROUNDS; i++) {
		struct pair pair = make(SESSION_CONNECTING, 1);
		int before = n_events;
		/* One third succeeds, one fails, and one leaves a blocking socket with data. */
		plays[pair.fd].is_blocking = i % 3 == 2;
		assert_int_equal(add(shared_epfd, pair.fd, (i % 3 == 2 ? EPOLLIN : EPOLLOUT) | EPOLLONESHOT, DATA), 0);
		put(pair.peer, i % 3 == 0 ? "h" : i % 3 == 1 ? "f" : "htd");
		while (n_events == before) {
			sched_yield();
		}
		drop(pair);
	}
	is_over = true;
	for (int i = 0; i < N_WAITERS; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_int_equal(n_events, N_ROUNDS);
	close(shared_epfd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
	};

	return run_play(tests);
}
