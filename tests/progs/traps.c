/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traps into which libraries like ours have fallen: traps MODE [PORT].
 *
 *   errno PORT    does a call that succeeds leave errno alone? On a pipe, a file, and on the connection to PORT
 *   numbers       system calls by number that have nothing to do with sockets
 *   sigpipe PORT  which calls raise SIGPIPE on a connection whose sending side is shut down
 *   accept PORT   what accept() and accept4() do with flags and addresses; connects to itself
 *   reuse PORT    the number of a connection, closed in ways that the shim may not see, is a file's afterwards
 *   shuffle PORT  the same at random, among other connections and files
 *   churn PORT    threads that open and close descriptors all the time beside threads that talk to an echo server
 *   cancel PORT   ten thousand threads are cancelled in calls on one connection, at whatever moment it is
 *   inherit PORT  connects, moves the connection to descriptor 9, and executes what follows
 *   wait PORT     connects and executes the rest as a child, by the shell; then talks to the echo server
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static const char *port;

static struct sockaddr_in loopback(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(port)) };

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return at;
}

static int connected(void)
{
	struct sockaddr_in at = loopback();
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		err(1, "connect");
	}
	return fd;
}

static void echo(int fd, const char *text)
{
	char got[64];
	size_t len = strlen(text), n = 0;

	if (write(fd, text, len) != (ssize_t)len) {
		err(1, "write");
	}
	while (n < len) {
		ssize_t part = read(fd, got + n, len - n);

		if (part <= 0) {
			err(1, "read gave %zd", part);
		}
		n += (size_t)part;
	}
	if (memcmp(got, text, len) != 0) {
		errx(1, "another text came back");
	}
}

/* ---- errno ---- */

static int n_kept;

#define KEEPS(call) \
	do { \
		errno = 4242; \
		if ((long)(call) < 0) { \
			err(1, "%s", #call); \
		} \
		if (errno != 4242) { \
			printf("%s changed errno to %d\n", #call, errno); \
		} \
		n_kept++; \
	} while (0)

static void errno_of(int in, int out)
{
	char bytes[8] = "1234567";
	struct iovec iov = { bytes, 4 };
	struct pollfd pfd = { out, POLLOUT, 0 };
	struct epoll_event event = { .events = EPOLLOUT };
	struct stat st;
	int epfd, fd;

	KEEPS(write(out, bytes, 4));
	KEEPS(writev(out, &iov, 1));
	KEEPS(read(in, bytes, 4));
	KEEPS(readv(in, &iov, 1));
	KEEPS(dprintf(out, "%s", "text"));
	KEEPS(read(in, bytes, 4));
	KEEPS(poll(&pfd, 1, 0));
	KEEPS(ppoll(&pfd, 1, &(struct timespec){ 0 }, NULL));
	KEEPS(fstat(out, &st));
	KEEPS(fd = dup(out));
	KEEPS(dup2(out, fd));
	KEEPS(dup3(out, fd, O_CLOEXEC));
	KEEPS(close(fd));
	KEEPS(fd = fcntl(out, F_DUPFD_CLOEXEC, 20));
	KEEPS(fcntl(fd, F_GETFL));
	KEEPS(close(fd));
	if (!S_ISREG(st.st_mode)) {
		KEEPS(epfd = epoll_create1(0));
		KEEPS(epoll_ctl(epfd, EPOLL_CTL_ADD, out, &event));
		KEEPS(epoll_wait(epfd, &event, 1, 0));
		KEEPS(epoll_pwait(epfd, &event, 1, 0, NULL));
		KEEPS(close(epfd));
	}
	if (S_ISSOCK(st.st_mode)) {
		int value = 0;
		socklen_t len = sizeof(value);
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

		KEEPS(send(out, bytes, 4, MSG_NOSIGNAL));
		KEEPS(recv(in, bytes, 4, 0));
		KEEPS(sendmsg(out, &msg, 0));
		KEEPS(recvmsg(in, &msg, 0));
		KEEPS(getsockopt(out, SOL_SOCKET, SO_ERROR, &value, &len));
		KEEPS(setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)));
		KEEPS(ioctl(in, FIONREAD, &value));
	}
}

