/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificate revocation lists, RFC 5280 5 and 6.3.
 *
 * Implementation notes: a CRL is one block of memory, its parsed form with the DER behind it, and a hash table of the
 * places of its entries. Everything is checked when it is read, but for the signature: its key shows only when a path
 * has been found. Which key that was is remembered, so that the bytes of a long CRL are hashed once, not in each
 * handshake. That memory is written once, by whoever comes first; all else never changes.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "crypto.h"
#include "x509_crl.h"
#include "x509_extensions.h"
#include "x509_name.h"
#include "x509_pem.h"

#define MAX_LEN           0xffffff /* of what der_any() reads */
#define KEY_DIGEST_LEN    32
#define REASON_FROM_DELTA 8

/* crl.signer */
enum { SIGNER_UNKNOWN, SIGNER_BEING_WRITTEN, SIGNER_KNOWN };

struct crl {
	struct crl *next;
	struct view tbs, issuer, signature, revoked;
	struct signature_algorithm how;
	unsigned version;
	int64_t this_update, next_update;
	struct view authority_key_id; /* empty: none */
	/* IssuingDistributionPoint */
	bool only_users, only_cas;
	struct view points; /* GeneralName, one after the other; empty: for all */

	_Atomic int signer;
	uint8_t signer_digest[KEY_DIGEST_LEN]; /* of the SubjectPublicKeyInfo */

	uint32_t *slots;  /* places in revoked, plus 1; 0: free */
	uint32_t n_slots; /* a power of two, 0 if there is no entry */
	uint8_t der[];
};

/* RevokedCertificate */
struct entry {
	struct view serial;
	int64_t date;
};

static bool parse_list(struct crl *crl, struct view der, const char **what);
static enum engine_err index_entries(struct crl *crl, const char **what);

void crl_free_all(struct crl *list)
{
	while (list != NULL) {
		struct crl *next = list->next;
		engine_release(list->slots);
		engine_release(list);
		list = next;
	}
}

/* der may be the room behind made, filled already. */
static enum engine_err finish(struct crl *made, size_t len, struct crl **list, const char **what)
{
	enum engine_err err = ENGINE_ERR_CONFIG;
	if (parse_list(made, view_of(made->der, len), what)) {
		err = index_entries(made, what);
	}
	if (err != ENGINE_OK) {
		crl_free_all(made);
		return err;
	}
	made->next = *list;
	*list = made;
	return ENGINE_OK;
}

static struct crl *new_crl(size_t room)
{
	struct crl *made = room > MAX_LEN ? NULL : engine_alloc(sizeof(*made) + room);
	if (made != NULL) {
		memset(made, 0, sizeof(*made));
		atomic_init(&made->signer, SIGNER_UNKNOWN);
	}
	return made;
}

enum engine_err crl_add(struct crl **list, struct view der, const char **what)
{
	struct crl *made;
	*what = "it is no CRL in DER, or it is too large";
	if (der.len == 0 || der.len > MAX_LEN) {
		return ENGINE_ERR_CONFIG;
	}
	made = new_crl(der.len);
	if (made == NULL) {
		return ENGINE_ERR_NO_MEMORY;
	}
	memcpy(made->der, der.data, der.len);
	return finish(made, der.len, list, what);
}

static enum engine_err add_block(struct crl **list, const struct pem_block *block, const char **what)
{
	size_t len;
	*what = "its PEM block is damaged, or too large";
	if (pem_max_len(block) > MAX_LEN) {
		return ENGINE_ERR_CONFIG;
	}
	struct crl *made = new_crl(pem_max_len(block));
	if (made == NULL) {
		return ENGINE_ERR_NO_MEMORY;
	}
	if (!pem_decode(block, made->der, &len)) {
		crl_free_all(made);
		return ENGINE_ERR_CONFIG;
	}
	return finish(made, len, list, what);
}

enum engine_err engine_config_add_crl(struct engine_config *cfg, const uint8_t *text, size_t len,
				      char why[static ENGINE_REASON_MAX])
{
	struct view rest = view_of(text, len);
	struct pem_block block;
	struct crl *added = NULL;
	const char *what;
	enum engine_err err = ENGINE_OK;
	size_t number = 0;
	while (err == ENGINE_OK && pem_next(&rest, &block)) {
		if (block.label == PEM_CRL) {
			number++;
			err = add_block(&added, &block, &what);
		}
	}
	if (number == 0 && len > 0 && text[0] == DER_SEQUENCE) {
		number++;
		err = crl_add(&added, view_of(text, len), &what);
	}
	if (number == 0) {
		(void)snprintf(why, ENGINE_REASON_MAX, "there is no CRL (no PEM block X509 CRL, and no DER)");
		return ENGINE_ERR_CONFIG;
	}
	if (err != ENGINE_OK) {
		/* all or none */
		crl_free_all(added);
		if (err == ENGINE_ERR_NO_MEMORY) {
			(void)snprintf(why, ENGINE_REASON_MAX, "out of memory");
		} else {
			(void)snprintf(why, ENGINE_REASON_MAX, "CRL number %zu cannot be used: %s", number,
				       what);
		}
		return err;
	}
	while (added != NULL) {
		struct crl *next = added->next;
		added->next = cfg->crls;
		cfg->crls = added;
		added = next;
	}
	return ENGINE_OK;
}

