/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading DER (X.690): bounded, without copies. What wire.h is to TLS messages, this is to certificates.
 *
 * A reader returns false and moves nothing when the next element is not what was asked for. Only DER is
 * understood: definite lengths in their shortest form, tag numbers below 31.
 */
#ifndef ENGINE_X509_DER_H
#define ENGINE_X509_DER_H

#include "engine.h"

/* A stretch of borrowed bytes: what is left to read, or the contents of an element. */
struct view {
	const uint8_t *data;
	size_t len;
};

#define DER_BOOLEAN                0x01
#define DER_INTEGER                0x02
#define DER_BIT_STRING             0x03
#define DER_OCTET_STRING           0x04
#define DER_NULL                   0x05
#define DER_OID                    0x06
#define DER_ENUMERATED             0x0a
#define DER_UTF8_STRING            0x0c
#define DER_PRINTABLE_STRING       0x13
#define DER_T61_STRING             0x14
#define DER_IA5_STRING             0x16
#define DER_UTC_TIME               0x17
#define DER_GENERALIZED_TIME       0x18
#define DER_VISIBLE_STRING         0x1a
#define DER_BMP_STRING             0x1e
#define DER_SEQUENCE               0x30
#define DER_SET                    0x31
/* [n] IMPLICIT of a primitive type; [n] of a constructed type or EXPLICIT */
#define DER_CONTEXT(n)             (0x80 | (n))
#define DER_CONTEXT_CONSTRUCTED(n) (0xa0 | (n))

static inline struct view view_of(const uint8_t *data, size_t len)
{
	return (struct view){data, len};
}

/* Same length and bytes. Not for secrets. */
bool view_equal(struct view a, struct view b);
/* Is v exactly these bytes, given as a string literal? */
#define view_is(v, literal) view_equal((v), view_of((const uint8_t *)(literal), sizeof(literal) - 1))

/* The next element, whatever it is: its tag, its contents, and (whole may be NULL) the element with its
 * header. */
must_check bool der_any(struct view *in, uint8_t *tag, struct view *contents, struct view *whole);
/* The next element if it has this tag. */
must_check bool der_take(struct view *in, uint8_t tag, struct view *contents);
/* The same, and the element with its header. */
must_check bool der_take_whole(struct view *in, uint8_t tag, struct view *contents, struct view *whole);
/* Does an element with this tag come next? */
bool der_next_is(const struct view *in, uint8_t tag);
/* Nothing left? */
static inline bool der_end(const struct view *in)
{
	return in->len == 0;
}

/* INTEGER >= 0: the bytes of its value without leading zeros (empty for 0). */
must_check bool der_unsigned(struct view *in, struct view *value);
/* INTEGER 0..2^31-1. */
must_check bool der_small(struct view *in, uint32_t *value);
must_check bool der_boolean(struct view *in, bool *value);
/* BIT STRING with a whole number of bytes. */
must_check bool der_bytes_as_bits(struct view *in, struct view *bytes);
/* BIT STRING of named bits: bit 0, the first, is the most significant of the result. Bits past 15 are
 * dropped. */
must_check bool der_named_bits(struct view *in, uint16_t *bits);
/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 wants them: to the second, in Z. Seconds since 1970. */
must_check bool der_time(struct view *in, int64_t *time);

#endif
