/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that connects, or waits, in rare ways and then exchanges a few words: edges MODE PORT. The peer echoes.
 *
 *   sendto sendmsg sendmmsg number   TCP Fast Open: the call that sends is the one that connects
 *   empty                            the same without data
 *   fast-connect                     TCP_FASTOPEN_CONNECT: connect() returns before anything was sent
 *   mapped                           an IPv6 socket and an IPv4 address
 *   sigio                            non-blocking, and only SIGIO says when to go on
 *   mark                             out-of-band data: no mark, none to read, and what is no memory is EFAULT
 *   partial                          a signal, or SO_RCVTIMEO for the call as a whole, ends MSG_WAITALL with what came
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif

static struct sockaddr_in address = { .sin_family = AF_INET };
static const char *text = "words";

static void hear(int fd, const char *expected)
{
	char got[64] = "";
	ssize_t n = recv(fd, got, strlen(expected), MSG_WAITALL);

	printf("%zd %s\n", n, got);
}

static void talk(int fd)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		err(1, "write");
	}
	hear(fd, text);
}

static void fast(int fd, const char *mode)
{
	struct iovec iov[2] = { { "fast ", 5 }, { (void *)text, strlen(text) } };
	struct mmsghdr msg = { .msg_hdr = { &address, sizeof(address), iov, 2, NULL, 0, 0 } };
	long n;

	if (strcmp(mode, "sendto") == 0) {
		n = sendto(fd, "fast words", 10, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof(address));
	} else if (strcmp(mode, "empty") == 0) {
		n = sendto(fd, "", 0, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof(address));
	} else if (strcmp(mode, "sendmsg") == 0) {
		n = sendmsg(fd, &msg.msg_hdr, MSG_FASTOPEN);
	} else if (strcmp(mode, "sendmmsg") == 0) {
		n = sendmmsg(fd, &msg, 1, MSG_FASTOPEN);
	} else {
		n = syscall(SYS_sendmmsg, fd, &msg, 1, MSG_FASTOPEN);
	}
	printf("%ld\n", n);
	if (n > 0) {
		hear(fd, "fast words");
	}
	talk(fd);
}

static void by_signals(void)
{
	const struct timespec limit = { 10, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bool sent = false;
	size_t n_got = 0;
	sigset_t set;
	char got[64];
	ssize_t n;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fcntl(fd, F_SETOWN, getpid());
	fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC);
	connect(fd, (struct sockaddr *)&address, sizeof(address));
	while (n_got < strlen(text)) {
		struct pollfd wanted = { fd, POLLOUT, 0 };
		if (sigtimedwait(&set, NULL, &limit) < 0) {
			errx(1, "no signal");
		}
		if (!sent && poll(&wanted, 1, 0) == 1) {
			sent = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
		}
		while ((n = read(fd, got, sizeof(got))) > 0) {
			n_got += (size_t)n;
		}
	}
	printf("%zu bytes by signals\n", n_got);
}

static void mark(int fd)
{
	int at = 7, rc;
	char byte;

	talk(fd);
	rc = ioctl(fd, SIOCATMARK, &at);
	printf("%d %d\n", rc, at);
	printf("%zd %s\n", recv(fd, &byte, 1, MSG_OOB), strerrorname_np(errno));
	printf("%d %s\n", ioctl(fd, SIOCATMARK, (void *)8), strerrorname_np(errno));
}

static void nothing(int sig)
{
	(void)sig;
}

static void partial(int fd)
{
	const struct sigaction restarting = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	const struct itimerval soon = { .it_value = { 0, 300000 } };
	const struct timeval limit = { 0, 600000 };
	const struct timespec pause = { 0, 400000000 };

	talk(fd);
	sigaction(SIGALRM, &restarting, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	if (write(fd, text, strlen(text)) < 0) {
		err(1, "write");
	}
	hear(fd, "words, and no more");
	if (fork() == 0) {
		for (int i = 0; i < 2; i++) {
			nanosleep(&pause, NULL);
			if (write(fd, text, strlen(text)) < 0) {
				_exit(1);
			}
		}
		_exit(0);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	hear(fd, "words, and no more");
	while (wait(NULL) < 0 && errno == EINTR) {
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 };
	int fd, one = 1;

	if (argc != 3) {
		return 2;
	}
	address.sin_port = mapped.sin6_port = htons((in_port_t)atoi(argv[2]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
	if (strcmp(argv[1], "sigio") == 0) {
		by_signals();
		return 0;
	}
	fd = socket(strcmp(argv[1], "mapped") == 0 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	if (strcmp(argv[1], "mapped") == 0) {
		printf("%d\n", connect(fd, (struct sockaddr *)&mapped, sizeof(mapped)));
		talk(fd);
	} else if (strcmp(argv[1], "fast-connect") == 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one));
		printf("%d\n", connect(fd, (struct sockaddr *)&address, sizeof(address)));
		talk(fd);
	} else if (strcmp(argv[1], "mark") == 0) {
		printf("%d\n", connect(fd, (struct sockaddr *)&address, sizeof(address)));
		mark(fd);
	} else if (strcmp(argv[1], "partial") == 0) {
		printf("%d\n", connect(fd, (struct sockaddr *)&address, sizeof(address)));
		partial(fd);
	} else {
		fast(fd, argv[1]);
	}
	close(fd);
	return 0;
}
