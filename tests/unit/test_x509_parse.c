/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DER, dates, PEM and the form of certificates: only what the standards allow is read.
 */
#include "tests/pki/pki.h"

#include "engine/x509_parse.h"
#include "engine/x509_pem.h"
#include "engine/x509_time.h"

#define V(literal) view_of((const uint8_t *)(literal), sizeof(literal) - 1)

static void lengths_have_one_form(void **state)
{
	(void)state;
	static const struct {
		struct view der;
		bool good;
	} cases[] = {
		{{(const uint8_t *)"\x04\x00", 2}, true},
		{{(const uint8_t *)"\x04\x01x", 3}, true},
		{{(const uint8_t *)"\x04\x02x", 3}, false},        /* too long */
		{{(const uint8_t *)"\x04", 1}, false},             /* no length */
		{{(const uint8_t *)"\x04\x80x\0\0", 5}, false},    /* indefinite */
		{{(const uint8_t *)"\x04\x81\x01x", 4}, false},    /* longer than needed */
		{{(const uint8_t *)"\x04\x82\x00\x81", 4}, false}, /* longer than needed */
		{{(const uint8_t *)"\x04\x84\x00\x00\x00\x01x", 7}, false},
		{{(const uint8_t *)"\x04\x88\xff\xff\xff\xff\xff\xff\xff\xff", 10}, false},
		{{(const uint8_t *)"\x04\xff", 2}, false},
		{{(const uint8_t *)"\x1f\x01x", 3}, false}, /* a tag of several bytes */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct view in = cases[i].der;
		struct view contents;
		uint8_t tag;
		assert_int_equal(der_any(&in, &tag, &contents, NULL), cases[i].good);
		/* a reader that fails has moved nothing */
		assert_int_equal(in.len, cases[i].good ? 0 : cases[i].der.len);
	}
	uint8_t long_one[3 + 200] = {0x04, 0x81, 200};
	struct view in = view_of(long_one, sizeof(long_one));
	struct view contents, whole;
	assert_true(der_take_whole(&in, DER_OCTET_STRING, &contents, &whole));
	assert_int_equal(contents.len, 200);
	assert_int_equal(whole.len, 203);
	assert_true(der_end(&in));
}

