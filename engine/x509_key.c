/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Public keys: reads SubjectPublicKeyInfo and checks signatures.
 *
 * Implementation notes: wolfCrypt's key objects carry working state, so none is kept. A key is its bytes, and
 * each operation imports them anew; that makes keys shareable between threads without locks, and costs little
 * beside the operation itself.
 */
#include <stdio.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>

#include "cpu.h"
#include "crypto.h"
#include "x509_rsa.h"

#define ED25519_KEY_LEN      32
/* Public exponents beyond 32 bits only make a verification slow. */
#define MAX_RSA_EXPONENT_LEN 4

struct public_key {
	struct key_view view; /* into data */
	uint8_t data[];
};

/* clang-format off */
static const struct {
	enum key_kind kind;
	const char *name;
	int wolf_id;
	unsigned bits;
	uint8_t oid_len;
	uint8_t oid[8];
} curves[] = {
	{ KEY_P256, "EC P-256", ECC_SECP256R1, 256, 8, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 } },
	{ KEY_P384, "EC P-384", ECC_SECP384R1, 384, 5, { 0x2b, 0x81, 0x04, 0x00, 0x22 } },
	{ KEY_P521, "EC P-521", ECC_SECP521R1, 521, 5, { 0x2b, 0x81, 0x04, 0x00, 0x23 } },
};

#define OID_PKCS1 "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
/* clang-format on */

#define N_ROWS(table) (sizeof(table) / sizeof((table)[0]))

static enum key_fault parse_rsa(struct view bits, struct key_view *key);
static enum key_fault parse_ec(struct view parameters, struct view bits, struct key_view *key);
static enum key_fault parse_pss_key(struct view parameters, struct view bits, struct key_view *key);
static bool verify_rsa(const struct key_view *key, struct signature_algorithm how, const uint8_t *digest,
		       const uint8_t *sig, size_t sig_len);
static bool verify_ecdsa(const struct key_view *key, const uint8_t *digest, size_t digest_len,
			 const uint8_t *sig, size_t sig_len);
static bool verify_ed25519(const struct key_view *key, const uint8_t *msg, size_t msg_len, const uint8_t *sig,
			   size_t sig_len);

/* May an RSASSA-PSS key sign like that?  RFC 4055 3.3 */
static bool pss_key_allows(const struct key_view *key, struct signature_algorithm how)
{
	return (key->only_hash == SIGNATURE_NO_HASH || key->only_hash == how.hash) &&
	       (int)signature_hash_len(how.hash) + how.more_salt >= (int)key->min_salt;
}

enum key_fault key_view_parse(struct view spki, struct key_view *key)
{
	struct view info, algorithm, oid, bits;
	if (!der_take(&spki, DER_SEQUENCE, &info) || !der_end(&spki) ||
	    !der_take(&info, DER_SEQUENCE, &algorithm) || !der_bytes_as_bits(&info, &bits) ||
	    !der_end(&info) || !der_take(&algorithm, DER_OID, &oid)) {
		return KEY_DAMAGED;
	}
	key->only_hash = SIGNATURE_NO_HASH;
	if (view_is(oid, OID_PKCS1 "\x01")) {
		return parse_rsa(bits, key);
	}
	if (view_is(oid, OID_PKCS1 "\x0a")) {
		return parse_pss_key(algorithm, bits, key);
	}
	if (view_is(oid, "\x2a\x86\x48\xce\x3d\x02\x01")) { /* id-ecPublicKey */
		return parse_ec(algorithm, bits, key);
	}
	if (view_is(oid, "\x2b\x65\x70")) { /* id-Ed25519, RFC 8410 */
		key->kind = KEY_ED25519;
		key->bits = 256;
		key->point = bits;
		return der_end(&algorithm) && bits.len == ED25519_KEY_LEN ? KEY_OK : KEY_DAMAGED;
	}
	return KEY_UNSUPPORTED;
}

void key_view_name(const struct key_view *key, char out[static KEY_NAME_MAX])
{
	if (key->kind == KEY_RSA || key->kind == KEY_RSA_PSS) {
		(void)snprintf(out, KEY_NAME_MAX, "RSA%s %u", key->kind == KEY_RSA ? "" : "-PSS", key->bits);
		return;
	}
	const char *name = "Ed25519";
	for (size_t i = 0; i < N_ROWS(curves); i++) {
		if (curves[i].kind == key->kind) {
			name = curves[i].name;
		}
	}
	(void)snprintf(out, KEY_NAME_MAX, "%s", name);
}

