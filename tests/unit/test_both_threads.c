/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections to this very process: one thread that is both ends, and threads that move them on at the same time.
 */
#include "session_pair.h"

#include <pthread.h>

#include "../../shim/listeners.h"

#define N_THREADS 4
#define N_ROUNDS  12

static struct sockaddr_in address;
static socklen_t address_len;
static int listener;

static void open_listener(void)
{
	address = (struct sockaddr_in){ .sin_family = AF_INET };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address_len = sizeof(address);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, address_len), 0);
	assert_int_equal(listen(listener, 16), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &address_len), 0);
	listeners_note(listener);
}

/* As the hooks do it. */
static int do_connect(int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0), rc;
	char why[512];

	assert_true(session_attach(fd, ENGINE_CLIENT, pair_client_verdict.rule,
				   policy_rule_config(pair_client_verdict.rule, why), "localhost",
				   (struct sockaddr *)&address, address_len));
	rc = connect(fd, (struct sockaddr *)&address, address_len);
	rc = session_connect(fd, rc, errno);
	assert_true(rc == 0 || errno == EINPROGRESS);
	return fd;
}

static int do_accept(void)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int fd = accept(listener, (struct sockaddr *)&peer, &len);
	char why[512];

	assert_true(fd >= 0);
	assert_true(session_attach(fd, ENGINE_SERVER, pair_server_verdict.rule,
				   policy_rule_config(pair_server_verdict.rule, why), NULL, (struct sockaddr *)&peer,
				   len));
	session_accepted(fd);
	return fd;
}

static void test_one_thread_connects_writes_and_then_accepts(void **state)
{
	char data[16];
	int client, server;

	(void)state;
	open_listener();
	client = do_connect(0);
	assert_true(session_is_early(client));
	assert_true(session_is_writable_early(client));
	assert_int_equal(put(client, "early", 5, 0), 5);
	assert_int_equal(session_shutdown(client, SHUT_WR), 0);
	server = do_accept();
	assert_int_equal(get(server, data, sizeof(data), 0), 5);
	assert_memory_equal(data, "early", 5);
	assert_false(session_is_early(client));
	assert_int_equal(session_phase(client), SESSION_OPEN);
	assert_int_equal(session_phase(server), SESSION_OPEN);
	assert_int_equal(get(server, data, sizeof(data), 0), 0);
	assert_int_equal(put(server, "late", 4, 0), 4);
	assert_int_equal(get(client, data, sizeof(data), 0), 4);
	session_close(server);
	session_close(client);
	close(listener);
}

static void test_early_data_has_a_limit_and_comes_whole(void **state)
{
	static char out[600000], in[sizeof(out)];
	size_t taken = 0, got = 0;
	int client, server;

	(void)state;
	open_listener();
	for (size_t i = 0; i < sizeof(out); i++) {
		out[i] = (char)(i * 7 + i / 251);
	}
	client = do_connect(0);
	for (ssize_t n; taken < sizeof(out) && (n = put(client, out + taken, 9999, MSG_DONTWAIT)) > 0;) {
		taken += (size_t)n;
	}
	assert_int_equal(errno, EAGAIN);
	assert_in_range(taken, 200000, 400000);
	assert_false(session_is_writable_early(client));
	server = do_accept();
	while (got < taken) {
		ssize_t n = get(server, in + got, sizeof(in) - got, 0);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_int_equal(got, taken);
	assert_memory_equal(in, out, taken);
	session_close(client);
	assert_int_equal(get(server, in, 1, 0), 0);
	session_close(server);
	close(listener);
}

static void test_a_listener_that_is_closed_is_not_waited_for(void **state)
{
	struct sockaddr_in6 to;
	struct address_end end;

	(void)state;
	open_listener();
	memset(&to, 0, sizeof(to));
	memcpy(&to, &address, sizeof(address));
	end = address_end(&to);
	assert_int_equal(listeners_find(&end, &end), LISTENERS_OURS);
	end.port++;
	assert_int_equal(listeners_find(&end, &end), LISTENERS_NONE);
	end.port--;
	close(listener);
	assert_int_equal(listeners_find(&end, &end), LISTENERS_NONE);
}

static void *serve(void *unused)
{
	(void)unused;
	for (int i = 0; i < N_ROUNDS; i++) {
		char data[4096];
		int fd = do_accept();
		ssize_t n;
		while ((n = get(fd, data, sizeof(data), 0)) > 0) {
			assert_int_equal(put(fd, data, (size_t)n, 0), n);
		}
		assert_int_equal(n, 0);
		session_close(fd);
	}
	return NULL;
}

/* Two threads on one client: one writes what may have to be kept, the other reads. */
static void *write_all(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 50; i++) {
		assert_int_equal(put(fd, "0123456789", 10, 0), 10);
	}
	assert_int_equal(session_shutdown(fd, SHUT_WR), 0);
	return NULL;
}

static void *visit(void *unused)
{
	(void)unused;
	for (int i = 0; i < N_ROUNDS; i++) {
		char data[100];
		size_t got = 0;
		pthread_t writer;
		ssize_t n;
		int fd = do_connect(i % 2 ? SOCK_NONBLOCK : 0);

		while (i % 2 && session_phase(fd) == SESSION_CONNECTING && !session_is_early(fd)) {
			struct pollfd pfd = { fd, 0, 0 };
			session_progress(fd, &pfd.events);
			poll(&pfd, 1, 5);
		}
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
		assert_int_equal(pthread_create(&writer, NULL, write_all, &fd), 0);
		while ((n = get(fd, data, sizeof(data), 0)) > 0) {
			got += (size_t)n;
		}
		assert_int_equal(n, 0);
		assert_int_equal(got, 500);
		pthread_join(writer, NULL);
		session_close(fd);
	}
	return NULL;
}

static void test_threads_move_both_ends_on(void **state)
{
	pthread_t threads[2 * N_THREADS];

	(void)state;
	open_listener();
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_create(&threads[2 * i], NULL, serve, NULL), 0);
		assert_int_equal(pthread_create(&threads[2 * i + 1], NULL, visit, NULL), 0);
	}
	for (int i = 0; i < 2 * N_THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_thread_connects_writes_and_then_accepts),
		cmocka_unit_test(test_early_data_has_a_limit_and_comes_whole),
		cmocka_unit_test(test_a_listener_that_is_closed_is_not_waited_for),
		cmocka_unit_test(test_threads_move_both_ends_on),
	};

	alarm(100);
	return cmocka_run_group_tests(tests, pair_setup, pair_teardown);
}
