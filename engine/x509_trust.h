/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of an engine_trust: what path building reads from it. engine.h documents how it is filled.
 */
#ifndef ENGINE_X509_TRUST_H
#define ENGINE_X509_TRUST_H

#include "x509_parse.h"

/* Anchors, found by subject: start with *i at 0; NULL when there is no further one. trust may be NULL. */
const struct certificate *trust_find(const struct engine_trust *trust, struct view subject, size_t *i);
size_t trust_count(const struct engine_trust *trust);

#endif
