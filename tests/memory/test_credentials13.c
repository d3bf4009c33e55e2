/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which certificate goes out in TLS 1.3, and what goes with it: several credentials, what the peer wishes, stapled
 * OCSP responses; and flights in records as short as the peer wants them.
 * RFC 8446 4.2.3, 4.2.4, 4.4.2, RFC 8449
 */
#include "tests/pki/pki.h"

#include "engine/alert.h"
#include "engine/handshake.h"
#include "tests/lib/pair.h"

static struct pair pair;

static struct engine_config *new_config(enum engine_role role, const char *trust_names)
{
	struct engine_config *config = engine_config_new(role);
	struct engine_trust *trust = pki_trust(trust_names);

	assert_non_null(config);
	assert_true(engine_config_set_versions(config, ENGINE_TLS13, ENGINE_TLS13));
	engine_config_set_trust(config, trust);
	engine_trust_unref(trust);
	return config;
}

/* With credentials whose certificate and key have these names, separated by blanks. */
static struct engine_config *with(enum engine_role role, const char *trust_names, const char *names)
{
	struct engine_config *config = new_config(role, trust_names);
	char list[300], cert[100], key[100], why[ENGINE_REASON_MAX];
	char *rest = NULL;

	(void)snprintf(list, sizeof(list), "%s", names);
	for (char *name = strtok_r(list, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
		(void)snprintf(cert, sizeof(cert), "%s.pem", name);
		(void)snprintf(key, sizeof(key), "%s.key", name);
		if (!pki_add_credential(config, cert, key, why)) {
			fail_msg("%s: %s", name, why);
		}
	}
	return config;
}

static void set_schemes(struct engine_config *config, const char *first, const char *second)
{
	const char *const names[2] = {first, second};
	char why[ENGINE_REASON_MAX];

	assert_int_equal(engine_config_set_schemes(config, names, second != NULL ? 2 : 1, why), ENGINE_OK);
}

#define ROOTS   "ca.pem ca-rsa.pem"
#define SERVERS "server server-rsa2048 server-ed25519"

/* Which of the configuration's credentials does hs use? -1: none. */
static int used(enum engine_role role)
{
	const struct engine_hs *hs = pair.hs[role];

	return hs->credential == NULL ? -1 : (int)(hs->credential - hs->config->credentials);
}

static void shake(struct engine_config *client, struct engine_config *server)
{
	assert_true(pair_begin(&pair, client, server));
	pair_pump(&pair, 0);
	assert_string_equal(engine_hs_reason(pair.hs[ENGINE_CLIENT]), "");
	assert_string_equal(engine_hs_reason(pair.hs[ENGINE_SERVER]), "");
	assert_true(pair_is_done(&pair));
}

/* ---- by scheme ---- */

static void test_the_clients_schemes_choose_among_kinds_of_keys(void **unused)
{
	static const struct {
		const char *first, *second;
		int credential;
		uint16_t scheme;
	} rows[] = {
		{"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256", 0, 0x0403},
		/* the server's order decides, not the client's */
		{"rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256", 0, 0x0403},
		{"rsa_pss_rsae_sha256", "rsa_pkcs1_sha256", 1, 0x0804},
		{"rsa_pss_rsae_sha384", "rsa_pkcs1_sha256", 1, 0x0805},
		{"ed25519", "ecdsa_secp384r1_sha384", 2, 0x0807},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct engine_config *client = new_config(ENGINE_CLIENT, ROOTS);

		/* what signs certificates is another matter, and not tried here */
		engine_config_set_verify(client, ENGINE_VERIFY_NONE);
		set_schemes(client, rows[i].first, rows[i].second);
		shake(client, with(ENGINE_SERVER, "", SERVERS));
		assert_int_equal(used(ENGINE_SERVER), rows[i].credential);
		assert_int_equal(pair.conn[ENGINE_CLIENT].scheme, rows[i].scheme);
		pair_end(&pair);
	}
}

static void test_the_servers_own_list_of_schemes_counts(void **unused)
{
	struct engine_config *server = with(ENGINE_SERVER, "", SERVERS);

	(void)unused;
	set_schemes(server, "rsa_pss_rsae_sha512", NULL);
	shake(new_config(ENGINE_CLIENT, ROOTS), server);
	assert_int_equal(used(ENGINE_SERVER), 1);
	assert_int_equal(pair.conn[ENGINE_CLIENT].scheme, 0x0806);
	pair_end(&pair);
}

static void test_nothing_in_common(void **unused)
{
	struct engine_config *client = new_config(ENGINE_CLIENT, ROOTS);

	(void)unused;
	set_schemes(client, "ecdsa_secp384r1_sha384", NULL);
	assert_true(pair_begin(&pair, client, with(ENGINE_SERVER, "", SERVERS)));
	pair_pump(&pair, 0);
	assert_int_equal(engine_hs_alert(pair.hs[ENGINE_SERVER]), ALERT_HANDSHAKE_FAILURE);
	assert_int_equal(engine_hs_error(pair.hs[ENGINE_SERVER]), ENGINE_ERR_NEGOTIATION);
	pair_end(&pair);
}

/* ---- by name ---- */

static void test_a_certificate_that_fits_the_name_comes_first(void **unused)
{
	(void)unused;
	shake(new_config(ENGINE_CLIENT, ROOTS), with(ENGINE_SERVER, "", "wrong-name server"));
	assert_int_equal(used(ENGINE_SERVER), 1);
	pair_end(&pair);
	/* of those that fit, the first */
	shake(new_config(ENGINE_CLIENT, ROOTS), with(ENGINE_SERVER, "", "wrong-name server-p384 server"));
	assert_int_equal(used(ENGINE_SERVER), 1);
	pair_end(&pair);
	/* if none does, the first of all: the client may judge it */
	{
		struct engine_config *client = new_config(ENGINE_CLIENT, ROOTS);

		engine_config_set_verify(client, ENGINE_VERIFY_CHAIN);
		shake(client, with(ENGINE_SERVER, "", "wrong-name wrong-name"));
		assert_int_equal(used(ENGINE_SERVER), 0);
		pair_end(&pair);
	}
}

static void test_a_key_that_may_not_sign_is_passed_over(void **unused)
{
	(void)unused;
	shake(new_config(ENGINE_CLIENT, ROOTS), with(ENGINE_SERVER, "", "rsa-encipher rsa-both"));
	assert_int_equal(used(ENGINE_SERVER), 1);
	pair_end(&pair);
}

/* ---- by what the peer wishes ---- */

/* Give the server the client's hello with one more extension; its choice is then to be seen. */
static void give_hello_with(struct engine_config *server, const char *ext, size_t ext_len)
{
	static uint8_t hello[4096];
	struct engine_config *client = new_config(ENGINE_CLIENT, ROOTS);
	const uint8_t *bytes;
	size_t len, list;

	assert_true(pair_begin(&pair, client, server));
	bytes = pair_take(&pair, ENGINE_CLIENT, &len);
	assert_true(len + ext_len <= sizeof(hello));
	memcpy(hello, bytes, len);
	memcpy(hello + len, ext, ext_len);
	/* record, message, extensions: the list of suites is as long as it says */
	list = 5 + 4 + 2 + 32 + 1 + 32;
	list += 2 + ((size_t)hello[list] << 8) + hello[list + 1] + 2;
	len += ext_len;
	hello[3] = (uint8_t)((len - 5) >> 8);
	hello[4] = (uint8_t)(len - 5);
	hello[7] = (uint8_t)((len - 9) >> 8);
	hello[8] = (uint8_t)(len - 9);
	hello[list] = (uint8_t)((len - list - 2) >> 8);
	hello[list + 1] = (uint8_t)(len - list - 2);
	if (pair_give(&pair, ENGINE_SERVER, hello, len) != ENGINE_OK) {
		fail_msg("%s", engine_hs_reason(pair.hs[ENGINE_SERVER]));
	}
}

/* RFC 8446 4.2.3, 4.4.2.2 */
static void test_signature_algorithms_cert(void **unused)
{
	(void)unused;
	/* server is signed with ECDSA, server-rsa2048 with RSA */
	give_hello_with(with(ENGINE_SERVER, "", "server server-rsa2048"), "\0\x32\0\x04\0\x02\x04\x01", 8);
	assert_int_equal(used(ENGINE_SERVER), 1);
	pair_end(&pair);
	give_hello_with(with(ENGINE_SERVER, "", "server-rsa2048 server"), "\0\x32\0\x04\0\x02\x04\x03", 8);
	assert_int_equal(used(ENGINE_SERVER), 1);
	pair_end(&pair);
	/* what cannot be had is done without */
	give_hello_with(with(ENGINE_SERVER, "", "server server-rsa2048"), "\0\x32\0\x04\0\x02\x08\x08", 8);
	assert_int_equal(used(ENGINE_SERVER), 0);
	pair_end(&pair);
	/* a name counts for more */
	give_hello_with(with(ENGINE_SERVER, "", "wrong-name server-rsa2048"), "\0\x32\0\x04\0\x02\x04\x03",
			8);
	assert_int_equal(used(ENGINE_SERVER), 1);
	pair_end(&pair);
}

/* certificate_authorities with the subject of this file's certificate. */
static size_t authorities(const char *file, char *room, size_t size)
{
	struct engine_trust *trust = pki_trust(file);
	uint8_t names[512];
	struct wr out;

	wr_init(&out, names, sizeof(names));
	assert_true(trust_write_names(trust, &out, sizeof(names)));
	engine_trust_unref(trust);
	(void)snprintf(room, size, "%s", "");
	room[0] = 0;
	room[1] = 47;
	room[2] = 0;
	room[3] = (char)(out.len + 2);
	room[4] = 0;
	room[5] = (char)out.len;
	memcpy(room + 6, names, out.len);
	return 6 + out.len;
}

/* RFC 8446 4.2.4 */
static void test_authorities_that_a_client_names(void **unused)
{
	char ext[600];
	size_t len;

	(void)unused;
	len = authorities("ca-rsa.pem", ext, sizeof(ext));
	give_hello_with(with(ENGINE_SERVER, "", "server server-rsa2048"), ext, len);
	assert_int_equal(used(ENGINE_SERVER), 1);
	pair_end(&pair);
	len = authorities("ca.pem", ext, sizeof(ext));
	give_hello_with(with(ENGINE_SERVER, "", "server-rsa2048 server"), ext, len);
	assert_int_equal(used(ENGINE_SERVER), 1);
	pair_end(&pair);
	len = authorities("other-ca.pem", ext, sizeof(ext));
	give_hello_with(with(ENGINE_SERVER, "", "server-rsa2048 server"), ext, len);
	assert_int_equal(used(ENGINE_SERVER), 0);
	pair_end(&pair);
}

/* Our server names whom it trusts, our client looks for one of them. */
static void test_a_client_shows_the_certificate_that_is_asked_for(void **unused)
{
	static const struct {
		const char *trust, *credentials;
		int credential;
	} rows[] = {
		{"ca.pem", "client-other client-plain", 1},
		{"other-ca.pem", "client-plain client-other", 1},
		{"ca.pem other-ca.pem", "client-plain client-other", 0},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct engine_config *server = with(ENGINE_SERVER, rows[i].trust, "server");

		engine_config_set_client_auth(server, ENGINE_CLIENT_AUTH_REQUIRE);
		shake(with(ENGINE_CLIENT, ROOTS, rows[i].credentials), server);
		assert_int_equal(used(ENGINE_CLIENT), rows[i].credential);
		assert_true(pair.conn[ENGINE_SERVER].peer_is_authenticated);
		pair_end(&pair);
	}
}

/* ---- OCSP ---- */

static struct engine_config *stapling(const char *response)
{
	struct engine_config *server = with(ENGINE_SERVER, "", "server");
	char why[ENGINE_REASON_MAX];
	size_t len;
	char *der = pki_text(response, &len);

