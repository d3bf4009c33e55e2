/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wide characters on streams over wrapped sockets: libc has no wide streams over functions, so these
 * convert and use the stream's bytes.
 *
 * Implementation notes: each character begins in the initial state of the locale's encoding, which is
 * right for those that have no states, as UTF-8.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "real.h"
#include "stdio_adopt.h"

/* _IO_ERR_SEEN of <libio.h>, which glibc no longer installs. */
#define ERROR_SEEN 0x0020
#define NO_FLAG (-1)
#define TEXT_MAX (1u << 24)

/* In headers of fortified builds alone. */
int __vswprintf_chk(wchar_t *out, size_t len, int flag, size_t size, const wchar_t *format, va_list args);

static void unlock(FILE **stream)
{
	funlockfile(*stream);
}

/* A thread may be cancelled while it waits for the peer. */
#define LOCKED(stream)                                                       \
	__attribute__((cleanup(unlock), unused)) FILE *locked_stream = (stream); \
	flockfile(locked_stream)

/* ---- reading ---- */

static wint_t get_wide(FILE *stream)
{
	mbstate_t state = { 0 };
	wchar_t wide;

	for (;;) {
		int c = getc_unlocked(stream);
		char byte = (char)c;
		size_t n;
		if (c == EOF) {
			return WEOF;
		}
		n = mbrtowc(&wide, &byte, 1, &state);
		if (n == (size_t)-1) {
			stream->_flags |= ERROR_SEEN;
			return WEOF;
		}
		if (n != (size_t)-2) {
			return (wint_t)wide;
		}
	}
}

static wint_t get_one(FILE *stream)
{
	LOCKED(stream);
	return get_wide(stream);
}

static wchar_t *get_line(wchar_t *line, int n, FILE *stream)
{
	int at = 0;

	if (n <= 0) {
		return NULL;
	}
	while (at < n - 1) {
		wint_t c = get_wide(stream);
		if (c == WEOF) {
			break;
		}
		line[at++] = (wchar_t)c;
		if (c == L'\n') {
			break;
		}
	}
	if ((at == 0 && n > 1) || ferror_unlocked(stream)) {
		return NULL;
	}
	line[at] = L'\0';
	return line;
}

static wchar_t *get_line_locked(wchar_t *line, int n, FILE *stream)
{
	LOCKED(stream);
	return get_line(line, n, stream);
}

EXPORT wint_t fgetwc(FILE *stream)
{
	return stdio_is_ours(stream) ? get_one(stream) : REAL(fgetwc)(stream);
}

EXPORT wint_t getwc(FILE *stream)
{
	return stdio_is_ours(stream) ? get_one(stream) : REAL(getwc)(stream);
}

EXPORT wint_t getwchar(void)
{
	return stdio_is_ours(stdin) ? get_one(stdin) : REAL(getwchar)();
}

EXPORT wint_t fgetwc_unlocked(FILE *stream)
{
	return stdio_is_ours(stream) ? get_wide(stream) : REAL(fgetwc_unlocked)(stream);
}

EXPORT wint_t getwc_unlocked(FILE *stream)
{
	return stdio_is_ours(stream) ? get_wide(stream) : REAL(getwc_unlocked)(stream);
}

EXPORT wint_t getwchar_unlocked(void)
{
	return stdio_is_ours(stdin) ? get_wide(stdin) : REAL(getwchar_unlocked)();
}

EXPORT wchar_t *fgetws(wchar_t *line, int n, FILE *stream)
{
	return stdio_is_ours(stream) ? get_line_locked(line, n, stream) : REAL(fgetws)(line, n, stream);
}

EXPORT wchar_t *fgetws_unlocked(wchar_t *line, int n, FILE *stream)
{
	return stdio_is_ours(stream) ? get_line(line, n, stream) : REAL(fgetws_unlocked)(line, n, stream);
}

EXPORT wchar_t *__fgetws_chk(wchar_t *line, size_t size, int n, FILE *stream)
{
	/* Too small a buffer: libc's own function ends the program. */
	return stdio_is_ours(stream) && (n <= 0 || (size_t)n <= size) ? get_line_locked(line, n, stream) :
									REAL(__fgetws_chk)(line, size, n, stream);
}

EXPORT wchar_t *__fgetws_unlocked_chk(wchar_t *line, size_t size, int n, FILE *stream)
{
	return stdio_is_ours(stream) && (n <= 0 || (size_t)n <= size) ?
		       get_line(line, n, stream) :
		       REAL(__fgetws_unlocked_chk)(line, size, n, stream);
}

EXPORT wint_t ungetwc(wint_t c, FILE *stream)
{
	mbstate_t state = { 0 };
	char bytes[MB_LEN_MAX];
	size_t n;

	if (!stdio_is_ours(stream)) {
		return REAL(ungetwc)(c, stream);
	}
	n = c == WEOF ? (size_t)-1 : wcrtomb(bytes, (wchar_t)c, &state);
	if (n == (size_t)-1) {
		return WEOF;
	}
	while (n > 0) {
		if (ungetc((unsigned char)bytes[--n], stream) == EOF) {
			return WEOF;
		}
	}
	return c;
}

