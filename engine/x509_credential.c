/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our own credentials: reads a certificate chain and its key from PEM and describes them.
 */
#include <stdio.h>
#include <string.h>

#include "crypto.h"
#include "secret.h"
#include "verify_name.h"
#include "x509_name.h"
#include "x509_ocsp.h"
#include "x509_pem.h"
#include "x509_trust.h"

static enum engine_err read_chain(struct credential *credential, struct view text,
				  char why[static ENGINE_REASON_MAX]);
static enum engine_err read_key(struct credential *credential, struct view text,
				char why[static ENGINE_REASON_MAX]);
static enum engine_err check_pair(const struct credential *credential, char why[static ENGINE_REASON_MAX]);
static void order_chain(struct credential *credential);

static enum engine_err out_of_memory(char why[static ENGINE_REASON_MAX])
{
	(void)snprintf(why, ENGINE_REASON_MAX, "out of memory");
	return ENGINE_ERR_NO_MEMORY;
}

static enum engine_err refuse(char why[static ENGINE_REASON_MAX], const char *sentence)
{
	(void)snprintf(why, ENGINE_REASON_MAX, "%s", sentence);
	return ENGINE_ERR_CONFIG;
}

static void drop(struct credential *credential)
{
	for (size_t i = 0; i < credential->n_chain; i++) {
		engine_release(credential->chain[i].data);
	}
	private_key_free(credential->key);
}

enum engine_err engine_config_add_credential(struct engine_config *cfg, const uint8_t *chain_pem,
					     size_t chain_len, const uint8_t *key_pem, size_t key_len,
					     char why[static ENGINE_REASON_MAX])
{
	struct credential credential = {0};
	if (cfg->n_credentials == CONFIG_MAX_CREDENTIALS) {
		return refuse(why, "there are too many certificates: 8 are possible");
	}
	enum engine_err err = read_chain(&credential, view_of(chain_pem, chain_len), why);
	if (err == ENGINE_OK) {
		err = read_key(&credential, view_of(key_pem, key_len), why);
	}
	if (err == ENGINE_OK) {
		err = check_pair(&credential, why);
	}
	if (err != ENGINE_OK) {
		drop(&credential);
		return err;
	}
	order_chain(&credential);
	cfg->credentials[cfg->n_credentials++] = credential;
	return ENGINE_OK;
}

/* The chain is kept as bytes that were parsed once: it parses again. */
static bool parse_again(const struct der *der, struct certificate *cert)
{
	const char *what;
	return certificate_parse(view_of(der->data, der->len), cert, &what);
}

/* The certificate that issued the leaf, if it was given with it. */
static bool find_issuer(const struct credential *credential, const struct certificate *leaf,
			struct certificate *out)
{
	for (size_t i = 1; i < credential->n_chain; i++) {
		if (parse_again(&credential->chain[i], out) && name_equal(out->subject, leaf->issuer)) {
			return true;
		}
	}
	return false;
}

static enum ocsp_answer peek(const struct credential *credential, struct view response, int64_t *next_update,
			     const char **what)
{
	struct certificate leaf, issuer;
	*what = "the certificate is damaged";
	if (!parse_again(&credential->chain[0], &leaf)) {
		return OCSP_OTHER;
	}
	bool has_issuer = find_issuer(credential, &leaf, &issuer);
	return ocsp_peek(response, &leaf, has_issuer ? &issuer : NULL, next_update, what);
}

bool engine_config_describe_credential(const struct engine_config *cfg, size_t i,
				       struct engine_credential_info *info)
{
	struct certificate leaf, cert, next;
	const char *what;
	memset(info, 0, sizeof(*info));
	if (i >= cfg->n_credentials || !parse_again(&cfg->credentials[i].chain[0], &leaf)) {
		return false;
	}
	const struct credential *credential = &cfg->credentials[i];
	certificate_text(&leaf, info->subject, sizeof(info->subject));
	name_text(leaf.issuer, info->issuer, sizeof(info->issuer));
	key_view_name(&leaf.key, info->key_kind);
	info->not_before = leaf.not_before;
	info->not_after = leaf.not_after;
	info->has_server_name = certificate_has_server_name(&leaf);
	if (credential->ocsp.len > 0) { /* judged when it was set */
		(void)peek(credential, view_of(credential->ocsp.data, credential->ocsp.len),
			   &info->ocsp_until, &what);
	}
	cert = leaf;
	for (size_t k = 1; k < credential->n_chain; k++) {
		if (!parse_again(&credential->chain[k], &next) || !name_equal(cert.issuer, next.subject)) {
			return true;
		}
		cert = next;
	}
	size_t from = 0;
	info->chain_complete =
		certificate_is_self_issued(&cert) || trust_find(cfg->trust, cert.issuer, &from) != NULL;
	return true;
}

