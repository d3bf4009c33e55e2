/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that is interrupted in unusual ways and then goes on: odd MODE PORT. The peer echoes.
 *
 *   jump        leaves a blocked read by siglongjmp() from a signal handler
 *   restart     a handler with SA_RESTART during a blocked read; the data come later
 *   handler     a signal handler writes to the connection that is being read
 *   storm       a signal handler writes to the connection again and again, in the middle of other calls on it
 *   cancel      threads are cancelled in blocked read, recv, readv, poll and write
 *   high        the descriptor has a number above 1,024
 *   reset       SO_LINGER with zero, then the next connection on the same number
 *   again       connect() on a connected socket, then AF_UNSPEC and a second connection
 *   stop        shutdown() ends a write that another thread is blocked in, and the peer reads nothing
 *   small       a thread with the smallest stack that there may be writes and reads in pieces
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

static struct sockaddr_in address = {.sin_family = AF_INET};
static sigjmp_buf back;
static int connection;

static int connected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		err(1, "connect");
	}
	return fd;
}

/* Does the connection carry bytes there and back? */
static void talk(int fd, const char *text)
{
	char got[64] = "";
	size_t n = 0, len = strlen(text);

	if (write(fd, text, len) != (ssize_t)len) {
		err(1, "write");
	}
	while (n < len) {
		ssize_t part = read(fd, got + n, len - n);
		if (part < 0 && errno == EINTR) {
			continue;
		}
		if (part <= 0) {
			err(1, "read gave %zd", part);
		}
		n += (size_t)part;
	}
	printf("%s\n", got);
}

