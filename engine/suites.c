/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of cipher suites, groups and signature schemes: a new algorithm is a new row.
 */
#include "suites.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))

#define GCM_SOFT    (1ULL << 24)
#define GCM_HARD    23726566ULL /* 2^24.5 */
#define CHACHA_SOFT (1ULL << 48)
#define CHACHA_HARD (1ULL << 49)

/* clang-format off */
static const struct suite suites[] = {
	{ 0x1301, ENGINE_TLS13, CRYPTO_AES_128_GCM,	  CRYPTO_SHA256, GCM_SOFT, GCM_HARD,
	  "TLS_AES_128_GCM_SHA256" },
	{ 0x1302, ENGINE_TLS13, CRYPTO_AES_256_GCM,	  CRYPTO_SHA384, GCM_SOFT, GCM_HARD,
	  "TLS_AES_256_GCM_SHA384" },
	{ 0x1303, ENGINE_TLS13, CRYPTO_CHACHA20_POLY1305, CRYPTO_SHA256, CHACHA_SOFT, CHACHA_HARD,
	  "TLS_CHACHA20_POLY1305_SHA256" },
};

/* best first */
static const struct group groups[] = {
	{ 0x001d, CRYPTO_X25519,	"x25519" },
	{ 0x0017, CRYPTO_SECP256R1,	"secp256r1" },
	{ 0x0018, CRYPTO_SECP384R1,	"secp384r1" },
};

/* best first; all are offered */
static const struct scheme schemes[] = {
	{ 0x0403, true,  "ecdsa_secp256r1_sha256" },
	{ 0x0807, true,  "ed25519" },
	{ 0x0503, true,  "ecdsa_secp384r1_sha384" },
	{ 0x0804, true,  "rsa_pss_rsae_sha256" },
	{ 0x0805, true,  "rsa_pss_rsae_sha384" },
	{ 0x0806, true,  "rsa_pss_rsae_sha512" },
	{ 0x0401, false, "rsa_pkcs1_sha256" },
	{ 0x0501, false, "rsa_pkcs1_sha384" },
	{ 0x0601, false, "rsa_pkcs1_sha512" },
};
/* clang-format on */

_Static_assert(N(suites) <= SUITES_MAX, "SUITES_MAX holds all suites");
_Static_assert(N(groups) <= GROUPS_MAX, "GROUPS_MAX holds all groups");
_Static_assert(N(schemes) <= SCHEMES_MAX, "SCHEMES_MAX holds all schemes");

const struct suite *suite_find(uint16_t id)
{
	for (size_t i = 0; i < N(suites); i++) {
		if (suites[i].id == id) {
			return &suites[i];
		}
	}
	return NULL;
}

const struct group *group_find(uint16_t id)
{
	for (size_t i = 0; i < N(groups); i++) {
		if (groups[i].id == id) {
			return &groups[i];
		}
	}
	return NULL;
}

const struct scheme *scheme_find(uint16_t id)
{
	for (size_t i = 0; i < N(schemes); i++) {
		if (schemes[i].id == id) {
			return &schemes[i];
		}
	}
	return NULL;
}

size_t suites_preferred(uint16_t version, bool chacha_first, const struct suite *out[static SUITES_MAX])
{
	bool chacha_leads = chacha_first || !crypto_has_aes_hardware();
	size_t n = 0;

	/* two passes: what leads, then the rest, each in the table's order */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < N(suites); i++) {
			bool is_chacha = suites[i].aead == CRYPTO_CHACHA20_POLY1305;

			if (suites[i].version == version && (is_chacha == chacha_leads) == (pass == 0)) {
				out[n++] = &suites[i];
			}
		}
	}
	return n;
}

size_t groups_preferred(const struct group *out[static GROUPS_MAX])
{
	for (size_t i = 0; i < N(groups); i++) {
		out[i] = &groups[i];
	}
	return N(groups);
}

size_t schemes_offered(uint16_t out[static SCHEMES_MAX])
{
	for (size_t i = 0; i < N(schemes); i++) {
		out[i] = schemes[i].id;
	}
	return N(schemes);
}

/* ---- names for logs ---- */

const char *engine_version_name(uint16_t version)
{
	switch (version) {
	case 0x0300:
		return "SSL 3.0";
	case 0x0301:
		return "TLS 1.0";
	case 0x0302:
		return "TLS 1.1";
	case ENGINE_TLS12:
		return "TLS 1.2";
	case ENGINE_TLS13:
		return "TLS 1.3";
	default:
		return "unknown version";
	}
}

const char *engine_suite_name(uint16_t suite)
{
	const struct suite *row = suite_find(suite);

	return row != NULL ? row->name : "unknown suite";
}

const char *engine_group_name(uint16_t group)
{
	const struct group *row = group_find(group);

	return row != NULL ? row->name : "unknown group";
}

const char *engine_scheme_name(uint16_t scheme)
{
	const struct scheme *row = scheme_find(scheme);

	return row != NULL ? row->name : "unknown scheme";
}
