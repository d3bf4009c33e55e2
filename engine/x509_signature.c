/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways to sign: how certificates and TLS name them, and the hashes in them. x509_key.c and x509_private.c do it.
 */
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>

#include "x509_key.h"

/* clang-format off */
/* Which keys a scheme is for: an EC one on any curve, except in TLS 1.3, which binds it to one. */
enum scheme_key { FOR_RSA, FOR_RSA_PSS, FOR_EC, FOR_ED25519 };
static const struct {
	uint16_t scheme;
	struct signature_algorithm how;
	enum scheme_key key;
	bool tls13;
	enum key_kind curve13;
} schemes[] = {
	{ 0x0403, { SIGNATURE_ECDSA, SIGNATURE_SHA256, 0 }, FOR_EC, true, KEY_P256 },
	{ 0x0503, { SIGNATURE_ECDSA, SIGNATURE_SHA384, 0 }, FOR_EC, true, KEY_P384 },
	{ 0x0603, { SIGNATURE_ECDSA, SIGNATURE_SHA512, 0 }, FOR_EC, true, KEY_P521 },
	{ 0x0807, { SIGNATURE_ED25519, SIGNATURE_NO_HASH, 0 }, FOR_ED25519, true, 0 },
	{ 0x0804, { SIGNATURE_RSA_PSS, SIGNATURE_SHA256, 0 }, FOR_RSA, true, 0 },
	{ 0x0805, { SIGNATURE_RSA_PSS, SIGNATURE_SHA384, 0 }, FOR_RSA, true, 0 },
	{ 0x0806, { SIGNATURE_RSA_PSS, SIGNATURE_SHA512, 0 }, FOR_RSA, true, 0 },
	{ 0x0809, { SIGNATURE_RSA_PSS, SIGNATURE_SHA256, 0 }, FOR_RSA_PSS, true, 0 },
	{ 0x080a, { SIGNATURE_RSA_PSS, SIGNATURE_SHA384, 0 }, FOR_RSA_PSS, true, 0 },
	{ 0x080b, { SIGNATURE_RSA_PSS, SIGNATURE_SHA512, 0 }, FOR_RSA_PSS, true, 0 },
	{ 0x0401, { SIGNATURE_RSA_PKCS1, SIGNATURE_SHA256, 0 }, FOR_RSA, false, 0 },
	{ 0x0501, { SIGNATURE_RSA_PKCS1, SIGNATURE_SHA384, 0 }, FOR_RSA, false, 0 },
	{ 0x0601, { SIGNATURE_RSA_PKCS1, SIGNATURE_SHA512, 0 }, FOR_RSA, false, 0 },
	{ SCHEME_MD5_SHA1_RSA, { SIGNATURE_RSA_PKCS1, SIGNATURE_MD5_SHA1, 0 }, FOR_RSA, false, 0 },
	{ SCHEME_SHA1_ECDSA, { SIGNATURE_ECDSA, SIGNATURE_SHA1, 0 }, FOR_EC, false, 0 },
	{ SCHEME_SHA1_RSA, { SIGNATURE_RSA_PKCS1, SIGNATURE_SHA1, 0 }, FOR_RSA, false, 0 },
};

