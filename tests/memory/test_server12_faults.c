/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server of TLS 1.2 and older under hardship: damaged and shortened flights, no memory, no
 * randomness; and what a handshake takes of memory.
 */
#include "tests/memory/server12_test.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))

/* ---- memory that is counted ---- */

static size_t now, peak, count, fail_at;
static bool random_fails;

/* Size in front, 16 bytes to keep the alignment; the server's memory is marked. */
struct block {
	size_t size;
	size_t is_servers;
};

static void *counted_alloc(size_t size)
{
	struct block *block;

	if (raw12_server_works && fail_at != 0 && ++count >= fail_at) {
		return NULL;
	}
	block = malloc(sizeof(*block) + size);
	assert_non_null(block);
	*block = (struct block){size, raw12_server_works};
	if (raw12_server_works) {
		now += size;
		peak = now > peak ? now : peak;
		count += fail_at == 0;
	}
	return block + 1;
}

static void counted_release(void *ptr)
{
	if (ptr != NULL) {
		struct block *block = (struct block *)ptr - 1;

		now -= block->is_servers ? block->size : 0;
		free(block);
	}
}

static void *counted_resize(void *ptr, size_t size)
{
	const bool was = raw12_server_works;
	void *larger;

	/* a block stays with the one who began it */
	raw12_server_works = ptr != NULL ? ((struct block *)ptr - 1)->is_servers != 0 : was;
	larger = counted_alloc(size);
	raw12_server_works = was;
	if (larger != NULL && ptr != NULL) {
		const size_t old = ((struct block *)ptr - 1)->size;

		memcpy(larger, ptr, old < size ? old : size);
		counted_release(ptr);
	}
	return larger;
}

static bool failing_random(uint8_t *out, size_t len)
{
	return !(random_fails && raw12_server_works) && raw12_random(out, len);
}

static int setup(void **state)
{
	static const struct engine_env env = {.alloc = counted_alloc,
					      .release = counted_release,
					      .resize = counted_resize,
					      .random = failing_random,
					      .now = raw12_now,
					      .sessions = &raw12_store};

	return pki_setup(state) == 0 && engine_init(&env) ? 0 : -1;
}

/* ---- ways through ---- */

/* clang-format off */
static const struct way {
	const char *name, *credentials;
	bool asks, ticket;
	bool is_4096; /* numbers of 4096 bits take more for a moment, which is wolfCrypt's */
	struct raw12_hello hello;
} ways[] = {
	{ "ECDHE, P-256, ECDSA", "server", false, false, false,
	  { .extensions = RAW12_SCHEMES RAW12_EMS "000a 0004 0002 0017" } },
	{ "ECDHE, x25519, ECDSA", "server", false, false, false, { .version = 0 } },
	{ "ECDHE, RSA 4096, CBC", "rsa4096-both", false, false, true, { .suites = "c013" } },
	{ "ECDHE, RSA, client certificate", "rsa-both", true, false, false, { .suites = "c030" } },
	{ "DHE 3072", "rsa-both", false, false, false,
	  { .suites = "009e", .extensions = RAW12_SCHEMES "000a 0004 0002 0101" } },
	{ "DHE 4096", "rsa-both", false, false, true,
	  { .suites = "009e", .extensions = RAW12_SCHEMES "000a 0004 0002 0102" } },
	{ "key transport", "rsa-both", false, false, false, { .suites = "003c" } },
	{ "key transport, TLS 1.0", "rsa-both", false, false, false, { .suites = "002f", .version = 0x0301 } },
	{ "ticket", "rsa-both", false, true, false,
	  { .suites = "c02f", .extensions = RAW12_EXTENSIONS RAW12_TICKET } },
};
/* clang-format on */

static struct engine_config *own_config;

static struct engine_config *config_of(const struct way *way)
{
	static const struct engine_ticket_key key = {.name = {1}, .key = {2}};
	struct engine_config *config =
		way->asks ? asking_config(ENGINE_PROFILE_LEGACY, way->credentials, ENGINE_CLIENT_AUTH_REQUIRE)
			  : server_config(ENGINE_PROFILE_LEGACY, way->credentials);

	if (way->ticket) {
		assert_true(engine_config_set_ticket_keys(config, &key, 1));
	}
	return config;
}

/* From ClientHello to the end, as far as the server goes along. */
static bool go(struct raw12 *raw, const struct way *way)
{
	raw12_send_hello(raw, &way->hello);
	raw12_read(raw);
	if (!raw->got_hello_done) {
		return false;
	}
	if (way->asks) {
		raw12_send_certificate(raw, &own_config->credentials[0]);
	}
	raw12_key_exchange(raw, NULL);
	raw12_derive(raw);
	if (way->asks) {
		raw12_send_certificate_verify(raw, &own_config->credentials[0], 0x0403);
	}
	raw12_send_ccs(raw);
	raw12_send_finished(raw, 0);
	raw12_read(raw);
	return engine_hs_is_done(raw->hs) && raw->got_finished;
}

/* ---- the tests ---- */

static void test_a_handshake_takes_less_than_24_kibibytes(void **unused)
{
	(void)unused;
	own_config = client_with("client");
	for (size_t i = 0; i < N(ways); i++) {
		struct raw12 raw;

		now = peak = 0;
		raw12_begin(&raw, config_of(&ways[i]));
		assert_true(go(&raw, &ways[i]));
		assert_true(raw12_talks(&raw));
		print_message("%s: %zu bytes at most\n", ways[i].name, peak);
		assert_true(peak < (ways[i].is_4096 ? 48 : 24) * 1024);
		raw12_end(&raw);
		assert_int_equal(now, 0);
	}
	engine_config_unref(own_config);
}

