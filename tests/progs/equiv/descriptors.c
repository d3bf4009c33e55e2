/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls on descriptors: copies, closing, shutting, blocking mode, options.
 */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "equiv.h"

void run_dup(const struct op *op)
{
	int *mine = fds[op->end];
	int *n = &n_fds[op->end];
	int fd;

	if (op->variant % 3 == 0 && *n > 1) {
		int to = mine[*n - 1];
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, to, NULL);
		fd = op->k % 2 ? dup2(mine[0], to) : dup3(mine[0], to, O_CLOEXEC);
		say(" dup2 %s %d", fd == to ? "same" : "?", fcntl(to, F_GETFD));
		return;
	}
	if (*n == MAX_FDS) {
		return;
	}
	fd = op->variant % 3 == 1
		     ? dup(mine[op->k % *n])
		     : fcntl(mine[op->k % *n], op->k % 5 ? F_DUPFD_CLOEXEC : F_DUPFD, 100 * (op->n % 12));
	mine[(*n)++] = fd;
	say(" dup %s", fd >= 0 ? "done" : strerrorname_np(errno));
}

void run_close(const struct op *op)
{
	int *n = &n_fds[op->end];

	if (*n > 1) {
		int number = op->k % *n, fd = fds[op->end][number];

		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		say_result(op->variant % 3 ? close(fd) : close_range((unsigned)fd, (unsigned)fd, 0));
		fds[op->end][number] = fds[op->end][--*n];
		/* The one that moved keeps its registration under its old name. */
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fds[op->end][number], NULL);
	}
}

void run_shut(const struct op *op)
{
	int how = op->variant % 8 < 5 ? SHUT_WR : op->variant % 8 < 6 ? SHUT_RD : SHUT_RDWR;

	if (how != SHUT_WR && available(op->end) > 0) {
		return;
	}
	say(" how %d", how);
	say_result(shutdown(a_fd(op), how));
	state->shut_wr[op->end] |= how != SHUT_RD;
	state->shut_rd[op->end] |= how != SHUT_WR;
}

void run_mode(const struct op *op)
{
	int on = op->variant % 2;
	int rc = op->variant % 3 ? ioctl(a_fd(op), FIONBIO, &on)
				 : fcntl(a_fd(op), F_SETFL, on ? O_NONBLOCK : 0);

	state->nonblocking[op->end] = on;
	say(" nonblocking %d: %d, %x", on, rc, (unsigned)fcntl(a_fd(op), F_GETFL) & O_NONBLOCK);
}

void run_so_error(const struct op *op)
{
	int n = -1;
	socklen_t len = sizeof(n);

	say_result(getsockopt(a_fd(op), SOL_SOCKET, SO_ERROR, &n, &len));
	say(" %s", n ? strerrorname_np(n) : "0");
}

/* ---- options ---- */

static const struct {
	int level, name, value; /* set to value or 0, if that is not negative */
} options[] = {
	{SOL_SOCKET, SO_TYPE, -1},
	{SOL_SOCKET, SO_DOMAIN, -1},
	{SOL_SOCKET, SO_PROTOCOL, -1},
	{SOL_SOCKET, SO_ACCEPTCONN, -1},
	{SOL_SOCKET, SO_KEEPALIVE, 1},
	{SOL_SOCKET, SO_REUSEADDR, -1},
	{SOL_SOCKET, SO_OOBINLINE, 1},
	{SOL_SOCKET, SO_PRIORITY, 3},
	{SOL_SOCKET, SO_RCVLOWAT, 1},
	{SOL_SOCKET, SO_SNDLOWAT, -1},
	{IPPROTO_TCP, TCP_NODELAY, -1},
	{IPPROTO_TCP, TCP_KEEPIDLE, 77},
	{IPPROTO_TCP, TCP_SYNCNT, 4},
	{IPPROTO_IP, IP_TOS, 8},
	{IPPROTO_IP, IP_TTL, 60},
	{SOL_SOCKET, 9999, 1},
	{IPPROTO_TCP, 9999, 1},
	{7777, 1, 1},
	{SOL_SOCKET, SO_BROADCAST, 1},
	{IPPROTO_TCP, TCP_USER_TIMEOUT, 9000},
	{SOL_SOCKET, SO_BINDTODEVICE, -1},
};
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

void run_option(const struct op *op)
{
	int at = op->k % (int)N_OPTIONS, level = options[at].level, name = options[at].name;
	struct {
		int before, value[4];
	} room = {0x5a5a5a5a, {-7, -7, -7, -7}};
	socklen_t lens[] = {sizeof(int), sizeof(int), 16, 1, 0, 3};
	socklen_t len = lens[op->n % 6];
	int value = op->variant % 2 ? options[at].value : 0;

	say(" %d:%d %u", level, name, len);
	if (options[at].value >= 0 && op->variant % 3 == 0) {
		say_result(setsockopt(a_fd(op), level, name, op->flags % 9 ? &value : NULL,
				      op->flags % 5 ? sizeof(int) : len));
	}
	say_result(getsockopt(a_fd(op), level, name, op->flags % 11 ? room.value : NULL,
			      op->flags % 13 ? &len : NULL));
	say(" %d %x %x %u", room.before == 0x5a5a5a5a, (unsigned)room.value[0], (unsigned)room.value[1], len);
}
