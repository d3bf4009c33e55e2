/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parses extensions, RFC 5280 4.2.
 */
#include <string.h>

#include "x509_extensions.h"

typedef bool extension_parser(struct view value, struct certificate *cert);
static extension_parser parse_basic_constraints, parse_key_usage, parse_ext_key_usage, parse_alt_names,
	parse_name_constraints, parse_subject_key_id, parse_authority_key_id, parse_crl_points,
	parse_features, parse_no_check, parse_policies, parse_policy_mappings, parse_policy_constraints,
	parse_inhibit_any;

/* clang-format off */
static const struct {
	uint8_t oid_len;
	uint8_t oid[9];
	extension_parser *parse;
	const char *what;
} known[] = {
	{ 3, OID_EXTENSION "\x0e", parse_subject_key_id, "subjectKeyIdentifier is malformed" },
	{ 3, OID_EXTENSION "\x0f", parse_key_usage, "keyUsage is malformed" },
	{ 3, OID_EXTENSION "\x11", parse_alt_names, "subjectAltName is malformed" },
	{ 3, OID_EXTENSION "\x13", parse_basic_constraints, "basicConstraints is malformed" },
	{ 3, OID_EXTENSION "\x1e", parse_name_constraints, "nameConstraints is malformed" },
	{ 3, OID_EXTENSION "\x1f", parse_crl_points, "cRLDistributionPoints is malformed" },
	{ 3, OID_EXTENSION "\x20", parse_policies, "certificatePolicies is malformed" },
	{ 3, OID_EXTENSION "\x21", parse_policy_mappings, "policyMappings is malformed" },
	{ 3, OID_EXTENSION "\x23", parse_authority_key_id, "authorityKeyIdentifier is malformed" },
	{ 3, OID_EXTENSION "\x24", parse_policy_constraints, "policyConstraints is malformed" },
	{ 3, OID_EXTENSION "\x25", parse_ext_key_usage, "extKeyUsage is malformed" },
	{ 3, OID_EXTENSION "\x36", parse_inhibit_any, "inhibitAnyPolicy is malformed" },
	{ 8, "\x2b\x06\x01\x05\x05\x07\x01\x18", parse_features, "the TLS feature extension is malformed" },
	{ 9, OID_OCSP "\x05", parse_no_check, "the OCSP nocheck extension is malformed" },
};
/* clang-format on */

bool extensions_each(struct view list, extension_taker *take, void *to, const char **what)
{
	struct view seen[CERTIFICATE_MAX_EXTENSIONS];
	size_t n_seen = 0;
	while (!der_end(&list)) {
		struct view extension, oid, value;
		bool critical = false;
		if (!der_take(&list, DER_SEQUENCE, &extension) || !der_take(&extension, DER_OID, &oid) ||
		    (der_next_is(&extension, DER_BOOLEAN) && !der_boolean(&extension, &critical)) ||
		    !der_take(&extension, DER_OCTET_STRING, &value) || !der_end(&extension)) {
			*what = "its extensions are malformed";
			return false;
		}
		if (n_seen == CERTIFICATE_MAX_EXTENSIONS) {
			*what = "it has too many extensions";
			return false;
		}
		for (size_t i = 0; i < n_seen; i++) {
			if (view_equal(seen[i], oid)) {
				*what = "it has an extension twice"; /* RFC 5280 4.2 */
				return false;
			}
		}
		seen[n_seen++] = oid;
		if (!take(to, oid, critical, value, what)) {
			return false;
		}
	}
	return true;
}

bool extensions_optional(struct view *in, uint8_t n, extension_taker *take, void *to, const char **what)
{
	struct view explicit, list;
	if (!der_next_is(in, DER_CONTEXT_CONSTRUCTED(n))) {
		return true;
	}
	*what = "its extensions are malformed";
	return der_take(in, DER_CONTEXT_CONSTRUCTED(n), &explicit) &&
	       der_take(&explicit, DER_SEQUENCE, &list) && der_end(&explicit) && !der_end(&list) &&
	       extensions_each(list, take, to, what);
}

bool certificate_take_extension(void *to, struct view oid, bool critical, struct view value,
				const char **what)
{
	struct certificate *cert = to;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (view_equal(oid, view_of(known[i].oid, known[i].oid_len))) {
			*what = known[i].what;
			cert->has_critical_key_id |= critical && (known[i].parse == parse_subject_key_id ||
								   known[i].parse == parse_authority_key_id);
			return known[i].parse(value, cert);
		}
	}
	cert->has_unknown_critical |= critical;
	return true;
}