enum engine_err engine_config_set_ocsp_response(struct engine_config *cfg, const uint8_t *der, size_t len,
						char why[static ENGINE_REASON_MAX])
{
	struct credential *credential;
	const char *what;
	uint8_t *copy = NULL;
	int64_t next_update;
	if (cfg->n_credentials == 0) {
		return refuse(why, "there is no certificate that the OCSP response could be for");
	}
	credential = &cfg->credentials[cfg->n_credentials - 1];
	if (len > 0) {
		switch (peek(credential, view_of(der, len), &next_update, &what)) {
		case OCSP_GOOD:
			break;
		case OCSP_REVOKED:
			return refuse(why, "the OCSP response says that the certificate is revoked");
		default:
			(void)snprintf(why, ENGINE_REASON_MAX, "the OCSP response cannot be used: %s", what);
			return ENGINE_ERR_CONFIG;
		}
		copy = engine_alloc(len);
		if (copy == NULL) {
			return out_of_memory(why);
		}
		memcpy(copy, der, len);
	}
	engine_release(credential->ocsp.data);
	credential->ocsp.data = copy;
	credential->ocsp.len = len;
	return ENGINE_OK;
}

struct rd credential_ocsp(const struct credential *credential, int64_t now)
{
	int64_t next_update;
	const char *what;
	struct view response = view_of(credential->ocsp.data, credential->ocsp.len);
	if (response.len == 0 || peek(credential, response, &next_update, &what) != OCSP_GOOD ||
	    now > next_update) {
		return rd_of(NULL, 0);
	}
	return rd_of(response.data, response.len);
}

bool credential_matches_name(const struct credential *credential, const char *name)
{
	struct certificate leaf;
	return parse_again(&credential->chain[0], &leaf) && certificate_has_name(&leaf, name, false);
}

bool credential_may_sign(const struct credential *credential)
{
	struct certificate leaf;
	return parse_again(&credential->chain[0], &leaf) &&
	       certificate_may(&leaf, KEY_USAGE_DIGITAL_SIGNATURE);
}

bool credential_may_encipher(const struct credential *credential)
{
	struct certificate leaf;
	return private_key_can_decrypt(credential->key) && parse_again(&credential->chain[0], &leaf) &&
	       certificate_may(&leaf, KEY_USAGE_KEY_ENCIPHERMENT);
}

bool credential_fits_schemes(const struct credential *credential, struct rd schemes)
{
	for (size_t i = 0; i < credential->n_chain; i++) {
		struct certificate cert;
		if (!parse_again(&credential->chain[i], &cert)) {
			return false;
		}
		if (certificate_is_self_issued(&cert)) {
			continue;
		}
		if (cert.how_fault != KEY_OK || !signature_is_of_schemes(cert.how, schemes)) {
			return false;
		}
	}
	return true;
}

bool credential_is_from(const struct credential *credential, struct rd names)
{
	bool is_empty = rd_end(&names);
	for (size_t i = 0; i < credential->n_chain; i++) {
		struct certificate cert;
		struct rd rest = names;
		struct rd name;
		if (!parse_again(&credential->chain[i], &cert)) {
			return false;
		}
		while (rd_vec16(&rest, &name, 1, UINT16_MAX)) {
			if (name_equal(cert.issuer, view_of(name.p, name.left))) {
				return true;
			}
		}
	}
	return is_empty;
}

static enum engine_err read_certificate(struct der *der, const struct pem_block *block, size_t number,
					char why[static ENGINE_REASON_MAX])
{
	struct certificate cert;
	const char *what = "its PEM block is damaged";
	der->data = engine_alloc(pem_max_len(block));
	if (der->data == NULL) {
		return out_of_memory(why);
	}
	if (!pem_decode(block, der->data, &der->len) ||
	    !certificate_parse(view_of(der->data, der->len), &cert, &what)) {
		(void)snprintf(why, ENGINE_REASON_MAX,
			       "certificate number %zu of the chain cannot be used: %s", number, what);
		engine_release(der->data);
		return ENGINE_ERR_CONFIG;
	}
	return ENGINE_OK;
}

static enum engine_err read_chain(struct credential *credential, struct view text,
				  char why[static ENGINE_REASON_MAX])
{
	struct pem_block block;
	while (pem_next(&text, &block)) {
		if (block.label != PEM_CERTIFICATE) {
			continue;
		}
		if (credential->n_chain == CONFIG_MAX_CHAIN) {
			return refuse(why, "the certificate chain is too long: 10 certificates are possible");
		}
		enum engine_err err = read_certificate(&credential->chain[credential->n_chain], &block,
						       credential->n_chain + 1, why);
		if (err != ENGINE_OK) {
			return err;
		}
		credential->n_chain++;
	}
	return credential->n_chain > 0 ? ENGINE_OK
				       : refuse(why, "there is no certificate (no PEM block CERTIFICATE)");
}

static enum engine_err decode_key(struct credential *credential, const struct pem_block *block,
				  enum private_key_form form, char why[static ENGINE_REASON_MAX])
{
	size_t size = pem_max_len(block);
	size_t len;
	uint8_t *der = engine_alloc(size);
	if (der == NULL) {
		return out_of_memory(why);
	}
	enum engine_err err = pem_decode(block, der, &len)
				      ? private_key_parse(view_of(der, len), form, &credential->key, why)
				      : refuse(why, "the private key is damaged: its PEM block is no base64");
	secret_wipe(der, size);
	engine_release(der);
	return err;
}

