/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handshake of a wrapped socket: who drives it, what the program sees meanwhile, and how it ends.
 *
 * Implementation notes: the engine's handshake object is private memory, and fork copies it. The record
 * counts the steps; whoever comes with a copy that is not up to date must not go on with it, and waits
 * until the process that has the other one is done. The kernel cannot tell when that is, so the waiting is
 * a short sleep between looks.
 */
#include <errno.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "ready.h"
#include "scratch.h"
#include "session_priv.h"
#include "shim.h"
#include "sys.h"

#define PEEK_LEN 20480u
#define FOREIGN_LOOK_MS 2
/* The same for programs that wait in poll, select or epoll. */
#define FOREIGN_WAKE_MS 20
/*
 * How long a thread waits for the peer before it looks whether another thread has finished the handshake:
 * alone, and not alone.
 */
#define LOOK_ALONE_MS 100
#define LOOK_SHARED_MS 5
/* To wait for in the kernel where it is the other end, in this process, that has to move on: never comes. */
#define NOTHING POLLPRI

static void drop_engine(struct local *local)
{
	engine_hs_free(local->hs);
	local->hs = NULL;
	local->hs_deadline_ms = 0;
}

void handshake_drop(struct local *local)
{
	drop_engine(local);
	engine_config_unref(local->config);
	local->config = NULL;
	heap_free(local->name);
	local->name = NULL;
}

void handshake_hand_over(const struct ref *ref, int pid)
{
	drop_engine(ref->local);
	atomic_store(&ref->rec->hs_pid, pid);
}

/* What the program is told when a handshake ends in err (DESIGN P10: errnos that a legacy program understands). */
static int errno_of(const struct conn_record *rec, enum engine_err err)
{
	if (err == ENGINE_ERR_NO_MEMORY) {
		return ENOMEM;
	}
	if (rec->role == ENGINE_SERVER) {
		return ECONNRESET;
	}
	return err == ENGINE_ERR_VERIFY ? EKEYREJECTED : EPROTO;
}

/* What the operator can do about it; alert: the one that the peer sent. */
static const char *advice_for(const struct conn_record *rec, enum engine_err err, uint8_t alert)
{
	bool client = rec->role == ENGINE_CLIENT;

	switch (err) {
	case ENGINE_ERR_VERIFY:
		return client ? "check the rule's trust and server-name, or the server's certificate" :
				"check the rule's trust and allow-peer, or the client's certificate";
	case ENGINE_ERR_NOT_TLS:
		return client ? "the server speaks no TLS on this port: remove the rule or enable TLS there" :
				"the client speaks no TLS: enable it there, or remove the rule";
	case ENGINE_ERR_NEGOTIATION:
		return "the two sides have no version, suite or group in common";
	case ENGINE_ERR_PEER_ALERT:
		if (alert == ENGINE_ALERT_PROTOCOL_VERSION) {
			return "the two sides have no version of TLS in common: see the rule's `versions`";
		}
		return client ? "the server refused us: see its log; does it want a client certificate?" :
				"the client refused us: does it trust the rule's certificate?";
	case ENGINE_ERR_CONFIG:
		return "run `tlshim check` on the policy";
	default:
		return "see TLSHIM_LOG=debug for more";
	}
}

/* The end of a handshake that failed, under both locks: the socket is shut, so that its readiness tells the program. */
static enum session_phase fail(const struct ref *ref, int error)
{
	session_fail(ref, error);
	send_drop_locked(ref); /* what the program has said is not for this peer */
	handshake_drop(ref->local);
	sys_shutdown(ref->fd, SHUT_RDWR);
	return SESSION_FAILED;
}

static enum session_phase fail_engine(const struct ref *ref, enum engine_err err, const char *reason)
{
	const struct engine_hs *hs = ref->local->hs;
	uint8_t alert = err == ENGINE_ERR_PEER_ALERT && hs ? engine_hs_alert(hs) : 0;
	char peer[80];

	format_peer(ref->rec, peer);
	log_warn("%s: peer %s: %s; %s", ref->rec->rule, peer, reason, advice_for(ref->rec, err, alert));
	return fail(ref, errno_of(ref->rec, err));
}

