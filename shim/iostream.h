/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standard streams of C++, which hold addresses of C's.
 */
#ifndef SHIM_IOSTREAM_H
#define SHIM_IOSTREAM_H

#include <stdio.h>

/* std::cin, cout, cerr and clog of libstdc++ that go by the stream `from` go by `to`. Nothing without libstdc++. */
void iostream_follow(const FILE *from, FILE *to);

#endif