/* RFC 5280 4.2.1.2 */
static bool parse_subject_key_id(struct view value, struct certificate *cert)
{
	return der_take(&value, DER_OCTET_STRING, &cert->subject_key_id) && der_end(&value);
}

/* RFC 5280 4.2.1.1; of the issuer's certificate, the key alone matters. */
static bool parse_authority_key_id(struct view value, struct certificate *cert)
{
	return authority_key_id_parse(value, &cert->authority_key_id);
}

bool authority_key_id_parse(struct view value, struct view *key_id)
{
	struct view id, skipped;
	uint8_t tag;
	*key_id = view_of(NULL, 0);
	if (!der_take(&value, DER_SEQUENCE, &id) || !der_end(&value) ||
	    (der_next_is(&id, DER_CONTEXT(0)) && !der_take(&id, DER_CONTEXT(0), key_id))) {
		return false;
	}
	while (!der_end(&id)) {
		if (!der_any(&id, &tag, &skipped, NULL)) {
			return false;
		}
	}
	return true;
}

/* RFC 5280 4.2.1.9 */
static bool parse_basic_constraints(struct view value, struct certificate *cert)
{
	struct view constraints;
	cert->has_basic_constraints = true;
	if (!der_take(&value, DER_SEQUENCE, &constraints) || !der_end(&value) ||
	    (der_next_is(&constraints, DER_BOOLEAN) && !der_boolean(&constraints, &cert->is_ca))) {
		return false;
	}
	if (der_next_is(&constraints, DER_INTEGER)) {
		cert->has_path_len = true;
		if (!der_small(&constraints, &cert->path_len)) {
			return false;
		}
	}
	return der_end(&constraints);
}

/* RFC 5280 4.2.1.3 */
static bool parse_key_usage(struct view value, struct certificate *cert)
{
	cert->has_key_usage = true;
	return der_named_bits(&value, &cert->key_usage) && der_end(&value);
}

/* RFC 5280 4.2.1.12 */
static bool parse_ext_key_usage(struct view value, struct certificate *cert)
{
	struct view list, oid;
	cert->has_ext_key_usage = true;
	if (!der_take(&value, DER_SEQUENCE, &list) || !der_end(&value) || der_end(&list)) {
		return false;
	}
	while (!der_end(&list)) {
		if (!der_take(&list, DER_OID, &oid)) {
			return false;
		}
		if (view_is(oid, OID_KEY_PURPOSE "\x01")) {
			cert->ext_key_usage |= EXT_KEY_USAGE_SERVER;
		} else if (view_is(oid, OID_KEY_PURPOSE "\x02")) {
			cert->ext_key_usage |= EXT_KEY_USAGE_CLIENT;
		} else if (view_is(oid, OID_KEY_PURPOSE "\x09")) {
			cert->ext_key_usage |= EXT_KEY_USAGE_OCSP;
		} else if (view_is(oid, OID_EXTENSION "\x25\x00")) {
			cert->ext_key_usage |= EXT_KEY_USAGE_ANY;
		}
	}
	return true;
}

/* Does list consist of well-formed elements, at least one? */
static bool is_list(struct view list)
{
	struct view contents;
	uint8_t tag;
	if (der_end(&list)) {
		return false;
	}
	while (!der_end(&list)) {
		if (!der_any(&list, &tag, &contents, NULL)) {
			return false;
		}
	}
	return true;
}

/* RFC 5280 4.2.1.6 */
static bool parse_alt_names(struct view value, struct certificate *cert)
{
	cert->has_alt_names = true;
	return der_take(&value, DER_SEQUENCE, &cert->alt_names) && der_end(&value) &&
	       is_list(cert->alt_names);
}

/* RFC 5280 4.2.1.10 */
static bool parse_name_constraints(struct view value, struct certificate *cert)
{
	struct view constraints;
	cert->has_name_constraints = true;
	if (!der_take(&value, DER_SEQUENCE, &constraints) || !der_end(&value) || der_end(&constraints)) {
		return false;
	}
	if (der_next_is(&constraints, DER_CONTEXT_CONSTRUCTED(0)) &&
	    (!der_take(&constraints, DER_CONTEXT_CONSTRUCTED(0), &cert->permitted) ||
	     !is_list(cert->permitted))) {
		return false;
	}
	if (der_next_is(&constraints, DER_CONTEXT_CONSTRUCTED(1)) &&
	    (!der_take(&constraints, DER_CONTEXT_CONSTRUCTED(1), &cert->excluded) ||
	     !is_list(cert->excluded))) {
		return false;
	}
	return der_end(&constraints);
}

