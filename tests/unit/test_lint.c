/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `tlshim check` finds in a policy and its files.
 */
#include "tests/pki/pki.h"

#include "policy_test.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[PATH_MAX], scratch[] = "/tmp/tlshim-lint-XXXXXX";
static struct messages *m;

static int set_up(void **state)
{
	return pki_setup(state) == 0 && realpath(pki_dir(), dir) && mkdtemp(scratch) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[100];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", scratch);
	return system(command);
}

/* Lint text as DIR/t.policy, `ahead` seconds from now; true if no error. */
static bool lint_at(const char *text, int64_t ahead)
{
	char file[PATH_MAX + 16];
	struct policy *policy;
	bool ok;

	m = messages_reset();
	(void)snprintf(file, sizeof(file), "%s/t.policy", dir);
	policy = policy_parse(text, strlen(text), file, &m->diag);
	if (!policy) {
		fail_msg("does not parse: %s", m->text);
	}
	ok = policy_lint(policy, time(NULL) + ahead, POLICY_LINT_ALL, &m->diag);
	policy_unref(policy);
	assert_int_equal(!ok, m->diag.n_errors > 0);
	return ok;
}

static void clean(const char *text)
{
	if (!lint_at(text, 0) || m->diag.n_warnings) {
		fail_msg("%s", m->text);
	}
}

static void found(unsigned errors, unsigned warnings, const char *part)
{
	if (m->diag.n_errors != errors || m->diag.n_warnings != warnings || !strstr(m->text, part)) {
		fail_msg("wanted %u errors, %u warnings, '%s', got:\n%s", errors, warnings, part, m->text);
	}
}

static void fails(const char *text, unsigned errors, const char *part)
{
	assert_false(lint_at(text, 0));
	found(errors, m->diag.n_warnings, part);
}

static void warns(const char *text, unsigned warnings, const char *part)
{
	assert_true(lint_at(text, 0) || !m->text[0]);
	found(0, warnings, part);
}

#define SERVER(more) "accept *:443 tls { certificate chain-under-inter.pem; key under-inter.key; " more " }\n"
#define TRUST "connect *:1 tls { trust ca.pem }\n"

static void a_good_policy_is_clean(void **state)
{
	(void)state;
	clean(SERVER(""));
	clean(SERVER("client-auth require; trust ca.pem; allow-peer *.example; alpn h2; versions 1.2-1.3"));
	clean("connect *.example:443 tls { trust ca.pem; certificate client.pem; key client.key }\n"
	      "connect 10.0.0.0/8:80 plain\nconnect *:23 deny\n");
	clean("connect *:443 tls\n");
	/* A lone certificate is complete when a rule trusts its issuer. */
	clean("accept *:443 tls { certificate server.pem; key server.key }\n" TRUST);
}

static void an_empty_policy_protects_nothing(void **state)
{
	(void)state;
	warns("# nothing\n", 1, "the policy has no rules");
}

static void missing_files_are_named_with_place_and_reason(void **state)
{
	char part[PATH_MAX + 200];

	(void)state;
	fails("accept *:443 tls {\n  certificate no.pem\n  key no.key\n  client-auth require; trust no-ca.pem\n}\n", 3,
	      "t.policy:2:15: error: cannot read certificate ");
	(void)snprintf(part, sizeof(part), "t.policy:3:7: error: cannot read key %s/no.key: No such file or directory", dir);
	found(3, 0, part);
	found(3, 0, "t.policy:4:30: error: cannot read trusted certificates ");
	fails("accept *:443 tls { certificate .; key server.key }\n", 1, "is a directory, expected a regular file");
	fails("connect *:1 tls { trust /dev/null }\n", 1, "expected a regular file");
}

static void fifos_are_refused_without_waiting(void **state)
{
	char path[PATH_MAX], text[PATH_MAX + 100];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/fifo", scratch);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)snprintf(text, sizeof(text), "accept *:443 tls { certificate server.pem; key %s }", path);
	fails(text, 1, "is a pipe, socket or device");
}

