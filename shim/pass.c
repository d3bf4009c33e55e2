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
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

/* Does the text of /proc/PID/maps name our memfd? Lines are read in overlapping pieces. */
static bool maps_have_arena(int maps, unsigned long long inode)
{
	char want[64], buf[4096 + 64];
	size_t keep = 0;

	snprintf(want, sizeof(want), " %llu ", inode);
	for (;;) {
		long n = sys_call(SYS_read, maps, buf + keep, 4096);
		char *hit = buf;
		size_t len;
		if (n <= 0) {
			return false;
		}
		len = keep + (size_t)n;
		buf[len] = '\0';
		while ((hit = strstr(hit, want))) {
			hit += strlen(want);
			if (strstr(hit, "/memfd:tlshim-arena") == hit + strspn(hit, " ")) {
				return true;
			}
		}
		/* The name follows the inode after up to 30 blanks. */
		keep = len < 128 ? len : 128;
		if (keep > sizeof(buf) - 4097) {
			keep = sizeof(buf) - 4097;
		}
		memmove(buf, buf + len - keep, keep);
	}
}

bool pass_maps_arena(pid_t pid)
{
	char path[64];
	struct stat st;
	bool found;
	int maps;

	if (pid == sys_getpid()) {
		return true;
	}
	if (pid <= 0 || fstat(arena_fd(), &st) != 0) {
		return false;
	}
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = (int)sys_call6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (maps < 0) {
		return false;
	}
	found = maps_have_arena(maps, (unsigned long long)st.st_ino);
	sys_close(maps);
	return found;
}

static bool shares_arena(pid_t pid)
{
	return pid == (pid_t)sys_call(SYS_getppid, 0, 0, 0) || pass_maps_arena(pid);
}

static bool count_wrapped(int fd, void *ctx)
{
	*(int *)ctx += fdtab_is_wrapped(fd);
	return true;
}

static bool send_off(int fd, void *ctx)
{
	(void)ctx;
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

static bool receive(int fd, void *ctx)
{
	(void)ctx;
	/* Its number may have meant something else before. */
	if (fdtab_is_wrapped(fd)) {
		session_forget(fd);
	}
	inherit_one(fd);
	if (fdtab_is_wrapped(fd)) {
		session_pass(fd, false);
	}
	return true;
}

void pass_in(const struct msghdr *msg)
{
	int saved = errno;

	if (msg->msg_control && msg->msg_controllen > 0 && shim_policy()) {
		each_fd(msg, receive, NULL);
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
