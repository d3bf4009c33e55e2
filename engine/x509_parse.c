/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parses certificates, RFC 5280 4, into views.
 */
#include <stdio.h>
#include <string.h>

#include "x509_parse.h"

#define OID_EXTENSION   "\x55\x1d"
#define OID_KEY_PURPOSE "\x2b\x06\x01\x05\x05\x07\x03"

typedef bool extension_parser(struct view value, struct certificate *cert);
static extension_parser parse_basic_constraints, parse_key_usage, parse_ext_key_usage, parse_alt_names,
	parse_name_constraints, parse_nothing;

/* clang-format off */
static const struct {
	uint8_t oid[3];
	extension_parser *parse;
	const char *what;
} known[] = {
	{ OID_EXTENSION "\x0e", parse_nothing, "subjectKeyIdentifier is malformed" },
	{ OID_EXTENSION "\x0f", parse_key_usage, "keyUsage is malformed" },
	{ OID_EXTENSION "\x11", parse_alt_names, "subjectAltName is malformed" },
	{ OID_EXTENSION "\x13", parse_basic_constraints, "basicConstraints is malformed" },
	{ OID_EXTENSION "\x1e", parse_name_constraints, "nameConstraints is malformed" },
	/* any policy will do for us, so that certificatePolicies needs no processing */
	{ OID_EXTENSION "\x20", parse_nothing, "certificatePolicies is malformed" },
	{ OID_EXTENSION "\x23", parse_nothing, "authorityKeyIdentifier is malformed" },
	{ OID_EXTENSION "\x25", parse_ext_key_usage, "extKeyUsage is malformed" },
};
/* clang-format on */

static bool parse_tbs(struct view tbs, struct view outer_algorithm, struct certificate *cert,
		      const char **what);
static bool parse_extensions(struct view list, struct certificate *cert, const char **what);

bool certificate_parse(struct view der, struct certificate *out, const char **what)
{
	struct view cert, tbs, algorithm, algorithm_whole;
	memset(out, 0, sizeof(*out));
	if (der.len > CERTIFICATE_MAX_LEN) {
		*what = "it is too large";
		return false;
	}
	*what = "it is no X.509 certificate in DER";
	out->whole = der;
	if (!der_take(&der, DER_SEQUENCE, &cert) || !der_end(&der) ||
	    !der_take_whole(&cert, DER_SEQUENCE, &tbs, &out->tbs) ||
	    !der_take_whole(&cert, DER_SEQUENCE, &algorithm, &algorithm_whole) ||
	    !der_bytes_as_bits(&cert, &out->signature) || !der_end(&cert)) {
		return false;
	}
	out->how_fault = signature_algorithm_parse(algorithm, &out->how);
	return parse_tbs(tbs, algorithm_whole, out, what);
}

bool certificate_is_self_issued(const struct certificate *cert)
{
	return view_equal(cert->issuer, cert->subject);
}

bool certificate_may(const struct certificate *cert, uint16_t usage)
{
	return !cert->has_key_usage || (cert->key_usage & usage) != 0;
}

bool certificate_is_self_signed(const struct certificate *cert)
{
	return certificate_is_self_issued(cert) && cert->key_fault == KEY_OK && cert->how_fault == KEY_OK &&
	       key_view_verify(&cert->key, cert->how, cert->tbs.data, cert->tbs.len, cert->signature.data,
			       cert->signature.len);
}

/* Version, which is left away for 1. */
static bool parse_version(struct view *tbs, unsigned *version)
{
	struct view explicit;
	uint32_t value;
	*version = 1;
	if (!der_next_is(tbs, DER_CONTEXT_CONSTRUCTED(0))) {
		return true;
	}
	if (!der_take(tbs, DER_CONTEXT_CONSTRUCTED(0), &explicit) || !der_small(&explicit, &value) ||
	    !der_end(&explicit) || value > 2) {
		return false;
	}
	*version = value + 1;
	return true;
}