static int errno_everywhere(void)
{
	int pipes[2], file, fd;
	struct sockaddr_in at = loopback();
	pid_t pid;

	KEEPS(pipe(pipes));
	errno_of(pipes[0], pipes[1]);
	file = open("errno-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (write(file, "0123456789abcdefghijklmn", 24) != 24) {
		err(1, "write");
	}
	/* Reads its own end later: the file is longer than what is written. */
	errno_of(open("errno-file", O_RDONLY), file);
	KEEPS(fd = socket(AF_INET, SOCK_STREAM, 0));
	KEEPS(connect(fd, (struct sockaddr *)&at, sizeof(at)));
	errno_of(fd, fd);
	KEEPS(pid = fork());
	if (pid == 0) {
		_exit(0);
	}
	KEEPS(waitpid(pid, NULL, 0));
	KEEPS(posix_spawnp(&pid, "true", NULL, NULL, (char *[]){ "true", NULL }, environ));
	KEEPS(waitpid(pid, NULL, 0));
	KEEPS(sendfile(fd, open("errno-file", O_RDONLY), NULL, 4));
	KEEPS(shutdown(fd, SHUT_WR));
	KEEPS(close(fd));
	printf("%d calls\n", n_kept);
	return 0;
}

/* ---- by number ---- */

static int numbers(void)
{
	struct timespec none = { 0, 1 };
	char bytes[8];
	int word = 1;
	/* statx() with the struct as bytes, for its header may clash */
	char space[256];

	printf("gettid %d\n", syscall(SYS_gettid) == getpid());
	printf("getrandom %ld\n", syscall(SYS_getrandom, bytes, sizeof(bytes), 0));
	printf("statx %ld\n", syscall(SYS_statx, AT_FDCWD, "/", 0, 0x7ff, space));
	printf("membarrier %d\n", syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) >= 0);
	printf("futex %d\n", syscall(SYS_futex, &word, 0, 2, &none, NULL, 0) == -1 && errno == EAGAIN);
	printf("futex %d\n", syscall(SYS_futex, &word, 0, 1, &none, NULL, 0) == -1 && errno == ETIMEDOUT);
	printf("unknown %d\n", syscall(1 << 20) == -1 && errno == ENOSYS);
	return 0;
}

/* ---- SIGPIPE ---- */

static volatile sig_atomic_t n_signals;

static void count(int signal_number)
{
	(void)signal_number;
	n_signals++;
}

#define PIPES(call) \
	do { \
		long rc_ = (n_signals = 0, (long)(call)); \
		printf("%s: %ld %s, %d signals\n", #call, rc_, rc_ < 0 ? strerror(errno) : "", (int)n_signals); \
	} while (0)

static int sigpipe(void)
{
	int fd = connected(), file = open("/proc/self/exe", O_RDONLY), pipes[2];
	struct iovec iov = { "text", 4 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	FILE *stream;
	char byte;

	if (pipe(pipes) != 0 || write(pipes[1], "text", 4) != 4) {
		err(1, "pipe");
	}
	signal(SIGPIPE, count);
	shutdown(fd, SHUT_WR);
	PIPES(write(fd, "text", 4));
	PIPES(writev(fd, &iov, 1));
	PIPES(send(fd, "text", 4, 0));
	PIPES(send(fd, "text", 4, MSG_NOSIGNAL));
	PIPES(sendto(fd, "text", 4, 0, NULL, 0));
	PIPES(sendmsg(fd, &msg, 0));
	PIPES(sendmsg(fd, &msg, MSG_NOSIGNAL));
	PIPES(sendfile(fd, file, NULL, 4));
	PIPES(splice(pipes[0], NULL, fd, NULL, 4, 0));
	PIPES(dprintf(fd, "text"));
	stream = fdopen(dup(fd), "w");
	fputs("text", stream);
	PIPES(fflush(stream));
	PIPES(read(fd, &byte, 1));
	PIPES(close(fd));
	return 0;
}

/* ---- accept ---- */

static int take(int listener, int flags, struct sockaddr *addr, socklen_t *len)
{
	int client = connected();
	struct pollfd pfd = { listener, POLLIN, 0 };
	int fd;

	(void)poll(&pfd, 1, 5000);
	fd = flags < 0 ? accept(listener, addr, len) : accept4(listener, addr, len, flags);
	if (fd < 0) {
		printf("%d: %s\n", flags, strerror(errno));
	} else {
		printf("%d: %s %s%s\n", flags, fcntl(fd, F_GETFL) & O_NONBLOCK ? "nonblocking" : "blocking",
		       fcntl(fd, F_GETFD) & FD_CLOEXEC ? "cloexec" : "inherited",
		       setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ 0 }, sizeof(int)) == 0 ? "" : " not a socket");
		close(fd);
	}
	close(client);
	return fd;
}

