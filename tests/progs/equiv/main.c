/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random sequences of socket calls on a connected pair of TCP sockets, for comparison of a run with the shim
 * and one without:
 *
 *   equiv PORT CLOSED_PORT SEED COUNT
 *
 * prints what each call did, for COUNT sequences from SEED on. The same seed makes the same calls, in this
 * process, in a thread or in a forked child. What may differ under TLS is left out here: how many bytes fit
 * into full buffers.
 */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "equiv.h"

struct shared *state;
int fds[2][MAX_FDS], n_fds[2];
int epoll_fd, listener, port, closed_port;
volatile sig_atomic_t n_pipe;
pid_t child;
static int to_child = -1, from_child = -1;

enum where { ANYWHERE, HERE };
static const struct {
	const char *name;
	void (*run)(const struct op *op);
	enum where where;
} kinds[] = {
#define KIND(name, weight, where) {#name, run_##name, where},
#include "kinds.def"
#undef KIND
};

/* ---- a thread, a child ---- */

static void *run_in_thread(void *arg)
{
	const struct op *op = arg;

	kinds[op->kind].run(op);
	return NULL;
}

static void serve(int in, int out)
{
	struct op op;

	close(epoll_fd);
	epoll_fd = epoll_create1(0);
	while (read(in, &op, sizeof(op)) == (ssize_t)sizeof(op) && op.kind != KIND_END) {
		kinds[op.kind].run(&op);
		if (write(out, "", 1) != 1) {
			break;
		}
	}
	_exit(0);
}

static void start_child(void)
{
	int down[2], up[2];

	if (pipe(down) != 0 || pipe(up) != 0) {
		exit(2);
	}
	fflush(stdout);
	child = fork();
	if (child == 0) {
		close(down[1]);
		close(up[0]);
		serve(down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	to_child = down[1];
	from_child = up[0];
}

static void run_in_child(const struct op *op)
{
	char byte;

	if (write(to_child, op, sizeof(*op)) != (ssize_t)sizeof(*op) ||
	    (op->kind != KIND_END && read(from_child, &byte, 1) != 1)) {
		say(" CHILD GONE");
	}
}

static void end_child(void)
{
	struct op op = {.kind = KIND_END};
	int status = -1;

	if (child > 0) {
		run_in_child(&op);
		waitpid(child, &status, 0);
		say("child ends %x\n", (unsigned)status);
		close(to_child);
		close(from_child);
		child = 0;
	}
}

static void run_op(const struct op *op)
{
	pthread_t thread;
	uint32_t where = draw(10);

	if (kinds[op->kind].where == HERE) {
		where = 9;
	}
	say("%s %d %s:", kinds[op->kind].name, op->end,
	    where == 0               ? "thread"
	    : where < 4 && child > 0 ? "child"
				     : "here");
	if (where == 0) {
		pthread_create(&thread, NULL, run_in_thread, (void *)(uintptr_t)op);
		pthread_join(thread, NULL);
	} else if (where < 4 && child > 0) {
		run_in_child(op);
	} else {
		kinds[op->kind].run(op);
	}
	if (op->kind == KIND_send || op->kind == KIND_shut || op->kind == KIND_lines ||
	    op->kind == KIND_forked) {
		await_arrival();
	}
	say("\n");
}

/* ---- a sequence ---- */

static int listen_on(int on)
{
	struct sockaddr_in addr = address_of(on);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, 8) != 0) {
		perror("listen");
		exit(2);
	}
	return fd;
}

/* A server that speaks first. */
static void speak_first(void)
{
	uint8_t bytes[100];
	long n;

	make_bytes(1, 0, bytes, sizeof(bytes));
	n = write(fds[1][0], bytes, sizeof(bytes));
	say("early");
	say_result(n);
	say("\n");
	state->sent[1] += n > 0 ? (uint64_t)n : 0;
}

static void connect_pair(void)
{
	struct pollfd both[2];
	int small = draw(5) == 0 ? 32768 + (int)draw(30000) : 0;

	fds[0][0] = connect_to(port, SOCK_NONBLOCK);
	if (errno != EINPROGRESS) {
		say("connect?\n");
	}
	fds[1][0] = accept_one(SOCK_NONBLOCK);
	n_fds[0] = n_fds[1] = 1;
	if (draw(4) == 0) {
		speak_first();
	}
	for (int i = 0; i < 2; i++) {
		both[i] = (struct pollfd){.fd = fds[i][0], .events = POLLOUT};
		setsockopt(fds[i][0], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	}
	do {
		both[0].revents = both[1].revents = 0;
		poll(both, 2, 5000);
	} while (both[0].revents == 0 || both[1].revents == 0);
	say("connected %x %x\n", (unsigned)both[0].revents, (unsigned)both[1].revents);
	for (int i = 0; i < 2; i++) {
		if (small) {
			setsockopt(fds[i][0], SOL_SOCKET, SO_SNDBUF, &(int){small}, sizeof(int));
		}
		state->nonblocking[i] = draw(2);
	}
	restore_blocking();
	/* Early data have come. */
	usleep(500);
}

/* Both ends say that they are done, and hear it. */
static void end_pair(void)
{
	for (int end = 0; end < 2; end++) {
		struct op op = {.kind = KIND_shut, .end = end};
		say("end %d:", end);
		read_all(end);
		if (!state->shut_wr[end]) {
			run_shut(&op);
		}
		say("\n");
	}
	for (int end = 0; end < 2; end++) {
		char byte;
		say("last read of %d:", end);
		if (recv(fds[end][0], &byte, 1, 0) != 0 && !(errno == ECONNRESET && state->shut_rd[end])) {
			say(" NO END: %s", strerrorname_np(errno));
		}
		say(" ready %d\n", is_ready(fds[end][0], POLLIN));
	}
	for (int end = 0; end < 2; end++) {
		for (int i = 0; i < n_fds[end]; i++) {
			close(fds[end][i]);
		}
	}
	close(epoll_fd);
}

static void run_seed(unsigned long seed)
{
	int n_ops;

	memset(state, 0, sizeof(*state));
	draw_from(seed);
	epoll_fd = epoll_create1(0);
	connect_pair();
	n_ops = 5 + (int)draw(80);
	for (int i = 0; i < n_ops; i++) {
		struct op op = draw_op();
		uint32_t forks = draw(60);
		if (forks == 0 && child == 0) {
			start_child();
		} else if (forks < 2) {
			end_child();
		}
		run_op(&op);
	}
	end_child();
	end_pair();
	printf("== seed %lu\n%s", seed, state->log);
	fflush(stdout);
}

static void on_pipe(int sig)
{
	(void)sig;
	n_pipe++;
}

static void on_alarm(int sig)
{
	(void)sig;
	fprintf(stderr, "HANGS after:\n%s\n", state->log);
	_exit(4);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_pipe};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec limit = {.it_value = {20, 0}};
	timer_t timer;

	if (argc != 5) {
		return 2;
	}
	port = atoi(argv[1]);
	closed_port = atoi(argv[2]);
	sigaction(SIGPIPE, &action, NULL);
	action.sa_handler = on_alarm;
	sigaction(SIGUSR1, &action, NULL);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	listener = listen_on(port);
	for (long i = 0; i < atol(argv[4]); i++) {
		timer_settime(timer, 0, &limit, NULL);
		run_seed(strtoul(argv[3], NULL, 10) + (unsigned long)i);
	}
	return 0;
}
