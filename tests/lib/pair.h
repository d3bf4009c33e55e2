/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client against server in one process, without sockets: for tests of the engine.
 *
 * The environment is one of known numbers: random bytes come from a seeded generator (or a script), time stands
 * still until it is set, memory is counted and can be made to run out. Sessions are kept, and tickets issued, only
 * behind pair_set_resumption().
 */
#ifndef TESTS_PAIR_H
#define TESTS_PAIR_H

#include "engine/engine.h"

/* The time that the engine is told. */
#define PAIR_NOW 1767225600

/* Set the time that the engine is told; pair_init() sets it back. */
void pair_set_now(int64_t now);
/* engine_init() with the test environment and make the certificates; may be called again. False on failure. */
bool pair_init(void);
/* Start the generator anew. */
void pair_seed(uint64_t seed);
/* The next n random bytes are these, exactly once; then the generator goes on. */
void pair_script_random(const uint8_t *bytes, size_t n);
/* Bytes that the engine holds now. */
size_t pair_memory_now(void);
/* The most that role's handshake held since pair_memory_reset(), which needs that none is in flight. */
size_t pair_memory_peak(enum engine_role role);
void pair_memory_reset(void);
/* Let the n-th allocation from now on fail (1: the next), and all after it; 0: none. */
void pair_memory_fail_at(unsigned n);
/* Allocations since pair_memory_reset(). */
unsigned pair_memory_count(void);

/* One session in the store of the environment. len 0: none. */
struct pair_session {
	uint8_t id[ENGINE_SESSION_ID_LEN];
	uint8_t data[ENGINE_SESSION_MAX];
	size_t len;
	int64_t expires;
};
#define PAIR_SESSIONS 32
extern struct pair_session pair_sessions[PAIR_SESSIONS];
/* The environment's ticket keys: one behind pair_set_resumption(true), none without. */
extern struct engine_ticket_key pair_ticket_keys[ENGINE_TICKET_KEYS];
extern size_t pair_n_ticket_keys;
/* Give the environment an empty session store and a ticket key, or take both away (as pair_init() does). */
bool pair_set_resumption(bool on);
/* How many sessions are kept. */
size_t pair_n_sessions(void);

/* The certificates: one CA, a leaf for localhost and 127.0.0.1. */
extern struct engine_dev_cert pair_cert;

/* A configuration with the leaf (server) or trust in the CA (client), of TLS 1.3 alone. One reference. */
struct engine_config *pair_config(enum engine_role role);
/* Give a client the leaf as its own certificate, or a server trust in the CA. */
bool pair_add_credential(struct engine_config *config);
bool pair_add_trust(struct engine_config *config);

struct pair {
	struct engine_config *config[2]; /* by enum engine_role */
	struct engine_conn conn[2];
	struct engine_hs *hs[2];
	struct engine_cipher *cipher[2];
	/* what pair_pump() brought to a role behind its handshake: a record that is not complete */
	uint8_t rest[2][ENGINE_MAX_RECORD];
	size_t rest_len[2];
	enum engine_err open_err[2]; /* how opening went there */
};

/* Begin a handshake of both; configs are taken over. False on failure. */
bool pair_begin(struct pair *pair, struct engine_config *client, struct engine_config *server);
/* Begin with plain configurations. */
bool pair_begin_default(struct pair *pair);
/*
 * Move bytes until neither has any, in pieces of at most chunk bytes (0: all at once). Records that come behind the
 * handshake, a server's tickets, are opened.
 */
void pair_pump(struct pair *pair, size_t chunk);
/*
 * Move bytes until neither has any; of what role sends, change the byte at `at` by flip, or lose it and all behind it
 * (flip 0). Returns how many bytes role sends.
 */
size_t pair_pump_damaged(struct pair *pair, enum engine_role role, size_t at, uint8_t flip);
/* Take all that role has pending; *len bytes in a static buffer, valid until the next call. */
const uint8_t *pair_take(struct pair *pair, enum engine_role role, size_t *len);
/* Give bytes to role; what is not taken is dropped. */
enum engine_err pair_give(struct pair *pair, enum engine_role role, const uint8_t *bytes, size_t len);
/* Are both done? */
bool pair_is_done(const struct pair *pair);
void pair_end(struct pair *pair);

/* Handshake from beginning to end with plain configurations. */
bool pair_connect(struct pair *pair);
/* Seal as role; record in out (ENGINE_MAX_RECORD bytes), its length returned, 0 on failure. */
size_t pair_seal(struct pair *pair, enum engine_role role, const void *data, size_t len, uint8_t *out);
/* Open as role, in place. */
enum engine_err pair_open(struct pair *pair, enum engine_role role, uint8_t *record, size_t len,
			  struct engine_opened *opened);

#endif
