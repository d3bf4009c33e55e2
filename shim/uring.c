/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_uring, whose operations pass by every hook.
 *
 * Implementation notes: liburing makes its system calls by itself. A seccomp filter reaches them, but
 * without CAP_SYS_ADMIN it needs no_new_privs, which breaks set-user-ID children: a side effect that nobody
 * asked for. So the filter is for privileged programs, and only for those that have the library loaded,
 * because a filter costs every system call a little.
 */
#include "uring.h"

#include <errno.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "log.h"
#include "sys.h"

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif
#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#else
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

static int is_liburing(struct dl_phdr_info *info, size_t size, void *ctx)
{
	const char *slash = info->dlpi_name ? strrchr(info->dlpi_name, '/') : NULL;

	(void)size;
	(void)ctx;
	return slash && strncmp(slash + 1, "liburing", 8) == 0;
}

static bool refuse_setup(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return sys_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

void uring_guard(void)
{
	if (!dl_iterate_phdr(is_liburing, NULL)) {
		return;
	}
	if (refuse_setup()) {
		log_info("io_uring is switched off for this program: its operations could not be protected");
	} else {
		log_warn("this program has liburing: connections that it makes or uses through io_uring are NOT protected; switch "
			 "io_uring off in its settings or by sysctl kernel.io_uring_disabled");
	}
}