/* The connection itself broke. tcp_up: bytes have been exchanged, so it is not a connect that failed. */
static enum session_phase fail_kernel(const struct ref *ref, int error, bool tcp_up)
{
	char peer[80];

	format_peer(ref->rec, peer);
	if (tcp_up) {
		log_warn("%s: peer %s: connection lost during the handshake: %s", ref->rec->rule, peer,
			 strerrordesc_np(error));
	} else {
		log_info("%s: peer %s: %s", ref->rec->rule, peer, strerrordesc_np(error));
	}
	return fail(ref, error);
}

/*
 * A client went before it had said a byte, as those do who look whether a server is up. To the server it is the end
 * that it is without TLS: nothing can be missing, and not every program survives a reset.
 */
static enum session_phase fail_unused(const struct ref *ref)
{
	char peer[80];

	format_peer(ref->rec, peer);
	log_info("%s: peer %s: it went without a word", ref->rec->rule, peer);
	ref->rec->recv_eof = 1;
	return fail(ref, 0);
}

/* The handshake's time runs from when TCP is up. */
static void start_clock(struct local *local)
{
	if (local->handshake_timeout_ms && !local->hs_deadline_ms && !atomic_load(&local->has_no_clock)) {
		local->hs_deadline_ms = sys_now_ms() + local->handshake_timeout_ms;
	}
}

/* What the engine wants to know; peer is room for its address. */
static struct engine_hs_params params_of(const struct ref *ref, char peer[static 80])
{
	struct engine_hs_params params = { .config = ref->local->config, .server_name = ref->local->name };

	if (ref->rec->role == ENGINE_CLIENT) {
		format_peer(ref->rec, peer);
		params.peer = peer;
	}
	return params;
}

static bool begin(const struct ref *ref, char why[static ENGINE_REASON_MAX])
{
	char peer[80];
	struct engine_hs_params params = params_of(ref, peer);

	ref->local->hs = engine_hs_new(&params, &ref->rec->conn, why);
	if (!ref->local->hs) {
		return false;
	}
	ref->local->hs_steps = ref->rec->hs_steps;
	atomic_store(&ref->rec->phase, PHASE_HANDSHAKE);
	if (ref->rec->role == ENGINE_SERVER) {
		start_clock(ref->local);
	}
	return true;
}

int handshake_renew(const struct ref *ref, const uint8_t *data, size_t len)
{
	struct conn_record *rec = ref->rec;
	char why[ENGINE_REASON_MAX] = "another program began this connection", peer[80];
	struct engine_hs_params params = params_of(ref, peer);

	if (ref->local->config) {
		ref->local->hs = engine_hs_renegotiate(&params, &rec->conn, data, len, why);
	}
	if (!ref->local->hs) {
		format_peer(rec, peer);
		log_warn("%s: peer %s: cannot renegotiate: %s", rec->rule, peer, why);
		return -ECONNRESET;
	}
	log_debug("%s: renegotiating", rec->rule);
	ref->local->hs_steps = ++rec->hs_steps;
	atomic_store(&rec->hs_pid, sys_getpid());
	atomic_store(&rec->phase, PHASE_HANDSHAKE);
	start_clock(ref->local);
	return 0;
}

/*
 * Data that came during a renegotiation goes to the program; the byte that receive() left in the kernel
 * makes it readable.
 */
static bool keep_data(const struct ref *ref)
{
	size_t len;
	const uint8_t *data = engine_hs_data(ref->local->hs, &len);

	return len == 0 || recv_keep_plain_locked(ref, data, len);
}

static bool is_late(const struct local *local)
{
	return local->hs_deadline_ms && sys_now_ms() >= local->hs_deadline_ms;
}

static enum session_phase fail_late(const struct ref *ref)
{
	char peer[80];

	format_peer(ref->rec, peer);
	log_warn("%s: peer %s: no TLS handshake within %d s (handshake-timeout)", ref->rec->rule, peer,
		 ref->local->handshake_timeout_ms / 1000);
	return fail(ref, ref->rec->role == ENGINE_SERVER ? ECONNRESET : ETIMEDOUT);
}

