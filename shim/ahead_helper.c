/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Servers that accept late: the helper.
 *
 * Implementation notes: a connection is accepted when it has waited for LATE_MS, so that a program
 * that accepts at once never sees the helper. It is sent to the program at once, whether or not its
 * client has spoken; the helper keeps a duplicate and begins the handshake when the ClientHello
 * comes, unless the program has done so; after that the session is in the hands of who began
 * (session_handshake.c). A poke stands in the listener's own queue, behind which nobody sees new
 * clients, so while there are pokes the queue's length is looked at now and then; if it has grown,
 * all of it is taken out, and the pokes are made anew. A poke that somebody took who does not know
 * of us (a process that got the listener by other ways) is made anew too. The listener's
 * O_NONBLOCK is shared with the program, and not ours to change: a timer ends an accept() that
 * comes too late.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include "accept.h"
#include "address.h"
#include "ahead_priv.h"
#include "fdtab.h"
#include "log.h"
#include "session.h"
#include "shim.h"
#include "sys.h"

#define LATE_MS       10
/* When something is short (descriptors, memory), and how long an accept() may take that finds nothing. */
#define AGAIN_MS      100
#define ACCEPT_MS     10
/* Looks at the queue behind a poke. */
#define LOOK_FIRST_MS 50
#define LOOK_LAST_MS  400
/* With the listener gone, how long handshakes may go on that have no limit of their own. */
#define LEFTOVER_MS   60000

struct taken {
	int fd;   /* -1: free */
	int poke; /* -1: none */
	bool needs_poke;
	bool is_fetched; /* the program has it */
	bool has_begun;  /* the handshake: here */
	bool is_lent;    /* the session: to the program */
	short events;    /* to wait for while it goes on */
};

struct helper {
	int listener, channel; /* -1: closed */
	struct ahead_shared *shared;
	struct taken taken[AHEAD_TAKEN_MAX];
	int64_t accept_at_ms; /* 0: nobody has come */
	int64_t poke_at_ms;   /* 0: none to be made */
	int64_t look_at_ms;   /* 0: no pokes out */
	int look_wait_ms;
	bool was_short; /* the last look found fewer pokes in the queue than were made */
	int64_t end_at_ms;
};

static const struct linger reset = {1, 0};

/* ---- one connection ---- */

static void close_with_reset(int fd)
{
	sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	sys_close(fd);
}

/*
 * As long as nothing is to be done here the connection is the program's alone: it must not count us
 * when it closes, and not wait for us. What is on its way to the program is held by session_pass().
 */
static void lend(struct taken *t, bool lent)
{
	if (fdtab_is_wrapped(t->fd) && t->is_lent != lent) {
		session_lend(t->fd, lent);
		t->is_lent = lent;
	}
}

static void drop(struct helper *h, struct taken *t)
{
	if (t->poke >= 0) {
		atomic_store(&h->shared->ports[t - h->taken], 0);
		sys_close(t->poke);
	}
	if (t->is_lent) {
		session_disown(t->fd);
	} else if (fdtab_is_wrapped(t->fd)) {
		session_release(t->fd);
	}
	sys_close(t->fd);
	*t = (struct taken){.fd = -1, .poke = -1};
}

/* The program will never ask for it: what the kernel does with a connection in a queue that is closed. */
static void drop_unfetched(struct helper *h, struct taken *t)
{
	lend(t, false);
	if (fdtab_is_wrapped(t->fd)) {
		session_pass(t->fd, false);
	}
	sys_setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	drop(h, t);
}

/* Has the program taken it? It takes the poke's port off the list. */
static bool is_taken_away(const struct helper *h, const struct taken *t)
{
	return t->is_fetched || (t->poke >= 0 && atomic_load(&h->shared->ports[t - h->taken]) == 0);
}

/* One step of the handshake, unless that is the program's. */
static void step(struct helper *h, struct taken *t)
{
	bool is_mine;

	lend(t, false);
	t->events = 0;
	is_mine = t->has_begun || (!is_taken_away(h, t) && !session_is_elsewhere(t->fd));
	t->has_begun = true;
	if (is_mine && session_progress(t->fd, &t->events) == SESSION_CONNECTING &&
	    !session_is_elsewhere(t->fd)) {
		return;
	}
	t->events = 0;
	if (!is_mine || !is_taken_away(h, t)) {
		lend(t, true);
		/* Who closed it just before counted on us. */
		lend(t, !(is_mine && is_taken_away(h, t)));
	}
}

