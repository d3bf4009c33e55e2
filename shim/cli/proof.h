/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Proof that the library is active in the program that was started.
 *
 * The loader fails open: a library that cannot be preloaded costs one line on standard error, and the program runs
 * without it. So a guard holds the program at its first instruction until the library has reported from inside it
 * (hold.h). Where processes may not be traced, the loader is asked beforehand (proof_probe), and the guard watches
 * what the program maps.
 */
#ifndef SHIM_CLI_PROOF_H
#define SHIM_CLI_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../../engine/engine.h"

/*
 * Ask the program's own loader what it would map, with the environment as it stands (LD_PRELOAD set).
 *
 * interp, program  absolute or relative paths; both are executed only as far as the loader's listing goes
 * library          the absolute path, as in LD_PRELOAD
 * why              on failure: what the loader said, or which step failed
 */
must_check bool proof_probe(const char *interp, const char *program, const char *library, char why[static 512]);

/* What is started, and by which loader; the strings must live until exec. */
struct proof_subject {
	const char *name;    /* as messages call it */
	const char *interp;  /* the loader, and */
	const char *program; /* the program that it loads: of a script, the interpreter */
	const char *library; /* the absolute path, without symbolic links, as /proc/PID/maps shows it */
};

struct proof_guard {
	bool holds;   /* it traces us: the program will not run without the library */
	pid_t pid;    /* the guard: a child that tells nobody of its end */
	int proof_fd; /* if it does not hold: inherited by the program, for the report */
	int exec_fd;  /* if it does not hold: closes when exec succeeds */
};

/*
 * Start a process that watches over this one: if it executes a program and the library does not report from it, a
 * line says so, and the program ends with status 126 before its first instruction (a guard that holds), or is killed
 * as soon as that is seen. The guard ends with the report, and the library reaps it (../report.h). Sets
 * REPORT_VARIABLE. False with errno if processes or descriptors are short.
 */
must_check bool proof_guard_start(struct proof_guard *guard, const struct proof_subject *subject);
/* exec failed: the guard goes, without a trace. */
void proof_guard_dismiss(struct proof_guard *guard);

#endif
