/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that waits for nothing but the end of its client's data: wait_end PORT MODE…, one connection for each MODE
 * (poll, ppoll, epoll, edge, once, nested, and poll_in, epoll_in that wait for data too). Says what came of the wait, of
 * a second one, and of read(). Waits 600 ms at most, says "busy" if that cost much processor time, and reads then.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TIME_MS 600

static const char *name_of(int n, unsigned events)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s%s%s%s%s", n < 0 ? "error" : n == 0 ? "nothing" : "",
		 n > 0 && (events & POLLIN) ? " in" : "", n > 0 && (events & POLLRDHUP) ? " rdhup" : "",
		 n > 0 && (events & POLLHUP) ? " hup" : "", n > 0 && (events & POLLERR) ? " err" : "");
	return name;
}

static void wait_poll(int fd, const char *mode)
{
	struct pollfd pfd = {.fd = fd, .events = (short)(POLLRDHUP | (strstr(mode, "_in") ? POLLIN : 0))};
	const struct timespec time = {0, TIME_MS * 1000000};
	int n = mode[1] == 'p' ? ppoll(&pfd, 1, &time, NULL) : poll(&pfd, 1, TIME_MS);

	printf(" %s,", name_of(n, (unsigned)pfd.revents));
}

static int make_set(int fd, const char *mode)
{
	uint32_t events = EPOLLRDHUP | (strstr(mode, "_in") ? (uint32_t)EPOLLIN : 0);
	struct epoll_event event = {.data.fd = fd}, inner = {.events = EPOLLIN};
	int set = epoll_create1(0), outer;

	events |= strcmp(mode, "edge") == 0 ? (uint32_t)EPOLLET : strcmp(mode, "once") == 0 ? (uint32_t)EPOLLONESHOT : 0;
	event.events = events;
	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0) {
		err(1, "epoll_ctl");
	}
	if (strcmp(mode, "nested") != 0) {
		return set;
	}
	outer = epoll_create1(0);
	inner.data.fd = set;
	if (epoll_ctl(outer, EPOLL_CTL_ADD, set, &inner) != 0) {
		err(1, "epoll_ctl");
	}
	return outer;
}

static void wait_set(int set, int fd)
{
	struct epoll_event event = {.events = 0};
	int n = epoll_wait(set, &event, 1, TIME_MS);

	if (n == 1 && event.data.fd != fd) {
		n = epoll_wait(event.data.fd, &event, 1, 0);
	}
	printf(" %s,", name_of(n, event.events));
}

static void serve(int fd, const char *mode)
{
	const bool polls = strstr(mode, "poll") && mode[0] == 'p';
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	clock_t before;
	char data[64];
	ssize_t n;
	int set;

	(void)poll(&pfd, 1, 5000); /* the handshake */
	set = polls ? -1 : make_set(fd, mode);
	printf("%s:", mode);
	before = clock();
	for (int i = 0; i < 2; i++) {
		if (polls) {
			wait_poll(fd, mode);
		} else {
			wait_set(set, fd);
		}
	}
	if (clock() - before > CLOCKS_PER_SEC / 5) {
		printf(" busy,");
	}
	n = read(fd, data, sizeof(data));
	printf(" read %s%.0zd\n", n < 0 ? strerrorname_np(errno) : "", n < 0 ? 0 : n);
	fflush(stdout);
	if (n > 0) {
		printf("then:");
		if (polls) {
			wait_poll(fd, mode);
		} else {
			wait_set(set, fd);
		}
		printf("\n");
	}
	fflush(stdout);
	if (!polls) {
		close(set);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (argc < 3) {
		errx(2, "usage: wait_end PORT MODE...");
	}
	here.sin_port = htons((uint16_t)atoi(argv[1]));
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) != 0 || listen(listener, 10) != 0) {
		err(1, "listen");
	}
	for (int i = 2; i < argc; i++) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
			err(1, "accept");
		}
		serve(fd, argv[i]);
	}
	return 0;
}
