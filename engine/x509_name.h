/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparing distinguished names, RFC 5280 7.1: strings without case and with spaces folded, whatever type they have.
 */
#ifndef ENGINE_X509_NAME_H
#define ENGINE_X509_NAME_H

#include "x509_der.h"

/*
 * UNSURE: different as far as can be told here, where case is known of ASCII alone: other letters, or a type of string
 * that is not understood, might be the same to others.
 */
enum name_answer { NAME_DIFFERENT, NAME_SAME, NAME_UNSURE };

/* Are two names (headers included) the same? */
bool name_equal(struct view a, struct view b);
/* Does name begin with all of base, one relative name after the other? Both with their headers.  RFC 5280 4.2.1.10 */
enum name_answer name_begins_with(struct view name, struct view base);
/* Has the name (header included) no attribute at all? */
bool name_is_empty(struct view name);
/* A number that is the same for names that are the same. */
uint32_t name_hash(struct view name);

#endif
