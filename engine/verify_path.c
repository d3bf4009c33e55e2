/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds a path from the leaf to a trust anchor and checks it, RFC 5280 6.
 *
 * Implementation notes: the path grows from the leaf upwards, depth first. A candidate issuer is held against
 * the whole path below it before it joins, signature last, so that a path that reaches an anchor is valid and
 * nothing has to be checked again. What the peer sent is tried in any order, those first whose key
 * identifier is the one that is asked for; each certificate joins a path once, and the signature checks of
 * a whole request are counted, so that no set of certificates makes the search long. Of the reasons for
 * which paths failed, the most telling one is kept.
 *
 * Names are compared byte by byte, as issuers copy them. Anchors are judged like other CAs, as OpenSSL does,
 * except for the signature on themselves; anchors of version 1, from before there were extensions, pass.
 */
#include <string.h>

#include "alert.h"
#include "crypto.h"
#include "verify_constraints.h"
#include "verify_name.h"
#include "verify_path.h"
#include "verify_policy.h"
#include "x509_crl.h"
#include "x509_name.h"
#include "x509_time.h"
#include "x509_trust.h"

static int rank_not_found(const struct verifier *v)
{
	return (int)v->path_len;
}

/* ---- checks of one certificate ---- */

static bool check_time(struct verifier *v, const struct certificate *cert, const char *name)
{
	char then[CIVIL_DATE_MAX];
	char now[CIVIL_DATE_MAX];
	civil_date(v->request->now, now);
	if (v->request->now > cert->not_after) {
		civil_date(cert->not_after, then);
		return verify_fail(v, verify_rank_refused(v), ALERT_CERTIFICATE_EXPIRED,
				   "certificate of %s expired on %s (it is %s now)", name, then, now);
	}
	if (v->request->now < cert->not_before) {
		civil_date(cert->not_before, then);
		return verify_fail(v, verify_rank_refused(v), ALERT_CERTIFICATE_EXPIRED,
				   "certificate of %s is not valid before %s (it is %s now)", name, then,
				   now);
	}
	return true;
}

bool path_check_key(struct verifier *v, const struct certificate *cert, const char *name)
{
	char key[KEY_NAME_MAX];
	switch (cert->key_fault) {
	case KEY_OK:
		return true;
	case KEY_TOO_WEAK:
	case KEY_TOO_LARGE:
		key_view_name(&cert->key, key);
		return verify_fail(v, verify_rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
				   "key of %s is %s: RSA keys need %d to %d bits (exponent below 2^32)", name,
				   key, KEY_MIN_RSA_BITS, KEY_MAX_RSA_BITS);
	default:
		return verify_fail(v, verify_rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
				   "key of %s is of a kind that is not supported (RSA, EC P-256, P-384 or "
				   "P-521, Ed25519)",
				   name);
	}
}

static bool check_ext_key_usage(struct verifier *v, const struct certificate *cert, const char *name)
{
	bool server = v->request->peer_role == ENGINE_SERVER;
	unsigned wanted = EXT_KEY_USAGE_ANY | (server ? EXT_KEY_USAGE_SERVER : EXT_KEY_USAGE_CLIENT);
	if (!cert->has_ext_key_usage || (cert->ext_key_usage & wanted) != 0) {
		return true;
	}
	return verify_fail(v, verify_rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
			   "certificate of %s is not for TLS %ss: its extended key usage lacks %s", name,
			   server ? "server" : "client", server ? "serverAuth" : "clientAuth");
}

static bool check_critical(struct verifier *v, const struct certificate *cert, const char *name)
{
	if (cert->has_unknown_critical) {
		return verify_fail(v, verify_rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
				   "certificate of %s has a critical extension that is not supported", name);
	}
	/* RFC 5280 4.2.1.1, 4.2.1.2 */
	return !cert->has_critical_key_id ||
	       verify_fail(v, verify_rank_refused(v), ALERT_BAD_CERTIFICATE,
			   "certificate of %s marks a key identifier as critical, which none may be", name);
}

