/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard of a start: holds the program until the library has reported, or watches over it if it may not.
 *
 * Implementation notes: the guard shares our memory, as a child of vfork(2) does, but runs beside us; exec leaves the
 * memory to it. That costs a tenth of a fork. Until then it touches nothing of libc's but what waits in the kernel.
 * It has no signal for its end, so that nothing but the library, which knows its number, sees that there is a child.
 */
#include "proof.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../report.h"
#include "cli.h"
#include "hold.h"

#define GUARD_TIMEOUT_MS 60000
#define GUARD_LONGEST_NAP_MS 50
/* High, so that programs which count on low numbers find them free. */
#define PROOF_FD_LOWEST 900

struct watch {
	struct proof_subject subject;
	pid_t pid;			       /* who becomes the program */
	int answer_fd;			       /* does it hold? */
	int pidfd, proof_fd, exec_fd; /* if it does not */
};

/* The guard's, which goes on using them after our exec. */
static struct watch watch;
static _Alignas(16) char stack[128 * 1024];

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Close all descriptors but standard error and these: the guard must not keep anybody's pipe open. */
static void close_others(int a, int b, int c)
{
	int keep[] = { 2, a, b, c };
	unsigned from = 0;

	for (size_t i = 1; i < 4; i++) {
		for (size_t j = i; j > 0 && keep[j] < keep[j - 1]; j--) {
			int swap = keep[j];

			keep[j] = keep[j - 1];
			keep[j - 1] = swap;
		}
	}
	for (size_t i = 0; i <= 4; i++) {
		unsigned to = i < 4 ? (unsigned)keep[i] : ~0U;

		if (from < to && syscall(SYS_close_range, from, to - 1, 0) != 0) {
			for (unsigned fd = from; fd < to && fd < 65536; fd++) {
				close((int)fd);
			}
		}
		from = to + 1;
	}
}

/* Run function in a process of its own that shares our memory; its number, or -1 with errno. */
static pid_t start_guard(int (*function)(void *))
{
	return clone(function, stack + sizeof(stack), CLONE_VM, NULL);
}

/* It has ended, or is about to. */
static void reap_guard(pid_t pid)
{
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) {
	}
}

/* ---- holding ---- */

static void refuse(void)
{
	const struct proof_subject *subject = &watch.subject;
	char why[512];

	if (proof_probe(subject->interp, subject->program, subject->library, why)) {
		/* The loader takes it in a process of ours, but not here: the program's security profile, a limit. */
		(void)snprintf(why, sizeof(why), "the loader left %.400s out", subject->library);
	}
	cli_say("%s would run unprotected, so it was not started: %s", subject->name, why);
	hold_refuse(watch.pid, CLI_REFUSED);
}

static int hold(void *unused)
{
	(void)unused;
	(void)setsid();
	close_others(watch.answer_fd, watch.answer_fd, watch.answer_fd);
	/* Without /proc nobody tells where a program begins. */
	if (access("/proc/self/auxv", R_OK) != 0 || !hold_seize(watch.pid)) {
		return 0;
	}
	if (write(watch.answer_fd, "H", 1) != 1) {
		return 0;
	}
	close(watch.answer_fd);
	switch (hold_until_report(watch.pid)) {
	case HOLD_REPORTED:
	case HOLD_GONE:
		break;
	case HOLD_MISSING:
		refuse();
		break;
	case HOLD_LOST:
		cli_say("cannot watch over the start of %s (%s): it was killed", watch.subject.name, strerror(errno));
		(void)kill(watch.pid, SIGKILL);
		break;
	}
	return 0;
}

/* errno is 0 if tracing is not allowed here. */
static bool start_holding(struct proof_guard *guard)
{
	int answer[2];
	char byte = 0;
	ssize_t n;

	if (pipe2(answer, O_CLOEXEC) != 0) {
		return false;
	}
	watch.answer_fd = answer[1];
	/* Yama lets processes be traced by their ancestors only, or by whom they name. */
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	guard->pid = start_guard(hold);
	close(answer[1]);
	if (guard->pid < 0) {
		close(answer[0]);
		return false;
	}
	do {
		n = read(answer[0], &byte, 1);
	} while (n < 0 && errno == EINTR);
	close(answer[0]);
	(void)prctl(PR_SET_PTRACER, 0, 0, 0, 0);
	guard->holds = n == 1;
	if (!guard->holds) {
		reap_guard(guard->pid);
		errno = 0;
	}
	return guard->holds;
}

/* ---- watching ---- */

enum sight { SIGHT_EARLY, SIGHT_LOADED, SIGHT_MISSING };

/*
 * What is mapped in the program? The loader maps preloaded libraries before those that the program needs: with a libc
 * there and ours not there, ours will never come.
 */
static enum sight look_at_maps(void)
{
	enum sight sight = SIGHT_EARLY;
	char path[64], line[4608];
	FILE *maps;

