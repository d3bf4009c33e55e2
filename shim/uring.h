/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_uring, whose operations pass by every hook.
 */
#ifndef SHIM_URING_H
#define SHIM_URING_H

/*
 * Once, at start: if liburing is loaded, make io_uring_setup(2) fail with ENOSYS where that needs nothing
 * but privileges that we have, and warn where it does not. Programs that call it through syscall(2) are
 * answered by that hook.
 */
void uring_guard(void);

#endif
