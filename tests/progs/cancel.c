/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that are cancelled in calls on connections: cancel ECHO_PORT SILENT_PORT ROUNDS.
 *
 * Each call is cancelled ROUNDS times, mostly while it waits: calls that receive where nothing comes, calls that send where
 * nothing fits, connect() to a server that never says a word, accept() where nobody comes. Another connection talks to the
 * echo server all the time. After it all what the echo server has got comes back: whole, and in order.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK 65536

static int echo_port, silent_port;
static int empty, full, fresh, listener, epfd, out_pipe[2], in_pipe[2]; /* what the calls work on */
static atomic_bool entered, stop;
static char block[BLOCK];

static int socket_to(int port, struct sockaddr_in *at)
{
	*at = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int connected(void)
{
	struct sockaddr_in at;
	int fd = socket_to(echo_port, &at);

	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		err(1, "connect");
	}
	return fd;
}

/* ---- the calls ---- */

static struct iovec iov = {block, BLOCK};
static struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

static long by_poll(int timed)
{
	struct pollfd pfd = {empty, POLLIN, 0};

	return timed ? ppoll(&pfd, 1, &(struct timespec){100, 0}, NULL) : poll(&pfd, 1, -1);
}

static long by_select(int with_mask)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(empty, &set);
	return with_mask ? pselect(empty + 1, &set, NULL, NULL, NULL, NULL) : select(empty + 1, &set, NULL, NULL, NULL);
}

static long by_epoll(int way)
{
	struct epoll_event event;

	return way == 0   ? epoll_wait(epfd, &event, 1, -1)
	       : way == 1 ? epoll_pwait(epfd, &event, 1, -1, NULL)
			  : epoll_pwait2(epfd, &event, 1, NULL, NULL);
}

static long by_mmsg(int sends)
{
	struct mmsghdr messages = {.msg_hdr = msg};

	return sends ? sendmmsg(full, &messages, 1, 0) : recvmmsg(empty, &messages, 1, 0, NULL);
}

static long by_connect(void)
{
	struct sockaddr_in at;

	socket_to(silent_port, &at);
	return connect(fresh, (struct sockaddr *)&at, sizeof(at));
}

#define CALLS(X) \
	X(read, read(empty, block, BLOCK)) \
	X(readv, readv(empty, &iov, 1)) \
	X(preadv2, preadv2(empty, &iov, 1, -1, 0)) \
	X(recv, recv(empty, block, BLOCK, 0)) \
	X(peek, recv(empty, block, BLOCK, MSG_PEEK)) \
	X(waitall, recv(empty, block, BLOCK, MSG_WAITALL)) \
	X(recvfrom, recvfrom(empty, block, BLOCK, 0, NULL, NULL)) \
	X(recvmsg, recvmsg(empty, &(struct msghdr){.msg_iov = &iov, .msg_iovlen = 1}, 0)) \
	X(recvmmsg, by_mmsg(0)) \
	X(splice_from, splice(empty, NULL, out_pipe[1], NULL, BLOCK, 0)) \
	X(poll, by_poll(0)) \
	X(ppoll, by_poll(1)) \
	X(select, by_select(0)) \
	X(pselect, by_select(1)) \
	X(epoll_wait, by_epoll(0)) \
	X(epoll_pwait, by_epoll(1)) \
	X(epoll_pwait2, by_epoll(2)) \
	X(write, write(full, block, BLOCK)) \
	X(writev, writev(full, &iov, 1)) \
	X(pwritev2, pwritev2(full, &iov, 1, -1, 0)) \
	X(send, send(full, block, BLOCK, 0)) \
	X(sendto, sendto(full, block, BLOCK, 0, NULL, 0)) \
	X(sendmsg, sendmsg(full, &msg, 0)) \
	X(sendmmsg, by_mmsg(1)) \
	X(splice_to, splice(in_pipe[0], NULL, full, NULL, 4096, 0)) \
	X(accept, accept(listener, NULL, NULL)) \
	X(accept4, accept4(listener, NULL, NULL, SOCK_CLOEXEC)) \
	X(connect, by_connect())

enum call {
#define X(name, call) CALL_##name,
	CALLS(X)
#undef X
	N_CALLS
};
static const char *const names[] = {
#define X(name, call) #name,
	CALLS(X)
#undef X
};

static long make_call(enum call which)
{
	switch (which) {
#define X(name, call) \
	case CALL_##name: \
		return call;
		CALLS(X)
#undef X
	case N_CALLS:
		break;
	}
	return 0;
}

