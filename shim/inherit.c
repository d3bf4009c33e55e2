/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that a program image has from the one before it, or from another process.
 *
 * Implementation notes: TLSHIM_ARENA in the environment says that there was an arena. If it cannot be had, nobody knows which sockets are in the
 * middle of a TLS connection, so those that a rule might have wrapped are shut: plaintext must not get into them.
 */
#include "inherit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "accept.h"
#include "ahead.h"
#include "arena.h"
#include "fdtab.h"
#include "log.h"
#include "openfds.h"
#include "session.h"
#include "shim.h"
#include "stdio_adopt.h"
#include "sys.h"

static bool arena_is_lost;

/* Might a rule have put this socket under TLS? */
static bool may_be_wrapped(int fd)
{
	struct sockaddr_in6 peer;
	struct policy_verdict verdict;
	socklen_t len = sizeof(peer);

	long rc = sys_call(SYS_getpeername, fd, &peer, &len);

	if (rc != 0) {
		return rc == -ENOBUFS; /* the only one that does not say that there is no connection */
	}
	if (peer.sin6_family != AF_INET && peer.sin6_family != AF_INET6) {
		return false;
	}
	return policy_may_match(shim_policy(), POLICY_CONNECT, ntohs(peer.sin6_port)) ||
	       !accept_verdict(fd, &verdict) || verdict.action != POLICY_PLAIN;
}

void inherit_one(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 ? errno == EBADF : !S_ISSOCK(st.st_mode)) {
		return;
	}
	if (arena_is_open()) {
		session_adopt(fd, accept_config_for);
	} else if (arena_is_lost && may_be_wrapped(fd)) {
		log_error("descriptor %d may be a TLS connection, whose state cannot be reached: it is shut", fd);
		sys_shutdown(fd, SHUT_RDWR);
	}
}

static void inherit_each(int fd, void *ctx)
{
	(void)ctx;
	inherit_one(fd);
}

void inherit_connections(void)
{
	const char *value = getenv("TLSHIM_ARENA");

	if (!value) {
		return;
	}
	arena_is_lost = !arena_inherit(value);
	openfds_each(inherit_each, NULL);
	if (!arena_is_lost) {
		session_exec_arrived();
		ahead_exec_arrived();
		for (int fd = 0; fd <= 2; fd++) {
			stdio_adopt(fd);
		}
	}
	unsetenv("TLSHIM_ARENA");
}
