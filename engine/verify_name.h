/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in certificates (RFC 9525): does a certificate stand for the name that was asked for?
 */
#ifndef ENGINE_VERIFY_NAME_H
#define ENGINE_VERIFY_NAME_H

#include "x509_parse.h"

/*
 * Is name (a DNS name or an address literal) among the subject's alternative names? The common name does not count, but
 * where the user says so: then for certificates that have neither DNS name nor address, as if it were one.
 *
 * DNS names are compared without case, a trailing dot of name is ignored. A wildcard stands for exactly one
 * label and only as the whole left-most one, with at least two labels behind it: *.com is for nobody.
 * Addresses are compared in binary with iPAddress entries only. RFC 9525 6.3 to 6.5
 */
bool certificate_has_name(const struct certificate *cert, const char *name, bool common_name);
/*
 * The common name (the last, if there are several) as the GeneralName that it stands for: GENERAL_NAME_DNS, or
 * GENERAL_NAME_IP with the address in room. False if the certificate has none, or has names that count instead.
 */
must_check bool certificate_common_name(const struct certificate *cert, uint8_t *tag, struct view *value,
					uint8_t room[static 16]);
/*
 * Does the certificate carry the peer name wanted: a URI (anything with "://", byte by byte), an address, a
 * DNS name as above, or "*.suffix", which any name one label longer than suffix fits?
 */
bool certificate_has_peer_name(const struct certificate *cert, const char *wanted);
/* Has it any DNS name or address at all? */
bool certificate_has_server_name(const struct certificate *cert);
/* The names that it has, for people: "a.example, *.b.example, 10.0.0.1"; cut with "..." to size. */
void certificate_names_text(const struct certificate *cert, char *out, size_t size);
/* Is name, which may begin with "*.", fit to stand in a certificate: 1..253 bytes, no trailing dot? */
bool dns_name_is_valid(const char *name);
/* One GeneralName for people; "" for kinds that have no short form. */
void general_name_text(uint8_t tag, struct view value, char *out, size_t size);
/* Parse an address literal: 4 or 16 bytes, 0 if it is none. Brackets and a zone are allowed around IPv6. */
size_t address_parse(const char *text, uint8_t out[static 16]);

#endif
