/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The environment that engine_init() was given, and what wolfCrypt takes from it.
 *
 * Implementation notes
 *
 *   The environment is the one global of the engine: written once by engine_init() and only read after.
 *   The primitives are in crypto_*.c, which with x509*.c are all that knows wolfCrypt. Every return code
 *   of wolfCrypt is checked. Its random source is our own (no DRBG state to survive a fork), and its
 *   memory comes from the environment. engine_env.alloc must align like malloc, to 16 bytes.
 *   wolfCrypt frees some of its working memory with secrets in it (a Diffie-Hellman secret, for one): what
 *   it gives back is wiped first, for which each of its blocks begins with its size.
 *   Constant time: AES, ChaCha20-Poly1305, X25519, the curves, ML-KEM and modular powers run in wolfCrypt's
 *   timing-resistant code (AES-NI, SP assembly); nothing in crypto*.c branches on or indexes by a secret.
 */
#include "crypto.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/memory.h>
#include <wolfssl/wolfcrypt/wc_port.h>

#include <stdlib.h>
#include <string.h>

#include "secret.h"

static struct engine_env environment;

/* ---- environment ---- */

void *engine_alloc(size_t size)
{
	return environment.alloc != NULL ? environment.alloc(size) : malloc(size);
}

void engine_release(void *ptr)
{
	if (ptr == NULL) {
		return;
	}
	if (environment.release != NULL) {
		environment.release(ptr);
	} else {
		free(ptr);
	}
}

bool engine_random(uint8_t *out, size_t len)
{
	return environment.random != NULL && environment.random(out, len);
}

int64_t engine_now(void)
{
	return environment.now();
}

const struct engine_session_store *engine_sessions(void)
{
	return environment.sessions;
}

size_t engine_ticket_keys(struct engine_ticket_key keys[static ENGINE_TICKET_KEYS])
{
	const size_t n = environment.ticket_keys != NULL ? environment.ticket_keys(keys, ENGINE_TICKET_KEYS) : 0;

	return n <= ENGINE_TICKET_KEYS ? n : 0;
}

int tlshim_wolfcrypt_random(unsigned char *out, unsigned int len)
{
	return engine_random(out, len) ? 0 : -1;
}

/* ---- wolfCrypt's memory ---- */

/* In front of every block of wolfCrypt's; keeps the alignment. */
struct block_head {
	_Alignas(16) size_t len;
};

static void *wolfcrypt_alloc(size_t size)
{
	struct block_head *head =
		size <= SIZE_MAX - sizeof(*head) ? engine_alloc(sizeof(*head) + size) : NULL;

	if (head == NULL) {
		return NULL;
	}
	head->len = size;
	return head + 1;
}

static void wolfcrypt_release(void *ptr)
{
	if (ptr != NULL) {
		struct block_head *head = (struct block_head *)ptr - 1;

		secret_wipe(head, sizeof(*head) + head->len);
		engine_release(head);
	}
}

/* Always to another place: realloc() would leave the old one as it was. */
static void *wolfcrypt_resize(void *ptr, size_t size)
{
	void *moved = wolfcrypt_alloc(size);

	if (moved != NULL && ptr != NULL) {
		const size_t len = ((struct block_head *)ptr - 1)->len;

		memcpy(moved, ptr, len < size ? len : size);
		wolfcrypt_release(ptr);
	}
	return moved;
}

/* ---- start ---- */

/* SHA-256 and AES-128-GCM with known answers, and a random source that answers. */
static bool self_test(void)
{
	/* FIPS 180-2 B.1: SHA-256 of "abc" */
	static const uint8_t abc_digest[32] = {
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
		0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
		0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
	};
	/* AES-GCM test case 2 of the GCM specification: zero key, zero nonce, one zero block */
	static const uint8_t gcm_answer[32] = {
		0x03, 0x88, 0xda, 0xce, 0x60, 0xb6, 0xa3, 0x92, 0xf3, 0x28, 0xc2,
		0xb9, 0x71, 0xb2, 0xfe, 0x78, 0xab, 0x6e, 0x47, 0xd4, 0x2c, 0xec,
		0x13, 0xbd, 0xf5, 0x3a, 0x67, 0xb2, 0x12, 0x57, 0xbd, 0xdf,
	};
	static const uint8_t zeros[16];
	uint8_t digest[CRYPTO_MAX_HASH_LEN];
	uint8_t sealed[32];
	struct crypto_aead_ctx *aead = crypto_aead_new();
	bool ok;

	ok = aead != NULL && crypto_digest(CRYPTO_SHA256, (const uint8_t *)"abc", 3, digest) &&
	     memcmp(digest, abc_digest, sizeof(abc_digest)) == 0 &&
	     crypto_aead_set_key(aead, CRYPTO_AES_128_GCM, zeros) &&
	     crypto_aead_seal(aead, zeros, zeros, 0, zeros, sizeof(zeros), sealed) &&
	     memcmp(sealed, gcm_answer, sizeof(gcm_answer)) == 0 && engine_random(digest, sizeof(digest));
	crypto_aead_free(aead);
	return ok;
}

bool engine_init(const struct engine_env *env)
{
	if (env->random == NULL || env->now == NULL) {
		return false;
	}
	/* all or none: memory from one allocator cannot go back to another */
	if ((env->alloc == NULL) != (env->release == NULL) || (env->alloc == NULL) != (env->resize == NULL)) {
		return false;
	}
	environment = *env;
	return wolfSSL_SetAllocators(wolfcrypt_alloc, wolfcrypt_release, wolfcrypt_resize) == 0 &&
	       wolfCrypt_Init() == 0 && self_test();
}