/* Another process is at it: true as long as that one holds the socket. */
static bool is_in_other_hands(const struct ref *ref)
{
	int32_t pid = atomic_load(&ref->rec->hs_pid);

	return pid != 0 && pid != sys_getpid() && holders_has(&ref->rec->holders, pid);
}

bool session_is_elsewhere(int fd)
{
	struct ref ref;

	return ref_get(fd, &ref) && session_phase(fd) == SESSION_CONNECTING && is_in_other_hands(&ref);
}

static void finished(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;

	if (log_enabled(LOG_LEVEL_INFO)) {
		const char *name = engine_hs_server_name(ref->local->hs);
		const char *subject = engine_hs_peer_subject(ref->local->hs);
		char peer[80];
		format_peer(rec, peer);
		log_info("%s: peer %s%s%s%s: %s, %s%s%s%s%s%s", rec->rule, peer, *name ? " (" : "", name,
			 *name ? ")" : "", engine_version_name(rec->conn.version), engine_suite_name(rec->conn.suite),
			 rec->conn.group ? ", " : "", rec->conn.group ? engine_group_name(rec->conn.group) : "",
			 rec->conn.resumed ? ", resumed" : "", *subject ? ", certificate " : "", subject);
	}
	if (!keep_data(ref)) {
		log_error("%s: out of memory; closing the connection", rec->rule);
		fail(ref, ENOMEM);
		return;
	}
	if (rec->conn.recv_closed) {
		/* the peer's answer to a renegotiation was close_notify: its end, whenever TCP's comes */
		rec->recv_eof = 1;
		sys_shutdown(ref->fd, SHUT_RD);
	}
	if (rec->conn.may_renegotiate) {
		drop_engine(ref->local); /* name and configuration are for the next time */
	} else {
		handshake_drop(ref->local);
	}
	atomic_store(&rec->phase, PHASE_OPEN);
	pair_part(ref);
	early_send_locked(ref);
	if (rec->recv_shut) {
		sys_shutdown(ref->fd, SHUT_RD);
	}
}

/* Send what the engine has for the peer: 0, -EAGAIN, or what failed. */
static int send_pending(const struct ref *ref)
{
	const uint8_t *bytes;
	size_t len;

	while ((bytes = engine_hs_pending(ref->local->hs, &len)) && len > 0) {
		ssize_t n = sys_send(ref->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -EINTR) {
			continue;
		}
		if (n < 0) {
			/* The last two: TCP itself is still connecting. */
			return n == -EAGAIN || n == -ENOTCONN || n == -EINPROGRESS || n == -EALREADY ? -EAGAIN : (int)n;
		}
		start_clock(ref->local);
		engine_hs_sent(ref->local->hs, (size_t)n);
	}
	return 0;
}

/*
 * Give the engine what has arrived: 0 if something was, -EAGAIN, or what failed. Bytes are looked at first and taken
 * afterwards, because data behind the handshake must stay in the kernel.
 */
static int receive(const struct ref *ref)
{
	uint8_t *scratch = scratch_get();
	size_t used = 0, data_len;
	ssize_t n;

	if (!scratch) {
		return -ENOMEM;
	}
	do {
		n = sys_recv(ref->fd, scratch, PEEK_LEN, MSG_PEEK | MSG_DONTWAIT);
	} while (n == -EINTR);
	if (n > 0) {
		/* The engine keeps its own verdict: the caller asks for it. */
		enum engine_err err = engine_hs_recv(ref->local->hs, scratch, (size_t)n, &used);
		(void)err;
		if (used > 0 && engine_hs_is_done(ref->local->hs) && engine_hs_data(ref->local->hs, &data_len)) {
			ref->rec->recv_token = 1;
			used--;
		}
		while (used > 0) {
			ssize_t taken = sys_recv(ref->fd, NULL, used, MSG_TRUNC | MSG_DONTWAIT);
			if (taken <= 0 && taken != -EINTR) {
				break;
			}
			used -= taken > 0 ? (size_t)taken : 0;
		}
	}
	scratch_put(scratch, 0);
	if (n == 0) {
		return -EPIPE;
	}
	return n < 0 ? (int)n : 0;
}