static int accepting(void)
{
	struct sockaddr_in at = loopback(), peer;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	socklen_t len = sizeof(peer), small = 4, negative = (socklen_t)-1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0) {
		err(1, "bind");
	}
	printf("not listening: %d %s\n", accept(listener, NULL, NULL), strerror(errno));
	if (listen(listener, 16) != 0) {
		err(1, "listen");
	}
	printf("nobody there: %d %s\n", accept(listener, NULL, NULL), strerror(errno));
	take(listener, -1, NULL, NULL);
	take(listener, 0, NULL, NULL);
	take(listener, SOCK_NONBLOCK, NULL, NULL);
	take(listener, SOCK_CLOEXEC, NULL, NULL);
	take(listener, SOCK_NONBLOCK | SOCK_CLOEXEC, (struct sockaddr *)&peer, &len);
	printf("address of %u bytes, family %d\n", (unsigned)len, peer.sin_family);
	memset(&peer, 0xee, sizeof(peer));
	take(listener, 0, (struct sockaddr *)&peer, &small);
	printf("address of %u bytes, the rest untouched: %d\n", (unsigned)small, peer.sin_addr.s_addr == 0xeeeeeeee);
	take(listener, 1 << 20, NULL, NULL);
	take(listener, -1, (struct sockaddr *)&peer, &negative);
	printf("bad descriptor: %d %s\n", accept(-1, NULL, NULL), strerror(errno));
	printf("not a socket: %d %s\n", accept(open("/dev/null", O_RDONLY), NULL, NULL), strerror(errno));
	return 0;
}

/* ---- numbers that come back ---- */

static void raw_close(int fd)
{
#if defined(__x86_64__)
	long rc;
	__asm__ volatile("syscall" : "=a"(rc) : "0"(SYS_close), "D"(fd) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = SYS_close, x0 __asm__("x0") = fd;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8) : "memory");
#endif
}

static void by_fclose(int fd)
{
	fclose(fdopen(fd, "r+"));
}

static void by_freopen(int fd)
{
	FILE *stream = fdopen(fd, "r+");

	/* The stream keeps its number; closing it gives the number back. */
	fclose(freopen("/dev/null", "r", stream));
}

static void by_close(int fd)
{
	close(fd);
}

static void by_closefrom(int fd)
{
	closefrom(fd);
}

static void by_close_range(int fd)
{
	close_range((unsigned)fd, ~0u, 0);
}

static void by_dup2(int fd)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, fd);
	close(fd);
	close(null);
}

static void by_syscall(int fd)
{
	syscall(SYS_close, fd);
}

/* What is written to a file or a socketpair with the connection's old number arrives as it is. */
static void is_plain(const char *how, int old)
{
	char got[16] = "";
	int pair[2], file = open("reuse-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int fd = file == old ? file : dup2(file, old);

	if (fd < 0 || write(fd, "plain text", 10) != 10 || lseek(fd, 0, SEEK_SET) != 0 || read(fd, got, 10) != 10 ||
	    memcmp(got, "plain text", 10) != 0 || send(fd, "x", 1, MSG_NOSIGNAL) != -1 || errno != ENOTSOCK) {
		err(1, "%s: a file", how);
	}
	close(file);
	close(fd);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || (pair[0] != old && dup2(pair[0], old) < 0) ||
	    write(old, "pair", 4) != 4 || read(pair[1], got, 16) != 4 || memcmp(got, "pair", 4) != 0) {
		err(1, "%s: a pair", how);
	}
	close(pair[0]);
	close(pair[1]);
	close(old);
	printf("%s: plain\n", how);
}

