/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Proof that the library is active in the program that was started.
 *
 * The loader fails open: a library that cannot be preloaded costs one line on standard error, and the program runs
 * without it. So the loader is asked beforehand (proof_probe), and a guard watches the start (proof_guard_*).
 */
#ifndef SHIM_CLI_PROOF_H
#define SHIM_CLI_PROOF_H

#include <stdbool.h>
#include <stddef.h>

#include "../../engine/engine.h"

/* The constructor writes PROOF_BYTE to the descriptor that this variable names, closes it and unsets the variable. */
#define PROOF_VARIABLE "TLSHIM_PROOF_FD"
#define PROOF_BYTE 'A'

/*
 * Ask the program's own loader what it would map, with the environment as it stands (LD_PRELOAD set).
 *
 * interp, program  absolute or relative paths; both are executed only as far as the loader's listing goes
 * library          the absolute path, as in LD_PRELOAD
 * why              on failure: what the loader said, or which step failed
 */
must_check bool proof_probe(const char *interp, const char *program, const char *library, char why[static 512]);

struct proof_guard {
	int proof_fd; /* inherited by the program */
	int exec_fd;  /* closes when exec succeeds */
};

/*
 * Start a process that watches this one: if it executes a program and the library does not report from it, it is
 * killed and a line says so. The guard is nobody's child and ends with the report. Sets PROOF_VARIABLE.
 *
 * True also where a guard would not do (we are the init process or a subreaper, whose child it would become): the
 * probe has spoken then. False with errno if processes or descriptors are short.
 */
must_check bool proof_guard_start(struct proof_guard *guard, const char *program, const char *library);
/* exec failed: dismiss the guard. */
void proof_guard_dismiss(struct proof_guard *guard);

#endif
