/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges a peer's certificate chain: builds a path to a trust anchor and checks it, RFC 5280 6.
 *
 * Implementation notes: the path grows from the leaf upwards, depth first. A candidate issuer is held against
 * the whole path below it before it joins, signature last, so that a path that reaches an anchor is valid and
 * nothing has to be checked again. What the peer sent is tried in any order; each certificate joins a path
 * once, and the signature checks of a whole request are counted, so that no set of certificates makes the
 * search long. Of the reasons for which paths failed, the most telling one is kept.
 *
 * Names are compared byte by byte, as issuers copy them. Anchors are judged like other CAs, as OpenSSL does,
 * except for the signature on themselves; anchors of version 1, from before there were extensions, pass.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alert.h"
#include "crypto.h"
#include "verify_constraints.h"
#include "verify_name.h"
#include "x509_time.h"
#include "x509_trust.h"

#define MAX_SIGNATURE_CHECKS       40
#define MAX_CONSTRAINT_COMPARISONS 100000
/* Names in reasons are cut, to leave room for the sentence. */
#define SHORT_NAME                 56

struct verifier {
	const struct verify_request *request;
	struct verify_result *result;
	int failure_rank; /* of the failure in result; -1: none yet */
	size_t signature_checks_left;
	size_t comparisons_left;
	bool is_pinned; /* the leaf itself is an anchor */

	struct certificate certs[CONFIG_MAX_CHAIN];
	size_t n_certs;
	const struct certificate *path[CONFIG_MAX_CHAIN + 1]; /* leaf first */
	size_t path_len;
};

static enum engine_err judge(struct verifier *v);

enum engine_err verify_chain(const struct verify_request *request, struct verify_result *result)
{
	memset(result, 0, sizeof(*result));
	struct verifier *v = engine_alloc(sizeof(*v));
	if (v == NULL) {
		(void)snprintf(result->reason, sizeof(result->reason), "out of memory");
		result->alert = ALERT_INTERNAL_ERROR;
		return ENGINE_ERR_NO_MEMORY;
	}
	memset(v, 0, sizeof(*v));
	v->request = request;
	v->result = result;
	v->failure_rank = -1;
	v->signature_checks_left = MAX_SIGNATURE_CHECKS;
	v->comparisons_left = MAX_CONSTRAINT_COMPARISONS;
	enum engine_err err = judge(v);
	if (err == ENGINE_OK) {
		/* what failed on other paths is of no interest */
		result->alert = 0;
		result->reason[0] = '\0';
	} else {
		public_key_free(result->key);
		result->key = NULL;
	}
	engine_release(v);
	return err;
}

/* Remember why; a reason of a higher rank displaces it. Always false, to be returned. */
__attribute__((format(printf, 4, 5))) static bool fail(struct verifier *v, int rank, uint8_t alert,
						       const char *format, ...)
{
	if (rank > v->failure_rank) {
		va_list args;
		va_start(args, format);
		(void)vsnprintf(v->result->reason, sizeof(v->result->reason), format, args);
		va_end(args);
		v->result->alert = alert;
		v->failure_rank = rank;
	}
	return false;
}

/* Ranks: a CA that was found and refused says more than one that was not found, a longer path more than a
 * shorter. */
static int rank_not_found(const struct verifier *v)
{
	return (int)v->path_len;
}

static int rank_refused(const struct verifier *v)
{
	return 100 + (int)v->path_len;
}

static const char *peer_name(const struct verifier *v)
{
	return v->request->peer_role == ENGINE_SERVER ? "server" : "client";
}

/* ---- checks of one certificate ---- */

static bool check_time(struct verifier *v, const struct certificate *cert, const char *name)
{
	char then[CIVIL_DATE_MAX];
	char now[CIVIL_DATE_MAX];
	civil_date(v->request->now, now);
	if (v->request->now > cert->not_after) {
		civil_date(cert->not_after, then);
		return fail(v, rank_refused(v), ALERT_CERTIFICATE_EXPIRED,
			    "certificate of %s expired on %s (it is %s now)", name, then, now);
	}
	if (v->request->now < cert->not_before) {
		civil_date(cert->not_before, then);
		return fail(v, rank_refused(v), ALERT_CERTIFICATE_EXPIRED,
			    "certificate of %s is not valid before %s (it is %s now)", name, then, now);
	}
	return true;
}

