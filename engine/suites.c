/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of cipher suites, groups and signature schemes: a new algorithm is a new row.
 */
#include "suites.h"

#include <string.h>

#include "cpu.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))

#define GCM_SOFT    (1ULL << 24)
#define GCM_HARD    23726566ULL /* 2^24.5 */
#define CHACHA_SOFT (1ULL << 48)
#define CHACHA_HARD (1ULL << 49)
/* 2^24 records of 2^10 blocks stay far from the birthday bound of 128-bit blocks */
#define CBC_SOFT    (1ULL << 24)
#define CBC_HARD    (1ULL << 25)

/* clang-format off */
/* in the order of suites_preferred() where that has no other preference */
static const struct suite suites[] = {
	{ 0x1301, ENGINE_TLS13, ENGINE_TLS13, KX_TLS13, AUTH_TLS13, false, CRYPTO_AES_128_GCM, 16, CRYPTO_SHA256, CRYPTO_SHA256,
	  GCM_SOFT, GCM_HARD, "TLS_AES_128_GCM_SHA256" },
	{ 0x1302, ENGINE_TLS13, ENGINE_TLS13, KX_TLS13, AUTH_TLS13, false, CRYPTO_AES_256_GCM, 32, CRYPTO_SHA384, CRYPTO_SHA384,
	  GCM_SOFT, GCM_HARD, "TLS_AES_256_GCM_SHA384" },
	{ 0x1303, ENGINE_TLS13, ENGINE_TLS13, KX_TLS13, AUTH_TLS13, false, CRYPTO_CHACHA20_POLY1305, 32, CRYPTO_SHA256, CRYPTO_SHA256,
	  CHACHA_SOFT, CHACHA_HARD, "TLS_CHACHA20_POLY1305_SHA256" },
	{ 0xc02b, ENGINE_TLS12, ENGINE_TLS12, KX_ECDHE, AUTH_ECDSA, false, CRYPTO_AES_128_GCM, 16, CRYPTO_SHA256, CRYPTO_SHA256,
	  GCM_SOFT, GCM_HARD, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
	{ 0xc02c, ENGINE_TLS12, ENGINE_TLS12, KX_ECDHE, AUTH_ECDSA, false, CRYPTO_AES_256_GCM, 32, CRYPTO_SHA384, CRYPTO_SHA384,
	  GCM_SOFT, GCM_HARD, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
	{ 0xcca9, ENGINE_TLS12, ENGINE_TLS12, KX_ECDHE, AUTH_ECDSA, false, CRYPTO_CHACHA20_POLY1305, 32, CRYPTO_SHA256, CRYPTO_SHA256,
	  CHACHA_SOFT, CHACHA_HARD, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ 0xc02f, ENGINE_TLS12, ENGINE_TLS12, KX_ECDHE, AUTH_RSA, false, CRYPTO_AES_128_GCM, 16, CRYPTO_SHA256, CRYPTO_SHA256,
	  GCM_SOFT, GCM_HARD, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" },
	{ 0xc030, ENGINE_TLS12, ENGINE_TLS12, KX_ECDHE, AUTH_RSA, false, CRYPTO_AES_256_GCM, 32, CRYPTO_SHA384, CRYPTO_SHA384,
	  GCM_SOFT, GCM_HARD, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" },
	{ 0xcca8, ENGINE_TLS12, ENGINE_TLS12, KX_ECDHE, AUTH_RSA, false, CRYPTO_CHACHA20_POLY1305, 32, CRYPTO_SHA256, CRYPTO_SHA256,
	  CHACHA_SOFT, CHACHA_HARD, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ 0x009e, ENGINE_TLS12, ENGINE_TLS12, KX_DHE, AUTH_RSA, false, CRYPTO_AES_128_GCM, 16, CRYPTO_SHA256, CRYPTO_SHA256,
	  GCM_SOFT, GCM_HARD, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256" },
	{ 0x009f, ENGINE_TLS12, ENGINE_TLS12, KX_DHE, AUTH_RSA, false, CRYPTO_AES_256_GCM, 32, CRYPTO_SHA384, CRYPTO_SHA384,
	  GCM_SOFT, GCM_HARD, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384" },
	{ 0xccaa, ENGINE_TLS12, ENGINE_TLS12, KX_DHE, AUTH_RSA, false, CRYPTO_CHACHA20_POLY1305, 32, CRYPTO_SHA256, CRYPTO_SHA256,
	  CHACHA_SOFT, CHACHA_HARD, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ 0x009c, ENGINE_TLS12, ENGINE_TLS12, KX_RSA, AUTH_RSA, false, CRYPTO_AES_128_GCM, 16, CRYPTO_SHA256, CRYPTO_SHA256,
	  GCM_SOFT, GCM_HARD, "TLS_RSA_WITH_AES_128_GCM_SHA256" },
	{ 0x009d, ENGINE_TLS12, ENGINE_TLS12, KX_RSA, AUTH_RSA, false, CRYPTO_AES_256_GCM, 32, CRYPTO_SHA384, CRYPTO_SHA384,
	  GCM_SOFT, GCM_HARD, "TLS_RSA_WITH_AES_256_GCM_SHA384" },
	{ 0xc023, ENGINE_TLS12, ENGINE_TLS12, KX_ECDHE, AUTH_ECDSA, true, 0, 16, CRYPTO_SHA256, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256" },
	{ 0xc024, ENGINE_TLS12, ENGINE_TLS12, KX_ECDHE, AUTH_ECDSA, true, 0, 32, CRYPTO_SHA384, CRYPTO_SHA384, CBC_SOFT, CBC_HARD,
	  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384" },
	{ 0xc009, ENGINE_TLS12, ENGINE_TLS10, KX_ECDHE, AUTH_ECDSA, true, 0, 16, CRYPTO_SHA1, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA" },
	{ 0xc00a, ENGINE_TLS12, ENGINE_TLS10, KX_ECDHE, AUTH_ECDSA, true, 0, 32, CRYPTO_SHA1, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA" },
	{ 0xc027, ENGINE_TLS12, ENGINE_TLS12, KX_ECDHE, AUTH_RSA, true, 0, 16, CRYPTO_SHA256, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256" },
	{ 0xc028, ENGINE_TLS12, ENGINE_TLS12, KX_ECDHE, AUTH_RSA, true, 0, 32, CRYPTO_SHA384, CRYPTO_SHA384, CBC_SOFT, CBC_HARD,
	  "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384" },
	{ 0xc013, ENGINE_TLS12, ENGINE_TLS10, KX_ECDHE, AUTH_RSA, true, 0, 16, CRYPTO_SHA1, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA" },
	{ 0xc014, ENGINE_TLS12, ENGINE_TLS10, KX_ECDHE, AUTH_RSA, true, 0, 32, CRYPTO_SHA1, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA" },
	{ 0x0067, ENGINE_TLS12, ENGINE_TLS12, KX_DHE, AUTH_RSA, true, 0, 16, CRYPTO_SHA256, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256" },
	{ 0x006b, ENGINE_TLS12, ENGINE_TLS12, KX_DHE, AUTH_RSA, true, 0, 32, CRYPTO_SHA256, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256" },
	{ 0x0033, ENGINE_TLS12, ENGINE_TLS10, KX_DHE, AUTH_RSA, true, 0, 16, CRYPTO_SHA1, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_DHE_RSA_WITH_AES_128_CBC_SHA" },
	{ 0x0039, ENGINE_TLS12, ENGINE_TLS10, KX_DHE, AUTH_RSA, true, 0, 32, CRYPTO_SHA1, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_DHE_RSA_WITH_AES_256_CBC_SHA" },
	{ 0x003c, ENGINE_TLS12, ENGINE_TLS12, KX_RSA, AUTH_RSA, true, 0, 16, CRYPTO_SHA256, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_RSA_WITH_AES_128_CBC_SHA256" },
	{ 0x003d, ENGINE_TLS12, ENGINE_TLS12, KX_RSA, AUTH_RSA, true, 0, 32, CRYPTO_SHA256, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_RSA_WITH_AES_256_CBC_SHA256" },
	{ 0x002f, ENGINE_TLS12, ENGINE_TLS10, KX_RSA, AUTH_RSA, true, 0, 16, CRYPTO_SHA1, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_RSA_WITH_AES_128_CBC_SHA" },
	{ 0x0035, ENGINE_TLS12, ENGINE_TLS10, KX_RSA, AUTH_RSA, true, 0, 32, CRYPTO_SHA1, CRYPTO_SHA256, CBC_SOFT, CBC_HARD,
	  "TLS_RSA_WITH_AES_256_CBC_SHA" },
};

/* best first */
static const struct group groups[] = {
	{ 0x11ec, CRYPTO_X25519MLKEM768, true,	false, "X25519MLKEM768" },
	{ 0x001d, CRYPTO_X25519,	 false,	false, "x25519" },
	{ 0x0017, CRYPTO_SECP256R1,	 false,	false, "secp256r1" },
	{ 0x0018, CRYPTO_SECP384R1,	 false,	false, "secp384r1" },
	{ 0x0019, CRYPTO_SECP521R1,	 false,	false, "secp521r1" },
	{ 0x0100, CRYPTO_FFDHE2048,	 false,	true,  "ffdhe2048" },
	{ 0x0101, CRYPTO_FFDHE3072,	 false,	true,  "ffdhe3072" },
	{ 0x0102, CRYPTO_FFDHE4096,	 false,	true,  "ffdhe4096" },
};

/* best first */
static const struct scheme schemes[] = {
	{ 0x0403, true,	 true,	"ecdsa_secp256r1_sha256" },
	{ 0x0807, true,	 true,	"ed25519" },
	{ 0x0503, true,	 true,	"ecdsa_secp384r1_sha384" },
	{ 0x0603, true,	 true,	"ecdsa_secp521r1_sha512" },
	{ 0x0804, true,	 true,	"rsa_pss_rsae_sha256" },
	{ 0x0805, true,	 true,	"rsa_pss_rsae_sha384" },
	{ 0x0806, true,	 true,	"rsa_pss_rsae_sha512" },
	{ 0x0809, true,	 true,	"rsa_pss_pss_sha256" },
	{ 0x080a, true,	 true,	"rsa_pss_pss_sha384" },
	{ 0x080b, true,	 true,	"rsa_pss_pss_sha512" },
	{ 0x0401, false, true,	"rsa_pkcs1_sha256" },
	{ 0x0501, false, true,	"rsa_pkcs1_sha384" },
	{ 0x0601, false, true,	"rsa_pkcs1_sha512" },
};
/* clang-format on */

_Static_assert(N(suites) <= SUITES_MAX, "SUITES_MAX holds all suites");
_Static_assert(N(groups) <= GROUPS_MAX, "GROUPS_MAX holds all groups");
_Static_assert(N(schemes) <= SCHEMES_MAX, "SCHEMES_MAX holds all schemes");

/* Every profile but LEGACY leaves out what RFC 9325 4.1 and 4.2 advise against; MODERN is TLS 1.3. */
static bool profile_has_suite(enum engine_profile profile, const struct suite *suite)
{
	switch (profile) {
	case ENGINE_PROFILE_LEGACY:
		return true;
	case ENGINE_PROFILE_MODERN:
		return suite->version == ENGINE_TLS13;
	default:
		return !suite->is_cbc && suite->kx != KX_DHE && suite->kx != KX_RSA;
	}
}

void algorithms_of_profile(enum engine_profile profile, struct algorithms *out)
{
	const bool legacy = profile == ENGINE_PROFILE_LEGACY;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < N(suites); i++) {
		if (profile_has_suite(profile, &suites[i])) {
			out->suites[out->n_suites++] = suites[i].id;
		}
	}
	for (size_t i = 0; i < N(groups); i++) {
		const bool is_there = groups[i].group != CRYPTO_X25519MLKEM768 || crypto_has_mlkem();

		if (is_there && (legacy || !groups[i].is_ffdhe)) {
			out->groups[out->n_groups++] = groups[i].id;
		}
	}
	for (size_t i = 0; i < N(schemes); i++) {
		out->schemes[out->n_schemes++] = schemes[i].id;
	}
	out->may_sign_sha1 = legacy;
}

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

static bool contains(const uint16_t *ids, size_t n, uint16_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (ids[i] == id) {
			return true;
		}
	}
	return false;
}

bool suite_is_allowed(const struct algorithms *algorithms, uint16_t id)
{
	return contains(algorithms->suites, algorithms->n_suites, id);
}

bool group_is_allowed(const struct algorithms *algorithms, uint16_t id)
{
	return contains(algorithms->groups, algorithms->n_groups, id);
}

bool scheme_is_allowed(const struct algorithms *algorithms, uint16_t id)
{
	return contains(algorithms->schemes, algorithms->n_schemes, id);
}

static bool suite_fits(const struct suite *suite, uint16_t version)
{
	return version == ENGINE_TLS13 ? suite->version == version
				       : suite->version == ENGINE_TLS12 && suite->min_version <= version;
}

/*
 * Less is better: forward secrecy before its absence, AEAD before CBC, ECDHE before DHE (RFC 9325 4.1, 4.2), and then
 * the cipher that is faster.
 */
static unsigned suite_rank(const struct suite *suite, bool chacha_leads)
{
	const bool is_chacha = !suite->is_cbc && suite->aead == CRYPTO_CHACHA20_POLY1305;
	const bool is_slower = !suite->is_cbc && is_chacha != chacha_leads;

	return (suite->kx == KX_RSA ? 8U : 0U) | (suite->is_cbc ? 4U : 0U) | (suite->kx == KX_DHE ? 2U : 0U) |
	       (is_slower ? 1U : 0U);
}

size_t suites_preferred(const struct algorithms *algorithms, uint16_t version, bool chacha_first,
			const struct suite *out[static SUITES_MAX])
{
	const bool chacha_leads = chacha_first || !cpu_has_aes();
	unsigned ranks[SUITES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < algorithms->n_suites; i++) {
		const struct suite *suite = suite_find(algorithms->suites[i]);
		const unsigned rank = algorithms->suites_are_ordered ? 0 : suite_rank(suite, chacha_leads);
		size_t at = n;

		if (!suite_fits(suite, version)) {
			continue;
		}
		/* behind those of its rank */
		for (; at > 0 && ranks[at - 1] > rank; at--) {
			ranks[at] = ranks[at - 1];
			out[at] = out[at - 1];
		}
		ranks[at] = rank;
		out[at] = suite;
		n++;
	}
	return n;
}

size_t groups_preferred(const struct algorithms *algorithms, uint16_t version,
			const struct group *out[static GROUPS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < algorithms->n_groups; i++) {
		const struct group *group = group_find(algorithms->groups[i]);

		if (version == ENGINE_TLS13 || !group->tls13_only) {
			out[n++] = group;
		}
	}
	return n;
}

/* ---- by name ---- */

const char *engine_suite_at(size_t i)
{
	return i < N(suites) ? suites[i].name : NULL;
}

const char *engine_group_at(size_t i)
{
	return i < N(groups) ? groups[i].name : NULL;
}

const char *engine_scheme_at(size_t i)
{
	return i < N(schemes) ? schemes[i].name : NULL;
}

/* ---- names for logs ---- */

const char *engine_version_name(uint16_t version)
{
	switch (version) {
	case 0x0300:
		return "SSL 3.0";
	case ENGINE_TLS10:
		return "TLS 1.0";
	case ENGINE_TLS11:
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
