/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations: defaults, bounds, credentials in all their forms, trust, and that nothing leaks when a call
 * fails.
 */
#include "tests/pki/pki.h"

static long n_live;      /* allocations not given back */
static long allocs_left; /* until memory runs out; -1: never */

static void *counting_alloc(size_t size)
{
	if (allocs_left == 0) {
		return NULL;
	}
	allocs_left -= allocs_left > 0;
	n_live++;
	return malloc(size);
}

static void counting_release(void *ptr)
{
	n_live -= ptr != NULL;
	free(ptr);
}

static void *counting_resize(void *ptr, size_t size)
{
	if (ptr == NULL) {
		return counting_alloc(size);
	}
	return allocs_left == 0 ? NULL : realloc(ptr, size);
}

static int setup(void **state)
{
	const struct engine_env env = {.alloc = counting_alloc,
				       .release = counting_release,
				       .resize = counting_resize,
				       .random = pki_random,
				       .now = pki_now};
	allocs_left = -1;
	return pki_setup(state) == 0 && engine_init(&env) ? 0 : -1;
}

static void defaults_are_safe(void **state)
{
	(void)state;
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	assert_non_null(config);
	assert_int_equal(config->role, ENGINE_CLIENT);
	assert_int_equal(config->verify, ENGINE_VERIFY_FULL);
	assert_int_equal(config->client_auth, ENGINE_CLIENT_AUTH_NONE);
	assert_int_equal(config->max_version, ENGINE_TLS13);
	assert_null(config->trust);
	assert_int_equal(config->n_credentials, 0);
	engine_config_ref(config);
	engine_config_unref(config);
	assert_int_equal(config->role, ENGINE_CLIENT);
	engine_config_unref(config);
	engine_config_unref(NULL);
	engine_trust_unref(NULL);
	assert_int_equal(n_live, 0);
}

static void versions_must_be_possible(void **state)
{
	(void)state;
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	assert_true(engine_config_set_versions(config, ENGINE_TLS13, ENGINE_TLS13));
	assert_false(engine_config_set_versions(config, ENGINE_TLS13, ENGINE_TLS12));
	assert_false(engine_config_set_versions(config, ENGINE_TLS13 + 1, ENGINE_TLS13 + 1));
	assert_int_equal(config->min_version, ENGINE_TLS13);
	engine_config_unref(config);
}

static void each_profile_has_its_oldest_version(void **state)
{
	(void)state;
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	assert_int_equal(config->min_version, ENGINE_TLS12);
	assert_false(engine_config_set_versions(config, ENGINE_TLS11, ENGINE_TLS13));
	engine_config_set_profile(config, ENGINE_PROFILE_LEGACY);
	assert_int_equal(config->min_version, ENGINE_TLS12); /* older ones only when they are asked for */
	assert_false(engine_config_set_versions(config, ENGINE_TLS10 - 1, ENGINE_TLS13));
	assert_true(engine_config_set_versions(config, ENGINE_TLS10, ENGINE_TLS11));
	engine_config_set_profile(config, ENGINE_PROFILE_DEFAULT);
	assert_int_equal(config->min_version, ENGINE_TLS12);
	assert_int_equal(config->max_version, ENGINE_TLS12);
	engine_config_set_profile(config, ENGINE_PROFILE_MODERN);
	assert_int_equal(config->min_version, ENGINE_TLS13);
	assert_int_equal(config->max_version, ENGINE_TLS13);
	assert_false(engine_config_set_versions(config, ENGINE_TLS12, ENGINE_TLS13));
	for (size_t i = 0; i < config->algorithms.n_suites; i++) {
		assert_int_equal(suite_find(config->algorithms.suites[i])->version, ENGINE_TLS13);
	}
	engine_config_unref(config);
}

