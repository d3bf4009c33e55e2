/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a connection: close_notify goes out behind all that was written, and what was written arrives.
 *
 * Implementation notes: the kernel lets close(2) return at once and goes on by itself. So does this: what is
 * not done within moments is handed to a helper process (linger.h). Two things may be left then. The kernel's
 * buffer has no room for sealed bytes, the close_notify among them. Or a client of TLS 1.3 has read nothing:
 * the server's session tickets are still on their way, and when they arrive at a closed socket, the kernel
 * resets the connection and throws away what it has not delivered. That they have not come yet though all
 * is acknowledged tells of a slow server or of something in between, which a reset would make throw away
 * what it has not passed on. After the first data from the server no tickets are expected. SO_LINGER is a
 * call to wait, and counts as such.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include "helper.h"
#include "linger.h"
#include "log.h"
#include "real.h"
#include "session_priv.h"
#include "sys.h"

/* What is done so soon on a local network need not be handed on. Never on a non-blocking socket. */
#define AT_ONCE_MS 20
/* Where there is no helper: on a blocking socket, for room on another, for delivery there. */
#define ALONE_BLOCKING_MS 5000
#define ALONE_ROOM_MS	  50
/* Where the alternative is to lose what the program has sent, a stall is the smaller harm. */
#define ALONE_DELIVERY_MS 500
#define NAP_MAX_MS	  16

bool session_wants_reset(int fd)
{
	struct linger linger = { 0, 0 };
	socklen_t len = sizeof(linger);

	return sys_getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_onoff &&
	       linger.l_linger == 0;
}

/* SO_LINGER in ms, 0 if it is off. */
static int64_t linger_ms(int fd)
{
	struct linger linger = { 0, 0 };
	socklen_t len = sizeof(linger);

	return sys_getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_onoff ?
		       (int64_t)linger.l_linger * 1000 :
		       0;
}

/* Put close_notify behind what waits, and send what the kernel takes. */
static void say_goodbye(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;

	send_flush_locked(ref);
	if (!rec->send_shut && !rec->conn.send_closed) {
		send_alert_locked(ref, ENGINE_ALERT_CLOSE_NOTIFY);
	}
}

static bool is_unsent(const struct ref *ref)
{
	return ref->rec->send_len > 0;
}

/* Might the peer's tickets destroy what is on its way? heard: something has come since the handshake. */
static bool is_undelivered(const struct ref *ref, bool heard)
{
	const struct conn_record *rec = ref->rec;
	int unacked = 0, state;

	if (rec->role != ENGINE_CLIENT || rec->recv_any || rec->recv_eof || rec->conn.version != ENGINE_TLS13) {
		return false;
	}
	state = tcp_state(ref->fd);
	if (state == TCP_FIN_WAIT2) {
		return !heard;
	}
	return (state == TCP_ESTABLISHED || state == TCP_FIN_WAIT1) &&
	       (!heard || (sys_call(SYS_ioctl, ref->fd, TIOCOUTQ, &unacked) == 0 && unacked > 0));
}

/* Wait until all is done, ms at most: true if it is, or never will be. */
static bool await_end(const struct ref *ref, int64_t ms, bool heard)
{
	const int64_t end = sys_now_ms() + ms;
	int64_t nap = 1;

	for (;;) {
		int64_t left = end - sys_now_ms();
		struct pollfd pfd = { .fd = ref->fd, .events = POLLOUT };
		struct timespec wait;
		if (!is_unsent(ref) && !is_undelivered(ref, heard)) {
			return true;
		}
		if (left <= 0) {
			return false;
		}
		wait = sys_timespec(nap < left ? nap : left);
		if (is_unsent(ref)) {
			sys_ppoll(&pfd, 1, &wait);
			send_flush_locked(ref);
		} else {
			/* With the end at hand the peer may end too, which needs no acknowledgement of its own. */
			if (nap == 1) {
				sys_shutdown(ref->fd, SHUT_WR);
			}
			sys_call(SYS_nanosleep, &wait, NULL, 0);
		}
		if (pfd.revents & (POLLERR | POLLHUP)) {
			return true;
		}
		heard |= recv_drain_locked(ref);
		nap = nap < NAP_MAX_MS ? nap * 2 : nap;
	}
}

static bool hand_on(const struct ref *ref)
{
	const struct conn_record *rec = ref->rec;
	const uint8_t *bytes = rec->send_len > 0 ? arena_buffer(rec->send_buffer) + rec->send_start : NULL;

	return linger_hand_on(ref->fd, rec->rule, bytes, rec->send_len);
}

/* How long close() takes its time for what is better done by a helper. */
static int64_t patience_ms(const struct ref *ref, int64_t linger, int64_t *exit_ms)
{
	int64_t before = *exit_ms;

	if (before >= 0) {
		*exit_ms = 0; /* nobody lingers at exit; and all connections together get this much */
		return before;
	}
	return linger > 0 ? linger : fd_is_blocking(ref->fd) ? AT_ONCE_MS : 0;
}

/* No helper: as long as may be. */
static void end_alone(const struct ref *ref, int64_t linger)
{
	const struct linger off = { 0, 0 };
	int64_t ms = fd_is_blocking(ref->fd) ? ALONE_BLOCKING_MS :
		     is_unsent(ref)	     ? ALONE_ROOM_MS :
					       ALONE_DELIVERY_MS;

	if (linger > 0) {
		/* That time has passed already, and close(2) would begin anew. */
		sys_setsockopt(ref->fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
		return;
	}
	if (!await_end(ref, ms, true) && is_unsent(ref)) {
		log_info("%s: the peer takes no data; closing without close_notify", ref->rec->rule);
	}
}

void session_end_locked(const struct ref *ref, int64_t *exit_ms)
{
	int64_t linger;
	bool heard;

	if (session_wants_reset(ref->fd)) {
		return;
	}
	if (atomic_load(&ref->rec->phase) == PHASE_OPEN) {
		say_goodbye(ref);
		heard = recv_drain_locked(ref) || ref->rec->last_record_len > 0;
		linger = linger_ms(ref->fd);
		if ((is_unsent(ref) || is_undelivered(ref, heard)) &&
		    !await_end(ref, patience_ms(ref, linger, exit_ms), heard) && !hand_on(ref)) {
			end_alone(ref, linger);
		}
	}
	recv_drain_locked(ref);
}
