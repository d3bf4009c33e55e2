/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A non-blocking connect() to 127.0.0.1, step by step: poll_connect
 * poll|select|epoll|edge|early|late PORT. "early" is in the epoll set before connect(); "late" asks
 * connect() itself until it is done, and only then epoll. What it prints must not depend on whether
 * there is TLS. Exit status 3: refused.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int fd, epfd = -1;
static const char *api;

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Of processor time, and how often this process has slept: a busy machine counts for neither. */
static long used_ms(long *naps)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	*naps = usage.ru_nvcsw;
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static void epoll_op(int op, unsigned events)
{
	struct epoll_event event = { .events = events, .data.u64 = 0xfeedfacecafebeef };

	if (epoll_ctl(epfd, op, fd, &event)) {
		perror("epoll_ctl");
		exit(1);
	}
}

/* Wait for events (of poll); prints which came. -1 for no time limit. */
static int wait_for(short events, int timeout_ms)
{
	int got = 0, n;

	if (strcmp(api, "poll") == 0) {
		struct pollfd pfd = { .fd = fd, .events = events };
		n = poll(&pfd, 1, timeout_ms);
		got = pfd.revents;
	} else if (strcmp(api, "select") == 0) {
		struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
		fd_set in, out;
		FD_ZERO(&in);
		FD_ZERO(&out);
		if (events & POLLIN) {
			FD_SET(fd, &in);
		}
		if (events & POLLOUT) {
			FD_SET(fd, &out);
		}
		n = select(fd + 1, &in, &out, NULL, timeout_ms < 0 ? NULL : &tv);
		got = (FD_ISSET(fd, &in) ? POLLIN : 0) | (FD_ISSET(fd, &out) ? POLLOUT : 0);
		n = n > 0;
	} else {
		struct epoll_event event = { 0 };
		if (events != POLLOUT || (strcmp(api, "early") != 0 && strcmp(api, "late") != 0)) {
			epoll_op(EPOLL_CTL_MOD,
				 (unsigned short)events | (strcmp(api, "edge") == 0 ? EPOLLET : 0));
		}
		n = epoll_wait(epfd, &event, 1, timeout_ms);
		got = (int)event.events;
		if (n == 1 && event.data.u64 != 0xfeedfacecafebeef) {
			abort();
		}
	}
	printf("wait %d%s%s%s%s\n", n, got & POLLIN ? " in" : "", got & POLLOUT ? " out" : "",
	       got & POLLERR ? " err" : "", got & POLLHUP ? " hup" : "");
	return n;
}

static int so_error(void)
{
	int err = -1;
	socklen_t len = sizeof(err);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	printf("SO_ERROR %s\n", err ? strerror(err) : "none");
	return err;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((unsigned short)atoi(argv[argc - 1])),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	char buf[100];
	long start, used, naps, naps_before;
	ssize_t n;
	int flags, rc, error;

	api = argv[1];
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	flags = fcntl(fd, F_GETFL);
	epfd = epoll_create1(0);
	if (strcmp(api, "early") == 0) {
		epoll_op(EPOLL_CTL_ADD, EPOLLOUT | EPOLLET);
	}
	start = now_ms();
	used = used_ms(&naps_before);
	rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	error = errno;
	used = used_ms(&naps) - used;
	printf("connect %s\n", rc ? strerror(error) : "at once");
	if (used > 10 || (naps != naps_before && now_ms() - start > 10)) {
		printf("connect took %ld ms, %ld of them work\n", now_ms() - start, used);
	}
	if (epfd >= 0 && strcmp(api, "early") != 0) {
		epoll_op(EPOLL_CTL_ADD, strcmp(api, "late") == 0 ? EPOLLOUT : 0);
	}
	if (strcmp(api, "late") == 0) {
		do {
			usleep(20000);
			rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
		} while (rc && errno == EALREADY);
	}
	if (fcntl(fd, F_GETFL) != flags) {
		printf("the flags changed\n");
	}
	if (wait_for(POLLOUT, 10000) != 1) {
		return 1;
	}
	if (so_error() != 0) {
		so_error();
		if (read(fd, buf, sizeof(buf)) > 0) {
			printf("read something\n");
		}
		return 3;
	}
	rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	printf("connect %s\n", rc ? strerror(errno) : "again");
	if (fcntl(fd, F_GETFL) != flags) {
		printf("the flags changed\n");
	}
	printf("write %zd\n", write(fd, "hello\n", 6));
	wait_for(POLLIN, 10000);
	n = read(fd, buf, sizeof(buf));
	printf("read %zd\n", n);
	return 0;
}
