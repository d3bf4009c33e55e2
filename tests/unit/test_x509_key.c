/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signatures by every kind of key under every scheme: our own check and OpenSSL's agree with what we sign,
 * and nothing else passes. Shapes of wrong keys and signatures.
 */
#include <unistd.h>

#include "tests/pki/pki.h"

#include "engine/x509_key.h"

static const uint16_t all_schemes[] = {0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805,
				       0x0806, 0x0401, 0x0501, 0x0601, 0x0809, 0x080a,
				       0x080b, 0x0201, 0x0203, 0x0808, 0x080c, 0x0000};
#define N_SCHEMES (sizeof(all_schemes) / sizeof(all_schemes[0]))

struct kind {
	const char *name; /* of the certificate */
	uint16_t tls13[3], tls12[6];
};

/* clang-format off */
static const struct kind kinds[] = {
	{ "server", { 0x0403 }, { 0x0403, 0x0503, 0x0603 } },
	{ "server-p384", { 0x0503 }, { 0x0503, 0x0403, 0x0603 } },
	{ "server-ed25519", { 0x0807 }, { 0x0807 } },
	{ "server-rsa2048", { 0x0804, 0x0805, 0x0806 }, { 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601 } },
	{ "server-rsa3072", { 0x0804, 0x0805, 0x0806 }, { 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601 } },
	{ "server-rsa4096", { 0x0804, 0x0805, 0x0806 }, { 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601 } },
	{ "server-rsa2056", { 0x0804, 0x0805, 0x0806 }, { 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601 } },
	{ "server-rsa2049", { 0x0804, 0x0805, 0x0806 }, { 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601 } },
	{ "server-p521", { 0x0603 }, { 0x0603, 0x0503, 0x0403 } },
	{ "server-pss", { 0x0809, 0x080a, 0x080b }, { 0x0809, 0x080a, 0x080b } },
	{ "server-pss384", { 0x080a }, { 0x080a } },
};
/* clang-format on */
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool has(const uint16_t *list, size_t n, uint16_t scheme)
{
	for (size_t i = 0; i < n; i++) {
		if (scheme != 0 && list[i] == scheme) {
			return true;
		}
	}
	return false;
}

static struct engine_config *credential_of(const char *name)
{
	char cert[80], key[80], why[ENGINE_REASON_MAX];
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	assert_non_null(config);
	(void)snprintf(cert, sizeof(cert), "%s.pem", name);
	(void)snprintf(key, sizeof(key), "%s.key", name);
	if (!pki_add_credential(config, cert, key, why)) {
		fail_msg("%s: %s", name, why);
	}
	return config;
}

static struct public_key *public_of(const struct engine_config *config)
{
	struct engine_config *anyone = engine_config_new(ENGINE_CLIENT);
	const uint8_t *certs[] = {config->credentials[0].chain[0].data};
	const size_t lens[] = {config->credentials[0].chain[0].len};
	struct verify_request request = {.config = anyone,
					 .peer_role = ENGINE_SERVER,
					 .certs = certs,
					 .cert_lens = lens,
					 .n_certs = 1};
	struct verify_result result;
	engine_config_set_verify(anyone, ENGINE_VERIFY_NONE);
	assert_int_equal(verify_chain(&request, &result), ENGINE_OK);
	engine_config_unref(anyone);
	return result.key;
}

static void schemes_are_those_of_the_kind_of_key(void **state)
{
	(void)state;
	for (size_t k = 0; k < N_KINDS; k++) {
		struct engine_config *config = credential_of(kinds[k].name);
		uint16_t found[16] = {0};
		size_t n = private_key_schemes(config->credentials[0].key, true, found, 16);
		assert_memory_equal(found, kinds[k].tls13, sizeof(kinds[k].tls13));
		assert_true(n == 3 || found[n] == 0);
		memset(found, 0, sizeof(found));
		(void)private_key_schemes(config->credentials[0].key, false, found, 16);
		assert_memory_equal(found, kinds[k].tls12, sizeof(kinds[k].tls12));
		assert_int_equal(private_key_schemes(config->credentials[0].key, true, found, 0), 0);
		engine_config_unref(config);
	}
}

