/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * by_number PORT TEXT: a client that makes all its socket calls by syscall(2), says TEXT, prints the
 * answer, and leaves by exit_group. Numbers that concern no socket must work too.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		syscall(SYS_exit_group, 1);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct pollfd pfd = { .events = POLLIN };
	char buf[256], random[16];
	struct iovec iov[2];
	int error = -1;
	socklen_t len = sizeof(error);
	long fd, n;

	if (argc != 3) {
		return 2;
	}
	must(syscall(SYS_gettid) > 0, "gettid");
	must(syscall(SYS_getrandom, random, sizeof(random), 0) == sizeof(random), "getrandom");
	addr.sin_port = htons((uint16_t)atoi(argv[1]));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
	must(fd >= 0, "socket");
	must(syscall(SYS_connect, fd, &addr, sizeof(addr)) == 0, "connect");
	must(syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0, "getsockopt");
	must(syscall(SYS_write, fd, argv[2], strlen(argv[2])) == (long)strlen(argv[2]), "write");
	iov[0] = (struct iovec){ " by", 3 };
	iov[1] = (struct iovec){ " number\n", 8 };
	must(syscall(SYS_writev, fd, iov, 2) == 11, "writev");
	pfd.fd = (int)fd;
	must(syscall(SYS_ppoll, &pfd, 1, NULL, NULL, 8) == 1, "ppoll");
	n = syscall(SYS_recvfrom, fd, buf, sizeof(buf), MSG_PEEK, NULL, NULL);
	must(n > 0, "recvfrom");
	do {
		n = syscall(SYS_read, fd, buf, sizeof(buf));
		must(n > 0, "read");
		printf("%.*s", (int)n, buf);
	} while (buf[n - 1] != '\n');
	fflush(stdout);
	syscall(SYS_exit_group, 0);
	return 1;
}
