/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a descriptor to its session: look-up, locks, and what the kernel says of the socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>

#include "address.h"
#include "log.h"
#include "session_priv.h"
#include "sys.h"

/* Allocated as slots come into use, as the arena's chunks are. */
#define LOCALS_PER_CHUNK 1024u
#define MAX_CHUNKS 1024u
static _Atomic(struct local *) local_chunks[MAX_CHUNKS];

struct local *local_find(uint32_t slot)
{
	struct local *chunk = slot / LOCALS_PER_CHUNK < MAX_CHUNKS ?
				      atomic_load(&local_chunks[slot / LOCALS_PER_CHUNK]) :
				      NULL;

	return chunk ? &chunk[slot % LOCALS_PER_CHUNK] : NULL;
}

struct local *local_make(uint32_t slot)
{
	const size_t len = LOCALS_PER_CHUNK * sizeof(struct local);
	struct local *none = NULL, *chunk;

	if (local_find(slot) || slot / LOCALS_PER_CHUNK >= MAX_CHUNKS) {
		return local_find(slot);
	}
	chunk = sys_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (chunk && !atomic_compare_exchange_strong(&local_chunks[slot / LOCALS_PER_CHUNK], &none, chunk)) {
		sys_munmap(chunk, len);
	}
	return local_find(slot);
}

bool ref_get(int fd, struct ref *ref)
{
	fdtab_entry entry = fdtab_get(fd);

	if (!entry || entry == FDTAB_SHARED || entry == FDTAB_ASKED) {
		return false;
	}
	ref->fd = fd;
	ref->entry = entry;
	ref->slot = (uint32_t)entry - 1;
	ref->gen = (uint32_t)(entry >> 32);
	ref->rec = arena_record(ref->slot);
	ref->local = local_find(ref->slot);
	return true;
}

bool ref_is_current(const struct ref *ref)
{
	return fdtab_get(ref->fd) == ref->entry && atomic_load(&ref->rec->gen) == ref->gen;
}

static int lock(const struct ref *ref, pthread_mutex_t *mutex)
{
	int rc = pthread_mutex_lock(mutex);

	if (rc == EOWNERDEAD) {
		/* Its owner was killed in the middle of a change: nothing that follows could be trusted. */
		pthread_mutex_consistent(mutex);
		log_error("%s: a process was killed while it used the connection; closing it", ref->rec->rule);
		atomic_store(&ref->rec->error, ECONNRESET);
		atomic_store(&ref->rec->phase, PHASE_FAILED);
		ref->rec->send_shut = 1;
		rc = 0;
	}
	if (rc == EDEADLK) {
		return -EAGAIN;
	}
	if (rc != 0) {
		return -EBADF;
	}
	if (!ref_is_current(ref)) {
		pthread_mutex_unlock(mutex);
		return -EBADF;
	}
	return 0;
}

int lock_recv(const struct ref *ref)
{
	return lock(ref, &ref->rec->recv_lock);
}

int lock_send(const struct ref *ref)
{
	return lock(ref, &ref->rec->send_lock);
}

int lock_both(const struct ref *ref)
{
	int rc = lock_recv(ref);

	if (rc == 0) {
		rc = lock_send(ref);
		if (rc != 0) {
			unlock_recv(ref);
		}
	}
	return rc;
}

bool trylock_both(const struct ref *ref)
{
	/* Whatever else is the matter with a lock, who waits for it finds out. */
	if (pthread_mutex_trylock(&ref->rec->recv_lock) != 0) {
		return false;
	}
	if (pthread_mutex_trylock(&ref->rec->send_lock) == 0) {
		if (ref_is_current(ref)) {
			return true;
		}
		unlock_send(ref);
	}
	unlock_recv(ref);
	return false;
}

void unlock_recv(const struct ref *ref)
{
	pthread_mutex_unlock(&ref->rec->recv_lock);
}

void unlock_send(const struct ref *ref)
{
	pthread_mutex_unlock(&ref->rec->send_lock);
}

void unlock_both(const struct ref *ref)
{
	unlock_send(ref);
	unlock_recv(ref);
}

bool fd_is_blocking(int fd)
{
	int flags = sys_fcntl(fd, F_GETFL, 0);

	return flags >= 0 && !(flags & O_NONBLOCK);
}

int tcp_state(int fd)
{
	uint8_t value = 0; /* the first member of struct tcp_info */
	socklen_t len = sizeof(value);

	return sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &value, &len) == 0 ? value : 0;
}

void format_peer(const struct conn_record *rec, char out[static 80])
{
	address_format((const struct sockaddr *)&rec->peer, sizeof(rec->peer), out);
}

uint64_t session_id(int fd)
{
	struct ref ref;

	return ref_get(fd, &ref) ? ref.entry : 0;
}
