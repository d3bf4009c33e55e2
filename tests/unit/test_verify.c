/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains made by OpenSSL, good and bad, before verify_chain().
 */
#include "tests/pki/pki.h"

#include "engine/alert.h"

struct verdict {
	enum engine_err err;
	uint8_t alert;
	bool has_key;
	char reason[ENGINE_REASON_MAX];
	char subject[128];
};

static struct engine_config *config_of(const char *trust_files, enum engine_role role)
{
	struct engine_config *config =
		engine_config_new(role == ENGINE_SERVER ? ENGINE_CLIENT : ENGINE_SERVER);
	struct engine_trust *trust = pki_trust(trust_files);
	assert_non_null(config);
	engine_config_set_trust(config, trust);
	engine_trust_unref(trust);
	return config;
}

static struct verdict verify_der(const struct engine_config *config, enum engine_role role,
				 const struct pki_chain *chain, const char *name)
{
	struct verify_request request = {
		.config = config,
		.peer_role = role,
		.certs = (const uint8_t *const *)chain->der,
		.cert_lens = chain->len,
		.n_certs = chain->n,
		.name = name,
		.now = pki_now(),
	};
	struct verify_result result;
	struct verdict verdict = {.err = verify_chain(&request, &result)};
	verdict.alert = result.alert;
	verdict.has_key = result.key != NULL;
	memcpy(verdict.reason, result.reason, sizeof(verdict.reason));
	memcpy(verdict.subject, result.subject, sizeof(verdict.subject));
	public_key_free(result.key);
	/* the two ways to say so agree */
	assert_true((verdict.err == ENGINE_OK) == verdict.has_key);
	assert_true((verdict.err == ENGINE_OK) == (verdict.reason[0] == '\0'));
	assert_true((verdict.err == ENGINE_OK) == (verdict.alert == 0));
	return verdict;
}

static struct verdict verify(const char *trust, enum engine_role role, const char *certs, const char *name)
{
	struct engine_config *config = config_of(trust, role);
	struct pki_chain chain = {.n = 0};
	pki_chain_add(&chain, certs);
	struct verdict verdict = verify_der(config, role, &chain, name);
	pki_chain_free(&chain);
	engine_config_unref(config);
	return verdict;
}

struct test_case {
	const char *certs;
	const char *trust;
	const char *name;
	uint8_t alert;      /* 0: to be accepted */
	const char *reason; /* part of it */
};

static void run(enum engine_role role, const struct test_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct verdict v = verify(cases[i].trust, role, cases[i].certs, cases[i].name);
		bool right = v.alert == cases[i].alert &&
			     (cases[i].alert == 0 || strstr(v.reason, cases[i].reason) != NULL) &&
			     v.err == (cases[i].alert == 0 ? ENGINE_OK : ENGINE_ERR_VERIFY);
		if (!right) {
			fail_msg("%s: alert %u, \"%s\"; expected %u, \"%s\"", cases[i].certs, v.alert,
				 v.reason, cases[i].alert, cases[i].alert == 0 ? "" : cases[i].reason);
		}
		if (getenv("SHOW_REASONS") != NULL) {
			print_message("%-20s %3u %s\n", cases[i].certs, v.alert, v.reason);
		}
	}
}