	if (engine_config_set_ocsp_response(server, (const uint8_t *)der, len, why) != ENGINE_OK) {
		fail_msg("%s: %s", response, why);
	}
	free(der);
	return server;
}

static struct engine_config *insisting(void)
{
	struct engine_config *client = new_config(ENGINE_CLIENT, ROOTS);

	engine_config_require_ocsp(client, true);
	return client;
}

/* RFC 8446 4.4.2.1 */
static void test_a_stapled_response(void **unused)
{
	(void)unused;
	shake(insisting(), stapling("good.ocsp"));
	pair_end(&pair);
	shake(new_config(ENGINE_CLIENT, ROOTS), stapling("good.ocsp"));
	pair_end(&pair);
	shake(new_config(ENGINE_CLIENT, ROOTS), with(ENGINE_SERVER, "", "server"));
	pair_end(&pair);
}

/* A response that says otherwise, or that is none, is in test_server_flight.c. */
static void test_a_client_that_insists_on_a_response(void **unused)
{
	(void)unused;
	assert_true(pair_begin(&pair, insisting(), with(ENGINE_SERVER, "", "server")));
	pair_pump(&pair, 0);
	assert_int_equal(engine_hs_error(pair.hs[ENGINE_CLIENT]), ENGINE_ERR_VERIFY);
	assert_int_equal(engine_hs_alert(pair.hs[ENGINE_CLIENT]), ALERT_BAD_CERTIFICATE_STATUS_RESPONSE);
	pair_end(&pair);
}

/* ---- RFC 8449 ---- */

/* Let role's peer believe that the other side said limit: in the hello and in what the sender remembers of it. */
static void patch_limit(uint8_t *bytes, size_t len, uint16_t limit)
{
	for (size_t i = 0; i + 6 <= len; i++) {
		if (memcmp(bytes + i, "\0\x1c\0\x02\x40\x01", 6) == 0) {
			bytes[i + 4] = (uint8_t)(limit >> 8);
			bytes[i + 5] = (uint8_t)limit;
			return;
		}
	}
	fail_msg("no record_size_limit");
}

/* No record among these bytes that is protected holds more than limit. Returns how many there are. */
static size_t check_records(const uint8_t *bytes, size_t len, size_t limit)
{
	size_t n = 0, n_plain = 0;

	while (len != 0) {
		const size_t record_len = ((size_t)bytes[3] << 8) + bytes[4];

		assert_true(len >= 5 + record_len);
		if (bytes[0] == CONTENT_APPLICATION_DATA) {
			assert_true(record_len <= limit + 16);
			n++;
		} else if (bytes[0] == CONTENT_HANDSHAKE) {
			n_plain++;
		}
		bytes += 5 + record_len;
		len -= 5 + record_len;
	}
	/* what is in clear is not subject to it */
	assert_true(n_plain <= 1);
	return n;
}

static void test_flights_keep_to_the_peers_limit(void **unused)
{
	static const uint16_t limits[] = {64, 65, 100, 512, 4096, 16384, 16385, 16386, 65535};

	(void)unused;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const size_t most = limits[i] < 16385 ? limits[i] : 16385;
		struct engine_config *server = with(ENGINE_SERVER, "ca.pem", "server");
		static uint8_t copy[65536];
		const uint8_t *bytes;
		size_t len, n;

		engine_config_set_client_auth(server, ENGINE_CLIENT_AUTH_REQUIRE);
		assert_true(pair_begin(&pair, with(ENGINE_CLIENT, ROOTS, "client-plain"), server));
		bytes = pair_take(&pair, ENGINE_CLIENT, &len);
		memcpy(copy, bytes, len);
		patch_limit(copy, len, limits[i]);
		patch_limit(pair.hs[ENGINE_CLIENT]->held.data, pair.hs[ENGINE_CLIENT]->held.len, limits[i]);
		assert_int_equal(pair_give(&pair, ENGINE_SERVER, copy, len), ENGINE_OK);
		assert_int_equal(pair.hs[ENGINE_SERVER]->send_limit, most - 1);
		bytes = pair_take(&pair, ENGINE_SERVER, &len);
		memcpy(copy, bytes, len);
		n = check_records(copy, len, most);
		assert_true(most > 2048 ? n == 1 : n > 1);
		assert_int_equal(pair_give(&pair, ENGINE_CLIENT, copy, len), ENGINE_OK);
		pair_pump(&pair, 0);
		assert_true(pair_is_done(&pair));
		assert_int_equal(pair.conn[ENGINE_SERVER].send_limit, most - 1);
		assert_int_equal(engine_max_plaintext(&pair.conn[ENGINE_SERVER]), most - 1);
		/* the server answered with what it takes itself, which is the usual */
		assert_int_equal(engine_max_plaintext(&pair.conn[ENGINE_CLIENT]), 16384);
		pair_end(&pair);
	}
}