bool key_view_verify(const struct key_view *key, struct signature_algorithm how, const uint8_t *msg,
		     size_t msg_len, const uint8_t *sig, size_t sig_len)
{
	uint8_t digest[SIGNATURE_MAX_DIGEST];
	if (msg_len > UINT32_MAX || sig_len > KEY_MAX_SIGNATURE) {
		return false;
	}
	if (how.kind == SIGNATURE_ED25519) {
		return key->kind == KEY_ED25519 && verify_ed25519(key, msg, msg_len, sig, sig_len);
	}
	if (!signature_digest(how.hash, msg, msg_len, digest)) {
		return false;
	}
	switch (key->kind) {
	case KEY_RSA:
		return how.kind != SIGNATURE_ECDSA && verify_rsa(key, how, digest, sig, sig_len);
	case KEY_RSA_PSS:
		return how.kind == SIGNATURE_RSA_PSS && pss_key_allows(key, how) &&
		       verify_rsa(key, how, digest, sig, sig_len);
	case KEY_P256:
	case KEY_P384:
	case KEY_P521:
		return how.kind == SIGNATURE_ECDSA &&
		       verify_ecdsa(key, digest, signature_hash_len(how.hash), sig, sig_len);
	case KEY_ED25519:
		break;
	}
	return false;
}

struct public_key *public_key_new(const struct key_view *key)
{
	struct public_key *copy = engine_alloc(sizeof(*copy) + key->n.len + key->e.len + key->point.len);
	if (copy == NULL) {
		return NULL;
	}
	copy->view = *key;
	struct view *parts[] = {&copy->view.n, &copy->view.e, &copy->view.point};
	uint8_t *to = copy->data;
	for (size_t i = 0; i < N_ROWS(parts); i++) {
		if (parts[i]->len > 0) {
			memcpy(to, parts[i]->data, parts[i]->len);
		}
		parts[i]->data = to;
		to += parts[i]->len;
	}
	return copy;
}

const struct key_view *public_key_view(const struct public_key *key)
{
	return &key->view;
}

bool public_key_fits(const struct public_key *key, uint16_t scheme, bool for_tls13)
{
	struct signature_algorithm how;

	return signature_of_scheme(scheme, for_tls13, key->view.kind, key->view.only_hash, &how) &&
	       (how.kind != SIGNATURE_RSA_PSS || pss_key_allows(&key->view, how));
}

bool public_key_verify(const struct public_key *key, uint16_t scheme, bool for_tls13, const uint8_t *msg,
		       size_t msg_len, const uint8_t *sig, size_t sig_len)
{
	struct signature_algorithm how;

	return signature_of_scheme(scheme, for_tls13, key->view.kind, key->view.only_hash, &how) &&
	       key_view_verify(&key->view, how, msg, msg_len, sig, sig_len);
}

void public_key_free(struct public_key *key)
{
	engine_release(key);
}

static enum key_fault parse_rsa(struct view bits, struct key_view *key)
{
	struct view rsa;
	if (!der_take(&bits, DER_SEQUENCE, &rsa) || !der_end(&bits) || !der_unsigned(&rsa, &key->n) ||
	    !der_unsigned(&rsa, &key->e) || !der_end(&rsa) || key->n.len == 0 || key->e.len == 0) {
		return KEY_DAMAGED;
	}
	key->kind = KEY_RSA;
	key->bits = (unsigned)(8 * key->n.len > 65535 ? 65535 : 8 * key->n.len);
	for (unsigned top = key->n.data[0]; (top & 0x80) == 0; top <<= 1) {
		key->bits--;
	}
	bool odd = (key->n.data[key->n.len - 1] & key->e.data[key->e.len - 1] & 1) != 0;
	bool exponent_is_one = key->e.len == 1 && key->e.data[0] == 1;
	if (!odd || exponent_is_one) {
		return KEY_DAMAGED;
	}
	if (key->bits < KEY_MIN_RSA_BITS) {
		return KEY_TOO_WEAK;
	}
	return key->bits > KEY_MAX_RSA_BITS || key->e.len > MAX_RSA_EXPONENT_LEN ? KEY_TOO_LARGE : KEY_OK;
}

