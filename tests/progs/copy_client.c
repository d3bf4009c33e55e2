/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain TCP client that lets the kernel copy: copy_client PORT HOW FILE
 *
 *   sendfile, sendfile-nb     FILE, blocking and non-blocking        offset     its bytes 1,000 to 50,999
 *   splice, splice-nb         FILE through a pipe                    receive    to FILE through a pipe
 *   errors                    what impossible calls say
 * With -nb the socket is non-blocking and poll() waits. At the end it says how many bytes went.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static void wait_writable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	if (poll(&pfd, 1, 20000) != 1) {
		errx(1, "not writable");
	}
}

static long send_file(int fd, int file)
{
	long total = 0;
	ssize_t n;

	while ((n = sendfile(fd, file, NULL, 1 << 20)) != 0) {
		if (n > 0) {
			total += n;
			if (lseek(file, 0, SEEK_CUR) != total) {
				errx(1, "position is %ld, not %ld", (long)lseek(file, 0, SEEK_CUR), total);
			}
		} else if (errno == EAGAIN) {
			wait_writable(fd);
		} else {
			err(1, "sendfile");
		}
	}
	return total;
}

static long send_part(int fd, int file)
{
	off_t offset = 1000;
	long total = 0;

	lseek(file, 5, SEEK_SET);
	while (offset < 51000) {
		ssize_t n = sendfile(fd, file, &offset, (size_t)(51000 - offset));
		if (n <= 0) {
			err(1, "sendfile");
		}
		total += n;
		if (offset != 1000 + total || lseek(file, 0, SEEK_CUR) != 5) {
			errx(1, "wrong offsets");
		}
	}
	return total;
}

/* Fill the pipe from the file, and empty it into the socket. */
static long send_through_pipe(int fd, int file)
{
	long in_pipe = 0, total = 0;
	int pipes[2];
	ssize_t n;

	if (pipe(pipes) != 0) {
		err(1, "pipe");
	}
	for (;;) {
		n = in_pipe ? 0 : splice(file, NULL, pipes[1], NULL, 60000, 0);
		if (n < 0) {
			err(1, "splice from file");
		}
		in_pipe += n;
		if (in_pipe == 0) {
			return total;
		}
		n = splice(pipes[0], NULL, fd, NULL, (size_t)in_pipe, SPLICE_F_MORE);
		if (n > 0) {
			in_pipe -= n;
			total += n;
		} else if (n < 0 && errno == EAGAIN) {
			wait_writable(fd);
		} else {
			err(1, "splice to socket: %zd", n);
		}
	}
}

static long receive(int fd, int file)
{
	int pipes[2];
	long total = 0;
	ssize_t n;

	if (pipe(pipes) != 0) {
		err(1, "pipe");
	}
	while ((n = splice(fd, NULL, pipes[1], NULL, 1 << 20, 0)) != 0) {
		if (n < 0) {
			err(1, "splice from socket");
		}
		total += n;
		while (n > 0) {
			ssize_t moved = splice(pipes[0], NULL, file, NULL, (size_t)n, 0);
			if (moved <= 0) {
				err(1, "splice to file");
			}
			n -= moved;
		}
	}
	return total;
}

#define SAY(call)                                                                      \
	do {                                                                           \
		errno = 0;                                                             \
		long rc_ = (call);                                                     \
		printf("%s: %ld %s\n", #call, rc_, rc_ < 0 ? strerrorname_np(errno) : ""); \
	} while (0)

static void say_errors(int fd, int file)
{
	int p[2], full[2], empty[2];
	char data[4096] = "";
	int dir = open("/", O_RDONLY), wronly = open("/dev/null", O_WRONLY);
	off64_t offset = 0, minus = -1, far = 1l << 40;

	if (pipe(p) != 0 || pipe(full) != 0 || pipe(empty) != 0 || write(p[1], data, 10) != 10) {
		err(1, "pipe");
	}
	fcntl(full[1], F_SETFL, O_NONBLOCK);
	while (write(full[1], data, sizeof(data)) > 0) {
	}
	SAY(sendfile(fd, p[0], NULL, 5));
	SAY(sendfile(fd, p[0], &offset, 5));
	SAY(sendfile(fd, fd, NULL, 5));
	SAY(sendfile(fd, fd, &offset, 5));
	SAY(sendfile(wronly, fd, NULL, 5));
	SAY(sendfile(fd, -1, NULL, 5));
	SAY(sendfile(-1, fd, NULL, 5));
	SAY(sendfile(fd, file, NULL, 0));
	SAY(sendfile(fd, file, &minus, 5));
	SAY(sendfile(fd, file, &far, 5));
	SAY(sendfile(fd, file, (off_t *)8, 5));
	SAY(sendfile(fd, dir, NULL, 5));
	SAY(sendfile(fd, wronly, NULL, 5));
	SAY(splice(p[0], NULL, fd, &offset, 5, 0));
	SAY(splice(p[0], &offset, fd, NULL, 5, 0));
	SAY(splice(fd, &offset, p[1], NULL, 5, 0));
	SAY(splice(fd, NULL, p[1], &offset, 5, 0));
	SAY(splice(fd, NULL, fd, NULL, 5, 0));
	SAY(splice(p[0], NULL, fd, NULL, 5, 0x100));
	SAY(splice(p[0], NULL, fd, NULL, 0, 0x100));
	SAY(splice(p[1], NULL, fd, NULL, 5, 0));
	SAY(splice(fd, NULL, p[0], NULL, 5, 0));
	SAY(splice(-1, NULL, fd, NULL, 5, 0));
	SAY(splice(fd, NULL, -1, NULL, 5, 0));
	SAY(splice(file, NULL, fd, NULL, 5, 0));
	SAY(splice(fd, NULL, full[1], NULL, 5, 0));
	SAY(splice(empty[0], NULL, fd, NULL, 5, SPLICE_F_NONBLOCK));
	fcntl(empty[0], F_SETFL, O_NONBLOCK);
	SAY(splice(empty[0], NULL, fd, NULL, 5, 0));
	close(empty[1]);
	SAY(splice(empty[0], NULL, fd, NULL, 5, 0));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	SAY(splice(fd, NULL, p[1], NULL, 5, 0));
	SAY(splice(p[0], NULL, fd, NULL, 100, 0));
	SAY(splice(p[0], NULL, fd, NULL, 100, SPLICE_F_NONBLOCK));
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0), file;
	const char *how = argc == 4 ? argv[2] : "";
	long total;

	if (argc != 4) {
		errx(2, "usage: copy_client PORT HOW FILE");
	}
	file = open(argv[3], strcmp(how, "receive") == 0 ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY, 0600);
	addr.sin_port = htons((in_port_t)atoi(argv[1]));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (file < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		err(1, "%s", argv[3]);
	}
	if (strstr(how, "-nb")) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
	}
	if (strcmp(how, "errors") == 0) {
		say_errors(fd, file);
		return 0;
	}
	total = strncmp(how, "sendfile", 8) == 0 ? send_file(fd, file)
		: strcmp(how, "offset") == 0	 ? send_part(fd, file)
		: strcmp(how, "receive") == 0	 ? receive(fd, file)
						 : send_through_pipe(fd, file);
	printf("%ld bytes\n", total);
	if (strstr(how, "-nb")) {
		fcntl(fd, F_SETFL, 0);
	}
	if (close(fd) != 0) {
		err(1, "close");
	}
	return 0;
}
