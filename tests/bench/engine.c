/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine alone, in memory: records, handshakes and the bytes that they take. Prints "NAME VALUE" lines.
 *
 * usage: engine CERTIFICATE KEY RSA-CERTIFICATE RSA-KEY CA
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "engine/engine.h"

#define SECONDS 0.6
#define IN_FLIGHT 64
#define BATCH 32 /* records between two looks at the clock */

static size_t held; /* bytes that the engine has now */
static size_t peak; /* and had at most */

static void count(size_t before, const void *block)
{
	held += (block != NULL ? malloc_usable_size((void *)(uintptr_t)block) : 0) - before;
	peak = held > peak ? held : peak;
}

static void *count_alloc(size_t size)
{
	void *block = malloc(size);

	count(0, block);
	return block;
}

static void count_free(void *block)
{
	held -= block != NULL ? malloc_usable_size(block) : 0;
	free(block);
}

static void *count_resize(void *block, size_t size)
{
	size_t before = block != NULL ? malloc_usable_size(block) : 0;
	void *larger = realloc(block, size);

	if (larger != NULL) {
		count(before, larger);
	}
	return larger;
}

static bool get_random(uint8_t *buf, size_t len)
{
	return getrandom(buf, len, 0) == (ssize_t)len;
}

static int64_t get_time(void)
{
	return time(NULL);
}

/* Time of the processor, not of the clock on the wall: other load on the machine hardly matters. */
static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "engine: %s\n", what);
	exit(1);
}

static uint8_t *read_file(const char *path, size_t *len)
{
	uint8_t *text = malloc(65536);
	FILE *f = fopen(path, "r");

	if (text == NULL || f == NULL) {
		die(path);
	}
	*len = fread(text, 1, 65536, f);
	fclose(f);
	return text;
}

/* ---- records ---- */

static void bench_records(const char *name, uint16_t suite)
{
	static uint8_t plain[ENGINE_MAX_PLAINTEXT], record[ENGINE_MAX_RECORD], out[ENGINE_MAX_RECORD];
	struct engine_conn conn = { .id = suite, .version = ENGINE_TLS13, .suite = suite, .role = ENGINE_CLIENT };
	struct engine_cipher *seal = engine_cipher_new(), *open = engine_cipher_new();
	const struct engine_slice slice = { plain, sizeof(plain) };
	struct engine_opened opened;
	size_t len = 0;
	double begin, spent;
	unsigned n;

	memset(conn.send.key, 1, sizeof(conn.send.key));
	conn.recv = conn.send;
	for (n = 0, spent = 0, begin = now(); n % BATCH != 0 || (spent = now() - begin) < SECONDS; n++) {
		if (engine_seal(&conn, seal, &slice, 1, record, sizeof(record), &len) != ENGINE_OK) {
			die("seal");
		}
	}
	printf("seal-%s %.0f\n", name, n * (double)sizeof(plain) / spent / 1e6);
	conn.send.seq = 0;
	if (engine_seal(&conn, seal, &slice, 1, record, sizeof(record), &len) != ENGINE_OK) {
		die("seal");
	}
	for (n = 0, spent = 0, begin = now(); n % BATCH != 0 || (spent = now() - begin) < SECONDS; n++) {
		conn.recv.seq = 0;
		if (engine_open(&conn, open, record, len, out, sizeof(out), &opened) != ENGINE_OK ||
		    opened.data_len != sizeof(plain)) {
			die("open");
		}
	}
	printf("open-%s %.0f\n", name, n * (double)sizeof(plain) / spent / 1e6);
	engine_cipher_free(seal);
	engine_cipher_free(open);
}

/* ---- sessions: one client, so the newest will do ---- */

static uint8_t session[ENGINE_SESSION_MAX];
static size_t session_len;
static const struct engine_ticket_key ticket_key = { .name = "bench", .key = { 1 } };

static void session_put(const uint8_t id[static ENGINE_SESSION_ID_LEN], const uint8_t *data, size_t len, int64_t expires)
{
	(void)id;
	(void)expires;
	memcpy(session, data, len);
	session_len = len;
}

static size_t session_get(const uint8_t id[static ENGINE_SESSION_ID_LEN], bool take, uint8_t *out)
{
	(void)id;
	(void)take; /* the same ticket again and again: what is measured is the handshake */
	memcpy(out, session, session_len);
	return session_len;
}

static void session_drop(const uint8_t id[static ENGINE_SESSION_ID_LEN])
{
	(void)id;
	session_len = 0;
}

static size_t ticket_keys(struct engine_ticket_key *keys, size_t room)
{
	keys[0] = ticket_key;
	return room > 0;
}

