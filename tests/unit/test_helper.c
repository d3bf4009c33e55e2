/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes of the shim's own: what they have, and that the program does not notice them.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../../shim/helper.h"
#include "session_pair.h"

/* What a helper tells about itself. */
struct facts {
	pid_t pid, sid, ppid;
	int n_fds, core;
	char name[16], cwd[64], status[4096];
};

static atomic_int n_sigchld;

static void on_sigchld(int sig)
{
	(void)sig;
	n_sigchld++;
}

static void read_proc(const char *path, char *out, size_t room)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, out, room - 1) : -1;

	out[n > 0 ? n : 0] = '\0';
	close(fd);
}

/* ctx: the writing end of a pipe, kept. */
static void tell(void *ctx)
{
	static struct facts facts;
	int out = *(int *)ctx;

	facts.pid = getpid();
	facts.sid = getsid(0);
	facts.core = prctl(PR_GET_DUMPABLE);
	prctl(PR_GET_NAME, facts.name);
	if (!getcwd(facts.cwd, sizeof(facts.cwd))) {
		return;
	}
	for (int fd = 3; fd < 1024; fd++) {
		facts.n_fds += fcntl(fd, F_GETFD) >= 0;
	}
	read_proc("/proc/self/status", facts.status, sizeof(facts.status));
	if (write(out, &facts, sizeof(facts)) != sizeof(facts)) {
		_exit(1);
	}
}

static bool learn(int in, struct facts *facts)
{
	size_t have = 0;

	while (have < sizeof(*facts)) {
		ssize_t n = read(in, (char *)facts + have, sizeof(*facts) - have);
		if (n <= 0) {
			return false;
		}
		have += (size_t)n;
	}
	return true;
}

/* A line of /proc/PID/status. */
static unsigned long long hex_of(const struct facts *facts, const char *key)
{
	const char *line = strstr(facts->status, key);

	assert_non_null(line);
	return strtoull(line + strlen(key), NULL, 16);
}

static void assert_detached(const struct facts *facts, pid_t pid)
{
	assert_int_equal(facts->pid, pid);
	assert_int_not_equal(facts->sid, getsid(0));
	assert_int_not_equal(facts->sid, pid); /* no leader: it can get no terminal */
	assert_string_equal(facts->name, "tlshim-relay");
	assert_string_equal(facts->cwd, "/");
	assert_int_equal(facts->core, 0);
	assert_int_equal(hex_of(facts, "\nSigBlk:"), 0);
	assert_int_equal(hex_of(facts, "\nSigCgt:"), 0);
	assert_int_equal(hex_of(facts, "\nSigIgn:"), 1ull << (SIGPIPE - 1));
	assert_int_equal(hex_of(facts, "\nSigPnd:"), 0);
}

static void a_helper_is_detached_and_unnoticed(void **state)
{
	struct sigaction action = {.sa_handler = on_sigchld};
	sigset_t blocked, now;
	struct facts facts;
	int ends[2], extra, pid;

	(void)state;
	assert_int_equal(sigaction(SIGCHLD, &action, NULL), 0);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	assert_int_equal(sigprocmask(SIG_SETMASK, &blocked, NULL), 0);
	assert_int_equal(pipe(ends), 0);
	extra = open("/dev/null", O_RDONLY);
	assert_true(extra >= 0);
	n_sigchld = 0;
	errno = EDOM;
	pid = helper_start(tell, &ends[1], &ends[1], 1);
	assert_int_equal(errno, EDOM);
	assert_true(pid > 0);
	assert_true(learn(ends[0], &facts));
	assert_detached(&facts, pid);
	assert_int_equal(facts.n_fds, 1);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(waitpid(-1, NULL, __WALL), -1);
	assert_int_equal(n_sigchld, 0);
	assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &now), 0);
	assert_int_equal(sigismember(&now, SIGUSR2), 1);
	assert_int_equal(sigismember(&now, SIGUSR1), 0);
	assert_int_equal(close(extra), 0); /* ours is still open */
	close(ends[0]);
	close(ends[1]);
	sigemptyset(&blocked);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static void a_vfork_child_may_start_one(void **state)
{
	struct facts facts;
	int ends[2], status;
	volatile int helper = 0;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = vfork();
	if (child == 0) {
		helper = helper_start(tell, &ends[1], &ends[1], 1);
		_exit(helper > 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(learn(ends[0], &facts));
	assert_detached(&facts, helper);
	assert_int_equal(waitpid(-1, NULL, __WALL), -1);
	close(ends[0]);
	close(ends[1]);
}

static void *start_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		struct facts facts;
		int ends[2], pid;
		if (pipe2(ends, O_CLOEXEC) != 0) {
			return "pipe";
		}
		pid = helper_start(tell, &ends[1], &ends[1], 1);
		close(ends[1]);
		if (pid <= 0 || !learn(ends[0], &facts) || facts.pid != pid || facts.n_fds != 1) {
			return "helper";
		}
		close(ends[0]);
	}
	return NULL;
}

