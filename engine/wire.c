/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded reader and writer, RFC 8446 3: big-endian numbers and vectors with a length in front.
 */
#include "wire.h"

#include <string.h>

#include "crypto.h"
#include "secret.h"

#define WR_FIRST_SIZE 512

/* ---- reading ---- */

bool rd_bytes(struct rd *in, struct rd *view, size_t len)
{
	if (in->left < len) {
		return false;
	}
	*view = rd_of(in->p, len);
	/* an empty reader may hold NULL, to which nothing may be added */
	if (len != 0) {
		in->p += len;
		in->left -= len;
	}
	return true;
}

static bool rd_number(struct rd *in, uint32_t *value, size_t n_bytes)
{
	struct rd bytes;
	uint32_t number = 0;

	if (!rd_bytes(in, &bytes, n_bytes)) {
		return false;
	}
	for (size_t i = 0; i < n_bytes; i++) {
		number = number << 8 | bytes.p[i];
	}
	*value = number;
	return true;
}

bool rd_u8(struct rd *in, uint8_t *value)
{
	uint32_t number;

	if (!rd_number(in, &number, 1)) {
		return false;
	}
	*value = (uint8_t)number;
	return true;
}

bool rd_u16(struct rd *in, uint16_t *value)
{
	uint32_t number;

	if (!rd_number(in, &number, 2)) {
		return false;
	}
	*value = (uint16_t)number;
	return true;
}

bool rd_u24(struct rd *in, uint32_t *value)
{
	return rd_number(in, value, 3);
}

bool rd_u32(struct rd *in, uint32_t *value)
{
	return rd_number(in, value, 4);
}

bool rd_copy(struct rd *in, uint8_t *out, size_t len)
{
	struct rd view;

	if (!rd_bytes(in, &view, len)) {
		return false;
	}
	if (len != 0) {
		memcpy(out, view.p, len);
	}
	return true;
}

static bool rd_vec(struct rd *in, struct rd *view, size_t min, size_t max, size_t n_bytes)
{
	struct rd trial = *in;
	struct rd content;
	uint32_t len;

	if (!rd_number(&trial, &len, n_bytes) || len < min || len > max || !rd_bytes(&trial, &content, len)) {
		return false;
	}
	*in = trial;
	*view = content;
	return true;
}

bool rd_vec8(struct rd *in, struct rd *view, size_t min, size_t max)
{
	return rd_vec(in, view, min, max, 1);
}

bool rd_vec16(struct rd *in, struct rd *view, size_t min, size_t max)
{
	return rd_vec(in, view, min, max, 2);
}

bool rd_vec24(struct rd *in, struct rd *view, size_t min, size_t max)
{
	return rd_vec(in, view, min, max, 3);
}

bool rd_end(const struct rd *in)
{
	return in->left == 0;
}

bool rd_has_u16(struct rd list, uint16_t value)
{
	uint16_t one;

	while (rd_u16(&list, &one)) {
		if (one == value) {
			return true;
		}
	}
	return false;
}

bool rd_equal(struct rd a, struct rd b)
{
	return a.left == b.left && (a.left == 0 || memcmp(a.p, b.p, a.left) == 0);
}

/* ---- writing ---- */

void wr_init(struct wr *out, uint8_t *room, size_t size)
{
	*out = (struct wr){.data = room, .size = size};
}

void wr_init_heap(struct wr *out)
{
	*out = (struct wr){.grows = true};
}

void wr_free(struct wr *out)
{
	if (out->grows && out->data != NULL) {
		secret_wipe(out->data, out->size);
		engine_release(out->data);
	}
	*out = (struct wr){.grows = out->grows};
}

void wr_reset(struct wr *out)
{
	if (out->data != NULL) {
		secret_wipe(out->data, out->len);
	}
	out->len = 0;
	out->failed = false;
}

void wr_drop(struct wr *out, size_t n)
{
	if (n >= out->len) {
		n = out->len;
	}
	if (n != 0) {
		memmove(out->data, out->data + n, out->len - n);
		out->len -= n;
	}
}

/* Make room for len more bytes, in a larger block if the writer grows. Old blocks are wiped. */
static bool wr_grow(struct wr *out, size_t len)
{
	size_t size = out->size == 0 ? WR_FIRST_SIZE : out->size;
	uint8_t *larger;

	if (!out->grows || len > SIZE_MAX / 4 || out->len > SIZE_MAX / 4) {
		return false;
	}
	while (size - out->len < len) {
		size *= 2;
	}
	larger = engine_alloc(size);
	if (larger == NULL) {
		return false;
	}
	if (out->len != 0) {
		memcpy(larger, out->data, out->len);
	}
	if (out->data != NULL) {
		secret_wipe(out->data, out->size);
		engine_release(out->data);
	}
	out->data = larger;
	out->size = size;
	return true;
}

uint8_t *wr_room(struct wr *out, size_t len)
{
	uint8_t *room;

	if (out->failed) {
		return NULL;
	}
	if (out->size - out->len < len || out->data == NULL) {
		if (!wr_grow(out, len)) {
			out->failed = true;
			return NULL;
		}
	}
	room = out->data + out->len;
	out->len += len;
	return room;
}

void wr_unroom(struct wr *out, size_t n)
{
	out->len -= n <= out->len ? n : out->len;
}

static void wr_number(struct wr *out, uint32_t value, size_t n_bytes)
{
	uint8_t *room = wr_room(out, n_bytes);

	if (room == NULL) {
		return;
	}
	for (size_t i = n_bytes; i-- > 0; value >>= 8) {
		room[i] = (uint8_t)value;
	}
}

void wr_u8(struct wr *out, uint8_t value)
{
	wr_number(out, value, 1);
}

void wr_u16(struct wr *out, uint16_t value)
{
	wr_number(out, value, 2);
}

void wr_u24(struct wr *out, uint32_t value)
{
	wr_number(out, value, 3);
}

void wr_u32(struct wr *out, uint32_t value)
{
	wr_number(out, value, 4);
}

void wr_bytes(struct wr *out, const void *data, size_t len)
{
	uint8_t *room;

	if (len == 0) {
		return;
	}
	room = wr_room(out, len);
	if (room != NULL) {
		memcpy(room, data, len);
	}
}

void wr_text(struct wr *out, const char *text)
{
	wr_bytes(out, text, strlen(text));
}

static size_t wr_open(struct wr *out, size_t n_bytes)
{
	size_t mark = out->len;

	wr_number(out, 0, n_bytes);
	return mark;
}

static void wr_close(struct wr *out, size_t mark, size_t n_bytes)
{
	size_t len;

	if (out->failed) {
		return;
	}
	len = out->len - mark - n_bytes;
	if (len >> (8 * n_bytes) != 0) {
		out->failed = true;
		return;
	}
	for (size_t i = n_bytes; i-- > 0; len >>= 8) {
		out->data[mark + i] = (uint8_t)len;
	}
}

size_t wr_open8(struct wr *out)
{
	return wr_open(out, 1);
}

size_t wr_open16(struct wr *out)
{
	return wr_open(out, 2);
}

size_t wr_open24(struct wr *out)
{
	return wr_open(out, 3);
}

void wr_close8(struct wr *out, size_t mark)
{
	wr_close(out, mark, 1);
}

void wr_close16(struct wr *out, size_t mark)
{
	wr_close(out, mark, 2);
}

void wr_close24(struct wr *out, size_t mark)
{
	wr_close(out, mark, 3);
}
