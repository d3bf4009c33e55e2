/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An echo server around select(): select_echo PORT block|nonblock [BYTES-PER-READ]. It reads once
 * per report, so on blocking sockets a report without data would stop it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

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
			fd_set out;
			FD_ZERO(&out);
			FD_SET(fd, &out);
			select(fd + 1, NULL, &out, NULL, NULL);
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
	int listener = listen_on(atoi(argv[1])), max = listener;
	static char buf[65536];
	fd_set all;

	signal(SIGPIPE, SIG_IGN);
	FD_ZERO(&all);
	FD_SET(listener, &all);
	for (;;) {
		fd_set in = all, except = all;
		if (select(max + 1, &in, NULL, &except, NULL) < 0) {
			perror("select");
			return 1;
		}
		for (int fd = 0; fd <= max; fd++) {
			if (!FD_ISSET(fd, &in)) {
				continue;
			}
			if (fd == listener) {
				int new = accept4(listener, NULL, NULL, nonblock ? SOCK_NONBLOCK : 0);
				if (new >= 0) {
					FD_SET(new, &all);
					max = new > max ? new : max;
				}
				continue;
			}
			ssize_t n = read(fd, buf, chunk < sizeof(buf) ? chunk : sizeof(buf));
			if (n > 0) {
				send_all(fd, buf, n);
			} else if (n == 0 || errno != EAGAIN) {
				close(fd);
				FD_CLR(fd, &all);
			}
		}
	}
}
