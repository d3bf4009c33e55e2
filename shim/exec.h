/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the exec and spawn hooks decide: the environment of the new program, and which sockets may
 * reach it.
 *
 * All of it works in a vfork child: no allocation, and no change of memory that the parent shares.
 */
#ifndef SHIM_EXEC_H
#define SHIM_EXEC_H

#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/elf.h"

/*
 * The environment envp (NULL counts as empty) with what keeps the shim in the new program: our
 * library in LD_PRELOAD, the policy, log settings as they were at start, the arena. Other values,
 * and what envp says itself, stay as they are.
 *
 * exec_env_size() says how many bytes exec_env_fill() needs in mem, which must be aligned as a
 * pointer is.
 */
size_t exec_env_size(char *const envp[]);
char **exec_env_fill(void *mem, char *const envp[]);

/* How a program is named. */
struct exec_target {
	int dir_fd;	  /* AT_FDCWD, or what path is relative to */
	const char *path; /* NULL: dir_fd is the program */
	bool is_searched; /* in PATH if it has no slash; and a shell runs what is no program */
};

/*
 * Can the target load the shim? ELF_FITS if it can. Nothing is known about why an exec will fail:
 * ELF_NOT_FOUND and ELF_NOT_EXECUTABLE only say that it probably will.
 */
enum elf_verdict exec_judge(const struct exec_target *target);

#define EXEC_GUARD_MAX 512

/* Sockets that were made close-on-exec; those beyond EXEC_GUARD_MAX stay so. */
struct exec_guard {
	int n, n_listeners; /* all, and how many of them */
	int fds[EXEC_GUARD_MAX];
};

/* Does fd listen where a rule says that connections are not plain? Who accepts them must have the shim. */
bool exec_is_listener(int fd);

/*
 * Keep all wrapped sockets of this process, and such listeners, from the program that it executes next.
 * Returns how many it would have got.
 */
int exec_guard_set(struct exec_guard *guard);
/* The exec failed, or the spawn is done. */
void exec_guard_undo(const struct exec_guard *guard);

/* Call fn for each wrapped socket that a new program inherits. */
void exec_each_inherited(void (*fn)(int fd, void *ctx), void *ctx);

/* A file action of a spawn, as glibc has laid it out since 2.0. Other tags have other members. */
struct exec_action {
	int tag;
	union {
		int fd; /* of close and open */
		struct {
			int fd, new_fd;
		} dup2;
		struct {
			int fd;
			char *path;
			int flags;
			mode_t mode;
		} open;
	};
};
#define EXEC_ACTION_CLOSE 0
#define EXEC_ACTION_DUP2 1
#define EXEC_ACTION_OPEN 2

/* The file actions as an array, *n of them; NULL if this libc's cannot be read. May allocate, for a moment. */
const struct exec_action *exec_actions(const posix_spawn_file_actions_t *actions, int *n);

/*
 * Call fn for each wrapped socket that the file actions of a spawn duplicate. False if this libc's
 * file actions cannot be read: then nobody can tell.
 */
bool exec_each_spawn_dup(const posix_spawn_file_actions_t *actions, void (*fn)(int fd, void *ctx), void *ctx);

#endif
