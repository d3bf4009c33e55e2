/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a wrapped socket: attach, share, close, fork, exit.
 *
 * Implementation notes: a record knows the processes that hold its socket (holders), each process knows how many of its
 * descriptors refer to it (local->n_fds). Who closes the last descriptor of the last living process sends
 * close_notify and frees the record. A vfork child shares our memory but not our descriptors: it is
 * recognised (same marker, other pid), and its close() and dup2() change nothing here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <netinet/tcp.h>

#include "cipher_cache.h"
#include "heap.h"
#include "log.h"
#include "names.h"
#include "ready.h"
#include "real.h"
#include "session_priv.h"
#include "shim.h"
#include "stdio_adopt.h"
#include "sys.h"
#include "unconnected.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
/* All connections together get this long for their end when the process exits, before others care for it. */
#define EXIT_WAIT_MS 20

static _Atomic pid_t *_Atomic marker; /* our pid; zeroed by the kernel in a fork child */

/* ---- processes ---- */

/* True in a vfork child: it sees our memory, marker included, under another pid. */
static bool in_vfork_child(void)
{
	return marker && atomic_load(marker) != 0 && atomic_load(marker) != sys_getpid();
}

/* True in a child whose fork handlers have not run (_Fork, clone). */
static void catch_up_with_fork(void)
{
	if (marker && atomic_load(marker) == 0) {
		session_fork_child();
	}
}

static bool init_marker(void)
{
	_Atomic pid_t *none = NULL, *page;

	if (atomic_load(&marker)) {
		return true;
	}
	page = sys_mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!page) {
		return false;
	}
	sys_madvise((void *)page, 4096, MADV_WIPEONFORK);
	atomic_store(page, sys_getpid());
	if (!atomic_compare_exchange_strong(&marker, &none, page)) {
		sys_munmap((void *)page, 4096);
	}
	return true;
}

/* Does any living process but that one (0: any) still hold the socket? */
static bool holder_besides(struct conn_record *rec, pid_t but)
{
	return atomic_load(&rec->forks_pending) || holders_besides(&rec->holders, but);
}

static bool holder_any(struct conn_record *rec)
{
	return holder_besides(rec, 0);
}

static bool is_held(uint32_t slot)
{
	struct local *local = local_find(slot);

	return local && atomic_load(&local->n_fds) > 0 &&
	       atomic_load(&local->gen) == atomic_load(&arena_record(slot)->gen);
}

void session_fork_prepare(void)
{
	unconnected_fork_prepare();
	for (uint32_t slot = 0; slot < arena_n_slots(); slot++) {
		if (is_held(slot)) {
			atomic_fetch_add(&arena_record(slot)->forks_pending, 1);
		}
	}
}

void session_fork_parent(bool failed)
{
	for (uint32_t slot = 0; failed && slot < arena_n_slots(); slot++) {
		if (is_held(slot)) {
			atomic_fetch_sub(&arena_record(slot)->forks_pending, 1);
		}
	}
}

void session_fork_child(void)
{
	if (!marker) {
		return;
	}
	atomic_store(marker, sys_getpid());
	heap_fork_child();
	cipher_fork_child();
	for (uint32_t slot = 0; slot < arena_n_slots(); slot++) {
		struct conn_record *rec = arena_record(slot);
		if (!rec || !is_held(slot)) {
			continue;
		}
		holders_add(&rec->holders, sys_getpid());
		if (atomic_load(&rec->forks_pending) > 0) {
			atomic_fetch_sub(&rec->forks_pending, 1);
		}
	}
}

/* ---- attach and share ---- */

#define NO_SOCKET UINT64_MAX

/* What tells this socket from all others; 0 if the kernel does not say, and fd is a socket. */
static uint64_t socket_cookie(int fd)
{
	uint64_t cookie = 0;
	int rc = sys_socket_id(fd, &cookie);

	return rc == 0 ? cookie : rc == -ENOTSOCK || rc == -EBADF ? NO_SOCKET : 0;
}

static struct conn_record *find_by_cookie(uint64_t cookie)
{
	uint32_t n = arena_n_slots();

	for (uint32_t slot = 0; cookie && slot < n; slot++) {
		struct conn_record *rec = arena_record(slot);
		if (rec && atomic_load(&rec->cookie) == cookie && atomic_load(&rec->phase) != PHASE_FREE) {
			return rec;
		}
	}
	return NULL;
}