static void test_a_clients_flight_keeps_to_it_too(void **unused)
{
	struct engine_config *server = with(ENGINE_SERVER, "ca.pem", "server");
	static uint8_t copy[65536];
	const uint8_t *bytes;
	size_t len, first;

	(void)unused;
	engine_config_set_client_auth(server, ENGINE_CLIENT_AUTH_REQUIRE);
	assert_true(pair_begin(&pair, with(ENGINE_CLIENT, ROOTS, "client-plain"), server));
	bytes = pair_take(&pair, ENGINE_CLIENT, &len);
	memcpy(copy, bytes, len);
	patch_limit(copy, len, 64);
	patch_limit(pair.hs[ENGINE_CLIENT]->held.data, pair.hs[ENGINE_CLIENT]->held.len, 64);
	assert_int_equal(pair_give(&pair, ENGINE_SERVER, copy, len), ENGINE_OK);
	bytes = pair_take(&pair, ENGINE_SERVER, &len);
	memcpy(copy, bytes, len);
	/* ServerHello, ChangeCipherSpec, and a first short record, in which EncryptedExtensions lies */
	first = 5 + ((size_t)copy[3] << 8) + copy[4] + 6;
	first += 5 + ((size_t)copy[first + 3] << 8) + copy[first + 4];
	if (pair_give(&pair, ENGINE_CLIENT, copy, first) != ENGINE_OK) {
		fail_msg("%s", engine_hs_reason(pair.hs[ENGINE_CLIENT]));
	}
	assert_int_equal(pair.hs[ENGINE_CLIENT]->state, HS_WAIT_CERTIFICATE_OR_REQUEST);
	assert_int_equal(pair.hs[ENGINE_CLIENT]->send_limit, 16384);
	/* as if it had said 80 */
	pair.hs[ENGINE_CLIENT]->send_limit = 79;
	pair.hs[ENGINE_CLIENT]->send_spec.limit = 79;
	assert_int_equal(pair_give(&pair, ENGINE_CLIENT, copy + first, len - first), ENGINE_OK);
	bytes = pair_take(&pair, ENGINE_CLIENT, &len);
	assert_true(check_records(bytes, len, 80) > 5);
	assert_int_equal(pair_give(&pair, ENGINE_SERVER, bytes, len), ENGINE_OK);
	assert_true(pair_is_done(&pair));
	assert_int_equal(engine_max_plaintext(&pair.conn[ENGINE_CLIENT]), 79);
	pair_end(&pair);
}