static void test_without_memory_a_handshake_fails_and_leaves_nothing(void **unused)
{
	(void)unused;
	own_config = client_with("client");
	for (size_t i = 0; i < N(ways); i++) {
		if (ways[i].is_4096) {
			continue; /* slow, and nothing new */
		}
		struct engine_config *config = config_of(&ways[i]);
		struct raw12 raw;
		size_t n;

		engine_config_ref(config);
		raw12_begin(&raw, config);
		fail_at = 0;
		count = 0;
		assert_true(go(&raw, &ways[i]));
		n = count;
		raw12_end(&raw);
		assert_true(n > 10);
		for (size_t at = 1; at <= n; at++) {
			engine_config_ref(config);
			raw12_begin(&raw, config);
			count = 0;
			fail_at = at;
			assert_false(go(&raw, &ways[i]));
			fail_at = 0;
			/* a key exchange that fails blames the peer's share */
			assert_int_not_equal(engine_hs_error(raw.hs), ENGINE_OK);
			assert_int_equal(raw.conn.version, 0);
			raw12_end(&raw);
			assert_int_equal(now, 0);
		}
		engine_config_unref(config);
	}
	engine_config_unref(own_config);
}

static void test_without_randomness_there_is_no_handshake(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N(ways); i++) {
		struct raw12 raw;

		raw12_begin(&raw, config_of(&ways[i]));
		random_fails = true;
		assert_false(go(&raw, &ways[i]));
		random_fails = false;
		assert_int_equal(engine_hs_error(raw.hs), ENGINE_ERR_INTERNAL);
		raw12_end(&raw);
	}
}

/*
 * One byte of the ClientHello is another than the client believes: the server may go on, but not to
 * the end.
 */
static void test_a_damaged_hello_never_comes_to_a_good_end(void **unused)
{
	static const struct way way = {.name = "ECDHE",
				       .credentials = "server",
				       .hello = {.extensions = RAW12_EXTENSIONS RAW12_RENEGOTIATION}};
	struct engine_config *config = config_of(&way);
	size_t len = 200;

	(void)unused;
	for (size_t at = 0; at < len; at++) {
		for (unsigned bit = 1; bit < 256; bit *= 4) {
			struct wr body;
			struct raw12 raw;
			uint8_t message[512] = {HS_CLIENT_HELLO};

			engine_config_ref(config);
			raw12_begin(&raw, config);
			wr_init_heap(&body);
			raw12_build_hello(&raw, &way.hello, &body);
			message[2] = (uint8_t)(body.len >> 8);
			message[3] = (uint8_t)body.len;
			memcpy(message + 4, body.data, body.len);
			len = body.len + 4;
			wr_bytes(&raw.messages, message, len);
			message[at] ^= (uint8_t)bit;
			raw12_send_record(&raw, CONTENT_HANDSHAKE, message, len);
			raw12_read(&raw);
			if (raw.got_hello_done) {
				raw12_finish(&raw);
			}
			assert_false(engine_hs_is_done(raw.hs));
			assert_int_equal(raw.conn.version, 0);
			wr_free(&body);
			raw12_end(&raw);
		}
	}
	engine_config_unref(config);
}

/* The client's flight cut anywhere: the server waits, and never says that it is done. */
static void test_a_flight_that_is_cut_leaves_the_server_waiting(void **unused)
{
	static const struct way *const way = &ways[1];
	struct engine_config *config = config_of(way);

	(void)unused;
	for (size_t cut = 1; cut < 60; cut++) {
		struct wr body, record;
		struct raw12 raw;

		engine_config_ref(config);
		raw12_begin(&raw, config);
		raw12_send_hello(&raw, &way->hello);
		raw12_read(&raw);
		raw12_key_exchange(&raw, &body);
		wr_init_heap(&record);
		wr_u8(&record, CONTENT_HANDSHAKE);
		wr_u16(&record, ENGINE_TLS12);
		wr_u16(&record, (uint16_t)(body.len + 4));
		wr_u8(&record, HS_CLIENT_KEY_EXCHANGE);
		wr_u24(&record, (uint32_t)body.len);
		wr_bytes(&record, body.data, body.len);
		if (cut < record.len) {
			raw12_send_bytes(&raw, record.data, record.len - cut);
			assert_int_equal(engine_hs_error(raw.hs), ENGINE_OK);
			assert_int_equal(raw.hs->state, HS12_WAIT_CLIENT_KEY_EXCHANGE);
		}
		wr_free(&body);
		wr_free(&record);
		raw12_end(&raw);
	}
	engine_config_unref(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_handshake_takes_less_than_24_kibibytes),
		cmocka_unit_test(test_without_memory_a_handshake_fails_and_leaves_nothing),
		cmocka_unit_test(test_without_randomness_there_is_no_handshake),
		cmocka_unit_test(test_a_damaged_hello_never_comes_to_a_good_end),
		cmocka_unit_test(test_a_flight_that_is_cut_leaves_the_server_waiting),
	};

	return cmocka_run_group_tests_name("server12_faults", tests, setup, NULL);
}