/* The record of the socket behind fd, whatever this process knows about its descriptors; NULL if it has none. */
static struct conn_record *find_record(int fd)
{
	return arena_n_slots() > 0 ? find_by_cookie(socket_cookie(fd)) : NULL;
}

static bool cookies_are_missing(int fd)
{
	uint64_t cookie;
	socklen_t len = sizeof(cookie);

	return sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == -ENOPROTOOPT;
}

/* A vfork child has its parent's table and descriptors of its own. */
struct conn_record *session_record(int fd)
{
	struct ref ref;

	return !in_vfork_child() && ref_get(fd, &ref) ? ref.rec : find_record(fd);
}

bool session_is_known(int fd)
{
	/* Where the kernel has no identities, the table must do, even if a vfork child has something else there. */
	return session_record(fd) != NULL || (fdtab_is_wrapped(fd) && cookies_are_missing(fd));
}

/* Records whose holders have all been killed are found when there is no other left. */
static void sweep(void)
{
	for (uint32_t slot = 0; slot < arena_n_slots(); slot++) {
		struct conn_record *rec = arena_record(slot);
		uint32_t gen = rec ? atomic_load(&rec->gen) : 0;
		if (rec && atomic_load(&rec->phase) != PHASE_FREE && !holder_any(rec)) {
			engine_conn_wipe(&rec->conn);
			arena_free(rec, gen);
		}
	}
}

static void fill_record(struct conn_record *rec, enum engine_role role, const struct policy_rule *rule,
			const struct sockaddr *peer, socklen_t peer_len)
{
	const char *text = policy_rule_text(rule);

	rec->role = (uint8_t)role;
	rec->truncation_is_error = policy_rule_truncation_is_error(rule);
	strncpy(rec->rule, text, sizeof(rec->rule) - 1);
	if (peer && peer_len > 0) {
		memcpy(&rec->peer, peer, peer_len < sizeof(rec->peer) ? peer_len : sizeof(rec->peer));
	}
	rec->conn.id = ((uint64_t)atomic_load(&rec->gen) << 32 | arena_slot(rec)) + 1;
	rec->conn.role = (uint8_t)role;
}

static void look_at(int fd, fdtab_entry entry, void *ctx)
{
	(void)fd;
	(void)entry;
	(void)ctx;
}

bool session_attach(int fd, enum engine_role role, const struct policy_rule *rule, struct engine_config *config,
		    const char *name, const struct sockaddr *peer, socklen_t peer_len)
{
	const uint64_t cookie = socket_cookie(fd);
	struct conn_record *rec;
	struct local *local;
	uint32_t slot;

	if ((unsigned)fd >= fdtab_size) {
		errno = EMFILE;
		return false;
	}
	catch_up_with_fork();
	/* Without it the next program could not tell that the connection is protected, and would speak plainly. */
	if (cookie == 0 || !arena_open() || !init_marker()) {
		errno = ENOMEM;
		return false;
	}
	rec = arena_alloc();
	if (!rec) {
		sweep();
		rec = arena_alloc();
	}
	slot = rec ? arena_slot(rec) : 0;
	local = rec ? local_make(slot) : NULL;
	if (!local) {
		if (rec) {
			arena_free(rec, atomic_load(&rec->gen));
		}
		errno = ENFILE;
		return false;
	}
	handshake_drop(local);
	memset(local, 0, sizeof(*local));
	if (name) {
		size_t len = strlen(name) + 1;
		local->name = heap_alloc(len);
		if (!local->name) {
			arena_free(rec, atomic_load(&rec->gen));
			errno = ENOMEM;
			return false;
		}
		memcpy(local->name, name, len);
	}
	engine_config_ref(config);
	local->config = config;
	local->handshake_timeout_ms = policy_rule_handshake_timeout_ms(rule);
	fill_record(rec, role, rule, peer, peer_len);
	atomic_store(&rec->cookie, cookie);
	/* The kernel's idea of "enough bytes to wake up" would count ciphertext. */
	sys_setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &(int){ 1 }, sizeof(int));
	atomic_store(&rec->phase, PHASE_TCP);
	holders_add(&rec->holders, sys_getpid());
	unconnected_hold(fd, &rec->holders);
	atomic_store(&local->gen, atomic_load(&rec->gen));
	atomic_store(&local->n_fds, 1);
	if (fdtab_swap(fd, (uint64_t)atomic_load(&rec->gen) << 32 | (slot + 1)) == FDTAB_SHARED) {
		fdtab_each(0, ~0u, look_at, NULL); /* which finds the duplicates of fd */
	}
	if (fd <= 2) {
		stdio_adopt(fd);
	}
	return true;
}

