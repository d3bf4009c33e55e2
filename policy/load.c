/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files: all that policy/ knows of the file system goes through here.
 *
 * Implementation notes: no stdio, since the host program may be in any state; no name service, since its
 * modules open sockets, which would come back into the hooks.
 */
#include "load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diag.h"

#define MAX_DIRECTORY_FILES 4096

static bool read_all(int fd, size_t max, struct load_bytes *bytes, char *why);
static void explain_errno(char *why, int err);
static bool has_certificate_suffix(const char *name);

struct policy *policy_load(const char *path, struct policy_diag *out)
{
	const struct diag diag = {out, path};
	struct load_bytes bytes;
	struct policy *policy;
	char why[LOAD_WHY_MAX];

	if (!load_file(path, LOAD_MAX_POLICY, &bytes, why)) {
		diag_error(&diag, (struct place){0, 0}, "cannot read the policy: %s", why);
		return NULL;
	}
	policy = policy_parse((const char *)bytes.data, bytes.len, path, out);
	load_free(&bytes);
	return policy;
}

bool load_file(const char *path, size_t max, struct load_bytes *bytes, char why[static LOAD_WHY_MAX])
{
	/* O_NONBLOCK: opening a FIFO must not wait for a writer before it is refused. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	bool ok;

	*bytes = (struct load_bytes){0};
	if (fd < 0) {
		explain_errno(why, errno);
		return false;
	}
	ok = read_all(fd, max, bytes, why);
	(void)close(fd);
	if (!ok) {
		load_free(bytes);
	}
	return ok;
}

void load_free(struct load_bytes *bytes)
{
	if (bytes->data) {
		explicit_bzero(bytes->data, bytes->len);
		free(bytes->data);
	}
	*bytes = (struct load_bytes){0};
}

bool load_is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool load_directory(const char *path, bool (*each)(void *ctx, const char *path), void *ctx,
		    char why[static LOAD_WHY_MAX])
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t n_files = 0;
	bool ok = true;

	if (!dir) {
		explain_errno(why, errno);
		return false;
	}
	while (ok && (errno = 0, entry = readdir(dir)) != NULL) {
		char file[4096];
		int n;

		if (!has_certificate_suffix(entry->d_name)) {
			continue;
		}
		n = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (n < 0 || (size_t)n >= sizeof(file) || ++n_files > MAX_DIRECTORY_FILES) {
			(void)snprintf(why, LOAD_WHY_MAX,
				       "the directory holds too many files, or too long names");
			ok = false;
		} else {
			ok = each(ctx, file);
		}
	}
	if (ok && errno != 0) {
		explain_errno(why, errno);
		ok = false;
	}
	(void)closedir(dir);
	return ok;
}

size_t load_count(const char *path, const char *word)
{
	struct load_bytes bytes;
	char why[LOAD_WHY_MAX];
	size_t n = 0;

	if (!load_file(path, LOAD_MAX_CERTIFICATE, &bytes, why)) {
		return 0;
	}
	for (const char *at = (const char *)bytes.data; (at = strstr(at, word)) != NULL; at += strlen(word)) {
		n++;
	}
	load_free(&bytes);
	return n;
}

bool load_mode(const char *path, unsigned *mode)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		return false;
	}
	*mode = st.st_mode & 07777;
	return true;
}

bool load_is_readable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) == 0;
}

/* "name  port/tcp  aliases  # comment", services(5) */
uint16_t load_find_service(const char *name)
{
	struct load_bytes bytes;
	char why[LOAD_WHY_MAX];
	char *line, *next_line = NULL;
	uint16_t found = 0;

	if (!load_file("/etc/services", LOAD_MAX_POLICY, &bytes, why)) {
		return 0;
	}
	line = strtok_r((char *)bytes.data, "\n", &next_line);
	for (; line && !found; line = strtok_r(NULL, "\n", &next_line)) {
		char *next = NULL, *word, *port, *slash;

		line[strcspn(line, "#")] = 0;
		word = strtok_r(line, " \t\r", &next);
		port = word ? strtok_r(NULL, " \t\r", &next) : NULL;
		slash = port ? strchr(port, '/') : NULL;
		if (!slash || strcmp(slash, "/tcp") != 0) {
			continue;
		}
		for (; word; word = strtok_r(NULL, " \t\r", &next)) {
			if (strcmp(word, name) == 0) {
				unsigned long number = strtoul(port, NULL, 10);

				found = number <= 65535 ? (uint16_t)number : 0;
				break;
			}
		}
	}
	load_free(&bytes);
	return found;
}

/* "name:password:uid:…", passwd(5) */
bool load_find_user(const char *name, uint32_t *uid)
{
	struct load_bytes bytes;
	char why[LOAD_WHY_MAX];
	char *line, *next_line = NULL;
	bool found = false;

	if (!load_file("/etc/passwd", LOAD_MAX_TRUST, &bytes, why)) {
		return false;
	}
	line = strtok_r((char *)bytes.data, "\n", &next_line);
	for (; line && !found; line = strtok_r(NULL, "\n", &next_line)) {
		char *colon = strchr(line, ':'), *end;
		unsigned long number;

		if (!colon || (size_t)(colon - line) != strlen(name) ||
		    strncmp(line, name, strlen(name)) != 0) {
			continue;
		}
		colon = strchr(colon + 1, ':');
		if (!colon || colon[1] < '0' || colon[1] > '9') {
			continue;
		}
		number = strtoul(colon + 1, &end, 10);
		if (*end == ':' && number < UINT32_MAX) {
			*uid = (uint32_t)number;
			found = true;
		}
	}
	load_free(&bytes);
	return found;
}

char *load_directory_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	size_t len = slash ? (size_t)(slash - file) : 0;
	char *cwd, *joined;
	size_t size;

	if (slash && file[0] == '/') {
		return strndup(file, len ? len : 1);
	}
	cwd = getcwd(NULL, 0);
	if (!cwd || len == 0) {
		return cwd;
	}
	size = strlen(cwd) + 1 + len + 1;
	joined = malloc(size);
	if (joined) {
		(void)snprintf(joined, size, "%s/%.*s", cwd, (int)len, file);
	}
	free(cwd);
	return joined;
}

