/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that keeps a TLS connection for a program that cannot load the shim, and gives it one end of a
 * socketpair.
 *
 * Implementation notes: the relay is a program's thread as far as the session is concerned: it calls
 * session_send() and session_recv(), never blocking, and waits in one poll for both sockets. Each way has
 * one buffer, which is filled only when it is empty, so that what the one side does not take stops the
 * other. The blocking mode of the connection's socket belongs to whoever else has it and is not changed.
 *
 *   program -- end | socketpair | program_fd -- relay -- conn -- TLS -- peer
 *                       up: from the program to the peer, down: the other way
 */
#include "relay.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "helper.h"
#include "log.h"
#include "session.h"
#include "sys.h"

#define BUFFER_LEN     ((size_t)64 << 10)
/* Ours stay out of the way of numbers that programs choose, if the limit allows it. */
#define HIGH_FD        64
/* How long a connection that both sides have done with may stand still before it is closed. */
#define LINGER_MS      5000
#define LINGER_LOOK_MS 500
/* What a peer may send on that nobody will read. */
#define LINGER_MAX     ((size_t)4 << 20)
#define NO_POLL_MS     10

/*
 * What is said at the gate: the program's pid, or AWAY. Its end means that the process which started us has
 * become the program.
 */
#define AWAY 0

struct start {
	int program_fd, conn, gate;
	bool has_input;
	pid_t starter;
	uint64_t end_cookie; /* of the program's end */
};

struct way {
	uint8_t *buf;
	size_t at, len; /* what waits in it */
	bool ended;     /* nothing more comes in */
	bool done;      /* and that has been passed on */
};

struct pump {
	int program_fd, conn;
	pid_t program;
	uint64_t end_cookie;
	struct way up, down;
	bool is_gone;    /* the program has closed its end, or exited */
	int64_t gone_ms; /* since when */
	bool is_lost;    /* the connection broke */
	enum session_phase phase;
	short handshake_events;
};

/* ---- steps: each returns true if something has moved ---- */

static void taken(struct way *way, ssize_t n)
{
	way->at += (size_t)n;
	way->len -= (size_t)n;
}

static void filled(struct way *way, ssize_t n)
{
	way->at = 0;
	way->len = (size_t)n;
}

/* Nothing more can go this way: what waits is lost. */
static void way_closed(struct way *way)
{
	way->len = 0;
	way->ended = way->done = true;
}

static bool shake_hands(struct pump *p)
{
	enum session_phase before = p->phase;

	p->phase = session_phase(p->conn);
	if (p->phase == SESSION_CONNECTING) {
		p->phase = session_progress(p->conn, &p->handshake_events);
	}
	return p->phase != before;
}

static void program_is_gone(struct pump *p)
{
	p->is_gone = true;
	p->gone_ms = sys_now_ms();
	way_closed(&p->down);
	session_relay_finishing(p->conn);
}

/*
 * Data of the program end: has it shut down its output, or has it closed all? The connection may be others'
 * too.
 */
static void look_for_end(struct pump *p)
{
	struct pollfd pfd = {.fd = p->program_fd};
	const struct timespec now = {0, 0};

	if (sys_ppoll(&pfd, 1, &now) > 0) {
		program_is_gone(p);
	}
}

static bool take_up(struct pump *p)
{
	ssize_t n;

	if (p->up.ended || p->up.len > 0) {
		return false;
	}
	n = sys_recv(p->program_fd, p->up.buf, BUFFER_LEN, MSG_DONTWAIT);
	if (n == -EAGAIN || n == -EINTR) {
		return n == -EINTR;
	}
	if (n > 0) {
		filled(&p->up, n);
	} else {
		p->up.ended = true; /* -ECONNRESET: it went away without reading all */
		look_for_end(p);
	}
	return true;
}

static bool give_up(struct pump *p)
{
	struct iovec iov = {p->up.buf + p->up.at, p->up.len};
	ssize_t n;

	if (p->up.len == 0 || p->phase == SESSION_CONNECTING) {
		return false;
	}
	n = session_send(p->conn, &iov, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0) {
		taken(&p->up, n);
		return true;
	}
	if (errno == EAGAIN || errno == EINTR) {
		return false;
	}
	/* The program's next write is to say EPIPE. */
	sys_shutdown(p->program_fd, SHUT_RD);
	way_closed(&p->up);
	return true;
}

static bool is_writable(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	const struct timespec now = {0, 0};

	return sys_ppoll(&pfd, 1, &now) != 0;
}

