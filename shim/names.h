/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which names the program has looked up for an address: connect() knows the address only, TLS needs
 * the name.
 *
 * The memory is bounded: the NAMES_MAX latest pairs of name and address are kept. Nothing is
 * reserved before the first look-up is remembered.
 */
#ifndef SHIM_NAMES_H
#define SHIM_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NAMES_MAX 16384
/* The longest name in its text form, without the final dot (RFC 1035 2.3.4). */
#define NAMES_LEN_MAX 253

/*
 * The program asked for name and got addr (AF_INET or AF_INET6; others are passed over). Names that
 * cannot be a server's name in TLS are not kept: NULL, empty, address literals, beyond
 * NAMES_LEN_MAX, with bytes other than printable ASCII. Stored in lower case and without a final
 * dot. Thread-safe, takes a lock, keeps errno.
 */
void names_remember(const char *name, const struct sockaddr *addr, socklen_t len);

/*
 * The program asked name servers for name and got this answer, in the form of RFC 1035 4.1: names_remember() for each
 * address in it. What is damaged, or no answer, is passed over.
 */
void names_remember_answer(const char *name, const uint8_t *answer, size_t len);

/*
 * Names looked up for addr, at most max (and 64) of them to out: those that this thread looked up,
 * the latest first, then those of the process, the latest first; each name once. Ports and scopes
 * do not count, and a v4-mapped address is its IPv4 address. Returns how many. Lock-free and
 * async-signal-safe.
 *
 * The strings are borrowed: one may change (but stays terminated) once NAMES_MAX further pairs have
 * been remembered.
 */
size_t names_find(const struct sockaddr *addr, socklen_t len, const char *out[], size_t max);

/* In a fork child: another thread may have held the lock. */
void names_fork_child(void);

#endif