static void numbers_have_one_form(void **state)
{
	(void)state;
	static const struct {
		struct view der;
		int64_t value; /* -1: refused */
	} cases[] = {
		{{(const uint8_t *)"\x02\x01\x00", 3}, 0},
		{{(const uint8_t *)"\x02\x01\x7f", 3}, 127},
		{{(const uint8_t *)"\x02\x02\x00\x80", 4}, 128},
		{{(const uint8_t *)"\x02\x04\x7f\xff\xff\xff", 6}, 0x7fffffff},
		{{(const uint8_t *)"\x02\x05\x00\x80\x00\x00\x00", 7}, -1},
		{{(const uint8_t *)"\x02\x00", 2}, -1},
		{{(const uint8_t *)"\x02\x01\x80", 3}, -1},
		{{(const uint8_t *)"\x02\x02\x00\x7f", 4}, -1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct view in = cases[i].der;
		uint32_t value = 0;
		bool taken = der_small(&in, &value);
		assert_int_equal(taken, cases[i].value >= 0);
		assert_true(!taken || value == cases[i].value);
	}
	bool b;
	struct view yes = V("\x01\x01\xff"), one = V("\x01\x01\x01");
	assert_true(der_boolean(&yes, &b) && b);
	assert_false(der_boolean(&one, &b));
	uint16_t bits;
	struct view usage = V("\x03\x02\x05\xa0"), stray = V("\x03\x02\x05\xa1"), none = V("\x03\x01\x00"),
		    odd = V("\x03\x01\x05");
	assert_true(der_named_bits(&usage, &bits));
	assert_int_equal(bits, 0xa000);
	assert_false(der_named_bits(&stray, &bits));
	assert_true(der_named_bits(&none, &bits));
	assert_int_equal(bits, 0);
	assert_false(der_named_bits(&odd, &bits));
}

static void dates_agree_with_libc(void **state)
{
	(void)state;
	for (int64_t t = -62135596800; t < 253402300800; t += 86400 * 37 + 12345) {
		time_t libc = (time_t)t;
		struct tm tm;
		int64_t back;
		assert_non_null(gmtime_r(&libc, &tm));
		struct civil_time c = civil_from_seconds(t);
		assert_int_equal(c.year, tm.tm_year + 1900);
		assert_int_equal(c.month, tm.tm_mon + 1);
		assert_int_equal(c.day, tm.tm_mday);
		assert_int_equal(c.hour * 3600 + c.minute * 60 + c.second,
				 tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
		assert_true(civil_to_seconds(&c, &back));
		assert_true(back == t);
	}
	char text[CIVIL_DATE_MAX];
	civil_date(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31");
	civil_date(INT64_MIN, text);
	assert_string_equal(text, "0000-03-01");
	civil_date(951782400, text);
	assert_string_equal(text, "2000-02-29");
}

static void only_the_dates_of_rfc_5280_are_read(void **state)
{
	(void)state;
	int64_t t;
	static const struct {
		const char *text;
		int64_t seconds; /* -1: refused */
	} cases[] = {
		{"\x17\x0d"
		 "700101000000Z",
		 0},
		{"\x17\x0d"
		 "491231235959Z",
		 2524607999},
		{"\x17\x0d"
		 "500101000000Z",
		 -631152000},
		{"\x18\x0f"
		 "20500101000000Z",
		 2524608000},
		{"\x18\x0f"
		 "99991231235959Z",
		 253402300799},
		{"\x17\x0d"
		 "230229000000Z",
		 -1},
		{"\x17\x0d"
		 "231301000000Z",
		 -1},
		{"\x17\x0d"
		 "230100000000Z",
		 -1},
		{"\x17\x0d"
		 "230101240000Z",
		 -1},
		{"\x17\x0d"
		 "230101006000Z",
		 -1},
		{"\x17\x0b"
		 "2301010000Z",
		 -1},
		{"\x17\x0d"
		 "2301010000000",
		 -1},
		{"\x17\x11"
		 "230101000000+0100",
		 -1},
		{"\x18\x11"
		 "20230101000000.5Z",
		 -1},
		{"\x17\x0d"
		 "23010100000xZ",
		 -1},
		{"\x16\x0d"
		 "700101000000Z",
		 -1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct view in = view_of((const uint8_t *)cases[i].text, strlen(cases[i].text));
		bool taken = der_time(&in, &t);
		assert_true(taken == (cases[i].seconds != -1));
		assert_true(!taken || t == cases[i].seconds);
	}
}

/* One change in a good certificate, where the first occurrence of `from` is. */
static bool parses_with(const char *from, size_t from_len, const char *to, const char **what)
{
	struct pki_chain chain = {.n = 0};
	struct certificate cert;
	pki_chain_add(&chain, "server.pem");
	uint8_t *at = memmem(chain.der[0], chain.len[0], from, from_len);
	assert_non_null(at);
	memcpy(at, to, from_len);
	bool ok = certificate_parse(view_of(chain.der[0], chain.len[0]), &cert, what);
	pki_chain_free(&chain);
	return ok;
}

static void certificates_of_wrong_form_are_refused(void **state)
{
	(void)state;
	const char *what;
#define WITH(from, to) parses_with((from), sizeof(from) - 1, (to), &what)
	assert_true(WITH("\x55\x1d\x11", "\x55\x1d\x11"));
	/* keyUsage becomes a second basicConstraints; an unknown extension is none of our business */
	assert_false(WITH("\x06\x03\x55\x1d\x23", "\x06\x03\x55\x1d\x0e"));
	assert_string_equal(what, "it has an extension twice");
	assert_true(WITH("\x06\x03\x55\x1d\x23", "\x06\x03\x55\x1d\x70"));
	/* version 4; extensions in version 1 and 2 */
	assert_false(WITH("\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x03"));
	assert_false(WITH("\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x01"));
	assert_false(WITH("\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x00"));
	/* the first of the two signature algorithms */
	assert_false(WITH("\x2a\x86\x48\xce\x3d\x04\x03\x02", "\x2a\x86\x48\xce\x3d\x04\x03\x03"));
	assert_string_equal(what, "it names two different signature algorithms");
	/* months run to twelve */
	assert_false(parses_with("\x17\x0d"
				 "26",
				 4,
				 "\x17\x0d"
				 "9z",
				 &what));
	assert_string_equal(what, "its validity is malformed");
#undef WITH
	struct certificate cert;
	uint8_t *large = calloc(1, CERTIFICATE_MAX_LEN + 1);
	assert_false(certificate_parse(view_of(large, CERTIFICATE_MAX_LEN + 1), &cert, &what));
	assert_string_equal(what, "it is too large");
	assert_false(certificate_parse(view_of(large, 0), &cert, &what));
	free(large);
}

static bool decode(const char *text, struct pem_block *block, uint8_t *out, size_t *len)
{
	struct view in = view_of((const uint8_t *)text, strlen(text));
	return pem_next(&in, block) && pem_decode(block, out, len);
}

static void pem_is_read_with_anything_around_it(void **state)
{
	(void)state;
	struct pem_block block;
	uint8_t out[100];
	size_t len;
#define PEM(body) "-----BEGIN CERTIFICATE-----" body "\n-----END CERTIFICATE-----\n"
	assert_true(decode(PEM("\nAQID"), &block, out, &len));
	assert_int_equal(block.label, PEM_CERTIFICATE);
	assert_int_equal(len, 3);
	assert_memory_equal(out, "\1\2\3", 3);
	assert_true(decode(PEM("\r\nAQ==\r"), &block, out, &len));
	assert_int_equal(len, 1);
	assert_true(decode(PEM("\n AQ I=\t\n"), &block, out, &len));
	assert_int_equal(len, 2);
	assert_true(decode(PEM("\nA\nQ\nI\nD\n+/+/"), &block, out, &len));
	assert_memory_equal(out, "\1\2\3\xfb\xff\xbf", 6);
	assert_true(decode("words\n" PEM("\nAQID"), &block, out, &len));
	assert_false(decode(PEM("\n"), &block, out, &len));
	assert_false(decode(PEM("\nAQI"), &block, out, &len));
	assert_false(decode(PEM("\nA==="), &block, out, &len));
	assert_false(decode(PEM("\nAQ=D"), &block, out, &len));
	assert_false(decode(PEM("\nAQID===="), &block, out, &len));
	assert_false(decode(PEM("\nAQ!D"), &block, out, &len));
	assert_false(decode(PEM("\nAQ\xc3\x84"), &block, out, &len));
	assert_false(decode("-----BEGIN CERTIFICATE-----\nAQID\n", &block, out, &len));
	assert_false(decode("-----BEGIN CERTIFICATE", &block, out, &len));
	assert_false(decode("words -----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n", &block,
			    out, &len));
	assert_false(decode("", &block, out, &len));
#undef PEM
	/* every length there and back, every byte */
	uint8_t bytes[256];
	char text[1000];
	for (size_t i = 0; i < 256; i++) {
		bytes[i] = (uint8_t)i;
	}
	for (size_t n = 1; n <= 256; n++) {
		uint8_t back[260];
		text[0] = '\0';
		assert_true(pem_encode("CERTIFICATE", bytes, n, text, sizeof(text)));
		assert_true(decode(text, &block, back, &len));
		assert_int_equal(len, n);
		assert_memory_equal(back, bytes, n);
		assert_true(len <= pem_max_len(&block));
	}
	for (size_t size = 1; size < 100; size++) {
		text[0] = '\0';
		bool fits = pem_encode("CERTIFICATE", bytes, 20, text, size);
		assert_true(!fits || strlen(text) < size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_have_one_form),
		cmocka_unit_test(numbers_have_one_form),
		cmocka_unit_test(dates_agree_with_libc),
		cmocka_unit_test(only_the_dates_of_rfc_5280_are_read),
		cmocka_unit_test(certificates_of_wrong_form_are_refused),
		cmocka_unit_test(pem_is_read_with_anything_around_it),
	};
	return cmocka_run_group_tests(tests, pki_setup, NULL);
}
