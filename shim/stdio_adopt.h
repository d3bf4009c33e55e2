/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stdio over wrapped sockets, for the parts of the shim that are no hooks.
 *
 * None of these is async-signal-safe, and none may run in a vfork child.
 */
#ifndef SHIM_STDIO_ADOPT_H
#define SHIM_STDIO_ADOPT_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Descriptor fd has become, or may have ceased to be, a wrapped socket: at start, by dup2(), by
 * accept(). For 0, 1 and 2 this sets stdin, stdout or stderr to a stream that passes through the shim, or
 * back to libc's own when the descriptor is no longer wrapped. Output that the old stream holds
 * goes on in the new one. Code that kept the old pointer gets errors instead of writing into the
 * middle of a TLS connection.
 * For other numbers: libc's FILEs over them are cut off as long as the socket is there.
 */
void stdio_adopt(int fd);

/* Is this one of the streams over wrapped sockets? */
bool stdio_is_ours(const FILE *stream);

/*
 * In the shim's destructor: call fn once, after all other destructors and after exit() has flushed
 * the streams, so that what they still held goes out before the connections are closed.
 */
void stdio_at_exit(void (*fn)(void));

#endif
