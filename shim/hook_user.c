/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Before the process gives up its user or its root: the last moment at which keys may be readable.
 *
 * A program that binds or listens as root has had its credentials loaded then. Others change their user first, or get
 * their listeners ready-made, by exec (socket activation, a server that executes itself again) or over a Unix socket.
 * Clients connect whenever they like, and what they trust lies in files, too.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <unistd.h>

#include "real.h"
#include "shim.h"

static void load_credentials(void)
{
	static _Atomic bool tried;
	int saved = errno;
	char why[512];

	if (shim_ready() == SHIM_ARMED && !atomic_exchange(&tried, true)) {
		/* What cannot be loaded is told when a rule is used: those rules may never be. */
		(void)policy_preload(shim_policy(), POLICY_ACCEPT, 0, shim_program(), shim_started_as(), why);
		(void)policy_preload(shim_policy(), POLICY_CONNECT, 0, shim_program(), shim_started_as(), why);
	}
	errno = saved;
}

/* effective: the user to be, -1 for the same. Others than root have nothing to lose. */
static void before_user(uid_t effective)
{
	if (effective != 0 && effective != (uid_t)-1 && geteuid() == 0) {
		load_credentials();
	}
}

EXPORT int setuid(uid_t uid)
{
	before_user(uid);
	return REAL(setuid)(uid);
}

EXPORT int seteuid(uid_t effective)
{
	before_user(effective);
	return REAL(seteuid)(effective);
}

EXPORT int setreuid(uid_t uid, uid_t effective)
{
	before_user(effective);
	return REAL(setreuid)(uid, effective);
}

EXPORT int setresuid(uid_t uid, uid_t effective, uid_t saved)
{
	before_user(effective);
	return REAL(setresuid)(uid, effective, saved);
}

EXPORT int chroot(const char *path)
{
	load_credentials();
	return REAL(chroot)(path);
}
