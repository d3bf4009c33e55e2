/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the network to the program.
 *
 * Implementation notes: poll, select and epoll look at the kernel's buffer, so the rule is: while plaintext
 * waits here that the program has not taken, at least one byte stays unread there (the token). There are
 * two ways to take records:
 *
 *   direct  the program's buffer is large: read at most as many bytes of ciphertext as it has room for plaintext, so
 *           whatever was read can be delivered whole. What is left over is an incomplete record, which is kept.
 *   peek    look at one record; when it is complete, decrypt it into the connection's buffer and take all of it but the
 *           last byte out of the kernel. That byte is taken when the plaintext has been delivered.
 *
 * The end of the peer's data is made lasting by shutdown(SHUT_RD): the kernel then reports the socket
 * readable for ever.
 */
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cipher_cache.h"
#include "cursor.h"
#include "log.h"
#include "ready.h"
#include "real.h"
#include "scratch.h"
#include "session_priv.h"
#include "sys.h"

/* Below this much room reading directly would take many small bites. */
#define DIRECT_MIN 512u
/*
 * Below this length a record is decrypted aside and copied, so that the program's buffer stays untouched
 * behind the data.
 */
#define IN_PLACE_MIN 4096u
#define DIRECT_MAX (SCRATCH_LEN - ENGINE_MAX_RECORD)
#define DRAIN_MAX (4u << 20)
_Static_assert(ENGINE_MAX_RECORD <= ARENA_BUFFER_LEN, "a receive buffer holds a record");

static uint8_t *recv_buffer(struct conn_record *rec)
{
	if (!rec->recv_buffer) {
		rec->recv_buffer = arena_buffer_alloc();
	}
	return rec->recv_buffer ? arena_buffer(rec->recv_buffer) : NULL;
}

void recv_drop_locked(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;

	if (rec->recv_buffer) {
		arena_buffer_free(rec->recv_buffer, rec->recv_start + rec->recv_len);
		rec->recv_buffer = 0;
	}
	rec->recv_kind = RECV_EMPTY;
	rec->recv_start = rec->recv_len = 0;
}

bool recv_keep_plain_locked(const struct ref *ref, const uint8_t *data, size_t len)
{
	uint8_t *buffer = recv_buffer(ref->rec);

	if (!buffer || len > ARENA_BUFFER_LEN) {
		return false;
	}
	memcpy(buffer, data, len);
	ref->rec->recv_kind = RECV_PLAIN;
	ref->rec->recv_start = 0;
	ref->rec->recv_len = (uint32_t)len;
	ref->rec->recv_any = 1;
	return true;
}

static void drop_bytes(int fd, size_t n)
{
	while (n > 0) {
		ssize_t taken = sys_recv(fd, NULL, n, MSG_TRUNC | MSG_DONTWAIT);
		if (taken <= 0 && taken != -EINTR) {
			return;
		}
		n -= taken > 0 ? (size_t)taken : 0;
	}
}

/* The plaintext in the buffer has been delivered: give the buffer and the token back. */
static void plain_taken(const struct ref *ref)
{
	recv_drop_locked(ref);
	if (ref->rec->recv_token) {
		ref->rec->recv_token = 0;
		drop_bytes(ref->fd, 1);
	}
}

/* Keep an incomplete record. False if there is no buffer. */
static bool keep_partial(const struct ref *ref, const uint8_t *bytes, size_t len)
{
	uint8_t *buffer;

	if (len == 0) {
		recv_drop_locked(ref);
		return true;
	}
	buffer = recv_buffer(ref->rec);
	if (!buffer) {
		return false;
	}
	memcpy(buffer, bytes, len);
	ref->rec->recv_kind = RECV_CIPHER;
	ref->rec->recv_start = 0;
	ref->rec->recv_len = (uint32_t)len;
	return true;
}

/* The connection is broken: say so to the peer if it should know, to the log, and to whoever waits. Returns -errno. */
static int broken(const struct ref *ref, const char *reason)
{
	struct conn_record *rec = ref->rec;
	uint8_t alert = engine_alert_due(&rec->conn);
	char peer[80];

	format_peer(rec, peer);
	log_warn("%s: peer %s: %s; the connection is closed", rec->rule, peer, reason);
	if (lock_send(ref) == 0) {
		if (alert && send_flush_locked(ref) == 0) {
			send_alert_locked(ref, alert);
		}
		rec->send_shut = 1;
		unlock_send(ref);
	}
	session_fail(ref, ECONNRESET);
	sys_shutdown(ref->fd, SHUT_RDWR);
	return -ECONNRESET;
}

