/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A man in the middle of a pair who has the keys: he opens what one side sends, sees every message, and
 * seals what he likes for the other, under the keys and the number that it expects. For all versions.
 */
#ifndef TESTS_MIDDLE_H
#define TESTS_MIDDLE_H

#include "engine/handshake.h"
#include "tests/lib/pair.h"

/* One direction. */
struct middle {
	struct pair *pair;
	enum engine_role to;
	struct engine_keys in; /* what the sender seals with; followed when the receiver changes its keys */
	uint8_t key[32];       /* the receiver's, as last seen */
	bool is_protected;
	struct engine_cipher *in_cipher, *out_cipher;
	struct wr message; /* one that is split over records */
	/*
	 * Called for each message with its header, and for each ChangeCipherSpec (type HS_CHANGE_CIPHER_SPEC,
	 * its content). False: nothing more is of interest.
	 */
	bool (*on)(struct middle *middle, uint16_t type, struct rd whole);
	void *context;
};

/* to: who receives. False if out of memory. */
bool middle_init(struct middle *middle, struct pair *pair, enum engine_role to,
		 bool (*on)(struct middle *middle, uint16_t type, struct rd whole), void *context);
void middle_free(struct middle *middle);
/* Seal one record and hand it to the receiver. False if that has ended, well or not. */
bool middle_send(struct middle *middle, uint8_t type, const uint8_t *content, size_t len);
/* The same for a message or a ChangeCipherSpec, as middle->on gets them. */
bool middle_pass(struct middle *middle, uint16_t type, struct rd whole);
/*
 * Take all that the sender has pending through middle->on. False if that said so, or if the receiver has
 * ended.
 */
bool middle_turn(struct middle *middle);

#endif