static const struct {
	const char *name;
	void (*close)(int fd);
} ways[] = {
	{ "close", by_close },	       { "fclose", by_fclose },	 { "freopen", by_freopen },
	{ "closefrom", by_closefrom }, { "close_range", by_close_range }, { "dup2", by_dup2 },
	{ "syscall", by_syscall },     { "an instruction", raw_close },
};
#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

/* A child whose list of actions closes and moves descriptors: the parent keeps its own. */
static void spawn_over(int fd)
{
	posix_spawn_file_actions_t actions;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, fd, 0);
	posix_spawn_file_actions_addclose(&actions, fd);
	if (posix_spawnp(&pid, "true", &actions, NULL, (char *[]){ "true", NULL }, environ) != 0 ||
	    waitpid(pid, &status, 0) != pid || status != 0) {
		errx(1, "posix_spawn");
	}
	posix_spawn_file_actions_destroy(&actions);
}

/* Descriptors 60 to 67 are connections or files, at random; each goes on to be what it is. */
static int shuffle(void)
{
	bool wrapped[8] = { false };
	unsigned seed = (unsigned)getpid();

	printf("seed %u\n", seed);
	for (int round = 0; round < 150; round++) {
		int i = rand_r(&seed) % 8, fd = 60 + i, now;
		size_t way = (size_t)rand_r(&seed) % N_WAYS;
		if (ways[way].close == by_closefrom || ways[way].close == by_close_range || fcntl(fd, F_GETFD) < 0) {
			way = 0; /* not the others */
		}
		if (wrapped[i] && rand_r(&seed) % 8 == 0) {
			spawn_over(fd);
			echo(fd, "spawned");
		}
		ways[way].close(fd);
		wrapped[i] = rand_r(&seed) % 2 == 0;
		now = wrapped[i] ? connected() : memfd_create("plain", 0);
		if (now < 0 || dup2(now, fd) != fd || close(now) != 0) {
			err(1, "round %d", round);
		}
		for (int other = 0; other < 8; other++) {
			char got[8] = "";
			if (fcntl(60 + other, F_GETFD) < 0) {
				continue;
			}
			if (wrapped[other]) {
				echo(60 + other, "by TLS");
			} else if (pwrite(60 + other, "plain", 5, 0) != 5 || lseek(60 + other, 0, SEEK_SET) != 0 ||
				   read(60 + other, got, 5) != 5 || memcmp(got, "plain", 5) != 0) {
				err(1, "round %d, file %d", round, 60 + other);
			}
		}
	}
	puts("each stayed what it was");
	return 0;
}

static int reuse(void)
{
	for (size_t i = 0; i < N_WAYS; i++) {
		int fd = connected();

		echo(fd, "before");
		ways[i].close(fd);
		is_plain(ways[i].name, fd);
		fd = connected();
		echo(fd, "after");
		close(fd);
	}
	return 0;
}

/* ---- churn ---- */

static _Atomic int stop;

static void *open_and_close(void *arg)
{
	unsigned long rounds = 0;

	(void)arg;
	while (!stop) {
		struct stat st, again;
		int fd = open("/proc/self/exe", O_RDONLY), pipes[2], other;

		if (fd < 0 || fstat(fd, &st) != 0 || pipe(pipes) != 0) {
			err(1, "open");
		}
		other = dup2(pipes[1], fcntl(fd, F_DUPFD_CLOEXEC, 3));
		if (other < 0 || write(other, "x", 1) != 1 || close(other) != 0 || close(pipes[0]) != 0 ||
		    close(pipes[1]) != 0) {
			err(1, "somebody else closed a descriptor of ours");
		}
		if (fstat(fd, &again) != 0 || st.st_ino != again.st_ino || close(fd) != 0) {
			err(1, "somebody else closed our file");
		}
		rounds++;
	}
	return (void *)rounds;
}