bool engine_config_describe_crl(const struct engine_config *cfg, size_t i, struct engine_crl_info *info)
{
	const struct crl *crl = cfg->crls;
	while (crl != NULL && i-- > 0) {
		crl = crl->next;
	}
	if (crl == NULL) {
		return false;
	}
	name_text(crl->issuer, info->issuer, sizeof(info->issuer));
	info->this_update = crl->this_update;
	info->next_update = crl->next_update;
	return true;
}

/* ---- parsing ---- */

/* [n] IMPLICIT BOOLEAN DEFAULT FALSE, which DER leaves away when it is false */
static bool take_flag(struct view *in, uint8_t n, bool *flag)
{
	struct view v;
	*flag = der_next_is(in, DER_CONTEXT(n));
	return !*flag || (der_take(in, DER_CONTEXT(n), &v) && v.len == 1 && v.data[0] == 0xff);
}

/* IssuingDistributionPoint, RFC 5280 5.2.5 */
static bool parse_point(struct crl *crl, struct view value, const char **what)
{
	struct view point, name, reasons;
	bool indirect, only_attributes;
	*what = "issuingDistributionPoint is malformed";
	if (!der_take(&value, DER_SEQUENCE, &point) || !der_end(&value)) {
		return false;
	}
	if (der_next_is(&point, DER_CONTEXT_CONSTRUCTED(0))) {
		if (!der_take(&point, DER_CONTEXT_CONSTRUCTED(0), &name)) {
			return false;
		}
		if (!der_next_is(&name, DER_CONTEXT_CONSTRUCTED(0))) {
			*what = "its distribution point is named relative to its issuer, which is not "
				"supported";
			return false;
		}
		if (!der_take(&name, DER_CONTEXT_CONSTRUCTED(0), &crl->points) || !der_end(&name) ||
		    der_end(&crl->points)) {
			return false;
		}
	}
	if (!take_flag(&point, 1, &crl->only_users) || !take_flag(&point, 2, &crl->only_cas)) {
		return false;
	}
	if (der_take(&point, DER_CONTEXT(3), &reasons)) {
		*what = "it is for some reasons of revocation only";
		return false;
	}
	if (!take_flag(&point, 4, &indirect) || !take_flag(&point, 5, &only_attributes) || !der_end(&point)) {
		return false;
	}
	*what = indirect ? "it is an indirect CRL, which is not supported"
			 : "it is for attribute certificates only";
	return !indirect && !only_attributes;
}

/* RFC 5280 5.2 */
static bool take_extension(void *to, struct view oid, bool critical, struct view value, const char **what)
{
	struct crl *crl = to;
	if (view_is(oid, OID_EXTENSION "\x1c")) {
		return parse_point(crl, value, what);
	}
	if (view_is(oid, OID_EXTENSION "\x1b")) {
		*what = "it is a delta CRL, which is not supported";
		return false;
	}
	if (view_is(oid, OID_EXTENSION "\x23")) {
		*what = "authorityKeyIdentifier is malformed";
		return authority_key_id_parse(value, &crl->authority_key_id);
	}
	/* CRLNumber tells nothing that thisUpdate does not */
	bool is_number = view_is(oid, OID_EXTENSION "\x14");
	*what = "it has a critical extension that is not supported";
	return !critical || is_number;
}

