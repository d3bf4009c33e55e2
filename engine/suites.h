/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of what can be negotiated: cipher suites, groups, signature schemes.  RFC 8446 B.4, 4.2.7, 4.2.3
 */
#ifndef ENGINE_SUITES_H
#define ENGINE_SUITES_H

#include "crypto.h"

/* Key exchange and who signs, in TLS 1.2 and older; TLS 1.3 negotiates them apart. */
enum suite_kx { KX_TLS13, KX_ECDHE, KX_DHE, KX_RSA };
enum suite_auth { AUTH_TLS13, AUTH_ECDSA, AUTH_RSA }; /* AUTH_ECDSA: also Ed25519, RFC 8422 5.3 */

struct suite {
	uint16_t id;
	uint16_t version;     /* ENGINE_TLS13, or ENGINE_TLS12 for all that is older */
	uint16_t min_version; /* the oldest that it may be used with */
	enum suite_kx kx;
	enum suite_auth auth;
	bool is_cbc;
	enum crypto_aead aead;	/* unless is_cbc */
	uint8_t key_len;
	enum crypto_hash mac;	/* of CBC */
	enum crypto_hash hash;	/* HKDF; PRF of TLS 1.2 */
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
	bool tls13_only; /* a KEM */
	bool is_ffdhe;	 /* in TLS 1.2 for DHE suites, not for ECDHE */
	const char *name;
};

struct scheme {
	uint16_t id;
	/*
	 * May sign a CertificateVerify of TLS 1.3, and handshake messages of TLS 1.2; certificates may be signed with
	 * any.  RFC 8446 4.2.3
	 */
	bool tls13, tls12;
	const char *name;
};

#define SUITES_MAX  40
#define GROUPS_MAX  8
#define SCHEMES_MAX 16

/* What may be negotiated, best first. Filled from a profile and narrowed by a policy; part of a configuration. */
struct algorithms {
	uint16_t suites[SUITES_MAX];
	size_t n_suites;
	bool suites_are_ordered; /* the policy named them: its order counts, not the hardware's */
	uint16_t groups[GROUPS_MAX];
	size_t n_groups;
	uint16_t schemes[SCHEMES_MAX];
	size_t n_schemes;
	/* a server of TLS 1.2 may sign with SHA-1 for clients that know nothing better; in no list, never verified */
	bool may_sign_sha1;
};

/* All that a profile allows, best first. */
void algorithms_of_profile(enum engine_profile profile, struct algorithms *out);

/* Find by number; NULL if the engine does not know it. */
const struct suite *suite_find(uint16_t id);
const struct group *group_find(uint16_t id);
const struct scheme *scheme_find(uint16_t id);

/*
 * Suites that may be used with exactly this version, best first; returns how many. Unless the policy ordered
 * them, what has forward secrecy comes first, and AEAD before CBC; without AES hardware on this side, or with
 * chacha_first, ChaCha20-Poly1305 leads, else AES-128.
 */
size_t suites_preferred(const struct algorithms *algorithms, uint16_t version, bool chacha_first,
			const struct suite *out[static SUITES_MAX]);
/* Groups that may be used with this version (FFDHE ones included), best first. */
size_t groups_preferred(const struct algorithms *algorithms, uint16_t version,
			const struct group *out[static GROUPS_MAX]);
must_check bool suite_is_allowed(const struct algorithms *algorithms, uint16_t id);
must_check bool group_is_allowed(const struct algorithms *algorithms, uint16_t id);
must_check bool scheme_is_allowed(const struct algorithms *algorithms, uint16_t id);

#endif
