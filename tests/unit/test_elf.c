/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim/cli/elf.c: programs that can be preloaded into, and all that cannot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../shim/cli/elf.h"

static char dir[] = "/tmp/tlshim-test-elf.XXXXXX";
static char loader[256]; /* of this very program */

/* ---- files made to measure ---- */

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[4];
	Elf64_Shdr sections[3];
	char interp[300];
	uint8_t note[64];
	char names[64];
};

static const char *place(const char *name)
{
	static char path[8][300];
	static unsigned next;
	char *out = path[next++ % 8];

	snprintf(out, 300, "%s/%s", dir, name);
	return out;
}

static const char *write_file(const char *name, const void *data, size_t len, mode_t mode)
{
	const char *path = place(name);
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static const char *write_text(const char *name, const char *text)
{
	return write_file(name, text, strlen(text), 0755);
}

/* A dynamic program of this machine with one LOAD, the given loader, a note and no sections. */
static void make_image(struct image *image, const char *interp)
{
	Elf64_Ehdr own;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, &own, sizeof(own)), sizeof(own));
	close(fd);
	memset(image, 0, sizeof(*image));
	memcpy(image->header.e_ident, own.e_ident, EI_NIDENT);
	image->header.e_type = ET_DYN;
	image->header.e_machine = own.e_machine;
	image->header.e_version = EV_CURRENT;
	image->header.e_ehsize = sizeof(Elf64_Ehdr);
	image->header.e_phoff = offsetof(struct image, segments);
	image->header.e_phentsize = sizeof(Elf64_Phdr);
	image->header.e_phnum = 3;
	image->segments[0].p_type = PT_LOAD;
	image->segments[1].p_type = PT_NOTE;
	image->segments[1].p_offset = offsetof(struct image, note);
	image->segments[1].p_filesz = sizeof(image->note);
	image->segments[2].p_type = interp != NULL ? PT_INTERP : PT_NULL;
	image->segments[2].p_offset = offsetof(struct image, interp);
	image->segments[2].p_filesz = interp != NULL ? strlen(interp) + 1 : 0;
	if (interp != NULL) {
		strcpy(image->interp, interp);
	}
}

static enum elf_verdict judge(const struct image *image)
{
	struct elf_report report;

	return elf_check(write_file("program", image, sizeof(*image), 0755), NULL, &report);
}

static enum elf_verdict check(const char *path)
{
	struct elf_report report;

	return elf_check(path, dir, &report);
}

/* ---- ELF ---- */

static void dynamic_programs_fit(void **state)
{
	struct elf_report report;
	struct image image;

	(void)state;
	make_image(&image, loader);
	assert_int_equal(judge(&image), ELF_FITS);
	assert_int_equal(elf_check("/bin/sh", NULL, &report), ELF_FITS);
	assert_string_equal(report.interp, loader);
	assert_string_equal(report.program, "/bin/sh");
}

static void a_program_without_loader_is_static(void **state)
{
	struct image image;

	(void)state;
	make_image(&image, NULL);
	assert_int_equal(judge(&image), ELF_STATIC);
	image.header.e_type = ET_EXEC;
	assert_int_equal(judge(&image), ELF_STATIC);
}

static void go_is_known_by_its_note(void **state)
{
	/* Another note first: n_namesz, n_descsz, n_type, "GNU", 4 bytes; then Go's. */
	static const uint32_t notes[] = { 4, 4, 1, 0x00554e47, 7, 4, 4, 4, 0x00006f47, 9 };
	struct image image;

	(void)state;
	make_image(&image, loader);
	memcpy(image.note, notes, sizeof(notes));
	assert_int_equal(judge(&image), ELF_GO);
	image.segments[2].p_type = PT_NULL;
	assert_int_equal(judge(&image), ELF_GO);
}

/* A table of three sections, with these names to choose from for the last. */
static void add_sections(struct image *image, const char *names, size_t len)
{
	memcpy(image->names, names, len);
	image->header.e_shoff = offsetof(struct image, sections);
	image->header.e_shentsize = sizeof(Elf64_Shdr);
	image->header.e_shnum = 3;
	image->header.e_shstrndx = 1;
	image->sections[1].sh_offset = offsetof(struct image, names);
	image->sections[1].sh_size = sizeof(image->names);
}

