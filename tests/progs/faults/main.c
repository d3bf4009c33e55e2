/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both ends of a connection, for runs in which system calls are made to fail (inject.c):
 *
 *   faults SCENARIO LISTEN CONNECT TEXT
 *
 * A client sends TEXT over and over to port CONNECT, which leads to the server on LISTEN, and gets it back. A
 * call that fails is named with its errno ("send ECONNRESET"), and its end gives up. Data that is not what was
 * sent: status 3.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faults.h"

static const char *text;
static size_t text_len;
static int listen_port, connect_port, listener;

long note(const char *what, long rc)
{
	if (rc < 0) {
		printf("%s %s\n", what, strerrorname_np(errno));
	}
	return rc;
}

void make_bytes(char *out, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[i] = text[(at + i) % text_len];
	}
}

void check_bytes(const char *bytes, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (at + i >= TOTAL || bytes[i] != text[(at + i) % text_len]) {
			printf("WRONG BYTES at %zu\n", at + i);
			fflush(stdout);
			_exit(3);
		}
	}
}

static struct sockaddr_in address_of(int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return addr;
}

int connect_out(int flags)
{
	struct sockaddr_in addr = address_of(connect_port);
	int fd = (int)note("socket", socket(AF_INET, SOCK_STREAM | flags, 0));

	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 &&
	    !(flags && errno == EINPROGRESS)) {
		note("connect", -1);
		close(fd);
		return -1;
	}
	return fd;
}

/* ---- ends that block ---- */

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		long n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (note("write", n) < 0) {
			return false;
		}
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static void echo(int fd)
{
	char bytes[5000];
	size_t at = 0;
	long n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR)) {
		if (n < 0) {
			continue;
		}
		check_bytes(bytes, at, (size_t)n);
		at += (size_t)n;
		if (!write_all(fd, bytes, (size_t)n)) {
			return;
		}
	}
	note("read", n);
}

static void *ask(void *arg)
{
	char bytes[TOTAL];
	int fd = connect_out(0);
	size_t at = 0;
	long n = 0;

	(void)arg;
	if (fd < 0) {
		shutdown(listener, SHUT_RDWR); /* nobody will come */
		return NULL;
	}
	make_bytes(bytes, 0, TOTAL);
	if (write_all(fd, bytes, 100) && write_all(fd, bytes + 100, TOTAL - 100)) {
		note("shutdown", shutdown(fd, SHUT_WR));
		while (at < TOTAL && ((n = recv(fd, bytes, 7000, at % 2 ? MSG_WAITALL : 0)) > 0 ||
				      (n < 0 && errno == EINTR))) {
			check_bytes(bytes, at, n > 0 ? (size_t)n : 0);
			at += n > 0 ? (size_t)n : 0;
		}
		note("recv", n);
	}
	note("close", close(fd));
	printf("client got %zu\n", at);
	return NULL;
}

int take(int flags)
{
	struct pollfd pfd = {.fd = listener, .events = POLLIN};
	int fd = -1;

	errno = 0;
	if (poll(&pfd, 1, 3000) != 0) {
		do {
			fd = accept4(listener, NULL, NULL, flags);
		} while (fd < 0 && errno == EINTR);
	}
	if (errno != EINVAL) {
		note("accept", fd);
	}
	close(listener); /* whoever still wants in hears of it */
	return fd;
}

/* The client in a thread of its own. */
static pthread_t start_client(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, ask, NULL) != 0) {
		exit(0);
	}
	return thread;
}

static void run_block(void)
{
	pthread_t client = start_client();
	int fd = take(0);

	if (fd >= 0) {
		echo(fd);
		note("close", close(fd));
	}
	pthread_join(client, NULL);
}

/* ---- processes ---- */

static pid_t fork_off(void (*run)(int fd), int fd)
{
	pid_t pid = (pid_t)note("fork", fork());

	if (pid == 0) {
		run(fd);
		fflush(stdout);
		_exit(0);
	}
	return pid;
}

static void ask_in_child(int fd)
{
	(void)fd;
	close(listener);
	ask(NULL);
}

static void exec_cat(int fd)
{
	dup2(fd, 0);
	dup2(fd, 1);
	close(fd);
	execl("/bin/cat", "cat", (char *)NULL);
	note("exec", -1);
}

static void send_fd(int to, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	note("sendmsg", sendmsg(to, &msg, 0));
}

