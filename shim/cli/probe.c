/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the program's loader, before the start, whether it takes the library.
 */
#include "proof.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROBE_TIMEOUT_MS 10000
#define PROBE_OUTPUT_MAX 65536

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Read all that fd yields until its end; false if it takes too long. out is a string. */
static bool read_output(int fd, char *out, size_t size)
{
	int64_t end = now_ms() + PROBE_TIMEOUT_MS;
	size_t len = 0;

	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		int64_t left = end - now_ms();
		char surplus[512];
		ssize_t n;

		if (left <= 0 || (poll(&ready, 1, (int)left) < 0 && errno != EINTR)) {
			return false;
		}
		if (ready.revents == 0) {
			continue;
		}
		n = len + 1 < size ? read(fd, out + len, size - 1 - len) : read(fd, surplus, sizeof(surplus));
		if (n == 0 || (n < 0 && errno != EINTR)) {
			out[len] = '\0';
			return n == 0;
		}
		if (n > 0 && len + 1 < size) {
			len += (size_t)n;
		}
	}
}

/* The environment of the probe: ours, with the loader told to list and not to run. */
static char **probe_environment(void)
{
	size_t n = 0;
	char **env;

	while (environ[n] != NULL) {
		n++;
	}
	env = malloc((n + 2) * sizeof(*env));
	if (env == NULL) {
		return NULL;
	}
	env[0] = (char *)"LD_TRACE_LOADED_OBJECTS=1";
	n = 1;
	for (char **at = environ; *at != NULL; at++) {
		/* These would make the loader print other things, or to another place. */
		if (strncmp(*at, "LD_DEBUG", 8) != 0 && strncmp(*at, "LD_VERBOSE=", 11) != 0 &&
		    strncmp(*at, "LD_WARN=", 8) != 0 && strncmp(*at, "LD_TRACE", 8) != 0) {
			env[n++] = *at;
		}
	}
	env[n] = NULL;
	return env;
}

static pid_t spawn_probe(const char *interp, const char *program, int out_fd)
{
	char *argv[] = { (char *)interp, (char *)program, NULL };
	char **env = probe_environment();
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int err = ENOMEM;

	if (env != NULL && posix_spawn_file_actions_init(&actions) == 0) {
		err = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
		err = err != 0 ? err : posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
		err = err != 0 ? err : posix_spawn_file_actions_adddup2(&actions, out_fd, 2);
		err = err != 0 ? err : posix_spawn(&pid, interp, &actions, NULL, argv, env);
		posix_spawn_file_actions_destroy(&actions);
	}
	free(env);
	errno = err;
	return err == 0 ? pid : -1;
}

/* Find the line that lists the library with its address, and no line in which the loader complains about it. */
static bool judge_listing(const char *listing, const char *library, char why[static 512])
{
	size_t library_len = strlen(library);
	bool listed = false;

	for (const char *line = listing; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		const char *text = line + strspn(line, " \t");
		const char *mention = memmem(line, len, library, library_len);

		if ((size_t)(text - line) + library_len < len && strncmp(text, library, library_len) == 0 &&
		    strncmp(text + library_len, " (0x", 4) == 0) {
			listed = true;
		} else if (mention != NULL) {
			(void)snprintf(why, 512, "%.*s", (int)(len < 500 ? len : 500), line);
			return false;
		}
		line += len;
		line += *line == '\n';
	}
	if (!listed) {
		(void)snprintf(why, 512, "the program's loader passes over %.400s", library);
	}
	return listed;
}

bool proof_probe(const char *interp, const char *program, const char *library, char why[static 512])
{
	char *listing = malloc(PROBE_OUTPUT_MAX);
	bool complete = false;
	pid_t pid = -1;
	int fds[2];

	if (listing == NULL || pipe2(fds, O_CLOEXEC) != 0) {
		(void)snprintf(why, 512, "%s", strerror(errno));
		free(listing);
		return false;
	}
	pid = spawn_probe(interp, program, fds[1]);
	if (pid < 0) {
		(void)snprintf(why, 512, "%.300s: %s", interp, strerror(errno));
	}
	close(fds[1]);
	if (pid >= 0) {
		complete = read_output(fds[0], listing, PROBE_OUTPUT_MAX);
		if (!complete) {
			(void)snprintf(why, 512, "the program's loader does not answer");
			kill(pid, SIGKILL);
		}
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
		}
	}
	close(fds[0]);
	complete = complete && judge_listing(listing, library, why);
	free(listing);
	return complete;
}