/* Has the end of the peer's TCP stream come? */
bool recv_peer_has_ended(int fd)
{
	int tcp = tcp_state(fd);

	return tcp == TCP_CLOSE_WAIT || tcp == TCP_LAST_ACK || tcp == TCP_CLOSING || tcp == TCP_CLOSE;
}

/* TCP ended: as announced by close_notify, or cut off. */
static int tcp_ended(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;
	char peer[80];

	if (rec->conn.recv_closed || rec->recv_shut) {
		return 0;
	}
	rec->recv_eof = 1;
	format_peer(rec, peer);
	if (rec->recv_kind == RECV_CIPHER) {
		log_warn("%s: peer %s: connection ended within a record: data is missing", rec->rule, peer);
		atomic_store(&rec->error, ECONNRESET);
		return -ECONNRESET;
	}
	if (rec->truncation_is_error) {
		log_warn("%s: peer %s: connection ended without close_notify: data may be missing; if this peer always ends "
			 "so, `truncation ignore` in the rule accepts it",
			 rec->rule, peer);
		atomic_store(&rec->error, ECONNRESET);
		return -ECONNRESET;
	}
	log_debug("%s: peer %s: connection ended without close_notify", rec->rule, peer);
	return 0;
}

/* The peer wants to renegotiate: the handshake takes the connection over until it is done. Returns 0 or -errno. */
static int renegotiate(const struct ref *ref, const struct engine_opened *opened)
{
	int rc = lock_send(ref);

	if (rc == 0) {
		rc = handshake_renew(ref, opened->data, opened->data_len);
		unlock_send(ref);
	}
	return rc == 0 ? 0 : broken(ref, "renegotiation failed");
}

/* Open one whole record of len bytes. DATA leaves its plaintext in *opened. Returns 0 or -errno. */
static int open_record(const struct ref *ref, uint8_t *record, size_t len, uint8_t *out, size_t out_len,
		       struct engine_opened *opened)
{
	struct conn_record *rec = ref->rec;
	struct cipher_cell *cell;
	struct engine_cipher *cipher = cipher_get(ref->slot, 0, &cell);
	enum engine_err err;

	if (!cipher) {
		return -ENOMEM;
	}
	err = engine_open(&rec->conn, cipher, record, len, out, out_len, opened);
	cipher_put(cell);
	if (err != ENGINE_OK) {
		return broken(ref, engine_conn_reason(&rec->conn));
	}
	if (opened->event == ENGINE_EVENT_DATA) {
		rec->recv_any = 1;
	} else if (opened->event == ENGINE_EVENT_CLOSED) {
		rec->recv_eof = 1;
		if (!recv_peer_has_ended(ref->fd)) {
			sys_shutdown(ref->fd, SHUT_RD); /* else it lasts already, and this would be one edge more */
		}
	} else if (opened->event == ENGINE_EVENT_RENEGOTIATE) {
		return renegotiate(ref, opened);
	} else if (opened->event == ENGINE_EVENT_NOTHING && engine_control_due(&rec->conn)) {
		/* The answer to a KeyUpdate need not wait for the program's next write. */
		uint8_t bytes[ENGINE_CONTROL_MAX];
		size_t n = 0;
		if (lock_send(ref) == 0) {
			cipher = cipher_get(ref->slot, 1, &cell);
			if (cipher && rec->send_len == 0 && !rec->send_shut &&
			    engine_control(&rec->conn, cipher, bytes, &n) == ENGINE_OK && n > 0) {
				send_queue_locked(ref, bytes, n);
			}
			if (cipher) {
				cipher_put(cell);
			}
			unlock_send(ref);
		}
	}
	return 0;
}

/* A header that cannot be: let the engine say what is wrong with it. */
static int bad_header(const struct ref *ref, uint8_t *header)
{
	struct engine_opened opened;
	int rc = open_record(ref, header, ENGINE_RECORD_HEADER_LEN, NULL, 0, &opened);

	return rc != 0 ? rc : broken(ref, "the peer sent something that is no TLS record");
}

