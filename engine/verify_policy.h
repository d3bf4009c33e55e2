/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificate policies (RFC 5280 6.1): any policy will do for us, but where a CA demands one there must be
 * one that holds from the top of the path to its end.
 */
#ifndef ENGINE_VERIFY_POLICY_H
#define ENGINE_VERIFY_POLICY_H

#include "x509_parse.h"

/*
 * Judge a path, leaf first, n certificates without the anchor. False with a sentence fragment in *what, and
 * the place of the certificate where it failed in *at.
 */
must_check bool policies_allow(const struct certificate *const *path, size_t n, size_t *at,
			       const char **what);

#endif