static void go_is_known_by_its_section(void **state)
{
	struct image image;

	(void)state;
	make_image(&image, loader);
	add_sections(&image, "\0.text\0.go.buildinfo", 21);
	image.sections[2].sh_name = 1;
	assert_int_equal(judge(&image), ELF_FITS);
	image.sections[2].sh_name = 7;
	assert_int_equal(judge(&image), ELF_GO);
	/* Damaged tables are passed over: the program may run all the same. */
	image.sections[2].sh_name = 0xfffffff0;
	assert_int_equal(judge(&image), ELF_FITS);
	image.header.e_shoff = UINT64_MAX - 8;
	assert_int_equal(judge(&image), ELF_FITS);
}

static void free_pascal_is_known_by_its_section(void **state)
{
	struct image image;

	(void)state;
	make_image(&image, loader);
	add_sections(&image, "\0.text\0.fpcdata\0.fpcdat", 24);
	image.sections[2].sh_name = 16;
	assert_int_equal(judge(&image), ELF_FITS);
	image.sections[2].sh_name = 7;
	assert_int_equal(judge(&image), ELF_PASCAL);
	/* The name is cut off by the end of the names. */
	image.sections[1].sh_size = 15;
	assert_int_equal(judge(&image), ELF_FITS);
}

static void damaged_notes_are_passed_over(void **state)
{
	static const uint32_t too_long[] = { 0xffffffff, 0xffffffff, 4, 0x00006f47 };
	struct image image;

	(void)state;
	make_image(&image, loader);
	memcpy(image.note, too_long, sizeof(too_long));
	assert_int_equal(judge(&image), ELF_FITS);
	image.segments[1].p_offset = UINT64_MAX - 4;
	assert_int_equal(judge(&image), ELF_FITS);
}

static void other_architectures_are_refused(void **state)
{
	struct image image;

	(void)state;
	make_image(&image, loader);
	image.header.e_machine = image.header.e_machine == EM_S390 ? EM_PPC : EM_S390;
	assert_int_equal(judge(&image), ELF_FOREIGN);
	make_image(&image, loader);
	image.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(judge(&image), ELF_FOREIGN);
	make_image(&image, loader);
	image.header.e_ident[EI_DATA] = image.header.e_ident[EI_DATA] == ELFDATA2LSB ? ELFDATA2MSB : ELFDATA2LSB;
	assert_int_equal(judge(&image), ELF_FOREIGN);
}

static void other_loaders_are_refused(void **state)
{
	static const char *const loaders[] = { "/lib/ld-musl-x86_64.so.1", "/system/bin/linker64", "/lib/dyld", "x" };
	struct image image;

	(void)state;
	for (size_t i = 0; i < sizeof(loaders) / sizeof(loaders[0]); i++) {
		make_image(&image, loaders[i]);
		assert_int_equal(judge(&image), ELF_OTHER_LIBC);
	}
	make_image(&image, "/nonexistent/ld-linux-x86-64.so.2");
	assert_int_equal(judge(&image), ELF_NOT_EXECUTABLE);
}

static void damaged_headers_are_refused(void **state)
{
	struct image image;

	(void)state;
	make_image(&image, loader);
	image.header.e_phoff = sizeof(image) + 1;
	assert_int_equal(judge(&image), ELF_NOT_EXECUTABLE);
	image.header.e_phoff = UINT64_MAX - 10;
	assert_int_equal(judge(&image), ELF_NOT_EXECUTABLE);
	make_image(&image, loader);
	image.header.e_phnum = 0xfffe;
	assert_int_equal(judge(&image), ELF_NOT_EXECUTABLE);
	make_image(&image, loader);
	image.header.e_phentsize = 1;
	assert_int_equal(judge(&image), ELF_NOT_EXECUTABLE);
	/* A loader's name that does not end, is empty or too long. */
	make_image(&image, loader);
	image.segments[2].p_filesz--;
	assert_int_equal(judge(&image), ELF_NOT_EXECUTABLE);
	image.segments[2].p_filesz = 0;
	assert_int_equal(judge(&image), ELF_NOT_EXECUTABLE);
	image.segments[2].p_filesz = 257;
	assert_int_equal(judge(&image), ELF_NOT_EXECUTABLE);
}

static void every_cut_of_a_program_is_survived(void **state)
{
	struct image image;

	(void)state;
	make_image(&image, loader);
	/* Below four bytes it is a text for the shell. */
	for (size_t len = SELFMAG; len < sizeof(image); len++) {
		enum elf_verdict verdict = check(write_file("cut", &image, len, 0755));

		if (len < offsetof(struct image, segments[3])) {
			assert_int_not_equal(verdict, ELF_FITS);
		}
	}
}