	(void)snprintf(path, sizeof(path), "/proc/%ld/maps", (long)watch.pid);
	maps = fopen(path, "re");
	if (maps == NULL) {
		return SIGHT_EARLY;
	}
	while (fgets(line, sizeof(line), maps) != NULL) {
		const char *name = strchr(line, '/');
		const char *base = name != NULL ? strrchr(line, '/') + 1 : "";

		if (name != NULL && strncmp(name, watch.subject.library, strlen(watch.subject.library)) == 0) {
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

static void kill_program(void)
{
	if (syscall(SYS_pidfd_send_signal, watch.pidfd, SIGKILL, NULL, 0) == 0) {
		cli_say("%s: the library did not report from the program: it would run UNPROTECTED and was killed",
			watch.subject.name);
	}
}

/* Watch until the library has reported, the program has ended or was killed. */
static int look_on(void *unused)
{
	int64_t end = now_ms() + GUARD_TIMEOUT_MS;
	bool executed = false;
	int nap_ms = 1;

	(void)unused;
	(void)setsid();
	close_others(watch.pidfd, watch.proof_fd, watch.exec_fd);
	while (now_ms() < end) {
		struct pollfd ready[] = {
			{ .fd = watch.proof_fd, .events = POLLIN },
			{ .fd = watch.pidfd, .events = POLLIN },
			{ .fd = executed ? -1 : watch.exec_fd, .events = POLLIN },
		};
		char byte;

		if (poll(ready, 3, executed ? nap_ms : -1) < 0 && errno != EINTR) {
			break;
		}
		if (ready[0].revents != 0 && read(watch.proof_fd, &byte, 1) == 1) {
			break;
		}
		if (ready[1].revents != 0) {
			break;
		}
		if (ready[2].revents != 0) {
			if (read(watch.exec_fd, &byte, 1) != 0) {
				break; /* dismissed */
			}
			executed = true;
			continue;
		}
		if (executed && (ready[0].revents != 0 || look_at_maps() == SIGHT_MISSING)) {
			kill_program();
			break;
		}
		nap_ms = nap_ms * 2 < GUARD_LONGEST_NAP_MS ? nap_ms * 2 : GUARD_LONGEST_NAP_MS;
	}
	return 0;
}

static int move_high(int fd)
{
	int high = fcntl(fd, F_DUPFD, PROOF_FD_LOWEST);

	return high >= 0 ? high : fcntl(fd, F_DUPFD, 3);
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
	}
}

static bool start_watching(struct proof_guard *guard)
{
	enum { PROOF, PROOF_END, EXEC, EXEC_END, PIDFD, N };
	int fds[N] = { -1, -1, -1, -1, -1 };

	fds[PIDFD] = (int)syscall(SYS_pidfd_open, watch.pid, 0);
	if (fds[PIDFD] < 0 && errno == ENOSYS) {
		return true; /* Linux before 5.3: the probe has to do */
	}
	if (fds[PIDFD] >= 0 && pipe2(&fds[PROOF], O_CLOEXEC) == 0 && pipe2(&fds[EXEC], O_CLOEXEC) == 0) {
		watch.pidfd = fds[PIDFD];
		watch.proof_fd = fds[PROOF];
		watch.exec_fd = fds[EXEC];
		guard->proof_fd = move_high(fds[PROOF_END]);
		guard->pid = guard->proof_fd >= 0 ? start_guard(look_on) : -1;
	}
	if (guard->pid < 0) {
		if (guard->proof_fd >= 0) {
			close(guard->proof_fd);
		}
		guard->proof_fd = -1;
		close_all(fds, N);
		return false;
	}
	guard->exec_fd = fds[EXEC_END];
	fds[EXEC_END] = -1;
	close_all(fds, N);
	return true;
}

/* ---- both ---- */

bool proof_guard_start(struct proof_guard *guard, const struct proof_subject *subject)
{
	char value[32];

	*guard = (struct proof_guard){ .pid = -1, .proof_fd = -1, .exec_fd = -1 };
	watch = (struct watch){ .subject = *subject, .pid = getpid() };
	if (!start_holding(guard) && (errno != 0 || !start_watching(guard))) {
		return false;
	}
	if (guard->pid < 0) {
		return true;
	}
	(void)snprintf(value, sizeof(value), guard->holds ? "%ld" : "%ld:%d", (long)guard->pid, guard->proof_fd);
	if (setenv(REPORT_VARIABLE, value, 1) != 0) {
		proof_guard_dismiss(guard);
		return false;
	}
	return true;
}

void proof_guard_dismiss(struct proof_guard *guard)
{
	int saved = errno;

	if (guard->holds) {
		report_presence(getenv(REPORT_VARIABLE));
	}
	if (guard->exec_fd >= 0) {
		ssize_t n;

		do {
			n = write(guard->exec_fd, "X", 1);
		} while (n < 0 && errno == EINTR);
		close(guard->exec_fd);
		close(guard->proof_fd);
		reap_guard(guard->pid);
	}
	*guard = (struct proof_guard){ .pid = -1, .proof_fd = -1, .exec_fd = -1 };
	errno = saved;
}
