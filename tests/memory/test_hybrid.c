/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key exchange of TLS 1.3 with X25519MLKEM768 beside classic groups: who gets which without another round trip,
 * HelloRetryRequests towards a KEM and away from it, and shares that are none.  RFC 8446 4.2.8, 4.1.4
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "engine/alert.h"
#include "engine/handshake.h"
#include "tests/lib/pair.h"

#define X25519MLKEM768 0x11ec
#define X25519         0x001d
#define SECP256R1      0x0017
#define SECP384R1      0x0018
#define FFDHE2048      0x0100

#define MLKEM_KEY_LEN        1184
#define MLKEM_CIPHERTEXT_LEN 1088

static struct pair pair;

static int setup(void **state)
{
	(void)state;
	return pair_init() ? 0 : -1;
}

/* A list of groups with commas, NULL: the default. */
static struct engine_config *make(enum engine_role role, const char *groups)
{
	struct engine_config *config = pair_config(role);
	const char *names[8];
	char list[200], why[ENGINE_REASON_MAX];
	char *rest = NULL;
	size_t n = 0;

	assert_non_null(config);
	if (groups != NULL) {
		engine_config_set_profile(config, ENGINE_PROFILE_LEGACY);
		assert_true(engine_config_set_versions(config, ENGINE_TLS13, ENGINE_TLS13));
		(void)snprintf(list, sizeof(list), "%s", groups);
		for (char *name = strtok_r(list, ",", &rest); name != NULL;
		     name = strtok_r(NULL, ",", &rest)) {
			names[n++] = name;
		}
		if (engine_config_set_groups(config, names, n, why) != ENGINE_OK) {
			fail_msg("%s", why);
		}
	}
	return config;
}

static void test_who_gets_which_group(void **unused)
{
	static const struct {
		const char *client, *server;
		uint16_t group; /* 0: none */
		bool retried;
	} rows[] = {
		{NULL, NULL, X25519MLKEM768, false},
		{NULL, "x25519", X25519, false},
		{NULL, "secp256r1", SECP256R1, true},
		{NULL, "x25519,X25519MLKEM768", X25519, false},
		{NULL, "secp384r1,X25519MLKEM768", X25519MLKEM768, false},
		{"x25519", NULL, X25519, false},
		{"x25519,X25519MLKEM768", NULL, X25519, false},
		{"x25519,X25519MLKEM768", "X25519MLKEM768", X25519MLKEM768, true},
		{"X25519MLKEM768", NULL, X25519MLKEM768, false},
		{"X25519MLKEM768", "x25519", 0, false},
		{"X25519MLKEM768,secp256r1", "x25519,secp256r1", SECP256R1, false},
		{"X25519MLKEM768,secp256r1", "secp384r1", 0, false},
		{"X25519MLKEM768,ffdhe2048", "ffdhe2048", FFDHE2048, true},
		{"secp384r1,X25519MLKEM768,x25519", "x25519", X25519, true},
		{"secp384r1,X25519MLKEM768,x25519", "X25519MLKEM768,secp384r1", SECP384R1, false},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t chunk = 0; chunk < 2; chunk++) {
			assert_true(pair_begin(&pair, make(ENGINE_CLIENT, rows[i].client),
					       make(ENGINE_SERVER, rows[i].server)));
			pair_pump(&pair, chunk);
			if (rows[i].group == 0) {
				assert_int_equal(engine_hs_alert(pair.hs[ENGINE_SERVER]),
						 ALERT_HANDSHAKE_FAILURE);
				assert_false(pair_is_done(&pair));
			} else if (!pair_is_done(&pair) || pair.conn[0].group != rows[i].group) {
				fail_msg("row %zu: %s, %s, %s", i, engine_group_name(pair.conn[0].group),
					 engine_hs_reason(pair.hs[0]), engine_hs_reason(pair.hs[1]));
			} else {
				assert_int_equal(pair.conn[1].group, rows[i].group);
				assert_int_equal(pair.hs[ENGINE_CLIENT]->retried, rows[i].retried);
				assert_memory_equal(pair.conn[0].send.key, pair.conn[1].recv.key, 32);
			}
			pair_end(&pair);
		}
	}
}

