/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys and signatures: what certificates and CertificateVerify have in common. Inside of X.509; x509.h is
 * what the handshake sees.
 */
#ifndef ENGINE_X509_KEY_H
#define ENGINE_X509_KEY_H

#include "x509.h"
#include "x509_der.h"

#define KEY_MIN_RSA_BITS  2048
/* The largest modulus that wolfCrypt is built for. */
#define KEY_MAX_RSA_BITS  4096
/* Room for any signature that is made: RSA 4096. */
#define KEY_MAX_SIGNATURE 512

/* KEY_RSA_PSS: an RSA key that says of itself that it is for RSASSA-PSS only (id-RSASSA-PSS, RFC 4055) */
enum key_kind { KEY_RSA, KEY_RSA_PSS, KEY_P256, KEY_P384, KEY_P521, KEY_ED25519 };
enum signature_kind { SIGNATURE_RSA_PKCS1, SIGNATURE_RSA_PSS, SIGNATURE_ECDSA, SIGNATURE_ED25519 };
/* The last two are for TLS 1.0 and 1.1 alone: nothing else can name them. */
enum signature_hash {
	SIGNATURE_SHA256,
	SIGNATURE_SHA384,
	SIGNATURE_SHA512,
	SIGNATURE_NO_HASH,
	SIGNATURE_SHA1,
	SIGNATURE_MD5_SHA1,
};

/* A way to sign; RSA-PSS always with MGF1 of the same hash. */
struct signature_algorithm {
	enum signature_kind kind;
	enum signature_hash hash;
	int more_salt; /* RSA-PSS: bytes by which the salt is longer than the hash; in TLS always 0 */
};

/* A public key as views into its certificate. */
struct key_view {
	enum key_kind kind;
	unsigned bits;
	struct view n, e;              /* RSA: modulus and exponent, big-endian */
	struct view point;             /* EC: uncompressed point; Ed25519: the 32 bytes */
	enum signature_hash only_hash; /* KEY_RSA_PSS: the one that it signs with; SIGNATURE_NO_HASH: any */
	unsigned min_salt;             /* and the least salt */
};

/* Why a SubjectPublicKeyInfo or an AlgorithmIdentifier was not taken. */
enum key_fault {
	KEY_OK,
	KEY_DAMAGED,     /* no valid DER, point off the curve, even modulus */
	KEY_UNSUPPORTED, /* another kind of key, curve or signature */
	KEY_TOO_WEAK,    /* RSA below 2048 bits; MD5 or SHA-1 */
	KEY_TOO_LARGE,
};

/* Read a SubjectPublicKeyInfo, header included. *key is set as far as it was understood.  RFC 5280 4.1.2.7 */
must_check enum key_fault key_view_parse(struct view spki, struct key_view *key);
/* "RSA 2048", "RSA-PSS 2048", "EC P-256", "Ed25519" */
#define KEY_NAME_MAX 32
void key_view_name(const struct key_view *key, char out[static KEY_NAME_MAX]);
/* Read an AlgorithmIdentifier (contents) of a certificate's signature.  RFC 5280 4.1.1.2, RFC 4055, RFC 5758
 */
must_check enum key_fault signature_algorithm_parse(struct view algorithm, struct signature_algorithm *out);
/* Read RSASSA-PSS-params, of a signature or a key; KEY_OK, or why they cannot be used.  RFC 4055 3.1 */
must_check enum key_fault signature_pss_parse(struct view parameters, enum signature_hash *hash,
					      uint32_t *salt_len);
/* Check a signature; false also if kind and key do not go together. */
must_check bool key_view_verify(const struct key_view *key, struct signature_algorithm how,
				const uint8_t *msg, size_t msg_len, const uint8_t *sig, size_t sig_len);
/* A copy that owns its bytes, NULL if out of memory. */
struct public_key *public_key_new(const struct key_view *key);
const struct key_view *public_key_view(const struct public_key *key);

/*
 * The signature algorithm of a TLS scheme, if a key of this kind (that signs with only_hash, or NO_HASH: with any) may
 * use it.  RFC 8446 4.2.3
 */
must_check bool signature_of_scheme(uint16_t scheme, bool for_tls13, enum key_kind kind,
				    enum signature_hash only_hash, struct signature_algorithm *out);
/*
 * Is a certificate's signature one of the schemes (16-bit numbers)? Without the issuer's key it is not told whether RSA
 * is rsae or pss, so that either will do; curves are not told apart.  RFC 8446 4.2.3
 */
bool signature_is_of_schemes(struct signature_algorithm how, struct rd schemes);
size_t signature_hash_len(enum signature_hash hash);
/*
 * Hash msg for signing; out has 64 bytes. For SIGNATURE_SHA1 and SIGNATURE_MD5_SHA1 msg is the digest already, and
 * must be as long as one.
 */
#define SIGNATURE_MAX_DIGEST 64
must_check bool signature_digest(enum signature_hash hash, const uint8_t *msg, size_t msg_len,
				 uint8_t out[static SIGNATURE_MAX_DIGEST]);
/* DigestInfo of RFC 8017 9.2 around a digest (none around MD5 and SHA-1); returns its length. */
#define SIGNATURE_MAX_DIGEST_INFO 96
size_t signature_digest_info(enum signature_hash hash, const uint8_t *digest,
			     uint8_t out[static SIGNATURE_MAX_DIGEST_INFO]);

/*
 * Read a private key in DER: PKCS#8 (RFC 5958), SEC 1 (RFC 5915) or PKCS#1 (RFC 8017). ENGINE_OK,
 * ENGINE_ERR_NO_MEMORY, or ENGINE_ERR_CONFIG with a sentence in why.
 */
enum private_key_form { PRIVATE_KEY_PKCS8, PRIVATE_KEY_SEC1, PRIVATE_KEY_PKCS1 };
must_check enum engine_err private_key_parse(struct view der, enum private_key_form form,
					     struct private_key **key, char why[static ENGINE_REASON_MAX]);
/* Do the two belong together? Proved by a signature, so it also finds damaged RSA parameters. */
must_check bool private_key_fits(const struct private_key *key, const struct key_view *public_part);
/* Bind key to what the certificate that it belongs to says: that it is for RSASSA-PSS, and with which hash. */
void private_key_bind(struct private_key *key, const struct key_view *public_part);
/* Make an EC P-256 key; point gets its public part. NULL on failure. */
struct private_key *private_key_generate(uint8_t point[static 65]);
/* The key as PKCS#8 DER, which the caller wipes; returns its length, 0 if room is short. EC keys only. */
size_t private_key_export(const struct private_key *key, const uint8_t point[static 65], uint8_t *out,
			  size_t size);

#endif
