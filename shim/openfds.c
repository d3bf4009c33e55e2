/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The open descriptors of this process, from /proc/self/fd.
 */
#include "openfds.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sys.h"

#define TRIED_MAX 4096

/* As the kernel writes them (getdents64(2)). */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t len;
	uint8_t type;
	char name[];
};

/* The number that name is, -1 if it is none. */
static int parse_fd(const char *name)
{
	int fd = 0;

	for (const char *p = name; *p; p++) {
		if (*p < '0' || *p > '9' || fd > INT32_MAX / 10 - 1) {
			return -1;
		}
		fd = fd * 10 + (*p - '0');
	}
	return *name ? fd : -1;
}

static void try_each(void (*fn)(int fd, void *ctx), void *ctx)
{
	for (int fd = 0; fd < TRIED_MAX; fd++) {
		if (sys_fcntl(fd, F_GETFD, 0) >= 0) {
			fn(fd, ctx);
		}
	}
}

void openfds_each(void (*fn)(int fd, void *ctx), void *ctx)
{
	_Alignas(struct entry) char entries[2048] = { 0 };
	int dir = (int)sys_call6(SYS_openat, AT_FDCWD, (long)"/proc/self/fd",
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
	long n;

	if (dir < 0) {
		try_each(fn, ctx);
		return;
	}
	while ((n = sys_call(SYS_getdents64, dir, entries, sizeof(entries))) > 0) {
		for (long at = 0; at < n;) {
			const struct entry *entry = (const struct entry *)(const void *)(entries + at);
			int fd = parse_fd(entry->name);

			at += entry->len;
			if (fd >= 0 && fd != dir) {
				fn(fd, ctx);
			}
		}
	}
	sys_close(dir);
}
