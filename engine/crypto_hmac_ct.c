/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HMAC in constant time over data whose length is secret: the time that the MAC of a CBC record takes
 * must not tell how long its padding was (the attack is known as Lucky Thirteen).
 *
 * Implementation notes
 *
 *   ct: The inner hash runs over as many blocks as the longest data would take. Block by block, the
 *   message is laid out with masks: head, data as far as it goes, the one bit, zeros, and the length in
 *   whichever block is the last. The digest behind each block is kept under a mask too, which lets only
 *   the right one through. head_len and max_len alone decide how often anything happens and which
 *   addresses are touched.
 */
#include "crypto.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/sha.h>
#include <wolfssl/wolfcrypt/sha256.h>
#include <wolfssl/wolfcrypt/sha512.h>

#include <string.h>

#include "ct.h"
#include "secret.h"

#define MAX_BLOCK_LEN 128
#define LANES         16

/* Bytes that are compared and masked at once; a truth is -1, by what the compiler's vectors promise. */
typedef int8_t lanes __attribute__((vector_size(LANES)));

static const lanes lane_numbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

union block {
	uint8_t bytes[MAX_BLOCK_LEN];
	lanes lanes[MAX_BLOCK_LEN / LANES];
};

/* A digest, or the running state of one. */
union digest {
	uint8_t bytes[CRYPTO_MAX_HASH_LEN];
	uint64_t words[CRYPTO_MAX_HASH_LEN / 8];
};

/* ct_less() and friends take 31 bits; TLS has 16384 bytes. */
#define MAX_MESSAGE_LEN (1u << 24)

/* A hash that can be looked at between two blocks. */
struct block_hash {
	enum crypto_hash hash;
	union {
		wc_Sha sha1;
		wc_Sha256 sha256;
		wc_Sha384 sha384;
	} state;
};

struct shape {
	uint32_t block_len, length_len;
	int block_bits; /* block_len is 1 << block_bits */
};

static struct shape shape_of(enum crypto_hash hash)
{
	switch (hash) {
	case CRYPTO_SHA1:
	case CRYPTO_SHA256:
		return (struct shape){WC_SHA256_BLOCK_SIZE, 8, 6};
	case CRYPTO_SHA384:
		return (struct shape){WC_SHA384_BLOCK_SIZE, 16, 7};
	default:
		return (struct shape){0, 0, 0};
	}
}

static bool block_hash_init(struct block_hash *h, enum crypto_hash hash)
{
	h->hash = hash;
	switch (hash) {
	case CRYPTO_SHA1:
		return wc_InitSha(&h->state.sha1) == 0;
	case CRYPTO_SHA256:
		return wc_InitSha256(&h->state.sha256) == 0;
	case CRYPTO_SHA384:
		return wc_InitSha384(&h->state.sha384) == 0;
	default:
		return false;
	}
}

/* Take one block; digest: the running digest behind it, without any padding. */
static bool block_hash_step(struct block_hash *h, const union block *block, union digest *digest)
{
	switch (h->hash) {
	case CRYPTO_SHA1:
		return wc_ShaUpdate(&h->state.sha1, block->bytes, WC_SHA_BLOCK_SIZE) == 0 &&
		       wc_ShaFinalRaw(&h->state.sha1, digest->bytes) == 0;
	case CRYPTO_SHA256:
		return wc_Sha256Update(&h->state.sha256, block->bytes, WC_SHA256_BLOCK_SIZE) == 0 &&
		       wc_Sha256FinalRaw(&h->state.sha256, digest->bytes) == 0;
	case CRYPTO_SHA384:
		return wc_Sha384Update(&h->state.sha384, block->bytes, WC_SHA384_BLOCK_SIZE) == 0 &&
		       wc_Sha384FinalRaw(&h->state.sha384, digest->bytes) == 0;
	default:
		return false;
	}
}

static void block_hash_wipe(struct block_hash *h)
{
	switch (h->hash) {
	case CRYPTO_SHA1:
		wc_ShaFree(&h->state.sha1);
		break;
	case CRYPTO_SHA256:
		wc_Sha256Free(&h->state.sha256);
		break;
	case CRYPTO_SHA384:
		wc_Sha384Free(&h->state.sha384);
		break;
	default:
		break;
	}
	secret_wipe(h, sizeof(*h));
}

struct message {
	const uint8_t *head, *data;
	uint32_t head_len, max_len;
	uint32_t len; /* ct: secret, of data */
};

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* What of head and data lies in the block at first, as if all max_len bytes counted; zeros behind. */
static void copy_block(union block *block, const struct shape *shape, const struct message *m, uint32_t first)
{
	const uint32_t n_head = first < m->head_len ? smaller(m->head_len - first, shape->block_len) : 0;
	const uint32_t from = first > m->head_len ? first - m->head_len : 0;
	const uint32_t n_data = from < m->max_len ? smaller(m->max_len - from, shape->block_len - n_head) : 0;

	memset(block, 0, sizeof(*block));
	if (n_head != 0) {
		memcpy(block->bytes, m->head + first, n_head);
	}
	if (n_data != 0) {
		memcpy(block->bytes + n_head, m->data + from, n_data);
	}
}

