/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the session_*.c files share; nobody else includes it.
 *
 * Locks: recv_lock before send_lock; the handshake holds both. A lock is held over non-blocking system calls only
 * (sys.h, so that no cancellation point lies inside), and after taking one the descriptor is checked again:
 * close() takes both locks before it gives the number back.
 */
#ifndef SHIM_SESSION_PRIV_H
#define SHIM_SESSION_PRIV_H

#include "arena.h"
#include "fdtab.h"
#include "session.h"

/* What this process knows of a connection besides the record. */
struct local {
	_Atomic uint32_t gen;	/* of the record it belongs to */
	_Atomic uint32_t n_fds; /* descriptors of this process that refer to it */
	struct engine_hs *hs;	/* handshake in flight, under both locks */
	uint32_t hs_steps;	/* record's hs_steps when hs was touched last */
	_Atomic int64_t hs_deadline_ms; /* 0: none; who waits looks without a lock */
	_Atomic int hs_waiters; /* threads of this process that wait for the handshake in a blocking call */
	_Atomic bool is_served;	/* the program has begun with it, or waits for it */
	_Atomic bool hs_done;	/* this end's part is done, if the other end is this process's, too */
	_Atomic bool has_no_clock; /* the handshake may last */
	_Atomic bool must_entrust; /* before connect() returns early, another process has to take the handshake over */
	_Atomic int64_t early_at_ms; /* when connect() need wait for the handshake no more; 0: at no time */
	_Atomic uint64_t pair;	/* fdtab_entry of the other end, if this process has both; 0: it has not */
	_Atomic int pair_fd;	/* a descriptor of that, if it still is one */
	struct engine_config *config;
	char *name;		/* to verify and send; from heap_alloc */
	int handshake_timeout_ms;
};

/* A descriptor's session, looked up once per call. */
struct ref {
	int fd;
	fdtab_entry entry;
	uint32_t slot, gen;
	struct conn_record *rec;
	struct local *local;
};

/* The slot's struct local. NULL if this process has never held that slot, or one near it. */
struct local *local_find(uint32_t slot);
/* The same, made if need be; NULL if there is no memory. */
struct local *local_make(uint32_t slot);

/* False if fd is not wrapped. */
bool ref_get(int fd, struct ref *ref);
/* True if fd still is what ref says. */
bool ref_is_current(const struct ref *ref);

/*
 * Take locks; 0, or -errno: -EBADF when the session is gone, -EAGAIN when this very thread holds the lock
 * (signal handler).
 */
int lock_recv(const struct ref *ref);
int lock_send(const struct ref *ref);
int lock_both(const struct ref *ref);
/* Take both if nobody has them. */
bool trylock_both(const struct ref *ref);
void unlock_recv(const struct ref *ref);
void unlock_send(const struct ref *ref);
void unlock_both(const struct ref *ref);

/* The record behind fd, in a vfork child's table too; NULL if it has none. */
struct conn_record *session_record(int fd);

/* SO_LINGER with a zero timeout: the program wants a reset. */
bool session_wants_reset(int fd);
/*
 * The connection's last descriptor is about to be closed, under both locks: close_notify goes out, and what
 * takes longer than a moment is handed to a helper. *exit_ms: below 0, or the process exits, and this is how
 * long it may still wait; what is used up is taken off.
 */
void session_end_locked(const struct ref *ref, int64_t *exit_ms);
/*
 * Before the last descriptor of a connection is closed, without locks: if a server has written what waits
 * for the handshake, or even if it has written nothing, another process takes it over (session_leave.c).
 */
void session_leave_behind(const struct ref *ref, bool even_empty);
/*
 * Leave a handshake to a process of the shim's own, which does nothing else, while this one goes on using the
 * connection. Under both locks. False if that cannot be.
 */
bool session_entrust_locked(const struct ref *ref);
bool fd_is_blocking(int fd);
/* TCP_ESTABLISHED, TCP_CLOSE, … of netinet/tcp.h; 0 if the kernel does not tell. */
int tcp_state(int fd);
/* The peer's address for logs. */
void format_peer(const struct conn_record *rec, char out[static 80]);

/*
 * Wait without locks until events are there: 0, or -EINTR, -EAGAIN (SO_RCVTIMEO or SO_SNDTIMEO passed,
 * which: timeout_option), -ETIMEDOUT (deadline_ms passed; 0: none), -EBADF (closed meanwhile). *started_ms:
 * 0 before the first wait of a call; what the option allows runs from there through all of them. A
 * cancellation point.
 */
int wait_events(const struct ref *ref, short events, int timeout_option, int64_t *started_ms, int64_t deadline_ms);
/* The same for a call that has moved bytes already: every handler that runs ends it, SA_RESTART or not. */
int wait_events_partial(const struct ref *ref, short events, int timeout_option, int64_t *started_ms);
/*
 * Wait until there is something to read, as recv(2) itself waits: SO_RCVTIMEO, EINTR, SA_RESTART. *started_ms:
 * as for wait_events(). 0 or -errno.
 */
int wait_readable(const struct ref *ref, int64_t *started_ms);
/* Wait until the kernel has n_bytes, or will not have them: 0, -EAGAIN, or what recv(2) says. */
int wait_peekable(const struct ref *ref, size_t n_bytes);

