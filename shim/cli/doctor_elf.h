/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an ELF file says to its loader: which libraries it needs, where they are looked for, and which
 * symbols it imports and defines. And what its bytes give away: TLS libraries and io_uring linked into it.
 */
#ifndef SHIM_CLI_DOCTOR_ELF_H
#define SHIM_CLI_DOCTOR_ELF_H

#include <stdbool.h>
#include <stddef.h>

#include "../../engine/engine.h"

struct doctor_symbol {
	const char *name;
	bool is_defined; /* here; else imported */
};

struct doctor_elf {
	struct doctor_symbol *symbols;
	size_t n_symbols;
	const char **needed; /* DT_NEEDED, in order */
	size_t n_needed;
	const char *soname, *rpath, *runpath; /* NULL if it has none */
	char *strings;                        /* what all of these point into */
};

/*
 * Read the dynamic section of the file open at fd, which elf_read() has found to be of this machine.
 *
 * True with *elf filled, for doctor_elf_free() to free: empty if the file has no dynamic section. False
 * with a sentence's end in *why ("has ..."), and nothing to free, if its tables lead out of it or are
 * larger than any real one.
 */
must_check bool doctor_elf_read(int fd, struct doctor_elf *elf, const char **why);
void doctor_elf_free(struct doctor_elf *elf);

/* What is found in the bytes of a file's code and constants. */
enum doctor_trace {
	DOCTOR_TRACE_OPENSSL = 1 << 0, /* file names in OpenSSL's error messages */
	DOCTOR_TRACE_BORINGSSL = 1 << 1,
	DOCTOR_TRACE_GNUTLS = 1 << 2,
	DOCTOR_TRACE_MBEDTLS = 1 << 3,
	DOCTOR_TRACE_RUSTLS = 1 << 4,
	DOCTOR_TRACE_URING = 1 << 5, /* an io_uring_setup system call in the code itself */
	DOCTOR_TRACE_RUSTIX = 1 << 6, /* of Rust: system calls without libc */
};
/* A set of the above. Takes a fraction of a second for every 100 MB; reads no more than the file has. */
unsigned doctor_elf_scan(int fd);

#endif
