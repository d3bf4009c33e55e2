/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extensions: the table of which may stand where, and the wire forms of those that we speak.  RFC 8446 4.2
 */
#ifndef ENGINE_EXT_H
#define ENGINE_EXT_H

#include "handshake.h"

/* Extensions that the engine recognizes, as bit numbers. */
enum ext_index {
	EXT_SERVER_NAME,
	EXT_MAX_FRAGMENT_LENGTH,
	EXT_STATUS_REQUEST,
	EXT_SUPPORTED_GROUPS,
	EXT_SIGNATURE_ALGORITHMS,
	EXT_USE_SRTP,
	EXT_HEARTBEAT,
	EXT_ALPN,
	EXT_SIGNED_CERTIFICATE_TIMESTAMP,
	EXT_CLIENT_CERTIFICATE_TYPE,
	EXT_SERVER_CERTIFICATE_TYPE,
	EXT_EC_POINT_FORMATS,
	EXT_PADDING,
	EXT_ENCRYPT_THEN_MAC,
	EXT_EXTENDED_MASTER_SECRET,
	EXT_COMPRESS_CERTIFICATE,
	EXT_RECORD_SIZE_LIMIT,
	EXT_SESSION_TICKET,
	EXT_PRE_SHARED_KEY,
	EXT_EARLY_DATA,
	EXT_SUPPORTED_VERSIONS,
	EXT_COOKIE,
	EXT_PSK_KEY_EXCHANGE_MODES,
	EXT_CERTIFICATE_AUTHORITIES,
	EXT_OID_FILTERS,
	EXT_POST_HANDSHAKE_AUTH,
	EXT_SIGNATURE_ALGORITHMS_CERT,
	EXT_KEY_SHARE,
	EXT_RENEGOTIATION_INFO,
	EXT_COUNT,
};

/* Messages that carry extensions. */
enum ext_message {
	EXT_IN_CLIENT_HELLO = 1 << 0,
	EXT_IN_SERVER_HELLO = 1 << 1,
	EXT_IN_HELLO_RETRY_REQUEST = 1 << 2,
	EXT_IN_ENCRYPTED_EXTENSIONS = 1 << 3,
	EXT_IN_CERTIFICATE = 1 << 4,
	EXT_IN_CERTIFICATE_REQUEST = 1 << 5,
	EXT_IN_SERVER_HELLO12 = 1 << 6, /* of TLS 1.2 and older */
	EXT_IN_NEW_SESSION_TICKET = 1 << 7,
};

/* The extensions of one message, as views. */
struct ext_block {
	uint32_t present; /* bits by enum ext_index */
	struct rd body[EXT_COUNT];
	bool psk_is_last; /* pre_shared_key, if there, stands at the end */
};

#define EXT_BIT(index) (UINT32_C(1) << (index))

static inline bool ext_has(const struct ext_block *block, enum ext_index index)
{
	return (block->present & EXT_BIT(index)) != 0;
}

/*
 * Take the content of an extensions vector apart and hold it against the table.
 *
 * message  where the vector stands
 * offered  for answers (all messages but ClientHello and CertificateRequest): the extensions that were asked for
 *
 * False, with hs failed: decode_error for a broken vector, illegal_parameter for a duplicate or an extension that
 * does not belong in this message, unsupported_extension for an answer that nobody asked for. Unknown extensions in
 * requests are ignored.
 */
must_check bool ext_parse(struct engine_hs *hs, enum ext_message message, struct rd in, uint32_t offered,
			  struct ext_block *block);

/* May an extension of this number stand in a message of the kind? Those that the engine does not know may. */
must_check bool ext_may_stand(enum ext_message message, uint16_t type);

/*
 * Begin and end an extension. begin writes the type and an open length, and records it in *offered unless NULL.
 */
size_t ext_begin(struct wr *out, enum ext_index index, uint32_t *offered);
void ext_end(struct wr *out, size_t mark);

