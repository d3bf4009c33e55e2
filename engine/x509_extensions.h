/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extensions (RFC 5280 4.2) of certificates, CRLs and OCSP responses.
 */
#ifndef ENGINE_X509_EXTENSIONS_H
#define ENGINE_X509_EXTENSIONS_H

#include "x509_parse.h"

/* Extensions of CRLs and certificates, 2.5.29 */
#define OID_EXTENSION   "\x55\x1d"
#define OID_KEY_PURPOSE "\x2b\x06\x01\x05\x05\x07\x03"
#define OID_OCSP        "\x2b\x06\x01\x05\x05\x07\x30\x01"

/* Takes one extension; false, with a sentence fragment in *what, if it is malformed or must not be there. */
typedef bool extension_taker(void *to, struct view oid, bool critical, struct view value, const char **what);
/*
 * Give each of the extensions, one after the other in list, to take. False as above, also if one is there twice or if
 * there are too many.
 */
must_check bool extensions_each(struct view list, extension_taker *take, void *to, const char **what);
/* The same for Extensions that may be left away: [n] EXPLICIT SEQUENCE, if that comes next in *in. */
must_check bool extensions_optional(struct view *in, uint8_t n, extension_taker *take, void *to,
				    const char **what);
/* Of a certificate; to: a struct certificate. */
extension_taker certificate_take_extension;

#endif
