/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OCSP responses (RFC 6960) as they are stapled to certificates.
 */
#ifndef ENGINE_X509_OCSP_H
#define ENGINE_X509_OCSP_H

#include "x509_crl.h"

enum ocsp_answer {
	OCSP_GOOD,
	OCSP_REVOKED,
	OCSP_UNKNOWN,      /* the responder does not know the certificate */
	OCSP_UNSUCCESSFUL, /* it answered with an error */
	OCSP_MALFORMED,
	OCSP_OTHER,           /* it is about other certificates */
	OCSP_EXPIRED,         /* or not valid yet */
	OCSP_WRONG_SIGNATURE, /* nobody who may speak for the issuer signed it */
};

/*
 * What does the response say of cert, which issuer's key signed?
 *
 * crls  for a responder's certificate that does not say that it need not be checked; may be NULL
 * when  out: with OCSP_REVOKED and OCSP_EXPIRED, since when
 * what  out: otherwise but for OCSP_GOOD, a sentence fragment
 *
 * Signed by the issuer, or by a responder whom the issuer certified for OCSP signing.  RFC 6960 3.2, 4.2.2.2
 */
enum ocsp_answer ocsp_ask(struct view der, const struct certificate *cert, const struct certificate *issuer,
			  int64_t now, struct crl *crls, int64_t *when, const char **what);
/*
 * The same without time and signature, for a server's own: OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN, or what is wrong
 * with it. issuer: NULL if it is not at hand; then its key is not compared.
 * next_update: until when it may be sent
 */
enum ocsp_answer ocsp_peek(struct view der, const struct certificate *cert, const struct certificate *issuer,
			   int64_t *next_update, const char **what);

#endif
