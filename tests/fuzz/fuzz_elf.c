/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the readers of ELF files and scripts, of `tlshim run`, the exec hooks and `tlshim doctor`. The input
 * is the file.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim/cli/doctor_elf.h"
#include "shim/cli/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct elf_info info;
	struct doctor_elf elf;
	const char *why;
	size_t len = 0;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	}
	if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size) {
		abort();
	}
	if (elf_read(fd, &info) == ELF_FITS && memchr(info.interp, '\0', sizeof(info.interp)) == NULL) {
		abort();
	}
	if (doctor_elf_read(fd, &elf, &why)) {
		/* Every name is a string. */
		for (size_t i = 0; i < elf.n_symbols; i++) {
			len += strlen(elf.symbols[i].name);
		}
		for (size_t i = 0; i < elf.n_needed; i++) {
			len += strlen(elf.needed[i]);
		}
		len += elf.soname != NULL ? strlen(elf.soname) : 0;
		len += elf.rpath != NULL ? strlen(elf.rpath) : 0;
		len += elf.runpath != NULL ? strlen(elf.runpath) : 0;
		doctor_elf_free(&elf);
	} else if (why == NULL || elf.strings != NULL) {
		abort();
	}
	(void)doctor_elf_scan(fd);
	return len == SIZE_MAX;
}
