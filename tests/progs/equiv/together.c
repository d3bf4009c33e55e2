/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both directions at once, processes that go on where another one began, and sockets that have no peer or
 * lose it.
 */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/wait.h>

#include "equiv.h"

/* ---- full duplex ---- */

struct lane {
	int end;
	uint64_t goal;
	bool is_right;
	uint32_t sizes; /* where its lengths come from */
};

static size_t next_size(struct lane *lane, uint64_t left)
{
	size_t len;

	lane->sizes = lane->sizes * 1664525u + 1013904223u;
	len = 1 + (lane->sizes >> 8) % (lane->sizes & 64 ? 20000 : 300);
	return len < left ? len : (size_t)left;
}

static void *write_lane(void *arg)
{
	struct lane *lane = arg;
	uint8_t bytes[20001];
	uint64_t at = state->sent[lane->end];

	while (at < lane->goal) {
		size_t len = next_size(lane, lane->goal - at);
		long n;
		make_bytes(lane->end, at, bytes, len);
		n = write(fds[lane->end][0], bytes, len);
		if (n <= 0) {
			return NULL;
		}
		at += (uint64_t)n;
	}
	lane->is_right = true;
	return NULL;
}

static void *read_lane(void *arg)
{
	struct lane *lane = arg;
	uint8_t bytes[20001];
	uint64_t at = state->got[lane->end];

	while (at < lane->goal) {
		size_t len = next_size(lane, sizeof(bytes));
		long n = read(fds[1 - lane->end][0], bytes, len);
		if (n <= 0 || !is_right(lane->end, at, bytes, (size_t)n)) {
			return NULL;
		}
		at += (uint64_t)n;
	}
	lane->is_right = at == lane->goal;
	return NULL;
}

/* Four threads: each end writes in one and reads in another. */
void run_duplex(const struct op *op)
{
	struct lane lanes[4];
	pthread_t threads[4];

	if (!is_whole()) {
		return;
	}
	for (int i = 0; i < 4; i++) {
		int end = i / 2;
		lanes[i] = (struct lane){end, state->sent[end] + (uint64_t)(end ? op->n : op->k % CAP) * 4,
					 false, (uint32_t)op->variant + (uint32_t)i};
	}
	set_blocking(0, true);
	set_blocking(1, true);
	for (int i = 0; i < 4; i++) {
		pthread_create(&threads[i], NULL, i % 2 ? read_lane : write_lane, &lanes[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		say(" %s", lanes[i].is_right ? "right" : "WRONG");
	}
	for (int end = 0; end < 2; end++) {
		state->sent[end] = state->got[end] = lanes[2 * end].goal;
	}
	await_room();
	restore_blocking();
}

/* ---- a child goes on, and ends in one of several ways ---- */

void run_forked(const struct op *op)
{
	int end = op->end, n = 1 + op->n % 3000, status = -1;
	uint8_t bytes[3001];
	pid_t pid;

	if (!is_whole() || available(1 - end) + n > CAP) {
		return;
	}
	pid = fork();
	if (pid == 0) {
		long sent = 0;
		make_bytes(end, state->sent[end], bytes, (size_t)n);
		set_blocking(end, true);
		for (int at = 0; at < n && sent >= 0; at += (int)sent) {
			sent = write(fds[end][0], bytes + at, (size_t)(n - at < 900 ? n - at : 900));
		}
		if (op->k % 3 == 1) {
			close(fds[0][0]);
			close(fds[1][0]);
		} else if (op->k % 3 == 2) {
			kill(getpid(), SIGKILL);
		}
		_exit(sent > 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	state->sent[end] += (uint64_t)n;
	restore_blocking();
	say(" n=%d status %x %s", n, (unsigned)status,
	    op->variant % 2     ? ""
	    : read_all(1 - end) ? "right"
				: "WRONG");
}

/* ---- sockets without a connection ---- */

static void say_poll(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};

	poll(&pfd, 1, 0);
	say(" poll %x", (unsigned)pfd.revents);
}

static void say_data_calls(int fd)
{
	char byte = 0;

	n_pipe = 0;
	say(" read");
	say_result(read(fd, &byte, 1));
	say(" recv");
	say_result(recv(fd, &byte, 1, MSG_DONTWAIT));
	say(" write");
	say_result(write(fd, &byte, 1));
	say(" pipes %d", (int)n_pipe);
}

static int error_of(int fd)
{
	int error = -1;
	socklen_t len = sizeof(error);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return error;
}

/* A connection that nobody takes, blocking or not, and once more. */
static void connect_in_vain(int flags)
{
	struct sockaddr_in addr = address_of(closed_port);
	int fd = connect_to(closed_port, flags);

	say(" connect %s", strerrorname_np(errno));
	if (flags) {
		struct pollfd pfd = {.fd = fd, .events = POLLOUT};
		poll(&pfd, 1, 2000);
		say(" %x error %d %d", (unsigned)pfd.revents, error_of(fd), error_of(fd));
	}
	say(" again %d", connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	say(" %s", strerrorname_np(errno));
	close(fd);
}

void run_lonely(const struct op *op)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int fd;

	switch (op->variant % 4) {
	case 0:
		connect_in_vain(0);
		return;
	case 1:
		connect_in_vain(SOCK_NONBLOCK);
		return;
	case 2:
		fd = socket(AF_INET, SOCK_STREAM | (op->k % 2 ? SOCK_NONBLOCK : 0), 0);
		say_poll(fd);
		say_data_calls(fd);
		say(" peer %d error %d accept %d", getpeername(fd, (struct sockaddr *)&addr, &len),
		    error_of(fd), accept(fd, NULL, NULL));
		break;
	default:
		fd = listener;
		say_poll(fd);
		say_data_calls(-1);
		say(" accept %d", accept4(-1, NULL, NULL, 0));
		say(" %d %s", accept4(fd, NULL, NULL, 0x1234), strerrorname_np(errno));
		return;
	}
	say(" shutdown %d", shutdown(fd, SHUT_WR));
	close(fd);
}

/* ---- a whole life ---- */

static void *accept_other(void *arg)
{
	uint8_t bytes[64];
	int fd = accept_one(0);
	long n = read(fd, bytes, sizeof(bytes));

	if (n > 0) {
		(void)!write(fd, bytes, (size_t)n);
	}
	while (read(fd, bytes, sizeof(bytes)) > 0) {
	}
	*(int *)arg = fd;
	return NULL;
}

static void talk(int fd)
{
	uint8_t bytes[8];
	long n;

	say_result(write(fd, "hello", 5));
	n = recv(fd, bytes, 5, MSG_WAITALL);
	say(" %.*s", n > 0 ? (int)n : 0, (char *)bytes);
}

/* Connect, blocking; again; let go with AF_UNSPEC or close; and connect the same socket anew. */
void run_fresh(const struct op *op)
{
	struct sockaddr_in addr = address_of(port);
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	int fd = -1, other = -1;

	for (int round = 0; round < 2; round++) {
		pthread_t thread;
		pthread_create(&thread, NULL, accept_other, &other);
		if (round == 0) {
			fd = connect_to(port, 0);
			say(" connect %d", errno);
		} else {
			say(" connect %d", connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
		}
		say(" again %d", connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
		say(" %s", strerrorname_np(errno));
		talk(fd);
		if (round == 0 && op->variant % 3) {
			say(" unspec %d", connect(fd, &none, sizeof(none)));
			say_data_calls(fd);
		} else {
			say(" shutdown %d", shutdown(fd, SHUT_WR));
			round = 1;
		}
		pthread_join(thread, NULL);
		close(other);
	}
	say(" close %d", close(fd));
}