/*
 * Block number n of head || data || padding. last: the number of the block that ends with the length.
 * ct: of message.len and last
 */
static void lay_out(union block *block, const struct shape *shape, const struct message *m, uint32_t n,
		    uint32_t last)
{
	const uint32_t first = n << shape->block_bits;
	const uint32_t end = m->head_len + m->len;
	/* the position of the last byte of data in this block: 127 if it is behind, -1 or -2 if it is before */
	const uint32_t position = ct_select(ct_less(first + 127, end), 127,
					    ct_select(ct_less(end, first), (uint32_t)-2, end - first - 1));
	const lanes last_byte = (lanes){0} + (int8_t)position;
	const lanes one_bit = ~((lanes){0} + 0x7f); /* 0x80, of the padding */
	const uint32_t is_last = ct_equal(n, last);
	/* the padded key went before the message */
	const uint32_t n_bits = (shape->block_len + end) * 8;

	copy_block(block, shape, m, first);
	for (uint32_t i = 0; i < shape->block_len / LANES; i++) {
		const lanes at = lane_numbers + (int8_t)(i * LANES);

		block->lanes[i] = (block->lanes[i] & (at <= last_byte)) | (one_bit & (at - 1 == last_byte));
	}
	for (uint32_t i = 0; i < 4; i++) {
		block->bytes[shape->block_len - 4 + i] |= (uint8_t)((n_bits >> (24 - 8 * i)) & is_last);
	}
}

/* The key as one block, each byte exclusive-or'ed with pad.  RFC 2104 2 */
static bool pad_key(union block *block, enum crypto_hash hash, const struct shape *shape, const uint8_t *key,
		    size_t key_len, uint8_t pad)
{
	memset(block, 0, sizeof(*block));
	if (key_len > shape->block_len) {
		if (!crypto_digest(hash, key, key_len, block->bytes)) {
			return false;
		}
	} else if (key_len != 0) {
		memcpy(block->bytes, key, key_len);
	}
	for (uint32_t i = 0; i < shape->block_len; i++) {
		block->bytes[i] ^= pad;
	}
	return true;
}

/* Hash the message behind the padded key; ct: of m->len */
static bool hash_message(struct block_hash *h, const struct shape *shape, const struct message *m,
			 union digest *out)
{
	const uint32_t n_blocks = ((m->head_len + m->max_len + shape->length_len) >> shape->block_bits) + 1;
	const uint32_t last = (m->head_len + m->len + shape->length_len) >> shape->block_bits;
	union digest running = {.words = {0}};
	union block block;
	bool ok = true;

	memset(out, 0, sizeof(*out));
	for (uint32_t n = 0; ok && n < n_blocks; n++) {
		const uint64_t is_last = (uint64_t)0 - (ct_equal(n, last) & 1);

		lay_out(&block, shape, m, n, last);
		ok = block_hash_step(h, &block, &running);
		for (size_t i = 0; i < CRYPTO_MAX_HASH_LEN / 8; i++) {
			out->words[i] |= running.words[i] & is_last;
		}
	}
	secret_wipe(&block, sizeof(block));
	secret_wipe(&running, sizeof(running));
	return ok;
}

/* H(padded key || message) */
static bool hash_keyed(enum crypto_hash hash, const uint8_t *key, size_t key_len, uint8_t pad,
		       const struct message *m, union digest *out)
{
	const struct shape shape = shape_of(hash);
	struct block_hash h;
	union block block;
	bool ok;

	if (!block_hash_init(&h, hash)) {
		return false;
	}
	ok = pad_key(&block, hash, &shape, key, key_len, pad) && block_hash_step(&h, &block, out) &&
	     hash_message(&h, &shape, m, out);
	block_hash_wipe(&h);
	secret_wipe(&block, sizeof(block));
	return ok;
}

bool crypto_hmac_ct(enum crypto_hash hash, const uint8_t *key, size_t key_len, const uint8_t *head,
		    size_t head_len, const uint8_t *data, size_t len, size_t max_len,
		    uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	const struct message message = {head, data, (uint32_t)head_len, (uint32_t)max_len,
					ct_hide((uint32_t)len)};
	union digest inner, outer;
	const struct message inner_digest = {inner.bytes, NULL, (uint32_t)crypto_hash_len(hash), 0, 0};
	bool ok = head_len <= MAX_MESSAGE_LEN && max_len <= MAX_MESSAGE_LEN &&
		  hash_keyed(hash, key, key_len, 0x36, &message, &inner) &&
		  hash_keyed(hash, key, key_len, 0x5c, &inner_digest, &outer);

	if (ok) {
		memcpy(out, outer.bytes, crypto_hash_len(hash));
	}
	secret_wipe(&inner, sizeof(inner));
	secret_wipe(&outer, sizeof(outer));
	secret_wipe_stack();
	return ok;
}