/* What only CAs have, RFC 5280 4.2.1.9, 4.2.1.10. An anchor's word is the user's. */
static bool check_no_ca(struct verifier *v, const struct certificate *leaf, const char *name)
{
	if (leaf->is_ca || v->leaf_is_anchor) {
		return true;
	}
	if (leaf->has_key_usage && (leaf->key_usage & KEY_USAGE_CERT_SIGN) != 0) {
		return verify_fail(v, verify_rank_refused(v), ALERT_BAD_CERTIFICATE,
				   "certificate of %s is no CA's, but its key usage has keyCertSign", name);
	}
	return !leaf->has_name_constraints ||
	       verify_fail(v, verify_rank_refused(v), ALERT_BAD_CERTIFICATE,
			   "certificate of %s is no CA's, but it has name constraints", name);
}

bool path_check_leaf(struct verifier *v)
{
	const struct certificate *leaf = v->path[0];
	char name[SHORT_NAME];
	certificate_text(leaf, name, sizeof(name));
	if (leaf->version != 3 && !v->leaf_is_anchor) {
		return verify_fail(v, verify_rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
				   "certificate of %s is of X.509 version %u: version 3 is needed", name,
				   leaf->version);
	}
	if (!v->request->for_encipherment && !certificate_may(leaf, KEY_USAGE_DIGITAL_SIGNATURE)) {
		return verify_fail(v, verify_rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
				   "certificate of %s may not sign: its key usage lacks digitalSignature",
				   name);
	}
	if (v->request->for_encipherment && !certificate_may(leaf, KEY_USAGE_KEY_ENCIPHERMENT)) {
		return verify_fail(v, verify_rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
				   "certificate of %s may not decrypt: its key usage lacks keyEncipherment",
				   name);
	}
	return path_check_key(v, leaf, name) && check_critical(v, leaf, name) && check_no_ca(v, leaf, name) &&
	       check_time(v, leaf, name) && check_ext_key_usage(v, leaf, name);
}

/* CAs below issuer on the path, those that issued to themselves not counted.  RFC 5280 4.2.1.9 */
static size_t intermediates_below(const struct verifier *v)
{
	size_t n = 0;
	for (size_t i = 1; i < v->path_len; i++) {
		n += !certificate_is_self_issued(v->path[i]);
	}
	return n;
}

/* May issuer be the CA above the path at all? */
static bool check_ca(struct verifier *v, const struct certificate *issuer, const char *name, bool is_anchor)
{
	bool old_anchor = is_anchor && issuer->version == 1;
	if (!issuer->is_ca && !old_anchor) {
		return verify_fail(
			v, verify_rank_refused(v), ALERT_UNKNOWN_CA,
			"certificate of %s may not issue others: its basic constraints do not say CA", name);
	}
	if (!certificate_may(issuer, KEY_USAGE_CERT_SIGN)) {
		return verify_fail(v, verify_rank_refused(v), ALERT_UNKNOWN_CA,
				   "certificate of %s may not issue others: its key usage lacks keyCertSign",
				   name);
	}
	if (issuer->has_path_len && intermediates_below(v) > issuer->path_len) {
		return verify_fail(v, verify_rank_refused(v), ALERT_UNKNOWN_CA,
				   "too many CAs below %s: its path length constraint allows %u", name,
				   (unsigned)issuer->path_len);
	}
	/* RFC 5280 4.1.2.6 */
	if (name_is_empty(issuer->subject)) {
		return verify_fail(v, verify_rank_refused(v), ALERT_BAD_CERTIFICATE,
				   "a CA without a name may not issue others");
	}
	return path_check_key(v, issuer, name) && check_critical(v, issuer, name) &&
	       check_time(v, issuer, name) && check_ext_key_usage(v, issuer, name);
}