static void changed_ids_are_refused(void **state)
{
	struct image image;
	const char *path;

	(void)state;
	make_image(&image, loader);
	path = write_file("suid", &image, sizeof(image), 0755);
	if (chown(path, geteuid() + 1, getegid() + 1) != 0) {
		skip(); /* only root may give files away */
	}
	assert_int_equal(check(path), ELF_FITS);
	assert_int_equal(chmod(path, 04755), 0);
	assert_int_equal(check(path), ELF_SETUID);
	assert_int_equal(chmod(path, 02755), 0);
	assert_int_equal(check(path), ELF_SETUID);
	/* Without the group's execute bit it is about locks, not ids. */
	assert_int_equal(chmod(path, 02745), 0);
	assert_int_equal(check(path), ELF_FITS);
	/* Our own ids change nothing. */
	assert_int_equal(chown(path, geteuid(), getegid()), 0);
	assert_int_equal(chmod(path, 06755), 0);
	assert_int_equal(check(path), ELF_FITS);
}

/* ---- other files ---- */

static void what_cannot_be_executed_is_refused(void **state)
{
	struct image image;

	(void)state;
	make_image(&image, loader);
	assert_int_equal(check(place("missing")), ELF_NOT_FOUND);
	assert_int_equal(check(dir), ELF_NOT_EXECUTABLE);
	assert_int_equal(check("/dev/null"), ELF_NOT_EXECUTABLE);
	assert_int_equal(check(write_file("plain", &image, sizeof(image), 0644)), ELF_NOT_EXECUTABLE);
	assert_int_equal(check(write_text("empty", "")), ELF_NOT_ELF);
	assert_int_equal(check(write_file("binary", "\x01\x02\0\x03", 4, 0755)), ELF_NOT_ELF);
}

static void scripts_are_judged_by_their_interpreter(void **state)
{
	struct elf_report report;
	struct image image;
	char text[600];

	(void)state;
	assert_int_equal(elf_check(write_text("s", "#!/bin/sh\n"), dir, &report), ELF_FITS);
	assert_string_equal(report.program, "/bin/sh");
	assert_string_equal(report.interp, loader);
	assert_int_equal(check(write_text("s", "#! \t /bin/sh -e  \nexit\n")), ELF_FITS);
	assert_int_equal(check(write_text("s", "#!/bin/sh")), ELF_FITS);
	assert_int_equal(check(write_text("s", "echo no first line\n")), ELF_FITS);
	assert_int_equal(check(write_text("s", "#!/nonexistent/sh\n")), ELF_NOT_FOUND);
	assert_int_equal(check(write_text("s", "#!\n")), ELF_NOT_EXECUTABLE);
	make_image(&image, NULL);
	write_file("static", &image, sizeof(image), 0755);
	snprintf(text, sizeof(text), "#!%s/static\n", dir);
	assert_int_equal(elf_check(write_text("s", text), dir, &report), ELF_STATIC);
	assert_string_equal(report.program, place("static"));
	/* A script run by a script, and one run by itself. */
	snprintf(text, sizeof(text), "#!%s/s\n", dir);
	assert_int_equal(check(write_text("s2", text)), ELF_STATIC);
	snprintf(text, sizeof(text), "#!%s/loop\n", dir);
	assert_int_equal(check(write_text("loop", text)), ELF_NOT_EXECUTABLE);
}

static void env_is_looked_through(void **state)
{
	struct image image;
	char text[600];

	(void)state;
	make_image(&image, NULL);
	write_file("tool", &image, sizeof(image), 0755);
	assert_int_equal(check(write_text("s", "#!/usr/bin/env tool\n")), ELF_STATIC);
	assert_int_equal(check(write_text("s", "#!/usr/bin/env -S A=1 B=2 tool -x\n")), ELF_STATIC);
	assert_int_equal(check(write_text("s", "#!/usr/bin/env -Stool -x\n")), ELF_STATIC);
	assert_int_equal(check(write_text("s", "#!/usr/bin/env -S -u NAME -i tool\n")), ELF_STATIC);
	assert_int_equal(check(write_text("s", "#!/usr/bin/env /bin/sh\n")), ELF_FITS);
	assert_int_equal(check(write_text("s", "#!/usr/bin/env nowhere\n")), ELF_NOT_FOUND);
	assert_int_equal(check(write_text("s", "#!/usr/bin/env\n")), ELF_FITS);
	/* A file called env that is no program, and names itself. */
	snprintf(text, sizeof(text), "#!%s/env env\n", dir);
	assert_int_equal(check(write_text("env", text)), ELF_NOT_ELF);
}

