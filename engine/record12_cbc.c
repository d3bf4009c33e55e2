/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protection of records in TLS 1.0 to 1.2 by AES-CBC and HMAC.  RFC 5246 6.2.3.2, RFC 4346, RFC 2246, RFC 7366
 *
 * Implementation notes
 *
 *   A protected record on the wire, MAC-then-encrypt; n is the number of bytes of padding, and each has that value:
 *
 *     | header | IV | CBC( content | MAC | padding | n ) |
 *
 *   Encrypt-then-MAC; here the MAC covers the IV and the ciphertext:
 *
 *     | header | IV | CBC( content | padding | n ) | MAC |
 *
 *   TLS 1.0 has no IV in the record: it is the last block of the record before, in keys->iv. Who can foresee it and
 *   choose the content can test guesses at older blocks. So application data is sealed as two records, the first with
 *   one byte: its MAC makes the second one's IV unforeseeable.
 *
 *   ct: MAC-then-encrypt tells by the time that a record takes how long its padding is, if the code does not take care
 *   (Lucky Thirteen). record12_cbc_judge() looks at the plaintext by masks alone: time and memory access depend on the
 *   record's length, which everybody sees. Whether the record is authentic is the one bit that it gives away.
 */
#include "record_protect.h"

#include <string.h>

#include "ct.h"
#include "secret.h"

#define BLOCK       CRYPTO_CBC_BLOCK_LEN
#define MAX_PADDING 255

static size_t iv_len_of(const struct record_cipher_spec *spec)
{
	return spec->version >= ENGINE_TLS11 ? BLOCK : 0;
}

/* ---- opening ---- */

/*
 * ct: all ones if plain[0..len) ends with n bytes of value n and n itself, in front of which min_len bytes are left;
 * n is *padding, 0 if that is not so.
 */
static uint32_t judge_padding(const uint8_t *plain, size_t len, size_t min_len, uint32_t *padding)
{
	const uint32_t n = plain[len - 1];
	const uint32_t n_seen = (uint32_t)(len < MAX_PADDING + 1 ? len : MAX_PADDING + 1);
	uint32_t good = ~ct_less((uint32_t)(len - min_len), n + 1);
	uint32_t differences = 0;

	for (uint32_t i = 0; i < n_seen; i++) {
		differences |= ~ct_less(n, i) & (n ^ plain[len - 1 - i]);
	}
	good = ct_hide(good & ct_is_zero(differences));
	*padding = n & good;
	return good;
}

/*
 * ct: copy mac_len bytes at plain + start to mac, where start, which is secret, is one of first..first + MAX_PADDING.
 * All bytes that may be among them are read; they go round in mac, which is turned right at the end.
 */
static void copy_mac(const uint8_t *plain, size_t first, size_t end, uint32_t start, size_t mac_len,
		     uint8_t mac[static CRYPTO_MAX_HASH_LEN])
{
	uint8_t turned[CRYPTO_MAX_HASH_LEN] = {0};
	uint8_t half_way[CRYPTO_MAX_HASH_LEN];
	uint32_t offset = 0;
	uint32_t place = 0;

	for (size_t i = first; i < end; i++) {
		const uint32_t at = (uint32_t)i;
		const uint32_t is_mac = ~ct_less(at, start) & ct_less(at, start + (uint32_t)mac_len);

		turned[place] |= (uint8_t)(plain[i] & is_mac);
		offset |= place & ct_equal(at, start);
		place = place + 1 < mac_len ? place + 1 : 0;
	}
	/* turn by 1, 2, 4, ... as the bits of offset say */
	for (size_t by = 1; by < mac_len; by <<= 1) {
		const uint32_t turn = ~ct_is_zero(offset & (uint32_t)by);

		for (size_t i = 0; i < mac_len; i++) {
			half_way[i] = (uint8_t)ct_select(turn, turned[(i + by) % mac_len], turned[i]);
		}
		memcpy(turned, half_way, mac_len);
	}
	memcpy(mac, turned, mac_len);
	secret_wipe(turned, sizeof(turned));
	secret_wipe(half_way, sizeof(half_way));
}

