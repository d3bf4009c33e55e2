/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Name constraints (RFC 5280 4.2.1.10): may a CA vouch for the names in a certificate below it?
 */
#ifndef ENGINE_VERIFY_CONSTRAINTS_H
#define ENGINE_VERIFY_CONSTRAINTS_H

#include "x509_parse.h"

/*
 * Judge every name of cert, the subject included, by the constraints of ca. DNS names, addresses, mail
 * addresses, URIs and directory names are understood; a certificate with a name of another
 * constrained kind is refused, and so is one whose directory name cannot be told for sure from an
 * excluded one.
 *
 * budget: comparisons left, counted down; running out is a refusal.
 * False with a sentence fragment in *what ("the name x.example is not permitted").
 */
must_check bool constraints_allow(const struct certificate *ca, const struct certificate *cert,
				  size_t *budget, char *what, size_t what_size);

/* The same for one name, of the kind tag. */
must_check bool constraints_allow_name(const struct certificate *ca, uint8_t tag, struct view name,
				       size_t *budget, char *what, size_t what_size);

#endif
