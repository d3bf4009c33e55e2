/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before the process gives up its user or its root: the last moment at which keys may be readable.
 *
 * A program that binds or listens has had its credentials loaded then. One that got its listeners ready-made, by exec (socket
 * activation, a server that executes itself again) or over a Unix socket (haproxy's reload), has not.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/types.h>
#include <unistd.h>

#include "openfds.h"
#include "real.h"
#include "shim.h"
#include "sys.h"

static void load_for_listener(int fd, void *ctx)
{
	struct sockaddr_in6 addr; /* sockaddr_in has the port at the same place */
	socklen_t len = sizeof(int);
	int is_listener = 0;
	char why[512];

	(void)ctx;
	if (sys_getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listener, &len) != 0 || !is_listener) {
		return;
	}
	len = sizeof(addr);
	if (sys_call(SYS_getsockname, fd, &addr, &len) == 0 &&
	    (addr.sin6_family == AF_INET || addr.sin6_family == AF_INET6)) {
		/* What cannot be loaded is told when a connection comes in: it may never be needed. */
		(void)policy_preload(shim_policy(), POLICY_ACCEPT, ntohs(addr.sin6_port), shim_program(),
				     shim_started_as(), why);
	}
}

static void load_for_listeners(void)
{
	int saved = errno;

	if (shim_ready() == SHIM_ARMED && policy_has(shim_policy(), POLICY_ACCEPT)) {
		openfds_each(load_for_listener, NULL);
	}
	errno = saved;
}

EXPORT int setuid(uid_t uid)
{
	load_for_listeners();
	return REAL(setuid)(uid);
}

EXPORT int seteuid(uid_t effective)
{
	load_for_listeners();
	return REAL(seteuid)(effective);
}

EXPORT int setreuid(uid_t uid, uid_t effective)
{
	load_for_listeners();
	return REAL(setreuid)(uid, effective);
}

EXPORT int setresuid(uid_t uid, uid_t effective, uid_t saved)
{
	load_for_listeners();
	return REAL(setresuid)(uid, effective, saved);
}

EXPORT int chroot(const char *path)
{
	load_for_listeners();
	return REAL(chroot)(path);
}
