/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine alone, in memory: records, handshakes and the bytes that they take. Prints "NAME VALUE" lines.
 *
 * usage: engine CERTIFICATE KEY CA
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

static void *count_alloc(size_t size)
{
	void *block = malloc(size);

	held += block != NULL ? malloc_usable_size(block) : 0;
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

	held += larger != NULL ? malloc_usable_size(larger) - before : 0;
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

/* ---- handshakes ---- */

struct pair {
	struct engine_hs *hs[2]; /* by enum engine_role */
	struct engine_conn conn[2];
};
static struct engine_config *configs[2];
static double spent_by[2];

static void begin_one(struct pair *pair, enum engine_role role)
{
	const struct engine_hs_params params = {
		.config = configs[role],
		.server_name = role == ENGINE_CLIENT ? "localhost" : NULL,
	};
	char why[ENGINE_REASON_MAX] = "";
	static uint64_t id;
	double begin = now();

	memset(&pair->conn[role], 0, sizeof(pair->conn[role]));
	pair->conn[role].id = ++id;
	pair->hs[role] = engine_hs_new(&params, &pair->conn[role], why);
	spent_by[role] += now() - begin;
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
	double begin = now();

	if (engine_hs_recv(pair->hs[to], bytes, len, &used) != ENGINE_OK || used != len) {
		die(engine_hs_reason(pair->hs[to]));
	}
	spent_by[to] += now() - begin;
	engine_hs_sent(pair->hs[from], len);
}

static void finish_one(struct pair *pair, enum engine_role role)
{
	double begin = now();

	engine_hs_free(pair->hs[role]);
	spent_by[role] += now() - begin;
}

static void bench_handshakes(void)
{
	struct pair pair;
	unsigned n;
	double begin;

	for (n = 0, begin = now(); now() - begin < 3 * SECONDS; n++) {
		begin_one(&pair, ENGINE_CLIENT);
		begin_one(&pair, ENGINE_SERVER);
		pass(&pair, ENGINE_CLIENT);
		pass(&pair, ENGINE_SERVER);
		pass(&pair, ENGINE_CLIENT);
		if (!engine_hs_is_done(pair.hs[0]) || !engine_hs_is_done(pair.hs[1])) {
			die("the handshake is not done");
		}
		finish_one(&pair, ENGINE_CLIENT);
		finish_one(&pair, ENGINE_SERVER);
	}
	printf("handshakes-client %.0f\nhandshakes-server %.0f\n", n / spent_by[ENGINE_CLIENT],
	       n / spent_by[ENGINE_SERVER]);
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
	};
	struct engine_trust *trust;
	char why[ENGINE_REASON_MAX] = "";
	size_t cert_len, key_len, ca_len, n_added = 0;

	if (argc != 4 || !engine_init(&env)) {
		die("usage: engine CERTIFICATE KEY CA");
	}
	configs[ENGINE_CLIENT] = engine_config_new(ENGINE_CLIENT);
	configs[ENGINE_SERVER] = engine_config_new(ENGINE_SERVER);
	trust = engine_trust_new();
	const uint8_t *cert = read_file(argv[1], &cert_len);
	const uint8_t *key = read_file(argv[2], &key_len);
	const uint8_t *ca = read_file(argv[3], &ca_len);
	if (trust == NULL || configs[0] == NULL || configs[1] == NULL ||
	    engine_trust_add_pem(trust, ca, ca_len, false, &n_added, why) != ENGINE_OK ||
	    engine_config_add_credential(configs[ENGINE_SERVER], cert, cert_len, key, key_len, why) != ENGINE_OK) {
		die(why);
	}
	engine_config_set_trust(configs[ENGINE_CLIENT], trust);
	bench_records("aes-128-gcm", 0x1301);
	bench_records("aes-256-gcm", 0x1302);
	bench_records("chacha20-poly1305", 0x1303);
	bench_handshakes();
	bench_memory();
	return 0;
}
