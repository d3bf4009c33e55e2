/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the processor can do.
 *
 * Not by __builtin_cpu_supports(): libgcc's constructor behind it asks for everything with a dozen CPUID
 * instructions, each of which leaves a virtual machine, in every program that is started.
 */
#ifndef ENGINE_CPU_H
#define ENGINE_CPU_H

#include <stdbool.h>

/* Instructions for AES and for GCM's multiplication, which wolfCrypt uses? */
bool cpu_has_aes(void);
/* AVX, with an operating system that keeps its registers? False on other architectures. */
bool cpu_has_avx(void);

/*
 * Clear the upper halves of the vector registers, which wolfSSL's assembly for big numbers leaves dirty.
 * Two things stumble over that: curve25519_base_avx2() of 5.9.2 takes them for zero in
 * fe_invert_nct_avx2(), so that every second key share made behind a P-384 operation is wrong; and
 * SHA-256 by SHA instructions becomes many times slower.
 */
void cpu_clear_upper_vectors(void);
/* Clear the vector registers whole: secrets may be in them. */
void cpu_clear_vectors(void);

#endif
