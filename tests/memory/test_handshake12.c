/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our client against our server in TLS 1.2 and older: every pair of version ranges, every suite of the certificate's
 * kind, full and abbreviated; with every byte flipped, cut at every byte, with memory running out at every allocation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/alert.h"
#include "engine/handshake.h"
#include "tests/lib/pair.h"

/* What is shaken below. */
struct kind {
	const char *name;
	uint16_t version;
	bool is_legacy, client_auth, resumes;
	const char *suite;
};
static const struct kind kinds[] = {
	{"TLS 1.2, AEAD", ENGINE_TLS12, false, false, false, NULL},
	{"TLS 1.2, client certificate", ENGINE_TLS12, false, true, false, NULL},
	{"TLS 1.2, resumed", ENGINE_TLS12, false, false, true, NULL},
	{"TLS 1.2, CBC", ENGINE_TLS12, true, false, false, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"},
	{"TLS 1.0, CBC, client certificate", ENGINE_TLS10, true, true, false,
	 "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"},
	{"TLS 1.0, resumed", ENGINE_TLS10, true, false, true, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static int setup(void **state)
{
	(void)state;
	return pair_init() && pair_set_resumption(true) ? 0 : -1;
}

static struct engine_config *make(enum engine_role role, const struct kind *kind)
{
	struct engine_config *config = pair_config(role);
	char why[ENGINE_REASON_MAX];

	assert_non_null(config);
	engine_config_set_profile(config, kind->is_legacy ? ENGINE_PROFILE_LEGACY : ENGINE_PROFILE_DEFAULT);
	assert_true(engine_config_set_versions(config, kind->version, kind->version));
	if (kind->suite != NULL) {
		assert_int_equal(engine_config_set_suites(config, &kind->suite, 1, why), ENGINE_OK);
	}
	if (kind->client_auth && role == ENGINE_CLIENT) {
		assert_true(pair_add_credential(config));
	} else if (kind->client_auth) {
		engine_config_set_client_auth(config, ENGINE_CLIENT_AUTH_REQUIRE);
		assert_true(pair_add_trust(config));
	}
	return config;
}

/* Both sides agree, and data goes both ways. */
static void check_connection(struct pair *pair)
{
	static const char *const words[2] = {"from the client", "from the server"};
	uint8_t record[ENGINE_MAX_RECORD];

	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		if (engine_hs_error(pair->hs[role]) != ENGINE_OK) {
			fail_msg("%s", engine_hs_reason(pair->hs[role]));
		}
	}
	assert_true(pair_is_done(pair));
	assert_int_equal(pair->conn[0].version, pair->conn[1].version);
	assert_int_equal(pair->conn[0].suite, pair->conn[1].suite);
	assert_int_equal(pair->conn[0].resumed, pair->conn[1].resumed);
	assert_memory_equal(&pair->conn[0].recv.key, &pair->conn[1].send.key, 32);
	assert_memory_equal(&pair->conn[0].send.key, &pair->conn[1].recv.key, 32);
	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		const size_t want = strlen(words[role]);
		size_t len = pair_seal(pair, (enum engine_role)role, words[role], want, record);
		size_t got = 0;

		for (size_t at = 0; at < len;) {
			const size_t n =
				ENGINE_RECORD_HEADER_LEN + (size_t)(record[at + 3] << 8 | record[at + 4]);
			struct engine_opened opened;

			assert_int_equal(pair_open(pair, (enum engine_role)(1 - role), record + at, n,
						   &opened),
					 ENGINE_OK);
			assert_memory_equal(opened.data, words[role] + got, opened.data_len);
			got += opened.data_len;
			at += n;
		}
		assert_int_equal(got, want);
	}
}

/* ---- negotiation ---- */

/* The newest version that both have, or none. */
static void test_every_pair_of_version_ranges(void **unused)
{
	struct pair pair;

	(void)unused;
	for (unsigned n = 0; n < 256; n++) {
		uint16_t min[2], max[2], newest;

		for (int role = 0; role < 2; role++) {
			min[role] = (uint16_t)(ENGINE_TLS10 + (n >> (4 * role) & 3));
			max[role] = (uint16_t)(ENGINE_TLS10 + (n >> (4 * role + 2) & 3));
		}
		if (min[0] > max[0] || min[1] > max[1]) {
			continue;
		}
		newest = max[0] < max[1] ? max[0] : max[1];
		struct engine_config *configs[2] = {pair_config(ENGINE_CLIENT), pair_config(ENGINE_SERVER)};

		for (int role = 0; role < 2; role++) {
			engine_config_set_profile(configs[role], ENGINE_PROFILE_LEGACY);
			assert_true(engine_config_set_versions(configs[role], min[role], max[role]));
		}
		assert_true(pair_set_resumption(true));
		assert_true(pair_begin(&pair, configs[0], configs[1]));
		pair_pump(&pair, 0);
		if (newest >= min[0] && newest >= min[1]) {
			check_connection(&pair);
			assert_int_equal(pair.conn[0].version, newest);
		} else {
			assert_int_equal(engine_hs_alert(pair.hs[ENGINE_SERVER]), ALERT_PROTOCOL_VERSION);
			assert_int_equal(engine_hs_alert(pair.hs[ENGINE_CLIENT]), ALERT_PROTOCOL_VERSION);
			assert_false(pair_is_done(&pair));
		}
		pair_end(&pair);
	}
}

static void test_every_suite_of_the_kind_of_certificate(void **unused)
{
	const char *name;
	struct pair pair;

	(void)unused;
	for (size_t i = 0; (name = engine_suite_at(i)) != NULL; i++) {
		for (uint16_t version = ENGINE_TLS10; version <= ENGINE_TLS12; version++) {
			const struct kind kind = {name, version, true, false, false, name};
			const bool is_old = strstr(name, "_CBC_SHA") != NULL &&
					    strstr(name, "SHA2") == NULL && strstr(name, "SHA3") == NULL;

			if (strstr(name, "_ECDSA_") == NULL || (version < ENGINE_TLS12 && !is_old)) {
				continue;
			}
			assert_true(pair_set_resumption(true));
			for (int round = 0; round < 2; round++) {
				assert_true(pair_begin(&pair, make(ENGINE_CLIENT, &kind),
						       make(ENGINE_SERVER, &kind)));
				pair_pump(&pair, 0);
				check_connection(&pair);
				assert_string_equal(engine_suite_name(pair.conn[0].suite), name);
				assert_int_equal(pair.conn[0].resumed, round == 1);
				pair_end(&pair);
			}
		}
	}
}

/* By ticket, and by id where the server has no ticket key. */
static void test_tickets_and_session_ids(void **unused)
{
	struct pair pair;

	(void)unused;
	for (size_t n_keys = 0; n_keys < 2; n_keys++) {
		assert_true(pair_set_resumption(true));
		pair_n_ticket_keys = n_keys;
		for (int round = 0; round < 3; round++) {
			assert_true(pair_begin(&pair, make(ENGINE_CLIENT, &kinds[0]),
					       make(ENGINE_SERVER, &kinds[0])));
			pair_pump(&pair, 0);
			check_connection(&pair);
			assert_int_equal(pair.conn[0].resumed, round > 0);
			assert_string_equal(pair.conn[0].peer_subject, "CN=localhost");
			pair_end(&pair);
		}
	}
	assert_true(pair_set_resumption(true));
}

/* ---- damage ---- */

static struct engine_config *configs[2];

/* A pair of this kind, with a session if it resumes. */
static void begin(struct pair *pair, const struct kind *kind)
{
	assert_true(pair_set_resumption(true));
	if (kind->resumes) {
		pair_seed(2);
		engine_config_ref(configs[0]);
		engine_config_ref(configs[1]);
		assert_true(pair_begin(pair, configs[0], configs[1]));
		pair_pump(pair, 0);
		assert_true(pair_is_done(pair));
		pair_end(pair);
	}
	pair_seed(3);
	engine_config_ref(configs[0]);
	engine_config_ref(configs[1]);
}

/* One handshake in which byte `at` of what `role` sends is changed, or it and all behind it is lost (flip 0). */
static size_t run_damaged(struct pair *pair, const struct kind *kind, enum engine_role role, size_t at,
			  uint8_t flip)
{
	size_t total;

	begin(pair, kind);
	assert_true(pair_begin(pair, configs[0], configs[1]));
	total = pair_pump_damaged(pair, role, at, flip);
	assert_true(total != 0);
	return total;
}

/* Only the versions in the record header of ClientHello count for nothing: RFC 5246 E.1 */
static void flip_every_byte(const struct kind *kind, enum engine_role role)
{
	static const uint8_t flips[] = {0x01, 0x80, 0xff};
	struct pair pair;
	size_t total = run_damaged(&pair, kind, role, SIZE_MAX, 0);
	unsigned passed = 0;

	check_connection(&pair);
	assert_int_equal(pair.conn[0].resumed, kind->resumes);
	pair_end(&pair);
	for (size_t at = 0; at < total; at++) {
		(void)run_damaged(&pair, kind, role, at, flips[at % 3]);
		if (pair_is_done(&pair)) {
			check_connection(&pair);
			passed++;
		}
		pair_end(&pair);
	}
	if (passed > 2) {
		fail_msg("%s: %u changes passed", kind->name, passed);
	}
}

static void with_configs(const struct kind *kind, void (*call)(const struct kind *kind))
{
	configs[ENGINE_CLIENT] = make(ENGINE_CLIENT, kind);
	configs[ENGINE_SERVER] = make(ENGINE_SERVER, kind);
	call(kind);
	engine_config_unref(configs[ENGINE_CLIENT]);
	engine_config_unref(configs[ENGINE_SERVER]);
}

static void flip_both(const struct kind *kind)
{
	flip_every_byte(kind, ENGINE_CLIENT);
	flip_every_byte(kind, ENGINE_SERVER);
}

static void test_every_byte_flipped(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_KINDS; i++) {
		with_configs(&kinds[i], flip_both);
	}
}

