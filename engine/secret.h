/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets: a small holder for them, wiping, and comparing without telling where the difference is.
 */
#ifndef ENGINE_SECRET_H
#define ENGINE_SECRET_H

#include "engine.h"

#define SECRET_MAX_LEN 48

/* A secret of the key schedule: as long as its hash. len 0: none. */
struct secret {
	size_t len;
	uint8_t data[SECRET_MAX_LEN];
};

/* Overwrite ptr[0..len) with zeros in a way that the compiler keeps. ptr may be NULL with 0. */
void secret_wipe(void *ptr, size_t len);
/*
 * Overwrite the stack below the caller's frame, 6 KiB of it, and the vector registers: for the callers of
 * wolfCrypt, whose functions leave pieces of keys in both.
 */
void secret_wipe_stack(void);
/* Are a[0..len) and b[0..len) the same? Takes the same time wherever they differ. */
must_check bool secret_equal(const void *a, const void *b, size_t len);
/* Is a[0..len) all zeros? Same time whatever it holds. */
must_check bool secret_is_zero(const void *a, size_t len);

#endif
