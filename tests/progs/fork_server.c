/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain TCP servers that fork: fork_server STYLE PORT [BYTES]. Each answers a line with BYTES bytes (default 4,096).
 *
 *   child    the parent accepts, forks and closes; the child serves and ends with exit()
 *   _exit    the same, but the child ends with _exit() and does not close
 *   prefork  four children that all accept on the one listener
 *   orphan   the parent of each connection is gone before the child serves
 *   shared   the child reads lines, the parent writes an answer for each: "PID-of-child line"
 *   early    the parent reads the line, the child, forked afterwards, answers
 */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t answer_len = 4096;

static void write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0) {
			warn("write");
			return;
		}
		data += n;
		len -= (size_t)n;
	}
}

static ssize_t read_line(int fd, char line[static 256])
{
	ssize_t len = 0;

	while (len < 255) {
		ssize_t n = read(fd, line + len, 1);

		if (n <= 0) {
			if (n < 0) {
				warn("read");
			}
			return n;
		}
		if (line[len++] == '\n') {
			break;
		}
	}
	line[len] = '\0';
	return len;
}

static void answer(int fd)
{
	char *data = malloc(answer_len);

	for (size_t i = 0; i < answer_len; i++) {
		data[i] = (char)('a' + i % 26);
	}
	write_all(fd, data, answer_len);
	free(data);
}

static void serve(int fd)
{
	char line[256];

	if (read_line(fd, line) > 0) {
		answer(fd);
	}
}

static int take(int listener)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0) {
			return fd;
		}
		if (errno != EINTR && errno != ECONNABORTED) {
			err(1, "accept");
		}
	}
}

static pid_t must_fork(void)
{
	pid_t pid = fork();

	if (pid < 0) {
		err(1, "fork");
	}
	return pid;
}

static void by_child(int listener, const char *style)
{
	for (;;) {
		int fd = take(listener);

		if (strcmp(style, "orphan") == 0) {
			int gone[2];
			char byte;
			pid_t between;

			if (pipe(gone) != 0) {
				err(1, "pipe");
			}
			between = must_fork();
			if (between == 0) {
				if (must_fork() > 0) {
					_exit(0);
				}
				/* The pipe ends with the one that forked us, and its parent. */
				close(gone[1]);
				(void)!read(gone[0], &byte, 1);
				serve(fd);
				close(fd);
				_exit(0);
			}
			close(fd);
			close(gone[0]);
			close(gone[1]);
			(void)waitpid(between, NULL, 0);
			continue;
		}
		if (must_fork() == 0) {
			serve(fd);
			if (strcmp(style, "_exit") == 0) {
				_exit(0);
			}
			close(fd);
			exit(0);
		}
		close(fd);
	}
}

static void prefork(int listener)
{
	for (int i = 0; i < 4; i++) {
		if (must_fork() == 0) {
			for (;;) {
				int fd = take(listener);

				serve(fd);
				close(fd);
			}
		}
	}
	for (;;) {
		pause();
	}
}

static void shared(int listener)
{
	for (;;) {
		int fd = take(listener), lines[2];
		char line[256], text[300];
		ssize_t len;
		pid_t child;

		if (pipe(lines) != 0) {
			err(1, "pipe");
		}
		child = must_fork();
		if (child == 0) {
			close(lines[0]);
			while (read_line(fd, line) > 0) {
				write_all(lines[1], line, strlen(line));
			}
			_exit(0);
		}
		close(lines[1]);
		while ((len = read_line(lines[0], line)) > 0) {
			snprintf(text, sizeof(text), "%d %s", (int)child, line);
			write_all(fd, text, strlen(text));
		}
		close(lines[0]);
		close(fd);
	}
}

static void early(int listener)
{
	for (;;) {
		int fd = take(listener);
		char line[256];

		if (read_line(fd, line) > 0 && must_fork() == 0) {
			answer(fd);
			_exit(0);
		}
		close(fd);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (argc < 3) {
		errx(2, "usage: fork_server child|_exit|prefork|orphan|shared|early PORT [BYTES]");
	}
	if (argc > 3) {
		answer_len = (size_t)atol(argv[3]);
	}
	here.sin_port = htons((uint16_t)atoi(argv[2]));
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) != 0 || listen(listener, 128) != 0) {
		err(1, "port %s", argv[2]);
	}
	signal(SIGCHLD, strcmp(argv[1], "orphan") == 0 ? SIG_DFL : SIG_IGN);
	if (strcmp(argv[1], "prefork") == 0) {
		prefork(listener);
	} else if (strcmp(argv[1], "shared") == 0) {
		shared(listener);
	} else if (strcmp(argv[1], "early") == 0) {
		early(listener);
	} else {
		by_child(listener, argv[1]);
	}
	return 0;
}
