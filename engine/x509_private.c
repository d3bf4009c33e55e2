/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private keys: reads the three forms that key files have, and signs.
 *
 * Implementation notes: what is kept is the scalar (EC), the seed and the public key (Ed25519) or the PKCS#1
 * structure (RSA). Every signature imports it into a wolfCrypt key of its own, for these carry working state:
 * so threads may share a private_key without locks. RSA private operations are blinded, and an RSA signature
 * is checked before it leaves, because a single faulty one gives the key away.
 */
#include <stdio.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "crypto.h"
#include "secret.h"
#include "x509_key.h"

#define ED25519_PART_LEN  32
#define EC_MAX_SCALAR_LEN 48

struct private_key {
	enum key_kind kind;
	unsigned bits;
	size_t len;
	uint8_t data[]; /* see above */
};

/* What the parsers of the three forms have found. */
struct found_key {
	enum key_kind kind;
	unsigned bits;
	struct view secret; /* EC scalar, Ed25519 seed, PKCS#1 DER */
	struct view n, e;   /* RSA, for the check of signatures */
};

static const uint16_t p256_schemes[] = {0x0403, 0x0503, 0x0603};
static const uint16_t p384_schemes[] = {0x0503, 0x0403, 0x0603};
static const uint16_t ed25519_schemes[] = {0x0807};
static const uint16_t rsa_schemes[] = {0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601};

/* clang-format off */
static const struct {
	const uint16_t *schemes;
	size_t n_tls13, n_tls12;
} schemes_of_kind[] = {
	[KEY_RSA] = { rsa_schemes, 3, 6 },
	[KEY_P256] = { p256_schemes, 1, 3 },
	[KEY_P384] = { p384_schemes, 1, 3 },
	[KEY_P521] = { NULL, 0, 0 },
	[KEY_ED25519] = { ed25519_schemes, 1, 1 },
};
/* clang-format on */

static enum engine_err parse_pkcs8(struct view der, struct found_key *found,
				   char why[static ENGINE_REASON_MAX]);
static enum engine_err parse_sec1(struct view der, struct view curve, struct found_key *found,
				  char why[static ENGINE_REASON_MAX]);
static enum engine_err parse_pkcs1(struct view der, struct found_key *found,
				   char why[static ENGINE_REASON_MAX]);
static enum engine_err keep(const struct found_key *found, struct private_key **key,
			    char why[static ENGINE_REASON_MAX]);
static bool sign_ecdsa(const struct private_key *key, const uint8_t *digest, size_t digest_len, uint8_t *sig,
		       size_t sig_size, size_t *sig_len);
static bool sign_rsa(const struct private_key *key, struct signature_algorithm how, const uint8_t *digest,
		     uint8_t *sig, size_t sig_size, size_t *sig_len);
static bool sign_ed25519(const struct private_key *key, const uint8_t *msg, size_t msg_len, uint8_t *sig,
			 size_t sig_size, size_t *sig_len);

static enum engine_err refuse(char why[static ENGINE_REASON_MAX], const char *sentence)
{
	(void)snprintf(why, ENGINE_REASON_MAX, "%s", sentence);
	return ENGINE_ERR_CONFIG;
}

enum engine_err private_key_parse(struct view der, enum private_key_form form, struct private_key **key,
				  char why[static ENGINE_REASON_MAX])
{
	struct found_key found = {0};
	enum engine_err err;
	*key = NULL;
	if (form == PRIVATE_KEY_PKCS8) {
		err = parse_pkcs8(der, &found, why);
	} else if (form == PRIVATE_KEY_SEC1) {
		err = parse_sec1(der, view_of(NULL, 0), &found, why);
	} else {
		err = parse_pkcs1(der, &found, why);
	}
	return err == ENGINE_OK ? keep(&found, key, why) : err;
}

void private_key_free(struct private_key *key)
{
	if (key != NULL) {
		secret_wipe(key->data, key->len);
		engine_release(key);
	}
}

size_t private_key_schemes(const struct private_key *key, bool for_tls13, uint16_t *schemes, size_t max)
{
	size_t n = for_tls13 ? schemes_of_kind[key->kind].n_tls13 : schemes_of_kind[key->kind].n_tls12;
	n = n < max ? n : max;
	for (size_t i = 0; i < n; i++) {
		schemes[i] = schemes_of_kind[key->kind].schemes[i];
	}
	return n;
}

