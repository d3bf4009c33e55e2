/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the loader before the start, and watches over it until the library has reported.
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
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROBE_TIMEOUT_MS 10000
#define PROBE_OUTPUT_MAX 65536
#define GUARD_TIMEOUT_MS 60000
#define GUARD_LONGEST_NAP_MS 50
/* High, so that programs which count on low numbers find them free. */
#define PROOF_FD_LOWEST 900

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- before ---- */

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

/* ---- after: the guard ---- */

struct watch {
	pid_t pid;
	int pidfd, proof_fd, exec_fd;
	const char *program, *library;
};

/* Close all descriptors but those three and standard error: the guard must not keep anybody's pipe open. */
static void close_others(const struct watch *watch)
{
	unsigned keep[] = { 2, (unsigned)watch->pidfd, (unsigned)watch->proof_fd, (unsigned)watch->exec_fd };
	unsigned from = 0;

	for (size_t i = 1; i < 4; i++) {
		for (size_t j = i; j > 0 && keep[j] < keep[j - 1]; j--) {
			unsigned swap = keep[j];

			keep[j] = keep[j - 1];
			keep[j - 1] = swap;
		}
	}
	for (size_t i = 0; i < 4; i++) {
		if (from < keep[i] && syscall(SYS_close_range, from, keep[i] - 1, 0) != 0) {
			for (unsigned fd = from; fd < keep[i]; fd++) {
				close((int)fd);
			}
		}
		from = keep[i] + 1;
	}
	if (syscall(SYS_close_range, from, ~0U, 0) != 0) {
		for (unsigned fd = from; fd < 65536; fd++) {
			close((int)fd);
		}
	}
}

enum sight { SIGHT_EARLY, SIGHT_LOADED, SIGHT_MISSING };

/*
 * What is mapped in the program? The loader maps preloaded libraries before those that the program needs: with a libc
 * there and ours not there, ours will never come.
 */
static enum sight look_at_maps(const struct watch *watch)
{
	enum sight sight = SIGHT_EARLY;
	char path[64], line[4608];
	FILE *maps;

	(void)snprintf(path, sizeof(path), "/proc/%ld/maps", (long)watch->pid);
	maps = fopen(path, "re");
	if (maps == NULL) {
		return SIGHT_EARLY;
	}
	while (fgets(line, sizeof(line), maps) != NULL) {
		const char *name = strchr(line, '/');
		const char *base = name != NULL ? strrchr(line, '/') + 1 : "";

		if (name != NULL && strncmp(name, watch->library, strlen(watch->library)) == 0) {
			sight = SIGHT_LOADED;
			break;
		}
		if (strncmp(base, "libc.so.", 8) == 0 || strncmp(base, "libc-2.", 7) == 0) {
			sight = SIGHT_MISSING;
		}
	}
	fclose(maps);
	return sight;
}

static void kill_program(const struct watch *watch)
{
	if (syscall(SYS_pidfd_send_signal, watch->pidfd, SIGKILL, NULL, 0) == 0) {
		dprintf(2, "tlshim: %s: the library did not report from the program: it would run UNPROTECTED and was killed\n",
			watch->program);
	}
}

/* Watch until the library has reported, the program has ended or was killed. */
static void guard(const struct watch *watch)
{
	int64_t end = now_ms() + GUARD_TIMEOUT_MS;
	bool executed = false;
	int nap_ms = 1;

	while (now_ms() < end) {
		struct pollfd ready[] = {
			{ .fd = watch->proof_fd, .events = POLLIN },
			{ .fd = watch->pidfd, .events = POLLIN },
			{ .fd = executed ? -1 : watch->exec_fd, .events = POLLIN },
		};
		char byte;

		if (poll(ready, 3, executed ? nap_ms : -1) < 0 && errno != EINTR) {
			return;
		}
		if (ready[0].revents != 0 && (read(watch->proof_fd, &byte, 1) == 1)) {
			return;
		}
		if (ready[1].revents != 0) {
			return;
		}
		if (ready[2].revents != 0) {
			if (read(watch->exec_fd, &byte, 1) != 0) {
				return; /* dismissed */
			}
			executed = true;
			continue;
		}
		if (executed && (ready[0].revents != 0 || look_at_maps(watch) == SIGHT_MISSING)) {
			kill_program(watch);
			return;
		}
		nap_ms = nap_ms * 2 < GUARD_LONGEST_NAP_MS ? nap_ms * 2 : GUARD_LONGEST_NAP_MS;
	}
}

