/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds libraries where ld.so(8) says that the loader looks: rpath, LD_LIBRARY_PATH, runpath, the cache of
 * ldconfig, the standard folders.
 *
 * Implementation notes: the loader itself could be asked (LD_TRACE_LOADED_OBJECTS), but it would be the loader that the
 * program names, executed by whoever wants to know whether the program is any good. So we look by ourselves. A wrong
 * file costs a wrong hint, no more.
 */
#include "doctor_libs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf.h"

#define MAX_OBJECTS   2048
#define MAX_CACHE     ((off_t)64 << 20)
#define PRELOAD_FILE  "/etc/ld.so.preload"
#define PRELOAD_BLANK " :\t\n"

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#elif defined(__i386__)
#define MULTIARCH "i386-linux-gnu"
#else
#define MULTIARCH "."
#endif

/* Before the search in the standard folders; the cache knows them by their links, too. */
static const char standard_path[] =
	"/lib/" MULTIARCH ":/usr/lib/" MULTIARCH ":/lib64:/usr/lib64:/lib:/usr/lib";

static const char *const glibc_parts[] = {
	"libc.so.",       "libm.so.",       "libdl.so.",        "libpthread.so.",
	"librt.so.",      "libutil.so.",    "libresolv.so.",    "libanl.so.",
	"libmvec.so.",    "ld-linux",       "libnss_files.",    "libnss_dns.",
	"libnss_compat.", "libnss_hesiod.", "libthread_db.so.", "libBrokenLocale.",
};

static bool comes_with_glibc(const char *name)
{
	for (size_t i = 0; i < sizeof(glibc_parts) / sizeof(glibc_parts[0]); i++) {
		if (strncmp(name, glibc_parts[i], strlen(glibc_parts[i])) == 0) {
			return true;
		}
	}
	return false;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* ---- the cache of ldconfig ---- */

/* See glibc's dl-cache.h: the new format stands alone, or behind entries of the old one. */
struct cache_head {
	char magic[20]; /* "glibc-ld.so.cache1.1" */
	uint32_t n_entries, strings_len;
	uint32_t unused[5];
};
struct cache_entry {
	int32_t flags;
	uint32_t name, path; /* offsets from the head */
	uint32_t os_version;
	uint64_t capabilities;
};
_Static_assert(sizeof(struct cache_head) == 48 && sizeof(struct cache_entry) == 24, "as in the file");

static void read_cache(struct doctor_libs *libs)
{
	int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0) {
		return;
	}
	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size < MAX_CACHE) {
		libs->cache = malloc((size_t)st.st_size);
		n = libs->cache != NULL ? read(fd, libs->cache, (size_t)st.st_size) : 0;
		libs->cache_len = n > 0 ? (size_t)n : 0;
	}
	close(fd);
}

/* The string at an offset, if it ends within the cache. */
static const char *cache_string(const char *base, size_t len, uint32_t offset)
{
	return offset < len && memchr(base + offset, '\0', len - offset) != NULL ? base + offset : NULL;
}

/* ---- opening ---- */

/* Open what the loader would take: an ELF file of this machine. */
static int open_library(const char *path)
{
	struct elf_info own, info;
	struct stat st;
	int self, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		return -1;
	}
	self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || elf_read(fd, &info) != ELF_FITS ||
	    (self >= 0 && elf_read(self, &own) == ELF_FITS &&
	     (own.class != info.class || own.data != info.data || own.machine != info.machine))) {
		close(fd);
		fd = -1;
	}
	if (self >= 0) {
		close(self);
	}
	return fd;
}

