/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of looked-up names: order, bounds, threads, fork.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/names.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

static struct address address(const char *text)
{
	struct address a = { .len = sizeof(a.in6) };

	if (strchr(text, ':')) {
		a.in6.sin6_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &a.in6.sin6_addr), 1);
	} else {
		a.in.sin_family = AF_INET;
		a.len = sizeof(a.in);
		assert_int_equal(inet_pton(AF_INET, text, &a.in.sin_addr), 1);
	}
	return a;
}

static void remember(const char *name, const char *text)
{
	struct address a = address(text);

	names_remember(name, &a.any, a.len);
}

/* The names of an address, joined by commas. */
static const char *names_of(const char *text)
{
	static char joined[4096];
	const char *names[8];
	struct address a = address(text);
	size_t n = names_find(&a.any, a.len, names, 8);

	joined[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s", i ? "," : "", names[i]);
	}
	return joined;
}

static void nothing_is_known_at_first(void **state)
{
	(void)state;
	assert_string_equal(names_of("10.0.0.1"), "");
}

static void the_latest_look_up_comes_first(void **state)
{
	(void)state;
	remember("a.example", "10.0.1.1");
	remember("b.example", "10.0.1.1");
	assert_string_equal(names_of("10.0.1.1"), "b.example,a.example");
	remember("a.example", "10.0.1.1");
	assert_string_equal(names_of("10.0.1.1"), "a.example,b.example");
	assert_string_equal(names_of("10.0.1.2"), "");
}

static void names_are_normalised(void **state)
{
	(void)state;
	remember("WWW.Example.ORG.", "10.0.2.1");
	remember("www.example.org", "10.0.2.1");
	assert_string_equal(names_of("10.0.2.1"), "www.example.org");
}

static void what_cannot_be_a_server_name_is_not_kept(void **state)
{
	char long_name[NAMES_LEN_MAX + 3];
	struct sockaddr unix_addr = { .sa_family = AF_UNIX };
	const char *names[1];

	(void)state;
	remember(NULL, "10.0.3.1");
	remember("", "10.0.3.1");
	remember(".", "10.0.3.1");
	remember("10.0.3.1", "10.0.3.1");
	remember("127.1", "10.0.3.1");
	remember("0x0a000301", "10.0.3.1");
	remember("::1", "10.0.3.1");
	remember("fe80::1%eth0", "10.0.3.1");
	remember("a b", "10.0.3.1");
	remember("b\xc3\xbc" "cher.example", "10.0.3.1");
	remember("new\nline", "10.0.3.1");
	memset(long_name, 'x', NAMES_LEN_MAX + 1);
	long_name[NAMES_LEN_MAX + 1] = '\0';
	remember(long_name, "10.0.3.1");
	assert_string_equal(names_of("10.0.3.1"), "");
	names_remember("unix.example", &unix_addr, sizeof(unix_addr));
	assert_int_equal(names_find(&unix_addr, sizeof(unix_addr), names, 1), 0);
	assert_int_equal(names_find(NULL, 0, names, 1), 0);

	/* The longest that is allowed, with its final dot. */
	long_name[NAMES_LEN_MAX] = '.';
	remember(long_name, "10.0.3.1");
	assert_int_equal(strlen(names_of("10.0.3.1")), NAMES_LEN_MAX);
}

static void mapped_addresses_are_ipv4_and_ports_do_not_count(void **state)
{
	struct address a = address("10.0.4.1");
	const char *names[1];

	(void)state;
	remember("four.example", "10.0.4.1");
	assert_string_equal(names_of("::ffff:10.0.4.1"), "four.example");
	remember("six.example", "2001:db8::1");
	remember("mapped.example", "::ffff:10.0.4.2");
	assert_string_equal(names_of("2001:db8::1"), "six.example");
	assert_string_equal(names_of("10.0.4.2"), "mapped.example");
	a.in.sin_port = htons(443);
	assert_int_equal(names_find(&a.any, a.len, names, 1), 1);
	assert_int_equal(names_find(&a.any, sizeof(sa_family_t), names, 1), 0);
	assert_int_equal(names_find(&a.any, a.len, names, 0), 0);
}

static void errno_is_kept(void **state)
{
	(void)state;
	errno = 4711;
	remember("errno.example", "10.0.5.1");
	remember("10.0.5.1", "10.0.5.1");
	names_of("10.0.5.1");
	assert_int_equal(errno, 4711);
}

static void *look_up_in_thread(void *ctx)
{
	remember(ctx, "10.0.6.1");
	return NULL;
}