static void files_have_limits(void **state)
{
	char path[PATH_MAX], text[PATH_MAX + 100];
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/huge", scratch);
	fd = creat(path, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 17), 0);
	(void)close(fd);
	(void)snprintf(text, sizeof(text), "accept *:443 tls { certificate server.pem; key %s }", path);
	fails(text, 1, "larger than the limit of 65536 bytes");
}

static void credentials_must_fit_together(void **state)
{
	(void)state;
	fails("accept *:443 tls { certificate server.pem; key client.key }", 1, "does not belong to the certificate");
	fails("accept *:443 tls { certificate server.key; key server.key }", 1, "t.policy:1:32: error: cannot use certificate");
	fails("accept *:443 tls { certificate server.pem; key server.pem }", 1, "cannot use certificate");
	fails("accept *:443 tls { certificate server.pem; key server.encrypted.key }", 1, "encrypted");
	fails("connect *:1 tls { trust server.key }", 1, "no certificate found in");
}

static void certificates_must_be_in_their_time(void **state)
{
	(void)state;
	fails("accept *:443 tls { certificate expired.pem; key expired.key }\n" TRUST, 1, "expired 10 days ago");
	fails("accept *:443 tls { certificate future.pem; key future.key }\n" TRUST, 1, "is not valid yet");
	fails("connect *:443 tls { trust ca.pem; certificate client-expired.pem; key client-expired.key }\n", 1, "expired");
	assert_true(lint_at(SERVER(""), 45 * 86400));
	found(0, 0, "");
	assert_true(lint_at(SERVER(""), 50 * 86400));
	found(0, 1, "expires in 9 days");
	assert_false(lint_at(SERVER(""), 61 * 86400));
	found(1, 0, "expired 1 day ago");
}

static void lone_certificates_of_unknown_issuers_are_doubted(void **state)
{
	(void)state;
	warns("accept *:443 tls { certificate under-inter.pem; key under-inter.key }\n" TRUST, 0, "may be incomplete");
	warns("accept *:443 tls { certificate server.pem; key server.key }\n", 0, "may be incomplete");
}

static void certificates_without_names_are_told(void **state)
{
	(void)state;
	warns("accept *:443 tls { certificate client-plain.pem; key client-plain.key }\n" TRUST, 1, "no subjectAltName");
	clean("connect *:443 tls { trust ca.pem; certificate client-plain.pem; key client-plain.key }\n");
}

static void keys_that_others_can_read_are_told(void **state)
{
	static const struct {
		mode_t mode;
		const char *part;
	} rows[] = {{0644, "can be read by others (mode 0644)"}, {0620, "can be changed by others (mode 0620)"}};
	char command[3 * PATH_MAX], path[PATH_MAX], text[PATH_MAX + 200];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/open.key", scratch);
	(void)snprintf(command, sizeof(command), "cp %s/under-inter.key %s", dir, path);
	assert_int_equal(system(command), 0);
	(void)snprintf(text, sizeof(text), "accept *:443 tls { certificate chain-under-inter.pem; key %s }", path);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(chmod(path, rows[i].mode), 0);
		warns(text, 1, rows[i].part);
	}
	assert_int_equal(chmod(path, 0640), 0); /* a group such as ssl-cert is common */
	clean(text);
}

static void weak_settings_are_told(void **state)
{
	(void)state;
	warns("connect *:443 tls { verify none }", 1, "verify none: the peer may be anyone");
	warns("connect *:443 tls { verify none; trust ca.pem }", 2, "'trust' has no effect");
	warns("connect *:443 tls { verify chain }", 1, "verify chain with the system's authorities");
	clean("connect *:443 tls { verify chain; trust ca.pem }");
	clean("connect *:443 tls { truncation ignore; trust ca.pem }");
	found(0, 0, "note: truncation ignore");
	warns(SERVER("trust ca.pem"), 1, "'trust' has no effect");
	warns(SERVER("client-auth require; trust system"), 1, "any public authority");
	warns(SERVER("client-auth request; trust ca.pem; allow-peer a.b"), 1, "without a certificate are let in");
	warns(SERVER("client-auth require; verify none"), 1, "verify none");
	clean("default { trust ca.pem; verify full }\n" SERVER(""));
}