/* clang-format off */
static void accepts_every_supported_key_and_signature(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "server.pem", "ca.pem", "localhost", 0, NULL },
		{ "server-p384.pem", "ca.pem", "localhost", 0, NULL },
		{ "server-ed25519.pem", "ca.pem", "localhost", 0, NULL },
		{ "server-rsa2048.pem", "ca-rsa.pem", "localhost", 0, NULL },
		{ "server-rsa3072.pem", "ca-rsa.pem", "localhost", 0, NULL },
		{ "server-rsa4096.pem", "ca-rsa.pem", "localhost", 0, NULL },
		{ "server-rsa2056.pem", "ca.pem", "localhost", 0, NULL },
		{ "server-by-ed25519.pem", "ca-ed25519.pem", "localhost", 0, NULL },
		{ "server-by-p521.pem", "ca-p521.pem", "localhost", 0, NULL },
		{ "server-by-pss.pem", "ca-rsa.pem", "localhost", 0, NULL },
		{ "server-by-pss384.pem", "ca-rsa.pem", "localhost", 0, NULL },
		{ "server-by-pss-salt.pem", "ca-rsa.pem", "localhost", 0, NULL },
		{ "server-by-pss-long-salt.pem", "ca-rsa.pem", "localhost", 0, NULL },
		{ "server-by-ca-pss.pem", "ca-pss.pem", "localhost", 0, NULL },
		{ "server-by-ca-pss-salt.pem", "ca-pss.pem", "localhost", 0, NULL },
		{ "server-p521.pem", "ca.pem", "localhost", 0, NULL },
		{ "server-pss.pem", "ca.pem", "localhost", 0, NULL },
		{ "server-pss384.pem", "ca.pem", "localhost", 0, NULL },
		{ "server-rsa2049.pem", "ca.pem", "localhost", 0, NULL },
		{ "server-by-sha384.pem", "ca.pem", "localhost", 0, NULL },
		{ "server-by-sha512.pem", "ca-rsa.pem", "localhost", 0, NULL },
		/* how an anchor is signed is of no interest */
		{ "server-by-sha1-root.pem", "ca-sha1.pem", "localhost", 0, NULL },
		{ "server-no-usage.pem", "ca.pem", "localhost", 0, NULL },
		{ "server-any-usage.pem", "ca.pem", "localhost", 0, NULL },
		{ "server-policy.pem", "ca.pem", "localhost", 0, NULL },
		{ "server-long.pem", "ca.pem", "localhost", 0, NULL },
		/* one anchor of several, and the root sent along */
		{ "server.pem", "other-ca.pem ca-rsa.pem ca.pem", "server.example", 0, NULL },
		{ "server.pem ca.pem", "ca.pem", "localhost", 0, NULL },
	};
	run(ENGINE_SERVER, cases, sizeof(cases) / sizeof(cases[0]));
}

static void refuses_bad_servers_and_says_why(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "expired.pem", "ca.pem", "localhost", ALERT_CERTIFICATE_EXPIRED,
		  "certificate of CN=expired expired on 20" },
		{ "future.pem", "ca.pem", "localhost", ALERT_CERTIFICATE_EXPIRED, "CN=future is not valid before 20" },
		{ "wrong-name.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE,
		  "certificate is for a.example, *.b.example; the program asked for localhost" },
		{ "wrong-usage.pem", "ca.pem", "localhost", ALERT_UNSUPPORTED_CERTIFICATE, "lacks serverAuth" },
		{ "client.pem", "ca.pem", "localhost", ALERT_UNSUPPORTED_CERTIFICATE, "lacks serverAuth" },
		{ "no-signature-usage.pem", "ca.pem", "localhost", ALERT_UNSUPPORTED_CERTIFICATE, "digitalSignature" },
		{ "by-sha1.pem", "ca-rsa.pem", "localhost", ALERT_BAD_CERTIFICATE, "SHA-1" },
		{ "server-by-pss-sha1.pem", "ca-rsa.pem", "localhost", ALERT_BAD_CERTIFICATE, "SHA-1" },
		{ "rsa1024.pem", "ca.pem", "localhost", ALERT_UNSUPPORTED_CERTIFICATE, "RSA 1024" },
		{ "k1.pem", "ca.pem", "localhost", ALERT_UNSUPPORTED_CERTIFICATE, "not supported" },
		{ "explicit-curve.pem", "ca.pem", "localhost", ALERT_UNSUPPORTED_CERTIFICATE, "not supported" },
		{ "pss-sha1.pem", "ca.pem", "localhost", ALERT_UNSUPPORTED_CERTIFICATE, "not supported" },
		{ "critical.pem", "ca.pem", "localhost", ALERT_UNSUPPORTED_CERTIFICATE, "critical extension" },
		{ "critical-key-id.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE, "key identifier" },
		{ "signs-certs.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE, "no CA's, but its key usage" },
		{ "constrains.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE,
		  "no CA's, but it has name constraints" },
		{ "by-expired-root.pem", "ca-expired.pem", "localhost", ALERT_CERTIFICATE_EXPIRED,
		  "certificate of CN=ca-expired expired" },
		{ "by-twin.pem", "ca.pem", "localhost", ALERT_UNKNOWN_CA, "another CA has the same name" },
		{ "by-other.pem", "ca.pem", "localhost", ALERT_UNKNOWN_CA,
		  "issuer CN=other-ca of CN=by-other is not in the trust file" },
		{ "by-other.pem other-ca.pem", "ca.pem", "localhost", ALERT_UNKNOWN_CA,
		  "root CA CN=other-ca is self-signed and not in the trust file" },
		{ "by-other.pem", "", "localhost", ALERT_UNKNOWN_CA, "nobody is trusted" },
		{ "no-san.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE, "a CN does not count" },
		{ "pinned.pem", "ca.pem", "localhost", ALERT_UNKNOWN_CA, "certificate of CN=localhost is self-signed" },
	};
	run(ENGINE_SERVER, cases, sizeof(cases) / sizeof(cases[0]));
}

static void refuses_certificates_of_version_1(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "version-1.pem", "ca.pem", "localhost", ALERT_UNSUPPORTED_CERTIFICATE, "version 1" },
	};
	struct pki_chain chain = { .n = 0 };
	pki_chain_add(&chain, "version-1.pem");
	bool is_version_3 = memmem(chain.der[0], 16, "\xa0\x03\x02\x01\x02", 5) != NULL;
	pki_chain_free(&chain);
	if (is_version_3) {
		skip(); /* this OpenSSL makes no others */
	}
	run(ENGINE_SERVER, cases, 1);
}