static enum engine_err read_key(struct credential *credential, struct view text,
				char why[static ENGINE_REASON_MAX])
{
	struct pem_block block;
	while (pem_next(&text, &block)) {
		switch (block.label) {
		case PEM_PRIVATE_KEY:
			return decode_key(credential, &block, PRIVATE_KEY_PKCS8, why);
		case PEM_EC_PRIVATE_KEY:
			return decode_key(credential, &block, PRIVATE_KEY_SEC1, why);
		case PEM_RSA_PRIVATE_KEY:
			return decode_key(credential, &block, PRIVATE_KEY_PKCS1, why);
		case PEM_ENCRYPTED_PRIVATE_KEY:
			return refuse(why,
				      "the private key is encrypted with a passphrase: decrypt it first, "
				      "for example with `openssl pkey -in KEY -out NEW-KEY`");
		case PEM_CERTIFICATE: /* may share the file */
		case PEM_CRL:
		case PEM_OTHER: /* EC PARAMETERS */
			break;
		}
	}
	return refuse(
		why, "there is no private key (no PEM block PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY)");
}

/* Is the leaf's key one that the engine can use, and is it the one that we hold? */
static enum engine_err check_pair(const struct credential *credential, char why[static ENGINE_REASON_MAX])
{
	struct certificate cert;
	char subject[80];
	char name[KEY_NAME_MAX];
	for (size_t i = 0; i < credential->n_chain; i++) {
		if (!parse_again(&credential->chain[i], &cert)) {
			return ENGINE_ERR_INTERNAL;
		}
		certificate_text(&cert, subject, sizeof(subject));
		if (i == 0 && cert.key_fault != KEY_OK) {
			(void)snprintf(
				why, ENGINE_REASON_MAX,
				"the key in the certificate of %s is not supported: use RSA (2048 to 4096 "
				"bits), EC P-256, P-384 or P-521, or Ed25519",
				subject);
			return ENGINE_ERR_CONFIG;
		}
		if (cert.key_fault != KEY_OK || !private_key_fits(credential->key, &cert.key)) {
			continue;
		}
		if (i == 0) {
			private_key_bind(credential->key, &cert.key);
			return ENGINE_OK;
		}
		(void)snprintf(why, ENGINE_REASON_MAX,
			       "the private key belongs to certificate number %zu of the chain (%s): it must "
			       "come first",
			       i + 1, subject);
		return ENGINE_ERR_CONFIG;
	}
	if (!parse_again(&credential->chain[0], &cert)) {
		return ENGINE_ERR_INTERNAL;
	}
	certificate_text(&cert, subject, sizeof(subject));
	key_view_name(&cert.key, name);
	(void)snprintf(why, ENGINE_REASON_MAX,
		       "the private key does not belong to the certificate of %s (%s)", subject, name);
	return ENGINE_ERR_CONFIG;
}

/* How well could issuer have issued cert? 0: not at all */
static unsigned issuer_fits(const struct certificate *cert, const struct certificate *issuer)
{
	if (!name_equal(cert->issuer, issuer->subject)) {
		return 0;
	}
	const bool told = cert->authority_key_id.len > 0 && issuer->subject_key_id.len > 0;
	return told && !view_equal(cert->authority_key_id, issuer->subject_key_id) ? 1 : 2;
}

/* Which of the certificates from number k on comes next behind its predecessor? k itself if none does. */
static size_t find_next(const struct credential *credential, size_t k)
{
	struct certificate cert, candidate;
	size_t best = k;
	unsigned best_fit = 0;
	if (!parse_again(&credential->chain[k - 1], &cert) || certificate_is_self_issued(&cert)) {
		return k;
	}
	for (size_t i = k; i < credential->n_chain; i++) {
		const unsigned fit =
			parse_again(&credential->chain[i], &candidate) ? issuer_fits(&cert, &candidate) : 0;
		if (fit > best_fit) {
			best_fit = fit;
			best = i;
		}
	}
	return best;
}

/*
 * Put each certificate behind the one that it certifies, as TLS 1.2 demands (RFC 5246 7.4.2), and leave
 * away what is there twice. What belongs to none, another way to the top perhaps, stays behind.
 */
static void order_chain(struct credential *credential)
{
	size_t n = 1;
	for (size_t i = 1; i < credential->n_chain; i++) {
		struct der *der = &credential->chain[i];
		bool twice = false;
		for (size_t k = 0; k < n; k++) {
			twice |= view_equal(view_of(credential->chain[k].data, credential->chain[k].len),
					    view_of(der->data, der->len));
		}
		if (twice) {
			engine_release(der->data);
		} else {
			credential->chain[n++] = *der;
		}
	}
	credential->n_chain = n;
	for (size_t k = 1; k < n; k++) {
		const size_t i = find_next(credential, k);
		const struct der next = credential->chain[i];
		/* the others keep their order */
		memmove(&credential->chain[k + 1], &credential->chain[k], (i - k) * sizeof(next));
		credential->chain[k] = next;
	}
}
