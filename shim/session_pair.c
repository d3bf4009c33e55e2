/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that is client and server at once: connect() to a listener of this process, or of its family.
 *
 * Implementation notes: with TCP such a connect() returns before anybody accepts, and what is written waits in the
 * kernel. So it does here (`early` in the record): what the client writes before the handshake's end is kept as that of
 * servers is. Nobody but this process can move the server's end on, so whoever moves one end on moves the other, too.
 * The ends find each other by their addresses, when the later of connect() and accept() has returned, and know each
 * other by `pair` in struct local.
 *
 * Only one end is locked at a time, the other by trylock: a thread that has it moves it on itself, and looks at this
 * one afterwards. A side whose handshake is done does not become OPEN before the other's is: the kernel wakes nobody
 * for the other end's sake, so that as long as something is to be moved on both are CONNECTING, and calls on either
 * move both.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "address.h"
#include "helper.h"
#include "listeners.h"
#include "log.h"
#include "ready.h"
#include "session_priv.h"
#include "sys.h"

/*
 * How long connect() waits for the handshake all the same, so that what is wrong with the certificate is its error: a
 * blocking one for another thread, every one for another process.
 */
#define THREAD_WAIT_MS 100
#define FAMILY_WAIT_MS 200

/* Clients of this process that have connected to it, and have not found their servers. */
static _Atomic unsigned n_single;

/* ---- find each other ---- */

static bool local_end(int fd, struct address_end *end)
{
	struct sockaddr_in6 addr;
	socklen_t len = sizeof(addr);

	memset(&addr, 0, sizeof(addr));
	if (sys_call(SYS_getsockname, fd, &addr, &len) != 0) {
		return false;
	}
	*end = address_end(&addr);
	return true;
}

/* Where a client went: who connects to no address in particular gets to the loopback one. */
static struct address_end server_end(const struct conn_record *rec)
{
	struct address_end end = address_end(&rec->peer);

	if (address_end_is_any(&end)) {
		end.lo = address_end_is_v4(&end) ? end.lo | 0x7f000001 : 1;
	}
	return end;
}

static bool is_single(const struct ref *ref)
{
	return atomic_load(&ref->rec->phase) < PHASE_OPEN && atomic_load(&ref->local->pair) == 0;
}

static bool are_pair(const struct ref *client, const struct ref *server)
{
	struct address_end a = address_end(&server->rec->peer), b;

	if (!local_end(client->fd, &b) || !address_same_end(&a, &b)) {
		return false;
	}
	a = server_end(client->rec);
	return local_end(server->fd, &b) && address_same_end(&a, &b);
}

static void stop_clock(struct local *local)
{
	/* Both ends are this process: it is late only if it wants to be. */
	atomic_store(&local->has_no_clock, true);
	atomic_store(&local->hs_deadline_ms, 0);
}

static void join(const struct ref *ref, const struct ref *other)
{
	atomic_store(&ref->local->pair_fd, other->fd);
	atomic_store(&ref->local->pair, other->entry);
	stop_clock(ref->local);
}

static void try_join(int fd, fdtab_entry entry, void *ctx)
{
	const struct ref *ref = ctx, *client, *server;
	struct ref other;

	/* Under its locks, for it may be another thread's, which is about to close it. */
	if (entry == ref->entry || atomic_load(&ref->local->pair) != 0 || !ref_get(fd, &other) || !is_single(&other) ||
	    lock_both(&other) != 0) {
		return;
	}
	client = ref->rec->role == ENGINE_CLIENT ? ref : &other;
	server = client == ref ? &other : ref;
	if (other.rec->role != ref->rec->role && atomic_load(&client->rec->is_family) && is_single(&other) &&
	    are_pair(client, server)) {
		join(client, server);
		join(server, client);
		atomic_fetch_sub(&n_single, 1);
	}
	unlock_both(&other);
}

void session_accepted(int fd)
{
	struct ref ref;

	if (atomic_load(&n_single) > 0 && ref_get(fd, &ref)) {
		fdtab_each(0, ~0u, try_join, &ref);
	}
}

static void find_descriptor(int fd, fdtab_entry entry, void *ctx)
{
	struct ref *wanted = ctx;

	if (entry == wanted->entry) {
		wanted->fd = fd;
	}
}

bool pair_find(const struct ref *ref, struct ref *other)
{
	struct ref wanted = { .fd = atomic_load(&ref->local->pair_fd), .entry = atomic_load(&ref->local->pair) };

	if (wanted.entry == 0) {
		return false;
	}
	if (fdtab_get(wanted.fd) != wanted.entry) {
		wanted.fd = -1;
		fdtab_each(0, ~0u, find_descriptor, &wanted);
		atomic_store(&ref->local->pair_fd, wanted.fd);
	}
	if (wanted.fd < 0 || !ref_get(wanted.fd, other) || other->entry != wanted.entry) {
		pair_part(ref);
		return false;
	}
	return true;
}

void pair_part(const struct ref *ref)
{
	atomic_store(&ref->local->pair, 0);
}

/* ---- connect ---- */