/* CertificateList, RFC 5280 5.1 */
static bool parse_list(struct crl *crl, struct view der, const char **what)
{
	struct view list, tbs, algorithm, algorithm_whole, inner, inner_whole, contents;
	uint32_t version = 0;
	*what = "it is no CRL in DER";
	if (!der_take(&der, DER_SEQUENCE, &list) || !der_end(&der) ||
	    !der_take_whole(&list, DER_SEQUENCE, &tbs, &crl->tbs) ||
	    !der_take_whole(&list, DER_SEQUENCE, &algorithm, &algorithm_whole) ||
	    !der_bytes_as_bits(&list, &crl->signature) || !der_end(&list)) {
		return false;
	}
	if ((der_next_is(&tbs, DER_INTEGER) && (!der_small(&tbs, &version) || version != 1)) ||
	    !der_take_whole(&tbs, DER_SEQUENCE, &inner, &inner_whole) ||
	    !der_take_whole(&tbs, DER_SEQUENCE, &contents, &crl->issuer) ||
	    !der_time(&tbs, &crl->this_update)) {
		return false;
	}
	crl->version = version + 1;
	if (!view_equal(inner_whole, algorithm_whole)) {
		*what = "it names two different signature algorithms";
		return false;
	}
	if (!der_time(&tbs, &crl->next_update)) {
		/* RFC 5280 5.1.2.5: it must be there */
		*what = "it does not say until when it is valid (nextUpdate)";
		return false;
	}
	if (der_next_is(&tbs, DER_SEQUENCE) && !der_take(&tbs, DER_SEQUENCE, &crl->revoked)) {
		return false;
	}
	if (crl->version == 2 && !extensions_optional(&tbs, 0, take_extension, crl, what)) {
		return false;
	}
	if (!der_end(&tbs)) {
		*what = "it is no CRL in DER";
		return false;
	}
	enum key_fault fault = signature_algorithm_parse(algorithm, &crl->how);
	*what = fault == KEY_TOO_WEAK ? "it is signed with SHA-1 or MD5, which is forgeable"
				      : "it is signed with an algorithm that is not supported";
	return fault == KEY_OK;
}

/* RFC 5280 5.3 */
static bool take_entry_extension(void *to, struct view oid, bool critical, struct view value,
				 const char **what)
{
	struct view reason;
	(void)to;
	if (view_is(oid, OID_EXTENSION "\x15")) {
		*what = "reasonCode is malformed";
		if (!der_take(&value, DER_ENUMERATED, &reason) || !der_end(&value) || reason.len != 1) {
			return false;
		}
		*what = "it takes an entry back (removeFromCRL), which only a delta CRL may";
		return reason.data[0] != REASON_FROM_DELTA;
	}
	*what = view_is(oid, OID_EXTENSION "\x1d")
			? "it has entries of other issuers, which is not supported"
			: "an entry has a critical extension that is not supported";
	return !critical;
}

static bool take_entry(struct view *list, bool check, unsigned version, struct entry *entry,
		       const char **what)
{
	struct view fields, extensions;
	*what = "its list of certificates is malformed";
	if (!der_take(list, DER_SEQUENCE, &fields) || !der_take(&fields, DER_INTEGER, &entry->serial) ||
	    entry->serial.len == 0 || !der_time(&fields, &entry->date)) {
		return false;
	}
	if (der_end(&fields) || !check) {
		return true;
	}
	return version == 2 && der_take(&fields, DER_SEQUENCE, &extensions) && der_end(&fields) &&
	       !der_end(&extensions) && extensions_each(extensions, take_entry_extension, NULL, what);
}

static uint32_t hash_of(struct view serial)
{
	uint32_t hash = 2166136261U; /* FNV-1a */
	for (size_t i = 0; i < serial.len; i++) {
		hash = (hash ^ serial.data[i]) * 16777619U;
	}
	return hash ^ hash >> 15;
}

/* Check every entry and note where it is. */
static enum engine_err index_entries(struct crl *crl, const char **what)
{
	struct view list = crl->revoked;
	struct entry entry;
	size_t n = 0;
	while (!der_end(&list)) {
		if (!take_entry(&list, true, crl->version, &entry, what)) {
			return ENGINE_ERR_CONFIG;
		}
		n++;
	}
	if (n == 0) {
		return ENGINE_OK;
	}
	/* half full at most: an entry has ten bytes or more, so this is no more than what der may have */
	for (crl->n_slots = 2; crl->n_slots < 2 * n; crl->n_slots *= 2) {
	}
	crl->slots = engine_alloc(crl->n_slots * sizeof(*crl->slots));
	if (crl->slots == NULL) {
		return ENGINE_ERR_NO_MEMORY;
	}
	memset(crl->slots, 0, crl->n_slots * sizeof(*crl->slots));
	for (list = crl->revoked; !der_end(&list);) {
		uint32_t place = (uint32_t)(crl->revoked.len - list.len);
		if (!take_entry(&list, false, crl->version, &entry, what)) {
			return ENGINE_ERR_INTERNAL;
		}
		uint32_t slot = hash_of(entry.serial) & (crl->n_slots - 1);
		while (crl->slots[slot] != 0) {
			slot = (slot + 1) & (crl->n_slots - 1);
		}
		crl->slots[slot] = place + 1;
	}
	return ENGINE_OK;
}

/* ---- asking ---- */