static void every_scheme_signs_and_verifies_where_it_fits(void **state)
{
	(void)state;
	static const uint8_t msg[] = "a message that is signed whole";
	uint8_t sig[512];
	for (size_t k = 0; k < N_KINDS; k++) {
		struct engine_config *config = credential_of(kinds[k].name);
		struct public_key *public_key = public_of(config);
		for (size_t i = 0; i < N_SCHEMES; i++) {
			size_t len = 0;
			bool fits = has(kinds[k].tls12, 6, all_schemes[i]);
			bool fits13 = has(kinds[k].tls13, 3, all_schemes[i]);
			enum engine_err err = private_key_sign(config->credentials[0].key, all_schemes[i],
							       msg, sizeof(msg), sig, sizeof(sig), &len);
			assert_int_equal(err, fits ? ENGINE_OK : ENGINE_ERR_INTERNAL);
			if (!fits) {
				assert_false(public_key_verify(public_key, all_schemes[i], false, msg,
							       sizeof(msg), sig, 64));
				continue;
			}
			assert_true(public_key_verify(public_key, all_schemes[i], false, msg, sizeof(msg),
						      sig, len));
			assert_int_equal(public_key_verify(public_key, all_schemes[i], true, msg, sizeof(msg),
							   sig, len),
					 fits13);
			/* under no other scheme */
			for (size_t j = 0; j < N_SCHEMES; j++) {
				assert_int_equal(public_key_verify(public_key, all_schemes[j], false, msg,
								   sizeof(msg), sig, len),
						 i == j);
			}
			/* neither message nor signature can change */
			assert_false(public_key_verify(public_key, all_schemes[i], false, msg,
						       sizeof(msg) - 1, sig, len));
			assert_false(public_key_verify(public_key, all_schemes[i], false, msg, sizeof(msg),
						       sig, len - 1));
			assert_false(public_key_verify(public_key, all_schemes[i], false, msg, sizeof(msg),
						       sig, 0));
			for (size_t at = 0; at < len; at += 7) {
				sig[at] ^= 0x10;
				assert_false(public_key_verify(public_key, all_schemes[i], false, msg,
							       sizeof(msg), sig, len));
				sig[at] ^= 0x10;
			}
			if (len < sizeof(sig)) {
				sig[len] = 0;
				assert_false(public_key_verify(public_key, all_schemes[i], false, msg,
							       sizeof(msg), sig, len + 1));
			}
		}
		public_key_free(public_key);
		engine_config_unref(config);
	}
}

static void write_file(const char *path, const void *data, size_t len)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

/* OpenSSL's view of a scheme. */
static void openssl_options(uint16_t scheme, char *out, size_t size)
{
	static const struct {
		uint16_t scheme;
		const char *options;
	} table[] = {
		{0x0403, "-sha256"},
		{0x0503, "-sha384"},
		{0x0603, "-sha512"},
		{0x0804, "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"},
		{0x0805, "-sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48"},
		{0x0806, "-sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64"},
		{0x0809, "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"},
		{0x080a, "-sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48"},
		{0x080b, "-sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64"},
		{0x0401, "-sha256"},
		{0x0501, "-sha384"},
		{0x0601, "-sha512"},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].scheme == scheme) {
			(void)snprintf(out, size, "%s", table[i].options);
		}
	}
}