static bool is_at_work(const struct taken *t)
{
	return t->has_begun && t->events != 0;
}

/* The program has taken it: it is its own, unless a handshake has begun here. */
static void let_go(struct helper *h)
{
	for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
		struct taken *t = &h->taken[i];
		if (t->fd >= 0 && t->is_fetched && (!is_at_work(t) || session_is_elsewhere(t->fd))) {
			drop(h, t);
		}
	}
}

/* ---- pokes ---- */

/* To where: the address that connections come to, which is one of this machine. */
static bool poke_address(const struct taken *t, struct sockaddr_in6 *addr, socklen_t *len)
{
	*len = sizeof(*addr);
	return sys_call(SYS_getsockname, t->fd, addr, len) == 0;
}

static int open_poke(struct helper *h, const struct taken *t)
{
	struct sockaddr_in6 to, from;
	socklen_t len, from_len = sizeof(from);
	int fd, rc;

	if (!poke_address(t, &to, &len)) {
		return -1;
	}
	fd = (int)sys_call(SYS_socket, to.sin6_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -1;
	}
	/* Whatever the system's default is: connections over IPv4 may come to such a listener. */
	sys_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
	from = to;
	from.sin6_port = 0;
	if (sys_call(SYS_bind, fd, &from, len) != 0 || sys_call(SYS_getsockname, fd, &from, &from_len) != 0) {
		sys_close(fd);
		return -1;
	}
	/* Before the program can see it. */
	atomic_store(&h->shared->ports[t - h->taken], ntohs(from.sin6_port));
	rc = (int)sys_call(SYS_connect, fd, &to, len);
	if (rc != 0 && rc != -EINPROGRESS) {
		log_debug("process %d cannot poke the program's listener: %s", (int)sys_getpid(),
			  strerrordesc_np(-rc));
		atomic_store(&h->shared->ports[t - h->taken], 0);
		sys_close(fd);
		return -1;
	}
	return fd;
}

static void make_pokes(struct helper *h)
{
	h->poke_at_ms = 0;
	for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
		struct taken *t = &h->taken[i];
		if (t->fd < 0 || !t->needs_poke) {
			continue;
		}
		t->poke = open_poke(h, t);
		t->needs_poke = t->poke < 0;
		if (t->needs_poke) {
			h->poke_at_ms = sys_now_ms() + AGAIN_MS;
		} else if (!h->look_at_ms) {
			h->look_wait_ms = LOOK_FIRST_MS;
			h->look_at_ms = sys_now_ms() + h->look_wait_ms;
		}
	}
}

/* It is used up, by whomever: true if by the program, which has taken its port off the list. */
static bool end_poke(struct helper *h, struct taken *t)
{
	bool by_program = atomic_exchange(&h->shared->ports[t - h->taken], 0) == 0;

	sys_close(t->poke);
	t->poke = -1;
	t->is_fetched = by_program;
	t->needs_poke = !by_program;
	return by_program;
}

/* A poke's socket is in error: it was accepted and reset, or refused. */
static void poke_ended(struct helper *h, struct taken *t)
{
	if (!end_poke(h, t)) {
		h->poke_at_ms = sys_now_ms() + AGAIN_MS;
	}
}

static size_t n_pokes(const struct helper *h)
{
	size_t n = 0;

	for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
		n += h->taken[i].fd >= 0 && h->taken[i].poke >= 0;
	}
	return n;
}

/* Is fd, which came from our listener, a poke? Whose? */
static struct taken *find_poke(struct helper *h, const struct sockaddr_in6 *peer, int fd)
{
	struct sockaddr_in6 local;
	socklen_t len = sizeof(local);
	uint32_t port = ntohs(peer->sin6_port);

	if (sys_call(SYS_getsockname, fd, &local, &len) != 0 || !address_same_host(&local, peer)) {
		return NULL;
	}
	for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
		if (h->taken[i].fd >= 0 && atomic_load(&h->shared->ports[i]) == port) {
			return &h->taken[i];
		}
	}
	return NULL;
}

/* ---- accepting ---- */

static void nothing(int sig)
{
	(void)sig;
}

