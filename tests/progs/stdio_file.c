/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stdio_file PORT FILE MARKER: opens FILE with fopen(), puts a connection at its descriptor by dup2(),
 * prints MARKER into the FILE, puts the file back, prints again, and talks to the peer through the socket.
 * Says what fflush() answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	FILE *file;
	int fd, kept, conn;
	char buf[64];
	ssize_t n;

	if (argc != 4) {
		return 2;
	}
	addr.sin_port = htons((uint16_t)atoi(argv[1]));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	file = fopen(argv[2], "w+");
	fd = fileno(file);
	kept = dup(fd);
	conn = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(conn, (struct sockaddr *)&addr, sizeof(addr)) != 0 || dup2(conn, fd) != fd) {
		perror("connect");
		return 1;
	}
	fprintf(file, "%s\n", argv[3]);
	printf("over the socket: %s\n", fflush(file) ? strerror(errno) : "sent");
	dup2(kept, fd);
	clearerr(file);
	fprintf(file, " and back\n");
	printf("over the file: %s\n", fflush(file) ? strerror(errno) : "written");
	if (write(conn, "hello\n", 6) != 6 || (n = read(conn, buf, sizeof(buf))) <= 0) {
		perror("socket");
		return 1;
	}
	printf("%.*s", (int)n, buf);
	return 0;
}
