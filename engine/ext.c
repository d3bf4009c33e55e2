/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of extensions and messages, RFC 8446 4.2, and the parsers of extension bodies.
 */
#include "ext.h"

#include <string.h>

struct ext_row {
	uint16_t type;
	uint8_t where; /* bits of enum ext_message */
};

/* NameType, RFC 6066 3 */
#define NAME_TYPE_HOST_NAME 0

#define CH  EXT_IN_CLIENT_HELLO
#define SH  EXT_IN_SERVER_HELLO
#define HRR EXT_IN_HELLO_RETRY_REQUEST
#define EE  EXT_IN_ENCRYPTED_EXTENSIONS
#define CT  EXT_IN_CERTIFICATE
#define CR  EXT_IN_CERTIFICATE_REQUEST
#define S12 EXT_IN_SERVER_HELLO12
#define NST EXT_IN_NEW_SESSION_TICKET

/* clang-format off */
static const struct ext_row rows[EXT_COUNT] = {
	[EXT_SERVER_NAME]			= { 0,	CH | EE | S12 },
	[EXT_MAX_FRAGMENT_LENGTH]		= { 1,	CH | EE | S12 },
	[EXT_STATUS_REQUEST]			= { 5,	CH | CR | CT | S12 },
	[EXT_SUPPORTED_GROUPS]			= { 10,	CH | EE | S12 }, /* S12: some servers do, nobody minds */
	[EXT_EC_POINT_FORMATS]			= { 11,	CH | S12 },
	[EXT_SIGNATURE_ALGORITHMS]		= { 13,	CH | CR },
	[EXT_USE_SRTP]				= { 14,	CH | EE | S12 },
	[EXT_HEARTBEAT]				= { 15,	CH | EE | S12 },
	[EXT_ALPN]				= { 16,	CH | EE | S12 },
	[EXT_SIGNED_CERTIFICATE_TIMESTAMP]	= { 18,	CH | CR | CT | S12 },
	[EXT_CLIENT_CERTIFICATE_TYPE]		= { 19,	CH | EE | S12 },
	[EXT_SERVER_CERTIFICATE_TYPE]		= { 20,	CH | EE | S12 },
	[EXT_PADDING]				= { 21,	CH },
	[EXT_ENCRYPT_THEN_MAC]			= { 22,	CH | S12 },
	[EXT_EXTENDED_MASTER_SECRET]		= { 23,	CH | S12 },
	[EXT_COMPRESS_CERTIFICATE]		= { 27,	CH | CR },
	[EXT_RECORD_SIZE_LIMIT]			= { 28,	CH | EE | S12 },
	[EXT_SESSION_TICKET]			= { 35,	CH | S12 },
	[EXT_PRE_SHARED_KEY]			= { 41,	CH | SH },
	[EXT_EARLY_DATA]			= { 42,	CH | EE | NST },
	[EXT_SUPPORTED_VERSIONS]		= { 43,	CH | SH | HRR },
	[EXT_COOKIE]				= { 44,	CH | HRR },
	[EXT_PSK_KEY_EXCHANGE_MODES]		= { 45,	CH },
	[EXT_CERTIFICATE_AUTHORITIES]		= { 47,	CH | CR },
	[EXT_OID_FILTERS]			= { 48,	CR },
	[EXT_POST_HANDSHAKE_AUTH]		= { 49,	CH },
	[EXT_SIGNATURE_ALGORITHMS_CERT]		= { 50,	CH | CR },
	[EXT_KEY_SHARE]				= { 51,	CH | SH | HRR },
	[EXT_RENEGOTIATION_INFO]		= { 0xff01, CH | S12 },
};
/* clang-format on */

_Static_assert(EXT_COUNT <= 32, "a bit for every extension");

static bool ext_find(uint16_t type, enum ext_index *index)
{
	for (size_t i = 0; i < EXT_COUNT; i++) {
		if (rows[i].type == type) {
			*index = (enum ext_index)i;
			return true;
		}
	}
	return false;
}

