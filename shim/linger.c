/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that their program has closed before they could end: the program's side.
 *
 * Implementation notes: the channel to the helper belongs to the whole process, and children that are forked
 * share it and the helper. Who starts one does so alone; others, a signal handler of the same thread among
 * them, wait a moment for it, and do without it then.
 */
#include "linger_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

#include "helper.h"
#include "log.h"
#include "sandbox.h"
#include "sys.h"

/* How long the start of a helper may take, and who waits for another thread's start or for room to send. */
#define START_WAIT_MS 2000
#define ROOM_WAIT_MS  20

static _Atomic int channel = -1;
static _Atomic uint64_t channel_cookie; /* a program that closes by system call may have another file there */
static _Atomic pid_t starter;		/* who is starting a helper; 0: nobody */

int linger_fd(void)
{
	return atomic_load_explicit(&channel, memory_order_relaxed);
}

bool linger_is_started(void)
{
	return linger_fd() >= 0;
}

void linger_move_fd(void)
{
	int fd = linger_fd();
	int moved = fd < 0 ? -1 : sys_fcntl(fd, F_DUPFD_CLOEXEC, fd > 128 ? fd - 64 : 3);

	if (moved >= 0) {
		atomic_store(&channel, moved);
		sys_close(fd);
	}
}

/* The helper is gone, or what is there is no channel of ours. */
static void drop_channel(int fd)
{
	uint64_t cookie = atomic_load(&channel_cookie);

	if (atomic_compare_exchange_strong(&channel, &fd, -1) && sys_socket_cookie(fd) == cookie) {
		sys_close(fd);
	}
}

/* Wait for the byte that says that the helper has let go of the program's descriptors. */
static bool await_start(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	const int64_t end = sys_now_ms() + START_WAIT_MS;
	char byte;

	for (int64_t left = START_WAIT_MS; left > 0; left = end - sys_now_ms()) {
		struct timespec wait = sys_timespec(left);
		int n = sys_ppoll(&pfd, 1, &wait);
		if (n == -EINTR) {
			continue;
		}
		/* without poll (RLIMIT_NOFILE is 0) no helper could hold anything either */
		return n > 0 && sys_recv(fd, &byte, 1, MSG_DONTWAIT) == 1;
	}
	return false;
}

/* A new helper: our end of its channel, or -errno. */
static int start_helper(void)
{
	int pair[2], high;
	int rc = sys_socketpair(SOCK_SEQPACKET, pair);

	if (rc != 0) {
		return rc;
	}
	high = arena_high_fd(pair[0]);
	pair[0] = high >= 0 ? high : pair[0];
	rc = helper_start(linger_helper, &pair[1], &pair[1], 1);
	sys_close(pair[1]);
	if (rc < 0 || !await_start(pair[0])) {
		sys_close(pair[0]);
		return rc < 0 ? rc : -EAGAIN;
	}
	log_debug("process %d finishes connections that are closed before they could end", rc);
	return pair[0];
}

/* The channel, started if need be: -errno if there is none to be had. */
static int get_channel(void)
{
	pid_t nobody = 0;
	int fd;

	for (int64_t end = sys_now_ms() + ROOM_WAIT_MS;; sys_sleep_ms(1)) {
		fd = linger_fd();
		if (fd >= 0 && sys_socket_cookie(fd) == atomic_load(&channel_cookie)) {
			return fd;
		}
		nobody = 0;
		if (atomic_compare_exchange_strong(&starter, &nobody, sys_getpid()) ||
		    (nobody != sys_getpid() && atomic_compare_exchange_strong(&starter, &nobody, sys_getpid()))) {
			break; /* the second: a thread of our parent's, which fork has not copied */
		}
		if (sys_now_ms() >= end) {
			return -EBUSY;
		}
	}
	drop_channel(fd);
	fd = helper_is_welcome() ? start_helper() : -EPERM;
	if (fd >= 0) {
		atomic_store(&channel_cookie, sys_socket_cookie(fd));
		atomic_store(&channel, fd);
	}
	atomic_store(&starter, 0);
	return fd;
}

/* One message: 0 or -errno. */
static long send_message(int to, int fd, const char *rule, const uint8_t *sealed, size_t len)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct linger_header header = {.len = (uint32_t)len};
	struct iovec iov[2] = {{&header, sizeof(header)}, {(void *)(uintptr_t)sealed, len}};
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_iovlen = len > 0 ? 2 : 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	long n;

	strncpy(header.rule, rule, sizeof(header.rule) - 1);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	for (int64_t end = sys_now_ms() + ROOM_WAIT_MS;;) {
		struct pollfd pfd = {.fd = to, .events = POLLOUT};
		struct timespec wait = sys_timespec(ROOM_WAIT_MS);
		n = sys_call(SYS_sendmsg, to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		if ((n != -EAGAIN && n != -EINTR) || sys_now_ms() >= end) {
			return n < 0 ? n : 0;
		}
		sys_ppoll(&pfd, 1, &wait);
	}
}

bool linger_hand_on(int fd, const char *rule, const uint8_t *sealed, size_t len)
{
	const struct linger off = {0, 0};
	long rc = -EPIPE;

	if (len > LINGER_MAX_LEN || sandbox_is_on()) {
		return false;
	}
	/* Once more if the helper has just gone. */
	for (int turn = 0; turn < 2 && rc == -EPIPE; turn++) {
		int to = get_channel();
		if (to < 0) {
			rc = to;
			break;
		}
		/* Neither this process nor the helper is to wait in close(2). */
		sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
		rc = send_message(to, fd, rule, sealed, len);
		rc = rc == -ECONNRESET ? -EPIPE : rc;
		if (rc == -EPIPE) {
			drop_channel(to);
		}
	}
	if (rc < 0) {
		log_debug("%s: no process to finish a connection that is closed: %s", rule,
			  strerrordesc_np((int)-rc));
	}
	return rc == 0;
}
