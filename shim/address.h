/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Socket addresses as text, for logs.
 */
#ifndef SHIM_ADDRESS_H
#define SHIM_ADDRESS_H

#include <sys/socket.h>

#define ADDRESS_MAX 80

/* Write "ADDR:PORT" or "[ADDR]:PORT" of an internet address to out, "unknown" for another. */
void address_format(const struct sockaddr *addr, socklen_t len, char out[static ADDRESS_MAX]);

#endif