/* A set of all 65,536 types: duplicates are found in one pass, however many extensions a peer thinks up. */
struct seen {
	uint64_t bits[65536 / 64];
};

static bool seen_before(struct seen *seen, uint16_t type)
{
	const uint64_t bit = UINT64_C(1) << (type % 64);
	const bool before = (seen->bits[type / 64] & bit) != 0;

	seen->bits[type / 64] |= bit;
	return before;
}

/* May this extension stand here? */
static bool judge(struct engine_hs *hs, enum ext_message message, bool known, enum ext_index index,
		  uint32_t offered)
{
	const bool is_request = message == EXT_IN_CLIENT_HELLO || message == EXT_IN_CERTIFICATE_REQUEST ||
				message == EXT_IN_NEW_SESSION_TICKET;

	if (!known) {
		return is_request || hs_fail(hs, ALERT_UNSUPPORTED_EXTENSION,
					     "the peer answered an extension that was never offered");
	}
	/* RFC 5246 7.4.1.4 knows only this reason to refuse */
	if (message == EXT_IN_SERVER_HELLO12 && (offered & EXT_BIT(index)) == 0) {
		return hs_fail(hs, ALERT_UNSUPPORTED_EXTENSION,
			       "the peer answered an extension that was never offered");
	}
	if ((rows[index].where & message) == 0) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
			       "an extension in a message where it does not belong");
	}
	/* the cookie of a HelloRetryRequest is the one answer that comes unasked */
	if (!is_request && (offered & EXT_BIT(index)) == 0 && index != EXT_COOKIE) {
		return hs_fail(hs, ALERT_UNSUPPORTED_EXTENSION,
			       "the peer answered an extension that was never offered");
	}
	return true;
}

bool ext_parse(struct engine_hs *hs, enum ext_message message, struct rd in, uint32_t offered,
	       struct ext_block *block)
{
	struct seen seen;

	memset(&seen, 0, sizeof(seen));
	memset(block, 0, sizeof(*block));
	while (!rd_end(&in)) {
		enum ext_index index = EXT_COUNT;
		struct rd body;
		uint16_t type;
		bool known;

		if (!rd_u16(&in, &type) || !rd_vec16(&in, &body, 0, UINT16_MAX)) {
			return hs_fail(hs, ALERT_DECODE_ERROR, "malformed extensions");
		}
		if (seen_before(&seen, type)) {
			return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "an extension appears twice");
		}
		known = ext_find(type, &index);
		if (!judge(hs, message, known, index, offered)) {
			return false;
		}
		block->psk_is_last = known && index == EXT_PRE_SHARED_KEY;
		if (known) {
			block->present |= EXT_BIT(index);
			block->body[index] = body;
		}
	}
	return true;
}

bool ext_may_stand(enum ext_message message, uint16_t type)
{
	enum ext_index index;

	return !ext_find(type, &index) || (rows[index].where & message) != 0;
}

size_t ext_begin(struct wr *out, enum ext_index index, uint32_t *offered)
{
	wr_u16(out, rows[index].type);
	if (offered != NULL) {
		*offered |= EXT_BIT(index);
	}
	return wr_open16(out);
}

void ext_end(struct wr *out, size_t mark)
{
	wr_close16(out, mark);
}

/* ---- wire forms ---- */

bool ext_parse_server_name(struct rd in, struct rd *host, bool *is_repeated)
{
	struct rd list;
	struct rd name;
	uint8_t name_type;

	*host = rd_of(NULL, 0);
	*is_repeated = false;
	if (!rd_vec16(&in, &list, 1, UINT16_MAX) || !rd_end(&in)) {
		return false;
	}
	while (!rd_end(&list)) {
		/* names of types to come begin with their length, too: RFC 6066 3 */
		if (!rd_u8(&list, &name_type) ||
		    !rd_vec16(&list, &name, name_type == NAME_TYPE_HOST_NAME ? 1 : 0, UINT16_MAX)) {
			return false;
		}
		if (name_type == NAME_TYPE_HOST_NAME) {
			*is_repeated = *is_repeated || host->left != 0;
			*host = name;
		}
	}
	return true;
}

