/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of processes that hold something.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/holders.h"

static pid_t start_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void who_is_added_holds_until_removed(void **state)
{
	struct holders holders = {.n_more = 0};

	(void)state;
	assert_false(holders_besides(&holders, 0));
	holders_add(&holders, getpid());
	holders_add(&holders, getpid());
	assert_true(holders_has(&holders, getpid()));
	assert_true(holders_besides(&holders, 0));
	assert_false(holders_besides(&holders, getpid()));
	holders_remove(&holders, getpid());
	assert_false(holders_has(&holders, getpid()));
	assert_false(holders_besides(&holders, 0));
}

static void a_killed_process_does_not_count(void **state)
{
	struct holders holders = {.n_more = 0};
	pid_t pid = start_child();

	(void)state;
	holders_add(&holders, pid);
	assert_true(holders_besides(&holders, 0));
	end_child(pid);
	assert_false(holders_has(&holders, pid));
	assert_false(holders_besides(&holders, 0));
}

static void more_processes_than_there_is_room_for_count(void **state)
{
	struct holders holders = {.n_more = 0};
	pid_t pids[HOLDERS_ROOM + 2];

	(void)state;
	for (int i = 0; i < HOLDERS_ROOM + 2; i++) {
		pids[i] = start_child();
		holders_add(&holders, pids[i]);
	}
	for (int i = 0; i < HOLDERS_ROOM + 2; i++) {
		assert_true(holders_besides(&holders, 0));
		holders_remove(&holders, pids[i]);
		end_child(pids[i]);
	}
	assert_false(holders_besides(&holders, 0));
}

static void forgetting_a_stranger_changes_nothing(void **state)
{
	struct holders holders = {.n_more = 1};

	(void)state;
	assert_false(holders_forget(&holders, getpid()));
	assert_true(holders_besides(&holders, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_added_holds_until_removed),
		cmocka_unit_test(a_killed_process_does_not_count),
		cmocka_unit_test(more_processes_than_there_is_room_for_count),
		cmocka_unit_test(forgetting_a_stranger_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
