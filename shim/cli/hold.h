/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds a program at its first instruction until the library has reported, by ptrace(2).
 *
 * The loader maps preloaded libraries and runs their constructors before it jumps to the program's entry point. A
 * breakpoint there is reached before the report only if the library is not active.
 */
#ifndef SHIM_CLI_HOLD_H
#define SHIM_CLI_HOLD_H

#include <stdbool.h>
#include <sys/types.h>

#include "../../engine/engine.h"

enum hold_end {
	HOLD_REPORTED, /* the library has reported, or exec has failed; let go */
	HOLD_GONE,     /* the process has ended */
	HOLD_MISSING,  /* it stands at its entry without the library: hold_refuse() is next */
	HOLD_LOST      /* the program is there but no breakpoint can be set; let go */
};

/* Begin to trace process pid; from now on it dies if the caller does. False with errno if that is not allowed. */
must_check bool hold_seize(pid_t pid);
/* Go with the process through its next exec, until one of the ends above. The caller is who seized it. */
enum hold_end hold_until_report(pid_t pid);
/* Make the process that stands at its entry end with this status, and let it go. */
void hold_refuse(pid_t pid, int status);

#endif
