/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the program to the network.
 *
 * Implementation notes: a write counts when its sealed bytes are in the kernel. If the kernel takes part of
 * a record, the rest waits in the connection's send buffer together with the record's plaintext, and the
 * program is told that it was not sent. When the program comes again, the pending bytes go first; as far as
 * what it offers then is that very plaintext, it counts as sent without being sealed twice. Anything else
 * it offers is new. Records of which no byte has left are taken back, so that their numbers are used again.
 *
 * Send buffer: [0, PLAIN_AT) sealed bytes, [PLAIN_AT, …) the plaintext of the last record in them.
 */
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "cipher_cache.h"
#include "cursor.h"
#include "log.h"
#include "memory.h"
#include "real.h"
#include "scratch.h"
#include "session_priv.h"
#include "sys.h"

#define BATCH 4
#define MAX_SLICES 64
#define PLAIN_AT SEND_PLAIN_AT
#define SEALED_MAX PLAIN_AT
_Static_assert(PLAIN_AT + ENGINE_MAX_PLAINTEXT <= ARENA_BUFFER_LEN, "a send buffer holds a record and its plaintext");
_Static_assert(BATCH * (ENGINE_MAX_PLAINTEXT + ENGINE_SEAL_OVERHEAD) <= SCRATCH_LEN, "a batch fits into scratch");

uint8_t *send_buffer_locked(struct conn_record *rec)
{
	if (!rec->send_buffer) {
		rec->send_buffer = arena_buffer_alloc();
	}
	return rec->send_buffer ? arena_buffer(rec->send_buffer) : NULL;
}

void send_drop_locked(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;

	if (rec->send_buffer) {
		arena_buffer_free(rec->send_buffer, ARENA_BUFFER_LEN);
		rec->send_buffer = 0;
	}
	early_drop_locked(ref);
	rec->send_len = rec->resume_len = 0;
	rec->send_promised = 0;
}

static void drop_if_empty(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;

	if (rec->send_len == 0) {
		rec->send_promised = 0;
		if (rec->resume_len == 0 && rec->early_len == 0) {
			send_drop_locked(ref);
		}
	}
}

/* The connection is gone: what waits can never be sent, and nobody must wait for it. */
static void give_up_pending(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;

	early_drop_locked(ref);
	rec->send_len = rec->resume_len = 0;
	rec->send_shut = 1;
	rec->send_shut_due = 0;
	drop_if_empty(ref);
}

int send_push_locked(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;

	while (rec->send_len > 0) {
		const uint8_t *bytes = arena_buffer(rec->send_buffer) + rec->send_start;
		ssize_t n = sys_send(ref->fd, bytes, rec->send_len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -EINTR) {
			continue;
		}
		if (n < 0) {
			if (n == -EPIPE || (n != -EAGAIN && tcp_state(ref->fd) == TCP_CLOSE)) {
				give_up_pending(ref);
			}
			return (int)n;
		}
		rec->send_start += (uint32_t)n;
		rec->send_len -= (uint32_t)n;
	}
	return 0;
}

int send_flush_locked(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;
	int rc = send_push_locked(ref);

	if (rc == 0 && rec->early_len > 0 && atomic_load(&rec->phase) == PHASE_OPEN) {
		rc = early_flush_locked(ref);
	}
	if (rc != 0) {
		return rc;
	}
	drop_if_empty(ref);
	if (rec->send_shut_due) {
		rec->send_shut_due = 0;
		sys_shutdown(ref->fd, SHUT_WR);
	}
	return 0;
}

bool send_queue_locked(const struct ref *ref, const uint8_t *bytes, size_t len)
{
	struct conn_record *rec = ref->rec;
	uint8_t *buffer = send_buffer_locked(rec);

	if (!buffer) {
		return false;
	}
	if (rec->send_len == 0) {
		rec->send_start = 0;
	} else if (rec->send_start + rec->send_len + len > SEALED_MAX) {
		memmove(buffer, buffer + rec->send_start, rec->send_len);
		rec->send_start = 0;
	}
	if (rec->send_start + rec->send_len + len > SEALED_MAX) {
		return false;
	}
	memcpy(buffer + rec->send_start + rec->send_len, bytes, len);
	rec->send_len += (uint32_t)len;
	rec->send_promised = 1;
	send_flush_locked(ref);
	return true;
}

