/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the processor can do, asked once.
 */
#include "cpu.h"

#include <stdatomic.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>

#define ASKED 1u
#define AVX   2u
#define AES   4u
/* The operating system keeps the SSE and the AVX state: Intel SDM volume 1, 13.3 */
#define STATE_SSE_AVX 6u

#define VECTORS                                                                                                \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",      \
		"xmm12", "xmm13", "xmm14", "xmm15"

static unsigned ask(void)
{
	unsigned eax, ebx, ecx, edx, features = ASKED;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) {
		return features;
	}
	if ((ecx & bit_AES) != 0 && (ecx & bit_PCLMUL) != 0) {
		features |= AES;
	}
	if ((ecx & bit_OSXSAVE) != 0 && (ecx & bit_AVX) != 0) {
		uint32_t low, high;

		__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
		if ((low & STATE_SSE_AVX) == STATE_SSE_AVX) {
			features |= AVX;
		}
	}
	return features;
}

static unsigned features(void)
{
	static _Atomic unsigned known;
	unsigned found = atomic_load_explicit(&known, memory_order_relaxed);

	if (found == 0) {
		found = ask();
		atomic_store_explicit(&known, found, memory_order_relaxed);
	}
	return found;
}

bool cpu_has_aes(void)
{
	return (features() & AES) != 0;
}

bool cpu_has_avx(void)
{
	return (features() & AVX) != 0;
}

void cpu_clear_upper_vectors(void)
{
	if (cpu_has_avx()) {
		__asm__ volatile("vzeroupper" ::: VECTORS);
	}
}

void cpu_clear_vectors(void)
{
	if (cpu_has_avx()) {
		__asm__ volatile("vzeroall" ::: VECTORS);
	}
}

#else

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

bool cpu_has_aes(void)
{
#if defined(__aarch64__)
	return (getauxval(AT_HWCAP) & (1UL << 3)) != 0; /* HWCAP_AES */
#else
	return false;
#endif
}

bool cpu_has_avx(void)
{
	return false;
}

void cpu_clear_upper_vectors(void)
{
}

void cpu_clear_vectors(void)
{
}

#endif