#define OID_PKCS1 "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
/* Signature algorithms of certificates. */
static const struct {
	uint8_t oid_len;
	uint8_t oid[9];
	enum key_fault fault;
	struct signature_algorithm how;
} algorithms[] = {
	{ 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", KEY_OK, { SIGNATURE_RSA_PKCS1, SIGNATURE_SHA256, 0 } },
	{ 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", KEY_OK, { SIGNATURE_RSA_PKCS1, SIGNATURE_SHA384, 0 } },
	{ 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", KEY_OK, { SIGNATURE_RSA_PKCS1, SIGNATURE_SHA512, 0 } },
	{ 8, "\x2a\x86\x48\xce\x3d\x04\x03\x02", KEY_OK, { SIGNATURE_ECDSA, SIGNATURE_SHA256, 0 } },
	{ 8, "\x2a\x86\x48\xce\x3d\x04\x03\x03", KEY_OK, { SIGNATURE_ECDSA, SIGNATURE_SHA384, 0 } },
	{ 8, "\x2a\x86\x48\xce\x3d\x04\x03\x04", KEY_OK, { SIGNATURE_ECDSA, SIGNATURE_SHA512, 0 } },
	{ 3, "\x2b\x65\x70", KEY_OK, { SIGNATURE_ED25519, SIGNATURE_NO_HASH, 0 } },
	/* md2, md5 and sha1 with RSA; dsa-with-sha1; ecdsa-with-SHA1 */
	{ 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02", KEY_TOO_WEAK, { SIGNATURE_RSA_PKCS1, SIGNATURE_NO_HASH, 0 } },
	{ 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", KEY_TOO_WEAK, { SIGNATURE_RSA_PKCS1, SIGNATURE_NO_HASH, 0 } },
	{ 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", KEY_TOO_WEAK, { SIGNATURE_RSA_PKCS1, SIGNATURE_NO_HASH, 0 } },
	{ 7, "\x2a\x86\x48\xce\x38\x04\x03", KEY_TOO_WEAK, { SIGNATURE_ECDSA, SIGNATURE_NO_HASH, 0 } },
	{ 7, "\x2a\x86\x48\xce\x3d\x04\x01", KEY_TOO_WEAK, { SIGNATURE_ECDSA, SIGNATURE_NO_HASH, 0 } },
};

#define DIGEST_INFO_PREFIX_LEN 19
static const struct {
	enum wc_HashType wolf_hash;
	uint8_t len;
	uint8_t oid_len;
	uint8_t oid[9];
	uint8_t prefix_len;
	uint8_t prefix[DIGEST_INFO_PREFIX_LEN + 1]; /* of DigestInfo, RFC 8017 9.2, note 1 */
} hashes[] = {
	[SIGNATURE_SHA256] = { WC_HASH_TYPE_SHA256, 32, 9, "\x60\x86\x48\x01\x65\x03\x04\x02\x01", DIGEST_INFO_PREFIX_LEN,
		"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20" },
	[SIGNATURE_SHA384] = { WC_HASH_TYPE_SHA384, 48, 9, "\x60\x86\x48\x01\x65\x03\x04\x02\x02", DIGEST_INFO_PREFIX_LEN,
		"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30" },
	[SIGNATURE_SHA512] = { WC_HASH_TYPE_SHA512, 64, 9, "\x60\x86\x48\x01\x65\x03\x04\x02\x03", DIGEST_INFO_PREFIX_LEN,
		"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40" },
	[SIGNATURE_NO_HASH] = { WC_HASH_TYPE_NONE, 0, 0, "", 0, "" },
	/* these come as digests */
	[SIGNATURE_SHA1] = { WC_HASH_TYPE_NONE, 20, 5, "\x2b\x0e\x03\x02\x1a", 15,
		"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14" },
	[SIGNATURE_MD5_SHA1] = { WC_HASH_TYPE_NONE, 36, 0, "", 0, "" },
};
/* clang-format on */

#define N_ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* ---- in certificates ---- */

/* AlgorithmIdentifier of a hash, RFC 4055 2.1. NO_HASH: one that is not known here. */
static bool take_hash(struct view *in, enum signature_hash *hash)
{
	struct view algorithm, oid, null;
	if (!der_take(in, DER_SEQUENCE, &algorithm) || !der_take(&algorithm, DER_OID, &oid) ||
	    (der_take(&algorithm, DER_NULL, &null) && null.len != 0) || !der_end(&algorithm)) {
		return false;
	}
	*hash = SIGNATURE_NO_HASH;
	for (size_t i = 0; i < N_ROWS(hashes); i++) {
		if (hashes[i].oid_len > 0 && view_equal(oid, view_of(hashes[i].oid, hashes[i].oid_len))) {
			*hash = (enum signature_hash)i;
		}
	}
	return true;
}

/*
 * RSASSA-PSS-params, RFC 4055 3.1. The defaults are SHA-1, so that a hash left away is too weak; that the trailer is
 * left away too is DER.
 */
enum key_fault signature_pss_parse(struct view parameters, enum signature_hash *hash, uint32_t *salt_len)
{
	struct view params, hash_algorithm, mask, mgf, mgf_oid, salt;
	enum signature_hash mgf_hash = SIGNATURE_SHA1;
	*hash = SIGNATURE_SHA1;
	*salt_len = 20;
	if (!der_take(&parameters, DER_SEQUENCE, &params) || !der_end(&parameters)) {
		return KEY_DAMAGED;
	}
	if (der_take(&params, DER_CONTEXT_CONSTRUCTED(0), &hash_algorithm) &&
	    (!take_hash(&hash_algorithm, hash) || !der_end(&hash_algorithm))) {
		return KEY_DAMAGED;
	}
	if (der_take(&params, DER_CONTEXT_CONSTRUCTED(1), &mask)) {
		if (!der_take(&mask, DER_SEQUENCE, &mgf) || !der_end(&mask) ||
		    !der_take(&mgf, DER_OID, &mgf_oid)) {
			return KEY_DAMAGED;
		}
		if (!view_is(mgf_oid, OID_PKCS1 "\x08")) {
			return KEY_UNSUPPORTED;
		}
		if (!take_hash(&mgf, &mgf_hash) || !der_end(&mgf)) {
			return KEY_DAMAGED;
		}
	}
	if (der_take(&params, DER_CONTEXT_CONSTRUCTED(2), &salt) &&
	    (!der_small(&salt, salt_len) || !der_end(&salt))) {
		return KEY_DAMAGED;
	}
	if (!der_end(&params)) {
		return KEY_DAMAGED;
	}
	if (*hash == SIGNATURE_SHA1) {
		return KEY_TOO_WEAK;
	}
	/* a salt that fits no modulus is no salt */
	return *hash != SIGNATURE_NO_HASH && mgf_hash == *hash && *salt_len < KEY_MAX_RSA_BITS / 8
		       ? KEY_OK
		       : KEY_UNSUPPORTED;
}

static enum key_fault parse_pss_signature(struct view parameters, struct signature_algorithm *out)
{
	uint32_t salt_len;
	enum key_fault fault = signature_pss_parse(parameters, &out->hash, &salt_len);
	out->kind = SIGNATURE_RSA_PSS;
	out->more_salt = fault == KEY_OK ? (int)salt_len - hashes[out->hash].len : 0;
	return fault;
}

enum key_fault signature_algorithm_parse(struct view algorithm, struct signature_algorithm *out)
{
	struct view oid, null;
	if (!der_take(&algorithm, DER_OID, &oid)) {
		return KEY_DAMAGED;
	}
	if (view_is(oid, OID_PKCS1 "\x0a")) {
		return parse_pss_signature(algorithm, out);
	}
	for (size_t i = 0; i < N_ROWS(algorithms); i++) {
		if (!view_equal(oid, view_of(algorithms[i].oid, algorithms[i].oid_len))) {
			continue;
		}
		*out = algorithms[i].how;
		/* RSA: NULL, which some leave away (RFC 4055 5); else nothing */
		if (out->kind == SIGNATURE_RSA_PKCS1 && der_take(&algorithm, DER_NULL, &null) &&
		    null.len != 0) {
			return KEY_DAMAGED;
		}
		return der_end(&algorithm) ? algorithms[i].fault : KEY_DAMAGED;
	}
	return KEY_UNSUPPORTED;
}

/* ---- in TLS ---- */

/* May a key of this kind use a scheme that is for keys like that? */
static bool scheme_takes(enum scheme_key wanted, enum key_kind kind)
{
	switch (kind) {
	case KEY_RSA:
		return wanted == FOR_RSA;
	case KEY_RSA_PSS:
		return wanted == FOR_RSA_PSS;
	case KEY_P256:
	case KEY_P384:
	case KEY_P521:
		return wanted == FOR_EC;
	case KEY_ED25519:
		return wanted == FOR_ED25519;
	}
	return false;
}

bool signature_of_scheme(uint16_t scheme, bool for_tls13, enum key_kind kind, enum signature_hash only_hash,
			 struct signature_algorithm *out)
{
	for (size_t i = 0; i < N_ROWS(schemes); i++) {
		if (schemes[i].scheme != scheme) {
			continue;
		}
		*out = schemes[i].how;
		if (!scheme_takes(schemes[i].key, kind) ||
		    (only_hash != SIGNATURE_NO_HASH && only_hash != out->hash)) {
			return false;
		}
		/* TLS 1.3 binds the curve to the hash, RFC 8446 4.2.3; TLS 1.2 does not */
		return !for_tls13 ||
		       (schemes[i].tls13 && (schemes[i].key != FOR_EC || kind == schemes[i].curve13));
	}
	return false;
}

bool signature_is_of_schemes(struct signature_algorithm how, struct rd list)
{
	for (size_t i = 0; i < N_ROWS(schemes); i++) {
		if (schemes[i].how.kind == how.kind && schemes[i].how.hash == how.hash &&
		    how.more_salt == 0 && rd_has_u16(list, schemes[i].scheme)) {
			return true;
		}
	}
	return false;
}

/* ---- hashes ---- */

size_t signature_hash_len(enum signature_hash hash)
{
	return hashes[hash].len;
}

bool signature_digest(enum signature_hash hash, const uint8_t *msg, size_t msg_len,
		      uint8_t out[static SIGNATURE_MAX_DIGEST])
{
	if (hash == SIGNATURE_SHA1 || hash == SIGNATURE_MD5_SHA1) {
		if (msg_len == hashes[hash].len) {
			memcpy(out, msg, msg_len);
		}
		return msg_len == hashes[hash].len;
	}
	return hash != SIGNATURE_NO_HASH && msg_len <= UINT32_MAX &&
	       wc_Hash(hashes[hash].wolf_hash, msg, (word32)msg_len, out, hashes[hash].len) == 0;
}

size_t signature_digest_info(enum signature_hash hash, const uint8_t *digest,
			     uint8_t out[static SIGNATURE_MAX_DIGEST_INFO])
{
	memcpy(out, hashes[hash].prefix, hashes[hash].prefix_len);
	memcpy(out + hashes[hash].prefix_len, digest, hashes[hash].len);
	return (size_t)hashes[hash].prefix_len + hashes[hash].len;
}
