/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRLs made by OpenSSL, good and bad: what is read, and what becomes of chains that they are about.
 */
#include "tests/pki/pki.h"

#include "engine/alert.h"
#include "engine/x509_crl.h"

/* Add these files, separated by blanks, as they are. */
static enum engine_err add_crls(struct engine_config *config, const char *names,
				char why[static ENGINE_REASON_MAX])
{
	char list[200];
	char *rest = NULL;
	enum engine_err err = ENGINE_OK;
	(void)snprintf(list, sizeof(list), "%s", names);
	for (char *name = strtok_r(list, " ", &rest); name != NULL && err == ENGINE_OK;
	     name = strtok_r(NULL, " ", &rest)) {
		size_t len;
		char *text = pki_text(name, &len);
		err = engine_config_add_crl(config, (const uint8_t *)text, len, why);
		free(text);
	}
	return err;
}

struct test_case {
	const char *crls, *certs, *trust;
	uint8_t alert;
	const char *reason;
};

static uint8_t verify(struct engine_config *config, const struct pki_chain *chain,
		      char reason[static ENGINE_REASON_MAX])
{
	struct verify_request request = {
		.config = config,
		.peer_role = ENGINE_SERVER,
		.certs = (const uint8_t *const *)chain->der,
		.cert_lens = chain->len,
		.n_certs = chain->n,
		.now = pki_now(),
	};
	struct verify_result result;
	enum engine_err err = verify_chain(&request, &result);
	assert_true((err == ENGINE_OK) == (result.alert == 0));
	public_key_free(result.key);
	memcpy(reason, result.reason, ENGINE_REASON_MAX);
	return result.alert;
}

static void run(const struct test_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char why[ENGINE_REASON_MAX] = "";
		struct engine_config *config = engine_config_new(ENGINE_CLIENT);
		struct engine_trust *trust = pki_trust(cases[i].trust);
		struct pki_chain chain = {.n = 0};
		engine_config_set_trust(config, trust);
		if (add_crls(config, cases[i].crls, why) != ENGINE_OK) {
			fail_msg("%s: %s", cases[i].crls, why);
		}
		pki_chain_add(&chain, cases[i].certs);
		/* twice: the second time the signatures are known */
		for (int k = 0; k < 2; k++) {
			uint8_t alert = verify(config, &chain, why);
			if (alert != cases[i].alert || (alert != 0 && strstr(why, cases[i].reason) == NULL)) {
				fail_msg("%s, %s: alert %u, \"%s\"", cases[i].crls, cases[i].certs, alert,
					 why);
			}
		}
		if (getenv("SHOW_REASONS") != NULL) {
			print_message("%-20s %3u %s\n", cases[i].crls, cases[i].alert, why);
		}
		pki_chain_free(&chain);
		engine_trust_unref(trust);
		engine_config_unref(config);
	}
}