/* ---- PATH ---- */

static void names_are_looked_up_like_execvp(void **state)
{
	char out[ELF_PATH_MAX], path[600], cwd[ELF_PATH_MAX];

	(void)state;
	write_text("tool", "x");
	assert_int_equal(elf_look_up("a/b", dir, out), ELF_FITS);
	assert_string_equal(out, "a/b");
	assert_int_equal(elf_look_up("", dir, out), ELF_NOT_FOUND);
	assert_int_equal(elf_look_up("tool", "/nonexistent", out), ELF_NOT_FOUND);
	assert_int_equal(elf_look_up("sh", NULL, out), ELF_FITS);
	snprintf(path, sizeof(path), "/nonexistent:%s", dir);
	assert_int_equal(elf_look_up("tool", path, out), ELF_FITS);
	assert_string_equal(out, place("tool"));
	/* A directory is not it, a file without permission only if nothing better comes. */
	assert_int_equal(mkdir(place("sub"), 0755), 0);
	assert_int_equal(mkdir(place("sub/dir"), 0755), 0);
	assert_int_equal(elf_look_up("dir", place("sub"), out), ELF_NOT_FOUND);
	write_file("sub/tool", "x", 1, 0644);
	assert_int_equal(elf_look_up("tool", place("sub"), out), ELF_NOT_EXECUTABLE);
	assert_string_equal(out, place("sub/tool"));
	snprintf(path, sizeof(path), "%s/sub:%s", dir, dir);
	assert_int_equal(elf_look_up("tool", path, out), ELF_FITS);
	assert_string_equal(out, place("tool"));
	/* An empty entry means here. */
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(elf_look_up("tool", ":/nonexistent", out), ELF_FITS);
	assert_string_equal(out, "./tool");
	assert_int_equal(elf_look_up("tool", "/nonexistent:", out), ELF_FITS);
	assert_int_equal(chdir(cwd), 0);
}

static void paths_that_are_too_long_are_not_found(void **state)
{
	static char name[2 * ELF_PATH_MAX], path[2 * ELF_PATH_MAX];
	char out[ELF_PATH_MAX];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	assert_int_equal(elf_look_up(name, dir, out), ELF_NOT_FOUND);
	assert_int_equal(check(name), ELF_NOT_FOUND);
	memset(path, '/', sizeof(path) - 1);
	assert_int_equal(elf_look_up("tool", path, out), ELF_NOT_FOUND);
}

static void every_verdict_has_its_sentence(void **state)
{
	(void)state;
	for (int verdict = ELF_FITS; verdict <= ELF_CAPABILITIES; verdict++) {
		assert_true(strlen(elf_verdict_text((enum elf_verdict)verdict)) > 5);
	}
}

/* ---- */

static int set_up(void **state)
{
	struct elf_info info;
	int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);

	(void)state;
	if (mkdtemp(dir) == NULL || fd < 0 || elf_read(fd, &info) != ELF_FITS) {
		return -1;
	}
	close(fd);
	strcpy(loader, info.interp);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dynamic_programs_fit),
		cmocka_unit_test(a_program_without_loader_is_static),
		cmocka_unit_test(go_is_known_by_its_note),
		cmocka_unit_test(go_is_known_by_its_section),
		cmocka_unit_test(free_pascal_is_known_by_its_section),
		cmocka_unit_test(damaged_notes_are_passed_over),
		cmocka_unit_test(other_architectures_are_refused),
		cmocka_unit_test(other_loaders_are_refused),
		cmocka_unit_test(damaged_headers_are_refused),
		cmocka_unit_test(every_cut_of_a_program_is_survived),
		cmocka_unit_test(changed_ids_are_refused),
		cmocka_unit_test(what_cannot_be_executed_is_refused),
		cmocka_unit_test(scripts_are_judged_by_their_interpreter),
		cmocka_unit_test(env_is_looked_through),
		cmocka_unit_test(names_are_looked_up_like_execvp),
		cmocka_unit_test(paths_that_are_too_long_are_not_found),
		cmocka_unit_test(every_verdict_has_its_sentence),
	};

	return cmocka_run_group_tests_name("elf", tests, set_up, tear_down);
}
