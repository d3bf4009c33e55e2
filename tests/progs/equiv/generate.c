/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes next: kinds of calls, sizes and flags, drawn from the sequence's seed.
 */
#include "equiv.h"

static uint64_t rng, aside = 1;

void draw_from(uint64_t seed)
{
	rng = seed * 0x9e3779b97f4a7c15u + 12345;
	draw(2);
}

static uint32_t next(uint64_t *from, uint32_t below)
{
	*from = *from * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*from >> 33) % below;
}

uint32_t draw(uint32_t below)
{
	return next(&rng, below);
}

uint32_t draw_aside(uint32_t below)
{
	return next(&aside, below);
}

static const int weights[N_KINDS] = {
#define KIND(name, weight, where) weight,
#include "kinds.def"
#undef KIND
};

/* Bits that a stream of TCP has no use for, and those that mean something. */
static const int send_flags[] = {
	0,
	0,
	0,
	MSG_NOSIGNAL,
	MSG_DONTWAIT,
	MSG_MORE,
	MSG_EOR,
	MSG_MORE | MSG_NOSIGNAL,
	MSG_CONFIRM,
	MSG_ZEROCOPY,
	MSG_PROXY,
	MSG_DONTWAIT | MSG_NOSIGNAL,
	0x1000000,
	MSG_DONTROUTE,
};
static const int recv_flags[] = {
	0,
	0,
	0,
	MSG_DONTWAIT,
	MSG_PEEK,
	MSG_PEEK | MSG_DONTWAIT,
	MSG_WAITALL,
	MSG_TRUNC,
	MSG_PEEK | MSG_TRUNC,
	MSG_WAITALL | MSG_PEEK,
	MSG_WAITALL | MSG_DONTWAIT,
	MSG_CMSG_CLOEXEC,
	MSG_NOSIGNAL,
	MSG_WAITALL | MSG_TRUNC,
	MSG_ERRQUEUE | MSG_DONTWAIT,
	MSG_OOB | MSG_DONTWAIT,
};

struct op draw_op(void)
{
	static const int sizes[] = {2, 10, 100, 600, 5000, CAP};
	struct op op = {.end = (int)draw(2), .variant = (int)draw(1 << 20), .k = (int)draw(1 << 20)};
	int total = 0, at;

	for (int i = 0; i < N_KINDS; i++) {
		total += weights[i];
	}
	at = (int)draw((uint32_t)total);
	while (at >= weights[op.kind]) {
		at -= weights[op.kind++];
	}
	op.n = (int)draw((uint32_t)sizes[draw(6)]);
	op.flags = op.kind == KIND_send      ? send_flags[draw(sizeof(send_flags) / sizeof(int))]
		   : op.kind == KIND_receive ? recv_flags[draw(sizeof(recv_flags) / sizeof(int))]
					     : (int)draw(1000);
	return op;
}