static void judges_every_intermediate(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "chain-under-inter.pem", "ca.pem", "localhost", 0, NULL },
		{ "chain-under-inter-rsa.pem", "ca-rsa.pem", "localhost", 0, NULL },
		{ "chain-under-inter2.pem", "ca.pem", "localhost", 0, NULL },
		{ "under-short.pem short.pem", "ca.pem", "localhost", 0, NULL },
		{ "under-inter.pem", "ca.pem", "localhost", ALERT_UNKNOWN_CA,
		  "issuer CN=inter of CN=under-inter is not in the trust file; if it is an intermediate, the chain "
		  "that the server sent is incomplete" },
		{ "under-inter2.pem inter2.pem", "ca.pem", "localhost", ALERT_UNKNOWN_CA,
		  "issuer CN=inter of CN=inter2" },
		{ "under-not-ca.pem not-ca.pem", "ca.pem", "localhost", ALERT_UNKNOWN_CA, "do not say CA" },
		{ "under-no-constraints.pem no-constraints.pem", "ca.pem", "localhost", ALERT_UNKNOWN_CA,
		  "do not say CA" },
		{ "under-no-cert-sign.pem no-cert-sign.pem", "ca.pem", "localhost", ALERT_UNKNOWN_CA, "keyCertSign" },
		{ "under-too-deep.pem too-deep.pem short.pem", "ca.pem", "localhost", ALERT_UNKNOWN_CA, "path length" },
		{ "under-inter-expired.pem inter-expired.pem", "ca.pem", "localhost", ALERT_CERTIFICATE_EXPIRED,
		  "CN=inter-expired expired" },
		{ "under-inter-clients.pem inter-clients.pem", "ca.pem", "localhost", ALERT_UNSUPPORTED_CERTIFICATE,
		  "CN=inter-clients is not for TLS servers" },
		{ "under-inter-sha1.pem inter-sha1.pem", "ca-rsa.pem", "localhost", ALERT_BAD_CERTIFICATE, "SHA-1" },
		{ "under-inter-critical.pem inter-critical.pem", "ca.pem", "localhost", ALERT_UNSUPPORTED_CERTIFICATE,
		  "CN=inter-critical has a critical extension" },
		{ "under-nameless.pem nameless.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE, "without a name" },
		/* a server's certificate must not issue others, trusted or not */
		{ "under-pinned.pem", "pinned.pem", "localhost", ALERT_UNKNOWN_CA, "do not say CA" },
	};
	run(ENGINE_SERVER, cases, sizeof(cases) / sizeof(cases[0]));
}

