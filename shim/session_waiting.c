/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What waits to be read: whether there is something, and how much.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "ready.h"
#include "scratch.h"
#include "session_priv.h"
#include "sys.h"

/* What a TCP segment takes on an Ethernet, nearly. */
#define SEGMENT_LEN 1400u
#define ALERT_LEN 2u

uint32_t session_lowat(int fd, uint32_t set)
{
	struct ref ref;
	int one = 1;

	if (!ref_get(fd, &ref)) {
		return 1;
	}
	if (set != 0) {
		ref.rec->recv_lowat = set;
		/* The kernel would count ciphertext. */
		sys_setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
	}
	return ref.rec->recv_lowat ? ref.rec->recv_lowat : 1;
}

/*
 * A record that has come whole brings something, as far as can be told without opening it: then the reader can
 * have it opened into its own memory. 1: look closer, 0: there is one, or -errno.
 */
static int glance(const struct ref *ref)
{
	uint8_t start[SEGMENT_LEN];
	ssize_t n = recv_kernel(ref->fd, start, sizeof(start), MSG_PEEK);
	size_t len;

	if (n < ENGINE_RECORD_HEADER_LEN) {
		return n < 0 ? (int)n : 1;
	}
	len = engine_record_len(&ref->rec->conn, start);
	return len > 0 && len <= (size_t)n ? 0 : 1;
}

static bool is_ready(int fd, bool may_glance)
{
	struct ref ref;
	int saved = errno;
	bool ready = true;
	int rc = 1;

	if (!ref_get(fd, &ref) || lock_recv(&ref) != 0) {
		return true;
	}
	if (may_glance && ref.rec->recv_any && ref.rec->recv_kind == RECV_EMPTY && !ref.rec->recv_eof &&
	    ref.rec->last_record_len <= SEGMENT_LEN && atomic_load(&ref.rec->phase) == PHASE_OPEN) {
		rc = glance(&ref);
	}
	while (rc == 1 && ref.rec->recv_kind != RECV_PLAIN && !ref.rec->recv_eof &&
	       atomic_load(&ref.rec->phase) == PHASE_OPEN) {
		rc = recv_take_peek(&ref);
	}
	if (rc < 0 && rc != -EAGAIN && atomic_load(&ref.rec->phase) == PHASE_OPEN && !atomic_load(&ref.rec->error)) {
		/* The kernel told an error, and tells it once: keep it for the read that follows. */
		atomic_store(&ref.rec->error, -rc);
		ref.rec->recv_once = 1;
		ref.rec->recv_eof = 1;
	}
	/* a renegotiation that has just begun is nothing to read */
	ready = rc != -EAGAIN && atomic_load(&ref.rec->phase) >= PHASE_OPEN;
	unlock_recv(&ref);
	errno = saved;
	return ready;
}

bool session_recv_ready(int fd)
{
	return is_ready(fd, false);
}

bool session_is_client(int fd)
{
	struct ref ref;

	return ref_get(fd, &ref) && ref.rec->role == ENGINE_CLIENT;
}

bool session_wakes_in_vain(int fd)
{
	return session_is_client(fd) || fd_is_blocking(fd);
}

bool session_brings_nothing(int fd)
{
	/* Where a read that brings nothing hangs, a glance is not enough: there are records without data. */
	return !is_ready(fd, !fd_is_blocking(fd));
}

bool session_has_ended(int fd)
{
	struct ref ref;

	return ref_get(fd, &ref) && ref.rec->recv_eof;
}

/*
 * Plaintext in the complete records that are still in the kernel, behind the token. Programs read as much
 * as FIONREAD says and then wait for an edge, so too little would let them stall; too much costs them one
 * EAGAIN.
 */
static size_t count_waiting(const struct ref *ref)
{
	uint8_t *scratch = scratch_get();
	size_t at = ref->rec->recv_token ? 1 : 0, count = 0, last = 0;
	ssize_t n = scratch ? recv_kernel(ref->fd, scratch, SCRATCH_LEN, MSG_PEEK) : 0;

	while (n > 0 && at + ENGINE_RECORD_HEADER_LEN <= (size_t)n) {
		size_t len = engine_record_len(&ref->rec->conn, scratch + at);
		if (len == 0 || at + len > (size_t)n) {
			break;
		}
		/* Header, tag and content type are no plaintext. */
		last = len > ENGINE_RECORD_HEADER_LEN + 17 ? len - ENGINE_RECORD_HEADER_LEN - 17 : 0;
		count += last;
		at += len;
	}
	if (n > 0 && at == (size_t)n && last == ALERT_LEN && recv_peer_has_ended(ref->fd)) {
		/* Nothing but close_notify can be in it. */
		count -= last;
	}
	if (n > 0 && at < (size_t)n) {
		/*
		 * What does not end in the scratch. It counts even if it has not come whole: while the
		 * kernel's buffer is held by this part the peer may not be allowed to send the rest, and
		 * only a read takes it out.
		 */
		int more = 0;
		if (sys_call(SYS_ioctl, ref->fd, FIONREAD, &more) != 0 || more < n) {
			more = (int)n;
		}
		count += (size_t)more - at;
	}
	if (scratch) {
		scratch_put(scratch, 0);
	}
	return count;
}

size_t session_readable_bytes(int fd)
{
	struct ref ref;
	size_t n = 0;

	if (!ref_get(fd, &ref)) {
		return 0;
	}
	if (session_phase(fd) == SESSION_CONNECTING) {
		short events;
		if (session_progress(fd, &events) != SESSION_CONNECTING) {
			ready_settled(fd);
		}
	}
	if (session_phase(fd) == SESSION_OPEN && session_recv_ready(fd) && lock_recv(&ref) == 0) {
		if (ref.rec->recv_kind == RECV_PLAIN) {
			n = ref.rec->recv_len + count_waiting(&ref);
		}
		unlock_recv(&ref);
	}
	return n;
}