/* ct: all ones if a[0..len) and b[0..len) are the same */
static uint32_t ct_equal_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint32_t differences = 0;

	for (size_t i = 0; i < len; i++) {
		differences |= (uint32_t)(a[i] ^ b[i]);
	}
	return ct_is_zero(differences);
}

bool record12_cbc_judge(const struct record_cipher_spec *spec, const struct engine_keys *keys, uint8_t type,
			const uint8_t *plain, size_t len, uint32_t *authentic, uint32_t *content_len)
{
	const enum crypto_hash hash = spec->suite->mac;
	const size_t mac_len = crypto_hash_len(hash);
	const size_t max_content = len - mac_len - 1;
	uint8_t expected[CRYPTO_MAX_HASH_LEN];
	uint8_t mac[CRYPTO_MAX_HASH_LEN];
	uint8_t head[RECORD12_PSEUDO_HEADER_LEN];
	uint32_t padding;
	uint32_t good = judge_padding(plain, len, mac_len, &padding);
	bool ok;

	*content_len = (uint32_t)max_content - padding;
	record12_pseudo_header(keys->seq, type, spec->version, *content_len, head);
	copy_mac(plain, max_content < MAX_PADDING ? 0 : max_content - MAX_PADDING, len - 1, *content_len,
		 mac_len, mac);
	ok = crypto_hmac_ct(hash, keys->secret, mac_len, head, sizeof(head), plain, *content_len, max_content,
			    expected);
	*authentic = ct_hide(good & ct_equal_bytes(mac, expected, mac_len));
	secret_wipe(mac, sizeof(mac));
	secret_wipe(expected, sizeof(expected));
	return ok;
}

static enum reason open_mac_then_encrypt(const struct record_cipher_spec *spec, struct engine_keys *keys,
					 struct crypto_cbc_ctx *cbc, const uint8_t *iv, uint8_t type,
					 const uint8_t *ciphertext, size_t len, uint8_t *plain,
					 size_t *content_len)
{
	const size_t mac_len = crypto_hash_len(spec->suite->mac);
	uint32_t authentic = 0;
	uint32_t secret_len = 0;

	if (len % BLOCK != 0 || len < mac_len + 1) {
		return REASON_RECORD_MAC;
	}
	if (!crypto_cbc_decrypt(cbc, iv, ciphertext, len, plain) ||
	    !record12_cbc_judge(spec, keys, type, plain, len, &authentic, &secret_len)) {
		secret_wipe(plain, len);
		return REASON_INTERNAL;
	}
	/* the only thing that the peer is told: from here on the length is no secret */
	if (authentic == 0) {
		secret_wipe(plain, len);
		return REASON_RECORD_MAC;
	}
	*content_len = secret_len;
	return REASON_NONE;
}

/*
 * The MAC of data: the content, or with encrypt-then-MAC IV and ciphertext. The length that it covers is the one of
 * data in either case: RFC 5246 6.2.3.1, RFC 7366 3.
 */
static bool mac_of(const struct record_cipher_spec *spec, const struct engine_keys *keys, uint8_t type,
		   const uint8_t *data, size_t len, uint8_t mac[static CRYPTO_MAX_HASH_LEN])
{
	uint8_t head[RECORD12_PSEUDO_HEADER_LEN];
	const struct engine_slice pieces[] = {{head, sizeof(head)}, {data, len}};
	const enum crypto_hash hash = spec->suite->mac;

	record12_pseudo_header(keys->seq, type, spec->version, len, head);
	return crypto_hmac_pieces(hash, keys->secret, crypto_hash_len(hash), pieces, 2, mac);
}