static void names_are_found_in_any_case_and_as_openssl_spells_them(void **state)
{
	(void)state;
	static const struct {
		const char *(*find)(const char *name, const char **nearest);
		const char *name, *found, *nearest;
	} rows[] = {
		{ engine_suite_find, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", NULL },
		{ engine_suite_find, "tls_aes_128_gcm_sha256", "TLS_AES_128_GCM_SHA256", NULL },
		{ engine_suite_find, "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", NULL },
		{ engine_suite_find, "ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
		  NULL },
		{ engine_suite_find, "AES256-SHA", "TLS_RSA_WITH_AES_256_CBC_SHA", NULL },
		{ engine_suite_find, "AES128-GCM-SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256", NULL },
		{ engine_suite_find, "DHE-RSA-AES256-SHA256", "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", NULL },
		{ engine_suite_find, "TLS_AES_128_GCM_SHA265", NULL, "TLS_AES_128_GCM_SHA256" },
		{ engine_suite_find, "ECDHE-RSA-AES128-GCM-SHA265", NULL, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" },
		{ engine_suite_find, "RC4-MD5", NULL, NULL },
		{ engine_suite_find, "HIGH", NULL, NULL },
		{ engine_suite_find, "", NULL, NULL },
		{ engine_group_find, "X25519", "x25519", NULL },
		{ engine_group_find, "p-256", "secp256r1", NULL },
		{ engine_group_find, "prime256v1", "secp256r1", NULL },
		{ engine_group_find, "P-521", "secp521r1", NULL },
		{ engine_group_find, "x25591", NULL, "x25519" },
		{ engine_group_find, "sect163k1", NULL, NULL },
		{ engine_scheme_find, "Ed25519", "ed25519", NULL },
		{ engine_scheme_find, "rsa_pss_rsae_sha255", NULL, "rsa_pss_rsae_sha256" },
		{ engine_scheme_find, "md5", NULL, NULL },
	};
	const char *name, *nearest;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *found = rows[i].find(rows[i].name, &nearest);
		if (found != NULL ? rows[i].found == NULL || strcmp(found, rows[i].found) != 0
				  : rows[i].found != NULL) {
			fail_msg("%s: %s", rows[i].name, found != NULL ? found : "not found");
		}
		if (found == NULL && (rows[i].nearest == NULL ? nearest != NULL
							      : nearest == NULL || strcmp(nearest, rows[i].nearest) != 0)) {
			fail_msg("%s: nearest %s", rows[i].name, nearest != NULL ? nearest : "none");
		}
	}
	for (size_t i = 0; (name = engine_suite_at(i)) != NULL; i++) {
		assert_string_equal(engine_suite_find(name, &nearest), name);
		assert_true(strlen(name) < 64);
	}
}

static void algorithms_are_narrowed_by_name(void **state)
{
	(void)state;
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	static const char *const suites[] = { "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256" };
	static const char *const groups[] = { "secp384r1" };
	static const char *const schemes[] = { "ed25519", "rsa_pss_rsae_sha256" };
	char why[ENGINE_REASON_MAX];
	const size_t n_all = config->algorithms.n_suites;
	assert_int_equal(engine_config_set_suites(config, suites, 2, why), ENGINE_OK);
	assert_int_equal(config->algorithms.n_suites, 2);
	assert_int_equal(config->algorithms.suites[0], 0x1303);
	assert_true(config->algorithms.suites_are_ordered);
	assert_int_equal(engine_config_set_groups(config, groups, 1, why), ENGINE_OK);
	assert_int_equal(config->algorithms.n_groups, 1);
	assert_int_equal(config->algorithms.groups[0], 0x0018);
	assert_int_equal(engine_config_set_schemes(config, schemes, 2, why), ENGINE_OK);
	assert_int_equal(config->algorithms.n_schemes, 2);
	assert_int_equal(config->algorithms.schemes[1], 0x0804);
	assert_int_equal(engine_config_set_suites(config, NULL, 0, why), ENGINE_OK);
	assert_int_equal(config->algorithms.n_suites, n_all);
	assert_false(config->algorithms.suites_are_ordered);
	engine_config_set_profile(config, ENGINE_PROFILE_DEFAULT);
	assert_true(config->algorithms.n_groups > 1);
	engine_config_unref(config);
}

static void names_that_cannot_be_used_are_refused_with_a_reason(void **state)
{
	(void)state;
	typedef enum engine_err setter(struct engine_config *, const char *const *, size_t, char *);
	static const struct {
		setter *set;
		enum engine_profile profile;
		const char *name, *why;
	} rows[] = {
		{ engine_config_set_suites, ENGINE_PROFILE_DEFAULT, "TLS_AES_128_GCM_SHA25",
		  "there is no cipher suite 'TLS_AES_128_GCM_SHA25' (did you mean 'TLS_AES_128_GCM_SHA256'?)" },
		{ engine_config_set_suites, ENGINE_PROFILE_LEGACY, "TLS_RSA_WITH_RC4_128_SHA",
		  "there is no cipher suite" },
		{ engine_config_set_suites, ENGINE_PROFILE_DEFAULT, "AES128-SHA",
		  "TLS_RSA_WITH_AES_128_CBC_SHA needs profile legacy" },
		{ engine_config_set_suites, ENGINE_PROFILE_MODERN, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
		  "needs profile legacy" },
		{ engine_config_set_suites, ENGINE_PROFILE_MODERN, "ECDHE-ECDSA-AES128-GCM-SHA256",
		  "it needs profile default or legacy" },
		{ engine_config_set_groups, ENGINE_PROFILE_DEFAULT, "ffdhe2048", "ffdhe2048 needs profile legacy" },
		{ engine_config_set_groups, ENGINE_PROFILE_DEFAULT, "", "there is no group ''" },
		{ engine_config_set_schemes, ENGINE_PROFILE_LEGACY, "rsa_pkcs1_sha1", "there is no signature scheme" },
	};
	static const char *const twice[] = { "x25519", "secp256r1", "X25519" };
	char why[ENGINE_REASON_MAX];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct engine_config *config = engine_config_new(ENGINE_SERVER);
		struct algorithms before;
		engine_config_set_profile(config, rows[i].profile);
		before = config->algorithms;
		why[0] = '\0';
		assert_int_equal(rows[i].set(config, &rows[i].name, 1, why), ENGINE_ERR_CONFIG);
		if (strstr(why, rows[i].why) == NULL) {
			fail_msg("%s: %s", rows[i].name, why);
		}
		assert_memory_equal(&before, &config->algorithms, sizeof(before));
		engine_config_unref(config);
	}
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	assert_int_equal(engine_config_set_groups(config, twice, 3, why), ENGINE_ERR_CONFIG);
	assert_string_equal(why, "x25519 is named twice");
	engine_config_unref(config);
}

