/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Primitives leave no copies of secrets behind: neither on the stack that they ran on nor in memory that
 * they gave back.
 *
 * Implementation notes
 *
 *   Each step runs in a thread whose stack is ours; memory that is given back is kept aside as it is.
 *   When the step is over, both are searched for pieces of every secret: what the random source gave,
 *   keys, and what came out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/crypto.h"

#define STACK_SIZE     (256 * 1024)
#define WINDOW         8 /* bytes of a secret that count as a copy */
#define MAX_SECRETS    64
#define MAX_GIVEN_BACK 4096

/* AddressSanitizer keeps variables elsewhere, and its own copies of what memcpy() had in registers. */
#if defined(__SANITIZE_ADDRESS__)
#define STACK_IS_OURS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STACK_IS_OURS false
#endif
#endif
#ifndef STACK_IS_OURS
#define STACK_IS_OURS true
#endif

/* ---- secrets ---- */

struct secret_bytes {
	size_t len;
	uint8_t data[CRYPTO_MAX_SHARED_LEN];
};

static struct secret_bytes secrets[MAX_SECRETS];
static size_t n_secrets;

static void remember(const uint8_t *data, size_t len)
{
	assert_true(n_secrets < MAX_SECRETS && len <= CRYPTO_MAX_SHARED_LEN);
	memcpy(secrets[n_secrets].data, data, len);
	secrets[n_secrets++].len = len;
}

/* splitmix64; what it gives is secret */
static bool secret_random(uint8_t *out, size_t len)
{
	static uint64_t state = 1;

	for (size_t i = 0; i < len; i++) {
		uint64_t z = state += 0x9e3779b97f4a7c15;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		out[i] = (uint8_t)(z >> 56);
	}
	remember(out, len);
	return true;
}

static int64_t no_time(void)
{
	return 0;
}

/* ---- memory ---- */

struct block {
	_Alignas(16) size_t size;
	_Alignas(16) uint8_t bytes[];
};

static struct block *given_back[MAX_GIVEN_BACK];
static size_t n_given_back;

static void *block_alloc(size_t size)
{
	struct block *block = calloc(1, sizeof(*block) + size);

	if (block == NULL) {
		return NULL;
	}
	block->size = size;
	return block->bytes;
}

static void block_release(void *ptr)
{
	assert_true(n_given_back < MAX_GIVEN_BACK);
	given_back[n_given_back++] = (struct block *)((uint8_t *)ptr - offsetof(struct block, bytes));
}

static void *block_resize(void *ptr, size_t size)
{
	(void)ptr;
	(void)size;
	return NULL;
}

/* Forget secrets and give memory back in earnest. */
static void forget(void)
{
	n_secrets = 0;
	while (n_given_back != 0) {
		free(given_back[--n_given_back]);
	}
}

/* ---- searching ---- */

/* How 8 bytes may lie in memory: as they are, as a little-endian number, as two big-endian words. */
static void arrange(const uint8_t *piece, uint8_t arranged[3][WINDOW])
{
	for (size_t i = 0; i < WINDOW; i++) {
		arranged[0][i] = piece[i];
		arranged[1][i] = piece[WINDOW - 1 - i];
		arranged[2][i] = piece[i ^ 3];
	}
}

/* Where in memory[0..len) is a piece of this secret? NULL: nowhere. */
static const uint8_t *find_piece(const uint8_t *memory, size_t len, const struct secret_bytes *secret)
{
	for (size_t at = 0; at + WINDOW <= secret->len; at += WINDOW) {
		uint8_t arranged[3][WINDOW];

		arrange(secret->data + at, arranged);
		for (size_t i = 0; i < 3; i++) {
			const uint8_t *found = memmem(memory, len, arranged[i], WINDOW);

			if (found != NULL) {
				return found;
			}
		}
	}
	return NULL;
}

static void check_memory(const uint8_t *memory, size_t len, const char *step, const char *where)
{
	for (size_t i = 0; i < n_secrets; i++) {
		const uint8_t *found = find_piece(memory, len, &secrets[i]);

		if (found != NULL) {
			fail_msg("%s leaves a piece of secret %zu (%zu bytes) %s, %zu bytes from its end",
				 step, i, secrets[i].len, where, (size_t)(memory + len - found));
		}
	}
}

/* ---- steps ---- */

struct step {
	const char *name;
	bool (*run)(const struct step *step);
	int what; /* hash, AEAD, group, bytes of a key */
};

static uint8_t key[48], text[2048];
static const uint8_t nonce[16];

