/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading and writing the wire form of TLS: the only place where pointers into peer data are moved.
 *
 * A reader is a view of bytes that somebody else owns. Every function that reads returns false and reads nothing when
 * the bytes are short or a vector's length is out of the bounds that the RFC gives (RFC 8446 3.4); a parser is one
 * expression of them joined by &&, ending with rd_end().
 *
 * A writer has a fixed room or grows on the heap. It never writes past its room: it latches `failed` instead, which
 * is checked once, at the end of building.
 */
#ifndef ENGINE_WIRE_H
#define ENGINE_WIRE_H

#include "engine.h"

/* ---- reading ---- */

struct rd {
	const uint8_t *p;
	size_t left;
};

static inline struct rd rd_of(const uint8_t *data, size_t len)
{
	return (struct rd){data, len};
}

must_check bool rd_u8(struct rd *in, uint8_t *value);
must_check bool rd_u16(struct rd *in, uint16_t *value);
must_check bool rd_u24(struct rd *in, uint32_t *value);
must_check bool rd_u32(struct rd *in, uint32_t *value);
/* A view of the next len bytes. */
must_check bool rd_bytes(struct rd *in, struct rd *view, size_t len);
/* Copy the next len bytes to out. */
must_check bool rd_copy(struct rd *in, uint8_t *out, size_t len);
/* A vector with a length of 1, 2 or 3 bytes in front, which must be min..max. */
must_check bool rd_vec8(struct rd *in, struct rd *view, size_t min, size_t max);
must_check bool rd_vec16(struct rd *in, struct rd *view, size_t min, size_t max);
must_check bool rd_vec24(struct rd *in, struct rd *view, size_t min, size_t max);
/* True when everything has been read. */
must_check bool rd_end(const struct rd *in);
/* Is value among the 16-bit numbers of list (an even number of bytes)? */
must_check bool rd_has_u16(struct rd list, uint16_t value);
/* Are the bytes of a and b the same? For public data. */
must_check bool rd_equal(struct rd a, struct rd b);

/* ---- writing ---- */

struct wr {
	uint8_t *data;
	size_t len;
	size_t size;
	bool grows;  /* data is engine_alloc() memory that the writer owns */
	bool failed; /* room or memory ran out; sticks */
};

/* Write into room[0..size). */
void wr_init(struct wr *out, uint8_t *room, size_t size);
/* Write into memory of the writer's own; free it with wr_free(). Allocates nothing yet. */
void wr_init_heap(struct wr *out);
/* Wipe and free what a growing writer holds; it may be used again. */
void wr_free(struct wr *out);
/* Forget the content, wipe it, keep the room. */
void wr_reset(struct wr *out);
/* Drop the first n bytes. */
void wr_drop(struct wr *out, size_t n);

void wr_u8(struct wr *out, uint8_t value);
void wr_u16(struct wr *out, uint16_t value);
void wr_u24(struct wr *out, uint32_t value);
void wr_u32(struct wr *out, uint32_t value);
void wr_bytes(struct wr *out, const void *data, size_t len);
/* The characters of a string, without its end. */
void wr_text(struct wr *out, const char *text);
/* Room for len bytes that the caller fills at once; NULL if there is none. Counted as written. */
uint8_t *wr_room(struct wr *out, size_t len);
/* Take back the last n bytes. */
void wr_unroom(struct wr *out, size_t n);

/*
 * A vector whose length is not known yet: open writes a placeholder of 1, 2 or 3 bytes and returns its place, close
 * fills it in. A content too long for the placeholder sets failed.
 */
size_t wr_open8(struct wr *out);
size_t wr_open16(struct wr *out);
size_t wr_open24(struct wr *out);
void wr_close8(struct wr *out, size_t mark);
void wr_close16(struct wr *out, size_t mark);
void wr_close24(struct wr *out, size_t mark);

#endif
