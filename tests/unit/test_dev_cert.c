/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Throw-away certificates: ours, OpenSSL's and GnuTLS's judgement of them.
 */
#include <unistd.h>

#include "tests/pki/pki.h"

#include "engine/verify_name.h"

static char dir[] = "/tmp/tlshim-test-XXXXXX";

static int setup(void **state)
{
	const struct engine_env env = {.random = pki_random, .now = pki_now};
	(void)state;
	return engine_init(&env) && mkdtemp(dir) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	char command[100];
	(void)state;
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void write_text(const char *name, const char *text)
{
	char path[100];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* Run a shell command with $D set; its output ends up in the test's log when it fails. */
static int shell(const char *command)
{
	char line[1000];
	(void)snprintf(line, sizeof(line), "D=%s; (%s) >$D/out 2>&1 || { rc=$?; cat $D/out >&2; exit $rc; }",
		       dir, command);
	return system(line);
}

static void make(struct engine_dev_cert *cert, const char *const *names, size_t n, int days)
{
	char why[ENGINE_REASON_MAX] = "";
	if (!engine_dev_cert_make(cert, names, n, days, why)) {
		fail_msg("%s", why);
	}
	write_text("ca.pem", cert->ca_pem);
	write_text("cert.pem", cert->cert_pem);
	write_text("key.pem", cert->key_pem);
}

static enum engine_err verify_own(const struct engine_dev_cert *cert, enum engine_role role, const char *name,
				  int64_t now, char reason[static ENGINE_REASON_MAX])
{
	size_t n;
	struct engine_config *own = engine_config_new(ENGINE_SERVER);
	struct engine_config *peer = engine_config_new(ENGINE_CLIENT);
	struct engine_trust *trust = engine_trust_new();
	assert_int_equal(engine_config_add_credential(own, (const uint8_t *)cert->cert_pem,
						      strlen(cert->cert_pem), (const uint8_t *)cert->key_pem,
						      strlen(cert->key_pem), reason),
			 ENGINE_OK);
	assert_int_equal(engine_trust_add_pem(trust, (const uint8_t *)cert->ca_pem, strlen(cert->ca_pem),
					      false, &n, reason),
			 ENGINE_OK);
	engine_config_set_trust(peer, trust);
	engine_trust_unref(trust);
	const uint8_t *certs[] = {own->credentials[0].chain[0].data};
	struct verify_request request = {.config = peer,
					 .peer_role = role,
					 .certs = certs,
					 .cert_lens = &own->credentials[0].chain[0].len,
					 .n_certs = 1,
					 .name = name,
					 .now = now};
	struct verify_result result;
	enum engine_err err = verify_chain(&request, &result);
	memcpy(reason, result.reason, ENGINE_REASON_MAX);
	public_key_free(result.key);
	engine_config_unref(own);
	engine_config_unref(peer);
	return err;
}

static void others_accept_it(void **state)
{
	(void)state;
	static struct engine_dev_cert cert;
	static const char *const names[] = {"localhost", "*.dev.example", "127.0.0.1", "::1"};
	make(&cert, names, 4, 30);
	assert_int_equal(shell("openssl verify -x509_strict -purpose sslserver -CAfile $D/ca.pem "
			       "-verify_hostname localhost $D/cert.pem"),
			 0);
	assert_int_equal(shell("openssl verify -x509_strict -purpose sslclient -CAfile $D/ca.pem -verify_ip "
			       "127.0.0.1 $D/cert.pem"),
			 0);
	assert_int_equal(shell("openssl verify -x509_strict -CAfile $D/ca.pem -verify_ip ::1 $D/cert.pem"),
			 0);
	assert_int_equal(shell("openssl verify -x509_strict -CAfile $D/ca.pem -verify_hostname x.dev.example "
			       "$D/cert.pem"),
			 0);
	assert_int_not_equal(shell("openssl verify -CAfile $D/ca.pem -verify_hostname other.example "
				   "$D/cert.pem 2>/dev/null >&2"),
			     0);
	assert_int_equal(shell("openssl pkey -in $D/key.pem -check -noout"), 0);
	assert_int_equal(shell("openssl x509 -in $D/ca.pem -noout -text | grep -A1 'Basic Constraints: "
			       "critical' | grep -q 'CA:TRUE, pathlen:0'"),
			 0);
	assert_int_equal(shell("openssl x509 -in $D/ca.pem -noout -text | grep -A1 'Key Usage: critical' | "
			       "grep -q 'Certificate Sign, CRL Sign'"),
			 0);
	if (system("command -v certtool >/dev/null") == 0) {
		assert_int_equal(shell("certtool --verify --verify-profile=medium --load-ca-certificate "
				       "$D/ca.pem --infile $D/cert.pem --verify-hostname localhost"),
				 0);
	}
}

static void a_tls_client_accepts_it(void **state)
{
	(void)state;
	static struct engine_dev_cert cert;
	static const char *const names[] = {"localhost", "127.0.0.1"};
	if (system("command -v curl >/dev/null") != 0) {
		skip();
	}
	make(&cert, names, 2, 30);
	/* the server's port is its own choice; it ends when it has been asked once */
	assert_int_equal(shell("openssl s_server -accept 127.0.0.1:0 -cert $D/cert.pem -key $D/key.pem -www "
			       "-naccept 2 >$D/log 2>&1 & "
			       "for i in $(seq 200); do port=$(sed -n 's/^ACCEPT .*:\\([0-9]*\\)$/\\1/p' "
			       "$D/log); [ -z \"$port\" ] || break; sleep 0.05; done; "
			       "curl -sS --cacert $D/ca.pem https://127.0.0.1:$port/ -o /dev/null && "
			       "curl -sS --cacert $D/ca.pem --resolve localhost:$port:127.0.0.1 "
			       "https://localhost:$port/ -o /dev/null"),
			 0);
}

static void we_accept_it(void **state)
{
	(void)state;
	static struct engine_dev_cert cert;
	static const char *const names[] = {"a.example",   "*.b.example", "10.0.0.1",
					    "2001:db8::1", "localhost",   "[::1]"};
	static const char *const good[] = {"a.example",   "x.b.example", "10.0.0.1",
					   "2001:DB8::1", "localhost",   "::1"};
	char reason[ENGINE_REASON_MAX];
	make(&cert, names, 6, 3);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(verify_own(&cert, ENGINE_SERVER, good[i], pki_now(), reason), ENGINE_OK);
	}
	assert_int_equal(verify_own(&cert, ENGINE_CLIENT, NULL, pki_now(), reason), ENGINE_OK);
	assert_int_equal(verify_own(&cert, ENGINE_SERVER, "b.example", pki_now(), reason), ENGINE_ERR_VERIFY);
	/* from an hour ago, for three days */
	assert_int_equal(verify_own(&cert, ENGINE_SERVER, "a.example", pki_now() - 3500, reason), ENGINE_OK);
	assert_int_equal(verify_own(&cert, ENGINE_SERVER, "a.example", pki_now() - 3700, reason),
			 ENGINE_ERR_VERIFY);
	assert_int_equal(verify_own(&cert, ENGINE_SERVER, "a.example", pki_now() + 3 * 86400 - 100, reason),
			 ENGINE_OK);
	assert_int_equal(verify_own(&cert, ENGINE_SERVER, "a.example", pki_now() + 3 * 86400 + 100, reason),
			 ENGINE_ERR_VERIFY);
}

static void each_is_new(void **state)
{
	(void)state;
	static struct engine_dev_cert one, two;
	static const char *const names[] = {"localhost"};
	make(&one, names, 1, 30);
	make(&two, names, 1, 30);
	assert_string_not_equal(one.ca_pem, two.ca_pem);
	assert_string_not_equal(one.key_pem, two.key_pem);
}

static void sixteen_names_and_distant_dates_fit(void **state)
{
	(void)state;
	static struct engine_dev_cert cert;
	char text[16][101];
	const char *names[17];
	char reason[ENGINE_REASON_MAX];
	for (size_t i = 0; i < 16; i++) {
		memset(text[i], 'a', 100);
		text[i][50] = '.';
		text[i][0] = (char)('a' + i);
		text[i][100] = '\0';
		names[i] = text[i];
	}
	names[16] = "x";
	make(&cert, names, 16, 36500);
	assert_int_equal(shell("openssl verify -x509_strict -CAfile $D/ca.pem $D/cert.pem"), 0);
	assert_int_equal(verify_own(&cert, ENGINE_SERVER, text[15], pki_now() + 36000LL * 86400, reason),
			 ENGINE_OK);
	/* dates up to 2049 are UTCTime, then GeneralizedTime */
	pki_now_offset = 0;
	for (int days = 1; days < 36500; days += 1217) {
		make(&cert, names, 1, days);
		assert_int_equal(shell("openssl verify -x509_strict -CAfile $D/ca.pem $D/cert.pem"), 0);
	}
}

static void what_cannot_be_made_is_refused(void **state)
{
	(void)state;
	static struct engine_dev_cert cert;
	char why[ENGINE_REASON_MAX];
	char long_names[16][254];
	const char *names[17];
	for (size_t i = 0; i < 17; i++) {
		names[i] = "localhost";
	}
	assert_false(engine_dev_cert_make(&cert, names, 0, 30, why));
	assert_false(engine_dev_cert_make(&cert, names, 17, 30, why));
	assert_non_null(strstr(why, "1 to 16 names"));
	assert_false(engine_dev_cert_make(&cert, names, 1, 0, why));
	assert_false(engine_dev_cert_make(&cert, names, 1, 1000000, why));
	assert_non_null(strstr(why, "days"));
	names[3] = "not a name";
	assert_false(engine_dev_cert_make(&cert, names, 4, 30, why));
	assert_string_equal(why, "\"not a name\" is neither a DNS name nor an address");
	for (size_t i = 0; i < 16; i++) {
		memset(long_names[i], 'a', 253);
		long_names[i][63] = long_names[i][127] = long_names[i][191] = '.';
		long_names[i][253] = '\0';
		names[i] = long_names[i];
	}
	assert_false(engine_dev_cert_make(&cert, names, 16, 30, why));
	assert_non_null(strstr(why, "too long"));
	assert_int_equal(cert.key_pem[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_accept_it),
		cmocka_unit_test(a_tls_client_accepts_it),
		cmocka_unit_test(we_accept_it),
		cmocka_unit_test(each_is_new),
		cmocka_unit_test(sixteen_names_and_distant_dates_fit),
		cmocka_unit_test(what_cannot_be_made_is_refused),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
