/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plain TCP client with many threads: talk_threads STYLE PORT THREADS ROUNDS, against an echo server.
 *
 *   talk    each thread has a connection, sends messages of many sizes and compares what comes back
 *   fork    the same while the main thread forks children that end at once, with exit() and with _exit()
 *   close   pairs of threads: one reads what the other side sends, the other closes the descriptor below it
 */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in there = {.sin_family = AF_INET};
static int rounds;
static atomic_int running;

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&there, sizeof(there)) != 0) {
		err(1, "connect");
	}
	return fd;
}

static void *talk(void *arg)
{
	unsigned seed = (unsigned)(long)arg;
	char message[20000], echoed[20000];
	int fd = dial();

	for (int i = 0; i < rounds; i++) {
		size_t len = 1 + (seed * 7919u + (unsigned)i * 104729u) % sizeof(message), got = 0;

		memset(message, (int)('a' + (seed + (unsigned)i) % 26), len);
		if (write(fd, message, len) != (ssize_t)len) {
			err(1, "write");
		}
		while (got < len) {
			ssize_t n = read(fd, echoed + got, len - got);

			if (n <= 0) {
				err(1, "read gave %zd after %zu of %zu bytes", n, got, len);
			}
			got += (size_t)n;
		}
		if (memcmp(message, echoed, len) != 0) {
			errx(1, "thread %u: not what was sent", seed);
		}
	}
	close(fd);
	running--;
	return NULL;
}

static void *read_on(void *arg)
{
	int fd = *(int *)arg;
	char data[1000];

	while (read(fd, data, sizeof(data)) > 0) {
	}
	return NULL;
}

static void *close_below(void *arg)
{
	static const char message[30000] = "x";

	for (int i = 0; i < rounds; i++) {
		int fd = dial(), reading = fd;
		pthread_t reader;

		if (pthread_create(&reader, NULL, read_on, &reading) != 0) {
			errx(1, "pthread_create");
		}
		if (write(fd, message, sizeof(message)) != (ssize_t)sizeof(message)) {
			err(1, "write");
		}
		usleep((useconds_t)(i * 37 % 2000));
		/* Wakes the reader if it waits; then the number goes away below it. */
		(void)shutdown(fd, SHUT_RDWR);
		close(fd);
		pthread_join(reader, NULL);
	}
	running--;
	return arg;
}

static void fork_meanwhile(void)
{
	while (running > 0) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0) {
			if (running % 2) {
				_exit(0);
			}
			exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
			errx(1, "child: %d", status);
		}
	}
}

int main(int argc, char **argv)
{
	pthread_t threads[64];
	int n;

	if (argc != 5) {
		errx(2, "usage: talk_threads talk|fork|close PORT THREADS ROUNDS");
	}
	there.sin_port = htons((uint16_t)atoi(argv[2]));
	there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	n = atoi(argv[3]) < 64 ? atoi(argv[3]) : 64;
	rounds = atoi(argv[4]);
	running = n;
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < n; i++) {
		if (pthread_create(&threads[i], NULL, argv[1][0] == 'c' ? close_below : talk,
				   (void *)(long)i) != 0) {
			errx(1, "pthread_create");
		}
	}
	if (argv[1][0] == 'f') {
		fork_meanwhile();
	}
	for (int i = 0; i < n; i++) {
		pthread_join(threads[i], NULL);
	}
	printf("%d threads, %d rounds\n", n, rounds);
	return 0;
}