static void sessions_tickets_and_padding_have_bounds(void **state)
{
	(void)state;
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	struct engine_ticket_key keys[ENGINE_TICKET_KEYS + 1];
	uint8_t id[ENGINE_SESSION_ID_LEN];
	assert_int_equal(config->session_lifetime, 7200);
	memset(id, 7, sizeof(id));
	assert_false(engine_config_set_sessions(config, ENGINE_SESSION_LIFETIME_MAX + 1, id));
	assert_int_equal(config->session_id[0], 0);
	assert_true(engine_config_set_sessions(config, ENGINE_SESSION_LIFETIME_MAX, id));
	assert_true(engine_config_set_sessions(config, 0, id));
	assert_int_equal(config->session_lifetime, 0);
	assert_memory_equal(config->session_id, id, sizeof(id));
	for (size_t i = 0; i < ENGINE_TICKET_KEYS + 1; i++) {
		memset(&keys[i], (int)i + 1, sizeof(keys[i]));
	}
	assert_false(engine_config_set_ticket_keys(config, keys, 0));
	assert_false(engine_config_set_ticket_keys(config, keys, ENGINE_TICKET_KEYS + 1));
	assert_true(engine_config_set_ticket_keys(config, keys, ENGINE_TICKET_KEYS));
	memset(keys[2].name, 1, sizeof(keys[2].name)); /* two keys of one name */
	assert_false(engine_config_set_ticket_keys(config, keys, 3));
	assert_int_equal(config->n_ticket_keys, ENGINE_TICKET_KEYS);
	assert_true(engine_config_set_ticket_keys(config, keys, 1));
	assert_int_equal(config->n_ticket_keys, 1);
	assert_int_equal(config->ticket_keys[1].key[0], 0);
	assert_false(engine_config_set_padding(config, ENGINE_MAX_PLAINTEXT + 1));
	assert_true(engine_config_set_padding(config, ENGINE_MAX_PLAINTEXT));
	assert_int_equal(config->padding, ENGINE_MAX_PLAINTEXT);
	assert_true(engine_config_set_padding(config, 0));
	engine_config_unref(config);
	assert_int_equal(n_live, 0);
}

static void a_digest_is_sha256(void **state)
{
	(void)state;
	static const uint8_t abc[4] = { 0xba, 0x78, 0x16, 0xbf }; /* FIPS 180-4, "abc" */
	uint8_t digest[32];
	assert_true(engine_digest("abc", 3, digest));
	assert_memory_equal(digest, abc, 4);
}

/* One configuration to be judged: names up to a NULL. */
struct case_of_check {
	enum engine_role role;
	enum engine_profile profile;
	uint16_t min, max;
	const char *suites[4], *groups[3], *schemes[3], *credentials[3];
	enum engine_err err;
	const char *why;
};

static size_t count(const char *const *names, size_t max)
{
	size_t n = 0;
	while (n < max && names[n] != NULL) {
		n++;
	}
	return n;
}

static void check_one(const struct case_of_check *c, size_t number)
{
	struct engine_config *config = engine_config_new(c->role);
	char why[ENGINE_REASON_MAX] = "?", pem[60], key[60];
	engine_config_set_profile(config, c->profile);
	assert_true(engine_config_set_versions(config, c->min, c->max));
	assert_int_equal(engine_config_set_suites(config, c->suites, count(c->suites, 4), why), ENGINE_OK);
	assert_int_equal(engine_config_set_groups(config, c->groups, count(c->groups, 3), why), ENGINE_OK);
	assert_int_equal(engine_config_set_schemes(config, c->schemes, count(c->schemes, 3), why), ENGINE_OK);
	for (size_t i = 0; i < count(c->credentials, 3); i++) {
		(void)snprintf(pem, sizeof(pem), "%s.pem", c->credentials[i]);
		(void)snprintf(key, sizeof(key), "%s.key", c->credentials[i]);
		assert_true(pki_add_credential(config, pem, key, why));
	}
	const enum engine_err err = engine_config_check(config, why);
	if (err != c->err || (c->why == NULL ? why[0] != '\0' : strstr(why, c->why) == NULL)) {
		fail_msg("case %zu: %s, '%s'", number, engine_err_name(err), why);
	}
	engine_config_unref(config);
}

#define CLIENT	ENGINE_CLIENT, ENGINE_PROFILE_DEFAULT
#define SERVER	ENGINE_SERVER, ENGINE_PROFILE_DEFAULT
#define MODERN	ENGINE_SERVER, ENGINE_PROFILE_MODERN
#define LEGACY	ENGINE_SERVER, ENGINE_PROFILE_LEGACY
#define FROM_10 ENGINE_TLS10, ENGINE_TLS13
#define FROM_12 ENGINE_TLS12, ENGINE_TLS13
#define ONLY_10 ENGINE_TLS10, ENGINE_TLS10
#define ONLY_12 ENGINE_TLS12, ENGINE_TLS12
#define ONLY_13 ENGINE_TLS13, ENGINE_TLS13
#define AES13	"TLS_AES_128_GCM_SHA256"
#define ECDSA12 "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
#define RSA12	"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
#define DHE12	"TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"
#define KXRSA	"TLS_RSA_WITH_AES_128_CBC_SHA"

