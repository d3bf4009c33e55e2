/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program with all the libraries that the loader would map for it, found by reading alone: nothing of
 * them is executed.
 */
#ifndef SHIM_CLI_DOCTOR_LIBS_H
#define SHIM_CLI_DOCTOR_LIBS_H

#include <limits.h>

#include "doctor_elf.h"

/* The program (the first) or a library. */
struct doctor_object {
	char *name;      /* as it is asked for: "libz.so.1" */
	char *path;      /* where it was found; NULL: nowhere */
	const char *why; /* why it could not be read, else NULL */
	bool is_libc;    /* it comes with glibc: what it does below its functions is known */
	const char *maker; /* a compiler whose run-time library makes system calls by itself, else NULL */
	struct doctor_elf elf;
	unsigned traces; /* see doctor_elf_scan() */
};

struct doctor_libs {
	struct doctor_object *objects;
	size_t n_objects, room;
	char *cache; /* of ldconfig; NULL if there is none */
	size_t cache_len;
};

/*
 * Read the program at path, what it needs and what is to be preloaded into it (LD_PRELOAD,
 * /etc/ld.so.preload; ours left out), breadth first as the loader does. False with errno if memory is
 * short; the program itself, if it cannot be read, has `why` set. doctor_libs_free() in either case.
 */
must_check bool doctor_libs_read(struct doctor_libs *libs, const char *path);
void doctor_libs_free(struct doctor_libs *libs);

#endif