static void openssl_agrees_both_ways(void **state)
{
	(void)state;
	static const char msg[] = "signed here, checked there";
	char dir[] = "/tmp/tlshim-test-XXXXXX";
	char command[1000], options[200], msg_path[60], sig_path[60];
	uint8_t sig[512];
	size_t len;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(msg_path, sizeof(msg_path), "%s/msg", dir);
	(void)snprintf(sig_path, sizeof(sig_path), "%s/sig", dir);
	write_file(msg_path, msg, sizeof(msg));
	for (size_t k = 0; k < N_KINDS; k++) {
		struct engine_config *config = credential_of(kinds[k].name);
		struct public_key *public_key = public_of(config);
		for (size_t i = 0; i < 6 && kinds[k].tls12[i] != 0; i++) {
			uint16_t scheme = kinds[k].tls12[i];
			bool ed25519 = scheme == 0x0807;
			openssl_options(scheme, options, sizeof(options));
			assert_int_equal(private_key_sign(config->credentials[0].key, scheme,
							  (const uint8_t *)msg, sizeof(msg), sig, sizeof(sig),
							  &len),
					 ENGINE_OK);
			write_file(sig_path, sig, len);
			(void)snprintf(
				command, sizeof(command),
				ed25519 ? "openssl pkeyutl -verify -inkey %s/%s.key%.0s -rawin -sigfile %s "
					  "-in %s >%s/out 2>&1"
					: "openssl dgst -prverify %s/%s.key %s -signature %s %s >%s/out 2>&1",
				pki_dir(), kinds[k].name, ed25519 ? "" : options, sig_path, msg_path, dir);
			if (system(command) != 0) {
				fail_msg("%s", command);
			}
			(void)snprintf(command, sizeof(command),
				       ed25519 ? "openssl pkeyutl -sign -inkey %s/%s.key%.0s -rawin -out %s "
						 "-in %s 2>&1"
					       : "openssl dgst -sign %s/%s.key %s -out %s %s 2>&1",
				       pki_dir(), kinds[k].name, ed25519 ? "" : options, sig_path, msg_path);
			assert_int_equal(system(command), 0);
			FILE *file = fopen(sig_path, "rb");
			assert_non_null(file);
			len = fread(sig, 1, sizeof(sig), file);
			(void)fclose(file);
			assert_true(public_key_verify(public_key, scheme, false, (const uint8_t *)msg,
						      sizeof(msg), sig, len));
		}
		public_key_free(public_key);
		engine_config_unref(config);
	}
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* TLS 1.0 and 1.1: no DigestInfo around MD5 and SHA-1, and the digest comes from outside. */
static void older_versions_sign_digests(void **state)
{
	(void)state;
	uint8_t digest[36], sig[512];
	size_t len;
	char command[800];
	memset(digest, 0x5a, sizeof(digest));
	for (size_t k = 0; k < N_KINDS; k++) {
		struct engine_config *config = credential_of(kinds[k].name);
		const struct private_key *key = config->credentials[0].key;
		struct public_key *public_key = public_of(config);
		bool is_rsa = strstr(kinds[k].name, "rsa") != NULL;
		bool is_ec = kinds[k].tls12[1] != 0 && (kinds[k].tls12[0] & 0xff) == 3;
		enum engine_err err =
			private_key_sign(key, SCHEME_MD5_SHA1_RSA, digest, 36, sig, sizeof(sig), &len);
		assert_int_equal(err, is_rsa ? ENGINE_OK : ENGINE_ERR_INTERNAL);
		if (is_rsa) {
			assert_true(public_key_fits(public_key, SCHEME_MD5_SHA1_RSA, false));
			assert_true(public_key_verify(public_key, SCHEME_MD5_SHA1_RSA, false, digest, 36, sig,
						      len));
			assert_false(public_key_verify(public_key, SCHEME_MD5_SHA1_RSA, true, digest, 36, sig,
						       len));
			assert_false(public_key_verify(public_key, SCHEME_MD5_SHA1_RSA, false, digest, 35,
						       sig, len));
			digest[0] ^= 1;
			assert_false(public_key_verify(public_key, SCHEME_MD5_SHA1_RSA, false, digest, 36,
						       sig, len));
			digest[0] ^= 1;
			/* OpenSSL recovers the bare digests */
			write_file("/tmp/tlshim-test-sig", sig, len);
			(void)snprintf(command, sizeof(command),
				       "test $(openssl pkeyutl -verifyrecover -inkey %s/%s.key -in "
				       "/tmp/tlshim-test-sig | tr -d Z | wc -c) = 0",
				       pki_dir(), kinds[k].name);
			assert_int_equal(system(command), 0);
			(void)unlink("/tmp/tlshim-test-sig");
		} else {
			assert_false(public_key_fits(public_key, SCHEME_MD5_SHA1_RSA, false));
		}
		err = private_key_sign(key, SCHEME_SHA1_ECDSA, digest, 20, sig, sizeof(sig), &len);
		assert_int_equal(err, is_ec ? ENGINE_OK : ENGINE_ERR_INTERNAL);
		assert_int_equal(public_key_fits(public_key, SCHEME_SHA1_ECDSA, false), is_ec);
		assert_false(public_key_fits(public_key, SCHEME_SHA1_ECDSA, true));
		if (is_ec) {
			assert_true(public_key_verify(public_key, SCHEME_SHA1_ECDSA, false, digest, 20, sig,
						      len));
			assert_false(
				public_key_verify(public_key, SCHEME_SHA1_ECDSA, true, digest, 20, sig, len));
		}
		/* the SHA-1 of TLS 1.2: as OpenSSL checks it, too */
		err = private_key_sign(key, SCHEME_SHA1_RSA, digest, 20, sig, sizeof(sig), &len);
		assert_int_equal(err, is_rsa ? ENGINE_OK : ENGINE_ERR_INTERNAL);
		assert_int_equal(public_key_fits(public_key, SCHEME_SHA1_RSA, false), is_rsa);
		assert_false(public_key_fits(public_key, SCHEME_SHA1_RSA, true));
		assert_false(public_key_fits(public_key, 0x0201, false));
		assert_false(public_key_fits(public_key, 0x0203, false));
		if (is_rsa) {
			assert_true(
				public_key_verify(public_key, SCHEME_SHA1_RSA, false, digest, 20, sig, len));
			char sig_path[64], digest_path[64];
			(void)snprintf(sig_path, sizeof(sig_path), "/tmp/tlshim-test-%d.sig", getpid());
			(void)snprintf(digest_path, sizeof(digest_path), "/tmp/tlshim-test-%d.digest",
				       getpid());
			write_file(sig_path, sig, len);
			write_file(digest_path, digest, 20);
			(void)snprintf(command, sizeof(command),
				       "openssl pkeyutl -verify -inkey %s/%s.key -sigfile %s -in %s "
				       "-pkeyopt digest:sha1 >/dev/null",
				       pki_dir(), kinds[k].name, sig_path, digest_path);
			assert_int_equal(system(command), 0);
			(void)unlink(sig_path);
			(void)unlink(digest_path);
		}
		/* never a whole message */
		assert_int_equal(private_key_sign(key, SCHEME_MD5_SHA1_RSA, digest, 20, sig, sizeof(sig),
						  &len),
				 ENGINE_ERR_INTERNAL);
		assert_int_equal(private_key_sign(key, SCHEME_SHA1_ECDSA, digest, 36, sig, sizeof(sig), &len),
				 ENGINE_ERR_INTERNAL);
		assert_int_equal(private_key_auth(key),
				 is_rsa || strstr(kinds[k].name, "pss") != NULL ? AUTH_RSA : AUTH_ECDSA);
		assert_int_equal(public_key_auth(public_key), private_key_auth(key));
		public_key_free(public_key);
		engine_config_unref(config);
	}
}

static void ecdsa_and_pss_signatures_are_salted(void **state)
{
	(void)state;
	static const char *const names[] = {"server", "server-p384", "server-rsa2048"};
	for (size_t k = 0; k < 3; k++) {
		struct engine_config *config = credential_of(names[k]);
		uint8_t sig[2][512];
		size_t len[2];
		uint16_t scheme;
		assert_int_equal(private_key_schemes(config->credentials[0].key, true, &scheme, 1), 1);
		for (size_t i = 0; i < 2; i++) {
			assert_int_equal(private_key_sign(config->credentials[0].key, scheme,
							  (const uint8_t *)"m", 1, sig[i], sizeof(sig[i]),
							  &len[i]),
					 ENGINE_OK);
		}
		assert_false(len[0] == len[1] && memcmp(sig[0], sig[1], len[0]) == 0);
		engine_config_unref(config);
	}
}

static void short_room_is_an_error_and_nothing_is_written_past_it(void **state)
{
	(void)state;
	for (size_t k = 0; k < N_KINDS; k++) {
		struct engine_config *config = credential_of(kinds[k].name);
		for (size_t room = 0; room < 64; room += 9) {
			uint8_t *sig = malloc(room + 1);
			size_t len;
			assert_int_equal(private_key_sign(config->credentials[0].key, kinds[k].tls13[0],
							  (const uint8_t *)"m", 1, sig, room, &len),
					 ENGINE_ERR_INTERNAL);
			free(sig);
		}
		engine_config_unref(config);
	}
}

/* A point that is not on the curve has to be refused, or it would leak what it meets. */
static void points_off_the_curve_verify_nothing(void **state)
{
	(void)state;
	struct engine_config *config = credential_of("server");
	struct certificate_key {
		uint8_t point[65];
	} off;
	uint8_t sig[512];
	size_t len;
	memset(&off, 1, sizeof(off));
	off.point[0] = 4;
	struct key_view view = {.kind = KEY_P256, .bits = 256, .point = view_of(off.point, 65)};
	struct signature_algorithm how = {SIGNATURE_ECDSA, SIGNATURE_SHA256, 0};
	assert_int_equal(private_key_sign(config->credentials[0].key, 0x0403, (const uint8_t *)"m", 1, sig,
					  512, &len),
			 ENGINE_OK);
	assert_false(key_view_verify(&view, how, (const uint8_t *)"m", 1, sig, len));
	memset(off.point + 1, 0, 64);
	assert_false(key_view_verify(&view, how, (const uint8_t *)"m", 1, sig, len));
	/* r = s = 0, r = s = 1 */
	static const uint8_t zeros[] = {0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00};
	static const uint8_t ones[] = {0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01};
	struct public_key *public_key = public_of(config);
	assert_false(
		public_key_verify(public_key, 0x0403, true, (const uint8_t *)"m", 1, zeros, sizeof(zeros)));
	assert_false(
		public_key_verify(public_key, 0x0403, true, (const uint8_t *)"m", 1, ones, sizeof(ones)));
	public_key_free(public_key);
	engine_config_unref(config);
}

static void malformed_keys_are_told_apart(void **state)
{
	(void)state;
	struct key_view key;
	static const uint8_t rubbish[] = {0x30, 0x03, 0x02, 0x01, 0x00};
	assert_int_equal(key_view_parse(view_of(rubbish, sizeof(rubbish)), &key), KEY_DAMAGED);
	assert_int_equal(key_view_parse(view_of(NULL, 0), &key), KEY_DAMAGED);
	static const uint8_t small[] = {0x30, 0x1b, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
					0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x0a, 0x00,
					0x30, 0x07, 0x02, 0x02, 0x00, 0xff, 0x02, 0x01, 0x03};
	uint8_t bad[sizeof(small)];
	assert_int_equal(key_view_parse(view_of(small, sizeof(small)), &key), KEY_TOO_WEAK);
	assert_int_equal(key.bits, 8);
	memcpy(bad, small, sizeof(small));
	bad[28] = 1; /* exponent 1: every message signs itself */
	assert_int_equal(key_view_parse(view_of(bad, sizeof(bad)), &key), KEY_DAMAGED);
	bad[28] = 4;
	assert_int_equal(key_view_parse(view_of(bad, sizeof(bad)), &key), KEY_DAMAGED);
	memcpy(bad, small, sizeof(small));
	bad[25] = 0xfe; /* an even modulus */
	assert_int_equal(key_view_parse(view_of(bad, sizeof(bad)), &key), KEY_DAMAGED);
	memcpy(bad, small, sizeof(small));
	bad[24] = 0x80; /* a negative modulus */
	assert_int_equal(key_view_parse(view_of(bad, sizeof(bad)), &key), KEY_DAMAGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schemes_are_those_of_the_kind_of_key),
		cmocka_unit_test(every_scheme_signs_and_verifies_where_it_fits),
		cmocka_unit_test(openssl_agrees_both_ways),
		cmocka_unit_test(older_versions_sign_digests),
		cmocka_unit_test(ecdsa_and_pss_signatures_are_salted),
		cmocka_unit_test(short_room_is_an_error_and_nothing_is_written_past_it),
		cmocka_unit_test(points_off_the_curve_verify_nothing),
		cmocka_unit_test(malformed_keys_are_told_apart),
	};
	return cmocka_run_group_tests(tests, pki_setup, NULL);
}
