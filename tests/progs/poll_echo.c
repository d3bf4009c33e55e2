/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An echo server around poll(): poll_echo PORT block|nonblock [BYTES-PER-READ]. It reads once per
 * report, so on blocking sockets a report without data would stop it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX 512

static int listen_on(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons((unsigned short)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 128)) {
		perror("listen");
		exit(1);
	}
	return fd;
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

int main(int argc, char **argv)
{
	int nonblock = argc > 2 && strcmp(argv[2], "nonblock") == 0;
	size_t chunk = argc > 3 ? strtoul(argv[3], NULL, 10) : 4096;
	static struct pollfd pfds[MAX];
	static char buf[65536];
	int n_fds = 1;

	signal(SIGPIPE, SIG_IGN);
	pfds[0].fd = listen_on(atoi(argv[1]));
	pfds[0].events = POLLIN;
	for (;;) {
		if (poll(pfds, (nfds_t)n_fds, -1) < 0) {
			perror("poll");
			return 1;
		}
		for (int i = n_fds - 1; i > 0; i--) {
			if (pfds[i].revents) {
				ssize_t n = read(pfds[i].fd, buf,
						 chunk < sizeof(buf) ? chunk : sizeof(buf));
				if (n > 0) {
					send_all(pfds[i].fd, buf, n);
				} else if (n == 0 || errno != EAGAIN) {
					close(pfds[i].fd);
					pfds[i] = pfds[--n_fds];
				}
			}
		}
		if (pfds[0].revents && n_fds < MAX) {
			int fd = accept4(pfds[0].fd, NULL, NULL, nonblock ? SOCK_NONBLOCK : 0);
			if (fd >= 0) {
				pfds[n_fds++] = (struct pollfd){ .fd = fd, .events = POLLIN };
			}
		}
	}
}