/* The key as HMAC pads it, RFC 2104 2 */
static void remember_padded_key(void)
{
	static uint8_t padded[sizeof(key)];

	for (int pad = 0x36; pad <= 0x5c; pad += 0x5c - 0x36) {
		for (size_t i = 0; i < sizeof(key); i++) {
			padded[i] = (uint8_t)(key[i] ^ pad);
		}
		remember(padded, sizeof(padded));
	}
}

static bool hmac(const struct step *step)
{
	const enum crypto_hash hash = (enum crypto_hash)step->what;
	static uint8_t mac[CRYPTO_MAX_HASH_LEN];
	bool ok = secret_random(key, sizeof(key)) && crypto_hmac(hash, key, sizeof(key), text, 100, mac);

	remember_padded_key();
	remember(mac, crypto_hash_len(hash));
	return ok;
}

static bool hmac_ct(const struct step *step)
{
	const enum crypto_hash hash = (enum crypto_hash)step->what;
	static uint8_t mac[CRYPTO_MAX_HASH_LEN];
	bool ok = secret_random(key, sizeof(key)) && secret_random(text, 64) &&
		  crypto_hmac_ct(hash, key, sizeof(key), text + 100, 13, text, 64, 300, mac);

	remember_padded_key();
	remember(mac, crypto_hash_len(hash));
	return ok;
}

static bool hkdf(const struct step *step)
{
	const enum crypto_hash hash = (enum crypto_hash)step->what;
	bool ok = secret_random(key, sizeof(key)) &&
		  crypto_hkdf_expand(hash, key, crypto_hash_len(hash), nonce, sizeof(nonce), text, 400);

	remember_padded_key();
	remember(text, 400);
	return ok;
}

/* Plaintext is secret too. */
static bool aead(const struct step *step)
{
	static const struct engine_slice piece = {text, sizeof(text)};
	static uint8_t sealed[sizeof(text) + CRYPTO_AEAD_TAG_LEN];
	struct crypto_aead_ctx *ctx = crypto_aead_new();
	bool ok = ctx != NULL && secret_random(key, 32) && secret_random(text, 500) &&
		  crypto_aead_set_key(ctx, (enum crypto_aead)step->what, key) &&
		  crypto_aead_seal_pieces(ctx, nonce, nonce, 5, &piece, 1, key, 1, sealed) &&
		  crypto_aead_seal(ctx, nonce, nonce, 5, text, 500, text) &&
		  crypto_aead_open(ctx, nonce, nonce, 5, text, 500, text) &&
		  crypto_aead_seal(ctx, nonce, nonce, 5, text, 500, text);

	text[0] ^= 1;
	ok = ok && !crypto_aead_open(ctx, nonce, nonce, 5, text, 500, text);
	crypto_aead_free(ctx);
	return ok;
}

static bool cbc(const struct step *step)
{
	struct crypto_cbc_ctx *ctx = crypto_cbc_new();
	const size_t key_len = (size_t)step->what;
	bool ok = ctx != NULL && secret_random(key, key_len) && secret_random(text, 480) &&
		  crypto_cbc_set_key(ctx, true, key, key_len) &&
		  crypto_cbc_encrypt(ctx, nonce, text, 480, text) &&
		  crypto_cbc_set_key(ctx, false, key, key_len) &&
		  crypto_cbc_decrypt(ctx, nonce, text, 480, text);

	crypto_cbc_free(ctx);
	return ok;
}

static bool agree(const struct step *step)
{
	const enum crypto_group group = (enum crypto_group)step->what;
	static uint8_t mine[CRYPTO_MAX_SHARE_LEN], theirs[CRYPTO_MAX_SHARE_LEN];
	static uint8_t a[CRYPTO_MAX_SHARED_LEN], b[CRYPTO_MAX_SHARED_LEN];
	struct crypto_kex *kex = crypto_kex_begin(group, mine);
	size_t len = 0;
	bool ok = kex != NULL &&
		  crypto_kex_answer(group, mine, crypto_group_share_len(group), theirs, a, &len) &&
		  crypto_kex_finish(kex, theirs, crypto_group_answer_len(group), b, &len);

	crypto_kex_free(kex);
	remember(a, len);
	return ok;
}

static bool dhe(const struct step *step)
{
	static uint8_t p[CRYPTO_MAX_DH_LEN], share[CRYPTO_MAX_DH_LEN], shared[CRYPTO_MAX_SHARED_LEN];
	const uint8_t g[] = {5};
	size_t len = 0;
	bool ok;

	memset(p, 0xff, sizeof(p));
	ok = crypto_dh_answer(p, (size_t)step->what, g, sizeof(g), g, sizeof(g), share, shared, &len);
	remember(shared, len);
	return ok;
}