static enum reason open_encrypt_then_mac(const struct record_cipher_spec *spec,
					 const struct engine_keys *keys, struct crypto_cbc_ctx *cbc,
					 const uint8_t *iv, const uint8_t *record, size_t len, uint8_t *plain,
					 size_t *content_len)
{
	const uint8_t *body = record + ENGINE_RECORD_HEADER_LEN;
	const size_t iv_len = iv_len_of(spec);
	const size_t mac_len = crypto_hash_len(spec->suite->mac);
	uint8_t expected[CRYPTO_MAX_HASH_LEN];
	uint32_t padding;
	size_t plain_len;
	bool authentic;

	if (len < ENGINE_RECORD_HEADER_LEN + iv_len + BLOCK + mac_len) {
		return REASON_RECORD_MAC;
	}
	len -= ENGINE_RECORD_HEADER_LEN + mac_len;
	plain_len = len - iv_len;
	if (plain_len % BLOCK != 0) {
		return REASON_RECORD_MAC;
	}
	if (!mac_of(spec, keys, record[0], body, len, expected)) {
		return REASON_INTERNAL;
	}
	authentic = secret_equal(expected, body + len, mac_len);
	secret_wipe(expected, sizeof(expected));
	if (!authentic) {
		return REASON_RECORD_MAC;
	}
	if (!crypto_cbc_decrypt(cbc, iv, body + iv_len, plain_len, plain)) {
		secret_wipe(plain, plain_len);
		return REASON_INTERNAL;
	}
	if (judge_padding(plain, plain_len, 0, &padding) == 0) {
		secret_wipe(plain, plain_len);
		return REASON_RECORD_MAC;
	}
	*content_len = plain_len - padding - 1;
	return REASON_NONE;
}

enum reason record12_cbc_unprotect(const struct record_cipher_spec *spec, struct engine_keys *keys,
				   struct engine_cipher *cipher, uint8_t *record, size_t len, uint8_t *out,
				   struct record_opened *opened)
{
	struct crypto_cbc_ctx *cbc = record_cipher_cbc(cipher, spec->suite, keys, false);
	const size_t iv_len = iv_len_of(spec);
	const size_t mac_len = spec->encrypt_then_mac ? crypto_hash_len(spec->suite->mac) : 0;
	uint8_t *ciphertext = record + ENGINE_RECORD_HEADER_LEN + iv_len;
	uint8_t *plain = out != NULL ? out : ciphertext;
	const uint8_t *iv = iv_len != 0 ? record + ENGINE_RECORD_HEADER_LEN : keys->iv;
	uint8_t last_block[BLOCK];
	enum reason reason;
	size_t content_len = 0;

	if (cbc == NULL) {
		return REASON_INTERNAL;
	}
	if (len < ENGINE_RECORD_HEADER_LEN + iv_len + BLOCK + mac_len) {
		return REASON_RECORD_MAC;
	}
	/* the next IV of TLS 1.0, before it is decrypted in place */
	memcpy(last_block, record + len - mac_len - BLOCK, BLOCK);
	if (spec->encrypt_then_mac) {
		reason = open_encrypt_then_mac(spec, keys, cbc, iv, record, len, plain, &content_len);
	} else {
		reason = open_mac_then_encrypt(spec, keys, cbc, iv, record[0], ciphertext,
					       len - ENGINE_RECORD_HEADER_LEN - iv_len, plain, &content_len);
	}
	if (reason != REASON_NONE) {
		return reason;
	}
	keys->seq++;
	if (iv_len == 0) {
		memcpy(keys->iv, last_block, BLOCK);
	}
	if (content_len > record_limit(spec)) {
		secret_wipe(plain, content_len);
		return REASON_RECORD_OVERFLOW;
	}
	opened->type = record[0];
	opened->data = plain;
	opened->len = content_len;
	return REASON_NONE;
}

/* ---- sealing ---- */

