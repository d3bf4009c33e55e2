/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OCSP responses, RFC 6960 4.2.
 *
 * Implementation notes: parsed into views in one pass that also looks for the answer about the certificate in question;
 * nothing is kept. Of several answers about it, the first counts. Times get a few minutes of grace, for clocks differ.
 * A response without nextUpdate was meant for the moment, not to be stapled: it is taken for a day.
 */
#include <stdio.h>
#include <string.h>

#include "crypto.h"
#include "x509_extensions.h"
#include "x509_name.h"
#include "x509_ocsp.h"

#define GRACE            300
#define DEFAULT_LIFETIME 86400
#define MAX_LEN          65536
#define MAX_CERTS        4

#define STATUS_SUCCESSFUL 0

struct response {
	struct view tbs; /* header included */
	struct view responder_name;
	struct view responder_key_hash;
	struct signature_algorithm how;
	enum key_fault how_fault;
	struct view signature;
	struct view certs; /* Certificate, one after the other */

	/* of the certificate in question */
	bool found;
	enum ocsp_answer status;
	int64_t revoked_at;
	int64_t this_update, next_update;
};

/* Who is asked about. */
struct subject {
	const struct certificate *cert;
	const struct certificate *issuer; /* may be NULL */
};

static enum ocsp_answer parse(struct view der, const struct subject *subject, struct response *out,
			      const char **what);
static bool is_signed(const struct response *response, const struct certificate *issuer, int64_t now,
		      struct crl *crls, const char **what);

enum ocsp_answer ocsp_peek(struct view der, const struct certificate *cert, const struct certificate *issuer,
			   int64_t *next_update, const char **what)
{
	const struct subject subject = {cert, issuer};
	struct response response;
	enum ocsp_answer answer = parse(der, &subject, &response, what);
	*next_update = response.next_update;
	return answer;
}

enum ocsp_answer ocsp_ask(struct view der, const struct certificate *cert, const struct certificate *issuer,
			  int64_t now, struct crl *crls, int64_t *when, const char **what)
{
	const struct subject subject = {cert, issuer};
	struct response response;
	const char *unsigned_because;
	enum ocsp_answer answer = parse(der, &subject, &response, what);
	if (answer != OCSP_GOOD && answer != OCSP_REVOKED && answer != OCSP_UNKNOWN) {
		return answer;
	}
	if (!is_signed(&response, issuer, now, crls, &unsigned_because)) {
		*what = unsigned_because;
		return OCSP_WRONG_SIGNATURE;
	}
	*when = response.revoked_at;
	/* revoked once is revoked, but for being on hold: then too it is not to be trusted on old news */
	if (answer != OCSP_REVOKED &&
	    (now > response.next_update + GRACE || now < response.this_update - GRACE)) {
		*when = now < response.this_update ? response.this_update : response.next_update;
		return OCSP_EXPIRED;
	}
	return answer;
}

/* ---- parsing ---- */

static bool take_time(struct view *in, int64_t *time)
{
	return der_next_is(in, DER_GENERALIZED_TIME) && der_time(in, time);
}

/* Is digest the hash of data under the algorithm of an AlgorithmIdentifier (contents)? */
static bool hash_is(struct view algorithm, struct view digest, struct view data)
{
	/* identifiers, not signatures: SHA-1 is what everybody uses here */
	static const struct {
		uint8_t oid_len;
		uint8_t oid[9];
		enum crypto_hash hash;
	} hashes[] = {
		{5, "\x2b\x0e\x03\x02\x1a", CRYPTO_SHA1},
		{9, "\x60\x86\x48\x01\x65\x03\x04\x02\x01", CRYPTO_SHA256},
		{9, "\x60\x86\x48\x01\x65\x03\x04\x02\x02", CRYPTO_SHA384},
	};
	uint8_t expected[CRYPTO_MAX_HASH_LEN];
	struct view oid;
	if (!der_take(&algorithm, DER_OID, &oid)) {
		return false;
	}
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (view_equal(oid, view_of(hashes[i].oid, hashes[i].oid_len))) {
			return crypto_digest(hashes[i].hash, data.data, data.len, expected) &&
			       view_equal(digest, view_of(expected, crypto_hash_len(hashes[i].hash)));
		}
	}
	return false;
}

/* CertID, RFC 6960 4.1.1. False if malformed. */
static bool parse_cert_id(struct view id, const struct subject *subject, bool *is_subject)
{
	struct view algorithm, name_hash, key_hash, serial;
	if (!der_take(&id, DER_SEQUENCE, &algorithm) || !der_take(&id, DER_OCTET_STRING, &name_hash) ||
	    !der_take(&id, DER_OCTET_STRING, &key_hash) || !der_take(&id, DER_INTEGER, &serial) ||
	    !der_end(&id)) {
		return false;
	}
	*is_subject = view_equal(serial, subject->cert->serial) &&
		      hash_is(algorithm, name_hash, subject->cert->issuer) &&
		      (subject->issuer == NULL || hash_is(algorithm, key_hash, subject->issuer->key_bits));
	return true;
}

