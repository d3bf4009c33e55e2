/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NIST's Public Key Interoperability Test Suite: some 220 paths, each named by what has to become of it.
 *
 * Taken from Debian's python3-cryptography-vectors, skipped where that is missing. All CRLs of the suite are in the
 * configuration, and each path finds its own way through the certificates that might belong to it.
 */
#include <dirent.h>

#include "tests/pki/pki.h"

#include "engine/x509_name.h"
#include "engine/x509_parse.h"
#include "engine/x509_pem.h"

#define FOLDER    "/usr/lib/python3/dist-packages/cryptography_vectors/x509/PKITS_data"
#define MAX_CERTS 500

struct file {
	char name[100];
	uint8_t *der;
	size_t len;
	struct certificate cert;
};

static struct file files[MAX_CERTS];
static size_t n_files;

/* Those whose names do not begin with Valid or Invalid, and those for which we are stricter, or not as able. */
static const char *const refused[] = {
	"DifferentPoliciesTest4EE",
	"DifferentPoliciesTest5EE",
	"DifferentPoliciesTest7EE",
	"DifferentPoliciesTest8EE",
	"DifferentPoliciesTest9EE",
	"DifferentPoliciesTest12EE",
	/* DSA */
	"ValidDSA",
	/* CRLs signed by a key that is not on the path */
	"ValidBasicSelfIssuedCRLSigningKeyTest6EE",
	"ValidBasicSelfIssuedNewWithOldTest4EE",
	"ValidSeparateCertificateandCRLKeysTest19EE",
	/* indirect CRLs, those for some reasons only, and those with a point that is named relative to the issuer */
	"ValidIDPwithindirectCRLTest22EE",
	"ValidIDPwithindirectCRLTest24EE",
	"ValidIDPwithindirectCRLTest25EE",
	"ValidcRLIssuer",
	"ValidonlySomeReasons",
	"ValiddistributionPointTest4EE",
	"ValiddistributionPointTest5EE",
	"ValiddistributionPointTest7EE",
	/* on hold in the base CRL, taken back in a delta CRL, which we do not take */
	"ValiddeltaCRLTest5EE",
};
static const char *const accepted[] = {
	/* revoked in a delta CRL: the user has been told that it is not taken */
	"InvaliddeltaCRLTest4EE",
};

static bool is_among(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strncmp(name, list[i], strlen(list[i])) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_to_be_refused(const char *name)
{
	if (is_among(accepted, sizeof(accepted) / sizeof(accepted[0]), name)) {
		return false;
	}
	return strncmp(name, "Invalid", 7) == 0 ||
	       is_among(refused, sizeof(refused) / sizeof(refused[0]), name);
}

static uint8_t *read_file(const char *folder, const char *name, size_t *len)
{
	char path[400];
	uint8_t *data = malloc(1 << 18);
	assert_non_null(data);
	(void)snprintf(path, sizeof(path), FOLDER "/%s/%s", folder, name);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	*len = fread(data, 1, 1 << 18, file);
	(void)fclose(file);
	return data;
}

static void read_certificates(void)
{
	DIR *dir = opendir(FOLDER "/certs");
	struct dirent *entry;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		struct file *file = &files[n_files];
		const char *what;
		if (strstr(entry->d_name, ".crt") == NULL) {
			continue;
		}
		assert_true(n_files < MAX_CERTS);
		(void)snprintf(file->name, sizeof(file->name), "%.99s", entry->d_name);
		file->der = read_file("certs", entry->d_name, &file->len);
		if (certificate_parse(view_of(file->der, file->len), &file->cert, &what)) {
			n_files++;
		} else {
			/* there is no February 30th in it */
			free(file->der);
		}
	}
	(void)closedir(dir);
}

static size_t add_crls(struct engine_config *config)
{
	DIR *dir = opendir(FOLDER "/crls");
	struct dirent *entry;
	size_t n = 0;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		char why[ENGINE_REASON_MAX];
		size_t len;
		if (strstr(entry->d_name, ".crl") == NULL) {
			continue;
		}
		uint8_t *der = read_file("crls", entry->d_name, &len);
		n += engine_config_add_crl(config, der, len, why) == ENGINE_OK;
		free(der);
	}
	(void)closedir(dir);
	return n;
}

static void trust_the_root(struct engine_config *config)
{
	static char pem[4000];
	char why[ENGINE_REASON_MAX];
	size_t len, n;
	struct engine_trust *trust = engine_trust_new();
	uint8_t *der = read_file("certs", "TrustAnchorRootCertificate.crt", &len);
	assert_true(pem_encode("CERTIFICATE", der, len, pem, sizeof(pem)));
	assert_int_equal(engine_trust_add_pem(trust, (const uint8_t *)pem, strlen(pem), false, &n, why),
			 ENGINE_OK);
	engine_config_set_trust(config, trust);
	engine_trust_unref(trust);
	free(der);
}

/* All CAs that might be above the leaf. */
static size_t find_chain(const struct file *leaf, const uint8_t **certs, size_t *lens)
{
	const struct file *chain[CONFIG_MAX_CHAIN] = {leaf};
	size_t n = 1;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n_files && n < CONFIG_MAX_CHAIN; k++) {
			bool known = strncmp(files[k].name, "TrustAnchor", 11) == 0 ||
				     strstr(files[k].name, "EE.crt") != NULL ||
				     !name_equal(files[k].cert.subject, chain[i]->cert.issuer);
			for (size_t j = 0; j < n; j++) {
				known |= chain[j] == &files[k];
			}
			if (!known) {
				chain[n++] = &files[k];
			}
		}
	}
	for (size_t i = 0; i < n; i++) {
		certs[i] = chain[i]->der;
		lens[i] = chain[i]->len;
	}
	return n;
}

static void every_path_is_judged_as_it_should_be(void **state)
{
	(void)state;
	size_t n_paths = 0;
	size_t n_wrong = 0;
	DIR *dir = opendir(FOLDER);
	if (dir == NULL) {
		skip();
	}
	(void)closedir(dir);
	read_certificates();
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	trust_the_root(config);
	assert_true(add_crls(config) > 100);
	for (size_t i = 0; i < n_files; i++) {
		const uint8_t *certs[CONFIG_MAX_CHAIN];
		size_t lens[CONFIG_MAX_CHAIN];
		struct verify_result result;
		struct verify_request request = {
			.config = config,
			.peer_role = ENGINE_CLIENT,
			.certs = certs,
			.cert_lens = lens,
			.now = 1700000000, /* the suite ends in 2030 */
		};
		if (strstr(files[i].name, "Test") == NULL || strstr(files[i].name, "EE.crt") == NULL) {
			continue;
		}
		request.n_certs = find_chain(&files[i], certs, lens);
		enum engine_err err = verify_chain(&request, &result);
		n_paths++;
		if ((err != ENGINE_OK) != is_to_be_refused(files[i].name)) {
			print_error("%s: %s\n", files[i].name, err == ENGINE_OK ? "accepted" : result.reason);
			n_wrong++;
		}
		public_key_free(result.key);
	}
	assert_true(n_paths > 200);
	assert_int_equal(n_wrong, 0);
	engine_config_unref(config);
	for (size_t i = 0; i < n_files; i++) {
		free(files[i].der);
	}
}

static int setup(void **state)
{
	const struct engine_env env = {.random = pki_random, .now = pki_now};
	(void)state;
	return engine_init(&env) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_path_is_judged_as_it_should_be),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