static void a_configuration_is_judged_as_a_whole(void **state)
{
	(void)state;
	/* clang-format off */
	static const struct case_of_check cases[] = {
		{ CLIENT, FROM_12, { 0 }, { 0 }, { 0 }, { 0 }, ENGINE_OK, NULL },
		{ SERVER, FROM_12, { 0 }, { 0 }, { 0 }, { "server" }, ENGINE_OK, NULL },
		{ SERVER, FROM_12, { 0 }, { 0 }, { 0 }, { "server-ed25519", "server-rsa2048" }, ENGINE_OK, NULL },
		{ MODERN, ONLY_13, { 0 }, { 0 }, { 0 }, { "server-rsa2048" }, ENGINE_OK, NULL },
		{ LEGACY, FROM_10, { 0 }, { 0 }, { 0 }, { "server-rsa2048" }, ENGINE_OK, NULL },
		{ LEGACY, FROM_10, { 0 }, { 0 }, { 0 }, { "server" }, ENGINE_OK, NULL },
		{ SERVER, FROM_12, { 0 }, { 0 }, { 0 }, { 0 }, ENGINE_ERR_CONFIG, "a server needs a certificate" },
		/* suites against versions */
		{ CLIENT, ONLY_13, { ECDSA12, RSA12 }, { 0 }, { 0 }, { 0 }, ENGINE_ERR_CONFIG,
		  "no cipher suite is left for TLS 1.3: name one of that version, or leave the version out" },
		{ CLIENT, FROM_12, { RSA12 }, { 0 }, { 0 }, { 0 }, ENGINE_ERR_CONFIG, "left for TLS 1.3" },
		{ CLIENT, FROM_12, { AES13 }, { 0 }, { 0 }, { 0 }, ENGINE_ERR_CONFIG, "left for TLS 1.2" },
		{ CLIENT, ONLY_12, { RSA12 }, { 0 }, { 0 }, { 0 }, ENGINE_OK, NULL },
		{ LEGACY, FROM_10, { AES13, RSA12 }, { 0 }, { 0 }, { "server-rsa2048" }, ENGINE_ERR_CONFIG,
		  "left for TLS 1.0" },
		{ LEGACY, FROM_10, { AES13, KXRSA }, { 0 }, { 0 }, { "rsa-both" }, ENGINE_OK, NULL },
		/* groups */
		{ CLIENT, FROM_12, { 0 }, { "x25519" }, { 0 }, { 0 }, ENGINE_OK, NULL },
		{ LEGACY, FROM_12, { 0 }, { "ffdhe2048" }, { 0 }, { "server-rsa2048" }, ENGINE_OK, NULL },
		{ LEGACY, FROM_12, { AES13, RSA12 }, { "ffdhe2048" }, { 0 }, { "server-rsa2048" }, ENGINE_ERR_CONFIG,
		  "no group is left for the cipher suites of TLS 1.2" },
		{ LEGACY, ONLY_12, { DHE12 }, { "x25519" }, { 0 }, { "server-rsa2048" }, ENGINE_ERR_CONFIG,
		  "no group is left" },
		{ ENGINE_CLIENT, ENGINE_PROFILE_LEGACY, ONLY_12, { DHE12 }, { "x25519" }, { 0 }, { 0 }, ENGINE_OK,
		  NULL },
		/* schemes */
		{ CLIENT, FROM_12, { AES13, RSA12 }, { 0 }, { "ed25519" }, { 0 }, ENGINE_ERR_CONFIG,
		  "no signature scheme is left for the cipher suites of TLS 1.2" },
		{ CLIENT, FROM_12, { 0 }, { 0 }, { "rsa_pkcs1_sha256" }, { 0 }, ENGINE_ERR_CONFIG,
		  "suites of TLS 1.3" },
		{ LEGACY, ONLY_12, { KXRSA }, { 0 }, { "ed25519" }, { "rsa-encipher" }, ENGINE_OK, NULL },
		/* key usage, RFC 5246 7.4.2, RFC 8446 4.4.2.2 */
		{ SERVER, FROM_12, { 0 }, { 0 }, { 0 }, { "rsa-encipher" }, ENGINE_ERR_CONFIG,
		  "fits its key and key usage" },
		{ LEGACY, ONLY_12, { KXRSA }, { 0 }, { 0 }, { "server-rsa2048" }, ENGINE_ERR_CONFIG,
		  "can never be used" },
		{ LEGACY, FROM_12, { 0 }, { 0 }, { 0 }, { "rsa-encipher" }, ENGINE_OK, "TLS 1.3 will never be spoken" },
		/* keys */
		{ SERVER, ONLY_13, { 0 }, { 0 }, { "rsa_pss_rsae_sha256" }, { "server" }, ENGINE_ERR_CONFIG,
		  "the certificate of CN=server (EC P-256) can never be used" },
		{ SERVER, ONLY_12, { RSA12 }, { 0 }, { 0 }, { "server" }, ENGINE_ERR_CONFIG,
		  "(EC P-256) can never be used" },
		{ SERVER, ONLY_12, { ECDSA12 }, { 0 }, { 0 }, { "server-rsa2048" }, ENGINE_ERR_CONFIG,
		  "(RSA 2048) can never" },
		{ SERVER, ONLY_12, { ECDSA12 }, { 0 }, { 0 }, { "server-rsa2048", "server-ed25519" }, ENGINE_OK,
		  "(RSA 2048) can never be used" },
		{ SERVER, FROM_12, { AES13, RSA12 }, { 0 }, { 0 }, { "server" }, ENGINE_OK,
		  "TLS 1.2 will never be spoken: no cipher suite of it with a signature scheme fits the key of the certificate" },
		{ SERVER, FROM_12, { AES13, RSA12 }, { 0 }, { 0 }, { "server", "server-p384" }, ENGINE_OK,
		  "of any certificate" },
		{ SERVER, FROM_12, { AES13, RSA12 }, { 0 }, { 0 }, { "server", "server-rsa2048" }, ENGINE_OK, NULL },
		{ LEGACY, ONLY_10, { KXRSA }, { 0 }, { 0 }, { "server-p384" }, ENGINE_ERR_CONFIG, "can never be used" },
		{ LEGACY, ONLY_10, { 0 }, { 0 }, { 0 }, { "server-ed25519" }, ENGINE_ERR_CONFIG,
		  "(Ed25519) can never be used" },
		{ LEGACY, FROM_10, { 0 }, { 0 }, { 0 }, { "server-ed25519" }, ENGINE_OK,
		  "TLS 1.0 will never be spoken" },
		{ LEGACY, FROM_10, { 0 }, { 0 }, { 0 }, { "server-pss" }, ENGINE_OK, "TLS 1.0 will never be spoken" },
		{ LEGACY, ONLY_10, { 0 }, { 0 }, { 0 }, { "server-p521" }, ENGINE_OK, NULL },
		{ SERVER, FROM_12, { 0 }, { 0 }, { 0 }, { "server-pss" }, ENGINE_OK, NULL },
		{ CLIENT, ONLY_12, { RSA12 }, { 0 }, { 0 }, { "client" }, ENGINE_OK, NULL }, /* RFC 5246 7.4.8 */
		{ CLIENT, ONLY_13, { 0 }, { 0 }, { "rsa_pss_rsae_sha256" }, { "client" }, ENGINE_OK,
		  "can never be used" },
	};
	/* clang-format on */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_one(&cases[i], i);
	}
	assert_int_equal(n_live, 0);
}

