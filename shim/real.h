/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libc's own functions: real.read() is what the program would have called without the shim.
 *
 * Usable from the first instruction on: until real_init() has looked the symbols up, each entry that is a plain system
 * call makes it directly, and the others look themselves up when called.
 */
#ifndef SHIM_REAL_H
#define SHIM_REAL_H

#include <aio.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* The entry points of the shim; everything else is hidden. */
#define EXPORT __attribute__((visibility("default")))

struct real {
#define HOOK(ret, name, params, args) ret(*name) params;
#include "hooks.def"
#undef HOOK
};
extern struct real real;

/* Look all symbols up. Idempotent; keeps errno. */
void real_init(void);

extern _Atomic bool real_ready;

/*
 * The real function, looked up if need be. Entries with a bare system call behind them (read, write, close,
 * fcntl, ioctl, syscall and their twins) may be used as real.name at any time.
 */
#define REAL(name) (__builtin_expect(!real_ready, 0) ? (real_init(), real.name) : real.name)

#endif
