/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of a policy: ONE table says which there are, where each may stand and what values it takes.
 */
#ifndef POLICY_OPTIONS_H
#define POLICY_OPTIONS_H

#include "diag.h"

/* In the order of the table, which is the alphabet's. */
enum option_id {
	OPTION_ALLOW_PEER,
	OPTION_ALPN,
	OPTION_CERTIFICATE,
	OPTION_CLIENT_AUTH,
	OPTION_COMMON_NAME,
	OPTION_CRL,
	OPTION_GROUPS,
	OPTION_HANDSHAKE_TIMEOUT,
	OPTION_KEY,
	OPTION_OCSP_RESPONSE,
	OPTION_PADDING,
	OPTION_PIN,
	OPTION_PROFILE,
	OPTION_REQUIRE_OCSP,
	OPTION_SERVER_NAME,
	OPTION_SESSION_CACHE,
	OPTION_SESSION_LIFETIME,
	OPTION_SIGNATURE_ALGORITHMS,
	OPTION_SUITES,
	OPTION_TICKET_KEYS,
	OPTION_TRUNCATION,
	OPTION_TRUST,
	OPTION_VERIFY,
	OPTION_VERSIONS,
	N_OPTIONS
};

/* Kinds of block, as bits. */
#define OPTION_IN_CONNECT 1u
#define OPTION_IN_ACCEPT  2u
#define OPTION_IN_DEFAULT 4u
#define OPTION_IN_RULES   (OPTION_IN_CONNECT | OPTION_IN_ACCEPT)

#define OPTION_MAX_VALUES           32
#define OPTION_DEFAULT_HANDSHAKE_MS 30000
#define OPTION_DEFAULT_LIFETIME     7200
#define OPTION_MAX_CERTIFICATES     8
#define OPTION_MAX_PINS             16
#define OPTION_CACHE_ON             (-1)

struct option_value {
	struct option_value *next;
	const char *text; /* as meant: escapes resolved, names in lower case */
	const char *path; /* absolute, of options that name files; NULL for `trust system` */
	struct place at;
};

/* One option as it was given; at.line is 0 if it was not. */
struct option {
	struct place at;
	struct option_value *values;
	size_t n_values;
	/*
	 * verify, client-auth, profile: the engine's enum; versions: lowest << 16 | highest, as on the wire;
	 * handshake-timeout: milliseconds; session-lifetime: seconds; padding: bytes; session-cache: OPTION_CACHE_ON,
	 * 0 for off, or how many sessions; truncation: 1 error, 0 ignore; common-name, require-ocsp: 1 yes, 0 no
	 */
	long number;
};

struct policy;
struct policy_rule;

struct option_spec;
/* The row of the table for a keyword; NULL if there is none. */
const struct option_spec *options_find(const char *keyword);
/* Row i of the table, NULL past its end. */
const struct option_spec *options_at(size_t i);
const char *options_keyword(const struct option_spec *spec);
/* What values it takes, "FILE"; and a line of help. */
const char *options_syntax(const struct option_spec *spec);
const char *options_help(const struct option_spec *spec);
/* May option id stand in any of these kinds of block? */
bool options_may_stand(enum option_id id, unsigned where);

/* The block that options are being read from. */
struct option_block {
	struct policy *policy;
	const struct diag *diag;
	struct option *options; /* N_OPTIONS of them */
	unsigned where;         /* the kind of block; several bits when it is not known */
};
/*
 * Take one option with its values into the block: may it stand here, is it the first of its kind, are the
 * values right? Every mistake is reported.
 */
void options_give(const struct option_block *block, const struct option_spec *spec, struct place at,
		  struct option_value *values, size_t n_values);

/*
 * Report what is missing in, or contradicts itself in, the options in force for a rule, and in the default block by
 * itself. After all is parsed.
 */
void options_check_rule(const struct policy_rule *rule, const struct diag *diag);
void options_check_defaults(const struct policy *policy, const struct diag *diag);
/*
 * The number, from 0, of the certificate that an ocsp-response is for: the last one before it, else the first.
 */
size_t options_certificate_before(const struct option *certificate, struct place at);

#endif
