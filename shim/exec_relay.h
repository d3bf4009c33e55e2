/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which connections of a program that is to be started without the shim get a relay, and how it gets their
 * other ends.
 *
 * In exec: those that it would inherit as descriptors 0, 1 and 2, or that its environment names: LISTEN_FDS
 * (sd_listen_fds(3)), 6 and 7 with PROTO=TCP (UCSPI). In a spawn: these, and what the file actions dup2().
 * Other connections that it would inherit are kept from it (exec_guard_set()): nobody knows whether it
 * wants them, and a relay would take data away from who does.
 */
#ifndef SHIM_EXEC_RELAY_H
#define SHIM_EXEC_RELAY_H

#include <stdint.h>

#include "exec.h"
#include "relay.h"

#define EXEC_RELAYS_MAX 8
#define EXEC_SWAPS_MAX  16

struct exec_relay {
	uint64_t cookie; /* of the connection's socket */
	int fd;          /* one of its descriptors */
	bool has_input, is_running;
	struct relay relay;
};

struct exec_relays {
	size_t n, n_swapped;
	struct exec_relay each[EXEC_RELAYS_MAX];
	int swapped[EXEC_SWAPS_MAX]; /* descriptors that are a relay's now */
	/* for a spawn */
	posix_spawn_file_actions_t actions;
	void *mem;
	size_t mem_len;
};

/* Does a program that is started with envp know descriptor fd to be for it? */
bool exec_fd_is_known(int fd, char *const envp[]);

/*
 * For an exec with envp, behind exec_guard_set(): put relays in the place of those that are guarded, which
 * then survive the exec. program and why: for the log. Where no relay can be had (logged), the descriptor
 * stays guarded. Returns how many descriptors were replaced. No allocation; for vfork children too.
 */
int exec_relays_swap_in(struct exec_relays *relays, const struct exec_guard *guard, char *const envp[],
			const char *program, const char *why);
/* The exec failed: all as it was, still guarded. */
void exec_relays_swap_out(struct exec_relays *relays);

/*
 * For a spawn, behind exec_guard_set(): relays->actions are the file actions to use in place of actions.
 * Returns how many of the guarded descriptors the program gets, or -errno (logged): it must not be started
 * then, and nothing is to be undone.
 */
must_check int exec_relays_for_spawn(struct exec_relays *relays, const struct exec_guard *guard,
				     char *const envp[], const char *program, const char *why,
				     const posix_spawn_file_actions_t *actions);
/* The program runs as that process, or (0) could not be started. */
void exec_relays_spawned(struct exec_relays *relays, pid_t program);

#endif
