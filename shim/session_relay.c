/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who relays a connection for a program without the shim, so that others write behind what that program has
 * written.
 *
 * Implementation notes: a program has written as soon as its bytes are in the socketpair, and whoever has
 * waited for its end may go on. The relay may not have been at them by then. So the record knows the last
 * relay: while its program is gone and it is not done, it is waited for. A process that the program left
 * behind with the descriptor keeps the relay, too; that is not waited for.
 */
#include <errno.h>

#include "session_priv.h"
#include "sys.h"

/* In relay_program: the relay has seen the end, and is about to send the rest. */
#define FINISHING           (-1)
/* A relay that has not seen its program's end so long after that: somebody else has the descriptor. */
#define NOTICE_MS           200
/* What a peer that takes nothing may cost, on a blocking socket and on others. */
#define WAIT_BLOCKING_MS    30000
#define WAIT_NONBLOCKING_MS 200
#define MAX_NAP_NS          4000000

void session_relay_begins(int fd, pid_t relay, pid_t program)
{
	struct conn_record *rec = session_record(fd);

	if (rec) {
		atomic_store(&rec->relay_program, program);
		atomic_store(&rec->relay, relay);
	}
}

void session_relay_finishing(int fd)
{
	struct conn_record *rec = session_record(fd);

	if (rec && atomic_load(&rec->relay) == sys_getpid()) {
		atomic_store(&rec->relay_program, FINISHING);
	}
}

void session_relay_ends(int fd, pid_t relay)
{
	struct conn_record *rec = session_record(fd);
	int32_t mine = relay;

	if (rec) {
		atomic_compare_exchange_strong(&rec->relay, &mine, 0);
	}
}

void session_relay_await(int fd, bool blocking)
{
	struct conn_record *rec = session_record(fd);
	pid_t relay = rec ? atomic_load(&rec->relay) : 0;
	int64_t start = 0;
	struct timespec nap = {0, 100000};

	while (relay && relay != sys_getpid() && atomic_load(&rec->relay) == relay && !sys_is_gone(relay)) {
		pid_t program = atomic_load(&rec->relay_program);
		int64_t now = sys_now_ms(), limit;
		if (program != FINISHING && !sys_is_gone(program)) {
			return;
		}
		start = start ? start : now;
		limit = program != FINISHING ? NOTICE_MS : blocking ? WAIT_BLOCKING_MS : WAIT_NONBLOCKING_MS;
		if (now - start >= limit) {
			return;
		}
		sys_call(SYS_nanosleep, &nap, NULL, 0);
		nap.tv_nsec = nap.tv_nsec < MAX_NAP_NS ? nap.tv_nsec * 2 : MAX_NAP_NS;
	}
}
