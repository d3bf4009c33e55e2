/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets that are connected by one process or descriptor and used by another, which had them before.
 *
 * Implementation notes: a bit for each descriptor that socket() gave for TCP. It is cleared when a fork or a dup finds
 * something else there, so nothing but these looks at the bits. What is an unconnected socket then is entered in the
 * table of descriptors as shared; whoever asks the table about it next looks for its connection in the arena
 * (session_find_shared()).
 */
#include "unconnected.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "arena.h"
#include "fdtab.h"
#include "proc.h"
#include "session.h"
#include "shim.h"
#include "sys.h"

#define N_BITS	(1u << 20)
#define N_WORDS (N_BITS / 64)

static _Atomic uint64_t noted[N_WORDS];
/* Those that were shared by a fork. A number may be another socket's by now. */
static _Atomic uint64_t forked[N_WORDS];
static _Atomic unsigned n_words; /* that may have bits */

static uint64_t bit_of(int fd)
{
	return UINT64_C(1) << ((unsigned)fd % 64);
}

void unconnected_note(int fd)
{
	unsigned word = (unsigned)fd / 64;
	unsigned seen = atomic_load(&n_words);

	if (fd < 0 || word >= N_WORDS || shim_ready() != SHIM_ARMED ||
	    !policy_has(shim_policy(), POLICY_CONNECT)) {
		return;
	}
	while (seen <= word && !atomic_compare_exchange_weak(&n_words, &seen, word + 1)) {
	}
	fdtab_find_shared = session_find_shared;
	atomic_fetch_or(&noted[word], bit_of(fd));
}

static bool is_unconnected(int fd)
{
	uint8_t state = 0; /* the first member of struct tcp_info */
	socklen_t len = sizeof(state);

	return sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &len) == 0 && state == TCP_CLOSE;
}

/* Not if a thread has connected it meanwhile. */
static bool enter_shared(int fd)
{
	return fdtab_get(fd) == FDTAB_SHARED || fdtab_replace(fd, 0, FDTAB_SHARED);
}

static void share(int fd)
{
	/* What it connects to must be found by the other process. */
	if ((fdtab_get(fd) == 0 || fdtab_get(fd) == FDTAB_SHARED) && (unsigned)fd < fdtab_size && is_unconnected(fd) &&
	    arena_open() && enter_shared(fd)) {
		atomic_fetch_or(&forked[(unsigned)fd / 64], bit_of(fd));
	}
}

void unconnected_fork_prepare(void)
{
	unsigned end = atomic_load(&n_words);
	int saved = errno;

	for (unsigned word = 0; word < end; word++) {
		uint64_t bits = atomic_load(&noted[word]) ? atomic_exchange(&noted[word], 0) : 0;
		for (; bits; bits &= bits - 1) {
			share((int)(word * 64 + (unsigned)__builtin_ctzll(bits)));
		}
	}
	errno = saved;
}

void unconnected_dup(int fd, int new_fd)
{
	unsigned word = (unsigned)fd / 64;
	int saved = errno;

	if (word >= N_WORDS || (unsigned)new_fd >= fdtab_size ||
	    (fdtab_get(fd) != FDTAB_SHARED && !(atomic_load(&noted[word]) & bit_of(fd)))) {
		return;
	}
	if (is_unconnected(fd)) {
		unconnected_note(new_fd);
		(void)enter_shared(fd);
		(void)enter_shared(new_fd);
	} else {
		atomic_fetch_and(&noted[word], ~bit_of(fd));
	}
	errno = saved;
}

/* Has that process the same socket at the same number? In doubt it has. */
static bool has_socket(pid_t pid, int fd)
{
	struct stat ours = { 0 }, theirs = { 0 };
	char path[48];
	long rc;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	if (sys_call6(SYS_newfstatat, fd, (long)"", (long)&ours, AT_EMPTY_PATH, 0, 0) != 0) {
		return false;
	}
	rc = sys_call6(SYS_newfstatat, AT_FDCWD, (long)path, (long)&theirs, 0, 0, 0);
	return rc == 0 ? ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev : rc != -ENOENT;
}

static bool was_forked(int fd)
{
	unsigned word = (unsigned)fd / 64;

	return word < N_WORDS && (atomic_load(&forked[word]) & bit_of(fd)) != 0;
}

void unconnected_hold(int fd, struct holders *holders)
{
	pid_t parent = was_forked(fd) ? (pid_t)sys_call(SYS_getppid, 0, 0, 0) : 0;

	if (parent > 1 && has_socket(parent, fd)) {
		holders_add(holders, parent);
	}
}

void unconnected_failed(int fd, struct holders *holders)
{
	if (was_forked(fd)) {
		holders_forget(holders, (pid_t)sys_call(SYS_getppid, 0, 0, 0));
	}
}