enum engine_err private_key_sign(const struct private_key *key, uint16_t scheme, const uint8_t *msg,
				 size_t msg_len, uint8_t *sig, size_t sig_size, size_t *sig_len)
{
	struct signature_algorithm how;
	uint8_t digest[64];
	bool ok = false;
	if (!signature_of_scheme(scheme, &how) || msg_len > UINT32_MAX) {
		return ENGINE_ERR_INTERNAL;
	}
	if (how.kind == SIGNATURE_ED25519) {
		ok = key->kind == KEY_ED25519 && sign_ed25519(key, msg, msg_len, sig, sig_size, sig_len);
		return ok ? ENGINE_OK : ENGINE_ERR_INTERNAL;
	}
	if (!signature_digest(how.hash, msg, msg_len, digest)) {
		return ENGINE_ERR_INTERNAL;
	}
	if (how.kind == SIGNATURE_ECDSA) {
		ok = (key->kind == KEY_P256 || key->kind == KEY_P384) &&
		     sign_ecdsa(key, digest, signature_hash_len(how.hash), sig, sig_size, sig_len);
	} else {
		ok = key->kind == KEY_RSA && sign_rsa(key, how, digest, sig, sig_size, sig_len);
	}
	return ok ? ENGINE_OK : ENGINE_ERR_INTERNAL;
}

bool private_key_fits(const struct private_key *key, const struct key_view *public_part)
{
	static const uint8_t msg[] = "does this key belong to that certificate?";
	uint8_t sig[KEY_MAX_SIGNATURE];
	size_t sig_len;
	struct signature_algorithm how;
	if (key->kind != public_part->kind || key->bits != public_part->bits ||
	    schemes_of_kind[key->kind].schemes == NULL) {
		return false;
	}
	uint16_t scheme = schemes_of_kind[key->kind].schemes[0];
	return private_key_sign(key, scheme, msg, sizeof(msg), sig, sizeof(sig), &sig_len) == ENGINE_OK &&
	       signature_of_scheme(scheme, &how) &&
	       key_view_verify(public_part, how, msg, sizeof(msg), sig, sig_len);
}

struct private_key *private_key_generate(uint8_t point[static 65])
{
	WC_RNG rng;
	word32 scalar_len = 32;
	word32 point_len = 65;
	if (wc_InitRng(&rng) != 0) {
		return NULL;
	}
	struct private_key *key = engine_alloc(sizeof(*key) + 32);
	ecc_key *ecc = engine_alloc(sizeof(*ecc));
	bool ok = key != NULL && ecc != NULL && wc_ecc_init(ecc) == 0;
	if (ok) {
		key->kind = KEY_P256;
		key->bits = 256;
		key->len = 32;
		ok = wc_ecc_make_key_ex(&rng, 32, ecc, ECC_SECP256R1) == 0 &&
		     wc_ecc_export_private_only(ecc, key->data, &scalar_len) == 0 && scalar_len == 32 &&
		     wc_ecc_export_x963(ecc, point, &point_len) == 0 && point_len == 65;
		(void)wc_ecc_free(ecc);
		vector_unit_clear();
	}
	engine_release(ecc);
	(void)wc_FreeRng(&rng);
	if (!ok) {
		engine_release(key);
		return NULL;
	}
	return key;
}

size_t private_key_export(const struct private_key *key, const uint8_t point[static 65], uint8_t *out,
			  size_t size)
{
	/* PKCS#8 around ECPrivateKey: everything but scalar and point is the same for all keys on P-256 */
	static const uint8_t head[] = {0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06,
				       0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
				       0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
				       0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20};
	static const uint8_t middle[] = {0xa1, 0x44, 0x03, 0x42, 0x00};
	if (key->kind != KEY_P256 || size < sizeof(head) + 32 + sizeof(middle) + 65) {
		return 0;
	}
	uint8_t *to = out;
	memcpy(to, head, sizeof(head));
	to += sizeof(head);
	memcpy(to, key->data, 32);
	to += 32;
	memcpy(to, middle, sizeof(middle));
	to += sizeof(middle);
	memcpy(to, point, 65);
	return sizeof(head) + 32 + sizeof(middle) + 65;
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
	if (view_is(oid, "\x2a\x86\x48\xce\x3d\x02\x01")) { /* id-ecPublicKey */
		struct view curve;
		if (!der_take(&algorithm, DER_OID, &curve)) {
			return refuse(
				why,
				"the private key has explicit curve parameters: use P-256 or P-384 by name");
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
			   "EC P-256 or P-384, or Ed25519");
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
		return refuse(why, "the private key does not name its curve: use P-256 or P-384 by name");
	}
	if (view_is(curve, "\x2a\x86\x48\xce\x3d\x03\x01\x07")) {
		found->kind = KEY_P256;
		found->bits = 256;
	} else if (view_is(curve, "\x2b\x81\x04\x00\x22")) {
		found->kind = KEY_P384;
		found->bits = 384;
	} else {
		return refuse(why, "the private key is on a curve that is not supported: use P-256 or P-384");
	}
	/* some writers drop leading zeros, some add one */
	while (secret.len > found->bits / 8 && secret.data[0] == 0) {
		secret = view_of(secret.data + 1, secret.len - 1);
	}
	if (secret.len == 0 || secret.len > found->bits / 8) {
		return refuse(why, "the private key is damaged: its number does not fit its curve");
	}
	found->secret = secret;
	return ENGINE_OK;
}