/* The receiver must not hold the other end. */
static int sending_end = -1;

static void echo_what_comes(int from)
{
	char control[CMSG_SPACE(sizeof(int))] = {0}, byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	int fd = -1;

	close(sending_end);
	if (note("recvmsg", recvmsg(from, &msg, 0)) > 0 && CMSG_FIRSTHDR(&msg)) {
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
		echo(fd);
		note("close", close(fd));
	}
}

static void run_processes(void (*serve)(int fd))
{
	pid_t client = fork_off(ask_in_child, -1), server = -1;
	int fd = take(0);

	if (fd >= 0) {
		server = fork_off(serve, fd);
		note("close", close(fd));
	}
	waitpid(client, NULL, 0);
	waitpid(server, NULL, 0);
}

static void run_fork(void)
{
	run_processes(echo);
}
static void run_exec(void)
{
	run_processes(exec_cat);
}

static void run_pass(void)
{
	int ends[2], fd;
	pthread_t client;
	pid_t receiver;

	if (note("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) < 0) {
		return;
	}
	sending_end = ends[0];
	receiver = fork_off(echo_what_comes, ends[1]);
	close(ends[1]);
	client = start_client();
	fd = take(0);
	if (fd >= 0) {
		send_fd(ends[0], fd);
		note("close", close(fd));
	}
	close(ends[0]);
	pthread_join(client, NULL);
	waitpid(receiver, NULL, 0);
}

/* ---- the rest ---- */

/* stdio, copies of descriptors, sendfile, splice and questions, at the server's end. */
static void run_odd(void)
{
	pthread_t client = start_client();
	int fd = take(0), copy, ends[2] = {-1, -1}, file, n = 0;
	char bytes[1000], line[200];
	FILE *stream;

	if (fd < 0) {
		pthread_join(client, NULL);
		return;
	}
	note("peek", recv(fd, bytes, 10, MSG_PEEK));
	note("ioctl", ioctl(fd, FIONREAD, &n));
	copy = (int)note("dup", dup(fd));
	file = memfd_create("faults", 0);
	make_bytes(bytes, 0, sizeof(bytes));
	(void)!write(file, bytes, sizeof(bytes));
	note("sendfile", sendfile(fd, file, &(off_t){0}, 500));
	stream = copy >= 0 ? fdopen(copy, "r+") : NULL;
	if (stream) {
		(void)!fgets(line, sizeof(line), stream);
		fclose(stream);
	} else {
		close(copy);
	}
	if (pipe(ends) == 0) {
		note("splice", splice(fd, NULL, ends[1], NULL, 300, 0));
	}
	note("shutdown", shutdown(fd, SHUT_RDWR));
	note("close", close_range((unsigned)fd, (unsigned)fd, 0));
	close(ends[0]);
	close(ends[1]);
	close(file);
	pthread_join(client, NULL);
}

/* Given up in the middle of the handshake, by close and by exit. */
static void run_hasty(void)
{
	int first = connect_out(SOCK_NONBLOCK), fd;
	struct half half = {.fd = first};

	if (first < 0) {
		return;
	}
	fd = take(SOCK_NONBLOCK);
	step(&half);
	if (!half.is_done) {
		note("close", close(first));
	}
	if (fd >= 0) {
		char byte;
		note("read", read(fd, &byte, 1));
		exit(0);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} scenarios[] = {{"block", run_block}, {"poll", run_poll}, {"select", run_select},
			 {"epoll", run_epoll}, {"fork", run_fork}, {"exec", run_exec},
			 {"pass", run_pass},   {"odd", run_odd},   {"hasty", run_hasty}};
	struct sockaddr_in addr;

	if (argc != 5) {
		return 2;
	}
	listen_port = atoi(argv[2]);
	connect_port = atoi(argv[3]);
	text = argv[4];
	text_len = strlen(text);
	signal(SIGPIPE, SIG_IGN);
	close(-77); /* from here on calls may fail */
	addr = address_of(listen_port);
	listener = (int)note("socket", socket(AF_INET, SOCK_STREAM, 0));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (listener < 0 || note("bind", bind(listener, (struct sockaddr *)&addr, sizeof(addr))) != 0 ||
	    note("listen", listen(listener, 8)) != 0) {
		return 0;
	}
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (strcmp(scenarios[i].name, argv[1]) == 0) {
			scenarios[i].run();
			return 0;
		}
	}
	return 2;
}