static void a_configuration_lists_its_suites(void **state)
{
	(void)state;
	static const char *const names[] = { "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384" };
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	char why[ENGINE_REASON_MAX];
	assert_int_equal(engine_config_n_suites(config), 9);
	assert_true(engine_config_set_versions(config, ENGINE_TLS13, ENGINE_TLS13));
	assert_int_equal(engine_config_n_suites(config), 3);
	assert_null(engine_config_suite(config, 3));
	assert_true(engine_config_set_versions(config, ENGINE_TLS12, ENGINE_TLS13));
	assert_int_equal(engine_config_set_suites(config, names, 2, why), ENGINE_OK);
	assert_string_equal(engine_config_suite(config, 0), names[1]); /* the newest version leads */
	assert_string_equal(engine_config_suite(config, 1), names[0]);
	engine_config_set_profile(config, ENGINE_PROFILE_LEGACY);
	assert_true(engine_config_set_versions(config, ENGINE_TLS10, ENGINE_TLS13));
	assert_true(engine_config_n_suites(config) > 20);
	engine_config_unref(config);
}

static void alpn_has_bounds(void **state)
{
	(void)state;
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	static const char *const good[] = {"h2", "http/1.1", "12345678901234567890123456789012"};
	static const char *const empty[] = {"h2", ""};
	static const char *const long_one[] = {"123456789012345678901234567890123"};
	static const char *const nine[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
	assert_true(engine_config_set_alpn(config, good, 3));
	assert_false(engine_config_set_alpn(config, empty, 2));
	assert_false(engine_config_set_alpn(config, long_one, 1));
	assert_false(engine_config_set_alpn(config, nine, 9));
	assert_int_equal(config->n_alpn, 3);
	assert_string_equal(config->alpn[2], good[2]);
	assert_true(engine_config_set_alpn(config, nine, 8));
	assert_true(engine_config_set_alpn(config, NULL, 0));
	assert_int_equal(config->n_alpn, 0);
	engine_config_unref(config);
}

static void allowed_peers_have_bounds(void **state)
{
	(void)state;
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	const char *names[17];
	for (size_t i = 0; i < 17; i++) {
		names[i] = "*.example.org";
	}
	assert_true(engine_config_set_allowed_peers(config, names, 16));
	assert_false(engine_config_set_allowed_peers(config, names, 17));
	names[1] = "";
	assert_false(engine_config_set_allowed_peers(config, names, 2));
	assert_int_equal(config->n_allowed_peers, 16);
	names[1] = "a";
	assert_true(engine_config_set_allowed_peers(config, names, 2));
	assert_string_equal(config->allowed_peers[1], "a");
	engine_config_unref(config);
	assert_int_equal(n_live, 0);
}

static void trust_is_counted_and_replaced(void **state)
{
	(void)state;
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	struct engine_trust *a = pki_trust("ca.pem");
	struct engine_trust *b = pki_trust("ca-rsa.pem");
	engine_config_set_trust(config, a);
	engine_config_set_trust(config, a);
	engine_config_set_trust(config, b);
	engine_trust_unref(a);
	engine_trust_unref(b);
	assert_ptr_equal(config->trust, b);
	engine_config_set_trust(config, NULL);
	assert_null(config->trust);
	engine_config_unref(config);
	assert_int_equal(n_live, 0);
}

static void every_form_of_key_is_read(void **state)
{
	(void)state;
	/* clang-format off */
	static const char *const pairs[][2] = {
		{ "server.pem", "server.key" },
		{ "server.pem", "server.sec1.key" },
		{ "server.pem", "server.parameters.key" },
		{ "server.text.pem", "server.key" },
		{ "server.both.pem", "server.both.pem" },
		{ "server-p384.pem", "server-p384.key" },
		{ "server-ed25519.pem", "server-ed25519.key" },
		{ "server-rsa2048.pem", "server-rsa2048.key" },
		{ "server-rsa2048.pem", "server-rsa2048.pkcs1.key" },
		{ "server-rsa3072.pem", "server-rsa3072.key" },
		{ "server-rsa4096.pem", "server-rsa4096.key" },
		{ "server-p521.pem", "server-p521.key" },
		{ "server-pss.pem", "server-pss.key" },
		{ "server-pss384.pem", "server-pss384.key" },
		{ "server-pss.pem", "server-pss.rsa.key" }, /* the certificate alone says what it is for */
		{ "chain-under-inter2.pem", "under-inter2.key" },
	};
	/* clang-format on */
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char why[ENGINE_REASON_MAX];
		struct engine_config *config = engine_config_new(ENGINE_SERVER);
		if (!pki_add_credential(config, pairs[i][0], pairs[i][1], why)) {
			fail_msg("%s, %s: %s", pairs[i][0], pairs[i][1], why);
		}
		assert_int_equal(config->n_credentials, 1);
		engine_config_unref(config);
	}
	assert_int_equal(n_live, 0);
}

