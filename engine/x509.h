/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificates and the keys in them: all that the handshake knows of X.509. x509*.c, verify.c and crypto.c are the
 * only files that include wolfSSL headers.
 */
#ifndef ENGINE_X509_H
#define ENGINE_X509_H

#include "config.h"
#include "wire.h"

struct public_key;  /* heap; of a verified peer */
struct private_key; /* heap; part of a credential */

/*
 * Signatures of TLS 1.0 and 1.1, which has no schemes: RSA over MD5 and SHA-1, ECDSA over SHA-1. The numbers are our
 * own; they are never on the wire, in no table and no list, and work only where a caller names them. Their msg is not
 * what is signed but its digest: MD5 and SHA-1 one behind the other (36 bytes), or SHA-1 (20 bytes).
 * RFC 4346 4.7, RFC 8422 5.4
 */
#define SCHEME_MD5_SHA1_RSA 0xff01
#define SCHEME_SHA1_ECDSA   0xff02
/* rsa_pkcs1_sha1 of TLS 1.2, in the same way: msg is the SHA-1 digest. RFC 5246 7.4.1.4.1 */
#define SCHEME_SHA1_RSA     0xff03

/* Which suites of TLS 1.2 and older the key signs for: AUTH_RSA, or AUTH_ECDSA (also Ed25519, RFC 8422 5.3). */
enum suite_auth private_key_auth(const struct private_key *key);
enum suite_auth public_key_auth(const struct public_key *key);
/*
 * Signature schemes, RFC 8446 4.2.3, that this key can make in TLS 1.3 (for_tls13) or 1.2, best first; returns how
 * many were written to schemes (at most max). TLS 1.3 binds ECDSA schemes to a curve and has no rsa_pkcs1 ones.
 */
size_t private_key_schemes(const struct private_key *key, bool for_tls13, uint16_t *schemes, size_t max);
/*
 * Sign msg with scheme, as TLS 1.2 allows it. The whole message, not its hash (Ed25519 needs it).
 * sig: room of sig_size (512 is always enough); *sig_len: bytes written. ENGINE_ERR_INTERNAL on failure.
 * One operation, so that a key agent may answer it one day.  RFC 8446 4.4.3
 */
must_check enum engine_err private_key_sign(const struct private_key *key, uint16_t scheme, const uint8_t *msg,
					    size_t msg_len, uint8_t *sig, size_t sig_size, size_t *sig_len);

/* RSA key transport, RFC 5246 7.4.7.1 */
#define PREMASTER_LEN 48
/* Can it decrypt premaster secrets? RSA keys can, but for those that are for RSASSA-PSS only. */
bool private_key_can_decrypt(const struct private_key *key);
/*
 * Decrypt an EncryptedPreMasterSecret (without its length prefix) of any length. client_version: as the ClientHello
 * said. Whatever is wrong with in, its length included, out is then a secret that nobody else knows: the handshake goes
 * on to the peer's Finished, which fails. ct: neither the result nor the time tells. An error, ENGINE_ERR_INTERNAL,
 * means that there is no randomness, no memory, or that the key cannot decrypt.
 */
must_check enum engine_err private_key_decrypt_premaster(const struct private_key *key, const uint8_t *in, size_t len,
							 uint16_t client_version, uint8_t out[static PREMASTER_LEN]);
/*
 * The choice in it: out is version and the last 46 bytes of block[0..len), a decrypted RSA block, if that
 * is well-formed (00 02, bytes other than 0, 00, 48 bytes), else version and the last 46 of random. What
 * version the block holds does not matter: it is replaced, and a wrong one fails in Finished. ct: time and
 * memory access depend on len alone, which is public.
 */
void premaster_select(const uint8_t *block, size_t len, uint16_t version, const uint8_t random[static PREMASTER_LEN],
		      uint8_t out[static PREMASTER_LEN]);
void private_key_free(struct private_key *key); /* wipes; NULL is allowed */

/*
 * Can this kind of key (in TLS 1.3: on this curve) make signatures of scheme, and is it one that the engine offers?
 * Tells a peer that chose a scheme against the rules (illegal_parameter) from one that signed wrongly (decrypt_error).
 */
must_check bool public_key_fits(const struct public_key *key, uint16_t scheme, bool for_tls13);
/*
 * Check sig over msg. for_tls13 false: as TLS 1.2 has it. False if it is wrong, if the scheme does not fit
 * the kind of key (in TLS 1.3 the curve too), or if it is not one that the engine offers.
 */
