/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at a program before it is executed: would the loader honour LD_PRELOAD in it?
 *
 * Implementation notes: the file is the program's owner's, not ours, and is read with care: every table is checked to
 * lie where it can be read, numbers of entries are bounded, nothing is mapped.
 */
#include "elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_PHDRS 512
#define MAX_SECTIONS 4096
#define MAX_NOTE 4096
#define MAX_SCRIPT_DEPTH 5 /* the kernel follows four levels of scripts */
#define SCRIPT_LINE_MAX 256
#define DEFAULT_PATH "/bin:/usr/bin"

#if __SIZEOF_POINTER__ == 8
typedef Elf64_Ehdr ehdr_t;
typedef Elf64_Phdr phdr_t;
typedef Elf64_Shdr shdr_t;
#define OWN_CLASS ELFCLASS64
#else
typedef Elf32_Ehdr ehdr_t;
typedef Elf32_Phdr phdr_t;
typedef Elf32_Shdr shdr_t;
#define OWN_CLASS ELFCLASS32
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OWN_DATA ELFDATA2LSB
#else
#define OWN_DATA ELFDATA2MSB
#endif

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#elif defined(__i386__)
#define OWN_MACHINE EM_386
#elif defined(__arm__)
#define OWN_MACHINE EM_ARM
#elif defined(__riscv)
#define OWN_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define OWN_MACHINE EM_PPC64
#elif defined(__s390x__)
#define OWN_MACHINE EM_S390
#elif defined(__loongarch__)
#define OWN_MACHINE 258
#else
#error "name this machine"
#endif

static const char *const verdict_texts[] = {
	[ELF_FITS] = "can be wrapped",
	[ELF_NOT_FOUND] = "does not exist",
	[ELF_NOT_EXECUTABLE] = "cannot be executed",
	[ELF_UNREADABLE] = "cannot be read, so that nobody can tell whether a library can be preloaded into it",
	[ELF_NOT_ELF] = "is neither an ELF program nor a script",
	[ELF_STATIC] = "is statically linked: no library can be preloaded into it",
	[ELF_GO] = "is a Go program: it makes system calls without libc, past every preloaded library",
	[ELF_PASCAL] =
		"is a Free Pascal program: it makes system calls without libc, past every preloaded library",
	[ELF_FOREIGN] = "is made for another architecture: our library cannot be loaded into it",
	[ELF_OTHER_LIBC] = "uses another C library than glibc: our library cannot be loaded into it",
	[ELF_SETUID] = "is set-user-ID or set-group-ID: the loader drops preloaded libraries",
	[ELF_CAPABILITIES] = "has file capabilities: the loader drops preloaded libraries",
};

const char *elf_verdict_text(enum elf_verdict verdict)
{
	return verdict_texts[verdict];
}

const char *elf_why_not_executable(const struct elf_report *report)
{
	struct stat st;

	if (stat(report->program, &st) != 0) {
		return "cannot be reached: a folder on the way to it may not be entered";
	}
	if (!S_ISREG(st.st_mode)) {
		return S_ISDIR(st.st_mode) ? "is a directory" : "is not a regular file";
	}
	if (access(report->program, X_OK) != 0) {
		return "may not be executed: see its permissions (chmod +x)";
	}
	if (report->interp[0] != '\0' && access(report->interp, X_OK) != 0) {
		return "asks for a loader that is not there";
	}
	return "is damaged, or its #! line leads nowhere";
}

/* The caller knows that it fits. */
static void copy_string(char *out, const char *text)
{
	memcpy(out, text, strlen(text) + 1);
}