bool ext_parse_u16_list(struct rd in, struct rd *list)
{
	return rd_vec16(&in, list, 2, UINT16_MAX - 1) && list->left % 2 == 0 && rd_end(&in);
}

bool ext_parse_alpn(struct rd in, struct rd *list)
{
	struct rd walk;
	struct rd name;

	if (!rd_vec16(&in, list, 2, UINT16_MAX) || !rd_end(&in)) {
		return false;
	}
	for (walk = *list; !rd_end(&walk);) {
		if (!rd_vec8(&walk, &name, 1, UINT8_MAX)) {
			return false;
		}
	}
	return true;
}

bool ext_parse_supported_versions(struct rd in, struct rd *list)
{
	return rd_vec8(&in, list, 2, 254) && list->left % 2 == 0 && rd_end(&in);
}

bool ext_parse_key_shares(struct rd in, struct rd *entries)
{
	return rd_vec16(&in, entries, 0, UINT16_MAX) && rd_end(&in);
}

bool ext_next_key_share(struct rd *entries, uint16_t *group, struct rd *key_exchange)
{
	return rd_u16(entries, group) && rd_vec16(entries, key_exchange, 1, UINT16_MAX);
}

bool ext_parse_u16(struct rd in, uint16_t *value)
{
	return rd_u16(&in, value) && rd_end(&in);
}

bool ext_parse_status_request(struct rd in, bool *is_ocsp)
{
	struct rd responder_ids;
	struct rd extensions;
	uint8_t type;

	if (!rd_u8(&in, &type)) {
		return false;
	}
	*is_ocsp = type == STATUS_TYPE_OCSP;
	return !*is_ocsp || (rd_vec16(&in, &responder_ids, 0, UINT16_MAX) &&
			     rd_vec16(&in, &extensions, 0, UINT16_MAX) && rd_end(&in));
}

bool ext_parse_certificate_status(struct rd in, uint8_t *type, struct rd *response)
{
	return rd_u8(&in, type) && rd_vec24(&in, response, 1, HS_MAX_CERTIFICATE) && rd_end(&in);
}

bool ext_parse_authorities(struct rd in, struct rd *names)
{
	struct rd walk;
	struct rd name;

	if (!rd_vec16(&in, names, 3, UINT16_MAX) || !rd_end(&in)) {
		return false;
	}
	for (walk = *names; !rd_end(&walk);) {
		if (!rd_vec16(&walk, &name, 1, UINT16_MAX)) {
			return false;
		}
	}
	return true;
}

bool ext_parse_cookie(struct rd in, struct rd *cookie)
{
	return rd_vec16(&in, cookie, 1, UINT16_MAX) && rd_end(&in);
}

bool ext_parse_psk_modes(struct rd in, struct rd *modes)
{
	return rd_vec8(&in, modes, 1, UINT8_MAX) && rd_end(&in);
}

bool ext_next_psk_identity(struct rd *identities, struct rd *identity, uint32_t *obfuscated_ticket_age)
{
	return rd_vec16(identities, identity, 1, UINT16_MAX) && rd_u32(identities, obfuscated_ticket_age);
}

bool ext_parse_offered_psks(struct rd in, struct offered_psks *offer)
{
	struct rd identities;
	struct rd binders;
	struct rd view;
	uint32_t age;

	if (!rd_vec16(&in, &identities, 7, UINT16_MAX) || !rd_vec16(&in, &binders, 33, UINT16_MAX) ||
	    !rd_end(&in)) {
		return false;
	}
	*offer = (struct offered_psks){.identities = identities, .binders = binders};
	for (; !rd_end(&identities); offer->n_identities++) {
		if (!ext_next_psk_identity(&identities, &view, &age)) {
			return false;
		}
	}
	for (; !rd_end(&binders); offer->n_binders++) {
		if (!rd_vec8(&binders, &view, 32, UINT8_MAX)) {
			return false;
		}
	}
	return true;
}

