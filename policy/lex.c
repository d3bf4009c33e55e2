/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lexer of the policy language: text to tokens with line and column.
 *
 * Implementation notes: a word is a run of bytes other than white space, { } ; , and "; a # begins a
 * comment only where a token could begin, so that a path may hold one. Lines end with LF or CR LF. Strings
 * end on their line.
 */
#include "lex.h"

#include <string.h>

static bool is_word_byte(unsigned char c);
static void take(struct lexer *lexer);
static bool skip_blanks(struct lexer *lexer);
static void read_word(struct lexer *lexer, struct token *token);
static void read_string(struct lexer *lexer, struct token *token);
static bool read_escape(struct lexer *lexer, unsigned char *out);
static bool append(struct token *token, unsigned char c);

void lex_init(struct lexer *lexer, const char *text, size_t len, const struct diag *diag)
{
	*lexer = (struct lexer){.text = text, .len = len, .at = {1, 1}, .diag = diag};
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		lexer->pos = 3;
	}
}

void lex_next(struct lexer *lexer, struct token *token)
{
	token->len = 0;
	token->text[0] = 0;
	if (!skip_blanks(lexer)) {
		token->at = lexer->at;
		token->kind = TOKEN_BAD;
		return;
	}
	token->at = lexer->at;
	if (lexer->pos >= lexer->len) {
		token->kind = TOKEN_END;
		return;
	}
	switch (lexer->text[lexer->pos]) {
	case '\n':
		token->kind = TOKEN_NEWLINE;
		break;
	case ';':
		token->kind = TOKEN_SEMICOLON;
		break;
	case ',':
		token->kind = TOKEN_COMMA;
		break;
	case '{':
		token->kind = TOKEN_OPEN;
		break;
	case '}':
		token->kind = TOKEN_CLOSE;
		break;
	case '"':
		read_string(lexer, token);
		return;
	default:
		read_word(lexer, token);
		return;
	}
	take(lexer);
}

const char *lex_describe(const struct token *token, char out[static 96])
{
	static const char *const names[] = {
		[TOKEN_END] = "the end of the file",
		[TOKEN_NEWLINE] = "the end of the line",
		[TOKEN_SEMICOLON] = "';'",
		[TOKEN_COMMA] = "','",
		[TOKEN_OPEN] = "'{'",
		[TOKEN_CLOSE] = "'}'",
		[TOKEN_BAD] = "something unreadable",
	};
	const char *quote = token->kind == TOKEN_STRING ? "\"" : "'";

	if (token->kind != TOKEN_WORD && token->kind != TOKEN_STRING) {
		(void)snprintf(out, 96, "%s", names[token->kind]);
	} else if (token->len > 60) {
		(void)snprintf(out, 96, "%s%.57s...%s", quote, token->text, quote);
	} else {
		(void)snprintf(out, 96, "%s%.60s%s", quote, token->text, quote);
	}
	return out;
}

static bool is_word_byte(unsigned char c)
{
	return c > 0x20 && c != 0x7f && !strchr("{};,\"", c);
}

/* Step over one byte and keep line and column. */
static void take(struct lexer *lexer)
{
	unsigned char c = (unsigned char)lexer->text[lexer->pos++];

	if (c == '\n') {
		lexer->at.line++;
		lexer->at.column = 1;
	} else if (lexer->pos >= lexer->len || ((unsigned char)lexer->text[lexer->pos] & 0xc0) != 0x80) {
		lexer->at.column++; /* a character ends where the next byte does not continue it */
	}
}

/* Pass blanks and comments; false if a byte stood there that may not, after reporting and passing it. */
static bool skip_blanks(struct lexer *lexer)
{
	while (lexer->pos < lexer->len) {
		unsigned char c = (unsigned char)lexer->text[lexer->pos];
		bool ends_line = lexer->pos + 1 < lexer->len && lexer->text[lexer->pos + 1] == '\n';

		if (c == '#') {
			while (lexer->pos < lexer->len && lexer->text[lexer->pos] != '\n') {
				take(lexer);
			}
		} else if (c == ' ' || c == '\t' || (c == '\r' && ends_line)) {
			take(lexer);
		} else if ((c < 0x20 && c != '\n') || c == 0x7f) {
			diag_error(lexer->diag, lexer->at, "byte 0x%02x is not allowed in a policy", c);
			/* One message for a run of them, such as a binary file has. */
			while (lexer->pos < lexer->len &&
			       !is_word_byte((unsigned char)lexer->text[lexer->pos]) &&
			       !strchr(" \n{};,\"",
				       lexer->text[lexer->pos] ? lexer->text[lexer->pos] : '\1')) {
				take(lexer);
			}
			return false;
		} else {
			break;
		}
	}
	return true;
}