/* As accept4(), but comes back soon if the program was quicker. */
static int accept_soon(int listener, struct sockaddr_in6 *peer, socklen_t *len)
{
	const struct itimerval on = {{0, ACCEPT_MS * 1000}, {0, ACCEPT_MS * 1000}};
	const struct itimerval off = {{0, 0}, {0, 0}};
	int fd;

	sys_call(SYS_setitimer, ITIMER_REAL, &on, NULL);
	fd = (int)sys_call6(SYS_accept4, listener, (long)peer, (long)len, SOCK_CLOEXEC, 0, 0);
	sys_call(SYS_setitimer, ITIMER_REAL, &off, NULL);
	return fd;
}

static bool send_to_program(struct helper *h, int fd, const struct ahead_message *message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)message, sizeof(*message)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	long n;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	do {
		n = sys_call(SYS_sendmsg, h->channel, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n == -EINTR);
	return n == sizeof(*message);
}

/* A new client: under its rule, and on its way to the program. */
static void take(struct helper *h, int fd, const struct ahead_message *message)
{
	struct taken *t = h->taken;
	int high = fd <= 2 ? sys_fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

	while (t->fd >= 0) {
		t++;
	}
	if (high >= 0) {
		sys_close(fd);
		fd = high;
	}
	if (!accept_wrap(fd)) {
		close_with_reset(fd);
		return;
	}
	*t = (struct taken){.fd = fd, .poke = -1, .needs_poke = true};
	if (fdtab_is_wrapped(fd)) {
		session_pass(fd, true);
		lend(t, true);
	}
	if (!send_to_program(h, fd, message)) {
		log_error("a connection cannot be given to the program; it is closed");
		drop_unfetched(h, t);
	}
}

static bool is_full(const struct helper *h)
{
	for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
		if (h->taken[i].fd < 0) {
			return false;
		}
	}
	return true;
}

static bool is_readable(int fd)
{
	const struct timespec now = {0, 0};
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return sys_ppoll(&pfd, 1, &now) > 0;
}

/* accept() failed: is that of the listener, for good? */
static bool is_final(int err)
{
	return err == -EINVAL || err == -EBADF || err == -ENOTSOCK || err == -EOPNOTSUPP;
}

static void close_listener(struct helper *h)
{
	if (h->listener >= 0) {
		sys_close(h->listener);
		h->listener = -1;
		h->accept_at_ms = h->look_at_ms = 0;
	}
}

/* Take out what is in the queue, our own pokes too. */
static void accept_all(struct helper *h)
{
	h->accept_at_ms = 0;
	while (!is_full(h) && is_readable(h->listener)) {
		struct ahead_message message = {.peer_len = sizeof(message.peer)};
		int fd = accept_soon(h->listener, &message.peer, &message.peer_len);
		struct taken *t;

		if (is_final(fd)) {
			close_listener(h);
			return;
		}
		if (fd < 0) {
			h->accept_at_ms = fd == -EAGAIN || fd == -EINTR ? 0 : sys_now_ms() + AGAIN_MS;
			break;
		}
		t = find_poke(h, &message.peer, fd);
		if (!t) {
			take(h, fd, &message);
			continue;
		}
		close_with_reset(fd);
		end_poke(h, t);
	}
	make_pokes(h);
}

/* Has somebody come behind a poke? Has a poke been taken by a stranger? */
static void look_at_queue(struct helper *h)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	size_t n = n_pokes(h);
	bool is_short;

	h->look_at_ms = 0;
	if (n == 0 || sys_getsockopt(h->listener, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
		return;
	}
	if (h->look_wait_ms < LOOK_LAST_MS) {
		h->look_wait_ms *= 2;
	}
	h->look_at_ms = sys_now_ms() + h->look_wait_ms;
	/* Of a listener this is the length of its queue. */
	is_short = info.tcpi_unacked < n;
	if (info.tcpi_unacked > n) {
		accept_all(h);
	} else if (is_short && h->was_short) {
		for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
			if (h->taken[i].fd >= 0 && h->taken[i].poke >= 0) {
				end_poke(h, &h->taken[i]);
			}
		}
		make_pokes(h);
		is_short = false;
	}
	h->was_short = is_short;
}

/* ---- the loop ---- */

/* 0 stands for never. */
static void not_after(int64_t *until_ms, int64_t at_ms)
{
	if (at_ms && (!*until_ms || at_ms < *until_ms)) {
		*until_ms = at_ms;
	}
}