/* The program has said that it writes no more, and reads on. */
static bool end_up(struct pump *p)
{
	if (!p->up.ended || p->up.len > 0 || p->up.done || p->is_gone || p->phase == SESSION_CONNECTING ||
	    !is_writable(p->conn)) {
		return false;
	}
	/* With room in the kernel it does not block: close_notify fits. */
	session_shutdown(p->conn, SHUT_WR);
	p->up.done = true;
	return true;
}

static bool take_down(struct pump *p)
{
	struct iovec iov = {p->down.buf, BUFFER_LEN};
	ssize_t n;

	if (p->down.ended || p->down.len > 0 || p->phase == SESSION_CONNECTING) {
		return false;
	}
	n = session_recv(p->conn, &iov, 1, MSG_DONTWAIT);
	if (n > 0) {
		filled(&p->down, n);
	} else if (n == 0) {
		p->down.ended = true;
	} else if (errno == EAGAIN || errno == EINTR) {
		return false;
	} else {
		p->down.ended = p->is_lost = true;
	}
	return true;
}

static bool give_down(struct pump *p)
{
	ssize_t n;

	if (p->down.len == 0) {
		return false;
	}
	n = sys_send(p->program_fd, p->down.buf + p->down.at, p->down.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -EAGAIN || n == -EINTR) {
		return n == -EINTR;
	}
	if (n > 0) {
		taken(&p->down, n);
	} else {
		way_closed(&p->down); /* it reads no more */
	}
	return true;
}

static bool end_down(struct pump *p)
{
	if (!p->down.ended || p->down.len > 0 || p->down.done) {
		return false;
	}
	if (!p->is_lost) {
		sys_shutdown(p->program_fd, SHUT_WR);
	}
	p->down.done = true;
	return true;
}

/* ---- waiting ---- */

static short wanted_of_program(const struct pump *p)
{
	return (short)((!p->up.ended && p->up.len == 0 ? POLLIN : 0) | (p->down.len > 0 ? POLLOUT : 0));
}

static short wanted_of_conn(const struct pump *p)
{
	bool ends_up = p->up.ended && !p->up.done && !p->is_gone;

	if (p->phase == SESSION_CONNECTING) {
		return p->handshake_events;
	}
	return (short)((!p->down.ended && p->down.len == 0 ? POLLIN : 0) |
		       (p->up.len > 0 || ends_up || session_flush_due(p->conn) ? POLLOUT : 0));
}

/* Nobody waits for a handshake any more, but a peer that is at it may finish. */
static bool is_late(const struct pump *p)
{
	return p->is_gone && sys_now_ms() - p->gone_ms >= LINGER_MS;
}

/* Until when a handshake may take; NULL: no limit. */
static const struct timespec *time_left(const struct pump *p, struct timespec *left)
{
	int64_t deadline = p->phase == SESSION_CONNECTING ? session_deadline_ms(p->conn) : 0;
	int64_t ms;

	if (p->phase == SESSION_CONNECTING && p->is_gone && p->up.len == 0 &&
	    (deadline == 0 || p->gone_ms + LINGER_MS < deadline)) {
		deadline = p->gone_ms + LINGER_MS;
	}
	ms = deadline - sys_now_ms();

	if (deadline == 0) {
		return NULL;
	}
	ms = ms > 0 ? ms : 0;
	*left = sys_timespec(ms);
	return left;
}

static void await(struct pump *p)
{
	short of_conn = wanted_of_conn(p);
	struct timespec left;
	/* A socket of which nothing is wanted is left out: it would report its end again and again. */
	struct pollfd fds[2] = {
		{.fd = p->is_gone ? -1 : p->program_fd, .events = wanted_of_program(p)},
		{.fd = of_conn ? p->conn : -1, .events = of_conn},
	};
	int n = sys_ppoll(fds, 2, time_left(p, &left));

	if (n < 0 && n != -EINTR) {
		sys_sleep_ms(NO_POLL_MS); /* RLIMIT_NOFILE is 0, or there is no memory */
	}
	if (n <= 0) {
		return;
	}
	if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) {
		program_is_gone(p);
	}
	if ((fds[1].revents & POLLOUT) && session_flush_due(p->conn)) {
		session_flush(p->conn);
	}
}

/* ---- the end ---- */

static bool is_over(const struct pump *p)
{
	bool is_up_over = p->up.ended && p->up.len == 0;

	if (p->phase == SESSION_NONE) {
		return true;
	}
	if (p->phase == SESSION_CONNECTING && is_up_over && p->is_gone) {
		return is_late(p);
	}
	return (is_up_over && (p->is_gone || (p->up.done && p->down.done))) || (p->is_lost && p->down.done);
}

