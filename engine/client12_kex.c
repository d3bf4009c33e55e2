/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key exchange of the client of TLS 1.2 and older: ECDHE, DHE, and RSA key transport.
 */
#include <string.h>

#include "client12.h"
#include "flight12.h"
#include "secret.h"

/* ECCurveType, RFC 8422 5.4 */
#define NAMED_CURVE 3

#define DH_MIN_BITS 2048
#define DH_MAX_BITS 4096

/* ---- ServerKeyExchange ---- */

/* The parameters of either kind, as views. */
struct params {
	const struct group *group; /* ECDHE; DHE: NULL unless it is one of RFC 7919 */
	struct rd p, g;            /* DHE */
	struct rd share;
};

/* ServerECDHParams, RFC 8422 5.4 */
static bool parse_ecdhe(struct engine_hs *hs, struct rd *in, struct params *params)
{
	uint8_t type;
	uint16_t curve;

	if (!rd_u8(in, &type)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed ServerKeyExchange");
	}
	/* what follows another type has another form */
	if (type != NAMED_CURVE) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "the server chose a curve without a name");
	}
	if (!rd_u16(in, &curve) || !rd_vec8(in, &params->share, 1, UINT8_MAX)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed ServerKeyExchange");
	}
	params->group = group_find(curve);
	if (params->group == NULL || params->group->is_ffdhe || params->group->tls13_only ||
	    !group_is_allowed(&hs->config->algorithms, curve)) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "the server chose a group that it was not offered");
	}
	return true;
}

/* A number without the zeros in front of it. */
static struct rd strip(struct rd number)
{
	struct rd rest = number;
	uint8_t byte;

	while (rd_u8(&rest, &byte) && byte == 0) {
		number = rest;
	}
	return number;
}

static size_t bits_of(struct rd number)
{
	uint8_t first = 0;
	size_t bits;

	number = strip(number);
	bits = number.left * 8;
	if (!rd_u8(&number, &first)) {
		return 0;
	}
	for (; (first & 0x80) == 0; first = (uint8_t)(first << 1)) {
		bits--;
	}
	return bits;
}

/* Which group of RFC 7919 is it? NULL: one of the server's own. */
static const struct group *known_group(struct rd p)
{
	static const uint16_t ids[] = {0x0100, 0x0101, 0x0102};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const struct group *group = group_find(ids[i]);

		if (group != NULL && rd_equal(p, rd_of(crypto_ffdhe_prime(group->group),
						       crypto_group_share_len(group->group)))) {
			return group;
		}
	}
	return NULL;
}

/* ServerDHParams, RFC 5246 7.4.3; RFC 7919 3 */
static bool parse_dhe(struct engine_hs *hs, struct rd *in, struct params *params)
{
	size_t bits;

	if (!rd_vec16(in, &params->p, 1, UINT16_MAX) || !rd_vec16(in, &params->g, 1, UINT16_MAX) ||
	    !rd_vec16(in, &params->share, 1, UINT16_MAX)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed ServerKeyExchange");
	}
	params->p = strip(params->p);
	bits = bits_of(params->p);
	if (bits < DH_MIN_BITS) {
		return hs_fail(hs, ALERT_INSUFFICIENT_SECURITY, "the server's DH group is too small");
	}
	if (bits > DH_MAX_BITS) {
		return hs_fail(hs, ALERT_HANDSHAKE_FAILURE, "the server's DH group is too large");
	}
	params->group = known_group(params->p);
	if (params->group != NULL && !group_is_allowed(&hs->config->algorithms, params->group->id)) {
		return hs_fail(hs, ALERT_HANDSHAKE_FAILURE,
			       "the server chose a DH group that the policy does not want");
	}
	return true;
}

/* The signature covers both randoms and the parameters. RFC 5246 7.4.3 */
static bool check_signature(struct engine_hs *hs, struct rd signature, struct rd params)
{
	struct wr content;
	bool ok;

	wr_init_heap(&content);
	wr_bytes(&content, hs->hs12.client_random, HS_RANDOM_LEN);
	wr_bytes(&content, hs->hs12.server_random, HS_RANDOM_LEN);
	wr_bytes(&content, params.p, params.left);
	ok = content.failed ? hs_fail_internal(hs, "ServerKeyExchange")
			    : hs12_check_signature(hs, signature, rd_of(content.data, content.len));
	wr_free(&content);
	return ok;
}