/* ---- handshakes ---- */

static const struct kind {
	const char *name;
	uint16_t version;
	const char *group;
	bool rsa, resumed;
} kinds[] = {
	{ "tls13-ecdsa", ENGINE_TLS13, "x25519", false, false },
	{ "tls13-ecdsa-resumed", ENGINE_TLS13, "x25519", false, true },
	{ "tls13-rsa2048", ENGINE_TLS13, "x25519", true, false },
	{ "tls13-ecdsa-mlkem", ENGINE_TLS13, "X25519MLKEM768", false, false },
	{ "tls12-ecdsa", ENGINE_TLS12, "x25519", false, false },
	{ "tls12-ecdsa-resumed", ENGINE_TLS12, "x25519", false, true },
};

struct pair {
	struct engine_hs *hs[2]; /* by enum engine_role */
	struct engine_conn conn[2];
};
static struct engine_config *configs[2];
static double spent_by[2];
static size_t peak_of[2], held_by[2];

static void enter(enum engine_role role, double *begin)
{
	peak = held;
	held_by[role] -= held;
	*begin = now();
}

static void leave(enum engine_role role, const double *begin)
{
	size_t before = held_by[role];

	spent_by[role] += now() - *begin;
	held_by[role] += held;
	peak_of[role] = peak + before > peak_of[role] ? peak + before : peak_of[role];
}

static void begin_one(struct pair *pair, enum engine_role role)
{
	const struct engine_hs_params params = {
		.config = configs[role],
		.server_name = role == ENGINE_CLIENT ? "localhost" : NULL,
	};
	char why[ENGINE_REASON_MAX] = "";
	static uint64_t id;
	double begin;

	enter(role, &begin);
	memset(&pair->conn[role], 0, sizeof(pair->conn[role]));
	pair->conn[role].id = ++id;
	pair->hs[role] = engine_hs_new(&params, &pair->conn[role], why);
	leave(role, &begin);
	if (pair->hs[role] == NULL) {
		die(why);
	}
}

/* Give what `from` has to say to the other side. */
static void pass(struct pair *pair, enum engine_role from)
{
	enum engine_role to = from == ENGINE_CLIENT ? ENGINE_SERVER : ENGINE_CLIENT;
	size_t len, used;
	const uint8_t *bytes = engine_hs_pending(pair->hs[from], &len);
	double begin;

	enter(to, &begin);
	if (engine_hs_recv(pair->hs[to], bytes, len, &used) != ENGINE_OK) {
		die(engine_hs_reason(pair->hs[to]));
	}
	leave(to, &begin);
	enter(from, &begin);
	engine_hs_sent(pair->hs[from], len);
	leave(from, &begin);
}

/* Let the client take the tickets of TLS 1.3 that the server sent behind its handshake. */
static void take_tickets(struct pair *pair)
{
	struct engine_cipher *cipher = engine_cipher_new();
	static uint8_t bytes[ENGINE_MAX_RECORD];
	struct engine_opened opened;
	size_t len, record_len;
	const uint8_t *pending = engine_hs_pending(pair->hs[ENGINE_SERVER], &len);

	for (size_t at = 0; at < len; at += record_len) {
		record_len = engine_record_len(&pair->conn[ENGINE_CLIENT], pending + at);
		memcpy(bytes, pending + at, record_len);
		if (engine_open(&pair->conn[ENGINE_CLIENT], cipher, bytes, record_len, NULL, 0, &opened) != ENGINE_OK) {
			die("ticket");
		}
	}
	engine_cipher_free(cipher);
}

static void finish_one(struct pair *pair, enum engine_role role)
{
	double begin;

	enter(role, &begin);
	engine_hs_free(pair->hs[role]);
	leave(role, &begin);
}

static void handshake(const struct kind *kind, bool with_tickets)
{
	struct pair pair;

	begin_one(&pair, ENGINE_CLIENT);
	begin_one(&pair, ENGINE_SERVER);
	pass(&pair, ENGINE_CLIENT);
	pass(&pair, ENGINE_SERVER);
	if (!engine_hs_is_done(pair.hs[ENGINE_SERVER])) {
		pass(&pair, ENGINE_CLIENT);
	}
	if (!engine_hs_is_done(pair.hs[ENGINE_CLIENT])) {
		pass(&pair, ENGINE_SERVER);
	}
	if (!engine_hs_is_done(pair.hs[0]) || !engine_hs_is_done(pair.hs[1])) {
		die("the handshake is not done");
	}
	if (with_tickets) {
		take_tickets(&pair);
	} else if (pair.conn[ENGINE_CLIENT].resumed != kind->resumed) {
		die("not resumed, or resumed in vain");
	}
	finish_one(&pair, ENGINE_CLIENT);
	finish_one(&pair, ENGINE_SERVER);
}

