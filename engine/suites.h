/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of what can be negotiated: cipher suites, groups, signature schemes.  RFC 8446 B.4, 4.2.7, 4.2.3
 */
#ifndef ENGINE_SUITES_H
#define ENGINE_SUITES_H

#include "crypto.h"

struct suite {
	uint16_t id;
	uint16_t version; /* the version it belongs to */
	enum crypto_aead aead;
	enum crypto_hash hash;
	/*
	 * Records that one key may seal: at soft a KeyUpdate is due, at hard sealing stops.  RFC 8446 5.5: 2^24.5 full
	 * records for AES-GCM; ChaCha20-Poly1305 has no limit before the sequence number wraps.
	 */
	uint64_t soft_limit, hard_limit;
	const char *name;
};

struct group {
	uint16_t id;
	enum crypto_group group;
	const char *name;
};

struct scheme {
	uint16_t id;
	bool tls13; /* may sign a CertificateVerify of TLS 1.3; others only certificates, RFC 8446 4.2.3 */
	const char *name;
};

#define SUITES_MAX  8
#define GROUPS_MAX  8
#define SCHEMES_MAX 16

/* Find by number; NULL if the engine does not know it. */
const struct suite *suite_find(uint16_t id);
const struct group *group_find(uint16_t id);
const struct scheme *scheme_find(uint16_t id);

/*
 * Our suites of a version, best first; returns how many. Without AES hardware on this side, or with chacha_first,
 * ChaCha20-Poly1305 leads, else AES-128.
 */
size_t suites_preferred(uint16_t version, bool chacha_first, const struct suite *out[static SUITES_MAX]);
/* Our groups, best first. */
size_t groups_preferred(const struct group *out[static GROUPS_MAX]);
/* Signature schemes that we accept in certificates and signatures, best first. */
size_t schemes_offered(uint16_t out[static SCHEMES_MAX]);

#endif