static void mistakes_in_defaults_are_told_once(void **state)
{
	(void)state;
	fails("default { trust no.pem }\nconnect a:1 tls\nconnect b:1 tls\nconnect c:1 tls { alpn h2 }\n", 1,
	      "t.policy:1:17: error: cannot read trusted certificates");
	warns("default { verify none }\nconnect a:1 tls\nconnect b:1 tls\n", 1, "verify none");
}

static void what_is_not_available_is_an_error(void **state)
{
	(void)state;
	fails("connect *:25 starttls smtp\n", 1, "t.policy:1:1: error: starttls is not available in this version");
	fails("accept *:443 permissive { certificate server.pem; key server.key }\n", 1,
	      "permissive is not available in this version");
}

#define CA "connect *:443 tls { trust ca.pem; "
#define ONE_KEY(name, more) "accept *:443 tls { certificate " name ".pem; key " name ".key; " more " }\n" TRUST

static void old_algorithms_are_told_loudly(void **state)
{
	(void)state;
	warns(CA "profile legacy }", 1,
	      "t.policy:1:35: warning: profile legacy: allows key exchange without forward secrecy (RSA), DHE, CBC suites and "
	      "renegotiation");
	warns(ONE_KEY("server", "profile legacy"), 1, "CBC suites and renegotiation, and signing with SHA-1, for peers");
	warns(ONE_KEY("server", "profile legacy; signature-algorithms rsa_pkcs1_sha256 ecdsa_secp256r1_sha256"), 1,
	      "CBC suites and renegotiation, for peers");
	warns(CA "profile legacy; versions 1.0-1.3 }", 2,
	      "t.policy:1:51: warning: versions 1.0-1.3: TLS 1.0 and 1.1 rest on MD5 and SHA-1 and MUST NOT be used (RFC 8996)");
	warns(CA "profile legacy; versions 1.1 }", 2, "versions 1.1: TLS 1.0 and 1.1");
	clean(CA "profile modern }");
	clean(CA "profile default; versions 1.2 }");
}

static void algorithms_must_go_together(void **state)
{
	(void)state;
	fails(CA "versions 1.3\n suites TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 }", 1,
	      "t.policy:2:2: error: no cipher suite is left for TLS 1.3: name one of that version, or leave the version out");
	fails(CA "suites ECDHE-RSA-AES128-GCM-SHA256 }", 1, "no cipher suite is left for TLS 1.3");
	fails(CA "suites TLS_AES_128_GCM_SHA256\n suites AES128-SHA }", 1,
	      "t.policy:2:9: error: TLS_RSA_WITH_AES_128_CBC_SHA needs profile legacy");
	fails(CA "profile modern; suites ECDHE-RSA-AES128-GCM-SHA256 }", 1,
	      "is not in profile modern, which is TLS 1.3 alone: it needs profile default or legacy");
	fails(CA "groups ffdhe2048 }", 1, "ffdhe2048 needs profile legacy");
	fails(CA "groups x25519 X25519 }", 1, "t.policy:1:35: error: x25519 is named twice");
	fails(CA "signature-algorithms rsa_pkcs1_sha256 }", 1, "no signature scheme is left for the cipher suites of TLS 1.3");
	clean(CA "versions 1.2; suites ECDHE-RSA-AES128-GCM-SHA256; groups P-256; signature-algorithms rsa_pkcs1_sha256 }");
}

static void keys_must_fit_the_algorithms(void **state)
{
	(void)state;
	fails(ONE_KEY("server", "versions 1.2; suites ECDHE-RSA-AES128-GCM-SHA256"), 1,
	      "error: the certificate of CN=server (EC P-256) can never be used");
	warns(ONE_KEY("server", "suites TLS_AES_128_GCM_SHA256 ECDHE-RSA-AES128-GCM-SHA256"), 1,
	      "warning: TLS 1.2 will never be spoken");
	warns("accept *:443 tls { certificate server.pem; key server.key; certificate server-rsa2048.pem\n"
	      " key server-rsa2048.key; profile modern; signature-algorithms ecdsa_secp256r1_sha256 }\n" TRUST, 1,
	      "t.policy:2:42: warning: the certificate of CN=server-rsa2048 (RSA 2048) can never be used");
	clean("accept *:443 tls { certificate server.pem; key server.key; certificate server-rsa2048.pem; key server-rsa2048.key }\n"
	      "connect *:1 tls { trust ca.pem ca-rsa.pem }\n");
}

