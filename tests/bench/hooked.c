/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a system call costs on a descriptor that is not wrapped: nanoseconds per call, the best of several runs.
 * Run it with the library preloaded and without.
 *
 * usage: hooked
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CALLS 400000
#define ROUNDS 7

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int null_fd, zero_fd;

static int do_write(void)
{
	return write(null_fd, "x", 1) == 1;
}

static int do_read(void)
{
	char byte;

	return read(zero_fd, &byte, 1) == 1;
}

static int do_poll(void)
{
	struct pollfd p = { .fd = zero_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void bench(const char *name, int (*call)(void))
{
	double best = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		double begin = now_ns();

		for (int i = 0; i < CALLS; i++) {
			if (!call()) {
				exit(1);
			}
		}
		begin = (now_ns() - begin) / CALLS;
		best = begin < best ? begin : best;
	}
	printf("call-%s %.1f\n", name, best);
}

int main(void)
{
	null_fd = open("/dev/null", O_WRONLY);
	zero_fd = open("/dev/zero", O_RDONLY);
	if (null_fd < 0 || zero_fd < 0) {
		return 1;
	}
	bench("write", do_write);
	bench("read", do_read);
	bench("poll", do_poll);
	return 0;
}
