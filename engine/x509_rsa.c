/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RSA over wolfCrypt.
 *
 * Implementation notes: wolfCrypt's padded operations keep their progress in the key, so they are not used:
 * wc_RsaFunction() only reads it, as long as it succeeds, and blocks are built and checked here. That lets a
 * private key be prepared once and shared by threads, and keeps eight kilobytes off each handshake. Moduli of
 * 2048, 3072 and 4096 bits run in constant-time code of fixed length, others in general code that is blinded.
 */
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "cpu.h"
#include "crypto.h"
#include "secret.h"
#include "x509_rsa.h"

#define PSS_TRAILER 0xbc

struct rsa_private {
	RsaKey key;
	size_t len;
	uint8_t n[RSA_MAX_LEN];
};

struct rsa_private *rsa_private_new(const struct rsa_numbers *numbers)
{
	const struct view n = numbers->n;
	struct rsa_private *made;

	if (n.len > RSA_MAX_LEN) {
		return NULL;
	}
	made = engine_alloc(sizeof(*made));
	if (made == NULL || wc_InitRsaKey(&made->key, NULL) != 0) {
		engine_release(made);
		return NULL;
	}
	made->len = n.len;
	memcpy(made->n, n.data, n.len);
	if (wc_RsaPrivateKeyDecodeRaw(
		    n.data, (word32)n.len, numbers->e.data, (word32)numbers->e.len, numbers->d.data,
		    (word32)numbers->d.len, numbers->qinv.data, (word32)numbers->qinv.len, numbers->p.data,
		    (word32)numbers->p.len, numbers->q.data, (word32)numbers->q.len, numbers->dp.data,
		    (word32)numbers->dp.len, numbers->dq.data, (word32)numbers->dq.len, &made->key) != 0) {
		rsa_private_free(made);
		return NULL;
	}
	return made;
}

void rsa_private_free(struct rsa_private *key)
{
	if (key != NULL) {
		(void)wc_FreeRsaKey(&key->key);
		secret_wipe(key, sizeof(*key));
		engine_release(key);
	}
}

size_t rsa_private_len(const struct rsa_private *key)
{
	return key->len;
}

/* Both are public: in is what came over the wire, or a block that begins with a zero. */
static bool is_below(const uint8_t *in, const uint8_t *n, size_t len)
{
	return memcmp(in, n, len) < 0;
}

bool rsa_private_raw(const struct rsa_private *key, const uint8_t *in, uint8_t *out)
{
	WC_RNG rng;
	word32 len = (word32)key->len;
	int ret;

	if (!is_below(in, key->n, key->len) || wc_InitRng(&rng) != 0) {
		return false;
	}
	/* not const to wolfCrypt, which writes to it only when it fails, and then what is there already */
	ret = wc_RsaFunction(in, (word32)key->len, out, &len, RSA_PRIVATE_DECRYPT, (RsaKey *)&key->key, &rng);
	cpu_clear_upper_vectors();
	(void)wc_FreeRng(&rng);
	return ret == 0 && len == key->len;
}

bool rsa_private_undoes(const struct rsa_private *key, const uint8_t *in, const uint8_t *expected)
{
	uint8_t block[RSA_MAX_LEN];
	word32 len = sizeof(block);
	int ret = wc_RsaFunction(in, (word32)key->len, block, &len, RSA_PUBLIC_DECRYPT, (RsaKey *)&key->key,
				 NULL);

	cpu_clear_upper_vectors();
	return ret == 0 && len == key->len && memcmp(block, expected, len) == 0;
}

bool rsa_public_raw(const struct key_view *key, const uint8_t *in, uint8_t *out)
{
	word32 len = (word32)key->n.len;
	bool ok;
	RsaKey *rsa;

	if (!is_below(in, key->n.data, key->n.len)) {
		return false;
	}
	rsa = engine_alloc(sizeof(*rsa));
	if (rsa == NULL || wc_InitRsaKey(rsa, NULL) != 0) {
		engine_release(rsa);
		return false;
	}
	ok = wc_RsaPublicKeyDecodeRaw(key->n.data, (word32)key->n.len, key->e.data, (word32)key->e.len,
				      rsa) == 0 &&
	     wc_RsaFunction(in, (word32)key->n.len, out, &len, RSA_PUBLIC_DECRYPT, rsa, NULL) == 0 &&
	     len == key->n.len;
	(void)wc_FreeRsaKey(rsa);
	engine_release(rsa);
	cpu_clear_upper_vectors();
	return ok;
}

/* ---- blocks ---- */

/* 00 01 ff ... ff 00 and the DigestInfo, or for TLS 1.0 and 1.1 the bare digests. */
static void build_pkcs1(enum signature_hash hash, const uint8_t *digest, size_t len, uint8_t *block)
{
	uint8_t info[SIGNATURE_MAX_DIGEST_INFO];
	size_t info_len = signature_digest_info(hash, digest, info);
	size_t pad_len = len - 3 - info_len;

	block[0] = 0;
	block[1] = 1;
	memset(block + 2, 0xff, pad_len);
	block[2 + pad_len] = 0;
	memcpy(block + 3 + pad_len, info, info_len);
}

