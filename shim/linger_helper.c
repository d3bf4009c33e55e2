/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that their program has closed before they could end: the helper.
 *
 * Implementation notes: everything that has to be said is sealed already, so the helper knows nothing of TLS;
 * it moves bytes. It sleeps in epoll until a socket has news or the next one has stood still for too long.
 * Registrations are edge-triggered: a peer's end is an event once. While the table is full the channel
 * is not read, and who sends there has to help himself.
 */
#include "linger_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "address.h"
#include "log.h"
#include "sys.h"

#define TABLE_MAX 4096u
/* A connection that stands still for so long is given up. */
#define STILL_MS  30000
/* The helper goes when it has had nothing to do for so long. */
#define IDLE_MS   2000
/* What a peer may send on that nobody will read; and when it has all that was sent to it. */
#define DRAIN_MAX ((size_t)4 << 20)
#define DRAIN_END ((size_t)64 << 10)
#define CHANNEL	  UINT32_MAX
#define SIGNALS	  (UINT32_MAX - 1)
/* Who stops a service ends all its processes by SIGTERM, and waits for them: what is on its way gets this long. */
#define TERM_MS	  5000
#define EVENTS	  64

struct leftover {
	int fd; /* -1: free */
	uint32_t at, len;
	bool is_shut;  /* all is sent, the end too */
	int unsent;    /* in the kernel, when we looked last */
	size_t drained;
	int64_t until_ms;
	char rule[ARENA_RULE_MAX];
};

struct table {
	struct leftover *entries;
	uint8_t *bytes; /* LINGER_MAX_LEN for each entry */
	uint32_t max, n;
	int epfd, channel;
	bool is_reading; /* the channel */
	bool is_alone;	 /* nobody has the other end */
	int64_t idle_ms; /* since when */
	int64_t look_ms; /* at entries that may stand still; 0: never */
	int64_t end_ms;	 /* SIGTERM has come; 0: it has not */
};

static bool watch(const struct table *t, int op, int fd, uint32_t events, uint32_t number)
{
	struct epoll_event event = {.events = events, .data.u32 = number};

	return sys_call6(SYS_epoll_ctl, t->epfd, op, fd, (long)&event, 0, 0) == 0;
}

static uint8_t *bytes_of(const struct table *t, uint32_t number)
{
	return t->bytes + (size_t)number * LINGER_MAX_LEN;
}

static int unsent(int fd)
{
	int n = 0;

	return sys_call(SYS_ioctl, fd, TIOCOUTQ, &n) == 0 ? n : 0;
}

static void drop(struct table *t, uint32_t number)
{
	struct leftover *entry = &t->entries[number];

	sys_close(entry->fd);
	entry->fd = -1;
	if (--t->n == 0) {
		t->idle_ms = sys_now_ms();
	}
}

/* Send what is left and the end: false if the connection is broken. */
static bool send_rest(struct table *t, uint32_t number)
{
	struct leftover *entry = &t->entries[number];
	long n;

	while (entry->len > 0) {
		n = sys_send(entry->fd, bytes_of(t, number) + entry->at, entry->len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -EAGAIN) {
			return true;
		}
		if (n < 0 && n != -EINTR) {
			return false;
		}
		entry->at += n > 0 ? (uint32_t)n : 0;
		entry->len -= n > 0 ? (uint32_t)n : 0;
	}
	if (!entry->is_shut) {
		entry->is_shut = true;
		/* Room in the kernel is no news any more. */
		watch(t, EPOLL_CTL_MOD, entry->fd, EPOLLIN | EPOLLRDHUP | EPOLLET, number);
		return sys_shutdown(entry->fd, SHUT_WR) == 0;
	}
	return true;
}

/* Has the peer's kernel all that was sent, and the end? */
static bool has_arrived(const struct leftover *entry)
{
	return entry->is_shut && unsent(entry->fd) == 0;
}

/* Read and throw away what comes: false when there is nothing to wait for any more. */
static bool drain(struct leftover *entry)
{
	long n;

	while (entry->drained < DRAIN_MAX) {
		n = sys_recv(entry->fd, NULL, DRAIN_END, MSG_TRUNC | MSG_DONTWAIT);
		if (n == -EAGAIN) {
			return true;
		}
		if (n == 0) {
			return !entry->is_shut; /* the peer's end: the kernel does the rest */
		}
		if (n < 0 && n != -EINTR) {
			return false;
		}
		entry->drained += n > 0 ? (size_t)n : 0;
		if (entry->drained > DRAIN_END && has_arrived(entry)) {
			return false;
		}
	}
	return false;
}

