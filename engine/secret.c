/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wiping and comparing of secrets.
 */
#include "secret.h"

#include <string.h>

#include "cpu.h"
#include "ct.h"

void secret_wipe(void *ptr, size_t len)
{
	if (len != 0) {
		explicit_bzero(ptr, len);
	}
}

__attribute__((noinline)) void secret_wipe_stack(void)
{
	uint8_t area[6144];

	explicit_bzero(area, sizeof(area));
	cpu_clear_vectors();
}

/* ct: touches every byte, branches on none */
bool secret_equal(const void *a, const void *b, size_t len)
{
	const uint8_t *left = a, *right = b;
	uint32_t diff = 0;

	for (size_t i = 0; i < len; i++) {
		diff = ct_hide(diff | (uint32_t)(left[i] ^ right[i]));
	}
	return diff == 0;
}

/* ct: touches every byte, branches on none */
bool secret_is_zero(const void *a, size_t len)
{
	const uint8_t *bytes = a;
	uint32_t any = 0;

	for (size_t i = 0; i < len; i++) {
		any = ct_hide(any | bytes[i]);
	}
	return any == 0;
}