void send_alert_locked(const struct ref *ref, uint8_t alert)
{
	uint8_t bytes[ENGINE_CONTROL_MAX];
	struct cipher_cell *cell;
	struct engine_cipher *cipher = cipher_get(ref->slot, 1, &cell);
	size_t len = 0;

	if (!cipher) {
		return;
	}
	if (alert == ENGINE_ALERT_CLOSE_NOTIFY && ref->rec->early_len > 0) {
		ref->rec->early_end = 1; /* behind that */
		cipher_put(cell);
		return;
	}
	if (engine_seal_alert(&ref->rec->conn, cipher, alert, bytes, &len) != ENGINE_OK) {
		len = 0;
	}
	cipher_put(cell);
	if (len > 0 && !send_queue_locked(ref, bytes, len)) {
		log_debug("%s: no room for an alert", ref->rec->rule);
	}
}

/* Send the KeyUpdate that is owed: 0, or -errno. */
static int send_control(const struct ref *ref, struct engine_cipher *cipher)
{
	uint8_t bytes[ENGINE_CONTROL_MAX];
	size_t len = 0;

	if (engine_control(&ref->rec->conn, cipher, bytes, &len) != ENGINE_OK) {
		return -EPIPE;
	}
	if (len > 0 && !send_queue_locked(ref, bytes, len)) {
		return -ENOMEM;
	}
	return ref->rec->send_len > 0 ? -EAGAIN : 0;
}

/* A batch of records, sealed but not sent. */
struct batch {
	int n;
	size_t len;		/* sealed bytes */
	size_t plain[BATCH], sealed[BATCH];
	struct engine_send_mark marks[BATCH + 1]; /* before each record, and behind the last */
};

static bool seal_record(const struct ref *ref, struct engine_cipher *cipher, struct cursor *cur, uint8_t *out,
			size_t *plain_len, size_t *sealed_len)
{
	struct engine_slice slices[MAX_SLICES];
	const size_t max = engine_max_plaintext(&ref->rec->conn);
	size_t n = 0, len = 0;

	while (cur->left > 0 && len < max && n < MAX_SLICES) {
		size_t piece_len;
		slices[n].data = cursor_piece(cur, &piece_len);
		slices[n].len = piece_len < max - len ? piece_len : max - len;
		len += slices[n].len;
		cursor_skip(cur, slices[n].len);
		n++;
	}
	*plain_len = len;
	/* the room is for padding too */
	return engine_seal(&ref->rec->conn, cipher, slices, n, out, max + ENGINE_SEAL_OVERHEAD, sealed_len) == ENGINE_OK;
}

static bool seal_batch(const struct ref *ref, struct engine_cipher *cipher, struct cursor cur, uint8_t *out,
		       struct batch *batch)
{
	batch->n = 0;
	batch->len = 0;
	batch->marks[0] = engine_send_mark(&ref->rec->conn);
	while (batch->n < BATCH && cur.left > 0 && !engine_control_due(&ref->rec->conn)) {
		if (!seal_record(ref, cipher, &cur, out + batch->len, &batch->plain[batch->n],
				 &batch->sealed[batch->n])) {
			return false;
		}
		batch->len += batch->sealed[batch->n];
		batch->n++;
		batch->marks[batch->n] = engine_send_mark(&ref->rec->conn);
	}
	return true;
}

/* The kernel took the first n bytes of a batch: what counts as sent, what waits, what is taken back. */
static int settle_batch(const struct ref *ref, const struct batch *batch, const uint8_t *sealed, size_t n,
			struct cursor *cur)
{
	struct conn_record *rec = ref->rec;
	size_t at = 0;
	int i;

	for (i = 0; i < batch->n && at + batch->sealed[i] <= n; i++) {
		at += batch->sealed[i];
		cursor_skip(cur, batch->plain[i]);
	}
	if (at == n) {
		engine_send_rewind(&rec->conn, &batch->marks[i]);
		return 0;
	}
	engine_send_rewind(&rec->conn, &batch->marks[i + 1]);
	if (!send_buffer_locked(rec)) {
		return -ENOMEM;
	}
	rec->send_start = 0;
	rec->send_len = (uint32_t)(batch->sealed[i] - (n - at));
	memcpy(arena_buffer(rec->send_buffer), sealed + n, rec->send_len);
	struct cursor copy = *cur;
	rec->resume_start = PLAIN_AT;
	rec->resume_len = (uint32_t)batch->plain[i];
	cursor_get(&copy, arena_buffer(rec->send_buffer) + PLAIN_AT, batch->plain[i]);
	return -EAGAIN;
}

