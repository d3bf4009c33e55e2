/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain TCP program that reads and writes one connection in two threads: duplex connect|listen PORT <in >out
 *
 * One thread sends standard input and then shuts its direction down, the other writes what comes to standard output.
 */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fd;

static void copy(int from, int to, const char *what)
{
	static __thread char data[100000];
	size_t turn = 0;

	for (;;) {
		/* Sizes of all kinds: below, at and above a record's. */
		size_t max = 1 + (turn++ * 7919) % sizeof(data);
		ssize_t n = read(from, data, max);

		if (n == 0) {
			return;
		}
		if (n < 0) {
			err(1, "%s: read", what);
		}
		for (ssize_t at = 0, w; at < n; at += w) {
			w = write(to, data + at, (size_t)(n - at));
			if (w < 0) {
				err(1, "%s: write", what);
			}
		}
	}
}

static void *send_all(void *arg)
{
	copy(0, fd, "sending");
	if (shutdown(fd, SHUT_WR) != 0) {
		err(1, "shutdown");
	}
	return arg;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	pthread_t sender;
	int one = 1;

	if (argc != 3) {
		errx(2, "usage: duplex connect|listen PORT");
	}
	addr.sin_port = htons((uint16_t)atoi(argv[2]));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (strcmp(argv[1], "listen") == 0) {
		int listener = fd;

		(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(listener, 1) != 0) {
			err(1, "port %s", argv[2]);
		}
		fd = accept(listener, NULL, NULL);
		if (fd < 0) {
			err(1, "accept");
		}
		close(listener);
	} else if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		err(1, "connect");
	}
	if (pthread_create(&sender, NULL, send_all, NULL) != 0) {
		errx(1, "pthread_create");
	}
	copy(fd, 1, "receiving");
	pthread_join(sender, NULL);
	close(fd);
	return 0;
}
