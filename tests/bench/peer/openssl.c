/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same work as ../engine.c, done by OpenSSL: what the engine is compared with. Prints "NAME VALUE" lines.
 *
 * usage: openssl CERTIFICATE KEY CA
 */
#include <malloc.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS 0.6
#define IN_FLIGHT 64
#define BATCH 32 /* records between two looks at the clock */
#define PLAINTEXT 16384

static size_t held;

static void *count_alloc(size_t size, const char *file, int line)
{
	void *block = malloc(size);

	(void)file;
	(void)line;
	held += block != NULL ? malloc_usable_size(block) : 0;
	return block;
}

static void count_free(void *block, const char *file, int line)
{
	(void)file;
	(void)line;
	held -= block != NULL ? malloc_usable_size(block) : 0;
	free(block);
}

static void *count_resize(void *block, size_t size, const char *file, int line)
{
	size_t before = block != NULL ? malloc_usable_size(block) : 0;
	void *larger = realloc(block, size);

	(void)file;
	(void)line;
	held += larger != NULL ? malloc_usable_size(larger) - before : 0;
	return larger;
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
	fprintf(stderr, "openssl: %s\n", what);
	exit(1);
}

/* A TLS 1.3 record: 5 bytes of header are authenticated, the content type is encrypted behind the data. */
static bool record(EVP_CIPHER_CTX *ctx, bool seal, uint64_t seq, const uint8_t *in, uint8_t *out, uint8_t tag[16])
{
	static const uint8_t header[5] = { 23, 3, 3, 0x40, 0x11 };
	uint8_t iv[12] = { 0 };
	int n;

	memcpy(iv + 4, &seq, sizeof(seq));
	if (EVP_CipherInit_ex(ctx, NULL, NULL, NULL, iv, seal) != 1 ||
	    (!seal && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag) != 1) ||
	    EVP_CipherUpdate(ctx, NULL, &n, header, 5) != 1 ||
	    EVP_CipherUpdate(ctx, out, &n, in, PLAINTEXT + 1) != 1 ||
	    EVP_CipherFinal_ex(ctx, out + n, &n) != 1) {
		return false;
	}
	return !seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1;
}

static void bench_records(const char *name, const EVP_CIPHER *cipher)
{
	static uint8_t plain[PLAINTEXT + 64], sealed[PLAINTEXT + 64], key[32] = { 1 };
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t tag[16];

	for (int seal = 1; seal >= 0; seal--) {
		double begin, spent = 0;
		uint64_t n;

		if (EVP_CipherInit_ex(ctx, cipher, NULL, key, NULL, seal) != 1) {
			die(name);
		}
		for (n = 0, begin = now(); n % BATCH != 0 || (spent = now() - begin) < SECONDS; n++) {
			if (!record(ctx, seal, seal ? n + 1 : 0, seal ? plain : sealed, seal ? sealed : plain, tag)) {
				die(name);
			}
		}
		printf("%s-%s %.0f\n", seal ? "seal" : "open", name, (double)n * PLAINTEXT / spent / 1e6);
		if (seal && !record(ctx, true, 0, plain, sealed, tag)) {
			die(name);
		}
	}
	EVP_CIPHER_CTX_free(ctx);
}

struct pair {
	SSL *ssl[2]; /* client, server */
};
static SSL_CTX *contexts[2];
static double spent_by[2];

static void begin_one(struct pair *pair, int role)
{
	double begin = now();
	SSL *ssl = pair->ssl[role] = SSL_new(contexts[role]);

	if (role == 0) {
		SSL_set_connect_state(ssl);
		SSL_set_tlsext_host_name(ssl, "localhost");
		SSL_set1_host(ssl, "localhost");
	} else {
		SSL_set_accept_state(ssl);
	}
	spent_by[role] += now() - begin;
}

static void connect_pair(struct pair *pair)
{
	BIO *to_client = BIO_new(BIO_s_mem()), *to_server = BIO_new(BIO_s_mem());

	BIO_set_mem_eof_return(to_client, -1);
	BIO_set_mem_eof_return(to_server, -1);
	BIO_up_ref(to_client);
	BIO_up_ref(to_server);
	SSL_set_bio(pair->ssl[0], to_client, to_server);
	SSL_set_bio(pair->ssl[1], to_server, to_client);
}

static int step(struct pair *pair, int role)
{
	double begin = now();
	int done = SSL_do_handshake(pair->ssl[role]);

	spent_by[role] += now() - begin;
	return done == 1;
}

static void finish_one(struct pair *pair, int role)
{
	double begin = now();

	SSL_free(pair->ssl[role]);
	spent_by[role] += now() - begin;
}

/* As in engine.c; a group that this OpenSSL does not know has no figures. */
static const struct kind {
	const char *name;
	int version;
	const char *group;
	bool rsa, resumed;
} kinds[] = {
	{ "tls13-ecdsa", TLS1_3_VERSION, "X25519", false, false },
	{ "tls13-ecdsa-resumed", TLS1_3_VERSION, "X25519", false, true },
	{ "tls13-rsa2048", TLS1_3_VERSION, "X25519", true, false },
	{ "tls13-ecdsa-mlkem", TLS1_3_VERSION, "X25519MLKEM768", false, false },
	{ "tls12-ecdsa", TLS1_2_VERSION, "X25519:P-256", false, false },
	{ "tls12-ecdsa-resumed", TLS1_2_VERSION, "X25519:P-256", false, true },
};

