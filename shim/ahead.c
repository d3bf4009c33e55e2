/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Servers that accept late: the program's side.
 *
 * Implementation notes: a process has few such listeners, so its table is a short array. An entry
 * belongs to who moves its state from FREE to BUSY, or from LIVE to BUSY after having taken its
 * last descriptor; so there is no lock. A vfork child shares the table but not the descriptors: it
 * is recognised by its pid and changes nothing.
 */
#include "ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>

#include "accept.h"
#include "address.h"
#include "ahead_priv.h"
#include "arena.h"
#include "fdtab.h"
#include "helper.h"
#include "inherit.h"
#include "log.h"
#include "session.h"
#include "shim.h"
#include "sys.h"

#define LISTENERS_MAX 32
#define FDS_MAX       4
#define END_WAIT_MS   1000

enum { FREE, BUSY, LIVE };

struct ahead {
	_Atomic int state;
	_Atomic uint64_t cookie;  /* SO_COOKIE of the listener */
	_Atomic int fds[FDS_MAX]; /* this process's descriptors of it, -1: none */
	_Atomic int channel;
	ino_t channel_inode;
	/* Stays mapped until the entry is used again: another thread may be at it. */
	struct ahead_shared *shared;
};

_Atomic unsigned ahead_n_used;
static struct ahead table[LISTENERS_MAX];
static _Atomic pid_t table_pid; /* whose table it is */
/* This process was made to serve a connection, which it may have left to another one meanwhile. */
static _Atomic bool born_serving;

static bool table_is_ours(void)
{
	return atomic_load(&table_pid) == sys_getpid();
}

static struct ahead *find_by_socket(int fd)
{
	uint64_t cookie = table_is_ours() ? sys_socket_cookie(fd) : 0;

	for (size_t i = 0; cookie && i < LISTENERS_MAX; i++) {
		if (atomic_load(&table[i].state) == LIVE && atomic_load(&table[i].cookie) == cookie) {
			return &table[i];
		}
	}
	return NULL;
}

static bool add_fd(struct ahead *entry, int fd)
{
	for (size_t i = 0; i < FDS_MAX; i++) {
		int none = -1;
		if (atomic_compare_exchange_strong(&entry->fds[i], &none, fd)) {
			return true;
		}
	}
	return false;
}

/* A program that closes by raw system calls may have another file there. */
static bool channel_is_ours(const struct ahead *entry)
{
	struct stat st;

	return fstat(atomic_load(&entry->channel), &st) == 0 && st.st_ino == entry->channel_inode;
}

/* ---- begin ---- */

static void note_served(int fd, fdtab_entry entry, void *served)
{
	(void)entry;
	if (!session_is_client(fd)) {
		*(bool *)served = true;
	}
}

/* Does this process hold a connection that was accepted? */
static bool holds_served(void)
{
	bool served = false;

	fdtab_each(0, ~0u, note_served, &served);
	return served;
}

static bool option_is_set(int fd, int level, int name)
{
	char value[64] = {0};
	socklen_t len = sizeof(value);

	return sys_getsockopt(fd, level, name, value, &len) == 0 && len > 0 &&
	       memcmp(value, (char[64]){0}, len) != 0;
}

/*
 * May a helper serve this listener? In a group that shares its port pokes would go to other
 * members; through a device they do not come, a listener that waits for data would not hear of
 * them, and addresses of other machines do not serve to poke.
 */
static bool may_help(int fd)
{
	return accept_may_be_tls(fd) && !option_is_set(fd, SOL_SOCKET, SO_REUSEPORT) &&
	       !option_is_set(fd, SOL_SOCKET, SO_BINDTODEVICE) &&
	       !option_is_set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) &&
	       !option_is_set(fd, IPPROTO_IP, IP_TRANSPARENT) &&
	       !option_is_set(fd, IPPROTO_IPV6, IPV6_TRANSPARENT);
}

/* A free entry, ours now; NULL if there is none. */
static struct ahead *claim_entry(void)
{
	for (size_t i = 0; i < LISTENERS_MAX; i++) {
		int free_state = FREE;
		if (atomic_compare_exchange_strong(&table[i].state, &free_state, BUSY)) {
			atomic_fetch_add(&ahead_n_used, 1);
			return &table[i];
		}
	}
	return NULL;
}

static void give_back(struct ahead *entry)
{
	atomic_store(&entry->state, FREE);
	atomic_fetch_sub(&ahead_n_used, 1);
}