/* A common name that counts is bound like the name that it stands for. */
static bool allow_common_name(struct verifier *v, const struct certificate *issuer, char *what, size_t size)
{
	struct view value;
	uint8_t room[16];
	uint8_t tag;
	return !v->request->config->common_name || !certificate_common_name(v->path[0], &tag, &value, room) ||
	       constraints_allow_name(issuer, tag, value, &v->comparisons_left, what, size);
}

static bool check_constraints(struct verifier *v, const struct certificate *issuer, const char *name)
{
	char what[128];
	for (size_t i = 0; i < v->path_len; i++) {
		/* CAs that issue to themselves are not bound, the leaf always is.  RFC 5280 6.1.3 (b) */
		if (i > 0 && certificate_is_self_issued(v->path[i])) {
			continue;
		}
		if (!constraints_allow(issuer, v->path[i], &v->comparisons_left, what, sizeof(what)) ||
		    (i == 0 && !allow_common_name(v, issuer, what, sizeof(what)))) {
			return verify_fail(v, verify_rank_refused(v), ALERT_BAD_CERTIFICATE,
					   "%s may not vouch for this: %s", name, what);
		}
	}
	return true;
}

/* Does the key identifier say that candidate is the issuer, or say nothing? No proof either way: the signature is. */
static bool key_id_fits(const struct certificate *cert, const struct certificate *candidate)
{
	return cert->authority_key_id.len == 0 || candidate->subject_key_id.len == 0 ||
	       view_equal(cert->authority_key_id, candidate->subject_key_id);
}

/* Does it say so? */
static bool names_key(const struct certificate *cert, const struct certificate *candidate)
{
	return cert->authority_key_id.len != 0 &&
	       view_equal(cert->authority_key_id, candidate->subject_key_id);
}

static bool check_signature(struct verifier *v, const struct certificate *issuer, const char *name,
			    bool is_anchor)
{
	const struct certificate *cert = v->path[v->path_len - 1];
	char subject[SHORT_NAME];
	certificate_text(cert, subject, sizeof(subject));
	if (cert->how_fault != KEY_OK) {
		/* RFC 8446 4.4.2.4 */
		return verify_fail(v, verify_rank_refused(v),
				   cert->how_fault == KEY_TOO_WEAK ? ALERT_BAD_CERTIFICATE
								   : ALERT_UNSUPPORTED_CERTIFICATE,
				   "certificate of %s is signed with %s", subject,
				   cert->how_fault == KEY_TOO_WEAK
					   ? "SHA-1 or MD5, which is forgeable: it must be reissued"
					   : "an algorithm that is not supported");
	}
	if (v->signature_checks_left == 0) {
		return verify_fail(v, VERIFY_RANK_LAST, ALERT_BAD_CERTIFICATE,
				   "the chain that the %s sent takes too long to check", verify_peer_name(v));
	}
	v->signature_checks_left--;
	if (key_view_verify(&issuer->key, cert->how, cert->tbs.data, cert->tbs.len, cert->signature.data,
			    cert->signature.len)) {
		return true;
	}
	/* RFC 8446 6.2: bad_certificate is for signatures, if the key is the right one beyond doubt */
	if (is_anchor && !names_key(cert, issuer)) {
		return verify_fail(
			v, verify_rank_refused(v), ALERT_UNKNOWN_CA,
			"certificate of %s is not signed by the key of %s in the trust file: it is damaged, "
			"or another CA has the same name",
			subject, name);
	}
	return verify_fail(v, verify_rank_refused(v), ALERT_BAD_CERTIFICATE,
			   "signature on the certificate of %s is wrong", subject);
}

/* Hold a candidate against the path below it. */
static bool check_issuer(struct verifier *v, const struct certificate *issuer, bool is_anchor)
{
	char name[SHORT_NAME];
	certificate_text(issuer, name, sizeof(name));
	return check_ca(v, issuer, name, is_anchor) && check_constraints(v, issuer, name) &&
	       check_signature(v, issuer, name, is_anchor);
}

/* ---- path building ---- */