static int64_t next_look(const struct helper *h)
{
	int64_t until_ms = 0;

	not_after(&until_ms, h->accept_at_ms);
	not_after(&until_ms, h->poke_at_ms);
	not_after(&until_ms, h->look_at_ms);
	not_after(&until_ms, h->end_at_ms);
	for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
		if (h->taken[i].fd >= 0 && is_at_work(&h->taken[i])) {
			not_after(&until_ms, session_deadline_ms(h->taken[i].fd));
		}
	}
	return until_ms;
}

/* The listener and the channel, then each connection and its poke. A descriptor of -1 is passed over. */
#define N_POLLED (2 + 2 * AHEAD_TAKEN_MAX)

static void wait_for_news(const struct helper *h, struct pollfd polled[N_POLLED])
{
	int64_t until_ms = next_look(h), left = until_ms ? until_ms - sys_now_ms() : 0;
	struct timespec wait;
	bool listens = !h->accept_at_ms && n_pokes(h) == 0 && !h->poke_at_ms && !is_full(h);

	left = left > 0 ? left : 0;
	wait = sys_timespec(left);
	polled[0] = (struct pollfd){.fd = listens ? h->listener : -1, .events = POLLIN};
	polled[1] = (struct pollfd){.fd = h->channel, .events = POLLIN};
	for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
		const struct taken *t = &h->taken[i];
		bool waits = t->fd >= 0 && fdtab_is_wrapped(t->fd) && (!t->has_begun || t->events);
		polled[2 + 2 * i] = (struct pollfd){
			.fd = waits ? t->fd : -1,
			.events = t->has_begun ? t->events : POLLIN,
		};
		polled[3 + 2 * i] = (struct pollfd){.fd = t->fd >= 0 ? t->poke : -1};
	}
	sys_ppoll(polled, N_POLLED, until_ms ? &wait : NULL);
}

/* All processes that had the listener are gone or have closed it. */
static void end_service(struct helper *h)
{
	close_listener(h);
	for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
		struct taken *t = &h->taken[i];
		if (t->fd >= 0 && t->poke >= 0) {
			end_poke(h, t);
		}
		if (t->fd >= 0 && !t->is_fetched) {
			drop_unfetched(h, t);
		}
	}
	sys_close(h->channel);
	h->channel = -1;
	h->poke_at_ms = 0;
	h->end_at_ms = sys_now_ms() + LEFTOVER_MS;
}

static void go_on(struct helper *h, const struct pollfd polled[N_POLLED])
{
	int64_t now;

	for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
		struct taken *t = &h->taken[i];
		if (t->fd >= 0 && t->poke >= 0 && polled[3 + 2 * i].revents) {
			poke_ended(h, t);
		}
		if (t->fd >= 0 &&
		    (polled[2 + 2 * i].revents || (is_at_work(t) && session_deadline_ms(t->fd) &&
						   sys_now_ms() >= session_deadline_ms(t->fd)))) {
			step(h, t);
		}
	}
	if (h->channel >= 0 && polled[1].revents) {
		end_service(h);
	}
	let_go(h);
	now = sys_now_ms();
	if (h->listener < 0) {
		return;
	}
	if (polled[0].revents && !h->accept_at_ms) {
		h->accept_at_ms = now + LATE_MS;
	} else if (h->accept_at_ms && now >= h->accept_at_ms) {
		accept_all(h);
	}
	if (h->poke_at_ms && now >= h->poke_at_ms) {
		make_pokes(h);
	}
	if (h->listener >= 0 && h->look_at_ms && now >= h->look_at_ms) {
		look_at_queue(h);
	}
}

static bool has_work(const struct helper *h)
{
	for (size_t i = 0; h->channel < 0 && i < AHEAD_TAKEN_MAX; i++) {
		if (h->taken[i].fd >= 0) {
			return sys_now_ms() < h->end_at_ms;
		}
	}
	return h->channel >= 0;
}

void ahead_helper(void *arg)
{
	const struct ahead_start *start = arg;
	const struct sigaction action = {.sa_handler = nothing};
	struct helper h = {.listener = start->listener, .channel = start->channel, .shared = start->shared};
	struct pollfd polled[N_POLLED];

	shim_unlock_policy();
	sys_call(SYS_prctl, PR_SET_NAME, "tlshim-ahead", 0);
	sigaction(SIGALRM, &action, NULL);
	for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
		h.taken[i] = (struct taken){.fd = -1, .poke = -1};
	}
	while (has_work(&h)) {
		wait_for_news(&h, polled);
		go_on(&h, polled);
	}
	for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
		if (h.taken[i].fd >= 0) {
			drop(&h, &h.taken[i]);
		}
	}
}