/* Deliver one record's plaintext: straight into the program's memory if that is worth it. */
static int deliver(const struct ref *ref, uint8_t *record, size_t len, struct cursor *cur)
{
	struct engine_opened opened;
	size_t piece_len = 0;
	uint8_t *piece = NULL;
	int rc;

	if (len >= IN_PLACE_MIN) {
		piece = cursor_piece(cur, &piece_len);
	}
	rc = open_record(ref, record, len, piece, piece_len, &opened);
	if (rc != 0 || opened.event != ENGINE_EVENT_DATA) {
		return rc;
	}
	if (piece && opened.data == piece) {
		cursor_skip(cur, opened.data_len);
	} else if (opened.data_len <= cur->left) {
		cursor_put(cur, opened.data, opened.data_len);
	} else {
		return broken(ref, "internal error: a record holds more than was asked for");
	}
	return 0;
}

ssize_t recv_kernel(int fd, uint8_t *buf, size_t len, int flags)
{
	ssize_t n;

	do {
		n = sys_recv(fd, buf, len, flags | MSG_DONTWAIT);
	} while (n == -EINTR);
	return n;
}

/* The direct way. 1: go on, 0: end of data, or -errno; -EAGAIN when the kernel has no more. */
static int take_direct(const struct ref *ref, struct cursor *cur, uint8_t *scratch)
{
	struct conn_record *rec = ref->rec;
	size_t have = rec->recv_kind == RECV_CIPHER ? rec->recv_len : 0;
	size_t ask = cur->left < DIRECT_MAX ? cur->left : DIRECT_MAX;
	const size_t room = cur->left;
	uint8_t *at = scratch;
	ssize_t n;
	int rc = 0;

	if (have > 0) {
		memcpy(scratch, arena_buffer(rec->recv_buffer), have);
	}
	if (have >= ENGINE_RECORD_HEADER_LEN) {
		/* The rest of this record, and as much again as its plaintext leaves room for. */
		size_t record_len = engine_record_len(&rec->conn, scratch);
		ask = record_len - have + (cur->left - (record_len - ENGINE_RECORD_HEADER_LEN));
		ask = ask < DIRECT_MAX ? ask : DIRECT_MAX;
	}
	n = recv_kernel(ref->fd, scratch + have, ask, 0);
	if (n <= 0) {
		return n == 0 ? tcp_ended(ref) : (int)n;
	}
	have += (size_t)n;
	while (rc == 0 && !rec->recv_eof && have >= ENGINE_RECORD_HEADER_LEN) {
		size_t len = engine_record_len(&rec->conn, at);
		if (len == 0) {
			rc = bad_header(ref, at);
			break;
		}
		rec->last_record_len = (uint32_t)len;
		if (have < len) {
			break;
		}
		rc = deliver(ref, at, len, cur);
		at += len;
		have -= len;
	}
	if (rc == 0 && !keep_partial(ref, at, rec->recv_eof ? 0 : have)) {
		rc = broken(ref, "out of memory");
	}
	if (rc != 0) {
		recv_drop_locked(ref);
		return rc;
	}
	/*
	 * Fewer bytes than asked for: the kernel had no more, and will tell when it has. Only the end may
	 * have come with them, told by the same edge, so whoever gets no data has to be asked about it now.
	 */
	return (size_t)n < ask && !rec->recv_eof && cur->left < room ? -EAGAIN : 1;
}

int recv_take_peek(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;
	size_t have = rec->recv_kind == RECV_CIPHER ? rec->recv_len : 0;
	size_t want = ENGINE_MAX_RECORD - have;
	size_t len = 0, last;
	struct engine_opened opened;
	uint8_t *buffer = recv_buffer(rec);
	ssize_t n;
	int rc;

	if (!buffer) {
		return -ENOMEM;
	}
	if (have >= ENGINE_RECORD_HEADER_LEN) {
		len = engine_record_len(&rec->conn, buffer);
		want = len - have;
	}
	n = recv_kernel(ref->fd, buffer + have, want, MSG_PEEK);
	if (n <= 0) {
		if (have == 0) {
			recv_drop_locked(ref);
		}
		return n == 0 ? tcp_ended(ref) : (int)n;
	}
	if (len == 0 && have + (size_t)n >= ENGINE_RECORD_HEADER_LEN) {
		len = engine_record_len(&rec->conn, buffer);
		if (len == 0) {
			rc = bad_header(ref, buffer);
			recv_drop_locked(ref);
			return rc;
		}
		rec->last_record_len = (uint32_t)len;
	}
	if (len == 0 || have + (size_t)n < len) {
		/* Incomplete: take it all, so that the kernel reports what comes next. */
		drop_bytes(ref->fd, (size_t)n);
		rec->recv_kind = RECV_CIPHER;
		rec->recv_start = 0;
		rec->recv_len = (uint32_t)(have + (size_t)n);
		return 1;
	}
	last = len - have;
	rc = open_record(ref, buffer, len, NULL, 0, &opened);
	if (rc != 0) {
		recv_drop_locked(ref);
		return rc;
	}
	if (opened.event != ENGINE_EVENT_DATA) {
		drop_bytes(ref->fd, last);
		recv_drop_locked(ref);
		return 1;
	}
	drop_bytes(ref->fd, last - 1);
	rec->recv_token = 1;
	rec->recv_kind = RECV_PLAIN;
	rec->recv_start = (uint32_t)(opened.data - buffer);
	rec->recv_len = (uint32_t)opened.data_len;
	return 1;
}

