/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An echo server around epoll: epoll_echo PORT block|nonblock [BYTES-PER-READ [MODE]]. MODE is one
 * of
 *
 *   level    one read per event
 *   edge     reads until EAGAIN
 *   oneshot  one read per event, armed again with EPOLL_CTL_MOD
 *   nested   level, but waits with poll() on an epoll set that holds the real one
 *   threads  oneshot, four threads wait
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct conn {
	int fd;
	unsigned magic; /* event data that is not ours would crash here */
};
#define MAGIC 0x600dda7a

static int epfd, outer = -1, accept_flags;
static unsigned flags;
static size_t chunk = 4096;

static struct conn *listen_on(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons((unsigned short)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct conn *conn = malloc(sizeof(*conn));
	int on = 1;

	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	conn->magic = MAGIC;
	setsockopt(conn->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(conn->fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(conn->fd, 128)) {
		perror("listen");
		exit(1);
	}
	return conn;
}

static void watch(struct conn *conn, int op, unsigned events)
{
	struct epoll_event event = { .events = events, .data.ptr = conn };

	if (epoll_ctl(epfd, op, conn->fd, &event)) {
		perror("epoll_ctl");
		exit(1);
	}
}

static void send_all(int fd, const char *buf, ssize_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, buf, (size_t)len);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = { .fd = fd, .events = POLLOUT };
			poll(&pfd, 1, -1);
		} else if (n < 0) {
			return;
		} else {
			buf += n;
			len -= n;
		}
	}
}

static void serve(struct conn *conn)
{
	char buf[65536];
	ssize_t n;

	do {
		n = read(conn->fd, buf, chunk < sizeof(buf) ? chunk : sizeof(buf));
		if (n > 0) {
			send_all(conn->fd, buf, n);
		}
	} while (n > 0 && (flags & EPOLLET));
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		close(conn->fd);
		conn->magic = 0;
		free(conn);
	} else if (flags & EPOLLONESHOT) {
		watch(conn, EPOLL_CTL_MOD, EPOLLIN | flags);
	}
}

static void *loop(void *arg)
{
	struct conn *listener = arg;

	for (;;) {
		struct epoll_event events[16];
		int n;
		if (outer >= 0) {
			struct pollfd pfd = { .fd = outer, .events = POLLIN };
			poll(&pfd, 1, -1);
			n = epoll_wait(outer, events, 1, -1);
			if (n != 1 || events[0].data.fd != epfd) {
				abort();
			}
		}
		n = epoll_wait(epfd, events, 16, outer >= 0 ? 0 : -1);
		for (int i = 0; i < n; i++) {
			struct conn *conn = events[i].data.ptr;
			int fd;
			if (conn->magic != MAGIC) {
				abort();
			}
			if (conn != listener) {
				serve(conn);
				continue;
			}
			while ((fd = accept4(listener->fd, NULL, NULL, accept_flags)) >= 0) {
				conn = malloc(sizeof(*conn));
				*conn = (struct conn){ fd, MAGIC };
				watch(conn, EPOLL_CTL_ADD, EPOLLIN | flags);
			}
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 4 ? argv[4] : "level";
	struct conn *listener = listen_on(atoi(argv[1]));
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN);
	accept_flags = argc > 2 && strcmp(argv[2], "nonblock") == 0 ? SOCK_NONBLOCK : 0;
	chunk = argc > 3 ? strtoul(argv[3], NULL, 10) : chunk;
	flags = strcmp(mode, "edge") == 0                                      ? EPOLLET
		: strcmp(mode, "oneshot") == 0 || strcmp(mode, "threads") == 0 ? EPOLLONESHOT
									       : 0;
	epfd = epoll_create1(EPOLL_CLOEXEC);
	watch(listener, EPOLL_CTL_ADD, EPOLLIN);
	if (strcmp(mode, "nested") == 0) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = epfd };
		outer = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(outer, EPOLL_CTL_ADD, epfd, &event);
	}
	for (int i = 0; i < 3 && strcmp(mode, "threads") == 0; i++) {
		pthread_create(&thread, NULL, loop, listener);
	}
	loop(listener);
}