static bool find_entry(const struct crl *crl, struct view serial, int64_t *date)
{
	struct entry entry;
	const char *what;
	if (crl->n_slots == 0) {
		return false;
	}
	uint32_t slot = hash_of(serial) & (crl->n_slots - 1);
	for (; crl->slots[slot] != 0; slot = (slot + 1) & (crl->n_slots - 1)) {
		size_t place = crl->slots[slot] - 1;
		struct view list = view_of(crl->revoked.data + place, crl->revoked.len - place);
		if (take_entry(&list, false, crl->version, &entry, &what) &&
		    view_equal(entry.serial, serial)) {
			*date = entry.date;
			return true;
		}
	}
	return false;
}

/* Is one of the names also among those of a distribution point of cert?  RFC 5280 6.3.3 (b) (2) (i) */
static bool points_meet(struct view names, const struct certificate *cert)
{
	struct view points = cert->crl_points;
	struct view point, name, list, skipped, a, b;
	uint8_t tag;
	while (der_take(&points, DER_SEQUENCE, &point)) {
		if (!der_take(&point, DER_CONTEXT_CONSTRUCTED(0), &name) ||
		    !der_take(&name, DER_CONTEXT_CONSTRUCTED(0), &list)) {
			continue;
		}
		while (der_any(&list, &tag, &skipped, &a)) {
			for (struct view rest = names; der_any(&rest, &tag, &skipped, &b);) {
				if (view_equal(a, b)) {
					return true;
				}
			}
		}
	}
	return false;
}

/* Does the list speak of cert, and could issuer's key have signed it? */
static bool is_for(const struct crl *crl, const struct certificate *cert, const struct certificate *issuer)
{
	bool other_key = crl->authority_key_id.len > 0 && issuer->subject_key_id.len > 0 &&
			 !view_equal(crl->authority_key_id, issuer->subject_key_id);
	return name_equal(crl->issuer, cert->issuer) && !other_key && !(crl->only_users && cert->is_ca) &&
	       !(crl->only_cas && !cert->is_ca) && (crl->points.len == 0 || points_meet(crl->points, cert));
}

static enum crl_answer check_signature(struct crl *crl, const struct certificate *issuer, size_t *checks_left)
{
	uint8_t digest[CRYPTO_MAX_HASH_LEN];
	int unknown = SIGNER_UNKNOWN;
	if (!crypto_digest(CRYPTO_SHA256, issuer->spki.data, issuer->spki.len, digest)) {
		return CRL_WRONG_SIGNATURE;
	}
	if (atomic_load_explicit(&crl->signer, memory_order_acquire) == SIGNER_KNOWN) {
		/* there is one key that signs: no other needs to be tried */
		return memcmp(crl->signer_digest, digest, KEY_DIGEST_LEN) == 0 ? CRL_GOOD
									       : CRL_WRONG_SIGNATURE;
	}
	if (*checks_left == 0) {
		return CRL_TOO_LONG;
	}
	--*checks_left;
	if (!key_view_verify(&issuer->key, crl->how, crl->tbs.data, crl->tbs.len, crl->signature.data,
			     crl->signature.len)) {
		return CRL_WRONG_SIGNATURE;
	}
	if (atomic_compare_exchange_strong(&crl->signer, &unknown, SIGNER_BEING_WRITTEN)) {
		memcpy(crl->signer_digest, digest, KEY_DIGEST_LEN);
		atomic_store_explicit(&crl->signer, SIGNER_KNOWN, memory_order_release);
	}
	return CRL_GOOD;
}

enum crl_answer crl_ask(struct crl *list, const struct certificate *cert, const struct certificate *issuer,
			int64_t now, size_t *signature_checks_left, int64_t *when)
{
	enum crl_answer best = CRL_MISSING;
	for (struct crl *crl = list; crl != NULL; crl = crl->next) {
		enum crl_answer answer;
		if (!is_for(crl, cert, issuer)) {
			continue;
		}
		if (!certificate_may(issuer, KEY_USAGE_CRL_SIGN)) {
			return CRL_NOT_ALLOWED;
		}
		answer = check_signature(crl, issuer, signature_checks_left);
		if (answer == CRL_GOOD && find_entry(crl, cert->serial, when)) {
			return CRL_REVOKED;
		}
		if (answer == CRL_GOOD && (now > crl->next_update || now < crl->this_update)) {
			answer = CRL_EXPIRED;
			*when = now > crl->next_update ? crl->next_update : crl->this_update;
		}
		/* good, whatever the others are; else what is nearest to it */
		bool nearer = answer == CRL_GOOD || best == CRL_MISSING ||
			      (answer == CRL_EXPIRED && best != CRL_GOOD);
		best = nearer ? answer : best;
	}
	return best;
}
