/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that wait: for time to pass, for a signal, for another thread, for room, for all of a transfer.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "equiv.h"

/* A read that ends by SO_RCVTIMEO: it waits for all, or for as much as SO_RCVLOWAT says. */
void run_timed(const struct op *op)
{
	uint8_t bytes[CAP + 100];
	int64_t began = now_ms();
	int lowat = op->n % 2 ? 1 + op->k % 3000 : 0;
	long n;

	if (available(op->end) > 0 && !(op->variant % 2)) {
		return;
	}
	set_blocking(op->end, true);
	set_timeout(a_fd(op), SO_RCVTIMEO, 8);
	if (lowat) {
		setsockopt(a_fd(op), SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat));
		say(" lowat %d", lowat);
	}
	n = recv(a_fd(op), bytes, sizeof(bytes), lowat ? 0 : MSG_WAITALL);
	say_result(n);
	began = now_ms() - began;
	if (!state->shut_wr[1 - op->end] && !state->shut_rd[op->end] && (!lowat || n < lowat)) {
		say(" time %s", began >= 6 && began < 2000 ? "right" : "WRONG");
	}
	if (n > 0) {
		say(" %s", is_right(1 - op->end, state->got[1 - op->end], bytes, (size_t)n) ? "right"
											    : "WRONG BYTES");
		state->got[1 - op->end] += (uint64_t)n;
	}
	set_timeout(a_fd(op), SO_RCVTIMEO, 0);
	setsockopt(a_fd(op), SOL_SOCKET, SO_RCVLOWAT, &(int){1}, sizeof(int));
	set_blocking(op->end, !state->nonblocking[op->end]);
}

static void ignore(int sig)
{
	(void)sig;
}

void run_interrupted(const struct op *op)
{
	struct itimerval timer = {.it_value = {0, 4000}, .it_interval = {0, 4000}}, off = {0};
	struct sigaction action = {.sa_handler = ignore};
	char byte;

	if (available(op->end) > 0) {
		return; /* whose timer it is would matter */
	}
	set_blocking(op->end, true);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	say_result(op->variant % 2 ? read(a_fd(op), &byte, 1) : recv(a_fd(op), &byte, 1, MSG_PEEK));
	setitimer(ITIMER_REAL, &off, NULL);
	set_blocking(op->end, !state->nonblocking[op->end]);
}

struct blocked {
	struct op op;
	uint8_t bytes[2000];
	long n;
	int err;
};

static void *read_blocked(void *arg)
{
	struct blocked *blocked = arg;

	blocked->n = recv(a_fd(&blocked->op), blocked->bytes, (size_t)blocked->op.n,
			  blocked->op.variant % 2 ? MSG_WAITALL : 0);
	blocked->err = errno;
	return NULL;
}

/* A thread that waits in recv() for what comes meanwhile: data, or the end. */
void run_blocked(const struct op *op)
{
	struct blocked blocked = {.op = *op};
	uint8_t bytes[2000];
	pthread_t thread;
	bool waits = op->variant % 2;
	int n;

	if (available(op->end) > 0 || state->shut_wr[1 - op->end] || state->shut_rd[op->end]) {
		return;
	}
	blocked.op.n = 1 + op->n % 1000;
	n = waits ? blocked.op.n : 1 + op->k % 1000;
	set_blocking(op->end, true);
	pthread_create(&thread, NULL, read_blocked, &blocked);
	usleep(2000);
	make_bytes(1 - op->end, state->sent[1 - op->end], bytes, (size_t)n);
	if (waits && n > 1) {
		/* In two halves. */
		say_result(send(fds[1 - op->end][0], bytes, (size_t)n / 2, 0));
		usleep(1000);
		say_result(send(fds[1 - op->end][0], bytes + n / 2, (size_t)(n - n / 2), 0));
	} else {
		say_result(send(fds[1 - op->end][0], bytes, (size_t)n, 0));
	}
	state->sent[1 - op->end] += (uint64_t)n;
	pthread_join(thread, NULL);
	errno = blocked.err;
	say_result(blocked.n);
	if (blocked.n > 0) {
		say(" %s", is_right(1 - op->end, state->got[1 - op->end], blocked.bytes, (size_t)blocked.n)
				   ? "right"
				   : "WRONG BYTES");
		state->got[1 - op->end] += (uint64_t)blocked.n;
	}
	set_blocking(op->end, !state->nonblocking[op->end]);
}