/*
 * A program that peeks waits for more than one record may hold: append the next one to the plaintext that
 * waits. True if that was possible; an incomplete record stays in the kernel.
 */
static bool append_record(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;
	uint8_t *buffer = arena_buffer(rec->recv_buffer);
	uint8_t *scratch = scratch_get();
	struct engine_opened opened;
	bool is_taken = false;
	size_t len = 0;
	ssize_t n = 0;

	if (scratch && rec->recv_token && !rec->recv_eof) {
		n = recv_kernel(ref->fd, scratch, ENGINE_MAX_RECORD + 1, MSG_PEEK);
	}
	if (n > ENGINE_RECORD_HEADER_LEN) {
		len = engine_record_len(&rec->conn, scratch + 1);
	}
	if (len > 0 && 1 + len <= (size_t)n && rec->recv_len + len <= ARENA_BUFFER_LEN) {
		is_taken = open_record(ref, scratch + 1, len, NULL, 0, &opened) == 0;
	}
	if (is_taken) {
		/* The old token goes, the last byte of this record is the new one. */
		drop_bytes(ref->fd, len);
		memmove(buffer, buffer + rec->recv_start, rec->recv_len);
		rec->recv_start = 0;
		if (opened.event == ENGINE_EVENT_DATA) {
			memcpy(buffer + rec->recv_len, opened.data, opened.data_len);
			rec->recv_len += (uint32_t)opened.data_len;
		}
	}
	if (scratch) {
		scratch_put(scratch, is_taken ? len + 1 : 0);
	}
	return is_taken;
}

/*
 * Is there memory for all that the direct way may bring? Where there is not, the other one finds out how
 * much there is.
 */
static bool is_room_real(struct cursor *cur)
{
	size_t len = cur->n_iov == 1 || cur->left < DIRECT_MAX ? cur->left : DIRECT_MAX;

	return cursor_writable(cur, len) == len;
}

/* Is the direct way open for the next record? */
static bool may_take_direct(const struct conn_record *rec, struct cursor *cur)
{
	const size_t room = cur->left;

	if (rec->conn.may_renegotiate) {
		return false; /* what stands behind a record that begins a handshake has to be in the kernel still */
	}
	if (rec->recv_kind == RECV_CIPHER && rec->recv_len >= ENGINE_RECORD_HEADER_LEN) {
		size_t len = engine_record_len(&rec->conn, arena_buffer(rec->recv_buffer));
		return len != 0 && len - ENGINE_RECORD_HEADER_LEN <= room && is_room_real(cur);
	}
	return room >= DIRECT_MIN && (room >= ENGINE_MAX_PLAINTEXT || rec->last_record_len <= room) && is_room_real(cur);
}

/* Copy or discard buffered plaintext: 1, or -EFAULT if the program has no memory for it. */
static int take_plain(const struct ref *ref, struct cursor *cur, int flags)
{
	struct conn_record *rec = ref->rec;
	size_t n = rec->recv_len < cur->left ? rec->recv_len : cur->left;

	if (flags & MSG_TRUNC) {
		cursor_skip(cur, n);
	} else {
		n = cursor_writable(cur, n);
		if (n == 0) {
			return -EFAULT;
		}
		cursor_put(cur, arena_buffer(rec->recv_buffer) + rec->recv_start, n);
	}
	if (flags & MSG_PEEK) {
		return 1;
	}
	explicit_bzero(arena_buffer(rec->recv_buffer) + rec->recv_start, n);
	rec->recv_start += (uint32_t)n;
	rec->recv_len -= (uint32_t)n;
	if (rec->recv_len == 0) {
		plain_taken(ref);
	}
	return 1;
}

