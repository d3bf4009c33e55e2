/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser of the policy language: recursive descent, reports every error and goes on at the next line or
 * block.
 *
 *	policy    := { default | rule }
 *	default   := "default" block
 *	rule      := ("connect" | "accept") PATTERN {"," PATTERN} ["program" GLOB] ["user" NAME]
 *	             ACTION [block]
 *	PATTERN   := HOST ":" PORT
 *	HOST      := "*" | name | "*.suffix" | IPv4 | "[" IPv6 "]" | CIDR
 *	PORT      := number | lo "-" hi | service name | "*"
 *	ACTION    := "tls" | "starttls" PROTOCOL | "permissive" | "plain" | "deny"
 *	block     := "{" { option (newline | ";") } "}"
 *	option    := KEYWORD VALUE {VALUE}
 *
 * Implementation notes: a newline ends an option, and a rule once its action is there; elsewhere in a rule
 * it is white space. A rule with errors is kept until the end, so that its block is checked too; the policy
 * as a whole is then thrown away.
 */
#include <stdlib.h>
#include <string.h>

#include "lex.h"
#include "load.h"
#include "rule.h"

struct parser {
	struct lexer lexer;
	struct token token; /* the one looked at */
	struct policy *policy;
	const struct diag *diag;
	struct policy_diag *count; /* its n_errors tells whether something went wrong meanwhile */
	unsigned errors_before;
	bool defaults_broken, out_of_memory;
};

