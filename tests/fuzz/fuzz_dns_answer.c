/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz the reader of name servers' answers. The input is the answer.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* In memory of its very own, so that every byte beyond it is noticed. */
	uint8_t *answer = malloc(size > 0 ? size : 1);

	if (answer == NULL) {
		abort();
	}
	if (size > 0) {
		memcpy(answer, data, size);
	}
	names_remember_answer("name.test", answer, size);
	free(answer);
	return 0;
}
