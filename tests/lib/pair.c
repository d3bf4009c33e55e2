/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client against server in one process.
 */
#include "tests/lib/pair.h"

#include <stdlib.h>
#include <string.h>

#define PIPE_SIZE (512 * 1024)

struct engine_dev_cert pair_cert;

/* ---- environment ---- */

static uint64_t generator;
static const uint8_t *script;
static size_t script_left;
static size_t memory_now;
static struct {
	size_t now, peak;
} owners[3]; /* by enum engine_role; the last: nobody */
static size_t owner = 2;
static unsigned memory_count, memory_fail_at;

/* Every block carries its size and whose it is in front, 16 bytes to keep the alignment. */
struct block {
	size_t size;
	size_t owner;
};

static struct block *block_of(void *ptr)
{
	return (struct block *)ptr - 1;
}

static void *counted_alloc(size_t size)
{
	struct block *block;

	memory_count++;
	if (memory_fail_at != 0 && memory_count >= memory_fail_at) {
		return NULL;
	}
	block = malloc(sizeof(*block) + size);
	if (block == NULL) {
		return NULL;
	}
	*block = (struct block){size, owner};
	memory_now += size;
	owners[owner].now += size;
	if (owners[owner].now > owners[owner].peak) {
		owners[owner].peak = owners[owner].now;
	}
	return block + 1;
}

static void counted_release(void *ptr)
{
	if (ptr != NULL) {
		memory_now -= block_of(ptr)->size;
		owners[block_of(ptr)->owner].now -= block_of(ptr)->size;
		free(block_of(ptr));
	}
}

static void *counted_resize(void *ptr, size_t size)
{
	void *larger = counted_alloc(size);
	size_t old;

	if (larger != NULL && ptr != NULL) {
		old = block_of(ptr)->size;
		memcpy(larger, ptr, old < size ? old : size);
		counted_release(ptr);
	}
	return larger;
}