/* XOR the mask that belongs to seed, a digest, to data.  RFC 8017 B.2.1 */
static bool mask_mgf1(enum signature_hash hash, const uint8_t *seed, uint8_t *data, size_t len)
{
	const size_t hash_len = signature_hash_len(hash);
	uint8_t input[SIGNATURE_MAX_DIGEST + 4] = {0};
	uint8_t mask[SIGNATURE_MAX_DIGEST];

	memcpy(input, seed, hash_len);
	for (size_t at = 0; at < len; at++) {
		if (at % hash_len == 0) {
			/* RSA_MAX_LEN needs 16 rounds, so one byte counts them */
			input[hash_len + 3] = (uint8_t)(at / hash_len);
			if (!signature_digest(hash, input, hash_len + 4, mask)) {
				return false;
			}
		}
		data[at] ^= mask[at % hash_len];
	}
	return true;
}

/* The hash of eight zeros, digest and salt.  RFC 8017 9.1.1 step 6 */
static bool hash_salted(enum signature_hash hash, const uint8_t *digest, const uint8_t *salt, size_t salt_len,
			uint8_t out[static SIGNATURE_MAX_DIGEST])
{
	const size_t hash_len = signature_hash_len(hash);
	uint8_t input[8 + SIGNATURE_MAX_DIGEST + RSA_MAX_LEN] = {0};

	memcpy(input + 8, digest, hash_len);
	memcpy(input + 8 + hash_len, salt, salt_len);
	return signature_digest(hash, input, 8 + hash_len + salt_len, out);
}

/* A PSS block: zeros, 01 and salt behind a mask; the salted hash; bc. */
struct pss_block {
	uint8_t *db; /* what is masked */
	size_t db_len;
	uint8_t top_bits; /* those that there are in its first byte */
	uint8_t *salt;    /* the end of it */
	size_t salt_len;
	uint8_t *salted;
	uint8_t *trailer;
};

static bool lay_out_pss(struct signature_algorithm how, unsigned bits, uint8_t *block, struct pss_block *out)
{
	const size_t hash_len = signature_hash_len(how.hash);
	const int salt_len = (int)hash_len + how.more_salt;
	const unsigned em_bits = bits - 1;
	const size_t em_len = (em_bits + 7) / 8;

	if (how.hash > SIGNATURE_SHA512 || salt_len < 0 || em_len < hash_len + (size_t)salt_len + 2) {
		return false;
	}
	/* a modulus of one bit more than whole bytes has a zero in front */
	out->db = block + ((bits + 7) / 8 - em_len);
	out->db_len = em_len - hash_len - 1;
	out->top_bits = (uint8_t)(0xff >> (8 * em_len - em_bits));
	out->salt_len = (size_t)salt_len;
	out->salt = out->db + out->db_len - out->salt_len;
	out->salted = out->db + out->db_len;
	out->trailer = out->salted + hash_len;
	return true;
}

static bool build_pss(struct signature_algorithm how, const uint8_t *digest, unsigned bits, uint8_t *block)
{
	uint8_t salted[SIGNATURE_MAX_DIGEST];
	struct pss_block parts;

	if (!lay_out_pss(how, bits, block, &parts)) {
		return false;
	}
	memset(block, 0, (bits + 7) / 8);
	parts.salt[-1] = 1;
	if (!engine_random(parts.salt, parts.salt_len) ||
	    !hash_salted(how.hash, digest, parts.salt, parts.salt_len, salted)) {
		return false;
	}
	memcpy(parts.salted, salted, signature_hash_len(how.hash));
	if (!mask_mgf1(how.hash, salted, parts.db, parts.db_len)) {
		return false;
	}
	parts.db[0] &= parts.top_bits;
	*parts.trailer = PSS_TRAILER;
	return true;
}

static bool check_pss(struct signature_algorithm how, const uint8_t *digest, unsigned bits, uint8_t *block)
{
	uint8_t salted[SIGNATURE_MAX_DIGEST];
	struct pss_block parts;
	uint8_t padding = 0;

	if (!lay_out_pss(how, bits, block, &parts) || (parts.db != block && block[0] != 0) ||
	    (parts.db[0] & ~parts.top_bits) != 0 || *parts.trailer != PSS_TRAILER ||
	    !mask_mgf1(how.hash, parts.salted, parts.db, parts.db_len)) {
		return false;
	}
	parts.db[0] &= parts.top_bits;
	for (const uint8_t *at = parts.db; at < parts.salt - 1; at++) {
		padding |= *at;
	}
	return padding == 0 && parts.salt[-1] == 1 &&
	       hash_salted(how.hash, digest, parts.salt, parts.salt_len, salted) &&
	       memcmp(parts.salted, salted, signature_hash_len(how.hash)) == 0;
}

bool rsa_block_build(struct signature_algorithm how, const uint8_t *digest, unsigned bits, uint8_t *block)
{
	if (how.kind == SIGNATURE_RSA_PSS) {
		return build_pss(how, digest, bits, block);
	}
	build_pkcs1(how.hash, digest, (bits + 7) / 8, block);
	return how.kind == SIGNATURE_RSA_PKCS1;
}

bool rsa_block_check(struct signature_algorithm how, const uint8_t *digest, unsigned bits, uint8_t *block)
{
	uint8_t expected[RSA_MAX_LEN];

	if (how.kind == SIGNATURE_RSA_PSS) {
		return check_pss(how, digest, bits, block);
	}
	/* compared whole with what it must be: nothing in it is parsed */
	build_pkcs1(how.hash, digest, (bits + 7) / 8, expected);
	return how.kind == SIGNATURE_RSA_PKCS1 && memcmp(block, expected, (bits + 7) / 8) == 0;
}