int recv_error_taken(struct conn_record *rec)
{
	int error = 0;

	if (rec->recv_once && atomic_load(&rec->phase) == PHASE_OPEN) {
		rec->recv_once = 0;
		error = atomic_exchange(&rec->error, 0);
	}
	return error;
}

/* What a read behind the end is told: nothing, or why it ended. The kernel's own errors are told once, as it does. */
static int end_of_stream(struct conn_record *rec)
{
	int error = recv_error_taken(rec);

	return -(error ? error : atomic_load(&rec->error));
}

/* The peer renegotiates: the handshake comes first, then take() again. */
#define RENEWING 2

/*
 * Take what is there without waiting: 0 at the end of data, -EAGAIN when it needs more from the peer, 1
 * when cur is full, or -errno.
 */
static int take(const struct ref *ref, struct cursor *cur, int flags)
{
	struct conn_record *rec = ref->rec;
	uint8_t *scratch = NULL;
	size_t before = cur->left;
	int rc = 1;

	while (rc == 1 && cur->left > 0) {
		if (rec->recv_kind == RECV_PLAIN) {
			while ((flags & MSG_PEEK) && rec->recv_len < cur->left && append_record(ref)) {
			}
			rc = take_plain(ref, cur, flags);
			if (flags & MSG_PEEK) {
				break;
			}
			continue;
		}
		if (rec->recv_eof) {
			rc = end_of_stream(rec);
		} else if (atomic_load(&rec->phase) == PHASE_FAILED) {
			rc = -atomic_load(&rec->error);
		} else if (atomic_load(&rec->phase) != PHASE_OPEN) {
			rc = RENEWING;
		} else if (!(flags & (MSG_PEEK | MSG_TRUNC)) && may_take_direct(rec, cur)) {
			if (!scratch) {
				scratch = scratch_get();
			}
			rc = scratch ? take_direct(ref, cur, scratch) : -ENOMEM;
		} else {
			rc = recv_take_peek(ref);
		}
	}
	if (scratch) {
		scratch_put(scratch, before - cur->left < IN_PLACE_MIN ? IN_PLACE_MIN : 0);
	}
	return rc;
}

/* Is there something to read, without a place to put it? Results as take(). */
static int look(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;
	int rc = 1;

	while (rc == 1 && rec->recv_kind != RECV_PLAIN && !rec->recv_eof && atomic_load(&rec->phase) == PHASE_OPEN) {
		rc = recv_take_peek(ref);
	}
	if (rc == 1 && rec->recv_kind != RECV_PLAIN) {
		rc = atomic_load(&rec->phase) < PHASE_OPEN ? RENEWING : end_of_stream(rec);
	}
	return rc;
}

static ssize_t read_failed(int err)
{
	errno = err;
	return -1;
}

/*
 * The kernel tells once that it broke the connection. If the program hears of it now, the end follows; else it is
 * kept for the next read, for data that are cut off must not end as if they were whole. Under recv_lock.
 */
static void error_came(const struct ref *ref, int err, bool is_told)
{
	struct conn_record *rec = ref->rec;

	if (rec->recv_kind == RECV_PLAIN || rec->recv_eof || atomic_load(&rec->phase) != PHASE_OPEN ||
	    atomic_load(&rec->error) || tcp_state(ref->fd) != TCP_CLOSE) {
		return;
	}
	if (!is_told) {
		atomic_store(&rec->error, err);
		rec->recv_once = 1;
	}
	rec->recv_eof = 1;
}

/* What a program that peeks at more than there is has been shown. */
struct shown {
	int kernel_bytes;
	size_t left;
};

/* A peek that wants more than waits: can more be put together, when more comes? Under recv_lock. */
static bool may_append(const struct ref *ref)
{
	const struct conn_record *rec = ref->rec;
	uint8_t head[1 + ENGINE_RECORD_HEADER_LEN];
	size_t len;

	if (rec->recv_kind != RECV_PLAIN || !rec->recv_token || rec->recv_eof) {
		return false;
	}
	if (recv_kernel(ref->fd, head, sizeof(head), MSG_PEEK) < (ssize_t)sizeof(head)) {
		return true;
	}
	len = engine_record_len(&rec->conn, head + 1);
	return len > 0 && rec->recv_len + len <= ARENA_BUFFER_LEN;
}

