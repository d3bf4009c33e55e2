/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ClientHello of TLS 1.2 or older: what it offers, and what is chosen of it.
 *
 * Implementation notes
 *
 *   A suite says how a key is used: to sign as ECDSA or as RSA, or to decrypt. For each use, the
 *   best credential is found first: one whose certificate fits the server name before others, then
 *   one with a chain that the client says it can verify, then the first. The suite is the best one
 *   of ours that the client has, for whose use there is such a credential; suites for which only a
 *   worse credential is there come behind all others.
 */
#include <string.h>

#include "server12.h"

#define EMPTY_RENEGOTIATION_INFO_SCSV 0x00ff
#define STATUS_TYPE_OCSP              1
#define POINT_UNCOMPRESSED            0
#define RECORD_SIZE_LIMIT_MIN         64
/* FFDHE groups and numbers reserved for more, RFC 7919 2 */
#define FFDHE_FIRST                   0x0100
#define FFDHE_LAST                    0x01ff
/* Plain signatures of either kind: a key that can make them in TLS 1.2 can sign in TLS 1.0 and 1.1. */
#define SCHEME_RSA_PKCS1_SHA256       0x0401
#define SCHEME_ECDSA_SHA256           0x0403

static bool rd_has_u8(struct rd list, uint8_t wanted)
{
	uint8_t value;

	while (rd_u8(&list, &value)) {
		if (value == wanted) {
			return true;
		}
	}
	return false;
}

/* ---- taking the offer apart ---- */

/* An extension whose whole meaning is that it is there. */
static bool is_flag_or_absent(const struct ext_block *block, enum ext_index index)
{
	return !ext_has(block, index) || rd_end(&block->body[index]);
}

static bool parse_list(const struct ext_block *block, enum ext_index index, struct rd *list)
{
	return !ext_has(block, index) || ext_parse_u16_list(block->body[index], list);
}

/* CertificateStatusRequest, RFC 6066 8; of another type, all else may be anything. */
static bool parse_status_request(const struct ext_block *block, bool *wants_ocsp)
{
	struct rd in = block->body[EXT_STATUS_REQUEST];
	struct rd responder_ids;
	struct rd extensions;
	uint8_t type;

	if (!ext_has(block, EXT_STATUS_REQUEST)) {
		return true;
	}
	if (!rd_u8(&in, &type)) {
		return false;
	}
	*wants_ocsp = type == STATUS_TYPE_OCSP;
	return !*wants_ocsp || (rd_vec16(&in, &responder_ids, 0, UINT16_MAX) &&
				rd_vec16(&in, &extensions, 0, UINT16_MAX) && rd_end(&in));
}

/* Null must be among the methods, and is what we choose. RFC 5246 7.4.1.2 */
static bool judge_compression(struct engine_hs *hs, const struct client_hello *hello)
{
	return rd_has_u8(hello->legacy_compression_methods, 0) ||
	       hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "a ClientHello that does not offer the null compression");
}

/* RFC 8422 5.1.2 */
static bool judge_point_formats(struct engine_hs *hs, const struct ext_block *block)
{
	struct rd in = block->body[EXT_EC_POINT_FORMATS];
	struct rd formats;

	if (!ext_has(block, EXT_EC_POINT_FORMATS)) {
		return true;
	}
	if (!rd_vec8(&in, &formats, 1, UINT8_MAX) || !rd_end(&in)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed ec_point_formats");
	}
	return rd_has_u8(formats, POINT_UNCOMPRESSED) ||
	       hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "ec_point_formats without the uncompressed form");
}

/* RFC 8449 4; behind this, it is how much we may put into a record. */
static bool judge_size_limit(struct engine_hs *hs, const struct ext_block *block, uint16_t *limit)
{
	if (!ext_has(block, EXT_RECORD_SIZE_LIMIT)) {
		return true;
	}
	if (!ext_parse_u16(block->body[EXT_RECORD_SIZE_LIMIT], limit)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed record_size_limit");
	}
	if (*limit < RECORD_SIZE_LIMIT_MIN) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "a record_size_limit below 64");
	}
	if (*limit > ENGINE_MAX_PLAINTEXT) {
		*limit = ENGINE_MAX_PLAINTEXT;
	}
	return true;
}