/* ---- writing ---- */

static bool put_wide(wchar_t c, FILE *stream)
{
	mbstate_t state = { 0 };
	char bytes[MB_LEN_MAX];
	size_t n = wcrtomb(bytes, c, &state);

	if (n == (size_t)-1) {
		stream->_flags |= ERROR_SEEN;
		return false;
	}
	return fwrite_unlocked(bytes, 1, n, stream) == n;
}

static wint_t put_one(wchar_t c, FILE *stream)
{
	LOCKED(stream);
	return put_wide(c, stream) ? (wint_t)c : WEOF;
}

static int put_text(const wchar_t *text, FILE *stream)
{
	for (; *text; text++) {
		if (!put_wide(*text, stream)) {
			return -1;
		}
	}
	return 1;
}

static int put_text_locked(const wchar_t *text, FILE *stream)
{
	LOCKED(stream);
	return put_text(text, stream);
}

EXPORT wint_t fputwc(wchar_t c, FILE *stream)
{
	return stdio_is_ours(stream) ? put_one(c, stream) : REAL(fputwc)(c, stream);
}

EXPORT wint_t putwc(wchar_t c, FILE *stream)
{
	return stdio_is_ours(stream) ? put_one(c, stream) : REAL(putwc)(c, stream);
}

EXPORT wint_t putwchar(wchar_t c)
{
	return stdio_is_ours(stdout) ? put_one(c, stdout) : REAL(putwchar)(c);
}

EXPORT wint_t fputwc_unlocked(wchar_t c, FILE *stream)
{
	return !stdio_is_ours(stream) ? REAL(fputwc_unlocked)(c, stream) : put_wide(c, stream) ? (wint_t)c : WEOF;
}

EXPORT wint_t putwc_unlocked(wchar_t c, FILE *stream)
{
	return !stdio_is_ours(stream) ? REAL(putwc_unlocked)(c, stream) : put_wide(c, stream) ? (wint_t)c : WEOF;
}

EXPORT wint_t putwchar_unlocked(wchar_t c)
{
	return !stdio_is_ours(stdout) ? REAL(putwchar_unlocked)(c) : put_wide(c, stdout) ? (wint_t)c : WEOF;
}

EXPORT int fputws(const wchar_t *text, FILE *stream)
{
	return stdio_is_ours(stream) ? put_text_locked(text, stream) : REAL(fputws)(text, stream);
}

EXPORT int fputws_unlocked(const wchar_t *text, FILE *stream)
{
	return stdio_is_ours(stream) ? put_text(text, stream) : REAL(fputws_unlocked)(text, stream);
}

/* ---- formatted ---- */

/* What it makes has to be guessed: vswprintf() does not tell how long it is, and fails for other reasons, too. */
static int print(FILE *stream, int flag, const wchar_t *format, va_list args)
{
	wchar_t *text = NULL;
	int saved = errno;
	int n = -1;

	for (size_t room = 256; n < 0 && room <= TEXT_MAX; room *= 4) {
		wchar_t *more = realloc(text, room * sizeof(*text));
		va_list copy;
		if (!more) {
			break;
		}
		text = more;
		va_copy(copy, args);
		errno = saved;
		n = flag == NO_FLAG ? vswprintf(text, room, format, copy) :
				      __vswprintf_chk(text, room, flag, room, format, copy);
		va_end(copy);
		if (n < 0 && errno == EILSEQ) {
			break;
		}
	}
	if (n >= 0 && put_text_locked(text, stream) < 0) {
		n = -1;
	}
	free(text);
	return n;
}

EXPORT int vfwprintf(FILE *stream, const wchar_t *format, va_list args)
{
	return stdio_is_ours(stream) ? print(stream, NO_FLAG, format, args) : REAL(vfwprintf)(stream, format, args);
}

EXPORT int vwprintf(const wchar_t *format, va_list args)
{
	return vfwprintf(stdout, format, args);
}

EXPORT int __vfwprintf_chk(FILE *stream, int flag, const wchar_t *format, va_list args)
{
	return stdio_is_ours(stream) ? print(stream, flag, format, args) :
				       REAL(__vfwprintf_chk)(stream, flag, format, args);
}

EXPORT int __vwprintf_chk(int flag, const wchar_t *format, va_list args)
{
	return __vfwprintf_chk(stdout, flag, format, args);
}

EXPORT int fwprintf(FILE *stream, const wchar_t *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vfwprintf(stream, format, args);
	va_end(args);
	return n;
}

EXPORT int wprintf(const wchar_t *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vfwprintf(stdout, format, args);
	va_end(args);
	return n;
}

EXPORT int __fwprintf_chk(FILE *stream, int flag, const wchar_t *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = __vfwprintf_chk(stream, flag, format, args);
	va_end(args);
	return n;
}

EXPORT int __wprintf_chk(int flag, const wchar_t *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = __vfwprintf_chk(stdout, flag, format, args);
	va_end(args);
	return n;
}
