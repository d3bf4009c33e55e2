/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protected records of TLS 1.0 to 1.2 against ones that were computed without the engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/record.h"
#include "tests/lib/pair.h"
#include "tests/vectors/record12.h"

#define N_VECTORS (sizeof(record12_vectors) / sizeof(record12_vectors[0]))
#define MAX_WIRE  1024

static size_t from_hex(const char *hex, uint8_t *out, size_t size)
{
	size_t len = 0;

	assert_true(strlen(hex) % 2 == 0 && strlen(hex) / 2 <= size);
	for (; *hex != '\0'; hex += 2) {
		const char digits[3] = {hex[0], hex[1], '\0'};

		out[len++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return len;
}

static struct engine_keys keys_of(const struct record12_vector *vector)
{
	struct engine_keys keys = {.seq = vector->seq};

	(void)from_hex(vector->key, keys.key, sizeof(keys.key));
	(void)from_hex(vector->iv, keys.iv, sizeof(keys.iv));
	(void)from_hex(vector->mac_key, keys.secret, sizeof(keys.secret));
	return keys;
}

static struct record_cipher_spec spec_of(const struct record12_vector *vector)
{
	const struct record_cipher_spec spec = {
		.suite = suite_find(vector->suite),
		.version = vector->version,
		.encrypt_then_mac = vector->encrypt_then_mac,
	};

	assert_non_null(spec.suite);
	return spec;
}

/* All records in wire, one behind the other, together hold plain. */
static void open_all(const struct record12_vector *vector, struct engine_keys *keys,
		     struct engine_cipher *cipher, size_t number, bool in_place)
{
	const struct record_cipher_spec spec = spec_of(vector);
	uint8_t wire[MAX_WIRE], plain[MAX_WIRE], got[MAX_WIRE], out[MAX_WIRE];
	const size_t wire_len = from_hex(vector->records[number].wire, wire, sizeof(wire));
	const size_t plain_len = from_hex(vector->records[number].plain, plain, sizeof(plain));
	size_t done = 0, got_len = 0;

	while (done < wire_len) {
		struct record_opened opened;
		struct record_header header;

		record_parse_header(wire + done, &header);
		assert_int_equal(record_open(&spec, keys, cipher, wire + done,
					     ENGINE_RECORD_HEADER_LEN + header.length, in_place ? NULL : out,
					     &opened),
				 REASON_NONE);
		assert_int_equal(opened.type, vector->records[number].type);
		memcpy(got + got_len, opened.data, opened.len);
		got_len += opened.len;
		done += ENGINE_RECORD_HEADER_LEN + header.length;
	}
	assert_int_equal(got_len, plain_len);
	assert_memory_equal(got, plain, plain_len);
}

static void test_records_of_others_are_opened(void **unused)
{
	struct engine_cipher *cipher = engine_cipher_new();

	(void)unused;
	for (int in_place = 0; in_place < 2; in_place++) {
		for (size_t i = 0; i < N_VECTORS; i++) {
			struct engine_keys keys = keys_of(&record12_vectors[i]);

			for (size_t n = 0; n < 4 && record12_vectors[i].records[n].wire != NULL; n++) {
				open_all(&record12_vectors[i], &keys, cipher, n, in_place != 0);
			}
		}
	}
	engine_cipher_free(cipher);
}

static void test_ours_are_the_same_byte_for_byte(void **unused)
{
	struct engine_cipher *cipher = engine_cipher_new();

	(void)unused;
	for (size_t i = 0; i < N_VECTORS; i++) {
		const struct record12_vector *vector = &record12_vectors[i];
		const struct record_cipher_spec spec = spec_of(vector);
		struct engine_keys keys = keys_of(vector);
		uint8_t randoms[MAX_WIRE];

		if (vector->open_only) {
			continue;
		}
		pair_script_random(randoms, from_hex(vector->randoms, randoms, sizeof(randoms)));
		for (size_t n = 0; n < 4; n++) {
			uint8_t plain[MAX_WIRE], wire[MAX_WIRE], sealed[MAX_WIRE];
			const size_t plain_len = from_hex(vector->records[n].plain, plain, sizeof(plain));
			const size_t wire_len = from_hex(vector->records[n].wire, wire, sizeof(wire));
			/* in two slices */
			const struct engine_slice slices[] = {{plain, 1}, {plain + 1, plain_len - 1}};
			size_t len = 0;

			assert_false(record_seal(&spec, &keys, cipher, vector->records[n].type, slices, 2,
						 sealed, wire_len - 1, &len));
			assert_true(record_seal(&spec, &keys, cipher, vector->records[n].type, slices, 2,
						sealed, wire_len, &len));
			assert_int_equal(len, wire_len);
			assert_memory_equal(sealed, wire, wire_len);
			assert_true(wire_len <= plain_len + ENGINE_SEAL_OVERHEAD);
		}
	}
	engine_cipher_free(cipher);
}

static int set_up(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_of_others_are_opened),
		cmocka_unit_test(test_ours_are_the_same_byte_for_byte),
	};

	return cmocka_run_group_tests_name("record12 vectors", tests, set_up, NULL);
}
