/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * getaddrinfo() and friends: remember the name that the program asked for beside the addresses that
 * it got.
 *
 * The name to verify is the one asked for: neither ai_canonname, which whoever answers the query
 * chooses, nor the name that a search domain completed. A name in UTF-8 (AI_IDN) is not kept, its
 * wire form is not known here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "names.h"
#include "real.h"
#include "shim.h"

/* Only a rule for connections can want a name. */
static bool names_wanted(void)
{
	return shim_ready() == SHIM_ARMED && policy_has(shim_policy(), POLICY_CONNECT);
}

static void remember_info(const char *node, const struct addrinfo *info)
{
	for (; info; info = info->ai_next) {
		names_remember(node, info->ai_addr, info->ai_addrlen);
	}
}

static void remember_host(const char *name, const struct hostent *host)
{
	for (char **addr = host->h_addr_list; *addr; addr++) {
		if (host->h_addrtype == AF_INET) {
			struct sockaddr_in in = { .sin_family = AF_INET };
			memcpy(&in.sin_addr, *addr, sizeof(in.sin_addr));
			names_remember(name, (const struct sockaddr *)&in, sizeof(in));
		} else if (host->h_addrtype == AF_INET6) {
			struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
			memcpy(&in6.sin6_addr, *addr, sizeof(in6.sin6_addr));
			names_remember(name, (const struct sockaddr *)&in6, sizeof(in6));
		}
	}
}

EXPORT int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		       struct addrinfo **result)
{
	int rc = REAL(getaddrinfo)(node, service, hints, result);

	if (rc == 0 && node && names_wanted()) {
		remember_info(node, *result);
	}
	return rc;
}

static struct hostent *remember_answer(const char *name, struct hostent *host)
{
	if (host && names_wanted()) {
		remember_host(name, host);
	}
	return host;
}

EXPORT struct hostent *gethostbyname(const char *name)
{
	return remember_answer(name, REAL(gethostbyname)(name));
}

EXPORT struct hostent *gethostbyname2(const char *name, int family)
{
	return remember_answer(name, REAL(gethostbyname2)(name, family));
}

/* Of the _r forms *result is the answer or NULL, also when the buffer was too small. */
EXPORT int gethostbyname_r(const char *name, struct hostent *ret, char *buf, size_t buf_len,
			   struct hostent **result, int *h_err)
{
	int rc = REAL(gethostbyname_r)(name, ret, buf, buf_len, result, h_err);

	remember_answer(name, rc == 0 ? *result : NULL);
	return rc;
}

EXPORT int gethostbyname2_r(const char *name, int family, struct hostent *ret, char *buf, size_t buf_len,
			    struct hostent **result, int *h_err)
{
	int rc = REAL(gethostbyname2_r)(name, family, ret, buf, buf_len, result, h_err);

	remember_answer(name, rc == 0 ? *result : NULL);
	return rc;
}

/*
 * Look-ups that go on behind the program's back. Their results lie in the requests, and a program may take
 * them from there only when the call, or gai_error(), has said that they are done.
 */
static void remember_request(const struct gaicb *request)
{
	if (request && request->ar_name && request->ar_result && names_wanted()) {
		remember_info(request->ar_name, request->ar_result);
	}
}

EXPORT int getaddrinfo_a(int mode, struct gaicb *list[], int n, struct sigevent *event)
{
	int rc;

	if (!REAL(getaddrinfo_a)) {
		errno = ENOSYS;
		return EAI_SYSTEM;
	}
	rc = real.getaddrinfo_a(mode, list, n, event);
	for (int i = 0; i < n && list && mode == GAI_WAIT; i++) {
		if (list[i]) {
			(void)gai_error(list[i]); /* it remembers */
		}
	}
	return rc;
}

EXPORT int gai_error(struct gaicb *request)
{
	int rc = REAL(gai_error) ? real.gai_error(request) : EAI_SYSTEM;

	if (rc == 0) {
		remember_request(request);
	}
	return rc;
}
