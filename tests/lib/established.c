/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Established connections without a handshake before them.
 */
#include "tests/lib/established.h"

#include <stdlib.h>
#include <string.h>

#define CBC(version, suite)                                                                                  \
	{version, suite, false},                                                                             \
	{                                                                                                    \
		version, suite, true                                                                         \
	}

const struct protection protections[] = {
	{ENGINE_TLS13, 0x1301, false}, {ENGINE_TLS13, 0x1302, false}, {ENGINE_TLS13, 0x1303, false},
	{ENGINE_TLS12, 0xc02f, false}, {ENGINE_TLS12, 0xc030, false}, {ENGINE_TLS12, 0xcca8, false},
	CBC(ENGINE_TLS12, 0x002f), /* AES-128, SHA-1 */
	CBC(ENGINE_TLS12, 0x0035), /* AES-256, SHA-1 */
	CBC(ENGINE_TLS12, 0xc027), /* AES-128, SHA-256 */
	CBC(ENGINE_TLS12, 0x003d), /* AES-256, SHA-256 */
	CBC(ENGINE_TLS12, 0xc028), /* AES-256, SHA-384 */
	CBC(ENGINE_TLS11, 0x002f),     CBC(ENGINE_TLS10, 0x002f),     CBC(ENGINE_TLS10, 0x0035),
};
const size_t n_protections = sizeof(protections) / sizeof(protections[0]);

bool protection_is_cbc(const struct protection *how)
{
	return suite_find(how->suite)->is_cbc;
}

static void make_keys(struct engine_keys *keys, const struct suite *suite)
{
	if (!engine_random(keys->key, suite->key_len) || !engine_random(keys->iv, sizeof(keys->iv)) ||
	    !engine_random(keys->secret, sizeof(keys->secret))) {
		abort();
	}
}

void established_begin(struct established *both, const struct protection *how)
{
	memset(both->conn, 0, sizeof(both->conn));
	for (int role = 0; role < 2; role++) {
		struct engine_conn *conn = &both->conn[role];

		conn->id = (uint64_t)role + 1;
		conn->version = how->version;
		conn->suite = how->suite;
		conn->role = (uint8_t)role;
		conn->encrypt_then_mac = how->encrypt_then_mac;
		if (both->cipher[role] == NULL) {
			both->cipher[role] = engine_cipher_new();
		}
		if (both->cipher[role] == NULL) {
			abort();
		}
	}
	for (int role = 0; role < 2; role++) {
		make_keys(&both->conn[role].send, suite_find(how->suite));
		both->conn[1 - role].recv = both->conn[role].send;
	}
}

void established_end(struct established *both)
{
	for (int role = 0; role < 2; role++) {
		engine_cipher_free(both->cipher[role]);
		both->cipher[role] = NULL;
	}
}

size_t established_seal(struct established *both, enum engine_role from, uint8_t type, const void *content,
			size_t len, uint8_t *out, size_t out_size)
{
	struct engine_conn *conn = &both->conn[from];
	const struct record_cipher_spec spec = {
		.suite = suite_find(conn->suite),
		.version = conn->version,
		.encrypt_then_mac = conn->encrypt_then_mac,
	};
	const struct engine_slice slice = {content, len};
	size_t out_len = 0;

	if (!record_seal(&spec, &conn->send, both->cipher[from], type, &slice, 1, out, out_size, &out_len)) {
		return 0;
	}
	return out_len;
}

enum engine_err established_open(struct established *both, enum engine_role to, uint8_t *record, size_t len,
				 struct engine_opened *opened)
{
	return engine_open(&both->conn[to], both->cipher[to], record, len, NULL, 0, opened);
}

enum engine_err established_give(struct established *both, enum engine_role to, uint8_t type,
				 const void *content, size_t len, struct engine_opened *opened)
{
	static uint8_t record[ENGINE_MAX_RECORD + ENGINE_SEAL_OVERHEAD];

	enum engine_err err = ENGINE_OK;
	size_t left = established_seal(both, (enum engine_role)(1 - to), type, content, len, record,
				       sizeof(record));
	uint8_t *at = record;

	if (left == 0) {
		abort();
	}
	/* TLS 1.0 has two of them */
	while (err == ENGINE_OK && left != 0) {
		const size_t n = engine_record_len(&both->conn[to], at);

		if (n == 0 || n > left) {
			abort();
		}
		err = established_open(both, to, at, n, opened);
		at += n;
		left -= n;
	}
	return err;
}