/* Length of a record with this content. */
static size_t sealed_len(const struct record_cipher_spec *spec, size_t content_len)
{
	const size_t mac_len = crypto_hash_len(spec->suite->mac);
	const size_t inside = spec->encrypt_then_mac ? content_len : content_len + mac_len;

	/* padding is always there: 1 to 16 bytes with its length */
	return ENGINE_RECORD_HEADER_LEN + iv_len_of(spec) + inside / BLOCK * BLOCK + BLOCK +
	       (spec->encrypt_then_mac ? mac_len : 0);
}

/* One record, whose content is in its place already: behind header and IV. The sequence number moves on. */
static bool protect_one(const struct record_cipher_spec *spec, struct engine_keys *keys,
			struct crypto_cbc_ctx *cbc, uint8_t type, uint8_t *out, size_t content_len)
{
	const size_t iv_len = iv_len_of(spec);
	const size_t mac_len = crypto_hash_len(spec->suite->mac);
	uint8_t *body = out + ENGINE_RECORD_HEADER_LEN;
	uint8_t *content = body + iv_len;
	uint8_t mac[CRYPTO_MAX_HASH_LEN];
	size_t len = content_len;
	size_t padding;

	if (iv_len != 0 && !engine_random(body, iv_len)) {
		return false;
	}
	if (!spec->encrypt_then_mac) {
		if (!mac_of(spec, keys, type, content, content_len, mac)) {
			return false;
		}
		memcpy(content + len, mac, mac_len);
		len += mac_len;
	}
	padding = BLOCK - len % BLOCK;
	memset(content + len, (int)padding - 1, padding);
	len += padding;
	if (!crypto_cbc_encrypt(cbc, iv_len != 0 ? body : keys->iv, content, len, content)) {
		return false;
	}
	if (iv_len == 0) {
		memcpy(keys->iv, content + len - BLOCK, BLOCK);
	}
	len += iv_len;
	if (spec->encrypt_then_mac) {
		if (!mac_of(spec, keys, type, body, len, mac)) {
			return false;
		}
		memcpy(body + len, mac, mac_len);
		len += mac_len;
	}
	record_build_header(out, type, spec->version, len);
	keys->seq++;
	return true;
}

bool record12_cbc_protect(const struct record_cipher_spec *spec, struct engine_keys *keys,
			  struct engine_cipher *cipher, uint8_t type, const struct engine_slice *slices,
			  size_t n_slices, size_t content_len, uint8_t *out, size_t out_size, size_t *out_len)
{
	struct crypto_cbc_ctx *cbc = record_cipher_cbc(cipher, spec->suite, keys, true);
	const bool split =
		spec->version == ENGINE_TLS10 && type == CONTENT_APPLICATION_DATA && content_len > 1;
	const size_t first_len = split ? sealed_len(spec, 1) : 0;
	const size_t second_content = split ? content_len - 1 : content_len;
	const size_t total = first_len + sealed_len(spec, second_content);
	const uint64_t seq = keys->seq;
	uint8_t *content = out + first_len + ENGINE_RECORD_HEADER_LEN + iv_len_of(spec);
	uint8_t iv[BLOCK];
	bool ok = true;

	if (cbc == NULL || out_size < total) {
		return false;
	}
	memcpy(iv, keys->iv, sizeof(iv));
	if (split) {
		/* all but the first byte end up in place; that one is under the second record's header */
		record_gather(slices, n_slices, content - 1);
		out[ENGINE_RECORD_HEADER_LEN] = content[-1];
		ok = protect_one(spec, keys, cbc, type, out, 1);
	} else {
		record_gather(slices, n_slices, content);
	}
	ok = ok && protect_one(spec, keys, cbc, type, out + first_len, second_content);
	if (!ok) {
		secret_wipe(out, total);
		keys->seq = seq;
		memcpy(keys->iv, iv, sizeof(iv));
		return false;
	}
	*out_len = total;
	return true;
}
