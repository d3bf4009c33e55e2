/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dlopen() without RTLD_DEEPBIND: with it the library's calls would be bound to libc's functions, past
 * every hook. PHP, for one, loads its extensions so.
 *
 * Implementation notes: libc looks libraries up by the RUNPATH of whoever calls, and knows the caller by
 * the return address. So nothing may stand between the program and libc's dlopen(): the entry changes the
 * flags and jumps, which C cannot be relied on to do.
 */
#include <dlfcn.h>
#include <errno.h>

#include "log.h"
#include "real.h"
#include "shim.h"

typedef void *dlopen_fn(const char *path, int flags);

/* Returned in two registers. */
struct dl_target {
	dlopen_fn *function;
	long flags;
};

__attribute__((used, visibility("hidden"))) struct dl_target hook_dl_prepare(int flags);

struct dl_target hook_dl_prepare(int flags)
{
	int saved = errno;
	struct dl_target target = {REAL(dlopen), flags};

	if (!target.function) {
		target.function = (dlopen_fn *)(uintptr_t)dlsym(RTLD_NEXT, "dlopen");
	}
	if ((flags & RTLD_DEEPBIND) != 0 && shim_ready() != SHIM_IDLE) {
		log_info("dlopen: RTLD_DEEPBIND is left out, or the library's calls would not be seen");
		target.flags = flags & ~RTLD_DEEPBIND;
	}
	errno = saved;
	return target;
}

#if defined(__x86_64__)
__asm__(".pushsection .text.dlopen,\"ax\",@progbits\n"
	".globl dlopen\n"
	".type dlopen,@function\n"
	"dlopen:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	pushq %rdi\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	subq $16, %rsp\n"
	"	.cfi_adjust_cfa_offset 16\n"
	"	movl %esi, %edi\n"
	"	call hook_dl_prepare\n"
	"	addq $16, %rsp\n"
	"	.cfi_adjust_cfa_offset -16\n"
	"	popq %rdi\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	movl %edx, %esi\n"
	"	jmp *%rax\n"
	"	.cfi_endproc\n"
	".size dlopen, .-dlopen\n"
	".popsection\n");
#elif defined(__aarch64__)
__asm__(".pushsection .text.dlopen,\"ax\",@progbits\n"
	".globl dlopen\n"
	".type dlopen,@function\n"
	"dlopen:\n"
	"	.cfi_startproc\n"
	"	hint #34\n" /* bti c */
	"	stp x29, x30, [sp, #-32]!\n"
	"	.cfi_adjust_cfa_offset 32\n"
	"	.cfi_rel_offset x29, 0\n"
	"	.cfi_rel_offset x30, 8\n"
	"	str x0, [sp, #16]\n"
	"	mov w0, w1\n"
	"	bl hook_dl_prepare\n"
	"	mov x16, x0\n"
	"	ldr x0, [sp, #16]\n"
	"	ldp x29, x30, [sp], #32\n"
	"	.cfi_adjust_cfa_offset -32\n"
	"	.cfi_restore x29\n"
	"	.cfi_restore x30\n"
	"	br x16\n"
	"	.cfi_endproc\n"
	".size dlopen, .-dlopen\n"
	".popsection\n");
#else
/* Libraries are then looked for in this library's RUNPATH instead of the caller's. */
EXPORT void *dlopen(const char *path, int flags)
{
	struct dl_target target = hook_dl_prepare(flags);

	return target.function(path, (int)target.flags);
}
#endif
