/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * res_query() and its kind: programs that ask name servers by themselves (mail servers do) and get the
 * answer as it came. The addresses in it are remembered under the name that was asked for, as hook_name.c
 * does for getaddrinfo().
 *
 * Implementation notes: which of res_query and __res_query a libc exports depends on its version, so each
 * stands in for the other. <resolv.h> makes the one a macro for the other in some, and is not included:
 * states are passed on as pointers.
 */
#include <errno.h>
#include <string.h>

#include "names.h"
#include "real.h"
#include "shim.h"

#define TYPE_A    1
#define TYPE_AAAA 28
#define TYPE_ANY  255

typedef int query_fn(const char *name, int class, int type, unsigned char *answer, int len);
typedef int nquery_fn(void *state, const char *name, int class, int type, unsigned char *answer, int len);
typedef int domain_fn(const char *name, const char *domain, int class, int type, unsigned char *answer,
		      int len);
typedef int ndomain_fn(void *state, const char *name, const char *domain, int class, int type,
		       unsigned char *answer, int len);

/* n: what the query returned, which counts what did not fit, too. */
static int remember(const char *name, int type, const unsigned char *answer, int len, int n)
{
	int saved = errno;

	if (n > 0 && len > 0 && (type == TYPE_A || type == TYPE_AAAA || type == TYPE_ANY) &&
	    shim_ready() == SHIM_ARMED && policy_has(shim_policy(), POLICY_CONNECT)) {
		names_remember_answer(name, answer, (size_t)(n < len ? n : len));
	}
	errno = saved;
	return n;
}

static int remember_domain(const char *name, const char *domain, int type, const unsigned char *answer,
			   int len, int n)
{
	char full[NAMES_LEN_MAX + 2];
	size_t name_len = strlen(name), domain_len = domain ? strlen(domain) : 0;

	if (n <= 0 || name_len + 1 + domain_len >= sizeof(full)) {
		return n;
	}
	memcpy(full, name, name_len + 1);
	if (domain_len > 0) {
		full[name_len] = '.';
		memcpy(full + name_len + 1, domain, domain_len + 1);
	}
	return remember(full, type, answer, len, n);
}

static int missing(void)
{
	errno = ENOSYS;
	return -1;
}

/* ---- the hooks ---- */

#define EITHER(a, b) (REAL(a) ? real.a : real.b)

static int hook_query(query_fn *query, const char *name, int class, int type, unsigned char *answer, int len)
{
	return query ? remember(name, type, answer, len, query(name, class, type, answer, len)) : missing();
}

EXPORT int res_query(const char *name, int class, int type, unsigned char *answer, int len)
{
	return hook_query(EITHER(res_query, __res_query), name, class, type, answer, len);
}

EXPORT int __res_query(const char *name, int class, int type, unsigned char *answer, int len)
{
	return hook_query(EITHER(__res_query, res_query), name, class, type, answer, len);
}

EXPORT int res_search(const char *name, int class, int type, unsigned char *answer, int len)
{
	return hook_query(EITHER(res_search, __res_search), name, class, type, answer, len);
}

EXPORT int __res_search(const char *name, int class, int type, unsigned char *answer, int len)
{
	return hook_query(EITHER(__res_search, res_search), name, class, type, answer, len);
}

static int hook_nquery(nquery_fn *query, void *state, const char *name, int class, int type,
		       unsigned char *answer, int len)
{
	return query ? remember(name, type, answer, len, query(state, name, class, type, answer, len))
		     : missing();
}

EXPORT int res_nquery(void *state, const char *name, int class, int type, unsigned char *answer, int len)
{
	return hook_nquery(EITHER(res_nquery, __res_nquery), state, name, class, type, answer, len);
}

EXPORT int __res_nquery(void *state, const char *name, int class, int type, unsigned char *answer, int len)
{
	return hook_nquery(EITHER(__res_nquery, res_nquery), state, name, class, type, answer, len);
}

EXPORT int res_nsearch(void *state, const char *name, int class, int type, unsigned char *answer, int len)
{
	return hook_nquery(EITHER(res_nsearch, __res_nsearch), state, name, class, type, answer, len);
}

EXPORT int __res_nsearch(void *state, const char *name, int class, int type, unsigned char *answer, int len)
{
	return hook_nquery(EITHER(__res_nsearch, res_nsearch), state, name, class, type, answer, len);
}

static int hook_domain(domain_fn *query, const char *name, const char *domain, int class, int type,
		       unsigned char *answer, int len)
{
	return query ? remember_domain(name, domain, type, answer, len,
				       query(name, domain, class, type, answer, len))
		     : missing();
}

EXPORT int res_querydomain(const char *name, const char *domain, int class, int type, unsigned char *answer,
			   int len)
{
	return hook_domain(EITHER(res_querydomain, __res_querydomain), name, domain, class, type, answer,
			   len);
}

EXPORT int __res_querydomain(const char *name, const char *domain, int class, int type, unsigned char *answer,
			     int len)
{
	return hook_domain(EITHER(__res_querydomain, res_querydomain), name, domain, class, type, answer,
			   len);
}

static int hook_ndomain(ndomain_fn *query, void *state, const char *name, const char *domain, int class,
			int type, unsigned char *answer, int len)
{
	return query ? remember_domain(name, domain, type, answer, len,
				       query(state, name, domain, class, type, answer, len))
		     : missing();
}

EXPORT int res_nquerydomain(void *state, const char *name, const char *domain, int class, int type,
			    unsigned char *answer, int len)
{
	return hook_ndomain(EITHER(res_nquerydomain, __res_nquerydomain), state, name, domain, class, type,
			    answer, len);
}

EXPORT int __res_nquerydomain(void *state, const char *name, const char *domain, int class, int type,
			      unsigned char *answer, int len)
{
	return hook_ndomain(EITHER(__res_nquerydomain, res_nquerydomain), state, name, domain, class, type,
			    answer, len);
}