static void cut_both(const struct kind *kind)
{
	for (int role = ENGINE_CLIENT; role <= ENGINE_SERVER; role++) {
		struct pair pair;
		size_t total = run_damaged(&pair, kind, (enum engine_role)role, SIZE_MAX, 0);

		pair_end(&pair);
		for (size_t at = 0; at < total; at++) {
			(void)run_damaged(&pair, kind, (enum engine_role)role, at, 0);
			assert_false(engine_hs_is_done(pair.hs[1 - role]));
			assert_int_equal(engine_hs_error(pair.hs[1 - role]), ENGINE_OK);
			assert_int_equal(pair.conn[1 - role].version, 0);
			pair_end(&pair);
		}
	}
}

static void test_cut_at_every_byte(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_KINDS; i++) {
		with_configs(&kinds[i], cut_both);
	}
}

/* ---- memory ---- */

static void exhaust(const struct kind *kind)
{
	unsigned total = 0;

	for (unsigned n = 0; n <= total; n++) {
		struct pair pair;
		size_t before;
		bool begun;

		begin(&pair, kind);
		before = pair_memory_now();
		pair_memory_reset();
		pair_memory_fail_at(n);
		begun = pair_begin(&pair, configs[0], configs[1]);
		if (begun) {
			pair_pump(&pair, 0);
		}
		if (n == 0) {
			total = pair_memory_count();
			assert_true(total > 10);
			assert_true(pair_is_done(&pair));
		} else if (begun && pair_is_done(&pair)) {
			/* what failed was a session that could have been kept or offered */
			pair_memory_fail_at(0);
			check_connection(&pair);
		}
		pair_memory_fail_at(0);
		pair_end(&pair);
		assert_int_equal(pair_memory_now(), before);
	}
}