static SSL_SESSION *session;

static int keep_session(SSL *ssl, SSL_SESSION *given)
{
	(void)ssl;
	SSL_SESSION_free(session);
	session = given;
	return 1;
}

static void handshake(const struct kind *kind, bool with_tickets)
{
	struct pair pair;
	bool done[2] = { false, false };

	begin_one(&pair, 0);
	begin_one(&pair, 1);
	connect_pair(&pair);
	if (kind->resumed && session != NULL) {
		/* a copy: OpenSSL uses a session of TLS 1.3 once */
		SSL_SESSION *copy = SSL_SESSION_dup(session);

		SSL_set_session(pair.ssl[0], copy);
		SSL_SESSION_free(copy);
	}
	for (int i = 0; i < 6 && !(done[0] && done[1]); i++) {
		done[i % 2] = step(&pair, i % 2);
	}
	if (!done[0] || !done[1]) {
		die("the handshake is not done");
	}
	if (with_tickets) {
		char byte;

		(void)SSL_read(pair.ssl[0], &byte, 1);
		session = session != NULL ? session : SSL_get1_session(pair.ssl[0]);
	} else if (SSL_session_reused(pair.ssl[0]) != kind->resumed) {
		die("not resumed, or resumed in vain");
	}
	/* else OpenSSL forgets the session of a connection that was not shut down */
	SSL_set_shutdown(pair.ssl[0], SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_set_shutdown(pair.ssl[1], SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	finish_one(&pair, 0);
	finish_one(&pair, 1);
}

static SSL_CTX *context(const SSL_METHOD *method, int version, const char *group)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, version) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, version) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
	    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM") != 1 || SSL_CTX_set1_groups_list(ctx, group) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 0) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	return ctx;
}

