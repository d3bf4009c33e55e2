/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges a peer's certificates: the leaf, the path from it to an anchor (verify_path.c), its names, pins, and what OCSP
 * says of it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alert.h"
#include "crypto.h"
#include "verify_name.h"
#include "verify_path.h"
#include "x509_ocsp.h"
#include "x509_time.h"

#define MAX_SIGNATURE_CHECKS       40
#define MAX_CONSTRAINT_COMPARISONS 100000

static enum engine_err judge(struct verifier *v);

/* ---- what a configuration says of it ---- */

bool engine_config_set_pins(struct engine_config *cfg, const uint8_t (*digests)[32], size_t n)
{
	if (n < 1 || n > CONFIG_MAX_PINS) {
		return false;
	}
	memcpy(cfg->pins, digests, n * sizeof(cfg->pins[0]));
	cfg->n_pins = n;
	return true;
}

void engine_config_require_ocsp(struct engine_config *cfg, bool required)
{
	cfg->ocsp_required = required;
}

void engine_config_set_common_name(struct engine_config *cfg, bool allowed)
{
	cfg->common_name = allowed;
}

/* ---- verifying ---- */

enum engine_err verify_chain(const struct verify_request *request, struct verify_result *result)
{
	const size_t n_certs = request->n_certs < CONFIG_MAX_CHAIN ? request->n_certs : CONFIG_MAX_CHAIN;
	memset(result, 0, sizeof(*result));
	struct verifier *v = engine_alloc(sizeof(*v) + (n_certs + 1) * sizeof(v->certs[0]));
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

bool verify_fail(struct verifier *v, int rank, uint8_t alert, const char *format, ...)
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

int verify_rank_refused(const struct verifier *v)
{
	return 100 + (int)v->path_len;
}

const char *verify_peer_name(const struct verifier *v)
{
	return v->request->peer_role == ENGINE_SERVER ? "server" : "client";
}

/* ---- names ---- */

static bool check_name(struct verifier *v)
{
	const struct certificate *leaf = v->path[0];
	const char *name = v->request->name;
	char names[96];
	if (name == NULL || certificate_has_name(leaf, name, v->request->config->common_name)) {
		return true;
	}
	certificate_names_text(leaf, names, sizeof(names));
	if (names[0] != '\0') {
		return verify_fail(v, VERIFY_RANK_LAST, ALERT_BAD_CERTIFICATE,
				   "certificate is for %s; the program asked for %.60s", names, name);
	}
	certificate_text(leaf, names, SHORT_NAME);
	return verify_fail(v, VERIFY_RANK_LAST, ALERT_BAD_CERTIFICATE,
			   "certificate of %s has no subject alternative name%s; the program asked for %.60s",
			   names, v->request->config->common_name ? "" : " (a CN does not count)", name);
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
	return verify_fail(v, VERIFY_RANK_LAST, ALERT_BAD_CERTIFICATE,
			   "the %s is none of the allowed peers; its names are: %s", verify_peer_name(v),
			   names[0] != '\0' ? names : "(none)");
}

/* ---- OCSP ---- */

static bool fail_ocsp(struct verifier *v, const char *why, const char *date)
{
	return verify_fail(v, VERIFY_RANK_LAST, ALERT_BAD_CERTIFICATE_STATUS_RESPONSE,
			   "the OCSP response that the %s stapled is of no use: %s%s", verify_peer_name(v),
			   why, date);
}

/* Must there be a response?  RFC 7633 4.2.3: what a certificate promises holds if it was asked for */
static bool check_no_ocsp(struct verifier *v)
{
	const bool promised = v->request->ocsp_asked && v->path[0]->must_staple;
	if (!v->request->config->ocsp_required && !promised) {
		return true;
	}
	return verify_fail(v, VERIFY_RANK_LAST, ALERT_BAD_CERTIFICATE_STATUS_RESPONSE,
			   "the %s stapled no OCSP response, %s", verify_peer_name(v),
			   promised ? "though its certificate says that it would" : "which is required");
}

static bool check_ocsp(struct verifier *v)
{
	const struct verify_request *r = v->request;
	const struct certificate *leaf = v->path[0];
	char name[SHORT_NAME];
	char date[CIVIL_DATE_MAX];
	const char *what = "";
	int64_t when = 0;
	if (r->ocsp_len == 0) {
		return check_no_ocsp(v);
	}
	if (v->path_len < 2) {
		/* the leaf is trusted by itself: nobody else is asked, unless that is required */
		return !r->config->ocsp_required || fail_ocsp(v, "the certificate is trusted by itself", "");
	}
	certificate_text(leaf, name, sizeof(name));
	switch (ocsp_ask(view_of(r->ocsp, r->ocsp_len), leaf, v->path[1], r->now, r->config->crls, &when,
			 &what)) {
	case OCSP_GOOD:
		return true;
	case OCSP_REVOKED:
		civil_date(when, date);
		return verify_fail(v, VERIFY_RANK_LAST, ALERT_CERTIFICATE_REVOKED,
				   "certificate of %s was revoked on %s, its OCSP response says", name, date);
	case OCSP_EXPIRED:
		civil_date(when, date);
		return fail_ocsp(v, r->now > when ? "it has expired on " : "it is not valid before ", date);
	default:
		return fail_ocsp(v, what, "");
	}
}

/* ---- all of it ---- */

/* The other certificates: what does not parse or was sent twice is left out, for nobody has to need it. */
static void take_others(struct verifier *v)
{
	const struct verify_request *r = v->request;
	const char *what;
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
		return verify_fail(v, verify_rank_refused(v), ALERT_BAD_CERTIFICATE,
				   "the %s sent no certificate", verify_peer_name(v));
	}
	if (!certificate_parse(view_of(r->certs[0], r->cert_lens[0]), &v->certs[0], &what)) {
		return verify_fail(v, verify_rank_refused(v), ALERT_BAD_CERTIFICATE,
				   "certificate of the %s is damaged: %s", verify_peer_name(v), what);
	}
	certificate_text(&v->certs[0], v->result->subject, sizeof(v->result->subject));
	v->result->not_after = v->certs[0].not_after;
	v->result->may_sign = certificate_may(&v->certs[0], KEY_USAGE_DIGITAL_SIGNATURE);
	v->result->may_encipher = certificate_may(&v->certs[0], KEY_USAGE_KEY_ENCIPHERMENT);
	v->n_certs = 1;
	v->path[0] = &v->certs[0];
	v->path_len = 1;
	return true;
}

static bool check_all(struct verifier *v)
{
	take_others(v);
	v->leaf_is_anchor = path_is_anchor(v, &v->certs[0]);
	if (!path_check_leaf(v) || !(v->leaf_is_anchor ? path_check_pins(v) : path_find(v))) {
		return false;
	}
	return check_names(v) && check_ocsp(v);
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
		if (!path_check_key(v, leaf, name) || !path_check_pins(v)) {
			return ENGINE_ERR_VERIFY;
		}
	} else if (!check_all(v)) {
		return ENGINE_ERR_VERIFY;
	}
	v->result->key = public_key_new(&leaf->key);
	if (v->result->key == NULL) {
		(void)verify_fail(v, VERIFY_RANK_LAST + 1, ALERT_INTERNAL_ERROR, "out of memory");
		return ENGINE_ERR_NO_MEMORY;
	}
	return ENGINE_OK;
}
