/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all hooks share: the state of the shim in this process.
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#include "../policy/policy.h"

enum shim_state {
	SHIM_STARTING, /* no hook has needed the policy yet */
	SHIM_ARMED,    /* policy loaded: rules decide */
	SHIM_BROKEN,   /* the policy cannot be used: every connect and accept is refused */
	SHIM_IDLE,     /* no policy was named, or a setuid program: nothing is wrapped */
};

/* Make sure that start-up is done; returns the state. Cheap when it is. Keeps errno. */
enum shim_state shim_ready(void);

/* The policy in force, NULL unless armed; borrowed. */
const struct policy *shim_policy(void);
/* Around a fork of whatever kind, also in the child: no thread is in the middle of loading credentials then. */
void shim_lock_policy(void);
void shim_unlock_policy(void);

/* Path of this program's executable, and the name that it was started by, for rules. */
const char *shim_program(void);
const char *shim_started_as(void);

/* Our own absolute path (for LD_PRELOAD of children) and the policy's; "" if unknown. */
const char *shim_library_path(void);
const char *shim_policy_path(void);

#endif
