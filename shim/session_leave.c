/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that closes before its client's handshake is done, a client whose connect() did not wait for
 * it, and who passes a connection on in the midst of it.
 *
 * Implementation notes: the kernel would deliver what was written after close() too, and an orderly
 * end if that is nothing (an empty file by FTP). Here it cannot be sealed before the handshake
 * ends, and nobody in this process will come back to it, so a process of the shim's own goes on
 * with it. A server that closes on many silent clients must not have one for each: beyond LEFT_MAX
 * they are given up.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <netinet/tcp.h>

#include "helper.h"
#include "log.h"
#include "session_priv.h"
#include "sys.h"

#define LEFT_MAX      32
/* Where the rule has no handshake-timeout, and where there is nothing to be sent but the end. */
#define WAIT_MS       60000
#define WAIT_EMPTY_MS 5000 /* and where this process has to wait itself */
/* How often a helper looks whether the program is there still. */
#define LOOK_MS 1000

static _Atomic int left[LEFT_MAX]; /* pids */

struct leaving {
	int fd, wait_ms;
	bool has_clock; /* handshake-timeout goes on */
};

/* Bring the handshake to its end, whatever that is. */
static void finish_handshake(int fd, int wait_ms)
{
	int64_t end = sys_now_ms() + wait_ms, started_ms = 0;
	struct ref ref;
	short events;

	while (session_progress(fd, &events) == SESSION_CONNECTING && sys_now_ms() < end &&
	       ref_get(fd, &ref)) {
		int64_t look = session_deadline_ms(fd);
		int rc = wait_events(&ref, events, SO_SNDTIMEO, &started_ms, look && look < end ? look : end);
		if (rc != 0 && rc != -EINTR && rc != -ETIMEDOUT) {
			break;
		}
	}
}

/* In the helper. */
static void finish(void *ctx)
{
	const struct leaving *leaving = ctx;
	int fd = leaving->fd;

	/* The description is nobody else's now; close() waits longer on a blocking one. */
	sys_fcntl(fd, F_SETFL, sys_fcntl(fd, F_GETFL, 0) & ~O_NONBLOCK);
	finish_handshake(fd, leaving->wait_ms);
	session_close(fd);
}

/*
 * In a helper that shares the connection with the program. It waits as long as that lasts: TCP would, too, until
 * somebody accepts.
 */
static void finish_beside(void *ctx)
{
	const struct leaving *leaving = ctx;
	int fd = leaving->fd;
	int64_t started_ms = 0, end = 0;
	struct ref ref;
	short events;

	if (!ref_get(fd, &ref)) {
		return;
	}
	if (!leaving->has_clock) {
		atomic_store(&ref.local->has_no_clock, true);
		atomic_store(&ref.local->hs_deadline_ms, 0);
	}
	while (session_progress(fd, &events) == SESSION_CONNECTING || session_flush_due(fd)) {
		int64_t now = sys_now_ms();
		if (session_phase(fd) != SESSION_CONNECTING) {
			events = POLLOUT;
			session_flush(fd);
		}
		if (!session_is_shared(fd)) {
			end = end ? end : now + WAIT_MS; /* the program has closed it */
		}
		if (end && now >= end) {
			break;
		}
		started_ms = 0;
		(void)wait_events(&ref, events, SO_SNDTIMEO, &started_ms, now + LOOK_MS);
	}
	session_close(fd);
}

static bool has_room(size_t *at)
{
	for (*at = 0; *at < LEFT_MAX; ++*at) {
		int pid = atomic_load(&left[*at]);
		if (pid == 0 || sys_is_gone(pid)) {
			return true;
		}
	}
	return false;
}

static bool entrust_locked(const struct ref *ref, bool has_clock)
{
	struct leaving leaving = {ref->fd, 0, has_clock};
	size_t at;
	int rc;

	if (!ref->local->hs || ref->local->hs_steps != atomic_load(&ref->rec->hs_steps) || !has_room(&at)) {
		return false;
	}
	rc = helper_start(finish_beside, &leaving, &leaving.fd, 1);
	if (rc <= 0) {
		return false;
	}
	atomic_store(&left[at], rc);
	handshake_hand_over(ref, rc);
	log_debug("%s: process %d goes on with the handshake", ref->rec->rule, rc);
	return true;
}

bool session_entrust_locked(const struct ref *ref)
{
	return entrust_locked(ref, false);
}

/* Has this process what the handshake needs, so that no other could go on with it, or begin it? */
static bool is_ours_alone(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;
	uint8_t phase = atomic_load(&rec->phase);

	/* who gets a server's connection can begin by itself */
	return (phase == PHASE_HANDSHAKE && atomic_load(&rec->hs_pid) == sys_getpid()) ||
	       (phase == PHASE_TCP && rec->role == ENGINE_CLIENT && ref->local->config);
}

void session_part(int fd)
{
	bool is_left = false;
	int saved = errno;
	struct ref ref;
	short events;

	if (!ref_get(fd, &ref) || !is_ours_alone(&ref)) {
		return;
	}
	if (session_progress(fd, &events) == SESSION_CONNECTING && ref_get(fd, &ref)) {
		if (atomic_load(&ref.local->pair) == 0 && helper_is_welcome() && lock_both(&ref) == 0) {
			is_left = !is_ours_alone(&ref) || entrust_locked(&ref, true);
			unlock_both(&ref);
		}
		if (!is_left) {
			finish_handshake(fd, WAIT_EMPTY_MS);
		}
	}
	errno = saved;
}

void session_leave_behind(const struct ref *ref, bool even_empty)
{
	struct conn_record *rec = ref->rec;
	struct leaving leaving = {ref->fd, WAIT_MS, true};
	uint8_t phase;
	size_t at;
	short events;
	int rc;

	if (atomic_load(&ref->local->pair) != 0) {
		session_progress(ref->fd, &events); /* this process has the other end, too */
	}
	phase = atomic_load(&rec->phase);
	if (rec->early_len == 0 && !atomic_load(&rec->early)) {
		leaving.wait_ms = WAIT_EMPTY_MS;
	}
	if ((rec->role != ENGINE_SERVER && !atomic_load(&rec->early)) ||
	    (rec->early_len == 0 && !even_empty) ||
	    (phase != PHASE_TCP && phase != PHASE_HANDSHAKE) || atomic_load(&ref->local->n_fds) != 1 ||
	    session_wants_reset(ref->fd) || session_is_shared(ref->fd) ||
	    tcp_state(ref->fd) != TCP_ESTABLISHED) {
		return;
	}
	rc = has_room(&at) ? helper_start(finish, &leaving, &leaving.fd, 1) : -EAGAIN;
	if (rc > 0) {
		atomic_store(&left[at], rc);
	} else if (fd_is_blocking(ref->fd)) {
		/*
		 * A process that may make no others (vsftpd's): close() may take its time, as for
		 * close_notify.
		 */
		finish_handshake(ref->fd, WAIT_EMPTY_MS);
	}
	if (rc < 0 && rec->early_len > 0) {
		log_warn("%s: %u bytes that were written before the handshake are lost: no process to send "
			 "them (%s)",
			 rec->rule, rec->early_len, strerrordesc_np(-rc));
	}
}
