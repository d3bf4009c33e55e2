/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which accept rule holds for a socket.
 */
#ifndef SHIM_ACCEPT_H
#define SHIM_ACCEPT_H

#include <stdbool.h>

#include "../policy/policy.h"

/* The verdict on a socket by its local address. False with errno if it has none. */
bool accept_verdict(int fd, struct policy_verdict *verdict);
/* The engine configuration for it, NULL (logged) if the rule is not `tls` or cannot be loaded. Borrowed. */
struct engine_config *accept_config_for(int fd, struct policy_verdict *verdict);
/*
 * Put a new connection under its rule. False (logged, if it is not as the rule says) if it must not be
 * used: it is to be reset and closed.
 */
bool accept_wrap(int fd);
/* Might a rule put connections to this listener under TLS? */
bool accept_may_be_tls(int listener);

#endif
