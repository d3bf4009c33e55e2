/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Established connections without a handshake before them: any version, any suite, keys from the seeded generator.
 */
#ifndef TESTS_ESTABLISHED_H
#define TESTS_ESTABLISHED_H

#include "engine/record.h"

/* A way in which records are protected. */
struct protection {
	uint16_t version, suite;
	bool encrypt_then_mac;
};

/* Each kind of protection in each version that has it. */
extern const struct protection protections[];
extern const size_t n_protections;

struct established {
	struct engine_conn conn[2]; /* by enum engine_role */
	struct engine_cipher *cipher[2];
};

/* Both ends of a connection; needs pair_init(). May be called again; end with established_end(). */
void established_begin(struct established *both, const struct protection *how);
void established_end(struct established *both);

/* A record of any type as `from` seals it, with the usual limit; its length, 0 on failure. */
size_t established_seal(struct established *both, enum engine_role from, uint8_t type, const void *content,
			size_t len, uint8_t *out, size_t out_size);
/* Open in place as `to`. */
enum engine_err established_open(struct established *both, enum engine_role to, uint8_t *record, size_t len,
				 struct engine_opened *opened);
/* Seal it as the other side and open it as `to`. */
enum engine_err established_give(struct established *both, enum engine_role to, uint8_t type,
				 const void *content, size_t len, struct engine_opened *opened);

/* Is it AES-CBC? */
bool protection_is_cbc(const struct protection *how);

#endif
