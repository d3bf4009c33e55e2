/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random sequences of socket calls on a connected pair of TCP sockets, for comparison of a run with the shim and one without:
 *
 *   equiv PORT SEED COUNT
 *
 * prints what each call did, for COUNT sequences from SEED on. The same seed makes the same calls, in this process, in a
 * thread or in a forked child. What may differ under TLS is left out here: how many bytes fit into full buffers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS 4
#define BIG     70000
#define CAP     15000 /* bytes in flight at most, where their number counts */

enum kind {
	SEND,
	RECEIVE,
	POLL,
	EPOLL,
	COUNT_BYTES,
	DUP,
	CLOSE,
	SHUT,
	MODE,
	TIMED,
	INTERRUPTED,
	BLOCKED,
	FILL,
	TRANSFER,
	SO_ERR,
	N_KINDS,
	END = 100
};
static const char *const kind_names[] = {"send",        "receive", "poll", "epoll",    "fionread",
					 "dup",         "close",   "shut", "mode",     "timed",
					 "interrupted", "blocked", "fill", "transfer", "so_error"};
/* How often each is chosen. */
static const int weights[N_KINDS] = {30, 30, 14, 16, 6, 5, 4, 1, 4, 1, 1, 2, 1, 1, 1};

struct op {
	int kind, end, variant, n, flags, k;
};

/* What all processes know. Direction d: what end d has sent. */
static struct shared {
	uint64_t sent[2], got[2];
	bool shut_wr[2], shut_rd[2], nonblocking[2];
	size_t log_len;
	char log[1 << 18];
} * state;

static int fds[2][MAX_FDS], n_fds[2]; /* descriptors of this process */
static int epoll_fd;
static uint64_t rng;
static volatile sig_atomic_t n_pipe;
static int to_child = -1, from_child = -1;
static pid_t child;

/* For choices whose number depends on what the kernel does. */
static uint32_t draw_aside(uint32_t below)
{
	static uint64_t aside = 1;

	aside = aside * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(aside >> 33) % below;
}

static uint32_t draw(uint32_t below)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % below;
}

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	state->log_len += (size_t)vsnprintf(state->log + state->log_len,
					    sizeof(state->log) - state->log_len - 1, format, args);
	va_end(args);
	if (state->log_len > sizeof(state->log) - 1000) {
		fprintf(stderr, "log is full\n");
		exit(2);
	}
}

static void say_result(long n)
{
	say(" %ld", n);
	if (n < 0) {
		say(" %s", strerrorname_np(errno));
	}
}

static uint8_t byte_at(int direction, uint64_t at)
{
	return (uint8_t)((at * 2654435761u >> 13) + (uint64_t)direction * 91 + at);
}

static void make_bytes(int end, uint64_t at, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[i] = byte_at(end, at + i);
	}
}

static bool is_right(int end, uint64_t at, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != byte_at(end, at + i)) {
			return false;
		}
	}
	return true;
}

static int a_fd(const struct op *op)
{
	return fds[op->end][op->k % n_fds[op->end]];
}

