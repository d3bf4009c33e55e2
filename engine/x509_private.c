/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private keys: what is done with them, signing and decrypting.
 *
 * Implementation notes: what is kept is the scalar (EC), the seed and the public key (Ed25519), or a wolfCrypt key
 * that is only read (RSA). Signatures on curves import the scalar into a wolfCrypt key of their own, for these carry
 * working state: so threads may share a private_key without locks. An RSA signature is checked before it leaves,
 * because a single faulty one gives the key away. wolfCrypt leaves pieces of keys on the stack: it is wiped behind
 * every operation.
 */
#include <stdio.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/random.h>

#include "cpu.h"
#include "crypto.h"
#include "secret.h"
#include "x509_private.h"

struct private_key {
	enum key_kind kind;
	unsigned bits;
	enum signature_hash only_hash; /* KEY_RSA_PSS */
	struct rsa_private *rsa;       /* RSA */
	size_t len;
	uint8_t data[]; /* see above */
};

/* Best first. */
static const uint16_t p256_schemes[] = {0x0403, 0x0503, 0x0603};
static const uint16_t p384_schemes[] = {0x0503, 0x0403, 0x0603};
static const uint16_t p521_schemes[] = {0x0603, 0x0503, 0x0403};
static const uint16_t ed25519_schemes[] = {0x0807};
static const uint16_t rsa_schemes[] = {0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601};
static const uint16_t rsa_pss_schemes[] = {0x0809, 0x080a, 0x080b};

/* clang-format off */
static const struct {
	const uint16_t *schemes;
	size_t n;
} schemes_of_kind[] = {
	[KEY_RSA] = { rsa_schemes, 6 },
	[KEY_RSA_PSS] = { rsa_pss_schemes, 3 },
	[KEY_P256] = { p256_schemes, 3 },
	[KEY_P384] = { p384_schemes, 3 },
	[KEY_P521] = { p521_schemes, 3 },
	[KEY_ED25519] = { ed25519_schemes, 1 },
};
/* clang-format on */

static enum engine_err keep(const struct found_key *found, struct private_key **key,
			    char why[static ENGINE_REASON_MAX]);
static bool sign_ecdsa(const struct private_key *key, const uint8_t *digest, size_t digest_len, uint8_t *sig,
		       size_t sig_size, size_t *sig_len);
static bool sign_rsa(const struct private_key *key, struct signature_algorithm how, const uint8_t *digest,
		     uint8_t *sig, size_t sig_size, size_t *sig_len);
static bool sign_ed25519(const struct private_key *key, const uint8_t *msg, size_t msg_len, uint8_t *sig,
			 size_t sig_size, size_t *sig_len);

enum engine_err private_key_parse(struct view der, enum private_key_form form, struct private_key **key,
				  char why[static ENGINE_REASON_MAX])
{
	struct found_key found = {0};
	enum engine_err err = found_key_parse(der, form, &found, why);
	*key = NULL;
	if (err == ENGINE_OK) {
		err = keep(&found, key, why);
		secret_wipe_stack();
	}
	return err;
}

void private_key_free(struct private_key *key)
{
	if (key != NULL) {
		rsa_private_free(key->rsa);
		secret_wipe(key->data, key->len);
		engine_release(key);
	}
}

static bool is_rsa(enum key_kind kind)
{
	return kind == KEY_RSA || kind == KEY_RSA_PSS;
}

enum suite_auth private_key_auth(const struct private_key *key)
{
	return is_rsa(key->kind) ? AUTH_RSA : AUTH_ECDSA;
}

enum suite_auth public_key_auth(const struct public_key *key)
{
	return is_rsa(public_key_view(key)->kind) ? AUTH_RSA : AUTH_ECDSA;
}

size_t private_key_schemes(const struct private_key *key, bool for_tls13, uint16_t *schemes, size_t max)
{
	struct signature_algorithm how;
	size_t n = 0;
	for (size_t i = 0; i < schemes_of_kind[key->kind].n && n < max; i++) {
		uint16_t scheme = schemes_of_kind[key->kind].schemes[i];
		if (signature_of_scheme(scheme, for_tls13, key->kind, key->only_hash, &how)) {
			schemes[n++] = scheme;
		}
	}
	return n;
}

enum engine_err private_key_sign(const struct private_key *key, uint16_t scheme, const uint8_t *msg,
				 size_t msg_len, uint8_t *sig, size_t sig_size, size_t *sig_len)
{
	struct signature_algorithm how;
	uint8_t digest[SIGNATURE_MAX_DIGEST];
	bool ok = false;
	if (!signature_of_scheme(scheme, false, key->kind, key->only_hash, &how) || msg_len > UINT32_MAX) {
		return ENGINE_ERR_INTERNAL;
	}
	if (how.kind == SIGNATURE_ED25519) {
		ok = sign_ed25519(key, msg, msg_len, sig, sig_size, sig_len);
	} else if (signature_digest(how.hash, msg, msg_len, digest)) {
		ok = how.kind == SIGNATURE_ECDSA
			     ? sign_ecdsa(key, digest, signature_hash_len(how.hash), sig, sig_size, sig_len)
			     : sign_rsa(key, how, digest, sig, sig_size, sig_len);
	}
	secret_wipe_stack();
	return ok ? ENGINE_OK : ENGINE_ERR_INTERNAL;
}

bool private_key_can_decrypt(const struct private_key *key)
{
	return key->kind == KEY_RSA;
}

