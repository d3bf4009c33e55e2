/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Published vectors are written in hex: read them, compare with them. Include behind cmocka.h.
 */
#ifndef TESTS_HEX_H
#define TESTS_HEX_H

#include <stdlib.h>
#include <string.h>

/* Fill out from hex digits; returns how many bytes. */
static inline size_t hex_read(uint8_t *out, size_t room, const char *hex)
{
	const size_t len = strlen(hex) / 2;

	assert_true(len <= room);
	for (size_t i = 0; i < len; i++) {
		const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		out[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return len;
}

/* got begins with the bytes of hex. */
static inline void hex_check(const uint8_t *got, const char *hex)
{
	uint8_t expected[2048];

	assert_memory_equal(got, expected, hex_read(expected, sizeof(expected), hex));
}

#endif
