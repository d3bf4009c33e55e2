/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the handlers of TLS 1.2 and older build on, in both roles: secrets, ChangeCipherSpec, Finished, Certificate,
 * CertificateVerify.  RFC 5246 7.4
 */
#ifndef ENGINE_FLIGHT12_H
#define ENGINE_FLIGHT12_H

#include "handshake.h"
#include "keysched12.h"

/* The hash of the transcript: the suite's in TLS 1.2, MD5 and SHA-1 together before.  RFC 5246 7.4.9, RFC 4346 7.4.9 */
enum crypto_hash hs12_transcript_kind(const struct engine_hs *hs);

/*
 * Make the master secret from the premaster secret, which is wiped; the extended one if it was negotiated: the
 * transcript must then end with ClientKeyExchange.  RFC 5246 8.1, RFC 7627 4
 */
must_check bool hs12_set_premaster(struct engine_hs *hs, uint8_t *premaster, size_t len);
/* Both randoms, the suite and the master secret are there: compute the keys that the next ChangeCipherSpecs switch to. */
must_check bool hs12_make_keys(struct engine_hs *hs);
/* Send what the flight holds, then ChangeCipherSpec; what follows is protected with the new keys.  RFC 5246 7.1 */
must_check bool hs12_send_ccs(struct engine_hs *hs);
/* The peer's ChangeCipherSpec has come: what follows is protected with the new keys. */
must_check bool hs12_take_ccs(struct engine_hs *hs);
/* Build our Finished, keep its verify_data. */
must_check bool hs12_send_finished(struct engine_hs *hs);
/* Check the peer's Finished, keep its verify_data, add it to the transcript. */
must_check bool hs12_check_finished(struct engine_hs *hs, const struct hs_message *msg);

/* Build Certificate with hs->credential's chain, empty without one. */
must_check bool hs12_send_certificate(struct engine_hs *hs);
/* Judge the peer's Certificate: parse, verify (with a stapled OCSP response or NULL), keep the key in hs->peer_key. */
must_check bool hs12_check_certificate(struct engine_hs *hs, const struct hs_message *msg, bool *is_empty);
/* The client's CertificateVerify, over all messages so far (hs->held: keep_messages must be on).  RFC 5246 7.4.8 */
must_check bool hs12_send_certificate_verify(struct engine_hs *hs);
must_check bool hs12_check_certificate_verify(struct engine_hs *hs, const struct hs_message *msg);

/* Judge the peer's renegotiation_info: body, or NULL if it sent none.  RFC 5746 3.4 to 3.7 */
must_check bool hs12_judge_renegotiation_info(struct engine_hs *hs, const struct rd *body);

#endif
