/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the three forms that private keys have: PKCS#8 (RFC 5958), SEC 1 (RFC 5915) and PKCS#1 (RFC 8017).
 */
#include <stdio.h>

#include "x509_private.h"

static enum engine_err parse_pkcs8(struct view der, struct found_key *found,
				   char why[static ENGINE_REASON_MAX]);
static enum engine_err parse_sec1(struct view der, struct view curve, struct found_key *found,
				  char why[static ENGINE_REASON_MAX]);
static enum engine_err parse_pkcs1(struct view der, struct found_key *found,
				   char why[static ENGINE_REASON_MAX]);

static enum engine_err refuse(char why[static ENGINE_REASON_MAX], const char *sentence)
{
	(void)snprintf(why, ENGINE_REASON_MAX, "%s", sentence);
	return ENGINE_ERR_CONFIG;
}

enum engine_err found_key_parse(struct view der, enum private_key_form form, struct found_key *found,
				char why[static ENGINE_REASON_MAX])
{
	found->only_hash = SIGNATURE_NO_HASH;
	switch (form) {
	case PRIVATE_KEY_PKCS8:
		return parse_pkcs8(der, found, why);
	case PRIVATE_KEY_SEC1:
		return parse_sec1(der, view_of(NULL, 0), found, why);
	case PRIVATE_KEY_PKCS1:
		return parse_pkcs1(der, found, why);
	}
	return ENGINE_ERR_INTERNAL;
}

/* OneAsymmetricKey, RFC 5958 2; attributes and public key are passed over. */
static enum engine_err parse_pkcs8(struct view der, struct found_key *found,
				   char why[static ENGINE_REASON_MAX])
{
	struct view info, algorithm, oid, inner, seed;
	uint32_t version;
	if (!der_take(&der, DER_SEQUENCE, &info) || !der_end(&der) || !der_small(&info, &version) ||
	    version > 1 || !der_take(&info, DER_SEQUENCE, &algorithm) ||
	    !der_take(&algorithm, DER_OID, &oid) || !der_take(&info, DER_OCTET_STRING, &inner)) {
		return refuse(why, "the private key is damaged: no valid PKCS#8");
	}
	if (view_is(oid, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")) { /* rsaEncryption */
		return parse_pkcs1(inner, found, why);
	}
	if (view_is(oid,
		    "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")) { /* id-RSASSA-PSS; its certificate says more */
		enum engine_err err = parse_pkcs1(inner, found, why);
		found->kind = KEY_RSA_PSS;
		return err;
	}
	if (view_is(oid, "\x2a\x86\x48\xce\x3d\x02\x01")) { /* id-ecPublicKey */
		struct view curve;
		if (!der_take(&algorithm, DER_OID, &curve)) {
			return refuse(why, "the private key has explicit curve parameters: use P-256, P-384 "
					   "or P-521 by name");
		}
		return parse_sec1(inner, curve, found, why);
	}
	if (view_is(oid, "\x2b\x65\x70")) { /* id-Ed25519, RFC 8410 7 */
		if (!der_take(&inner, DER_OCTET_STRING, &seed) || !der_end(&inner) ||
		    seed.len != ED25519_PART_LEN) {
			return refuse(why, "the private key is damaged: no valid Ed25519 key");
		}
		found->kind = KEY_ED25519;
		found->bits = 256;
		found->secret = seed;
		return ENGINE_OK;
	}
	return refuse(why, "the private key is of a kind that is not supported: use RSA (2048 bits or more), "
			   "EC P-256, P-384 or P-521, or Ed25519");
}

/* ECPrivateKey, RFC 5915 3. curve: from PKCS#8, else empty. Its public key is not used: the certificate's is.
 */
static enum engine_err parse_sec1(struct view der, struct view curve, struct found_key *found,
				  char why[static ENGINE_REASON_MAX])
{
	struct view info, secret, parameters;
	uint32_t version;
	if (!der_take(&der, DER_SEQUENCE, &info) || !der_end(&der) || !der_small(&info, &version) ||
	    version != 1 || !der_take(&info, DER_OCTET_STRING, &secret)) {
		return refuse(why, "the private key is damaged: no valid EC key");
	}
	if (curve.len == 0 && (!der_take(&info, DER_CONTEXT_CONSTRUCTED(0), &parameters) ||
			       !der_take(&parameters, DER_OID, &curve))) {
		return refuse(why,
			      "the private key does not name its curve: use P-256, P-384 or P-521 by name");
	}
	if (view_is(curve, "\x2a\x86\x48\xce\x3d\x03\x01\x07")) {
		found->kind = KEY_P256;
		found->bits = 256;
	} else if (view_is(curve, "\x2b\x81\x04\x00\x22")) {
		found->kind = KEY_P384;
		found->bits = 384;
	} else if (view_is(curve, "\x2b\x81\x04\x00\x23")) {
		found->kind = KEY_P521;
		found->bits = 521;
	} else {
		return refuse(
			why,
			"the private key is on a curve that is not supported: use P-256, P-384 or P-521");
	}
	/* some writers drop leading zeros, some add one */
	while (secret.len > found_key_scalar_len(found) && secret.data[0] == 0) {
		secret = view_of(secret.data + 1, secret.len - 1);
	}
	if (secret.len == 0 || secret.len > found_key_scalar_len(found)) {
		return refuse(why, "the private key is damaged: its number does not fit its curve");
	}
	found->secret = secret;
	return ENGINE_OK;
}

/* RSAPrivateKey, RFC 8017 A.1.2, with two primes. */
static enum engine_err parse_pkcs1(struct view der, struct found_key *found,
				   char why[static ENGINE_REASON_MAX])
{
	struct rsa_numbers *rsa = &found->rsa;
	struct view *const others[] = {&rsa->e, &rsa->d, &rsa->p, &rsa->q, &rsa->dp, &rsa->dq, &rsa->qinv};
	struct view info;
	uint32_t version;
	if (!der_take(&der, DER_SEQUENCE, &info) || !der_end(&der) || !der_small(&info, &version) ||
	    !der_unsigned(&info, &rsa->n) || rsa->n.len == 0) {
		return refuse(why, "the private key is damaged: no valid RSA key");
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (!der_unsigned(&info, others[i]) || others[i]->len == 0 || others[i]->len > rsa->n.len) {
			return refuse(why, "the private key is damaged: no valid RSA key");
		}
	}
	if (version != 0 || !der_end(&info)) {
		return refuse(why, "the private key is an RSA key with more than two primes: not supported");
	}
	unsigned bits = (unsigned)(8 * (rsa->n.len > 8192 ? 8192 : rsa->n.len));
	for (unsigned top = rsa->n.data[0]; (top & 0x80) == 0; top <<= 1) {
		bits--;
	}
	if (bits < KEY_MIN_RSA_BITS || bits > KEY_MAX_RSA_BITS) {
		(void)snprintf(why, ENGINE_REASON_MAX, "the private key is RSA with %u bits: use %d to %d",
			       bits, KEY_MIN_RSA_BITS, KEY_MAX_RSA_BITS);
		return ENGINE_ERR_CONFIG;
	}
	found->kind = KEY_RSA;
	found->bits = bits;
	return ENGINE_OK;
}
