/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages about a policy: FILE:LINE:COLUMN: severity: text, and the nearest keyword for a misspelt one.
 */
#include "diag.h"

#include <stdarg.h>
#include <string.h>

#define TEXT_MAX         1024
#define DISTANCE_MAX_LEN 40
#define DISTANCE_FAR     1000

static void report(const struct diag *diag, enum policy_severity severity, struct place at,
		   const char *format, va_list args);
static size_t printable_len(const unsigned char *s);

void diag_error(const struct diag *diag, struct place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(diag, POLICY_ERROR, at, format, args);
	va_end(args);
}

void diag_warning(const struct diag *diag, struct place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(diag, POLICY_WARNING, at, format, args);
	va_end(args);
}

void diag_note(const struct diag *diag, struct place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(diag, POLICY_NOTE, at, format, args);
	va_end(args);
}

static void report(const struct diag *diag, enum policy_severity severity, struct place at,
		   const char *format, va_list args)
{
	static const char *const names[] = {
		[POLICY_ERROR] = "error",
		[POLICY_WARNING] = "warning",
		[POLICY_NOTE] = "note",
	};
	struct policy_diag *out = diag->out;
	char raw[TEXT_MAX], line[TEXT_MAX + 512];
	int n;

	if (!out) {
		return;
	}
	if (severity == POLICY_ERROR) {
		out->n_errors++;
	} else if (severity == POLICY_WARNING) {
		out->n_warnings++;
	}
	if (!out->report || out->n_errors > DIAG_MAX_ERRORS) {
		return;
	}
	if (at.line == 0) {
		n = snprintf(raw, sizeof(raw), "%.400s: %s: ", diag->file, names[severity]);
	} else {
		n = snprintf(raw, sizeof(raw), "%.400s:%u:%u: %s: ", diag->file, at.line, at.column,
			     names[severity]);
	}
	if (n < 0) {
		return;
	}
	(void)vsnprintf(raw + n, sizeof(raw) - (size_t)n, format, args);
	diag_escape(line, sizeof(line), raw);
	out->report(out->ctx, severity, line);
	if (severity == POLICY_ERROR && out->n_errors == DIAG_MAX_ERRORS) {
		(void)snprintf(raw, sizeof(raw), "%.400s: note: further errors are not shown", diag->file);
		diag_escape(line, sizeof(line), raw);
		out->report(out->ctx, POLICY_NOTE, line);
	}
}

void diag_escape(char *out, size_t size, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = 0;

	while (*s) {
		size_t len = printable_len(s);
		size_t need = len ? len : 4;

		if (n + need + 4 > size) { /* "..." and the final NUL must still fit */
			memcpy(out + n, "...", 3);
			n += 3;
			break;
		}
		if (len) {
			memcpy(out + n, s, len);
		} else {
			static const char hex[] = "0123456789abcdef";

			out[n] = '\\';
			out[n + 1] = 'x';
			out[n + 2] = hex[*s >> 4];
			out[n + 3] = hex[*s & 15];
			len = 1;
		}
		n += need;
		s += len;
	}
	out[n] = 0;
}

/* Length of the harmless character at s, 0 if its first byte must be escaped. */
static size_t printable_len(const unsigned char *s)
{
	uint32_t code, least;
	size_t len;

	if (*s < 0x80) {
		return *s >= 0x20 && *s != 0x7f;
	}
	if ((*s & 0xe0) == 0xc0) {
		len = 2;
		code = *s & 0x1f;
		least = 0xa0; /* below: C1 control characters and overlong forms */
	} else if ((*s & 0xf0) == 0xe0) {
		len = 3;
		code = *s & 0x0f;
		least = 0x800;
	} else if ((*s & 0xf8) == 0xf0) {
		len = 4;
		code = *s & 0x07;
		least = 0x10000;
	} else {
		return 0;
	}
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			return 0;
		}
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
		return 0;
	}
	/* Line separators, and marks that turn the direction of text around. */
	if ((code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	    (code >= 0x2066 && code <= 0x2069) || code == 0xfeff) {
		return 0;
	}
	return len;
}

void diag_nearest_init(struct diag_nearest *nearest, const char *word)
{
	size_t len = strlen(word);

	nearest->word = word;
	nearest->best = NULL;
	/* Short words may differ in one place, long ones in a third of their letters, three at most. */
	nearest->distance = (len <= 4 ? 1 : len <= 8 ? 2 : 3) + 1;
}

void diag_nearest_try(struct diag_nearest *nearest, const char *candidate)
{
	unsigned distance = diag_distance(nearest->word, candidate);

	if (distance < nearest->distance && distance < strlen(candidate)) {
		nearest->distance = distance;
		nearest->best = candidate;
	}
}

const char *diag_nearest_hint(const struct diag_nearest *nearest, char out[static 64])
{
	out[0] = 0;
	if (nearest->best) {
		(void)snprintf(out, 64, " (did you mean '%.40s'?)", nearest->best);
	}
	return out;
}

unsigned diag_distance(const char *a, const char *b)
{
	unsigned rows[3][DISTANCE_MAX_LEN + 1]; /* the last two rows and the one being made */
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > DISTANCE_MAX_LEN || b_len > DISTANCE_MAX_LEN) {
		return DISTANCE_FAR;
	}
	for (size_t j = 0; j <= b_len; j++) {
		rows[0][j] = (unsigned)j;
	}
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);

			best = above[j] + 1 < best ? above[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    two_above[j - 2] + 1 < best) {
				best = two_above[j - 2] + 1;
			}
			row[j] = best;
		}
	}
	return rows[a_len % 3][b_len];
}