/* ---- handshake (session_handshake.c) ---- */
/* Bring the handshake to its end for a data call: 0, -EAGAIN (would block), or what failed. */
int handshake_finish(const struct ref *ref, bool nonblocking, int timeout_option);
/* One step under both locks. *events is 0 if another process does the handshake: look again soon. */
enum session_phase handshake_step(const struct ref *ref, short *events);
/*
 * Begin to renegotiate, under both locks: with what the peer sent, or NULL with 0 by ourselves. The phase goes back to
 * PHASE_HANDSHAKE. 0, or -errno: the connection has to be given up.
 */
int handshake_renew(const struct ref *ref, const uint8_t *data, size_t len);
/* pid, a copy of this process, goes on with the handshake. Under both locks. */
void handshake_hand_over(const struct ref *ref, int pid);
/* Drop the process-local part: engine_hs, config, name. */
void handshake_drop(struct local *local);

/* ---- both ends in one process (session_pair.c) ---- */
/* The client ref has been connected, or will be by the kernel: is it to this very process, or its family? */
void pair_connected(const struct ref *ref);
/* connect() may return before the handshake's end. */
bool pair_may_begin_early(const struct ref *ref);
/*
 * handshake_step(), and the other end's too as long as either moves on, if this process has it. Without locks. 0, or
 * what lock_both() gave.
 */
int pair_step(const struct ref *ref, enum session_phase *phase, short *events);
/*
 * Another process has to accept what this one connects to: from now on one of the shim's own is at the handshake, if
 * it is time for that. True if it has just been started, so that the connection counts as connected.
 */
bool pair_entrust(const struct ref *ref);
/* A client has written what has to be kept: whoever goes on with its handshake, it is not to wait for the program. */
void pair_wrote_early(const struct ref *ref);
/* This image will not go on with the handshake of a connection that counts as connected: another process is to. */
void pair_leave(const struct ref *ref);
/* This end is done: must it wait for the other, in this process? */
bool pair_must_wait(const struct ref *ref);
/* The other end, if this process has it. */
bool pair_find(const struct ref *ref, struct ref *other);
void pair_part(const struct ref *ref);

/* ---- send direction (session_send.c), under send_lock ---- */
/* Where the send buffer holds plaintext; before it are sealed bytes. */
#define SEND_PLAIN_AT 20480u
/* The send buffer, made if need be; NULL if there is none to be had. */
uint8_t *send_buffer_locked(struct conn_record *rec);
/* Push sealed bytes to the kernel, no more; the buffer stays. 0, -EAGAIN, or what failed. */
int send_push_locked(const struct ref *ref);
/* Push pending sealed bytes to the kernel, and early data: 0 when none are left, -EAGAIN, or what failed. */
int send_flush_locked(const struct ref *ref);
/* Take bytes (sealed, promised) for sending; they are flushed as far as possible. False if there is no room. */
bool send_queue_locked(const struct ref *ref, const uint8_t *bytes, size_t len);
/* Seal and send an alert; nothing if the direction is closed. */
void send_alert_locked(const struct ref *ref, uint8_t alert);
/* Give pending buffers back. */
void send_drop_locked(const struct ref *ref);

/* ---- before the handshake's end (session_early.c), under send_lock; early_take_locked() under both ---- */
/* Is there room for early data? */
bool early_has_room(const struct conn_record *rec);
/* Keep what the program writes: the bytes taken, or -EAGAIN. */
struct cursor;
ssize_t early_take_locked(const struct ref *ref, struct cursor *cur);
/* The handshake is done: send what was kept, and the end if the program has said it. */
void early_send_locked(const struct ref *ref);
/* Go on with that: 0 when all is with the kernel, -EAGAIN, or what failed. */
int early_flush_locked(const struct ref *ref);
/* Wipe it, and give its buffers back but for the send buffer. */
void early_drop_locked(const struct ref *ref);

/* ---- receive direction (session_recv.c), under recv_lock ---- */
void recv_drop_locked(const struct ref *ref);
/* Keep plaintext for the program; false if there is no room. */
bool recv_keep_plain_locked(const struct ref *ref, const uint8_t *data, size_t len);
/* The kernel's error that a look at the socket found, for the first call that asks; 0 if there is none. */
int recv_error_taken(struct conn_record *rec);
/* recv(2), without waiting and past the hooks: how many bytes, or -errno. */
ssize_t recv_kernel(int fd, uint8_t *buf, size_t len, int flags);
/*
 * Take one record by the peeking way (session_recv.c) into the connection's buffer, under recv_lock. 1: go on,
 * 0: the end of the data, or -errno; -EAGAIN when the kernel has no more.
 */
int recv_take_peek(const struct ref *ref);
/* Has the peer ended TCP? */
bool recv_peer_has_ended(int fd);
/* Read and throw away what the peer has sent, so that close() does not turn into a reset. True if there was something. */
bool recv_drain_locked(const struct ref *ref);

/*
 * The connection is over: remember error (errno for the program), tell SO_ERROR too if the program is still
 * connecting.
 */
void session_fail(const struct ref *ref, int error);

#endif
