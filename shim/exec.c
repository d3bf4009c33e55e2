/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The environment of a program to be executed, and the sockets that must not reach it.
 *
 * Implementation notes: a vfork child runs in its parent's memory but has descriptors of its own.
 * Wrapped sockets that it has moved with dup2() are in no table of ours, so they are told by the
 * kernel's identity of the socket.
 */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accept.h"
#include "arena.h"
#include "openfds.h"
#include "session.h"
#include "shim.h"
#include "sys.h"

#define PRELOAD "LD_PRELOAD"

/* ---- environment ---- */

static char log_level[16], log_file[4096];

static void keep(char *out, size_t size, const char *name)
{
	const char *value = getenv(name);

	/* What does not fit is not kept rather than cut. */
	if (value && strlen(value) < size) {
		memcpy(out, value, strlen(value) + 1);
	}
}

/* The program may change its environment later. */
__attribute__((constructor)) static void keep_log_settings(void)
{
	keep(log_level, sizeof(log_level), "TLSHIM_LOG");
	keep(log_file, sizeof(log_file), "TLSHIM_LOG_FILE");
}

#define N_WANTED 4

struct wanted {
	const char *name;
	const char *value; /* NULL or empty: nothing is wanted */
	bool is_newer;	   /* replaces what the program passes on */
};

static void list_wanted(struct wanted wanted[static N_WANTED])
{
	wanted[0] = (struct wanted){ "TLSHIM_POLICY", shim_policy_path(), false };
	wanted[1] = (struct wanted){ "TLSHIM_LOG", log_level, false };
	wanted[2] = (struct wanted){ "TLSHIM_LOG_FILE", log_file, false };
	wanted[3] = (struct wanted){ "TLSHIM_ARENA", arena_env(), true };
}

/* The value if entry is the variable name, else NULL. */
static const char *value_of(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return strncmp(entry, name, len) == 0 && entry[len] == '=' ? entry + len + 1 : NULL;
}

/* Is library one of the entries of an LD_PRELOAD value? The loader separates them by spaces and colons. */
static bool list_has(const char *list, const char *library)
{
	size_t len = strlen(library);
	const char *slash = strrchr(library, '/');
	const char *base = slash ? slash : library;
	size_t base_len = strlen(base);

	while (*list) {
		size_t n = strcspn(list, " :");
		/* Another copy of the shim will do: two of them would speak TLS within TLS. */
		if ((n == len && memcmp(list, library, len) == 0) ||
		    (n > base_len && memcmp(list + n - base_len, base, base_len) == 0)) {
			return true;
		}
		list += n + (list[n] != '\0');
	}
	return false;
}

size_t exec_env_size(char *const envp[])
{
	struct wanted wanted[N_WANTED];
	size_t library_len = strlen(shim_library_path());
	size_t n = 0, text_len = sizeof(PRELOAD "=") + library_len;

	for (; envp && envp[n]; n++) {
		if (value_of(envp[n], PRELOAD)) {
			text_len += strlen(envp[n]) + 1 + library_len + 1;
		}
	}
	list_wanted(wanted);
	for (int i = 0; i < N_WANTED; i++) {
		text_len += wanted[i].value ? strlen(wanted[i].name) + 1 + strlen(wanted[i].value) + 1 : 0;
	}
	return (n + 1 + N_WANTED + 1) * sizeof(char *) + text_len;
}

/* Append the parts to *text as one string and return it. */
static char *join(char **text, const char *a, const char *b, const char *c, const char *d)
{
	char *start = *text;
	char *at = stpcpy(stpcpy(stpcpy(stpcpy(start, a), b), c), d);

	*text = at + 1;
	return start;
}

/* What to pass on for entry: itself, a text that replaces it, or NULL if a newer value follows. */
static char *pass_on(char *entry, struct wanted wanted[static N_WANTED], bool *has_preload, char **text)
{
	const char *library = shim_library_path();
	const char *value = value_of(entry, PRELOAD);

	if (value && *library) {
		*has_preload = true;
		return list_has(value, library) ? entry
						: join(text, PRELOAD "=", library, *value ? ":" : "", value);
	}
	for (int i = 0; i < N_WANTED; i++) {
		value = value_of(entry, wanted[i].name);
		if (value && wanted[i].is_newer && wanted[i].value) {
			return NULL;
		}
		if (value && *value && !wanted[i].is_newer) {
			wanted[i].value = NULL;
		}
	}
	return entry;
}

char **exec_env_fill(void *mem, char *const envp[])
{
	struct wanted wanted[N_WANTED];
	const char *library = shim_library_path();
	bool has_preload = false;
	char **out = mem;
	size_t n = 0, n_out = 0;
	char *text;

	while (envp && envp[n]) {
		n++;
	}
	text = (char *)(out + n + 1 + N_WANTED + 1);
	list_wanted(wanted);
	for (size_t i = 0; i < n; i++) {
		out[n_out] = pass_on(envp[i], wanted, &has_preload, &text);
		n_out += out[n_out] != NULL;
	}
	if (!has_preload && *library) {
		out[n_out++] = join(&text, PRELOAD "=", library, "", "");
	}
	for (int i = 0; i < N_WANTED; i++) {
		if (wanted[i].value && *wanted[i].value) {
			out[n_out++] = join(&text, wanted[i].name, "=", wanted[i].value, "");
		}
	}
	out[n_out] = NULL;
	return out;
}