static void finds_paths_in_any_order(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		/* order, surplus, duplicates */
		{ "under-inter2.pem inter.pem inter2.pem", "ca.pem", "localhost", 0, NULL },
		{ "under-inter2.pem ca-rsa.pem inter.pem inter.pem other-ca.pem inter2.pem ca.pem", "ca.pem",
		  "localhost", 0, NULL },
		/* an intermediate as anchor ends the path, and what is sent above it is not needed */
		{ "under-inter.pem", "inter.pem", "localhost", 0, NULL },
		{ "under-inter2.pem inter2.pem ca.pem", "inter.pem", "localhost", 0, NULL },
		/* it is an anchor for itself, not for its issuer */
		{ "server.pem", "inter.pem", "localhost", ALERT_UNKNOWN_CA, "CN=ca" },
		/* another CA of the same name beside the right one */
		{ "by-twin.pem", "ca.pem ca-twin.pem", "localhost", 0, NULL },
		{ "server.pem ca-twin.pem", "ca-twin.pem ca.pem", "localhost", 0, NULL },
		/* pinned: the certificate itself is trusted */
		{ "pinned.pem", "pinned.pem", "localhost", 0, NULL },
		{ "pinned-ca.pem", "pinned-ca.pem", "localhost", 0, NULL },
		{ "server.pem", "server.pem", "localhost", 0, NULL },
		{ "pinned.pem", "pinned.pem", "other.example", ALERT_BAD_CERTIFICATE, "asked for other.example" },
		{ "expired.pem", "expired.pem", "localhost", ALERT_CERTIFICATE_EXPIRED, "expired on" },
		{ "pinned-ca.pem", "pinned.pem", "localhost", ALERT_UNKNOWN_CA, "" },
		/* cross-signed: either root will do, with either certificate or both */
		{ "under-bridge.pem bridge.pem", "root-a.pem", "localhost", 0, NULL },
		{ "under-bridge.pem bridge-b.pem bridge.pem", "root-a.pem", "localhost", 0, NULL },
		{ "under-bridge.pem bridge.pem bridge-b.pem", "root-b.pem", "localhost", 0, NULL },
		{ "under-bridge.pem bridge.pem a-by-b.pem", "root-b.pem", "localhost", 0, NULL },
		/* a and b certify each other: no anchor, no end, unless somebody counts */
		{ "under-bridge.pem bridge.pem bridge-b.pem a-by-b.pem b-by-a.pem", "ca.pem", "localhost",
		  ALERT_UNKNOWN_CA, "" },
		{ "under-bridge.pem bridge.pem a-by-b.pem b-by-a.pem", "root-b.pem", "localhost", 0, NULL },
	};
	run(ENGINE_SERVER, cases, sizeof(cases) / sizeof(cases[0]));
}

static void obeys_name_constraints(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "nc-good.pem nc.pem", "ca.pem", "a.example.com", 0, NULL },
		{ "nc-good.pem", "nc.pem", "10.1.2.3", 0, NULL }, /* those of an anchor bind too */
		{ "nc-case.pem nc.pem", "ca.pem", "a.example.com", 0, NULL },
		{ "nc-other.pem nc.pem", "ca.pem", "a.example.com", ALERT_BAD_CERTIFICATE, "example.org is outside" },
		{ "nc-other.pem", "nc.pem", "a.example.com", ALERT_BAD_CERTIFICATE, "example.org is outside" },
		{ "nc-suffix.pem nc.pem", "ca.pem", "notexample.com", ALERT_BAD_CERTIFICATE,
		  "notexample.com is outside" },
		{ "nc-excluded.pem nc.pem", "ca.pem", "x.secret.example.com", ALERT_BAD_CERTIFICATE, "outside" },
		/* it would stand for the excluded secret.example.com */
		{ "nc-wildcard.pem nc.pem", "ca.pem", "b.example.com", ALERT_BAD_CERTIFICATE, "outside" },
		{ "nc-wildcard-good.pem nc.pem", "ca.pem", "b.sub.example.com", 0, NULL },
		{ "nc-ip.pem nc.pem", "ca.pem", "11.1.2.3", ALERT_BAD_CERTIFICATE, "11.1.2.3 is outside" },
		{ "nc-ip6.pem nc.pem", "ca.pem", "2001:db8::1", ALERT_BAD_CERTIFICATE, "outside" },
		{ "nc-uri.pem nc.pem", "ca.pem", "a.example.com", 0, NULL },
		{ "nc-below-sub.pem nc-sub.pem nc.pem", "ca.pem", "example.org", ALERT_BAD_CERTIFICATE, "outside" },
		{ "kinds-uri.pem nc-kinds.pem", "ca.pem", "x", ALERT_BAD_CERTIFICATE, "outside" },
		{ "kinds-uri-user.pem nc-kinds.pem", "ca.pem", "x", ALERT_BAD_CERTIFICATE, "outside" },
		{ "kinds-uri-opaque.pem nc-kinds.pem", "ca.pem", "x", ALERT_BAD_CERTIFICATE, "outside" },
		{ "no-uri-good.pem nc-no-uri.pem", "ca.pem", NULL, 0, NULL },
		{ "no-uri-bad.pem nc-no-uri.pem", "ca.pem", NULL, ALERT_BAD_CERTIFICATE, "outside" },
		{ "no-uri-address.pem nc-no-uri.pem", "ca.pem", NULL, ALERT_BAD_CERTIFICATE, "outside" },
		{ "kinds-email.pem nc-kinds.pem", "ca.pem", "x", ALERT_BAD_CERTIFICATE, "outside" },
		{ "kinds-email-dn.pem nc-kinds.pem", "ca.pem", "x", ALERT_BAD_CERTIFICATE, "outside" },
		{ "kinds-dir.pem nc-kinds.pem", "ca.pem", "a.example", ALERT_BAD_CERTIFICATE,
		  "the subject CN=x is outside" },
		{ "kinds-good.pem nc-kinds.pem", "ca.pem", NULL, 0, NULL },
		{ "under-excluded-dir.pem nc-excluded-dir.pem", "ca.pem", "localhost", 0, NULL },
		{ "in-excluded-dir.pem nc-excluded-dir.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE,
		  "the subject CN=x is outside" },
		{ "unlike-excluded-utf8.pem nc-excluded-utf8.pem", "ca.pem", "localhost", 0, NULL },
		/* it might be the same to somebody who knows the case of such letters */
		{ "like-excluded-utf8.pem nc-excluded-utf8.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE,
		  "outside" },
		{ "other-kind-good.pem nc-other-kind.pem", "ca.pem", "localhost", 0, NULL },
		{ "other-kind-bad.pem nc-other-kind.pem", "ca.pem", "localhost", ALERT_BAD_CERTIFICATE, "outside" },
	};
	run(ENGINE_SERVER, cases, sizeof(cases) / sizeof(cases[0]));
}

