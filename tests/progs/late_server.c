/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain server with a second port for data, as FTP servers have one, on which it accepts when it is told
 * to and not before: late_server STYLE PORT DATAPORT [ADDRESS]. STYLE is how it waits and accepts:
 *
 *   block select poll epoll   that, then accept()
 *   nonblock                  accept4() on a non-blocking listener, until it has come
 *   timeout                   accept() with SO_RCVTIMEO
 *   broker                    a parent process listens and accepts, and passes the connection to its child (vsftpd)
 *   alone                     block, in the one process that serves one control connection after the other
 *
 * Lines on the control connection, each with an answer:
 *
 *   LISTEN        opens the data port              SHUT         closes it
 *   GET TEXT      accepts, says "150 PORT FD FLAGS" (the peer's port, the descriptor, its flags), sends TEXT and closes
 *   PUT           accepts, says 150, reads to the end: "226 BYTES"
 *   ACCEPT        accepts and closes
 *   WAIT          what wait() says: "none" without children
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *style, *address = "127.0.0.1";
static int data_port;
static int channel = -1; /* between broker and child */

static bool is_style(const char *name)
{
	return strcmp(style, name) == 0;
}

static int open_port(int port, bool nonblock)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in *in = (struct sockaddr_in *)&addr;
	bool six = strchr(address, ':') != NULL;
	int one = 1;
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | (nonblock ? SOCK_NONBLOCK : 0), 0);

	if (six) {
		inet_pton(AF_INET6, address, &addr.sin6_addr);
	} else {
		in->sin_family = AF_INET;
		inet_pton(AF_INET, address, &in->sin_addr);
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, six ? sizeof(addr) : sizeof(*in)) != 0 || listen(fd, 8) != 0) {
		warn("port %d", port);
		close(fd);
		return -1;
	}
	if (is_style("timeout")) {
		struct timeval timeout = { 5, 0 };
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	}
	return fd;
}

/* ---- waiting ---- */

static void wait_readable(int fd)
{
	if (is_style("select")) {
		fd_set set;
		FD_ZERO(&set);
		FD_SET(fd, &set);
		select(fd + 1, &set, NULL, NULL, NULL);
	} else if (is_style("epoll")) {
		struct epoll_event event = { .events = EPOLLIN };
		int epfd = epoll_create1(0);
		epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
		epoll_wait(epfd, &event, 1, -1);
		close(epfd);
	} else if (is_style("poll") || is_style("nonblock")) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		poll(&pfd, 1, -1);
	}
}

/* The connection and its peer's port, -1 if there is none. */
static int accept_late(int listener, int *port)
{
	struct sockaddr_in6 peer = { 0 };
	socklen_t len = sizeof(peer);
	int fd;

	do {
		wait_readable(listener);
		len = sizeof(peer);
		fd = is_style("nonblock") ? accept4(listener, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC) :
					    accept(listener, (struct sockaddr *)&peer, &len);
	} while (fd < 0 && errno == EAGAIN && is_style("nonblock"));
	*port = ntohs(peer.sin6_port);
	return fd;
}

/* ---- the broker ---- */

static int send_fd(char what, int port, int fd)
{
	char bytes[8] = { what, (char)(port >> 8), (char)port };
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { bytes, 3 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
	}
	return sendmsg(channel, &msg, 0) == 3 ? 0 : -1;
}

/* 0 at the end. */
static char receive_fd(int *port, int *fd)
{
	unsigned char bytes[3];
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { bytes, 3 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	*fd = -1;
	if (recvmsg(channel, &msg, 0) != 3) {
		return 0;
	}
	if (CMSG_FIRSTHDR(&msg)) {
		memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(*fd));
	}
	*port = bytes[1] << 8 | bytes[2];
	return (char)bytes[0];
}

static void broker(void)
{
	int listener = -1, port, fd;

	for (char what; (what = receive_fd(&port, &fd)) != 0;) {
		if (what == 'L') {
			listener = open_port(data_port, false);
			send_fd(listener >= 0 ? 'Y' : 'N', 0, -1);
		} else if (what == 'A') {
			fd = accept_late(listener, &port);
			send_fd(fd >= 0 ? 'Y' : 'N', port, fd);
			close(fd);
		} else if (what == 'C') {
			close(listener);
			send_fd('Y', 0, -1);
		} else {
			send_fd(waitpid(-1, NULL, WNOHANG) == 0 ? 'Y' : 'N', 0, -1);
		}
	}
	wait(NULL);
	_exit(0);
}