static int available(int end)
{
	return (int)(state->sent[1 - end] - state->got[1 - end]);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* n bytes in three pieces, one of which may be empty. */
static void cut(struct iovec iov[3], uint8_t *bytes, int n, int k)
{
	size_t first = n ? (size_t)(k % (n + 1)) : 0, second = (size_t)(n - (int)first) / 2;

	iov[0] = (struct iovec){bytes, first};
	iov[1] = (struct iovec){bytes + first, second};
	iov[2] = (struct iovec){bytes + first + second, (size_t)n - first - second};
}

/* ---- sending ---- */

static long send_file(int fd, const uint8_t *bytes, int n)
{
	int file = memfd_create("equiv", 0);
	off_t offset = 0;
	long sent = write(file, bytes, (size_t)n);

	sent = sendfile(fd, file, n % 2 ? &offset : (lseek(file, 0, SEEK_SET), NULL), (size_t)n);
	int err = errno;
	close(file);
	errno = err;
	return sent;
}

static long send_splice(int fd, const uint8_t *bytes, int n)
{
	int ends[2];
	long sent = -1;

	if (pipe(ends) == 0) {
		sent = write(ends[1], bytes, (size_t)n);
		sent = splice(ends[0], NULL, fd, NULL, (size_t)n, 0);
	}
	int err = errno;
	close(ends[0]);
	close(ends[1]);
	errno = err;
	return sent;
}

static long send_stdio(int fd, const uint8_t *bytes, int n)
{
	FILE *stream = fdopen(dup(fd), n % 2 ? "w" : "r+");
	long sent = (long)fwrite(bytes, 1, (size_t)n, stream);

	if (fclose(stream) != 0) {
		return -1;
	}
	return sent;
}

static long send_by(const struct op *op, int fd, uint8_t *bytes, int n)
{
	struct iovec iov[3];
	struct mmsghdr msgs = {.msg_hdr = {.msg_iov = iov, .msg_iovlen = 3}};
	int rc;

	cut(iov, bytes, n, op->k);
	switch (op->variant % 11) {
	case 0:
		return write(fd, bytes, (size_t)n);
	case 1:
		return writev(fd, iov, 3);
	case 2:
		return sendmsg(fd, &msgs.msg_hdr, op->flags);
	case 3:
		rc = sendmmsg(fd, &msgs, 1, op->flags);
		return rc == 1 ? (long)msgs.msg_len : rc;
	case 4:
		return sendto(fd, bytes, (size_t)n, op->flags, NULL, 0);
	case 5:
		return n > 0 ? send_file(fd, bytes, n) : 0;
	case 6:
		return n > 0 && !state->shut_wr[op->end] ? send_splice(fd, bytes, n) : 0;
	case 7:
		return n > 0 && !state->shut_wr[op->end] ? send_stdio(fd, bytes, n) : 0;
	case 8:
		return n > 0 ? dprintf(fd, "%.*s", 0, "") : 0;
	default:
		return send(fd, bytes, (size_t)n, op->flags);
	}
}

static void run_send(const struct op *op)
{
	uint8_t bytes[CAP + 1];
	int room = CAP - (int)(state->sent[op->end] - state->got[op->end]);
	int n = op->n < room ? op->n : room;
	struct op plain = *op;
	long sent;

	if (state->shut_rd[1 - op->end] && state->shut_wr[1 - op->end]) {
		/* It would be reset, and TLS has one record more that can provoke it: when that is told is no matter. */
		return;
	}
	if (n == room && (plain.flags & MSG_MORE)) {
		plain.flags &= ~MSG_MORE;
		op = &plain;
	}
	n_pipe = 0;
	make_bytes(op->end, state->sent[op->end], bytes, (size_t)n);
	sent = send_by(op, a_fd(op), bytes, n);
	say(" v%d n=%d flags=%x", op->variant % 11, n, (unsigned)op->flags);
	say_result(sent);
	state->sent[op->end] += sent > 0 ? (uint64_t)sent : 0;
	if (n < room && (op->flags & MSG_MORE) && sent >= 0) {
		/* What MSG_MORE holds back must come now. */
		make_bytes(op->end, state->sent[op->end], bytes, 1);
		sent = send(a_fd(op), bytes, 1, MSG_NOSIGNAL);
		say_result(sent);
		state->sent[op->end] += sent > 0 ? (uint64_t)sent : 0;
	}
	if (n_pipe) {
		say(" SIGPIPE");
	}
}

/* ---- receiving ---- */

static long receive_splice(int fd, uint8_t *bytes, int n)
{
	int ends[2];
	long got = -1;

	if (pipe(ends) == 0) {
		got = splice(fd, NULL, ends[1], NULL, (size_t)n, 0);
		if (got > 0 && read(ends[0], bytes, (size_t)got) != got) {
			say(" pipe?");
		}
	}
	int err = errno;
	close(ends[0]);
	close(ends[1]);
	errno = err;
	return got;
}

static long receive_stdio(int fd, uint8_t *bytes, int n)
{
	FILE *stream = fdopen(dup(fd), "r");
	long got;

	setvbuf(stream, NULL, _IONBF, 0);
	got = (long)fread(bytes, 1, (size_t)n, stream);
	fclose(stream);
	return got;
}

static long receive_by(const struct op *op, int fd, uint8_t *bytes, int n)
{
	struct iovec iov[3];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	char control[64];
	struct mmsghdr msgs = {.msg_hdr = {.msg_iov = iov,
					   .msg_iovlen = 3,
					   .msg_name = &from,
					   .msg_namelen = sizeof(from),
					   .msg_control = control,
					   .msg_controllen = sizeof(control)}};
	long got;
	int rc;

	cut(iov, bytes, n, op->k);
	switch (op->variant % 9) {
	case 0:
		return read(fd, bytes, (size_t)n);
	case 1:
		return readv(fd, iov, 3);
	case 2:
		got = recvmsg(fd, &msgs.msg_hdr, op->flags);
		if (got >= 0) {
			say(" msg %x %u %zu", (unsigned)msgs.msg_hdr.msg_flags, msgs.msg_hdr.msg_namelen,
			    msgs.msg_hdr.msg_controllen);
		}
		return got;
	case 3:
		rc = recvmmsg(fd, &msgs, 1, op->flags, NULL);
		return rc == 1 ? (long)msgs.msg_len : rc;
	case 4:
		got = recvfrom(fd, bytes, (size_t)n, op->flags, (struct sockaddr *)&from, &from_len);
		if (got >= 0) {
			say(" from %u", from_len);
		}
		return got;
	case 5:
		return n > 0 && n <= available(op->end) ? receive_splice(fd, bytes, n) : 0;
	case 6:
		return n <= available(op->end) ? receive_stdio(fd, bytes, n) : 0;
	default:
		return recv(fd, bytes, (size_t)n, op->flags);
	}
}

static bool takes_flags(int variant)
{
	variant %= 9;
	return variant >= 2 && variant != 5 && variant != 6;
}

static void run_receive(const struct op *op)
{
	static __thread uint8_t bytes[BIG];
	struct op copy = *op;
	int end = op->end, n = op->n;
	bool may_block = !state->nonblocking[end] && !state->shut_wr[1 - end] && !state->shut_rd[end];
	long got;

	if (may_block) {
		if ((copy.flags & MSG_WAITALL) && n > available(end)) {
			n = available(end);
		}
		if (available(end) == 0 && n > 0 && !takes_flags(copy.variant)) {
			copy.variant = 7;
		}
		if (available(end) == 0) {
			copy.flags |= MSG_DONTWAIT;
		}
	}
	memset(bytes, 0xee, (size_t)n + 1);
	say(" v%d n=%d flags=%x", copy.variant % 9, n, (unsigned)copy.flags);
	got = receive_by(&copy, a_fd(op), bytes, n);
	say_result(got);
	if (got <= 0) {
		return;
	}
	if (!takes_flags(copy.variant)) {
		copy.flags = 0;
	}
	if (!(copy.flags & MSG_TRUNC) && !is_right(1 - end, state->got[1 - end], bytes, (size_t)got)) {
		say(" WRONG BYTES");
	}
	if (!(copy.flags & MSG_TRUNC) && bytes[got] != 0xee && got == n) {
		say(" OVERRUN");
	}
	if (!(copy.flags & MSG_PEEK)) {
		state->got[1 - end] += (uint64_t)got;
	}
}

/* ---- readiness ---- */

static void run_poll(const struct op *op)
{
	struct pollfd both[2] = {{.fd = a_fd(op), .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI},
				 {.fd = fds[1 - op->end][0], .events = op->k % 2 ? POLLIN : POLLOUT}};
	struct timeval none = {0, 0};
	struct timespec zero = {0, 0};
	fd_set in, out, except;
	int n;

	if (op->variant % 4 < 2 || both[0].fd >= FD_SETSIZE || both[1].fd >= FD_SETSIZE) {
		n = op->variant % 2 ? poll(both, 2, 0) : ppoll(both, 1, &zero, NULL);
		say(" poll %d %x %x", n, (unsigned)both[0].revents,
		    op->variant % 2 ? (unsigned)both[1].revents : 0);
		return;
	}
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&except);
	FD_SET(both[0].fd, &in);
	FD_SET(both[1].fd, &in);
	FD_SET(both[0].fd, &out);
	FD_SET(both[0].fd, &except);
	n = op->variant % 4 == 2 ? select(FD_SETSIZE, &in, &out, &except, &none)
				 : pselect(FD_SETSIZE, &in, &out, &except, &zero, NULL);
	say(" select %d in %d %d out %d except %d", n, FD_ISSET(both[0].fd, &in), FD_ISSET(both[1].fd, &in),
	    FD_ISSET(both[0].fd, &out), FD_ISSET(both[0].fd, &except));
}