/* RFC 5280 4.2.1.4; qualifiers are for people. */
static bool parse_policies(struct view value, struct certificate *cert)
{
	struct view list, information, oid, qualifiers;
	cert->has_policies = true;
	if (!der_take(&value, DER_SEQUENCE, &list) || !der_end(&value) || der_end(&list)) {
		return false;
	}
	cert->policies = list;
	while (!der_end(&list)) {
		if (!der_take(&list, DER_SEQUENCE, &information) || !der_take(&information, DER_OID, &oid) ||
		    (!der_end(&information) &&
		     (!der_take(&information, DER_SEQUENCE, &qualifiers) || !der_end(&information)))) {
			return false;
		}
	}
	return true;
}

/* RFC 5280 4.2.1.5 */
static bool parse_policy_mappings(struct view value, struct certificate *cert)
{
	struct view list, pair, oid;
	if (!der_take(&value, DER_SEQUENCE, &list) || !der_end(&value) || der_end(&list)) {
		return false;
	}
	cert->policy_mappings = list;
	while (!der_end(&list)) {
		if (!der_take(&list, DER_SEQUENCE, &pair) || !der_take(&pair, DER_OID, &oid) ||
		    !der_take(&pair, DER_OID, &oid) || !der_end(&pair)) {
			return false;
		}
	}
	return true;
}

/* SkipCerts: an INTEGER, here possibly with another tag. */
static bool take_skip(struct view *in, uint8_t tag, bool *has, uint32_t *skip)
{
	struct view contents;
	*has = der_next_is(in, tag);
	*skip = 0;
	if (!*has) {
		return true;
	}
	if (!der_take(in, tag, &contents) || contents.len < 1 || (contents.data[0] & 0x80) != 0 ||
	    (contents.len > 1 && contents.data[0] == 0 && (contents.data[1] & 0x80) == 0)) {
		return false;
	}
	for (size_t i = 0; i < contents.len; i++) {
		/* no path is that long */
		*skip = *skip > 0xffff ? *skip : *skip << 8 | contents.data[i];
	}
	return true;
}

/* RFC 5280 4.2.1.11 */
static bool parse_policy_constraints(struct view value, struct certificate *cert)
{
	struct view constraints;
	return der_take(&value, DER_SEQUENCE, &constraints) && der_end(&value) && !der_end(&constraints) &&
	       take_skip(&constraints, DER_CONTEXT(0), &cert->has_require_explicit,
			 &cert->require_explicit) &&
	       take_skip(&constraints, DER_CONTEXT(1), &cert->has_inhibit_mapping, &cert->inhibit_mapping) &&
	       der_end(&constraints);
}

/* RFC 5280 4.2.1.14 */
static bool parse_inhibit_any(struct view value, struct certificate *cert)
{
	return take_skip(&value, DER_INTEGER, &cert->has_inhibit_any, &cert->inhibit_any) &&
	       cert->has_inhibit_any && der_end(&value);
}

/* RFC 5280 4.2.1.13 */
static bool parse_crl_points(struct view value, struct certificate *cert)
{
	return der_take(&value, DER_SEQUENCE, &cert->crl_points) && der_end(&value) &&
	       is_list(cert->crl_points);
}

/* The TLS extensions that its holder promises to answer; 5, status_request, is the one that matters.  RFC 7633 4 */
static bool parse_features(struct view value, struct certificate *cert)
{
	struct view list;
	uint32_t feature;
	if (!der_take(&value, DER_SEQUENCE, &list) || !der_end(&value)) {
		return false;
	}
	while (!der_end(&list)) {
		if (!der_small(&list, &feature)) {
			return false;
		}
		cert->must_staple |= feature == 5;
	}
	return true;
}

/* RFC 6960 4.2.2.2.1 */
static bool parse_no_check(struct view value, struct certificate *cert)
{
	struct view null;
	cert->no_check = der_take(&value, DER_NULL, &null) && null.len == 0 && der_end(&value);
	return cert->no_check;
}