static bool check_key(struct verifier *v, const struct certificate *cert, const char *name)
{
	char key[KEY_NAME_MAX];
	switch (cert->key_fault) {
	case KEY_OK:
		return true;
	case KEY_TOO_WEAK:
	case KEY_TOO_LARGE:
		key_view_name(&cert->key, key);
		return fail(v, rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
			    "key of %s is %s: RSA keys need %d to %d bits (exponent below 2^32)", name, key,
			    KEY_MIN_RSA_BITS, KEY_MAX_RSA_BITS);
	default:
		return fail(v, rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
			    "key of %s is of a kind that is not supported (RSA, EC P-256, P-384 or P-521, Ed25519)",
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
	return fail(v, rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
		    "certificate of %s is not for TLS %ss: its extended key usage lacks %s", name,
		    server ? "server" : "client", server ? "serverAuth" : "clientAuth");
}

static bool check_unknown_critical(struct verifier *v, const struct certificate *cert, const char *name)
{
	return !cert->has_unknown_critical ||
	       fail(v, rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
		    "certificate of %s has a critical extension that is not supported", name);
}

static bool check_leaf(struct verifier *v)
{
	const struct certificate *leaf = v->path[0];
	char name[SHORT_NAME];
	certificate_text(leaf, name, sizeof(name));
	if (leaf->version != 3 && !v->is_pinned) {
		return fail(v, rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
			    "certificate of %s is of X.509 version %u: version 3 is needed", name,
			    leaf->version);
	}
	if (!v->request->for_encipherment && !certificate_may(leaf, KEY_USAGE_DIGITAL_SIGNATURE)) {
		return fail(v, rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
			    "certificate of %s may not sign: its key usage lacks digitalSignature", name);
	}
	if (v->request->for_encipherment && !certificate_may(leaf, KEY_USAGE_KEY_ENCIPHERMENT)) {
		return fail(v, rank_refused(v), ALERT_UNSUPPORTED_CERTIFICATE,
			    "certificate of %s may not decrypt: its key usage lacks keyEncipherment", name);
	}
	return check_key(v, leaf, name) && check_unknown_critical(v, leaf, name) &&
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
		return fail(v, rank_refused(v), ALERT_UNKNOWN_CA,
			    "certificate of %s may not issue others: its basic constraints do not say CA",
			    name);
	}
	if (!certificate_may(issuer, KEY_USAGE_CERT_SIGN)) {
		return fail(v, rank_refused(v), ALERT_UNKNOWN_CA,
			    "certificate of %s may not issue others: its key usage lacks keyCertSign", name);
	}
	if (issuer->has_path_len && intermediates_below(v) > issuer->path_len) {
		return fail(v, rank_refused(v), ALERT_UNKNOWN_CA,
			    "too many CAs below %s: its path length constraint allows %u", name,
			    (unsigned)issuer->path_len);
	}
	return check_key(v, issuer, name) && check_unknown_critical(v, issuer, name) &&
	       check_time(v, issuer, name) && check_ext_key_usage(v, issuer, name);
}

static bool check_constraints(struct verifier *v, const struct certificate *issuer, const char *name)
{
	char what[128];
	for (size_t i = 0; i < v->path_len; i++) {
		/* CAs that issue to themselves are not bound, the leaf always is.  RFC 5280 6.1.3 (b) */
		if (i > 0 && certificate_is_self_issued(v->path[i])) {
			continue;
		}
		if (!constraints_allow(issuer, v->path[i], &v->comparisons_left, what, sizeof(what))) {
			return fail(v, rank_refused(v), ALERT_BAD_CERTIFICATE,
				    "%s may not vouch for this: %s", name, what);
		}
	}
	return true;
}

static bool check_signature(struct verifier *v, const struct certificate *issuer, const char *name,
			    bool is_anchor)
{
	const struct certificate *cert = v->path[v->path_len - 1];
	char subject[SHORT_NAME];
	certificate_text(cert, subject, sizeof(subject));
	if (cert->how_fault != KEY_OK) {
		/* RFC 8446 4.4.2.4 */
		return fail(v, rank_refused(v),
			    cert->how_fault == KEY_TOO_WEAK ? ALERT_BAD_CERTIFICATE
							    : ALERT_UNSUPPORTED_CERTIFICATE,
			    "certificate of %s is signed with %s", subject,
			    cert->how_fault == KEY_TOO_WEAK
				    ? "SHA-1 or MD5, which is forgeable: it must be reissued"
				    : "an algorithm that is not supported");
	}
	if (v->signature_checks_left == 0) {
		return fail(v, 1000, ALERT_BAD_CERTIFICATE,
			    "the chain that the %s sent takes too long to check", peer_name(v));
	}
	v->signature_checks_left--;
	if (key_view_verify(&issuer->key, cert->how, cert->tbs.data, cert->tbs.len, cert->signature.data,
			    cert->signature.len)) {
		return true;
	}
	if (is_anchor) {
		return fail(
			v, rank_refused(v), ALERT_UNKNOWN_CA,
			"certificate of %s is not signed by the key of %s in the trust file: it is damaged, "
			"or another CA has the same name",
			subject, name);
	}
	return fail(v, rank_refused(v), ALERT_BAD_CERTIFICATE, "signature on the certificate of %s is wrong",
		    subject);
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
		if (view_equal(v->path[i]->subject, cert->subject) &&
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
		return fail(v, rank, ALERT_UNKNOWN_CA,
			    "nobody is trusted: there is no CA certificate to hold %s against", name);
	}
	if (certificate_is_self_issued(top)) {
		return fail(v, rank, ALERT_UNKNOWN_CA, "%s%s is self-signed and not in the trust file",
			    v->path_len == 1 ? "certificate of " : "root CA ", name);
	}
	return fail(v, rank, ALERT_UNKNOWN_CA,
		    "issuer %s of %s is not in the trust file; if it is an intermediate, the chain that the "
		    "%s sent is "
		    "incomplete",
		    issuer, name, peer_name(v));
}

/* Lead the path on to an anchor. Recursion ends at CONFIG_MAX_CHAIN: each level takes another of the peer's.
 */
static bool extend(struct verifier *v)
{
	const struct certificate *top = v->path[v->path_len - 1];
	const struct certificate *anchor;
	bool found = false;
	for (size_t i = 0; (anchor = trust_find(v->request->config->trust, top->issuer, &i)) != NULL;) {
		found = true;
		if (check_issuer(v, anchor, true)) {
			return true;
		}
	}
	for (size_t i = 1; i < v->n_certs; i++) {
		const struct certificate *cert = &v->certs[i];
		if (!view_equal(cert->subject, top->issuer) || is_on_path(v, cert)) {
			continue;
		}
		found = true;
		if (check_issuer(v, cert, false)) {
			v->path[v->path_len++] = cert;
			if (extend(v)) {
				return true;
			}
			v->path_len--;
		}
	}
	return found ? false : fail_issuer_missing(v, top);
}

static bool is_anchor(const struct verifier *v, const struct certificate *cert)
{
	const struct certificate *anchor;
	for (size_t i = 0; (anchor = trust_find(v->request->config->trust, cert->subject, &i)) != NULL;) {
		if (view_equal(anchor->whole, cert->whole)) {
			return true;
		}
	}
	return false;
}

/* ---- names ---- */

static bool check_name(struct verifier *v)
{
	const struct certificate *leaf = v->path[0];
	const char *name = v->request->name;
	char names[96];
	if (name == NULL || certificate_has_name(leaf, name)) {
		return true;
	}
	certificate_names_text(leaf, names, sizeof(names));
	if (names[0] != '\0') {
		return fail(v, rank_refused(v), ALERT_BAD_CERTIFICATE,
			    "certificate is for %s; the program asked for %.60s", names, name);
	}
	certificate_text(leaf, names, SHORT_NAME);
	return fail(v, rank_refused(v), ALERT_BAD_CERTIFICATE,
		    "certificate of %s has no subject alternative name (a CN does not count); the program "
		    "asked for %.60s",
		    names, name);
}

/* Allowed peers stand in the place of the name. */
static bool check_names(struct verifier *v)
{
	const struct engine_config *config = v->request->config;
	char names[120];
	if (config->n_allowed_peers == 0) {
		return config->verify != ENGINE_VERIFY_FULL || check_name(v);
	}
	for (size_t i = 0; i < config->n_allowed_peers; i++) {
		if (certificate_has_peer_name(v->path[0], config->allowed_peers[i])) {
			return true;
		}
	}
	certificate_names_text(v->path[0], names, sizeof(names));
	return fail(v, rank_refused(v), ALERT_BAD_CERTIFICATE,
		    "the %s is none of the allowed peers; its names are: %s", peer_name(v),
		    names[0] != '\0' ? names : "(none)");
}

/* ---- all of it ---- */

/* The other certificates: what does not parse or was sent twice is left out, for nobody has to need it. */
static void take_others(struct verifier *v)
{
	const struct verify_request *r = v->request;
	const char *what;
	v->n_certs = 1;
	for (size_t i = 1; i < r->n_certs && i < CONFIG_MAX_CHAIN; i++) {
		struct view der = view_of(r->certs[i], r->cert_lens[i]);
		bool twice = false;
		for (size_t k = 0; k < v->n_certs; k++) {
			twice |= view_equal(v->certs[k].whole, der);
		}
		if (!twice && certificate_parse(der, &v->certs[v->n_certs], &what)) {
			v->n_certs++;
		}
	}
}

/* The leaf's key goes out even where nothing is verified: the peer must still prove that it holds it. */
static bool take_leaf(struct verifier *v)
{
	const struct verify_request *r = v->request;
	const char *what;
	if (r->n_certs == 0) {
		return fail(v, rank_refused(v), ALERT_BAD_CERTIFICATE, "the %s sent no certificate",
			    peer_name(v));
	}
	if (!certificate_parse(view_of(r->certs[0], r->cert_lens[0]), &v->certs[0], &what)) {
		return fail(v, rank_refused(v), ALERT_BAD_CERTIFICATE, "certificate of the %s is damaged: %s",
			    peer_name(v), what);
	}
	certificate_text(&v->certs[0], v->result->subject, sizeof(v->result->subject));
	v->result->may_sign = certificate_may(&v->certs[0], KEY_USAGE_DIGITAL_SIGNATURE);
	v->result->may_encipher = certificate_may(&v->certs[0], KEY_USAGE_KEY_ENCIPHERMENT);
	v->path[0] = &v->certs[0];
	v->path_len = 1;
	return true;
}

static bool check_all(struct verifier *v)
{
	take_others(v);
	v->is_pinned = is_anchor(v, &v->certs[0]);
	return check_leaf(v) && (v->is_pinned || extend(v)) && check_names(v);
}

static enum engine_err judge(struct verifier *v)
{
	if (!take_leaf(v)) {
		return ENGINE_ERR_VERIFY;
	}
	const struct certificate *leaf = &v->certs[0];
	if (v->request->config->verify == ENGINE_VERIFY_NONE) {
		char name[SHORT_NAME];
		certificate_text(leaf, name, sizeof(name));
		if (!check_key(v, leaf, name)) {
			return ENGINE_ERR_VERIFY;
		}
	} else if (!check_all(v)) {
		return ENGINE_ERR_VERIFY;
	}
	v->result->key = public_key_new(&leaf->key);
	if (v->result->key == NULL) {
		(void)fail(v, 2000, ALERT_INTERNAL_ERROR, "out of memory");
		return ENGINE_ERR_NO_MEMORY;
	}
	return ENGINE_OK;
}
