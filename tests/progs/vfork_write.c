/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client whose vfork(2) child moves the connection to descriptor 1 and writes a text there, before exec fails.
 *
 * usage: vfork_write PORT TEXT
 *
 * Prints what the child's write() returned, writes "parent" to the connection and ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	volatile ssize_t written = 0;
	char *none[] = { NULL };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int status;
	pid_t pid;

	if (argc < 3) {
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[1]));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("connect");
		return 1;
	}
	pid = vfork();
	if (pid == 0) {
		dup2(fd, 1);
		written = write(1, argv[2], strlen(argv[2]));
		execve("/nonexistent/program", none, none);
		_exit(7);
	}
	if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7) {
		return 1;
	}
	printf("child wrote %zd\n", written);
	fflush(stdout);
	if (write(fd, "parent\n", 7) != 7) {
		perror("write");
		return 1;
	}
	close(fd);
	return 0;
}