static const char *const actions[] = {"tls", "starttls", "permissive", "plain", "deny"};
static const enum policy_action action_values[] = {
	POLICY_TLS, POLICY_STARTTLS, POLICY_PERMISSIVE, POLICY_PLAIN, POLICY_DENY,
};
static const char *const statements[] = {"accept", "connect", "default"};
static const char *const protocols[] = {
	"ftp", "imap", "irc", "ldap", "mysql", "nntp", "pop3", "postgres", "sieve", "smtp", "xmpp",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void parse_all(struct parser *parser);
static void parse_default(struct parser *parser);
static void parse_rule(struct parser *parser, enum policy_direction direction);
static bool parse_patterns(struct parser *parser, struct policy_rule *rule);
static bool parse_clauses(struct parser *parser, struct policy_rule *rule);
static bool parse_user(struct parser *parser, struct policy_rule *rule);
static bool parse_action(struct parser *parser, struct policy_rule *rule);
static void parse_block(struct parser *parser, const struct option_block *block);
static void parse_option(struct parser *parser, const struct option_block *block);
static void unknown_statement(struct parser *parser);
static void end_statement(struct parser *parser);
static void skip_option(struct parser *parser);
static void check_rules(struct parser *parser);

/* ---- moving through the tokens ---- */

/* Past so many errors the rest of the text is not worth reading. */
static void next(struct parser *parser)
{
	lex_next(&parser->lexer, &parser->token);
	if (parser->count->n_errors > parser->errors_before + DIAG_MAX_ERRORS) {
		parser->token.kind = TOKEN_END;
	}
}

static bool is_kind(const struct parser *parser, enum token_kind kind)
{
	return parser->token.kind == kind;
}

static bool is_word(const struct parser *parser, const char *word)
{
	return parser->token.kind == TOKEN_WORD && strcmp(parser->token.text, word) == 0;
}

static bool is_value(const struct parser *parser)
{
	return parser->token.kind == TOKEN_WORD || parser->token.kind == TOKEN_STRING;
}

static bool is_statement(const struct parser *parser)
{
	return is_word(parser, "accept") || is_word(parser, "connect") || is_word(parser, "default");
}

static void skip_newlines(struct parser *parser)
{
	while (is_kind(parser, TOKEN_NEWLINE)) {
		next(parser);
	}
}

/* At "{": pass the whole block, with blocks in it. */
static void skip_block(struct parser *parser)
{
	unsigned depth = 0;

	do {
		depth += is_kind(parser, TOKEN_OPEN);
		depth -= is_kind(parser, TOKEN_CLOSE);
		next(parser);
	} while (depth > 0 && !is_kind(parser, TOKEN_END));
}

/* Pass what is left of a line, up to a newline, a ";" or a brace, none of which is passed. */
static void skip_line(struct parser *parser)
{
	while (is_value(parser) || is_kind(parser, TOKEN_COMMA) || is_kind(parser, TOKEN_BAD)) {
		next(parser);
	}
}

/* "found …, expected …"; nothing if the lexer has reported this token already. */
static void unexpected(struct parser *parser, const char *expected)
{
	char found[96];

	if (!is_kind(parser, TOKEN_BAD)) {
		diag_error(parser->diag, parser->token.at, "found %s, expected %s",
			   lex_describe(&parser->token, found), expected);
	}
}

/* The same with the nearest of n words. */
static void unexpected_word(struct parser *parser, const char *expected, const char *const *words, size_t n)
{
	struct diag_nearest nearest;
	char found[96], hint[64] = "";

	if (is_kind(parser, TOKEN_BAD)) {
		return;
	}
	if (is_kind(parser, TOKEN_WORD)) {
		diag_nearest_init(&nearest, parser->token.text);
		for (size_t i = 0; i < n; i++) {
			diag_nearest_try(&nearest, words[i]);
		}
		diag_nearest_hint(&nearest, hint);
	}
	diag_error(parser->diag, parser->token.at, "found %s, expected %s%s",
		   lex_describe(&parser->token, found), expected, hint);
}

static void *need(struct parser *parser, void *ptr)
{
	if (!ptr && !parser->out_of_memory) {
		parser->out_of_memory = true;
		diag_error(parser->diag, parser->token.at, "out of memory");
	}
	return ptr;
}

/* ---- the grammar ---- */

struct policy *policy_parse(const char *text, size_t len, const char *file, struct policy_diag *out)
{
	struct policy_diag silent = {0};
	struct policy_diag *count = out ? out : &silent;
	const struct diag diag = {count, file ? file : "policy"};
	const struct place whole_file = {0, 0};
	struct parser *parser = calloc(1, sizeof(*parser)); /* its token is too large for a small stack */
	char *directory = load_directory_of(diag.file);
	unsigned errors_before = count->n_errors;
	struct policy *policy = NULL;

	if (parser && directory) {
		policy = rule_new_policy(diag.file, directory);
	}
	if (!policy) {
		diag_error(&diag, whole_file, "out of memory, or the working directory is gone");
	} else if (len > LOAD_MAX_POLICY) {
		diag_error(&diag, whole_file, "the policy is larger than the limit of %zu bytes",
			   LOAD_MAX_POLICY);
	} else {
		parser->policy = policy;
		parser->diag = &diag;
		parser->count = count;
		parser->errors_before = errors_before;
		lex_init(&parser->lexer, text, len, &diag);
		parse_all(parser);
		check_rules(parser);
	}
	free(parser);
	free(directory);
	if (count->n_errors != errors_before) {
		policy_unref(policy);
		policy = NULL;
	}
	return policy;
}

static void parse_all(struct parser *parser)
{
	next(parser);
	while (!is_kind(parser, TOKEN_END)) {
		if (is_kind(parser, TOKEN_NEWLINE) || is_kind(parser, TOKEN_SEMICOLON)) {
			next(parser);
		} else if (is_word(parser, "default")) {
			parse_default(parser);
		} else if (is_word(parser, "accept")) {
			parse_rule(parser, POLICY_ACCEPT);
		} else if (is_word(parser, "connect")) {
			parse_rule(parser, POLICY_CONNECT);
		} else {
			unknown_statement(parser);
		}
	}
}

/* "default" block */
static void parse_default(struct parser *parser)
{
	struct policy *policy = parser->policy;
	struct place at = parser->token.at;
	const struct option_block block = {policy, parser->diag, policy->defaults, OPTION_IN_DEFAULT};
	unsigned errors_before = parser->count->n_errors;

	next(parser);
	skip_newlines(parser);
	if (policy->defaults_at.line) {
		diag_error(parser->diag, at,
			   "there is already a default block in line %u; put all defaults there",
			   policy->defaults_at.line);
	} else {
		policy->defaults_at = at;
	}
	if (!is_kind(parser, TOKEN_OPEN)) {
		unexpected(parser, "'{' after default");
		if (!is_statement(parser)) {
			skip_line(parser);
		}
	}
	if (is_kind(parser, TOKEN_OPEN)) {
		parse_block(parser, &block);
	}
	parser->defaults_broken |= parser->count->n_errors != errors_before;
}

static void parse_rule(struct parser *parser, enum policy_direction direction)
{
	unsigned errors_before = parser->count->n_errors;
	struct place at = parser->token.at;
	struct policy_rule *rule;
	struct option_block block;

	if (parser->policy->n_rules == RULE_MAX_RULES) {
		diag_error(parser->diag, at, "too many rules: a policy holds at most %d", RULE_MAX_RULES);
		parser->token.kind = TOKEN_END; /* each further rule would only say the same */
		return;
	}
	rule = need(parser, rule_add(parser->policy));
	if (!rule) {
		parser->token.kind = TOKEN_END;
		return;
	}
	rule->at = at;
	rule->direction = direction;
	next(parser);
	if (!(parse_patterns(parser, rule) && parse_clauses(parser, rule) && parse_action(parser, rule))) {
		rule->is_broken = true;
		if (!is_statement(parser)) {
			skip_line(parser);
		}
	}
	block = (struct option_block){
		.policy = parser->policy,
		.diag = parser->diag,
		.options = rule->own,
		.where = direction == POLICY_ACCEPT ? OPTION_IN_ACCEPT : OPTION_IN_CONNECT,
	};
	end_statement(parser);
	if (is_kind(parser, TOKEN_OPEN)) {
		parse_block(parser, &block);
	}
	rule->is_broken = parser->count->n_errors != errors_before;
	if (!rule->is_broken && !need(parser, rule_write_text(rule) ? rule : NULL)) {
		rule->is_broken = true;
	}
}

/* PATTERN {"," PATTERN}; bad ones are reported and the rest is read. */
static bool parse_patterns(struct parser *parser, struct policy_rule *rule)
{
	const struct pattern_reader reader = {
		.policy = parser->policy,
		.diag = parser->diag,
		.direction = rule->direction,
		.find_service = load_find_service,
	};
	const struct pattern **end = &rule->patterns;
	struct pattern *pattern;
	bool ok = true;

	for (unsigned n = 1;; n++) {
		skip_newlines(parser);
		if (!is_kind(parser, TOKEN_WORD)) {
			unexpected(parser,
				   is_kind(parser, TOKEN_STRING) ? "HOST:PORT without quotes" : "HOST:PORT");
			return false;
		}
		if (is_statement(parser)) {
			unexpected(parser, "HOST:PORT");
			return false;
		}
		pattern = need(parser, rule_alloc(parser->policy, sizeof(*pattern)));
		if (!pattern) {
			return false;
		}
		if (n > RULE_MAX_PATTERNS) {
			diag_error(parser->diag, parser->token.at,
				   "too many patterns: a rule holds at most %d", RULE_MAX_PATTERNS);
			return false;
		}
		if (pattern_read(&reader, parser->token.at, parser->token.text, pattern)) {
			*end = pattern;
			end = (const struct pattern **)&pattern->next;
		} else {
			ok = false;
		}
		next(parser);
		/* The comma may stand on the next line; anything else there is judged by who comes next. */
		skip_newlines(parser);
		if (!is_kind(parser, TOKEN_COMMA)) {
			break;
		}
		next(parser);
	}
	return ok;
}

/* ["program" GLOB] ["user" NAME], in either order */
static bool parse_clauses(struct parser *parser, struct policy_rule *rule)
{
	for (;;) {
		bool is_program;

		skip_newlines(parser);
		is_program = is_word(parser, "program");
		if (!is_program && !is_word(parser, "user")) {
			return true;
		}
		if (is_program ? rule->program != NULL : rule->user != NULL) {
			diag_error(parser->diag, parser->token.at, "'%s' is given twice in one rule",
				   parser->token.text);
			return false;
		}
		next(parser);
		skip_newlines(parser);
		if (!is_value(parser) || !parser->token.text[0]) {
			unexpected(parser, is_program ? "the name of a program after 'program'"
						      : "the name or number of a user after 'user'");
			return false;
		}
		if (is_program) {
			rule->program = need(parser, rule_strdup(parser->policy, parser->token.text));
			if (!rule->program) {
				return false;
			}
		} else if (!parse_user(parser, rule)) {
			return false;
		}
		next(parser);
	}
}

/* NAME from /etc/passwd, or a number */
static bool parse_user(struct parser *parser, struct policy_rule *rule)
{
	const char *text = parser->token.text;
	uint64_t uid = 0;

	if (strspn(text, "0123456789") == strlen(text)) {
		for (const char *s = text; *s && uid < UINT32_MAX; s++) {
			uid = uid * 10 + (uint64_t)(*s - '0');
		}
		if (uid >= UINT32_MAX) {
			diag_error(parser->diag, parser->token.at,
				   "found user '%.40s', expected a number below %u", text, UINT32_MAX);
			return false;
		}
		rule->uid = (uint32_t)uid;
	} else if (!load_find_user(text, &rule->uid)) {
		diag_error(parser->diag, parser->token.at,
			   "unknown user '%.80s': expected a name in /etc/passwd, or a user's number", text);
		return false;
	}
	rule->user = need(parser, rule_strdup(parser->policy, text));
	return rule->user != NULL;
}

/* "tls" | "starttls" PROTOCOL | "permissive" | "plain" | "deny" */
static bool parse_action(struct parser *parser, struct policy_rule *rule)
{
	static const char expected[] = "an action: tls, starttls PROTOCOL, permissive, plain or deny";
	static const char *const words[] = {"tls",  "starttls", "permissive", "plain",
					    "deny", "program",  "user"};
	size_t i = 0;

	while (i < COUNT(actions) && !is_word(parser, actions[i])) {
		i++;
	}
	if (i == COUNT(actions)) {
		unexpected_word(parser, expected, words, COUNT(words));
		return false;
	}
	rule->action = action_values[i];
	next(parser);
	if (rule->action != POLICY_STARTTLS) {
		return true;
	}
	for (i = 0; i < COUNT(protocols); i++) {
		if (is_word(parser, protocols[i])) {
			rule->protocol = protocols[i];
			next(parser);
			return true;
		}
	}
	unexpected_word(parser,
			"a protocol after starttls: smtp, imap, pop3, ftp, ldap, xmpp, postgres, mysql, "
			"nntp, sieve or irc",
			protocols, COUNT(protocols));
	return false;
}

/* After a rule's action: a block, which may begin on the next line, or the end of the line. */
static void end_statement(struct parser *parser)
{
	if (!is_kind(parser, TOKEN_OPEN) && !is_kind(parser, TOKEN_NEWLINE) &&
	    !is_kind(parser, TOKEN_SEMICOLON) && !is_kind(parser, TOKEN_END) && !is_statement(parser)) {
		unexpected(parser, "'{' or the end of the line after the action");
		next(parser);
		skip_line(parser);
	}
	skip_newlines(parser);
}

/* "{" { option (newline | ";") } "}" */
static void parse_block(struct parser *parser, const struct option_block *block)
{
	struct place open_at = parser->token.at;

	next(parser);
	for (;;) {
		if (is_kind(parser, TOKEN_CLOSE)) {
			next(parser);
			return;
		}
		if (is_kind(parser, TOKEN_END)) {
			diag_error(parser->diag, parser->token.at,
				   "found the end of the file, expected '}' for the block opened in line %u, "
				   "column %u",
				   open_at.line, open_at.column);
			return;
		}
		if (is_statement(parser)) {
			char found[96];

			diag_error(parser->diag, parser->token.at,
				   "found %s, expected an option or '}': the block opened in line %u is not "
				   "closed",
				   lex_describe(&parser->token, found), open_at.line);
			return; /* what follows is read as a statement again */
		}
		if (is_kind(parser, TOKEN_NEWLINE) || is_kind(parser, TOKEN_SEMICOLON) ||
		    is_kind(parser, TOKEN_BAD)) {
			next(parser);
		} else {
			parse_option(parser, block);
		}
	}
}

/* KEYWORD VALUE {VALUE} */
static void parse_option(struct parser *parser, const struct option_block *block)
{
	const struct option_spec *spec =
		is_kind(parser, TOKEN_WORD) ? options_find(parser->token.text) : NULL;
	struct place at = parser->token.at;
	struct option_value *values = NULL, **end = &values;
	size_t n_values = 0;

	if (!spec) {
		const char *keywords[N_OPTIONS];

		for (size_t i = 0; i < N_OPTIONS; i++) {
			keywords[i] = options_keyword(options_at(i));
		}
		unexpected_word(parser, "an option or '}'", keywords, N_OPTIONS);
		skip_option(parser);
		return;
	}
	next(parser);
	while (is_value(parser)) {
		struct option_value *value = need(parser, rule_alloc(parser->policy, sizeof(*value)));

		if (!value ||
		    !(value->text = need(parser, rule_strdup(parser->policy, parser->token.text)))) {
			return;
		}
		value->at = parser->token.at;
		*end = value;
		end = &value->next;
		n_values++;
		next(parser);
	}
	if (is_kind(parser, TOKEN_BAD)) {
		skip_option(parser);
		return;
	}
	if (is_kind(parser, TOKEN_COMMA)) {
		unexpected(parser, "a blank between values");
		skip_option(parser);
		return;
	}
	if (is_kind(parser, TOKEN_OPEN)) {
		unexpected(parser, "a value or the end of the line: options have no blocks");
		skip_option(parser);
		return;
	}
	options_give(block, spec, at, values, n_values);
}

/* Pass the rest of an option in a block, with any block in it. */
static void skip_option(struct parser *parser)
{
	do {
		if (is_kind(parser, TOKEN_OPEN)) {
			skip_block(parser);
		} else {
			next(parser);
		}
	} while (is_value(parser) || is_kind(parser, TOKEN_COMMA) || is_kind(parser, TOKEN_BAD) ||
		 is_kind(parser, TOKEN_OPEN));
}

/* Neither rule nor default block. What is only misspelt is read on, so that the rest of it is checked too. */
static void unknown_statement(struct parser *parser)
{
	struct diag_nearest nearest;

	unexpected_word(parser, "accept, connect or default", statements, COUNT(statements));
	diag_nearest_init(&nearest, is_kind(parser, TOKEN_WORD) ? parser->token.text : "");
	for (size_t i = 0; i < COUNT(statements); i++) {
		diag_nearest_try(&nearest, statements[i]);
	}
	if (nearest.best && strcmp(nearest.best, "default") == 0) {
		parse_default(parser);
	} else if (nearest.best) {
		parse_rule(parser, strcmp(nearest.best, "accept") == 0 ? POLICY_ACCEPT : POLICY_CONNECT);
	} else {
		if (!is_kind(parser, TOKEN_OPEN)) {
			next(parser);
			skip_line(parser);
			skip_newlines(parser);
		}
		if (is_kind(parser, TOKEN_OPEN)) {
			skip_block(parser);
		}
	}
}

/* Judge the default block and each rule as a whole, unless mistakes would only show up a second time. */
static void check_rules(struct parser *parser)
{
	if (!parser->defaults_broken) {
		options_check_defaults(parser->policy, parser->diag);
	}
	for (size_t i = 0; i < parser->policy->n_rules && !parser->defaults_broken; i++) {
		if (!parser->policy->rules[i]->is_broken) {
			options_check_rule(parser->policy->rules[i], parser->diag);
		}
	}
}