static enum key_fault parse_ec(struct view parameters, struct view bits, struct key_view *key)
{
	struct view oid;
	if (!der_take(&parameters, DER_OID, &oid)) {
		/* explicit curve parameters: forbidden by RFC 5480 2.1.1, and CVE-2020-0601 */
		return KEY_UNSUPPORTED;
	}
	for (size_t i = 0; i < N_ROWS(curves); i++) {
		if (!view_equal(oid, view_of(curves[i].oid, curves[i].oid_len))) {
			continue;
		}
		key->kind = curves[i].kind;
		key->bits = curves[i].bits;
		key->point = bits;
		size_t coordinate_len = (curves[i].bits + 7) / 8;
		bool compressed = bits.len == 1 + coordinate_len && (bits.data[0] & 0xfe) == 2;
		if (compressed) {
			return KEY_UNSUPPORTED;
		}
		/* that the point is on the curve is checked when it is used */
		return der_end(&parameters) && bits.len == 1 + 2 * coordinate_len && bits.data[0] == 4
			       ? KEY_OK
			       : KEY_DAMAGED;
	}
	return KEY_UNSUPPORTED;
}

/* A key for RSASSA-PSS alone; without parameters it may sign with any of them.  RFC 4055 3.1 */
static enum key_fault parse_pss_key(struct view parameters, struct view bits, struct key_view *key)
{
	enum key_fault fault = parse_rsa(bits, key);
	uint32_t salt_len = 0;
	key->kind = KEY_RSA_PSS;
	if (fault == KEY_OK && !der_end(&parameters)) {
		fault = signature_pss_parse(parameters, &key->only_hash, &salt_len);
		key->min_salt = salt_len;
		/* SHA-1 is not what it lacks: it is no key that TLS can use */
		fault = fault == KEY_TOO_WEAK ? KEY_UNSUPPORTED : fault;
	}
	return fault;
}

static bool verify_rsa(const struct key_view *key, struct signature_algorithm how, const uint8_t *digest,
		       const uint8_t *sig, size_t sig_len)
{
	uint8_t block[RSA_MAX_LEN];
	return sig_len == key->n.len && rsa_public_raw(key, sig, block) &&
	       rsa_block_check(how, digest, key->bits, block);
}

/*
 * wc_ecc_import_x963() multiplies the point by the order of its group as well, which takes as long as a
 * verification. These curves have prime order: a point on the curve that is not infinity (not on it in affine
 * form) is in the group.
 */
static bool import_point(ecc_key *key, struct view point, int curve)
{
	int index = wc_ecc_get_curve_idx(curve);
	key->type = ECC_PUBLICKEY;
	return wc_ecc_set_curve(key, 0, curve) == 0 &&
	       wc_ecc_import_point_der_ex(point.data, (word32)point.len, index, &key->pubkey, 1) == 0 &&
	       wc_ecc_point_is_on_curve(&key->pubkey, index) == 0;
}

static bool verify_ecdsa(const struct key_view *view, const uint8_t *digest, size_t digest_len,
			 const uint8_t *sig, size_t sig_len)
{
	int curve = view->kind == KEY_P256   ? ECC_SECP256R1
		    : view->kind == KEY_P384 ? ECC_SECP384R1
					     : ECC_SECP521R1;
	int right = 0;
	ecc_key *key = engine_alloc(sizeof(*key));
	if (key == NULL || wc_ecc_init(key) != 0) {
		engine_release(key);
		return false;
	}
	bool ok = import_point(key, view->point, curve) &&
		  wc_ecc_verify_hash(sig, (word32)sig_len, digest, (word32)digest_len, &right, key) == 0 &&
		  right == 1;
	(void)wc_ecc_free(key);
	cpu_clear_upper_vectors();
	engine_release(key);
	return ok;
}

static bool verify_ed25519(const struct key_view *view, const uint8_t *msg, size_t msg_len,
			   const uint8_t *sig, size_t sig_len)
{
	int right = 0;
	ed25519_key *key = engine_alloc(sizeof(*key));
	if (key == NULL || wc_ed25519_init(key) != 0) {
		engine_release(key);
		return false;
	}
	bool ok = sig_len == ED25519_SIG_SIZE &&
		  wc_ed25519_import_public(view->point.data, (word32)view->point.len, key) == 0 &&
		  wc_ed25519_verify_msg(sig, (word32)sig_len, msg, (word32)msg_len, &right, key) == 0 &&
		  right == 1;
	wc_ed25519_free(key);
	engine_release(key);
	return ok;
}
