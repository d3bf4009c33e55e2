/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A position in the program's iovecs.
 */
#ifndef SHIM_CURSOR_H
#define SHIM_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct cursor {
	const struct iovec *iov; /* the current one */
	int n_iov;		 /* from it on */
	size_t offset;		 /* in it */
	size_t left;		 /* bytes in all of them from here on */
	size_t known;		 /* so many of them are known to be memory that can be written */
};

void cursor_init(struct cursor *cur, const struct iovec *iov, int n_iov);
/* The bytes that lie in one piece here; *len of them. */
uint8_t *cursor_piece(const struct cursor *cur, size_t *len);
void cursor_skip(struct cursor *cur, size_t len);
/*
 * How many of the next len bytes (at most left) are memory that the program can write? See memory.h: what the
 * kernel would answer with EFAULT must be found before we touch it.
 */
size_t cursor_writable(struct cursor *cur, size_t len);
/* Copy len bytes (at most left) into the program's memory, or out of it, and go on. */
void cursor_put(struct cursor *cur, const uint8_t *bytes, size_t len);
void cursor_get(struct cursor *cur, uint8_t *bytes, size_t len);
/* Are the next len bytes (at most left) these? */
bool cursor_equals(const struct cursor *cur, const uint8_t *bytes, size_t len);

#endif