/* ---- the program ---- */

enum elf_verdict exec_judge(const struct exec_target *target)
{
	char path[ELF_PATH_MAX];
	struct elf_report report;
	const char *search_path = getenv("PATH");
	enum elf_verdict verdict = ELF_FITS;
	int saved = errno;
	int n = 0;

	if (!target->path) {
		n = snprintf(path, sizeof(path), "/proc/self/fd/%d", target->dir_fd);
	} else if (target->is_searched) {
		verdict = elf_look_up(target->path, search_path, path);
	} else if (target->dir_fd == AT_FDCWD || target->path[0] == '/') {
		n = snprintf(path, sizeof(path), "%s", target->path);
	} else {
		n = snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", target->dir_fd, target->path);
	}
	if (n >= (int)sizeof(path)) {
		verdict = ELF_NOT_FOUND;
	}
	if (verdict == ELF_FITS) {
		verdict = elf_check(path, search_path, &report);
	}
	if (verdict == ELF_NOT_ELF && target->is_searched) {
		verdict = elf_check("/bin/sh", search_path, &report);
	}
	errno = saved;
	return verdict;
}

/* ---- the sockets ---- */

struct each {
	void (*fn)(int fd, void *ctx);
	void *ctx;
};

static void if_inherited(int fd, void *ctx)
{
	const struct each *each = ctx;
	int flags = sys_fcntl(fd, F_GETFD, 0);

	if (flags >= 0 && !(flags & FD_CLOEXEC) && session_is_known(fd)) {
		each->fn(fd, each->ctx);
	}
}

void exec_each_inherited(void (*fn)(int fd, void *ctx), void *ctx)
{
	struct each each = { fn, ctx };

	openfds_each(if_inherited, &each);
}

static void guard_one(int fd, void *ctx)
{
	struct exec_guard *guard = ctx;

	sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (guard->n < EXEC_GUARD_MAX) {
		guard->fds[guard->n] = fd;
	}
	guard->n++;
}

bool exec_is_listener(int fd)
{
	struct policy_verdict verdict;
	int listens = 0;
	socklen_t len = sizeof(listens);

	if (!shim_policy() || sys_getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || !listens) {
		return false;
	}
	return accept_may_be_tls(fd) || (accept_verdict(fd, &verdict) && verdict.action != POLICY_PLAIN);
}

static void guard_if_listener(int fd, void *guard)
{
	int flags = sys_fcntl(fd, F_GETFD, 0);

	if (flags >= 0 && !(flags & FD_CLOEXEC) && exec_is_listener(fd)) {
		guard_one(fd, guard);
		((struct exec_guard *)guard)->n_listeners++;
	}
}

int exec_guard_set(struct exec_guard *guard)
{
	guard->n = guard->n_listeners = 0;
	exec_each_inherited(guard_one, guard);
	openfds_each(guard_if_listener, guard);
	return guard->n;
}

void exec_guard_undo(const struct exec_guard *guard)
{
	for (int i = 0; i < guard->n && i < EXEC_GUARD_MAX; i++) {
		sys_fcntl(guard->fds[i], F_SETFD, 0);
	}
}

/* ---- file actions of a spawn ---- */

/* Does libc store two known actions as we think that it does? */
static bool layout_is_known(void)
{
	static const struct {
		int fd, new_fd;
	} probe[2] = { { 0x123, 0x124 }, { 0x125, 0x126 } };
	posix_spawn_file_actions_t actions;
	bool is_known = true;

	if (posix_spawn_file_actions_init(&actions) != 0) {
		return false;
	}
	for (int i = 0; i < 2; i++) {
		is_known = is_known &&
			   posix_spawn_file_actions_adddup2(&actions, probe[i].fd, probe[i].new_fd) == 0;
	}
	is_known = is_known && actions.__used == 2;
	for (int i = 0; i < 2 && is_known; i++) {
		const struct exec_action *action = (const struct exec_action *)(const void *)actions.__actions + i;
		is_known = action->tag == EXEC_ACTION_DUP2 && action->dup2.fd == probe[i].fd &&
			   action->dup2.new_fd == probe[i].new_fd;
	}
	posix_spawn_file_actions_destroy(&actions);
	return is_known;
}

const struct exec_action *exec_actions(const posix_spawn_file_actions_t *actions, int *n)
{
	static const struct exec_action none;

	*n = actions ? actions->__used : 0;
	if (*n == 0) {
		return &none;
	}
	return layout_is_known() ? (const struct exec_action *)(const void *)actions->__actions : NULL;
}

bool exec_each_spawn_dup(const posix_spawn_file_actions_t *actions, void (*fn)(int fd, void *ctx), void *ctx)
{
	int n;
	const struct exec_action *list = exec_actions(actions, &n);

	for (int i = 0; list && i < n; i++) {
		if (list[i].tag == EXEC_ACTION_DUP2 && session_is_known(list[i].dup2.fd)) {
			fn(list[i].dup2.fd, ctx);
		}
	}
	return list != NULL;
}
