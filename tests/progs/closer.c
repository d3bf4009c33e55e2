/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that closes before its data have arrived:
 *
 *   closer server PORT COUNT [OPTION…]   reads a message from each of COUNT clients, then writes to each until the
 *                                        kernel takes no more, and closes it
 *   closer client PORT BYTES [OPTION…]   writes so many and closes, never having read
 *
 * Options: linger=N (SO_LINGER), exit (_exit() instead of close()), nonblock (the client's socket; a server's always
 * are), noproc (RLIMIT_NPROC 0), again (the server binds its port anew, without
 * SO_REUSEADDR, when all are closed). Says how many bytes were taken, and how many ms close() took.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct {
	int linger_s; /* -1: not set */
	bool exits, nonblock, again;
} options = {.linger_s = -1};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void parse(char **option)
{
	for (; *option; option++) {
		if (strncmp(*option, "linger=", 7) == 0) {
			options.linger_s = atoi(*option + 7);
		} else if (strcmp(*option, "exit") == 0) {
			options.exits = true;
		} else if (strcmp(*option, "nonblock") == 0) {
			options.nonblock = true;
		} else if (strcmp(*option, "again") == 0) {
			options.again = true;
		} else if (strcmp(*option, "noproc") == 0) {
			const struct rlimit none = {0, 0};
			/* root is above the limit */
			if (setrlimit(RLIMIT_NPROC, &none) != 0 || (getuid() == 0 && setuid(65534) != 0)) {
				err(1, "noproc");
			}
		} else {
			errx(2, "what is %s?", *option);
		}
	}
}

static void set_nonblock(int fd)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
		err(1, "fcntl");
	}
}

static void end(int fd, long taken)
{
	struct linger linger = {1, options.linger_s};
	double before;
	int rc;

	if (options.linger_s >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) != 0) {
		err(1, "SO_LINGER");
	}
	if (options.exits) {
		printf("%ld bytes, exit\n", taken);
		fflush(stdout);
		_exit(0);
	}
	before = now_ms();
	rc = close(fd);
	printf("%ld bytes, close: %d in %.0f ms\n", taken, rc, now_ms() - before);
	fflush(stdout);
}

/* Until the kernel takes no more, or max bytes have gone. */
static long fill(int fd, long max)
{
	static char data[65536];
	long total = 0;
	ssize_t n;

	memset(data, 'f', sizeof(data));
	while (total < max) {
		n = write(fd, data, max - total < (long)sizeof(data) ? (size_t)(max - total) : sizeof(data));
		if (n < 0 && errno == EAGAIN && options.nonblock && max != LONG_MAX) {
			struct pollfd pfd = {.fd = fd, .events = POLLOUT};
			(void)poll(&pfd, 1, -1);
			continue;
		}
		if (n < 0) {
			break;
		}
		total += n;
	}
	return total;
}

static void run_client(int port, long bytes)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		err(1, "connect");
	}
	if (options.nonblock) {
		set_nonblock(fd);
	}
	end(fd, fill(fd, bytes));
}

static int open_listener(int port, bool reuse)
{
	struct sockaddr_in here = {.sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = reuse;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){100000}, sizeof(int)); /* inherited */
	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) != 0) {
		printf("bind: %s\n", strerrorname_np(errno));
		fflush(stdout);
		close(fd);
		return -1;
	}
	if (listen(fd, 1000) != 0) {
		err(1, "listen");
	}
	return fd;
}

static void run_server(int port, int count)
{
	int listener = open_listener(port, true), n = 0;
	int *fds = calloc((size_t)count, sizeof(*fds));
	char message[64];

	if (listener < 0 || !fds) {
		exit(1);
	}
	while (n < count) {
		fds[n] = accept(listener, NULL, NULL);
		if (fds[n] < 0) {
			err(1, "accept");
		}
		set_nonblock(fds[n++]);
	}
	for (int i = 0; i < count; i++) {
		struct pollfd pfd = {.fd = fds[i], .events = POLLIN};
		while (read(fds[i], message, sizeof(message)) < 0 && errno == EAGAIN) {
			(void)poll(&pfd, 1, -1);
		}
		end(fds[i], fill(fds[i], LONG_MAX));
	}
	if (options.again) {
		close(listener);
		printf("bind without SO_REUSEADDR: %s\n", open_listener(port, false) >= 0 ? "ok" : "no");
		printf("bind with it: %s\n", open_listener(port, true) >= 0 ? "ok" : "no");
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		errx(2, "usage: closer server|client PORT COUNT|BYTES [OPTION...]");
	}
	signal(SIGPIPE, SIG_IGN);
	parse(argv + 4);
	if (strcmp(argv[1], "server") == 0) {
		run_server(atoi(argv[2]), atoi(argv[3]));
	} else {
		run_client(atoi(argv[2]), atol(argv[3]));
	}
	return 0;
}