/* RFC 5746 3.6, 3.7; RFC 7627: what proved more than the old verify_data is not taken back. */
static bool judge_renegotiation(struct engine_hs *hs, const struct offer12 *offer)
{
	const struct ext_block *block = offer->block;

	if (hs->renegotiating && hs->conn->extended_master_secret &&
	    !ext_has(block, EXT_EXTENDED_MASTER_SECRET)) {
		return hs_fail(hs, ALERT_HANDSHAKE_FAILURE,
			       "the client renegotiates extended_master_secret away");
	}
	if (hs->renegotiating && offer->has_scsv) {
		return hs_fail(hs, ALERT_HANDSHAKE_FAILURE,
			       "a ClientHello that renegotiates, with TLS_EMPTY_RENEGOTIATION_INFO_SCSV");
	}
	if (!hs12_judge_renegotiation_info(hs, ext_has(block, EXT_RENEGOTIATION_INFO)
						       ? &block->body[EXT_RENEGOTIATION_INFO]
						       : NULL)) {
		return false;
	}
	if (offer->has_scsv) {
		hs->hs12.secure_renegotiation = true;
	}
	return true;
}

static bool parse_offer(struct engine_hs *hs, struct offer12 *offer)
{
	const struct ext_block *block = offer->block;

	if (!parse_list(block, EXT_SIGNATURE_ALGORITHMS, &offer->schemes)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed signature_algorithms");
	}
	offer->chain_schemes = offer->schemes;
	if (!parse_list(block, EXT_SIGNATURE_ALGORITHMS_CERT, &offer->chain_schemes)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed signature_algorithms_cert");
	}
	if (!parse_list(block, EXT_SUPPORTED_GROUPS, &offer->groups)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed supported_groups");
	}
	if (!parse_status_request(block, &offer->wants_ocsp)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed status_request");
	}
	if (!is_flag_or_absent(block, EXT_EXTENDED_MASTER_SECRET)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed extended_master_secret");
	}
	if (!is_flag_or_absent(block, EXT_ENCRYPT_THEN_MAC)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed encrypt_then_mac");
	}
	return true;
}

bool server12_take_offer(struct engine_hs *hs, const struct client_hello *hello,
			 const struct ext_block *block, struct offer12 *offer)
{
	*offer = (struct offer12){
		.hello = hello,
		.block = block,
		.has_scsv = rd_has_u16(hello->cipher_suites, EMPTY_RENEGOTIATION_INFO_SCSV),
	};
	if (!parse_offer(hs, offer) || !judge_compression(hs, hello) || !judge_point_formats(hs, block) ||
	    !judge_size_limit(hs, block, &offer->size_limit) || !judge_renegotiation(hs, offer)) {
		return false;
	}
	hs->hs12.extended_master_secret = ext_has(block, EXT_EXTENDED_MASTER_SECRET);
	hs->hs12.client_version = hello->legacy_version;
	hs->send_limit = offer->size_limit;
	return true;
}

/* ---- credentials ---- */

/* What a suite wants of our key. */
enum use { USE_SIGN_ECDSA, USE_SIGN_RSA, USE_DECRYPT, USE_COUNT };

/* The best credential for a use. */
struct candidate {
	const struct credential *credential; /* NULL: none */
	uint16_t scheme;                     /* to sign with; 0: none is needed */
	unsigned score;
};

#define SCORE_CHAIN 1 /* the client can verify how the chain is signed */
#define SCORE_NAME  2 /* it is for the server name */
#define SCORE_BEST  (SCORE_CHAIN + SCORE_NAME)

static enum use use_of(const struct suite *suite)
{
	if (suite->kx == KX_RSA) {
		return USE_DECRYPT;
	}
	return suite->auth == AUTH_RSA ? USE_SIGN_RSA : USE_SIGN_ECDSA;
}

/*
 * Can the key sign in TLS 1.0 and 1.1, which have no schemes? Not Ed25519, nor RSA that is for
 * RSASSA-PSS only.
 */
static bool can_sign_old(const struct private_key *key)
{
	uint16_t ours[SCHEMES_MAX];
	const size_t n = private_key_schemes(key, false, ours, SCHEMES_MAX);

	for (size_t i = 0; i < n; i++) {
		if (ours[i] == SCHEME_RSA_PKCS1_SHA256 || ours[i] == SCHEME_ECDSA_SHA256) {
			return true;
		}
	}
	return false;
}

/*
 * Our best scheme for this key that the client takes; 0 if there is none. A client that names none
 * takes SHA-1, which is not among ours: RFC 5246 7.4.1.4.1, RFC 9155 2.
 */