/* ---- shares ---- */

/* Where the share of a group lies in a hello: behind its number and its length. */
static uint8_t *find_share(uint8_t *wire, size_t len, uint16_t group, uint16_t share_len)
{
	for (size_t i = 0; i + 4 + share_len <= len; i++) {
		if (wire[i] == group >> 8 && wire[i + 1] == (group & 0xff) && wire[i + 2] == share_len >> 8 &&
		    wire[i + 3] == (share_len & 0xff)) {
			return wire + i + 4;
		}
	}
	fail_msg("no share");
	return NULL;
}

static uint8_t wire[8192];
static size_t wire_len;

static void take_hello(enum engine_role from)
{
	const uint8_t *bytes = pair_take(&pair, from, &wire_len);

	assert_true(wire_len <= sizeof(wire));
	memcpy(wire, bytes, wire_len);
}

/* The client's hello, changed in one place of its hybrid share; the server's alert. */
static void check_client_share(size_t at, uint8_t value, size_t n, unsigned alert)
{
	uint8_t *share;

	assert_true(pair_begin(&pair, make(ENGINE_CLIENT, NULL), make(ENGINE_SERVER, NULL)));
	take_hello(ENGINE_CLIENT);
	share = find_share(wire, wire_len, X25519MLKEM768, MLKEM_KEY_LEN + 32);
	memset(share + at, value, n);
	(void)!pair_give(&pair, ENGINE_SERVER, wire, wire_len);
	assert_int_equal(engine_hs_alert(pair.hs[ENGINE_SERVER]), alert);
	pair_end(&pair);
}

static void test_a_client_whose_share_is_none(void **unused)
{
	(void)unused;
	/* FIPS 203 7.2: coefficients must be below q */
	check_client_share(0, 0xff, 3, ALERT_ILLEGAL_PARAMETER);
	check_client_share(MLKEM_KEY_LEN - 32 - 3, 0xff, 3, ALERT_ILLEGAL_PARAMETER);
	/* RFC 8446 7.4.2: x25519 must not give zeros */
	check_client_share(MLKEM_KEY_LEN, 0, 32, ALERT_ILLEGAL_PARAMETER);
}

static void check_server_share(size_t at, uint8_t value, size_t n, unsigned alert)
{
	uint8_t *share;

	assert_true(pair_begin(&pair, make(ENGINE_CLIENT, NULL), make(ENGINE_SERVER, NULL)));
	take_hello(ENGINE_CLIENT);
	assert_int_equal(pair_give(&pair, ENGINE_SERVER, wire, wire_len), ENGINE_OK);
	take_hello(ENGINE_SERVER);
	share = find_share(wire, wire_len, X25519MLKEM768, MLKEM_CIPHERTEXT_LEN + 32);
	for (size_t i = 0; i < n; i++) {
		share[at + i] = value == 0xff ? share[at + i] ^ 1 : value;
	}
	(void)!pair_give(&pair, ENGINE_CLIENT, wire, wire_len);
	assert_int_equal(engine_hs_alert(pair.hs[ENGINE_CLIENT]), alert);
	pair_end(&pair);
}

static void test_a_server_whose_share_is_none(void **unused)
{
	(void)unused;
	check_server_share(MLKEM_CIPHERTEXT_LEN, 0, 32, ALERT_ILLEGAL_PARAMETER);
	/* a ciphertext that was changed decapsulates to another secret: FIPS 203 6.3 */
	check_server_share(0, 0xff, 1, ALERT_BAD_RECORD_MAC);
	check_server_share(MLKEM_CIPHERTEXT_LEN - 1, 0xff, 1, ALERT_BAD_RECORD_MAC);
}