/* False if this OpenSSL lacks the group. */
static bool configure(const struct kind *kind, char **argv)
{
	SSL_CTX_free(contexts[0]);
	SSL_CTX_free(contexts[1]);
	contexts[0] = context(TLS_client_method(), kind->version, kind->group);
	contexts[1] = context(TLS_server_method(), kind->version, kind->group);
	if (contexts[0] == NULL || contexts[1] == NULL) {
		return false;
	}
	SSL_CTX_set_verify(contexts[0], SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_load_verify_locations(contexts[0], argv[5], NULL) != 1 ||
	    SSL_CTX_use_certificate_chain_file(contexts[1], argv[kind->rsa ? 3 : 1]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(contexts[1], argv[kind->rsa ? 4 : 2], SSL_FILETYPE_PEM) != 1) {
		die("credentials");
	}
	return true;
}

static void bench_handshakes(const struct kind *kind, char **argv)
{
	unsigned n;
	double begin;

	if (!configure(kind, argv)) {
		return;
	}
	SSL_SESSION_free(session);
	session = NULL;
	if (kind->resumed) {
		SSL_CTX_set_session_cache_mode(contexts[0], SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(contexts[0], keep_session);
		SSL_CTX_set_session_id_context(contexts[1], (const unsigned char *)"bench", 5);
		SSL_CTX_set_num_tickets(contexts[1], 2);
		handshake(kind, true);
		SSL_CTX_sess_set_new_cb(contexts[0], NULL);
	} else {
		SSL_CTX_set_options(contexts[1], SSL_OP_NO_TICKET);
	}
	memset(spent_by, 0, sizeof(spent_by));
	for (n = 0, begin = now(); now() - begin < 2 * SECONDS; n++) {
		handshake(kind, false);
	}
	printf("client-%s %.0f\nserver-%s %.0f\n", kind->name, n / spent_by[0], kind->name, n / spent_by[1]);
}

/* Room for what is on the way, so that it does not count as the connection's: it would lie in the kernel. */
static void make_room(SSL *ssl)
{
	static char bytes[8192];

	if (BIO_write(SSL_get_wbio(ssl), bytes, sizeof(bytes)) != sizeof(bytes) ||
	    BIO_read(SSL_get_wbio(ssl), bytes, sizeof(bytes)) != sizeof(bytes)) {
		die("BIO");
	}
}

/* ---- records as programs have them: SSL_write() and SSL_read() ---- */

/* What one end writes, for the other to read: a network that costs a copy, which is measured and taken off. */
static struct {
	uint8_t bytes[IN_FLIGHT * (PLAINTEXT + 64)];
	size_t len, at;
} wire;

static int wire_write(BIO *bio, const char *data, int len)
{
	(void)bio;
	if ((size_t)len > sizeof(wire.bytes) - wire.len) {
		die("the wire is full");
	}
	memcpy(wire.bytes + wire.len, data, (size_t)len);
	wire.len += (size_t)len;
	return len;
}

static int wire_read(BIO *bio, char *data, int len)
{
	size_t n = wire.len - wire.at < (size_t)len ? wire.len - wire.at : (size_t)len;

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(data, wire.bytes + wire.at, n);
	wire.at += n;
	return (int)n;
}

static long wire_ctrl(BIO *bio, int cmd, long larg, void *parg)
{
	(void)bio;
	(void)larg;
	(void)parg;
	return cmd == BIO_CTRL_FLUSH;
}

/* The same copies of the same bytes, and nothing else. */
static double time_of_copies(void)
{
	static uint8_t room[PLAINTEXT + 64];
	double begin = now();

	for (size_t at = 0; at + sizeof(room) <= wire.len; at += sizeof(room)) {
		memcpy(room, wire.bytes + at, sizeof(room));
		__asm__ volatile("" : : "r"(room) : "memory");
	}
	return now() - begin;
}

static BIO *wire_bio(void)
{
	static BIO_METHOD *method;
	BIO *bio;

	if (method == NULL) {
		method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "wire");
		BIO_meth_set_write(method, wire_write);
		BIO_meth_set_read(method, wire_read);
		BIO_meth_set_ctrl(method, wire_ctrl);
	}
	bio = BIO_new(method);
	BIO_set_init(bio, 1);
	return bio;
}

static void bench_connection(const char *name, const char *suite)
{
	static uint8_t plain[PLAINTEXT];
	double spent[2] = { 0, 0 };
	struct pair pair;
	uint64_t n = 0;

	if (SSL_CTX_set_ciphersuites(contexts[0], suite) != 1) {
		die(suite);
	}
	SSL_CTX_set_ciphersuites(contexts[1], suite);
	begin_one(&pair, 0);
	begin_one(&pair, 1);
	connect_pair(&pair);
	for (int i = 0; i < 6; i++) {
		step(&pair, i % 2);
	}
	SSL_set0_wbio(pair.ssl[1], wire_bio());
	SSL_set0_rbio(pair.ssl[0], wire_bio());
	while (spent[0] < SECONDS) {
		double begin = now();

		wire.len = wire.at = 0;
		for (int i = 0; i < BATCH; i++, n++) {
			if (SSL_write(pair.ssl[1], plain, PLAINTEXT) != PLAINTEXT) {
				die("SSL_write");
			}
		}
		spent[1] += now() - begin;
		begin = now();
		for (int i = 0; i < BATCH; i++) {
			if (SSL_read(pair.ssl[0], plain, PLAINTEXT) != PLAINTEXT) {
				die("SSL_read");
			}
		}
		spent[0] += now() - begin;
		begin = time_of_copies();
		spent[0] -= begin;
		spent[1] -= begin;
	}
	printf("write-%s %.0f\nread-%s %.0f\n", name, (double)n * PLAINTEXT / spent[1] / 1e6, name,
	       (double)n * PLAINTEXT / spent[0] / 1e6);
	finish_one(&pair, 0);
	finish_one(&pair, 1);
}

/* Many of each, stopped where they wait for the peer; then all the way. */
static void bench_memory(void)
{
	static struct pair pairs[IN_FLIGHT];
	size_t by[2] = { 0, 0 }, established = 0;

	for (int i = 0; i < IN_FLIGHT; i++) {
		size_t begin = held, made[2];

		begin_one(&pairs[i], 0);
		made[0] = held - begin;
		begin = held;
		begin_one(&pairs[i], 1);
		made[1] = held - begin;
		connect_pair(&pairs[i]);
		make_room(pairs[i].ssl[0]);
		make_room(pairs[i].ssl[1]);
		for (int role = 0; role < 2; role++) {
			begin = held;
			step(&pairs[i], role);
			by[role] += made[role] + held - begin;
			established += made[role] + held - begin;
		}
		begin = held;
		step(&pairs[i], 0);
		step(&pairs[i], 1);
		established += held - begin; /* modulo 2^64 */
	}
	printf("memory-client-handshake %zu\nmemory-server-handshake %zu\nmemory-connection %zu\n", by[0] / IN_FLIGHT,
	       by[1] / IN_FLIGHT, established / (2 * IN_FLIGHT));
	for (int i = 0; i < IN_FLIGHT; i++) {
		finish_one(&pairs[i], 0);
		finish_one(&pairs[i], 1);
	}
}

int main(int argc, char **argv)
{
	if (argc != 6 || CRYPTO_set_mem_functions(count_alloc, count_resize, count_free) != 1) {
		die("usage: openssl CERTIFICATE KEY RSA-CERTIFICATE RSA-KEY CA");
	}
	bench_records("aes-128-gcm", EVP_aes_128_gcm());
	bench_records("aes-256-gcm", EVP_aes_256_gcm());
	bench_records("chacha20-poly1305", EVP_chacha20_poly1305());
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		bench_handshakes(&kinds[i], argv);
	}
	(void)configure(&kinds[0], argv);
	bench_connection("aes-128-gcm", "TLS_AES_128_GCM_SHA256");
	bench_connection("aes-256-gcm", "TLS_AES_256_GCM_SHA384");
	bench_connection("chacha20-poly1305", "TLS_CHACHA20_POLY1305_SHA256");
	(void)configure(&kinds[0], argv);
	bench_memory();
	return 0;
}