/* A connection whose handshake the former image had not begun. */
static void adopt_fresh(int fd, const struct ref *ref,
			struct engine_config *(*config_for)(int fd, struct policy_verdict *verdict))
{
	struct policy_verdict verdict;
	struct engine_config *config = ref->rec->role == ENGINE_SERVER ? config_for(fd, &verdict) : NULL;

	if (config) {
		engine_config_ref(config);
		ref->local->config = config;
		ref->local->handshake_timeout_ms = policy_rule_handshake_timeout_ms(verdict.rule);
	}
}

void session_adopt(int fd, struct engine_config *(*config_for)(int fd, struct policy_verdict *verdict))
{
	const fdtab_entry before = fdtab_get(fd);
	const uint64_t cookie = before && before != FDTAB_ASKED ? NO_SOCKET : socket_cookie(fd);
	struct conn_record *rec = find_by_cookie(cookie);
	struct local *local = rec ? local_make(arena_slot(rec)) : NULL;
	struct ref ref;

	if (cookie == 0 && arena_n_slots() > 0) {
		log_error("descriptor %d may be a TLS connection, but the kernel does not tell which: it is shut", fd);
		sys_shutdown(fd, SHUT_RDWR);
	}
	if (!rec) {
		return;
	}
	if (!local || !init_marker() || (unsigned)fd >= fdtab_size) {
		log_error("%s: out of memory; the connection that this program inherits is shut", rec->rule);
		sys_shutdown(fd, SHUT_RDWR);
		return;
	}
	if (!is_held(arena_slot(rec))) {
		memset(local, 0, sizeof(*local));
		atomic_store(&local->gen, atomic_load(&rec->gen));
	}
	atomic_fetch_add(&local->n_fds, 1);
	holders_add(&rec->holders, sys_getpid());
	fdtab_swap(fd, (uint64_t)atomic_load(&rec->gen) << 32 | (arena_slot(rec) + 1));
	if (atomic_load(&rec->phase) == PHASE_TCP && !local->config && ref_get(fd, &ref)) {
		adopt_fresh(fd, &ref, config_for);
	}
}

bool session_find_shared(int fd)
{
	/* First: a connection is in the arena before the kernel begins with it. */
	int state = tcp_state(fd);

	if (in_vfork_child()) {
		fdtab_replace(fd, FDTAB_ASKED, FDTAB_SHARED); /* it is the parent's table */
		return find_record(fd) != NULL;
	}
	session_adopt(fd, NULL);
	fdtab_replace(fd, FDTAB_ASKED, state == TCP_CLOSE ? FDTAB_SHARED : 0);
	return false;
}

static void forget_entry(int fd, fdtab_entry entry, void *ctx)
{
	(void)entry;
	(void)ctx;
	fdtab_swap(fd, 0);
}

/* The table may be that of a vfork child's parent, so the socket says which connection it is. */
static void keep_one(int fd)
{
	struct conn_record *rec = find_record(fd);
	struct local *local = rec && (unsigned)fd < fdtab_size ? local_make(arena_slot(rec)) : NULL;

	if (!local) {
		return;
	}
	if (atomic_load(&local->gen) != atomic_load(&rec->gen)) {
		memset(local, 0, sizeof(*local));
		atomic_store(&local->gen, atomic_load(&rec->gen));
	}
	atomic_fetch_add(&local->n_fds, 1);
	fdtab_swap(fd, (uint64_t)atomic_load(&rec->gen) << 32 | (arena_slot(rec) + 1));
}

void session_keep_only(const int fds[], size_t n)
{
	if (!marker) {
		return; /* nothing has been wrapped yet */
	}
	atomic_store(marker, sys_getpid());
	heap_fork_child();
	cipher_fork_child();
	fdtab_each(0, ~0u, forget_entry, NULL);
	for (uint32_t slot = 0; slot < arena_n_slots(); slot++) {
		struct local *local = local_find(slot);
		if (local) {
			/*
			 * Its threads stayed behind. A handshake in flight stays: it may be one of those to
			 * go on with.
			 */
			atomic_store(&local->n_fds, 0);
			atomic_store(&local->hs_waiters, 0);
		}
	}
	for (size_t i = 0; i < n; i++) {
		keep_one(fds[i]);
	}
}