/* splitmix64: good enough to look random */
static uint64_t next_number(void)
{
	uint64_t z = (generator += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool scripted_random(uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (script_left != 0) {
			buf[i] = *script++;
			script_left--;
		} else {
			buf[i] = (uint8_t)next_number();
		}
	}
	return true;
}

static int64_t now = PAIR_NOW;

static int64_t standing_time(void)
{
	return now;
}

void pair_set_now(int64_t time)
{
	now = time;
}

/* ---- sessions ---- */

struct pair_session pair_sessions[PAIR_SESSIONS];
struct engine_ticket_key pair_ticket_keys[ENGINE_TICKET_KEYS];
size_t pair_n_ticket_keys;

/* The newest stands first; what does not fit falls off the end. */
static void session_put(const uint8_t id[static ENGINE_SESSION_ID_LEN], const uint8_t *data, size_t len,
			int64_t expires)
{
	struct pair_session *session = &pair_sessions[0];

	memmove(&pair_sessions[1], &pair_sessions[0], sizeof(pair_sessions) - sizeof(pair_sessions[0]));
	memcpy(session->id, id, sizeof(session->id));
	memcpy(session->data, data, len);
	session->len = len;
	session->expires = expires;
}

static size_t session_get(const uint8_t id[static ENGINE_SESSION_ID_LEN], bool take, uint8_t *out)
{
	for (size_t i = 0; i < PAIR_SESSIONS; i++) {
		struct pair_session *session = &pair_sessions[i];
		const size_t len = session->len;

		if (len != 0 && session->expires > now && memcmp(session->id, id, sizeof(session->id)) == 0) {
			memcpy(out, session->data, len);
			session->len = take ? 0 : len;
			return len;
		}
	}
	return 0;
}

static void session_drop(const uint8_t id[static ENGINE_SESSION_ID_LEN])
{
	for (size_t i = 0; i < PAIR_SESSIONS; i++) {
		if (memcmp(pair_sessions[i].id, id, sizeof(pair_sessions[i].id)) == 0) {
			pair_sessions[i].len = 0;
		}
	}
}

size_t pair_n_sessions(void)
{
	size_t n = 0;

	for (size_t i = 0; i < PAIR_SESSIONS; i++) {
		n += pair_sessions[i].len != 0;
	}
	return n;
}

static size_t get_ticket_keys(struct engine_ticket_key *keys, size_t room)
{
	const size_t n = pair_n_ticket_keys < room ? pair_n_ticket_keys : room;

	memcpy(keys, pair_ticket_keys, n * sizeof(keys[0]));
	return n;
}

void pair_seed(uint64_t seed)
{
	generator = seed;
	script_left = 0;
}

void pair_script_random(const uint8_t *bytes, size_t n)
{
	script = bytes;
	script_left = n;
}

size_t pair_memory_now(void)
{
	return memory_now;
}

size_t pair_memory_peak(enum engine_role role)
{
	return owners[role].peak;
}

void pair_memory_reset(void)
{
	memset(owners, 0, sizeof(owners));
	memory_count = 0;
	memory_fail_at = 0;
}

void pair_memory_fail_at(unsigned n)
{
	memory_count = 0;
	memory_fail_at = n;
}

unsigned pair_memory_count(void)
{
	return memory_count;
}

bool pair_set_resumption(bool on)
{
	static const struct engine_session_store store = {session_put, session_get, session_drop};
	const struct engine_env env = {
		.alloc = counted_alloc,
		.release = counted_release,
		.resize = counted_resize,
		.random = scripted_random,
		.now = standing_time,
		.sessions = on ? &store : NULL,
		.ticket_keys = on ? get_ticket_keys : NULL,
	};

	memset(pair_sessions, 0, sizeof(pair_sessions));
	memset(pair_ticket_keys, 0x11, sizeof(pair_ticket_keys));
	pair_n_ticket_keys = on ? 1 : 0;
	return engine_init(&env);
}

bool pair_init(void)
{
	static const char *const names[] = {"localhost", "127.0.0.1"};
	static bool ready;
	char why[ENGINE_REASON_MAX];

	pair_seed(1);
	pair_set_now(PAIR_NOW);
	if (!pair_set_resumption(false)) {
		return false;
	}
	if (!ready) {
		ready = engine_dev_cert_make(&pair_cert, names, 2, 30, why);
	}
	return ready;
}

/* ---- configurations ---- */

bool pair_add_credential(struct engine_config *config)
{
	char why[ENGINE_REASON_MAX];

	return engine_config_add_credential(config, (const uint8_t *)pair_cert.cert_pem,
					    strlen(pair_cert.cert_pem), (const uint8_t *)pair_cert.key_pem,
					    strlen(pair_cert.key_pem), why) == ENGINE_OK;
}

bool pair_add_trust(struct engine_config *config)
{
	struct engine_trust *trust = engine_trust_new();
	char why[ENGINE_REASON_MAX];
	size_t n = 0;
	bool ok;

	ok = trust != NULL &&
	     engine_trust_add_pem(trust, (const uint8_t *)pair_cert.ca_pem, strlen(pair_cert.ca_pem), false,
				  &n, why) == ENGINE_OK &&
	     n == 1;
	if (ok) {
		engine_config_set_trust(config, trust);
	}
	engine_trust_unref(trust);
	return ok;
}

struct engine_config *pair_config(enum engine_role role)
{
	struct engine_config *config = engine_config_new(role);

	if (config != NULL &&
	    (!engine_config_set_versions(config, ENGINE_TLS13, ENGINE_TLS13) ||
	     !(role == ENGINE_SERVER ? pair_add_credential(config) : pair_add_trust(config)))) {
		engine_config_unref(config);
		return NULL;
	}
	return config;
}

/* ---- handshakes ---- */

bool pair_begin(struct pair *pair, struct engine_config *client, struct engine_config *server)
{
	char why[ENGINE_REASON_MAX];

	memset(pair, 0, sizeof(*pair));
	pair->config[ENGINE_CLIENT] = client;
	pair->config[ENGINE_SERVER] = server;
	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		const struct engine_hs_params params = {
			.config = pair->config[role],
			.server_name = role == ENGINE_CLIENT ? "localhost" : NULL,
		};

		pair->conn[role].id = (uint64_t)role + 1;
		pair->cipher[role] = engine_cipher_new();
		if (pair->config[role] != NULL) {
			owner = (size_t)role;
			pair->hs[role] = engine_hs_new(&params, &pair->conn[role], why);
			owner = 2;
		}
		if (pair->hs[role] == NULL || pair->cipher[role] == NULL) {
			return false;
		}
	}
	return true;
}

bool pair_begin_default(struct pair *pair)
{
	return pair_begin(pair, pair_config(ENGINE_CLIENT), pair_config(ENGINE_SERVER));
}

const uint8_t *pair_take(struct pair *pair, enum engine_role role, size_t *len)
{
	static uint8_t pipe_room[PIPE_SIZE];
	const uint8_t *pending = engine_hs_pending(pair->hs[role], len);

	if (*len > sizeof(pipe_room)) {
		abort();
	}
	if (*len != 0) {
		memcpy(pipe_room, pending, *len);
		engine_hs_sent(pair->hs[role], *len);
	}
	return pipe_room;
}

