/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key schedule of TLS 1.2 and older.
 */
#include "keysched12.h"

#include <string.h>

#include "secret.h"
#include "wire.h"

/* MAC keys, keys and IVs of both directions at their longest: SHA-384, AES-256, a block. */
#define KEY_BLOCK_MAX (2 * (CRYPTO_MAX_HASH_LEN + CRYPTO_MAX_KEY_LEN + CRYPTO_CBC_BLOCK_LEN))
/* fixed_iv_length of AES-GCM: the salt.  RFC 5288 3 */
#define GCM_SALT_LEN  4

static void xor_into(uint8_t *out, const uint8_t *in, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		out[i] ^= in[i];
	}
}

/* out ^= P_hash(secret, label + seed).  RFC 5246 5 */
static bool p_hash(enum crypto_hash hash, const uint8_t *secret, size_t secret_len, const char *label,
		   const uint8_t *seed, size_t seed_len, uint8_t *out, size_t out_len)
{
	const size_t hash_len = crypto_hash_len(hash);
	uint8_t a[CRYPTO_MAX_HASH_LEN];
	uint8_t block[CRYPTO_MAX_HASH_LEN];
	const struct engine_slice pieces[] = {
		{a, hash_len}, {(const uint8_t *)label, strlen(label)}, {seed, seed_len}};
	bool ok;

	/* A(1) is made of the seed alone */
	ok = crypto_hmac_pieces(hash, secret, secret_len, pieces + 1, 2, a);
	while (ok && out_len != 0) {
		const size_t n = out_len < hash_len ? out_len : hash_len;

		ok = crypto_hmac_pieces(hash, secret, secret_len, pieces, 3, block);
		if (ok) {
			xor_into(out, block, n);
			out += n;
			out_len -= n;
			ok = crypto_hmac(hash, secret, secret_len, a, hash_len, block);
			memcpy(a, block, hash_len);
		}
	}
	secret_wipe(a, sizeof(a));
	secret_wipe(block, sizeof(block));
	return ok;
}

bool keysched12_prf(uint16_t version, enum crypto_hash hash, const uint8_t *secret, size_t secret_len,
		    const char *label, const uint8_t *seed, size_t seed_len, uint8_t *out, size_t out_len)
{
	/* the halves of an odd secret share the byte in the middle: RFC 4346 5 */
	const size_t half = (secret_len + 1) / 2;
	bool ok;

	memset(out, 0, out_len);
	if (version >= ENGINE_TLS12) {
		ok = p_hash(hash, secret, secret_len, label, seed, seed_len, out, out_len);
	} else {
		ok = p_hash(CRYPTO_MD5, secret, half, label, seed, seed_len, out, out_len) &&
		     p_hash(CRYPTO_SHA1, secret + (secret_len - half), half, label, seed, seed_len, out,
			    out_len);
	}
	if (!ok) {
		secret_wipe(out, out_len);
	}
	return ok;
}

/* The randoms as seed, in either order. */
struct randoms {
	uint8_t bytes[2 * KEYSCHED12_RANDOM_LEN];
};

static struct randoms join(const uint8_t *first, const uint8_t *second)
{
	struct randoms joined;

	memcpy(joined.bytes, first, KEYSCHED12_RANDOM_LEN);
	memcpy(joined.bytes + KEYSCHED12_RANDOM_LEN, second, KEYSCHED12_RANDOM_LEN);
	return joined;
}

bool keysched12_master_secret(uint16_t version, enum crypto_hash hash, const uint8_t *premaster,
			      size_t premaster_len, const uint8_t client_random[static KEYSCHED12_RANDOM_LEN],
			      const uint8_t server_random[static KEYSCHED12_RANDOM_LEN],
			      uint8_t out[static KEYSCHED12_MASTER_LEN])
{
	const struct randoms seed = join(client_random, server_random);

	return keysched12_prf(version, hash, premaster, premaster_len, "master secret", seed.bytes,
			      sizeof(seed.bytes), out, KEYSCHED12_MASTER_LEN);
}

bool keysched12_extended_master_secret(uint16_t version, enum crypto_hash hash, const uint8_t *premaster,
				       size_t premaster_len, const uint8_t *session_hash,
				       size_t session_hash_len, uint8_t out[static KEYSCHED12_MASTER_LEN])
{
	return keysched12_prf(version, hash, premaster, premaster_len, "extended master secret", session_hash,
			      session_hash_len, out, KEYSCHED12_MASTER_LEN);
}

/* How the key block is cut up. */
struct lengths {
	size_t mac_key, key, iv;
};

static struct lengths lengths_of(const struct record_cipher_spec *spec)
{
	const struct suite *suite = spec->suite;
	struct lengths lengths = {.key = suite->key_len};

	if (suite->is_cbc) {
		lengths.mac_key = crypto_hash_len(suite->mac);
		/* TLS 1.1 and 1.2 put a fresh IV into every record */
		lengths.iv = spec->version == ENGINE_TLS10 ? CRYPTO_CBC_BLOCK_LEN : 0;
	} else {
		lengths.iv = suite->aead == CRYPTO_CHACHA20_POLY1305 ? CRYPTO_AEAD_NONCE_LEN : GCM_SALT_LEN;
	}
	return lengths;
}

bool keysched12_traffic_keys(const struct record_cipher_spec *spec,
			     const uint8_t master_secret[static KEYSCHED12_MASTER_LEN],
			     const uint8_t client_random[static KEYSCHED12_RANDOM_LEN],
			     const uint8_t server_random[static KEYSCHED12_RANDOM_LEN],
			     struct engine_keys *client_write, struct engine_keys *server_write)
{
	const struct lengths lengths = lengths_of(spec);
	const struct randoms seed = join(server_random, client_random);
	struct engine_keys client = {.epoch = client_write->epoch + 1};
	struct engine_keys server = {.epoch = server_write->epoch + 1};
	uint8_t block[KEY_BLOCK_MAX];
	const size_t len = 2 * (lengths.mac_key + lengths.key + lengths.iv);
	struct rd in = rd_of(block, len);
	bool ok;

	ok = keysched12_prf(spec->version, spec->suite->hash, master_secret, KEYSCHED12_MASTER_LEN,
			    "key expansion", seed.bytes, sizeof(seed.bytes), block, len) &&
	     rd_copy(&in, client.secret, lengths.mac_key) && rd_copy(&in, server.secret, lengths.mac_key) &&
	     rd_copy(&in, client.key, lengths.key) && rd_copy(&in, server.key, lengths.key) &&
	     rd_copy(&in, client.iv, lengths.iv) && rd_copy(&in, server.iv, lengths.iv) && rd_end(&in);
	if (ok) {
		*client_write = client;
		*server_write = server;
	}
	secret_wipe(block, sizeof(block));
	secret_wipe(&client, sizeof(client));
	secret_wipe(&server, sizeof(server));
	return ok;
}

bool keysched12_finished(uint16_t version, enum crypto_hash hash,
			 const uint8_t master_secret[static KEYSCHED12_MASTER_LEN], bool is_client,
			 const uint8_t *transcript_hash, size_t hash_len,
			 uint8_t out[static KEYSCHED12_VERIFY_DATA_LEN])
{
	return keysched12_prf(version, hash, master_secret, KEYSCHED12_MASTER_LEN,
			      is_client ? "client finished" : "server finished", transcript_hash, hash_len,
			      out, KEYSCHED12_VERIFY_DATA_LEN);
}
