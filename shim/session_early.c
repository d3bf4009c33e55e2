/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program writes before the handshake's end: a server that speaks first on a non-blocking socket, or a client
 * whose connect() is complete with TCP. It is kept, and sealed and sent when the handshake is done; if that fails, it
 * is wiped.
 *
 * Implementation notes: the first piece stands in the send buffer, where later a record's plaintext is kept: [SEND_PLAIN_AT,
 * …). A client's may go on in further buffers, as the kernel's socket buffer would have taken it. Sealed records take
 * the front of the send buffer, one load after the other, as the kernel takes them.
 */
#include <errno.h>

#include "cipher_cache.h"
#include "cursor.h"
#include "log.h"
#include "session_priv.h"

#define FIRST_LEN ENGINE_MAX_PLAINTEXT
#define CLIENT_MAX (FIRST_LEN + ARENA_EARLY_BUFFERS * ARENA_BUFFER_LEN)

static uint32_t limit(const struct conn_record *rec)
{
	return atomic_load(&rec->early) ? CLIENT_MAX : FIRST_LEN;
}

bool early_has_room(const struct conn_record *rec)
{
	return rec->early_len < limit(rec);
}

/* Where byte `at` has its place, and how many follow there; NULL if there is no buffer. */
static uint8_t *place(struct conn_record *rec, uint32_t at, uint32_t *room)
{
	uint32_t *number;
	uint8_t *buffer;

	if (at < FIRST_LEN) {
		buffer = send_buffer_locked(rec);
		*room = FIRST_LEN - at;
		return buffer ? buffer + SEND_PLAIN_AT + at : NULL;
	}
	at -= FIRST_LEN;
	number = &rec->early_buffers[at / ARENA_BUFFER_LEN];
	if (!*number) {
		*number = arena_buffer_alloc();
	}
	*room = ARENA_BUFFER_LEN - at % ARENA_BUFFER_LEN;
	return *number ? arena_buffer(*number) + at % ARENA_BUFFER_LEN : NULL;
}

ssize_t early_take_locked(const struct ref *ref, struct cursor *cur)
{
	struct conn_record *rec = ref->rec;
	ssize_t taken = 0;

	/* In a renegotiation clients too: the program has seen a writable socket, and an edge will not come again. */
	if ((rec->role != ENGINE_SERVER && rec->conn.version == 0 && !atomic_load(&rec->early)) || rec->send_len > 0 ||
	    !early_has_room(rec)) {
		return -EAGAIN;
	}
	while (cur->left > 0 && early_has_room(rec)) {
		uint32_t room;
		uint8_t *to = place(rec, rec->early_len, &room);
		size_t n = room < cur->left ? room : cur->left;

		if (!to) {
			return taken > 0 ? taken : -EAGAIN;
		}
		cursor_get(cur, to, n);
		rec->early_len += (uint32_t)n;
		taken += (ssize_t)n;
	}
	return taken;
}

void early_drop_locked(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;

	for (size_t i = 0; i < ARENA_EARLY_BUFFERS; i++) {
		if (rec->early_buffers[i]) {
			arena_buffer_free(rec->early_buffers[i], ARENA_BUFFER_LEN);
			rec->early_buffers[i] = 0;
		}
	}
	rec->early_len = rec->early_sealed = 0;
	rec->early_end = 0;
}

/*
 * Seal into the front of the send buffer, in records as long as the peer takes them, until all is sealed or the room is
 * used up. False if the engine refuses.
 */
static bool seal_load(struct conn_record *rec, struct engine_cipher *cipher)
{
	uint8_t *buffer = send_buffer_locked(rec);
	const size_t max = engine_max_plaintext(&rec->conn);
	size_t sealed = 0, len;

	while (rec->early_sealed < rec->early_len && SEND_PLAIN_AT - sealed >= max + ENGINE_SEAL_OVERHEAD) {
		uint32_t left = rec->early_len - rec->early_sealed, room;
		struct engine_slice slice = { place(rec, rec->early_sealed, &room), 0 };

		slice.len = left < room ? left : room;
		slice.len = slice.len < max ? slice.len : max;
		if (!slice.data || engine_seal(&rec->conn, cipher, &slice, 1, buffer + sealed, SEND_PLAIN_AT - sealed,
					       &len) != ENGINE_OK) {
			return false;
		}
		sealed += len;
		rec->early_sealed += (uint32_t)slice.len;
	}
	rec->send_start = 0;
	rec->send_len = (uint32_t)sealed;
	rec->send_promised = 1;
	return true;
}

int early_flush_locked(const struct ref *ref)
{
	struct conn_record *rec = ref->rec;
	int rc = send_push_locked(ref);
	bool is_end;

	while (rc == 0 && rec->early_sealed < rec->early_len) {
		struct cipher_cell *cell;
		struct engine_cipher *cipher = cipher_get(ref->slot, 1, &cell);
		bool ok = cipher && seal_load(rec, cipher);

		if (cipher) {
			cipher_put(cell);
		}
		if (!ok) {
			log_error("%s: what the program said before the handshake's end cannot be sent; closing the "
				  "connection",
				  rec->rule);
			send_drop_locked(ref);
			session_fail(ref, ENOMEM);
			return -ENOMEM;
		}
		rc = send_push_locked(ref);
	}
	if (rc != 0 || rec->early_len == 0) {
		return rc;
	}
	is_end = rec->early_end;
	early_drop_locked(ref);
	if (is_end) {
		send_alert_locked(ref, ENGINE_ALERT_CLOSE_NOTIFY);
	}
	return rec->send_len > 0 ? -EAGAIN : 0;
}

void early_send_locked(const struct ref *ref)
{
	if (ref->rec->send_shut_due) {
		/* shutdown(SHUT_WR) came before the handshake's end. */
		send_alert_locked(ref, ENGINE_ALERT_CLOSE_NOTIFY);
	}
	send_flush_locked(ref);
}