/* Give bytes to role's handshake; *done: how many it took. */
static enum engine_err give(struct pair *pair, enum engine_role role, const uint8_t *bytes, size_t len,
			    size_t *done)
{
	enum engine_err err = ENGINE_OK;

	*done = 0;
	while (err == ENGINE_OK && *done < len && !engine_hs_is_done(pair->hs[role])) {
		size_t used;

		owner = (size_t)role;
		err = engine_hs_recv(pair->hs[role], bytes + *done, len - *done, &used);
		owner = 2;
		*done += used;
	}
	return err;
}

enum engine_err pair_give(struct pair *pair, enum engine_role role, const uint8_t *bytes, size_t len)
{
	size_t done;

	return give(pair, role, bytes, len, &done);
}

/* Bytes behind role's handshake: records that are complete are opened. */
static void take_behind(struct pair *pair, enum engine_role role, const uint8_t *bytes, size_t len)
{
	uint8_t *rest = pair->rest[role];
	size_t *have = &pair->rest_len[role];

	while (len != 0 && pair->open_err[role] == ENGINE_OK) {
		struct engine_opened opened;
		size_t want = ENGINE_RECORD_HEADER_LEN;
		size_t n;

		if (*have >= want) {
			want = engine_record_len(&pair->conn[role], rest);
		}
		n = want > *have && want - *have < len ? want - *have : want > *have ? len : 0;
		memcpy(rest + *have, bytes, n);
		*have += n;
		bytes += n;
		len -= n;
		if (*have >= ENGINE_RECORD_HEADER_LEN &&
		    *have >= engine_record_len(&pair->conn[role], rest)) {
			pair->open_err[role] = pair_open(pair, role, rest, *have, &opened);
			*have = 0;
		}
	}
}

void pair_pump(struct pair *pair, size_t chunk)
{
	bool moved = true;

	while (moved) {
		moved = false;
		for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
			const enum engine_role other = role == ENGINE_CLIENT ? ENGINE_SERVER : ENGINE_CLIENT;
			size_t len;
			const uint8_t *bytes = pair_take(pair, (enum engine_role)role, &len);

			for (size_t done = 0; done < len;) {
				const size_t n = chunk != 0 && chunk < len - done ? chunk : len - done;

				size_t taken;

				if (give(pair, other, bytes + done, n, &taken) == ENGINE_OK) {
					take_behind(pair, other, bytes + done + taken, n - taken);
				}
				done += n;
			}
			moved = moved || len != 0;
		}
	}
}

size_t pair_pump_damaged(struct pair *pair, enum engine_role role, size_t at, uint8_t flip)
{
	static uint8_t wire[16384];
	size_t total = 0;
	bool moved = true;

	while (moved) {
		moved = false;
		for (int from = ENGINE_CLIENT; from <= ENGINE_SERVER; from++) {
			size_t len;
			const uint8_t *bytes = pair_take(pair, (enum engine_role)from, &len);
			size_t passed = len;

			if (len > sizeof(wire)) {
				return 0;
			}
			memcpy(wire, bytes, len);
			if (from == (int)role) {
				if (at >= total && at < total + len) {
					wire[at - total] ^= flip;
					passed = flip == 0 ? at - total : len;
				} else if (flip == 0 && at < total) {
					passed = 0;
				}
				total += len;
			}
			(void)pair_give(pair, (enum engine_role)(1 - from), wire, passed);
			moved = moved || len != 0;
		}
	}
	return total;
}

bool pair_is_done(const struct pair *pair)
{
	return engine_hs_is_done(pair->hs[ENGINE_CLIENT]) && engine_hs_is_done(pair->hs[ENGINE_SERVER]);
}

void pair_end(struct pair *pair)
{
	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		engine_hs_free(pair->hs[role]);
		engine_cipher_free(pair->cipher[role]);
		if (pair->config[role] != NULL) {
			engine_config_unref(pair->config[role]);
		}
		engine_conn_wipe(&pair->conn[role]);
	}
}

bool pair_connect(struct pair *pair)
{
	if (!pair_begin_default(pair)) {
		return false;
	}
	pair_pump(pair, 0);
	return pair_is_done(pair);
}

/* ---- records ---- */

size_t pair_seal(struct pair *pair, enum engine_role role, const void *data, size_t len, uint8_t *out)
{
	const struct engine_slice slice = {data, len};
	size_t out_len = 0;

	if (engine_seal(&pair->conn[role], pair->cipher[role], &slice, 1, out, ENGINE_MAX_RECORD, &out_len) !=
	    ENGINE_OK) {
		return 0;
	}
	return out_len;
}

enum engine_err pair_open(struct pair *pair, enum engine_role role, uint8_t *record, size_t len,
			  struct engine_opened *opened)
{
	return engine_open(&pair->conn[role], pair->cipher[role], record, len, NULL, 0, opened);
}