/* The grandchild of the process that it watches: the intermediate has gone, init adopts it. */
static void run_guard(const struct watch *watch)
{
	setsid();
	if (chdir("/") != 0) {
		/* It only keeps a directory busy for a moment. */
	}
	close_others(watch);
	guard(watch);
}

static bool fork_guard(const struct watch *watch)
{
	pid_t child = fork();
	int status;

	if (child < 0) {
		return false;
	}
	if (child == 0) {
		pid_t guard_pid = fork();

		if (guard_pid == 0) {
			run_guard(watch);
		}
		_exit(guard_pid < 0 ? 1 : 0);
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno == ECHILD) {
			return true; /* SIGCHLD is ignored here: nobody tells how it went */
		}
		if (errno != EINTR) {
			return false;
		}
	}
	if (status != 0) {
		errno = EAGAIN;
	}
	return status == 0;
}

/* Orphans become our children: of the program, later, which does not know them. */
static bool adopts_orphans(void)
{
	int subreaper = 0;

	return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &subreaper) == 0 && subreaper != 0);
}

static int move_high(int fd)
{
	int high = fcntl(fd, F_DUPFD, PROOF_FD_LOWEST);

	return high >= 0 ? high : fcntl(fd, F_DUPFD, 3);
}

bool proof_guard_start(struct proof_guard *guard_, const char *program, const char *library)
{
	int proof[2] = { -1, -1 }, exec[2] = { -1, -1 };
	char number[16];
	struct watch watch = { .pid = getpid(), .pidfd = -1, .program = program, .library = library };
	bool good = false;

	guard_->proof_fd = -1;
	guard_->exec_fd = -1;
	if (adopts_orphans()) {
		return true;
	}
	watch.pidfd = (int)syscall(SYS_pidfd_open, watch.pid, 0);
	if (watch.pidfd < 0 && errno == ENOSYS) {
		return true; /* Linux before 5.3 */
	}
	if (watch.pidfd >= 0 && pipe2(proof, O_CLOEXEC) == 0 && pipe2(exec, O_CLOEXEC) == 0) {
		watch.proof_fd = proof[0];
		watch.exec_fd = exec[0];
		good = fork_guard(&watch);
	}
	if (good) {
		guard_->exec_fd = exec[1];
		guard_->proof_fd = move_high(proof[1]);
		good = guard_->proof_fd >= 0 && snprintf(number, sizeof(number), "%d", guard_->proof_fd) > 0 &&
		       setenv(PROOF_VARIABLE, number, 1) == 0;
		if (!good) {
			proof_guard_dismiss(guard_);
		}
	} else if (exec[1] >= 0) {
		close(exec[1]);
	}
	/* What is closed here has done its work or was never open. */
	for (int i = 0; i < 3; i++) {
		int fd = (int[]){ proof[0], proof[1], exec[0] }[i];

		if (fd >= 0) {
			close(fd);
		}
	}
	if (watch.pidfd >= 0) {
		close(watch.pidfd);
	}
	return good;
}

void proof_guard_dismiss(struct proof_guard *guard_)
{
	if (guard_->exec_fd >= 0) {
		ssize_t n;

		do {
			n = write(guard_->exec_fd, "X", 1);
		} while (n < 0 && errno == EINTR);
		close(guard_->exec_fd);
		guard_->exec_fd = -1;
	}
	if (guard_->proof_fd >= 0) {
		close(guard_->proof_fd);
		guard_->proof_fd = -1;
	}
}
