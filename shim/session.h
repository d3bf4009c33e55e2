/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One wrapped socket: its engine, its kernel socket, and what the program sees of both.
 *
 * All functions take the descriptor that the program used; they find the session through the fd table and cope with
 * a descriptor that has been closed or reused meanwhile. Those with results like a system call return -1 with errno;
 * none changes errno on success. None holds a lock while it blocks.
 */
#ifndef SHIM_SESSION_H
#define SHIM_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "../policy/policy.h"
#include "fdtab.h"

/* ---- life cycle ---- */

/*
 * Put fd, a TCP socket of this process, under TLS. verdict: as policy_match() gave it (action POLICY_TLS);
 * config: of its rule. For a client name is the name to verify and send, or NULL. False with errno (ENOMEM,
 * ENFILE) if no record is to be had.
 */
must_check bool session_attach(int fd, enum engine_role role, const struct policy_rule *rule,
			       struct engine_config *config, const char *name, const struct sockaddr *peer,
			       socklen_t peer_len);
/*
 * close(fd) of a wrapped descriptor: with the last descriptor of the last process it sends close_notify first.
 * Returns what close(2) does.
 */
int session_close(int fd);
/* The descriptor is gone from this process by a way that closed it already (dup2 onto it, fclose, close_range). */
void session_forget(int fd);
/*
 * Before a call that will close fd silently (dup2 onto it, close_range, closefrom): release as
 * session_close(), but leave fd open.
 */
void session_release(int fd);
/* newfd now shares oldfd's socket: dup, F_DUPFD, dup2 (after session_release(newfd) where that was wrapped). */
void session_dup(int oldfd, int newfd);

/*
 * At the start of a program image: if fd is a connection that the arena knows, take it over. config_for:
 * called when its handshake has not begun yet, to find the configuration for it (NULL: it fails).
 */
void session_adopt(int fd, struct engine_config *(*config_for)(int fd, struct policy_verdict *verdict));

/*
 * This process keeps fd open, but does not hold its connection any more (lent), which others do or will; or
 * it does again. session_disown(): fd, which is lent, is about to be closed.
 */
void session_lend(int fd, bool lent);
void session_disown(int fd);
/*
 * A copy of wrapped fd is on its way to another process (begin), or has arrived or been given up: somebody
 * holds it meanwhile.
 */
void session_pass(int fd, bool begin);
/*
 * Before that: a handshake that this process has begun, or is to begin as a client, cannot be taken over by who gets
 * the connection. A helper goes on with it; where there can be none, this waits for its end, 5 s at most.
 */
void session_part(int fd);

/* ---- connecting ---- */

/*
 * Go on with connect() after the real connect(2) gave result and err (its errno). Blocking descriptors get the whole
 * handshake. Returns what connect(2) returns: 0, or -1 with EINPROGRESS, EINTR, EKEYREJECTED, EPROTO, ETIMEDOUT, …
 */
int session_connect(int fd, int result, int err);
/* fd, a server's, has been accepted: its client may be of this very process. */
void session_accepted(int fd);
/* connect() once more on a wrapped client: 0 once, EALREADY, EISCONN, or the failure. */
int session_connect_again(int fd);
/* Take the pending error as getsockopt(SO_ERROR) does; 0 if none. */
int session_take_error(int fd);
/* Is there one? */
bool session_error_pending(int fd);
/* Undo session_attach() of a socket that is to be connected anew: kernel and session forget the connection. */
void session_dissolve(int fd);

/* ---- data ---- */

/* As recvmsg and sendmsg on a connected stream with these flags; sizes are those of plaintext. */
ssize_t session_recv(int fd, const struct iovec *iov, int n_iov, int flags);
ssize_t session_send(int fd, const struct iovec *iov, int n_iov, int flags);
/* SO_RCVLOWAT of the program, after it has been changed if set is not 0: how much a blocking read waits for. */
uint32_t session_lowat(int fd, uint32_t set);
/* shutdown(2). */
int session_shutdown(int fd, int how);
/* Plaintext bytes that can be read without waiting, for FIONREAD. */
size_t session_readable_bytes(int fd);

/* ---- readiness: none of these blocks ---- */

enum session_phase {
	SESSION_NONE,	    /* not wrapped (any more) */
	SESSION_CONNECTING, /* TCP or TLS handshake is going on: translate interest and events */
	SESSION_OPEN,	    /* kernel readiness counts */
	SESSION_FAILED,	    /* handshake failed: report POLLERR | POLLHUP with what was asked for; the socket has been shut down */
};
enum session_phase session_phase(int fd);
/*
 * While it is CONNECTING: does it count as connected for the program, so that it may write; and would a write be kept
 * now (session_pair.c)?
 */
