/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client and its server in two processes: calls with unusual arguments, one line each with what they gave, so that
 * outputs with and without TLS can be compared: arguments MODE LISTEN-PORT CONNECT-PORT [MARKER].
 *
 *   wrong      addresses, control data, offsets and counts that the kernel refuses or ignores
 *   whole      MSG_WAITALL and MSG_PEEK across records, with signals and time limits
 *   broken     what is read after a reset
 *   messages   what libc itself writes to descriptor 2, with MARKER; the server prints it
 *   wide       lines of wide characters there and back
 *   wide_output  the same on a standard output that is the connection
 *   numbers    calls on descriptors that fail half-way, or that bring descriptors, and then write MARKER
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <locale.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static char bytes[4096];
static const char *marker;

static void say(const char *what, ssize_t n)
{
	if (n < 0) {
		printf("%s: %s\n", what, strerrorname_np(errno));
	} else {
		printf("%s: %zd %.*s\n", what, n, n < 20 ? (int)n : 0, bytes);
	}
	memset(bytes, 0, sizeof(bytes));
	fflush(stdout);
}

static void rest_ms(int ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000l};

	while (nanosleep(&left, &left) != 0) {
	}
}

static void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
		warn("write");
	}
}

/* The other end's turn: it waits for a byte. */
static void go(int fd)
{
	put(fd, ".");
}

static void wait_go(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1) {
		exit(0);
	}
}

static void read_out(int fd)
{
	long total = 0;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		total += n;
	}
	printf("the server has read %ld bytes, %s\n", total, n == 0 ? "end" : strerrorname_np(errno));
	fflush(stdout);
}

/* ---- wrong ---- */

static void wrong_messages(int fd)
{
	char control[64] = "";
	struct iovec iov = {bytes, 3};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg = (struct cmsghdr *)(void *)control;

	msg.msg_name = control;
	msg.msg_namelen = (socklen_t)-1;
	say("sendmsg, negative name", sendmsg(fd, &msg, 0));
	say("recvmsg, negative name", recvmsg(fd, &msg, 0));
	msg.msg_name = (void *)8;
	msg.msg_namelen = 16;
	say("sendmsg, name nowhere", sendmsg(fd, &msg, 0));
	msg = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 40};
	say("sendmsg, empty control", sendmsg(fd, &msg, 0));
	cmsg->cmsg_len = CMSG_LEN(4);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = 9999;
	say("sendmsg, unknown control", sendmsg(fd, &msg, 0));
	msg.msg_control = NULL;
	say("sendmsg, no control", sendmsg(fd, &msg, 0));
	msg.msg_control = control;
	msg.msg_controllen = 1 << 20;
	say("sendmsg, much control", sendmsg(fd, &msg, 0));
	msg = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1, .msg_namelen = 16};
	say("recvmsg, length without name", recvmsg(fd, &msg, 0));
	printf("name of %u\n", msg.msg_namelen);
}

static void wrong_addresses(int fd)
{
	struct sockaddr_storage addr = {.ss_family = AF_INET};
	struct sockaddr *to = (struct sockaddr *)&addr;
	socklen_t len = (socklen_t)-1;

	say("recvfrom, negative length", recvfrom(fd, bytes, 2, MSG_PEEK, to, &len));
	say("recvfrom, length without address", recvfrom(fd, bytes, 2, 0, NULL, &len));
	say("sendto, short address", sendto(fd, "ab", 2, 0, to, 1));
	say("sendto, long address", sendto(fd, "ab", 2, 0, to, 4000));
	say("sendto, address nowhere", sendto(fd, "ab", 2, 0, (void *)8, 16));
	say("connect, short address", connect(fd, to, 1));
	say("connect, nowhere", connect(fd, NULL, 16));
	addr.ss_family = AF_UNSPEC;
	say("connect, negative length", connect(fd, to, (socklen_t)-1));
	put(fd, "still connected");
}

static void wrong_offsets(int fd)
{
	struct iovec iov = {"abc", 3};
	int file = open("/proc/self/exe", O_RDONLY);
	int null = open("/dev/null", O_WRONLY);

	say("pwritev2 at -2", pwritev2(fd, &iov, 1, -2, 0));
	say("preadv2 at 5", preadv2(fd, &iov, 1, 5, 0));
	say("pwritev2 at 0, unknown flag", pwritev2(fd, &iov, 1, 0, 0x40000000));
	say("pwritev2, unknown flag", pwritev2(fd, &iov, 1, -1, 0x40000000));
	say("pwritev2 of nothing, unknown flag", pwritev2(fd, &iov, 0, -1, 0x40000000));
	say("sendfile, negative count", sendfile(fd, file, NULL, (size_t)-5));
	say("sendfile, file for writing", sendfile(fd, null, NULL, 5));
	close(file);
	close(null);
}