/* RSAPrivateKey, RFC 8017 A.1.2, with two primes. */
static enum engine_err parse_pkcs1(struct view der, struct found_key *found,
				   char why[static ENGINE_REASON_MAX])
{
	struct view info, whole, skipped;
	uint32_t version;
	if (!der_take_whole(&der, DER_SEQUENCE, &info, &whole) || !der_end(&der) ||
	    !der_small(&info, &version) || !der_unsigned(&info, &found->n) ||
	    !der_unsigned(&info, &found->e) || found->n.len == 0) {
		return refuse(why, "the private key is damaged: no valid RSA key");
	}
	for (int i = 0; i < 6; i++) { /* d, p, q, dP, dQ, qInv */
		if (!der_unsigned(&info, &skipped) || skipped.len == 0 || skipped.len > found->n.len) {
			return refuse(why, "the private key is damaged: no valid RSA key");
		}
	}
	if (version != 0 || !der_end(&info)) {
		return refuse(why, "the private key is an RSA key with more than two primes: not supported");
	}
	unsigned bits = (unsigned)(8 * (found->n.len > 8192 ? 8192 : found->n.len));
	for (unsigned top = found->n.data[0]; (top & 0x80) == 0; top <<= 1) {
		bits--;
	}
	if (bits < KEY_MIN_RSA_BITS || bits > KEY_MAX_RSA_BITS) {
		(void)snprintf(why, ENGINE_REASON_MAX, "the private key is RSA with %u bits: use %d to %d",
			       bits, KEY_MIN_RSA_BITS, KEY_MAX_RSA_BITS);
		return ENGINE_ERR_CONFIG;
	}
	found->kind = KEY_RSA;
	found->bits = bits;
	found->secret = whole;
	return ENGINE_OK;
}

/* Take an Ed25519 seed with the public key that belongs to it. */
static bool fill_ed25519(struct private_key *key, struct view seed)
{
	ed25519_key *ed = engine_alloc(sizeof(*ed));
	if (ed == NULL || wc_ed25519_init(ed) != 0) {
		engine_release(ed);
		return false;
	}
	memcpy(key->data, seed.data, ED25519_PART_LEN);
	bool ok = wc_ed25519_import_private_only(seed.data, ED25519_PART_LEN, ed) == 0 &&
		  wc_ed25519_make_public(ed, key->data + ED25519_PART_LEN, ED25519_PART_LEN) == 0;
	wc_ed25519_free(ed);
	secret_wipe(ed, sizeof(*ed));
	engine_release(ed);
	return ok;
}

static enum engine_err keep(const struct found_key *found, struct private_key **key,
			    char why[static ENGINE_REASON_MAX])
{
	size_t len = found->kind == KEY_RSA ? found->secret.len : found->kind == KEY_P384 ? 48 : 64;
	struct private_key *made = engine_alloc(sizeof(*made) + len);
	if (made == NULL) {
		(void)snprintf(why, ENGINE_REASON_MAX, "out of memory");
		return ENGINE_ERR_NO_MEMORY;
	}
	made->kind = found->kind;
	made->bits = found->bits;
	made->len = len;
	memset(made->data, 0, len);
	if (found->kind == KEY_ED25519) {
		if (!fill_ed25519(made, found->secret)) {
			private_key_free(made);
			return refuse(why, "the Ed25519 private key cannot be used");
		}
	} else if (found->kind == KEY_RSA) {
		memcpy(made->data, found->secret.data, len);
	} else {
		made->len = found->bits / 8;
		memcpy(made->data + made->len - found->secret.len, found->secret.data, found->secret.len);
	}
	*key = made;
	return ENGINE_OK;
}

static bool sign_ecdsa(const struct private_key *key, const uint8_t *digest, size_t digest_len, uint8_t *sig,
		       size_t sig_size, size_t *sig_len)
{
	WC_RNG rng;
	int curve = key->kind == KEY_P256 ? ECC_SECP256R1 : ECC_SECP384R1;
	word32 len = (word32)(sig_size > KEY_MAX_SIGNATURE ? KEY_MAX_SIGNATURE : sig_size);
	if (wc_InitRng(&rng) != 0) {
		return false;
	}
	ecc_key *ecc = engine_alloc(sizeof(*ecc));
	bool ok = ecc != NULL && wc_ecc_init(ecc) == 0;
	if (ok) {
		ok = wc_ecc_import_private_key_ex(key->data, (word32)key->len, NULL, 0, ecc, curve) == 0 &&
		     wc_ecc_sign_hash(digest, (word32)digest_len, sig, &len, &rng, ecc) == 0;
		(void)wc_ecc_free(ecc);
		vector_unit_clear();
		*sig_len = len;
	}
	engine_release(ecc);
	(void)wc_FreeRng(&rng);
	return ok;
}

