/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's side of the key exchanges of TLS 1.2 and older: ECDHE, DHE with the groups of RFC 7919, RSA.
 * RFC 5246 7.4.3, 7.4.7; RFC 8422 5.4, 5.7
 */
#include <string.h>

#include "secret.h"
#include "server12.h"

#define CURVE_TYPE_NAMED 3
#define FFDHE_GENERATOR  2

/* ---- ServerKeyExchange ---- */

/* ServerECDHParams, RFC 8422 5.4 */
static void write_ecdh_params(struct wr *out, const struct group *group, const uint8_t *share, size_t len)
{
	size_t mark;

	wr_u8(out, CURVE_TYPE_NAMED);
	wr_u16(out, group->id);
	mark = wr_open8(out);
	wr_bytes(out, share, len);
	wr_close8(out, mark);
}

/* ServerDHParams, RFC 5246 7.4.3; the modulus is as long as a share. */
static void write_dh_params(struct wr *out, const struct group *group, const uint8_t *share, size_t len)
{
	size_t mark = wr_open16(out);

	wr_bytes(out, crypto_ffdhe_prime(group->group), len);
	wr_close16(out, mark);
	mark = wr_open16(out);
	wr_u8(out, FFDHE_GENERATOR);
	wr_close16(out, mark);
	mark = wr_open16(out);
	wr_bytes(out, share, len);
	wr_close16(out, mark);
}

/* What is signed: both randoms and our parameters. */
static bool build_content(struct engine_hs *hs, struct wr *content)
{
	const size_t len = crypto_group_share_len(hs->group->group);
	uint8_t share[CRYPTO_MAX_SHARE_LEN];

	crypto_kex_free(hs->kex);
	hs->kex = crypto_kex_begin(hs->group->group, share);
	if (hs->kex == NULL) {
		return hs_fail_internal(hs, "key exchange");
	}
	wr_bytes(content, hs->hs12.client_random, HS_RANDOM_LEN);
	wr_bytes(content, hs->hs12.server_random, HS_RANDOM_LEN);
	if (hs->group->is_ffdhe) {
		write_dh_params(content, hs->group, share, len);
	} else {
		write_ecdh_params(content, hs->group, share, len);
	}
	return !content->failed || hs_fail_internal(hs, "ServerKeyExchange");
}

bool server12_send_key_exchange(struct engine_hs *hs)
{
	struct wr content;
	struct wr *out;
	bool ok;

	if (hs->suite->kx == KX_RSA) {
		return true;
	}
	wr_init_heap(&content);
	ok = build_content(hs, &content);
	if (ok) {
		out = hs_begin(hs, HS_SERVER_KEY_EXCHANGE);
		wr_bytes(out, content.data + 2 * HS_RANDOM_LEN, content.len - 2 * HS_RANDOM_LEN);
		ok = hs12_write_signature(hs, rd_of(content.data, content.len), out) && hs_end(hs);
	}
	wr_free(&content);
	return ok;
}

/* ---- ClientKeyExchange ---- */

static bool finish(struct engine_hs *hs, struct rd share, uint8_t *out, size_t *len)
{
	const bool ok = crypto_kex_finish(hs->kex, share.p, share.left, out, len);

	crypto_kex_free(hs->kex);
	hs->kex = NULL;
	return ok || hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the client's key share is no valid one");
}

/* ClientECDiffieHellmanPublic, RFC 8422 5.7 */
static bool read_ecdh(struct engine_hs *hs, struct rd in, uint8_t *out, size_t *len)
{
	struct rd point;

	if (!rd_vec8(&in, &point, 1, UINT8_MAX) || !rd_end(&in)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed ClientKeyExchange");
	}
	return finish(hs, point, out, len);
}

/* Zeros in front of a number mean nothing: what is behind them. */
static struct rd without_zeros(struct rd number)
{
	struct rd rest = number;
	uint8_t byte;

	while (rd_u8(&rest, &byte) && byte == 0) {
		number = rest;
	}
	return number;
}

/*
 * ClientDiffieHellmanPublic, RFC 5246 7.4.7.2. The share comes as any number does, with or without
 * zeros in front; the secret is used without them: 8.1.2.
 */
static bool read_dh(struct engine_hs *hs, struct rd in, uint8_t *out, size_t *len)
{
	const size_t share_len = crypto_group_share_len(hs->group->group);
	uint8_t share[CRYPTO_MAX_DH_LEN] = {0};
	struct rd number;
	size_t zeros = 0;

	/* no bytes at all are a 0, which is a number out of range rather than a message out of form */
	if (!rd_vec16(&in, &number, 0, UINT16_MAX) || !rd_end(&in)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed ClientKeyExchange");
	}
	number = without_zeros(number);
	if (share_len > sizeof(share) || number.left > share_len) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the client's key share is no valid one");
	}
	if (!rd_copy(&number, share + (share_len - number.left), number.left)) {
		return hs_fail_internal(hs, "ClientKeyExchange");
	}
	if (!finish(hs, rd_of(share, share_len), out, len)) {
		return false;
	}
	/* the time that the PRF takes may tell how many they were: of a key pair that is never used again */
	while (zeros < *len && out[zeros] == 0) {
		zeros++;
	}
	*len -= zeros;
	memmove(out, out + zeros, *len);
	secret_wipe(out + *len, zeros);
	return true;
}

/* EncryptedPreMasterSecret, RFC 5246 7.4.7.1: whatever is in it, it only shows in Finished. */
static bool read_rsa(struct engine_hs *hs, struct rd in, uint8_t *out, size_t *len)
{
	struct rd encrypted;

	if (!rd_vec16(&in, &encrypted, 0, UINT16_MAX) || !rd_end(&in)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed ClientKeyExchange");
	}
	*len = PREMASTER_LEN;
	return private_key_decrypt_premaster(hs->credential->key, encrypted.p, encrypted.left,
					     hs->hs12.client_version, out) == ENGINE_OK ||
	       hs_fail_internal(hs, "decrypting a premaster secret");
}

bool server12_read_key_exchange(struct engine_hs *hs, struct rd in, uint8_t *out, size_t *len)
{
	switch (hs->suite->kx) {
	case KX_ECDHE:
		return read_ecdh(hs, in, out, len);
	case KX_DHE:
		return read_dh(hs, in, out, len);
	case KX_RSA:
		return read_rsa(hs, in, out, len);
	case KX_TLS13:
		break;
	}
	return hs_fail_internal(hs, "key exchange");
}
