/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cipher contexts of this process: a bounded cache of expanded keys. The keys themselves are in the connection records.
 */
#ifndef SHIM_CIPHER_CACHE_H
#define SHIM_CIPHER_CACHE_H

#include <stdint.h>

#include "../engine/engine.h"

struct cipher_cell;

/*
 * A context for exclusive use, preferably the one used last for this connection and direction; NULL if
 * there is no memory.
 */
struct engine_cipher *cipher_get(uint32_t slot, int direction, struct cipher_cell **cell);
void cipher_put(struct cipher_cell *cell);
/* Forget the keys of a connection that has ended. */
void cipher_forget(uint32_t slot);
/* In a fork child: cells that threads of the parent held are free again. */
void cipher_fork_child(void);

#endif
