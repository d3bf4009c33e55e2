/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client with a blocking socket whose server sends something that is no data yet: poll_quiet
 * poll|ppoll|select|pselect|epoll|edge PORT. Waits 300 ms, which must pass in full, then until
 * there is data; reads once and sends it back.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

static int fd, epfd;
static const char *api;

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_ms(int timeout_ms)
{
	const struct timespec ts = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000L };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	volatile nfds_t n_fds = 1; /* unknown to the compiler, or it would not call what -D_FORTIFY_SOURCE has for it */
	struct epoll_event event;
	fd_set in, except;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	except = in;
	if (strcmp(api, "poll") == 0) {
		return poll(&pfd, 1, timeout_ms);
	}
	if (strcmp(api, "ppoll") == 0) {
		return ppoll(&pfd, n_fds, &ts, NULL);
	}
	if (strcmp(api, "select") == 0) {
		int n = select(fd + 1, &in, NULL, &except, &tv);
		if (n == 0 && (tv.tv_sec || tv.tv_usec)) {
			printf("select left %ld s %ld us\n", (long)tv.tv_sec, (long)tv.tv_usec);
		}
		return n;
	}
	if (strcmp(api, "pselect") == 0) {
		return pselect(fd + 1, &in, NULL, NULL, &ts, NULL);
	}
	return epoll_wait(epfd, &event, 1, timeout_ms);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((unsigned short)atoi(argv[argc - 1])),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct epoll_event event = { .events = EPOLLIN };
	struct tms cpu;
	char buf[100];
	long start, took;
	ssize_t n;

	api = argv[1];
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		perror("connect");
		return 1;
	}
	event.events |= strcmp(api, "edge") == 0 ? EPOLLET : 0;
	epfd = epoll_create1(0);
	epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);

	start = now_ms();
	n = wait_ms(300);
	took = now_ms() - start;
	printf("first wait %zd, %s\n", n,
	       took < 299   ? "too short"
	       : took > 800 ? "too long"
			    : "300 ms");
	n = wait_ms(10000);
	printf("second wait %zd\n", n);
	n = read(fd, buf, sizeof(buf));
	printf("read %zd\n", n);
	n = write(fd, buf, (size_t)n);
	times(&cpu);
	if (cpu.tms_utime + cpu.tms_stime > sysconf(_SC_CLK_TCK) / 4) {
		printf("used too much CPU time\n");
	}
	shutdown(fd, SHUT_WR);
	n = read(fd, buf, sizeof(buf));
	return 0;
}