static void hostile_numbers_of_names_are_not_compared_to_the_end(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "many-names.pem", "ca.pem", "localhost", 0, NULL },
		{ "many-names.pem", "ca.pem", "name1000.example", 0, NULL },
		{ "many-names.pem", "ca.pem", "name1001.example", ALERT_BAD_CERTIFICATE,
		  "name6.example, ...; the program" },
		{ "under-nc-many.pem nc-many.pem", "ca.pem", "localhost", 0, NULL },
		{ "many-under-nc-many.pem nc-many.pem", "ca.pem", "name1.example", ALERT_BAD_CERTIFICATE, "outside" },
	};
	run(ENGINE_SERVER, cases, sizeof(cases) / sizeof(cases[0]));
}

static void judges_clients(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "client.pem", "ca.pem", NULL, 0, NULL },
		{ "client-plain.pem", "ca.pem", NULL, 0, NULL },
		{ "under-inter-clients.pem inter-clients.pem", "ca.pem", NULL, ALERT_UNSUPPORTED_CERTIFICATE,
		  "certificate of CN=under-inter-clients is not for TLS clients: its extended key usage lacks clientAuth" },
		{ "server.pem", "ca.pem", NULL, ALERT_UNSUPPORTED_CERTIFICATE, "clientAuth" },
		{ "client-expired.pem", "ca.pem", NULL, ALERT_CERTIFICATE_EXPIRED, "expired on" },
		{ "client-other.pem", "ca.pem", NULL, ALERT_UNKNOWN_CA,
		  "the chain that the client sent is incomplete" },
	};
	run(ENGINE_CLIENT, cases, sizeof(cases) / sizeof(cases[0]));
}
/* clang-format on */

static void the_sentences_carry_dates(void **state)
{
	(void)state;
	pki_now_offset = 400 * 86400;
	struct verdict v = verify("ca.pem", ENGINE_SERVER, "server.pem", "localhost");
	pki_now_offset = 0;
	time_t now = time(NULL) + 400 * 86400;
	char expected[100], date[20];
	struct tm tm;
	(void)strftime(date, sizeof(date), "%Y-%m-%d", gmtime_r(&now, &tm));
	(void)snprintf(expected, sizeof(expected), "(it is %s now)", date);
	assert_int_equal(v.alert, ALERT_CERTIFICATE_EXPIRED);
	assert_non_null(strstr(v.reason, expected));
	assert_non_null(strstr(v.reason, "certificate of CN=server expired on 20"));
}

