/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Socket addresses as text, for logs.
 */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

void address_format(const struct sockaddr *addr, socklen_t len, char out[static 80])
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (addr->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(out, 80, "%s:%u", host, ntohs(in->sin_port));
	} else if (addr->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(out, 80, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else {
		snprintf(out, 80, "unknown");
	}
}