static void step(struct table *t, uint32_t number)
{
	if (t->entries[number].fd >= 0 && (!send_rest(t, number) || !drain(&t->entries[number]))) {
		drop(t, number);
	}
}

/* ---- those that stand still ---- */

static void give_up(struct table *t, uint32_t number)
{
	struct leftover *entry = &t->entries[number];
	struct sockaddr_in6 peer;
	socklen_t len = sizeof(peer);
	char text[ADDRESS_MAX];

	if (entry->len > 0) {
		if (sys_call(SYS_getpeername, entry->fd, &peer, &len) != 0) {
			len = 0;
		}
		address_format((const struct sockaddr *)&peer, len, text);
		log_info("%s: peer %s takes no data for %d s: closing without close_notify", entry->rule, text,
			 STILL_MS / 1000);
	}
	drop(t, number);
}

static void look_at_all(struct table *t)
{
	const int64_t now = sys_now_ms();

	t->look_ms = 0;
	for (uint32_t i = 0; i < t->max && t->n > 0; i++) {
		struct leftover *entry = &t->entries[i];
		int left = entry->fd < 0 || now < entry->until_ms ? 0 : unsent(entry->fd) + (int)entry->len;
		if (entry->fd >= 0 && now >= entry->until_ms) {
			if (left == entry->unsent || has_arrived(entry)) {
				give_up(t, i);
				continue;
			}
			entry->unsent = left;
			entry->until_ms = now + STILL_MS;
		}
		if (entry->fd >= 0 && (t->look_ms == 0 || entry->until_ms < t->look_ms)) {
			t->look_ms = entry->until_ms;
		}
	}
}

/* ---- new ones ---- */

static uint32_t free_number(const struct table *t)
{
	uint32_t number = 0;

	while (t->entries[number].fd >= 0) {
		number++;
	}
	return number;
}

static void add(struct table *t, uint32_t number, int fd, const struct linger_header *header)
{
	struct leftover *entry = &t->entries[number];

	memset(entry, 0, sizeof(*entry));
	entry->fd = fd;
	entry->len = header->len;
	entry->unsent = unsent(fd) + (int)header->len;
	entry->until_ms = sys_now_ms() + STILL_MS;
	memcpy(entry->rule, header->rule, sizeof(entry->rule) - 1);
	if (t->look_ms == 0) {
		t->look_ms = entry->until_ms; /* no other is due before */
	}
	t->n++;
	if (!watch(t, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, number)) {
		drop(t, number);
		return;
	}
	step(t, number);
}

/* One message. False if there is none. */
static bool take_message(struct table *t)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	uint32_t number = free_number(t);
	struct linger_header header;
	struct iovec iov[2] = {{&header, sizeof(header)}, {bytes_of(t, number), LINGER_MAX_LEN}};
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	long n = sys_call(SYS_recvmsg, t->channel, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	int fd;

	if (n == 0) {
		t->is_alone = true;
	}
	if (n <= 0) {
		return n == -EINTR;
	}
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
	    cmsg->cmsg_len == CMSG_LEN(sizeof(int))) {
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
		if ((size_t)n == sizeof(header) + header.len) {
			add(t, number, fd, &header);
		} else {
			sys_close(fd);
		}
	}
	return true;
}

static void take_messages(struct table *t)
{
	while (t->n < t->max && !t->is_alone && take_message(t)) {
	}
}

/* ---- the helper's life ---- */

/* SIGTERM becomes an event. Without signalfd(2) it ends the helper. */
static void watch_signals(const struct table *t)
{
	const uint64_t term = UINT64_C(1) << (SIGTERM - 1);
	int fd;

	fd = (int)sys_call6(SYS_signalfd4, -1, (long)&term, sizeof(term), SFD_CLOEXEC, 0, 0);
	if (fd >= 0 && watch(t, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, SIGNALS)) {
		sys_call6(SYS_rt_sigprocmask, SIG_BLOCK, (long)&term, 0, sizeof(term), 0, 0);
	}
}