static void test_memory_running_out_at_every_allocation(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_KINDS; i++) {
		with_configs(&kinds[i], exhaust);
	}
}

/* A handshake in flight stays below 24 KiB on either side. */
static void measure(const struct kind *kind)
{
	struct pair pair;

	begin(&pair, kind);
	pair_memory_reset();
	assert_true(pair_begin(&pair, configs[0], configs[1]));
	pair_pump(&pair, 0);
	assert_true(pair_is_done(&pair));
	print_message("# %s: at most %zu bytes in the client's handshake, %zu in the server's\n", kind->name,
		      pair_memory_peak(ENGINE_CLIENT), pair_memory_peak(ENGINE_SERVER));
	assert_true(pair_memory_peak(ENGINE_CLIENT) < 24 * 1024);
	assert_true(pair_memory_peak(ENGINE_SERVER) < 24 * 1024);
	pair_end(&pair);
}

static void test_memory_of_a_handshake(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_KINDS; i++) {
		with_configs(&kinds[i], measure);
	}
}

/* ---- pieces ---- */

static void pieces(const struct kind *kind)
{
	static const size_t chunks[] = {1, 2, 3, 5, 7, 64, 333};
	struct pair pair;

	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		begin(&pair, kind);
		assert_true(pair_begin(&pair, configs[0], configs[1]));
		pair_pump(&pair, chunks[i]);
		check_connection(&pair);
		pair_end(&pair);
	}
}

static void test_byte_by_byte_and_in_odd_pieces(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < N_KINDS; i++) {
		with_configs(&kinds[i], pieces);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair_of_version_ranges),
		cmocka_unit_test(test_every_suite_of_the_kind_of_certificate),
		cmocka_unit_test(test_tickets_and_session_ids),
		cmocka_unit_test(test_byte_by_byte_and_in_odd_pieces),
		cmocka_unit_test(test_every_byte_flipped),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_memory_running_out_at_every_allocation),
		cmocka_unit_test(test_memory_of_a_handshake),
	};

	return cmocka_run_group_tests_name("handshake12", tests, setup, NULL);
}
