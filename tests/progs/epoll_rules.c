/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What epoll, poll and select say about one connection in each of its states, and how epoll_ctl()
 * refuses: epoll_rules PORT, an echo server. The output must not depend on whether there is TLS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHOW(call) show(#call, call)

static int show(const char *text, int result)
{
	int err = errno;

	printf("%s = %d%s%s\n", text, result, result < 0 ? " " : "", result < 0 ? strerror(err) : "");
	return result;
}

static struct epoll_event *event(unsigned events)
{
	static struct epoll_event event;

	event.events = events;
	event.data.u64 = 42;
	return &event;
}

static void print_bits(const char *what, int bits)
{
	printf("%s:%s%s%s%s%s\n", what, bits & POLLIN ? " in" : "", bits & POLLOUT ? " out" : "",
	       bits & POLLERR ? " err" : "", bits & POLLHUP ? " hup" : "",
	       bits & POLLRDHUP ? " rdhup" : "");
}

static void show_state(const char *state, int epfd, int fd)
{
	struct pollfd pfds[] = { { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP },
				 { .fd = -1, .events = POLLIN } };
	struct epoll_event seen[3] = { 0 };
	struct timeval tv = { 0, 0 };
	fd_set in, out, except;
	int n;

	usleep(200000); /* let news arrive: both ways must see the same */
	printf("-- %s\n", state);
	SHOW(poll(pfds, 2, 0));
	print_bits("poll", pfds[0].revents);
	SHOW(n = epoll_wait(epfd, seen, 3, 0));
	print_bits("epoll", (int)seen[0].events);
	if (n == 1 && seen[0].data.u64 != 42) {
		abort();
	}
	FD_ZERO(&in);
	FD_SET(fd, &in);
	out = except = in;
	SHOW(select(fd + 1, &in, &out, &except, &tv));
	printf("select:%s%s%s\n", FD_ISSET(fd, &in) ? " in" : "", FD_ISSET(fd, &out) ? " out" : "",
	       FD_ISSET(fd, &except) ? " except" : "");
}

static void refusals(int epfd, int fd)
{
	int file = open("/etc/passwd", O_RDONLY);
	volatile int negative = -1;

	SHOW(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, event(EPOLLIN)));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_MOD, fd, event(EPOLLIN)));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, NULL));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_ADD, 999, event(EPOLLIN)));
	SHOW(epoll_ctl(-1, EPOLL_CTL_ADD, fd, event(EPOLLIN)));
	SHOW(epoll_ctl(fd, EPOLL_CTL_ADD, fd, event(EPOLLIN)));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_ADD, file, event(EPOLLIN)));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_ADD, epfd, event(EPOLLIN)));
	SHOW(epoll_ctl(epfd, 99, fd, event(EPOLLIN)));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, event(EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT)));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, event(EPOLLIN | EPOLLEXCLUSIVE)));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_MOD, fd, event(EPOLLIN)));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, event(EPOLLIN | EPOLLOUT | EPOLLRDHUP)));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, event(EPOLLIN)));
	SHOW(epoll_ctl(epfd, EPOLL_CTL_MOD, fd, event(EPOLLIN | EPOLLEXCLUSIVE)));
	SHOW(epoll_wait(epfd, event(0), 0, 0));
	SHOW(epoll_wait(epfd, event(0), negative, 0));
	SHOW(epoll_wait(fd, event(0), 1, 0));
	close(file);
}

/* One report per arrival, per arming. */
static void modes(int fd)
{
	int edge = epoll_create1(0), once = epoll_create1(0), nested = epoll_create1(0);
	struct epoll_event seen;

	epoll_ctl(edge, EPOLL_CTL_ADD, fd, event(EPOLLIN | EPOLLET));
	epoll_ctl(once, EPOLL_CTL_ADD, fd, event(EPOLLIN | EPOLLONESHOT));
	epoll_ctl(nested, EPOLL_CTL_ADD, edge, event(EPOLLIN));
	usleep(200000);
	SHOW(epoll_wait(nested, &seen, 1, 0));
	SHOW(epoll_wait(edge, &seen, 1, 0));
	SHOW(epoll_wait(edge, &seen, 1, 0));
	SHOW(epoll_wait(nested, &seen, 1, 0));
	SHOW(epoll_wait(once, &seen, 1, 0));
	SHOW(epoll_wait(once, &seen, 1, 0));
	SHOW(epoll_ctl(edge, EPOLL_CTL_MOD, fd, event(EPOLLIN | EPOLLET)));
	SHOW(epoll_ctl(once, EPOLL_CTL_MOD, fd, event(EPOLLIN | EPOLLONESHOT)));
	SHOW(epoll_wait(edge, &seen, 1, 0));
	SHOW(epoll_wait(once, &seen, 1, 0));
	SHOW(epoll_wait(once, &seen, 1, 0));
	SHOW((int)write(fd, "more", 4));
	SHOW(epoll_wait(edge, &seen, 1, 5000));
	SHOW(epoll_wait(nested, &seen, 1, 0));
	close(edge);
	close(once);
	close(nested);
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((unsigned short)atoi(argv[argc - 1])),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0), epfd = epoll_create1(0);
	char buf[100];

	SHOW(epoll_create(0));
	epoll_ctl(epfd, EPOLL_CTL_ADD, fd, event(EPOLLIN | EPOLLOUT | EPOLLRDHUP));
	show_state("not connected", epfd, fd);
	SHOW(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		perror("connect");
		return 1;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	usleep(200000);
	while (read(fd, buf, sizeof(buf)) > 0) {
	}
	refusals(epfd, fd);
	show_state("connected", epfd, fd);
	SHOW((int)write(fd, "hello", 5));
	show_state("data has come", epfd, fd);
	SHOW((int)read(fd, buf, 2));
	show_state("some of it was read", epfd, fd);
	modes(fd);
	usleep(200000);
	SHOW((int)read(fd, buf, sizeof(buf)));
	show_state("all was read", epfd, fd);
	SHOW(shutdown(fd, SHUT_WR));
	show_state("both have closed", epfd, fd);
	SHOW((int)read(fd, buf, sizeof(buf)));
	show_state("the end was read", epfd, fd);
	SHOW(close(fd));
	SHOW(epoll_wait(epfd, event(0), 1, 0));
	return 0;
}
