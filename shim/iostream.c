/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standard streams of C++, which hold addresses of C's.
 *
 * Implementation notes: when one of stdin, stdout and stderr is replaced, libstdc++'s streams would go on with
 * the former one. Their buffers keep it behind the part that all stream buffers have, at once
 * (stdio_sync_filebuf) or behind a lock (basic_filebuf, after sync_with_stdio(false)). The library is used
 * where it is there, and never loaded: all references to it are weak.
 */
#include "iostream.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "memory.h"

/* What a std::streambuf has: the table of its functions, six pointers and a locale. */
#define STREAMBUF_LEN (8 * sizeof(void *))
#define SEARCH_LEN    (6 * sizeof(void *))

/* std::cin and the others, and std::ios::rdbuf() const. */
extern char _ZSt3cin[] __attribute__((weak));
extern char _ZSt4cout[] __attribute__((weak));
extern char _ZSt4cerr[] __attribute__((weak));
extern char _ZSt4clog[] __attribute__((weak));
char *_ZNKSt9basic_iosIcSt11char_traitsIcEE5rdbufEv(const char *ios) __attribute__((weak));

/* The std::ios of a stream, a virtual base: the table says where it is. NULL before the stream is constructed. */
static const char *ios_of(const char *stream)
{
	const ptrdiff_t *table;

	memcpy(&table, stream, sizeof(table));
	return table ? stream + table[-3] : NULL;
}

static void follow(const char *stream, const FILE *from, FILE *to)
{
	const char *ios = ios_of(stream);
	char *buf = ios ? _ZNKSt9basic_iosIcSt11char_traitsIcEE5rdbufEv(ios) : NULL;
	const FILE *held;

	if (!buf || !memory_can_write(buf, STREAMBUF_LEN + SEARCH_LEN)) {
		return;
	}
	for (size_t i = STREAMBUF_LEN; i < STREAMBUF_LEN + SEARCH_LEN; i += sizeof(held)) {
		memcpy(&held, buf + i, sizeof(held));
		if (held == from) {
			memcpy(buf + i, &to, sizeof(to));
			return;
		}
	}
}

void iostream_follow(const FILE *from, FILE *to)
{
	const char *const streams[] = {_ZSt3cin, _ZSt4cout, _ZSt4cerr, _ZSt4clog};

	if (!_ZNKSt9basic_iosIcSt11char_traitsIcEE5rdbufEv) {
		return;
	}
	for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
		if (streams[i]) {
			follow(streams[i], from, to);
		}
	}
}
