/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an inetd child does with its standard input and output, by system calls alone; made to be linked statically.
 *
 *   echo         sends back what comes, to the end
 *   sum          reads to the end, then says how many bytes and their sum
 *   flood N      sends N bytes; closes its end by exiting
 *   count FILE   reads to the end, writes to FILE how many bytes came
 *   half FILE    says "half", shuts down its output, reads to the end, then as count
 *   errors FILE  reads to the end or an error, then writes until that fails: both into FILE
 *   fds          its descriptors, and what they are
 *   -c TEXT      the same: so that it may stand for a shell
 *   say TEXT     TEXT on standard output, and "err" on standard error
 *   quit         nothing
 *   hang FILE    says so in FILE, and waits to be killed, reading nothing
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buf[65536];

static void write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0) {
			err(1, "write");
		}
		bytes += n;
		len -= (size_t)n;
	}
}

static void echo(void)
{
	ssize_t n;

	while ((n = read(0, buf, sizeof(buf))) > 0) {
		write_all(1, buf, (size_t)n);
	}
}

/* Bytes to the end of standard input, and their sum. */
static size_t count(unsigned long *sum)
{
	size_t total = 0;
	ssize_t n;

	*sum = 0;
	while ((n = read(0, buf, sizeof(buf))) > 0) {
		total += (size_t)n;
		for (ssize_t i = 0; i < n; i++) {
			*sum += (unsigned char)buf[i];
		}
	}
	if (n < 0) {
		err(1, "read");
	}
	return total;
}

static void into_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (fd < 0) {
		err(1, "%s", path);
	}
	write_all(fd, text, strlen(text));
	close(fd);
}

static void count_into(const char *path)
{
	unsigned long sum;
	size_t n = count(&sum);

	snprintf(buf, sizeof(buf), "%zu\n", n);
	into_file(path, buf);
}

static void half(const char *path)
{
	write_all(1, "half\n", 5);
	if (shutdown(1, SHUT_WR) != 0) {
		err(1, "shutdown");
	}
	count_into(path);
}

static void errors(const char *path)
{
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	while ((n = read(0, buf, sizeof(buf))) > 0) {
	}
	into_file(path, n == 0 ? "read: end\n" : errno == ECONNRESET ? "read: reset\n" : "read: other\n");
	for (int i = 0; i < 100000; i++) {
		if (write(1, buf, sizeof(buf)) < 0) {
			into_file(path, errno == EPIPE        ? "write: pipe\n"
					: errno == ECONNRESET ? "write: reset\n"
							      : "write: other\n");
			return;
		}
	}
}

static void fds(void)
{
	char link[64], target[256], line[400];

	for (int fd = 0; fd < 4096; fd++) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, target, sizeof(target) - 1);
		if (n >= 0) {
			int domain = -1;
			socklen_t len = sizeof(domain);
			target[n] = '\0';
			getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
			n = snprintf(line, sizeof(line), "%d %s%s\n", fd, target,
				     domain == AF_UNIX   ? " unix"
				     : domain == AF_INET ? " inet"
							 : "");
			write_all(1, line, (size_t)n);
		}
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *arg = argc > 2 ? argv[2] : "";
	unsigned long sum;
	size_t n;

	if (strcmp(what, "echo") == 0) {
		echo();
	} else if (strcmp(what, "sum") == 0) {
		n = count(&sum);
		snprintf(buf, sizeof(buf), "%zu %lu\n", n, sum);
		write_all(1, buf, strlen(buf));
	} else if (strcmp(what, "flood") == 0) {
		memset(buf, 'x', sizeof(buf));
		for (n = strtoul(arg, NULL, 10); n > 0; n -= n < sizeof(buf) ? n : sizeof(buf)) {
			write_all(1, buf, n < sizeof(buf) ? n : sizeof(buf));
		}
	} else if (strcmp(what, "count") == 0) {
		count_into(arg);
	} else if (strcmp(what, "half") == 0) {
		half(arg);
	} else if (strcmp(what, "errors") == 0) {
		errors(arg);
	} else if (strcmp(what, "fds") == 0 || strcmp(what, "-c") == 0) {
		fds();
	} else if (strcmp(what, "say") == 0) {
		write_all(1, arg, strlen(arg));
		write_all(2, "err\n", 4);
	} else if (strcmp(what, "hang") == 0) {
		snprintf(buf, sizeof(buf), "%d\n", (int)getpid());
		into_file(arg, buf);
		pause();
	} else if (strcmp(what, "quit") != 0) {
		return 2;
	}
	return 0;
}
