/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in certificates, RFC 9525: what fits, and above all what does not.
 */
#include "tests/pki/pki.h"

#include "engine/verify_name.h"

static bool has(const char *cert_file, const char *name)
{
	struct pki_chain chain = {.n = 0};
	struct certificate cert;
	const char *what;
	pki_chain_add(&chain, cert_file);
	assert_true(certificate_parse(view_of(chain.der[0], chain.len[0]), &cert, &what));
	bool answer = certificate_has_name(&cert, name, false);
	pki_chain_free(&chain);
	return answer;
}

static void dns_names_are_compared_without_case(void **state)
{
	(void)state;
	assert_true(has("server.pem", "localhost"));
	assert_true(has("server.pem", "LOCALHOST"));
	assert_true(has("upper.pem", "upper.example.com"));
	assert_true(has("server.pem", "server.example"));
	assert_true(has("server.pem", "server.example."));
	assert_false(has("server.pem", "server.example.."));
	assert_false(has("server.pem", ".server.example"));
	assert_false(has("server.pem", "server.exampl"));
	assert_false(has("server.pem", "server.example.com"));
	assert_false(has("server.pem", "xserver.example"));
	assert_false(has("server.pem", ""));
	assert_false(has("server.pem", "."));
}

static void a_wildcard_stands_for_one_whole_label(void **state)
{
	(void)state;
	assert_true(has("wildcard.pem", "a.example.com"));
	assert_true(has("wildcard.pem", "A.EXAMPLE.com."));
	assert_true(has("wildcard.pem", "xn--bcher-kva.example.com"));
	assert_false(has("wildcard.pem", "example.com"));
	assert_false(has("wildcard.pem", ".example.com"));
	assert_false(has("wildcard.pem", "a.b.example.com"));
	assert_false(has("wildcard.pem", "aexample.com"));
	/* DNS:*.com, DNS:a.*.example.org, DNS:w*.example.net and DNS:* are for nobody */
	assert_false(has("wildcard.pem", "other.com"));
	assert_false(has("wildcard.pem", "a.b.example.org"));
	assert_false(has("wildcard.pem", "www.example.net"));
	assert_false(has("wildcard.pem", "localhost"));
	/* a name that is asked for is never a pattern */
	assert_false(has("wildcard.pem", "*.example.com"));
	assert_false(has("wildcard.pem", "*"));
}

static void only_names_in_ascii_are_asked_for(void **state)
{
	(void)state;
	char name[80];
	assert_false(has("wildcard.pem", "b\xc3\xbc"
					 "cher.example.com"));
	assert_false(has("wildcard.pem", "a b.example.com"));
	assert_false(has("wildcard.pem", "a/b.example.com"));
	assert_true(has("wildcard.pem", "a_b.example.com"));
	(void)snprintf(name, sizeof(name), "%063d.example.com", 1);
	assert_true(has("wildcard.pem", name));
	(void)snprintf(name, sizeof(name), "%064d.example.com", 1);
	assert_false(has("wildcard.pem", name));
	/* spellings of addresses are no names */
	assert_false(has("ip-as-dns.pem", "127.1"));
	assert_false(has("ip-as-dns.pem", "2130706433"));
	assert_false(dns_name_is_valid("127.1"));
	assert_true(dns_name_is_valid("1.example"));
	assert_true(dns_name_is_valid("127.0.0.1a"));
}

static void addresses_match_address_entries_only(void **state)
{
	(void)state;
	assert_true(has("server.pem", "127.0.0.1"));
	assert_true(has("server.pem", "::1"));
	assert_true(has("server.pem", "[::1]"));
	assert_true(has("server.pem", "0:0:0:0:0:0:0:1"));
	assert_true(has("ip-only.pem", "2001:DB8:0::1"));
	assert_false(has("server.pem", "127.0.0.2"));
	assert_false(has("server.pem", "::2"));
	/* an IPv4 address in IPv6 clothes is another */
	assert_false(has("server.pem", "::ffff:127.0.0.1"));
	/* a DNS entry that looks like an address is none */
	assert_false(has("ip-as-dns.pem", "127.0.0.1"));
	assert_false(has("wildcard.pem", "127.0.0.1"));
}

