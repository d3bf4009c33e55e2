/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RFC 8448, example handshake traces: key agreement, key schedule, Finished of both sides, and every protected record,
 * opened and sealed again byte for byte.
 *
 * In the resumed handshake (section 4) the client's flight under the handshake key is taken without the
 * EndOfEarlyData in front, which is under a key that the engine does not have; the transcript gets it all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ext.h"
#include "engine/hello.h"
#include "engine/keysched13.h"
#include "engine/record.h"
#include "tests/lib/pair.h"
#include "tests/vectors/rfc8448.h"

struct wire {
	uint8_t data[1024];
	size_t len;
};

static struct wire from_hex(const char *hex)
{
	struct wire out = {.len = 0};

	assert_true(strlen(hex) % 2 == 0 && strlen(hex) / 2 <= sizeof(out.data));
	for (size_t i = 0; hex[i] != '\0'; i += 2) {
		const char digits[3] = {hex[i], hex[i + 1], '\0'};

		out.data[out.len++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return out;
}

/* The handshake message in a plaintext record. */
static struct rd message_of(const struct wire *record)
{
	struct record_header header;

	record_parse_header(record->data, &header);
	assert_int_equal(header.type, CONTENT_HANDSHAKE);
	assert_int_equal(header.length + 5, record->len);
	return rd_of(record->data + 5, record->len - 5);
}

static struct rd body_of(const struct wire *record)
{
	struct rd in = message_of(record);
	struct rd header;

	assert_true(rd_bytes(&in, &header, 4));
	return in;
}

/* Look up an extension by its number, without the table: traces have some that we do not know. */
static struct rd extension(struct rd extensions, uint16_t wanted)
{
	struct rd body;
	uint16_t type;

	while (rd_u16(&extensions, &type) && rd_vec16(&extensions, &body, 0, UINT16_MAX)) {
		if (type == wanted) {
			return body;
		}
	}
	fail_msg("extension is missing");
	return rd_of(NULL, 0);
}

struct state {
	const struct suite *suite;
	struct engine_cipher *cipher;
	struct crypto_hash_ctx transcript;
	struct keysched13 ks;
};

static void add(struct state *s, struct rd message)
{
	assert_true(crypto_hash_update(&s->transcript, message.p, message.left));
}

/* Open a record and seal what was in it: it must come out the same. */
static struct wire reopen(struct state *s, struct engine_keys *keys, const char *hex, uint8_t type)
{
	struct wire record = from_hex(hex);
	const struct wire original = record;
	struct engine_keys again = *keys;
	struct record_opened opened;
	struct engine_slice slice;
	uint8_t sealed[1024];
	struct wire out;
	size_t len;

	assert_int_equal(record13_open(s->suite, keys, s->cipher, record.data, record.len, NULL, &opened),
			 REASON_NONE);
	assert_int_equal(opened.type, type);
	memcpy(out.data, opened.data, opened.len);
	out.len = opened.len;
	slice = (struct engine_slice){out.data, out.len};
	assert_true(
		record13_seal(s->suite, &again, s->cipher, type, &slice, 1, sealed, sizeof(sealed), &len));
	assert_int_equal(len, original.len);
	assert_memory_equal(sealed, original.data, len);
	assert_int_equal(again.seq, keys->seq);
	return out;
}

/* Walk a flight's messages; the last must be the Finished that we compute ourselves. */
static void check_flight(struct state *s, const struct wire *flight, const struct secret *base_key)
{
	struct rd in = rd_of(flight->data, flight->len);
	bool finished = false;

	while (!rd_end(&in)) {
		uint8_t hash[CRYPTO_MAX_HASH_LEN], verify_data[CRYPTO_MAX_HASH_LEN];
		struct rd peek = in;
		struct rd message;
		uint8_t type;
		uint32_t len = 0;

		assert_true(rd_u8(&peek, &type) && rd_u24(&peek, &len));
		assert_true(rd_bytes(&in, &message, 4 + (size_t)len));
		if (type == HS_FINISHED) {
			assert_true(crypto_hash_peek(&s->transcript, hash));
			assert_true(keysched13_finished(s->suite, base_key, hash, verify_data));
			assert_int_equal(len, 32);
			assert_memory_equal(message.p + 4, verify_data, 32);
			assert_true(rd_end(&in));
			finished = true;
		}
		add(s, message);
	}
	assert_true(finished);
}

/* The ClientHello's one binder is that of the PSK. RFC 8446 4.2.11.2 */
static void check_binder(const struct suite *suite, const struct wire *psk, const struct wire *client_hello)
{
	uint8_t hash[CRYPTO_MAX_HASH_LEN], binder[CRYPTO_MAX_HASH_LEN];
	struct keysched13 ks = {.stage = KEYSCHED13_NONE};
	struct rd message = message_of(client_hello);
	struct client_hello hello;
	struct offered_psks offer;
	struct rd truncated, sent;

	assert_true(hello_parse_client(body_of(client_hello), &hello));
	assert_true(ext_parse_offered_psks(extension(hello.extensions, 41), &offer));
	assert_int_equal(offer.n_identities, 1);
	assert_int_equal(offer.n_binders, 1);
	assert_true(rd_vec8(&offer.binders, &sent, 32, 32) && rd_end(&offer.binders));
	assert_true(rd_bytes(&message, &truncated, message.left - 2 - 1 - 32));
	assert_true(crypto_digest(suite->hash, truncated.p, truncated.left, hash));
	assert_true(keysched13_init(&ks, suite, psk->data, psk->len));
	assert_true(keysched13_binder(&ks, hash, binder));
	assert_memory_equal(binder, sent.p, 32);
	keysched13_wipe(&ks);
	assert_false(keysched13_binder(&ks, hash, binder));
}

/* The PSK that this ticket stands for, and its name, are those of the trace behind. RFC 8446 4.6.1 */
static void check_ticket(const struct state *s, const uint8_t *hash, const struct wire *message,
			 const struct trace *next)
{
	const struct wire psk = from_hex(next->psk);
	const struct wire client_hello = from_hex(next->client_hello);
	struct rd in = rd_of(message->data, message->len);
	struct rd view, nonce, ticket, identity;
	uint8_t computed[CRYPTO_MAX_HASH_LEN];
	struct offered_psks offer;
	struct client_hello hello;
	struct secret secret;
	uint32_t age;

	assert_true(rd_bytes(&in, &view, 4 + 8) && rd_vec8(&in, &nonce, 0, 255) &&
		    rd_vec16(&in, &ticket, 1, 65535));
	assert_true(keysched13_resumption_secret(&s->ks, hash, &secret));
	assert_true(keysched13_ticket_psk(s->suite->hash, secret.data, nonce.p, nonce.left, computed));
	assert_memory_equal(computed, psk.data, 32);
	assert_true(hello_parse_client(body_of(&client_hello), &hello));
	assert_true(ext_parse_offered_psks(extension(hello.extensions, 41), &offer));
	assert_true(ext_next_psk_identity(&offer.identities, &identity, &age));
	assert_true(rd_equal(identity, ticket));
}

/* Key agreement from the client's side; the share in its ClientHello must be the private key's. */
static void agree(struct state *s, const struct trace *trace, const struct wire *client_hello,
		  const struct wire *server_hello)
{
	const struct wire private_key = from_hex(trace->client_private_key);
	const struct wire psk = from_hex(trace->psk != NULL ? trace->psk : "");
	uint8_t share[CRYPTO_MAX_SHARE_LEN], shared[CRYPTO_MAX_SHARED_LEN], hash[CRYPTO_MAX_HASH_LEN];
	struct client_hello client;
	struct server_hello server;
	struct rd entries, entry, mine, theirs;
	const struct group *group;
	struct crypto_kex *kex;
	size_t shared_len;
	uint16_t id;

	assert_true(hello_parse_client(body_of(client_hello), &client));
	assert_true(hello_parse_server(body_of(server_hello), &server));
	assert_false(server.is_retry);
	assert_true(server.has_supported_versions);
	entry = extension(server.extensions, 51);
	assert_true(ext_next_key_share(&entry, &id, &theirs) && rd_end(&entry));
	group = group_find(id);
	assert_non_null(group);
	assert_true(ext_parse_key_shares(extension(client.extensions, 51), &entries));
	assert_true(ext_next_key_share(&entries, &id, &mine));
	assert_int_equal(id, group->id);
	kex = crypto_kex_import(group->group, private_key.data, private_key.len, share);
	assert_non_null(kex);
	assert_int_equal(mine.left, crypto_group_share_len(group->group));
	assert_memory_equal(mine.p, share, mine.left);
	assert_true(crypto_kex_finish(kex, theirs.p, theirs.left, shared, &shared_len));
	crypto_kex_free(kex);
	add(s, message_of(client_hello));
	add(s, message_of(server_hello));
	assert_true(crypto_hash_peek(&s->transcript, hash));
	assert_true(keysched13_init(&s->ks, s->suite, trace->psk != NULL ? psk.data : NULL, psk.len));
	assert_true(keysched13_derive_handshake(&s->ks, shared, shared_len, hash));
}

/* RFC 8446 4.4.1 */
static void retry(struct state *s, const struct trace *trace)
{
	const struct wire first = from_hex(trace->client_hello_1);
	const struct wire request = from_hex(trace->hello_retry_request);
	uint8_t synthetic[4 + CRYPTO_MAX_HASH_LEN] = {HS_MESSAGE_HASH, 0, 0, 32};
	struct server_hello hello;
	struct rd message = message_of(&first);

	assert_true(hello_parse_server(body_of(&request), &hello));
	assert_true(hello.is_retry);
	assert_true(crypto_digest(s->suite->hash, message.p, message.left, synthetic + 4));
	add(s, rd_of(synthetic, 36));
	add(s, message_of(&request));
}

static void run_trace(const struct trace *trace, const struct trace *next)
{
	const struct wire client_hello = from_hex(trace->client_hello);
	const struct wire server_hello = from_hex(trace->server_hello);
	struct engine_keys client = {.seq = 0}, server = {.seq = 0};
	struct state s = {.suite = suite_find(0x1301), .cipher = engine_cipher_new()};
	uint8_t hash[CRYPTO_MAX_HASH_LEN], final_hash[CRYPTO_MAX_HASH_LEN];
	struct wire data;

	assert_true(crypto_hash_init(&s.transcript, s.suite->hash));
	if (trace->psk != NULL) {
		data = from_hex(trace->psk);
		check_binder(s.suite, &data, &client_hello);
	}
	if (trace->client_hello_1 != NULL) {
		retry(&s, trace);
	}
	agree(&s, trace, &client_hello, &server_hello);
	assert_true(keysched13_traffic_keys(s.suite, s.ks.client_handshake_traffic_secret.data, &client));
	assert_true(keysched13_traffic_keys(s.suite, s.ks.server_handshake_traffic_secret.data, &server));

	data = reopen(&s, &server, trace->server_flight, CONTENT_HANDSHAKE);
	check_flight(&s, &data, &s.ks.server_handshake_traffic_secret);
	assert_true(crypto_hash_peek(&s.transcript, hash));
	data = reopen(&s, &client, trace->client_flight, CONTENT_HANDSHAKE);
	if (trace->psk != NULL) {
		add(&s, rd_of((const uint8_t *)"\x05\0\0", 4)); /* EndOfEarlyData */
	}
	check_flight(&s, &data, &s.ks.client_handshake_traffic_secret);
	assert_true(crypto_hash_peek(&s.transcript, final_hash));

	assert_true(keysched13_derive_application(&s.ks, hash));
	assert_true(keysched13_traffic_keys(s.suite, s.ks.client_application_traffic_secret.data, &client));
	assert_true(keysched13_traffic_keys(s.suite, s.ks.server_application_traffic_secret.data, &server));
	if (trace->ticket != NULL) {
		data = reopen(&s, &server, trace->ticket, CONTENT_HANDSHAKE);
		assert_int_equal(data.data[0], HS_NEW_SESSION_TICKET);
		if (next != NULL && next->psk != NULL) {
			check_ticket(&s, final_hash, &data, next);
		}
	}
	if (trace->client_data != NULL) {
		data = reopen(&s, &client, trace->client_data, CONTENT_APPLICATION_DATA);
		assert_int_equal(data.len, 50);
		data = reopen(&s, &server, trace->server_data, CONTENT_APPLICATION_DATA);
		assert_int_equal(data.len, 50);
		assert_int_equal(data.data[49], 0x31);
	}
	data = reopen(&s, &client, trace->client_close, CONTENT_ALERT);
	assert_memory_equal(data.data, "\x01\x00", 2);
	data = reopen(&s, &server, trace->server_close, CONTENT_ALERT);
	assert_memory_equal(data.data, "\x01\x00", 2);
	keysched13_wipe(&s.ks);
	crypto_hash_wipe(&s.transcript);
	engine_cipher_free(s.cipher);
}

static void test_all_traces(void **unused)
{
	const size_t n = sizeof(traces) / sizeof(traces[0]);

	(void)unused;
	for (size_t i = 0; i < n; i++) {
		print_message("# %s\n", traces[i].name);
		run_trace(&traces[i], i + 1 < n ? &traces[i + 1] : NULL);
	}
}

/* Section 3, the steps on the way. */
static void test_the_ladder_of_secrets(void **unused)
{
	const struct suite *suite = suite_find(0x1301);
	const struct wire early =
		from_hex("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
	const struct wire hello_hash =
		from_hex("860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8");
	const struct wire shared =
		from_hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
	const struct wire handshake =
		from_hex("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac");
	const struct wire client_hs =
		from_hex("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21");
	const struct wire server_hs =
		from_hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
	const struct wire master =
		from_hex("18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919");
	const struct wire key = from_hex("3fce516009c21727d0f2e4e86ee403bc");
	const struct wire iv = from_hex("5d313eb2671276ee13000b30");
	struct engine_keys keys = {.epoch = 4};
	struct keysched13 ks = {.stage = KEYSCHED13_NONE};

	(void)unused;
	/* a step out of order fails */
	assert_false(keysched13_derive_handshake(&ks, shared.data, shared.len, hello_hash.data));
	assert_true(keysched13_init(&ks, suite, NULL, 0));
	assert_memory_equal(ks.current.data, early.data, 32);
	assert_false(keysched13_derive_application(&ks, hello_hash.data));
	assert_true(keysched13_derive_handshake(&ks, shared.data, shared.len, hello_hash.data));
	assert_memory_equal(ks.current.data, handshake.data, 32);
	assert_memory_equal(ks.client_handshake_traffic_secret.data, client_hs.data, 32);
	assert_memory_equal(ks.server_handshake_traffic_secret.data, server_hs.data, 32);
	assert_false(keysched13_derive_handshake(&ks, shared.data, shared.len, hello_hash.data));
	assert_true(keysched13_traffic_keys(suite, ks.server_handshake_traffic_secret.data, &keys));
	assert_memory_equal(keys.key, key.data, 16);
	assert_memory_equal(keys.iv, iv.data, 12);
	assert_int_equal(keys.seq, 0);
	assert_int_equal(keys.epoch, 5);
	assert_true(keysched13_derive_application(&ks, hello_hash.data));
	assert_memory_equal(ks.current.data, master.data, 32);
	assert_false(keysched13_derive_application(&ks, hello_hash.data));
	keysched13_wipe(&ks);
}

static int setup(void **unused)
{
	(void)unused;
	return pair_init() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_traces),
		cmocka_unit_test(test_the_ladder_of_secrets),
	};

	return cmocka_run_group_tests_name("RFC 8448", tests, setup, NULL);
}
