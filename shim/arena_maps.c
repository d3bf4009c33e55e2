/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes have the arena: what /proc tells.
 */
#include "arena.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sys.h"

/* Does the text of /proc/PID/maps name our memfd? Lines are read in overlapping pieces. */
static bool maps_have_arena(int maps, unsigned long long inode)
{
	char want[64], buf[4096 + 64];
	size_t keep = 0;

	snprintf(want, sizeof(want), " %llu ", inode);
	for (;;) {
		long n = sys_call(SYS_read, maps, buf + keep, 4096);
		char *hit = buf;
		size_t len;
		if (n <= 0) {
			return false;
		}
		len = keep + (size_t)n;
		buf[len] = '\0';
		while ((hit = strstr(hit, want))) {
			hit += strlen(want);
			if (strstr(hit, "/memfd:tlshim-arena") == hit + strspn(hit, " ")) {
				return true;
			}
		}
		/* The name follows the inode after up to 30 blanks. */
		keep = len < 128 ? len : 128;
		if (keep > sizeof(buf) - 4097) {
			keep = sizeof(buf) - 4097;
		}
		memmove(buf, buf + len - keep, keep);
	}
}

bool arena_is_mapped_by(pid_t pid)
{
	char path[64];
	struct stat st;
	bool found;
	int maps;

	if (pid == sys_getpid()) {
		return true;
	}
	if (pid <= 0 || fstat(arena_fd(), &st) != 0) {
		return false;
	}
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = (int)sys_call6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (maps < 0) {
		return false;
	}
	found = maps_have_arena(maps, (unsigned long long)st.st_ino);
	sys_close(maps);
	return found;
}