/* Besides this thread; false where there is no telling. */
static bool has_threads(void)
{
	struct stat st;

	return stat("/proc/self/task", &st) == 0 && st.st_nlink > 3;
}

/* May another process have to accept what this one connects to? */
static enum listeners_answer who_accepts(const struct ref *ref)
{
	struct address_end to = server_end(ref->rec), from;

	return listeners_are_noted() && local_end(ref->fd, &from) ? listeners_find(&to, &from) : LISTENERS_NONE;
}

void pair_connected(const struct ref *ref)
{
	int saved = errno;
	enum listeners_answer answer = who_accepts(ref);

	if (answer == LISTENERS_NONE) {
		errno = saved;
		return;
	}
	if (answer == LISTENERS_SHARED) {
		atomic_store(&ref->local->must_entrust, true);
		atomic_store(&ref->local->early_at_ms, sys_now_ms() + FAMILY_WAIT_MS);
	} else {
		stop_clock(ref->local);
		atomic_store(&ref->local->early_at_ms,
			     fd_is_blocking(ref->fd) && has_threads() ? sys_now_ms() + THREAD_WAIT_MS : 0);
	}
	atomic_store(&ref->rec->is_family, 1);
	atomic_fetch_add(&n_single, 1);
	fdtab_each(0, ~0u, try_join, (void *)(uintptr_t)ref);
	errno = saved;
}

bool pair_may_begin_early(const struct ref *ref)
{
	int64_t at = atomic_load(&ref->local->early_at_ms);

	return atomic_load(&ref->rec->is_family) && (at == 0 || sys_now_ms() >= at);
}

/* The program is told that it is connected. Under both locks. */
static bool entrust_locked(const struct ref *ref)
{
	if (atomic_load(&ref->rec->phase) >= PHASE_OPEN || !helper_is_welcome() || !session_entrust_locked(ref)) {
		return false;
	}
	atomic_store(&ref->rec->early, 1);
	return true;
}

bool pair_entrust(const struct ref *ref)
{
	bool is_done;

	if (!atomic_load(&ref->local->must_entrust) || atomic_load(&ref->rec->early) || !pair_may_begin_early(ref) ||
	    lock_both(ref) != 0) {
		return false;
	}
	/* If it cannot be, connect() waits for the handshake as ever. */
	atomic_store(&ref->local->must_entrust, false);
	is_done = entrust_locked(ref);
	if (!is_done) {
		atomic_store(&ref->rec->is_family, 0);
		atomic_store(&ref->local->early_at_ms, 0);
	}
	unlock_both(ref);
	return is_done;
}

void pair_leave(const struct ref *ref)
{
	short events;

	if (session_progress(ref->fd, &events) == SESSION_CONNECTING && lock_both(ref) == 0) {
		(void)entrust_locked(ref);
		unlock_both(ref);
	}
}

void pair_wrote_early(const struct ref *ref)
{
	int32_t pid = atomic_load(&ref->rec->hs_pid);

	/* The listener may have been closed since, or given to a child. */
	if (pid == sys_getpid() && atomic_load(&ref->local->pair) == 0 && who_accepts(ref) != LISTENERS_OURS &&
	    lock_both(ref) == 0) {
		(void)entrust_locked(ref);
		unlock_both(ref);
	}
}

/* ---- move on ---- */

bool pair_must_wait(const struct ref *ref)
{
	struct ref other;
	int32_t pid;

	if (!pair_find(ref, &other) || atomic_load(&other.rec->phase) >= PHASE_OPEN ||
	    atomic_load(&other.local->hs_done)) {
		return false;
	}
	pid = atomic_load(&other.rec->hs_pid);
	return pid == 0 || pid == sys_getpid();
}

/* What tells whether anything has moved. */
static uint64_t progress_of(const struct ref *ref)
{
	return (uint64_t)atomic_load(&ref->rec->hs_steps) << 8 | (uint64_t)atomic_load(&ref->rec->phase) << 1 |
	       atomic_load(&ref->local->hs_done);
}

static void step_other(const struct ref *other)
{
	short events;

	if (trylock_both(other)) {
		handshake_step(other, &events);
		unlock_both(other);
	}
}

static int step(const struct ref *ref, enum session_phase *phase, short *events)
{
	int rc = lock_both(ref);

	if (rc == 0) {
		*phase = handshake_step(ref, events);
		unlock_both(ref);
	}
	return rc;
}

int pair_step(const struct ref *ref, enum session_phase *phase, short *events)
{
	struct ref other;
	uint64_t mine, others;
	bool is_pair;
	int rc;

	/* Afterwards a side that is OPEN does not know the other any more. */
	is_pair = pair_find(ref, &other);
	do {
		mine = progress_of(ref);
		others = is_pair ? progress_of(&other) : 0;
		rc = step(ref, phase, events);
		if (rc != 0 || !is_pair) {
			return rc;
		}
		step_other(&other);
	} while (progress_of(ref) != mine || progress_of(&other) != others);
	if (atomic_load(&other.rec->phase) >= PHASE_OPEN) {
		ready_settled(other.fd);
	}
	return 0;
}