/* CertStatus */
static bool parse_status(struct view *in, struct response *out)
{
	struct view contents, reason;
	uint8_t tag;
	if (!der_any(in, &tag, &contents, NULL)) {
		return false;
	}
	switch (tag) {
	case DER_CONTEXT(0):
		out->status = OCSP_GOOD;
		return contents.len == 0;
	case DER_CONTEXT_CONSTRUCTED(1):
		out->status = OCSP_REVOKED;
		return take_time(&contents, &out->revoked_at) &&
		       (der_end(&contents) ||
			(der_take(&contents, DER_CONTEXT_CONSTRUCTED(0), &reason) && der_end(&contents)));
	case DER_CONTEXT(2):
		out->status = OCSP_UNKNOWN;
		return contents.len == 0;
	default:
		return false;
	}
}

static bool take_extension(void *to, struct view oid, bool critical, struct view value, const char **what)
{
	(void)to;
	(void)oid;
	(void)value;
	*what = "it has a critical extension that is not supported";
	return !critical;
}

/* SingleResponse */
static bool parse_single(struct view single, const struct subject *subject, struct response *out,
			 const char **what)
{
	struct response here = {.found = false};
	struct view id, explicit;
	bool is_subject;
	*what = "an answer in it is malformed";
	if (!der_take(&single, DER_SEQUENCE, &id) || !parse_cert_id(id, subject, &is_subject) ||
	    !parse_status(&single, &here) || !take_time(&single, &here.this_update)) {
		return false;
	}
	here.next_update = here.this_update + DEFAULT_LIFETIME;
	if (der_next_is(&single, DER_CONTEXT_CONSTRUCTED(0)) &&
	    (!der_take(&single, DER_CONTEXT_CONSTRUCTED(0), &explicit) ||
	     !take_time(&explicit, &here.next_update) || !der_end(&explicit))) {
		return false;
	}
	if (!extensions_optional(&single, 1, take_extension, NULL, what) || !der_end(&single)) {
		return false;
	}
	if (is_subject && !out->found) {
		out->found = true;
		out->status = here.status;
		out->revoked_at = here.revoked_at;
		out->this_update = here.this_update;
		out->next_update = here.next_update;
	}
	return true;
}

/* ResponderID: [1] Name or [2] KeyHash, both EXPLICIT */
static bool parse_responder(struct view *in, struct response *out)
{
	struct view explicit, contents;
	if (der_take(in, DER_CONTEXT_CONSTRUCTED(1), &explicit)) {
		return der_take_whole(&explicit, DER_SEQUENCE, &contents, &out->responder_name) &&
		       der_end(&explicit);
	}
	return der_take(in, DER_CONTEXT_CONSTRUCTED(2), &explicit) &&
	       der_take(&explicit, DER_OCTET_STRING, &out->responder_key_hash) && der_end(&explicit);
}

/* ResponseData */
static bool parse_data(struct view data, const struct subject *subject, struct response *out,
		       const char **what)
{
	struct view explicit, list, single;
	uint32_t version = 0;
	int64_t produced_at;
	*what = "it is malformed";
	if (der_next_is(&data, DER_CONTEXT_CONSTRUCTED(0)) &&
	    (!der_take(&data, DER_CONTEXT_CONSTRUCTED(0), &explicit) || !der_small(&explicit, &version) ||
	     !der_end(&explicit) || version != 0)) {
		return false;
	}
	if (!parse_responder(&data, out) || !take_time(&data, &produced_at) ||
	    !der_take(&data, DER_SEQUENCE, &list)) {
		return false;
	}
	while (!der_end(&list)) {
		if (!der_take(&list, DER_SEQUENCE, &single) || !parse_single(single, subject, out, what)) {
			return false;
		}
	}
	*what = "it is malformed";
	return extensions_optional(&data, 1, take_extension, NULL, what) && der_end(&data);
}

/* BasicOCSPResponse */
static bool parse_basic(struct view der, const struct subject *subject, struct response *out,
			const char **what)
{
	struct view basic, data, algorithm, explicit;
	*what = "it is malformed";
	if (!der_take(&der, DER_SEQUENCE, &basic) || !der_end(&der) ||
	    !der_take_whole(&basic, DER_SEQUENCE, &data, &out->tbs) ||
	    !der_take(&basic, DER_SEQUENCE, &algorithm) || !der_bytes_as_bits(&basic, &out->signature)) {
		return false;
	}
	if (!der_end(&basic) &&
	    (!der_take(&basic, DER_CONTEXT_CONSTRUCTED(0), &explicit) || !der_end(&basic) ||
	     !der_take(&explicit, DER_SEQUENCE, &out->certs) || !der_end(&explicit))) {
		return false;
	}
	out->how_fault = signature_algorithm_parse(algorithm, &out->how);
	return parse_data(data, subject, out, what);
}

