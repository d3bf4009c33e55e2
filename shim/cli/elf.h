/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Can a library be preloaded into this program? Static, foreign, set-user-ID and Go programs say no.
 *
 * System calls and the stack only: no allocation and no stdio, so that it may be used between fork and exec.
 */
#ifndef SHIM_CLI_ELF_H
#define SHIM_CLI_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../engine/engine.h"

#define ELF_PATH_MAX 4096

enum elf_verdict {
	ELF_FITS,
	ELF_NOT_FOUND,		/* no such file, or no such interpreter */
	ELF_NOT_EXECUTABLE,	/* no permission, a directory, damaged */
	ELF_UNREADABLE,		/* may be executed but not looked at: nobody can tell */
	ELF_NOT_ELF,		/* another kind of file; elf_check() follows scripts, so this is the end */
	ELF_STATIC,
	ELF_GO,			/* makes system calls without libc */
	ELF_PASCAL,		/* likewise */
	ELF_FOREIGN,		/* other architecture or word size */
	ELF_OTHER_LIBC,		/* its loader is not glibc's */
	ELF_SETUID,		/* ids change at exec: the loader drops preloads */
	ELF_CAPABILITIES,	/* file capabilities: likewise */
};

/* What the headers of an ELF file say. */
struct elf_info {
	uint8_t class;		/* ELFCLASS32, ELFCLASS64 */
	uint8_t data;		/* ELFDATA2LSB, ELFDATA2MSB */
	uint16_t machine;	/* EM_X86_64, ... */
	bool is_go;		/* carries Go's build id or build info */
	bool is_pascal;		/* made by Free Pascal */
	char interp[256];	/* PT_INTERP; "" if there is none */
};

/*
 * Read the headers of the file open at fd.
 *
 * ELF_FITS if info is filled; of files of another class or byte order only those two and the machine are. ELF_NOT_ELF
 * if it does not start like one, ELF_NOT_EXECUTABLE if it is cut short or its tables lead out of it.
 */
must_check enum elf_verdict elf_read(int fd, struct elf_info *info);

/* Read exactly len bytes at offset of the file; false at its end and on errors. */
must_check bool elf_read_at(int fd, void *out, size_t len, uint64_t offset);

/* What elf_check() found. */
struct elf_report {
	char program[ELF_PATH_MAX]; /* the ELF file that decides: the program, or the interpreter of the script */
	char interp[256];	    /* its loader, "" if it has none */
};

/*
 * Judge the program at path (no look-up in PATH), as this process would execute it: a script is judged by its
 * interpreter, and one of the form `#!/usr/bin/env NAME` by NAME, looked up in search_path (the value of
 * PATH; NULL: the system's default) too.
 */
must_check enum elf_verdict elf_check(const char *path, const char *search_path, struct elf_report *report);

/*
 * Look name up as execvp() does: as it is if it has a slash, else in the directories of search_path (NULL: the
 * system's default). ELF_FITS with the path in out, or ELF_NOT_FOUND, or ELF_NOT_EXECUTABLE if files of that name
 * were found but none may be executed (out then names the first).
 */
must_check enum elf_verdict elf_look_up(const char *name, const char *search_path, char out[static ELF_PATH_MAX]);

/* The end of a sentence that starts with the file's name: "is statically linked: ...". Not for ELF_FITS. */
const char *elf_verdict_text(enum elf_verdict verdict);

/* For ELF_NOT_EXECUTABLE: what is the matter with the file of the report, such as "is a directory". */
const char *elf_why_not_executable(const struct elf_report *report);

#endif