/* ---- known, not acted on ---- */

static bool is_cookie(struct rd in)
{
	struct rd cookie;

	return ext_parse_cookie(in, &cookie);
}

static bool is_u16_list(struct rd in)
{
	struct rd list;

	return ext_parse_u16_list(in, &list);
}

static bool is_empty(struct rd in)
{
	return rd_end(&in);
}

static bool is_name_list(struct rd in)
{
	struct rd names;

	return ext_parse_authorities(in, &names);
}

/* OIDFilterExtension, RFC 8446 4.2.5 */
static bool is_filter_list(struct rd in)
{
	struct rd list;
	struct rd view;

	if (!rd_vec16(&in, &list, 0, UINT16_MAX) || !rd_end(&in)) {
		return false;
	}
	while (!rd_end(&list)) {
		if (!rd_vec8(&list, &view, 1, UINT8_MAX) || !rd_vec16(&list, &view, 0, UINT16_MAX)) {
			return false;
		}
	}
	return true;
}

bool ext_judge_unused(struct engine_hs *hs, const struct ext_block *block)
{
	static const struct {
		enum ext_index index;
		bool (*is_well_formed)(struct rd in);
		const char *why;
	} forms[] = {
		{EXT_EARLY_DATA, is_empty, "malformed early_data"},
		{EXT_COOKIE, is_cookie, "malformed cookie"},
		{EXT_CERTIFICATE_AUTHORITIES, is_name_list, "malformed certificate_authorities"},
		{EXT_OID_FILTERS, is_filter_list, "malformed oid_filters"},
		{EXT_POST_HANDSHAKE_AUTH, is_empty, "malformed post_handshake_auth"},
		{EXT_SIGNATURE_ALGORITHMS_CERT, is_u16_list, "malformed signature_algorithms_cert"},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (ext_has(block, forms[i].index) && !forms[i].is_well_formed(block->body[forms[i].index])) {
			return hs_fail(hs, ALERT_DECODE_ERROR, forms[i].why);
		}
	}
	return true;
}

bool ext_take_record_size_limit(struct engine_hs *hs, const struct ext_block *block)
{
	uint16_t limit;

	if (!ext_has(block, EXT_RECORD_SIZE_LIMIT)) {
		return true;
	}
	if (!ext_parse_u16(block->body[EXT_RECORD_SIZE_LIMIT], &limit)) {
		return hs_fail(hs, ALERT_DECODE_ERROR, "malformed record_size_limit");
	}
	if (limit < RECORD_SIZE_LIMIT_MIN) {
		return hs_fail(hs, ALERT_ILLEGAL_PARAMETER, "a record_size_limit below 64");
	}
	if (limit > ENGINE_MAX_PLAINTEXT + 1) {
		if (hs->role == ENGINE_CLIENT) {
			return hs_fail(hs, ALERT_ILLEGAL_PARAMETER,
				       "a record_size_limit beyond what TLS 1.3 allows");
		}
		limit = ENGINE_MAX_PLAINTEXT + 1;
	}
	/* it counts the content type */
	hs->send_limit = (uint16_t)(limit - 1);
	hs->send_spec.limit = hs->send_limit;
	return true;
}

/* ---- building ---- */

void ext_build_record_size_limit(struct wr *out, bool is_tls13, uint32_t *offered)
{
	const size_t ext = ext_begin(out, EXT_RECORD_SIZE_LIMIT, offered);

	wr_u16(out, is_tls13 ? ENGINE_MAX_PLAINTEXT + 1 : ENGINE_MAX_PLAINTEXT);
	ext_end(out, ext);
}

void ext_build_signature_algorithms(struct wr *out, const struct algorithms *algorithms, uint32_t *offered)
{
	size_t ext = ext_begin(out, EXT_SIGNATURE_ALGORITHMS, offered);
	size_t list = wr_open16(out);

	for (size_t i = 0; i < algorithms->n_schemes; i++) {
		wr_u16(out, algorithms->schemes[i]);
	}
	wr_close16(out, list);
	ext_end(out, ext);
}
