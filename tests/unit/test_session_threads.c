/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections used by several threads at once: both directions, many connections, close while others read.
 */
#include "session_pair.h"

#include <pthread.h>
#include <sys/resource.h>

#define TOTAL (2u << 20)
#define N_PAIRS 8
#define N_CROWD 64 /* threads, on that many connections: */
#define N_CONNECTIONS 1000

struct job {
	int fd;
	unsigned seed;
	bool ok;
};

static uint8_t pattern(unsigned seed, size_t i)
{
	return (uint8_t)((i + seed) * 37 + i / 997);
}

static void *send_all(void *arg)
{
	struct job *job = arg;
	uint8_t buf[20000];

	for (size_t at = 0; at < TOTAL;) {
		size_t len = 1 + (at * 7 + job->seed) % sizeof(buf), done = 0;
		len = len < TOTAL - at ? len : TOTAL - at;
		for (size_t i = 0; i < len; i++) {
			buf[i] = pattern(job->seed, at + i);
		}
		while (done < len) {
			ssize_t n = put(job->fd, buf + done, len - done, 0);
			if (n <= 0) {
				return NULL;
			}
			done += (size_t)n;
		}
		at += len;
	}
	job->ok = true;
	return NULL;
}

static void *recv_all(void *arg)
{
	struct job *job = arg;
	uint8_t buf[30000];

	for (size_t at = 0; at < TOTAL;) {
		ssize_t n = get(job->fd, buf, 1 + (at * 13 + job->seed) % sizeof(buf), 0);
		if (n <= 0) {
			return NULL;
		}
		for (size_t i = 0; i < (size_t)n; i++) {
			if (buf[i] != pattern(job->seed, at + i)) {
				return NULL;
			}
		}
		at += (size_t)n;
	}
	job->ok = true;
	return NULL;
}

static void test_threads_talk_both_ways_on_many_connections(void **state)
{
	struct pair pairs[N_PAIRS];
	struct job jobs[N_PAIRS][4];
	pthread_t threads[N_PAIRS][4];

	(void)state;
	for (unsigned i = 0; i < N_PAIRS; i++) {
		/* The handshake is left to the threads: whichever comes first. */
		pairs[i] = pair_open(0);
		jobs[i][0] = (struct job){ pairs[i].client, i, false };
		jobs[i][1] = (struct job){ pairs[i].server, i, false };
		jobs[i][2] = (struct job){ pairs[i].server, i + 100, false };
		jobs[i][3] = (struct job){ pairs[i].client, i + 100, false };
		for (int t = 0; t < 4; t++) {
			assert_int_equal(pthread_create(&threads[i][t], NULL, t % 2 ? recv_all : send_all, &jobs[i][t]), 0);
		}
	}
	for (unsigned i = 0; i < N_PAIRS; i++) {
		for (int t = 0; t < 4; t++) {
			pthread_join(threads[i][t], NULL);
			assert_true(jobs[i][t].ok);
		}
		pair_close(&pairs[i]);
	}
}

static void *read_until_end(void *arg)
{
	struct job *job = arg;
	char buf[100];

	while (get(job->fd, buf, sizeof(buf), 0) > 0) {
	}
	return NULL;
}

static void test_shutdown_wakes_a_blocked_reader(void **state)
{
	struct pair p = pair_open_shaken(0);
	struct job job = { p.client, 0, false };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, read_until_end, &job), 0);
	poll(NULL, 0, 20);
	assert_int_equal(session_shutdown(p.client, SHUT_RDWR), 0);
	pthread_join(thread, NULL);
	pair_close(&p);
}

#ifndef __SANITIZE_ADDRESS__ /* it loses track of the stack of a cancelled thread */
static void test_a_cancelled_reader_leaves_the_connection_whole(void **state)
{
	struct pair p = pair_open_shaken(0);
	struct job job = { p.client, 0, false };
	char c = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, read_until_end, &job), 0);
		if (i % 3) {
			poll(NULL, 0, i % 3);
		}
		pthread_cancel(thread);
		pthread_join(thread, NULL);
	}
	assert_int_equal(put(p.server, "x", 1, 0), 1);
	assert_int_equal(get(p.client, &c, 1, 0), 1);
	assert_int_equal(put(p.client, "y", 1, 0), 1);
	assert_int_equal(get(p.server, &c, 1, 0), 1);
	pair_close(&p);
}

#endif

static void *open_and_close(void *arg)
{
	struct job *job = arg;

	for (int i = 0; i < 30; i++) {
		struct pair p = pair_open_shaken(0);
		char c = 0;
		if (put(p.client, "z", 1, 0) != 1 || get(p.server, &c, 1, 0) != 1 || c != 'z') {
			return NULL;
		}
		pair_close(&p);
	}
	job->ok = true;
	return NULL;
}

static void test_descriptors_come_and_go_in_many_threads(void **state)
{
	struct job jobs[6];
	pthread_t threads[6];

	(void)state;
	for (int t = 0; t < 6; t++) {
		jobs[t] = (struct job){ -1, 0, false };
		assert_int_equal(pthread_create(&threads[t], NULL, open_and_close, &jobs[t]), 0);
	}
	for (int t = 0; t < 6; t++) {
		pthread_join(threads[t], NULL);
		assert_true(jobs[t].ok);
	}
}

static struct pair crowded[N_CONNECTIONS];
static pthread_barrier_t all_open;

/* Opens its share of the connections, then sends single bytes over all of them, and takes what comes: its own or another's. */
static void *take_turns(void *arg)
{
	struct job *job = arg;

	for (unsigned i = job->seed; i < N_CONNECTIONS; i += N_CROWD) {
		crowded[i] = pair_open_shaken(0);
	}
	pthread_barrier_wait(&all_open);
	for (unsigned i = 0; i < 150; i++) {
		unsigned at = (job->seed * 7 + i * 13) % N_CONNECTIONS;
		int from = i % 2 ? crowded[at].client : crowded[at].server;
		int to = i % 2 ? crowded[at].server : crowded[at].client;
		char letter = (char)('a' + at % 26), got = 0;
		if (put(from, &letter, 1, 0) != 1 || get(to, &got, 1, 0) != 1 || got != letter) {
			return NULL;
		}
	}
	job->ok = true;
	return NULL;
}

static void test_a_crowd_of_threads_shares_a_thousand_connections(void **state)
{
	pthread_t threads[N_CROWD];
	struct job jobs[N_CROWD];
	struct rlimit limit;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 2 * N_CONNECTIONS + 100) {
		skip();
	}
	pthread_barrier_init(&all_open, NULL, N_CROWD);
	for (unsigned t = 0; t < N_CROWD; t++) {
		jobs[t] = (struct job){ -1, t, false };
		assert_int_equal(pthread_create(&threads[t], NULL, take_turns, &jobs[t]), 0);
	}
	for (int t = 0; t < N_CROWD; t++) {
		pthread_join(threads[t], NULL);
		assert_true(jobs[t].ok);
	}
	for (int i = 0; i < N_CONNECTIONS; i++) {
		pair_close(&crowded[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First, so that threads make the tables. */
		cmocka_unit_test(test_descriptors_come_and_go_in_many_threads),
		cmocka_unit_test(test_threads_talk_both_ways_on_many_connections),
		cmocka_unit_test(test_a_crowd_of_threads_shares_a_thousand_connections),
		cmocka_unit_test(test_shutdown_wakes_a_blocked_reader),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(test_a_cancelled_reader_leaves_the_connection_whole),
#endif
	};
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return cmocka_run_group_tests(tests, pair_setup, pair_teardown);
}
