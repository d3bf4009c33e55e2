/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The open descriptors of this process, whoever opened them.
 */
#ifndef SHIM_OPENFDS_H
#define SHIM_OPENFDS_H

/*
 * Call fn for each open descriptor. Async-signal-safe, keeps errno; where /proc is missing,
 * descriptors up to 4,095 are tried. fn may close descriptors and change their flags.
 */
void openfds_each(void (*fn)(int fd, void *ctx), void *ctx);

#endif