static struct verdict verify_with(enum engine_verify verify_mode, const char *const *peers, size_t n_peers,
				  enum engine_role role, const char *trust, const char *certs,
				  const char *name)
{
	struct engine_config *config = config_of(trust, role);
	struct pki_chain chain = {.n = 0};
	pki_chain_add(&chain, certs);
	engine_config_set_verify(config, verify_mode);
	assert_true(engine_config_set_allowed_peers(config, peers, n_peers));
	struct verdict verdict = verify_der(config, role, &chain, name);
	pki_chain_free(&chain);
	engine_config_unref(config);
	return verdict;
}

static void verify_chain_mode_skips_the_name_alone(void **state)
{
	(void)state;
	struct verdict v;
	v = verify_with(ENGINE_VERIFY_CHAIN, NULL, 0, ENGINE_SERVER, "ca.pem", "wrong-name.pem", "localhost");
	assert_int_equal(v.err, ENGINE_OK);
	v = verify_with(ENGINE_VERIFY_CHAIN, NULL, 0, ENGINE_SERVER, "ca.pem", "expired.pem", "localhost");
	assert_int_equal(v.alert, ALERT_CERTIFICATE_EXPIRED);
	v = verify_with(ENGINE_VERIFY_CHAIN, NULL, 0, ENGINE_SERVER, "ca.pem", "by-other.pem", "localhost");
	assert_int_equal(v.alert, ALERT_UNKNOWN_CA);
}

static void verify_none_still_yields_the_key(void **state)
{
	(void)state;
	struct verdict v;
	v = verify_with(ENGINE_VERIFY_NONE, NULL, 0, ENGINE_SERVER, "", "expired.pem", "localhost");
	assert_int_equal(v.err, ENGINE_OK);
	assert_string_equal(v.subject, "CN=expired");
	v = verify_with(ENGINE_VERIFY_NONE, NULL, 0, ENGINE_SERVER, "", "by-sha1.pem", NULL);
	assert_int_equal(v.err, ENGINE_OK);
	v = verify_with(ENGINE_VERIFY_NONE, NULL, 0, ENGINE_SERVER, "", "k1.pem", NULL);
	assert_int_equal(v.alert, ALERT_UNSUPPORTED_CERTIFICATE);
}

static void keys_may_do_what_their_usage_says(void **state)
{
	(void)state;
	/* clang-format off */
	static const struct {
		const char *certs;
		bool may_sign, may_encipher;
	} cases[] = {
		{ "rsa-both.pem", true, true },
		{ "rsa-no-usage.pem", true, true },
		{ "rsa-encipher.pem", false, true },
		{ "server-rsa2048.pem", true, false },
	};
	/* clang-format on */
	struct engine_config *config = config_of("ca-rsa.pem", ENGINE_SERVER);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pki_chain chain = {.n = 0};
		pki_chain_add(&chain, cases[i].certs);
		for (int encipher = 0; encipher < 2; encipher++) {
			struct verify_request request = {
				.config = config,
				.peer_role = ENGINE_SERVER,
				.certs = (const uint8_t *const *)chain.der,
				.cert_lens = chain.len,
				.n_certs = chain.n,
				.name = "localhost",
				.now = pki_now(),
				.for_encipherment = encipher != 0,
			};
			struct verify_result result;
			bool good = verify_chain(&request, &result) == ENGINE_OK;
			assert_int_equal(good, encipher ? cases[i].may_encipher : cases[i].may_sign);
			assert_int_equal(result.may_sign, cases[i].may_sign);
			assert_int_equal(result.may_encipher, cases[i].may_encipher);
			public_key_free(result.key);
		}
		pki_chain_free(&chain);
	}
	engine_config_unref(config);
}