/* Our half, with the premaster secret; false if the server's is none. */
static bool answer(struct engine_hs *hs, const struct params *params)
{
	const bool is_ecdhe = hs->suite->kx == KX_ECDHE;
	const size_t share_len = is_ecdhe ? crypto_group_share_len(params->group->group) : params->p.left;
	struct hs12 *hs12 = &hs->hs12;
	uint8_t *share = wr_room(&hs->shares[0].bytes, share_len);
	uint8_t room[CRYPTO_MAX_SHARE_LEN];
	struct crypto_kex *kex;
	bool ok;

	if (share == NULL) {
		return hs_fail_internal(hs, "key share");
	}
	if (is_ecdhe) {
		kex = crypto_kex_begin(params->group->group, room);
		if (kex == NULL) {
			return hs_fail_internal(hs, "key share");
		}
		ok = crypto_kex_finish(kex, params->share.p, params->share.left, hs12->premaster,
				       &hs12->premaster_len);
		crypto_kex_free(kex);
		if (!ok) {
			return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
				       "the server's key share is no valid point");
		}
	} else if (!crypto_dh_answer(params->p.p, params->p.left, params->g.p, params->g.left,
				     params->share.p, params->share.left, room, hs12->premaster,
				     &hs12->premaster_len)) {
		return hs_fail(hs, ALERT_HANDSHAKE_FAILURE, "the server's DH group or share is no valid one");
	}
	memcpy(share, room, share_len);
	hs->group = params->group;
	return true;
}

bool client12_take_key_exchange(struct engine_hs *hs, struct rd body)
{
	struct params params = {.group = NULL};
	struct rd in = body;

	if (!(hs->suite->kx == KX_ECDHE ? parse_ecdhe(hs, &in, &params) : parse_dhe(hs, &in, &params)) ||
	    !check_signature(hs, in, rd_of(body.p, body.left - in.left))) {
		return false;
	}
	public_key_free(hs->peer_key);
	hs->peer_key = NULL;
	return answer(hs, &params);
}

/* ---- ClientKeyExchange ---- */

/* The version in the premaster secret is the one that our ClientHello named. RFC 5246 7.4.7.1 */
static bool transport_premaster(struct engine_hs *hs, struct wr *out)
{
	const uint16_t version = hs->offered_version < ENGINE_TLS12 ? hs->offered_version : ENGINE_TLS12;
	struct hs12 *hs12 = &hs->hs12;
	uint8_t encrypted[CRYPTO_MAX_DH_LEN];
	size_t len = 0;

	hs12->premaster_len = PREMASTER_LEN;
	if (!engine_random(hs12->premaster, PREMASTER_LEN)) {
		return hs_fail_internal(hs, "random numbers");
	}
	hs12->premaster[0] = (uint8_t)(version >> 8);
	hs12->premaster[1] = (uint8_t)version;
	if (!public_key_encrypt_premaster(hs->peer_key, hs12->premaster, encrypted, sizeof(encrypted),
					  &len)) {
		return hs_fail_internal(hs, "encrypting the premaster secret");
	}
	public_key_free(hs->peer_key);
	hs->peer_key = NULL;
	wr_u16(out, (uint16_t)len);
	wr_bytes(out, encrypted, len);
	return true;
}

bool client12_send_key_exchange(struct engine_hs *hs)
{
	const struct wr *share = &hs->shares[0].bytes;
	struct wr *out = hs_begin(hs, HS_CLIENT_KEY_EXCHANGE);

	if (hs->suite->kx == KX_RSA) {
		if (!transport_premaster(hs, out)) {
			return false;
		}
	} else {
		if (hs->suite->kx == KX_ECDHE) {
			wr_u8(out, (uint8_t)share->len);
		} else {
			wr_u16(out, (uint16_t)share->len);
		}
		wr_bytes(out, share->data, share->len);
	}
	hs_shares_free(hs);
	/* the extended master secret covers this message too */
	return hs_end(hs) && hs12_set_premaster(hs, hs->hs12.premaster, hs->hs12.premaster_len);
}
