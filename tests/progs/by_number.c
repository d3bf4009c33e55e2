/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * by_number PORT TEXT: a client that makes all its socket calls by syscall(2), says TEXT, prints the
 * answer, and leaves by exit_group. Numbers that concern no socket must work too. by_number -l PORT: a server for one
 * client, which gets back what it says until it ends.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
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

static long epoll_for(long fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 42 };
	long epfd = syscall(SYS_epoll_create1, EPOLL_CLOEXEC);

	must(epfd >= 0, "epoll_create1");
	must(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
	return epfd;
}

static void await(long epfd)
{
	struct epoll_event event = { 0 };

	must(syscall(SYS_epoll_pwait, epfd, &event, 1, 20000, NULL, 8) == 1 && event.data.u64 == 42, "epoll_pwait");
}

static int serve(const char *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	long listener = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0), fd, epfd;
	struct mmsghdr messages[2];
	char buf[2][100];
	struct iovec iov[2];
	long n;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(syscall(SYS_setsockopt, listener, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) == 0, "setsockopt");
	must(syscall(SYS_bind, listener, &addr, sizeof(addr)) == 0, "bind");
	must(syscall(SYS_listen, listener, 5) == 0, "listen");
	await(epoll_for(listener));
	fd = syscall(SYS_accept4, listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	must(fd >= 0, "accept4");
	epfd = epoll_for(fd);
	for (;;) {
		memset(messages, 0, sizeof(messages));
		for (int i = 0; i < 2; i++) {
			iov[i] = (struct iovec){ buf[i], sizeof(buf[i]) };
			messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
		}
		await(epfd);
		n = syscall(SYS_recvmmsg, fd, messages, 2, MSG_DONTWAIT, NULL);
		if (n < 0) {
			continue; /* nothing of the handshake is for us */
		}
		if (messages[0].msg_len == 0) {
			break;
		}
		n = n == 2 && messages[1].msg_len > 0 ? 2 : 1;
		for (int i = 0; i < n; i++) {
			iov[i].iov_len = messages[i].msg_len;
		}
		must(syscall(SYS_sendmmsg, fd, messages, n, 0) == n, "sendmmsg");
	}
	syscall(SYS_shutdown, fd, SHUT_WR);
	syscall(SYS_close, fd);
	return 0;
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
	if (strcmp(argv[1], "-l") == 0) {
		return serve(argv[2]);
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