void session_pass(int fd, bool begin)
{
	struct ref ref;

	if (!ref_get(fd, &ref)) {
		return;
	}
	if (begin) {
		atomic_fetch_add(&ref.rec->forks_pending, 1);
	} else if (atomic_load(&ref.rec->forks_pending) > 0) {
		atomic_fetch_sub(&ref.rec->forks_pending, 1);
	}
}

void session_lend(int fd, bool lent)
{
	struct ref ref;

	if (!ref_get(fd, &ref) || lock_both(&ref) != 0) {
		return; /* whoever it was lent to has ended it */
	}
	if (lent) {
		holders_remove(&ref.rec->holders, sys_getpid());
	} else {
		holders_add(&ref.rec->holders, sys_getpid());
	}
	unlock_both(&ref);
}

void session_disown(int fd)
{
	struct ref ref;

	if (ref_get(fd, &ref) && atomic_load(&ref.local->gen) == ref.gen) {
		atomic_fetch_sub(&ref.local->n_fds, 1);
		handshake_drop(ref.local);
	}
	fdtab_swap(fd, 0);
}

void session_dup(int oldfd, int newfd)
{
	struct ref ref;

	if (in_vfork_child()) {
		/*
		 * It is the parent's table, which must not say that the parent has the connection here. But what the
		 * child writes before exec must not leave in clear: whoever uses the number next has to ask, and the
		 * child's calls fail.
		 */
		if (find_record(newfd)) {
			fdtab_find_shared = session_find_shared;
			fdtab_replace(newfd, 0, FDTAB_SHARED);
		}
		return;
	}
	if (!ref_get(oldfd, &ref)) {
		fdtab_swap(newfd, 0);
		return;
	}
	if ((unsigned)newfd >= fdtab_size) {
		log_error("%s: descriptor %d is beyond what can be wrapped (%u); closing it", ref.rec->rule, newfd,
			  fdtab_size);
		sys_close(newfd);
		return;
	}
	atomic_fetch_add(&ref.local->n_fds, 1);
	fdtab_swap(newfd, ref.entry);
}

/* ---- end ---- */

void session_fail(const struct ref *ref, int error)
{
	if (atomic_load(&ref->rec->phase) != PHASE_OPEN) {
		atomic_store(&ref->rec->so_error, error);
	}
	atomic_store(&ref->rec->error, error);
	atomic_store(&ref->rec->phase, PHASE_FAILED);
	ref->rec->send_shut = 1;
}

/* The last descriptor of this process goes (under both locks). True if the record is to be freed. */
static bool release_locked(const struct ref *ref, int64_t *exit_ms)
{
	holders_remove(&ref->rec->holders, sys_getpid());
	if (holder_any(ref->rec)) {
		handshake_drop(ref->local);
		return false;
	}
	session_end_locked(ref, exit_ms);
	send_drop_locked(ref);
	recv_drop_locked(ref);
	handshake_drop(ref->local);
	engine_conn_wipe(&ref->rec->conn);
	cipher_forget(ref->slot);
	return true;
}

/*
 * Let go of fd's session; the descriptor itself stays open. With is_gone it is closed already: nothing can be sent.
 * exit_ms: as session_end_locked() has it.
 */
static void release(int fd, bool is_gone, int64_t *exit_ms)
{
	struct ref ref;
	bool is_last = false, is_free = false;

	catch_up_with_fork();
	if (in_vfork_child() || !ref_get(fd, &ref)) {
		return;
	}
	if (!is_gone) {
		session_leave_behind(&ref, false);
	}
	if (lock_both(&ref) != 0) {
		fdtab_swap(fd, 0);
		return;
	}
	ready_forget(fd);
	is_last = atomic_fetch_sub(&ref.local->n_fds, 1) == 1;
	if (is_last && is_gone) {
		ref.rec->send_shut = 1;
		holders_remove(&ref.rec->holders, sys_getpid());
		unconnected_failed(fd, &ref.rec->holders);
		handshake_drop(ref.local);
		is_free = !holder_any(ref.rec);
	} else if (is_last) {
		is_free = release_locked(&ref, exit_ms);
	}
	if (is_free) {
		send_drop_locked(&ref);
		recv_drop_locked(&ref);
		engine_conn_wipe(&ref.rec->conn);
	}
	fdtab_swap(fd, 0);
	unlock_both(&ref);
	if (is_free) {
		arena_free(ref.rec, ref.gen);
	}
}