/* Is this name and key on the path already? Two CAs that certify each other would lead around in circles. */
static bool is_on_path(const struct verifier *v, const struct certificate *cert)
{
	for (size_t i = 0; i < v->path_len; i++) {
		if (name_equal(v->path[i]->subject, cert->subject) &&
		    view_equal(v->path[i]->spki, cert->spki)) {
			return true;
		}
	}
	return false;
}

static bool fail_issuer_missing(struct verifier *v, const struct certificate *top)
{
	char name[SHORT_NAME];
	char issuer[SHORT_NAME];
	certificate_text(top, name, sizeof(name));
	name_text(top->issuer, issuer, sizeof(issuer));
	int rank = rank_not_found(v);
	if (trust_count(v->request->config->trust) == 0) {
		return verify_fail(v, rank, ALERT_UNKNOWN_CA,
				   "nobody is trusted: there is no CA certificate to hold %s against", name);
	}
	if (certificate_is_self_issued(top)) {
		return verify_fail(v, rank, ALERT_UNKNOWN_CA, "%s%s is self-signed and not in the trust file",
				   v->path_len == 1 ? "certificate of " : "root CA ", name);
	}
	return verify_fail(
		v, rank, ALERT_UNKNOWN_CA,
		"issuer %s of %s is not in the trust file; if it is an intermediate, the chain that the "
		"%s sent is "
		"incomplete",
		issuer, name, verify_peer_name(v));
}

bool path_check_pins(struct verifier *v)
{
	const struct engine_config *config = v->request->config;
	uint8_t digest[CRYPTO_MAX_HASH_LEN];
	if (config->n_pins == 0) {
		return true;
	}
	for (size_t i = 0; i < v->path_len; i++) {
		struct view spki = v->path[i]->spki;
		for (size_t k = 0;
		     crypto_digest(CRYPTO_SHA256, spki.data, spki.len, digest) && k < config->n_pins; k++) {
			if (memcmp(digest, config->pins[k], sizeof(config->pins[k])) == 0) {
				return true;
			}
		}
	}
	return verify_fail(v, VERIFY_RANK_LAST - 1, ALERT_CERTIFICATE_UNKNOWN,
			   "no certificate of the %s's chain has a pinned key", verify_peer_name(v));
}

/*
 * What the CRLs say of certificate i of the path. Its issuer may have had several keys: then others that certify its
 * name on the path may have signed the list.  RFC 5280 6.3.3 (f)
 */
static enum crl_answer ask_crls(struct verifier *v, size_t i, int64_t *when)
{
	struct crl *crls = v->request->config->crls;
	const struct certificate *cert = v->path[i];
	enum crl_answer best = CRL_MISSING;
	for (size_t k = i + 1; k < v->path_len; k++) {
		int64_t since = 0;
		if (!name_equal(v->path[k]->subject, cert->issuer)) {
			continue;
		}
		enum crl_answer answer =
			crl_ask(crls, cert, v->path[k], v->request->now, &v->signature_checks_left, &since);
		if (answer == CRL_GOOD || answer == CRL_REVOKED || k == i + 1 || best == CRL_MISSING) {
			best = answer;
			*when = since;
		}
		if (answer == CRL_GOOD || answer == CRL_REVOKED) {
			break;
		}
	}
	return best;
}