static const struct step steps[] = {
	{"HMAC-SHA256", hmac, CRYPTO_SHA256},
	{"HMAC-SHA384", hmac, CRYPTO_SHA384},
	{"HMAC-SHA1", hmac, CRYPTO_SHA1},
	{"HMAC-MD5", hmac, CRYPTO_MD5},
	{"HMAC-SHA1 in constant time", hmac_ct, CRYPTO_SHA1},
	{"HMAC-SHA256 in constant time", hmac_ct, CRYPTO_SHA256},
	{"HMAC-SHA384 in constant time", hmac_ct, CRYPTO_SHA384},
	{"HKDF-SHA256", hkdf, CRYPTO_SHA256},
	{"HKDF-SHA384", hkdf, CRYPTO_SHA384},
	{"AES-128-GCM", aead, CRYPTO_AES_128_GCM},
	{"AES-256-GCM", aead, CRYPTO_AES_256_GCM},
	{"ChaCha20-Poly1305", aead, CRYPTO_CHACHA20_POLY1305},
	{"AES-128-CBC", cbc, 16},
	{"AES-256-CBC", cbc, 32},
	{"x25519", agree, CRYPTO_X25519},
	{"secp256r1", agree, CRYPTO_SECP256R1},
	{"secp384r1", agree, CRYPTO_SECP384R1},
	{"secp521r1", agree, CRYPTO_SECP521R1},
	{"ffdhe2048", agree, CRYPTO_FFDHE2048},
	{"ffdhe3072", agree, CRYPTO_FFDHE3072},
	{"ffdhe4096", agree, CRYPTO_FFDHE4096},
	{"DHE of 2048 bits", dhe, 256},
	{"DHE of 4000 bits", dhe, 500},
	{"X25519MLKEM768", agree, CRYPTO_X25519MLKEM768},
};

/* ---- */

struct run {
	const struct step *step;
	bool ok;
};

static void *run_step(void *ptr)
{
	struct run *run = ptr;

	run->ok = run->step->run(run->step);
	return NULL;
}

/* Run step on a stack of its own, which the caller unmaps. */
static uint8_t *run_on_own_stack(const struct step *step)
{
	uint8_t *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct run run = {step, false};
	pthread_attr_t attr;
	pthread_t thread;

	forget();
	assert_ptr_not_equal(stack, MAP_FAILED);
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstack(&attr, stack, STACK_SIZE), 0);
	assert_int_equal(pthread_create(&thread, &attr, run_step, &run), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	assert_true(run.ok);
	assert_int_not_equal(n_secrets, 0);
	return stack;
}

static void check(const struct step *step)
{
	uint8_t *stack = run_on_own_stack(step);

	if (STACK_IS_OURS) {
		check_memory(stack, STACK_SIZE, step->name, "on the stack");
	}
	for (size_t i = 0; i < n_given_back; i++) {
		check_memory(given_back[i]->bytes, given_back[i]->size, step->name, "in memory given back");
	}
	forget();
	munmap(stack, STACK_SIZE);
}

static void test_no_primitive_leaves_copies_of_secrets(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].run != agree || steps[i].what != CRYPTO_X25519MLKEM768 || crypto_has_mlkem()) {
			check(&steps[i]);
		}
	}
}

/* The search must be able to find what it looks for. */
static bool leave_copies(const struct step *step)
{
	volatile uint8_t copy[64];

	(void)step;
	if (!secret_random(key, sizeof(key))) {
		return false;
	}
	for (size_t i = 0; i < sizeof(key); i++) {
		copy[i] = key[i ^ 3];
	}
	return copy[0] == key[3];
}

static void test_copies_would_be_found(void **unused)
{
	const struct step step = {"a copy", leave_copies, 0};
	uint8_t *stack = run_on_own_stack(&step);

	(void)unused;
	assert_true(!STACK_IS_OURS || find_piece(stack, STACK_SIZE, &secrets[0]) != NULL);
	munmap(stack, STACK_SIZE);
	forget();
}

static int setup(void **unused)
{
	const struct engine_env env = {
		.alloc = block_alloc,
		.release = block_release,
		.resize = block_resize,
		.random = secret_random,
		.now = no_time,
	};

	(void)unused;
	return engine_init(&env) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies_would_be_found),
		cmocka_unit_test(test_no_primitive_leaves_copies_of_secrets),
	};

	return cmocka_run_group_tests_name("wiping of secrets", tests, setup, NULL);
}
