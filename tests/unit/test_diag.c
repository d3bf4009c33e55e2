/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages: form, escaping, counting, the nearest keyword.
 */
#include "policy_test.h"

#include "policy/diag.h"

static void names_file_line_and_column(void **state)
{
	struct messages *m = messages_reset();
	const struct diag diag = {&m->diag, "a.policy"};

	(void)state;
	diag_error(&diag, (struct place){3, 14}, "found %s", "pi");
	diag_warning(&diag, (struct place){4, 1}, "beware");
	diag_note(&diag, (struct place){0, 0}, "by the way");
	assert_string_equal(m->text, "a.policy:3:14: error: found pi\n"
				     "a.policy:4:1: warning: beware\n"
				     "a.policy: note: by the way\n");
	assert_int_equal(m->diag.n_errors, 1);
	assert_int_equal(m->diag.n_warnings, 1);
}

static void does_without_anybody_to_tell(void **state)
{
	struct policy_diag counts = {0};
	const struct diag nobody = {NULL, "x"}, counted = {&counts, "x"};

	(void)state;
	diag_error(&nobody, (struct place){1, 1}, "lost");
	diag_error(&counted, (struct place){1, 1}, "counted");
	assert_int_equal(counts.n_errors, 1);
}

static void escapes_what_a_terminal_would_obey(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"plain", "plain"},
		{"a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd"},
		{"\x1b[31mred", "\\x1b[31mred"},
		{"\x7f", "\\x7f"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\xe2\x82\xac \xf0\x9f\x94\x92", "\xe2\x82\xac \xf0\x9f\x94\x92"},
		{"\xc2\x9b", "\\xc2\\x9b"},		    /* CSI as one C1 character */
		{"\xe2\x80\xae", "\\xe2\\x80\\xae"},	    /* right-to-left override */
		{"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},	    /* left-to-right isolate */
		{"\xc0\xaf", "\\xc0\\xaf"},		    /* overlong */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},	    /* surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond U+10FFFF */
		{"\xe2\x82", "\\xe2\\x82"},		    /* cut short */
		{"\xff", "\\xff"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[64];

		diag_escape(out, sizeof(out), rows[i].in);
		assert_string_equal(out, rows[i].out);
	}
}

static void cuts_what_is_too_long(void **state)
{
	char out[12], two[8];

	(void)state;
	diag_escape(out, sizeof(out), "0123456789abcdef");
	assert_string_equal(out, "01234567...");
	diag_escape(two, sizeof(two), "\x01\x02\x03");
	assert_string_equal(two, "\\x01...");
}

static void long_messages_stay_one_line(void **state)
{
	struct messages *m = messages_reset();
	const struct diag diag = {&m->diag, "a.policy"};
	char *longest = calloc(1, 9001);

	(void)state;
	assert_non_null(longest);
	memset(longest, '\n', 9000);
	diag_error(&diag, (struct place){1, 1}, "%s", longest);
	assert_ptr_equal(strchr(m->text, '\n'), m->text + strlen(m->text) - 1);
	assert_true(strlen(m->text) < 2000);
	free(longest);
}

static void stops_showing_after_a_hundred(void **state)
{
	struct messages *m = messages_reset();
	const struct diag diag = {&m->diag, "a.policy"};
	unsigned lines = 0;

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		diag_error(&diag, (struct place){i + 1, 1}, "x");
	}
	for (const char *s = m->text; *s; s++) {
		lines += *s == '\n';
	}
	assert_int_equal(m->diag.n_errors, 500);
	assert_int_equal(lines, DIAG_MAX_ERRORS + 1);
	assert_non_null(strstr(m->text, "note: further errors are not shown"));
}

static void measures_distance(void **state)
{
	(void)state;
	assert_int_equal(diag_distance("tls", "tls"), 0);
	assert_int_equal(diag_distance("tsl", "tls"), 1);
	assert_int_equal(diag_distance("", "tls"), 3);
	assert_int_equal(diag_distance("certficate", "certificate"), 1);
	assert_int_equal(diag_distance("kitten", "sitting"), 3);
	assert_true(diag_distance("x", "0123456789012345678901234567890123456789012345") > 40);
}

static const char *nearest_of_three(const char *word)
{
	struct diag_nearest nearest;

	diag_nearest_init(&nearest, word);
	diag_nearest_try(&nearest, "accept");
	diag_nearest_try(&nearest, "connect");
	diag_nearest_try(&nearest, "tls");
	return nearest.best ? nearest.best : "";
}

static void finds_the_nearest_keyword_and_no_far_one(void **state)
{
	struct diag_nearest nearest;
	char hint[64];

	(void)state;
	assert_string_equal(nearest_of_three("conect"), "connect");
	assert_string_equal(nearest_of_three("acept"), "accept");
	assert_string_equal(nearest_of_three("tsl"), "tls");
	assert_string_equal(nearest_of_three("x"), "");
	assert_string_equal(nearest_of_three(""), "");
	assert_string_equal(nearest_of_three("certificate"), "");
	diag_nearest_init(&nearest, "tsl");
	diag_nearest_try(&nearest, "tls");
	assert_string_equal(diag_nearest_hint(&nearest, hint), " (did you mean 'tls'?)");
	diag_nearest_init(&nearest, "quite different");
	diag_nearest_try(&nearest, "tls");
	assert_string_equal(diag_nearest_hint(&nearest, hint), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_file_line_and_column),
		cmocka_unit_test(does_without_anybody_to_tell),
		cmocka_unit_test(escapes_what_a_terminal_would_obey),
		cmocka_unit_test(cuts_what_is_too_long),
		cmocka_unit_test(long_messages_stay_one_line),
		cmocka_unit_test(stops_showing_after_a_hundred),
		cmocka_unit_test(measures_distance),
		cmocka_unit_test(finds_the_nearest_keyword_and_no_far_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
