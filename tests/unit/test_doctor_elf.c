/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim/cli/doctor_elf.c, doctor_libs.c and doctor_know.c: what programs import, define and need; files that
 * lie about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../shim/cli/doctor_know.h"
#include "../../shim/cli/doctor_libs.h"

/* This very program, as bytes to be damaged. */
static uint8_t *self;
static size_t self_len;

static int read_self(void **state)
{
	FILE *in = fopen("/proc/self/exe", "rb");

	(void)state;
	assert_non_null(in);
	fseek(in, 0, SEEK_END);
	self_len = (size_t)ftell(in);
	rewind(in);
	self = malloc(self_len);
	assert_int_equal(fread(self, 1, self_len, in), self_len);
	return fclose(in);
}

static int free_self(void **state)
{
	(void)state;
	free(self);
	return 0;
}

static bool has(const struct doctor_elf *elf, const char *name, bool is_defined)
{
	for (size_t i = 0; i < elf->n_symbols; i++) {
		if (elf->symbols[i].is_defined == is_defined && strcmp(elf->symbols[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static bool needs(const struct doctor_elf *elf, const char *name)
{
	for (size_t i = 0; i < elf->n_needed; i++) {
		if (strcmp(elf->needed[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static void a_program_imports_and_needs(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct doctor_elf elf;
	const char *why;

	(void)state;
	assert_true(doctor_elf_read(fd, &elf, &why));
	assert_true(has(&elf, "ftell", false));
	assert_true(has(&elf, "memfd_create", false));
	assert_false(has(&elf, "epoll_pwait2", false));
	assert_true(needs(&elf, "libcmocka.so.0"));
	assert_null(elf.soname);
	doctor_elf_free(&elf);
	close(fd);
}

static void a_library_defines_and_has_a_name(void **state)
{
	struct doctor_elf elf;
	const char *why;
	Dl_info info;
	int fd;

	(void)state;
	assert_int_not_equal(dladdr((void *)(uintptr_t)cmocka_set_message_output, &info), 0);
	fd = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
	assert_true(doctor_elf_read(fd, &elf, &why));
	assert_true(has(&elf, "cmocka_set_message_output", true));
	assert_string_equal(elf.soname, "libcmocka.so.0");
	assert_true(needs(&elf, "libc.so.6"));
	doctor_elf_free(&elf);
	close(fd);
}

/* Read a file of these bytes, and scan it, whatever comes of it. */
static bool read_bytes(const uint8_t *bytes, size_t len)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);
	struct doctor_elf elf;
	const char *why = NULL;
	bool good;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	good = doctor_elf_read(fd, &elf, &why);
	if (good) {
		for (size_t i = 0; i < elf.n_symbols; i++) {
			assert_true(strlen(elf.symbols[i].name) > 0);
		}
		doctor_elf_free(&elf);
	} else {
		assert_non_null(why);
		assert_null(elf.symbols);
		assert_null(elf.strings);
	}
	(void)doctor_elf_scan(fd);
	close(fd);
	return good;
}

static void a_file_that_is_cut_short_is_an_error(void **state)
{
	(void)state;
	assert_true(read_bytes(self, self_len));
	assert_false(read_bytes(self, 0));
	for (size_t len = 1; len < 4096; len += 61) {
		assert_false(read_bytes(self, len));
	}
}

static void damaged_headers_and_tables_are_survived(void **state)
{
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)self;
	size_t phdrs_end = header->e_phoff + header->e_phnum * sizeof(ElfW(Phdr));
	size_t dynamic = 0, dynamic_len = 0;
	size_t len = self_len < 400000 ? self_len : 400000;

	(void)state;
	for (unsigned i = 0; i < header->e_phnum; i++) {
		const ElfW(Phdr) *segment = (const ElfW(Phdr) *)(self + header->e_phoff) + i;

		if (segment->p_type == PT_DYNAMIC) {
			dynamic = segment->p_offset;
			dynamic_len = segment->p_filesz;
		}
	}
	assert_true(dynamic > 0);
	/* A copy that need not hold all of the program: what counts is at the beginning and in the dynamic section. */
	len = dynamic + dynamic_len > len ? self_len : len;
	for (size_t at = 16; at < phdrs_end; at += 5) {
		uint8_t saved = self[at];

		self[at] ^= 0xff;
		(void)read_bytes(self, len);
		self[at] = saved;
	}
	for (size_t at = dynamic; at < dynamic + dynamic_len; at += 8) {
		uint8_t saved = self[at + 3];

		self[at + 3] ^= 0xff;
		(void)read_bytes(self, len);
		self[at + 3] = saved;
		self[at] ^= 0x11;
		(void)read_bytes(self, len);
		self[at] ^= 0x11;
	}
}

static void a_file_without_dynamic_section_is_empty(void **state)
{
	uint8_t *copy = malloc(self_len);
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)copy;

	(void)state;
	memcpy(copy, self, self_len);
	for (unsigned i = 0; i < header->e_phnum; i++) {
		ElfW(Phdr) *segment = (ElfW(Phdr) *)(copy + header->e_phoff) + i;

		if (segment->p_type == PT_DYNAMIC) {
			segment->p_type = PT_NULL;
		}
	}
	assert_true(read_bytes(copy, self_len));
	free(copy);
}

static void the_closure_has_what_this_process_has_mapped(void **state)
{
	struct doctor_libs libs;
	bool found = false;

	(void)state;
	assert_true(doctor_libs_read(&libs, "/proc/self/exe"));
	for (size_t i = 1; i < libs.n_objects; i++) {
		assert_non_null(libs.objects[i].path);
		assert_null(libs.objects[i].why);
		found = found || strcmp(libs.objects[i].name, "libcmocka.so.0") == 0;
		if (strncmp(libs.objects[i].name, "libc.so", 7) == 0) {
			assert_true(libs.objects[i].is_libc);
		}
	}
	assert_true(found);
	doctor_libs_free(&libs);
}

static void calls_are_known_by_class(void **state)
{
	(void)state;
	assert_int_equal(doctor_find_call("connect")->class, DOCTOR_HOOKED);
	assert_int_equal(doctor_find_call("getpeername")->class, DOCTOR_HARMLESS);
	assert_int_equal(doctor_find_call("vfork")->class, DOCTOR_COVERED);
	assert_int_equal(doctor_find_call("dlmopen")->class, DOCTOR_LIMITED);
	assert_null(doctor_find_call("strlen"));
	assert_null(doctor_find_call(""));
	for (const char *name = NULL; (name = doctor_next_call(DOCTOR_LIMITED, name)) != NULL;) {
		assert_true(strlen(doctor_find_call(name)->reason) > 20);
	}
}

static void libraries_are_known_by_name(void **state)
{
	(void)state;
	assert_int_equal(doctor_find_library("libssl.so.3")->kind, DOCTOR_TLS);
	assert_int_equal(doctor_find_library("/usr/lib/libcares.so.2")->kind, DOCTOR_RESOLVER);
	assert_int_equal(doctor_find_library("libjemalloc.so.2")->kind, DOCTOR_ALLOCATOR);
	assert_null(doctor_find_library("libc.so.6"));
	assert_null(doctor_find_symbol("ares_init", false));
	assert_int_equal(doctor_find_symbol("ares_init", true)->kind, DOCTOR_RESOLVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_imports_and_needs),
		cmocka_unit_test(a_library_defines_and_has_a_name),
		cmocka_unit_test(a_file_that_is_cut_short_is_an_error),
		cmocka_unit_test(damaged_headers_and_tables_are_survived),
		cmocka_unit_test(a_file_without_dynamic_section_is_empty),
		cmocka_unit_test(the_closure_has_what_this_process_has_mapped),
		cmocka_unit_test(calls_are_known_by_class),
		cmocka_unit_test(libraries_are_known_by_name),
	};

	return cmocka_run_group_tests(tests, read_self, free_self);
}
