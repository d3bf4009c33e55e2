/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Socket addresses: as text, for logs, and compared.
 */
#ifndef SHIM_ADDRESS_H
#define SHIM_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#define ADDRESS_MAX 80

/* Write "ADDR:PORT" or "[ADDR]:PORT" of an internet address to out, "unknown" for another. */
void address_format(const struct sockaddr *addr, socklen_t len, char out[static ADDRESS_MAX]);

/* Are two internet addresses (sockaddr_in6, or sockaddr_in in its place) of one host? Ports do not count. */
bool address_same_host(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b);

#endif