bool elf_read_at(int fd, void *out, size_t len, uint64_t offset)
{
	uint8_t *at = out;

	if (offset > INT64_MAX - len) {
		return false;
	}
	while (len > 0) {
		ssize_t n = pread(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return false;
		}
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

/* Go's linker leaves a note of type 4 that is owned by "Go". */
static bool is_go_note(int fd, const phdr_t *segment)
{
	_Alignas(Elf64_Nhdr) uint8_t notes[MAX_NOTE];
	size_t len = segment->p_filesz < sizeof(notes) ? (size_t)segment->p_filesz : sizeof(notes);
	size_t at = 0;

	if (!elf_read_at(fd, notes, len, segment->p_offset)) {
		return false;
	}
	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		size_t name_room, desc_room;

		memcpy(&note, notes + at, sizeof(note));
		at += sizeof(note);
		name_room = ((size_t)note.n_namesz + 3) & ~(size_t)3;
		desc_room = ((size_t)note.n_descsz + 3) & ~(size_t)3;
		if (name_room > len - at) {
			return false;
		}
		if (note.n_type == 4 && note.n_namesz == 4 && memcmp(notes + at, "Go\0", 4) == 0) {
			return true;
		}
		at += name_room;
		if (desc_room > len - at) {
			return false;
		}
		at += desc_room;
	}
	return false;
}

/*
 * Sections that tell who made a program: .go.buildinfo is in those of Go 1.13 and later, .fpcdata in those of Free
 * Pascal, stripped or not.
 */
static void look_at_section(int fd, const shdr_t *names, const shdr_t *section, struct elf_info *info)
{
	static const char go[] = ".go.buildinfo", pascal[] = ".fpcdata";
	char name[sizeof(go)];
	uint64_t room = section->sh_name <= names->sh_size ? names->sh_size - section->sh_name : 0;
	size_t len = room < sizeof(name) ? (size_t)room : sizeof(name);

	if (!elf_read_at(fd, name, len, names->sh_offset + section->sh_name)) {
		return;
	}
	info->is_go = info->is_go || (len >= sizeof(go) && memcmp(name, go, sizeof(go)) == 0);
	info->is_pascal = info->is_pascal || (len >= sizeof(pascal) && memcmp(name, pascal, sizeof(pascal)) == 0);
}

static void look_at_sections(int fd, const ehdr_t *header, struct elf_info *info)
{
	shdr_t names, section;

	if (header->e_shoff == 0 || header->e_shentsize != sizeof(shdr_t) || header->e_shnum > MAX_SECTIONS ||
	    header->e_shstrndx >= header->e_shnum ||
	    !elf_read_at(fd, &names, sizeof(names), header->e_shoff + header->e_shstrndx * sizeof(shdr_t))) {
		return;
	}
	for (unsigned i = 0; i < header->e_shnum; i++) {
		if (!elf_read_at(fd, &section, sizeof(section), header->e_shoff + i * sizeof(shdr_t))) {
			return;
		}
		look_at_section(fd, &names, &section, info);
	}
}

static bool read_interp(int fd, const phdr_t *segment, char out[static 256])
{
	if (segment->p_filesz == 0 || segment->p_filesz > 256 ||
	    !elf_read_at(fd, out, (size_t)segment->p_filesz, segment->p_offset) ||
	    out[segment->p_filesz - 1] != '\0') {
		out[0] = '\0';
		return false;
	}
	return true;
}

enum elf_verdict elf_read(int fd, struct elf_info *info)
{
	ehdr_t header;
	phdr_t segment;

	memset(info, 0, sizeof(*info));
	if (!elf_read_at(fd, &header, SELFMAG, 0) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
		return ELF_NOT_ELF;
	}
	/* The two classes agree on the first 20 bytes. */
	if (!elf_read_at(fd, &header, EI_NIDENT + 4, 0)) {
		return ELF_NOT_EXECUTABLE;
	}
	info->class = header.e_ident[EI_CLASS];
	info->data = header.e_ident[EI_DATA];
	info->machine = header.e_machine;
	if (info->class != OWN_CLASS || info->data != OWN_DATA) {
		return ELF_FITS;
	}
	if (!elf_read_at(fd, &header, sizeof(header), 0) || header.e_phentsize != sizeof(phdr_t) ||
	    header.e_phnum > MAX_PHDRS) {
		return ELF_NOT_EXECUTABLE;
	}
	for (unsigned i = 0; i < header.e_phnum; i++) {
		if (header.e_phoff > INT64_MAX - i * sizeof(segment) ||
		    !elf_read_at(fd, &segment, sizeof(segment), header.e_phoff + i * sizeof(segment))) {
			return ELF_NOT_EXECUTABLE;
		}
		if (segment.p_type == PT_INTERP && !read_interp(fd, &segment, info->interp)) {
			return ELF_NOT_EXECUTABLE;
		}
		if (segment.p_type == PT_NOTE && is_go_note(fd, &segment)) {
			info->is_go = true;
		}
	}
	look_at_sections(fd, &header, info);
	return ELF_FITS;
}

/* glibc's loaders are called ld-linux-x86-64.so.2, ld-linux-aarch64.so.1, ld-2.31.so, ld64.so.2, ld.so.1. */
static bool is_glibc_loader(const char *interp)
{
	const char *name = strrchr(interp, '/');

	name = name != NULL ? name + 1 : interp;
	return strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld-2.", 5) == 0 ||
	       strncmp(name, "ld64.so", 7) == 0 || strncmp(name, "ld.so", 5) == 0;
}

/* Would the process run with ids other than its own, so that the loader distrusts the environment? */
static bool changes_ids(const struct stat *st)
{
	uid_t uid = (st->st_mode & S_ISUID) != 0 ? st->st_uid : geteuid();
	/* Without the execute bit for the group S_ISGID means mandatory locking. */
	gid_t gid = (st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) ? st->st_gid : getegid();

	return uid != getuid() || gid != getgid();
}

static enum elf_verdict judge_elf(int fd, const struct stat *st, const struct elf_info *info)
{
	if (info->class != OWN_CLASS || info->data != OWN_DATA || info->machine != OWN_MACHINE) {
		return ELF_FOREIGN;
	}
	if (info->is_go) {
		return ELF_GO;
	}
	if (info->is_pascal) {
		return ELF_PASCAL;
	}
	if (info->interp[0] == '\0') {
		return ELF_STATIC;
	}
	if (!is_glibc_loader(info->interp)) {
		return ELF_OTHER_LIBC;
	}
	if (access(info->interp, X_OK) != 0) {
		return ELF_NOT_EXECUTABLE;
	}
	if (changes_ids(st)) {
		return ELF_SETUID;
	}
	if (fgetxattr(fd, "security.capability", NULL, 0) > 0) {
		return ELF_CAPABILITIES;
	}
	return ELF_FITS;
}

/* ---- scripts ---- */

static char *skip_blanks(char *at)
{
	while (*at == ' ' || *at == '\t') {
		at++;
	}
	return at;
}

/* Cut the next word off *at; NULL at the end. */
static char *next_word(char **at)
{
	char *word = skip_blanks(*at);
	char *end = word + strcspn(word, " \t");

	if (*word == '\0') {
		return NULL;
	}
	*at = *end != '\0' ? end + 1 : end;
	*end = '\0';
	return word;
}

/* The line behind "#!"; false if there is none. */
static bool read_script_line(int fd, char line[static SCRIPT_LINE_MAX])
{
	ssize_t n;

	do {
		n = pread(fd, line, SCRIPT_LINE_MAX - 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 2 || line[0] != '#' || line[1] != '!') {
		return false;
	}
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	memmove(line, line + 2, strlen(line + 2) + 1);
	return true;
}

/* The program that `env ARGUMENT` starts: the first word that is neither an option nor an assignment. */
static const char *env_target(char *argument)
{
	char *word;

	while ((word = next_word(&argument)) != NULL) {
		if (strcmp(word, "-u") == 0 || strcmp(word, "-C") == 0) {
			(void)next_word(&argument);
		} else if (strncmp(word, "-S", 2) == 0 && word[2] != '\0') {
			return word + 2;
		} else if (word[0] != '-' && strchr(word, '=') == NULL) {
			return word;
		}
	}
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* Judge one file, without following scripts: for a file of another kind ELF_NOT_ELF, and *fd is left open. */
static enum elf_verdict judge_file(const char *path, struct elf_report *report, int *fd)
{
	enum elf_verdict verdict;
	struct elf_info info;
	struct stat st;

	copy_string(report->program, path);
	if (stat(path, &st) != 0) {
		return errno == EACCES ? ELF_NOT_EXECUTABLE : ELF_NOT_FOUND;
	}
	if (!S_ISREG(st.st_mode) || access(path, X_OK) != 0) {
		return ELF_NOT_EXECUTABLE;
	}
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0) {
		return ELF_UNREADABLE;
	}
	verdict = elf_read(*fd, &info);
	if (verdict == ELF_NOT_ELF) {
		return verdict;
	}
	if (verdict == ELF_FITS) {
		copy_string(report->interp, info.interp);
		verdict = judge_elf(*fd, &st, &info);
	}
	close(*fd);
	return verdict;
}

/* The file open at fd is no ELF file: find what execvp() starts for it. */
static enum elf_verdict find_interpreter(int fd, const char *search_path, char out[static ELF_PATH_MAX],
					 struct elf_report *report)
{
	char line[SCRIPT_LINE_MAX];
	char *rest = line;
	const char *interpreter, *target;
	enum elf_verdict verdict;
	int env_fd;

	if (!read_script_line(fd, line)) {
		uint8_t head[64];
		ssize_t n = pread(fd, head, sizeof(head), 0);

		/* The kernel says ENOEXEC; execvp() then hands text to the shell. */
		if (n <= 0 || memchr(head, '\0', (size_t)n) != NULL) {
			return ELF_NOT_ELF;
		}
		copy_string(out, "/bin/sh");
		return ELF_FITS;
	}
	interpreter = next_word(&rest);
	if (interpreter == NULL) {
		return ELF_NOT_EXECUTABLE;
	}
	copy_string(out, interpreter);
	target = strcmp(base_name(interpreter), "env") == 0 ? env_target(rest) : NULL;
	if (target == NULL) {
		return ELF_FITS;
	}
	verdict = judge_file(interpreter, report, &env_fd);
	if (verdict == ELF_NOT_ELF) {
		close(env_fd);
	}
	return verdict == ELF_FITS ? elf_look_up(target, search_path, out) : verdict;
}

enum elf_verdict elf_check(const char *path, const char *search_path, struct elf_report *report)
{
	char current[ELF_PATH_MAX];

	report->interp[0] = '\0';
	report->program[0] = '\0';
	if (strlen(path) >= sizeof(current)) {
		return ELF_NOT_FOUND;
	}
	copy_string(current, path);
	for (int depth = 0; depth < MAX_SCRIPT_DEPTH; depth++) {
		int fd;
		enum elf_verdict verdict = judge_file(current, report, &fd);

		if (verdict != ELF_NOT_ELF) {
			return verdict;
		}
		verdict = find_interpreter(fd, search_path, current, report);
		close(fd);
		if (verdict != ELF_FITS) {
			return verdict;
		}
	}
	return ELF_NOT_EXECUTABLE;
}

/* ---- PATH ---- */

enum elf_verdict elf_look_up(const char *name, const char *search_path, char out[static ELF_PATH_MAX])
{
	const char *dir = search_path != NULL ? search_path : DEFAULT_PATH;
	bool found = false;

	if (name[0] == '\0' || strlen(name) >= ELF_PATH_MAX) {
		return ELF_NOT_FOUND;
	}
	if (strchr(name, '/') != NULL) {
		copy_string(out, name);
		return ELF_FITS;
	}
	for (;;) {
		size_t dir_len = strcspn(dir, ":");
		char path[ELF_PATH_MAX];
		struct stat st;

		if (dir_len + 1 + strlen(name) + 1 <= sizeof(path)) {
			/* An empty entry is the working directory. */
			memcpy(path, dir_len > 0 ? dir : ".", dir_len > 0 ? dir_len : 1);
			path[dir_len > 0 ? dir_len : 1] = '/';
			copy_string(path + (dir_len > 0 ? dir_len : 1) + 1, name);
			if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
				bool fits = access(path, X_OK) == 0;

				if (fits || !found) {
					copy_string(out, path);
				}
				if (fits) {
					return ELF_FITS;
				}
				found = true;
			}
		}
		if (dir[dir_len] == '\0') {
			return found ? ELF_NOT_EXECUTABLE : ELF_NOT_FOUND;
		}
		dir += dir_len + 1;
	}
}
