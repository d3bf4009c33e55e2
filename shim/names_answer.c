/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses in an answer of a name server, RFC 1035 4.1: remembered under the name that was asked for.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "names.h"

#define CLASS_IN  1
#define TYPE_A    1
#define TYPE_AAAA 28

struct answer {
	const uint8_t *at, *end;
};

static bool skip(struct answer *in, size_t len)
{
	if (len > (size_t)(in->end - in->at)) {
		return false;
	}
	in->at += len;
	return true;
}

static bool take_u16(struct answer *in, unsigned *out)
{
	const uint8_t *at = in->at;

	if (!skip(in, 2)) {
		return false;
	}
	*out = (unsigned)at[0] << 8 | at[1];
	return true;
}

/* Labels up to the root or a pointer, which is not followed. */
static bool skip_name(struct answer *in)
{
	for (;;) {
		unsigned len;

		if (in->at == in->end) {
			return false;
		}
		len = *in->at++;
		if (len == 0) {
			return true;
		}
		if ((len & 0xc0) == 0xc0) {
			return skip(in, 1);
		}
		if ((len & 0xc0) != 0 || !skip(in, len)) {
			return false;
		}
	}
}

static void remember_record(const char *name, unsigned type, const uint8_t *data, unsigned len)
{
	if (type == TYPE_A && len == sizeof(struct in_addr)) {
		struct sockaddr_in in = {.sin_family = AF_INET};

		memcpy(&in.sin_addr, data, len);
		names_remember(name, (const struct sockaddr *)&in, sizeof(in));
	} else if (type == TYPE_AAAA && len == sizeof(struct in6_addr)) {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

		memcpy(&in6.sin6_addr, data, len);
		names_remember(name, (const struct sockaddr *)&in6, sizeof(in6));
	}
}

void names_remember_answer(const char *name, const uint8_t *answer, size_t len)
{
	struct answer in = {answer, answer + len};
	unsigned id, flags, n_questions, n_answers, ignored;

	if (!take_u16(&in, &id) || !take_u16(&in, &flags) || !take_u16(&in, &n_questions) ||
	    !take_u16(&in, &n_answers) || !take_u16(&in, &ignored) || !take_u16(&in, &ignored) ||
	    (flags & 0x8000) == 0 || (flags & 0xf) != 0) {
		return;
	}
	for (; n_questions > 0; n_questions--) {
		if (!skip_name(&in) || !skip(&in, 4)) {
			return;
		}
	}
	for (; n_answers > 0; n_answers--) {
		unsigned type, class, data_len;
		const uint8_t *data;

		if (!skip_name(&in) || !take_u16(&in, &type) || !take_u16(&in, &class) || !skip(&in, 4) ||
		    !take_u16(&in, &data_len)) {
			return;
		}
		data = in.at;
		if (!skip(&in, data_len)) {
			return;
		}
		if (class == CLASS_IN) {
			remember_record(name, type, data, data_len);
		}
	}
}