/* ---- wire forms: parse a body as the RFC's struct, nothing judged ---- */

/*
 * ServerNameList of a ClientHello; host is the host_name, empty if there are only names of other types. More than one
 * host_name is well-formed, but not allowed: is_repeated.  RFC 6066 3
 */
must_check bool ext_parse_server_name(struct rd in, struct rd *host, bool *is_repeated);
/* NamedGroupList, SignatureSchemeList: a vector of 16-bit numbers, at least one. */
must_check bool ext_parse_u16_list(struct rd in, struct rd *list);
/* ProtocolNameList, every name checked; list is the run of 8-bit vectors.  RFC 7301 3.1 */
must_check bool ext_parse_alpn(struct rd in, struct rd *list);
/* SupportedVersions of a ClientHello. */
must_check bool ext_parse_supported_versions(struct rd in, struct rd *list);
/* KeyShareClientHello: the run of entries; each entry is then checked by ext_next_key_share(). */
must_check bool ext_parse_key_shares(struct rd in, struct rd *entries);
/* One KeyShareEntry of a run. */
must_check bool ext_next_key_share(struct rd *entries, uint16_t *group, struct rd *key_exchange);
/* A body of exactly one 16-bit number: selected_version, selected_group. */
must_check bool ext_parse_u16(struct rd in, uint16_t *value);
/*
 * CertificateStatusRequest: is it OCSP that is asked for? Of another type, all that follows may be anything.
 * RFC 6066 8, RFC 8446 4.4.2.1
 */
#define STATUS_TYPE_OCSP 1
must_check bool ext_parse_status_request(struct rd in, bool *is_ocsp);
/* CertificateStatus with an OCSP response.  RFC 6066 8 */
must_check bool ext_parse_certificate_status(struct rd in, uint8_t *type, struct rd *response);
/* CertificateAuthoritiesExtension: the run of names, every one checked.  RFC 8446 4.2.4 */
must_check bool ext_parse_authorities(struct rd in, struct rd *names);
/* Cookie.  RFC 8446 4.2.2 */
must_check bool ext_parse_cookie(struct rd in, struct rd *cookie);
/* PskKeyExchangeModes.  RFC 8446 4.2.9 */
must_check bool ext_parse_psk_modes(struct rd in, struct rd *modes);
/* OfferedPsks: runs of PskIdentity and PskBinderEntry, every one checked.  RFC 8446 4.2.11 */
struct offered_psks {
	struct rd identities;
	size_t n_identities;
	struct rd binders;
	size_t n_binders;
};
must_check bool ext_parse_offered_psks(struct rd in, struct offered_psks *offer);
/* One PskIdentity of the run. */
must_check bool ext_next_psk_identity(struct rd *identities, struct rd *identity,
				      uint32_t *obfuscated_ticket_age);

/*
 * Extensions of a ClientHello or CertificateRequest that the engine knows but does not act on must be well-formed all
 * the same. False, with hs failed: decode_error.  RFC 8446 6.2
 */
must_check bool ext_judge_unused(struct engine_hs *hs, const struct ext_block *block);

/*
 * Take the peer's record_size_limit in TLS 1.3, if it is there: hs->send_limit. A client's may be beyond what the
 * protocol allows, a server's not.  RFC 8449 4
 */
#define RECORD_SIZE_LIMIT_MIN 64
must_check bool ext_take_record_size_limit(struct engine_hs *hs, const struct ext_block *block);

/* ---- building of what both roles send ---- */

/*
 * record_size_limit: records as long as the protocol allows. Said so that the peer may say that it wants
 * shorter ones.
 */
void ext_build_record_size_limit(struct wr *out, bool is_tls13, uint32_t *offered);

/* signature_algorithms with all schemes that we accept. */
void ext_build_signature_algorithms(struct wr *out, const struct algorithms *algorithms, uint32_t *offered);

#endif