static void credentials_that_cannot_work_are_refused_with_a_reason(void **state)
{
	(void)state;
	/* clang-format off */
	static const char *const cases[][3] = {
		{ "server.pem", "server-p384.key",
		  "the private key does not belong to the certificate of CN=server (EC P-256)" },
		{ "server.pem", "client.key", "does not belong" },
		{ "server-rsa2048.pem", "server-rsa3072.key", "does not belong" },
		{ "server-rsa2048.pem", "ca-rsa.key", "does not belong" },
		{ "server-ed25519.pem", "ca-ed25519.key", "does not belong" },
		{ "server.pem", "server.encrypted.key", "encrypted with a passphrase" },
		{ "server.pem", "server.sec1-encrypted.key", "encrypted with a passphrase" },
		{ "server-rsa2048.pem", "server-rsa2048.encrypted.key", "encrypted with a passphrase" },
		{ "server.pem", "server.pem", "there is no private key" },
		{ "server.key", "server.key", "there is no certificate" },
		{ "rsa1024.pem", "rsa1024.key", "RSA with 1024 bits" },
		{ "k1.pem", "k1.key", "curve that is not supported" },
		{ "explicit-curve.pem", "explicit-curve.key", "does not name its curve" },
		{ "pss-sha1.pem", "pss-sha1.key", "not supported" },
		{ "server-pss.pem", "server-pss384.key", "does not belong" },
		{ "server-rsa2048.pem", "server-pss.key", "does not belong" },
	};
	/* clang-format on */
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[ENGINE_REASON_MAX];
		bool taken = pki_add_credential(config, cases[i][0], cases[i][1], why);
		if (taken || strstr(why, cases[i][2]) == NULL) {
			fail_msg("%s, %s: %s", cases[i][0], cases[i][1], taken ? "taken" : why);
		}
	}
	assert_int_equal(config->n_credentials, 0);
	engine_config_unref(config);
	assert_int_equal(n_live, 0);
}

static enum engine_err add_text(struct engine_config *config, const char *chain, const char *key,
				char why[static ENGINE_REASON_MAX])
{
	return engine_config_add_credential(config, (const uint8_t *)chain, strlen(chain),
					    (const uint8_t *)key, strlen(key), why);
}

static void damaged_texts_are_refused(void **state)
{
	(void)state;
	char why[ENGINE_REASON_MAX];
	size_t len;
	char *cert = pki_text("server.pem", &len);
	char *key = pki_text("server.key", &len);
	char *other = pki_text("inter.pem", &len);
	char *text = malloc(100000);
	size_t n_taken = 0;
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	assert_non_null(text);

	/* the leaf has to come first */
	(void)snprintf(text, 100000, "%s%s", other, cert);
	assert_int_equal(add_text(config, text, key, why), ENGINE_ERR_CONFIG);
	assert_non_null(strstr(why, "belongs to certificate number 2"));
	/* cut anywhere */
	for (size_t i = 0; i < strlen(cert); i++) {
		(void)snprintf(text, 100000, "%.*s", (int)i, cert);
		if (i + 30 < strlen(cert)) {
			assert_int_equal(add_text(config, text, key, why), ENGINE_ERR_CONFIG);
		}
	}
	for (size_t i = 0; i + 30 < strlen(key); i++) {
		(void)snprintf(text, 100000, "%.*s", (int)i, key);
		assert_int_equal(add_text(config, cert, text, why), ENGINE_ERR_CONFIG);
	}
	/* a letter changed: refused, unless it stands in the public part, which is not used, or in a version
	 */
	for (size_t i = 30; i + 30 < strlen(key); i++) {
		memcpy(text, key, strlen(key) + 1);
		text[i] = text[i] == 'B' ? 'C' : 'B';
		if (add_text(config, cert, text, why) == ENGINE_OK) {
			n_taken++;
			config->n_credentials = 0;
			engine_release(config->credentials[0].chain[0].data);
			private_key_free(config->credentials[0].key);
		}
	}
	assert_true(n_taken < 100); /* of 241 */
	assert_int_equal(config->n_credentials, 0);
	assert_int_equal(add_text(config, "", "", why), ENGINE_ERR_CONFIG);
	engine_config_unref(config);
	free(cert);
	free(key);
	free(other);
	free(text);
	assert_int_equal(n_live, 0);
}