/* The program comes again with what was sealed before: count it as sent. */
static void resume(const struct ref *ref, struct cursor *cur)
{
	struct conn_record *rec = ref->rec;
	size_t n = rec->resume_len < cur->left ? rec->resume_len : cur->left;

	if (n == 0) {
		return;
	}
	if (cursor_equals(cur, arena_buffer(rec->send_buffer) + rec->resume_start, n)) {
		cursor_skip(cur, n);
		rec->resume_start += (uint32_t)n;
		rec->resume_len -= (uint32_t)n;
	} else {
		/* Another message: the old one is with the kernel already, whole. */
		rec->resume_len = 0;
	}
	drop_if_empty(ref);
}

/* What a write is told behind shutdown(SHUT_WR): the kernel's own error, if it has one, comes before EPIPE. */
static int error_of_shut(const struct ref *ref)
{
	int error = recv_error_taken(ref->rec);
	ssize_t n = sys_send(ref->fd, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL);

	return error ? -error : n < 0 ? (int)n : -EPIPE;
}

/*
 * Send as much of cur as the kernel takes at once: 0 if all, -EAGAIN, or what failed; -ERESTART: a
 * handshake comes first. Under send_lock.
 */
static int push(const struct ref *ref, struct cursor *cur, int flags, uint8_t *scratch)
{
	struct conn_record *rec = ref->rec;
	struct cipher_cell *cell;
	struct engine_cipher *cipher;
	struct batch batch;
	int rc;

	if (atomic_load(&rec->phase) == PHASE_HANDSHAKE) {
		return -ERESTART; /* the peer has begun to renegotiate meanwhile */
	}
	if (rec->send_shut) {
		return error_of_shut(ref);
	}
	rc = send_flush_locked(ref);
	if (rc != 0) {
		return rc;
	}
	resume(ref, cur);
	cipher = cipher_get(ref->slot, 1, &cell);
	if (!cipher) {
		return -ENOMEM;
	}
	if (engine_renegotiation_due(&rec->conn)) {
		rc = -ERESTART;
	}
	while (rc == 0 && cur->left > 0) {
		if (engine_control_due(&rec->conn)) {
			rc = send_control(ref, cipher);
			continue;
		}
		if (!seal_batch(ref, cipher, *cur, scratch, &batch)) {
			rc = -EPIPE;
			continue;
		}
		ssize_t n;
		do {
			n = sys_send(ref->fd, scratch, batch.len, (flags & MSG_MORE) | MSG_DONTWAIT | MSG_NOSIGNAL);
		} while (n == -EINTR);
		if (n < 0) {
			engine_send_rewind(&rec->conn, &batch.marks[0]);
			rc = (int)n;
		} else {
			rc = settle_batch(ref, &batch, scratch, (size_t)n, cur);
			if (rc == 0 && (size_t)n < batch.len) {
				rc = -EAGAIN;
			}
		}
	}
	cipher_put(cell);
	return rc;
}

/* What the program is told about a failed write, and SIGPIPE where the kernel would raise it. */
static ssize_t write_failed(int err, int flags)
{
	if (err == EPIPE && !(flags & MSG_NOSIGNAL)) {
		pthread_kill(pthread_self(), SIGPIPE);
	}
	errno = err;
	return -1;
}

/*
 * The failure of an accepted connection that a readiness call, or another process, has found: it is told
 * once, as the kernel tells of a reset. A broken pipe, whose signal ends programs, comes after that.
 */
static int failure_untold(const struct ref *ref)
{
	return ref->rec->role == ENGINE_SERVER || atomic_load(&ref->rec->early) ? atomic_exchange(&ref->rec->so_error, 0) :
										  0;
}

/* The handshake comes first: 0 when it is done, 1 when *taken bytes were kept as early data, or -errno. */
static int before_send(const struct ref *ref, struct cursor *cur, int flags, ssize_t *taken)
{
	bool nonblocking = (flags & MSG_DONTWAIT) || !fd_is_blocking(ref->fd);
	bool early = atomic_load(&ref->rec->early);
	short events;
	int rc = handshake_finish(ref, nonblocking || early, SO_SNDTIMEO);

	if (rc != -EAGAIN || !(nonblocking || early)) {
		/* A connection that failed is a broken pipe, except that the first call on it tells why. */
		return rc;
	}
	rc = lock_both(ref);
	if (rc != 0) {
		return rc;
	}
	if (atomic_load(&ref->rec->phase) == PHASE_OPEN) {
		/* Another thread has just finished it. */
		unlock_both(ref);
		return 0;
	}
	*taken = ref->rec->send_shut ? -EPIPE : early_take_locked(ref, cur);
	unlock_both(ref);
	/* The other end, in another thread, may have waited for this one's lock to be done with it. */
	session_progress(ref->fd, &events);
	if (early && atomic_load(&ref->rec->phase) < PHASE_OPEN) {
		pair_wrote_early(ref);
	}
	if (!nonblocking && (*taken == -EAGAIN || (*taken > 0 && cur->left > 0))) {
		rc = handshake_finish(ref, false, SO_SNDTIMEO);
		return rc == 0 || *taken < 0 ? rc : 1;
	}
	return *taken > 0 ? 1 : (int)*taken;
}