static void wrong_counts(int fd)
{
	static struct mmsghdr msgs[1100];
	static struct iovec iov[1100];
	struct timespec timeout = {10, 0};

	for (int i = 0; i < 1100; i++) {
		iov[i] = (struct iovec){bytes + i, 1};
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	say("sendmmsg of 1,100", sendmmsg(fd, msgs, 1100, 0));
	errno = ENOTTY;
	say("recvmmsg of more than there is", recvmmsg(fd, msgs, 3, MSG_DONTWAIT, NULL) > 0);
	printf("errno is %s\n", errno == ENOTTY ? "as it was" : "changed");
	go(fd);
	say("recvmmsg in time", recvmmsg(fd, msgs, 1, 0, &timeout));
	printf("%s\n", timeout.tv_sec == 9 ? "the time left is told" : "the time left is not told");
}

static void wrong_client(int fd)
{
	rest_ms(50);
	wrong_messages(fd);
	wrong_addresses(fd);
	wrong_offsets(fd);
	wrong_counts(fd);
}

static void wrong_server(int fd)
{
	put(fd, "0123456789");
	while (read(fd, bytes, 1) == 1 && bytes[0] != '.') {
	}
	put(fd, "more");
	wait_go(fd);
}

/* ---- whole ---- */

static void nothing(int sig)
{
	(void)sig;
}

static void alarm_ms(int ms)
{
	struct itimerval timer = {{0, 0}, {0, ms * 1000}};

	setitimer(ITIMER_REAL, &timer, NULL);
}

static void whole_client(int fd)
{
	struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
	struct timeval limit = {0, 200000}, none = {0, 0};

	sigaction(SIGALRM, &action, NULL);
	say("peek at both", recv(fd, bytes, 6, MSG_PEEK | MSG_WAITALL));
	say("the same", recv(fd, bytes, 6, MSG_DONTWAIT));
	go(fd);
	alarm_ms(50);
	say("a signal after a part", recv(fd, bytes, 6, MSG_WAITALL));
	say("the rest", recv(fd, bytes, 3, MSG_WAITALL));
	go(fd);
	alarm_ms(50);
	say("a signal while peeking", recv(fd, bytes, 6, MSG_WAITALL | MSG_PEEK));
	say("all", recv(fd, bytes, 6, MSG_WAITALL));
	go(fd);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	printf("%s\n", recv(fd, bytes, 1000, MSG_WAITALL) < 6 ? "the time is that of the call" : "it waited longer");
	say("time is up for nothing", recv(fd, bytes, 0, MSG_TRUNC) < 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
	shutdown(fd, SHUT_WR);
	while (recv(fd, bytes, 1, 0) == 1 && bytes[0] == 't') {
	}
	say("peek beyond the end", recv(fd, bytes, 6, MSG_PEEK | MSG_WAITALL));
	say("the end", recv(fd, bytes, 6, MSG_WAITALL));
}

static void whole_server(int fd)
{
	rest_ms(50);
	for (int i = 0; i < 3; i++) {
		put(fd, "abc");
		rest_ms(150);
		put(fd, "def");
		wait_go(fd);
	}
	for (int i = 0; i < 12; i++) {
		put(fd, "t");
		rest_ms(50);
	}
	rest_ms(300);
	put(fd, "Xend");
	read_out(fd);
}

/* ---- broken ---- */

static void broken_client(int fd)
{
	go(fd);
	rest_ms(100);
	say("data", read(fd, bytes, 4));
	say("more", recv(fd, bytes, 100, MSG_WAITALL) > 0);
	say("then", read(fd, bytes, 4));
	say("then", read(fd, bytes, 4));
	say("then", recv(fd, bytes, 4, MSG_PEEK));
}

static void broken_server(int fd)
{
	const struct linger reset = {1, 0};

	wait_go(fd);
	put(fd, "before the reset");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	rest_ms(30);
}

/* ---- numbers ---- */

static void put_marker(const char *what, int fd)
{
	strcpy(bytes, marker);
	say(what, write(fd, bytes, strlen(bytes)));
}

static void numbers_client(int fd)
{
	struct iovec iov = {(void *)(unsigned long)marker, strlen(marker)};
	struct iocb op = {.aio_fildes = (unsigned)fd, .aio_lio_opcode = IOCB_CMD_PWRITE,
			  .aio_buf = (unsigned long)marker, .aio_nbytes = strlen(marker)};
	struct iocb *list[] = {&op};
	aio_context_t context = 0;
	struct rlimit limit, lower;
	int stop[2], pidfd, taken;
	pid_t child;

	say("close_range, unknown flag", close_range((unsigned)fd, (unsigned)fd, 0x100));
	put_marker("after close_range", fd);
	say("dup3, unknown flag", dup3(0, fd, 0x123));
	put_marker("after dup3", fd);
	getrlimit(RLIMIT_NOFILE, &limit);
	lower = limit;
	lower.rlim_cur = (rlim_t)fd;
	setrlimit(RLIMIT_NOFILE, &lower);
	say("dup2 above the limit", dup2(0, fd));
	setrlimit(RLIMIT_NOFILE, &limit);
	put_marker("after dup2", fd);
	say("pwritev2 by number", syscall(SYS_pwritev2, fd, &iov, 1, -1l, -1l, 0));
	if (syscall(SYS_io_setup, 1, &context) == 0) {
		(void)syscall(SYS_io_submit, context, 1, list); /* it may be refused */
	}
	if (pipe(stop) != 0 || (child = fork()) < 0) {
		err(1, "fork");
	}
	if (child == 0) {
		(void)!read(stop[0], bytes, 1);
		_exit(0);
	}
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	taken = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (taken >= 0) {
		put_marker("what another process had", taken);
		close(taken);
	}
	put(stop[1], "x");
	waitpid(child, NULL, 0);
}

/* ---- messages ---- */

static void messages_client(int fd)
{
	void *nowhere[] = {NULL};
	siginfo_t info = {.si_signo = SIGINT};

	dup2(fd, 2);
	openlog("arguments", LOG_PERROR, LOG_USER);
	setlogmask(LOG_UPTO(LOG_ERR));
	errno = EPERM;
	syslog(LOG_ERR, "%s: %m", marker);
	syslog(LOG_DEBUG, "below the mask");
	h_errno = HOST_NOT_FOUND;
	herror(marker);
	backtrace_symbols_fd(nowhere, 1, 2);
	errno = EPERM;
	perror(marker);
	psignal(SIGINT, marker);
	setvbuf(stderr, NULL, _IOFBF, 100);
	fputs(" written later\n", stderr);
	put(2, "written first,");
	fflush(stderr);
	psiginfo(&info, marker);
	close(2);
}

static void messages_server(int fd)
{
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		fwrite(bytes, 1, (size_t)n, stdout);
	}
}

/* ---- wide ---- */

static int print_wide(FILE *out, const wchar_t *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = out == stdout ? vwprintf(format, args) : vfwprintf(out, format, args);
	va_end(args);
	return n;
}

static void wide_client(int fd)
{
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	wchar_t line[8];
	/* Not known to the compiler, so that the fortified functions are called. */
	volatile int room = 8;
	wchar_t *got;
	int n = 0;

	setlocale(LC_ALL, "C.UTF-8");
	for (;;) {
		got = n++ % 2 ? fgetws_unlocked(line, room, in) : fgetws(line, room, in);
		if (!got) {
			break;
		}
		printf("%zu wide: %ls|\n", wcslen(line), line);
		fputws(line, out);
	}
	printf("%d\n", print_wide(out, L"%d %ls\n", 7, L"\u00df"));
	printf("%s, %d\n", feof(in) ? "end" : "no end", fgetwc(in) == WEOF);
	fwprintf(out, L"%ls %05d %s\n", L"\u20ac", 42, "\xc3\xa4");
	fputwc(L'\u00e4', out);
	fputwc(L'\n', out);
	fclose(out);
	fclose(in);
}

static void wide_server(int fd)
{
	put(fd, "h\xc3\xa4llo\n\n\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac longer than a line\nlast");
	shutdown(fd, SHUT_WR);
	messages_server(fd);
}

/* Standard output is the connection, and wide from its beginning. */
static void wide_output_client(int fd)
{
	int n;

	setlocale(LC_ALL, "C.UTF-8");
	dup2(fd, 1);
	n = wprintf(L"%ls %d\n", L"\u20ac\u00e4", 42);
	n += print_wide(stdout, L"%d %s\n", n, "\xc3\xbc");
	wprintf(L"%d\n", n);
	fflush(stdout);
	fclose(stdout);
}

static int listening(int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				   .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, 5) != 0) {
		err(1, "port %d", port);
	}
	return fd;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*client)(int fd);
		void (*server)(int fd);
	} modes[] = {
		{"wrong", wrong_client, wrong_server},
		{"whole", whole_client, whole_server},
		{"broken", broken_client, broken_server},
		{"messages", messages_client, messages_server},
		{"wide", wide_client, wide_server},
		{"wide_output", wide_output_client, messages_server},
		{"numbers", numbers_client, read_out},
	};
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int listener, fd;

	if (argc < 4) {
		return 2;
	}
	marker = argc > 4 ? argv[4] : "marker";
	addr.sin_port = htons((uint16_t)atoi(argv[3]));
	listener = listening(atoi(argv[2]));
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(argv[1], modes[i].name) != 0) {
			continue;
		}
		if (fork() == 0) {
			modes[i].server(accept(listener, NULL, NULL));
			return 0;
		}
		close(listener);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
			err(1, "connect");
		}
		modes[i].client(fd);
		close(fd);
		wait(NULL);
	}
	return 0;
}