static void run_epoll(const struct op *op)
{
	static const uint32_t modes[] = {0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT};
	static const uint32_t interests[] = {EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT | EPOLLRDHUP,
					     EPOLLIN | EPOLLRDHUP};
	static const int calls[] = {EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
	struct epoll_event events[8];
	int number = op->k % n_fds[op->end], n;

	if (op->variant % 16 < 6) {
		events[0].events = modes[op->n % 4] | interests[op->flags % 4];
		events[0].data.u64 = (uint64_t)(op->end * 10 + number);
		n = epoll_ctl(epoll_fd, calls[op->variant % 4], a_fd(op), events);
		say(" ctl %d %d:%d %x", calls[op->variant % 4], op->end, number, events[0].events);
		say_result(n);
		return;
	}
	n = epoll_wait(epoll_fd, events, 8, 0);
	say(" wait %d", n);
	/* In the order of the descriptors: that of the kernel's list depends on wakeups. */
	for (uint64_t data = 0; data < 20; data++) {
		for (int i = 0; i < n; i++) {
			if (events[i].data.u64 == data) {
				say(" %d=%x", (int)data, events[i].events);
			}
		}
	}
}

/* ---- the rest ---- */

static void run_dup(const struct op *op)
{
	int *mine = fds[op->end];
	int *n = &n_fds[op->end];
	int fd;

	if (op->variant % 3 == 0 && *n > 1) {
		int to = mine[*n - 1];
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, to, NULL);
		fd = dup2(mine[0], to);
		say(" dup2 %s", fd == to ? "same" : "?");
		return;
	}
	if (*n == MAX_FDS) {
		return;
	}
	fd = op->variant % 3 == 1 ? dup(mine[op->k % *n])
				  : fcntl(mine[op->k % *n], F_DUPFD_CLOEXEC, 100 * (op->n % 12));
	mine[(*n)++] = fd;
	say(" dup %s", fd >= 0 ? "done" : strerrorname_np(errno));
}