enum session_phase handshake_step(const struct ref *ref, short *events)
{
	struct local *local = ref->local;
	int rc;

	switch (atomic_load(&ref->rec->phase)) {
	case PHASE_OPEN:
		return SESSION_OPEN;
	case PHASE_FAILED:
		return SESSION_FAILED;
	default:
		break;
	}
	*events = POLLIN;
	if (!local->hs && atomic_load(&ref->rec->phase) == PHASE_TCP && local->config) {
		char why[ENGINE_REASON_MAX];
		if (!begin(ref, why)) {
			return fail_engine(ref, ENGINE_ERR_CONFIG, why);
		}
	} else if (!local->hs || local->hs_steps != ref->rec->hs_steps) {
		if (is_in_other_hands(ref)) {
			*events = 0;
			return SESSION_CONNECTING;
		}
		return fail_engine(ref, ENGINE_ERR_INTERNAL, "the process that began the handshake is gone");
	}
	atomic_store(&ref->rec->hs_pid, sys_getpid());
	for (;;) {
		/* Before a renegotiation, what is left of a record. */
		rc = ref->rec->send_len > 0 ? send_flush_locked(ref) : 0;
		rc = rc == 0 ? send_pending(ref) : rc;
		if (rc == -EAGAIN) {
			*events = POLLOUT;
			break;
		}
		if (rc < 0) {
			return fail_kernel(ref, -rc, !engine_hs_is_fresh(local->hs));
		}
		if (engine_hs_error(local->hs) != ENGINE_OK) {
			return fail_engine(ref, engine_hs_error(local->hs), engine_hs_reason(local->hs));
		}
		if (engine_hs_is_done(local->hs)) {
			atomic_store(&local->hs_done, true);
			if (pair_must_wait(ref)) {
				*events = NOTHING;
				break;
			}
			finished(ref);
			return SESSION_OPEN;
		}
		rc = receive(ref);
		if (rc == -EAGAIN) {
			break;
		}
		if (rc == -EPIPE) {
			if (engine_hs_is_fresh(local->hs) && ref->rec->role == ENGINE_SERVER) {
				return fail_unused(ref);
			}
			return fail_engine(ref, ENGINE_ERR_NOT_TLS,
					   "the peer closed the connection during the handshake");
		}
		if (rc < 0) {
			return fail_kernel(ref, -rc, !engine_hs_is_fresh(local->hs));
		}
		local->hs_steps = ++ref->rec->hs_steps;
	}
	if (is_late(local)) {
		return fail_late(ref);
	}
	if (*events != POLLOUT && !atomic_load(&ref->rec->early) && !atomic_load(&local->must_entrust) &&
	    pair_may_begin_early(ref)) {
		atomic_store(&ref->rec->early, 1); /* TCP is up, and all is said that can be */
	}
	return SESSION_CONNECTING;
}

static enum session_phase progress(int fd, short *events, bool is_service)
{
	enum session_phase phase;
	int saved = errno;
	struct ref ref;

	if (!ref_get(fd, &ref)) {
		return SESSION_NONE;
	}
	phase = session_phase(fd);
	if (phase != SESSION_CONNECTING) {
		return phase;
	}
	if (is_service) {
		atomic_store(&ref.local->is_served, true);
	}
	*events = POLLIN;
	if (pair_step(&ref, &phase, events) != 0) {
		return ref_is_current(&ref) ? SESSION_CONNECTING : SESSION_NONE;
	}
	if (phase == SESSION_CONNECTING && *events != POLLOUT && pair_entrust(&ref)) {
		*events = 0;
	}
	if (phase == SESSION_CONNECTING && *events == 0) {
		if (atomic_load(&ref.rec->early)) {
			*events = NOTHING; /* session_deadline_ms() is soon */
		} else {
			sys_sleep_ms(FOREIGN_LOOK_MS);
			*events = POLLIN;
		}
	}
	errno = saved;
	return phase;
}

enum session_phase session_progress(int fd, short *events)
{
	return progress(fd, events, true);
}

