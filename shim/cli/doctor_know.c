/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the doctor knows by heart.
 */
#include "doctor_know.h"

#include <stdlib.h>
#include <string.h>

#define HARMLESS DOCTOR_HARMLESS
#define COVERED  DOCTOR_COVERED
#define LIMITED  DOCTOR_LIMITED

static struct doctor_call calls[] = {
#define HOOK(ret, name, params, args) {#name, DOCTOR_HOOKED, ""},
#include "../hooks.def"
#undef HOOK
#define SURFACE(name, class, reason) {#name, class, reason},
#include "surface.def"
#undef SURFACE
};

static const size_t n_calls = sizeof(calls) / sizeof(calls[0]);

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct doctor_call *)a)->name, ((const struct doctor_call *)b)->name);
}

static void sort_calls(void)
{
	static bool is_sorted;

	if (!is_sorted) {
		qsort(calls, n_calls, sizeof(calls[0]), by_name);
		is_sorted = true;
	}
}

const struct doctor_call *doctor_find_call(const char *name)
{
	const struct doctor_call wanted = {.name = name};

	sort_calls();
	return bsearch(&wanted, calls, n_calls, sizeof(calls[0]), by_name);
}

const char *doctor_next_call(enum doctor_class class, const char *name)
{
	sort_calls();
	for (size_t i = 0; i < n_calls; i++) {
		if (calls[i].class == class && (name == NULL || strcmp(calls[i].name, name) > 0)) {
			return calls[i].name;
		}
	}
	return NULL;
}

static const struct doctor_mark libraries[] = {
	{DOCTOR_TLS, "libssl.so", "OpenSSL"},
	{DOCTOR_TLS, "libgnutls.so", "GnuTLS"},
	{DOCTOR_TLS, "libgnutls-openssl", "GnuTLS"},
	{DOCTOR_TLS, "libssl3.so", "NSS"},
	{DOCTOR_TLS, "libwolfssl.so", "wolfSSL"},
	{DOCTOR_TLS, "libmbedtls.so", "Mbed TLS"},
	{DOCTOR_TLS, "libs2n.so", "s2n"},
	{DOCTOR_TLS, "libtls.so", "libtls"},
	{DOCTOR_TLS, "librustls.so", "rustls"},
	{DOCTOR_TLS, "libboringssl.so", "BoringSSL"},
	{DOCTOR_TLS, "libbearssl.so", "BearSSL"},
	{DOCTOR_TLS, "libmatrixssl.so", "MatrixSSL"},
	{DOCTOR_TLS, "libgiognutls.so", "GnuTLS"},
	{DOCTOR_TLS, "libgioopenssl.so", "OpenSSL"},
	{DOCTOR_RESOLVER, "libcares.so", "c-ares"},
	{DOCTOR_RESOLVER, "libldns.so", "ldns"},
	{DOCTOR_RESOLVER, "libunbound.so", "libunbound"},
	{DOCTOR_RESOLVER, "libgetdns.so", "getdns"},
	{DOCTOR_RESOLVER, "libadns.so", "adns"},
	{DOCTOR_RESOLVER, "libudns.so", "udns"},
	{DOCTOR_SANDBOX, "libseccomp.so", "libseccomp"},
	{DOCTOR_ALLOCATOR, "libjemalloc", "jemalloc"},
	{DOCTOR_ALLOCATOR, "libtcmalloc", "tcmalloc"},
	{DOCTOR_ALLOCATOR, "libmimalloc", "mimalloc"},
	{DOCTOR_ALLOCATOR, "libhardened_malloc", "hardened_malloc"},
	{DOCTOR_ALLOCATOR, "libtbbmalloc_proxy", "tbbmalloc"},
	{DOCTOR_ALLOCATOR, "libsnmallocshim", "snmalloc"},
	{DOCTOR_URING, "liburing.so", "liburing"},
	{DOCTOR_URING, "liburing-ffi.so", "liburing"},
	{DOCTOR_AIO, "libaio.so", "libaio"},
};

static const struct doctor_mark imported[] = {
	{DOCTOR_RESOLVER, "evdns_getaddrinfo", "libevent's evdns"},
	{DOCTOR_RESOLVER, "evdns_base_resolve_ipv4", "libevent's evdns"},
	{DOCTOR_RESOLVER, "evdns_base_resolve_ipv6", "libevent's evdns"},
	{DOCTOR_SANDBOX, "seccomp_load", "libseccomp"},
};

static const struct doctor_mark defined[] = {
	{DOCTOR_TLS, "SSL_do_handshake", "OpenSSL, linked in"},
	{DOCTOR_TLS, "gnutls_handshake", "GnuTLS, linked in"},
	{DOCTOR_TLS, "wolfSSL_connect", "wolfSSL, linked in"},
	{DOCTOR_TLS, "mbedtls_ssl_handshake", "Mbed TLS, linked in"},
	{DOCTOR_TLS, "SSL_ForceHandshake", "NSS, linked in"},
	{DOCTOR_RESOLVER, "ares_init", "c-ares, linked in"},
	{DOCTOR_RESOLVER, "ares_getaddrinfo", "c-ares, linked in"},
	{DOCTOR_ALLOCATOR, "malloc", "an allocator linked in"},
	{DOCTOR_URING, "io_uring_queue_init", "liburing, linked in"},
};

const struct doctor_mark *doctor_find_library(const char *name)
{
	const char *slash = strrchr(name, '/');

	name = slash != NULL ? slash + 1 : name;
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		if (strncmp(name, libraries[i].pattern, strlen(libraries[i].pattern)) == 0) {
			return &libraries[i];
		}
	}
	return NULL;
}

static const struct doctor_mark *find_in(const struct doctor_mark *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(table[i].pattern, name) == 0) {
			return &table[i];
		}
	}
	return NULL;
}

const struct doctor_mark *doctor_find_symbol(const char *name, bool is_defined)
{
	return is_defined ? find_in(defined, sizeof(defined) / sizeof(defined[0]), name)
			  : find_in(imported, sizeof(imported) / sizeof(imported[0]), name);
}
