/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What starting a program costs: /bin/true as it is, with the library preloaded, and by `tlshim run`; microseconds,
 * mean and median of alternating starts. Prints "NAME VALUE" lines.
 *
 * usage: spawn TLSHIM LIBRARY POLICY [N]
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_N 2000

struct way {
	const char *name;
	char *argv[8];
	char *envp[4];
	double spent[MAX_N];
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void start(struct way *way, int i)
{
	double begin = now_us();
	int status;
	pid_t pid;

	if (posix_spawn(&pid, way->argv[0], NULL, NULL, way->argv, way->envp) != 0 || waitpid(pid, &status, 0) != pid ||
	    status != 0) {
		fprintf(stderr, "spawn: %s failed\n", way->argv[0]);
		exit(1);
	}
	way->spent[i] = now_us() - begin;
}

int main(int argc, char **argv)
{
	static struct way ways[3];
	static char preload[4200], policy[4200], path[] = "PATH=/usr/bin:/bin";
	static char program[] = "/bin/true", run[] = "run", option[] = "--policy", dashes[] = "--";
	int n = argc > 4 ? atoi(argv[4]) : 300;

	if (argc < 4 || n < 1 || n > MAX_N) {
		fprintf(stderr, "usage: spawn TLSHIM LIBRARY POLICY [N]\n");
		return 2;
	}
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", argv[2]);
	snprintf(policy, sizeof(policy), "TLSHIM_POLICY=%s", argv[3]);
	ways[0] = (struct way){ .name = "plain", .argv = { program }, .envp = { path } };
	ways[1] = (struct way){ .name = "preload", .argv = { program }, .envp = { path, preload, policy } };
	ways[2] = (struct way){
		.name = "run",
		.argv = { argv[1], run, option, argv[3], dashes, program },
		.envp = { path },
	};
	for (int i = 0; i < n; i++) {
		for (size_t w = 0; w < 3; w++) {
			start(&ways[w], i);
		}
	}
	for (size_t w = 0; w < 3; w++) {
		double sum = 0;

		for (int i = 0; i < n; i++) {
			sum += ways[w].spent[i];
		}
		qsort(ways[w].spent, (size_t)n, sizeof(double), by_size);
		printf("start-%s %.0f\nstart-%s-median %.0f\n", ways[w].name, sum / n, ways[w].name,
		       ways[w].spent[n / 2]);
	}
	return 0;
}
