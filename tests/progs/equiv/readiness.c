/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking what is ready: poll, select, epoll, and how many bytes wait.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

#include "equiv.h"

static void ask_poll(const struct op *op)
{
	struct pollfd asked[4] = {{.fd = a_fd(op), .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI},
				  {.fd = fds[1 - op->end][0], .events = op->k % 2 ? POLLIN : POLLOUT},
				  {.fd = -1, .events = POLLIN, .revents = 77},
				  {.fd = a_fd(op), .events = op->k % 3 ? 0 : POLLIN}};
	struct timespec zero = {0, 0};
	sigset_t mask;
	int n;

	sigemptyset(&mask);
	n = op->variant % 2 ? poll(asked, 4, 0) : ppoll(asked, 4, &zero, op->k % 2 ? &mask : NULL);
	say(" poll %d %x %x %x %x", n, (unsigned)asked[0].revents, (unsigned)asked[1].revents,
	    (unsigned)asked[2].revents, (unsigned)asked[3].revents);
}

static void ask_select(const struct op *op)
{
	int fd = a_fd(op), other = fds[1 - op->end][0], n;
	struct timeval none = {0, 0};
	struct timespec zero = {0, 0};
	fd_set in, out, except;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&except);
	FD_SET(fd, &in);
	FD_SET(other, &in);
	FD_SET(fd, &out);
	FD_SET(fd, &except);
	n = op->variant % 4 == 2 ? select(FD_SETSIZE, &in, op->k % 3 ? &out : NULL, &except, &none)
				 : pselect(FD_SETSIZE, &in, &out, op->k % 3 ? &except : NULL, &zero, NULL);
	say(" select %d in %d %d out %d except %d", n, FD_ISSET(fd, &in), FD_ISSET(other, &in),
	    FD_ISSET(fd, &out), FD_ISSET(fd, &except));
}

void run_poll(const struct op *op)
{
	if (op->variant % 4 < 2 || a_fd(op) >= FD_SETSIZE || fds[1 - op->end][0] >= FD_SETSIZE) {
		ask_poll(op);
	} else {
		ask_select(op);
	}
}

static int wait_now(const struct op *op, struct epoll_event *events)
{
	struct timespec zero = {0, 0};

	switch (op->k % 4) {
	case 0:
		return epoll_pwait(epoll_fd, events, 8, 0, NULL);
	case 1:
		return epoll_pwait2(epoll_fd, events, 8, &zero, NULL);
	default:
		return epoll_wait(epoll_fd, events, 8, 0);
	}
}

void run_epoll(const struct op *op)
{
	static const uint32_t modes[] = {0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT, EPOLLEXCLUSIVE};
	static const uint32_t interests[] = {EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT | EPOLLRDHUP,
					     EPOLLIN | EPOLLRDHUP};
	static const int calls[] = {EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
	struct epoll_event events[8];
	int number = op->k % n_fds[op->end], n;

	if (op->variant % 16 < 6) {
		events[0].events = modes[op->n % 5] | interests[op->flags % 4];
		events[0].data.u64 = (uint64_t)(op->end * 10 + number);
		n = epoll_ctl(epoll_fd, calls[op->variant % 4], a_fd(op), events);
		say(" ctl %d %d:%d %x", calls[op->variant % 4], op->end, number, events[0].events);
		say_result(n);
		return;
	}
	n = wait_now(op, events);
	say(" wait %d", n);
	/* In the order of the descriptors: that of the kernel's list depends on wakeups. */
	for (uint64_t data = 0; data < 20; data++) {
		for (int i = 0; i < n; i++) {
			if (events[i].data.u64 == data) {
				say(" %d=%x", (int)data, events[i].events);
			}
		}
	}
}

void run_count(const struct op *op)
{
	int n = -1, out = -1;

	say_result(ioctl(a_fd(op), FIONREAD, &n));
	say(" %d mark %d %d", n, sockatmark(a_fd(op)), ioctl(a_fd(op), TIOCOUTQ, &out));
}
