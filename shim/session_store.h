/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions for resumption and the keys of tickets, in the arena: all processes of a start share them, so
 * that any worker resumes what another one began.  RFC 8446 2.2, RFC 5246 F.1.4
 */
#ifndef SHIM_SESSION_STORE_H
#define SHIM_SESSION_STORE_H

#include "../engine/engine.h"

#define SESSION_STORE_DEFAULT 1024u
#define SESSION_STORE_MAX 65536u

/* Bytes of the arena that a store of n_sessions takes. */
size_t session_store_len(size_t n_sessions);

/* For engine_env. */
extern const struct engine_session_store session_store;
/*
 * The keys of this start, made when they are first asked for and replaced by new ones every
 * SESSION_KEY_SECONDS; the three before open tickets still.
 */
#define SESSION_KEY_SECONDS (12 * 3600)
size_t session_ticket_keys(struct engine_ticket_key *keys, size_t room);

#endif