static int unsent(int conn)
{
	int n = 0;

	return sys_call(SYS_ioctl, conn, TIOCOUTQ, &n) == 0 ? n : 0;
}

/*
 * Wait for the peer's end, as long as there is progress: data that arrive at a closed socket, be it a
 * close_notify, would make the kernel throw away what it has not delivered.
 */
static void linger(struct pump *p)
{
	int64_t end = sys_now_ms() + LINGER_MS;
	size_t n_read = 0;
	int before = unsent(p->conn);

	while (n_read < LINGER_MAX && sys_now_ms() < end) {
		const struct timespec look = {0, LINGER_LOOK_MS * 1000000L};
		struct pollfd pfd = {.fd = p->conn, .events = POLLIN};
		ssize_t n;
		if (!p->up.done && is_writable(p->conn)) {
			session_shutdown(p->conn, SHUT_WR);
			p->up.done = true;
		}
		/* Nobody is interested in what it is. */
		n = sys_recv(p->conn, NULL, LINGER_MAX, MSG_TRUNC | MSG_DONTWAIT);
		if (n == 0 || (n < 0 && n != -EAGAIN && n != -EINTR)) {
			return;
		}
		n_read += n > 0 ? (size_t)n : 0;
		if (n > 0 || unsent(p->conn) < before) {
			before = unsent(p->conn);
			end = sys_now_ms() + LINGER_MS;
		}
		if (n < 0 && sys_ppoll(&pfd, 1, &look) < 0) {
			sys_sleep_ms(NO_POLL_MS);
		}
		session_flush(p->conn);
	}
}

/*
 * A socketpair says ECONNRESET to the one side if the other is closed with unread data. So put a byte
 * there, through the program's own descriptor, which we may copy if we may trace the program. Else it reads
 * the end of its input.
 */
