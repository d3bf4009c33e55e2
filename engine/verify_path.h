/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of a verification: what verify.c (the leaf, its names, the verdict) and verify_path.c (the way
 * to an anchor) share.
 */
#ifndef ENGINE_VERIFY_PATH_H
#define ENGINE_VERIFY_PATH_H

#include "x509_parse.h"

/* Names in reasons are cut, to leave room for the sentence. */
#define SHORT_NAME 56

struct verifier {
	const struct verify_request *request;
	struct verify_result *result;
	int failure_rank; /* of the failure in result; -1: none yet */
	size_t signature_checks_left;
	size_t comparisons_left;

	/* leaf first, then the anchor that it ends at, unless the leaf is one itself */
	const struct certificate *path[CONFIG_MAX_CHAIN + 1];
	size_t path_len;
	bool leaf_is_anchor;

	size_t n_certs;
	struct certificate certs[]; /* that the peer sent, leaf first */
};

/*
 * Remember why; a reason of a higher rank displaces it. Ranks: a CA that was found and refused says more than one that
 * was not found, a longer path more than a shorter. Always false, to be returned.
 */
__attribute__((format(printf, 4, 5))) bool verify_fail(struct verifier *v, int rank, uint8_t alert,
						       const char *format, ...);
int verify_rank_refused(const struct verifier *v);
#define VERIFY_RANK_LAST 1000 /* nothing that was tried says more */
/* "server" or "client" */
const char *verify_peer_name(const struct verifier *v);

/* Is the key of cert one that can be used at all? name: for the sentence */
must_check bool path_check_key(struct verifier *v, const struct certificate *cert, const char *name);
/* Is it in the trust file, byte for byte? */
bool path_is_anchor(const struct verifier *v, const struct certificate *cert);
/* Judge the leaf (v->path[0]) by itself, then lead the path to an anchor; false after verify_fail(). */
must_check bool path_check_leaf(struct verifier *v);
must_check bool path_find(struct verifier *v);
/* Has the path the pinned key, if there are pins? */
must_check bool path_check_pins(struct verifier *v);

#endif
