/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RSA key transport: the block around a premaster secret, made and opened.  RFC 5246 7.4.7.1, RFC 8017 7.2
 */
#include <string.h>

#include "crypto.h"
#include "secret.h"
#include "x509_rsa.h"

/* 00 02, at least eight other bytes, 00 */
#define PADDING_MIN_LEN 11

/* ct: 0xff if x is 0, else 0 */
static uint8_t mask_zero(uint8_t x)
{
	return (uint8_t)(((uint32_t)x - 1) >> 8);
}

void premaster_select(const uint8_t *block, size_t len, uint16_t version,
		      const uint8_t random[static PREMASTER_LEN], uint8_t out[static PREMASTER_LEN])
{
	/* a secret of another length leaves a zero in the padding, or none at its end */
	volatile uint8_t good = 0xff;

	if (len < PREMASTER_LEN + PADDING_MIN_LEN) { /* public */
		memcpy(out, random, PREMASTER_LEN);
	} else {
		const uint8_t *secret = block + len - PREMASTER_LEN;

		/* ct: from here to the end */
		good &= mask_zero(block[0]);
		good &= mask_zero(block[1] ^ 2);
		for (size_t i = 2; i < len - PREMASTER_LEN - 1; i++) {
			good &= (uint8_t)~mask_zero(block[i]);
		}
		good &= mask_zero(block[len - PREMASTER_LEN - 1]);
		for (size_t i = 0; i < PREMASTER_LEN; i++) {
			out[i] = (uint8_t)((secret[i] & good) | (random[i] & ~good));
		}
	}
	out[0] = (uint8_t)(version >> 8);
	out[1] = (uint8_t)version;
}

/* Fill with random bytes, none of them 0. */
static bool random_nonzero(uint8_t *out, size_t len)
{
	if (!engine_random(out, len)) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		while (out[i] == 0) {
			if (!engine_random(&out[i], 1)) {
				return false;
			}
		}
	}
	return true;
}

bool public_key_encrypt_premaster(const struct public_key *key, const uint8_t premaster[static PREMASTER_LEN],
				  uint8_t *out, size_t size, size_t *out_len)
{
	const struct key_view *view = public_key_view(key);
	const size_t len = view->n.len;
	uint8_t block[RSA_MAX_LEN];
	bool ok;

	if (view->kind != KEY_RSA || len > size || len < PREMASTER_LEN + PADDING_MIN_LEN) {
		return false;
	}
	block[0] = 0;
	block[1] = 2;
	block[len - PREMASTER_LEN - 1] = 0;
	memcpy(block + len - PREMASTER_LEN, premaster, PREMASTER_LEN);
	ok = random_nonzero(block + 2, len - PREMASTER_LEN - 3) && rsa_public_raw(view, block, out);
	secret_wipe(block, sizeof(block));
	secret_wipe_stack();
	*out_len = len;
	return ok;
}