/* "$ORIGIN/../lib" and the like: the parts that ld.so knows. False if it does not fit. */
static bool expand(const char *directory, size_t len, const char *origin, char out[static PATH_MAX])
{
	static const struct {
		const char *token, *value;
	} tokens[] = {
		{"$ORIGIN", NULL},          {"${ORIGIN}", NULL},
		{"$LIB", "lib/" MULTIARCH}, {"${LIB}", "lib/" MULTIARCH},
		{"$PLATFORM", "x86_64"},    {"${PLATFORM}", "x86_64"},
	};
	size_t at = 0;

	while (len > 0) {
		const char *piece = directory;
		size_t piece_len = 1, taken = 1;

		for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
			size_t token_len = strlen(tokens[i].token);

			if (len >= token_len && memcmp(directory, tokens[i].token, token_len) == 0) {
				piece = tokens[i].value != NULL ? tokens[i].value : origin;
				piece_len = strlen(piece);
				taken = token_len;
				break;
			}
		}
		if (piece_len >= PATH_MAX - at) {
			return false;
		}
		memcpy(out + at, piece, piece_len);
		at += piece_len;
		directory += taken;
		len -= taken;
	}
	out[at] = '\0';
	return true;
}

/* Look for name in the folders of a list; an open file with its path in out, or -1. */
static int search_path(const char *list, const char *name, const char *requester, char out[static PATH_MAX])
{
	char origin[PATH_MAX], directory[PATH_MAX];
	char *slash;

	if (list == NULL) {
		return -1;
	}
	if (realpath(requester, origin) == NULL) {
		origin[0] = '\0';
	}
	slash = strrchr(origin, '/');
	if (slash != NULL) {
		*slash = '\0';
	}
	for (;;) {
		size_t len = strcspn(list, ":;");
		int fd, n;

		if (expand(list, len, origin, directory)) {
			n = snprintf(out, PATH_MAX, "%s/%s", len > 0 ? directory : ".", name);
			fd = n > 0 && n < PATH_MAX ? open_library(out) : -1;
			if (fd >= 0) {
				return fd;
			}
		}
		if (list[len] == '\0') {
			return -1;
		}
		list += len + 1;
	}
}

static int search_cache(const struct doctor_libs *libs, const char *name, char out[static PATH_MAX])
{
	static const char magic[] = "glibc-ld.so.cache1.1";
	const char *base;
	struct cache_head head;
	size_t len;

	base = libs->cache != NULL ? memmem(libs->cache, libs->cache_len, magic, sizeof(magic) - 1) : NULL;
	len = base != NULL ? libs->cache_len - (size_t)(base - libs->cache) : 0;
	if (len < sizeof(head)) {
		return -1;
	}
	memcpy(&head, base, sizeof(head));
	for (size_t i = 0; i < head.n_entries && (len - sizeof(head)) / sizeof(struct cache_entry) > i; i++) {
		struct cache_entry entry;
		const char *entry_name, *path;
		int fd;

		memcpy(&entry, base + sizeof(head) + i * sizeof(entry), sizeof(entry));
		entry_name = cache_string(base, len, entry.name);
		path = cache_string(base, len, entry.path);
		if (entry_name == NULL || path == NULL || strcmp(entry_name, name) != 0 ||
		    strlen(path) >= PATH_MAX) {
			continue;
		}
		fd = open_library(path);
		if (fd >= 0) {
			memcpy(out, path, strlen(path) + 1);
			return fd;
		}
	}
	return -1;
}

/* In the loader's order. */
static int find_library(const struct doctor_libs *libs, const char *name,
			const struct doctor_object *requester, char out[static PATH_MAX])
{
	const struct doctor_object *program = &libs->objects[0];
	int fd = -1;

	if (strchr(name, '/') != NULL) {
		if (strlen(name) >= PATH_MAX) {
			return -1;
		}
		memcpy(out, name, strlen(name) + 1);
		return open_library(name);
	}
	if (requester->elf.runpath == NULL) {
		fd = search_path(requester->elf.rpath, name, requester->path, out);
		if (fd < 0 && program->elf.runpath == NULL) {
			fd = search_path(program->elf.rpath, name, program->path, out);
		}
	}
	if (fd < 0) {
		fd = search_path(getenv("LD_LIBRARY_PATH"), name, program->path, out);
	}
	if (fd < 0) {
		fd = search_path(requester->elf.runpath, name, requester->path, out);
	}
	if (fd < 0) {
		fd = search_cache(libs, name, out);
	}
	return fd >= 0 ? fd : search_path(standard_path, name, program->path, out);
}

/* ---- the closure ---- */

