/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A certificate as views into its DER. Parsing copies nothing, allocates nothing and judges only the form;
 * verify.c judges the content.
 *
 * Why not wolfSSL's decoder: what it keeps and what it passes over depends on how it was built (address SANs,
 * unknown critical extensions, name constraints), and it allocates for each name in a certificate that nobody
 * vouches for yet.
 */
#ifndef ENGINE_X509_PARSE_H
#define ENGINE_X509_PARSE_H

#include "x509_key.h"

/* The largest certificate that is looked at. */
#define CERTIFICATE_MAX_LEN        65536
#define CERTIFICATE_MAX_EXTENSIONS 40

/* keyUsage, RFC 5280 4.2.1.3: bit 0 is the most significant of 16 */
#define KEY_USAGE_DIGITAL_SIGNATURE 0x8000
#define KEY_USAGE_KEY_ENCIPHERMENT  0x2000
#define KEY_USAGE_CERT_SIGN         0x0400
#define KEY_USAGE_CRL_SIGN          0x0200

#define EXT_KEY_USAGE_SERVER 1
#define EXT_KEY_USAGE_CLIENT 2
#define EXT_KEY_USAGE_ANY    4
#define EXT_KEY_USAGE_OCSP   8

/* GeneralName, RFC 5280 4.2.1.6 */
#define GENERAL_NAME_OTHER     DER_CONTEXT_CONSTRUCTED(0)
#define GENERAL_NAME_EMAIL     DER_CONTEXT(1)
#define GENERAL_NAME_DNS       DER_CONTEXT(2)
#define GENERAL_NAME_DIRECTORY DER_CONTEXT_CONSTRUCTED(4)
#define GENERAL_NAME_URI       DER_CONTEXT(6)
#define GENERAL_NAME_IP        DER_CONTEXT(7)

struct certificate {
	struct view whole;
	struct view tbs;             /* what is signed, header included */
	struct view serial;          /* contents of the INTEGER */
	struct view issuer, subject; /* headers included */
	int64_t not_before, not_after;
	unsigned version; /* 1..3 */

	struct view spki;     /* header included */
	struct view key_bits; /* what is in its BIT STRING */
	struct key_view key;
	enum key_fault key_fault;

	struct signature_algorithm how;
	enum key_fault how_fault;
	struct view signature;

	/* extensions, RFC 5280 4.2 */
	bool has_basic_constraints, is_ca, has_path_len;
	uint32_t path_len;
	bool has_key_usage;
	uint16_t key_usage;
	bool has_ext_key_usage;
	unsigned ext_key_usage;
	bool has_alt_names;
	struct view alt_names; /* GeneralName, one after the other */
	bool has_name_constraints;
	struct view permitted, excluded;              /* GeneralSubtree, one after the other */
	struct view subject_key_id, authority_key_id; /* empty: none */
	struct view crl_points;                       /* DistributionPoint, one after the other */
	/* policies, RFC 5280 4.2.1.4, 5, 11 and 14 */
	bool has_policies, has_require_explicit, has_inhibit_mapping, has_inhibit_any;
	struct view policies;        /* PolicyInformation, one after the other */
	struct view policy_mappings; /* pairs, one after the other */
	uint32_t require_explicit, inhibit_mapping, inhibit_any;
	bool must_staple; /* RFC 7633 */
	bool no_check;    /* RFC 6960 4.2.2.2.1 */
	bool has_unknown_critical;
	bool has_critical_key_id; /* subjectKeyIdentifier or authorityKeyIdentifier */
};

/* False if der is not one well-formed certificate; *what then says what is wrong with it. */
must_check bool certificate_parse(struct view der, struct certificate *out, const char **what);
/* Are issuer and subject the same name? */
bool certificate_is_self_issued(const struct certificate *cert);
/* Parse an AuthorityKeyIdentifier; *key_id: its keyIdentifier, empty if there is none.  RFC 5280 4.2.1.1 */
must_check bool authority_key_id_parse(struct view value, struct view *key_id);
/* Does its keyUsage allow this, or leave it open? */
bool certificate_may(const struct certificate *cert, uint16_t usage);
/* Is it signed by its own key? */
bool certificate_is_self_signed(const struct certificate *cert);

/*
 * A distinguished name for people: "CN=localhost", else its first other attribute; printable ASCII, cut to
 * size. name: header included.
 */
void name_text(struct view name, char *out, size_t size);
/* The string's printable ASCII, other bytes as "?", cut to size. */
void string_text(struct view value, char *out, size_t size);
/* The same for the subject, with the first alternative name to fall back on. */
void certificate_text(const struct certificate *cert, char *out, size_t size);

#endif
