/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificate, CertificateRequest and CertificateVerify of TLS 1.3, as both roles send and receive them.
 * RFC 8446 4.3.2, 4.4.2, 4.4.3
 */
#ifndef ENGINE_CERT_H
#define ENGINE_CERT_H

#include "handshake.h"

/* What a peer wants our certificate to be like; views into its ClientHello or CertificateRequest. */
struct cert_wishes {
	struct rd schemes;      /* signature_algorithms: a run of 16-bit numbers */
	struct rd cert_schemes; /* signature_algorithms_cert, or the same */
	struct rd names;        /* certificate_authorities: a run of names; empty: any will do */
};
/* False, with hs failed, if signature_algorithms is missing or one of them is malformed.  RFC 8446 4.2.3, 4.2.4 */
must_check bool cert_take_wishes(struct engine_hs *hs, const struct ext_block *block,
				 struct cert_wishes *wishes);
/*
 * Choose a credential of ours whose key can sign with one of the schemes, and the scheme, into hs->credential and
 * hs->credential_scheme. Of several, one that fits name (may be "") comes first, then one whose chain is signed as the
 * peer wants it, then one from an authority that it names, then the configuration's order. False, nothing failed, if
 * there is none.  RFC 8446 4.4.2.2, 4.4.2.3
 */
must_check bool cert_choose(struct engine_hs *hs, const struct cert_wishes *wishes, const char *name);

/* Build Certificate with hs->credential's chain, empty without one; with its OCSP response if hs->status_wanted. */
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