void session_release(int fd)
{
	release(fd, false, &(int64_t){ -1 });
}

void session_forget(int fd)
{
	release(fd, true, &(int64_t){ -1 });
}

int session_close(int fd)
{
	int saved = errno;
	struct ref ref;

	catch_up_with_fork();
	if (!in_vfork_child() && ref_get(fd, &ref)) {
		session_leave_behind(&ref, true);
	}
	release(fd, false, &(int64_t){ -1 });
	errno = saved;
	return real.close(fd);
}

static void finish_before_exec(int fd, fdtab_entry entry, void *ctx)
{
	bool is_vfork = *(bool *)ctx;
	struct ref ref;

	(void)entry;
	if (!ref_get(fd, &ref) || (sys_fcntl(fd, F_GETFD, 0) & FD_CLOEXEC)) {
		return;
	}
	/*
	 * A handshake that is half done would be lost. One that has not begun can be left to the new image,
	 * but where the socket is the program's standard input or output, this process has nothing else to
	 * do than to wait for the client, and it may lose the right to read the key with exec. A vfork
	 * child must not keep its parent waiting.
	 */
	if ((atomic_load(&ref.rec->phase) == PHASE_HANDSHAKE && atomic_load(&ref.rec->hs_pid) == sys_getpid()) ||
	    (atomic_load(&ref.rec->phase) == PHASE_TCP && fd <= 2 && !is_vfork)) {
		if (!atomic_load(&ref.rec->early)) {
			handshake_finish(&ref, false, SO_RCVTIMEO);
		} else if (!is_vfork) {
			pair_leave(&ref); /* its server may be for this process, or the new image, to accept */
		}
	}
	if (is_vfork) {
		holders_add(&ref.rec->holders, sys_getpid());
	}
}

void session_exec_prepare(void)
{
	bool is_vfork = in_vfork_child();
	int saved = errno;

	catch_up_with_fork();
	fdtab_each(0, ~0u, finish_before_exec, &is_vfork);
	arena_set_inheritable(true);
	errno = saved;
}

void session_exec_failed(void)
{
	arena_set_inheritable(false);
}

void session_hand_on(int fd, pid_t pid)
{
	struct conn_record *rec = session_record(fd);

	/* This process is a holder already, unless it is a vfork child. */
	if (rec && (pid != sys_getpid() || in_vfork_child())) {
		holders_add(&rec->holders, pid);
	}
}

void session_take_back(int fd, pid_t pid)
{
	struct conn_record *rec = session_record(fd);

	if (rec) {
		holders_remove(&rec->holders, pid);
	}
}

bool session_is_shared(int fd)
{
	struct ref ref;

	return ref_get(fd, &ref) && holder_besides(ref.rec, sys_getpid());
}

void session_describe(int fd, char *out, size_t room)
{
	struct conn_record *rec = session_record(fd);
	char peer[80];

	*out = '\0';
	if (rec) {
		format_peer(rec, peer);
		snprintf(out, room, "%s: peer %s", rec->rule, peer);
	}
}

void session_exec_leave(bool leaves)
{
	for (uint32_t slot = 0; !in_vfork_child() && slot < arena_n_slots(); slot++) {
		if (is_held(slot) && leaves) {
			holders_remove(&arena_record(slot)->holders, sys_getpid());
		} else if (is_held(slot)) {
			holders_add(&arena_record(slot)->holders, sys_getpid());
		}
	}
}

void session_exec_arrived(void)
{
	pid_t pid = sys_getpid();

	/* What the former image of this process held and this one did not get (close-on-exec). */
	for (uint32_t slot = 0; slot < arena_n_slots(); slot++) {
		struct conn_record *rec = arena_record(slot);
		if (!rec || atomic_load(&rec->phase) == PHASE_FREE || is_held(slot)) {
			continue;
		}
		(void)holders_forget(&rec->holders, pid);
	}
}

static void exit_one(int fd, fdtab_entry entry, void *exit_ms)
{
	(void)entry;
	release(fd, false, exit_ms);
}

void session_exit(void)
{
	int saved = errno;

	catch_up_with_fork();
	if (!in_vfork_child()) {
		fdtab_each(0, ~0u, exit_one, &(int64_t){ EXIT_WAIT_MS });
	}
	errno = saved;
}