static bool check_revocation(struct verifier *v, size_t i)
{
	char name[SHORT_NAME];
	char subject[SHORT_NAME];
	char date[CIVIL_DATE_MAX];
	int64_t when = 0;
	certificate_text(v->path[i], subject, sizeof(subject));
	name_text(v->path[i]->issuer, name, sizeof(name));
	const int rank = verify_rank_refused(v);
	switch (ask_crls(v, i, &when)) {
	case CRL_GOOD:
		return true;
	case CRL_REVOKED:
		civil_date(when, date);
		return verify_fail(v, rank, ALERT_CERTIFICATE_REVOKED, "certificate of %s was revoked on %s",
				   subject, date);
	case CRL_MISSING:
		return verify_fail(
			v, rank, ALERT_CERTIFICATE_UNKNOWN,
			"there is no CRL of %s that tells whether the certificate of %s is revoked", name,
			subject);
	case CRL_EXPIRED:
		civil_date(when, date);
		return verify_fail(v, rank, ALERT_CERTIFICATE_UNKNOWN,
				   "the CRL of %s %s %s: it must be renewed", name,
				   v->request->now > when ? "has expired on" : "is not valid before", date);
	case CRL_WRONG_SIGNATURE:
		return verify_fail(v, rank, ALERT_CERTIFICATE_UNKNOWN,
				   "the CRL of %s is not signed by its key", name);
	case CRL_NOT_ALLOWED:
		return verify_fail(v, rank, ALERT_CERTIFICATE_UNKNOWN,
				   "%s may not sign CRLs: its key usage lacks cRLSign", name);
	case CRL_TOO_LONG:
		break;
	}
	return verify_fail(v, VERIFY_RANK_LAST, ALERT_BAD_CERTIFICATE,
			   "the chain that the %s sent takes too long to check", verify_peer_name(v));
}

/* The path has reached an anchor. What has to be said of it as a whole? */
static bool accept_path(struct verifier *v)
{
	const char *what;
	size_t at;
	char name[SHORT_NAME];
	if (!policies_allow(v->path, v->path_len - 1, &at, &what)) {
		certificate_text(v->path[at], name, sizeof(name));
		return verify_fail(v, verify_rank_refused(v), ALERT_BAD_CERTIFICATE, "certificate of %s: %s",
				   name, what);
	}
	for (size_t i = v->path_len - 1; v->request->config->crls != NULL && i > 0; i--) {
		if (!check_revocation(v, i - 1)) {
			return false;
		}
	}
	return path_check_pins(v);
}

/* Anchors that may have issued the top of the path; those whose key identifier fits, or the others. */
static bool try_anchors(struct verifier *v, bool fitting, bool *found)
{
	const struct certificate *top = v->path[v->path_len - 1];
	const struct certificate *anchor;
	for (size_t i = 0; (anchor = trust_find(v->request->config->trust, top->issuer, &i)) != NULL;) {
		if (key_id_fits(top, anchor) != fitting) {
			continue;
		}
		*found = true;
		if (check_issuer(v, anchor, true)) {
			v->path[v->path_len++] = anchor;
			if (accept_path(v)) {
				return true;
			}
			v->path_len--;
		}
	}
	return false;
}

static bool try_others(struct verifier *v, bool fitting, bool *found)
{
	const struct certificate *top = v->path[v->path_len - 1];
	for (size_t i = 1; i < v->n_certs; i++) {
		const struct certificate *cert = &v->certs[i];
		if (!name_equal(cert->subject, top->issuer) || key_id_fits(top, cert) != fitting ||
		    is_on_path(v, cert)) {
			continue;
		}
		*found = true;
		if (check_issuer(v, cert, false)) {
			v->path[v->path_len++] = cert;
			if (path_find(v)) {
				return true;
			}
			v->path_len--;
		}
	}
	return false;
}

/* Recursion ends at CONFIG_MAX_CHAIN: each level takes another of the peer's. */
bool path_find(struct verifier *v)
{
	bool found = false;
	if (try_anchors(v, true, &found) || try_others(v, true, &found) || try_anchors(v, false, &found) ||
	    try_others(v, false, &found)) {
		return true;
	}
	return found ? false : fail_issuer_missing(v, v->path[v->path_len - 1]);
}

bool path_is_anchor(const struct verifier *v, const struct certificate *cert)
{
	const struct certificate *anchor;
	for (size_t i = 0; (anchor = trust_find(v->request->config->trust, cert->subject, &i)) != NULL;) {
		if (view_equal(anchor->whole, cert->whole)) {
			return true;
		}
	}
	return false;
}
