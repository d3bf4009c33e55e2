/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arena: connection records in one memfd, mapped shared, so that they outlive fork and exec.
 *
 * Layout (version ARENA_VERSION): header | n_slots records of 1 KiB | n_buffers buffers of ARENA_BUFFER_LEN | the session store. The
 * file is sparse: what is not used costs no memory. Everything in it is plain old data; references are slot and buffer numbers. Allocation
 * is lock-free, so that a process that is killed cannot leave it locked.
 */
#ifndef SHIM_ARENA_H
#define SHIM_ARENA_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../engine/engine.h"
#include "holders.h"

#define ARENA_MAGIC 0x746c7368696d3031ull
#define ARENA_VERSION 4
#define ARENA_RECORD_LEN 1024
#define ARENA_BUFFER_LEN 36864
#define ARENA_NO_BUFFER 0
#define ARENA_RULE_MAX 120
#define ARENA_EARLY_BUFFERS 7

enum record_phase { PHASE_FREE, PHASE_TCP, PHASE_HANDSHAKE, PHASE_OPEN, PHASE_FAILED };
enum recv_buffer_kind { RECV_EMPTY, RECV_CIPHER, RECV_PLAIN };

/*
 * One connection. Under recv_lock: recv_*, conn.recv. Under send_lock: send_*, conn.send. Both (recv first) while
 * the phase is below PHASE_OPEN.
 */
struct conn_record {
	_Atomic uint32_t gen;	/* counts the lives of this slot */
	uint32_t slot;		/* its own number */
	uint32_t next_free;	/* slot + 1 */
	_Atomic uint64_t cookie; /* SO_COOKIE of the socket */
	_Atomic uint8_t phase;	/* enum record_phase */
	uint8_t role;		/* enum engine_role */
	uint8_t truncation_is_error;
	uint8_t connect_reported; /* a connect() call has returned 0 */
	_Atomic uint8_t is_family; /* a client whose server is this process, or one of its family */
	_Atomic uint8_t early;	/* a client that counts as connected before the handshake's end */
	_Atomic int32_t error;	/* errno of a failed connection, sticks */
	_Atomic int32_t so_error; /* for SO_ERROR: taken once */
	_Atomic uint32_t hs_steps;	/* counts handshake progress, to tell a stale copy after fork */
	_Atomic int32_t hs_pid;	/* who made the last step */
	_Atomic uint32_t forks_pending; /* children on their way: they hold the connection but have no pid yet */
	struct holders holders;	/* the processes that have the socket */
	_Atomic int32_t relay, relay_program; /* pids: the last relay, and whom it serves (session_relay.c) */

	pthread_mutex_t recv_lock;
	uint32_t recv_buffer;	/* buffer number */
	uint32_t recv_start, recv_len;
	uint32_t last_record_len; /* of the last record taken: guides how to read the next */
	uint8_t recv_kind;	/* enum recv_buffer_kind */
	uint8_t recv_token;	/* one byte of a record that is decrypted already is still in the kernel */
	uint8_t recv_eof;	/* the peer's end has been seen */
	uint8_t recv_shut;	/* the program called shutdown(SHUT_RD) */
	uint8_t recv_any;	/* application data has come */
	uint32_t recv_lowat;	/* what the program set as SO_RCVLOWAT; 0: nothing */
	uint8_t recv_once;	/* error is the kernel's, which tells it once */
	uint8_t connect_told;	/* the program has asked for so_error, and has not called connect() since */

	pthread_mutex_t send_lock;
	uint32_t send_buffer;
	uint32_t send_start, send_len;	  /* sealed bytes that the kernel has not taken */
	uint32_t resume_start, resume_len; /* their plaintext, as far as the program has not been told that it was sent */
	uint32_t early_len;	/* plaintext taken before the handshake's end; how much of it is sealed */
	uint32_t early_sealed;
	uint32_t early_buffers[ARENA_EARLY_BUFFERS]; /* where it goes on behind the send buffer */
	uint8_t early_end;	/* close_notify is to follow it */
	uint8_t send_promised;	/* the program believes the sealed bytes sent: flush without being asked */
	uint8_t send_shut;	/* the program called shutdown(SHUT_WR), or the connection failed */
	uint8_t send_shut_due;	/* TCP SHUT_WR is to follow the pending bytes */

	struct sockaddr_in6 peer; /* or sockaddr_in */
	char rule[ARENA_RULE_MAX]; /* for logs */
	struct engine_conn conn;
};
_Static_assert(sizeof(struct conn_record) <= ARENA_RECORD_LEN, "a connection record outgrew its slot");

/* How many bytes a new arena keeps for the session store (session_store.c). Before arena_open(). */
void arena_set_store_len(size_t len);
/* The store's room, zeros at first, opening the arena if need be; NULL if there is none. And its length. */
void *arena_store(void);
size_t arena_store_len(void);

/* Map the arena, creating or inheriting it; false if there is none to be had. Idempotent. */
bool arena_open(void);
/* True if it is mapped. */
bool arena_is_open(void);
/* Was it mapped before this process was forked? Then its parent has it, too. */
bool arena_is_parents(void);
/* Take over the arena that the value of TLSHIM_ARENA names; false if it is not (any more) there. */
bool arena_inherit(const char *value);
/* Does that process have it mapped, too? As far as /proc tells. */
bool arena_is_mapped_by(pid_t pid);
/* Value for TLSHIM_ARENA of a program to be started, which also says if there is no arena. Static storage. */
const char *arena_env(void);
/* Make the memfd survive exec (or not). */
void arena_set_inheritable(bool on);
/* Move a descriptor of the shim's to the upper end of what this process may use, close-on-exec; -1 on failure (fd stays open then). */
int arena_high_fd(int fd);
/* The memfd, -1 if none: close-everything loops and dup2() must not hit it; arena_move_fd() moves it away. */
int arena_fd(void);
void arena_move_fd(void);

/* A cleared record, or NULL if none is left. gen is kept. */
struct conn_record *arena_alloc(void);
/* Give a record back if its generation still is gen (exactly one caller wins). Keys must have been wiped. */
void arena_free(struct conn_record *rec, uint32_t gen);
/* NULL if its part of the arena cannot be mapped into this process; never for a connection that it has used. */
struct conn_record *arena_record(uint32_t slot);
uint32_t arena_slot(const struct conn_record *rec);
/* Slots 0..n-1 have been in use at some time. */
uint32_t arena_n_slots(void);

/* A buffer of ARENA_BUFFER_LEN bytes: its number, ARENA_NO_BUFFER if none is left. */
uint32_t arena_buffer_alloc(void);
uint8_t *arena_buffer(uint32_t number);
/* Wipes the first used bytes; gives the memory back to the system. */
void arena_buffer_free(uint32_t number, size_t used);

#endif