/* Write until the kernel takes no more, wait in vain, then read it all. */
void run_fill(const struct op *op)
{
	static uint8_t bytes[BIG];
	int end = op->end, fd = a_fd(op);
	bool timed = op->variant % 2;
	long n = 0;

	if (state->shut_wr[end] || state->shut_rd[1 - end]) {
		return;
	}
	set_blocking(end, timed);
	set_timeout(fd, SO_SNDTIMEO, 8);
	for (int i = 0; i < 2000; i++) {
		size_t len = 1 + draw_aside(BIG - 1);
		make_bytes(end, state->sent[end], bytes, len);
		n = send(fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0) {
			break;
		}
		state->sent[end] += (uint64_t)n;
	}
	say_result(n < 0 ? n : 0);
	say(" readable %d;", is_ready(fds[1 - end][0], POLLIN));
	if (read_all(1 - end)) {
		await_room();
		say(" after: writable %d, readable %d", is_ready(fd, POLLOUT),
		    is_ready(fds[1 - end][0], POLLIN));
		/* A record that could not be told as sent may be on its way: the same bytes count for it. */
		make_bytes(end, state->sent[end], bytes, 20000);
		n = send(fd, bytes, 20000, MSG_NOSIGNAL);
		say(" %s", n > 0 ? "sent" : strerrorname_np(errno));
		state->sent[end] += n > 0 ? (uint64_t)n : 0;
		say(" %s", read_all(1 - end) ? "right" : "WRONG");
		await_room();
	}
	set_timeout(fd, SO_SNDTIMEO, 0);
	set_blocking(end, !state->nonblocking[end]);
}

/* One event of a transfer both ways with edge-triggered epoll: as much as goes, in pieces of random sizes. */
static bool transfer_step(int end, uint64_t goal, bool counts)
{
	static uint8_t bytes[BIG];
	long n;

	for (;;) {
		int want = 1 + (int)draw_aside(BIG - 1);
		if (counts) {
			if (ioctl(fds[end][0], FIONREAD, &want) != 0 || want == 0) {
				want = 1;
			}
			want = want < BIG ? want : BIG;
		}
		n = read(fds[end][0], bytes, (size_t)want);
		if (n <= 0) {
			break;
		}
		if (!is_right(1 - end, state->got[1 - end], bytes, (size_t)n)) {
			say(" WRONG BYTES");
			return false;
		}
		state->got[1 - end] += (uint64_t)n;
	}
	if (n == 0 || errno != EAGAIN) {
		say(" read %ld %s", n, strerrorname_np(errno));
		return false;
	}
	while (state->sent[end] < goal) {
		size_t len = 1 + draw_aside(BIG - 1);
		len = len < goal - state->sent[end] ? len : (size_t)(goal - state->sent[end]);
		make_bytes(end, state->sent[end], bytes, len);
		n = write(fds[end][0], bytes, len);
		if (n < 0) {
			break;
		}
		state->sent[end] += (uint64_t)n;
	}
	if (n < 0 && errno != EAGAIN) {
		say(" write %s", strerrorname_np(errno));
		return false;
	}
	return true;
}

void run_transfer(const struct op *op)
{
	uint64_t goals[2] = {state->sent[0] + (uint64_t)op->n * 50,
			     state->sent[1] + (uint64_t)(op->k % CAP) * 50};
	struct epoll_event event;
	int set = epoll_create1(0);
	bool good = true;

	if (!is_whole()) {
		close(set);
		return;
	}
	for (int end = 0; end < 2; end++) {
		set_blocking(end, false);
		event.events = EPOLLIN | EPOLLOUT | EPOLLET;
		event.data.u64 = (uint64_t)end;
		epoll_ctl(set, EPOLL_CTL_ADD, fds[end][0], &event);
	}
	while (good && (state->got[0] < goals[0] || state->got[1] < goals[1])) {
		if (epoll_wait(set, &event, 1, 5000) != 1) {
			say(" STALLED: sent %llu of %llu and %llu of %llu",
			    (unsigned long long)state->sent[0], (unsigned long long)goals[0],
			    (unsigned long long)state->sent[1], (unsigned long long)goals[1]);
			break;
		}
		good = transfer_step((int)event.data.u64, goals[event.data.u64], op->variant % 2);
	}
	say(" %s", state->got[0] < goals[0] || state->got[1] < goals[1] ? "NOT ALL" : "all");
	close(set);
	await_room();
	restore_blocking();
}