/* Check a fresh signature with the public part, so that a fault in the CRT computation stays inside. */
static bool rsa_signature_is_right(const struct private_key *key, struct signature_algorithm how,
				   const uint8_t *digest, const uint8_t *sig, size_t sig_len);

static int sign_rsa_padded(RsaKey *rsa, WC_RNG *rng, struct signature_algorithm how, const uint8_t *digest,
			   uint8_t *sig, size_t sig_size)
{
	static const struct {
		enum wc_HashType hash;
		int mgf;
	} pss[] = {
		[SIGNATURE_SHA256] = {WC_HASH_TYPE_SHA256, WC_MGF1SHA256},
		[SIGNATURE_SHA384] = {WC_HASH_TYPE_SHA384, WC_MGF1SHA384},
		[SIGNATURE_SHA512] = {WC_HASH_TYPE_SHA512, WC_MGF1SHA512},
	};
	uint8_t info[SIGNATURE_MAX_DIGEST_INFO];
	if (how.kind == SIGNATURE_RSA_PSS) {
		return wc_RsaPSS_Sign(digest, (word32)signature_hash_len(how.hash), sig, (word32)sig_size,
				      pss[how.hash].hash, pss[how.hash].mgf, rsa, rng);
	}
	size_t info_len = signature_digest_info(how.hash, digest, info);
	return wc_RsaSSL_Sign(info, (word32)info_len, sig, (word32)sig_size, rsa, rng);
}

static bool sign_rsa(const struct private_key *key, struct signature_algorithm how, const uint8_t *digest,
		     uint8_t *sig, size_t sig_size, size_t *sig_len)
{
	WC_RNG rng;
	word32 index = 0;
	int ret = -1;
	size_t room = sig_size > KEY_MAX_SIGNATURE ? KEY_MAX_SIGNATURE : sig_size;
	if (wc_InitRng(&rng) != 0) {
		return false;
	}
	RsaKey *rsa = engine_alloc(sizeof(*rsa));
	if (rsa != NULL && wc_InitRsaKey(rsa, NULL) == 0) {
		if (wc_RsaPrivateKeyDecode(key->data, &index, rsa, (word32)key->len) == 0 &&
		    wc_RsaSetRNG(rsa, &rng) == 0) {
			ret = sign_rsa_padded(rsa, &rng, how, digest, sig, room);
		}
		(void)wc_FreeRsaKey(rsa);
		vector_unit_clear();
	}
	engine_release(rsa);
	(void)wc_FreeRng(&rng);
	if (ret <= 0) {
		return false;
	}
	*sig_len = (size_t)ret;
	if (!rsa_signature_is_right(key, how, digest, sig, *sig_len)) {
		secret_wipe(sig, *sig_len);
		return false;
	}
	return true;
}

static bool rsa_signature_is_right(const struct private_key *key, struct signature_algorithm how,
				   const uint8_t *digest, const uint8_t *sig, size_t sig_len)
{
	struct view der = view_of(key->data, key->len);
	struct view info;
	struct key_view public_part = {.kind = KEY_RSA, .bits = key->bits};
	uint32_t version;
	return der_take(&der, DER_SEQUENCE, &info) && der_small(&info, &version) &&
	       der_unsigned(&info, &public_part.n) && der_unsigned(&info, &public_part.e) &&
	       key_view_verify_digest(&public_part, how, digest, sig, sig_len);
}

static bool sign_ed25519(const struct private_key *key, const uint8_t *msg, size_t msg_len, uint8_t *sig,
			 size_t sig_size, size_t *sig_len)
{
	word32 len = ED25519_SIG_SIZE;
	if (sig_size < ED25519_SIG_SIZE) {
		return false;
	}
	ed25519_key *ed = engine_alloc(sizeof(*ed));
	bool ok = ed != NULL && wc_ed25519_init(ed) == 0;
	if (ok) {
		/* trusted: the public part was computed from the seed when the key was read */
		ok = wc_ed25519_import_private_key_ex(key->data, ED25519_PART_LEN,
						      key->data + ED25519_PART_LEN, ED25519_PART_LEN, ed,
						      1) == 0 &&
		     wc_ed25519_sign_msg(msg, (word32)msg_len, sig, &len, ed) == 0;
		wc_ed25519_free(ed);
		secret_wipe(ed, sizeof(*ed));
		*sig_len = len;
	}
	engine_release(ed);
	return ok;
}