static void each_of_several_certificates_is_looked_at(void **state)
{
	(void)state;
	fails("accept *:443 tls { certificate server.pem; key server.key\n certificate expired.pem; key expired.key }\n" TRUST, 1,
	      "t.policy:2:14: error: certificate ");
	found(1, 0, "expired 10 days ago");
	fails("accept *:443 tls { certificate server.pem; key server.key\n certificate client.pem; key under-inter.key }\n", 1,
	      "t.policy:2:14: error: cannot use certificate");
	fails("accept *:443 tls { certificate server.pem nowhere.pem; key server.key server.key }\n", 1,
	      "t.policy:1:43: error: cannot read certificate");
}

static const char *write_file(const char *name, const void *bytes, size_t len)
{
	static char path[PATH_MAX];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", scratch, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
	return path;
}

/* A server with these files of the scratch folder as ticket keys; b may be "". */
static const char *tickets(const char *a, const char *b)
{
	static char text[3 * PATH_MAX];

	(void)snprintf(text, sizeof(text), SERVER("ticket-keys %s/%s %s%s%s"), scratch, a, b[0] ? scratch : "",
		       b[0] ? "/" : "", b);
	return text;
}

static void ticket_keys_are_random_and_have_48_bytes(void **state)
{
	static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F202122232425262728292a2b2c2d2e2f\n";
	char key[48];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++) {
		key[i] = (char)(i * 7);
	}
	(void)write_file("raw", key, 48);
	(void)write_file("short", key, 47);
	(void)write_file("zeros", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 48);
	(void)write_file("hex", hex, strlen(hex));
	(void)write_file("nohex", "zz0102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F202122232425262728292a2b2c2d2e2f", 96);
	(void)write_file("empty", "", 0);
	clean(tickets("raw", "hex"));
	clean(tickets("hex", ""));
	fails(tickets("raw", "raw"), 1, "two of these ticket keys have the same name: each must be made anew");
	fails(tickets("short", ""), 1, "found 47 bytes in ticket key ");
	found(1, 0, "expected 48 random bytes or 96 hexadecimal digits; make one with `head -c 48 /dev/urandom`");
	fails(tickets("nohex", ""), 1, "found 96 bytes in ticket key ");
	fails(tickets("empty", ""), 1, "found 0 bytes in ticket key ");
	fails(tickets("zeros", ""), 1, "all bytes of ticket key ");
	fails(tickets("none", ""), 1, "cannot read ticket key ");
	assert_int_equal(chmod(write_file("raw", key, 48), 0644), 0);
	warns(tickets("raw", ""), 1, "/raw can be read by others (mode 0644): make it 0600");
}

static void options_of_resumption_without_effect_are_told(void **state)
{
	char text[PATH_MAX + 300];

	(void)state;
	warns(CA "session-cache off; session-lifetime 60 }", 1, "'session-lifetime' has no effect with 'session-cache off' in line 1");
	warns("default { session-cache off }\n" CA "session-lifetime 60 }", 1, "has no effect with 'session-cache off' in line 1");
	clean("default { session-lifetime 60 }\n" CA "session-cache off }");
	(void)snprintf(text, sizeof(text), SERVER("session-cache off; ticket-keys %s/hex"), scratch);
	warns(text, 1, "'ticket-keys' has no effect");
}