static void run_close(const struct op *op)
{
	int *n = &n_fds[op->end];

	if (*n > 1) {
		int number = op->k % *n;
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fds[op->end][number], NULL);
		say_result(close(fds[op->end][number]));
		fds[op->end][number] = fds[op->end][--*n];
		/* The one that moved keeps its registration under its old name. */
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fds[op->end][number], NULL);
	}
}

static void run_shut(const struct op *op)
{
	int how = op->variant % 8 < 5 ? SHUT_WR : op->variant % 8 < 6 ? SHUT_RD : SHUT_RDWR;

	if (how != SHUT_WR && available(op->end) > 0) {
		return;
	}
	say(" how %d", how);
	say_result(shutdown(a_fd(op), how));
	state->shut_wr[op->end] |= how != SHUT_RD;
	state->shut_rd[op->end] |= how != SHUT_WR;
}

static void run_mode(const struct op *op)
{
	int on = op->variant % 2;
	int rc = op->variant % 3 ? ioctl(a_fd(op), FIONBIO, &on)
				 : fcntl(a_fd(op), F_SETFL, on ? O_NONBLOCK : 0);

	state->nonblocking[op->end] = on;
	say(" nonblocking %d: %d, %x", on, rc, (unsigned)fcntl(a_fd(op), F_GETFL) & O_NONBLOCK);
}

