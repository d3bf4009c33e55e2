/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz what comes back from where sessions are kept: a session at rest, a ticket of ours, a NewSessionTicket. The
 * input's first byte says which.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/ticket.h"
#include "tests/lib/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct engine_config *server;

static void begin(void)
{
	if (!pair_init() || !pair_set_resumption(true) || (server = pair_config(ENGINE_SERVER)) == NULL) {
		abort();
	}
}

/* What can be read is written back in the same bytes: there is one form of every session. */
static void try_session(struct rd in)
{
	uint8_t room[ENGINE_SESSION_MAX];
	struct session session;
	struct wr out;

	if (!session_unpack(in, &session)) {
		if (!secret_is_zero(&session, sizeof(session))) {
			abort();
		}
		return;
	}
	wr_init(&out, room, sizeof(room));
	if (in.left <= sizeof(room) &&
	    (!session_pack(&session, &out) || out.len != in.left || memcmp(out.data, in.p, in.left) != 0)) {
		abort();
	}
	(void)!session_is_fresh(&session, PAIR_NOW);
	/* and through a ticket */
	wr_reset(&out);
	if (session.ticket.left == 0 && session_is_fresh(&session, PAIR_NOW)) {
		struct session again;

		if (!ticket_seal(server, &session, &out) || out.len > TICKET_MAX ||
		    (session.lifetime <= server->session_lifetime &&
		     !ticket_open(server, rd_of(out.data, out.len), &again))) {
			abort();
		}
	}
	session_wipe(&session);
}

/* Nobody can make one without the key, which is another one here than that of the seeds. */
static void try_ticket(struct rd in)
{
	struct session session;

	pair_ticket_keys[0].key[0] ^= 0x80;
	if (ticket_open(server, in, &session)) {
		abort();
	}
	pair_ticket_keys[0].key[0] ^= 0x80;
}

static void try_new_session_ticket(struct rd in)
{
	struct engine_conn conn = {
		.id = 1,
		.version = ENGINE_TLS13,
		.suite = 0x1301,
		.session_id = {1},
		.session_lifetime = 7200,
		.resumable_until = PAIR_NOW + 86400,
	};
	struct session session;

	(void)!session13_take_ticket(&conn, in);
	if (pair_n_sessions() > 1 ||
	    (pair_n_sessions() == 1 && !session_get(conn.session_id, true, &session))) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in;

	if (size == 0) {
		return 0;
	}
	if (server == NULL) {
		begin();
	}
	in = rd_of(data + 1, size - 1);
	switch (data[0] % 3) {
	case 0:
		try_session(in);
		break;
	case 1:
		try_ticket(in);
		break;
	default:
		try_new_session_ticket(in);
		break;
	}
	return 0;
}
