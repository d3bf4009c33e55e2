/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the handlers of TLS 1.2 and older build on, in both roles: secrets, ChangeCipherSpec,
 * Finished, Certificate, CertificateVerify.  RFC 5246 7.4
 */
#ifndef ENGINE_FLIGHT12_H
#define ENGINE_FLIGHT12_H

#include "handshake.h"
#include "keysched12.h"

/*
 * The hash of the transcript: the suite's in TLS 1.2, MD5 and SHA-1 together before.  RFC 5246
 * 7.4.9, RFC 4346 7.4.9
 */
enum crypto_hash hs12_transcript_kind(const struct engine_hs *hs);

/*
 * Make the master secret from the premaster secret, which is wiped; the extended one if it was
 * negotiated: the transcript must then end with ClientKeyExchange.  RFC 5246 8.1, RFC 7627 4
 */
must_check bool hs12_set_premaster(struct engine_hs *hs, uint8_t *premaster, size_t len);
/*
 * Both randoms, the suite and the master secret are there: compute the keys that the next
 * ChangeCipherSpecs switch to.
 */
must_check bool hs12_make_keys(struct engine_hs *hs);
/*
 * Send what the flight holds, then ChangeCipherSpec; what follows is protected with the new keys.
 * RFC 5246 7.1
 */
must_check bool hs12_send_ccs(struct engine_hs *hs);
/* The peer's ChangeCipherSpec has come: what follows is protected with the new keys. */
must_check bool hs12_take_ccs(struct engine_hs *hs);
/* Build our Finished, keep its verify_data. */
must_check bool hs12_send_finished(struct engine_hs *hs);
/* Check the peer's Finished, keep its verify_data, add it to the transcript. */
must_check bool hs12_check_finished(struct engine_hs *hs, const struct hs_message *msg);

/* Build Certificate with hs->credential's chain, empty without one. */
must_check bool hs12_send_certificate(struct engine_hs *hs);
/*
 * Judge the peer's Certificate: parse, verify, keep the key in hs->peer_key; a server's key must fit
 * the suite. An empty one of a client leaves *is_empty true; of a server it is decode_error. The
 * transcript is not touched.
 */
must_check bool hs12_check_certificate(struct engine_hs *hs, const struct hs_message *msg, bool *is_empty);
/*
 * The same with the body of a Certificate that was kept, and the OCSP response that came behind it
 * (empty: none).
 */
must_check bool hs12_judge_certificate(struct engine_hs *hs, struct rd body, struct rd ocsp, bool *is_empty);
/* The group, secp256r1 and so on, of an ECDSA key; 0 if it is of another kind. */
uint16_t hs12_private_key_curve(const struct private_key *key);
uint16_t hs12_public_key_curve(const struct public_key *key);

/* Schemes that a server may sign with as a last resort (algorithms.may_sign_sha1), RFC 5246 7.4.1.4.1 */
#define HS12_RSA_PKCS1_SHA1 0x0201
#define HS12_ECDSA_SHA1     0x0203

/*
 * Sign content with hs->credential, and with hs->credential_scheme if the version is 1.2: scheme and
 * signature go to out. content is what RFC 5246 signs; in TLS 1.0 and 1.1 its digests are signed.
 * RFC 5246 4.7, 7.4.3
 */
must_check bool hs12_write_signature(struct engine_hs *hs, struct rd content, struct wr *out);
/*
 * Check scheme and signature, which is all of in, with hs->peer_key over content; the scheme goes
 * to hs->peer_scheme.
 */
must_check bool hs12_check_signature(struct engine_hs *hs, struct rd in, struct rd content);
/*
 * The client's CertificateVerify, over all messages so far (hs->held: keep_messages must be on).
 * RFC 5246 7.4.8
 */
must_check bool hs12_send_certificate_verify(struct engine_hs *hs);
must_check bool hs12_check_certificate_verify(struct engine_hs *hs, const struct hs_message *msg);

/* Judge the peer's renegotiation_info: body, or NULL if it sent none.  RFC 5746 3.4 to 3.7 */
must_check bool hs12_judge_renegotiation_info(struct engine_hs *hs, const struct rd *body);

#endif