static void own_look_ups_come_before_later_ones_of_other_threads(void **state)
{
	pthread_t thread;

	(void)state;
	remember("mine.example", "10.0.6.1");
	assert_int_equal(pthread_create(&thread, NULL, look_up_in_thread, "other1.example"), 0);
	pthread_join(thread, NULL);
	assert_int_equal(pthread_create(&thread, NULL, look_up_in_thread, "other2.example"), 0);
	pthread_join(thread, NULL);
	assert_string_equal(names_of("10.0.6.1"), "mine.example,other2.example,other1.example");
}

static void no_more_than_asked_for(void **state)
{
	struct address a = address("10.0.7.1");
	char name[32];
	const char *names[100];

	(void)state;
	/* More than the thread keeps for itself: the rest comes by recency from the process. */
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		remember(name, "10.0.7.1");
	}
	assert_int_equal(names_find(&a.any, a.len, names, 3), 3);
	assert_string_equal(names[0], "n99.example");
	assert_string_equal(names[2], "n97.example");
	assert_int_equal(names_find(&a.any, a.len, names, 100), 64);
	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "n%d.example", 99 - i);
		assert_string_equal(names[i], name);
	}
}

static void the_oldest_pairs_are_overwritten(void **state)
{
	char name[32], text[32];

	(void)state;
	remember("oldest.example", "10.1.0.0");
	for (int i = 0; i < NAMES_MAX - 1; i++) {
		snprintf(name, sizeof(name), "host%d.example", i);
		snprintf(text, sizeof(text), "10.2.%d.%d", i / 256, i % 256);
		remember(name, text);
	}
	assert_string_equal(names_of("10.1.0.0"), "oldest.example");
	remember("one-more.example", "10.3.0.0");
	assert_string_equal(names_of("10.1.0.0"), "");
	assert_string_equal(names_of("10.2.0.0"), "host0.example");
	assert_string_equal(names_of("10.2.63.254"), "host16382.example");
	assert_string_equal(names_of("10.3.0.0"), "one-more.example");
}

static atomic_bool stop;

static void *write_in_thread(void *ctx)
{
	char name[32];

	for (int i = 0; i < 4000; i++) {
		snprintf(name, sizeof(name), "%s%d.example", (const char *)ctx, i);
		remember(name, "10.4.0.1");
		remember("constant.example", "10.4.0.2");
	}
	atomic_store(&stop, true);
	return NULL;
}

static void readers_see_whole_names_while_writers_go_on(void **state)
{
	struct address busy = address("10.4.0.1"), calm = address("10.4.0.2");
	pthread_t writers[2];
	const char *names[4];

	(void)state;
	remember("constant.example", "10.4.0.2");
	assert_int_equal(pthread_create(&writers[0], NULL, write_in_thread, "a"), 0);
	assert_int_equal(pthread_create(&writers[1], NULL, write_in_thread, "b"), 0);
	while (!atomic_load(&stop)) {
		size_t n = names_find(&busy.any, busy.len, names, 4);
		for (size_t i = 0; i < n; i++) {
			assert_true(strlen(names[i]) <= NAMES_LEN_MAX);
		}
		n = names_find(&calm.any, calm.len, names, 4);
		assert_true(n <= 1);
	}
	pthread_join(writers[0], NULL);
	pthread_join(writers[1], NULL);
	assert_int_equal(names_find(&busy.any, busy.len, names, 4), 4);
}

static void a_fork_child_knows_and_learns_names(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	remember("parent.example", "10.5.0.1");
	pid = fork();
	if (pid == 0) {
		names_fork_child();
		remember("child.example", "10.5.0.1");
		_exit(strcmp(names_of("10.5.0.1"), "child.example,parent.example") != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(names_of("10.5.0.1"), "parent.example");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_known_at_first),
		cmocka_unit_test(the_latest_look_up_comes_first),
		cmocka_unit_test(names_are_normalised),
		cmocka_unit_test(what_cannot_be_a_server_name_is_not_kept),
		cmocka_unit_test(mapped_addresses_are_ipv4_and_ports_do_not_count),
		cmocka_unit_test(errno_is_kept),
		cmocka_unit_test(own_look_ups_come_before_later_ones_of_other_threads),
		cmocka_unit_test(no_more_than_asked_for),
		cmocka_unit_test(the_oldest_pairs_are_overwritten),
		cmocka_unit_test(readers_see_whole_names_while_writers_go_on),
		cmocka_unit_test(a_fork_child_knows_and_learns_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
