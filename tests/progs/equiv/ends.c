/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two ends of a connection: their bytes, what is on its way between them, and the log.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#include "equiv.h"

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	state->log_len += (size_t)vsnprintf(state->log + state->log_len,
					    sizeof(state->log) - state->log_len - 1, format, args);
	va_end(args);
	if (state->log_len > sizeof(state->log) - 1000) {
		fprintf(stderr, "log is full\n");
		exit(2);
	}
}

void say_result(long n)
{
	say(" %ld", n);
	if (n < 0) {
		say(" %s", strerrorname_np(errno));
	}
}

uint8_t byte_at(int direction, uint64_t at)
{
	return (uint8_t)((at * 2654435761u >> 13) + (uint64_t)direction * 91 + at);
}

void make_bytes(int end, uint64_t at, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[i] = byte_at(end, at + i);
	}
}

bool is_right(int end, uint64_t at, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != byte_at(end, at + i)) {
			return false;
		}
	}
	return true;
}

int a_fd(const struct op *op)
{
	return fds[op->end][op->k % n_fds[op->end]];
}

int available(int end)
{
	return (int)(state->sent[1 - end] - state->got[1 - end]);
}

bool is_whole(void)
{
	return !state->shut_wr[0] && !state->shut_wr[1] && !state->shut_rd[0] && !state->shut_rd[1];
}

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool is_ready(int fd, short events)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & events);
}

void set_blocking(int end, bool on)
{
	fcntl(fds[end][0], F_SETFL, on ? 0 : O_NONBLOCK);
}

void restore_blocking(void)
{
	for (int end = 0; end < 2; end++) {
		set_blocking(end, !state->nonblocking[end]);
	}
}

/* Names of states of TCP are in a header that does not go together with this one. */
enum { ESTABLISHED = 1, FIN_WAIT1 = 4, FIN_WAIT2 = 5, CLOSED = 7 };

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	return info;
}

/* Up to 20 ms, and for what the kernel had no room for and sends again 500 ms, but not in a whole sequence of such. */
void await_arrival(void)
{
	for (int end = 0; end < 2; end++) {
		for (int i = 0; i < 148 && (i < 100 || state->n_naps++ < 200); i++) {
			struct tcp_info from = info_of(fds[end][0]), to = info_of(fds[1 - end][0]);
			bool has_end = to.tcpi_state != ESTABLISHED && to.tcpi_state != FIN_WAIT1 &&
				       to.tcpi_state != FIN_WAIT2;

			if ((from.tcpi_notsent_bytes == 0 &&
			     from.tcpi_bytes_sent - from.tcpi_bytes_retrans <= to.tcpi_bytes_received &&
			     (!state->shut_wr[end] || has_end)) ||
			    from.tcpi_state == CLOSED || to.tcpi_state == CLOSED) {
				break;
			}
			usleep(i < 100 ? 200 : 10000);
		}
	}
}

void set_timeout(int fd, int option, int ms)
{
	struct timeval tv = {0, ms * 1000};

	setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv));
}

void await_room(void)
{
	for (int end = 0; end < 2; end++) {
		struct pollfd pfd = {.fd = fds[end][0], .events = POLLOUT};
		int left = 1;
		for (int i = 0;
		     i < 100 && !state->shut_wr[end] && ioctl(pfd.fd, TIOCOUTQ, &left) == 0 && left > 0;
		     i++) {
			usleep(1000);
		}
		poll(&pfd, 1, 1000);
	}
}

bool read_all(int end)
{
	uint8_t bytes[20000];

	while (available(end) > 0) {
		struct pollfd pfd = {.fd = fds[end][0], .events = POLLIN};
		long n;

		if (poll(&pfd, 1, 5000) != 1) {
			say(" STALLED");
			return false;
		}
		n = recv(fds[end][0], bytes, 1 + draw_aside(sizeof(bytes) - 1), MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			continue;
		}
		if (n <= 0 || !is_right(1 - end, state->got[1 - end], bytes, (size_t)n)) {
			say(" WRONG %ld", n);
			return false;
		}
		state->got[1 - end] += (uint64_t)n;
	}
	/* A part of a record takes room in the kernel until somebody asks for it. */
	return recv(fds[end][0], bytes, 1, MSG_DONTWAIT) <= 0;
}

struct sockaddr_in address_of(int to)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)to)};

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return addr;
}

int connect_to(int to, int flags)
{
	struct sockaddr_in addr = address_of(to);
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

	errno = 0;
	(void)!connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	return fd;
}

int accept_one(int flags)
{
	return accept4(listener, NULL, NULL, flags);
}

void close_quietly(int fd)
{
	int err = errno;

	close(fd);
	errno = err;
}

void cut(struct iovec *iov, int n_iov, uint8_t *bytes, int n, int k)
{
	size_t at = 0;

	for (int i = 0; i < n_iov; i++) {
		size_t left = (size_t)n - at, len = left;
		if (i < n_iov - 1) {
			/* Every third is empty. */
			len = left && i % 3 != k % 3 ? (size_t)(k >> i % 7) % (left + 1) : 0;
			len = n_iov > 3 && len > 700 ? len % 700 : len;
		}
		iov[i] = (struct iovec){bytes + at, len};
		at += len;
	}
}