static void there_is_room_for_eight_credentials_and_ten_certificates(void **state)
{
	(void)state;
	char why[ENGINE_REASON_MAX];
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	for (int i = 0; i < 8; i++) {
		assert_true(pki_add_credential(config, "server.pem", "server.key", why));
	}
	assert_false(pki_add_credential(config, "server.pem", "server.key", why));
	assert_non_null(strstr(why, "too many"));
	engine_config_unref(config);

	config = engine_config_new(ENGINE_SERVER);
	assert_true(pki_add_credential(config, "chain-under-deep-9.pem", "under-deep-9.key", why));
	assert_int_equal(config->credentials[0].n_chain, 10);
	assert_false(pki_add_credential(config, "chain-under-deep-10.pem", "under-deep-10.key", why));
	assert_non_null(strstr(why, "too long"));
	engine_config_unref(config);
	assert_int_equal(n_live, 0);
}

static void credentials_describe_themselves(void **state)
{
	(void)state;
	char why[ENGINE_REASON_MAX];
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	struct engine_credential_info info;
	assert_true(pki_add_credential(config, "server.pem", "server.key", why));
	assert_true(pki_add_credential(config, "chain-under-inter-rsa.pem", "under-inter-rsa.key", why));
	assert_true(pki_add_credential(config, "pinned.pem", "pinned.key", why));
	assert_true(pki_add_credential(config, "client-plain.pem", "client-plain.key", why));

	assert_true(engine_config_describe_credential(config, 0, &info));
	assert_string_equal(info.subject, "CN=server");
	assert_string_equal(info.issuer, "CN=ca");
	assert_string_equal(info.key_kind, "EC P-256");
	assert_true(info.not_before < pki_now() && info.not_before > pki_now() - 30 * 86400);
	assert_true(info.not_after > pki_now() + 30 * 86400 && info.not_after < pki_now() + 61 * 86400);
	assert_true(info.has_server_name);
	assert_false(info.chain_complete); /* nobody knows its issuer */
	struct engine_trust *trust = pki_trust("ca.pem");
	engine_config_set_trust(config, trust);
	engine_trust_unref(trust);
	assert_true(engine_config_describe_credential(config, 0, &info));
	assert_true(info.chain_complete);

	assert_true(engine_config_describe_credential(config, 1, &info));
	assert_string_equal(info.issuer, "CN=inter-rsa");
	assert_string_equal(info.key_kind, "RSA 2048");
	assert_false(info.chain_complete);
	assert_true(engine_config_describe_credential(config, 2, &info));
	assert_string_equal(info.subject, "CN=localhost");
	assert_true(info.chain_complete);
	assert_true(engine_config_describe_credential(config, 3, &info));
	assert_false(info.has_server_name);
	assert_false(engine_config_describe_credential(config, 4, &info));

	assert_true(credential_matches_name(&config->credentials[0], "Server.Example"));
	assert_false(credential_matches_name(&config->credentials[0], "server"));
	engine_config_unref(config);
	assert_int_equal(n_live, 0);
}

static void trust_files_hold_anything_around_their_blocks(void **state)
{
	(void)state;
	char why[ENGINE_REASON_MAX];
	size_t len, n;
	char *cert = pki_text("ca.pem", &len);
	char *key = pki_text("ca.key", &len);
	char *both = pki_text("server.both.pem", &len);
	char *text = malloc(100000);
	struct engine_trust *trust = engine_trust_new();
	assert_int_equal(engine_trust_add_pem(trust, NULL, 0, false, &n, why), ENGINE_OK);
	assert_int_equal(n, 0);
	(void)snprintf(text, 100000, "# a comment -----BEGIN CERTIFICATE-----\n\n%s\r\nwords\n%s%s%s", cert,
		       key, both, cert);
	assert_int_equal(engine_trust_add_pem(trust, (uint8_t *)text, strlen(text), false, &n, why),
			 ENGINE_OK);
	assert_int_equal(n, 3); /* the second of the same counts as taken */
	/* a damaged block in the middle */
	char *middle = strchr(cert + 40, '\n');
	*middle = '!';
	(void)snprintf(text, 100000, "%s%s", both, cert);
	assert_int_equal(engine_trust_add_pem(trust, (uint8_t *)text, strlen(text), false, &n, why),
			 ENGINE_ERR_CONFIG);
	assert_non_null(strstr(why, "certificate number 2 cannot be used"));
	assert_int_equal(engine_trust_add_pem(trust, (uint8_t *)text, strlen(text), true, &n, why),
			 ENGINE_OK);
	assert_int_equal(n, 1);
	/* one without an end does not swallow the next */
	(void)snprintf(text, 100000, "-----BEGIN CERTIFICATE-----\nMIIB\n%s", both);
	assert_int_equal(engine_trust_add_pem(trust, (uint8_t *)text, strlen(text), true, &n, why),
			 ENGINE_OK);
	assert_int_equal(n, 1);
	assert_int_equal(engine_trust_add_pem(trust, (uint8_t *)text, strlen(text), false, &n, why),
			 ENGINE_ERR_CONFIG);
	engine_trust_unref(trust);
	free(cert);
	free(key);
	free(both);
	free(text);
	assert_int_equal(n_live, 0);
}