static void set_blocking(int end, bool on)
{
	fcntl(fds[end][0], F_SETFL, on ? 0 : O_NONBLOCK);
}

static void set_timeout(int fd, int option, int ms)
{
	struct timeval tv = {0, ms * 1000};

	setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv));
}

/* A read that ends by SO_RCVTIMEO. */
static void run_timed(const struct op *op)
{
	uint8_t bytes[CAP + 100];
	int64_t began = now_ms();
	long n;

	if (available(op->end) > 0 && !(op->variant % 2)) {
		return;
	}
	set_blocking(op->end, true);
	set_timeout(a_fd(op), SO_RCVTIMEO, 20);
	n = recv(a_fd(op), bytes, sizeof(bytes), MSG_WAITALL);
	say_result(n);
	began = now_ms() - began;
	if (!state->shut_wr[1 - op->end] && !state->shut_rd[op->end]) {
		say(" time %s", began >= 15 && began < 2000 ? "right" : "WRONG");
	}
	if (n > 0) {
		say(" %s", is_right(1 - op->end, state->got[1 - op->end], bytes, (size_t)n) ? "right"
											    : "WRONG BYTES");
		state->got[1 - op->end] += (uint64_t)n;
	}
	set_timeout(a_fd(op), SO_RCVTIMEO, 0);
	set_blocking(op->end, !state->nonblocking[op->end]);
}

static void ignore(int sig)
{
	(void)sig;
}

static void run_interrupted(const struct op *op)
{
	struct itimerval timer = {.it_value = {0, 10000}, .it_interval = {0, 10000}}, off = {0};
	struct sigaction action = {.sa_handler = ignore};
	char byte;

	if (available(op->end) > 0 || child > 0) {
		return; /* whose timer it is would matter */
	}
	set_blocking(op->end, true);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	say_result(op->variant % 2 ? read(a_fd(op), &byte, 1) : recv(a_fd(op), &byte, 1, MSG_PEEK));
	setitimer(ITIMER_REAL, &off, NULL);
	set_blocking(op->end, !state->nonblocking[op->end]);
}

struct blocked {
	struct op op;
	uint8_t bytes[2000];
	long n;
	int err;
};

static void *read_blocked(void *arg)
{
	struct blocked *blocked = arg;

	blocked->n = recv(a_fd(&blocked->op), blocked->bytes, (size_t)blocked->op.n,
			  blocked->op.variant % 2 ? MSG_WAITALL : 0);
	blocked->err = errno;
	return NULL;
}

/* A thread that waits in recv() for what comes meanwhile: data, or the end. */
static void run_blocked(const struct op *op)
{
	struct blocked blocked = {.op = *op};
	uint8_t bytes[2000];
	pthread_t thread;
	bool waits = op->variant % 2;
	int n;

	if (available(op->end) > 0 || state->shut_wr[1 - op->end] || state->shut_rd[op->end]) {
		return;
	}
	blocked.op.n = 1 + op->n % 1000;
	n = waits ? blocked.op.n : 1 + op->k % 1000;
	set_blocking(op->end, true);
	pthread_create(&thread, NULL, read_blocked, &blocked);
	usleep(3000);
	make_bytes(1 - op->end, state->sent[1 - op->end], bytes, (size_t)n);
	if (waits && n > 1) {
		/* In two halves. */
		say_result(send(fds[1 - op->end][0], bytes, (size_t)n / 2, 0));
		usleep(1000);
		say_result(send(fds[1 - op->end][0], bytes + n / 2, (size_t)(n - n / 2), 0));
	} else {
		say_result(send(fds[1 - op->end][0], bytes, (size_t)n, 0));
	}
	state->sent[1 - op->end] += (uint64_t)n;
	pthread_join(thread, NULL);
	errno = blocked.err;
	say_result(blocked.n);
	if (blocked.n > 0) {
		say(" %s", is_right(1 - op->end, state->got[1 - op->end], blocked.bytes, (size_t)blocked.n)
				   ? "right"
				   : "WRONG BYTES");
		state->got[1 - op->end] += (uint64_t)blocked.n;
	}
	set_blocking(op->end, !state->nonblocking[op->end]);
}