static void configure(const struct kind *kind, char **argv)
{
	static const uint8_t id[ENGINE_SESSION_ID_LEN] = { 1 };
	/* in TLS 1.2 the certificate's curve has to be among them too */
	const char *const groups[] = { kind->group, "secp256r1" };
	struct engine_trust *trust = engine_trust_new();
	char why[ENGINE_REASON_MAX] = "out of memory";
	size_t cert_len, key_len, ca_len, n_added = 0;
	uint8_t *cert = read_file(argv[kind->rsa ? 3 : 1], &cert_len);
	uint8_t *key = read_file(argv[kind->rsa ? 4 : 2], &key_len);
	uint8_t *ca = read_file(argv[5], &ca_len);

	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		engine_config_unref(configs[role]);
		configs[role] = engine_config_new((enum engine_role)role);
		if (configs[role] == NULL || !engine_config_set_versions(configs[role], kind->version, kind->version) ||
		    !engine_config_set_sessions(configs[role], kind->resumed ? 7200 : 0, id) ||
		    engine_config_set_groups(configs[role], groups, kind->version < ENGINE_TLS13 ? 2 : 1, why) != ENGINE_OK) {
			die(why);
		}
	}
	if (trust == NULL || engine_trust_add_pem(trust, ca, ca_len, false, &n_added, why) != ENGINE_OK ||
	    engine_config_add_credential(configs[ENGINE_SERVER], cert, cert_len, key, key_len, why) != ENGINE_OK) {
		die(why);
	}
	engine_config_set_trust(configs[ENGINE_CLIENT], trust);
	engine_trust_unref(trust);
	free(cert);
	free(key);
	free(ca);
}

static void bench_handshakes(const struct kind *kind, char **argv)
{
	unsigned n;
	double begin;

	configure(kind, argv);
	session_len = 0;
	if (kind->resumed) {
		handshake(kind, true);
	}
	memset(spent_by, 0, sizeof(spent_by));
	memset(peak_of, 0, sizeof(peak_of));
	memset(held_by, 0, sizeof(held_by));
	for (n = 0, begin = now(); now() - begin < 2 * SECONDS; n++) {
		handshake(kind, false);
	}
	printf("client-%s %.0f\nserver-%s %.0f\n", kind->name, n / spent_by[ENGINE_CLIENT], kind->name,
	       n / spent_by[ENGINE_SERVER]);
	printf("peak-client-%s %zu\npeak-server-%s %zu\n", kind->name, peak_of[ENGINE_CLIENT], kind->name,
	       peak_of[ENGINE_SERVER]);
}

/* Many of each, stopped where they wait for the peer. */
static void bench_memory(void)
{
	static struct pair pairs[IN_FLIGHT];
	size_t begin = held, client, server;

	for (int i = 0; i < IN_FLIGHT; i++) {
		begin_one(&pairs[i], ENGINE_CLIENT);
	}
	client = held - begin;
	begin = held;
	for (int i = 0; i < IN_FLIGHT; i++) {
		begin_one(&pairs[i], ENGINE_SERVER);
		pass(&pairs[i], ENGINE_CLIENT);
	}
	server = held - begin;
	printf("memory-client-handshake %zu\nmemory-server-handshake %zu\n", client / IN_FLIGHT, server / IN_FLIGHT);
	for (int i = 0; i < IN_FLIGHT; i++) {
		finish_one(&pairs[i], ENGINE_CLIENT);
		finish_one(&pairs[i], ENGINE_SERVER);
	}
	/* An established connection is one record of the arena: struct engine_conn and the shim's own part. */
	printf("memory-engine-conn %zu\nmemory-connection 1024\n", sizeof(struct engine_conn));
}

int main(int argc, char **argv)
{
	const struct engine_env env = {
		.alloc = count_alloc,
		.release = count_free,
		.resize = count_resize,
		.random = get_random,
		.now = get_time,
		.sessions = &(const struct engine_session_store){ session_put, session_get, session_drop },
		.ticket_keys = ticket_keys,
	};

	if (argc != 6 || !engine_init(&env)) {
		die("usage: engine CERTIFICATE KEY RSA-CERTIFICATE RSA-KEY CA");
	}
	bench_records("aes-128-gcm", 0x1301);
	bench_records("aes-256-gcm", 0x1302);
	bench_records("chacha20-poly1305", 0x1303);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		bench_handshakes(&kinds[i], argv);
	}
	configure(&kinds[0], argv);
	bench_memory();
	return 0;
}