/* TBSCertificate, RFC 5280 4.1 */
static bool parse_tbs(struct view tbs, struct view outer_algorithm, struct certificate *cert,
		      const char **what)
{
	struct view serial, algorithm, contents, validity, skipped, list, extensions;
	if (!parse_version(&tbs, &cert->version) || !der_take(&tbs, DER_INTEGER, &serial) ||
	    serial.len == 0 || !der_take_whole(&tbs, DER_SEQUENCE, &contents, &algorithm) ||
	    !der_take_whole(&tbs, DER_SEQUENCE, &contents, &cert->issuer)) {
		return false;
	}
	if (!view_equal(algorithm, outer_algorithm)) {
		*what = "it names two different signature algorithms";
		return false;
	}
	if (!der_take(&tbs, DER_SEQUENCE, &validity) || !der_time(&validity, &cert->not_before) ||
	    !der_time(&validity, &cert->not_after) || !der_end(&validity)) {
		*what = "its validity is malformed";
		return false;
	}
	if (!der_take_whole(&tbs, DER_SEQUENCE, &contents, &cert->subject) ||
	    !der_take_whole(&tbs, DER_SEQUENCE, &contents, &cert->spki)) {
		return false;
	}
	cert->key_fault = key_view_parse(cert->spki, &cert->key);
	if (cert->key_fault == KEY_DAMAGED) {
		*what = "its public key is malformed";
		return false;
	}
	/* issuerUniqueID, subjectUniqueID */
	for (uint8_t n = 1; n <= 2; n++) {
		if (der_next_is(&tbs, DER_CONTEXT(n)) &&
		    (cert->version < 2 || !der_take(&tbs, DER_CONTEXT(n), &skipped))) {
			return false;
		}
	}
	if (der_end(&tbs)) {
		return true;
	}
	return cert->version == 3 && der_take(&tbs, DER_CONTEXT_CONSTRUCTED(3), &list) && der_end(&tbs) &&
	       der_take(&list, DER_SEQUENCE, &extensions) && der_end(&list) && !der_end(&extensions) &&
	       parse_extensions(extensions, cert, what);
}

/* Look up and parse one extension. */
static bool parse_extension(struct view oid, bool critical, struct view value, struct certificate *cert,
			    const char **what)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (view_equal(oid, view_of(known[i].oid, sizeof(known[i].oid)))) {
			*what = known[i].what;
			return known[i].parse(value, cert);
		}
	}
	cert->has_unknown_critical |= critical;
	return true;
}

static bool parse_extensions(struct view list, struct certificate *cert, const char **what)
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
		if (!parse_extension(oid, critical, value, cert, what)) {
			return false;
		}
	}
	return true;
}

static bool parse_nothing(struct view value, struct certificate *cert)
{
	(void)cert;
	return !der_end(&value);
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

/* ---- names for people ---- */

/* Append what is printable of a string; UTF-8 and the wide forms lose what is not ASCII. */
static void append_string(uint8_t tag, struct view value, char *out, size_t size)
{
	size_t used = strlen(out);
	size_t step = tag == DER_BMP_STRING ? 2 : 1;
	for (size_t i = step - 1; i < value.len && used + 1 < size; i += step) {
		uint8_t c = value.data[i];
		out[used++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	out[used] = '\0';
}

/* AttributeTypeAndValue, RFC 5280 4.1.2.4; the first of a set stands for it. */
static bool next_attribute(struct view *rdns, struct view *oid, uint8_t *tag, struct view *value)
{
	struct view set, attribute;
	return der_take(rdns, DER_SET, &set) && der_take(&set, DER_SEQUENCE, &attribute) &&
	       der_take(&attribute, DER_OID, oid) && der_any(&attribute, tag, value, NULL);
}

void name_text(struct view name, char *out, size_t size)
{
	/* the first kind that is there; of several of a kind, the last is the most specific */
	static const struct {
		uint8_t id; /* in 2.5.4 */
		const char *label;
	} kinds[] = {{3, "CN="}, {10, "O="}, {11, "OU="}, {6, "C="}};
	struct view rdns, oid, value;
	uint8_t tag;
	out[0] = '\0';
	if (!der_take(&name, DER_SEQUENCE, &rdns)) {
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && out[0] == '\0'; i++) {
		struct view rest = rdns;
		const uint8_t wanted[] = {0x55, 0x04, kinds[i].id};
		while (next_attribute(&rest, &oid, &tag, &value)) {
			if (view_equal(oid, view_of(wanted, sizeof(wanted)))) {
				(void)snprintf(out, size, "%s", kinds[i].label);
				append_string(tag, value, out, size);
			}
		}
	}
}

void string_text(struct view value, char *out, size_t size)
{
	out[0] = '\0';
	append_string(DER_IA5_STRING, value, out, size);
}

void certificate_text(const struct certificate *cert, char *out, size_t size)
{
	struct view names = cert->alt_names;
	struct view value;
	uint8_t tag;
	name_text(cert->subject, out, size);
	while (out[0] == '\0' && der_any(&names, &tag, &value, NULL)) {
		if (tag == GENERAL_NAME_DNS || tag == GENERAL_NAME_URI || tag == GENERAL_NAME_EMAIL) {
			append_string(DER_IA5_STRING, value, out, size);
		}
	}
	if (out[0] == '\0') {
		(void)snprintf(out, size, "a certificate without a name");
	}
}