static void revocation_lists_are_read_and_dated(void **state)
{
	(void)state;
	clean(CA "crl none.crl }");
	clean(CA "crl none.crl none-inter.crl }");
	warns(CA "crl none.crl\n crl expired-list.crl }", 1, "t.policy:2:6: warning: revocation list ");
	found(0, 1, "expired-list.crl of CN=ca is out of date since 10 days: certificates that it issued are refused");
	warns(CA "crl future-list.crl }", 1, "is not valid yet");
	assert_true(lint_at(CA "crl none.crl }", 61 * 86400));
	found(0, 1, "is out of date since 1 day: ");
	fails(CA "crl delta.crl }", 1, "cannot use revocation list ");
	fails(CA "crl ca.pem }", 1, "there is no CRL (no PEM block X509 CRL, and no DER)");
	fails(CA "crl nowhere.crl }", 1, "t.policy:1:39: error: cannot read revocation list ");
	warns(SERVER("crl none.crl"), 1, "'crl' has no effect: without 'client-auth' no client is asked");
	clean("default { crl expired-list.crl }\n" SERVER("")); /* not in force */
}

static void ocsp_responses_are_read_and_dated(void **state)
{
	static const char one[] = "accept *:443 tls { certificate server.pem; key server.key; ocsp-response good.ocsp }\n" TRUST;

	(void)state;
	clean(one);
	clean("accept *:443 tls { certificate chain-under-inter.pem; key under-inter.key\n"
	      " certificate server.pem; key server.key; ocsp-response good.ocsp }\n" TRUST);
	assert_true(lint_at(one, 8 * 86400));
	found(0, 1, "t.policy:1:32: warning: the OCSP response for certificate ");
	found(0, 1, "(CN=server) is out of date: it will not be sent");
	fails("accept *:443 tls { certificate server.pem; key server.key\n ocsp-response good.ocsp\n"
	      " certificate chain-under-inter.pem; key under-inter.key; ocsp-response good.ocsp }\n" TRUST, 1,
	      "t.policy:3:72: error: cannot use OCSP response ");
	fails("accept *:443 tls { certificate server.pem; key server.key; ocsp-response revoked.ocsp }\n", 1,
	      "the OCSP response says that the certificate is revoked");
	fails("accept *:443 tls { certificate server.pem; key server.key; ocsp-response server.pem }\n", 1,
	      "cannot use OCSP response ");
	fails("accept *:443 tls { certificate server.pem; key server.key; ocsp-response none.ocsp }\n", 1,
	      "t.policy:1:74: error: cannot read OCSP response ");
}

static void pins_and_common_names_are_told(void **state)
{
#define PIN_A "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define PIN_B "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	(void)state;
	clean(CA "pin " PIN_A " }");
	found(0, 0, "t.policy:1:35: note: one pin alone");
	clean(CA "pin " PIN_A " " PIN_B " }");
	assert_null(strstr(m->text, "one pin"));
	clean("connect *:443 tls { verify none; pin " PIN_A " " PIN_B " }");
	warns(SERVER("client-auth request; trust ca.pem; pin " PIN_A " " PIN_B), 1,
	      "'pin' with 'client-auth request': clients without a certificate are let in");
	clean(SERVER("client-auth require; trust system; pin " PIN_A " " PIN_B));
	warns(CA "common-name allow }", 1, "common-name allow: certificates without names are taken by their common name");
	warns(CA "common-name allow; verify chain }", 1, "'common-name' has no effect: names are not verified");
	clean(CA "common-name refuse; require-ocsp yes }");
}

static void padding_needs_tls_1_3(void **state)
{
	(void)state;
	clean(CA "padding 512 }");
	warns(CA "padding 512; versions 1.2 }", 1, "'padding' has no effect without TLS 1.3");
}

static void rules_that_never_win_are_told(void **state)
{
	(void)state;
	warns("connect *:443 deny\nconnect a.example:443 plain\n", 1,
	      "t.policy:2:1: warning: this rule can never win: the rule in line 1 comes first and covers a.example:443");
	warns("connect 10.0.0.0/8:1-100 deny\nconnect 10.1.0.0/16:80 plain\n", 1, "can never win");
	warns("connect *:80 deny\nconnect *:81 deny\nconnect a:80, b:81 plain\n", 1, "t.policy:3:1: warning: this rule");
	warns("connect *:80 deny\nconnect a:80, b:81 plain\n", 1, "t.policy:2:9: warning: a:80 can never win");
	warns("connect *:80 program x deny\nconnect *:80 program x user 0 deny\n", 1, "can never win");
	clean("connect *:80 program x deny\nconnect *:80 deny\n");
	clean("connect *:80 user 0 deny\nconnect *:80 user 1 deny\n");
	clean("connect *:80 deny\naccept *:80 deny\n");
	clean("connect a:80 deny\nconnect *:80 deny\n");
}