static uint16_t common_scheme(const struct engine_hs *hs, const struct private_key *key, struct rd schemes)
{
	uint16_t ours[SCHEMES_MAX];
	const size_t n = private_key_schemes(key, false, ours, SCHEMES_MAX);

	for (size_t i = 0; i < n; i++) {
		const struct scheme *scheme = scheme_find(ours[i]);

		if (scheme != NULL && scheme->tls12 && scheme_is_allowed(&hs->config->algorithms, ours[i]) &&
		    rd_has_u16(schemes, ours[i])) {
			return ours[i];
		}
	}
	return 0;
}

/* The scheme with SHA-1 for this key, if the client takes it: named, or by naming none. RFC 5246 7.4.1.4.1 */
static uint16_t sha1_scheme(const struct private_key *key, const struct offer12 *offer)
{
	const uint16_t scheme = private_key_auth(key) == AUTH_RSA ? HS12_RSA_PKCS1_SHA1 : HS12_ECDSA_SHA1;

	return can_sign_old(key) && (offer->schemes.left == 0 || rd_has_u16(offer->schemes, scheme)) ? scheme
												     : 0;
}

/* May this client be shown a certificate with a key on this curve? RFC 8422 5.1 */
static bool curve_is_offered(const struct private_key *key, struct rd groups)
{
	const uint16_t curve = hs12_private_key_curve(key);

	return curve == 0 || groups.left == 0 || rd_has_u16(groups, curve);
}

/* Can the credential be used like this, with this client? sha1: if need be, by a signature with SHA-1. */
static bool is_usable(const struct engine_hs *hs, const struct offer12 *offer,
		      const struct credential *credential, enum use use, bool sha1, uint16_t *scheme)
{
	const struct private_key *key = credential->key;

	*scheme = 0;
	if (use == USE_DECRYPT) {
		return private_key_can_decrypt(key) && credential_may_encipher(credential);
	}
	if (private_key_auth(key) != (use == USE_SIGN_RSA ? AUTH_RSA : AUTH_ECDSA) ||
	    !credential_may_sign(credential) || !curve_is_offered(key, offer->groups)) {
		return false;
	}
	if (hs->version < ENGINE_TLS12) {
		return can_sign_old(key);
	}
	*scheme = common_scheme(hs, key, offer->schemes);
	if (*scheme == 0 && sha1) {
		*scheme = sha1_scheme(key, offer);
	}
	return *scheme != 0;
}

static unsigned score_of(const struct engine_hs *hs, const struct offer12 *offer,
			 const struct credential *credential)
{
	unsigned score = 0;

	if (hs->server_name[0] != '\0' && credential_matches_name(credential, hs->server_name)) {
		score += SCORE_NAME;
	}
	if (offer->chain_schemes.left == 0 || credential_fits_schemes(credential, offer->chain_schemes)) {
		score += SCORE_CHAIN;
	}
	return score;
}

static void find_candidates(const struct engine_hs *hs, const struct offer12 *offer, bool sha1,
			    struct candidate best[static USE_COUNT])
{
	memset(best, 0, USE_COUNT * sizeof(best[0]));
	for (size_t i = 0; i < hs->config->n_credentials; i++) {
		const struct credential *credential = &hs->config->credentials[i];
		const unsigned score = score_of(hs, offer, credential);

		for (int use = 0; use < USE_COUNT; use++) {
			uint16_t scheme;

			if ((best[use].credential == NULL || score > best[use].score) &&
			    is_usable(hs, offer, credential, (enum use)use, sha1, &scheme)) {
				best[use] = (struct candidate){credential, scheme, score};
			}
		}
	}
}

/* ---- groups ---- */

/*
 * The first of ours, of the one kind or the other, that the client names; with an empty list,
 * simply the first.
 */
static const struct group *common_group(const struct engine_hs *hs, struct rd theirs, bool is_ffdhe)
{
	const struct group *ours[GROUPS_MAX];
	const size_t n = groups_preferred(&hs->config->algorithms, hs->version, ours);

	for (size_t i = 0; i < n; i++) {
		if (ours[i]->is_ffdhe == is_ffdhe && (theirs.left == 0 || rd_has_u16(theirs, ours[i]->id))) {
			return ours[i];
		}
	}
	return NULL;
}

/* A client without supported_groups takes any curve: then the one that has always been there. RFC 8422 4 */
static const struct group *choose_curve(const struct engine_hs *hs, struct rd theirs)
{
	static const uint8_t secp256r1[] = {0x00, 0x17};
	const struct group *group;

	if (theirs.left != 0) {
		return common_group(hs, theirs, false);
	}
	group = common_group(hs, rd_of(secp256r1, sizeof(secp256r1)), false);
	return group != NULL ? group : common_group(hs, theirs, false);
}