/* OCSPResponse */
static enum ocsp_answer parse(struct view der, const struct subject *subject, struct response *out,
			      const char **what)
{
	struct view response, status, explicit, bytes, type, basic;
	memset(out, 0, sizeof(*out));
	*what = "it is malformed";
	if (der.len > MAX_LEN || !der_take(&der, DER_SEQUENCE, &response) || !der_end(&der) ||
	    !der_take(&response, DER_ENUMERATED, &status) || status.len != 1) {
		return OCSP_MALFORMED;
	}
	if (status.data[0] != STATUS_SUCCESSFUL) {
		*what = "the responder answered with an error";
		return OCSP_UNSUCCESSFUL;
	}
	if (!der_take(&response, DER_CONTEXT_CONSTRUCTED(0), &explicit) || !der_end(&response) ||
	    !der_take(&explicit, DER_SEQUENCE, &bytes) || !der_end(&explicit) ||
	    !der_take(&bytes, DER_OID, &type) || !der_take(&bytes, DER_OCTET_STRING, &basic) ||
	    !der_end(&bytes)) {
		return OCSP_MALFORMED;
	}
	if (!view_is(type, OID_OCSP "\x01")) {
		*what = "it is of a kind that is not supported";
		return OCSP_MALFORMED;
	}
	if (!parse_basic(basic, subject, out, what)) {
		return OCSP_MALFORMED;
	}
	if (!out->found) {
		*what = "it is about another certificate";
		return OCSP_OTHER;
	}
	*what = "the responder does not know it";
	return out->status;
}

/* ---- who signed ---- */

static bool is_responder(const struct response *response, const struct certificate *cert)
{
	uint8_t digest[CRYPTO_MAX_HASH_LEN];
	if (response->responder_name.len > 0) {
		return name_equal(response->responder_name, cert->subject);
	}
	return crypto_digest(CRYPTO_SHA1, cert->key_bits.data, cert->key_bits.len, digest) &&
	       view_equal(response->responder_key_hash, view_of(digest, crypto_hash_len(CRYPTO_SHA1)));
}

static bool signature_is_by(const struct response *response, const struct certificate *cert)
{
	return cert->key_fault == KEY_OK &&
	       key_view_verify(&cert->key, response->how, response->tbs.data, response->tbs.len,
			       response->signature.data, response->signature.len);
}

/* May the holder of cert answer for issuer?  RFC 6960 4.2.2.2 */
static bool is_delegated(const struct certificate *cert, const struct certificate *issuer, int64_t now,
			 struct crl *crls, const char **what)
{
	size_t checks = 4;
	int64_t when;
	*what = "the certificate of its responder is not fit for it";
	if (!name_equal(cert->issuer, issuer->subject) || (cert->ext_key_usage & EXT_KEY_USAGE_OCSP) == 0 ||
	    !certificate_may(cert, KEY_USAGE_DIGITAL_SIGNATURE) || cert->has_unknown_critical ||
	    cert->how_fault != KEY_OK) {
		return false;
	}
	if (now > cert->not_after || now < cert->not_before) {
		*what = "the certificate of its responder has expired or is not valid yet";
		return false;
	}
	if (!key_view_verify(&issuer->key, cert->how, cert->tbs.data, cert->tbs.len, cert->signature.data,
			     cert->signature.len)) {
		*what = "the certificate of its responder was not signed by the issuer";
		return false;
	}
	if (crls != NULL && !cert->no_check && crl_ask(crls, cert, issuer, now, &checks, &when) != CRL_GOOD) {
		*what = "the certificate of its responder is revoked, or there is no CRL for it";
		return false;
	}
	return true;
}

static bool is_signed(const struct response *response, const struct certificate *issuer, int64_t now,
		      struct crl *crls, const char **what)
{
	struct view rest = response->certs;
	if (response->how_fault != KEY_OK) {
		*what = response->how_fault == KEY_TOO_WEAK
				? "it is signed with SHA-1 or MD5, which is forgeable"
				: "it is signed with an algorithm that is not supported";
		return false;
	}
	*what = "it is not signed by the issuer or a responder of its";
	if (is_responder(response, issuer) && signature_is_by(response, issuer)) {
		return true;
	}
	for (size_t i = 0; i < MAX_CERTS && !der_end(&rest); i++) {
		struct certificate cert;
		struct view contents, whole;
		const char *why;
		if (!der_take_whole(&rest, DER_SEQUENCE, &contents, &whole)) {
			return false;
		}
		if (certificate_parse(whole, &cert, &why) && is_responder(response, &cert) &&
		    signature_is_by(response, &cert)) {
			return is_delegated(&cert, issuer, now, crls, what);
		}
	}
	return false;
}