static void reset_program(const struct pump *p)
{
	int pidfd = (int)sys_call(SYS_pidfd_open, p->program, 0, 0);

	for (int fd = 0; pidfd >= 0 && fd <= 2; fd++) {
		int copy = (int)sys_call(SYS_pidfd_getfd, pidfd, fd, 0);
		bool is_end = copy >= 0 && sys_socket_cookie(copy) == p->end_cookie;
		if (is_end) {
			sys_send(copy, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		}
		if (copy >= 0) {
			sys_close(copy);
		}
		if (is_end) {
			break;
		}
	}
}

static void finish(struct pump *p)
{
	if (p->is_lost && !p->is_gone) {
		reset_program(p);
	}
	session_relay_ends(p->conn, sys_getpid());
	sys_close(p->program_fd);
	if (log_is_stderr()) {
		sys_close(2); /* whoever reads the program's errors may wait for their end */
	}
	if (!p->is_lost && p->phase == SESSION_OPEN && !session_is_shared(p->conn)) {
		linger(p);
	}
	session_close(p->conn);
}

/* ---- the process ---- */

/* Wait until the program runs: its pid, or AWAY. */
static pid_t wait_at_gate(const struct start *start)
{
	pid_t word = AWAY;
	ssize_t n;

	do {
		n = sys_call(SYS_read, start->gate, &word, sizeof(word));
	} while (n == -EINTR);
	sys_close(start->gate);
	return n == 0 ? start->starter : word;
}

static void pump_all(struct pump *p)
{
	while (!is_over(p)) {
		bool moved = shake_hands(p);

		moved = take_up(p) || moved;
		moved = give_up(p) || moved;
		moved = end_up(p) || moved;
		moved = take_down(p) || moved;
		moved = give_down(p) || moved;
		moved = end_down(p) || moved;
		if (!moved) {
			await(p);
		}
	}
}

static void relay_run(void *ctx)
{
	const struct start *start = ctx;
	struct pump p = {
		.program_fd = start->program_fd,
		.conn = start->conn,
		.end_cookie = start->end_cookie,
		.program = wait_at_gate(start),
	};
	uint8_t *buffers =
		sys_mmap(NULL, 2 * BUFFER_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p.program == AWAY) {
		return;
	}
	/* A connection that is over has become a bare socket, which must not be touched. */
	p.phase = session_phase(p.conn);
	if (!buffers || p.phase == SESSION_NONE) {
		log_error("relay: %s; the program gets no data",
			  buffers ? "the connection was closed before it began" : "out of memory");
		session_close(p.conn);
		return;
	}
	p.up.buf = buffers;
	p.down.buf = buffers + BUFFER_LEN;
	if (!start->has_input) {
		way_closed(&p.down);
	}
	pump_all(&p);
	finish(&p);
}

/* ---- in the program ---- */

/* Move *fd up, close-on-exec. What cannot be moved above 2 is no use. */
static int raise_fd(int *fd)
{
	int high = sys_fcntl(*fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (high < 0 && *fd <= 2) {
		high = sys_fcntl(*fd, F_DUPFD_CLOEXEC, 3);
	}
	if (high < 0) {
		return *fd <= 2 ? high : 0;
	}
	sys_close(*fd);
	*fd = high;
	return 0;
}

static int raise_pair(int fds[static 2])
{
	for (int i = 0; i < 2; i++) {
		int rc = raise_fd(&fds[i]);
		if (rc != 0) {
			sys_close(fds[0]);
			sys_close(fds[1]);
			return rc;
		}
	}
	return 0;
}

static int make_socketpair(int fds[static 2])
{
	int rc = sys_socketpair(SOCK_STREAM, fds);

	return rc == 0 ? raise_pair(fds) : rc;
}

static int make_pipe(int fds[static 2])
{
	int rc = (int)sys_call(SYS_pipe2, fds, O_CLOEXEC, 0);

	return rc == 0 ? raise_pair(fds) : rc;
}

/* The program finds its end in the modes of the connection's socket. */
static void copy_modes(int from, int to)
{
	static const int options[] = {SO_RCVTIMEO, SO_SNDTIMEO};
	int flags = sys_fcntl(from, F_GETFL, 0);

	if (flags >= 0 && (flags & O_NONBLOCK)) {
		sys_fcntl(to, F_SETFL, O_RDWR | O_NONBLOCK);
	}
	for (int i = 0; i < 2; i++) {
		struct timeval tv;
		socklen_t len = sizeof(tv);
		if (sys_getsockopt(from, SOL_SOCKET, options[i], &tv, &len) == 0) {
			sys_setsockopt(to, SOL_SOCKET, options[i], &tv, len);
		}
	}
}

static int start_with(struct relay *relay, const int pair[static 2], const int gate[static 2], bool has_input)
{
	struct start start = {
		.program_fd = pair[1],
		.conn = relay->conn,
		.gate = gate[0],
		.has_input = has_input,
		.starter = sys_getpid(),
		.end_cookie = sys_socket_cookie(pair[0]),
	};
	const int keep[] = {pair[1], relay->conn, gate[0]};

	copy_modes(relay->conn, pair[0]);
	relay->end = pair[0];
	relay->gate = gate[1];
	/* What a former relay has still to send comes first. */
	session_relay_await(relay->conn, true);
	relay->pid = helper_start(relay_run, &start, keep, sizeof(keep) / sizeof(keep[0]));
	sys_close(pair[1]);
	sys_close(gate[0]);
	if (relay->pid < 0) {
		sys_close(pair[0]);
		sys_close(gate[1]);
		return relay->pid;
	}
	session_relay_begins(relay->conn, relay->pid, start.starter);
	return 0;
}

int relay_start(struct relay *relay, int fd, bool has_input)
{
	int pair[2], gate[2], rc;

	relay->conn = sys_fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
	if (relay->conn < 0) {
		relay->conn = sys_fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	if (relay->conn < 0) {
		return relay->conn;
	}
	rc = make_socketpair(pair);
	if (rc == 0) {
		rc = make_pipe(gate);
		if (rc == 0) {
			rc = start_with(relay, pair, gate, has_input);
		} else {
			sys_close(pair[0]);
			sys_close(pair[1]);
		}
	}
	if (rc != 0) {
		sys_close(relay->conn);
	}
	return rc;
}

/* Closing the gate would not do: a process that another thread forked in this moment may have a copy. */
static void leave(struct relay *relay, pid_t word)
{
	sys_call(SYS_write, relay->gate, &word, sizeof(word));
	sys_close(relay->end);
	sys_close(relay->conn);
	sys_close(relay->gate);
}

void relay_go(struct relay *relay, pid_t program)
{
	session_relay_begins(relay->conn, relay->pid, program);
	leave(relay, program);
}

void relay_cancel(struct relay *relay)
{
	session_take_back(relay->conn, relay->pid);
	session_relay_ends(relay->conn, relay->pid);
	leave(relay, AWAY);
}