/* So many descriptors as this process may have, but for a few. */
static uint32_t table_size(void)
{
	struct rlimit limit = {0, 0};

	sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0);
	limit.rlim_cur = limit.rlim_max;
	sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&limit, 0, 0, 0);
	sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0);
	return limit.rlim_cur < 32 ? 0 : limit.rlim_cur - 16 < TABLE_MAX ? (uint32_t)limit.rlim_cur - 16 : TABLE_MAX;
}

static bool init(struct table *t, int channel)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	t->channel = channel;
	for (t->max = table_size(); t->max > 0; t->max /= 2) {
		t->entries = sys_mmap(NULL, t->max * sizeof(*t->entries), PROT_READ | PROT_WRITE, flags, -1, 0);
		t->bytes = sys_mmap(NULL, (size_t)t->max * LINGER_MAX_LEN, PROT_READ | PROT_WRITE, flags, -1, 0);
		if (t->entries && t->bytes) {
			break; /* else RLIMIT_AS has room for fewer */
		}
		sys_munmap(t->entries, t->entries ? t->max * sizeof(*t->entries) : 0);
		sys_munmap(t->bytes, t->bytes ? (size_t)t->max * LINGER_MAX_LEN : 0);
	}
	for (uint32_t i = 0; i < t->max; i++) {
		t->entries[i].fd = -1;
	}
	t->idle_ms = sys_now_ms();
	t->epfd = (int)sys_call(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0);
	t->is_reading = true;
	if (t->max == 0 || t->epfd < 0 || !watch(t, EPOLL_CTL_ADD, channel, EPOLLIN, CHANNEL)) {
		return false;
	}
	watch_signals(t);
	return true;
}

/* Who waits for the end of the program's output must not wait for us. */
static void leave_stderr(void)
{
	int fd = (int)sys_call6(SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDWR | O_CLOEXEC, 0, 0, 0);

	if (fd >= 0) {
		sys_call(SYS_dup3, fd, 2, 0);
		sys_close(fd);
	} else {
		sys_close(2);
	}
}

/* Read the channel while there is room. */
static void mind_channel(struct table *t)
{
	bool wants = t->n < t->max && !t->is_alone;

	if (wants != t->is_reading) {
		t->is_reading = wants;
		watch(t, wants ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, t->channel, EPOLLIN, CHANNEL);
	}
}

/* Until when to sleep in ms; -1: for ever. */
static int sleep_ms(const struct table *t)
{
	int64_t until = t->n == 0 ? t->idle_ms + IDLE_MS : t->look_ms;
	int64_t left;

	if (t->end_ms != 0 && (until == 0 || t->end_ms < until)) {
		until = t->end_ms;
	}
	left = until - sys_now_ms();

	return until == 0 ? -1 : left > 0 ? (int)left + 1 : 0;
}

static bool is_over(const struct table *t)
{
	const int64_t now = sys_now_ms();

	return t->n == 0 ? t->is_alone || t->end_ms != 0 || now - t->idle_ms >= IDLE_MS :
			   t->end_ms != 0 && now >= t->end_ms;
}

static void serve(struct table *t)
{
	struct epoll_event events[EVENTS];

	while (!is_over(t)) {
		long n = sys_call6(SYS_epoll_pwait, t->epfd, (long)events, EVENTS, sleep_ms(t), 0, 8);
		for (long i = 0; i < n; i++) {
			if (events[i].data.u32 == CHANNEL) {
				take_messages(t);
			} else if (events[i].data.u32 == SIGNALS) {
				t->end_ms = sys_now_ms() + TERM_MS;
			} else {
				step(t, events[i].data.u32);
			}
		}
		if (t->look_ms != 0 && sys_now_ms() >= t->look_ms) {
			look_at_all(t);
		}
		mind_channel(t);
	}
}

void linger_helper(void *channel)
{
	struct table t = {.n = 0};

	if (log_is_stderr()) {
		leave_stderr();
	}
	if (!init(&t, *(int *)channel) || sys_send(t.channel, "A", 1, MSG_NOSIGNAL) != 1) {
		return;
	}
	do {
		serve(&t);
		/* From now on nothing can be sent here; what has been meanwhile is not lost. */
		sys_shutdown(t.channel, SHUT_RD);
		take_messages(&t);
	} while (!is_over(&t));
}
