/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of constant time: secrets are marked as undefined memory, and valgrind reports each branch and each address
 * that depends on them. The idea is Adam Langley's, known as ctgrind.
 *
 * A test program calls ct_main(), which runs it anew under valgrind. What the program finds is counted: no test goes by
 * exit status. valgrind emulates a processor without AVX-512 and SHA instructions; wolfCrypt asks it and takes the code
 * for such a one. Where a primitive cannot be run on secrets itself, its output is marked instead.
 *
 * With a sanitizer, or without valgrind, the tests are skipped and say so.
 */
#ifndef TESTS_CT_H
#define TESTS_CT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CT_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CT_SANITIZED 1
#endif

#if defined(CT_SANITIZED)
#define CT_WHY_NOT "a sanitizer and valgrind do not go together"
#elif !__has_include(<valgrind/memcheck.h>)
#define CT_WHY_NOT "valgrind and its header are missing"
#else
#include <valgrind/memcheck.h>
#define CT_WHY_NOT NULL
#endif

#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND                     0
#define VALGRIND_COUNT_ERRORS                   0
#define VALGRIND_MAKE_MEM_UNDEFINED(place, len) ((void)(place), (void)(len))
#define VALGRIND_MAKE_MEM_DEFINED(place, len)   ((void)(place), (void)(len))
#endif

/* From here on place[0..len) is a secret; and no more. */
static inline void ct_secret(void *place, size_t len)
{
	VALGRIND_MAKE_MEM_UNDEFINED(place, len);
}

static inline void ct_public(void *place, size_t len)
{
	VALGRIND_MAKE_MEM_DEFINED(place, len);
}

/* Branches and addresses that have depended on secrets so far. */
static inline unsigned ct_leaks(void)
{
	return (unsigned)VALGRIND_COUNT_ERRORS;
}

/* ---- an environment of known numbers ---- */

static inline bool ct_random(uint8_t *out, size_t len)
{
	static uint32_t state = 1;

	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		out[i] = (uint8_t)(state >> 24);
	}
	return true;
}

static inline int64_t ct_now(void)
{
	return 1767225600;
}

static inline int ct_set_up(void **unused)
{
	const struct engine_env env = {.random = ct_random, .now = ct_now};

	(void)unused;
	return engine_init(&env) ? 0 : -1;
}

static inline int ct_skip(const char *why)
{
	printf("1..1\nok 1 - constant time # SKIP %s\n", why);
	return 0;
}

/* Run under valgrind what run() does: cmocka's main part of a test program. */
static inline int ct_main(char **argv, int (*run)(void))
{
	if (CT_WHY_NOT != NULL) {
		return ct_skip(CT_WHY_NOT);
	}
	if (RUNNING_ON_VALGRIND == 0) {
		fflush(stdout);
		execlp("valgrind", "valgrind", "--quiet", "--tool=memcheck", "--leak-check=no", argv[0],
		       (char *)NULL);
		return ct_skip("valgrind is not installed");
	}
	return run();
}

#endif
