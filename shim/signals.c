/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program does with signals.
 */
#include <signal.h>
#include <stddef.h>

#include "sys.h"

/*
 * poll(2) is never restarted after a signal, send(2) is if the handler has SA_RESTART. Which handler ran
 * cannot be known, but if all that are installed restart, so did that one.
 */
bool sys_handlers_restart(void)
{
	for (int sig = 1; sig < NSIG; sig++) {
		struct sigaction action;
		if (sigaction(sig, NULL, &action) != 0) {
			continue;
		}
		if (!(action.sa_flags & SA_SIGINFO) &&
		    (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)) {
			continue;
		}
		if (!(action.sa_flags & SA_RESTART)) {
			return false;
		}
	}
	return true;
}