static void on_alarm(int sig, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	struct itimerval timer = {.it_value = {0, 50000}};

	sigaction(sig, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void jump(int sig)
{
	siglongjmp(back, sig);
}

static void nothing(int sig)
{
	(void)sig;
}

static void send_from_handler(int sig)
{
	(void)sig;
	if (write(connection, "from the handler", 16) != 16) {
		_exit(5);
	}
}

static volatile sig_atomic_t n_handled;

static void send_if_possible(int sig)
{
	int saved = errno;

	(void)sig;
	n_handled += write(connection, "+", 1) == 1;
	errno = saved;
}

static void run_storm(void)
{
	struct sigaction action = {.sa_handler = send_if_possible, .sa_flags = SA_RESTART};
	struct itimerval timer = {{0, 300}, {0, 300}}, off = {0};
	static char bytes[40000];
	long sent = 0, got = 0;
	ssize_t n;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < 1000; i++) {
		n = write(connection, bytes, 30000);
		sent += n > 0 ? n : 0;
		while (got < sent && (n = read(connection, bytes, sizeof(bytes))) != 0) {
			if (n < 0 && errno != EINTR && errno != EAGAIN) {
				err(1, "read");
			}
			got += n > 0 ? n : 0;
		}
	}
	setitimer(ITIMER_REAL, &off, NULL);
	shutdown(connection, SHUT_WR);
	while ((n = read(connection, bytes, sizeof(bytes))) > 0) {
		got += n;
	}
	printf("%s, handlers %s\n", got == sent + n_handled ? "all came back" : "LOST",
	       n_handled > 10 ? "ran" : "did not run");
}

static void *read_blocked(void *arg)
{
	char byte;
	struct iovec iov = {&byte, 1};
	struct pollfd pfd = {.fd = connection, .events = POLLIN};
	static char much[1 << 20];

	switch (*(int *)arg) {
	case 0:
		return read(connection, &byte, 1) < 0 ? NULL : arg;
	case 1:
		return recv(connection, &byte, 1, MSG_PEEK) < 0 ? NULL : arg;
	case 2:
		return readv(connection, &iov, 1) < 0 ? NULL : arg;
	case 3:
		return poll(&pfd, 1, -1) < 0 ? NULL : arg;
	default:
		while (write(connection, much, sizeof(much)) > 0) {
		}
		return NULL;
	}
}

static void cancel_in(int way)
{
	pthread_t thread;
	void *result;

	pthread_create(&thread, NULL, read_blocked, &way);
	usleep(way == 4 ? 300000 : 50000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	printf("way %d: %s\n", way, result == PTHREAD_CANCELED ? "cancelled" : "returned");
}

static void run_cancel(void)
{
	for (int way = 0; way < 4; way++) {
		cancel_in(way);
	}
	talk(connection, "still here");
	cancel_in(4);
}

static void run_again(int fd)
{
	const struct sockaddr none = {.sa_family = AF_UNSPEC};

	printf("%s\n",
	       connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? strerrorname_np(errno) : "?");
	talk(fd, "first");
	if (connect(fd, &none, sizeof(none)) != 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		err(1, "connect again");
	}
	talk(fd, "second");
}

static void run_stop(void)
{
	const int little = 4096;
	pthread_t thread;
	int way = 4;

	signal(SIGPIPE, SIG_IGN);
	setsockopt(connection, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
	pthread_create(&thread, NULL, read_blocked, &way);
	usleep(500000);
	printf("%d ", shutdown(connection, SHUT_RDWR));
	pthread_join(thread, NULL);
	printf("stopped\n");
}

static void *in_pieces(void *arg)
{
	char bytes[6] = "";
	struct iovec out[2] = {{"in ", 3}, {"two", 3}};
	struct iovec in[2] = {{bytes, 1}, {bytes + 1, 5}};
	struct msghdr message = {.msg_iov = in, .msg_iovlen = 2};

	printf("%zd ", writev(connection, out, 2));
	printf("%zd ", recvmsg(connection, &message, MSG_WAITALL));
	message.msg_iov = out;
	printf("%zd ", sendmsg(connection, &message, 0));
	printf("%zd\n", readv(connection, in, 1));
	return arg;
}

/* With nothing below the stack, as far as the largest array that anybody might put there. */
static void run_small(void)
{
	const size_t size = 16384, below = 65536;
	char *memory = mmap(NULL, below + size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;

	if (memory == MAP_FAILED || mprotect(memory + below, size, PROT_READ | PROT_WRITE) != 0) {
		err(1, "mmap");
	}
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, memory + below, size);
	if (pthread_create(&thread, &attr, in_pieces, NULL) != 0) {
		errx(1, "pthread_create");
	}
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	const struct linger reset = {1, 0};
	char bytes[32] = "";
	ssize_t n;

	if (argc != 3) {
		return 2;
	}
	address.sin_port = htons((uint16_t)atoi(argv[2]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	connection = connected();
	if (strcmp(argv[1], "jump") == 0) {
		on_alarm(SIGALRM, jump, 0);
		if (sigsetjmp(back, 1) == 0) {
			n = read(connection, bytes, sizeof(bytes));
			printf("read returned %zd\n", n);
		}
		talk(connection, "after the jump");
	} else if (strcmp(argv[1], "restart") == 0) {
		on_alarm(SIGALRM, nothing, SA_RESTART);
		if (fork() == 0) {
			usleep(150000);
			_exit(write(connection, "later", 5) == 5 ? 0 : 1);
		}
		n = read(connection, bytes, sizeof(bytes));
		printf("%zd %s\n", n, bytes);
		on_alarm(SIGALRM, nothing, 0);
		n = read(connection, bytes, sizeof(bytes));
		printf("%zd %s\n", n, strerrorname_np(errno));
	} else if (strcmp(argv[1], "handler") == 0) {
		on_alarm(SIGALRM, send_from_handler, SA_RESTART);
		n = read(connection, bytes, sizeof(bytes));
		printf("%zd %s\n", n, bytes);
	} else if (strcmp(argv[1], "storm") == 0) {
		run_storm();
	} else if (strcmp(argv[1], "cancel") == 0) {
		run_cancel();
	} else if (strcmp(argv[1], "high") == 0) {
		int high = fcntl(connection, F_DUPFD, 3000);
		close(connection);
		talk(high, "high");
	} else if (strcmp(argv[1], "reset") == 0) {
		talk(connection, "one");
		setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(connection);
		printf("%s\n", connected() == connection ? "same number" : "other number");
		talk(connection, "two");
	} else if (strcmp(argv[1], "again") == 0) {
		run_again(connection);
	} else if (strcmp(argv[1], "stop") == 0) {
		run_stop();
	} else if (strcmp(argv[1], "small") == 0) {
		run_small();
	}
	return 0;
}
