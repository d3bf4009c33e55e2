/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lexer: tokens, places, strings and what it refuses.
 */
#include "policy_test.h"

#include "policy/lex.h"

static struct token token;

/* All tokens of text as one line: words bare, strings in "", others as letters; BAD is !. */
static const char *lex_all(const char *text, size_t len, struct messages *m)
{
	static char out[16384];
	const struct diag diag = {&m->diag, "t"};
	struct lexer lexer;
	size_t n = 0;

	out[0] = 0;
	lex_init(&lexer, text, len, &diag);
	do {
		static const char marks[] = "$n;,{}..!";

		lex_next(&lexer, &token);
		if (token.kind == TOKEN_WORD) {
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%s ", token.text);
		} else if (token.kind == TOKEN_STRING) {
			n += (size_t)snprintf(out + n, sizeof(out) - n, "\"%s\" ", token.text);
		} else {
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%c ", marks[token.kind]);
		}
		assert_true(n < sizeof(out));
	} while (token.kind != TOKEN_END);
	return out;
}

static void good(const char *text, const char *tokens)
{
	struct messages *m = messages_reset();

	assert_string_equal(lex_all(text, strlen(text), m), tokens);
	assert_int_equal(m->diag.n_errors, 0);
}

static void bad(const char *text, size_t len, const char *tokens, const char *message)
{
	struct messages *m = messages_reset();

	assert_string_equal(lex_all(text, len, m), tokens);
	if (!strstr(m->text, message)) {
		print_message("%s", m->text);
	}
	assert_non_null(strstr(m->text, message));
	assert_int_equal(m->diag.n_errors, 1);
}

static void splits_words_and_signs(void **state)
{
	(void)state;
	good("", "$ ");
	good("accept *:8443 tls { key a.key; alpn h2 }\n", "accept *:8443 tls { key a.key ; alpn h2 } n $ ");
	good("a,b{c}d;e", "a , b { c } d ; e $ ");
	good("[fd00::]/8:1-2 \t x", "[fd00::]/8:1-2 x $ ");
	good("gr\xc3\xbc\xc3\x9f.pem", "gr\xc3\xbc\xc3\x9f.pem $ ");
}

static void comments_begin_where_a_token_could(void **state)
{
	(void)state;
	good("# all\na # rest { \" \nb", "n a n b $ ");
	good("a#b c", "a#b c $ ");
	good("{# x\n}", "{ n } $ ");
}

static void takes_dos_lines_and_a_byte_order_mark(void **state)
{
	(void)state;
	good("\xef\xbb\xbf" "a b\r\n\"c\"\r\n", "a b n \"c\" n $ ");
	good("a # b\r\n", "a n $ ");
}

static void resolves_escapes_in_strings(void **state)
{
	(void)state;
	good("\"a b\" \"\" \"# { } ; ,\"", "\"a b\" \"\" \"# { } ; ,\" $ ");
	good("\"\\\"\\\\\\x41\\xc3\\xBC\\t\"", "\"\"\\A\xc3\xbc\t\" $ ");
	good("a\"b\"c", "a \"b\" c $ ");
}

static void refuses_broken_strings_and_goes_on(void **state)
{
	(void)state;
	bad("\"abc\nd", 6, "! n d $ ", "t:1:1: error: string is not closed");
	bad("\"abc", 4, "! $ ", "not closed");
	bad("\"abc\\", 5, "! $ ", "not closed");
	bad("\"abc\\\r\nx", 8, "! n x $ ", "not closed");
	bad("\"a\\qb\" c", 8, "! c $ ", "t:1:3: error: unknown escape '\\q'");
	bad("\"a\\xg0\" c", 9, "! c $ ", "two hexadecimal digits");
	bad("\"a\\x00\" c", 9, "! c $ ", "control character");
	bad("\"a\\x1b\" c", 9, "! c $ ", "control character");
	bad("\"a\x01" "b\" c", 7, "! c $ ", "t:1:3: error: byte 0x01");
	bad("\"a\0b\" c", 7, "! c $ ", "byte 0x00");
}

static void refuses_control_bytes_once_a_run(void **state)
{
	(void)state;
	bad("a\0b", 3, "a ! b $ ", "t:1:2: error: byte 0x00 is not allowed");
	bad("a \x01\x02\x03 b", 7, "a ! b $ ", "byte 0x01");
	bad("a\rb", 3, "a ! b $ ", "byte 0x0d");
	bad("\x7f", 1, "! $ ", "byte 0x7f");
}

static void refuses_tokens_without_end(void **state)
{
	char *text = malloc(10000);

	(void)state;
	assert_non_null(text);
	memset(text, 'a', 9998);
	text[9998] = '\n';
	text[9999] = 'b';
	bad(text, 10000, "! n b $ ", "longer than 4096 bytes");
	text[0] = '"';
	text[9997] = '"';
	bad(text, 10000, "! n b $ ", "longer than 4096 bytes");
	free(text);
}

static void counts_lines_and_characters(void **state)
{
	struct messages *m = messages_reset();
	const struct diag diag = {&m->diag, "t"};
	static const char text[] = "a\n \xc3\xbc\xe2\x82\xac b\r\n\tc";
	static const struct place places[] = {{1, 1}, {1, 2}, {2, 2}, {2, 5}, {2, 7}, {3, 2}, {3, 3}, {3, 3}};
	struct lexer lexer;

	(void)state;
	lex_init(&lexer, text, strlen(text), &diag);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		lex_next(&lexer, &token);
		assert_int_equal(token.at.line, places[i].line);
		assert_int_equal(token.at.column, places[i].column);
	}
	assert_int_equal(token.kind, TOKEN_END);
}

static void describes_tokens(void **state)
{
	char out[96];

	(void)state;
	token.kind = TOKEN_WORD;
	memset(token.text, 'x', 200);
	token.text[200] = 0;
	token.len = 200;
	assert_true(strlen(lex_describe(&token, out)) < 70);
	token.kind = TOKEN_END;
	assert_string_equal(lex_describe(&token, out), "the end of the file");
	token.kind = TOKEN_CLOSE;
	assert_string_equal(lex_describe(&token, out), "'}'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_words_and_signs),
		cmocka_unit_test(comments_begin_where_a_token_could),
		cmocka_unit_test(takes_dos_lines_and_a_byte_order_mark),
		cmocka_unit_test(resolves_escapes_in_strings),
		cmocka_unit_test(refuses_broken_strings_and_goes_on),
		cmocka_unit_test(refuses_control_bytes_once_a_run),
		cmocka_unit_test(refuses_tokens_without_end),
		cmocka_unit_test(counts_lines_and_characters),
		cmocka_unit_test(describes_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