static bool make_shared(struct ahead *entry)
{
	if (entry->shared) {
		sys_munmap(entry->shared, sizeof(*entry->shared));
	}
	entry->shared = sys_mmap(NULL, sizeof(*entry->shared), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return entry->shared != NULL;
}

/* The two ends of a channel, ours high up; false if there is none to be had. */
static bool make_channel(struct ahead *entry, int *helper_end)
{
	struct stat st;
	int pair[2], high;

	if (sys_socketpair(SOCK_SEQPACKET, pair) != 0) {
		return false;
	}
	high = arena_high_fd(pair[0]);
	atomic_store(&entry->channel, high >= 0 ? high : pair[0]);
	*helper_end = pair[1];
	if (fstat(atomic_load(&entry->channel), &st) != 0) {
		sys_close(atomic_load(&entry->channel));
		sys_close(pair[1]);
		return false;
	}
	entry->channel_inode = st.st_ino;
	return true;
}

static int start_helper(struct ahead *entry, int fd, int helper_end)
{
	struct ahead_start start = {fd, helper_end, entry->shared};
	int keep[2] = {fd, helper_end};
	int rc;

	/* In the helper's copy of the policy no other thread may be in the middle of a change. */
	shim_lock_policy();
	rc = helper_start(ahead_helper, &start, keep, 2);
	shim_unlock_policy();
	return rc;
}

static bool begin(struct ahead *entry, int fd, uint64_t cookie)
{
	int helper_end, rc;

	if (!make_shared(entry) || !make_channel(entry, &helper_end)) {
		return false;
	}
	holders_add(&entry->shared->holders, sys_getpid());
	rc = start_helper(entry, fd, helper_end);
	sys_close(helper_end);
	if (rc < 0) {
		log_debug("no helper for the listener %d: %s; the handshake waits until the program accepts",
			  fd, strerrordesc_np(-rc));
		sys_close(atomic_load(&entry->channel));
		return false;
	}
	log_debug("process %d accepts from listener %d when the program is late", rc, fd);
	for (size_t i = 0; i < FDS_MAX; i++) {
		atomic_store(&entry->fds[i], i == 0 ? fd : -1);
	}
	atomic_store(&entry->cookie, cookie);
	atomic_store(&table_pid, sys_getpid());
	atomic_store(&entry->state, LIVE);
	return true;
}

void ahead_listen(int fd)
{
	uint64_t cookie = sys_socket_cookie(fd);
	struct ahead *entry;
	int saved = errno;

	if (!cookie || !(atomic_load(&born_serving) || holds_served()) || find_by_socket(fd) ||
	    !may_help(fd) || !arena_open() || !helper_is_welcome()) {
		errno = saved;
		return;
	}
	entry = claim_entry();
	if (entry && !begin(entry, fd, cookie)) {
		give_back(entry);
	}
	errno = saved;
}

/* ---- accept ---- */

/*
 * sockaddr_in and sockaddr_in6 have the port at the same place. A poke is taken off the list by who
 * finds it.
 */
bool ahead_is_poke(int listener, int fd)
{
	struct ahead *entry = find_by_socket(listener);
	struct sockaddr_in6 local, peer;
	socklen_t local_len = sizeof(local), peer_len = sizeof(peer);

	if (!entry || sys_call(SYS_getsockname, fd, &local, &local_len) != 0 ||
	    sys_call(SYS_getpeername, fd, &peer, &peer_len) != 0 || !address_same_host(&local, &peer)) {
		return false;
	}
	for (size_t i = 0; i < AHEAD_TAKEN_MAX; i++) {
		uint32_t port = ntohs(peer.sin6_port);
		if (atomic_compare_exchange_strong(&entry->shared->ports[i], &port, 0)) {
			return true;
		}
	}
	return false;
}

/* The next connection from the channel, -1 if there is none. */
static int receive(struct ahead *entry, struct ahead_message *message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {message, sizeof(*message)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	long n;
	int fd;

	if (!channel_is_ours(entry)) {
		return -1;
	}
	do {
		n = sys_call(SYS_recvmsg, atomic_load(&entry->channel), &msg,
			     MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n == -EINTR);
	cmsg = n == sizeof(*message) ? CMSG_FIRSTHDR(&msg) : NULL;
	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(int))) {
		return -1;
	}
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

int ahead_take(int listener, int fd, struct sockaddr *addr, socklen_t room, socklen_t *len, int flags)
{
	const struct linger reset = {1, 0};
	struct ahead *entry = find_by_socket(listener);
	struct ahead_message message;
	int saved = errno;

	/* A reset leaves no TIME_WAIT on the program's port. The number is free for the connection then. */
	sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	sys_close(fd);
	fd = entry ? receive(entry, &message) : -1;
	if (fd < 0) {
		errno = ECONNABORTED;
		return -1;
	}
	if (fdtab_is_wrapped(fd)) {
		session_forget(fd);
	}
	inherit_one(fd);
	if (fdtab_is_wrapped(fd)) {
		session_pass(fd, false);
	}
	if (!(flags & SOCK_CLOEXEC)) {
		sys_fcntl(fd, F_SETFD, 0);
	}
	if (flags & SOCK_NONBLOCK) {
		sys_fcntl(fd, F_SETFL, sys_fcntl(fd, F_GETFL, 0) | O_NONBLOCK);
	}
	if (addr && len) {
		memcpy(addr, &message.peer, room < message.peer_len ? room : message.peer_len);
		*len = message.peer_len;
	}
	errno = saved;
	return fd;
}

/* ---- end ---- */

/*
 * Ask the helper to let go of the listener, and wait until it has: programs bind the same port
 * again at once.
 */
static void end_helper(int channel)
{
	struct pollfd pfd = {.fd = channel};
	int64_t end = sys_now_ms() + END_WAIT_MS;

	sys_shutdown(channel, SHUT_WR);
	for (int64_t left = END_WAIT_MS; left > 0; left = end - sys_now_ms()) {
		struct timespec wait = sys_timespec(left);
		if (sys_ppoll(&pfd, 1, &wait) != -EINTR) {
			return;
		}
	}
}

/* This process has no descriptor of the listener any more. */
static void end(struct ahead *entry)
{
	if (channel_is_ours(entry)) {
		holders_remove(&entry->shared->holders, sys_getpid());
		if (!holders_besides(&entry->shared->holders, 0)) {
			end_helper(atomic_load(&entry->channel));
		}
		sys_close(atomic_load(&entry->channel));
	}
	give_back(entry);
}

static void remove_fd(struct ahead *entry, int fd)
{
	int live = LIVE;
	bool found = false;

	for (size_t i = 0; i < FDS_MAX; i++) {
		int old = fd;
		found |= atomic_compare_exchange_strong(&entry->fds[i], &old, -1);
	}
	for (size_t i = 0; i < FDS_MAX && found; i++) {
		found = atomic_load(&entry->fds[i]) == -1;
	}
	if (found && atomic_compare_exchange_strong(&entry->state, &live, BUSY)) {
		end(entry);
	}
}

void ahead_closing_range(unsigned first, unsigned last)
{
	int saved = errno;

	if (!ahead_is_used() || !table_is_ours()) {
		return;
	}
	for (size_t i = 0; i < LISTENERS_MAX; i++) {
		for (size_t j = 0; j < FDS_MAX && atomic_load(&table[i].state) == LIVE; j++) {
			int fd = atomic_load(&table[i].fds[j]);
			if (fd >= 0 && (unsigned)fd >= first && (unsigned)fd <= last) {
				remove_fd(&table[i], fd);
			}
		}
	}
	errno = saved;
}

void ahead_closing(int fd)
{
	if (fd >= 0) {
		ahead_closing_range((unsigned)fd, (unsigned)fd);
	}
}

void ahead_dup(int fd, int new_fd)
{
	struct ahead *entry = ahead_is_used() ? find_by_socket(fd) : NULL;

	if (entry && !add_fd(entry, new_fd)) {
		log_debug("listener %d has too many descriptors: no helper any more", fd);
		for (size_t i = 0; i < FDS_MAX; i++) {
			remove_fd(entry, atomic_load(&entry->fds[i]));
		}
	}
}

/* ---- processes ---- */

void ahead_fork_child(void)
{
	if (holds_served()) {
		atomic_store(&born_serving, true);
	}
	if (!ahead_is_used()) {
		return;
	}
	atomic_store(&table_pid, sys_getpid());
	for (size_t i = 0; i < LISTENERS_MAX; i++) {
		if (atomic_load(&table[i].state) == LIVE) {
			holders_add(&table[i].shared->holders, sys_getpid());
		} else if (atomic_load(&table[i].state) == BUSY) {
			give_back(&table[i]); /* whoever was at it is not in this process */
		}
	}
}

void ahead_exec_arrived(void)
{
	if (holds_served()) {
		atomic_store(&born_serving, true);
	}
}

void ahead_exec(bool leaves)
{
	if (!ahead_is_used() || !table_is_ours()) {
		return;
	}
	for (size_t i = 0; i < LISTENERS_MAX; i++) {
		if (atomic_load(&table[i].state) != LIVE) {
			continue;
		}
		if (leaves) {
			holders_remove(&table[i].shared->holders, sys_getpid());
		} else {
			holders_add(&table[i].shared->holders, sys_getpid());
		}
	}
}

/* ---- our descriptors ---- */

bool ahead_owns(int fd)
{
	return fd >= 0 && ahead_is_used() && ahead_next_fd(fd) == fd;
}

int ahead_next_fd(int first)
{
	int next = -1;

	for (size_t i = 0; ahead_is_used() && table_is_ours() && i < LISTENERS_MAX; i++) {
		int fd = atomic_load(&table[i].channel);
		if (atomic_load(&table[i].state) == LIVE && fd >= first && (next < 0 || fd < next)) {
			next = fd;
		}
	}
	return next;
}

void ahead_move_fd(int fd)
{
	for (size_t i = 0; ahead_owns(fd) && i < LISTENERS_MAX; i++) {
		if (atomic_load(&table[i].state) == LIVE && atomic_load(&table[i].channel) == fd) {
			int moved = sys_fcntl(fd, F_DUPFD_CLOEXEC, fd > 128 ? fd - 64 : 3);
			if (moved >= 0) {
				atomic_store(&table[i].channel, moved);
				sys_close(fd);
			}
			return;
		}
	}
}
