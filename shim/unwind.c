/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs __attribute__((cleanup)) when a thread is cancelled in one of our functions.
 *
 * Implementation notes: libc unwinds a cancelled thread's stack by libgcc_s.so.1, which it loads for that. Our own frames name
 * a function that reads what is to be cleaned up; linked in from libgcc.a it would ask the unwinder that is linked in with
 * it, which knows nothing of that stack and aborts the program. So it is the one of libgcc_s that is asked.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <unwind.h>

#include "real.h"

typedef _Unwind_Reason_Code personality_fn(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
					   struct _Unwind_Exception *exception, struct _Unwind_Context *context);

/* The name is the compiler's. */
__attribute__((visibility("hidden"))) personality_fn __gcc_personality_v0;

static personality_fn *find(void)
{
	static _Atomic(personality_fn *) found;
	personality_fn *function = atomic_load(&found);

	if (!function) {
		void *library = REAL(dlopen)("libgcc_s.so.1", RTLD_LAZY | RTLD_NOLOAD);
		function = library ? (personality_fn *)(uintptr_t)dlsym(library, "__gcc_personality_v0") : NULL;
		atomic_store(&found, function);
	}
	return function;
}

_Unwind_Reason_Code __gcc_personality_v0(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
					 struct _Unwind_Exception *exception, struct _Unwind_Context *context)
{
	personality_fn *function = find();

	/* Who unwinds by something else leaves what there is behind. */
	return function ? function(version, actions, class, exception, context) : _URC_CONTINUE_UNWIND;
}