static bool is_ready(int fd, short events)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & events);
}

/* Until acknowledgements have emptied the kernel's buffers. */
static void await_room(void)
{
	for (int end = 0; end < 2; end++) {
		struct pollfd pfd = {.fd = fds[end][0], .events = POLLOUT};
		int left = 1;
		for (int i = 0;
		     i < 100 && !state->shut_wr[end] && ioctl(pfd.fd, TIOCOUTQ, &left) == 0 && left > 0;
		     i++) {
			usleep(1000);
		}
		poll(&pfd, 1, 1000);
	}
}

static bool read_all(int end)
{
	uint8_t bytes[20000];

	while (available(end) > 0) {
		struct pollfd pfd = {.fd = fds[end][0], .events = POLLIN};
		long n;

		if (poll(&pfd, 1, 5000) != 1) {
			say(" STALLED");
			return false;
		}
		n = recv(fds[end][0], bytes, 1 + draw_aside(sizeof(bytes) - 1), MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			continue;
		}
		if (n <= 0 || !is_right(1 - end, state->got[1 - end], bytes, (size_t)n)) {
			say(" WRONG %ld", n);
			return false;
		}
		state->got[1 - end] += (uint64_t)n;
	}
	/* A part of a record takes room in the kernel until somebody asks for it. */
	return recv(fds[end][0], bytes, 1, MSG_DONTWAIT) <= 0;
}

/* Write until the kernel takes no more, wait in vain, then read it all. */
static void run_fill(const struct op *op)
{
	static uint8_t bytes[BIG];
	int end = op->end, fd = a_fd(op);
	bool timed = op->variant % 2;
	long n = 0;

	if (state->shut_wr[end] || state->shut_rd[1 - end]) {
		return;
	}
	set_blocking(end, timed);
	set_timeout(fd, SO_SNDTIMEO, 10);
	for (int i = 0; i < 2000; i++) {
		size_t len = 1 + draw_aside(BIG - 1);
		make_bytes(end, state->sent[end], bytes, len);
		n = send(fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0) {
			break;
		}
		state->sent[end] += (uint64_t)n;
	}
	say_result(n < 0 ? n : 0);
	say(" readable %d;", is_ready(fds[1 - end][0], POLLIN));
	if (read_all(1 - end)) {
		await_room();
		say(" after: writable %d, readable %d", is_ready(fd, POLLOUT),
		    is_ready(fds[1 - end][0], POLLIN));
		/* A record that could not be told as sent may be on its way: the same bytes count for it. */
		make_bytes(end, state->sent[end], bytes, 20000);
		n = send(fd, bytes, 20000, MSG_NOSIGNAL);
		say(" %s", n > 0 ? "sent" : strerrorname_np(errno));
		state->sent[end] += n > 0 ? (uint64_t)n : 0;
		say(" %s", read_all(1 - end) ? "right" : "WRONG");
		await_room();
	}
	set_timeout(fd, SO_SNDTIMEO, 0);
	set_blocking(end, !state->nonblocking[end]);
}

