/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Socket addresses: as text, for logs, and compared.
 */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

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

bool address_same_host(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	if (a->sin6_family != b->sin6_family) {
		return false;
	}
	if (a->sin6_family == AF_INET) {
		const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	}
	return memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0;
}

#define V4_MAPPED UINT64_C(0xffff00000000)

static uint64_t load_u64(const uint8_t bytes[static 8])
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++) {
		value = value << 8 | bytes[i];
	}
	return value;
}

struct address_end address_end(const struct sockaddr_in6 *addr)
{
	struct address_end end = { .port = ntohs(addr->sin6_port) };

	if (addr->sin6_family == AF_INET) {
		end.lo = V4_MAPPED | ntohl(((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr);
	} else {
		end.hi = load_u64(addr->sin6_addr.s6_addr);
		end.lo = load_u64(addr->sin6_addr.s6_addr + 8);
	}
	return end;
}

bool address_end_is_v4(const struct address_end *end)
{
	return end->hi == 0 && end->lo >> 32 == V4_MAPPED >> 32;
}

bool address_end_is_any(const struct address_end *end)
{
	return end->hi == 0 && (end->lo == 0 || end->lo == V4_MAPPED);
}

bool address_same_end(const struct address_end *a, const struct address_end *b)
{
	return a->hi == b->hi && a->lo == b->lo && a->port == b->port;
}
