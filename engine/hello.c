/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers of the hello messages.
 */
#include "hello.h"

#include <string.h>

const uint8_t hello_retry_request_random[HS_RANDOM_LEN] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

#define TYPE_PADDING            21
#define TYPE_PRE_SHARED_KEY     41
#define TYPE_EARLY_DATA         42
#define TYPE_SUPPORTED_VERSIONS 43
#define TYPE_COOKIE             44
#define TYPE_KEY_SHARE          51
#define TYPE_ECH                0xfe0d

/* An extensions vector, or the end of an old message that has none. */
static bool parse_extensions(struct rd *in, struct rd *extensions)
{
	if (rd_end(in)) {
		*extensions = rd_of(NULL, 0);
		return true;
	}
	return rd_vec16(in, extensions, 0, UINT16_MAX) && rd_end(in);
}

bool hello_parse_client(struct rd in, struct client_hello *hello)
{
	return rd_u16(&in, &hello->legacy_version) && rd_bytes(&in, &hello->random, HS_RANDOM_LEN) &&
	       rd_vec8(&in, &hello->legacy_session_id, 0, HS_SESSION_ID_MAX) &&
	       rd_vec16(&in, &hello->cipher_suites, 2, UINT16_MAX - 1) &&
	       hello->cipher_suites.left % 2 == 0 &&
	       rd_vec8(&in, &hello->legacy_compression_methods, 1, UINT8_MAX) &&
	       parse_extensions(&in, &hello->extensions);
}

/* Walk an extensions vector to look for a type. False if it is broken. */
static bool look_for(struct rd in, uint16_t wanted, bool *found)
{
	struct rd body;
	uint16_t type;

	*found = false;
	while (!rd_end(&in)) {
		if (!rd_u16(&in, &type) || !rd_vec16(&in, &body, 0, UINT16_MAX)) {
			return false;
		}
		*found = *found || type == wanted;
	}
	return true;
}

bool hello_parse_server(struct rd in, struct server_hello *hello)
{
	if (!rd_u16(&in, &hello->legacy_version) || !rd_bytes(&in, &hello->random, HS_RANDOM_LEN) ||
	    !rd_vec8(&in, &hello->legacy_session_id_echo, 0, HS_SESSION_ID_MAX) ||
	    !rd_u16(&in, &hello->cipher_suite) || !rd_u8(&in, &hello->legacy_compression_method) ||
	    !parse_extensions(&in, &hello->extensions)) {
		return false;
	}
	hello->is_retry = rd_equal(hello->random, rd_of(hello_retry_request_random, HS_RANDOM_LEN));
	return look_for(hello->extensions, TYPE_SUPPORTED_VERSIONS, &hello->has_supported_versions);
}

bool hello_has_downgrade_sentinel(const struct server_hello *hello)
{
	static const uint8_t to_tls12[8] = {'D', 'O', 'W', 'N', 'G', 'R', 'D', 1};
	static const uint8_t to_older[8] = {'D', 'O', 'W', 'N', 'G', 'R', 'D', 0};
	struct rd random = hello->random;
	struct rd front;
	struct rd tail;

	if (!rd_bytes(&random, &front, HS_RANDOM_LEN - 8) || !rd_bytes(&random, &tail, 8)) {
		return false;
	}
	return rd_equal(tail, rd_of(to_tls12, 8)) || rd_equal(tail, rd_of(to_older, 8));
}

/*
 * RFC 8446 4.1.2, and encrypted_client_hello: a client that encrypts an inner ClientHello does so afresh, whether or
 * not the server has heard of it.
 */
static bool may_change(uint16_t type)
{
	return type == TYPE_KEY_SHARE || type == TYPE_EARLY_DATA || type == TYPE_COOKIE ||
	       type == TYPE_PRE_SHARED_KEY || type == TYPE_PADDING || type == TYPE_ECH;
}

/* Length and content, so that nothing can slip from one field into the next. */
static bool digest_field(struct crypto_hash_ctx *ctx, uint16_t tag, struct rd field)
{
	uint8_t room[6];
	struct wr head;

	wr_init(&head, room, sizeof(room));
	wr_u16(&head, tag);
	wr_u32(&head, (uint32_t)field.left);
	return !head.failed && crypto_hash_update(ctx, head.data, head.len) &&
	       crypto_hash_update(ctx, field.p, field.left);
}

bool hello_digest(const struct client_hello *hello, uint8_t out[static CRYPTO_MAX_HASH_LEN])
{
	struct crypto_hash_ctx ctx = {.live = false};
	struct rd extensions = hello->extensions;
	struct rd versions = rd_of(NULL, 0);
	struct rd body;
	uint16_t type;
	bool ok;

	ok = crypto_hash_init(&ctx, CRYPTO_SHA256) &&
	     digest_field(&ctx, hello->legacy_version, hello->random) &&
	     digest_field(&ctx, 0, hello->legacy_session_id) && digest_field(&ctx, 0, hello->cipher_suites) &&
	     digest_field(&ctx, 0, hello->legacy_compression_methods);
	while (ok && rd_u16(&extensions, &type) && rd_vec16(&extensions, &body, 0, UINT16_MAX)) {
		if (type == TYPE_SUPPORTED_VERSIONS) {
			/* last, wherever it stands: wolfSSL's second ClientHello has it in another place */
			versions = body;
		} else {
			ok = may_change(type) || digest_field(&ctx, type, body);
		}
	}
	ok = ok && digest_field(&ctx, TYPE_SUPPORTED_VERSIONS, versions) && crypto_hash_peek(&ctx, out);
	crypto_hash_wipe(&ctx);
	return ok;
}