static void read_word(struct lexer *lexer, struct token *token)
{
	bool fits = true;

	while (lexer->pos < lexer->len && is_word_byte((unsigned char)lexer->text[lexer->pos])) {
		fits = append(token, (unsigned char)lexer->text[lexer->pos]) && fits;
		take(lexer);
	}
	token->kind = fits ? TOKEN_WORD : TOKEN_BAD;
	if (!fits) {
		diag_error(lexer->diag, token->at, "word is longer than %d bytes", LEX_MAX_TOKEN);
	}
}

static void read_string(struct lexer *lexer, struct token *token)
{
	bool good = true, fits = true;

	take(lexer);
	for (;;) {
		unsigned char c = lexer->pos < lexer->len ? (unsigned char)lexer->text[lexer->pos] : '\n';

		if (c == '\n') {
			diag_error(lexer->diag, token->at,
				   "string is not closed: expected '\"' before the end of the line");
			good = false;
			break;
		}
		if (c == '"') {
			take(lexer);
			break;
		}
		if (c == '\\') {
			good = read_escape(lexer, &c) && good;
		} else if ((c < 0x20 && c != '\t') || c == 0x7f) {
			if (good && !(c == '\r' && lexer->pos + 1 < lexer->len &&
				      lexer->text[lexer->pos + 1] == '\n')) {
				diag_error(lexer->diag, lexer->at, "byte 0x%02x is not allowed in a string",
					   c);
				good = false;
			}
			take(lexer);
			continue;
		} else {
			take(lexer);
		}
		fits = append(token, c) && fits;
	}
	if (!fits) {
		diag_error(lexer->diag, token->at, "string is longer than %d bytes", LEX_MAX_TOKEN);
	}
	token->kind = good && fits ? TOKEN_STRING : TOKEN_BAD;
}

/* At a backslash: \" \\ \t \xNN. */
static bool read_escape(struct lexer *lexer, unsigned char *out)
{
	static const char hex[] = "0123456789abcdef";
	struct place at = lexer->at;
	unsigned value = 0;
	unsigned char c;

	*out = '?';
	take(lexer);
	c = lexer->pos < lexer->len ? (unsigned char)lexer->text[lexer->pos] : '\n';
	if (c == '\n' || c == '\r') {
		return false; /* the caller meets the end of the line and says so */
	}
	take(lexer);
	if (c == '"' || c == '\\') {
		*out = c;
		return true;
	}
	if (c == 't') {
		*out = '\t';
		return true;
	}
	for (int i = 0; c == 'x' && i < 2; i++) {
		int digit = lexer->pos < lexer->len ? (unsigned char)lexer->text[lexer->pos] : 0;
		const char *found;

		digit = digit >= 'A' && digit <= 'F' ? digit - 'A' + 'a' : digit;
		found = digit ? strchr(hex, digit) : NULL;
		if (!found) {
			diag_error(lexer->diag, at, "'\\x' must be followed by two hexadecimal digits");
			return false;
		}
		value = value * 16 + (unsigned)(found - hex);
		take(lexer);
	}
	if (c != 'x') {
		diag_error(lexer->diag, at, "unknown escape '\\%c': expected \\\" \\\\ \\t or \\xNN", c);
		return false;
	}
	if (value < 0x20 || value == 0x7f) {
		diag_error(lexer->diag, at, "'\\x%02x' is a control character, which no value may hold",
			   value);
		return false;
	}
	*out = (unsigned char)value;
	return true;
}

static bool append(struct token *token, unsigned char c)
{
	if (token->len == LEX_MAX_TOKEN) {
		return false;
	}
	token->text[token->len++] = (char)c;
	token->text[token->len] = 0;
	return true;
}