static void a_common_name_never_counts(void **state)
{
	(void)state;
	assert_false(has("no-san.pem", "localhost"));
	assert_false(has("ip-only.pem", "ip-only"));
}

static void a_nul_ends_nothing(void **state)
{
	(void)state;
	/* the entry is localhost, NUL, .evil.exampl */
	assert_false(has("nul.pem", "localhost"));
	assert_false(has("nul.pem", ".evil.exampl"));
}

static void a_certificate_needs_no_subject(void **state)
{
	(void)state;
	struct pki_chain chain = {.n = 0};
	struct certificate cert;
	const char *what;
	char text[128];
	pki_chain_add(&chain, "no-subject.pem wildcard.pem ip-only.pem server.pem");
	assert_true(certificate_parse(view_of(chain.der[0], chain.len[0]), &cert, &what));
	certificate_text(&cert, text, sizeof(text));
	assert_string_equal(text, "unnamed.example");
	assert_true(certificate_has_name(&cert, "unnamed.example", false));
	assert_true(certificate_has_server_name(&cert));

	assert_true(certificate_parse(view_of(chain.der[1], chain.len[1]), &cert, &what));
	certificate_names_text(&cert, text, sizeof(text));
	assert_string_equal(text, "*.example.com, *.com, a.*.example.org, w*.example.net, *");
	certificate_names_text(&cert, text, 36);
	assert_string_equal(text, "*.example.com, *.com, ...");
	for (size_t size = 16; size < sizeof(text); size++) {
		certificate_names_text(&cert, text, size);
		assert_true(strlen(text) < size);
	}
	assert_true(certificate_parse(view_of(chain.der[2], chain.len[2]), &cert, &what));
	certificate_names_text(&cert, text, sizeof(text));
	assert_string_equal(text, "127.0.0.1, 2001:db8::1");
	pki_chain_free(&chain);
}

static void names_for_certificates_are_checked(void **state)
{
	(void)state;
	static const char *const good[] = {"localhost", "a.b.c", "*.example.com", "x_y.example", "1.2.3.4.e"};
	static const char *const bad[] = {"",      ".",    "a.",  ".a",  "a..b",     "a b",      "*",
					  "a.*.b", "w*.b", "a/b", "a:b", "\xc3\xa4", "1.2.3.4.5"};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(dns_name_is_valid(good[i]));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(dns_name_is_valid(bad[i]));
	}
	char long_name[300];
	memset(long_name, 'a', sizeof(long_name));
	long_name[63] = long_name[127] = long_name[191] = '.';
	long_name[253] = '\0';
	assert_true(dns_name_is_valid(long_name));
	long_name[253] = 'a';
	long_name[254] = '\0';
	assert_false(dns_name_is_valid(long_name));
}

static void address_literals_are_told_from_names(void **state)
{
	(void)state;
	uint8_t out[16];
	assert_int_equal(address_parse("10.0.0.1", out), 4);
	assert_int_equal(address_parse("::", out), 16);
	assert_int_equal(address_parse("[2001:db8::1]", out), 16);
	assert_int_equal(address_parse("fe80::1%eth0", out), 16);
	assert_int_equal(address_parse("10.0.0", out), 0);
	assert_int_equal(address_parse("[10.0.0.1]", out), 0);
	assert_int_equal(address_parse("localhost", out), 0);
	assert_int_equal(address_parse("", out), 0);
	assert_int_equal(address_parse("[]", out), 0);
	assert_int_equal(address_parse("[", out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dns_names_are_compared_without_case),
		cmocka_unit_test(a_wildcard_stands_for_one_whole_label),
		cmocka_unit_test(only_names_in_ascii_are_asked_for),
		cmocka_unit_test(addresses_match_address_entries_only),
		cmocka_unit_test(a_common_name_never_counts),
		cmocka_unit_test(a_nul_ends_nothing),
		cmocka_unit_test(a_certificate_needs_no_subject),
		cmocka_unit_test(names_for_certificates_are_checked),
		cmocka_unit_test(address_literals_are_told_from_names),
	};
	return cmocka_run_group_tests(tests, pki_setup, NULL);
}