static void address_rules_behind_name_rules_are_told(void **state)
{
	(void)state;
	warns("connect a.example:80 plain\nconnect 10.0.0.1:80 plain\n", 1,
	      "t.policy:2:9: warning: connections to 10.0.0.1:80 whose name is not known are refused by the rule by name "
	      "in line 1");
	clean("connect 10.0.0.1:80 plain\nconnect a.example:80 plain\n");
	clean("connect a.example:80 plain\nconnect 10.0.0.1:81 plain\n");
	clean("connect a.example:80 program x plain\nconnect 10.0.0.1:80 program y plain\n");
}

static void directories_of_certificates_are_trusted(void **state)
{
	char command[3 * PATH_MAX], text[PATH_MAX + 100];

	(void)state;
	(void)snprintf(command, sizeof(command),
		       "mkdir %s/cas && cp %s/ca.pem %s/cas/a.pem && cp %s/other-ca.pem %s/cas/b.crt && "
		       "echo rubbish >%s/cas/README",
		       scratch, dir, scratch, dir, scratch, scratch);
	assert_int_equal(system(command), 0);
	(void)snprintf(text, sizeof(text), "connect *:443 tls { trust %s/cas }", scratch);
	clean(text);
	(void)snprintf(command, sizeof(command), "mkdir %s/none && echo x >%s/none/x.txt", scratch, scratch);
	assert_int_equal(system(command), 0);
	(void)snprintf(text, sizeof(text), "connect *:443 tls { trust %s/none }", scratch);
	fails(text, 1, "in files that end in .pem, .crt or .cer");
}

static void lint_of_a_huge_policy_ends(void **state)
{
	size_t size = 1 << 20, len = 0;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < 4096; i++) {
		len += (size_t)snprintf(text + len, size - len, "connect n%u:1, n%u:2, n%u:3, n%u:4 deny\n", i, i, i, i);
	}
	assert_true(lint_at(text, 0));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_policy_is_clean),
		cmocka_unit_test(an_empty_policy_protects_nothing),
		cmocka_unit_test(missing_files_are_named_with_place_and_reason),
		cmocka_unit_test(fifos_are_refused_without_waiting),
		cmocka_unit_test(files_have_limits),
		cmocka_unit_test(credentials_must_fit_together),
		cmocka_unit_test(certificates_must_be_in_their_time),
		cmocka_unit_test(lone_certificates_of_unknown_issuers_are_doubted),
		cmocka_unit_test(certificates_without_names_are_told),
		cmocka_unit_test(keys_that_others_can_read_are_told),
		cmocka_unit_test(weak_settings_are_told),
		cmocka_unit_test(mistakes_in_defaults_are_told_once),
		cmocka_unit_test(what_is_not_available_is_an_error),
		cmocka_unit_test(old_algorithms_are_told_loudly),
		cmocka_unit_test(algorithms_must_go_together),
		cmocka_unit_test(keys_must_fit_the_algorithms),
		cmocka_unit_test(each_of_several_certificates_is_looked_at),
		cmocka_unit_test(ticket_keys_are_random_and_have_48_bytes),
		cmocka_unit_test(options_of_resumption_without_effect_are_told),
		cmocka_unit_test(revocation_lists_are_read_and_dated),
		cmocka_unit_test(ocsp_responses_are_read_and_dated),
		cmocka_unit_test(pins_and_common_names_are_told),
		cmocka_unit_test(padding_needs_tls_1_3),
		cmocka_unit_test(rules_that_never_win_are_told),
		cmocka_unit_test(address_rules_behind_name_rules_are_told),
		cmocka_unit_test(directories_of_certificates_are_trusted),
		cmocka_unit_test(lint_of_a_huge_policy_ends),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
