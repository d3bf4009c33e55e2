/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ends that do not block, both in one loop, with each way of waiting.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "faults.h"

static void give_up(struct half *half, const char *what)
{
	note(what, -1);
	half->is_done = true;
	note("close", close(half->fd));
}

void step(struct half *half)
{
	char bytes[3000];
	size_t goal = half->is_server ? half->got : TOTAL;
	long n;

	while (half->sent < goal) {
		size_t len = goal - half->sent < sizeof(bytes) ? goal - half->sent : sizeof(bytes);
		make_bytes(bytes, half->sent, len);
		n = send(half->fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			give_up(half, "send");
			return;
		}
		if (n < 0) {
			break;
		}
		half->sent += (size_t)n;
	}
	while ((n = read(half->fd, bytes, sizeof(bytes))) > 0) {
		check_bytes(bytes, half->got, (size_t)n);
		half->got += (size_t)n;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		give_up(half, "read");
	} else if (n == 0 || (!half->is_server && half->got == TOTAL)) {
		half->is_done = true;
		note("close", close(half->fd));
	}
}

static int wait_poll(struct half *halves)
{
	struct pollfd pfd[2];

	for (int i = 0; i < 2; i++) {
		pfd[i].fd = halves[i].is_done ? -1 : halves[i].fd;
		pfd[i].events = POLLIN | (halves[i].is_server || halves[i].sent == TOTAL ? 0 : POLLOUT);
	}
	return poll(pfd, 2, 100);
}

static int wait_select(struct half *halves)
{
	struct timeval time = {0, 100000};
	fd_set in, out;

	FD_ZERO(&in);
	FD_ZERO(&out);
	for (int i = 0; i < 2; i++) {
		if (!halves[i].is_done) {
			FD_SET(halves[i].fd, &in);
		}
		if (!halves[i].is_done && !halves[i].is_server && halves[i].sent < TOTAL) {
			FD_SET(halves[i].fd, &out);
		}
	}
	return select(FD_SETSIZE, &in, &out, NULL, &time);
}

static int wait_epoll(struct half *halves)
{
	struct epoll_event events[2];
	static int set = -1;

	if (set < 0) {
		set = (int)note("epoll_create1", epoll_create1(0));
		for (int i = 0; i < 2 && set >= 0; i++) {
			events[0].events = EPOLLIN | EPOLLOUT | EPOLLET;
			events[0].data.fd = halves[i].fd;
			if (!halves[i].is_done) {
				note("epoll_ctl", epoll_ctl(set, EPOLL_CTL_ADD, halves[i].fd, events));
			}
		}
	}
	return epoll_wait(set, events, 2, 100);
}

static void run_loop(int (*wait_for)(struct half *halves))
{
	struct half halves[2] = {{.fd = connect_out(SOCK_NONBLOCK)}, {.fd = -1, .is_server = true}};

	if (halves[0].fd < 0) {
		return;
	}
	halves[1].fd = take(SOCK_NONBLOCK);
	halves[1].is_done = halves[1].fd < 0;
	for (int i = 0; i < 300 && !(halves[0].is_done && halves[1].is_done); i++) {
		if (wait_for(halves) < 0 && errno != EINTR) {
			note("wait", -1);
			break;
		}
		for (int k = 0; k < 2; k++) {
			if (!halves[k].is_done) {
				step(&halves[k]);
			}
		}
	}
	printf("client got %zu\n", halves[0].got);
}

void run_poll(void)
{
	run_loop(wait_poll);
}
void run_select(void)
{
	run_loop(wait_select);
}
void run_epoll(void)
{
	run_loop(wait_epoll);
}