static bool ask_broker(char what, int *port, int *fd)
{
	return send_fd(what, 0, -1) == 0 && receive_fd(port, fd) == 'Y';
}

/* ---- the protocol ---- */

static bool start_listening(int *listener)
{
	int port, fd;

	if (channel >= 0) {
		return ask_broker('L', &port, &fd);
	}
	*listener = open_port(data_port, is_style("nonblock"));
	return *listener >= 0;
}

static int take(int listener, int *port)
{
	int fd = -1;

	if (channel >= 0) {
		return ask_broker('A', port, &fd) ? fd : -1;
	}
	return accept_late(listener, port);
}

static void stop_listening(int listener)
{
	int port, fd;

	if (channel >= 0) {
		ask_broker('C', &port, &fd);
	} else {
		close(listener);
	}
}

static bool write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		struct pollfd pfd = { .fd = fd, .events = POLLOUT };
		ssize_t n = write(fd, text, len);
		if (n < 0 && errno == EAGAIN) {
			poll(&pfd, 1, 10000);
		} else if (n < 0) {
			return false;
		} else {
			text += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static long read_all(int fd)
{
	static char buf[65536];
	long sum = 0;

	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EAGAIN) {
			poll(&pfd, 1, 10000);
		} else if (n < 0) {
			return -1;
		} else if (n == 0) {
			return sum;
		} else {
			sum += n;
		}
	}
}

static void transfer(FILE *out, int listener, const char *text)
{
	int port = 0, fd = take(listener, &port);
	bool done;
	long n = 0;

	if (fd < 0) {
		fprintf(out, "425 %s\n", strerror(errno));
		return;
	}
	fprintf(out, "150 %d %d %s%s\n", port, fd, fcntl(fd, F_GETFL) & O_NONBLOCK ? "nonblock" : "block",
		fcntl(fd, F_GETFD) & FD_CLOEXEC ? " cloexec" : "");
	fflush(out);
	if (text) {
		done = write_all(fd, text);
	} else {
		n = read_all(fd);
		done = n >= 0;
	}
	if (done) {
		fprintf(out, "226 %ld\n", n);
	} else {
		fprintf(out, "426 %s\n", strerror(errno));
	}
	close(fd);
}

static const char *children(void)
{
	int port, fd;

	if (channel >= 0) {
		/* The broker has this process as its only child. */
		return ask_broker('W', &port, &fd) ? "none" : "some";
	}
	return waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD ? "none" : "some";
}

static void serve(int fd)
{
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	int listener = -1, port;
	char line[256];

	setvbuf(out, NULL, _IOLBF, 1024);
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (strcmp(line, "LISTEN") == 0) {
			fputs(start_listening(&listener) ? "227\n" : "425\n", out);
		} else if (strcmp(line, "SHUT") == 0) {
			stop_listening(listener);
			fputs("200\n", out);
		} else if (strncmp(line, "GET ", 4) == 0) {
			transfer(out, listener, line + 4);
		} else if (strcmp(line, "PUT") == 0) {
			transfer(out, listener, NULL);
		} else if (strcmp(line, "ACCEPT") == 0) {
			int data = take(listener, &port);
			fprintf(out, "200 %d\n", port);
			close(data);
		} else if (strcmp(line, "WAIT") == 0) {
			fprintf(out, "%s\n", children());
		}
	}
	fclose(out);
	fclose(in);
}

int main(int argc, char **argv)
{
	int control;

	if (argc < 4) {
		errx(2, "usage: late_server STYLE PORT DATAPORT [ADDRESS]");
	}
	style = argv[1];
	data_port = atoi(argv[3]);
	if (argc > 4) {
		address = argv[4];
	}
	control = open_port(atoi(argv[2]), false);
	if (control < 0) {
		return 1;
	}
	for (;;) {
		int fd = accept(control, NULL, NULL), pair[2];
		if (fd < 0) {
			continue;
		}
		if (is_style("alone")) {
			serve(fd);
			continue;
		}
		if (fork() != 0) {
			close(fd);
			while (waitpid(-1, NULL, WNOHANG) > 0) {
			}
			continue;
		}
		close(control);
		if (is_style("broker")) {
			if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
				err(1, "socketpair");
			}
			channel = pair[0];
			if (fork() != 0) {
				close(fd);
				close(pair[1]);
				broker();
			}
			close(pair[0]);
			channel = pair[1];
		}
		serve(fd);
		exit(0);
	}
}