/* One event of a transfer both ways with edge-triggered epoll: as much as goes, in pieces of random sizes. */
static bool transfer_step(int end, uint64_t goal, bool counts)
{
	static uint8_t bytes[BIG];
	long n;

	for (;;) {
		int want = 1 + (int)draw_aside(BIG - 1);
		if (counts) {
			if (ioctl(fds[end][0], FIONREAD, &want) != 0 || want == 0) {
				want = 1;
			}
			want = want < BIG ? want : BIG;
		}
		n = read(fds[end][0], bytes, (size_t)want);
		if (n <= 0) {
			break;
		}
		if (!is_right(1 - end, state->got[1 - end], bytes, (size_t)n)) {
			say(" WRONG BYTES");
			return false;
		}
		state->got[1 - end] += (uint64_t)n;
	}
	if (n == 0 || errno != EAGAIN) {
		say(" read %ld %s", n, strerrorname_np(errno));
		return false;
	}
	while (state->sent[end] < goal) {
		size_t len = 1 + draw_aside(BIG - 1);
		len = len < goal - state->sent[end] ? len : (size_t)(goal - state->sent[end]);
		make_bytes(end, state->sent[end], bytes, len);
		n = write(fds[end][0], bytes, len);
		if (n < 0) {
			break;
		}
		state->sent[end] += (uint64_t)n;
	}
	if (n < 0 && errno != EAGAIN) {
		say(" write %s", strerrorname_np(errno));
		return false;
	}
	return true;
}

static void run_transfer(const struct op *op)
{
	uint64_t goals[2] = {state->sent[0] + (uint64_t)op->n * 50,
			     state->sent[1] + (uint64_t)(op->k % CAP) * 50};
	struct epoll_event event;
	int set = epoll_create1(0);
	bool good = true;

	if (state->shut_wr[0] || state->shut_wr[1] || state->shut_rd[0] || state->shut_rd[1]) {
		close(set);
		return;
	}
	for (int end = 0; end < 2; end++) {
		set_blocking(end, false);
		event.events = EPOLLIN | EPOLLOUT | EPOLLET;
		event.data.u64 = (uint64_t)end;
		epoll_ctl(set, EPOLL_CTL_ADD, fds[end][0], &event);
	}
	while (good && (state->got[0] < goals[0] || state->got[1] < goals[1])) {
		if (epoll_wait(set, &event, 1, 5000) != 1) {
			say(" STALLED: sent %llu of %llu and %llu of %llu",
			    (unsigned long long)state->sent[0], (unsigned long long)goals[0],
			    (unsigned long long)state->sent[1], (unsigned long long)goals[1]);
			break;
		}
		good = transfer_step((int)event.data.u64, goals[event.data.u64], op->variant % 2);
	}
	say(" %s", state->got[0] < goals[0] || state->got[1] < goals[1] ? "NOT ALL" : "all");
	close(set);
	await_room();
	set_blocking(0, !state->nonblocking[0]);
	set_blocking(1, !state->nonblocking[1]);
}

static void run_one(const struct op *op)
{
	int n = -1;
	socklen_t len = sizeof(n);

	switch (op->kind) {
	case SEND:
		run_send(op);
		break;
	case RECEIVE:
		run_receive(op);
		break;
	case POLL:
		run_poll(op);
		break;
	case EPOLL:
		run_epoll(op);
		break;
	case COUNT_BYTES:
		say_result(ioctl(a_fd(op), FIONREAD, &n));
		say(" %d", n);
		break;
	case DUP:
		run_dup(op);
		break;
	case CLOSE:
		run_close(op);
		break;
	case SHUT:
		run_shut(op);
		break;
	case MODE:
		run_mode(op);
		break;
	case TIMED:
		run_timed(op);
		break;
	case INTERRUPTED:
		run_interrupted(op);
		break;
	case BLOCKED:
		run_blocked(op);
		break;
	case FILL:
		run_fill(op);
		break;
	case TRANSFER:
		run_transfer(op);
		break;
	case SO_ERR:
		say_result(getsockopt(a_fd(op), SOL_SOCKET, SO_ERROR, &n, &len));
		say(" %d", n);
		break;
	default:
		break;
	}
}

static void *run_in_thread(void *arg)
{
	run_one(arg);
	return NULL;
}

static void serve(int in, int out)
{
	struct op op;

	close(epoll_fd);
	epoll_fd = epoll_create1(0);
	while (read(in, &op, sizeof(op)) == (ssize_t)sizeof(op) && op.kind != END) {
		run_one(&op);
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
	    (op->kind != END && read(from_child, &byte, 1) != 1)) {
		say(" CHILD GONE");
	}
}