static bool is_known(const struct doctor_libs *libs, const char *name)
{
	for (size_t i = 0; i < libs->n_objects; i++) {
		const struct doctor_object *object = &libs->objects[i];

		if (strcmp(object->name, name) == 0 ||
		    (object->elf.soname != NULL && strcmp(object->elf.soname, name) == 0)) {
			return true;
		}
	}
	return false;
}

/* Takes fd (-1: not found). False if memory is short. */
static bool add_object(struct doctor_libs *libs, const char *name, const char *path, int fd)
{
	struct elf_info info;
	struct doctor_object object = {.is_libc = libs->n_objects > 0 && comes_with_glibc(base_name(name))};

	if (libs->n_objects == libs->room) {
		size_t room = libs->room > 0 ? 2 * libs->room : 32;
		struct doctor_object *grown = realloc(libs->objects, room * sizeof(*grown));

		if (grown == NULL) {
			goto out;
		}
		libs->objects = grown;
		libs->room = room;
	}
	object.name = strdup(name);
	object.path = fd >= 0 ? strdup(path) : NULL;
	if (object.name == NULL || (fd >= 0 && object.path == NULL)) {
		free(object.name);
		free(object.path);
		goto out;
	}
	if (fd >= 0 && doctor_elf_read(fd, &object.elf, &object.why) && !object.is_libc) {
		if (elf_read(fd, &info) == ELF_FITS && (info.is_go || info.is_pascal)) {
			object.maker = info.is_go ? "Go" : "Free Pascal";
		}
		object.traces = doctor_elf_scan(fd);
	}
	libs->objects[libs->n_objects++] = object;
	if (fd >= 0) {
		close(fd);
	}
	return true;
out:
	if (fd >= 0) {
		close(fd);
	}
	errno = ENOMEM;
	return false;
}

/* name as requester asks for it, unless it is there already. */
static bool add_library(struct doctor_libs *libs, const char *name, size_t requester)
{
	char path[PATH_MAX];

	if (name[0] == '\0' || strlen(name) >= PATH_MAX || is_known(libs, name) ||
	    libs->n_objects >= MAX_OBJECTS) {
		return true;
	}
	return add_object(libs, name, path, find_library(libs, name, &libs->objects[requester], path));
}

static bool add_preloads(struct doctor_libs *libs, char *list)
{
	char *rest = NULL;

	for (char *name = strtok_r(list, PRELOAD_BLANK, &rest); name != NULL;
	     name = strtok_r(NULL, PRELOAD_BLANK, &rest)) {
		if (strcmp(base_name(name), "libtlshim.so") != 0 && !add_library(libs, name, 0)) {
			return false;
		}
	}
	return true;
}

static bool add_all_preloads(struct doctor_libs *libs)
{
	const char *variable = getenv("LD_PRELOAD");
	char *copy = strdup(variable != NULL ? variable : "");
	char file[4096];
	bool good = copy != NULL && add_preloads(libs, copy);
	int fd = open(PRELOAD_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	free(copy);
	if (fd >= 0) {
		n = read(fd, file, sizeof(file) - 1);
		close(fd);
		file[n > 0 ? n : 0] = '\0';
		good = good && add_preloads(libs, file);
	}
	return good;
}

bool doctor_libs_read(struct doctor_libs *libs, const char *path)
{
	int fd = open_library(path);

	memset(libs, 0, sizeof(*libs));
	read_cache(libs);
	if (!add_object(libs, path, path, fd) || !add_all_preloads(libs)) {
		return false;
	}
	if (fd < 0) {
		libs->objects[0].why = "cannot be read";
	}
	for (size_t i = 0; i < libs->n_objects; i++) {
		for (size_t j = 0; j < libs->objects[i].elf.n_needed; j++) {
			if (!add_library(libs, libs->objects[i].elf.needed[j], i)) {
				return false;
			}
		}
	}
	return true;
}

void doctor_libs_free(struct doctor_libs *libs)
{
	for (size_t i = 0; i < libs->n_objects; i++) {
		free(libs->objects[i].name);
		free(libs->objects[i].path);
		doctor_elf_free(&libs->objects[i].elf);
	}
	free(libs->objects);
	free(libs->cache);
	memset(libs, 0, sizeof(*libs));
}