enum engine_err private_key_decrypt_premaster(const struct private_key *key, const uint8_t *in, size_t len,
					      uint16_t client_version, uint8_t out[static PREMASTER_LEN])
{
	uint8_t random[PREMASTER_LEN];
	uint8_t block[RSA_MAX_LEN] = {0};
	/* before anything is known of the block, so that nothing depends on it */
	if (!private_key_can_decrypt(key) || !engine_random(random, sizeof(random))) {
		return ENGINE_ERR_INTERNAL;
	}
	/* a wrong length and a number above the modulus are for all to see; zeros are no valid block */
	if (len != rsa_private_len(key->rsa) || !rsa_private_raw(key->rsa, in, block)) {
		memset(block, 0, sizeof(block));
	}
	premaster_select(block, rsa_private_len(key->rsa), client_version, random, out);
	secret_wipe(random, sizeof(random));
	secret_wipe(block, sizeof(block));
	secret_wipe_stack();
	return ENGINE_OK;
}

bool private_key_fits(const struct private_key *key, const struct key_view *public_part)
{
	static const uint8_t msg[] = "does this key belong to that certificate?";
	uint8_t sig[KEY_MAX_SIGNATURE];
	size_t sig_len;
	uint16_t scheme;
	struct signature_algorithm how;
	/* a key file need not say that an RSA key is for PSS only: its certificate does */
	bool same_kind =
		key->kind == public_part->kind || (is_rsa(key->kind) && public_part->kind == KEY_RSA_PSS);
	if (!same_kind || key->bits != public_part->bits ||
	    private_key_schemes(key, false, &scheme, 1) == 0 ||
	    !signature_of_scheme(scheme, false, key->kind, key->only_hash, &how)) {
		return false;
	}
	struct key_view any_hash = *public_part;
	any_hash.only_hash = SIGNATURE_NO_HASH;
	any_hash.min_salt = 0;
	return private_key_sign(key, scheme, msg, sizeof(msg), sig, sizeof(sig), &sig_len) == ENGINE_OK &&
	       key_view_verify(&any_hash, how, msg, sizeof(msg), sig, sig_len);
}

void private_key_bind(struct private_key *key, const struct key_view *public_part)
{
	key->kind = public_part->kind;
	if (public_part->only_hash != SIGNATURE_NO_HASH) {
		key->only_hash = public_part->only_hash;
	}
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
		memset(key, 0, sizeof(*key));
		key->kind = KEY_P256;
		key->bits = 256;
		key->only_hash = SIGNATURE_NO_HASH;
		key->len = 32;
		ok = wc_ecc_make_key_ex(&rng, 32, ecc, ECC_SECP256R1) == 0 &&
		     wc_ecc_export_private_only(ecc, key->data, &scalar_len) == 0 && scalar_len == 32 &&
		     wc_ecc_export_x963(ecc, point, &point_len) == 0 && point_len == 65;
		(void)wc_ecc_free(ecc);
		secret_wipe(ecc, sizeof(*ecc));
		cpu_clear_upper_vectors();
	}
	engine_release(ecc);
	(void)wc_FreeRng(&rng);
	secret_wipe_stack();
	if (!ok) {
		private_key_free(key);
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
	const size_t len = is_rsa(found->kind)          ? 0
			   : found->kind == KEY_ED25519 ? 2 * (size_t)ED25519_PART_LEN
							: found_key_scalar_len(found);
	struct private_key *made = engine_alloc(sizeof(*made) + len);
	bool ok = true;
	if (made == NULL) {
		(void)snprintf(why, ENGINE_REASON_MAX, "out of memory");
		return ENGINE_ERR_NO_MEMORY;
	}
	memset(made, 0, sizeof(*made) + len);
	made->kind = found->kind;
	made->bits = found->bits;
	made->only_hash = found->only_hash;
	made->len = len;
	if (is_rsa(found->kind)) {
		made->rsa = rsa_private_new(&found->rsa);
		ok = made->rsa != NULL;
	} else if (found->kind == KEY_ED25519) {
		ok = fill_ed25519(made, found->secret);
	} else {
		memcpy(made->data + len - found->secret.len, found->secret.data, found->secret.len);
	}
	if (!ok) {
		private_key_free(made);
		(void)snprintf(why, ENGINE_REASON_MAX, "the private key cannot be used");
		return ENGINE_ERR_CONFIG;
	}
	*key = made;
	return ENGINE_OK;
}

static bool sign_ecdsa(const struct private_key *key, const uint8_t *digest, size_t digest_len, uint8_t *sig,
		       size_t sig_size, size_t *sig_len)
{
	WC_RNG rng;
	int curve = key->kind == KEY_P256   ? ECC_SECP256R1
		    : key->kind == KEY_P384 ? ECC_SECP384R1
					    : ECC_SECP521R1;
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
		secret_wipe(ecc, sizeof(*ecc));
		cpu_clear_upper_vectors();
		*sig_len = len;
	}
	engine_release(ecc);
	(void)wc_FreeRng(&rng);
	return ok;
}

static bool sign_rsa(const struct private_key *key, struct signature_algorithm how, const uint8_t *digest,
		     uint8_t *sig, size_t sig_size, size_t *sig_len)
{
	uint8_t block[RSA_MAX_LEN];
	uint8_t made[RSA_MAX_LEN];
	size_t len = rsa_private_len(key->rsa);
	if (sig_size < len || !rsa_block_build(how, digest, key->bits, block)) {
		return false;
	}
	bool ok = rsa_private_raw(key->rsa, block, made) && rsa_private_undoes(key->rsa, made, block);
	if (ok) {
		memcpy(sig, made, len);
		*sig_len = len;
	}
	/* a faulty one would give the key away */
	secret_wipe(made, sizeof(made));
	return ok;
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
