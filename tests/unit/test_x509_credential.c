/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Choosing among credentials: by name, by what a key may do, by the peer's schemes and by its authorities.
 */
#include "tests/pki/pki.h"

#include "engine/wire.h"
#include "engine/x509_parse.h"

static struct engine_config *config_of(const char *cert, const char *key)
{
	char why[ENGINE_REASON_MAX];
	struct engine_config *config = engine_config_new(ENGINE_SERVER);
	assert_non_null(config);
	if (!pki_add_credential(config, cert, key, why)) {
		fail_msg("%s: %s", cert, why);
	}
	return config;
}

static void names_choose_a_credential(void **state)
{
	(void)state;
	static const struct {
		const char *cert, *key, *name;
		bool fits;
	} cases[] = {
		{"server.pem", "server.key", "server.example", true},
		{"server.pem", "server.key", "SERVER.example", true},
		{"server.pem", "server.key", "server.example.", true},
		{"server.pem", "server.key", "other.example", false},
		{"wildcard.pem", "server.key", "a.example.com", true},
		{"wildcard.pem", "server.key", "a.b.example.com", false},
		{"wildcard.pem", "server.key", "example.com", false},
		{"wildcard.pem", "server.key", "a.com", false},
		{"no-san.pem", "server.key", "localhost", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct engine_config *config = config_of(cases[i].cert, cases[i].key);
		if (credential_matches_name(&config->credentials[0], cases[i].name) != cases[i].fits) {
			fail_msg("%s %s", cases[i].cert, cases[i].name);
		}
		engine_config_unref(config);
	}
}

static void key_usage_says_what_a_key_may_do(void **state)
{
	(void)state;
	static const struct {
		const char *cert, *key;
		bool sign, encipher;
	} cases[] = {
		{"server-rsa2048.pem", "server-rsa2048.key", true, false},
		{"rsa-encipher.pem", "server-rsa2048.key", false, true},
		{"rsa-both.pem", "server-rsa2048.key", true, true},
		{"rsa-no-usage.pem", "server-rsa2048.key", true, true},
		{"server-no-usage.pem", "server.key", true, false}, /* an EC key decrypts nothing */
		{"server-pss.pem", "server-pss.key", true, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct engine_config *config = config_of(cases[i].cert, cases[i].key);
		if (credential_may_sign(&config->credentials[0]) != cases[i].sign ||
		    credential_may_encipher(&config->credentials[0]) != cases[i].encipher) {
			fail_msg("%s", cases[i].cert);
		}
		engine_config_unref(config);
	}
}

static void chains_fit_schemes_or_not(void **state)
{
	(void)state;
	static const struct {
		const char *cert, *key;
		uint16_t schemes[3];
		bool fits;
	} cases[] = {
		{"server.pem", "server.key", {0x0403}, true},
		{"server.pem", "server.key", {0x0401, 0x0804, 0x0503}, false},
		{"server-rsa2048.pem", "server-rsa2048.key", {0x0403, 0x0401}, true},
		{"server-rsa2048.pem", "server-rsa2048.key", {0x0804}, false},
		{"server-by-pss.pem", "server.key", {0x0804}, true},
		{"server-by-pss.pem", "server.key", {0x0809}, true},
		{"server-by-pss.pem", "server.key", {0x0805, 0x0401}, false},
		{"server-by-ed25519.pem", "server.key", {0x0807}, true},
		{"chain-under-inter.pem", "under-inter.key", {0x0403}, true},
		{"chain-mixed.pem", "under-mixed.key", {0x0403}, false},
		{"chain-mixed.pem", "under-mixed.key", {0x0403, 0x0401}, true},
		{"chain-mixed-root.pem", "under-mixed.key", {0x0403, 0x0401}, true},
		{"by-sha1.pem", "server.key", {0x0201, 0x0401}, false},
		/* signed by itself: nobody checks that */
		{"pinned.pem", "pinned.key", {0x0807}, true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct engine_config *config = config_of(cases[i].cert, cases[i].key);
		uint8_t list[6];
		size_t len = 0;
		for (size_t k = 0; k < 3 && cases[i].schemes[k] != 0; k++) {
			list[len++] = (uint8_t)(cases[i].schemes[k] >> 8);
			list[len++] = (uint8_t)cases[i].schemes[k];
		}
		if (credential_fits_schemes(&config->credentials[0], rd_of(list, len)) != cases[i].fits) {
			fail_msg("%zu %s", i, cases[i].cert);
		}
		engine_config_unref(config);
	}
}

static void chains_are_put_in_order(void **state)
{
	(void)state;
	static const struct {
		const char *files, *order;
	} cases[] = {
		{"under-inter2.pem inter2.pem inter.pem ca.pem", "under-inter2 inter2 inter ca "},
		{"under-inter2.pem ca.pem inter.pem inter2.pem", "under-inter2 inter2 inter ca "},
		{"under-inter2.pem inter.pem inter2.pem", "under-inter2 inter2 inter "},
		{"under-inter2.pem under-inter2.pem inter2.pem inter.pem inter2.pem",
		 "under-inter2 inter2 inter "},
		{"under-inter2.pem other-ca.pem inter.pem ca-rsa.pem inter2.pem",
		 "under-inter2 inter2 inter other-ca ca-rsa "},
		{"under-inter2.pem", "under-inter2 "},
		{"under-inter2.pem inter.pem", "under-inter2 inter "},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char list[200], why[ENGINE_REASON_MAX];
		char *rest = NULL;
		size_t len = 0, key_len;
		char *chain = calloc(1, 1 << 16);
		char *key = pki_text("under-inter2.key", &key_len);
		struct engine_config *config = engine_config_new(ENGINE_SERVER);
		(void)snprintf(list, sizeof(list), "%s", cases[i].files);
		for (char *name = strtok_r(list, " ", &rest); name != NULL;
		     name = strtok_r(NULL, " ", &rest)) {
			size_t more;
			char *text = pki_text(name, &more);
			memcpy(chain + len, text, more);
			len += more;
			free(text);
		}
		assert_int_equal(engine_config_add_credential(config, (const uint8_t *)chain, len,
							      (const uint8_t *)key, key_len, why),
				 ENGINE_OK);
		char found[200] = "";
		const struct credential *credential = &config->credentials[0];
		for (size_t k = 0; k < credential->n_chain; k++) {
			struct certificate cert;
			const char *what;
			char name[80];
			assert_true(certificate_parse(
				view_of(credential->chain[k].data, credential->chain[k].len), &cert, &what));
			certificate_text(&cert, name, sizeof(name));
			size_t used = strlen(found);
			(void)snprintf(found + used, sizeof(found) - used, "%.40s ", name + 3);
		}
		assert_string_equal(found, cases[i].order);
		engine_config_unref(config);
		free(chain);
		free(key);
	}
}

static void authorities_are_named_and_found(void **state)
{
	(void)state;
	uint8_t room[1000];
	struct wr out;
	struct engine_trust *one = pki_trust("ca.pem");
	struct engine_trust *three = pki_trust("ca.pem ca-twin.pem ca-rsa.pem root-a.pem");
	struct engine_config *plain = config_of("server.pem", "server.key");
	struct engine_config *chained = config_of("chain-under-inter.pem", "under-inter.key");
	struct engine_config *rsa = config_of("server-rsa2048.pem", "server-rsa2048.key");
	struct rd names, name;
	size_t n = 0;

	wr_init(&out, room, sizeof(room));
	assert_true(trust_write_names(three, &out, sizeof(room)));
	names = rd_of(out.data, out.len);
	while (rd_vec16(&names, &name, 1, UINT16_MAX)) {
		n++;
	}
	assert_true(rd_end(&names));
	assert_int_equal(n, 3); /* ca and its twin have one name */
	assert_true(credential_is_from(&rsa->credentials[0], rd_of(out.data, out.len)));
	/* all or nothing */
	size_t len = out.len;
	wr_reset(&out);
	assert_false(trust_write_names(three, &out, len - 1));
	assert_int_equal(out.len, 0);
	assert_true(trust_write_names(NULL, &out, len));
	assert_int_equal(out.len, 0);

	assert_true(trust_write_names(one, &out, len));
	names = rd_of(out.data, out.len);
	assert_true(credential_is_from(&plain->credentials[0], names));
	assert_true(credential_is_from(&chained->credentials[0], names)); /* by its intermediate's issuer */
	assert_false(credential_is_from(&rsa->credentials[0], names));
	assert_true(credential_is_from(&rsa->credentials[0], rd_of(NULL, 0)));

	engine_config_unref(plain);
	engine_config_unref(chained);
	engine_config_unref(rsa);
	engine_trust_unref(one);
	engine_trust_unref(three);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_choose_a_credential),
		cmocka_unit_test(key_usage_says_what_a_key_may_do),
		cmocka_unit_test(chains_fit_schemes_or_not),
		cmocka_unit_test(chains_are_put_in_order),
		cmocka_unit_test(authorities_are_named_and_found),
	};
	return cmocka_run_group_tests(tests, pki_setup, NULL);
}