/* The key in use is nearly used up: renegotiate, unless that has begun. 0 or -errno. */
static int renew(const struct ref *ref)
{
	int rc = lock_both(ref);

	if (rc != 0) {
		return rc;
	}
	if (atomic_load(&ref->rec->phase) == PHASE_OPEN && engine_renegotiation_due(&ref->rec->conn)) {
		rc = handshake_renew(ref, NULL, 0);
		if (rc != 0) {
			session_fail(ref, -rc);
			sys_shutdown(ref->fd, SHUT_RDWR);
		}
	}
	unlock_both(ref);
	return rc;
}

ssize_t session_send(int fd, const struct iovec *iov, int n_iov, int flags)
{
	struct cursor cur;
	struct ref ref;
	uint8_t *scratch;
	size_t total, n_there;
	ssize_t taken = 0;
	int64_t started_ms = 0;
	int saved = errno;
	int rc;

	if (!ref_get(fd, &ref)) {
		errno = EBADF;
		return -1;
	}
	if (__builtin_expect(atomic_load_explicit(&ref.rec->relay, memory_order_relaxed) != 0, 0)) {
		session_relay_await(fd, !(flags & MSG_DONTWAIT) && fd_is_blocking(fd));
	}
	if (flags & MSG_OOB) {
		errno = EOPNOTSUPP;
		return -1;
	}
	cursor_init(&cur, iov, n_iov);
	n_there = memory_reach(iov, n_iov, 0, cur.left, false);
	if (n_there < cur.left && n_there == 0) {
		/* As the kernel has it: whether the connection stands comes first. */
		return session_send(fd, NULL, 0, flags) < 0 ? -1 : write_failed(EFAULT, flags);
	}
	total = cur.left = n_there;
	if (atomic_load(&ref.rec->phase) != PHASE_OPEN) {
		if (atomic_load(&ref.rec->phase) == PHASE_FAILED) {
			rc = failure_untold(&ref);
			return write_failed(rc ? rc : EPIPE, flags);
		}
		rc = before_send(&ref, &cur, flags, &taken);
		if (rc != 0) {
			errno = saved;
			return rc > 0 ? taken : write_failed(-rc, flags);
		}
	}
	if (total == 0) {
		/* The kernel looks whether the connection stands even if there is nothing to send. */
		rc = ref.rec->send_shut ? error_of_shut(&ref) : (int)sys_send(fd, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL);
		errno = saved;
		return rc < 0 ? write_failed(-rc, flags) : 0;
	}
	scratch = scratch_get();
	if (!scratch) {
		errno = ENOMEM;
		return -1;
	}
	for (;;) {
		rc = lock_send(&ref);
		if (rc != 0) {
			break; /* in a signal handler: waiting would last for ever */
		}
		rc = push(&ref, &cur, flags, scratch);
		unlock_send(&ref);
		if (rc == -ERESTART) {
			rc = renew(&ref);
			rc = rc == 0 ? before_send(&ref, &cur, flags, &taken) : rc;
			if (rc == 0) {
				continue;
			}
			rc = rc > 0 ? 0 : rc; /* what is kept counts as sent */
			break;
		}
		if (rc != -EAGAIN || (flags & MSG_DONTWAIT) || !fd_is_blocking(fd)) {
			break;
		}
		/* Sealed bytes only: nothing to wipe, and not kept over a wait in which the thread may be cancelled. */
		scratch_put(scratch, 0);
		rc = cur.left < total ? wait_events_partial(&ref, POLLOUT, SO_SNDTIMEO, &started_ms)
				      : wait_events(&ref, POLLOUT, SO_SNDTIMEO, &started_ms, 0);
		scratch = scratch_get();
		if (rc != 0 || !scratch) {
			break;
		}
	}
	if (scratch) {
		scratch_put(scratch, 0);
	} else {
		rc = -ENOMEM;
	}
	if (cur.left < total) {
		errno = saved;
		return (ssize_t)(total - cur.left);
	}
	if (rc == -ENOTSOCK) {
		/* The program closed the socket unseen, and the number is a file now. */
		session_forget(fd);
		return flags == 0 ? real.writev(fd, iov, n_iov) : write_failed(ENOTSOCK, flags);
	}
	return write_failed(-rc, flags);
}

