/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of the command to its user.
 */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>

void cli_say(const char *format, ...)
{
	/* Whole, so that the words of several processes stay apart. */
	char text[8192];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)fprintf(stderr, "tlshim: %s\n", text);
}
