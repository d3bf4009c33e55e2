/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the doctor knows of libc's functions and of common libraries: tables, and look-ups in them.
 */
#ifndef SHIM_CLI_DOCTOR_KNOW_H
#define SHIM_CLI_DOCTOR_KNOW_H

#include <stdbool.h>
#include <stddef.h>

enum doctor_class { DOCTOR_IRRELEVANT, DOCTOR_HOOKED, DOCTOR_HARMLESS, DOCTOR_COVERED, DOCTOR_LIMITED };

/* One function of libc. */
struct doctor_call {
	const char *name;
	enum doctor_class class;
	const char *reason; /* "" if there is nothing to say */
};
/* By name; NULL if it has nothing to do with descriptors, processes and names. */
const struct doctor_call *doctor_find_call(const char *name);
/* The next name of a class behind `name` (NULL: the first), in the order of the alphabet; NULL at the end. */
const char *doctor_next_call(enum doctor_class class, const char *name);

enum doctor_kind {
	DOCTOR_TLS,       /* a TLS library */
	DOCTOR_RESOLVER,  /* asks name servers by itself */
	DOCTOR_SANDBOX,   /* filters system calls */
	DOCTOR_ALLOCATOR, /* replaces malloc */
	DOCTOR_URING,
	DOCTOR_AIO,
	DOCTOR_RAW,	  /* system calls without libc */
	DOCTOR_N_KINDS
};
/* Something that a library's name or a symbol gives away. */
struct doctor_mark {
	enum doctor_kind kind;
	const char *pattern; /* the beginning of a library's name, or a symbol */
	const char *what;    /* what it is called */
};
/* By the name of a library, "libssl.so.3"; NULL if it is none of those. */
const struct doctor_mark *doctor_find_library(const char *name);
/* By a symbol: imported (defined false) or defined by the file itself, as when a library is linked in. */
const struct doctor_mark *doctor_find_symbol(const char *name, bool is_defined);

#endif