bool session_is_early(int fd);
bool session_is_writable_early(int fd);

/*
 * Move the handshake on as far as it goes without blocking. After it, *events holds what to wait for in the
 * kernel (POLLIN, POLLOUT or both) while the phase that is returned is SESSION_CONNECTING.
 */
enum session_phase session_progress(int fd, short *events);
/*
 * fd has been accepted, and its handshake is not done: has the program left it alone up to now? Then the second moves
 * it on as session_progress() does, which counts as service (unserved.h).
 */
bool session_is_unserved(int fd);
enum session_phase session_move_unserved(int fd, short *events);

/* Is another process at the handshake? This one can but wait until it is done. */
bool session_is_elsewhere(int fd);

/*
 * When to call session_progress() on a connecting session even if the kernel says nothing (CLOCK_MONOTONIC
 * in ms), 0 for never: when the handshake is given up, which makes the phase SESSION_FAILED; soon, if
 * another process is at it.
 */
int64_t session_deadline_ms(int fd);

/*
 * Would read() return now (data, end of file, error)? Takes a whole record out of the kernel if there is one, leaving
 * the readiness token behind. For phases OPEN and FAILED. When it returns false, the kernel holds nothing more of this
 * connection at this moment, so waiting for POLLIN is right.
 */
bool session_recv_ready(int fd);
/*
 * Bytes that the program believes sent wait for the kernel (early data of a server, close_notify before a
 * FIN, KeyUpdate): wait for POLLOUT too and call session_flush() when it comes.
 */
bool session_flush_due(int fd);
void session_flush(int fd);
/*
 * May the kernel's POLLIN be not good enough for an epoll set? Not on a blocking descriptor, where a read that
 * brings nothing hangs; nor on a client's, where tickets come before the first data.
 */
bool session_wakes_in_vain(int fd);
/*
 * With POLLIN at hand: has it come for nothing that can be read? Programs exist that take EAGAIN after POLLIN for
 * the connection's end. Opens no record of a non-blocking descriptor that has come whole and is small.
 */
bool session_brings_nothing(int fd);
/* Has the end of the peer's data been seen, by close_notify say? */
bool session_has_ended(int fd);
bool session_is_client(int fd); /* no system call */
/* The identity of the session behind fd (never 0 while wrapped): to tell whether fd still is the same connection. */
uint64_t session_id(int fd);

/*
 * Is fd a wrapped socket, even if it came to this process by a way that the fd table has not seen (a vfork
 * child's dup2)?
 */
bool session_is_known(int fd);

/*
 * fd, whose entry is FDTAB_ASKED, was not connected when its socket came to be shared. Has another process or descriptor
 * connected it since? Enters the connection, or what the entry was.
 */
bool session_find_shared(int fd);

/* ---- processes ---- */

void session_fork_prepare(void);       /* before fork: the child will hold everything too */
void session_fork_parent(bool failed); /* after it, in the parent; failed: there is no child */
void session_fork_child(void);
/*
 * In a process that the shim has made for itself by a bare fork: it uses the connections behind
 * fds[0..n-1], and no others that the process which it is a copy of knew. That one makes it a holder by
 * session_hand_on().
 */
void session_keep_only(const int fds[], size_t n);
/*
 * Before exec: the new image takes over what it inherits, so the arena becomes inheritable, and handshakes
 * that only this image can finish are finished. After a failed exec: undo.
 */
void session_exec_prepare(void);
void session_exec_failed(void);
/*
 * Process pid, a vfork child or one that was spawned, has inherited fd, whose connection must not end
 * before it adopts it.
 */
void session_hand_on(int fd, pid_t pid);
/* It will not use it after all. */
void session_take_back(int fd, pid_t pid);
/* Does another living process hold fd's connection? */
bool session_is_shared(int fd);
/* For logs: the rule of fd's connection and its peer; of a vfork child's descriptors too. */
void session_describe(int fd, char *out, size_t room);
/* That relay takes fd's connection over for that program. */
void session_relay_begins(int fd, pid_t relay, pid_t program);
/* This process, a relay, has seen its program's end; it has sent all, or will never run. */
void session_relay_finishing(int fd);
void session_relay_ends(int fd, pid_t relay);
/*
 * Wait until what a program that is gone has written has been relayed: what is written next comes behind
 * it. Bounded.
 */
void session_relay_await(int fd, bool blocking);
/*
 * Before exec of an image that will not know the shim: this process gives up what it holds. After a failed
 * exec: false.
 */
void session_exec_leave(bool leaves);
/* In the new image, after all session_adopt() calls: let go of what this process held before and did not get. */
void session_exec_arrived(void);
/* At exit: release all that this process holds. Async-signal-safe. */
void session_exit(void);

#endif
