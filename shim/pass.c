/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCM_RIGHTS with wrapped connections.
 *
 * Implementation notes: who reads the other end of a Unix socket cannot be known for certain. The kernel
 * tells who opened it (SO_PEERCRED): that process must have our arena mapped. Of a socketpair that is this
 * process or its parent.
 */
#include "pass.h"

#include <errno.h>
#include <string.h>

#include "arena.h"
#include "fdtab.h"
#include "inherit.h"
#include "log.h"
#include "memory.h"
#include "session.h"
#include "shim.h"
#include "sys.h"

/* Call fn for each descriptor in msg's control data until it returns false; false if one did. */
static bool each_fd(const struct msghdr *msg, bool (*fn)(int fd, void *ctx), void *ctx)
{
	struct msghdr copy = *msg;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&copy); cmsg; cmsg = CMSG_NXTHDR(&copy, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= cmsg->cmsg_len; at += sizeof(int)) {
			int fd;
			memcpy(&fd, (char *)cmsg + at, sizeof(fd));
			if (!fn(fd, ctx)) {
				return false;
			}
		}
	}
	return true;
}

static bool shares_arena(pid_t pid)
{
	return (pid == (pid_t)sys_call(SYS_getppid, 0, 0, 0) && arena_is_parents()) || arena_is_mapped_by(pid);
}

static bool count_wrapped(int fd, void *ctx)
{
	*(int *)ctx += fdtab_is_wrapped(fd);
	return true;
}

static bool send_off(int fd, void *ctx)
{
	(void)ctx;
	session_part(fd);
	session_pass(fd, true);
	return true;
}

static bool take_back(int fd, void *ctx)
{
	(void)ctx;
	session_pass(fd, false);
	return true;
}

bool pass_out(int unix_fd, const struct msghdr *msg, int *n_passed)
{
	struct ucred peer = { 0, 0, 0 };
	socklen_t len = sizeof(peer);

	*n_passed = 0;
	if (fdtab_n_used == 0 || !memory_can_read(msg, sizeof(*msg)) || !msg->msg_control || msg->msg_controllen == 0) {
		return true;
	}
	each_fd(msg, count_wrapped, n_passed);
	if (*n_passed == 0) {
		return true;
	}
	sys_getsockopt(unix_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	if (!shares_arena(peer.pid)) {
		log_warn("a TLS connection is not passed on: process %d, which would receive it, does not share this shim; "
			 "start both with one tlshim run",
			 (int)peer.pid);
		return false;
	}
	each_fd(msg, send_off, NULL);
	return true;
}

void pass_undo(const struct msghdr *msg)
{
	each_fd(msg, take_back, NULL);
}

/* Nobody has asked our policy about what comes over unix_fd: its other end is a process without the shim. */
static bool is_from_outside(int unix_fd)
{
	struct ucred peer = { 0, 0, 0 };
	socklen_t len = sizeof(peer);

	sys_getsockopt(unix_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	return peer.pid != sys_getpid() && !shares_arena(peer.pid);
}

static bool receive(int fd, void *ctx)
{
	int unix_fd = *(const int *)ctx;

	/* Its number may have meant something else before. */
	if (fdtab_is_wrapped(fd)) {
		session_forget(fd);
	}
	inherit_one(fd);
	if (fdtab_is_wrapped(fd)) {
		session_pass(fd, false);
	} else if (inherit_may_be_tls(fd) && is_from_outside(unix_fd)) {
		inherit_from_outside(fd);
	}
	return true;
}

void pass_in(int unix_fd, const struct msghdr *msg)
{
	int saved = errno;

	if (msg->msg_control && msg->msg_controllen > 0 && shim_policy()) {
		each_fd(msg, receive, &unix_fd);
	}
	errno = saved;
}

bool pass_fetched(int fd)
{
	int saved = errno;

	if (fdtab_is_wrapped(fd)) {
		session_forget(fd);
	}
	errno = saved;
	if (!shim_policy()) {
		return true;
	}
	inherit_one(fd);
	errno = saved;
	if (fdtab_is_wrapped(fd) || !inherit_may_be_tls(fd)) {
		return true;
	}
	log_warn("a connection taken out of another process may be a TLS connection, whose state cannot be reached: "
		 "refused");
	sys_close(fd);
	errno = EPERM;
	return false;
}