static void only_allowed_peers_pass(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool fits;
	} cases[] = {
		{"spiffe://example.org/reporting", true},
		{"spiffe://example.org/", false},
		{"spiffe://example.org/reporting/", false},
		{"spiffe://example.org/Reporting", false},
		{"*.batch.example.org", true},
		{"*.BATCH.example.org", true},
		{"job1.batch.example.org", true},
		{"job2.batch.example.org", false},
		{"*.example.org", false},
		{"batch.example.org", false},
		{"*.job1.batch.example.org", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *peers[] = {"nobody.example", cases[i].name};
		struct verdict v = verify_with(ENGINE_VERIFY_FULL, peers, 2, ENGINE_CLIENT, "ca.pem",
					       "client.pem", NULL);
		if ((v.err == ENGINE_OK) != cases[i].fits) {
			fail_msg("%s: %s", cases[i].name, v.reason);
		}
		if (!cases[i].fits) {
			assert_int_equal(v.alert, ALERT_BAD_CERTIFICATE);
			assert_non_null(
				strstr(v.reason, "spiffe://example.org/reporting, job1.batch.example.org"));
		}
	}
	const char *peers[] = {"spiffe://example.org/reporting"};
	struct verdict v =
		verify_with(ENGINE_VERIFY_CHAIN, peers, 1, ENGINE_CLIENT, "ca.pem", "client-plain.pem", NULL);
	assert_int_equal(v.alert, ALERT_BAD_CERTIFICATE);
}

/* Whatever bit of a certificate is flipped, it is refused: everything in it is signed or checked. */
static void no_bit_of_a_certificate_can_change(void **state)
{
	(void)state;
	struct engine_config *config = config_of("ca.pem", ENGINE_SERVER);
	struct pki_chain chain = {.n = 0};
	pki_chain_add(&chain, "server.pem");
	for (size_t i = 0; i < chain.len[0]; i++) {
		chain.der[0][i] ^= (uint8_t)(1U << (i % 8));
		assert_int_equal(verify_der(config, ENGINE_SERVER, &chain, "localhost").err,
				 ENGINE_ERR_VERIFY);
		chain.der[0][i] ^= (uint8_t)(1U << (i % 8));
	}
	/* RFC 8446 6.2: with the CA that its key identifier names, it is the signature that is wrong */
	chain.der[0][chain.len[0] - 1] ^= 1;
	struct verdict damaged = verify_der(config, ENGINE_SERVER, &chain, "localhost");
	assert_int_equal(damaged.alert, ALERT_BAD_CERTIFICATE);
	assert_non_null(strstr(damaged.reason, "signature on the certificate"));
	chain.der[0][chain.len[0] - 1] ^= 1;
	size_t whole = chain.len[0];
	for (chain.len[0] = 0; chain.len[0] < whole; chain.len[0]++) {
		assert_int_equal(verify_der(config, ENGINE_SERVER, &chain, "localhost").alert,
				 ALERT_BAD_CERTIFICATE);
	}
	assert_int_equal(verify_der(config, ENGINE_SERVER, &chain, "localhost").err, ENGINE_OK);
	chain.n = 0;
	assert_int_equal(verify_der(config, ENGINE_SERVER, &chain, "localhost").alert, ALERT_BAD_CERTIFICATE);
	chain.n = 1;
	pki_chain_free(&chain);
	engine_config_unref(config);
}

static void damaged_surplus_is_passed_over(void **state)
{
	(void)state;
	struct engine_config *config = config_of("ca.pem", ENGINE_SERVER);
	struct pki_chain chain = {.n = 0};
	pki_chain_add(&chain, "server.pem other-ca.pem");
	chain.len[1] -= 3;
	assert_int_equal(verify_der(config, ENGINE_SERVER, &chain, "localhost").err, ENGINE_OK);
	pki_chain_free(&chain);
	engine_config_unref(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_every_supported_key_and_signature),
		cmocka_unit_test(refuses_bad_servers_and_says_why),
		cmocka_unit_test(refuses_certificates_of_version_1),
		cmocka_unit_test(judges_every_intermediate),
		cmocka_unit_test(finds_paths_in_any_order),
		cmocka_unit_test(obeys_name_constraints),
		cmocka_unit_test(hostile_numbers_of_names_are_not_compared_to_the_end),
		cmocka_unit_test(judges_clients),
		cmocka_unit_test(the_sentences_carry_dates),
		cmocka_unit_test(verify_chain_mode_skips_the_name_alone),
		cmocka_unit_test(verify_none_still_yields_the_key),
		cmocka_unit_test(keys_may_do_what_their_usage_says),
		cmocka_unit_test(only_allowed_peers_pass),
		cmocka_unit_test(no_bit_of_a_certificate_can_change),
		cmocka_unit_test(damaged_surplus_is_passed_over),
	};
	return cmocka_run_group_tests(tests, pki_setup, NULL);
}
