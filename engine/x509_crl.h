/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificate revocation lists (RFC 5280 5): parsed once, asked in every verification.
 */
#ifndef ENGINE_X509_CRL_H
#define ENGINE_X509_CRL_H

#include "x509_parse.h"

/* A list of CRLs, part of a configuration; NULL: none. */
struct crl;

enum crl_answer {
	CRL_GOOD,
	CRL_REVOKED,
	CRL_MISSING,         /* none of this issuer is for this certificate */
	CRL_EXPIRED,         /* or not valid yet */
	CRL_WRONG_SIGNATURE, /* the issuer's key did not sign it */
	CRL_NOT_ALLOWED,     /* the issuer's keyUsage lacks cRLSign */
	CRL_TOO_LONG,        /* no signature checks are left */
};

/*
 * Parse one CRL in DER and put it in front of *list. ENGINE_OK, ENGINE_ERR_NO_MEMORY, or ENGINE_ERR_CONFIG with a
 * sentence fragment in *what. Delta CRLs, indirect ones and those for some reasons only are refused, for they do not
 * tell all that has to be known.
 */
must_check enum engine_err crl_add(struct crl **list, struct view der, const char **what);
/*
 * What do the CRLs of issuer, whose key signed cert, say?
 *
 * signature_checks_left  counted down for each; a signature that was right once is not checked again
 * when                   out: with CRL_REVOKED and CRL_EXPIRED, since when
 *
 * One that says revoked counts even when it is out of date.  RFC 5280 6.3.3
 */
enum crl_answer crl_ask(struct crl *list, const struct certificate *cert, const struct certificate *issuer,
			int64_t now, size_t *signature_checks_left, int64_t *when);

#endif