/*
 * How long shutdown() of both directions waits for room for the end on a blocking socket; the kernel's never waits.
 * That of one waits for as long as it takes, for a read that follows would not send what is due.
 */
#define SHUTDOWN_MS 2000

int session_shutdown(int fd, int how)
{
	int64_t started_ms = 0, end;
	bool is_gone;
	struct ref ref;
	int rc;

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) {
		errno = EINVAL;
		return -1;
	}
	if (!ref_get(fd, &ref)) {
		errno = EBADF;
		return -1;
	}
	session_relay_await(fd, fd_is_blocking(fd));
	if (how != SHUT_WR) {
		ref.rec->recv_shut = 1;
	}
	if (atomic_load(&ref.rec->phase) == PHASE_OPEN) {
		ref.rec->connect_reported = 1; /* as in the kernel: connect() says EISCONN from now on */
	}
	if (how == SHUT_RD && session_is_early(fd)) {
		return 0; /* the handshake has to be read; then the kernel is told */
	}
	if (how == SHUT_RD || atomic_load(&ref.rec->phase) == PHASE_FAILED ||
	    (ref.rec->send_shut && !ref.rec->send_shut_due)) {
		rc = sys_shutdown(fd, how);
		if (rc < 0) {
			errno = -rc;
		}
		return rc < 0 ? -1 : 0;
	}
	if (session_phase(fd) == SESSION_CONNECTING && (fd_is_blocking(fd) || session_is_early(fd))) {
		/* Whoever is at the other end wants a handshake before an end. A failure shows in later calls. */
		handshake_finish(&ref, session_is_early(fd), SO_SNDTIMEO);
	}
	is_gone = tcp_state(fd) == TCP_CLOSE;
	rc = lock_both(&ref);
	if (rc != 0) {
		errno = -rc;
		return -1;
	}
	if (atomic_load(&ref.rec->phase) == PHASE_OPEN && !ref.rec->send_shut) {
		ref.rec->send_shut_due = 1;
		send_alert_locked(&ref, ENGINE_ALERT_CLOSE_NOTIFY);
		send_flush_locked(&ref);
	} else if (!ref.rec->send_shut) {
		ref.rec->send_shut_due = 1;
	}
	ref.rec->send_shut = 1;
	unlock_both(&ref);
	if (how == SHUT_RDWR && !session_is_early(fd)) {
		/* Whoever waits to read hears of it now, even if the end cannot be sent at once. */
		sys_shutdown(fd, ref.rec->send_shut_due ? SHUT_RD : SHUT_RDWR);
	}
	end = how == SHUT_RDWR ? sys_now_ms() + SHUTDOWN_MS : 0;
	while (ref.rec->send_shut_due && fd_is_blocking(fd) &&
	       wait_events(&ref, POLLOUT, SO_SNDTIMEO, &started_ms, end) == 0) {
		session_flush(fd);
		if (atomic_load(&ref.rec->phase) != PHASE_OPEN) {
			break;
		}
	}
	if (how == SHUT_RDWR && !session_is_early(fd) && ref_is_current(&ref) &&
	    (!ref.rec->send_shut_due || sys_now_ms() >= end)) {
		/* A peer that reads nothing does not get the end; a thread that waits to write to it does. */
		sys_shutdown(fd, SHUT_RDWR);
	}
	if (is_gone) {
		errno = ENOTCONN;
		return -1;
	}
	return 0;
}

bool session_flush_due(int fd)
{
	struct ref ref;

	return ref_get(fd, &ref) && ref.rec->send_len > 0 && (ref.rec->send_promised || ref.rec->send_shut_due);
}

void session_flush(int fd)
{
	int saved = errno;
	struct ref ref;

	if (ref_get(fd, &ref) && lock_send(&ref) == 0) {
		if (atomic_load(&ref.rec->phase) == PHASE_OPEN) {
			send_flush_locked(&ref);
		}
		unlock_send(&ref);
	}
	errno = saved;
}
