/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Socket addresses: as text, for logs, and compared.
 */
#ifndef SHIM_ADDRESS_H
#define SHIM_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_MAX 80

/* Write "ADDR:PORT" or "[ADDR]:PORT" of an internet address to out, "unknown" for another. */
void address_format(const struct sockaddr *addr, socklen_t len, char out[static ADDRESS_MAX]);

/* Are two internet addresses (sockaddr_in6, or sockaddr_in in its place) of one host? Ports do not count. */
bool address_same_host(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b);

/* One end of a connection, IPv4 as its mapped form, so that both families compare. Host byte order. */
struct address_end {
	uint64_t hi, lo;
	uint16_t port;
};
/* Of an internet address, as above. */
struct address_end address_end(const struct sockaddr_in6 *addr);
bool address_end_is_v4(const struct address_end *end);
/* No address in particular: 0.0.0.0 or ::. */
bool address_end_is_any(const struct address_end *end);
/* The same host and port? */
bool address_same_end(const struct address_end *a, const struct address_end *b);

#endif
