/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy: which sockets speak TLS, with which credentials. All that shim/ may include of policy/.
 *
 * A policy is parsed once into an immutable, reference-counted snapshot; matching takes no lock and allocates
 * nothing. Credentials are loaded by policy_rule_config() when a rule first becomes live. policy/load.c alone opens
 * files; everything else works on text in memory.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "../engine/engine.h"

struct policy;	    /* a snapshot */
struct policy_rule; /* one rule of it; lives as long as the snapshot */

enum policy_action {
	POLICY_PLAIN, /* not wrapped: the rule says so, or none matched */
	POLICY_TLS,
	POLICY_STARTTLS,
	POLICY_PERMISSIVE,
	POLICY_DENY,
};
enum policy_direction { POLICY_CONNECT, POLICY_ACCEPT };

/* Messages about a policy, in order; each "FILE:LINE:COLUMN: error: …" or "…: warning: …". */
enum policy_severity { POLICY_ERROR, POLICY_WARNING, POLICY_NOTE };
struct policy_diag {
	/* Called for each message; text is one line without newline, borrowed. ctx as given. */
	void (*report)(void *ctx, enum policy_severity severity, const char *text);
	void *ctx;
	unsigned n_errors, n_warnings; /* counted by the policy code */
};

/*
 * Parse text[0..len) as a policy; file names it in messages and relative paths are taken from its directory.
 * Reports every error and goes on; NULL if there was one. One reference.
 */
struct policy *policy_parse(const char *text, size_t len, const char *file, struct policy_diag *diag);
/* Read and parse the file at path. NULL with an error reported if it cannot be read or parsed. */
struct policy *policy_load(const char *path, struct policy_diag *diag);
void policy_ref(struct policy *policy);
void policy_unref(struct policy *policy); /* NULL is allowed */
/*
 * Hold and release the lock under which credentials are loaded, for fork handlers: taken before fork,
 * released in parent and child. It is a leaf: nothing else is locked while it is held.
 */
void policy_lock(struct policy *policy);
void policy_unlock(struct policy *policy);

/*
 * Check all that `tlshim check` checks and `tlshim run` insists on: every file that the policy names can be read and
 * parsed, keys match, certificates are valid at `now`, nothing weakens protection without a warning. With
 * POLICY_LINT_ALL also what an administrator wants to know, but no program's user at each start: shadowed rules, expiry
 * within 14 days, incomplete chains, key files that others can read, options without effect, and the files of rules for
 * users that this process cannot become. True if no error was reported.
 */
enum policy_lint_depth { POLICY_LINT_START, POLICY_LINT_ALL };
bool policy_lint(struct policy *policy, int64_t now, enum policy_lint_depth depth, struct policy_diag *diag);

/* A socket on its way through connect() or accept(). */
struct policy_query {
	enum policy_direction direction;
	const struct sockaddr *addr;	/* connect: the destination; accept: the local address */
	socklen_t addr_len;		/* AF_INET and AF_INET6 match; v4-mapped counts as IPv4 */
	const char *const *names;	/* connect: names looked up for that address, newest first; may be NULL */
	size_t n_names;
	/*
	 * Of this process, for "program" clauses: its executable (path or base name), and the name that it
	 * was started by, which differs where one binary goes by several names. NULL fits none of them.
	 */
	const char *program, *started_as;
	uint32_t uid;			/* for "user" clauses */
};
struct policy_verdict {
	enum policy_action action;
	const struct policy_rule *rule; /* NULL: none matched */
	/*
	 * The name of query->names that the rule matched by, else the first of them that is a name (no address
	 * literal), else NULL. As given in the query, so it may end in a dot.
	 */
	const char *name;
	/*
	 * The rule would need a name to decide and none is known: action is POLICY_DENY and rule the one that asks.
	 * An unknown name never falls through to plain.
	 */
	bool name_unknown;
};
/* Find the first rule that matches. Async-signal-safe. */
void policy_match(const struct policy *policy, const struct policy_query *query, struct policy_verdict *verdict);

/*
 * For how many sessions the cache that all processes of a start share wants room: `session-cache SIZE` of the default
 * block; 0 if no rule resumes connections.
 */
#define POLICY_DEFAULT_SESSIONS 1024
#define POLICY_MAX_SESSIONS	65536
size_t policy_session_cache_size(const struct policy *policy);

/* How many rules there are. */
size_t policy_n_rules(const struct policy *policy);

/* Quick filters for the hooks: could any rule of this direction match this port (host order)? */
bool policy_may_match(const struct policy *policy, enum policy_direction direction, uint16_t port);
/* True if the policy has a rule of that direction at all. */
bool policy_has(const struct policy *policy, enum policy_direction direction);

/*
 * The engine configuration of a rule with action tls, starttls or permissive. Loaded from the files at the first
 * call and kept; thread-safe; borrowed (take a reference to keep it). NULL with a one-line sentence in why,
 * naming file and problem, if it cannot be loaded; the next call tries again.
 */
struct engine_config *policy_rule_config(const struct policy_rule *rule, char why[static 512]);

/*
 * Load the configuration of each rule of that direction that could hold for this port (0: any) in this
 * program, so that it happens while the process still may read the files. False with a sentence in why
 * about the first that cannot be loaded.
 */
bool policy_preload(const struct policy *policy, enum policy_direction direction, uint16_t port, const char *program,
		    const char *started_as, char why[static 512]);

/* "server.policy:12: accept *:8443 tls" : for logs; borrowed from the rule. */
const char *policy_rule_text(const struct policy_rule *rule);
/* The file and the 1-based line of a rule. */
const char *policy_rule_file(const struct policy_rule *rule);
unsigned policy_rule_line(const struct policy_rule *rule);
/* `server-name NAME` of the rule, or NULL. */
const char *policy_rule_server_name(const struct policy_rule *rule);
/* `verify` of the rule. */
enum engine_verify policy_rule_verify(const struct policy_rule *rule);
/* `handshake-timeout SECONDS` in milliseconds; default 30,000; 0 means none. */
int policy_rule_handshake_timeout_ms(const struct policy_rule *rule);
/* `truncation error|ignore`: is a TCP FIN without close_notify an error (default) or an end of file? */
bool policy_rule_truncation_is_error(const struct policy_rule *rule);

/*
 * Explain on out which rule wins for `direction` and target ("HOST:PORT", HOST a name or an address) and why each
 * earlier rule does not match. False with a sentence in why if target is malformed.
 */
bool policy_explain(const struct policy *policy, enum policy_direction direction, const char *target, FILE *out,
		    char why[static 512]);

#endif