static void end_child(void)
{
	struct op op = {.kind = END};
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

static struct op draw_op(void)
{
	static const int send_flags[] = {0, 0, MSG_NOSIGNAL, MSG_DONTWAIT, MSG_MORE, MSG_MORE | MSG_NOSIGNAL};
	static const int recv_flags[] = {0,
					 0,
					 0,
					 MSG_DONTWAIT,
					 MSG_PEEK,
					 MSG_PEEK | MSG_DONTWAIT,
					 MSG_WAITALL,
					 MSG_TRUNC,
					 MSG_PEEK | MSG_TRUNC,
					 MSG_WAITALL | MSG_PEEK,
					 MSG_WAITALL | MSG_DONTWAIT};
	static const int sizes[] = {2, 10, 100, 600, 5000, CAP};
	struct op op = {.end = (int)draw(2), .variant = (int)draw(1 << 20), .k = (int)draw(1 << 20)};
	int total = 0, at;

	for (int i = 0; i < N_KINDS; i++) {
		total += weights[i];
	}
	at = (int)draw((uint32_t)total);
	while (at >= weights[op.kind]) {
		at -= weights[op.kind++];
	}
	op.n = (int)draw((uint32_t)sizes[draw(6)]);
	op.flags = op.kind == SEND      ? send_flags[draw(6)]
		   : op.kind == RECEIVE ? recv_flags[draw(11)]
					: (int)draw(1000);
	return op;
}

static int listen_on(int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, 8) != 0) {
		perror("listen");
		exit(2);
	}
	return fd;
}

static void connect_pair(int listener, int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct pollfd both[2];
	int small = draw(5) == 0 ? 16384 + (int)draw(30000) : 0;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[0][0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(fds[0][0], (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno != EINPROGRESS) {
		say("connect?\n");
	}
	fds[1][0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	n_fds[0] = n_fds[1] = 1;
	if (draw(4) == 0) {
		/* A server that speaks first. */
		uint8_t bytes[100];
		long n;
		make_bytes(1, 0, bytes, sizeof(bytes));
		n = write(fds[1][0], bytes, sizeof(bytes));
		say("early");
		say_result(n);
		say("\n");
		state->sent[1] += n > 0 ? (uint64_t)n : 0;
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
		set_blocking(i, !state->nonblocking[i]);
	}
	/* Early data have come. */
	usleep(500);
}

/* Both ends say that they are done, and hear it. */
static void end_pair(void)
{
	for (int end = 0; end < 2; end++) {
		struct op op = {.kind = SHUT, .end = end};
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

static void run_op(const struct op *op)
{
	pthread_t thread;
	uint32_t where = draw(10);

	/* Timers are the process's, and these use its random numbers. */
	if (op->kind == FILL || op->kind == TRANSFER || op->kind == INTERRUPTED) {
		where = 9;
	}
	say("%s %d %s:", kind_names[op->kind], op->end,
	    where == 0               ? "thread"
	    : where < 4 && child > 0 ? "child"
				     : "here");
	if (where == 0) {
		pthread_create(&thread, NULL, run_in_thread, (void *)(uintptr_t)op);
		pthread_join(thread, NULL);
	} else if (where < 4 && child > 0) {
		run_in_child(op);
	} else {
		run_one(op);
	}
	say("\n");
}

static void run_seed(int listener, int port, unsigned long seed)
{
	int n_ops = 0;

	memset(state, 0, sizeof(*state));
	rng = seed * 0x9e3779b97f4a7c15u + 12345;
	draw(2);
	epoll_fd = epoll_create1(0);
	connect_pair(listener, port);
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
	int listener;

	if (argc != 4) {
		return 2;
	}
	sigaction(SIGPIPE, &action, NULL);
	action.sa_handler = on_alarm;
	sigaction(SIGUSR1, &action, NULL);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	listener = listen_on(atoi(argv[1]));
	for (long i = 0; i < atol(argv[3]); i++) {
		timer_settime(timer, 0, &limit, NULL);
		run_seed(listener, atoi(argv[1]), strtoul(argv[2], NULL, 10) + (unsigned long)i);
	}
	return 0;
}
