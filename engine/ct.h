/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arithmetic instead of branches, for values that nobody may learn from the time that it takes.
 *
 * Implementation notes
 *
 *   ct: a truth is a mask, all ones or all zeros. Each mask goes through ct_hide(), behind which the compiler knows
 *   nothing of it: else it may see that it is one of two values and put the branch back.
 */
#ifndef ENGINE_CT_H
#define ENGINE_CT_H

#include <stdint.h>

/* The same value, of which the compiler knows nothing. */
static inline uint32_t ct_hide(uint32_t value)
{
	__asm__("" : "+r"(value));
	return value;
}

/* All ones if the top bit of value is set, else zeros. */
static inline uint32_t ct_top_bit(uint32_t value)
{
	return ct_hide(UINT32_C(0) - (value >> 31));
}

/* a < b, both below 2^31 */
static inline uint32_t ct_less(uint32_t a, uint32_t b)
{
	return ct_top_bit(a - b);
}

static inline uint32_t ct_is_zero(uint32_t value)
{
	return ct_top_bit(~value & (value - 1));
}

static inline uint32_t ct_equal(uint32_t a, uint32_t b)
{
	return ct_is_zero(a ^ b);
}

/* a where the mask is ones, else b */
static inline uint32_t ct_select(uint32_t mask, uint32_t a, uint32_t b)
{
	return (mask & a) | (~mask & b);
}

#endif
