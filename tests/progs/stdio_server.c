/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain TCP server whose children serve on standard input and output: stdio_server PORT HOW
 *
 *   exec    the child executes this program anew, which finds the connection at 0 and 1 (inetd)
 *   here    the child moves the connection to 0 and 1 and goes on; what stdout held before follows
 *   back    as here, and then moves the old standard output back, and says "back on stdout" there
 *   session (used by exec) answers each line, and says goodbye at the end
 */
#include <arpa/inet.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int session(void)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d %d got %s", fileno(stdin), fileno(stdout), line);
		putchar('.');
		puts(".");
		fflush(stdout);
		if (strcmp(line, "quit\n") == 0) {
			break;
		}
		if (strcmp(line, "perror\n") == 0) {
			perror("stderr");
		}
	}
	printf("goodbye");
	return 0;
}

static int serve(int fd, const char *program, const char *how)
{
	int old = dup(1);

	if (strcmp(how, "exec") == 0) {
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		close(fd);
		close(old);
		execl(program, program, "0", "session", (char *)NULL);
		return 1;
	}
	printf("held before; ");
	dup2(fd, 0);
	dup2(fd, 1);
	close(fd);
	if (session() != 0) {
		return 1;
	}
	if (strcmp(how, "back") == 0) {
		fflush(stdout);
		dup2(old, 1);
		printf("back on stdout\n");
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int one = 1, listener;

	if (argc != 3) {
		errx(2, "usage: stdio_server PORT exec|here|back");
	}
	if (strcmp(argv[2], "session") == 0) {
		return session();
	}
	signal(SIGCHLD, SIG_IGN);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	addr.sin_port = htons((in_port_t)atoi(argv[1]));
	listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(listener, 16) != 0) {
		err(1, "listen");
	}
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0) {
			err(1, "accept");
		}
		if (fork() == 0) {
			close(listener);
			return serve(fd, argv[0], argv[2]);
		}
		close(fd);
	}
}
