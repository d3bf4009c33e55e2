/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain TCP echo server in five styles: echo_server poll|select|epoll|threads|blocking PORT
 *
 * The first three are single-threaded and non-blocking; epoll is edge-triggered and reads until EAGAIN.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FDS    8192
#define BUFFER_LEN 65536

struct connection {
	char *waiting; /* read and not yet written */
	size_t at, len;
	bool open, ended;
};

static struct connection connections[MAX_FDS];
static int listener, epoll_fd = -1, highest;

static void drop(int fd)
{
	free(connections[fd].waiting);
	memset(&connections[fd], 0, sizeof(connections[fd]));
	close(fd);
}

/* Echoes until it would block. */
static void serve(int fd)
{
	struct connection *c = &connections[fd];

	for (;;) {
		ssize_t n;

		while (c->at < c->len) {
			n = write(fd, c->waiting + c->at, c->len - c->at);
			if (n < 0) {
				if (errno != EAGAIN && errno != EINTR) {
					drop(fd);
				}
				return;
			}
			c->at += (size_t)n;
		}
		if (c->ended) {
			drop(fd);
			return;
		}
		n = read(fd, c->waiting, BUFFER_LEN);
		if (n < 0) {
			if (errno != EAGAIN && errno != EINTR) {
				drop(fd);
			}
			return;
		}
		c->ended = n == 0;
		c->at = 0;
		c->len = (size_t)n;
	}
}

static void take_all(void)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP,
					    .data.fd = fd};

		if (fd >= MAX_FDS) {
			close(fd);
			continue;
		}
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		connections[fd] = (struct connection){.waiting = malloc(BUFFER_LEN), .open = true};
		highest = fd > highest ? fd : highest;
		if (epoll_fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
			err(1, "epoll_ctl");
		}
	}
	if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED && errno != EMFILE) {
		err(1, "accept");
	}
}

static void by_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[64];

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) != 0) {
		err(1, "epoll");
	}
	for (;;) {
		int n = epoll_wait(epoll_fd, events, 64, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener) {
				take_all();
			} else if (connections[events[i].data.fd].open) {
				serve(events[i].data.fd);
			}
		}
	}
}

static void by_poll(void)
{
	static struct pollfd fds[MAX_FDS];

	for (;;) {
		nfds_t n = 0;

		fds[n++] = (struct pollfd){.fd = listener, .events = POLLIN};
		for (int fd = 0; fd <= highest; fd++) {
			if (connections[fd].open) {
				bool writes = connections[fd].at < connections[fd].len;

				fds[n++] = (struct pollfd){.fd = fd, .events = writes ? POLLOUT : POLLIN};
			}
		}
		if (poll(fds, n, -1) < 0 && errno != EINTR) {
			err(1, "poll");
		}
		for (nfds_t i = 1; i < n; i++) {
			if (fds[i].revents) {
				serve(fds[i].fd);
			}
		}
		if (fds[0].revents) {
			take_all();
		}
	}
}

static void by_select(void)
{
	for (;;) {
		fd_set in, out;

		FD_ZERO(&in);
		FD_ZERO(&out);
		FD_SET(listener, &in);
		for (int fd = 0; fd <= highest && fd < FD_SETSIZE; fd++) {
			if (connections[fd].open) {
				FD_SET(fd, connections[fd].at < connections[fd].len ? &out : &in);
			}
		}
		if (select((highest > listener ? highest : listener) + 1, &in, &out, NULL, NULL) < 0 &&
		    errno != EINTR) {
			err(1, "select");
		}
		for (int fd = 0; fd <= highest && fd < FD_SETSIZE; fd++) {
			if (connections[fd].open && (FD_ISSET(fd, &in) || FD_ISSET(fd, &out))) {
				serve(fd);
			}
		}
		if (FD_ISSET(listener, &in)) {
			take_all();
		}
	}
}

static void *echo_blocking(void *arg)
{
	int fd = (int)(long)arg;
	char data[BUFFER_LEN];
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0) {
		for (ssize_t at = 0, w; at < n; at += w) {
			w = write(fd, data + at, (size_t)(n - at));
			if (w < 0) {
				close(fd);
				return NULL;
			}
		}
	}
	close(fd);
	return NULL;
}

static void by_blocking(bool threads)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		pthread_t thread;

		if (fd < 0) {
			err(1, "accept");
		}
		if (!threads) {
			echo_blocking((void *)(long)fd);
		} else if (pthread_create(&thread, NULL, echo_blocking, (void *)(long)fd) == 0) {
			pthread_detach(thread);
		} else {
			close(fd);
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct rlimit limit;
	int one = 1;

	if (argc != 3) {
		errx(2, "usage: echo_server poll|select|epoll|threads|blocking PORT");
	}
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max < MAX_FDS ? limit.rlim_max : MAX_FDS;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	listener = socket(AF_INET, SOCK_STREAM, 0);
	here.sin_port = htons((uint16_t)atoi(argv[2]));
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) != 0 || listen(listener, 1024) != 0) {
		err(1, "port %s", argv[2]);
	}
	if (strcmp(argv[1], "threads") == 0 || strcmp(argv[1], "blocking") == 0) {
		by_blocking(argv[1][0] == 't');
	}
	(void)fcntl(listener, F_SETFL, O_NONBLOCK);
	if (strcmp(argv[1], "epoll") == 0) {
		by_epoll();
	} else if (strcmp(argv[1], "poll") == 0) {
		by_poll();
	} else if (strcmp(argv[1], "select") == 0) {
		by_select();
	}
	return 2;
}
