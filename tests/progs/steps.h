/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tcp_client and tcp_server do with a connection, step by step; each step prints one line with its outcome.
 *
 *   write=TEXT   one write()              fill=N   write() N bytes, 16,000 at a time
 *   read         one read() of 4,096      slurp    read() until the end or an error
 *   shut         shutdown(SHUT_WR)        wait     until a line comes on standard input
 */
#ifndef STEPS_H
#define STEPS_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void steps_say(const char *what, long result)
{
	if (result < 0) {
		printf("%s: %s\n", what, strerrorname_np(errno));
	} else {
		printf("%s: %ld\n", what, result);
	}
	fflush(stdout);
}

static void steps_read(int fd)
{
	char data[4096];
	ssize_t n = read(fd, data, sizeof(data));

	if (n > 0) {
		printf("read: %zd %.*s\n", n,
		       (int)strcspn(data, "\r\n") < (int)n ? (int)strcspn(data, "\r\n") : (int)n, data);
	} else if (n == 0) {
		printf("read: end\n");
	} else {
		printf("read: %s\n", strerrorname_np(errno));
	}
	fflush(stdout);
}

static void steps_slurp(int fd)
{
	char data[16384];
	long total = 0;
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0) {
		total += n;
	}
	printf("slurp: %ld %s\n", total, n == 0 ? "end" : strerrorname_np(errno));
	fflush(stdout);
}

static void steps_fill(int fd, long total)
{
	char data[16000];
	long done = 0;
	ssize_t n = 0;

	memset(data, 'f', sizeof(data));
	while (done < total) {
		n = write(fd, data,
			  total - done < (long)sizeof(data) ? (size_t)(total - done) : sizeof(data));
		if (n < 0) {
			break;
		}
		done += n;
	}
	printf("fill: %ld%s%s\n", done, n < 0 ? " " : "", n < 0 ? strerrorname_np(errno) : "");
	fflush(stdout);
}

static void steps_run(int fd, char **steps)
{
	char line[64];

	for (; *steps; steps++) {
		if (strncmp(*steps, "write=", 6) == 0) {
			steps_say("write", write(fd, *steps + 6, strlen(*steps + 6)));
		} else if (strncmp(*steps, "fill=", 5) == 0) {
			steps_fill(fd, atol(*steps + 5));
		} else if (strcmp(*steps, "read") == 0) {
			steps_read(fd);
		} else if (strcmp(*steps, "slurp") == 0) {
			steps_slurp(fd);
		} else if (strcmp(*steps, "shut") == 0) {
			steps_say("shut", shutdown(fd, SHUT_WR));
		} else if (strcmp(*steps, "wait") == 0) {
			if (!fgets(line, sizeof(line), stdin)) {
				exit(3);
			}
		} else {
			fprintf(stderr, "unknown step %s\n", *steps);
			exit(2);
		}
	}
}

#endif