bool session_is_unserved(int fd)
{
	struct ref ref;
	int32_t pid;

	if (session_phase(fd) != SESSION_CONNECTING || !ref_get(fd, &ref) || ref.rec->role != ENGINE_SERVER) {
		return false;
	}
	pid = atomic_load(&ref.rec->hs_pid);
	return !atomic_load(&ref.local->is_served) && (pid == 0 || pid == sys_getpid());
}

enum session_phase session_move_unserved(int fd, short *events)
{
	enum session_phase phase = progress(fd, events, false);

	if (phase != SESSION_CONNECTING) {
		ready_settled(fd);
	}
	return phase;
}

enum session_phase session_phase(int fd)
{
	struct ref ref;

	if (!ref_get(fd, &ref)) {
		return SESSION_NONE;
	}
	switch (atomic_load(&ref.rec->phase)) {
	case PHASE_OPEN:
		return SESSION_OPEN;
	case PHASE_FAILED:
		return SESSION_FAILED;
	default:
		return SESSION_CONNECTING;
	}
}

static void stop_waiting(void *local)
{
	atomic_fetch_sub(&((struct local *)local)->hs_waiters, 1);
}

/*
 * Another thread may take the bytes that this one waits for, and end the handshake with them: nothing would
 * wake this one then. So the wait is short; -ETIMEDOUT: look again. What SO_RCVTIMEO or SO_SNDTIMEO allow
 * runs from *started_ms.
 */
static int wait_for_peer(const struct ref *ref, short events, int timeout_option, int64_t *started_ms)
{
	bool is_shared = atomic_fetch_add(&ref->local->hs_waiters, 1) > 0 || atomic_load(&ref->local->pair) != 0;
	bool is_early = atomic_load(&ref->rec->early);
	int64_t until = sys_now_ms() + (is_shared	      ? LOOK_SHARED_MS :
					events == NOTHING ? FOREIGN_WAKE_MS :
							    LOOK_ALONE_MS);
	int64_t deadline = ref->local->hs_deadline_ms, early_at = atomic_load(&ref->local->early_at_ms);
	int rc;

	if (early_at && !is_early && early_at < until) {
		until = early_at;
	}
	if (deadline && deadline < until) {
		until = deadline;
	}
	pthread_cleanup_push(stop_waiting, ref->local);
	rc = wait_events(ref, events, timeout_option, started_ms, until);
	pthread_cleanup_pop(1);
	return rc;
}

/* until_early: or until a connect() that does not wait for it is complete. */
static int finish(const struct ref *ref, bool nonblocking, int timeout_option, bool until_early)
{
	int64_t started_ms = 0;

	atomic_store(&ref->local->is_served, true);
	for (;;) {
		enum session_phase phase;
		short events = POLLIN;
		int rc = pair_step(ref, &phase, &events);

		if (rc != 0) {
			return rc;
		}
		if (phase != SESSION_CONNECTING) {
			ready_settled(ref->fd);
		}
		if (phase == SESSION_OPEN) {
			return 0;
		}
		if (phase == SESSION_FAILED) {
			int error = atomic_load(&ref->rec->error);
			if (ref->rec->role == ENGINE_SERVER || atomic_load(&ref->rec->early)) {
				atomic_store(&ref->rec->so_error, 0); /* told hereby, as the kernel tells of a reset */
			}
			if (!error && ref->rec->recv_eof && timeout_option == SO_RCVTIMEO) {
				return 0; /* fail_unused(): who reads finds the end */
			}
			return error ? -error : -ECONNRESET;
		}
		if (events != POLLOUT && pair_entrust(ref)) {
			events = 0;
		}
		if (until_early && atomic_load(&ref->rec->early)) {
			return 0;
		}
		if (nonblocking || !fd_is_blocking(ref->fd)) {
			return -EAGAIN;
		}
		if (events == 0 && !atomic_load(&ref->rec->early)) {
			sys_sleep_ms(FOREIGN_LOOK_MS);
			continue;
		}
		events = events ? events : NOTHING;
		rc = wait_for_peer(ref, events, timeout_option, &started_ms);
		if (rc == -ETIMEDOUT) {
			/* The next step finds out whether it is late. */
			continue;
		}
		if (rc != 0) {
			return rc;
		}
	}
}

