/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The session store: what is put is got, once or often, by other processes too, and a killed holder empties it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/arena.h"
#include "shim/real.h"
#include "shim/session_store.h"

#define N_SESSIONS 64

static uint8_t out[ENGINE_SESSION_MAX];

/* A name as a digest would be: its first bytes tell the set. */
static const uint8_t *name(uint32_t number)
{
	static uint8_t id[ENGINE_SESSION_ID_LEN];

	memset(id, 0x5a, sizeof(id));
	memcpy(id, &number, sizeof(number));
	return id;
}

static void put(uint32_t number, const char *text, int64_t lifetime)
{
	session_store.put(name(number), (const uint8_t *)text, strlen(text) + 1, time(NULL) + lifetime);
}

static const char *get(uint32_t number, bool take)
{
	return session_store.get(name(number), take, out) > 0 ? (const char *)out : "";
}

static int setup(void **unused)
{
	(void)unused;
	real_init();
	arena_set_store_len(session_store_len(N_SESSIONS));
	return arena_store() == NULL;
}

static void a_session_is_found_again(void **unused)
{
	(void)unused;
	assert_string_equal(get(1, false), "");
	put(1, "one", 60);
	put(2, "two", 60);
	assert_string_equal(get(1, false), "one");
	assert_string_equal(get(1, false), "one");
	assert_string_equal(get(2, false), "two");
	session_store.drop(name(1));
	assert_string_equal(get(1, false), "");
	assert_string_equal(get(2, false), "two");
}

static void a_session_that_is_taken_is_gone(void **unused)
{
	(void)unused;
	put(3, "older", 60);
	put(3, "newer", 60);
	assert_string_equal(get(3, true), "newer");
	assert_string_equal(get(3, true), "older");
	assert_string_equal(get(3, true), "");
}

static void an_expired_session_is_not_given_out(void **unused)
{
	(void)unused;
	put(4, "past", -1);
	put(5, "now", 0);
	assert_string_equal(get(4, false), "");
	assert_string_equal(get(5, false), "");
	put(6, "soon", 1);
	assert_string_equal(get(6, false), "soon");
	sleep(2);
	assert_string_equal(get(6, false), "");
}

static void what_is_too_long_is_not_kept(void **unused)
{
	static uint8_t bytes[ENGINE_SESSION_MAX + 1];

	(void)unused;
	session_store.put(name(7), bytes, sizeof(bytes), time(NULL) + 60);
	assert_int_equal(session_store.get(name(7), false, out), 0);
	session_store.put(name(7), bytes, sizeof(bytes) - 1, time(NULL) + 60);
	assert_int_equal(session_store.get(name(7), false, out), sizeof(bytes) - 1);
}

static void a_full_set_loses_its_oldest(void **unused)
{
	const uint32_t n_sets = N_SESSIONS / 8;
	char text[16];

	(void)unused;
	for (uint32_t i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "%u", i);
		put(100 * n_sets + i * n_sets, text, 60);
	}
	for (uint32_t i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_string_equal(get(100 * n_sets + i * n_sets, false), i < 12 ? "" : text);
	}
}

static void one_name_does_not_crowd_out_the_others(void **unused)
{
	const uint32_t n_sets = N_SESSIONS / 8;

	(void)unused;
	put(1 + 1000 * n_sets, "quiet", 60);
	for (int i = 0; i < 100; i++) {
		put(1 + 2000 * n_sets, "busy", 60);
	}
	assert_string_equal(get(1 + 1000 * n_sets, false), "quiet");
	for (int i = 0; i < 4; i++) {
		assert_string_equal(get(1 + 2000 * n_sets, true), "busy");
	}
	assert_string_equal(get(1 + 2000 * n_sets, true), "");
}

static void processes_share_the_store(void **unused)
{
	int status = 0;
	pid_t pid;

	(void)unused;
	pid = fork();
	if (pid == 0) {
		put(9, "from the child", 60);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_string_equal(get(9, false), "from the child");
}

/* Children put and take all the time and are killed in the middle of it. */
static void a_killed_process_leaves_the_store_usable(void **unused)
{
	(void)unused;
	for (int round = 0; round < 30; round++) {
		pid_t pid = fork();

		if (pid == 0) {
			for (uint32_t i = 0;; i++) {
				put(i % 16, "something that takes a while to copy", 60);
				(void)get(i % 16, true);
			}
		}
		usleep((useconds_t)(1000 + rand() % 3000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		put(9, "still here", 60);
		assert_string_equal(get(9, false), "still here");
	}
}

static void ticket_keys_are_shared_and_stay(void **unused)
{
	struct engine_ticket_key keys[ENGINE_TICKET_KEYS], again[ENGINE_TICKET_KEYS];
	static const struct engine_ticket_key none;
	int status = 0;
	pid_t pid;

	(void)unused;
	assert_int_equal(session_ticket_keys(keys, ENGINE_TICKET_KEYS), 1);
	assert_memory_not_equal(&keys[0], &none, sizeof(none));
	pid = fork();
	if (pid == 0) {
		bool same = session_ticket_keys(again, ENGINE_TICKET_KEYS) == 1 &&
			    memcmp(&keys[0], &again[0], sizeof(keys[0])) == 0;
		_exit(same ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_found_again),
		cmocka_unit_test(a_session_that_is_taken_is_gone),
		cmocka_unit_test(an_expired_session_is_not_given_out),
		cmocka_unit_test(what_is_too_long_is_not_kept),
		cmocka_unit_test(a_full_set_loses_its_oldest),
		cmocka_unit_test(one_name_does_not_crowd_out_the_others),
		cmocka_unit_test(processes_share_the_store),
		cmocka_unit_test(a_killed_process_leaves_the_store_usable),
		cmocka_unit_test(ticket_keys_are_shared_and_stay),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
