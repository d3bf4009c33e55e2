/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lexer of the policy language: text to tokens with line and column.
 */
#ifndef POLICY_LEX_H
#define POLICY_LEX_H

#include "diag.h"

#define LEX_MAX_TOKEN 4096

enum token_kind {
	TOKEN_END,
	TOKEN_NEWLINE,
	TOKEN_SEMICOLON,
	TOKEN_COMMA,
	TOKEN_OPEN,   /* { */
	TOKEN_CLOSE,  /* } */
	TOKEN_WORD,   /* keyword, pattern, path, number … */
	TOKEN_STRING, /* in quotes; its text is without them, escapes resolved */
	TOKEN_BAD,    /* already reported */
};

struct token {
	enum token_kind kind;
	struct place at;
	size_t len;
	char text[LEX_MAX_TOKEN + 1]; /* of WORD and STRING; never holds a NUL byte before its end */
};

struct lexer {
	const char *text;
	size_t len, pos;
	struct place at;
	const struct diag *diag;
};

/* Begin at the first byte of text[0..len), past a UTF-8 byte order mark. text and diag are borrowed. */
void lex_init(struct lexer *lexer, const char *text, size_t len, const struct diag *diag);

/*
 * Read the next token. Errors (unterminated string, unknown escape, control character, token too long) are
 * reported once and give TOKEN_BAD or are passed over; the lexer always goes on. TOKEN_END repeats.
 */
void lex_next(struct lexer *lexer, struct token *token);

/* "'word'", "end of line", … for messages. out is filled and returned. */
const char *lex_describe(const struct token *token, char out[static 96]);

#endif
