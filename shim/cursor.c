/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A position in the program's iovecs.
 */
#include "cursor.h"

#include <string.h>

#include "memory.h"

void cursor_init(struct cursor *cur, const struct iovec *iov, int n_iov)
{
	cur->iov = iov;
	cur->n_iov = n_iov;
	cur->offset = 0;
	cur->left = 0;
	cur->known = 0;
	for (int i = 0; i < n_iov; i++) {
		cur->left += iov[i].iov_len;
	}
	cursor_skip(cur, 0);
}

uint8_t *cursor_piece(const struct cursor *cur, size_t *len)
{
	if (cur->left == 0) {
		*len = 0;
		return NULL;
	}
	*len = cur->iov->iov_len - cur->offset;
	return (uint8_t *)cur->iov->iov_base + cur->offset;
}

void cursor_skip(struct cursor *cur, size_t len)
{
	cur->left -= len;
	cur->known -= len < cur->known ? len : cur->known;
	cur->offset += len;
	while (cur->n_iov > 0 && cur->offset >= cur->iov->iov_len) {
		cur->offset -= cur->iov->iov_len;
		cur->iov++;
		cur->n_iov--;
	}
}

size_t cursor_writable(struct cursor *cur, size_t len)
{
	if (cur->known < len) {
		cur->known = memory_reach(cur->iov, cur->n_iov, cur->offset, len, true);
	}
	return cur->known < len ? cur->known : len;
}

void cursor_put(struct cursor *cur, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		size_t piece_len;
		uint8_t *piece = cursor_piece(cur, &piece_len);
		size_t n = len < piece_len ? len : piece_len;
		memcpy(piece, bytes, n);
		cursor_skip(cur, n);
		bytes += n;
		len -= n;
	}
}

void cursor_get(struct cursor *cur, uint8_t *bytes, size_t len)
{
	while (len > 0) {
		size_t piece_len;
		const uint8_t *piece = cursor_piece(cur, &piece_len);
		size_t n = len < piece_len ? len : piece_len;
		memcpy(bytes, piece, n);
		cursor_skip(cur, n);
		bytes += n;
		len -= n;
	}
}

bool cursor_equals(const struct cursor *cur, const uint8_t *bytes, size_t len)
{
	struct cursor walk = *cur;

	while (len > 0) {
		size_t piece_len;
		const uint8_t *piece = cursor_piece(&walk, &piece_len);
		size_t n = len < piece_len ? len : piece_len;
		if (memcmp(piece, bytes, n) != 0) {
			return false;
		}
		cursor_skip(&walk, n);
		bytes += n;
		len -= n;
	}
	return true;
}
