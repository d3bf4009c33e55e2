/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parses certificates, RFC 5280 4, into views.
 */
#include <string.h>

#include "x509_extensions.h"
#include "x509_name.h"

static bool parse_tbs(struct view tbs, struct view outer_algorithm, struct certificate *cert,
		      const char **what);

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
	return name_equal(cert->issuer, cert->subject);
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
	struct view algorithm, contents, validity, skipped, spki;
	if (!parse_version(&tbs, &cert->version) || !der_take(&tbs, DER_INTEGER, &cert->serial) ||
	    cert->serial.len == 0 || !der_take_whole(&tbs, DER_SEQUENCE, &contents, &algorithm) ||
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
	    !der_take_whole(&tbs, DER_SEQUENCE, &spki, &cert->spki) ||
	    !der_take(&spki, DER_SEQUENCE, &contents) || !der_bytes_as_bits(&spki, &cert->key_bits)) {
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
	return (der_end(&tbs) || cert->version == 3) &&
	       extensions_optional(&tbs, 3, certificate_take_extension, cert, what) && der_end(&tbs);
}