static bool read_all(int fd, size_t max, struct load_bytes *bytes, char *why)
{
	struct stat st;
	size_t room;

	if (fstat(fd, &st) < 0) {
		explain_errno(why, errno);
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)snprintf(why, LOAD_WHY_MAX, "is %s, expected a regular file",
			       S_ISDIR(st.st_mode) ? "a directory" : "a pipe, socket or device");
		return false;
	}
	if (st.st_size < 0 || (uintmax_t)st.st_size > max) {
		(void)snprintf(why, LOAD_WHY_MAX, "is larger than the limit of %zu bytes", max);
		return false;
	}
	room = (size_t)st.st_size + 1; /* one more, to see whether it grew */
	bytes->data = calloc(1, room + 1);
	if (!bytes->data) {
		(void)snprintf(why, LOAD_WHY_MAX, "out of memory");
		return false;
	}
	while (bytes->len < room) {
		ssize_t n = read(fd, bytes->data + bytes->len, room - bytes->len);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			explain_errno(why, errno);
			return false;
		}
		if (n == 0) {
			return true;
		}
		bytes->len += (size_t)n;
	}
	(void)snprintf(why, LOAD_WHY_MAX, "grew while it was read");
	return false;
}

static void explain_errno(char *why, int err)
{
	char text[128] = "";

	/* The GNU form: it may return a constant and leave text alone. */
	(void)snprintf(why, LOAD_WHY_MAX, "%s", strerror_r(err, text, sizeof(text)));
}

static bool has_certificate_suffix(const char *name)
{
	static const char *const suffixes[] = {".pem", ".crt", ".cer"};
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (len > 4 && strcmp(name + len - 4, suffixes[i]) == 0) {
			return true;
		}
	}
	return false;
}

bool load_may_become(uint32_t uid)
{
	uid_t real, effective, saved;

	if (getresuid(&real, &effective, &saved) != 0) {
		return true;
	}
	return real == 0 || effective == 0 || saved == 0 || effective == uid || real == uid || saved == uid;
}