static void *talk(void *arg)
{
	unsigned long rounds = 0;

	(void)arg;
	while (!stop) {
		int fd = connected(), copy = dup(fd);

		echo(fd, "to and fro");
		if (close(fd) != 0) {
			err(1, "close");
		}
		echo(copy, "by another number");
		if (close(copy) != 0) {
			err(1, "close");
		}
		rounds++;
	}
	return (void *)rounds;
}

static int churn(void)
{
	pthread_t threads[8];
	void *rounds;

	for (int i = 0; i < 8; i++) {
		if (pthread_create(&threads[i], NULL, i < 5 ? open_and_close : talk, NULL) != 0) {
			errx(1, "pthread_create");
		}
	}
	usleep(1500000);
	stop = 1;
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &rounds);
		if ((unsigned long)rounds == 0) {
			errx(1, "thread %d did nothing", i);
		}
	}
	puts("nobody lost a descriptor");
	return 0;
}

/* ---- cancellation ---- */

static int target;

static void *wait_in_call(void *arg)
{
	struct pollfd pfd = { target, POLLIN, 0 };
	struct iovec iov = { &(char[1]){ 0 }, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(target, &set);
	switch ((long)arg % 7) {
	case 0:
		return (void *)read(target, iov.iov_base, 1);
	case 1:
		return (void *)recv(target, iov.iov_base, 1, 0);
	case 2:
		return (void *)readv(target, &iov, 1);
	case 3:
		return (void *)recvmsg(target, &msg, 0);
	case 4:
		return (void *)(long)poll(&pfd, 1, -1);
	case 5:
		return (void *)(long)select(target + 1, &set, NULL, NULL, NULL);
	default:
		for (;;) {
			if (write(target, "", 0) != 0) {
				err(1, "write");
			}
			pthread_testcancel();
		}
	}
}

static int cancel(void)
{
	pthread_t thread;
	void *result;

	target = connected();
	for (long i = 0; i < 10000; i++) {
		if (pthread_create(&thread, NULL, wait_in_call, (void *)i) != 0) {
			err(1, "pthread_create");
		}
		if (i % 3 == 0) {
			sched_yield();
		}
		pthread_cancel(thread);
		pthread_join(thread, &result);
		if (result != PTHREAD_CANCELED) {
			errx(1, "thread %ld returned %ld", i, (long)result);
		}
		if (i % 500 == 0) {
			echo(target, "between");
		}
	}
	echo(target, "afterwards");
	puts("10000 cancelled, the connection goes on");
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	port = argc > 2 ? argv[2] : "0";
	if (argc < 2) {
		errx(2, "usage: traps MODE [PORT]");
	}
	if (strcmp(argv[1], "errno") == 0) {
		return errno_everywhere();
	}
	if (strcmp(argv[1], "numbers") == 0) {
		return numbers();
	}
	if (strcmp(argv[1], "sigpipe") == 0) {
		return sigpipe();
	}
	if (strcmp(argv[1], "accept") == 0) {
		return accepting();
	}
	if (strcmp(argv[1], "reuse") == 0) {
		return reuse();
	}
	if (strcmp(argv[1], "shuffle") == 0) {
		return shuffle();
	}
	if (strcmp(argv[1], "churn") == 0) {
		return churn();
	}
	if (strcmp(argv[1], "cancel") == 0) {
		return cancel();
	}
	if (strcmp(argv[1], "inherit") == 0 && argc > 3) {
		dup2(connected(), 9);
		execv(argv[3], argv + 3);
		err(1, "%s", argv[3]);
	}
	if (strcmp(argv[1], "wait") == 0 && argc > 3) {
		int fd = connected();

		echo(fd, "before");
		if (system(argv[3]) != 0) {
			errx(1, "%s failed", argv[3]);
		}
		echo(fd, "after");
		close(fd);
		puts("the connection is as it was");
		return 0;
	}
	errx(2, "no such mode");
}
