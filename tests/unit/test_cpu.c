/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine/cpu.c: what it says of the processor is what the kernel says, and registers are cleared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "engine/cpu.h"

/* Is this word in the line of /proc/cpuinfo that names the features? */
static bool kernel_says(const char *feature)
{
	static char line[16384];
	FILE *file = fopen("/proc/cpuinfo", "re");
	bool found = false;

	if (file == NULL) {
		skip();
	}
	while (!found && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0) {
			for (char *word = strtok(line, " \t\n"); word != NULL && !found; word = strtok(NULL, " \t\n")) {
				found = strcmp(word, feature) == 0;
			}
		}
	}
	fclose(file);
	return found;
}

static void features_are_the_kernels(void **state)
{
	(void)state;
#if defined(__x86_64__)
	assert_int_equal(cpu_has_aes(), kernel_says("aes") && kernel_says("pclmulqdq"));
	assert_int_equal(cpu_has_avx(), kernel_says("avx"));
#else
	assert_int_equal(cpu_has_aes(), kernel_says("aes"));
	assert_false(cpu_has_avx());
#endif
	assert_int_equal(cpu_has_aes(), cpu_has_aes());
}

static void vectors_are_cleared(void **state)
{
	(void)state;
#if defined(__x86_64__)
	uint8_t ones[32], left[32];

	if (!cpu_has_avx()) {
		skip();
	}
	memset(ones, 0xff, sizeof(ones));
	__asm__ volatile("vmovdqu %0, %%ymm7" ::"m"(ones) : "xmm7");
	cpu_clear_upper_vectors();
	__asm__ volatile("vmovdqu %%ymm7, %0" : "=m"(left)::"memory");
	for (size_t i = 16; i < sizeof(left); i++) {
		assert_int_equal(left[i], 0);
	}
	__asm__ volatile("vmovdqu %0, %%ymm7" ::"m"(ones) : "xmm7");
	cpu_clear_vectors();
	__asm__ volatile("vmovdqu %%ymm7, %0" : "=m"(left)::"memory");
	for (size_t i = 0; i < sizeof(left); i++) {
		assert_int_equal(left[i], 0);
	}
#else
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_are_the_kernels),
		cmocka_unit_test(vectors_are_cleared),
	};

	return cmocka_run_group_tests_name("cpu", tests, NULL, NULL);
}