/* Padding is for the handshake's records too. RFC 8446 5.4 */
static void test_flights_are_padded(void **unused)
{
	struct engine_config *client = new_config(ENGINE_CLIENT, ROOTS);
	struct engine_config *server = with(ENGINE_SERVER, "", "server");
	const uint8_t *bytes;
	size_t len;

	(void)unused;
	assert_true(engine_config_set_padding(client, 512) && engine_config_set_padding(server, 4096));
	assert_true(pair_begin(&pair, client, server));
	bytes = pair_take(&pair, ENGINE_CLIENT, &len);
	assert_int_equal(pair_give(&pair, ENGINE_SERVER, bytes, len), ENGINE_OK);
	bytes = pair_take(&pair, ENGINE_SERVER, &len);
	/* the last record is the flight */
	assert_true(len > 4096 + 5 + 17);
	assert_memory_equal(bytes + len - (4096 + 5 + 17), "\x17\x03\x03\x10\x11", 5);
	assert_int_equal(pair_give(&pair, ENGINE_CLIENT, bytes, len), ENGINE_OK);
	bytes = pair_take(&pair, ENGINE_CLIENT, &len);
	assert_memory_equal(bytes + len - (512 + 5 + 17), "\x17\x03\x03\x02\x11", 5);
	assert_int_equal(pair_give(&pair, ENGINE_SERVER, bytes, len), ENGINE_OK);
	assert_true(pair_is_done(&pair));
	pair_end(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_clients_schemes_choose_among_kinds_of_keys),
		cmocka_unit_test(test_the_servers_own_list_of_schemes_counts),
		cmocka_unit_test(test_nothing_in_common),
		cmocka_unit_test(test_a_certificate_that_fits_the_name_comes_first),
		cmocka_unit_test(test_a_key_that_may_not_sign_is_passed_over),
		cmocka_unit_test(test_signature_algorithms_cert),
		cmocka_unit_test(test_authorities_that_a_client_names),
		cmocka_unit_test(test_a_client_shows_the_certificate_that_is_asked_for),
		cmocka_unit_test(test_a_stapled_response),
		cmocka_unit_test(test_a_client_that_insists_on_a_response),
		cmocka_unit_test(test_flights_keep_to_the_peers_limit),
		cmocka_unit_test(test_a_clients_flight_keeps_to_it_too),
		cmocka_unit_test(test_flights_are_padded),
	};

	return cmocka_run_group_tests_name("credentials in TLS 1.3", tests, pki_setup, NULL);
}