/* clang-format off */
static void revoked_certificates_are_refused(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "none.crl", "server.pem", "ca.pem", 0, NULL },
		{ "none-v1.crl", "server.pem", "ca.pem", 0, NULL },
		{ "none.der", "server.pem", "ca.pem", 0, NULL },
		{ "others.crl", "server.pem", "ca.pem", 0, NULL },
		{ "revoked.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_REVOKED,
		  "certificate of CN=server was revoked on 2024-01-02" },
		{ "revoked-v1.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_REVOKED, "revoked" },
		{ "revoked-reason.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_REVOKED, "revoked" },
		{ "revoked-hold.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_REVOKED, "revoked" },
		{ "revoked.crl", "server-ed25519.pem", "ca.pem", 0, NULL },
		{ "revoked-many.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_REVOKED, "revoked" },
		{ "revoked-many.crl", "server-ed25519.pem", "ca.pem", 0, NULL },
		/* what one list says is not undone by another */
		{ "none.crl revoked.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_REVOKED, "revoked" },
		{ "revoked.crl none.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_REVOKED, "revoked" },
		{ "expired-list-revoked.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_REVOKED, "revoked" },
		/* every kind of signature */
		{ "none-rsa.crl", "server-rsa2048.pem", "ca-rsa.pem", 0, NULL },
		{ "none-ed25519.crl", "server-by-ed25519.pem", "ca-ed25519.pem", 0, NULL },
		{ "none-pss.crl", "server-by-ca-pss.pem", "ca-pss.pem", 0, NULL },
	};
	run(cases, sizeof(cases) / sizeof(cases[0]));
}

static void every_issuer_of_the_path_needs_a_list(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "none.crl none-inter.crl", "chain-under-inter.pem", "ca.pem", 0, NULL },
		{ "several.crl", "chain-under-inter.pem", "ca.pem", 0, NULL },
		{ "none.crl none-inter.crl none-inter2.crl", "chain-under-inter2.pem", "ca.pem", 0, NULL },
		{ "none.crl", "chain-under-inter.pem", "ca.pem", ALERT_CERTIFICATE_UNKNOWN,
		  "there is no CRL of CN=inter that tells whether the certificate of CN=under-inter is revoked" },
		{ "none-inter.crl", "chain-under-inter.pem", "ca.pem", ALERT_CERTIFICATE_UNKNOWN,
		  "there is no CRL of CN=ca " },
		{ "revoked-inter.crl none-inter.crl", "chain-under-inter.pem", "ca.pem", ALERT_CERTIFICATE_REVOKED,
		  "certificate of CN=inter was revoked" },
		{ "none-rsa.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_UNKNOWN, "there is no CRL" },
		/* an anchor is trusted whatever lists say */
		{ "none-inter.crl", "under-inter.pem", "inter.pem", 0, NULL },
		{ "revoked.crl", "server.pem", "server.pem", 0, NULL },
		/* where one way is closed another may be open */
		{ "none-bridge.crl revoked-bridge-a.crl none-root-b.crl", "under-bridge.pem bridge.pem bridge-b.pem",
		  "root-a.pem root-b.pem", 0, NULL },
		{ "none-bridge.crl revoked-bridge-a.crl none-root-b.crl", "under-bridge.pem bridge.pem", "root-a.pem root-b.pem",
		  ALERT_CERTIFICATE_REVOKED, "CN=bridge was revoked" },
	};
	run(cases, sizeof(cases) / sizeof(cases[0]));
}

static void lists_that_prove_nothing_fail_closed(void **state)
{
	(void)state;
	static const struct test_case cases[] = {
		{ "expired-list.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_UNKNOWN,
		  "the CRL of CN=ca has expired on 20" },
		{ "future-list.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_UNKNOWN,
		  "the CRL of CN=ca is not valid before 20" },
		{ "expired-list.crl none.crl", "server.pem", "ca.pem", 0, NULL },
		{ "none.crl expired-list.crl", "server.pem", "ca.pem", 0, NULL },
		{ "twin-list.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_UNKNOWN, "there is no CRL" },
		{ "twin-list-v1.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_UNKNOWN, "is not signed by its key" },
		{ "twin-list-v1.crl none.crl", "server.pem", "ca.pem", 0, NULL },
		{ "none-v1.crl twin-list-v1.crl", "by-twin.pem", "ca.pem ca-twin.pem", 0, NULL },
		{ "no-crl-sign.crl none.crl", "under-no-crl-sign.pem no-crl-sign.pem", "ca.pem", ALERT_CERTIFICATE_UNKNOWN,
		  "CN=no-crl-sign may not sign CRLs" },
		/* lists for a part of the certificates */
		{ "users.crl", "server.pem", "ca.pem", 0, NULL },
		{ "cas.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_UNKNOWN, "there is no CRL" },
		{ "cas.crl none-inter.crl", "chain-under-inter.pem", "ca.pem", 0, NULL },
		{ "users.crl none-inter.crl", "chain-under-inter.pem", "ca.pem", ALERT_CERTIFICATE_UNKNOWN,
		  "there is no CRL of CN=ca" },
		{ "part1.crl", "server.pem", "ca.pem", ALERT_CERTIFICATE_UNKNOWN, "there is no CRL" },
		{ "part1.crl", "server-part1.pem", "ca.pem", 0, NULL },
		{ "part2.crl", "server-part1.pem", "ca.pem", ALERT_CERTIFICATE_UNKNOWN, "there is no CRL" },
		{ "part1-revoked.crl", "server-part1.pem", "ca.pem", ALERT_CERTIFICATE_REVOKED, "revoked" },
		{ "part2-revoked.crl part1.crl", "server-part1.pem", "ca.pem", 0, NULL },
		{ "none.crl", "server-part1.pem", "ca.pem", 0, NULL },
	};
	run(cases, sizeof(cases) / sizeof(cases[0]));
}
/* clang-format on */

static void lists_that_cannot_be_used_are_refused_with_a_reason(void **state)
{
	(void)state;
	static const struct {
		const char *name, *reason;
	} cases[] = {
		{"delta.crl", "CRL number 1 cannot be used: it is a delta CRL"},
		{"indirect.crl", "indirect"},
		{"attributes.crl", "attribute certificates only"},
		{"some-reasons.crl", "some reasons of revocation only"},
		{"relative.crl", "named relative to its issuer"},
		{"critical-list.crl", "critical extension"},
		{"sha1-list.crl", "SHA-1"},
		{"server.pem", "there is no CRL"},
		{"server.key", "there is no CRL"},
	};
	struct engine_config *config = engine_config_new(ENGINE_CLIENT);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[ENGINE_REASON_MAX] = "";
		if (add_crls(config, cases[i].name, why) != ENGINE_ERR_CONFIG ||
		    strstr(why, cases[i].reason) == NULL) {
			fail_msg("%s: %s", cases[i].name, why);
		}
		assert_null(config->crls);
	}
	char why[ENGINE_REASON_MAX];
	assert_int_equal(engine_config_add_crl(config, (const uint8_t *)"", 0, why), ENGINE_ERR_CONFIG);
	/* all of a file or nothing */
	size_t len, more;
	char *text = pki_text("none.crl", &len);
	char *bad = pki_text("delta.crl", &more);
	memcpy(text + len, bad, more);
	assert_int_equal(engine_config_add_crl(config, (const uint8_t *)text, len + more, why),
			 ENGINE_ERR_CONFIG);
	assert_non_null(strstr(why, "CRL number 2"));
	assert_null(config->crls);
	free(text);
	free(bad);
	engine_config_unref(config);
}

/* Whatever bit is flipped: the list is refused, or it says nothing for anyone. */
static void no_bit_of_a_list_can_change(void **state)
{
	(void)state;
	struct engine_trust *trust = pki_trust("ca.pem");
	struct pki_chain chain = {.n = 0};
	size_t len;
	char *der = pki_text("none.der", &len);
	char why[ENGINE_REASON_MAX];
	pki_chain_add(&chain, "server.pem");
	for (size_t i = 0; i <= len; i++) {
		struct engine_config *config = engine_config_new(ENGINE_CLIENT);
		engine_config_set_trust(config, trust);
		if (i < len) {
			der[i] = (char)(der[i] ^ (1 << (i % 8)));
		}
		bool added = engine_config_add_crl(config, (const uint8_t *)der, len, why) == ENGINE_OK;
		if (added) {
			assert_int_equal(verify(config, &chain, why),
					 i < len ? ALERT_CERTIFICATE_UNKNOWN : 0);
		}
		assert_true(added || i < len);
		if (i < len) {
			der[i] = (char)(der[i] ^ (1 << (i % 8)));
		}
		engine_config_unref(config);
	}
	for (size_t cut = 0; cut < len; cut++) {
		struct crl *list = NULL;
		const char *what;
		assert_int_equal(crl_add(&list, view_of((const uint8_t *)der, cut), &what),
				 ENGINE_ERR_CONFIG);
		assert_null(list);
	}
	free(der);
	pki_chain_free(&chain);
	engine_trust_unref(trust);
}

/* ---- lists of our own, unsigned: what is read of them ---- */

struct builder {
	uint8_t data[4096];
	size_t len;
};

static void put(struct builder *b, const void *data, size_t len)
{
	assert_true(b->len + len <= sizeof(b->data));
	memcpy(b->data + b->len, data, len);
	b->len += len;
}
#define PUT(b, literal) put((b), (literal), sizeof(literal) - 1)

static void put_wrapped(struct builder *b, uint8_t tag, const struct builder *inner)
{
	uint8_t head[4] = {tag, 0x82, (uint8_t)(inner->len >> 8), (uint8_t)inner->len};
	if (inner->len < 0x80) {
		head[1] = (uint8_t)inner->len;
		put(b, head, 2);
	} else if (inner->len < 0x100) {
		head[1] = 0x81;
		head[2] = (uint8_t)inner->len;
		put(b, head, 3);
	} else {
		put(b, head, 4);
	}
	put(b, inner->data, inner->len);
}

#define ECDSA_SHA256 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define SOME_TIME                                                                                            \
	"\x17\x0d"                                                                                           \
	"240102030405Z"
#define SOME_NAME "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01x"

/* A CRL of these parts: what stands between issuer and the end of TBSCertList. */
static enum engine_err add_made(const char *version, size_t version_len, const void *rest, size_t rest_len,
				const char **what)
{
	static struct builder tbs, list, whole;
	struct crl *crls = NULL;
	tbs.len = list.len = whole.len = 0;
	put(&tbs, version, version_len);
	PUT(&tbs, ECDSA_SHA256);
	PUT(&tbs, SOME_NAME);
	put(&tbs, rest, rest_len);
	put_wrapped(&list, 0x30, &tbs);
	PUT(&list, ECDSA_SHA256);
	PUT(&list, "\x03\x02\x00\x00");
	put_wrapped(&whole, 0x30, &list);
	enum engine_err err = crl_add(&crls, view_of(whole.data, whole.len), what);
	crl_free_all(crls);
	return err;
}
#define V2                 "\x02\x01\x01"
#define ADD(version, rest) add_made((version), sizeof(version) - 1, (rest), sizeof(rest) - 1, &what)
#define TIMES              SOME_TIME SOME_TIME
/* entries: number 1 with nothing, number 2 with a reason */
#define ENTRY              "\x30\x12\x02\x01\x01" SOME_TIME
#define REASON(r)          "\x30\x20\x02\x01\x02" SOME_TIME "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01" r

static void the_form_is_checked_whole(void **state)
{
	(void)state;
	const char *what = "";
	assert_int_equal(ADD("", TIMES), ENGINE_OK);
	assert_int_equal(ADD(V2, TIMES), ENGINE_OK);
	assert_int_equal(ADD("\x02\x01\x02", TIMES), ENGINE_ERR_CONFIG); /* version 3 */
	assert_int_equal(ADD("\x02\x01\x00", TIMES), ENGINE_ERR_CONFIG); /* version 1 is not written */
	assert_int_equal(ADD(V2, SOME_TIME), ENGINE_ERR_CONFIG);
	assert_non_null(strstr(what, "nextUpdate"));
	assert_int_equal(ADD(V2, TIMES "\x30\x14" ENTRY), ENGINE_OK);
	assert_int_equal(ADD(V2, TIMES "\x30\x13" ENTRY), ENGINE_ERR_CONFIG);
	assert_int_equal(ADD(V2, TIMES "\x30\x00"), ENGINE_OK); /* some issuers write an empty list */
	assert_int_equal(ADD(V2, TIMES "\x30\x16" ENTRY "\x05\x00"), ENGINE_ERR_CONFIG);
	assert_int_equal(ADD(V2, TIMES "\x30\x22" REASON("\x01")), ENGINE_OK);
	assert_int_equal(ADD("", TIMES "\x30\x22" REASON("\x01")),
			 ENGINE_ERR_CONFIG); /* version 1 has none */
	assert_int_equal(ADD(V2, TIMES "\x30\x22" REASON("\x08")), ENGINE_ERR_CONFIG);
	assert_non_null(strstr(what, "removeFromCRL"));
	/* certificateIssuer: an entry of another issuer */
	assert_int_equal(ADD(V2, TIMES "\x30\x24\x30\x22\x02\x01\x02" SOME_TIME
				       "\x30\x0e\x30\x0c\x06\x03\x55\x1d\x1d\x01\x01\xff\x04\x02\x30\x00"),
			 ENGINE_ERR_CONFIG);
	assert_non_null(strstr(what, "other issuers"));
	/* extensions: in version 2 only, none twice, none critical that is not known */
	assert_int_equal(ADD(V2, TIMES "\xa0\x0e\x30\x0c\x30\x0a\x06\x03\x55\x1d\x14\x04\x03\x02\x01\x07"),
			 ENGINE_OK);
	assert_int_equal(ADD("", TIMES "\xa0\x0e\x30\x0c\x30\x0a\x06\x03\x55\x1d\x14\x04\x03\x02\x01\x07"),
			 ENGINE_ERR_CONFIG);
	assert_int_equal(ADD(V2, TIMES "\xa0\x1a\x30\x18\x30\x0a\x06\x03\x55\x1d\x14\x04\x03\x02\x01\x07"
				       "\x30\x0a\x06\x03\x55\x1d\x14\x04\x03\x02\x01\x07"),
			 ENGINE_ERR_CONFIG);
	assert_non_null(strstr(what, "twice"));
	assert_int_equal(ADD(V2, TIMES
			     "\xa0\x11\x30\x0f\x30\x0d\x06\x03\x55\x1d\x63\x01\x01\xff\x04\x03\x02\x01\x07"),
			 ENGINE_ERR_CONFIG);
	assert_int_equal(ADD(V2, TIMES "\xa0\x0e\x30\x0c\x30\x0a\x06\x03\x55\x1d\x63\x04\x03\x02\x01\x07"),
			 ENGINE_OK);
	assert_int_equal(ADD(V2, TIMES "\xa0\x02\x30\x00"), ENGINE_ERR_CONFIG);
	assert_int_equal(ADD(V2, TIMES "\x05\x00"), ENGINE_ERR_CONFIG);
	/* FALSE is not written in DER */
	assert_int_equal(
		ADD(V2, TIMES
		    "\xa0\x13\x30\x11\x30\x0f\x06\x03\x55\x1d\x1c\x01\x01\xff\x04\x05\x30\x03\x81\x01\xff"),
		ENGINE_OK);
	assert_int_equal(
		ADD(V2, TIMES
		    "\xa0\x13\x30\x11\x30\x0f\x06\x03\x55\x1d\x1c\x01\x01\xff\x04\x05\x30\x03\x81\x01\x00"),
		ENGINE_ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(revoked_certificates_are_refused),
		cmocka_unit_test(every_issuer_of_the_path_needs_a_list),
		cmocka_unit_test(lists_that_prove_nothing_fail_closed),
		cmocka_unit_test(lists_that_cannot_be_used_are_refused_with_a_reason),
		cmocka_unit_test(no_bit_of_a_list_can_change),
		cmocka_unit_test(the_form_is_checked_whole),
	};
	return cmocka_run_group_tests(tests, pki_setup, NULL);
}
