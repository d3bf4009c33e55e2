/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificate, CertificateRequest and CertificateVerify of TLS 1.3, as both roles send and receive them.
 * RFC 8446 4.3.2, 4.4.2, 4.4.3
 */
#ifndef ENGINE_CERT_H
#define ENGINE_CERT_H

#include "handshake.h"

/*
 * Choose a credential of ours whose key can sign with one of schemes (a run of 16-bit numbers), and the scheme, into
 * hs->credential and hs->credential_scheme. One that fits name (may be "") comes first, then the configuration's
 * order. False, nothing failed, if there is none.
 */
must_check bool cert_choose(struct engine_hs *hs, struct rd schemes, const char *name);

/* Build Certificate with hs->credential's chain, empty without one. */
must_check bool cert_send_certificate(struct engine_hs *hs);
/* Build CertificateVerify with hs->credential's key over the transcript so far. */
must_check bool cert_send_verify(struct engine_hs *hs);
/* Build CertificateRequest. */
must_check bool cert_send_request(struct engine_hs *hs);

/* A peer's certificates as views into its message, leaf first. */
struct cert_chain {
	const uint8_t *certs[CONFIG_MAX_CHAIN];
	size_t lens[CONFIG_MAX_CHAIN];
	size_t n;
	struct rd ocsp; /* the response stapled to the leaf; empty: none */
};
/* Verify a chain that is not empty; keep the leaf's key in hs->peer_key, its subject in hs->peer_subject. */
must_check bool cert_judge_chain(struct engine_hs *hs, const struct cert_chain *chain);

/*
 * Judge the peer's Certificate: parse it, verify the chain, keep the leaf's key in hs->peer_key. An empty one of a
 * client leaves *is_empty true and is not judged; of a server it is decode_error. The transcript is not touched.
 */
must_check bool cert_check_certificate(struct engine_hs *hs, const struct hs_message *msg, bool *is_empty);
/* Judge the peer's CertificateVerify with hs->peer_key over the transcript so far. */
must_check bool cert_check_verify(struct engine_hs *hs, const struct hs_message *msg);

#endif
