/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A play session for tests of the readiness hooks with the real kernel: its records are single
 * bytes. 'h' is a handshake message, 'f' a bad one, 't' a ticket and 'd' data. The handshake is
 * over after n_steps of them.
 */
#ifndef TESTS_UNIT_PLAY_H
#define TESTS_UNIT_PLAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/fdtab.h"
#include "shim/ready.h"
#include "shim/real.h"
#include "shim/session.h"
#include "shim/shim.h"
#include "shim/sys.h"

/* ---- the play session ---- */

static struct play {
	_Atomic enum session_phase phase;
	_Atomic uint64_t id;
	_Atomic short interest;
	_Atomic int n_steps;
	_Atomic bool is_blocking, flush_due;
	_Atomic int64_t deadline_ms; /* 0: none */
	_Atomic int n_progress, n_flush, n_ready;
} plays[1024];

enum session_phase session_phase(int fd)
{
	return fdtab_is_wrapped(fd) ? plays[fd].phase : SESSION_NONE;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

enum session_phase session_progress(int fd, short *events)
{
	struct play *play = &plays[fd];
	char byte;

	pthread_mutex_lock(&lock);
	play->n_progress++;
	while (play->phase == SESSION_CONNECTING && sys_recv(fd, &byte, 1, MSG_DONTWAIT) == 1) {
		if (byte == 'f') {
			play->phase = SESSION_FAILED;
			sys_shutdown(fd, SHUT_RDWR);
		} else if (--play->n_steps == 0) {
			play->phase = SESSION_OPEN;
		}
	}
	if (play->phase == SESSION_CONNECTING && play->deadline_ms &&
	    sys_now_ms() >= play->deadline_ms) {
		play->phase = SESSION_FAILED;
		sys_shutdown(fd, SHUT_RDWR);
	}
	*events = play->interest;
	pthread_mutex_unlock(&lock);
	return play->phase;
}

int64_t session_deadline_ms(int fd)
{
	return plays[fd].deadline_ms;
}

int64_t sys_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

bool session_recv_ready(int fd)
{
	char byte;
	ssize_t n;

	pthread_mutex_lock(&lock);
	plays[fd].n_ready++;
	while ((n = sys_recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK)) == 1 && byte == 't') {
		(void)sys_recv(fd, &byte, 1, MSG_DONTWAIT);
	}
	pthread_mutex_unlock(&lock);
	return n != -EAGAIN;
}

bool session_flush_due(int fd)
{
	return plays[fd].flush_due;
}

void session_flush(int fd)
{
	plays[fd].n_flush++;
	plays[fd].flush_due = false;
}

bool session_wakes_in_vain(int fd)
{
	return plays[fd].is_blocking;
}

bool session_brings_nothing(int fd)
{
	return !session_recv_ready(fd);
}

bool session_has_ended(int fd)
{
	char byte;

	return sys_recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

bool session_is_writable_early(int fd)
{
	(void)fd;
	return false;
}

bool session_is_unserved(int fd)
{
	(void)fd;
	return false;
}

enum session_phase session_move_unserved(int fd, short *events)
{
	return session_progress(fd, events);
}

bool session_is_client(int fd)
{
	(void)fd;
	return false;
}

uint64_t session_id(int fd)
{
	return fdtab_is_wrapped(fd) ? plays[fd].id : 0;
}

enum shim_state shim_ready(void)
{
	return SHIM_ARMED;
}

const struct policy *shim_policy(void)
{
	static int there;

	return (const struct policy *)&there;
}

bool policy_has(const struct policy *policy, enum policy_direction direction)
{
	(void)policy;
	return direction == POLICY_CONNECT;
}

/* ---- helpers ---- */

struct pair {
	int fd, peer;
};

static void wrap(int fd, enum session_phase phase, int n_steps)
{
	static uint64_t last_id;

	plays[fd].is_blocking = plays[fd].flush_due = false;
	plays[fd].n_progress = plays[fd].n_flush = plays[fd].n_ready = 0;
	plays[fd].deadline_ms = 0;
	plays[fd].id = ++last_id;
	plays[fd].interest = POLLIN;
	plays[fd].n_steps = n_steps;
	plays[fd].phase = phase;
	fdtab_swap(fd, last_id);
}

__attribute__((unused)) static struct pair make(enum session_phase phase, int n_steps)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	if (phase != SESSION_NONE) {
		wrap(sv[0], phase, n_steps);
	}
	return (struct pair){ sv[0], sv[1] };
}

static void drop(struct pair pair)
{
	ready_forget(pair.fd);
	fdtab_swap(pair.fd, 0);
	assert_int_equal(close(pair.fd), 0);
	assert_int_equal(close(pair.peer), 0);
}

static void put(int peer, const char *bytes)
{
	assert_int_equal(write(peer, bytes, strlen(bytes)), strlen(bytes));
}

__attribute__((unused)) static void put_later(int peer, int after_ms, const char *bytes)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		usleep((useconds_t)after_ms * 1000);
		_exit(write(peer, bytes, strlen(bytes)) < 0);
	}
}

__attribute__((unused)) static void reap(void)
{
	while (waitpid(-1, NULL, 0) > 0) {
	}
}

#define assert_took(start, ms) assert_in_range(sys_now_ms() - (start), (ms)-1, (ms) + 150)

/* Run the tests with the tables that the hooks need. */
#define run_play(tests) (real_init(), fdtab_init() ? cmocka_run_group_tests(tests, NULL, NULL) : 1)

#endif
