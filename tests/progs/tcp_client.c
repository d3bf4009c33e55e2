/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain TCP client that says what each call gave: tcp_client [-n] [-t SECONDS] HOST PORT [STEP…] (see steps.h)
 *
 * -n: non-blocking connect(), poll() for POLLOUT, SO_ERROR, then blocking again. -t: SO_SNDTIMEO and SO_RCVTIMEO.
 */
#include <err.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>

#include "steps.h"

static int connect_and_wait(int fd, const struct addrinfo *to)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof(error);
	int flags = fcntl(fd, F_GETFL);

	(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	if (connect(fd, to->ai_addr, to->ai_addrlen) != 0) {
		if (errno != EINPROGRESS) {
			return -1;
		}
		if (poll(&writable, 1, 20000) != 1) {
			err(1, "poll");
		}
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
			err(1, "SO_ERROR");
		}
	}
	(void)fcntl(fd, F_SETFL, flags);
	errno = error;
	return error ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *to;
	struct timeval timeout = {0};
	bool nonblocking = false;
	int option, fd, result;

	while ((option = getopt(argc, argv, "+nt:")) != -1) {
		if (option == 'n') {
			nonblocking = true;
		} else if (option == 't') {
			timeout.tv_sec = atoi(optarg);
		} else {
			return 2;
		}
	}
	if (argc - optind < 2) {
		errx(2, "usage: tcp_client [-n] [-t SECONDS] HOST PORT [STEP...]");
	}
	signal(SIGPIPE, SIG_IGN);
	result = getaddrinfo(argv[optind], argv[optind + 1], &hints, &to);
	if (result != 0) {
		errx(1, "%s: %s", argv[optind], gai_strerror(result));
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0) {
		err(1, "socket");
	}
	if (timeout.tv_sec) {
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	}
	result = nonblocking ? connect_and_wait(fd, to) : connect(fd, to->ai_addr, to->ai_addrlen);
	steps_say("connect", result);
	freeaddrinfo(to);
	if (argv[optind + 2] && (result == 0 || strcmp(argv[optind + 2], "anyway") == 0)) {
		steps_run(fd, argv + optind + (strcmp(argv[optind + 2], "anyway") == 0 ? 3 : 2));
	}
	close(fd);
	return result == 0 ? 0 : 1;
}