static void threads_may_start_them_at_the_same_time(void **state)
{
	pthread_t threads[8];
	void *failed;

	(void)state;
	for (int i = 0; i < 8; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, start_many, NULL), 0);
	}
	for (int i = 0; i < 8; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(waitpid(-1, NULL, __WALL), -1);
}

/* Forbid clone() with those flags, or all of it (0): EAGAIN. */
static void forbid_clone(uint32_t flags)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flags, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		_exit(77);
	}
}

static int result_without(uint32_t flags)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		forbid_clone(flags);
		int rc = helper_start(tell, &(int){2}, NULL, 0);
		_exit(rc < 0 ? -rc : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void where_no_process_may_be_made_the_call_fails(void **state)
{
	int keep[HELPER_KEEP_MAX + 1] = {0};

	(void)state;
	assert_int_equal(result_without(CLONE_VM), EAGAIN);
	assert_int_equal(result_without(CLONE_CHILD_SETTID), EAGAIN); /* the second step */
	assert_int_equal(helper_start(tell, keep, keep, HELPER_KEEP_MAX + 1), -EINVAL);
	assert_int_equal(waitpid(-1, NULL, __WALL), -1);
}

/* ---- connections ---- */

struct answer {
	int fd, gate; /* to answer on; read before that */
};

/* Answers what has come with it, and closes. */
static void answer(void *ctx)
{
	const struct answer *with = ctx;
	char buf[64];
	ssize_t n = read(with->gate, buf, 1);

	n = get(with->fd, buf, sizeof(buf), 0);
	if (n > 0 && put(with->fd, buf, (size_t)n, 0) == n) {
		session_close(with->fd);
	}
}

static void wait_for_end(int client)
{
	char byte;

	assert_int_equal(get(client, &byte, 1, 0), 0);
	assert_int_equal(session_close(client), 0);
}

static void a_helper_goes_on_with_a_connection_that_the_program_closes(void **state)
{
	struct pair p = pair_open_shaken(0);
	struct answer with = {.fd = p.server};
	char buf[64];
	int gate[2];

	(void)state;
	assert_int_equal(pipe(gate), 0);
	with.gate = gate[0];
	assert_true(helper_start(answer, &with, (const int[]){p.server, gate[0]}, 2) > 0);
	assert_int_equal(session_close(p.server), 0); /* not the last holder: no close_notify */
	assert_int_equal(put(p.client, "question", 8, 0), 8);
	assert_int_equal(write(gate[1], "!", 1), 1);
	assert_int_equal(get(p.client, buf, sizeof(buf), 0), 8);
	assert_memory_equal(buf, "question", 8);
	wait_for_end(p.client);
	close(gate[0]);
	close(gate[1]);
}

static void a_helper_may_do_the_handshake(void **state)
{
	struct pair p = pair_open(0);
	struct answer with = {.fd = p.server};
	char buf[64];
	int gate[2];

	(void)state;
	assert_int_equal(pipe(gate), 0);
	with.gate = gate[0];
	close(gate[1]);
	assert_true(helper_start(answer, &with, (const int[]){p.server, gate[0]}, 2) > 0);
	assert_int_equal(session_close(p.server), 0);
	assert_int_equal(put(p.client, "question", 8, 0), 8);
	assert_int_equal(get(p.client, buf, sizeof(buf), 0), 8);
	wait_for_end(p.client);
	close(gate[0]);
}

static void wait_at_gate(void *ctx)
{
	char byte;
	ssize_t n = read(*(int *)ctx, &byte, 1);

	(void)n;
}

static void a_helper_holds_no_other_connection(void **state)
{
	struct pair p = pair_open_shaken(0);
	int gate[2];

	(void)state;
	assert_int_equal(pipe(gate), 0);
	assert_true(helper_start(wait_at_gate, &gate[0], gate, 1) > 0);
	assert_int_equal(session_close(p.server), 0);
	wait_for_end(p.client);
	close(gate[0]);
	close(gate[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_helper_is_detached_and_unnoticed),
		cmocka_unit_test(a_vfork_child_may_start_one),
		cmocka_unit_test(threads_may_start_them_at_the_same_time),
		cmocka_unit_test(where_no_process_may_be_made_the_call_fails),
		cmocka_unit_test(a_helper_goes_on_with_a_connection_that_the_program_closes),
		cmocka_unit_test(a_helper_may_do_the_handshake),
		cmocka_unit_test(a_helper_holds_no_other_connection),
	};

	return cmocka_run_group_tests(tests, pair_setup, pair_teardown);
}