/* Shares of every length but the right one. */
static void test_shares_of_another_length(void **unused)
{
	static const int changes[] = {-1216, -1215, -33, -32, -1, 1, 32};

	(void)unused;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const size_t right = MLKEM_KEY_LEN + 32;
		const size_t len = (size_t)((int)right + changes[i]);
		struct engine_config *client = make(ENGINE_CLIENT, "X25519MLKEM768");
		struct engine_hs *hs;

		assert_true(pair_begin(&pair, client, make(ENGINE_SERVER, NULL)));
		hs = pair.hs[ENGINE_CLIENT];
		/* the client's own hello again, with the share cut or continued */
		wr_free(&hs->out);
		wr_free(&hs->held);
		if (len < right) {
			wr_unroom(&hs->shares[0].bytes, right - len);
		} else {
			for (size_t more = right; more < len; more++) {
				wr_u8(&hs->shares[0].bytes, 7);
			}
		}
		assert_true(client_send_hello(hs));
		take_hello(ENGINE_CLIENT);
		(void)!pair_give(&pair, ENGINE_SERVER, wire, wire_len);
		/* RFC 8446 4.2.8: key_exchange<1..2^16-1> */
		assert_int_equal(engine_hs_alert(pair.hs[ENGINE_SERVER]),
				 len == 0 ? ALERT_DECODE_ERROR : ALERT_ILLEGAL_PARAMETER);
		pair_end(&pair);
	}
}

/* RFC 8446 4.1.4: a group that a share was sent for is none to ask for. */
static void test_a_retry_for_a_share_that_was_sent(void **unused)
{
	static const uint16_t groups[] = {X25519MLKEM768, X25519};

	(void)unused;
	for (size_t i = 0; i < 2; i++) {
		uint8_t *share;

		/* a server's HelloRetryRequest for another group, changed */
		assert_true(pair_begin(&pair, make(ENGINE_CLIENT, NULL), make(ENGINE_SERVER, "secp256r1")));
		take_hello(ENGINE_CLIENT);
		assert_int_equal(pair_give(&pair, ENGINE_SERVER, wire, wire_len), ENGINE_OK);
		take_hello(ENGINE_SERVER);
		share = wire;
		while (share[0] != 0 || share[1] != 51 || share[2] != 0 || share[3] != 2) {
			share++;
			assert_true(share < wire + wire_len - 6);
		}
		share[4] = (uint8_t)(groups[i] >> 8);
		share[5] = (uint8_t)groups[i];
		(void)!pair_give(&pair, ENGINE_CLIENT, wire, wire_len);
		assert_int_equal(engine_hs_alert(pair.hs[ENGINE_CLIENT]), ALERT_ILLEGAL_PARAMETER);
		pair_end(&pair);
	}
}

/* Behind a HelloRetryRequest, the one share that was asked for. */
static void test_the_second_hello_has_one_share(void **unused)
{
	size_t first;

	(void)unused;
	assert_true(pair_begin(&pair, make(ENGINE_CLIENT, NULL), make(ENGINE_SERVER, "secp256r1")));
	take_hello(ENGINE_CLIENT);
	first = wire_len;
	assert_int_equal(pair_give(&pair, ENGINE_SERVER, wire, wire_len), ENGINE_OK);
	take_hello(ENGINE_SERVER);
	assert_int_equal(pair_give(&pair, ENGINE_CLIENT, wire, wire_len), ENGINE_OK);
	assert_int_equal(pair.hs[ENGINE_CLIENT]->shares[0].group->id, SECP256R1);
	assert_null(pair.hs[ENGINE_CLIENT]->shares[1].group);
	take_hello(ENGINE_CLIENT);
	assert_true(wire_len < first - 1000);
	pair_end(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_gets_which_group),
		cmocka_unit_test(test_a_client_whose_share_is_none),
		cmocka_unit_test(test_a_server_whose_share_is_none),
		cmocka_unit_test(test_shares_of_another_length),
		cmocka_unit_test(test_a_retry_for_a_share_that_was_sent),
		cmocka_unit_test(test_the_second_hello_has_one_share),
	};

	if (!crypto_has_mlkem()) {
		print_message("# wolfCrypt was built without ML-KEM\n");
		return 0;
	}
	return cmocka_run_group_tests_name("hybrid", tests, setup, NULL);
}