static void the_systems_bundle_loads_whole(void **state)
{
	(void)state;
	FILE *file = fopen("/etc/ssl/certs/ca-certificates.crt", "rb");
	char why[ENGINE_REASON_MAX];
	size_t n, n_blocks = 0;
	if (file == NULL) {
		skip();
	}
	uint8_t *text = calloc(1, 1 << 22);
	size_t len = fread(text, 1, (1 << 22) - 1, file);
	(void)fclose(file);
	for (char *p = (char *)text; (p = strstr(p, "-----BEGIN CERT")) != NULL; p++) {
		n_blocks++;
	}
	struct engine_trust *trust = engine_trust_new();
	assert_int_equal(engine_trust_add_pem(trust, text, len, false, &n, why), ENGINE_OK);
	assert_int_equal(n, n_blocks);
	engine_trust_unref(trust);
	free(text);
	assert_int_equal(n_live, 0);
}

/* Memory may run out at every allocation: the call fails, and everything is given back. */
static void running_out_of_memory_leaks_nothing(void **state)
{
	(void)state;
	char why[ENGINE_REASON_MAX];
	static const char *const names[] = {"server", "server-rsa2048", "server-ed25519"};
	for (size_t k = 0; k < 3; k++) {
		char cert[60], key[60];
		bool done = false;
		(void)snprintf(cert, sizeof(cert), "%s.pem", names[k]);
		(void)snprintf(key, sizeof(key), "%s.key", names[k]);
		for (long limit = 0; !done; limit++) {
			assert_true(limit < 200);
			allocs_left = limit;
			struct engine_config *config = engine_config_new(ENGINE_SERVER);
			if (config != NULL) {
				done = pki_add_credential(config, cert, key, why);
				assert_true(done || why[0] != '\0');
			}
			allocs_left = -1;
			engine_config_unref(config);
			assert_int_equal(n_live, 0);
		}
	}
	struct pki_chain chain = {.n = 0};
	pki_chain_add(&chain, "chain-under-inter2.pem");
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	struct engine_trust *trust = pki_trust("ca.pem");
	engine_config_set_trust(config, trust);
	engine_trust_unref(trust);
	struct verify_request request = {
		.config = config,
		.peer_role = ENGINE_SERVER,
		.certs = (const uint8_t *const *)chain.der,
		.cert_lens = chain.len,
		.n_certs = chain.n,
		.name = "localhost",
		.now = pki_now(),
	};
	long before = n_live;
	enum engine_err err = ENGINE_ERR_INTERNAL;
	for (long limit = 0; err != ENGINE_OK; limit++) {
		struct verify_result result;
		assert_true(limit < 200);
		allocs_left = limit;
		err = verify_chain(&request, &result);
		allocs_left = -1;
		public_key_free(result.key);
		assert_int_equal(n_live, before);
	}
	pki_chain_free(&chain);
	engine_config_unref(config);
	assert_int_equal(n_live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_safe),
		cmocka_unit_test(versions_must_be_possible),
		cmocka_unit_test(each_profile_has_its_oldest_version),
		cmocka_unit_test(names_are_found_in_any_case_and_as_openssl_spells_them),
		cmocka_unit_test(algorithms_are_narrowed_by_name),
		cmocka_unit_test(names_that_cannot_be_used_are_refused_with_a_reason),
		cmocka_unit_test(sessions_tickets_and_padding_have_bounds),
		cmocka_unit_test(a_digest_is_sha256),
		cmocka_unit_test(a_configuration_is_judged_as_a_whole),
		cmocka_unit_test(a_configuration_lists_its_suites),
		cmocka_unit_test(alpn_has_bounds),
		cmocka_unit_test(allowed_peers_have_bounds),
		cmocka_unit_test(trust_is_counted_and_replaced),
		cmocka_unit_test(every_form_of_key_is_read),
		cmocka_unit_test(credentials_that_cannot_work_are_refused_with_a_reason),
		cmocka_unit_test(damaged_texts_are_refused),
		cmocka_unit_test(there_is_room_for_eight_credentials_and_ten_certificates),
		cmocka_unit_test(credentials_describe_themselves),
		cmocka_unit_test(trust_files_hold_anything_around_their_blocks),
		cmocka_unit_test(the_systems_bundle_loads_whole),
		cmocka_unit_test(running_out_of_memory_leaks_nothing),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