must_check bool public_key_verify(const struct public_key *key, uint16_t scheme, bool for_tls13, const uint8_t *msg,
				  size_t msg_len, const uint8_t *sig, size_t sig_len);
/*
 * Encrypt a premaster secret for the owner of key: RSAES-PKCS1-v1_5, RFC 8017 7.2.1. out: room of size (512 is always
 * enough); *out_len: bytes written, as many as the modulus has. False if the key is not for it, or on failure.
 */
must_check bool public_key_encrypt_premaster(const struct public_key *key, const uint8_t premaster[static PREMASTER_LEN],
					     uint8_t *out, size_t size, size_t *out_len);
void public_key_free(struct public_key *key); /* NULL is allowed */

/* What a peer presented, and what for. */
struct verify_request {
	const struct engine_config *config;
	enum engine_role peer_role;	/* ENGINE_SERVER: EKU serverAuth is demanded, else clientAuth */
	const uint8_t *const *certs;	/* DER, leaf first, at most CONFIG_MAX_CHAIN */
	const size_t *cert_lens;
	size_t n_certs;
	const char *name;		/* DNS name or address literal to match; NULL: none */
	int64_t now;
	/* The key is to decrypt (RSA key transport), not to sign: keyEncipherment is demanded instead of
	 * digitalSignature.  RFC 5246 7.4.2 */
	bool for_encipherment;
	/* The OCSP response that was stapled to the leaf (DER), NULL with 0: none; and whether it was asked for. */
	const uint8_t *ocsp;
	size_t ocsp_len;
	bool ocsp_asked;
};
struct verify_result {
	struct public_key *key;		/* the leaf's; the caller frees it; also set with ENGINE_VERIFY_NONE */
	/* What the leaf's keyUsage allows its key: digitalSignature, keyEncipherment. Also with ENGINE_VERIFY_NONE. */
	bool may_sign, may_encipher;
	char subject[128];		/* of the leaf, "CN=localhost" or its first SAN */
	int64_t not_after;		/* of the leaf */
	uint8_t alert;			/* on failure: RFC 8446 6.2 certificate alerts */
	char reason[ENGINE_REASON_MAX]; /* on failure: a sentence for the log: what failed, for which certificate */
};
/*
 * Judge the chain: path to an anchor (out-of-order and surplus certificates tolerated), signatures, validity, basic
 * constraints, path length, key usage, EKU, name constraints, key sizes, no SHA-1, then the name.
 * ENGINE_OK, ENGINE_ERR_VERIFY or ENGINE_ERR_NO_MEMORY.  RFC 5280 6, RFC 9525
 */
must_check enum engine_err verify_chain(const struct verify_request *request, struct verify_result *result);

/* Free a configuration's CRLs; NULL is allowed. */
void crl_free_all(struct crl *list);

/* ---- choosing among credentials ---- */

/* Does the DNS name (no address) fit this credential's leaf? For choosing among several by SNI. */
bool credential_matches_name(const struct credential *credential, const char *name);
/* May the leaf's key sign, and decrypt premaster secrets, as far as its keyUsage goes?  RFC 5246 7.4.2 */
bool credential_may_sign(const struct credential *credential);
bool credential_may_encipher(const struct credential *credential);
/*
 * Is every certificate of the chain signed with one of the peer's schemes (signature_algorithms_cert, or else
 * signature_algorithms; 16-bit numbers)? Self-signed ones do not count. One that fits comes first; if none
 * does, another may be sent all the same.  RFC 8446 4.4.2.2, 4.2.3
 */
bool credential_fits_schemes(const struct credential *credential, struct rd schemes);
/*
 * Is an issuer in the chain one of the distinguished names (certificate_authorities: each with a 16-bit length)? True
 * for an empty list.  RFC 5246 7.4.4, RFC 8446 4.2.4
 */
bool credential_is_from(const struct credential *credential, struct rd names);
/* The OCSP response to staple to it, empty if there is none or if it has expired.  RFC 6066 8, RFC 8446 4.4.2.1 */
struct rd credential_ocsp(const struct credential *credential, int64_t now);
/*
 * Write the names of all anchors, each once, with a 16-bit length, as long as they fit into max_len bytes; trust may be
 * NULL. Returns false, and has written nothing, if they do not.
 */
must_check bool trust_write_names(const struct engine_trust *trust, struct wr *out, size_t max_len);

#endif