static bool names_ffdhe(struct rd groups)
{
	uint16_t id;

	while (rd_u16(&groups, &id)) {
		if (id >= FFDHE_FIRST && id <= FFDHE_LAST) {
			return true;
		}
	}
	return false;
}

/* A client that names no FFDHE group at all knows nothing of them, and takes what it gets. RFC 7919 4 */
static const struct group *choose_ffdhe(const struct engine_hs *hs, struct rd theirs)
{
	return common_group(hs, names_ffdhe(theirs) ? theirs : rd_of(NULL, 0), true);
}

/* ---- the choice ---- */

/* Suites of ours that the client has, best first. */
struct common {
	const struct suite *suites[SUITES_MAX];
	size_t n;
};

static void find_common_suites(const struct engine_hs *hs, const struct offer12 *offer, struct common *common)
{
	const struct suite *ours[SUITES_MAX];
	const size_t n = suites_preferred(&hs->config->algorithms, hs->version,
					  server_prefers_chacha(offer->hello, hs->version), ours);

	common->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (rd_has_u16(offer->hello->cipher_suites, ours[i]->id)) {
			common->suites[common->n++] = ours[i];
		}
	}
}

/* Nothing fits: why not? */
static bool fail_negotiation(struct engine_hs *hs, const struct offer12 *offer, const struct common *common,
			     const struct candidate best[static USE_COUNT])
{
	bool has_credential = false;

	for (size_t i = 0; i < common->n; i++) {
		const bool is_usable_suite = best[use_of(common->suites[i])].credential != NULL;

		has_credential = has_credential || is_usable_suite;
		if (is_usable_suite && common->suites[i]->kx == KX_DHE && names_ffdhe(offer->groups)) {
			return hs_fail(hs, ALERT_INSUFFICIENT_SECURITY,
				       "no FFDHE group in common with the client");
		}
	}
	if (common->n == 0) {
		return hs_fail(hs, ALERT_HANDSHAKE_FAILURE, "no cipher suite in common with the client");
	}
	return hs_fail(hs, ALERT_HANDSHAKE_FAILURE,
		       has_credential ? "no group in common with the client"
				      : "no cipher suite and signature scheme in common with the client that "
					"fit our certificate");
}

static bool choose(struct engine_hs *hs, const struct offer12 *offer, const struct common *common,
		   const struct candidate best[static USE_COUNT])
{
	const struct group *const curve = choose_curve(hs, offer->groups);
	const struct group *const ffdhe = choose_ffdhe(hs, offer->groups);
	const struct group *const groups[] = {
		[KX_TLS13] = NULL, [KX_ECDHE] = curve, [KX_DHE] = ffdhe, [KX_RSA] = NULL};

	for (unsigned pass = 0; pass <= SCORE_BEST; pass++) {
		for (size_t i = 0; i < common->n; i++) {
			const struct suite *suite = common->suites[i];
			const struct candidate *candidate = &best[use_of(suite)];

			if (candidate->credential == NULL || candidate->score < SCORE_BEST - pass ||
			    (suite->kx != KX_RSA && groups[suite->kx] == NULL)) {
				continue;
			}
			hs->suite = suite;
			hs->group = groups[suite->kx];
			hs->credential = candidate->credential;
			hs->credential_scheme = candidate->scheme;
			return true;
		}
	}
	return false;
}

bool server12_negotiate(struct engine_hs *hs, const struct offer12 *offer)
{
	struct candidate best[USE_COUNT];
	struct common common;
	bool found;

	/* RFC 8446 4.2.3: it knows of schemes, and leaves us none to sign with */
	if (hs->version >= ENGINE_TLS12 && ext_has(offer->block, EXT_SIGNATURE_ALGORITHMS_CERT) &&
	    !ext_has(offer->block, EXT_SIGNATURE_ALGORITHMS)) {
		return hs_fail(hs, ALERT_HANDSHAKE_FAILURE,
			       "signature_algorithms_cert without signature_algorithms");
	}
	find_common_suites(hs, offer, &common);
	find_candidates(hs, offer, false, best);
	found = choose(hs, offer, &common, best);
	/* a signature with SHA-1 for this one handshake is still better than no forward secrecy */
	if ((!found || hs->suite->kx == KX_RSA) && hs->config->algorithms.may_sign_sha1) {
		find_candidates(hs, offer, true, best);
		found = choose(hs, offer, &common, best);
	}
	return found || fail_negotiation(hs, offer, &common, best);
}
