/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain TCP client that talks through stdio: stdio_client HOST PORT WHAT [FILE]
 *
 *   rplus     one stream "r+": a line out, a line back
 *   early     as rplus, with fdopen() before connect()
 *   two       two streams, 200 lines each way by getline()
 *   dprintf   short and long texts, then the end
 *   put       FILE by fwrite(), then fclose()
 *   get       to FILE by fread()
 *   exit      a line that is still in the buffer at the end
 *   reopen    a line, then the stream becomes FILE
 *   modes     what fdopen() says to modes
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct addrinfo *to;

static int open_socket(bool connected)
{
	int fd = socket(to->ai_family, SOCK_STREAM, 0);

	if (fd < 0 || (connected && connect(fd, to->ai_addr, to->ai_addrlen) != 0)) {
		err(1, "connect");
	}
	return fd;
}

static FILE *stream(int fd, const char *mode)
{
	FILE *file = fdopen(fd, mode);

	if (!file) {
		err(1, "fdopen %s", mode);
	}
	return file;
}

static void check(bool ok, const char *what)
{
	if (!ok) {
		err(1, "%s", what);
	}
}

static void rplus(int fd, FILE *file)
{
	char line[100];

	check(fileno(file) == fd, "fileno");
	check(fprintf(file, "hello %d\n", 42) == 9, "fprintf");
	check(fflush(file) == 0, "fflush");
	check(fgets(line, sizeof(line), file) != NULL, "fgets");
	printf("back: %s", line);
	check(ungetc('x', file) == 'x' && getc(file) == 'x', "ungetc");
	check(fseek(file, 0, SEEK_SET) != 0 && errno == ESPIPE, "fseek");
	clearerr(file);
	check(fputs("again\n", file) >= 0 && fflush(file) == 0, "fputs");
	check(fgets(line, sizeof(line), file) != NULL, "fgets");
	printf("back: %s", line);
	check(fclose(file) == 0, "fclose");
	check(fcntl(fd, F_GETFD) == -1 && errno == EBADF, "closed");
}

static void two(int fd)
{
	FILE *in = stream(fd, "r"), *out = stream(dup(fd), "w");
	char *line = NULL, expected[64];
	size_t size = 0;

	for (int i = 0; i < 200; i++) {
		fprintf(out, "line number %d\n", i);
		if (i % 7 == 0) {
			check(fflush(out) == 0, "fflush");
		}
	}
	check(fflush(out) == 0, "fflush");
	for (int i = 0; i < 200; i++) {
		snprintf(expected, sizeof(expected), "line number %d\n", i);
		check(getline(&line, &size, in) > 0 && strcmp(line, expected) == 0, "getline");
	}
	shutdown(fd, SHUT_WR);
	check(getline(&line, &size, in) == -1 && feof(in) && !ferror(in), "end");
	check(fclose(out) == 0 && fclose(in) == 0, "fclose");
	free(line);
	puts("200 lines");
}

static void by_dprintf(int fd)
{
	char *text = malloc(100001);

	memset(text, 'd', 100000);
	text[100000] = '\0';
	errno = ENOENT;
	check(dprintf(fd, "%m %s\n", "short") == 32, "dprintf");
	check(dprintf(fd, "%d %s\n", 7, text) == 100003, "dprintf");
	check(dprintf(fd, "%s", "") == 0, "dprintf");
	check(close(fd) == 0, "close");
}

static void copy(FILE *from, FILE *dest)
{
	char data[10000];
	size_t n;

	while ((n = fread(data, 1, sizeof(data), from)) > 0) {
		check(fwrite(data, 1, n, dest) == n, "fwrite");
	}
	check(!ferror(from), "fread");
	check(fclose(dest) == 0, "fclose");
	check(fclose(from) == 0, "fclose");
}

static void reopen(int fd, const char *path)
{
	FILE *file = stream(fd, "w");

	check(fputs("before\n", file) >= 0, "fputs");
	check(freopen(path, "w", file) == file, "freopen");
	check(fileno(file) == fd, "fileno");
	check(fputs("after\n", file) >= 0 && fclose(file) == 0, "after");
}

static void say_mode(int fd, const char *mode)
{
	FILE *file;
	int flag;

	errno = 4711;
	file = fdopen(fd, mode);
	flag = fcntl(fd, F_GETFD);
	printf("%s: %s %d\n", mode, file ? "stream" : "none", file && errno == 4711 ? 0 : errno);
	if (mode[0] == 'r' && file && strchr(mode, 'e')) {
		printf("close-on-exec: %d\n", flag);
	}
	if (file) {
		fclose(file);
	}
}

static void modes(int fd)
{
	static const char *const all[] = { "r", "w", "a", "r+", "w+b", "rb", "re", "q", "" };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		say_mode(dup(fd), all[i]);
	}
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	const char *what = argc > 3 ? argv[3] : "", *path = argc > 4 ? argv[4] : "/dev/null";
	int fd;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 4 || getaddrinfo(argv[1], argv[2], &hints, &to) != 0) {
		errx(2, "usage: stdio_client HOST PORT WHAT [FILE]");
	}
	fd = open_socket(strcmp(what, "early") != 0);
	if (strcmp(what, "rplus") == 0) {
		rplus(fd, stream(fd, "r+"));
	} else if (strcmp(what, "early") == 0) {
		FILE *file = stream(fd, "r+");
		check(connect(fd, to->ai_addr, to->ai_addrlen) == 0, "connect");
		rplus(fd, file);
	} else if (strcmp(what, "two") == 0) {
		two(fd);
	} else if (strcmp(what, "dprintf") == 0) {
		by_dprintf(fd);
	} else if (strcmp(what, "put") == 0) {
		copy(fopen(path, "r"), stream(fd, "w"));
	} else if (strcmp(what, "get") == 0) {
		copy(stream(fd, "r"), fopen(path, "w"));
	} else if (strcmp(what, "reopen") == 0) {
		reopen(fd, path);
	} else if (strcmp(what, "modes") == 0) {
		modes(fd);
	} else if (strcmp(what, "exit") == 0) {
		fputs("flushed by exit\n", stream(fd, "w"));
	}
	return 0;
}