/*
 * The token makes the socket readable, so a peek waits until the kernel has a byte more than it had when
 * nothing could be made of it. 0: look again, or -errno.
 */
static int peek_on(const struct ref *ref, struct shown *shown, size_t left)
{
	int n = 0;

	sys_call(SYS_ioctl, ref->fd, FIONREAD, &n);
	if (n != shown->kernel_bytes || left != shown->left) {
		shown->kernel_bytes = n;
		shown->left = left;
		return 0;
	}
	return wait_peekable(ref, (size_t)n + 1);
}

ssize_t session_recv(int fd, const struct iovec *iov, int n_iov, int flags)
{
	struct shown shown = { -1, 0 };
	struct cursor cur;
	struct ref ref;
	size_t total, enough;
	int64_t started_ms = 0;
	int saved = errno;
	bool may_peek_on;
	int rc;

	if (!ref_get(fd, &ref)) {
		return read_failed(EBADF);
	}
	if (flags & MSG_OOB) {
		return read_failed(EINVAL);
	}
	cursor_init(&cur, iov, n_iov);
	total = cur.left;
	enough = flags & MSG_WAITALL ? total : ref.rec->recv_lowat < total ? ref.rec->recv_lowat : total;
	for (;;) {
		rc = 0;
		if (atomic_load(&ref.rec->phase) < PHASE_OPEN) {
			if (ref.rec->recv_shut && session_is_early(fd)) {
				break; /* the end, as far as the program is concerned */
			}
			rc = handshake_finish(&ref, flags & MSG_DONTWAIT, SO_RCVTIMEO);
		}
		rc = rc == 0 ? lock_recv(&ref) : rc;
		if (rc != 0) {
			/*
			 * No waiting: the time is up, or this is a signal handler and the thread that it
			 * interrupted holds the lock.
			 */
			break;
		}
		if (flags & MSG_PEEK) {
			cursor_init(&cur, iov, n_iov);
		}
		rc = total > 0 ? take(&ref, &cur, flags) : look(&ref);
		if (rc < 0 && rc != -EAGAIN) {
			error_came(&ref, -rc, cur.left == total);
		}
		may_peek_on = rc == 1 && cur.left > 0 && (flags & MSG_PEEK) && (flags & MSG_WAITALL) && may_append(&ref);
		unlock_recv(&ref);
		if (may_peek_on && !(flags & MSG_DONTWAIT) && fd_is_blocking(fd)) {
			rc = peek_on(&ref, &shown, cur.left);
			if (rc != 0) {
				break;
			}
			continue;
		}
		if (rc == RENEWING && (cur.left == total || (flags & MSG_WAITALL))) {
			continue;
		}
		if (rc != -EAGAIN || (cur.left < total && total - cur.left >= enough) || (flags & MSG_DONTWAIT) ||
		    !fd_is_blocking(fd)) {
			break;
		}
		rc = cur.left < total ? wait_events_partial(&ref, POLLIN, SO_RCVTIMEO, &started_ms)
				      : wait_readable(&ref, &started_ms);
		if (rc != 0) {
			if (rc != -EAGAIN && rc != -EINTR && rc != -EBADF && lock_recv(&ref) == 0) {
				error_came(&ref, -rc, cur.left == total);
				unlock_recv(&ref);
			}
			break;
		}
	}
	if (total == 0 && (rc == -EAGAIN || rc == -EINTR) && started_ms != 0) {
		rc = 0; /* who asks for nothing has it, once the wait is over */
	}
	if (cur.left < total || rc >= 0) {
		errno = saved;
		return (ssize_t)(total - cur.left);
	}
	if (rc == -ENOTSOCK) {
		/* The program closed the socket unseen, and the number is a file now. */
		session_forget(fd);
		return flags == 0 ? REAL(readv)(fd, iov, n_iov) : read_failed(ENOTSOCK);
	}
	return read_failed(-rc);
}

bool recv_drain_locked(const struct ref *ref)
{
	size_t total = 0;

	while (total < DRAIN_MAX) {
		ssize_t n = sys_recv(ref->fd, NULL, 1u << 20, MSG_TRUNC | MSG_DONTWAIT);
		if (n <= 0) {
			break;
		}
		total += (size_t)n;
	}
	return total > 0;
}