int handshake_finish(const struct ref *ref, bool nonblocking, int timeout_option)
{
	return finish(ref, nonblocking, timeout_option, false);
}

/* ---- connect() ---- */

static int connect_result(const struct ref *ref, int rc)
{
	if (rc == 0) {
		ref->rec->connect_reported = 1;
		return 0;
	}
	if (rc == -EAGAIN) {
		/* Non-blocking, or SO_SNDTIMEO has passed: both are EINPROGRESS for connect(2). */
		rc = -EINPROGRESS;
	}
	if (atomic_load(&ref->rec->phase) == PHASE_FAILED) {
		/* The program has been told: SO_ERROR does not tell it again. */
		atomic_store(&ref->rec->so_error, 0);
	}
	errno = -rc;
	return -1;
}

int session_connect(int fd, int result, int err)
{
	struct ref ref;

	if (!ref_get(fd, &ref)) {
		errno = EBADF;
		return -1;
	}
	if (result != 0 && err != EINPROGRESS && err != EINTR) {
		session_forget(fd);
		errno = err;
		return -1;
	}
	pair_connected(&ref);
	if (result != 0) {
		/* TCP goes on by itself; the handshake begins with the first look at the socket. */
		errno = err;
		return -1;
	}
	return connect_result(&ref, finish(&ref, false, SO_SNDTIMEO, true));
}

int session_connect_again(int fd)
{
	struct ref ref;
	int rc;

	if (!ref_get(fd, &ref)) {
		errno = EBADF;
		return -1;
	}
	if (ref.rec->role == ENGINE_SERVER) {
		errno = EISCONN;
		return -1;
	}
	if (ref.rec->connect_told) {
		/* What connect() says of an attempt that SO_ERROR has told of; the next one begins anew. */
		session_dissolve(fd);
		errno = ECONNABORTED;
		return -1;
	}
	rc = finish(&ref, false, SO_SNDTIMEO, true);
	if (rc == -EAGAIN) {
		errno = EALREADY;
		return -1;
	}
	if (rc == 0 && ref.rec->connect_reported) {
		errno = EISCONN;
		return -1;
	}
	return connect_result(&ref, rc);
}

int64_t session_deadline_ms(int fd)
{
	int64_t early_at;
	struct ref ref;

	if (!ref_get(fd, &ref)) {
		return 0;
	}
	if (session_phase(fd) != SESSION_CONNECTING) {
		return sys_now_ms(); /* another process has just finished, and what the caller would wait for is past */
	}
	/* Nothing wakes this process when another one has finished: the client may have no more to say. */
	if (is_in_other_hands(&ref) || atomic_load(&ref.local->pair) != 0) {
		return sys_now_ms() + FOREIGN_WAKE_MS;
	}
	early_at = atomic_load(&ref.rec->early) ? 0 : atomic_load(&ref.local->early_at_ms);
	return early_at ? early_at : ref.local->hs_deadline_ms;
}

bool session_is_early(int fd)
{
	struct ref ref;

	return ref_get(fd, &ref) && atomic_load(&ref.rec->early) && atomic_load(&ref.rec->phase) < PHASE_OPEN;
}

bool session_is_writable_early(int fd)
{
	struct ref ref;

	return session_is_early(fd) && ref_get(fd, &ref) && (ref.rec->send_shut || early_has_room(ref.rec));
}

int session_take_error(int fd)
{
	struct ref ref;

	int error;

	if (!ref_get(fd, &ref)) {
		return 0;
	}
	error = atomic_exchange(&ref.rec->so_error, 0);
	ref.rec->connect_told |= error != 0;
	return error ? error : recv_error_taken(ref.rec);
}

bool session_error_pending(int fd)
{
	struct ref ref;

	return ref_get(fd, &ref) && (ref.rec->connect_told || atomic_load(&ref.rec->so_error) != 0);
}

void session_dissolve(int fd)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	session_forget(fd);
	sys_call(SYS_connect, fd, &none, sizeof(none));
}