static void *wait_in_call(void *arg)
{
	entered = true;
	for (;;) {
		/* What fits after all is no end. */
		if (make_call((enum call)(intptr_t)arg) < 0 && errno != EINTR && errno != EISCONN) {
			err(1, "%s", names[(intptr_t)arg]);
		}
		pthread_testcancel();
	}
}

/* ---- the rest of the process ---- */

static void *talk(void *arg)
{
	char got[BLOCK];
	long rounds = 0;
	int fd = connected();

	(void)arg;
	for (; !stop; rounds++) {
		ssize_t len = 1 + rounds % 3000;
		if (write(fd, block, (size_t)len) != len || recv(fd, got, (size_t)len, MSG_WAITALL) != len ||
		    memcmp(got, block, (size_t)len) != 0) {
			err(1, "the other connection, round %ld", rounds);
		}
		usleep(200);
	}
	return (void *)rounds;
}

static void cancel_in(enum call which, long rounds)
{
	pthread_attr_t small;
	pthread_t thread;
	void *result;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (long i = 0; i < rounds; i++) {
		struct sockaddr_in at;
		fresh = which == CALL_connect ? socket_to(silent_port, &at) : -1;
		entered = false;
		if (pthread_create(&thread, &small, wait_in_call, (void *)(intptr_t)which) != 0) {
			err(1, "pthread_create");
		}
		while (!entered && i % 4 != 0) {
			sched_yield();
		}
		if (i % 4 == 2) {
			usleep(50);
		}
		pthread_cancel(thread);
		pthread_join(thread, &result);
		if (result != PTHREAD_CANCELED) {
			errx(1, "%s returned %ld", names[which], (long)(intptr_t)result);
		}
		if (fresh >= 0) {
			setsockopt(fresh, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
			close(fresh);
		}
	}
}

/* The connection `empty` works, both ways. */
static void check_empty(const char *name)
{
	char got[5];

	if (write(empty, "alive", 5) != 5 || recv(empty, got, 5, MSG_WAITALL) != 5 || memcmp(got, "alive", 5) != 0) {
		err(1, "after %s", name);
	}
}

static void *read_full(void *arg)
{
	ssize_t n;
	long total = 0;

	(void)arg;
	while ((n = read(full, block, BLOCK)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (block[i] != 'f') {
				errx(1, "byte %ld is wrong", total + i);
			}
		}
		total += n;
	}
	if (n != 0 || total == 0) {
		err(1, "read gave %zd after %ld", n, total);
	}
	return NULL;
}

/* Whatever of it was taken, `full` has blocks of one letter: they come back, and then the end. */
static void check_full(void)
{
	pthread_t reader;

	pthread_create(&reader, NULL, read_full, NULL);
	if (shutdown(full, SHUT_WR) != 0) {
		err(1, "shutdown");
	}
	pthread_join(reader, NULL);
}

static void prepare(void)
{
	struct sockaddr_in at;
	struct epoll_event event = {.events = EPOLLIN};

	memset(block, 'f', BLOCK);
	empty = connected();
	epfd = epoll_create1(0);
	epoll_ctl(epfd, EPOLL_CTL_ADD, empty, &event);
	listener = socket_to(0, &at);
	if (listen(listener, 8) != 0 || pipe(in_pipe) != 0 || pipe(out_pipe) != 0) {
		err(1, "listen, pipe");
	}
	if (write(in_pipe[1], block, BLOCK) < 4096) {
		err(1, "write");
	}
	full = connected();
	fcntl(full, F_SETFL, O_NONBLOCK);
	do { /* until nobody takes any more for a while */
		while (write(full, block, BLOCK) > 0) {
		}
	} while (poll(&(struct pollfd){full, POLLOUT, 0}, 1, 300) == 1);
	fcntl(full, F_SETFL, 0);
}

int main(int argc, char **argv)
{
	long rounds = argc == 4 ? atol(argv[3]) : 0;
	pthread_t talker;
	void *talked;

	if (rounds < 1) {
		errx(2, "usage: cancel ECHO_PORT SILENT_PORT ROUNDS");
	}
	echo_port = atoi(argv[1]);
	silent_port = atoi(argv[2]);
	prepare();
	pthread_create(&talker, NULL, talk, NULL);
	for (int call = 0; call < N_CALLS; call++) {
		cancel_in((enum call)call, rounds);
		check_empty(names[call]);
	}
	stop = true;
	pthread_join(talker, &talked);
	if ((intptr_t)talked == 0) {
		errx(1, "nobody talked");
	}
	check_full();
	printf("%d calls, each cancelled %ld times, and all goes on\n", N_CALLS, rounds);
	return 0;
}
