/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages about a policy: FILE:LINE:COLUMN: severity: text, and the nearest keyword for a misspelt one.
 */
#ifndef POLICY_DIAG_H
#define POLICY_DIAG_H

#include "policy.h"

/* A place in the policy file; both count from 1, columns in characters. Line 0: the file as a whole. */
struct place {
	unsigned line, column;
};

/* More errors than this are counted but not shown. */
#define DIAG_MAX_ERRORS 100

/* Who is told, about which file. */
struct diag {
	struct policy_diag *out; /* may be NULL: nobody */
	const char *file;
};

/*
 * Report and count one message. Control characters in it are shown escaped; it is cut at about 1,000
 * bytes.
 */
void diag_error(const struct diag *diag, struct place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void diag_warning(const struct diag *diag, struct place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void diag_note(const struct diag *diag, struct place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Copy text to out (size bytes, at least 8) so that a terminal shows it on one line: control characters,
 * broken UTF-8 and direction overrides as \xNN; cut with "..." when too long.
 */
void diag_escape(char *out, size_t size, const char *text);

/* Finds the candidate nearest to a word. */
struct diag_nearest {
	const char *word;
	const char *best; /* NULL: nothing is near enough */
	unsigned distance;
};
void diag_nearest_init(struct diag_nearest *nearest, const char *word);
void diag_nearest_try(struct diag_nearest *nearest, const char *candidate);
/* " (did you mean 'tls'?)" or "", in out. */
const char *diag_nearest_hint(const struct diag_nearest *nearest, char out[static 64]);

/*
 * Insertions, deletions, replacements and swaps of neighbours that turn a into b; words over 40 bytes
 * count as far.
 */
unsigned diag_distance(const char *a, const char *b);

#endif
